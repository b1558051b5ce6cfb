/* Reading series: instant vectors, range vectors, subqueries as ranges. */
#include "query/promql/eval.h"

#include "base/limits.h"

struct pq_held_set {
    struct pq_held_set *next;
    struct reader_set *set;
};

bool pq_open_set(struct pq_ev *ev, const struct matcher *m, size_t n, int64_t start, int64_t end,
                 struct reader_set **out) {
    struct reader_query q = {.matchers = m,
                             .n_matchers = n,
                             .start_ms = start,
                             .end_ms = end,
                             .canceled = ev->opt->canceled};
    struct pq_held_set *h = ARENA_NEW(ev->arena, struct pq_held_set);
    if (!h)
        return pq_no_memory(ev);
    if (!ev->reader->ops->select(ev->reader->self, &q, out, ev->err)) {
        if (ev->err->code == ERR_OK)
            err_set(ev->err, ERR_INTERNAL, "the series store failed without saying why");
        return false;
    }
    h->set = *out;
    h->next = ev->held;
    ev->held = h;
    return true;
}

void pq_close_sets(struct pq_ev *ev) {
    for (struct pq_held_set *h = ev->held; h; h = h->next)
        reader_set_free(h->set);
    ev->held = NULL;
}

static bool stale_at(const struct series_data *d, size_t i) {
    return d->hist && d->hist[i] ? sample_is_stale(d->hist[i]->sum) : sample_is_stale(d->value[i]);
}

/* Histograms reduced to count and sum, with the reset hints that their buckets give. */
static bool stats_only(struct pq_ev *ev, struct series_data *d) {
    const struct fhist *prev = NULL;
    const struct fhist **out = ARENA_ARRAY(ev->arena, const struct fhist *, d->n);
    if (!out)
        return pq_no_memory(ev);
    for (size_t i = 0; i < d->n; i++) {
        const struct fhist *h = d->hist[i];
        if (!h)
            continue;
        struct fhist *s = ARENA_NEW(ev->arena, struct fhist);
        if (!s)
            return pq_no_memory(ev);
        s->count = h->count;
        s->sum = h->sum;
        s->hint = h->hint;
        if (!stale_at(d, i)) {
            if (h->hint == FHIST_UNKNOWN && prev)
                s->hint = fhist_detect_reset(ev->scratch, h, prev) ? FHIST_RESET : FHIST_NOT_RESET;
            prev = h;
        }
        out[i] = s;
    }
    d->hist = out;
    return true;
}

/* Instant vectors */

struct instant {
    struct pq_ev *ev;
    const struct pq_grid *g;
    struct pq_ref ref;
    bool timestamps;  /* the samples' times in place of their values */
    bool floats_only; /* info metrics: a histogram is an error */
    double *v;
    const struct fhist **hist;
};

/* The last sample at or before each step's reference time, if it is younger than the lookback and
 * not stale. */
static size_t fill_instant(struct instant *q, const struct series_data *d, bool *any_hist) {
    size_t at = 0, found = 0;
    for (size_t i = 0; i < q->g->n; i++) {
        int64_t t = pq_ref_ts(&q->ref, pq_ts(q->g, i));
        while (at < d->n && d->ts_ms[at] <= t)
            at++;
        q->v[i] = sample_stale();
        if (at == 0 || d->ts_ms[at - 1] <= t - q->ev->lookback_ms || stale_at(d, at - 1))
            continue;
        found++;
        const struct fhist *h = d->hist ? d->hist[at - 1] : NULL;
        if (q->timestamps) {
            q->v[i] = (double)d->ts_ms[at - 1] / 1000;
        } else if (h) {
            if (!*any_hist)
                memset(q->hist, 0, q->g->n * sizeof(*q->hist));
            *any_hist = true;
            q->hist[i] = h;
            q->v[i] = 0;
        } else {
            q->v[i] = d->value[at - 1];
        }
        if (*any_hist && !h)
            q->hist[i] = NULL;
    }
    return found;
}

/* Interpolates between the samples around each step (the `smoothed` modifier). */
static bool fill_smoothed(struct instant *q, const struct series_data *d, size_t *found) {
    *found = 0;
    for (size_t i = 0; i < q->g->n; i++) {
        int64_t t = pq_ref_ts(&q->ref, pq_ts(q->g, i));
        size_t before = SIZE_MAX, behind = SIZE_MAX;
        q->v[i] = sample_stale();
        for (size_t k = 0; k < d->n && behind == SIZE_MAX; k++) {
            if (d->ts_ms[k] <= t - q->ev->lookback_ms || d->ts_ms[k] > t + q->ev->lookback_ms ||
                stale_at(d, k))
                continue;
            if (d->hist && d->hist[k])
                return pq_failf(
                    q->ev, "smoothed and anchored modifiers do not work with native histograms");
            if (d->ts_ms[k] >= t)
                behind = k;
            else
                before = k;
        }
        if (behind != SIZE_MAX && d->ts_ms[behind] == t)
            q->v[i] = d->value[behind];
        else if (before != SIZE_MAX && behind != SIZE_MAX)
            q->v[i] = d->value[before] + (d->value[behind] - d->value[before]) *
                                             (double)(t - d->ts_ms[before]) /
                                             (double)(d->ts_ms[behind] - d->ts_ms[before]);
        else if (before != SIZE_MAX)
            q->v[i] = d->value[before];
        *found += !pq_absent(q->v[i]);
    }
    return true;
}

/* The reader's columns live only until its next read, and a histogram is kept in results. */
static bool keep_hists(struct pq_ev *ev, const struct pq_grid *g, const struct fhist **hist) {
    for (size_t i = 0; i < g->n; i++) {
        if (!hist[i])
            continue;
        const struct fhist *from = hist[i];
        struct fhist *c = fhist_copy(ev->arena, from);
        if (!c)
            return pq_no_memory(ev);
        for (; i < g->n && hist[i] == from; i++)
            hist[i] = c;
        i--;
    }
    return true;
}

static bool has_hist(const struct series_data *d) {
    for (size_t i = 0; d->hist && i < d->n; i++)
        if (d->hist[i] && !stale_at(d, i))
            return true;
    return false;
}

static bool not_info(struct pq_ev *ev, struct labels labels) {
    struct buf b = BUF_INIT;
    labels_format(&b, labels);
    pq_failf(ev, "this should be an info metric, with float samples: %.*s", STR_FMT(buf_view(&b)));
    buf_deinit(&b);
    return false;
}

static bool each_instant(struct instant *q, const struct promql_expr *e, pq_sink sink, void *arg) {
    struct pq_ev *ev = q->ev;
    bool smoothed = e->u.selector.smoothed && !q->timestamps;
    int64_t first = pq_ref_ts(&q->ref, q->g->start),
            last = pq_ref_ts(&q->ref, pq_ts(q->g, q->g->n - 1));
    first -= ev->lookback_ms - 1;
    last += smoothed ? ev->lookback_ms : 0;
    struct reader_set *set;
    if (!pq_open_set(ev, e->u.selector.matchers, e->u.selector.n_matchers, first, last, &set))
        return false;
    for (size_t i = 0; i < set->count; i++) {
        struct series_data d;
        bool any_hist = false;
        size_t found;
        if (!pq_tick(ev) || !set->ops->read(set, i, first, last, &d, ev->err))
            return false;
        if (d.n == 0)
            continue;
        if (d.hist && e->u.selector.stats && !stats_only(ev, &d))
            return false;
        if (q->floats_only && has_hist(&d))
            return not_info(ev, set->ops->labels(set, i));
        if (smoothed ? !fill_smoothed(q, &d, &found)
                     : (found = fill_instant(q, &d, &any_hist), false))
            return false;
        if (found == 0)
            continue;
        if (any_hist && !keep_hists(ev, q->g, q->hist))
            return false;
        ev->samples_read += found;
        struct pq_series s = {
            .labels = set->ops->labels(set, i), .v = q->v, .hist = any_hist ? q->hist : NULL};
        if (!sink(arg, &s))
            return false;
    }
    return true;
}

static bool instant_init(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                         struct instant *q) {
    *q = (struct instant){.ev = ev, .g = g, .v = pq_column(ev, g)};
    q->hist = arena_alloc(ev->arena, g->n * sizeof(*q->hist));
    return q->v && (q->hist || pq_no_memory(ev)) && pq_ref_of(ev, &e->u.selector.mods, &q->ref);
}

bool pq_select_each(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                    pq_sink sink, void *arg) {
    struct instant q;
    return instant_init(ev, g, e, &q) && each_instant(&q, e, sink, arg);
}

struct keep {
    struct pq_ev *ev;
    const struct pq_grid *g;
    struct pq_matrix *m;
};

static bool keep_series(void *arg, struct pq_series *s) {
    struct keep *k = arg;
    struct pq_series copy;
    return pq_copy_series(k->ev, k->g, s, &copy) && pq_matrix_push(k->ev, k->m, copy);
}

bool pq_select_timestamps(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                          bool floats_only, struct pq_matrix *out) {
    struct instant q;
    struct keep k = {ev, g, out};
    if (!instant_init(ev, g, e, &q))
        return false;
    q.timestamps = true;
    q.floats_only = floats_only;
    return each_instant(&q, e, keep_series, &k);
}

/* Range vectors */

bool pq_range_source_init(struct pq_ev *ev, const struct promql_expr *e,
                          struct pq_range_source *out) {
    *out = (struct pq_range_source){.e = e};
    if (e->kind == PQ_SUBQUERY)
        return pq_ref_of(ev, &e->u.subquery.mods, &out->ref) &&
               pq_duration_ms(ev, e->u.subquery.range_ms, e->u.subquery.range_expr, false,
                              &out->range_ms);
    const struct promql_expr *s = e->u.matrix.selector;
    out->anchored = s->u.selector.anchored;
    out->smoothed = s->u.selector.smoothed;
    return pq_ref_of(ev, &s->u.selector.mods, &out->ref) &&
           pq_duration_ms(ev, e->u.matrix.range_ms, e->u.matrix.range_expr, false, &out->range_ms);
}

struct room { /* grows; for series whose columns must be taken apart */
    int64_t *ts, *hist_ts;
    double *v;
    const struct fhist **hist;
    size_t cap;
};

static bool room_for(struct pq_ev *ev, struct room *r, size_t n) {
    if (n <= r->cap)
        return true;
    size_t cap = r->cap ? r->cap * 2 : 256;
    while (cap < n)
        cap *= 2;
    r->ts = arena_alloc(ev->arena, cap * sizeof(*r->ts));
    r->hist_ts = arena_alloc(ev->arena, cap * sizeof(*r->hist_ts));
    r->v = arena_alloc(ev->arena, cap * sizeof(*r->v));
    r->hist = arena_alloc(ev->arena, cap * sizeof(*r->hist));
    r->cap = cap;
    return (r->ts && r->hist_ts && r->v && r->hist) || pq_no_memory(ev);
}

static bool any_stale(const struct series_data *d) {
    bool any = false;
    for (size_t i = 0; i < d->n; i++)
        any |= sample_is_stale(d->value[i]);
    return any;
}

/* Floats and histograms apart, stale markers out; the reader's own columns when there is nothing to
 * do. */
static bool take_apart(struct pq_ev *ev, const struct series_data *d, struct room *r,
                       struct pq_samples *out) {
    if (!d->hist && !any_stale(d)) {
        *out = (struct pq_samples){.ts = d->ts_ms, .v = d->value, .n = d->n};
        return true;
    }
    if (!room_for(ev, r, d->n))
        return false;
    *out = (struct pq_samples){r->ts, r->v, 0, r->hist_ts, r->hist, 0};
    for (size_t i = 0; i < d->n; i++) {
        if (stale_at(d, i))
            continue;
        if (d->hist && d->hist[i]) {
            r->hist_ts[out->n_hist] = d->ts_ms[i];
            r->hist[out->n_hist++] = d->hist[i];
        } else {
            r->ts[out->n] = d->ts_ms[i];
            r->v[out->n++] = d->value[i];
        }
    }
    return true;
}

static bool matrix_each(struct pq_ev *ev, const struct pq_grid *g,
                        const struct pq_range_source *src, pq_samples_fn fn, void *arg) {
    const struct promql_expr *s = src->e->u.matrix.selector;
    struct room room = {0};
    int64_t first = pq_ref_ts(&src->ref, g->start) - src->range_ms + 1;
    int64_t last = pq_ref_ts(&src->ref, pq_ts(g, g->n - 1));
    if (src->anchored || src->smoothed)
        first -= ev->lookback_ms;
    if (src->smoothed)
        last += ev->lookback_ms;
    struct reader_set *set;
    if (!pq_open_set(ev, s->u.selector.matchers, s->u.selector.n_matchers, first, last, &set))
        return false;
    for (size_t i = 0; i < set->count; i++) {
        struct series_data d;
        struct pq_samples samples;
        if (!pq_tick(ev) || !set->ops->read(set, i, first, last, &d, ev->err))
            return false;
        if (d.n == 0)
            continue;
        if (d.hist && s->u.selector.stats && !stats_only(ev, &d))
            return false;
        if (!take_apart(ev, &d, &room, &samples))
            return false;
        if (samples.n + samples.n_hist && !fn(arg, set->ops->labels(set, i), false, &samples))
            return false;
    }
    return true;
}

/* What a subquery saw of resets is not what its points show: the hints go. */
static const struct fhist *without_hint(struct pq_ev *ev, const struct fhist *h) {
    if (h->hint != FHIST_RESET && h->hint != FHIST_NOT_RESET)
        return h;
    struct fhist *c = arena_alloc(ev->arena, sizeof(*c));
    if (!c) {
        pq_no_memory(ev);
        return h;
    }
    *c = *h;
    c->hint = FHIST_UNKNOWN;
    return c;
}

static bool subquery_grid(struct pq_ev *ev, const struct pq_grid *g,
                          const struct pq_range_source *src, struct pq_grid *out) {
    int64_t step;
    if (!pq_duration_ms(ev, src->e->u.subquery.step_ms, src->e->u.subquery.step_expr, false, &step))
        return false;
    if (step == 0)
        step = ev->default_step_ms;
    if (step <= 0)
        return pq_failf(ev, "the step of a subquery must be at least 1 ms");
    int64_t begin = pq_ref_ts(&src->ref, g->start) - src->range_ms;
    int64_t end = pq_ref_ts(&src->ref, pq_ts(g, g->n - 1));
    int64_t start = step * (begin / step);
    if (start <= begin)
        start += step;
    *out = (struct pq_grid){start, step, end >= start ? (size_t)((end - start) / step) + 1 : 0};
    return true;
}

static bool subquery_each(struct pq_ev *ev, const struct pq_grid *g,
                          const struct pq_range_source *src, pq_samples_fn fn, void *arg) {
    struct pq_grid inner;
    struct pq_matrix m;
    struct room room = {0};
    if (!subquery_grid(ev, g, src, &inner))
        return false;
    if (inner.n == 0)
        return true;
    if (!pq_eval(ev, &inner, src->e->u.subquery.expr, &m) || !room_for(ev, &room, inner.n))
        return false;
    for (size_t k = 0; k < m.n; k++) {
        struct pq_samples s = {room.ts, room.v, 0, room.hist_ts, room.hist, 0};
        for (size_t i = 0; i < inner.n; i++) {
            if (pq_absent(m.s[k].v[i]))
                continue;
            if (pq_is_hist(&m.s[k], i)) {
                room.hist_ts[s.n_hist] = pq_ts(&inner, i);
                room.hist[s.n_hist++] = without_hint(ev, m.s[k].hist[i]);
            } else {
                room.ts[s.n] = pq_ts(&inner, i);
                room.v[s.n++] = m.s[k].v[i];
            }
        }
        if (s.n + s.n_hist && !fn(arg, m.s[k].labels, m.s[k].drop_name, &s))
            return false;
    }
    return true;
}

bool pq_range_each(struct pq_ev *ev, const struct pq_grid *g, const struct pq_range_source *src,
                   pq_samples_fn fn, void *arg) {
    return src->e->kind == PQ_SUBQUERY ? subquery_each(ev, g, src, fn, arg)
                                       : matrix_each(ev, g, src, fn, arg);
}
