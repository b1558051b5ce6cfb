/* SQL over rule_groups, alert_state and signals. */
#include "base/log.h"
#include "base/stats.h"
#include "codec/jsonw.h"
#include "feature/rule/rule_int.h"

#include <stdlib.h>

static struct str z(const char *s) {
    return str_from(s);
}

static void put_query_escaped(struct buf *b, struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            c == '-' || c == '_' || c == '.')
            buf_putc(b, c);
        else
            buf_printf(b, "%%%02X", (unsigned)(unsigned char)c);
    }
}

struct signal_row {
    const char *kind;
    struct str alert_key, labels, annotations, value;
    int64_t starts_ms, ends_ms;
};

static bool put_signal(struct state_tx *tx, const struct rule_options *opt, const struct group *g,
                       const struct rule *r, const struct signal_row *s, int64_t ts_ms,
                       struct err *err) {
    struct buf url = BUF_INIT, body = BUF_INIT;
    struct jsonw w = JSONW_INIT(&body);
    jsonw_object(&w);
    if (r) {
        buf_puts(&url, opt->external_url);
        buf_putz(&url, "/explore?q=");
        put_query_escaped(&url, r->conf->expr);
        jsonw_kstr(&w, "file", g->file);
        jsonw_kstr(&w, "group", g->name);
        jsonw_kstr(&w, "rule", r->name);
        jsonw_kstr(&w, "expr", r->conf->expr);
        jsonw_ki64(&w, "for_ms", r->conf->for_ms);
    } else {
        jsonw_kz(&w, "reason", "the rule was removed");
    }
    jsonw_end(&w);
    bool ok = (buf_ok(&url) && buf_ok(&body)) ||
              err_set(err, ERR_INTERNAL, "out of memory writing a signal");
    ok = ok && state_exec(
                   tx, err,
                   "INSERT INTO "
                   "signals(at_ms,source,kind,alert_key,labels,annotations,value,starts_ms,ends_ms,"
                   "generator_url,body) VALUES(?,'rule',?,?,?,?,?,?,?,?,?)",
                   "isssssiiss", ts_ms, z(s->kind), s->alert_key, s->labels, s->annotations,
                   s->value, s->starts_ms, s->ends_ms, buf_view(&url), buf_view(&body));
    buf_deinit(&url);
    buf_deinit(&body);
    return ok;
}

static bool put_alert(struct state_tx *tx, struct rule_manager *m, struct group *g, struct rule *r,
                      struct alert *a, int64_t ts_ms, struct err *err) {
    const struct alert_move *to = &a->next;
    struct str key = {a->key, ALERT_KEY_BYTES};
    struct buf labels = BUF_INIT, texts = BUF_INIT, value = BUF_INIT;
    labels_format(&labels, *a->labels);
    labels_format(&texts, *a->annotations);
    buf_f64(&value, a->value);
    bool ok = (buf_ok(&labels) && buf_ok(&texts) && buf_ok(&value)) ||
              err_set(err, ERR_INTERNAL, "out of memory");
    bool gone = to->state == ALERT_INACTIVE &&
                (to->resolved_ms == 0 || ts_ms - to->resolved_ms > RULE_RESOLVED_KEPT_MS);
    if (ok && gone)
        ok = state_exec(tx, err, "DELETE FROM alert_state WHERE rule_key=? AND alert_key=?", "ss",
                        z(r->key), key);
    else if (ok)
        ok = state_exec(
            tx, err,
            "INSERT OR REPLACE INTO "
            "alert_state(rule_key,alert_key,labels,annotations,state,value,active_ms,"
            "fired_ms,resolved_ms,keep_since_ms,signaled_ms) VALUES(?,?,?,?,?,?,?,?,?,?,?)",
            "ssssssiiiii", z(r->key), key, buf_view(&labels), buf_view(&texts),
            z(alert_state_name(to->state)), buf_view(&value), to->active_ms, to->fired_ms,
            to->resolved_ms, to->keep_since_ms, to->signaled_ms);
    if (ok && a->signal) {
        struct signal_row s = {.kind = a->signal,
                               .alert_key = key,
                               .labels = buf_view(&labels),
                               .annotations = buf_view(&texts),
                               .value = buf_view(&value),
                               .starts_ms = to->active_ms,
                               .ends_ms = to->state == ALERT_INACTIVE ? ts_ms : 0};
        if (to->fired_ms)
            s.starts_ms = to->fired_ms;
        ok = put_signal(tx, &m->opt, g, r, &s, ts_ms, err);
    }
    buf_deinit(&labels);
    buf_deinit(&texts);
    buf_deinit(&value);
    return ok;
}

static bool put_group(struct state_tx *tx, const struct group *g, int64_t at_ms, struct err *err) {
    return state_exec(tx, err,
                      "INSERT INTO rule_groups(group_key,last_eval_ms,missed) VALUES(?,?,?) ON "
                      "CONFLICT(group_key) DO UPDATE "
                      "SET last_eval_ms=excluded.last_eval_ms, missed=excluded.missed",
                      "sii", z(g->key), at_ms, (int64_t)g->missed);
}

bool rule_state_commit(struct rule_manager *m, struct group *g, struct rule *r,
                       struct alert *const *changed, size_t n, int64_t ts_ms, struct err *err) {
    struct state_tx *tx = state_begin(m->opt.state, err);
    if (!tx)
        return false;
    int64_t signals = 0;
    bool ok = put_group(tx, g, ts_ms, err);
    for (size_t i = 0; ok && i < n; i++) {
        ok = put_alert(tx, m, g, r, changed[i], ts_ms, err);
        signals += changed[i]->signal != NULL;
    }
    if (!ok) {
        state_rollback(tx);
        return false;
    }
    if (!state_commit(tx, err))
        return false;
    g->saved_ms = ts_ms;
    STAT_ADD(hinomi_signals_total, signals);
    if (signals && m->opt.on_signals)
        m->opt.on_signals(m->opt.on_signals_self);
    return true;
}

bool rule_state_save_group(struct state *s, const struct group *g, struct err *err) {
    struct state_tx *tx = state_begin(s, err);
    if (!tx)
        return false;
    if (!put_group(tx, g, g->last_slot_ms, err)) {
        state_rollback(tx);
        return false;
    }
    return state_commit(tx, err);
}

static bool state_from_name(struct str s, enum alert_state *out) {
    for (int i = ALERT_INACTIVE; i <= ALERT_FIRING; i++)
        if (str_eqz(s, alert_state_name((enum alert_state)i))) {
            *out = (enum alert_state)i;
            return true;
        }
    return false;
}

/* One row of alert_state; a row that cannot be read is skipped with a line in the log, not lost on
 * disk. */
static bool restore_alert(struct rule *r, struct state_rows *row, struct err *err) {
    struct arena a = ARENA_INIT;
    struct labels labels, texts;
    struct alert_move now = {.active_ms = state_int(row, 5),
                             .fired_ms = state_int(row, 6),
                             .resolved_ms = state_int(row, 7),
                             .keep_since_ms = state_int(row, 8),
                             .signaled_ms = state_int(row, 9)};
    double value = 0;
    struct err e = {0};
    if (!labels_parse(state_str(row, 1), &a, &labels, &e) ||
        !labels_parse(state_str(row, 2), &a, &texts, &e) ||
        !state_from_name(state_str(row, 3), &now.state) || !str_to_f64(state_str(row, 4), &value)) {
        log_warn("rule",
                 "an alert of rule %.*s in the state store cannot be read and is left alone: %s",
                 STR_FMT(r->name), e.message);
        arena_deinit(&a);
        return true;
    }
    struct alert *x = calloc(1, sizeof(*x));
    bool ok = x != NULL;
    if (ok) {
        struct str key = state_str(row, 0);
        memcpy(x->key, key.p, key.n < ALERT_KEY_BYTES ? key.n : ALERT_KEY_BYTES);
        x->labels = labels_dup(labels);
        x->annotations = labels_dup(texts);
        x->told = labels_dup(texts);
        x->value = value;
        x->now = x->next = now;
        x->restored = true;
        ok = x->labels && x->annotations && x->told &&
             map_put(&r->alerts, (struct str){x->key, ALERT_KEY_BYTES}, x, NULL);
    }
    if (!ok) {
        alert_free(x);
        err_set(err, ERR_INTERNAL, "out of memory restoring alerts");
    }
    arena_deinit(&a);
    return ok;
}

static bool restore_rule(struct state_tx *tx, struct rule *r, struct err *err) {
    struct state_rows *row = state_query(
        tx, err,
        "SELECT alert_key,labels,annotations,state,value,active_ms,fired_ms,resolved_ms,"
        "keep_since_ms,signaled_ms FROM alert_state WHERE rule_key=?",
        "s", z(r->key));
    if (!row)
        return false;
    struct err e = {0};
    bool ok = true;
    while (ok && state_next(row, &e))
        ok = restore_alert(r, row, err);
    state_rows_free(row);
    if (ok && e.code != ERR_OK) {
        if (err)
            *err = e;
        ok = false;
    }
    return ok;
}

static bool restore_group(struct state_tx *tx, struct group *g, struct err *err) {
    struct state_rows *row = state_query(
        tx, err, "SELECT last_eval_ms, missed FROM rule_groups WHERE group_key=?", "s", z(g->key));
    if (!row)
        return false;
    struct err e = {0};
    if (state_next(row, &e)) {
        g->seen_ms = state_int(row, 0);
        g->missed = (uint64_t)state_int(row, 1);
    }
    state_rows_free(row);
    if (e.code != ERR_OK) {
        if (err)
            *err = e;
        return false;
    }
    for (size_t k = 0; k < g->n; k++)
        if (g->rules[k].alerting && !restore_rule(tx, &g->rules[k], err))
            return false;
    return true;
}

bool rule_state_restore(struct state *s, struct generation *gen, struct err *err) {
    struct state_tx *tx = state_begin_read(s, err);
    if (!tx)
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < gen->n; i++)
        ok = restore_group(tx, &gen->groups[i], err);
    state_rollback(tx);
    return ok;
}

/* Rows of rules that are gone: those that rang are resolved, so that nothing rings for ever. */
static bool prune_rows(struct state_tx *tx, struct rule_manager *m, const struct map *known,
                       int64_t now_ms, int64_t *signals, struct err *err) {
    struct state_rows *row =
        state_query(tx, err,
                    "SELECT rule_key,alert_key,labels,annotations,state,value,fired_ms FROM "
                    "alert_state ORDER BY rule_key",
                    "");
    if (!row)
        return false;
    struct err e = {0};
    bool ok = true;
    while (ok && state_next(row, &e)) {
        if (map_get(known, state_str(row, 0)))
            continue;
        if (str_eqz(state_str(row, 4), "firing")) {
            struct signal_row s = {.kind = "resolved",
                                   .alert_key = state_str(row, 1),
                                   .labels = state_str(row, 2),
                                   .annotations = state_str(row, 3),
                                   .value = state_str(row, 5),
                                   .starts_ms = state_int(row, 6),
                                   .ends_ms = now_ms};
            ok = put_signal(tx, &m->opt, NULL, NULL, &s, now_ms, err);
            ++*signals;
        }
        ok = ok && state_exec(tx, err, "DELETE FROM alert_state WHERE rule_key=? AND alert_key=?",
                              "ss", state_str(row, 0), state_str(row, 1));
    }
    state_rows_free(row);
    if (ok && e.code != ERR_OK) {
        if (err)
            *err = e;
        ok = false;
    }
    return ok;
}

bool rule_state_prune(struct rule_manager *m, const struct generation *gen, int64_t now_ms,
                      bool *out_signaled, struct err *err) {
    struct map known = MAP_INIT;
    bool ok = true;
    for (size_t i = 0; ok && i < gen->n; i++)
        for (size_t k = 0; ok && k < gen->groups[i].n; k++)
            ok = map_put(&known, z(gen->groups[i].rules[k].key), m, NULL);
    if (!ok) {
        map_deinit(&known);
        return err_set(err, ERR_INTERNAL, "out of memory loading rules");
    }
    struct state_tx *tx = state_begin(m->opt.state, err);
    int64_t signals = 0;
    ok = tx && prune_rows(tx, m, &known, now_ms, &signals, err);
    map_deinit(&known);
    if (!ok) {
        state_rollback(tx);
        return false;
    }
    if (!state_commit(tx, err))
        return false;
    STAT_ADD(hinomi_signals_total, signals);
    *out_signaled = signals > 0;
    return true;
}
