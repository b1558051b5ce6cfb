/* series_testlib.h - a folder, a clock and a naive store to hold the real one to. Tests only. */
#ifndef STORE_SERIES_TESTLIB_H
#define STORE_SERIES_TESTLIB_H

#include "model/sample.h"
#include "store/series/series.h"

struct naive_sample {
    int64_t ts_ms;
    double value;
};
struct naive_series {
    struct label label[4];
    struct labels labels;
    char text[4][40];
    struct naive_sample *v;
    size_t n, cap;
};
struct naive {
    struct naive_series *s;
    size_t n;
};

uint64_t test_rnd(uint64_t *state);
char *test_dir(void); /* a fresh folder under TMPDIR; free with test_dir_free */
void test_dir_free(char *dir);
void test_copy_tree(const char *from, const char *to);
void naive_init(struct naive *n, size_t series);
void naive_deinit(struct naive *n);
/* 0: new, 1: equal is there, 2: a different one is there. Inserts when new and add is true. */
int naive_put(struct naive *n, size_t series, int64_t ts_ms, double v, bool add);
/* The store shows exactly what the naive one has, over the whole range and over some random ones.
 */
void naive_compare(const struct naive *n, struct series_store *s, uint64_t *rnd);
struct series_store *test_open(const char *dir, struct clock_manual *clock, int64_t past_ms);

#endif
