#include "feature/rule/rule.h"

#include "codec/conf_yaml.h"
#include "feature/rule/rule_int.h"
#include "os/clock.h"
#include "os/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

/* A manager over a query that a test scripts, and a sink that remembers what was written. */
struct bench {
    char dir[64], path[96];
    struct state *state;
    struct clock_manual manual;
    struct clock clock;
    struct rule_manager *m;
    struct arena conf; /* rule files */
    struct rule_file_conf file;
    double value[4]; /* of instances a, b, c, d; NaN: absent */
    bool query_fails, sink_fails;
    int64_t last_ts_ms;
    size_t queries;
    struct buf written; /* "series value\n" */
    int pokes;
};

static bool query(void *self, const struct promql_expr *e, int64_t ts_ms,
                  const struct promql_options *opt, struct promql_result *out, struct err *err) {
    (void)opt;
    (void)e;
    struct bench *b = self;
    b->queries++;
    b->last_ts_ms = ts_ms;
    if (b->query_fails)
        return err_set(err, ERR_EXECUTION, "the query failed on purpose");
    *out = (struct promql_result){.type = PROMQL_VECTOR};
    out->series = ARENA_ARRAY(&out->arena, struct promql_series, 4);
    static const char *const names[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++) {
        if (isnan(b->value[i]))
            continue;
        struct labels_builder lb = LABELS_BUILDER_INIT;
        struct promql_series *s = &out->series[out->n_series++];
        labels_builder_set(&lb, STR(LABEL_NAME), STR("up"));
        labels_builder_set(&lb, STR("instance"), str_from(names[i]));
        assert_true(labels_copy(&out->arena, labels_builder_view(&lb), &s->labels));
        labels_builder_deinit(&lb);
        s->points = ARENA_NEW(&out->arena, struct promql_point);
        *s->points = (struct promql_point){ts_ms, b->value[i], NULL};
        s->n = 1;
    }
    return true;
}

static bool sink(void *self, const struct batch *batch, struct write_result *out, struct err *err) {
    struct bench *b = self;
    if (b->sink_fails)
        return err_set(err, ERR_UNAVAILABLE, "the disk is full");
    assert_int_equal(batch->kind, SOURCE_RULE);
    for (size_t i = 0; i < batch->n; i++) {
        labels_format(&b->written, batch->rows[i].labels);
        buf_putc(&b->written, ' ');
        if (sample_is_stale(batch->rows[i].value))
            buf_putz(&b->written, "stale");
        else
            buf_f64(&b->written, batch->rows[i].value);
        buf_putc(&b->written, '\n');
    }
    out->accepted = batch->n;
    return true;
}
static const struct sink_ops sink_ops = {sink};
static void poke(void *self) {
    ((struct bench *)self)->pokes++;
}

static void start_manager(struct bench *b) {
    struct err err = {0};
    struct rule_options opt = {.state = b->state,
                               .sink = {&sink_ops, b},
                               .clock = &b->clock,
                               .manual = true,
                               .external_url = STR("http://h"),
                               .query = query,
                               .query_self = b,
                               .on_signals = poke,
                               .on_signals_self = b};
    b->m = rule_manager_new(&opt, &err);
    assert_non_null(b->m);
}

static void load(struct bench *b, const char *yaml) {
    struct err err = {0};
    struct conf_env env = {0};
    struct conf_diags d = {.arena = &b->conf};
    if (!conf_yaml_decode(str_from(yaml), "r.yml", &rule_file_table, &env, &b->conf, &b->file, &d))
        fail_msg("%s", d.v[0].message);
    struct rule_source s = {STR("r.yml"), &b->file, false};
    if (!rule_manager_load(b->m, &s, 1, &err))
        fail_msg("%s", err.message);
}

static int setup(void **arg) {
    struct bench *b = calloc(1, sizeof(*b));
    struct err err = {0};
    snprintf(b->dir, sizeof(b->dir), "/tmp/hinomi-rule-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->path, sizeof(b->path), "%s/state.db", b->dir);
    b->manual = (struct clock_manual){.wall_ns = INT64_C(1700000000) * 1000000000, .mono_ns = 5};
    b->clock = clock_manual_view(&b->manual);
    for (int i = 0; i < 4; i++)
        b->value[i] = NAN;
    b->state = state_open(b->path, &b->clock, &err);
    assert_non_null(b->state);
    start_manager(b);
    *arg = b;
    return 0;
}
static int teardown(void **arg) {
    struct bench *b = *arg;
    struct err err = {0};
    rule_manager_free(b->m);
    state_close(b->state);
    arena_deinit(&b->conf);
    buf_deinit(&b->written);
    assert_true(file_remove_tree(b->dir, &err));
    free(b);
    return 0;
}

/* The program ends and starts again; the data folder stays. */
static void restart(struct bench *b, const char *yaml) {
    struct err err = {0};
    rule_manager_free(b->m);
    state_close(b->state);
    b->state = state_open(b->path, &b->clock, &err);
    assert_non_null(b->state);
    start_manager(b);
    load(b, yaml);
}

static void step(struct bench *b, int64_t seconds) {
    clock_manual_advance(&b->manual, DUR_S(seconds));
    buf_reset(&b->written);
    (void)rule_manager_run_due(b->m);
}

static bool wrote(const struct bench *b, const char *line) {
    return b->written.n && strstr(b->written.p, line) != NULL;
}

/* "kind kind kind" of all signals so far */
static const char *signals(struct bench *b) {
    static char text[512];
    struct err err = {0};
    struct state_tx *tx = state_begin_read(b->state, &err);
    struct state_rows *r = state_query(
        tx, &err,
        "SELECT coalesce(group_concat(kind,' '),'') FROM (SELECT kind FROM signals ORDER BY id)",
        "");
    assert_true(state_next(r, &err));
    snprintf(text, sizeof(text), "%.*s", STR_FMT(state_str(r, 0)));
    state_rows_free(r);
    state_rollback(tx);
    return text;
}

static enum alert_state state_of(struct bench *b, size_t *out_n) {
    struct arena a = ARENA_INIT;
    struct rule_alert_view *v;
    struct err err = {0};
    size_t n;
    assert_true(rule_manager_alerts(b->m, &a, &v, &n, &err));
    enum alert_state s = n ? v[0].state : ALERT_INACTIVE;
    if (out_n)
        *out_n = n;
    arena_deinit(&a);
    return s;
}

#define DOWN_FOR                                                                                   \
    "groups:\n- name: g\n  interval: 10s\n  rules:\n  - alert: Down\n    expr: up == 0\n    for: " \
    "20s\n"                                                                                        \
    "    labels: {severity: critical, who: '{{ $labels.instance }}'}\n"                            \
    "    annotations: {summary: '{{ $labels.instance }} is {{ $value }}', bad: '{{ .Nope }}'}\n"

static void test_pending_firing_resolved(void **arg) {
    struct bench *b = *arg;
    load(b, DOWN_FOR);
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_INACTIVE);
    b->value[0] = 0;
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_PENDING);
    assert_true(wrote(b, "ALERTS{alertname=\"Down\", alertstate=\"pending\", instance=\"a\", "
                         "severity=\"critical\", who=\"a\"} 1"));
    assert_true(wrote(b, "ALERTS_FOR_STATE{alertname=\"Down\", instance=\"a\", "
                         "severity=\"critical\", who=\"a\"} 17000000"));
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_PENDING);
    assert_string_equal(signals(b), "");
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_FIRING);
    assert_string_equal(signals(b), "firing");
    assert_int_equal(b->pokes, 1);
    assert_true(wrote(b, "alertstate=\"firing\""));
    assert_true(wrote(
        b, "alertstate=\"pending\", instance=\"a\", severity=\"critical\", who=\"a\"} stale"));
    struct arena a = ARENA_INIT;
    struct rule_alert_view *v;
    struct err err = {0};
    size_t n;
    assert_true(rule_manager_alerts(b->m, &a, &v, &n, &err));
    assert_int_equal(n, 1);
    assert_true(str_eqz(labels_get(v[0].annotations, STR("summary")), "a is 0"));
    assert_true(
        str_starts(labels_get(v[0].annotations, STR("bad")), STR("<error expanding template: ")));
    arena_deinit(&a);
    b->value[0] = NAN;
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_INACTIVE);
    assert_string_equal(signals(b), "firing resolved");
    assert_true(wrote(b, "ALERTS_FOR_STATE{alertname=\"Down\", instance=\"a\", "
                         "severity=\"critical\", who=\"a\"} stale"));
    b->value[0] = 0; /* comes back: pending anew */
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_PENDING);
    b->value[0] = NAN; /* a pending one that ends says nothing */
    step(b, 10);
    assert_string_equal(signals(b), "firing resolved");
}

static void test_refresh_when_the_text_changes(void **arg) {
    struct bench *b = *arg;
    load(b, DOWN_FOR);
    b->value[0] = 0;
    for (int i = 0; i < 3; i++)
        step(b, 10);
    assert_string_equal(signals(b), "firing");
    for (int i = 0; i < 12; i++) { /* the same text: nothing */
        step(b, 10);
    }
    assert_string_equal(signals(b), "firing");
    b->value[0] = 7;
    for (int i = 0; i < 3; i++)
        step(b, 10);
    assert_string_equal(signals(b), "firing refresh");
}

static void test_keep_firing_for(void **arg) {
    struct bench *b = *arg;
    load(b, "groups:\n- name: g\n  interval: 10s\n  rules:\n  - alert: X\n    expr: up\n    "
            "keep_firing_for: 30s\n");
    b->value[1] = 1;
    step(b, 10);
    assert_string_equal(signals(b), "firing"); /* no `for`: at once */
    b->value[1] = NAN;
    step(b, 10);
    step(b, 10);
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_FIRING);
    b->value[1] = 1; /* back within the time: the count starts anew */
    step(b, 10);
    b->value[1] = NAN;
    step(b, 10);
    step(b, 10);
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_FIRING);
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_INACTIVE);
    assert_string_equal(signals(b), "firing resolved");
}

static void test_state_survives_restart(void **arg) {
    struct bench *b = *arg;
    load(b, DOWN_FOR);
    b->value[0] = 0;
    step(b, 10);
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_PENDING);
    clock_manual_advance(&b->manual, DUR_S(3600)); /* an hour when nobody looked */
    restart(b, DOWN_FOR);
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_PENDING); /* and it does not count towards `for` */
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_FIRING);
    assert_string_equal(signals(b), "firing");
    restart(b, DOWN_FOR);
    assert_int_equal(state_of(b, NULL), ALERT_FIRING);
    b->value[0] = NAN; /* its series is not there yet in the first evaluations */
    step(b, 10);
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_FIRING);
    b->value[0] = 0;
    step(b, 10);
    assert_string_equal(signals(b), "firing"); /* it rings once */
    restart(b, DOWN_FOR);
    b->value[0] = NAN;
    step(b, 10);
    step(b, 10);
    step(b, 10);
    assert_string_equal(signals(b), "firing resolved");
}

static void test_reload_keeps_and_prunes(void **arg) {
    struct bench *b = *arg;
    load(b, DOWN_FOR);
    b->value[0] = 0;
    for (int i = 0; i < 3; i++)
        step(b, 10);
    assert_string_equal(signals(b), "firing");
    /* another expression and `for`, the same rule: it goes on ringing, once */
    load(b, "groups:\n- name: g\n  interval: 10s\n  rules:\n  - alert: Down\n    expr: up < 1\n    "
            "for: 40s\n"
            "    labels: {severity: critical, who: '{{ $labels.instance }}'}\n");
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_FIRING);
    assert_null(strstr(signals(b), "resolved"));
    buf_reset(&b->written);
    load(b, "groups:\n- name: g\n  rules:\n  - record: x:y\n    expr: up\n");
    assert_true(wrote(b, "ALERTS{alertname=\"Down\", alertstate=\"firing\", instance=\"a\", "
                         "severity=\"critical\", who=\"a\"} stale"));
    size_t n;
    (void)state_of(b, &n);
    assert_int_equal(n, 0);
    const char *s = signals(b);
    assert_true(strlen(s) > 8 && strcmp(s + strlen(s) - 8, "resolved") == 0);
}

static void test_recording_and_staleness(void **arg) {
    struct bench *b = *arg;
    load(b, "groups:\n- name: g\n  interval: 10s\n  query_offset: 20s\n  labels: {team: t}\n  "
            "rules:\n  - record: job:up\n    expr: up\n    labels: {x: z}\n");
    b->value[0] = 1;
    b->value[1] = 2;
    step(b, 10);
    assert_true(wrote(b, "job:up{instance=\"a\", team=\"t\", x=\"z\"} 1\n"));
    assert_true(wrote(b, "job:up{instance=\"b\", team=\"t\", x=\"z\"} 2\n"));
    assert_true(b->last_ts_ms <= b->manual.wall_ns / 1000000 - 20000);
    b->value[1] = NAN;
    step(b, 10);
    assert_true(wrote(b, "job:up{instance=\"b\", team=\"t\", x=\"z\"} stale\n"));
    step(b, 10);
    assert_false(wrote(b, "stale"));
    b->query_fails = true; /* a failure ends no series */
    step(b, 10);
    assert_int_equal(b->written.n, 0);
    struct rule_summary sum;
    rule_manager_summary(b->m, &sum);
    assert_int_equal(sum.unhealthy, 1);
    struct arena a = ARENA_INIT;
    struct rule_group_view *g;
    size_t n;
    struct err err = {0};
    assert_true(rule_manager_groups(b->m, &a, &g, &n, &err));
    assert_int_equal(g[0].rules[0].health, RULE_HEALTH_BAD);
    assert_true(str_eqz(g[0].rules[0].last_error, "the query failed on purpose"));
    assert_true(str_eqz(g[0].rules[0].query, "up"));
    arena_deinit(&a);
    b->query_fails = false;
    b->sink_fails = true;
    step(b, 10);
    rule_manager_summary(b->m, &sum);
    assert_int_equal(sum.unhealthy, 1);
    b->sink_fails = false;
    step(b, 10);
    rule_manager_summary(b->m, &sum);
    assert_int_equal(sum.unhealthy, 0);
}

static void test_same_labels_and_limit(void **arg) {
    struct bench *b = *arg;
    load(b, "groups:\n- name: g\n  interval: 10s\n  limit: 2\n  rules:\n  - record: r\n    expr: "
            "up\n    labels: {instance: one}\n"
            "  - alert: A\n    expr: up\n");
    b->value[0] = b->value[1] = 1;
    step(b, 10);
    struct arena a = ARENA_INIT;
    struct rule_group_view *g;
    size_t n;
    struct err err = {0};
    assert_true(rule_manager_groups(b->m, &a, &g, &n, &err));
    assert_non_null(strstr(g[0].rules[0].last_error.p, "same labelset"));
    assert_int_equal(g[0].rules[1].health, RULE_HEALTH_OK);
    b->value[2] = 1;
    step(b, 10);
    assert_true(rule_manager_groups(b->m, &a, &g, &n, &err));
    assert_non_null(strstr(g[0].rules[1].last_error.p, "exceeded limit of 2 with 3 alerts"));
    assert_int_equal(g[0].rules[1].n_alerts, 2); /* what rang goes on ringing */
    arena_deinit(&a);
}

static void test_clock_jumps(void **arg) {
    struct bench *b = *arg;
    load(b, "groups:\n- name: g\n  interval: 10s\n  rules:\n  - record: r\n    expr: up\n");
    step(b, 10);
    assert_int_equal(b->queries, 1);
    for (int i = 0; i < 9; i++)
        step(b, 1); /* within the slot: not doubled */
    assert_true(b->queries <= 2);
    size_t before = b->queries;
    step(b, 1000); /* ahead: once, and the slots between are counted */
    assert_int_equal(b->queries, before + 1);
    struct arena a = ARENA_INIT;
    struct rule_group_view *g;
    size_t n;
    struct err err = {0};
    assert_true(rule_manager_groups(b->m, &a, &g, &n, &err));
    assert_true(g[0].missed >= 98 && g[0].missed <= 100);
    before = b->queries;
    b->manual.wall_ns -= INT64_C(5) * 1000000000; /* a small step back: nothing twice */
    step(b, 0);
    assert_int_equal(b->queries, before);
    b->manual.wall_ns -= INT64_C(86400) * 1000000000; /* a day back: goes on at once */
    step(b, 0);
    assert_int_equal(b->queries, before + 1);
    for (int i = 0; i < 10; i++)
        step(b, 10);
    assert_int_equal(b->queries, before + 11);
    arena_deinit(&a);
}

static void test_full_disk_moves_nothing(void **arg) {
    struct bench *b = *arg;
    load(b, DOWN_FOR);
    struct err err = {0};
    /* Another transaction makes the commit fail: the table is gone for a while. */
    struct state_tx *tx = state_begin(b->state, &err);
    assert_true(state_exec(tx, &err, "ALTER TABLE signals RENAME TO signals_away", ""));
    assert_true(state_commit(tx, &err));
    b->value[0] = 0;
    for (int i = 0; i < 4; i++)
        step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_PENDING); /* what is not on disk did not happen */
    tx = state_begin(b->state, &err);
    assert_true(state_exec(tx, &err, "ALTER TABLE signals_away RENAME TO signals", ""));
    assert_true(state_commit(tx, &err));
    step(b, 10);
    assert_int_equal(state_of(b, NULL), ALERT_FIRING);
    assert_string_equal(signals(b), "firing");
}

static void test_threads(void **arg) {
    struct bench *b = *arg;
    struct err err = {0};
    rule_manager_free(b->m);
    struct rule_options opt = {.state = b->state,
                               .sink = {&sink_ops, b},
                               .clock = clock_system(),
                               .query = query,
                               .query_self = b,
                               .threads = 1};
    b->m = rule_manager_new(&opt, &err);
    assert_non_null(b->m);
    load(b, "groups:\n- name: g\n  interval: 50ms\n  rules:\n  - record: r\n    expr: up\n");
    assert_true(rule_manager_start(b->m, &err));
    struct rule_summary s = {0};
    int64_t first = 0;
    for (int i = 0; i < 10000; i++) { /* until it has been evaluated twice */
        rule_manager_summary(b->m, &s);
        if (!first)
            first = s.last_eval_ms;
        else if (s.last_eval_ms > first)
            break;
        struct timespec t = {0, 1000000};
        nanosleep(&t, NULL);
    }
    assert_true(s.last_eval_ms > first && first > 0);
    load(
        b,
        "groups:\n- name: h\n  interval: 50ms\n  rules:\n  - record: q\n    expr: up\n"); /* while
                                                                                             it runs
                                                                                           */
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_pending_firing_resolved), T(test_refresh_when_the_text_changes),
        T(test_keep_firing_for),         T(test_state_survives_restart),
        T(test_reload_keeps_and_prunes), T(test_recording_and_staleness),
        T(test_same_labels_and_limit),   T(test_clock_jumps),
        T(test_full_disk_moves_nothing), T(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
