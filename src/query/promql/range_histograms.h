/* range_histograms.h - what range functions make of native histograms. Inside the room only. All
 * return false when there is no result (or an error stands in c->ev). */
#ifndef PROMQL_RANGE_HISTOGRAMS_H
#define PROMQL_RANGE_HISTOGRAMS_H

#include "query/promql/eval.h"

bool pq_hist_rate(struct pq_range_call *c, bool counter,
                  struct fhist **out); /* before extrapolation */
bool pq_hist_instant(struct pq_range_call *c, const struct fhist *a, const struct fhist *b,
                     bool rate, double seconds, const struct fhist **out);
bool pq_hist_sum(struct pq_range_call *c, bool mean, const struct fhist **out);
bool pq_hist_own(struct pq_range_call *c, const struct fhist *h,
                 const struct fhist **out); /* a copy that lasts */

#endif
