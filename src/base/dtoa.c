#include "base/dtoa.h"

#include "base/dtoa_pow10.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* "00".."99": two digits a division. */
static const char pairs[201] = "0001020304050607080910111213141516171819202122232425262728293031323"
                               "334353637383940414243444546474849"
                               "5051525354555657585960616263646566676869707172737475767778798081828"
                               "384858687888990919293949596979899";

static int digits_of_u64(uint64_t m, char *out) {
    char tmp[20];
    int i = 20;
    while (m >= 100) {
        unsigned two = (unsigned)(m % 100) * 2;
        m /= 100;
        i -= 2;
        memcpy(tmp + i, pairs + two, 2);
    }
    if (m >= 10) {
        i -= 2;
        memcpy(tmp + i, pairs + m * 2, 2);
    } else {
        tmp[--i] = (char)('0' + m);
    }
    memcpy(out, tmp + i, (size_t)(20 - i));
    return 20 - i;
}

/* floor(log2(10^e)), floor(log10(2^e)), floor(log10(3/4 * 2^e)) by fixed-point multiplication,
 * exact in the range of doubles. */
static int floor_log2_pow10(int e) {
    return (e * 1741647) >> 19;
}
static int floor_log10_pow2(int e) {
    return (e * 1262611) >> 22;
}
static int floor_log10_3_4_pow2(int e) {
    return (e * 1262611 - 524031) >> 22;
}

/* floor(g * cp / 2^128), with its lowest bit set when the remainder is not zero ("round to odd").
 */
static uint64_t mul_round_odd(const uint64_t g[2], uint64_t cp) {
    __extension__ typedef unsigned __int128 u128;
    u128 low = (u128)g[1] * cp, high = (u128)g[0] * cp + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* Shortest digits d and exponent k with v = d * 10^k: R. Giulietti, "The Schubfach way to render
 * doubles" (2020). The interval of numbers that round to v is scaled to 4 * 10^-k, where either one
 * multiple of 40 (one digit less) or one of 4 lies inside, else the nearer of two multiples of 4 is
 * taken. */
static uint64_t shortest(uint64_t bits, int *out_k) {
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52);
    uint64_t c = biased ? fraction | UINT64_C(1) << 52 : fraction;
    int q = (biased ? biased : 1) - 1075;
    bool even = (c & 1) == 0, lower_is_closer = fraction == 0 && biased > 1;

    int k = lower_is_closer ? floor_log10_3_4_pow2(q) : floor_log10_pow2(q);
    int h = q + floor_log2_pow10(-k) + 1;
    const uint64_t *g = pow10_128[-k - POW10_MIN];
    uint64_t vbl = mul_round_odd(g, (4 * c - 2 + (lower_is_closer ? 1 : 0)) << h);
    uint64_t vb = mul_round_odd(g, (4 * c) << h);
    uint64_t vbr = mul_round_odd(g, (4 * c + 2) << h);
    uint64_t lower = vbl + (even ? 0 : 1), upper = vbr - (even ? 0 : 1), s = vb / 4;

    *out_k = k;
    if (s >= 10) {
        uint64_t sp = s / 10;
        bool down = lower <= 40 * sp, up = 40 * sp + 40 <= upper;
        if (down != up) {
            *out_k = k + 1;
            return sp + (up ? 1 : 0);
        }
    }
    bool down = lower <= 4 * s, up = 4 * s + 4 <= upper;
    if (down != up)
        return s + (up ? 1 : 0);
    uint64_t middle = 4 * s + 2;
    return s + (vb > middle || (vb == middle && (s & 1)) ? 1 : 0);
}

int dtoa_digits(double v, char *out, int *out_exp10) {
    uint64_t d;
    int k = 0;
    if (v < 9007199254740992.0 && v == (double)(uint64_t)v) {
        d = (uint64_t)v; /* an integer below 2^53: its digits are exact, and none but zeros at the
                            end can go */
    } else {
        uint64_t bits;
        memcpy(&bits, &v, sizeof(bits));
        d = shortest(bits, &k);
    }
    int n = digits_of_u64(d, out);
    *out_exp10 = n + k;
    while (n > 1 && out[n - 1] == '0')
        n--;
    return n;
}

static size_t special(double v, char *out) {
    const char *s = NULL;
    if (isnan(v))
        s = "NaN";
    else if (isinf(v))
        s = v > 0 ? "+Inf" : "-Inf";
    else if (v == 0)
        s = signbit(v) ? "-0" : "0";
    if (!s)
        return 0;
    size_t n = strlen(s);
    memcpy(out, s, n);
    return n;
}

static size_t plain(const char *d, int n, int exp10, char *out) {
    char *o = out;
    if (exp10 <= 0) {
        *o++ = '0';
        *o++ = '.';
        for (int i = exp10; i < 0; i++)
            *o++ = '0';
        memcpy(o, d, (size_t)n);
        return (size_t)(o + n - out);
    }
    for (int i = 0; i < exp10 || i < n; i++) {
        if (i == exp10)
            *o++ = '.';
        *o++ = i < n ? d[i] : '0';
    }
    return (size_t)(o - out);
}

size_t dtoa_f(double v, char *out) {
    size_t n = special(v, out);
    if (n)
        return n;
    char d[24];
    int exp10;
    char *o = out;
    if (v < 0)
        *o++ = '-';
    int k = dtoa_digits(fabs(v), d, &exp10);
    return (size_t)(o - out) + plain(d, k, exp10, o);
}

/* d.ddde+xx: Go's 'e' form, two digits of exponent at least. */
static size_t with_exponent(const char *d, int n, int x, char *out) {
    char *o = out;
    *o++ = d[0];
    if (n > 1) {
        *o++ = '.';
        memcpy(o, d + 1, (size_t)n - 1);
        o += n - 1;
    }
    *o++ = 'e';
    *o++ = x < 0 ? '-' : '+';
    x = abs(x);
    if (x >= 100) {
        *o++ = (char)('0' + x / 100);
        x %= 100;
    }
    memcpy(o, pairs + x * 2, 2);
    return (size_t)(o + 2 - out);
}

/* plain_from..plain_below: the decimal exponents that are written without an exponent. */
static size_t choose(double v, int plain_from, int plain_below, char *out) {
    size_t n = special(v, out);
    if (n)
        return n;
    char d[24];
    int exp10;
    char *o = out;
    if (v < 0)
        *o++ = '-';
    int k = dtoa_digits(fabs(v), d, &exp10), x = exp10 - 1;
    n = x >= plain_from && x < plain_below ? plain(d, k, exp10, o) : with_exponent(d, k, x, o);
    return (size_t)(o - out) + n;
}

size_t dtoa_g(double v, char *out) {
    return choose(v, -4, 21, out);
}
size_t dtoa_e(double v, char *out) {
    if (v != 0)
        return choose(v, 0, 0, out);
    bool neg = signbit(v);
    memcpy(out, neg ? "-0e+00" : "0e+00", neg ? 6 : 5);
    return neg ? 6 : 5;
}
size_t dtoa_json(double v, char *out) {
    return choose(v, -6, 21, out);
}
