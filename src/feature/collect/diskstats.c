/* diskstats.c - /proc/diskstats (Documentation/admin-guide/iostats.rst): whole disks; partitions,
 * loops and RAM disks are left out as node_exporter does. */
#include "base/regex.h"
#include "feature/collect/collectors.h"
#include "feature/collect/seen.h"

#define DEVICES_MAX 1024
#define FIELDS_MAX 17
#define SECTOR_BYTES 512.0

struct disk {
    struct seen_entry entry;
    bool excluded, decided;
    struct rate read, written, busy;
    double read_per_s, written_per_s, busy_ratio;
};
struct diskstats {
    struct procfile file;
    struct emit_table *table;
    struct seen disks;
    struct regex *exclude;
};

const char diskstats_default_exclude[] = "(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+";
static const char *const labels[] = {"device"};
static const struct emit_metric metrics[FIELDS_MAX] = {
    {"node_disk_reads_completed_total", METRIC_COUNTER,
     "The total number of reads completed successfully."},
    {"node_disk_reads_merged_total", METRIC_COUNTER, "The total number of reads merged."},
    {"node_disk_read_bytes_total", METRIC_COUNTER, "The total number of bytes read successfully."},
    {"node_disk_read_time_seconds_total", METRIC_COUNTER,
     "The total number of seconds spent by all reads."},
    {"node_disk_writes_completed_total", METRIC_COUNTER,
     "The total number of writes completed successfully."},
    {"node_disk_writes_merged_total", METRIC_COUNTER, "The number of writes merged."},
    {"node_disk_written_bytes_total", METRIC_COUNTER,
     "The total number of bytes written successfully."},
    {"node_disk_write_time_seconds_total", METRIC_COUNTER,
     "The total number of seconds spent by all writes."},
    {"node_disk_io_now", METRIC_GAUGE, "The number of I/Os currently in progress."},
    {"node_disk_io_time_seconds_total", METRIC_COUNTER, "Total seconds spent doing I/Os."},
    {"node_disk_io_time_weighted_seconds_total", METRIC_COUNTER,
     "The weighted # of seconds spent doing I/Os."},
    {"node_disk_discards_completed_total", METRIC_COUNTER,
     "The total number of discards completed successfully."},
    {"node_disk_discards_merged_total", METRIC_COUNTER, "The total number of discards merged."},
    {"node_disk_discarded_sectors_total", METRIC_COUNTER,
     "The total number of sectors discarded successfully."},
    {"node_disk_discard_time_seconds_total", METRIC_COUNTER,
     "This is the total number of seconds spent by all discards."},
    {"node_disk_flush_requests_total", METRIC_COUNTER,
     "The total number of flush requests completed successfully"},
    {"node_disk_flush_requests_time_seconds_total", METRIC_COUNTER,
     "This is the total number of seconds spent by all flush requests."},
};
/* what the kernel's unit is multiplied by: sectors, milliseconds */
static const double scale[FIELDS_MAX] = {
    1, 1, SECTOR_BYTES, 1e-3, 1, 1, SECTOR_BYTES, 1e-3, 1, 1e-3, 1e-3, 1, 1, 1, 1e-3, 1, 1e-3};
static const struct emit_group group = {labels, 1, metrics, FIELDS_MAX, DEVICES_MAX};

static bool init(void *self, struct collect_env *env, struct err *err) {
    struct diskstats *d = self;
    struct str pattern = env->config->disk_devices_exclude;
    if (pattern.n == 0)
        pattern = str_from(diskstats_default_exclude);
    d->exclude = regex_new(pattern, true, err);
    d->disks.max = DEVICES_MAX;
    d->table = emit_table(env->emit, &group);
    return d->exclude && procfile_init(&d->file, env->proc, "diskstats", err);
}

static void put(struct diskstats *d, struct disk *disk, struct str line, int64_t mono_ns) {
    double v[FIELDS_MAX];
    size_t n = 0;
    uint64_t x;
    while (n < FIELDS_MAX && scan_field_u64(&line, &x)) {
        v[n] = (double)x * scale[n];
        n++;
    }
    if (n < 11)
        return; /* partitions of kernels before 2.6.25, or a cut line */
    struct emit_item *it = emit_item(d->table, &disk->entry.key);
    for (size_t i = 0; i < n; i++)
        emit_put(it, i, v[i]);
    disk->read_per_s = rate_update(&disk->read, v[2], mono_ns);
    disk->written_per_s = rate_update(&disk->written, v[6], mono_ns);
    double busy = rate_update(&disk->busy, v[9], mono_ns);
    disk->busy_ratio =
        busy > 1 ? 1 : busy; /* the kernel counts in jiffies: a full second may show as 1.004 */
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct diskstats *d = self;
    struct str text, line, name;
    bool absent;
    if (!procfile_read(&d->file, env->buf, &text, &absent, err))
        return false;
    seen_begin(&d->disks);
    while (scan_line(&text, &line)) {
        if (!scan_skip(&line, 2) || !scan_field(&line, &name))
            continue;
        struct disk *disk = seen_touch(&d->disks, name, sizeof(*disk));
        if (!disk)
            continue;
        if (!disk->decided) {
            disk->excluded = regex_match(d->exclude, name);
            disk->decided = true;
            disk->read_per_s = disk->written_per_s = disk->busy_ratio = collect_nan();
        }
        if (!disk->excluded)
            put(d, disk, line, env->mono_ns);
    }
    seen_sweep(&d->disks);
    return true;
}

static void overview(void *self, const struct collect_env *env, struct arena *a,
                     struct overview *out) {
    (void)env;
    struct diskstats *d = self;
    out->disks = ARENA_ARRAY(a, struct overview_disk, seen_count(&d->disks) + 1);
    if (!out->disks)
        return;
    for (struct disk *k = seen_next(&d->disks, NULL); k; k = seen_next(&d->disks, k)) {
        if (k->excluded || !k->read.known)
            continue;
        out->disks[out->n_disks++] = (struct overview_disk){
            arena_str(a, k->entry.key), k->read_per_s, k->written_per_s, k->busy_ratio};
    }
}

/* Layered devices (dm-, md) repeat what the disks beneath them did. */
static bool is_layer(struct str name) {
    return str_starts(name, STR("dm-")) || str_starts(name, STR("md"));
}

static void point(void *self, struct overview_point *p) {
    struct diskstats *d = self;
    double r = 0, w = 0;
    for (struct disk *k = seen_next(&d->disks, NULL); k; k = seen_next(&d->disks, k)) {
        if (k->excluded || !k->read.known || is_layer(k->entry.key))
            continue;
        r += k->read_per_s;
        w += k->written_per_s;
    }
    p->disk_read_bytes_per_s = r;
    p->disk_write_bytes_per_s = w;
}

static void deinit(void *self) {
    struct diskstats *d = self;
    procfile_deinit(&d->file);
    seen_deinit(&d->disks);
    regex_free(d->exclude);
}

const struct collector diskstats_collector = {.name = "diskstats",
                                              .help = "Disks: operations, bytes, time",
                                              .every = EVERY_TICK,
                                              .size = sizeof(struct diskstats),
                                              .init = init,
                                              .collect = collect,
                                              .overview = overview,
                                              .point = point,
                                              .deinit = deinit};
