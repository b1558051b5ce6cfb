/* agent_testlib.h - a store in memory that commits positions with rows, as store/series does, and
 * survives the death of the server that writes to it. */
#ifndef AGENT_TESTLIB_H
#define AGENT_TESTLIB_H

#include "base/map.h"
#include "model/sink.h"

struct teststore {
    struct map counts;    /* "series@ts=value" -> times it was written (must end at 1) */
    struct map positions; /* agent -> struct testposition */
    size_t rows, batches, metas;
    int fail_next; /* that many writes fail with ERR_UNAVAILABLE */
};
struct testposition {
    uint64_t segment, offset;
};
struct sink teststore_sink(struct teststore *s);
void teststore_position(void *self, struct str agent, uint64_t *out_segment, uint64_t *out_offset);
void teststore_meta(void *self, const struct metric_meta *m, size_t n);
/* How often the sample was written. */
size_t teststore_count(const struct teststore *s, const char *sample);
size_t teststore_most(const struct teststore *s); /* of any sample */
void teststore_deinit(struct teststore *s);

void agent_testdir(char out[256]); /* a fresh temporary folder */
void agent_testdir_remove(const char *dir);

#endif
