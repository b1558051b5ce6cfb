/* sample_limits.h - the limits a team may put on one source's samples (label_limit and its kin of
 * scrape_configs). 0: none. A breach is an error that names the limit, the label and the series; a
 * scrape then fails as a whole, as in Prometheus, because half a page misleads. Pure. */
#ifndef PIPE_SAMPLE_LIMITS_H
#define PIPE_SAMPLE_LIMITS_H

#include "model/labels.h"

struct sample_limits {
    uint64_t samples, labels, label_name_bytes, label_value_bytes;
};

/* ERR_TOO_LARGE. */
bool sample_limits_check(const struct sample_limits *l, struct labels ls, struct err *err) MUST_USE;
/* n: samples after relabelling. */
bool sample_limits_check_count(const struct sample_limits *l, uint64_t n, struct err *err) MUST_USE;

#endif
