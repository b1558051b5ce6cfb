/* scrape_cache.h - what one target's scrapes remember, and how a page becomes rows.
 *
 * For each series text that the target shows the cache holds the final labels (after the target's
 * labels and metric_relabel_configs), the sink's ref and whether the series lives. A steady page is
 * read by its layout (codec/promtext_layout.h): no label is parsed, nothing is allocated, one row
 * is written per sample.
 *
 * Rows come out in the page's order, then markers for series that ended (stale NaN), then the five
 * report series (up, scrape_duration_seconds, scrape_samples_scraped,
 * scrape_samples_post_metric_relabeling, scrape_series_added). Semantics are those of Prometheus 3.
 *
 * Not thread-safe: one owner at a time. No system calls: time comes in.
 */
#ifndef INGEST_SCRAPE_CACHE_H
#define INGEST_SCRAPE_CACHE_H

#include "codec/promtext.h"
#include "model/sink.h"
#include "pipe/guard.h"
#include "pipe/relabel.h"
#include "pipe/sample_limits.h"

struct scrape_cache;

/* How pages are read; borrowed for the call. */
struct scrape_rules {
    struct labels target;                 /* sorted, without names that begin with "__" */
    const struct relabel *metric_relabel; /* may be NULL */
    struct sample_limits limits;
    bool honor_labels, honor_timestamps, track_timestamps_staleness, legacy_names;
    struct guard *guard; /* may be NULL */
    struct str source;   /* "scrape/job/instance" */
    uint64_t epoch;      /* changes when any rule changes: labels are then worked out anew */
};

/* Memory shared by all scrapes of one worker thread. */
struct scrape_scratch {
    struct arena arena;
    struct promtext_value *values;
    size_t values_cap;
    struct batch_row *rows;
    uint64_t *refs;
    uint32_t *entries; /* parallel to rows: whose it is */
    size_t n, cap;
    struct metric_meta *meta; /* of this page, only when its layout is new */
    size_t n_meta, meta_cap;
    struct labels_builder labels;
};
#define SCRAPE_SCRATCH_INIT ((struct scrape_scratch){.arena = {.bytes_max = (size_t)256 << 20}})
void scrape_scratch_deinit(struct scrape_scratch *s);

struct scrape_counts {
    uint64_t scraped, kept, added, refused;
};

struct scrape_cache *scrape_cache_new(struct err *err) MUST_USE;
/* Gives admitted series back to the guard. */
void scrape_cache_free(struct scrape_cache *c, const struct scrape_rules *rules);

/* Rows of a page into the scratch. false: the page is refused as a whole (malformed, over a limit);
 * call scrape_cache_fail then. Strings of rows and meta live until the next call with this cache or
 * scratch. */
bool scrape_cache_page(struct scrape_cache *c, const struct scrape_rules *rules, struct str body,
                       enum promtext_format f, int64_t ts_ms, struct scrape_scratch *s,
                       struct scrape_counts *out, struct err *err) MUST_USE;
/* Rows that end every living series: the scrape failed, or the target goes. */
bool scrape_cache_fail(struct scrape_cache *c, int64_t ts_ms, struct scrape_scratch *s,
                       struct err *err) MUST_USE;
/* Adds the report rows; `stale` instead of values when the target goes. */
struct scrape_report {
    bool up, stale;
    double duration_s;
    struct scrape_counts counts;
};
bool scrape_cache_report(struct scrape_cache *c, const struct scrape_rules *rules,
                         const struct scrape_report *r, int64_t ts_ms, struct scrape_scratch *s,
                         struct err *err) MUST_USE;
/* After the write: keeps the refs that the sink filled in. */
void scrape_cache_written(struct scrape_cache *c, const struct scrape_scratch *s);

size_t scrape_cache_series(const struct scrape_cache *c); /* living series */

#endif
