#include "codec/remote_write.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static bool skip(struct cur *c, uint64_t tag) {
    switch (tag & 7) {
    case WIRE_VARINT:
        (void)cur_varint(c);
        break;
    case WIRE_FIXED64:
        (void)cur_le64(c);
        break;
    case WIRE_BYTES:
        (void)cur_bytes(c, cur_varint(c));
        break;
    case WIRE_FIXED32:
        (void)cur_le32(c);
        break;
    default:
        return cur_fail(c);
    }
    return cur_ok(c);
}

enum rw_item remote_write_next(struct cur *c, struct str *out) {
    while (!cur_done(c)) {
        uint64_t tag = cur_varint(c);
        if (tag == (1 << 3 | WIRE_BYTES) || tag == (3 << 3 | WIRE_BYTES)) {
            struct str s = cur_bytes(c, cur_varint(c));
            if (!cur_ok(c))
                return RW_BAD;
            *out = s;
            return tag == (1 << 3 | WIRE_BYTES) ? RW_SERIES : RW_META;
        }
        if (tag >> 3 == 0 || !skip(c, tag))
            return RW_BAD;
    }
    return cur_ok(c) ? RW_END : RW_BAD;
}

static bool read_label(struct str message, struct label *out) {
    struct cur c = cur_from(message);
    *out = (struct label){{"", 0}, {"", 0}};
    while (!cur_done(&c)) {
        uint64_t tag = cur_varint(&c);
        if (tag == (1 << 3 | WIRE_BYTES))
            out->name = cur_bytes(&c, cur_varint(&c));
        else if (tag == (2 << 3 | WIRE_BYTES))
            out->value = cur_bytes(&c, cur_varint(&c));
        else if (tag >> 3 == 0 || !skip(&c, tag))
            return false;
    }
    return cur_ok(&c);
}

static bool read_sample(struct str message, struct sample *out) {
    struct cur c = cur_from(message);
    *out = (struct sample){0, 0};
    while (!cur_done(&c)) {
        uint64_t tag = cur_varint(&c);
        if (tag == (1 << 3 | WIRE_FIXED64))
            out->value = sample_from_bits(cur_le64(&c));
        else if (tag == (2 << 3 | WIRE_VARINT))
            out->ts_ms = (int64_t)cur_varint(&c);
        else if (tag >> 3 == 0 || !skip(&c, tag))
            return false;
    }
    return cur_ok(&c);
}

enum rw_part remote_write_part(struct cur *c, struct label *out_label, struct sample *out_sample) {
    if (cur_done(c))
        return cur_ok(c) ? RW_PART_END : RW_PART_BAD;
    uint64_t tag = cur_varint(c);
    if (tag == (2 << 3 | WIRE_BYTES)) {
        struct str m = cur_bytes(c, cur_varint(c));
        return cur_ok(c) && read_sample(m, out_sample) ? RW_PART_SAMPLE : RW_PART_BAD;
    }
    if (tag == (1 << 3 | WIRE_BYTES)) {
        struct str m = cur_bytes(c, cur_varint(c));
        return cur_ok(c) && read_label(m, out_label) ? RW_PART_LABEL : RW_PART_BAD;
    }
    if (tag >> 3 == 0 || !skip(c, tag))
        return RW_PART_BAD;
    return tag == (4 << 3 | WIRE_BYTES) ? RW_PART_HISTOGRAM : RW_PART_OTHER;
}

size_t remote_write_label_run(struct str series) {
    struct cur c = cur_from(series);
    const unsigned char *end = c.p;
    while (!cur_done(&c) && *c.p == (1 << 3 | WIRE_BYTES)) {
        c.p++;
        (void)cur_bytes(&c, cur_varint(&c));
        if (!cur_ok(&c))
            break;
        end = c.p;
    }
    return (size_t)(end - (const unsigned char *)series.p);
}

uint32_t remote_write_labels(struct str run, struct label *out, uint32_t max) {
    struct cur c = cur_from(run);
    uint32_t n = 0;
    while (!cur_done(&c)) {
        if (cur_varint(&c) != (1 << 3 | WIRE_BYTES))
            return UINT32_MAX;
        struct str m = cur_bytes(&c, cur_varint(&c));
        if (!cur_ok(&c) || n == max || !read_label(m, &out[n]))
            return UINT32_MAX;
        n++;
    }
    return cur_ok(&c) ? n : UINT32_MAX;
}

bool remote_write_meta(struct str message, struct metric_meta *out) {
    struct cur c = cur_from(message);
    *out = (struct metric_meta){{"", 0}, {"", 0}, {"", 0}, METRIC_UNKNOWN};
    /* prompb.MetricMetadata.MetricType: 0 unknown, 1 counter, 2 gauge, 3 histogram, 4
     * gaugehistogram, 5 summary, 6 info, 7 stateset: the order of enum metric_type. */
    while (!cur_done(&c)) {
        uint64_t tag = cur_varint(&c);
        if (tag == (1 << 3 | WIRE_VARINT)) {
            uint64_t t = cur_varint(&c);
            out->type = t <= METRIC_STATESET ? (enum metric_type)t : METRIC_UNKNOWN;
        } else if (tag == (2 << 3 | WIRE_BYTES)) {
            out->metric = cur_bytes(&c, cur_varint(&c));
        } else if (tag == (4 << 3 | WIRE_BYTES)) {
            out->help = cur_bytes(&c, cur_varint(&c));
        } else if (tag == (5 << 3 | WIRE_BYTES)) {
            out->unit = cur_bytes(&c, cur_varint(&c));
        } else if (tag >> 3 == 0 || !skip(&c, tag)) {
            return false;
        }
    }
    return cur_ok(&c);
}

static size_t varint_size(uint64_t v) {
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

static size_t bytes_size(struct str s) {
    return 1 + varint_size(s.n) + s.n;
}

static void put_bytes(struct buf *b, char tag, struct str s) {
    buf_putc(b, tag);
    buf_varint(b, s.n);
    buf_puts(b, s);
}

void remote_write_put_labels(struct buf *b, struct labels ls) {
    for (uint32_t i = 0; i < ls.n; i++) {
        buf_putc(b, 1 << 3 | WIRE_BYTES);
        buf_varint(b, bytes_size(ls.l[i].name) + bytes_size(ls.l[i].value));
        put_bytes(b, 1 << 3 | WIRE_BYTES, ls.l[i].name);
        put_bytes(b, 2 << 3 | WIRE_BYTES, ls.l[i].value);
    }
}

void remote_write_put_series(struct buf *b, struct labels ls, const struct sample *samples,
                             size_t n) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < ls.n; i++) {
        size_t k = bytes_size(ls.l[i].name) + bytes_size(ls.l[i].value);
        bytes += 1 + varint_size(k) + k;
    }
    for (size_t i = 0; i < n; i++)
        bytes += 2 + 9 + 1 + varint_size((uint64_t)samples[i].ts_ms);
    buf_putc(b, 1 << 3 | WIRE_BYTES);
    buf_varint(b, bytes);
    remote_write_put_labels(b, ls);
    for (size_t i = 0; i < n; i++) {
        buf_putc(b, 2 << 3 | WIRE_BYTES);
        buf_varint(b, 9 + 1 + varint_size((uint64_t)samples[i].ts_ms));
        buf_putc(b, 1 << 3 | WIRE_FIXED64);
        buf_le64(b, sample_bits(samples[i].value));
        buf_putc(b, 2 << 3 | WIRE_VARINT);
        buf_varint(b, (uint64_t)samples[i].ts_ms);
    }
}

void remote_write_put_meta(struct buf *b, const struct metric_meta *m) {
    size_t n = 2 + bytes_size(m->metric) + bytes_size(m->help) + bytes_size(m->unit);
    buf_putc(b, 3 << 3 | WIRE_BYTES);
    buf_varint(b, n);
    buf_putc(b, 1 << 3 | WIRE_VARINT);
    buf_varint(b, (uint64_t)m->type);
    put_bytes(b, 2 << 3 | WIRE_BYTES, m->metric);
    put_bytes(b, 4 << 3 | WIRE_BYTES, m->help);
    put_bytes(b, 5 << 3 | WIRE_BYTES, m->unit);
}
