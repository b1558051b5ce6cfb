#include "feature/collect/seen.h"

#include <stdlib.h>

#define SEEN_MAX_DEFAULT 4096

void seen_begin(struct seen *s) {
    s->round++;
}

void *seen_find(const struct seen *s, struct str key) {
    return map_get(&s->map, key);
}

size_t seen_count(const struct seen *s) {
    return s->map.n_live;
}

void *seen_touch(struct seen *s, struct str key, size_t size) {
    if (key.n == 0)
        return NULL;
    struct seen_entry *e = map_get(&s->map, key);
    if (e) {
        e->round = s->round;
        return e;
    }
    if (s->map.n_live >= (s->max ? s->max : SEEN_MAX_DEFAULT))
        return NULL;
    e = calloc(1, size + key.n + 1);
    if (!e)
        return NULL;
    char *copy = (char *)e + size;
    memcpy(copy, key.p, key.n);
    e->key = str_make(copy, key.n);
    e->round = s->round;
    if (!map_put(&s->map, key, e, NULL)) {
        free(e);
        return NULL;
    }
    return e;
}

static void drop(struct seen *s, struct seen_entry *e) {
    if (s->drop)
        s->drop(e);
    free(e);
}

void seen_sweep(struct seen *s) {
    struct map_entry *m = map_next(&s->map, NULL);
    while (m) {
        struct seen_entry *e = m->value;
        struct map_entry *next = map_next(&s->map, m);
        if (e->round != s->round) {
            map_del(&s->map, e->key);
            drop(s, e);
        }
        m = next;
    }
}

void *seen_next(const struct seen *s, const void *after) {
    const struct map_entry *m = NULL;
    if (after) {
        const struct seen_entry *e = after;
        m = map_find(&s->map, e->key);
    }
    struct map_entry *n = map_next(&s->map, m);
    return n ? n->value : NULL;
}

void seen_deinit(struct seen *s) {
    for (struct map_entry *m = map_next(&s->map, NULL); m; m = map_next(&s->map, m))
        drop(s, m->value);
    map_deinit(&s->map);
}
