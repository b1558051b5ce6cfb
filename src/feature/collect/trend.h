/* trend.h - how fast something grows, robustly: the median of slopes between points half a window
 * apart (a sparse Theil-Sen estimator), so that a log rotation or one big copy does not decide.
 * Keeps at most TREND_POINTS points over at most TREND_WINDOW_MS: when full, every second one goes
 * and the step doubles.
 */
#ifndef COLLECT_TREND_H
#define COLLECT_TREND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREND_POINTS 128
#define TREND_WINDOW_MS ((int64_t)24 * 3600 * 1000)
#define TREND_EVIDENCE_MS ((int64_t)10 * 60 * 1000) /* less past than this says nothing */
#define TREND_EVIDENCE_POINTS 20

struct trend {
    int64_t t_ms[TREND_POINTS];
    double v[TREND_POINTS];
    size_t n;
    int64_t step_ms; /* 0: TREND_STEP_MS */
};

void trend_add(struct trend *t, int64_t t_ms,
               double value); /* points closer than the step are skipped */
/* Units per second. false: too little past. */
bool trend_slope(const struct trend *t, double *out_per_s);

#endif
