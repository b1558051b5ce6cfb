#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/fhist.h"

#include <math.h>
#include <stdlib.h>

static struct arena arena;

static struct fhist *make(int32_t schema, double sum, int32_t offset, size_t n,
                          const double *counts) {
    struct fhist *h = ARENA_NEW(&arena, struct fhist);
    assert_non_null(h);
    h->schema = schema;
    h->sum = sum;
    h->positive.index = ARENA_ARRAY(&arena, int32_t, n);
    h->positive.count = ARENA_ARRAY(&arena, double, n);
    h->positive.n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        h->positive.index[i] = offset + (int32_t)i;
        h->positive.count[i] = counts[i];
        h->count += counts[i];
    }
    return h;
}
#define COUNTS(...)                                                                                \
    sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]) {                                 \
        __VA_ARGS__                                                                                \
    }

static void assert_text(const struct fhist *h, const char *text) {
    struct buf b = BUF_INIT;
    fhist_format(&b, h);
    assert_string_equal(b.p, text);
    buf_deinit(&b);
}

static int setup(void **state) {
    (void)state;
    arena = ARENA_INIT;
    return 0;
}
static int teardown(void **state) {
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static void test_bounds(void **state) {
    (void)state;
    struct fhist h = {.schema = 0};
    assert_true(fhist_bound(&h, 0) == 1 && fhist_bound(&h, 1) == 2 && fhist_bound(&h, -1) == 0.5);
    assert_true(fhist_bound(&h, 1024) == 0x1.fffffffffffffp+1023 && isinf(fhist_bound(&h, 1025)));
    h.schema = 2;
    assert_true(fhist_bound(&h, 4) == 2 && fhist_bound(&h, 2) == sqrt(2.0));
    h.schema = -2;
    assert_true(fhist_bound(&h, 1) == 16 && fhist_bound(&h, 0) == 1);
    const double custom[] = {5, 10};
    h = (struct fhist){.schema = FHIST_CUSTOM_SCHEMA, .custom = custom, .n_custom = 2};
    assert_true(fhist_bound(&h, -1) == -HUGE_VAL && fhist_bound(&h, 1) == 10 &&
                fhist_bound(&h, 2) == HUGE_VAL);
}

static void test_format(void **state) {
    (void)state;
    struct fhist *h = make(0, 18.4, 0, COUNTS(1, 0, 2));
    h->zero_threshold = 0.001;
    h->zero_count = 2;
    h->count += 2;
    assert_text(h, "{count:5, sum:18.4, [-0.001,0.001]:2, (0.5,1]:1, (2,4]:2}");
}

static void test_add_and_subtract(void **state) {
    (void)state;
    struct fhist *a = make(0, 5, 0, COUNTS(1, 2)), *b = make(0, 7, 1, COUNTS(3, 4));
    assert_int_equal(fhist_add(&arena, a, b, false, NULL, NULL), FHIST_OK);
    assert_text(a, "{count:10, sum:12, (0.5,1]:1, (1,2]:5, (2,4]:4}");
    assert_int_equal(fhist_add(&arena, a, b, true, NULL, NULL), FHIST_OK);
    fhist_compact(a);
    assert_true(fhist_equal(a, make(0, 5, 0, COUNTS(1, 2))));
    /* a finer one takes on the coarser schema */
    struct fhist *fine = make(1, 1, 1, COUNTS(1, 1, 1, 1));
    assert_int_equal(fhist_add(&arena, fine, make(0, 1, 1, COUNTS(10)), false, NULL, NULL),
                     FHIST_OK);
    assert_int_equal(fine->schema, 0);
    assert_text(fine, "{count:14, sum:2, (1,2]:12, (2,4]:2}");
}

static void test_zero_buckets(void **state) {
    (void)state;
    struct fhist *a = make(0, 0, 0, COUNTS(3, 1)), *b = make(0, 0, 2, COUNTS(5));
    a->zero_threshold = 0.001;
    b->zero_threshold =
        0.75; /* cuts (0.5,1] of a, which is populated: the threshold goes up to 1 */
    b->zero_count = 2;
    assert_int_equal(fhist_add(&arena, a, b, false, NULL, NULL), FHIST_OK);
    assert_true(a->zero_threshold == 1 && a->zero_count == 5);
    assert_int_equal(a->positive.n, 2);
    /* a threshold that is no number ends, too */
    struct fhist *c = make(0, 0, 0, COUNTS(1));
    c->zero_threshold = (double)NAN;
    assert_int_equal(fhist_add(&arena, c, b, false, NULL, NULL), FHIST_OK);
}

static struct fhist *custom(const double *bounds, uint32_t n_bounds, size_t n,
                            const double *counts) {
    struct fhist *h = make(FHIST_CUSTOM_SCHEMA, 1, 0, n, counts);
    h->custom = bounds;
    h->n_custom = n_bounds;
    return h;
}

static void test_custom_bounds(void **state) {
    (void)state;
    static const double five_ten[] = {5, 10}, ten_twenty[] = {10, 20};
    bool reconciled, collision;
    struct fhist *a = custom(five_ten, 2, COUNTS(1, 2, 3)),
                 *b = custom(ten_twenty, 2, COUNTS(4, 5, 6));
    a->hint = FHIST_RESET;
    b->hint = FHIST_NOT_RESET;
    assert_int_equal(fhist_add(&arena, a, b, false, &collision, &reconciled), FHIST_OK);
    assert_true(reconciled && collision);
    assert_int_equal(a->hint, FHIST_UNKNOWN);
    assert_int_equal(a->n_custom, 1);
    assert_text(a, "{count:21, sum:2, [-Inf,10]:7, (10,+Inf]:14}");
    struct fhist *exponential = make(0, 1, 0, COUNTS(1));
    assert_int_equal(fhist_add(&arena, exponential, b, false, NULL, NULL), FHIST_INCOMPATIBLE);
    assert_text(exponential, "{count:1, sum:1, (0.5,1]:1}");
}

static void test_resets(void **state) {
    (void)state;
    const struct fhist *a = make(0, 1, 0, COUNTS(1, 2)), *more = make(0, 1, 0, COUNTS(1, 3)),
                       *moved = make(0, 1, 0, COUNTS(3, 1));
    assert_false(fhist_detect_reset(&arena, more, a));
    assert_true(fhist_detect_reset(&arena, a, more));
    assert_true(
        fhist_detect_reset(&arena, moved, a)); /* the count is higher, one bucket is lower */
    assert_true(
        fhist_detect_reset(&arena, make(0, 1, 1, COUNTS(9)), a)); /* a populated bucket is gone */
    assert_true(fhist_detect_reset(&arena, make(1, 1, 0, COUNTS(9, 9)), a)); /* finer than before */
    assert_false(fhist_detect_reset(&arena, make(0, 1, 1, COUNTS(4)), make(1, 1, 1, COUNTS(2, 2))));
    struct fhist *told = fhist_copy(&arena, more);
    told->hint = FHIST_RESET;
    assert_true(fhist_detect_reset(&arena, told, a));
}

static void test_scale(void **state) {
    (void)state;
    struct fhist *h = make(0, 4, 0, COUNTS(2, 4));
    fhist_scale(h, -0.5);
    assert_int_equal(h->hint, FHIST_GAUGE);
    assert_text(h, "{count:-3, sum:-2, (0.5,1]:-1, (1,2]:-2}");
    fhist_divide(h, 0);
    assert_int_equal(h->positive.n, 0);
    assert_true(isinf(h->count));
}

static void test_buckets_in_order(void **state) {
    (void)state;
    struct fhist *h = make(0, 4, 1, COUNTS(2, 4)), *n = make(0, 4, 1, COUNTS(7, 8));
    size_t count;
    h->negative = n->positive;
    h->zero_threshold = 1.5; /* into (1,2] on both sides */
    h->zero_count = 3;
    struct fhist_bucket *b = fhist_buckets(&arena, h, &count);
    assert_int_equal(count, 5);
    const double lowers[] = {-4, -2, -1.5, 1.5, 2}, uppers[] = {-2, -1.5, 1.5, 2, 4},
                 counts[] = {8, 7, 3, 2, 4};
    for (size_t i = 0; i < 5; i++)
        assert_true(b[i].lower == lowers[i] && b[i].upper == uppers[i] && b[i].count == counts[i]);
}

/* Out of memory is said, wherever it happens. */
static void test_memory_runs_out(void **state) {
    (void)state;
    const struct fhist *a = make(0, 5, 0, COUNTS(1, 2)), *b = make(1, 7, 1, COUNTS(3, 4));
    for (size_t max = 16; max < 2000; max += 16) {
        struct arena small = ARENA_INIT_MAX(max);
        struct fhist *c = fhist_copy(&small, a);
        enum fhist_result r = c ? fhist_add(&small, c, b, false, NULL, NULL) : FHIST_NO_MEMORY;
        assert_true(r == FHIST_OK || r == FHIST_NO_MEMORY);
        assert_true((r == FHIST_OK) == !small.failed);
        arena_deinit(&small);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_add_and_subtract),
        cmocka_unit_test(test_zero_buckets),
        cmocka_unit_test(test_custom_bounds),
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_buckets_in_order),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
