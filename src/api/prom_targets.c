/* /api/v1/targets, targets/metadata, scrape_pools. */
#include "api/api_int.h"

#include "base/map.h"

static bool targets_of(struct api *api, struct http_req *r, struct api_target **out, size_t *out_n,
                       struct err *err) {
    *out = NULL;
    *out_n = 0;
    return !api->d.app.targets || api->d.app.targets(api->d.app.self, r->arena, out, out_n, err);
}

static const char *health_name(int health) {
    return health < 0 ? "unknown" : health ? "up" : "down";
}

static void kduration(struct jsonw *w, const char *key, int64_t ms) {
    struct buf b = BUF_INIT;
    duration_format(&b, ms);
    jsonw_kstr(w, key, buf_view(&b));
    buf_deinit(&b);
}

static void put_target(struct jsonw *w, const struct api_target *t) {
    jsonw_object(w);
    jsonw_klabels(w, "discoveredLabels", t->discovered);
    jsonw_klabels(w, "labels", t->labels);
    jsonw_kstr(w, "scrapePool", t->pool);
    jsonw_kstr(w, "scrapeUrl", t->url);
    jsonw_kstr(w, "globalUrl", t->url);
    jsonw_kstr(w, "lastError", t->last_error);
    if (t->last_scrape_ms)
        jsonw_ktime(w, "lastScrape", t->last_scrape_ms);
    else
        jsonw_kz(w, "lastScrape", "0001-01-01T00:00:00Z");
    jsonw_kf64(w, "lastScrapeDuration", t->duration_s);
    jsonw_kz(w, "health", health_name(t->health));
    kduration(w, "scrapeInterval", t->interval_ms);
    kduration(w, "scrapeTimeout", t->timeout_ms);
    jsonw_end(w);
}

void prom_targets(void *self, struct http_req *r, struct http_res *res) {
    struct err err = {0};
    struct api_target *v;
    size_t n;
    if (!targets_of(self, r, &v, &n, &err)) {
        prom_fail(r, res, &err);
        return;
    }
    struct str pool = prom_param(r, "scrapePool"), state = prom_param(r, "state");
    bool any = state.n == 0 || str_eq_nocase(state, STR("any"));
    bool active = any || str_eq_nocase(state, STR("active"));
    bool dropped = any || str_eq_nocase(state, STR("dropped"));
    struct ingest *g = ((struct api *)self)->d.ingest;
    struct ingest_dropped_view *gone = NULL;
    struct ingest_job_view *jobs = NULL;
    size_t n_gone = 0, n_jobs = 0;
    if (g && dropped &&
        (!ingest_dropped(g, r->arena, &gone, &n_gone, &err) ||
         !ingest_jobs(g, r->arena, &jobs, &n_jobs, &err))) {
        prom_fail(r, res, &err);
        return;
    }
    prom_begin(r, res);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_karray(&w, "activeTargets");
    for (size_t i = 0; active && i < n; i++)
        if (pool.n == 0 || str_eq(pool, v[i].pool))
            put_target(&w, &v[i]);
    jsonw_end(&w);
    jsonw_karray(&w, "droppedTargets");
    for (size_t i = 0; i < n_gone; i++) {
        if (pool.n && !str_eq(pool, gone[i].job))
            continue;
        jsonw_object(&w);
        jsonw_klabels(&w, "discoveredLabels", gone[i].discovered);
        jsonw_kstr(&w, "scrapePool", gone[i].job);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    jsonw_kobject(&w, "droppedTargetCounts");
    for (size_t i = 0; i < n_jobs; i++) {
        jsonw_key_str(&w, jobs[i].job);
        jsonw_u64(&w, jobs[i].dropped);
    }
    jsonw_end(&w);
    jsonw_end(&w);
    prom_end(res, NULL);
}

void prom_scrape_pools(void *self, struct http_req *r, struct http_res *res) {
    struct err err = {0};
    struct api_target *v;
    size_t n;
    if (!targets_of(self, r, &v, &n, &err)) {
        prom_fail(r, res, &err);
        return;
    }
    struct map seen = MAP_INIT;
    prom_begin(r, res);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_karray(&w, "scrapePools");
    for (size_t i = 0; i < n; i++)
        if (!map_find(&seen, v[i].pool) && map_put(&seen, v[i].pool, v, NULL))
            jsonw_str(&w, v[i].pool);
    jsonw_end(&w);
    jsonw_end(&w);
    prom_end(res, NULL);
    map_deinit(&seen);
}

/* Whether a target's metric names have this family: a name is the family's or the family's with a
 * suffix. */
static bool has_family(const struct map *names, struct str family) {
    static const char *const suffixes[] = {"",       "_total", "_bucket", "_sum",
                                           "_count", "_info",  "_created"};
    char tmp[512];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        size_t k = strlen(suffixes[i]);
        if (family.n + k > sizeof(tmp))
            return false;
        memcpy(tmp, family.p, family.n);
        memcpy(tmp + family.n, suffixes[i], k);
        if (map_find(names, str_make(tmp, family.n + k)))
            return true;
    }
    return false;
}

/* Metric names that the target wrote within the last hour. */
static bool names_of(struct api *api, struct http_req *r, const struct api_target *t,
                     struct map *out, struct err *err) {
    const struct reader *rd = &api->d.reader;
    struct matcher m[2] = {
        {MATCH_EQ, STR("job"), labels_get(t->labels, STR("job")), NULL},
        {MATCH_EQ, STR("instance"), labels_get(t->labels, STR("instance")), NULL}};
    int64_t now = clock_wall_ms(api->d.clock);
    struct reader_query q = {.matchers = m,
                             .n_matchers = 2,
                             .start_ms = now - 3600000,
                             .end_ms = now,
                             .canceled = &r->canceled};
    struct str_list list = {0};
    if (rd->ops && !rd->ops->label_values(rd->self, STR(LABEL_NAME), &q, 0, r->arena, &list, err))
        return false;
    out->borrow_keys = true;
    for (size_t i = 0; i < list.n; i++)
        (void)map_put(out, list.v[i], out, NULL);
    return true;
}

static bool targets_metadata(struct api *api, struct http_req *r, struct http_res *res,
                             struct err *err) {
    struct api_target *v;
    size_t n, n_meta = 0, shown = 0;
    struct metric_meta *meta = NULL;
    struct prom_selector match = {0};
    int64_t limit = -1;
    struct str text = prom_param(r, "limit"), target = prom_param(r, "match_target"),
               metric = prom_param(r, "metric");
    if (text.n && !str_to_i64(text, &limit))
        return err_set(err, ERR_BAD_INPUT, "limit must be a number");
    if (target.n && !prom_selector_parse(api, r, target, &match, err))
        return prom_invalid(r, "match_target", err);
    if (!targets_of(api, r, &v, &n, err))
        return false;
    if (api->d.series && !series_get_meta(api->d.series, metric, 0, r->arena, &meta, &n_meta, err))
        return false;
    prom_begin(r, res);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_array(&w);
    for (size_t i = 0; i < n; i++) {
        struct map names = MAP_INIT;
        if (!matchers_match(match.m, match.n, v[i].labels))
            continue;
        if (!names_of(api, r, &v[i], &names, err)) {
            map_deinit(&names);
            return false;
        }
        for (size_t k = 0; k < n_meta && (limit < 0 || shown < (size_t)limit); k++) {
            if (!has_family(&names, meta[k].metric))
                continue;
            shown++;
            jsonw_object(&w);
            jsonw_klabels(&w, "target", v[i].labels);
            if (metric.n == 0)
                jsonw_kstr(&w, "metric", meta[k].metric);
            jsonw_kz(&w, "type", metric_type_name(meta[k].type));
            jsonw_kstr(&w, "help", meta[k].help);
            jsonw_kstr(&w, "unit", meta[k].unit);
            jsonw_end(&w);
        }
        map_deinit(&names);
    }
    jsonw_end(&w);
    prom_end(res, NULL);
    return true;
}

void prom_targets_metadata(void *self, struct http_req *r, struct http_res *res) {
    struct err err = {0};
    if (!targets_metadata(self, r, res, &err))
        prom_fail(r, res, &err);
}
