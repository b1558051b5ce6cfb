#include "feature/agent/spool.h"

#include "base/cur.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/stats.h"
#include "os/file.h"
#include "os/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HEAD_BYTES 16
#define RECORD_HEAD_BYTES 12 /* length, checksum of what follows, rows */
#define SEGMENTS_MAX 65536
#define RECORD_BYTES_MAX ((uint32_t)64 << 20)
/* Numbers start from the time in milliseconds: one beyond this is damage, and counting on from it
 * would overflow. */
#define SEGMENT_ID_MAX ((uint64_t)1 << 62)
static const char head_magic[8] = {'H', 'N', 'M', 'S', 'P', 'O', 'O', 'L'};
#define HEAD_VERSION 1

struct segment {
    uint64_t id;
    uint64_t bytes; /* of the file */
    uint64_t end;   /* offset behind the last whole record */
    uint64_t rows;
};

struct spool {
    struct mutex lock;
    char *dir;
    uint64_t bytes_max;
    size_t segment_bytes;
    int64_t sync_ms;
    struct clock clock;
    struct segment *segments; /* by id */
    size_t n, cap;
    int fd;      /* of the last segment when this process made it; -1 */
    int read_fd; /* of read_id */
    uint64_t read_id;
    int64_t unsynced_since_ms; /* mono; -1: all synced */
    struct spool_position released;
    uint64_t next_id, damaged, dropped_rows;
    bool told_full; /* logged once a time of fullness */
};

static void segment_path(const struct spool *s, uint64_t id, char *out, size_t cap) {
    snprintf(out, cap, "%s/%020llu.seg", s->dir, (unsigned long long)id);
}

static bool add_segment(struct spool *s, struct segment seg, struct err *err) {
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        struct segment *p = realloc(s->segments, cap * sizeof(*p));
        if (!p)
            return err_set(err, ERR_INTERNAL, "out of memory");
        s->segments = p;
        s->cap = cap;
    }
    s->segments[s->n++] = seg;
    return true;
}

static uint64_t total_bytes(const struct spool *s) {
    uint64_t sum = 0;
    for (size_t i = 0; i < s->n; i++)
        sum += s->segments[i].bytes;
    return sum;
}

static void publish(const struct spool *s) {
    STAT_SET(hinomi_agent_spool_bytes, total_bytes(s));
}

struct record_head {
    uint32_t length, crc, rows;
};

/* What stands at offset: 1 a whole record, 0 nothing more that can be read, -1 a damaged record
 * that can be stepped over. `room`: bytes of the file. */
static int peek(int fd, uint64_t offset, uint64_t room, struct record_head *h, struct buf *body) {
    unsigned char raw[RECORD_HEAD_BYTES];
    if (offset + RECORD_HEAD_BYTES > room ||
        !file_pread_all(fd, raw, sizeof(raw), (int64_t)offset, "spool segment", NULL))
        return 0;
    struct cur c = cur_from(str_make((const char *)raw, sizeof(raw)));
    h->length = cur_le32(&c);
    h->crc = cur_le32(&c);
    h->rows = cur_le32(&c);
    if (h->length == 0 || h->length > RECORD_BYTES_MAX ||
        h->length > room - offset - RECORD_HEAD_BYTES)
        return 0; /* a length that cannot be: nothing behind it can be found */
    buf_reset(body);
    if (!buf_reserve(body, h->length) ||
        !file_pread_all(fd, body->p, h->length, (int64_t)(offset + RECORD_HEAD_BYTES),
                        "spool segment", NULL))
        return 0;
    body->n = h->length;
    body->p[body->n] = '\0';
    uint32_t crc = crc32c(0, raw + 8, 4);
    return crc32c(crc, body->p, body->n) == h->crc ? 1 : -1;
}

static bool head_is_good(int fd) {
    char head[HEAD_BYTES];
    if (!file_pread_all(fd, head, sizeof(head), 0, "spool segment", NULL) ||
        memcmp(head, head_magic, 8) != 0)
        return false;
    struct cur c = cur_from(str_make(head + 8, 8));
    uint32_t version = cur_le32(&c), crc = cur_le32(&c);
    return version == HEAD_VERSION && crc == crc32c(0, head, 12);
}

static bool scan_segment(struct spool *s, uint64_t id, struct err *err) {
    char path[4096];
    int fd;
    segment_path(s, id, path, sizeof(path));
    if (!file_open(path, O_RDONLY, 0, &fd, err))
        return false;
    int64_t size = 0;
    struct segment seg = {.id = id, .end = HEAD_BYTES};
    bool ok = file_size(fd, &size, err);
    seg.bytes = size > 0 ? (uint64_t)size : 0;
    struct buf body = BUF_INIT;
    if (ok && head_is_good(fd)) {
        struct record_head h;
        int found;
        while ((found = peek(fd, seg.end, seg.bytes, &h, &body)) != 0) {
            seg.end += RECORD_HEAD_BYTES + h.length;
            if (found < 0)
                s->damaged++;
            else
                seg.rows += h.rows;
        }
        if (seg.end < seg.bytes)
            log_warn("spool", "%s: %llu bytes behind the last whole record are left out", path,
                     (unsigned long long)(seg.bytes - seg.end));
    } else if (ok) {
        if (seg.bytes >= HEAD_BYTES)
            s->damaged++;
        seg.end = 0; /* nothing readable: goes when what stands before it is released */
    }
    buf_deinit(&body);
    file_close(fd);
    return ok && add_segment(s, seg, err);
}

static bool load(struct spool *s, struct err *err) {
    struct arena a = ARENA_INIT;
    char **names;
    size_t n;
    bool ok = file_list(s->dir, &a, &names, &n, err);
    for (size_t i = 0; ok && i < n && i < SEGMENTS_MAX;
         i++) { /* sorted by name, which is by number */
        uint64_t id;
        struct str name = str_from(names[i]);
        if (name.n == 24 && str_ends(name, STR(".seg")) && str_to_u64(str_sub(name, 0, 20), &id) &&
            id <= SEGMENT_ID_MAX)
            ok = scan_segment(s, id, err);
    }
    arena_deinit(&a);
    return ok;
}

static void load_released(struct spool *s) {
    char path[4096];
    struct buf b = BUF_INIT;
    snprintf(path, sizeof(path), "%s/released", s->dir);
    struct str text, segment;
    if (file_exists(path) && file_read(path, 128, &b, NULL)) {
        text = str_trim(buf_view(&b));
        struct spool_position p;
        if (str_next(&text, ' ', &segment) && str_to_u64(segment, &p.segment) &&
            str_to_u64(text, &p.offset) && p.segment <= SEGMENT_ID_MAX)
            s->released = p;
    }
    buf_deinit(&b);
}

struct spool *spool_open(const struct spool_options *opt, struct err *err) {
    struct spool *s = calloc(1, sizeof(*s));
    size_t n = strlen(opt->dir);
    if (s)
        s->dir = malloc(n + 1);
    if (!s || !s->dir) {
        free(s);
        err_set(err, ERR_INTERNAL, "out of memory");
        return NULL;
    }
    memcpy(s->dir, opt->dir, n + 1);
    mutex_init(&s->lock);
    s->fd = s->read_fd = -1;
    s->unsynced_since_ms = -1;
    s->segment_bytes = opt->segment_bytes ? opt->segment_bytes : SPOOL_SEGMENT_BYTES;
    s->bytes_max = opt->bytes_max ? opt->bytes_max : SPOOL_BYTES_MAX_DEFAULT;
    if (s->bytes_max < 2 * s->segment_bytes)
        s->bytes_max = 2 * s->segment_bytes;
    s->sync_ms = opt->sync_ms ? opt->sync_ms : SPOOL_SYNC_MS_DEFAULT;
    s->clock = *opt->clock;
    if (n > 3800) {
        err_set(err, ERR_BAD_INPUT, "the path of the buffer folder is too long");
        spool_close(s);
        return NULL;
    }
    if (!file_mkdirs(s->dir, 0700, err) || !load(s, err)) {
        spool_close(s);
        return NULL;
    }
    load_released(s);
    /* numbers grow even when the folder was emptied by hand: they start from the time */
    s->next_id = (uint64_t)clock_wall_ms(&s->clock);
    if (s->n && s->segments[s->n - 1].id >= s->next_id)
        s->next_id = s->segments[s->n - 1].id + 1;
    if (s->released.segment >= s->next_id)
        s->next_id = s->released.segment + 1;
    publish(s);
    return s;
}

static bool sync_now(struct spool *s, struct err *err) {
    if (s->fd < 0 || s->unsynced_since_ms < 0)
        return true;
    s->unsynced_since_ms = -1;
    return file_sync(s->fd, "spool segment", err);
}

void spool_close(struct spool *s) {
    if (!s)
        return;
    struct err err = {0};
    if (!sync_now(s, &err))
        log_error("spool", "%s", err.message);
    file_close(s->fd);
    file_close(s->read_fd);
    mutex_deinit(&s->lock);
    free(s->segments);
    free(s->dir);
    free(s);
}

static void forget_first(struct spool *s) {
    char path[4096];
    struct err err = {0};
    segment_path(s, s->segments[0].id, path, sizeof(path));
    if (!file_unlink(path, &err))
        log_error("spool", "%s", err.message);
    if (s->read_fd >= 0 && s->read_id == s->segments[0].id) {
        file_close(s->read_fd);
        s->read_fd = -1;
    }
    memmove(s->segments, s->segments + 1, (s->n - 1) * sizeof(s->segments[0]));
    s->n--;
}

/* Rows of a segment that are still waiting, when it has to go. */
static uint64_t waiting_rows(struct spool *s, const struct segment *seg) {
    if (seg->id < s->released.segment)
        return 0;
    if (seg->id > s->released.segment)
        return seg->rows;
    char path[4096];
    int fd;
    uint64_t rows = 0, at = s->released.offset > HEAD_BYTES ? s->released.offset : HEAD_BYTES;
    segment_path(s, seg->id, path, sizeof(path));
    if (!file_open(path, O_RDONLY, 0, &fd, NULL))
        return 0;
    struct buf body = BUF_INIT;
    struct record_head h;
    int found;
    while (at < seg->end && (found = peek(fd, at, seg->bytes, &h, &body)) != 0) {
        at += RECORD_HEAD_BYTES + h.length;
        if (found > 0)
            rows += h.rows;
    }
    buf_deinit(&body);
    file_close(fd);
    return rows;
}

static void make_room(struct spool *s, size_t more) {
    while (s->n > 1 && total_bytes(s) + more > s->bytes_max) {
        uint64_t rows = waiting_rows(s, &s->segments[0]);
        s->dropped_rows += rows;
        STAT_ADD(hinomi_agent_dropped_samples_total, rows);
        if (rows && !s->told_full)
            log_warn("spool",
                     "the disk buffer is full (%llu bytes): the oldest samples are dropped, %llu "
                     "of them now",
                     (unsigned long long)s->bytes_max, (unsigned long long)rows);
        s->told_full = s->told_full || rows;
        forget_first(s);
    }
}

static bool new_segment(struct spool *s, struct err *err) {
    if (!sync_now(s, err))
        return false;
    char path[4096], head[HEAD_BYTES];
    struct segment seg = {.id = s->next_id, .bytes = HEAD_BYTES, .end = HEAD_BYTES};
    segment_path(s, seg.id, path, sizeof(path));
    int fd;
    if (!file_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, &fd, err))
        return false;
    struct buf b = BUF_INIT;
    buf_put(&b, head_magic, sizeof(head_magic));
    buf_le32(&b, HEAD_VERSION);
    buf_le32(&b, crc32c(0, b.p, 12));
    bool ok = buf_ok(&b);
    if (ok)
        memcpy(head, b.p, HEAD_BYTES);
    buf_deinit(&b);
    ok = ok && file_write_all(fd, head, HEAD_BYTES, path, err) && file_sync_dir(s->dir, err) &&
         add_segment(s, seg, err);
    if (!ok) {
        file_close(fd);
        (void)unlink(path);
        return false;
    }
    file_close(s->fd);
    s->fd = fd;
    s->next_id++;
    return true;
}

bool spool_append(struct spool *s, struct str record, uint32_t rows, struct err *err) {
    if (record.n == 0 || record.n > RECORD_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "a record of %zu bytes is over the limit of %u",
                       record.n, RECORD_BYTES_MAX);
    struct buf b = BUF_INIT;
    buf_le32(&b, (uint32_t)record.n);
    buf_le32(&b, 0);
    buf_le32(&b, rows);
    buf_puts(&b, record);
    if (!buf_ok(&b))
        return err_set(err, ERR_INTERNAL, "out of memory");
    uint32_t crc = crc32c(0, b.p + 8, b.n - 8);
    memcpy(b.p + 4, &crc, 4);
    mutex_lock(&s->lock);
    make_room(s, b.n);
    bool ok = true;
    if (s->fd < 0 || s->segments[s->n - 1].end + b.n > s->segment_bytes + HEAD_BYTES)
        ok = new_segment(s, err);
    struct segment *seg = ok ? &s->segments[s->n - 1] : NULL;
    if (ok && !file_pwrite_all(s->fd, b.p, b.n, (int64_t)seg->end, "spool segment", err)) {
        /* a half-written record: the next one is written over it */
        if (ftruncate(s->fd, (off_t)seg->end) != 0)
            log_warn("spool", "cannot cut a half-written record off");
        ok = false;
    }
    if (ok) {
        seg->end += b.n;
        seg->bytes = seg->end;
        seg->rows += rows;
        int64_t now = clock_mono_ms(&s->clock);
        if (s->unsynced_since_ms < 0)
            s->unsynced_since_ms = now;
        if (s->sync_ms < 0 || now - s->unsynced_since_ms >= s->sync_ms)
            ok = sync_now(s, err);
        publish(s);
    }
    mutex_unlock(&s->lock);
    buf_deinit(&b);
    return ok;
}

static bool open_for_read(struct spool *s, uint64_t id, struct err *err) {
    if (s->read_fd >= 0 && s->read_id == id)
        return true;
    file_close(s->read_fd);
    s->read_fd = -1;
    char path[4096];
    segment_path(s, id, path, sizeof(path));
    if (!file_open(path, O_RDONLY, 0, &s->read_fd, err)) {
        s->read_fd = -1;
        return false;
    }
    s->read_id = id;
    return true;
}

bool spool_next(struct spool *s, struct spool_position after, struct buf *out,
                struct spool_position *out_position, bool *out_found, struct err *err) {
    bool ok = true;
    *out_found = false;
    mutex_lock(&s->lock);
    for (size_t i = 0; ok && i < s->n && !*out_found; i++) {
        struct segment *seg = &s->segments[i];
        if (seg->id < after.segment)
            continue;
        uint64_t at =
            seg->id == after.segment && after.offset > HEAD_BYTES ? after.offset : HEAD_BYTES;
        if (at >= seg->end)
            continue;
        ok = open_for_read(s, seg->id, err);
        struct record_head h;
        int found = 0;
        while (ok && at < seg->end && (found = peek(s->read_fd, at, seg->end, &h, out)) != 0) {
            at += RECORD_HEAD_BYTES + h.length;
            if (found < 0)
                continue;
            *out_position = (struct spool_position){seg->id, at};
            *out_found = true;
            break;
        }
    }
    mutex_unlock(&s->lock);
    return ok;
}

bool spool_release(struct spool *s, struct spool_position upto, struct err *err) {
    bool ok = true;
    mutex_lock(&s->lock);
    if (spool_before(s->released, upto)) {
        s->released = upto;
        s->told_full = false;
    }
    bool removed = false;
    while (s->n && (s->segments[0].id < s->released.segment ||
                    (s->segments[0].id == s->released.segment &&
                     s->released.offset >= s->segments[0].end && (s->n > 1 || s->fd < 0)))) {
        if (!removed) { /* remember first: a position that is forgotten is only asked of the server
                           again */
            char path[4096], text[64];
            snprintf(path, sizeof(path), "%s/released", s->dir);
            snprintf(text, sizeof(text), "%llu %llu\n", (unsigned long long)s->released.segment,
                     (unsigned long long)s->released.offset);
            ok = file_write_atomic(path, str_from(text), 0600, err);
            removed = true;
        }
        if (!ok)
            break;
        forget_first(s);
    }
    publish(s);
    mutex_unlock(&s->lock);
    return ok;
}

struct spool_position spool_released(struct spool *s) {
    mutex_lock(&s->lock);
    struct spool_position p = s->released;
    mutex_unlock(&s->lock);
    return p;
}

void spool_raise(struct spool *s, struct spool_position above) {
    if (above.segment > SEGMENT_ID_MAX) {
        log_error("spool",
                  "the server speaks of position %llu, which no agent can have reached: not heeded",
                  (unsigned long long)above.segment);
        return;
    }
    mutex_lock(&s->lock);
    if (above.segment >= s->next_id)
        s->next_id = above.segment + 1;
    /* records already written below it would be taken for old ones: they move up by closing the
     * segment; the server's memory is ahead of ours only when our folder was replaced by an older
     * copy */
    struct err err = {0};
    if (s->fd >= 0 && s->n && s->segments[s->n - 1].id <= above.segment) {
        if (!sync_now(s, &err))
            log_error("spool", "%s", err.message);
        file_close(s->fd);
        s->fd = -1;
    }
    mutex_unlock(&s->lock);
}

struct spool_stats spool_stats(struct spool *s) {
    mutex_lock(&s->lock);
    struct spool_stats st = {total_bytes(s), s->dropped_rows, s->damaged};
    mutex_unlock(&s->lock);
    return st;
}
