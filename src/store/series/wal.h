/* wal.h - the write-ahead log: records in preallocated segment files, made durable by group commit.
 *
 * wal_append copies a record into the queue (cheap, no system call, called under the head's lock so
 * that log order is apply order); wal_commit waits until it is on disk. There is no timer: whoever
 * waits first becomes the leader, writes what is queued, syncs once, and wakes the rest; what is
 * queued meanwhile is the next commit. After a failed write or sync the segment is never written
 * again and every record of that commit is refused.
 *
 * Segments are numbered (epoch << 24 | index). An epoch is the life of one head: wal_cut starts the
 * next one, and once the old head is a block its epoch is dropped. Bytes: docs/formats/series.md.
 */
#ifndef STORE_SERIES_WAL_H
#define STORE_SERIES_WAL_H

#include "base/err.h"
#include "base/str.h"

struct wal;
enum wal_type { WAL_REMOTE_WRITE = 1, WAL_ROWS = 2, WAL_META = 3, WAL_TYPE_MAX = 3 };

#define WAL_SEGMENT_BYTES_MAX ((uint64_t)64 << 20)
#define WAL_ALLOC_STEP_BYTES ((uint64_t)4 << 20) /* preallocation goes in steps of this */
#define WAL_QUEUE_BYTES_MAX ((size_t)128 << 20)  /* past this, writers are told to come again */
#define WAL_RECORD_BYTES_MAX ((size_t)48 << 20)  /* a body of 16 MiB and what stands around it */

struct wal_ticket { /* the caller's, from append to the end of commit */
    struct wal_ticket *next;
    int state;
    struct err err;
};

/* Makes dir when missing. The first segment is made by the first commit. */
struct wal *wal_new(const char *dir, uint64_t epoch, struct err *err) MUST_USE;
void wal_free(struct wal *w); /* no waiters; the files stay */
/* Whether a commit would have a segment to write to; tries to make one after a failure. */
bool wal_ready(struct wal *w, struct err *err) MUST_USE;
/* How many commits have failed. Records may refer to definitions in earlier records (WAL_ROWS), so
 * a failure also refuses what was queued behind it, and who builds a record names the count it was
 * built under. */
uint64_t wal_failures(struct wal *w);
/* The record is the concatenation of parts. ERR_UNAVAILABLE: queue full, no memory, or a commit
 * failed since `failures` was asked for. */
bool wal_append(struct wal *w, enum wal_type type, uint64_t failures, const struct str *parts,
                size_t n_parts, struct wal_ticket *t, struct err *err) MUST_USE;
/* Must follow every successful wal_append. false: the record is not acknowledged. */
bool wal_commit(struct wal *w, struct wal_ticket *t, struct err *err) MUST_USE;
/* Records appended from now on belong to the next epoch; returns its number. */
uint64_t wal_cut(struct wal *w);
/* Deletes segments of earlier epochs. */
bool wal_drop_before(struct wal *w, uint64_t epoch, struct err *err) MUST_USE;
void wal_last_sync(const struct wal *w, int64_t *out_ms,
                   int64_t *out_ns); /* 0: none since the start */
uint64_t wal_bytes(struct wal *w);   /* bytes on disk in live segments, as appended */

struct wal_replay {
    uint64_t records, bytes;
    uint64_t torn_bytes; /* dropped at the end of segments: never acknowledged */
    uint64_t damaged;    /* spots inside segments where valid records follow invalid bytes */
    uint64_t epoch_max;
    void (*record)(void *self, enum wal_type type, struct str payload);
    void (*bad_segment)(void *self, const char *path,
                        const char *why); /* damage in the middle, or no header */
    void *self;
};
/* Hands out every valid record of epochs >= epoch in order. ERR_CONFLICT: a newer format. */
bool wal_replay(const char *dir, uint64_t epoch, struct wal_replay *r, struct err *err) MUST_USE;
/* One segment's bytes; used by replay, verify and the fuzz target. */
bool wal_scan(struct str segment, uint64_t number, struct wal_replay *r, struct err *err) MUST_USE;

#endif
