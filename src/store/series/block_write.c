#include "store/series/block.h"

#include "base/buf.h"
#include "base/cur.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/map.h"
#include "os/file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FLUSH_BYTES ((size_t)1 << 20)
#define JOIN_ENTRIES                                                                               \
    (1u << 16) /* where timestamp columns hold which moment; a miss costs a column, not truth */

struct wcol {
    int64_t *ts;
    uint32_t n, cap;
};
struct wpair {
    struct str name, value; /* owned, one block */
    struct buf ids;         /* varint deltas of series numbers */
    uint32_t last, n, sorted;
};
struct wjoin {
    int64_t ts;
    uint32_t col1, idx;
};

struct wjoin_run {
    uint32_t col, start, n; /* n 0: empty */
};
#define RUN_ENTRIES 4096u

struct block_writer {
    char tmp[SIO_PATH_MAX], path[SIO_PATH_MAX], dir[SIO_PATH_MAX];
    int fd;
    uint64_t offset;   /* of the file's end, buffered bytes included */
    uint32_t file_crc; /* of everything up to offset */
    struct buf out;
    struct block_info info;
    struct wcol *cols;
    uint32_t n_cols, cap_cols;
    struct wjoin *join;
    struct wjoin_run
        *runs; /* by hash of the whole run: scrapes of many targets interleave in label order */
    struct map pairs; /* name 0xff value -> struct wpair * */
    struct wpair **pair_v;
    uint32_t n_pairs, cap_pairs;
    uint32_t prev[LIMIT_LABELS_PER_SERIES], n_prev; /* pair numbers of the series before */
    struct buf series,
        label_ids; /* entries; per series: u8 n, u32 pair numbers in order of appearance */
    struct buf key;
};

struct block_writer *block_writer_new(const char *dir, const char *name, uint32_t level,
                                      struct err *err) {
    struct block_writer *w = calloc(1, sizeof(*w));
    if (w) {
        w->join = calloc(JOIN_ENTRIES, sizeof(*w->join));
        w->runs = calloc(RUN_ENTRIES, sizeof(*w->runs));
    }
    if (!w || !w->join || !w->runs) {
        if (w) {
            free(w->join);
            free(w->runs);
        }
        free(w);
        err_set(err, ERR_INTERNAL, "out of memory for a block");
        return NULL;
    }
    w->fd = -1;
    w->info = (struct block_info){.min_ts = INT64_MAX, .max_ts = INT64_MIN, .level = level};
    (void)snprintf(w->dir, sizeof(w->dir), "%s", dir);
    int a = snprintf(w->path, sizeof(w->path), "%s/%s", dir, name);
    int b = snprintf(w->tmp, sizeof(w->tmp), "%s/%s.tmp", dir, name);
    bool ok = a > 0 && b > 0 && (size_t)a < sizeof(w->path) && (size_t)b < sizeof(w->tmp);
    if (!ok)
        err_set(err, ERR_INTERNAL, "path too long: %s", dir);
    if (ok) {
        (void)unlink(w->tmp);
        ok = sio_create(w->tmp, &w->fd, err);
    }
    if (!ok) {
        w->fd = -1;
        block_writer_abort(w);
        return NULL;
    }
    uint8_t h[BLOCK_HEADER_BYTES] = BLOCK_MAGIC;
    uint32_t version = BLOCK_VERSION;
    memcpy(h + 8, &version, 4);
    uint32_t crc = crc32c(0, h, sizeof(h) - 4);
    memcpy(h + sizeof(h) - 4, &crc, 4);
    buf_put(&w->out, h, sizeof(h));
    w->offset = sizeof(h);
    w->file_crc = crc32c(0, h, sizeof(h));
    return w;
}

static void writer_free(struct block_writer *w) {
    file_close(w->fd);
    buf_deinit(&w->out);
    buf_deinit(&w->series);
    buf_deinit(&w->label_ids);
    buf_deinit(&w->key);
    for (uint32_t i = 0; i < w->n_cols; i++)
        free(w->cols[i].ts);
    free(w->cols);
    free(w->join);
    free(w->runs);
    for (uint32_t i = 0; i < w->n_pairs; i++) {
        buf_deinit(&w->pair_v[i]->ids);
        free((void *)(uintptr_t)w->pair_v[i]->name.p);
        free(w->pair_v[i]);
    }
    free(w->pair_v);
    map_deinit(&w->pairs);
    free(w);
}

void block_writer_abort(struct block_writer *w) {
    if (!w)
        return;
    if (w->fd >= 0)
        (void)unlink(w->tmp);
    writer_free(w);
}

bool block_writer_empty(const struct block_writer *w) {
    return w->info.series == 0;
}

static bool flush_out(struct block_writer *w, struct err *err) {
    if (!buf_ok(&w->out))
        return err_set(err, ERR_INTERNAL, "out of memory writing a block");
    if (!w->out.n)
        return true;
    uint64_t at = w->offset - w->out.n;
    if (!sio_write(w->fd, w->out.p, w->out.n, at, w->tmp, err))
        return false;
    buf_reset(&w->out);
    return true;
}

static bool put(struct block_writer *w, const void *p, size_t n, struct err *err) {
    buf_put(&w->out, p, n);
    w->offset += n;
    w->file_crc = crc32c(w->file_crc, p, n);
    return w->out.n < FLUSH_BYTES || flush_out(w, err);
}

/* Timestamp columns */

static struct wjoin *join_slot(struct block_writer *w, int64_t ts) {
    return &w->join[((uint64_t)ts * UINT64_C(0x9e3779b97f4a7c15)) >> 48];
}

static bool col_append(struct block_writer *w, uint32_t col, const int64_t *ts, size_t n) {
    struct wcol *c = &w->cols[col];
    if (c->n + n > c->cap) {
        size_t cap = c->n + n;
        int64_t *p = realloc(c->ts, cap * sizeof(*p));
        if (!p)
            return false;
        c->ts = p;
        c->cap = (uint32_t)cap;
    }
    memcpy(c->ts + c->n, ts, n * sizeof(*ts));
    for (size_t i = 0; i < n; i++)
        *join_slot(w, ts[i]) = (struct wjoin){ts[i], col + 1, c->n + (uint32_t)i};
    c->n += (uint32_t)n;
    return true;
}

/* A run that was added before: whole, as part of a column, or as the beginning of one that may
 * grow. */
static bool known_col(struct block_writer *w, struct wjoin_run *run, const int64_t *ts, size_t n,
                      uint32_t *out_col, uint32_t *out_start) {
    if (run->n == n && memcmp(w->cols[run->col].ts + run->start, ts, n * sizeof(*ts)) == 0) {
        *out_col = run->col;
        *out_start = run->start;
        return true;
    }
    const struct wjoin *j = join_slot(w, ts[0]);
    if (!j->col1 || j->ts != ts[0])
        return false;
    uint32_t col = j->col1 - 1, idx = j->idx;
    size_t have = w->cols[col].n - idx, k = have < n ? have : n;
    if (memcmp(w->cols[col].ts + idx, ts, k * sizeof(*ts)) != 0 ||
        (k < n && !col_append(w, col, ts + k, n - k)))
        return false;
    *out_col = col;
    *out_start = idx;
    return true;
}

static bool find_col(struct block_writer *w, const int64_t *ts, size_t n, uint32_t *out_col,
                     uint32_t *out_start) {
    struct wjoin_run *run = &w->runs[hash_bytes(ts, n * sizeof(*ts)) % RUN_ENTRIES];
    if (known_col(w, run, ts, n, out_col, out_start)) {
        *run = (struct wjoin_run){*out_col, *out_start, (uint32_t)n};
        return true;
    }
    if (w->n_cols == w->cap_cols) {
        uint32_t cap = w->cap_cols ? w->cap_cols * 2 : 16;
        struct wcol *v = realloc(w->cols, cap * sizeof(*v));
        if (!v)
            return false;
        w->cols = v;
        w->cap_cols = cap;
    }
    w->cols[w->n_cols] = (struct wcol){0};
    if (!col_append(w, w->n_cols, ts, n))
        return false;
    *run = (struct wjoin_run){w->n_cols, 0, (uint32_t)n};
    *out_col = w->n_cols++;
    *out_start = 0;
    return true;
}

/* Labels */

static struct wpair *pair_new(struct block_writer *w, struct label l) {
    if (w->n_pairs == w->cap_pairs) {
        uint32_t cap = w->cap_pairs ? w->cap_pairs * 2 : 256;
        struct wpair **v = realloc(w->pair_v, cap * sizeof(struct wpair *));
        if (!v)
            return NULL;
        w->pair_v = v;
        w->cap_pairs = cap;
    }
    struct wpair *p = calloc(1, sizeof(*p));
    char *text = malloc(l.name.n + l.value.n + 1);
    if (!p || !text || !map_put(&w->pairs, buf_view(&w->key), p, NULL)) {
        free(p);
        free(text);
        return NULL;
    }
    memcpy(text, l.name.p, l.name.n);
    memcpy(text + l.name.n, l.value.p, l.value.n);
    p->name = str_make(text, l.name.n);
    p->value = str_make(text + l.name.n, l.value.n);
    p->sorted = w->n_pairs;
    w->pair_v[w->n_pairs++] = p;
    return p;
}

static bool add_labels(struct block_writer *w, struct labels ls) {
    uint32_t id = w->info.series;
    if (ls.n > LIMIT_LABELS_PER_SERIES)
        return false;
    buf_putc(&w->label_ids, (char)ls.n);
    for (uint32_t i = 0; i < ls.n; i++) {
        struct wpair *p = i < w->n_prev ? w->pair_v[w->prev[i]] : NULL;
        if (!p || !str_eq(p->value, ls.l[i].value) || !str_eq(p->name, ls.l[i].name)) {
            buf_reset(&w->key);
            buf_puts(&w->key, ls.l[i].name);
            buf_putc(&w->key, (char)0xff); /* not a byte of UTF-8 */
            buf_puts(&w->key, ls.l[i].value);
            p = map_get(&w->pairs, buf_view(&w->key));
            if (!p && !(p = pair_new(w, ls.l[i])))
                return false;
        }
        buf_varint(&p->ids, p->n ? id - p->last : id);
        p->last = id;
        p->n++;
        w->prev[i] = p->sorted;
        buf_le32(&w->label_ids, p->sorted);
        if (!buf_ok(&p->ids))
            return false;
    }
    w->n_prev = ls.n;
    return buf_ok(&w->label_ids);
}

bool block_writer_add(struct block_writer *w, struct labels ls, const int64_t *ts, const double *v,
                      size_t n, struct err *err) {
    uint32_t col, start;
    assert(n && n < UINT32_MAX && w->info.series < BLOCK_SERIES_MAX);
    if (!find_col(w, ts, n, &col, &start) || !add_labels(w, ls))
        return err_set(err, ERR_INTERNAL, "out of memory writing a block");
    struct block_series_entry e = {w->offset, 0, col, start, (uint32_t)n};
    buf_put(&w->series, &e, sizeof(e));
    static _Thread_local uint8_t
        space[BLOCK_CHUNK_HEADER_BYTES + VALCODEC_BYTES_MAX(VALCODEC_N_MAX)];
    for (size_t at = 0; at < n;) {
        size_t room = VALCODEC_N_MAX - (start + at) % VALCODEC_N_MAX,
               k = n - at < room ? n - at : room;
        uint32_t bytes = (uint32_t)valcodec_encode(v + at, k, space + BLOCK_CHUNK_HEADER_BYTES);
        uint32_t crc = crc32c(crc32c(0, &bytes, 4), space + BLOCK_CHUNK_HEADER_BYTES, bytes);
        memcpy(space, &bytes, 4);
        memcpy(space + 4, &crc, 4);
        if (!put(w, space, BLOCK_CHUNK_HEADER_BYTES + bytes, err))
            return false;
        at += k;
    }
    w->info.series++;
    w->info.samples += n;
    if (ts[0] < w->info.min_ts)
        w->info.min_ts = ts[0];
    if (ts[n - 1] > w->info.max_ts)
        w->info.max_ts = ts[n - 1];
    return true;
}

/* Sections */

static bool put_section(struct block_writer *w, struct block_section *s, const struct buf *b,
                        struct err *err) {
    static const char zero[8];
    if (!buf_ok(b))
        return err_set(err, ERR_INTERNAL, "out of memory writing a block");
    if (!put(w, zero, (8 - w->offset % 8) % 8, err))
        return false;
    *s = (struct block_section){w->offset, b->n, crc32c(0, b->p, b->n)};
    return put(w, b->p, b->n, err);
}

static bool put_columns(struct block_writer *w, struct block_section *sections, struct err *err) {
    static _Thread_local uint8_t space[VALCODEC_BYTES_MAX(VALCODEC_N_MAX)];
    struct buf cols = BUF_INIT, segs = BUF_INIT;
    uint32_t n_segs = 0;
    bool ok = true;
    for (uint32_t i = 0; ok && i < w->n_cols; i++) {
        const struct wcol *c = &w->cols[i];
        struct block_col_entry ce = {n_segs, c->n};
        buf_put(&cols, &ce, sizeof(ce));
        for (uint32_t at = 0; ok && at < c->n; at += VALCODEC_N_MAX, n_segs++) {
            uint32_t k = c->n - at < VALCODEC_N_MAX ? c->n - at : VALCODEC_N_MAX;
            uint32_t bytes = (uint32_t)valcodec_ints_encode(c->ts + at, k, space);
            struct block_seg_entry se = {w->offset, bytes, crc32c(0, space, bytes), c->ts[at],
                                         c->ts[at + k - 1]};
            buf_put(&segs, &se, sizeof(se));
            ok = put(w, space, bytes, err);
        }
    }
    ok = ok && put_section(w, &sections[SECTION_COLS], &cols, err) &&
         put_section(w, &sections[SECTION_SEGS], &segs, err);
    buf_deinit(&cols);
    buf_deinit(&segs);
    return ok;
}

static int cmp_pairs(const void *a, const void *b) {
    const struct wpair *x = *(struct wpair *const *)a, *y = *(struct wpair *const *)b;
    int c = str_cmp(x->name, y->name);
    return c ? c : str_cmp(x->value, y->value);
}

/* A list of differences, or runs of neighbours: whichever is shorter. */
static bool put_posting(struct block_writer *w, struct buf *out, const struct wpair *p) {
    struct buf *runs = &w->key;
    struct cur c = cur_from(buf_view(&p->ids));
    uint32_t id = 0, from = 0, end = 0, n_runs = 0; /* [from, end) is the run at hand */
    buf_reset(runs);
    for (uint32_t i = 0, last_end = 0; i <= p->n; i++) {
        if (i < p->n)
            id += (uint32_t)cur_varint(&c);
        if (i < p->n && i && id == end) {
            end++;
            continue;
        }
        if (i) {
            buf_varint(runs, from - last_end);
            buf_varint(runs, end - from - 1);
            last_end = end;
            n_runs++;
        }
        from = id;
        end = id + 1;
    }
    bool shorter = runs->n < p->ids.n;
    buf_putc(out, shorter ? POSTING_KIND_RUNS : POSTING_KIND_LIST);
    buf_varint(out, shorter ? n_runs : p->n);
    buf_puts(out, shorter ? buf_view(runs) : buf_view(&p->ids));
    return buf_ok(runs) && buf_ok(out);
}

/* names, pairs, their text and postings; afterwards pair_v[i]->sorted is still by appearance: map[]
 * has the rank */
static bool put_symbols(struct block_writer *w, struct block_section *sections, uint32_t *rank,
                        uint32_t *out_names, struct err *err) {
    struct wpair **v = malloc((w->n_pairs + 1) * sizeof(struct wpair *));
    struct buf names = BUF_INIT, pairs = BUF_INIT, text = BUF_INIT, postings = BUF_INIT;
    bool ok = v != NULL;
    if (!ok)
        return err_set(err, ERR_INTERNAL, "out of memory writing a block");
    memcpy(v, w->pair_v, w->n_pairs * sizeof(struct wpair *));
    qsort(v, w->n_pairs, sizeof(struct wpair *), cmp_pairs);
    struct block_name_entry name = {0};
    uint32_t n_names = 0;
    for (uint32_t i = 0; ok && i < w->n_pairs; i++) {
        rank[v[i]->sorted] = i;
        if (i == 0 || !str_eq(v[i]->name, v[i - 1]->name)) {
            if (i)
                buf_put(&names, &name, sizeof(name));
            name = (struct block_name_entry){(uint32_t)text.n, (uint32_t)v[i]->name.n, i, 0};
            buf_puts(&text, v[i]->name);
            n_names++;
        }
        name.n_pairs++;
        struct block_pair_entry p = {(uint32_t)text.n, (uint32_t)v[i]->value.n,
                                     (uint32_t)postings.n, n_names - 1};
        buf_puts(&text, v[i]->value);
        buf_put(&pairs, &p, sizeof(p));
        ok = put_posting(w, &postings, v[i]);
    }
    if (n_names)
        buf_put(&names, &name, sizeof(name));
    if (!ok || text.n > UINT32_MAX || postings.n > UINT32_MAX)
        ok = err_set(err, ERR_INTERNAL, "out of memory, or too many labels for one block");
    ok = ok && put_section(w, &sections[SECTION_NAMES], &names, err) &&
         put_section(w, &sections[SECTION_PAIRS], &pairs, err) &&
         put_section(w, &sections[SECTION_TEXT], &text, err) &&
         put_section(w, &sections[SECTION_POSTINGS], &postings, err);
    *out_names = n_names;
    buf_deinit(&names);
    buf_deinit(&pairs);
    buf_deinit(&text);
    buf_deinit(&postings);
    free(v);
    return ok;
}

static bool put_series(struct block_writer *w, struct block_section *sections, const uint32_t *rank,
                       struct err *err) {
    struct buf labels = BUF_INIT;
    struct cur c = cur_from(buf_view(&w->label_ids));
    for (uint32_t i = 0; i < w->info.series; i++) {
        uint32_t at = (uint32_t)labels.n, n = cur_u8(&c);
        memcpy(w->series.p + i * sizeof(struct block_series_entry) +
                   offsetof(struct block_series_entry, labels),
               &at, 4);
        buf_varint(&labels, n);
        for (uint32_t k = 0; k < n; k++)
            buf_varint(&labels, rank[cur_le32(&c)]);
    }
    bool ok = put_section(w, &sections[SECTION_SERIES], &w->series, err) &&
              put_section(w, &sections[SECTION_LABELS], &labels, err);
    buf_deinit(&labels);
    return ok;
}

static bool put_footer(struct block_writer *w, const struct block_section *sections,
                       uint32_t n_names, struct err *err) {
    static const char zero[8];
    if (!put(w, zero, (8 - w->offset % 8) % 8, err))
        return false;
    struct buf f = BUF_INIT;
    buf_put(&f, BLOCK_MAGIC, 8);
    buf_le32(&f, BLOCK_VERSION);
    buf_le32(&f, w->info.level);
    buf_le64(&f, w->info.samples);
    buf_le64(&f, (uint64_t)w->info.min_ts);
    buf_le64(&f, (uint64_t)w->info.max_ts);
    buf_le32(&f, w->info.series);
    buf_le32(&f, w->n_cols);
    buf_le32(&f, (uint32_t)(sections[SECTION_SEGS].bytes / sizeof(struct block_seg_entry)));
    buf_le32(&f, n_names);
    buf_le32(&f, w->n_pairs);
    buf_le32(&f, w->file_crc);
    for (int i = 0; i < SECTION_COUNT; i++) {
        buf_le64(&f, sections[i].offset);
        buf_le64(&f, sections[i].bytes);
        buf_le32(&f, sections[i].crc);
        buf_le32(&f, 0);
    }
    while (f.n < BLOCK_FOOTER_BYTES - 4 && buf_ok(&f))
        buf_putc(&f, 0);
    assert(f.n == BLOCK_FOOTER_BYTES - 4);
    buf_le32(&f, crc32c(0, f.p, f.n));
    bool ok = buf_ok(&f) && put(w, f.p, f.n, err);
    buf_deinit(&f);
    return ok;
}

bool block_writer_finish(struct block_writer *w, struct block_info *out, struct err *err) {
    struct block_section sections[SECTION_COUNT] = {0};
    uint32_t n_names = 0, *rank = calloc(w->n_pairs + 1, sizeof(*rank));
    bool ok = rank || err_set(err, ERR_INTERNAL, "out of memory writing a block");
    ok = ok && put_columns(w, sections, err) && put_symbols(w, sections, rank, &n_names, err) &&
         put_series(w, sections, rank, err) && put_footer(w, sections, n_names, err) &&
         flush_out(w, err) && sio_sync(w->fd, w->tmp, err);
    free(rank);
    ok = ok && sio_rename(w->tmp, w->path, err) && sio_sync_dir(w->dir, err);
    if (!ok) {
        block_writer_abort(w);
        return false;
    }
    *out = w->info;
    writer_free(w);
    return true;
}
