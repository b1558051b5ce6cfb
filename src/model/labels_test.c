#include "base/base_testlib.h"

#include "base/limits.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "model/sink.h"

#include <stdlib.h>

static void builder_sorts_replaces_deletes(void **state) {
    (void)state;
    struct labels_builder b = LABELS_BUILDER_INIT;
    labels_builder_set(&b, STR("job"), STR("node"));
    labels_builder_set(&b, STR("__name__"), STR("up"));
    labels_builder_set(&b, STR("instance"), STR("a"));
    labels_builder_set(&b, STR("instance"), STR("b"));
    labels_builder_set(&b, STR("job"), STR("")); /* empty means absent */
    struct labels ls = labels_builder_view(&b);
    assert_int_equal(ls.n, 2);
    assert_str(ls.l[0].name, "__name__");
    assert_str(labels_get(ls, STR("instance")), "b");
    assert_null(labels_get(ls, STR("job")).p);
    struct labels *copy = labels_dup(ls);
    assert_true(labels_eq(*copy, ls));
    assert_int_equal(labels_hash(*copy), labels_hash(ls));
    free(copy);
    labels_builder_deinit(&b);
}

static void text_form_round_trips(void **state) {
    (void)state;
    static const char *texts[] = {"up", "up{job=\"node\"}", "{a=\"b\", c=\"d\\\"e\\\\\\n\"}",
                                  "{\"火.の\", \"l.x\"=\"y\"}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct arena a = ARENA_INIT;
        struct buf b = BUF_INIT;
        struct labels ls;
        struct err e;
        assert_true(labels_parse(str_from(texts[i]), &a, &ls, &e));
        labels_format(&b, ls);
        assert_string_equal(b.p, texts[i]);
        buf_deinit(&b);
        arena_deinit(&a);
    }
}

static void wrong_text_is_refused(void **state) {
    (void)state;
    static const char *texts[] = {
        "up{", "up{a}", "up{a=b}", "up{a=\"b}", "up{a=\"b\" c=\"d\"}", "up}", "{a=\"\\x\"}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct arena a = ARENA_INIT;
        struct labels ls;
        struct err e;
        assert_false(labels_parse(str_from(texts[i]), &a, &ls, &e));
        assert_int_equal(e.code, ERR_BAD_INPUT);
        arena_deinit(&a);
    }
}

static bool check(struct label *l, uint32_t n, const char *says) {
    struct err e;
    bool ok = labels_check((struct labels){l, n}, &e);
    return !ok && strstr(e.message, says);
}

static void check_names_the_culprit(void **state) {
    (void)state;
    static char big[LIMIT_LABEL_VALUE_BYTES + 1];
    memset(big, 'x', sizeof(big));
    struct label unsorted[] = {{STR("b"), STR("1")}, {STR("a"), STR("1")}};
    struct label twice[] = {{STR("a"), STR("1")}, {STR("a"), STR("2")}};
    struct label wide[] = {{STR("__name__"), STR("m")}, {STR("path"), {big, sizeof(big)}}};
    struct label bytes[] = {{STR("a"), STR("\xff")}};
    assert_true(check(unsorted, 2, "not sorted"));
    assert_true(check(twice, 2, "\"a\""));
    assert_true(check(wide, 2, "\"path\" of \"m\""));
    assert_true(check(bytes, 1, "UTF-8"));
    assert_true(check(NULL, 0, "at least one"));
    struct label good[] = {{STR("__name__"), STR("m")}, {STR("a"), STR("b")}};
    struct err e;
    assert_true(labels_check((struct labels){good, 2}, &e));
}

static void order_is_prometheus(void **state) {
    (void)state;
    struct label a[] = {{STR("a"), STR("1")}}, b[] = {{STR("a"), STR("1")}, {STR("b"), STR("1")}};
    struct label c[] = {{STR("a"), STR("2")}};
    assert_true(labels_cmp((struct labels){a, 1}, (struct labels){b, 2}) < 0);
    assert_true(labels_cmp((struct labels){b, 2}, (struct labels){c, 1}) < 0);
    assert_int_equal(labels_cmp((struct labels){a, 1}, (struct labels){a, 1}), 0);
}

static void matchers_see_missing_as_empty(void **state) {
    (void)state;
    struct label l[] = {{STR("job"), STR("node")}};
    struct labels ls = {l, 1};
    struct err e;
    struct regex *re = regex_new(STR("no.+|"), true, &e);
    struct matcher m[] = {{MATCH_EQ, STR("job"), STR("node"), NULL},
                          {MATCH_NE, STR("job"), STR("x"), NULL},
                          {MATCH_EQ, STR("env"), STR(""), NULL},
                          {MATCH_RE, STR("job"), STR("no.+|"), re},
                          {MATCH_RE, STR("env"), STR("no.+|"), re}};
    assert_true(matchers_match(m, 5, ls));
    m[4].type = MATCH_NRE;
    assert_false(matchers_match(m, 5, ls));
    struct buf b = BUF_INIT;
    matcher_format(&b, &m[4]);
    assert_string_equal(b.p, "env!~\"no.+|\"");
    buf_deinit(&b);
    regex_free(re);
}

static void metric_types_have_names(void **state) {
    (void)state;
    enum metric_type t;
    assert_true(metric_type_from_name(STR("gaugehistogram"), &t));
    assert_string_equal(metric_type_name(t), "gaugehistogram");
    assert_true(metric_type_from_name(STR("untyped"), &t));
    assert_int_equal(t, METRIC_UNKNOWN);
    assert_false(metric_type_from_name(STR("Counter"), &t));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builder_sorts_replaces_deletes),
        cmocka_unit_test(text_form_round_trips),
        cmocka_unit_test(wrong_text_is_refused),
        cmocka_unit_test(check_names_the_culprit),
        cmocka_unit_test(order_is_prometheus),
        cmocka_unit_test(matchers_see_missing_as_empty),
        cmocka_unit_test(metric_types_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
