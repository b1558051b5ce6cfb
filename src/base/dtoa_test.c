#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/dtoa.h"
#include "base/dtoa_pow10.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(size_t (*f)(double, char *), double v, const char *want) {
    char got[DTOA_BYTES_MAX + 1];
    got[f(v, got)] = 0;
    assert_string_equal(got, want);
}

static void test_forms(void **state) {
    (void)state;
    expect(dtoa_f, 0, "0");
    expect(dtoa_f, -0.0, "-0");
    expect(dtoa_f, 1, "1");
    expect(dtoa_f, -1.5, "-1.5");
    expect(dtoa_f, 100, "100");
    expect(dtoa_f, 0.1, "0.1");
    expect(dtoa_f, 1e-7, "0.0000001");
    expect(dtoa_f, 123456789012345678.0, "123456789012345680");
    expect(dtoa_f, 9007199254740993.0, "9007199254740992");
    expect(dtoa_f, 1e22, "10000000000000000000000");
    expect(dtoa_f, NAN, "NaN");
    expect(dtoa_f, INFINITY, "+Inf");
    expect(dtoa_f, -INFINITY, "-Inf");
    expect(dtoa_g, 1e21, "1e+21");
    expect(dtoa_g, 1e20, "100000000000000000000");
    expect(dtoa_g, 0.0001, "0.0001");
    expect(dtoa_g, 0.00001, "1e-05");
    expect(dtoa_g, 1.5e300, "1.5e+300");
    expect(dtoa_g, 5e-324, "5e-324");
    expect(dtoa_g, 1.7976931348623157e308, "1.7976931348623157e+308");
    expect(dtoa_g, 2.2250738585072014e-308, "2.2250738585072014e-308");
    expect(dtoa_e, 0, "0e+00");
    expect(dtoa_e, 1, "1e+00");
    expect(dtoa_e, -0.25, "-2.5e-01");
    expect(dtoa_json, 0.000001, "0.000001");
    expect(dtoa_json, 0.0000001, "1e-07");
    expect(dtoa_json, 1e21, "1e+21");
    expect(dtoa_json, 999999999999999900000.0, "999999999999999900000");
    /* where 2^n lies closer to its lower neighbour than to its upper one */
    expect(dtoa_g, 9007199254740992.0 * 2, "18014398509481984");
    expect(dtoa_g, 4.35, "4.35");
    expect(dtoa_g, 2e23, "2e+23");
    expect(dtoa_g, 9.5367431640625e-07, "9.5367431640625e-07");
}

static uint64_t state64 = UINT64_C(0x9e3779b97f4a7c15);
static uint64_t next_random(void) {
    state64 ^= state64 << 13;
    state64 ^= state64 >> 7;
    state64 ^= state64 << 17;
    return state64;
}

/* What the C library says: the fewest digits that read back, found by trying, each length the
 * nearest. */
static int fewest_digits(double v, char *out) {
    for (int precision = 0; precision < 17; precision++) {
        (void)snprintf(out, 40, "%.*e", precision, v);
        if (strtod(out, NULL) == v)
            return precision + 1;
    }
    return 17;
}

static void check(double v) {
    char got[DTOA_BYTES_MAX + 1], want[40], digits[24];
    got[dtoa_e(v, got)] = 0;
    if (strtod(got, NULL) != v)
        fail_msg("%a -> %s does not read back", v, got);
    int exp10, n = dtoa_digits(v, digits, &exp10), least = fewest_digits(v, want);
    if (n > least)
        fail_msg("%a -> %s has %d digits, %s has %d", v, got, n, want, least);
    if (n == least && strtod(want, NULL) == v) {
        /* of equal length: not farther from v than the C library's choice */
        long double a = fabsl(strtold(got, NULL) - (long double)v),
                    b = fabsl(strtold(want, NULL) - (long double)v);
        if (a > b && fabsl(a - b) > 1e-3L * b)
            fail_msg("%a -> %s, but %s is nearer", v, got, want);
    }
}

static void test_shortest(void **state) {
    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = next_random() & ~(UINT64_C(1) << 63);
        double v;
        switch (i % 5) {
        case 0: /* powers of two: the uneven interval */
            bits &= UINT64_C(0x7ff) << 52;
            break;
        case 1: /* subnormal */
            bits &= (UINT64_C(1) << 52) - 1;
            break;
        default:
            break;
        }
        if (i % 5 == 2) {
            v = (double)(next_random() % 100000000) / 1000.0;
        } else if (i % 5 == 3) {
            v = (double)(next_random() >> 11) * 1e-9;
        } else {
            memcpy(&v, &bits, sizeof(v));
        }
        if (v > 0 && isfinite(v))
            check(v);
    }
}

/* 10^k exactly, as 32-bit limbs, least first. */
enum { LIMBS = 80 };
static void table_entry(int k, uint64_t out[2]) {
    static uint32_t big[LIMBS * 2];
    memset(big, 0, sizeof(big));
    int top = 0, n = k < 0 ? -k : k;
    big[0] = 1;
    for (int i = 0; i < n; i++) {
        uint64_t carry = 0;
        for (int j = 0; j <= top; j++) {
            carry += (uint64_t)big[j] * 10;
            big[j] = (uint32_t)carry;
            carry >>= 32;
        }
        if (carry)
            big[++top] = (uint32_t)carry;
    }
    int length = top * 32 + 32 - __builtin_clz(big[top]); /* bits of 10^|k| */
    __extension__ unsigned __int128 g = 0;
    bool rest = false;
    if (k >= 0) {
        for (int bit = length - 1; bit >= 0; bit--) {
            bool set = big[bit / 32] >> (bit % 32) & 1;
            if (length - 1 - bit < 128)
                g = g << 1 | set;
            else
                rest |= set;
        }
        if (length < 128)
            g <<= 128 - length;
    } else {
        /* 2^(length - 1 + 128) / 10^|k|, by long division, is 128 bits long */
        static uint32_t r[LIMBS * 2];
        memset(r, 0, sizeof(r));
        int bits = length - 1 + 128;
        for (int bit = bits; bit >= 0; bit--) {
            uint32_t in = bit == bits;
            for (int j = 0; j <= top + 1; j++) {
                uint32_t high = r[j] >> 31;
                r[j] = r[j] << 1 | in;
                in = high;
            }
            int cmp = 0;
            for (int j = top + 1; j >= 0 && !cmp; j--)
                cmp = r[j] > big[j] ? 1 : r[j] < big[j] ? -1 : 0;
            if (cmp >= 0) {
                uint64_t borrow = 0;
                for (int j = 0; j <= top + 1; j++) {
                    uint64_t d = (uint64_t)r[j] - big[j] - borrow;
                    r[j] = (uint32_t)d;
                    borrow = d >> 63;
                }
            }
            g = g << 1 | (cmp >= 0);
        }
        for (int j = 0; j <= top + 1; j++)
            rest |= r[j] != 0;
    }
    g += rest;
    out[0] = (uint64_t)(g >> 64);
    out[1] = (uint64_t)g;
}

static void test_table(void **state) {
    (void)state;
    for (int k = POW10_MIN; k <= POW10_MAX; k++) {
        uint64_t want[2];
        table_entry(k, want);
        if (memcmp(want, pow10_128[k - POW10_MIN], sizeof(want)) != 0)
            fail_msg("10^%d: %016llx %016llx", k, (unsigned long long)want[0],
                     (unsigned long long)want[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_shortest),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
