/* cpu.c - /proc/stat: time of each CPU by mode, and the kernel's own counts (proc(5)). One file,
 * read once for node_exporter's collectors "cpu" and "stat". */
#include "feature/collect/collectors.h"
#include "feature/collect/seen.h"

#include <unistd.h>

#define FIELDS_MAX 10 /* user nice system idle iowait irq softirq steal guest guest_nice */
#define CPUS_MAX 8192

struct cpu_times {
    double s[FIELDS_MAX];
    size_t n;
};
struct core {
    struct seen_entry entry;
    struct cpu_times now, before;
    bool has_before;
};
struct cpu {
    struct procfile stat;
    struct emit_table *seconds, *guest, *counts;
    struct seen cores;
    struct cpu_times total, total_before;
    bool has_total, has_before;
    double ticks_per_s;
};

static const char *const cpu_labels[] = {"cpu", "mode"};
static const struct emit_metric seconds_metrics[] = {
    {"node_cpu_seconds_total", METRIC_COUNTER, "Seconds the CPUs spent in each mode."}};
static const struct emit_metric guest_metrics[] = {
    {"node_cpu_guest_seconds_total", METRIC_COUNTER,
     "Seconds the CPUs spent in guests (VMs) for each mode."}};
static const struct emit_metric count_metrics[] = {
    {"node_intr_total", METRIC_COUNTER, "Total number of interrupts serviced."},
    {"node_context_switches_total", METRIC_COUNTER, "Total number of context switches."},
    {"node_forks_total", METRIC_COUNTER, "Total number of forks."},
    {"node_boot_time_seconds", METRIC_GAUGE, "Node boot time, in unixtime."},
    {"node_procs_running", METRIC_GAUGE, "Number of processes in runnable state."},
    {"node_procs_blocked", METRIC_GAUGE,
     "Number of processes blocked waiting for I/O to complete."},
};
static const char *const count_keys[] = {"intr",  "ctxt",          "processes",
                                         "btime", "procs_running", "procs_blocked"};
static const struct emit_group seconds_group = {cpu_labels, 2, seconds_metrics, 1,
                                                CPUS_MAX *CPU_MODES};
static const struct emit_group guest_group = {cpu_labels, 2, guest_metrics, 1, CPUS_MAX * 2};
static const struct emit_group count_group = {NULL, 0, count_metrics, 6, 1};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct cpu *c = self;
    long hz = sysconf(_SC_CLK_TCK);
    c->ticks_per_s = hz > 0 ? (double)hz : 100.0;
    c->cores.max = CPUS_MAX;
    c->seconds = emit_table(env->emit, &seconds_group);
    c->guest = emit_table(env->emit, &guest_group);
    c->counts = emit_table(env->emit, &count_group);
    return procfile_init(&c->stat, env->proc, "stat", err);
}

static struct cpu_times parse_times(const struct cpu *c, struct str line) {
    struct cpu_times t = {0};
    uint64_t v;
    while (t.n < FIELDS_MAX && scan_field_u64(&line, &v))
        t.s[t.n++] = (double)v / c->ticks_per_s;
    return t;
}

static void put_core(struct cpu *c, struct str name, const struct cpu_times *t) {
    for (size_t m = 0; m < CPU_MODES && m < t->n; m++) {
        struct str values[] = {name, str_from(overview_cpu_mode_names[m])};
        emit_put(emit_item(c->seconds, values), 0, t->s[m]);
    }
    if (t->n == FIELDS_MAX) {
        struct str user[] = {name, STR("user")}, nice[] = {name, STR("nice")};
        emit_put(emit_item(c->guest, user), 0, t->s[8]);
        emit_put(emit_item(c->guest, nice), 0, t->s[9]);
    }
}

static void remember(struct cpu *c, struct str name, const struct cpu_times *t) {
    struct core *core = seen_touch(&c->cores, name, sizeof(*core));
    if (!core)
        return;
    core->has_before = core->now.n > 0;
    core->before = core->now;
    core->now = *t;
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct cpu *c = self;
    struct str text, line, key;
    bool absent;
    if (!procfile_read(&c->stat, env->buf, &text, &absent, err))
        return false;
    seen_begin(&c->cores);
    bool any = false;
    struct emit_item *counts = emit_item(c->counts, NULL);
    while (scan_line(&text, &line)) {
        if (!scan_field(&line, &key))
            continue;
        if (str_starts(key, STR("cpu"))) {
            struct cpu_times t = parse_times(c, line);
            if (t.n < 4)
                continue; /* a cut line */
            any = true;
            struct str name = str_from_offset(key, 3);
            if (name.n) {
                put_core(c, name, &t);
                remember(c, name, &t);
                continue;
            }
            c->has_before = c->has_total;
            c->total_before = c->total;
            c->total = t;
            c->has_total = true;
            continue;
        }
        for (size_t i = 0; i < sizeof(count_keys) / sizeof(count_keys[0]); i++) {
            uint64_t v;
            if (!str_eqz(key, count_keys[i]) || !scan_field_u64(&line, &v))
                continue;
            emit_put(counts, i, (double)v);
            if (i == 3)
                env->host->boot_ms =
                    v < (uint64_t)INT64_MAX / 1000 ? (int64_t)v * 1000 : OVERVIEW_UNKNOWN;
        }
    }
    seen_sweep(&c->cores);
    env->host->cpus = seen_count(&c->cores) ? (int64_t)seen_count(&c->cores) : OVERVIEW_UNKNOWN;
    return any || err_set(err, ERR_UNAVAILABLE, "%s/stat has no line for a CPU", env->proc);
}

/* Share of each mode between two readings; false when no time has passed or a counter went back.
 * Guest time is contained in user and nice already. */
static bool shares(const struct cpu_times *now, const struct cpu_times *before,
                   double out[CPU_MODES]) {
    double sum = 0;
    for (size_t m = 0; m < CPU_MODES; m++) {
        out[m] = m < now->n && m < before->n ? now->s[m] - before->s[m] : 0;
        if (out[m] < 0)
            out[m] = 0; /* iowait and idle may step back a little */
        sum += out[m];
    }
    if (sum <= 0)
        return false;
    for (size_t m = 0; m < CPU_MODES; m++)
        out[m] /= sum;
    return true;
}

static double used(const double share[CPU_MODES]) {
    double u = 1.0 - share[CPU_IDLE] - share[CPU_IOWAIT];
    return u < 0 ? 0 : u;
}

static void overview(void *self, const struct collect_env *env, struct arena *a,
                     struct overview *out) {
    (void)env;
    struct cpu *c = self;
    double share[CPU_MODES];
    if (c->has_before && shares(&c->total, &c->total_before, share)) {
        out->cpu.used_ratio = used(share);
        memcpy(out->cpu.modes, share, sizeof(share));
    }
    out->cpu.cores = ARENA_ARRAY(a, struct overview_core, seen_count(&c->cores) + 1);
    if (!out->cpu.cores)
        return;
    for (struct core *core = seen_next(&c->cores, NULL); core; core = seen_next(&c->cores, core)) {
        struct overview_core *o = &out->cpu.cores[out->cpu.n_cores++];
        o->cpu = arena_str(a, core->entry.key);
        o->used_ratio = core->has_before && shares(&core->now, &core->before, share)
                            ? used(share)
                            : collect_nan();
    }
}

static void point(void *self, struct overview_point *p) {
    struct cpu *c = self;
    double share[CPU_MODES];
    if (c->has_before && shares(&c->total, &c->total_before, share))
        p->cpu_used_ratio = used(share);
}

static void deinit(void *self) {
    struct cpu *c = self;
    procfile_deinit(&c->stat);
    seen_deinit(&c->cores);
}

const struct collector cpu_collector = {
    .name = "cpu",
    .help = "Time of each CPU by mode; interrupts, context switches, forks",
    .every = EVERY_TICK,
    .size = sizeof(struct cpu),
    .init = init,
    .collect = collect,
    .overview = overview,
    .point = point,
    .deinit = deinit};
