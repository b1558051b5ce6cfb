#include "feature/collect/scan.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

bool scan_field(struct str *line, struct str *out) {
    size_t i = 0;
    while (i < line->n && is_blank(line->p[i]))
        i++;
    size_t start = i;
    while (i < line->n && !is_blank(line->p[i]))
        i++;
    if (i == start) {
        *line = str_from_offset(*line, i);
        return false;
    }
    *out = str_make(line->p + start, i - start);
    *line = str_from_offset(*line, i);
    return true;
}

bool scan_skip(struct str *line, size_t n) {
    struct str ignored;
    while (n--)
        if (!scan_field(line, &ignored))
            return false;
    return true;
}

bool scan_u64(struct str *line, uint64_t *out) {
    size_t i = 0;
    while (i < line->n && is_blank(line->p[i]))
        i++;
    size_t start = i;
    uint64_t v = 0;
    for (; i < line->n && line->p[i] >= '0' && line->p[i] <= '9'; i++) {
        uint64_t digit = (uint64_t)(line->p[i] - '0');
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, digit, &v)) {
            while (i < line->n && line->p[i] >= '0' && line->p[i] <= '9')
                i++;
            v = UINT64_MAX;
            break;
        }
    }
    if (i == start)
        return false;
    *line = str_from_offset(*line, i);
    *out = v;
    return true;
}

bool scan_field_u64(struct str *line, uint64_t *out) {
    struct str field;
    if (!scan_field(line, &field))
        return false;
    uint64_t v;
    if (!scan_u64(&field, &v) || field.n != 0)
        return false;
    *out = v;
    return true;
}

bool scan_field_f64(struct str *line, double *out) {
    struct str field;
    return scan_field(line, &field) && str_to_f64(field, out);
}

bool scan_hex(struct str s, uint64_t *out) {
    if (s.n == 0 || s.n > 16)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        unsigned d;
        if (c >= '0' && c <= '9')
            d = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            d = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            d = (unsigned)(c - 'A') + 10;
        else
            return false;
        v = v << 4 | d;
    }
    *out = v;
    return true;
}

bool scan_key_u64(struct str text, struct str key, uint64_t *out) {
    struct str line, field;
    while (scan_line(&text, &line)) {
        if (!scan_field(&line, &field) || !str_eq(field, key))
            continue;
        return scan_field_u64(&line, out);
    }
    return false;
}

bool scan_assign(struct str line, struct str key, struct str *out) {
    struct str field;
    while (scan_field(&line, &field)) {
        if (field.n > key.n && field.p[key.n] == '=' && str_starts(field, key)) {
            *out = str_from_offset(field, key.n + 1);
            return true;
        }
    }
    return false;
}

static bool is_octal(char c) {
    return c >= '0' && c <= '7';
}

size_t scan_unescape(struct str s, char *out, size_t cap) {
    size_t n = 0;
    for (size_t i = 0; i < s.n && n < cap; i++) {
        char c = s.p[i];
        if (c == '\\' && i + 3 < s.n && is_octal(s.p[i + 1]) && is_octal(s.p[i + 2]) &&
            is_octal(s.p[i + 3])) {
            unsigned v = (unsigned)(s.p[i + 1] - '0') << 6 | (unsigned)(s.p[i + 2] - '0') << 3 |
                         (unsigned)(s.p[i + 3] - '0');
            c = (char)(unsigned char)(v & 0xffu);
            i += 3;
        }
        out[n++] = c;
    }
    return n;
}
