/* api.h - everything that is asked over HTTP: the Prometheus-compatible API, hinomi's own JSON
 * (described by docs/openapi.yaml), the embedded screen, and the door in front of all of it. It
 * translates a request, calls a feature, and translates the answer; it keeps no state of its own
 * but the shared overview stream.
 *
 * Use: fill api_deps (what is missing is NULL: its routes answer 503), api_new, put
 * api_server_options into the HTTP server's options, serve; stop the server before api_free.
 */
#ifndef API_API_H
#define API_API_H

#include "api/assets.h"
#include "base/timev.h"
#include "feature/account/account.h"
#include "feature/agent/agent_server.h"
#include "feature/collect/collect.h"
#include "feature/ingest/ingest.h"
#include "feature/notify/notify.h"
#include "feature/rule/rule.h"
#include "inventory/inventory.h"
#include "model/conf.h"
#include "model/reader.h"
#include "model/sink.h"
#include "net/http_server.h"
#include "store/series/series.h"
#include "store/state/state.h"

struct api;

/* One active scrape target, as app/ sees it in feature/ingest. Strings in the caller's arena. */
struct api_target {
    struct labels discovered, labels;
    struct str pool, url, last_error; /* last_error.n == 0: none */
    int64_t last_scrape_ms;           /* 0: never */
    double duration_s;
    int64_t interval_ms, timeout_ms;
    int health;             /* -1 unknown, 0 down, 1 up */
    struct str origin;      /* "declared", "observed", "overridden" */
    struct str accepted_id; /* n == 0: not an accepted offer */
};
struct api_accepted { /* a scrape that was accepted in the screen */
    struct str id, url, job, created_by;
    int64_t created_ms;
};
struct api_config_part {
    struct str path, value, origin, file; /* value.p NULL: null */
    uint32_t line;                        /* 0: null */
};
struct api_config {
    struct str yaml; /* secrets hidden */
    struct str *files;
    size_t n_files;
    int64_t loaded_ms;
    enum known last_reload_ok;                 /* KNOWN_UNKNOWN: no reload yet */
    int64_t last_reload_ms;                    /* OVERVIEW_UNKNOWN */
    const struct conf_diag *last_reload_error; /* NULL: none */
    struct api_config_part *parts;
    size_t n_parts;
};
struct api_queue {
    struct str name;
    int64_t length, capacity, dropped;
};

/* What only app/ knows: it owns the configuration and binds features that api/ need not know. All
 * may be NULL (the route answers 503); any thread; strings in the arena that is given. */
struct api_app {
    void *self;
    bool (*reload)(void *self, struct err *err);
    bool (*ready)(void *self, struct err *err); /* false: err says what is still missing */
    bool (*config)(void *self, struct arena *a, struct api_config *out, struct err *err);
    /* An invalid text is true with findings; false: it could not be checked. */
    bool (*config_check)(void *self, struct str yaml, struct arena *a, struct conf_diags *out,
                         struct err *err);
    bool (*config_export)(void *self, struct buf *out, struct err *err);
    bool (*targets)(void *self, struct arena *a, struct api_target **out, size_t *out_n,
                    struct err *err);
    bool (*accepted_list)(void *self, struct arena *a, struct api_accepted **out, size_t *out_n,
                          struct err *err);
    bool (*accepted_add)(void *self, struct str url, struct str job, struct str by, struct arena *a,
                         struct api_accepted *out, struct err *err);
    bool (*accepted_delete)(void *self, struct str id, struct err *err);
    size_t (*queues)(void *self, struct api_queue *out, size_t max);
};

/* More routes, of features with their own protocol (the agent's, Loki's ...). Access: api_access
 * below. */
struct api_routes_more {
    const struct http_route *routes;
    size_t n;
};

/* Who may use a route: http_route.access. Anything else is refused, so that a forgotten rule is a
 * closed door. */
enum api_access {
    API_ACCESS_CLOSED, /* never: the zero value */
    API_ACCESS_ANYONE, /* liveness, the login, the screen's files */
    API_ACCESS_VIEWER,
    API_ACCESS_EDITOR,
    API_ACCESS_ADMIN,
    API_ACCESS_WRITE_SERIES, /* remote_write: scope write:series, or editor */
    API_ACCESS_OWN           /* the handler checks a credential of its own (agents' tokens) */
};

struct api_deps {
    const struct clock *clock;
    struct reader reader; /* ops NULL: queries answer 503 */
    struct series_store *series;
    struct state *state;
    struct account *account;
    struct collect *collect;
    struct rule_manager *rules;
    struct notify *notify;
    struct agent_server *agents; /* its own routes come through `more` */
    struct inventory *inventory;
    struct ingest *ingest; /* for dropped targets and limits; active ones come from app.targets */
    struct api_app app;
    const struct api_routes_more *more;
    size_t n_more;
    const struct asset *assets; /* the screen; n_assets 0: built without it */
    size_t n_assets;

    /* queries */
    unsigned promql_features;
    int64_t lookback_ms, query_timeout_ms; /* 0: 5 min, LIMIT_QUERY_TIMEOUT_MS */
    size_t query_samples_max, query_memory_max;

    /* the door */
    /* Over loopback (without a proxy in front) everybody is admin while no account exists, or with
     * no_auth always; app/ refuses no_auth when it listens elsewhere. accounts_required: not even
     * then (it listens elsewhere). */
    bool no_auth, accounts_required;
    const char *const *hosts; /* allowed Host names beside the loopback ones; borrowed */
    size_t n_hosts;
    bool any_host;          /* TLS or an explicit choice: names are not checked */
    const char *public_url; /* NULL: none; its host is allowed, and its origin */

    /* told by status */
    const char *revision, *data_dir;
    const char *const *listen;
    size_t n_listen;
    int64_t started_ms, retention_ms;
};

struct api *api_new(const struct api_deps *deps, struct err *err) MUST_USE;
/* Ends the overview stream with `goodbye`: call before http_server_free. */
void api_stop(struct api *api);
void api_free(struct api *api);
/* Fills routes, admit, finish and pools; the caller has filled listen and clock. */
void api_server_options(struct api *api, struct http_server_options *o);

#endif
