/* spool.h - the agent's disk buffer: what was collected and not yet taken by the server.
 *
 * Segments <dir>/<20 digits>.seg, each a head and records (length, checksum, rows, bytes);
 * described in docs/formats/agent.md. A position is (segment, offset where the record ends) and
 * only grows, also across restarts, so that the server can tell a record that it has from a new
 * one. A file is never appended to after a restart: what a crash left behind its last whole record
 * is cut off by reading, not by writing.
 *
 * Bounded: over bytes_max the oldest segment goes and its rows are counted as dropped; never
 * otherwise. Durability: a record is in the file when spool_append returns (it survives the death
 * of the process) and synced after at most sync_ms (what a power cut may take). Any thread.
 */
#ifndef AGENT_SPOOL_H
#define AGENT_SPOOL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/timev.h"

#define SPOOL_SEGMENT_BYTES ((size_t)4 << 20)
#define SPOOL_BYTES_MAX_DEFAULT                                                                    \
    ((uint64_t)512 << 20) /* about a day of one host and a few scrapes */
#define SPOOL_SYNC_MS_DEFAULT 1000

struct spool;
struct spool_options {
    const char *dir;
    uint64_t bytes_max;   /* 0: the default; at least two segments */
    size_t segment_bytes; /* 0: SPOOL_SEGMENT_BYTES */
    int64_t sync_ms;      /* 0: the default; -1: at each append */
    const struct clock *clock;
};
struct spool_position {
    uint64_t segment, offset;
};

/* Opens or makes the folder; reads what is there. Damaged records are left out and counted. */
struct spool *spool_open(const struct spool_options *opt, struct err *err) MUST_USE;
void spool_close(struct spool *s); /* syncs */

bool spool_append(struct spool *s, struct str record, uint32_t rows, struct err *err) MUST_USE;
/* The first record after `after` (zero: the oldest), into out (reset first). *out_found false:
 * none. What was dropped or damaged in between is skipped. */
bool spool_next(struct spool *s, struct spool_position after, struct buf *out,
                struct spool_position *out_position, bool *out_found, struct err *err) MUST_USE;
/* Everything at or before the position is no longer needed: remembers it and removes whole
 * segments. */
bool spool_release(struct spool *s, struct spool_position upto, struct err *err) MUST_USE;
/* The last released position. */
struct spool_position spool_released(struct spool *s);
/* Positions of later records will be after this one (the server remembers more than we do). */
void spool_raise(struct spool *s, struct spool_position above);

struct spool_stats {
    uint64_t bytes, dropped_rows, damaged_records;
};
struct spool_stats spool_stats(struct spool *s);

static inline bool spool_before(struct spool_position a, struct spool_position b) {
    return a.segment < b.segment || (a.segment == b.segment && a.offset < b.offset);
}

#endif
