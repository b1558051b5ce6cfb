#include "feature/collect/procfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

bool procfile_init(struct procfile *f, const char *root, const char *name, struct err *err) {
    size_t a = strlen(root), b = strlen(name);
    char *path = malloc(a + b + 2);
    if (!path)
        return err_set(err, ERR_INTERNAL, "out of memory");
    memcpy(path, root, a);
    path[a] = '/';
    memcpy(path + a + 1, name, b + 1);
    *f = (struct procfile){path, -1};
    return true;
}

void procfile_deinit(struct procfile *f) {
    if (f->path && f->fd >= 0)
        close(f->fd);
    free(f->path);
    *f = (struct procfile){NULL, -1};
}

int procfile_pread_all(int fd, size_t bytes_max, struct buf *b) {
    buf_reset(b);
    for (;;) {
        size_t want = b->n < 8192 ? 16384 : b->n * 2;
        if (b->n + want > bytes_max)
            want = bytes_max - b->n;
        if (want == 0)
            return 0;
        if (!buf_reserve(b, want + 1)) {
            errno = ENOMEM;
            return -1;
        }
        /* the reserved room may be larger than asked for: use all of it, which saves calls */
        size_t room = b->cap - b->n - 1;
        if (room > want)
            room = want;
        ssize_t n = pread(fd, b->p + b->n, room, (off_t)b->n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            return 0;
        b->n += (size_t)n;
        b->p[b->n] = '\0';
    }
}

static bool is_absent(int e) {
    return e == ENOENT || e == EOPNOTSUPP || e == EINVAL || e == EACCES || e == EPERM ||
           e == ENODEV || e == ENOTDIR;
}

bool procfile_read(struct procfile *f, struct buf *b, struct str *out, bool *out_absent,
                   struct err *err) {
    *out_absent = false;
    for (int attempt = 0;; attempt++) {
        if (f->fd < 0)
            f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
        if (f->fd >= 0 && procfile_pread_all(f->fd, PROCFILE_BYTES_MAX, b) == 0)
            break;
        int e = errno;
        if (f->fd >= 0)
            close(f->fd);
        f->fd = -1;
        if (attempt == 0 && !is_absent(e))
            continue; /* the file behind the descriptor may have gone (ESRCH, EIO): open it once
                         again */
        if (is_absent(e)) {
            *out_absent = true;
            buf_reset(b);
            *out = STR("");
            return true;
        }
        return err_sys(err, ERR_UNAVAILABLE, e, "cannot read %s", f->path);
    }
    *out = buf_view(b);
    return true;
}

bool procfile_slurp_at(int dirfd, const char *name, size_t bytes_max, struct buf *b,
                       struct str *out) {
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    int r = procfile_pread_all(fd, bytes_max, b);
    close(fd);
    if (r < 0)
        return false;
    *out = buf_view(b);
    return true;
}

bool procfile_slurp(const char *root, const char *name, size_t bytes_max, struct buf *b,
                    struct str *out) {
    struct procfile f;
    if (!procfile_init(&f, root, name, NULL))
        return false;
    bool ok = procfile_slurp_at(AT_FDCWD, f.path, bytes_max, b, out);
    procfile_deinit(&f);
    return ok;
}
