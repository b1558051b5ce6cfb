#include "base/cur.h"

uint64_t cur_varint_slow(struct cur *c) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = cur_u8(c);
        if (c->failed)
            return 0;
        if (shift == 63 && b > 1)
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return v;
    }
    cur_fail(c);
    return 0;
}
