/* cur.h - the only way to read bytes from outside: a bounds-checked cursor with sticky failure.
 * After the first read past the end every read yields 0 or an empty run; ask cur_ok() once at the
 * end. */
#ifndef BASE_CUR_H
#define BASE_CUR_H

#include "base/str.h"

struct cur {
    const unsigned char *p, *end;
    bool failed;
};

static inline struct cur cur_from(struct str s) {
    const unsigned char *p = (const unsigned char *)s.p;
    return (struct cur){p, p ? p + s.n : p, false};
}
static inline bool cur_ok(const struct cur *c) {
    return !c->failed;
}
static inline size_t cur_left(const struct cur *c) {
    return (size_t)(c->end - c->p);
}
static inline bool cur_done(const struct cur *c) {
    return c->p == c->end;
}
static inline bool cur_fail(struct cur *c) {
    c->failed = true;
    c->p = c->end;
    return false;
}
static inline uint8_t cur_u8(struct cur *c) {
    if (c->p == c->end) {
        cur_fail(c);
        return 0;
    }
    return *c->p++;
}
static inline uint32_t cur_le32(struct cur *c) {
    if (cur_left(c) < 4) {
        cur_fail(c);
        return 0;
    }
    uint32_t v;
    memcpy(&v, c->p, 4); /* little-endian hosts only: amd64, arm64 */
    c->p += 4;
    return v;
}
static inline uint64_t cur_le64(struct cur *c) {
    if (cur_left(c) < 8) {
        cur_fail(c);
        return 0;
    }
    uint64_t v;
    memcpy(&v, c->p, 8);
    c->p += 8;
    return v;
}
uint64_t cur_varint_slow(struct cur *c);
static inline uint64_t cur_varint(struct cur *c) {
    if (c->p != c->end && *c->p < 0x80)
        return *c->p++;
    return cur_varint_slow(c);
}
static inline int64_t cur_zigzag(struct cur *c) {
    uint64_t v = cur_varint(c);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
/* n bytes, borrowed. */
static inline struct str cur_bytes(struct cur *c, uint64_t n) {
    if (n > cur_left(c)) {
        cur_fail(c);
        return (struct str){NULL, 0};
    }
    struct str s = {(const char *)c->p, (size_t)n};
    c->p += n;
    return s;
}

#endif
