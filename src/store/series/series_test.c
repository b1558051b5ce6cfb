
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/remote_write.h"
#include "codec/snappy.h"
#include "os/clock.h"
#include "os/file.h"
#include "store/series/series_testlib.h"
#include "store/series/sio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static bool put_rows(struct series_store *s, const struct batch_row *rows, size_t n,
                     struct write_result *out) {
    struct sink k = series_sink(s);
    struct batch b = {.kind = SOURCE_SCRAPE, .source = STR("test"), .rows = rows, .n = n};
    struct err err = {0};
    return sink_write(&k, &b, out, &err);
}

static void put_body(struct series_store *s, const struct batch_row *rows, size_t n,
                     struct series_hint *h, struct write_result *out) {
    struct buf plain = BUF_INIT, body = BUF_INIT;
    struct err err = {0};
    for (size_t i = 0; i < n; i++) {
        struct sample x = {rows[i].ts_ms, rows[i].value};
        remote_write_put_series(&plain, rows[i].labels, &x, 1);
    }
    assert_true(snappy_block_encode(buf_view(&plain), &body, &err));
    if (!series_remote_write(s, buf_view(&body), STR("test"), h, out, &err))
        fail_msg("%s", err.message);
    buf_deinit(&plain);
    buf_deinit(&body);
}

/* One random batch: mostly the next moment of a scrape, some late samples, some duplicates. */
static void random_batch(struct naive *n, struct series_store *s, struct series_hint *h,
                         int64_t now, uint64_t *rnd) {
    struct batch_row rows[64];
    size_t k = 0, want_ok = 0, want_dup = 0;
    int64_t base = now - (int64_t)(test_rnd(rnd) % 5 ? 0 : test_rnd(rnd) % 400000);
    for (size_t i = 0; i < n->n && k < 64; i++) {
        if (test_rnd(rnd) % 9 == 0)
            continue;
        int64_t ts = test_rnd(rnd) % 25 ? base : now - (int64_t)(test_rnd(rnd) % 600000);
        double v = i % 4 == 0   ? 1.5
                   : i % 4 == 1 ? (double)(now / 1000)
                   : i % 4 == 2 ? (double)test_rnd(rnd) / 7
                                : (double)(test_rnd(rnd) % 100) / 10;
        if (test_rnd(rnd) % 40 == 0)
            v = sample_stale();
        int r = naive_put(n, i, ts, v, true);
        want_ok += r != 2;
        want_dup += r == 2;
        rows[k++] = (struct batch_row){n->s[i].labels, ts, v};
    }
    struct write_result out = {0};
    if (test_rnd(rnd) & 1)
        put_body(s, rows, k, h, &out);
    else
        assert_true(put_rows(s, rows, k, &out));
    assert_int_equal(out.accepted, want_ok);
    assert_int_equal(out.rejected[REJECT_DUPLICATE], want_dup);
}

static void test_against_naive(void **unused) {
    (void)unused;
    const char *given = getenv("HINOMI_TEST_SEED");
    uint64_t rnd = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) | 1;
    print_message("HINOMI_TEST_SEED=%llu\n", (unsigned long long)rnd);
    char *dir = test_dir(), copy[300];
    struct clock_manual clock = {.wall_ns = INT64_C(1700000000) * 1000000000, .mono_ns = 1};
    struct naive n;
    naive_init(&n, 60);
    struct series_hint *h = series_hint_new();
    struct series_store *s = test_open(dir, &clock, 0);
    struct err err = {0};
    for (int round = 0; round < 400; round++) {
        clock_manual_advance(&clock, DUR_MS(15000));
        random_batch(&n, s, h, clock.wall_ns / 1000000, &rnd);
        unsigned what = (unsigned)(test_rnd(&rnd) % 60);
        if (what == 0) {
            series_close(s);
            s = test_open(dir, &clock, 0);
            naive_compare(&n, s, &rnd);
        } else if (what == 1) { /* what kill -9 leaves behind */
            (void)snprintf(copy, sizeof(copy), "%s-copy", dir);
            test_copy_tree(dir, copy);
            struct series_store *killed = test_open(copy, &clock, 0);
            naive_compare(&n, killed, &rnd);
            series_close(killed);
            assert_true(file_remove_tree(copy, &err));
        } else if (what < 6) {
            if (!series_maintain(s, &err))
                fail_msg("%s", err.message);
            naive_compare(&n, s, &rnd);
        } else if (what < 10) {
            naive_compare(&n, s, &rnd);
        }
    }
    series_close(s);
    bool clean = false;
    struct buf report = BUF_INIT;
    assert_true(series_verify(dir, &report, &clean, &err));
    if (!clean)
        fail_msg("%s", report.p);
    buf_deinit(&report);
    series_hint_free(h);
    naive_deinit(&n);
    test_dir_free(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_naive)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
