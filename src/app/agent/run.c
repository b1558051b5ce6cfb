/* hinomi-agent run: collectors and scrapes into the disk buffer, and the buffer to the server. */
#include "app/agent/commands.h"
#include "app/cli/datadir.h"
#include "base/log.h"
#include "codec/conf_yaml.h"
#include "feature/agent/agent_client.h"
#include "feature/collect/collect.h"
#include "feature/ingest/ingest.h"
#include "net/http_client.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct run {
    const struct clock *clock;
    struct arena a;
    const char *data;
    int lock_fd;
    struct agent_credential credential;
    struct http_client *http;
    struct agent_transport_http *transport;
    struct agent_client *client;
    struct mutex
        lock; /* collect, ingest: also touched by the forwarder when the server's wishes change */
    struct collect_config collect_config;
    struct collect *collect;
    struct ingest *ingest;
    bool stopping;
};

/* ---- what the server wants ---- */

static bool read_secret_file(void *self, const char *path, struct arena *a, struct str *out,
                             struct err *err) {
    struct buf b = BUF_INIT;
    (void)self;
    bool ok = file_read(path, 1 << 20, &b, err);
    if (ok)
        *out = arena_str(a, buf_view(&b));
    buf_deinit(&b);
    return ok;
}

static const char *get_variable(void *self, const char *name) {
    (void)self;
    return getenv(name);
}

struct wanted {
    struct conf_list scrape_configs; /* struct ingest_scrape_config */
};
static const struct conf_option wanted_options[] = {
    {.name = "scrape_configs",
     .type = CONF_LIST,
     .offset = offsetof(struct wanted, scrape_configs),
     .table = &ingest_scrape_config_table},
};
static const struct conf_table wanted_table = {.name = "scrape_configs",
                                               .size = sizeof(struct wanted),
                                               .options = wanted_options,
                                               .n = CONF_N(wanted_options),
                                               .source_offset = SIZE_MAX};

/* The text is a list; the table wants it under its key. */
static bool decode_wanted(struct str text, struct arena *a, struct wanted *out,
                          struct conf_diags *diags) {
    static const struct conf_env env = {.read_file = read_secret_file, .getenv = get_variable};
    struct conf_node *list = conf_yaml_parse(text, "(from the server)", a, diags);
    struct conf_node key = {.kind = CONF_KIND_SCALAR, .text = STR("scrape_configs")};
    struct conf_node *keys[] = {&key}, *values[] = {list};
    struct conf_node root = {.kind = CONF_KIND_MAP, .key = keys, .value = values, .n = 1};
    *out = (struct wanted){{NULL, 0}};
    if (str_trim(text).n == 0)
        return true;
    return list && conf_yaml_decode_node(&root, &wanted_table, &env, a, out, diags);
}

static bool apply_scrapes(struct run *r, struct str text, struct err *err) {
    struct arena a = ARENA_INIT_MAX(64u << 20);
    struct conf_diags diags = {.arena = &a};
    struct wanted w;
    bool ok = decode_wanted(text, &a, &w, &diags);
    if (!ok)
        (void)err_set(err, ERR_BAD_INPUT, "%s", diags.n ? diags.v[0].message : "no memory");
    struct ingest_config c = {.scrapes = w.scrape_configs.v, .n_scrapes = w.scrape_configs.n};
    ok = ok && ingest_apply(r->ingest, &c, err);
    arena_deinit(&a);
    return ok;
}

static bool start_collect(struct run *r, struct err *err) {
    struct collect_options o = {.clock = r->clock,
                                .config = &r->collect_config,
                                .sink = agent_client_sink(r->client),
                                .meta = agent_client_meta,
                                .meta_self = r->client};
    r->collect = collect_new(&o, err);
    return r->collect != NULL;
}

static void on_config(void *self, const struct agent_config *config) {
    struct run *r = self;
    struct err err;
    err_reset(&err);
    mutex_lock(&r->lock);
    if (!r->stopping && config->interval_ms > 0 &&
        config->interval_ms != r->collect_config.interval_ms) {
        collect_free(r->collect);
        r->collect_config.interval_ms = config->interval_ms;
        if (!start_collect(r, &err))
            log_error("agent", "the host is not watched: %s", err.message);
    }
    if (!r->stopping && !apply_scrapes(r, config->scrape_configs, &err))
        log_error("agent", "the scrapes that the server wants were not taken: %s", err.message);
    mutex_unlock(&r->lock);
}

/* ---- start and stop ---- */

static void put_meta(void *client, const struct metric_meta *m, size_t n) {
    for (size_t i = 0; i < n; i++)
        agent_client_meta(client, &m[i]);
}

static bool start(struct run *r, struct err *err) {
    if (!datadir_open(r->data, &r->lock_fd, err) ||
        !agent_credential_load(r->data, &r->a, &r->credential, err))
        return false;
    r->collect_config.interval_ms = 1000;
    r->collect_config.instance = r->credential.host;
    r->http = http_client_new(err);
    r->transport = r->http ? agent_transport_http_new(r->http, r->credential.server, err) : NULL;
    if (!r->transport)
        return false;
    struct agent_client_options o = {.data_dir = r->data,
                                     .clock = r->clock,
                                     .transport = agent_transport_http_view(r->transport),
                                     .secret = r->credential.secret,
                                     .version = HINOMI_VERSION,
                                     .on_config = on_config,
                                     .on_config_self = r};
    mutex_lock(&r->lock); /* the forwarder may call on_config before we are through */
    r->client = agent_client_open(&o, err);
    bool ok = r->client != NULL;
    if (ok) {
        struct ingest_options io = {.sink = agent_client_sink(r->client),
                                    .clock = r->clock,
                                    .put_meta = put_meta,
                                    .meta_self = r->client,
                                    .workers = 1};
        r->ingest = ingest_new(&io, err);
        ok = r->ingest && start_collect(r, err);
    }
    mutex_unlock(&r->lock);
    return ok;
}

static void stop(struct run *r) {
    mutex_lock(&r->lock);
    r->stopping = true;
    collect_free(r->collect);
    r->collect = NULL;
    mutex_unlock(&r->lock);
    if (r->ingest)
        ingest_free(r->ingest);
    if (r->client)
        agent_client_free(r->client);
    agent_transport_http_free(r->transport);
    if (r->http)
        http_client_free(r->http);
    file_close(r->lock_fd);
}

static void stop_at_once(int signal) {
    (void)signal;
    _exit(1);
}

static void wait_for_end(const sigset_t *signals) {
    struct sigaction now = {.sa_handler = stop_at_once};
    (void)sigwaitinfo(signals, NULL);
    (void)sigaction(SIGTERM, &now, NULL);
    (void)sigaction(SIGINT, &now, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

int agent_command_run(const struct cli_args *args) {
    struct err err;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t signals;
    struct run r = {.clock = clock_system(), .lock_fd = -1};
    err_reset(&err);
    mutex_init(&r.lock);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGHUP, &ignore, NULL); /* its configuration comes from the server */
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    r.data = datadir_choose("hinomi-agent", cli_flag(args, "data"), &r.a, &err);
    int code = 0;
    if (!r.data || !start(&r, &err)) {
        code = cli_fail(args, &err);
    } else {
        log_info("agent", "watching this host for %.*s; version %s",
                 STR_FMT(r.credential.server.url), HINOMI_VERSION);
        wait_for_end(&signals);
        log_info("agent", "stopping");
    }
    stop(&r);
    arena_deinit(&r.a);
    mutex_deinit(&r.lock);
    return code;
}
