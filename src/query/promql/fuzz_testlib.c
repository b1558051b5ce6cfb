#include "query/promql/fuzz_testlib.h"

#include "query/promql/mem_reader_testlib.h"
#include "query/promql/promql.h"

#include <math.h>
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

static const struct promql_options capped = {
    .features = PROMQL_ALL_FEATURES, .samples_max = 100000, .memory_max = (size_t)8 << 20};

static void check_result(const struct promql_result *r) {
    for (size_t k = 0; k < r->n_series; k++)
        for (size_t i = 1; i < r->series[k].n; i++)
            if (r->series[k].points[i].ts_ms <= r->series[k].points[i - 1].ts_ms)
                abort();
}

static bool evaluate(const struct promql_expr *e, unsigned features, int64_t start, int64_t end,
                     int64_t step, struct promql_result *r) {
    struct reader reader = mem_reader_view(&mem);
    struct promql_options opt = capped;
    struct err err;
    opt.features = features;
    if (!promql_eval(e, &reader, start, end, step, &opt, r, &err)) {
        if (err.code == ERR_OK || err.message[0] == 0)
            abort();
        return false;
    }
    check_result(r);
    return true;
}

static void evaluate_only(const struct promql_expr *e, unsigned features, int64_t start,
                          int64_t end, int64_t step) {
    struct promql_result r;
    if (evaluate(e, features, start, end, step, &r))
        promql_result_deinit(&r);
}

static bool close_to(double a, double b) {
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b));
}

static const struct promql_point *point_at(const struct promql_series *s, int64_t ts) {
    for (size_t i = 0; i < s->n; i++)
        if (s->points[i].ts_ms == ts)
            return &s->points[i];
    return NULL;
}

static bool same_at(const struct promql_result *range, const struct promql_result *one,
                    int64_t ts) {
    size_t found = 0;
    if (one->type == PROMQL_SCALAR) {
        const struct promql_point *p =
            range->n_series == 1 ? point_at(&range->series[0], ts) : NULL;
        return p && close_to(p->value, one->scalar);
    }
    for (size_t k = 0; k < range->n_series; k++) {
        const struct promql_point *p = point_at(&range->series[k], ts);
        if (!p)
            continue;
        found++;
        bool same = false;
        for (size_t i = 0; i < one->n_series && !same; i++) {
            const struct promql_point *o = &one->series[i].points[0];
            same = labels_eq(one->series[i].labels, range->series[k].labels) &&
                   !o->hist == !p->hist &&
                   (o->hist ? close_to(o->hist->count, p->hist->count) &&
                                  close_to(o->hist->sum, p->hist->sum)
                            : close_to(o->value, p->value));
        }
        if (!same)
            return false;
    }
    return found == one->n_series;
}

/* What a range query gives at a step is what an instant query gives there; but for what looks at
 * the range itself, and for ties, which go by the order of the input. */
static void range_is_instants(const struct promql_expr *e, struct str text) {
    static const char *const apart[] = {"step", "start", "end", "topk", "bottomk", "limit"};
    struct promql_result range, one;
    if (promql_type(e) != PROMQL_SCALAR && promql_type(e) != PROMQL_VECTOR)
        return;
    for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
        if (str_find(text, str_from(apart[i])) != SIZE_MAX)
            return;
    if (!evaluate(e, PROMQL_ALL_FEATURES, 0, 630000, 45000, &range))
        return;
    for (int64_t ts = 0; ts <= 630000; ts += 45000) {
        if (!evaluate(e, PROMQL_ALL_FEATURES, ts, ts, 0, &one) || !same_at(&range, &one, ts)) {
            (void)fprintf(stderr, "%.*s: at %lld the range and the instant query differ\n",
                          STR_FMT(text), (long long)ts);
            abort();
        }
        promql_result_deinit(&one);
    }
    promql_result_deinit(&range);
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
        evaluate_only(e, features, 300000, 300000, 0);
        evaluate_only(e, features, 0, 600000, 45000);
        struct buf canonical = BUF_INIT;
        promql_print(e, &canonical);
        range_is_instants(e, buf_view(&canonical));
        buf_deinit(&canonical);
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
