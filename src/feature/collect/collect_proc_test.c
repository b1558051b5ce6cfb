/* Whole trees of /proc of our own making: ordinary ones against exact values, and hostile ones -
 * giant numbers, cut lines, names with quotes, newlines and bytes that are no UTF-8. What is
 * written to the sink is always valid (the test's sink checks every row). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feature/collect/collect_testlib.h"
#include "feature/collect/emit.h"
#include "feature/collect/fspool.h"
#include "feature/collect/scan.h"
#include "feature/collect/trend.h"
#include "os/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

static void init(struct world *w) {
    memset(w, 0, sizeof(*w));
    testtree_init(&w->tree);
    w->manual = (struct clock_manual){1700000000000000000, 1000000000};
    w->clock = clock_manual_view(&w->manual);
    snprintf(w->proc, sizeof(w->proc), "%s/proc", w->tree.dir);
    snprintf(w->sys, sizeof(w->sys), "%s/sys", w->tree.dir);
    put(w, "etc/hostname", "box\n");
    put(w, "etc/os-release",
        "NAME=\"Test \\\"OS\\\"\"\nID=test\nVERSION_ID='12.5.1'\nPRETTY_NAME=\"Test OS 12\"\n");
    put(w, "proc/stat",
        "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 100 0 100 800 0 0 0 0 0 0\nintr 55 1 2\nctxt 66\n"
        "btime 1690000000\nprocesses 77\nprocs_running 2\nprocs_blocked 0\n");
    put(w, "proc/loadavg", "0.50 1.25 2.00 1/100 1234\n");
    put(w, "proc/meminfo",
        "MemTotal:       1000 kB\nMemAvailable:    400 kB\nCached: 100 kB\nActive(anon): 7 kB\n"
        "HugePages_Total:   3\nSwapTotal: 20 kB\nSwapFree: 5 kB\n");
    put(w, "proc/diskstats",
        " 8 0 sda 1 2 4 1000 5 6 8 2000 0 3000 4000\n 8 1 sda1 1 2 3 4 5 6 7 8 9 10 11\n");
    put(w, "proc/net/dev",
        "Inter-|   Receive\n face |bytes\n  eth0: 100 1 0 0 0 0 0 0 200 2 0 0 0 0 0 0\n");
    put(w, "proc/pressure/cpu",
        "some avg10=12.50 avg60=0 avg300=0 total=2000000\nfull avg10=0.00 avg60=0 avg300=0 "
        "total=0\n");
    put(w, "proc/1/stat",
        "1 (init) S 0 1 1 0 -1 0 10 0 1 0 100 50 0 0 20 0 1 0 5 4096 3 0 0 0 0 0 0\n");
    put(w, "proc/self/cgroup", "0::/\n");
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

static void tick(struct world *w, int seconds) {
    struct err err = {0};
    clock_manual_advance(&w->manual, DUR_S(seconds));
    assert_true(collect_tick(w->c, &err));
}

static void stop(struct world *w) {
    collect_free(w->c);
    testsink_deinit(&w->sink);
    testtree_deinit(&w->tree);
}

static void is(struct world *w, const char *series, double want) {
    const struct testpoint *p = testsink_get(&w->sink, series);
    if (!p)
        print_error("%s is missing\n", series);
    assert_non_null(p);
    assert_true(fabs(p->value - want) < 1e-9 * (1 + fabs(want)));
}

#define L "instance=\"box\", job=\"node\""

static void exact_values(void **state) {
    (void)state;
    static struct world w;
    init(&w);
    start(&w);
    tick(&w, 1);
    double hz = (double)sysconf(_SC_CLK_TCK);
    is(&w, "node_cpu_seconds_total{cpu=\"0\", " L ", mode=\"idle\"}", 800 / hz);
    is(&w, "node_cpu_guest_seconds_total{cpu=\"0\", " L ", mode=\"user\"}", 0);
    is(&w, "node_intr_total{" L "}", 55);
    is(&w, "node_boot_time_seconds{" L "}", 1690000000);
    is(&w, "node_load15{" L "}", 2);
    is(&w, "node_memory_Active_anon_bytes{" L "}", 7 * 1024);
    is(&w, "node_memory_HugePages_Total{" L "}", 3);
    is(&w, "node_disk_read_bytes_total{device=\"sda\", " L "}", 4 * 512);
    is(&w, "node_disk_io_time_seconds_total{device=\"sda\", " L "}", 3);
    is(&w, "node_network_transmit_bytes_total{device=\"eth0\", " L "}", 200);
    is(&w, "node_pressure_cpu_waiting_seconds_total{" L "}", 2);
    is(&w, "node_os_version{id=\"test\", " L ", name=\"Test \\\"OS\\\"\"}", 12.5);
    is(&w, "namedprocess_namegroup_num_procs{groupname=\"init\", " L "}", 1);
    assert_null(testsink_get(&w.sink, "node_disk_read_bytes_total{device=\"sda1\", " L "}"));

    put(&w, "proc/stat",
        "cpu  125 0 125 850 0 0 0 0 0 0\ncpu0 125 0 125 850 0 0 0 0 0 0\nbtime 1690000000\n");
    put(&w, "proc/diskstats", " 8 0 sda 1 2 2004 1000 5 6 8 2000 0 3500 4000\n");
    put(&w, "proc/net/dev", "  eth0: 1100 1 0 0 0 0 0 0 200 2 0 0 0 0 0 0\n");
    tick(&w, 1);
    struct arena a = ARENA_INIT;
    struct overview o;
    assert_true(collect_overview(w.c, &a, &o));
    assert_true(fabs(o.cpu.used_ratio - 0.5) < 1e-9);
    assert_true(fabs(o.disks[0].read_bytes_per_s - 2000 * 512.0) < 1e-6);
    assert_true(fabs(o.disks[0].busy_ratio - 0.5) < 1e-9);
    assert_true(fabs(o.networks[0].rx_bytes_per_s - 1000) < 1e-6);
    assert_true(isnan(o.networks[0].tx_bytes_per_s) || o.networks[0].tx_bytes_per_s < 1e-9);
    assert_int_equal(o.memory.used_bytes, 600 * 1024);
    assert_int_equal(o.memory.swap_used_bytes, 15 * 1024);
    assert_true(o.psi.known && fabs(o.psi.cpu.some_ratio - 0.125) < 1e-9);
    assert_true(isnan(o.psi.io.some_ratio)); /* not there: unknown, not zero */
    assert_true(str_eqz(o.host.os, "Test OS 12"));
    assert_int_equal(o.host.boot_ms, 1690000000000);
    struct overview_point p[2];
    assert_int_equal(collect_history(w.c, p, 2), 2);
    assert_true(fabs(p[1].disk_read_bytes_per_s - 2000 * 512.0) < 1e-6);
    arena_deinit(&a);
    stop(&w);
}

/* A device that goes, a file that goes: stale, and the overview says that it does not know. */
static void gone_is_not_zero(void **state) {
    (void)state;
    static struct world w;
    init(&w);
    start(&w);
    tick(&w, 1);
    put(&w, "proc/net/dev", "  wlan0: 1 1 0 0 0 0 0 0 2 2 0 0 0 0 0 0\n");
    put(&w, "proc/loadavg", "");
    put(&w, "proc/meminfo", "nothing\n");
    tick(&w, 1);
    assert_true(
        testsink_get(&w.sink, "node_network_receive_bytes_total{device=\"eth0\", " L "}")->stale);
    assert_true(testsink_get(&w.sink, "node_load1{" L "}")->stale);
    is(&w, "node_network_receive_bytes_total{device=\"wlan0\", " L "}", 1);
    struct arena a = ARENA_INIT;
    struct overview o;
    assert_true(collect_overview(w.c, &a, &o));
    assert_true(isnan(o.cpu.load1));
    assert_int_equal(o.memory.total_bytes, OVERVIEW_UNKNOWN);
    bool said = false;
    for (size_t i = 0; i < o.n_sources; i++)
        if (str_eqz(o.sources[i].name, "meminfo"))
            said = o.sources[i].freshness == FRESH_STALE && o.sources[i].detail.n > 0;
    assert_true(said);
    arena_deinit(&a);
    put(&w, "proc/loadavg", "3 2 1 1/1 1\n"); /* and it comes back */
    tick(&w, 1);
    is(&w, "node_load1{" L "}", 3);
    stop(&w);
}

static void a_failing_sink_loses_nothing_later(void **state) {
    (void)state;
    static struct world w;
    init(&w);
    start(&w);
    tick(&w, 1);
    w.sink.fail = true;
    struct err err = {0};
    clock_manual_advance(&w.manual, DUR_S(1));
    assert_false(collect_tick(w.c, &err));
    w.sink.fail = false;
    tick(&w, 1);
    is(&w, "node_load1{" L "}", 0.5);
    stop(&w);
}

static void hostile(void **state) {
    (void)state;
    static struct world w;
    static const char *const stats[] = {
        "2 (a) b) c \"\n\xff\xfe) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n",
        "2 () S 99999999999999999999999999 1 1 1 1 1 1 1 1 1 18446744073709551615 "
        "18446744073709551616 1 1 1 1 "
        "18446744073709551615 1 18446744073709551615 18446744073709551615 18446744073709551615 1 1 "
        "1\n",
        "2 (cut",
        "2",
        "",
        ")(",
        "2 (x)",
        "2 (x) ",
        "2 (x) S 1 2 3\n"};
    init(&w);
    for (size_t i = 0; i < sizeof(stats) / sizeof(stats[0]); i++) {
        char path[64];
        snprintf(path, sizeof(path), "proc/%zu/stat", i + 2);
        put(&w, path, stats[i]);
    }
    char comm[4000];
    memset(comm, 'x', sizeof(comm) - 1);
    comm[sizeof(comm) - 1] = '\0';
    char stat[4200];
    snprintf(stat, sizeof(stat),
             "50 (%s) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n", comm);
    put(&w, "proc/50/stat", stat);
    put(&w, "proc/diskstats",
        " 8 0 sd\"a\n 8 0\n\n 8 0 sdb 1\n 8 0 s\xff\xc3\x28 1 2 99999999999999999999999 4 5 6 7 8 "
        "9 10 11 x\n");
    put(&w, "proc/net/dev",
        ":\n::::\neth0\n eth0:1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n e\"\n\\: 1 2 3\n"
        "big: 18446744073709551615 99999999999999999999 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n");
    put(&w, "proc/meminfo",
        "MemTotal: 99999999999999999999999 kB\nA(b)c{}: 1 kB\n: 1\nX: y\n=: 1 kB\n\xff\xff: 2 "
        "kB\n");
    put(&w, "proc/vmstat",
        "pgfault 1\npgfa\"ult 2\npgmajfault\npswpin x\noom_kill 18446744073709551616\n");
    put(&w, "proc/pressure/memory",
        "some\nsome avg10= total=\nfull avg10=nan total=1\nfull avg10=1 total=-1\n");
    put(&w, "proc/net/snmp", "Tcp: A B\nUdp: 1 2\nTcp: InSegs\nTcp: 1 2 3\nTcp InSegs\nTcp 1\n");
    put(&w, "proc/net/netstat", "TcpExt: ListenDrops Syncookies{x} ListenDrops\nTcpExt: 1 2 3\n");
    put(&w, "proc/net/snmp6", "6\nIp6\nIp6InOctets\nIp6InOctets x\nIp6InOctets 5\nnodigit 7\n");
    put(&w, "proc/net/sockstat",
        "sockets: used\nTCP: inuse 1 mem 18446744073709551615\n: a 1\nVERYLONGPROTOCOLNAME: inuse "
        "1\n"
        "A B: inuse 2\n");
    put(&w, "proc/net/softnet_stat",
        "zz\n1 2\n00000001 00000002 00000003\nffffffffffffffffff 1 2\n");
    put(&w, "proc/1/mountinfo",
        "36 35 8:0 / /a\\040b\\134\\012\\377\\9 rw - ext4 /dev/s\"da rw\n36 35 8:0 / / rw -\n- - - "
        "-\n"
        "36 35 8:0 / /x rw shared:1 master:2\n1 2 3 4 5 6 7 8 9 10\n");
    put(&w, "proc/swaps",
        "Filename Type Size Used Priority\n/dev/s\\040wap partition 1e400 2 -2\n/x file 1\n");
    put(&w, "proc/sys/fs/file-nr", "1\t0\t18446744073709551615\n");
    put(&w, "proc/net/stat/nf_conntrack",
        "entries found drop\n1 2 3\nffffffffffffffff zz 1\n1 2\n");
    put(&w, "etc/os-release", "NAME=\"\n=x\nID=\"a\\\nVERSION_ID=..\nPRETTY_NAME='\xff'\nNAME\n");
    put(&w, "proc/loadavg", "inf nan -1 x\n");
    start(&w);
    tick(&w, 1);
    tick(&w, 20);
    is(&w, "node_network_receive_bytes_total{device=\"eth0:1\", " L "}", 1);
    is(&w, "node_netstat_Ip6_InOctets{" L "}", 5);
    assert_int_equal(w.sink.refused, 0);
    struct arena a = ARENA_INIT;
    struct overview o;
    assert_true(collect_overview(w.c, &a, &o));
    for (size_t i = 0; i < o.n_processes; i++)
        assert_true(str_is_utf8(o.processes[i].group));
    for (size_t i = 0; i < o.n_filesystems; i++)
        assert_true(str_is_utf8(o.filesystems[i].mountpoint));
    arena_deinit(&a);
    stop(&w);
}

/* The fuzzer's corpus: the first byte chooses the file (collect_proc_fuzz.c has the same list). */
static void corpus(void **state) {
    (void)state;
    static const char *const files[] = {"proc/stat",          "proc/meminfo",
                                        "proc/vmstat",        "proc/pressure/io",
                                        "proc/diskstats",     "proc/net/dev",
                                        "proc/net/netstat",   "proc/net/snmp6",
                                        "proc/net/sockstat",  "proc/net/softnet_stat",
                                        "proc/1/mountinfo",   "proc/7/stat",
                                        "proc/net/tcp",       "proc/net/tcp6",
                                        "proc/swaps",         "etc/os-release",
                                        "proc/loadavg",       "proc/self/cgroup",
                                        "proc/7/io",          "proc/net/stat/nf_conntrack",
                                        "proc/sys/fs/file-nr"};
    struct arena a = ARENA_INIT;
    char **names;
    size_t n;
    struct err err = {0};
    assert_true(file_list(TESTDATA_DIR "/collect_proc", &a, &names, &n, &err));
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        static struct world w;
        char path[1024];
        struct buf b = BUF_INIT;
        init(&w);
        snprintf(path, sizeof(path), TESTDATA_DIR "/collect_proc/%s", names[i]);
        assert_true(file_read(path, 1 << 20, &b, &err));
        assert_true(b.n > 0);
        const char *file = files[(unsigned char)b.p[0] % (sizeof(files) / sizeof(files[0]))];
        testtree_put(&w.tree, file, str_from_offset(buf_view(&b), 1));
        start(&w);
        tick(&w, 1);
        tick(&w, 20);
        assert_int_equal(w.sink.refused, 0);
        stop(&w);
        buf_deinit(&b);
    }
    arena_deinit(&a);
}

static void container_or_machine(void **state) {
    (void)state;
    static const struct {
        const char *pid, *cgroup_ns, *cgroup, *file;
        enum known inside;
        const char *kind;
    } cases[] = {
        {"pid:[4026531836]", "cgroup:[4026531835]", "0::/init.scope\n", NULL, KNOWN_NO, NULL},
        /* an image that was made from a container keeps the file, and is a machine all the same */
        {"pid:[4026531836]", "cgroup:[4026531835]", "0::/\n", ".dockerenv", KNOWN_NO, NULL},
        {"pid:[4026532001]", "cgroup:[4026532002]", "0::/\n", ".dockerenv", KNOWN_YES, "docker"},
        {"pid:[4026532001]", "cgroup:[4026532002]", "0::/\n", "run/.containerenv", KNOWN_YES,
         "podman"},
        {"pid:[4026531836]", NULL, "3:cpu:/kubepods/burstable/pod1/abc\n", NULL, KNOWN_YES,
         "kubernetes"},
        {"pid:[4026532001]", NULL, "0::/\n", NULL, KNOWN_YES, NULL},
        {NULL, NULL, "0::/\n", NULL, KNOWN_UNKNOWN, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static struct world w;
        init(&w);
        if (cases[i].pid)
            testtree_link(&w.tree, "proc/self/ns/pid", cases[i].pid);
        if (cases[i].cgroup_ns)
            testtree_link(&w.tree, "proc/self/ns/cgroup", cases[i].cgroup_ns);
        put(&w, "proc/self/cgroup", cases[i].cgroup);
        if (cases[i].file)
            put(&w, cases[i].file, "");
        start(&w);
        tick(&w, 1);
        struct arena a = ARENA_INIT;
        struct overview o;
        assert_true(collect_overview(w.c, &a, &o));
        assert_int_equal(o.host.in_container, cases[i].inside);
        if (cases[i].kind)
            assert_true(str_eqz(o.host.container_kind, cases[i].kind));
        else
            assert_null(o.host.container_kind.p);
        arena_deinit(&a);
        stop(&w);
    }
}

/* A group's counters never go back while processes of it come and go. */
static void processes_come_and_go(void **state) {
    (void)state;
    static struct world w;
    init(&w);
    put(&w, "proc/100/stat",
        "100 (web) S 1 1 1 0 -1 0 0 0 0 0 1000 0 0 0 20 0 1 0 500 4096 3 0 0 0 0 0 0\n");
    put(&w, "proc/101/stat",
        "101 (web) S 1 1 1 0 -1 0 0 0 0 0 500 0 0 0 20 0 1 0 501 4096 3 0 0 0 0 0 0\n");
    start(&w);
    tick(&w, 1);
    double hz = (double)sysconf(_SC_CLK_TCK);
    const char *user =
        "namedprocess_namegroup_cpu_seconds_total{groupname=\"web\", " L ", mode=\"user\"}";
    is(&w, user, 1500 / hz);
    testtree_del(&w.tree, "proc/101/stat");
    put(&w, "proc/101/stat", "");
    put(&w, "proc/100/stat",
        "100 (web) S 1 1 1 0 -1 0 0 0 0 0 1100 0 0 0 20 0 1 0 500 4096 3 0 0 0 0 0 0\n");
    for (int i = 0; i < 5; i++)
        tick(&w, 1);
    is(&w, user, 1600 / hz);
    /* the pid goes to a new process: its own time counts from nothing */
    put(&w, "proc/100/stat",
        "100 (web) S 1 1 1 0 -1 0 0 0 0 0 7 0 0 0 20 0 1 0 900 4096 3 0 0 0 0 0 0\n");
    for (int i = 0; i < 5; i++)
        tick(&w, 1);
    is(&w, user, 1607 / hz);
    stop(&w);
}

/* ---- parts ---- */

static _Atomic bool hang;

static int hanging(const char *path, struct fspool_result *out) {
    while (strstr(path, "nfs") && hang)
        usleep(2000);
    out->size_bytes = 42;
    return 0;
}

static void a_hung_mount_stops_nobody(void **state) {
    (void)state;
    struct clock_manual manual = {0, 1000000000};
    struct clock clock = clock_manual_view(&manual);
    struct fspool *p = fspool_new(&clock, hanging);
    assert_non_null(p);
    hang = true;
    for (int i = 0; i < 4; i++) {
        fspool_begin(p);
        struct fspool_result nfs = fspool_ask(p, STR("/nfs")), local = fspool_ask(p, STR("/"));
        fspool_end(p);
        fspool_settle(p, DUR_MS(100));
        if (i >= 2) {
            assert_true(nfs.stuck);
            assert_true(local.known && !local.stuck && local.size_bytes == 42);
        }
        clock_manual_advance(&manual, DUR_S(FSPOOL_STUCK_S + 1));
    }
    hang = false;
    fspool_settle(p, DUR_S(5));
    fspool_begin(p);
    assert_true(fspool_ask(p, STR("/nfs")).size_bytes == 42); /* it answers again */
    fspool_end(p);
    fspool_settle(p, DUR_S(5));
    fspool_free(p);
}

static void growth(void **state) {
    (void)state;
    static struct trend t;
    double slope;
    int64_t now = 1700000000000;
    for (int i = 0; i < 50; i++)
        trend_add(&t, now + i * 10000, i * 1000.0);
    assert_false(trend_slope(&t, &slope)); /* eight minutes say nothing yet */
    for (int i = 50; i < 5000; i++)
        trend_add(&t, now + (int64_t)i * 10000,
                  i * 1000.0 + (i % 97 == 0 ? 5e6 : 0)); /* with spikes */
    assert_true(trend_slope(&t, &slope));
    assert_true(fabs(slope - 100) < 5);
    assert_true(t.n <= TREND_POINTS);
    trend_add(&t, now, 1); /* the clock was set back */
    assert_int_equal(t.n, 1);
}

static void numbers_and_names(void **state) {
    (void)state;
    uint64_t v;
    struct str s = STR("99999999999999999999 7");
    assert_true(scan_field_u64(&s, &v) && v == UINT64_MAX);
    assert_true(scan_field_u64(&s, &v) && v == 7);
    assert_false(scan_field_u64(&s, &v));
    s = STR("-1");
    assert_false(scan_field_u64(&s, &v));
    assert_true(scan_hex(STR("fF"), &v) && v == 255);
    assert_false(scan_hex(STR("11112222333344445"), &v));
    char out[8];
    assert_int_equal(scan_unescape(STR("a\\040b\\9\\04"), out, sizeof(out)), 8);
    assert_memory_equal(out, "a b\\9\\04", 8);
    struct buf b = BUF_INIT;
    emit_clean(&b, STR("a\xff\n\xe7\x81\xab\xe7\x81"), 100);
    assert_string_equal(b.p, "a\xef\xbf\xbd?\xe7\x81\xab\xef\xbf\xbd\xef\xbf\xbd");
    buf_reset(&b);
    emit_clean(&b, STR("\xe7\x81\xab\xe7\x81\xab"), 4); /* never cut within a letter */
    assert_int_equal(b.n, 3);
    buf_deinit(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(exact_values),
                                       cmocka_unit_test(gone_is_not_zero),
                                       cmocka_unit_test(a_failing_sink_loses_nothing_later),
                                       cmocka_unit_test(hostile),
                                       cmocka_unit_test(corpus),
                                       cmocka_unit_test(container_or_machine),
                                       cmocka_unit_test(processes_come_and_go),
                                       cmocka_unit_test(a_hung_mount_stops_nobody),
                                       cmocka_unit_test(growth),
                                       cmocka_unit_test(numbers_and_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
