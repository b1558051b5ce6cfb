/* server.h - everything that `hinomi serve` runs, made in order and stopped in the opposite one. */
#ifndef APP_SERVER_SERVER_H
#define APP_SERVER_SERVER_H

#include "api/api.h"
#include "app/server/config.h"
#include "feature/agent/agent_http.h"
#include "feature/agent/agent_server.h"
#include "feature/ingest/ingest.h"
#include "inventory/inventory.h"
#include "net/http_client.h"
#include "os/thread.h"

struct server_options {
    const char *config_file; /* NULL: none */
    const char *data_dir;    /* chosen already */
    const char *listen;      /* NULL: the configuration's */
    bool no_auth;
};

struct server {
    struct server_options opt;
    const struct clock *clock;
    int64_t started_ms;
    char listen[300]; /* "127.0.0.1:11900", with the port that was taken */
    char links[340];  /* where links in messages go: server.public_url, else made of listen; "" when
                         any free port was asked for */
    bool loopback;
    bool accounts_required; /* off loopback, or server.require_accounts */
    int lock_fd;

    struct mutex reload_lock; /* one reload at a time */
    struct mutex config_lock; /* guards the pointer and the fields below */
    struct config *first;     /* the one it was started with: parts borrow from it to the end */
    struct config *config;    /* the one of now */
    int64_t loaded_ms, last_reload_ms; /* last_reload_ms 0: none yet */
    bool last_reload_ok;
    struct conf_diag last_reload_error; /* strings in reload_arena */
    struct arena reload_arena;

    struct state *state;
    struct series_store *series;
    struct account *account;
    struct http_client *http_client;
    struct collect *collect;
    struct inventory *inventory;
    struct thread observe; /* tells the inventory what is seen, now and then */
    struct mutex observe_lock;
    struct cond observe_stop;
    bool observe_stopping;
    struct agent_server *agents;
    struct http_route agent_routes[AGENT_HTTP_ROUTES];
    struct api_routes_more more[1];
    struct ingest *ingest;
    struct rule_manager *rules;
    struct notify *notify;
    struct api *api;
    struct http_server *http;
    const char *hosts[64]; /* allowed Host names, borrowed from the first configuration */
    size_t n_hosts;
    const char *listens[1];
    _Atomic bool ready;
};

/* Loads the configuration and starts everything. On false nothing runs and *err says why; findings
 * of the configuration go to standard error. */
bool server_start(struct server *s, const struct server_options *opt, struct err *err) MUST_USE;
void server_stop(struct server *s);
/* All or nothing: a wrong file changes nothing. */
bool server_reload(struct server *s, struct err *err) MUST_USE;
/* The snapshot now; config_unref it. */
struct config *server_config(struct server *s);

/* server_scrape.c: what is scraped, from the file and from the screen. */
bool server_scrape_start(struct server *s, struct err *err) MUST_USE;
/* Of a configuration, with what was accepted in the screen. */
bool server_scrape_apply(struct server *s, const struct config *c, struct err *err) MUST_USE;
bool server_scrape_targets(void *server, struct arena *a, struct api_target **out, size_t *out_n,
                           struct err *err);
bool server_scrape_accepted(void *server, struct arena *a, struct api_accepted **out, size_t *out_n,
                            struct err *err);
bool server_scrape_accept(void *server, struct str url, struct str job, struct str by,
                          struct arena *a, struct api_accepted *out, struct err *err);
bool server_scrape_forget(void *server, struct str id, struct err *err);

/* server_inventory.c: what is declared, observed and set in the screen, in one picture (api/ shows
 * it). */
bool server_inventory_open(struct server *s, struct err *err) MUST_USE;
bool server_inventory_start(struct server *s, struct err *err) MUST_USE; /* the observing thread */
void server_inventory_stop(struct server *s);

/* server_export.c: what the screen added, as YAML. */
bool server_export(void *server, struct buf *out, struct err *err);

/* server_parts.c: every setting with its value and where it comes from. */
bool server_parts(struct server *s, const struct config *c, struct arena *a, struct api_config *out,
                  struct err *err) MUST_USE;

/* server_api.c */
void server_api_bind(struct server *s, struct api_app *out);

#endif
