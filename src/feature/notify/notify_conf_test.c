#include "feature/notify/notify_conf.h"

#include "codec/conf_yaml.h"
#include "feature/notify/notify_match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/corpus_testlib.h"
#include "feature/notify/notify_conf_fuzz.c"

static bool decode(const char *text, struct arena *a, struct notify_conf *out,
                   struct conf_diags *d) {
    struct conf_env env = {0};
    *d = (struct conf_diags){.arena = a};
    return conf_yaml_decode(str_from(text), "am.yml", &notify_conf_table, &env, a, out, d);
}

/* A configuration as Alertmanager's users write it. */
static const char whole[] = "global:\n"
                            "  resolve_timeout: 10m\n"
                            "  slack_api_url: https://hooks.slack.com/services/a/b/c\n"
                            "route:\n"
                            "  receiver: default\n"
                            "  group_by: [alertname, cluster]\n"
                            "  group_wait: 30s\n"
                            "  group_interval: 5m\n"
                            "  repeat_interval: 3h\n"
                            "  routes:\n"
                            "  - matchers: ['service=~\"foo1|foo2|baz\"', severity != info]\n"
                            "    receiver: team-X\n"
                            "    continue: true\n"
                            "    mute_time_intervals: [nights]\n"
                            "    routes:\n"
                            "    - match: {owner: team-Y}\n"
                            "      group_by: ['...']\n"
                            "      group_wait: 0s\n"
                            "receivers:\n"
                            "- name: default\n"
                            "  slack_configs:\n"
                            "  - channel: '#general'\n"
                            "    title: '{{ .CommonLabels.alertname }}'\n"
                            "- name: team-X\n"
                            "  language: ja\n"
                            "  fallback: default\n"
                            "  webhook_configs:\n"
                            "  - url: https://x.example/hook\n"
                            "    send_resolved: false\n"
                            "    max_alerts: 10\n"
                            "    http_config: {basic_auth: {username: u, password: p}, tls_config: "
                            "{insecure_skip_verify: true}}\n"
                            "inhibit_rules:\n"
                            "- source_matchers: [alertname=HostDown]\n"
                            "  target_matchers: ['severity=~\"warning|info\"']\n"
                            "  equal: [instance]\n"
                            "time_intervals:\n"
                            "- name: nights\n"
                            "  time_intervals:\n"
                            "  - times: [{start_time: '22:00', end_time: '24:00'}, {start_time: "
                            "'00:00', end_time: '05:00'}]\n"
                            "    weekdays: ['monday:friday', saturday]\n"
                            "    days_of_month: ['1:5', '-3:-1']\n"
                            "    months: ['december', '1:3']\n"
                            "    years: ['2026:2030']\n"
                            "    location: Asia/Tokyo\n";

static void test_whole(void **arg) {
    (void)arg;
    struct arena a = ARENA_INIT;
    struct notify_conf c;
    struct conf_diags d;
    if (!decode(whole, &a, &c, &d))
        fail_msg("%u:%u: %s", d.v[0].line, d.v[0].column, d.v[0].message);
    assert_int_equal(c.global.resolve_timeout_ms, 600000);
    assert_true(str_eqz(c.route->receiver, "default"));
    assert_int_equal(c.route->repeat_interval_ms, 3 * 3600 * 1000);
    const struct notify_route_conf *sub = c.route->routes.v;
    assert_int_equal(sub->group_wait_ms, -1);
    assert_true(sub->continue_matching);
    const struct notify_route_conf *leaf = sub->routes.v;
    assert_int_equal(leaf->group_wait_ms, 0);
    const struct notify_receiver_conf *r = c.receivers.v;
    assert_int_equal(r[1].language, NOTIFY_JA);
    const struct notify_webhook_conf *w = r[1].webhook.v;
    assert_false(w->send_resolved);
    assert_true(str_eqz(w->http->basic_auth->username, "u"));
    assert_true(w->http->tls_config->insecure_skip_verify && w->http->follow_redirects);
    struct buf out = BUF_INIT;
    conf_yaml_encode(&notify_conf_table, &c, false, &out);
    assert_true(buf_ok(&out) && out.n > 0);
    assert_null(strstr(out.p, "hooks.slack.com")); /* secrets stay inside */
    assert_null(strstr(out.p, "x.example"));
    buf_deinit(&out);
    arena_deinit(&a);
}

static void test_findings(void **arg) {
    (void)arg;
    static const struct {
        const char *text, *want;
        uint32_t line;
    } cases[] = {
        {"route: {group_by: [a]}\n", "root route needs a receiver", 1},
        {"route: {receiver: x}\n", "receiver \"x\" is not defined", 1},
        {"route: {receiver: x, matchers: ['a=\"b\"']}\nreceivers: [{name: x}]\n",
         "must not have matchers", 1},
        {"receivers:\n- name: x\n- name: x\n", "used twice", 3},
        {"receivers:\n- name: x\n  webhook_configs: [{}]\n", "url", 3},
        {"receivers:\n- name: x\n  webhook_configs: [{url: hook}]\n", "https://", 3},
        {"receivers:\n- name: x\n  slack_configs: [{channel: c}]\n", "slack_api_url", 3},
        {"receivers:\n- name: x\n  fallback: x\n", "another receiver", 2},
        {"receivers:\n- name: x\n  slak_configs: []\n", "slack_configs", 3},
        {"receivers: [{name: x}]\nroute:\n  receiver: x\n  routes:\n  - matchers: [severity]\n",
         "expected =", 5},
        {"receivers: [{name: x}]\nroute:\n  receiver: x\n  routes:\n  - matchers: ['a=~\"(\"']\n",
         "matcher of", 5},
        {"receivers: [{name: x}]\nroute:\n  receiver: x\n  group_interval: 0s\n", "more than zero",
         4},
        {"receivers: [{name: x}]\nroute:\n  receiver: x\n  group_wait: soon\n", "group_wait", 4},
        {"receivers: [{name: x}]\nroute:\n  receiver: x\n  routes: [{mute_time_intervals: [n]}]\n",
         "time interval \"n\"", 4},
        {"inhibit_rules: [{target_matchers: [a=b]}]\n", "source_matchers", 1},
        {"time_intervals: [{name: n, time_intervals: [{times: [{start_time: '9', end_time: "
         "'10:00'}]}]}]\n",
         "09:00", 1},
        {"time_intervals: [{name: n, time_intervals: [{times: [{start_time: '22:00', end_time: "
         "'05:00'}]}]}]\n",
         "two ranges", 1},
        {"time_intervals: [{name: n, time_intervals: [{weekdays: [funday]}]}]\n", "no such range",
         1},
        {"time_intervals: [{name: n, time_intervals: [{days_of_month: ['0']}]}]\n", "no such range",
         1},
        {"time_intervals: [{name: n, time_intervals: [{months: ['december:january']}]}]\n",
         "no such range", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena a = ARENA_INIT;
        struct notify_conf c;
        struct conf_diags d;
        if (decode(cases[i].text, &a, &c, &d) || d.n == 0)
            fail_msg("%s: no finding", cases[i].text);
        if (!strstr(d.v[0].message, cases[i].want) || d.v[0].line != cases[i].line)
            fail_msg("%s: want line %u \"%s\", got line %u \"%s\"", cases[i].text, cases[i].line,
                     cases[i].want, d.v[0].line, d.v[0].message);
        arena_deinit(&a);
    }
}

static void test_matchers(void **arg) {
    (void)arg;
    static const struct {
        const char *text;
        bool yes;
    } cases[] = {
        {"severity=\"critical\"", true},
        {"severity=critical", true},
        {"severity = critical", true},
        {"{severity=\"critical\",team=~\"a.*\"}", true},
        {"severity!=\"critical\"", false},
        {"team!~\"b|c\"", true},
        {"nothing=\"\"", true},
        {"nothing!=\"\"", false},
        {"\"サービス\"=\"店\"", true},
        {"サービス=店", true},
        {"team=~\"a\"", false},
        {"quoted=\"a\\\"b\\\\c\\n\"", true},
        {"", true},
        {"{}", true},
        {"severity=critical,", true},
    };
    struct label l[] = {{STR("quoted"), STR("a\"b\\c\n")},
                        {STR("severity"), STR("critical")},
                        {STR("team"), STR("abc")},
                        {STR("サービス"), STR("店")}};
    struct labels ls = {l, 4};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena a = ARENA_INIT;
        struct str text = str_from(cases[i].text);
        struct conf_strs list = {&text, 1};
        struct conf_pairs none = {0};
        struct notify_matchers m = {0};
        struct err err = {0};
        if (!notify_matchers_compile(&list, &none, &none, &a, &m, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        if (matchers_match(m.v, m.n, ls) != cases[i].yes)
            fail_msg("%s: expected %s", cases[i].text, cases[i].yes ? "a match" : "no match");
        notify_matchers_free(&m);
        arena_deinit(&a);
    }
}

static void test_corpus(void **arg) {
    (void)arg;
    assert_true(corpus_replay(TESTDATA_DIR "/notify_conf", LLVMFuzzerTestOneInput) >= 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_findings),
        cmocka_unit_test(test_matchers),
        cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
