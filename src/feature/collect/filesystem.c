/* filesystem.c - size and room of each mounted file system, from /proc/1/mountinfo and statvfs(3)
 * (on other threads: fspool.h). Pseudo file systems are left out as node_exporter does. */
#include "base/regex.h"
#include "feature/collect/collectors.h"
#include "feature/collect/fspool.h"
#include "feature/collect/seen.h"
#include "feature/collect/trend.h"

#define MOUNTS_MAX 2048
#define PATH_BYTES_MAX 4096
#define DAYS_MAX 3650.0 /* beyond ten years "growing" is noise */
#define FIRST_WAIT_MS 200

static const char default_mounts[] =
    "/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)(|/.*)";
static const char default_types[] =
    "autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|"
    "mqueue|nsfs|overlay|"
    "proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs";

struct mount { /* entry.key: mount point \0 device \0 type */
    struct seen_entry entry;
    struct str mountpoint, device, fstype; /* within the key */
    bool excluded, decided, read_only;
    struct fspool_result last;
    struct trend used;
};
struct filesystem {
    struct procfile init_mounts, own_mounts;
    struct emit_table *table;
    struct seen mounts;
    struct regex *mounts_exclude, *types_exclude;
    struct fspool *pool;
    bool first_done;
};

static const char *const labels[] = {"device", "mountpoint", "fstype", "device_error"};
enum { M_SIZE, M_FREE, M_AVAIL, M_FILES, M_FILES_FREE, M_READONLY, M_ERROR };
static const struct emit_metric metrics[] = {
    {"node_filesystem_size_bytes", METRIC_GAUGE, "Filesystem size in bytes."},
    {"node_filesystem_free_bytes", METRIC_GAUGE, "Filesystem free space in bytes."},
    {"node_filesystem_avail_bytes", METRIC_GAUGE,
     "Filesystem space available to non-root users in bytes."},
    {"node_filesystem_files", METRIC_GAUGE, "Filesystem total file nodes."},
    {"node_filesystem_files_free", METRIC_GAUGE, "Filesystem total free file nodes."},
    {"node_filesystem_readonly", METRIC_GAUGE, "Filesystem read-only status."},
    {"node_filesystem_device_error", METRIC_GAUGE,
     "Whether an error occurred while getting statistics for the given device."},
};
static const struct emit_group group = {labels, 4, metrics, 7, MOUNTS_MAX};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct filesystem *f = self;
    struct str mounts = env->config->filesystem_mounts_exclude,
               types = env->config->filesystem_types_exclude;
    f->mounts_exclude = regex_new(mounts.n ? mounts : str_from(default_mounts), true, err);
    f->types_exclude = regex_new(types.n ? types : str_from(default_types), true, err);
    f->pool = fspool_new(env->clock, fspool_statvfs);
    f->mounts.max = MOUNTS_MAX;
    f->table = emit_table(env->emit, &group);
    return f->mounts_exclude && f->types_exclude && f->pool &&
           procfile_init(&f->init_mounts, env->proc, "1/mountinfo", err) &&
           procfile_init(&f->own_mounts, env->proc, "self/mountinfo", err);
}

static bool has_option(struct str list, struct str option) {
    struct str one;
    while (str_next(&list, ',', &one))
        if (str_eq(one, option))
            return true;
    return false;
}

static size_t append(char *key, size_t at, size_t cap, struct str s) {
    return at + scan_unescape(s, key + at, cap - at);
}

/* 36 35 98:0 /root /mount rw,noatime shared:1 - ext4 /dev/sda1 rw,errors=continue (proc(5)) */
static bool see_line(struct filesystem *f, struct str line) {
    struct str mountpoint, options, field, fstype, device, super;
    if (!scan_skip(&line, 4) || !scan_field(&line, &mountpoint) || !scan_field(&line, &options))
        return false;
    do {
        if (!scan_field(&line, &field))
            return false;
    } while (!str_eq(field, STR("-")));
    if (!scan_field(&line, &fstype) || !scan_field(&line, &device))
        return false;
    if (!scan_field(&line, &super))
        super = STR("");
    char key[PATH_BYTES_MAX];
    size_t a = append(key, 0, sizeof(key) - 600, mountpoint);
    key[a] = '\0';
    size_t b = append(key, a + 1, sizeof(key) - 100, str_sub(device, 0, 400));
    key[b] = '\0';
    size_t c = append(key, b + 1, sizeof(key), str_sub(fstype, 0, 64));
    struct mount *m = seen_touch(&f->mounts, str_make(key, c), sizeof(*m));
    if (!m)
        return false;
    m->mountpoint = str_make(m->entry.key.p, a);
    m->device = str_make(m->entry.key.p + a + 1, b - a - 1);
    m->fstype = str_make(m->entry.key.p + b + 1, c - b - 1);
    m->read_only = has_option(options, STR("ro")) || has_option(super, STR("ro")) ||
                   has_option(super, STR("emergency_ro"));
    if (!m->decided) {
        m->excluded = regex_match(f->mounts_exclude, m->mountpoint) ||
                      regex_match(f->types_exclude, m->fstype);
        m->decided = true;
    }
    return true;
}

static struct fspool_result ask(struct filesystem *f, const struct collect_env *env,
                                const struct mount *m) {
    char path[PATH_BYTES_MAX * 2];
    size_t root = strlen(env->root);
    if (root + m->mountpoint.n >= sizeof(path))
        return (struct fspool_result){0};
    memcpy(path, env->root, root);
    memcpy(path + root, m->mountpoint.p, m->mountpoint.n);
    return fspool_ask(f->pool, str_make(path, root + m->mountpoint.n));
}

static void put(struct filesystem *f, struct mount *m, int64_t now_ms) {
    const struct fspool_result *r = &m->last;
    if (!r->known)
        return;
    char reason[128] = "";
    if (r->stuck)
        memcpy(reason, "mountpoint timeout", 19);
    else if (r->sys_errno && strerror_r(r->sys_errno, reason, sizeof(reason)) != reason)
        memcpy(reason, "error", 6);
    struct str values[] = {m->device, m->mountpoint, m->fstype, str_from(reason)};
    struct emit_item *it = emit_item(f->table, values);
    emit_put(it, M_READONLY, m->read_only || r->read_only ? 1 : 0);
    emit_put(it, M_ERROR, r->sys_errno ? 1 : 0);
    if (r->sys_errno)
        return;
    emit_put(it, M_SIZE, (double)r->size_bytes);
    emit_put(it, M_FREE, (double)r->free_bytes);
    emit_put(it, M_AVAIL, (double)r->avail_bytes);
    emit_put(it, M_FILES, (double)r->files);
    emit_put(it, M_FILES_FREE, (double)r->files_free);
    trend_add(&m->used, now_ms, (double)r->size_bytes - (double)r->avail_bytes);
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct filesystem *f = self;
    struct str text, line;
    bool absent;
    if (!procfile_read(&f->init_mounts, env->buf, &text, &absent, err))
        return false;
    if (absent && !procfile_read(&f->own_mounts, env->buf, &text, &absent, err))
        return false;
    if (absent)
        return err_set(err, ERR_UNAVAILABLE,
                       "neither %s/1/mountinfo nor %s/self/mountinfo can be read", env->proc,
                       env->proc);
    seen_begin(&f->mounts);
    while (scan_line(&text, &line))
        see_line(f, line);
    seen_sweep(&f->mounts);
    for (int round = f->first_done ? 1 : 0; round < 2; round++) {
        fspool_begin(f->pool);
        for (struct mount *m = seen_next(&f->mounts, NULL); m; m = seen_next(&f->mounts, m))
            if (!m->excluded)
                m->last = ask(f, env, m);
        fspool_end(f->pool);
        if (!f->first_done) /* so that the first screen has its file systems */
            fspool_settle(f->pool, DUR_MS(FIRST_WAIT_MS));
        f->first_done = true;
    }
    for (struct mount *m = seen_next(&f->mounts, NULL); m; m = seen_next(&f->mounts, m))
        if (!m->excluded)
            put(f, m, env->now_ms);
    return true;
}

static void fill(const struct mount *m, struct arena *a, struct overview_filesystem *o) {
    const struct fspool_result *r = &m->last;
    struct buf clean = BUF_INIT;
    emit_clean(&clean, m->mountpoint, EMIT_VALUE_BYTES_MAX);
    *o = (struct overview_filesystem){.mountpoint = arena_str(a, buf_view(&clean)),
                                      .size_bytes = OVERVIEW_UNKNOWN,
                                      .available_bytes = OVERVIEW_UNKNOWN,
                                      .used_ratio = collect_nan(),
                                      .inodes_used_ratio = collect_nan(),
                                      .days_to_full = collect_nan(),
                                      .days_reason = DAYS_TOO_LITTLE_HISTORY,
                                      .read_only =
                                          m->read_only || r->read_only ? KNOWN_YES : KNOWN_NO};
    buf_reset(&clean);
    emit_clean(&clean, m->device, EMIT_VALUE_BYTES_MAX);
    o->device = arena_str(a, buf_view(&clean));
    buf_reset(&clean);
    emit_clean(&clean, m->fstype, EMIT_VALUE_BYTES_MAX);
    o->fstype = arena_str(a, buf_view(&clean));
    buf_deinit(&clean);
    if (r->stuck)
        o->error = STR("the file system has not answered for 5 s");
    else if (r->sys_errno)
        o->error = arena_printf(a, "statvfs failed (errno %d)", r->sys_errno);
    if (!r->known || r->sys_errno)
        return;
    o->size_bytes = (int64_t)(r->size_bytes & INT64_MAX);
    o->available_bytes = (int64_t)(r->avail_bytes & INT64_MAX);
    /* df's share: of what non-root users may have at all */
    double used = (double)r->size_bytes - (double)r->free_bytes,
           reach = used + (double)r->avail_bytes;
    if (reach > 0)
        o->used_ratio = used < 0 ? 0 : used / reach;
    if (r->files > 0 && r->files_free <= r->files)
        o->inodes_used_ratio = (double)(r->files - r->files_free) / (double)r->files;
    double per_s;
    if (!trend_slope(&m->used, &per_s))
        return;
    double days = per_s > 0 ? (double)r->avail_bytes / per_s / 86400.0 : DAYS_MAX + 1;
    o->days_reason = days > DAYS_MAX ? DAYS_NOT_GROWING : DAYS_KNOWN;
    if (days <= DAYS_MAX)
        o->days_to_full = days;
}

static void overview(void *self, const struct collect_env *env, struct arena *a,
                     struct overview *out) {
    (void)env;
    struct filesystem *f = self;
    out->filesystems = ARENA_ARRAY(a, struct overview_filesystem, seen_count(&f->mounts) + 1);
    if (!out->filesystems)
        return;
    for (struct mount *m = seen_next(&f->mounts, NULL); m; m = seen_next(&f->mounts, m)) {
        if (m->excluded)
            continue;
        /* one row a device: of bind mounts the shortest path is the one that people know */
        bool shadowed = false;
        for (struct mount *o = seen_next(&f->mounts, NULL); o; o = seen_next(&f->mounts, o))
            shadowed =
                shadowed || (o != m && !o->excluded && m->device.n && m->device.p[0] == '/' &&
                             str_eq(o->device, m->device) && o->mountpoint.n < m->mountpoint.n);
        if (!shadowed)
            fill(m, a, &out->filesystems[out->n_filesystems++]);
    }
}

static void deinit(void *self) {
    struct filesystem *f = self;
    fspool_free(f->pool);
    procfile_deinit(&f->init_mounts);
    procfile_deinit(&f->own_mounts);
    seen_deinit(&f->mounts);
    regex_free(f->mounts_exclude);
    regex_free(f->types_exclude);
}

const struct collector filesystem_collector = {.name = "filesystem",
                                               .help = "Size and room of mounted file systems",
                                               .every = EVERY_5_S,
                                               .size = sizeof(struct filesystem),
                                               .init = init,
                                               .collect = collect,
                                               .overview = overview,
                                               .deinit = deinit};
