/* Every route in one list, the more specific first. A new one is a line here (or, for a feature
 * with a protocol of its own, in what app/ hands over in api_deps.more); routes_test.c walks it. */
#include "api/api_int.h"

#include "base/limits.h"

#include <stdlib.h>

#define FORM_BYTES (1u << 20)  /* a form with long expressions or many match[] */
#define JSON_BYTES (64u << 10) /* what the screen sends */
#define YAML_BYTES (1u << 20)  /* openapi: checkConfig */

static const struct http_route table[] = {
#define R(method, path, pool, access, bytes, fn)                                                   \
    { method, path, HTTP_POOL_##pool, API_ACCESS_##access, bytes, fn, NULL }
    /* operations */
    R("GET", "/-/healthy", FAST, ANYONE, 0, ops_healthy),
    R("GET", "/-/ready", FAST, ANYONE, 0, ops_ready),
    R("POST", "/-/reload", FAST, ADMIN, JSON_BYTES, ops_reload),
    R("PUT", "/-/reload", FAST, ADMIN, JSON_BYTES, ops_reload),
    R("GET", "/metrics", FAST, VIEWER, 0, ops_metrics),

    /* Prometheus */
    R("POST", "/api/v1/write", WRITE, WRITE_SERIES, LIMIT_BODY_BYTES, prom_write),
    R("GET", "/api/v1/query", QUERY, VIEWER, 0, prom_query),
    R("POST", "/api/v1/query", QUERY, VIEWER, FORM_BYTES, prom_query),
    R("GET", "/api/v1/query_range", QUERY, VIEWER, 0, prom_query_range),
    R("POST", "/api/v1/query_range", QUERY, VIEWER, FORM_BYTES, prom_query_range),
    R("GET", "/api/v1/query_exemplars", FAST, VIEWER, 0, prom_query_exemplars),
    R("POST", "/api/v1/query_exemplars", FAST, VIEWER, FORM_BYTES, prom_query_exemplars),
    R("GET", "/api/v1/format_query", FAST, VIEWER, 0, prom_format_query),
    R("POST", "/api/v1/format_query", FAST, VIEWER, FORM_BYTES, prom_format_query),
    R("GET", "/api/v1/parse_query", FAST, VIEWER, 0, prom_parse_query),
    R("POST", "/api/v1/parse_query", FAST, VIEWER, FORM_BYTES, prom_parse_query),
    R("GET", "/api/v1/labels", QUERY, VIEWER, 0, prom_labels),
    R("POST", "/api/v1/labels", QUERY, VIEWER, FORM_BYTES, prom_labels),
    R("GET", "/api/v1/label/:name/values", QUERY, VIEWER, 0, prom_label_values),
    R("GET", "/api/v1/series", QUERY, VIEWER, 0, prom_series),
    R("POST", "/api/v1/series", QUERY, VIEWER, FORM_BYTES, prom_series),
    R("GET", "/api/v1/metadata", QUERY, VIEWER, 0, prom_metadata),
    R("GET", "/api/v1/scrape_pools", FAST, VIEWER, 0, prom_scrape_pools),
    R("GET", "/api/v1/targets", FAST, VIEWER, 0, prom_targets),
    R("GET", "/api/v1/targets/metadata", QUERY, VIEWER, 0, prom_targets_metadata),
    R("GET", "/api/v1/alertmanagers", FAST, VIEWER, 0, prom_alertmanagers),
    R("GET", "/api/v1/alerts", FAST, VIEWER, 0, prom_alerts),
    R("GET", "/api/v1/rules", FAST, VIEWER, 0, prom_rules),
    R("GET", "/api/v1/status/config", FAST, VIEWER, 0, prom_status_config),
    R("GET", "/api/v1/status/runtimeinfo", FAST, VIEWER, 0, prom_status_runtimeinfo),
    R("GET", "/api/v1/status/buildinfo", FAST, VIEWER, 0, prom_status_buildinfo),
    R("GET", "/api/v1/status/flags", FAST, VIEWER, 0, prom_status_flags),
    R("GET", "/api/v1/status/tsdb", QUERY, VIEWER, 0, prom_status_tsdb),
    R("GET", "/api/v1/status/walreplay", FAST, VIEWER, 0, prom_status_walreplay),
    R("GET", "/api/v1/features", FAST, VIEWER, 0, prom_features),
    R("GET", "/api/v1/notifications", FAST, VIEWER, 0, prom_notifications),

    /* hinomi: docs/openapi.yaml */
    R("GET", "/api/hinomi/overview", FAST, VIEWER, 0, hinomi_overview),
    R("GET", "/api/hinomi/overview/stream", FAST, VIEWER, 0, hinomi_overview_stream),
    R("GET", "/api/hinomi/overview/history", FAST, VIEWER, 0, hinomi_overview_history),
    R("POST", "/api/hinomi/scrape-offers/accept", FAST, EDITOR, JSON_BYTES, hinomi_offer_accept),
    R("GET", "/api/hinomi/scrape-offers/accepted", FAST, VIEWER, 0, hinomi_offers_accepted),
    R("DELETE", "/api/hinomi/scrape-offers/accepted/:id", FAST, EDITOR, JSON_BYTES,
      hinomi_offer_delete),
    R("GET", "/api/hinomi/inventory", FAST, VIEWER, 0, hinomi_inventory),
    R("POST", "/api/hinomi/services", FAST, EDITOR, JSON_BYTES, hinomi_service_create),
    R("DELETE", "/api/hinomi/services/:id", FAST, EDITOR, JSON_BYTES, hinomi_service_delete),
    R("GET", "/api/hinomi/session", FAST, ANYONE, 0, hinomi_session),
    R("POST", "/api/hinomi/login", LOGIN, ANYONE, JSON_BYTES, hinomi_login),
    R("POST", "/api/hinomi/logout", FAST, ANYONE, JSON_BYTES, hinomi_logout),
    R("GET", "/api/hinomi/users", FAST, ADMIN, 0, hinomi_users),
    R("POST", "/api/hinomi/users", QUERY, ADMIN, JSON_BYTES, hinomi_user_create),
    R("DELETE", "/api/hinomi/users/:id", FAST, ADMIN, JSON_BYTES, hinomi_user_delete),
    R("GET", "/api/hinomi/tokens", FAST, ADMIN, 0, hinomi_tokens),
    R("POST", "/api/hinomi/tokens", FAST, ADMIN, JSON_BYTES, hinomi_token_create),
    R("DELETE", "/api/hinomi/tokens/:id", FAST, ADMIN, JSON_BYTES, hinomi_token_delete),
    R("GET", "/api/hinomi/notify/receivers", FAST, VIEWER, 0, hinomi_receivers),
    R("POST", "/api/hinomi/notify/receivers", FAST, EDITOR, JSON_BYTES, hinomi_receiver_create),
    R("DELETE", "/api/hinomi/notify/receivers/:name", FAST, EDITOR, JSON_BYTES,
      hinomi_receiver_delete),
    R("POST", "/api/hinomi/notify/test", QUERY, EDITOR, JSON_BYTES,
      hinomi_notify_test), /* waits up to 10 s */
    R("GET", "/api/hinomi/notify/outbox", FAST, VIEWER, 0, hinomi_outbox),
    R("GET", "/api/hinomi/config", FAST, VIEWER, 0, hinomi_config),
    R("POST", "/api/hinomi/config/check", FAST, VIEWER, YAML_BYTES, hinomi_config_check),
    R("GET", "/api/hinomi/config/export", FAST, VIEWER, 0, hinomi_config_export),
    R("GET", "/api/hinomi/status", FAST, VIEWER, 0, hinomi_status),
    R("GET", "/api/hinomi/agents", FAST, VIEWER, 0, hinomi_agents),
    R("POST", "/api/hinomi/agents/enroll-token", FAST, ADMIN, JSON_BYTES, hinomi_enroll_token),
    R("DELETE", "/api/hinomi/agents/:id", FAST, ADMIN, JSON_BYTES, hinomi_agent_delete),
    R("GET", "/api/hinomi/audit", FAST, ADMIN, 0, hinomi_audit),
};
/* Behind everything else: the screen. */
static const struct http_route last = R("GET", "/*", FAST, ANYONE, 0, assets_serve);

bool routes_make(struct api *api, struct err *err) {
    size_t n = sizeof(table) / sizeof(table[0]), total = n + 1, k = 0;
    for (size_t i = 0; i < api->d.n_more; i++)
        total += api->d.more[i].n;
    api->routes = calloc(total, sizeof(*api->routes));
    if (!api->routes)
        return err_set(err, ERR_INTERNAL, "out of memory for the routes");
    for (size_t i = 0; i < n; i++) {
        api->routes[k] = table[i];
        api->routes[k++].self = api;
    }
    for (size_t i = 0; i < api->d.n_more; i++)
        for (size_t j = 0; j < api->d.more[i].n; j++)
            api->routes[k++] = api->d.more[i].routes[j]; /* with their own self */
    api->routes[k] = last;
    api->routes[k++].self = api;
    api->n_routes = k;
    return true;
}
