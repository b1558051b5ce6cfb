#include "store/series/block.h"

#include "base/cur.h"
#include "base/hash.h"
#include "base/limits.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool parse_footer(struct block *b, struct err *err) {
    const uint8_t *f = b->map.p + b->map.n - BLOCK_FOOTER_BYTES;
    uint32_t crc, version;
    memcpy(&version, b->map.p + 8, 4);
    memcpy(&crc, b->map.p + BLOCK_HEADER_BYTES - 4, 4);
    if (memcmp(b->map.p, BLOCK_MAGIC, 8) != 0 || crc != crc32c(0, b->map.p, BLOCK_HEADER_BYTES - 4))
        return err_set(err, ERR_CORRUPT, "%s: the header is not what was written", b->path);
    if (version > BLOCK_VERSION)
        return err_set(err, ERR_CONFLICT,
                       "%s was written by a newer hinomi (format %u, this one knows %d); run that "
                       "version, or restore a "
                       "backup made before the upgrade",
                       b->path, version, BLOCK_VERSION);
    memcpy(&crc, f + BLOCK_FOOTER_BYTES - 4, 4);
    if (memcmp(f, BLOCK_MAGIC, 8) != 0 || crc != crc32c(0, f, BLOCK_FOOTER_BYTES - 4))
        return err_set(err, ERR_CORRUPT, "%s: the footer is not what was written", b->path);
    struct cur c = cur_from(str_make((const char *)f + 12, BLOCK_FOOTER_BYTES - 12));
    b->info.level = cur_le32(&c);
    b->info.samples = cur_le64(&c);
    b->info.min_ts = (int64_t)cur_le64(&c);
    b->info.max_ts = (int64_t)cur_le64(&c);
    b->info.series = cur_le32(&c);
    b->n_cols = cur_le32(&c);
    b->n_segs = cur_le32(&c);
    b->n_names = cur_le32(&c);
    b->n_pairs = cur_le32(&c);
    b->file_crc = cur_le32(&c);
    for (int i = 0; i < SECTION_COUNT; i++) {
        struct block_section *s = &b->section[i];
        s->offset = cur_le64(&c);
        s->bytes = cur_le64(&c);
        s->crc = cur_le32(&c);
        (void)cur_le32(&c);
        if (s->offset > b->map.n || s->bytes > b->map.n - s->offset || s->offset % 8)
            return err_set(err, ERR_CORRUPT, "%s: a section lies outside of the file", b->path);
    }
    if (b->section[SECTION_SERIES].bytes !=
            (uint64_t)b->info.series * sizeof(struct block_series_entry) ||
        b->section[SECTION_COLS].bytes != b->n_cols * sizeof(struct block_col_entry) ||
        b->section[SECTION_SEGS].bytes != b->n_segs * sizeof(struct block_seg_entry) ||
        b->section[SECTION_NAMES].bytes != b->n_names * sizeof(struct block_name_entry) ||
        b->section[SECTION_PAIRS].bytes != b->n_pairs * sizeof(struct block_pair_entry))
        return err_set(err, ERR_CORRUPT,
                       "%s: a section does not have the size that its count asks for", b->path);
    return true;
}

static bool parse_map(struct block *b, struct err *err) {
    if (b->map.n < BLOCK_HEADER_BYTES + BLOCK_FOOTER_BYTES)
        return err_set(err, ERR_CORRUPT, "%s has %zu bytes; a block has at least %d", b->path,
                       b->map.n, BLOCK_HEADER_BYTES + BLOCK_FOOTER_BYTES);
    return parse_footer(b, err);
}

struct block *block_open(const char *dir, const char *name, struct err *err) {
    struct block *b = calloc(1, sizeof(*b));
    if (!b) {
        err_set(err, ERR_INTERNAL, "out of memory opening %s", name);
        return NULL;
    }
    atomic_init(&b->refs, 1);
    (void)snprintf(b->path, sizeof(b->path), "%s/%s", dir, name);
    (void)snprintf(b->name, sizeof(b->name), "%s", name);
    if (!sio_map(b->path, &b->map, err) || !parse_map(b, err)) {
        sio_unmap(&b->map);
        free(b);
        return NULL;
    }
    return b;
}

struct block *block_view(struct str bytes, struct err *err) {
    struct block *b = calloc(1, sizeof(*b));
    if (!b) {
        err_set(err, ERR_INTERNAL, "out of memory");
        return NULL;
    }
    atomic_init(&b->refs, 1);
    b->borrowed = true;
    b->map = (struct sio_map){(const uint8_t *)bytes.p, bytes.n};
    if (!parse_map(b, err)) {
        free(b);
        return NULL;
    }
    return b;
}

struct block *block_ref(struct block *b) {
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void block_unref(struct block *b) {
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (!b->borrowed)
        sio_unmap(&b->map);
    if (atomic_load(&b->unlink_last))
        (void)unlink(b->path);
    free(b);
}

static const void *section(const struct block *b, int i) {
    return b->map.p + b->section[i].offset;
}

static bool corrupt(struct block *b, struct err *err, const char *what) {
    if (!atomic_exchange(&b->corrupt, true))
        (void)snprintf(b->why, sizeof(b->why), "%s", what);
    return err_set(err, ERR_CORRUPT,
                   "block %s: %s; it will be set aside, and what it alone held cannot be answered",
                   b->name, what);
}

const struct block_col_entry *block_col(const struct block *b, uint32_t i) {
    return (const struct block_col_entry *)section(b, SECTION_COLS) + i;
}
const struct block_seg_entry *block_seg(const struct block *b, uint32_t i) {
    return (const struct block_seg_entry *)section(b, SECTION_SEGS) + i;
}
const struct block_series_entry *block_series(const struct block *b, uint32_t i) {
    return (const struct block_series_entry *)section(b, SECTION_SERIES) + i;
}
const struct block_name_entry *block_names(const struct block *b) {
    return section(b, SECTION_NAMES);
}
static const struct block_pair_entry *pair_at(const struct block *b, uint32_t i) {
    return (const struct block_pair_entry *)section(b, SECTION_PAIRS) + i;
}
static struct str text_at(const struct block *b, uint32_t at, uint32_t n) {
    return str_make((const char *)section(b, SECTION_TEXT) + at, n);
}
struct str block_name_text(const struct block *b, uint32_t i) {
    return text_at(b, block_names(b)[i].text, block_names(b)[i].bytes);
}
struct str block_pair_text(const struct block *b, uint32_t i) {
    return text_at(b, pair_at(b, i)->text, pair_at(b, i)->bytes);
}

/* References between sections, so that nothing below needs to check again. */
static bool check_refs(const struct block *b) {
    uint64_t text = b->section[SECTION_TEXT].bytes, pair = 0, seg = 0;
    for (uint32_t i = 0; i < b->n_names; i++) {
        const struct block_name_entry *n = &block_names(b)[i];
        if ((uint64_t)n->text + n->bytes > text || n->first_pair != pair ||
            n->n_pairs > b->n_pairs - pair)
            return false;
        pair += n->n_pairs;
    }
    for (uint32_t i = 0; i < b->n_pairs; i++) {
        const struct block_pair_entry *p = pair_at(b, i);
        if ((uint64_t)p->text + p->bytes > text ||
            p->posting >= b->section[SECTION_POSTINGS].bytes || p->name >= b->n_names)
            return false;
    }
    for (uint32_t i = 0; i < b->n_cols; i++) {
        const struct block_col_entry *c = block_col(b, i);
        uint64_t n = ((uint64_t)c->n + VALCODEC_N_MAX - 1) / VALCODEC_N_MAX;
        if (c->first_seg != seg || n > b->n_segs - seg)
            return false;
        seg += n;
    }
    for (uint32_t i = 0; i < b->n_segs; i++)
        if (block_seg(b, i)->offset > b->map.n ||
            block_seg(b, i)->bytes > b->map.n - block_seg(b, i)->offset)
            return false;
    for (uint32_t i = 0; i < b->info.series; i++) {
        const struct block_series_entry *e = block_series(b, i);
        if (e->labels >= b->section[SECTION_LABELS].bytes || e->col >= b->n_cols || !e->n ||
            (uint64_t)e->start + e->n > block_col(b, e->col)->n || e->data > b->map.n)
            return false;
    }
    struct cur c = cur_from(str_make(section(b, SECTION_LABELS), b->section[SECTION_LABELS].bytes));
    for (uint32_t i = 0; i < b->info.series; i++) {
        if (block_series(b, i)->labels !=
            (size_t)((const char *)c.p - (const char *)section(b, SECTION_LABELS)))
            return false;
        uint64_t n = cur_varint(&c);
        if (n > LIMIT_LABELS_PER_SERIES)
            return false;
        for (uint64_t k = 0; k < n; k++)
            if (cur_varint(&c) >= b->n_pairs)
                return false;
    }
    return cur_ok(&c) && cur_done(&c) && pair == b->n_pairs && seg == b->n_segs;
}

bool block_check_index(struct block *b, struct err *err) {
    int state = atomic_load_explicit(&b->index_state, memory_order_acquire);
    if (state == 0) {
        state = 1;
        for (int i = 0; i < SECTION_COUNT; i++)
            if (crc32c(0, section(b, i), b->section[i].bytes) != b->section[i].crc)
                state = 2;
        if (state == 1 && !check_refs(b))
            state = 2;
        atomic_store_explicit(&b->index_state, state, memory_order_release);
    }
    return state == 1 || corrupt(b, err, "its index is not what was written");
}

struct labels block_labels(const struct block *b, uint32_t id, struct label *storage) {
    const struct block_section *s = &b->section[SECTION_LABELS];
    uint32_t at = block_series(b, id)->labels;
    struct cur c = cur_from(str_make((const char *)section(b, SECTION_LABELS) + at, s->bytes - at));
    uint32_t n = (uint32_t)cur_varint(&c);
    const struct block_pair_entry *pairs = section(b, SECTION_PAIRS);
    const struct block_name_entry *names = section(b, SECTION_NAMES);
    for (uint32_t i = 0; i < n; i++) {
        const struct block_pair_entry *p = &pairs[cur_varint(&c)];
        storage[i].name = text_at(b, names[p->name].text, names[p->name].bytes);
        storage[i].value = text_at(b, p->text, p->bytes);
    }
    return (struct labels){storage, n};
}

uint32_t block_find(const struct block *b, struct labels ls) {
    struct label storage[LIMIT_LABELS_PER_SERIES];
    uint32_t lo = 0, hi = b->info.series;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = labels_cmp(block_labels(b, mid, storage), ls);
        if (c == 0)
            return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return UINT32_MAX;
}

/* Index */

static bool posting_runs(struct cur *c, uint64_t n, uint32_t series, roaring_bitmap_t *r) {
    uint64_t end = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t gap = cur_varint(c), more = cur_varint(c);
        if (!cur_ok(c) || gap > series || more > series || end + gap + more >= series)
            return false;
        roaring_bitmap_add_range(r, end + gap, end + gap + more + 1);
        end += gap + more + 1;
    }
    return true;
}

static bool posting_list(struct cur *c, uint64_t n, uint32_t series, roaring_bitmap_t *r) {
    uint32_t ids[512], k = 0;
    uint64_t id = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t gap = cur_varint(c);
        if (!cur_ok(c) || gap > series || (i && !gap) || (id += gap) >= series)
            return false;
        ids[k++] = (uint32_t)id;
        if (k == sizeof(ids) / sizeof(ids[0]) || i + 1 == n) {
            roaring_bitmap_add_many(r, k, ids);
            k = 0;
        }
    }
    return true;
}

roaring_bitmap_t *block_posting(const struct block *b, uint32_t pair) {
    uint32_t at = pair_at(b, pair)->posting;
    struct cur c = cur_from(str_make((const char *)section(b, SECTION_POSTINGS) + at,
                                     b->section[SECTION_POSTINGS].bytes - at));
    unsigned kind = cur_u8(&c);
    uint64_t n = cur_varint(&c);
    roaring_bitmap_t *r = roaring_bitmap_create();
    bool ok = r && cur_ok(&c) &&
              (kind == POSTING_KIND_LIST   ? posting_list(&c, n, b->info.series, r)
               : kind == POSTING_KIND_RUNS ? posting_runs(&c, n, b->info.series, r)
                                           : false);
    if (!ok && r)
        roaring_bitmap_free(r);
    return ok ? r : NULL;
}

static const struct block_name_entry *find_name(const struct block *b, struct str name) {
    uint32_t lo = 0, hi = b->n_names;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(block_name_text(b, mid), name);
        if (c == 0)
            return &block_names(b)[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static roaring_bitmap_t *ix_all(void *self) {
    const struct block *b = self;
    return b->info.series ? roaring_bitmap_from_range(0, b->info.series, 1)
                          : roaring_bitmap_create();
}

static roaring_bitmap_t *ix_get(void *self, struct str name, struct str value) {
    const struct block *b = self;
    const struct block_name_entry *n = find_name(b, name);
    uint32_t lo = n ? n->first_pair : 0, hi = n ? n->first_pair + n->n_pairs : 0;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(block_pair_text(b, mid), value);
        if (c == 0)
            return block_posting(b, mid);
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return roaring_bitmap_create();
}

static roaring_bitmap_t *ix_scan(void *self, const struct matcher *m, bool want) {
    const struct block *b = self;
    const struct block_name_entry *n = find_name(b, m->name);
    roaring_bitmap_t *sum = roaring_bitmap_create();
    for (uint32_t i = 0; sum && n && i < n->n_pairs; i++) {
        if (matcher_matches(m, block_pair_text(b, n->first_pair + i)) != want)
            continue;
        roaring_bitmap_t *p = block_posting(b, n->first_pair + i);
        if (!p) {
            roaring_bitmap_free(sum);
            return NULL;
        }
        roaring_bitmap_or_inplace(sum, p);
        roaring_bitmap_free(p);
    }
    return sum;
}

struct pindex block_index(struct block *b) {
    return (struct pindex){b, ix_all, ix_get, ix_scan};
}

/* Data */

bool block_read_seg(struct block *b, uint32_t seg, size_t n, int64_t *out, struct err *err) {
    const struct block_seg_entry *s = block_seg(b, seg);
    const uint8_t *p = b->map.p + s->offset;
    if (crc32c(0, p, s->bytes) != s->crc ||
        !valcodec_ints_decode(str_make((const char *)p, s->bytes), out, n) ||
        out[0] != s->first_ts || out[n - 1] != s->last_ts)
        return corrupt(b, err, "timestamps are not what was written");
    return true;
}

bool block_read_values(struct block *b, const struct block_series_entry *e, uint32_t from,
                       uint32_t n, double *out, struct err *err) {
    assert(n && (uint64_t)from + n <= e->n);
    uint64_t offset = e->data;
    uint32_t at = 0, end = from + n;
    while (at < end) {
        uint32_t room = VALCODEC_N_MAX - (e->start + at) % VALCODEC_N_MAX,
                 k = e->n - at < room ? e->n - at : room;
        uint32_t bytes, crc;
        if (b->map.n - offset < BLOCK_CHUNK_HEADER_BYTES)
            return corrupt(b, err, "a chunk lies outside of the file");
        memcpy(&bytes, b->map.p + offset, 4);
        memcpy(&crc, b->map.p + offset + 4, 4);
        offset += BLOCK_CHUNK_HEADER_BYTES;
        if (bytes > b->map.n - offset)
            return corrupt(b, err, "a chunk lies outside of the file");
        if (at + k > from) {
            struct str s = str_make((const char *)b->map.p + offset, bytes);
            if (crc32c(crc32c(0, &bytes, 4), s.p, s.n) != crc)
                return corrupt(b, err, "values are not what was written");
            uint32_t lo = at < from ? from - at : 0, hi = at + k > end ? end - at : k;
            double part[VALCODEC_N_MAX], *to = lo == 0 && hi == k ? out : part;
            if (!valcodec_decode(s, to, k))
                return corrupt(b, err, "values cannot be decoded");
            if (to == part)
                memcpy(out, part + lo, (hi - lo) * sizeof(double));
            out += hi - lo;
        }
        offset += bytes;
        at += k;
    }
    return true;
}

bool block_verify(struct block *b, struct err *err) {
    if (!block_check_index(b, err))
        return false;
    if (crc32c(0, b->map.p, b->map.n - BLOCK_FOOTER_BYTES) != b->file_crc)
        return corrupt(b, err, "the file as a whole is not what was written");
    int64_t ts[VALCODEC_N_MAX];
    for (uint32_t i = 0; i < b->n_cols; i++) {
        const struct block_col_entry *c = block_col(b, i);
        int64_t last = 0;
        for (uint32_t at = 0; at < c->n; at += VALCODEC_N_MAX) {
            uint32_t k = c->n - at < VALCODEC_N_MAX ? c->n - at : VALCODEC_N_MAX;
            if (!block_read_seg(b, c->first_seg + at / VALCODEC_N_MAX, k, ts, err))
                return false;
            for (uint32_t j = 0; j < k; j++) {
                if ((at || j) && ts[j] <= last)
                    return corrupt(b, err, "timestamps do not increase");
                last = ts[j];
            }
        }
    }
    for (uint32_t i = 0; i < b->n_pairs; i++) {
        roaring_bitmap_t *p = block_posting(b, i);
        bool ok = p && !roaring_bitmap_is_empty(p) && roaring_bitmap_maximum(p) < b->info.series;
        if (p)
            roaring_bitmap_free(p);
        if (!ok)
            return corrupt(b, err, "a posting list is not sound");
    }
    double *v = malloc(VALCODEC_N_MAX * sizeof(*v));
    bool ok = v || err_set(err, ERR_INTERNAL, "out of memory");
    for (uint32_t i = 0; ok && i < b->info.series; i++) {
        const struct block_series_entry *e = block_series(b, i);
        for (uint32_t at = 0; ok && at < e->n;) {
            uint32_t room = VALCODEC_N_MAX - (e->start + at) % VALCODEC_N_MAX,
                     k = e->n - at < room ? e->n - at : room;
            ok = block_read_values(b, e, at, k, v, err);
            at += k;
        }
    }
    free(v);
    return ok;
}
