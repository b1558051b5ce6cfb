#include "store/state/state.h"

#include "os/file.h"
#include "os/thread.h"
#include "store/state/schema.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Readers in parallel: more than the worker threads that could want one at a time (api pools,
 * rules, notify); past it a reader waits for another to end. */
#define STATE_READERS_MAX 16

struct state {
    char *path;
    const struct clock *clock;
    struct mutex lock;
    struct cond turn; /* the writer or a reader came free */
    struct conn writer;
    bool writing;
    struct conn *idle;  /* readers not in use */
    uint32_t n_readers; /* open, idle or not */
};

struct state_tx {
    struct state *s;
    struct conn *c;
    bool write;
    uint32_t rows_open;
};

struct state_rows {
    struct state_tx *tx;
    sqlite3_stmt *stmt;
    struct conn_stmt *slot;
};

struct state *state_open(const char *path, const struct clock *clock, struct err *err) {
    struct state *s = calloc(1, sizeof(*s));
    if (!s || !(s->path = strdup(path))) {
        free(s);
        err_set(err, ERR_INTERNAL, "out of memory opening %s", path);
        return NULL;
    }
    s->clock = clock;
    mutex_init(&s->lock);
    cond_init(&s->turn);
    /* Made by us and not by SQLite: the file holds secrets, nobody else may read it. */
    int fd = -1;
    bool ok = file_open(path, O_RDWR | O_CREAT, 0600, &fd, err);
    file_close(fd);
    if (ok)
        ok = conn_open(&s->writer, s->path, false, err);
    if (ok)
        ok = schema_migrate(&s->writer, schema_list(), schema_count(), clock_wall_ms(clock), err);
    if (ok) {
        char *slash = strrchr(s->path, '/');
        if (slash && slash != s->path) {
            *slash = 0;
            ok = file_sync_dir(s->path, err);
            *slash = '/';
        }
    }
    if (!ok) {
        state_close(s);
        return NULL;
    }
    return s;
}

void state_close(struct state *s) {
    if (!s)
        return;
    assert(!s->writing);
    while (s->idle) {
        struct conn *c = s->idle;
        s->idle = c->next;
        s->n_readers--;
        conn_close(c);
        free(c);
    }
    assert(s->n_readers == 0); /* a read transaction was left open */
    conn_close(&s->writer);
    cond_deinit(&s->turn);
    mutex_deinit(&s->lock);
    free(s->path);
    free(s);
}

int64_t state_now_ms(const struct state *s) {
    return clock_wall_ms(s->clock);
}

static void give_back(struct state_tx *tx) {
    struct state *s = tx->s;
    mutex_lock(&s->lock);
    if (tx->write) {
        s->writing = false;
    } else {
        tx->c->next = s->idle;
        s->idle = tx->c;
    }
    cond_broadcast(&s->turn);
    mutex_unlock(&s->lock);
    free(tx);
}

static struct state_tx *tx_new(struct state *s, bool write, struct err *err) {
    struct state_tx *tx = calloc(1, sizeof(*tx));
    if (!tx) {
        err_set(err, ERR_INTERNAL, "out of memory beginning a transaction");
        return NULL;
    }
    tx->s = s;
    tx->write = write;
    return tx;
}

struct state_tx *state_begin(struct state *s, struct err *err) {
    struct state_tx *tx = tx_new(s, true, err);
    if (!tx)
        return NULL;
    mutex_lock(&s->lock);
    while (s->writing)
        cond_wait(&s->turn, &s->lock);
    s->writing = true;
    mutex_unlock(&s->lock);
    tx->c = &s->writer;
    if (!conn_exec(tx->c, "BEGIN IMMEDIATE", err)) {
        give_back(tx);
        return NULL;
    }
    return tx;
}

struct state_tx *state_begin_read(struct state *s, struct err *err) {
    struct state_tx *tx = tx_new(s, false, err);
    if (!tx)
        return NULL;
    mutex_lock(&s->lock);
    while (!s->idle && s->n_readers >= STATE_READERS_MAX)
        cond_wait(&s->turn, &s->lock);
    struct conn *c = s->idle;
    if (c)
        s->idle = c->next;
    else
        s->n_readers++;
    mutex_unlock(&s->lock);
    if (!c) {
        c = calloc(1, sizeof(*c));
        if (!c)
            err_set(err, ERR_INTERNAL, "out of memory opening a reader");
        if (!c || !conn_open(c, s->path, true, err)) {
            free(c);
            mutex_lock(&s->lock);
            s->n_readers--;
            cond_broadcast(&s->turn);
            mutex_unlock(&s->lock);
            free(tx);
            return NULL;
        }
    }
    tx->c = c;
    if (!conn_exec(c, "BEGIN", err)) {
        give_back(tx);
        return NULL;
    }
    return tx;
}

bool state_commit(struct state_tx *tx, struct err *err) {
    assert(tx->rows_open == 0);
    bool ok = conn_exec(tx->c, "COMMIT", err);
    if (!ok && !sqlite3_get_autocommit(tx->c->db))
        (void)sqlite3_exec(tx->c->db, "ROLLBACK", NULL, NULL, NULL);
    give_back(tx);
    return ok;
}

void state_rollback(struct state_tx *tx) {
    if (!tx)
        return;
    assert(tx->rows_open == 0);
    if (!sqlite3_get_autocommit(tx->c->db)) /* SQLite rolls back by itself after some errors */
        (void)sqlite3_exec(tx->c->db, "ROLLBACK", NULL, NULL, NULL);
    give_back(tx);
}

static bool bind(struct conn *c, sqlite3_stmt *stmt, const char *types, va_list ap,
                 struct err *err) {
    int wanted = sqlite3_bind_parameter_count(stmt);
    assert((size_t)wanted == strlen(types));
    for (int i = 1; i <= wanted; i++) {
        int rc = SQLITE_OK;
        struct str s;
        switch (types[i - 1]) {
        case 'i':
            rc = sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
            break;
        case 'd':
            rc = sqlite3_bind_double(stmt, i, va_arg(ap, double));
            break;
        case 's':
            s = va_arg(ap, struct str);
            rc = sqlite3_bind_text64(stmt, i, s.n ? s.p : "", s.n, SQLITE_TRANSIENT, SQLITE_UTF8);
            break;
        case 'b':
            s = va_arg(ap, struct str);
            rc = sqlite3_bind_blob64(stmt, i, s.n ? s.p : "", s.n, SQLITE_TRANSIENT);
            break;
        case 'n':
            rc = sqlite3_bind_null(stmt, i);
            break;
        default:
            assert(!"parameter type is one of i d s b n");
        }
        if (rc != SQLITE_OK)
            return conn_err(c, rc, "binding a parameter", err);
    }
    return true;
}

bool state_exec(struct state_tx *tx, struct err *err, const char *sql, const char *types, ...) {
    sqlite3_stmt *stmt = NULL;
    struct conn_stmt *slot = NULL;
    if (!conn_get_stmt(tx->c, sql, &stmt, &slot, err))
        return false;
    va_list ap;
    va_start(ap, types);
    bool ok = bind(tx->c, stmt, types, ap, err);
    va_end(ap);
    if (ok) {
        int rc;
        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        }
        ok = rc == SQLITE_DONE || conn_err(tx->c, rc, "writing to the state store", err);
    }
    conn_put_stmt(stmt, slot);
    return ok;
}

struct state_rows *state_query(struct state_tx *tx, struct err *err, const char *sql,
                               const char *types, ...) {
    struct state_rows *r = calloc(1, sizeof(*r));
    if (!r) {
        err_set(err, ERR_INTERNAL, "out of memory running a statement");
        return NULL;
    }
    r->tx = tx;
    if (!conn_get_stmt(tx->c, sql, &r->stmt, &r->slot, err)) {
        free(r);
        return NULL;
    }
    tx->rows_open++;
    va_list ap;
    va_start(ap, types);
    bool ok = bind(tx->c, r->stmt, types, ap, err);
    va_end(ap);
    if (!ok) {
        state_rows_free(r);
        return NULL;
    }
    return r;
}

bool state_next(struct state_rows *r, struct err *err) {
    int rc = sqlite3_step(r->stmt);
    if (rc == SQLITE_ROW)
        return true;
    if (rc == SQLITE_DONE) {
        if (err)
            err_reset(err);
        return false;
    }
    return conn_err(r->tx->c, rc, "reading the state store", err);
}

int64_t state_int(struct state_rows *r, int column) {
    return sqlite3_column_int64(r->stmt, column);
}
double state_double(struct state_rows *r, int column) {
    return sqlite3_column_double(r->stmt, column);
}
bool state_is_null(struct state_rows *r, int column) {
    return sqlite3_column_type(r->stmt, column) == SQLITE_NULL;
}

struct str state_str(struct state_rows *r, int column) {
    const char *p = sqlite3_column_type(r->stmt, column) == SQLITE_BLOB
                        ? sqlite3_column_blob(r->stmt, column)
                        : (const char *)sqlite3_column_text(r->stmt, column);
    int n = sqlite3_column_bytes(r->stmt, column);
    return p ? (struct str){p, (size_t)n} : (struct str){NULL, 0};
}

void state_rows_free(struct state_rows *r) {
    if (!r)
        return;
    conn_put_stmt(r->stmt, r->slot);
    r->tx->rows_open--;
    free(r);
}

int64_t state_last_id(struct state_tx *tx) {
    return sqlite3_last_insert_rowid(tx->c->db);
}
int64_t state_changes(struct state_tx *tx) {
    return sqlite3_changes64(tx->c->db);
}

bool state_kv_get(struct state *s, struct str key, struct arena *a, struct str *out,
                  bool *out_found, struct err *err) {
    struct state_tx *tx = state_begin_read(s, err);
    if (!tx)
        return false;
    bool ok = false;
    struct err e = {0};
    struct state_rows *r = state_query(tx, &e, "SELECT value FROM kv WHERE key=?", "s", key);
    if (r) {
        bool found = state_next(r, &e);
        ok = e.code == ERR_OK;
        if (found) {
            struct str v = arena_str(a, state_str(r, 0));
            if (a->failed)
                ok = arena_err(a, &e);
            else
                *out = v;
        }
        if (ok)
            *out_found = found;
        state_rows_free(r);
    }
    state_rollback(tx);
    if (!ok && err)
        *err = e;
    return ok;
}

bool state_kv_put(struct state *s, struct str key, struct str value, struct err *err) {
    struct state_tx *tx = state_begin(s, err);
    if (!tx)
        return false;
    if (!state_exec(
            tx, err,
            "INSERT INTO kv(key,value,changed_ms) VALUES(?,?,?) ON CONFLICT(key) DO UPDATE SET "
            "value=excluded.value, changed_ms=excluded.changed_ms",
            "sbi", key, value, state_now_ms(s))) {
        state_rollback(tx);
        return false;
    }
    return state_commit(tx, err);
}

bool state_fact(struct state_tx *tx, const struct state_fact *f, struct err *err) {
    return state_exec(tx, err,
                      "INSERT INTO facts(at_ms,recorded_ms,kind,service,subject,body,source) "
                      "VALUES(?,?,?,?,?,?,?)",
                      "iisssss", f->at_ms, state_now_ms(tx->s), f->kind, f->service, f->subject,
                      f->body, f->source);
}

static int verify_row(void *arg, int n, char **v, char **names) {
    (void)names;
    struct buf *findings = arg;
    for (int i = 0; i < n; i++) {
        buf_putz(findings, v[i] ? v[i] : "NULL");
        buf_putc(findings, i + 1 < n ? ' ' : '\n');
    }
    return 0;
}

bool state_verify(const char *path, struct buf *report, bool *out_clean, struct err *err) {
    if (!file_exists(path))
        return err_set(err, ERR_NOT_FOUND, "%s is not there", path);
    struct conn c;
    struct err e = {0};
    struct buf findings = BUF_INIT_MAX(1 << 20);
    bool ok = conn_open(&c, path, true, &e);
    if (ok) {
        ok = sqlite3_exec(c.db, "PRAGMA integrity_check(100)", verify_row, &findings, NULL) ==
             SQLITE_OK;
        if (!ok)
            conn_err(&c, sqlite3_errcode(c.db), "checking", &e);
        else if (str_eq(buf_view(&findings), STR("ok\n")))
            buf_reset(&findings);
        if (ok && sqlite3_exec(c.db, "PRAGMA foreign_key_check", verify_row, &findings, NULL) !=
                      SQLITE_OK) {
            ok = false;
            conn_err(&c, sqlite3_errcode(c.db), "checking", &e);
        }
        conn_close(&c);
    }
    if (!ok && e.code == ERR_CORRUPT) { /* too damaged for the check itself: that is the finding */
        buf_printf(&findings, "%s\n", e.message);
        ok = true;
    }
    if (ok) {
        *out_clean = findings.n == 0;
        struct str rest = buf_view(&findings), line;
        while (str_next(&rest, '\n', &line))
            if (line.n)
                buf_printf(report, "%s: %.*s\n", path, STR_FMT(line));
    } else if (err) {
        *err = e;
    }
    buf_deinit(&findings);
    return ok;
}
