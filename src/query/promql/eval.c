/* The entry point, and which file evaluates which kind of expression. */
#include "query/promql/eval.h"

#include "base/limits.h"
#include "query/promql/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool pq_failf(struct pq_ev *ev, const char *fmt, ...) {
    if (ev->err->code != ERR_OK)
        return false;
    char text[ERR_MESSAGE_BYTES_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(ev->err, ERR_EXECUTION, "%s", text);
}

bool pq_failed(const struct pq_ev *ev) {
    return ev->err->code != ERR_OK;
}

bool pq_no_memory(struct pq_ev *ev) {
    if (pq_failed(ev))
        return false;
    return err_set(ev->err, ERR_EXECUTION,
                   "memory limit of this query (%zu MiB) reached; ask for less at once",
                   ev->memory_max >> 20);
}

bool pq_tick(struct pq_ev *ev) {
    const struct promql_options *o = ev->opt;
    if (pq_failed(ev))
        return false;
    if (o->canceled && atomic_load_explicit(o->canceled, memory_order_relaxed))
        return err_set(ev->err, ERR_CANCELED, "query was canceled in expression evaluation");
    if (o->mono_ms && (ev->ticks++ & 15) == 0 && o->mono_ms(o->mono_arg) > o->deadline_mono_ms)
        return err_set(ev->err, ERR_TIMEOUT, "query timed out in expression evaluation");
    return true;
}

bool pq_take_samples(struct pq_ev *ev, size_t n) {
    ev->samples += n;
    if (ev->samples > ev->samples_peak)
        ev->samples_peak = ev->samples;
    if (ev->samples > ev->samples_max)
        return pq_failf(
            ev, "query processing would load too many samples into memory in query execution");
    return true;
}

void pq_drop_samples(struct pq_ev *ev, size_t n) {
    ev->samples -= n < ev->samples ? n : ev->samples;
}

/* Durations and reference times */

static bool duration_value(struct pq_ev *ev, const struct promql_expr *e, double *out) {
    double l = 0, r = 0;
    if (e->kind == PQ_NUMBER) {
        *out = e->u.number.value;
        return true;
    }
    if (e->u.duration.lhs && !duration_value(ev, e->u.duration.lhs, &l))
        return false;
    if (e->u.duration.rhs && !duration_value(ev, e->u.duration.rhs, &r))
        return false;
    bool unary = !e->u.duration.lhs;
    switch ((int)e->u.duration.op) {
    case PQ_STEP:
        *out = (double)ev->query_step / 1000;
        return true;
    case PQ_DMIN:
        *out = pq_min(l, r);
        return true;
    case PQ_DMAX:
        *out = pq_max(l, r);
        return true;
    case PQ_ADD:
        *out = unary ? r : l + r;
        return true;
    case PQ_SUB:
        *out = unary ? -r : l - r;
        return true;
    case PQ_MUL:
        *out = l * r;
        return true;
    case PQ_DIV:
        *out = l / r;
        return r != 0 || pq_failf(ev, "%u:%u: division by zero", e->start, e->end);
    case PQ_MOD:
        *out = fmod(l, r);
        return r != 0 || pq_failf(ev, "%u:%u: modulo by zero", e->start, e->end);
    default:
        *out = pow(l, r);
        return true;
    }
}

#define DURATION_MS_MAX INT64_C(9223372036854) /* what fits into 64 bits as nanoseconds */

bool pq_duration_ms(struct pq_ev *ev, int64_t plain_ms, const struct promql_expr *expr,
                    bool negative_ok, int64_t *out) {
    double v;
    *out = plain_ms;
    if (!expr)
        return true;
    if (!duration_value(ev, expr, &v))
        return false;
    if (!(v > 0) && !negative_ok)
        return pq_failf(ev, "%u:%u: duration must be greater than 0", expr->start, expr->end);
    if (!(fabs(v * 1000) <= (double)DURATION_MS_MAX))
        return pq_failf(ev, "%u:%u: duration is out of range", expr->start, expr->end);
    *out = (int64_t)(v * 1000);
    return true;
}

#define TS_ABS_MAX (INT64_MAX / 4) /* so that adding offsets and ranges cannot overflow */

bool pq_ref_of(struct pq_ev *ev, const struct pq_time_mods *m, struct pq_ref *out) {
    out->fixed = m->at != PQ_AT_NONE;
    out->at = m->at == PQ_AT_START ? ev->query_start
              : m->at == PQ_AT_END ? ev->query_end
                                   : m->at_ms;
    if (out->at > TS_ABS_MAX)
        out->at = TS_ABS_MAX;
    if (out->at < -TS_ABS_MAX)
        out->at = -TS_ABS_MAX;
    return pq_duration_ms(ev, m->offset_ms, m->offset_expr, true, &out->offset);
}

/* Scalars */

static double *scalar_column(struct pq_ev *ev, const struct pq_grid *g) {
    double *v = arena_alloc(ev->arena, g->n * sizeof(*v));
    if (!v)
        pq_no_memory(ev);
    return v;
}

static bool scalar_call(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                        double **out) {
    double *v = scalar_column(ev, g);
    if (!v)
        return false;
    *out = v;
    if (e->u.call.fn->id != PQ_FN_scalar) {
        for (size_t i = 0; i < g->n; i++)
            v[i] = e->u.call.fn->id == PQ_FN_time ? (double)pq_ts(g, i) / 1000
                                                  : 3.14159265358979323846;
        return true;
    }
    struct pq_matrix m = {0};
    if (!pq_eval(ev, g, e->u.call.args[0], &m))
        return false;
    for (size_t i = 0; i < g->n; i++) {
        size_t found = 0;
        v[i] = sample_nan();
        for (size_t k = 0; k < m.n && found < 2; k++)
            if (!pq_absent(m.s[k].v[i]) && !pq_is_hist(&m.s[k], i) && found++ == 0)
                v[i] = m.s[k].v[i];
        if (found != 1)
            v[i] = sample_nan();
    }
    return true;
}

static bool scalar_inner(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                         double **out) {
    if (e->kind == PQ_CALL)
        return scalar_call(ev, g, e, out);
    if (e->kind == PQ_BINARY)
        return pq_binary_scalars(ev, g, e, out);
    if (e->kind == PQ_UNARY) {
        if (!pq_eval_scalar(ev, g, e->u.unary.expr, out))
            return false;
        for (size_t i = 0; e->u.unary.op == PQ_SUB && i < g->n; i++)
            (*out)[i] = -(*out)[i];
        return true;
    }
    return pq_failf(ev, "unexpected scalar expression");
}

bool pq_eval_scalar(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                    double **out) {
    if (!pq_tick(ev))
        return false;
    e = pq_unparen((struct promql_expr *)(uintptr_t)e);
    double first = 0;
    if (e->kind == PQ_NUMBER) {
        first = e->u.number.value;
    } else if (e->step_invariant && g->n > 1) {
        struct pq_grid one = {g->start, g->step, 1};
        double *v;
        if (!scalar_inner(ev, &one, e, &v))
            return false;
        first = v[0];
    } else {
        return scalar_inner(ev, g, e, out);
    }
    double *v = scalar_column(ev, g);
    for (size_t i = 0; v && i < g->n; i++)
        v[i] = first;
    *out = v;
    return v != NULL;
}

/* Vectors */

struct collect {
    struct pq_ev *ev;
    const struct pq_grid *g;
    struct pq_matrix *m;
};

static bool collect_series(void *arg, struct pq_series *s) {
    struct collect *c = arg;
    struct pq_series copy;
    return pq_take_samples(c->ev, pq_count_points(c->g, s)) &&
           pq_copy_series(c->ev, c->g, s, &copy) && pq_matrix_push(c->ev, c->m, copy);
}

static bool negate(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                   struct pq_matrix *m) {
    if (!pq_eval(ev, g, e->u.unary.expr, m))
        return false;
    if (e->u.unary.op != PQ_SUB)
        return true;
    for (size_t k = 0; k < m->n; k++) {
        struct pq_series *s = &m->s[k];
        if (!pq_mark_name(ev, s))
            return false;
        for (size_t i = 0; i < g->n; i++) {
            if (pq_absent(s->v[i]))
                continue;
            if (pq_is_hist(s, i)) {
                struct fhist *h = fhist_copy(ev->arena, s->hist[i]);
                if (!h)
                    return pq_no_memory(ev);
                fhist_scale(h, -1);
                s->hist[i] = h;
            } else {
                s->v[i] = -s->v[i];
            }
        }
    }
    return ev->delayed_names || pq_merge_same(ev, g, m);
}

static bool eval_inner(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                       struct pq_matrix *out) {
    struct collect c = {ev, g, out};
    if (e->type == PROMQL_SCALAR) {
        struct pq_series s = {0};
        return pq_eval_scalar(ev, g, e, &s.v) && pq_matrix_push(ev, out, s);
    }
    switch ((int)e->kind) {
    case PQ_SELECTOR:
        return pq_select_each(ev, g, e, collect_series, &c);
    case PQ_CALL:
        if (e->u.call.fn->id == PQ_FN_absent_over_time)
            return pq_absent_over_time(ev, g, e, out);
        return pq_is_range_call(e) ? pq_range_call_each(ev, g, e, collect_series, &c)
                                   : pq_call(ev, g, e, out);
    case PQ_AGGREGATE:
        return pq_aggregate(ev, g, e, out);
    case PQ_BINARY:
        return pq_binary(ev, g, e, out);
    case PQ_UNARY:
        return negate(ev, g, e, out);
    default:
        return pq_failf(ev, "unexpected expression of type %s", pq_type_name(e->type));
    }
}

static bool broadcast(struct pq_ev *ev, const struct pq_grid *g, struct pq_matrix *m) {
    for (size_t k = 0; k < m->n; k++) {
        struct pq_series *s = &m->s[k];
        double v = s->v[0];
        const struct fhist *h = s->hist ? s->hist[0] : NULL;
        s->v = arena_alloc(ev->arena, g->n * sizeof(*s->v));
        s->hist = NULL;
        if (!s->v || (h && !pq_column_hist(ev, g, s)))
            return pq_no_memory(ev);
        for (size_t i = 0; i < g->n; i++) {
            s->v[i] = v;
            if (h)
                s->hist[i] = h;
        }
    }
    return true;
}

bool pq_eval(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
             struct pq_matrix *out) {
    if (!pq_tick(ev))
        return false;
    e = pq_unparen((struct promql_expr *)(uintptr_t)e);
    *out = (struct pq_matrix){0};
    size_t before = ev->samples;
    if (e->step_invariant && g->n > 1) {
        struct pq_grid one = {g->start, g->step, 1};
        if (!eval_inner(ev, &one, e, out) || !broadcast(ev, g, out))
            return false;
    } else if (!eval_inner(ev, g, e, out)) {
        return false;
    }
    size_t points = 0;
    for (size_t k = 0; k < out->n; k++)
        points += pq_count_points(g, &out->s[k]);
    ev->samples = before;
    return pq_take_samples(ev, points);
}

bool pq_each(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e, pq_sink sink,
             void *arg) {
    e = pq_unparen((struct promql_expr *)(uintptr_t)e);
    if (!(e->step_invariant && g->n > 1)) {
        if (e->kind == PQ_SELECTOR)
            return pq_tick(ev) && pq_select_each(ev, g, e, sink, arg);
        if (pq_is_range_call(e))
            return pq_tick(ev) && pq_range_call_each(ev, g, e, sink, arg);
    }
    struct pq_matrix m;
    size_t before = ev->samples;
    if (!pq_eval(ev, g, e, &m))
        return false;
    for (size_t k = 0; k < m.n; k++)
        if (!sink(arg, &m.s[k]))
            return false;
    ev->samples = before;
    return true;
}

/* Results */

static bool put_hist(struct promql_result *r, const struct fhist *h, struct promql_point *p) {
    struct fhist *c = fhist_copy(&r->arena, h);
    if (!c)
        return false;
    p->hist = c;
    return true;
}

static bool put_series(struct promql_result *r, const struct pq_grid *g,
                       const struct pq_series *s) {
    size_t n = pq_count_points(g, s);
    if (n == 0)
        return true;
    struct promql_series *o = &r->series[r->n_series];
    o->points = arena_alloc(&r->arena, n * sizeof(*o->points));
    if (!o->points || !labels_copy(&r->arena, s->labels, &o->labels))
        return false;
    o->n = 0;
    for (size_t i = 0; i < g->n; i++) {
        if (pq_absent(s->v[i]))
            continue;
        struct promql_point *p = &o->points[o->n++];
        *p = (struct promql_point){pq_ts(g, i), s->v[i], NULL};
        if (pq_is_hist(s, i) && !put_hist(r, s->hist[i], p))
            return false;
    }
    r->n_series++;
    return true;
}

static bool result_of_matrix(struct pq_ev *ev, const struct pq_grid *g, struct pq_matrix *m,
                             struct promql_result *r) {
    /* What the work holds is taken from what the result may hold. */
    r->arena.bytes_max =
        ev->memory_max > ev->arena->bytes_used ? ev->memory_max - ev->arena->bytes_used : 16;
    r->series = ARENA_ARRAY(&r->arena, struct promql_series, m->n);
    if (!r->series)
        return pq_no_memory(ev);
    for (size_t k = 0; k < m->n; k++)
        if (!put_series(r, g, &m->s[k]))
            return pq_no_memory(ev);
    return true;
}

static bool finish_names(struct pq_ev *ev, const struct pq_grid *g, struct pq_matrix *m) {
    if (!ev->delayed_names)
        return true;
    for (size_t k = 0; k < m->n; k++)
        if (m->s[k].drop_name && !pq_drop_metadata(ev, m->s[k].labels, &m->s[k].labels))
            return false;
    return pq_merge_same(ev, g, m);
}

struct raw { /* a range vector as the result of an instant query */
    struct pq_ev *ev;
    struct promql_result *r;
    size_t cap;
    int64_t mint, maxt;
    const struct pq_range_source *src;
};

static bool raw_series(void *arg, struct labels labels, bool drop_name,
                       const struct pq_samples *in) {
    struct raw *w = arg;
    struct arena *a = &w->r->arena;
    struct pq_samples s = *in;
    if (drop_name && !pq_drop_metadata(w->ev, labels, &labels))
        return false;
    if (w->src->anchored || w->src->smoothed) {
        if (s.n_hist)
            return pq_failf(w->ev, "anchored modifier is not supported with histograms");
        if (s.n && !pq_extend(w->ev, in, w->mint, w->maxt, w->src->smoothed, &s))
            return false;
    }
    if (s.n + s.n_hist == 0)
        return true;
    if (!pq_take_samples(w->ev, s.n + s.n_hist))
        return false;
    w->ev->samples_read += s.n + s.n_hist;
    if (w->r->n_series == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 16;
        w->r->series = arena_grow(a, w->r->series, w->cap * sizeof(*w->r->series),
                                  cap * sizeof(*w->r->series));
        if (!w->r->series)
            return pq_no_memory(w->ev);
        w->cap = cap;
    }
    struct promql_series *o = &w->r->series[w->r->n_series];
    *o = (struct promql_series){.points = arena_alloc(a, (s.n + s.n_hist) * sizeof(*o->points))};
    if (!o->points || !labels_copy(a, labels, &o->labels))
        return pq_no_memory(w->ev);
    for (size_t i = 0, k = 0; i < s.n || k < s.n_hist;) {
        struct promql_point *p = &o->points[o->n++];
        if (k == s.n_hist || (i < s.n && s.ts[i] < s.hist_ts[k])) {
            *p = (struct promql_point){s.ts[i], s.v[i], NULL};
            i++;
        } else {
            *p = (struct promql_point){s.hist_ts[k], 0, NULL};
            if (!put_hist(w->r, s.hist[k], p))
                return pq_no_memory(w->ev);
            k++;
        }
    }
    w->r->n_series++;
    return true;
}

static int by_result_labels(const void *a, const void *b) {
    return labels_cmp(((const struct promql_series *)a)->labels,
                      ((const struct promql_series *)b)->labels);
}

static void sort_result(struct promql_result *r) {
    if (r->n_series > 1)
        qsort(r->series, r->n_series, sizeof(*r->series), by_result_labels);
}

static bool eval_raw(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                     struct promql_result *r) {
    struct pq_range_source src;
    struct raw w = {.ev = ev, .r = r, .src = &src};
    if (!pq_range_source_init(ev, e, &src))
        return false;
    w.maxt = pq_ref_ts(&src.ref, g->start);
    w.mint = w.maxt - src.range_ms;
    if (!pq_range_each(ev, g, &src, raw_series, &w))
        return false;
    sort_result(r);
    return true;
}

static bool eval_top(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                     bool instant, struct promql_result *r) {
    r->type = instant ? e->type : PROMQL_MATRIX;
    r->ts_ms = g->start;
    e = pq_unparen((struct promql_expr *)(uintptr_t)e);
    if (e->type == PROMQL_STRING && instant) {
        r->string = arena_str(&r->arena, e->u.string);
        return r->string.p || pq_no_memory(ev);
    }
    if (e->type == PROMQL_MATRIX && instant)
        return eval_raw(ev, g, e, r);
    if (e->type == PROMQL_SCALAR && instant) {
        double *v;
        if (!pq_eval_scalar(ev, g, e, &v))
            return false;
        r->scalar = v[0];
        return true;
    }
    if (e->type != PROMQL_SCALAR && e->type != PROMQL_VECTOR)
        return err_set(
            ev->err, ERR_BAD_INPUT,
            "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
            pq_type_documented(e->type));
    struct pq_matrix m;
    if (!pq_eval(ev, g, e, &m) || !finish_names(ev, g, &m) || !result_of_matrix(ev, g, &m, r))
        return false;
    if (!instant)
        sort_result(r);
    return true;
}

static bool check_times(int64_t start, int64_t end, int64_t step, struct pq_grid *g,
                        struct err *err) {
    if (start > TS_ABS_MAX || start < -TS_ABS_MAX || end > TS_ABS_MAX || end < -TS_ABS_MAX ||
        step > TS_ABS_MAX)
        return err_set(err, ERR_BAD_INPUT, "timestamp out of range: %lld to %lld, step %lld ms",
                       (long long)start, (long long)end, (long long)step);
    bool instant = start == end && step == 0;
    if (!instant && step <= 0)
        return err_set(err, ERR_BAD_INPUT, "step must be greater than 0, got %lld ms",
                       (long long)step);
    *g = (struct pq_grid){start, instant ? 1 : step, 0};
    if (end >= start)
        g->n = (size_t)((end - start) / g->step) + 1;
    return true;
}

static void ev_init(struct pq_ev *ev, const struct promql_options *opt) {
    ev->features = opt->features;
    ev->delayed_names = opt->features & PROMQL_DELAYED_NAME_REMOVAL;
    ev->lookback_ms = opt->lookback_ms > 0 ? opt->lookback_ms : 300000;
    ev->default_step_ms = opt->default_step_ms > 0 ? opt->default_step_ms : 60000;
    ev->samples_max = opt->samples_max ? opt->samples_max : LIMIT_QUERY_SAMPLES;
}

bool promql_eval(const struct promql_expr *e, const struct reader *reader, int64_t start_ms,
                 int64_t end_ms, int64_t step_ms, const struct promql_options *opt,
                 struct promql_result *out, struct err *err) {
    static const struct promql_options defaults;
    struct err own;
    struct pq_grid g;
    opt = opt ? opt : &defaults;
    err = err ? err : &own;
    err_reset(err);
    if (!check_times(start_ms, end_ms, step_ms, &g, err))
        return false;
    size_t memory = opt->memory_max ? opt->memory_max : LIMIT_QUERY_MEMORY_BYTES;
    struct arena work = ARENA_INIT_MAX(memory), scratch = ARENA_INIT_MAX(memory);
    struct pq_notes notes = {0};
    struct promql_result r = {.arena = ARENA_INIT_MAX(memory)};
    struct pq_ev ev = {.reader = reader,
                       .arena = &work,
                       .scratch = &scratch,
                       .err = err,
                       .opt = opt,
                       .memory_max = memory,
                       .query_start = start_ms,
                       .query_end = end_ms,
                       .query_step = step_ms,
                       .notes = &notes,
                       .text = e->text};
    ev_init(&ev, opt);
    bool ok = true;
    if (g.n == 0)
        r.type = PROMQL_MATRIX;
    else
        ok = eval_top(&ev, &g, e, step_ms == 0 && start_ms == end_ms, &r);
    if (ok && (work.failed || scratch.failed))
        ok = pq_no_memory(&ev);
    if (ok && !pq_notes_out(&ev, &r.notes, &r.arena))
        ok = pq_no_memory(&ev);
    pq_close_sets(&ev);
    map_deinit(&notes.seen);
    arena_deinit(&work);
    arena_deinit(&scratch);
    if (!ok) {
        arena_deinit(&r.arena);
        return false;
    }
    r.samples_read = ev.samples_read;
    r.peak_samples = ev.samples_peak;
    *out = r;
    return true;
}

void promql_result_deinit(struct promql_result *r) {
    arena_deinit(&r->arena);
    *r = (struct promql_result){0};
}
