#include "base/dtoa.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int digits_of_u64(uint64_t m, char *out)
{
    char tmp[20];
    int n = 0;
    while (m) {
        tmp[n++] = (char)('0' + m % 10);
        m /= 10;
    }
    for (int i = 0; i < n; i++)
        out[i] = tmp[n - 1 - i];
    return n;
}

/* Most values that people measure are integers or have few decimals: scale by 10^k, and if the product
 * is an integer below 2^53 whose quotient is the same double, its digits are the shortest. */
static int few_decimals(double v, char *out, int *out_exp10)
{
    static const double ten[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    if (v >= 1e15 || v < 1e-5)
        return 0;
    for (int k = 0; k < 10; k++) {
        double s = v * ten[k];
        if (s >= 1e15)
            return 0;
        double r = nearbyint(s);
        if (r / ten[k] == v && r >= 1) { /* k minimal and r < 1e15: no shorter form exists */
            int n = digits_of_u64((uint64_t)r, out);
            *out_exp10 = n - k;
            while (n > 1 && out[n - 1] == '0')
                n--;
            return n;
        }
    }
    return 0;
}

int dtoa_digits(double v, char *out, int *out_exp10)
{
    int n = few_decimals(v, out, out_exp10);
    if (n)
        return n;
    char tmp[40];
    /* A normal double needs at least 15 digits to be told apart; a subnormal has fewer bits to tell. */
    for (int precision = v < 2.2250738585072014e-308 ? 0 : 14; precision <= 16; precision++) {
        (void)snprintf(tmp, sizeof(tmp), "%.*e", precision, v);
        if (precision == 16 || strtod(tmp, NULL) == v)
            break;
    }
    /* d.ddddde[+-]xx */
    n = 0;
    char *e = strchr(tmp, 'e');
    for (char *p = tmp; p < e; p++)
        if (*p != '.')
            out[n++] = *p;
    int exp = 0;
    bool neg = e[1] == '-';
    for (char *p = e + 2; *p; p++)
        exp = exp * 10 + (*p - '0');
    *out_exp10 = (neg ? -exp : exp) + 1;
    while (n > 1 && out[n - 1] == '0')
        n--;
    return n;
}

static size_t special(double v, char *out)
{
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

static size_t plain(const char *d, int n, int exp10, char *out)
{
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

size_t dtoa_f(double v, char *out)
{
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

size_t dtoa_g(double v, char *out)
{
    size_t n = special(v, out);
    if (n)
        return n;
    char d[24];
    int exp10;
    char *o = out;
    if (v < 0)
        *o++ = '-';
    int k = dtoa_digits(fabs(v), d, &exp10);
    int x = exp10 - 1;
    if (x >= -4 && x < 21)
        return (size_t)(o - out) + plain(d, k, exp10, o);
    *o++ = d[0];
    if (k > 1) {
        *o++ = '.';
        memcpy(o, d + 1, (size_t)k - 1);
        o += k - 1;
    }
    o += snprintf(o, 8, "e%c%02d", x < 0 ? '-' : '+', abs(x));
    return (size_t)(o - out);
}
