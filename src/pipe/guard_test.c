#include "base/base_testlib.h"
#include "pipe/guard.h"
#include "pipe/sample_limits.h"

#include <stdio.h>

static struct labels series(struct label *l, char *value, const char *metric, const char *label,
                            int i) {
    (void)snprintf(value, 16, "%d", i);
    l[0] = (struct label){STR(LABEL_NAME), str_from(metric)};
    l[1] = (struct label){str_from(label), str_from(value)};
    return (struct labels){l, 2};
}

static void test_limits_by_name(void **state) {
    (void)state;
    struct clock_manual m = {.wall_ns = 7000000};
    struct clock clock = clock_manual_view(&m);
    struct guard_options opt = {
        .series_per_source_max = 100, .series_per_metric_max = 40, .clock = &clock};
    struct err err;
    struct guard *g = guard_new(&opt, &err);
    struct label l[2];
    char v[16];
    assert_non_null(g);
    for (int i = 0; i < 40; i++)
        assert_true(guard_admit(g, STR("s1"), series(l, v, "m", "user", i), &err));
    assert_false(guard_admit(g, STR("s1"), series(l, v, "m", "user", 40), &err));
    assert_int_equal(err.code, ERR_LIMITED);
    assert_non_null(strstr(err.message, "s1"));
    assert_non_null(strstr(err.message, "40 series of metric m"));
    assert_non_null(strstr(err.message, "user"));
    /* another source, another metric: untouched */
    assert_true(guard_admit(g, STR("s2"), series(l, v, "m", "user", 40), &err));
    assert_true(guard_admit(g, STR("s1"), series(l, v, "n", "x", 1), &err));
    /* one given back makes room for one */
    uint64_t before = guard_epoch(g, STR("s1"));
    guard_release(g, STR("s1"), series(l, v, "m", "user", 0));
    assert_true(guard_epoch(g, STR("s1")) != before);
    assert_true(guard_admit(g, STR("s1"), series(l, v, "m", "user", 41), &err));
    assert_false(guard_admit(g, STR("s1"), series(l, v, "m", "user", 42), &err));
    /* a flood of metric names stops at the source's limit and is one hit */
    char name[32];
    size_t admitted = 0;
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(name, sizeof(name), "flood%d", i);
        admitted += guard_admit(g, STR("s1"), series(l, v, name, "x", 1), NULL);
    }
    assert_int_equal(admitted, 59);
    struct arena a = ARENA_INIT;
    struct guard_hit *hits;
    size_t n;
    assert_true(guard_hits(g, &a, &hits, &n, &err));
    assert_int_equal(n, 2);
    assert_int_equal(hits[0].limit, GUARD_LIMIT_SOURCE);
    assert_int_equal(hits[0].refused_series, 10000 - 59);
    assert_int_equal(hits[1].limit, GUARD_LIMIT_METRIC);
    assert_true(str_eqz(hits[1].label, "user"));
    arena_deinit(&a);
    guard_release(g, STR("never"), series(l, v, "m", "user", 0));
    guard_free(g);
}

static void test_sample_limits(void **state) {
    (void)state;
    struct label l[] = {{STR("abc"), STR("12345")}};
    struct err err;
    struct sample_limits none = {.samples = 0}, some = {.samples = 5,
                                                        .labels = 1,
                                                        .label_name_bytes = 3,
                                                        .label_value_bytes = 4};
    assert_true(sample_limits_check(&none, (struct labels){l, 1}, &err));
    assert_false(sample_limits_check(&some, (struct labels){l, 1}, &err));
    assert_non_null(
        strstr(err.message, "label_value_length_limit of 4 is exceeded: 5 at label abc"));
    some.label_value_bytes = 5;
    assert_true(sample_limits_check(&some, (struct labels){l, 1}, &err));
    assert_true(sample_limits_check_count(&some, 5, &err));
    assert_false(sample_limits_check_count(&some, 6, &err));
    assert_true(sample_limits_check_count(&none, 6, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_limits_by_name),
                                       cmocka_unit_test(test_sample_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
