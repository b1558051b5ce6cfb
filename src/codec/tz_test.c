#include "codec/tz.h"

#include "os/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define HOUR INT64_C(3600)

static struct tz *zone(const char *name) {
    struct err err = {0};
    struct tz *t = tz_open(str_from(name), &err);
    if (!t)
        fail_msg("%s: %s", name, err.message);
    return t;
}

static void test_known_times(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int64_t at, offset;
    } cases[] = {
        {"", 1700000000, 0},
        {"UTC", 1700000000, 0},
        {"Asia/Tokyo", 1700000000, 9 * HOUR},
        {"Asia/Kolkata", 1700000000, 5 * HOUR + 1800},
        {"Asia/Kathmandu", 1700000000, 5 * HOUR + 2700},
        {"Europe/Berlin", 1711846799, HOUR},         /* 2024-03-31 00:59:59Z: winter still */
        {"Europe/Berlin", 1711846800, 2 * HOUR},     /* 01:00Z: summer */
        {"Europe/Berlin", 1729990799, 2 * HOUR},     /* 2024-10-27 00:59:59Z */
        {"Europe/Berlin", 1729990800, HOUR},         /* 02:00 comes twice */
        {"America/New_York", 1710053999, -5 * HOUR}, /* 2024-03-10 06:59:59Z */
        {"America/New_York", 1710054000, -4 * HOUR},
        {"Australia/Lord_Howe", 1712415599, 11 * HOUR}, /* half an hour of summer time */
        {"Australia/Lord_Howe", 1712415600, 10 * HOUR + 1800},
        {"Pacific/Apia", 1325239199, -10 * HOUR}, /* 2011-12-30 did not happen */
        {"Pacific/Apia", 1325239200, 14 * HOUR},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tz *t = zone(cases[i].name);
        if (tz_offset_s(t, cases[i].at) != cases[i].offset)
            fail_msg("%s at %lld: %lld, expected %lld", cases[i].name, (long long)cases[i].at,
                     (long long)tz_offset_s(t, cases[i].at), (long long)cases[i].offset);
        tz_close(t);
    }
    struct tz *t = zone("Europe/Berlin");
    struct civil c = tz_civil(t, 1711846800);
    assert_true(c.year == 2024 && c.month == 3 && c.day == 31 && c.hour == 3 && c.minute == 0 &&
                c.weekday == 0);
    tz_close(t);
}

static void test_wrong_names(void **state) {
    (void)state;
    static const char *const names[] = {
        "Local",
        "Asia/Tokio",
        "GMT+3",
        "GMT+09:00",
        " UTC",
        "Asia/T\xc3\xb6kyo",
        "../etc/passwd",
        "Asia/Tokyo/Asia/Tokyo/Asia/Tokyo/Asia/Tokyo/Asia/Tokyo/Asia/Tokyo/Asia/Tokyo"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct err err = {0};
        assert_null(tz_open(str_from(names[i]), &err));
        assert_int_equal(err.code, ERR_BAD_INPUT);
    }
}

/* Independent of the machine: what TZ says does not count. */
static void test_process_zone_is_not_read(void **state) {
    (void)state;
    assert_int_equal(setenv("TZ", "America/New_York", 1), 0);
    struct tz *t = zone("Asia/Tokyo"), *u = zone("");
    assert_int_equal(tz_offset_s(t, 1720000000), 9 * HOUR);
    assert_int_equal(tz_offset_s(u, 1720000000), 0);
    tz_close(t);
    tz_close(u);
    assert_int_equal(unsetenv("TZ"), 0);
}

/* Around each change of the clock: local time is continuous but for the jump, the jump is where a
 * bisection finds it, a civil date converts back with its offset. */
static void test_around_changes(void **state) {
    (void)state;
    static const char *const names[] = {
        "Europe/Berlin",     "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe",
        "Africa/Casablanca", "Asia/Tehran",      "America/St_Johns",  "Pacific/Chatham"};
    uint64_t seed = random_u64();
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t z = 0; z < sizeof(names) / sizeof(names[0]); z++) {
        struct tz *t = zone(names[z]);
        size_t changes = 0;
        for (int64_t s = 946684800; s < 1767225600; s += 7 * 24 * HOUR) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            int64_t at = s + (int64_t)(seed >> 33) % (7 * 24 * HOUR);
            struct civil c = tz_civil(t, at);
            assert_int_equal(civil_to_s(c.year, c.month, c.day, c.hour, c.minute, c.second) -
                                 tz_offset_s(t, at),
                             at);
            int64_t lo = s, hi = s + 7 * 24 * HOUR;
            if (tz_offset_s(t, lo) == tz_offset_s(t, hi))
                continue;
            changes++;
            while (hi - lo > 1) {
                int64_t mid = lo + (hi - lo) / 2;
                *(tz_offset_s(t, mid) == tz_offset_s(t, s) ? &lo : &hi) = mid;
            }
            assert_int_equal(hi % 60, 0); /* St. John's changed at 00:01 */
            int64_t jump = tz_offset_s(t, hi) - tz_offset_s(t, lo);
            assert_true(jump != 0 && jump % 900 == 0 && llabs(jump) <= 2 * HOUR);
        }
        assert_true(changes >= 8);
        tz_close(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_times),
        cmocka_unit_test(test_wrong_names),
        cmocka_unit_test(test_process_zone_is_not_read),
        cmocka_unit_test(test_around_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
