/* topk, bottomk, limitk, limit_ratio: a few of the input series, chosen at every step. */
#include "query/promql/eval.h"

#include "base/hash.h"

#include <stdlib.h>

struct item {
    double v;
    uint32_t series;
};

struct chooser {
    struct pq_ev *ev;
    const struct pq_grid *g;
    const struct promql_expr *e;
    enum pq_op op;
    struct pq_matrix in;
    uint32_t *group; /* per series */
    uint32_t n_groups;
    struct item **heap; /* per group, n_in of capacity */
    size_t *n;
    double *ratio; /* per series: where it falls in [0, 1) */
    struct pq_matrix out;
    uint32_t *slot; /* per series: index in out + 1 */
};

/* A binary heap with the item to be pushed out on top: the least for topk, the greatest for
 * bottomk; NaN first. */
static bool before(enum pq_op op, struct item a, struct item b) {
    if (isnan(a.v))
        return true;
    return op == PQ_BOTTOMK ? a.v > b.v : a.v < b.v;
}

static void sift_up(enum pq_op op, struct item *h, size_t i) {
    while (i > 0 && before(op, h[i], h[(i - 1) / 2])) {
        struct item t = h[i];
        h[i] = h[(i - 1) / 2];
        h[(i - 1) / 2] = t;
        i = (i - 1) / 2;
    }
}

static void sift_down(enum pq_op op, struct item *h, size_t n, size_t i) {
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n)
            return;
        if (child + 1 < n && before(op, h[child + 1], h[child]))
            child++;
        if (!before(op, h[child], h[i]))
            return;
        struct item t = h[i];
        h[i] = h[child];
        h[child] = t;
        i = child;
    }
}

static void offer(struct chooser *q, uint32_t series, double v, size_t k) {
    uint32_t gr = q->group[series];
    struct item *h = q->heap[gr];
    if (q->n[gr] < k) {
        h[q->n[gr]++] = (struct item){v, series};
        sift_up(q->op, h, q->n[gr] - 1);
        return;
    }
    bool better = q->op == PQ_TOPK ? h[0].v < v : h[0].v > v;
    if (better || (isnan(h[0].v) && !isnan(v))) {
        h[0] = (struct item){v, series};
        sift_down(q->op, h, q->n[gr], 0);
    }
}

static bool put(struct chooser *q, uint32_t series, size_t i) {
    const struct pq_series *from = &q->in.s[series];
    if (!q->slot[series]) {
        struct pq_series s = {
            .labels = from->labels, .drop_name = from->drop_name, .v = pq_column(q->ev, q->g)};
        if (!s.v || !pq_matrix_push(q->ev, &q->out, s))
            return false;
        q->slot[series] = (uint32_t)q->out.n;
    }
    struct pq_series *to = &q->out.s[q->slot[series] - 1];
    to->v[i] = from->v[i];
    if (pq_is_hist(from, i)) {
        if (!pq_column_hist(q->ev, q->g, to))
            return false;
        to->hist[i] = from->hist[i];
    }
    return true;
}

static bool note_ignored(struct chooser *q) {
    static const struct str none;
    return pq_note(q->ev, PQ_NOTE_HIST_IGNORED_AGG, q->e, none, str_from(pq_op_name(q->op)), none);
}

static bool choose_limit(struct chooser *q, size_t i, size_t k) {
    for (uint32_t s = 0; s < q->in.n; s++) {
        if (pq_absent(q->in.s[s].v[i]) || q->n[q->group[s]] >= k)
            continue;
        q->n[q->group[s]]++;
        if (!put(q, s, i))
            return false;
    }
    return true;
}

static bool choose_ratio(struct chooser *q, size_t i, double r) {
    if (r == 0)
        return true;
    r = r < -1 ? -1 : r > 1 ? 1 : r;
    for (uint32_t s = 0; s < q->in.n; s++) {
        if (pq_absent(q->in.s[s].v[i]))
            continue;
        bool in = r >= 0 ? q->ratio[s] < r : q->ratio[s] >= 1 + r;
        if (in && !put(q, s, i))
            return false;
    }
    return true;
}

static bool choose_extreme(struct chooser *q, size_t i, size_t k) {
    for (uint32_t s = 0; s < q->in.n; s++) {
        if (pq_absent(q->in.s[s].v[i]))
            continue;
        if (pq_is_hist(&q->in.s[s], i)) {
            if (!note_ignored(q))
                return false;
            continue;
        }
        offer(q, s, q->in.s[s].v[i], k);
    }
    for (uint32_t gr = 0; gr < q->n_groups; gr++) {
        /* The heap gives the least wanted first: taken apart from the end, it is in result order.
         */
        struct item *h = q->heap[gr];
        for (size_t n = q->n[gr]; n > 1; n--) {
            struct item t = h[0];
            h[0] = h[n - 1];
            h[n - 1] = t;
            sift_down(q->op, h, n - 1, 0);
        }
        for (size_t n = 0; n < q->n[gr]; n++)
            if (!put(q, h[n].series, i))
                return false;
    }
    return true;
}

static bool group_series(struct chooser *q) {
    struct pq_ev *ev = q->ev;
    struct pq_grouping by;
    struct pq_index x = {0};
    struct label *tmp = NULL;
    size_t cap = 0;
    size_t *sizes = ARENA_ARRAY(ev->arena, size_t, q->in.n + 1);
    q->group = ARENA_ARRAY(ev->arena, uint32_t, q->in.n + 1);
    q->slot = ARENA_ARRAY(ev->arena, uint32_t, q->in.n + 1);
    if (!sizes || !q->group || !q->slot || !pq_grouping_of(ev, q->e, &by))
        return pq_no_memory(ev);
    for (size_t k = 0; k < q->in.n; k++) {
        struct labels ls = q->in.s[k].labels;
        if (ls.n > cap || !tmp) {
            cap = ls.n * 2u + 8;
            if (!(tmp = ARENA_ARRAY(ev->arena, struct label, cap)))
                return pq_no_memory(ev);
        }
        struct labels key = pq_group_labels(&by, ls, tmp);
        uint32_t at = pq_index_find(&x, key);
        if (at == UINT32_MAX) {
            bool added;
            at = pq_index_put(ev, &x, key, &added);
            tmp = NULL; /* the key keeps it */
            if (at == UINT32_MAX)
                return false;
        }
        q->group[k] = at;
        sizes[at]++;
    }
    q->n_groups = x.n;
    q->heap = ARENA_ARRAY(ev->arena, struct item *, x.n);
    q->n = ARENA_ARRAY(ev->arena, size_t, x.n);
    if (!q->heap || !q->n)
        return pq_no_memory(ev);
    for (uint32_t i = 0; i < x.n; i++)
        if (!(q->heap[i] = ARENA_ARRAY(ev->arena, struct item, sizes[i])))
            return pq_no_memory(ev);
    return true;
}

/* XXH3 of the labels, as a fraction: which series are chosen is stable, but not the same as
 * Prometheus's choice. */
static bool ratios(struct chooser *q) {
    q->ratio = ARENA_ARRAY(q->ev->arena, double, q->in.n);
    if (!q->ratio)
        return pq_no_memory(q->ev);
    for (size_t k = 0; k < q->in.n; k++)
        q->ratio[k] = (double)(labels_hash(q->in.s[k].labels) >> 11) / 9007199254740992.0;
    return true;
}

/* *nothing: the result is empty whatever the input. */
static bool check_param(struct chooser *q, const double *p, bool *nothing) {
    double low = p[0], high = p[0];
    bool nan = false, ratio = q->op == PQ_LIMIT_RATIO;
    const struct promql_expr *where = q->e->u.aggregate.param;
    for (size_t i = 0; i < q->g->n; i++) {
        nan |= isnan(p[i]);
        low = pq_min(low, p[i]);
        high = pq_max(high, p[i]);
    }
    *nothing = ratio ? high == 0 && low == 0 : high < 1;
    if (*nothing)
        return true;
    if (nan)
        return pq_failf(q->ev, ratio ? "Ratio value is NaN" : "Parameter value is NaN");
    if (!ratio) {
        struct buf b = BUF_INIT;
        bool under = low <= -9223372036854775808.0, over = high >= 9223372036854775807.0;
        if (under || over) {
            buf_f64_g(&b, under ? low : high);
            pq_failf(q->ev, "Scalar value %.*s %s int64", STR_FMT(buf_view(&b)),
                     under ? "underflows" : "overflows");
        }
        buf_deinit(&b);
        return !under && !over;
    }
    return (!(high > 1) || pq_note_number(q->ev, PQ_NOTE_RATIO, where, high, 1)) &&
           (!(low < -1) || pq_note_number(q->ev, PQ_NOTE_RATIO, where, low, -1));
}

bool pq_aggregate_k(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                    struct pq_matrix *out) {
    struct chooser q = {.ev = ev, .g = g, .e = e, .op = e->u.aggregate.op};
    double *param;
    bool nothing;
    if (!pq_eval_scalar(ev, g, e->u.aggregate.param, &param) ||
        !pq_eval(ev, g, e->u.aggregate.expr, &q.in))
        return false;
    if (!check_param(&q, param, &nothing))
        return false;
    if (nothing || q.in.n == 0)
        return true;
    if (!group_series(&q) || (q.op == PQ_LIMIT_RATIO && !ratios(&q)))
        return false;
    for (size_t i = 0; i < g->n; i++) {
        memset(q.n, 0, q.n_groups * sizeof(*q.n));
        if (!pq_tick(ev))
            return false;
        if (q.op == PQ_LIMIT_RATIO) {
            if (!choose_ratio(&q, i, param[i]))
                return false;
            continue;
        }
        if (param[i] < 1)
            continue;
        size_t k = param[i] > (double)q.in.n ? q.in.n : (size_t)param[i];
        if (!(q.op == PQ_LIMITK ? choose_limit(&q, i, k) : choose_extreme(&q, i, k)))
            return false;
    }
    *out = q.out;
    return true;
}
