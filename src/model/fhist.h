/* fhist.h - a native histogram sample with float counts (Prometheus's FloatHistogram): exponential
 * buckets (schema -4..8: every power of two is cut into 2^schema buckets) or custom ones (schema
 * -53: `custom` holds the upper bounds, the last bucket ends at +Inf).
 *
 * Buckets are kept as parallel arrays of index and count, ascending by index, in place of spans:
 * merging is then one pass over two sorted lists, and two layouts are equal exactly when the index
 * arrays are. Immutable once shared. Functions that make one allocate from the arena given. Source:
 * https://prometheus.io/docs/specs/native_histograms/
 */
#ifndef MODEL_FHIST_H
#define MODEL_FHIST_H

#include "base/arena.h"
#include "base/buf.h"

enum fhist_hint { FHIST_UNKNOWN, FHIST_RESET, FHIST_NOT_RESET, FHIST_GAUGE };

#define FHIST_CUSTOM_SCHEMA (-53)
#define FHIST_SCHEMA_MIN (-4)
#define FHIST_SCHEMA_MAX 8

struct fhist_side {
    int32_t *index; /* ascending */
    double *count;
    uint32_t n;
};

struct fhist {
    enum fhist_hint hint; /* what is known about a counter reset before this sample */
    int32_t schema;
    double zero_threshold, zero_count;
    double count, sum; /* sum is the stale marker's place, too */
    struct fhist_side positive, negative;
    const double *custom; /* upper bounds, ascending; shared, never written */
    uint32_t n_custom;
};

struct fhist_bucket {
    double lower, upper, count;
    bool lower_inclusive, upper_inclusive;
};

static inline bool fhist_is_custom(const struct fhist *h) {
    return h->schema == FHIST_CUSTOM_SCHEMA;
}

struct fhist *fhist_copy(struct arena *a,
                         const struct fhist *h);    /* deep, bounds included; NULL past the cap */
void fhist_scale(struct fhist *h, double factor);   /* in place; a negative factor makes a gauge */
void fhist_divide(struct fhist *h, double divisor); /* in place; by zero: no buckets are left */
void fhist_compact(struct fhist *h);                /* in place: drops empty buckets */
bool fhist_equal(const struct fhist *a, const struct fhist *b); /* same layout, same bits */

enum fhist_result { FHIST_OK, FHIST_INCOMPATIBLE, FHIST_NO_MEMORY };
/* a += b, or a -= b with `subtract`; zero buckets and schemas are reconciled. *collision: one says
 * reset, the other no reset; *reconciled: custom bounds differed and were cut to the common ones.
 * Both may be NULL. FHIST_INCOMPATIBLE: one has custom, the other exponential buckets; a is
 * untouched. */
enum fhist_result fhist_add(struct arena *m, struct fhist *a, const struct fhist *b, bool subtract,
                            bool *collision, bool *reconciled) MUST_USE;
/* A copy with a schema of at most h's. */
struct fhist *fhist_to_schema(struct arena *a, const struct fhist *h, int32_t schema);
/* Whether a counter was reset between previous and h. Memory runs out: true. */
bool fhist_detect_reset(struct arena *scratch, const struct fhist *h, const struct fhist *previous);

/* All buckets, ascending, the zero bucket (when populated) in its place. NULL with *out_n 0 when
 * there are none. */
struct fhist_bucket *fhist_buckets(struct arena *a, const struct fhist *h, size_t *out_n);
/* Upper bound of a bucket of the positive side. */
double fhist_bound(const struct fhist *h, int32_t index);
/* {count:3, sum:4, (1,2]:3}, as Prometheus prints. */
void fhist_format(struct buf *b, const struct fhist *h);
/* How many float samples it counts as against a query's sample limit (16 bytes each). */
size_t fhist_weight(const struct fhist *h);

#endif
