#include "query/promql/script_testlib.h"

#include "base/timev.h"
#include "query/promql/functions.h"
#include "query/promql/lexer.h"
#include "query/promql/mem_reader_testlib.h"

#include <ctype.h>
#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { VALUES_MAX = 20000, SERIES_MAX = 512, EXPECTS_MAX = 32 };

struct value {
    bool omitted;
    double v;
    const struct fhist *hist;
};
struct described {
    struct labels labels;
    struct value *values;
    size_t n;
};
enum expect_kind {
    EXPECT_FAIL,
    EXPECT_WARN,
    EXPECT_INFO,
    EXPECT_NO_WARN,
    EXPECT_NO_INFO,
    EXPECT_ORDERED
};
struct expect {
    enum expect_kind kind;
    bool any;           /* no message given */
    struct str message; /* exact */
    struct regex *re;   /* or a pattern */
};

struct eval {
    struct str expr;
    bool range, ordered, scalar, has_string,
        raw; /* raw: a range vector expected of an instant query */
    int64_t start, end, step, at;
    struct str string;
    struct expect expects[EXPECTS_MAX];
    size_t n_expects;
    struct described series[SERIES_MAX];
    size_t n;
    size_t line;
};

struct run {
    const char *name;
    unsigned features;
    bool verbose;
    struct mem_reader mem;
    struct arena arena; /* of one command */
    struct str *lines;
    size_t n_lines, at;
    struct script_counts counts;
    struct err *err;
    char why[1024];
};

static bool broken(struct run *r, const char *what) {
    return err_set(r->err, ERR_BAD_INPUT, "%s:%zu: %s", r->name, r->at + 1, what);
}

/* Words */

static struct str next_word(struct str *s) {
    *s = str_trim(*s);
    size_t n = 0;
    while (n < s->n && !isspace((unsigned char)s->p[n]))
        n++;
    struct str w = str_sub(*s, 0, n);
    *s = str_trim(str_from_offset(*s, n));
    return w;
}

static bool duration_word(struct run *r, struct str *s, int64_t *out) {
    struct str w = next_word(s);
    bool minus = w.n && w.p[0] == '-';
    if (!duration_parse(minus ? str_from_offset(w, 1) : w, out, NULL))
        return broken(r, "expected a duration");
    if (minus)
        *out = -*out;
    return true;
}

/* Series descriptions */

static bool scan_number(struct str *s, double *out) {
    size_t n = 0;
    if (n < s->n && (s->p[n] == '+' || s->p[n] == '-'))
        n++;
    if (n + 3 <= s->n && (str_eq_nocase(str_sub(*s, n, 3), STR("inf")) ||
                          str_eq_nocase(str_sub(*s, n, 3), STR("nan")))) {
        n += 3;
    } else {
        while (n < s->n && (isdigit((unsigned char)s->p[n]) || s->p[n] == '.'))
            n++;
        if (n + 1 < s->n && (s->p[n] | 0x20) == 'e' &&
            (isdigit((unsigned char)s->p[n + 1]) || s->p[n + 1] == '-' || s->p[n + 1] == '+')) {
            n += 2;
            while (n < s->n && isdigit((unsigned char)s->p[n]))
                n++;
        }
    }
    if (!str_to_f64(str_sub(*s, 0, n), out))
        return false;
    *s = str_from_offset(*s, n);
    return true;
}

struct hist_text {
    double *buckets[2], *custom;
    size_t n[2], n_custom;
    double offset[2];
};

static bool number_list(struct run *r, struct str *s, double **out, size_t *out_n) {
    *out = ARENA_ARRAY(&r->mem.arena, double, 128);
    *out_n = 0;
    if (!*out || s->n == 0 || s->p[0] != '[')
        return false;
    *s = str_trim(str_from_offset(*s, 1));
    while (s->n && s->p[0] != ']') {
        if (*out_n == 128 || !scan_number(s, &(*out)[(*out_n)++]))
            return false;
        *s = str_trim(*s);
    }
    if (!s->n)
        return false;
    *s = str_from_offset(*s, 1);
    return true;
}

static bool hist_field(struct run *r, struct str key, struct str *s, struct fhist *h,
                       struct hist_text *t) {
    double v = 0;
    if (str_eqz(key, "buckets"))
        return number_list(r, s, &t->buckets[0], &t->n[0]);
    if (str_eqz(key, "n_buckets"))
        return number_list(r, s, &t->buckets[1], &t->n[1]);
    if (str_eqz(key, "custom_values"))
        return number_list(r, s, &t->custom, &t->n_custom);
    if (str_eqz(key, "counter_reset_hint")) {
        size_t n = 0;
        while (n < s->n && (isalpha((unsigned char)s->p[n]) || s->p[n] == '_'))
            n++;
        struct str w = str_sub(*s, 0, n);
        *s = str_from_offset(*s, n);
        h->hint = str_eqz(w, "reset")       ? FHIST_RESET
                  : str_eqz(w, "not_reset") ? FHIST_NOT_RESET
                  : str_eqz(w, "gauge")     ? FHIST_GAUGE
                                            : FHIST_UNKNOWN;
        return n > 0;
    }
    if (!scan_number(s, &v))
        return false;
    if (str_eqz(key, "schema"))
        h->schema = (int32_t)v;
    else if (str_eqz(key, "sum"))
        h->sum = v;
    else if (str_eqz(key, "count"))
        h->count = v;
    else if (str_eqz(key, "z_bucket"))
        h->zero_count = v;
    else if (str_eqz(key, "z_bucket_w"))
        h->zero_threshold = v;
    else if (str_eqz(key, "offset"))
        t->offset[0] = v;
    else if (str_eqz(key, "n_offset"))
        t->offset[1] = v;
    else
        return false;
    return true;
}

static bool set_side(struct run *r, struct fhist_side *side, const double *counts, size_t n,
                     double offset) {
    side->n = (uint32_t)n;
    side->index = ARENA_ARRAY(&r->mem.arena, int32_t, n + 1);
    side->count = ARENA_ARRAY(&r->mem.arena, double, n + 1);
    if (!side->index || !side->count)
        return false;
    for (size_t i = 0; i < n; i++) {
        side->index[i] = (int32_t)offset + (int32_t)i;
        side->count[i] = counts[i];
    }
    return true;
}

/* {{schema:1 sum:3 ...}}; s stands behind the braces afterwards. */
static struct fhist *scan_hist(struct run *r, struct str *s) {
    struct fhist *h = ARENA_NEW(&r->mem.arena, struct fhist);
    struct hist_text t = {0};
    *s = str_trim(str_from_offset(*s, 2));
    while (h && !str_starts(*s, STR("}}"))) {
        size_t colon = str_find_char(*s, ':');
        if (colon == SIZE_MAX)
            return NULL;
        struct str key = str_sub(*s, 0, colon);
        *s = str_from_offset(*s, colon + 1);
        if (!hist_field(r, key, s, h, &t))
            return NULL;
        *s = str_trim(*s);
    }
    if (!h || !set_side(r, &h->positive, t.buckets[0], t.n[0], t.offset[0]) ||
        !set_side(r, &h->negative, t.buckets[1], t.n[1], t.offset[1]))
        return NULL;
    h->custom = t.custom;
    h->n_custom = (uint32_t)t.n_custom;
    *s = str_from_offset(*s, 2);
    return h;
}

static bool scan_times(struct str *s, size_t *out) {
    *out = 0;
    if (s->n == 0 || s->p[0] != 'x')
        return false;
    size_t n = 1;
    while (n < s->n && isdigit((unsigned char)s->p[n]))
        n++;
    uint64_t v;
    if (!str_to_u64(str_sub(*s, 1, n - 1), &v) || v > VALUES_MAX)
        return false;
    *s = str_from_offset(*s, n);
    *out = (size_t)v;
    return true;
}

static bool push(struct described *d, struct value v) {
    if (d->n == VALUES_MAX)
        return false;
    d->values[d->n++] = v;
    return true;
}

static bool scan_hist_item(struct run *r, struct str *s, struct described *d) {
    struct fhist *h = scan_hist(r, s), *step = NULL;
    size_t times = 0;
    bool subtract = false;
    if (!h)
        return false;
    if (s->n > 2 && (s->p[0] == '+' || s->p[0] == '-') && s->p[1] == '{') {
        subtract = s->p[0] == '-';
        *s = str_from_offset(*s, 1);
        if (!(step = scan_hist(r, s)))
            return false;
    }
    if (s->n && s->p[0] == 'x' && !scan_times(s, &times))
        return false;
    for (size_t i = 0; i <= times; i++) {
        if (!push(d, (struct value){.hist = h}))
            return false;
        if (step && i < times) {
            struct fhist *c = fhist_copy(&r->mem.arena, h);
            if (!c || fhist_add(&r->mem.arena, c, step, subtract, NULL, NULL) != FHIST_OK)
                return false;
            h = c;
        }
    }
    return true;
}

static bool scan_item(struct run *r, struct str *s, struct described *d) {
    double v, step = 0;
    size_t times = 0;
    if (str_starts(*s, STR("{{")))
        return scan_hist_item(r, s, d);
    if (s->p[0] == '_') {
        *s = str_from_offset(*s, 1);
        times = 1;
        if (s->n && s->p[0] == 'x' && !scan_times(s, &times))
            return false;
        while (times--)
            if (!push(d, (struct value){.omitted = true}))
                return false;
        return true;
    }
    if (str_starts(*s, STR("stale"))) {
        *s = str_from_offset(*s, 5);
        v = sample_stale();
    } else if (!scan_number(s, &v)) {
        return false;
    }
    if (s->n && (s->p[0] == '+' || s->p[0] == '-') && !scan_number(s, &step))
        return false;
    if (s->n && s->p[0] == 'x' && !scan_times(s, &times))
        return false;
    for (size_t i = 0; i <= times; i++) {
        if (!push(d, (struct value){.v = v}))
            return false;
        v += i < times ? step : 0;
    }
    return true;
}

static bool describe_labels(struct run *r, struct str text, struct labels *out, struct str *rest) {
    struct pq_lexer l;
    struct labels_builder b = LABELS_BUILDER_INIT;
    pq_lexer_init(&l, text);
    struct pq_item t = pq_lex(&l);
    bool ok = true;
    if (t.token != TOK_LBRACE) {
        labels_builder_set(&b, STR(LABEL_NAME), t.text);
        if (l.pos < text.n && text.p[l.pos] == '{')
            t = pq_lex(&l);
    }
    if (t.token == TOK_LBRACE) {
        for (t = pq_lex(&l); ok && t.token != TOK_RBRACE;
             t = t.token == TOK_COMMA ? pq_lex(&l) : t) {
            struct str name = t.text, value;
            bool quoted = t.token == TOK_STRING;
            ok = (quoted && pq_unquote(t.text, &r->arena, &name)) || t.token == TOK_IDENTIFIER;
            t = pq_lex(&l);
            if (quoted && t.token != TOK_EQL) {
                labels_builder_set(&b, STR(LABEL_NAME), name);
                continue;
            }
            ok = ok && t.token == TOK_EQL;
            t = pq_lex(&l);
            ok = ok && t.token == TOK_STRING && pq_unquote(t.text, &r->arena, &value);
            if (ok)
                labels_builder_set(&b, name, value);
            t = pq_lex(&l);
        }
    }
    ok = ok && labels_copy(&r->arena, labels_builder_view(&b), out);
    labels_builder_deinit(&b);
    *rest = str_trim(str_from_offset(text, l.pos));
    return ok;
}

static bool describe(struct run *r, struct str line, struct described *d) {
    struct str rest;
    static struct value room[VALUES_MAX];
    *d = (struct described){.values = room};
    if (!describe_labels(r, line, &d->labels, &rest))
        return broken(r, "expected a series");
    while (rest.n) {
        if (!scan_item(r, &rest, d))
            return broken(r, "expected values");
        rest = str_trim(rest);
    }
    d->values = ARENA_ARRAY(&r->arena, struct value, d->n + 1);
    if (!d->values)
        return broken(r, "out of memory");
    memcpy(d->values, room, d->n * sizeof(*room));
    return true;
}

/* load */

struct classic { /* the buckets of one histogram at one time */
    double le[64], count[64];
    size_t n;
    double total, sum;
    bool has_total;
};

static bool strip(struct str name, const char *suffix, struct str *base) {
    if (!str_ends(name, str_from(suffix)))
        return false;
    *base = str_sub(name, 0, name.n - strlen(suffix));
    return true;
}

static void add_bucket(struct classic *c, double le, double count) {
    size_t at = 0;
    while (at < c->n && c->le[at] < le)
        at++;
    if ((at < c->n && c->le[at] == le) || c->n == 64)
        return;
    memmove(c->le + at + 1, c->le + at, (c->n - at) * sizeof(double));
    memmove(c->count + at + 1, c->count + at, (c->n - at) * sizeof(double));
    c->le[at] = le;
    c->count[at] = count;
    c->n++;
}

static bool store_custom(struct run *r, struct mem_series *s, int64_t ts, struct classic *c) {
    struct fhist *h = ARENA_NEW(&r->mem.arena, struct fhist);
    double *custom = ARENA_ARRAY(&r->mem.arena, double, c->n + 1);
    if (!c->has_total && c->n)
        c->total = c->count[c->n - 1];
    if (c->n == 0 || !isinf(c->le[c->n - 1]))
        add_bucket(c, HUGE_VAL, c->total);
    if (!h || !custom || !set_side(r, &h->positive, c->count, c->n, 0))
        return false;
    *h = (struct fhist){
        .schema = FHIST_CUSTOM_SCHEMA, .count = c->total, .sum = c->sum, .positive = h->positive};
    for (size_t i = c->n; i-- > 0;) {
        h->positive.count[i] -= i ? c->count[i - 1] : 0;
        if (!isinf(c->le[i]))
            custom[i] = c->le[i];
    }
    h->custom = custom;
    h->n_custom = (uint32_t)c->n - 1;
    fhist_compact(h);
    return mem_series_add(&r->mem, s, ts, 0, h);
}

static bool base_series(struct run *r, const struct described *d, struct labels *base,
                        struct str *kind) {
    static const char *const kinds[] = {"_bucket", "_sum", "_count"};
    struct str name = labels_name(d->labels), stem;
    for (size_t i = 0; i < 3; i++) {
        if (!strip(name, kinds[i], &stem))
            continue;
        struct labels_builder b = LABELS_BUILDER_INIT;
        labels_builder_reset(&b, d->labels);
        labels_builder_set(&b, STR(LABEL_NAME), stem);
        labels_builder_del(&b, STR("le"));
        bool ok = labels_copy(&r->arena, labels_builder_view(&b), base);
        labels_builder_deinit(&b);
        *kind = str_from(kinds[i]);
        return ok;
    }
    return false;
}

static bool convert(struct run *r, const struct described *all, size_t n, struct labels base,
                    int64_t step) {
    size_t steps = 0;
    struct mem_series *s = mem_reader_series(&r->mem, base);
    for (size_t k = 0; k < n; k++)
        steps = all[k].n > steps ? all[k].n : steps;
    for (size_t i = 0; s && i < steps; i++) {
        struct classic c = {0};
        bool any = false;
        for (size_t k = 0; k < n; k++) {
            struct labels mine;
            struct str kind;
            double le;
            if (i >= all[k].n || all[k].values[i].omitted || all[k].values[i].hist)
                continue;
            if (!base_series(r, &all[k], &mine, &kind) || !labels_eq(mine, base))
                continue;
            any = true;
            if (str_eqz(kind, "_sum"))
                c.sum = all[k].values[i].v;
            else if (str_eqz(kind, "_count"))
                c.total = all[k].values[i].v, c.has_total = true;
            else if (str_to_f64(labels_get(all[k].labels, STR("le")), &le))
                add_bucket(&c, le, all[k].values[i].v);
        }
        if (any && !store_custom(r, s, (int64_t)i * step, &c))
            return false;
    }
    if (s)
        mem_series_hints(&r->mem, s);
    return s != NULL;
}

static bool with_nhcb(struct run *r, const struct described *all, size_t n, int64_t step) {
    for (size_t k = 0; k < n; k++) {
        struct labels base, other;
        struct str kind;
        bool first = base_series(r, &all[k], &base, &kind);
        for (size_t i = 0; first && i < k; i++)
            first = !(base_series(r, &all[i], &other, &kind) && labels_eq(base, other));
        if (first && !convert(r, all, n, base, step))
            return broken(r, "cannot convert a classic histogram");
    }
    return true;
}

static bool run_load(struct run *r) {
    struct str line = r->lines[r->at], word = next_word(&line);
    bool nhcb = str_eqz(word, "load_with_nhcb");
    static struct described all[SERIES_MAX];
    size_t n = 0;
    int64_t step;
    if (!duration_word(r, &line, &step))
        return false;
    while (r->at + 1 < r->n_lines && r->lines[r->at + 1].n) {
        r->at++;
        if (n == SERIES_MAX || !describe(r, r->lines[r->at], &all[n]))
            return n == SERIES_MAX ? broken(r, "too many series") : false;
        struct mem_series *s = mem_reader_series(&r->mem, all[n].labels);
        if (!s)
            return broken(r, "out of memory");
        for (size_t i = 0; i < all[n].n; i++)
            if (!all[n].values[i].omitted &&
                !mem_series_add(&r->mem, s, (int64_t)i * step, all[n].values[i].v,
                                all[n].values[i].hist))
                return broken(r, "out of memory");
        mem_series_hints(&r->mem, s);
        n++;
    }
    return !nhcb || with_nhcb(r, all, n, step);
}

/* eval: reading */

static bool add_expect(struct run *r, struct eval *e, enum expect_kind kind, struct str match,
                       struct str text) {
    struct expect x = {.kind = kind, .any = match.n == 0, .message = str_trim(text)};
    if (e->n_expects == EXPECTS_MAX)
        return broken(r, "too many expect lines");
    if (str_eqz(match, "regex")) {
        x.re = regex_new(x.message, false, r->err);
        if (!x.re)
            return false;
        if (!arena_on_free(&r->arena, (void (*)(void *))regex_free, x.re))
            return broken(r, "out of memory");
    }
    if (kind == EXPECT_ORDERED)
        e->ordered = true;
    e->expects[e->n_expects++] = x;
    return true;
}

static bool read_expect(struct run *r, struct eval *e, struct str line) {
    static const char *const kinds[] = {"fail", "warn", "info", "no_warn", "no_info", "ordered"};
    next_word(&line);
    struct str word = next_word(&line), rest = line;
    if (str_eqz(word, "string")) {
        e->has_string = true;
        return pq_unquote(line, &r->arena, &e->string) || broken(r, "expected a quoted string");
    }
    if (str_eqz(word, "range")) {
        e->raw = true;
        next_word(&line);
        next_word(&line);
        if (!duration_word(r, &line, &e->start))
            return false;
        next_word(&line);
        if (!duration_word(r, &line, &e->end))
            return false;
        next_word(&line);
        e->at = e->end;
        return duration_word(r, &line, &e->step);
    }
    for (size_t i = 0; i < 6; i++) {
        if (!str_eqz(word, kinds[i]))
            continue;
        size_t colon = str_find_char(rest, ':');
        struct str match =
            colon == SIZE_MAX ? (struct str){NULL, 0} : str_trim(str_sub(rest, 0, colon));
        return add_expect(r, e, (enum expect_kind)i, match,
                          colon == SIZE_MAX ? rest : str_from_offset(rest, colon + 1));
    }
    return broken(r, "unknown expectation");
}

static bool read_head(struct run *r, struct eval *e) {
    struct str line = r->lines[r->at], word = next_word(&line), kind = next_word(&line);
    *e = (struct eval){.line = r->at + 1};
    if (str_eqz(word, "eval_fail") &&
        !add_expect(r, e, EXPECT_FAIL, (struct str){NULL, 0}, (struct str){NULL, 0}))
        return false;
    if (str_eqz(word, "eval_warn") &&
        !add_expect(r, e, EXPECT_WARN, (struct str){NULL, 0}, (struct str){NULL, 0}))
        return false;
    if (str_eqz(word, "eval_info") &&
        !add_expect(r, e, EXPECT_INFO, (struct str){NULL, 0}, (struct str){NULL, 0}))
        return false;
    e->ordered = str_eqz(word, "eval_ordered");
    e->range = str_eqz(kind, "range");
    next_word(&line); /* at | from */
    if (!duration_word(r, &line, &e->start))
        return false;
    e->at = e->start;
    if (e->range) {
        next_word(&line);
        if (!duration_word(r, &line, &e->end))
            return false;
        next_word(&line);
        if (!duration_word(r, &line, &e->step))
            return false;
    }
    e->expr = line;
    return true;
}

static bool read_eval(struct run *r, struct eval *e) {
    if (!read_head(r, e))
        return false;
    while (r->at + 1 < r->n_lines && r->lines[r->at + 1].n) {
        struct str line = r->lines[++r->at], probe = line, word = next_word(&probe);
        double v;
        if (str_eqz(word, "expect")) {
            if (!read_expect(r, e, line))
                return false;
            continue;
        }
        if (str_starts(line, STR("expected_fail_"))) {
            bool re = str_eqz(word, "expected_fail_regexp");
            e->n_expects = 0;
            if (!add_expect(r, e, EXPECT_FAIL, re ? STR("regex") : STR("msg"), probe))
                return false;
            break;
        }
        if (str_to_f64(line, &v)) {
            e->scalar = true;
            e->n = 1;
            e->series[0] =
                (struct described){.values = ARENA_ARRAY(&r->arena, struct value, 1), .n = 1};
            e->series[0].values[0].v = v;
            break;
        }
        if (e->n == SERIES_MAX)
            return broken(r, "too many expected series");
        if (!describe(r, line, &e->series[e->n++]))
            return false;
    }
    return true;
}

/* eval: comparing */

static bool wrong(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool wrong(struct run *r, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(r->why, sizeof(r->why), fmt, ap);
    va_end(ap);
    return false;
}

static bool almost(double a, double b) {
    if (sample_is_stale(a) || sample_is_stale(b))
        return sample_is_stale(a) && sample_is_stale(b);
    if ((isnan(a) && isnan(b)) || a == b)
        return true;
    double sum = fabs(a) + fabs(b), diff = fabs(a - b);
    if (a == 0 || b == 0 || sum < DBL_MIN)
        return diff < 1e-6 * DBL_MIN;
    return diff / (sum < DBL_MAX ? sum : DBL_MAX) < 1e-6;
}

static bool side_almost(const struct fhist_side *a, const struct fhist_side *b) {
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->index[i] != b->index[i] || !almost(a->count[i], b->count[i]))
            return false;
    return true;
}

static bool hist_almost(struct run *r, const struct fhist *want, const struct fhist *got) {
    struct fhist *a = fhist_copy(&r->arena, want), *b = fhist_copy(&r->arena, got);
    if (!a || !b)
        return false;
    fhist_compact(a);
    fhist_compact(b);
    bool same = a->schema == b->schema && almost(a->count, b->count) && almost(a->sum, b->sum) &&
                a->zero_threshold == b->zero_threshold && almost(a->zero_count, b->zero_count) &&
                a->n_custom == b->n_custom;
    for (uint32_t i = 0; same && i < a->n_custom; i++)
        same = a->custom[i] == b->custom[i];
    return same && side_almost(&a->positive, &b->positive) &&
           side_almost(&a->negative, &b->negative);
}

static const char *show(struct run *r, struct labels ls) {
    struct buf b = BUF_INIT;
    labels_format(&b, ls);
    const char *z = arena_strz(&r->arena, buf_view(&b));
    buf_deinit(&b);
    return z ? z : "?";
}

static const char *show_hist(struct run *r, const struct fhist *h) {
    struct buf b = BUF_INIT;
    if (h)
        fhist_format(&b, h);
    const char *z = arena_strz(&r->arena, buf_view(&b));
    buf_deinit(&b);
    return z ? z : "?";
}

static bool compare_point(struct run *r, struct labels ls, const struct value *want,
                          const struct promql_point *got) {
    if (!want->hist != !got->hist)
        return wrong(r, "%s: expected a %s, got a %s", show(r, ls),
                     want->hist ? "histogram" : "float", got->hist ? "histogram" : "float");
    if (want->hist && !hist_almost(r, want->hist, got->hist))
        return wrong(r, "%s: expected %s, got %s", show(r, ls), show_hist(r, want->hist),
                     show_hist(r, got->hist));
    if (!want->hist && !almost(want->v, got->value))
        return wrong(r, "%s at %lld: expected %.17g, got %.17g", show(r, ls), (long long)got->ts_ms,
                     want->v, got->value);
    return true;
}

/* The last description of a label set counts, as in the original. */
static const struct described *expected_of(const struct eval *e, struct labels ls,
                                           size_t *out_pos) {
    for (size_t i = e->n; i-- > 0;)
        if (labels_eq(e->series[i].labels, ls)) {
            *out_pos = i;
            return &e->series[i];
        }
    return NULL;
}

static bool compare_series(struct run *r, const struct eval *e, const struct promql_series *s) {
    size_t pos, at = 0;
    const struct described *d = expected_of(e, s->labels, &pos);
    if (!d)
        return wrong(r, "unexpected series %s, first value %g", show(r, s->labels),
                     s->points[0].value);
    for (size_t i = 0; i < d->n; i++) {
        if (d->values[i].omitted)
            continue;
        int64_t ts = e->start + (int64_t)i * e->step;
        if (at == s->n || s->points[at].ts_ms != ts)
            return wrong(r, "%s: expected a point at %lld, got %s (%lld)", show(r, s->labels),
                         (long long)ts, at == s->n ? "none" : "another",
                         at == s->n ? 0 : (long long)s->points[at].ts_ms);
        if (!compare_point(r, s->labels, &d->values[i], &s->points[at++]))
            return false;
    }
    return at == s->n || wrong(r, "%s: %zu points, expected %zu", show(r, s->labels), s->n, at);
}

static bool all_found(struct run *r, const struct eval *e, const struct promql_series *s,
                      size_t n) {
    for (size_t i = 0; i < e->n; i++) {
        bool found = false;
        for (size_t k = 0; k < n && !found; k++)
            found = labels_eq(s[k].labels, e->series[i].labels);
        if (!found)
            return wrong(r, "expected series %s not found", show(r, e->series[i].labels));
    }
    return true;
}

static bool compare_matrix(struct run *r, const struct eval *e, const struct promql_result *res) {
    if (e->scalar)
        return wrong(r, "expected a scalar, got a matrix");
    for (size_t k = 0; k < res->n_series; k++) {
        if (k && labels_cmp(res->series[k - 1].labels, res->series[k].labels) > 0)
            return wrong(r, "result is not sorted");
        if (!compare_series(r, e, &res->series[k]))
            return false;
    }
    return all_found(r, e, res->series, res->n_series);
}

static bool compare_vector(struct run *r, const struct eval *e, const struct promql_series *s,
                           size_t n, bool check_order) {
    if (e->scalar)
        return wrong(r, "expected a scalar, got a vector");
    for (size_t k = 0; k < n; k++) {
        size_t pos;
        const struct described *d = expected_of(e, s[k].labels, &pos);
        if (!d)
            return wrong(r, "unexpected series %s, value %g", show(r, s[k].labels),
                         s[k].points[0].value);
        if (check_order && e->ordered && pos != k)
            return wrong(r, "%s is at position %zu, expected %zu", show(r, s[k].labels), k + 1,
                         pos + 1);
        if (d->n == 0 || !compare_point(r, s[k].labels, &d->values[0], &s[k].points[0]))
            return d->n ? false : wrong(r, "no value expected for %s", show(r, s[k].labels));
    }
    return all_found(r, e, s, n);
}

static bool compare(struct run *r, const struct eval *e, const struct promql_result *res) {
    if (res->type == PROMQL_STRING)
        return e->has_string ? str_eq(e->string, res->string) || wrong(r, "expected another string")
                             : wrong(r, "got a string");
    if (res->type == PROMQL_SCALAR)
        return e->scalar ? almost(e->series[0].values[0].v, res->scalar) ||
                               wrong(r, "expected %.17g, got %.17g", e->series[0].values[0].v,
                                     res->scalar)
                         : wrong(r, "got a scalar");
    if (res->type == PROMQL_MATRIX)
        return compare_matrix(r, e, res);
    return compare_vector(r, e, res->series, res->n_series, true);
}

static struct str without_position(struct str s) {
    size_t n = s.n;
    if (n && s.p[n - 1] == ')')
        while (n && s.p[n - 1] != '(')
            n--;
    return n > 2 ? str_sub(s, 0, n - 2) : s;
}

static bool expect_matches(const struct expect *x, struct str text) {
    if (x->any)
        return true;
    if (!x->re)
        return str_eq(x->message, text);
    return regex_match(x->re, text);
}

static bool check_notes_of(struct run *r, const struct eval *e, enum expect_kind want,
                           enum expect_kind ban, const struct str *v, size_t n) {
    bool any = false;
    for (size_t i = 0; i < e->n_expects; i++) {
        const struct expect *x = &e->expects[i];
        if (x->kind == ban && n)
            return wrong(r, "unexpected annotation: %.*s", STR_FMT(v[0]));
        if (x->kind != want)
            continue;
        any = true;
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found |= expect_matches(x, without_position(v[k]));
        if (!found)
            return wrong(r, "expected annotation \"%.*s\", got %zu: %.*s", STR_FMT(x->message), n,
                         n ? (int)v[0].n : 0, n ? v[0].p : "");
    }
    for (size_t k = 0; any && k < n; k++) {
        bool found = false;
        for (size_t i = 0; i < e->n_expects; i++)
            found |= e->expects[i].kind == want &&
                     expect_matches(&e->expects[i], without_position(v[k]));
        if (!found)
            return wrong(r, "unexpected annotation: %.*s", STR_FMT(v[k]));
    }
    return true;
}

static bool check_notes(struct run *r, const struct eval *e, const struct promql_notes *n) {
    return check_notes_of(r, e, EXPECT_WARN, EXPECT_NO_WARN, n->warnings, n->n_warnings) &&
           check_notes_of(r, e, EXPECT_INFO, EXPECT_NO_INFO, n->infos, n->n_infos);
}

static const struct expect *failure_of(const struct eval *e) {
    for (size_t i = 0; i < e->n_expects; i++)
        if (e->expects[i].kind == EXPECT_FAIL)
            return &e->expects[i];
    return NULL;
}

/* eval: running */

static bool check_error(struct run *r, const struct eval *e, const struct err *err) {
    const struct expect *x = failure_of(e);
    if (!x)
        return wrong(r, "%s", err->message);
    return expect_matches(x, str_from(err->message)) ||
           wrong(r, "expected error \"%.*s\", got: %s", STR_FMT(x->message), err->message);
}

/* Around the instant, as a range: the middle step must give the same. */
static bool run_as_range(struct run *r, const struct eval *e, const struct promql_expr *x,
                         int64_t at, const struct promql_options *opt) {
    struct reader reader = mem_reader_view(&r->mem);
    struct promql_result res;
    struct err err;
    if (!promql_eval(x, &reader, at - 60000, at + 60000, 60000, opt, &res, &err))
        return wrong(r, "in range mode: %s", err.message);
    if (e->ordered) {
        promql_result_deinit(&res);
        return true;
    }
    size_t n = 0;
    bool ok;
    for (size_t k = 0; k < res.n_series; k++)
        for (size_t i = 0; i < res.series[k].n; i++)
            if (res.series[k].points[i].ts_ms == at) {
                struct promql_point p = res.series[k].points[i];
                res.series[n] = res.series[k];
                res.series[n].points[0] = p;
                res.series[n++].n = 1;
                break;
            }
    if (e->scalar)
        ok = n == 1 ? almost(e->series[0].values[0].v, res.series[0].points[0].value) ||
                          wrong(r, "another scalar")
                    : wrong(r, "no scalar");
    else
        ok = compare_vector(r, e, res.series, n, false);
    if (!ok) {
        char text[sizeof(r->why)];
        memcpy(text, r->why, sizeof(text));
        (void)snprintf(r->why, sizeof(r->why), "in range mode: %.900s", text);
    }
    promql_result_deinit(&res);
    return ok;
}

static bool run_instant(struct run *r, const struct eval *e, const struct promql_expr *x,
                        int64_t at, const struct promql_options *opt) {
    struct reader reader = mem_reader_view(&r->mem);
    struct promql_result res;
    struct err err;
    if (!promql_eval(x, &reader, at, at, 0, opt, &res, &err))
        return check_error(r, e, &err);
    bool ok = failure_of(e) ? wrong(r, "expected an error, got none")
                            : check_notes(r, e, &res.notes) && compare(r, e, &res);
    promql_result_deinit(&res);
    return ok && (e->raw || e->has_string || failure_of(e) || run_as_range(r, e, x, at, opt));
}

/* Pins every selector outside subqueries to a time; false when the time matters otherwise. */
static bool pin(struct promql_expr *e, int64_t at) {
    struct pq_time_mods *m = NULL;
    bool ok = true;
    switch ((int)e->kind) {
    case PQ_SELECTOR:
        m = &e->u.selector.mods;
        break;
    case PQ_MATRIX:
        m = &e->u.matrix.selector->u.selector.mods;
        break;
    case PQ_SUBQUERY:
        m = &e->u.subquery.mods;
        break;
    case PQ_CALL:
        ok = !e->u.call.fn->unsafe;
        for (size_t i = 0; i < e->u.call.n_args; i++)
            ok = pin(e->u.call.args[i], at) && ok;
        break;
    case PQ_AGGREGATE:
        ok = (!e->u.aggregate.param || pin(e->u.aggregate.param, at)) &&
             pin(e->u.aggregate.expr, at);
        break;
    case PQ_BINARY:
        ok = pin(e->u.binary.lhs, at) && pin(e->u.binary.rhs, at);
        break;
    case PQ_UNARY:
        return pin(e->u.unary.expr, at);
    case PQ_PAREN:
        return pin(e->u.paren, at);
    default:
        break;
    }
    if (m && m->at != PQ_AT_TIME) {
        m->at = PQ_AT_TIME;
        m->at_ms = at;
    }
    return ok;
}

static bool has_unsafe(const struct promql_expr *e) {
    switch ((int)e->kind) {
    case PQ_CALL:
        if (e->u.call.fn->unsafe)
            return true;
        for (size_t i = 0; i < e->u.call.n_args; i++)
            if (has_unsafe(e->u.call.args[i]))
                return true;
        return false;
    case PQ_AGGREGATE:
        return (e->u.aggregate.param && has_unsafe(e->u.aggregate.param)) ||
               has_unsafe(e->u.aggregate.expr);
    case PQ_BINARY:
        return has_unsafe(e->u.binary.lhs) || has_unsafe(e->u.binary.rhs);
    case PQ_UNARY:
        return has_unsafe(e->u.unary.expr);
    case PQ_PAREN:
        return has_unsafe(e->u.paren);
    default:
        return false;
    }
}

static bool run_pinned(struct run *r, const struct eval *e, const struct promql_options *opt) {
    struct err err;
    struct promql_expr *x = promql_parse(e->expr, r->features, &r->arena, &err), *again;
    if (!x || has_unsafe(x) || !pin(x, e->at))
        return true;
    struct buf b = BUF_INIT;
    promql_print(x, &b);
    again = promql_parse(buf_view(&b), r->features, &r->arena, &err);
    char text[200];
    (void)snprintf(text, sizeof(text), "%.*s", (int)(b.n > 199 ? 199 : b.n), b.p);
    buf_deinit(&b);
    if (!again)
        return wrong(r, "printed as %s: %s", text, err.message);
    const int64_t at = e->at,
                  times[] = {-10 * at, at == 0 ? -1000 : 0, at == 0 ? 1000 : at / 5, at, 10 * at};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (!run_instant(r, e, again, times[i], opt)) {
            char why[500];
            (void)snprintf(why, sizeof(why), "%.499s", r->why);
            return wrong(r, "%s at %lld: %s", text, (long long)times[i], why);
        }
    return true;
}

static bool run_range(struct run *r, const struct eval *e, const struct promql_expr *x,
                      const struct promql_options *opt) {
    struct reader reader = mem_reader_view(&r->mem);
    struct promql_result res;
    struct err err;
    if (!promql_eval(x, &reader, e->start, e->end, e->step, opt, &res, &err))
        return check_error(r, e, &err);
    bool ok = failure_of(e) ? wrong(r, "expected an error, got none")
                            : check_notes(r, e, &res.notes) && compare(r, e, &res);
    promql_result_deinit(&res);
    return ok;
}

/* Which evals are about floats alone */

struct touch {
    struct run *r;
    bool hist;
};
static void touches(void *arg, const struct matcher *m, size_t n, int64_t range_ms) {
    struct touch *t = arg;
    (void)range_ms;
    for (size_t i = 0; i < t->r->mem.n; i++)
        if (t->r->mem.series[i]->hist && matchers_match(m, n, t->r->mem.series[i]->labels))
            t->hist = true;
}

static bool float_only(struct run *r, const struct eval *e, const struct promql_expr *x) {
    struct touch t = {r, false};
    promql_selectors(x, touches, &t);
    for (size_t i = 0; i < e->n && !t.hist; i++)
        for (size_t k = 0; k < e->series[i].n; k++)
            t.hist |= e->series[i].values[k].hist != NULL;
    return !t.hist;
}

static bool run_eval(struct run *r) {
    static struct eval e;
    struct promql_options opt = {.features = r->features};
    struct err err;
    if (!read_eval(r, &e))
        return false;
    r->why[0] = 0;
    struct promql_expr *x = promql_parse(e.expr, r->features, &r->arena, &err);
    bool floats = !x || float_only(r, &e, x), ok;
    if (!x)
        ok = check_error(r, &e, &err);
    else if (e.range)
        ok = run_range(r, &e, x, &opt);
    else
        ok = run_instant(r, &e, x, e.at, &opt) && (failure_of(&e) || run_pinned(r, &e, &opt));
    r->counts.evals++;
    r->counts.passed += ok;
    r->counts.float_evals += floats;
    r->counts.float_passed += floats && ok;
    if (!ok && r->verbose)
        printf("%s:%zu: %s%.*s\n    %s\n", r->name, e.line, floats ? "" : "[histograms] ",
               STR_FMT(e.expr), r->why);
    return true;
}

static bool split(struct run *r, struct str text) {
    struct str head, rest = text;
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    r->lines = calloc(n + 1, sizeof(*r->lines));
    if (!r->lines)
        return err_set(r->err, ERR_INTERNAL, "out of memory");
    while (str_next(&rest, '\n', &head)) {
        struct str line = str_trim(head);
        if (line.n && line.p[0] == '#')
            line.n = 0;
        r->lines[r->n_lines++] = line;
    }
    return true;
}

bool script_run(struct str text, const char *name, unsigned features, bool verbose,
                struct script_counts *out, struct err *err) {
    struct run r = {.name = name, .features = features, .verbose = verbose, .err = err};
    mem_reader_init(&r.mem, (size_t)1 << 30);
    bool ok = split(&r, text);
    for (; ok && r.at < r.n_lines; r.at++) {
        struct str line = r.lines[r.at], rest = line, word = next_word(&rest);
        if (line.n == 0)
            continue;
        if (str_eqz(word, "clear"))
            mem_reader_clear(&r.mem);
        else if (str_starts(word, STR("load")))
            ok = run_load(&r);
        else if (str_starts(word, STR("eval")))
            ok = run_eval(&r);
        else
            ok = broken(&r, "unknown command");
        arena_reset(&r.arena);
    }
    *out = r.counts;
    free(r.lines);
    arena_deinit(&r.arena);
    mem_reader_deinit(&r.mem);
    return ok;
}
