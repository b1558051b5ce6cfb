/* overview.h - what the first screen shows of this machine: one snapshot, as plain structs in an
 * arena. Mirrors `Overview` of docs/openapi.yaml; alerts, rules, next steps and the scrape state of
 * a listener are added by api/, which knows them.
 *
 * Unknown is explicit: a double is NaN, an int64_t is OVERVIEW_UNKNOWN, a struct str has p == NULL,
 * a tri-state is enum known. Ratios are 0..1, rates per second, sizes in bytes, instants ts_ms.
 * Rates come from the last two readings of a counter, so they are unknown until the second one.
 */
#ifndef COLLECT_OVERVIEW_H
#define COLLECT_OVERVIEW_H

#include "base/arena.h"

#define OVERVIEW_UNKNOWN INT64_MIN
#define OVERVIEW_HISTORY_POINTS 300
#define OVERVIEW_PROCESSES_MAX 20

enum known { KNOWN_NO, KNOWN_YES, KNOWN_UNKNOWN };
enum freshness { FRESH_OK, FRESH_STALE, FRESH_UNKNOWN };
enum cpu_mode {
    CPU_USER,
    CPU_NICE,
    CPU_SYSTEM,
    CPU_IDLE,
    CPU_IOWAIT,
    CPU_IRQ,
    CPU_SOFTIRQ,
    CPU_STEAL,
    CPU_MODES
};
extern const char
    *const overview_cpu_mode_names[CPU_MODES]; /* "user", "nice", "system", "idle", ... */

struct overview_host {
    struct str name; /* in a container: the container's name, see in_container */
    struct str os, kernel, architecture;
    enum known in_container;   /* KNOWN_YES: everything here is about this container (pod) */
    struct str container_kind; /* docker, kubernetes, podman, lxc, systemd-nspawn; unknown: NULL */
    int64_t boot_ms;
    double uptime_s;
    int64_t cpus;
    int64_t memory_bytes;
};
struct overview_core {
    struct str cpu;
    double used_ratio;
};
struct overview_cpu {
    double used_ratio;
    double modes[CPU_MODES];
    double load1, load5, load15;
    struct overview_core *cores;
    size_t n_cores;
};
struct overview_memory {
    int64_t total_bytes, available_bytes, used_bytes, cached_bytes, swap_total_bytes,
        swap_used_bytes;
};
struct overview_pressure {
    double some_ratio, full_ratio; /* of the last 10 s */
};
struct overview_psi {
    bool known; /* false: this kernel has no pressure information */
    struct overview_pressure cpu, memory, io;
};
struct overview_disk {
    struct str device;
    double read_bytes_per_s, write_bytes_per_s, busy_ratio;
};
struct overview_network {
    struct str device;
    double rx_bytes_per_s, tx_bytes_per_s, errors_per_s;
    enum known up;
};
enum days_reason { DAYS_KNOWN, DAYS_NOT_GROWING, DAYS_TOO_LITTLE_HISTORY };
struct overview_filesystem {
    struct str mountpoint, device, fstype;
    int64_t size_bytes, available_bytes;
    double used_ratio, inodes_used_ratio;
    enum known read_only;
    double days_to_full;
    enum days_reason days_reason;
    struct str error; /* why sizes are unknown, e.g. "mountpoint timeout"; NULL: none */
};
struct overview_process {
    struct str group;
    int64_t count;
    double cpu_ratio; /* of one CPU */
    int64_t rss_bytes;
};
struct overview_offer { /* a /metrics page that could be scraped */
    bool present;
    struct str job, url, yaml;
};
struct overview_listener {
    struct str proto; /* "tcp", "udp" */
    struct str address;
    int64_t port;
    struct str process; /* NULL: not visible to us */
    struct str kind; /* nginx, postgresql, redis, mysql, node_exporter, metrics, hinomi, http, ssh,
                        unknown */
    enum known tls;
    struct overview_offer offer;
};
struct overview_container {
    struct str id, name, runtime; /* id: 12 digits */
    double cpu_ratio;
    int64_t memory_bytes;
};
struct overview_unit {
    struct str name, state;
    double cpu_ratio;
    int64_t memory_bytes;
};
struct overview_certificate {
    struct str address, subject, issuer;
    struct str *names;
    size_t n_names;
    int64_t not_before_ms, not_after_ms;
    double days_left;
    struct str error; /* handshake failed: why */
};
struct overview_source { /* freshness of one collector */
    struct str name;
    enum freshness freshness;
    int64_t last_ms;
    struct str detail;
};
struct overview {
    int64_t now_ms;
    struct overview_host host;
    struct overview_cpu cpu;
    struct overview_memory memory;
    struct overview_psi psi;
    struct overview_disk *disks;
    size_t n_disks;
    struct overview_network *networks;
    size_t n_networks;
    struct overview_filesystem *filesystems;
    size_t n_filesystems;
    struct overview_process *processes; /* at most OVERVIEW_PROCESSES_MAX, by CPU and then memory */
    size_t n_processes;
    struct overview_listener *listeners;
    size_t n_listeners;
    struct overview_container *containers;
    size_t n_containers;
    struct overview_unit *units;
    size_t n_units;
    struct overview_certificate *certificates;
    size_t n_certificates;
    struct overview_source *sources;
    size_t n_sources;
};

/* One point of the past; NaN is a gap. */
struct overview_point {
    int64_t t_ms;
    double cpu_used_ratio, memory_used_ratio;
    double disk_read_bytes_per_s, disk_write_bytes_per_s;
    double net_rx_bytes_per_s, net_tx_bytes_per_s;
    double psi_cpu_some_ratio, psi_memory_some_ratio, psi_io_some_ratio;
    double load1;
};

/* Everything unknown. */
void overview_init(struct overview *o, int64_t now_ms);
void overview_point_init(struct overview_point *p, int64_t t_ms);

#endif
