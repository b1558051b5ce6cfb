#include "net/http_url.h"

static int hex(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte that in.p[i] stands for; *step: how many bytes it took. -1: a '%' without two hex
 * digits. */
static int decode_at(struct str in, size_t i, bool plus_is_space, size_t *step) {
    char c = in.p[i];
    *step = 1;
    if (c == '+' && plus_is_space)
        return ' ';
    if (c != '%')
        return (unsigned char)c;
    int hi = i + 2 < in.n ? hex(in.p[i + 1]) : -1;
    int lo = hi >= 0 ? hex(in.p[i + 2]) : -1;
    if (lo < 0)
        return -1;
    *step = 3;
    return hi * 16 + lo;
}

bool http_url_decode(struct str in, bool plus_is_space, bool lenient, struct arena *a,
                     struct str *out) {
    char *p = arena_alloc(a, in.n + 1);
    if (!p) {
        *out = (struct str){NULL, 0};
        return true;
    }
    size_t n = 0, step;
    for (size_t i = 0; i < in.n; i += step) {
        int c = decode_at(in, i, plus_is_space, &step);
        if (c < 0 && !lenient)
            return false;
        p[n++] = c < 0 ? '%' : (char)c;
    }
    p[n] = 0;
    *out = (struct str){p, n};
    return true;
}

/* Whether an encoded name says `name`, without memory. */
static bool encoded_eq(struct str in, struct str name) {
    size_t k = 0, step;
    for (size_t i = 0; i < in.n; i += step, k++) {
        int c = decode_at(in, i, true, &step);
        if (k >= name.n || (c < 0 ? '%' : (char)c) != name.p[k])
            return false;
    }
    return k == name.n;
}

bool http_form_get(struct str form, struct str name, size_t nth, struct arena *a, struct str *out) {
    struct str pair;
    while (str_next(&form, '&', &pair)) {
        struct str key = pair, value = {"", 0};
        size_t eq = str_find_char(pair, '=');
        if (eq != SIZE_MAX) {
            key = str_sub(pair, 0, eq);
            value = str_from_offset(pair, eq + 1);
        }
        if (pair.n == 0 || !encoded_eq(key, name))
            continue;
        if (nth-- == 0)
            return http_url_decode(value, true, true, a, out) && out->p;
    }
    return false;
}

size_t http_form_count(struct str form, struct str name) {
    struct str pair;
    size_t n = 0;
    while (str_next(&form, '&', &pair)) {
        size_t eq = str_find_char(pair, '=');
        if (pair.n && encoded_eq(eq == SIZE_MAX ? pair : str_sub(pair, 0, eq), name))
            n++;
    }
    return n;
}

bool http_path_decode(struct str raw, struct arena *a, struct str *out, struct err *err) {
    struct str path;
    if (raw.n == 0 || raw.p[0] != '/')
        return err_set(err, ERR_BAD_INPUT, "the request's path must begin with '/'");
    if (!http_url_decode(raw, false, false, a, &path))
        return err_set(err, ERR_BAD_INPUT,
                       "the request's path has a '%%' that two hex digits do not follow");
    if (!path.p)
        return arena_err(a, err);
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (c < 0x20 || c == 0x7f || c == '\\')
            return err_set(err, ERR_BAD_INPUT,
                           "the request's path has a control character or a backslash");
    }
    struct str rest = path, part;
    while (str_next(&rest, '/', &part)) {
        if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
            return err_set(err, ERR_BAD_INPUT,
                           "the request's path must not have a '.' or '..' part");
    }
    *out = path;
    return true;
}

/* One step of both: the part before the next '/', and whether there was one. */
static bool part_next(struct str *s, struct str *out_part) {
    size_t i = str_find_char(*s, '/');
    *out_part = str_sub(*s, 0, i == SIZE_MAX ? s->n : i);
    if (i == SIZE_MAX)
        return false;
    *s = str_from_offset(*s, i + 1);
    return true;
}

static bool decoded_eq(struct str raw, struct str literal) {
    size_t k = 0, step;
    for (size_t i = 0; i < raw.n; i += step, k++) {
        int c = decode_at(raw, i, false, &step);
        if (c < 0 || k >= literal.n || (char)c != literal.p[k])
            return false;
    }
    return k == literal.n;
}

/* Walks pattern and path together. nth == SIZE_MAX: only whether they match. */
static bool walk(const char *pattern, struct str path, size_t nth, struct str *out) {
    struct str pat = str_from(pattern), want, have;
    for (;;) {
        if (str_eq(pat, STR("*"))) {
            if (nth == 0)
                *out = path;
            return nth == 0 || nth == SIZE_MAX; /* it is one part, the last */
        }
        bool more_want = part_next(&pat, &want), more_have = part_next(&path, &have);
        if (want.n && want.p[0] == ':') {
            if (have.n == 0)
                return false;
            if (nth != SIZE_MAX && nth-- == 0) {
                *out = have;
                return true;
            }
        } else if (!decoded_eq(have, want)) {
            return false;
        }
        if (more_want != more_have)
            return false;
        if (!more_want)
            return nth == SIZE_MAX;
    }
}

bool http_path_match(const char *pattern, struct str raw_path) {
    struct str unused;
    return walk(pattern, raw_path, SIZE_MAX, &unused);
}

bool http_path_part(const char *pattern, struct str raw_path, size_t nth, struct arena *a,
                    struct str *out) {
    struct str part;
    return walk(pattern, raw_path, nth, &part) && http_url_decode(part, false, true, a, out) &&
           out->p;
}

void http_url_encode(struct buf *b, struct str s) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c && strchr("-._~", c))) {
            buf_putc(b, c);
        } else {
            char e[3] = {'%', digits[(unsigned char)c >> 4], digits[(unsigned char)c & 15]};
            buf_put(b, e, 3);
        }
    }
}
