/* What each range function makes of one window of floats; histograms are in range_histograms.c. */
#include "query/promql/range_histograms.h"

static const struct str none;

static bool note_metric(struct pq_range_call *c, enum pq_note note,
                        const struct promql_expr *where) {
    return pq_note(c->ev, note, where, c->metric, none, none);
}

static const struct promql_expr *first_arg(const struct pq_range_call *c) {
    return c->e->u.call.args[0];
}

/* rate, increase, delta */

static void edges(const struct pq_range_call *c, size_t *out_first, size_t *out_last) {
    size_t last = c->n - 1, first = 0;
    while (first < last && c->ts[first] <= c->range_start)
        first++;
    *out_first = first ? first - 1 : 0;
    if (c->smoothed) {
        size_t k = 0;
        while (k < last && c->ts[k] < c->range_end)
            k++;
        last = k;
    }
    *out_last = last;
}

static double interpolate(int64_t t1, double y1, int64_t t2, double y2, int64_t t, bool counter,
                          bool left) {
    if (counter && y2 < y1) {
        if (left)
            y1 = 0;
        else
            y2 += y1;
    }
    return y1 + (y2 - y1) * (double)(t - t1) / (double)(t2 - t1);
}

static double left_value(const int64_t *ts, const double *v, size_t first, int64_t start,
                         bool smoothed, bool counter) {
    if (smoothed && ts[first] < start)
        return interpolate(ts[first], v[first], ts[first + 1], v[first + 1], start, counter, true);
    return v[first];
}

static double right_value(const int64_t *ts, const double *v, size_t last, int64_t end,
                          bool smoothed, bool counter) {
    if (smoothed && last > 0 && ts[last] > end)
        return interpolate(ts[last - 1], v[last - 1], ts[last], v[last], end, counter, false);
    return v[last];
}

/* With anchored or smoothed the value is known (or interpolated) at both ends of the range. */
static bool extended_rate(struct pq_range_call *c, bool counter, bool per_second, double *out) {
    size_t first, last;
    if (c->n == 0)
        return false;
    edges(c, &first, &last);
    if (c->ts[last] <= c->range_start)
        return false;
    if (first == last && c->smoothed && c->ts[first] < c->range_start)
        return false;
    double left = left_value(c->ts, c->v, first, c->range_start, c->smoothed, counter);
    double right = right_value(c->ts, c->v, last, c->range_end, c->smoothed, counter);
    double result = right - left;
    if (counter) {
        size_t from = c->ts[first] <= c->range_start ? first + 1 : first;
        size_t to = c->ts[last] >= c->range_end ? last : last + 1;
        double correction = 0, prev = left;
        for (size_t i = from; i < to; i++) {
            if (c->v[i] < prev)
                correction += prev;
            prev = c->v[i];
        }
        if (right < prev)
            correction += prev;
        result += correction;
    }
    *out = per_second ? result / ((double)c->range_ms / 1000) : result;
    return true;
}

bool pq_extend(struct pq_ev *ev, const struct pq_samples *s, int64_t mint, int64_t maxt,
               bool smoothed, struct pq_samples *out) {
    struct pq_range_call c = {.ts = s->ts,
                              .v = s->v,
                              .n = s->n,
                              .range_start = mint,
                              .range_end = maxt,
                              .smoothed = smoothed};
    size_t first, last;
    *out = (struct pq_samples){0};
    edges(&c, &first, &last);
    if (s->ts[last] <= mint)
        return true;
    int64_t *ts = arena_alloc(ev->arena, (s->n + 2) * sizeof(*ts));
    double *v = arena_alloc(ev->arena, (s->n + 2) * sizeof(*v));
    if (!ts || !v)
        return pq_no_memory(ev);
    size_t n = 0;
    ts[n] = mint;
    v[n++] = left_value(s->ts, s->v, first, mint, smoothed && first < last, false);
    size_t from = s->ts[first] <= mint ? first + 1 : first,
           to = s->ts[last] >= maxt ? last : last + 1;
    for (size_t i = from; i < to; i++) {
        ts[n] = s->ts[i];
        v[n++] = s->v[i];
    }
    ts[n] = maxt;
    v[n++] = right_value(s->ts, s->v, last, maxt, smoothed, false);
    *out = (struct pq_samples){.ts = ts, .v = v, .n = n};
    return true;
}

/* How much of the range the samples stand for: up to its ends when they are about one interval
 * away, else half an interval beyond the outermost samples; a counter is not taken below zero. */
static double extrapolation(const struct pq_range_call *c, int64_t first_ts, int64_t last_ts,
                            size_t n, bool counter, double first_value, double increase) {
    double to_start = (double)(first_ts - c->range_start) / 1000,
           to_end = (double)(c->range_end - last_ts) / 1000;
    double sampled = (double)(last_ts - first_ts) / 1000, average = sampled / (double)(n - 1);
    double threshold = average * 1.1;
    if (to_start >= threshold)
        to_start = average / 2;
    if (counter && increase > 0 && first_value >= 0) {
        double to_zero = sampled * (first_value / increase);
        if (to_zero < to_start)
            to_start = to_zero;
    }
    if (to_end >= threshold)
        to_end = average / 2;
    return (sampled + to_start + to_end) / sampled;
}

static bool extrapolated(struct pq_range_call *c, bool counter, bool per_second, double *out,
                         const struct fhist **out_hist) {
    if (c->anchored || c->smoothed)
        return extended_rate(c, counter, per_second, out);
    if (c->n && c->n_hist) {
        note_metric(c, PQ_NOTE_MIXED_FLOAT_HIST, first_arg(c));
        return false;
    }
    double seconds = (double)c->range_ms / 1000;
    if (c->n_hist > 1) {
        struct fhist *h;
        if (!pq_hist_rate(c, counter, &h))
            return false;
        double first = c->hist[0]->count, increase = h->count;
        double factor = extrapolation(c, c->hist_ts[0], c->hist_ts[c->n_hist - 1], c->n_hist,
                                      counter, first, increase);
        fhist_scale(h, per_second ? factor / seconds : factor);
        *out_hist = h;
        return true;
    }
    if (c->n < 2)
        return false;
    double increase = c->v[c->n - 1] - c->v[0];
    if (counter)
        for (size_t k = 0; k < c->n_resets && c->resets[k] < c->base + c->n; k++)
            increase += c->v[c->resets[k] - 1 - c->base];
    double factor = extrapolation(c, c->ts[0], c->ts[c->n - 1], c->n, counter, c->v[0], increase);
    if (per_second)
        factor /= seconds;
    *out = increase * factor;
    return true;
}

static bool fn_rate(struct pq_range_call *c, double *out, const struct fhist **h) {
    return extrapolated(c, true, true, out, h);
}
static bool fn_increase(struct pq_range_call *c, double *out, const struct fhist **h) {
    return extrapolated(c, true, false, out, h);
}
static bool fn_delta(struct pq_range_call *c, double *out, const struct fhist **h) {
    return extrapolated(c, false, false, out, h);
}

/* irate, idelta: the last two samples, of either kind */

static bool instant_value(struct pq_range_call *c, bool rate, double *out,
                          const struct fhist **out_hist) {
    if (c->n + c->n_hist < 2)
        return false;
    size_t i = c->n, k = c->n_hist;
    int64_t ts[2];
    const struct fhist *h[2] = {NULL, NULL};
    double v[2] = {0, 0};
    for (int at = 1; at >= 0; at--) {
        if (k == 0 || (i > 0 && c->ts[i - 1] > c->hist_ts[k - 1])) {
            i--;
            ts[at] = c->ts[i];
            v[at] = c->v[i];
        } else {
            k--;
            ts[at] = c->hist_ts[k];
            h[at] = c->hist[k];
        }
    }
    if (ts[1] == ts[0])
        return false;
    double seconds = (double)(ts[1] - ts[0]) / 1000;
    if (!h[0] != !h[1]) {
        note_metric(c, PQ_NOTE_MIXED_FLOAT_HIST, first_arg(c));
        return false;
    }
    if (h[0])
        return pq_hist_instant(c, h[0], h[1], rate, seconds, out_hist);
    *out = rate && v[1] < v[0] ? v[1] : v[1] - v[0];
    if (rate)
        *out /= seconds;
    return true;
}

static bool fn_irate(struct pq_range_call *c, double *out, const struct fhist **h) {
    return instant_value(c, true, out, h);
}
static bool fn_idelta(struct pq_range_call *c, double *out, const struct fhist **h) {
    return instant_value(c, false, out, h);
}

/* Floats in a range with histograms: the histograms are left out, and that is told. */
static void ignore_hists(struct pq_range_call *c) {
    if (c->n_hist)
        note_metric(c, PQ_NOTE_HIST_IGNORED_RANGE, first_arg(c));
}

static bool fn_smoothing(struct pq_range_call *c, double *out, const struct fhist **h) {
    (void)h;
    double sf = c->param[0], tf = c->param[1];
    if (sf <= 0 || sf >= 1)
        return pq_failf(c->ev, "invalid smoothing factor. Expected: 0 < sf < 1, got: %f", sf);
    if (tf <= 0 || tf >= 1)
        return pq_failf(c->ev, "invalid trend factor. Expected: 0 < tf < 1, got: %f", tf);
    if (c->n)
        ignore_hists(c);
    if (c->n < 2)
        return false;
    double s0 = 0, s1 = c->v[0], b = c->v[1] - c->v[0];
    for (size_t i = 1; i < c->n; i++) {
        double x = sf * c->v[i];
        if (i > 1)
            b = tf * (s1 - s0) + (1 - tf) * b;
        double y = (1 - sf) * (s1 + b);
        s0 = s1;
        s1 = x + y;
    }
    *out = s1;
    return true;
}

/* Sums and means */

static bool mixed(struct pq_range_call *c) {
    if (c->n == 0 || c->n_hist == 0)
        return false;
    note_metric(c, PQ_NOTE_MIXED_FLOAT_HIST, first_arg(c));
    return true;
}

static bool fn_sum(struct pq_range_call *c, double *out, const struct fhist **h) {
    if (mixed(c))
        return false;
    if (c->n == 0)
        return pq_hist_sum(c, false, h);
    struct pq_kahan k = {0, 0};
    for (size_t i = 0; i < c->n; i++)
        pq_kahan_add(&k, c->v[i]);
    *out = isinf(k.sum) ? k.sum : k.sum + k.c;
    return true;
}

/* The plain mean, as long as the sum does not overflow; the incremental one from there. */
static bool fn_avg(struct pq_range_call *c, double *out, const struct fhist **h) {
    if (mixed(c))
        return false;
    if (c->n == 0)
        return pq_hist_sum(c, true, h);
    struct pq_kahan sum = {c->v[0], 0}, mean = {0, 0};
    bool incremental = false;
    for (size_t i = 1; i < c->n; i++) {
        double count = (double)i + 1;
        if (!incremental) {
            struct pq_kahan next = sum;
            pq_kahan_add(&next, c->v[i]);
            if (!isinf(next.sum)) {
                sum = next;
                continue;
            }
            incremental = true;
            mean = (struct pq_kahan){sum.sum / (count - 1), sum.c / (count - 1)};
        }
        double q = (count - 1) / count;
        mean.sum *= q;
        mean.c *= q;
        pq_kahan_add(&mean, c->v[i] / count);
    }
    double n = (double)c->n;
    *out = incremental ? mean.sum + mean.c : sum.sum / n + sum.c / n;
    return true;
}

static bool variance(struct pq_range_call *c, double *out) {
    if (c->n == 0)
        return false;
    ignore_hists(c);
    struct pq_kahan mean = {0, 0}, aux = {0, 0};
    for (size_t i = 0; i < c->n; i++) {
        double delta = c->v[i] - (mean.sum + mean.c);
        pq_kahan_add(&mean, delta / ((double)i + 1));
        pq_kahan_add(&aux, delta * (c->v[i] - (mean.sum + mean.c)));
    }
    *out = (aux.sum + aux.c) / (double)c->n;
    return true;
}

static bool fn_stdvar(struct pq_range_call *c, double *out, const struct fhist **h) {
    (void)h;
    return variance(c, out);
}
static bool fn_stddev(struct pq_range_call *c, double *out, const struct fhist **h) {
    (void)h;
    if (!variance(c, out))
        return false;
    *out = sqrt(*out);
    return true;
}

static bool fn_count(struct pq_range_call *c, double *out, const struct fhist **h) {
    (void)h;
    *out = (double)(c->n + c->n_hist);
    return true;
}

static bool fn_present(struct pq_range_call *c, double *out, const struct fhist **h) {
    (void)c, (void)h;
    *out = 1;
    return true;
}

/* Extremes */

static bool extreme(struct pq_range_call *c, int sign, bool last_wins, size_t *out) {
    if (c->n == 0)
        return false;
    ignore_hists(c);
    size_t best = 0;
    for (size_t i = 0; i < c->n; i++) {
        double v = sign * c->v[i], b = sign * c->v[best];
        if (v > b || (last_wins && v == b) || isnan(b))
            best = i;
    }
    *out = best;
    return true;
}

static bool fn_max(struct pq_range_call *c, double *out, const struct fhist **h) {
    size_t at;
    (void)h;
    if (!extreme(c, 1, false, &at))
        return false;
    *out = c->v[at];
    return true;
}
static bool fn_min(struct pq_range_call *c, double *out, const struct fhist **h) {
    size_t at;
    (void)h;
    if (!extreme(c, -1, false, &at))
        return false;
    *out = c->v[at];
    return true;
}
static bool fn_ts_of_max(struct pq_range_call *c, double *out, const struct fhist **h) {
    size_t at;
    (void)h;
    if (!extreme(c, 1, true, &at))
        return false;
    *out = (double)c->ts[at] / 1000;
    return true;
}
static bool fn_ts_of_min(struct pq_range_call *c, double *out, const struct fhist **h) {
    size_t at;
    (void)h;
    if (!extreme(c, -1, true, &at))
        return false;
    *out = (double)c->ts[at] / 1000;
    return true;
}

static bool fn_first(struct pq_range_call *c, double *out, const struct fhist **h) {
    if (c->n_hist && !(c->n && c->ts[0] < c->hist_ts[0]))
        return pq_hist_own(c, c->hist[0], h);
    *out = c->v[0];
    return true;
}
static bool fn_last(struct pq_range_call *c, double *out, const struct fhist **h) {
    if (c->n_hist && !(c->n && c->hist_ts[c->n_hist - 1] < c->ts[c->n - 1]))
        return pq_hist_own(c, c->hist[c->n_hist - 1], h);
    *out = c->v[c->n - 1];
    return true;
}
static bool fn_ts_of_first(struct pq_range_call *c, double *out, const struct fhist **h) {
    (void)h;
    bool use_hist = c->n == 0 || (c->n_hist && c->hist_ts[0] < c->ts[0]);
    *out = (double)(use_hist ? c->hist_ts[0] : c->ts[0]) / 1000;
    return true;
}
static bool fn_ts_of_last(struct pq_range_call *c, double *out, const struct fhist **h) {
    (void)h;
    bool use_hist = c->n == 0 || (c->n_hist && c->hist_ts[c->n_hist - 1] > c->ts[c->n - 1]);
    *out = (double)(use_hist ? c->hist_ts[c->n_hist - 1] : c->ts[c->n - 1]) / 1000;
    return true;
}

/* Quantiles */

static double *sort_room(struct pq_range_call *c) {
    if (c->sorted_cap < c->n) {
        c->sorted_cap = c->n * 2;
        c->sorted = arena_alloc(c->ev->scratch, c->sorted_cap * sizeof(*c->sorted));
        if (!c->sorted)
            pq_no_memory(c->ev);
    }
    return c->sorted;
}

static bool fn_quantile(struct pq_range_call *c, double *out, const struct fhist **h) {
    double q = c->param[0];
    (void)h;
    if (c->n == 0)
        return false;
    if (!(q >= 0 && q <= 1) && !pq_note_number(c->ev, PQ_NOTE_QUANTILE, first_arg(c), q, 0))
        return false;
    ignore_hists(c);
    double *v = sort_room(c);
    if (!v)
        return false;
    memcpy(v, c->v, c->n * sizeof(*v));
    *out = pq_quantile(q, v, c->n);
    return true;
}

static bool fn_mad(struct pq_range_call *c, double *out, const struct fhist **h) {
    (void)h;
    if (c->n == 0)
        return false;
    ignore_hists(c);
    double *v = sort_room(c);
    if (!v)
        return false;
    memcpy(v, c->v, c->n * sizeof(*v));
    double median = pq_quantile(0.5, v, c->n);
    for (size_t i = 0; i < c->n; i++)
        v[i] = fabs(c->v[i] - median);
    *out = pq_quantile(0.5, v, c->n);
    return true;
}

/* Regression */

static void regression(const struct pq_range_call *c, int64_t at, double *slope,
                       double *intercept) {
    struct pq_kahan x = {0, 0}, y = {0, 0}, xy = {0, 0}, x2 = {0, 0};
    bool constant = true;
    for (size_t i = 0; i < c->n; i++) {
        if (c->v[i] != c->v[0])
            constant = constant && i == 0;
        double t = (double)(c->ts[i] - at) / 1e3;
        pq_kahan_add(&x, t);
        pq_kahan_add(&y, c->v[i]);
        pq_kahan_add(&xy, t * c->v[i]);
        pq_kahan_add(&x2, t * t);
    }
    if (constant) {
        *slope = isinf(c->v[0]) ? sample_nan() : 0;
        *intercept = isinf(c->v[0]) ? sample_nan() : c->v[0];
        return;
    }
    double n = (double)c->n, sx = x.sum + x.c, sy = y.sum + y.c, sxy = xy.sum + xy.c,
           sx2 = x2.sum + x2.c;
    *slope = (sxy - sx * sy / n) / (sx2 - sx * sx / n);
    *intercept = sy / n - *slope * sx / n;
}

static bool fn_deriv(struct pq_range_call *c, double *out, const struct fhist **h) {
    double intercept;
    (void)h;
    if (c->n)
        ignore_hists(c);
    if (c->n < 2)
        return false;
    regression(c, c->ts[0], out, &intercept);
    return true;
}

static bool fn_predict(struct pq_range_call *c, double *out, const struct fhist **h) {
    double slope, intercept;
    (void)h;
    if (c->n)
        ignore_hists(c);
    if (c->n < 2)
        return false;
    regression(c, c->step_ts, &slope, &intercept);
    *out = slope * c->param[0] + intercept;
    return true;
}

/* changes, resets: over floats and histograms in order of time */

static bool anchored_begin(struct pq_range_call *c, size_t *out) {
    size_t last;
    *out = 0;
    if (!c->anchored)
        return true;
    if (c->n == 0 || c->ts[c->n - 1] <= c->range_start)
        return false;
    edges(c, out, &last);
    return true;
}

static bool count_between(struct pq_range_call *c,
                          bool (*differ)(struct pq_range_call *, double, const struct fhist *,
                                         double, const struct fhist *),
                          double *out) {
    size_t i, k = 0, count = 0;
    if (!anchored_begin(c, &i))
        return false;
    double prev = 0;
    const struct fhist *prev_hist = NULL;
    bool any = false;
    while (i < c->n || k < c->n_hist) {
        double v = 0;
        const struct fhist *h = NULL;
        if (k == c->n_hist || (i < c->n && c->ts[i] < c->hist_ts[k]))
            v = c->v[i++];
        else
            h = c->hist[k++];
        if (any && (!h != !prev_hist || differ(c, prev, prev_hist, v, h)))
            count++;
        any = true;
        prev = v;
        prev_hist = h;
    }
    *out = (double)count;
    return true;
}

static bool is_reset(struct pq_range_call *c, double a, const struct fhist *ha, double b,
                     const struct fhist *hb) {
    return hb ? fhist_detect_reset(c->ev->scratch, hb, ha) : b < a;
}
static bool is_change(struct pq_range_call *c, double a, const struct fhist *ha, double b,
                      const struct fhist *hb) {
    (void)c;
    return hb ? !fhist_equal(hb, ha) : b != a && !(isnan(a) && isnan(b));
}

static bool fn_resets(struct pq_range_call *c, double *out, const struct fhist **h) {
    (void)h;
    return count_between(c, is_reset, out);
}
static bool fn_changes(struct pq_range_call *c, double *out, const struct fhist **h) {
    (void)h;
    return count_between(c, is_change, out);
}

pq_range_fn pq_range_function(enum pq_fn id) {
    static const pq_range_fn table[PQ_FN_COUNT] = {
        [PQ_FN_rate] = fn_rate,
        [PQ_FN_increase] = fn_increase,
        [PQ_FN_delta] = fn_delta,
        [PQ_FN_irate] = fn_irate,
        [PQ_FN_idelta] = fn_idelta,
        [PQ_FN_double_exponential_smoothing] = fn_smoothing,
        [PQ_FN_sum_over_time] = fn_sum,
        [PQ_FN_avg_over_time] = fn_avg,
        [PQ_FN_stdvar_over_time] = fn_stdvar,
        [PQ_FN_stddev_over_time] = fn_stddev,
        [PQ_FN_count_over_time] = fn_count,
        [PQ_FN_present_over_time] = fn_present,
        [PQ_FN_absent_over_time] = fn_present,
        [PQ_FN_max_over_time] = fn_max,
        [PQ_FN_min_over_time] = fn_min,
        [PQ_FN_ts_of_max_over_time] = fn_ts_of_max,
        [PQ_FN_ts_of_min_over_time] = fn_ts_of_min,
        [PQ_FN_ts_of_first_over_time] = fn_ts_of_first,
        [PQ_FN_ts_of_last_over_time] = fn_ts_of_last,
        [PQ_FN_first_over_time] = fn_first,
        [PQ_FN_last_over_time] = fn_last,
        [PQ_FN_quantile_over_time] = fn_quantile,
        [PQ_FN_mad_over_time] = fn_mad,
        [PQ_FN_deriv] = fn_deriv,
        [PQ_FN_predict_linear] = fn_predict,
        [PQ_FN_resets] = fn_resets,
        [PQ_FN_changes] = fn_changes,
    };
    return table[id];
}
