/* What the contract of series.h promises, rule by rule. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/remote_write.h"
#include "codec/snappy.h"
#include "os/file.h"
#include "os/thread.h"
#include "store/series/series_testlib.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define T0 INT64_C(1700000000000)

struct fixture {
    char *dir;
    struct clock_manual clock;
    struct series_store *s;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f)
        return 1;
    f->dir = test_dir();
    f->clock = (struct clock_manual){T0 * 1000000, 1};
    f->s = test_open(f->dir, &f->clock, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    series_close(f->s);
    test_dir_free(f->dir);
    free(f);
    return 0;
}

static void reopen(struct fixture *f, int64_t past_ms) {
    series_close(f->s);
    f->s = test_open(f->dir, &f->clock, past_ms);
}

static void maintain(struct fixture *f) {
    struct err err = {0};
    if (!series_maintain(f->s, &err))
        fail_msg("%s", err.message);
}

static struct write_result put(struct series_store *s, struct str source, const char *metric,
                               const char *host, int64_t ts, double v) {
    struct label l[2] = {{STR("__name__"), str_from(metric)}, {STR("host"), str_from(host)}};
    struct batch_row row = {{l, 2}, ts, v};
    struct batch b = {.kind = SOURCE_SCRAPE, .source = source, .rows = &row, .n = 1};
    struct sink k = series_sink(s);
    struct write_result out = {0};
    struct err err = {0};
    if (!sink_write(&k, &b, &out, &err))
        fail_msg("%s", err.message);
    return out;
}

static size_t count(struct series_store *s, const char *metric, int64_t start, int64_t end,
                    double *out_last) {
    struct matcher m = {.type = MATCH_EQ, .name = STR("__name__"), .value = str_from(metric)};
    struct reader_query q = {.matchers = &m, .n_matchers = 1, .start_ms = start, .end_ms = end};
    struct reader r = series_reader(s);
    struct reader_set *set;
    struct err err = {0};
    if (!r.ops->select(r.self, &q, &set, &err))
        fail_msg("%s", err.message);
    size_t n = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct series_data d;
        if (!set->ops->read(set, i, start, end, &d, &err))
            fail_msg("%s", err.message);
        n += d.n;
        if (d.n && out_last)
            *out_last = d.value[d.n - 1];
    }
    set->ops->free(set);
    return n;
}

static void test_accept_window(void **state) {
    struct fixture *f = *state;
    struct write_result r = put(f->s, STR("a"), "m", "x", T0 - 3600 * 1000 - 1, 1);
    assert_int_equal(r.rejected[REJECT_TOO_OLD], 1);
    assert_non_null(strstr(r.first_rejected, "m{host=\"x\"}"));
    assert_non_null(strstr(r.first_rejected, "store.series.accept_window"));
    r = put(f->s, STR("a"), "m", "x", T0 + 600 * 1000 + 1, 1);
    assert_int_equal(r.rejected[REJECT_TOO_NEW], 1);
    r = put(f->s, STR("a"), "m", "x", T0 - 3600 * 1000, 1);
    assert_int_equal(r.accepted, 1);
    r = put(f->s, STR("a"), "m", "x", T0 + 600 * 1000, 2);
    assert_int_equal(r.accepted, 1);
    assert_int_equal(count(f->s, "m", INT64_MIN, INT64_MAX, NULL), 2);
    reopen(f, INT64_MAX); /* unlimited: 1970 and the far future */
    static const int64_t all[] = {0, 60000, 120000, INT64_C(4102444800000), -5000};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(put(f->s, STR("a"), "old", "x", all[i], (double)i).accepted, 1);
    assert_int_equal(count(f->s, "old", 0, 120000, NULL), 3);
    maintain(f);
    reopen(f, INT64_MAX);
    assert_int_equal(count(f->s, "old", INT64_MIN, INT64_MAX, NULL), 5);
}

static void test_duplicates(void **state) {
    struct fixture *f = *state;
    for (int stage = 0; stage < 3;
         stage++) { /* in the head, in a block, in a block after a start */
        if (stage == 1)
            maintain(f);
        if (stage == 2)
            reopen(f, 0);
        struct write_result r = put(f->s, STR("a"), "m", "x", T0, 1);
        assert_int_equal(r.accepted, 1);
        r = put(f->s, STR("a"), "m", "x", T0, 2);
        assert_int_equal(r.rejected[REJECT_DUPLICATE], 1);
        assert_non_null(strstr(r.first_rejected, "m{host=\"x\"} at 1700000000000"));
        r = put(f->s, STR("a"), "m", "x", T0 - 1000 - stage, 5); /* late, new */
        assert_int_equal(r.accepted, 1);
        r = put(f->s, STR("a"), "m", "x", T0 - 1000 - stage, 6);
        assert_int_equal(r.rejected[REJECT_DUPLICATE], 1);
    }
    assert_int_equal(count(f->s, "m", INT64_MIN, INT64_MAX, NULL), 4);
    struct write_result r = put(f->s, STR("a"), "nan", "x", T0, sample_nan());
    assert_int_equal(r.accepted, 1);
    assert_int_equal(put(f->s, STR("a"), "nan", "x", T0, sample_nan()).accepted, 1);
    assert_int_equal(put(f->s, STR("a"), "nan", "x", T0, sample_stale()).rejected[REJECT_DUPLICATE],
                     1);
}

static void test_limits(void **state) {
    struct fixture *f = *state;
    series_close(f->s);
    struct clock view = clock_manual_view(&f->clock);
    struct series_options opt = {.dir = f->dir,
                                 .clock = &view,
                                 .no_background = true,
                                 .series_per_source_max = 30,
                                 .series_per_metric_max = 20};
    struct err err = {0};
    f->s = series_open(&opt, &err);
    assert_non_null(f->s);
    char host[32];
    size_t refused = 0;
    for (int i = 0; i < 25; i++) {
        (void)snprintf(host, sizeof(host), "h%d", i);
        struct write_result r = put(f->s, STR("offender"), "flood", host, T0, 1);
        refused += r.rejected[REJECT_CARDINALITY];
        if (r.rejected[REJECT_CARDINALITY]) {
            assert_non_null(strstr(r.first_rejected, "\"offender\""));
            assert_non_null(strstr(r.first_rejected, "\"flood\""));
            assert_non_null(strstr(r.first_rejected, "\"host\""));
        }
    }
    assert_int_equal(refused, 5);
    assert_int_equal(put(f->s, STR("offender"), "flood", "h3", T0 + 1, 1).accepted,
                     1); /* known ones go on */
    assert_int_equal(put(f->s, STR("other"), "flood", "z", T0, 1).accepted,
                     1); /* others lose nothing */
    for (int i = 0; i < 12; i++) {
        (void)snprintf(host, sizeof(host), "k%d", i);
        refused += put(f->s, STR("offender"), "second", host, T0, 1).rejected[REJECT_CARDINALITY];
    }
    assert_int_equal(refused, 7);
    struct arena a = ARENA_INIT;
    struct series_limit_hit *hits;
    size_t n;
    assert_true(series_limit_hits(f->s, &a, &hits, &n, &err));
    assert_int_equal(n, 2);
    assert_true(str_eqz(hits[0].metric, "flood") && str_eqz(hits[0].label, "host") &&
                hits[0].refused_series == 5);
    assert_true(str_eqz(hits[1].limit, "store.series.series_per_source_max") &&
                hits[1].refused_series == 2);
    arena_deinit(&a);
}

static bool put_agent(struct series_store *s, uint64_t segment, uint64_t offset, double v) {
    struct label l[1] = {{STR("__name__"), STR("from_agent")}};
    struct batch_row row = {{l, 1}, T0 + (int64_t)offset, v};
    struct batch b = {.kind = SOURCE_AGENT,
                      .source = STR("agent/x"),
                      .rows = &row,
                      .n = 1,
                      .agent = STR("x"),
                      .agent_segment = segment,
                      .agent_offset = offset};
    struct sink k = series_sink(s);
    struct write_result out = {0};
    struct err err = {0};
    return sink_write(&k, &b, &out, &err) && out.accepted == 1;
}

static bool put_agent_at(struct series_store *s, uint64_t offset, int64_t ts_ms) {
    struct label l[1] = {{STR("__name__"), STR("late")}};
    struct batch_row row = {{l, 1}, ts_ms, 1};
    struct batch b = {.kind = SOURCE_AGENT,
                      .source = STR("agent/x"),
                      .rows = &row,
                      .n = 1,
                      .agent = STR("x"),
                      .agent_segment = 9,
                      .agent_offset = offset};
    struct sink k = series_sink(s);
    struct write_result out = {0};
    struct err err = {0};
    return sink_write(&k, &b, &out, &err) && out.accepted == 1;
}

/* An agent that was cut off for longer than the accept window loses nothing. */
static void test_late_agent(void **state) {
    struct fixture *f = *state;
    int64_t now = f->clock.wall_ns / 1000000;
    assert_true(put_agent_at(f->s, 1, now));
    assert_true(put_agent_at(f->s, 2, now - 3 * 3600000));
    assert_true(put_agent_at(f->s, 3, now - 20 * (int64_t)86400000));
    assert_false(put_agent_at(f->s, 4, now - 40 * (int64_t)86400000)); /* older than retention */
    reopen(f, 0);
    assert_int_equal(count(f->s, "late", INT64_MIN, INT64_MAX, NULL), 3);
}

static void expect_position(struct series_store *s, uint64_t segment, uint64_t offset) {
    uint64_t a, b;
    series_agent_position(s, STR("x"), &a, &b);
    assert_int_equal(a, segment);
    assert_int_equal(b, offset);
}

static void test_agent(void **state) {
    struct fixture *f = *state;
    expect_position(f->s, 0, 0);
    assert_true(put_agent(f->s, 1, 10, 1));
    assert_true(put_agent(f->s, 1, 20, 2));
    expect_position(f->s, 1, 20);
    assert_true(put_agent(f->s, 1, 10, 99)); /* a resend: acknowledged, without effect */
    char copy[300];
    (void)snprintf(copy, sizeof(copy), "%s-copy", f->dir);
    test_copy_tree(f->dir, copy);
    struct series_store *killed = test_open(copy, &f->clock, 0);
    expect_position(killed, 1, 20);
    assert_int_equal(count(killed, "from_agent", INT64_MIN, INT64_MAX, NULL), 2);
    series_close(killed);
    assert_true(file_remove_tree(copy, NULL));
    maintain(f);
    assert_true(put_agent(f->s, 2, 5, 3));
    reopen(f, 0);
    expect_position(f->s, 2, 5);
    assert_int_equal(count(f->s, "from_agent", INT64_MIN, INT64_MAX, NULL), 3);
}

static void test_clear(void **state) {
    struct fixture *f = *state;
    struct err err = {0};
    for (int round = 0; round < 3; round++) {
        (void)put(f->s, STR("a"), "m", "x", T0, round);
        if (round == 1)
            maintain(f);
        assert_int_equal(count(f->s, "m", INT64_MIN, INT64_MAX, NULL), 1);
        assert_true(series_clear(f->s, &err));
        assert_int_equal(count(f->s, "m", INT64_MIN, INT64_MAX, NULL), 0);
        if (round)
            reopen(f, 0);
        assert_int_equal(count(f->s, "m", INT64_MIN, INT64_MAX, NULL), 0);
    }
}

static void test_meta(void **state) {
    struct fixture *f = *state;
    struct metric_meta m[2] = {{STR("b_total"), STR("Bees."), STR("bees"), METRIC_COUNTER},
                               {STR("a"), STR("Help \xe7\x81\xab"), STR(""), METRIC_GAUGE}},
                       *got;
    struct err err = {0};
    struct arena a = ARENA_INIT;
    size_t n;
    assert_true(series_put_meta(f->s, m, 2, &err));
    m[0].help = STR("Bees, counted.");
    assert_true(series_put_meta(f->s, m, 1, &err));
    for (int i = 0; i < 2; i++) {
        assert_true(series_get_meta(f->s, STR(""), 0, &a, &got, &n, &err));
        assert_int_equal(n, 2);
        assert_true(str_eqz(got[0].metric, "a") && str_eqz(got[1].help, "Bees, counted.") &&
                    str_eqz(got[1].unit, "bees"));
        assert_int_equal(got[1].type, METRIC_COUNTER);
        assert_true(series_get_meta(f->s, STR("a"), 0, &a, &got, &n, &err));
        assert_int_equal(n, 1);
        assert_true(series_get_meta(f->s, STR("none"), 0, &a, &got, &n, &err));
        assert_int_equal(n, 0);
        reopen(f, 0);
    }
    arena_deinit(&a);
}

static void test_retention(void **state) {
    struct fixture *f = *state;
    const int64_t day = 86400000;
    for (int i = 0; i < 40; i++) { /* forty days, a block each */
        (void)put(f->s, STR("a"), "m", "x", T0 + i * day, i);
        maintain(f);
        clock_manual_advance(&f->clock, DUR_S(86400));
    }
    maintain(f);
    size_t kept = count(f->s, "m", INT64_MIN, INT64_MAX, NULL);
    assert_in_range(kept, 30, 35);
    assert_int_equal(count(f->s, "m", T0 + 10 * day, INT64_MAX, NULL), 30);
    f->clock.wall_ns +=
        INT64_C(365) * 86400 * 1000000000; /* the clock jumps a year, and samples with it */
    (void)put(f->s, STR("a"), "m", "x", f->clock.wall_ns / 1000000, 1);
    maintain(f);
    clock_manual_advance(&f->clock, DUR_S(3600));
    maintain(f);
    assert_int_equal(count(f->s, "m", INT64_MIN, INT64_MAX, NULL), kept + 1);
    f->clock.wall_ns -= INT64_C(800) * 86400 * 1000000000; /* and back */
    maintain(f);
    reopen(f, 0);
    maintain(f);
    assert_int_equal(count(f->s, "m", INT64_MIN, INT64_MAX, NULL), kept + 1);
}

static void test_size_retention(void **state) {
    struct fixture *f = *state;
    series_close(f->s);
    struct clock view = clock_manual_view(&f->clock);
    struct series_options opt = {.dir = f->dir,
                                 .clock = &view,
                                 .no_background = true,
                                 .retention_bytes = 3000,
                                 .accept_past_ms = INT64_MAX};
    struct err err = {0};
    f->s = series_open(&opt, &err);
    assert_non_null(f->s);
    for (int i = 0; i < 30; i++) {
        (void)put(f->s, STR("a"), "m", "x", T0 + i * INT64_C(86400000) * 10, i);
        maintain(f);
    }
    double last = 0;
    size_t n = count(f->s, "m", INT64_MIN, INT64_MAX, &last);
    assert_in_range(n, 1, 10);
    assert_int_equal((int)last, 29); /* the newest stays */
}

static void test_names(void **state) {
    struct fixture *f = *state;
    struct arena a = ARENA_INIT;
    struct err err = {0};
    struct reader r = series_reader(f->s);
    struct str_list l;
    (void)put(f->s, STR("a"), "m1", "x", T0 - 1000, 1);
    maintain(f);
    (void)put(f->s, STR("a"), "m2", "y", T0, 1);
    struct matcher m = {.type = MATCH_EQ, .name = STR("host"), .value = STR("y")};
    struct reader_query all = {.start_ms = INT64_MIN, .end_ms = INT64_MAX},
                        one = {.matchers = &m,
                               .n_matchers = 1,
                               .start_ms = INT64_MIN,
                               .end_ms = INT64_MAX};
    assert_true(r.ops->label_names(r.self, &all, 0, &a, &l, &err));
    assert_int_equal(l.n, 2);
    assert_true(str_eqz(l.v[0], "__name__") && str_eqz(l.v[1], "host"));
    assert_true(r.ops->label_values(r.self, STR("__name__"), &all, 0, &a, &l, &err));
    assert_int_equal(l.n, 2);
    assert_true(r.ops->label_values(r.self, STR("__name__"), &one, 0, &a, &l, &err));
    assert_int_equal(l.n, 1);
    assert_true(str_eqz(l.v[0], "m2"));
    assert_true(r.ops->label_values(r.self, STR("host"), &all, 1, &a, &l, &err));
    assert_int_equal(l.n, 1);
    all.end_ms = T0 - 1000;
    assert_true(r.ops->label_values(r.self, STR("host"), &all, 0, &a, &l, &err));
    assert_int_equal(l.n, 1);
    arena_deinit(&a);
}

static size_t matching(struct series_store *s, const struct matcher *m, size_t n) {
    struct reader_query q = {
        .matchers = m, .n_matchers = n, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct reader r = series_reader(s);
    struct reader_set *set;
    struct err err = {0};
    if (!r.ops->select(r.self, &q, &set, &err))
        fail_msg("%s", err.message);
    size_t k = set->count;
    set->ops->free(set);
    return k;
}

/* Every kind of matcher gives what matching label by label gives, in the head and in blocks. */
static void test_matchers(void **state) {
    struct fixture *f = *state;
    struct naive n;
    struct err err = {0};
    naive_init(&n, 70);
    for (size_t i = 0; i < n.n; i++) {
        struct batch_row row = {n.s[i].labels, T0, (double)i};
        struct batch b = {.kind = SOURCE_SCRAPE, .source = STR("t"), .rows = &row, .n = 1};
        struct sink k = series_sink(f->s);
        struct write_result out;
        assert_true(sink_write(&k, &b, &out, &err));
        if (i == 40)
            maintain(f);
    }
    static const char *const values[] = {"metric_3", "metric_.*", "host-1|host-2|nothing",
                                         "",         ".*",        ".+",
                                         "api",      "[ad].*",    "host-[^1]"};
    static const char *const names[] = {"__name__", "host", "job", "missing"};
    for (size_t v = 0; v < 9; v++)
        for (size_t k = 0; k < 4; k++)
            for (int type = 0; type < 4; type++) {
                struct regex *re =
                    type >= MATCH_RE ? regex_new(str_from(values[v]), true, &err) : NULL;
                struct matcher m[2] = {
                    {(enum matcher_type)type, str_from(names[k]), str_from(values[v]), re},
                    {.type = MATCH_NE, .name = STR("job"), .value = STR("db")}};
                for (size_t use = 1; use <= 2; use++) {
                    size_t want = 0;
                    for (size_t i = 0; i < n.n; i++)
                        want += matchers_match(m, use, n.s[i].labels);
                    assert_int_equal(matching(f->s, m, use), want);
                }
                regex_free(re);
            }
    naive_deinit(&n);
}

/* A set shows the same while samples, flushes, compaction and clearing go on behind it. */
static void test_snapshot(void **state) {
    struct fixture *f = *state;
    struct err err = {0};
    for (int i = 0; i < 50; i++)
        (void)put(f->s, STR("a"), "m", "x", T0 + i * 1000, i);
    (void)put(f->s, STR("a"), "m", "x", T0 - 500, -1);
    struct matcher m = {.type = MATCH_EQ, .name = STR("__name__"), .value = STR("m")};
    struct reader_query q = {
        .matchers = &m, .n_matchers = 1, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct reader r = series_reader(f->s);
    struct reader_set *set;
    struct series_data d;
    assert_true(r.ops->select(r.self, &q, &set, &err));
    for (int stage = 0; stage < 4; stage++) {
        assert_int_equal(set->count, 1);
        assert_true(set->ops->read(set, 0, INT64_MIN, INT64_MAX, &d, &err));
        assert_int_equal(d.n, 51);
        assert_int_equal(d.ts_ms[0], T0 - 500);
        assert_int_equal((int)d.value[50], 49);
        if (stage == 0)
            for (int i = 50; i < 500; i++)
                (void)put(f->s, STR("a"), "m", "x", T0 + i * 1000, i);
        if (stage == 1)
            maintain(f);
        if (stage == 2)
            assert_true(series_clear(f->s, &err));
    }
    set->ops->free(set);
}

/* Labels out of order, empty values, labels after samples: one series, one identity. */
static void test_odd_bodies(void **state) {
    struct fixture *f = *state;
    struct label sorted[2] = {{STR("__name__"), STR("odd")}, {STR("host"), STR("x")}};
    struct label mixed[3] = {
        {STR("host"), STR("x")}, {STR("empty"), STR("")}, {STR("__name__"), STR("odd")}};
    struct buf plain = BUF_INIT, body = BUF_INIT, a = BUF_INIT, b = BUF_INIT;
    struct err err = {0};
    for (int i = 0; i < 2; i++) {
        struct sample x = {T0 + i, i};
        remote_write_put_series(&plain, (struct labels){i ? sorted : mixed, i ? 2 : 3}, &x, 1);
    }
    /* sample first, then the labels */
    buf_put(&a, "\x12\x10\x09\0\0\0\0\0\0\0\x40\x10", 12);
    buf_varint(&a, (uint64_t)(T0 + 2));
    a.p[1] = (char)(a.n - 2);
    remote_write_put_labels(&a, (struct labels){sorted, 2});
    buf_putc(&plain, 0x0a);
    buf_varint(&plain, a.n);
    buf_puts(&plain, buf_view(&a));
    assert_true(snappy_block_encode(buf_view(&plain), &body, &err));
    struct write_result out = {0};
    assert_true(series_remote_write(f->s, buf_view(&body), STR("t"), NULL, &out, &err));
    assert_int_equal(out.accepted, 3);
    assert_int_equal(count(f->s, "odd", INT64_MIN, INT64_MAX, NULL), 3);
    assert_int_equal(
        matching(f->s,
                 &(struct matcher){.type = MATCH_EQ, .name = STR("__name__"), .value = STR("odd")},
                 1),
        1);
    /* a body that breaks off stores nothing */
    buf_reset(&body);
    assert_true(snappy_block_encode(str_sub(buf_view(&plain), 0, plain.n - 3), &body, &err));
    out = (struct write_result){0};
    assert_false(series_remote_write(f->s, buf_view(&body), STR("t"), NULL, &out, &err));
    assert_int_equal(err.code, ERR_BAD_INPUT);
    /* bad labels are refused by name, the rest is stored */
    struct label bad[2] = {{STR("__name__"), STR("b\xff")}, {STR("host"), STR("x")}};
    struct sample x = {T0, 1};
    buf_reset(&plain);
    buf_reset(&body);
    remote_write_put_series(&plain, (struct labels){bad, 2}, &x, 1);
    x.ts_ms = T0 + 3;
    remote_write_put_series(&plain, (struct labels){sorted, 2}, &x, 1);
    assert_true(snappy_block_encode(buf_view(&plain), &body, &err));
    assert_true(series_remote_write(f->s, buf_view(&body), STR("t"), NULL, &out, &err));
    assert_int_equal(out.accepted, 1);
    assert_int_equal(out.rejected[REJECT_LABELS], 1);
    assert_non_null(strstr(out.first_rejected, "UTF-8"));
    reopen(f, 0);
    assert_int_equal(count(f->s, "odd", INT64_MIN, INT64_MAX, NULL), 4);
    buf_deinit(&plain);
    buf_deinit(&body);
    buf_deinit(&a);
    buf_deinit(&b);
}

/* Rejected rows of a logged body stay rejected when the log is replayed. */
static void test_replay_rejections(void **state) {
    struct fixture *f = *state;
    struct label l[2] = {{STR("__name__"), STR("r")}, {STR("host"), STR("x")}};
    struct buf plain = BUF_INIT, body = BUF_INIT;
    struct err err = {0};
    struct sample xs[6] = {{T0 - 7200000, 1}, {T0, 2},           {T0, 3},
                           {T0 + 1, 4},       {T0 + 7200000, 5}, {T0 + 2, 6}};
    remote_write_put_series(&plain, (struct labels){l, 2}, xs, 6);
    assert_true(snappy_block_encode(buf_view(&plain), &body, &err));
    struct write_result out = {0};
    assert_true(series_remote_write(f->s, buf_view(&body), STR("t"), NULL, &out, &err));
    assert_int_equal(out.accepted, 3);
    assert_int_equal(out.rejected[REJECT_TOO_OLD] + out.rejected[REJECT_TOO_NEW] +
                         out.rejected[REJECT_DUPLICATE],
                     3);
    char copy[300];
    (void)snprintf(copy, sizeof(copy), "%s-copy", f->dir);
    test_copy_tree(f->dir, copy);
    struct series_store *killed = test_open(copy, &f->clock, 0);
    double last = 0;
    assert_int_equal(count(killed, "r", INT64_MIN, INT64_MAX, &last), 3);
    assert_int_equal((int)last, 6);
    assert_int_equal(count(killed, "r", T0, T0, &last), 1);
    assert_int_equal((int)last, 2);
    series_close(killed);
    assert_true(file_remove_tree(copy, &err));
    buf_deinit(&plain);
    buf_deinit(&body);
}

/* Writers, readers and maintenance at once: every acknowledged sample is there at the end. */
struct worker {
    struct series_store *s;
    int id;
    _Atomic bool *stop;
};

static void write_worker(void *self) {
    struct worker *w = self;
    char metric[32];
    (void)snprintf(metric, sizeof(metric), "t%d", w->id);
    struct label l[2] = {{STR("__name__"), str_from(metric)}, {STR("host"), STR("x")}};
    struct sink k = series_sink(w->s);
    for (int i = 0; i < 400; i++) {
        struct batch_row row = {{l, 2}, T0 + i, i};
        struct batch b = {.kind = SOURCE_SCRAPE, .source = STR("t"), .rows = &row, .n = 1};
        struct write_result out = {0};
        if (!sink_write(&k, &b, &out, NULL) || out.accepted != 1)
            abort();
    }
}

static void read_worker(void *self) {
    struct worker *w = self;
    while (!atomic_load(w->stop)) {
        struct matcher m = {.type = MATCH_NE, .name = STR("__name__"), .value = STR("")};
        struct reader_query q = {
            .matchers = &m, .n_matchers = 1, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
        struct reader r = series_reader(w->s);
        struct reader_set *set;
        if (!r.ops->select(r.self, &q, &set, NULL))
            abort();
        for (size_t i = 0; i < set->count; i++) {
            struct series_data d;
            if (!set->ops->read(set, i, INT64_MIN, INT64_MAX, &d, NULL))
                abort();
            for (size_t j = 0; j < d.n; j++)
                if (d.ts_ms[j] != T0 + (int64_t)d.value[j])
                    abort();
        }
        set->ops->free(set);
    }
}

static void test_threads(void **state) {
    struct fixture *f = *state;
    _Atomic bool stop = false;
    struct thread t[4] = {0}, reader = {0};
    struct worker w[4], rw = {f->s, 0, &stop};
    struct err err = {0};
    assert_true(thread_start(&reader, "reader", read_worker, &rw, &err));
    for (int i = 0; i < 4; i++) {
        w[i] = (struct worker){f->s, i, &stop};
        assert_true(thread_start(&t[i], "writer", write_worker, &w[i], &err));
    }
    for (int i = 0; i < 20; i++)
        maintain(f);
    for (int i = 0; i < 4; i++)
        thread_join(&t[i]);
    atomic_store(&stop, true);
    thread_join(&reader);
    for (int i = 0; i < 4; i++) {
        char metric[32];
        (void)snprintf(metric, sizeof(metric), "t%d", i);
        assert_int_equal(count(f->s, metric, INT64_MIN, INT64_MAX, NULL), 400);
    }
}

static void test_stats(void **state) {
    struct fixture *f = *state;
    struct arena a = ARENA_INIT;
    struct series_stats st;
    struct err err = {0};
    for (int i = 0; i < 5; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "h%d", i);
        (void)put(f->s, STR("a"), i < 3 ? "many" : "few", host, T0 + i, i);
    }
    assert_true(series_get_stats(f->s, &a, &st, &err));
    assert_int_equal(st.head_series, 5);
    assert_int_equal(st.samples_total, 5);
    assert_int_equal(st.min_ts_ms, T0);
    assert_int_equal(st.max_ts_ms, T0 + 4);
    assert_int_equal(st.label_pairs, 7);
    assert_true(str_eqz(st.top_metrics[0].name, "many") && st.top_metrics[0].count == 3);
    assert_true(str_eqz(st.top_labels[0].name, "host") && st.top_labels[0].count == 5);
    assert_true(str_eqz(st.top_pairs[0].name, "__name__=many"));
    maintain(f);
    assert_true(series_get_stats(f->s, &a, &st, &err));
    assert_int_equal(st.blocks, 1);
    assert_int_equal(st.samples_total, 5);
    arena_deinit(&a);
}

/* One sample from the far future must not make later, older ones wrong (or slow: each series is
 * looked up once). */
static void test_future_then_normal(void **state) {
    struct fixture *f = *state;
    reopen(f, INT64_MAX);
    (void)put(f->s, STR("a"), "m", "future", T0 + INT64_C(86400000) * 3650, 1);
    (void)put(f->s, STR("a"), "m", "x", T0, 1);
    maintain(f);
    reopen(f, INT64_MAX);
    for (int i = 0; i < 50; i++)
        assert_int_equal(put(f->s, STR("a"), "m", "x", T0 + i * 1000, i ? i : 1).accepted, 1);
    assert_int_equal(put(f->s, STR("a"), "m", "x", T0, 2).rejected[REJECT_DUPLICATE], 1);
    assert_int_equal(put(f->s, STR("a"), "m", "x", T0 - 1, 2).accepted, 1);
    maintain(f);
    assert_int_equal(put(f->s, STR("a"), "m", "x", T0 + 5000, 2).rejected[REJECT_DUPLICATE], 1);
    assert_int_equal(count(f->s, "m", INT64_MIN, INT64_MAX, NULL), 52);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_accept_window), T(test_duplicates),        T(test_limits),
        T(test_agent),         T(test_late_agent),        T(test_clear),
        T(test_meta),          T(test_retention),         T(test_size_retention),
        T(test_names),         T(test_matchers),          T(test_snapshot),
        T(test_odd_bodies),    T(test_replay_rejections), T(test_threads),
        T(test_stats),         T(test_future_then_normal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
