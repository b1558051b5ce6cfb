#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

bool file_open(const char *path, int flags, mode_t mode, int *out_fd, struct err *err) {
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        int e = errno;
        return err_sys(err, e == ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL, e, "cannot open %s", path);
    }
    *out_fd = fd;
    return true;
}

void file_close(int fd) {
    if (fd >= 0)
        (void)close(fd);
}

bool file_write_all(int fd, const void *data, size_t n, const char *path, struct err *err) {
    const char *p = data;
    while (n) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(err, ERR_INTERNAL, errno, "cannot write %s", path);
        p += k;
        n -= (size_t)k;
    }
    return true;
}

bool file_pwrite_all(int fd, const void *data, size_t n, int64_t offset, const char *path,
                     struct err *err) {
    const char *p = data;
    while (n) {
        ssize_t k = pwrite(fd, p, n, offset);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(err, ERR_INTERNAL, errno, "cannot write %s", path);
        p += k;
        n -= (size_t)k;
        offset += k;
    }
    return true;
}

bool file_pread_all(int fd, void *data, size_t n, int64_t offset, const char *path,
                    struct err *err) {
    char *p = data;
    while (n) {
        ssize_t k = pread(fd, p, n, offset);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(err, ERR_INTERNAL, errno, "cannot read %s", path);
        if (k == 0)
            return err_set(err, ERR_CORRUPT, "%s ends %zu bytes too early", path, n);
        p += k;
        n -= (size_t)k;
        offset += k;
    }
    return true;
}

bool file_sync(int fd, const char *path, struct err *err) {
    if (fdatasync(fd) != 0)
        return err_sys(err, ERR_INTERNAL, errno, "cannot fsync %s", path);
    return true;
}

bool file_sync_dir(const char *dir, struct err *err) {
    int fd;
    if (!file_open(dir, O_RDONLY | O_DIRECTORY, 0, &fd, err))
        return false;
    int rc = fsync(fd), e = errno;
    file_close(fd);
    if (rc != 0)
        return err_sys(err, ERR_INTERNAL, e, "cannot fsync folder %s", dir);
    return true;
}

bool file_size(int fd, int64_t *out, struct err *err) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_sys(err, ERR_INTERNAL, errno, "cannot stat");
    *out = st.st_size;
    return true;
}

bool file_read(const char *path, size_t bytes_max, struct buf *out, struct err *err) {
    int fd;
    if (!file_open(path, O_RDONLY, 0, &fd, err))
        return false;
    size_t start = out->n;
    for (;;) {
        size_t have = out->n - start;
        if (have > bytes_max) {
            file_close(fd);
            out->n = start;
            return err_set(err, ERR_TOO_LARGE, "%s is larger than %zu bytes", path, bytes_max);
        }
        if (!buf_reserve(out, 16384)) {
            file_close(fd);
            return err_set(err, ERR_INTERNAL, "out of memory reading %s", path);
        }
        ssize_t k = read(fd, out->p + out->n, 16384);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            int e = errno;
            file_close(fd);
            return err_sys(err, ERR_INTERNAL, e, "cannot read %s", path);
        }
        out->n += (size_t)k;
        out->p[out->n] = 0;
        if (k == 0)
            break;
    }
    file_close(fd);
    return true;
}

static void parent_of(const char *path, char *out, size_t cap) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        (void)snprintf(out, cap, ".");
    else if (slash == path)
        (void)snprintf(out, cap, "/");
    else
        (void)snprintf(out, cap, "%.*s", (int)(slash - path), path);
}

bool file_write_atomic(const char *path, struct str content, mode_t mode, struct err *err) {
    char tmp[4096], dir[4096];
    int n = snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    if (n < 0 || (size_t)n >= sizeof(tmp))
        return err_set(err, ERR_BAD_INPUT, "path too long: %s", path);
    int fd;
    if (!file_open(tmp, O_WRONLY | O_CREAT | O_TRUNC, mode, &fd, err))
        return false;
    bool ok = file_write_all(fd, content.p, content.n, tmp, err) && file_sync(fd, tmp, err);
    file_close(fd);
    ok = ok && file_rename(tmp, path, err);
    if (!ok) {
        (void)unlink(tmp);
        return false;
    }
    parent_of(path, dir, sizeof(dir));
    return file_sync_dir(dir, err);
}

bool file_mkdirs(const char *path, mode_t mode, struct err *err) {
    char tmp[4096];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof(tmp))
        return err_set(err, ERR_BAD_INPUT, "path empty or too long: %s", path);
    memcpy(tmp, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (tmp[i] != '/' && tmp[i] != 0)
            continue;
        char c = tmp[i];
        tmp[i] = 0;
        if (mkdir(tmp, mode) != 0 && errno != EEXIST)
            return err_sys(err, ERR_INTERNAL, errno, "cannot make folder %s", tmp);
        tmp[i] = c;
    }
    return true;
}

bool file_rename(const char *from, const char *to, struct err *err) {
    if (rename(from, to) != 0)
        return err_sys(err, ERR_INTERNAL, errno, "cannot rename %s to %s", from, to);
    return true;
}

bool file_unlink(const char *path, struct err *err) {
    if (unlink(path) != 0 && errno != ENOENT)
        return err_sys(err, ERR_INTERNAL, errno, "cannot delete %s", path);
    return true;
}

bool file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

bool file_list(const char *dir, struct arena *a, char ***out_names, size_t *out_n,
               struct err *err) {
    struct dirent **list = NULL;
    int n = scandir(dir, &list, NULL, alphasort);
    if (n < 0)
        return err_sys(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL, errno, "cannot list %s",
                       dir);
    char **names = arena_array(a, (size_t)n + 1, sizeof(*names));
    size_t k = 0;
    for (int i = 0; i < n; i++) {
        const char *z = list[i]->d_name;
        if (names && strcmp(z, ".") != 0 && strcmp(z, "..") != 0) {
            names[k] = arena_strz(a, str_from(z));
            if (names[k])
                k++;
        }
        free(list[i]);
    }
    free(list);
    if (!names || a->failed)
        return arena_err(a, err);
    *out_names = names;
    *out_n = k;
    return true;
}

bool file_remove_tree(const char *path, struct err *err) {
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? true : err_sys(err, ERR_INTERNAL, errno, "cannot stat %s", path);
    if (!S_ISDIR(st.st_mode))
        return file_unlink(path, err);
    struct arena a = ARENA_INIT;
    char **names;
    size_t n;
    bool ok = file_list(path, &a, &names, &n, err);
    for (size_t i = 0; ok && i < n; i++) {
        struct str child = arena_printf(&a, "%s/%s", path, names[i]);
        ok = child.p ? file_remove_tree(child.p, err) : arena_err(&a, err);
    }
    arena_deinit(&a);
    if (ok && rmdir(path) != 0 && errno != ENOENT)
        return err_sys(err, ERR_INTERNAL, errno, "cannot delete folder %s", path);
    return ok;
}

bool file_lock_dir(const char *dir, int *out_fd, struct err *err) {
    char path[4096], text[64] = "";
    (void)snprintf(path, sizeof(path), "%s/lock", dir);
    int fd;
    if (!file_open(path, O_RDWR | O_CREAT, 0640, &fd, err))
        return false;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int e = errno;
        ssize_t k = pread(fd, text, sizeof(text) - 1, 0);
        text[k > 0 ? k : 0] = 0;
        file_close(fd);
        if (e != EWOULDBLOCK)
            return err_sys(err, ERR_INTERNAL, e, "cannot lock %s", path);
        return err_set(err, ERR_CONFLICT,
                       "data folder %s is in use by another hinomi (pid %d); stop it, or give this "
                       "one its own --data",
                       dir, (int)strtoul(text, NULL, 10));
    }
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        int e = errno;
        file_close(fd);
        return err_sys(err, ERR_INTERNAL, e, "cannot write %s", path);
    }
    *out_fd = fd;
    return true;
}

bool file_fs_info(const char *path, struct fs_info *out, struct err *err) {
    struct statfs f;
    struct statvfs v;
    if (statfs(path, &f) != 0 || statvfs(path, &v) != 0)
        return err_sys(err, ERR_INTERNAL, errno, "cannot stat the file system of %s", path);
    static const unsigned long network[] = {
        0x6969 /* NFS */, 0xff534d42 /* CIFS */, 0xfe534d42 /* SMB2 */,
        0x517b /* SMB */, 0x01021997 /* 9P */,   0x00c36400 /* Ceph */,
        0x5346414f /* AFS */};
    out->network = false;
    for (size_t i = 0; i < sizeof(network) / sizeof(network[0]); i++)
        out->network |= (unsigned long)f.f_type == network[i];
    out->read_only = (v.f_flag & ST_RDONLY) != 0;
    out->total_bytes = (uint64_t)v.f_blocks * v.f_frsize;
    out->avail_bytes = (uint64_t)v.f_bavail * v.f_frsize;
    return true;
}

bool file_glob(const char *pattern, struct arena *a, char ***out_paths, size_t *out_n,
               struct err *err) {
    glob_t g;
    int rc = glob(pattern, GLOB_ERR, NULL,
                  &g); /* sorts; GLOB_ERR: a folder that cannot be read is an error, not "none" */
    if (rc == GLOB_NOMATCH) {
        *out_paths = NULL;
        *out_n = 0;
        return true;
    }
    if (rc != 0)
        return rc == GLOB_NOSPACE ? err_set(err, ERR_INTERNAL, "no memory to list %s", pattern)
                                  : err_sys(err, ERR_UNAVAILABLE, errno, "list %s", pattern);
    char **v = ARENA_ARRAY(a, char *, g.gl_pathc);
    bool ok = v != NULL;
    for (size_t i = 0; ok && i < g.gl_pathc; i++) {
        v[i] = arena_strz(a, str_from(g.gl_pathv[i]));
        ok = v[i] != NULL;
    }
    size_t n = g.gl_pathc;
    globfree(&g);
    if (!ok)
        return arena_err(a, err);
    *out_paths = v;
    *out_n = n;
    return true;
}
