/* collect_testlib.h - for the tests of this room: a sink in memory, and trees of files to read. */
#ifndef COLLECT_TESTLIB_H
#define COLLECT_TESTLIB_H

#include "base/map.h"
#include "feature/collect/collect.h"

struct testsink {
    struct map series;             /* "name{labels}" -> struct testpoint */
    size_t batches, rows, refused; /* refused: rows whose labels are not valid */
    bool fail;
    uint64_t next_ref;
};
struct testpoint {
    double value;
    int64_t ts_ms;
    size_t samples;
    bool stale;
    uint64_t ref;
};
struct sink testsink_view(struct testsink *s);
void testsink_deinit(struct testsink *s);
/* The last value of a series written as Prometheus prints it; NULL: never seen. */
const struct testpoint *testsink_get(const struct testsink *s, const char *series);

struct testtree {
    char dir[256];
};
void testtree_init(struct testtree *t); /* a fresh temporary folder */
void testtree_deinit(struct testtree *t);
/* path below the folder; parents are made; an existing file is rewritten in place. */
void testtree_put(struct testtree *t, const char *path, struct str content);
void testtree_del(struct testtree *t, const char *path);
void testtree_link(struct testtree *t, const char *path, const char *target);

#endif
