#include "codec/snappy.h"

#include <snappy-c.h>

bool snappy_block_length(struct str block, size_t *out, struct err *err) {
    size_t n = 0;
    if (!block.n || snappy_uncompressed_length(block.p, block.n, &n) != SNAPPY_OK)
        return err_set(err, ERR_BAD_INPUT,
                       "expected a snappy block, found %zu bytes without a valid length", block.n);
    *out = n;
    return true;
}

bool snappy_block_decode(struct str block, size_t bytes_max, struct buf *out, struct err *err) {
    size_t n;
    if (!snappy_block_length(block, &n, err))
        return false;
    if (n > bytes_max)
        return err_set(err, ERR_TOO_LARGE, "snappy block claims %zu bytes; at most %zu are allowed",
                       n, bytes_max);
    if (!buf_reserve(out, n + 1))
        return err_set(err, ERR_INTERNAL, "out of memory for a snappy block of %zu bytes", n);
    size_t got = n;
    if (snappy_uncompress(block.p, block.n, out->p + out->n, &got) != SNAPPY_OK || got != n)
        return err_set(err, ERR_BAD_INPUT, "snappy block of %zu bytes is damaged", block.n);
    out->n += n;
    out->p[out->n] = 0;
    return true;
}

bool snappy_block_encode(struct str plain, struct buf *out, struct err *err) {
    size_t n = snappy_max_compressed_length(plain.n);
    if (!buf_reserve(out, n + 1))
        return err_set(err, ERR_INTERNAL, "out of memory compressing %zu bytes", plain.n);
    if (snappy_compress(plain.p ? plain.p : "", plain.n, out->p + out->n, &n) != SNAPPY_OK)
        return err_set(err, ERR_INTERNAL, "snappy could not compress %zu bytes", plain.n);
    out->n += n;
    out->p[out->n] = 0;
    return true;
}
