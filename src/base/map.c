#include "base/map.h"

#include "base/hash.h"

#include <stdlib.h>

#define TOMB UINT32_MAX

void map_reset(struct map *m) {
    if (!m->borrow_keys)
        for (uint32_t i = 0; i < m->n; i++)
            free((void *)(uintptr_t)m->entries[i].key.p);
    m->n = m->n_live = 0;
    if (m->slots)
        memset(m->slots, 0, m->n_slots * sizeof(*m->slots));
}

void map_deinit(struct map *m) {
    map_reset(m);
    free(m->entries);
    free(m->slots);
    *m = (struct map){.borrow_keys = m->borrow_keys};
}

struct map_entry *map_find(const struct map *m, struct str key) {
    if (!m->n_slots)
        return NULL;
    uint64_t h = hash_str(key);
    for (uint32_t i = (uint32_t)h & (m->n_slots - 1);; i = (i + 1) & (m->n_slots - 1)) {
        uint32_t s = m->slots[i];
        if (s == 0)
            return NULL;
        if (s == TOMB)
            continue;
        struct map_entry *e = &m->entries[s - 1];
        if (e->hash == h && str_eq(e->key, key))
            return e;
    }
}

void *map_get(const struct map *m, struct str key) {
    struct map_entry *e = map_find(m, key);
    return e ? e->value : NULL;
}

static bool map_rehash(struct map *m) {
    uint32_t n_slots = 16;
    while (n_slots < (m->n_live + 1) * 2)
        n_slots *= 2;
    uint32_t *slots = calloc(n_slots, sizeof(*slots));
    uint32_t cap = n_slots / 2 + 1;
    struct map_entry *entries = calloc(cap, sizeof(*entries));
    if (!slots || !entries) {
        free(slots);
        free(entries);
        return false;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        if (!m->entries[i].key.p)
            continue;
        entries[n] = m->entries[i];
        uint32_t k = (uint32_t)entries[n].hash & (n_slots - 1);
        while (slots[k])
            k = (k + 1) & (n_slots - 1);
        slots[k] = ++n;
    }
    free(m->slots);
    free(m->entries);
    m->slots = slots;
    m->entries = entries;
    m->n = m->n_live = n;
    m->cap = cap;
    m->n_slots = n_slots;
    return true;
}

bool map_put(struct map *m, struct str key, void *value, void **out_old) {
    struct map_entry *e = map_find(m, key);
    if (out_old)
        *out_old = e ? e->value : NULL;
    if (e) {
        e->value = value;
        return true;
    }
    if (m->n == m->cap || (m->n + 1) * 2 > m->n_slots)
        if (!map_rehash(m))
            return false;
    struct str k = key;
    if (!m->borrow_keys || !k.p) {
        char *copy = malloc(key.n + 1);
        if (!copy)
            return false;
        if (key.n)
            memcpy(copy, key.p, key.n);
        copy[key.n] = 0;
        k.p = copy;
    }
    uint64_t h = hash_str(key);
    m->entries[m->n] = (struct map_entry){k, h, value};
    uint32_t i = (uint32_t)h & (m->n_slots - 1);
    while (m->slots[i] && m->slots[i] != TOMB)
        i = (i + 1) & (m->n_slots - 1);
    m->slots[i] = ++m->n;
    m->n_live++;
    return true;
}

void *map_del(struct map *m, struct str key) {
    struct map_entry *e = map_find(m, key);
    if (!e)
        return NULL;
    uint32_t index = (uint32_t)(e - m->entries) + 1;
    uint32_t i = (uint32_t)e->hash & (m->n_slots - 1);
    while (m->slots[i] != index)
        i = (i + 1) & (m->n_slots - 1);
    m->slots[i] = TOMB;
    void *value = e->value;
    if (!m->borrow_keys)
        free((void *)(uintptr_t)e->key.p);
    e->key = (struct str){NULL, 0};
    e->value = NULL;
    m->n_live--;
    return value;
}

struct map_entry *map_next(const struct map *m, const struct map_entry *after) {
    uint32_t i = after ? (uint32_t)(after - m->entries) + 1 : 0;
    for (; i < m->n; i++)
        if (m->entries[i].key.p)
            return &m->entries[i];
    return NULL;
}
