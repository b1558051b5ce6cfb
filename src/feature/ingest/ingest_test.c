#include "base/base_testlib.h"
#include "codec/compress.h"
#include "feature/ingest/ingest.h"
#include "feature/ingest/ingest_testlib.h"
#include "net/dns_testlib.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct rig {
    struct t_peer peer;
    struct t_sink sink;
    struct ingest *g;
    struct err err;
};

static void rig_init_dns(struct rig *r, const char *dns_servers) {
    t_peer_init(&r->peer);
    t_sink_init(&r->sink);
    struct ingest_options opt = {.sink = t_sink_view(&r->sink),
                                 .clock = clock_system(),
                                 .series_per_source_max = 1000,
                                 .dns_servers = dns_servers};
    r->g = ingest_new(&opt, &r->err);
    if (!r->g)
        fail_msg("%s", r->err.message);
}

static void rig_init(struct rig *r) {
    rig_init_dns(r, NULL);
}

static void rig_deinit(struct rig *r) {
    ingest_free(r->g);
    t_sink_deinit(&r->sink);
    t_peer_deinit(&r->peer);
}

static void apply(struct rig *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void apply(struct rig *r, const char *fmt, ...) {
    char yaml[4096];
    struct arena a = ARENA_INIT;
    struct buf diags = BUF_INIT;
    struct ingest_config c;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(yaml, sizeof(yaml), fmt, ap);
    va_end(ap);
    if (!t_config(yaml, &a, &c, &diags))
        fail_msg("%s", diags.p);
    if (!ingest_apply(r->g, &c, &r->err))
        fail_msg("%s", r->err.message);
    buf_deinit(&diags);
    arena_deinit(&a); /* the manager has copied what it needs */
}

static bool value_is(struct rig *r, const char *series, double want) {
    double v;
    return t_sink_get(&r->sink, series, &v, NULL) && v == want;
}

static bool is_stale(struct rig *r, const char *series) {
    double v;
    return t_sink_get(&r->sink, series, &v, NULL) && sample_is_stale(v);
}

static size_t times(struct rig *r, const char *series) {
    double v;
    size_t n = 0;
    return t_sink_get(&r->sink, series, &v, &n) ? n : 0;
}

/* What the only target says of its last scrape. */
static bool error_has(struct rig *r, const char *what) {
    struct arena a = ARENA_INIT;
    struct ingest_target_view *v;
    size_t n;
    assert_true(ingest_targets(r->g, &a, &v, &n, &r->err));
    bool has = n == 1 && v[0].health == INGEST_DOWN && v[0].last_error.n &&
               strstr(v[0].last_error.p, what);
    arena_deinit(&a);
    return has;
}

#define JOB                                                                                        \
    "scrape_configs:\n- job_name: j\n  scrape_interval: 100ms\n  scrape_timeout: 100ms\n  "        \
    "static_configs:\n"                                                                            \
    "  - targets: ['127.0.0.1:%u']\n    labels: {instance: i}\n"
/* For tests in which a scrape that is late on a busy machine would look like a failure. */
#define CALM_JOB                                                                                   \
    "scrape_configs:\n- job_name: j\n  scrape_interval: 500ms\n  scrape_timeout: 500ms\n  "        \
    "static_configs:\n"                                                                            \
    "  - targets: ['127.0.0.1:%u']\n    labels: {instance: i}\n"
#define I "{instance=\"i\", job=\"j\"}"

static void test_scrape(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    t_peer_text(&r.peer, "# TYPE a counter\na 1\nb{x=\"y\"} 2\n");
    apply(&r, JOB "  metrics_path: /m\n  params: {p: ['1 2', '3']}\n", r.peer.port);
    T_WAIT(times(&r, "a" I) >= 3);
    assert_true(value_is(&r, "b{instance=\"i\", job=\"j\", x=\"y\"}", 2));
    assert_true(value_is(&r, "up" I, 1));
    assert_true(value_is(&r, "scrape_samples_scraped" I, 2));
    mutex_lock(&r.peer.lock);
    assert_non_null(strstr(r.peer.last_request, "GET /m?p=1%202&p=3 HTTP/1.1"));
    assert_non_null(
        strstr(r.peer.last_request, "Accept: application/openmetrics-text;version=1.0.0"));
    assert_non_null(strstr(r.peer.last_request, "X-Prometheus-Scrape-Timeout-Seconds: 0.1"));
    mutex_unlock(&r.peer.lock);
    /* a series ends, then the whole page */
    t_peer_text(&r.peer, "a 5\n");
    T_WAIT(is_stale(&r, "b{instance=\"i\", job=\"j\", x=\"y\"}"));
    t_peer_page(&r.peer, 500, "text/plain", NULL, STR("no"));
    T_WAIT(value_is(&r, "up" I, 0));
    assert_true(is_stale(&r, "a" I));
    T_WAIT(error_has(&r, "HTTP 500"));
    /* back, then the target goes */
    t_peer_text(&r.peer, "a 6\n");
    T_WAIT(value_is(&r, "a" I, 6) && value_is(&r, "up" I, 1));
    apply(&r, "scrape_configs: []\n");
    T_WAIT(is_stale(&r, "a" I) && is_stale(&r, "up" I));
    struct arena a = ARENA_INIT;
    struct ingest_target_view *v;
    size_t n;
    assert_true(ingest_targets(r.g, &a, &v, &n, &r.err));
    assert_int_equal(n, 0);
    arena_deinit(&a);
    rig_deinit(&r);
}

static void test_bad_pages(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    t_peer_text(&r.peer, "a{ 1\n");
    apply(&r, JOB "  body_size_limit: 100KB\n", r.peer.port);
    T_WAIT(error_has(&r, "line 1"));
    assert_true(value_is(&r, "up" I, 0));
    t_peer_page(&r.peer, 200, "text/html", NULL, STR("<html></html>"));
    T_WAIT(error_has(&r, "fallback_scrape_protocol"));
    t_peer_page(&r.peer, 200, NULL, NULL, STR("a 1\n"));
    T_WAIT(error_has(&r, "Content-Type \"\""));
    t_peer_page(&r.peer, 200, "application/openmetrics-text; version=1.0.0", NULL, STR("a 1\n"));
    T_WAIT(error_has(&r, "# EOF"));
    T_WAIT(error_has(&r, "PrometheusText0.0.4"));
    struct buf big = BUF_INIT;
    for (int i = 0; i < 20000; i++)
        buf_printf(&big, "m%d 1\n", i);
    t_peer_page(&r.peer, 200, "text/plain", NULL, buf_view(&big));
    T_WAIT(error_has(&r, "102400"));
    /* a gzip bomb within the limit on the wire */
    struct buf zeros = BUF_INIT, bomb = BUF_INIT;
    assert_true(buf_reserve(&zeros, 8 << 20));
    memset(zeros.p, '\n', 8 << 20);
    assert_true(compress_gzip(str_make(zeros.p, 8 << 20), 9, &bomb, &r.err));
    assert_true(bomb.n < 100000);
    t_peer_page(&r.peer, 200, "text/plain", "Content-Encoding: gzip\r\n", STR("a 1\n"));
    T_WAIT(!error_has(&r, "102400") && value_is(&r, "up" I, 0));
    t_peer_page(&r.peer, 200, "text/plain", "Content-Encoding: gzip\r\n", buf_view(&bomb));
    T_WAIT(error_has(&r, "102400"));
    buf_reset(&bomb);
    assert_true(compress_gzip(STR("zipped 3\n"), 6, &bomb, &r.err));
    t_peer_page(&r.peer, 200, "text/plain", "Content-Encoding: gzip\r\n", buf_view(&bomb));
    T_WAIT(value_is(&r, "zipped" I, 3));
    buf_deinit(&big);
    buf_deinit(&zeros);
    buf_deinit(&bomb);
    rig_deinit(&r);
}

static void test_slow_peers(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    t_peer_text(&r.peer, "a 1\n");
    r.peer.delay_ms = 60000;
    apply(&r, JOB, r.peer.port);
    T_WAIT(error_has(&r, "did not answer within"));
    mutex_lock(&r.peer.lock);
    r.peer.delay_ms = 0;
    r.peer.trickle = true;
    mutex_unlock(&r.peer.lock);
    int before = r.peer.requests;
    T_WAIT(r.peer.requests > before + 2);
    T_WAIT(error_has(&r, "did not answer within"));
    /* more than promised, for ever */
    mutex_lock(&r.peer.lock);
    r.peer.trickle = false;
    r.peer.endless = true;
    free(r.peer.answer);
    r.peer.answer = strdup("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\na 1\nb 2\n");
    r.peer.answer_n = strlen(r.peer.answer);
    mutex_unlock(&r.peer.lock);
    before = r.peer.requests;
    T_WAIT(r.peer.requests > before + 1);
    T_WAIT(value_is(&r, "up" I, 0));
    rig_deinit(&r); /* stops at once, with a call under way */
}

static void test_refused_and_redirect(void **state) {
    (void)state;
    struct rig r;
    char location[128];
    rig_init(&r);
    struct t_peer other;
    t_peer_init(&other);
    t_peer_text(&other, "redirected 1\n");
    (void)snprintf(location, sizeof(location), "Location: http://127.0.0.1:%u/x\r\n", other.port);
    t_peer_page(&r.peer, 302, "text/plain", location, STR(""));
    apply(&r, JOB, r.peer.port);
    T_WAIT(value_is(&r, "redirected" I, 1));
    apply(&r, JOB "  follow_redirects: false\n", r.peer.port);
    T_WAIT(error_has(&r, "HTTP 302"));
    t_peer_page(&r.peer, 302, "text/plain", "Location: file:///etc/passwd\r\n", STR(""));
    apply(&r, JOB, r.peer.port);
    T_WAIT(times(&r, "up" I) > 5 && value_is(&r, "up" I, 0));
    uint16_t dead = other.port;
    t_peer_deinit(&other);
    apply(&r, JOB, dead);
    T_WAIT(error_has(&r, ""));
    rig_deinit(&r);
}

static void test_reload_keeps_targets(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    t_peer_text(&r.peer, "a 1\nb 1\n");
    apply(&r, CALM_JOB, r.peer.port);
    T_WAIT(times(&r, "a" I) >= 2);
    /* nothing changed; then a rule drops b: a goes on without a marker, b ends */
    apply(&r, CALM_JOB, r.peer.port);
    apply(&r,
          CALM_JOB
          "  metric_relabel_configs:\n  - {source_labels: [__name__], regex: b, action: drop}\n",
          r.peer.port);
    T_WAIT(is_stale(&r, "b" I));
    assert_false(is_stale(&r, "a" I));
    size_t before = times(&r, "a" I);
    T_WAIT(times(&r, "a" I) > before + 1);
    assert_true(value_is(&r, "a" I, 1));
    /* a wrong configuration changes nothing */
    struct arena a = ARENA_INIT;
    struct buf diags = BUF_INIT;
    struct ingest_config c;
    char yaml[1024];
    (void)snprintf(yaml, sizeof(yaml), CALM_JOB "- job_name: j\n", r.peer.port);
    assert_true(t_config(yaml, &a, &c, &diags));
    assert_false(ingest_apply(r.g, &c, &r.err));
    assert_non_null(strstr(r.err.message, "job_name"));
    before = times(&r, "a" I);
    T_WAIT(times(&r, "a" I) > before + 1);
    buf_deinit(&diags);
    arena_deinit(&a);
    rig_deinit(&r);
}

static void test_label_flood(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    struct buf b = BUF_INIT;
    buf_putz(&b, "good 1\n");
    for (int i = 0; i < 3000; i++)
        buf_printf(&b, "flood{id=\"%d\",kind=\"x\"} %d\n", i, i);
    t_peer_text(&r.peer, b.p);
    apply(&r, JOB, r.peer.port);
    T_WAIT(times(&r, "good" I) >= 3);
    struct arena a = ARENA_INIT;
    struct guard_hit *hits;
    size_t n;
    assert_true(ingest_limit_hits(r.g, &a, &hits, &n, &r.err));
    assert_int_equal(n, 1);
    assert_true(str_eqz(hits[0].source, "scrape/j/i"));
    assert_true(str_eqz(hits[0].metric, "flood"));
    assert_true(str_eqz(hits[0].label, "id"));
    assert_int_equal(hits[0].series, 1000);
    mutex_lock(&r.sink.lock);
    assert_int_equal(r.sink.n, 1005); /* the limit, and the five reports */
    mutex_unlock(&r.sink.lock);
    arena_deinit(&a);
    buf_deinit(&b);
    rig_deinit(&r);
}

static void test_accepted_and_failed_writes(void **state) {
    (void)state;
    struct rig r;
    char url[128];
    rig_init(&r);
    t_peer_page(&r.peer, 200, NULL, NULL, STR("a 1\n")); /* an accepted page may lack its type */
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/metrics", r.peer.port);
    struct ingest_global global = {.scrape_interval_ms = 100, .scrape_timeout_ms = 100};
    struct ingest_accepted acc[2] = {{STR("7"), str_from(url), STR("found")},
                                     {STR("8"), STR("ftp://x"), STR("bad")}};
    struct ingest_config c = {.global = &global, .accepted = acc, .n_accepted = 2};
    assert_true(ingest_apply(r.g, &c, &r.err));
    char series[128];
    (void)snprintf(series, sizeof(series), "a{instance=\"127.0.0.1:%u\", job=\"found\"}",
                   r.peer.port);
    T_WAIT(value_is(&r, series, 1));
    assert_true(ingest_has_url(r.g, str_from(url)));
    struct arena a = ARENA_INIT;
    struct ingest_target_view *v;
    size_t n;
    assert_true(ingest_targets(r.g, &a, &v, &n, &r.err));
    assert_int_equal(n, 1);
    assert_true(str_eqz(v[0].accepted_id, "7"));
    /* the sink refuses: the target says so, and goes on when it can */
    mutex_lock(&r.sink.lock);
    r.sink.fail = true;
    mutex_unlock(&r.sink.lock);
    T_WAIT(ingest_targets(r.g, &a, &v, &n, &r.err) && v[0].last_error.n &&
           strstr(v[0].last_error.p, "disk is full"));
    mutex_lock(&r.sink.lock);
    r.sink.fail = false;
    mutex_unlock(&r.sink.lock);
    size_t before = times(&r, series);
    T_WAIT(times(&r, series) > before);
    /* whoever accepts an address does not get to read what is there */
    t_peer_page(&r.peer, 200, NULL, NULL, STR("root:x:0{\n"));
    T_WAIT(ingest_targets(r.g, &a, &v, &n, &r.err) && v[0].last_error.n &&
           strstr(v[0].last_error.p, "line 1 column"));
    assert_null(strstr(v[0].last_error.p, "root"));
    t_peer_page(&r.peer, 200, NULL, NULL, STR("a 1\n"));
    before = times(&r, series);
    T_WAIT(times(&r, series) > before);
    /* the file scrapes the same URL: the accepted one steps back, and returns when the file lets go
     */
    struct arena a2 = ARENA_INIT;
    struct buf diags = BUF_INIT;
    struct ingest_config c2;
    char yaml[1024];
    (void)snprintf(yaml, sizeof(yaml), JOB "  fallback_scrape_protocol: PrometheusText0.0.4\n",
                   r.peer.port);
    assert_true(t_config(yaml, &a2, &c2, &diags));
    c2.accepted = acc;
    c2.n_accepted = 1;
    assert_true(ingest_apply(r.g, &c2, &r.err));
    T_WAIT(is_stale(&r, series) && value_is(&r, "a" I, 1));
    assert_true(ingest_apply(r.g, &c, &r.err));
    T_WAIT(is_stale(&r, "a" I) && value_is(&r, series, 1));
    buf_deinit(&diags);
    arena_deinit(&a2);
    arena_deinit(&a);
    rig_deinit(&r);
}

static void test_file_and_http_discovery(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    char dir[] = "/tmp/hinomi-sd-XXXXXX", path[128], text[256];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/t.json", dir);
    (void)snprintf(text, sizeof(text),
                   "[{\"targets\":[\"127.0.0.1:%u\"],\"labels\":{\"from\":\"file\"}}]",
                   r.peer.port);
    assert_true(file_write_atomic(path, str_from(text), 0644, &r.err));
    t_peer_text(&r.peer, "a 1\n");
    struct t_peer sd;
    t_peer_init(&sd);
    (void)snprintf(text, sizeof(text),
                   "[{\"targets\":[\"127.0.0.1:%u\"],\"labels\":{\"from\":\"http\"}}]",
                   r.peer.port);
    t_peer_page(&sd, 200, "application/json", NULL, str_from(text));
    apply(&r,
          "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\nscrape_configs:\n"
          "- job_name: j\n  file_sd_configs: [{files: ['%s/*.json'], refresh_interval: 1s}]\n"
          "  http_sd_configs: [{url: 'http://127.0.0.1:%u/sd', refresh_interval: 1s}]\n"
          "  relabel_configs:\n  - {target_label: instance, replacement: i}\n"
          "  - {source_labels: [__meta_filepath], target_label: file}\n",
          dir, sd.port);
    char series[256];
    (void)snprintf(series, sizeof(series),
                   "a{file=\"%s\", from=\"file\", instance=\"i\", job=\"j\"}", path);
    T_WAIT(value_is(&r, series, 1));
    T_WAIT(value_is(&r, "a{from=\"http\", instance=\"i\", job=\"j\"}", 1));
    /* a broken answer keeps the targets; an empty file ends its own */
    t_peer_page(&sd, 200, "application/json", NULL, STR("[{"));
    assert_true(file_write_atomic(path, STR("[]"), 0644, &r.err));
    T_WAIT(is_stale(&r, series));
    struct arena a = ARENA_INIT;
    struct ingest_discovery_view *v;
    size_t n;
    T_WAIT(ingest_discoveries(r.g, &a, &v, &n, &r.err) && n == 2 && v[1].last_error.n != 0);
    assert_false(is_stale(&r, "a{from=\"http\", instance=\"i\", job=\"j\"}"));
    assert_string_equal(v[0].kind, "file");
    assert_true(v[0].last_ok_ms > 0);
    arena_deinit(&a);
    rig_deinit(&r);
    t_peer_deinit(&sd);
    assert_true(file_remove_tree(dir, NULL));
}

static bool has_target(struct rig *r, const char *url, const char *label, const char *value) {
    struct arena a = ARENA_INIT;
    struct ingest_target_view *v;
    size_t n;
    bool has = false;
    assert_true(ingest_targets(r->g, &a, &v, &n, &r->err));
    for (size_t i = 0; i < n; i++)
        has |=
            str_eqz(v[i].url, url) && str_eqz(labels_get(v[i].discovered, str_from(label)), value);
    arena_deinit(&a);
    return has;
}

static void test_dns_discovery(void **state) {
    (void)state;
    struct t_dns dns;
    struct rig r;
    t_dns_start(&dns);
    rig_init_dns(&r, dns.address);
    apply(
        &r,
        "global: {scrape_interval: 1h}\nscrape_configs:\n- job_name: j\n  dns_sd_configs:\n  - "
        "{names: [ok.test.]}\n"
        "  - {names: [ok.test.], type: A, port: 80}\n  - {names: [ok.test.], type: AAAA, port: "
        "81}\n"
        "  - {names: [ok.test.], type: MX, port: 25}\n  - {names: [ok.test.], type: NS, port: 53}\n"
        "  - {names: [servfail.test.], type: A, port: 1}\n  - {names: [gone.test.], type: A, port: "
        "1}\n");
    T_WAIT(has_target(&r, "http://one.example:9100/metrics", "__meta_dns_srv_record_target",
                      "one.example."));
    T_WAIT(has_target(&r, "http://two.example:9101/metrics", "__meta_dns_srv_record_port", "9101"));
    T_WAIT(has_target(&r, "http://10.0.0.2:80/metrics", "__meta_dns_name", "ok.test."));
    T_WAIT(has_target(&r, "http://[fd00::1]:81/metrics", "__meta_dns_name", "ok.test."));
    T_WAIT(has_target(&r, "http://mx2.example:25/metrics", "__meta_dns_mx_record_target",
                      "mx2.example."));
    T_WAIT(has_target(&r, "http://ns1.example:53/metrics", "__meta_dns_ns_record_target",
                      "ns1.example."));
    struct arena a = ARENA_INIT;
    struct ingest_discovery_view *v;
    size_t n;
    T_WAIT(ingest_discoveries(r.g, &a, &v, &n, &r.err) && n == 7 && v[5].last_error.n &&
           v[6].last_ok_ms);
    assert_int_equal(v[5].last_ok_ms, 0);
    assert_int_equal(v[6].last_error.n,
                     0); /* a name that is gone has no targets: that is an answer */
    arena_deinit(&a);
    rig_deinit(&r);
    t_dns_stop(&dns);
}

static bool all_ended(struct t_sink *s) {
    bool all = true;
    mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n; i++)
        all &= sample_is_stale(s->rows[i].value);
    mutex_unlock(&s->lock);
    return all;
}

/* Configurations come and go while every target is being scraped: nothing is lost, freed twice or
 * left behind. */
static void test_churn(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    t_peer_text(&r.peer, "a 1\nb 2\n");
    for (int round = 0; round < 40; round++) {
        struct buf y = BUF_INIT;
        buf_putz(&y, "global: {scrape_interval: 20ms, scrape_timeout: 20ms}\nscrape_configs:\n");
        for (int job = round % 2; job < 4; job++) {
            buf_printf(&y, "- job_name: j%d\n  sample_limit: %d\n  static_configs: [", job,
                       job == 1 ? 100 + round : 100);
            for (int i = round % 5; i < 8; i++)
                buf_printf(&y, "{targets: ['127.0.0.1:%u'], labels: {n: '%d'}},", r.peer.port, i);
            buf_putz(&y, "{targets: ['127.0.0.1:1']}]\n");
        }
        struct arena a = ARENA_INIT;
        struct buf diags = BUF_INIT;
        struct ingest_config c;
        if (!t_config(y.p, &a, &c, &diags) || !ingest_apply(r.g, &c, &r.err))
            fail_msg("%s %s", diags.p ? diags.p : "", r.err.message);
        struct ingest_target_view *v;
        size_t n;
        assert_true(ingest_targets(r.g, &a, &v, &n, &r.err));
        assert_int_equal(n, (size_t)((4 - round % 2) * (8 - round % 5 + 1)));
        buf_deinit(&diags);
        buf_deinit(&y);
        arena_deinit(&a);
        int before = r.peer.requests;
        T_WAIT(r.peer.requests > before + 3);
    }
    apply(&r, "scrape_configs: []\n");
    T_WAIT(all_ended(&r.sink)); /* every series that was ever written */
    rig_deinit(&r);
}

static void test_target_limit_and_dropped(void **state) {
    (void)state;
    struct rig r;
    rig_init(&r);
    t_peer_text(&r.peer, "a 1\n");
    apply(
        &r,
        "scrape_configs:\n- job_name: j\n  scrape_interval: 100ms\n  scrape_timeout: 100ms\n  "
        "target_limit: 1\n  static_configs:\n"
        "  - targets: ['127.0.0.1:%u', 'localhost:%u', 'drop:1', 'bad/address']\n"
        "  relabel_configs:\n  - {source_labels: [__address__], regex: 'drop:.*', action: drop}\n",
        r.peer.port, r.peer.port);
    struct arena a = ARENA_INIT;
    struct ingest_job_view *j;
    struct ingest_dropped_view *d;
    size_t n;
    assert_true(ingest_jobs(r.g, &a, &j, &n, &r.err));
    assert_int_equal(n, 1);
    assert_int_equal(j[0].targets, 2);
    assert_int_equal(j[0].dropped, 1);
    assert_non_null(strstr(j[0].error.p, "bad/address"));
    assert_true(ingest_dropped(r.g, &a, &d, &n, &r.err));
    assert_int_equal(n, 1);
    assert_true(str_eqz(labels_get(d[0].discovered, STR("__address__")), "drop:1"));
    char series[128];
    (void)snprintf(series, sizeof(series), "up{instance=\"127.0.0.1:%u\", job=\"j\"}", r.peer.port);
    T_WAIT(value_is(&r, series, 0));
    assert_int_equal(r.peer.requests, 0);
    arena_deinit(&a);
    rig_deinit(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scrape),
        cmocka_unit_test(test_bad_pages),
        cmocka_unit_test(test_slow_peers),
        cmocka_unit_test(test_refused_and_redirect),
        cmocka_unit_test(test_reload_keeps_targets),
        cmocka_unit_test(test_label_flood),
        cmocka_unit_test(test_accepted_and_failed_writes),
        cmocka_unit_test(test_file_and_http_discovery),
        cmocka_unit_test(test_dns_discovery),
        cmocka_unit_test(test_churn),
        cmocka_unit_test(test_target_limit_and_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
