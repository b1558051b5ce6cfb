/* The functions of templates. */
#include "base/regex.h"
#include "base/timev.h"
#include "codec/gotmpl_int.h"

#include <math.h>
#include <stdlib.h>

typedef bool tmpl_fn(const struct tmpl_call *c, const struct gotmpl_value *v, size_t n,
                     struct gotmpl_value *out, struct err *err);

#define FN(name)                                                                                   \
    static bool fn_##name(const struct tmpl_call *c, const struct gotmpl_value *v, size_t n,       \
                          struct gotmpl_value *out, struct err *err)
#define UNUSED (void)c, (void)v, (void)n, (void)out, (void)err

static bool finish(const struct tmpl_call *c, struct buf *b, struct gotmpl_value *out,
                   struct err *err) {
    bool ok = buf_ok(b) ||
              err_set(err, ERR_TOO_LARGE, "a text in the template is over %zu bytes", b->bytes_max);
    if (ok) {
        *out = gotmpl_str(arena_str(c->a, buf_view(b)));
        ok = !c->a->failed || arena_err(c->a, err);
    }
    buf_deinit(b);
    return ok;
}
#define TEXT_INIT BUF_INIT_MAX(1 << 20)

static bool to_float(const struct gotmpl_value *v, double *out, struct err *err) {
    if (v->type == GOTMPL_FLOAT)
        *out = v->f;
    else if (v->type == GOTMPL_INT)
        *out = (double)v->i;
    else if (v->type == GOTMPL_TIME)
        *out = (double)v->i / 1000;
    else if (v->type != GOTMPL_STR || !str_to_f64(v->s, out))
        return err_set(err, ERR_BAD_INPUT, "can't convert this value to a number");
    return true;
}
static bool to_str(const struct gotmpl_value *v, struct str *out, struct err *err) {
    if (v->type != GOTMPL_STR)
        return err_set(err, ERR_BAD_INPUT, "expected a string argument");
    *out = v->s;
    return true;
}

FN(not ) {
    UNUSED;
    *out = gotmpl_bool(!gotmpl_truth(&v[0]));
    return true;
}
FN(never) {
    UNUSED;
    return err_set(err, ERR_BAD_INPUT, "missing argument");
}

FN(len) {
    UNUSED;
    if (v->type == GOTMPL_STR)
        *out = gotmpl_int((int64_t)v->s.n);
    else if (v->type == GOTMPL_LIST || v->type == GOTMPL_MAP)
        *out = gotmpl_int((int64_t)v->n);
    else
        return err_set(err, ERR_BAD_INPUT, "len of a value that has no length");
    return true;
}

bool tmpl_index(const struct gotmpl_value *v, const struct gotmpl_value *key,
                struct gotmpl_value *out, struct err *err) {
    if (v->type == GOTMPL_MAP && key->type == GOTMPL_STR) {
        *out = gotmpl_str((struct str){"", 0});
        for (size_t i = 0; i < v->n; i++)
            if (str_eq(v->keys[i], key->s))
                *out = v->items[i];
        return true;
    }
    size_t n = v->type == GOTMPL_LIST ? v->n : v->type == GOTMPL_STR ? v->s.n : SIZE_MAX;
    if (n == SIZE_MAX || key->type != GOTMPL_INT)
        return err_set(err, ERR_BAD_INPUT, "can't index this value with that key");
    if (key->i < 0 || (uint64_t)key->i >= n)
        return err_set(err, ERR_BAD_INPUT, "index out of range: %lld", (long long)key->i);
    *out = v->type == GOTMPL_LIST ? v->items[key->i] : gotmpl_int((unsigned char)v->s.p[key->i]);
    return true;
}
FN(index) {
    UNUSED;
    struct gotmpl_value at = v[0];
    for (size_t i = 1; i < n; i++) {
        struct gotmpl_value inner = at;
        if (!tmpl_index(&inner, &v[i], &at, err))
            return false;
    }
    *out = at;
    return true;
}

FN(slice) {
    UNUSED;
    size_t all = v->type == GOTMPL_STR ? v->s.n : v->type == GOTMPL_LIST ? v->n : 0;
    int64_t from = 0, to = (int64_t)all;
    if ((n > 1 && v[1].type != GOTMPL_INT) || (n > 2 && v[2].type != GOTMPL_INT))
        return err_set(err, ERR_BAD_INPUT, "slice takes integers");
    if (n > 1)
        from = v[1].i;
    if (n > 2)
        to = v[2].i;
    if (from < 0 || to < from || to > (int64_t)all)
        return err_set(err, ERR_BAD_INPUT, "slice out of range");
    *out = v[0];
    if (v->type == GOTMPL_STR) {
        out->s = str_sub(v->s, (size_t)from, (size_t)(to - from));
    } else {
        out->items = v->items ? v->items + from : NULL;
        out->n = (size_t)(to - from);
    }
    return true;
}

static int cmp3(const struct gotmpl_value *a, const struct gotmpl_value *b, bool *comparable) {
    bool num_a = a->type == GOTMPL_INT || a->type == GOTMPL_FLOAT,
         num_b = b->type == GOTMPL_INT || b->type == GOTMPL_FLOAT;
    *comparable = true;
    if (a->type == GOTMPL_STR && b->type == GOTMPL_STR)
        return (str_cmp(a->s, b->s) > 0) - (str_cmp(a->s, b->s) < 0);
    if (num_a && num_b) {
        if (a->type == GOTMPL_INT && b->type == GOTMPL_INT)
            return (a->i > b->i) - (a->i < b->i);
        double x = a->type == GOTMPL_INT ? (double)a->i : a->f,
               y = b->type == GOTMPL_INT ? (double)b->i : b->f;
        if (isnan(x) || isnan(y))
            return 2; /* unordered */
        return (x > y) - (x < y);
    }
    if (a->type == GOTMPL_BOOL && b->type == GOTMPL_BOOL)
        return a->b - b->b;
    if (a->type == GOTMPL_TIME && b->type == GOTMPL_TIME)
        return (a->i > b->i) - (a->i < b->i);
    if (a->type == GOTMPL_NIL || b->type == GOTMPL_NIL)
        return a->type == b->type ? 0 : 2;
    *comparable = false;
    return 2;
}

static bool compare(const struct gotmpl_value *a, const struct gotmpl_value *b, int *out,
                    struct err *err) {
    bool comparable;
    *out = cmp3(a, b, &comparable);
    return comparable || err_set(err, ERR_BAD_INPUT, "incompatible types for comparison");
}

FN(eq) {
    UNUSED;
    bool hit = false;
    for (size_t i = 1; i < n; i++) {
        int r;
        if (!compare(&v[0], &v[i], &r, err))
            return false;
        hit = hit || r == 0;
    }
    *out = gotmpl_bool(hit);
    return true;
}
#define COMPARE(name, test)                                                                        \
    FN(name) {                                                                                     \
        UNUSED;                                                                                    \
        int r;                                                                                     \
        if (!compare(&v[0], &v[1], &r, err))                                                       \
            return false;                                                                          \
        *out = gotmpl_bool(test);                                                                  \
        return true;                                                                               \
    }
COMPARE(ne, r != 0)
COMPARE(lt, r < 0)
COMPARE(le, r <= 0)
COMPARE(gt, r == 1)
COMPARE(ge, r == 0 || r == 1)

FN(print) {
    struct buf b = TEXT_INIT;
    for (size_t i = 0; i < n; i++) {
        /* Go's Print: a space between operands when neither is a string */
        if (i && v[i].type != GOTMPL_STR && v[i - 1].type != GOTMPL_STR)
            buf_putc(&b, ' ');
        gotmpl_print(&b, &v[i]);
    }
    return finish(c, &b, out, err);
}
FN(println) {
    struct buf b = TEXT_INIT;
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_putc(&b, ' ');
        gotmpl_print(&b, &v[i]);
    }
    buf_putc(&b, '\n');
    return finish(c, &b, out, err);
}
FN(printf) {
    struct buf b = TEXT_INIT;
    struct str format;
    if (!to_str(&v[0], &format, err))
        return false;
    tmpl_printf(&b, format, v + 1, n - 1);
    return finish(c, &b, out, err);
}

FN(html) {
    struct buf b = TEXT_INIT, t = TEXT_INIT;
    for (size_t i = 0; i < n; i++)
        gotmpl_print(&t, &v[i]);
    for (size_t i = 0; i < t.n; i++)
        switch (t.p[i]) {
        case '&':
            buf_putz(&b, "&amp;");
            break;
        case '<':
            buf_putz(&b, "&lt;");
            break;
        case '>':
            buf_putz(&b, "&gt;");
            break;
        case '"':
            buf_putz(&b, "&#34;");
            break;
        case '\'':
            buf_putz(&b, "&#39;");
            break;
        default:
            buf_putc(&b, t.p[i]);
        }
    buf_deinit(&t);
    return finish(c, &b, out, err);
}
FN(js) {
    struct buf b = TEXT_INIT, t = TEXT_INIT;
    for (size_t i = 0; i < n; i++)
        gotmpl_print(&t, &v[i]);
    for (size_t i = 0; i < t.n; i++) {
        char ch = t.p[i];
        if (ch == '\\' || ch == '\'' || ch == '"')
            buf_printf(&b, "\\%c", ch);
        else if (ch == '<' || ch == '>' || ch == '&' || ch == '=' || (unsigned char)ch < 0x20)
            buf_printf(&b, "\\u%04X", (unsigned)(unsigned char)ch);
        else
            buf_putc(&b, ch);
    }
    buf_deinit(&t);
    return finish(c, &b, out, err);
}

static void query_escape(struct buf *b, struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        if ((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
            ch == '-' || ch == '_' || ch == '.' || ch == '~')
            buf_putc(b, ch);
        else if (ch == ' ')
            buf_putc(b, '+');
        else
            buf_printf(b, "%%%02X", (unsigned)(unsigned char)ch);
    }
}
FN(urlquery) {
    struct buf b = TEXT_INIT, t = TEXT_INIT;
    for (size_t i = 0; i < n; i++)
        gotmpl_print(&t, &v[i]);
    query_escape(&b, buf_view(&t));
    buf_deinit(&t);
    return finish(c, &b, out, err);
}

/* C's %.4g and Go's agree: at least two digits of exponent; special values differ in their words.
 */
static void put_4g(struct buf *b, double d) {
    if (isnan(d))
        buf_putz(b, "NaN");
    else if (isinf(d))
        buf_putz(b, d > 0 ? "+Inf" : "-Inf");
    else
        buf_printf(b, "%.4g", d);
}

FN(humanize) {
    (void)n;
    double d;
    if (!to_float(v, &d, err))
        return false;
    struct buf b = TEXT_INIT;
    const char *prefix = "";
    static const char *const up[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
    static const char *const down[] = {"m", "u", "n", "p", "f", "a", "z", "y"};
    if (d != 0 && isfinite(d)) {
        if (fabs(d) >= 1)
            for (int i = 0; i < 8 && fabs(d) >= 1000; i++, d /= 1000)
                prefix = up[i];
        else
            for (int i = 0; i < 8 && fabs(d) < 1; i++, d *= 1000)
                prefix = down[i];
    }
    put_4g(&b, d);
    buf_putz(&b, prefix);
    return finish(c, &b, out, err);
}
FN(humanize1024) {
    (void)n;
    double d;
    if (!to_float(v, &d, err))
        return false;
    struct buf b = TEXT_INIT;
    const char *prefix = "";
    static const char *const up[] = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};
    if (isfinite(d) && fabs(d) > 1)
        for (int i = 0; i < 8 && fabs(d) >= 1024; i++, d /= 1024)
            prefix = up[i];
    put_4g(&b, d);
    buf_putz(&b, prefix);
    return finish(c, &b, out, err);
}
FN(humanizePercentage) {
    (void)n;
    double d;
    if (!to_float(v, &d, err))
        return false;
    struct buf b = TEXT_INIT;
    put_4g(&b, d * 100);
    buf_putc(&b, '%');
    return finish(c, &b, out, err);
}
FN(humanizeDuration) {
    (void)n;
    double d;
    if (!to_float(v, &d, err))
        return false;
    struct buf b = TEXT_INIT;
    if (!isfinite(d) || fabs(d) > 9e15) {
        put_4g(&b, d);
        return finish(c, &b, out, err);
    }
    if (fabs(d) >= 1) {
        const char *sign = d < 0 ? "-" : "";
        double u = fabs(d);
        long long t = (long long)u, s = t % 60, m = t / 60 % 60, h = t / 3600 % 24,
                  days = t / 86400;
        if (days)
            buf_printf(&b, "%s%lldd %lldh %lldm %llds", sign, days, h, m, s);
        else if (h)
            buf_printf(&b, "%s%lldh %lldm %llds", sign, h, m, s);
        else if (m)
            buf_printf(&b, "%s%lldm %llds", sign, m, s);
        else
            buf_printf(&b, "%s%.4gs", sign, u);
        return finish(c, &b, out, err);
    }
    const char *prefix = "";
    static const char *const down[] = {"m", "u", "n", "p", "f", "a", "z", "y"};
    for (int i = 0; d != 0 && i < 8 && fabs(d) < 1; i++, d *= 1000)
        prefix = down[i];
    buf_printf(&b, "%.4g%ss", d, prefix);
    return finish(c, &b, out, err);
}

static bool float_to_ms(double d, int64_t *out) {
    if (!isfinite(d) || fabs(d) > 9e15 / 1000)
        return false;
    *out = (int64_t)floor(d * 1000);
    return true;
}
FN(toTime) {
    UNUSED;
    double d;
    int64_t ms;
    if (!to_float(v, &d, err))
        return false;
    if (!float_to_ms(d, &ms))
        return err_set(err, ERR_BAD_INPUT, "the number is no time that can be shown");
    *out = (struct gotmpl_value){.type = GOTMPL_TIME, .i = ms};
    return true;
}
FN(humanizeTimestamp) {
    double d;
    int64_t ms;
    if (!to_float(v, &d, err))
        return false;
    struct buf b = TEXT_INIT;
    if (float_to_ms(d, &ms)) {
        struct gotmpl_value t = {.type = GOTMPL_TIME, .i = ms};
        gotmpl_print(&b, &t);
    } else {
        put_4g(&b, d);
    }
    (void)n;
    return finish(c, &b, out, err);
}
FN(now) {
    UNUSED;
    *out = gotmpl_float((double)c->env->now_ms / 1000);
    return true;
}
FN(parseDuration) {
    UNUSED;
    struct str s;
    int64_t ms;
    if (!to_str(v, &s, err) || !duration_parse(s, &ms, err))
        return false;
    *out = gotmpl_float((double)ms / 1000);
    return true;
}

static bool is_letter(char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '_' || ch == '\'' || (unsigned char)ch >= 0x80;
}
static char upper(char ch) {
    return ch >= 'a' && ch <= 'z' ? (char)(ch - 32) : ch;
}
static char lower(char ch) {
    return ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
}

static bool map_chars(const struct tmpl_call *c, const struct gotmpl_value *v, int how,
                      struct gotmpl_value *out, struct err *err) {
    struct str s;
    if (!to_str(v, &s, err))
        return false;
    struct buf b = TEXT_INIT;
    for (size_t i = 0; i < s.n; i++) {
        bool first = i == 0 || !is_letter(s.p[i - 1]);
        buf_putc(&b, how == 'u' || (how == 't' && first) ? upper(s.p[i])
                     : how == 'l'                        ? lower(s.p[i])
                                                         : s.p[i]);
    }
    return finish(c, &b, out, err);
}
FN(title) {
    UNUSED;
    return map_chars(c, v, 't', out, err);
}
FN(toUpper) {
    UNUSED;
    return map_chars(c, v, 'u', out, err);
}
FN(toLower) {
    UNUSED;
    return map_chars(c, v, 'l', out, err);
}
FN(trimSpace) {
    UNUSED;
    struct str s;
    if (!to_str(v, &s, err))
        return false;
    *out = gotmpl_str(str_trim(s));
    return true;
}
FN(safeHtml) {
    UNUSED;
    *out = v[0];
    return true;
}

FN(match) {
    UNUSED;
    struct str pattern, s;
    if (!to_str(&v[0], &pattern, err) || !to_str(&v[1], &s, err))
        return false;
    struct regex *re = regex_new(pattern, false, err);
    if (!re)
        return false;
    *out = gotmpl_bool(regex_match(re, s));
    regex_free(re);
    return true;
}
FN(reReplaceAll) {
    (void)n;
    struct str pattern, with, s;
    if (!to_str(&v[0], &pattern, err) || !to_str(&v[1], &with, err) || !to_str(&v[2], &s, err))
        return false;
    struct regex *re = regex_new(pattern, false, err);
    if (!re)
        return false;
    struct buf b = TEXT_INIT;
    regex_replace_all(re, s, with, &b);
    regex_free(re);
    return finish(c, &b, out, err);
}

/* Go's SplitHostPort; false: no port, or brackets that do not close. */
static bool split_host_port(struct str s, struct str *host, struct str *port) {
    size_t colon = s.n;
    while (colon > 0 && s.p[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    *host = str_sub(s, 0, colon - 1);
    *port = str_from_offset(s, colon);
    if (host->n >= 2 && host->p[0] == '[') {
        if (host->p[host->n - 1] != ']')
            return false;
        *host = str_sub(*host, 1, host->n - 2);
        return true;
    }
    return str_find_char(*host, ':') == SIZE_MAX && str_find_char(*host, '[') == SIZE_MAX;
}
FN(stripPort) {
    UNUSED;
    struct str s, host, port;
    if (!to_str(v, &s, err))
        return false;
    *out = gotmpl_str(split_host_port(s, &host, &port) ? host : s);
    return true;
}
static bool looks_like_ip(struct str s) {
    if (str_find_char(s, ':') != SIZE_MAX)
        return true;
    unsigned parts = 0;
    struct str rest = s, part;
    while (str_next(&rest, '.', &part)) {
        uint64_t x;
        if (!str_to_u64(part, &x) || x > 255)
            return false;
        parts++;
    }
    return parts == 4;
}
FN(stripDomain) {
    (void)n;
    struct str s, host, port = {NULL, 0};
    if (!to_str(v, &s, err))
        return false;
    if (!split_host_port(s, &host, &port))
        host = s;
    if (looks_like_ip(host)) {
        *out = gotmpl_str(s);
        return true;
    }
    size_t dot = str_find_char(host, '.');
    struct buf b = TEXT_INIT;
    buf_puts(&b, dot == SIZE_MAX ? host : str_sub(host, 0, dot));
    if (port.n) {
        buf_putc(&b, ':');
        buf_puts(&b, port);
    }
    return finish(c, &b, out, err);
}

static bool link_to(const struct tmpl_call *c, const struct gotmpl_value *v, const char *tab,
                    struct gotmpl_value *out, struct err *err) {
    struct str expr;
    if (!to_str(v, &expr, err))
        return false;
    struct buf b = TEXT_INIT;
    buf_putz(&b, "/graph?g0.expr=");
    query_escape(&b, expr);
    buf_printf(&b, "&g0.tab=%s", tab);
    return finish(c, &b, out, err);
}
FN(graphLink) {
    UNUSED;
    return link_to(c, v, "0", out, err);
}
FN(tableLink) {
    UNUSED;
    return link_to(c, v, "1", out, err);
}
FN(pathPrefix) {
    UNUSED;
    *out = gotmpl_str(c->env->path_prefix);
    return true;
}
FN(externalURL) {
    UNUSED;
    *out = gotmpl_str(c->env->external_url);
    return true;
}

FN(args) {
    *out = gotmpl_map(c->a, n);
    for (size_t i = 0; i < n; i++)
        gotmpl_map_put(out, arena_printf(c->a, "arg%zu", i), v[i]);
    return !c->a->failed || arena_err(c->a, err);
}

FN(query) {
    (void)n;
    struct str expr;
    if (!to_str(v, &expr, err))
        return false;
    if (!c->env->query)
        return err_set(err, ERR_BAD_INPUT, "query is not available in this template");
    if (*c->queries == 0)
        return err_set(err, ERR_TOO_LARGE, "more than %d queries in one template",
                       GOTMPL_QUERIES_MAX);
    --*c->queries;
    return c->env->query(c->env->self, expr, c->a, out, err);
}
FN(first) {
    UNUSED;
    if (v->type != GOTMPL_LIST || v->n == 0)
        return err_set(err, ERR_BAD_INPUT, "first() called on vector with no elements");
    *out = v->items[0];
    return true;
}
static bool member(const struct gotmpl_value *v, struct str name, struct gotmpl_value *out,
                   struct err *err) {
    struct gotmpl_value key = gotmpl_str(name);
    if (v->type != GOTMPL_MAP)
        return err_set(err, ERR_BAD_INPUT, "expected a sample, as first(query(...)) gives");
    return tmpl_index(v, &key, out, err);
}
FN(label) {
    UNUSED;
    struct str name;
    struct gotmpl_value labels;
    return to_str(&v[0], &name, err) && member(&v[1], STR("Labels"), &labels, err) &&
           member(&labels, name, out, err);
}
FN(value) {
    UNUSED;
    return member(v, STR("Value"), out, err);
}
FN(strvalue) {
    UNUSED;
    struct gotmpl_value labels;
    return member(v, STR("Labels"), &labels, err) && member(&labels, STR("__value__"), out, err);
}

static int by_label(const void *pa, const void *pb, void *arg) {
    const struct str *name = arg;
    struct str s[2] = {{NULL, 0}, {NULL, 0}};
    const struct gotmpl_value *item[2] = {pa, pb};
    for (int k = 0; k < 2; k++) {
        struct gotmpl_value labels, l;
        struct err ignored;
        if (member(item[k], STR("Labels"), &labels, &ignored) &&
            member(&labels, *name, &l, &ignored) && l.type == GOTMPL_STR)
            s[k] = l.s;
    }
    return str_cmp(s[0], s[1]);
}
FN(sortByLabel) {
    (void)n;
    struct str name;
    if (!to_str(&v[0], &name, err))
        return false;
    if (v[1].type != GOTMPL_LIST)
        return err_set(err, ERR_BAD_INPUT, "sortByLabel expects a query's result");
    struct gotmpl_value list = gotmpl_list(c->a, v[1].n);
    if (list.type != GOTMPL_LIST)
        return arena_err(c->a, err);
    memcpy(list.items, v[1].items, v[1].n * sizeof(*list.items));
    qsort_r(list.items, list.n, sizeof(*list.items), by_label, &name);
    *out = list;
    return true;
}

FN(join) {
    (void)n;
    struct str sep;
    if (!to_str(&v[0], &sep, err))
        return false;
    if (v[1].type != GOTMPL_LIST)
        return err_set(err, ERR_BAD_INPUT, "join expects a list of strings");
    struct buf b = TEXT_INIT;
    for (size_t i = 0; i < v[1].n; i++) {
        if (i)
            buf_puts(&b, sep);
        gotmpl_print(&b, &v[1].items[i]);
    }
    return finish(c, &b, out, err);
}
FN(stringSlice) {
    *out = gotmpl_list(c->a, n);
    if (out->type != GOTMPL_LIST)
        return arena_err(c->a, err);
    if (n)
        memcpy(out->items, v, n * sizeof(*v));
    return true;
}

/* name, arguments at least, at most, function */
#define N_MAX 64
static const struct {
    const char *name;
    size_t min, max;
    tmpl_fn *fn;
} functions[] = {
    {"and", 1, N_MAX, fn_never},
    {"or", 1, N_MAX, fn_never},
    {"not", 1, 1, fn_not},
    {"len", 1, 1, fn_len},
    {"index", 1, N_MAX, fn_index},
    {"slice", 1, 3, fn_slice},
    {"print", 0, N_MAX, fn_print},
    {"println", 0, N_MAX, fn_println},
    {"printf", 1, N_MAX, fn_printf},
    {"html", 1, N_MAX, fn_html},
    {"js", 1, N_MAX, fn_js},
    {"urlquery", 1, N_MAX, fn_urlquery},
    {"eq", 2, N_MAX, fn_eq},
    {"ne", 2, 2, fn_ne},
    {"lt", 2, 2, fn_lt},
    {"le", 2, 2, fn_le},
    {"gt", 2, 2, fn_gt},
    {"ge", 2, 2, fn_ge},
    {"humanize", 1, 1, fn_humanize},
    {"humanize1024", 1, 1, fn_humanize1024},
    {"humanizeDuration", 1, 1, fn_humanizeDuration},
    {"humanizePercentage", 1, 1, fn_humanizePercentage},
    {"humanizeTimestamp", 1, 1, fn_humanizeTimestamp},
    {"toTime", 1, 1, fn_toTime},
    {"now", 0, 0, fn_now},
    {"parseDuration", 1, 1, fn_parseDuration},
    {"title", 1, 1, fn_title},
    {"toUpper", 1, 1, fn_toUpper},
    {"toLower", 1, 1, fn_toLower},
    {"trimSpace", 1, 1, fn_trimSpace},
    {"safeHtml", 1, 1, fn_safeHtml},
    {"match", 2, 2, fn_match},
    {"reReplaceAll", 3, 3, fn_reReplaceAll},
    {"stripPort", 1, 1, fn_stripPort},
    {"stripDomain", 1, 1, fn_stripDomain},
    {"graphLink", 1, 1, fn_graphLink},
    {"tableLink", 1, 1, fn_tableLink},
    {"pathPrefix", 0, 0, fn_pathPrefix},
    {"externalURL", 0, 0, fn_externalURL},
    {"args", 0, N_MAX, fn_args},
    {"query", 1, 1, fn_query},
    {"first", 1, 1, fn_first},
    {"label", 2, 2, fn_label},
    {"value", 1, 1, fn_value},
    {"strvalue", 1, 1, fn_strvalue},
    {"sortByLabel", 2, 2, fn_sortByLabel},
    {"join", 2, 2, fn_join},
    {"stringSlice", 0, N_MAX, fn_stringSlice},
};
enum { N_FUNCTIONS = sizeof(functions) / sizeof(functions[0]) };

bool tmpl_is_func(struct str name) {
    for (size_t i = 0; i < N_FUNCTIONS; i++)
        if (str_eqz(name, functions[i].name))
            return true;
    return false;
}

bool tmpl_call(const struct tmpl_call *c, struct str name, const struct gotmpl_value *args,
               size_t n, struct gotmpl_value *out, struct err *err) {
    for (size_t i = 0; i < N_FUNCTIONS; i++) {
        if (!str_eqz(name, functions[i].name))
            continue;
        if (n < functions[i].min || n > functions[i].max)
            return err_set(err, ERR_BAD_INPUT,
                           "wrong number of arguments for %s: want %zu, got %zu", functions[i].name,
                           functions[i].min, n);
        struct err e = {0};
        struct gotmpl_value v = {0};
        if (!functions[i].fn(c, args, n, &v, &e)) {
            if (err)
                *err = e;
            return err_prefix(err, "%s", functions[i].name);
        }
        *out = v;
        return true;
    }
    return err_set(err, ERR_BAD_INPUT, "function \"%.*s\" not defined", STR_FMT(name));
}
