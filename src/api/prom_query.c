/* /api/v1/query, query_range, query_exemplars, format_query, parse_query; and selectors (match[])
 * for the handlers in prom_meta.c. Source:
 * https://prometheus.io/docs/prometheus/latest/querying/api/ */
#include "api/api_int.h"

#include "base/limits.h"
#include "base/stats.h"

#include <stdio.h>

struct query {
    struct str text;
    int64_t start_ms, end_ms, step_ms; /* step_ms 0: instant */
    int64_t timeout_ms, lookback_ms;
    size_t limit;
    struct str stats;
    const struct promql_expr *expr;
    int64_t parse_us, eval_us;
};

static int64_t mono_us(const struct api *api) {
    return api->d.clock->mono(api->d.clock->self).ns / 1000;
}
static int64_t clock_ms(void *arg) {
    return clock_mono_ms(arg);
}

static bool parse(struct api *api, struct http_req *r, struct query *q, struct err *err) {
    int64_t t0 = mono_us(api);
    q->text = prom_param(r, "query");
    if (q->text.n > LIMIT_QUERY_BYTES) {
        (void)err_set(err, ERR_BAD_INPUT, "the query has %zu bytes, more than the limit of %u",
                      q->text.n, LIMIT_QUERY_BYTES);
        return prom_invalid(r, "query", err);
    }
    q->expr = promql_parse(q->text, api->d.promql_features, r->arena, err);
    q->parse_us = mono_us(api) - t0;
    return q->expr || prom_invalid(r, "query", err);
}

/* timeout, lookback_delta, stats */
static bool options(struct api *api, struct http_req *r, struct query *q, struct err *err) {
    q->timeout_ms = api->d.query_timeout_ms ? api->d.query_timeout_ms : LIMIT_QUERY_TIMEOUT_MS;
    struct str s = prom_param(r, "timeout");
    int64_t ms;
    if (s.n) {
        if (!prom_duration(r, s, &ms, err))
            return prom_invalid(r, "timeout", err);
        if (ms < q->timeout_ms)
            q->timeout_ms = ms;
    }
    q->lookback_ms = api->d.lookback_ms;
    s = prom_param(r, "lookback_delta");
    if (s.n) {
        if (!prom_duration(r, s, &ms, err))
            return err_prefix(err, "error parsing lookback delta duration");
        if (ms > 0)
            q->lookback_ms = ms;
    }
    q->stats = prom_param(r, "stats");
    return true;
}

static void put_stats(struct buf *b, const struct query *q, const struct promql_result *res) {
    buf_printf(b,
               ",\"stats\":{\"timings\":{\"evalTotalTime\":%.6f,\"resultSortTime\":0,"
               "\"queryPreparationTime\":%.6f,"
               "\"innerEvalTime\":%.6f,\"execQueueTime\":0,\"execTotalTime\":%.6f},"
               "\"samples\":{\"totalQueryableSamples\":%llu,\"peakSamples\":%llu}}",
               (double)q->eval_us / 1e6, (double)q->parse_us / 1e6, (double)q->eval_us / 1e6,
               (double)(q->eval_us + q->parse_us) / 1e6, (unsigned long long)res->samples_read,
               (unsigned long long)res->peak_samples);
}

static bool run(struct api *api, struct http_req *r, struct http_res *res, struct query *q,
                struct err *err) {
    if (!api->d.reader.ops)
        return err_set(err, ERR_UNAVAILABLE, "the series store is not open yet");
    struct promql_options o = {.features = api->d.promql_features,
                               .lookback_ms = q->lookback_ms,
                               .samples_max = api->d.query_samples_max,
                               .memory_max = api->d.query_memory_max,
                               .canceled = &r->canceled,
                               .mono_ms = clock_ms,
                               .mono_arg = (void *)(uintptr_t)api->d.clock,
                               .deadline_mono_ms = clock_mono_ms(api->d.clock) + q->timeout_ms};
    STAT_ADD(hinomi_queries_total, 1);
    struct promql_result out = {0};
    int64_t t0 = mono_us(api);
    if (!promql_eval(q->expr, &api->d.reader, q->start_ms, q->end_ms, q->step_ms, &o, &out, err)) {
        STAT_ADD(hinomi_query_failures_total, 1);
        return false;
    }
    q->eval_us = mono_us(api) - t0;
    bool truncated;
    prom_begin(r, res);
    buf_putc(&res->body, '{');
    prom_json_result(&res->body, &out, q->limit, &truncated);
    if (q->stats.n)
        put_stats(&res->body, q, &out);
    buf_putc(&res->body, '}');
    prom_end(res, &(struct prom_extra){.notes = &out.notes,
                                       .warning = truncated ? PROM_TRUNCATED : NULL});
    promql_result_deinit(&out);
    return true;
}

static bool instant(struct api *api, struct http_req *r, struct http_res *res, struct err *err) {
    struct query q = {0};
    if (!prom_limit(r, &q.limit, err) ||
        !prom_time_param(r, "time", clock_wall_ms(api->d.clock), &q.start_ms, err) ||
        !options(api, r, &q, err) || !parse(api, r, &q, err))
        return false;
    q.end_ms = q.start_ms;
    return run(api, r, res, &q, err);
}

void prom_query(void *self, struct http_req *r, struct http_res *res) {
    struct err err = {0};
    if (!instant(self, r, res, &err))
        prom_fail(r, res, &err);
}

static bool range(struct api *api, struct http_req *r, struct http_res *res, struct err *err) {
    struct query q = {0};
    if (!prom_limit(r, &q.limit, err))
        return false;
    if (!prom_time(r, prom_param(r, "start"), &q.start_ms, err))
        return prom_invalid(r, "start", err);
    if (!prom_time(r, prom_param(r, "end"), &q.end_ms, err))
        return prom_invalid(r, "end", err);
    if (q.end_ms < q.start_ms) {
        (void)err_set(err, ERR_BAD_INPUT, "end timestamp must not be before start time");
        return prom_invalid(r, "end", err);
    }
    if (!prom_duration(r, prom_param(r, "step"), &q.step_ms, err))
        return prom_invalid(r, "step", err);
    if (q.step_ms <= 0) {
        (void)err_set(err, ERR_BAD_INPUT,
                      "zero or negative query resolution step widths are not accepted. Try a "
                      "positive integer");
        return prom_invalid(r, "step", err);
    }
    if ((q.end_ms - q.start_ms) / q.step_ms > LIMIT_QUERY_POINTS_PER_SERIES)
        return err_set(
            err, ERR_BAD_INPUT,
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
            "resolution (?step=XX)");
    if (!options(api, r, &q, err) || !parse(api, r, &q, err))
        return false;
    enum promql_value_type t = promql_type(q.expr);
    if (t != PROMQL_VECTOR && t != PROMQL_SCALAR) {
        (void)err_set(
            err, ERR_BAD_INPUT,
            "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
            t == PROMQL_MATRIX ? "range vector" : "string");
        return prom_invalid(r, "query", err);
    }
    return run(api, r, res, &q, err);
}

void prom_query_range(void *self, struct http_req *r, struct http_res *res) {
    struct err err = {0};
    if (!range(self, r, res, &err))
        prom_fail(r, res, &err);
}

/* hinomi keeps no exemplars: the answer is valid and empty, but bad queries are told. */
void prom_query_exemplars(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct query q = {0};
    if (!prom_time_param(r, "start", 0, &q.start_ms, &err) ||
        !prom_time_param(r, "end", 0, &q.end_ms, &err) || !parse(api, r, &q, &err)) {
        prom_fail(r, res, &err);
        return;
    }
    prom_begin(r, res);
    buf_putz(&res->body, "[]");
    prom_end(res, NULL);
}

void prom_format_query(void *self, struct http_req *r, struct http_res *res) {
    struct err err = {0};
    struct query q = {0};
    if (!parse(self, r, &q, &err)) {
        prom_fail(r, res, &err);
        return;
    }
    struct buf b = BUF_INIT;
    promql_pretty(q.expr, &b);
    prom_begin(r, res);
    jsonw_quote(&res->body, buf_view(&b));
    prom_end(res, NULL);
    buf_deinit(&b);
}

void prom_parse_query(void *self, struct http_req *r, struct http_res *res) {
    struct err err = {0};
    struct query q = {0};
    if (!parse(self, r, &q, &err)) {
        prom_fail(r, res, &err);
        return;
    }
    prom_begin(r, res);
    promql_ast_json(q.expr, &res->body);
    prom_end(res, NULL);
}

/* ---- selectors ---- */

struct taken {
    struct prom_selector s;
    size_t count;
    bool range;
};

static void take(void *arg, const struct matcher *m, size_t n, int64_t range_ms) {
    struct taken *t = arg;
    t->s.m = (struct matcher *)(uintptr_t)m;
    t->s.n = n;
    t->count++;
    t->range |= range_ms > 0;
}

/* Whether a canonical print is a selector alone: name{...}, name or {...}, with nothing around it.
 */
static bool is_selector(struct str s) {
    size_t i = 0;
    while (i < s.n && s.p[i] != '{' && s.p[i] != ' ' && s.p[i] != '(' && s.p[i] != '[')
        i++;
    if (i == s.n)
        return i > 0 && s.p[0] != '-' && s.p[0] != '+';
    if (s.p[i] != '{')
        return false;
    char quote = 0;
    for (i++; i < s.n; i++) {
        char c = s.p[i];
        if (quote && c == '\\')
            i++;
        else if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'' || c == '`')
            quote = c;
        else if (c == '}')
            return i + 1 == s.n;
    }
    return false;
}

bool prom_selector_parse(struct api *api, struct http_req *r, struct str text,
                         struct prom_selector *out, struct err *err) {
    struct err e = {0};
    const struct promql_expr *x = promql_parse(text, api->d.promql_features, r->arena, &e);
    if (!x && strstr(e.message, "at least one non-empty matcher"))
        return err_set(err, ERR_BAD_INPUT, "match[] must contain at least one non-empty matcher");
    if (!x) {
        if (err)
            *err = e;
        return false;
    }
    struct taken t = {0};
    promql_selectors(x, take, &t);
    struct buf b = BUF_INIT;
    promql_print(x, &b);
    bool alone =
        t.count == 1 && !t.range && promql_type(x) == PROMQL_VECTOR && is_selector(buf_view(&b));
    buf_deinit(&b);
    if (!alone)
        return err_set(err, ERR_BAD_INPUT,
                       "%.*s is an expression; expected a selector such as up{job=\"node\"}",
                       STR_FMT(prom_quoted(r, text)));
    *out = t.s;
    return true;
}

bool prom_selectors(struct api *api, struct http_req *r, const char *name,
                    struct prom_selector **out, size_t *out_n, struct err *err) {
    struct str text;
    size_t n = 0;
    while (http_req_param(r, name, n, &text))
        n++;
    struct prom_selector *v = ARENA_ARRAY(r->arena, struct prom_selector, n ? n : 1);
    if (!v)
        return arena_err(r->arena, err);
    for (size_t i = 0; i < n; i++)
        if (!http_req_param(r, name, i, &text) || !prom_selector_parse(api, r, text, &v[i], err))
            return false;
    *out = v;
    *out_n = n;
    return true;
}
