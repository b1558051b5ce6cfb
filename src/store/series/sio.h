/* sio.h - the store's few ways to touch the disk, with one hook so that tests can fail the n-th of
 * them. */
#ifndef STORE_SERIES_SIO_H
#define STORE_SERIES_SIO_H

#include "base/err.h"
#include "base/str.h"

enum sio_op { SIO_OPEN, SIO_ALLOC, SIO_WRITE, SIO_SYNC, SIO_SYNC_DIR, SIO_RENAME, SIO_UNLINK };

/* Called before each operation; a non-zero errno makes it fail with that. NULL (the default): none.
 * Process-wide; set it only while no store works. */
extern int (*sio_hook)(void *self, enum sio_op op, const char *path);
extern void *sio_hook_self;

bool sio_create(const char *path, int *out_fd,
                struct err *err) MUST_USE; /* write-only, must not exist */
/* Space for [0, bytes) of the file; a file system that cannot preallocate is fine. */
bool sio_alloc(int fd, uint64_t offset, uint64_t bytes, const char *path, struct err *err) MUST_USE;
bool sio_write(int fd, const void *p, size_t n, uint64_t offset, const char *path,
               struct err *err) MUST_USE;
bool sio_sync(int fd, const char *path, struct err *err) MUST_USE;
bool sio_sync_dir(const char *dir, struct err *err) MUST_USE;
bool sio_rename(const char *from, const char *to, struct err *err) MUST_USE;
bool sio_unlink(const char *path, struct err *err) MUST_USE; /* a missing file is fine */
/* <dir>/<name> by way of <name>.tmp, both synced. */
bool sio_write_atomic(const char *dir, const char *name, struct str content,
                      struct err *err) MUST_USE;

struct sio_map { /* a file mapped read-only; empty files map to n == 0 */
    const uint8_t *p;
    size_t n;
};
bool sio_map(const char *path, struct sio_map *out, struct err *err) MUST_USE;
void sio_unmap(struct sio_map *m);

#define SIO_PATH_MAX 1024

#endif
