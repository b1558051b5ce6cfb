/* What clients see: shapes of answers and errors, the Prometheus API's parameters, remote_write,
 * the screen's files, the overview's stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_int.h"
#include "api/api_testlib.h"
#include "base/stats.h"
#include "codec/jsonr.h"
#include "codec/promtext.h"
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define END_MS INT64_C(1700000000000)

enum { SLOW_POINTS = 20000 };

static struct t_api t;

static int setup(void **state) {
    (void)state;
    t_api_open(&t);
    t_api_start(&t);
    t_fill(&t, "m", 3, 100, END_MS);
    t_fill(&t, "s", 3, SLOW_POINTS, END_MS);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    t_api_stop(&t);
    return 0;
}

static void expect_get(const char *path, int status, const char *has) {
    struct t_answer a;
    t_get(&t, path, &a);
    if (a.status != status || (has && !t_has(&a, has)))
        fail_msg("%s: %d %.*s\nexpected %d with %s", path, a.status, STR_FMT(buf_view(&a.body)),
                 status, has ? has : "anything");
    t_answer_deinit(&a);
}

static void expect_json(const struct t_answer *a) {
    struct err err = {0};
    struct jsonr_doc *doc = jsonr_parse(buf_view(&a->body), &err);
    if (!doc)
        fail_msg("%s: %.*s", err.message, STR_FMT(buf_view(&a->body)));
    jsonr_free(doc);
}

/* ---- forms ---- */

static void test_every_get_is_json(void **state) {
    (void)state;
    for (size_t i = 0; i < t.api->n_routes; i++) {
        const struct http_route *r = &t.api->routes[i];
        struct t_answer a;
        if (strcmp(r->method, "GET") != 0 || !str_starts(str_from(r->path), STR("/api/")) ||
            strchr(r->path, ':') || strstr(r->path, "/stream") || strstr(r->path, "/export"))
            continue;
        t_get(&t, r->path, &a);
        assert_true(str_starts(t_header(&a, "content-type"), STR("application/json")));
        assert_true(t_has_header(&a, "x-content-type-options", "nosniff"));
        assert_true(t_has_header(&a, "cache-control", "no-store"));
        assert_non_null(t_header(&a, "content-security-policy").p);
        expect_json(&a);
        if (a.status != 200) /* a parameter is missing */
            assert_true(t_has(&a, str_starts(str_from(r->path), STR("/api/v1/"))
                                      ? "\"errorType\":\"bad_data\""
                                      : "\"code\""));
        else if (str_starts(str_from(r->path), STR("/api/v1/")))
            assert_true(t_has(&a, "{\"status\":\"success\",\"data\":"));
        t_answer_deinit(&a);
    }
}

static void test_without_its_parts(void **state) {
    (void)state;
    static struct t_api bare; /* outlives a failed assertion */
    t_api_open(&bare);
    bare.deps.reader.ops = NULL;
    bare.deps.series = NULL;
    bare.deps.collect = NULL;
    bare.deps.rules = NULL;
    bare.deps.notify = NULL;
    bare.deps.agents = NULL;
    bare.deps.inventory = NULL;
    bare.deps.ingest = NULL;
    bare.deps.app = (struct api_app){0};
    bare.deps.n_assets = 0;
    t_api_start(&bare);
    for (size_t i = 0; i < bare.api->n_routes; i++) {
        const struct http_route *r = &bare.api->routes[i];
        struct t_answer a;
        if (r->access == API_ACCESS_OWN || strstr(r->path, "/stream"))
            continue;
        t_ask(&bare, r->method, r->path, "Content-Type: application/json\r\n",
              strcmp(r->method, "GET") == 0 ? STR("") : STR("{}"), &a);
        if (a.status == 0 || a.status == 500)
            fail_msg("%s %s: %d %.*s", r->method, r->path, a.status, STR_FMT(buf_view(&a.body)));
        if (a.status == 503)
            assert_non_null(t_header(&a, "retry-after").p);
        t_answer_deinit(&a);
    }
    t_api_stop(&bare);
}

static void test_head(void **state) {
    (void)state;
    static const char *const paths[] = {"/", "/-/healthy", "/api/hinomi/status", "/metrics",
                                        "/api/v1/query?query=1"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct t_answer a;
        int64_t n = 0;
        t_ask(&t, "HEAD", paths[i], NULL, STR(""), &a);
        assert_int_equal(a.status, 200);
        assert_true(str_to_i64(t_header(&a, "content-length"), &n) && n > 0);
        assert_int_equal(a.body.n, 0);
        t_answer_deinit(&a);
    }
}

static void test_gzip(void **state) {
    (void)state;
    struct t_answer a;
    /* From another machine (here: through a proxy) what is large is packed. */
    t_ask(&t, "GET", "/metrics", "Accept-Encoding: gzip\r\n", STR(""), &a);
    assert_null(t_header(&a, "content-encoding").p);
    assert_true(t_has_header(&a, "vary", "Accept-Encoding") || a.body.n < 1400);
    t_answer_deinit(&a);
    t_ask(&t, "GET", "/", "Accept-Encoding: gzip\r\nVia: 1.1 p\r\n", STR(""), &a);
    assert_int_equal(a.status, 200);
    t_answer_deinit(&a);
    t_ask(&t, "GET", "/assets/x.js", "Accept-Encoding: br, gzip;q=0.5\r\n", STR(""), &a);
    assert_true(t_has_header(&a, "content-encoding", "gzip"));
    assert_true(t_has(&a, "GZIPPED"));
    t_answer_deinit(&a);
    t_ask(&t, "GET", "/assets/x.js", "Accept-Encoding: gzip;q=0\r\n", STR(""), &a);
    assert_null(t_header(&a, "content-encoding").p);
    t_answer_deinit(&a);
}

static void test_screen(void **state) {
    (void)state;
    struct t_answer a;
    t_get(&t, "/ring/alerts", &a); /* a page of the application */
    assert_int_equal(a.status, 200);
    assert_true(t_has(&a, "<!doctype html>"));
    assert_true(t_has_header(&a, "etag", "\"i1\"") &&
                t_has_header(&a, "cache-control", "no-cache"));
    struct str csp = t_header(&a, "content-security-policy");
    assert_true(str_find(csp, STR("script-src 'self'")) != SIZE_MAX);
    t_answer_deinit(&a);
    static const char *const matches[] = {"\"i1\"", "W/\"i1\"", "\"x\", \"i1\"", "*"};
    for (size_t i = 0; i < 4; i++) {
        char h[64];
        (void)snprintf(h, sizeof(h), "If-None-Match: %s\r\n", matches[i]);
        t_ask(&t, "GET", "/", h, STR(""), &a);
        assert_int_equal(a.status, 304);
        assert_int_equal(a.body.n, 0);
        assert_true(t_has_header(&a, "etag", "\"i1\""));
        t_answer_deinit(&a);
    }
    t_ask(&t, "GET", "/", "If-None-Match: \"i2\"\r\n", STR(""), &a);
    assert_int_equal(a.status, 200);
    t_answer_deinit(&a);
    t_get(&t, "/assets/x.js", &a);
    assert_true(t_has_header(&a, "cache-control", "public, max-age=31536000, immutable"));
    t_answer_deinit(&a);
}

/* ---- operations ---- */

static void test_operations(void **state) {
    (void)state;
    struct t_answer a;
    expect_get("/-/healthy", 200, "hinomi is healthy");
    expect_get("/-/ready", 200, "hinomi is ready");
    t.ready = false;
    t_get(&t, "/-/ready", &a);
    assert_int_equal(a.status, 503);
    assert_true(t_has(&a, "the store is being read") && t_has_header(&a, "retry-after", "1"));
    t_answer_deinit(&a);
    t.ready = true;
    int before = t.reloads;
    t_ask(&t, "POST", "/-/reload", NULL, STR(""), &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(t.reloads, before + 1);
    t_answer_deinit(&a);
    t.reload_fails = true;
    t_ask(&t, "PUT", "/-/reload", NULL, STR(""), &a);
    t.reload_fails = false;
    assert_int_equal(a.status, 400);
    assert_true(t_has(&a, "hinomi.yml:3:5: expected a duration"));
    t_answer_deinit(&a);
    expect_get("/-/reload", 405, "does not take GET");
    t_ask(&t, "POST", "/-/reload", "Origin: https://evil.example\r\n", STR(""), &a);
    assert_int_equal(a.status, 403);
    t_answer_deinit(&a);
}

static size_t count_samples(const struct t_answer *a, bool openmetrics) {
    struct arena arena = ARENA_INIT;
    struct promtext p;
    struct promtext_item item = {0};
    struct err err = {0};
    size_t n = 0;
    bool ok = promtext_init(&p, buf_view(&a->body),
                            openmetrics ? PROMTEXT_OPENMETRICS : PROMTEXT_PLAIN, &arena, &err);
    while (ok && (ok = promtext_next(&p, &item, &err)) && item.kind != PROMTEXT_END)
        n += item.kind == PROMTEXT_SAMPLE;
    if (!ok)
        fail_msg("%s", err.message);
    arena_deinit(&arena);
    return n;
}

static void test_metrics(void **state) {
    (void)state;
    struct t_answer a;
    t_get(&t, "/metrics", &a);
    assert_true(t_has_header(&a, "content-type", "text/plain; version=0.0.4; charset=utf-8"));
    size_t n = count_samples(&a, false);
    assert_true(n > 30);
    assert_true(t_has(&a, "# TYPE hinomi_queries_total counter\n"));
    t_answer_deinit(&a);
    t_ask(&t, "GET", "/metrics",
          "Accept: "
          "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4\r\n",
          STR(""), &a);
    assert_true(t_has_header(&a, "content-type",
                             "application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert_int_equal(count_samples(&a, true), n);
    assert_true(t_has(&a, "# TYPE hinomi_queries counter\n"));
    assert_true(str_ends(buf_view(&a.body), STR("\n# EOF\n")));
    t_answer_deinit(&a);
    t_ask(&t, "GET", "/metrics", "Accept: text/plain, application/openmetrics-text;q=0\r\n",
          STR(""), &a);
    assert_true(t_has_header(&a, "content-type", "text/plain; version=0.0.4; charset=utf-8"));
    t_answer_deinit(&a);
}

/* ---- queries ---- */

static void test_query_parameters(void **state) {
    (void)state;
    expect_get("/api/v1/query?query=m&time=1700000000", 200, "[1700000000,\"99\"]");
    expect_get("/api/v1/query?query=m&time=2023-11-14T22:13:20Z", 200, "[1700000000,\"99\"]");
    expect_get("/api/v1/query?query=m&time=1700000000&limit=2", 200,
               "results truncated due to limit");
    expect_get("/api/v1/query?query=m&time=1700000000&limit=3", 200,
               "{\"__name__\":\"m\",\"i\":\"2\"}");
    expect_get("/api/v1/query?query=m&limit=-1", 400, "limit must be non-negative");
    expect_get("/api/v1/query?query=m&limit=x", 400, "invalid parameter \\\"limit\\\"");
    expect_get("/api/v1/query?query=m&time=x", 400, "invalid parameter \\\"time\\\"");
    expect_get("/api/v1/query?query=m&timeout=x", 400, "invalid parameter \\\"timeout\\\"");
    expect_get("/api/v1/query?query=m%7B", 400, "\"errorType\":\"bad_data\"");
    expect_get("/api/v1/query", 400, "invalid parameter \\\"query\\\"");
    /* The last sample is 60 s old: within 5 min, not within 30 s. */
    expect_get("/api/v1/query?query=m&time=1700000060", 200, "\"99\"");
    expect_get("/api/v1/query?query=m&time=1700000060&lookback_delta=30s", 200, "\"result\":[]");
    expect_get("/api/v1/query?query=m&time=1700000060&lookback_delta=61", 200, "\"99\"");
    expect_get("/api/v1/query?query=m&lookback_delta=x", 400, "lookback delta");
    expect_get("/api/v1/query?query=m&time=1700000000&stats=all", 200,
               "\"totalQueryableSamples\":3");
    expect_get("/api/v1/query_range?query=m&start=1699999990&end=1700000000&step=5&limit=1", 200,
               "[[1699999990,\"89\"],[1699999995,\"94\"],[1700000000,\"99\"]]");
    expect_get("/api/v1/query_range?query=m&start=2&end=1&step=1", 400, "must not be before");
    expect_get("/api/v1/query_range?query=m&start=1&end=2&step=0", 400, "zero or negative");
    expect_get("/api/v1/query_range?query=m&start=1&end=20000&step=1", 400, "11,000 points");
    expect_get("/api/v1/query_range?query=m%5B5m%5D&start=1&end=2&step=1", 400, "range vector");
    expect_get("/api/v1/query_range?query=m&start=1&step=1", 400, "invalid parameter \\\"end\\\"");
    expect_get("/api/v1/format_query?query=sum(m)by(i)", 200, "sum by (i) (m)");
    expect_get("/api/v1/parse_query?query=m", 200, "vectorSelector");
    expect_get("/api/v1/series", 400, "no match[] parameter provided");
    expect_get("/api/v1/series?match%5B%5D=m&match%5B%5D=m%7Bi%3D%221%22%7D", 200,
               "\"data\":[{\"__name__\":\"m\",\"i\":\"0\"},{\"__name__\":\"m\",\"i\":\"1\"},"
               "{\"__name__\":\"m\",\"i\":\"2\"}]");
    expect_get("/api/v1/series?match%5B%5D=%7B%7D", 400, "at least one non-empty matcher");
    expect_get("/api/v1/series?match%5B%5D=rate(m%5B1m%5D)", 400, "expected a selector");
    expect_get("/api/v1/label/i/values", 200, "\"data\":[\"0\",\"1\",\"2\"]");
    expect_get("/api/v1/label/i/values?limit=1", 200, "[\"0\"],\"warnings\"");
    expect_get("/api/v1/labels?match%5B%5D=m", 200, "[\"__name__\",\"i\"]");
}

static void test_form_body(void **state) {
    (void)state;
    struct t_answer a;
    t_ask(&t, "POST", "/api/v1/query", "Content-Type: application/x-www-form-urlencoded\r\n",
          STR("query=sum(m)&time=1700000000"), &a);
    assert_int_equal(a.status, 200);
    assert_true(t_has(&a, "\"297\""));
    t_answer_deinit(&a);
}

/* A query of seconds: 10,000 predictions over up to 18,000 steps of a trend. */
#define SLOW_QUERY                                                                                 \
    "/api/v1/query_range?start=1699980000&end=1700000000&step=2&query="                            \
    "predict_linear(deriv(s%5B1h%5D)%5B5h:1s%5D,60)"
static void test_timeout(void **state) {
    (void)state;
    int64_t t0 = clock_mono_ms(clock_system());
    expect_get(SLOW_QUERY "&timeout=200ms", 503, "\"errorType\":\"timeout\"");
    assert_true(clock_mono_ms(clock_system()) - t0 < 8000);
}

/* A client that hangs up frees its worker: the next query is answered though there is one worker.
 */
static void test_hang_up_cancels(void **state) {
    (void)state;
    static struct t_api one; /* outlives a failed assertion */
    t_api_open(&one);
    one.options.workers[HTTP_POOL_QUERY] = 1;
    one.options.queue_max[HTTP_POOL_QUERY] = 1;
    t_api_start(&one);
    t_fill(&one, "s", 3, SLOW_POINTS, END_MS);
    int64_t t0 = clock_mono_ms(clock_system()), failures = STAT_GET(hinomi_query_failures_total);
    int slow = t_connect(one.port), waiting = t_connect(one.port);
    int64_t begun = STAT_GET(hinomi_queries_total);
    t_send(slow, "GET " SLOW_QUERY " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    while (STAT_GET(hinomi_queries_total) == begun)
        (void)usleep(1000);
    struct t_answer a;
    t_send(waiting, "GET " SLOW_QUERY " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    t_get(&one, "/api/hinomi/session", &a); /* answered after the former was read */
    t_answer_deinit(&a);
    /* The queue is full: refused at once, and told when to retry. */
    t_get(&one, "/api/v1/query?query=1", &a);
    assert_int_equal(a.status, 503);
    assert_true(t_has(&a, "too many requests are waiting"));
    assert_non_null(t_header(&a, "retry-after").p);
    t_answer_deinit(&a);
    /* The other pools go on. */
    t_get(&one, "/api/hinomi/status", &a);
    assert_int_equal(a.status, 200);
    t_answer_deinit(&a);
    close(slow);
    close(waiting);
    for (int tries = 0;; tries++) {
        t_get(&one, "/api/v1/query?query=1", &a);
        bool ok = a.status == 200;
        t_answer_deinit(&a);
        if (ok)
            break;
        assert_true(clock_mono_ms(clock_system()) - t0 < 20000);
        (void)usleep(2000);
    }
    /* It was given up, not finished; the one that waited never began. */
    assert_int_equal(STAT_GET(hinomi_query_failures_total), failures + 1);
    t_api_stop(&one);
}

/* ---- remote_write ---- */

static void expect_write(const char *headers, struct str body, int status, const char *has) {
    struct t_answer a;
    t_ask(&t, "POST", "/api/v1/write", headers, body, &a);
    if (a.status != status || (has && !t_has(&a, has)))
        fail_msg("write: %d %.*s, expected %d", a.status, STR_FMT(buf_view(&a.body)), status);
    if (status == 503 || status == 429)
        assert_non_null(t_header(&a, "retry-after").p);
    t_answer_deinit(&a);
}

static void test_remote_write(void **state) {
    (void)state;
    static const char good[] =
        "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
        "X-Prometheus-Remote-Write-Version: 0.1.0\r\n";
    struct buf b = BUF_INIT, other = BUF_INIT;
    t_write_body("written", END_MS, 42, &b);
    t_write_body("written", END_MS, 43, &other);
    expect_write(good, buf_view(&b), 204, NULL);
    expect_get("/api/v1/query?query=written&time=1700000000", 200, "[1700000000,\"42\"]");
    expect_write(good, buf_view(&b), 204, NULL); /* again: the same */
    expect_write(good, buf_view(&other), 400, "written");
    expect_get("/api/v1/query?query=written&time=1700000000", 200, "[1700000000,\"42\"]");
    expect_write(good, STR("\xff\xff\xff"), 400, NULL);
    expect_write(good, str_sub(buf_view(&b), 0, b.n - 3), 400, NULL);
    expect_write("Content-Type: text/plain\r\n", buf_view(&b), 415,
                 "expected application/x-protobuf");
    expect_write("Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n",
                 buf_view(&b), 415, "prometheus.WriteRequest");
    expect_write("Content-Encoding: zstd\r\n", buf_view(&b), 415, "expected snappy");
    /* Too large by its own word: refused before it is read. */
    struct t_answer a;
    t_call(t.port,
           "POST /api/v1/write HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999999\r\n\r\n",
           &a);
    assert_int_equal(a.status, 413);
    t_answer_deinit(&a);
    buf_deinit(&b);
    buf_deinit(&other);
}

/* ---- errors of hinomi's own JSON ---- */

static void expect_post(const char *path, const char *type, const char *body, int status,
                        const char *code) {
    struct t_answer a;
    char h[100], want[64];
    (void)snprintf(h, sizeof(h), "Content-Type: %s\r\n", type);
    (void)snprintf(want, sizeof(want), "{\"error\":{\"code\":\"%s\",\"message\":\"", code);
    t_ask(&t, "POST", path, h, str_from(body), &a);
    if (a.status != status || !t_has(&a, want) || !t_has(&a, "\"hint\":"))
        fail_msg("%s %s: %d %.*s", path, body, a.status, STR_FMT(buf_view(&a.body)));
    expect_json(&a);
    t_answer_deinit(&a);
}

static void test_error_shapes(void **state) {
    (void)state;
    static const char *const paths[] = {"/api/hinomi/services", "/api/hinomi/users",
                                        "/api/hinomi/tokens", "/api/hinomi/notify/receivers",
                                        "/api/hinomi/notify/test"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        expect_post(paths[i], "application/json", "{", 400, "bad_request");
        expect_post(paths[i], "application/json", "[]", 400, "bad_request");
        expect_post(paths[i], "application/json", "{}", 400, "bad_request");
        expect_post(paths[i], "text/plain", "{}", 415, "unsupported");
    }
    expect_get("/api/hinomi/audit?limit=0", 400, "limit must be a number from 1 to 500");
    expect_get("/api/hinomi/overview/history?points=301", 400, "points must be a number");
}

static void test_config_check(void **state) {
    (void)state;
    struct t_answer a;
    t_ask(&t, "POST", "/api/hinomi/config/check", "Content-Type: application/yaml\r\n",
          STR("wrong: 1\n"), &a);
    assert_int_equal(a.status, 200);
    assert_true(t_has(&a, "\"valid\":false") && t_has(&a, "\"line\":1,\"column\":2"));
    t_answer_deinit(&a);
    t_ask(&t, "POST", "/api/hinomi/config/check", NULL, STR("server: {}\n"), &a);
    assert_true(t_has(&a, "{\"valid\":true,\"diagnostics\":[]}"));
    t_answer_deinit(&a);
}

/* ---- the stream ---- */

static int open_stream(void) {
    int fd = t_connect(t.port);
    t_send(fd, "GET /api/hinomi/overview/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: "
               "close\r\n\r\n");
    return fd;
}

/* Reads until `text` came, at most 10 s (the socket's own time). */
static bool read_until(int fd, const char *text) {
    struct buf b = BUF_INIT;
    bool found = false;
    char tmp[4096];
    ssize_t n;
    while (!found && (n = recv(fd, tmp, sizeof(tmp), 0)) > 0) {
        buf_put(&b, tmp, (size_t)n);
        found = str_find(buf_view(&b), str_from(text)) != SIZE_MAX;
    }
    buf_deinit(&b);
    return found;
}

static void test_stream(void **state) {
    (void)state;
    int fd = open_stream();
    assert_true(read_until(fd, "event: overview\ndata: {\"now_ms\":"));
    assert_true(read_until(fd, "event: overview\n")); /* the next second's */
    close(fd);
    /* Many at once; past the limit one is refused and told when to come again. */
    enum { N = 250, MORE = 10 };
    int fds[N + MORE];
    for (int i = 0; i < N; i++)
        fds[i] = open_stream();
    for (int i = 0; i < N; i++)
        if (!read_until(fds[i], "event: overview\n"))
            fail_msg("stream %d was not served", i);
    for (int i = N; i < N + MORE; i++)
        fds[i] = open_stream();
    struct t_answer a;
    t_receive(fds[N + MORE - 1], false, &a);
    assert_int_equal(a.status, 503);
    assert_true(t_has(&a, "too many live pages") && t_header(&a, "retry-after").p);
    t_answer_deinit(&a);
    for (int i = 0; i < N + MORE; i++)
        close(fds[i]);
    /* Those who left make room. */
    int64_t t0 = clock_mono_ms(clock_system());
    bool served = false;
    while (!served && clock_mono_ms(clock_system()) - t0 < 10000) {
        fd = open_stream();
        served = read_until(fd, "event: overview\n");
        close(fd);
    }
    assert_true(served);
}

static void test_stream_ends_with_goodbye(void **state) {
    (void)state;
    static struct t_api own; /* outlives a failed assertion */
    t_api_open(&own);
    t_api_start(&own);
    int fd = t_connect(own.port);
    t_send(fd, "GET /api/hinomi/overview/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    assert_true(read_until(fd, "event: overview\n"));
    api_stop(own.api);
    assert_true(read_until(fd, "event: goodbye\ndata: {}\n\n"));
    close(fd);
    t_api_stop(&own);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_get_is_json),
        cmocka_unit_test(test_without_its_parts),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_screen),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_query_parameters),
        cmocka_unit_test(test_form_body),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_hang_up_cancels),
        cmocka_unit_test(test_remote_write),
        cmocka_unit_test(test_error_shapes),
        cmocka_unit_test(test_config_check),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_stream_ends_with_goodbye),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
