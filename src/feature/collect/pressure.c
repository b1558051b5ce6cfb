/* pressure.c - /proc/pressure/{cpu,memory,io,irq}: PSI, the time that tasks waited
 * (Documentation/accounting/psi.rst). Kernels without it have no series and no error. */
#include "feature/collect/collectors.h"

enum { PSI_CPU, PSI_MEMORY, PSI_IO, PSI_IRQ, PSI_FILES };

struct psi_line {
    bool known;
    double avg10, total_s;
};
struct pressure {
    struct procfile file[PSI_FILES];
    struct emit_table *table;
    struct psi_line some[PSI_FILES], full[PSI_FILES];
};

static const struct emit_metric metrics[] = {
    {"node_pressure_cpu_waiting_seconds_total", METRIC_COUNTER,
     "Total time in seconds that processes have waited for CPU time"},
    {"node_pressure_memory_waiting_seconds_total", METRIC_COUNTER,
     "Total time in seconds that processes have waited for memory"},
    {"node_pressure_memory_stalled_seconds_total", METRIC_COUNTER,
     "Total time in seconds no process could make progress due to memory congestion"},
    {"node_pressure_io_waiting_seconds_total", METRIC_COUNTER,
     "Total time in seconds that processes have waited due to IO congestion"},
    {"node_pressure_io_stalled_seconds_total", METRIC_COUNTER,
     "Total time in seconds no process could make progress due to IO congestion"},
    {"node_pressure_irq_stalled_seconds_total", METRIC_COUNTER,
     "Total time in seconds no process could make progress due to IRQ congestion"},
};
static const struct emit_group group = {NULL, 0, metrics, 6, 1};

static bool init(void *self, struct collect_env *env, struct err *err) {
    static const char *const names[] = {"pressure/cpu", "pressure/memory", "pressure/io",
                                        "pressure/irq"};
    struct pressure *p = self;
    p->table = emit_table(env->emit, &group);
    for (size_t i = 0; i < PSI_FILES; i++)
        if (!procfile_init(&p->file[i], env->proc, names[i], err))
            return false;
    return true;
}

static struct psi_line parse(struct str line) {
    struct psi_line l = {0};
    struct str avg, total;
    uint64_t us;
    if (scan_assign(line, STR("avg10"), &avg) && scan_assign(line, STR("total"), &total) &&
        str_to_f64(avg, &l.avg10) && str_to_u64(total, &us)) {
        l.total_s = (double)us / 1e6;
        l.known = true;
    }
    return l;
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct pressure *p = self;
    for (size_t i = 0; i < PSI_FILES; i++) {
        struct str text, line, kind;
        bool absent;
        p->some[i] = p->full[i] = (struct psi_line){0};
        if (!procfile_read(&p->file[i], env->buf, &text, &absent, err))
            return false;
        while (scan_line(&text, &line)) {
            if (!scan_field(&line, &kind))
                continue;
            if (str_eq(kind, STR("some")))
                p->some[i] = parse(line);
            else if (str_eq(kind, STR("full")))
                p->full[i] = parse(line);
        }
    }
    struct emit_item *it = emit_item(p->table, NULL);
    const struct psi_line *lines[] = {&p->some[PSI_CPU], &p->some[PSI_MEMORY], &p->full[PSI_MEMORY],
                                      &p->some[PSI_IO],  &p->full[PSI_IO],     &p->full[PSI_IRQ]};
    for (size_t i = 0; i < 6; i++)
        if (lines[i]->known)
            emit_put(it, i, lines[i]->total_s);
    return true;
}

static double ratio(const struct psi_line *l) {
    return l->known ? l->avg10 / 100.0 : collect_nan();
}

static void overview(void *self, const struct collect_env *env, struct arena *a,
                     struct overview *out) {
    (void)env;
    (void)a;
    struct pressure *p = self;
    out->psi.known = p->some[PSI_CPU].known || p->some[PSI_MEMORY].known || p->some[PSI_IO].known;
    out->psi.cpu = (struct overview_pressure){ratio(&p->some[PSI_CPU]), ratio(&p->full[PSI_CPU])};
    out->psi.memory =
        (struct overview_pressure){ratio(&p->some[PSI_MEMORY]), ratio(&p->full[PSI_MEMORY])};
    out->psi.io = (struct overview_pressure){ratio(&p->some[PSI_IO]), ratio(&p->full[PSI_IO])};
}

static void point(void *self, struct overview_point *o) {
    struct pressure *p = self;
    o->psi_cpu_some_ratio = ratio(&p->some[PSI_CPU]);
    o->psi_memory_some_ratio = ratio(&p->some[PSI_MEMORY]);
    o->psi_io_some_ratio = ratio(&p->some[PSI_IO]);
}

static void deinit(void *self) {
    struct pressure *p = self;
    for (size_t i = 0; i < PSI_FILES; i++)
        procfile_deinit(&p->file[i]);
}

const struct collector pressure_collector = {.name = "pressure",
                                             .help = "Pressure stall information (PSI)",
                                             .every = EVERY_TICK,
                                             .size = sizeof(struct pressure),
                                             .init = init,
                                             .collect = collect,
                                             .overview = overview,
                                             .point = point,
                                             .deinit = deinit};
