/* swap.c - /proc/swaps: each swap area. */
#include "feature/collect/collectors.h"

#define AREAS_MAX 64
#define PATH_BYTES_MAX 512

struct swap {
    struct procfile file;
    struct emit_table *table;
};

static const char *const labels[] = {"device", "swap_type"};
static const struct emit_metric metrics[] = {
    {"node_swap_size_bytes", METRIC_GAUGE, "Swap device size in bytes."},
    {"node_swap_used_bytes", METRIC_GAUGE, "Swap device used in bytes."},
    {"node_swap_priority", METRIC_GAUGE, "Swap device priority."},
};
static const struct emit_group group = {labels, 2, metrics, 3, AREAS_MAX};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct swap *s = self;
    s->table = emit_table(env->emit, &group);
    return procfile_init(&s->file, env->proc, "swaps", err);
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct swap *s = self;
    struct str text, line, device, type;
    bool absent, head = true;
    if (!procfile_read(&s->file, env->buf, &text, &absent, err))
        return false;
    while (scan_line(&text, &line)) {
        double size, used, priority;
        if (head || !scan_field(&line, &device) || !scan_field(&line, &type) ||
            !scan_field_f64(&line, &size) || !scan_field_f64(&line, &used) ||
            !scan_field_f64(&line, &priority)) {
            head = false;
            continue;
        }
        char path[PATH_BYTES_MAX];
        struct str values[] = {str_make(path, scan_unescape(device, path, sizeof(path))), type};
        struct emit_item *it = emit_item(s->table, values);
        emit_put(it, 0, size * 1024);
        emit_put(it, 1, used * 1024);
        emit_put(it, 2, priority);
    }
    return true;
}

static void deinit(void *self) {
    procfile_deinit(&((struct swap *)self)->file);
}

const struct collector swap_collector = {.name = "swap",
                                         .help = "Swap areas",
                                         .every = EVERY_15_S,
                                         .size = sizeof(struct swap),
                                         .init = init,
                                         .collect = collect,
                                         .deinit = deinit};
