#include "base/base_testlib.h"
#include "feature/ingest/scrape_cache.h"

#include <stdio.h>
#include <stdlib.h>

/* A target with its cache, and the rows of its last page as text. */
struct rig {
    struct scrape_cache *c;
    struct scrape_scratch s;
    struct scrape_rules rules;
    struct scrape_counts counts;
    struct err err;
    struct buf text;
    uint64_t next_ref;
};

static const struct label target_labels[] = {{{"instance", 8}, {"h:1", 3}}, {{"job", 3}, {"j", 1}}};

static void rig_init(struct rig *r) {
    *r = (struct rig){.s = SCRAPE_SCRATCH_INIT};
    r->c = scrape_cache_new(&r->err);
    assert_non_null(r->c);
    r->rules = (struct scrape_rules){.target = {target_labels, 2},
                                     .honor_timestamps = true,
                                     .source = STR("scrape/j/h:1"),
                                     .epoch = 1};
}

static void rig_deinit(struct rig *r) {
    scrape_cache_free(r->c, &r->rules);
    scrape_scratch_deinit(&r->s);
    buf_deinit(&r->text);
}

/* A sink: gives refs, and checks that a known one still means the same series. */
static void written(struct rig *r) {
    buf_reset(&r->text);
    for (size_t i = 0; i < r->s.n; i++) {
        if (!r->s.refs[i])
            r->s.refs[i] = labels_hash(r->s.rows[i].labels);
        assert_true(r->s.refs[i] == labels_hash(r->s.rows[i].labels));
        labels_format(&r->text, r->s.rows[i].labels);
        buf_putc(&r->text, ' ');
        if (sample_is_stale(r->s.rows[i].value))
            buf_putz(&r->text, "stale");
        else
            buf_f64(&r->text, r->s.rows[i].value);
        buf_printf(&r->text, "@%lld\n", (long long)r->s.rows[i].ts_ms);
    }
    scrape_cache_written(r->c, &r->s);
}

static bool page(struct rig *r, const char *body, int64_t ts) {
    err_reset(&r->err);
    if (!scrape_cache_page(r->c, &r->rules, str_from(body), PROMTEXT_PLAIN, ts, &r->s, &r->counts,
                           &r->err))
        return false;
    written(r);
    return true;
}

static void expect(struct rig *r, const char *body, int64_t ts, const char *want) {
    if (!page(r, body, ts))
        fail_msg("%s", r->err.message);
    assert_string_equal(r->text.p ? r->text.p : "", want);
}

static void test_steady_and_stale(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    expect(&r, "a{x=\"1\"} 1\nb 2\n", 10,
           "a{instance=\"h:1\", job=\"j\", x=\"1\"} 1@10\nb{instance=\"h:1\", job=\"j\"} 2@10\n");
    assert_int_equal(r.counts.added, 2);
    expect(&r, "a{x=\"1\"} 3\nb 4\n", 20,
           "a{instance=\"h:1\", job=\"j\", x=\"1\"} 3@20\nb{instance=\"h:1\", job=\"j\"} 4@20\n");
    assert_int_equal(r.counts.added, 0);
    assert_int_equal(scrape_cache_series(r.c), 2);
    /* one goes, one comes, in another order */
    expect(&r, "c 7\na{x=\"1\"} 5\n", 30,
           "c{instance=\"h:1\", job=\"j\"} 7@30\na{instance=\"h:1\", job=\"j\", x=\"1\"} "
           "5@30\nb{instance=\"h:1\", job=\"j\"} stale@30\n");
    assert_int_equal(r.counts.added, 1);
    /* no second marker; it comes back */
    expect(&r, "c 7\na{x=\"1\"} 5\n", 40,
           "c{instance=\"h:1\", job=\"j\"} 7@40\na{instance=\"h:1\", job=\"j\", x=\"1\"} 5@40\n");
    expect(&r, "c 7\na{x=\"1\"} 5\nb 1\n", 50,
           "c{instance=\"h:1\", job=\"j\"} 7@50\na{instance=\"h:1\", job=\"j\", x=\"1\"} "
           "5@50\nb{instance=\"h:1\", job=\"j\"} 1@50\n");
    /* a failed scrape ends all, once */
    assert_false(page(&r, "c 7\n??? no\n", 60));
    assert_true(scrape_cache_fail(r.c, 60, &r.s, &r.err));
    assert_int_equal(r.s.n, 3);
    written(&r);
    assert_true(scrape_cache_fail(r.c, 70, &r.s, &r.err));
    assert_int_equal(r.s.n, 0);
    expect(&r, "c 7\na{x=\"1\"} 5\nb 1\n", 80,
           "c{instance=\"h:1\", job=\"j\"} 7@80\na{instance=\"h:1\", job=\"j\", x=\"1\"} "
           "5@80\nb{instance=\"h:1\", job=\"j\"} 1@80\n");
    rig_deinit(&r);
}

static void test_labels(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    const char *body = "a{job=\"own\",exported_job=\"e\",instance=\"\"} 1\n";
    expect(
        &r, body, 1,
        "a{exported_exported_job=\"own\", exported_job=\"e\", instance=\"h:1\", job=\"j\"} 1@1\n");
    r.rules.honor_labels = true;
    r.rules.epoch++;
    expect(&r, body, 2,
           "a{exported_job=\"e\", instance=\"h:1\", job=\"own\"} 1@2\n"
           "a{exported_exported_job=\"own\", exported_job=\"e\", instance=\"h:1\", job=\"j\"} "
           "stale@2\n");
    expect(&r, body, 3, "a{exported_job=\"e\", instance=\"h:1\", job=\"own\"} 1@3\n");
    rig_deinit(&r);
}

static void test_timestamps(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    expect(&r, "a 1 500\nb 2\n", 1000,
           "a{instance=\"h:1\", job=\"j\"} 1@500\nb{instance=\"h:1\", job=\"j\"} 2@1000\n");
    assert_int_equal(scrape_cache_series(r.c), 1);
    expect(&r, "b 2\n", 2000, "b{instance=\"h:1\", job=\"j\"} 2@2000\n"); /* own time: no marker */
    r.rules.track_timestamps_staleness = true;
    expect(&r, "a 1 600\nb 2\n", 3000,
           "a{instance=\"h:1\", job=\"j\"} 1@600\nb{instance=\"h:1\", job=\"j\"} 2@3000\n");
    expect(&r, "b 2\n", 4000,
           "b{instance=\"h:1\", job=\"j\"} 2@4000\na{instance=\"h:1\", job=\"j\"} stale@4000\n");
    r.rules.honor_timestamps = false;
    expect(&r, "a 1 600\nb 2\n", 5000,
           "a{instance=\"h:1\", job=\"j\"} 1@5000\nb{instance=\"h:1\", job=\"j\"} 2@5000\n");
    rig_deinit(&r);
}

static void test_relabel_and_limits(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    struct str source = STR(LABEL_NAME);
    struct relabel_rule drop = {
        .source_labels = {&source, 1}, .regex = STR("b.*"), .action = RELABEL_DROP};
    struct relabel *list = relabel_new(&drop, 1, &r.err);
    assert_non_null(list);
    r.rules.metric_relabel = list;
    expect(&r, "a 1\nb1 2\nb2 3\n", 1, "a{instance=\"h:1\", job=\"j\"} 1@1\n");
    assert_int_equal(r.counts.scraped, 3);
    assert_int_equal(r.counts.kept, 1);
    r.rules.limits.samples = 1;
    assert_true(page(&r, "a 1\nb1 2\n", 2)); /* dropped ones do not count */
    assert_false(page(&r, "a 1\nc 2\n", 3));
    assert_non_null(strstr(r.err.message, "sample_limit of 1"));
    r.rules.limits = (struct sample_limits){.labels = 3};
    assert_false(page(&r, "a{x=\"1\"} 1\n", 4));
    assert_non_null(strstr(r.err.message, "label_limit of 3"));
    r.rules.limits = (struct sample_limits){.label_name_bytes = 8};
    assert_false(page(&r, "a{xxxxxxxxx=\"1\"} 1\n", 5));
    assert_non_null(strstr(r.err.message, "label_name_length_limit of 8"));
    r.rules.limits = (struct sample_limits){.label_value_bytes = 3};
    assert_false(page(&r, "a{x=\"1234\"} 1\n", 6));
    assert_non_null(strstr(r.err.message, "label_value_length_limit of 3"));
    r.rules.limits = (struct sample_limits){.samples = 0};
    r.rules.legacy_names = true;
    assert_false(page(&r, "{\"a.b\"} 1\n", 7));
    assert_non_null(strstr(r.err.message, "legacy"));
    rig_deinit(&r);
    relabel_free(list);
}

static void test_guard(void **state) {
    (void)state;
    struct rig r;
    struct clock_manual m = {.wall_ns = 5000000};
    struct clock clock = clock_manual_view(&m);
    struct guard_options opt = {
        .series_per_source_max = 3, .series_per_metric_max = 2, .clock = &clock};
    rig_init(&r);
    r.rules.guard = guard_new(&opt, &r.err);
    assert_non_null(r.rules.guard);
    const char *body = "a{id=\"1\"} 1\na{id=\"2\"} 1\na{id=\"3\"} 1\nb 1\nc 1\n";
    assert_true(page(&r, body, 1));
    assert_int_equal(r.s.n, 3); /* two of a, b; then the source is full */
    assert_int_equal(r.counts.refused, 2);
    assert_true(page(&r, body, 2)); /* by layout */
    assert_int_equal(r.s.n, 3);
    assert_int_equal(r.counts.refused, 2);
    struct arena a = ARENA_INIT;
    struct guard_hit *hits;
    size_t n;
    assert_true(guard_hits(r.rules.guard, &a, &hits, &n, &r.err));
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++) {
        assert_true(str_eqz(hits[i].source, "scrape/j/h:1"));
        if (hits[i].limit == GUARD_LIMIT_METRIC) {
            assert_true(str_eqz(hits[i].metric, "a"));
            assert_true(str_eqz(hits[i].label, "id"));
        } else {
            assert_true(str_eqz(hits[i].metric, "c"));
            assert_int_equal(hits[i].series, 3);
        }
        assert_int_equal(hits[i].last_ms, 5);
    }
    arena_deinit(&a);
    /* two go away; after the cache has forgotten them there is room */
    for (int i = 0; i < 6; i++)
        assert_true(page(&r, "b 1\n", 10 + i));
    assert_true(page(&r, "b 1\nc 1\na{id=\"3\"} 1\n", 20));
    assert_int_equal(r.counts.refused, 0);
    assert_int_equal(r.s.n, 3);
    struct guard *g = r.rules.guard;
    rig_deinit(&r);
    guard_free(g);
}

static void test_reports(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    assert_true(page(&r, "a 1\n", 5));
    struct scrape_report rep = {.up = true, .duration_s = 0.25, .counts = r.counts};
    assert_true(scrape_cache_report(r.c, &r.rules, &rep, 5, &r.s, &r.err));
    written(&r);
    assert_string_equal(r.text.p,
                        "a{instance=\"h:1\", job=\"j\"} 1@5\nup{instance=\"h:1\", job=\"j\"} 1@5\n"
                        "scrape_duration_seconds{instance=\"h:1\", job=\"j\"} 0.25@5\n"
                        "scrape_samples_scraped{instance=\"h:1\", job=\"j\"} 1@5\n"
                        "scrape_samples_post_metric_relabeling{instance=\"h:1\", job=\"j\"} 1@5\n"
                        "scrape_series_added{instance=\"h:1\", job=\"j\"} 1@5\n");
    rig_deinit(&r);
}

/* Random pages against a plain model: what is on the page gets its value, what lived and is not on
 * it ends. */
static void test_against_model(void **state) {
    (void)state;
    enum { SERIES = 40, PAGES = 600 };
    struct rig r;
    rig_init(&r);
    bool lives[SERIES] = {false};
    uint64_t seed = 0x9e3779b97f4a7c15u;
    const char *env = getenv("HINOMI_TEST_SEED");
    if (env)
        (void)str_to_u64(str_from(env), &seed);
    print_message("seed %llu\n", (unsigned long long)seed);
    bool on[SERIES] = {false};
    struct buf body = BUF_INIT;
    for (int p = 0; p < PAGES; p++) {
        struct buf want = BUF_INIT;
        buf_reset(&body);
        for (int i = 0; i < SERIES; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            if ((seed >> 33) % 50 == 0)
                on[i] = !on[i];
            int value = (int)((seed >> 40) % 1000);
            if (!on[i])
                continue;
            if (i % 7 == 0)
                buf_printf(&body, "# HELP m%d x\n", i);
            buf_printf(&body, "m%d{i=\"%d\"} %d\n", i / 10, i, value);
            buf_printf(&want, "m%d{i=\"%d\", instance=\"h:1\", job=\"j\"} %d@%d\n", i / 10, i,
                       value, p);
        }
        bool fails = (seed >> 50) % 20 == 0;
        if (fails)
            buf_putz(&body, "oops{\n");
        buf_putz(&want, "");
        if (fails) {
            assert_false(page(&r, body.p, p));
            assert_true(scrape_cache_fail(r.c, p, &r.s, &r.err));
            written(&r);
            size_t n = 0;
            for (int i = 0; i < SERIES; i++) {
                n += lives[i];
                lives[i] = false;
            }
            assert_int_equal(r.s.n, n);
        } else {
            assert_true(page(&r, body.p ? body.p : "", p));
            size_t ended = 0, n = want.p ? strlen(want.p) : 0;
            for (int i = 0; i < SERIES; i++) {
                ended += lives[i] && !on[i];
                lives[i] = on[i];
            }
            assert_true(r.text.n >= n);
            assert_memory_equal(r.text.p ? r.text.p : "", want.p ? want.p : "", n);
            size_t stale = 0;
            for (size_t i = 0; i < r.s.n; i++)
                stale += sample_is_stale(r.s.rows[i].value);
            assert_int_equal(stale, ended);
        }
        buf_deinit(&want);
    }
    buf_deinit(&body);
    rig_deinit(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steady_and_stale),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_timestamps),
        cmocka_unit_test(test_relabel_and_limits),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
