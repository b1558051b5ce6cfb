#include "store/series/store.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/stats.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_RETENTION_MS ((int64_t)30 * 24 * 3600 * 1000)
#define DEFAULT_PAST_MS ((int64_t)3600 * 1000)
#define DEFAULT_FUTURE_MS ((int64_t)600 * 1000)

static void take_options(struct series_store *s, const struct series_options *opt) {
    s->opt = *opt;
    s->opt.dir = s->dir;
    s->clock = *opt->clock;
    if (!s->opt.retention_ms)
        s->opt.retention_ms = DEFAULT_RETENTION_MS;
    if (!s->opt.accept_past_ms)
        s->opt.accept_past_ms = DEFAULT_PAST_MS;
    if (!s->opt.accept_future_ms)
        s->opt.accept_future_ms = DEFAULT_FUTURE_MS;
    if (!s->opt.series_per_source_max)
        s->opt.series_per_source_max = LIMIT_SERIES_PER_SOURCE;
    if (!s->opt.series_per_metric_max)
        s->opt.series_per_metric_max = LIMIT_SERIES_PER_METRIC_AND_SOURCE;
    if (s->opt.read_only)
        s->opt.no_background = true;
}

static void free_meta(struct series_store *s) {
    for (struct map_entry *e = map_next(&s->meta, NULL); e; e = map_next(&s->meta, e)) {
        struct meta_entry *m = e->value;
        free((void *)(uintptr_t)m->help.p);
        free(m);
    }
    map_deinit(&s->meta);
    for (struct map_entry *e = map_next(&s->agents, NULL); e; e = map_next(&s->agents, e))
        free(e->value);
    map_deinit(&s->agents);
}

void store_free_parts(struct series_store *s) {
    wal_free(s->wal);
    head_deinit(&s->head);
    blockset_unref(s->blocks);
    free_meta(s);
    store_replay_end(s);
    buf_deinit(&s->scratch_run);
    buf_deinit(&s->scratch_wal);
}

static void store_free(struct series_store *s) {
    store_free_parts(s);
    rwlock_deinit(&s->lock);
    mutex_deinit(&s->maint);
    mutex_deinit(&s->wake_lock);
    cond_deinit(&s->wake);
    free(s);
}

static void on_record(void *self, enum wal_type type, struct str payload) {
    store_replay_record(self, type, payload);
}

/* A damaged segment was read as far as it is sound; a second name keeps its bytes for a person. */
static void on_bad_segment(void *self, const char *path, const char *why) {
    struct series_store *s = self;
    struct err err = {0};
    char to[SIO_PATH_MAX + 300];
    const char *slash = strrchr(path, '/');
    STAT_ADD(hinomi_series_quarantined_total, 1);
    if (s->opt.read_only)
        return;
    (void)snprintf(to, sizeof(to), "%s/%lld-%s", s->quarantine, (long long)clock_wall_ms(&s->clock),
                   slash ? slash + 1 : path);
    if (!file_mkdirs(s->quarantine, 0750, &err) || link(path, to) != 0)
        log_error("series", "log segment %s: %s (and it could not be kept in %s)", path, why,
                  s->quarantine);
    else
        log_error("series", "log segment %s: %s; what is sound was read, the bytes are kept as %s",
                  path, why, to);
}

static bool replay(struct series_store *s, uint64_t *out_epoch, struct err *err) {
    struct wal_replay r = {.record = on_record,
                           .bad_segment = on_bad_segment,
                           .self = s,
                           .epoch_max = s->manifest_epoch};
    int64_t start = clock_mono_ms(&s->clock);
    if (!wal_replay(s->wal_dir, s->manifest_epoch, &r, err))
        return false;
    store_replay_end(s);
    if (r.records)
        log_info("series", "replayed %llu log records (%llu bytes, %llu samples) in %lld ms%s",
                 (unsigned long long)r.records, (unsigned long long)r.bytes,
                 (unsigned long long)s->head.samples, (long long)(clock_mono_ms(&s->clock) - start),
                 r.torn_bytes ? "; an unfinished write at the end was dropped" : "");
    *out_epoch = r.epoch_max + 1;
    return true;
}

static bool start(struct series_store *s, struct err *err) {
    uint64_t epoch = 1;
    if (!head_init(&s->head))
        return err_set(err, ERR_INTERNAL, "out of memory opening the series store");
    if (!s->opt.read_only &&
        (!file_mkdirs(s->dir, 0750, err) || !file_mkdirs(s->wal_dir, 0750, err)))
        return false;
    if (!manifest_load(s, err) || !replay(s, &epoch, err))
        return false;
    if (s->opt.read_only)
        return true;
    s->wal = wal_new(s->wal_dir, epoch, err);
    STAT_SET(hinomi_series_active, s->head.n_live);
    return s->wal &&
           (s->opt.no_background || thread_start(&s->thread, "series", store_thread, s, err));
}

struct series_store *series_open(const struct series_options *opt, struct err *err) {
    struct series_store *s = calloc(1, sizeof(*s));
    if (!s || strlen(opt->dir) >= sizeof(s->dir)) {
        free(s);
        err_set(err, ERR_BAD_INPUT,
                "cannot open the series store: the path is too long, or memory is exhausted");
        return NULL;
    }
    (void)snprintf(s->dir, sizeof(s->dir), "%s", opt->dir);
    (void)snprintf(s->wal_dir, sizeof(s->wal_dir), "%s/wal", s->dir);
    (void)snprintf(s->quarantine, sizeof(s->quarantine), "%s/" QUARANTINE_DIR, s->dir);
    take_options(s, opt);
    rwlock_init_writer_first(&s->lock);
    mutex_init(&s->maint);
    mutex_init(&s->wake_lock);
    cond_init(&s->wake);
    s->def_epoch = 1;
    s->next_block = 1;
    s->retention_now = INT64_MIN;
    s->retention_mono = clock_mono_ms(&s->clock);
    if (!start(s, err)) {
        store_free(s);
        return NULL;
    }
    return s;
}

void series_close(struct series_store *s) {
    if (!s)
        return;
    if (s->thread.started) {
        atomic_store(&s->stop, true);
        store_wake(s);
        thread_join(&s->thread);
    }
    if (!s->opt.read_only) {
        struct err err = {0};
        mutex_lock(&s->maint);
        bool ok = store_maintain(s, true, &err);
        if (ok) { /* what is left in the log (positions, metadata) stands in the manifest now */
            s->manifest_epoch = wal_cut(s->wal);
            ok = manifest_write(s, false, &err) && wal_drop_before(s->wal, s->manifest_epoch, &err);
        }
        mutex_unlock(&s->maint);
        if (!ok)
            log_warn("series",
                     "the head could not be written on stop; the next start replays the log: %s",
                     err.message);
    }
    store_free(s);
}

/* Doors */

static bool sink_op(void *self, const struct batch *b, struct write_result *out, struct err *err) {
    return store_write(self, b, out, err);
}

struct sink series_sink(struct series_store *s) {
    static const struct sink_ops ops = {sink_op};
    return (struct sink){&ops, s};
}

bool series_maintain(struct series_store *s, struct err *err) {
    if (s->opt.read_only)
        return true;
    mutex_lock(&s->maint);
    bool ok = store_maintain(s, false, err);
    mutex_unlock(&s->maint);
    return ok;
}

bool series_clear(struct series_store *s, struct err *err) {
    struct head fresh;
    if (s->opt.read_only)
        return err_set(err, ERR_UNAVAILABLE, "the series store is open for reading only");
    struct blockset *none = blockset_new(NULL, 0);
    if (!none || !head_init(&fresh)) {
        blockset_unref(none);
        return err_set(err, ERR_INTERNAL, "out of memory");
    }
    mutex_lock(&s->maint);
    rwlock_write(&s->lock);
    struct head old = s->head;
    struct blockset *blocks = s->blocks;
    s->head = fresh;
    s->blocks = none;
    free_meta(s);
    s->head_since_mono = 0;
    s->manifest_epoch = wal_cut(s->wal);
    s->def_epoch++;
    rwlock_unlock(&s->lock);
    head_deinit(&old);
    s->retention_now = INT64_MIN;
    bool ok = manifest_write(s, false, err);
    for (size_t i = 0; ok && i < blocks->n; i++)
        atomic_store(&blocks->v[i]->unlink_last, true);
    blockset_unref(blocks);
    ok = ok && wal_drop_before(s->wal, s->manifest_epoch, err);
    STAT_SET(hinomi_series_active, 0);
    STAT_SET(hinomi_series_blocks, 0);
    STAT_SET(hinomi_series_bytes, 0);
    mutex_unlock(&s->maint);
    return ok;
}

/* Metadata */

static int by_metric(const void *a, const void *b) {
    return str_cmp(((const struct metric_meta *)a)->metric,
                   ((const struct metric_meta *)b)->metric);
}

static bool copy_meta(struct arena *a, struct str metric, const struct meta_entry *m,
                      struct metric_meta *out) {
    *out = (struct metric_meta){arena_str(a, metric), arena_str(a, m->help), arena_str(a, m->unit),
                                m->type};
    return !a->failed;
}

bool series_get_meta(struct series_store *s, struct str metric, size_t limit, struct arena *a,
                     struct metric_meta **out, size_t *out_n, struct err *err) {
    size_t n = 0;
    bool ok = true;
    rwlock_read(&s->lock);
    const struct meta_entry *one = metric.n ? map_get(&s->meta, metric) : NULL;
    struct metric_meta *v = arena_array(a, metric.n ? 1 : s->meta.n_live + 1, sizeof(*v));
    if (v && one)
        ok = copy_meta(a, metric, one, &v[n++]);
    for (struct map_entry *e = map_next(&s->meta, NULL); v && !metric.n && ok && e;
         e = map_next(&s->meta, e))
        ok = copy_meta(a, e->key, e->value, &v[n++]);
    rwlock_unlock(&s->lock);
    if (!v || !ok)
        return arena_err(a, err);
    if (n)
        qsort(v, n, sizeof(*v), by_metric);
    *out = v;
    *out_n = limit && n > limit ? limit : n;
    return true;
}
