/* Functions of histograms: classic ones (series with an `le` label, grouped once for all steps) and
 * native ones. */
#include "query/promql/eval.h"

#include <float.h>
#include <stdlib.h>

static const struct str none;

/* Native: one number a histogram */

static double hist_variance(struct pq_ev *ev, const struct fhist *h) {
    size_t n;
    struct fhist_bucket *b = fhist_buckets(ev->scratch, h, &n);
    double mean = h->sum / h->count;
    struct pq_kahan k = {0, 0};
    for (size_t i = 0; i < n; i++) {
        double v;
        if (b[i].count == 0)
            continue;
        if (fhist_is_custom(h)) {
            v = (b[i].upper + b[i].lower) / 2;
        } else if (b[i].lower <= 0 && b[i].upper >= 0) {
            v = 0;
        } else {
            v = sqrt(b[i].upper * b[i].lower);
            if (b[i].upper < 0)
                v = -v;
        }
        pq_kahan_add(&k, b[i].count * (v - mean) * (v - mean));
    }
    return (k.sum + k.c) / h->count;
}

static double hist_value(struct pq_ev *ev, enum pq_fn id, const struct fhist *h) {
    switch ((int)id) {
    case PQ_FN_histogram_count:
        return h->count;
    case PQ_FN_histogram_sum:
        return h->sum;
    case PQ_FN_histogram_avg:
        return h->sum / h->count;
    case PQ_FN_histogram_stdvar:
        return hist_variance(ev, h);
    default:
        return sqrt(hist_variance(ev, h));
    }
}

static bool simple_call(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                        struct pq_matrix *m) {
    if (!pq_eval(ev, g, e->u.call.args[0], m))
        return false;
    for (size_t k = 0; k < m->n; k++) {
        struct pq_series *s = &m->s[k];
        for (size_t i = 0; i < g->n; i++)
            s->v[i] =
                pq_is_hist(s, i) ? hist_value(ev, e->u.call.fn->id, s->hist[i]) : sample_stale();
        s->hist = NULL;
        arena_reset(ev->scratch);
        s->drop_name = true;
        if (!ev->delayed_names && !pq_drop_label(ev, s->labels, STR(LABEL_NAME), &s->labels))
            return false;
    }
    return ev->delayed_names || pq_merge_same(ev, g, m);
}

/* Classic: buckets */

struct bucket {
    double upper, count;
};

/* In order of upper bounds; equal ones become one. */
static size_t coalesce(struct bucket *b, size_t n) {
    size_t k = 0;
    for (size_t i = 1; i < n; i++) {
        if (b[i].upper == b[k].upper)
            b[k].count += b[i].count;
        else
            b[++k] = b[i];
    }
    return k + 1;
}

static bool almost_equal(double a, double b, double epsilon) {
    if (a == b || (isnan(a) && isnan(b)))
        return true;
    double sum = fabs(a) + fabs(b), diff = fabs(a - b);
    if (a == 0 || b == 0 || sum < DBL_MIN)
        return diff < epsilon * DBL_MIN;
    return diff / (sum < DBL_MAX ? sum : DBL_MAX) < epsilon;
}

/* Counts never go down with the bound: tiny dents are rounding, larger ones are told. */
static bool make_monotonic(struct bucket *b, size_t n) {
    bool forced = false;
    double prev = b[0].count;
    for (size_t i = 1; i < n; i++) {
        double cur = b[i].count;
        if (cur == prev)
            continue;
        if (almost_equal(prev, cur, 1e-12)) {
            b[i].count = prev;
        } else if (cur < prev) {
            b[i].count = prev;
            forced = true;
        } else {
            prev = cur;
        }
    }
    return forced;
}

static double classic_quantile(double q, struct bucket *b, size_t n, bool *forced) {
    *forced = false;
    if (isnan(q))
        return sample_nan();
    if (q < 0)
        return -HUGE_VAL;
    if (q > 1)
        return HUGE_VAL;
    if (!(isinf(b[n - 1].upper) && b[n - 1].upper > 0))
        return sample_nan();
    n = coalesce(b, n);
    bool dents = make_monotonic(b, n);
    if (n < 2 || b[n - 1].count == 0)
        return sample_nan();
    *forced = dents;
    double rank = q * b[n - 1].count;
    size_t lo = 0, hi = n - 1;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (b[mid].count >= rank)
            hi = mid;
        else
            lo = mid + 1;
    }
    if (lo == n - 1)
        return b[n - 2].upper;
    if (lo == 0 && b[0].upper <= 0)
        return b[0].upper;
    double start = 0, count = b[lo].count;
    if (lo > 0) {
        start = b[lo - 1].upper;
        count -= b[lo - 1].count;
        rank -= b[lo - 1].count;
    }
    return start + (b[lo].upper - start) * (rank / count);
}

/* Observations at or below v; a bucket without a lower end counts as a whole. */
static double rank_in(double v, double lower, double upper, double before, double upto) {
    return isinf(lower) && lower < 0 ? upto
                                     : before + (upto - before) * (v - lower) / (upper - lower);
}

static double classic_fraction(double lower, double upper, struct bucket *b, size_t n) {
    if (!(isinf(b[n - 1].upper) && b[n - 1].upper > 0))
        return sample_nan();
    n = coalesce(b, n);
    double count = b[n - 1].count, rank = 0, ranks[2] = {0, 0};
    const double edges[2] = {lower, upper};
    bool set[2] = {false, false};
    if (count == 0 || isnan(lower) || isnan(upper))
        return sample_nan();
    if (lower >= upper)
        return 0;
    double begin = b[0].upper <= 0 ? -HUGE_VAL : 0;
    for (size_t i = 0; i < n && !(set[0] && set[1]); i++) {
        if (i > 0)
            begin = b[i - 1].upper;
        for (int k = 0; k < 2; k++) {
            if (set[k])
                continue;
            if (begin >= edges[k])
                ranks[k] = rank;
            else if (b[i].upper > edges[k])
                ranks[k] = rank_in(edges[k], begin, b[i].upper, rank, b[i].count);
            else
                continue;
            set[k] = true;
        }
        rank = b[i].count;
    }
    for (int k = 0; k < 2; k++)
        if (!set[k] || ranks[k] > count)
            ranks[k] = count;
    return (ranks[1] - ranks[0]) / count;
}

/* Native: quantile and fraction */

static bool native_quantile(struct pq_ev *ev, const struct promql_expr *where, struct str name,
                            double q, const struct fhist *h, double *out) {
    size_t n, at = 0;
    *out = q < 0 ? -HUGE_VAL : q > 1 ? HUGE_VAL : sample_nan();
    if (q < 0 || q > 1 || h->count == 0 || isnan(q))
        return true;
    bool forward = isnan(h->sum) || q < 0.5;
    struct fhist_bucket *all = fhist_buckets(ev->scratch, h, &n), b = {0};
    if (!all)
        return pq_no_memory(ev);
    double rank = (forward ? q : 1 - q) * h->count, count = 0;
    while (at < n) {
        b = all[forward ? at : n - 1 - at];
        at++;
        if (b.count == 0)
            continue;
        count += b.count;
        if (count >= rank)
            break;
    }
    if (!fhist_is_custom(h) && b.lower < 0 && b.upper > 0) {
        if (h->negative.n == 0 && h->positive.n > 0)
            b.lower = 0;
        else if (h->positive.n == 0 && h->negative.n > 0)
            b.upper = 0;
    } else if (fhist_is_custom(h)) {
        if (isinf(b.lower) && b.lower < 0) {
            if (b.upper <= 0) {
                *out = b.upper;
                return true;
            }
            b.lower = 0;
        } else if (isinf(b.upper) && b.upper > 0) {
            *out = b.lower;
            return true;
        }
    }
    if (count > h->count)
        count = h->count;
    if (count < rank) {
        if (isnan(h->sum))
            return pq_note(ev, PQ_NOTE_QUANTILE_NAN, where, name, none, none);
        *out = b.upper;
        return true;
    }
    rank = forward ? rank - (count - b.count) : count - rank;
    double bucket_count = b.count;
    if (isnan(h->sum)) {
        for (; at < n; at++)
            count += all[at].count;
        if (count < h->count && !pq_note(ev, PQ_NOTE_QUANTILE_SKEW, where, name, none, none))
            return false;
    }
    double fraction = rank / bucket_count;
    if (fhist_is_custom(h) || (b.lower <= 0 && b.upper >= 0)) {
        *out = b.lower + (b.upper - b.lower) * fraction;
        return true;
    }
    double low = log2(fabs(b.lower)), high = log2(fabs(b.upper));
    *out = b.lower > 0 ? exp2(low + (high - low) * fraction)
                       : -exp2(high + (low - high) * (1 - fraction));
    return true;
}

static double native_rank(const struct fhist *h, const struct fhist_bucket *b, double v,
                          double rank, bool zero) {
    if (fhist_is_custom(h) || zero)
        return isinf(b->lower) && b->lower < 0
                   ? b->count
                   : rank + b->count * (v - b->lower) / (b->upper - b->lower);
    double low = log2(fabs(b->lower)), high = log2(fabs(b->upper)), at = log2(fabs(v));
    double fraction = v > 0 ? (at - low) / (high - low) : 1 - (at - high) / (low - high);
    return rank + b->count * fraction;
}

static bool native_fraction(struct pq_ev *ev, const struct promql_expr *where, struct str name,
                            double lower, double upper, const struct fhist *h, double *out) {
    size_t n, i;
    *out = sample_nan();
    if (h->count == 0 || isnan(lower) || isnan(upper))
        return true;
    *out = 0;
    if (lower >= upper)
        return true;
    struct fhist_bucket *all = fhist_buckets(ev->scratch, h, &n);
    if (!all)
        return pq_no_memory(ev);
    double count = 0, rank = 0, ranks[2] = {0, 0};
    const double edges[2] = {lower, upper};
    bool set[2] = {false, false};
    for (i = 0; i < n && !(set[0] && set[1]); i++) {
        struct fhist_bucket b = all[i];
        bool zero = b.lower <= 0 && b.upper >= 0;
        count += b.count;
        if (zero && h->negative.n == 0 && h->positive.n > 0)
            b.lower = 0;
        else if (zero && h->positive.n == 0 && h->negative.n > 0)
            b.upper = 0;
        for (int k = 0; k < 2; k++)
            if (!set[k] && b.lower >= edges[k]) {
                ranks[k] = rank;
                set[k] = true;
            }
        for (int k = 0; k < 2; k++)
            if (!set[k] && b.lower < edges[k] && b.upper > edges[k]) {
                ranks[k] = native_rank(h, &b, edges[k], rank, zero);
                set[k] = true;
            }
        rank += b.count;
    }
    if (isnan(h->sum)) {
        for (; i < n; i++)
            count += all[i].count;
        if (count < h->count && !pq_note(ev, PQ_NOTE_FRACTION_NAN, where, name, none, none))
            return false;
    } else {
        count = h->count;
    }
    for (int k = 0; k < 2; k++)
        if (!set[k] || ranks[k] > count)
            ranks[k] = count;
    *out = (ranks[1] - ranks[0]) / h->count;
    return true;
}

/* Both kinds together */

struct classic_series {
    double upper;
    uint32_t group;
    const double *v;
};

struct histograms {
    struct pq_ev *ev;
    const struct pq_grid *g;
    const struct promql_expr *e, *arg;
    bool quantile;
    double *p[2]; /* q; or lower, upper */
    struct pq_matrix in;
    struct pq_index index;         /* labels without le -> group */
    struct classic_series *series; /* sorted by group, then bound */
    size_t n_series;
    struct pq_matrix classic, native; /* results */
    bool *group_drop;
};

static struct str note_name(const struct histograms *q, struct labels ls) {
    return q->ev->delayed_names ? labels_name(ls) : none;
}

static int by_group(const void *a, const void *b) {
    const struct classic_series *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->upper < y->upper ? -1 : x->upper > y->upper;
}

static bool any_float(const struct histograms *q, const struct pq_series *s) {
    for (size_t i = 0; i < q->g->n; i++)
        if (!pq_absent(s->v[i]) && !pq_is_hist(s, i))
            return true;
    return false;
}

static bool group_classic(struct histograms *q) {
    struct pq_ev *ev = q->ev;
    q->series = ARENA_ARRAY(ev->arena, struct classic_series, q->in.n + 1);
    if (!q->series)
        return pq_no_memory(ev);
    for (size_t k = 0; k < q->in.n; k++) {
        struct pq_series *s = &q->in.s[k];
        if (!any_float(q, s))
            continue;
        struct str le = labels_get(s->labels, STR("le"));
        double upper;
        if (!str_to_f64(le, &upper)) {
            if (!pq_note(ev, PQ_NOTE_BAD_BUCKET, q->arg, note_name(q, s->labels), le, none))
                return false;
            continue;
        }
        bool added;
        struct labels key;
        if (!pq_drop_label(ev, s->labels, STR("le"), &key))
            return false;
        uint32_t at = pq_index_put(ev, &q->index, key, &added);
        if (at == UINT32_MAX)
            return false;
        double *v = s->v;
        if (s->hist) { /* histograms of the same series are no buckets */
            struct pq_series floats;
            if (!pq_copy_series(ev, q->g, s, &floats))
                return false;
            for (size_t i = 0; i < q->g->n; i++)
                if (floats.hist[i])
                    floats.v[i] = sample_stale();
            v = floats.v;
        }
        q->series[q->n_series++] = (struct classic_series){upper, at, v};
    }
    if (q->n_series > 1)
        qsort(q->series, q->n_series, sizeof(*q->series), by_group);
    return true;
}

static bool classic_value(struct histograms *q, struct bucket *b, size_t n, size_t i,
                          struct labels ls, double *out) {
    bool forced = false;
    *out = q->quantile ? classic_quantile(q->p[0][i], b, n, &forced)
                       : classic_fraction(q->p[0][i], q->p[1][i], b, n);
    return !forced || pq_note(q->ev, PQ_NOTE_MONOTONICITY, q->arg, note_name(q, ls), none, none);
}

static bool classic_group(struct histograms *q, const struct classic_series *s, size_t n,
                          struct bucket *b) {
    struct pq_series out = {.labels = q->index.keys[s[0].group], .v = pq_column(q->ev, q->g)};
    if (!out.v || !pq_tick(q->ev))
        return false;
    for (size_t i = 0; i < q->g->n; i++) {
        size_t k = 0;
        for (size_t x = 0; x < n; x++)
            if (!pq_absent(s[x].v[i]))
                b[k++] = (struct bucket){s[x].upper, s[x].v[i]};
        if (k && !classic_value(q, b, k, i, out.labels, &out.v[i]))
            return false;
    }
    return pq_matrix_push(q->ev, &q->classic, out);
}

static bool all_classic(struct histograms *q) {
    struct bucket *b = ARENA_ARRAY(q->ev->arena, struct bucket, q->n_series + 1);
    if (!b)
        return pq_no_memory(q->ev);
    for (size_t from = 0, to; from < q->n_series; from = to) {
        for (to = from + 1; to < q->n_series && q->series[to].group == q->series[from].group;
             to++) {
        }
        if (!classic_group(q, q->series + from, to - from, b))
            return false;
    }
    return true;
}

/* The classic result of the same labels, which a native histogram at the same step makes void, and
 * itself too. */
static struct pq_series *rival(struct histograms *q, struct labels ls) {
    uint32_t at =
        pq_index_find(&q->index, ls); /* groups and classic results have the same numbers */
    return at < q->classic.n ? &q->classic.s[at] : NULL;
}

static bool native_series(struct histograms *q, const struct pq_series *s) {
    struct pq_ev *ev = q->ev;
    struct pq_series out = {.labels = s->labels, .v = pq_column(ev, q->g)},
                     *other = rival(q, s->labels);
    /* Without delayed removal the name is gone by the time Prometheus words the note. */
    struct str name = note_name(q, s->labels);
    const struct promql_expr *where = q->e->u.call.args[0];
    if (!out.v)
        return false;
    for (size_t i = 0; i < q->g->n; i++) {
        if (!s->hist[i])
            continue;
        if (other && !pq_absent(other->v[i])) {
            other->v[i] = sample_stale();
            if (!pq_note(ev, PQ_NOTE_MIXED_CLASSIC_NATIVE, q->arg, name, none, none))
                return false;
            continue;
        }
        bool ok = q->quantile ? native_quantile(ev, where, name, q->p[0][i], s->hist[i], &out.v[i])
                              : native_fraction(ev, where, name, q->p[0][i], q->p[1][i], s->hist[i],
                                                &out.v[i]);
        if (!ok)
            return false;
    }
    arena_reset(ev->scratch);
    return pq_matrix_push(ev, &q->native, out);
}

static bool note_quantiles(struct histograms *q) {
    for (size_t i = 0; i < q->g->n; i++)
        if (!(q->p[0][i] >= 0 && q->p[0][i] <= 1))
            if ((i == 0 || sample_bits(q->p[0][i]) != sample_bits(q->p[0][i - 1])) &&
                !pq_note_number(q->ev, PQ_NOTE_QUANTILE, q->e->u.call.args[0], q->p[0][i], 0))
                return false;
    return true;
}

static bool finish(struct histograms *q, struct pq_matrix *out) {
    *out = q->native;
    for (size_t k = 0; k < q->classic.n; k++)
        if (!pq_matrix_push(q->ev, out, q->classic.s[k]))
            return false;
    size_t n = 0;
    for (size_t k = 0; k < out->n; k++) {
        if (!pq_count_points(q->g, &out->s[k]))
            continue;
        out->s[n] = out->s[k];
        if (!pq_mark_name(q->ev, &out->s[n++]))
            return false;
    }
    out->n = n;
    /* Native and classic results of one label set take turns; only both at once would be an error.
     */
    return pq_merge_same(q->ev, q->g, out);
}

bool pq_histogram_call(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                       struct pq_matrix *m) {
    enum pq_fn id = e->u.call.fn->id;
    if (id != PQ_FN_histogram_quantile && id != PQ_FN_histogram_fraction)
        return simple_call(ev, g, e, m);
    struct histograms q = {.ev = ev, .g = g, .e = e, .quantile = id == PQ_FN_histogram_quantile};
    size_t params = q.quantile ? 1 : 2;
    q.arg = e->u.call.args[params];
    for (size_t i = 0; i < params; i++)
        if (!pq_eval_scalar(ev, g, e->u.call.args[i], &q.p[i]))
            return false;
    if (!pq_eval(ev, g, q.arg, &q.in))
        return false;
    if (q.quantile && !note_quantiles(&q))
        return false;
    if (!group_classic(&q) || !all_classic(&q))
        return false;
    for (size_t k = 0; k < q.in.n; k++)
        if (q.in.s[k].hist && !native_series(&q, &q.in.s[k]))
            return false;
    return finish(&q, m);
}
