#include "store/series/store.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/stats.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

static int by_min_ts(const void *a, const void *b) {
    const struct block *x = *(struct block *const *)a, *y = *(struct block *const *)b;
    if (x->info.min_ts != y->info.min_ts)
        return x->info.min_ts < y->info.min_ts ? -1 : 1;
    return strcmp(x->name, y->name);
}

struct blockset *blockset_new(struct block *const *v, size_t n) {
    struct blockset *s = calloc(1, sizeof(*s) + n * sizeof(struct block *));
    if (!s)
        return NULL;
    atomic_init(&s->refs, 1);
    s->n = n;
    for (size_t i = 0; i < n; i++)
        s->v[i] = block_ref(v[i]);
    if (n)
        qsort(s->v, n, sizeof(struct block *), by_min_ts);
    return s;
}

struct blockset *blockset_ref(struct blockset *s) {
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void blockset_unref(struct blockset *s) {
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->n; i++)
        block_unref(s->v[i]);
    free(s);
}

struct blockset *store_blocks(struct series_store *s) {
    rwlock_read(&s->lock);
    struct blockset *b = blockset_ref(s->blocks);
    rwlock_unlock(&s->lock);
    return b;
}

static void count_bytes(const struct blockset *s) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->n; i++)
        bytes += s->v[i]->map.n;
    STAT_SET(hinomi_series_blocks, s->n);
    STAT_SET(hinomi_series_bytes, bytes);
}

bool store_swap_blocks(struct series_store *s, struct block *add, struct block *const *drop,
                       size_t n_drop, struct err *err) {
    struct blockset *old = s->blocks;
    struct block **v = malloc((old->n + 1) * sizeof(struct block *));
    size_t n = 0;
    for (size_t i = 0; v && i < old->n; i++) {
        bool keep = true;
        for (size_t k = 0; k < n_drop && keep; k++)
            keep = old->v[i] != drop[k];
        if (keep)
            v[n++] = old->v[i];
    }
    if (v && add)
        v[n++] = add;
    struct blockset *fresh = v ? blockset_new(v, n) : NULL;
    free(v);
    if (!fresh)
        return err_set(err, ERR_INTERNAL, "out of memory for the list of blocks");
    s->blocks = fresh;
    count_bytes(fresh);
    blockset_unref(old);
    return true;
}

int64_t blocks_max_ts(const struct blockset *set) {
    int64_t t = INT64_MIN;
    for (size_t i = 0; i < set->n; i++)
        if (set->v[i]->info.max_ts > t)
            t = set->v[i]->info.max_ts;
    return t;
}

static bool block_lookup(struct block *b, uint32_t id, int64_t ts_ms, double *out) {
    const struct block_series_entry *e = block_series(b, id);
    const struct block_col_entry *c = block_col(b, e->col);
    for (uint32_t at = 0; at < c->n; at += VALCODEC_N_MAX) {
        uint32_t seg = c->first_seg + at / VALCODEC_N_MAX,
                 k = c->n - at < VALCODEC_N_MAX ? c->n - at : VALCODEC_N_MAX;
        if (block_seg(b, seg)->last_ts < ts_ms)
            continue;
        if (block_seg(b, seg)->first_ts > ts_ms)
            return false;
        int64_t ts[VALCODEC_N_MAX];
        if (!block_read_seg(b, seg, k, ts, NULL))
            return false;
        uint32_t lo = 0, hi = k;
        while (lo < hi) {
            uint32_t mid = (lo + hi) / 2;
            if (ts[mid] < ts_ms)
                lo = mid + 1;
            else
                hi = mid;
        }
        uint32_t i = at + lo;
        return lo < k && ts[lo] == ts_ms && i >= e->start && i - e->start < e->n &&
               block_read_values(b, e, i - e->start, 1, out, NULL);
    }
    return false;
}

bool blocks_lookup(struct blockset *set, struct labels ls, int64_t ts_ms, double *out) {
    for (size_t i = 0; i < set->n; i++) {
        struct block *b = set->v[i];
        if (ts_ms < b->info.min_ts || ts_ms > b->info.max_ts || !block_check_index(b, NULL))
            continue;
        uint32_t id = block_find(b, ls);
        if (id != UINT32_MAX && block_lookup(b, id, ts_ms, out))
            return true;
    }
    return false;
}

int64_t blocks_series_max(struct blockset *set, struct labels ls) {
    int64_t max = INT64_MIN;
    for (size_t i = 0; i < set->n; i++) {
        struct block *b = set->v[i];
        if (b->info.max_ts <= max || !block_check_index(b, NULL))
            continue;
        uint32_t id = block_find(b, ls);
        if (id == UINT32_MAX)
            continue;
        const struct block_series_entry *e = block_series(b, id);
        uint32_t last = e->start + e->n - 1; /* its segment's end is not earlier than the sample */
        int64_t t = block_seg(b, block_col(b, e->col)->first_seg + last / VALCODEC_N_MAX)->last_ts;
        max = t > max ? t : max;
    }
    return max;
}

void store_quarantine(struct series_store *s, const char *path, const char *why) {
    struct err err = {0};
    const char *slash = strrchr(path, '/');
    char to[SIO_PATH_MAX + 300];
    (void)snprintf(to, sizeof(to), "%s/%lld-%s", s->quarantine, (long long)clock_wall_ms(&s->clock),
                   slash ? slash + 1 : path);
    STAT_ADD(hinomi_series_quarantined_total, 1);
    if (s->opt.read_only)
        return;
    if (file_mkdirs(s->quarantine, 0750, &err) && file_rename(path, to, &err))
        log_error("series", "set aside %s as %s: %s", path, to, why);
    else
        log_error("series", "%s is damaged (%s) and could not be set aside: %s", path, why,
                  err.message);
}
