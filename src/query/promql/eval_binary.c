/* Binary operators: signatures are worked out once a series, then the columns are combined. */
#include "query/promql/eval.h"

#include <stdlib.h>

static double arithmetic(enum pq_op op, double l, double r) {
    switch ((int)op) {
    case PQ_ADD:
        return l + r;
    case PQ_SUB:
        return l - r;
    case PQ_MUL:
        return l * r;
    case PQ_DIV:
        return l / r;
    case PQ_POW:
        return pow(l, r);
    case PQ_MOD:
        return fmod(l, r);
    default:
        return atan2(l, r);
    }
}

static bool compare(enum pq_op op, double l, double r) {
    switch ((int)op) {
    case PQ_EQLC:
        return l == r;
    case PQ_NEQ:
        return l != r;
    case PQ_GTR:
        return l > r;
    case PQ_LSS:
        return l < r;
    case PQ_GTE:
        return l >= r;
    default:
        return l <= r;
    }
}

bool pq_binary_scalars(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                       double **out) {
    double *l, *r;
    enum pq_op op = e->u.binary.op;
    if (!pq_eval_scalar(ev, g, e->u.binary.lhs, &l) || !pq_eval_scalar(ev, g, e->u.binary.rhs, &r))
        return false;
    double *v = arena_alloc(ev->arena, g->n * sizeof(*v));
    if (!v)
        return pq_no_memory(ev);
    for (size_t i = 0; i < g->n; i++)
        v[i] = pq_op_is_comparison(op) ? (compare(op, l[i], r[i]) ? 1 : 0)
                                       : arithmetic(op, l[i], r[i]);
    *out = v;
    return true;
}

/* One element; histograms included */

struct element {
    double v;
    const struct fhist *hist;
};

static const char *kind(const struct fhist *h) {
    return h ? "histogram" : "float";
}

static bool note_types(struct pq_ev *ev, const struct promql_expr *e, struct element l,
                       struct element r) {
    return pq_note(ev, PQ_NOTE_BIN_TYPES, e, str_from(pq_op_name(e->u.binary.op)),
                   str_from(kind(l.hist)), str_from(kind(r.hist)));
}

static bool scaled(struct pq_ev *ev, const struct fhist *h, double by, bool divide,
                   struct element *out) {
    struct fhist *c = fhist_copy(ev->arena, h);
    if (!c)
        return pq_no_memory(ev);
    if (divide)
        fhist_divide(c, by);
    else
        fhist_scale(c, by);
    fhist_compact(c);
    *out = (struct element){0, c};
    return true;
}

static bool combine_hists(struct pq_ev *ev, const struct promql_expr *e, const struct fhist *l,
                          const struct fhist *r, struct element *out, bool *keep) {
    static const struct str none;
    bool subtract = e->u.binary.op == PQ_SUB, collision = false, reconciled = false;
    struct str operation = subtract ? STR("subtraction") : STR("addition");
    struct fhist *c = fhist_copy(ev->arena, l);
    if (!c)
        return pq_no_memory(ev);
    enum fhist_result result = fhist_add(ev->arena, c, r, subtract, &collision, &reconciled);
    if (result == FHIST_NO_MEMORY)
        return pq_no_memory(ev);
    *keep = result == FHIST_OK;
    if (!*keep)
        return pq_note(ev, PQ_NOTE_BIN_LAYOUT, e, none, str_from(pq_op_name(e->u.binary.op)), none);
    if (subtract)
        c->hint = FHIST_GAUGE;
    fhist_compact(c);
    *out = (struct element){0, c};
    if (collision) { /* told, and no result */
        *keep = false;
        return pq_note(ev, PQ_NOTE_RESET_COLLISION, e, none, operation, none);
    }
    return !reconciled || pq_note(ev, PQ_NOTE_BOUNDS_RECONCILED, e, none, operation, none);
}

/* *valid: the operation is possible; *keep: the comparison holds. Only with a histogram on one side
 * at least. */
static bool hist_element(struct pq_ev *ev, const struct promql_expr *e, struct element l,
                         struct element r, struct element *out, bool *keep, bool *valid) {
    enum pq_op op = e->u.binary.op;
    *keep = *valid = true;
    if (l.hist && r.hist) {
        if (op == PQ_ADD || op == PQ_SUB) {
            bool ok = combine_hists(ev, e, l.hist, r.hist, out, keep);
            *valid = *keep;
            return ok;
        }
        if (op == PQ_EQLC || op == PQ_NEQ) {
            *out = l;
            *keep = fhist_equal(l.hist, r.hist) == (op == PQ_EQLC);
            return true;
        }
    } else if (op == PQ_MUL) {
        return scaled(ev, l.hist ? l.hist : r.hist, l.hist ? r.v : l.v, false, out);
    } else if (op == PQ_DIV && l.hist) {
        return scaled(ev, l.hist, r.v, true, out);
    }
    *valid = *keep = false;
    return note_types(ev, e, l, r);
}

/* Vector and scalar */

struct vs {
    struct pq_ev *ev;
    const struct pq_grid *g;
    const struct promql_expr *e;
    const double *scalar;
    bool swapped; /* the scalar is on the left */
};

static bool vs_hist(const struct vs *q, struct pq_series *s, size_t i) {
    const struct promql_expr *e = q->e;
    struct element v = {0, s->hist[i]}, n = {q->scalar[i], NULL}, out = {0, NULL};
    bool keep, valid;
    if (!hist_element(q->ev, e, q->swapped ? n : v, q->swapped ? v : n, &out, &keep, &valid))
        return false;
    s->hist[i] = NULL;
    s->v[i] = sample_stale();
    if (!valid || !keep)
        return true;
    s->v[i] = 0;
    s->hist[i] = out.hist;
    return true;
}

static void vs_column(const struct vs *q, double *v, const struct fhist *const *hist) {
    enum pq_op op = q->e->u.binary.op;
    bool as_bool = q->e->u.binary.return_bool;
    if (!pq_op_is_comparison(op)) {
        for (size_t i = 0; i < q->g->n; i++)
            if (!pq_absent(v[i]) && !(hist && hist[i]))
                v[i] = q->swapped ? arithmetic(op, q->scalar[i], v[i])
                                  : arithmetic(op, v[i], q->scalar[i]);
        return;
    }
    for (size_t i = 0; i < q->g->n; i++) {
        if (pq_absent(v[i]) || (hist && hist[i]))
            continue;
        bool yes = q->swapped ? compare(op, q->scalar[i], v[i]) : compare(op, v[i], q->scalar[i]);
        if (as_bool)
            v[i] = yes ? 1 : 0;
        else if (!yes)
            v[i] = sample_stale();
    }
}

static bool vector_scalar(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                          struct pq_matrix *m) {
    bool swapped = e->u.binary.lhs->type == PROMQL_SCALAR, renames;
    struct vs q = {ev, g, e, NULL, swapped};
    double *scalar;
    if (!pq_eval_scalar(ev, g, swapped ? e->u.binary.lhs : e->u.binary.rhs, &scalar) ||
        !pq_eval(ev, g, swapped ? e->u.binary.rhs : e->u.binary.lhs, m))
        return false;
    q.scalar = scalar;
    renames = !pq_op_is_comparison(e->u.binary.op) || e->u.binary.return_bool;
    for (size_t k = 0; k < m->n; k++) {
        struct pq_series *s = &m->s[k];
        if (!pq_tick(ev))
            return false;
        vs_column(&q, s->v, s->hist);
        for (size_t i = 0; s->hist && i < g->n; i++)
            if (s->hist[i] && !vs_hist(&q, s, i))
                return false;
        if (renames && !pq_mark_name(ev, s))
            return false;
    }
    return !renames || ev->delayed_names || pq_merge_same(ev, g, m);
}

/* Signatures: series of both sides with equal matching labels get the same number. */

struct sides {
    struct pq_matrix m[2]; /* left, right */
    uint32_t *sig[2];      /* per series */
    uint32_t n_sigs;
    struct pq_index index;
};

static int by_name(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static bool matching_of(struct pq_ev *ev, const struct promql_expr *e, struct pq_grouping *gr) {
    gr->n = e->u.binary.n_labels + (e->u.binary.on ? 0 : 1);
    gr->without = !e->u.binary.on;
    gr->names = ARENA_ARRAY(ev->arena, struct str, gr->n);
    if (!gr->names)
        return pq_no_memory(ev);
    for (size_t i = 0; i < e->u.binary.n_labels; i++)
        gr->names[i] = e->u.binary.labels[i];
    if (!e->u.binary.on)
        gr->names[gr->n - 1] = STR(LABEL_NAME);
    if (gr->n > 1)
        qsort(gr->names, gr->n, sizeof(*gr->names), by_name);
    return true;
}

static bool sign(struct pq_ev *ev, const struct pq_grouping *gr, struct sides *s, int side) {
    struct pq_matrix *m = &s->m[side];
    s->sig[side] = ARENA_ARRAY(ev->arena, uint32_t, m->n);
    if (!s->sig[side])
        return pq_no_memory(ev);
    struct label *tmp = NULL;
    size_t cap = 0;
    for (size_t k = 0; k < m->n; k++) {
        if (m->s[k].labels.n > cap) {
            cap = m->s[k].labels.n * 2u;
            tmp = ARENA_ARRAY(ev->arena, struct label, cap);
            if (!tmp)
                return pq_no_memory(ev);
        }
        bool added;
        struct labels key = pq_group_labels(gr, m->s[k].labels, tmp);
        uint32_t at = pq_index_find(&s->index, key);
        if (at == UINT32_MAX) {
            struct label *copy = arena_alloc(ev->arena, key.n * sizeof(*copy));
            if (!copy)
                return pq_no_memory(ev);
            if (key.n)
                memcpy(copy, key.l, key.n * sizeof(*copy));
            at = pq_index_put(ev, &s->index, (struct labels){copy, key.n}, &added);
            if (at == UINT32_MAX)
                return false;
        }
        s->sig[side][k] = at;
    }
    s->n_sigs = s->index.n;
    return true;
}

static bool sides_init(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                       struct sides *s) {
    struct pq_grouping gr;
    *s = (struct sides){0};
    return pq_eval(ev, g, e->u.binary.lhs, &s->m[0]) && pq_eval(ev, g, e->u.binary.rhs, &s->m[1]) &&
           matching_of(ev, e, &gr) && sign(ev, &gr, s, 0) && sign(ev, &gr, s, 1);
}

/* and, or, unless */

/* present[sig * g->n + step]: a series of that side has a value. */
static uint8_t *presence(struct pq_ev *ev, const struct pq_grid *g, const struct sides *s,
                         int side) {
    uint8_t *p = arena_array(ev->arena, s->n_sigs, g->n);
    if (!p) {
        pq_no_memory(ev);
        return NULL;
    }
    for (size_t k = 0; k < s->m[side].n; k++) {
        uint8_t *row = p + (size_t)s->sig[side][k] * g->n;
        const double *v = s->m[side].s[k].v;
        for (size_t i = 0; i < g->n; i++)
            row[i] |= !pq_absent(v[i]);
    }
    return p;
}

static void mask(const struct pq_grid *g, struct pq_series *s, const uint8_t *row,
                 bool keep_present) {
    for (size_t i = 0; i < g->n; i++)
        if ((row[i] != 0) != keep_present) {
            s->v[i] = sample_stale();
            if (s->hist)
                s->hist[i] = NULL;
        }
}

static bool set_operator(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                         struct pq_matrix *out) {
    struct sides s;
    enum pq_op op = e->u.binary.op;
    if (!sides_init(ev, g, e, &s))
        return false;
    int masked = op == PQ_OR ? 1 : 0;
    uint8_t *present = presence(ev, g, &s, 1 - masked);
    if (!present)
        return false;
    for (size_t k = 0; k < s.m[masked].n; k++)
        mask(g, &s.m[masked].s[k], present + (size_t)s.sig[masked][k] * g->n, op == PQ_AND);
    *out = s.m[0];
    if (op != PQ_OR)
        return true;
    for (size_t k = 0; k < s.m[1].n; k++)
        if (!pq_matrix_push(ev, out, s.m[1].s[k]))
            return false;
    /* The same labels on both sides are one series, here and there. */
    return pq_merge_same(ev, g, out);
}

/* Arithmetic and comparison between vectors */

struct match {
    struct pq_ev *ev;
    const struct pq_grid *g;
    const struct promql_expr *e;
    struct sides s;
    int many, one;       /* which side is which; for one-to-one: left is "many" */
    uint32_t *one_first; /* per signature: first series of the one side, UINT32_MAX: none */
    uint32_t *one_next;  /* per series of the one side: the next of the same signature */
    struct pq_out out;
};

static bool result_labels(struct match *q, struct labels many, struct labels one,
                          struct labels *out) {
    const struct promql_expr *e = q->e;
    struct labels_builder b = LABELS_BUILDER_INIT;
    labels_builder_reset(&b, many);
    if (!pq_op_is_comparison(e->u.binary.op) ||
        (e->u.binary.return_bool && !q->ev->delayed_names)) {
        labels_builder_del(&b, STR(LABEL_NAME));
        labels_builder_del(&b, STR("__type__"));
        labels_builder_del(&b, STR("__unit__"));
    }
    if (e->u.binary.card == PQ_ONE_TO_ONE && e->u.binary.on) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < b.n; i++) {
            bool kept = false;
            for (size_t k = 0; k < e->u.binary.n_labels; k++)
                kept |= str_eq(b.l[i].name, e->u.binary.labels[k]);
            if (kept)
                b.l[n++] = b.l[i];
        }
        b.n = n;
    } else if (e->u.binary.card == PQ_ONE_TO_ONE) {
        for (size_t k = 0; k < e->u.binary.n_labels; k++)
            labels_builder_del(&b, e->u.binary.labels[k]);
    }
    for (size_t k = 0; k < e->u.binary.n_include; k++)
        labels_builder_set(&b, e->u.binary.include[k], labels_get(one, e->u.binary.include[k]));
    bool ok = !b.failed && labels_copy(q->ev->arena, labels_builder_view(&b), out);
    labels_builder_deinit(&b);
    return ok || pq_no_memory(q->ev);
}

static bool duplicate_one(struct match *q, uint32_t a, uint32_t b) {
    const struct pq_series *s = q->s.m[q->one].s;
    struct buf la = BUF_INIT, lb = BUF_INIT, group = BUF_INIT;
    struct labels key = q->s.index.keys[q->s.sig[q->one][a]];
    labels_format(&la, s[a].labels);
    labels_format(&lb, s[b].labels);
    labels_format(&group, key);
    if (key.n == 0)
        buf_putz(&group, group.n ? "" : "{}");
    pq_failf(q->ev,
             "found duplicate series for the match group %.*s on the %s hand-side of the "
             "operation: [%.*s, %.*s];many-to-many "
             "matching not allowed: matching labels must be unique on one side",
             STR_FMT(buf_view(&group)), q->e->u.binary.card == PQ_ONE_TO_MANY ? "left" : "right",
             STR_FMT(buf_view(&lb)), STR_FMT(buf_view(&la)));
    buf_deinit(&la);
    buf_deinit(&lb);
    buf_deinit(&group);
    return false;
}

/* Two series of the one side with values at the same step: an error, but only when the other side
 * has any series with a value at that step. */
static bool check_one_side(struct match *q) {
    const struct pq_matrix *one = &q->s.m[q->one], *many = &q->s.m[q->many];
    for (uint32_t sig = 0; sig < q->s.n_sigs; sig++) {
        uint32_t first = q->one_first[sig];
        if (first == UINT32_MAX || q->one_next[first] == UINT32_MAX)
            continue;
        for (size_t i = 0; i < q->g->n; i++) {
            uint32_t seen = UINT32_MAX;
            for (uint32_t k = first; k != UINT32_MAX; k = q->one_next[k]) {
                if (pq_absent(one->s[k].v[i]))
                    continue;
                if (seen == UINT32_MAX) {
                    seen = k;
                    continue;
                }
                for (size_t x = 0; x < many->n; x++)
                    if (!pq_absent(many->s[x].v[i]))
                        return duplicate_one(q, seen, k);
                break;
            }
        }
    }
    return true;
}

static bool chain_one_side(struct match *q) {
    const struct pq_matrix *one = &q->s.m[q->one];
    q->one_first = ARENA_ARRAY(q->ev->arena, uint32_t, q->s.n_sigs);
    q->one_next = ARENA_ARRAY(q->ev->arena, uint32_t, one->n);
    if (!q->one_first || !q->one_next)
        return pq_no_memory(q->ev);
    memset(q->one_first, 0xff, q->s.n_sigs * sizeof(uint32_t));
    for (size_t k = one->n; k-- > 0;) {
        uint32_t sig = q->s.sig[q->one][k];
        q->one_next[k] = q->one_first[sig];
        q->one_first[sig] = (uint32_t)k;
    }
    return true;
}

/* *dropped: no result, though the pair matched; the match itself counts for the duplicate checks.
 */
static bool pair_element(struct match *q, const struct pq_series *many, const struct pq_series *one,
                         size_t i, struct element *out, bool *keep, bool *valid) {
    struct element a = {many->v[i], many->hist ? many->hist[i] : NULL},
                   b = {one->v[i], one->hist ? one->hist[i] : NULL};
    bool swap = q->many == 1;
    struct element l = swap ? b : a, r = swap ? a : b;
    enum pq_op op = q->e->u.binary.op;
    if (l.hist || r.hist) {
        if (!hist_element(q->ev, q->e, l, r, out, keep, valid))
            return false;
    } else {
        *valid = *keep = true;
        out->hist = NULL;
        out->v = l.v;
        if (pq_op_is_comparison(op))
            *keep = compare(op, l.v, r.v);
        else
            out->v = arithmetic(op, l.v, r.v);
    }
    if (q->e->u.binary.return_bool && *valid) {
        *out = (struct element){*keep ? 1 : 0, NULL};
        *keep = true;
    }
    return true;
}

static bool many_twice(struct match *q) {
    return q->e->u.binary.card == PQ_ONE_TO_ONE
               ? pq_failf(q->ev, "multiple matches for labels: many-to-one matching must be "
                                 "explicit (group_left/group_right)")
               : pq_failf(
                     q->ev,
                     "multiple matches for labels: grouping labels must ensure unique matches");
}

/* For one-to-one: matched[sig][step]; for many-to-one: matched[output series][step], since the
 * output's labels must be unique within a match group. */
struct matched {
    uint8_t **rows;
    uint32_t n;
};

static bool mark(struct match *q, struct matched *m, uint32_t row, size_t i) {
    if (row >= m->n) {
        uint32_t n = m->n ? m->n * 2 : 64;
        while (n <= row)
            n *= 2;
        uint8_t **rows = arena_grow(q->ev->arena, m->rows, m->n * sizeof(*rows), n * sizeof(*rows));
        if (!rows)
            return pq_no_memory(q->ev);
        memset(rows + m->n, 0, (n - m->n) * sizeof(*rows));
        m->rows = rows;
        m->n = n;
    }
    if (!m->rows[row] && !(m->rows[row] = arena_zalloc(q->ev->arena, q->g->n)))
        return pq_no_memory(q->ev);
    if (m->rows[row][i])
        return many_twice(q);
    m->rows[row][i] = 1;
    return true;
}

static bool combine_pair(struct match *q, uint32_t many, uint32_t one, bool shared,
                         struct matched *m) {
    const struct pq_series *a = &q->s.m[q->many].s[many], *b = &q->s.m[q->one].s[one];
    struct labels labels;
    uint32_t series = UINT32_MAX;
    bool one_to_one = q->e->u.binary.card == PQ_ONE_TO_ONE;
    for (size_t i = 0; i < q->g->n; i++) {
        struct element out = {0, NULL};
        bool keep, valid;
        if (pq_absent(a->v[i]) || pq_absent(b->v[i]))
            continue;
        if (!pair_element(q, a, b, i, &out, &keep, &valid))
            return false;
        if (!valid)
            continue;
        if (series == UINT32_MAX) {
            if (!result_labels(q, a->labels, b->labels, &labels) ||
                !pq_out_series(q->ev, q->g, &q->out, labels, q->e->u.binary.return_bool, &series))
                return false;
        }
        if (shared && !mark(q, m, one_to_one ? q->s.sig[q->many][many] : series, i))
            return false;
        if (keep && !pq_out_put(q->ev, q->g, &q->out, series, i, out.v, out.hist))
            return false;
    }
    return true;
}

static bool vector_vector(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                          struct pq_matrix *out) {
    struct match q = {.ev = ev, .g = g, .e = e};
    struct matched matched = {0};
    q.many = e->u.binary.card == PQ_ONE_TO_MANY ? 1 : 0;
    q.one = 1 - q.many;
    if (!sides_init(ev, g, e, &q.s) || !chain_one_side(&q) || !check_one_side(&q))
        return false;
    uint32_t *per_sig = ARENA_ARRAY(ev->arena, uint32_t, q.s.n_sigs);
    if (!per_sig)
        return pq_no_memory(ev);
    for (size_t k = 0; k < q.s.m[q.many].n; k++)
        per_sig[q.s.sig[q.many][k]]++;
    for (uint32_t k = 0; k < q.s.m[q.many].n; k++) {
        uint32_t sig = q.s.sig[q.many][k];
        if (!pq_tick(ev))
            return false;
        for (uint32_t one = q.one_first[sig]; one != UINT32_MAX; one = q.one_next[one])
            if (!combine_pair(&q, k, one, per_sig[sig] > 1, &matched))
                return false;
    }
    *out = q.out.m;
    return true;
}

bool pq_binary(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
               struct pq_matrix *out) {
    if (e->u.binary.lhs->type == PROMQL_SCALAR || e->u.binary.rhs->type == PROMQL_SCALAR)
        return vector_scalar(ev, g, e, out);
    return pq_op_is_set(e->u.binary.op) ? set_operator(ev, g, e, out)
                                        : vector_vector(ev, g, e, out);
}
