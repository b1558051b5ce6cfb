/* vmstat.c - the fields of /proc/vmstat that node_exporter shows: paging, swapping, faults, OOM
 * kills. */
#include "feature/collect/collectors.h"

#define FIELDS_MAX 64
#define NAME_BYTES_MAX 96

struct vmstat {
    struct procfile file;
    struct emit_table *table;
};

static const struct emit_group group = {NULL, 0, NULL, 0, FIELDS_MAX};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct vmstat *v = self;
    v->table = emit_table(env->emit, &group);
    return procfile_init(&v->file, env->proc, "vmstat", err);
}

/* oom_kill*, pgpg*, pswp*, pg*fault* */
static bool wanted(struct str name) {
    if (str_starts(name, STR("oom_kill")) || str_starts(name, STR("pgpg")) ||
        str_starts(name, STR("pswp")))
        return true;
    return str_starts(name, STR("pg")) && str_find(name, STR("fault")) != SIZE_MAX;
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct vmstat *v = self;
    struct str text, line, name;
    bool absent;
    if (!procfile_read(&v->file, env->buf, &text, &absent, err))
        return false;
    while (scan_line(&text, &line)) {
        uint64_t value;
        char metric[NAME_BYTES_MAX + 16] = "node_vmstat_";
        if (!scan_field(&line, &name) || !wanted(name) || name.n > NAME_BYTES_MAX ||
            !scan_field_u64(&line, &value))
            continue;
        memcpy(metric + 12, name.p, name.n);
        struct str m = str_make(metric, 12 + name.n);
        if (metric_name_is_legacy(m))
            emit_put(emit_named(v->table, m, METRIC_UNKNOWN, "/proc/vmstat information field"), 0,
                     (double)value);
    }
    return true;
}

static void deinit(void *self) {
    procfile_deinit(&((struct vmstat *)self)->file);
}

const struct collector vmstat_collector = {.name = "vmstat",
                                           .help = "Paging, swapping, faults and OOM kills",
                                           .every = EVERY_TICK,
                                           .size = sizeof(struct vmstat),
                                           .init = init,
                                           .collect = collect,
                                           .deinit = deinit};
