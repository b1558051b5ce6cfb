/* ingest_internal.h - the manager's own structures, shared by ingest*.c only. Everything in struct
 * ingest, job and target is guarded by ingest.lock, but for what a busy target's worker owns
 * (cache). */
#ifndef INGEST_INGEST_INTERNAL_H
#define INGEST_INGEST_INTERNAL_H

#include "feature/ingest/discovery.h"
#include "feature/ingest/ingest.h"
#include "feature/ingest/scrape_cache.h"
#include "os/queue.h"
#include "os/thread.h"

enum {
    INGEST_WORKERS_MAX = 16,
    INGEST_DISCOVER_THREADS = 2,
    INGEST_QUEUE = 65536, /* pages that wait for a worker; each target has at most one */
    INGEST_KEEP_DROPPED = 1000,
    INGEST_FIRST_SCRAPE_MS = 5000 /* a new target need not wait for its beat */
};

struct provider {
    struct discovery_conf conf;
    struct arena *arena; /* of the groups */
    struct target_groups groups;
    uint64_t memory;
    int64_t due_ns; /* monotonic */
    bool busy;
    char error[ERR_MESSAGE_BYTES_MAX];
    int64_t last_ok_ms;
    size_t n_targets;
};

struct job {
    struct arena arena;
    int refs;       /* one of ingest.jobs, one of each run and discovery under way */
    struct str key; /* "config/<job_name>" or "accepted/<id>" */
    struct str accepted_id;
    struct ingest_scrape_config conf;
    struct ingest_limits limits; /* with global's */
    int64_t interval_ms, timeout_ms;
    struct conf_strs protocols;
    struct target_defaults defaults;
    struct relabel *relabel, *metric_relabel;
    char *accept;
    uint64_t epoch;
    bool current; /* still in ingest.jobs */
    struct provider *providers;
    size_t n_providers;
    struct target **targets;
    size_t n_targets, targets_cap;
    struct arena dropped_arena;
    struct labels *dropped;
    size_t n_dropped_kept, n_dropped;
    bool over_target_limit;
    char error[ERR_MESSAGE_BYTES_MAX];
};

struct target {
    struct arena arena;
    struct job *job;
    struct target_spec spec;
    struct str source;
    uint64_t hash;
    struct scrape_cache *cache; /* the worker's while busy */
    size_t heap_at;             /* index + 1; 0: not in the heap */
    int64_t due_ns, last_ts_ms;
    bool busy, removed, kept; /* kept: mark of a sync */
    enum ingest_health health;
    char error[ERR_MESSAGE_BYTES_MAX], rejected[ERR_MESSAGE_BYTES_MAX];
    int64_t last_scrape_ms;
    double last_duration_s;
    uint64_t samples, series;
};

/* One scrape, or the end of a target, on its way to a worker. */
struct run {
    struct ingest *g;
    struct target *t;
    struct job *job; /* a ref */
    bool retire;
    int64_t start_ns, ts_ms;
    char *body;
    size_t body_n;
    enum promtext_format format;
    struct err err; /* code != 0: no page */
};

struct ingest {
    struct ingest_options opt;
    struct http_client *http;
    bool own_http;
    struct guard *guard;
    struct mutex lock;
    struct cond changed;   /* due times, stopping */
    struct cond discovery; /* providers, stopping */
    struct cond idle;      /* n_running reached 0 */
    bool stopping;
    struct job **jobs;
    size_t n_jobs;
    struct target **heap;
    size_t n_heap, heap_cap;
    size_t n_running; /* runs between start and their worker's end */
    uint64_t epoch;
    struct queue queue;
    struct thread beat, workers[INGEST_WORKERS_MAX], discoverers[INGEST_DISCOVER_THREADS];
    uint32_t n_workers;
};

/* ingest_job.c; all with the lock held */
struct job *job_new(struct ingest *g, const struct ingest_scrape_config *conf,
                    const struct ingest_global *global, const struct ingest_accepted *accepted,
                    struct err *err);
void job_unref(struct job *job); /* frees with the last; its targets are elsewhere by then */
bool job_same(const struct job *a, const struct job *b);
/* Makes the job's targets what its providers say now. */
void job_sync(struct ingest *g, struct job *job);
/* Takes over targets, and groups of providers that are configured alike. */
void job_adopt(struct job *job, struct job *old);
void job_retire_targets(struct ingest *g, struct job *job);
void ingest_discover_loop(void *arg);

/* ingest_run.c */
void ingest_beat_loop(void *arg);
void ingest_worker_loop(void *arg);
void heap_push(struct ingest *g, struct target *t);   /* lock held; t->due_ns set */
void heap_remove(struct ingest *g, struct target *t); /* lock held */
bool heap_reserve(struct ingest *g, size_t n);
void target_retire(struct ingest *g,
                   struct target *t); /* lock held: ends its series, then frees it */
void target_free(struct target *t, const struct job *job, struct guard *guard);
void target_rules(const struct target *t, const struct job *job, struct guard *guard,
                  struct scrape_rules *out);

#endif
