/* What happens behind the writers' backs: flush, compaction, retention, and the thread that drives
 * them. */
#include "store/series/store.h"

#include "base/log.h"
#include "base/stats.h"

#include <stdio.h>
#include <stdlib.h>

enum { COMPACT_RUN_MIN = 4, COMPACT_RUN_MAX = 32, LEVEL_MAX = 100 };
#define COMPACT_SAMPLES_MAX ((uint64_t)512 << 20)
#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define TICK_MS 5000
#define MAINTAIN_EVERY_MS 60000
#define RETENTION_SPEED 2 /* see store_retention_cutoff */

/* Flush */

static bool copy_set(struct reader_set *set, struct block_writer *w, int64_t cutoff,
                     struct err *err) {
    for (size_t i = 0; i < set->count; i++) {
        struct series_data d;
        struct labels ls = set->ops->labels(set, i);
        if (!ls.n)
            return err_set(err, ERR_INTERNAL, "out of memory writing a block");
        if (!set->ops->read(set, i, cutoff, INT64_MAX, &d, err) ||
            (d.n && !block_writer_add(w, ls, d.ts_ms, d.value, d.n, err)))
            return false;
    }
    return true;
}

/* Writes a set as a new block and opens it; *out NULL when there was nothing in it. */
static bool write_block(struct series_store *s, struct reader_set *set, uint32_t level,
                        int64_t cutoff, struct block **out, struct err *err) {
    char name[64];
    struct block_info info;
    (void)snprintf(name, sizeof(name), "%012llu.blk", (unsigned long long)s->next_block++);
    struct block_writer *w = block_writer_new(s->dir, name, level, err);
    if (!w)
        return false;
    if (!copy_set(set, w, cutoff, err)) {
        block_writer_abort(w);
        return false;
    }
    if (block_writer_empty(w)) {
        block_writer_abort(w);
        *out = NULL;
        return true;
    }
    if (!block_writer_finish(w, &info, err))
        return false;
    *out = block_open(s->dir, name, err);
    return *out != NULL;
}

static bool freeze(struct series_store *s, struct err *err) {
    rwlock_write(&s->lock);
    bool ok = true;
    if (!s->head.frozen && s->head.samples) {
        ok = head_freeze(&s->head) || err_set(err, ERR_INTERNAL, "out of memory for a flush");
        if (ok) {
            s->frozen_epoch = wal_cut(s->wal);
            s->def_epoch++;
            s->head_since_mono = 0;
            for (struct map_entry *e = map_next(&s->agents, NULL); e; e = map_next(&s->agents, e)) {
                struct agent_pos *p = e->value;
                p->frozen_segment = p->applied_segment;
                p->frozen_offset = p->applied_offset;
            }
        }
    }
    rwlock_unlock(&s->lock);
    return ok;
}

static void forget_idle(struct series_store *s) {
    struct head *h = &s->head;
    for (uint32_t i = 0; i < h->n_slots; i++) {
        struct hseries *x = head_at(h, i);
        if (x->raw && x->idle >= IDLE_FLUSHES_MAX && x->cur.n == 0 && !x->cur.ooo)
            head_remove(h, i);
    }
    STAT_SET(hinomi_series_active, h->n_live);
}

static void agents_flushed(struct series_store *s) {
    for (struct map_entry *e = map_next(&s->agents, NULL); e; e = map_next(&s->agents, e)) {
        struct agent_pos *p = e->value;
        if (p->frozen_segment > p->segment ||
            (p->frozen_segment == p->segment && p->frozen_offset > p->offset)) {
            p->segment = p->frozen_segment;
            p->offset = p->frozen_offset;
        }
    }
}

bool store_flush(struct series_store *s, struct err *err) {
    if (!freeze(s, err))
        return false;
    if (!s->head.frozen) /* only this thread (maint) makes and drops it */
        return true;
    struct reader_set *set;
    struct block *b = NULL;
    if (!frozen_select(s, &set, err))
        return false;
    bool ok = write_block(s, set, 0, INT64_MIN, &b, err);
    set->ops->free(set);
    if (!ok)
        return false;
    rwlock_write(&s->lock);
    ok = !b || store_swap_blocks(s, b, NULL, 0, err);
    if (ok) {
        head_drop_frozen(&s->head);
        forget_idle(s);
    }
    rwlock_unlock(&s->lock);
    block_unref(b);
    if (!ok)
        return false;
    s->manifest_epoch = s->frozen_epoch;
    if (!manifest_write(s, true, err))
        return false;
    rwlock_write(&s->lock);
    agents_flushed(s);
    rwlock_unlock(&s->lock);
    return wal_drop_before(s->wal, s->manifest_epoch, err);
}

bool store_flush_due(struct series_store *s) {
    rwlock_read(&s->lock);
    const struct head *h = &s->head;
    uint64_t per = (uint64_t)h->n_live * FLUSH_SAMPLES_PER_SERIES,
             limit = per > FLUSH_SAMPLES ? per : FLUSH_SAMPLES;
    bool due =
        h->samples >= limit || h->flush_wanted ||
        (s->head_since_mono && clock_mono_ms(&s->clock) - s->head_since_mono >= FLUSH_AGE_MS);
    rwlock_unlock(&s->lock);
    return due || wal_bytes(s->wal) > FLUSH_WAL_BYTES;
}

/* Blocks that leave: out of the list, out of the manifest, and only then off the disk. */

static bool replace(struct series_store *s, struct block *add, struct block **drop, size_t n,
                    struct err *err) {
    rwlock_write(&s->lock);
    bool ok = store_swap_blocks(s, add, drop, n, err);
    rwlock_unlock(&s->lock);
    if (!ok || !manifest_write(s, false, err))
        return false;
    for (size_t i = 0; i < n; i++)
        atomic_store(&drop[i]->unlink_last, true);
    return true;
}

/* Compaction */

static bool pick(const struct blockset *set, int64_t span_max, size_t *out_from, size_t *out_n) {
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i < set->n; i++) {
        uint64_t total = 0, largest = 0;
        int64_t max_ts = INT64_MIN, widest = span_max;
        for (size_t k = i; k < set->n && k - i < COMPACT_RUN_MAX; k++) {
            const struct block_info *b = &set->v[k]->info;
            total += b->samples;
            largest = b->samples > largest ? b->samples : largest;
            max_ts = b->max_ts > max_ts ? b->max_ts : max_ts;
            widest = b->max_ts - b->min_ts > widest ? b->max_ts - b->min_ts : widest;
            if (max_ts - set->v[i]->info.min_ts > widest || total > COMPACT_SAMPLES_MAX)
                break;
            if (k - i + 1 >= COMPACT_RUN_MIN && total - largest >= largest / 2 && total < best) {
                best = total;
                *out_from = i;
                *out_n = k - i + 1;
            }
        }
    }
    return best != UINT64_MAX;
}

static bool compact_once(struct series_store *s, bool *out_did, struct err *err) {
    struct blockset *all = store_blocks(s);
    size_t from = 0, n = 0;
    int64_t span = s->opt.retention_ms / 10 > DAY_MS ? s->opt.retention_ms / 10 : DAY_MS;
    *out_did = pick(all, span, &from, &n);
    bool ok = true;
    if (*out_did) {
        struct blockset *some = blockset_new(all->v + from, n);
        struct reader_set *set = NULL;
        struct block *b = NULL;
        uint32_t level = 0;
        for (size_t i = 0; i < n; i++)
            level = all->v[from + i]->info.level > level ? all->v[from + i]->info.level : level;
        ok = some ? blocks_select(some, &set, err)
                  : err_set(err, ERR_INTERNAL, "out of memory for a compaction");
        int64_t cutoff = store_retention_cutoff(s, blocks_max_ts(all));
        ok = ok && write_block(s, set, level < LEVEL_MAX ? level + 1 : level, cutoff, &b, err);
        if (set)
            set->ops->free(set);
        ok = ok && replace(s, b, all->v + from, n, err);
        block_unref(b);
        blockset_unref(some);
        if (ok)
            STAT_ADD(hinomi_compactions_total, 1);
    }
    blockset_unref(all);
    return ok;
}

/* Retention */

/* Retention believes neither the wall clock nor the data's newest timestamp alone, and its own idea
 * of now moves at most RETENTION_SPEED times as fast as the monotonic clock: a clock that jumps
 * ahead by a year, and samples stamped by it, do not delete a year. After a real pause it catches
 * up in the background. */
int64_t store_retention_cutoff(struct series_store *s, int64_t data_max) {
    int64_t mono = clock_mono_ms(&s->clock), wall = clock_wall_ms(&s->clock);
    int64_t now = data_max < wall ? data_max : wall;
    if (data_max == INT64_MIN)
        return INT64_MIN;
    if (s->retention_now == INT64_MIN) {
        s->retention_now = now;
    } else if (now > s->retention_now) {
        int64_t step = (mono - s->retention_mono) * RETENTION_SPEED;
        s->retention_now = now - s->retention_now < step ? now : s->retention_now + step;
    }
    s->retention_mono = mono;
    return s->retention_now < INT64_MIN + s->opt.retention_ms
               ? INT64_MIN
               : s->retention_now - s->opt.retention_ms;
}

static bool apply_retention(struct series_store *s, struct err *err) {
    struct blockset *all = store_blocks(s);
    struct block **drop = malloc((all->n + 1) * sizeof(struct block *));
    bool ok = drop || err_set(err, ERR_INTERNAL, "out of memory");
    int64_t cutoff = store_retention_cutoff(s, blocks_max_ts(all));
    uint64_t bytes = 0;
    size_t n = 0;
    for (size_t i = 0; ok && i < all->n; i++) {
        if (all->v[i]->info.max_ts < cutoff)
            drop[n++] = all->v[i];
        else
            bytes += all->v[i]->map.n;
    }
    for (size_t i = 0;
         ok && s->opt.retention_bytes && i + 1 < all->n && bytes > s->opt.retention_bytes; i++) {
        if (all->v[i]->info.max_ts < cutoff)
            continue;
        bytes -= all->v[i]->map.n;
        drop[n++] = all->v[i];
    }
    ok = ok && (!n || replace(s, NULL, drop, n, err));
    free(drop);
    blockset_unref(all);
    return ok;
}

static bool set_corrupt_aside(struct series_store *s, struct err *err) {
    struct blockset *all = store_blocks(s);
    bool ok = true;
    for (size_t i = 0; ok && i < all->n; i++) {
        struct block *b = all->v[i];
        if (!atomic_load(&b->corrupt))
            continue;
        store_quarantine(s, b->path, b->why);
        rwlock_write(&s->lock);
        ok = store_swap_blocks(s, NULL, &b, 1, err);
        rwlock_unlock(&s->lock);
        s->manifest_dirty = true;
    }
    blockset_unref(all);
    return ok;
}

bool store_maintain(struct series_store *s, bool close, struct err *err) {
    bool ok = store_flush(s, err) && set_corrupt_aside(s, err) && apply_retention(s, err),
         more = !close;
    while (ok && more && !(s->thread.started && atomic_load(&s->stop)))
        ok = compact_once(s, &more, err);
    return ok && (!s->manifest_dirty || manifest_write(s, false, err));
}

/* Thread */

void store_wake(struct series_store *s) {
    mutex_lock(&s->wake_lock);
    s->wake_now = true;
    cond_signal(&s->wake);
    mutex_unlock(&s->wake_lock);
}

static void work(struct series_store *s, bool *failing, bool all) {
    struct err err = {0};
    mutex_lock(&s->maint);
    bool flush = store_flush_due(s) || s->head.frozen, ok = true;
    if (flush)
        ok = store_flush(s, &err);
    bool more = ok && (flush || all);
    /* A damaged block goes at the next tick: until then each query that meets it fails. */
    ok = ok && set_corrupt_aside(s, &err) && (!all || apply_retention(s, &err));
    while (ok && more && !atomic_load(&s->stop)) {
        ok = compact_once(s, &more, &err);
        if (ok && store_flush_due(s)) /* writers come first */
            ok = store_flush(s, &err);
    }
    ok = ok && (!s->manifest_dirty || manifest_write(s, false, &err));
    mutex_unlock(&s->maint);
    if (!ok && !*failing)
        log_error("series", "maintenance of %s failed, will be tried again: %s", s->dir,
                  err.message);
    else if (ok && *failing)
        log_info("series", "maintenance of %s works again", s->dir);
    *failing = !ok;
}

void store_thread(void *self) {
    struct series_store *s = self;
    bool failing = false;
    int64_t last = 0;
    while (!atomic_load(&s->stop)) {
        mutex_lock(&s->wake_lock);
        if (!s->wake_now)
            (void)cond_wait_for(&s->wake, &s->wake_lock, DUR_MS(TICK_MS));
        s->wake_now = false;
        mutex_unlock(&s->wake_lock);
        if (atomic_load(&s->stop))
            break;
        int64_t mono = clock_mono_ms(&s->clock);
        bool all = last == 0 || mono - last >= MAINTAIN_EVERY_MS || failing;
        if (all)
            last = mono | 1;
        work(s, &failing, all);
        if (failing) {
            mutex_lock(&s->wake_lock);
            (void)cond_wait_for(&s->wake, &s->wake_lock, DUR_MS(1000));
            mutex_unlock(&s->wake_lock);
        }
    }
}
