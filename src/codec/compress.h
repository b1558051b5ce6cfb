/* compress.h - the compressions of HTTP bodies and files: gzip (RFC 1952), deflate (RFC 1950, and
 * the raw RFC 1951 that some senders mean by it), zstd (RFC 8878). Whole buffers in, whole buffers
 * out.
 *
 * Every decoder takes bytes_max, the cap on its output: a compression bomb costs at most twice that
 * much work, then ERR_TOO_LARGE. Errors: ERR_BAD_INPUT (not such data, or cut short),
 * ERR_TOO_LARGE, ERR_INTERNAL (memory). Output is appended to *out; on failure out->n is as before.
 * Any thread.
 */
#ifndef CODEC_COMPRESS_H
#define CODEC_COMPRESS_H

#include "base/buf.h"

bool compress_gunzip(struct str in, size_t bytes_max, struct buf *out, struct err *err) MUST_USE;
bool compress_inflate(struct str in, size_t bytes_max, struct buf *out, struct err *err) MUST_USE;
bool compress_unzstd(struct str in, size_t bytes_max, struct buf *out, struct err *err) MUST_USE;
/* By the name in Content-Encoding: gzip, x-gzip, deflate, zstd, identity (copies), "" (copies).
 * Others: ERR_UNSUPPORTED. One coding; lists are refused. */
bool compress_decode(struct str encoding, struct str in, size_t bytes_max, struct buf *out,
                     struct err *err) MUST_USE;

/* level: 1 (fast) to 9; appended. */
bool compress_gzip(struct str in, int level, struct buf *out, struct err *err) MUST_USE;
bool compress_zstd(struct str in, int level, struct buf *out, struct err *err) MUST_USE;

#endif
