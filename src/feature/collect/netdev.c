/* netdev.c - /proc/net/dev: bytes, packets, errors of each network interface. */
#include "base/regex.h"
#include "feature/collect/collectors.h"
#include "feature/collect/seen.h"

#define DEVICES_MAX 2048
#define FIELDS 16

struct dev {
    struct seen_entry entry;
    bool excluded, decided;
    struct rate rx, tx, errors;
    double rx_per_s, tx_per_s, errors_per_s;
    enum known up;
};
struct netdev {
    struct procfile file;
    struct emit_table *table;
    struct seen devs;
    struct regex *exclude;
    struct buf scratch;
    uint64_t rounds;
};

static const char *const labels[] = {"device"};
#define STATISTIC(name)                                                                            \
    { "node_network_" name "_total", METRIC_COUNTER, "Network device statistic " name "." }
static const struct emit_metric metrics[FIELDS] = {
    STATISTIC("receive_bytes"),      STATISTIC("receive_packets"),   STATISTIC("receive_errs"),
    STATISTIC("receive_drop"),       STATISTIC("receive_fifo"),      STATISTIC("receive_frame"),
    STATISTIC("receive_compressed"), STATISTIC("receive_multicast"), STATISTIC("transmit_bytes"),
    STATISTIC("transmit_packets"),   STATISTIC("transmit_errs"),     STATISTIC("transmit_drop"),
    STATISTIC("transmit_fifo"),      STATISTIC("transmit_colls"),    STATISTIC("transmit_carrier"),
    STATISTIC("transmit_compressed")};
static const struct emit_group group = {labels, 1, metrics, FIELDS, DEVICES_MAX};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct netdev *n = self;
    if (env->config->net_devices_exclude.n) {
        n->exclude = regex_new(env->config->net_devices_exclude, true, err);
        if (!n->exclude)
            return false;
    }
    n->devs.max = DEVICES_MAX;
    n->table = emit_table(env->emit, &group);
    return procfile_init(&n->file, env->proc, "net/dev", err);
}

static enum known is_up(struct netdev *n, const struct collect_env *env, struct str name) {
    char path[128];
    struct str text;
    if (name.n > 64 || memchr(name.p, '/', name.n))
        return KNOWN_UNKNOWN;
    static const char a[] = "class/net/", b[] = "/operstate";
    memcpy(path, a, sizeof(a) - 1);
    memcpy(path + sizeof(a) - 1, name.p, name.n);
    memcpy(path + sizeof(a) - 1 + name.n, b, sizeof(b));
    if (!procfile_slurp(env->sys, path, 64, &n->scratch, &text))
        return KNOWN_UNKNOWN;
    text = str_trim(text);
    if (str_eq(text, STR("up")))
        return KNOWN_YES;
    return str_eq(text, STR("down")) || str_eq(text, STR("lowerlayerdown")) ? KNOWN_NO
                                                                            : KNOWN_UNKNOWN;
}

static bool put(struct netdev *n, struct str name, struct str line, const struct collect_env *env) {
    double v[FIELDS];
    for (size_t i = 0; i < FIELDS; i++) {
        uint64_t x;
        if (!scan_field_u64(&line, &x))
            return false;
        v[i] = (double)x;
    }
    struct dev *d = seen_touch(&n->devs, name, sizeof(*d));
    if (!d)
        return false;
    if (!d->decided) {
        d->excluded = n->exclude && regex_match(n->exclude, name);
        d->decided = true;
        d->up = KNOWN_UNKNOWN;
    }
    if (d->excluded)
        return true;
    if (n->rounds % 5 == 0)
        d->up = is_up(n, env, name);
    struct emit_item *it = emit_item(n->table, &name);
    for (size_t i = 0; i < FIELDS; i++)
        emit_put(it, i, v[i]);
    d->rx_per_s = rate_update(&d->rx, v[0], env->mono_ns);
    d->tx_per_s = rate_update(&d->tx, v[8], env->mono_ns);
    d->errors_per_s = rate_update(&d->errors, v[2] + v[3] + v[10] + v[11], env->mono_ns);
    return true;
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct netdev *n = self;
    struct str text, line;
    bool absent;
    if (!procfile_read(&n->file, env->buf, &text, &absent, err))
        return false;
    seen_begin(&n->devs);
    while (scan_line(&text, &line)) {
        /* names may hold anything but blanks, '/' and, through aliases, even ':'; numbers stand
         * behind the last one */
        size_t colon = SIZE_MAX;
        for (size_t i = 0; i < line.n; i++)
            if (line.p[i] == ':')
                colon = i;
        if (colon == SIZE_MAX)
            continue;
        struct str name = str_trim(str_sub(line, 0, colon));
        if (name.n)
            put(n, name, str_from_offset(line, colon + 1), env);
    }
    seen_sweep(&n->devs);
    n->rounds++;
    return true;
}

static void overview(void *self, const struct collect_env *env, struct arena *a,
                     struct overview *out) {
    (void)env;
    struct netdev *n = self;
    out->networks = ARENA_ARRAY(a, struct overview_network, seen_count(&n->devs) + 1);
    if (!out->networks)
        return;
    for (struct dev *d = seen_next(&n->devs, NULL); d; d = seen_next(&n->devs, d))
        if (!d->excluded)
            out->networks[out->n_networks++] = (struct overview_network){
                arena_str(a, d->entry.key), d->rx_per_s, d->tx_per_s, d->errors_per_s, d->up};
}

/* Traffic of the machine: without loopback, and without bridges and tunnels that repeat a card's
 * bytes. */
static bool counts(struct str name) {
    static const char *const left_out[] = {"lo",  "veth",    "docker", "br-",  "virbr",
                                           "cni", "flannel", "cali",   "dummy"};
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
        if (str_starts(name, str_from(left_out[i])))
            return false;
    return true;
}

static void point(void *self, struct overview_point *p) {
    struct netdev *n = self;
    double rx = 0, tx = 0;
    bool any = false;
    for (struct dev *d = seen_next(&n->devs, NULL); d; d = seen_next(&n->devs, d)) {
        if (d->excluded || !counts(d->entry.key))
            continue;
        any = true;
        rx += d->rx_per_s;
        tx += d->tx_per_s;
    }
    if (any) {
        p->net_rx_bytes_per_s = rx;
        p->net_tx_bytes_per_s = tx;
    }
}

static void deinit(void *self) {
    struct netdev *n = self;
    procfile_deinit(&n->file);
    seen_deinit(&n->devs);
    regex_free(n->exclude);
    buf_deinit(&n->scratch);
}

const struct collector netdev_collector = {.name = "netdev",
                                           .help = "Network interfaces: bytes, packets, errors",
                                           .every = EVERY_TICK,
                                           .size = sizeof(struct netdev),
                                           .init = init,
                                           .collect = collect,
                                           .overview = overview,
                                           .point = point,
                                           .deinit = deinit};
