#include "app/server/server.h"

#include "app/cli/datadir.h"
#include "app/server/web.h"
#include "base/log.h"
#include "base/regex.h"
#include "base/stats.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STOP_GRACE_S = 5 };

struct config *server_config(struct server *s) {
    mutex_lock(&s->config_lock);
    struct config *c = config_ref(s->config);
    mutex_unlock(&s->config_lock);
    return c;
}

static void print_diags(const struct conf_diags *diags) {
    struct buf b = BUF_INIT;
    conf_yaml_format_diags(diags, &b);
    if (b.n && buf_ok(&b))
        (void)!write(STDERR_FILENO, b.p, b.n);
    buf_deinit(&b);
}

/* ---- what may listen where ---- */

/* A message must lead back here even when nobody set server.public_url: the address that is
 * listened on, or this host's name where that is every address. */
static void decide_links(struct server *s, struct str host, uint16_t port) {
    const struct config_server *c = &s->config->root.server;
    char name[256] = "";
    if (c->public_url.n) {
        struct str url = c->public_url;
        while (url.n && url.p[url.n - 1] == '/')
            url.n--;
        (void)snprintf(s->links, sizeof(s->links), "%.*s", STR_FMT(url));
        return;
    }
    bool every = host.n == 0 || str_eqz(host, "0.0.0.0") || str_eqz(host, "::");
    if (every && gethostname(name, sizeof(name) - 1) == 0)
        host = str_from(name);
    if (port == 0 || host.n == 0)
        return;
    bool v6 = str_find_char(host, ':') != SIZE_MAX;
    (void)snprintf(s->links, sizeof(s->links), "%s://%s%.*s%s:%u",
                   c->tls_cert_file.n ? "https" : "http", v6 ? "[" : "", STR_FMT(host),
                   v6 ? "]" : "", port);
}

static bool decide_doors(struct server *s, struct err *err) {
    const struct config_server *c = &s->config->root.server;
    struct str host;
    uint16_t port;
    struct str listen = s->opt.listen ? str_from(s->opt.listen) : c->listen;
    if (!config_parse_listen(listen, &host, &port, err))
        return err_prefix(err, s->opt.listen ? "--listen" : "server.listen");
    (void)snprintf(s->listen, sizeof(s->listen), "%.*s", STR_FMT(listen));
    decide_links(s, host, port);
    s->loopback = config_host_is_loopback(host);
    s->accounts_required = !s->loopback || (c->require_accounts && !s->opt.no_auth);
    if (s->loopback)
        return true;
    if (s->opt.no_auth)
        return err_set(err, ERR_BAD_INPUT,
                       "--no-auth is for loopback only, and %s is not; without it, hinomi asks for "
                       "accounts there",
                       s->listen);
    if (c->tls_cert_file.n == 0 && !c->insecure_http)
        return err_set(err, ERR_BAD_INPUT,
                       "%s is not loopback: set server.tls_cert_file and server.tls_key_file, or "
                       "server.insecure_http: true when something in "
                       "front of hinomi speaks TLS",
                       s->listen);
    return true;
}

static void warn_without_accounts(struct server *s) {
    struct err err;
    int64_t n = 0;
    err_reset(&err);
    if (s->accounts_required && account_user_count(s->account, &n, &err) && n == 0)
        log_warn("accounts",
                 "there is no account yet, so nobody can log in; make one with: hinomi user add "
                 "NAME --role admin --data %s",
                 s->opt.data_dir);
}

/* ---- parts ---- */

static bool open_stores(struct server *s, struct err *err) {
    struct arena a = ARENA_INIT;
    const struct config_series *c = &s->config->root.store.series;
    struct series_options series = {
        .dir = arena_printf(&a, "%s/series", s->opt.data_dir).p,
        .retention_ms = c->retention_ms,
        .retention_bytes = c->retention_bytes,
        .accept_past_ms = c->accept_window_ms,
        .series_per_source_max = (uint32_t)c->series_per_source_max,
        .series_per_metric_max = (uint32_t)c->series_per_metric_max,
        .clock = s->clock,
    };
    const char *state = arena_printf(&a, "%s/state.db", s->opt.data_dir).p;
    bool ok = series.dir && state;
    if (!ok)
        (void)arena_err(&a, err);
    ok = ok && (s->state = state_open(state, s->clock, err)) &&
         (s->account = account_open(s->state, s->clock, err)) &&
         (s->series = series_open(&series, err));
    arena_deinit(&a);
    return ok;
}

static void put_meta(void *self, const struct metric_meta *m) {
    struct err err;
    err_reset(&err);
    if (!series_put_meta(self, m, 1, &err))
        log_warn("collect", "metadata of a metric could not be kept: %s", err.message);
}

static bool start_collect(struct server *s, struct err *err) {
    const struct config_collect *c = &s->config->root.collect;
    struct str host;
    uint16_t port = 0; /* 0: any free one, so there is none yet to leave out */
    if (!c->enabled)
        return true;
    if (!config_parse_listen(str_from(s->listen), &host, &port, err))
        return false;
    struct collect_options o = {.clock = s->clock,
                                .config = &c->options,
                                .sink = series_sink(s->series),
                                .meta = put_meta,
                                .meta_self = s->series,
                                .http = s->http_client,
                                .own_ports = &port,
                                .n_own_ports = 1};
    s->collect = collect_new(&o, err);
    return s->collect != NULL;
}

static void poke_notify(void *self) {
    struct server *s = self;
    if (s->notify)
        notify_poke(s->notify);
}

static bool make_rules(struct server *s, struct err *err) {
    const struct config_root *c = &s->config->root;
    struct rule_options o = {
        .state = s->state,
        .reader = series_reader(s->series),
        .sink = series_sink(s->series),
        .clock = s->clock,
        .external_url = str_from(s->links),
        .external_labels = c->global.ingest.external_labels,
        .evaluation_interval_ms = c->global.ingest.evaluation_interval_ms,
        .query_offset_ms = c->global.ingest.rule_query_offset_ms,
        .lookback_ms = c->query.lookback_ms,
        .promql_features = c->query.promql.feature_bits,
        .on_signals = poke_notify,
        .on_signals_self = s,
    };
    s->rules = rule_manager_new(&o, err);
    return s->rules && rule_manager_load(s->rules, s->config->rules, s->config->n_rules, err);
}

static bool make_notify(struct server *s, struct err *err) {
    struct notify_options o = {.state = s->state,
                               .http = s->http_client,
                               .clock = s->clock,
                               .public_url = str_from(s->links)};
    s->notify = notify_new(&o, err);
    return s->notify && notify_reload(s->notify, &s->config->root.notify, err);
}

static void agent_position(void *self, struct str agent, uint64_t *out_segment,
                           uint64_t *out_offset) {
    series_agent_position(self, agent, out_segment, out_offset);
}

static void agent_meta(void *self, const struct metric_meta *m, size_t n) {
    struct err err;
    err_reset(&err);
    if (!series_put_meta(self, m, n, &err))
        log_warn("agents", "metadata of metrics could not be kept: %s", err.message);
}

static void agent_config(void *self, struct str agent_id, struct str host,
                         struct buf *scrape_configs, int64_t *out_interval_ms) {
    struct server *s = self;
    struct config *c = server_config(s);
    const struct config_agents *v = c->root.agents.v;
    bool found = false;
    (void)agent_id;
    for (size_t i = 0; i < c->root.agents.n && !found; i++) {
        struct err err;
        err_reset(&err);
        struct regex *re = regex_new(v[i].host, true, &err);
        found = re && regex_match(re, host);
        regex_free(re);
        if (found && v[i].scrape_configs)
            conf_yaml_encode_node(v[i].scrape_configs, scrape_configs);
        if (found)
            *out_interval_ms = v[i].interval_ms;
    }
    config_unref(c);
}

static bool open_agents(struct server *s, struct err *err) {
    struct agent_server_options o = {.state = s->state,
                                     .sink = series_sink(s->series),
                                     .clock = s->clock,
                                     .position = agent_position,
                                     .position_self = s->series,
                                     .meta = agent_meta,
                                     .meta_self = s->series,
                                     .config = agent_config,
                                     .config_self = s};
    s->agents = agent_server_open(&o, err);
    if (!s->agents)
        return false;
    for (size_t i = 0; i < AGENT_HTTP_ROUTES; i++) {
        s->agent_routes[i] = agent_http_routes[i];
        s->agent_routes[i].self = s->agents;
        s->agent_routes[i].access = API_ACCESS_OWN;
    }
    s->more[0] = (struct api_routes_more){s->agent_routes, AGENT_HTTP_ROUTES};
    return true;
}

static void collect_hosts(struct server *s) {
    enum { MAX = sizeof(s->hosts) / sizeof(s->hosts[0]) };
    const struct conf_strs *allowed = &s->config->root.server.allowed_hosts;
    for (size_t i = 0; i < allowed->n && s->n_hosts < MAX; i++)
        s->hosts[s->n_hosts++] = allowed->v[i].p;
}

static bool make_http(struct server *s, struct err *err) {
    const struct config_root *c = &s->config->root;
    collect_hosts(s);
    s->listens[0] = s->listen;
    struct api_deps d = {
        .clock = s->clock,
        .reader = series_reader(s->series),
        .series = s->series,
        .state = s->state,
        .account = s->account,
        .collect = s->collect,
        .rules = s->rules,
        .notify = s->notify,
        .agents = s->agents,
        .inventory = s->inventory,
        .ingest = s->ingest,
        .more = s->more,
        .n_more = 1,
        .promql_features = c->query.promql.feature_bits,
        .lookback_ms = c->query.lookback_ms,
        .query_timeout_ms = c->query.timeout_ms,
        .query_samples_max = (size_t)c->query.samples_max,
        .query_memory_max = c->query.memory_bytes,
        .assets = assets_web,
        .n_assets = assets_web_n,
        .no_auth = s->opt.no_auth,
        .accounts_required = s->accounts_required,
        .hosts = s->hosts,
        .n_hosts = s->n_hosts,
        .any_host = !s->loopback && s->n_hosts == 0,
        .public_url = c->server.public_url.n ? c->server.public_url.p : NULL,
        .data_dir = s->opt.data_dir,
        .listen = s->listens,
        .n_listen = 1,
        .started_ms = s->started_ms,
        .retention_ms = c->store.series.retention_ms,
    };
    server_api_bind(s, &d.app);
    s->api = api_new(&d, err);
    if (!s->api)
        return false;
    struct http_server_options o = {
        .listen = {.address = s->listen,
                   .tls_cert = c->server.tls_cert_file.n ? c->server.tls_cert_file.p : NULL,
                   .tls_key = c->server.tls_key_file.n ? c->server.tls_key_file.p : NULL},
        .clock = s->clock,
    };
    o.workers[HTTP_POOL_QUERY] = (uint32_t)(c->query.concurrency < 4 ? c->query.concurrency : 4);
    o.workers[HTTP_POOL_LOGIN] = 1; /* each takes 64 MiB while it hashes */
    api_server_options(s->api, &o);
    s->http = http_server_new(&o, err);
    return s->http != NULL;
}

/* ---- whole ---- */

static bool load_config(struct server *s, struct err *err) {
    struct arena a = ARENA_INIT;
    struct conf_diags diags = {.arena = &a};
    s->config = config_load(s->opt.config_file, &diags);
    print_diags(&diags);
    arena_deinit(&a);
    s->first = s->config ? config_ref(s->config) : NULL;
    if (!s->config)
        return err_set(err, ERR_BAD_INPUT, "the configuration %s is not usable (above)",
                       s->opt.config_file);
    return true;
}

static bool start_parts(struct server *s, struct err *err) {
    s->http_client = http_client_new(err);
    return s->http_client && server_inventory_open(s, err) && open_agents(s, err) &&
           make_notify(s, err) && make_rules(s, err) && start_collect(s, err) &&
           server_scrape_start(s, err) && make_http(s, err) && notify_start(s->notify, err) &&
           rule_manager_start(s->rules, err) && server_inventory_start(s, err);
}

bool server_start(struct server *s, const struct server_options *opt, struct err *err) {
    *s = (struct server){.opt = *opt, .lock_fd = -1, .clock = clock_system()};
    s->started_ms = s->loaded_ms = clock_wall_ms(s->clock);
    mutex_init(&s->reload_lock);
    mutex_init(&s->config_lock);
    mutex_init(&s->observe_lock);
    cond_init(&s->observe_stop);
    if (!load_config(s, err) || !decide_doors(s, err) ||
        !datadir_open(opt->data_dir, &s->lock_fd, err) || !open_stores(s, err) ||
        !start_parts(s, err)) {
        server_stop(s);
        return false;
    }
    STAT_SET(hinomi_config_last_reload_successful, 1);
    STAT_SET(hinomi_config_last_reload_success_timestamp_seconds, s->started_ms / 1000);
    warn_without_accounts(s);
    atomic_store(&s->ready, true);
    return true;
}

void server_stop(struct server *s) {
    atomic_store(&s->ready, false);
    /* Doors first, then what writes, then what is written to. */
    if (s->api)
        api_stop(s->api);
    http_server_free(s->http, DUR_S(STOP_GRACE_S));
    server_inventory_stop(s);
    collect_free(s->collect);
    ingest_free(s->ingest);
    rule_manager_free(s->rules);
    notify_free(s->notify);
    api_free(s->api);
    agent_server_close(s->agents);
    http_client_free(s->http_client);
    series_close(s->series);
    inventory_close(s->inventory);
    account_close(s->account);
    state_close(s->state);
    file_close(s->lock_fd);
    config_unref(s->config);
    config_unref(s->first);
    arena_deinit(&s->reload_arena);
    mutex_deinit(&s->reload_lock);
    mutex_deinit(&s->config_lock);
    mutex_deinit(&s->observe_lock);
    cond_deinit(&s->observe_stop);
}

/* ---- reload ---- */

static void reload_failed(struct server *s, const struct conf_diags *diags, struct err *err) {
    const struct conf_diag *first = NULL;
    for (size_t i = 0; i < diags->n && !first; i++)
        if (!diags->v[i].warning)
            first = &diags->v[i];
    STAT_SET(hinomi_config_last_reload_successful, 0);
    mutex_lock(&s->config_lock);
    arena_reset(&s->reload_arena);
    s->last_reload_ms = clock_wall_ms(s->clock);
    s->last_reload_ok = false;
    s->last_reload_error = (struct conf_diag){0};
    if (first) {
        s->last_reload_error = *first;
        s->last_reload_error.file =
            first->file ? arena_strz(&s->reload_arena, str_from(first->file)) : NULL;
        s->last_reload_error.message = arena_strz(&s->reload_arena, str_from(first->message));
    } else if (err && err->code) {
        s->last_reload_error.message = arena_strz(&s->reload_arena, str_from(err->message));
    }
    mutex_unlock(&s->config_lock);
    if (first) {
        struct buf b = BUF_INIT;
        conf_yaml_format_diags(diags, &b);
        (void)err_set(err, ERR_BAD_INPUT, "the configuration has not changed: %.*s",
                      STR_FMT(str_trim(buf_view(&b))));
        buf_deinit(&b);
    }
}

static bool differs(const struct conf_table *t, const struct conf_option *o, const void *was,
                    const void *now) {
    struct conf_table one = *t; /* the table with this option alone */
    struct buf a = BUF_INIT, b = BUF_INIT;
    one.options = o;
    one.n = 1;
    conf_yaml_encode(&one, was, true, &a);
    conf_yaml_encode(&one, now, true, &b);
    bool differ = !str_eq(buf_view(&a), buf_view(&b));
    buf_deinit(&a);
    buf_deinit(&b);
    return differ;
}

/* Settings that are read once, at the start, are compared with what runs. */
static void warn_restart(const struct conf_table *t, const void *was, const void *now,
                         const char *path) {
    for (size_t i = 0; i < t->n; i++) {
        const struct conf_option *o = &t->options[i];
        char name[256];
        (void)snprintf(name, sizeof(name), "%s%s%s", path, *path ? "." : "", o->name);
        if (o->type == CONF_TABLE)
            warn_restart(o->table, (const char *)was + o->offset, (const char *)now + o->offset,
                         name);
        else if (o->reload_ignored && differs(t, o, was, now))
            log_warn("config", "%s has changed; the change takes effect at the next start", name);
    }
}

static bool apply_all(struct server *s, const struct config *c, struct err *err) {
    return rule_manager_load(s->rules, c->rules, c->n_rules, err) &&
           notify_reload(s->notify, &c->root.notify, err) && server_scrape_apply(s, c, err) &&
           inventory_declare(s->inventory, &c->root.inventory, err);
}

/* Each part takes the new snapshot whole or keeps the former one; when one refuses, all get the
 * former back. */
static bool apply(struct server *s, const struct config *now, const struct config *was,
                  struct err *err) {
    struct err again;
    err_reset(&again);
    if (apply_all(s, now, err))
        return true;
    if (!apply_all(s, was, &again))
        log_error("config", "the former configuration could not be taken back whole: %s",
                  again.message);
    return false;
}

bool server_reload(struct server *s, struct err *err) {
    struct arena a = ARENA_INIT;
    struct conf_diags diags = {.arena = &a};
    mutex_lock(&s->reload_lock);
    struct config *was = s->config, *now = config_load(s->opt.config_file, &diags);
    bool ok = now && apply(s, now, was, err);
    if (ok) {
        warn_restart(config_table(), &s->first->root, &now->root, "");
        mutex_lock(&s->config_lock);
        s->config = now;
        s->loaded_ms = s->last_reload_ms = clock_wall_ms(s->clock);
        s->last_reload_ok = true;
        s->last_reload_error = (struct conf_diag){0};
        mutex_unlock(&s->config_lock);
        STAT_SET(hinomi_config_last_reload_successful, 1);
        STAT_SET(hinomi_config_last_reload_success_timestamp_seconds, s->loaded_ms / 1000);
        log_info("config", "reloaded %s",
                 s->opt.config_file ? s->opt.config_file : "(no file: defaults)");
        config_unref(was);
    } else {
        reload_failed(s, &diags, err);
        config_unref(now);
    }
    mutex_unlock(&s->reload_lock);
    arena_deinit(&a);
    return ok;
}
