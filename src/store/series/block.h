/* block.h - an immutable file of series: values, shared timestamp columns, labels, postings.
 *
 * The file is mapped; opening reads header and footer only. Every chunk, column segment and index
 * section carries a CRC32C that is checked when its bytes are first needed (chunks: each time).
 * Series stand in label order, so a series number is its rank. Bytes: docs/formats/series.md.
 */
#ifndef STORE_SERIES_BLOCK_H
#define STORE_SERIES_BLOCK_H

#include "base/arena.h"
#include "model/labels.h"
#include "store/series/postings.h"
#include "store/series/sio.h"
#include "store/series/valcodec.h"

#include <stdatomic.h>

#define BLOCK_SERIES_MAX (1u << 27)

struct block_info {
    uint64_t samples;
    int64_t min_ts, max_ts;
    uint32_t series, level;
};

/* Writer */

struct block_writer;
/* Writes <dir>/<name>.tmp; finish renames it. */
struct block_writer *block_writer_new(const char *dir, const char *name, uint32_t level,
                                      struct err *err) MUST_USE;
/* In labels_cmp order, n > 0, ts strictly increasing. Equal runs of timestamps are stored once. */
bool block_writer_add(struct block_writer *w, struct labels ls, const int64_t *ts, const double *v,
                      size_t n, struct err *err) MUST_USE;
/* Footer, fsync, rename, fsync of the folder. Frees w in either case; a failed one leaves no file.
 */
bool block_writer_finish(struct block_writer *w, struct block_info *out, struct err *err) MUST_USE;
void block_writer_abort(struct block_writer *w);
bool block_writer_empty(const struct block_writer *w);

/* Reader */

struct block_section {
    uint64_t offset, bytes;
    uint32_t crc;
};
enum {
    SECTION_COLS,
    SECTION_SEGS,
    SECTION_SERIES,
    SECTION_LABELS,
    SECTION_NAMES,
    SECTION_PAIRS,
    SECTION_TEXT,
    SECTION_POSTINGS,
    SECTION_COUNT
};

struct block_series_entry { /* 24 bytes, as on disk */
    uint64_t data;          /* file offset of the first chunk */
    uint32_t labels;        /* offset in SECTION_LABELS */
    uint32_t col, start, n;
};
struct block_col_entry {
    uint32_t first_seg, n;
};
struct block_seg_entry { /* up to VALCODEC_N_MAX timestamps */
    uint64_t offset;
    uint32_t bytes, crc;
    int64_t first_ts, last_ts;
};
struct block_name_entry {
    uint32_t text, bytes; /* in SECTION_TEXT */
    uint32_t first_pair, n_pairs;
};
struct block_pair_entry { /* sorted by (name, value) */
    uint32_t text, bytes;
    uint32_t posting; /* offset in SECTION_POSTINGS */
    uint32_t name;
};

struct block {
    _Atomic uint32_t refs;
    char path[SIO_PATH_MAX];
    char name[64];
    struct sio_map map;
    bool borrowed; /* the map is not ours */
    struct block_info info;
    struct block_section section[SECTION_COUNT];
    uint32_t n_cols, n_segs, n_names, n_pairs;
    uint32_t file_crc;        /* of all bytes before the footer; block_verify */
    _Atomic int index_state;  /* 0: not looked at, 1: sound, 2: broken */
    _Atomic bool unlink_last; /* delete the file with the last reference */
    _Atomic bool corrupt;     /* a chunk did not match: quarantine it at the next maintenance */
    char why[160]; /* first corruption found (racy writers write the same kind of text) */
};

struct block *block_open(const char *dir, const char *name, struct err *err) MUST_USE;
/* The same over bytes that outlive it (8-aligned); for the fuzz target. */
struct block *block_view(struct str bytes, struct err *err) MUST_USE;
struct block *block_ref(struct block *b);
void block_unref(struct block *b);
/* Checks the index sections once; ERR_CORRUPT. Everything below needs it to have returned true. */
bool block_check_index(struct block *b, struct err *err) MUST_USE;
const struct block_series_entry *block_series(const struct block *b, uint32_t id);
/* Views the mapping; at most LIMIT_LABELS_PER_SERIES in storage. */
struct labels block_labels(const struct block *b, uint32_t id, struct label *storage);
/* The series with these labels or UINT32_MAX. */
uint32_t block_find(const struct block *b, struct labels ls);
struct pindex block_index(struct block *b);
/* Timestamps of column segment seg (of the whole file's numbering) into out[VALCODEC_N_MAX]. */
bool block_read_seg(struct block *b, uint32_t seg, size_t n, int64_t *out,
                    struct err *err) MUST_USE;
/* Values [from, from + n) of the series, counted from its first sample. */
bool block_read_values(struct block *b, const struct block_series_entry *e, uint32_t from,
                       uint32_t n, double *out, struct err *err) MUST_USE;
/* Every byte; one error for the first thing wrong. */
bool block_verify(struct block *b, struct err *err) MUST_USE;

const struct block_col_entry *block_col(const struct block *b, uint32_t col);
const struct block_seg_entry *block_seg(const struct block *b, uint32_t seg);
struct str block_name_text(const struct block *b, uint32_t name);
struct str block_pair_text(const struct block *b, uint32_t pair);
const struct block_name_entry *block_names(const struct block *b);
/* The posting of a pair; NULL: no memory (or broken bytes, which the section's CRC excludes). */
roaring_bitmap_t *block_posting(const struct block *b, uint32_t pair);

/* Shared by writer and reader */
#define BLOCK_MAGIC "HINOMIBK"
enum {
    BLOCK_VERSION = 1,
    BLOCK_HEADER_BYTES = 32,
    BLOCK_FOOTER_BYTES = 288,
    BLOCK_CHUNK_HEADER_BYTES = 8
};
/* postings: 1 byte kind, varint n, then n differences, or n runs as (distance to the end before,
 * length - 1) */
enum { POSTING_KIND_LIST = 1, POSTING_KIND_RUNS = 2 };

#endif
