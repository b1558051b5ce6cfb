#include "feature/collect/fspool.h"

#include "feature/collect/seen.h"
#include "os/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

struct job {
    struct seen_entry entry;
    struct fspool_result last;
    char *path; /* NUL-terminated */
    enum { JOB_IDLE, JOB_QUEUED, JOB_RUNNING } state;
    int64_t since_ns;
    bool replaced; /* a further thread was started for it */
};
struct fspool {
    struct mutex lock;
    struct cond work, done;
    struct clock clock;
    int (*stat)(const char *path, struct fspool_result *out);
    struct seen jobs;
    size_t threads;            /* alive */
    bool stopping, owner_gone; /* whoever sees the owner gone and no thread left frees the pool */
};

int fspool_statvfs(const char *path, struct fspool_result *out) {
    struct statvfs s;
    if (statvfs(path, &s) != 0)
        return errno;
    uint64_t unit = s.f_frsize ? s.f_frsize : s.f_bsize;
    out->size_bytes = s.f_blocks * unit;
    out->free_bytes = s.f_bfree * unit;
    out->avail_bytes = s.f_bavail * unit;
    out->files = s.f_files;
    out->files_free = s.f_ffree;
    out->read_only = (s.f_flag & ST_RDONLY) != 0;
    return 0;
}

static void job_drop(void *entry) {
    free(((struct job *)entry)->path);
}

static void destroy(struct fspool *p) {
    seen_deinit(&p->jobs);
    cond_deinit(&p->work);
    cond_deinit(&p->done);
    mutex_deinit(&p->lock);
    free(p);
}

static struct job *next_job(struct fspool *p) {
    for (struct job *j = seen_next(&p->jobs, NULL); j; j = seen_next(&p->jobs, j))
        if (j->state == JOB_QUEUED)
            return j;
    return NULL;
}

static void worker(void *arg) {
    struct fspool *p = arg;
    mutex_lock(&p->lock);
    while (!p->stopping) {
        struct job *j = next_job(p);
        if (!j) {
            cond_wait(&p->work, &p->lock);
            continue;
        }
        j->state = JOB_RUNNING;
        j->since_ns = p->clock.mono(p->clock.self).ns;
        mutex_unlock(&p->lock);
        struct fspool_result r = {0};
        r.sys_errno = p->stat(j->path, &r);
        r.known = true;
        mutex_lock(&p->lock);
        bool extra = j->replaced;
        j->last = r;
        j->state = JOB_IDLE;
        j->replaced = false;
        cond_broadcast(&p->done);
        if (extra)
            break; /* somebody took this thread's place */
    }
    bool last = --p->threads == 0 && p->owner_gone;
    cond_broadcast(&p->done);
    mutex_unlock(&p->lock);
    if (last)
        destroy(p);
}

static void start_worker(struct fspool *p) {
    struct thread t = {0};
    if (p->threads >= FSPOOL_THREADS_MAX)
        return;
    p->threads++;
    if (thread_start(&t, "collect-fs", worker, p, NULL))
        pthread_detach(t.id);
    else
        p->threads--;
}

struct fspool *fspool_new(const struct clock *clock,
                          int (*stat)(const char *path, struct fspool_result *out)) {
    struct fspool *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    mutex_init(&p->lock);
    cond_init(&p->work);
    cond_init(&p->done);
    p->clock = *clock;
    p->stat = stat;
    p->jobs.drop = job_drop;
    return p;
}

void fspool_free(struct fspool *p) {
    if (!p)
        return;
    mutex_lock(&p->lock);
    p->stopping = true;
    cond_broadcast(&p->work);
    /* threads that are not stuck end at once; give them a moment so that nothing looks like a leak
     */
    for (int i = 0; i < 20; i++) {
        bool running = false;
        for (struct job *j = seen_next(&p->jobs, NULL); j; j = seen_next(&p->jobs, j))
            running = running || j->state == JOB_RUNNING;
        if (p->threads == 0 || (running && i > 2))
            break;
        cond_wait_for(&p->done, &p->lock, DUR_MS(50));
    }
    p->owner_gone = true;
    bool mine = p->threads == 0;
    mutex_unlock(&p->lock);
    if (mine)
        destroy(p);
}

void fspool_begin(struct fspool *p) {
    mutex_lock(&p->lock);
    seen_begin(&p->jobs);
    mutex_unlock(&p->lock);
}

static void see_stuck(struct fspool *p, struct job *j) {
    int64_t now = p->clock.mono(p->clock.self).ns;
    if (now - j->since_ns < (int64_t)FSPOOL_STUCK_S * 1000000000)
        return;
    j->last = (struct fspool_result){.known = true, .stuck = true, .sys_errno = ETIMEDOUT};
    if (!j->replaced && p->threads < FSPOOL_THREADS_MAX) {
        j->replaced = true;
        start_worker(p);
    }
}

struct fspool_result fspool_ask(struct fspool *p, struct str path) {
    struct fspool_result r = {0};
    mutex_lock(&p->lock);
    struct job *j = seen_touch(&p->jobs, path, sizeof(*j));
    if (j && !j->path) {
        j->path = malloc(path.n + 1);
        if (j->path) {
            memcpy(j->path, path.p, path.n);
            j->path[path.n] = '\0';
        }
    }
    if (j && j->path) {
        if (j->state == JOB_RUNNING)
            see_stuck(p, j);
        r = j->last;
        if (j->state == JOB_IDLE) {
            j->state = JOB_QUEUED;
            if (p->threads == 0)
                start_worker(p);
            cond_signal(&p->work);
        }
    }
    mutex_unlock(&p->lock);
    return r;
}

void fspool_end(struct fspool *p) {
    mutex_lock(&p->lock);
    /* a running one stays until its answer: its worker holds the entry */
    for (struct job *j = seen_next(&p->jobs, NULL); j; j = seen_next(&p->jobs, j))
        if (j->state == JOB_RUNNING)
            j->entry.round = p->jobs.round;
    seen_sweep(&p->jobs);
    mutex_unlock(&p->lock);
}

void fspool_settle(struct fspool *p, dur_t at_most) {
    mutex_lock(&p->lock);
    for (;;) {
        bool busy = false;
        for (struct job *j = seen_next(&p->jobs, NULL); j; j = seen_next(&p->jobs, j))
            busy = busy || j->state != JOB_IDLE;
        if (!busy || !cond_wait_for(&p->done, &p->lock, at_most))
            break;
    }
    mutex_unlock(&p->lock);
}
