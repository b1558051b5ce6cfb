#include "store/series/head.h"

#include "base/hash.h"
#include "base/limits.h"
#include "codec/remote_write.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#define DELETED UINT32_MAX
#define NONE UINT32_MAX
#define METRIC_KEY_BYTES 1024

/* Generation memory: pages straight from the kernel, so that dropping a generation gives them back.
 */

#define GEN_PAGE_BYTES ((size_t)256 << 10)
struct gen_page {
    struct gen_page *next;
    size_t bytes;
};
struct gen {
    _Atomic uint32_t refs;
    struct gen_page *page;
    size_t used;
};

static struct gen *gen_new(void) {
    struct gen *g = calloc(1, sizeof(*g));
    if (g)
        atomic_init(&g->refs, 1);
    return g;
}

struct gen *gen_ref(struct gen *g) {
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void gen_unref(struct gen *g) {
    if (!g || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (struct gen_page *p = g->page, *next; p; p = next) {
        next = p->next;
        (void)munmap(p, p->bytes);
    }
    free(g);
}

static void *gen_alloc(struct gen *g, size_t bytes) {
    bytes = (bytes + 7) & ~(size_t)7;
    if (!g->page || g->used + bytes > g->page->bytes) {
        size_t want = bytes + sizeof(struct gen_page) > GEN_PAGE_BYTES
                          ? bytes + sizeof(struct gen_page)
                          : GEN_PAGE_BYTES;
        struct gen_page *p =
            mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            return NULL;
        p->next = g->page;
        p->bytes = want;
        g->page = p;
        g->used = sizeof(*p);
    }
    void *out = (char *)g->page + g->used;
    g->used += bytes;
    return out;
}

/* Set-up */

bool head_init(struct head *h) {
    *h = (struct head){.min_ts = INT64_MAX, .max_ts = INT64_MIN};
    h->gen = gen_new();
    h->live = roaring_bitmap_create();
    return h->gen && h->live;
}

static void count_free(struct hcount *c);
static void counts_deinit(struct hcount **v, uint32_t n) {
    for (uint32_t i = 1; i <= n; i++)
        count_free(v[i]);
    free(v);
}

void head_deinit(struct head *h) {
    head_drop_frozen(h);
    for (uint32_t i = 0; i < h->n_slots; i++) {
        free(head_at(h, i)->raw);
        free(head_at(h, i)->cur.ooo);
    }
    for (uint32_t i = 0; i < h->n_pages; i++)
        free(h->pages[i]);
    free(h->pages);
    free(h->free_slots);
    free(h->table);
    for (struct map_entry *e = map_next(&h->names, NULL); e; e = map_next(&h->names, e)) {
        struct map *values = e->value;
        for (struct map_entry *v = map_next(values, NULL); v; v = map_next(values, v)) {
            posting_deinit(v->value);
            free(v->value);
        }
        map_deinit(values);
        free(values);
    }
    map_deinit(&h->names);
    if (h->live)
        roaring_bitmap_free(h->live);
    counts_deinit(h->source_v, h->n_sources);
    counts_deinit(h->metric_v, h->n_metrics);
    map_deinit(&h->sources);
    map_deinit(&h->metrics);
    free(h->order);
    for (uint32_t i = 0; i < h->n_cols; i++)
        free(h->cols[i]);
    free(h->cols);
    gen_unref(h->gen);
    *h = (struct head){0};
}

/* Series table */

uint32_t head_find(const struct head *h, struct str run, uint64_t hash) {
    if (!h->table_n)
        return NONE;
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint32_t i = (uint32_t)hash & (h->table_n - 1);; i = (i + 1) & (h->table_n - 1)) {
        struct hslot s = h->table[i];
        if (s.slot1 == 0)
            return NONE;
        if (s.slot1 == DELETED || s.tag != tag)
            continue;
        const struct hseries *x = head_at(h, s.slot1 - 1);
        if (x->raw_n == run.n && memcmp(x->raw, run.p, run.n) == 0)
            return s.slot1 - 1;
    }
}

static bool table_grow(struct head *h) {
    uint32_t n = h->table_n ? h->table_n : 1024;
    while (n < (h->n_live + 1) * 2)
        n *= 2;
    struct hslot *t = calloc(n, sizeof(*t));
    if (!t)
        return false;
    for (uint32_t i = 0; i < h->n_slots; i++) {
        const struct hseries *s = head_at(h, i);
        if (!s->raw)
            continue;
        uint32_t k = (uint32_t)hash_bytes(s->raw, s->raw_n) & (n - 1);
        while (t[k].slot1)
            k = (k + 1) & (n - 1);
        t[k] = (struct hslot){s->tag, i + 1};
    }
    free(h->table);
    h->table = t;
    h->table_n = n;
    h->table_used = h->n_live;
    return true;
}

static uint32_t take_slot(struct head *h) {
    if (h->n_free)
        return h->free_slots[--h->n_free];
    if (h->n_slots == HEAD_SERIES_MAX)
        return NONE;
    if (h->n_slots == h->n_pages * HEAD_PAGE) {
        struct hseries **pages = realloc(h->pages, (h->n_pages + 1) * sizeof(*pages));
        if (!pages)
            return NONE;
        h->pages = pages;
        pages[h->n_pages] = calloc(HEAD_PAGE, sizeof(struct hseries));
        if (!pages[h->n_pages])
            return NONE;
        h->n_pages++;
    }
    return h->n_slots++;
}

static bool give_slot(struct head *h, uint32_t slot) {
    if (h->n_free == h->cap_free) {
        uint32_t cap = h->cap_free ? h->cap_free * 2 : 64;
        uint32_t *v = realloc(h->free_slots, cap * sizeof(*v));
        if (!v)
            return false; /* the slot is lost, nothing else */
        h->free_slots = v;
        h->cap_free = cap;
    }
    h->free_slots[h->n_free++] = slot;
    return true;
}

static struct posting *pair_posting(struct head *h, struct str name, struct str value, bool make) {
    struct map *values = map_get(&h->names, name);
    if (!values) {
        if (!make)
            return NULL;
        values = calloc(1, sizeof(*values));
        if (!values || !map_put(&h->names, name, values, NULL)) {
            free(values);
            return NULL;
        }
        h->symbol_bytes += name.n;
    }
    struct posting *p = map_get(values, value);
    if (!p && make) {
        p = calloc(1, sizeof(*p));
        if (!p || !map_put(values, value, p, NULL)) {
            free(p);
            return NULL;
        }
        h->n_pairs++;
        h->symbol_bytes += value.n;
    }
    return p;
}

static void unindex(struct head *h, uint32_t slot, struct labels ls) {
    for (uint32_t i = 0; i < ls.n; i++) {
        struct map *values = map_get(&h->names, ls.l[i].name);
        struct posting *p = values ? map_get(values, ls.l[i].value) : NULL;
        if (!p)
            continue;
        posting_del(p, slot);
        if (posting_count(p))
            continue;
        (void)map_del(values, ls.l[i].value);
        posting_deinit(p);
        free(p);
        h->n_pairs--;
        h->symbol_bytes -= ls.l[i].value.n;
    }
    roaring_bitmap_remove(h->live, slot);
}

static bool index_series(struct head *h, uint32_t slot, struct labels ls) {
    for (uint32_t i = 0; i < ls.n; i++) {
        struct posting *p = pair_posting(h, ls.l[i].name, ls.l[i].value, true);
        if (!p || !posting_add(p, slot)) {
            unindex(h, slot, ls);
            return false;
        }
    }
    roaring_bitmap_add(h->live, slot);
    return true;
}

uint32_t head_add(struct head *h, struct str run, uint64_t hash, struct labels ls,
                  struct hcount *source, struct hcount *metric, int64_t flushed_max) {
    if ((h->table_used + 1) * 4 > h->table_n * 3 && !table_grow(h))
        return NONE;
    uint8_t *raw = malloc(run.n);
    uint32_t slot = raw ? take_slot(h) : NONE;
    if (slot == NONE) {
        free(raw);
        return NONE;
    }
    if (!index_series(h, slot, ls)) {
        free(raw);
        (void)give_slot(h, slot);
        return NONE;
    }
    memcpy(raw, run.p, run.n);
    struct hseries *s = head_at(h, slot);
    *s = (struct hseries){.raw = raw,
                          .raw_n = (uint32_t)run.n,
                          .tag = (uint32_t)(hash >> 32),
                          .flushed_max = flushed_max,
                          .slot_gen = s->slot_gen + 1,
                          .rank = NONE,
                          .source = source->index,
                          .metric = metric->index};
    source->n++;
    metric->n++;
    uint32_t k = (uint32_t)hash & (h->table_n - 1);
    while (h->table[k].slot1 && h->table[k].slot1 != DELETED)
        k = (k + 1) & (h->table_n - 1);
    h->table_used += h->table[k].slot1 == 0;
    h->table[k] = (struct hslot){s->tag, slot + 1};
    h->n_live++;
    h->n_unsorted++;
    return slot;
}

static size_t metric_key(uint32_t source_index, struct str metric, char *key) {
    size_t n =
        metric.n < METRIC_KEY_BYTES ? metric.n : METRIC_KEY_BYTES; /* longer ones count together */
    memcpy(key, &source_index, 4);
    if (n)
        memcpy(key + 4, metric.p, n);
    return n + 4;
}

static void count_free(struct hcount *c) {
    if (!c)
        return;
    free((void *)(uintptr_t)c->name.p);
    free((void *)(uintptr_t)c->top_metric.p);
    free((void *)(uintptr_t)c->top_label.p);
    free(c);
}

/* A counter that counts nothing goes, so that names that come and go do not add up. */
static void metric_release(struct head *h, uint32_t index) {
    struct hcount *c = h->metric_v[index];
    if (--c->n || c->refused_series)
        return;
    char key[4 + METRIC_KEY_BYTES];
    (void)map_del(&h->metrics, str_make(key, metric_key(c->owner_index, c->name, key)));
    count_free(c);
    h->metric_v[index] = NULL;
    h->metric_hint = index;
}

void head_remove(struct head *h, uint32_t slot) {
    struct hseries *s = head_at(h, slot);
    struct label storage[LIMIT_LABELS_PER_SERIES];
    assert(s->raw && s->cur.n == 0 && !s->cur.ooo);
    unindex(h, slot, head_labels(s, storage));
    uint32_t k = (uint32_t)hash_bytes(s->raw, s->raw_n) & (h->table_n - 1);
    while (h->table[k].slot1 != slot + 1)
        k = (k + 1) & (h->table_n - 1);
    h->table[k].slot1 = DELETED;
    h->source_v[s->source]->n--;
    metric_release(h, s->metric);
    if (s->rank != NONE)
        h->order[s->rank] = NONE;
    else
        h->n_unsorted--;
    free(s->raw);
    *s = (struct hseries){.slot_gen = s->slot_gen};
    h->n_live--;
    (void)give_slot(h, slot);
}

struct labels head_labels(const struct hseries *s, struct label *storage) {
    uint32_t n = remote_write_labels(str_make((const char *)s->raw, s->raw_n), storage,
                                     LIMIT_LABELS_PER_SERIES);
    assert(n <= LIMIT_LABELS_PER_SERIES);
    return (struct labels){storage, n};
}

/* Sources and metrics */

static struct hcount *count_new(struct hcount ***v, uint32_t *n, uint32_t *cap, uint32_t index,
                                struct str name) {
    if (index + 1 >= *cap) {
        uint32_t k = *cap ? *cap * 2 : 16;
        struct hcount **p = realloc(*v, k * sizeof(struct hcount *));
        if (!p)
            return NULL;
        *v = p;
        *cap = k;
    }
    struct hcount *c = calloc(1, sizeof(*c));
    char *copy = malloc(name.n + 1);
    if (!c || !copy) {
        free(c);
        free(copy);
        return NULL;
    }
    if (name.n)
        memcpy(copy, name.p, name.n);
    copy[name.n] = 0;
    c->name = str_make(copy, name.n);
    c->index = index;
    (*v)[index] = c;
    if (index > *n)
        *n = index;
    return c;
}

struct hcount *head_source(struct head *h, struct str name) {
    struct hcount *c = map_get(&h->sources, name);
    if (c)
        return c;
    c = count_new(&h->source_v, &h->n_sources, &h->cap_sources, h->n_sources + 1, name);
    if (c && !map_put(&h->sources, name, c, NULL)) {
        h->n_sources--;
        count_free(c);
        return NULL;
    }
    return c;
}

struct hcount *head_metric_find(const struct head *h, const struct hcount *source,
                                struct str metric) {
    char key[4 + METRIC_KEY_BYTES];
    return map_get(&h->metrics, str_make(key, metric_key(source->index, metric, key)));
}

struct hcount *head_metric(struct head *h, struct hcount *source, struct str metric) {
    struct hcount *c = head_metric_find(h, source, metric);
    if (c)
        return c;
    char key[4 + METRIC_KEY_BYTES];
    size_t n = metric_key(source->index, metric, key);
    uint32_t index =
        h->metric_hint && !h->metric_v[h->metric_hint] ? h->metric_hint : h->n_metrics + 1;
    c = count_new(&h->metric_v, &h->n_metrics, &h->cap_metrics, index, metric);
    if (!c)
        return NULL;
    if (!map_put(&h->metrics, str_make(key, n), c, NULL)) {
        h->metric_v[index] = NULL;
        count_free(c);
        return NULL;
    }
    for (h->metric_hint = 0; index < h->n_metrics;
         index++) /* the next hole, when there is one near */
        if (!h->metric_v[index]) {
            h->metric_hint = index;
            break;
        }
    c->source = source->name;
    c->owner_index = source->index;
    return c;
}

/* Timestamps */

static struct join_entry *join_slot(struct head *h, int64_t ts) {
    return &h->join[((uint64_t)ts * UINT64_C(0x9e3779b97f4a7c15)) >> 54];
}

static bool col_push(struct head *h, struct tscol *c, int64_t ts) {
    if (c->n == c->cap) {
        uint32_t cap = c->cap ? c->cap * 2 : 16;
        int64_t *v = gen_alloc(
            h->gen,
            cap * sizeof(*v)); /* the old one stays for readers, as long as the generation */
        if (!v)
            return false;
        if (c->n)
            memcpy(v, c->ts, c->n * sizeof(*v));
        c->ts = v;
        c->cap = cap;
    }
    c->ts[c->n] = ts;
    *join_slot(h, ts) = (struct join_entry){ts, c, c->n};
    c->n++;
    return true;
}

static struct tscol *col_new(struct head *h) {
    if (h->n_cols == h->cap_cols) {
        uint32_t cap = h->cap_cols ? h->cap_cols * 2 : 64;
        struct tscol **v = realloc(h->cols, cap * sizeof(struct tscol *));
        if (!v)
            return NULL;
        h->cols = v;
        h->cap_cols = cap;
    }
    struct tscol *c = calloc(1, sizeof(*c));
    if (c)
        h->cols[h->n_cols++] = c;
    return c;
}

/* A first sample: a column that has this very moment, or one of its own. */
static bool place_first(struct head *h, struct sbuf *b, int64_t ts) {
    struct tscol *c = b->col;
    if (c && c->n && c->ts[c->n - 1] == ts) {
        b->start = c->n - 1;
        return true;
    }
    if (c && (c->n == 0 || c->ts[c->n - 1] < ts)) {
        if (!col_push(h, c, ts))
            return false;
        b->start = c->n - 1;
        return true;
    }
    struct tscol *l = h->last_col;
    if (!c && l && l->n && l->ts[l->n - 1] == ts) {
        b->col = l;
        b->start = l->n - 1;
        return true;
    }
    const struct join_entry *j = join_slot(h, ts);
    if (j->col && j->ts == ts) {
        b->col = j->col;
        b->start = j->idx;
        return true;
    }
    c = col_new(h);
    if (!c || !col_push(h, c, ts))
        return false;
    b->col = c;
    b->start = 0;
    return true;
}

/* The series' next timestamp is not its column's next: find or make a column with the same past. */
static bool diverge(struct head *h, struct sbuf *b, int64_t ts) {
    struct tscol *c = b->col;
    uint32_t at = b->start + b->n;
    uint64_t key = hash_mix(hash_mix((uint64_t)(uintptr_t)c, at), (uint64_t)ts);
    struct fork_entry *f = &h->fork[key % FORK_CACHE];
    if (f->to && f->from == c && f->idx == at && f->ts == ts && f->to->n > at &&
        f->to->ts[at] == ts &&
        memcmp(f->to->ts + b->start, c->ts + b->start, b->n * sizeof(int64_t)) == 0) {
        b->col = f->to;
        return true;
    }
    const struct join_entry *j = join_slot(h, ts);
    if (j->col && j->ts == ts && j->idx >= b->n &&
        memcmp(j->col->ts + j->idx - b->n, c->ts + b->start, b->n * sizeof(int64_t)) == 0) {
        b->col = j->col;
        b->start = j->idx - b->n;
        return true;
    }
    struct tscol *d = col_new(h);
    if (!d)
        return false;
    d->cap = (at + 1 + 15) & ~15u;
    d->ts = gen_alloc(h->gen, d->cap * sizeof(*d->ts));
    if (!d->ts) {
        d->cap = 0;
        return false;
    }
    memcpy(d->ts, c->ts, at * sizeof(*d->ts));
    d->n = at;
    if (!col_push(h, d, ts))
        return false;
    *f = (struct fork_entry){c, d, at, ts};
    b->col = d;
    return true;
}

/* Samples */

void chunk_copy(const struct chunk *c, uint32_t from, uint32_t n, double *out) {
    for (; from >= CHUNK_VALUES; from -= CHUNK_VALUES)
        c = c->next;
    while (n) {
        uint32_t k = CHUNK_VALUES - from < n ? CHUNK_VALUES - from : n;
        memcpy(out, c->v + from, k * sizeof(double));
        out += k;
        n -= k;
        from = 0;
        if (n) /* the last chunk's link is the writer's to set */
            c = c->next;
    }
}

static bool push_value(struct head *h, struct sbuf *b, double v) {
    uint32_t k = b->n % CHUNK_VALUES;
    if (k == 0) {
        struct chunk *c = gen_alloc(h->gen, sizeof(*c));
        if (!c)
            return false;
        c->next = NULL;
        if (b->n)
            b->last->next = c;
        else
            b->first = c;
        b->last = c;
    }
    b->last->v[k] = v;
    b->n++;
    return true;
}

static bool column_find(const int64_t *ts, uint32_t n, int64_t t, uint32_t *out) {
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (ts[mid] < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    *out = lo;
    return lo < n && ts[lo] == t;
}

static uint32_t ooo_find(const struct ooo *o, int64_t t, bool *found) {
    uint32_t lo = 0, hi = o ? o->n : 0;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (o->s[mid].ts_ms < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = o && lo < o->n && o->s[lo].ts_ms == t;
    return lo;
}

static bool sbuf_get(const struct sbuf *b, const int64_t *col_ts, int64_t t, double *out) {
    uint32_t i;
    bool found;
    if (b->n && column_find(col_ts + b->start, b->n, t, &i)) {
        chunk_copy(b->first, i, 1, out);
        return true;
    }
    i = ooo_find(b->ooo, t, &found);
    if (found)
        *out = b->ooo->s[i].value;
    return found;
}

static bool ooo_insert(struct head *h, struct sbuf *b, int64_t t, double v) {
    struct ooo *o = b->ooo;
    if (!o || o->n == o->cap) {
        uint32_t cap = o ? o->cap * 2 : 4;
        struct ooo *p = realloc(o, sizeof(*o) + cap * sizeof(struct sample));
        if (!p)
            return false;
        if (!o)
            p->n = 0;
        p->cap = cap;
        b->ooo = o = p;
    }
    bool found;
    uint32_t i = ooo_find(o, t, &found);
    if (i < o->n && o->n >= OOO_SAMPLES_MAX)
        h->flush_wanted = true;
    memmove(o->s + i + 1, o->s + i, (o->n - i) * sizeof(o->s[0]));
    o->s[i] = (struct sample){t, v};
    o->n++;
    return true;
}

static enum append_result counted(struct head *h, int64_t t) {
    h->samples++;
    if (t < h->min_ts)
        h->min_ts = t;
    if (t > h->max_ts)
        h->max_ts = t;
    return APPEND_OK;
}

enum append_result head_append_new(struct head *h, uint32_t slot, int64_t t, double v) {
    struct sbuf *b = &head_at(h, slot)->cur;
    if (b->n == 0) {
        if (!place_first(h, b, t))
            return APPEND_NO_MEMORY;
    } else {
        struct tscol *c = b->col;
        uint32_t at = b->start + b->n;
        if (c->ts[at - 1] >= t)
            return ooo_insert(h, b, t, v) ? counted(h, t) : APPEND_NO_MEMORY;
        if (at == c->n) {
            if (!col_push(h, c, t))
                return APPEND_NO_MEMORY;
        } else if (c->ts[at] != t && !diverge(h, b, t)) {
            return APPEND_NO_MEMORY;
        }
    }
    if (!push_value(h, b, v))
        return APPEND_NO_MEMORY;
    h->last_col = b->col;
    return counted(h, t);
}

enum append_result head_append(struct head *h, uint32_t slot, int64_t t, double v) {
    struct hseries *s = head_at(h, slot);
    struct sbuf *b = &s->cur;
    double have;
    bool in_order = b->n == 0 || b->col->ts[b->start + b->n - 1] < t;
    if ((!in_order || b->ooo) && sbuf_get(b, b->n ? b->col->ts : NULL, t, &have))
        return sample_bits(have) == sample_bits(v) ? APPEND_SAME : APPEND_DIFFERENT;
    if (t <= s->flushed_max) {
        const struct frozen *f = h->frozen;
        if (f && slot < f->n_slots && (f->buf[slot].n || f->buf[slot].ooo) &&
            sbuf_get(&f->buf[slot], f->buf[slot].n ? f->buf[slot].col->frozen_ts : NULL, t, &have))
            return sample_bits(have) == sample_bits(v) ? APPEND_SAME : APPEND_DIFFERENT;
        return APPEND_OLD;
    }
    return head_append_new(h, slot, t, v);
}

/* Freezing */

static int64_t sbuf_max(const struct sbuf *b, const int64_t *col_ts) {
    int64_t t = b->n ? col_ts[b->start + b->n - 1] : INT64_MIN;
    if (b->ooo && b->ooo->s[b->ooo->n - 1].ts_ms > t)
        t = b->ooo->s[b->ooo->n - 1].ts_ms;
    return t;
}

int64_t head_frozen_max(const struct head *h, uint32_t slot) {
    const struct frozen *f = h->frozen;
    if (!f || slot >= f->n_slots)
        return INT64_MIN;
    const struct sbuf *b = &f->buf[slot];
    return sbuf_max(b, b->n ? b->col->frozen_ts : NULL);
}

/* Columns that ended alike go on as one; those that no series uses go. */
static void cols_settle(struct head *h) {
    for (uint32_t i = 0; i < h->n_cols; i++)
        h->cols[i]->mark = 0;
    for (uint32_t i = 0; i < h->n_slots; i++) {
        struct sbuf *b = &head_at(h, i)->cur;
        if (!b->col)
            continue;
        struct tscol *c = b->col;
        if (c->n >= 2) {
            const struct join_entry *j = join_slot(h, c->ts[c->n - 1]);
            if (j->col && j->col != c && j->col->n >= 2 &&
                j->col->ts[j->col->n - 1] == c->ts[c->n - 1] &&
                j->col->ts[j->col->n - 2] == c->ts[c->n - 2])
                b->col = j->col;
        }
        b->col->mark = 1;
    }
    if (h->frozen)
        for (uint32_t i = 0; i < h->frozen->n_slots; i++)
            if (h->frozen->buf[i].col)
                h->frozen->buf[i].col->mark = 1;
    uint32_t n = 0;
    for (uint32_t i = 0; i < h->n_cols; i++) {
        if (h->cols[i]->mark)
            h->cols[n++] = h->cols[i];
        else
            free(h->cols[i]);
    }
    h->n_cols = n;
}

bool head_freeze(struct head *h) {
    assert(!h->frozen);
    struct frozen *f = calloc(1, sizeof(*f));
    struct gen *g = gen_new();
    if (f)
        f->buf = calloc(h->n_slots ? h->n_slots : 1, sizeof(*f->buf));
    if (!f || !g || !f->buf) {
        if (f)
            free(f->buf);
        free(f);
        gen_unref(g);
        return false;
    }
    f->n_slots = h->n_slots;
    f->samples = h->samples;
    f->min_ts = h->min_ts;
    f->max_ts = h->max_ts;
    for (uint32_t i = 0; i < h->n_slots; i++) {
        struct hseries *s = head_at(h, i);
        if (!s->raw)
            continue;
        f->buf[i] = s->cur;
        int64_t t = s->cur.n || s->cur.ooo ? sbuf_max(&s->cur, s->cur.n ? s->cur.col->ts : NULL)
                                           : INT64_MIN;
        s->idle = t == INT64_MIN ? s->idle + 1 : 0;
        if (t > s->flushed_max)
            s->flushed_max = t;
        s->cur = (struct sbuf){.col = s->cur.col};
    }
    f->gen = h->gen;
    h->gen = g;
    h->frozen = f;
    cols_settle(h);
    for (uint32_t i = 0; i < h->n_cols; i++) {
        struct tscol *c = h->cols[i];
        c->frozen_ts = c->ts;
        c->ts = NULL;
        c->n = c->cap = 0;
    }
    h->last_col = NULL;
    memset(h->join, 0, sizeof(h->join));
    memset(h->fork, 0, sizeof(h->fork));
    h->samples = 0;
    h->min_ts = INT64_MAX;
    h->max_ts = INT64_MIN;
    h->flush_wanted = false;
    return true;
}

void head_drop_frozen(struct head *h) {
    struct frozen *f = h->frozen;
    if (!f)
        return;
    for (uint32_t i = 0; i < f->n_slots; i++)
        free(f->buf[i].ooo);
    for (uint32_t i = 0; i < h->n_cols; i++)
        h->cols[i]->frozen_ts = NULL;
    gen_unref(f->gen);
    free(f->buf);
    free(f);
    h->frozen = NULL;
}

/* Order */

struct fresh { /* a series that is not in the order yet, its labels taken apart once */
    struct labels labels;
    uint32_t slot;
};

static int cmp_fresh(const void *a, const void *b) {
    return labels_cmp(((const struct fresh *)a)->labels, ((const struct fresh *)b)->labels);
}

static struct fresh *collect_fresh(const struct head *h, struct arena *a) {
    struct fresh *v = arena_alloc(a, (h->n_unsorted + 1) * sizeof(*v));
    uint32_t n = 0;
    for (uint32_t i = 0; v && i < h->n_slots && n < h->n_unsorted; i++) {
        const struct hseries *s = head_at(h, i);
        if (!s->raw || s->rank != NONE)
            continue;
        struct label storage[LIMIT_LABELS_PER_SERIES];
        struct labels ls = head_labels(s, storage);
        struct label *copy = arena_alloc(a, ls.n * sizeof(*copy));
        if (!copy)
            return NULL;
        memcpy(copy, ls.l, ls.n * sizeof(*copy));
        v[n++] = (struct fresh){{copy, ls.n}, i};
    }
    return v;
}

/* Where x goes among the live entries of the order, at or after from. */
static uint32_t place_of(const struct head *h, const struct fresh *x, uint32_t from,
                         const uint32_t *order, uint32_t n) {
    uint32_t lo = from, hi = n;
    struct label storage[LIMIT_LABELS_PER_SERIES];
    for (uint32_t step = 1; lo + step < hi; step *= 2) /* neighbours tend to come together */
        if (labels_cmp(head_labels(head_at(h, order[lo + step]), storage), x->labels) > 0) {
            hi = lo + step;
            break;
        }
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (labels_cmp(head_labels(head_at(h, order[mid]), storage), x->labels) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool head_sort(struct head *h) {
    if (!h->n_unsorted && h->n_order == h->n_live)
        return true;
    struct arena a = ARENA_INIT_MAX((size_t)4 << 30);
    struct fresh *fresh = collect_fresh(h, &a);
    uint32_t *order = malloc((h->n_live + 1) * sizeof(*order));
    if (!fresh || !order) {
        arena_deinit(&a);
        free(order);
        return false;
    }
    uint32_t n = 0, out = 0, at = 0;
    for (uint32_t i = 0; i < h->n_order; i++) /* close the gaps of removed series */
        if (h->order[i] != NONE)
            h->order[n++] = h->order[i];
    qsort(fresh, h->n_unsorted, sizeof(*fresh), cmp_fresh);
    for (uint32_t k = 0; k < h->n_unsorted; k++) {
        uint32_t place = place_of(h, &fresh[k], at, h->order, n);
        if (place > at)
            memcpy(order + out, h->order + at, (place - at) * sizeof(*order));
        out += place - at;
        at = place;
        order[out++] = fresh[k].slot;
    }
    if (n > at)
        memcpy(order + out, h->order + at, (n - at) * sizeof(*order));
    out += n - at;
    assert(out == h->n_live);
    for (uint32_t i = 0; i < out; i++)
        head_at(h, order[i])->rank = i;
    arena_deinit(&a);
    free(h->order);
    h->order = order;
    h->n_order = out;
    h->n_unsorted = 0;
    return true;
}

/* Index */

static roaring_bitmap_t *ix_all(void *self) {
    return roaring_bitmap_copy(((struct head *)self)->live);
}

static roaring_bitmap_t *ix_get(void *self, struct str name, struct str value) {
    struct posting *p = pair_posting(self, name, value, false);
    if (p && p->n > POSTING_FEW)
        return roaring_bitmap_copy(p->u.big);
    return p ? roaring_bitmap_of_ptr(p->n, p->u.few) : roaring_bitmap_create();
}

static roaring_bitmap_t *ix_scan(void *self, const struct matcher *m, bool want) {
    struct head *h = self;
    roaring_bitmap_t *sum = roaring_bitmap_create();
    struct map *values = map_get(&h->names, m->name);
    if (!sum || !values)
        return sum;
    for (struct map_entry *e = map_next(values, NULL); e; e = map_next(values, e))
        if (matcher_matches(m, e->key) == want)
            (void)posting_or_into(e->value, sum);
    return sum;
}

struct pindex head_index(struct head *h) {
    return (struct pindex){h, ix_all, ix_get, ix_scan};
}
