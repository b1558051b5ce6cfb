/* Control groups of trees of our own making: version 1 and 2, every runtime's names, hostile
 * content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feature/collect/cgroupname.h"
#include "feature/collect/collect_testlib.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

struct world {
    struct testtree tree;
    struct testsink sink;
    struct clock_manual manual;
    struct clock clock;
    char proc[300], sys[300];
    struct collect *c;
};

static void put(struct world *w, const char *path, const char *text) {
    testtree_put(&w->tree, path, str_from(text));
}

static int setup(void **state) {
    struct world *w = calloc(1, sizeof(*w));
    testtree_init(&w->tree);
    w->manual = (struct clock_manual){1700000000000000000, 1000000000};
    w->clock = clock_manual_view(&w->manual);
    snprintf(w->proc, sizeof(w->proc), "%s/proc", w->tree.dir);
    snprintf(w->sys, sizeof(w->sys), "%s/sys", w->tree.dir);
    put(w, "etc/hostname", "box\n");
    put(w, "proc/stat", "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\nbtime 1690000000\n");
    *state = w;
    return 0;
}

static void start(struct world *w) {
    struct err err = {0};
    struct collect_options opt = {.proc = w->proc,
                                  .sys = w->sys,
                                  .root = w->tree.dir,
                                  .clock = &w->clock,
                                  .sink = testsink_view(&w->sink),
                                  .no_threads = true};
    w->c = collect_new(&opt, &err);
    assert_non_null(w->c);
}

static void ticks(struct world *w, int n) {
    struct err err = {0};
    for (int i = 0; i < n; i++) {
        assert_true(collect_tick(w->c, &err));
        clock_manual_advance(&w->manual, DUR_S(1));
    }
}

static int teardown(void **state) {
    struct world *w = *state;
    collect_free(w->c);
    testsink_deinit(&w->sink);
    testtree_deinit(&w->tree);
    free(w);
    return 0;
}

static void assert_value(const struct world *w, const char *series, double expected) {
    const struct testpoint *p = testsink_get(&w->sink, series);
    if (!p)
        fail_msg("no series %s", series);
    if (p->stale || p->value < expected - 1e-9 || p->value > expected + 1e-9)
        fail_msg("%s is %g, expected %g", series, p->value, expected);
}

static void names(void **state) {
    (void)state;
    static const struct {
        const char *path;
        enum cgroupname_kind kind;
        const char *runtime, *name;
    } t[] = {
        {"/docker/" ID, CGROUP_CONTAINER, "docker", ID},
        {"/system.slice/docker-" ID ".scope", CGROUP_CONTAINER, "docker", ID},
        {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12.slice/"
         "cri-containerd-" ID ".scope",
         CGROUP_CONTAINER, "containerd", ID},
        {"/kubepods/besteffort/pod1b2c/" ID, CGROUP_CONTAINER, "kubernetes", ID},
        {"/kubepods/besteffort/pod1b2c/crio-" ID, CGROUP_CONTAINER, "cri-o", ID},
        {"/kubepods.slice/kubepods-pod1.slice/crio-conmon-" ID ".scope", CGROUP_OTHER, NULL, ""},
        {"/system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:" ID,
         CGROUP_CONTAINER, "containerd", ID},
        {"/machine.slice/libpod-" ID ".scope", CGROUP_CONTAINER, "podman", ID},
        {"/machine.slice/libpod-conmon-" ID ".scope", CGROUP_OTHER, NULL, ""},
        {"/lxc/web", CGROUP_CONTAINER, "lxc", "web"},
        {"/lxc.payload.web", CGROUP_CONTAINER, "lxc", "web"},
        {"/lxc.monitor.web", CGROUP_OTHER, NULL, ""},
        {"/machine.slice/machine-web\\x2d1.scope", CGROUP_CONTAINER, "systemd-nspawn", "web-1"},
        {"/machine.slice/systemd-nspawn@db.service", CGROUP_CONTAINER, "systemd-nspawn", "db"},
        {"/machine.slice/machine-qemu\\x2d3\\x2dvm1.scope", CGROUP_CONTAINER, "qemu", "vm1"},
        {"/" ID, CGROUP_CONTAINER, "container", ID},
        {"/system.slice/nginx.service", CGROUP_UNIT, NULL, "nginx.service"},
        {"/user.slice/user-0.slice/session-1.scope", CGROUP_UNIT, NULL, "session-1.scope"},
        {"/system.slice", CGROUP_OTHER, NULL, ""},
        {"/docker", CGROUP_OTHER, NULL, ""},
        {"/docker/0123", CGROUP_OTHER, NULL, ""},
        {"/docker-" ID "0.scope", CGROUP_OTHER, NULL, ""},
        {"/docker-0123.scope", CGROUP_UNIT, NULL, "docker-0123.scope"},
        {"", CGROUP_OTHER, NULL, ""},
        {"///", CGROUP_OTHER, NULL, ""},
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct cgroupname n;
        cgroupname_classify(str_from(t[i].path), &n);
        if (n.kind != t[i].kind || !str_eqz(str_make(n.name, n.name_n), t[i].name))
            fail_msg("%s: kind %d, name %.*s", t[i].path, n.kind, (int)n.name_n, n.name);
        if (t[i].runtime)
            assert_string_equal(n.runtime, t[i].runtime);
    }
}

#define V2 "sys/fs/cgroup/"
#define SCOPE "system.slice/docker-" ID ".scope/"

static void version_2(void **state) {
    struct world *w = *state;
    put(w, V2 "cgroup.controllers", "cpu io memory pids\n");
    put(w, V2 SCOPE "cpu.stat",
        "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\nnr_periods 10\nnr_throttled "
        "3\nthrottled_usec 2500000\n");
    put(w, V2 SCOPE "memory.current", "1000000\n");
    put(w, V2 SCOPE "memory.stat",
        "anon 600000\nfile 400000\nfile_mapped 1000\ninactive_file 300000\n");
    put(w, V2 SCOPE "memory.max", "2000000\n");
    put(w, V2 SCOPE "memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\n");
    put(w, V2 SCOPE "memory.swap.current", "4096\n");
    put(w, V2 SCOPE "pids.current", "12\n");
    put(w, V2 SCOPE "io.stat",
        "254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n7:0 \n");
    put(w, V2 SCOPE "inner/cpu.stat", "usage_usec 1\n"); /* the container's own business */
    put(w, "sys/dev/block/254:0/uevent", "MAJOR=254\nMINOR=0\nDEVNAME=vda\nDEVTYPE=disk\n");
    put(w, "var/lib/docker/containers/" ID "/config.v2.json",
        "{\"ID\":\"x\",\"Name\":\"/shop-db\"}");
    put(w, V2 "system.slice/nginx.service/cpu.stat",
        "usage_usec 2000000\nuser_usec 0\nsystem_usec 0\n");
    put(w, V2 "system.slice/nginx.service/memory.current", "5000\n");
    put(w, V2 "kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID2 ".scope/cpu.stat",
        "usage_usec 10\n");
    put(w, V2 "kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID2 ".scope/memory.max",
        "max\n");
    put(w, V2 "kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID2 ".scope/memory.current",
        "77\n");
    put(w, "var/log/containers/api-5d_prod_web-" ID2 ".log", "");
    start(w);
    ticks(w, 1);
#define L                                                                                          \
    "{id=\"/system.slice/docker-" ID ".scope\", instance=\"box\", job=\"node\", name=\"shop-db\"}"
    assert_value(w,
                 "container_cpu_usage_seconds_total{cpu=\"total\", id=\"/system.slice/docker-" ID
                 ".scope\", instance=\"box\", job=\"node\", name=\"shop-db\"}",
                 1.5);
    assert_value(w, "container_cpu_user_seconds_total" L, 1);
    assert_value(w, "container_cpu_cfs_throttled_periods_total" L, 3);
    assert_value(w, "container_cpu_cfs_throttled_seconds_total" L, 2.5);
    assert_value(w, "container_memory_usage_bytes" L, 1000000);
    assert_value(w, "container_memory_working_set_bytes" L, 700000);
    assert_value(w, "container_spec_memory_limit_bytes" L, 2000000);
    assert_value(w, "container_oom_events_total" L, 1);
    assert_value(w, "container_memory_swap" L, 4096);
    assert_value(w, "container_threads" L, 12);
    assert_value(
        w,
        "container_fs_writes_bytes_total{device=\"/dev/vda\", id=\"/system.slice/docker-" ID
        ".scope\", instance=\"box\", job=\"node\", name=\"shop-db\"}",
        8192);
    assert_value(w,
                 "container_memory_usage_bytes{id=\"/system.slice/nginx.service\", "
                 "instance=\"box\", job=\"node\"}",
                 5000);
    assert_value(w,
                 "container_spec_memory_limit_bytes{id=\"/kubepods.slice/kubepods-pod1.slice/"
                 "cri-containerd-" ID2
                 ".scope\", instance=\"box\", job=\"node\", name=\"prod/api-5d/web\"}",
                 0);
    put(w, V2 SCOPE "cpu.stat", "usage_usec 4000000\n");
    struct arena a = ARENA_INIT;
    struct overview o;
    int seconds = 1; /* since the first reading */
    for (;; seconds++) {
        assert_true(seconds < 8);
        ticks(w, 1);
        if (testsink_get(
                &w->sink,
                "container_cpu_usage_seconds_total{cpu=\"total\", id=\"/system.slice/docker-" ID
                ".scope\", instance=\"box\", job=\"node\", name=\"shop-db\"}")
                ->value > 3)
            break;
    }
    assert_true(collect_overview(w->c, &a, &o));
    assert_int_equal(o.n_containers, 2);
    assert_int_equal(o.n_units, 1);
    assert_true(str_eqz(o.units[0].name, "nginx.service"));
    assert_null(o.units[0].state.p); /* no systemd here: unknown, not "active" */
    for (size_t i = 0; i < 2; i++)
        if (str_eqz(o.containers[i].name, "shop-db")) {
            assert_true(str_eqz(o.containers[i].id, "0123456789ab"));
            assert_true(str_eqz(o.containers[i].runtime, "docker"));
            assert_int_equal(o.containers[i].memory_bytes, 700000);
            assert_true(fabs(o.containers[i].cpu_ratio - 2.5 / seconds) < 0.01);
        }
    arena_deinit(&a);
    /* it ends: its files go at once, its folder is missed at the next walk */
    static const char *const files[] = {"cpu.stat",     "memory.current", "memory.stat",
                                        "memory.max",   "memory.events",  "memory.swap.current",
                                        "pids.current", "io.stat"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[256];
        snprintf(path, sizeof(path), V2 SCOPE "%s", files[i]);
        testtree_del(&w->tree, path);
    }
    ticks(w, 5);
    assert_true(testsink_get(&w->sink, "container_memory_usage_bytes" L)->stale);
}
#undef L

static void version_1(void **state) {
    struct world *w = *state;
#define D "/docker/" ID "/"
    put(w, "sys/fs/cgroup/cpu,cpuacct" D "cpuacct.usage", "2500000000\n");
    put(w, "sys/fs/cgroup/cpu,cpuacct" D "cpuacct.stat", "user 100\nsystem 50\n");
    put(w, "sys/fs/cgroup/cpu,cpuacct" D "cpu.stat",
        "nr_periods 4\nnr_throttled 1\nthrottled_time 1000000000\n");
    put(w, "sys/fs/cgroup/memory" D "memory.usage_in_bytes", "5000\n");
    put(w, "sys/fs/cgroup/memory" D "memory.stat",
        "cache 1\nrss 2\ntotal_cache 3000\ntotal_rss 2000\ntotal_inactive_file 1000\ntotal_swap "
        "0\n");
    put(w, "sys/fs/cgroup/memory" D "memory.limit_in_bytes", "9223372036854771712\n");
    put(w, "sys/fs/cgroup/memory" D "memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
    put(w, "sys/fs/cgroup/memory" D "memory.failcnt", "9\n");
    put(w, "sys/fs/cgroup/pids" D "pids.current", "3\n");
    put(w, "sys/fs/cgroup/blkio" D "blkio.throttle.io_service_bytes",
        "254:0 Read 100\n254:0 Write 200\n254:0 Sync 1\n254:0 Total 300\nTotal 300\n");
    put(w, "sys/fs/cgroup/systemd/system.slice/ssh.service/cgroup.procs", "1\n");
    start(w);
    ticks(w, 1);
#define L "{id=\"/docker/" ID "\", instance=\"box\", job=\"node\", name=\"0123456789ab\"}"
    assert_value(w,
                 "container_cpu_usage_seconds_total{cpu=\"total\", id=\"/docker/" ID
                 "\", instance=\"box\", job=\"node\", name=\"0123456789ab\"}",
                 2.5);
    assert_value(w, "container_cpu_cfs_throttled_seconds_total" L, 1);
    assert_value(w, "container_memory_working_set_bytes" L, 4000);
    assert_value(w, "container_memory_rss" L, 2000);
    assert_value(w, "container_spec_memory_limit_bytes" L, 0);
    assert_value(w, "up{instance=\"box\", job=\"node\"}", 1);
    assert_value(w, "container_oom_events_total" L, 4);
    assert_value(w, "container_memory_failcnt" L, 9);
    assert_value(w,
                 "container_fs_reads_bytes_total{device=\"254:0\", id=\"/docker/" ID
                 "\", instance=\"box\", job=\"node\", name=\"0123456789ab\"}",
                 100);
    struct arena a = ARENA_INIT;
    struct overview o;
    assert_true(collect_overview(w->c, &a, &o));
    assert_int_equal(o.n_containers, 1);
    assert_int_equal(o.n_units, 1);
    assert_int_equal(o.units[0].memory_bytes, OVERVIEW_UNKNOWN); /* no memory group: unknown */
    assert_true(isnan(o.units[0].cpu_ratio));
    arena_deinit(&a);
}

static void hostile(void **state) {
    struct world *w = *state;
    put(w, V2 "cgroup.controllers", "");
    put(w, V2 "lxc/a\"b\nc\\\xff/cpu.stat",
        "usage_usec 99999999999999999999999999999999\nuser_usec -1\nusage_usec");
    put(w, V2 "lxc/a\"b\nc\\\xff/memory.current", "18446744073709551616\n");
    put(w, V2 "lxc/a\"b\nc\\\xff/memory.stat", "inactive_file");
    put(w, V2 "lxc/a\"b\nc\\\xff/io.stat",
        "../../etc rbytes=1\n254:0 rbytes= wbytes=x rios=1\n\n=\n");
    put(w, V2 "lxc/empty/cpu.stat", "");
    put(w, "proc/meminfo", "MemTotal: 1");
    put(w, "proc/diskstats", "254 0 a\"b 1 2");
    put(w, "proc/net/dev",
        "Inter-|\n face |\n e\"\\:1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 18446744073709551615\n");
    start(w);
    ticks(w, 7); /* the sink of the test checks every label set */
    const struct map_entry *e = map_next(&w->sink.series, NULL);
    size_t n = 0;
    for (; e; e = map_next(&w->sink.series, e))
        n += str_find(e->key, STR("/lxc/a")) != SIZE_MAX;
    assert_true(n > 0);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), T(version_2), T(version_1),
                                       T(hostile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
