#include "feature/agent/agentwire.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/map.h"
#include "codec/compress.h"

#define ZSTD_LEVEL 1

static const char message_magic[4] = {'H', 'N', 'A', AGENTWIRE_VERSION};

/* Symbols and series of one record while it is encoded: map value = index + 1. */
struct encoder {
    struct map symbols, series;
    struct buf symbol_bytes, series_bytes, index_column, ts_column, value_column, key;
    uint64_t n_symbols, n_series;
    int64_t last_index, last_ts;
    bool failed;
};

static void encoder_deinit(struct encoder *e) {
    map_deinit(&e->symbols);
    map_deinit(&e->series);
    buf_deinit(&e->symbol_bytes);
    buf_deinit(&e->series_bytes);
    buf_deinit(&e->index_column);
    buf_deinit(&e->ts_column);
    buf_deinit(&e->value_column);
    buf_deinit(&e->key);
}

static uint64_t symbol(struct encoder *e, struct str s) {
    if (!s.p)
        s = STR("");
    void *known = map_get(&e->symbols, s);
    if (known)
        return (uint64_t)(uintptr_t)known - 1;
    uint64_t id = e->n_symbols++;
    if (!map_put(&e->symbols, s, (void *)(uintptr_t)(id + 1), NULL))
        e->failed = true;
    buf_varint(&e->symbol_bytes, s.n);
    buf_puts(&e->symbol_bytes, s);
    return id;
}

static uint64_t series(struct encoder *e, struct labels ls) {
    buf_reset(&e->key);
    buf_varint(&e->key, ls.n);
    for (uint32_t i = 0; i < ls.n; i++) {
        buf_varint(&e->key, symbol(e, ls.l[i].name));
        buf_varint(&e->key, symbol(e, ls.l[i].value));
    }
    void *known = map_get(&e->series, buf_view(&e->key));
    if (known)
        return (uint64_t)(uintptr_t)known - 1;
    uint64_t id = e->n_series++;
    if (!buf_ok(&e->key) ||
        !map_put(&e->series, buf_view(&e->key), (void *)(uintptr_t)(id + 1), NULL))
        e->failed = true;
    buf_puts(&e->series_bytes, buf_view(&e->key));
    return id;
}

static void encode_rows(struct encoder *e, const struct agentwire_record *r) {
    for (size_t i = 0; i < r->n_rows; i++) {
        int64_t index = (int64_t)series(e, r->rows[i].labels);
        /* most batches hold each series once, in order: then this column is all ones */
        buf_zigzag(&e->index_column, index - e->last_index);
        buf_zigzag(&e->ts_column, (int64_t)((uint64_t)r->rows[i].ts_ms - (uint64_t)e->last_ts));
        buf_le64(&e->value_column, sample_bits(r->rows[i].value));
        e->last_index = index;
        e->last_ts = r->rows[i].ts_ms;
    }
}

static void assemble(struct encoder *e, const struct agentwire_record *r, struct buf *raw) {
    struct buf meta = BUF_INIT;
    for (size_t i = 0; i < r->n_meta; i++) {
        buf_varint(&meta, symbol(e, r->meta[i].metric));
        buf_varint(&meta, (uint64_t)r->meta[i].type);
        buf_varint(&meta, symbol(e, r->meta[i].help));
        buf_varint(&meta, symbol(e, r->meta[i].unit));
    }
    buf_varint(raw, (uint64_t)r->kind);
    buf_varint(raw, r->source.n);
    buf_puts(raw, r->source);
    buf_varint(raw, e->n_symbols);
    buf_puts(raw, buf_view(&e->symbol_bytes));
    buf_varint(raw, e->n_series);
    buf_puts(raw, buf_view(&e->series_bytes));
    buf_varint(raw, r->n_rows);
    buf_puts(raw, buf_view(&e->index_column));
    buf_puts(raw, buf_view(&e->ts_column));
    buf_puts(raw, buf_view(&e->value_column));
    buf_varint(raw, r->n_meta);
    buf_puts(raw, buf_view(&meta));
    if (!buf_ok(&meta) || !buf_ok(&e->symbol_bytes) || !buf_ok(&e->series_bytes) ||
        !buf_ok(&e->index_column) || !buf_ok(&e->ts_column) || !buf_ok(&e->value_column))
        e->failed = true;
    buf_deinit(&meta);
}

bool agentwire_encode(const struct agentwire_record *r, struct buf *out, struct err *err) {
    struct encoder e = {0};
    struct buf raw = BUF_INIT;
    size_t before = out->n;
    bool ok = false;
    if (r->n_rows > AGENTWIRE_ROWS_MAX) {
        err_set(err, ERR_TOO_LARGE, "a record of %zu rows is over the limit of %d", r->n_rows,
                AGENTWIRE_ROWS_MAX);
        goto end;
    }
    encode_rows(&e, r);
    assemble(&e, r, &raw);
    if (e.failed || !buf_ok(&raw)) {
        err_set(err, ERR_INTERNAL, "out of memory encoding %zu rows", r->n_rows);
        goto end;
    }
    if (raw.n > AGENTWIRE_RECORD_RAW_BYTES_MAX) {
        err_set(err, ERR_TOO_LARGE, "a record of %zu bytes is over the limit of %zu", raw.n,
                AGENTWIRE_RECORD_RAW_BYTES_MAX);
        goto end;
    }
    buf_putc(out, AGENTWIRE_VERSION);
    ok = compress_zstd(buf_view(&raw), ZSTD_LEVEL, out, err);
    if (ok && out->n - before > AGENTWIRE_RECORD_BYTES_MAX)
        ok = err_set(err, ERR_TOO_LARGE, "a record of %zu bytes is over the limit of %zu",
                     out->n - before, AGENTWIRE_RECORD_BYTES_MAX);
end:
    if (!ok)
        out->n = before;
    buf_deinit(&raw);
    encoder_deinit(&e);
    return ok;
}

struct decoder {
    struct cur c;
    struct arena *a;
    struct str *symbols;
    uint64_t n_symbols;
    struct labels *series;
    uint64_t n_series;
};

static bool bad(struct err *err, const char *what) {
    return err_set(err, ERR_BAD_INPUT, "agent record: %s", what);
}

/* A count of things that take at least `bytes` each can never be larger than what is left. */
static bool count(struct decoder *d, size_t bytes, uint64_t max, uint64_t *out) {
    *out = cur_varint(&d->c);
    return cur_ok(&d->c) && *out <= max && *out <= cur_left(&d->c) / bytes;
}

static struct str symbol_at(struct decoder *d) {
    uint64_t id = cur_varint(&d->c);
    if (!cur_ok(&d->c) || id >= d->n_symbols) {
        cur_fail(&d->c);
        return STR("");
    }
    return d->symbols[id];
}

static bool read_symbols(struct decoder *d, struct err *err) {
    if (!count(d, 1, AGENTWIRE_RECORD_RAW_BYTES_MAX, &d->n_symbols))
        return bad(err, "wrong number of symbols");
    d->symbols = ARENA_ARRAY(d->a, struct str, (size_t)d->n_symbols + 1);
    if (!d->symbols)
        return arena_err(d->a, err);
    for (uint64_t i = 0; i < d->n_symbols; i++) {
        struct str s = cur_bytes(&d->c, cur_varint(&d->c));
        if (!cur_ok(&d->c))
            return bad(err, "a symbol ends early");
        d->symbols[i] = s;
    }
    return true;
}

static bool read_series(struct decoder *d, struct err *err) {
    if (!count(d, 1, AGENTWIRE_ROWS_MAX, &d->n_series))
        return bad(err, "wrong number of series");
    d->series = ARENA_ARRAY(d->a, struct labels, (size_t)d->n_series + 1);
    if (!d->series)
        return arena_err(d->a, err);
    for (uint64_t i = 0; i < d->n_series; i++) {
        uint64_t n;
        if (!count(d, 2, LIMIT_LABELS_PER_SERIES, &n))
            return bad(err, "wrong number of labels");
        struct label *l = ARENA_ARRAY(d->a, struct label, (size_t)n + 1);
        if (!l)
            return arena_err(d->a, err);
        for (uint64_t k = 0; k < n; k++) {
            l[k].name = symbol_at(d);
            l[k].value = symbol_at(d);
        }
        d->series[i] = (struct labels){l, (uint32_t)n};
        if (!cur_ok(&d->c))
            return bad(err, "a series names a symbol that is not there");
        if (!labels_check(d->series[i], err))
            return err_prefix(err, "agent record");
    }
    return true;
}

static bool read_rows(struct decoder *d, struct agentwire_record *out, struct err *err) {
    uint64_t n;
    if (!count(d, 10, AGENTWIRE_ROWS_MAX, &n)) /* index, time: a byte each at least; value: 8 */
        return bad(err, "wrong number of rows");
    struct batch_row *rows = ARENA_ARRAY(d->a, struct batch_row, (size_t)n + 1);
    if (!rows)
        return arena_err(d->a, err);
    uint64_t index = 0, ts = 0;
    for (uint64_t i = 0; i < n; i++) {
        index += (uint64_t)cur_zigzag(&d->c);
        if (!cur_ok(&d->c) || index >= d->n_series)
            return bad(err, "a row names a series that is not there");
        rows[i].labels = d->series[index];
    }
    for (uint64_t i = 0; i < n; i++) {
        ts += (uint64_t)cur_zigzag(&d->c);
        rows[i].ts_ms = (int64_t)ts;
    }
    for (uint64_t i = 0; i < n; i++)
        rows[i].value = sample_from_bits(cur_le64(&d->c));
    if (!cur_ok(&d->c))
        return bad(err, "the columns end early");
    out->rows = rows;
    out->n_rows = (size_t)n;
    return true;
}

static bool read_meta(struct decoder *d, struct agentwire_record *out, struct err *err) {
    uint64_t n;
    if (!count(d, 4, AGENTWIRE_ROWS_MAX, &n))
        return bad(err, "wrong number of metadata entries");
    struct metric_meta *meta = ARENA_ARRAY(d->a, struct metric_meta, (size_t)n + 1);
    if (!meta)
        return arena_err(d->a, err);
    for (uint64_t i = 0; i < n; i++) {
        meta[i].metric = symbol_at(d);
        uint64_t type = cur_varint(&d->c);
        meta[i].type = type <= METRIC_STATESET ? (enum metric_type)type : METRIC_UNKNOWN;
        meta[i].help = symbol_at(d);
        meta[i].unit = symbol_at(d);
        if (cur_ok(&d->c) && (meta[i].metric.n == 0 || meta[i].metric.n > LIMIT_LABEL_NAME_BYTES ||
                              !str_is_utf8(meta[i].metric) || !str_is_utf8(meta[i].help) ||
                              !str_is_utf8(meta[i].unit)))
            return bad(err, "metadata is not valid UTF-8 or has no name");
    }
    if (!cur_ok(&d->c) || !cur_done(&d->c))
        return bad(err, "the end is not where it should be");
    out->meta = meta;
    out->n_meta = (size_t)n;
    return true;
}

static bool decode_raw(struct str raw, struct arena *a, struct agentwire_record *out,
                       struct err *err) {
    struct decoder d = {.c = cur_from(raw), .a = a};
    struct agentwire_record r = {0};
    uint64_t kind = cur_varint(&d.c);
    if (!cur_ok(&d.c) || kind > SOURCE_SELF)
        return bad(err, "an unknown kind of source");
    r.kind = (enum source_kind)kind;
    r.source = cur_bytes(&d.c, cur_varint(&d.c));
    if (!cur_ok(&d.c) || r.source.n > LIMIT_LABEL_NAME_BYTES || !str_is_utf8(r.source))
        return bad(err, "the name of the source is cut, too long or not UTF-8");
    if (!read_symbols(&d, err) || !read_series(&d, err) || !read_rows(&d, &r, err) ||
        !read_meta(&d, &r, err))
        return false;
    *out = r;
    return true;
}

bool agentwire_decode(struct str bytes, struct arena *a, struct agentwire_record *out,
                      struct err *err) {
    if (bytes.n < 1 || bytes.n > AGENTWIRE_RECORD_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "agent record: %zu bytes, expected 1 to %zu", bytes.n,
                       AGENTWIRE_RECORD_BYTES_MAX);
    if ((unsigned char)bytes.p[0] != AGENTWIRE_VERSION)
        return err_set(err, ERR_UNSUPPORTED,
                       "agent record: version %u; this server reads version %d: update it",
                       (unsigned char)bytes.p[0], AGENTWIRE_VERSION);
    struct buf raw = BUF_INIT_MAX(AGENTWIRE_RECORD_RAW_BYTES_MAX + 64);
    bool ok = compress_unzstd(str_from_offset(bytes, 1), AGENTWIRE_RECORD_RAW_BYTES_MAX, &raw, err);
    if (!ok)
        err_prefix(err, "agent record");
    struct str copy = {0};
    if (ok) {
        copy = arena_str(a, buf_view(&raw)); /* labels and symbols point into it */
        ok = copy.p ? decode_raw(copy, a, out, err) : arena_err(a, err);
    }
    buf_deinit(&raw);
    return ok;
}

void agentwire_message_begin(struct buf *out) {
    buf_put(out, message_magic, sizeof(message_magic));
}

void agentwire_message_add(struct buf *out, const struct agentwire_part *p) {
    buf_varint(out, p->segment);
    buf_varint(out, p->offset);
    buf_varint(out, p->record.n);
    buf_le32(out, crc32c(0, p->record.p, p->record.n));
    buf_puts(out, p->record);
}

bool agentwire_message_open(struct str bytes, struct cur *out, struct err *err) {
    struct cur c = cur_from(bytes);
    struct str magic = cur_bytes(&c, sizeof(message_magic));
    if (!cur_ok(&c) || memcmp(magic.p, message_magic, 3) != 0)
        return err_set(err, ERR_BAD_INPUT, "agent message: expected it to begin with HNA");
    if (magic.p[3] != message_magic[3])
        return err_set(err, ERR_UNSUPPORTED,
                       "agent message: version %u; this server reads version %d: update it",
                       (unsigned char)magic.p[3], AGENTWIRE_VERSION);
    *out = c;
    return true;
}

bool agentwire_message_next(struct cur *c, struct agentwire_part *out, struct err *err) {
    if (cur_done(c) && cur_ok(c))
        return false;
    struct agentwire_part p;
    p.segment = cur_varint(c);
    p.offset = cur_varint(c);
    uint64_t n = cur_varint(c);
    uint32_t crc = cur_le32(c);
    p.record = cur_bytes(c, n);
    if (!cur_ok(c) || n == 0 || p.segment == 0 || p.offset == 0)
        return err_set(err, ERR_BAD_INPUT, "agent message: a record is cut or has no position");
    if (crc32c(0, p.record.p, p.record.n) != crc)
        return err_set(err, ERR_BAD_INPUT,
                       "agent message: the checksum of the record at %llu/%llu does not match",
                       (unsigned long long)p.segment, (unsigned long long)p.offset);
    *out = p;
    return true;
}
