#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/server/config.h"
#include "os/file.h"
#include "query/promql/promql.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
    char dir[64];
    struct arena a;
    struct conf_diags diags;
    struct buf text;
    struct config *c;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f)
        return -1;
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/hinomi-config-XXXXXX");
    *state = f;
    return mkdtemp(f->dir) ? 0 : -1;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    struct err err;
    config_unref(f->c);
    buf_deinit(&f->text);
    arena_deinit(&f->a);
    bool ok = file_remove_tree(f->dir, &err);
    free(f);
    return ok ? 0 : -1;
}

static void put(struct fixture *f, const char *name, const char *content) {
    struct err err;
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    assert_true(file_mkdirs(path, 0700, &err));
    *slash = '/';
    assert_true(file_write_atomic(path, str_from(content), 0600, &err));
}

/* Loads <dir>/hinomi.yml; findings as text without the folder. */
static bool load(struct fixture *f) {
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/hinomi.yml", f->dir);
    config_unref(f->c);
    arena_deinit(&f->a);
    f->diags = (struct conf_diags){.arena = &f->a};
    f->c = config_load(path, &f->diags);
    struct buf b = BUF_INIT;
    conf_yaml_format_diags(&f->diags, &b);
    buf_reset(&f->text);
    buf_putz(&f->text, "");
    struct str rest = buf_view(&b), prefix = arena_printf(&f->a, "%s/", f->dir);
    while (rest.n) {
        size_t at = str_find(rest, prefix);
        buf_puts(&f->text, str_sub(rest, 0, at == SIZE_MAX ? rest.n : at));
        rest = str_from_offset(rest, at == SIZE_MAX ? rest.n : at + prefix.n);
    }
    buf_putc(&f->text, '\0');
    buf_deinit(&b);
    return f->c != NULL;
}

static void loads(struct fixture *f, const char *text) {
    put(f, "hinomi.yml", text);
    if (!load(f))
        fail_msg("%s", f->text.p);
}

static void finds(struct fixture *f, const char *text, const char *finding) {
    put(f, "hinomi.yml", text);
    if (load(f))
        fail_msg("accepted: %s", text);
    if (!strstr(f->text.p, finding))
        fail_msg("for: %s\nexpected: %s\nfound:    %s", text, finding, f->text.p);
}

static void nothing_is_needed(void **state) {
    struct fixture *f = *state;
    f->diags.arena = &f->a;
    f->c = config_load(NULL, &f->diags);
    assert_non_null(f->c);
    assert_int_equal(f->diags.n, 0);
    const struct config_root *r = &f->c->root;
    assert_true(str_eqz(r->server.listen, "127.0.0.1:11900"));
    assert_int_equal(r->store.series.retention_ms, INT64_C(30) * 24 * 3600 * 1000);
    assert_int_equal(r->store.series.accept_window_ms, 3600000);
    assert_int_equal(r->query.timeout_ms, 120000);
    assert_int_equal(r->query.memory_bytes, 512u << 20);
    assert_true(r->collect.enabled);
    assert_int_equal(r->collect.options.interval_ms, 1000);
    assert_null(r->notify.route);
    assert_int_equal(f->c->n_rules, 1);
    assert_true(f->c->rules[0].builtin);
}

static void the_servers_own_sections(void **state) {
    struct fixture *f = *state;
    loads(f, "server:\n  listen: '[::1]:80'\n  public_url: https://h.example\n  allowed_hosts: "
             "[h.example]\n"
             "store: {series: {retention: 1y, retention_size: 10GB, accept_window: unlimited}}\n"
             "query: {promql: {features: [promql-duration-expr]}, lookback_delta: 1m}\n"
             "collect: {enabled: false, interval: 5s, disabled: [timex]}\nbuiltin_rules: false\n");
    const struct config_root *r = &f->c->root;
    assert_true(r->store.series.accept_window_ms == INT64_MAX);
    assert_int_equal(r->query.promql.feature_bits, PROMQL_DURATION_EXPRESSION);
    assert_false(r->collect.enabled);
    assert_int_equal(r->collect.options.interval_ms, 5000);
    assert_int_equal(r->collect.options.disabled.n, 1);
    assert_int_equal(f->c->n_rules, 0);
    loads(f, "query: {promql: {features: [all]}}\n");
    assert_int_equal(f->c->root.query.promql.feature_bits, PROMQL_ALL_FEATURES);
    finds(f, "query: {promql: {features: [magic]}}\n",
          "features: expected all, promql-experimental-functions");
    finds(f, "server: {listen: localhost}\n",
          "hinomi.yml:1:18: listen: expected HOST:PORT such as 127.0.0.1:11900");
    finds(f, "server: {tls_key_file: k.pem}\n", "\"tls_cert_file\" is missing");
    finds(f, "server: {public_url: h.example}\n", "public_url: expected http://... or https://...");
    finds(f, "server: {lissten: x}\nstroe: {}\n",
          "hinomi.yml:1:10: unknown key \"lissten\" in server; did you mean \"listen\"?");
    assert_non_null(strstr(
        f->text.p, "hinomi.yml:2:1: unknown key \"stroe\" in hinomi.yml; did you mean \"store\"?"));
}

static void files_of_the_neighbours_load(void **state) {
    struct fixture *f = *state;
    loads(f,
          "global: {scrape_interval: 15s, evaluation_interval: 30s, external_labels: {cluster: a}, "
          "resolve_timeout: 10m}\n"
          "alerting: {alertmanagers: [{static_configs: [{targets: ['a:9093']}]}]}\n"
          "remote_write: [{url: 'http://x/'}]\nstorage: {tsdb: {out_of_order_time_window: 30m}}\n"
          "scrape_configs: [{job_name: a, static_configs: [{targets: ['b:1']}], "
          "relabel_configs: [{source_labels: [a], regex: '(?P<host>.*):.*', replacement: "
          "'${host}-$1-${1}', target_label: h}]}]\n"
          "route: {receiver: team}\nreceivers: [{name: team, webhook_configs: [{url: "
          "'http://x/'}]}]\n");
    assert_int_equal(f->diags.n, 3);
    for (size_t i = 0; i < f->diags.n; i++)
        assert_true(f->diags.v[i].warning);
    assert_non_null(strstr(
        f->text.p, "hinomi.yml:2:1: warning: \"alerting\" is not used: hinomi rings by itself"));
    const struct config_root *r = &f->c->root;
    assert_int_equal(r->global.ingest.evaluation_interval_ms, 30000);
    assert_int_equal(r->notify.global.resolve_timeout_ms, 600000);
    put(f, "token.txt", "t0k3n\n");
    loads(f, "scrape_configs: [{job_name: a, bearer_token_file: token.txt}]\n");
    const struct ingest_scrape_config *job = f->c->root.scrape_configs.v;
    assert_non_null(job->http.authorization);
    assert_true(str_eqz(job->http.authorization->credentials, "t0k3n"));
    finds(f, "scrape_configs: [{job_name: a, bearer_token: x, authorization: {credentials: y}}]\n",
          "bearer_token: authorization says the same");
    finds(f, "route: {receiver: nobody}\nreceivers: [{name: team}]\n", "nobody");
    finds(f, "scrape_configs: [{job_name: a}, {job_name: a}]\n",
          "job_name: \"a\" is taken by the scrape configuration in");
}

static void several_files_are_one_configuration(void **state) {
    struct fixture *f = *state;
    put(f, "conf.d/a.yml", "scrape_configs: [{job_name: a}]\nserver: {public_url: http://h}\n");
    put(f, "conf.d/b.yml",
        "scrape_configs: [{job_name: b}]\nreceivers: [{name: r, webhook_configs: [{url_file: "
        "url.txt}]}]\nroute: {receiver: r}\n");
    put(f, "conf.d/url.txt", "http://127.0.0.1:1/x\n");
    put(f, "more/scrape.yml", "scrape_configs: [{job_name: c}]\n");
    loads(f, "include: [conf.d/*.yml]\nscrape_config_files: more/*.yml\nserver: {insecure_http: "
             "true}\n");
    assert_int_equal(f->c->root.scrape_configs.n, 3);
    assert_true(f->c->root.server.insecure_http);
    assert_true(str_eqz(f->c->root.server.public_url, "http://h"));
    const struct notify_receiver_conf *r = f->c->root.notify.receivers.v;
    assert_true(
        str_eqz(((const struct notify_webhook_conf *)r->webhook.v)->url, "http://127.0.0.1:1/x"));
    finds(f, "include: [conf.d/*.yml]\nserver: {public_url: http://other}\n",
          "conf.d/a.yml:2:22: \"public_url\" is set here and in");
    finds(f, "include: [conf.d/gone.yml]\n", "hinomi.yml:1:11: there is no file");
    loads(f, "include: [conf.d/gone*.yml]\n");
    put(f, "conf.d/c.yml", "include: [more.yml]\n");
    finds(f, "include: [conf.d/c.yml]\n",
          "conf.d/c.yml:1:10: only the main file may include others");
    put(f, "more/wrong.yml", "receivers: []\n");
    finds(f, "scrape_config_files: [more/wrong.yml]\n",
          "more/wrong.yml:1:1: unknown key \"receivers\"; expected scrape_configs alone");
}

static void rule_files_are_checked_with_it(void **state) {
    struct fixture *f = *state;
    put(f, "rules/good.yml",
        "groups: [{name: g, rules: [{record: a:b, expr: sum(up)}, {alert: A, expr: up == 0, "
        "annotations: {s: '{{ $value }}'}}]}]\n");
    loads(f, "rule_files: [rules/*.yml]\n");
    assert_int_equal(f->c->n_rules, 2);
    put(f, "rules/bad.yml", "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: sum(up\n");
    finds(f, "rule_files: [rules/*.yml]\n", "rules/bad.yml:5:11: expr: ");
    finds(f, "rule_files: [rules/none.yml]\n", "there is no file");
    put(f, "rules/bad.yml", "groups:\n- name: g\n  ruels: []\n");
    finds(f, "rule_files: [rules/bad.yml]\n", "rules/bad.yml:3:3: unknown key \"ruels\"");
}

static void agents_have_their_scrapes_checked(void **state) {
    struct fixture *f = *state;
    loads(f, "agents: [{host: 'web-.*', interval: 5s, scrape_configs: [{job_name: a, basic_auth: "
             "{username: u, password: \"${ON_AGENT}\"}}]}]\n");
    const struct config_agents *v = f->c->root.agents.v;
    struct buf b = BUF_INIT;
    conf_yaml_encode_node(v[0].scrape_configs, &b);
    assert_non_null(strstr(b.p, "password: \"${ON_AGENT}\"")); /* the agent's own variable */
    buf_deinit(&b);
    finds(f, "agents:\n- scrape_configs:\n  - jobname: a\n",
          "hinomi.yml:3:5: unknown key \"jobname\"");
    finds(f, "agents: [{host: '('}]\n", "host: expected a regular expression");
}

static void doors_are_looked_at_before_serving(void **state) {
    struct fixture *f = *state;
    loads(f, "server: {listen: '0.0.0.0:11900'}\n");
    assert_int_equal(f->diags.n, 1);
    assert_true(f->diags.v[0].warning);
    assert_non_null(strstr(f->text.p, "0.0.0.0:11900 is not loopback"));
    loads(f, "server: {listen: '0.0.0.0:11900', insecure_http: true}\n");
    assert_int_equal(f->diags.n, 0);
    finds(f, "server: {tls_cert_file: gone.pem, tls_key_file: gone.key}\n",
          "server.tls_key_file: there is no file gone.key");
}

static void a_missing_or_giant_file(void **state) {
    struct fixture *f = *state;
    f->diags.arena = &f->a;
    assert_null(config_load("/nonexistent/hinomi.yml", &f->diags));
    assert_int_equal(f->diags.n, 1);
    assert_non_null(strstr(f->diags.v[0].message, "/nonexistent/hinomi.yml"));
    char *giant = malloc((5 << 20) + 1);
    assert_non_null(giant);
    memset(giant, '#', 5 << 20);
    giant[5 << 20] = 0;
    put(f, "hinomi.yml", giant);
    free(giant);
    assert_false(load(f));
}

static void text_from_outside_reads_no_files(void **state) {
    struct fixture *f = *state;
    f->diags.arena = &f->a;
    assert_true(config_check_text(STR("global: {scrape_interval: 5s}\n"), "input", &f->diags));
    assert_false(config_check_text(
        STR("receivers: [{name: a, webhook_configs: [{url_file: /etc/shadow}]}]\n"), "input",
        &f->diags));
    assert_non_null(strstr(f->diags.v[f->diags.n - 1].message, "cannot be read here"));
}

static void shown_configuration_loads_again(void **state) {
    struct fixture *f = *state;
    loads(f, "global: {scrape_interval: 5s}\nscrape_configs: [{job_name: a, static_configs: "
             "[{targets: ['b:1']}]}]\nstore: {series: {retention: 90d}}\n");
    struct buf once = BUF_INIT, twice = BUF_INIT;
    conf_yaml_encode(config_table(), &f->c->root, false, &once);
    loads(f, once.p);
    conf_yaml_encode(config_table(), &f->c->root, false, &twice);
    assert_string_equal(once.p, twice.p);
    buf_reset(&twice);
    conf_yaml_encode(config_table(), &f->c->root, true, &twice);
    loads(f, twice.p);
    buf_deinit(&once);
    buf_deinit(&twice);
}

static void addresses(void **state) {
    (void)state;
    struct str host;
    uint16_t port;
    struct err err;
    assert_true(config_parse_listen(STR("127.0.0.1:0"), &host, &port, &err));
    assert_true(config_parse_listen(STR("[::]:11900"), &host, &port, &err));
    assert_true(str_eqz(host, "::") && port == 11900);
    assert_true(config_parse_listen(STR(":80"), &host, &port, &err) && host.n == 0);
    static const char *const bad[] = {"", "x", "1:2:3", "h:70000", "h:", "h:8x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(config_parse_listen(str_from(bad[i]), &host, &port, &err));
    assert_true(config_host_is_loopback(STR("127.1.2.3")) && config_host_is_loopback(STR("::1")) &&
                config_host_is_loopback(STR("LocalHost")));
    assert_false(config_host_is_loopback(STR("")) || config_host_is_loopback(STR("0.0.0.0")) ||
                 config_host_is_loopback(STR("127.0.0.1.evil.com")));
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(nothing_is_needed),
                                       T(the_servers_own_sections),
                                       T(files_of_the_neighbours_load),
                                       T(several_files_are_one_configuration),
                                       T(rule_files_are_checked_with_it),
                                       T(agents_have_their_scrapes_checked),
                                       T(a_missing_or_giant_file),
                                       T(doors_are_looked_at_before_serving),
                                       T(text_from_outside_reads_no_files),
                                       T(shown_configuration_loads_again),
                                       T(addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
