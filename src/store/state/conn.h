/* conn.h - inside the room: one SQLite connection with its statement cache. One thread at a time.
 */
#ifndef STATE_CONN_H
#define STATE_CONN_H

#include "base/err.h"
#include "base/str.h"

#include <sqlite3.h>

/* Statements kept prepared on each connection: the features together use about fifty. */
#define CONN_STATEMENTS_MAX 64

struct conn_stmt {
    sqlite3_stmt *stmt; /* NULL: free slot */
    uint64_t hash;      /* of the SQL text */
    uint64_t used;      /* for least-recently-used eviction */
    bool busy;          /* checked out */
};

struct conn {
    sqlite3 *db;
    const char *path; /* borrowed */
    struct conn_stmt cache[CONN_STATEMENTS_MAX];
    uint64_t tick;
    struct conn *next; /* pool */
};

bool conn_open(struct conn *c, const char *path, bool read_only, struct err *err) MUST_USE;
void conn_close(struct conn *c);
/* A statement ready to bind. *out_slot: give both back to conn_put_stmt. */
bool conn_get_stmt(struct conn *c, const char *sql, sqlite3_stmt **out, struct conn_stmt **out_slot,
                   struct err *err) MUST_USE;
void conn_put_stmt(sqlite3_stmt *stmt, struct conn_stmt *slot);
bool conn_exec(struct conn *c, const char *sql,
               struct err *err) MUST_USE; /* no parameters, no rows */
/* Turns SQLite's last result into *err. Returns false. */
bool conn_err(struct conn *c, int rc, const char *doing, struct err *err);

#endif
