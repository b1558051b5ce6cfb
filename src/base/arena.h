/* arena.h - memory with the lifetime of one request, batch, query or evaluation.
 *
 * Allocation is a pointer bump; everything goes at once with arena_deinit or arena_reset. Past
 * bytes_max an allocation returns NULL and the arena stays failed: that request fails, not the
 * process. One thread.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/err.h"
#include "base/str.h"

struct arena_chunk;
struct arena_cleanup;
struct arena {
    struct arena_chunk *chunk; /* newest first */
    size_t bytes_used;         /* of all chunks, as asked for */
    size_t bytes_max;          /* 0: ARENA_BYTES_MAX_DEFAULT */
    bool failed;
    struct arena_cleanup *cleanups; /* newest first */
};

#define ARENA_BYTES_MAX_DEFAULT ((size_t)256 << 20)
#define ARENA_INIT ((struct arena){0})
#define ARENA_INIT_MAX(max) ((struct arena){.bytes_max = (max)})

void *arena_alloc(struct arena *a, size_t bytes);  /* 16-aligned, not zeroed; NULL past the cap */
void *arena_zalloc(struct arena *a, size_t bytes); /* zeroed */
void *arena_array(struct arena *a, size_t count, size_t size); /* zeroed; checks the product */
/* Grows in place when p was the last allocation, copies otherwise. */
void *arena_grow(struct arena *a, void *p, size_t old_bytes, size_t new_bytes);
struct str arena_str(struct arena *a,
                     struct str s); /* a copy, NUL-terminated; {NULL,0} past the cap */
char *arena_strz(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Calls fn(arg) when the arena is reset or deinited, newest first: for what an arena's objects own
 * elsewhere (a compiled regex). False past the cap: fn was not registered, and not called. */
bool arena_on_free(struct arena *a, void (*fn)(void *arg), void *arg) MUST_USE;
void arena_reset(struct arena *a); /* keeps the first chunk */
void arena_deinit(struct arena *a);
/* Sets ERR_INTERNAL/"memory limit" for a NULL that came back. Returns false. */
bool arena_err(const struct arena *a, struct err *err);

#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_array((a), (count), sizeof(type)))

#endif
