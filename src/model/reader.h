/* reader.h - how query/ sees series: a small interface that the store (store/series), a store in
 * memory (tests, rules' unit tests) and later remote stores implement. All times in ms, ranges
 * closed [start_ms, end_ms] on both sides; the query decides about left-open rules itself.
 *
 * A set is a snapshot: what it shows does not change while it lives. One thread uses a set at a
 * time.
 */
#ifndef MODEL_READER_H
#define MODEL_READER_H

#include "base/arena.h"
#include "model/matcher.h"
#include "model/sample.h"

#include <stdatomic.h>

struct fhist; /* a native histogram sample (model/fhist.h, when it comes) */

/* What one series holds in a range, oldest first, timestamps strictly increasing. Columns, so that
 * range functions run over plain arrays; many series of one scrape share the same ts array (same
 * pointer). */
struct series_data {
    const int64_t *ts_ms;
    const double *value; /* stale markers included: sample_is_stale() */
    const struct fhist *const
        *hist; /* NULL: all floats. Else hist[i] != NULL where i is a histogram */
    size_t n;
};

struct reader_set;
struct reader_set_ops {
    /* Labels of series i (0 <= i < count), valid while the set lives. */
    struct labels (*labels)(struct reader_set *set, size_t i);
    /* Samples of series i in [start_ms, end_ms], which lies within the selected range. *out is
     * valid until the next read on this set. */
    bool (*read)(struct reader_set *set, size_t i, int64_t start_ms, int64_t end_ms,
                 struct series_data *out, struct err *err);
    void (*free)(struct reader_set *set);
};
struct reader_set {
    const struct reader_set_ops *ops;
    size_t count; /* series, sorted by labels_cmp */
};

struct reader_query {
    const struct matcher *matchers; /* all must match; at least one that does not match "" */
    size_t n_matchers;
    int64_t start_ms, end_ms;
    size_t series_max;            /* 0: no limit. More match: ERR_EXECUTION naming the limit */
    const _Atomic bool *canceled; /* may be NULL; checked now and then: ERR_CANCELED */
};

struct str_list { /* sorted, unique; bytes in the arena given to the call */
    struct str *v;
    size_t n;
};

struct reader_ops {
    /* The series that match and may have samples in the range. */
    bool (*select)(void *self, const struct reader_query *q, struct reader_set **out,
                   struct err *err);
    /* Label names / values of one label, over series that match (n_matchers 0: all). limit 0: none.
     */
    bool (*label_names)(void *self, const struct reader_query *q, size_t limit, struct arena *a,
                        struct str_list *out, struct err *err);
    bool (*label_values)(void *self, struct str name, const struct reader_query *q, size_t limit,
                         struct arena *a, struct str_list *out, struct err *err);
};
struct reader {
    const struct reader_ops *ops;
    void *self;
};

static inline void reader_set_free(struct reader_set *set) {
    if (set)
        set->ops->free(set);
}

#endif
