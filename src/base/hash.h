/* hash.h - hashing of bytes (XXH3, 64 bits) and CRC32C (Castagnoli, RFC 3720) for what is kept on
 * disk. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

uint64_t hash_bytes(const void *p, size_t n);
uint64_t hash_bytes_seed(const void *p, size_t n, uint64_t seed);
static inline uint64_t hash_str(struct str s) {
    return hash_bytes(s.p, s.n);
}
static inline uint64_t hash_mix(uint64_t a, uint64_t b) {
    uint64_t x = a ^ (b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2));
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}
/* crc32c(0, p, n) starts; feed the result back to continue. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif
