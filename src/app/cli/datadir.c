#include "app/cli/datadir.h"

#include "os/file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Less than this and the first log segment does not fit. */
#define DATADIR_ROOM_BYTES_MIN (UINT64_C(16) << 20)

const char *datadir_choose(const char *name, const char *given, struct arena *a, struct err *err) {
    if (given && *given)
        return given;
    const char *systemd = getenv("STATE_DIRECTORY");
    struct str first, all = str_from(systemd);
    if (systemd && str_next(&all, ':', &first) && first.n)
        return arena_strz(a, first);
    if (geteuid() == 0)
        return arena_printf(a, "/var/lib/%s", name).p;
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (xdg && *xdg == '/')
        return arena_printf(a, "%s/%s", xdg, name).p;
    if (home && *home == '/')
        return arena_printf(a, "%s/.local/share/%s", home, name).p;
    (void)err_set(err, ERR_BAD_INPUT, "no place for data: HOME is not set; give --data DIR");
    return NULL;
}

static bool refuse_read_only(const char *dir, struct err *err) {
    return err_set(err, ERR_UNAVAILABLE,
                   "the data folder %s lies on a read-only file system; make it writable, or give "
                   "another --data DIR",
                   dir);
}

bool datadir_open(const char *dir, int *out_lock_fd, struct err *err) {
    struct fs_info fs;
    if (!file_mkdirs(dir, 0750, err)) {
        if (err && err->sys_errno == EROFS)
            return refuse_read_only(dir, err);
        return err_prefix(err, "the data folder %s cannot be made", dir);
    }
    if (!file_fs_info(dir, &fs, err))
        return false;
    if (fs.read_only)
        return refuse_read_only(dir, err);
    if (fs.network)
        return err_set(err, ERR_UNAVAILABLE,
                       "the data folder %s lies on a network file system, where fsync and locks do "
                       "not promise enough; give a local --data DIR",
                       dir);
    if (access(dir, R_OK | W_OK | X_OK) != 0)
        return err_sys(err, ERR_FORBIDDEN, errno,
                       "the data folder %s cannot be written by this user", dir);
    if (fs.avail_bytes < DATADIR_ROOM_BYTES_MIN)
        return err_set(err, ERR_UNAVAILABLE,
                       "no room for data: %llu MiB are free in %s, at least 16 MiB are needed",
                       (unsigned long long)(fs.avail_bytes >> 20), dir);
    return file_lock_dir(dir, out_lock_fd, err);
}

bool datadir_become_owner(const char *dir, struct err *err) {
    struct stat st;
    if (stat(dir, &st) != 0)
        return err_sys(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL, errno,
                       "the data folder %s (give --data DIR, the one of the service)", dir);
    if (geteuid() != 0 || st.st_uid == 0)
        return true;
    if (setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0)
        return err_sys(err, ERR_FORBIDDEN, errno, "becoming the owner of %s", dir);
    return true;
}
