/* collector.h - what a collector is. One file, one exported const descriptor, one line in
 * collectors.h.
 *
 * Callbacks, all taking the collector's own `self`:
 *   init        opens files, makes tables. false: the collector is out of service (err says why).
 *   gather      optional; may block for seconds (network, other programs). Runs on the background
 * thread; the collector guards what it shares with collect/overview by env->lock. collect     one
 * reading, into the emit tables. Runs on the loop with env->lock held: must not block. false: this
 * reading failed; its series turn stale and the overview says so. overview    adds its part to the
 * snapshot; env->lock held; strings must be copied into the arena. point       adds its part to the
 * sparkline point; env->lock held.
 */
#ifndef COLLECT_COLLECTOR_H
#define COLLECT_COLLECTOR_H

#include "base/timev.h"
#include "feature/collect/collect.h"
#include "feature/collect/emit.h"
#include "feature/collect/procfile.h"
#include "feature/collect/scan.h"
#include "model/conf.h"
#include "os/thread.h"

/* How often, in multiples of collect.interval (1 s): the divisor is taken at the default interval
 * and scaled when the interval is longer. */
enum collect_every {
    EVERY_TICK, /* counters that move all the time */
    EVERY_5_S,  /* processes, file systems, cgroups */
    EVERY_15_S, /* what changes seldom or costs more */
    EVERY_MINUTE,
    EVERY_5_MINUTES /* certificates */
};

struct collect_env {
    const char *proc, *sys, *root; /* "/proc", "/sys", "" (root of the file system) */
    const struct clock *clock;
    const struct collect_config *config;
    struct mutex *lock;
    struct http_client *http;  /* NULL: no probes */
    const uint16_t *own_ports; /* hinomi's own listeners: not probed */
    size_t n_own_ports;
    struct str instance; /* the host's name, as in the instance label */
    bool real_host;      /* proc, sys and root are the machine's own: system calls make sense */
    struct buf *buf;     /* scratch of the loop; not for gather */
    struct emit *emit;   /* the collector's own */
    int64_t now_ms;      /* the tick's timestamp */
    int64_t mono_ns;
    struct collect_host *host; /* facts that several collectors share */
    struct buf detail;         /* a collector may say in words what is incomplete */
    const _Atomic bool *stopping;
};

/* Facts filled by one collector and read by others or by the core, under env->lock. */
struct collect_host {
    int64_t boot_ms; /* OVERVIEW_UNKNOWN */
    int64_t cpus;
    int64_t memory_bytes;
    char os[256], kernel[256], architecture[64];
};

struct collector {
    const char *name;
    const char *help;
    enum collect_every every;
    size_t size; /* of self, zeroed before init */
    bool (*init)(void *self, struct collect_env *env, struct err *err);
    bool (*gather)(void *self, struct collect_env *env, struct err *err);
    bool (*collect)(void *self, struct collect_env *env, struct err *err);
    void (*overview)(void *self, const struct collect_env *env, struct arena *a,
                     struct overview *out);
    void (*point)(void *self, struct overview_point *p);
    void (*deinit)(void *self);
};

/* A counter's rate from its last two readings. */
struct rate {
    double last, per_s;
    int64_t last_ns;
    bool known; /* last is set */
};
/* NaN until the second reading, and when the counter went back (reset). */
double rate_update(struct rate *r, double value, int64_t mono_ns);

static inline double collect_nan(void) {
    return sample_nan();
}

#endif
