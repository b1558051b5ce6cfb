/* api_int.h - what the files of this room share. */
#ifndef API_API_INT_H
#define API_API_INT_H

#include "api/api.h"
#include "codec/jsonw.h"
#include "os/thread.h"
#include "query/promql/promql.h"

struct overview_hub;
struct rate { /* samples a second, for the status */
    int64_t at_ms, total;
    double per_s;
};
struct api {
    struct api_deps d;
    struct http_route *routes;
    size_t n_routes;
    struct overview_hub *hub;
    char *origin;      /* scheme://host[:port] of public_url; NULL: none */
    char *public_host; /* its host name */
    _Atomic bool stopping;
    _Atomic int64_t users,
        users_read_ms; /* how many accounts there are: asked anew after USERS_FRESH_MS */
    _Atomic int64_t receivers, receivers_read_ms;
    struct mutex rate_lock;
    struct rate rate;
};

/* door.c */
bool door_admit(void *self, struct http_req *r, struct http_res *res);
void door_finish(void *self, struct http_req *r, struct http_res *res);
/* Who asks; of an admitted request never NULL. */
const struct account_principal *door_principal(const struct http_req *r);
/* For audit entries: a user, "token:<name>" or "loopback". */
struct account_actor door_actor(const struct http_req *r);
/* Writes an audit entry for something that was done; a failure to write it is logged, not told. */
void door_audit(struct api *api, const struct http_req *r, const char *action, struct str object,
                struct str detail);
/* From this machine, and not through a proxy on it (which would make the whole world look local).
 */
bool door_is_local(const struct http_req *r);
/* Loopback without accounts applies to this request. */
bool door_is_open(struct api *api, const struct http_req *r);
int64_t door_users(struct api *api); /* how many accounts; -1: unknown */
void door_users_changed(struct api *api);
#define USERS_FRESH_MS 5000
#define SESSION_COOKIE "hinomi_session"

/* routes.c */
bool routes_make(struct api *api, struct err *err) MUST_USE;

/* assets.c */
void assets_serve(void *self, struct http_req *r, struct http_res *res);

/* prom.c: answers of the Prometheus API */
struct prom_extra { /* added behind data */
    const struct promql_notes *notes;
    const char *warning; /* one more; NULL: none */
    const char *warning2;
};
void prom_begin(struct http_req *r, struct http_res *res); /* {"status":"success","data": */
void prom_end(struct http_res *res, const struct prom_extra *extra);
void prom_fail(struct http_req *r, struct http_res *res, const struct err *err);
struct str prom_param(struct http_req *r, const char *name); /* first value; empty when absent */
struct str prom_quoted(struct http_req *r, struct str s);    /* Go's %q */
bool prom_invalid(struct http_req *r, const char *name,
                  struct err *err); /* prefixes: invalid parameter "name": ; false */
bool prom_limit(struct http_req *r, size_t *out, struct err *err) MUST_USE; /* 0: none */
bool prom_time(struct http_req *r, struct str s, int64_t *out_ms, struct err *err) MUST_USE;
bool prom_time_param(struct http_req *r, const char *name, int64_t def, int64_t *out_ms,
                     struct err *err) MUST_USE;
bool prom_duration(struct http_req *r, struct str s, int64_t *out_ms, struct err *err) MUST_USE;
#define PROM_TRUNCATED "results truncated due to limit"
#define PROM_TIME_MIN (-INT64_C(9007199254740991))
#define PROM_TIME_MAX INT64_C(9007199254740991)

struct prom_selector {
    struct matcher *m;
    size_t n;
};
/* All values of match[] (or another name). The regexes live with the arena's parse: see
 * prom_query.c. */
bool prom_selectors(struct api *api, struct http_req *r, const char *name,
                    struct prom_selector **out, size_t *out_n, struct err *err) MUST_USE;
bool prom_selector_parse(struct api *api, struct http_req *r, struct str text,
                         struct prom_selector *out, struct err *err) MUST_USE;

/* prom_json.c: the bulk of big answers */
void prom_json_labels(struct buf *b, struct labels ls);
void prom_json_ts(struct buf *b, int64_t ts_ms);
void prom_json_value(struct buf *b, double v); /* "1.5" with quotes */
void prom_json_result(struct buf *b, const struct promql_result *r, size_t limit,
                      bool *out_truncated);

/* handlers */
/* clang-format off */
#define API_HANDLERS(X)                                                                           \
    X(prom_query) X(prom_query_range) X(prom_query_exemplars) X(prom_format_query)                \
    X(prom_parse_query) X(prom_labels) X(prom_label_values) X(prom_series) X(prom_metadata)       \
    X(prom_write) X(prom_scrape_pools) X(prom_targets) X(prom_targets_metadata)                   \
    X(prom_alertmanagers) X(prom_alerts) X(prom_rules) X(prom_status_config)                      \
    X(prom_status_runtimeinfo) X(prom_status_buildinfo) X(prom_status_flags) X(prom_status_tsdb)  \
    X(prom_status_walreplay) X(prom_features) X(prom_notifications) X(ops_healthy) X(ops_ready)   \
    X(ops_reload) X(ops_metrics) X(hinomi_overview) X(hinomi_overview_stream)                     \
    X(hinomi_overview_history) X(hinomi_offer_accept) X(hinomi_offers_accepted)                   \
    X(hinomi_offer_delete) X(hinomi_inventory) X(hinomi_service_create) X(hinomi_service_delete)  \
    X(hinomi_session) X(hinomi_login) X(hinomi_logout) X(hinomi_users) X(hinomi_user_create)      \
    X(hinomi_user_delete) X(hinomi_tokens) X(hinomi_token_create) X(hinomi_token_delete)          \
    X(hinomi_receivers) X(hinomi_receiver_create) X(hinomi_receiver_delete)                       \
    X(hinomi_notify_test) X(hinomi_outbox) X(hinomi_config) X(hinomi_config_check)                \
    X(hinomi_config_export) X(hinomi_status) X(hinomi_agents) X(hinomi_enroll_token)              \
    X(hinomi_agent_delete) X(hinomi_audit)
/* clang-format on */
#define X(name) void name(void *self, struct http_req *r, struct http_res *res);
API_HANDLERS(X)
#undef X

/* hinomi.c: helpers of hinomi's own JSON */
void api_json(struct http_req *r, struct http_res *res, int status); /* content type and status */
/* {"error":{...}} with a code of docs/openapi.yaml; hint NULL: null. */
void api_error(struct http_req *r, struct http_res *res, int status, const char *code,
               const char *message, const char *hint);
bool api_missing(struct http_req *r, struct http_res *res,
                 const char *what);                           /* 503; returns true */
void jsonw_kms(struct jsonw *w, const char *key, int64_t ms); /* OVERVIEW_UNKNOWN: null */
void jsonw_kstr_or_null(struct jsonw *w, const char *key, struct str s); /* n == 0: null */
void jsonw_kknown(struct jsonw *w, const char *key, enum known k);
void jsonw_klabels(struct jsonw *w, const char *key, struct labels ls);
const char *freshness_name(enum freshness f);
/* The JSON body as an object; the caller frees. NULL: err is set. */
struct jsonr_doc;
struct jsonr_doc *api_body_json(struct http_req *r, struct err *err) MUST_USE;
bool api_param_int(struct http_req *r, const char *name, int64_t def, int64_t min, int64_t max,
                   int64_t *out, struct err *err) MUST_USE;
bool api_path_id(const struct http_req *r, int64_t *out, struct err *err) MUST_USE;

/* overview_hub.c */
struct overview_hub *overview_hub_new(struct api *api, struct err *err) MUST_USE;
void overview_hub_stop(struct overview_hub *h);
void overview_hub_free(struct overview_hub *h);

/* process.c: this process, from /proc/self */
struct process_facts {
    double cpu_s;
    int64_t rss_bytes, virtual_bytes, open_fds, max_fds, threads, start_ms; /* OVERVIEW_UNKNOWN */
};
void process_facts_read(struct process_facts *out);

#endif
