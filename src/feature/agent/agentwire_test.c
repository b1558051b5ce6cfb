#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feature/agent/agentwire.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS 700

/* Rows as a collector makes them: many series, one timestamp, values of every kind. */
static void make_rows(struct arena *a, struct batch_row *rows, size_t n, unsigned seed) {
    for (size_t i = 0; i < n; i++) {
        struct label *l = ARENA_ARRAY(a, struct label, 4);
        assert_non_null(l);
        l[0] = (struct label){STR(LABEL_NAME), arena_printf(a, "node_metric_%zu_total", i % 50)};
        l[1] = (struct label){STR("device"), arena_printf(a, "dev\"\xe7\x81\xab%zu", i / 50)};
        l[2] = (struct label){STR("instance"), STR("web1")};
        l[3] = (struct label){STR("job"), STR("node")};
        double v = i % 7 == 0   ? sample_stale()
                   : i % 7 == 1 ? (double)INFINITY
                   : i % 7 == 2 ? -0.0
                                : (double)(seed * i) / 3.0;
        rows[i] = (struct batch_row){{l, 4}, INT64_C(1700000000000) + (int64_t)(i % 3), v};
    }
}

static void round_trip(void **state) {
    (void)state;
    struct arena a = ARENA_INIT, b = ARENA_INIT;
    static struct batch_row rows[ROWS];
    make_rows(&a, rows, ROWS, 17);
    struct metric_meta meta[] = {
        {STR("node_metric_0_total"), STR("Help, 火"), STR("bytes"), METRIC_COUNTER}};
    struct agentwire_record r = {SOURCE_COLLECT, STR("collect"), rows, ROWS, meta, 1}, back;
    struct buf out = BUF_INIT;
    struct err err = {0};
    assert_true(agentwire_encode(&r, &out, &err));
    assert_true(out.n < 20000); /* 700 rows: symbols once, columns small */
    assert_true(agentwire_decode(buf_view(&out), &b, &back, &err));
    assert_int_equal(back.kind, SOURCE_COLLECT);
    assert_true(str_eq(back.source, STR("collect")));
    assert_int_equal(back.n_rows, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        assert_true(labels_eq(back.rows[i].labels, rows[i].labels));
        assert_int_equal(back.rows[i].ts_ms, rows[i].ts_ms);
        assert_true(sample_bits(back.rows[i].value) == sample_bits(rows[i].value));
    }
    assert_int_equal(back.n_meta, 1);
    assert_true(str_eq(back.meta[0].help, meta[0].help));
    assert_int_equal(back.meta[0].type, METRIC_COUNTER);
    buf_deinit(&out);
    arena_deinit(&a);
    arena_deinit(&b);
}

static void extreme_times(void **state) {
    (void)state;
    struct label l[] = {{STR(LABEL_NAME), STR("x")}};
    struct batch_row rows[] = {
        {{l, 1}, INT64_MAX, 1}, {{l, 1}, INT64_MIN, 2}, {{l, 1}, 0, 3}, {{l, 1}, INT64_MAX, 4}};
    struct agentwire_record r = {SOURCE_SCRAPE, STR("scrape/a/b"), rows, 4, NULL, 0}, back;
    struct buf out = BUF_INIT;
    struct arena a = ARENA_INIT;
    struct err err = {0};
    assert_true(agentwire_encode(&r, &out, &err));
    assert_true(agentwire_decode(buf_view(&out), &a, &back, &err));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(back.rows[i].ts_ms, rows[i].ts_ms);
    buf_deinit(&out);
    arena_deinit(&a);
}

/* Any damage is an error, never a crash and never something else than what was sent. */
static void damage(void **state) {
    (void)state;
    struct arena a = ARENA_INIT;
    struct batch_row rows[20];
    make_rows(&a, rows, 20, 3);
    struct agentwire_record r = {SOURCE_COLLECT, STR("collect"), rows, 20, NULL, 0};
    struct buf record = BUF_INIT, message = BUF_INIT;
    struct err err = {0};
    assert_true(agentwire_encode(&r, &record, &err));
    agentwire_message_begin(&message);
    agentwire_message_add(&message, &(struct agentwire_part){1, 100, buf_view(&record)});
    agentwire_message_add(&message, &(struct agentwire_part){1, 200, buf_view(&record)});
    for (size_t i = 0; i < message.n; i++) {
        struct buf copy = BUF_INIT;
        buf_put(&copy, message.p, message.n);
        copy.p[i] = (char)(copy.p[i] ^ 0x41);
        struct cur c;
        struct agentwire_part part;
        struct err e = {0};
        size_t whole = 0;
        if (agentwire_message_open(buf_view(&copy), &c, &e))
            while (agentwire_message_next(&c, &part, &e))
                whole += str_eq(part.record, buf_view(&record)) ? 1 : 0;
        assert_true(e.code != ERR_OK || whole == 2 ||
                    i > 3); /* positions are not covered by the checksum */
        buf_deinit(&copy);
    }
    for (size_t n = 0; n < record.n; n++) {
        struct arena b = ARENA_INIT;
        struct agentwire_record back;
        struct err e = {0};
        assert_false(agentwire_decode(str_make(record.p, n), &b, &back, &e));
        assert_int_not_equal(e.code, ERR_OK);
        arena_deinit(&b);
    }
    buf_deinit(&record);
    buf_deinit(&message);
    arena_deinit(&a);
}

static void newer_versions_are_named(void **state) {
    (void)state;
    struct arena a = ARENA_INIT;
    struct agentwire_record r;
    struct err err = {0};
    struct cur c;
    assert_false(agentwire_decode(STR("\x07whatever"), &a, &r, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_false(agentwire_message_open(STR("HNA\x07"), &c, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_false(agentwire_message_open(STR("GET / HTTP/1.1"), &c, &err));
    assert_int_equal(err.code, ERR_BAD_INPUT);
    arena_deinit(&a);
}

/* Whatever the fuzzer kept replays here. */
static void corpus(void **state) {
    (void)state;
    struct arena names = ARENA_INIT;
    char **list;
    size_t n;
    struct err err = {0};
    const char *dir = TESTDATA_DIR "/agentwire";
    assert_true(file_list(dir, &names, &list, &n, &err));
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        char path[1024];
        struct buf b = BUF_INIT;
        struct arena a = ARENA_INIT_MAX((size_t)64 << 20);
        struct agentwire_record r;
        snprintf(path, sizeof(path), "%s/%s", dir, list[i]);
        assert_true(file_read(path, 1 << 20, &b, &err));
        struct err e = {0};
        bool ok = agentwire_decode(buf_view(&b), &a, &r, &e);
        assert_true(ok == str_starts(str_from(list[i]), STR("good")));
        arena_deinit(&a);
        buf_deinit(&b);
    }
    arena_deinit(&names);
}

int main(int argc, char **argv) {
    if (argc == 3 &&
        strcmp(argv[1], "--write-corpus") == 0) { /* makes testdata/agentwire/good-* anew */
        struct arena a = ARENA_INIT;
        struct batch_row rows[20];
        struct buf out = BUF_INIT;
        make_rows(&a, rows, 20, 3);
        struct metric_meta meta[] = {{STR("m"), STR("help"), STR(""), METRIC_GAUGE}};
        struct agentwire_record r = {SOURCE_COLLECT, STR("collect"), rows, 20, meta, 1};
        if (!agentwire_encode(&r, &out, NULL) ||
            !file_write_atomic(argv[2], buf_view(&out), 0644, NULL))
            return 1;
        buf_deinit(&out);
        arena_deinit(&a);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip), cmocka_unit_test(extreme_times), cmocka_unit_test(damage),
        cmocka_unit_test(newer_versions_are_named), cmocka_unit_test(corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
