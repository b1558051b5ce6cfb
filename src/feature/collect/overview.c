#include "feature/collect/overview.h"

#include <math.h>

const char *const overview_cpu_mode_names[CPU_MODES] = {"user",   "nice", "system",  "idle",
                                                        "iowait", "irq",  "softirq", "steal"};

void overview_init(struct overview *o, int64_t now_ms) {
    double nan_ = (double)NAN;
    *o = (struct overview){.now_ms = now_ms};
    o->host.in_container = KNOWN_UNKNOWN;
    o->host.boot_ms = OVERVIEW_UNKNOWN;
    o->host.uptime_s = nan_;
    o->host.cpus = OVERVIEW_UNKNOWN;
    o->host.memory_bytes = OVERVIEW_UNKNOWN;
    o->cpu.used_ratio = o->cpu.load1 = o->cpu.load5 = o->cpu.load15 = nan_;
    for (int i = 0; i < CPU_MODES; i++)
        o->cpu.modes[i] = nan_;
    o->memory = (struct overview_memory){OVERVIEW_UNKNOWN, OVERVIEW_UNKNOWN, OVERVIEW_UNKNOWN,
                                         OVERVIEW_UNKNOWN, OVERVIEW_UNKNOWN, OVERVIEW_UNKNOWN};
    struct overview_pressure unknown = {nan_, nan_};
    o->psi = (struct overview_psi){false, unknown, unknown, unknown};
}

void overview_point_init(struct overview_point *p, int64_t t_ms) {
    double nan_ = (double)NAN;
    *p = (struct overview_point){t_ms, nan_, nan_, nan_, nan_, nan_, nan_, nan_, nan_, nan_, nan_};
}
