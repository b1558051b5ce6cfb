/* The overview and its stream. One thread makes one frame a tick for all streams: the first event
 * of a stream is the whole snapshot, later ones hold the sections that changed. Nobody watching:
 * nothing is made. */
#include "api/overview_json.h"

#include "base/log.h"

#include <stdlib.h>

/* A stream was let in once; after STREAM_LIFE_MS its page has to ask again, so that a session or
 * token that has ended does not go on watching. */
enum { STREAMS_MAX = 256, KEEP_ALIVE_MS = 15000, STREAM_LIFE_MS = 5 * 60 * 1000 };

struct overview_hub {
    struct api *api;
    struct thread thread;
    struct mutex lock;
    struct cond wake;
    bool stopping, started;
    struct http_stream *streams[STREAMS_MAX];
    int64_t opened_ms[STREAMS_MAX]; /* monotonic */
    size_t n_streams;
    struct buf sections[SECTION_COUNT]; /* as last sent */
    struct buf scratch, frame;
    int64_t made_ms; /* monotonic; 0: sections are empty */
    int64_t sent_ms;
};

/* lock held. Renews all sections; changed[i] tells which differ. */
static bool renew(struct overview_hub *h, bool changed[SECTION_COUNT], int64_t *out_now_ms,
                  struct err *err) {
    struct arena a = ARENA_INIT_MAX((size_t)64 << 20);
    struct overview_facts *f = ARENA_NEW(&a, struct overview_facts);
    bool ok = f ? overview_facts_gather(h->api, &a, f, err) : arena_err(&a, err);
    for (int i = 0; ok && i < SECTION_COUNT; i++) {
        buf_reset(&h->scratch);
        overview_section_put(f, (enum overview_section)i, &a, &h->scratch);
        changed[i] = !str_eq(buf_view(&h->scratch), buf_view(&h->sections[i]));
        if (changed[i]) {
            struct buf old = h->sections[i];
            h->sections[i] = h->scratch;
            h->scratch = old;
        }
    }
    if (ok) {
        *out_now_ms = f->o.now_ms;
        h->made_ms = clock_mono_ms(h->api->d.clock);
    }
    if (f)
        overview_facts_release(f);
    arena_deinit(&a);
    return ok;
}

static void put_object(const struct overview_hub *h, const bool *changed, int64_t now_ms,
                       struct buf *out) {
    buf_printf(out, "{\"now_ms\":%lld", (long long)now_ms);
    for (int i = 0; i < SECTION_COUNT; i++) {
        if (changed && !changed[i])
            continue;
        buf_printf(out, ",\"%s\":", overview_section_names[i]);
        buf_puts(out, buf_view(&h->sections[i]));
    }
    buf_putc(out, '}');
}

static void put_frame(const struct overview_hub *h, const bool *changed, int64_t now_ms,
                      struct buf *out) {
    buf_reset(out);
    buf_printf(out, "id: %lld\nevent: overview\ndata: ", (long long)now_ms);
    put_object(h, changed, now_ms, out);
    buf_putz(out, "\n\n");
}

static void send_all(struct overview_hub *h, struct str frame) {
    size_t kept = 0;
    int64_t now = clock_mono_ms(h->api->d.clock);
    for (size_t i = 0; i < h->n_streams; i++) {
        if (http_stream_send_raw(h->streams[i], frame) && now - h->opened_ms[i] < STREAM_LIFE_MS) {
            h->opened_ms[kept] = h->opened_ms[i];
            h->streams[kept++] = h->streams[i];
        } else {
            http_stream_unref(h->streams[i]);
        }
    }
    h->n_streams = kept;
}

static void tick(struct overview_hub *h) {
    bool changed[SECTION_COUNT] = {false};
    int64_t now_ms = 0;
    struct err err = {0};
    if (!renew(h, changed, &now_ms, &err)) {
        log_warn("overview", "%s", err.message);
        send_all(h, STR(": keep-alive\n\n"));
        return;
    }
    put_frame(h, changed, now_ms, &h->frame);
    if (buf_ok(&h->frame))
        send_all(h, buf_view(&h->frame));
}

static void hub_main(void *arg) {
    struct overview_hub *h = arg;
    mutex_lock(&h->lock);
    while (!h->stopping) {
        if (h->n_streams == 0) {
            cond_wait(&h->wake, &h->lock);
            continue;
        }
        int64_t step = h->api->d.collect ? collect_interval_ms(h->api->d.collect) : 1000;
        int64_t now = clock_mono_ms(h->api->d.clock),
                due = h->sent_ms + (step < 1000            ? 1000
                                    : step > KEEP_ALIVE_MS ? KEEP_ALIVE_MS
                                                           : step);
        if (now < due) {
            (void)cond_wait_for(&h->wake, &h->lock, DUR_MS(due - now));
            continue;
        }
        h->sent_ms = now;
        tick(h);
    }
    send_all(h, STR("event: goodbye\ndata: {}\n\n"));
    for (size_t i = 0; i < h->n_streams; i++)
        http_stream_unref(h->streams[i]);
    h->n_streams = 0;
    mutex_unlock(&h->lock);
}

struct overview_hub *overview_hub_new(struct api *api, struct err *err) {
    struct overview_hub *h = calloc(1, sizeof(*h));
    if (!h) {
        (void)err_set(err, ERR_INTERNAL, "out of memory for the overview");
        return NULL;
    }
    h->api = api;
    mutex_init(&h->lock);
    cond_init(&h->wake);
    if (!thread_start(&h->thread, "api-overview", hub_main, h, err)) {
        overview_hub_free(h);
        return NULL;
    }
    return h;
}

void overview_hub_stop(struct overview_hub *h) {
    if (!h)
        return;
    mutex_lock(&h->lock);
    h->stopping = true;
    cond_broadcast(&h->wake);
    mutex_unlock(&h->lock);
    thread_join(&h->thread);
}

void overview_hub_free(struct overview_hub *h) {
    if (!h)
        return;
    overview_hub_stop(h);
    for (int i = 0; i < SECTION_COUNT; i++)
        buf_deinit(&h->sections[i]);
    buf_deinit(&h->scratch);
    buf_deinit(&h->frame);
    mutex_deinit(&h->lock);
    cond_deinit(&h->wake);
    free(h);
}

void hinomi_overview(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct overview_hub *h = api->hub;
    bool changed[SECTION_COUNT];
    struct err err = {0};
    int64_t now_ms = 0;
    mutex_lock(&h->lock);
    /* Streams must see what changes here, too: while there are any, only the tick renews. */
    bool ok = (h->n_streams && h->made_ms) || renew(h, changed, &now_ms, &err);
    if (ok)
        put_object(h, NULL, now_ms ? now_ms : clock_wall_ms(api->d.clock), &res->body);
    mutex_unlock(&h->lock);
    if (ok)
        api_json(r, res, 200);
    else
        http_res_error(r, res, &err);
}

void hinomi_overview_stream(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct overview_hub *h = api->hub;
    bool changed[SECTION_COUNT];
    struct err err = {0};
    int64_t now_ms = 0;
    mutex_lock(&h->lock);
    bool ok = !h->stopping && h->n_streams < STREAMS_MAX;
    if (!ok)
        (void)err_set(&err, ERR_UNAVAILABLE,
                      h->stopping ? "hinomi is stopping"
                                  : "too many live pages are open (%d); try again shortly",
                      STREAMS_MAX);
    ok = ok && ((h->n_streams && h->made_ms) || renew(h, changed, &now_ms, &err));
    if (ok) {
        struct http_stream *s = http_res_stream_sse(r, res);
        if (s) {
            put_frame(h, NULL, now_ms ? now_ms : clock_wall_ms(api->d.clock), &h->frame);
            (void)http_stream_send_raw(s, buf_view(&h->frame));
            if (h->n_streams == 0)
                h->sent_ms = clock_mono_ms(api->d.clock);
            h->opened_ms[h->n_streams] = clock_mono_ms(api->d.clock);
            h->streams[h->n_streams++] = s;
            cond_signal(&h->wake);
        } else {
            ok = err_set(&err, ERR_INTERNAL, "out of memory for the stream");
        }
    }
    mutex_unlock(&h->lock);
    if (!ok)
        http_res_error(r, res, &err);
}

static void put_column(struct jsonw *w, const char *key, const struct overview_point *p, size_t n,
                       size_t offset) {
    jsonw_karray(w, key);
    for (size_t i = 0; i < n; i++) {
        double v;
        memcpy(&v, (const char *)&p[i] + offset, sizeof(v));
        jsonw_f64(w, v); /* NaN, a gap: null */
    }
    jsonw_end(w);
}

void hinomi_overview_history(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    int64_t points;
    struct overview_point *p =
        ARENA_ARRAY(r->arena, struct overview_point, OVERVIEW_HISTORY_POINTS);
    if (!p || !api_param_int(r, "points", OVERVIEW_HISTORY_POINTS, 1, OVERVIEW_HISTORY_POINTS,
                             &points, &err)) {
        http_res_error(r, res, &err);
        return;
    }
    size_t n = api->d.collect ? collect_history(api->d.collect, p, (size_t)points) : 0;
    static const struct {
        const char *name;
        size_t offset;
    } columns[] = {
#define C(name) {#name, offsetof(struct overview_point, name)}
        C(cpu_used_ratio),        C(memory_used_ratio),
        C(disk_read_bytes_per_s), C(disk_write_bytes_per_s),
        C(net_rx_bytes_per_s),    C(net_tx_bytes_per_s),
        C(psi_cpu_some_ratio),    C(psi_memory_some_ratio),
        C(psi_io_some_ratio),     C(load1),
#undef C
    };
    api_json(r, res, 200);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_ki64(&w, "step_ms", api->d.collect ? collect_interval_ms(api->d.collect) : 1000);
    jsonw_kobject(&w, "points");
    jsonw_karray(&w, "t_ms");
    for (size_t i = 0; i < n; i++)
        jsonw_i64(&w, p[i].t_ms);
    jsonw_end(&w);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        put_column(&w, columns[i].name, p, n, columns[i].offset);
    jsonw_end(&w);
    jsonw_end(&w);
}
