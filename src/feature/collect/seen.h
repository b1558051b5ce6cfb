/* seen.h - what a collector remembers of each device, group or container between readings. Entries
 * are zeroed when new, in order of first sight; those not touched in a round go with seen_sweep.
 * The entry type begins with struct seen_entry. One thread. */
#ifndef COLLECT_SEEN_H
#define COLLECT_SEEN_H

#include "base/map.h"

struct seen_entry {
    uint64_t round;
    struct str key; /* owned by the set */
};
struct seen {
    struct map map;
    uint64_t round;
    size_t max;                /* 0: 4096 */
    void (*drop)(void *entry); /* frees what the entry owns; may be NULL */
};

void seen_begin(struct seen *s); /* a round starts */
/* The entry of key (size bytes, first time zeroed), touched. NULL: over max, or no memory. */
void *seen_touch(struct seen *s, struct str key, size_t size);
void *seen_find(const struct seen *s, struct str key); /* untouched; NULL: none */
void seen_sweep(struct seen *s); /* drops what was not touched since seen_begin */
/* for (void *e = seen_next(s, NULL); e; e = seen_next(s, e)) */
void *seen_next(const struct seen *s, const void *after);
size_t seen_count(const struct seen *s);
void seen_deinit(struct seen *s);

#endif
