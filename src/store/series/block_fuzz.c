#include "store/series/block.h"

#include "base/hash.h"
#include "base/limits.h"

#include <stdlib.h>

enum { BYTES_MAX = 1 << 16, FOOTER_SECTIONS = 64 };

static void put32(uint8_t *p, uint32_t v) {
    memcpy(p, &v, 4);
}

/* Makes the checksums right, so that what lies behind them is reached. */
static void seal(uint8_t *p, size_t n) {
    uint8_t *f = p + n - BLOCK_FOOTER_BYTES;
    memcpy(p, BLOCK_MAGIC, 8);
    put32(p + 8, BLOCK_VERSION);
    put32(p + BLOCK_HEADER_BYTES - 4, crc32c(0, p, BLOCK_HEADER_BYTES - 4));
    memcpy(f, BLOCK_MAGIC, 8);
    for (int i = 0; i < SECTION_COUNT; i++) {
        uint8_t *s = f + FOOTER_SECTIONS + i * 24;
        uint64_t at, bytes;
        memcpy(&at, s, 8);
        memcpy(&bytes, s + 8, 8);
        if (at <= n && bytes <= n - at)
            put32(s + 16, crc32c(0, p + at, (size_t)bytes));
    }
    put32(f + FOOTER_SECTIONS - 4, crc32c(0, p, n - BLOCK_FOOTER_BYTES));
    put32(f + BLOCK_FOOTER_BYTES - 4, crc32c(0, f, BLOCK_FOOTER_BYTES - 4));
}

/* First byte: 1 = seal. Then the file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n < 1 || n > BYTES_MAX)
        return 0;
    uint8_t *p = aligned_alloc(64, (n + 63) & ~(size_t)63);
    if (!p)
        return 0;
    memcpy(p, data + 1, n - 1);
    if ((data[0] & 1) && n - 1 >= BLOCK_HEADER_BYTES + BLOCK_FOOTER_BYTES)
        seal(p, n - 1);
    struct block *b = block_view(str_make((const char *)p, n - 1), NULL);
    if (b && block_check_index(b, NULL)) {
        struct matcher m = {.type = MATCH_NE, .name = STR("__name__"), .value = STR("x")};
        struct pindex ix = block_index(b);
        roaring_bitmap_t *r = postings_match(&ix, &m, 1);
        if (r)
            roaring_bitmap_free(r);
        for (uint32_t i = 0; i < b->info.series; i++) {
            struct label storage[LIMIT_LABELS_PER_SERIES];
            (void)block_find(b, block_labels(b, i, storage));
        }
        (void)!block_verify(b, NULL);
    }
    block_unref(b);
    free(p);
    return 0;
}
