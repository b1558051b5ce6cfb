/* timex.c - is the clock right: adjtimex(2), read only, and the time itself. */
#include "feature/collect/collectors.h"

#include <sys/timex.h>
#include <time.h>

struct timex_self {
    struct emit_table *table, *zone, *available, *current;
    struct buf scratch;
};

static const struct emit_metric metrics[] = {
    {"node_timex_sync_status", METRIC_GAUGE,
     "Is clock synchronized to a reliable server (1 = yes, 0 = no)."},
    {"node_timex_offset_seconds", METRIC_GAUGE,
     "Time offset in between local system and reference clock."},
    {"node_timex_frequency_adjustment_ratio", METRIC_GAUGE, "Local clock frequency adjustment."},
    {"node_timex_maxerror_seconds", METRIC_GAUGE, "Maximum error in seconds."},
    {"node_timex_estimated_error_seconds", METRIC_GAUGE, "Estimated error in seconds."},
    {"node_timex_status", METRIC_GAUGE, "Value of the status array bits."},
    {"node_timex_loop_time_constant", METRIC_GAUGE, "Phase-locked loop time constant."},
    {"node_timex_tick_seconds", METRIC_GAUGE, "Seconds between clock ticks."},
    {"node_timex_pps_frequency_hertz", METRIC_GAUGE, "Pulse per second frequency."},
    {"node_timex_pps_jitter_seconds", METRIC_GAUGE, "Pulse per second jitter."},
    {"node_timex_pps_shift_seconds", METRIC_GAUGE, "Pulse per second interval duration."},
    {"node_timex_pps_stability_hertz", METRIC_GAUGE,
     "Pulse per second stability, average of recent frequency changes."},
    {"node_timex_pps_jitter_total", METRIC_COUNTER,
     "Pulse per second count of jitter limit exceeded events."},
    {"node_timex_pps_calibration_total", METRIC_COUNTER,
     "Pulse per second count of calibration intervals."},
    {"node_timex_pps_error_total", METRIC_COUNTER, "Pulse per second count of calibration errors."},
    {"node_timex_pps_stability_exceeded_total", METRIC_COUNTER,
     "Pulse per second count of stability limit exceeded events."},
    {"node_timex_tai_offset_seconds", METRIC_GAUGE, "International Atomic Time (TAI) offset."},
    {"node_time_seconds", METRIC_GAUGE, "System time in seconds since epoch (1970)."},
};
static const struct emit_group group = {NULL, 0, metrics, sizeof(metrics) / sizeof(metrics[0]), 1};
static const char *const zone_labels[] = {"time_zone"};
static const struct emit_metric zone_metrics[] = {
    {"node_time_zone_offset_seconds", METRIC_GAUGE, "System time zone offset in seconds."}};
static const struct emit_group zone_group = {zone_labels, 1, zone_metrics, 1, 4};
static const char *const source_labels[] = {"device", "clocksource"};
static const struct emit_metric available_metrics[] = {
    {"node_time_clocksource_available_info", METRIC_GAUGE,
     "Available clocksources read from '/sys/devices/system/clocksource'."}};
static const struct emit_metric current_metrics[] = {
    {"node_time_clocksource_current_info", METRIC_GAUGE,
     "Current clocksource read from '/sys/devices/system/clocksource'."}};
static const struct emit_group available_group = {source_labels, 2, available_metrics, 1, 16};
static const struct emit_group current_group = {source_labels, 2, current_metrics, 1, 4};

static bool init(void *self, struct collect_env *env, struct err *err) {
    (void)err;
    struct timex_self *t = self;
    t->table = emit_table(env->emit, &group);
    t->zone = emit_table(env->emit, &zone_group);
    t->available = emit_table(env->emit, &available_group);
    t->current = emit_table(env->emit, &current_group);
    return true;
}

static void clock_sources(struct timex_self *t, const struct collect_env *env) {
    struct str text, name;
    struct str device = STR("0");
    if (procfile_slurp(env->sys, "devices/system/clocksource/clocksource0/available_clocksource",
                       4096, &t->scratch, &text)) {
        text = str_trim(text);
        while (scan_field(&text, &name)) {
            struct str values[] = {device, name};
            emit_put(emit_item(t->available, values), 0, 1);
        }
    }
    if (procfile_slurp(env->sys, "devices/system/clocksource/clocksource0/current_clocksource", 256,
                       &t->scratch, &text)) {
        struct str values[] = {device, str_trim(text)};
        emit_put(emit_item(t->current, values), 0, 1);
    }
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    (void)err;
    struct timex_self *t = self;
    struct emit_item *it = emit_item(t->table, NULL);
    emit_put(it, 17, (double)env->now_ms / 1000.0);
    clock_sources(t, env);
    if (!env->real_host)
        return true; /* the rest comes from system calls, not from the tree that is read */
    time_t now = (time_t)(env->now_ms / 1000);
    struct tm tm;
    if (localtime_r(&now, &tm) && tm.tm_zone) {
        struct str zone = str_from(tm.tm_zone);
        emit_put(emit_item(t->zone, &zone), 0, (double)tm.tm_gmtoff);
    }
    struct timex x = {0};
    int status = adjtimex(&x);
    if (status < 0)
        return true; /* forbidden in some containers: no series, no error */
    double div = x.status & STA_NANO ? 1e9 : 1e6, ppm = 1e6 * 65536.0;
    double v[] = {status == TIME_ERROR ? 0 : 1,
                  (double)x.offset / div,
                  1 + (double)x.freq / ppm,
                  (double)x.maxerror / 1e6,
                  (double)x.esterror / 1e6,
                  (double)x.status,
                  (double)x.constant,
                  (double)x.tick / 1e6,
                  (double)x.ppsfreq / ppm,
                  (double)x.jitter / div,
                  (double)x.shift,
                  (double)x.stabil / ppm,
                  (double)x.jitcnt,
                  (double)x.calcnt,
                  (double)x.errcnt,
                  (double)x.stbcnt,
                  (double)x.tai};
    for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
        emit_put(it, i, v[i]);
    return true;
}

static void deinit(void *self) {
    buf_deinit(&((struct timex_self *)self)->scratch);
}

const struct collector timex_collector = {.name = "timex",
                                          .help = "Whether the clock is synchronised",
                                          .every = EVERY_15_S,
                                          .size = sizeof(struct timex_self),
                                          .init = init,
                                          .collect = collect,
                                          .deinit = deinit};
