/* sample.h - one value at one moment. ts_ms: milliseconds since the Unix epoch. */
#ifndef MODEL_SAMPLE_H
#define MODEL_SAMPLE_H

#include "base/str.h"

#include <math.h>

struct sample {
    int64_t ts_ms;
    double value;
};

/* The two NaN payloads with a meaning, bit for bit Prometheus's (model/value/value.go): a stale
 * marker says "this series ended here"; the normal NaN is what arithmetic yields. */
#define SAMPLE_STALE_BITS UINT64_C(0x7ff0000000000002)
#define SAMPLE_NAN_BITS UINT64_C(0x7ff8000000000001)

static inline uint64_t sample_bits(double v) {
    uint64_t u;
    memcpy(&u, &v, sizeof(u));
    return u;
}
static inline double sample_from_bits(uint64_t u) {
    double v;
    memcpy(&v, &u, sizeof(v));
    return v;
}
static inline double sample_stale(void) {
    return sample_from_bits(SAMPLE_STALE_BITS);
}
static inline double sample_nan(void) {
    return sample_from_bits(SAMPLE_NAN_BITS);
}
static inline bool sample_is_stale(double v) {
    return sample_bits(v) == SAMPLE_STALE_BITS;
}

#endif
