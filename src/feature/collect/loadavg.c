/* loadavg.c - /proc/loadavg. */
#include "feature/collect/collectors.h"

struct loadavg {
    struct procfile file;
    struct emit_table *table;
    double load[3];
};

static const struct emit_metric metrics[] = {{"node_load1", METRIC_GAUGE, "1m load average."},
                                             {"node_load5", METRIC_GAUGE, "5m load average."},
                                             {"node_load15", METRIC_GAUGE, "15m load average."}};
static const struct emit_group group = {NULL, 0, metrics, 3, 1};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct loadavg *l = self;
    l->table = emit_table(env->emit, &group);
    return procfile_init(&l->file, env->proc, "loadavg", err);
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct loadavg *l = self;
    struct str text;
    bool absent;
    double v[3];
    if (!procfile_read(&l->file, env->buf, &text, &absent, err))
        return false;
    for (size_t i = 0; i < 3; i++)
        if (!scan_field_f64(&text, &v[i]))
            return err_set(err, ERR_UNAVAILABLE, "%s/loadavg: expected three numbers", env->proc);
    memcpy(l->load, v, sizeof(v));
    struct emit_item *it = emit_item(l->table, NULL);
    for (size_t i = 0; i < 3; i++)
        emit_put(it, i, v[i]);
    return true;
}

static void overview(void *self, const struct collect_env *env, struct arena *a,
                     struct overview *out) {
    (void)env;
    (void)a;
    struct loadavg *l = self;
    out->cpu.load1 = l->load[0];
    out->cpu.load5 = l->load[1];
    out->cpu.load15 = l->load[2];
}

static void point(void *self, struct overview_point *p) {
    p->load1 = ((struct loadavg *)self)->load[0];
}

static void deinit(void *self) {
    procfile_deinit(&((struct loadavg *)self)->file);
}

const struct collector loadavg_collector = {.name = "loadavg",
                                            .help = "Load averages",
                                            .every = EVERY_TICK,
                                            .size = sizeof(struct loadavg),
                                            .init = init,
                                            .collect = collect,
                                            .overview = overview,
                                            .point = point,
                                            .deinit = deinit};
