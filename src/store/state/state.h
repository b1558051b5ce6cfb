/* state.h - what people and the program decide, and facts that must never be lost (SQLite, WAL
 * journal, synchronous=FULL: a committed transaction survives power loss). One file,
 * <data>/state.db.
 *
 * The room owns the schema (migrations in order, in schema.c) and a small statement API that the
 * features use with their own SQL; SQL never leaves C files of the feature that owns the table. One
 * writer at a time (state_begin waits for its turn), readers in parallel.
 */
#ifndef STATE_STATE_H
#define STATE_STATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/timev.h"

struct state;
struct state_tx;   /* a transaction: write (exclusive) or read */
struct state_rows; /* a running statement */

/* clock is borrowed for the life of the store. */
struct state *state_open(const char *path, const struct clock *clock, struct err *err) MUST_USE;
void state_close(struct state *s);
int64_t state_now_ms(const struct state *s); /* the store's clock, Unix ms */

/* A write transaction holds the writer's lock until commit or rollback. */
struct state_tx *state_begin(struct state *s, struct err *err) MUST_USE;
struct state_tx *state_begin_read(struct state *s, struct err *err) MUST_USE;
bool state_commit(struct state_tx *tx, struct err *err) MUST_USE; /* frees tx, also on failure */
void state_rollback(struct state_tx *tx);                         /* frees tx; also ends a read */

/* Parameters: a format string names their types in order: i int64_t, d double, s struct str, b
 * struct str as blob, n NULL (no argument). state_exec(tx, err, "UPDATE t SET a=?,b=? WHERE id=?",
 * "ssi", a, b, id). */
bool state_exec(struct state_tx *tx, struct err *err, const char *sql, const char *types,
                ...) MUST_USE;
struct state_rows *state_query(struct state_tx *tx, struct err *err, const char *sql,
                               const char *types, ...) MUST_USE;
bool state_next(struct state_rows *r, struct err *err); /* false: no more, or err->code != 0 */
int64_t state_int(struct state_rows *r, int column);
double state_double(struct state_rows *r, int column);
bool state_is_null(struct state_rows *r, int column);
struct str state_str(struct state_rows *r, int column); /* valid until state_next */
void state_rows_free(struct state_rows *r);
int64_t state_last_id(struct state_tx *tx);
int64_t state_changes(struct state_tx *tx);

/* Small settings by key (UI language, accepted scrape offers ...). false in *out_found when absent.
 */
bool state_kv_get(struct state *s, struct str key, struct arena *a, struct str *out,
                  bool *out_found, struct err *err) MUST_USE;
bool state_kv_put(struct state *s, struct str key, struct str value, struct err *err) MUST_USE;

/* One more row of the append-only table of what happened (deploys, configuration changes,
 * incidents, ...). at_ms: when it happened; body: a JSON object; source: who told ("rule",
 * "api/<user>", "notify"). */
struct state_fact {
    int64_t at_ms;
    struct str kind, service, subject, body, source;
};
bool state_fact(struct state_tx *tx, const struct state_fact *f, struct err *err) MUST_USE;

/* Integrity check (hinomi verify). Appends one line a finding. */
bool state_verify(const char *path, struct buf *report, bool *out_clean, struct err *err) MUST_USE;

#endif
