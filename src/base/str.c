#include "base/str.h"

#include <math.h>
#include <stdlib.h>

int str_cmp(struct str a, struct str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c)
        return c;
    return a.n < b.n ? -1 : a.n > b.n;
}

static char lower(char c) {
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

bool str_eq_nocase(struct str a, struct str b) {
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool str_starts(struct str s, struct str prefix) {
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_ends(struct str s, struct str suffix) {
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

struct str str_sub(struct str s, size_t from, size_t n) {
    if (from > s.n)
        from = s.n;
    if (n > s.n - from)
        n = s.n - from;
    return (struct str){s.p ? s.p + from : NULL, n};
}

struct str str_from_offset(struct str s, size_t from) {
    return str_sub(s, from, s.n);
}

size_t str_find(struct str s, struct str needle) {
    if (needle.n == 0)
        return 0;
    if (s.n < needle.n)
        return SIZE_MAX;
    const char *hit = memmem(s.p, s.n, needle.p, needle.n);
    return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

size_t str_find_char(struct str s, char c) {
    const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;
    return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s) {
    while (s.n && is_space(s.p[0]))
        s.p++, s.n--;
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_next(struct str *s, char c, struct str *out_head) {
    if (!s->p)
        return false;
    size_t at = str_find_char(*s, c);
    if (at == SIZE_MAX) {
        *out_head = *s;
        *s = (struct str){NULL, 0};
        return true;
    }
    *out_head = str_sub(*s, 0, at);
    *s = (struct str){s->p + at + 1, s->n - at - 1};
    return true;
}

bool str_to_u64(struct str s, uint64_t *out) {
    uint64_t v = 0;
    if (s.n == 0 || s.n > 20)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *out = v;
    return true;
}

bool str_to_i64(struct str s, int64_t *out) {
    bool neg = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_from_offset(s, 1);
    uint64_t v = 0;
    if (!str_to_u64(s, &v))
        return false;
    if (v > (uint64_t)INT64_MAX + (neg ? 1 : 0))
        return false;
    *out = neg ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

static const double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Exact for up to 15 digits and |exponent| <= 22 (Clinger's fast path); *ok false when not
 * applicable. */
static double fast_decimal(struct str s, bool *ok) {
    size_t i = 0;
    uint64_t m = 0;
    int digits = 0, frac = 0, exp10 = 0;
    bool neg = false, seen = false;
    *ok = false;
    if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
        neg = s.p[i++] == '-';
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
        m = m * 10 + (uint64_t)(s.p[i] - '0');
        digits += m != 0;
        seen = true;
        if (digits > 15)
            return 0;
    }
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
            m = m * 10 + (uint64_t)(s.p[i] - '0');
            digits += m != 0;
            frac++;
            seen = true;
            if (digits > 15 || frac > 30)
                return 0;
        }
    if (!seen)
        return 0;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        bool eneg = false, eseen = false;
        i++;
        if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
            eneg = s.p[i++] == '-';
        for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
            exp10 = exp10 * 10 + (s.p[i] - '0');
            eseen = true;
            if (exp10 > 1000)
                return 0;
        }
        if (!eseen)
            return 0;
        if (eneg)
            exp10 = -exp10;
    }
    if (i != s.n)
        return 0;
    exp10 -= frac;
    if (m == 0) {
        *ok = true;
        return neg ? -0.0 : 0.0;
    }
    if (exp10 < -22 || exp10 > 22)
        return 0;
    double v = (double)m;
    v = exp10 < 0 ? v / powers_of_ten[-exp10] : v * powers_of_ten[exp10];
    *ok = true;
    return neg ? -v : v;
}

bool str_to_f64(struct str s, double *out) {
    bool ok = false;
    double v = fast_decimal(s, &ok);
    if (ok) {
        *out = v;
        return true;
    }
    char tmp[512];
    if (s.n == 0 || s.n >= sizeof(tmp) || is_space(s.p[0]))
        return false;
    struct str u = s;
    bool neg = u.p[0] == '-', sign = neg || u.p[0] == '+';
    if (sign)
        u = str_from_offset(u, 1);
    if (str_eq_nocase(u, STR("nan"))) {
        if (sign)
            return false;
        *out = (double)NAN;
        return true;
    }
    if (str_eq_nocase(u, STR("inf")) || str_eq_nocase(u, STR("infinity"))) {
        *out = neg ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (u.n == 0 || !((u.p[0] >= '0' && u.p[0] <= '9') || u.p[0] == '.'))
        return false;
    memcpy(tmp, s.p, s.n);
    tmp[s.n] = 0;
    char *end = NULL;
    v = strtod(tmp, &end);
    if (end != tmp + s.n)
        return false;
    *out = v;
    return true;
}

bool str_is_utf8(struct str s) {
    const unsigned char *p = (const unsigned char *)s.p, *e = p ? p + s.n : p;
    while (p < e) {
        if (*p < 0x80) {
            p++;
            continue;
        }
        size_t n;
        uint32_t c, min;
        if ((*p & 0xe0) == 0xc0)
            n = 1, c = *p & 0x1fu, min = 0x80;
        else if ((*p & 0xf0) == 0xe0)
            n = 2, c = *p & 0x0fu, min = 0x800;
        else if ((*p & 0xf8) == 0xf0)
            n = 3, c = *p & 0x07u, min = 0x10000;
        else
            return false;
        p++;
        if ((size_t)(e - p) < n)
            return false;
        for (size_t i = 0; i < n; i++, p++) {
            if ((*p & 0xc0) != 0x80)
                return false;
            c = c << 6 | (*p & 0x3fu);
        }
        if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return false;
    }
    return true;
}

unsigned str_distance(struct str a, struct str b, unsigned cap) {
    enum { LEN_MAX = 63 };
    if (a.n > LEN_MAX || b.n > LEN_MAX)
        return cap;
    unsigned rows[3][LEN_MAX + 1];
    unsigned *before = rows[0], *prev = rows[1], *cur = rows[2];
    for (size_t j = 0; j <= b.n; j++)
        prev[j] = (unsigned)j, before[j] = 0;
    for (size_t i = 1; i <= a.n; i++) {
        cur[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned best = prev[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            if (prev[j] + 1 < best)
                best = prev[j] + 1;
            if (cur[j - 1] + 1 < best)
                best = cur[j - 1] + 1;
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            cur[j] = best;
        }
        unsigned *t = before;
        before = prev, prev = cur, cur = t;
    }
    return prev[b.n] < cap ? prev[b.n] : cap;
}
