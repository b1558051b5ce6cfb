/* label_replace, label_join and the sorts. */
#include "query/promql/eval.h"

#include <ctype.h>
#include <stdlib.h>

static bool string_arg(struct pq_ev *ev, const struct promql_expr *e, size_t i, struct str *out) {
    const struct promql_expr *a = pq_unparen(e->u.call.args[i]);
    if (a->kind != PQ_STRING)
        return pq_failf(ev, "expected a string literal in call to %s", e->u.call.fn->name);
    *out = a->u.string;
    return true;
}

static bool label_name_is_valid(struct str name) {
    return name.n > 0 && str_is_utf8(name);
}

static bool set_label(struct pq_ev *ev, struct pq_series *s, struct str name, struct str value) {
    struct labels_builder b = LABELS_BUILDER_INIT;
    labels_builder_reset(&b, s->labels);
    labels_builder_set(&b, name, value);
    bool ok = !b.failed && labels_copy(ev->arena, labels_builder_view(&b), &s->labels);
    labels_builder_deinit(&b);
    if (str_eq(name, STR(LABEL_NAME)))
        s->drop_name = false;
    return ok || pq_no_memory(ev);
}

static bool replace(struct pq_ev *ev, struct pq_matrix *m, const struct regex *re, struct str dst,
                    struct str replacement, struct str src) {
    struct buf b = BUF_INIT_MAX(1 << 20);
    bool ok = true;
    for (size_t k = 0; k < m->n && ok; k++) {
        struct str value = labels_get(m->s[k].labels, src);
        buf_reset(&b);
        if (!regex_expand(re, value, replacement, &b))
            continue;
        ok = buf_ok(&b) ? set_label(ev, &m->s[k], dst, buf_view(&b)) : pq_no_memory(ev);
    }
    buf_deinit(&b);
    return ok;
}

static bool call_label_replace(struct pq_ev *ev, const struct pq_grid *g,
                               const struct promql_expr *e, struct pq_matrix *m) {
    struct str dst, replacement, src, pattern;
    if (!string_arg(ev, e, 1, &dst) || !string_arg(ev, e, 2, &replacement) ||
        !string_arg(ev, e, 3, &src) || !string_arg(ev, e, 4, &pattern))
        return false;
    struct err ignored;
    struct regex *re = regex_new(pattern, true, &ignored);
    if (!re)
        return pq_failf(ev, "invalid regular expression in label_replace(): %.*s",
                        STR_FMT(pattern));
    bool ok = label_name_is_valid(dst) ||
              pq_failf(ev, "invalid destination label name in label_replace(): %.*s", STR_FMT(dst));
    ok = ok && pq_eval(ev, g, e->u.call.args[0], m) && replace(ev, m, re, dst, replacement, src);
    regex_free(re);
    return ok && pq_merge_same(ev, g, m);
}

static bool call_label_join(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                            struct pq_matrix *m) {
    struct str dst, separator, src;
    if (!string_arg(ev, e, 1, &dst) || !string_arg(ev, e, 2, &separator))
        return false;
    for (size_t i = 3; i < e->u.call.n_args; i++) {
        if (!string_arg(ev, e, i, &src))
            return false;
        if (!label_name_is_valid(src))
            return pq_failf(ev, "invalid source label name in label_join(): %.*s", STR_FMT(src));
    }
    if (!label_name_is_valid(dst))
        return pq_failf(ev, "invalid destination label name in label_join(): %.*s", STR_FMT(dst));
    if (!pq_eval(ev, g, e->u.call.args[0], m))
        return false;
    struct buf b = BUF_INIT_MAX(1 << 20);
    bool ok = true;
    for (size_t k = 0; k < m->n && ok; k++) {
        buf_reset(&b);
        for (size_t i = 3; i < e->u.call.n_args && string_arg(ev, e, i, &src); i++) {
            if (i > 3)
                buf_puts(&b, separator);
            buf_puts(&b, labels_get(m->s[k].labels, src));
        }
        ok = buf_ok(&b) ? set_label(ev, &m->s[k], dst, buf_view(&b)) : pq_no_memory(ev);
    }
    buf_deinit(&b);
    return ok && pq_merge_same(ev, g, m);
}

bool pq_label_call(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                   struct pq_matrix *m) {
    return e->u.call.fn->id == PQ_FN_label_replace ? call_label_replace(ev, g, e, m)
                                                   : call_label_join(ev, g, e, m);
}

/* Sorting matters for instant queries only: a range's result is in label order anyway. */

static int by_value(const void *a, const void *b) {
    double x = ((const struct pq_series *)a)->v[0], y = ((const struct pq_series *)b)->v[0];
    bool nx = isnan(x), ny = isnan(y);
    if (nx || ny)
        return (int)nx - (int)ny; /* NaN last */
    return x < y ? -1 : x > y;
}

static int by_value_desc(const void *a, const void *b) {
    double x = ((const struct pq_series *)a)->v[0], y = ((const struct pq_series *)b)->v[0];
    bool nx = isnan(x), ny = isnan(y);
    if (nx || ny)
        return (int)nx - (int)ny;
    return x > y ? -1 : x < y;
}

/* "a2" before "a10": runs of digits compare as numbers. */
static int natural_cmp(struct str a, struct str b) {
    size_t i = 0, k = 0;
    while (i < a.n && k < b.n) {
        bool da = isdigit((unsigned char)a.p[i]), db = isdigit((unsigned char)b.p[k]);
        if (!da || !db) {
            if (a.p[i] != b.p[k])
                return (unsigned char)a.p[i] < (unsigned char)b.p[k] ? -1 : 1;
            i++;
            k++;
            continue;
        }
        while (i < a.n && a.p[i] == '0')
            i++;
        while (k < b.n && b.p[k] == '0')
            k++;
        size_t ie = i, ke = k;
        while (ie < a.n && isdigit((unsigned char)a.p[ie]))
            ie++;
        while (ke < b.n && isdigit((unsigned char)b.p[ke]))
            ke++;
        if (ie - i != ke - k)
            return ie - i < ke - k ? -1 : 1;
        int c = str_cmp(str_sub(a, i, ie - i), str_sub(b, k, ke - k));
        if (c)
            return c;
        i = ie;
        k = ke;
    }
    if (a.n - i != b.n - k)
        return a.n - i < b.n - k ? -1 : 1;
    return str_cmp(a, b);
}

struct label_order { /* qsort has no argument: each element carries its own */
    struct pq_series s;
    const struct str *names;
    size_t n;
};

static int by_labels(const void *a, const void *b) {
    const struct label_order *x = a, *y = b;
    for (size_t i = 0; i < x->n; i++) {
        struct str v = labels_get(x->s.labels, x->names[i]),
                   w = labels_get(y->s.labels, x->names[i]);
        if (!str_eq(v, w))
            return natural_cmp(v, w);
    }
    return labels_cmp(x->s.labels, y->s.labels);
}

static bool sort_by_labels(struct pq_ev *ev, const struct promql_expr *e, struct pq_matrix *m,
                           bool descending) {
    size_t n = e->u.call.n_args - 1;
    struct str *names = ARENA_ARRAY(ev->arena, struct str, n);
    struct label_order *o = ARENA_ARRAY(ev->arena, struct label_order, m->n);
    if (!names || !o)
        return pq_no_memory(ev);
    for (size_t i = 0; i < n; i++)
        if (!string_arg(ev, e, i + 1, &names[i]))
            return false;
    for (size_t k = 0; k < m->n; k++)
        o[k] = (struct label_order){m->s[k], names, n};
    if (m->n)
        qsort(o, m->n, sizeof(*o), by_labels);
    for (size_t k = 0; k < m->n; k++)
        m->s[descending ? m->n - 1 - k : k] = o[k].s;
    return true;
}

bool pq_sort_call(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                  struct pq_matrix *m) {
    enum pq_fn id = e->u.call.fn->id;
    if (!pq_eval(ev, g, e->u.call.args[0], m))
        return false;
    if (id == PQ_FN_sort_by_label || id == PQ_FN_sort_by_label_desc)
        return g->n > 1 || sort_by_labels(ev, e, m, id == PQ_FN_sort_by_label_desc);
    for (size_t k = 0; k < m->n; k++) {
        for (size_t i = 0; i < g->n; i++)
            if (pq_is_hist(&m->s[k], i))
                m->s[k].v[i] = sample_stale();
        m->s[k].hist = NULL;
    }
    if (g->n == 1 && m->n > 1) {
        size_t n = 0; /* what has no value must not take part */
        for (size_t k = 0; k < m->n; k++)
            if (!pq_absent(m->s[k].v[0]))
                m->s[n++] = m->s[k];
        m->n = n;
        qsort(m->s, m->n, sizeof(*m->s), id == PQ_FN_sort ? by_value : by_value_desc);
    }
    return true;
}
