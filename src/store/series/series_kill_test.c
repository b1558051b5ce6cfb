/* kill -9 at random moments, some of them inside flush and compaction: nothing acknowledged is
 * lost, nothing appears from nowhere. HINOMI_KILL_CYCLES=1000 makes it long; HINOMI_TEST_SEED
 * repeats the moments. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/thread.h"
#include "store/series/series_testlib.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SERIES = 12, WRITERS = 2 };

static struct series_store *open_real(const char *dir, bool background) {
    struct series_options opt = {.dir = dir,
                                 .clock = clock_system(),
                                 .no_background = !background,
                                 .accept_past_ms = INT64_MAX};
    struct err err = {0};
    struct series_store *s = series_open(&opt, &err);
    if (!s) {
        (void)fprintf(stderr, "%s\n", err.message);
        abort();
    }
    return s;
}

struct writer {
    struct series_store *s;
    int id, fd;
    int64_t from;
};

/* Writer w owns the metrics w_0 ..; step t has timestamp t and value t. Each acknowledged step is
 * told at once. */
static void write_steps(void *self) {
    struct writer *w = self;
    struct sink k = series_sink(w->s);
    char metric[32], host[SERIES][16];
    (void)snprintf(metric, sizeof(metric), "w_%d", w->id);
    struct label l[SERIES][2];
    struct batch_row rows[SERIES];
    for (int64_t t = w->from;; t++) {
        for (int i = 0; i < SERIES; i++) {
            (void)snprintf(host[i], sizeof(host[i]), "h%d", i);
            l[i][0] = (struct label){STR("__name__"), str_from(metric)};
            l[i][1] = (struct label){STR("host"), str_from(host[i])};
            rows[i] = (struct batch_row){{l[i], 2}, t, (double)t};
        }
        struct batch b = {.kind = SOURCE_SCRAPE, .source = STR("k"), .rows = rows, .n = SERIES};
        struct write_result out = {0};
        if (!sink_write(&k, &b, &out, NULL) || out.accepted != SERIES)
            _exit(3);
        int64_t told[2] = {w->id, t};
        if (write(w->fd, told, sizeof(told)) != (ssize_t)sizeof(told))
            _exit(4);
    }
}

_Noreturn static void child(const char *dir, int fd, const int64_t *from) {
    struct series_store *s = open_real(dir, true);
    struct thread t[WRITERS] = {0};
    struct writer w[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        w[i] = (struct writer){s, i, fd, from[i] + 1};
        if (!thread_start(&t[i], "writer", write_steps, &w[i], NULL))
            _exit(5);
    }
    for (;;)
        if (!series_maintain(s, NULL))
            _exit(6);
}

static void check(const char *dir, int64_t *acked) {
    struct series_store *s = open_real(dir, false);
    for (int w = 0; w < WRITERS; w++) {
        char metric[32];
        (void)snprintf(metric, sizeof(metric), "w_%d", w);
        struct matcher m = {.type = MATCH_EQ, .name = STR("__name__"), .value = str_from(metric)};
        struct reader_query q = {
            .matchers = &m, .n_matchers = 1, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
        struct reader r = series_reader(s);
        struct reader_set *set;
        assert_true(r.ops->select(r.self, &q, &set, NULL));
        assert_int_equal(set->count, acked[w] ? SERIES : set->count);
        int64_t last = acked[w];
        for (size_t i = 0; i < set->count; i++) {
            struct series_data d;
            assert_true(set->ops->read(set, i, INT64_MIN, INT64_MAX, &d, NULL));
            assert_in_range(d.n, acked[w],
                            acked[w] + 1); /* one batch may be on disk and not yet told */
            for (size_t k = 0; k < d.n; k++) {
                assert_int_equal(d.ts_ms[k], (int64_t)k + 1);
                assert_true((int64_t)d.value[k] == d.ts_ms[k]);
            }
            last = (int64_t)d.n;
        }
        acked[w] = last;
        set->ops->free(set);
    }
    series_close(s);
}

static void test_kill(void **unused) {
    (void)unused;
    const char *cycles = getenv("HINOMI_KILL_CYCLES"), *given = getenv("HINOMI_TEST_SEED");
    unsigned long n = cycles ? strtoul(cycles, NULL, 10) : 15;
    uint64_t rnd = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) | 1;
    print_message("HINOMI_TEST_SEED=%llu\n", (unsigned long long)rnd);
    log_set_level(LOG_LEVEL_ERROR);
    char *dir = test_dir();
    int64_t acked[WRITERS] = {0};
    for (unsigned long i = 0; i < n; i++) {
        int p[2];
        assert_int_equal(pipe(p), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)close(p[0]);
            child(dir, p[1], acked);
        }
        (void)close(p[1]);
        int64_t told[2];
        uint64_t after =
            1 + test_rnd(&rnd) % 300; /* messages, then a random pause within a commit's time */
        bool dead = false;
        while (read(p[0], told, sizeof(told)) == (ssize_t)sizeof(told)) {
            acked[told[0]] = told[1];
            if (!dead && --after == 0) {
                struct timespec pause = {0, (long)(test_rnd(&rnd) % 2000000)};
                (void)nanosleep(&pause, NULL);
                assert_int_equal(kill(pid, SIGKILL), 0);
                dead = true;
            }
        }
        (void)close(p[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        check(dir, acked);
    }
    assert_true(acked[0] > 0 && acked[1] > 0);
    test_dir_free(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
