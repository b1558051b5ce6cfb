#include "model/fhist.h"

#include "model/sample.h"

#include <assert.h>
#include <float.h>
#include <math.h>

static bool side_new(struct arena *a, uint32_t n, struct fhist_side *out) {
    int32_t *index = arena_alloc(a, n * sizeof(*index));
    double *count = arena_alloc(a, n * sizeof(*count));
    if (!index || !count)
        return false;
    *out = (struct fhist_side){index, count, n};
    return true;
}

static bool side_copy(struct arena *a, const struct fhist_side *s, struct fhist_side *out) {
    if (!side_new(a, s->n, out))
        return false;
    if (s->n) {
        memcpy(out->index, s->index, s->n * sizeof(*s->index));
        memcpy(out->count, s->count, s->n * sizeof(*s->count));
    }
    return true;
}

struct fhist *fhist_copy(struct arena *a, const struct fhist *h) {
    struct fhist *c = arena_alloc(a, sizeof(*c));
    if (!c)
        return NULL;
    *c = *h;
    if (!side_copy(a, &h->positive, &c->positive) || !side_copy(a, &h->negative, &c->negative))
        return NULL;
    if (h->n_custom) {
        double *custom = arena_alloc(a, h->n_custom * sizeof(*custom));
        if (!custom)
            return NULL;
        memcpy(custom, h->custom, h->n_custom * sizeof(*custom));
        c->custom = custom;
    }
    return c;
}

void fhist_scale(struct fhist *h, double factor) {
    h->zero_count *= factor;
    h->count *= factor;
    h->sum *= factor;
    for (uint32_t i = 0; i < h->positive.n; i++)
        h->positive.count[i] *= factor;
    for (uint32_t i = 0; i < h->negative.n; i++)
        h->negative.count[i] *= factor;
    if (factor < 0)
        h->hint = FHIST_GAUGE;
}

void fhist_divide(struct fhist *h, double divisor) {
    h->zero_count /= divisor;
    h->count /= divisor;
    h->sum /= divisor;
    if (divisor == 0) {
        h->positive.n = h->negative.n = 0;
        return;
    }
    for (uint32_t i = 0; i < h->positive.n; i++)
        h->positive.count[i] /= divisor;
    for (uint32_t i = 0; i < h->negative.n; i++)
        h->negative.count[i] /= divisor;
    if (divisor < 0)
        h->hint = FHIST_GAUGE;
}

static void side_compact(struct fhist_side *s) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->count[i] != 0) {
            s->index[n] = s->index[i];
            s->count[n++] = s->count[i];
        }
    s->n = n;
}

void fhist_compact(struct fhist *h) {
    side_compact(&h->positive);
    side_compact(&h->negative);
}

static bool side_equal(const struct fhist_side *a, const struct fhist_side *b) {
    return a->n == b->n &&
           (a->n == 0 || (memcmp(a->index, b->index, a->n * sizeof(*a->index)) == 0 &&
                          memcmp(a->count, b->count, a->n * sizeof(*a->count)) == 0));
}

static bool bounds_equal(const struct fhist *a, const struct fhist *b) {
    if (a->n_custom != b->n_custom)
        return false;
    for (uint32_t i = 0; i < a->n_custom; i++)
        if (!(a->custom[i] == b->custom[i]))
            return false;
    return true;
}

bool fhist_equal(const struct fhist *a, const struct fhist *b) {
    if (a->schema != b->schema || sample_bits(a->count) != sample_bits(b->count) ||
        sample_bits(a->sum) != sample_bits(b->sum))
        return false;
    if (fhist_is_custom(a) && !bounds_equal(a, b))
        return false;
    return a->zero_threshold == b->zero_threshold &&
           sample_bits(a->zero_count) == sample_bits(b->zero_count) &&
           side_equal(&a->negative, &b->negative) && side_equal(&a->positive, &b->positive);
}

/* Bounds. The last bucket of regular numbers ends at DBL_MAX, so that +-Inf has one of its own. */
static double exponential_bound(int32_t index, int32_t schema) {
    if (schema < 0) {
        int64_t e = (int64_t)index * ((int64_t)1 << -schema);
        return e == 1024 ? DBL_MAX : ldexp(1, e > 4096 ? 4096 : e < -4096 ? -4096 : (int)e);
    }
    int32_t per = 1 << schema, part = index & (per - 1);
    int e = (index >> schema) + 1;
    double fraction = exp2((double)part / per) / 2;
    return part == 0 && e == 1025 ? DBL_MAX : ldexp(fraction, e);
}

double fhist_bound(const struct fhist *h, int32_t index) {
    if (!fhist_is_custom(h))
        return exponential_bound(index, h->schema);
    if (index < 0)
        return -HUGE_VAL;
    return (uint32_t)index >= h->n_custom ? HUGE_VAL : h->custom[index];
}

/* Resolution */

static int32_t reduced_index(int32_t index, int32_t by) {
    return ((index - 1) >> by) + 1;
}

static bool side_reduce(struct arena *a, const struct fhist_side *s, int32_t by,
                        struct fhist_side *out) {
    if (!side_new(a, s->n, out))
        return false;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        int32_t index = reduced_index(s->index[i], by);
        if (n && out->index[n - 1] == index) {
            out->count[n - 1] += s->count[i];
        } else {
            out->index[n] = index;
            out->count[n++] = s->count[i];
        }
    }
    out->n = n;
    return true;
}

struct fhist *fhist_to_schema(struct arena *a, const struct fhist *h, int32_t schema) {
    if (schema == h->schema)
        return fhist_copy(a, h);
    assert(!fhist_is_custom(h) && schema < h->schema && schema >= FHIST_SCHEMA_MIN);
    struct fhist *c = arena_alloc(a, sizeof(*c));
    if (!c)
        return NULL;
    *c = *h;
    c->hint = FHIST_UNKNOWN;
    c->schema = schema;
    if (!side_reduce(a, &h->positive, h->schema - schema, &c->positive) ||
        !side_reduce(a, &h->negative, h->schema - schema, &c->negative))
        return NULL;
    return c;
}

/* The zero bucket */

/* What the zero count would be with a threshold of at least `threshold`; a populated bucket that
 * the threshold would cut pushes it up to its end. */
static double zero_count_for(const struct fhist *h, double *threshold) {
    if (*threshold == h->zero_threshold)
        return h->zero_count;
    for (;;) {
        double count = h->zero_count;
        bool again = false;
        for (uint32_t i = 0; i < h->positive.n; i++) {
            if (fhist_bound(h, h->positive.index[i] - 1) >= *threshold)
                break;
            count += h->positive.count[i];
            double upper = fhist_bound(h, h->positive.index[i]);
            if (upper > *threshold) {
                if (h->positive.count[i] != 0)
                    *threshold = upper;
                break;
            }
        }
        for (uint32_t i = 0; i < h->negative.n && !again; i++) {
            if (fhist_bound(h, h->negative.index[i] - 1) >= *threshold)
                break;
            count += h->negative.count[i];
            double far = fhist_bound(h, h->negative.index[i]);
            if (far > *threshold) {
                if (h->negative.count[i] != 0) {
                    *threshold = far;
                    again = true; /* the positive side must be looked at again */
                }
                break;
            }
        }
        if (!again)
            return count;
    }
}

static void trim_side(const struct fhist *h, struct fhist_side *s) {
    uint32_t n = 0;
    bool inside = true;
    for (uint32_t i = 0; i < s->n; i++) {
        inside = inside && fhist_bound(h, s->index[i] - 1) < h->zero_threshold;
        if (inside || s->count[i] == 0)
            continue;
        s->index[n] = s->index[i];
        s->count[n++] = s->count[i];
    }
    s->n = n;
}

/* Gives both the same zero threshold; returns b's zero count under it. */
static double reconcile_zero(struct fhist *a, const struct fhist *b) {
    double count = b->zero_count, threshold = b->zero_threshold;
    while (threshold < a->zero_threshold || threshold > a->zero_threshold) { /* ends for NaN, too */
        if (a->zero_threshold > threshold) {
            threshold = a->zero_threshold;
            count = zero_count_for(b, &threshold);
        }
        if (threshold > a->zero_threshold) {
            double mine = threshold;
            a->zero_count = zero_count_for(a, &mine);
            a->zero_threshold = mine;
            trim_side(a, &a->positive);
            trim_side(a, &a->negative);
        }
    }
    return count;
}

/* Addition */

static bool adjust_hint(struct fhist *a, const struct fhist *b) {
    if (a->hint == b->hint || a->hint == FHIST_GAUGE)
        return false;
    if (b->hint == FHIST_GAUGE) {
        a->hint = FHIST_GAUGE;
        return false;
    }
    if (a->hint == FHIST_UNKNOWN)
        return false;
    bool collision = b->hint != FHIST_UNKNOWN;
    a->hint = FHIST_UNKNOWN;
    return collision;
}

/* a + sign * b, without b's buckets that end within the zero bucket. */
static bool side_add(struct arena *m, const struct fhist *h, struct fhist_side *a,
                     const struct fhist_side *b, double sign) {
    struct fhist_side out;
    if (!side_new(m, a->n + b->n, &out))
        return false;
    uint32_t i = 0, k = 0, n = 0;
    while (k < b->n && !fhist_is_custom(h) && fhist_bound(h, b->index[k]) <= h->zero_threshold)
        k++;
    while (i < a->n || k < b->n) {
        if (k == b->n || (i < a->n && a->index[i] < b->index[k])) {
            out.index[n] = a->index[i];
            out.count[n++] = a->count[i++];
        } else if (i == a->n || b->index[k] < a->index[i]) {
            out.index[n] = b->index[k];
            out.count[n++] = sign * b->count[k++];
        } else {
            out.index[n] = a->index[i];
            out.count[n++] = a->count[i++] + sign * b->count[k++];
        }
    }
    out.n = n;
    *a = out;
    return true;
}

static double *common_bounds(struct arena *m, const struct fhist *a, const struct fhist *b,
                             uint32_t *out_n) {
    uint32_t least = a->n_custom < b->n_custom ? a->n_custom : b->n_custom, n = 0;
    double *v = arena_alloc(m, least * sizeof(*v));
    for (uint32_t i = 0, k = 0; v && i < a->n_custom && k < b->n_custom;) {
        if (a->custom[i] == b->custom[k]) {
            v[n++] = a->custom[i];
            i++;
            k++;
        } else if (a->custom[i] < b->custom[k]) {
            i++;
        } else {
            k++;
        }
    }
    *out_n = n;
    return v;
}

/* Adds sign * the buckets of h to total[n + 1], one for each bound and one for the rest. */
static void map_to_bounds(const struct fhist *h, const double *bounds, uint32_t n, double sign,
                          double *total) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < h->positive.n; i++) {
        uint32_t target = n;
        int32_t index = h->positive.index[i];
        if (index >= 0 && (uint32_t)index < h->n_custom) {
            while (at < n && bounds[at] < h->custom[index])
                at++;
            target = at;
        }
        total[target] += sign * h->positive.count[i];
    }
}

static bool add_mismatched(struct arena *m, struct fhist *a, const struct fhist *b, double sign) {
    uint32_t n;
    double *bounds = common_bounds(m, a, b, &n);
    double *total = arena_array(m, n + 1, sizeof(*total));
    struct fhist_side out;
    if (!bounds || !total || !side_new(m, n + 1, &out))
        return false;
    map_to_bounds(a, bounds, n, 1, total);
    map_to_bounds(b, bounds, n, sign, total);
    out.n = 0;
    for (uint32_t i = 0; i <= n; i++)
        if (total[i] != 0) {
            out.index[out.n] = (int32_t)i;
            out.count[out.n++] = total[i];
        }
    a->positive = out;
    a->custom = bounds;
    a->n_custom = n;
    return true;
}

static enum fhist_result add_exponential(struct arena *m, struct fhist *a, const struct fhist *b,
                                         double sign) {
    struct fhist_side bp = b->positive, bn = b->negative;
    if (b->schema < a->schema) {
        struct fhist_side p, n;
        if (!side_reduce(m, &a->positive, a->schema - b->schema, &p) ||
            !side_reduce(m, &a->negative, a->schema - b->schema, &n))
            return FHIST_NO_MEMORY;
        a->positive = p;
        a->negative = n;
        a->schema = b->schema;
    } else if (b->schema > a->schema) {
        if (!side_reduce(m, &b->positive, b->schema - a->schema, &bp) ||
            !side_reduce(m, &b->negative, b->schema - a->schema, &bn))
            return FHIST_NO_MEMORY;
    }
    if (!side_add(m, a, &a->positive, &bp, sign) || !side_add(m, a, &a->negative, &bn, sign))
        return FHIST_NO_MEMORY;
    return FHIST_OK;
}

enum fhist_result fhist_add(struct arena *m, struct fhist *a, const struct fhist *b, bool subtract,
                            bool *collision, bool *reconciled) {
    if (fhist_is_custom(a) != fhist_is_custom(b))
        return FHIST_INCOMPATIBLE;
    double sign = subtract ? -1 : 1;
    bool collided = adjust_hint(a, b);
    if (collision)
        *collision = collided;
    if (reconciled)
        *reconciled = false;
    if (!fhist_is_custom(a)) {
        double zero = reconcile_zero(a, b);
        a->zero_count += sign * zero;
    }
    a->count += sign * b->count;
    a->sum += sign * b->sum;
    if (!fhist_is_custom(a))
        return add_exponential(m, a, b, sign);
    if (bounds_equal(a, b))
        return side_add(m, a, &a->positive, &b->positive, sign) ? FHIST_OK : FHIST_NO_MEMORY;
    if (reconciled)
        *reconciled = true;
    return add_mismatched(m, a, b, sign) ? FHIST_OK : FHIST_NO_MEMORY;
}

/* Counter resets */

static bool side_reset(const struct fhist *h, const struct fhist_side *cur,
                       const struct fhist_side *prev) {
    uint32_t i = 0, k = 0;
    if (!fhist_is_custom(h) && h->zero_threshold != 0) {
        while (i < cur->n && fhist_bound(h, cur->index[i]) <= h->zero_threshold)
            i++;
        while (k < prev->n && fhist_bound(h, prev->index[k]) <= h->zero_threshold)
            k++;
    }
    for (; k < prev->n; k++) {
        while (i < cur->n && cur->index[i] < prev->index[k])
            i++;
        if (i < cur->n && cur->index[i] == prev->index[k]) {
            if (cur->count[i] < prev->count[k])
                return true;
        } else if (prev->count[k] != 0) {
            return true;
        }
    }
    return false;
}

static bool reset_mismatched(struct arena *m, const struct fhist *h, const struct fhist *previous) {
    uint32_t n;
    double *bounds = common_bounds(m, h, previous, &n);
    double *cur = arena_array(m, n + 1, sizeof(*cur)), *prev = arena_array(m, n + 1, sizeof(*prev));
    if (!bounds || !cur || !prev)
        return true;
    map_to_bounds(h, bounds, n, 1, cur);
    map_to_bounds(previous, bounds, n, 1, prev);
    for (uint32_t i = 0; i <= n; i++)
        if (cur[i] < prev[i])
            return true;
    return false;
}

bool fhist_detect_reset(struct arena *m, const struct fhist *h, const struct fhist *previous) {
    if (h->hint == FHIST_RESET)
        return true;
    if (h->hint == FHIST_NOT_RESET)
        return false;
    if (h->count < previous->count)
        return true;
    if (fhist_is_custom(h)) {
        if (!fhist_is_custom(previous))
            return true;
        if (!bounds_equal(h, previous))
            return reset_mismatched(m, h, previous);
        return side_reset(h, &h->positive, &previous->positive);
    }
    if (fhist_is_custom(previous) || h->schema > previous->schema ||
        h->zero_threshold < previous->zero_threshold)
        return true;
    double threshold = h->zero_threshold;
    double zero = zero_count_for(previous, &threshold);
    if (threshold != h->zero_threshold || h->zero_count < zero)
        return true;
    struct fhist_side p = previous->positive, n = previous->negative;
    if (previous->schema != h->schema &&
        (!side_reduce(m, &previous->positive, previous->schema - h->schema, &p) ||
         !side_reduce(m, &previous->negative, previous->schema - h->schema, &n)))
        return true;
    return side_reset(h, &h->positive, &p) || side_reset(h, &h->negative, &n);
}

/* Looking at buckets */

static struct fhist_bucket positive_bucket(const struct fhist *h, uint32_t i) {
    struct fhist_bucket b = {.lower = fhist_bound(h, h->positive.index[i] - 1),
                             .upper = fhist_bound(h, h->positive.index[i]),
                             .count = h->positive.count[i]};
    if (fhist_is_custom(h)) {
        b.lower_inclusive = h->positive.index[i] == 0;
        b.upper_inclusive = true;
    } else {
        b.lower_inclusive = b.lower < 0;
        b.upper_inclusive = b.upper > 0;
    }
    return b;
}

static struct fhist_bucket negative_bucket(const struct fhist *h, uint32_t i) {
    struct fhist_bucket b = {.lower = -fhist_bound(h, h->negative.index[i]),
                             .upper = -fhist_bound(h, h->negative.index[i] - 1),
                             .count = h->negative.count[i]};
    b.lower_inclusive = b.lower < 0;
    b.upper_inclusive = b.upper > 0;
    return b;
}

struct fhist_bucket *fhist_buckets(struct arena *a, const struct fhist *h, size_t *out_n) {
    size_t n = 0;
    *out_n = 0;
    struct fhist_bucket *v =
        arena_alloc(a, ((size_t)h->positive.n + h->negative.n + 1) * sizeof(*v));
    if (!v)
        return NULL;
    for (uint32_t i = h->negative.n; i-- > 0;) {
        v[n] = negative_bucket(h, i);
        if (v[n].upper < 0 && v[n].upper > -h->zero_threshold)
            v[n].upper = -h->zero_threshold;
        n++;
    }
    if (h->zero_count > 0)
        v[n++] =
            (struct fhist_bucket){-h->zero_threshold, h->zero_threshold, h->zero_count, true, true};
    for (uint32_t i = 0; i < h->positive.n; i++) {
        v[n] = positive_bucket(h, i);
        if (v[n].lower > 0 && v[n].lower < h->zero_threshold)
            v[n].lower = h->zero_threshold;
        n++;
    }
    *out_n = n;
    return v;
}

static void put_bucket(struct buf *b, struct fhist_bucket k) {
    buf_putz(b, k.lower_inclusive ? ", [" : ", (");
    buf_f64_g(b, k.lower);
    buf_putc(b, ',');
    buf_f64_g(b, k.upper);
    buf_putz(b, k.upper_inclusive ? "]:" : "):");
    buf_f64_g(b, k.count);
}

void fhist_format(struct buf *b, const struct fhist *h) {
    buf_putz(b, "{count:");
    buf_f64_g(b, h->count);
    buf_putz(b, ", sum:");
    buf_f64_g(b, h->sum);
    for (uint32_t i = h->negative.n; i-- > 0;)
        if (h->negative.count[i] != 0)
            put_bucket(b, negative_bucket(h, i));
    if (h->zero_count != 0)
        put_bucket(b, (struct fhist_bucket){-h->zero_threshold, h->zero_threshold, h->zero_count,
                                            true, true});
    for (uint32_t i = 0; i < h->positive.n; i++)
        if (h->positive.count[i] != 0)
            put_bucket(b, positive_bucket(h, i));
    buf_putc(b, '}');
}

size_t fhist_weight(const struct fhist *h) {
    size_t bytes = 168 + 8 + (size_t)(h->positive.n + h->negative.n + h->n_custom) * 8 +
                   (h->positive.n ? 8 : 0) + (h->negative.n ? 8 : 0);
    return (bytes + 15) / 16;
}
