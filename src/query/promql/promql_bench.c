/* CPU of the evaluator over a synthetic reader: dashboards' usual shapes. Prints one line a query.
 */
#include "query/promql/promql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct synthetic {
    struct labels *labels; /* sorted */
    double **values;
    int64_t *ts;
    size_t n_series, n_samples;
    int64_t step;
    struct arena arena;
};
struct view {
    struct reader_set set;
    struct synthetic *s;
    size_t *index;
};

static struct labels view_labels(struct reader_set *set, size_t i) {
    struct view *v = (struct view *)(void *)set;
    return v->s->labels[v->index[i]];
}
static bool view_read(struct reader_set *set, size_t i, int64_t start, int64_t end,
                      struct series_data *out, struct err *err) {
    struct view *v = (struct view *)(void *)set;
    struct synthetic *s = v->s;
    (void)err;
    size_t from = start <= 0 ? 0 : (size_t)((start + s->step - 1) / s->step),
           to = end < 0 ? 0 : (size_t)(end / s->step) + 1;
    to = to > s->n_samples ? s->n_samples : to;
    from = from > to ? to : from;
    *out = (struct series_data){s->ts + from, s->values[v->index[i]] + from, NULL, to - from};
    return true;
}
static void view_free(struct reader_set *set) {
    free(((struct view *)(void *)set)->index);
    free(set);
}
static const struct reader_set_ops view_ops = {view_labels, view_read, view_free};

static bool bench_select(void *self, const struct reader_query *q, struct reader_set **out,
                         struct err *err) {
    struct synthetic *s = self;
    struct view *v = calloc(1, sizeof(*v));
    size_t *index = calloc(s->n_series, sizeof(*index));
    if (!v || !index) {
        free(v);
        free(index);
        return err_set(err, ERR_INTERNAL, "out of memory");
    }
    *v = (struct view){{&view_ops, 0}, s, index};
    for (size_t i = 0; i < s->n_series; i++)
        if (matchers_match(q->matchers, q->n_matchers, s->labels[i]))
            index[v->set.count++] = i;
    *out = &v->set;
    return true;
}
static const struct reader_ops bench_ops = {.select = bench_select};

static void add(struct synthetic *s, const char *text, double slope) {
    struct err err;
    if (!labels_parse(str_from(text), &s->arena, &s->labels[s->n_series], &err))
        abort();
    double *v = calloc(s->n_samples, sizeof(*v));
    if (!v)
        abort();
    for (size_t i = 0; i < s->n_samples; i++)
        v[i] = (double)(long long)(slope * (double)(i % 977) + (double)(i % 7));
    s->values[s->n_series++] = v;
}

static void fill(struct synthetic *s) {
    static const char *const bounds[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
                                         "0.5",   "1",    "2.5",   "5",    "10",  "25",
                                         "50",    "100",  "250",   "+Inf"};
    char text[200];
    s->step = 15000;
    s->n_samples = 6 * 240 + 40;
    s->ts = calloc(s->n_samples, sizeof(*s->ts));
    s->labels = calloc(10000, sizeof(*s->labels));
    s->values = calloc(10000, sizeof(*s->values));
    for (size_t i = 0; i < s->n_samples; i++)
        s->ts[i] = (int64_t)i * s->step;
    for (int i = 0; i < 5600; i++) {
        (void)snprintf(text, sizeof(text),
                       "cpu_total{cpu=\"%d\", host=\"host-%d\", job=\"node\", mode=\"m%d\"}", i % 8,
                       i / 56, i / 8 % 7);
        add(s, text, 1 + i % 13);
    }
    for (int i = 0; i < 3200; i++) {
        (void)snprintf(text, sizeof(text),
                       "latency_bucket{instance=\"i-%d\", job=\"api\", le=\"%s\"}", i / 16,
                       bounds[i % 16]);
        add(s, text, 1 + i % 16);
    }
    for (int i = 0; i < 200; i++) {
        (void)snprintf(text, sizeof(text), "requests_total{instance=\"i-%d\", job=\"api\"}", i);
        add(s, text, 3 + i % 5);
    }
}

static void run(struct synthetic *s, const char *name, const char *query, int64_t start,
                int64_t end, int64_t step) {
    struct arena a = ARENA_INIT;
    struct err err;
    struct reader reader = {&bench_ops, s};
    struct promql_expr *e = promql_parse(str_from(query), 0, &a, &err);
    double best = 1e9;
    size_t series = 0;
    for (int k = 0; e && k < 5; k++) {
        struct promql_result r;
        clock_t t = clock();
        if (!promql_eval(e, &reader, start, end, step, NULL, &r, &err)) {
            printf("%s: %s\n", name, err.message);
            break;
        }
        double ms = (double)(clock() - t) * 1000 / CLOCKS_PER_SEC;
        best = ms < best ? ms : best;
        series = r.n_series;
        promql_result_deinit(&r);
    }
    if (!e)
        printf("%s: %s\n", name, err.message);
    printf("%-34s %8.1f ms CPU  (%zu series)\n", name, best, series);
    arena_deinit(&a);
}

int main(void) {
    static struct synthetic s;
    const int64_t hour = 3600000, end = 6 * hour + 300000;
    s.arena = ARENA_INIT_MAX((size_t)256 << 20);
    fill(&s);
    run(&s, "sum by(host)(rate) 5600x6h@60s", "sum by(host)(rate(cpu_total[5m]))", end - 6 * hour,
        end, 60000);
    run(&s, "rate 200x1h@15s", "rate(requests_total[5m])", end - hour, end, 15000);
    run(&s, "histogram_quantile 3200x1h@15s", "histogram_quantile(0.99, rate(latency_bucket[5m]))",
        end - hour, end, 15000);
    run(&s, "histogram_quantile sum by(le) 6h",
        "histogram_quantile(0.99, sum by(le)(rate(latency_bucket[5m])))", end - 6 * hour, end,
        60000);
    run(&s, "plain selector 5600x6h@60s", "cpu_total", end - 6 * hour, end, 60000);
    run(&s, "ratio 5600/5600 1h@60s", "cpu_total / cpu_total", end - hour, end, 60000);
    run(&s, "topk(5, rate) 5600x1h@60s", "topk(5, rate(cpu_total[5m]))", end - hour, end, 60000);
    run(&s, "max_over_time[1h] 5600x1h@60s", "max by(host)(max_over_time(cpu_total[1h]))",
        end - hour, end, 60000);
    run(&s, "instant sum by(host)(rate) 5600", "sum by(host)(rate(cpu_total[5m]))", end, end, 0);
    for (size_t i = 0; i < s.n_series; i++)
        free(s.values[i]);
    free(s.values);
    free(s.labels);
    free(s.ts);
    arena_deinit(&s.arena);
    return 0;
}
