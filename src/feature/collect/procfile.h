/* procfile.h - files under /proc and /sys: opened once, read in place with pread into the caller's
 * buffer. A file that is not there is "absent", which is not an error: kernels differ.
 */
#ifndef COLLECT_PROCFILE_H
#define COLLECT_PROCFILE_H

#include "base/buf.h"
#include "base/err.h"

#define PROCFILE_BYTES_MAX                                                                         \
    ((size_t)8 << 20) /* /proc/net/tcp of 50,000 sockets; what is longer is cut */

struct procfile {
    char *path; /* heap */
    int fd;     /* -1: not open */
};

/* path: root + "/" + name. Opens lazily. */
bool procfile_init(struct procfile *f, const char *root, const char *name,
                   struct err *err) MUST_USE;
void procfile_deinit(struct procfile *f);
/* Reads the whole into b (reset first). *out_absent: the file does not exist or the kernel says
 * that the feature is off (ENOENT, EOPNOTSUPP, EINVAL, EACCES); then true is returned and *out is
 * empty. */
bool procfile_read(struct procfile *f, struct buf *b, struct str *out, bool *out_absent,
                   struct err *err) MUST_USE;
/* One reading without keeping the file open; false: absent or unreadable. At most bytes_max bytes.
 */
bool procfile_slurp(const char *root, const char *name, size_t bytes_max, struct buf *b,
                    struct str *out);
/* The same, from an open directory. */
bool procfile_slurp_at(int dirfd, const char *name, size_t bytes_max, struct buf *b,
                       struct str *out);
/* Reads all of fd from offset 0. Returns -1 with errno set, else 0. */
int procfile_pread_all(int fd, size_t bytes_max, struct buf *b);

#endif
