#include "base/buf.h"

#include "base/dtoa.h"

#include <stdio.h>
#include <stdlib.h>

void buf_deinit(struct buf *b) {
    free(b->p);
    *b = (struct buf){.bytes_max = b->bytes_max};
}

void buf_reset(struct buf *b) {
    b->n = 0;
    b->failed = false;
    if (b->p)
        b->p[0] = 0;
}

bool buf_reserve(struct buf *b, size_t more) {
    if (b->failed)
        return false;
    size_t max = b->bytes_max ? b->bytes_max : BUF_BYTES_MAX_DEFAULT;
    if (more > max || b->n > max - more) {
        b->failed = true;
        return false;
    }
    size_t want = b->n + more + 1;
    if (want <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < want)
        cap += cap / 2 + 64;
    char *p = realloc(b->p, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void buf_put(struct buf *b, const void *p, size_t n) {
    if (n == 0 || !buf_reserve(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
}

void buf_putc(struct buf *b, char c) {
    if (b->failed || b->n + 1 >= b->cap || (b->bytes_max && b->n >= b->bytes_max)) {
        if (!buf_reserve(b, 1))
            return;
    }
    b->p[b->n++] = c;
    b->p[b->n] = 0;
}

void buf_puts(struct buf *b, struct str s) {
    buf_put(b, s.p, s.n);
}
void buf_putz(struct buf *b, const char *z) {
    buf_put(b, z, strlen(z));
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n > 0 && buf_reserve(b, (size_t)n)) {
        (void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_u64(struct buf *b, uint64_t v) {
    char tmp[20];
    size_t i = sizeof(tmp);
    do
        tmp[--i] = (char)('0' + v % 10);
    while (v /= 10);
    buf_put(b, tmp + i, sizeof(tmp) - i);
}

void buf_i64(struct buf *b, int64_t v) {
    if (v < 0)
        buf_putc(b, '-');
    buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_f64(struct buf *b, double v) {
    char tmp[DTOA_BYTES_MAX];
    buf_put(b, tmp, dtoa_f(v, tmp));
}

void buf_f64_g(struct buf *b, double v) {
    char tmp[DTOA_BYTES_MAX];
    buf_put(b, tmp, dtoa_g(v, tmp));
}

void buf_le32(struct buf *b, uint32_t v) {
    unsigned char t[4] = {(unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16),
                          (unsigned char)(v >> 24)};
    buf_put(b, t, 4);
}

void buf_le64(struct buf *b, uint64_t v) {
    buf_le32(b, (uint32_t)v);
    buf_le32(b, (uint32_t)(v >> 32));
}

void buf_varint(struct buf *b, uint64_t v) {
    unsigned char t[10];
    size_t n = 0;
    while (v >= 0x80) {
        t[n++] = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    t[n++] = (unsigned char)v;
    buf_put(b, t, n);
}

void buf_zigzag(struct buf *b, int64_t v) {
    buf_varint(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

char *buf_take(struct buf *b, size_t *out_n) {
    if (b->failed) {
        buf_deinit(b);
        return NULL;
    }
    char *p = b->p;
    if (out_n)
        *out_n = b->n;
    *b = (struct buf){.bytes_max = b->bytes_max};
    return p;
}
