/* What all handlers of the Prometheus API share: parameters, envelopes, errors. The texts are those
 * that Prometheus answers, since clients show and match them. */
#include "api/api_int.h"

#include <math.h>
#include <stdio.h>

void prom_begin(struct http_req *r, struct http_res *res) {
    http_res_header(r, res, "Content-Type", STR("application/json"));
    buf_putz(&res->body, "{\"status\":\"success\",\"data\":");
}

enum { NOTES_MAX = 10 };

static void notes_list(struct buf *b, const char *key, const char *kind, const struct str *v,
                       size_t n, const char *more1, const char *more2) {
    if (n == 0 && !more1 && !more2)
        return;
    buf_printf(b, ",\"%s\":[", key);
    size_t shown = n > NOTES_MAX ? NOTES_MAX : n, items = 0;
    for (size_t i = 0; i < shown; i++) {
        if (items++)
            buf_putc(b, ',');
        jsonw_quote(b, v[i]);
    }
    const char *more[] = {more1, more2};
    for (int i = 0; i < 2; i++) {
        if (!more[i])
            continue;
        if (items++)
            buf_putc(b, ',');
        jsonw_quote(b, str_from(more[i]));
    }
    if (n > shown)
        buf_printf(b, ",\"%zu more %s annotations omitted\"", n - shown, kind);
    buf_putc(b, ']');
}

void prom_end(struct http_res *res, const struct prom_extra *extra) {
    struct buf *b = &res->body;
    if (extra) {
        const struct promql_notes *n = extra->notes;
        notes_list(b, "warnings", "warning", n ? n->warnings : NULL, n ? n->n_warnings : 0,
                   extra->warning, extra->warning2);
        notes_list(b, "infos", "info", n ? n->infos : NULL, n ? n->n_infos : 0, NULL, NULL);
    }
    buf_putc(b, '}');
}

void prom_fail(struct http_req *r, struct http_res *res, const struct err *err) {
    struct buf *b = &res->body;
    buf_reset(b);
    res->status = err_http_status(err->code);
    http_res_header(r, res, "Content-Type", STR("application/json"));
    buf_printf(b,
               "{\"status\":\"error\",\"errorType\":\"%s\",\"error\":", err_prom_type(err->code));
    jsonw_quote(b, str_from(err->message));
    buf_putc(b, '}');
    if (err->code == ERR_LIMITED || err->code == ERR_UNAVAILABLE)
        http_res_header(r, res, "Retry-After", STR("2"));
}

struct str prom_param(struct http_req *r, const char *name) {
    struct str s;
    return http_req_param(r, name, 0, &s) ? s : STR("");
}

struct str prom_quoted(struct http_req *r, struct str s) {
    struct buf b = BUF_INIT;
    s = str_sub(s, 0, 200);
    jsonw_quote(&b, s);
    struct str out = arena_str(r->arena, buf_view(&b));
    buf_deinit(&b);
    return out;
}

bool prom_invalid(struct http_req *r, const char *name, struct err *err) {
    (void)r;
    return err_prefix(err, "invalid parameter \"%s\"", name);
}

bool prom_limit(struct http_req *r, size_t *out, struct err *err) {
    struct str s = prom_param(r, "limit");
    int64_t v = 0;
    if (s.n && !str_to_i64(s, &v)) {
        (void)err_set(err, ERR_BAD_INPUT, "strconv.Atoi: parsing %.*s: invalid syntax",
                      STR_FMT(prom_quoted(r, s)));
        return prom_invalid(r, "limit", err);
    }
    if (v < 0) {
        (void)err_set(err, ERR_BAD_INPUT, "limit must be non-negative");
        return prom_invalid(r, "limit", err);
    }
    *out = (size_t)v;
    return true;
}

bool prom_time(struct http_req *r, struct str s, int64_t *out_ms, struct err *err) {
    int64_t ms;
    if (!time_parse_api(s, &ms, NULL))
        return err_set(err, ERR_BAD_INPUT, "cannot parse %.*s to a valid timestamp",
                       STR_FMT(prom_quoted(r, s)));
    *out_ms = ms < PROM_TIME_MIN ? PROM_TIME_MIN : ms > PROM_TIME_MAX ? PROM_TIME_MAX : ms;
    return true;
}

bool prom_time_param(struct http_req *r, const char *name, int64_t def, int64_t *out_ms,
                     struct err *err) {
    struct str s = prom_param(r, name);
    if (s.n == 0) {
        *out_ms = def;
        return true;
    }
    if (prom_time(r, s, out_ms, err))
        return true;
    (void)err_prefix(err, "invalid time value for '%s'", name);
    return prom_invalid(r, name, err);
}

bool prom_duration(struct http_req *r, struct str s, int64_t *out_ms, struct err *err) {
    double v;
    if (str_to_f64(s, &v)) {
        if (!(fabs(v) < 9223372036.0))
            return err_set(err, ERR_BAD_INPUT,
                           "cannot parse %.*s to a valid duration. It overflows int64",
                           STR_FMT(prom_quoted(r, s)));
        *out_ms = (int64_t)(v * 1000);
        return true;
    }
    if (s.n && duration_parse(s, out_ms, NULL))
        return true;
    return err_set(err, ERR_BAD_INPUT, "cannot parse %.*s to a valid duration",
                   STR_FMT(prom_quoted(r, s)));
}
