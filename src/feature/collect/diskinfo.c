/* diskinfo.c - what each disk is: number, and model, serial and path as udev knows them
 * (/run/udev/data/b<major>:<minor>, which is not there inside containers). */
#include "base/regex.h"
#include "feature/collect/collectors.h"

#include <stdio.h>

#define DEVICES_MAX 1024
#define UDEV_BYTES_MAX 65536

struct diskinfo {
    struct procfile file;
    struct emit_table *table;
    struct regex *exclude;
    struct buf udev;
};

enum { L_DEVICE, L_MAJOR, L_MINOR, L_MODEL, L_PATH, L_REVISION, L_SERIAL, L_WWN, L_COUNT };
static const char *const labels[L_COUNT] = {"device", "major",    "minor",  "model",
                                            "path",   "revision", "serial", "wwn"};
static const struct emit_metric metrics[] = {
    {"node_disk_info", METRIC_GAUGE, "Info of /sys/block/<block_device>."}};
static const struct emit_group group = {labels, L_COUNT, metrics, 1, DEVICES_MAX};
/* lines of the udev file; what stands further down wins */
static const struct {
    const char *line;
    size_t label;
} properties[] = {{"E:ID_MODEL=", L_MODEL},           {"E:ID_PATH=", L_PATH},
                  {"E:ID_REVISION=", L_REVISION},     {"E:ID_SERIAL_SHORT=", L_SERIAL},
                  {"E:SCSI_IDENT_SERIAL=", L_SERIAL}, {"E:ID_WWN=", L_WWN}};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct diskinfo *d = self;
    struct str pattern = env->config->disk_devices_exclude;
    if (pattern.n == 0)
        pattern = str_from(diskstats_default_exclude);
    d->exclude = regex_new(pattern, true, err);
    d->table = emit_table(env->emit, &group);
    return d->exclude && procfile_init(&d->file, env->proc, "diskstats", err);
}

static void read_udev(struct diskinfo *d, const struct collect_env *env, struct str *values) {
    char path[64];
    struct str text, line;
    uint64_t major, minor;
    if (!str_to_u64(values[L_MAJOR], &major) || !str_to_u64(values[L_MINOR], &minor))
        return;
    snprintf(path, sizeof(path), "run/udev/data/b%llu:%llu", (unsigned long long)major,
             (unsigned long long)minor);
    if (!procfile_slurp(env->root, path, UDEV_BYTES_MAX, &d->udev, &text))
        return;
    while (scan_line(&text, &line))
        for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
            struct str start = str_from(properties[i].line);
            if (str_starts(line, start))
                values[properties[i].label] = str_from_offset(line, start.n);
        }
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct diskinfo *d = self;
    struct str text, line;
    bool absent;
    if (!procfile_read(&d->file, env->buf, &text, &absent, err))
        return false;
    while (scan_line(&text, &line)) {
        struct str values[L_COUNT] = {{NULL, 0}};
        if (!scan_field(&line, &values[L_MAJOR]) || !scan_field(&line, &values[L_MINOR]) ||
            !scan_field(&line, &values[L_DEVICE]) || regex_match(d->exclude, values[L_DEVICE]))
            continue;
        read_udev(d, env, values);
        emit_put(emit_item(d->table, values), 0, 1);
    }
    return true;
}

static void deinit(void *self) {
    struct diskinfo *d = self;
    procfile_deinit(&d->file);
    regex_free(d->exclude);
    buf_deinit(&d->udev);
}

const struct collector diskinfo_collector = {.name = "diskinfo",
                                             .help = "Disks: number, model, serial",
                                             .every = EVERY_15_S,
                                             .size = sizeof(struct diskinfo),
                                             .init = init,
                                             .collect = collect,
                                             .deinit = deinit};
