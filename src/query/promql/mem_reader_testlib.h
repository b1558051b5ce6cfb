/* mem_reader_testlib.h - series in memory behind model/reader.h, for tests, fuzzing and benchmarks.
 */
#ifndef PROMQL_MEM_READER_TESTLIB_H
#define PROMQL_MEM_READER_TESTLIB_H

#include "model/fhist.h"
#include "model/reader.h"

struct mem_series {
    struct labels labels;
    int64_t *ts;
    double *v;
    const struct fhist **hist; /* NULL: floats only */
    size_t n, cap;
    bool sorted;
};

struct mem_reader {
    struct arena arena;
    struct mem_series **series; /* sorted by labels */
    size_t n, cap;
    uint64_t selects;
};

void mem_reader_init(struct mem_reader *m, size_t bytes_max);
void mem_reader_deinit(struct mem_reader *m);
void mem_reader_clear(struct mem_reader *m);
/* The series of these labels, made when there is none; NULL: no memory. */
struct mem_series *mem_reader_series(struct mem_reader *m, struct labels labels);
/* In order of time; a timestamp that is there already is overwritten. hist NULL: a float. */
bool mem_series_add(struct mem_reader *m, struct mem_series *s, int64_t ts, double v,
                    const struct fhist *hist);
/* Gives histograms the reset hints that Prometheus's storage would answer with (first of a chunk:
 * unknown). */
void mem_series_hints(struct mem_reader *m, struct mem_series *s);
struct reader mem_reader_view(struct mem_reader *m);

#endif
