#include "store/state/conn.h"

#include "base/hash.h"

#include <errno.h>
#include <string.h>

/* What a write that found no room reports: SQLite says FULL for ENOSPC alone; a quota (EDQUOT) or a
 * file size limit (EFBIG) arrives as an I/O error. */
static bool is_no_room(int rc, int sys) {
    return (rc & 0xff) == SQLITE_FULL ||
           ((rc & 0xff) == SQLITE_IOERR && (sys == ENOSPC || sys == EDQUOT || sys == EFBIG));
}

bool conn_err(struct conn *c, int rc, const char *doing, struct err *err) {
    int last_errno =
        errno; /* SQLite does not keep the cause of a failed commit, only that of a statement */
    int extended = c->db ? sqlite3_extended_errcode(c->db) : rc;
    if ((extended & 0xff) != (rc & 0xff))
        extended = rc;
    int sys = c->db ? sqlite3_system_errno(c->db) : 0;
    if (!sys && (rc & 0xff) == SQLITE_IOERR)
        sys = last_errno;
    const char *what = c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc);
    if (is_no_room(extended, sys)) {
        err_set(err, ERR_UNAVAILABLE,
                "%s: no room left on the disk of %s; free some space, hinomi goes on by itself",
                doing, c->path);
        if (err)
            err->sys_errno = sys ? sys : ENOSPC;
        return false;
    }
    switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_UNAVAILABLE, "%s: %s is locked by another process; try again",
                       doing, c->path);
    case SQLITE_CONSTRAINT:
        return err_set(err, ERR_CONFLICT, "%s: %s", doing, what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, ERR_CORRUPT,
                       "%s: %s is damaged (%s); run hinomi verify and restore it from a backup",
                       doing, c->path, what);
    case SQLITE_TOOBIG:
        return err_set(err, ERR_TOO_LARGE, "%s: %s", doing, what);
    case SQLITE_INTERRUPT:
        return err_set(err, ERR_CANCELED, "%s: interrupted", doing);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_IOERR:
        if (sys)
            return err_sys(err, ERR_UNAVAILABLE, sys, "%s: %s: %s", doing, c->path, what);
        return err_set(err, ERR_UNAVAILABLE, "%s: %s: %s", doing, c->path, what);
    default:
        return err_set(err, ERR_INTERNAL, "%s: %s: %s", doing, c->path, what);
    }
}

bool conn_exec(struct conn *c, const char *sql, struct err *err) {
    int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || conn_err(c, rc, "state store", err);
}

bool conn_open(struct conn *c, const char *path, bool read_only, struct err *err) {
    *c = (struct conn){.path = path};
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int rc = sqlite3_open_v2(path, &c->db, flags, NULL);
    if (rc != SQLITE_OK) {
        conn_err(c, rc, "opening the state store", err);
        conn_close(c);
        return false;
    }
    (void)sqlite3_busy_timeout(c->db,
                               10000); /* only other processes: ours take turns before they begin */
    /* FULL: in WAL mode a commit then fsyncs the log, which is what "committed" promises here. */
    static const char common[] =
        "PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-2000;"
        "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;";
    static const char writer[] =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "PRAGMA journal_size_limit=16777216; PRAGMA wal_autocheckpoint=1000;";
    if (!conn_exec(c, common, err) || (!read_only && !conn_exec(c, writer, err))) {
        conn_close(c);
        return false;
    }
    return true;
}

void conn_close(struct conn *c) {
    for (size_t i = 0; i < CONN_STATEMENTS_MAX; i++)
        (void)sqlite3_finalize(c->cache[i].stmt);
    if (c->db)
        (void)sqlite3_close(c->db);
    *c = (struct conn){.path = c->path};
}

bool conn_get_stmt(struct conn *c, const char *sql, sqlite3_stmt **out, struct conn_stmt **out_slot,
                   struct err *err) {
    uint64_t hash = hash_bytes(sql, strlen(sql));
    struct conn_stmt *victim = NULL;
    for (size_t i = 0; i < CONN_STATEMENTS_MAX; i++) {
        struct conn_stmt *s = &c->cache[i];
        if (s->stmt && !s->busy && s->hash == hash && strcmp(sqlite3_sql(s->stmt), sql) == 0) {
            s->busy = true;
            s->used = ++c->tick;
            *out = s->stmt;
            *out_slot = s;
            return true;
        }
        if (!s->busy && (!victim || !s->stmt || (victim->stmt && s->used < victim->used)))
            victim = s;
    }
    sqlite3_stmt *stmt = NULL;
    int rc =
        sqlite3_prepare_v3(c->db, sql, -1, victim ? SQLITE_PREPARE_PERSISTENT : 0, &stmt, NULL);
    if (rc != SQLITE_OK)
        return conn_err(c, rc, "preparing a statement", err);
    if (victim) {
        (void)sqlite3_finalize(victim->stmt);
        *victim = (struct conn_stmt){.stmt = stmt, .hash = hash, .used = ++c->tick, .busy = true};
    }
    *out = stmt;
    *out_slot = victim; /* NULL: all slots are checked out; the statement lives once */
    return true;
}

void conn_put_stmt(sqlite3_stmt *stmt, struct conn_stmt *slot) {
    if (!slot) {
        (void)sqlite3_finalize(stmt);
        return;
    }
    (void)sqlite3_reset(
        stmt); /* its result repeats the last step's error, which was reported then */
    (void)sqlite3_clear_bindings(stmt);
    slot->busy = false;
}
