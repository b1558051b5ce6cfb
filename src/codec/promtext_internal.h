/* promtext_internal.h - shared by the files of the exposition parser only. */
#ifndef CODEC_PROMTEXT_INTERNAL_H
#define CODEC_PROMTEXT_INTERNAL_H

#include "base/limits.h"
#include "codec/promtext.h"

/* What a value must satisfy where the layout of an OpenMetrics page is the same as last time. */
enum {
    PROMTEXT_CHECK_NONNEG = 1, /* not NaN, not negative */
    PROMTEXT_CHECK_NOT_NAN = 2,
    PROMTEXT_CHECK_ONE = 4, /* info */
    PROMTEXT_CHECK_BIT = 8, /* stateset: 0 or 1 */
    PROMTEXT_CHECK_INTEGER = 16,
    PROMTEXT_CHECK_GROUP = 32,         /* first sample of a histogram's group */
    PROMTEXT_CHECK_BUCKET = 64,        /* at least the bucket before */
    PROMTEXT_CHECK_COUNT = 128,        /* equals the +Inf bucket of the group */
    PROMTEXT_CHECK_NOT_NEGATIVE = 256, /* NaN is fine */
    PROMTEXT_CHECK_AGAIN = 512         /* rules that only the whole parse can check */
};

/* Names and labels of one series text, as written (empty values kept). */
struct promtext_parsed {
    struct str name; /* {NULL,0}: none */
    struct label l[LIMIT_LABELS_PER_SERIES];
    uint32_t n;
};
/* strict: OpenMetrics. On false *out_at is where and the return's reason is in *out_why. */
bool promtext_parse_series(struct str series, bool strict, struct arena *a,
                           struct promtext_parsed *out, const char **out_at, const char **out_why);
bool promtext_fail(const struct promtext *p, const char *at, struct err *err, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Reads "value[ timestamp][ # exemplar]\n" at *pp; moves *pp behind the line. item may lack its
 * labels. */
bool promtext_read_value(struct promtext *p, const char **pp, struct promtext_item *out,
                         struct err *err);
/* The number at *pp, ended by blank or line end, when the exact fast path applies. */
bool promtext_fast_number(const char **pp, const char *end, double *out);

/* Why a value breaks the checks that need no neighbour; NULL: it does not. */
const char *promtext_value_fault(uint16_t check, double v);

/* OpenMetrics state over a whole page. */
struct promtext_om *promtext_om_new(struct arena *a);
bool promtext_om_meta(struct promtext *p, const struct promtext_item *it, const char *at,
                      struct err *err);
bool promtext_om_sample(struct promtext *p, struct promtext_item *it, struct err *err);
bool promtext_om_end(struct promtext *p, struct err *err);

#endif
