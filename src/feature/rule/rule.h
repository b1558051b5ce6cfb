/* rule.h - evaluates recording and alerting rules on their intervals, as Prometheus does, and
 * commits what somebody may have to hear of as rows of `signals` (store/state), in the transaction
 * that moves the alert.
 *
 * - Each group has its own time line: slots of its interval, offset by a hash of its name, so that
 * groups spread. A slot is evaluated once; slots that passed while an evaluation ran, or while the
 * wall clock jumped ahead, are counted as missed. Within a group, rules run in order and see each
 * other's results.
 * - Alert state survives restarts and reloads: an alert is known by its rule (file, group, name,
 * labels) and its own labels. A rule that was removed resolves its alerts. Time during which nobody
 * looked does not count as pending time. An alert that fired before a restart is not resolved
 * within the first two evaluations.
 * - Series written: recorded names, ALERTS, ALERTS_FOR_STATE, and a stale marker where a series
 * ended.
 *
 * Threads: rule_manager_new .. _free own their workers; every function may be called from any
 * thread.
 */
#ifndef RULE_RULE_H
#define RULE_RULE_H

#include "base/timev.h"
#include "feature/rule/rule_conf.h"
#include "model/reader.h"
#include "model/sink.h"
#include "query/promql/promql.h"
#include "store/state/state.h"

struct rule_manager;

#define RULE_RESOLVED_KEPT_MS (15 * 60 * 1000) /* a resolved alert is still known (Prometheus) */
#define RULE_REFRESH_MS                                                                            \
    (60 * 1000) /* a firing alert whose texts changed tells so at most this often */
#define RULE_EVALUATION_TIMEOUT_MS (60 * 1000) /* or the group's interval, when that is longer */
#define RULE_SAMPLES_MAX 10000000

struct rule_options {
    struct state *state;
    struct reader reader;
    struct sink sink; /* kind SOURCE_RULE, source "rule/<group>" */
    const struct clock *clock;
    struct str external_url;           /* server.public_url; copied */
    struct conf_pairs external_labels; /* for templates; copied */
    int64_t evaluation_interval_ms;    /* 0: 1 minute */
    int64_t query_offset_ms, lookback_ms;
    unsigned promql_features;
    uint32_t threads; /* 0: 2 */
    bool manual;      /* tests and `hinomi test rules`: no threads, rule_manager_run_due */
    /* Called after signals were committed, from a worker that holds the manager: it must not block
     * or call back into the manager; it wakes the consumer. May be NULL. */
    void (*on_signals)(void *self);
    void *on_signals_self;
    /* NULL: promql_eval over `reader`. Tests and remote evaluation take its place. */
    bool (*query)(void *self, const struct promql_expr *e, int64_t ts_ms,
                  const struct promql_options *opt, struct promql_result *out, struct err *err);
    void *query_self;
};
struct rule_source {
    struct str file; /* as shown; part of a rule's identity */
    const struct rule_file_conf
        *conf; /* must outlive the manager's use: until the next load or free */
    bool builtin;
};

struct rule_manager *rule_manager_new(const struct rule_options *opt, struct err *err) MUST_USE;
/* Replaces all groups at once: true, all; false, the former ones go on. Unchanged rules keep their
 * alerts. */
bool rule_manager_load(struct rule_manager *m, const struct rule_source *sources, size_t n,
                       struct err *err) MUST_USE;
bool rule_manager_start(struct rule_manager *m, struct err *err) MUST_USE;
void rule_manager_free(struct rule_manager *m); /* waits for running evaluations */
/* Evaluates every group that is due at the clock's time. Returns how many. */
size_t rule_manager_run_due(struct rule_manager *m);

enum rule_health { RULE_HEALTH_UNKNOWN, RULE_HEALTH_OK, RULE_HEALTH_BAD };
/* NODATA has its place here; nothing enters it yet. Ordered by how much it matters. */
enum alert_state { ALERT_INACTIVE, ALERT_PENDING, ALERT_NODATA, ALERT_FIRING };
const char *rule_health_name(enum rule_health h); /* "unknown", "ok", "err": as /api/v1/rules */
const char *alert_state_name(enum alert_state s); /* "inactive", "pending", "nodata", "firing" */

/* Views: copies in the caller's arena. */
struct rule_alert_view {
    struct str key; /* 32 hex digits, the same as in signals */
    struct str rule;
    struct labels labels, annotations;
    enum alert_state state;
    double value;
    int64_t active_ms;               /* since when the condition holds */
    int64_t fired_ms, keep_since_ms; /* 0: not */
};
struct rule_view {
    bool alerting, builtin;
    struct str name, query; /* query: canonical form */
    struct labels labels, annotations;
    int64_t for_ms, keep_firing_for_ms;
    enum rule_health health;
    struct str last_error;
    enum alert_state state;         /* of the worst alert */
    int64_t last_eval_ms;           /* 0: never */
    double evaluation_s;            /* how long the last one took */
    struct rule_alert_view *alerts; /* pending and firing, by key */
    size_t n_alerts;
};
struct rule_group_view {
    struct str name, file;
    bool builtin;
    int64_t interval_ms, limit, query_offset_ms, last_eval_ms;
    double evaluation_s;
    uint64_t missed;
    struct rule_view *rules;
    size_t n_rules;
};
bool rule_manager_groups(struct rule_manager *m, struct arena *a, struct rule_group_view **out,
                         size_t *out_n, struct err *err) MUST_USE;
/* Pending and firing alerts of all groups, firing first, then by name. */
bool rule_manager_alerts(struct rule_manager *m, struct arena *a, struct rule_alert_view **out,
                         size_t *out_n, struct err *err) MUST_USE;

struct rule_summary {                         /* whether "no alert" can be believed */
    size_t total, unhealthy, pending, firing; /* unhealthy: failed last time, or never evaluated */
    int64_t last_eval_ms;
};
void rule_manager_summary(struct rule_manager *m, struct rule_summary *out);

#endif
