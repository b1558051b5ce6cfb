/* /-/healthy, /-/ready, /-/reload, /metrics. */
#include "api/api_int.h"

#include "base/stats.h"

static void text(struct http_req *r, struct http_res *res, int status, const char *line) {
    res->status = status;
    http_res_header(r, res, "Content-Type", STR("text/plain; charset=utf-8"));
    buf_putz(&res->body, line);
}

void ops_healthy(void *self, struct http_req *r, struct http_res *res) {
    (void)self;
    text(r, res, 200, "hinomi is healthy.\n");
}

void ops_ready(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    if (atomic_load(&api->stopping))
        (void)err_set(&err, ERR_UNAVAILABLE, "hinomi is stopping");
    else if (!api->d.app.ready || api->d.app.ready(api->d.app.self, &err)) {
        text(r, res, 200, "hinomi is ready.\n");
        return;
    }
    text(r, res, 503, err.message);
    buf_putc(&res->body, '\n');
    http_res_header(r, res, "Retry-After", STR("1"));
}

void ops_reload(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    if (!api->d.app.reload) {
        api_missing(r, res, "reloading");
        return;
    }
    bool ok = api->d.app.reload(api->d.app.self, &err);
    door_audit(api, r, "config.reload", STR(""), ok ? STR("") : str_from(err.message));
    if (ok)
        text(r, res, 200, "");
    else
        http_res_error(r, res, &err);
}

/* ---- /metrics ---- */

struct page {
    struct buf *b;
    bool openmetrics; /* there a counter's family is named without the samples' _total */
};

static void metric(struct page *p, const char *name, const char *kind, const char *help, double v) {
    struct str family = str_from(name);
    if (p->openmetrics && strcmp(kind, "counter") == 0 && str_ends(family, STR("_total")))
        family = str_sub(family, 0, family.n - 6);
    buf_printf(p->b, "# HELP %.*s %s\n# TYPE %.*s %s\n%s ", STR_FMT(family), help, STR_FMT(family),
               kind, name);
    buf_f64_g(p->b, v);
    buf_putc(p->b, '\n');
}

static void metric_known(struct page *p, const char *name, const char *kind, const char *help,
                         int64_t v, double scale) {
    if (v != OVERVIEW_UNKNOWN)
        metric(p, name, kind, help, (double)v * scale);
}

static void put_process(struct page *b) {
    struct process_facts p;
    process_facts_read(&p);
    metric(b, "process_cpu_seconds_total", "counter",
           "Total user and system CPU time spent in seconds.", p.cpu_s);
    metric_known(b, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
                 p.rss_bytes, 1);
    metric_known(b, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
                 p.virtual_bytes, 1);
    metric_known(b, "process_open_fds", "gauge", "Number of open file descriptors.", p.open_fds, 1);
    metric_known(b, "process_max_fds", "gauge", "Maximum number of open file descriptors.",
                 p.max_fds, 1);
    metric_known(b, "process_threads", "gauge", "Number of threads.", p.threads, 1);
    metric_known(b, "process_start_time_seconds", "gauge",
                 "Start time of the process since unix epoch in seconds.", p.start_ms, 1e-3);
}

/* Whether the scraper names OpenMetrics as something that it takes (q=0: it does not). */
static bool wants_openmetrics(const struct http_req *r) {
    struct str rest = http_req_header(r, "accept"), item, part;
    while (str_next(&rest, ',', &item)) {
        double q = 1;
        (void)str_next(&item, ';', &part);
        bool named = str_eq_nocase(str_trim(part), STR("application/openmetrics-text"));
        while (named && str_next(&item, ';', &part)) {
            part = str_trim(part);
            if (str_starts(part, STR("q=")) && !str_to_f64(str_from_offset(part, 2), &q))
                q = 0;
        }
        if (named && q > 0)
            return true;
    }
    return false;
}

void ops_metrics(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct page p = {&res->body, wants_openmetrics(r)};
    http_res_header(r, res, "Content-Type",
                    p.openmetrics
                        ? STR("application/openmetrics-text; version=1.0.0; charset=utf-8")
                        : STR("text/plain; version=0.0.4; charset=utf-8"));
    buf_printf(p.b,
               "# HELP hinomi_build_info Constant 1, labelled with version and revision.\n# TYPE "
               "hinomi_build_info gauge\n"
               "hinomi_build_info{version=\"" HINOMI_VERSION "\",revision=\"%s\"} 1\n",
               api->d.revision ? api->d.revision : "");
    for (int i = 0; i < STAT_COUNT; i++) {
        const struct stat_info *s = stats_info((enum stat_id)i);
        metric(&p, s->name, s->kind, s->help,
               (double)atomic_load_explicit(&stat_values[i], memory_order_relaxed));
    }
    put_process(&p);
    if (p.openmetrics)
        buf_putz(p.b, "# EOF\n");
}
