/* netclass.c - what the kernel tells of each network interface under /sys/class/net
 * (Documentation/ABI/testing/sysfs-class-net): state, speed, address; under node_exporter's names.
 */
#include "base/regex.h"
#include "feature/collect/collectors.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define DEVICES_MAX 2048
#define VALUE_BYTES_MAX 256 /* IFALIASZ */
#define FLAG_UP 1u          /* IFF_UP */

struct netclass {
    struct emit_table *table, *info;
    struct regex *exclude;
    char *path;
};

#define PROPERTY(name, type)                                                                       \
    { "node_network_" name, type, "Network device property: " name }
static const struct emit_metric metrics[] = {
    {"node_network_up", METRIC_GAUGE, "Value is 1 if operstate is 'up', 0 otherwise."},
    PROPERTY("address_assign_type", METRIC_GAUGE),
    PROPERTY("carrier", METRIC_GAUGE),
    PROPERTY("carrier_changes_total", METRIC_COUNTER),
    PROPERTY("carrier_up_changes_total", METRIC_COUNTER),
    PROPERTY("carrier_down_changes_total", METRIC_COUNTER),
    PROPERTY("device_id", METRIC_GAUGE),
    PROPERTY("dormant", METRIC_GAUGE),
    PROPERTY("flags", METRIC_GAUGE),
    PROPERTY("iface_id", METRIC_GAUGE),
    PROPERTY("iface_link", METRIC_GAUGE),
    PROPERTY("iface_link_mode", METRIC_GAUGE),
    PROPERTY("mtu_bytes", METRIC_GAUGE),
    PROPERTY("name_assign_type", METRIC_GAUGE),
    PROPERTY("net_dev_group", METRIC_GAUGE),
    PROPERTY("speed_bytes", METRIC_GAUGE),
    PROPERTY("transmit_queue_length", METRIC_GAUGE),
    PROPERTY("protocol_type", METRIC_GAUGE),
    {"node_network_receive_nohandler_total", METRIC_COUNTER,
     "Network device statistic receive_nohandler."},
};
/* The file of each metric but the first. */
static const char *const files[] = {"addr_assign_type",
                                    "carrier",
                                    "carrier_changes",
                                    "carrier_up_count",
                                    "carrier_down_count",
                                    "dev_id",
                                    "dormant",
                                    "flags",
                                    "ifindex",
                                    "iflink",
                                    "link_mode",
                                    "mtu",
                                    "name_assign_type",
                                    "netdev_group",
                                    "speed",
                                    "tx_queue_len",
                                    "type",
                                    "statistics/rx_nohandler"};
#define N_METRICS (sizeof(metrics) / sizeof(metrics[0]))
#define N_FILES (sizeof(files) / sizeof(files[0]))
_Static_assert(N_METRICS == N_FILES + 1, "a file for each metric");
#define METRIC_OF(file) ((file) + 1)
#define FILE_FLAGS 7
#define FILE_SPEED 14

static const char *const labels[] = {"device"};
static const struct emit_group group = {labels, 1, metrics, N_METRICS, DEVICES_MAX};
static const char *const info_labels[] = {"address", "broadcast", "device",    "duplex",
                                          "ifalias", "operstate", "adminstate"};
enum { I_ADDRESS, I_BROADCAST, I_DEVICE, I_DUPLEX, I_IFALIAS, I_OPERSTATE, I_ADMINSTATE, I_COUNT };
static const struct emit_metric info_metrics[] = {
    {"node_network_info", METRIC_GAUGE,
     "What is not a number under /sys/class/net/<iface>; the value is always 1."}};
static const struct emit_group info_group = {info_labels, I_COUNT, info_metrics, 1, DEVICES_MAX};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct netclass *n = self;
    struct procfile f;
    if (env->config->net_devices_exclude.n) {
        n->exclude = regex_new(env->config->net_devices_exclude, true, err);
        if (!n->exclude)
            return false;
    }
    n->table = emit_table(env->emit, &group);
    n->info = emit_table(env->emit, &info_group);
    if (!procfile_init(&f, env->sys, "class/net", err))
        return false;
    n->path = f.path; /* only the joined path is wanted: a folder is opened each time */
    return true;
}

static struct str slurp(int dir, const char *file, struct buf *b) {
    struct str text;
    return procfile_slurp_at(dir, file, VALUE_BYTES_MAX, b, &text) ? str_trim(text)
                                                                   : (struct str){NULL, 0};
}

static bool number(struct str s, double *out) {
    int64_t i;
    uint64_t u;
    if (str_to_i64(s, &i))
        *out = (double)i;
    else if (str_starts(s, STR("0x")) && scan_hex(str_from_offset(s, 2), &u))
        *out = (double)u;
    else
        return false;
    return true;
}

static void put_device(struct netclass *n, struct collect_env *env, int dir, struct str device) {
    struct emit_item *it = emit_item(n->table, &device);
    bool admin_up = false;
    double v;
    for (size_t i = 0; i < N_FILES; i++) {
        struct str s = slurp(dir, files[i], env->buf);
        if (!s.n || !number(s, &v))
            continue; /* not every device has every property; those of a device that is down answer
                         EINVAL */
        if (i == FILE_SPEED)
            v *= 1e6 / 8; /* Mbit/s; -1 where it is not known, as node_exporter passes it on */
        if (i == FILE_FLAGS)
            admin_up = ((uint64_t)v & FLAG_UP) != 0;
        emit_put(it, METRIC_OF(i), v);
    }
    static const char *const texts[I_COUNT] = {[I_ADDRESS] = "address",
                                               [I_BROADCAST] = "broadcast",
                                               [I_DUPLEX] = "duplex",
                                               [I_IFALIAS] = "ifalias",
                                               [I_OPERSTATE] = "operstate"};
    char store[I_COUNT][VALUE_BYTES_MAX];
    struct str values[I_COUNT] = {
        [I_DEVICE] = device, [I_ADMINSTATE] = admin_up ? STR("up") : STR("down")};
    for (size_t i = 0; i < I_COUNT; i++) {
        struct str s = texts[i] ? slurp(dir, texts[i], env->buf) : (struct str){NULL, 0};
        if (!s.n)
            continue;
        memcpy(store[i], s.p, s.n);
        values[i] = str_make(store[i], s.n);
    }
    emit_put(it, 0, str_eq(values[I_OPERSTATE], STR("up")) ? 1 : 0);
    emit_put(emit_item(n->info, values), 0, 1);
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    (void)err;
    struct netclass *n = self;
    DIR *dir = opendir(n->path);
    if (!dir)
        return true; /* no /sys here: nothing to tell */
    struct dirent *d;
    for (size_t i = 0; i < DEVICES_MAX && (d = readdir(dir));) {
        struct str device = str_from(d->d_name);
        if (d->d_name[0] == '.' || (n->exclude && regex_match(n->exclude, device)))
            continue;
        /* entries are links to the device; bonding_masters beside them is a file */
        int fd = openat(dirfd(dir), d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            continue;
        put_device(n, env, fd, device);
        close(fd);
        i++;
    }
    closedir(dir);
    return true;
}

static void deinit(void *self) {
    struct netclass *n = self;
    regex_free(n->exclude);
    procfile_deinit(&(struct procfile){n->path, -1});
}

const struct collector netclass_collector = {.name = "netclass",
                                             .help = "Network interfaces: state, speed, address",
                                             .every = EVERY_15_S,
                                             .size = sizeof(struct netclass),
                                             .init = init,
                                             .collect = collect,
                                             .deinit = deinit};
