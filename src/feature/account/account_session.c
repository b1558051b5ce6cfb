/* Logging in and browser sessions: rows of the table `sessions`. */
#include "base/log.h"
#include "feature/account/account_int.h"

#include <stdlib.h>

struct found_user {
    bool found;
    int64_t id;
    struct str name, hash;
    enum account_role role;
};

static bool find_by_name(struct account *ac, struct str name, struct arena *a,
                         struct found_user *out, struct err *err) {
    struct err e = {0};
    struct state_tx *tx = state_begin_read(ac->state, err);
    if (!tx)
        return false;
    *out = (struct found_user){.found = false};
    struct state_rows *r = state_query(
        tx, &e, "SELECT id,name,role,password_hash FROM users WHERE name=? AND disabled=0", "s",
        name);
    if (r && state_next(r, &e)) {
        out->found = true;
        out->id = state_int(r, 0);
        out->name = arena_str(a, state_str(r, 1));
        out->hash = arena_str(a, state_str(r, 3));
        (void)account_role_from_name(state_str(r, 2), &out->role);
    }
    if (r)
        state_rows_free(r);
    state_rollback(tx);
    if (e.code && err)
        *err = e;
    return e.code == 0 && (!a->failed || arena_err(a, err));
}

static bool insert_session(struct account *ac, const struct found_user *u,
                           const struct account_hash *h, struct str csrf, struct str peer,
                           int64_t now, struct err *err) {
    struct account_actor by = {u->name, u->role, peer};
    struct state_tx *tx = state_begin(ac->state, err);
    if (!tx)
        return false;
    bool ok =
        state_exec(tx, err, "DELETE FROM sessions WHERE expires_ms<=? OR seen_ms<=?", "ii", now,
                   now - ACCOUNT_SESSION_IDLE_MS) &&
        state_exec(tx, err,
                   "INSERT INTO "
                   "sessions(hash,user_id,csrf,created_ms,seen_ms,expires_ms,address,user_agent) "
                   "VALUES(?,?,?,?,?,?,?,'')",
                   "bisiiis", str_make((const char *)h->v, sizeof(h->v)), u->id, csrf, now, now,
                   now + ACCOUNT_SESSION_MS, peer) &&
        state_exec(tx, err, "UPDATE users SET last_login_ms=? WHERE id=?", "ii", now, u->id) &&
        account_int_audit(tx, now, &by, STR("login"), u->name, STR(""), err);
    if (ok)
        return state_commit(tx, err);
    state_rollback(tx);
    return false;
}

static bool login_failed(struct account *ac, struct str name, struct str peer, struct err *err) {
    struct account_actor by = {STR("anonymous"), ACCOUNT_ROLE_NONE, peer};
    struct err e = {0};
    account_int_throttle_failed(ac, name, peer);
    /* Best effort: a full disk must not turn a wrong password into another answer. */
    if (!account_audit(ac, &by, STR("login_failed"),
                       str_is_utf8(name) ? str_sub(name, 0, ACCOUNT_NAME_BYTES_MAX)
                                         : STR("(not text)"),
                       STR(""), &e))
        log_warn("account", "a failed login could not be written to the audit log: %s", e.message);
    return err_set(err, ERR_UNAUTHENTICATED, "wrong name or password");
}

bool account_login(struct account *ac, struct str name, struct str password, struct str peer,
                   struct arena *a, struct account_principal *out,
                   char out_secret[ACCOUNT_SECRET_BYTES], struct err *err) {
    int64_t wait_ms = account_int_throttle_wait_ms(ac, name, peer);
    if (wait_ms > 0)
        return err_set(err, ERR_LIMITED, "too many failed logins; try again in %lld minutes",
                       (long long)(wait_ms / 60000 + 1));
    struct found_user u;
    bool same = false;
    if (!find_by_name(ac, name, a, &u, err) ||
        !account_int_password_verify(ac, u.found ? u.hash.p : NULL, password, &same, err))
        return false;
    if (!same)
        return login_failed(ac, name, peer, err);
    char csrf[ACCOUNT_SECRET_BYTES], secret[ACCOUNT_SECRET_BYTES];
    struct account_hash h;
    int64_t now = account_int_now(ac);
    account_int_secret("", secret);
    account_int_secret("", csrf);
    account_int_hash(str_from(secret), &h);
    struct account_principal p = {.kind = ACCOUNT_SESSION,
                                  .role = u.role,
                                  .id = u.id,
                                  .name = u.name,
                                  .csrf = arena_str(a, str_from(csrf)),
                                  .expires_ms = now + ACCOUNT_SESSION_MS};
    if (a->failed)
        return arena_err(a, err);
    if (!insert_session(ac, &u, &h, p.csrf, peer, now, err))
        return false;
    account_int_throttle_passed(ac, name, peer);
    account_int_cache_put(ac, &h, &p, now, now);
    memcpy(out_secret, secret, sizeof(secret));
    *out = p;
    return true;
}

static bool unknown_session(struct err *err) {
    return err_set(err, ERR_UNAUTHENTICATED, "the session has ended; log in again");
}

static bool write_seen(struct account *ac, const struct account_hash *h, int64_t now) {
    struct err e = {0};
    struct state_tx *tx = state_begin(ac->state, &e);
    if (!tx)
        return false;
    if (state_exec(tx, &e, "UPDATE sessions SET seen_ms=? WHERE hash=?", "ib", now,
                   str_make((const char *)h->v, sizeof(h->v))))
        return state_commit(tx, &e);
    state_rollback(tx);
    return false;
}

static bool load_session(struct account *ac, const struct account_hash *h, struct arena *a,
                         struct account_principal *out, int64_t *out_seen_ms, bool *out_found,
                         struct err *err) {
    struct err e = {0};
    struct state_tx *tx = state_begin_read(ac->state, err);
    if (!tx)
        return false;
    struct state_rows *r = state_query(
        tx, &e,
        "SELECT u.id,u.name,u.role,s.csrf,s.expires_ms,s.seen_ms FROM sessions s JOIN users u ON "
        "u.id=s.user_id WHERE s.hash=? AND u.disabled=0",
        "b", str_make((const char *)h->v, sizeof(h->v)));
    *out_found = r && state_next(r, &e);
    if (*out_found) {
        *out = (struct account_principal){
            .kind = ACCOUNT_SESSION, .id = state_int(r, 0), .expires_ms = state_int(r, 4)};
        out->name = arena_str(a, state_str(r, 1));
        out->csrf = arena_str(a, state_str(r, 3));
        (void)account_role_from_name(state_str(r, 2), &out->role);
        *out_seen_ms = state_int(r, 5);
    }
    if (r)
        state_rows_free(r);
    state_rollback(tx);
    if (e.code && err)
        *err = e;
    return e.code == 0 && (!a->failed || arena_err(a, err));
}

bool account_session_lookup(struct account *ac, struct str secret, struct arena *a,
                            struct account_principal *out, struct err *err) {
    if (!account_int_is_secret(secret, ""))
        return unknown_session(err);
    struct account_hash h;
    int64_t now = account_int_now(ac), seen_ms = 0;
    bool write = false, found = false;
    account_int_hash(secret, &h);
    struct account_principal p;
    if (account_int_cache_get(ac, &h, a, &p, &write)) {
        if (now >= p.expires_ms)
            return unknown_session(err);
        if (write)
            (void)write_seen(ac, &h, now);
        *out = p;
        return true;
    }
    if (!load_session(ac, &h, a, &p, &seen_ms, &found, err))
        return false;
    if (!found || now >= p.expires_ms || now - seen_ms >= ACCOUNT_SESSION_IDLE_MS)
        return unknown_session(err);
    /* The store's "seen" may lag by USE_WRITTEN_MS behind the cache's; it is brought up when an
     * entry is read again. */
    if (now - seen_ms >= 5 * 60 * 1000 && write_seen(ac, &h, now))
        seen_ms = now;
    account_int_cache_put(ac, &h, &p, now, seen_ms);
    *out = p;
    return true;
}

bool account_session_end(struct account *ac, struct str secret, struct err *err) {
    if (!account_int_is_secret(secret, ""))
        return true;
    struct account_hash h;
    account_int_hash(secret, &h);
    struct state_tx *tx = state_begin(ac->state, err);
    if (!tx)
        return false;
    bool ok = state_exec(tx, err, "DELETE FROM sessions WHERE hash=?", "b",
                         str_make((const char *)h.v, sizeof(h.v)));
    if (ok)
        ok = state_commit(tx, err);
    else
        state_rollback(tx);
    account_int_cache_drop(ac);
    return ok;
}
