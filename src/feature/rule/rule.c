/* The manager: loads, when groups are due, threads. */
#include "feature/rule/rule.h"

#include "base/log.h"
#include "base/stats.h"
#include "feature/rule/rule_int.h"

#include <stdlib.h>

#define WORKERS_DEFAULT 2
#define WORKERS_MAX 16
#define WAKE_MAX_MS 1000 /* how soon a jump of the wall clock is noticed */
#define SAVE_EVERY_MS                                                                              \
    60000 /* how exactly it is known, after a crash, until when rules were evaluated */

const char *rule_health_name(enum rule_health h) {
    return h == RULE_HEALTH_OK ? "ok" : h == RULE_HEALTH_BAD ? "err" : "unknown";
}
const char *alert_state_name(enum alert_state s) {
    static const char *const names[] = {"inactive", "pending", "nodata", "firing"};
    return names[s];
}

struct rule_manager *rule_manager_new(const struct rule_options *opt, struct err *err) {
    struct rule_manager *m = calloc(1, sizeof(*m));
    if (!m) {
        err_set(err, ERR_INTERNAL, "out of memory starting the rules");
        return NULL;
    }
    m->opt = *opt;
    mutex_init(&m->lock);
    cond_init(&m->wake);
    /* The configuration that these come from may be replaced while we live. */
    const struct conf_pairs *from = &opt->external_labels;
    struct conf_pairs *to = &m->opt.external_labels;
    m->opt.external_url = arena_str(&m->own, opt->external_url);
    to->key = ARENA_ARRAY(&m->own, struct str, from->n + 1);
    to->value = ARENA_ARRAY(&m->own, struct str, from->n + 1);
    for (size_t i = 0; to->key && to->value && i < from->n; i++) {
        to->key[i] = arena_str(&m->own, from->key[i]);
        to->value[i] = arena_str(&m->own, from->value[i]);
    }
    if (m->own.failed) {
        arena_err(&m->own, err);
        rule_manager_free(m);
        return NULL;
    }
    return m;
}

/* The newest moment of the group's time line at or before now. */
static int64_t slot_of(const struct group *g, int64_t now_ms) {
    int64_t offset = (int64_t)(g->slot_hash % (uint64_t)g->interval_ms);
    int64_t since = now_ms - offset;
    int64_t rest = since % g->interval_ms;
    return now_ms - (rest < 0 ? rest + g->interval_ms : rest);
}

/* Whether the group has something to do now: *out_slot. A clock that was set back by more than an
 * interval starts a new line; by less, the group waits until it has passed where it was. */
static bool due(const struct group *g, int64_t now_ms, int64_t *out_slot) {
    if (g->busy)
        return false;
    int64_t slot = slot_of(g, now_ms);
    if (g->last_slot_ms == 0 || slot > g->last_slot_ms || slot < g->last_slot_ms - g->interval_ms) {
        *out_slot = slot;
        return true;
    }
    return false;
}

/* Time when nobody looked does not count towards `for`. */
static void shift_pending(struct group *g, int64_t slot_ms) {
    int64_t gap = g->seen_ms ? slot_ms - g->seen_ms : 0;
    if (gap <= g->interval_ms) /* the ordinary distance: nothing was missed */
        return;
    for (size_t i = 0; i < g->n; i++)
        for (struct map_entry *e = map_next(&g->rules[i].alerts, NULL); e;
             e = map_next(&g->rules[i].alerts, e)) {
            struct alert *a = e->value;
            if (a->now.state == ALERT_PENDING && a->restored)
                a->now.active_ms += gap;
        }
}

static void begin_slot(struct group *g, int64_t slot_ms) {
    if (g->last_slot_ms && slot_ms > g->last_slot_ms + g->interval_ms) {
        int64_t missed = (slot_ms - g->last_slot_ms) / g->interval_ms - 1;
        g->missed += (uint64_t)missed;
        STAT_ADD(hinomi_rule_groups_missed_total, missed);
    }
    if (g->last_slot_ms == 0)
        shift_pending(g, slot_ms);
    g->last_slot_ms = slot_ms;
    g->busy = true;
}

static void count_firing(struct rule_manager *m) {
    struct rule_summary s;
    rule_manager_summary(m, &s);
    STAT_SET(hinomi_alerts_firing, s.firing);
}

static void run_one(struct rule_manager *m, struct group *g, int64_t slot_ms) {
    group_evaluate(m, g, slot_ms);
    struct err e = {0};
    if (slot_ms - g->saved_ms >= SAVE_EVERY_MS || slot_ms < g->saved_ms) {
        if (rule_state_save_group(m->opt.state, g, &e))
            g->saved_ms = slot_ms;
        else
            log_warn("rule", "group %.*s: %s", STR_FMT(g->name), e.message);
    }
    count_firing(m);
    mutex_lock(&m->lock);
    g->busy = false;
    cond_broadcast(&m->wake);
    mutex_unlock(&m->lock);
}

/* The due group whose slot is the oldest; NULL: none. Holding the lock. */
static struct group *pick(struct rule_manager *m, int64_t now_ms, int64_t *out_slot,
                          int64_t *out_wait_ms) {
    struct group *best = NULL;
    int64_t wait = WAKE_MAX_MS;
    for (size_t i = 0; m->gen && i < m->gen->n; i++) {
        struct group *g = &m->gen->groups[i];
        int64_t slot;
        if (due(g, now_ms, &slot)) {
            if (!best || slot < *out_slot) {
                best = g;
                *out_slot = slot;
            }
        } else if (!g->busy) {
            int64_t left = slot_of(g, now_ms) + g->interval_ms - now_ms;
            wait = left < wait ? left : wait;
        }
    }
    *out_wait_ms = wait < 1 ? 1 : wait;
    return best;
}

size_t rule_manager_run_due(struct rule_manager *m) {
    size_t n = 0;
    for (;;) {
        int64_t slot = 0, wait;
        mutex_lock(&m->lock);
        struct group *g = m->stopping ? NULL : pick(m, clock_wall_ms(m->opt.clock), &slot, &wait);
        if (g)
            begin_slot(g, slot);
        mutex_unlock(&m->lock);
        if (!g)
            return n;
        run_one(m, g, slot);
        n++;
    }
}

static void worker(void *arg) {
    struct rule_manager *m = arg;
    mutex_lock(&m->lock);
    while (!m->stopping) {
        int64_t slot = 0, wait_ms;
        struct group *g = pick(m, clock_wall_ms(m->opt.clock), &slot, &wait_ms);
        if (!g) {
            (void)cond_wait_for(&m->wake, &m->lock, DUR_MS(wait_ms));
            continue;
        }
        begin_slot(g, slot);
        mutex_unlock(&m->lock);
        run_one(m, g, slot);
        mutex_lock(&m->lock);
    }
    mutex_unlock(&m->lock);
}

bool rule_manager_start(struct rule_manager *m, struct err *err) {
    uint32_t n = m->opt.threads ? m->opt.threads : WORKERS_DEFAULT;
    if (n > WORKERS_MAX)
        n = WORKERS_MAX;
    for (; m->n_workers < n; m->n_workers++)
        if (!thread_start(&m->workers[m->n_workers], "rules", worker, m, err))
            return false;
    return true;
}

static struct rule *find_rule(struct generation *gen, const char *key) {
    for (size_t i = 0; gen && i < gen->n; i++)
        for (size_t k = 0; k < gen->groups[i].n; k++)
            if (strcmp(gen->groups[i].rules[k].key, key) == 0)
                return &gen->groups[i].rules[k];
    return NULL;
}

/* Moves what a rule knows from the former generation. Rules: a map by key, as a load may hold
 * thousands. */
static bool transplant(struct generation *from, struct generation *to, struct err *err) {
    struct map by_key = MAP_INIT;
    bool ok = true;
    for (size_t i = 0; ok && i < from->n; i++)
        for (size_t k = 0; ok && k < from->groups[i].n; k++)
            ok = map_put(&by_key, str_from(from->groups[i].rules[k].key), &from->groups[i].rules[k],
                         NULL);
    if (!ok) {
        map_deinit(&by_key);
        return err_set(err, ERR_INTERNAL, "out of memory loading rules");
    }
    for (size_t i = 0; i < to->n; i++) {
        struct group *g = &to->groups[i];
        for (size_t k = 0; k < from->n; k++) {
            struct group *old = &from->groups[k];
            if (strcmp(old->key, g->key) == 0 && old->interval_ms == g->interval_ms) {
                g->last_slot_ms = old->last_slot_ms;
                g->missed = old->missed;
                g->evaluation_s = old->evaluation_s;
                g->evaluations = old->evaluations;
                g->saved_ms = old->saved_ms;
            }
        }
        for (size_t k = 0; k < g->n; k++) {
            struct rule *r = &g->rules[k], *old = map_get(&by_key, str_from(r->key));
            if (!old)
                continue;
            r->alerts = old->alerts;
            r->series = old->series;
            r->health = old->health;
            memcpy(r->last_error, old->last_error, sizeof(r->last_error));
            r->last_eval_ms = old->last_eval_ms;
            r->evaluation_s = old->evaluation_s;
            old->alerts = old->series = MAP_INIT;
        }
    }
    map_deinit(&by_key);
    return true;
}

static bool any_busy(const struct generation *gen) {
    for (size_t i = 0; gen && i < gen->n; i++)
        if (gen->groups[i].busy)
            return true;
    return false;
}

bool rule_manager_load(struct rule_manager *m, const struct rule_source *sources, size_t n,
                       struct err *err) {
    struct generation *gen = generation_new(&m->opt, sources, n, err);
    if (!gen)
        return false;
    int64_t now_ms = clock_wall_ms(m->opt.clock);
    mutex_lock(&m->lock);
    while (any_busy(m->gen))
        cond_wait(&m->wake, &m->lock);
    bool signaled = false;
    bool ok = m->gen || rule_state_restore(m->opt.state, gen, err);
    ok = ok && rule_state_prune(m, gen, now_ms, &signaled, err);
    ok = ok && (!m->gen || transplant(m->gen, gen, err));
    if (!ok) {
        mutex_unlock(&m->lock);
        generation_free(gen);
        return false;
    }
    struct generation *old = m->gen;
    m->gen = gen;
    cond_broadcast(&m->wake);
    mutex_unlock(&m->lock);
    for (size_t i = 0; old && i < old->n; i++)
        for (size_t k = 0; k < old->groups[i].n; k++)
            if (!find_rule(gen, old->groups[i].rules[k].key))
                rule_write_stale(m, &old->groups[i], &old->groups[i].rules[k].series,
                                 now_ms - old->groups[i].offset_ms);
    generation_free(old);
    if (signaled && m->opt.on_signals)
        m->opt.on_signals(m->opt.on_signals_self);
    return true;
}

void rule_manager_free(struct rule_manager *m) {
    if (!m)
        return;
    mutex_lock(&m->lock);
    m->stopping = true;
    cond_broadcast(&m->wake);
    mutex_unlock(&m->lock);
    for (uint32_t i = 0; i < m->n_workers; i++)
        thread_join(&m->workers[i]);
    for (size_t i = 0; m->gen && i < m->gen->n; i++) {
        struct err e = {0};
        struct group *g = &m->gen->groups[i];
        if (g->last_slot_ms && g->last_slot_ms != g->saved_ms &&
            !rule_state_save_group(m->opt.state, g, &e))
            log_warn("rule", "group %.*s: %s", STR_FMT(g->name), e.message);
    }
    generation_free(m->gen);
    arena_deinit(&m->own);
    cond_deinit(&m->wake);
    mutex_deinit(&m->lock);
    free(m);
}
