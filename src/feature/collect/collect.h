/* collect.h - this machine as series: once a second, under the names that node_exporter uses, with
 * job="node" and instance="<host name>". Also the source of the first screen (overview.h).
 *
 * Threads: "collect" reads and writes to the sink, "collect-slow" does what may block (probing
 * listeners, TLS handshakes, D-Bus), "collect-fs*" ask file systems for their size.
 * collect_overview and the other getters may be called from any thread.
 */
#ifndef COLLECT_COLLECT_H
#define COLLECT_COLLECT_H

#include "base/timev.h"
#include "feature/collect/overview.h"
#include "model/conf.h"
#include "model/sink.h"

struct collect;
struct http_client;

/* The `collect:` section of the configuration. Zero-valued members mean the default. */
struct collect_config {
    int64_t interval_ms;
    struct conf_strs disabled; /* names of collectors */
    struct str filesystem_mounts_exclude, filesystem_types_exclude, disk_devices_exclude,
        net_devices_exclude;
    bool probe_disabled;             /* do not ask listeners what they are */
    struct conf_strs tls_skip_ports; /* never attempt a TLS handshake there */
    struct str instance;             /* instead of the host's name */
};
extern const struct conf_table collect_config_table;

struct collect_options {
    const char *proc, *sys, *root; /* NULL: the machine's own */
    const struct clock *clock;
    const struct collect_config *config; /* NULL: defaults; must outlive the collector */
    struct sink sink;
    /* TYPE and HELP of each metric, once, before its first row. May be NULL. Collect thread. */
    void (*meta)(void *self, const struct metric_meta *m);
    void *meta_self;
    struct http_client *http;  /* for probing /metrics on loopback; NULL: no probes */
    const uint16_t *own_ports; /* hinomi's own listeners; copied */
    size_t n_own_ports;
    bool no_threads; /* tests: call collect_tick themselves */
};

/* Reads once, then starts the threads. Collectors that cannot work here are left out and say so in
 * the overview's sources; that is no error. */
struct collect *collect_new(const struct collect_options *opt, struct err *err) MUST_USE;
void collect_free(struct collect *c);

/* One round at the clock's time (no_threads only): gathers, collects what is due, writes. */
bool collect_tick(struct collect *c, struct err *err) MUST_USE;

/* The snapshot now; everything in the arena. false: past the arena's cap. */
bool collect_overview(struct collect *c, struct arena *a, struct overview *out);
/* At most `max` newest points, oldest first; returns how many. Step: collect_interval_ms. */
size_t collect_history(struct collect *c, struct overview_point *out, size_t max);
int64_t collect_interval_ms(const struct collect *c);
/* The instance label: the host's (or container's) name. Lives as long as c. */
struct str collect_instance(const struct collect *c);

/* Names of all collectors in order (manual, tests). i past the end: NULL. */
const char *collect_name(size_t i, const char **out_help);

#endif
