#include "query/promql/eval.h"

#include <stdlib.h>

/* Neumaier's variant of Kahan summation. Never inlined, so that the compiler cannot reorder it
 * away. */
__attribute__((noinline)) void pq_kahan_add(struct pq_kahan *k, double v) {
    double t = k->sum + v;
    if (isinf(t))
        k->c = 0;
    else if (fabs(k->sum) >= fabs(v))
        k->c += (k->sum - t) + v;
    else
        k->c += (v - t) + k->sum;
    k->sum = t;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    bool nx = isnan(x), ny = isnan(y);
    if (nx || ny)
        return (int)ny - (int)nx; /* NaN first */
    return x < y ? -1 : x > y;
}

double pq_quantile(double q, double *v, size_t n) {
    if (n == 0 || isnan(q))
        return sample_nan();
    if (q < 0)
        return -HUGE_VAL;
    if (q > 1)
        return HUGE_VAL;
    qsort(v, n, sizeof(*v), by_value);
    double rank = q * (double)(n - 1), low = floor(rank);
    size_t lower = low > 0 ? (size_t)low : 0;
    size_t upper = lower + 1 < n ? lower + 1 : n - 1;
    double weight = rank - low;
    return v[lower] * (1 - weight) + v[upper] * weight;
}

double pq_max(double a, double b) {
    if (isnan(a) || isnan(b))
        return isinf(a) && a > 0 ? a : isinf(b) && b > 0 ? b : sample_nan();
    return a > b ? a : b;
}

double pq_min(double a, double b) {
    if (isnan(a) || isnan(b))
        return isinf(a) && a < 0 ? a : isinf(b) && b < 0 ? b : sample_nan();
    return a < b ? a : b;
}
