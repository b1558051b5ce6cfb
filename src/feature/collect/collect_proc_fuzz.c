/* The files that the collectors read, with any content: the first byte chooses which, the rest is
 * its text. Every row that reaches the sink must be valid (testsink counts refusals; here a refusal
 * is a find). */
#include "feature/collect/collect_testlib.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const files[] = {
    "proc/stat",          "proc/meminfo",          "proc/vmstat",      "proc/pressure/io",
    "proc/diskstats",     "proc/net/dev",          "proc/net/netstat", "proc/net/snmp6",
    "proc/net/sockstat",  "proc/net/softnet_stat", "proc/1/mountinfo", "proc/7/stat",
    "proc/net/tcp",       "proc/net/tcp6",         "proc/swaps",       "etc/os-release",
    "proc/loadavg",       "proc/self/cgroup",      "proc/7/io",        "proc/net/stat/nf_conntrack",
    "proc/sys/fs/file-nr"};
#define N_FILES (sizeof(files) / sizeof(files[0]))

static struct {
    struct testtree tree;
    struct clock_manual manual;
    struct clock clock;
    char proc[300], sys[300];
    bool ready;
} w;

static void setup(void) {
    testtree_init(&w.tree);
    w.manual = (struct clock_manual){1700000000000000000, 1000000000};
    w.clock = clock_manual_view(&w.manual);
    snprintf(w.proc, sizeof(w.proc), "%s/proc", w.tree.dir);
    snprintf(w.sys, sizeof(w.sys), "%s/sys", w.tree.dir);
    for (size_t i = 0; i < N_FILES; i++)
        testtree_put(&w.tree, files[i], STR(""));
    w.ready = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 16384)
        return 0;
    if (!w.ready)
        setup();
    const char *file = files[data[0] % N_FILES];
    struct testsink sink = {0};
    struct collect_options opt = {.proc = w.proc,
                                  .sys = w.sys,
                                  .root = w.tree.dir,
                                  .clock = &w.clock,
                                  .sink = testsink_view(&sink),
                                  .no_threads = true};
    struct str text = str_make((const char *)data + 1, size - 1);
    testtree_put(&w.tree, file, text);
    struct collect *c = collect_new(&opt, NULL);
    struct arena a = ARENA_INIT;
    struct overview o;
    for (int i = 0; c && i < 2; i++) { /* twice: rates, and what is remembered */
        if (!collect_tick(c, NULL))
            abort();
        clock_manual_advance(&w.manual, DUR_S(20));
        testtree_put(&w.tree, file, str_from_offset(text, text.n / 3));
    }
    if (c && (!collect_overview(c, &a, &o) || sink.refused))
        abort();
    arena_deinit(&a);
    collect_free(c);
    testsink_deinit(&sink);
    testtree_put(&w.tree, file, STR(""));
    return 0;
}
