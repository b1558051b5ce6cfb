/* The whole room over trees of files of our own making: hostile content, processes that go,
 * containers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/corpus_testlib.h"
#include "feature/collect/collect_fuzz.c"

static void corpus(void **state) {
    (void)state;
    assert_true(corpus_replay(TESTDATA_DIR "/collect", LLVMFuzzerTestOneInput) >= 14);
}

struct world {
    struct testtree tree;
    struct testsink sink;
    struct clock_manual manual;
    struct clock clock;
    char proc[300], sys[300];
    struct collect *c;
};

static int setup(void **state) {
    struct world *w = calloc(1, sizeof(*w));
    testtree_init(&w->tree);
    w->manual = (struct clock_manual){1700000000000000000, 1000000000};
    w->clock = clock_manual_view(&w->manual);
    snprintf(w->proc, sizeof(w->proc), "%s/proc", w->tree.dir);
    snprintf(w->sys, sizeof(w->sys), "%s/sys", w->tree.dir);
    testtree_put(&w->tree, "proc/stat", STR("cpu  1 2 3 4\ncpu0 1 2 3 4\nbtime 1690000000\n"));
    testtree_put(&w->tree, "etc/hostname", STR("shop-5d9c\n"));
    *state = w;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;
    collect_free(w->c);
    testsink_deinit(&w->sink);
    testtree_deinit(&w->tree);
    free(w);
    return 0;
}

static void ticks(struct world *w, int n) {
    struct err err = {0};
    struct collect_options opt = {.proc = w->proc,
                                  .sys = w->sys,
                                  .root = w->tree.dir,
                                  .clock = &w->clock,
                                  .sink = testsink_view(&w->sink),
                                  .no_threads = true};
    if (!w->c)
        w->c = collect_new(&opt, &err);
    assert_non_null(w->c);
    for (int i = 0; i < n; i++) {
        assert_true(collect_tick(w->c, &err));
        clock_manual_advance(&w->manual, DUR_S(1));
    }
}

static void assert_host(struct world *w, enum known in_container, const char *kind) {
    struct arena a = ARENA_INIT;
    struct overview o;
    ticks(w, 1);
    assert_true(collect_overview(w->c, &a, &o));
    assert_int_equal(o.host.in_container, in_container);
    assert_true(str_eqz(o.host.name, "shop-5d9c"));
    if (kind)
        assert_true(str_eqz(o.host.container_kind, kind));
    else
        assert_null(o.host.container_kind.p);
    arena_deinit(&a);
}

#define INIT_NS "pid:[4026531836]"

static void a_machine(void **state) {
    struct world *w = *state;
    testtree_put(&w->tree, "proc/self/ns/x", STR(""));
    testtree_link(&w->tree, "proc/self/ns/pid", INIT_NS);
    testtree_link(&w->tree, "proc/self/ns/cgroup", "cgroup:[4026531835]");
    testtree_put(&w->tree, "proc/self/cgroup", STR("0::/system.slice/hinomi.service\n"));
    testtree_put(&w->tree, ".dockerenv", STR("")); /* images of virtual machines keep it */
    assert_host(w, KNOWN_NO, NULL);
}

static void a_pod(void **state) {
    struct world *w = *state;
    testtree_put(&w->tree, "proc/self/ns/x", STR(""));
    testtree_link(&w->tree, "proc/self/ns/pid", "pid:[4026532001]");
    testtree_put(&w->tree, "proc/self/cgroup", STR("0::/kubepods/besteffort/pod1/" ID "\n"));
    assert_host(w, KNOWN_YES, "kubernetes");
}

static void a_docker_container(void **state) {
    struct world *w = *state;
    testtree_put(&w->tree, "proc/self/ns/x", STR(""));
    testtree_link(&w->tree, "proc/self/ns/pid", "pid:[4026532001]");
    testtree_link(&w->tree, "proc/self/ns/cgroup", "cgroup:[4026532009]");
    testtree_put(&w->tree, "proc/self/cgroup",
                 STR("0::/\n")); /* its own cgroup namespace hides the path */
    testtree_put(&w->tree, ".dockerenv", STR(""));
    assert_host(w, KNOWN_YES, "docker");
}

static void nspawn_says_so(void **state) {
    struct world *w = *state;
    testtree_put(&w->tree, "run/systemd/container", STR("systemd-nspawn\n"));
    assert_host(w, KNOWN_YES, "systemd-nspawn");
}

static void nothing_to_tell_by(void **state) {
    assert_host(*state, KNOWN_UNKNOWN, NULL);
}

#define STAT(pid, name, ticks)                                                                     \
#pid " (" name ") S 1 1 1 0 -1 4194560 1 0 0 0 " #ticks                                        \
         " 0 0 0 20 0 1 0 100 1000000 25 18446744073709551615\n"

static void processes_come_and_go(void **state) {
    struct world *w = *state;
    testtree_put(&w->tree, "proc/10/stat", STR(STAT(10, "we\"b\n) \xff", 100)));
    testtree_put(&w->tree, "proc/11/stat", STR(STAT(11, "worker", 300)));
    testtree_put(&w->tree, "proc/12/stat", STR("12 (half")); /* it ended while it was being read */
    testtree_put(&w->tree, "proc/13/comm", STR("no stat at all"));
    ticks(w, 6);
#define COUNT(name)                                                                                \
    "namedprocess_namegroup_num_procs{groupname=\"" name "\", instance=\"shop-5d9c\", "            \
    "job=\"node\"}"
    const struct testpoint *p = testsink_get(&w->sink, COUNT("worker"));
    assert_true(p && p->value == 1);
    size_t odd = 0;
    for (struct map_entry *e = map_next(&w->sink.series, NULL); e; e = map_next(&w->sink.series, e))
        odd += str_starts(e->key, STR("namedprocess_namegroup_num_procs{groupname=\"we\\\"b"));
    assert_int_equal(odd, 1);
    testtree_del(&w->tree, "proc/11/stat");
    char path[400];
    snprintf(path, sizeof(path), "%s/proc/11", w->tree.dir);
    assert_int_equal(rmdir(path), 0);
    ticks(w, 11);
    p = testsink_get(&w->sink, COUNT("worker"));
    /* gone, or known to be none: never the last value as if it were true */
    assert_true(p->stale || p->value == 0);
}

static void assert_one(const struct world *w, const char *series, double value) {
    const struct testpoint *p = testsink_get(&w->sink, series);
    if (!p)
        fail_msg("no series %s", series);
    assert_true(p->value >= value && p->value <= value);
}

static void interfaces_and_disks(void **state) {
    struct world *w = *state;
#define NET "sys/class/net/eth0/"
    testtree_put(&w->tree, NET "operstate", STR("up\n"));
    testtree_put(&w->tree, NET "flags", STR("0x1003\n"));
    testtree_put(&w->tree, NET "speed", STR("1000\n"));
    testtree_put(&w->tree, NET "mtu", STR("1500\n"));
    testtree_put(&w->tree, NET "carrier", STR("")); /* a device that is down answers an error */
    testtree_put(&w->tree, NET "dormant", STR("many\n")); /* no number */
    testtree_put(&w->tree, NET "address", STR("02:fc:00:00:00:01\n"));
    testtree_put(&w->tree, NET "ifalias", STR("to \"the\" rack\n"));
    testtree_put(&w->tree, NET "statistics/rx_nohandler", STR("7\n"));
    testtree_put(&w->tree, "sys/class/net/bonding_masters", STR("\n"));
    testtree_put(&w->tree, "proc/diskstats",
                 STR(" 254 0 vda 1 2 3 4 5 6 7 8 9 10 11\n 254 1 vda1 1 2 3 4 5 6 7 8 9 10 11\n 7 "
                     "0 loop0 1 2 3 4 5 6 7 8 9 10 11\n"));
    testtree_put(&w->tree, "run/udev/data/b254:0",
                 STR("S:disk/by-id/x\nE:ID_MODEL=Fast\nE:ID_SERIAL_SHORT=s1\nE:ID_WWN\n"));
    ticks(w, 1);
#define ETH "{device=\"eth0\", instance=\"shop-5d9c\", job=\"node\"}"
    assert_one(w, "node_network_up" ETH, 1);
    assert_one(w, "node_network_speed_bytes" ETH, 125000000);
    assert_one(w, "node_network_mtu_bytes" ETH, 1500);
    assert_one(w, "node_network_flags" ETH, 0x1003);
    assert_one(w, "node_network_receive_nohandler_total" ETH, 7);
    assert_null(testsink_get(&w->sink, "node_network_carrier" ETH));
    assert_null(testsink_get(&w->sink, "node_network_dormant" ETH));
    assert_one(w,
               "node_network_info{address=\"02:fc:00:00:00:01\", adminstate=\"up\", "
               "device=\"eth0\", ifalias=\"to \\\"the\\\" rack\", "
               "instance=\"shop-5d9c\", job=\"node\", operstate=\"up\"}",
               1);
    assert_one(w,
               "node_disk_info{device=\"vda\", instance=\"shop-5d9c\", job=\"node\", "
               "major=\"254\", minor=\"0\", model=\"Fast\", "
               "serial=\"s1\"}",
               1);
    size_t disks = 0;
    for (struct map_entry *e = map_next(&w->sink.series, NULL); e; e = map_next(&w->sink.series, e))
        disks += str_starts(e->key, STR("node_disk_info{"));
    assert_int_equal(disks, 1); /* no partition, no loop */
}

static void a_sink_that_fails(void **state) {
    struct world *w = *state;
    struct err err = {0};
    ticks(w, 1);
    w->sink.fail = true;
    assert_false(collect_tick(w->c, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    clock_manual_advance(&w->manual, DUR_S(1));
    w->sink.fail = false;
    ticks(w, 3);
    const struct testpoint *p = testsink_get(&w->sink, "up{instance=\"shop-5d9c\", job=\"node\"}");
    assert_int_equal(p->samples, 4);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {cmocka_unit_test(corpus),
                                       T(a_machine),
                                       T(a_pod),
                                       T(a_docker_container),
                                       T(nspawn_says_so),
                                       T(nothing_to_tell_by),
                                       T(interfaces_and_disks),
                                       T(processes_come_and_go),
                                       T(a_sink_that_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
