/* Copies for the API. */
#include "feature/rule/rule_int.h"

#include <stdlib.h>

static bool view_alert(const struct rule *r, const struct alert *x, struct arena *a,
                       struct rule_alert_view *out) {
    *out = (struct rule_alert_view){.key = arena_str(a, (struct str){x->key, ALERT_KEY_BYTES}),
                                    .rule = arena_str(a, r->name),
                                    .state = x->now.state,
                                    .value = x->value,
                                    .active_ms = x->now.active_ms,
                                    .fired_ms = x->now.fired_ms,
                                    .keep_since_ms = x->now.keep_since_ms};
    return labels_copy(a, *x->labels, &out->labels) &&
           labels_copy(a, *x->annotations, &out->annotations) && !a->failed;
}

static int by_key(const void *a, const void *b) {
    const struct rule_alert_view *x = a, *y = b;
    return str_cmp(x->key, y->key);
}

static struct labels pairs_view(const struct conf_pairs *p, struct arena *a) {
    struct labels_builder b = LABELS_BUILDER_INIT;
    struct labels out = {NULL, 0};
    for (size_t i = 0; i < p->n; i++)
        labels_builder_set(&b, p->key[i], p->value[i]);
    if (!labels_copy(a, labels_builder_view(&b), &out))
        out = (struct labels){NULL, 0};
    labels_builder_deinit(&b);
    return out;
}

static bool view_rule(const struct group *g, const struct rule *r, struct arena *a,
                      struct rule_view *out) {
    struct buf query = BUF_INIT;
    promql_print(r->expr, &query);
    *out = (struct rule_view){.alerting = r->alerting,
                              .builtin = g->builtin,
                              .name = arena_str(a, r->name),
                              .query = arena_str(a, buf_view(&query)),
                              .labels = pairs_view(&r->labels, a),
                              .annotations = pairs_view(&r->conf->annotations, a),
                              .for_ms = r->conf->for_ms,
                              .keep_firing_for_ms = r->conf->keep_firing_for_ms,
                              .health = r->health,
                              .last_error = arena_str(a, str_from(r->last_error)),
                              .last_eval_ms = r->last_eval_ms,
                              .evaluation_s = r->evaluation_s};
    buf_deinit(&query);
    out->alerts = ARENA_ARRAY(a, struct rule_alert_view, r->alerts.n_live + 1);
    if (!out->alerts)
        return false;
    for (struct map_entry *e = map_next(&r->alerts, NULL); e; e = map_next(&r->alerts, e)) {
        const struct alert *x = e->value;
        if (x->now.state == ALERT_INACTIVE)
            continue;
        if (!view_alert(r, x, a, &out->alerts[out->n_alerts++]))
            return false;
        if (x->now.state > out->state)
            out->state = x->now.state;
    }
    qsort(out->alerts, out->n_alerts, sizeof(*out->alerts), by_key);
    return !a->failed;
}

bool rule_manager_groups(struct rule_manager *m, struct arena *a, struct rule_group_view **out,
                         size_t *out_n, struct err *err) {
    mutex_lock(&m->lock);
    size_t n = m->gen ? m->gen->n : 0;
    struct rule_group_view *v = ARENA_ARRAY(a, struct rule_group_view, n + 1);
    bool ok = v != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        const struct group *g = &m->gen->groups[i];
        v[i] = (struct rule_group_view){.name = arena_str(a, g->name),
                                        .file = arena_str(a, g->file),
                                        .builtin = g->builtin,
                                        .interval_ms = g->interval_ms,
                                        .limit = g->limit,
                                        .query_offset_ms = g->offset_ms,
                                        .last_eval_ms = g->evaluations ? g->last_slot_ms : 0,
                                        .evaluation_s = g->evaluation_s,
                                        .missed = g->missed,
                                        .n_rules = g->n};
        v[i].rules = ARENA_ARRAY(a, struct rule_view, g->n + 1);
        ok = v[i].rules != NULL;
        for (size_t k = 0; ok && k < g->n; k++)
            ok = view_rule(g, &g->rules[k], a, &v[i].rules[k]);
    }
    mutex_unlock(&m->lock);
    if (!ok)
        return arena_err(a, err);
    *out = v;
    *out_n = n;
    return true;
}

static int worst_first(const void *a, const void *b) {
    const struct rule_alert_view *x = a, *y = b;
    if (x->state != y->state)
        return x->state > y->state ? -1 : 1;
    int c = str_cmp(x->rule, y->rule);
    return c ? c : str_cmp(x->key, y->key);
}

bool rule_manager_alerts(struct rule_manager *m, struct arena *a, struct rule_alert_view **out,
                         size_t *out_n, struct err *err) {
    mutex_lock(&m->lock);
    size_t cap = 1, n = 0;
    for (size_t i = 0; m->gen && i < m->gen->n; i++)
        for (size_t k = 0; k < m->gen->groups[i].n; k++)
            cap += m->gen->groups[i].rules[k].alerts.n_live;
    struct rule_alert_view *v = ARENA_ARRAY(a, struct rule_alert_view, cap);
    bool ok = v != NULL;
    for (size_t i = 0; ok && m->gen && i < m->gen->n; i++)
        for (size_t k = 0; ok && k < m->gen->groups[i].n; k++) {
            const struct rule *r = &m->gen->groups[i].rules[k];
            for (struct map_entry *e = map_next(&r->alerts, NULL); ok && e;
                 e = map_next(&r->alerts, e)) {
                const struct alert *x = e->value;
                if (x->now.state != ALERT_INACTIVE)
                    ok = view_alert(r, x, a, &v[n++]);
            }
        }
    mutex_unlock(&m->lock);
    if (!ok)
        return arena_err(a, err);
    qsort(v, n, sizeof(*v), worst_first);
    *out = v;
    *out_n = n;
    return true;
}

void rule_manager_summary(struct rule_manager *m, struct rule_summary *out) {
    struct rule_summary s = {0};
    mutex_lock(&m->lock);
    for (size_t i = 0; m->gen && i < m->gen->n; i++)
        for (size_t k = 0; k < m->gen->groups[i].n; k++) {
            const struct rule *r = &m->gen->groups[i].rules[k];
            s.total++;
            s.unhealthy += r->health != RULE_HEALTH_OK;
            if (r->last_eval_ms > s.last_eval_ms)
                s.last_eval_ms = r->last_eval_ms;
            for (struct map_entry *e = map_next(&r->alerts, NULL); e; e = map_next(&r->alerts, e)) {
                enum alert_state state = ((struct alert *)e->value)->now.state;
                s.pending += state == ALERT_PENDING;
                s.firing += state == ALERT_FIRING;
            }
        }
    mutex_unlock(&m->lock);
    *out = s;
}
