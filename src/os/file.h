/* file.h - files, with the durability that "acknowledged" needs: every write path ends in fsync of
 * the file and, after a rename or create, of its folder. Paths are NUL-terminated. All functions
 * name the path and the errno in *err; ENOSPC comes back as ERR_UNAVAILABLE. */
#ifndef OS_FILE_H
#define OS_FILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

/* Opens with O_CLOEXEC. flags: as open(2). */
bool file_open(const char *path, int flags, mode_t mode, int *out_fd, struct err *err) MUST_USE;
void file_close(int fd); /* -1 is ignored */
bool file_write_all(int fd, const void *p, size_t n, const char *path, struct err *err) MUST_USE;
bool file_pwrite_all(int fd, const void *p, size_t n, int64_t offset, const char *path,
                     struct err *err) MUST_USE;
bool file_pread_all(int fd, void *p, size_t n, int64_t offset, const char *path,
                    struct err *err) MUST_USE;
bool file_sync(int fd, const char *path, struct err *err) MUST_USE; /* fdatasync */
bool file_sync_dir(const char *dir, struct err *err) MUST_USE;
bool file_size(int fd, int64_t *out, struct err *err) MUST_USE;
/* Whole file into out (appended); more than bytes_max: ERR_TOO_LARGE. Works on /proc files of size
 * 0. */
bool file_read(const char *path, size_t bytes_max, struct buf *out, struct err *err) MUST_USE;
/* Temporary file, fsync, rename, fsync of the folder: after a crash there is the old or the new
 * whole. */
bool file_write_atomic(const char *path, struct str content, mode_t mode, struct err *err) MUST_USE;
bool file_mkdirs(const char *path, mode_t mode, struct err *err) MUST_USE;
bool file_rename(const char *from, const char *to, struct err *err) MUST_USE; /* no fsync */
bool file_unlink(const char *path, struct err *err) MUST_USE; /* a missing file is fine */
bool file_exists(const char *path);
bool file_remove_tree(const char *path, struct err *err) MUST_USE;
/* Names in dir (without . and ..), sorted, in the arena; NULL-terminated array. */
bool file_list(const char *dir, struct arena *a, char ***out_names, size_t *out_n,
               struct err *err) MUST_USE;
/* Paths that match a shell pattern (*, ?, [a-z]), sorted, in the arena. A pattern without a match:
 * none. */
bool file_glob(const char *pattern, struct arena *a, char ***out_paths, size_t *out_n,
               struct err *err) MUST_USE;
/* An exclusive lock on <dir>/lock for the life of the fd, so that two servers cannot share a data
 * folder; ERR_CONFLICT names the pid that holds it. */
bool file_lock_dir(const char *dir, int *out_fd, struct err *err) MUST_USE;
/* Free and total bytes of the file system that holds path, and whether it is a network one. */
struct fs_info {
    uint64_t total_bytes, avail_bytes;
    bool network, read_only;
};
bool file_fs_info(const char *path, struct fs_info *out, struct err *err) MUST_USE;

#endif
