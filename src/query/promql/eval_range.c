/* Functions over range vectors: one series at a time over all steps, with windows that only move
 * forward. */
#include "query/promql/eval.h"

enum { WORK_BETWEEN_TICKS = 1 << 18 }; /* samples: well under a millisecond */

struct driver {
    struct pq_ev *ev;
    const struct pq_grid *g;
    const struct promql_expr *e;
    struct pq_range_source src;
    struct pq_range_call call;
    pq_range_fn fn;
    double *param[2];
    size_t n_params;
    bool keep_name, need_resets, check_same;
    struct pq_index seen;
    double *v;
    const struct fhist **hist;
    bool any_hist;
    uint32_t *resets;
    size_t resets_cap, work; /* work: samples looked at since the last look at the deadline */
    pq_sink sink;
    void *arg;
};

static const struct promql_expr *range_arg(const struct promql_expr *e) {
    for (size_t i = 0; i < e->u.call.n_args; i++) {
        const struct promql_expr *a = pq_unparen(e->u.call.args[i]);
        if (a->kind == PQ_MATRIX || a->kind == PQ_SUBQUERY)
            return a;
    }
    return NULL;
}

bool pq_is_range_call(const struct promql_expr *e) {
    return e->kind == PQ_CALL && range_arg(e) && e->u.call.fn->id != PQ_FN_absent_over_time;
}

static bool find_resets(struct driver *d, const struct pq_samples *s, size_t *out_n) {
    *out_n = 0;
    if (!d->need_resets)
        return true;
    if (s->n > d->resets_cap) {
        d->resets_cap = s->n * 2;
        d->resets = arena_alloc(d->ev->arena, d->resets_cap * sizeof(*d->resets));
        if (!d->resets)
            return pq_no_memory(d->ev);
    }
    size_t n = 0;
    for (size_t i = 1; i < s->n; i++)
        if (s->v[i] < s->v[i - 1])
            d->resets[n++] = (uint32_t)i;
    *out_n = n;
    return true;
}

struct window {
    size_t lo, hi, hist_lo, hist_hi;
};

/* (mint, maxt]; fixed references may stay where they are, so the pointers move forward only. */
static void move_window(struct window *w, const struct pq_samples *s, int64_t mint, int64_t maxt) {
    while (w->hi < s->n && s->ts[w->hi] <= maxt)
        w->hi++;
    while (w->lo < w->hi && s->ts[w->lo] <= mint)
        w->lo++;
    while (w->hist_hi < s->n_hist && s->hist_ts[w->hist_hi] <= maxt)
        w->hist_hi++;
    while (w->hist_lo < w->hist_hi && s->hist_ts[w->hist_lo] <= mint)
        w->hist_lo++;
}

static bool run_step(struct driver *d, const struct pq_samples *s, const struct window *w, size_t i,
                     bool *emitted) {
    struct pq_range_call *c = &d->call;
    c->ts = s->ts ? s->ts + w->lo : NULL;
    c->v = s->v ? s->v + w->lo : NULL;
    c->n = w->hi - w->lo;
    c->hist_ts = s->hist_ts ? s->hist_ts + w->hist_lo : NULL;
    c->hist = s->hist ? s->hist + w->hist_lo : NULL;
    c->n_hist = w->hist_hi - w->hist_lo;
    c->base = w->lo;
    d->v[i] = sample_stale();
    if (d->any_hist)
        d->hist[i] = NULL;
    if (c->n + c->n_hist == 0)
        return true;
    d->ev->samples_read += c->n + c->n_hist;
    d->work += c->n + c->n_hist;
    if (d->work > WORK_BETWEEN_TICKS) {
        d->work = 0;
        if (!pq_tick(d->ev))
            return false;
    }
    if (c->n_hist && (c->anchored || c->smoothed))
        return pq_failf(d->ev,
                        "smoothed and anchored modifiers do not work with native histograms");
    c->step_ts = pq_ts(d->g, i);
    for (size_t k = 0; k < d->n_params; k++)
        c->param[k] = d->param[k][i];
    double v = 0;
    const struct fhist *h = NULL;
    if (!d->fn(c, &v, &h))
        return !pq_failed(d->ev);
    *emitted = true;
    d->v[i] = h ? 0 : v;
    if (h && !d->any_hist) {
        memset(d->hist, 0, d->g->n * sizeof(*d->hist));
        d->any_hist = true;
    }
    if (h)
        d->hist[i] = h;
    return true;
}

static bool note_counter(struct driver *d, struct labels labels) {
    struct str name = d->call.metric;
    enum pq_fn id = d->e->u.call.fn->id;
    if ((id != PQ_FN_rate && id != PQ_FN_increase) || name.n == 0)
        return true;
    bool any_float = false;
    for (size_t i = 0; i < d->g->n && !any_float; i++)
        any_float = !pq_absent(d->v[i]) && !(d->any_hist && d->hist[i]);
    if (!any_float)
        return true;
    const struct promql_expr *where = d->e->u.call.args[0];
    struct str none = {NULL, 0};
    if (d->ev->features & PROMQL_TYPE_AND_UNIT_LABELS) {
        struct str type = labels_get(labels, STR("__type__"));
        if (str_eq(type, STR("counter")) || str_eq(type, STR("histogram")))
            return true;
        return pq_note(d->ev, PQ_NOTE_MAYBE_NOT_COUNTER_TYPE, where, name, type, none);
    }
    if (str_ends(name, STR("_total")) || str_ends(name, STR("_sum")) ||
        str_ends(name, STR("_count")) || str_ends(name, STR("_bucket")))
        return true;
    return pq_note(d->ev, PQ_NOTE_MAYBE_NOT_COUNTER, where, name, none, none);
}

static bool emit(struct driver *d, struct labels labels) {
    struct pq_ev *ev = d->ev;
    struct pq_series out = {.labels = labels, .v = d->v, .hist = d->any_hist ? d->hist : NULL};
    if (!note_counter(d, labels))
        return false;
    if (!d->keep_name && !pq_mark_name(ev, &out))
        return false;
    if (d->check_same) {
        bool added;
        if (pq_index_put(ev, &d->seen, out.labels, &added) == UINT32_MAX)
            return false;
        if (!added)
            return pq_failf(ev, "vector cannot contain metrics with the same labelset");
    }
    return d->sink(d->arg, &out);
}

static bool drive(void *arg, struct labels labels, bool drop_name, const struct pq_samples *s) {
    struct driver *d = arg;
    struct pq_ev *ev = d->ev;
    struct pq_range_call *c = &d->call;
    struct window w = {0};
    size_t n_resets, next = 0;
    bool emitted = false;
    (void)drop_name;
    if (!find_resets(d, s, &n_resets))
        return false;
    d->any_hist = false;
    c->metric = labels_name(labels);
    int64_t before = d->src.anchored || d->src.smoothed ? ev->lookback_ms : 0;
    int64_t behind = d->src.smoothed ? ev->lookback_ms : 0;
    for (size_t i = 0; i < d->g->n; i++) {
        int64_t ref = pq_ref_ts(&d->src.ref, pq_ts(d->g, i));
        c->range_end = ref;
        c->range_start = ref - d->src.range_ms;
        move_window(&w, s, c->range_start - before, ref + behind);
        while (next < n_resets && d->resets[next] <= w.lo)
            next++;
        c->resets = d->resets ? d->resets + next : NULL;
        c->n_resets = n_resets - next;
        if (!run_step(d, s, &w, i, &emitted))
            return false;
    }
    arena_reset(ev->scratch);
    c->sorted = NULL;
    c->sorted_cap = 0;
    return !emitted || emit(d, labels);
}

static bool check_extended(struct driver *d) {
    enum pq_fn id = d->e->u.call.fn->id;
    bool rate = id == PQ_FN_rate || id == PQ_FN_increase || id == PQ_FN_delta;
    if (d->src.anchored && !rate && id != PQ_FN_resets && id != PQ_FN_changes)
        return pq_failf(d->ev,
                        "anchored modifier can only be used with: changes, delta, increase, rate, "
                        "resets - not with %s",
                        d->e->u.call.fn->name);
    if (d->src.smoothed && !rate)
        return pq_failf(
            d->ev, "smoothed modifier can only be used with: delta, increase, rate - not with %s",
            d->e->u.call.fn->name);
    return true;
}

/* One name for all: series that differ with it differ without it. */
static bool one_name(const struct promql_expr *range) {
    if (range->kind != PQ_MATRIX)
        return false;
    const struct promql_expr *s = range->u.matrix.selector;
    for (size_t i = 0; i < s->u.selector.n_matchers; i++)
        if (s->u.selector.matchers[i].type == MATCH_EQ &&
            str_eq(s->u.selector.matchers[i].name, STR(LABEL_NAME)))
            return true;
    return false;
}

static bool driver_init(struct driver *d, struct pq_ev *ev, const struct pq_grid *g,
                        const struct promql_expr *e) {
    enum pq_fn id = e->u.call.fn->id;
    const struct promql_expr *range = range_arg(e);
    *d = (struct driver){.ev = ev, .g = g, .e = e, .fn = pq_range_function(id)};
    if (!d->fn)
        return pq_failf(ev, "function %s takes no range vector", e->u.call.fn->name);
    if (!pq_range_source_init(ev, range, &d->src) || !check_extended(d))
        return false;
    for (size_t i = 0; i < e->u.call.n_args; i++)
        if (e->u.call.args[i]->type == PROMQL_SCALAR && d->n_params < 2)
            if (!pq_eval_scalar(ev, g, e->u.call.args[i], &d->param[d->n_params++]))
                return false;
    d->keep_name = id == PQ_FN_last_over_time || id == PQ_FN_first_over_time;
    d->need_resets = id == PQ_FN_rate || id == PQ_FN_increase || id == PQ_FN_resets;
    d->check_same = !ev->delayed_names && !one_name(range);
    d->call = (struct pq_range_call){.ev = ev,
                                     .e = e,
                                     .arg = range,
                                     .range_ms = d->src.range_ms,
                                     .anchored = d->src.anchored,
                                     .smoothed = d->src.smoothed};
    d->v = pq_column(ev, g);
    d->hist = arena_alloc(ev->arena, g->n * sizeof(*d->hist));
    return d->v && (d->hist || pq_no_memory(ev));
}

bool pq_range_call_each(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                        pq_sink sink, void *arg) {
    struct driver d;
    if (!driver_init(&d, ev, g, e))
        return false;
    d.sink = sink;
    d.arg = arg;
    return pq_range_each(ev, g, &d.src, drive, &d);
}

/* absent_over_time: 1 at the steps where no series has a sample in the window. */

static bool mark_present(void *arg, struct pq_series *s) {
    struct driver *d = arg;
    double *present = d->param[0];
    for (size_t i = 0; i < d->g->n; i++)
        if (!pq_absent(s->v[i]))
            present[i] = 1;
    return true;
}

bool pq_absent_over_time(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                         struct pq_matrix *out) {
    struct driver d;
    struct pq_series s = {.drop_name = true};
    double *present = arena_array(ev->arena, g->n, sizeof(*present));
    if (!present)
        return pq_no_memory(ev);
    if (!driver_init(&d, ev, g, e))
        return false;
    d.check_same = false;
    d.n_params = 0;
    d.param[0] = present;
    d.sink = mark_present;
    d.arg = &d;
    if (!pq_range_each(ev, g, &d.src, drive, &d) ||
        !pq_absent_labels(ev, pq_unparen(e->u.call.args[0]), &s.labels))
        return false;
    if (!(s.v = pq_column(ev, g)))
        return false;
    for (size_t i = 0; i < g->n; i++)
        if (present[i] == 0)
            s.v[i] = 1;
    return pq_count_points(g, &s) == 0 || pq_matrix_push(ev, out, s);
}
