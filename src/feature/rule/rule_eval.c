/* One evaluation of a group: queries, templates, results to the sink. */
#include "base/log.h"
#include "base/stats.h"
#include "codec/gotmpl.h"
#include "feature/rule/rule_int.h"

#include <stdlib.h>

struct rows {
    struct batch_row *v;
    size_t n, cap;
    struct arena *a;
    bool failed;
};

static void put_row(struct rows *r, struct labels ls, int64_t ts_ms, double value) {
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 64;
        struct batch_row *v = arena_grow(r->a, r->v, r->cap * sizeof(*v), cap * sizeof(*v));
        if (!v) {
            r->failed = true;
            return;
        }
        r->v = v;
        r->cap = cap;
    }
    r->v[r->n++] = (struct batch_row){ls, ts_ms, value};
}

static int64_t mono_ms(void *arg) {
    const struct clock *c = arg;
    return clock_mono_ms(c);
}

static bool run_query(struct rule_manager *m, const struct group *g, const struct promql_expr *e,
                      int64_t ts_ms, struct promql_result *out, struct err *err) {
    int64_t budget =
        g->interval_ms > RULE_EVALUATION_TIMEOUT_MS ? g->interval_ms : RULE_EVALUATION_TIMEOUT_MS;
    struct clock clock = *m->opt.clock;
    struct promql_options opt = {.features = m->opt.promql_features,
                                 .lookback_ms = m->opt.lookback_ms,
                                 .samples_max = RULE_SAMPLES_MAX,
                                 .mono_ms = mono_ms,
                                 .mono_arg = &clock,
                                 .deadline_mono_ms = clock_mono_ms(m->opt.clock) + budget};
    if (m->opt.query)
        return m->opt.query(m->opt.query_self, e, ts_ms, &opt, out, err);
    return promql_eval(e, &m->opt.reader, ts_ms, ts_ms, 0, &opt, out, err);
}

/* ---- templates ---- */

struct template_run {
    struct rule_manager *m;
    const struct group *g;
    int64_t ts_ms;
};

static struct gotmpl_value labels_value(struct arena *a, struct labels ls) {
    struct gotmpl_value v = gotmpl_map(a, ls.n);
    for (uint32_t i = 0; i < ls.n; i++)
        gotmpl_map_put(&v, ls.l[i].name, gotmpl_str(ls.l[i].value));
    return v;
}

static bool template_query(void *self, struct str text, struct arena *a, struct gotmpl_value *out,
                           struct err *err) {
    const struct template_run *t = self;
    struct promql_expr *e = promql_parse(text, t->m->opt.promql_features, a, err);
    struct promql_result res = {0};
    if (!e || !run_query(t->m, t->g, e, t->ts_ms, &res, err))
        return false;
    bool ok = true;
    if (res.type == PROMQL_VECTOR) {
        *out = gotmpl_list(a, res.n_series);
        for (size_t i = 0; i < res.n_series && out->type == GOTMPL_LIST; i++) {
            struct labels ls;
            if (!labels_copy(a, res.series[i].labels, &ls))
                break;
            out->items[i] = gotmpl_sample(a, labels_value(a, ls), res.series[i].points[0].value);
        }
    } else if (res.type == PROMQL_SCALAR) {
        *out = gotmpl_list(a, 1);
        if (out->type == GOTMPL_LIST)
            out->items[0] = gotmpl_sample(a, gotmpl_map(a, 0), res.scalar);
    } else {
        ok = err_set(err, ERR_EXECUTION, "query result is not a vector or scalar");
    }
    promql_result_deinit(&res);
    return ok && (!a->failed || arena_err(a, err));
}

struct expander {
    struct gotmpl_env env;
    struct gotmpl_value dot;
    struct arena *a;
};

static void expander_init(struct expander *x, struct template_run *run, struct labels ls,
                          double value, struct arena *a) {
    const struct rule_options *opt = &run->m->opt;
    struct gotmpl_value labels = labels_value(a, ls),
                        external = gotmpl_map(a, opt->external_labels.n);
    for (size_t i = 0; i < opt->external_labels.n; i++)
        gotmpl_map_put(&external, opt->external_labels.key[i],
                       gotmpl_str(opt->external_labels.value[i]));
    x->a = a;
    x->dot = gotmpl_map(a, 4);
    x->dot.strict = true;
    struct gotmpl_value vars = gotmpl_map(a, 4);
    struct gotmpl_value url = gotmpl_str(opt->external_url), v = gotmpl_float(value);
    gotmpl_map_put(&x->dot, STR("Labels"), labels);
    gotmpl_map_put(&x->dot, STR("ExternalLabels"), external);
    gotmpl_map_put(&x->dot, STR("ExternalURL"), url);
    gotmpl_map_put(&x->dot, STR("Value"), v);
    gotmpl_map_put(&vars, STR("$labels"), labels);
    gotmpl_map_put(&vars, STR("$externalLabels"), external);
    gotmpl_map_put(&vars, STR("$externalURL"), url);
    gotmpl_map_put(&vars, STR("$value"), v);
    x->env = (struct gotmpl_env){.external_url = opt->external_url,
                                 .now_ms = run->ts_ms,
                                 .query = template_query,
                                 .self = run,
                                 .vars = vars};
}

/* As Prometheus: a template that fails says so in its place, the alert rings all the same. */
static struct str expand(struct expander *x, struct str text) {
    struct str out = {NULL, 0};
    struct err e = {0};
    if (gotmpl_expand(text, &x->dot, &x->env, x->a, &out, &e))
        return out;
    return arena_printf(x->a, "<error expanding template: %s>", e.message);
}

static bool expand_pairs(struct expander *x, const struct conf_pairs *p, struct labels_builder *b) {
    for (size_t i = 0; i < p->n; i++)
        labels_builder_set(b, p->key[i], expand(x, p->value[i]));
    return !x->a->failed;
}

/* ---- results ---- */

static bool one_alert(struct rule_manager *m, const struct group *g, const struct rule *r,
                      struct labels from, double value, int64_t ts_ms, struct arena *a,
                      struct alert_result *out, struct err *err) {
    struct template_run run = {m, g, ts_ms};
    struct expander x;
    struct labels_builder b = LABELS_BUILDER_INIT, t = LABELS_BUILDER_INIT;
    labels_builder_reset(&b, from);
    expander_init(&x, &run, from, value, a);
    labels_builder_del(&b, STR(LABEL_NAME));
    bool ok = expand_pairs(&x, &r->labels, &b);
    labels_builder_set(&b, STR("alertname"), r->name);
    ok = ok && expand_pairs(&x, &r->conf->annotations, &t);
    ok = ok && !b.failed && !t.failed && labels_copy(a, labels_builder_view(&b), &out->labels) &&
         labels_copy(a, labels_builder_view(&t), &out->annotations);
    labels_builder_deinit(&b);
    labels_builder_deinit(&t);
    if (!ok)
        return arena_err(a, err);
    out->value = value;
    alert_key_of(out->labels, out->key);
    return true;
}

static bool limit_check(const struct group *g, size_t n, const char *what, struct err *err) {
    if (g->limit > 0 && n > (size_t)g->limit)
        return err_set(err, ERR_EXECUTION, "exceeded limit of %lld with %zu %s",
                       (long long)g->limit, n, what);
    return true;
}

static void alert_rows(const struct rule *r, int64_t ts_ms, struct rows *rows) {
    for (struct map_entry *e = map_next(&r->alerts, NULL); e; e = map_next(&r->alerts, e)) {
        const struct alert *a = e->value;
        if (a->now.state == ALERT_INACTIVE)
            continue;
        struct labels_builder b = LABELS_BUILDER_INIT;
        struct labels ls;
        labels_builder_reset(&b, *a->labels);
        labels_builder_set(&b, STR(LABEL_NAME), STR("ALERTS_FOR_STATE"));
        bool ok = !b.failed && labels_copy(rows->a, labels_builder_view(&b), &ls);
        if (ok)
            put_row(rows, ls, ts_ms, (double)a->now.active_ms / 1000);
        labels_builder_set(&b, STR(LABEL_NAME), STR("ALERTS"));
        labels_builder_set(&b, STR("alertstate"), str_from(alert_state_name(a->now.state)));
        ok = ok && !b.failed && labels_copy(rows->a, labels_builder_view(&b), &ls);
        if (ok)
            put_row(rows, ls, ts_ms, 1);
        rows->failed |= !ok;
        labels_builder_deinit(&b);
    }
}

static bool eval_alert(struct rule_manager *m, struct group *g, struct rule *r,
                       const struct promql_result *res, int64_t ts_ms, struct rows *rows,
                       struct err *err) {
    bool scalar = res->type == PROMQL_SCALAR;
    size_t n = scalar ? 1 : res->n_series;
    if (!limit_check(g, n, "alerts", err))
        return false;
    struct alert_result *v = ARENA_ARRAY(rows->a, struct alert_result, n + 1);
    if (!v)
        return arena_err(rows->a, err);
    for (size_t i = 0; i < n; i++) {
        struct labels from = scalar ? (struct labels){NULL, 0} : res->series[i].labels;
        double value = scalar ? res->scalar : res->series[i].points[0].value;
        if (!one_alert(m, g, r, from, value, ts_ms, rows->a, &v[i], err))
            return false;
    }
    mutex_lock(&m->lock);
    bool ok = alerts_step(m, g, r, v, n, ts_ms, err);
    if (ok)
        alert_rows(r, ts_ms, rows);
    mutex_unlock(&m->lock);
    return ok;
}

static bool eval_record(struct group *g, struct rule *r, const struct promql_result *res,
                        int64_t ts_ms, struct rows *rows, struct err *err) {
    bool scalar = res->type == PROMQL_SCALAR, ok = true;
    size_t n = scalar ? 1 : res->n_series;
    struct map seen = MAP_INIT;
    for (size_t i = 0; ok && i < n; i++) {
        struct labels_builder b = LABELS_BUILDER_INIT;
        struct labels ls;
        char key[ALERT_KEY_BYTES + 1];
        labels_builder_reset(&b, scalar ? (struct labels){NULL, 0} : res->series[i].labels);
        labels_builder_set(&b, STR(LABEL_NAME), r->name);
        for (size_t k = 0; k < r->labels.n; k++)
            labels_builder_set(&b, r->labels.key[k], r->labels.value[k]);
        ok = !b.failed && labels_copy(rows->a, labels_builder_view(&b), &ls);
        labels_builder_deinit(&b);
        if (!ok) {
            arena_err(rows->a, err);
            break;
        }
        alert_key_of(ls, key);
        if (map_get(&seen, str_from(key)))
            ok = err_set(
                err, ERR_EXECUTION,
                "vector contains metrics with the same labelset after applying rule labels");
        else
            ok = map_put(&seen, str_from(key), r, NULL) ||
                 err_set(err, ERR_INTERNAL, "out of memory");
        if (ok)
            put_row(rows, ls, ts_ms, scalar ? res->scalar : res->series[i].points[0].value);
    }
    map_deinit(&seen);
    return ok && limit_check(g, n, "series", err);
}

/* ---- writing, staleness ---- */

static bool write_rows(struct rule_manager *m, const struct group *g, const struct rows *rows,
                       struct err *err) {
    if (rows->n == 0)
        return true;
    struct batch b = {.kind = SOURCE_RULE, .source = g->source, .rows = rows->v, .n = rows->n};
    struct write_result res = {0};
    if (!sink_write(&m->opt.sink, &b, &res, err))
        return err_prefix(err, "writing the result");
    if (res.rejected[REJECT_LABELS] || res.rejected[REJECT_CARDINALITY])
        return err_set(err, ERR_LIMITED, "a part of the result was refused: %s",
                       res.first_rejected);
    return true;
}

/* After the current rows: a stale marker for each series of the last evaluation that is not among
 * them. *out_now: what to remember next time. */
static bool add_stale(struct rule *r, struct rows *rows, int64_t ts_ms, struct map *out_now) {
    size_t current = rows->n;
    bool ok = true;
    for (size_t i = 0; ok && i < current; i++) {
        char key[ALERT_KEY_BYTES + 1];
        alert_key_of(rows->v[i].labels, key);
        struct labels *copy = labels_dup(rows->v[i].labels);
        void *old = NULL;
        ok = copy && map_put(out_now, str_from(key), copy, &old);
        if (!ok)
            free(copy);
        free(old);
    }
    for (struct map_entry *e = map_next(&r->series, NULL); ok && e; e = map_next(&r->series, e))
        if (!map_get(out_now, e->key))
            put_row(rows, *(struct labels *)e->value, ts_ms, sample_stale());
    return ok && !rows->failed;
}

static void free_series(struct map *m) {
    for (struct map_entry *e = map_next(m, NULL); e; e = map_next(m, e))
        free(e->value);
    map_deinit(m);
}

void rule_write_stale(struct rule_manager *m, const struct group *g, const struct map *series,
                      int64_t ts_ms) {
    struct arena a = ARENA_INIT;
    struct rows rows = {.a = &a};
    for (struct map_entry *e = map_next(series, NULL); e; e = map_next(series, e))
        put_row(&rows, *(struct labels *)e->value, ts_ms, sample_stale());
    struct err e = {0};
    if (!write_rows(m, g, &rows, &e))
        log_warn("rule", "group %.*s: marking the end of removed series: %s", STR_FMT(g->name),
                 e.message);
    arena_deinit(&a);
}

static bool eval_rule(struct rule_manager *m, struct group *g, struct rule *r, int64_t ts_ms,
                      struct err *err) {
    struct promql_result res = {0};
    if (!run_query(m, g, r->expr, ts_ms, &res, err))
        return false;
    struct arena a = ARENA_INIT;
    struct rows rows = {.a = &a};
    struct map now = MAP_INIT;
    bool ok = (res.type == PROMQL_VECTOR || res.type == PROMQL_SCALAR) ||
              err_set(err, ERR_EXECUTION, "rule result is not a vector or scalar");
    if (ok)
        ok = r->alerting ? eval_alert(m, g, r, &res, ts_ms, &rows, err)
                         : eval_record(g, r, &res, ts_ms, &rows, err);
    if (ok)
        ok = add_stale(r, &rows, ts_ms, &now) ||
             err_set(err, ERR_INTERNAL, "out of memory writing the result");
    if (ok)
        ok = write_rows(m, g, &rows, err);
    if (ok) {
        free_series(&r->series);
        r->series = now;
    } else {
        free_series(&now);
    }
    arena_deinit(&a);
    promql_result_deinit(&res);
    return ok;
}

void group_evaluate(struct rule_manager *m, struct group *g, int64_t slot_ms) {
    int64_t ts_ms = slot_ms - g->offset_ms;
    int64_t start = m->opt.clock->mono(m->opt.clock->self).ns;
    for (size_t i = 0; i < g->n; i++) {
        mutex_lock(&m->lock);
        bool stop = m->stopping;
        mutex_unlock(&m->lock);
        if (stop)
            break;
        struct rule *r = &g->rules[i];
        struct err e = {0};
        int64_t from = m->opt.clock->mono(m->opt.clock->self).ns;
        bool ok = eval_rule(m, g, r, ts_ms, &e);
        STAT_ADD(hinomi_rule_evaluations_total, 1);
        STAT_ADD(hinomi_rule_evaluation_failures_total, !ok);
        mutex_lock(&m->lock);
        bool news = !ok && (r->health != RULE_HEALTH_BAD || strcmp(r->last_error, e.message) != 0);
        r->health = ok ? RULE_HEALTH_OK : RULE_HEALTH_BAD;
        memcpy(r->last_error, e.message, sizeof(r->last_error));
        if (ok)
            r->last_error[0] = 0;
        r->last_eval_ms = slot_ms;
        r->evaluation_s = (double)(m->opt.clock->mono(m->opt.clock->self).ns - from) / 1e9;
        mutex_unlock(&m->lock);
        if (news)
            log_warn("rule", "group %.*s, rule %.*s: %s", STR_FMT(g->name), STR_FMT(r->name),
                     e.message);
    }
    mutex_lock(&m->lock);
    g->evaluations++;
    g->evaluation_s = (double)(m->opt.clock->mono(m->opt.clock->self).ns - start) / 1e9;
    mutex_unlock(&m->lock);
}
