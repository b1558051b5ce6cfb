/* meminfo.c - every field of /proc/meminfo as node_memory_<field>, with _bytes where the kernel
 * says kB. */
#include "feature/collect/collectors.h"

#define FIELDS_MAX 256
#define NAME_BYTES_MAX 64

struct meminfo {
    struct procfile file;
    struct emit_table *table;
    int64_t total, available, cached, swap_total, swap_free;
};

static const struct emit_group group = {NULL, 0, NULL, 0, FIELDS_MAX};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct meminfo *m = self;
    m->table = emit_table(env->emit, &group);
    return procfile_init(&m->file, env->proc, "meminfo", err);
}

/* "Active(anon)" -> node_memory_Active_anon; out has room for the prefix, the field and _bytes. */
static size_t metric_name(struct str field, bool bytes, char *out) {
    static const char prefix[] = "node_memory_";
    size_t n = sizeof(prefix) - 1;
    memcpy(out, prefix, n);
    for (size_t i = 0; i < field.n && i < NAME_BYTES_MAX; i++) {
        char c = field.p[i];
        if (c == ')')
            continue;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        out[n++] = plain ? c : '_';
    }
    if (bytes) {
        memcpy(out + n, "_bytes", 6);
        n += 6;
    }
    return n;
}

static void keep(struct meminfo *m, struct str field, double v) {
    static const char *const names[] = {"MemTotal", "MemAvailable", "Cached", "SwapTotal",
                                        "SwapFree"};
    int64_t *const slots[] = {&m->total, &m->available, &m->cached, &m->swap_total, &m->swap_free};
    for (size_t i = 0; i < 5; i++)
        if (str_eqz(field, names[i]) && v >= 0 && v < 9e18)
            *slots[i] = (int64_t)v;
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct meminfo *m = self;
    struct str text, line, field, unit;
    bool absent;
    if (!procfile_read(&m->file, env->buf, &text, &absent, err))
        return false;
    m->total = m->available = m->cached = m->swap_total = m->swap_free = OVERVIEW_UNKNOWN;
    while (scan_line(&text, &line)) {
        uint64_t v;
        if (!str_next(&line, ':', &field) || field.n == 0 || !scan_field_u64(&line, &v))
            continue;
        bool kb = scan_field(&line, &unit) && str_eq(unit, STR("kB"));
        double value = (double)v * (kb ? 1024.0 : 1.0);
        char name[NAME_BYTES_MAX + 32];
        size_t n = metric_name(field, kb, name);
        emit_put(emit_named(m->table, str_make(name, n), METRIC_GAUGE, "Memory information field"),
                 0, value);
        keep(m, field, value);
    }
    env->host->memory_bytes = m->total;
    return m->total != OVERVIEW_UNKNOWN ||
           err_set(err, ERR_UNAVAILABLE, "%s/meminfo has no MemTotal", env->proc);
}

static void overview(void *self, const struct collect_env *env, struct arena *a,
                     struct overview *out) {
    (void)env;
    (void)a;
    struct meminfo *m = self;
    struct overview_memory *o = &out->memory;
    o->total_bytes = m->total;
    o->available_bytes = m->available;
    o->cached_bytes = m->cached;
    o->swap_total_bytes = m->swap_total;
    if (m->total >= m->available && m->available >= 0)
        o->used_bytes = m->total - m->available;
    if (m->swap_total >= m->swap_free && m->swap_free >= 0)
        o->swap_used_bytes = m->swap_total - m->swap_free;
}

static void point(void *self, struct overview_point *p) {
    struct meminfo *m = self;
    if (m->total > 0 && m->available >= 0 && m->available <= m->total)
        p->memory_used_ratio = (double)(m->total - m->available) / (double)m->total;
}

static void deinit(void *self) {
    procfile_deinit(&((struct meminfo *)self)->file);
}

const struct collector meminfo_collector = {.name = "meminfo",
                                            .help = "Memory, every field of /proc/meminfo",
                                            .every = EVERY_TICK,
                                            .size = sizeof(struct meminfo),
                                            .init = init,
                                            .collect = collect,
                                            .overview = overview,
                                            .point = point,
                                            .deinit = deinit};
