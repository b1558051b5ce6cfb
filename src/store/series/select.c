/* The way out: a set is a snapshot of references (blocks, generations) and lengths taken under the
 * read lock; reading decodes from them without any lock. Columns of timestamps are decoded once a
 * set and handed out by pointer. */
#include "store/series/store.h"

#include "base/hash.h"
#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>

#define NO_HEAD UINT32_MAX
enum { CANCEL_EVERY = 4096, JOINED_MAX = 512, PARTS_MAX_STACK = 32 };
#define SET_BYTES_MAX ((size_t)2 << 30)

struct piece {
    uint32_t block, id;
};
struct hpart { /* samples of a series in one generation */
    const int64_t *ts;
    const struct chunk *first;
    uint32_t n, n_ooo;
    const struct sample *ooo; /* copied */
};
struct hentry {
    struct str run;       /* copied */
    struct hpart part[2]; /* frozen, current */
};
struct entry {
    const struct label *labels; /* NULL: not made yet */
    uint32_t n_labels;
    uint32_t first_piece, n_pieces, head;
};

struct colcache {
    int64_t *ts; /* the whole column's length; segments are decoded when needed */
    uint8_t *have;
    int64_t start_ms, end_ms; /* the last range asked for, and what it covers */
    uint32_t lo, hi;
    bool asked;
};
struct joined { /* several runs of timestamps in one array */
    const int64_t *ts;
    uint64_t key;
    size_t n;
};
struct part {
    const int64_t *ts;
    uint32_t n;
    struct block *block; /* NULL: chunks or samples */
    const struct block_series_entry *entry;
    uint32_t from;
    const struct chunk *chunks;
    const struct sample *samples;
};

struct set {
    struct reader_set base;
    struct arena arena;
    struct blockset *blocks;
    struct gen *gens[2];
    struct entry *entries;
    struct piece *pieces;
    size_t n_entries, cap_entries, n_pieces, cap_pieces;
    struct hentry *heads;
    uint32_t n_heads;
    struct colcache **cols; /* by block: an array by column */
    struct joined joined[JOINED_MAX];
    double *values;
    size_t cap_values;
    int64_t *merged[2];
    size_t cap_merged[2];
    unsigned turn;
    struct part *parts;
    size_t n_parts, cap_parts;
    struct sample *scratch;
    size_t cap_scratch;
    double *tmp_values;
    size_t cap_tmp;
};

static void set_free(struct reader_set *base) {
    struct set *s = (struct set *)base;
    for (size_t i = 0; s->cols && i < s->blocks->n; i++) {
        for (uint32_t k = 0; s->cols[i] && k < s->blocks->v[i]->n_cols; k++)
            free(s->cols[i][k].ts);
        free(s->cols[i]);
    }
    free(s->cols);
    blockset_unref(s->blocks);
    gen_unref(s->gens[0]);
    gen_unref(s->gens[1]);
    free(s->entries);
    free(s->pieces);
    free(s->values);
    free(s->merged[0]);
    free(s->merged[1]);
    free(s->parts);
    free(s->scratch);
    free(s->tmp_values);
    arena_deinit(&s->arena);
    free(s);
}

static bool no_memory(struct err *err) {
    return err_set(err, ERR_EXECUTION, "out of memory reading series; ask for fewer or less");
}

static struct labels set_labels(struct reader_set *base, size_t i) {
    struct set *s = (struct set *)base;
    struct entry *e = &s->entries[i];
    if (!e->labels) {
        struct label storage[LIMIT_LABELS_PER_SERIES];
        struct labels ls;
        if (e->head != NO_HEAD) {
            const struct hseries tmp = {.raw = (uint8_t *)(uintptr_t)s->heads[e->head].run.p,
                                        .raw_n = (uint32_t)s->heads[e->head].run.n};
            ls = head_labels(&tmp, storage);
        } else {
            const struct piece *p = &s->pieces[e->first_piece];
            ls = block_labels(s->blocks->v[p->block], p->id, storage);
        }
        struct label *copy = arena_alloc(&s->arena, ls.n * sizeof(*copy) + 1);
        if (!copy)
            return (struct labels){NULL, 0};
        memcpy(copy, ls.l, ls.n * sizeof(*copy));
        e->labels = copy;
        e->n_labels = ls.n;
    }
    return (struct labels){e->labels, e->n_labels};
}

static bool room(void **v, size_t *cap, size_t n, size_t size) {
    if (n <= *cap)
        return true;
    size_t k = *cap ? *cap * 2 : 1024;
    while (k < n)
        k *= 2;
    void *p = realloc(*v, k * size);
    if (!p)
        return false;
    *v = p;
    *cap = k;
    return true;
}

/* Reading */

static uint32_t lower(const int64_t *ts, uint32_t n, int64_t t) {
    uint32_t lo = 0;
    while (n) {
        uint32_t half = n / 2;
        if (ts[lo + half] < t) {
            lo += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return lo;
}

static uint32_t upper(const int64_t *ts, uint32_t n, int64_t t) {
    return t == INT64_MAX ? n : lower(ts, n, t + 1);
}

/* Decodes the segments of a column that meet the range and finds the indexes [lo, hi) inside it. */
static bool column_range(struct set *s, uint32_t bi, uint32_t col, int64_t start_ms, int64_t end_ms,
                         struct colcache **out, struct err *err) {
    struct block *b = s->blocks->v[bi];
    if (!s->cols[bi] && !(s->cols[bi] = calloc(b->n_cols, sizeof(struct colcache))))
        return no_memory(err);
    struct colcache *c = &s->cols[bi][col];
    const struct block_col_entry *ce = block_col(b, col);
    *out = c;
    if (c->asked && c->start_ms == start_ms && c->end_ms == end_ms)
        return true;
    uint32_t n_segs = (ce->n + VALCODEC_N_MAX - 1) / VALCODEC_N_MAX;
    if (!c->ts) {
        c->ts = malloc(ce->n * sizeof(*c->ts) + n_segs);
        if (!c->ts)
            return no_memory(err);
        c->have = (uint8_t *)(c->ts + ce->n);
        memset(c->have, 0, n_segs);
    }
    uint32_t lo = ce->n, hi = 0;
    for (uint32_t i = 0; i < n_segs; i++) {
        const struct block_seg_entry *se = block_seg(b, ce->first_seg + i);
        if (se->last_ts < start_ms || se->first_ts > end_ms)
            continue;
        uint32_t at = i * VALCODEC_N_MAX,
                 n = ce->n - at < VALCODEC_N_MAX ? ce->n - at : VALCODEC_N_MAX;
        if (!c->have[i] && !block_read_seg(b, ce->first_seg + i, n, c->ts + at, err))
            return false;
        c->have[i] = 1;
        if (lo == ce->n)
            lo = at + lower(c->ts + at, n, start_ms);
        hi = at + upper(c->ts + at, n, end_ms);
    }
    c->asked = true;
    c->start_ms = start_ms;
    c->end_ms = end_ms;
    c->lo = lo < hi ? lo : 0;
    c->hi = lo < hi ? hi : 0;
    return true;
}

static bool add_part(struct set *s, struct part p, struct err *err) {
    if (!p.n)
        return true;
    if (!room((void **)&s->parts, &s->cap_parts, s->n_parts + 1, sizeof(*s->parts)))
        return no_memory(err);
    s->parts[s->n_parts++] = p;
    return true;
}

static bool head_parts(struct set *s, const struct hentry *h, int64_t start_ms, int64_t end_ms,
                       struct err *err) {
    for (int i = 0; i < 2; i++) {
        const struct hpart *p = &h->part[i];
        uint32_t lo = p->n ? lower(p->ts, p->n, start_ms) : 0,
                 hi = p->n ? upper(p->ts, p->n, end_ms) : 0;
        if (lo < hi &&
            !add_part(s,
                      (struct part){.ts = p->ts + lo, .n = hi - lo, .chunks = p->first, .from = lo},
                      err))
            return false;
        uint32_t a = 0, b = p->n_ooo;
        while (a < b && p->ooo[a].ts_ms < start_ms)
            a++;
        while (b > a && p->ooo[b - 1].ts_ms > end_ms)
            b--;
        if (a < b && !add_part(s, (struct part){.samples = p->ooo + a, .n = b - a}, err))
            return false;
    }
    return true;
}

static bool collect_parts(struct set *s, const struct entry *e, int64_t start_ms, int64_t end_ms,
                          struct err *err) {
    s->n_parts = 0;
    for (uint32_t i = 0; i < e->n_pieces; i++) {
        const struct piece *p = &s->pieces[e->first_piece + i];
        struct block *b = s->blocks->v[p->block];
        if (b->info.min_ts > end_ms || b->info.max_ts < start_ms)
            continue;
        const struct block_series_entry *se = block_series(b, p->id);
        struct colcache *c = NULL;
        if (!column_range(s, p->block, se->col, start_ms, end_ms, &c, err))
            return false;
        uint32_t lo = c->lo > se->start ? c->lo : se->start,
                 hi = c->hi < se->start + se->n ? c->hi : se->start + se->n;
        if (lo < hi && !add_part(s,
                                 (struct part){.ts = c->ts + lo,
                                               .n = hi - lo,
                                               .block = b,
                                               .entry = se,
                                               .from = lo - se->start},
                                 err))
            return false;
    }
    return e->head == NO_HEAD || head_parts(s, &s->heads[e->head], start_ms, end_ms, err);
}

static bool part_values(const struct part *p, double *out, struct err *err) {
    if (p->block)
        return block_read_values(p->block, p->entry, p->from, p->n, out, err);
    if (p->chunks)
        chunk_copy(p->chunks, p->from, p->n, out);
    else
        for (uint32_t i = 0; i < p->n; i++)
            out[i] = p->samples[i].value;
    return true;
}

static int64_t part_first(const struct part *p) {
    return p->ts ? p->ts[0] : p->samples[0].ts_ms;
}
static int64_t part_last(const struct part *p) {
    return p->ts ? p->ts[p->n - 1] : p->samples[p->n - 1].ts_ms;
}

/* Parts one behind the other in time; joins are remembered because many series share theirs. */
static const int64_t *join_parts(struct set *s, size_t total, bool plain) {
    uint64_t key = total;
    for (size_t i = 0; plain && i < s->n_parts; i++)
        key = hash_mix(hash_mix(key, (uint64_t)(uintptr_t)s->parts[i].ts), s->parts[i].n);
    struct joined *j = &s->joined[key % JOINED_MAX];
    if (plain && j->ts && j->key == key && j->n == total) {
        bool same = true;
        size_t at = 0;
        for (size_t i = 0; i < s->n_parts && same; at += s->parts[i++].n)
            same = j->ts[at] == s->parts[i].ts[0] &&
                   memcmp(j->ts + at, s->parts[i].ts, s->parts[i].n * sizeof(int64_t)) == 0;
        if (same)
            return j->ts;
    }
    int64_t *ts;
    bool keep = plain && !j->ts && (ts = arena_alloc(&s->arena, total * sizeof(*ts))) != NULL;
    if (!keep) {
        /* two take turns, so that neighbours never show one pointer with different contents */
        unsigned k = s->turn++ & 1;
        if (!room((void **)&s->merged[k], &s->cap_merged[k], total, sizeof(int64_t)))
            return NULL;
        ts = s->merged[k];
    }
    size_t at = 0;
    for (size_t i = 0; i < s->n_parts; i++)
        for (uint32_t k = 0; k < s->parts[i].n; k++)
            ts[at++] = s->parts[i].ts ? s->parts[i].ts[k] : s->parts[i].samples[k].ts_ms;
    if (keep)
        *j = (struct joined){ts, key, total};
    return ts;
}

static int by_ts(const void *a, const void *b) {
    const struct sample *x = a, *y = b;
    return x->ts_ms < y->ts_ms ? -1 : x->ts_ms > y->ts_ms;
}

/* Parts that overlap in time: samples of late writers, or blocks that were not merged yet. */
static bool merge_parts(struct set *s, size_t total, struct series_data *out, struct err *err) {
    if (!room((void **)&s->scratch, &s->cap_scratch, total, sizeof(*s->scratch)) ||
        !room((void **)&s->tmp_values, &s->cap_tmp, total, sizeof(double)))
        return no_memory(err);
    size_t n = 0;
    for (size_t i = 0; i < s->n_parts; i++) {
        const struct part *p = &s->parts[i];
        if (!part_values(p, s->tmp_values, err))
            return false;
        for (uint32_t k = 0; k < p->n; k++)
            s->scratch[n++] =
                (struct sample){p->ts ? p->ts[k] : p->samples[k].ts_ms, s->tmp_values[k]};
    }
    qsort(s->scratch, n, sizeof(*s->scratch), by_ts);
    unsigned turn = s->turn++ & 1;
    if (!room((void **)&s->merged[turn], &s->cap_merged[turn], n, sizeof(int64_t)))
        return no_memory(err);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (k && s->merged[turn][k - 1] == s->scratch[i].ts_ms)
            continue; /* equal by the rule of writing */
        s->merged[turn][k] = s->scratch[i].ts_ms;
        s->values[k++] = s->scratch[i].value;
    }
    *out = (struct series_data){s->merged[turn], s->values, NULL, k};
    return true;
}

static int by_first(const void *a, const void *b) {
    int64_t x = part_first(a), y = part_first(b);
    return x < y ? -1 : x > y;
}

static bool set_read(struct reader_set *base, size_t i, int64_t start_ms, int64_t end_ms,
                     struct series_data *out, struct err *err) {
    struct set *s = (struct set *)base;
    assert(i < s->n_entries);
    if (!collect_parts(s, &s->entries[i], start_ms, end_ms, err))
        return false;
    size_t total = 0;
    bool sorted = true, plain = true;
    for (size_t k = 0; k < s->n_parts; k++) {
        total += s->parts[k].n;
        sorted &= k == 0 || part_first(&s->parts[k - 1]) <= part_first(&s->parts[k]);
        plain &= s->parts[k].ts != NULL;
    }
    if (!total) {
        *out = (struct series_data){0};
        return true;
    }
    if (!room((void **)&s->values, &s->cap_values, total, sizeof(double)))
        return no_memory(err);
    if (!sorted)
        qsort(s->parts, s->n_parts, sizeof(*s->parts), by_first);
    for (size_t k = 1; k < s->n_parts; k++)
        if (part_last(&s->parts[k - 1]) >= part_first(&s->parts[k]))
            return merge_parts(s, total, out, err);
    size_t at = 0;
    for (size_t k = 0; k < s->n_parts; at += s->parts[k++].n)
        if (!part_values(&s->parts[k], s->values + at, err))
            return false;
    const int64_t *ts = s->n_parts == 1 && plain ? s->parts[0].ts : join_parts(s, total, plain);
    if (!ts)
        return no_memory(err);
    *out = (struct series_data){ts, s->values, NULL, total};
    return true;
}

static const struct reader_set_ops set_ops = {set_labels, set_read, set_free};

/* Selecting */

static struct set *set_new(struct blockset *blocks) {
    struct set *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->base.ops = &set_ops;
    s->arena = ARENA_INIT_MAX(SET_BYTES_MAX);
    s->blocks = blockset_ref(blocks);
    s->cols = calloc(blocks->n + 1, sizeof(struct colcache *));
    if (!s->cols) {
        set_free(&s->base);
        return NULL;
    }
    return s;
}

static bool sbuf_meets(const struct sbuf *b, const int64_t *ts, int64_t start_ms, int64_t end_ms) {
    if (b->n && ts[b->start] <= end_ms && ts[b->start + b->n - 1] >= start_ms)
        return true;
    return b->ooo && b->ooo->s[0].ts_ms <= end_ms && b->ooo->s[b->ooo->n - 1].ts_ms >= start_ms;
}

static bool take_part(struct set *s, struct hpart *out, const struct sbuf *b, const int64_t *ts) {
    *out = (struct hpart){.n = b->n};
    if (b->n) {
        out->ts = ts + b->start;
        out->first = b->first;
    }
    if (!b->ooo)
        return true;
    struct sample *copy = arena_alloc(&s->arena, b->ooo->n * sizeof(*copy));
    if (!copy)
        return false;
    memcpy(copy, b->ooo->s, b->ooo->n * sizeof(*copy));
    out->ooo = copy;
    out->n_ooo = b->ooo->n;
    return true;
}

/* Snapshots the slots that have something in the range, keeping their order. */
static bool take_heads(struct set *s, const struct head *h, const uint32_t *slots, size_t n,
                       bool current, int64_t start_ms, int64_t end_ms, struct err *err) {
    const struct frozen *f = h->frozen;
    s->heads = arena_alloc(&s->arena, n * sizeof(*s->heads) + 1);
    if (!s->heads)
        return no_memory(err);
    if (f)
        s->gens[0] = gen_ref(f->gen);
    if (current)
        s->gens[1] = gen_ref(h->gen);
    for (size_t i = 0; i < n; i++) {
        const struct hseries *x = head_at(h, slots[i]);
        const struct sbuf *fb = f && slots[i] < f->n_slots ? &f->buf[slots[i]] : NULL,
                          *cb = current ? &x->cur : NULL;
        const int64_t *fts = fb && fb->n ? fb->col->frozen_ts : NULL,
                      *cts = cb && cb->n ? cb->col->ts : NULL;
        bool in_f = fb && sbuf_meets(fb, fts, start_ms, end_ms),
             in_c = cb && sbuf_meets(cb, cts, start_ms, end_ms);
        if (!in_f && !in_c)
            continue;
        struct hentry *e = &s->heads[s->n_heads];
        *e = (struct hentry){.run = arena_str(&s->arena, str_make((const char *)x->raw, x->raw_n))};
        if (!e->run.p || (in_f && !take_part(s, &e->part[0], fb, fts)) ||
            (in_c && !take_part(s, &e->part[1], cb, cts)))
            return no_memory(err);
        s->n_heads++;
    }
    return true;
}

struct by_rank {
    const struct head *h;
};
static int cmp_rank(const void *a, const void *b, void *self) {
    const struct head *h = self;
    uint32_t x = head_at(h, *(const uint32_t *)a)->rank, y = head_at(h, *(const uint32_t *)b)->rank;
    return x < y ? -1 : x > y;
}

/* Matching slots in label order; the lock is held for reading, or for writing when the order is
 * stale. */
static bool match_head(struct head *h, const struct reader_query *q, uint32_t **out, size_t *out_n,
                       struct err *err) {
    struct pindex ix = head_index(h);
    roaring_bitmap_t *r = postings_match(&ix, q->matchers, q->n_matchers);
    if (!r)
        return no_memory(err);
    size_t n = (size_t)roaring_bitmap_get_cardinality(r);
    uint32_t *v = malloc((n + 1) * sizeof(*v));
    if (v)
        roaring_bitmap_to_uint32_array(r, v);
    roaring_bitmap_free(r);
    if (!v)
        return no_memory(err);
    if (n > h->n_live / 2) { /* many: walking the order is cheaper than sorting */
        uint8_t *want = calloc(h->n_order + 1, 1);
        if (!want) {
            free(v);
            return no_memory(err);
        }
        for (size_t i = 0; i < n; i++)
            want[head_at(h, v[i])->rank] = 1;
        size_t k = 0;
        for (uint32_t i = 0; i < h->n_order; i++)
            if (want[i])
                v[k++] = h->order[i];
        free(want);
    } else if (n > 1) {
        qsort_r(v, n, sizeof(*v), cmp_rank, h);
    }
    *out = v;
    *out_n = n;
    return true;
}

struct source {          /* one sorted list of series */
    uint32_t block;      /* or NO_HEAD: the head's */
    const uint32_t *ids; /* NULL: 0, 1, 2 ... */
    size_t n, at;
    uint32_t *owned;
    struct label storage[LIMIT_LABELS_PER_SERIES];
    struct labels labels;
};

static void load_labels(struct set *s, struct source *x) {
    if (x->block != NO_HEAD) {
        x->labels = block_labels(s->blocks->v[x->block], x->ids ? x->ids[x->at] : (uint32_t)x->at,
                                 x->storage);
        return;
    }
    struct str run = s->heads[x->at].run;
    const struct hseries tmp = {.raw = (uint8_t *)(uintptr_t)run.p, .raw_n = (uint32_t)run.n};
    x->labels = head_labels(&tmp, x->storage);
}

static bool add_entry(struct set *s, struct entry **out) {
    if (!room((void **)&s->entries, &s->cap_entries, s->n_entries + 1, sizeof(*s->entries)))
        return false;
    *out = &s->entries[s->n_entries++];
    **out = (struct entry){.first_piece = (uint32_t)s->n_pieces, .head = NO_HEAD};
    return true;
}

static bool take_from(struct set *s, struct source *x, struct entry *e) {
    if (x->block == NO_HEAD) {
        e->head = (uint32_t)x->at;
    } else {
        if (!room((void **)&s->pieces, &s->cap_pieces, s->n_pieces + 1, sizeof(*s->pieces)))
            return false;
        s->pieces[s->n_pieces++] =
            (struct piece){x->block, x->ids ? x->ids[x->at] : (uint32_t)x->at};
        e->n_pieces++;
    }
    if (++x->at < x->n)
        load_labels(s, x);
    return true;
}

static bool merge_sources(struct set *s, struct source *v, size_t n, const struct reader_query *q,
                          struct err *err) {
    size_t live = 0;
    for (size_t i = 0; i < n; i++)
        if (v[i].n)
            load_labels(s, &v[i]), live++;
    bool same[1024];
    assert(n <= sizeof(same));
    while (live) {
        struct source *least = NULL;
        for (size_t i = 0; i < n; i++) {
            same[i] = false;
            if (v[i].at >= v[i].n)
                continue;
            int c = least ? labels_cmp(v[i].labels, least->labels) : -1;
            if (c < 0) {
                least = &v[i];
                memset(same, 0, i);
            }
            same[i] = c <= 0;
        }
        struct entry *e;
        if (!add_entry(s, &e))
            return no_memory(err);
        for (size_t i = 0; i < n; i++) {
            if (!same[i])
                continue;
            if (!take_from(s, &v[i], e))
                return no_memory(err);
            live -= v[i].at >= v[i].n;
        }
        if (q && q->series_max && s->n_entries > q->series_max)
            return err_set(err, ERR_EXECUTION,
                           "the selector matches more than %zu series; narrow it", q->series_max);
        if (q && q->canceled && s->n_entries % CANCEL_EVERY == 0 && atomic_load(q->canceled))
            return err_set(err, ERR_CANCELED, "the query was canceled");
    }
    s->base.count = s->n_entries;
    return true;
}

/* Adds one sorted list for each block that may have something, and one for the head. */
static bool gather(struct set *s, const struct reader_query *q, struct err *err) {
    size_t n = 0;
    struct source *v = calloc(s->blocks->n + 1, sizeof(*v));
    if (!v)
        return no_memory(err);
    bool ok = true;
    for (uint32_t i = 0; ok && i < s->blocks->n; i++) {
        struct block *b = s->blocks->v[i];
        if (q && (b->info.max_ts < q->start_ms || b->info.min_ts > q->end_ms))
            continue;
        if (!block_check_index(b, err)) {
            ok = false;
            break;
        }
        struct source *x = &v[n++];
        x->block = i;
        x->n = b->info.series;
        if (!q)
            continue;
        struct pindex ix = block_index(b);
        roaring_bitmap_t *r = postings_match(&ix, q->matchers, q->n_matchers);
        x->n = r ? (size_t)roaring_bitmap_get_cardinality(r) : 0;
        x->ids = x->owned = r ? malloc((x->n + 1) * sizeof(uint32_t)) : NULL;
        ok = x->owned || no_memory(err);
        if (ok)
            roaring_bitmap_to_uint32_array(r, x->owned);
        if (r)
            roaring_bitmap_free(r);
    }
    if (s->n_heads) {
        v[n].block = NO_HEAD;
        v[n++].n = s->n_heads;
    }
    if (ok && n > 1024)
        ok = err_set(err, ERR_EXECUTION,
                     "the range covers %zu blocks; at most 1024 can be read at once", n);
    ok = ok && merge_sources(s, v, n, q, err);
    for (size_t i = 0; i < n; i++)
        free(v[i].owned);
    free(v);
    return ok;
}

bool store_select(struct series_store *st, const struct reader_query *q, struct reader_set **out,
                  struct err *err) {
    if (q->start_ms > q->end_ms)
        return err_set(err, ERR_BAD_INPUT, "the range ends before it starts");
    uint32_t *slots = NULL;
    size_t n = 0;
    rwlock_read(&st->lock);
    if (st->head.n_unsorted || st->head.n_order != st->head.n_live) {
        rwlock_unlock(&st->lock);
        rwlock_write(&st->lock);
        if (!head_sort(&st->head)) {
            rwlock_unlock(&st->lock);
            return no_memory(err);
        }
    }
    struct set *s = set_new(st->blocks);
    bool ok = s ? match_head(&st->head, q, &slots, &n, err) &&
                      take_heads(s, &st->head, slots, n, true, q->start_ms, q->end_ms, err)
                : no_memory(err);
    rwlock_unlock(&st->lock);
    free(slots);
    ok = ok && gather(s, q, err);
    if (!ok) {
        if (s)
            set_free(&s->base);
        return false;
    }
    *out = &s->base;
    return true;
}

bool blocks_select(struct blockset *set, struct reader_set **out, struct err *err) {
    struct set *s = set_new(set);
    if (!s)
        return no_memory(err);
    if (!gather(s, NULL, err)) {
        set_free(&s->base);
        return false;
    }
    *out = &s->base;
    return true;
}

bool frozen_select(struct series_store *st, struct reader_set **out, struct err *err) {
    struct blockset *none = blockset_new(NULL, 0);
    struct set *s = none ? set_new(none) : NULL;
    blockset_unref(none);
    if (!s)
        return no_memory(err);
    rwlock_write(&st->lock);
    bool ok = head_sort(&st->head) || no_memory(err);
    rwlock_unlock(&st->lock);
    rwlock_read(&st->lock); /* series that come between have nothing in the frozen generation */
    uint32_t *slots = ok ? malloc((st->head.n_order + 1) * sizeof(*slots)) : NULL;
    if (slots)
        memcpy(slots, st->head.order, st->head.n_order * sizeof(*slots));
    ok = ok && (slots || no_memory(err)) &&
         take_heads(s, &st->head, slots, st->head.n_order, false, INT64_MIN, INT64_MAX, err);
    rwlock_unlock(&st->lock);
    free(slots);
    if (!ok || !gather(s, NULL, err)) {
        set_free(&s->base);
        return false;
    }
    *out = &s->base;
    return true;
}
