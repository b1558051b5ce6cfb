/* Aggregations: series are streamed into their groups; a group is looked up once a series. */
#include "query/promql/eval.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

bool pq_grouping_of(struct pq_ev *ev, const struct promql_expr *e, struct pq_grouping *gr) {
    bool values = e->u.aggregate.op == PQ_COUNT_VALUES, without = e->u.aggregate.without;
    gr->without = without;
    gr->n = e->u.aggregate.n_grouping;
    gr->names = ARENA_ARRAY(ev->arena, struct str, gr->n + 1);
    if (!gr->names)
        return pq_no_memory(ev);
    for (size_t i = 0; i < gr->n; i++)
        gr->names[i] = e->u.aggregate.grouping[i];
    if (values && !without)
        gr->names[gr->n++] = pq_unparen(e->u.aggregate.param)->u.string;
    if (without) /* the name never stays */
        gr->names[gr->n++] = STR(LABEL_NAME);
    if (gr->n > 1)
        qsort(gr->names, gr->n, sizeof(*gr->names), by_name);
    return true;
}

struct labels pq_group_labels(const struct pq_grouping *gr, struct labels ls, struct label *tmp) {
    uint32_t n = 0;
    size_t k = 0;
    for (uint32_t i = 0; i < ls.n; i++) {
        int c = -1;
        while (k < gr->n && (c = str_cmp(gr->names[k], ls.l[i].name)) < 0)
            k++;
        bool named = k < gr->n && c == 0;
        if (named != gr->without)
            tmp[n++] = ls.l[i];
    }
    return (struct labels){tmp, n};
}

/* What a group knows of the native histograms of one step. */
struct hist_cell {
    struct fhist *hist; /* NULL though seen: floats came first, there will be no result */
    double count;
    bool seen, incompatible, reset_seen, not_reset_seen;
};

/* Columns, one element a step; which there are depends on the operator: groups may be as many as
 * series. */
struct group {
    struct labels labels;
    bool drop_name;
    double *value; /* pq_absent: no float yet */
    double *c;     /* sum, avg: Kahan's compensation */
    double *count; /* avg, stddev, stdvar */
    double *mean;  /* stddev, stdvar; avg once the sum would overflow */
    bool *incremental;
    struct hist_cell *hists; /* NULL: none came */
    double **values;         /* quantile: the values of each step */
    uint32_t *n_values, *cap_values;
};

struct aggregation {
    struct pq_ev *ev;
    const struct pq_grid *g;
    const struct promql_expr *e;
    enum pq_op op;
    struct pq_grouping by;
    struct pq_index index;
    struct group *groups;
    size_t cap;
    struct label *tmp;
    size_t tmp_cap;
};

static bool group_init(struct aggregation *q, struct group *gr) {
    struct pq_ev *ev = q->ev;
    size_t n = q->g->n;
    bool deviation = q->op == PQ_STDDEV || q->op == PQ_STDVAR, ok = true;
    gr->value = pq_column(ev, q->g);
    if (q->op == PQ_SUM || q->op == PQ_AVG)
        ok = (gr->c = ARENA_ARRAY(ev->arena, double, n)) != NULL;
    if (q->op == PQ_AVG || deviation)
        ok = ok && (gr->count = ARENA_ARRAY(ev->arena, double, n)) != NULL;
    if (deviation)
        ok = ok && (gr->mean = ARENA_ARRAY(ev->arena, double, n)) != NULL;
    if (q->op == PQ_QUANTILE) {
        gr->values = ARENA_ARRAY(ev->arena, double *, n);
        gr->n_values = ARENA_ARRAY(ev->arena, uint32_t, n);
        gr->cap_values = ARENA_ARRAY(ev->arena, uint32_t, n);
        ok = gr->values && gr->n_values && gr->cap_values;
    }
    return (gr->value && ok) || pq_no_memory(ev);
}

/* Labels that outlive the stream: names and values belong to open sets or the arena; the array is
 * ours. */
static bool keep_labels(struct pq_ev *ev, struct labels in, struct labels *out) {
    struct label *l = arena_alloc(ev->arena, in.n * sizeof(*l));
    if (!l)
        return pq_no_memory(ev);
    if (in.n)
        memcpy(l, in.l, in.n * sizeof(*l));
    *out = (struct labels){l, in.n};
    return true;
}

static struct group *group_of(struct aggregation *q, struct labels ls) {
    struct pq_ev *ev = q->ev;
    if (ls.n > q->tmp_cap) {
        q->tmp_cap = ls.n * 2u;
        q->tmp = ARENA_ARRAY(ev->arena, struct label, q->tmp_cap);
        if (!q->tmp) {
            pq_no_memory(ev);
            return NULL;
        }
    }
    struct labels key = pq_group_labels(&q->by, ls, q->tmp);
    uint32_t at = pq_index_find(&q->index, key);
    if (at != UINT32_MAX)
        return &q->groups[at];
    bool added;
    struct labels kept;
    if (!keep_labels(ev, key, &kept) ||
        (at = pq_index_put(ev, &q->index, kept, &added)) == UINT32_MAX)
        return NULL;
    if (at >= q->cap) {
        size_t cap = q->cap ? q->cap * 2 : 16;
        struct group *v = arena_grow(ev->arena, q->groups, q->cap * sizeof(*v), cap * sizeof(*v));
        if (!v) {
            pq_no_memory(ev);
            return NULL;
        }
        q->groups = v;
        q->cap = cap;
    }
    q->groups[at] = (struct group){.labels = kept};
    return group_init(q, &q->groups[at]) ? &q->groups[at] : NULL;
}

static void see_hint(struct hist_cell *c, const struct fhist *h) {
    c->reset_seen |= h->hint == FHIST_RESET;
    c->not_reset_seen |= h->hint == FHIST_NOT_RESET;
}

static const struct str none;

static bool note_ignored(struct aggregation *q) {
    return pq_note(q->ev, PQ_NOTE_HIST_IGNORED_AGG, q->e->u.aggregate.expr, none,
                   str_from(pq_op_name(q->op)), none);
}

/* Adds b to a; an incompatible pair spoils the cell, with a note. */
static bool add_hists(struct aggregation *q, struct hist_cell *c, struct fhist *a,
                      const struct fhist *b, bool subtract, struct str metric) {
    bool reconciled = false;
    enum fhist_result r = fhist_add(q->ev->arena, a, b, subtract, NULL, &reconciled);
    if (r == FHIST_NO_MEMORY)
        return pq_no_memory(q->ev);
    if (r == FHIST_INCOMPATIBLE) {
        c->incompatible = true;
        return pq_note(q->ev, PQ_NOTE_MIXED_CUSTOM, q->e->u.aggregate.expr, metric, none, none);
    }
    return !reconciled || pq_note(q->ev, PQ_NOTE_BOUNDS_RECONCILED, q->e->u.aggregate.expr, none,
                                  STR("aggregation"), none);
}

static bool mean_hists(struct aggregation *q, struct hist_cell *c, const struct fhist *h,
                       struct str metric) {
    struct fhist *left = fhist_copy(q->ev->arena, h), *right = fhist_copy(q->ev->arena, c->hist);
    if (!left || !right)
        return pq_no_memory(q->ev);
    fhist_divide(left, c->count);
    fhist_divide(right, c->count);
    if (!add_hists(q, c, left, right, true, metric))
        return false;
    return c->incompatible || add_hists(q, c, c->hist, left, false, metric);
}

static void count_one(enum pq_op op, double *value) {
    *value = op == PQ_GROUP || pq_absent(*value) ? 1 : *value + 1;
}

static bool add_hist(struct aggregation *q, struct group *gr, size_t i, const struct fhist *h,
                     struct str metric) {
    if (q->op == PQ_COUNT || q->op == PQ_GROUP) {
        count_one(q->op, &gr->value[i]);
        return true;
    }
    if (q->op != PQ_SUM && q->op != PQ_AVG)
        return note_ignored(q);
    if (!gr->hists && !(gr->hists = ARENA_ARRAY(q->ev->arena, struct hist_cell, q->g->n)))
        return pq_no_memory(q->ev);
    struct hist_cell *c = &gr->hists[i];
    bool first = !c->seen;
    if (c->incompatible)
        return true;
    c->seen = true;
    c->count++;
    if (first && pq_absent(gr->value[i])) {
        c->hist = fhist_copy(q->ev->arena, h);
        if (!c->hist)
            return pq_no_memory(q->ev);
        see_hint(c, h);
        return true;
    }
    if (!c->hist)
        return true;
    see_hint(c, h);
    return q->op == PQ_SUM ? add_hists(q, c, c->hist, h, false, metric)
                           : mean_hists(q, c, h, metric);
}

/* A cell that takes no more floats: absent here, or spoilt by histograms that do not fit. */
static bool skips(const struct group *gr, const struct pq_series *s, size_t i) {
    return pq_absent(s->v[i]) || pq_is_hist(s, i) || (gr->hists && gr->hists[i].incompatible);
}

/* Neumaier's step is written out here: this loop is what sum by (...) spends its time in. */
static void add_sum(struct group *gr, const struct pq_series *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double v = s->v[i], sum = gr->value[i];
        if (skips(gr, s, i))
            continue;
        if (pq_absent(sum)) {
            gr->value[i] = v;
            continue;
        }
        double t = sum + v;
        if (isinf(t))
            gr->c[i] = 0;
        else if (fabs(sum) >= fabs(v))
            gr->c[i] += (sum - t) + v;
        else
            gr->c[i] += (v - t) + sum;
        gr->value[i] = t;
    }
}

/* The plain mean while the sum does not overflow; from there on, a mean that is kept up step by
 * step. */
static bool add_mean(struct aggregation *q, struct group *gr, size_t i, double v) {
    double count = ++gr->count[i];
    bool incremental = gr->incremental && gr->incremental[i];
    if (count == 1) {
        gr->value[i] = v;
        return true;
    }
    struct pq_kahan k = {gr->value[i], gr->c[i]};
    if (!incremental) {
        pq_kahan_add(&k, v);
        if (!isinf(k.sum)) {
            gr->value[i] = k.sum;
            gr->c[i] = k.c;
            return true;
        }
        if (!gr->incremental) {
            gr->incremental = ARENA_ARRAY(q->ev->arena, bool, q->g->n);
            gr->mean = ARENA_ARRAY(q->ev->arena, double, q->g->n);
            if (!gr->incremental || !gr->mean)
                return pq_no_memory(q->ev);
        }
        gr->incremental[i] = true;
        gr->mean[i] = gr->value[i] / (count - 1);
        gr->c[i] /= count - 1;
    }
    double share = (count - 1) / count;
    k = (struct pq_kahan){share * gr->mean[i], share * gr->c[i]};
    pq_kahan_add(&k, v / count);
    gr->mean[i] = k.sum;
    gr->c[i] = k.c;
    return true;
}

static void add_deviation(struct group *gr, size_t i, double v) {
    double count = ++gr->count[i];
    if (count == 1) {
        gr->mean[i] = v;
        gr->value[i] = isnan(v) || isinf(v) ? sample_nan() : 0;
        return;
    }
    double delta = v - gr->mean[i];
    gr->mean[i] += delta / count;
    gr->value[i] += delta * (v - gr->mean[i]);
}

static bool push_value(struct aggregation *q, struct group *gr, size_t i, double v) {
    if (gr->n_values[i] == gr->cap_values[i]) {
        uint32_t cap = gr->cap_values[i] ? gr->cap_values[i] * 2 : 8;
        double *p = arena_grow(q->ev->arena, gr->values[i], gr->cap_values[i] * sizeof(*p),
                               cap * sizeof(*p));
        if (!p)
            return pq_no_memory(q->ev);
        gr->values[i] = p;
        gr->cap_values[i] = cap;
    }
    gr->values[i][gr->n_values[i]++] = v;
    return true;
}

static bool add_float(struct aggregation *q, struct group *gr, size_t i, double v) {
    double *value = &gr->value[i];
    switch ((int)q->op) {
    case PQ_AVG:
        return add_mean(q, gr, i, v);
    case PQ_MAX:
        if (pq_absent(*value) || *value < v || isnan(*value))
            *value = v;
        return true;
    case PQ_MIN:
        if (pq_absent(*value) || *value > v || isnan(*value))
            *value = v;
        return true;
    case PQ_STDVAR:
    case PQ_STDDEV:
        add_deviation(gr, i, v);
        return true;
    case PQ_QUANTILE:
        return push_value(q, gr, i, v);
    default:
        count_one(q->op, value);
        return true;
    }
}

static bool add_series(void *arg, struct pq_series *s) {
    struct aggregation *q = arg;
    struct group *gr = group_of(q, s->labels);
    if (!gr)
        return false;
    gr->drop_name |= s->drop_name;
    if (s->hist) {
        struct str metric = labels_name(s->labels);
        for (size_t i = 0; i < q->g->n; i++)
            if (s->hist[i] && !add_hist(q, gr, i, s->hist[i], metric))
                return false;
    }
    if (q->op == PQ_SUM) {
        add_sum(gr, s, q->g->n);
        return true;
    }
    for (size_t i = 0; i < q->g->n; i++)
        if (!skips(gr, s, i) && !add_float(q, gr, i, s->v[i]))
            return false;
    return true;
}

static bool finish_hist(struct aggregation *q, struct hist_cell *c, struct pq_series *s, size_t i) {
    if (!pq_absent(s->v[i])) {
        s->v[i] = sample_stale();
        return pq_note(q->ev, PQ_NOTE_MIXED_FLOAT_HIST_AGG, q->e->u.aggregate.expr, none, none,
                       none);
    }
    if (c->incompatible)
        return true;
    fhist_compact(c->hist);
    if (!pq_column_hist(q->ev, q->g, s))
        return false;
    s->v[i] = 0;
    s->hist[i] = c->hist;
    return !(c->reset_seen && c->not_reset_seen) ||
           pq_note(q->ev, PQ_NOTE_RESET_COLLISION, q->e->u.aggregate.expr, none, STR("aggregation"),
                   none);
}

static double finish_float(enum pq_op op, const struct group *gr, size_t i) {
    double value = gr->value[i];
    switch ((int)op) {
    case PQ_AVG:
        return gr->incremental && gr->incremental[i]
                   ? gr->mean[i] + gr->c[i]
                   : value / gr->count[i] + gr->c[i] / gr->count[i];
    case PQ_STDVAR:
        return value / gr->count[i];
    case PQ_STDDEV:
        return sqrt(value / gr->count[i]);
    case PQ_SUM:
        return value + gr->c[i];
    default:
        return value;
    }
}

/* The value column becomes the result's. */
static bool finish_group(struct aggregation *q, struct group *gr, const double *param,
                         struct pq_matrix *out) {
    struct pq_series s = {.labels = gr->labels, .drop_name = gr->drop_name, .v = gr->value};
    for (size_t i = 0; i < q->g->n; i++) {
        if (q->op == PQ_QUANTILE && gr->n_values[i])
            s.v[i] = pq_quantile(param[i], gr->values[i], gr->n_values[i]);
        else if (gr->hists && gr->hists[i].seen && !finish_hist(q, &gr->hists[i], &s, i))
            return false;
        else if (!pq_absent(s.v[i]) && !pq_is_hist(&s, i))
            s.v[i] = finish_float(q->op, gr, i);
    }
    return pq_count_points(q->g, &s) == 0 || pq_matrix_push(q->ev, out, s);
}

static bool note_quantile(struct aggregation *q, const double *param) {
    double low = HUGE_VAL, high = -HUGE_VAL;
    bool nan = false;
    const struct promql_expr *where = q->e->u.aggregate.param;
    for (size_t i = 0; i < q->g->n; i++) {
        nan |= isnan(param[i]);
        if (param[i] < low)
            low = param[i];
        if (param[i] > high)
            high = param[i];
    }
    return (!nan || pq_note_number(q->ev, PQ_NOTE_QUANTILE, where, sample_nan(), 0)) &&
           (!(high > 1) || pq_note_number(q->ev, PQ_NOTE_QUANTILE, where, high, 0)) &&
           (!(low < 0) || pq_note_number(q->ev, PQ_NOTE_QUANTILE, where, low, 0));
}

bool pq_aggregate(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                  struct pq_matrix *out) {
    enum pq_op op = e->u.aggregate.op;
    double *param = NULL;
    if (op == PQ_COUNT_VALUES)
        return pq_count_values(ev, g, e, out);
    if (op == PQ_TOPK || op == PQ_BOTTOMK || op == PQ_LIMITK || op == PQ_LIMIT_RATIO)
        return pq_aggregate_k(ev, g, e, out);
    struct aggregation q = {.ev = ev, .g = g, .e = e, .op = op};
    if (!pq_grouping_of(ev, e, &q.by))
        return false;
    if (op == PQ_QUANTILE && !pq_eval_scalar(ev, g, e->u.aggregate.param, &param))
        return false;
    if (!pq_each(ev, g, e->u.aggregate.expr, add_series, &q))
        return false;
    if (op == PQ_QUANTILE && !note_quantile(&q, param))
        return false;
    for (uint32_t i = 0; i < q.index.n; i++)
        if (!finish_group(&q, &q.groups[i], param, out))
            return false;
    return true;
}

/* count_values */

struct value_memo {
    bool any, drop_name;
    uint64_t bits;
    uint32_t series;
};

static bool value_series(struct aggregation *q, struct pq_out *out, const struct pq_series *s,
                         struct str name, size_t i, uint32_t *series) {
    struct buf b = BUF_INIT_MAX(1 << 20);
    struct labels_builder lb = LABELS_BUILDER_INIT;
    if (pq_is_hist(s, i))
        fhist_format(&b, s->hist[i]);
    else
        buf_f64(&b, s->v[i]);
    struct str text = arena_str(q->ev->arena, buf_view(&b));
    labels_builder_reset(&lb, s->labels);
    labels_builder_set(&lb, name, text);
    bool ok = text.p && !lb.failed;
    if (ok && lb.n > q->tmp_cap) {
        q->tmp_cap = lb.n * 2u;
        q->tmp = ARENA_ARRAY(q->ev->arena, struct label, q->tmp_cap);
        ok = q->tmp != NULL;
    }
    struct labels key, kept;
    if (ok) {
        key = pq_group_labels(&q->by, labels_builder_view(&lb), q->tmp);
        ok = keep_labels(q->ev, key, &kept) && pq_out_series(q->ev, q->g, out, kept, false, series);
    }
    buf_deinit(&b);
    labels_builder_deinit(&lb);
    return ok || pq_no_memory(q->ev);
}

bool pq_count_values(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                     struct pq_matrix *out) {
    const struct promql_expr *param = pq_unparen(e->u.aggregate.param);
    struct aggregation q = {.ev = ev, .g = g, .e = e, .op = e->u.aggregate.op};
    struct pq_matrix m;
    struct pq_out o = {0};
    if (param->kind != PQ_STRING)
        return pq_failf(ev, "expected a string literal in count_values");
    if (param->u.string.n == 0 || !str_is_utf8(param->u.string)) {
        struct buf b = BUF_INIT;
        pq_quote(&b, param->u.string);
        pq_failf(ev, "invalid label name %.*s", STR_FMT(buf_view(&b)));
        buf_deinit(&b);
        return false;
    }
    if (!pq_grouping_of(ev, e, &q.by) || !pq_eval(ev, g, e->u.aggregate.expr, &m))
        return false;
    for (size_t k = 0; k < m.n; k++) {
        struct value_memo memo = {0};
        if (!pq_tick(ev))
            return false;
        for (size_t i = 0; i < g->n; i++) {
            const struct pq_series *s = &m.s[k];
            if (pq_absent(s->v[i]))
                continue;
            bool same = memo.any && !pq_is_hist(s, i) && memo.bits == sample_bits(s->v[i]);
            if (!same && !value_series(&q, &o, s, param->u.string, i, &memo.series))
                return false;
            memo.any = !pq_is_hist(s, i);
            memo.bits = sample_bits(s->v[i]);
            double *v = &o.m.s[memo.series].v[i];
            *v = pq_absent(*v) ? 1 : *v + 1;
        }
    }
    *out = o.m;
    return true;
}
