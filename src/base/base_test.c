/* The foundation: errors, strings, buffers, arenas, cursors, maps, hashing, time. */
#include "base/base_testlib.h"

#include "base/arena.h"
#include "base/cur.h"
#include "base/dtoa.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/stats.h"
#include "base/timev.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void err_keeps_message_and_maps_codes(void **state) {
    (void)state;
    struct err e;
    assert_false(err_set_at(&e, ERR_BAD_INPUT, 3, 7, "expected %s", "a number"));
    assert_int_equal(e.line, 3);
    assert_false(err_prefix(&e, "rules.yml"));
    assert_string_equal(e.message, "rules.yml: expected a number");
    assert_int_equal(err_http_status(e.code), 400);
    assert_string_equal(err_code_name(ERR_BAD_INPUT), "bad_input");
    assert_false(err_sys(&e, ERR_INTERNAL, ENOSPC, "cannot write x"));
    assert_int_equal(e.code, ERR_UNAVAILABLE); /* a full disk is not our bug */
    char longer[2000];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    assert_false(err_set(&e, ERR_INTERNAL, "%s", longer));
    assert_int_equal(strlen(e.message), ERR_MESSAGE_BYTES_MAX - 1);
    assert_false(err_set(NULL, ERR_INTERNAL, "nobody cares"));
}

static void str_numbers_are_whole_and_checked(void **state) {
    (void)state;
    uint64_t u;
    int64_t i;
    assert_true(str_to_u64(STR("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_false(str_to_u64(STR("18446744073709551616"), &u));
    assert_false(str_to_u64(STR("1x"), &u));
    assert_false(str_to_u64(STR(""), &u));
    assert_true(str_to_i64(STR("-9223372036854775808"), &i));
    assert_true(i == INT64_MIN);
    assert_false(str_to_i64(STR("9223372036854775808"), &i));
}

static void str_floats_follow_go(void **state) {
    (void)state;
    double v;
    assert_true(str_to_f64(STR("+Inf"), &v) && isinf(v) && v > 0);
    assert_true(str_to_f64(STR("nan"), &v) && isnan(v));
    assert_false(str_to_f64(STR("-nan"), &v));
    assert_true(str_to_f64(STR("0x1p-2"), &v) && v == 0.25);
    assert_true(str_to_f64(STR(".5"), &v) && v == 0.5);
    assert_true(str_to_f64(STR("-0"), &v) && v == 0 && signbit(v));
    assert_true(str_to_f64(STR("1e400"), &v) && isinf(v));
    assert_false(str_to_f64(STR(" 1"), &v));
    assert_false(str_to_f64(STR("1 "), &v));
    assert_false(str_to_f64(STR("1e"), &v));
    assert_false(str_to_f64(STR("abc"), &v));
    assert_false(str_to_f64(STR(""), &v));
}

static uint64_t xorshift(uint64_t *s) {
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static void floats_print_shortest_and_read_back(void **state) {
    (void)state;
    uint64_t seed = 0x9e3779b97f4a7c15u;
    char text[DTOA_BYTES_MAX + 1], wide[64];
    for (int k = 0; k < 200000; k++) {
        uint64_t bits = xorshift(&seed);
        double v;
        if (k % 3 == 0)
            v = (double)(int64_t)(bits % 2000000000) / 1000.0;
        else
            memcpy(&v, &bits, sizeof(v));
        if (!isfinite(v))
            continue;
        size_t n = dtoa_g(v, text);
        text[n] = 0;
        double back;
        assert_true(str_to_f64(str_make(text, n), &back));
        if (memcmp(&back, &v, sizeof(v)) != 0)
            fail_msg("%.17g printed as %s", v, text);
        if (v == 0)
            continue;
        char digits[24];
        int exp10, count = dtoa_digits(fabs(v), digits, &exp10);
        if (count > 1) { /* one digit less must not read back */
            (void)snprintf(wide, sizeof(wide), "%.*e", count - 2, v);
            if (strtod(wide, NULL) == v)
                fail_msg("%s is shorter than %s", wide, text);
        }
    }
}

static void floats_print_as_go(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *f, *g;
    } cases[] = {
        {0, "0", "0"},
        {-0.0, "-0", "-0"},
        {1, "1", "1"},
        {1.5, "1.5", "1.5"},
        {100, "100", "100"},
        {1e21, "1000000000000000000000", "1e+21"},
        {1e20, "100000000000000000000", "100000000000000000000"},
        {0.0001, "0.0001", "0.0001"},
        {0.00001, "0.00001", "1e-05"},
        {1.7976931348623157e308, NULL, "1.7976931348623157e+308"},
        {5e-324, NULL, "5e-324"},
        {123456789.125, "123456789.125", "123456789.125"},
        {0.1, "0.1", "0.1"},
        {1.0 / 3, "0.3333333333333333", "0.3333333333333333"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf b = BUF_INIT;
        if (cases[i].f) {
            buf_f64(&b, cases[i].v);
            assert_string_equal(b.p, cases[i].f);
        }
        buf_reset(&b);
        buf_f64_g(&b, cases[i].v);
        assert_string_equal(b.p, cases[i].g);
        buf_deinit(&b);
    }
}

static void utf8_is_strict(void **state) {
    (void)state;
    assert_true(str_is_utf8(STR("火の見")));
    assert_true(str_is_utf8(STR("\xf0\x9f\x94\xa5")));
    assert_false(str_is_utf8(STR("\xc0\x80")));         /* overlong */
    assert_false(str_is_utf8(STR("\xed\xa0\x80")));     /* surrogate */
    assert_false(str_is_utf8(STR("\xf4\x90\x80\x80"))); /* past U+10FFFF */
    assert_false(str_is_utf8(STR("\xe7\x81")));         /* cut short */
}

static void str_distance_suggests(void **state) {
    (void)state;
    assert_int_equal(str_distance(STR("scrape_intervall"), STR("scrape_interval"), 9), 1);
    assert_int_equal(str_distance(STR("recieve"), STR("receive"), 9), 1); /* a swap counts once */
    assert_int_equal(str_distance(STR("abc"), STR("xyz"), 2), 2);
}

static void buf_stops_at_its_cap(void **state) {
    (void)state;
    struct buf b = BUF_INIT_MAX(10);
    buf_putz(&b, "12345");
    assert_true(buf_ok(&b));
    buf_putz(&b, "678901");
    assert_false(buf_ok(&b));
    buf_putc(&b, 'x');
    assert_int_equal(b.n, 5);
    buf_reset(&b);
    for (int i = 0; i < 20; i++)
        buf_putc(&b, 'y');
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 10);
    buf_deinit(&b);
}

static void note_free(void *arg) {
    char **at = arg;
    *(*at)++ = '.';
}

static void arena_frees_what_its_objects_own(void **state) {
    (void)state;
    char seen[8] = "", *at = seen;
    struct arena a = ARENA_INIT_MAX(4096);
    assert_true(arena_on_free(&a, note_free, &at));
    assert_true(arena_on_free(&a, note_free, &at));
    arena_reset(&a);
    assert_string_equal(seen, "..");
    assert_true(arena_on_free(&a, note_free, &at));
    assert_null(arena_alloc(&a, 1 << 20));
    assert_false(arena_on_free(&a, note_free, &at)); /* past the cap: not taken */
    arena_deinit(&a);
    assert_string_equal(seen, "...");
    arena_deinit(&a); /* once only */
    assert_string_equal(seen, "...");
}

static void arena_respects_its_cap_and_grows_in_place(void **state) {
    (void)state;
    struct arena a = ARENA_INIT_MAX(1 << 16);
    char *p = arena_alloc(&a, 16);
    memcpy(p, "0123456789abcdef", 16);
    char *q = arena_grow(&a, p, 16, 64);
    assert_ptr_equal(p, q);
    assert_non_null(arena_alloc(&a, 8));
    char *r = arena_grow(&a, q, 64, 128);
    assert_ptr_not_equal(q, r);
    assert_memory_equal(r, "0123456789abcdef", 16);
    assert_null(arena_alloc(&a, 1 << 17));
    assert_null(arena_alloc(&a, 1)); /* sticky */
    assert_null(arena_array(&a, SIZE_MAX / 2, 4));
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 100));
    arena_deinit(&a);
}

static void cursor_fails_once_and_stays(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    buf_varint(&b, 300);
    buf_varint(&b, UINT64_MAX);
    buf_zigzag(&b, -5);
    buf_le32(&b, 0xdeadbeef);
    struct cur c = cur_from(buf_view(&b));
    assert_int_equal(cur_varint(&c), 300);
    assert_true(cur_varint(&c) == UINT64_MAX);
    assert_int_equal(cur_zigzag(&c), -5);
    assert_int_equal(cur_le32(&c), 0xdeadbeef);
    assert_true(cur_ok(&c) && cur_done(&c));
    assert_int_equal(cur_le64(&c), 0);
    assert_false(cur_ok(&c));
    struct cur endless = cur_from(STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
    assert_int_equal(cur_varint(&endless), 0);
    assert_false(cur_ok(&endless));
    struct cur far = cur_from(STR("abc"));
    assert_null(cur_bytes(&far, UINT64_MAX).p);
    assert_false(cur_ok(&far));
    buf_deinit(&b);
}

static void map_agrees_with_an_array(void **state) {
    (void)state;
    struct map m = MAP_INIT;
    static uintptr_t naive[500];
    uint64_t seed = 42;
    for (int k = 0; k < 20000; k++) {
        unsigned key = (unsigned)(xorshift(&seed) % 500);
        char name[16];
        struct str s = str_make(name, (size_t)snprintf(name, sizeof(name), "key%u", key));
        if (xorshift(&seed) % 3 == 0) {
            assert_int_equal((uintptr_t)map_del(&m, s), naive[key]);
            naive[key] = 0;
        } else {
            void *old;
            uintptr_t value = (uintptr_t)(k + 1);
            assert_true(map_put(&m, s, (void *)value, &old));
            assert_int_equal((uintptr_t)old, naive[key]);
            naive[key] = value;
        }
    }
    size_t live = 0, walked = 0;
    for (size_t i = 0; i < 500; i++)
        live += naive[i] != 0;
    for (struct map_entry *e = map_next(&m, NULL); e; e = map_next(&m, e))
        walked++;
    assert_int_equal(m.n_live, live);
    assert_int_equal(walked, live);
    map_deinit(&m);
}

static void crc32c_matches_the_rfc(void **state) {
    (void)state;
    unsigned char zeros[32] = {0};
    assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aau); /* RFC 3720 B.4 */
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
}

static void durations_as_prometheus(void **state) {
    (void)state;
    int64_t ms;
    struct err e;
    assert_true(duration_parse(STR("1h30m"), &ms, &e) && ms == 5400000);
    assert_true(duration_parse(STR("1y2w3d4h5m6s7ms"), &ms, &e));
    assert_true(duration_parse(STR("0"), &ms, &e) && ms == 0);
    assert_false(duration_parse(STR("30m1h"), &ms, &e)); /* order */
    assert_false(duration_parse(STR("1.5h"), &ms, &e));
    assert_false(duration_parse(STR(""), &ms, &e));
    assert_false(duration_parse(STR("300000000y"), &ms, &e));
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0s"},         {90000, "1m30s"},  {86400000, "1d"},
                 {604800000, "1w"}, {1500, "1s500ms"}, {90000000, "1d1h"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf b = BUF_INIT;
        duration_format(&b, cases[i].ms);
        assert_string_equal(b.p, cases[i].text);
        buf_deinit(&b);
    }
}

static void times_parse_and_print(void **state) {
    (void)state;
    int64_t ms;
    struct err e;
    assert_true(time_parse_api(STR("1700000000.123"), &ms, &e) && ms == 1700000000123);
    assert_true(time_parse_api(STR("2023-11-14T22:13:20Z"), &ms, &e) && ms == 1700000000000);
    assert_true(time_parse_api(STR("2023-11-15T07:13:20.5+09:00"), &ms, &e) && ms == 1700000000500);
    assert_false(time_parse_api(STR("2023-02-30T00:00:00Z"), &ms, &e));
    assert_false(time_parse_api(STR("NaN"), &ms, &e));
    assert_false(time_parse_api(STR("1e300"), &ms, &e));
    struct buf b = BUF_INIT;
    time_format_rfc3339(&b, 1700000000123);
    assert_string_equal(b.p, "2023-11-14T22:13:20.123Z");
    buf_deinit(&b);
    for (int64_t day = -200000; day < 200000;
         day += 17) { /* civil dates round trip, before 1970 too */
        struct civil c = civil_from_s(day * 86400 + 3661);
        assert_true(civil_to_s(c.year, c.month, c.day, c.hour, c.minute, c.second) ==
                    day * 86400 + 3661);
    }
    assert_int_equal(civil_from_s(0).weekday, 4);
    assert_int_equal(civil_from_s(1709164800).yearday, 60); /* 29 February 2024 */
}

static void manual_clock_moves_by_hand(void **state) {
    (void)state;
    struct clock_manual m = {.wall_ns = 5000000};
    struct clock c = clock_manual_view(&m);
    clock_manual_advance(&m, DUR_MS(10));
    assert_int_equal(clock_wall_ms(&c), 15);
    assert_int_equal(clock_mono_ms(&c), 10);
}

static void stats_have_names(void **state) {
    (void)state;
    for (int i = 0; i < STAT_COUNT; i++) {
        const struct stat_info *info = stats_info((enum stat_id)i);
        assert_true(str_starts(str_from(info->name), STR("hinomi_")));
        bool counter = strcmp(info->kind, "counter") == 0;
        assert_int_equal(counter, str_ends(str_from(info->name), STR("_total")));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_keeps_message_and_maps_codes),
        cmocka_unit_test(str_numbers_are_whole_and_checked),
        cmocka_unit_test(str_floats_follow_go),
        cmocka_unit_test(floats_print_shortest_and_read_back),
        cmocka_unit_test(floats_print_as_go),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(str_distance_suggests),
        cmocka_unit_test(buf_stops_at_its_cap),
        cmocka_unit_test(arena_respects_its_cap_and_grows_in_place),
        cmocka_unit_test(arena_frees_what_its_objects_own),
        cmocka_unit_test(cursor_fails_once_and_stays),
        cmocka_unit_test(map_agrees_with_an_array),
        cmocka_unit_test(crc32c_matches_the_rfc),
        cmocka_unit_test(durations_as_prometheus),
        cmocka_unit_test(times_parse_and_print),
        cmocka_unit_test(manual_clock_moves_by_hand),
        cmocka_unit_test(stats_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
