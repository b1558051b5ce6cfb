/* Jobs: from configuration and discovery to targets. */
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "feature/ingest/ingest_internal.h"
#include "model/conf_copy.h"

#include <stdlib.h>

static uint64_t or_else(uint64_t own, uint64_t global) {
    return own ? own : global;
}

static void merge_limits(struct ingest_limits *to, const struct ingest_limits *own,
                         const struct ingest_limits *global) {
    static const struct ingest_limits none = {.body_size_bytes = 0};
    const struct ingest_limits *g = global ? global : &none;
    to->body_size_bytes = or_else(own->body_size_bytes, g->body_size_bytes);
    to->samples = own->samples ? own->samples : g->samples;
    to->labels = own->labels ? own->labels : g->labels;
    to->label_name_bytes = own->label_name_bytes ? own->label_name_bytes : g->label_name_bytes;
    to->label_value_bytes = own->label_value_bytes ? own->label_value_bytes : g->label_value_bytes;
    to->targets = own->targets ? own->targets : g->targets;
    to->keep_dropped_targets =
        own->keep_dropped_targets ? own->keep_dropped_targets : g->keep_dropped_targets;
}

static bool copy_conf(struct job *job, const struct ingest_scrape_config *conf, struct err *err) {
    if (!conf_copy(&ingest_scrape_config_table, conf, &job->conf, &job->arena))
        return arena_err(&job->arena, err);
    job->conf.params = NULL;
    job->conf.params_query =
        conf->params_query.n ? arena_str(&job->arena, conf->params_query) : (struct str){NULL, 0};
    return !job->arena.failed || arena_err(&job->arena, err);
}

static bool merge_global(struct job *job, const struct ingest_global *global, struct err *err) {
    const struct ingest_scrape_config *c = &job->conf;
    int64_t interval = global && global->scrape_interval_ms ? global->scrape_interval_ms : 60000;
    int64_t timeout = global ? global->scrape_timeout_ms : 0;
    job->interval_ms = c->scrape_interval_ms ? c->scrape_interval_ms : interval;
    job->timeout_ms = c->scrape_timeout_ms ? c->scrape_timeout_ms : timeout ? timeout : 10000;
    if (job->timeout_ms > job->interval_ms) {
        if (c->scrape_timeout_ms)
            return err_set(err, ERR_BAD_INPUT,
                           "job %.*s: scrape_timeout is longer than scrape_interval",
                           STR_FMT(c->job_name));
        job->timeout_ms = job->interval_ms;
    }
    merge_limits(&job->limits, &c->limits, global ? &global->limits : NULL);
    const struct conf_strs *from = c->scrape_protocols.n ? &c->scrape_protocols
                                   : global              ? &global->scrape_protocols
                                                         : NULL;
    if (from && from->n) {
        job->protocols = (struct conf_strs){ARENA_ARRAY(&job->arena, struct str, from->n), from->n};
        for (size_t i = 0; job->protocols.v && i < from->n; i++)
            job->protocols.v[i] = arena_str(&job->arena, from->v[i]);
    }
    if (global && global->name_validation)
        job->conf.name_validation = global->name_validation;
    struct buf b = BUF_INIT;
    ingest_accept_header(&job->protocols, &b);
    job->accept = arena_strz(&job->arena, buf_view(&b));
    buf_deinit(&b);
    job->defaults = (struct target_defaults){&job->conf, job->interval_ms, job->timeout_ms};
    return !job->arena.failed || arena_err(&job->arena, err);
}

static void add_providers(struct job *job, enum discovery_kind kind, const struct conf_list *list,
                          size_t size) {
    for (size_t i = 0; i < list->n; i++)
        job->providers[job->n_providers++] =
            (struct provider){.conf = {kind, (const char *)list->v + i * size}};
}

/* Static groups are known at once; the others are asked by the discovery threads. */
static bool make_providers(struct job *job, struct err *err) {
    const struct ingest_scrape_config *c = &job->conf;
    size_t n =
        c->static_configs.n + c->file_sd_configs.n + c->http_sd_configs.n + c->dns_sd_configs.n;
    job->providers = ARENA_ARRAY(&job->arena, struct provider, n + 1);
    if (!job->providers)
        return arena_err(&job->arena, err);
    add_providers(job, DISCOVERY_STATIC, &c->static_configs, sizeof(struct ingest_static));
    add_providers(job, DISCOVERY_FILE, &c->file_sd_configs, sizeof(struct ingest_file_sd));
    add_providers(job, DISCOVERY_HTTP, &c->http_sd_configs, sizeof(struct ingest_http_sd));
    add_providers(job, DISCOVERY_DNS, &c->dns_sd_configs, sizeof(struct ingest_dns_sd));
    for (size_t i = 0; i < c->static_configs.n; i++) {
        struct provider *p = &job->providers[i];
        bool unchanged;
        p->due_ns = INT64_MAX;
        if (!discovery_ask(&p->conf, NULL, &p->memory, &job->arena, &p->groups, &unchanged, err))
            return false;
    }
    return true;
}

struct job *job_new(struct ingest *g, const struct ingest_scrape_config *conf,
                    const struct ingest_global *global, const struct ingest_accepted *accepted,
                    struct err *err) {
    struct job *job = calloc(1, sizeof(*job));
    if (!job) {
        err_set(err, ERR_INTERNAL, "no memory for a scrape job");
        return NULL;
    }
    job->refs = 1;
    job->epoch = ++g->epoch;
    bool ok =
        copy_conf(job, conf, err) && merge_global(job, global, err) && make_providers(job, err);
    struct str id = accepted ? accepted->id : job->conf.job_name;
    job->key = arena_printf(&job->arena, "%s/%.*s", accepted ? "accepted" : "config", STR_FMT(id));
    if (accepted)
        job->accepted_id = arena_str(&job->arena, accepted->id);
    if (ok)
        ok = !job->arena.failed || arena_err(&job->arena, err);
    if (ok) {
        job->relabel = relabel_new(job->conf.relabel_configs.v, job->conf.relabel_configs.n, err);
        ok = job->relabel ||
             err_prefix(err, "job %.*s: relabel_configs", STR_FMT(job->conf.job_name));
    }
    if (ok) {
        job->metric_relabel = relabel_new(job->conf.metric_relabel_configs.v,
                                          job->conf.metric_relabel_configs.n, err);
        ok = job->metric_relabel ||
             err_prefix(err, "job %.*s: metric_relabel_configs", STR_FMT(job->conf.job_name));
    }
    if (!ok) {
        job_unref(job);
        return NULL;
    }
    return job;
}

void job_unref(struct job *job) {
    if (!job || --job->refs)
        return;
    for (size_t i = 0; i < job->n_providers; i++)
        if (job->providers[i].arena) {
            arena_deinit(job->providers[i].arena);
            free(job->providers[i].arena);
        }
    relabel_free(job->relabel);
    relabel_free(job->metric_relabel);
    arena_deinit(&job->dropped_arena);
    arena_deinit(&job->arena);
    free(job->targets);
    free(job);
}

static bool same_strs(const struct conf_strs *a, const struct conf_strs *b) {
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++)
        same = str_eq(a->v[i], b->v[i]);
    return same;
}

bool job_same(const struct job *a, const struct job *b) {
    return a->interval_ms == b->interval_ms && a->timeout_ms == b->timeout_ms &&
           memcmp(&a->limits, &b->limits, sizeof(a->limits)) == 0 &&
           same_strs(&a->protocols, &b->protocols) &&
           a->conf.name_validation == b->conf.name_validation &&
           str_eq(a->conf.params_query, b->conf.params_query) &&
           conf_equal(&ingest_scrape_config_table, &a->conf, &b->conf);
}

static const struct conf_table *table_of(enum discovery_kind k) {
    switch (k) {
    case DISCOVERY_STATIC:
        return &ingest_static_table;
    case DISCOVERY_FILE:
        return &ingest_file_sd_table;
    case DISCOVERY_HTTP:
        return &ingest_http_sd_table;
    case DISCOVERY_DNS:
        return &ingest_dns_sd_table;
    }
    return &ingest_static_table;
}

static void adopt_groups(struct provider *to, struct job *old) {
    for (size_t i = 0; i < old->n_providers; i++) {
        struct provider *from = &old->providers[i];
        /* A busy one's answer is on its way to the old job: ask again. */
        if (from->conf.kind != to->conf.kind || from->conf.kind == DISCOVERY_STATIC ||
            !from->arena || from->busy ||
            !conf_equal(table_of(to->conf.kind), to->conf.conf, from->conf.conf))
            continue;
        to->arena = from->arena;
        to->groups = from->groups;
        to->memory = from->memory;
        to->due_ns = from->due_ns;
        to->last_ok_ms = from->last_ok_ms;
        from->arena = NULL;
        from->groups = (struct target_groups){NULL, 0};
        return;
    }
}

void job_adopt(struct job *job, struct job *old) {
    job->targets = old->targets;
    job->n_targets = old->n_targets;
    job->targets_cap = old->targets_cap;
    old->targets = NULL;
    old->n_targets = old->targets_cap = 0;
    for (size_t i = 0; i < job->n_targets; i++)
        job->targets[i]->job = job;
    for (size_t i = 0; i < job->n_providers; i++)
        adopt_groups(&job->providers[i], old);
}

void job_retire_targets(struct ingest *g, struct job *job) {
    for (size_t i = 0; i < job->n_targets; i++)
        target_retire(g, job->targets[i]);
    job->n_targets = 0;
}

/* ---- sync ---- */

static struct target *target_new(struct ingest *g, struct job *job,
                                 const struct target_spec *spec) {
    struct target *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->job = job;
    t->spec =
        (struct target_spec){.interval_ms = spec->interval_ms, .timeout_ms = spec->timeout_ms};
    bool ok = labels_copy(&t->arena, spec->discovered, &t->spec.discovered) &&
              labels_copy(&t->arena, spec->labels, &t->spec.labels);
    t->spec.url = arena_str(&t->arena, spec->url);
    t->spec.key = arena_str(&t->arena, spec->key);
    struct str instance = labels_get(spec->labels, STR("instance")),
               name = labels_get(spec->labels, STR("job"));
    t->source = arena_printf(&t->arena, "scrape/%.*s/%.*s", STR_FMT(name), STR_FMT(instance));
    t->hash = hash_str(t->spec.key);
    t->cache = scrape_cache_new(NULL);
    if (!ok || t->arena.failed || !t->cache || !heap_reserve(g, g->n_heap + 1)) {
        target_free(t, job, g->guard);
        return NULL;
    }
    int64_t interval_ns = spec->interval_ms * 1000000,
            first = INGEST_FIRST_SCRAPE_MS * INT64_C(1000000);
    uint64_t spread = (uint64_t)(interval_ns < first ? interval_ns : first);
    t->due_ns = g->opt.clock->mono(g->opt.clock->self).ns + (int64_t)(t->hash % spread);
    return t;
}

static bool append_target(struct job *job, struct target *t) {
    if (job->n_targets == job->targets_cap) {
        size_t cap = job->targets_cap ? job->targets_cap * 2 : 8;
        struct target **v = realloc(job->targets, cap * sizeof(struct target *));
        if (!v)
            return false;
        job->targets = v;
        job->targets_cap = cap;
    }
    job->targets[job->n_targets++] = t;
    return true;
}

struct sync {
    struct ingest *g;
    struct job *job;
    struct map known; /* key -> target; keys borrowed from targets */
    struct arena scratch;
    struct labels_builder builder;
    size_t n;
    char error[ERR_MESSAGE_BYTES_MAX];
};

static void note_error(struct sync *s, const char *what) {
    if (!s->error[0]) {
        size_t n = strlen(what);
        n = n < sizeof(s->error) ? n : sizeof(s->error) - 1;
        memcpy(s->error, what, n);
        s->error[n] = 0;
    }
}

static void keep_dropped(struct job *job, struct labels discovered) {
    size_t most = job->limits.keep_dropped_targets > 0 ? (size_t)job->limits.keep_dropped_targets
                                                       : INGEST_KEEP_DROPPED;
    job->n_dropped++;
    if (job->n_dropped_kept >= most)
        return;
    size_t n = job->n_dropped_kept;
    struct labels *v = job->dropped;
    if ((n & (n - 1)) == 0) /* 0, 1, 2, 4, 8 ...: full */
        v = arena_grow(&job->dropped_arena, v, n * sizeof(*v), (n ? n * 2 : 1) * sizeof(*v));
    if (!v)
        return;
    job->dropped = v;
    if (labels_copy(&job->dropped_arena, discovered, &v[n]))
        job->n_dropped_kept++;
}

static void sync_one(struct sync *s, const struct target_group *group, size_t i) {
    struct target_spec spec;
    struct err err;
    err_reset(&err);
    if (!target_build(&s->job->defaults, s->job->relabel, group, i, &s->scratch, &s->builder, &spec,
                      &err)) {
        struct buf b = BUF_INIT;
        buf_printf(&b, "target %.*s: %s", STR_FMT(group->targets[i]), err.message);
        note_error(s, b.p ? b.p : err.message);
        buf_deinit(&b);
        return;
    }
    if (spec.dropped) {
        keep_dropped(s->job, spec.discovered);
        return;
    }
    struct target *t = map_get(&s->known, spec.key);
    if (t) {
        s->n += !t->kept; /* the same target twice is one */
        t->kept = true;
        return;
    }
    t = target_new(s->g, s->job, &spec);
    if (!t || !append_target(s->job, t)) {
        if (t)
            target_free(t, s->job, s->g->guard);
        note_error(s, "no memory for a target");
        return;
    }
    t->kept = true;
    s->n++;
    (void)map_put(&s->known, t->spec.key, t, NULL);
    heap_push(s->g, t);
}

static void sync_provider(struct sync *s, struct provider *p) {
    enum { RESET_EVERY = 256 };
    size_t before = s->n;
    for (size_t k = 0; k < p->groups.n; k++)
        for (size_t i = 0; i < p->groups.v[k].n; i++) {
            if (i % RESET_EVERY == 0)
                arena_reset(&s->scratch);
            sync_one(s, &p->groups.v[k], i);
        }
    p->n_targets = s->n - before;
}

void job_sync(struct ingest *g, struct job *job) {
    struct sync s = {.g = g, .job = job, .known = {.borrow_keys = true}};
    for (size_t i = 0; i < job->n_targets; i++) {
        job->targets[i]->kept = false;
        (void)map_put(&s.known, job->targets[i]->spec.key, job->targets[i], NULL);
    }
    arena_reset(&job->dropped_arena);
    job->dropped = NULL;
    job->n_dropped = job->n_dropped_kept = 0;
    for (size_t i = 0; i < job->n_providers; i++)
        sync_provider(&s, &job->providers[i]);
    size_t n = 0;
    for (size_t i = 0; i < job->n_targets; i++) {
        if (job->targets[i]->kept)
            job->targets[n++] = job->targets[i];
        else
            target_retire(g, job->targets[i]);
    }
    job->n_targets = n;
    job->over_target_limit = job->limits.targets > 0 && n > (size_t)job->limits.targets;
    if (job->over_target_limit) {
        struct err e;
        err_set(&e, ERR_LIMITED, "target_limit of %lld is exceeded: %zu targets",
                (long long)job->limits.targets, n);
        note_error(&s, e.message);
    }
    if (s.error[0] && strcmp(s.error, job->error) != 0)
        log_warn("scrape", "job %.*s: %s", STR_FMT(job->conf.job_name), s.error);
    memcpy(job->error, s.error, sizeof(job->error));
    map_deinit(&s.known);
    labels_builder_deinit(&s.builder);
    arena_deinit(&s.scratch);
    cond_signal(&g->changed);
}

/* ---- discovery threads ---- */

static struct provider *next_provider(struct ingest *g, struct job **out_job, int64_t now,
                                      int64_t *out_wait) {
    *out_wait = INT64_MAX;
    for (size_t i = 0; i < g->n_jobs; i++)
        for (size_t k = 0; k < g->jobs[i]->n_providers; k++) {
            struct provider *p = &g->jobs[i]->providers[k];
            if (p->busy || p->conf.kind == DISCOVERY_STATIC)
                continue;
            if (p->due_ns <= now) {
                *out_job = g->jobs[i];
                return p;
            }
            if (p->due_ns - now < *out_wait)
                *out_wait = p->due_ns - now;
        }
    return NULL;
}

static void take_answer(struct ingest *g, struct job *job, struct provider *p, struct arena *arena,
                        bool ok, bool unchanged, const struct target_groups *groups,
                        const struct err *err) {
    p->busy = false;
    p->due_ns =
        g->opt.clock->mono(g->opt.clock->self).ns + discovery_interval_ms(&p->conf) * 1000000;
    if (ok && unchanged && p->error[0]) { /* still the document that could not be read */
        arena_deinit(arena);
        free(arena);
        return;
    }
    if (ok)
        p->last_ok_ms = clock_wall_ms(g->opt.clock);
    if (!ok && strcmp(p->error, err->message) != 0)
        log_warn("discover", "job %.*s: %s", STR_FMT(job->conf.job_name), err->message);
    memcpy(p->error, ok ? "" : err->message, ok ? 1 : sizeof(p->error));
    if (!ok || unchanged) {
        if (arena)
            arena_deinit(arena);
        free(arena);
        return;
    }
    if (p->arena) {
        arena_deinit(p->arena);
        free(p->arena);
    }
    p->arena = arena;
    p->groups = *groups;
    if (job->current)
        job_sync(g, job);
}

static void ask(struct ingest *g, struct job *job, struct provider *p) {
    struct discovery_env env = {.http = g->http,
                                .lock = &g->lock,
                                .stopping = &g->stopping,
                                .dns_servers = g->opt.dns_servers,
                                .user_agent = "hinomi/" HINOMI_VERSION};
    struct arena *arena = calloc(1, sizeof(*arena));
    struct target_groups groups = {.n = 0};
    uint64_t memory = p->memory;
    bool unchanged = false, ok = false;
    struct err err;
    err_reset(&err);
    p->busy = true;
    job->refs++;
    mutex_unlock(&g->lock);
    if (arena)
        ok = discovery_ask(&p->conf, &env, &memory, arena, &groups, &unchanged, &err);
    else
        err_set(&err, ERR_INTERNAL, "no memory for discovery");
    mutex_lock(&g->lock);
    p->memory = memory;
    take_answer(g, job, p, arena, ok, unchanged, &groups, &err);
    job_unref(job);
}

void ingest_discover_loop(void *arg) {
    struct ingest *g = arg;
    mutex_lock(&g->lock);
    while (!g->stopping) {
        struct job *job = NULL;
        int64_t wait;
        struct provider *p =
            next_provider(g, &job, g->opt.clock->mono(g->opt.clock->self).ns, &wait);
        if (p)
            ask(g, job, p);
        else if (wait == INT64_MAX)
            cond_wait(&g->discovery, &g->lock);
        else
            (void)cond_wait_for(&g->discovery, &g->lock, (dur_t){wait});
    }
    mutex_unlock(&g->lock);
}
