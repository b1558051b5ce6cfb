#include "codec/conf_yaml.h"
#include "feature/rule/rule_conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/corpus_testlib.h"
#include "feature/rule/rule_conf_fuzz.c"

static struct str pair(const struct conf_pairs *p, const char *key) {
    for (size_t i = 0; i < p->n; i++)
        if (str_eqz(p->key[i], key))
            return p->value[i];
    return (struct str){NULL, 0};
}

static void decode(const char *file, struct str text, struct arena *a, struct rule_file_conf *out,
                   struct conf_diags *d, bool *ok) {
    struct conf_env env = {0};
    *d = (struct conf_diags){.arena = a};
    *ok = conf_yaml_decode(text, file, &rule_file_table, &env, a, out, d);
}

static void test_pack_is_complete(void **arg) {
    (void)arg;
    struct arena a = ARENA_INIT;
    struct rule_file_conf f;
    struct conf_diags d;
    bool ok;
    decode(RULE_PACK_HOST_FILE, rule_pack_host(), &a, &f, &d, &ok);
    for (size_t i = 0; i < d.n; i++)
        print_message("%s:%u:%u: %s\n", d.v[i].file, d.v[i].line, d.v[i].column, d.v[i].message);
    assert_true(ok);
    assert_int_equal(d.n, 0);
    assert_true(f.groups.n >= 5);
    size_t rules = 0;
    const struct rule_group_conf *g = f.groups.v;
    for (size_t i = 0; i < f.groups.n; i++) {
        const struct rule_conf *r = g[i].rules.v;
        for (size_t k = 0; k < g[i].rules.n; k++, rules++) {
            static const char *const texts[] = {"summary",        "summary_ja", "description",
                                                "description_ja", "runbook",    "runbook_ja"};
            for (size_t t = 0; t < 6; t++)
                if (pair(&r[k].annotations, texts[t]).n == 0)
                    fail_msg("%.*s has no %s", STR_FMT(r[k].alert), texts[t]);
            struct str severity = pair(&r[k].labels, "severity");
            assert_true(str_eqz(severity, "critical") || str_eqz(severity, "warning"));
            assert_true(r[k].for_ms > 0 ||
                        r[k].keep_firing_for_ms > 0); /* a moment rings for nobody */
        }
    }
    assert_true(rules >= 15 && rules <= 30);
    arena_deinit(&a);
}

static void test_findings(void **arg) {
    (void)arg;
    static const struct {
        const char *text, *want;
        uint32_t line;
    } cases[] = {
        {"groups: [{name: a, rules: [{alert: X, record: y, expr: '1'}]}]", "exactly one of", 1},
        {"groups:\n- name: a\n  rules:\n  - expr: '1'\n", "exactly one of", 4},
        {"groups:\n- name: a\n  rules:\n  - alert: X\n    expr: 'up =='\n", "expr", 5},
        {"groups:\n- name: a\n  rules:\n  - alert: X\n    expr: 'up[5m]'\n", "range vector", 5},
        {"groups:\n- name: a\n  rules:\n  - record: x\n    expr: up\n    for: 1m\n",
         "belongs to alerts", 6},
        {"groups:\n- name: a\n  rules:\n  - alert: X\n    expr: up\n    annotations: {a: '{{ "
         ".Labels'}\n",
         "annotations: a", 6},
        {"groups:\n- name: a\n  rules:\n  - alert: X\n    expr: up\n    annotations: {a: '{{ "
         "nofunc }}'}\n",
         "nofunc", 6},
        {"groups:\n- name: a\n  rules:\n  - alert: X\n    expr: up\n    labels: {__name__: x}\n",
         "__name__", 6},
        {"groups:\n- name: a\n- name: a\n", "twice", 3},
        {"groups:\n- name: a\n  ruls: []\n", "rules", 3},
        {"groups:\n- name: a\n  interval: soon\n", "duration", 3},
        {"groups:\n- name: a\n  query_offset: later\n", "query_offset", 3},
        {"group: []\n", "groups", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena a = ARENA_INIT;
        struct rule_file_conf f;
        struct conf_diags d;
        bool ok;
        decode("r.yml", str_from(cases[i].text), &a, &f, &d, &ok);
        if (ok || d.n == 0)
            fail_msg("%s: no finding", cases[i].text);
        if (!strstr(d.v[0].message, cases[i].want) || d.v[0].line != cases[i].line)
            fail_msg("%s: want line %u \"%s\", got line %u \"%s\"", cases[i].text, cases[i].line,
                     cases[i].want, d.v[0].line, d.v[0].message);
        arena_deinit(&a);
    }
}

static void test_reads_all_fields(void **arg) {
    (void)arg;
    static const char text[] =
        "groups:\n"
        "- name: g\n"
        "  interval: 15s\n"
        "  limit: 3\n"
        "  query_offset: 1m30s\n"
        "  labels: {team: a}\n"
        "  rules:\n"
        "  - record: job:up:sum\n"
        "    expr: sum by (job) (up)\n"
        "    labels: {x: y}\n"
        "  - alert: Down\n"
        "    expr: up == 0\n"
        "    for: 5m\n"
        "    keep_firing_for: 1m\n"
        "    annotations: {summary: '{{ $labels.instance }} is {{ $value }}'}\n";
    struct arena a = ARENA_INIT;
    struct rule_file_conf f;
    struct conf_diags d;
    bool ok;
    decode("r.yml", str_from(text), &a, &f, &d, &ok);
    if (!ok)
        fail_msg("%s", d.v[0].message);
    const struct rule_group_conf *g = f.groups.v;
    assert_int_equal(g->interval_ms, 15000);
    assert_int_equal(g->limit, 3);
    assert_int_equal(g->query_offset_ms, 90000);
    assert_int_equal(g->rules.n, 2);
    const struct rule_conf *r = g->rules.v;
    assert_true(str_eqz(r[0].record, "job:up:sum"));
    assert_int_equal(r[1].for_ms, 300000);
    assert_int_equal(r[1].keep_firing_for_ms, 60000);
    assert_true(
        str_eqz(pair(&r[1].annotations, "summary"), "{{ $labels.instance }} is {{ $value }}"));
    arena_deinit(&a);
}

static void test_corpus(void **arg) {
    (void)arg;
    assert_true(corpus_replay(TESTDATA_DIR "/rule_conf", LLVMFuzzerTestOneInput) >= 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack_is_complete),
        cmocka_unit_test(test_findings),
        cmocka_unit_test(test_reads_all_fields),
        cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
