/* The manifest says which blocks count and where the log begins; it is replaced whole and
 * atomically, so a crash leaves the old or the new state. Files that it does not name are leftovers
 * and are deleted. When it is damaged, every sound block and all of the log are taken: samples that
 * stand in two blocks are equal. */
#include "store/series/store.h"

#include "base/cur.h"
#include "base/hash.h"
#include "base/log.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MANIFEST_VERSION = 1 };
#define MANIFEST_MAGIC "HINOMIMF"
#define MANIFEST_NAME "MANIFEST"
#define MANIFEST_BYTES_MAX ((size_t)256 << 20)

static void put_str(struct buf *b, struct str s) {
    buf_varint(b, s.n);
    buf_puts(b, s);
}

static struct str get_str(struct cur *c) {
    return cur_bytes(c, cur_varint(c));
}

bool manifest_write(struct series_store *s, bool flushed, struct err *err) {
    struct buf b = BUF_INIT_MAX(MANIFEST_BYTES_MAX);
    buf_put(&b, MANIFEST_MAGIC, 8);
    buf_le32(&b, MANIFEST_VERSION);
    buf_le64(&b, s->manifest_epoch);
    buf_le64(&b, s->next_block);
    buf_le64(&b, (uint64_t)s->retention_now);
    rwlock_read(&s->lock);
    buf_varint(&b, s->blocks->n);
    for (size_t i = 0; i < s->blocks->n; i++)
        put_str(&b, str_from(s->blocks->v[i]->name));
    buf_varint(&b, s->agents.n_live);
    for (struct map_entry *e = map_next(&s->agents, NULL); e; e = map_next(&s->agents, e)) {
        const struct agent_pos *p = e->value;
        put_str(&b, e->key);
        bool newer = flushed && (p->frozen_segment > p->segment ||
                                 (p->frozen_segment == p->segment && p->frozen_offset > p->offset));
        buf_varint(&b, newer ? p->frozen_segment : p->segment);
        buf_varint(&b, newer ? p->frozen_offset : p->offset);
    }
    buf_varint(&b, s->meta.n_live);
    for (struct map_entry *e = map_next(&s->meta, NULL); e; e = map_next(&s->meta, e)) {
        const struct meta_entry *m = e->value;
        put_str(&b, e->key);
        buf_varint(&b, (uint64_t)m->type);
        put_str(&b, m->help);
        put_str(&b, m->unit);
    }
    rwlock_unlock(&s->lock);
    bool ok = buf_ok(&b);
    if (ok) {
        buf_le32(&b, crc32c(0, b.p, b.n));
        ok = buf_ok(&b);
    }
    ok = ok ? sio_write_atomic(s->dir, MANIFEST_NAME, buf_view(&b), err)
            : err_set(err, ERR_INTERNAL, "out of memory for the manifest");
    buf_deinit(&b);
    s->manifest_dirty = !ok;
    return ok;
}

static bool is_block_name(const char *name) {
    size_t n = strlen(name);
    return n > 4 && n < 60 && strcmp(name + n - 4, ".blk") == 0;
}

struct load {
    struct block **v;
    size_t n, cap;
    struct map named;
    bool by_name; /* the manifest was read: only blocks it names count */
    bool missing;
};

static bool parse(struct series_store *s, struct str text, struct load *l) {
    struct cur c = cur_from(str_make(text.p + 12, text.n - 16));
    s->manifest_epoch = cur_le64(&c);
    s->next_block = cur_le64(&c);
    s->retention_now = (int64_t)cur_le64(&c);
    bool ok = true;
    for (uint64_t n = cur_varint(&c), i = 0; ok && i < n && cur_ok(&c); i++)
        ok = map_put(&l->named, get_str(&c), l, NULL);
    for (uint64_t n = cur_varint(&c), i = 0; ok && i < n && cur_ok(&c); i++) {
        struct str name = get_str(&c);
        struct agent_pos *p = calloc(1, sizeof(*p));
        if (!p || !cur_ok(&c) || !map_put(&s->agents, name, p, NULL)) {
            free(p);
            return false;
        }
        p->segment = p->applied_segment = cur_varint(&c);
        p->offset = p->applied_offset = cur_varint(&c);
    }
    for (uint64_t n = cur_varint(&c), i = 0; ok && i < n && cur_ok(&c); i++) {
        struct metric_meta m = {.metric = get_str(&c)};
        uint64_t type = cur_varint(&c);
        m.type = type <= METRIC_STATESET ? (enum metric_type)type : METRIC_UNKNOWN;
        m.help = get_str(&c);
        m.unit = get_str(&c);
        if (cur_ok(&c))
            (void)store_note_meta(s, &m);
    }
    return ok && cur_ok(&c) && cur_done(&c);
}

static bool read_manifest(struct series_store *s, struct load *l, struct err *err) {
    char path[SIO_PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/" MANIFEST_NAME, s->dir);
    if (!file_exists(path))
        return true;
    struct buf b = BUF_INIT_MAX(MANIFEST_BYTES_MAX + 1);
    struct err why = {0};
    uint32_t version = 0, crc = 0;
    bool ok = file_read(path, MANIFEST_BYTES_MAX, &b, &why);
    if (ok && b.n >= 16) {
        memcpy(&version, b.p + 8, 4);
        memcpy(&crc, b.p + b.n - 4, 4);
    }
    ok = ok && b.n >= 16 && memcmp(b.p, MANIFEST_MAGIC, 8) == 0 && crc == crc32c(0, b.p, b.n - 4);
    if (ok && version > MANIFEST_VERSION) {
        buf_deinit(&b);
        return err_set(err, ERR_CONFLICT,
                       "%s was written by a newer hinomi (format %u, this one knows %d); run that "
                       "version, or restore a "
                       "backup made before the upgrade",
                       path, version, MANIFEST_VERSION);
    }
    ok = ok && parse(s, buf_view(&b), l);
    buf_deinit(&b);
    l->by_name = ok;
    if (!ok) {
        s->manifest_epoch = 0;
        store_quarantine(s, path,
                         why.message[0] ? why.message : "the manifest is not what was written");
        s->manifest_dirty = true;
    }
    return true;
}

static uint64_t number_of(const char *name) {
    uint64_t v = 0;
    for (const char *p = name; *p && *p != '.'; p++)
        v = v * 10 + (*p >= '0' && *p <= '9' ? (uint64_t)(*p - '0') : 0);
    return v;
}

static bool consider(struct series_store *s, struct load *l, const char *name, struct err *err) {
    char path[SIO_PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    size_t k = strlen(name);
    bool tmp = k > 4 && strcmp(name + k - 4, ".tmp") == 0;
    bool block = is_block_name(name), known = map_get(&l->named, str_from(name)) != NULL;
    if (tmp || (block && l->by_name && !known)) {
        if (!s->opt.read_only)
            (void)unlink(path); /* a leftover of a flush or compaction that did not finish */
        return true;
    }
    if (!block)
        return true;
    struct err why = {0};
    struct block *b = block_open(s->dir, name, &why);
    if (!b && why.code == ERR_CONFLICT) {
        if (err)
            *err = why;
        return false;
    }
    if (number_of(name) >= s->next_block)
        s->next_block = number_of(name) + 1;
    (void)map_del(&l->named, str_from(name));
    if (!b) {
        store_quarantine(s, path, why.message);
        s->manifest_dirty = true;
        return true;
    }
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        struct block **v = realloc(l->v, cap * sizeof(struct block *));
        if (!v) {
            block_unref(b);
            return err_set(err, ERR_INTERNAL, "out of memory opening blocks");
        }
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = b;
    return true;
}

bool manifest_load(struct series_store *s, struct err *err) {
    struct load l = {0};
    struct arena a = ARENA_INIT;
    char **names;
    size_t n;
    bool ok = read_manifest(s, &l, err) && file_list(s->dir, &a, &names, &n, err);
    for (size_t i = 0; ok && i < n; i++)
        ok = consider(s, &l, names[i], err);
    for (struct map_entry *e = map_next(&l.named, NULL); ok && e; e = map_next(&l.named, e)) {
        log_error("series", "block %.*s is missing from %s", STR_FMT(e->key), s->dir);
        s->manifest_dirty = true;
    }
    if (ok) {
        s->blocks = blockset_new(l.v, l.n);
        ok = s->blocks || err_set(err, ERR_INTERNAL, "out of memory opening blocks");
    }
    for (size_t i = 0; i < l.n; i++)
        block_unref(l.v[i]);
    free(l.v);
    map_deinit(&l.named);
    arena_deinit(&a);
    return ok;
}
