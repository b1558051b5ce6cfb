/* fspool.h - asks file systems for their size without ever making the asker wait: a hung NFS server
 * holds statvfs(2) for ever, so it is called on threads of its own. A mount that has not answered
 * for FSPOOL_STUCK_S is "stuck"; another thread then serves the others, up to FSPOOL_THREADS_MAX.
 *
 * fspool_ask is called by one thread; results come back at a later call. A stuck thread outlives
 * fspool_free by design (it cannot be interrupted) and frees its own memory when the mount answers.
 */
#ifndef COLLECT_FSPOOL_H
#define COLLECT_FSPOOL_H

#include "base/str.h"
#include "base/timev.h"

#define FSPOOL_STUCK_S 5
#define FSPOOL_THREADS_MAX 4

struct fspool;
struct fspool_result {
    bool known; /* false: not yet asked to the end */
    bool stuck; /* no answer for FSPOOL_STUCK_S */
    int sys_errno;
    uint64_t size_bytes, free_bytes, avail_bytes, files, files_free;
    bool read_only;
};
/* stat: statvfs(3), or a test's double. */
struct fspool *fspool_new(const struct clock *clock,
                          int (*stat)(const char *path, struct fspool_result *out));
void fspool_free(struct fspool *p);
void fspool_begin(
    struct fspool *p); /* a round: mounts not asked for until fspool_end are forgotten */
/* The last answer for path; asks again in the background. */
struct fspool_result fspool_ask(struct fspool *p, struct str path);
void fspool_end(struct fspool *p);
/* Waits until everything asked has been answered or at_most has passed (first reading, tests). */
void fspool_settle(struct fspool *p, dur_t at_most);
int fspool_statvfs(const char *path, struct fspool_result *out);

#endif
