/* Scoped tokens for programs: rows of the table `tokens`. */
#include "feature/account/account_int.h"

#include <stdlib.h>

enum {
    PREFIX_SHOWN = 10
}; /* "hnm_" and 6 of 43 characters: enough to tell, 220 bits short of enough to use */

static void scopes_format(unsigned scopes, struct buf *out) {
    for (unsigned i = 0; i < ACCOUNT_SCOPE_COUNT; i++)
        if (scopes & 1u << i)
            buf_printf(out, "%s%s", out->n ? "," : "",
                       account_scope_name((enum account_scope)(1u << i)));
}

static unsigned scopes_parse(struct str text) {
    unsigned scopes = 0, bit;
    struct str word;
    while (str_next(&text, ',', &word))
        if (account_scope_from_name(str_trim(word), &bit))
            scopes |= bit;
    return scopes;
}

bool account_token_create(struct account *ac, struct str name, unsigned scopes, int64_t expires_ms,
                          const struct account_actor *by, struct arena *a,
                          struct account_token *out, struct str *out_secret, struct err *err) {
    int64_t now = account_int_now(ac);
    if (name.n == 0 || name.n > ACCOUNT_NAME_BYTES_MAX || !str_is_utf8(name))
        return err_set(err, ERR_BAD_INPUT, "name: expected 1 to 64 bytes of text, found %zu",
                       name.n);
    if (scopes == 0 || scopes >> ACCOUNT_SCOPE_COUNT)
        return err_set(err, ERR_BAD_INPUT,
                       "scopes: expected one or more of read, write, admin, write:series, agent");
    if (expires_ms != 0 && expires_ms <= now)
        return err_set(err, ERR_BAD_INPUT, "expires_ms: expected a moment in the future");
    char secret[sizeof(ACCOUNT_TOKEN_PREFIX) + ACCOUNT_SECRET_BYTES];
    struct account_hash h;
    struct buf scope_text = BUF_INIT;
    account_int_secret(ACCOUNT_TOKEN_PREFIX, secret);
    account_int_hash(str_from(secret), &h);
    scopes_format(scopes, &scope_text);
    struct str actor = by ? by->name : STR("command line");
    *out_secret = arena_str(a, str_from(secret));
    struct account_token t = {.name = arena_str(a, name),
                              .prefix = arena_str(a, str_make(secret, PREFIX_SHOWN)),
                              .created_by = arena_str(a, actor),
                              .scopes = scopes,
                              .created_ms = now,
                              .expires_ms = expires_ms};
    bool ok = !a->failed || arena_err(a, err);
    struct state_tx *tx = ok ? state_begin(ac->state, err) : NULL;
    ok = tx &&
         state_exec(tx, err,
                    "INSERT INTO tokens(name,hash,prefix,scopes,created_ms,created_by,expires_ms) "
                    "VALUES(?,?,?,?,?,?,nullif(?,0))",
                    "sbssisi", name, str_make((const char *)h.v, sizeof(h.v)), t.prefix,
                    buf_view(&scope_text), now, actor, expires_ms);
    if (tx && !ok && err && err->code == ERR_CONFLICT)
        (void)err_set(err, ERR_CONFLICT, "there is a token \"%.*s\" already; choose another name",
                      STR_FMT(name));
    if (ok) {
        t.id = state_last_id(tx);
        ok = account_int_audit(tx, now, by, STR("token.create"), name, buf_view(&scope_text), err);
    }
    if (tx && ok)
        ok = state_commit(tx, err);
    else if (tx)
        state_rollback(tx);
    buf_deinit(&scope_text);
    if (ok)
        *out = t;
    return ok;
}

static bool unknown_token(struct err *err) {
    return err_set(err, ERR_UNAUTHENTICATED,
                   "unknown or expired token; make one under Settings or with hinomi token create");
}

static void write_used(struct account *ac, int64_t id, int64_t now) {
    struct err e = {0}; /* best effort: a full disk must not lock the readers out */
    struct state_tx *tx = state_begin(ac->state, &e);
    if (!tx)
        return;
    if (state_exec(tx, &e, "UPDATE tokens SET last_used_ms=? WHERE id=?", "ii", now, id))
        (void)!state_commit(tx, &e);
    else
        state_rollback(tx);
}

static bool load_token(struct account *ac, const struct account_hash *h, struct arena *a,
                       struct account_principal *out, int64_t *out_used_ms, bool *out_found,
                       struct err *err) {
    struct err e = {0};
    struct state_tx *tx = state_begin_read(ac->state, err);
    if (!tx)
        return false;
    struct state_rows *r =
        state_query(tx, &e,
                    "SELECT id,name,scopes,coalesce(expires_ms,0),coalesce(last_used_ms,0) FROM "
                    "tokens WHERE hash=?",
                    "b", str_make((const char *)h->v, sizeof(h->v)));
    *out_found = r && state_next(r, &e);
    if (*out_found) {
        *out = (struct account_principal){
            .kind = ACCOUNT_TOKEN, .id = state_int(r, 0), .expires_ms = state_int(r, 3)};
        out->name = arena_str(a, state_str(r, 1));
        out->scopes = scopes_parse(state_str(r, 2));
        out->role = account_scopes_role(out->scopes);
        *out_used_ms = state_int(r, 4);
    }
    if (r)
        state_rows_free(r);
    state_rollback(tx);
    if (e.code && err)
        *err = e;
    return e.code == 0 && (!a->failed || arena_err(a, err));
}

bool account_token_lookup(struct account *ac, struct str secret, struct arena *a,
                          struct account_principal *out, struct err *err) {
    if (!account_int_is_secret(secret, ACCOUNT_TOKEN_PREFIX))
        return unknown_token(err);
    struct account_hash h;
    struct account_principal p;
    int64_t now = account_int_now(ac), used_ms = 0;
    bool write = false, found = false;
    account_int_hash(secret, &h);
    if (!account_int_cache_get(ac, &h, a, &p, &write)) {
        if (!load_token(ac, &h, a, &p, &used_ms, &found, err))
            return false;
        if (!found)
            return unknown_token(err);
        write = now - used_ms >= 5 * 60 * 1000;
        account_int_cache_put(ac, &h, &p, now, write ? now : used_ms);
    }
    if (p.expires_ms && now >= p.expires_ms)
        return unknown_token(err);
    if (write)
        write_used(ac, p.id, now);
    *out = p;
    return true;
}

bool account_token_revoke(struct account *ac, int64_t id, const struct account_actor *by,
                          struct err *err) {
    struct arena a = ARENA_INIT;
    struct str name = {NULL, 0};
    struct err e = {0};
    struct state_tx *tx = state_begin(ac->state, err);
    if (!tx)
        return false;
    struct state_rows *r = state_query(tx, &e, "SELECT name FROM tokens WHERE id=?", "i", id);
    bool ok = r && state_next(r, &e);
    if (ok)
        name = arena_str(&a, state_str(r, 0));
    else if (e.code == ERR_OK)
        (void)err_set(&e, ERR_NOT_FOUND, "there is no token with the id %lld", (long long)id);
    if (r)
        state_rows_free(r);
    ok = ok && state_exec(tx, &e, "DELETE FROM tokens WHERE id=?", "i", id) &&
         account_int_audit(tx, account_int_now(ac), by, STR("token.delete"), name, STR(""), &e);
    if (ok)
        ok = state_commit(tx, &e);
    else
        state_rollback(tx);
    account_int_cache_drop(ac);
    arena_deinit(&a);
    if (!ok && err)
        *err = e;
    return ok;
}

bool account_token_list(struct account *ac, struct arena *a, struct account_token **out,
                        size_t *out_n, struct err *err) {
    struct account_token *v = NULL;
    size_t n = 0, cap = 0;
    struct err e = {0};
    struct state_tx *tx = state_begin_read(ac->state, err);
    if (!tx)
        return false;
    struct state_rows *r = state_query(
        tx, &e,
        "SELECT id,name,prefix,coalesce(created_by,''),scopes,created_ms,coalesce(last_used_ms,0),"
        "coalesce(expires_ms,0) FROM tokens ORDER BY id DESC",
        "");
    while (r && state_next(r, &e)) {
        if (n == cap) {
            size_t more = cap ? cap * 2 : 16;
            v = arena_grow(a, v, cap * sizeof(*v), more * sizeof(*v));
            if (!v)
                break;
            cap = more;
        }
        v[n] = (struct account_token){.id = state_int(r, 0),
                                      .scopes = scopes_parse(state_str(r, 4)),
                                      .created_ms = state_int(r, 5),
                                      .last_used_ms = state_int(r, 6),
                                      .expires_ms = state_int(r, 7)};
        v[n].name = arena_str(a, state_str(r, 1));
        v[n].prefix = arena_str(a, state_str(r, 2));
        v[n].created_by = arena_str(a, state_str(r, 3));
        n++;
    }
    if (r)
        state_rows_free(r);
    state_rollback(tx);
    if (e.code && err)
        *err = e;
    if (e.code || a->failed)
        return e.code ? false : arena_err(a, err);
    *out = v;
    *out_n = n;
    return true;
}
