#include "store/series/valcodec.h"

#include <stdlib.h>

/* Two directions: arbitrary bytes into the decoder; arbitrary values through encoder and decoder.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static double v[VALCODEC_N_MAX], back[VALCODEC_N_MAX];
    static int64_t ints[VALCODEC_N_MAX];
    static uint8_t out[VALCODEC_BYTES_MAX(VALCODEC_N_MAX)];
    if (n < 3)
        return 0;
    size_t count = (size_t)(data[0] | data[1] << 8) % VALCODEC_N_MAX + 1;
    struct str rest = str_make((const char *)data + 2, n - 2);
    (void)valcodec_decode(rest, v, count);
    (void)valcodec_ints_decode(rest, ints, count);
    size_t k = rest.n / 8 < VALCODEC_N_MAX ? rest.n / 8 : VALCODEC_N_MAX;
    if (!k)
        return 0;
    memcpy(v, rest.p, k * 8);
    size_t bytes = valcodec_encode(v, k, out);
    if (bytes > VALCODEC_BYTES_MAX(k) || !valcodec_decode(str_make((char *)out, bytes), back, k) ||
        memcmp(v, back, k * 8) != 0)
        abort();
    return 0;
}
