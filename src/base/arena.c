#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, cap;
    _Alignas(16) char bytes[];
};

enum { CHUNK_MIN = 4096, CHUNK_MAX = 1 << 20 };

static struct arena_chunk *chunk_new(struct arena *a, size_t bytes) {
    size_t cap = a->chunk ? a->chunk->cap * 2 : CHUNK_MIN;
    if (cap > CHUNK_MAX)
        cap = CHUNK_MAX;
    if (cap < bytes)
        cap = bytes;
    struct arena_chunk *c = malloc(sizeof(*c) + cap);
    if (!c)
        return NULL;
    c->used = 0;
    c->cap = cap;
    c->next = a->chunk;
    a->chunk = c;
    return c;
}

void *arena_alloc(struct arena *a, size_t bytes) {
    size_t max = a->bytes_max ? a->bytes_max : ARENA_BYTES_MAX_DEFAULT;
    if (a->failed || bytes > max - 16) {
        a->failed = true;
        return NULL;
    }
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes == 0)
        bytes = 16;
    if (bytes > max - a->bytes_used) {
        a->failed = true;
        return NULL;
    }
    struct arena_chunk *c = a->chunk;
    if (!c || c->cap - c->used < bytes) {
        c = chunk_new(a, bytes);
        if (!c) {
            a->failed = true;
            return NULL;
        }
    }
    void *p = c->bytes + c->used;
    c->used += bytes;
    a->bytes_used += bytes;
    return p;
}

void *arena_zalloc(struct arena *a, size_t bytes) {
    void *p = arena_alloc(a, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        a->failed = true;
        return NULL;
    }
    return arena_zalloc(a, bytes);
}

void *arena_grow(struct arena *a, void *p, size_t old_bytes, size_t new_bytes) {
    struct arena_chunk *c = a->chunk;
    size_t old = (old_bytes + 15) & ~(size_t)15;
    if (p && c && old && (char *)p + old == c->bytes + c->used && new_bytes >= old_bytes) {
        size_t want = (new_bytes + 15) & ~(size_t)15;
        size_t max = a->bytes_max ? a->bytes_max : ARENA_BYTES_MAX_DEFAULT;
        if (want >= new_bytes && want - old <= c->cap - c->used &&
            want - old <= max - a->bytes_used) {
            c->used += want - old;
            a->bytes_used += want - old;
            return p;
        }
    }
    void *q = arena_alloc(a, new_bytes);
    if (q && p && old_bytes)
        memcpy(q, p, old_bytes < new_bytes ? old_bytes : new_bytes);
    return q;
}

struct str arena_str(struct arena *a, struct str s) {
    char *p = arena_strz(a, s);
    return (struct str){p, p ? s.n : 0};
}

char *arena_strz(struct arena *a, struct str s) {
    char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;
    if (!p)
        return NULL;
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

struct str arena_printf(struct arena *a, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n >= 0 ? arena_alloc(a, (size_t)n + 1) : NULL;
    if (p)
        (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (struct str){p, p ? (size_t)n : 0};
}

struct arena_cleanup {
    struct arena_cleanup *next;
    void (*fn)(void *arg);
    void *arg;
};

bool arena_on_free(struct arena *a, void (*fn)(void *arg), void *arg) {
    struct arena_cleanup *c = ARENA_NEW(a, struct arena_cleanup);
    if (!c)
        return false;
    *c = (struct arena_cleanup){a->cleanups, fn, arg};
    a->cleanups = c;
    return true;
}

static void run_cleanups(struct arena *a) {
    for (struct arena_cleanup *c = a->cleanups; c; c = c->next)
        c->fn(c->arg);
    a->cleanups = NULL;
}

void arena_reset(struct arena *a) {
    run_cleanups(a);
    while (a->chunk && a->chunk->next) {
        struct arena_chunk *c = a->chunk;
        a->chunk = c->next;
        free(c);
    }
    if (a->chunk)
        a->chunk->used = 0;
    a->bytes_used = 0;
    a->failed = false;
}

void arena_deinit(struct arena *a) {
    run_cleanups(a);
    while (a->chunk) {
        struct arena_chunk *c = a->chunk;
        a->chunk = c->next;
        free(c);
    }
    a->bytes_used = 0;
    a->failed = false;
}

bool arena_err(const struct arena *a, struct err *err) {
    return err_set(err, ERR_EXECUTION,
                   "memory limit of this request (%zu MiB) reached; ask for less at once",
                   (a->bytes_max ? a->bytes_max : ARENA_BYTES_MAX_DEFAULT) >> 20);
}
