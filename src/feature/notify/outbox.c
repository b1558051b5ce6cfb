/* SQL over outbox and outbox_attempts. */
#include "base/stats.h"
#include "feature/notify/notify_int.h"

#include <stdio.h>

#define KEEP_SENT_MS (30 * 24 * 3600 * INT64_C(1000))
#define KEEP_SIGNALS_MS (7 * 24 * 3600 * INT64_C(1000))

bool outbox_put(struct state_tx *tx, const struct outbox_new *o, int64_t now_ms, struct err *err) {
    return state_exec(
        tx, err,
        "INSERT INTO outbox(key,receiver,kind,title,body,state,created_ms,next_attempt_ms,"
        "last_error) VALUES(?,?,?,?,?,?,?,?,nullif(?,'')) ON CONFLICT(key) DO NOTHING",
        "ssssssiis", o->key, o->receiver, o->kind, o->title, o->body,
        o->muted.n ? STR("muted") : STR("waiting"), now_ms, o->muted.n ? (int64_t)0 : now_ms,
        o->muted);
}

bool outbox_head(struct notify *n, const struct dest *d, struct arena *a, struct outbox_row *out,
                 bool *out_found, struct err *err) {
    struct state_tx *tx = state_begin_read(n->opt.state, err);
    if (!tx)
        return false;
    struct err e = {0};
    struct state_rows *r = state_query(
        tx, &e,
        "SELECT id,attempts,created_ms,coalesce(next_attempt_ms,0),key,kind,title,body FROM outbox "
        "WHERE receiver=? AND state IN ('waiting','sending') ORDER BY kind<>'test', id LIMIT 1",
        "s", d->id);
    bool found = false;
    if (r && (found = state_next(r, &e))) {
        *out = (struct outbox_row){state_int(r, 0),
                                   state_int(r, 1),
                                   state_int(r, 2),
                                   state_int(r, 3),
                                   arena_str(a, state_str(r, 4)),
                                   arena_str(a, state_str(r, 5)),
                                   arena_str(a, state_str(r, 6)),
                                   arena_str(a, state_str(r, 7))};
        if (a->failed)
            arena_err(a, &e);
    }
    state_rows_free(r);
    state_rollback(tx);
    if (e.code != ERR_OK) {
        if (err)
            *err = e;
        return false;
    }
    *out_found = found;
    return true;
}

/* While a receiver stays away, what waits for it goes to another one too, once each; never further
 * than one step. What the receiver gets when it is back, it gets all the same. */
bool outbox_pass_on(struct notify *n, const struct dest *d, struct str to, int64_t now_ms,
                    struct err *err) {
    static const char which[] =
        " FROM outbox o WHERE receiver=? AND state IN ('waiting','sending') AND kind<>'test' AND "
        "key NOT LIKE 'passed/%' AND key NOT LIKE 'fails/%' AND NOT EXISTS(SELECT 1 FROM outbox p "
        "WHERE p.key='passed/'||o.key)";
    char sql[640];
    struct err e = {0};
    int64_t waiting = 0;
    (void)snprintf(sql, sizeof(sql), "SELECT count(*)%s", which);
    struct state_tx *tx = state_begin(n->opt.state, err);
    if (!tx)
        return false;
    struct state_rows *r = state_query(tx, &e, sql, "s", d->id);
    if (r && state_next(r, &e))
        waiting = state_int(r, 0);
    state_rows_free(r);
    if (e.code || waiting == 0) {
        state_rollback(tx);
        if (e.code && err)
            *err = e;
        return e.code == ERR_OK;
    }
    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO outbox(key,receiver,kind,title,body,state,created_ms,"
                   "next_attempt_ms) SELECT 'passed/'||key,?,kind,title,body,'waiting',?,?%s",
                   which);
    if (!state_exec(tx, err, sql, "siis", to, now_ms, now_ms, d->id)) {
        state_rollback(tx);
        return false;
    }
    return state_commit(tx, err);
}

static bool tell_other(struct state_tx *tx, const struct outbox_mark *m, struct err *err) {
    char key[96];
    struct buf body = BUF_INIT, title = BUF_INIT, labels = BUF_INIT;
    buf_printf(&title, "hinomi cannot deliver to receiver %.*s: %.*s", STR_FMT(m->failing),
               STR_FMT(m->error));
    struct label l[3] = {{STR("alertname"), STR("HinomiReceiverFails")},
                         {STR("receiver"), m->failing},
                         {STR("severity"), STR("critical")}};
    struct label t[2] = {{STR("summary"), buf_view(&title)}, {STR("summary_ja"), {NULL, 0}}};
    struct buf ja = BUF_INIT;
    buf_printf(&ja, "hinomi が受信先 %.*s に通知を届けられません: %.*s", STR_FMT(m->failing),
               STR_FMT(m->error));
    t[1].value = buf_view(&ja);
    struct labels ls = {l, 3}, texts = {t, 2};
    struct alert_rec a = {
        .labels = &ls, .annotations = &texts, .firing = true, .starts_ms = m->at_ms};
    labels_format(&labels, ls);
    message_key(a.key, buf_view(&labels));
    struct message_alert v = {&a, true};
    message_body(&body, &v, 1, m->fallback_to, str_from(a.key), ls, (struct str){NULL, 0});
    (void)snprintf(key, sizeof(key), "fails/%lld", (long long)m->id);
    struct outbox_new o = {.key = str_from(key),
                           .receiver = m->fallback_to,
                           .kind = STR("alert"),
                           .title = buf_view(&title),
                           .body = buf_view(&body)};
    bool ok = (buf_ok(&body) && buf_ok(&title)) || err_set(err, ERR_INTERNAL, "out of memory");
    ok = ok && (!m->complain || outbox_put(tx, &o, m->at_ms, err));
    if (ok && m->pass_on) /* what it should have told goes along; never further than one step */
        ok = state_exec(
            tx, err,
            "INSERT INTO outbox(key,receiver,kind,title,body,state,created_ms,next_attempt_ms) "
            "SELECT "
            "'passed/'||key,?,kind,title,body,'waiting',?,? FROM outbox WHERE id=? AND "
            "kind<>'test' AND key NOT LIKE "
            "'passed/%' AND key NOT LIKE 'fails/%' ON CONFLICT(key) DO NOTHING",
            "siii", m->fallback_to, m->at_ms, m->at_ms, m->id);
    buf_deinit(&body);
    buf_deinit(&title);
    buf_deinit(&ja);
    buf_deinit(&labels);
    return ok;
}

bool outbox_mark(struct notify *n, const struct outbox_mark *m, struct err *err) {
    struct state_tx *tx = state_begin(n->opt.state, err);
    if (!tx)
        return false;
    bool sent = m->outcome == OUTCOME_SENT;
    struct str state = sent                           ? STR("delivered")
                       : m->outcome == OUTCOME_FAILED ? STR("failed")
                                                      : STR("waiting");
    bool ok = state_exec(
        tx, err,
        "INSERT INTO outbox_attempts(outbox_id,at_ms,status,duration_ms,error) VALUES(?,?,?,?,?)",
        "iiiis", m->id, m->at_ms, (int64_t)m->status, m->duration_ms, m->error);
    ok = ok && state_exec(tx, err,
                          "UPDATE outbox SET state=?, attempts=attempts+1, next_attempt_ms=?, "
                          "delivered_ms=CASE WHEN ? THEN ? END, "
                          "last_error=CASE WHEN ? THEN last_error ELSE ? END WHERE id=?",
                          "siiiisi", state,
                          sent || m->outcome == OUTCOME_FAILED ? (int64_t)0 : m->next_ms,
                          (int64_t)sent, m->at_ms, (int64_t)sent, m->error, m->id);
    if (ok && m->outcome != OUTCOME_LATER)
        ok = state_exec(tx, err,
                        "UPDATE outbox SET state=?, delivered_ms=CASE WHEN ? THEN ? END, "
                        "attempts=attempts+1, last_error=CASE WHEN "
                        "? THEN NULL ELSE ? END WHERE folded_into=? AND state='folded'",
                        "siiisi", state, (int64_t)sent, m->at_ms, (int64_t)sent, m->error, m->id);
    if (ok && m->fallback_to.n)
        ok = tell_other(tx, m, err);
    if (!ok) {
        state_rollback(tx);
        return false;
    }
    return state_commit(tx, err);
}

bool outbox_orphans(struct notify *n, const struct setup *s, struct err *err) {
    struct state_tx *tx = state_begin(n->opt.state, err);
    if (!tx)
        return false;
    struct arena a = ARENA_INIT;
    struct str gone[64];
    size_t n_gone = 0;
    struct err e = {0};
    struct state_rows *r = state_query(
        tx, &e,
        "SELECT DISTINCT receiver FROM outbox WHERE state IN ('waiting','sending','folded')", "");
    while (r && n_gone < 64 && state_next(r, &e)) {
        bool known = false;
        for (size_t i = 0; i < s->n_dests && !known; i++)
            known = str_eq(s->dests[i].id, state_str(r, 0));
        if (!known)
            gone[n_gone++] = arena_str(&a, state_str(r, 0));
    }
    state_rows_free(r);
    bool ok = r && e.code == ERR_OK;
    for (size_t i = 0; ok && i < n_gone; i++)
        ok = state_exec(tx, &e,
                        "UPDATE outbox SET state='failed', last_error='the receiver was removed' "
                        "WHERE receiver=? AND state IN "
                        "('waiting','sending','folded')",
                        "s", gone[i]);
    arena_deinit(&a);
    if (!ok || n_gone == 0) {
        state_rollback(tx);
        if (!ok && err)
            *err = e;
        return ok;
    }
    return state_commit(tx, err);
}

bool outbox_prune(struct notify *n, int64_t now_ms, struct err *err) {
    struct state_tx *tx = state_begin(n->opt.state, err);
    if (!tx)
        return false;
    if (!state_exec(
            tx, err,
            "DELETE FROM outbox WHERE state IN ('delivered','failed','muted') AND created_ms<?",
            "i", now_ms - KEEP_SENT_MS) ||
        !state_exec(tx, err, "DELETE FROM signals WHERE consumed_ms IS NOT NULL AND at_ms<?", "i",
                    now_ms - KEEP_SIGNALS_MS)) {
        state_rollback(tx);
        return false;
    }
    return state_commit(tx, err);
}

void outbox_count(struct notify *n) {
    struct err e = {0};
    struct state_tx *tx = state_begin_read(n->opt.state, &e);
    struct state_rows *r =
        tx ? state_query(tx, &e, "SELECT count(*) FROM outbox WHERE state IN ('waiting','sending')",
                         "")
           : NULL;
    if (r && state_next(r, &e))
        STAT_SET(hinomi_outbox_pending, state_int(r, 0));
    state_rows_free(r);
    state_rollback(tx);
}
