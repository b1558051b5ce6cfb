/* store.h - inside of the series store: the state that its files share. Not for other rooms.
 *
 * Lock order: maint > lock > (wal's own). `lock` guards head, blocks, agents and the counters
 * beside them; writers hold it for the time of one batch, readers while they take a snapshot,
 * nobody while waiting for the disk. `maint` serialises flush, compaction, retention and clearing.
 */
#ifndef STORE_SERIES_STORE_H
#define STORE_SERIES_STORE_H

#include "base/map.h"
#include "os/thread.h"
#include "store/series/block.h"
#include "store/series/head.h"
#include "store/series/series.h"
#include "store/series/wal.h"

/* When the head is written out: this many samples, or so many per series when there are many series
 * (so that a block's index is worth its bytes), or after so long, or when the log would take long
 * to replay. */
#define FLUSH_SAMPLES ((uint64_t)2 << 20)
#define FLUSH_SAMPLES_PER_SERIES 32
#define FLUSH_AGE_MS ((int64_t)2 * 3600 * 1000)
#define FLUSH_WAL_BYTES ((uint64_t)256 << 20)
#define HEAD_BEHIND_FACTOR                                                                         \
    6                      /* times the flush size: past this, writers wait for the disk with 503 */
#define IDLE_FLUSHES_MAX 3 /* a series without samples for so many flushes leaves the head */
#define REPLAY_PAGE 65536u
#define QUARANTINE_DIR "quarantine"

struct blockset {
    _Atomic uint32_t refs;
    size_t n;
    struct block *v[]; /* by min_ts */
};

struct agent_pos {
    uint64_t segment, offset;                 /* on disk */
    uint64_t applied_segment, applied_offset; /* in the head, perhaps not on disk yet */
    uint64_t frozen_segment,
        frozen_offset; /* what was applied when the head was frozen: on disk with its block */
};

struct meta_entry {
    enum metric_type type;
    struct str help, unit; /* owned, one allocation in help.p */
};

struct series_store {
    struct series_options opt;
    char dir[SIO_PATH_MAX - 128], wal_dir[SIO_PATH_MAX - 120], quarantine[SIO_PATH_MAX - 100];
    struct clock clock;
    struct rwlock lock;
    struct head head;
    struct blockset *blocks;
    struct wal *wal;
    uint32_t def_epoch; /* definitions of series in the log are good for one of these */
    uint64_t wal_failures;
    struct map agents; /* name -> struct agent_pos * */
    struct map meta;   /* metric -> struct meta_entry * */
    uint64_t meta_version;
    struct buf scratch_run, scratch_wal;
    struct series_hint *replay_hint;
    uint32_t **replay_pages; /* while the log is replayed: its slot numbers -> ours */
    int64_t head_since_mono; /* when the first sample of the generation came; 0: none */

    struct mutex maint;
    uint64_t frozen_epoch; /* the log's epoch that began when the frozen generation was set aside */
    uint64_t manifest_epoch; /* log epochs before this are in blocks */
    uint64_t next_block;
    int64_t retention_now; /* the time retention believes in; see retention.c */
    int64_t retention_mono;
    bool manifest_dirty;

    struct thread thread;
    struct mutex wake_lock;
    struct cond wake;
    _Atomic bool stop;
    bool wake_now;
};

/* series.c */
void store_free_parts(struct series_store *s); /* head, blocks, log, maps; not the locks */

/* blocks.c */
struct blockset *blockset_new(struct block *const *v,
                              size_t n); /* takes no references of v's: it adds its own */
struct blockset *blockset_ref(struct blockset *s);
void blockset_unref(struct blockset *s);
struct blockset *store_blocks(struct series_store *s); /* a reference, under the read lock */
/* Puts add in and takes drop out, under the write lock. */
bool store_swap_blocks(struct series_store *s, struct block *add, struct block *const *drop,
                       size_t n_drop, struct err *err) MUST_USE;
bool blocks_lookup(struct blockset *set, struct labels ls, int64_t ts_ms, double *out);
/* A moment that no sample of the series in blocks is newer than; INT64_MIN: they do not have it. */
int64_t blocks_series_max(struct blockset *set, struct labels ls);
int64_t blocks_max_ts(const struct blockset *set);
/* Moves a broken file aside, logs and counts it. */
void store_quarantine(struct series_store *s, const char *path, const char *why);

/* manifest.c: what is in the folder, replaced whole */
/* flushed: the frozen generation is in a block, and with it the agents' frozen positions. */
bool manifest_write(struct series_store *s, bool flushed, struct err *err) MUST_USE;
/* Reads the manifest, opens blocks, fills epoch, agents, meta. */
bool manifest_load(struct series_store *s, struct err *err) MUST_USE;

/* write.c */
bool store_write(struct series_store *s, const struct batch *b, struct write_result *out,
                 struct err *err) MUST_USE;
void store_replay_record(struct series_store *s, enum wal_type type, struct str payload);
void store_replay_end(struct series_store *s);
bool store_note_meta(struct series_store *s,
                     const struct metric_meta *m); /* lock held; true: it changed */

/* select.c */
bool store_select(struct series_store *s, const struct reader_query *q, struct reader_set **out,
                  struct err *err) MUST_USE;
/* The whole of some blocks, as one set. */
bool blocks_select(struct blockset *set, struct reader_set **out, struct err *err) MUST_USE;
/* The frozen generation alone (maint held). */
bool frozen_select(struct series_store *s, struct reader_set **out, struct err *err) MUST_USE;

/* maintain.c */
bool store_flush(struct series_store *s, struct err *err) MUST_USE; /* maint held */
bool store_maintain(struct series_store *s, bool close, struct err *err) MUST_USE;
bool store_flush_due(struct series_store *s);
void store_thread(void *self);
void store_wake(struct series_store *s);
int64_t store_retention_cutoff(struct series_store *s, int64_t data_max); /* INT64_MIN: none */

#endif
