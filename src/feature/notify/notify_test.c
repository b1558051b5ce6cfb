#include "feature/notify/notify.h"

#include "codec/conf_yaml.h"
#include "codec/json.h"
#include "feature/notify/notify_int.h"
#include "feature/notify/receiver_testlib.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/random.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    char dir[64], path[96];
    struct state *state;
    struct clock_manual manual;
    struct clock clock;
    struct http_client *http;
    struct receiver_double *out;
    struct notify *n;
    struct arena conf_arena;
    struct notify_conf conf;
    char url[3][96];
};

static void start(struct bench *b) {
    struct err err = {0};
    b->state = state_open(b->path, &b->clock, &err);
    assert_non_null(b->state);
    struct notify_options opt = {.state = b->state,
                                 .http = b->http,
                                 .clock = &b->clock,
                                 .manual = true,
                                 .pace_ms = 1000,
                                 .public_url = STR("http://hinomi.example:11900")};
    b->n = notify_new(&opt, &err);
    if (!b->n)
        fail_msg("%s", err.message);
}

static int setup(void **arg) {
    struct bench *b = calloc(1, sizeof(*b));
    struct err err = {0};
    snprintf(b->dir, sizeof(b->dir), "/tmp/hinomi-notify-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->path, sizeof(b->path), "%s/state.db", b->dir);
    b->manual = (struct clock_manual){.wall_ns = INT64_C(1700000000) * 1000000000,
                                      .mono_ns = INT64_C(1000000000)};
    b->clock = clock_manual_view(&b->manual);
    b->http = http_client_new(&err);
    assert_non_null(b->http);
    b->out = receiver_double_new(0);
    for (int i = 0; i < 3; i++)
        snprintf(b->url[i], sizeof(b->url[i]), "http://127.0.0.1:%u%s",
                 receiver_double_port(b->out),
                 i == 0   ? "/services/T/B/secret"
                 : i == 1 ? "/hook1"
                          : "/hook2");
    start(b);
    *arg = b;
    return 0;
}
static int teardown(void **arg) {
    struct bench *b = *arg;
    struct err err = {0};
    notify_free(b->n);
    http_client_free(b->http);
    receiver_double_free(b->out);
    state_close(b->state);
    arena_deinit(&b->conf_arena);
    assert_true(file_remove_tree(b->dir, &err));
    free(b);
    return 0;
}

static void load(struct bench *b, const char *yaml) {
    struct err err = {0};
    struct conf_env env = {0};
    struct conf_diags d = {.arena = &b->conf_arena};
    struct buf text = BUF_INIT; /* URL0, URL1, URL2 stand for the addresses */
    for (const char *p = yaml; *p; p++) {
        if (strncmp(p, "URL", 3) == 0 && p[3] >= '0' && p[3] <= '2') {
            buf_putz(&text, b->url[p[3] - '0']);
            p += 3;
        } else {
            buf_putc(&text, *p);
        }
    }
    memset(&b->conf, 0, sizeof(b->conf));
    if (!conf_yaml_decode(buf_view(&text), "am.yml", &notify_conf_table, &env, &b->conf_arena,
                          &b->conf, &d))
        fail_msg("%u:%u %s", d.v[0].line, d.v[0].column, d.v[0].message);
    buf_deinit(&text);
    if (!notify_reload(b->n, &b->conf, &err))
        fail_msg("%s", err.message);
}

static void put_signal(struct state *s, int64_t at_ms, const char *kind, const char *labels,
                       const char *summary) {
    struct err err = {0};
    char key[33], texts[512];
    uint64_t h = 5381;
    for (const char *p = labels; *p; p++)
        h = h * 33 + (unsigned char)*p;
    snprintf(key, sizeof(key), "%016llx%016llx", (unsigned long long)h, (unsigned long long)h);
    snprintf(texts, sizeof(texts),
             "{summary=\"%s\", summary_ja=\"日本語 %s\", runbook=\"do this\"}", summary, summary);
    struct state_tx *tx = state_begin(s, &err);
    assert_non_null(tx);
    if (!state_exec(tx, &err,
                    "INSERT INTO "
                    "signals(at_ms,source,kind,alert_key,labels,annotations,value,starts_ms,ends_"
                    "ms,generator_url,"
                    "body) VALUES(?,'rule',?,?,?,?,'0.5',?,?,'http://g','{}')",
                    "issssii", at_ms, str_from(kind), str_from(key), str_from(labels),
                    str_from(texts), at_ms, strcmp(kind, "resolved") == 0 ? at_ms : (int64_t)0))
        fail_msg("%s", err.message);
    assert_true(state_commit(tx, &err));
}
static void signal_now(struct bench *b, const char *kind, const char *labels, const char *summary) {
    put_signal(b->state, b->manual.wall_ns / 1000000, kind, labels, summary);
}

static void route(struct bench *b) {
    struct err err = {0};
    if (!notify_run_router(b->n, &err))
        fail_msg("%s", err.message);
}
static void later(struct bench *b, int64_t seconds) {
    clock_manual_advance(&b->manual, DUR_S(seconds));
    route(b);
    (void)notify_run_senders(b->n);
}

static size_t outbox(struct bench *b, struct notify_delivery *first) {
    struct arena a = ARENA_INIT;
    struct notify_delivery *v;
    struct err err = {0};
    size_t n;
    assert_true(notify_outbox(b->n, 100, &a, &v, &n, &err));
    if (n && first) {
        *first = v[0];
        static char texts[3][300];
        snprintf(texts[0], 300, "%.*s", STR_FMT(v[0].title));
        snprintf(texts[1], 300, "%.*s", STR_FMT(v[0].last_error));
        snprintf(texts[2], 300, "%.*s", STR_FMT(v[0].kind));
        first->title = str_from(texts[0]);
        first->last_error = str_from(texts[1]);
        first->kind = str_from(texts[2]);
    }
    arena_deinit(&a);
    return n;
}

static bool has(struct str body, const char *what) {
    return str_find(body, str_from(what)) != SIZE_MAX;
}

/* HINOMI_SHOW_MESSAGES=1: for people to judge the messages by eye. */
static void show(struct bench *b, const char *path) {
    if (!getenv("HINOMI_SHOW_MESSAGES"))
        return;
    for (size_t i = 0; i < receiver_double_count(b->out, path); i++) {
        struct str body = receiver_double_body(b->out, path, i);
        print_message("%.*s\n", STR_FMT(body));
    }
}

#define ALL_TO_HOOK1 "receivers: [{name: ops, webhook_configs: [{url: URL1}]}]\n"

static void test_group_wait_resolve_repeat(void **arg) {
    struct bench *b = *arg;
    load(b, ALL_TO_HOOK1);
    signal_now(b, "firing", "{alertname=\"Disk\", instance=\"a\", severity=\"critical\"}",
               "a is full");
    later(b, 0);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 0); /* it waits for its kind */
    signal_now(b, "firing", "{alertname=\"Disk\", instance=\"b\", severity=\"critical\"}",
               "b is full");
    later(b, 9);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 0);
    later(b, 1);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 1);
    struct str body = receiver_double_body(b->out, "/hook1", 0);
    struct err err = {0};
    struct jsonr_doc *doc = jsonr_parse(body, &err);
    assert_non_null(doc);
    const struct jsonr *r = jsonr_root(doc);
    assert_true(str_eqz(jsonr_get_str(r, "version"), "4"));
    assert_true(str_eqz(jsonr_get_str(r, "status"), "firing"));
    assert_true(str_eqz(jsonr_get_str(r, "receiver"), "ops"));
    assert_true(str_eqz(jsonr_get_str(jsonr_get(r, "groupLabels"), "alertname"), "Disk"));
    assert_true(str_eqz(jsonr_get_str(jsonr_get(r, "commonLabels"), "severity"), "critical"));
    assert_true(jsonr_get(jsonr_get(r, "commonLabels"), "instance") == NULL);
    assert_int_equal(jsonr_len(jsonr_get(r, "alerts")), 2);
    assert_true(str_eqz(jsonr_get_str(r, "externalURL"), "http://hinomi.example:11900"));
    jsonr_free(doc);
    /* one is over: told after group_interval, once */
    signal_now(b, "resolved", "{alertname=\"Disk\", instance=\"a\", severity=\"critical\"}",
               "a is full");
    later(b, 60);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 1);
    later(b, 240);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 2);
    assert_true(has(receiver_double_body(b->out, "/hook1", 1), "\"resolved\""));
    /* nothing new: told again after four hours */
    later(b, 3600);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 2);
    later(b, 3 * 3600 + 1);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 3);
    signal_now(b, "resolved", "{alertname=\"Disk\", instance=\"b\", severity=\"critical\"}",
               "b is full");
    later(b, 300);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 4);
    struct notify_delivery d;
    assert_int_equal(outbox(b, &d), 4);
    assert_true(str_eqz(d.kind, "resolved"));
    assert_int_equal(d.state, NOTIFY_DELIVERED);
    later(b, 24 * 3600);
    assert_int_equal(outbox(b, NULL), 4); /* silence */
}

static void test_over_before_told(void **arg) {
    struct bench *b = *arg;
    load(b, ALL_TO_HOOK1);
    signal_now(b, "firing", "{alertname=\"Blip\"}", "x");
    later(b, 1);
    signal_now(b, "resolved", "{alertname=\"Blip\"}", "x");
    later(b, 60);
    later(b, 3600);
    assert_int_equal(outbox(b, NULL), 0);
}

static void test_restart_between(void **arg) {
    struct bench *b = *arg;
    load(b, ALL_TO_HOOK1);
    signal_now(b, "firing", "{alertname=\"Disk\"}", "x");
    later(b, 1);
    notify_free(b->n);
    state_close(b->state);
    start(b);
    load(b, ALL_TO_HOOK1);
    later(b, 10);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 1);
    notify_free(b->n);
    state_close(b->state);
    start(b);
    load(b, ALL_TO_HOOK1);
    later(b, 600); /* it is known that this was told */
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 1);
    signal_now(b, "resolved", "{alertname=\"Disk\"}", "x");
    later(b, 1);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 2);
}

static void test_routes_and_inhibition(void **arg) {
    struct bench *b = *arg;
    load(b, "route:\n  receiver: rest\n  group_by: [alertname]\n  group_wait: 0s\n  routes:\n"
            "  - matchers: ['severity=\"critical\"', 'team=~\"a|b\"']\n    receiver: pager\n    "
            "continue: true\n"
            "  - match: {severity: critical}\n    receiver: rest\n    group_by: ['...']\n"
            "receivers:\n- {name: rest, webhook_configs: [{url: URL1, send_resolved: false}]}\n"
            "- {name: pager, webhook_configs: [{url: URL2, max_alerts: 1}]}\n"
            "inhibit_rules:\n- source_matchers: [alertname=HostDown]\n  target_matchers: "
            "['severity=~\".+\"']\n  equal: [instance]\n");
    signal_now(b, "firing", "{alertname=\"X\", severity=\"critical\", team=\"a\", instance=\"1\"}",
               "x1");
    signal_now(b, "firing", "{alertname=\"X\", severity=\"critical\", team=\"a\", instance=\"2\"}",
               "x2");
    signal_now(b, "firing", "{alertname=\"Y\", severity=\"warning\", instance=\"1\"}", "y");
    for (int i = 0; i < 5; i++)
        later(b, 2);
    assert_int_equal(receiver_double_count(b->out, "/hook2"), 1); /* both in one */
    assert_true(has(receiver_double_body(b->out, "/hook2", 0), "\"truncatedAlerts\":1"));
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 3); /* each alone, and the warning */
    /* the host is down: what happens on it is not told, but its own alert is */
    signal_now(b, "firing", "{alertname=\"HostDown\", instance=\"9\"}", "down");
    signal_now(b, "firing", "{alertname=\"Z\", severity=\"warning\", instance=\"9\"}", "z");
    for (int i = 0; i < 5; i++)
        later(b, 2);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 4);
    signal_now(b, "resolved", "{alertname=\"HostDown\", instance=\"9\"}", "down");
    for (int i = 0; i < 5; i++)
        later(b, 301);
    assert_int_equal(receiver_double_count(b->out, "/hook1"),
                     5); /* now it is; resolves are not wanted here */
}

static void test_later_and_retry_after(void **arg) {
    struct bench *b = *arg;
    load(b, ALL_TO_HOOK1);
    receiver_double_fail(b->out, "/hook1", 1, 429, "slow", "7");
    receiver_double_fail(b->out, "/hook1", 1, 503, "busy", NULL);
    signal_now(b, "firing", "{alertname=\"Disk\"}", "x");
    later(b, 0);
    later(b, 10);
    struct notify_delivery d;
    assert_int_equal(outbox(b, &d), 1);
    assert_int_equal(d.state, NOTIFY_WAITING);
    assert_int_equal(d.attempts, 1);
    assert_true(str_starts(d.last_error, STR("HTTP 429")));
    assert_int_equal(d.next_attempt_ms, b->manual.wall_ns / 1000000 + 7000);
    later(b, 6);
    assert_int_equal(receiver_double_refused(b->out, 503), 0); /* Retry-After is obeyed */
    later(b, 1);
    assert_int_equal(receiver_double_refused(b->out, 503), 1);
    later(b, 5);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 1);
    outbox(b, &d);
    assert_int_equal(d.state, NOTIFY_DELIVERED);
    assert_int_equal(d.attempts, 3);
}

/* After a restart the backoff is known from the outbox: the thread must not spin until it is over.
 */
static void test_waiting_row_after_restart_sleeps(void **arg) {
    struct bench *b = *arg;
    load(b, ALL_TO_HOOK1);
    receiver_double_fail(b->out, "/hook1", 1, 429, "slow", "60");
    signal_now(b, "firing", "{alertname=\"Disk\"}", "x");
    later(b, 0);
    later(b, 10);
    notify_free(b->n);
    state_close(b->state);
    start(b);
    load(b, ALL_TO_HOOK1);
    assert_int_equal(notify_run_senders(b->n), 0);
    int64_t wait = sender_next_due_ms(b->n, b->manual.wall_ns / 1000000);
    assert_true(wait > 50000 && wait <= 60000);
    later(b, 60);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 1);
}

#define TWO                                                                                        \
    "receivers:\n- {name: chat, slack_configs: [{api_url: URL0}]}\n- {name: hook, "                \
    "webhook_configs: [{url: URL1}]}\n"                                                            \
    "route: {receiver: chat, group_by: [alertname], group_wait: 0s}\n"

static void test_permanent_failure_rings_elsewhere(void **arg) {
    struct bench *b = *arg;
    load(b, TWO);
    receiver_double_fail(b->out, "/services", 1, 404, "no_service", NULL);
    signal_now(b, "firing", "{alertname=\"Disk\"}", "the disk is full");
    later(b, 0);
    struct arena a = ARENA_INIT;
    struct notify_receiver *v;
    struct err err = {0};
    size_t n;
    assert_true(notify_receivers(b->n, &a, &v, &n, &err));
    assert_int_equal(n, 2);
    assert_true(v[0].is_default && !v[1].is_default && v[0].declared);
    assert_int_equal(v[0].last_state, NOTIFY_FAILED);
    assert_true(has(v[0].last_error, "make a new one in Slack"));
    arena_deinit(&a);
    for (int i = 0; i < 4; i++)
        later(b, 2);
    assert_int_equal(receiver_double_count(b->out, "/hook1"),
                     2); /* that it fails, and what it should have told */
    assert_true(has(receiver_double_body(b->out, "/hook1", 0), "HinomiReceiverFails"));
    assert_true(has(receiver_double_body(b->out, "/hook1", 1), "the disk is full"));
}

static void test_outage_delays_nobody_and_is_told(void **arg) {
    struct bench *b = *arg;
    load(b, "receivers:\n- {name: chat, slack_configs: [{api_url: URL0}]}\n- {name: hook, "
            "webhook_configs: [{url: URL1}]}\n");
    receiver_double_fail(b->out, "/services", 1000, 500, "rollup_error", NULL);
    signal_now(b, "firing", "{alertname=\"Disk\"}", "x");
    later(b, 0);
    later(b, 10);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 1);
    for (int i = 0; i < 60; i++)
        later(b, 1);
    bool told = false;
    for (size_t i = 0; i < receiver_double_count(b->out, "/hook1"); i++)
        told |= has(receiver_double_body(b->out, "/hook1", i), "HinomiReceiverFails");
    assert_true(told);
    size_t tries = receiver_double_refused(b->out, 500);
    assert_true(tries >= 4 && tries <= 10); /* backing off */
}

static void test_many_become_a_digest(void **arg) {
    struct bench *b = *arg;
    load(b, TWO);
    for (int i = 0; i < 40; i++) {
        char labels[64];
        snprintf(labels, sizeof(labels), "{alertname=\"A%d\"}", i);
        signal_now(b, "firing", labels, "<it> & broke");
    }
    for (int i = 0; i < 10; i++)
        later(b, 1);
    assert_true(receiver_double_count(b->out, "/services") <= 3);
    show(b, "/services");
    assert_true(
        has(receiver_double_body(b->out, "/services", 0), "40 notifications in one message"));
    assert_true(has(receiver_double_body(b->out, "/services", 0), "&lt;it&gt; &amp; broke"));
    struct notify_delivery d;
    assert_int_equal(outbox(b, &d), 41);
    assert_int_equal(d.state, NOTIFY_DELIVERED);
    assert_int_equal(receiver_double_refused(b->out, 400), 0);
    struct err err = {0};
    struct state_tx *tx = state_begin_read(b->state, &err);
    struct state_rows *r =
        state_query(tx, &err, "SELECT count(*) FROM outbox WHERE state<>'delivered'", "");
    assert_true(state_next(r, &err));
    assert_int_equal(state_int(r, 0), 0);
    state_rows_free(r);
    state_rollback(tx);
}

static void test_storm(void **arg) {
    struct bench *b = *arg;
    load(b, TWO);
    for (int i = 0; i < 1500; i++) {
        char labels[96];
        snprintf(labels, sizeof(labels), "{alertname=\"Down\", instance=\"host-%d\"}", i);
        signal_now(b, "firing", labels, "down");
    }
    for (int i = 0; i < 10; i++)
        later(b, 1);
    assert_int_equal(receiver_double_count(b->out, "/services"), 1);
    struct str body = receiver_double_body(b->out, "/services", 0);
    assert_true(has(body, "and 1488 more"));
    assert_int_equal(receiver_double_refused(b->out, 400), 0);
}

static void test_slack_message(void **arg) {
    struct bench *b = *arg;
    load(b, "receivers: [{name: chat, language: ja, slack_configs: [{api_url: URL0, channel: "
            "'#ops'}]}]\n"
            "route: {receiver: chat, group_by: [alertname], group_wait: 0s}\n");
    signal_now(b, "firing",
               "{alertname=\"Disk\", instance=\"web1\", mountpoint=\"/\", severity=\"warning\"}",
               "<b>&");
    later(b, 0);
    struct str body = receiver_double_body(b->out, "/services", 0);
    show(b, "/services");
    assert_true(has(body, ":large_yellow_circle: *発生: Disk* (warning)\\n日本語 &lt;b&gt;&amp; — "
                          "instance=web1, mountpoint=/\""));
    assert_true(has(body, "*場所* instance=web1, mountpoint=/\\n"));
    assert_false(has(body, "alertname="));
    assert_false(has(body, "severity="));
    assert_true(has(body, "<http://g|グラフ>"));
    assert_true(has(body, "*値* 0.5"));
    assert_true(has(body, "*対処* do this"));
    assert_true(has(body, "<http://hinomi.example:11900/ring|hinomi を開く>"));
    assert_true(has(body, "#f9a825"));
    assert_true(has(body, "\"channel\":\"#ops\""));
    assert_true(has(body, "<!date^1700000000^"));
    signal_now(b, "resolved",
               "{alertname=\"Disk\", instance=\"web1\", mountpoint=\"/\", severity=\"warning\"}",
               "<b>&");
    later(b, 301);
    assert_true(has(receiver_double_body(b->out, "/services", 1), "#2e7d32"));
    assert_true(has(receiver_double_body(b->out, "/services", 1), "復旧"));
}

static void test_huge_texts_stay_within_limits(void **arg) {
    struct bench *b = *arg;
    load(b, TWO);
    struct buf labels = BUF_INIT;
    buf_putz(&labels, "{alertname=\"");
    for (int i = 0; i < 2000; i++)
        buf_putz(&labels, "火&");
    buf_putz(&labels, "\"}");
    signal_now(b, "firing", labels.p, "");
    buf_deinit(&labels);
    later(b, 0);
    assert_int_equal(receiver_double_refused(b->out, 400), 0);
    assert_int_equal(receiver_double_count(b->out, "/services"), 1);
    assert_true(str_is_utf8(receiver_double_body(b->out, "/services", 0)));
}

static void test_receivers_of_the_screen(void **arg) {
    struct bench *b = *arg;
    struct err err = {0};
    struct notify_receiver_new r = {STR("team"), STR("slack"), str_from(b->url[0]), STR("#ops"),
                                    STR("me")};
    signal_now(b, "firing", "{alertname=\"Early\"}", "before anybody listened");
    later(b, 20);
    assert_int_equal(outbox(b, NULL), 0);
    assert_true(notify_receiver_add(b->n, &r, &err));
    assert_false(notify_receiver_add(b->n, &r, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    r.name = STR("x");
    r.url = STR("ftp://x");
    assert_false(notify_receiver_add(b->n, &r, &err));
    assert_int_equal(err.code, ERR_BAD_INPUT);
    r.url = str_from(b->url[0]);
    r.kind = STR("pigeon");
    assert_false(notify_receiver_add(b->n, &r, &err));
    struct arena a = ARENA_INIT;
    struct notify_receiver *v;
    size_t n;
    assert_true(notify_receivers(b->n, &a, &v, &n, &err));
    assert_int_equal(n, 1);
    assert_true(!v[0].declared && v[0].is_default && str_eqz(v[0].channel, "#ops") &&
                !v[0].has_last);
    later(b, 61); /* what rings while nobody was there is told to the first who comes */
    assert_int_equal(receiver_double_count(b->out, "/services"), 1);
    struct notify_delivery d = {0};
    clock_manual_advance(&b->manual, DUR_S(2));
    assert_true(notify_test(b->n, STR("team"), 5000, &a, &d, &err));
    assert_int_equal(d.state, NOTIFY_DELIVERED);
    assert_false(notify_test(b->n, STR("nobody"), 5000, &a, &d, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    receiver_double_fail(b->out, "/services", 5, 403, "action_prohibited", NULL);
    clock_manual_advance(&b->manual, DUR_S(2));
    assert_true(notify_test(b->n, STR("team"), 5000, &a, &d, &err));
    assert_int_equal(d.state, NOTIFY_FAILED);
    assert_true(has(d.last_error, "administrator"));
    arena_deinit(&a);
    /* a restart keeps it; the configuration's receiver of the same name wins and cannot be deleted
     * here */
    load(b, "receivers: [{name: team, webhook_configs: [{url: URL1}]}]\n");
    assert_false(notify_receiver_delete(b->n, STR("team"), &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_true(notify_reload(b->n, NULL, &err));
    assert_true(notify_receiver_delete(b->n, STR("team"), &err));
    assert_false(notify_receiver_delete(b->n, STR("team"), &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static size_t rows(struct bench *b, const char *where) {
    struct err err = {0};
    char sql[256];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM outbox WHERE %s", where);
    struct state_tx *tx = state_begin_read(b->state, &err);
    struct state_rows *r = state_query(tx, &err, sql, "");
    assert_true(r && state_next(r, &err));
    size_t n = (size_t)state_int(r, 0);
    state_rows_free(r);
    state_rollback(tx);
    return n;
}

/* The same alert, over and firing again, is told each time. */
static void test_fires_again(void **arg) {
    struct bench *b = *arg;
    load(b, ALL_TO_HOOK1);
    for (size_t k = 0; k < 3; k++) {
        signal_now(b, "firing", "{alertname=\"Disk\"}", "x");
        later(b, 0);
        later(b, 10);
        later(b, 1);
        assert_int_equal(receiver_double_count(b->out, "/hook1"), 2 * k + 1);
        signal_now(b, "resolved", "{alertname=\"Disk\"}", "x");
        later(b, 300);
        assert_int_equal(receiver_double_count(b->out, "/hook1"), 2 * k + 2);
        later(b, 3600);
    }
}

static void test_group_in_slack(void **arg) {
    struct bench *b = *arg;
    load(b, "receivers:\n- {name: chat, slack_configs: [{api_url: URL0}]}\n"
            "- {name: ja, language: ja, slack_configs: [{api_url: URL0}]}\n"
            "route: {receiver: chat, group_by: [alertname], group_wait: 5s, group_interval: 5s}\n");
    signal_now(b, "firing",
               "{alertname=\"Queue\", job=\"shop\", queue=\"mail\", severity=\"critical\"}",
               "mail waits");
    signal_now(b, "firing",
               "{alertname=\"Queue\", job=\"shop\", queue=\"bill\", severity=\"critical\"}",
               "bill waits");
    later(b, 0);
    later(b, 5);
    struct str body = receiver_double_body(b->out, "/services", 0);
    assert_true(has(body, ":red_circle: *2 firing: Queue* (critical)"));
    assert_true(has(body, "*Where* job=shop\\n*What to do* do this"));
    assert_true(has(body, ":red_circle: *queue=mail*\\nmail waits\\n*Since* <!date^"));
    assert_true(has(body, ":red_circle: *queue=bill*\\nbill waits"));
    signal_now(b, "resolved",
               "{alertname=\"Queue\", job=\"shop\", queue=\"bill\", severity=\"critical\"}",
               "bill waits");
    later(b, 65);
    show(b, "/services");
    body = receiver_double_body(b->out, "/services", 1);
    assert_true(has(body, "*1 firing, 1 resolved: Queue*"));
    assert_true(has(body, ":large_green_circle: *queue=bill*"));
}

/* 1700000000 is Tuesday 2023-11-14 22:13:20 UTC, Wednesday 07:13:20 in Tokyo. */
static void test_mute_and_ring_after_it(void **arg) {
    struct bench *b = *arg;
    load(b,
         "receivers: [{name: chat, webhook_configs: [{url: URL1}]}, {name: hook, "
         "webhook_configs: [{url: URL2}]}]\n"
         "time_intervals:\n- name: nights\n  time_intervals:\n  - {times: [{start_time: '22:00', "
         "end_time: '24:00'}, {start_time: '00:00', end_time: '06:00'}]}\n"
         "- name: tokyo office\n  time_intervals:\n  - {weekdays: ['monday:friday'], location: "
         "Asia/Tokyo, times: [{start_time: '09:00', end_time: '18:00'}]}\n"
         "route:\n  receiver: chat\n  group_by: [alertname]\n  group_wait: 0s\n  routes:\n"
         "  - {matchers: [severity=info], receiver: chat, mute_time_intervals: [nights]}\n"
         "  - {matchers: [team=jp], receiver: hook, active_time_intervals: [tokyo office]}\n");
    signal_now(b, "firing", "{alertname=\"Loud\", severity=\"critical\"}", "loud");
    signal_now(b, "firing", "{alertname=\"Quiet\", severity=\"info\"}", "quiet");
    signal_now(b, "firing", "{alertname=\"Blip\", severity=\"info\"}", "blip");
    signal_now(b, "firing", "{alertname=\"Office\", team=\"jp\"}", "office");
    for (int i = 0; i < 3; i++)
        later(b, i);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 1);
    assert_int_equal(receiver_double_count(b->out, "/hook2"), 0);
    assert_int_equal(rows(b, "state='muted'"), 3);
    assert_int_equal(rows(b, "state='muted' AND last_error='muted by time interval \"nights\" "
                             "until 2023-11-15T06:00:00Z'"),
                     2);
    assert_int_equal(rows(b, "state='muted' AND last_error='muted: active time interval \"tokyo "
                             "office\" does not hold until 2023-11-15T00:00:00Z'"),
                     1);
    struct notify_delivery d;
    (void)outbox(b, &d);
    assert_int_equal(d.state, NOTIFY_MUTED);
    assert_string_equal(notify_state_name(d.state), "muted");
    signal_now(b, "resolved", "{alertname=\"Blip\", severity=\"info\"}", "blip");
    for (int i = 0; i < 10; i++)
        later(b, 600); /* until 23:53 */
    assert_int_equal(receiver_double_count(b->out, "/hook2"), 0);
    later(b, 403); /* 00:00 UTC: 9 in Tokyo */
    assert_int_equal(receiver_double_count(b->out, "/hook2"), 1);
    assert_true(has(receiver_double_body(b->out, "/hook2", 0), "Office"));
    assert_int_equal(rows(b, "state='muted'"), 3); /* each noted once */
    later(b, 6 * 3600 - 10);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 2); /* "Loud" again, after 4 h */
    later(b, 10);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 3);
    assert_true(has(receiver_double_body(b->out, "/hook1", 2), "Quiet"));
    later(b, 60); /* the blip came and went while nobody was to be woken */
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 3);
    /* over in the next night: told in the morning */
    later(b, 18 * 3600);
    size_t before = receiver_double_count(b->out, "/hook1");
    signal_now(b, "resolved", "{alertname=\"Quiet\", severity=\"info\"}", "quiet");
    later(b, 3600);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), before);
    later(b, 6 * 3600);
    later(b, 2);
    bool told = false;
    for (size_t i = before; i < receiver_double_count(b->out, "/hook1"); i++)
        told |= has(receiver_double_body(b->out, "/hook1", i), "\"status\":\"resolved\"") &&
                has(receiver_double_body(b->out, "/hook1", i), "Quiet");
    assert_true(told);
}

static void test_long_outage(void **arg) {
    struct bench *b = *arg;
    load(b, TWO);
    receiver_double_fail(b->out, "/services", 1000, 500, "rollup_error", NULL);
    signal_now(b, "firing", "{alertname=\"First\"}", "x");
    for (int i = 0; i < 600; i += 5)
        later(b, 5);
    size_t before = receiver_double_count(b->out, "/hook1");
    assert_int_equal(before, 2); /* that it fails, and the first */
    signal_now(b, "firing", "{alertname=\"Second\"}", "y");
    signal_now(b, "firing", "{alertname=\"Third\"}", "z");
    for (int i = 0; i < 30; i += 3)
        later(b, 3);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), before + 2);
    assert_true(has(receiver_double_body(b->out, "/hook1", before), "Second"));
    for (int i = 0; i < 600; i += 5)
        later(b, 5);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), before + 2); /* once each */
    assert_int_equal(rows(b, "state='waiting'"), 3); /* and to Slack when it is back */
}

static void test_retry_after_forms(void **arg) {
    (void)arg;
    static const struct {
        const char *value, *date;
        int64_t want;
    } cases[] = {
        {"0", "", 0},
        {" 7 ", "", 7000},
        {"99999999", "", NOTIFY_RETRY_AFTER_MAX_MS},
        {"Tue, 14 Nov 2023 22:14:20 GMT", "", 60000}, /* by our clock: 22:13:20 */
        {"Tuesday, 14-Nov-23 22:14:20 GMT", "", 60000},
        {"Tue Nov 14 22:14:20 2023", "", 60000},
        {"Tue, 14 Nov 2023 22:00:00 GMT", "", 0},
        {"Wed, 15 Nov 2023 22:14:20 GMT", "", NOTIFY_RETRY_AFTER_MAX_MS},
        {"Tue, 14 Nov 2023 23:14:20 GMT", "Tue, 14 Nov 2023 23:14:00 GMT", 20000},
        {"Tue, 31 Feb 2023 22:14:20 GMT", "", -1},
        {"Tue, 14 Nov 2023 25:14:20 GMT", "", -1},
        {"Tue, 14 Nov 2023 22:14:20 JST", "", -1},
        {"soon", "", -1},
        {"-5", "", -1},
        {"", "", -1},
        {"a b c d e f g h i j k l", "", -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t got = retry_after_ms(str_from(cases[i].value), str_from(cases[i].date),
                                     INT64_C(1700000000000));
        if (got != cases[i].want)
            fail_msg("\"%s\": %lld, expected %lld", cases[i].value, (long long)got,
                     (long long)cases[i].want);
    }
}

static void test_retry_after_date(void **arg) {
    struct bench *b = *arg;
    load(b, TWO);
    /* The double's Date header is today's, our clock stands in 2023: hours of difference count as
     * the longest wait, and somebody else is told at once. */
    receiver_double_fail(b->out, "/services", 1, 503, "busy", "Fri, 31 Dec 2100 23:59:59 GMT");
    signal_now(b, "firing", "{alertname=\"Disk\"}", "x");
    later(b, 0);
    int64_t wait = sender_next_due_ms(b->n, b->manual.wall_ns / 1000000);
    assert_true(wait <= 1000); /* the other receiver's */
    for (int i = 0; i < 3; i++)
        later(b, 2);
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 2);
    later(b, 3500);
    assert_int_equal(receiver_double_count(b->out, "/services"), 0);
    later(b, 100);
    assert_int_equal(receiver_double_count(b->out, "/services"), 1);
}

/* 10,000 alerts of 10,000 kinds: a few messages, and each alert is told or counted. */
static void test_storm_of_kinds(void **arg) {
    struct bench *b = *arg;
    struct err err = {0};
    load(b, "receivers:\n- {name: all, slack_configs: [{api_url: URL0}], webhook_configs: [{url: "
            "URL1}]}\nroute: {receiver: all, group_by: [alertname], group_wait: 0s}\n");
    struct state_tx *tx = state_begin(b->state, &err);
    for (int i = 0; i < 10000; i++) {
        char labels[64], key[33];
        snprintf(labels, sizeof(labels), "{alertname=\"S%d\"}", i);
        snprintf(key, sizeof(key), "%032d", i);
        assert_true(state_exec(
            tx, &err,
            "INSERT INTO signals(at_ms,source,kind,alert_key,labels,annotations,value,starts_ms,"
            "ends_ms,generator_url,body) VALUES(1,'rule','firing',?,?,'{}','1',1,0,'','{}')",
            "ss", str_from(key), str_from(labels)));
    }
    assert_true(state_commit(tx, &err));
    for (int i = 0; i < 30; i++)
        later(b, 1);
    assert_int_equal(receiver_double_count(b->out, "/services"), 1);
    struct str body = receiver_double_body(b->out, "/services", 0);
    assert_true(has(body, "10000 notifications in one message (10000 alerts)"));
    assert_true(has(body, "and 9970 more"));
    assert_int_equal(receiver_double_count(b->out, "/hook1"), 10);
    static bool seen[10000];
    size_t told = 0;
    for (size_t i = 0; i < 10; i++) {
        struct jsonr_doc *doc = jsonr_parse(receiver_double_body(b->out, "/hook1", i), &err);
        assert_non_null(doc);
        const struct jsonr *list = jsonr_get(jsonr_root(doc), "alerts");
        assert_int_equal(jsonr_get_i64(jsonr_root(doc), "truncatedAlerts", -1), 0);
        for (size_t k = 0; k < jsonr_len(list); k++) {
            struct str name = jsonr_get_str(jsonr_get(jsonr_at(list, k), "labels"), "alertname");
            uint64_t number;
            assert_true(str_to_u64(str_sub(name, 1, name.n - 1), &number) && number < 10000);
            told += !seen[number];
            seen[number] = true;
        }
        jsonr_free(doc);
    }
    assert_int_equal(told, 10000);
    assert_int_equal(rows(b, "state<>'delivered'"), 0);
}

/* ---- kill -9 ---- */

/* The child makes alerts, says each one after its commit, and delivers; with `drain` it makes none
 * and ends when nothing waits. */
static int child(const char *path, const char *url, bool drain, int64_t first) {
    struct err err = {0};
    struct state *s = state_open(path, clock_system(), &err);
    struct http_client *http = http_client_new(&err);
    if (!s || !http)
        return 3;
    struct notify_options opt = {.state = s, .http = http, .clock = clock_system(), .pace_ms = 1};
    struct notify *n = notify_new(&opt, &err);
    char yaml[512];
    snprintf(yaml, sizeof(yaml),
             "receivers: [{name: hook, webhook_configs: [{url: '%s'}]}]\n"
             "route: {receiver: hook, group_by: [alertname], group_wait: 0s}\n",
             url);
    struct arena a = ARENA_INIT;
    struct conf_env env = {0};
    struct conf_diags d = {.arena = &a};
    struct notify_conf conf;
    if (!n || !conf_yaml_decode(str_from(yaml), "k.yml", &notify_conf_table, &env, &a, &conf, &d) ||
        !notify_reload(n, &conf, &err) || !notify_start(n, &err))
        return 4;
    for (int64_t i = first; !drain && i < first + 100000; i++) {
        char labels[64];
        snprintf(labels, sizeof(labels), "{alertname=\"K%lld\"}", (long long)i);
        put_signal(s, clock_wall_ms(clock_system()), "firing", labels, "k");
        notify_poke(n);
        if (write(1, &i, sizeof(i)) != (ssize_t)sizeof(i))
            return 5;
        usleep(300);
    }
    for (int i = 0; i < 20000; i++) {
        struct state_tx *tx = state_begin_read(s, &err);
        struct state_rows *r = tx ? state_query(tx, &err,
                                                "SELECT (SELECT count(*) FROM signals WHERE "
                                                "consumed_ms IS NULL) + (SELECT count(*) FROM "
                                                "outbox WHERE state<>'delivered') + (SELECT "
                                                "count(*) FROM notify_groups WHERE told_ms=0)",
                                                "")
                                  : NULL;
        int64_t left = r && state_next(r, &err) ? state_int(r, 0) : 1;
        state_rows_free(r);
        state_rollback(tx);
        if (left == 0)
            break;
        usleep(1000);
    }
    notify_free(n);
    http_client_free(http);
    state_close(s);
    arena_deinit(&a);
    return 0;
}

static int64_t run_child(struct bench *b, bool drain, int64_t first) {
    int p[2];
    char number[32];
    snprintf(number, sizeof(number), "%lld", (long long)first);
    assert_int_equal(pipe(p), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(p[1], 1);
        close(p[0]);
        close(p[1]);
        execl("/proc/self/exe", "notify_test", "--child", b->path, b->url[1],
              drain ? "drain" : "make", number, (char *)NULL);
        _exit(9);
    }
    close(p[1]);
    int64_t v, last = first - 1;
    int status = 0;
    if (!drain) {
        uint64_t see = 1 + random_u64() % 25;
        for (uint64_t i = 0; i < see && read(p[0], &v, sizeof(v)) == (ssize_t)sizeof(v); i++)
            last = v;
        usleep((useconds_t)(random_u64() % 8000));
        assert_int_equal(kill(pid, SIGKILL), 0);
    }
    while (read(p[0], &v, sizeof(v)) == (ssize_t)sizeof(v))
        last = v;
    close(p[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (drain) {
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    } else {
        assert_true(WIFSIGNALED(status));
    }
    return last;
}

static void test_kill_9(void **arg) {
    struct bench *b = *arg;
    const char *cycles = getenv("HINOMI_KILL_CYCLES"); /* more of them in the long run */
    uint64_t kills = 15;
    if (cycles)
        (void)str_to_u64(str_from(cycles), &kills);
    notify_free(b->n);
    state_close(b->state);
    int64_t next = 0;
    for (uint64_t k = 0; k < kills; k++)
        next = run_child(b, false, next) + 1 + 1; /* one may have been committed and not said */
    (void)run_child(b, true, next);
    size_t got = receiver_double_count(b->out, "/hook1"), duplicates = 0;
    struct err err = {0};
    start(b);
    struct state_tx *tx = state_begin_read(b->state, &err);
    struct state_rows *r = state_query(tx, &err, "SELECT labels FROM signals", "");
    size_t made = 0, told = 0, alerts = 0, repeated = 0, apart = 0;
    for (size_t i = 0; i < got; i++) {
        struct str body = receiver_double_body(b->out, "/hook1", i);
        struct jsonr_doc *doc = jsonr_parse(body, &err);
        assert_non_null(doc);
        size_t n = jsonr_len(jsonr_get(jsonr_root(doc), "alerts"));
        bool again = false;
        for (size_t k = 0; k < i && !again; k++)
            again = str_eq(receiver_double_body(b->out, "/hook1", k), body);
        alerts += n;
        repeated += again;
        apart += again ? 0 : n;
        jsonr_free(doc);
    }
    while (state_next(r, &err)) {
        struct str name = str_sub(state_str(r, 0), 12, state_str(r, 0).n - 14);
        char want[64];
        snprintf(want, sizeof(want), "\"labels\":{\"alertname\":\"%.*s\"}", STR_FMT(name));
        size_t times = 0;
        for (size_t i = 0; i < got; i++)
            times += has(receiver_double_body(b->out, "/hook1", i), want);
        told += times;
        if (times == 0)
            fail_msg("%.*s was lost", STR_FMT(name));
        duplicates += times - 1;
        made++;
    }
    state_rows_free(r);
    state_rollback(tx);
    print_message("%zu alerts, %zu messages, %zu twice, %llu kills\n", made, got, duplicates,
                  (unsigned long long)kills);
    assert_true(made >= kills);
    assert_int_equal(alerts, told);     /* nothing came from nowhere */
    assert_true(repeated <= kills);     /* each kill repeats the message under way */
    assert_true(apart <= made + kills); /* or that one comes again within a fold */
}

int main(int argc, char **argv) {
    if (argc == 6 && strcmp(argv[1], "--child") == 0) {
        int64_t first = 0;
        (void)str_to_i64(str_from(argv[5]), &first);
        return child(argv[2], argv[3], strcmp(argv[4], "drain") == 0, first);
    }
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_group_wait_resolve_repeat),
        T(test_over_before_told),
        T(test_restart_between),
        T(test_routes_and_inhibition),
        T(test_later_and_retry_after),
        T(test_waiting_row_after_restart_sleeps),
        T(test_permanent_failure_rings_elsewhere),
        T(test_outage_delays_nobody_and_is_told),
        T(test_many_become_a_digest),
        T(test_storm),
        T(test_slack_message),
        T(test_huge_texts_stay_within_limits),
        T(test_receivers_of_the_screen),
        T(test_fires_again),
        T(test_group_in_slack),
        T(test_mute_and_ring_after_it),
        T(test_long_outage),
        T(test_retry_after_forms),
        T(test_retry_after_date),
        T(test_storm_of_kinds),
        T(test_kill_9),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
