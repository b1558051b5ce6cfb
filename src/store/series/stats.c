/* Figures for status/tsdb, limits that were hit, and the check of a whole folder. */
#include "store/series/store.h"

#include "base/cur.h"
#include "base/hash.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

#define TOP 10

static void top_add(struct series_top *v, size_t *n, struct str name, uint64_t count) {
    if (*n == TOP && count <= v[TOP - 1].count)
        return;
    size_t i = *n < TOP ? (*n)++ : TOP - 1;
    for (; i && v[i - 1].count < count; i--)
        v[i] = v[i - 1];
    v[i] = (struct series_top){name, count};
}

struct pair_ref { /* remembered while the tops are found; text is made at the end */
    struct str name, value;
};

static void head_tops(struct head *h, struct series_stats *o, struct pair_ref *pairs) {
    for (struct map_entry *e = map_next(&h->names, NULL); e; e = map_next(&h->names, e)) {
        struct map *values = e->value;
        bool is_name = str_eq(e->key, STR(LABEL_NAME));
        if (values->n_live)
            top_add(o->top_labels, &o->n_top_labels, e->key, values->n_live);
        for (struct map_entry *v = map_next(values, NULL); v; v = map_next(values, v)) {
            uint64_t count = posting_count(v->value);
            if (is_name)
                top_add(o->top_metrics, &o->n_top_metrics, v->key, count);
            /* str of a pair: n holds the name's entry, p the value's; resolved below */
            size_t before = o->n_top_pairs;
            if (before == TOP && count <= o->top_pairs[TOP - 1].count)
                continue;
            size_t i = before < TOP ? before : TOP - 1;
            o->n_top_pairs = before < TOP ? before + 1 : TOP;
            for (; i && o->top_pairs[i - 1].count < count; i--) {
                o->top_pairs[i] = o->top_pairs[i - 1];
                pairs[i] = pairs[i - 1];
            }
            o->top_pairs[i].count = count;
            pairs[i] = (struct pair_ref){e->key, v->key};
        }
    }
}

bool series_get_stats(struct series_store *s, struct arena *a, struct series_stats *out,
                      struct err *err) {
    struct series_stats o = {.min_ts_ms = INT64_MAX, .max_ts_ms = INT64_MIN};
    struct pair_ref pairs[TOP];
    rwlock_read(&s->lock);
    struct head *h = &s->head;
    const struct frozen *f = h->frozen;
    o.head_series = h->n_live;
    o.head_samples = h->samples + (f ? f->samples : 0);
    o.samples_total = o.head_samples;
    o.blocks = s->blocks->n;
    o.symbols_bytes = h->symbol_bytes;
    o.label_pairs = h->n_pairs;
    o.min_ts_ms = f && f->min_ts < h->min_ts ? f->min_ts : h->min_ts;
    o.max_ts_ms = f && f->max_ts > h->max_ts ? f->max_ts : h->max_ts;
    for (size_t i = 0; i < s->blocks->n; i++) {
        const struct block *b = s->blocks->v[i];
        o.samples_total += b->info.samples;
        o.disk_bytes += b->map.n;
        o.min_ts_ms = b->info.min_ts < o.min_ts_ms ? b->info.min_ts : o.min_ts_ms;
        o.max_ts_ms = b->info.max_ts > o.max_ts_ms ? b->info.max_ts : o.max_ts_ms;
    }
    head_tops(h, &o, pairs);
    for (size_t i = 0; i < o.n_top_metrics; i++)
        o.top_metrics[i].name = arena_str(a, o.top_metrics[i].name);
    for (size_t i = 0; i < o.n_top_labels; i++)
        o.top_labels[i].name = arena_str(a, o.top_labels[i].name);
    for (size_t i = 0; i < o.n_top_pairs; i++)
        o.top_pairs[i].name =
            arena_printf(a, "%.*s=%.*s", STR_FMT(pairs[i].name), STR_FMT(pairs[i].value));
    rwlock_unlock(&s->lock);
    if (s->wal) {
        o.wal_bytes = wal_bytes(s->wal);
        wal_last_sync(s->wal, &o.wal_synced_ms, &o.wal_sync_ns);
        o.disk_bytes += o.wal_bytes;
    }
    if (o.min_ts_ms > o.max_ts_ms)
        o.min_ts_ms = o.max_ts_ms = 0;
    if (a->failed)
        return arena_err(a, err);
    *out = o;
    return true;
}

static struct series_limit_hit hit(struct arena *a, const struct hcount *c, struct str source,
                                   const char *limit) {
    return (struct series_limit_hit){arena_str(a, source),
                                     arena_str(a, c->top_metric),
                                     arena_str(a, c->top_label),
                                     str_from(limit),
                                     c->refused_series,
                                     c->refused_samples,
                                     c->last_ms};
}

bool series_limit_hits(struct series_store *s, struct arena *a, struct series_limit_hit **out,
                       size_t *out_n, struct err *err) {
    rwlock_read(&s->lock);
    struct head *h = &s->head;
    struct series_limit_hit *v = arena_array(a, h->n_sources + h->n_metrics + 1, sizeof(*v));
    size_t n = 0;
    for (uint32_t i = 1; v && i <= h->n_metrics; i++)
        if (h->metric_v[i] && h->metric_v[i]->refused_series)
            v[n++] = hit(a, h->metric_v[i], h->metric_v[i]->source,
                         "store.series.series_per_metric_max");
    for (uint32_t i = 1; v && i <= h->n_sources; i++)
        if (h->source_v[i]->refused_series)
            v[n++] =
                hit(a, h->source_v[i], h->source_v[i]->name, "store.series.series_per_source_max");
    rwlock_unlock(&s->lock);
    if (!v || a->failed)
        return arena_err(a, err);
    *out = v;
    *out_n = n;
    return true;
}

/* Verify */

struct verify {
    struct buf *report;
    bool clean;
};

static void complain(struct verify *v, const char *path, const char *why) {
    buf_printf(v->report, "%s: %s\n", path, why);
    v->clean = false;
}

static void ignore_record(void *self, enum wal_type type, struct str payload) {
    (void)self;
    (void)type;
    (void)payload;
}
static void bad_segment(void *self, const char *path, const char *why) {
    complain(self, path, why);
}

static bool verify_log(struct verify *v, const char *dir, struct err *err) {
    char path[SIO_PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/wal", dir);
    struct wal_replay r = {.record = ignore_record, .bad_segment = bad_segment, .self = v};
    if (!wal_replay(path, 0, &r, err))
        return false;
    buf_printf(v->report, "log: %llu records, %llu bytes%s\n", (unsigned long long)r.records,
               (unsigned long long)r.bytes,
               r.torn_bytes ? ", an unfinished write at the end (never acknowledged)" : "");
    return true;
}

static void verify_manifest(struct verify *v, const char *dir) {
    char path[SIO_PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/MANIFEST", dir);
    struct buf b = BUF_INIT;
    struct err why = {0};
    uint32_t crc = 0;
    if (!file_exists(path))
        return;
    bool ok = file_read(path, (size_t)256 << 20, &b, &why);
    if (ok && b.n >= 16)
        memcpy(&crc, b.p + b.n - 4, 4);
    if (!ok || b.n < 16 || crc != crc32c(0, b.p, b.n - 4))
        complain(v, path, ok ? "its bytes are not what was written" : why.message);
    buf_deinit(&b);
}

bool series_verify(const char *dir, struct buf *report, bool *out_clean, struct err *err) {
    struct verify v = {report, true};
    struct arena a = ARENA_INIT;
    char **names, path[SIO_PATH_MAX];
    size_t n, blocks = 0;
    uint64_t samples = 0;
    if (!file_list(dir, &a, &names, &n, err)) {
        arena_deinit(&a);
        return false;
    }
    verify_manifest(&v, dir);
    for (size_t i = 0; i < n; i++) {
        size_t k = strlen(names[i]);
        if (k < 4 || strcmp(names[i] + k - 4, ".blk") != 0)
            continue;
        struct err why = {0};
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        struct block *b = block_open(dir, names[i], &why);
        if (!b || !block_verify(b, &why)) {
            complain(&v, path, why.message);
        } else {
            blocks++;
            samples += b->info.samples;
        }
        block_unref(b);
    }
    bool ok = verify_log(&v, dir, err);
    buf_printf(report, "blocks: %zu sound, %llu samples\n", blocks, (unsigned long long)samples);
    arena_deinit(&a);
    if (ok)
        *out_clean = v.clean;
    return ok;
}
