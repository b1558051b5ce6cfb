/* The built-in pack through the real PromQL engine: silent on a healthy idle host, and each rule
 * rings on the trouble that it is for. */
#include "codec/conf_yaml.h"
#include "feature/rule/rule_conf.h"
#include "query/promql/promql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define STEP_MS 15000
#define DAY_MS 86400000
#define NOW_MS INT64_C(1700000000000)
#define N_POINTS (DAY_MS / STEP_MS + 10)

/* value(t) = start + slope_per_s * (t - NOW), the whole last day */
struct fake {
    const char *labels;
    double at_now, slope_per_s;
};

struct mem { /* a reader over fakes */
    struct arena a;
    struct labels ls[64];
    struct fake v[64];
    size_t n;
};
struct mem_set {
    struct reader_set set;
    struct mem *m;
    size_t index[64];
    int64_t *ts;
    double *value;
};

static struct labels set_labels(struct reader_set *s, size_t i) {
    struct mem_set *x = (struct mem_set *)s;
    return x->m->ls[x->index[i]];
}
static bool set_read(struct reader_set *s, size_t i, int64_t from, int64_t to,
                     struct series_data *out, struct err *err) {
    (void)err;
    struct mem_set *x = (struct mem_set *)s;
    const struct fake *f = &x->m->v[x->index[i]];
    size_t n = 0;
    for (int64_t t = NOW_MS - DAY_MS - STEP_MS; t <= NOW_MS; t += STEP_MS)
        if (t >= from && t <= to) {
            x->ts[n] = t;
            x->value[n++] = f->at_now + f->slope_per_s * (double)(t - NOW_MS) / 1000;
        }
    *out = (struct series_data){x->ts, x->value, NULL, n};
    return true;
}
static void set_free(struct reader_set *s) {
    struct mem_set *x = (struct mem_set *)s;
    free(x->ts);
    free(x->value);
    free(x);
}
static const struct reader_set_ops set_ops = {set_labels, set_read, set_free};

static bool mem_select(void *self, const struct reader_query *q, struct reader_set **out,
                       struct err *err) {
    (void)err;
    struct mem_set *x = calloc(1, sizeof(*x));
    x->m = self;
    x->set.ops = &set_ops;
    x->ts = calloc(N_POINTS, sizeof(*x->ts));
    x->value = calloc(N_POINTS, sizeof(*x->value));
    for (size_t i = 0; i < x->m->n; i++)
        if (matchers_match(q->matchers, q->n_matchers, x->m->ls[i])) {
            size_t at = x->set.count++;
            for (; at > 0 && labels_cmp(x->m->ls[x->index[at - 1]], x->m->ls[i]) > 0; at--)
                x->index[at] = x->index[at - 1];
            x->index[at] = i;
        }
    *out = &x->set;
    return true;
}
static const struct reader_ops mem_ops = {.select = mem_select};

static void put(struct mem *m, const struct fake *f, size_t n) {
    struct err err = {0};
    for (size_t i = 0; i < n; i++) {
        struct labels ls;
        if (!labels_parse(str_from(f[i].labels), &m->a, &ls, &err))
            fail_msg("%s", err.message);
        size_t at = 0;
        while (at < m->n && !labels_eq(m->ls[at], ls))
            at++;
        m->ls[at] = ls;
        m->v[at] = f[i];
        m->n += at == m->n;
    }
}

/* A host that has nothing to do; 4 cores, 8 GiB, an almost empty disk that slowly fills; no NTP
 * trouble. */
static const struct fake healthy[] = {
    {"up{job=\"node\", instance=\"h\"}", 1, 0},
    {"node_filesystem_avail_bytes{device=\"sda1\", fstype=\"ext4\", instance=\"h\", "
     "mountpoint=\"/\"}",
     60e9, -1000},
    {"node_filesystem_size_bytes{device=\"sda1\", fstype=\"ext4\", instance=\"h\", "
     "mountpoint=\"/\"}",
     100e9, 0},
    {"node_filesystem_readonly{device=\"sda1\", fstype=\"ext4\", instance=\"h\", mountpoint=\"/\"}",
     0, 0},
    {"node_filesystem_files{device=\"sda1\", fstype=\"ext4\", instance=\"h\", mountpoint=\"/\"}",
     6e6, 0},
    {"node_filesystem_files_free{device=\"sda1\", fstype=\"ext4\", instance=\"h\", "
     "mountpoint=\"/\"}",
     5e6, 0},
    /* an image: always full, always read-only, and that is right */
    {"node_filesystem_avail_bytes{device=\"loop0\", fstype=\"squashfs\", instance=\"h\", "
     "mountpoint=\"/snap\"}",
     0, 0},
    {"node_filesystem_size_bytes{device=\"loop0\", fstype=\"squashfs\", instance=\"h\", "
     "mountpoint=\"/snap\"}",
     1e9, 0},
    {"node_filesystem_readonly{device=\"loop0\", fstype=\"squashfs\", instance=\"h\", "
     "mountpoint=\"/snap\"}",
     1, 0},
    {"node_vmstat_oom_kill{instance=\"h\"}", 3, 0},
    {"node_memory_MemAvailable_bytes{instance=\"h\"}", 6e9, 0},
    {"node_memory_MemTotal_bytes{instance=\"h\"}", 8e9, 0},
    {"node_pressure_memory_stalled_seconds_total{instance=\"h\"}", 5, 0},
    {"node_pressure_cpu_waiting_seconds_total{instance=\"h\"}", 4000, 0.02},
    {"node_cpu_seconds_total{cpu=\"0\", instance=\"h\", mode=\"iowait\"}", 4000, 0.01},
    {"node_timex_sync_status{instance=\"h\"}", 1, 0},
    {"node_timex_maxerror_seconds{instance=\"h\"}", 0.02, 0},
    {"node_filefd_allocated{instance=\"h\"}", 3000, 0},
    {"node_filefd_maximum{instance=\"h\"}", 1e6, 0},
    {"node_network_receive_errs_total{device=\"eth0\", instance=\"h\"}", 7, 0},
    {"node_network_receive_packets_total{device=\"eth0\", instance=\"h\"}", 1e9, 100},
    {"node_network_transmit_errs_total{device=\"eth0\", instance=\"h\"}", 0, 0},
    {"node_network_transmit_packets_total{device=\"eth0\", instance=\"h\"}", 1e9, 100},
    {"node_systemd_unit_state{instance=\"h\", name=\"ssh.service\", state=\"failed\"}", 0, 0},
    {"probe_ssl_earliest_cert_expiry{instance=\"h:443\"}", 1700000000.0 + 60 * 86400, 0},
    {"hinomi_notification_failures_total{instance=\"h\"}", 2, 0},
    {"hinomi_outbox_pending{instance=\"h\"}", 0, 0},
    {"hinomi_wal_fsync_failures_total{instance=\"h\"}", 0, 0},
    {"hinomi_rule_evaluation_failures_total{instance=\"h\"}", 0, 0},
};

/* What makes each rule ring; laid over the healthy host. */
static const struct {
    const char *alert;
    struct fake v[3];
} trouble[] = {
    {"HostDiskAlmostFull",
     {{"node_filesystem_avail_bytes{device=\"sda1\", fstype=\"ext4\", instance=\"h\", "
       "mountpoint=\"/\"}",
       2e9, 0}}},
    {"HostInodesAlmostGone",
     {{"node_filesystem_files_free{device=\"sda1\", fstype=\"ext4\", instance=\"h\", "
       "mountpoint=\"/\"}",
       1e5, 0}}},
    {"HostDiskFullWithinADay",
     {{"node_filesystem_avail_bytes{device=\"sda1\", fstype=\"ext4\", instance=\"h\", "
       "mountpoint=\"/\"}",
       20e9, -500000}}},
    {"HostOutOfMemoryKill", {{"node_vmstat_oom_kill{instance=\"h\"}", 500, 0.01}}},
    {"HostMemoryAlmostGone", {{"node_memory_MemAvailable_bytes{instance=\"h\"}", 1e8, 0}}},
    {"HostMemoryPressure",
     {{"node_pressure_memory_stalled_seconds_total{instance=\"h\"}", 50000, 0.3}}},
    {"HostCPUPressure", {{"node_pressure_cpu_waiting_seconds_total{instance=\"h\"}", 90000, 0.9}}},
    {"HostIOWait",
     {{"node_cpu_seconds_total{cpu=\"0\", instance=\"h\", mode=\"iowait\"}", 90000, 0.6}}},
    {"HostClockNotSynchronised",
     {{"node_timex_sync_status{instance=\"h\"}", 0, 0},
      {"node_timex_maxerror_seconds{instance=\"h\"}", 16, 0}}},
    {"HostFileHandlesAlmostGone", {{"node_filefd_allocated{instance=\"h\"}", 9e5, 0}}},
    {"HostNetworkErrors",
     {{"node_network_receive_errs_total{device=\"eth0\", instance=\"h\"}", 1e6, 5}}},
    {"HostSystemdUnitFailed",
     {{"node_systemd_unit_state{instance=\"h\", name=\"ssh.service\", state=\"failed\"}", 1, 0}}},
    {"TargetDown", {{"up{job=\"node\", instance=\"h\"}", 0, 0}}},
    {"CertificateExpiresSoon",
     {{"probe_ssl_earliest_cert_expiry{instance=\"h:443\"}", 1700000000.0 + 5 * 86400, 0}}},
    {"HinomiNotificationsFail",
     {{"hinomi_notification_failures_total{instance=\"h\"}", 5000, 0.05}}},
    {"HinomiNotificationsWait", {{"hinomi_outbox_pending{instance=\"h\"}", 4, 0}}},
    {"HinomiStoreFails", {{"hinomi_wal_fsync_failures_total{instance=\"h\"}", 5000, 0.05}}},
    {"HinomiRulesFail", {{"hinomi_rule_evaluation_failures_total{instance=\"h\"}", 5000, 0.05}}},
};

/* The names of the alerts whose expression gives something, each with a space behind it. */
static void ringing(struct mem *m, struct buf *out) {
    struct arena a = ARENA_INIT;
    struct conf_env env = {0};
    struct conf_diags d = {.arena = &a};
    struct rule_file_conf f;
    assert_true(
        conf_yaml_decode(rule_pack_host(), "host.yaml", &rule_file_table, &env, &a, &f, &d));
    struct reader reader = {&mem_ops, m};
    const struct rule_group_conf *g = f.groups.v;
    for (size_t i = 0; i < f.groups.n; i++) {
        const struct rule_conf *r = g[i].rules.v;
        for (size_t k = 0; k < g[i].rules.n; k++) {
            struct err err = {0};
            struct promql_options opt = {0};
            struct promql_result res = {0};
            struct promql_expr *e = promql_parse(r[k].expr, 0, &a, &err);
            if (!e || !promql_eval(e, &reader, NOW_MS, NOW_MS, 0, &opt, &res, &err))
                fail_msg("%.*s: %s", STR_FMT(r[k].alert), err.message);
            if (res.n_series)
                buf_printf(out, "%.*s ", STR_FMT(r[k].alert));
            promql_result_deinit(&res);
        }
    }
    arena_deinit(&a);
}

static void test_silent_on_a_healthy_host(void **arg) {
    (void)arg;
    struct mem m = {0};
    struct buf out = BUF_INIT;
    put(&m, healthy, sizeof(healthy) / sizeof(healthy[0]));
    buf_putz(&out, "");
    ringing(&m, &out);
    if (out.n)
        fail_msg("rings on a healthy host: %s", out.p);
    /* and on a host that says nothing at all */
    struct mem nothing = {0};
    ringing(&nothing, &out);
    assert_int_equal(out.n, 0);
    buf_deinit(&out);
    arena_deinit(&m.a);
}

static void test_each_rings_for_its_trouble(void **arg) {
    (void)arg;
    for (size_t i = 0; i < sizeof(trouble) / sizeof(trouble[0]); i++) {
        struct mem m = {0};
        struct buf out = BUF_INIT;
        put(&m, healthy, sizeof(healthy) / sizeof(healthy[0]));
        for (size_t k = 0; k < 3 && trouble[i].v[k].labels; k++)
            put(&m, &trouble[i].v[k], 1);
        ringing(&m, &out);
        char want[80];
        snprintf(want, sizeof(want), "%s ", trouble[i].alert);
        if (!out.n || strcmp(out.p, want) != 0)
            fail_msg("want %s alone, got \"%s\"", trouble[i].alert, out.p ? out.p : "");
        buf_deinit(&out);
        arena_deinit(&m.a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silent_on_a_healthy_host),
        cmocka_unit_test(test_each_rings_for_its_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
