/* rule_int.h - inside the room: compiled groups and rules, and the steps of an evaluation.
 *
 * A group and all below it belong to whoever evaluates it (group.busy) ; views and reloads take
 * group.lock, which an evaluation holds only while it moves results in. */
#ifndef RULE_RULE_INT_H
#define RULE_RULE_INT_H

#include "base/map.h"
#include "feature/rule/rule.h"
#include "os/thread.h"

#define ALERT_KEY_BYTES 32

struct alert_move { /* the part of an alert that is committed */
    enum alert_state state;
    int64_t active_ms, fired_ms, resolved_ms, keep_since_ms, signaled_ms;
};
struct alert {
    char key[ALERT_KEY_BYTES + 1];
    struct labels *labels;      /* heap */
    struct labels *annotations; /* heap */
    struct labels *told;        /* annotations of the last signal; NULL: none */
    double value;
    struct alert_move now, next; /* next: while an evaluation runs */
    bool fresh;                  /* made by the running evaluation */
    bool seen;                   /* in the running evaluation's result */
    bool restored;               /* from before the restart, not seen since */
    const char *signal;          /* kind to commit, or NULL */
};

struct rule {
    const struct rule_conf *conf;
    const struct promql_expr *expr;
    bool alerting;
    char key[ALERT_KEY_BYTES + 1];
    struct str name;
    struct conf_pairs labels; /* the group's and the rule's */
    struct map alerts;        /* key -> struct alert * */
    struct map series; /* labels as text -> struct labels * : what the last evaluation wrote */
    enum rule_health health;
    char last_error[ERR_MESSAGE_BYTES_MAX];
    int64_t last_eval_ms;
    double evaluation_s;
};

struct group {
    struct str name, file, source; /* source: "rule/<name>" */
    char key[ALERT_KEY_BYTES + 1];
    bool builtin;
    int64_t interval_ms, limit, offset_ms;
    uint64_t slot_hash;
    struct rule *rules;
    size_t n;
    int64_t last_slot_ms; /* 0: none yet */
    int64_t seen_ms; /* from the state: when it was last evaluated before this start; 0: never */
    uint32_t evaluations;
    uint64_t missed;
    double evaluation_s;
    int64_t saved_ms; /* when last_slot_ms was committed last */
    bool busy;
};

struct generation {     /* all groups of one load */
    struct arena arena; /* names, expressions */
    struct group *groups;
    size_t n;
};

struct rule_manager {
    struct rule_options opt;
    struct arena own;  /* copies of what opt borrows */
    struct mutex lock; /* everything below, and the results inside groups */
    struct cond wake;
    struct generation *gen;
    bool stopping;
    struct thread workers[16];
    uint32_t n_workers;
};

/* rule_conf / group.c */
struct generation *generation_new(const struct rule_options *opt, const struct rule_source *sources,
                                  size_t n, struct err *err) MUST_USE;
void generation_free(struct generation *g);
void alert_free(struct alert *a);
void alert_key_of(struct labels ls, char out[ALERT_KEY_BYTES + 1]);

/* rule_eval.c: one rule at one moment. Returns false with rule health set. */
void group_evaluate(struct rule_manager *m, struct group *g, int64_t slot_ms);
/* Writes stale markers for what the rules of `old` wrote and nobody writes any more. */
void rule_write_stale(struct rule_manager *m, const struct group *g, const struct map *series,
                      int64_t ts_ms);

/* alert.c: the state machine. Decides `next` and `signal` of every alert of r; commits; takes over.
 */
struct alert_result { /* one series of the rule's result */
    char key[ALERT_KEY_BYTES + 1];
    struct labels labels, annotations; /* in the evaluation's arena */
    double value;
};
bool alerts_step(struct rule_manager *m, struct group *g, struct rule *r,
                 const struct alert_result *v, size_t n, int64_t ts_ms, struct err *err) MUST_USE;

/* rule_state.c: SQL over rule_groups, rule_state, alert_state, signals. */
bool rule_state_restore(struct state *s, struct generation *gen, struct err *err) MUST_USE;
bool rule_state_commit(struct rule_manager *m, struct group *g, struct rule *r,
                       struct alert *const *changed, size_t n, int64_t ts_ms,
                       struct err *err) MUST_USE;
/* Resolves and forgets alerts of rules that are no longer there. */
bool rule_state_prune(struct rule_manager *m, const struct generation *gen, int64_t now_ms,
                      bool *out_signaled, struct err *err) MUST_USE;
bool rule_state_save_group(struct state *s, const struct group *g, struct err *err) MUST_USE;

#endif
