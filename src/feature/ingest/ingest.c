#include "feature/ingest/ingest.h"

#include "base/log.h"
#include "feature/ingest/ingest_internal.h"

#include <stdlib.h>

static bool start_threads(struct ingest *g, struct err *err) {
    if (!thread_start(&g->beat, "scrape", ingest_beat_loop, g, err))
        return false;
    for (uint32_t i = 0; i < g->n_workers; i++)
        if (!thread_start(&g->workers[i], "scrape-w", ingest_worker_loop, g, err))
            return false;
    for (int i = 0; i < INGEST_DISCOVER_THREADS; i++)
        if (!thread_start(&g->discoverers[i], "discover", ingest_discover_loop, g, err))
            return false;
    return true;
}

struct ingest *ingest_new(const struct ingest_options *opt, struct err *err) {
    struct ingest *g = calloc(1, sizeof(*g));
    if (!g) {
        err_set(err, ERR_INTERNAL, "no memory for the scrape manager");
        return NULL;
    }
    g->opt = *opt;
    g->n_workers = opt->workers ? opt->workers : 2;
    if (g->n_workers > INGEST_WORKERS_MAX)
        g->n_workers = INGEST_WORKERS_MAX;
    mutex_init(&g->lock);
    cond_init(&g->changed);
    cond_init(&g->discovery);
    cond_init(&g->idle);
    struct guard_options go = {opt->series_per_source_max, opt->series_per_metric_max, opt->clock};
    g->guard = guard_new(&go, err);
    bool has_queue = g->guard && queue_init(&g->queue, INGEST_QUEUE, err);
    g->own_http = !opt->http;
    g->http = has_queue && g->own_http ? http_client_new(err) : opt->http;
    if (!has_queue || !g->http) {
        if (has_queue)
            queue_deinit(&g->queue);
        guard_free(g->guard);
        free(g);
        return NULL;
    }
    if (!start_threads(g, err)) {
        ingest_free(g);
        return NULL;
    }
    return g;
}

static void stop_threads(struct ingest *g) {
    mutex_lock(&g->lock);
    g->stopping = true;
    cond_broadcast(&g->changed);
    cond_broadcast(&g->discovery);
    mutex_unlock(&g->lock);
    thread_join(&g->beat);
    if (g->own_http)
        http_client_free(g->http); /* every call under way comes back cancelled */
    for (int i = 0; i < INGEST_DISCOVER_THREADS; i++)
        thread_join(&g->discoverers[i]);
    mutex_lock(&g->lock);
    while (g->n_running && g->workers[0].started)
        cond_wait(&g->idle, &g->lock);
    mutex_unlock(&g->lock);
    queue_close(&g->queue);
    for (uint32_t i = 0; i < g->n_workers; i++)
        thread_join(&g->workers[i]);
}

void ingest_free(struct ingest *g) {
    if (!g)
        return;
    stop_threads(g);
    for (size_t i = 0; i < g->n_jobs; i++) {
        struct job *job = g->jobs[i];
        for (size_t k = 0; k < job->n_targets; k++)
            target_free(job->targets[k], job, g->guard);
        job->n_targets = 0;
        job_unref(job);
    }
    free(g->jobs);
    free(g->heap);
    queue_deinit(&g->queue);
    guard_free(g->guard);
    cond_deinit(&g->changed);
    cond_deinit(&g->discovery);
    cond_deinit(&g->idle);
    mutex_deinit(&g->lock);
    free(g);
}

/* ---- accepted offers ---- */

/* "http://host:port/path?query" as a scrape configuration. Strings in the arena. */
static bool accepted_conf(const struct ingest_accepted *from, struct arena *a,
                          struct ingest_scrape_config *out, struct err *err) {
    struct str rest = from->url;
    bool https = str_starts(rest, STR("https://"));
    if (!https && !str_starts(rest, STR("http://")))
        return err_set(err, ERR_BAD_INPUT,
                       "an accepted scrape needs an http or https URL, not \"%.*s\"",
                       STR_FMT(rest));
    rest = str_from_offset(rest, https ? 8 : 7);
    size_t slash = str_find_char(rest, '/'), mark = str_find_char(rest, '?');
    size_t end = slash < mark ? slash : mark;
    struct str address = str_sub(rest, 0, end < rest.n ? end : rest.n);
    struct str path = slash < mark ? str_sub(rest, slash, (mark < rest.n ? mark : rest.n) - slash)
                                   : STR("/metrics");
    struct str *targets = ARENA_ARRAY(a, struct str, 1);
    struct ingest_static *group = ARENA_NEW(a, struct ingest_static);
    if (!targets || !group || from->job.n == 0 || address.n == 0)
        return err_set(err, ERR_BAD_INPUT, "an accepted scrape needs a job and a host");
    targets[0] = arena_str(a, address);
    group->targets = (struct conf_strs){targets, 1};
    *out = (struct ingest_scrape_config){
        .job_name = from->job,
        .metrics_path = arena_str(a, path),
        .scheme = https,
        .params_query = mark < rest.n ? str_from_offset(rest, mark + 1) : (struct str){NULL, 0},
        .honor_timestamps = true,
        .enable_compression = true,
        .fallback_scrape_protocol = STR("PrometheusText0.0.4"),
        .http = {.follow_redirects = true},
        .static_configs = {group, 1}};
    return !a->failed || arena_err(a, err);
}

/* ---- apply ---- */

struct plan {
    struct job **jobs;
    size_t n;
};

static bool plan_add(struct plan *p, struct job *job, struct err *err) {
    for (size_t i = 0; i < p->n; i++)
        if (str_eq(p->jobs[i]->key, job->key))
            return err_set(err, ERR_BAD_INPUT, "two scrape_configs have the job_name \"%.*s\"",
                           STR_FMT(job->conf.job_name));
    p->jobs[p->n++] = job;
    return true;
}

static bool make_plan(struct ingest *g, const struct ingest_config *c, struct plan *p,
                      struct err *err) {
    p->jobs = calloc(c->n_scrapes + c->n_accepted + 1, sizeof(struct job *));
    if (!p->jobs)
        return err_set(err, ERR_INTERNAL, "no memory for scrape jobs");
    for (size_t i = 0; i < c->n_scrapes; i++) {
        struct job *job = job_new(g, &c->scrapes[i], c->global, NULL, err);
        if (!job)
            return false;
        if (!plan_add(p, job, err)) {
            job_unref(job);
            return false;
        }
    }
    for (size_t i = 0; i < c->n_accepted; i++) {
        struct arena a = ARENA_INIT_MAX(64 << 10);
        struct ingest_scrape_config conf;
        struct err e;
        struct job *job = accepted_conf(&c->accepted[i], &a, &conf, &e)
                              ? job_new(g, &conf, c->global, &c->accepted[i], &e)
                              : NULL;
        arena_deinit(&a);
        /* A wrong row in the state store must not hold up the configuration file. */
        if (!job)
            log_warn("scrape", "accepted scrape %.*s is left out: %s", STR_FMT(c->accepted[i].id),
                     e.message);
        else if (!plan_add(p, job, &e))
            job_unref(job);
    }
    return true;
}

static void plan_free(struct plan *p) {
    for (size_t i = 0; i < p->n; i++)
        job_unref(p->jobs[i]);
    free(p->jobs);
}

static struct job *find_job(struct ingest *g, struct str key) {
    for (size_t i = 0; i < g->n_jobs; i++)
        if (g->jobs[i] && str_eq(g->jobs[i]->key, key))
            return g->jobs[i];
    return NULL;
}

static bool is_elsewhere(const struct plan *p, const struct job *accepted, struct str url) {
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0;
             p->jobs[i] != accepted && !p->jobs[i]->accepted_id.n && k < p->jobs[i]->n_targets; k++)
            if (str_eq(p->jobs[i]->targets[k]->spec.url, url))
                return true;
    return false;
}

/* Configuration files win: an accepted scrape of the same URL steps back. */
static void drop_doubles(struct ingest *g, const struct plan *p) {
    for (size_t i = 0; i < p->n; i++) {
        struct job *job = p->jobs[i];
        if (job->accepted_id.n && job->n_targets &&
            is_elsewhere(p, job, job->targets[0]->spec.url)) {
            job_retire_targets(g, job);
            struct err e;
            err_set(&e, ERR_CONFLICT, "the configuration file scrapes this URL already");
            memcpy(job->error, e.message, sizeof(job->error));
        }
    }
}

/* Lock held. */
static void carry_out(struct ingest *g, struct plan *p) {
    for (size_t i = 0; i < p->n; i++) {
        struct job *old = find_job(g, p->jobs[i]->key);
        if (old && job_same(old, p->jobs[i])) {
            job_unref(p->jobs[i]);
            p->jobs[i] = old;
            if (old->accepted_id.n && old->n_targets == 0)
                job_sync(g, old); /* it may have stepped back for a file that changed */
        } else {
            p->jobs[i]->current = true;
            if (old)
                job_adopt(p->jobs[i], old);
            job_sync(g, p->jobs[i]);
        }
    }
    for (size_t i = 0; i < g->n_jobs; i++) {
        struct job *old = g->jobs[i];
        bool stays = false;
        for (size_t k = 0; k < p->n; k++)
            stays |= p->jobs[k] == old;
        if (stays)
            continue;
        old->current = false;
        job_retire_targets(g, old);
        job_unref(old);
    }
    free(g->jobs);
    g->jobs = p->jobs;
    g->n_jobs = p->n;
    drop_doubles(g, p);
    cond_broadcast(&g->changed);
    cond_broadcast(&g->discovery);
}

bool ingest_apply(struct ingest *g, const struct ingest_config *c, struct err *err) {
    struct plan p = {.n = 0};
    mutex_lock(&g->lock);
    bool ok = make_plan(g, c, &p, err);
    if (ok)
        carry_out(g, &p);
    else
        plan_free(&p);
    mutex_unlock(&g->lock);
    return ok;
}

/* ---- views ---- */

const char *ingest_health_name(enum ingest_health h) {
    static const char *const names[] = {"unknown", "up", "down"};
    return names[h];
}

static void view_target(const struct target *t, struct arena *a, struct ingest_target_view *v) {
    *v = (struct ingest_target_view){
        .job = arena_str(a, t->job->conf.job_name),
        .url = arena_str(a, t->spec.url),
        .last_error = arena_str(a, str_from(t->error)),
        .accepted_id = arena_str(a, t->job->accepted_id),
        .rejected = arena_str(a, str_from(t->rejected)),
        .health = t->health,
        .last_scrape_ms = t->last_scrape_ms,
        .last_duration_s = t->last_duration_s,
        .interval_ms = t->spec.interval_ms,
        .timeout_ms = t->spec.timeout_ms,
        .samples_scraped = t->samples,
        .series = t->series,
    };
    (void)labels_copy(a, t->spec.labels, &v->labels); /* a full arena is seen at the end */
    (void)labels_copy(a, t->spec.discovered, &v->discovered);
}

static bool view_done(struct ingest *g, const struct arena *a, struct err *err) {
    mutex_unlock(&g->lock);
    return !a->failed || arena_err(a, err);
}

bool ingest_targets(struct ingest *g, struct arena *a, struct ingest_target_view **out,
                    size_t *out_n, struct err *err) {
    size_t n = 0;
    mutex_lock(&g->lock);
    for (size_t i = 0; i < g->n_jobs; i++)
        n += g->jobs[i]->n_targets;
    struct ingest_target_view *v = ARENA_ARRAY(a, struct ingest_target_view, n + 1);
    n = 0;
    for (size_t i = 0; v && i < g->n_jobs; i++)
        for (size_t k = 0; k < g->jobs[i]->n_targets && !a->failed; k++)
            view_target(g->jobs[i]->targets[k], a, &v[n++]);
    if (!view_done(g, a, err))
        return false;
    *out = v;
    *out_n = n;
    return true;
}

bool ingest_dropped(struct ingest *g, struct arena *a, struct ingest_dropped_view **out,
                    size_t *out_n, struct err *err) {
    size_t n = 0;
    mutex_lock(&g->lock);
    for (size_t i = 0; i < g->n_jobs; i++)
        n += g->jobs[i]->n_dropped_kept;
    struct ingest_dropped_view *v = ARENA_ARRAY(a, struct ingest_dropped_view, n + 1);
    n = 0;
    for (size_t i = 0; v && i < g->n_jobs; i++)
        for (size_t k = 0; k < g->jobs[i]->n_dropped_kept && !a->failed; k++) {
            v[n].job = arena_str(a, g->jobs[i]->conf.job_name);
            (void)labels_copy(a, g->jobs[i]->dropped[k], &v[n++].discovered);
        }
    if (!view_done(g, a, err))
        return false;
    *out = v;
    *out_n = n;
    return true;
}

bool ingest_jobs(struct ingest *g, struct arena *a, struct ingest_job_view **out, size_t *out_n,
                 struct err *err) {
    mutex_lock(&g->lock);
    size_t n = g->n_jobs;
    struct ingest_job_view *v = ARENA_ARRAY(a, struct ingest_job_view, n + 1);
    for (size_t i = 0; v && i < n; i++) {
        const struct job *j = g->jobs[i];
        v[i] =
            (struct ingest_job_view){arena_str(a, j->conf.job_name), arena_str(a, j->accepted_id),
                                     arena_str(a, str_from(j->error)), j->n_targets, j->n_dropped};
    }
    if (!view_done(g, a, err))
        return false;
    *out = v;
    *out_n = n;
    return true;
}

bool ingest_discoveries(struct ingest *g, struct arena *a, struct ingest_discovery_view **out,
                        size_t *out_n, struct err *err) {
    size_t n = 0;
    mutex_lock(&g->lock);
    for (size_t i = 0; i < g->n_jobs; i++)
        n += g->jobs[i]->n_providers;
    struct ingest_discovery_view *v = ARENA_ARRAY(a, struct ingest_discovery_view, n + 1);
    n = 0;
    for (size_t i = 0; v && i < g->n_jobs; i++)
        for (size_t k = 0; k < g->jobs[i]->n_providers; k++) {
            const struct provider *p = &g->jobs[i]->providers[k];
            v[n++] = (struct ingest_discovery_view){.job = arena_str(a, g->jobs[i]->conf.job_name),
                                                    .what = discovery_what(&p->conf, a),
                                                    .last_error = arena_str(a, str_from(p->error)),
                                                    .kind = discovery_kind_name(p->conf.kind),
                                                    .last_ok_ms = p->last_ok_ms,
                                                    .targets = p->n_targets};
        }
    if (!view_done(g, a, err))
        return false;
    *out = v;
    *out_n = n;
    return true;
}

bool ingest_limit_hits(struct ingest *g, struct arena *a, struct guard_hit **out, size_t *out_n,
                       struct err *err) {
    return guard_hits(g->guard, a, out, out_n, err);
}

bool ingest_has_url(struct ingest *g, struct str url) {
    bool found = false;
    mutex_lock(&g->lock);
    for (size_t i = 0; i < g->n_jobs; i++)
        for (size_t k = 0; k < g->jobs[i]->n_targets; k++)
            found |= str_eq(g->jobs[i]->targets[k]->spec.url, url);
    mutex_unlock(&g->lock);
    return found;
}
