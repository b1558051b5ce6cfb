/* The alert state machine (Prometheus's, rules/alerting.go describes the same): inactive -> pending
 * -> firing -> inactive, with `for` and `keep_firing_for`. All moves of one evaluation are decided
 * first, committed with their signals, and only then taken over: what is not on disk did not
 * happen. */
#include "feature/rule/rule_int.h"

#include <stdlib.h>

/* A firing alert from before a restart waits this many evaluations for its series to be there
 * again. */
#define RESTORED_GRACE_EVALUATIONS 2

static struct alert *alert_new(const struct alert_result *v) {
    struct alert *a = calloc(1, sizeof(*a));
    if (!a)
        return NULL;
    memcpy(a->key, v->key, sizeof(a->key));
    a->labels = labels_dup(v->labels);
    a->annotations = labels_dup(v->annotations);
    a->value = v->value;
    a->fresh = true;
    if (!a->labels || !a->annotations) {
        alert_free(a);
        return NULL;
    }
    return a;
}

/* The result holds this alert. */
static bool step_seen(const struct rule *r, struct alert *a, const struct alert_result *v,
                      int64_t ts_ms) {
    a->seen = true;
    a->restored = false;
    if (a->fresh || a->now.state == ALERT_INACTIVE) { /* new, or resolved a while ago and back */
        a->next = (struct alert_move){.state = ALERT_PENDING, .active_ms = ts_ms};
        free(a->told);
        a->told = NULL;
    }
    if (!a->fresh) {
        struct labels *texts = labels_dup(v->annotations);
        if (!texts)
            return false;
        free(a->annotations);
        a->annotations = texts;
        a->value = v->value;
    }
    if (a->next.active_ms > ts_ms)
        a->next.active_ms = ts_ms; /* the wall clock was set back */
    a->next.keep_since_ms = 0;
    if (a->next.state == ALERT_PENDING && ts_ms - a->next.active_ms >= r->conf->for_ms) {
        a->next.state = ALERT_FIRING;
        a->next.fired_ms = ts_ms;
        a->next.signaled_ms = ts_ms;
        a->signal = "firing";
    } else if (a->next.state == ALERT_FIRING && ts_ms - a->next.signaled_ms >= RULE_REFRESH_MS &&
               (!a->told || !labels_eq(*a->told, *a->annotations))) {
        a->next.signaled_ms = ts_ms;
        a->signal = "refresh";
    }
    return true;
}

/* The result does not hold it. */
static void step_unseen(const struct group *g, const struct rule *r, struct alert *a,
                        int64_t ts_ms) {
    if (a->next.state == ALERT_FIRING) {
        if (a->restored && g->evaluations < RESTORED_GRACE_EVALUATIONS)
            return;
        if (r->conf->keep_firing_for_ms > 0) {
            if (a->next.keep_since_ms == 0 || a->next.keep_since_ms > ts_ms)
                a->next.keep_since_ms = ts_ms;
            if (ts_ms - a->next.keep_since_ms < r->conf->keep_firing_for_ms)
                return;
        }
        a->signal = "resolved";
        a->next.signaled_ms = ts_ms;
    }
    if (a->next.state != ALERT_INACTIVE) {
        a->next.resolved_ms = a->next.state == ALERT_FIRING ? ts_ms : 0; /* 0: forgotten at once */
        a->next.state = ALERT_INACTIVE;
    }
}

static bool forgotten(const struct alert_move *m, int64_t ts_ms) {
    return m->state == ALERT_INACTIVE &&
           (m->resolved_ms == 0 || ts_ms - m->resolved_ms > RULE_RESOLVED_KEPT_MS);
}

static bool moved(const struct alert *a) {
    return a->fresh || memcmp(&a->now, &a->next, sizeof(a->now)) != 0 || a->signal;
}

static void take_over(struct rule *r, int64_t ts_ms) {
    struct map_entry *next = NULL;
    for (struct map_entry *e = map_next(&r->alerts, NULL); e; e = next) {
        next = map_next(&r->alerts, e);
        struct alert *a = e->value;
        a->now = a->next;
        a->fresh = false;
        if (a->signal) {
            free(a->told);
            a->told = labels_dup(*a->annotations);
        }
        if (forgotten(&a->now, ts_ms))
            alert_free(map_del(&r->alerts, e->key));
    }
}

static void undo(struct rule *r) {
    struct map_entry *next = NULL;
    for (struct map_entry *e = map_next(&r->alerts, NULL); e; e = next) {
        next = map_next(&r->alerts, e);
        if (((struct alert *)e->value)->fresh)
            alert_free(map_del(&r->alerts, e->key));
    }
}

static bool match_result(struct rule *r, const struct alert_result *v, size_t n, int64_t ts_ms,
                         struct err *err) {
    for (size_t i = 0; i < n; i++) {
        struct str key = {v[i].key, ALERT_KEY_BYTES};
        struct alert *a = map_get(&r->alerts, key);
        if (!a) {
            a = alert_new(&v[i]);
            if (!a || !map_put(&r->alerts, key, a, NULL)) {
                alert_free(a);
                return err_set(err, ERR_INTERNAL, "out of memory holding alerts");
            }
        }
        if (a->seen)
            return err_set(
                err, ERR_EXECUTION,
                "vector contains metrics with the same labelset after applying alert labels");
        if (!step_seen(r, a, &v[i], ts_ms))
            return err_set(err, ERR_INTERNAL, "out of memory holding alerts");
    }
    return true;
}

bool alerts_step(struct rule_manager *m, struct group *g, struct rule *r,
                 const struct alert_result *v, size_t n, int64_t ts_ms, struct err *err) {
    for (struct map_entry *e = map_next(&r->alerts, NULL); e; e = map_next(&r->alerts, e)) {
        struct alert *a = e->value;
        a->next = a->now;
        a->seen = false;
        a->signal = NULL;
    }
    bool ok = match_result(r, v, n, ts_ms, err);
    struct alert **changed =
        ok && r->alerts.n_live ? calloc(r->alerts.n_live, sizeof(struct alert *)) : NULL;
    if (ok && r->alerts.n_live && !changed)
        ok = err_set(err, ERR_INTERNAL, "out of memory holding alerts");
    size_t n_changed = 0;
    for (struct map_entry *e = map_next(&r->alerts, NULL); ok && e; e = map_next(&r->alerts, e)) {
        struct alert *a = e->value;
        if (!a->seen)
            step_unseen(g, r, a, ts_ms);
        if (moved(a) || forgotten(&a->next, ts_ms))
            changed[n_changed++] = a;
    }
    ok = ok && (n_changed == 0 || rule_state_commit(m, g, r, changed, n_changed, ts_ms, err));
    free(changed);
    if (ok)
        take_over(r, ts_ms);
    else
        undo(r);
    return ok;
}
