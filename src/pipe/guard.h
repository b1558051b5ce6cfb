/* guard.h - the cardinality limit of each source: how many series one target (or other sender) may
 * have at a time, in all and under one metric name. Past it new series of that source are refused,
 * known ones go on, and other sources notice nothing.
 *
 * Sources that remember their series (scrapes) ask once when a series appears and give it back when
 * it is gone, so a steady scrape costs nothing here. Sources without memory (remote_write) are held
 * by the store's own guard (store/series). What was refused is kept as structured hits: source,
 * metric, and the label with the most values, which is nearly always the culprit (distinct values
 * are counted by linear counting, Whang 1990, once a metric has grown past an eighth of its limit).
 *
 * Any thread.
 */
#ifndef PIPE_GUARD_H
#define PIPE_GUARD_H

#include "base/timev.h"
#include "model/labels.h"

struct guard;

struct guard_options {
    uint32_t series_per_source_max; /* 0: LIMIT_SERIES_PER_SOURCE */
    uint32_t series_per_metric_max; /* 0: LIMIT_SERIES_PER_METRIC_AND_SOURCE */
    const struct clock *clock;
};

struct guard *guard_new(const struct guard_options *opt, struct err *err) MUST_USE;
void guard_free(struct guard *g);

/* A new series wants in. false: refused, err (may be NULL) says by which limit. */
bool guard_admit(struct guard *g, struct str source, struct labels ls, struct err *err);
/* An admitted series is gone. */
void guard_release(struct guard *g, struct str source, struct labels ls);
/* Counts samples of series that were refused before. */
void guard_count_refused(struct guard *g, struct str source, uint64_t samples);
/* Changes whenever the source gave a series back: something refused may fit now. */
uint64_t guard_epoch(struct guard *g, struct str source);

enum guard_limit { GUARD_LIMIT_SOURCE, GUARD_LIMIT_METRIC };
struct guard_hit {
    struct str source, metric,
        label; /* in the arena; label: the one with the most values, may be empty */
    enum guard_limit limit;
    uint32_t series_max, series; /* the limit and how many there are now */
    uint64_t refused_series;     /* since start; one that comes back each scrape counts each time */
    uint64_t refused_samples;
    int64_t last_ms; /* when one was last refused */
};
bool guard_hits(struct guard *g, struct arena *a, struct guard_hit **out, size_t *out_n,
                struct err *err) MUST_USE;

#endif
