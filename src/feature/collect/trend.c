#include "feature/collect/trend.h"

#include <stdlib.h>
#include <string.h>

#define TREND_STEP_MS 10000

void trend_add(struct trend *t, int64_t t_ms, double value) {
    if (t->step_ms == 0)
        t->step_ms = TREND_STEP_MS;
    if (t->n && t_ms < t->t_ms[t->n - 1])
        t->n = 0; /* the clock was set back: what was kept has no meaning */
    if (t->n && t_ms - t->t_ms[t->n - 1] < t->step_ms)
        return;
    if (t->n == TREND_POINTS && t->step_ms * TREND_POINTS < TREND_WINDOW_MS) {
        for (size_t i = 0; i < TREND_POINTS / 2; i++) {
            t->t_ms[i] = t->t_ms[i * 2];
            t->v[i] = t->v[i * 2];
        }
        t->n = TREND_POINTS / 2;
        t->step_ms *= 2;
    } else if (t->n == TREND_POINTS) {
        memmove(t->t_ms, t->t_ms + 1, (TREND_POINTS - 1) * sizeof(t->t_ms[0]));
        memmove(t->v, t->v + 1, (TREND_POINTS - 1) * sizeof(t->v[0]));
        t->n--;
    }
    t->t_ms[t->n] = t_ms;
    t->v[t->n++] = value;
}

static int compare(const void *a, const void *b) {
    double x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

bool trend_slope(const struct trend *t, double *out_per_s) {
    if (t->n < TREND_EVIDENCE_POINTS || t->t_ms[t->n - 1] - t->t_ms[0] < TREND_EVIDENCE_MS)
        return false;
    double slopes[TREND_POINTS];
    size_t half = t->n / 2, n = 0;
    for (size_t i = 0; i + half < t->n; i++) {
        double s = (double)(t->t_ms[i + half] - t->t_ms[i]) / 1000.0;
        slopes[n++] = (t->v[i + half] - t->v[i]) / s;
    }
    qsort(slopes, n, sizeof(slopes[0]), compare);
    *out_per_s = n % 2 ? slopes[n / 2] : (slopes[n / 2 - 1] + slopes[n / 2]) / 2;
    return true;
}
