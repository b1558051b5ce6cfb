#include "feature/collect/collect.h"

#include "base/log.h"
#include "base/stats.h"
#include "feature/collect/collectors.h"
#include "os/clock.h"

#include <math.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#define INTERVAL_MS_DEFAULT 1000
#define ALIGN_SLACK_MS                                                                             \
    10 /* a tick this late still bears its scheduled timestamp: even deltas pack best */
#define HOST_NAME_BYTES_MAX 255
#define GATHER_EARLY_ROUNDS                                                                        \
    3 /* just after the start, programs of the machine (hinomi too) still open their ports */
#define GATHER_EARLY_NS ((int64_t)3 * 1000000000)

static const struct collector *const all_collectors[] = {
#define X(name) &name##_collector,
    COLLECTORS(X)
#undef X
};
#define N_COLLECTORS (sizeof(all_collectors) / sizeof(all_collectors[0]))

struct running {
    const struct collector *c;
    void *self;
    struct emit emit;
    struct collect_env env;
    bool ready, disabled, failed, logged;
    uint64_t every;  /* ticks */
    int64_t last_ms; /* last good reading */
    double duration_s;
    int64_t next_gather_ns; /* mono */
    unsigned gathers;
    bool gathered;
    char detail[256]; /* why it is not ok; "" */
};

struct collect {
    struct collect_config config;
    struct clock clock;
    struct sink sink;
    char *proc, *sys, *root;
    char instance[HOST_NAME_BYTES_MAX + 1];
    uint16_t *own_ports;
    size_t n_own_ports;
    struct http_client *http;
    int64_t interval_ms;
    struct running run[N_COLLECTORS];
    struct emit_batch batch;
    struct emit own_emit; /* node_scrape_collector_* */
    struct emit_table *own_table;
    struct emit up_emit; /* up: as if this host were a target, so that rules and dashboards over up
                            see it */
    struct emit_table *up_table;
    struct buf buf;
    struct collect_host host;
    struct mutex lock; /* everything that overview shows; held while collectors run */
    struct overview_point points[OVERVIEW_HISTORY_POINTS];
    size_t n_points, next_point;
    uint64_t ticks;
    bool sink_failing;

    struct mutex stop_lock;
    struct cond stop_cond;
    _Atomic bool stopping;
    struct thread loop, slow;
    bool threads;
};

const char *collect_name(size_t i, const char **out_help) {
    if (i >= N_COLLECTORS)
        return NULL;
    if (out_help)
        *out_help = all_collectors[i]->help;
    return all_collectors[i]->name;
}

double rate_update(struct rate *r, double value, int64_t mono_ns) {
    double per_s = collect_nan();
    if (r->known && mono_ns > r->last_ns && value >= r->last)
        per_s = (value - r->last) / ((double)(mono_ns - r->last_ns) / 1e9);
    if (r->known && mono_ns == r->last_ns)
        return r->per_s;
    *r = (struct rate){value, per_s, mono_ns, true};
    return per_s;
}

static const char *const own_labels[] = {"collector"};
static const struct emit_metric own_metrics[] = {
    {"node_scrape_collector_duration_seconds", METRIC_GAUGE,
     "Time that the last reading of a collector took."},
    {"node_scrape_collector_success", METRIC_GAUGE,
     "Whether the last reading of a collector succeeded."},
};
static const struct emit_group own_group = {own_labels, 1, own_metrics, 2, N_COLLECTORS};

static const struct emit_metric up_metrics[] = {
    {"up", METRIC_GAUGE,
     "1 if the instance is healthy, i.e. reachable, or 0 if the scrape failed."},
};
static const struct emit_group up_group = {NULL, 0, up_metrics, 1, 1};

static uint64_t ticks_of(enum collect_every every, int64_t interval_ms) {
    int64_t ms = interval_ms;
    switch (every) {
    case EVERY_TICK:
        break;
    case EVERY_5_S:
        ms = 5000;
        break;
    case EVERY_15_S:
        ms = 15000;
        break;
    case EVERY_MINUTE:
        ms = 60000;
        break;
    case EVERY_5_MINUTES:
        ms = 300000;
        break;
    }
    int64_t n = ms / interval_ms;
    return n < 1 ? 1 : (uint64_t)n;
}

static bool is_disabled(const struct collect_config *config, const char *name) {
    for (size_t i = 0; i < config->disabled.n; i++)
        if (str_eqz(config->disabled.v[i], name))
            return true;
    return false;
}

static void fail(struct running *r, const struct err *err) {
    r->failed = true;
    STAT_ADD(hinomi_collect_failures_total, 1);
    size_t n = strlen(err->message);
    if (n >= sizeof(r->detail))
        n = sizeof(r->detail) - 1;
    memcpy(r->detail, err->message, n);
    r->detail[n] = '\0';
    if (!r->logged)
        log_warn("collect", "%s: %s", r->c->name, err->message);
    r->logged = true; /* again only after it has worked */
}

static void init_collector(struct collect *c, struct running *r, const struct collector *desc) {
    r->c = desc;
    r->last_ms = OVERVIEW_UNKNOWN;
    r->every = ticks_of(desc->every, c->interval_ms);
    emit_init(&r->emit, &c->batch);
    bool real = !c->root[0] && strcmp(c->proc, "/proc") == 0;
    r->env = (struct collect_env){.proc = c->proc,
                                  .sys = c->sys,
                                  .root = c->root,
                                  .clock = &c->clock,
                                  .config = &c->config,
                                  .lock = &c->lock,
                                  .http = c->http,
                                  .own_ports = c->own_ports,
                                  .n_own_ports = c->n_own_ports,
                                  .instance = str_from(c->instance),
                                  .real_host = real,
                                  .buf = &c->buf,
                                  .emit = &r->emit,
                                  .host = &c->host,
                                  .stopping = &c->stopping};
    if (is_disabled(&c->config, desc->name)) {
        r->disabled = true;
        return;
    }
    r->self = calloc(1, desc->size ? desc->size : 1);
    struct err err = {0};
    if (!r->self)
        err_set(&err, ERR_INTERNAL, "out of memory");
    else if (!desc->init || desc->init(r->self, &r->env, &err))
        r->ready = true;
    if (!r->ready)
        fail(r, &err);
}

static void host_name(struct collect *c, const char *root) {
    struct str given = c->config.instance;
    struct buf b = BUF_INIT;
    struct utsname u;
    struct str text;
    if (given.n) {
        buf_puts(&b, given);
    } else if (root && root[0]) {
        struct buf file = BUF_INIT;
        if (procfile_slurp(root, "etc/hostname", 256, &file, &text))
            buf_puts(&b, str_trim(text));
        buf_deinit(&file);
    }
    if (b.n == 0 && uname(&u) == 0)
        buf_putz(&b, u.nodename);
    struct buf clean = BUF_INIT;
    emit_clean(&clean, buf_view(&b), HOST_NAME_BYTES_MAX);
    if (clean.n == 0)
        buf_putz(&clean, "localhost");
    if (buf_ok(&clean) && clean.p)
        memcpy(c->instance, clean.p, clean.n + 1);
    buf_deinit(&clean);
    buf_deinit(&b);
}

/* What the loop does at one moment. Returns rows in c->batch. */
static void run_one(struct collect *c, struct running *r) {
    r->env.now_ms = c->batch.ts_ms;
    r->env.mono_ns = c->clock.mono(c->clock.self).ns;
    buf_reset(&r->env.detail);
    emit_begin(&r->emit);
    struct err err = {0};
    int64_t start = r->env.mono_ns;
    bool ok = r->c->collect(r->self, &r->env, &err);
    r->duration_s = (double)(c->clock.mono(c->clock.self).ns - start) / 1e9;
    emit_end(&r->emit);
    if (!ok) {
        fail(r, &err);
        return;
    }
    r->failed = r->logged = false;
    r->last_ms = c->batch.ts_ms;
    r->detail[0] = '\0';
    uint64_t refused = emit_refused(&r->emit);
    if (refused && r->env.detail.n == 0)
        buf_putz(&r->env.detail, "over its limit of items; the rest is left out");
    if (r->env.detail.n && r->env.detail.p) {
        size_t n = r->env.detail.n < sizeof(r->detail) ? r->env.detail.n : sizeof(r->detail) - 1;
        memcpy(r->detail, r->env.detail.p, n);
        r->detail[n] = '\0';
    }
}

static void add_point(struct collect *c) {
    struct overview_point p;
    overview_point_init(&p, c->batch.ts_ms);
    for (size_t i = 0; i < N_COLLECTORS; i++)
        if (c->run[i].ready && !c->run[i].failed && c->run[i].c->point)
            c->run[i].c->point(c->run[i].self, &p);
    c->points[c->next_point] = p;
    c->next_point = (c->next_point + 1) % OVERVIEW_HISTORY_POINTS;
    if (c->n_points < OVERVIEW_HISTORY_POINTS)
        c->n_points++;
}

static void report_collectors(struct collect *c) {
    emit_begin(&c->own_emit);
    for (size_t i = 0; i < N_COLLECTORS; i++) {
        struct running *r = &c->run[i];
        if (r->disabled)
            continue;
        struct str name = str_from(r->c->name);
        struct emit_item *it = emit_item(c->own_table, &name);
        if (r->ready)
            emit_put(it, 0, r->duration_s);
        emit_put(it, 1, r->ready && !r->failed ? 1 : 0);
    }
    emit_end(&c->own_emit);
}

static bool write_batch(struct collect *c, struct err *err) {
    struct batch b = {.kind = SOURCE_COLLECT,
                      .source = STR("collect"),
                      .rows = c->batch.rows,
                      .n = c->batch.n,
                      .refs = c->batch.refs};
    struct write_result result = {0};
    bool ok = c->batch.n == 0 || sink_write(&c->sink, &b, &result, err);
    emit_batch_written(&c->batch);
    if (ok && result.first_rejected[0] && !c->sink_failing) {
        log_warn("collect", "the store refused rows: %s", result.first_rejected);
        c->sink_failing = true;
    } else if (ok && !result.first_rejected[0]) {
        c->sink_failing = false;
    }
    return ok;
}

static bool tick(struct collect *c, int64_t ts_ms, struct err *err) {
    mutex_lock(&c->lock);
    emit_batch_reset(&c->batch, ts_ms);
    for (size_t i = 0; i < N_COLLECTORS; i++) {
        struct running *r = &c->run[i];
        /* spread what is not due every tick over the ticks, but read all of it on the first one */
        bool due = c->ticks == 0 || (c->ticks + i) % r->every == 0 || (r->c->gather && r->gathered);
        if (r->ready && due) {
            r->gathered = false;
            run_one(c, r);
        }
    }
    if (c->ticks % ticks_of(EVERY_15_S, c->interval_ms) == 1 % ticks_of(EVERY_15_S, c->interval_ms))
        report_collectors(c);
    emit_begin(&c->up_emit);
    emit_put(emit_item(c->up_table, NULL), 0, 1);
    emit_end(&c->up_emit);
    add_point(c);
    c->ticks++;
    mutex_unlock(&c->lock);
    return write_batch(c, err);
}

static int64_t aligned_ts(const struct collect *c, int64_t now_ms) {
    int64_t late = now_ms % c->interval_ms;
    return late <= ALIGN_SLACK_MS ? now_ms - late : now_ms;
}

/* Returns when the next one is due (mono, ns). */
static int64_t gather_due(struct collect *c) {
    int64_t next_ns = INT64_MAX;
    for (size_t i = 0; i < N_COLLECTORS && !c->stopping; i++) {
        struct running *r = &c->run[i];
        int64_t now = c->clock.mono(c->clock.self).ns;
        if (!r->ready || !r->c->gather)
            continue;
        if (now < r->next_gather_ns) {
            next_ns = r->next_gather_ns < next_ns ? r->next_gather_ns : next_ns;
            continue;
        }
        struct err err = {0};
        bool ok = r->c->gather(r->self, &r->env, &err);
        int64_t pause_ns = (int64_t)r->every * c->interval_ms * 1000000;
        if (r->gathers++ < GATHER_EARLY_ROUNDS && pause_ns > GATHER_EARLY_NS)
            pause_ns = GATHER_EARLY_NS;
        r->next_gather_ns = now + pause_ns;
        next_ns = r->next_gather_ns < next_ns ? r->next_gather_ns : next_ns;
        mutex_lock(&c->lock);
        r->gathered = true;
        if (!ok)
            fail(r, &err);
        mutex_unlock(&c->lock);
    }
    return next_ns;
}

bool collect_tick(struct collect *c, struct err *err) {
    (void)gather_due(c);
    return tick(c, aligned_ts(c, clock_wall_ms(&c->clock)), err);
}

static bool wait_stop(struct collect *c, int64_t ms) {
    mutex_lock(&c->stop_lock);
    int64_t until = clock_mono_ms(&c->clock) + ms;
    while (!c->stopping) {
        int64_t left = until - clock_mono_ms(&c->clock);
        if (left <= 0)
            break;
        cond_wait_for(&c->stop_cond, &c->stop_lock, DUR_MS(left));
    }
    bool stopping = c->stopping;
    mutex_unlock(&c->stop_lock);
    return stopping;
}

static void loop_main(void *arg) {
    struct collect *c = arg;
    bool failing = false;
    for (;;) {
        int64_t now = clock_wall_ms(&c->clock);
        if (wait_stop(c, c->interval_ms - now % c->interval_ms))
            return;
        struct err err = {0};
        bool ok = tick(c, aligned_ts(c, clock_wall_ms(&c->clock)), &err);
        if (!ok && !failing)
            log_error("collect", "writing this host's samples failed: %s", err.message);
        if (ok && failing)
            log_info("collect", "writing this host's samples works again");
        failing = !ok;
    }
}

static void slow_main(void *arg) {
    struct collect *c = arg;
    int64_t wait_ms;
    do {
        int64_t next_ns = gather_due(c), left_ns = next_ns - c->clock.mono(c->clock.self).ns;
        wait_ms = next_ns == INT64_MAX ? 3600000 : left_ns > 0 ? left_ns / 1000000 + 1 : 1;
    } while (!wait_stop(c, wait_ms));
}

static char *copy_path(const char *p, const char *def) {
    const char *from = p ? p : def;
    size_t n = strlen(from);
    while (n > 1 && from[n - 1] == '/')
        n--;
    if (n == 1 && from[0] == '/')
        n = 0;
    char *out = malloc(n + 1);
    if (out) {
        memcpy(out, from, n);
        out[n] = '\0';
    }
    return out;
}

static bool setup(struct collect *c, const struct collect_options *opt, struct err *err) {
    c->clock = opt->clock ? *opt->clock : *clock_system();
    if (opt->config)
        c->config = *opt->config;
    c->interval_ms = c->config.interval_ms > 0 ? c->config.interval_ms : INTERVAL_MS_DEFAULT;
    c->sink = opt->sink;
    c->http = opt->http;
    c->proc = copy_path(opt->proc, "/proc");
    c->sys = copy_path(opt->sys, "/sys");
    c->root = copy_path(opt->root, "");
    c->own_ports = calloc(opt->n_own_ports + 1, sizeof(uint16_t));
    if (!c->proc || !c->sys || !c->root || !c->own_ports)
        return err_set(err, ERR_INTERNAL, "out of memory");
    if (opt->n_own_ports)
        memcpy(c->own_ports, opt->own_ports, opt->n_own_ports * sizeof(uint16_t));
    c->n_own_ports = opt->n_own_ports;
    host_name(c, c->root);
    emit_batch_init(&c->batch, STR("node"), str_from(c->instance));
    c->batch.meta = opt->meta;
    c->batch.meta_self = opt->meta_self;
    emit_init(&c->own_emit, &c->batch);
    c->own_table = emit_table(&c->own_emit, &own_group);
    emit_init(&c->up_emit, &c->batch);
    c->up_table = emit_table(&c->up_emit, &up_group);
    c->host.boot_ms = c->host.cpus = c->host.memory_bytes = OVERVIEW_UNKNOWN;
    for (size_t i = 0; i < N_COLLECTORS; i++)
        init_collector(c, &c->run[i], all_collectors[i]);
    return true;
}

struct collect *collect_new(const struct collect_options *opt, struct err *err) {
    struct collect *c = calloc(1, sizeof(*c));
    if (!c) {
        err_set(err, ERR_INTERNAL, "out of memory");
        return NULL;
    }
    mutex_init(&c->lock);
    mutex_init(&c->stop_lock);
    cond_init(&c->stop_cond);
    if (!setup(c, opt, err)) {
        collect_free(c);
        return NULL;
    }
    if (opt->no_threads)
        return c;
    /* the first reading at once, so that there is something true before the first second is over */
    struct err first = {0};
    if (!tick(c, aligned_ts(c, clock_wall_ms(&c->clock)), &first))
        log_error("collect", "writing this host's samples failed: %s", first.message);
    if (!thread_start(&c->loop, "collect", loop_main, c, err) ||
        !thread_start(&c->slow, "collect-slow", slow_main, c, err)) {
        collect_free(c);
        return NULL;
    }
    return c;
}

void collect_free(struct collect *c) {
    if (!c)
        return;
    mutex_lock(&c->stop_lock);
    c->stopping = true;
    cond_broadcast(&c->stop_cond);
    mutex_unlock(&c->stop_lock);
    thread_join(&c->loop);
    thread_join(&c->slow);
    for (size_t i = 0; i < N_COLLECTORS; i++) {
        struct running *r = &c->run[i];
        if (r->self && r->c->deinit)
            r->c->deinit(r->self);
        free(r->self);
        emit_deinit(&r->emit);
        buf_deinit(&r->env.detail);
    }
    emit_deinit(&c->own_emit);
    emit_deinit(&c->up_emit);
    emit_batch_deinit(&c->batch);
    buf_deinit(&c->buf);
    mutex_deinit(&c->lock);
    mutex_deinit(&c->stop_lock);
    cond_deinit(&c->stop_cond);
    free(c->proc);
    free(c->sys);
    free(c->root);
    free(c->own_ports);
    free(c);
}

static void add_sources(struct collect *c, struct arena *a, struct overview *out) {
    out->sources = ARENA_ARRAY(a, struct overview_source, N_COLLECTORS);
    if (!out->sources)
        return;
    for (size_t i = 0; i < N_COLLECTORS; i++) {
        struct running *r = &c->run[i];
        if (r->disabled)
            continue;
        struct overview_source *s = &out->sources[out->n_sources++];
        s->name = str_from(r->c->name);
        s->last_ms = r->last_ms;
        int64_t age_max = (int64_t)r->every * c->interval_ms * 2 + 2 * c->interval_ms;
        if (r->last_ms == OVERVIEW_UNKNOWN)
            s->freshness = FRESH_UNKNOWN;
        else
            s->freshness = r->failed || out->now_ms - r->last_ms > age_max ? FRESH_STALE : FRESH_OK;
        if (r->detail[0])
            s->detail = arena_str(a, str_from(r->detail));
    }
}

bool collect_overview(struct collect *c, struct arena *a, struct overview *out) {
    overview_init(out, clock_wall_ms(&c->clock));
    mutex_lock(&c->lock);
    out->host.name = arena_str(a, str_from(c->instance));
    const struct collect_host *h = &c->host;
    out->host.boot_ms = h->boot_ms;
    if (h->boot_ms != OVERVIEW_UNKNOWN)
        out->host.uptime_s = (double)(out->now_ms - h->boot_ms) / 1000.0;
    out->host.cpus = h->cpus;
    out->host.memory_bytes = h->memory_bytes;
    if (h->os[0])
        out->host.os = arena_str(a, str_from(h->os));
    if (h->kernel[0])
        out->host.kernel = arena_str(a, str_from(h->kernel));
    if (h->architecture[0])
        out->host.architecture = arena_str(a, str_from(h->architecture));
    for (size_t i = 0; i < N_COLLECTORS; i++)
        if (c->run[i].ready && !c->run[i].failed && c->run[i].c->overview)
            c->run[i].c->overview(c->run[i].self, &c->run[i].env, a, out);
    add_sources(c, a, out);
    mutex_unlock(&c->lock);
    return !a->failed;
}

size_t collect_history(struct collect *c, struct overview_point *out, size_t max) {
    mutex_lock(&c->lock);
    size_t n = c->n_points < max ? c->n_points : max;
    size_t first = (c->next_point + OVERVIEW_HISTORY_POINTS - n) % OVERVIEW_HISTORY_POINTS;
    for (size_t i = 0; i < n; i++)
        out[i] = c->points[(first + i) % OVERVIEW_HISTORY_POINTS];
    mutex_unlock(&c->lock);
    return n;
}

int64_t collect_interval_ms(const struct collect *c) {
    return c->interval_ms;
}

struct str collect_instance(const struct collect *c) {
    return str_from(c->instance);
}
