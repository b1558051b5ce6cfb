/* One page of 10,000 series: the whole parse, and the read by the layout of last time. */
#include "codec/promtext.h"
#include "codec/promtext_layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_s(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_page(struct buf *b, int salt, bool om) {
    for (int m = 0; m < 100; m++) {
        buf_printf(b,
                   "# HELP app_requests%d Requests seen by the application.\n# TYPE app_requests%d "
                   "counter\n",
                   m, m);
        for (int i = 0; i < 100; i++)
            buf_printf(b,
                       "app_requests%d_total{method=\"GET\",path=\"/api/v1/items/"
                       "%d\",code=\"200\"} %d.%d\n",
                       m, i, salt * 31 + i * 977, i % 10);
    }
    if (om)
        buf_putz(b, "# EOF\n");
}

static size_t parse(struct str page, enum promtext_format f, struct promtext_layout *l) {
    struct arena a = ARENA_INIT;
    struct promtext p;
    struct promtext_item it;
    struct err err;
    size_t n = 0;
    if (!promtext_init(&p, page, f, &a, &err))
        exit(1);
    promtext_layout_begin(l, f);
    do {
        if (!promtext_next(&p, &it, &err)) {
            (void)fprintf(stderr, "%s\n", err.message);
            exit(1);
        }
        n += it.kind == PROMTEXT_SAMPLE;
        if (it.kind == PROMTEXT_SAMPLE || it.kind == PROMTEXT_END)
            promtext_layout_add(l, &it);
    } while (it.kind != PROMTEXT_END);
    arena_deinit(&a);
    return n;
}

int main(void) {
    for (int om = 0; om < 2; om++) {
        enum promtext_format f = om ? PROMTEXT_OPENMETRICS : PROMTEXT_PLAIN;
        struct promtext_layout l = PROMTEXT_LAYOUT_INIT;
        struct buf pages[2] = {BUF_INIT, BUF_INIT};
        make_page(&pages[0], 1, om);
        make_page(&pages[1], 7, om);
        double t = now_s();
        size_t n = 0;
        for (int i = 0; i < 20; i++)
            n += parse(buf_view(&pages[i & 1]), f, &l);
        double whole = now_s() - t;
        struct promtext_value *v = calloc(l.n, sizeof(*v));
        size_t m = 0, at;
        bool all;
        if (!v)
            return 1;
        t = now_s();
        for (int i = 0; i < 200; i++)
            m += promtext_layout_read(&l, buf_view(&pages[i & 1]), v, &at, &all);
        double predicted = now_s() - t;
        printf("%-12s whole parse %.3f CPU s per million samples, by layout %.3f\n",
               om ? "openmetrics" : "text", whole / (double)n * 1e6, predicted / (double)m * 1e6);
        free(v);
        buf_deinit(&pages[0]);
        buf_deinit(&pages[1]);
        promtext_layout_deinit(&l);
    }
    return 0;
}
