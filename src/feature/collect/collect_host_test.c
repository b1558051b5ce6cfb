/* Against the machine that runs the test: whatever it is, the basics must be there and be
 * plausible. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feature/collect/collect_testlib.h"
#include "os/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void meta(void *self, const struct metric_meta *m) {
    assert_true(m->metric.n > 0);
    assert_true(m->help.n > 0);
    assert_int_not_equal(m->type, METRIC_UNKNOWN + 100);
    (*(size_t *)self)++;
}

static void first_screen(void **state) {
    (void)state;
    struct testsink sink = {0};
    struct err err = {0};
    size_t metas = 0;
    struct clock_manual manual = {clock_system()->wall(clock_system()->self).ns, 1000000000};
    struct clock clock = clock_manual_view(&manual);
    struct collect_options opt = {.clock = &clock,
                                  .sink = testsink_view(&sink),
                                  .meta = meta,
                                  .meta_self = &metas,
                                  .no_threads = true};
    struct collect *c = collect_new(&opt, &err);
    assert_non_null(c);
    for (int i = 0; i < 3; i++) {
        assert_true(collect_tick(c, &err));
        clock_manual_advance(&manual, DUR_S(1));
    }
    assert_int_equal(sink.batches, 3);
    assert_true(metas > 50);
    struct arena a = ARENA_INIT;
    struct overview o;
    assert_true(collect_overview(c, &a, &o));
    assert_true(o.host.name.n > 0);
    assert_true(o.memory.total_bytes > 1 << 20);
    assert_true(o.memory.used_bytes > 0 && o.memory.used_bytes < o.memory.total_bytes);
    assert_true(o.cpu.n_cores > 0);
    assert_true(o.cpu.load1 >= 0);
    assert_true(o.n_sources > 5);
    assert_true(o.host.cpus > 0);
    struct overview_point p[OVERVIEW_HISTORY_POINTS];
    assert_int_equal(collect_history(c, p, OVERVIEW_HISTORY_POINTS), 3);
    assert_true(p[0].t_ms < p[2].t_ms);
    assert_true(p[2].memory_used_ratio > 0 && p[2].memory_used_ratio < 1);
    for (size_t i = 0; i < o.n_sources; i++)
        if (o.sources[i].freshness != FRESH_OK)
            print_message("%.*s: %.*s\n", STR_FMT(o.sources[i].name), STR_FMT(o.sources[i].detail));
    if (getenv("HINOMI_DUMP")) /* for a person: what would be written now */
        for (struct map_entry *e = map_next(&sink.series, NULL); e; e = map_next(&sink.series, e))
            printf("%.*s %.17g\n", STR_FMT(e->key), ((struct testpoint *)e->value)->value);
    arena_deinit(&a);
    collect_free(c);
    testsink_deinit(&sink);
}

static void threads_run_and_stop(void **state) {
    (void)state;
    struct testsink sink = {0};
    struct err err = {0};
    struct collect_options opt = {.sink = testsink_view(&sink)};
    struct collect *c = collect_new(&opt, &err);
    assert_non_null(c);
    struct arena a = ARENA_INIT;
    struct overview o;
    assert_true(collect_overview(c, &a, &o));
    assert_true(o.memory.total_bytes >
                0); /* the first reading is made before collect_new returns */
    arena_deinit(&a);
    collect_free(c);
    assert_true(sink.batches >= 1);
    testsink_deinit(&sink);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(first_screen),
                                       cmocka_unit_test(threads_run_and_stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
