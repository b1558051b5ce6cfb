#include "query/promql/fuzz_testlib.h"

#include "query/promql/mem_reader_testlib.h"
#include "query/promql/promql.h"

#include <stdio.h>
#include <stdlib.h>

static struct mem_reader mem;
static bool ready;

static void add(const char *text, double from, double by, bool hist) {
    struct arena a = ARENA_INIT;
    struct labels ls;
    struct err err;
    if (!labels_parse(str_from(text), &a, &ls, &err))
        abort();
    struct mem_series *s = mem_reader_series(&mem, ls);
    for (int i = 0; s && i < 20; i++) {
        struct fhist *h = NULL;
        if (hist && i % 7 != 3) {
            h = ARENA_NEW(&mem.arena, struct fhist);
            static int32_t index[] = {0, 1, 3};
            static double count[] = {1, 2, 3};
            *h = (struct fhist){
                .schema = i % 5 == 0 ? 1 : 0, .count = 6, .sum = i, .positive = {index, count, 3}};
        }
        double v = i == 9 ? sample_stale() : i == 12 ? sample_nan() : from + by * (i % 6);
        (void)mem_series_add(&mem, s, (int64_t)i * 30000, v, h);
    }
    arena_deinit(&a);
}

static void init(void) {
    mem_reader_init(&mem, (size_t)16 << 20);
    add("a{x=\"1\", y=\"2\"}", 1, 2, false);
    add("a{x=\"2\", y=\"2\"}", 5, -1, false);
    add("b_total{x=\"1\"}", 0, 10, false);
    add("b_bucket{le=\"1\"}", 0, 1, false);
    add("b_bucket{le=\"5\"}", 0, 3, false);
    add("b_bucket{le=\"+Inf\"}", 0, 4, false);
    add("h{x=\"1\"}", 0, 0, true);
    add("h{x=\"2\"}", 0, 1, true);
    add("target_info{instance=\"i\", job=\"j\", version=\"1\"}", 1, 0, false);
    add("c{instance=\"i\", job=\"j\"}", 1, 1, false);
    ready = true;
}

static void evaluate(const struct promql_expr *e, unsigned features, int64_t start, int64_t end,
                     int64_t step) {
    struct reader reader = mem_reader_view(&mem);
    struct promql_options opt = {
        .features = features, .samples_max = 100000, .memory_max = (size_t)8 << 20};
    struct promql_result r;
    struct err err;
    if (!promql_eval(e, &reader, start, end, step, &opt, &r, &err)) {
        if (err.code == ERR_OK || err.message[0] == 0)
            abort();
        return;
    }
    for (size_t k = 0; k < r.n_series; k++)
        for (size_t i = 1; i < r.series[k].n; i++)
            if (r.series[k].points[i].ts_ms <= r.series[k].points[i - 1].ts_ms)
                abort();
    promql_result_deinit(&r);
}

static void round_trip(const struct promql_expr *e, struct arena *a) {
    struct buf once = BUF_INIT, twice = BUF_INIT, other = BUF_INIT;
    struct err err;
    promql_print(e, &once);
    /* Printing may lengthen: what grows over the limits of the parser is not read back. */
    const struct promql_expr *again = promql_parse(buf_view(&once), PROMQL_ALL_FEATURES, a, &err);
    if (again) {
        promql_print(again, &twice);
        if (!str_eq(buf_view(&once), buf_view(&twice))) {
            (void)fprintf(stderr, "printed %.*s, then %.*s\n", STR_FMT(buf_view(&once)),
                          STR_FMT(buf_view(&twice)));
            abort();
        }
    }
    promql_pretty(e, &other);
    buf_reset(&other);
    promql_ast_json(e, &other);
    buf_deinit(&once);
    buf_deinit(&twice);
    buf_deinit(&other);
}

void fuzz_one(struct str text) {
    struct arena a = ARENA_INIT_MAX((size_t)64 << 20);
    struct err err;
    if (!ready)
        init();
    unsigned features = text.n && (unsigned char)text.p[0] % 3 == 0 ? 0 : PROMQL_ALL_FEATURES;
    struct promql_expr *e = promql_parse(text, PROMQL_ALL_FEATURES, &a, &err);
    if (e) {
        round_trip(e, &a);
        evaluate(e, features, 300000, 300000, 0);
        evaluate(e, features, 0, 600000, 45000);
    }
    arena_deinit(&a);
}

void fuzz_memory(struct str text) {
    struct arena a = ARENA_INIT_MAX((size_t)64 << 20);
    struct err err;
    if (!ready)
        init();
    struct promql_expr *e = promql_parse(text, PROMQL_ALL_FEATURES, &a, &err);
    struct reader reader = mem_reader_view(&mem);
    bool enough = !e;
    for (size_t max = 16; !enough && max < ((size_t)1 << 20); max += max < 20000 ? 112 : 4096) {
        struct promql_options opt = {.features = PROMQL_ALL_FEATURES, .memory_max = max};
        struct promql_result r;
        if (promql_eval(e, &reader, 0, 600000, 120000, &opt, &r, &err)) {
            promql_result_deinit(&r);
            enough = true;
        } else if (!strstr(err.message, "memory limit")) {
            enough = true; /* an error of the query itself */
        }
    }
    if (!enough)
        abort();
    arena_deinit(&a);
}

void fuzz_deinit(void) {
    if (ready)
        mem_reader_deinit(&mem);
    ready = false;
}
