/* Users: rows of the table `users`. */
#include "feature/account/account_int.h"

#include <stdlib.h>

static bool count_admins(struct state_tx *tx, int64_t but_id, int64_t *out, struct err *err) {
    struct state_rows *r = state_query(
        tx, err, "SELECT count(*) FROM users WHERE role='admin' AND disabled=0 AND id<>?", "i",
        but_id);
    if (!r)
        return false;
    bool ok = state_next(r, err);
    if (ok)
        *out = state_int(r, 0);
    state_rows_free(r);
    return ok;
}

static bool count_users(struct state_tx *tx, int64_t *out, struct err *err) {
    struct state_rows *r = state_query(tx, err, "SELECT count(*) FROM users", "");
    if (!r)
        return false;
    bool ok = state_next(r, err);
    if (ok)
        *out = state_int(r, 0);
    state_rows_free(r);
    return ok;
}

/* Name of a user by id, in the arena; ERR_NOT_FOUND. */
static bool find_user(struct state_tx *tx, int64_t id, struct arena *a, struct str *out_name,
                      struct err *err) {
    struct err none = {0};
    struct state_rows *r = state_query(tx, err, "SELECT name FROM users WHERE id=?", "i", id);
    if (!r)
        return false;
    bool found = state_next(r, &none);
    if (found)
        *out_name = arena_str(a, state_str(r, 0));
    state_rows_free(r);
    if (none.code) {
        if (err)
            *err = none;
        return false;
    }
    return found || err_set(err, ERR_NOT_FOUND, "there is no user with the id %lld", (long long)id);
}

static bool finish(struct state_tx *tx, bool ok, struct err *err) {
    if (ok)
        return state_commit(tx, err);
    state_rollback(tx);
    return false;
}

static bool insert_user(struct state_tx *tx, int64_t now, struct str name, const char *hash,
                        enum account_role role, const struct account_actor *by, int64_t *out_id,
                        struct err *err) {
    if (!state_exec(tx, err,
                    "INSERT INTO users(name,role,password_hash,created_ms) VALUES(?,?,?,?)", "sssi",
                    name, str_from(account_role_name(role)), str_from(hash), now)) {
        if (err && err->code == ERR_CONFLICT)
            (void)err_set(err, ERR_CONFLICT,
                          "there is a user \"%.*s\" already; choose another name", STR_FMT(name));
        return false;
    }
    if (out_id)
        *out_id = state_last_id(tx);
    return account_int_audit(tx, now, by, STR("user.create"), name,
                             str_from(account_role_name(role)), err);
}

bool account_user_create(struct account *ac, struct str name, struct str password,
                         enum account_role role, const struct account_actor *by, int64_t *out_id,
                         struct err *err) {
    char hash[128];
    if (role == ACCOUNT_ROLE_NONE)
        return err_set(err, ERR_BAD_INPUT, "role: expected viewer, editor or admin");
    if (!account_int_check_name(name, "name", err) ||
        !account_int_password_hash(ac, password, hash, err))
        return false;
    struct state_tx *tx = state_begin(ac->state, err);
    return tx &&
           finish(tx, insert_user(tx, account_int_now(ac), name, hash, role, by, out_id, err), err);
}

bool account_user_create_first(struct account *ac, struct str name, struct str password,
                               const struct account_actor *by, int64_t *out_id, struct err *err) {
    char hash[128];
    int64_t n = 0;
    if (!account_int_check_name(name, "name", err) ||
        !account_int_password_hash(ac, password, hash, err))
        return false;
    struct state_tx *tx = state_begin(ac->state, err);
    if (!tx)
        return false;
    bool ok = count_users(tx, &n, err);
    if (ok && n > 0)
        ok = err_set(err, ERR_CONFLICT, "there is an account already; log in with it");
    return finish(
        tx,
        ok && insert_user(tx, account_int_now(ac), name, hash, ACCOUNT_ROLE_ADMIN, by, out_id, err),
        err);
}

bool account_user_delete(struct account *ac, int64_t id, const struct account_actor *by,
                         struct err *err) {
    struct arena a = ARENA_INIT;
    struct str name = {NULL, 0};
    int64_t admins = 0, users = 0;
    struct state_tx *tx = state_begin(ac->state, err);
    if (!tx)
        return false;
    bool ok = find_user(tx, id, &a, &name, err) && count_admins(tx, id, &admins, err) &&
              count_users(tx, &users, err);
    if (ok && admins == 0)
        ok = err_set(err, ERR_CONFLICT, "\"%.*s\" is the last admin; make another one first",
                     STR_FMT(name));
    ok = ok && state_exec(tx, err, "DELETE FROM sessions WHERE user_id=?", "i", id) &&
         state_exec(tx, err, "DELETE FROM users WHERE id=?", "i", id) &&
         account_int_audit(tx, account_int_now(ac), by, STR("user.delete"), name, STR(""), err);
    ok = finish(tx, ok, err);
    account_int_cache_drop(ac);
    arena_deinit(&a);
    return ok;
}

bool account_user_set_password(struct account *ac, struct str name, struct str password,
                               const struct account_actor *by, struct err *err) {
    char hash[128];
    if (!account_int_password_hash(ac, password, hash, err))
        return false;
    struct state_tx *tx = state_begin(ac->state, err);
    if (!tx)
        return false;
    bool ok = state_exec(tx, err, "UPDATE users SET password_hash=? WHERE name=?", "ss",
                         str_from(hash), name);
    if (ok && state_changes(tx) == 0)
        ok = err_set(err, ERR_NOT_FOUND, "there is no user \"%.*s\"", STR_FMT(name));
    ok = ok &&
         state_exec(tx, err,
                    "DELETE FROM sessions WHERE user_id=(SELECT id FROM users WHERE name=?)", "s",
                    name) &&
         account_int_audit(tx, account_int_now(ac), by, STR("user.password"), name, STR(""), err);
    ok = finish(tx, ok, err);
    account_int_cache_drop(ac);
    return ok;
}

bool account_user_set_role(struct account *ac, int64_t id, enum account_role role,
                           const struct account_actor *by, struct err *err) {
    struct arena a = ARENA_INIT;
    struct str name = {NULL, 0};
    int64_t admins = 0;
    if (role == ACCOUNT_ROLE_NONE)
        return err_set(err, ERR_BAD_INPUT, "role: expected viewer, editor or admin");
    struct state_tx *tx = state_begin(ac->state, err);
    if (!tx)
        return false;
    bool ok = find_user(tx, id, &a, &name, err) && count_admins(tx, id, &admins, err);
    if (ok && admins == 0 && role != ACCOUNT_ROLE_ADMIN)
        ok = err_set(err, ERR_CONFLICT, "\"%.*s\" is the last admin; make another one first",
                     STR_FMT(name));
    ok = ok &&
         state_exec(tx, err, "UPDATE users SET role=? WHERE id=?", "si",
                    str_from(account_role_name(role)), id) &&
         account_int_audit(tx, account_int_now(ac), by, STR("user.role"), name,
                           str_from(account_role_name(role)), err);
    ok = finish(tx, ok, err);
    account_int_cache_drop(ac);
    arena_deinit(&a);
    return ok;
}

bool account_user_count(struct account *ac, int64_t *out, struct err *err) {
    struct state_tx *tx = state_begin_read(ac->state, err);
    if (!tx)
        return false;
    bool ok = count_users(tx, out, err);
    state_rollback(tx);
    return ok;
}

bool account_user_list(struct account *ac, struct arena *a, struct account_user **out,
                       size_t *out_n, struct err *err) {
    struct account_user *v = NULL;
    size_t n = 0, cap = 0;
    struct err e = {0};
    struct state_tx *tx = state_begin_read(ac->state, err);
    if (!tx)
        return false;
    struct state_rows *r = state_query(
        tx, &e, "SELECT id,name,role,created_ms,coalesce(last_login_ms,0) FROM users ORDER BY name",
        "");
    while (r && state_next(r, &e)) {
        if (n == cap) {
            size_t more = cap ? cap * 2 : 16;
            v = arena_grow(a, v, cap * sizeof(*v), more * sizeof(*v));
            if (!v)
                break;
            cap = more;
        }
        struct account_user *u = &v[n++];
        *u = (struct account_user){
            .id = state_int(r, 0), .created_ms = state_int(r, 3), .last_login_ms = state_int(r, 4)};
        u->name = arena_str(a, state_str(r, 1));
        (void)account_role_from_name(state_str(r, 2), &u->role);
    }
    if (r)
        state_rows_free(r);
    state_rollback(tx);
    if (e.code) {
        if (err)
            *err = e;
        return false;
    }
    if (a->failed)
        return arena_err(a, err);
    *out = v;
    *out_n = n;
    return true;
}
