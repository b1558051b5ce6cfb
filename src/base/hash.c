#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

uint64_t hash_bytes(const void *p, size_t n) {
    return XXH3_64bits(p, n);
}
uint64_t hash_bytes_seed(const void *p, size_t n, uint64_t seed) {
    return XXH3_64bits_withSeed(p, n, seed);
}

static uint32_t crc_table[256];
__attribute__((constructor)) static void crc_table_init(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0x82f63b78u ^ (c >> 1) : c >> 1;
        crc_table[i] = c;
    }
}

uint32_t crc32c(uint32_t crc, const void *data, size_t n) {
    const unsigned char *p = data;
    uint32_t c = ~crc;
#if defined(__SSE4_2__)
    uint64_t wide = c;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        wide = _mm_crc32_u64(wide, v);
    }
    c = (uint32_t)wide;
#endif
    for (; n; n--, p++)
        c = crc_table[(c ^ *p) & 0xff] ^ (c >> 8);
    return ~c;
}
