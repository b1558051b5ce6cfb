#include "base/base_testlib.h"
#include "codec/corpus_testlib.h"
#include "feature/ingest/ingest_testlib.h"
#include "feature/ingest/target.h"
#include "feature/ingest/target_fuzz.c"

static struct target_groups groups(const char *text, bool json, struct arena *a) {
    struct target_groups g;
    struct err err;
    bool ok = json ? target_groups_from_json(str_from(text), a, &g, &err)
                   : target_groups_from_yaml(str_from(text), "f.yml", a, &g, &err);
    if (!ok)
        fail_msg("%s", err.message);
    return g;
}

static void refuse(const char *text, bool json, const char *why) {
    struct arena a = ARENA_INIT;
    struct target_groups g;
    struct err err;
    bool ok = json ? target_groups_from_json(str_from(text), &a, &g, &err)
                   : target_groups_from_yaml(str_from(text), "f.yml", &a, &g, &err);
    if (ok)
        fail_msg("accepted %s", text);
    if (!strstr(err.message, why))
        fail_msg("\"%s\" does not say \"%s\"", err.message, why);
    arena_deinit(&a);
}

static void test_groups(void **state) {
    (void)state;
    struct arena a = ARENA_INIT;
    struct target_groups g = groups(
        "[{\"targets\":[\"a:1\",\"b:2\"],\"labels\":{\"x\":\"y\"}},{\"targets\":[]}]", true, &a);
    assert_int_equal(g.n, 2);
    assert_int_equal(g.v[0].n, 2);
    assert_true(str_eqz(g.v[0].targets[1], "b:2"));
    assert_true(g.v[0].n_labels == 1 && str_eqz(g.v[0].labels[0].value, "y"));
    g = groups("- targets: [a:1, 'b:2']\n  labels:\n    x: 'y'\n    n: 5\n- targets:\n  - c:3\n",
               false, &a);
    assert_int_equal(g.n, 2);
    assert_true(str_eqz(g.v[0].labels[1].value, "5"));
    assert_true(str_eqz(g.v[1].targets[0], "c:3"));
    assert_int_equal(groups("", false, &a).n, 0);
    arena_deinit(&a);
    refuse("{}", true, "expected a list");
    refuse("[{\"targets\":\"a\"}]", true, "list \"targets\"");
    refuse("[{\"targets\":[1]}]", true, "not a string");
    refuse("[{\"targets\":[],\"labels\":{\"a\":1}}]", true, "label \"a\"");
    refuse("[{\"targets\":[],\"label\":{}}]", true, "unknown key \"label\"");
    refuse("[{\"targets\":[]", true, "line 1");
    refuse("targets: [a]\n", false, "list of target groups");
    refuse("- targets: a\n", false, "list under targets");
    refuse("- labels: {a: b}\n", false, "targets");
    refuse("- targets: [a]\n  what: 1\n", false, "unknown key");
    refuse("- targets: [[a]]\n", false, "host:port");
    refuse("- targets: [a\n", false, "line");
}

struct built {
    struct arena a;
    struct ingest_config c;
    struct target_defaults d;
    struct relabel *relabel;
    struct labels_builder b;
    struct target_spec spec;
    struct err err;
};

static bool build(struct built *t, const char *yaml, const char *address) {
    struct buf diags = BUF_INIT;
    *t = (struct built){.a = ARENA_INIT};
    if (!t_config(yaml, &t->a, &t->c, &diags))
        fail_msg("%s", diags.p);
    buf_deinit(&diags);
    const struct ingest_scrape_config *s = t->c.scrapes;
    t->d = (struct target_defaults){s, 15000, 10000};
    t->relabel = relabel_new(s->relabel_configs.v, s->relabel_configs.n, &t->err);
    assert_non_null(t->relabel);
    struct str target = str_from(address);
    struct label l[] = {{STR("__meta_zone"), STR("z1")}, {STR("team"), STR("ops")}};
    struct target_group g = {.targets = &target, .n = 1, .labels = l, .n_labels = 2};
    return target_build(&t->d, t->relabel, &g, 0, &t->a, &t->b, &t->spec, &t->err);
}

static void done(struct built *t) {
    relabel_free(t->relabel);
    labels_builder_deinit(&t->b);
    arena_deinit(&t->a);
}

static void expect(const char *yaml, const char *address, const char *url, const char *labels) {
    struct built t;
    struct buf got = BUF_INIT;
    if (!build(&t, yaml, address))
        fail_msg("%s", t.err.message);
    assert_string_equal(t.spec.url.p, url);
    labels_format(&got, t.spec.labels);
    assert_string_equal(got.p, labels);
    buf_deinit(&got);
    done(&t);
}

static void broken(const char *yaml, const char *address, const char *why) {
    struct built t;
    assert_false(build(&t, yaml, address));
    if (!strstr(t.err.message, why))
        fail_msg("\"%s\" does not say \"%s\"", t.err.message, why);
    done(&t);
}

#define HEAD "scrape_configs:\n- job_name: j\n"
#define LABELS(instance) "{instance=\"" instance "\", job=\"j\", team=\"ops\"}"

static void test_build(void **state) {
    (void)state;
    expect(HEAD, "h:1", "http://h:1/metrics", LABELS("h:1"));
    expect(HEAD "  scheme: https\n  metrics_path: x/y\n", "h", "https://h/x/y", LABELS("h"));
    expect(HEAD "  params: {a: ['1', '2 3'], b: 4}\n", "h:1", "http://h:1/metrics?a=1&a=2%203&b=4",
           LABELS("h:1"));
    /* relabelling sees and may change everything */
    expect(HEAD "  params: {module: [tcp]}\n  relabel_configs:\n"
                "  - {source_labels: [__address__], target_label: __param_target}\n"
                "  - {source_labels: [__param_target], target_label: instance}\n"
                "  - {target_label: __address__, replacement: 'blackbox:9115'}\n"
                "  - {target_label: __param_module, replacement: 'http 2xx'}\n"
                "  - {source_labels: [__meta_zone], target_label: zone}\n",
           "www.example.com",
           "http://blackbox:9115/metrics?module=http%202xx&target=www.example.com",
           "{instance=\"www.example.com\", job=\"j\", team=\"ops\", zone=\"z1\"}");
    expect(HEAD "  relabel_configs:\n  - {target_label: __scheme__, replacement: https}\n"
                "  - {target_label: __metrics_path__, replacement: /p}\n  - {target_label: job, "
                "replacement: k}\n",
           "[::1]:9", "https://[::1]:9/p", "{instance=\"[::1]:9\", job=\"k\", team=\"ops\"}");
    struct built t;
    assert_true(
        build(&t,
              HEAD "  relabel_configs:\n  - {target_label: __scrape_interval__, replacement: 3s}\n"
                   "  - {target_label: __scrape_timeout__, replacement: 2s}\n",
              "h:1"));
    assert_int_equal(t.spec.interval_ms, 3000);
    assert_int_equal(t.spec.timeout_ms, 2000);
    done(&t);
    assert_true(build(
        &t, HEAD "  relabel_configs:\n  - {source_labels: [team], regex: ops, action: drop}\n",
        "h:1"));
    assert_true(t.spec.dropped);
    assert_true(str_eqz(labels_get(t.spec.discovered, STR("__meta_zone")), "z1"));
    done(&t);
    broken(HEAD, "", "no address");
    broken(HEAD, "h:1/metrics", "not an address");
    broken(HEAD, "user@h", "not an address");
    broken(HEAD "  relabel_configs: [{target_label: __scheme__, replacement: file}]\n", "h:1",
           "http or https");
    broken(HEAD "  relabel_configs: [{target_label: __scrape_interval__, replacement: 5s}]\n",
           "h:1", "longer than the interval");
    broken(HEAD "  relabel_configs: [{target_label: __scrape_timeout__, replacement: soon}]\n",
           "h:1", "__scrape_timeout__");
}

static void config_refused(const char *yaml, const char *why) {
    struct arena a = ARENA_INIT;
    struct ingest_config c;
    struct buf diags = BUF_INIT;
    if (t_config(yaml, &a, &c, &diags))
        fail_msg("accepted %s", yaml);
    if (!strstr(diags.p, why))
        fail_msg("\"%s\" does not say \"%s\"", diags.p, why);
    buf_deinit(&diags);
    arena_deinit(&a);
}

static void test_grammar(void **state) {
    (void)state;
    struct arena a = ARENA_INIT;
    struct ingest_config c;
    struct buf diags = BUF_INIT;
    /* what a Prometheus user's file has */
    bool ok = t_config(
        "global:\n  scrape_interval: 15s\n  evaluation_interval: 30s\n  external_labels: {site: "
        "tokyo}\n"
        "scrape_configs:\n- job_name: node\n  scrape_interval: 5s\n  honor_labels: true\n  "
        "sample_limit: 1000\n"
        "  body_size_limit: 10MB\n  basic_auth: {username: u, password: p}\n  tls_config: "
        "{insecure_skip_verify: true}\n"
        "  scheme: https\n  static_configs: [{targets: ['a:1', 'b:2'], labels: {env: prod}}]\n"
        "  file_sd_configs: [{files: [sd/*.yml]}]\n  dns_sd_configs: [{names: [a.example], type: "
        "A, port: 80}]\n"
        "  http_sd_configs: [{url: 'http://x/sd', authorization: {credentials: secret}}]\n"
        "  scrape_protocols: [OpenMetricsText1.0.0, PrometheusText0.0.4]\n  enable_http2: false\n",
        &a, &c, &diags);
    if (!ok)
        fail_msg("%s", diags.p);
    assert_int_equal(c.global->scrape_interval_ms, 15000);
    assert_int_equal(c.scrapes[0].limits.body_size_bytes, 10 << 20);
    assert_true(c.scrapes[0].honor_timestamps && c.scrapes[0].http.follow_redirects);
    assert_true(str_eqz(c.scrapes[0].http.basic_auth->password, "p"));
    struct buf accept = BUF_INIT;
    ingest_accept_header(&c.scrapes[0].scrape_protocols, &accept);
    assert_string_equal(accept.p,
                        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                        "text/plain;version=0.0.4;q=0.5,*/*;q=0.4");
    buf_deinit(&accept);
    buf_deinit(&diags);
    arena_deinit(&a);
    config_refused(HEAD "  kubernetes_sd_configs: [{role: pod}]\n",
                   "kubernetes_sd_configs is not supported");
    config_refused(HEAD "  consul_sd_configs: []\n", "file_sd_configs or http_sd_configs");
    config_refused(HEAD "  scrape_interval: 5s\n  scrape_timeout: 6s\n", "longer");
    config_refused(HEAD "  basic_auth: {username: a}\n  authorization: {credentials: b}\n",
                   "exclude each other");
    config_refused(HEAD "  scrape_protocols: [Morse]\n", "Morse");
    config_refused(HEAD "  scrape_protocols: [PrometheusProto]\n", "add a text protocol");
    config_refused(HEAD "  file_sd_configs: [{files: ['a*/b.yml']}]\n", "last part");
    config_refused(HEAD "  file_sd_configs: [{files: [a.txt]}]\n", ".json");
    config_refused(HEAD "  dns_sd_configs: [{names: [a], type: A}]\n", "port");
    config_refused(HEAD "  http_sd_configs: [{url: 'file:///x'}]\n", "http://");
    config_refused(HEAD "  params: {a: {b: c}}\n", "list of strings");
    config_refused(HEAD "  oauth2: {client_id: a}\n", "oauth2");
    config_refused(HEAD "  metric_path: /x\n", "metrics_path");
    config_refused("scrape_configs: [{scheme: http}]\n", "job_name");
}

static void test_corpus(void **state) {
    (void)state;
    assert_true(corpus_replay(TESTDATA_DIR "/target", LLVMFuzzerTestOneInput) >= 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus), cmocka_unit_test(test_groups),
                                       cmocka_unit_test(test_build),
                                       cmocka_unit_test(test_grammar)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
