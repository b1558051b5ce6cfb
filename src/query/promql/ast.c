#include "query/promql/ast.h"

#include <stdarg.h>
#include <stdio.h>

const char *pq_op_name(enum pq_op op) {
    static const char *const names[] = {
        [PQ_ADD] = "+",
        [PQ_SUB] = "-",
        [PQ_MUL] = "*",
        [PQ_DIV] = "/",
        [PQ_MOD] = "%",
        [PQ_POW] = "^",
        [PQ_ATAN2] = "atan2",
        [PQ_EQLC] = "==",
        [PQ_NEQ] = "!=",
        [PQ_LTE] = "<=",
        [PQ_LSS] = "<",
        [PQ_GTE] = ">=",
        [PQ_GTR] = ">",
        [PQ_AND] = "and",
        [PQ_OR] = "or",
        [PQ_UNLESS] = "unless",
        [PQ_STEP] = "step",
        [PQ_DMIN] = "min",
        [PQ_DMAX] = "max",
        [PQ_AVG] = "avg",
        [PQ_BOTTOMK] = "bottomk",
        [PQ_COUNT] = "count",
        [PQ_GROUP] = "group",
        [PQ_COUNT_VALUES] = "count_values",
        [PQ_MAX] = "max",
        [PQ_MIN] = "min",
        [PQ_STDDEV] = "stddev",
        [PQ_QUANTILE] = "quantile",
        [PQ_STDVAR] = "stdvar",
        [PQ_SUM] = "sum",
        [PQ_TOPK] = "topk",
        [PQ_LIMITK] = "limitk",
        [PQ_LIMIT_RATIO] = "limit_ratio",
    };
    return names[op];
}

const char *pq_type_name(enum promql_value_type t) {
    static const char *const names[] = {"none", "scalar", "string", "vector", "matrix"};
    return names[t];
}

const char *pq_type_documented(enum promql_value_type t) {
    if (t == PROMQL_VECTOR)
        return "instant vector";
    return t == PROMQL_MATRIX ? "range vector" : pq_type_name(t);
}

void pq_position(struct str text, uint32_t at, uint32_t *out_line, uint32_t *out_column) {
    uint32_t line = 1, begin = 0;
    for (uint32_t i = 0; i < at && i < text.n; i++)
        if (text.p[i] == '\n') {
            line++;
            begin = i + 1;
        }
    *out_line = line;
    *out_column = at - begin + 1;
}

bool pq_error(struct str text, uint32_t at, struct err *err, const char *fmt, ...) {
    char message[ERR_MESSAGE_BYTES_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    uint32_t line, column;
    pq_position(text, at, &line, &column);
    return err_set_at(err, ERR_BAD_INPUT, line, column, "%u:%u: parse error: %s", line, column,
                      message);
}

/* The bytes of the well-formed UTF-8 character at s.p[i]; 0: it is none. */
static size_t utf8_at(struct str s, size_t i) {
    unsigned char c = (unsigned char)s.p[i];
    size_t n = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n && n <= s.n - i && str_is_utf8(str_sub(s, i, n)) ? n : 0;
}

void pq_quote(struct buf *b, struct str s) {
    static const char escapes[] = "\aa\bb\ff\nn\rr\tt\vv\\\\\"\"";
    buf_putc(b, '"');
    for (size_t i = 0, n; i < s.n; i += n ? n : 1) {
        unsigned char c = (unsigned char)s.p[i];
        const char *hit = NULL;
        for (const char *e = escapes; *e; e += 2)
            if ((unsigned char)*e == c)
                hit = e;
        n = utf8_at(s, i);
        if (hit) {
            buf_putc(b, '\\');
            buf_putc(b, hit[1]);
        } else if (c < 0x20 || c == 0x7f || n == 0) {
            buf_printf(b, "\\x%02x", c);
        } else {
            buf_put(b, s.p + i, n);
        }
    }
    buf_putc(b, '"');
}

static size_t put_utf8(char *o, uint32_t c) {
    if (c < 0x80) {
        o[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        o[0] = (char)(0xc0 | c >> 6);
        o[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        o[0] = (char)(0xe0 | c >> 12);
        o[1] = (char)(0x80 | (c >> 6 & 0x3f));
        o[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    o[0] = (char)(0xf0 | c >> 18);
    o[1] = (char)(0x80 | (c >> 12 & 0x3f));
    o[2] = (char)(0x80 | (c >> 6 & 0x3f));
    o[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static bool read_digits(struct str s, size_t *i, size_t n, uint32_t base, uint32_t *out) {
    uint32_t v = 0;
    for (size_t k = 0; k < n; k++, (*i)++) {
        if (*i >= s.n)
            return false;
        int c = (unsigned char)s.p[*i];
        uint32_t d = c >= '0' && c <= '9'                     ? (uint32_t)(c - '0')
                     : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (uint32_t)((c | 0x20) - 'a' + 10)
                                                              : 16;
        if (d >= base)
            return false;
        v = v * base + d;
    }
    *out = v;
    return true;
}

/* One escape; s.p[*i] is the character behind the backslash. */
static bool unescape(struct str s, size_t *i, char quote, char *o, size_t *n) {
    static const char simple[] = "a\ab\bf\fn\nr\rt\tv\v\\\\";
    char c = s.p[*i];
    for (const char *e = simple; *e; e += 2)
        if (*e == c) {
            o[(*n)++] = e[1];
            (*i)++;
            return true;
        }
    if (c == quote) {
        o[(*n)++] = c;
        (*i)++;
        return true;
    }
    uint32_t v;
    if (c == 'x' || c == 'u' || c == 'U') {
        (*i)++;
        if (!read_digits(s, i, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16, &v))
            return false;
        if (c == 'x') {
            o[(*n)++] = (char)v;
            return true;
        }
        if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
            return false;
        *n += put_utf8(o + *n, v);
        return true;
    }
    if (c < '0' || c > '7' || !read_digits(s, i, 3, 8, &v) || v > 255)
        return false;
    o[(*n)++] = (char)v;
    return true;
}

bool pq_unquote(struct str s, struct arena *a, struct str *out) {
    if (s.n < 2 || s.p[0] != s.p[s.n - 1])
        return false;
    char quote = s.p[0];
    s = str_sub(s, 1, s.n - 2);
    if (quote == '`') {
        *out = s;
        return str_find_char(s, '`') == SIZE_MAX;
    }
    if ((quote != '"' && quote != '\'') || str_find_char(s, '\n') != SIZE_MAX)
        return false;
    char *o = arena_alloc(a, s.n + 4);
    if (!o)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] == quote)
            return false;
        if (s.p[i] != '\\') {
            o[n++] = s.p[i++];
            continue;
        }
        if (++i >= s.n || !unescape(s, &i, quote, o, &n))
            return false;
    }
    *out = str_make(o, n);
    return true;
}

static void walk(const struct promql_expr *e, int64_t range_ms,
                 void (*fn)(void *arg, const struct matcher *m, size_t n, int64_t range_ms),
                 void *arg) {
    if (!e)
        return;
    switch (e->kind) {
    case PQ_SELECTOR:
        fn(arg, e->u.selector.matchers, e->u.selector.n_matchers, range_ms);
        break;
    case PQ_MATRIX:
        walk(e->u.matrix.selector, range_ms + e->u.matrix.range_ms, fn, arg);
        break;
    case PQ_SUBQUERY:
        walk(e->u.subquery.expr, range_ms + e->u.subquery.range_ms, fn, arg);
        break;
    case PQ_CALL:
        for (size_t i = 0; i < e->u.call.n_args; i++)
            walk(e->u.call.args[i], range_ms, fn, arg);
        break;
    case PQ_AGGREGATE:
        walk(e->u.aggregate.param, range_ms, fn, arg);
        walk(e->u.aggregate.expr, range_ms, fn, arg);
        break;
    case PQ_BINARY:
        walk(e->u.binary.lhs, range_ms, fn, arg);
        walk(e->u.binary.rhs, range_ms, fn, arg);
        break;
    case PQ_UNARY:
        walk(e->u.unary.expr, range_ms, fn, arg);
        break;
    case PQ_PAREN:
        walk(e->u.paren, range_ms, fn, arg);
        break;
    case PQ_NUMBER:
    case PQ_STRING:
    case PQ_DURATION:
        break;
    }
}

void promql_selectors(const struct promql_expr *e,
                      void (*fn)(void *arg, const struct matcher *m, size_t n, int64_t range_ms),
                      void *arg) {
    walk(e, 0, fn, arg);
}
