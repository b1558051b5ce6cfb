/* self.c - hinomi itself: the counters of base/stats.h and its own process. */
#include "base/stats.h"
#include "feature/collect/collectors.h"

#include <unistd.h>

struct self {
    struct procfile stat;
    struct emit_table *table, *process;
    double ticks_per_s, page_bytes;
    struct emit_metric metrics[STAT_COUNT];
    struct emit_group group;
};

static const struct emit_metric process_metrics[] = {
    {"process_cpu_seconds_total", METRIC_COUNTER,
     "Total user and system CPU time spent in seconds."},
    {"process_resident_memory_bytes", METRIC_GAUGE, "Resident memory size in bytes."},
    {"process_virtual_memory_bytes", METRIC_GAUGE, "Virtual memory size in bytes."},
};
static const char *const process_labels[] = {"job"};
static const struct emit_group process_group = {process_labels, 1, process_metrics, 3, 1};

static bool init(void *p, struct collect_env *env, struct err *err) {
    struct self *s = p;
    for (int i = 0; i < (int)STAT_COUNT; i++) {
        const struct stat_info *info = stats_info((enum stat_id)i);
        bool counter = info->kind[0] == 'c';
        s->metrics[i] =
            (struct emit_metric){info->name, counter ? METRIC_COUNTER : METRIC_GAUGE, info->help};
    }
    /* its own job, so that the host's dashboards do not take it for one of the host's numbers */
    s->group = (struct emit_group){process_labels, 1, s->metrics, STAT_COUNT, 1};
    s->table = emit_table(env->emit, &s->group);
    s->process = emit_table(env->emit, &process_group);
    long hz = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
    s->ticks_per_s = hz > 0 ? (double)hz : 100;
    s->page_bytes = page > 0 ? (double)page : 4096;
    return procfile_init(&s->stat, "/proc", "self/stat", err);
}

static bool collect(void *p, struct collect_env *env, struct err *err) {
    struct self *s = p;
    struct str text, job = STR("hinomi");
    bool absent;
    struct emit_item *it = emit_item(s->table, &job);
    for (int i = 0; i < (int)STAT_COUNT; i++)
        emit_put(it, (size_t)i,
                 (double)atomic_load_explicit(&stat_values[i], memory_order_relaxed));
    if (!procfile_read(&s->stat, env->buf, &text, &absent, err))
        return false;
    size_t paren = SIZE_MAX;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == ')')
            paren = i;
    uint64_t v[22] = {0};
    if (paren == SIZE_MAX)
        return true;
    struct str rest = str_from_offset(text, paren + 1), field;
    for (size_t i = 0; i < 22 && scan_field(&rest, &field); i++)
        (void)scan_u64(&field, &v[i]);
    it = emit_item(s->process, &job);
    emit_put(it, 0, (double)(v[11] + v[12]) / s->ticks_per_s);
    emit_put(it, 1, (double)v[21] * s->page_bytes);
    emit_put(it, 2, (double)v[20]);
    return true;
}

static void deinit(void *p) {
    procfile_deinit(&((struct self *)p)->stat);
}

const struct collector self_collector = {.name = "self",
                                         .help = "hinomi's own telemetry",
                                         .every = EVERY_5_S,
                                         .size = sizeof(struct self),
                                         .init = init,
                                         .collect = collect,
                                         .deinit = deinit};
