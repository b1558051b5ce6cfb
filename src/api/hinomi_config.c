/* config, config/check, config/export, status. */
#include "api/api_int.h"

#include "base/stats.h"
#include "os/file.h"

#include <math.h>
#include <stdlib.h>

/* ---- configuration ---- */

static void put_diag(struct jsonw *w, const struct conf_diag *d) {
    jsonw_object(w);
    jsonw_kz(w, "level", d->warning ? "warning" : "error");
    jsonw_kstr_or_null(w, "file", str_from(d->file));
    jsonw_kms(w, "line", d->line ? (int64_t)d->line : OVERVIEW_UNKNOWN);
    jsonw_kms(w, "column", d->column ? (int64_t)d->column : OVERVIEW_UNKNOWN);
    jsonw_kz(w, "message", d->message ? d->message : "");
    jsonw_kz(w, "hint", NULL);
    jsonw_end(w);
}

void hinomi_config(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct api_config *c = ARENA_NEW(r->arena, struct api_config);
    if (!api->d.app.config || !c) {
        api_missing(r, res, "the configuration");
        return;
    }
    if (!api->d.app.config(api->d.app.self, r->arena, c, &err)) {
        http_res_error(r, res, &err);
        return;
    }
    api_json(r, res, 200);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_kstr(&w, "yaml", c->yaml);
    jsonw_karray(&w, "files");
    for (size_t i = 0; i < c->n_files; i++)
        jsonw_str(&w, c->files[i]);
    jsonw_end(&w);
    jsonw_ki64(&w, "loaded_ms", c->loaded_ms);
    jsonw_kknown(&w, "last_reload_ok", c->last_reload_ok);
    jsonw_kms(&w, "last_reload_ms", c->last_reload_ms);
    jsonw_key(&w, "last_reload_error");
    if (c->last_reload_error)
        put_diag(&w, c->last_reload_error);
    else
        jsonw_null(&w);
    jsonw_karray(&w, "parts");
    for (size_t i = 0; i < c->n_parts; i++) {
        const struct api_config_part *p = &c->parts[i];
        jsonw_object(&w);
        jsonw_kstr(&w, "path", p->path);
        jsonw_key(&w, "value");
        if (p->value.p)
            jsonw_str(&w, p->value);
        else
            jsonw_null(&w);
        jsonw_kstr(&w, "origin", p->origin);
        jsonw_kstr_or_null(&w, "file", p->file);
        jsonw_kms(&w, "line", p->line ? (int64_t)p->line : OVERVIEW_UNKNOWN);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    jsonw_end(&w);
}

void hinomi_config_check(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct conf_diags d = {.arena = r->arena};
    if (!api->d.app.config_check) {
        api_missing(r, res, "the configuration check");
        return;
    }
    if (!api->d.app.config_check(api->d.app.self, r->body, r->arena, &d, &err)) {
        http_res_error(r, res, &err);
        return;
    }
    bool valid = true;
    for (size_t i = 0; i < d.n; i++)
        valid = valid && d.v[i].warning;
    api_json(r, res, 200);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_kbool(&w, "valid", valid);
    jsonw_karray(&w, "diagnostics");
    for (size_t i = 0; i < d.n; i++)
        put_diag(&w, &d.v[i]);
    jsonw_end(&w);
    jsonw_end(&w);
}

void hinomi_config_export(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    if (!api->d.app.config_export)
        api_missing(r, res, "the export");
    else if (api->d.app.config_export(api->d.app.self, &res->body, &err))
        http_res_header(r, res, "Content-Type", STR("application/yaml"));
    else
        http_res_error(r, res, &err);
}

/* ---- status ---- */

/* Samples a second over the last RATE_WINDOW_MS or more, at first since the start; NaN: too early
 * to tell. */
enum { RATE_WINDOW_MS = 5000 };
static double sample_rate(struct api *api, int64_t total) {
    int64_t now = clock_mono_ms(api->d.clock);
    mutex_lock(&api->rate_lock);
    struct rate *x = &api->rate;
    if (x->at_ms == 0) {
        int64_t up_ms = clock_wall_ms(api->d.clock) - api->d.started_ms;
        *x = (struct rate){.at_ms = now,
                           .total = total,
                           .per_s =
                               up_ms >= 1000 ? (double)total * 1000 / (double)up_ms : (double)NAN};
    } else if (now - x->at_ms >= RATE_WINDOW_MS) {
        *x = (struct rate){.at_ms = now,
                           .total = total,
                           .per_s = (double)(total - x->total) * 1000 / (double)(now - x->at_ms)};
    }
    double v = x->per_s;
    mutex_unlock(&api->rate_lock);
    return v;
}

static void put_process(struct jsonw *w, double uptime_s) {
    struct process_facts p;
    process_facts_read(&p);
    jsonw_kobject(w, "process");
    jsonw_kf64(w, "cpu_ratio", uptime_s > 0 ? p.cpu_s / uptime_s : (double)NAN);
    jsonw_kms(w, "rss_bytes", p.rss_bytes);
    jsonw_kms(w, "open_files", p.open_fds);
    jsonw_kms(w, "threads", p.threads);
    jsonw_end(w);
}

static int64_t or_unknown(bool known, uint64_t v) {
    return known && v <= INT64_MAX ? (int64_t)v : OVERVIEW_UNKNOWN;
}

static void put_store(struct api *api, struct http_req *r, struct jsonw *w) {
    struct series_stats *s = ARENA_NEW(r->arena, struct series_stats), none = {0};
    bool known = s && api->d.series && series_get_stats(api->d.series, r->arena, s, NULL);
    if (!s)
        s = &none;
    int64_t total = STAT_GET(hinomi_samples_appended_total);
    bool any = known && s->samples_total > 0;
    jsonw_kobject(w, "store");
    jsonw_kms(w, "series", or_unknown(known, s->head_series));
    jsonw_kf64(w, "samples_per_s", sample_rate(api, total));
    jsonw_ki64(w, "samples_total", total);
    jsonw_kms(w, "head_min_ms", any ? s->min_ts_ms : OVERVIEW_UNKNOWN);
    jsonw_kms(w, "head_max_ms", any ? s->max_ts_ms : OVERVIEW_UNKNOWN);
    jsonw_kms(w, "blocks", or_unknown(known, s->blocks));
    jsonw_kms(w, "blocks_bytes",
              or_unknown(known, s->disk_bytes > s->wal_bytes ? s->disk_bytes - s->wal_bytes : 0));
    jsonw_kms(w, "oldest_ms", any ? s->min_ts_ms : OVERVIEW_UNKNOWN);
    jsonw_kf64(w, "retention_seconds",
               api->d.retention_ms ? (double)api->d.retention_ms / 1000 : (double)NAN);
    jsonw_kms(w, "wal_bytes", or_unknown(known, s->wal_bytes));
    bool synced = known && s->wal_synced_ms;
    jsonw_kms(w, "wal_last_fsync_ms", synced ? s->wal_synced_ms : OVERVIEW_UNKNOWN);
    jsonw_kf64(w, "wal_fsync_seconds", synced ? (double)s->wal_sync_ns / 1e9 : (double)NAN);
    jsonw_kz(w, "wal_error",
             STAT_GET(hinomi_wal_fsync_failures_total)
                 ? "commits of the log have failed since the start"
                 : NULL);
    jsonw_ki64(w, "quarantined", STAT_GET(hinomi_series_quarantined_total));
    jsonw_end(w);
}

/* Of the file system that holds the data folder: the mount with the longest common path. NaN:
 * unknown. */
static double days_to_full(struct api *api, struct arena *a) {
    struct overview *o = ARENA_NEW(a, struct overview);
    char *path = api->d.data_dir ? realpath(api->d.data_dir, NULL) : NULL;
    double days = (double)NAN;
    size_t best = 0;
    if (o && path && api->d.collect) {
        overview_init(o, clock_wall_ms(api->d.clock));
        if (!collect_overview(api->d.collect, a, o))
            o->n_filesystems = 0;
    }
    for (size_t i = 0; o && path && i < o->n_filesystems; i++) {
        struct str mount = o->filesystems[i].mountpoint;
        bool below = str_starts(str_from(path), mount) &&
                     (mount.n == 1 || path[mount.n] == '/' || path[mount.n] == 0);
        if (below && mount.n > best) {
            best = mount.n;
            days = o->filesystems[i].days_to_full;
        }
    }
    free(path);
    return days;
}

static void put_disk(struct api *api, struct http_req *r, struct jsonw *w) {
    struct fs_info fs = {0};
    bool known = api->d.data_dir && file_fs_info(api->d.data_dir, &fs, NULL);
    jsonw_kobject(w, "disk");
    jsonw_kms(w, "size_bytes", or_unknown(known, fs.total_bytes));
    jsonw_kms(w, "available_bytes", or_unknown(known, fs.avail_bytes));
    jsonw_kf64(w, "days_to_full", days_to_full(api, r->arena));
    jsonw_end(w);
}

static void put_queues(struct api *api, struct jsonw *w) {
    struct api_queue q[64];
    size_t n = api->d.app.queues ? api->d.app.queues(api->d.app.self, q, 64) : 0;
    jsonw_karray(w, "queues");
    for (size_t i = 0; i < n; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "name", q[i].name);
        jsonw_ki64(w, "length", q[i].length);
        jsonw_ki64(w, "capacity", q[i].capacity);
        jsonw_ki64(w, "dropped_total", q[i].dropped);
        jsonw_end(w);
    }
    jsonw_end(w);
}

struct hit { /* of the store's or the scrapes' limits, in one form */
    struct str limit, source, metric, label;
    double value, maximum;
    uint64_t rejected;
    int64_t last_ms;
};

static int newest_first(const void *a, const void *b) {
    const struct hit *x = a, *y = b;
    return x->last_ms > y->last_ms ? -1 : x->last_ms < y->last_ms;
}

static struct hit *gather_hits(struct api *api, struct http_req *r, size_t *out_n) {
    struct series_limit_hit *v = NULL;
    struct guard_hit *g = NULL;
    size_t n = 0, n_guard = 0, k = 0;
    if (api->d.series && !series_limit_hits(api->d.series, r->arena, &v, &n, NULL))
        n = 0;
    if (api->d.ingest && !ingest_limit_hits(api->d.ingest, r->arena, &g, &n_guard, NULL))
        n_guard = 0;
    struct hit *all = ARENA_ARRAY(r->arena, struct hit, n + n_guard + 1);
    for (size_t i = 0; all && i < n; i++)
        all[k++] = (struct hit){v[i].limit,  v[i].source, v[i].metric,          v[i].label,
                                (double)NAN, (double)NAN, v[i].refused_samples, v[i].last_ms};
    for (size_t i = 0; all && i < n_guard; i++)
        all[k++] = (struct hit){g[i].limit == GUARD_LIMIT_METRIC ? STR("series_per_metric")
                                                                 : STR("series_per_source"),
                                g[i].source,
                                g[i].metric,
                                g[i].label,
                                g[i].series,
                                g[i].series_max,
                                g[i].refused_samples,
                                g[i].last_ms};
    if (k)
        qsort(all, k, sizeof(*all), newest_first);
    *out_n = k;
    return all;
}

static void put_limits(struct api *api, struct http_req *r, struct jsonw *w) {
    size_t n;
    const struct hit *v = gather_hits(api, r, &n);
    jsonw_karray(w, "limits");
    for (size_t i = 0; i < n; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "limit", v[i].limit);
        jsonw_kstr_or_null(w, "source", v[i].source);
        jsonw_kstr_or_null(w, "metric", v[i].metric);
        jsonw_kstr_or_null(w, "label", v[i].label);
        jsonw_kf64(w, "value", v[i].value);
        jsonw_kf64(w, "maximum", v[i].maximum);
        jsonw_ku64(w, "rejected_total", v[i].rejected);
        jsonw_ki64(w, "last_ms", v[i].last_ms);
        jsonw_end(w);
    }
    jsonw_end(w);
}

void hinomi_status(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    const struct api_deps *d = &api->d;
    int64_t now = clock_wall_ms(d->clock);
    double uptime_s = (double)(now - d->started_ms) / 1000;
    api_json(r, res, 200);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_kz(&w, "version", HINOMI_VERSION);
    jsonw_kz(&w, "revision", d->revision && d->revision[0] ? d->revision : NULL);
    jsonw_kz(&w, "built", "C17, compiler " __VERSION__);
    jsonw_ki64(&w, "started_ms", d->started_ms);
    jsonw_ki64(&w, "now_ms", now);
    jsonw_kf64(&w, "uptime_seconds", uptime_s);
    jsonw_karray(&w, "listen");
    for (size_t i = 0; i < d->n_listen; i++)
        jsonw_z(&w, d->listen[i]);
    jsonw_end(&w);
    jsonw_kz(&w, "data_dir", d->data_dir ? d->data_dir : "");
    put_process(&w, uptime_s);
    put_store(api, r, &w);
    put_disk(api, r, &w);
    put_queues(api, &w);
    put_limits(api, r, &w);
    jsonw_end(&w);
}
