/* The audit log: rows of the table `audit`. */
#include "feature/account/account_int.h"

enum { DETAIL_BYTES_MAX = 2048, OBJECT_BYTES_MAX = 512 };
static const int64_t keep_ms = INT64_C(400) * 24 * 3600 * 1000;

/* At most n bytes, not cut within a character. */
static struct str cut(struct str s, size_t n) {
    if (s.n <= n)
        return s;
    while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return str_sub(s, 0, n);
}

bool account_int_audit(struct state_tx *tx, int64_t now_ms, const struct account_actor *by,
                       struct str action, struct str object, struct str detail, struct err *err) {
    static const struct account_actor command_line = {
        {"command line", 12}, ACCOUNT_ROLE_NONE, {"", 0}};
    const struct account_actor *who = by ? by : &command_line;
    if (!state_exec(
            tx, err,
            "INSERT INTO audit(at_ms,actor,role,action,object,origin_address,detail) "
            "VALUES(?,?,nullif(?,''),?,nullif(?,''),nullif(?,''),nullif(?,''))",
            "issssss", now_ms, who->name,
            who->role == ACCOUNT_ROLE_NONE ? STR("") : str_from(account_role_name(who->role)),
            action, cut(object, OBJECT_BYTES_MAX), who->peer, cut(detail, DETAIL_BYTES_MAX)))
        return false;
    return state_last_id(tx) % 256 != 0 ||
           state_exec(tx, err, "DELETE FROM audit WHERE at_ms<?", "i", now_ms - keep_ms);
}

bool account_audit(struct account *ac, const struct account_actor *by, struct str action,
                   struct str object, struct str detail, struct err *err) {
    struct state_tx *tx = state_begin(ac->state, err);
    if (!tx)
        return false;
    if (account_int_audit(tx, account_int_now(ac), by, action, object, detail, err))
        return state_commit(tx, err);
    state_rollback(tx);
    return false;
}

bool account_audit_list(struct account *ac, int64_t before_ms, size_t limit, struct arena *a,
                        struct account_audit **out, size_t *out_n, struct err *err) {
    limit = limit < 1 ? 1 : limit > 1000 ? 1000 : limit;
    struct account_audit *v = ARENA_ARRAY(a, struct account_audit, limit);
    if (!v)
        return arena_err(a, err);
    size_t n = 0;
    struct err e = {0};
    struct state_tx *tx = state_begin_read(ac->state, err);
    if (!tx)
        return false;
    struct state_rows *r = state_query(
        tx, &e,
        "SELECT id,at_ms,actor,coalesce(role,''),action,coalesce(object,''),"
        "coalesce(origin_address,''),coalesce(detail,'') FROM audit WHERE at_ms<? ORDER BY id DESC "
        "LIMIT ?",
        "ii", before_ms ? before_ms : INT64_MAX, (int64_t)limit);
    while (r && n < limit && state_next(r, &e)) {
        struct account_audit *row = &v[n++];
        row->id = state_int(r, 0);
        row->ts_ms = state_int(r, 1);
        row->actor = arena_str(a, state_str(r, 2));
        (void)account_role_from_name(state_str(r, 3), &row->role);
        row->action = arena_str(a, state_str(r, 4));
        row->object = arena_str(a, state_str(r, 5));
        row->peer = arena_str(a, state_str(r, 6));
        row->detail = arena_str(a, state_str(r, 7));
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
