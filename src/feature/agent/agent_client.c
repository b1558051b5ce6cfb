#include "feature/agent/agent_client.h"

#include "base/log.h"
#include "base/stats.h"
#include "codec/json.h"
#include "feature/agent/agentwire.h"
#include "os/file.h"
#include "os/random.h"
#include "os/thread.h"

#include <stdio.h>
#include <stdlib.h>

#define POLL_MS_DEFAULT 30000
#define BACKOFF_MS_MIN 500
#define BACKOFF_MS_MAX 60000
#define MESSAGE_BYTES                                                                              \
    ((size_t)1 << 20) /* one request: small enough to be sent again without regret */
#define MESSAGE_RECORDS 256
#define META_MAX 20000
#define IDLE_WAIT_MS 1000

struct agent_client {
    struct spool *spool;
    struct clock clock;
    struct agent_transport transport;
    char *secret, *version;
    int64_t poll_ms;
    void (*on_config)(void *self, const struct agent_config *config);
    void *on_config_self;

    struct mutex meta_lock;
    struct arena meta_arena;
    struct metric_meta *meta;
    size_t n_meta, cap_meta;

    /* forwarder's own */
    struct buf message, record;
    int64_t not_before_ms, next_poll_ms, backoff_ms; /* mono */
    size_t records_max;                              /* halved after 413 */
    bool position_known;                             /* the server's, since our start */
    struct buf config_version;

    struct mutex status_lock;
    struct agent_client_status status;

    struct mutex wake_lock;
    struct cond wake;
    bool stopping, work;
    struct thread thread;
};

/* ---- into the buffer ---- */

static void wake(struct agent_client *c) {
    mutex_lock(&c->wake_lock);
    c->work = true;
    cond_signal(&c->wake);
    mutex_unlock(&c->wake_lock);
}

static bool client_write(void *self, const struct batch *b, struct write_result *out,
                         struct err *err) {
    struct agent_client *c = self;
    struct buf bytes = BUF_INIT;
    mutex_lock(&c->meta_lock);
    struct agentwire_record r = {b->kind, b->source, b->rows, b->n, c->meta, c->n_meta};
    bool ok = agentwire_encode(&r, &bytes, err) &&
              spool_append(c->spool, buf_view(&bytes), (uint32_t)b->n, err);
    if (ok && c->n_meta) {
        c->n_meta = 0;
        arena_reset(&c->meta_arena);
    }
    mutex_unlock(&c->meta_lock);
    buf_deinit(&bytes);
    if (!ok) {
        STAT_ADD(hinomi_agent_dropped_samples_total, b->n);
        return err_prefix(err, "disk buffer");
    }
    out->accepted += b->n;
    wake(c);
    return true;
}

static const struct sink_ops client_ops = {client_write};

struct sink agent_client_sink(struct agent_client *c) {
    return (struct sink){&client_ops, c};
}

void agent_client_meta(void *client, const struct metric_meta *m) {
    struct agent_client *c = client;
    mutex_lock(&c->meta_lock);
    if (c->n_meta == c->cap_meta && c->cap_meta < META_MAX) {
        size_t cap = c->cap_meta ? c->cap_meta * 2 : 256;
        struct metric_meta *p = realloc(c->meta, cap * sizeof(*p));
        if (p) {
            c->meta = p;
            c->cap_meta = cap;
        }
    }
    if (c->n_meta < c->cap_meta) {
        struct metric_meta copy = {arena_str(&c->meta_arena, m->metric),
                                   arena_str(&c->meta_arena, m->help),
                                   arena_str(&c->meta_arena, m->unit), m->type};
        if (copy.metric.p && copy.help.p && copy.unit.p)
            c->meta[c->n_meta++] = copy;
    }
    mutex_unlock(&c->meta_lock);
}

/* ---- to the server ---- */

static void note(struct agent_client *c, bool ok, const char *error) {
    mutex_lock(&c->status_lock);
    bool changed = c->status.connected != ok || (!ok && strcmp(c->status.last_error, error) != 0);
    c->status.connected = ok;
    if (ok)
        c->status.last_ok_ms = clock_wall_ms(&c->clock);
    snprintf(c->status.last_error, sizeof(c->status.last_error), "%s", ok ? "" : error);
    mutex_unlock(&c->status_lock);
    if (changed && ok)
        log_info("agent", "the server takes our samples");
    else if (changed)
        log_warn("agent", "the server cannot be reached; samples wait in the disk buffer: %s",
                 error);
}

static void back_off(struct agent_client *c, int64_t at_least_ms) {
    c->backoff_ms = c->backoff_ms ? c->backoff_ms * 2 : BACKOFF_MS_MIN;
    if (c->backoff_ms > BACKOFF_MS_MAX)
        c->backoff_ms = BACKOFF_MS_MAX;
    int64_t wait = c->backoff_ms / 2 + (int64_t)(random_u64() % (uint64_t)(c->backoff_ms / 2 + 1));
    if (wait < at_least_ms)
        wait = at_least_ms;
    c->not_before_ms = clock_mono_ms(&c->clock) + wait;
}

static bool call(struct agent_client *c, const char *method, const char *path, struct str body,
                 struct agent_response *res, struct err *err) {
    struct agent_request req = {.method = method,
                                .path = path,
                                .body = body,
                                .content_type = body.n ? AGENTWIRE_CONTENT_TYPE : NULL,
                                .bearer = c->secret,
                                .version = c->version,
                                .buffered_bytes = spool_stats(c->spool).bytes};
    return c->transport.call(c->transport.self, &req, res, err);
}

static bool position_of(const struct jsonr *root, struct spool_position *out) {
    int64_t segment = jsonr_get_i64(root, "segment", -1),
            offset = jsonr_get_i64(root, "offset", -1);
    if (segment < 0 || offset < 0)
        return false;
    *out = (struct spool_position){(uint64_t)segment, (uint64_t)offset};
    return true;
}

static void told_refusals(const struct jsonr *root) {
    int64_t refused = jsonr_get_i64(root, "refused_records", 0),
            rejected = jsonr_get_i64(root, "rejected_samples", 0);
    struct str why = jsonr_get_str(root, "first_rejected");
    if (refused > 0)
        log_error("agent", "the server could not read %lld records and left them out: %.*s",
                  (long long)refused, STR_FMT(why));
    else if (rejected > 0)
        log_warn("agent", "the server's store refused %lld samples: %.*s", (long long)rejected,
                 STR_FMT(why));
}

/* What to do after an answer that is not 2xx. */
static void refused(struct agent_client *c, const struct agent_response *res) {
    char text[200];
    struct str body = buf_view(&res->body);
    snprintf(text, sizeof(text), "HTTP %d: %.*s", res->status, body.n > 120 ? 120 : (int)body.n,
             body.p ? body.p : "");
    note(c, false, text);
    int64_t wait_ms = res->retry_after_s * 1000;
    if (res->status == 413 && c->records_max > 1) {
        c->records_max /= 2; /* at once, with less */
        return;
    }
    if (res->status == 401 || res->status == 403)
        wait_ms = BACKOFF_MS_MAX; /* revoked: asking often does not help */
    back_off(c, wait_ms);
}

static bool read_config(struct agent_client *c, const struct jsonr *root) {
    struct str version = jsonr_get_str(root, "config_version");
    if (version.n == 0 || str_eq(version, buf_view(&c->config_version)))
        return true;
    struct agent_config config = {.interval_ms = jsonr_get_i64(root, "interval_ms", 0),
                                  .scrape_configs = jsonr_get_str(root, "scrape_configs"),
                                  .version = version};
    if (c->on_config)
        c->on_config(c->on_config_self, &config);
    buf_reset(&c->config_version);
    buf_puts(&c->config_version, version);
    return buf_ok(&c->config_version);
}

static bool poll_server(struct agent_client *c, struct err *err) {
    struct agent_response res = {.body = BUF_INIT};
    bool ok = call(c, "GET", AGENT_PATH_POLL, STR(""), &res, err);
    if (!ok) {
        note(c, false, err->message);
        back_off(c, 0);
    } else if (res.status != 200) {
        refused(c, &res);
        ok = false;
    } else {
        struct jsonr_doc *doc = jsonr_parse(buf_view(&res.body), err);
        struct spool_position p;
        ok = doc && position_of(jsonr_root(doc), &p);
        if (ok) {
            spool_raise(c->spool, p);
            ok = spool_release(c->spool, p, err) && read_config(c, jsonr_root(doc));
            c->position_known = true;
            c->backoff_ms = 0;
            c->next_poll_ms = clock_mono_ms(&c->clock) + c->poll_ms;
            note(c, true, "");
        } else {
            note(c, false,
                 "the server's answer is not what an agent expects; is the address right?");
            back_off(c, 0);
        }
        jsonr_free(doc);
    }
    buf_deinit(&res.body);
    return ok;
}

/* The records that wait, oldest first, up to the size of a request. */
static bool build_message(struct agent_client *c, size_t *out_n, struct spool_position *out_last,
                          struct err *err) {
    struct spool_position at = spool_released(c->spool);
    *out_n = 0;
    buf_reset(&c->message);
    agentwire_message_begin(&c->message);
    while (*out_n < c->records_max && c->message.n < MESSAGE_BYTES) {
        struct spool_position p;
        bool found;
        if (!spool_next(c->spool, at, &c->record, &p, &found, err))
            return false;
        if (!found || (*out_n && c->message.n + c->record.n > AGENTWIRE_MESSAGE_BYTES_MAX - 64))
            break;
        struct agentwire_part part = {p.segment, p.offset, buf_view(&c->record)};
        agentwire_message_add(&c->message, &part);
        at = p;
        ++*out_n;
    }
    *out_last = at;
    return buf_ok(&c->message) || err_set(err, ERR_INTERNAL, "out of memory");
}

static void take_answer(struct agent_client *c, const struct agent_response *res, size_t n,
                        struct spool_position last) {
    struct err err = {0};
    struct jsonr_doc *doc = jsonr_parse(buf_view(&res->body), &err);
    struct spool_position p;
    bool have = doc && position_of(jsonr_root(doc), &p) && !spool_before(last, p);
    struct spool_position before = spool_released(c->spool);
    if (have && !spool_release(c->spool, p, &err))
        log_error("agent", "%s", err.message);
    if (have && res->status == 200 && spool_before(before, p)) {
        told_refusals(jsonr_root(doc));
        STAT_ADD(hinomi_agent_forwarded_batches_total, n);
        c->backoff_ms = 0;
        if (c->records_max < MESSAGE_RECORDS)
            c->records_max *= 2;
        note(c, true, "");
    } else if (res->status == 200) {
        note(c, false, "the server's answer is not what an agent expects; is the address right?");
        back_off(c, 0);
    } else {
        refused(c, res);
    }
    jsonr_free(doc);
}

void agent_client_step(struct agent_client *c, int64_t *out_wait_ms) {
    int64_t now = clock_mono_ms(&c->clock);
    *out_wait_ms = IDLE_WAIT_MS;
    if (now < c->not_before_ms) {
        *out_wait_ms = c->not_before_ms - now;
        return;
    }
    struct err err = {0};
    size_t n = 0;
    struct spool_position last = {0, 0};
    if (!c->position_known || now >= c->next_poll_ms) {
        if (!poll_server(c, &err)) {
            now = clock_mono_ms(&c->clock);
            *out_wait_ms = c->not_before_ms > now ? c->not_before_ms - now : 1;
            return;
        }
    }
    if (!build_message(c, &n, &last, &err)) {
        log_error("agent", "%s", err.message);
        back_off(c, 0);
        return;
    }
    if (n == 0)
        return;
    struct agent_response res = {.body = BUF_INIT};
    if (call(c, "POST", AGENT_PATH_WRITE, buf_view(&c->message), &res, &err)) {
        take_answer(c, &res, n, last);
    } else {
        note(c, false, err.message);
        back_off(c, 0);
    }
    buf_deinit(&res.body);
    now = clock_mono_ms(&c->clock);
    *out_wait_ms = c->not_before_ms > now ? c->not_before_ms - now : 0;
}

static void forward_main(void *arg) {
    struct agent_client *c = arg;
    for (;;) {
        int64_t wait_ms;
        mutex_lock(&c->wake_lock);
        bool stopping = c->stopping;
        c->work = false;
        mutex_unlock(&c->wake_lock);
        if (stopping)
            return;
        agent_client_step(c, &wait_ms);
        mutex_lock(&c->wake_lock);
        int64_t until = clock_mono_ms(&c->clock) + wait_ms;
        for (;;) {
            int64_t left = until - clock_mono_ms(&c->clock);
            /* new work ends an idle wait, never a wait that the server or the back-off asked for */
            if (c->stopping || left <= 0 ||
                (c->work && c->not_before_ms <= clock_mono_ms(&c->clock)))
                break;
            cond_wait_for(&c->wake, &c->wake_lock, DUR_MS(left));
        }
        mutex_unlock(&c->wake_lock);
    }
}

static char *copy(struct str s) {
    char *p = malloc(s.n + 1);
    if (!p)
        return NULL;
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

struct agent_client *agent_client_open(const struct agent_client_options *opt, struct err *err) {
    struct agent_client *c = calloc(1, sizeof(*c));
    if (!c) {
        err_set(err, ERR_INTERNAL, "out of memory");
        return NULL;
    }
    mutex_init(&c->meta_lock);
    mutex_init(&c->status_lock);
    mutex_init(&c->wake_lock);
    cond_init(&c->wake);
    c->clock = *opt->clock;
    c->transport = opt->transport;
    c->poll_ms = opt->poll_ms ? opt->poll_ms : POLL_MS_DEFAULT;
    c->on_config = opt->on_config;
    c->on_config_self = opt->on_config_self;
    c->records_max = MESSAGE_RECORDS;
    c->secret = copy(opt->secret);
    c->version = copy(str_from(opt->version));
    char dir[4096];
    int n = snprintf(dir, sizeof(dir), "%s/spool", opt->data_dir);
    struct spool_options so = {.dir = dir, .bytes_max = opt->spool_bytes_max, .clock = &c->clock};
    bool ok = c->secret && c->version && n > 0 && (size_t)n < sizeof(dir);
    if (!ok)
        err_set(err, ERR_BAD_INPUT, "the path of the data folder is too long");
    else if (!(c->spool = spool_open(&so, err)))
        ok = false;
    if (ok && !opt->no_threads)
        ok = thread_start(&c->thread, "agent-forward", forward_main, c, err);
    if (ok)
        return c;
    agent_client_free(c);
    return NULL;
}

void agent_client_free(struct agent_client *c) {
    if (!c)
        return;
    mutex_lock(&c->wake_lock);
    c->stopping = true;
    cond_broadcast(&c->wake);
    mutex_unlock(&c->wake_lock);
    thread_join(&c->thread);
    spool_close(c->spool);
    mutex_deinit(&c->meta_lock);
    mutex_deinit(&c->status_lock);
    mutex_deinit(&c->wake_lock);
    cond_deinit(&c->wake);
    arena_deinit(&c->meta_arena);
    buf_deinit(&c->message);
    buf_deinit(&c->record);
    buf_deinit(&c->config_version);
    free(c->meta);
    free(c->secret);
    free(c->version);
    free(c);
}

struct agent_client_status agent_client_status(struct agent_client *c) {
    mutex_lock(&c->status_lock);
    struct agent_client_status s = c->status;
    mutex_unlock(&c->status_lock);
    s.spool = spool_stats(c->spool);
    return s;
}
