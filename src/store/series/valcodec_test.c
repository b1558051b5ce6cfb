
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/sample.h"
#include "store/series/valcodec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t seed;
static uint64_t rnd(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static size_t round_trip(const double *v, size_t n) {
    static uint8_t out[VALCODEC_BYTES_MAX(VALCODEC_N_MAX)];
    static double back[VALCODEC_N_MAX];
    size_t k = valcodec_encode(v, n, out);
    assert_true(k <= VALCODEC_BYTES_MAX(n));
    uint8_t *exact = malloc(k); /* so that ASan sees a read past the end */
    assert_non_null(exact);
    memcpy(exact, out, k);
    assert_true(valcodec_decode(str_make((char *)exact, k), back, n));
    assert_memory_equal(v, back, n * 8);
    for (size_t cut = 0; cut < k; cut++)
        assert_false(valcodec_decode(str_make((char *)exact, cut), back, n));
    free(exact);
    return k;
}

static double shape(unsigned kind, size_t i, double *state) {
    static const double odd[] = {
        0.0, -0.0, INFINITY, -INFINITY, 4.9e-324, -2.2e-310, 1.7976931348623157e308};
    switch (kind) {
    case 0:
        return 42;
    case 1:
        return *state += (double)(rnd() % 1000);
    case 2:
        return (double)(int64_t)(rnd() % 20000 - 10000) / 100;
    case 3:
        return (double)rnd() / 3.0e18;
    case 4:
        return sample_from_bits(rnd());
    case 5:
        return rnd() % 10 ? (double)(rnd() % 7) : sample_stale();
    case 6:
        return odd[rnd() % 7];
    case 7:
        return 0.1 * (double)i;
    case 8:
        return rnd() % 50 ? (*state += 1e9) : (*state = 0);
    case 11:
        return *state += rnd() % 30 ? (double)(rnd() % 10) : (double)(rnd() % 1000000) - 400000;
    case 12:
        return (double)(int64_t)(rnd() % 1000) * 4096 * (rnd() & 1 ? 1 : -1);
    case 9:
        return (double)(int64_t)(rnd() >> 10) * (rnd() & 1 ? 1 : -1);
    default:
        return sample_from_bits(SAMPLE_NAN_BITS + rnd() % 5);
    }
}

static void test_round_trip(void **unused) {
    (void)unused;
    seed = (uint64_t)time(NULL) | 1;
    print_message("seed %llu\n", (unsigned long long)seed);
    static double v[VALCODEC_N_MAX];
    static const size_t sizes[] = {1, 2, 3, 7, 127, 128, 129, 130, 257, 1023, 1024};
    for (unsigned kind = 0; kind <= 12; kind++)
        for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
            double state = 0;
            for (size_t i = 0; i < sizes[s]; i++)
                v[i] = shape(kind, i, &state);
            (void)round_trip(v, sizes[s]);
        }
    for (unsigned round = 0; round < 200; round++) {
        size_t n = rnd() % VALCODEC_N_MAX + 1;
        double state = 0;
        for (size_t i = 0; i < n; i++)
            v[i] = shape((unsigned)(rnd() % 13), i, &state);
        (void)round_trip(v, n > 64 ? 64 : n);
    }
}

static void test_sizes(void **unused) {
    (void)unused;
    static double v[VALCODEC_N_MAX];
    for (size_t i = 0; i < VALCODEC_N_MAX; i++)
        v[i] = 17.25;
    assert_true(round_trip(v, VALCODEC_N_MAX) <= 8);
    for (size_t i = 0; i < VALCODEC_N_MAX; i++)
        v[i] = 1e6 + (double)i * 15;
    assert_true(round_trip(v, VALCODEC_N_MAX) <= 12);
    seed = 7;
    for (size_t i = 0; i < VALCODEC_N_MAX; i++)
        v[i] = (double)(5000 + (int64_t)(rnd() % 256)) / 10;
    assert_true(round_trip(v, VALCODEC_N_MAX) <= VALCODEC_N_MAX + 64); /* 8 bits a value */
    double state = 0;
    for (size_t i = 0; i < VALCODEC_N_MAX; i++) /* 4 bits a value, and a burst in every hundred */
        v[i] = state += i % 100 ? (double)(rnd() % 16) : 1e6;
    assert_true(round_trip(v, VALCODEC_N_MAX) <= VALCODEC_N_MAX / 2 + 140);
    for (size_t i = 0; i < VALCODEC_N_MAX; i++) /* pages: 10 bits a value */
        v[i] = (double)(rnd() % 1024) * 4096;
    assert_true(round_trip(v, VALCODEC_N_MAX) <= VALCODEC_N_MAX * 10 / 8 + 64);
}

static void test_ints(void **unused) {
    (void)unused;
    static int64_t v[VALCODEC_N_MAX], back[VALCODEC_N_MAX];
    static uint8_t out[VALCODEC_BYTES_MAX(VALCODEC_N_MAX)];
    seed = 99;
    for (unsigned round = 0; round < 500; round++) {
        size_t n = rnd() % VALCODEC_N_MAX + 1;
        unsigned shift = (unsigned)(rnd() % 64);
        for (size_t i = 0; i < n; i++) /* now and then far outside: patches */
            v[i] = (int64_t)(rnd() >> (rnd() % 40 ? shift : shift / 3)) * (rnd() & 1 ? 1 : -1);
        v[0] = round % 3 ? v[0] : INT64_MIN;
        size_t k = valcodec_ints_encode(v, n, out);
        assert_true(k <= VALCODEC_BYTES_MAX(n));
        assert_true(valcodec_ints_decode(str_make((char *)out, k), back, n));
        assert_memory_equal(v, back, n * 8);
    }
    for (size_t i = 0; i < 1024; i++)
        v[i] = INT64_C(1700000000000) + (int64_t)i * 15000;
    assert_true(valcodec_ints_encode(v, 1024, out) <= 12);
}

/* Random bytes must be refused or decoded, never read out of bounds (ASan watches). */
static void test_garbage(void **unused) {
    (void)unused;
    static double back[VALCODEC_N_MAX];
    seed = 1234567;
    for (unsigned round = 0; round < 20000; round++) {
        size_t k = rnd() % 64 + 1;
        uint8_t *g = malloc(k);
        assert_non_null(g);
        for (size_t i = 0; i < k; i++)
            g[i] = (uint8_t)rnd();
        g[0] = (uint8_t)(rnd() % 4);
        (void)valcodec_decode(str_make((char *)g, k), back, rnd() % VALCODEC_N_MAX + 1);
        free(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
                                       cmocka_unit_test(test_sizes), cmocka_unit_test(test_ints),
                                       cmocka_unit_test(test_garbage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
