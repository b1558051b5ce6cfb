#include "store/series/valcodec.h"

#include "base/cur.h"

#include <assert.h>
#include <math.h>

enum { MINI = 128, ORDER_MASK = 3, ALL_EQUAL = 0x80, PATCHED = 0x80, PATCH_MAX = 8 };
enum { SHIFTED = 0x80, SHIFT_MIN = 3 }; /* a shift costs a byte */
enum mode { MODE_BITS = 1, MODE_DECIMAL = 2, MODE_SAME = 3, MODE_MAX = 3 };
enum { EXP_MAX = 14, PROBE = 16, PROBE_ODD_MAX = 6 };
#define MANTISSA_MAX 9007199254740992.0 /* 2^53: integers up to here are exact in a double */

static size_t put_varint(uint8_t *o, uint64_t v) {
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        o[n++] = (uint8_t)(v | 0x80);
    o[n++] = (uint8_t)v;
    return n;
}

static uint64_t zig(int64_t v) {
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static size_t put_zigzag(uint8_t *o, int64_t v) {
    return put_varint(o, zig(v));
}

static size_t varint_bytes(uint64_t v) {
    return v ? ((size_t)(64 - __builtin_clzll(v)) + 6) / 7 : 1;
}

/* 57..63 are stored as 64 so that a value never spans more than eight bytes of unaligned load. */
static unsigned width_of(uint64_t range) {
    unsigned w = range ? 64 - (unsigned)__builtin_clzll(range) : 0;
    return w > 56 ? 64 : w;
}

static int64_t sub_wrap(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a - (uint64_t)b);
}
static int64_t add_wrap(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* How a miniblock is written: residuals in [min, max] as w bits above min, the few outside as
 * patches. */
struct frame {
    int64_t min, max;
    unsigned w;
    size_t bytes; /* with its head */
    bool patched;
};

/* The PATCH_MAX + 1 least and greatest residuals, in order from the outside in. */
struct extremes {
    int64_t low[PATCH_MAX + 1], high[PATCH_MAX + 1];
};

static void find_extremes(const int64_t *r, size_t n, struct extremes *x) {
    for (int i = 0; i <= PATCH_MAX; i++) {
        x->low[i] = INT64_MAX;
        x->high[i] = INT64_MIN;
    }
    for (size_t i = 0; i < n; i++) {
        if (r[i] < x->low[PATCH_MAX]) {
            int k = PATCH_MAX;
            for (; k && x->low[k - 1] > r[i]; k--)
                x->low[k] = x->low[k - 1];
            x->low[k] = r[i];
        }
        if (r[i] > x->high[PATCH_MAX]) {
            int k = PATCH_MAX;
            for (; k && x->high[k - 1] < r[i]; k--)
                x->high[k] = x->high[k - 1];
            x->high[k] = r[i];
        }
    }
}

static size_t frame_bytes(int64_t min, unsigned w, size_t n) {
    return 1 + (w == 64 ? 0 : varint_bytes(zig(min))) + (n * w + 7) / 8;
}

static struct frame try_patches(const struct extremes *x, size_t n, struct frame best) {
    for (int lo = 0; lo <= PATCH_MAX; lo++) {
        size_t below = 0;
        for (int k = 0; k < lo; k++)
            below += 1 + varint_bytes(zig(sub_wrap(x->low[k], x->low[lo])));
        for (int hi = lo ? 0 : 1; lo + hi <= PATCH_MAX; hi++) {
            unsigned w = width_of((uint64_t)x->high[hi] - (uint64_t)x->low[lo]);
            size_t bytes = frame_bytes(x->low[lo], w, n) + 1 + below;
            for (int k = 0; k < hi && bytes < best.bytes; k++)
                bytes += 1 + varint_bytes(zig(sub_wrap(x->high[k], x->low[lo])));
            if (w < best.w && w < 64 && bytes < best.bytes)
                best = (struct frame){x->low[lo], x->high[hi], w, bytes, true};
        }
    }
    return best;
}

static struct frame frame_of(const int64_t *r, size_t n) {
    struct frame f = {r[0], r[0], 0, 0, false};
    for (size_t i = 1; i < n; i++) {
        f.min = r[i] < f.min ? r[i] : f.min;
        f.max = r[i] > f.max ? r[i] : f.max;
    }
    f.w = width_of((uint64_t)f.max - (uint64_t)f.min);
    f.bytes = frame_bytes(f.min, f.w, n);
    if (n < 4 * PATCH_MAX || f.w < 3)
        return f;
    struct extremes x;
    find_extremes(r, n, &x);
    if (x.high[PATCH_MAX] < x.low[PATCH_MAX] ||
        width_of((uint64_t)x.high[PATCH_MAX] - (uint64_t)x.low[PATCH_MAX]) + 1 >= f.w)
        return f; /* no outliers worth looking at */
    return try_patches(&x, n, f);
}

static size_t cost_of(const int64_t *r, size_t n) {
    size_t bytes = 0;
    for (size_t at = 0; at < n; at += MINI)
        bytes += frame_of(r + at, n - at < MINI ? n - at : MINI).bytes;
    return bytes;
}

static void difference(int64_t *r, size_t n) {
    for (size_t i = n; i-- > 1;)
        r[i] = sub_wrap(r[i], r[i - 1]);
}

static bool outside(const struct frame *f, int64_t r) {
    return r < f->min || r > f->max;
}

static size_t pack(const int64_t *r, size_t n, const struct frame *f, uint8_t *o) {
    if (f->w == 64) {
        memcpy(o, r, n * 8);
        return n * 8;
    }
    uint64_t acc = 0;
    unsigned fill = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (!outside(f, r[i]))
            acc |= ((uint64_t)r[i] - (uint64_t)f->min) << fill;
        fill += f->w;
        while (fill >= 8) {
            o[at++] = (uint8_t)acc;
            acc >>= 8;
            fill -= 8;
        }
    }
    if (fill)
        o[at++] = (uint8_t)acc;
    return at;
}

static size_t put_patches(const int64_t *r, size_t n, const struct frame *f, uint8_t *o) {
    size_t at = 1, count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!outside(f, r[i]))
            continue;
        o[at++] = (uint8_t)i;
        at += put_zigzag(o + at, sub_wrap(r[i], f->min));
        count++;
    }
    o[0] = (uint8_t)count;
    return at;
}

size_t valcodec_ints_encode(const int64_t *v, size_t n, uint8_t *out) {
    assert(n && n <= VALCODEC_N_MAX);
    int64_t r[VALCODEC_N_MAX], first[2] = {v[0], n > 1 ? sub_wrap(v[1], v[0]) : 0};
    memcpy(r, v, n * sizeof(*v));
    size_t best = cost_of(r, n), order = 0;
    for (size_t o = 1; o <= 2 && o < n; o++) {
        difference(r + o - 1, n - o + 1);
        size_t c = cost_of(r + o, n - o) + varint_bytes(zig(first[o - 1]));
        if (c < best)
            best = c, order = o;
        else if (o == 1)
            break; /* what order 1 does not help, order 2 does not either */
    }
    memcpy(r, v, n * sizeof(*v));
    for (size_t o = 1; o <= order; o++)
        difference(r + o - 1, n - o + 1);
    const int64_t *res = r + order;
    size_t m = n - order, at = 1;
    for (size_t o = 0; o < order; o++)
        at += put_zigzag(out + at, first[o]);
    bool equal = true;
    for (size_t i = 1; i < m && equal; i++)
        equal = res[i] == res[0];
    out[0] = (uint8_t)(order | (equal ? ALL_EQUAL : 0));
    if (equal)
        return at + put_zigzag(out + at, res[0]);
    for (size_t i = 0; i < m; i += MINI) {
        size_t k = m - i < MINI ? m - i : MINI;
        struct frame f = frame_of(res + i, k);
        out[at++] = (uint8_t)(f.w | (f.patched ? PATCHED : 0));
        if (f.w != 64)
            at += put_zigzag(out + at, f.min);
        at += pack(res + i, k, &f, out + at);
        if (f.patched)
            at += put_patches(res + i, k, &f, out + at);
    }
    return at;
}

/* src has at least 8 readable bytes behind the packed ones. */
static void unpack(const uint8_t *src, size_t n, int64_t min, unsigned w, int64_t *out) {
    uint64_t mask = (UINT64_C(1) << w) - 1;
    size_t bit = 0;
    for (size_t i = 0; i < n; i++, bit += w) {
        uint64_t x;
        memcpy(&x, src + (bit >> 3), 8);
        out[i] = (int64_t)(((x >> (bit & 7)) & mask) + (uint64_t)min);
    }
}

static bool apply_patches(struct cur *c, int64_t *out, size_t k, int64_t min) {
    unsigned n = cur_u8(c);
    for (unsigned i = 0; i < n; i++) {
        unsigned at = cur_u8(c);
        int64_t d = cur_zigzag(c);
        if (!cur_ok(c) || at >= k)
            return false;
        out[at] = add_wrap(min, d);
    }
    return cur_ok(c);
}

static bool unpack_mini(struct cur *c, int64_t *out, size_t k) {
    unsigned head = cur_u8(c), w = head & ~(unsigned)PATCHED;
    bool patched = head & PATCHED;
    if (w > 56 && (w != 64 || patched))
        return false;
    if (w == 64) {
        struct str raw = cur_bytes(c, k * 8);
        if (!cur_ok(c))
            return false;
        memcpy(out, raw.p, k * 8);
        return true;
    }
    int64_t min = cur_zigzag(c);
    struct str raw = cur_bytes(c, (k * w + 7) / 8);
    if (!cur_ok(c))
        return false;
    if (w == 0) {
        for (size_t i = 0; i < k; i++)
            out[i] = min;
    } else if (cur_left(c) >= 8) {
        unpack((const uint8_t *)raw.p, k, min, w, out);
    } else {
        uint8_t padded[MINI * 7 + 8];
        memcpy(padded, raw.p, raw.n);
        memset(padded + raw.n, 0, 8);
        unpack(padded, k, min, w, out);
    }
    return !patched || apply_patches(c, out, k, min);
}

static void integrate(int64_t *v, size_t n) {
    for (size_t i = 1; i < n; i++)
        v[i] = add_wrap(v[i], v[i - 1]);
}

static bool ints_decode(struct cur *c, int64_t *out, size_t n) {
    if (!n || n > VALCODEC_N_MAX)
        return false;
    unsigned head = cur_u8(c);
    size_t order = head & ORDER_MASK;
    if (head & ~(unsigned)(ALL_EQUAL | ORDER_MASK) || order > 2 || order >= n)
        return false;
    for (size_t o = 0; o < order; o++)
        out[o] = cur_zigzag(c);
    int64_t *res = out + order;
    size_t m = n - order;
    if (head & ALL_EQUAL) {
        int64_t x = cur_zigzag(c);
        for (size_t i = 0; i < m; i++)
            res[i] = x;
    } else {
        for (size_t i = 0; i < m; i += MINI)
            if (!unpack_mini(c, res + i, m - i < MINI ? m - i : MINI))
                return false;
    }
    for (size_t o = order; o-- > 0;)
        integrate(out + o, n - o);
    return cur_ok(c);
}

bool valcodec_ints_decode(struct str in, int64_t *out, size_t n) {
    struct cur c = cur_from(in);
    return ints_decode(&c, out, n) && cur_done(&c);
}

/* Doubles */

static const double pow10_table[EXP_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6, 1e7,
                                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};

static uint64_t bits_of(double v) {
    uint64_t u;
    memcpy(&u, &v, 8);
    return u;
}

static bool decimal(double v, unsigned e, int64_t *out) {
    double x = v * pow10_table[e];
    if (!(fabs(x) <= MANTISSA_MAX))
        return false;
    int64_t m = (int64_t)(x + copysign(0.5, x));
    if (bits_of((double)m / pow10_table[e]) != bits_of(v))
        return false;
    *out = m;
    return true;
}

/* The exponent that makes most values exact; false when too many have none. */
static bool find_exponent(const double *v, size_t n, unsigned *out) {
    unsigned e = 0;
    size_t odd = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t m;
        if (decimal(v[i], e, &m))
            continue;
        unsigned k = e + 1;
        if (!isfinite(v[i]) || (v[i] == 0 && signbit(v[i])))
            k = EXP_MAX + 1;
        while (k <= EXP_MAX && !decimal(v[i], k, &m))
            k++;
        if (k <= EXP_MAX)
            e = k;
        else if (++odd > (i < PROBE ? PROBE_ODD_MAX : PROBE_ODD_MAX + i / 8))
            return false;
    }
    *out = e;
    return true;
}

static size_t encode_decimal(const double *v, size_t n, unsigned e, uint8_t *out) {
    int64_t m[VALCODEC_N_MAX], last = 0;
    size_t n_odd = 0, at = 2, from = 0;
    for (size_t i = 0; i < n && !decimal(v[i], e, &last); i++)
        ;
    for (size_t i = 0; i < n; i++) {
        if (!decimal(v[i], e, &m[i])) {
            m[i] =
                last; /* a repeated neighbour packs to nothing; the exception list has the truth */
            n_odd++;
        }
        last = m[i];
    }
    uint64_t all = 0, differ = 0;
    for (size_t i = 0; i < n; i++) {
        all |= (uint64_t)m[i];
        differ |= (uint64_t)m[i] ^ (uint64_t)m[0];
    }
    unsigned shift = all && differ ? (unsigned)__builtin_ctzll(all) : 0;
    out[0] = MODE_DECIMAL;
    out[1] = (uint8_t)e;
    if (shift >= SHIFT_MIN) { /* pages, KiB: what is a multiple of a power of two */
        out[1] |= SHIFTED;
        out[at++] = (uint8_t)shift;
        for (size_t i = 0; i < n; i++)
            m[i] = m[i] / (INT64_C(1) << shift);
    }
    at += put_varint(out + at, n_odd);
    for (size_t i = 0; i < n && n_odd; i++) {
        int64_t x;
        if (decimal(v[i], e, &x))
            continue;
        at += put_varint(out + at, i - from);
        memcpy(out + at, &v[i], 8);
        at += 8;
        from = i;
    }
    return at + valcodec_ints_encode(m, n, out + at);
}

static size_t encode_bits(const double *v, size_t n, uint8_t *out) {
    int64_t b[VALCODEC_N_MAX];
    uint64_t all = 0;
    for (size_t i = 0; i < n; i++)
        all |= bits_of(v[i]);
    unsigned shift = all ? (unsigned)__builtin_ctzll(all) : 0;
    for (size_t i = 0; i < n; i++)
        b[i] = (int64_t)(bits_of(v[i]) >> shift);
    out[0] = MODE_BITS;
    out[1] = (uint8_t)shift;
    return 2 + valcodec_ints_encode(b, n, out + 2);
}

size_t valcodec_encode(const double *v, size_t n, uint8_t *out) {
    assert(n && n <= VALCODEC_N_MAX);
    bool same = true;
    for (size_t i = 1; i < n && same; i++)
        same = bits_of(v[i]) == bits_of(v[0]);
    unsigned e;
    if (!find_exponent(v, n, &e)) {
        if (!same)
            return encode_bits(v, n, out);
        out[0] = MODE_SAME;
        memcpy(out + 1, &v[0], 8);
        return 9;
    }
    return encode_decimal(v, n, e, out);
}

static bool decode_decimal(struct cur *c, double *out, size_t n) {
    unsigned head = cur_u8(c), e = head & ~(unsigned)SHIFTED,
             shift = head & SHIFTED ? cur_u8(c) : 0;
    uint64_t n_odd = cur_varint(c);
    if (e > EXP_MAX || shift > 62 || n_odd > n)
        return false;
    struct cur odd = *c;
    for (uint64_t i = 0; i < n_odd; i++) {
        (void)cur_varint(c);
        (void)cur_le64(c);
    }
    int64_t m[VALCODEC_N_MAX];
    if (!ints_decode(c, m, n))
        return false;
    if (shift)
        for (size_t i = 0; i < n; i++)
            m[i] = (int64_t)((uint64_t)m[i] << shift);
    if (e == 0) {
        for (size_t i = 0; i < n; i++)
            out[i] = (double)m[i];
    } else {
        double p = pow10_table[e];
        for (size_t i = 0; i < n; i++)
            out[i] = (double)m[i] / p;
    }
    uint64_t at = 0;
    for (uint64_t i = 0; i < n_odd; i++) {
        uint64_t gap = cur_varint(&odd), u = cur_le64(&odd);
        if (gap >= n - at)
            return false;
        at += gap;
        memcpy(&out[at], &u, 8);
    }
    return true;
}

bool valcodec_decode(struct str in, double *out, size_t n) {
    struct cur c = cur_from(in);
    unsigned mode = cur_u8(&c);
    if (!n || n > VALCODEC_N_MAX)
        return false;
    if (mode == MODE_DECIMAL)
        return decode_decimal(&c, out, n) && cur_ok(&c) && cur_done(&c);
    if (mode == MODE_SAME) {
        uint64_t u = cur_le64(&c);
        for (size_t i = 0; i < n; i++)
            memcpy(&out[i], &u, 8);
        return cur_ok(&c) && cur_done(&c);
    }
    if (mode != MODE_BITS)
        return false;
    unsigned shift = cur_u8(&c);
    int64_t b[VALCODEC_N_MAX];
    if (shift > 63 || !ints_decode(&c, b, n) || !cur_done(&c))
        return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t u = (uint64_t)b[i] << shift;
        memcpy(&out[i], &u, 8);
    }
    return true;
}
