/* series_bench [series] [steps] [shuffle] [dir]: the load of docs: remote_write bodies of 2,000
 * samples, one sample a series, 15 s apart. Prints the store's CPU (the generator's is subtracted),
 * bytes, memory and read rates. */
#include "codec/remote_write.h"
#include "codec/snappy.h"
#include "os/clock.h"
#include "os/file.h"
#include "store/series/series.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BODY_SERIES = 2000, STEP_MS = 15000 };
#define START_MS INT64_C(1700000000000)

struct gen_series {
    struct label label[8];
    char text[8][48];
    uint32_t n_labels;
    double state, rate;
    unsigned kind;
};

static uint64_t rnd_state = 88172645463325252u;
static uint64_t rnd(void) {
    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    rnd_state ^= rnd_state << 17;
    return rnd_state;
}
static double unit(void) {
    return (double)(rnd() >> 11) / 9007199254740992.0;
}

static double cpu(clockid_t id) {
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static double wall(void) {
    return cpu(CLOCK_MONOTONIC);
}

static void die(const struct err *err) {
    (void)fprintf(stderr, "%s\n", err->message);
    exit(1);
}

static long anon_kib(void) {
    struct buf b = BUF_INIT;
    long kib = 0;
    if (file_read("/proc/self/smaps_rollup", 65536, &b, NULL)) {
        const char *p = strstr(b.p, "Anonymous:");
        uint64_t v = 0;
        struct str rest = p ? str_trim(str_from_offset(str_from(p), 10)) : STR("");
        (void)str_to_u64(str_sub(rest, 0, str_find_char(rest, ' ')), &v);
        kib = (long)v;
    }
    buf_deinit(&b);
    return kib;
}

static void make_series(struct gen_series *v, size_t n) {
    static const char *const names[] = {"__name__", "env", "handler", "host",
                                        "instance", "job", "le",      "region"};
    for (size_t i = 0; i < n; i++) {
        struct gen_series *s = &v[i];
        size_t host = i / 200, metric = i % 200;
        (void)snprintf(s->text[0], 48, "app_metric_%03zu_%s", metric,
                       metric % 3 ? "total" : "bytes");
        (void)snprintf(s->text[1], 48, "production");
        (void)snprintf(s->text[2], 48, "/api/v1/resource/%zu", metric % 20);
        (void)snprintf(s->text[3], 48, "host-%04zu.example.net", host);
        (void)snprintf(s->text[4], 48, "10.0.%zu.%zu:9100", host / 250, host % 250);
        (void)snprintf(s->text[5], 48, "node");
        (void)snprintf(s->text[6], 48, "%zu", metric % 12);
        (void)snprintf(s->text[7], 48, "ap-northeast-1");
        s->n_labels = 0;
        for (size_t k = 0; k < 8; k++)
            if (k != 6 || metric % 6 == 5)
                s->label[s->n_labels++] = (struct label){str_from(names[k]), str_from(s->text[k])};
        s->kind = (unsigned)(metric % 10);
        s->rate = exp(unit() * 8);
        s->state = floor(unit() * 1e6);
    }
}

static double next_value(struct gen_series *s) {
    switch (s->kind) {
    case 0: /* counter, steady */
    case 1:
        return s->state += floor(s->rate * (0.9 + 0.2 * unit()));
    case 2: /* counter, seldom */
        return s->state += unit() < 0.05 ? 1 : 0;
    case 3: /* gauge with noise, two decimals */
        return round((50 + 10 * sin(s->state += 0.01) + unit()) * 100) / 100;
    case 4: /* constant */
        return floor(s->rate);
    case 5: /* histogram bucket */
        return s->state += (double)(rnd() % 8);
    case 6: /* integer gauge */
        return floor(100 + 20 * unit());
    case 7: /* bytes that change now and then */
        return unit() < 0.2 ? (s->state = floor(unit() * 4096) * 4096) : s->state;
    case 8: /* counter of seconds, three decimals */
        s->state += 0.015 * s->rate * unit();
        return round(s->state * 1000) / 1000;
    default: /* full precision in one series of fifty */
        return s->rate > 2000 ? unit() : (s->state += floor(unit() * 3) - 1);
    }
}

static double ingest(struct series_store *s, struct gen_series *v, size_t n, size_t steps,
                     bool shuffle) {
    struct buf plain = BUF_INIT, body = BUF_INIT;
    struct series_hint *hint[2] = {series_hint_new(), series_hint_new()};
    uint32_t order[BODY_SERIES];
    double client = 0, start = cpu(CLOCK_PROCESS_CPUTIME_ID), t0 = wall();
    for (size_t step = 0; step < steps; step++)
        for (size_t from = 0; from < n; from += BODY_SERIES) {
            double c = cpu(CLOCK_THREAD_CPUTIME_ID);
            size_t k = n - from < BODY_SERIES ? n - from : BODY_SERIES;
            for (size_t i = 0; i < k; i++)
                order[i] = (uint32_t)i;
            for (size_t i = k; shuffle && i > 1; i--) {
                size_t j = rnd() % i;
                uint32_t x = order[i - 1];
                order[i - 1] = order[j];
                order[j] = x;
            }
            buf_reset(&plain);
            buf_reset(&body);
            for (size_t i = 0; i < k; i++) {
                struct gen_series *g = &v[from + order[i]];
                size_t host = (from + order[i]) / 200;
                struct sample x = {START_MS + (int64_t)step * STEP_MS +
                                       (int64_t)(host * 37 % 15000),
                                   next_value(g)};
                remote_write_put_series(&plain, (struct labels){g->label, g->n_labels}, &x, 1);
            }
            struct err err = {0};
            if (!snappy_block_encode(buf_view(&plain), &body, &err))
                die(&err);
            client += cpu(CLOCK_THREAD_CPUTIME_ID) - c;
            struct write_result out;
            while (!series_remote_write(s, buf_view(&body), STR("bench"),
                                        hint[from / BODY_SERIES % 2], &out, &err)) {
                if (err.code != ERR_UNAVAILABLE)
                    die(&err);
                (void)usleep(1000);
            }
            if (out.accepted != k)
                (void)fprintf(stderr, "accepted %zu of %zu: %s\n", out.accepted, k,
                              out.first_rejected);
        }
    double used = cpu(CLOCK_PROCESS_CPUTIME_ID) - start - client,
           samples = (double)(n * steps) / 1e6;
    printf(
        "ingest: %.2f M samples, %.3f CPU s per 1 M (wall %.2f s, generator %.2f s not counted)\n",
        samples, used / samples, wall() - t0, client);
    series_hint_free(hint[0]);
    series_hint_free(hint[1]);
    buf_deinit(&plain);
    buf_deinit(&body);
    return used;
}

static void read_all(struct series_store *s, const char *what, const char *metric) {
    struct reader r = series_reader(s);
    struct matcher m = {.type = metric ? MATCH_EQ : MATCH_NE,
                        .name = STR("__name__"),
                        .value = str_from(metric ? metric : "")};
    struct reader_query q = {
        .matchers = &m, .n_matchers = 1, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct reader_set *set;
    struct err err = {0};
    double t0 = wall();
    if (!r.ops->select(r.self, &q, &set, &err))
        die(&err);
    double t1 = wall(), sum = 0;
    for (size_t i = 0; i < set->count; i++)
        sum += (double)set->ops->labels(set, i).n;
    double t2 = wall();
    size_t n = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct series_data d;
        if (!set->ops->read(set, i, INT64_MIN, INT64_MAX, &d, &err))
            die(&err);
        n += d.n;
        sum += d.n ? d.value[d.n - 1] : 0;
    }
    double t3 = wall();
    printf("%s: %zu series, select %.2f ms, labels %.2f ms, read %zu samples in %.2f ms (%.0f M/s) "
           "[%g]\n",
           what, set->count, (t1 - t0) * 1e3, (t2 - t1) * 1e3, n, (t3 - t2) * 1e3,
           (double)n / (t3 - t2) / 1e6, sum);
    set->ops->free(set);
}

int main(int argc, char **argv) {
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000,
           steps = argc > 2 ? strtoul(argv[2], NULL, 10) : 240;
    bool shuffle = argc > 3 && argv[3][0] == '1';
    char dir[256] = "/tmp/series-bench-XXXXXX";
    struct err err = {0};
    if (!n || !steps || !mkdtemp(dir))
        return 1;
    struct gen_series *v = calloc(n, sizeof(*v));
    if (!v)
        return 1;
    make_series(v, n);
    struct series_options opt = {.dir = dir,
                                 .clock = clock_system(),
                                 .accept_past_ms = INT64_MAX,
                                 .retention_ms = INT64_C(86400000) * 36500,
                                 .series_per_source_max = 1u << 30,
                                 .series_per_metric_max = 1u << 30};
    long before = anon_kib();
    struct series_store *s = series_open(&opt, &err);
    if (!s)
        die(&err);
    (void)ingest(s, v, n, steps, shuffle);
    long after = anon_kib();
    printf("memory: %ld KiB anonymous, %.3f KiB per series\n", after - before,
           (double)(after - before) / (double)n);
    struct series_options killed = opt;
    killed.read_only = true; /* what a start after kill -9 would replay now */
    double r0 = wall(), rc = cpu(CLOCK_PROCESS_CPUTIME_ID);
    struct series_store *k = series_open(&killed, &err);
    if (!k)
        die(&err);
    printf("replay: open in %.3f s wall, %.3f CPU s\n", wall() - r0,
           cpu(CLOCK_PROCESS_CPUTIME_ID) - rc);
    series_close(k);
    read_all(s, "warm, as ingested", NULL);
    double c0 = cpu(CLOCK_PROCESS_CPUTIME_ID);
    if (!series_maintain(s, &err))
        die(&err);
    printf("maintain: %.3f CPU s\n", cpu(CLOCK_PROCESS_CPUTIME_ID) - c0);
    struct arena a = ARENA_INIT;
    struct series_stats st;
    if (!series_get_stats(s, &a, &st, &err))
        die(&err);
    printf("disk: %llu blocks, %.1f MB, %.3f bytes per sample\n", (unsigned long long)st.blocks,
           (double)st.disk_bytes / 1e6, (double)st.disk_bytes / (double)st.samples_total);
    arena_deinit(&a);
    read_all(s, "all", NULL);
    read_all(s, "all again", NULL);
    read_all(s, "one metric", "app_metric_010_total");
    double t0 = wall();
    series_close(s);
    double t1 = wall();
    s = series_open(&opt, &err);
    double t2 = wall();
    if (!s)
        die(&err);
    printf("close %.3f s, open %.3f s\n", t1 - t0, t2 - t1);
    read_all(s, "after start", "app_metric_010_total");
    series_close(s);
    free(v);
    return file_remove_tree(dir, &err) ? 0 : 1;
}
