/* ingest.h - the scrape manager: finds targets, scrapes each on its beat, writes what it finds into
 * a sink.
 *
 * Threads of its own: "scrape" keeps the beat (a heap of due times), "scrape-w" workers read pages
 * and write batches (a write waits for its fsync), "discover" threads ask files, HTTP and DNS. The
 * HTTP client's thread only hands over bodies. All functions here may be called from any thread.
 *
 * Semantics are Prometheus 3's: targets spread over the interval by hash, `up` and scrape_* series,
 * stale markers when a series, a scrape or a target ends, honor_labels, honor_timestamps, limits,
 * reload without disturbing what did not change. A server that stops leaves no markers: it will be
 * back.
 */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "base/timev.h"
#include "feature/ingest/scrape_conf.h"
#include "model/sink.h"
#include "net/http_client.h"
#include "pipe/guard.h"

struct ingest;

struct ingest_options {
    struct sink sink;         /* where samples go: series_sink(), or the agent's spool */
    struct http_client *http; /* borrowed; NULL: its own, which makes stopping immediate */
    const struct clock *clock;
    /* TYPE, HELP and UNIT of scraped metrics, when a page's layout is new; from worker threads. May
     * be NULL. */
    void (*put_meta)(void *self, const struct metric_meta *m, size_t n);
    void *meta_self;
    uint32_t workers;                                      /* 0: 2 */
    uint32_t series_per_source_max, series_per_metric_max; /* 0: base/limits.h */
    const char *dns_servers; /* "127.0.0.1:5353"; NULL: the machine's */
};

/* A scrape that somebody accepted in the screen (it lies in the state store, not in a file). */
struct ingest_accepted {
    struct str id, url, job;
};

struct ingest_config {
    const struct ingest_global *global; /* NULL: Prometheus's defaults */
    const struct ingest_scrape_config *scrapes;
    size_t n_scrapes;
    const struct ingest_accepted *accepted;
    size_t n_accepted;
};

struct ingest *ingest_new(const struct ingest_options *opt, struct err *err) MUST_USE;
/* All or nothing: on false what ran goes on. Copies what it needs. Jobs whose configuration is
 * unchanged are not disturbed; targets that stay keep their memory and beat. An accepted scrape
 * whose URL a file already has is left out. */
bool ingest_apply(struct ingest *g, const struct ingest_config *c, struct err *err) MUST_USE;
/* Stops and joins; aborts scrapes under way (their results are not written). */
void ingest_free(struct ingest *g);

enum ingest_health { INGEST_UNKNOWN, INGEST_UP, INGEST_DOWN };
const char *ingest_health_name(enum ingest_health h); /* "unknown", "up", "down" */

struct ingest_target_view {
    struct str job, url, last_error, accepted_id; /* accepted_id: empty when it comes from a file */
    struct str rejected; /* why the sink refused rows of the last scrape; empty: none */
    struct labels labels, discovered;
    enum ingest_health health;
    int64_t last_scrape_ms; /* 0: never */
    double last_duration_s;
    int64_t interval_ms, timeout_ms;
    uint64_t samples_scraped, series;
};
struct ingest_dropped_view {
    struct str job;
    struct labels discovered;
};
struct ingest_job_view {
    struct str job, accepted_id, error; /* error: target_limit, or why targets could not be made */
    size_t targets, dropped;
};
struct ingest_discovery_view {
    struct str job, what, last_error;
    const char *kind;   /* "static", "file", "http", "dns" */
    int64_t last_ok_ms; /* 0: never */
    size_t targets;
};

/* Snapshots in the arena. */
bool ingest_targets(struct ingest *g, struct arena *a, struct ingest_target_view **out,
                    size_t *out_n, struct err *err) MUST_USE;
bool ingest_dropped(struct ingest *g, struct arena *a, struct ingest_dropped_view **out,
                    size_t *out_n, struct err *err) MUST_USE;
bool ingest_jobs(struct ingest *g, struct arena *a, struct ingest_job_view **out, size_t *out_n,
                 struct err *err) MUST_USE;
bool ingest_discoveries(struct ingest *g, struct arena *a, struct ingest_discovery_view **out,
                        size_t *out_n, struct err *err) MUST_USE;
bool ingest_limit_hits(struct ingest *g, struct arena *a, struct guard_hit **out, size_t *out_n,
                       struct err *err) MUST_USE;
/* Whether a URL is a target now (for "already scraped" in offers). */
bool ingest_has_url(struct ingest *g, struct str url);

#endif
