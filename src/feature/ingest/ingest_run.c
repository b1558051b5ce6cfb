/* The beat and the workers: a due target becomes an HTTP call, its answer a page, the page a batch.
 */
#include "base/limits.h"
#include "base/log.h"
#include "base/stats.h"
#include "feature/ingest/ingest_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- due times: a binary heap ---- */

bool heap_reserve(struct ingest *g, size_t n) {
    if (n <= g->heap_cap)
        return true;
    size_t cap = g->heap_cap ? g->heap_cap * 2 : 64;
    while (cap < n)
        cap *= 2;
    struct target **v = realloc(g->heap, cap * sizeof(struct target *));
    if (!v)
        return false;
    g->heap = v;
    g->heap_cap = cap;
    return true;
}

static void heap_set(struct ingest *g, size_t i, struct target *t) {
    g->heap[i] = t;
    t->heap_at = i + 1;
}

static void sift_up(struct ingest *g, size_t i, struct target *t) {
    while (i && g->heap[(i - 1) / 2]->due_ns > t->due_ns) {
        heap_set(g, i, g->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_set(g, i, t);
}

static void sift_down(struct ingest *g, size_t i, struct target *t) {
    for (;;) {
        size_t k = i * 2 + 1;
        if (k >= g->n_heap)
            break;
        if (k + 1 < g->n_heap && g->heap[k + 1]->due_ns < g->heap[k]->due_ns)
            k++;
        if (g->heap[k]->due_ns >= t->due_ns)
            break;
        heap_set(g, i, g->heap[k]);
        i = k;
    }
    heap_set(g, i, t);
}

void heap_push(struct ingest *g, struct target *t) {
    if (t->heap_at || !heap_reserve(g, g->n_heap + 1))
        return;
    sift_up(g, g->n_heap++, t);
}

void heap_remove(struct ingest *g, struct target *t) {
    if (!t->heap_at)
        return;
    size_t i = t->heap_at - 1;
    struct target *last = g->heap[--g->n_heap];
    t->heap_at = 0;
    if (last == t)
        return;
    if (i && g->heap[(i - 1) / 2]->due_ns > last->due_ns)
        sift_up(g, i, last);
    else
        sift_down(g, i, last);
}

/* ---- targets ---- */

void target_rules(const struct target *t, const struct job *job, struct guard *guard,
                  struct scrape_rules *out) {
    *out = (struct scrape_rules){
        .target = t->spec.labels,
        .metric_relabel = job->metric_relabel,
        .limits = {.samples = (uint64_t)job->limits.samples,
                   .labels = (uint64_t)job->limits.labels,
                   .label_name_bytes = (uint64_t)job->limits.label_name_bytes,
                   .label_value_bytes = (uint64_t)job->limits.label_value_bytes},
        .honor_labels = job->conf.honor_labels,
        .honor_timestamps = job->conf.honor_timestamps,
        .track_timestamps_staleness = job->conf.track_timestamps_staleness,
        .legacy_names = job->conf.name_validation != 0,
        .guard = guard,
        .source = t->source,
        .epoch = job->epoch,
    };
}

void target_free(struct target *t, const struct job *job, struct guard *guard) {
    struct scrape_rules rules;
    target_rules(t, job, guard, &rules);
    scrape_cache_free(t->cache, &rules);
    arena_deinit(&t->arena);
    free(t);
}

static struct run *run_new(struct ingest *g, struct target *t) {
    struct run *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->g = g;
    r->t = t;
    r->job = t->job;
    r->job->refs++;
    r->start_ns = g->opt.clock->mono(g->opt.clock->self).ns;
    r->ts_ms = clock_wall_ms(g->opt.clock);
    t->busy = true;
    g->n_running++;
    return r;
}

/* Lock held. The run and its job's ref are gone after this. */
static void run_end(struct run *r) {
    struct ingest *g = r->g;
    job_unref(r->job);
    if (--g->n_running == 0)
        cond_broadcast(&g->idle);
    free(r->body);
    free(r);
}

void target_retire(struct ingest *g, struct target *t) {
    heap_remove(g, t);
    t->removed = true;
    if (t->busy)
        return; /* its worker sees to the end */
    struct run *r = run_new(g, t);
    if (r)
        r->retire = true;
    if (r && queue_push(&g->queue, r))
        return;
    /* No memory or no room: its series end by the query's lookback instead of by a marker. */
    if (r)
        run_end(r);
    target_free(t, t->job, g->guard);
}

/* ---- the beat ---- */

/* The page's time: the beat itself when the scrape began within a hair of it, so that series stay
 * evenly spaced. */
static int64_t aligned_ts(struct target *t, int64_t now_ms) {
    enum { TOLERANCE_MS = 2 };
    int64_t expected = t->last_ts_ms + t->spec.interval_ms, off = now_ms - expected;
    int64_t most =
        t->spec.interval_ms / 100 < TOLERANCE_MS ? t->spec.interval_ms / 100 : TOLERANCE_MS;
    int64_t ts = t->last_ts_ms && off >= -most && off <= most ? expected : now_ms;
    if (t->last_ts_ms && ts <= t->last_ts_ms && t->last_ts_ms - ts < 1000)
        ts = t->last_ts_ms + 1; /* two scrapes never share a millisecond */
    t->last_ts_ms = ts;
    return ts;
}

static int64_t next_due(const struct target *t, int64_t now_ns) {
    int64_t interval = t->spec.interval_ms * 1000000,
            phase = (int64_t)(t->hash % (uint64_t)interval);
    int64_t since = (now_ns - phase) % interval;
    if (since < 0)
        since += interval;
    int64_t due = now_ns - since + interval;
    /* A first scrape ahead of the beat, or one that came late: never two close together. */
    return due - now_ns < interval / 2 ? due + interval : due;
}

static void on_reply(void *arg, struct http_reply *reply) {
    struct run *r = arg;
    struct ingest *g = r->g;
    struct str type = http_reply_header(reply, "content-type");
    int format = 0;
    if (reply->err.code != ERR_OK)
        r->err = reply->err;
    else if (reply->status != 200)
        err_set(&r->err, ERR_UNAVAILABLE, "the target answered HTTP %d", reply->status);
    else if (!promtext_format_of(type, &r->format) &&
             !ingest_protocol_format(r->job->conf.fallback_scrape_protocol, &format))
        err_set(&r->err, ERR_UNSUPPORTED,
                "Content-Type \"%.*s\" is no metrics format; set fallback_scrape_protocol, for "
                "example PrometheusText0.0.4",
                type.n > 100 ? 100 : (int)type.n, type.n ? type.p : "");
    else if (!promtext_format_of(type, &r->format))
        r->format = (enum promtext_format)format;
    if (r->err.code == ERR_OK)
        r->body = buf_take(&reply->body, &r->body_n);
    if (queue_push(&g->queue, r))
        return;
    mutex_lock(&g->lock);
    r->t->busy = false;
    if (r->t->removed)
        target_free(r->t, r->job, g->guard);
    run_end(r);
    mutex_unlock(&g->lock);
}

static bool start_call(struct run *r, struct err *err) {
    const struct job *job = r->job;
    struct arena a = ARENA_INIT_MAX(64 << 10);
    struct str seconds = arena_printf(&a, "%g", (double)r->t->spec.timeout_ms / 1000);
    struct http_header headers[4] = {{STR("Accept"), str_from(job->accept)},
                                     {STR("User-Agent"), STR("hinomi/" HINOMI_VERSION)},
                                     {STR("X-Prometheus-Scrape-Timeout-Seconds"), seconds}};
    struct http_call call = {.method = "GET",
                             .url = r->t->spec.url.p,
                             .headers = headers,
                             .n_headers = 3,
                             .timeout_ms = r->t->spec.timeout_ms,
                             .body_max = (size_t)job->limits.body_size_bytes,
                             .accept_compressed = job->conf.enable_compression};
    bool extra;
    discovery_http_options(&job->conf.http, &call, &a, &headers[3], &extra);
    call.n_headers += extra;
    bool ok =
        !a.failed ? http_client_start(r->g->http, &call, on_reply, r, err) : arena_err(&a, err);
    arena_deinit(&a);
    return ok;
}

/* Lock held on entry and exit; not while the call is started, since a refusal may come back at
 * once. */
static void start_scrape(struct ingest *g, struct target *t, int64_t now_ns) {
    t->due_ns = next_due(t, now_ns);
    heap_push(g, t);
    if (t->busy)
        return; /* the scrape before still runs: this beat is skipped */
    struct run *r = run_new(g, t);
    if (!r)
        return;
    r->ts_ms = aligned_ts(t, r->ts_ms);
    bool over = t->job->over_target_limit;
    mutex_unlock(&g->lock);
    bool started = false;
    if (over)
        err_set(&r->err, ERR_LIMITED, "target_limit of %lld is exceeded by this job",
                (long long)r->job->limits.targets);
    else
        started = start_call(r, &r->err);
    bool queued = started || queue_push(&g->queue, r);
    mutex_lock(&g->lock);
    if (!queued) {
        t->busy = false;
        if (t->removed)
            target_free(t, r->job, g->guard);
        run_end(r);
    }
}

void ingest_beat_loop(void *arg) {
    struct ingest *g = arg;
    mutex_lock(&g->lock);
    while (!g->stopping) {
        int64_t now = g->opt.clock->mono(g->opt.clock->self).ns;
        struct target *t = g->n_heap ? g->heap[0] : NULL;
        if (t && t->due_ns <= now) {
            heap_remove(g, t);
            start_scrape(g, t, now);
        } else if (t) {
            (void)cond_wait_for(&g->changed, &g->lock, (dur_t){t->due_ns - now});
        } else {
            cond_wait(&g->changed, &g->lock);
        }
    }
    mutex_unlock(&g->lock);
}

/* ---- workers ---- */

static bool write_rows(struct run *r, const struct scrape_rules *rules, struct scrape_scratch *s,
                       struct write_result *res, struct err *err) {
    struct batch b = {.kind = SOURCE_SCRAPE,
                      .source = rules->source,
                      .rows = s->rows,
                      .n = s->n,
                      .refs = s->refs};
    if (!sink_write(&r->g->opt.sink, &b, res, err))
        return false;
    scrape_cache_written(r->t->cache, s);
    return true;
}

static void retire(struct run *r, struct scrape_scratch *s) {
    struct scrape_rules rules;
    struct write_result res = {.accepted = 0};
    struct scrape_report report = {.stale = true};
    struct err err;
    int64_t now = clock_wall_ms(r->g->opt.clock),
            ts = now > r->t->last_ts_ms ? now : r->t->last_ts_ms + 1;
    target_rules(r->t, r->job, r->g->guard, &rules);
    if (r->t->last_scrape_ms && (!scrape_cache_fail(r->t->cache, ts, s, &err) ||
                                 !scrape_cache_report(r->t->cache, &rules, &report, ts, s, &err) ||
                                 !write_rows(r, &rules, s, &res, &err)))
        log_warn("scrape", "%.*s: its last markers were not written: %s", STR_FMT(r->t->source),
                 err.message);
}

static void explain_openmetrics(struct run *r) {
    if (r->format == PROMTEXT_OPENMETRICS && r->err.code == ERR_BAD_INPUT) {
        size_t n = strlen(r->err.message);
        (void)snprintf(r->err.message + n, sizeof(r->err.message) - n,
                       " (not valid OpenMetrics; where the exporter cannot be mended, "
                       "scrape_protocols: [PrometheusText0.0.4] "
                       "asks for the older format)");
    }
}

/* An accepted offer names any address that this server can reach, and its failure is shown to every
 * viewer: what stood on the page is not for their eyes. */
static void hide_page(struct run *r) {
    char *quote = r->job->accepted_id.n ? strstr(r->err.message, ": \"") : NULL;
    if (quote)
        *quote = '\0';
}

struct outcome {
    struct scrape_report report;
    struct write_result written;
    size_t series;
    bool stored;
};

/* Everything between an answer and its acknowledgement. r->err tells a failed scrape. */
static void scrape(struct run *r, struct scrape_scratch *s, struct outcome *out) {
    struct ingest *g = r->g;
    struct scrape_rules rules;
    struct err err;
    target_rules(r->t, r->job, g->guard, &rules);
    STAT_ADD(hinomi_scrapes_total, 1);
    struct str body = str_make(r->body, r->body_n);
    bool ok = true;
    out->report.up =
        r->err.code == ERR_OK && scrape_cache_page(r->t->cache, &rules, body, r->format, r->ts_ms,
                                                   s, &out->report.counts, &r->err);
    if (!out->report.up) {
        STAT_ADD(hinomi_scrape_failures_total, 1);
        hide_page(r);
        explain_openmetrics(r);
        out->report.counts = (struct scrape_counts){.scraped = 0};
        ok = scrape_cache_fail(r->t->cache, r->ts_ms, s, &err);
    }
    out->report.duration_s =
        (double)(g->opt.clock->mono(g->opt.clock->self).ns - r->start_ns) / 1e9;
    ok = ok && scrape_cache_report(r->t->cache, &rules, &out->report, r->ts_ms, s, &err);
    out->stored = ok && write_rows(r, &rules, s, &out->written, &err);
    if (!out->stored && r->err.code == ERR_OK) {
        r->err = err;
        (void)err_prefix(&r->err, "scraped, but not stored");
    }
    STAT_ADD(hinomi_limited_samples_total, out->report.counts.refused);
    if (out->report.up && s->n_meta && g->opt.put_meta)
        g->opt.put_meta(g->opt.meta_self, s->meta, s->n_meta);
    out->series = scrape_cache_series(r->t->cache);
}

/* Lock held. */
static void publish(struct run *r, const struct outcome *o) {
    struct target *t = r->t;
    enum ingest_health health = o->report.up ? INGEST_UP : INGEST_DOWN;
    if (health == INGEST_DOWN && t->health != INGEST_DOWN)
        log_warn("scrape", "%.*s is down: %s", STR_FMT(t->source), r->err.message);
    else if (health == INGEST_UP && t->health == INGEST_DOWN)
        log_info("scrape", "%.*s is up again", STR_FMT(t->source));
    else if (!o->stored && r->err.code != ERR_OK && strcmp(t->error, r->err.message) != 0)
        log_warn("scrape", "%.*s: %s", STR_FMT(t->source), r->err.message);
    t->health = health;
    memcpy(t->error, r->err.code == ERR_OK ? "" : r->err.message,
           r->err.code == ERR_OK ? 1 : sizeof(t->error));
    memcpy(t->rejected, o->written.first_rejected, sizeof(t->rejected));
    t->last_scrape_ms = r->ts_ms;
    t->last_duration_s = o->report.duration_s;
    t->samples = o->report.counts.scraped;
    t->series = o->series;
}

static void work(struct run *r, struct scrape_scratch *s) {
    struct ingest *g = r->g;
    struct target *t = r->t;
    struct outcome o = {.stored = false};
    mutex_lock(&g->lock);
    bool stopping = g->stopping;
    mutex_unlock(&g->lock);
    if (!r->retire && !stopping)
        scrape(r, s, &o);
    mutex_lock(&g->lock);
    if (!r->retire && !stopping)
        publish(r, &o);
    bool gone = t->removed;
    mutex_unlock(&g->lock);
    if (gone && !stopping) /* still busy, so nobody else touches it */
        retire(r, s);
    mutex_lock(&g->lock);
    t->busy = false;
    if (t->removed && !gone)
        target_retire(g, t); /* removed while it was being published */
    else if (t->removed)
        target_free(t, r->job, g->guard);
    run_end(r);
    mutex_unlock(&g->lock);
}

void ingest_worker_loop(void *arg) {
    struct ingest *g = arg;
    struct scrape_scratch s = SCRAPE_SCRATCH_INIT;
    for (;;) {
        struct run *r = queue_pop(&g->queue, (dur_t){-1});
        if (!r)
            break;
        work(r, &s);
    }
    scrape_scratch_deinit(&s);
}
