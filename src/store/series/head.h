/* head.h - what has not become a block yet: series, their newest samples, and the index over them.
 *
 * A series is known by its canonical label run (codec/remote_write.h), one allocation that serves
 * as key, as labels and for prediction. Its samples are a list of small chunks of values; the
 * timestamps stand in a column (tscol) that all series of one scrape share: a series that gets the
 * next timestamp of its column only counts up. A series that diverges moves to a copy of the
 * column, found again by the next one that diverges alike. Samples that come out of order live in a
 * small sorted array of their own.
 *
 * Values and columns live in the generation's memory (struct gen), which only grows: a reader that
 * took a reference and the lengths under the read lock may go on reading without it. Freezing hands
 * the generation to the flush and starts the next one.
 *
 * Locking is the caller's: everything that changes needs the store's write lock, everything else
 * the read lock, except what is said to be a snapshot.
 */
#ifndef STORE_SERIES_HEAD_H
#define STORE_SERIES_HEAD_H

#include "base/map.h"
#include "model/labels.h"
#include "model/sample.h"
#include "model/sink.h"
#include "store/series/postings.h"

#include <stdatomic.h>

#define CHUNK_VALUES 16
struct chunk {
    struct chunk *next;
    double v[CHUNK_VALUES];
};

struct gen; /* bump-allocated memory, reference-counted */
struct gen *gen_ref(struct gen *g);
void gen_unref(struct gen *g);

struct tscol {
    int64_t *ts; /* in the current generation */
    uint32_t n, cap;
    const int64_t *frozen_ts; /* in the frozen generation */
    uint32_t mark;
};

struct ooo { /* sorted by ts_ms, unique */
    uint32_t n, cap;
    struct sample s[];
};
#define OOO_SAMPLES_MAX                                                                            \
    8192 /* past this, an insertion in the middle asks for a flush: memmove is linear */

struct sbuf {
    struct chunk *first, *last;
    struct tscol *col;
    uint32_t start, n; /* timestamps are col->ts[start .. start + n) */
    struct ooo *ooo;
};

struct hseries {
    uint8_t *raw; /* canonical label run; NULL: a free slot */
    uint32_t raw_n;
    uint32_t tag; /* high half of the run's hash */
    struct sbuf cur;
    int64_t flushed_max; /* no sample in frozen or blocks is newer; INT64_MIN: none there */
    uint32_t slot_gen;   /* counts reuses of the slot, so that stale references are noticed */
    uint32_t rank;       /* place in head.order; UINT32_MAX: not sorted in yet */
    uint32_t wal_epoch;  /* defined in the log for this definition epoch; 0: never */
    uint32_t source, metric;
    uint32_t idle; /* flushes in a row without a sample */
    bool
        flushed_exact; /* flushed_max was looked up for this series; else the newest of the store */
};

#define HEAD_PAGE 1024
#define HEAD_SERIES_MAX (1u << 27)

struct hslot {
    uint32_t tag, slot1; /* slot + 1; 0 empty; UINT32_MAX deleted */
};
struct hcount { /* how many series: of a source, or of a metric of a source */
    struct str name, source;
    uint32_t n, index, owner_index; /* owner: the metric's source */
    uint64_t refused_series, refused_samples;
    int64_t last_ms;
    struct str top_metric,
        top_label;     /* owned; found when first refused, and again when refusals grow fourfold */
    uint64_t asked_at; /* refused_series when they were found */
};
struct frozen {
    struct gen *gen;
    struct sbuf *buf; /* by slot */
    uint32_t n_slots;
    uint64_t samples;
    int64_t min_ts, max_ts;
};

struct join_entry {
    int64_t ts;
    struct tscol *col;
    uint32_t idx;
};
struct fork_entry {
    const struct tscol *from;
    struct tscol *to;
    uint32_t idx;
    int64_t ts;
};
#define JOIN_CACHE 1024
#define FORK_CACHE 256

struct head {
    struct hseries **pages;
    uint32_t n_pages, n_slots, n_live;
    uint32_t *free_slots, n_free, cap_free;
    struct hslot *table;
    uint32_t table_n, table_used; /* power of two; used counts deleted ones */

    struct map names; /* label name -> struct map * of value -> struct posting * */
    roaring_bitmap_t *live;
    uint64_t n_pairs, symbol_bytes;

    struct map sources;                   /* name -> struct hcount * */
    struct map metrics;                   /* "<source index>\0<metric>" -> struct hcount * */
    struct hcount **source_v, **metric_v; /* by index; 0 unused, holes are NULL */
    uint32_t metric_hint;                 /* a hole in metric_v, or 0 */
    uint32_t n_sources, cap_sources, n_metrics, cap_metrics;

    uint32_t *order, n_order; /* slots sorted by labels; those newer have rank UINT32_MAX */
    uint32_t n_unsorted;

    struct gen *gen;
    struct tscol **cols;
    uint32_t n_cols, cap_cols;
    struct tscol *last_col;
    struct join_entry join[JOIN_CACHE];
    struct fork_entry fork[FORK_CACHE];
    uint64_t samples; /* in the current generation */
    int64_t min_ts, max_ts;
    bool flush_wanted;
    struct frozen *frozen;
};

bool head_init(struct head *h);
void head_deinit(struct head *h);

static inline struct hseries *head_at(const struct head *h, uint32_t slot) {
    return &h->pages[slot / HEAD_PAGE][slot % HEAD_PAGE];
}
/* The slot of a canonical run, or UINT32_MAX. */
uint32_t head_find(const struct head *h, struct str run, uint64_t hash);
/* Adds a series (must be absent). labels view run or equal it. UINT32_MAX: no memory. flushed_max:
 * the newest time at which a block may hold the series already. */
uint32_t head_add(struct head *h, struct str run, uint64_t hash, struct labels ls,
                  struct hcount *source, struct hcount *metric, int64_t flushed_max);
void head_remove(struct head *h, uint32_t slot); /* must hold no samples */
/* Views the run; at most LIMIT_LABELS_PER_SERIES. */
struct labels head_labels(const struct hseries *s, struct label *storage);

struct hcount *head_source(struct head *h, struct str name);
struct hcount *head_metric_find(const struct head *h, const struct hcount *source,
                                struct str metric);
struct hcount *head_metric(struct head *h, struct hcount *source, struct str metric);

enum append_result { APPEND_OK, APPEND_SAME, APPEND_DIFFERENT, APPEND_OLD, APPEND_NO_MEMORY };
/* APPEND_OLD: ts_ms is not newer than what frozen and blocks may hold, and the current and the
 * frozen generation do not have it: the caller looks into the blocks and then calls
 * head_append_new. */
enum append_result head_append(struct head *h, uint32_t slot, int64_t ts_ms, double v);
enum append_result head_append_new(struct head *h, uint32_t slot, int64_t ts_ms, double v);

/* The newest sample of a series in the frozen generation; INT64_MIN: none. */
int64_t head_frozen_max(const struct head *h, uint32_t slot);

/* Moves the current generation aside; false: no memory (nothing changed). */
bool head_freeze(struct head *h);
void head_drop_frozen(struct head *h);
/* Brings order and rank up to date. */
bool head_sort(struct head *h);
struct pindex head_index(struct head *h);

/* Copies values [from, from + n) of a chunk list. */
void chunk_copy(const struct chunk *first, uint32_t from, uint32_t n, double *out);

#endif
