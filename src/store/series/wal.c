#include "store/series/wal.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/stats.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"
#include "store/series/sio.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HEADER_BYTES = 32, RECORD_HEADER_BYTES = 24, ALIGN = 8, VERSION = 1, EPOCH_SHIFT = 24 };
enum { STATE_WAITING, STATE_DONE, STATE_FAILED };
enum { CUTS_MAX = 16 };
#define SEGMENT_MAGIC "HINOMIWL"
#define RECORD_MAGIC UINT32_C(0x314c4157)

struct batch_buf {
    struct buf bytes;
    size_t cut_at[CUTS_MAX]; /* offsets in bytes where a new epoch begins */
    uint64_t cut_epoch[CUTS_MAX];
    size_t n_cuts;
    struct wal_ticket *first, *last;
};

struct wal {
    char dir[SIO_PATH_MAX - 64];
    struct mutex lock;
    struct cond done;
    bool leading;
    uint64_t epoch; /* of records appended now */
    struct batch_buf pending;
    /* the leader's, or under lock while nobody leads */
    struct batch_buf flight;
    uint64_t write_epoch, index;
    int fd;
    uint64_t offset, allocated;
    char path[SIO_PATH_MAX];
    _Atomic int64_t synced_ms,
        sync_ns;                     /* the last commit: when, and what its fsync took; 0: none */
    _Atomic uint64_t bytes_epoch[2]; /* durable bytes of write_epoch and of those before it */
    bool broken;                     /* the last commit failed */
    uint64_t failures;               /* commits that failed; see wal_failures */
};

static void segment_path(const char *dir, uint64_t number, char *out) {
    (void)snprintf(out, SIO_PATH_MAX, "%s/%016llx.wal", dir, (unsigned long long)number);
}

struct wal *wal_new(const char *dir, uint64_t epoch, struct err *err) {
    struct wal *w = calloc(1, sizeof(*w));
    if (!w || strlen(dir) >= sizeof(w->dir)) {
        free(w);
        err_set(err, ERR_INTERNAL, "cannot make the log for %s: out of memory or path too long",
                dir);
        return NULL;
    }
    memcpy(w->dir, dir, strlen(dir) + 1);
    if (!file_mkdirs(dir, 0750, err)) {
        free(w);
        return NULL;
    }
    mutex_init(&w->lock);
    cond_init(&w->done);
    w->epoch = w->write_epoch = epoch;
    w->fd = -1;
    w->pending.bytes.bytes_max = w->flight.bytes.bytes_max =
        WAL_QUEUE_BYTES_MAX + WAL_RECORD_BYTES_MAX + 4096;
    return w;
}

void wal_free(struct wal *w) {
    if (!w)
        return;
    file_close(w->fd);
    buf_deinit(&w->pending.bytes);
    buf_deinit(&w->flight.bytes);
    mutex_deinit(&w->lock);
    cond_deinit(&w->done);
    free(w);
}

static bool open_segment(struct wal *w, struct err *err) {
    uint64_t number = w->write_epoch << EPOCH_SHIFT | w->index;
    w->index++; /* a number is never used twice, whatever happens below */
    segment_path(w->dir, number, w->path);
    if (!sio_create(w->path, &w->fd, err)) {
        w->fd = -1;
        return false;
    }
    uint8_t h[HEADER_BYTES] = SEGMENT_MAGIC;
    uint32_t version = VERSION;
    memcpy(h + 8, &version, 4);
    memcpy(h + 16, &number, 8);
    uint32_t crc = crc32c(0, h, HEADER_BYTES - 4);
    memcpy(h + HEADER_BYTES - 4, &crc, 4);
    w->offset = HEADER_BYTES;
    w->allocated = WAL_ALLOC_STEP_BYTES;
    if (sio_alloc(w->fd, 0, w->allocated, w->path, err) &&
        sio_write(w->fd, h, sizeof(h), 0, w->path, err) && sio_sync(w->fd, w->path, err) &&
        sio_sync_dir(w->dir, err))
        return true;
    file_close(w->fd);
    w->fd = -1;
    (void)unlink(w->path);
    return false;
}

static void close_segment(struct wal *w) {
    file_close(w->fd);
    w->fd = -1;
}

static bool write_run(struct wal *w, const char *p, size_t n, struct err *err) {
    if (!n)
        return true;
    if (w->fd >= 0 && w->offset > HEADER_BYTES && w->offset + n > WAL_SEGMENT_BYTES_MAX)
        close_segment(w);
    if (w->fd < 0 && !open_segment(w, err))
        return false;
    if (w->offset + n > w->allocated) {
        uint64_t more = (w->offset + n - w->allocated + WAL_ALLOC_STEP_BYTES - 1) /
                        WAL_ALLOC_STEP_BYTES * WAL_ALLOC_STEP_BYTES;
        if (!sio_alloc(w->fd, w->allocated, more, w->path, err))
            return false;
        w->allocated += more;
    }
    /* the header ties each record to its segment, so that bytes of another file are never taken for
     * it */
    if (!sio_write(w->fd, p, n, w->offset, w->path, err))
        return false;
    const struct clock *clock = clock_system(); /* for people to see; nothing is decided by it */
    int64_t began_ns = clock->mono(clock->self).ns;
    if (!sio_sync(w->fd, w->path, err))
        return false;
    atomic_store(&w->sync_ns, clock->mono(clock->self).ns - began_ns);
    atomic_store(&w->synced_ms, clock_wall_ms(clock));
    w->offset += n;
    w->bytes_epoch[1] += n;
    STAT_ADD(hinomi_wal_bytes_total, n);
    STAT_ADD(hinomi_wal_fsyncs_total, 1);
    return true;
}

static bool write_flight(struct wal *w, struct err *err) {
    struct batch_buf *b = &w->flight;
    size_t from = 0;
    for (size_t i = 0; i <= b->n_cuts; i++) {
        size_t to = i < b->n_cuts ? b->cut_at[i] : b->bytes.n;
        bool ok = write_run(w, b->bytes.p + from, to - from, err);
        from = to;
        if (!ok) {
            /* cuts behind the failure still happen: what comes next belongs to the newer epoch */
            uint64_t last = b->n_cuts ? b->cut_epoch[b->n_cuts - 1] : w->write_epoch;
            if (last != w->write_epoch) {
                w->write_epoch = last;
                w->index = 0;
            }
            close_segment(w);
            return false;
        }
        if (i < b->n_cuts) {
            close_segment(w);
            w->bytes_epoch[0] += atomic_load(&w->bytes_epoch[1]);
            w->bytes_epoch[1] = 0;
            w->write_epoch = b->cut_epoch[i];
            w->index = 0;
        }
    }
    return true;
}

static void settle(struct batch_buf *b, bool ok, const struct err *err) {
    for (struct wal_ticket *k = b->first, *next; k; k = next) {
        next = k->next;
        if (!ok)
            k->err = *err;
        k->state = ok ? STATE_DONE : STATE_FAILED;
    }
    b->first = b->last = NULL;
}

uint64_t wal_failures(struct wal *w) {
    mutex_lock(&w->lock);
    uint64_t n = w->failures;
    mutex_unlock(&w->lock);
    return n;
}

/* Called with the lock held; leaves with the lock held. */
static void lead(struct wal *w) {
    w->leading = true;
    struct batch_buf t = w->flight;
    w->flight = w->pending;
    w->pending = t;
    mutex_unlock(&w->lock);
    struct err err = {0};
    bool ok = write_flight(w, &err);
    mutex_lock(&w->lock);
    w->broken = !ok;
    settle(&w->flight, ok, &err);
    if (!ok) {
        STAT_ADD(hinomi_wal_fsync_failures_total, 1);
        w->failures++;
        /* what is queued may lean on definitions in the records that were lost */
        settle(&w->pending, false, &err);
        w->pending.bytes.n = 0;
        for (size_t i = 0; i < w->pending.n_cuts; i++)
            w->pending.cut_at[i] = 0;
    }
    buf_reset(&w->flight.bytes);
    if (w->flight.bytes.cap > WAL_ALLOC_STEP_BYTES) { /* do not keep the memory of one burst */
        size_t max = w->flight.bytes.bytes_max;
        buf_deinit(&w->flight.bytes);
        w->flight.bytes.bytes_max = max;
    }
    w->flight.n_cuts = 0;
    w->leading = false;
    cond_broadcast(&w->done);
}

bool wal_ready(struct wal *w, struct err *err) {
    bool ok = true;
    mutex_lock(&w->lock);
    if (w->broken && !w->leading) {
        ok = w->fd >= 0 || open_segment(w, err);
        w->broken = !ok;
    } else if (w->broken) {
        ok =
            err_set(err, ERR_UNAVAILABLE, "the log of %s cannot be written now; try again", w->dir);
    }
    mutex_unlock(&w->lock);
    if (!ok && err)
        err->code = ERR_UNAVAILABLE;
    return ok;
}

bool wal_append(struct wal *w, enum wal_type type, uint64_t failures, const struct str *parts,
                size_t n_parts, struct wal_ticket *t, struct err *err) {
    size_t len = 0;
    uint32_t crc = 0;
    for (size_t i = 0; i < n_parts; i++) {
        len += parts[i].n;
        crc = crc32c(crc, parts[i].p, parts[i].n);
    }
    if (len > WAL_RECORD_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE,
                       "a batch takes %zu bytes in the log; at most %zu are allowed", len,
                       WAL_RECORD_BYTES_MAX);
    uint32_t h[6] = {RECORD_MAGIC, (uint32_t)len, (uint32_t)type, crc, 0, 0};
    mutex_lock(&w->lock);
    if (w->failures != failures) {
        mutex_unlock(&w->lock);
        return err_set(err, ERR_UNAVAILABLE, "the log failed a moment ago; try again");
    }
    struct batch_buf *b = &w->pending;
    size_t padded = RECORD_HEADER_BYTES + (len + ALIGN - 1) / ALIGN * ALIGN;
    if (b->bytes.n + padded > WAL_QUEUE_BYTES_MAX || !buf_reserve(&b->bytes, padded)) {
        b->bytes.failed = false;
        mutex_unlock(&w->lock);
        return err_set(err, ERR_UNAVAILABLE, "the log's queue of %zu MiB is full; try again",
                       WAL_QUEUE_BYTES_MAX >> 20);
    }
    h[4] = (uint32_t)w->epoch;
    h[5] = crc32c(0, h, sizeof(h) - 4);
    buf_put(&b->bytes, h, sizeof(h));
    for (size_t i = 0; i < n_parts; i++)
        buf_puts(&b->bytes, parts[i]);
    static const char zero[ALIGN];
    buf_put(&b->bytes, zero, padded - RECORD_HEADER_BYTES - len);
    *t = (struct wal_ticket){.state = STATE_WAITING};
    if (b->last)
        b->last->next = t;
    else
        b->first = t;
    b->last = t;
    mutex_unlock(&w->lock);
    return true;
}

bool wal_commit(struct wal *w, struct wal_ticket *t, struct err *err) {
    mutex_lock(&w->lock);
    while (t->state == STATE_WAITING) {
        if (w->leading)
            cond_wait(&w->done, &w->lock);
        else
            lead(w);
    }
    mutex_unlock(&w->lock);
    if (t->state == STATE_DONE)
        return true;
    if (err) {
        *err = t->err;
        err->code = ERR_UNAVAILABLE;
    }
    return false;
}

uint64_t wal_cut(struct wal *w) {
    mutex_lock(&w->lock);
    while (w->pending.n_cuts == CUTS_MAX) {
        if (w->leading)
            cond_wait(&w->done, &w->lock);
        else
            lead(w);
    }
    uint64_t epoch = ++w->epoch;
    if (!w->leading && w->pending.bytes.n == 0 && w->pending.n_cuts == 0) {
        close_segment(w);
        w->bytes_epoch[0] += atomic_load(&w->bytes_epoch[1]);
        w->bytes_epoch[1] = 0;
        w->write_epoch = epoch;
        w->index = 0;
    } else {
        w->pending.cut_at[w->pending.n_cuts] = w->pending.bytes.n;
        w->pending.cut_epoch[w->pending.n_cuts++] = epoch;
    }
    mutex_unlock(&w->lock);
    return epoch;
}

static bool parse_name(const char *name, uint64_t *out) {
    if (strlen(name) != 20 || strcmp(name + 16, ".wal") != 0)
        return false;
    uint64_t v = 0;
    for (int i = 0; i < 16; i++) {
        char c = name[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *out = v;
    return true;
}

bool wal_drop_before(struct wal *w, uint64_t epoch, struct err *err) {
    struct arena a = ARENA_INIT;
    char **names, path[SIO_PATH_MAX];
    size_t n;
    bool ok = file_list(w->dir, &a, &names, &n, err);
    for (size_t i = 0; ok && i < n; i++) {
        uint64_t number;
        if (!parse_name(names[i], &number) || number >> EPOCH_SHIFT >= epoch)
            continue;
        segment_path(w->dir, number, path);
        ok = sio_unlink(path, err);
    }
    arena_deinit(&a);
    mutex_lock(&w->lock);
    w->bytes_epoch[0] = 0;
    mutex_unlock(&w->lock);
    return ok;
}

uint64_t wal_bytes(struct wal *w) {
    mutex_lock(&w->lock);
    uint64_t n = w->bytes_epoch[0] + w->bytes_epoch[1];
    mutex_unlock(&w->lock);
    return n;
}

void wal_last_sync(const struct wal *w, int64_t *out_ms, int64_t *out_ns) {
    *out_ms = atomic_load(&w->synced_ms);
    *out_ns = atomic_load(&w->sync_ns);
}

/* Replay */

static bool record_at(struct str s, size_t at, uint64_t number, uint32_t *out_len,
                      uint32_t *out_type, uint32_t *out_crc) {
    uint32_t h[6];
    if (s.n - at < RECORD_HEADER_BYTES)
        return false;
    memcpy(h, s.p + at, sizeof(h));
    if (h[0] != RECORD_MAGIC || h[5] != crc32c(0, h, sizeof(h) - 4) ||
        h[4] != (uint32_t)(number >> EPOCH_SHIFT) || h[1] > s.n - at - RECORD_HEADER_BYTES)
        return false;
    *out_len = h[1];
    *out_type = h[2];
    *out_crc = h[3];
    return true;
}

static size_t next_record(struct str s, size_t at, uint64_t number) {
    uint32_t len, type, crc;
    for (; at + RECORD_HEADER_BYTES <= s.n; at += ALIGN)
        if (record_at(s, at, number, &len, &type, &crc) &&
            crc32c(0, s.p + at + RECORD_HEADER_BYTES, len) == crc)
            return at;
    return SIZE_MAX;
}

bool wal_scan(struct str s, uint64_t number, struct wal_replay *r, struct err *err) {
    uint32_t version = 0, crc = 0;
    uint64_t claimed = 0;
    if (s.n >= HEADER_BYTES) {
        memcpy(&version, s.p + 8, 4);
        memcpy(&claimed, s.p + 16, 8);
        memcpy(&crc, s.p + HEADER_BYTES - 4, 4);
    }
    bool header = s.n >= HEADER_BYTES && memcmp(s.p, SEGMENT_MAGIC, 8) == 0 &&
                  crc == crc32c(0, s.p, HEADER_BYTES - 4);
    if (header && version > VERSION)
        return err_set(err, ERR_CONFLICT,
                       "the log was written by a newer hinomi (format %u, this one knows %d); run "
                       "that version, or restore "
                       "a backup made before the upgrade",
                       version, VERSION);
    header = header && claimed == number;
    size_t at = HEADER_BYTES;
    if (!header && next_record(s, HEADER_BYTES < s.n ? HEADER_BYTES : s.n, number) != SIZE_MAX)
        r->damaged++;
    while (at + RECORD_HEADER_BYTES <= s.n) {
        uint32_t len, type;
        if (!record_at(s, at, number, &len, &type, &crc) || type == 0 || type > WAL_TYPE_MAX ||
            crc32c(0, s.p + at + RECORD_HEADER_BYTES, len) != crc) {
            size_t next = next_record(s, at + ALIGN, number);
            if (next == SIZE_MAX)
                break;
            r->damaged++;
            at = next;
            continue;
        }
        r->records++;
        r->bytes += len;
        r->record(r->self, (enum wal_type)type, str_make(s.p + at + RECORD_HEADER_BYTES, len));
        at += RECORD_HEADER_BYTES + (len + ALIGN - 1) / ALIGN * ALIGN;
    }
    for (size_t i = at; i + 8 <= s.n;
         i += 8) { /* what follows the last record: zeros, or a torn write */
        uint64_t x;
        memcpy(&x, s.p + i, 8);
        if (x) {
            r->torn_bytes += s.n - i;
            break;
        }
    }
    return true;
}

bool wal_replay(const char *dir, uint64_t epoch, struct wal_replay *r, struct err *err) {
    if (!file_exists(dir))
        return true;
    struct arena a = ARENA_INIT;
    char **names, path[SIO_PATH_MAX];
    size_t n;
    bool ok = file_list(dir, &a, &names, &n, err);
    for (size_t i = 0; ok && i < n; i++) {
        uint64_t number;
        if (!parse_name(names[i], &number) || number >> EPOCH_SHIFT < epoch)
            continue;
        if (number >> EPOCH_SHIFT > r->epoch_max)
            r->epoch_max = number >> EPOCH_SHIFT;
        segment_path(dir, number, path);
        struct sio_map m;
        struct err why = {0};
        if (!sio_map(path, &m, &why)) {
            r->bad_segment(r->self, path, why.message);
            continue;
        }
        uint64_t before = r->damaged;
        ok = wal_scan(str_make((const char *)m.p, m.n), number, r, err);
        if (ok && r->damaged != before)
            r->bad_segment(r->self, path, "damaged records in the middle of the log");
        sio_unmap(&m);
    }
    arena_deinit(&a);
    return ok;
}
