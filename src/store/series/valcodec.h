/* valcodec.h - columns of up to VALCODEC_N_MAX values or timestamps <-> bytes. Pure.
 *
 * Integers (intpack): differences of order 0, 1 or 2, whichever is smallest, in miniblocks of 128:
 * the least residual, a bit width, and the residuals above it bit-packed. A run whose residuals are
 * all equal (constants, straight lines, regular timestamps) is one number. Doubles: when every
 * value is a decimal m / 10^e with |m| <= 2^53 that divides back to the very same bits, the
 * mantissas go through intpack; what is not (NaN, stale markers, -0, infinities, odd values) is
 * listed as exceptions. When too much is odd, the 64 bits themselves go through intpack. Every bit
 * pattern comes back as it was. Bytes: docs/formats/series.md.
 */
#ifndef STORE_SERIES_VALCODEC_H
#define STORE_SERIES_VALCODEC_H

#include "base/str.h"

#define VALCODEC_N_MAX 1024
/* an upper bound on what encoding n values takes */
#define VALCODEC_BYTES_MAX(n) (64 + (n)*20)

size_t valcodec_ints_encode(const int64_t *v, size_t n, uint8_t *out);
/* Decodes exactly n values from the front of in; false when the bytes are not a valid encoding of
 * n. */
bool valcodec_ints_decode(struct str in, int64_t *out, size_t n);
size_t valcodec_encode(const double *v, size_t n, uint8_t *out);
bool valcodec_decode(struct str in, double *out, size_t n);

#endif
