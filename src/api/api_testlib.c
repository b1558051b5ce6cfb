#include "api/api_testlib.h"

#include "codec/snappy.h"
#include "os/clock.h"
#include "os/file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct asset screen[] = {
    {.path = "/assets/x.js",
     .content_type = "text/javascript",
     .etag = "\"js1\"",
     .bytes = {"console.log(1)", 14},
     .gzip = {"GZIPPED", 7},
     .immutable = true},
    {.path = "/index.html",
     .content_type = "text/html; charset=utf-8",
     .etag = "\"i1\"",
     .bytes = {"<!doctype html>", 15}},
};

/* ---- app/ ---- */

static bool app_reload(void *self, struct err *err) {
    struct t_api *t = self;
    t->reloads++;
    return !t->reload_fails || err_set(err, ERR_BAD_INPUT, "hinomi.yml:3:5: expected a duration");
}
static bool app_ready(void *self, struct err *err) {
    struct t_api *t = self;
    return t->ready || err_set(err, ERR_UNAVAILABLE, "the store is being read");
}
static bool app_config(void *self, struct arena *a, struct api_config *out, struct err *err) {
    (void)self;
    (void)a;
    (void)err;
    *out = (struct api_config){.yaml = STR("server: {}\n"),
                               .loaded_ms = 1,
                               .last_reload_ok = KNOWN_UNKNOWN,
                               .last_reload_ms = OVERVIEW_UNKNOWN};
    return true;
}
static bool app_check(void *self, struct str yaml, struct arena *a, struct conf_diags *out,
                      struct err *err) {
    (void)self;
    (void)a;
    (void)err;
    if (str_find(yaml, STR("wrong")) != SIZE_MAX)
        conf_diag_add(out, false, (struct conf_source){"input", 1, 2}, "unknown key \"wrong\"");
    return true;
}
static bool app_export(void *self, struct buf *out, struct err *err) {
    (void)self;
    (void)err;
    buf_putz(out, "services: []\n");
    return true;
}
static bool app_targets(void *self, struct arena *a, struct api_target **out, size_t *out_n,
                        struct err *err) {
    (void)self;
    struct api_target *v = ARENA_NEW(a, struct api_target);
    if (!v || !labels_parse(STR("{job=\"web\",instance=\"h:1\"}"), a, &v->labels, err))
        return false;
    v->discovered = v->labels;
    v->pool = STR("web");
    v->url = STR("http://h:1/metrics");
    v->interval_ms = 15000;
    v->timeout_ms = 10000;
    v->health = -1;
    v->origin = STR("declared");
    *out = v;
    *out_n = 1;
    return true;
}
static bool app_accepted(void *self, struct arena *a, struct api_accepted **out, size_t *out_n,
                         struct err *err) {
    (void)self;
    (void)a;
    (void)err;
    *out = NULL;
    *out_n = 0;
    return true;
}
static bool app_accept(void *self, struct str url, struct str job, struct str by, struct arena *a,
                       struct api_accepted *out, struct err *err) {
    (void)self;
    (void)err;
    *out =
        (struct api_accepted){STR("1"), arena_str(a, url), arena_str(a, job), arena_str(a, by), 1};
    return true;
}
static bool app_forget(void *self, struct str id, struct err *err) {
    (void)self;
    return err_set(err, ERR_NOT_FOUND, "there is none with the id \"%.*s\"", STR_FMT(id));
}
static size_t app_queues(void *self, struct api_queue *out, size_t max) {
    (void)self;
    (void)max;
    out[0] = (struct api_queue){STR("outbox"), 0, 100, 0};
    return 1;
}

/* ---- the rooms ---- */

static void position(void *self, struct str agent, uint64_t *out_segment, uint64_t *out_offset) {
    series_agent_position(self, agent, out_segment, out_offset);
}

static void open_features(struct t_api *t) {
    struct err err = {0};
    bool ok = (t->inventory = inventory_open(t->state, &t->clock, &err)) != NULL;
    ok = ok && (t->collect = collect_new(&(struct collect_options){.clock = &t->clock,
                                                                   .sink = series_sink(t->series),
                                                                   .no_threads = true},
                                         &err));
    ok = ok &&
         (t->rules = rule_manager_new(&(struct rule_options){.state = t->state,
                                                             .reader = series_reader(t->series),
                                                             .sink = series_sink(t->series),
                                                             .clock = &t->clock,
                                                             .manual = true},
                                      &err));
    ok = ok && (t->http = http_client_new(&err));
    ok = ok && (t->notify = notify_new(
                    &(struct notify_options){
                        .state = t->state, .http = t->http, .clock = &t->clock, .manual = true},
                    &err));
    ok = ok && notify_reload(t->notify, NULL, &err);
    ok = ok && (t->ingest = ingest_new(&(struct ingest_options){.sink = series_sink(t->series),
                                                                .http = t->http,
                                                                .clock = &t->clock,
                                                                .workers = 1},
                                       &err));
    ok = ok && (t->agents =
                    agent_server_open(&(struct agent_server_options){.state = t->state,
                                                                     .sink = series_sink(t->series),
                                                                     .clock = &t->clock,
                                                                     .position = position,
                                                                     .position_self = t->series},
                                      &err));
    if (!ok)
        fprintf(stderr, "%s\n", err.message);
    assert(ok);
}

void t_api_open(struct t_api *t) {
    struct err err = {0};
    char path[128];
    *t = (struct t_api){.ready = true, .clock = *clock_system()};
    (void)snprintf(t->dir, sizeof(t->dir), "/tmp/hinomi-api-XXXXXX");
    bool ok = mkdtemp(t->dir) != NULL;
    (void)snprintf(path, sizeof(path), "%s/series", t->dir);
    ok = ok && (t->series = series_open(&(struct series_options){.dir = path,
                                                                 .accept_past_ms = INT64_MAX,
                                                                 .clock = &t->clock,
                                                                 .no_background = true},
                                        &err));
    (void)snprintf(path, sizeof(path), "%s/state.db", t->dir);
    ok = ok && (t->state = state_open(path, &t->clock, &err));
    ok = ok && (t->account = account_open(t->state, &t->clock, &err));
    if (!ok)
        fprintf(stderr, "%s\n", err.message);
    assert(ok);
    open_features(t);
    for (size_t i = 0; i < AGENT_HTTP_ROUTES; i++) {
        t->agent_routes[i] = agent_http_routes[i];
        t->agent_routes[i].self = t->agents;
        t->agent_routes[i].access = API_ACCESS_OWN;
    }
    t->more = (struct api_routes_more){t->agent_routes, AGENT_HTTP_ROUTES};
    t->deps = (struct api_deps){.clock = &t->clock,
                                .reader = series_reader(t->series),
                                .series = t->series,
                                .state = t->state,
                                .account = t->account,
                                .collect = t->collect,
                                .rules = t->rules,
                                .notify = t->notify,
                                .agents = t->agents,
                                .inventory = t->inventory,
                                .ingest = t->ingest,
                                .app = {.self = t,
                                        .reload = app_reload,
                                        .ready = app_ready,
                                        .config = app_config,
                                        .config_check = app_check,
                                        .config_export = app_export,
                                        .targets = app_targets,
                                        .accepted_list = app_accepted,
                                        .accepted_add = app_accept,
                                        .accepted_delete = app_forget,
                                        .queues = app_queues},
                                .more = &t->more,
                                .n_more = 1,
                                .assets = screen,
                                .n_assets = sizeof(screen) / sizeof(screen[0]),
                                .data_dir = t->dir,
                                .started_ms = clock_wall_ms(&t->clock),
                                .retention_ms = 86400000};
    t->options =
        (struct http_server_options){.listen = {.address = "127.0.0.1:0"}, .clock = &t->clock};
}

void t_api_start(struct t_api *t) {
    struct err err = {0};
    t->api = api_new(&t->deps, &err);
    if (t->api) {
        api_server_options(t->api, &t->options);
        t->server = http_server_new(&t->options, &err);
    }
    if (!t->server)
        fprintf(stderr, "%s\n", err.message);
    assert(t->server);
    t->port = http_server_port(t->server);
}

void t_api_stop(struct t_api *t) {
    struct err err = {0};
    api_stop(t->api);
    http_server_free(t->server, DUR_S(5));
    collect_free(t->collect);
    ingest_free(t->ingest);
    rule_manager_free(t->rules);
    notify_free(t->notify);
    api_free(t->api);
    agent_server_close(t->agents);
    http_client_free(t->http);
    series_close(t->series);
    inventory_close(t->inventory);
    account_close(t->account);
    state_close(t->state);
    bool ok = file_remove_tree(t->dir, &err);
    assert(ok);
}

void t_api_accounts(struct t_api *t) {
    static const unsigned scopes[] = {ACCOUNT_SCOPE_WRITE_SERIES, ACCOUNT_SCOPE_READ,
                                      ACCOUNT_SCOPE_WRITE, ACCOUNT_SCOPE_ADMIN};
    struct err err = {0};
    struct arena a = ARENA_INIT;
    int64_t id;
    bool ok = account_user_create(t->account, STR("ada"), STR("correct horse battery"),
                                  ACCOUNT_ROLE_ADMIN, NULL, &id, &err);
    for (int i = 0; ok && i < 4; i++) {
        struct account_token token;
        struct str secret;
        ok = account_token_create(t->account, arena_printf(&a, "t%d", i), scopes[i], 0, NULL, &a,
                                  &token, &secret, &err);
        (void)snprintf(t->tokens[i], sizeof(t->tokens[i]), "%.*s", STR_FMT(secret));
    }
    if (!ok)
        fprintf(stderr, "%s\n", err.message);
    assert(ok);
    arena_deinit(&a);
}

/* ---- requests ---- */

void t_ask(struct t_api *t, const char *method, const char *path, const char *headers,
           struct str body, struct t_answer *out) {
    struct buf b = BUF_INIT;
    buf_printf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s", method, path, headers ? headers : "");
    if (body.n || strcmp(method, "GET") != 0)
        buf_printf(&b, "Content-Length: %zu\r\n", body.n);
    buf_putz(&b, "\r\n");
    buf_puts(&b, body);
    int fd = t_connect(t->port);
    t_send_n(fd, b.p, b.n);
    t_receive(fd, strcmp(method, "HEAD") == 0, out);
    close(fd);
    buf_deinit(&b);
}

void t_ask_as(struct t_api *t, enum account_role role, const char *method, const char *path,
              struct t_answer *out) {
    char headers[160];
    (void)snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", t->tokens[role]);
    t_ask(t, method, path, headers, STR(""), out);
}

void t_get(struct t_api *t, const char *path, struct t_answer *out) {
    t_ask(t, "GET", path, NULL, STR(""), out);
}

void t_fill(struct t_api *t, const char *name, size_t n, size_t points, int64_t end_ms) {
    struct arena a = ARENA_INIT;
    struct err err = {0};
    struct batch_row *rows = ARENA_ARRAY(&a, struct batch_row, points);
    for (size_t i = 0; i < n; i++) {
        struct labels ls;
        bool ok = labels_parse(arena_printf(&a, "%s{i=\"%zu\"}", name, i), &a, &ls, &err);
        for (size_t k = 0; k < points; k++)
            rows[k] = (struct batch_row){ls, end_ms - (int64_t)(points - 1 - k) * 1000, (double)k};
        struct batch b = {
            .kind = SOURCE_REMOTE_WRITE, .source = STR("test"), .rows = rows, .n = points};
        struct write_result out = {0};
        struct sink s = series_sink(t->series);
        ok = ok && s.ops->write(s.self, &b, &out, &err);
        assert(ok && out.first_rejected[0] == 0);
    }
    arena_deinit(&a);
}

static void put_field(struct buf *b, unsigned number, struct str bytes) {
    buf_putc(b, (char)(number << 3 | 2));
    assert(bytes.n < 128);
    buf_putc(b, (char)bytes.n);
    buf_puts(b, bytes);
}

void t_write_body(const char *name, int64_t ts_ms, double value, struct buf *out) {
    struct buf label = BUF_INIT, sample = BUF_INIT, series = BUF_INIT, all = BUF_INIT;
    put_field(&label, 1, STR("__name__"));
    put_field(&label, 2, str_from(name));
    buf_putc(&sample, 1 << 3 | 1);
    buf_put(&sample, &value, sizeof(value));
    buf_putc(&sample, 2 << 3);
    uint64_t v = (uint64_t)ts_ms;
    for (; v >= 128; v >>= 7)
        buf_putc(&sample, (char)((v & 127) | 128));
    buf_putc(&sample, (char)v);
    put_field(&series, 1, buf_view(&label));
    put_field(&series, 2, buf_view(&sample));
    put_field(&all, 1, buf_view(&series));
    struct err err = {0};
    bool ok = snappy_block_encode(buf_view(&all), out, &err);
    assert(ok);
    buf_deinit(&label);
    buf_deinit(&sample);
    buf_deinit(&series);
    buf_deinit(&all);
}

bool t_has(const struct t_answer *a, const char *text) {
    return str_find(buf_view(&a->body), str_from(text)) != SIZE_MAX;
}
