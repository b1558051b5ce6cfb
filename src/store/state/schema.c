#include "store/state/schema.h"

#include "base/hash.h"

#include <stdio.h>
#include <string.h>

/* Append only: a migration that has been released is never edited (its checksum is in every
 * database); what must change comes as one more entry at the end. Times are Unix ms. `owner:` names
 * the part of the program whose C files hold all SQL over the table. */
static const struct schema_migration migrations[] = {
    /* owner: store/state */
    {"kv and facts", "CREATE TABLE kv(key TEXT PRIMARY KEY, value BLOB NOT NULL, changed_ms "
                     "INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
                     "CREATE TABLE facts(id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT "
                     "NULL, recorded_ms INTEGER NOT NULL,"
                     " kind TEXT NOT NULL, service TEXT NOT NULL, subject TEXT NOT NULL, body TEXT "
                     "NOT NULL, source TEXT NOT NULL)"
                     " STRICT;"
                     "CREATE INDEX facts_at ON facts(at_ms);"
                     "CREATE INDEX facts_service ON facts(service, at_ms);"
                     "CREATE INDEX facts_kind ON facts(kind, at_ms);"
                     "CREATE TRIGGER facts_no_update BEFORE UPDATE ON facts BEGIN SELECT "
                     "RAISE(ABORT,'facts are append-only'); END;"
                     "CREATE TRIGGER facts_no_delete BEFORE DELETE ON facts BEGIN SELECT "
                     "RAISE(ABORT,'facts are append-only'); END;"},

    /* owner: feature/rule. A rule's key is a hash of its file, group, name and labels; alert_key is
     * a hash of the alert's labels. state: 'pending', 'firing', 'inactive' (resolved, kept a
     * while), 'nodata'. Values are text, since SQLite has no NaN. */
    {"rules and signals",
     "CREATE TABLE rule_groups(group_key TEXT PRIMARY KEY, last_eval_ms INTEGER NOT NULL, missed "
     "INTEGER NOT NULL"
     " DEFAULT 0) STRICT, WITHOUT ROWID;"
     "CREATE TABLE rule_state(rule_key TEXT PRIMARY KEY, group_key TEXT NOT NULL, name TEXT NOT "
     "NULL, last_eval_ms"
     " INTEGER NOT NULL, last_error TEXT, seen_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
     "CREATE TABLE alert_state(rule_key TEXT NOT NULL, alert_key TEXT NOT NULL, labels TEXT NOT "
     "NULL, annotations TEXT"
     " NOT NULL, state TEXT NOT NULL, value TEXT NOT NULL, active_ms INTEGER NOT NULL, fired_ms "
     "INTEGER NOT NULL,"
     " resolved_ms INTEGER NOT NULL, keep_since_ms INTEGER NOT NULL, signaled_ms INTEGER NOT NULL,"
     " PRIMARY KEY(rule_key, alert_key)) STRICT, WITHOUT ROWID;"
     /* One row for each change that somebody may have to hear of. Written with alert_state in one
      * transaction, consumed with its consequences in one transaction. kind: 'firing', 'refresh',
      * 'resolved', 'nodata'. */
     "CREATE TABLE signals(id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, source "
     "TEXT NOT NULL, kind TEXT"
     " NOT NULL, alert_key TEXT NOT NULL, labels TEXT NOT NULL, annotations TEXT NOT NULL, value "
     "TEXT NOT NULL,"
     " starts_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL, generator_url TEXT NOT NULL, body "
     "TEXT NOT NULL,"
     " consumed_ms INTEGER) STRICT;"
     "CREATE INDEX signals_waiting ON signals(id) WHERE consumed_ms IS NULL;"
     "CREATE INDEX signals_at ON signals(at_ms);"},

    /* owner: feature/notify */
    {"notification",
     /* Alerts that the router knows: the last signal of each alert_key. */
     "CREATE TABLE notify_alerts(alert_key TEXT PRIMARY KEY, labels TEXT NOT NULL, annotations "
     "TEXT NOT NULL, status TEXT"
     " NOT NULL, value TEXT NOT NULL, starts_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL, "
     "updated_ms INTEGER NOT"
     " NULL, source TEXT NOT NULL, generator_url TEXT NOT NULL) STRICT, WITHOUT ROWID;"
     /* A group of alerts on its way to one receiver: when it is due, and what was told last. */
     "CREATE TABLE notify_groups(group_key TEXT PRIMARY KEY, route TEXT NOT NULL, receiver TEXT "
     "NOT NULL, labels TEXT NOT"
     " NULL, due_ms INTEGER NOT NULL, sequence INTEGER NOT NULL, told_ms INTEGER NOT NULL, "
     "told_firing TEXT NOT NULL,"
     " told_resolved TEXT NOT NULL) STRICT, WITHOUT ROWID;"
     "CREATE TABLE outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, receiver "
     "TEXT NOT NULL, kind TEXT"
     " NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER "
     "NOT NULL DEFAULT 0,"
     " created_ms INTEGER NOT NULL, next_attempt_ms INTEGER, delivered_ms INTEGER, last_error "
     "TEXT, folded_into INTEGER)"
     " STRICT;"
     "CREATE INDEX outbox_waiting ON outbox(receiver, id) WHERE state IN ('waiting','sending');"
     "CREATE INDEX outbox_receiver ON outbox(receiver, id);"
     "CREATE TABLE outbox_attempts(id INTEGER PRIMARY KEY AUTOINCREMENT, outbox_id INTEGER NOT "
     "NULL REFERENCES"
     " outbox(id) ON DELETE CASCADE, at_ms INTEGER NOT NULL, status INTEGER NOT NULL, duration_ms "
     "INTEGER NOT NULL,"
     " error TEXT) STRICT;"
     "CREATE INDEX outbox_attempts_of ON outbox_attempts(outbox_id);"
     /* Receivers that were added in the screen; url is a secret. */
     "CREATE TABLE receivers(name TEXT PRIMARY KEY, kind TEXT NOT NULL, url TEXT NOT NULL, channel "
     "TEXT, language TEXT NOT"
     " NULL, created_ms INTEGER NOT NULL, created_by TEXT) STRICT, WITHOUT ROWID;"},

    /* owner: feature/account. Passwords are argon2id strings; sessions and tokens are kept as
       hashes. */
    {"accounts", "CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL "
                 "UNIQUE COLLATE NOCASE, role TEXT NOT"
                 " NULL, password_hash TEXT NOT NULL, created_ms INTEGER NOT NULL, last_login_ms "
                 "INTEGER, disabled INTEGER NOT NULL"
                 " DEFAULT 0) STRICT;"
                 "CREATE TABLE sessions(hash BLOB PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES "
                 "users(id) ON DELETE CASCADE,"
                 " csrf TEXT NOT NULL, created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, "
                 "expires_ms INTEGER NOT NULL,"
                 " address TEXT NOT NULL, user_agent TEXT NOT NULL) STRICT, WITHOUT ROWID;"
                 "CREATE INDEX sessions_user ON sessions(user_id);"
                 "CREATE TABLE tokens(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL "
                 "UNIQUE, hash BLOB NOT NULL UNIQUE, prefix"
                 " TEXT NOT NULL, scopes TEXT NOT NULL, created_ms INTEGER NOT NULL, created_by "
                 "TEXT, last_used_ms INTEGER,"
                 " expires_ms INTEGER) STRICT;"
                 "CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, "
                 "actor TEXT NOT NULL, role TEXT,"
                 " action TEXT NOT NULL, object TEXT, origin_address TEXT, detail TEXT) STRICT;"
                 "CREATE INDEX audit_at ON audit(at_ms);"},

    /* owner: feature/agent (agents, enroll_tokens), inventory (inventory_overrides),
     * feature/collect (scrape_accepted) */
    {"agents and inventory",
     "CREATE TABLE agents(id TEXT PRIMARY KEY, host TEXT NOT NULL, token_hash BLOB NOT NULL "
     "UNIQUE, version TEXT,"
     " enrolled_ms INTEGER NOT NULL, last_seen_ms INTEGER, remote_address TEXT, buffered_bytes "
     "INTEGER, status TEXT NOT"
     " NULL DEFAULT '{}') STRICT, WITHOUT ROWID;"
     "CREATE TABLE enroll_tokens(hash BLOB PRIMARY KEY, created_ms INTEGER NOT NULL, expires_ms "
     "INTEGER NOT NULL,"
     " uses_left INTEGER NOT NULL, used_ms INTEGER, created_by TEXT, note TEXT) STRICT, WITHOUT "
     "ROWID;"
     "CREATE TABLE inventory_overrides(kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, "
     "changed_ms INTEGER NOT"
     " NULL, changed_by TEXT, PRIMARY KEY(kind, id)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE scrape_accepted(id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT NOT NULL UNIQUE, "
     "job TEXT NOT NULL, body"
     " TEXT NOT NULL DEFAULT '{}', created_ms INTEGER NOT NULL, created_by TEXT) STRICT;"},
};

size_t schema_count(void) {
    return sizeof(migrations) / sizeof(migrations[0]);
}
const struct schema_migration *schema_list(void) {
    return migrations;
}

static int64_t checksum(const struct schema_migration *m) {
    return (int64_t)crc32c(0, m->sql, strlen(m->sql));
}

/* How many migrations the database has, each compared with ours. */
static bool applied(struct conn *c, const struct schema_migration *list, size_t n, size_t *out,
                    struct err *err) {
    sqlite3_stmt *stmt = NULL;
    struct conn_stmt *slot = NULL;
    if (!conn_get_stmt(c, "SELECT version, name, checksum FROM schema_migrations ORDER BY version",
                       &stmt, &slot, err))
        return false;
    size_t have = 0;
    bool ok = true;
    int rc;
    while (ok && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int64_t version = sqlite3_column_int64(stmt, 0);
        if (version > (int64_t)n)
            ok = err_set(err, ERR_CONFLICT,
                         "%s was written by a newer hinomi (it has schema %lld, this one knows "
                         "%zu); start that version, "
                         "or restore the backup made before the upgrade",
                         c->path, (long long)version, n);
        else if (version != (int64_t)have + 1)
            ok = err_set(err, ERR_CORRUPT,
                         "%s: schema version %zu is missing; restore it from a backup", c->path,
                         have + 1);
        else if (sqlite3_column_int64(stmt, 2) != checksum(&list[have]))
            ok = err_set(err, ERR_CONFLICT,
                         "%s: its schema %lld (\"%s\") is not the one this hinomi knows; it was "
                         "written by a different "
                         "build. Start that build, or move the file away",
                         c->path, (long long)version, (const char *)sqlite3_column_text(stmt, 1));
        have++;
    }
    if (ok && rc != SQLITE_DONE)
        ok = conn_err(c, rc, "reading the schema version", err);
    conn_put_stmt(stmt, slot);
    if (ok)
        *out = have;
    return ok;
}

static bool record(struct conn *c, size_t version, const struct schema_migration *m, int64_t now_ms,
                   struct err *err) {
    sqlite3_stmt *stmt = NULL;
    struct conn_stmt *slot = NULL;
    if (!conn_get_stmt(
            c, "INSERT INTO schema_migrations(version,name,checksum,applied_ms) VALUES(?,?,?,?)",
            &stmt, &slot, err))
        return false;
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)version);
    (void)sqlite3_bind_text(stmt, 2, m->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 3, checksum(m));
    (void)sqlite3_bind_int64(stmt, 4, now_ms);
    int rc = sqlite3_step(stmt);
    bool ok = rc == SQLITE_DONE || conn_err(c, rc, "recording the schema version", err);
    conn_put_stmt(stmt, slot);
    return ok;
}

/* A copy beside the database, so that the older program can be put back. */
static bool backup(struct conn *c, size_t version, struct err *err) {
    char sql[4352];
    if (strchr(c->path, '\''))
        return true; /* cannot be quoted simply; the folder's owner chose the name */
    char target[4200];
    int n = snprintf(target, sizeof(target), "%s.schema-%zu", c->path, version);
    if (n < 0 || (size_t)n >= sizeof(target))
        return true;
    (void)remove(target); /* of an upgrade that did not finish */
    n = snprintf(sql, sizeof(sql), "VACUUM INTO '%s'", target);
    if (n < 0 || (size_t)n >= sizeof(sql))
        return true;
    return conn_exec(c, sql, err) || err_prefix(err, "copying the state store before its upgrade");
}

bool schema_migrate(struct conn *c, const struct schema_migration *list, size_t n, int64_t now_ms,
                    struct err *err) {
    if (!conn_exec(c,
                   "CREATE TABLE IF NOT EXISTS schema_migrations(version INTEGER PRIMARY KEY, name "
                   "TEXT NOT NULL, checksum "
                   "INTEGER NOT NULL, applied_ms INTEGER NOT NULL) STRICT",
                   err))
        return false;
    size_t have = 0;
    if (!applied(c, list, n, &have, err))
        return false;
    if (have > 0 && have < n && !backup(c, have, err))
        return false;
    for (size_t i = have; i < n; i++) {
        if (!conn_exec(c, "BEGIN IMMEDIATE", err))
            return false;
        if (!conn_exec(c, list[i].sql, err) || !record(c, i + 1, &list[i], now_ms, err) ||
            !conn_exec(c, "COMMIT", err)) {
            (void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
            return err_prefix(err, "migration %zu (%s) of %s", i + 1, list[i].name, c->path);
        }
    }
    return true;
}
