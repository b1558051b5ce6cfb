/* Every collector over a machine whose files say anything at all: the first byte chooses how the
 * text is cut into the files, the rest is the text. All of /proc and /sys is there by links to two
 * files. */
#include "feature/collect/collect_testlib.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *const files[] = {"proc/stat",
                                    "proc/loadavg",
                                    "proc/meminfo",
                                    "proc/vmstat",
                                    "proc/pressure/cpu",
                                    "proc/pressure/memory",
                                    "proc/pressure/io",
                                    "proc/diskstats",
                                    "proc/net/dev",
                                    "proc/net/snmp",
                                    "proc/net/snmp6",
                                    "proc/net/netstat",
                                    "proc/net/sockstat",
                                    "proc/net/sockstat6",
                                    "proc/net/softnet_stat",
                                    "proc/1/mountinfo",
                                    "proc/self/mountinfo",
                                    "proc/swaps",
                                    "proc/net/tcp",
                                    "proc/net/tcp6",
                                    "proc/net/udp",
                                    "proc/net/udp6",
                                    "proc/sys/fs/file-nr",
                                    "proc/sys/kernel/random/entropy_avail",
                                    "proc/net/stat/nf_conntrack",
                                    "proc/self/cgroup",
                                    "proc/7/stat",
                                    "proc/7/io",
                                    "proc/7/comm",
                                    "proc/sys/kernel/osrelease",
                                    "etc/os-release",
                                    "etc/hostname",
                                    "run/systemd/container",
                                    "sys/class/net/e0/operstate",
                                    "sys/class/net/e0/mtu",
                                    "sys/class/net/e0/flags",
                                    "sys/class/net/e0/ifalias",
                                    "sys/fs/cgroup/cgroup.controllers",
                                    "sys/fs/cgroup/docker-" ID ".scope/cpu.stat",
                                    "sys/fs/cgroup/docker-" ID ".scope/memory.current",
                                    "sys/fs/cgroup/docker-" ID ".scope/memory.stat",
                                    "sys/fs/cgroup/docker-" ID ".scope/memory.events",
                                    "sys/fs/cgroup/docker-" ID ".scope/io.stat",
                                    "sys/fs/cgroup/docker-" ID ".scope/pids.current",
                                    "var/lib/docker/containers/" ID "/config.v2.json",
                                    "run/udev/data/b254:0",
                                    "sys/dev/block/254:0/uevent"};

static struct testtree tree;
static char proc[300], sys[300];

static void cleanup(void) {
    testtree_deinit(&tree);
}

static void prepare(void) {
    testtree_init(&tree);
    (void)atexit(cleanup);
    snprintf(proc, sizeof(proc), "%s/proc", tree.dir);
    snprintf(sys, sizeof(sys), "%s/sys", tree.dir);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char target[400];
        snprintf(target, sizeof(target), "%s/text%zu", tree.dir, i % 2);
        testtree_put(&tree, files[i], STR("")); /* makes the folder */
        testtree_link(&tree, files[i], target);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!tree.dir[0])
        prepare();
    if (size < 1 || size > 65536)
        return 0;
    struct str text = str_make((const char *)data + 1, size - 1);
    size_t cut = text.n * data[0] / 255;
    struct testsink sink = {0};
    struct err err = {0};
    struct clock_manual manual = {1700000000000000000, 1000000000};
    struct clock clock = clock_manual_view(&manual);
    struct collect_options opt = {.proc = proc,
                                  .sys = sys,
                                  .root = tree.dir,
                                  .clock = &clock,
                                  .sink = testsink_view(&sink),
                                  .no_threads = true};
    testtree_put(&tree, "text0", text);
    testtree_put(&tree, "text1", str_sub(text, 0, cut));
    struct collect *c = collect_new(&opt, &err);
    if (!c)
        abort();
    for (int i = 0; i < 2; i++) { /* the second reading sees other content: rates, what is gone */
        if (!collect_tick(c, &err))
            abort();
        clock_manual_advance(&manual, DUR_S(5));
        testtree_put(&tree, "text0", str_from_offset(text, cut));
    }
    struct arena a = ARENA_INIT_MAX((size_t)64 << 20);
    struct overview o;
    if (!collect_overview(c, &a, &o))
        abort();
    arena_deinit(&a);
    collect_free(c);
    testsink_deinit(&sink);
    return 0;
}
