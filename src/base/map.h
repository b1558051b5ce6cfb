/* map.h - bytes -> pointer, open addressing, keys copied into the map unless told to borrow.
 * Not thread-safe. Iteration order is insertion order while nothing is deleted (dense entries). */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_entry {
    struct str key; /* key.p NULL: deleted */
    uint64_t hash;
    void *value;
};

struct map {
    struct map_entry *entries; /* dense, in insertion order, with holes where deleted */
    uint32_t *slots;           /* entry index + 1; 0 empty; UINT32_MAX tombstone */
    uint32_t n, n_live, cap, n_slots;
    bool borrow_keys; /* set before first use: keys outlive the map */
};

#define MAP_INIT ((struct map){0})

void map_deinit(struct map *m); /* values are the caller's */
void map_reset(struct map *m);
/* NULL when absent (store non-NULL values, or use map_find). */
void *map_get(const struct map *m, struct str key);
struct map_entry *map_find(const struct map *m, struct str key);
/* Inserts or replaces; returns false only when memory is exhausted. *out_old: former value or NULL.
 */
bool map_put(struct map *m, struct str key, void *value, void **out_old);
void *map_del(struct map *m, struct str key); /* the value that was there, or NULL */
/* for (struct map_entry *e = map_next(m, NULL); e; e = map_next(m, e)) */
struct map_entry *map_next(const struct map *m, const struct map_entry *after);

#endif
