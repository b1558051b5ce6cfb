/* /api/v1/status/..., features, notifications, alertmanagers. */
#include "api/api_int.h"

#include "base/limits.h"
#include "base/stats.h"

#include <stdio.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* The level of the Prometheus HTTP API that is spoken; clients such as Grafana switch features on
 * by it. Build metadata (semver) tells who answers. */
#define PROM_API_VERSION "3.5.0+hinomi." HINOMI_VERSION

static void finish(struct http_res *res) {
    prom_end(res, NULL);
}

void prom_status_config(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct api_config c = {0};
    if (!api->d.app.config)
        (void)err_set(&err, ERR_UNAVAILABLE, "the configuration is not known here");
    else if (api->d.app.config(api->d.app.self, r->arena, &c, &err)) {
        prom_begin(r, res);
        buf_putz(&res->body, "{\"yaml\":");
        jsonw_quote(&res->body, c.yaml);
        buf_putc(&res->body, '}');
        finish(res);
        return;
    }
    prom_fail(r, res, &err);
}

void prom_status_runtimeinfo(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct process_facts p;
    process_facts_read(&p);
    char cwd[4096] = "", host[256] = "";
    if (!getcwd(cwd, sizeof(cwd)))
        cwd[0] = 0;
    (void)gethostname(host, sizeof(host) - 1);
    struct buf retention = BUF_INIT;
    duration_format(&retention, api->d.retention_ms);
    prom_begin(r, res);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_ktime(&w, "startTime", api->d.started_ms);
    jsonw_kz(&w, "CWD", cwd);
    jsonw_kz(&w, "hostname", host);
    jsonw_ktime(&w, "serverTime", clock_wall_ms(api->d.clock));
    jsonw_kbool(&w, "reloadConfigSuccess", STAT_GET(hinomi_config_last_reload_successful) != 0);
    int64_t reloaded_s = STAT_GET(hinomi_config_last_reload_success_timestamp_seconds);
    jsonw_ktime(&w, "lastConfigTime", reloaded_s ? reloaded_s * 1000 : api->d.started_ms);
    jsonw_ki64(&w, "corruptionCount", STAT_GET(hinomi_series_quarantined_total));
    jsonw_ki64(&w, "goroutineCount",
               p.threads == OVERVIEW_UNKNOWN ? 0 : p.threads); /* threads: the nearest there is */
    jsonw_ki64(&w, "GOMAXPROCS", get_nprocs());
    jsonw_ki64(&w, "GOMEMLIMIT", INT64_MAX);
    jsonw_kz(&w, "GOGC", "");
    jsonw_kz(&w, "GODEBUG", "");
    jsonw_kstr(&w, "storageRetention", buf_view(&retention));
    jsonw_end(&w);
    finish(res);
    buf_deinit(&retention);
}

void prom_status_buildinfo(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    prom_begin(r, res);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_kz(&w, "version", PROM_API_VERSION);
    jsonw_kz(&w, "revision", api->d.revision ? api->d.revision : "");
    jsonw_kz(&w, "branch", "");
    jsonw_kz(&w, "buildUser", "");
    jsonw_kz(&w, "buildDate", "");
    jsonw_kz(&w, "goVersion", "");
    jsonw_end(&w);
    finish(res);
}

static void kduration(struct jsonw *w, const char *key, int64_t ms) {
    struct buf b = BUF_INIT;
    duration_format(&b, ms);
    jsonw_kstr(w, key, buf_view(&b));
    buf_deinit(&b);
}

void prom_status_flags(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    const struct api_deps *d = &api->d;
    prom_begin(r, res);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    kduration(&w, "query.lookback-delta", d->lookback_ms ? d->lookback_ms : 300000);
    jsonw_key(&w, "query.max-samples");
    jsonw_printf(&w, "%zu",
                 d->query_samples_max ? d->query_samples_max : (size_t)LIMIT_QUERY_SAMPLES);
    kduration(&w, "query.timeout",
              d->query_timeout_ms ? d->query_timeout_ms : LIMIT_QUERY_TIMEOUT_MS);
    jsonw_kz(&w, "storage.tsdb.path", d->data_dir ? d->data_dir : "");
    kduration(&w, "storage.tsdb.retention.time", d->retention_ms);
    jsonw_kz(&w, "web.external-url", d->public_url ? d->public_url : "");
    jsonw_kz(&w, "web.listen-address", d->n_listen ? d->listen[0] : "");
    jsonw_kz(&w, "web.enable-admin-api", "false");
    jsonw_kz(&w, "web.enable-lifecycle", "true");
    jsonw_kz(&w, "web.enable-remote-write-receiver", "true");
    jsonw_end(&w);
    finish(res);
}

static void put_top(struct jsonw *w, const char *key, const struct series_top *v, size_t n,
                    size_t limit) {
    jsonw_karray(w, key);
    for (size_t i = 0; i < n && i < limit; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "name", v[i].name);
        jsonw_ku64(w, "value", v[i].count);
        jsonw_end(w);
    }
    jsonw_end(w);
}

void prom_status_tsdb(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct series_stats *s = ARENA_NEW(r->arena, struct series_stats);
    struct str text = prom_param(r, "limit");
    int64_t limit = 10;
    if (text.n && (!str_to_i64(text, &limit) || limit < 1))
        (void)err_set(&err, ERR_BAD_INPUT, "limit must be a positive number");
    else if (limit > 10000)
        (void)err_set(&err, ERR_BAD_INPUT, "limit must not exceed 10000");
    else if (!s)
        (void)arena_err(r->arena, &err);
    else if (!api->d.series)
        (void)err_set(&err, ERR_UNAVAILABLE, "the series store is not open yet");
    else if (series_get_stats(api->d.series, r->arena, s, &err))
        err.code = ERR_OK;
    if (err.code) {
        prom_fail(r, res, &err);
        return;
    }
    prom_begin(r, res);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_kobject(&w, "headStats");
    jsonw_ku64(&w, "numSeries", s->head_series);
    jsonw_ku64(&w, "numLabelPairs", s->label_pairs);
    jsonw_ku64(&w, "chunkCount", s->head_series); /* the head keeps one run of samples a series */
    jsonw_ki64(&w, "minTime", s->min_ts_ms);
    jsonw_ki64(&w, "maxTime", s->max_ts_ms);
    jsonw_end(&w);
    put_top(&w, "seriesCountByMetricName", s->top_metrics, s->n_top_metrics, (size_t)limit);
    put_top(&w, "labelValueCountByLabelName", s->top_labels, s->n_top_labels, (size_t)limit);
    put_top(&w, "memoryInBytesByLabelName", NULL, 0, 0);
    put_top(&w, "seriesCountByLabelValuePair", s->top_pairs, s->n_top_pairs, (size_t)limit);
    jsonw_end(&w);
    finish(res);
}

/* The store answers only once its log has been replayed. */
void prom_status_walreplay(void *self, struct http_req *r, struct http_res *res) {
    (void)self;
    prom_begin(r, res);
    buf_putz(&res->body, "{\"min\":0,\"max\":0,\"current\":0}");
    finish(res);
}

void prom_features(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    unsigned f = api->d.promql_features;
    prom_begin(r, res);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_kobject(&w, "api");
    jsonw_kbool(&w, "admin", false);
    jsonw_kbool(&w, "exemplars", false);
    jsonw_kbool(&w, "label_values_match", true);
    jsonw_kbool(&w, "lifecycle", true);
    jsonw_kbool(&w, "query_stats", true);
    jsonw_kbool(&w, "remote_write_receiver", true);
    jsonw_end(&w);
    jsonw_kobject(&w, "promql");
    jsonw_kbool(&w, "at_modifier", true);
    jsonw_kbool(&w, "negative_offset", true);
    jsonw_kbool(&w, "subqueries", true);
    jsonw_kbool(&w, "experimental_functions", f & PROMQL_EXPERIMENTAL_FUNCTIONS);
    jsonw_kbool(&w, "duration_expr", f & PROMQL_DURATION_EXPRESSION);
    jsonw_kbool(&w, "extended_range_selectors", f & PROMQL_EXTENDED_VECTORS);
    jsonw_kbool(&w, "delayed_name_removal", f & PROMQL_DELAYED_NAME_REMOVAL);
    jsonw_kbool(&w, "type_and_unit_labels", f & PROMQL_TYPE_AND_UNIT_LABELS);
    jsonw_end(&w);
    jsonw_end(&w);
    finish(res);
}

void prom_notifications(void *self, struct http_req *r, struct http_res *res) {
    (void)self;
    prom_begin(r, res);
    buf_putz(&res->body, "[]");
    finish(res);
}

/* Alerts go through hinomi's own outbox, not to Alertmanagers. */
void prom_alertmanagers(void *self, struct http_req *r, struct http_res *res) {
    (void)self;
    prom_begin(r, res);
    buf_putz(&res->body, "{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}");
    finish(res);
}
