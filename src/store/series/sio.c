#include "store/series/sio.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int (*sio_hook)(void *self, enum sio_op op, const char *path);
void *sio_hook_self;

static bool hooked(enum sio_op op, const char *what, const char *path, struct err *err) {
    int e = sio_hook ? sio_hook(sio_hook_self, op, path) : 0;
    return e ? err_sys(err, ERR_UNAVAILABLE, e, "cannot %s %s", what, path) : true;
}

bool sio_create(const char *path, int *out_fd, struct err *err) {
    return hooked(SIO_OPEN, "create", path, err) &&
           file_open(path, O_WRONLY | O_CREAT | O_EXCL, 0640, out_fd, err);
}

bool sio_alloc(int fd, uint64_t offset, uint64_t bytes, const char *path, struct err *err) {
    if (!hooked(SIO_ALLOC, "reserve space in", path, err))
        return false;
    int rc;
    do
        rc = fallocate(fd, 0, (off_t)offset, (off_t)bytes);
    while (rc != 0 && errno == EINTR);
    if (rc != 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        return err_sys(err, ERR_UNAVAILABLE, errno, "cannot reserve %llu bytes in %s",
                       (unsigned long long)bytes, path);
    return true;
}

bool sio_write(int fd, const void *p, size_t n, uint64_t offset, const char *path,
               struct err *err) {
    return hooked(SIO_WRITE, "write", path, err) &&
           file_pwrite_all(fd, p, n, (int64_t)offset, path, err);
}

bool sio_sync(int fd, const char *path, struct err *err) {
    return hooked(SIO_SYNC, "fsync", path, err) && file_sync(fd, path, err);
}

bool sio_sync_dir(const char *dir, struct err *err) {
    return hooked(SIO_SYNC_DIR, "fsync folder", dir, err) && file_sync_dir(dir, err);
}

bool sio_rename(const char *from, const char *to, struct err *err) {
    return hooked(SIO_RENAME, "rename", from, err) && file_rename(from, to, err);
}

bool sio_unlink(const char *path, struct err *err) {
    return hooked(SIO_UNLINK, "delete", path, err) && file_unlink(path, err);
}

bool sio_write_atomic(const char *dir, const char *name, struct str content, struct err *err) {
    char path[SIO_PATH_MAX], tmp[SIO_PATH_MAX + 8];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    int fd;
    (void)unlink(tmp);
    if (!sio_create(tmp, &fd, err))
        return false;
    bool ok = sio_write(fd, content.p, content.n, 0, tmp, err) && sio_sync(fd, tmp, err);
    file_close(fd);
    ok = ok && sio_rename(tmp, path, err);
    if (!ok) {
        (void)unlink(tmp);
        return false;
    }
    return sio_sync_dir(dir, err);
}

bool sio_map(const char *path, struct sio_map *out, struct err *err) {
    int fd;
    int64_t size;
    if (!file_open(path, O_RDONLY, 0, &fd, err))
        return false;
    if (!file_size(fd, &size, err)) {
        file_close(fd);
        return false;
    }
    void *p = NULL;
    if (size > 0) {
        p = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) {
            int e = errno;
            file_close(fd);
            return err_sys(err, ERR_INTERNAL, e, "cannot map %s", path);
        }
    }
    file_close(fd);
    *out = (struct sio_map){p, (size_t)size};
    return true;
}

void sio_unmap(struct sio_map *m) {
    if (m->p)
        (void)munmap((void *)(uintptr_t)m->p, m->n);
    *m = (struct sio_map){0};
}
