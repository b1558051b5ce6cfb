/* Functions over instant vectors: mathematics, dates, clamps, absent, timestamp. */
#include "query/promql/eval.h"

#include "base/timev.h"

#define PI 3.14159265358979323846

static double f_rad(double v) {
    return v * PI / 180;
}
static double f_deg(double v) {
    return v * 180 / PI;
}
static double f_sgn(double v) {
    return v < 0 ? -1 : v > 0 ? 1 : v;
}

typedef double (*math_fn)(double);
static math_fn math_function(enum pq_fn id) {
    static const math_fn table[PQ_FN_COUNT] = {
        [PQ_FN_abs] = fabs,  [PQ_FN_ceil] = ceil,   [PQ_FN_floor] = floor, [PQ_FN_exp] = exp,
        [PQ_FN_sqrt] = sqrt, [PQ_FN_ln] = log,      [PQ_FN_log2] = log2,   [PQ_FN_log10] = log10,
        [PQ_FN_sin] = sin,   [PQ_FN_cos] = cos,     [PQ_FN_tan] = tan,     [PQ_FN_asin] = asin,
        [PQ_FN_acos] = acos, [PQ_FN_atan] = atan,   [PQ_FN_sinh] = sinh,   [PQ_FN_cosh] = cosh,
        [PQ_FN_tanh] = tanh, [PQ_FN_asinh] = asinh, [PQ_FN_acosh] = acosh, [PQ_FN_atanh] = atanh,
        [PQ_FN_rad] = f_rad, [PQ_FN_deg] = f_deg,   [PQ_FN_sgn] = f_sgn,
    };
    return table[id];
}

static double date_part(enum pq_fn id, int64_t s) {
    struct civil c = civil_from_s(s);
    switch ((int)id) {
    case PQ_FN_days_in_month:
        return civil_days_in_month(c.year, c.month);
    case PQ_FN_day_of_month:
        return c.day;
    case PQ_FN_day_of_week:
        return c.weekday;
    case PQ_FN_day_of_year:
        return c.yearday;
    case PQ_FN_hour:
        return c.hour;
    case PQ_FN_minute:
        return c.minute;
    case PQ_FN_month:
        return c.month;
    default:
        return (double)c.year;
    }
}

static bool is_date(enum pq_fn id) {
    return id == PQ_FN_days_in_month || id == PQ_FN_day_of_month || id == PQ_FN_day_of_week ||
           id == PQ_FN_day_of_year || id == PQ_FN_hour || id == PQ_FN_minute || id == PQ_FN_month ||
           id == PQ_FN_year;
}

/* A float as a moment: what cannot be one is taken as the nearest that can (about 290 million
 * years). */
static int64_t seconds_of(double v) {
    const double max = 9.2e15;
    if (isnan(v))
        return INT64_MIN / 1024;
    return (int64_t)(v > max ? max : v < -max ? -max : v);
}

/* Drops histograms from a series in place. */
static void floats_only(const struct pq_grid *g, struct pq_series *s) {
    if (!s->hist)
        return;
    for (size_t i = 0; i < g->n; i++)
        if (s->hist[i])
            s->v[i] = sample_stale();
    s->hist = NULL;
}

static bool finish(struct pq_ev *ev, const struct pq_grid *g, struct pq_matrix *m) {
    for (size_t k = 0; k < m->n; k++)
        if (!pq_mark_name(ev, &m->s[k]))
            return false;
    return ev->delayed_names || pq_merge_same(ev, g, m);
}

static bool call_math(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                      struct pq_matrix *m) {
    enum pq_fn id = e->u.call.fn->id;
    math_fn fn = math_function(id);
    if (!pq_eval(ev, g, e->u.call.args[0], m))
        return false;
    for (size_t k = 0; k < m->n; k++) {
        double *v = m->s[k].v;
        floats_only(g, &m->s[k]);
        for (size_t i = 0; i < g->n; i++)
            if (!pq_absent(v[i]))
                v[i] = fn ? fn(v[i]) : date_part(id, seconds_of(v[i]));
    }
    return finish(ev, g, m);
}

static bool call_date_now(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                          struct pq_matrix *m) {
    struct pq_series s = {.v = pq_column(ev, g)};
    for (size_t i = 0; s.v && i < g->n; i++)
        s.v[i] = date_part(e->u.call.fn->id, pq_ts(g, i) / 1000);
    return s.v && pq_matrix_push(ev, m, s);
}

static bool call_clamp(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                       struct pq_matrix *m) {
    enum pq_fn id = e->u.call.fn->id;
    double *low = NULL, *high = NULL;
    if (!pq_eval(ev, g, e->u.call.args[0], m))
        return false;
    if (id != PQ_FN_clamp_max && !pq_eval_scalar(ev, g, e->u.call.args[1], &low))
        return false;
    if (id != PQ_FN_clamp_min &&
        !pq_eval_scalar(ev, g, e->u.call.args[id == PQ_FN_clamp ? 2 : 1], &high))
        return false;
    for (size_t k = 0; k < m->n; k++) {
        double *v = m->s[k].v;
        floats_only(g, &m->s[k]);
        for (size_t i = 0; i < g->n; i++) {
            double lo = low ? low[i] : -HUGE_VAL, hi = high ? high[i] : HUGE_VAL;
            if (!pq_absent(v[i]))
                v[i] = hi < lo ? sample_stale() : pq_max(lo, pq_min(hi, v[i]));
        }
    }
    return finish(ev, g, m);
}

static bool call_round(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                       struct pq_matrix *m) {
    double *nearest = NULL;
    if (!pq_eval(ev, g, e->u.call.args[0], m))
        return false;
    if (e->u.call.n_args > 1 && !pq_eval_scalar(ev, g, e->u.call.args[1], &nearest))
        return false;
    for (size_t k = 0; k < m->n; k++) {
        double *v = m->s[k].v;
        floats_only(g, &m->s[k]);
        for (size_t i = 0; i < g->n; i++) {
            double inverse = nearest ? 1.0 / nearest[i] : 1; /* inverted: fewer rounding errors */
            if (!pq_absent(v[i]))
                v[i] = floor(v[i] * inverse + 0.5) / inverse;
        }
    }
    return finish(ev, g, m);
}

static bool call_vector(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                        struct pq_matrix *m) {
    struct pq_series s = {0};
    return pq_eval_scalar(ev, g, e->u.call.args[0], &s.v) && pq_matrix_push(ev, m, s);
}

static bool call_timestamp(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                           struct pq_matrix *m) {
    const struct promql_expr *arg = pq_unparen(e->u.call.args[0]);
    if (arg->kind == PQ_SELECTOR) {
        if (!pq_select_timestamps(ev, g, arg, false, m))
            return false;
        return finish(ev, g, m);
    }
    if (!pq_eval(ev, g, arg, m))
        return false;
    for (size_t k = 0; k < m->n; k++) {
        m->s[k].hist = NULL;
        for (size_t i = 0; i < g->n; i++)
            if (!pq_absent(m->s[k].v[i]))
                m->s[k].v[i] = (double)pq_ts(g, i) / 1000;
    }
    return finish(ev, g, m);
}

/* The labels that a selector fixes: those of its equality matchers, unless a name is matched twice.
 */
bool pq_absent_labels(struct pq_ev *ev, const struct promql_expr *arg, struct labels *out) {
    *out = (struct labels){NULL, 0};
    if (arg->kind == PQ_MATRIX)
        arg = arg->u.matrix.selector;
    if (arg->kind != PQ_SELECTOR)
        return true;
    struct labels_builder b = LABELS_BUILDER_INIT;
    const struct matcher *m = arg->u.selector.matchers;
    for (size_t i = 0; i < arg->u.selector.n_matchers; i++) {
        if (str_eq(m[i].name, STR(LABEL_NAME)))
            continue;
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen |= m[k].type == MATCH_EQ && str_eq(m[k].name, m[i].name);
        if (m[i].type == MATCH_EQ && !seen)
            labels_builder_set(&b, m[i].name, m[i].value);
        else
            labels_builder_del(&b, m[i].name);
    }
    bool ok = !b.failed && labels_copy(ev->arena, labels_builder_view(&b), out);
    labels_builder_deinit(&b);
    return ok || pq_no_memory(ev);
}

struct presence {
    struct pq_ev *ev;
    const struct pq_grid *g;
    double *v;
};
static bool mark_present(void *arg, struct pq_series *s) {
    struct presence *p = arg;
    for (size_t i = 0; i < p->g->n; i++)
        if (!pq_absent(s->v[i]))
            p->v[i] = sample_stale();
    return true;
}

static bool call_absent(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                        struct pq_matrix *m) {
    struct pq_series s = {.v = pq_column(ev, g)};
    if (!s.v)
        return false;
    for (size_t i = 0; i < g->n; i++)
        s.v[i] = 1;
    struct presence p = {ev, g, s.v};
    if (!pq_each(ev, g, e->u.call.args[0], mark_present, &p) ||
        !pq_absent_labels(ev, pq_unparen(e->u.call.args[0]), &s.labels))
        return false;
    return pq_count_points(g, &s) == 0 || pq_matrix_push(ev, m, s);
}

bool pq_call(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
             struct pq_matrix *m) {
    enum pq_fn id = e->u.call.fn->id;
    if (is_date(id) && e->u.call.n_args == 0)
        return call_date_now(ev, g, e, m);
    if (is_date(id) || math_function(id))
        return call_math(ev, g, e, m);
    switch ((int)id) {
    case PQ_FN_clamp:
    case PQ_FN_clamp_min:
    case PQ_FN_clamp_max:
        return call_clamp(ev, g, e, m);
    case PQ_FN_round:
        return call_round(ev, g, e, m);
    case PQ_FN_vector:
        return call_vector(ev, g, e, m);
    case PQ_FN_timestamp:
        return call_timestamp(ev, g, e, m);
    case PQ_FN_absent:
        return call_absent(ev, g, e, m);
    case PQ_FN_label_replace:
    case PQ_FN_label_join:
        return pq_label_call(ev, g, e, m);
    case PQ_FN_sort:
    case PQ_FN_sort_desc:
    case PQ_FN_sort_by_label:
    case PQ_FN_sort_by_label_desc:
        return pq_sort_call(ev, g, e, m);
    case PQ_FN_info:
        return pq_info_call(ev, g, e, m);
    default:
        return pq_histogram_call(ev, g, e, m);
    }
}
