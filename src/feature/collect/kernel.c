/* kernel.c - single numbers under /proc/sys and friends: file handles, entropy, connection
 * tracking. */
#include "feature/collect/collectors.h"

enum {
    F_FILE_NR,
    F_ENTROPY,
    F_POOL,
    F_CT_COUNT,
    F_CT_MAX,
    F_CT_STAT,
    F_THREADS_MAX,
    F_PID_MAX,
    F_COUNT
};
enum {
    M_FD_ALLOCATED,
    M_FD_MAXIMUM,
    M_ENTROPY,
    M_POOL,
    M_CT_ENTRIES,
    M_CT_LIMIT,
    M_CT_FOUND,
    M_CT_INVALID,
    M_CT_IGNORE,
    M_CT_INSERT,
    M_CT_INSERT_FAILED,
    M_CT_DROP,
    M_CT_EARLY_DROP,
    M_CT_SEARCH_RESTART,
    M_THREADS_MAX,
    M_PID_MAX
};

struct kernel {
    struct procfile file[F_COUNT];
    struct emit_table *table;
};

static const char *const paths[F_COUNT] = {"sys/fs/file-nr",
                                           "sys/kernel/random/entropy_avail",
                                           "sys/kernel/random/poolsize",
                                           "sys/net/netfilter/nf_conntrack_count",
                                           "sys/net/netfilter/nf_conntrack_max",
                                           "net/stat/nf_conntrack",
                                           "sys/kernel/threads-max",
                                           "sys/kernel/pid_max"};
static const struct emit_metric metrics[] = {
    {"node_filefd_allocated", METRIC_GAUGE, "File descriptor statistics: allocated."},
    {"node_filefd_maximum", METRIC_GAUGE, "File descriptor statistics: maximum."},
    {"node_entropy_available_bits", METRIC_GAUGE, "Bits of available entropy."},
    {"node_entropy_pool_size_bits", METRIC_GAUGE, "Bits of entropy pool."},
    {"node_nf_conntrack_entries", METRIC_GAUGE,
     "Number of currently allocated flow entries for connection tracking."},
    {"node_nf_conntrack_entries_limit", METRIC_GAUGE, "Maximum size of connection tracking table."},
    {"node_nf_conntrack_stat_found", METRIC_GAUGE,
     "Number of searched entries which were successful."},
    {"node_nf_conntrack_stat_invalid", METRIC_GAUGE,
     "Number of packets seen which can not be tracked."},
    {"node_nf_conntrack_stat_ignore", METRIC_GAUGE,
     "Number of packets seen which are already connected to a conntrack entry."},
    {"node_nf_conntrack_stat_insert", METRIC_GAUGE, "Number of entries inserted into the list."},
    {"node_nf_conntrack_stat_insert_failed", METRIC_GAUGE,
     "Number of entries for which list insertion was attempted but failed."},
    {"node_nf_conntrack_stat_drop", METRIC_GAUGE,
     "Number of packets dropped due to conntrack failure."},
    {"node_nf_conntrack_stat_early_drop", METRIC_GAUGE,
     "Number of dropped conntrack entries to make room for new ones, if maximum table size was "
     "reached."},
    {"node_nf_conntrack_stat_search_restart", METRIC_GAUGE,
     "Number of conntrack table lookups which had to be restarted due to hashtable resizes."},
    {"node_processes_max_threads", METRIC_GAUGE, "Limit of threads in the system"},
    {"node_processes_max_processes", METRIC_GAUGE, "Number of max PIDs limit"},
};
/* columns of /proc/net/stat/nf_conntrack by their names in its first line */
static const struct {
    const char *name;
    size_t metric;
} stat_columns[] = {{"found", M_CT_FOUND},
                    {"invalid", M_CT_INVALID},
                    {"ignore", M_CT_IGNORE},
                    {"insert", M_CT_INSERT},
                    {"insert_failed", M_CT_INSERT_FAILED},
                    {"drop", M_CT_DROP},
                    {"early_drop", M_CT_EARLY_DROP},
                    {"search_restart", M_CT_SEARCH_RESTART}};
#define COLUMNS_MAX 32
static const struct emit_group group = {NULL, 0, metrics, sizeof(metrics) / sizeof(metrics[0]), 1};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct kernel *k = self;
    k->table = emit_table(env->emit, &group);
    for (size_t i = 0; i < F_COUNT; i++)
        if (!procfile_init(&k->file[i], env->proc, paths[i], err))
            return false;
    return true;
}

static void conntrack_stat(struct emit_item *it, struct str text) {
    struct str line, field;
    size_t metric_of[COLUMNS_MAX], n = 0;
    double sum[COLUMNS_MAX] = {0};
    if (!scan_line(&text, &line))
        return;
    for (; n < COLUMNS_MAX && scan_field(&line, &field); n++) {
        metric_of[n] = SIZE_MAX;
        for (size_t i = 0; i < sizeof(stat_columns) / sizeof(stat_columns[0]); i++)
            if (str_eqz(field, stat_columns[i].name))
                metric_of[n] = stat_columns[i].metric;
    }
    bool any = false;
    while (scan_line(&text, &line)) { /* one line a CPU */
        uint64_t v;
        for (size_t i = 0; i < n && scan_field(&line, &field) && scan_hex(field, &v); i++)
            sum[i] += (double)v;
        any = true;
    }
    for (size_t i = 0; any && i < n; i++)
        if (metric_of[i] != SIZE_MAX)
            emit_put(it, metric_of[i], sum[i]);
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    static const size_t one_number[F_COUNT] = {
        [F_ENTROPY] = M_ENTROPY,         [F_POOL] = M_POOL,
        [F_CT_COUNT] = M_CT_ENTRIES,     [F_CT_MAX] = M_CT_LIMIT,
        [F_THREADS_MAX] = M_THREADS_MAX, [F_PID_MAX] = M_PID_MAX};
    struct kernel *k = self;
    struct emit_item *it = emit_item(k->table, NULL);
    for (size_t i = 0; i < F_COUNT; i++) {
        struct str text;
        bool absent;
        uint64_t a, b, c;
        if (!procfile_read(&k->file[i], env->buf, &text, &absent, err))
            return false;
        text = str_trim(text);
        if (absent)
            continue;
        if (i == F_CT_STAT) {
            conntrack_stat(it, text);
        } else if (i == F_FILE_NR) {
            if (scan_field_u64(&text, &a) && scan_field_u64(&text, &b) &&
                scan_field_u64(&text, &c)) {
                emit_put(it, M_FD_ALLOCATED, (double)a);
                emit_put(it, M_FD_MAXIMUM, (double)c);
            }
        } else if (scan_field_u64(&text, &a)) {
            emit_put(it, one_number[i], (double)a);
        }
    }
    return true;
}

static void deinit(void *self) {
    struct kernel *k = self;
    for (size_t i = 0; i < F_COUNT; i++)
        procfile_deinit(&k->file[i]);
}

const struct collector kernel_collector = {.name = "kernel",
                                           .help =
                                               "File handles, entropy, connection tracking, limits",
                                           .every = EVERY_5_S,
                                           .size = sizeof(struct kernel),
                                           .init = init,
                                           .collect = collect,
                                           .deinit = deinit};
