/* buf.h - a growable run of bytes with one owner and a cap.
 *
 * Appending never fails loudly: past bytes_max, or when memory runs out, the buffer turns
 * sticky-failed and ignores further appends; the owner asks buf_ok() once at the end. Always
 * NUL-terminated behind `n`, so buf.p can be handed to C APIs after buf_ok().
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"
#include "base/str.h"

struct buf {
    char *p;
    size_t n, cap;
    size_t bytes_max; /* 0: BUF_BYTES_MAX_DEFAULT */
    bool failed;
};

#define BUF_BYTES_MAX_DEFAULT ((size_t)1 << 30)
#define BUF_INIT ((struct buf){0})
#define BUF_INIT_MAX(max) ((struct buf){.bytes_max = (max)})

void buf_deinit(struct buf *b);               /* frees, and leaves an empty usable buffer */
void buf_reset(struct buf *b);                /* n = 0, clears failure, keeps memory */
bool buf_reserve(struct buf *b, size_t more); /* false: failed */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_putc(struct buf *b, char c);
void buf_puts(struct buf *b, struct str s);
void buf_putz(struct buf *b, const char *z);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_u64(struct buf *b, uint64_t v); /* decimal */
void buf_i64(struct buf *b, int64_t v);
/* Shortest decimal that reads back to the same double, as Go's FormatFloat(v, 'f', -1, 64) prints
 * it: no exponent, NaN, +Inf, -Inf. This is what the Prometheus JSON API and its text formats use.
 */
void buf_f64(struct buf *b, double v);
/* The same digits in Go's 'g' form with exponent when exp < -4 || exp >= 21 (strconv 'g' with -1).
 */
void buf_f64_g(struct buf *b, double v);
void buf_le32(struct buf *b, uint32_t v);
void buf_le64(struct buf *b, uint64_t v);
void buf_varint(struct buf *b, uint64_t v); /* LEB128, as protobuf */
void buf_zigzag(struct buf *b, int64_t v);
static inline bool buf_ok(const struct buf *b) {
    return !b->failed;
}
static inline struct str buf_view(const struct buf *b) {
    return (struct str){b->p, b->n};
}
/* Takes the memory out; the caller frees. NULL when failed or empty of memory. */
char *buf_take(struct buf *b, size_t *out_n);

#endif
