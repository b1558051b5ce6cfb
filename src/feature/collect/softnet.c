/* softnet.c - /proc/net/softnet_stat: packets that each CPU took from the cards. */
#include "feature/collect/collectors.h"

#define CPUS_MAX 8192

struct softnet {
    struct procfile file;
    struct emit_table *table;
};

static const char *const labels[] = {"cpu"};
static const struct emit_metric metrics[] = {
    {"node_softnet_processed_total", METRIC_COUNTER, "Number of processed packets"},
    {"node_softnet_dropped_total", METRIC_COUNTER, "Number of dropped packets"},
    {"node_softnet_times_squeezed_total", METRIC_COUNTER,
     "Number of times processing packets ran out of quota"},
    {"node_softnet_cpu_collision_total", METRIC_COUNTER,
     "Number of collision occur while obtaining device lock while transmitting"},
    {"node_softnet_received_rps_total", METRIC_COUNTER,
     "Number of times cpu woken up received_rps"},
    {"node_softnet_flow_limit_count_total", METRIC_COUNTER,
     "Number of times flow limit has been reached"},
    {"node_softnet_backlog_len", METRIC_GAUGE, "Softnet backlog status"},
};
/* the column of each metric */
static const size_t column[] = {0, 1, 2, 8, 9, 10, 11};
static const struct emit_group group = {labels, 1, metrics, 7, CPUS_MAX};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct softnet *s = self;
    s->table = emit_table(env->emit, &group);
    return procfile_init(&s->file, env->proc, "net/softnet_stat", err);
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct softnet *s = self;
    struct str text, line, field;
    bool absent;
    if (!procfile_read(&s->file, env->buf, &text, &absent, err))
        return false;
    for (uint64_t nth = 0; scan_line(&text, &line); nth++) {
        uint64_t v[13] = {0};
        size_t n = 0;
        while (n < 13 && scan_field(&line, &field) && scan_hex(field, &v[n]))
            n++;
        if (n < 3)
            continue;
        struct buf cpu = BUF_INIT;
        buf_u64(&cpu, n == 13
                          ? v[12]
                          : nth); /* newer kernels say which CPU; older ones list them in order */
        struct str value = buf_view(&cpu);
        struct emit_item *it = buf_ok(&cpu) ? emit_item(s->table, &value) : NULL;
        for (size_t i = 0; i < 7; i++)
            if (column[i] < n)
                emit_put(it, i, (double)v[column[i]]);
        buf_deinit(&cpu);
    }
    return true;
}

static void deinit(void *self) {
    procfile_deinit(&((struct softnet *)self)->file);
}

const struct collector softnet_collector = {.name = "softnet",
                                            .help = "Network packets handled by each CPU",
                                            .every = EVERY_5_S,
                                            .size = sizeof(struct softnet),
                                            .init = init,
                                            .collect = collect,
                                            .deinit = deinit};
