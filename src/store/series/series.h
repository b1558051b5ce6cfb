/* series.h - the series store: write-ahead log, head, immutable blocks. The one door into
 * store/series.
 *
 * Threads: every function may be called from any thread. Writers are serialised by the head;
 * readers take snapshots and never wait for a writer's fsync. A write that returned true is on disk
 * (group commit without a timer: the next commit starts when the previous fsync returns and takes
 * what is queued). On-disk bytes: docs/formats/series.md.
 */
#ifndef SERIES_SERIES_H
#define SERIES_SERIES_H

#include "base/timev.h"
#include "model/reader.h"
#include "model/sink.h"

struct series_store;

struct series_options {
    const char *dir;          /* <data>/series; made when missing */
    int64_t retention_ms;     /* store.series.retention; 0: 30 days */
    uint64_t retention_bytes; /* store.series.retention_size; 0: none */
    int64_t accept_past_ms;   /* store.series.accept_window; 0: 1 hour; INT64_MAX: unlimited (then
                                 future too) */
    int64_t accept_future_ms; /* 0: 10 minutes */
    uint32_t series_per_source_max, series_per_metric_max; /* 0: base/limits.h */
    const struct clock *clock;
    bool read_only;     /* verify and tools */
    bool no_background; /* tests drive series_maintain() themselves */
};

/* Opens or creates; replays the log (everything acknowledged is queryable when this returns).
 * Errors: ERR_CONFLICT (newer format: says which version wrote it), ERR_CORRUPT only when nothing
 * can be opened: single corrupt files are moved to <dir>/quarantine, logged, counted, and the rest
 * is served. */
struct series_store *series_open(const struct series_options *opt, struct err *err) MUST_USE;
/* Flushes, writes a checkpoint so that the next start replays nothing, frees. */
void series_close(struct series_store *s);

struct sink series_sink(struct series_store *s);
struct reader series_reader(struct series_store *s);

/* A remote_write 1.0 body as received (snappy block), from an authenticated source. The fast path:
 * the log keeps the body itself with receive time, source, limit version and what was rejected.
 * `hint` is per-connection memory for predicting the next series (series_hint_new; may be NULL; one
 * thread at a time). Errors: ERR_BAD_INPUT (body malformed: nothing was stored), ERR_UNAVAILABLE
 * (disk full, queue full). Rejected rows: as in sink.h; the caller answers 400 with first_rejected
 * when there are any. */
struct series_hint;
struct series_hint *series_hint_new(void);
void series_hint_free(struct series_hint *h);
bool series_remote_write(struct series_store *s, struct str snappy_body, struct str source,
                         struct series_hint *hint, struct write_result *out,
                         struct err *err) MUST_USE;

/* Metadata of metrics (TYPE, HELP, UNIT): kept in memory and checkpointed, last one wins. */
bool series_put_meta(struct series_store *s, const struct metric_meta *m, size_t n,
                     struct err *err) MUST_USE;
/* metric.n == 0: all, sorted by name. In the arena. */
bool series_get_meta(struct series_store *s, struct str metric, size_t limit, struct arena *a,
                     struct metric_meta **out, size_t *out_n, struct err *err) MUST_USE;

/* The last (segment, offset) committed for an agent; zero when unknown. */
void series_agent_position(struct series_store *s, struct str agent, uint64_t *out_segment,
                           uint64_t *out_offset);

/* Everything, at once and quickly (tests with `clear`). */
bool series_clear(struct series_store *s, struct err *err) MUST_USE;
/* Flush, compact, apply retention as due now; background threads call it, tests call it. */
bool series_maintain(struct series_store *s, struct err *err) MUST_USE;

struct series_top { /* a row of status/tsdb: name and how many series */
    struct str name;
    uint64_t count;
};
struct series_stats {
    uint64_t head_series, head_samples, blocks, disk_bytes, wal_bytes, symbols_bytes;
    int64_t min_ts_ms, max_ts_ms;
    int64_t wal_synced_ms,
        wal_sync_ns;        /* the last commit: Unix ms, and how long its fsync took; 0: none */
    uint64_t samples_total; /* in blocks and head */
    struct series_top top_metrics[10], top_labels[10],
        top_pairs[10]; /* status/tsdb; strings in the arena */
    size_t n_top_metrics, n_top_labels, n_top_pairs;
    uint64_t label_pairs;
};
bool series_get_stats(struct series_store *s, struct arena *a, struct series_stats *out,
                      struct err *err) MUST_USE;

/* Named limits that were hit since start: which source, metric and label. */
struct series_limit_hit {
    struct str source, metric, label, limit;
    uint64_t refused_series, refused_samples;
    int64_t last_ms;
};
bool series_limit_hits(struct series_store *s, struct arena *a, struct series_limit_hit **out,
                       size_t *out_n, struct err *err) MUST_USE;

/* Reads every byte of dir and says what is wrong, one line each; false in *out_clean when anything
 * is. */
bool series_verify(const char *dir, struct buf *report, bool *out_clean, struct err *err) MUST_USE;

#endif
