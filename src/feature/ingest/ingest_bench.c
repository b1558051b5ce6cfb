/* The whole chain for one target of 10,000 series scraped each second: HTTP, page, rows, the series
 * store with its fsync. The exporter is another process, so its CPU does not count. */
#include "feature/ingest/ingest.h"
#include "feature/ingest/ingest_testlib.h"
#include "os/clock.h"
#include "os/file.h"
#include "store/series/series.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS = 10 };

static double cpu_s(void) {
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void exporter(int out) {
    struct t_peer p;
    t_peer_init(&p);
    if (write(out, &p.port, sizeof(p.port)) != (ssize_t)sizeof(p.port))
        _exit(1);
    for (int salt = 0;; salt++) {
        struct buf b = BUF_INIT;
        for (int i = 0; i < 10000; i++)
            buf_printf(
                &b,
                "app_requests_total{method=\"GET\",path=\"/api/v1/items/%d\",code=\"200\"} %d\n", i,
                salt * (i % 13) + i);
        t_peer_text(&p, b.p);
        buf_deinit(&b);
        struct timespec nap = {0, 500000000};
        (void)nanosleep(&nap, NULL);
    }
}

static void measure(uint16_t port, const char *dir) {
    struct err err;
    struct series_options so = {.dir = dir, .clock = clock_system()};
    struct series_store *store = series_open(&so, &err);
    if (!store) {
        (void)fprintf(stderr, "%s\n", err.message);
        return;
    }
    struct ingest_options opt = {.sink = series_sink(store), .clock = clock_system()};
    struct ingest *g = ingest_new(&opt, &err);
    struct arena a = ARENA_INIT;
    struct ingest_config c;
    struct buf diags = BUF_INIT;
    char yaml[512];
    (void)snprintf(yaml, sizeof(yaml),
                   "scrape_configs: [{job_name: j, scrape_interval: 1s, static_configs: [{targets: "
                   "['127.0.0.1:%u']}]}]",
                   port);
    if (g && t_config(yaml, &a, &c, &diags) && ingest_apply(g, &c, &err)) {
        struct timespec warm = {3, 0}, run = {SECONDS, 0};
        (void)nanosleep(&warm, NULL);
        double t = cpu_s();
        (void)nanosleep(&run, NULL);
        t = cpu_s() - t;
        struct ingest_target_view *v;
        size_t n;
        if (ingest_targets(g, &a, &v, &n, &err) && n == 1)
            printf("10,000 series each second, stored: %.2f %% of a core (%s, %llu samples, scrape "
                   "took %.1f ms)\n",
                   t / SECONDS * 100, ingest_health_name(v[0].health),
                   (unsigned long long)v[0].samples_scraped, v[0].last_duration_s * 1e3);
    } else {
        (void)fprintf(stderr, "%s %s\n", err.message, diags.p ? diags.p : "");
    }
    ingest_free(g);
    series_close(store);
    buf_deinit(&diags);
    arena_deinit(&a);
}

int main(void) {
    int fds[2];
    char dir[] = "/tmp/hinomi-bench-XXXXXX";
    uint16_t port = 0;
    if (pipe(fds) || !mkdtemp(dir))
        return 1;
    pid_t child = fork();
    if (child == 0) {
        exporter(fds[1]);
        _exit(0);
    }
    if (child > 0 && read(fds[0], &port, sizeof(port)) == (ssize_t)sizeof(port))
        measure(port, dir);
    if (child > 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
    }
    return file_remove_tree(dir, NULL) ? 0 : 1;
}
