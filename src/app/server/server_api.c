/* What api/ asks of app/: configuration, readiness, and the features that it need not know. */
#include "app/server/server.h"

static bool do_reload(void *self, struct err *err) {
    return server_reload(self, err);
}

static bool do_ready(void *self, struct err *err) {
    struct server *s = self;
    return atomic_load(&s->ready) ||
           err_set(err, ERR_UNAVAILABLE, "hinomi is starting; try again in a moment");
}

static bool list_files(const struct config *c, struct arena *a, struct api_config *out) {
    out->files = ARENA_ARRAY(a, struct str, c->n_rules + 1);
    if (!out->files)
        return false;
    if (*c->file)
        out->files[out->n_files++] = arena_str(a, str_from(c->file));
    for (size_t i = 0; i < c->n_rules; i++)
        if (!c->rules[i].builtin)
            out->files[out->n_files++] = arena_str(a, c->rules[i].file);
    return true;
}

static bool do_config(void *self, struct arena *a, struct api_config *out, struct err *err) {
    struct server *s = self;
    struct config *c = server_config(s);
    struct buf b = BUF_INIT;
    *out = (struct api_config){.last_reload_ok = KNOWN_UNKNOWN, .last_reload_ms = OVERVIEW_UNKNOWN};
    conf_yaml_encode(config_table(), &c->root, true, &b);
    out->yaml = arena_str(a, buf_view(&b));
    bool ok = buf_ok(&b) && list_files(c, a, out) && server_parts(s, c, a, out, err);
    buf_deinit(&b);
    config_unref(c);
    mutex_lock(&s->config_lock);
    out->loaded_ms = s->loaded_ms;
    if (s->last_reload_ms) {
        out->last_reload_ms = s->last_reload_ms;
        out->last_reload_ok = s->last_reload_ok ? KNOWN_YES : KNOWN_NO;
    }
    if (s->last_reload_ms && !s->last_reload_ok && s->last_reload_error.message) {
        struct conf_diag *d = ARENA_NEW(a, struct conf_diag);
        if (d) {
            *d = s->last_reload_error;
            d->file = d->file ? arena_strz(a, str_from(d->file)) : NULL;
            d->message = arena_strz(a, str_from(d->message));
        }
        out->last_reload_error = d;
    }
    mutex_unlock(&s->config_lock);
    return ok ? !a->failed || arena_err(a, err) : err && err->code ? false : arena_err(a, err);
}

static bool do_config_check(void *self, struct str yaml, struct arena *a, struct conf_diags *out,
                            struct err *err) {
    (void)self;
    out->arena = a;
    (void)config_check_text(yaml, "input", out);
    return !a->failed || arena_err(a, err);
}

static size_t do_queues(void *self, struct api_queue *out, size_t max) {
    struct server *s = self;
    size_t n = 0;
    for (int pool = 0; atomic_load(&s->ready) && pool < HTTP_POOL_COUNT && n < max; pool++) {
        struct http_queue_info q;
        http_server_queue(s->http, (enum http_pool)pool, &q);
        out[n++] = (struct api_queue){.name = str_from(q.name),
                                      .length = (int64_t)q.length,
                                      .capacity = (int64_t)q.capacity,
                                      .dropped = (int64_t)q.refused};
    }
    return n;
}

void server_api_bind(struct server *s, struct api_app *out) {
    *out = (struct api_app){
        .self = s,
        .reload = do_reload,
        .ready = do_ready,
        .config = do_config,
        .config_check = do_config_check,
        .config_export = server_export,
        .targets = server_scrape_targets,
        .accepted_list = server_scrape_accepted,
        .accepted_add = server_scrape_accept,
        .accepted_delete = server_scrape_forget,
        .queues = do_queues,
    };
}
