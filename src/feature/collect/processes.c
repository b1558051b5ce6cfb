/* processes.c - all processes, grouped by the name of their program, under the names that
 * process-exporter uses (namedprocess_namegroup_*), and node_exporter's counts by state.
 *
 * /proc/<pid>/stat stays open for each process (PIDS_OPEN_MAX of them) and is read in place; a
 * descriptor dies with its process, so a reused pid cannot be mistaken for the old one. A group's
 * counters only grow: each process adds what it used since the last reading.
 */
#include "feature/collect/collectors.h"
#include "feature/collect/seen.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define PROCESSES_MAX 32768
#define GROUPS_MAX 300 /* names beyond it are counted together as "other" */
#define GROUP_BYTES_MAX 64
#define STAT_BYTES_MAX 4096
#define PIDS_OPEN_MAX 512 /* and at most a quarter of the limit of open files */
#define KTHREADD_PID 2

struct usage {
    double user_s, system_s, read_bytes, write_bytes, minor_faults, major_faults;
};
struct group {
    struct seen_entry entry;
    uint64_t count, threads, rss_pages, virtual_bytes;
    double oldest_start_s;
    struct usage total;
    struct rate cpu;
    double cpu_per_s;
    bool kernel;
};
struct process {
    struct seen_entry entry; /* key: pid as text */
    int fd;                  /* of stat; -1: opened at each reading */
    int io_fd;               /* of io; -1: none */
    bool io_tried;
    uint64_t start_ticks;
    struct usage last;
    struct group *group;
    char name[GROUP_BYTES_MAX];
    size_t name_n;
};
struct processes {
    struct emit_table *groups_cpu, *groups_memory, *groups, *states, *counts;
    struct seen processes, groups_seen;
    int proc_fd;
    DIR *dir;
    size_t open_now, open_max;
    double ticks_per_s, page_bytes;
    uint64_t by_state[26];
    uint64_t n, n_threads;
};

static const char *const cpu_labels[] = {"groupname", "mode"};
static const char *const memory_labels[] = {"groupname", "memtype"};
static const char *const group_labels[] = {"groupname"};
static const char *const state_labels[] = {"state"};
static const struct emit_metric cpu_metrics[] = {{"namedprocess_namegroup_cpu_seconds_total",
                                                  METRIC_COUNTER,
                                                  "CPU time used by the processes of a group."}};
static const struct emit_metric memory_metrics[] = {{"namedprocess_namegroup_memory_bytes",
                                                     METRIC_GAUGE,
                                                     "Memory in use by the processes of a group."}};
static const struct emit_metric group_metrics[] = {
    {"namedprocess_namegroup_num_procs", METRIC_GAUGE, "Processes in a group."},
    {"namedprocess_namegroup_num_threads", METRIC_GAUGE, "Threads in a group."},
    {"namedprocess_namegroup_oldest_start_time_seconds", METRIC_GAUGE,
     "When the oldest process of a group started, in seconds since 1970."},
    {"namedprocess_namegroup_minor_page_faults_total", METRIC_COUNTER,
     "Minor page faults of a group."},
    {"namedprocess_namegroup_major_page_faults_total", METRIC_COUNTER,
     "Major page faults of a group."},
    {"namedprocess_namegroup_read_bytes_total", METRIC_COUNTER,
     "Bytes that a group read from storage."},
    {"namedprocess_namegroup_write_bytes_total", METRIC_COUNTER,
     "Bytes that a group wrote to storage."},
};
static const struct emit_metric state_metrics[] = {
    {"node_processes_state", METRIC_GAUGE, "Number of processes in each state."}};
static const struct emit_metric count_metrics[] = {
    {"node_processes_pids", METRIC_GAUGE, "Number of PIDs"},
    {"node_processes_threads", METRIC_GAUGE, "Allocated threads in system"}};
static const struct emit_group cpu_group = {cpu_labels, 2, cpu_metrics, 1, GROUPS_MAX * 3};
static const struct emit_group memory_group = {memory_labels, 2, memory_metrics, 1, GROUPS_MAX * 3};
static const struct emit_group groups_group = {group_labels, 1, group_metrics, 7, GROUPS_MAX * 2};
static const struct emit_group state_group = {state_labels, 1, state_metrics, 1, 32};
static const struct emit_group count_group = {NULL, 0, count_metrics, 2, 1};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct processes *p = self;
    p->groups_cpu = emit_table(env->emit, &cpu_group);
    p->groups_memory = emit_table(env->emit, &memory_group);
    p->groups = emit_table(env->emit, &groups_group);
    p->states = emit_table(env->emit, &state_group);
    p->counts = emit_table(env->emit, &count_group);
    p->processes.max = PROCESSES_MAX;
    p->groups_seen.max = GROUPS_MAX;
    long hz = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
    p->ticks_per_s = hz > 0 ? (double)hz : 100;
    p->page_bytes = page > 0 ? (double)page : 4096;
    struct rlimit limit;
    p->open_max = PIDS_OPEN_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < p->open_max)
        p->open_max = (size_t)(limit.rlim_cur / 4);
    p->dir = opendir(env->proc);
    if (!p->dir)
        return err_sys(err, ERR_UNAVAILABLE, errno, "cannot list %s", env->proc);
    p->proc_fd = dirfd(p->dir);
    return true;
}

static void close_process(struct processes *p, struct process *q) {
    if (q->fd >= 0) {
        close(q->fd);
        p->open_now--;
    }
    if (q->io_fd >= 0) {
        close(q->io_fd);
        p->open_now--;
    }
    q->fd = q->io_fd = -1;
}

/* Kernel threads by the part of their name that says what they do; the rest together. */
static struct str kernel_name(struct str comm) {
    static const char *const told[] = {"kworker",   "kswapd",     "ksoftirqd", "jbd2",
                                       "kcompactd", "khugepaged", "nfsd",      "md"};
    static const char *const shown[] = {"[kworker]",   "[kswapd]",     "[ksoftirqd]", "[jbd2]",
                                        "[kcompactd]", "[khugepaged]", "[nfsd]",      "[md]"};
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        if (str_starts(comm, str_from(told[i])))
            return str_from(shown[i]);
    return STR("[kernel]");
}

static int open_file(struct processes *p, const char *pid, const char *file) {
    char path[64];
    int n = snprintf(path, sizeof(path), "%s/%s", pid, file);
    if (n < 0 || (size_t)n >= sizeof(path))
        return -1;
    return openat(p->proc_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static ssize_t read_stat(struct processes *p, struct process *q, char *out, size_t cap) {
    int fd = q->fd;
    if (fd < 0)
        fd = open_file(p, q->entry.key.p, "stat");
    if (fd < 0)
        return -1;
    ssize_t n = pread(fd, out, cap, 0);
    if (q->fd < 0 && n > 0 && p->open_now < p->open_max) {
        q->fd = fd;
        p->open_now++;
    } else if (q->fd < 0) {
        close(fd);
    }
    return n;
}

/* Bytes from and to storage; needs to be root or the owner, else it stays unknown. */
static void read_io(struct processes *p, struct process *q, struct usage *u) {
    if (q->io_tried && q->io_fd < 0)
        return;
    if (!q->io_tried) {
        q->io_tried = true;
        if (p->open_now >= p->open_max)
            return;
        q->io_fd = open_file(p, q->entry.key.p, "io");
        if (q->io_fd < 0)
            return;
        p->open_now++;
    }
    char text[1024];
    ssize_t n = pread(q->io_fd, text, sizeof(text), 0);
    if (n <= 0) { /* forbidden: do not ask again */
        close(q->io_fd);
        q->io_fd = -1;
        p->open_now--;
        return;
    }
    uint64_t v;
    struct str s = str_make(text, (size_t)n);
    if (scan_key_u64(s, STR("read_bytes:"), &v))
        u->read_bytes = (double)v;
    if (scan_key_u64(s, STR("write_bytes:"), &v))
        u->write_bytes = (double)v;
}

static void add(double *total, double *last, double now) {
    if (now > *last)
        *total += now - *last;
    if (now > *last)
        *last = now;
}

static struct group *group_of(struct processes *p, struct process *q, struct str comm,
                              bool kernel) {
    struct str name = kernel ? kernel_name(comm) : str_sub(comm, 0, GROUP_BYTES_MAX);
    if (name.n == 0)
        name = STR("?");
    if (q->group && q->name_n == name.n && memcmp(q->name, name.p, name.n) == 0)
        return seen_touch(&p->groups_seen, name, sizeof(struct group));
    struct group *g = seen_touch(&p->groups_seen, name, sizeof(*g));
    if (!g) {
        name = STR("other");
        g = seen_find(&p->groups_seen, name);
        if (g)
            g->entry.round = p->groups_seen.round;
    }
    if (g) {
        memcpy(q->name, name.p, name.n);
        q->name_n = name.n;
        g->kernel = kernel;
    }
    return g;
}

/* pid (comm) state ppid ... (proc(5)); comm may hold anything, so the last ')' ends it. */
static bool see(struct processes *p, const char *pid, double boot_s) {
    struct process *q = seen_touch(&p->processes, str_from(pid), sizeof(*q));
    if (!q)
        return false;
    if (q->start_ticks == 0 && !q->group && q->name_n == 0 && !q->io_tried)
        q->fd = q->io_fd = -1;
    char text[STAT_BYTES_MAX];
    ssize_t n = read_stat(p, q, text, sizeof(text));
    struct str s = str_make(text, n > 0 ? (size_t)n : 0);
    size_t open = str_find_char(s, '('), close = SIZE_MAX;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == ')')
            close = i;
    if (n <= 0 || open == SIZE_MAX || close == SIZE_MAX || close < open || close + 2 >= s.n) {
        close_process(p, q);
        q->entry.round = 0; /* gone: the sweep takes it */
        return false;
    }
    struct str comm = str_sub(s, open + 1, close - open - 1), rest = str_from_offset(s, close + 1),
               state, field;
    uint64_t v[24] = {0};
    size_t fields = 0;
    if (!scan_field(&rest, &state))
        return false;
    while (fields < 24 && scan_field(&rest, &field)) /* v[0] is ppid */
        (void)scan_u64(&field, &v[fields++]);
    if (fields < 21)
        return false;
    uint64_t own = 0;
    (void)str_to_u64(str_from(pid), &own);
    bool kernel = v[0] == KTHREADD_PID || own == KTHREADD_PID;
    if (q->start_ticks && q->start_ticks != v[18])
        q->last = (struct usage){0}; /* the pid was given to another process */
    q->start_ticks = v[18];
    struct group *g = group_of(p, q, comm, kernel);
    q->group = g;
    p->n++;
    p->n_threads += v[16];
    if (state.p[0] >= 'A' && state.p[0] <= 'Z')
        p->by_state[state.p[0] - 'A']++;
    if (!g)
        return true;
    struct usage now = {.user_s = (double)v[10] / p->ticks_per_s,
                        .system_s = (double)v[11] / p->ticks_per_s,
                        .minor_faults = (double)v[6],
                        .major_faults = (double)v[8]};
    if (!kernel)
        read_io(p, q, &now);
    add(&g->total.user_s, &q->last.user_s, now.user_s);
    add(&g->total.system_s, &q->last.system_s, now.system_s);
    add(&g->total.minor_faults, &q->last.minor_faults, now.minor_faults);
    add(&g->total.major_faults, &q->last.major_faults, now.major_faults);
    add(&g->total.read_bytes, &q->last.read_bytes, now.read_bytes);
    add(&g->total.write_bytes, &q->last.write_bytes, now.write_bytes);
    g->count++;
    g->threads += v[16];
    g->virtual_bytes += v[19];
    g->rss_pages += v[20] < UINT64_MAX / 65536 ? v[20] : 0;
    double start = boot_s + (double)v[18] / p->ticks_per_s;
    if (g->count == 1 || start < g->oldest_start_s)
        g->oldest_start_s = start;
    return true;
}

static void put_group(struct processes *p, struct group *g, bool boot_known, int64_t mono_ns) {
    struct str name = g->entry.key;
    struct str user[] = {name, STR("user")}, system[] = {name, STR("system")};
    emit_put(emit_item(p->groups_cpu, user), 0, g->total.user_s);
    emit_put(emit_item(p->groups_cpu, system), 0, g->total.system_s);
    struct emit_item *it = emit_item(p->groups, &name);
    emit_put(it, 0, (double)g->count);
    g->cpu_per_s = rate_update(&g->cpu, g->total.user_s + g->total.system_s, mono_ns);
    if (g->kernel)
        return;
    struct str resident[] = {name, STR("resident")}, virt[] = {name, STR("virtual")};
    emit_put(emit_item(p->groups_memory, resident), 0, (double)g->rss_pages * p->page_bytes);
    emit_put(emit_item(p->groups_memory, virt), 0, (double)g->virtual_bytes);
    emit_put(it, 1, (double)g->threads);
    if (boot_known && g->count)
        emit_put(it, 2, g->oldest_start_s);
    emit_put(it, 3, g->total.minor_faults);
    emit_put(it, 4, g->total.major_faults);
    emit_put(it, 5, g->total.read_bytes);
    emit_put(it, 6, g->total.write_bytes);
}

/* seen_sweep frees entries; descriptors are closed here first, where they are counted. */
static void sweep_processes(struct processes *p) {
    for (struct process *q = seen_next(&p->processes, NULL); q; q = seen_next(&p->processes, q))
        if (q->entry.round != p->processes.round)
            close_process(p, q);
    seen_sweep(&p->processes);
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct processes *p = self;
    seen_begin(&p->processes);
    seen_begin(&p->groups_seen);
    for (struct group *g = seen_next(&p->groups_seen, NULL); g; g = seen_next(&p->groups_seen, g))
        g->count = g->threads = g->rss_pages = g->virtual_bytes = 0;
    memset(p->by_state, 0, sizeof(p->by_state));
    p->n = p->n_threads = 0;
    bool boot_known = env->host->boot_ms != OVERVIEW_UNKNOWN;
    double boot_s = boot_known ? (double)env->host->boot_ms / 1000.0 : 0;
    if (seen_count(&p->groups_seen) == 0) /* so that there is a home for what is over the limit */
        (void)seen_touch(&p->groups_seen, STR("other"), sizeof(struct group));
    rewinddir(p->dir);
    struct dirent *d;
    while ((d = readdir(p->dir)))
        if (d->d_name[0] >= '1' && d->d_name[0] <= '9' && strlen(d->d_name) < 16)
            (void)see(p, d->d_name, boot_s);
    sweep_processes(p);
    struct group *other = seen_find(&p->groups_seen, STR("other"));
    if (other)
        other->entry.round = p->groups_seen.round;
    seen_sweep(&p->groups_seen);
    for (struct group *g = seen_next(&p->groups_seen, NULL); g; g = seen_next(&p->groups_seen, g))
        if (g->count)
            put_group(p, g, boot_known, env->mono_ns);
    for (size_t i = 0; i < 26; i++) {
        char letter = (char)('A' + (int)i);
        struct str value = str_make(&letter, 1);
        if (p->by_state[i])
            emit_put(emit_item(p->states, &value), 0, (double)p->by_state[i]);
    }
    struct emit_item *it = emit_item(p->counts, NULL);
    emit_put(it, 0, (double)p->n);
    emit_put(it, 1, (double)p->n_threads);
    return p->n > 0 || err_set(err, ERR_UNAVAILABLE, "%s shows no process", env->proc);
}

static bool before(const struct group *a, const struct group *b) {
    double x = a->cpu_per_s > 0 ? a->cpu_per_s : 0, y = b->cpu_per_s > 0 ? b->cpu_per_s : 0;
    if (x > y || x < y)
        return x > y;
    return a->rss_pages > b->rss_pages;
}

static void overview(void *self, const struct collect_env *env, struct arena *a,
                     struct overview *out) {
    (void)env;
    struct processes *p = self;
    struct group *top[OVERVIEW_PROCESSES_MAX];
    size_t n = 0;
    for (struct group *g = seen_next(&p->groups_seen, NULL); g; g = seen_next(&p->groups_seen, g)) {
        if (!g->count || (g->kernel && !(g->cpu_per_s > 0)))
            continue;
        size_t at = n < OVERVIEW_PROCESSES_MAX ? n++ : n;
        for (; at > 0 && before(g, top[at - 1]); at--)
            if (at < OVERVIEW_PROCESSES_MAX)
                top[at] = top[at - 1];
        if (at < OVERVIEW_PROCESSES_MAX)
            top[at] = g;
    }
    out->processes = ARENA_ARRAY(a, struct overview_process, n + 1);
    for (size_t i = 0; out->processes && i < n; i++) {
        struct buf name = BUF_INIT;
        emit_clean(&name, top[i]->entry.key, GROUP_BYTES_MAX * 3);
        double rss = (double)top[i]->rss_pages * p->page_bytes;
        out->processes[out->n_processes++] = (struct overview_process){
            arena_str(a, buf_view(&name)), (int64_t)top[i]->count, top[i]->cpu_per_s,
            rss < 9e18 ? (int64_t)rss : OVERVIEW_UNKNOWN};
        buf_deinit(&name);
    }
}

static void deinit(void *self) {
    struct processes *p = self;
    for (struct process *q = seen_next(&p->processes, NULL); q; q = seen_next(&p->processes, q))
        close_process(p, q);
    seen_deinit(&p->processes);
    seen_deinit(&p->groups_seen);
    if (p->dir)
        closedir(p->dir);
}

const struct collector processes_collector = {.name = "processes",
                                              .help = "Processes grouped by program",
                                              .every = EVERY_5_S,
                                              .size = sizeof(struct processes),
                                              .init = init,
                                              .collect = collect,
                                              .overview = overview,
                                              .deinit = deinit};
