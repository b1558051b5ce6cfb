/* snappy.h - the snappy block format, as remote_write bodies use it (google/snappy
 * format_description.txt). Any bytes are safe to hand in; output is capped by the caller. */
#ifndef CODEC_SNAPPY_H
#define CODEC_SNAPPY_H

#include "base/buf.h"

/* The length that a block claims; ERR_BAD_INPUT when its header is broken. */
bool snappy_block_length(struct str block, size_t *out, struct err *err) MUST_USE;
/* Appends the decompressed bytes to *out. More than bytes_max: ERR_TOO_LARGE, before anything is
 * allocated. */
bool snappy_block_decode(struct str block, size_t bytes_max, struct buf *out,
                         struct err *err) MUST_USE;
bool snappy_block_encode(struct str plain, struct buf *out, struct err *err) MUST_USE;

#endif
