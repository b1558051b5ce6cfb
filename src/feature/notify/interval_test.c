#include "feature/notify/interval.h"

#include "os/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LIST(...)                                                                                  \
    { (struct str[]){__VA_ARGS__}, sizeof((struct str[]){__VA_ARGS__}) / sizeof(struct str) }
#define MINUTE INT64_C(60)
#define DAY INT64_C(86400)

static struct arena arena;

static struct interval made(const struct notify_time_spec_conf *spec) {
    struct notify_time_spec_conf copy = *spec;
    struct notify_time_interval_conf c = {.name = STR("t"), .specs = {&copy, 1}};
    struct interval t;
    struct err err = {0};
    if (!interval_compile(&c, &arena, &t, &err))
        fail_msg("%s", err.message);
    return t;
}

static size_t minutes(const struct interval *t, int64_t from, int64_t to) {
    size_t n = 0;
    for (int64_t s = from; s < to; s += MINUTE)
        n += interval_holds(t, s);
    return n;
}

/* The hour that summer time skips never comes; the one that autumn repeats counts twice. */
static void test_changes_of_the_clock(void **state) {
    (void)state;
    struct notify_time_range_conf hour = {STR("02:00"), STR("03:00")};
    struct notify_time_spec_conf spec = {.times = {&hour, 1}, .location = STR("Europe/Berlin")};
    struct interval t = made(&spec);
    int64_t spring = civil_to_s(2024, 3, 30, 23, 0, 0), autumn = civil_to_s(2024, 10, 26, 22, 0, 0),
            usual = civil_to_s(2024, 6, 1, 22, 0, 0);
    assert_int_equal(minutes(&t, spring, spring + DAY - 3600), 0);
    assert_int_equal(minutes(&t, autumn, autumn + DAY + 3600), 120);
    assert_int_equal(minutes(&t, usual, usual + DAY), 60);
    interval_free(&t);
}

static void test_days(void **state) {
    (void)state;
    static const struct {
        int64_t year;
        int month, day;
        bool want;
    } cases[] = {{2024, 2, 28, true}, {2024, 2, 29, true},  {2024, 2, 27, false},
                 {2023, 2, 28, true}, {2023, 2, 27, true},  {2023, 2, 26, false},
                 {2024, 4, 1, true},  {2024, 4, 2, false},  {2024, 5, 31, true},
                 {2024, 6, 30, true}, {2025, 6, 30, false}, {2024, 7, 31, false}};
    struct notify_time_spec_conf spec = {.days_of_month = LIST(STR("-2:-1"), STR("1"), STR("31")),
                                         .months = LIST(STR("February:june")),
                                         .years = LIST(STR("2023:2024"))};
    struct interval t = made(&spec);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (interval_holds(&t, civil_to_s(cases[i].year, cases[i].month, cases[i].day, 12, 0, 0)) !=
            cases[i].want)
            fail_msg("%lld-%d-%d", (long long)cases[i].year, cases[i].month, cases[i].day);
    interval_free(&t);
    struct notify_time_spec_conf week = {.weekdays = LIST(STR("Saturday"), STR("sunday:1"))};
    t = made(&week);
    int64_t sunday = civil_to_s(2024, 3, 3, 0, 0, 0);
    assert_int_equal(minutes(&t, sunday, sunday + 7 * DAY), 3 * 1440);
    assert_false(interval_holds(&t, sunday + 2 * DAY));
    assert_true(interval_holds(&t, sunday - MINUTE)); /* Saturday, 23:59 */
    interval_free(&t);
}

static void test_wrong(void **state) {
    (void)state;
    struct notify_time_range_conf turned = {STR("22:00"), STR("06:00")},
                                  late = {STR("10:00"), STR("24:01")};
    const struct notify_time_spec_conf bad[] = {
        {.times = {&turned, 1}},
        {.times = {&late, 1}},
        {.weekdays = LIST(STR("monday:sunday"))}, /* Sunday is 0, as Alertmanager has it */
        {.weekdays = LIST(STR("7"))},
        {.days_of_month = LIST(STR("0"))},
        {.days_of_month = LIST(STR("32"))},
        {.days_of_month = LIST(STR("-1:5"))},
        {.months = LIST(STR("13"))},
        {.months = LIST(STR("june:march"))},
        {.months = LIST(STR(""))},
        {.years = LIST(STR("2024:2023"))},
        {.location = STR("Mars/Olympus")},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};
        if (interval_check_spec(&bad[i], &arena, &err))
            fail_msg("case %zu was accepted", i);
        assert_int_equal(err.code, ERR_BAD_INPUT);
    }
}

/* until_ms is the first minute that is not quiet, whatever the clock does between. */
static void test_until(void **state) {
    (void)state;
    static const char *const zones[] = {"", "Europe/Berlin", "America/New_York", "Asia/Kolkata",
                                        "Australia/Lord_Howe"};
    uint64_t seed = random_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    struct notify_time_range_conf night[2] = {{STR("00:00"), STR("06:30")},
                                              {STR("21:15"), STR("24:00")}};
    for (size_t z = 0; z < sizeof(zones) / sizeof(zones[0]); z++) {
        struct notify_time_spec_conf spec = {.times = {night, 2}, .location = str_from(zones[z])};
        struct interval t = made(&spec);
        const struct interval *one[1] = {&t};
        struct interval_set mute = {.mute = one, .n_mute = 1},
                            active = {.active = one, .n_active = 1};
        for (int i = 0; i < 60; i++) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            /* the days around the changes of spring and autumn 2024 in most zones */
            int64_t base =
                i % 2 ? civil_to_s(2024, 3, 29, 0, 0, 0) : civil_to_s(2024, 10, 25, 0, 0, 0);
            int64_t at = base + (int64_t)((seed >> 33) % (4 * 86400));
            struct interval_quiet q;
            bool holds = interval_holds(&t, at);
            assert_int_equal(interval_quiet(&mute, at * 1000, &q), holds);
            const struct interval_set *quiet = holds ? &mute : &active;
            assert_true(interval_quiet(quiet, at * 1000 + 999, &q) && q.until_is_known);
            assert_int_equal(q.inactive, !holds);
            int64_t s = at / MINUTE * MINUTE;
            while (interval_holds(&t, s) == holds)
                s += MINUTE;
            assert_int_equal(q.until_ms, s * 1000);
        }
        interval_free(&t);
    }
    struct interval_quiet q;
    struct interval_set none = {0};
    assert_false(interval_quiet(&none, 0, &q));
}

static int teardown(void **state) {
    (void)state;
    arena_deinit(&arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_of_the_clock),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_until),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
