/* api_testlib.h - the API over a real HTTP server on a free port, with the real rooms behind it in
 * a temporary folder; only app/ (configuration, readiness) is a double. */
#ifndef API_API_TESTLIB_H
#define API_API_TESTLIB_H

#include "api/api.h"
#include "feature/agent/agent_http.h"
#include "net/http_testlib.h"

struct t_api {
    char dir[64];
    struct clock clock;
    struct http_client *http;
    struct series_store *series;
    struct state *state;
    struct account *account;
    struct inventory *inventory;
    struct collect *collect;
    struct rule_manager *rules;
    struct notify *notify;
    struct ingest *ingest;
    struct agent_server *agents;
    struct http_route agent_routes[AGENT_HTTP_ROUTES];
    struct api_routes_more more;
    struct api_deps deps; /* may be changed by the caller before t_api_start */
    struct http_server_options options;
    struct api *api;
    struct http_server *server;
    uint16_t port;
    bool ready, reload_fails;
    int reloads;
    /* by t_api_accounts */
    char tokens[4][64]; /* by enum account_role; [0]: scope write:series alone */
};

/* Opens everything; t_api_start serves it. */
void t_api_open(struct t_api *t);
void t_api_start(struct t_api *t);
void t_api_stop(struct t_api *t);
/* Accounts are required from here on (an admin exists), with a token for each role. */
void t_api_accounts(struct t_api *t);

/* One request. headers: lines that end in \r\n, or NULL; body may be NULL. */
void t_ask(struct t_api *t, const char *method, const char *path, const char *headers,
           struct str body, struct t_answer *out);
void t_ask_as(struct t_api *t, enum account_role role, const char *method, const char *path,
              struct t_answer *out);
void t_get(struct t_api *t, const char *path, struct t_answer *out);
/* n series `name{i="0"}` ... with `points` samples, a second apart, the last one at end_ms: value =
 * index of the sample. */
void t_fill(struct t_api *t, const char *name, size_t n, size_t points, int64_t end_ms);
/* A remote_write body (snappy) of one sample. */
void t_write_body(const char *name, int64_t ts_ms, double value, struct buf *out);
bool t_has(const struct t_answer *a, const char *text);

#endif
