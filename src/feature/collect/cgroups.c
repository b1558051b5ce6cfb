/* cgroups.c - containers and systemd units as control groups
 * (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/), version 1, 2 and both mixed, under the
 * names and labels that cAdvisor uses: id is the path, name the container's (units have none).
 *
 * The trees are walked every third reading (new groups show within 15 s); what is known is read
 * each time. A container's own sub-groups are its business: its numbers include them, and the walk
 * stops there.
 */
#include "codec/json.h"
#include "feature/collect/cgroupname.h"
#include "feature/collect/collectors.h"
#include "feature/collect/seen.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUPS_MAX 1024 /* containers and units; more on one host is no small team's */
#define DEPTH_MAX 12
#define DIRS_MAX 16384 /* of one walk */
#define WALK_EVERY 3
#define FILE_BYTES_MAX 65536
#define DEVICES_MAX 64               /* of one group */
#define NO_LIMIT ((uint64_t)1 << 62) /* version 1 writes "no limit" as a number near 2^63 */
#define DOCKER_JSON_BYTES_MAX ((size_t)1 << 20)
#define SHORT_ID_DIGITS 12

enum { H_CPU, H_CPUACCT, H_MEMORY, H_BLKIO, H_PIDS, H_SYSTEMD, H_COUNT };

struct group {
    struct seen_entry entry; /* key: the path, "/docker/..." */
    struct cgroupname is;
    char name[CGROUPNAME_BYTES_MAX + 1]; /* what people call it */
    struct rate cpu;
    double cpu_per_s;
    int64_t memory_bytes;
};
struct cgroups {
    bool v2, any;
    int fd[H_COUNT]; /* -1: there is no such hierarchy; all the same in version 2 */
    struct emit_table *cpu, *table, *fs;
    struct seen groups;
    struct buf buf, scratch;
    double ticks_per_s;
    uint64_t rounds;
    size_t dirs;        /* seen by the walk under way */
    struct map devices; /* "254:0" -> char *name */
};

static const char *const cpu_labels[] = {"cpu", "id", "name"};
static const struct emit_metric cpu_metrics[] = {{"container_cpu_usage_seconds_total",
                                                  METRIC_COUNTER,
                                                  "Cumulative CPU time consumed in seconds."}};
static const struct emit_group cpu_group = {cpu_labels, 3, cpu_metrics, 1, GROUPS_MAX};
static const char *const labels[] = {"id", "name"};
enum {
    M_USER,
    M_SYSTEM,
    M_PERIODS,
    M_THROTTLED_PERIODS,
    M_THROTTLED_SECONDS,
    M_USAGE,
    M_WORKING_SET,
    M_RSS,
    M_CACHE,
    M_MAPPED,
    M_SWAP,
    M_LIMIT,
    M_OOM,
    M_FAILCNT,
    M_THREADS,
    M_COUNT
};
static const struct emit_metric metrics[M_COUNT] = {
    {"container_cpu_user_seconds_total", METRIC_COUNTER,
     "Cumulative user CPU time consumed in seconds."},
    {"container_cpu_system_seconds_total", METRIC_COUNTER,
     "Cumulative system CPU time consumed in seconds."},
    {"container_cpu_cfs_periods_total", METRIC_COUNTER,
     "Number of elapsed enforcement period intervals."},
    {"container_cpu_cfs_throttled_periods_total", METRIC_COUNTER,
     "Number of throttled period intervals."},
    {"container_cpu_cfs_throttled_seconds_total", METRIC_COUNTER,
     "Total time that it was throttled."},
    {"container_memory_usage_bytes", METRIC_GAUGE, "Memory in use, page cache included."},
    {"container_memory_working_set_bytes", METRIC_GAUGE,
     "Memory in use without the page cache that can go at once."},
    {"container_memory_rss", METRIC_GAUGE, "Anonymous memory in bytes."},
    {"container_memory_cache", METRIC_GAUGE, "Page cache in bytes."},
    {"container_memory_mapped_file", METRIC_GAUGE, "Memory-mapped files in bytes."},
    {"container_memory_swap", METRIC_GAUGE, "Swap in use in bytes."},
    {"container_spec_memory_limit_bytes", METRIC_GAUGE, "Memory limit; 0: none."},
    {"container_oom_events_total", METRIC_COUNTER, "Processes killed because memory ran out."},
    {"container_memory_failcnt", METRIC_COUNTER, "How often memory use hit the limit."},
    {"container_threads", METRIC_GAUGE, "Threads (tasks) inside."},
};
static const struct emit_group group = {labels, 2, metrics, M_COUNT, GROUPS_MAX};
static const char *const fs_labels[] = {"device", "id", "name"};
enum { F_READ_BYTES, F_WRITE_BYTES, F_READS, F_WRITES, F_COUNT };
static const struct emit_metric fs_metrics[F_COUNT] = {
    {"container_fs_reads_bytes_total", METRIC_COUNTER, "Bytes read from storage."},
    {"container_fs_writes_bytes_total", METRIC_COUNTER, "Bytes written to storage."},
    {"container_fs_reads_total", METRIC_COUNTER, "Reads completed."},
    {"container_fs_writes_total", METRIC_COUNTER, "Writes completed."},
};
static const struct emit_group fs_group = {fs_labels, 3, fs_metrics, F_COUNT, GROUPS_MAX * 4};

/* ---- hierarchies ---- */

static int open_dir(const char *sys, const char *name) {
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/fs/cgroup%s%s", sys, name[0] ? "/" : "", name);
    return n > 0 && (size_t)n < sizeof(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static void open_hierarchies(struct cgroups *c, const char *sys) {
    /* one controller may be mounted with another; distributions differ in the order */
    static const char *const names[H_COUNT][3] = {{"cpu", "cpu,cpuacct", "cpuacct,cpu"},
                                                  {"cpuacct", "cpu,cpuacct", "cpuacct,cpu"},
                                                  {"memory", NULL, NULL},
                                                  {"blkio", NULL, NULL},
                                                  {"pids", NULL, NULL},
                                                  {"systemd", NULL, NULL}};
    int top = open_dir(sys, "");
    if (top < 0)
        return;
    c->v2 = faccessat(top, "cgroup.controllers", F_OK, 0) == 0;
    for (size_t i = 0; i < H_COUNT; i++) {
        for (size_t k = 0; k < 3 && c->fd[i] < 0 && (c->v2 || names[i][k]); k++)
            c->fd[i] = open_dir(sys, c->v2 ? "" : names[i][k]);
        c->any = c->any || c->fd[i] >= 0;
    }
    close(top);
}

static bool init(void *self, struct collect_env *env, struct err *err) {
    (void)err;
    struct cgroups *c = self;
    for (size_t i = 0; i < H_COUNT; i++)
        c->fd[i] = -1;
    c->cpu = emit_table(env->emit, &cpu_group);
    c->table = emit_table(env->emit, &group);
    c->fs = emit_table(env->emit, &fs_group);
    c->groups.max = GROUPS_MAX;
    long hz = sysconf(_SC_CLK_TCK);
    c->ticks_per_s = hz > 0 ? (double)hz : 100;
    open_hierarchies(c, env->sys);
    return true;
}

/* ---- names ---- */

static void set_name(struct group *g, struct str s) {
    size_t n = s.n < sizeof(g->name) - 1 ? s.n : sizeof(g->name) - 1;
    if (n)
        memcpy(g->name, s.p, n);
    g->name[n] = '\0';
}

/* Docker writes the name into the container's folder; only root may read it. */
static bool docker_name(struct cgroups *c, const struct collect_env *env, struct group *g) {
    char path[PATH_MAX];
    struct str text;
    snprintf(path, sizeof(path), "var/lib/docker/containers/%.*s/config.v2.json", (int)g->is.name_n,
             g->is.name);
    if (!procfile_slurp(env->root, path, DOCKER_JSON_BYTES_MAX, &c->scratch, &text))
        return false;
    struct jsonr_doc *doc = jsonr_parse(text, NULL);
    struct str name = doc ? jsonr_get_str(jsonr_root(doc), "Name") : STR("");
    if (name.n && name.p[0] == '/')
        name = str_from_offset(name, 1);
    set_name(g, name);
    jsonr_free(doc);
    return g->name[0] != '\0';
}

static bool podman_name(struct cgroups *c, const struct collect_env *env, struct group *g) {
    struct str text, id;
    if (!procfile_slurp(env->root, "var/lib/containers/storage/overlay-containers/containers.json",
                        DOCKER_JSON_BYTES_MAX, &c->scratch, &text))
        return false;
    struct jsonr_doc *doc = jsonr_parse(text, NULL);
    const struct jsonr *all = doc ? jsonr_root(doc) : NULL;
    for (size_t i = 0; i < jsonr_len(all); i++) {
        struct str name;
        id = jsonr_get_str(jsonr_at(all, i), "id");
        if (str_eq(id, str_make(g->is.name, g->is.name_n)) &&
            jsonr_str(jsonr_at(jsonr_get(jsonr_at(all, i), "names"), 0), &name))
            set_name(g, name);
    }
    jsonr_free(doc);
    return g->name[0] != '\0';
}

/* The kubelet keeps links <pod>_<namespace>_<container>-<id>.log. */
static bool kubernetes_name(const struct collect_env *env, struct group *g) {
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/var/log/containers", env->root);
    DIR *dir = opendir(path);
    struct dirent *d;
    while (dir && (d = readdir(dir))) {
        struct str s = str_from(d->d_name), pod, namespace, id = str_make(g->is.name, g->is.name_n);
        if (!str_ends(s, STR(".log")) || s.n < id.n + 6)
            continue;
        s = str_sub(s, 0, s.n - 4);
        if (!str_ends(s, id) || s.p[s.n - id.n - 1] != '-')
            continue;
        s = str_sub(s, 0, s.n - id.n - 1);
        if (!str_next(&s, '_', &pod) || !str_next(&s, '_', &namespace))
            continue;
        char name[PATH_MAX];
        int n = snprintf(name, sizeof(name), "%.*s/%.*s/%.*s", STR_FMT(namespace), STR_FMT(pod),
                         STR_FMT(s));
        set_name(g, str_make(name, n > 0 && (size_t)n < sizeof(name) ? (size_t)n : 0));
    }
    if (dir)
        closedir(dir);
    return g->name[0] != '\0';
}

static void find_name(struct cgroups *c, const struct collect_env *env, struct group *g) {
    struct str own = str_make(g->is.name, g->is.name_n);
    if (g->is.kind != CGROUP_CONTAINER || !g->is.hex_id) {
        set_name(g, own);
        return;
    }
    if (g->is.kubernetes && kubernetes_name(env, g))
        return;
    if (strcmp(g->is.runtime, "docker") == 0 && docker_name(c, env, g))
        return;
    if (strcmp(g->is.runtime, "podman") == 0 && podman_name(c, env, g))
        return;
    set_name(g, str_sub(own, 0, SHORT_ID_DIGITS));
}

/* ---- the walk ---- */

static void walk(struct cgroups *c, const struct collect_env *env, int take_fd, char *path,
                 size_t n, unsigned depth, bool in_unit);

static void walk_child(struct cgroups *c, const struct collect_env *env, int dir, const char *child,
                       char *path, size_t n, unsigned depth, bool in_unit) {
    struct cgroupname is;
    size_t more = strlen(child);
    if (n + more + 2 > PATH_MAX / 2 || ++c->dirs > DIRS_MAX)
        return;
    path[n] = '/';
    memcpy(path + n + 1, child, more + 1);
    struct str full = str_make(path, n + 1 + more);
    cgroupname_classify(full, &is);
    if (is.kind == CGROUP_CONTAINER || (is.kind == CGROUP_UNIT && !in_unit)) {
        struct group *g = seen_touch(&c->groups, full, sizeof(*g));
        if (g && !g->is.name_n) {
            g->is = is;
            g->cpu_per_s = collect_nan();
            g->memory_bytes = OVERVIEW_UNKNOWN;
            find_name(c, env, g);
        }
    }
    if (is.kind == CGROUP_CONTAINER || depth >= DEPTH_MAX)
        return;
    int fd = openat(dir, child, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        walk(c, env, fd, path, n + 1 + more, depth + 1, in_unit || is.kind == CGROUP_UNIT);
}

static void walk(struct cgroups *c, const struct collect_env *env, int take_fd, char *path,
                 size_t n, unsigned depth, bool in_unit) {
    struct stat st;
    DIR *dir = NULL;
    /* the kernel counts sub-groups in the number of links: most groups have none and need not be
     * listed */
    if (fstat(take_fd, &st) == 0 && st.st_nlink != 2)
        dir = fdopendir(take_fd);
    if (!dir) {
        close(take_fd);
        return;
    }
    struct dirent *d;
    while ((d = readdir(dir)))
        if (d->d_type == DT_DIR && d->d_name[0] != '.')
            walk_child(c, env, dirfd(dir), d->d_name, path, n, depth, in_unit);
    closedir(dir);
}

static void walk_all(struct cgroups *c, const struct collect_env *env) {
    static const size_t trees[] = {H_CPUACCT, H_MEMORY, H_SYSTEMD};
    char path[PATH_MAX];
    c->dirs = 0;
    seen_begin(&c->groups);
    for (size_t i = 0; i < (c->v2 ? 1 : sizeof(trees) / sizeof(trees[0])); i++) {
        int fd = c->fd[trees[i]] < 0
                     ? -1
                     : openat(c->fd[trees[i]], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        path[0] = '\0';
        if (fd >= 0)
            walk(c, env, fd, path, 0, 0, false);
    }
    seen_sweep(&c->groups);
}

/* ---- reading one group ---- */

static bool slurp(struct cgroups *c, int hierarchy, const struct group *g, const char *file,
                  struct str *out) {
    char path[PATH_MAX];
    if (c->fd[hierarchy] < 0)
        return false;
    int n = snprintf(path, sizeof(path), "%s/%s", g->entry.key.p + 1, file);
    return n > 0 && (size_t)n < sizeof(path) &&
           procfile_slurp_at(c->fd[hierarchy], path, FILE_BYTES_MAX, &c->buf, out);
}

static bool slurp_u64(struct cgroups *c, int hierarchy, const struct group *g, const char *file,
                      uint64_t *out) {
    struct str text;
    if (!slurp(c, hierarchy, g, file, &text))
        return false;
    text = str_trim(text);
    return scan_field_u64(&text, out);
}

static void put_key(struct emit_item *it, size_t metric, struct str text, const char *key,
                    double scale) {
    uint64_t v;
    if (scan_key_u64(text, str_from(key), &v))
        emit_put(it, metric, (double)v * scale);
}

static void read_cpu(struct cgroups *c, const struct collect_env *env, struct group *g,
                     struct emit_item *it) {
    struct str text;
    uint64_t v;
    bool known = false;
    double used_s = 0;
    if (slurp(c, H_CPU, g, "cpu.stat", &text)) {
        if (c->v2 && scan_key_u64(text, STR("usage_usec"), &v)) {
            known = true;
            used_s = (double)v / 1e6;
        }
        if (c->v2) {
            put_key(it, M_USER, text, "user_usec", 1e-6);
            put_key(it, M_SYSTEM, text, "system_usec", 1e-6);
        }
        if (g->is.kind == CGROUP_CONTAINER ||
            (scan_key_u64(text, STR("nr_periods"), &v) && v > 0)) {
            put_key(it, M_PERIODS, text, "nr_periods", 1);
            put_key(it, M_THROTTLED_PERIODS, text, "nr_throttled", 1);
            put_key(it, M_THROTTLED_SECONDS, text, c->v2 ? "throttled_usec" : "throttled_time",
                    c->v2 ? 1e-6 : 1e-9);
        }
    }
    if (!c->v2 && slurp_u64(c, H_CPUACCT, g, "cpuacct.usage", &v)) {
        known = true;
        used_s = (double)v / 1e9;
        if (slurp(c, H_CPUACCT, g, "cpuacct.stat", &text)) {
            put_key(it, M_USER, text, "user", 1 / c->ticks_per_s);
            put_key(it, M_SYSTEM, text, "system", 1 / c->ticks_per_s);
        }
    }
    if (!known) {
        g->cpu_per_s = collect_nan();
        return;
    }
    struct str values[] = {STR("total"), g->entry.key,
                           g->is.kind == CGROUP_CONTAINER ? str_from(g->name) : STR("")};
    emit_put(emit_item(c->cpu, values), 0, used_s);
    g->cpu_per_s = rate_update(&g->cpu, used_s, env->mono_ns);
}

static void read_memory(struct cgroups *c, struct group *g, struct emit_item *it) {
    struct str text;
    uint64_t usage, inactive, v;
    g->memory_bytes = OVERVIEW_UNKNOWN;
    if (!slurp_u64(c, H_MEMORY, g, c->v2 ? "memory.current" : "memory.usage_in_bytes", &usage))
        return;
    emit_put(it, M_USAGE, (double)usage);
    uint64_t working = usage;
    if (slurp(c, H_MEMORY, g, "memory.stat", &text)) {
        if (scan_key_u64(text, c->v2 ? STR("inactive_file") : STR("total_inactive_file"),
                         &inactive))
            working = inactive < usage ? usage - inactive : 0;
        put_key(it, M_RSS, text, c->v2 ? "anon" : "total_rss", 1);
        put_key(it, M_CACHE, text, c->v2 ? "file" : "total_cache", 1);
        if (g->is.kind == CGROUP_CONTAINER)
            put_key(it, M_MAPPED, text, c->v2 ? "file_mapped" : "total_mapped_file", 1);
        if (!c->v2)
            put_key(it, M_SWAP, text, "total_swap", 1);
    }
    emit_put(it, M_WORKING_SET, (double)working);
    g->memory_bytes = working > INT64_MAX ? INT64_MAX : (int64_t)working;
    if (c->v2 && slurp_u64(c, H_MEMORY, g, "memory.swap.current", &v))
        emit_put(it, M_SWAP, (double)v);
    if (slurp(c, H_MEMORY, g, c->v2 ? "memory.events" : "memory.oom_control", &text))
        put_key(it, M_OOM, text, "oom_kill", 1);
    if (g->is.kind != CGROUP_CONTAINER)
        return;
    if (slurp_u64(c, H_MEMORY, g, c->v2 ? "memory.max" : "memory.limit_in_bytes", &v))
        emit_put(it, M_LIMIT, v >= NO_LIMIT ? 0 : (double)v);
    else if (c->v2)
        emit_put(it, M_LIMIT, 0); /* "max" */
    if (!c->v2 && slurp_u64(c, H_MEMORY, g, "memory.failcnt", &v))
        emit_put(it, M_FAILCNT, (double)v);
}

/* The name behind "254:0"; the number itself where /sys does not tell. In c. */
static struct str device_name(struct cgroups *c, const struct collect_env *env, struct str number) {
    char path[96];
    struct str text, line, name = number;
    char *known = map_get(&c->devices, number);
    if (known)
        return str_from(known);
    if (number.n > 24 || memchr(number.p, '/', number.n) || c->devices.n_live >= 4096)
        return number;
    snprintf(path, sizeof(path), "dev/block/%.*s/uevent", STR_FMT(number));
    if (procfile_slurp(env->sys, path, 4096, &c->scratch, &text))
        while (scan_line(&text, &line))
            (void)scan_assign(line, STR("DEVNAME"), &name);
    char *copy = calloc(1, name.n + 6);
    if (!copy)
        return number;
    memcpy(copy, "/dev/", 5);
    memcpy(copy + 5, name.p, name.n);
    if (name.p == number.p) { /* not known: the number without a path that would not exist */
        memcpy(copy, name.p, name.n);
        copy[name.n] = '\0';
    }
    if (!map_put(&c->devices, number, copy, NULL)) {
        free(copy);
        return number;
    }
    return str_from(copy);
}

struct io {
    struct str number; /* in the text; NULL: free */
    double v[F_COUNT];
    bool known[F_COUNT];
};

static struct io *io_of(struct io *all, struct str number) {
    for (size_t i = 0; i < DEVICES_MAX; i++) {
        if (!all[i].number.p)
            all[i].number = number;
        if (str_eq(all[i].number, number))
            return &all[i];
    }
    return NULL;
}

static void put_io(struct cgroups *c, const struct collect_env *env, const struct group *g,
                   const struct io *all) {
    for (size_t i = 0; i < DEVICES_MAX && all[i].number.p; i++) {
        struct str values[] = {device_name(c, env, all[i].number), g->entry.key,
                               g->is.kind == CGROUP_CONTAINER ? str_from(g->name) : STR("")};
        struct emit_item *it = emit_item(c->fs, values);
        for (size_t k = 0; k < F_COUNT; k++)
            if (all[i].known[k])
                emit_put(it, k, all[i].v[k]);
    }
}

static void set_io(struct io *io, size_t k, struct str number) {
    uint64_t v;
    if (!io || !str_to_u64(number, &v))
        return;
    io->v[k] = (double)v;
    io->known[k] = true;
}

static void read_io_v2(struct cgroups *c, const struct collect_env *env, const struct group *g) {
    static const char *const keys[F_COUNT] = {"rbytes", "wbytes", "rios", "wios"};
    struct io all[DEVICES_MAX] = {{{NULL, 0}, {0}, {false}}};
    struct str text, line, number, value;
    if (!slurp(c, H_BLKIO, g, "io.stat", &text))
        return;
    while (scan_line(&text, &line)) {
        if (!scan_field(&line, &number))
            continue;
        for (size_t k = 0; k < F_COUNT; k++)
            if (scan_assign(line, str_from(keys[k]), &value))
                set_io(io_of(all, number), k, value);
    }
    put_io(c, env, g, all);
}

static void read_io_v1(struct cgroups *c, const struct collect_env *env, const struct group *g) {
    static const char *const files[2][2] = {
        {"blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"},
        {"blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced"}};
    for (size_t f = 0; f < 2; f++) {
        struct io all[DEVICES_MAX] = {{{NULL, 0}, {0}, {false}}};
        struct str text, line, number, what, value;
        if (!slurp(c, H_BLKIO, g, files[f][0], &text) && !slurp(c, H_BLKIO, g, files[f][1], &text))
            continue;
        while (scan_line(&text, &line)) {
            if (!scan_field(&line, &number) || !scan_field(&line, &what) ||
                !scan_field(&line, &value))
                continue; /* the last line is "Total <n>" */
            bool read = str_eq(what, STR("Read"));
            if (read || str_eq(what, STR("Write")))
                set_io(io_of(all, number), f * 2 + (read ? 0 : 1), value);
        }
        put_io(c, env, g, all);
    }
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    (void)err;
    struct cgroups *c = self;
    uint64_t v;
    if (!c->any) {
        buf_putz(&env->detail, "no control groups are mounted here");
        return true;
    }
    if (c->rounds++ % WALK_EVERY == 0)
        walk_all(c, env);
    for (struct group *g = seen_next(&c->groups, NULL); g; g = seen_next(&c->groups, g)) {
        bool is_container = g->is.kind == CGROUP_CONTAINER;
        struct str values[] = {g->entry.key, is_container ? str_from(g->name) : STR("")};
        struct emit_item *it = emit_item(c->table, values);
        read_cpu(c, env, g, it);
        read_memory(c, g, it);
        if (slurp_u64(c, H_PIDS, g, "pids.current", &v))
            emit_put(it, M_THREADS, (double)v);
        if (!is_container)
            continue;
        if (c->v2)
            read_io_v2(c, env, g);
        else
            read_io_v1(c, env, g);
    }
    return true;
}

static void overview(void *self, const struct collect_env *env, struct arena *a,
                     struct overview *out) {
    (void)env;
    struct cgroups *c = self;
    size_t n = seen_count(&c->groups);
    out->containers = ARENA_ARRAY(a, struct overview_container, n + 1);
    out->units = ARENA_ARRAY(a, struct overview_unit, n + 1);
    if (!out->containers || !out->units)
        return;
    for (struct group *g = seen_next(&c->groups, NULL); g; g = seen_next(&c->groups, g)) {
        struct buf name = BUF_INIT;
        emit_clean(&name, str_from(g->name), EMIT_VALUE_BYTES_MAX);
        struct str shown = arena_str(a, buf_view(&name));
        buf_deinit(&name);
        if (g->is.kind == CGROUP_UNIT) {
            out->units[out->n_units++] =
                (struct overview_unit){shown, {NULL, 0}, g->cpu_per_s, g->memory_bytes};
            continue;
        }
        struct str id = shown;
        if (g->is.hex_id)
            id = arena_str(a, str_make(g->is.name, SHORT_ID_DIGITS));
        out->containers[out->n_containers++] = (struct overview_container){
            id, shown, str_from(g->is.runtime), g->cpu_per_s, g->memory_bytes};
    }
}

static void deinit(void *self) {
    struct cgroups *c = self;
    for (size_t i = 0; i < H_COUNT; i++)
        if (c->fd[i] >= 0)
            close(c->fd[i]);
    for (struct map_entry *e = map_next(&c->devices, NULL); e; e = map_next(&c->devices, e))
        free(e->value);
    map_deinit(&c->devices);
    seen_deinit(&c->groups);
    buf_deinit(&c->buf);
    buf_deinit(&c->scratch);
}

const struct collector cgroups_collector = {
    .name = "cgroups",
    .help = "Containers and systemd units: CPU, memory, I/O, limits",
    .every = EVERY_5_S,
    .size = sizeof(struct cgroups),
    .init = init,
    .collect = collect,
    .overview = overview,
    .deinit = deinit};
