/* A target of 10,000 series scraped again and again: CPU of what happens between the body and the
 * sink, with an unchanged layout, and with a page whose lines change places each time. */
#include "feature/ingest/scrape_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_s(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_page(struct buf *b, int salt, bool moved) {
    for (int i = 0; i < 10000; i++) {
        int k = moved ? (i + salt * 37) % 10000 : i;
        buf_printf(b,
                   "app_requests_total{method=\"GET\",path=\"/api/v1/items/%d\",code=\"200\"} %d\n",
                   k, salt * 31 + k);
    }
}

static double run(bool moved, int rounds) {
    struct buf pages[4] = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
    const struct label target[] = {{STR("instance"), STR("127.0.0.1:8080")},
                                   {STR("job"), STR("app")}};
    struct scrape_rules rules = {.target = {target, 2}, .honor_timestamps = true, .epoch = 1};
    struct scrape_scratch s = SCRAPE_SCRATCH_INIT;
    struct scrape_counts counts;
    struct err err;
    struct scrape_cache *c = scrape_cache_new(&err);
    if (!c)
        exit(1);
    for (int i = 0; i < 4; i++)
        make_page(&pages[i], i, moved);
    double t = 0;
    for (int i = 0; i < rounds + 4; i++) {
        if (i == 4)
            t = now_s();
        struct scrape_report report = {.up = true};
        if (!scrape_cache_page(c, &rules, buf_view(&pages[i % 4]), PROMTEXT_PLAIN, i * 1000, &s,
                               &counts, &err) ||
            !scrape_cache_report(c, &rules, &report, i * 1000, &s, &err)) {
            (void)fprintf(stderr, "%s\n", err.message);
            exit(1);
        }
        scrape_cache_written(c, &s);
    }
    t = now_s() - t;
    for (int i = 0; i < 4; i++)
        buf_deinit(&pages[i]);
    scrape_cache_free(c, &rules);
    scrape_scratch_deinit(&s);
    return t / rounds;
}

int main(void) {
    double same = run(false, 400), moved = run(true, 40);
    printf("page of 10,000 series to rows: %.3f CPU ms (layout as before), %.3f CPU ms (lines "
           "moved)\n",
           same * 1e3, moved * 1e3);
    printf("at one scrape a second: %.3f %% and %.3f %% of a core\n", same * 100, moved * 100);
    return 0;
}
