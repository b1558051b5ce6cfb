#include "base/base_testlib.h"
#include "codec/conf_yaml.h"
#include "codec/corpus_testlib.h"
#include "pipe/relabel.h"
#include "pipe/relabel_fuzz.c"

struct list {
    struct conf_list rules;
};
static const struct conf_option list_options[] = {
    {.name = "r",
     .type = CONF_LIST,
     .offset = offsetof(struct list, rules),
     .table = &relabel_table,
     .help = "x"},
};
static const struct conf_table list_table = {.name = "list",
                                             .help = "x",
                                             .size = sizeof(struct list),
                                             .options = list_options,
                                             .n = 1,
                                             .source_offset = SIZE_MAX};

static bool decode(const char *yaml, struct arena *a, struct list *out, struct buf *diags) {
    struct conf_diags d = {.arena = a};
    struct buf text = BUF_INIT;
    buf_printf(&text, "r:\n%s", yaml);
    bool ok = conf_yaml_decode(buf_view(&text), "test", &list_table, NULL, a, out, &d);
    conf_yaml_format_diags(&d, diags);
    buf_deinit(&text);
    return ok;
}

/* The label set after the rules, "dropped", or what is wrong with the rules. */
static void check(const char *yaml, const char *in, const char *want) {
    struct arena a = ARENA_INIT;
    struct list list;
    struct buf diags = BUF_INIT, got = BUF_INIT;
    struct err err;
    struct labels ls;
    struct labels_builder b = LABELS_BUILDER_INIT;
    if (!decode(yaml, &a, &list, &diags))
        fail_msg("%s", diags.p);
    struct relabel *r = relabel_new(list.rules.v, list.rules.n, &err);
    if (!r)
        fail_msg("%s", err.message);
    assert_true(labels_parse(str_from(in), &a, &ls, &err));
    labels_builder_reset(&b, ls);
    if (relabel_apply(r, &b, &a))
        labels_format(&got, labels_builder_view(&b));
    else
        buf_putz(&got, "dropped");
    assert_string_equal(got.p, want);
    buf_deinit(&got);
    buf_deinit(&diags);
    labels_builder_deinit(&b);
    relabel_free(r);
    arena_deinit(&a);
}

static void refuse(const char *yaml, const char *why) {
    struct arena a = ARENA_INIT;
    struct list list;
    struct buf diags = BUF_INIT;
    if (decode(yaml, &a, &list, &diags))
        fail_msg("accepted: %s", yaml);
    if (!strstr(diags.p, why))
        fail_msg("\"%s\" does not say \"%s\"", diags.p, why);
    buf_deinit(&diags);
    arena_deinit(&a);
}

static void test_replace(void **state) {
    (void)state;
    const char *in = "{a=\"foo\", b=\"bar\", c=\"baz\"}";
    check("- {source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'ch${1}-ch${1}'}\n",
          in, "{a=\"foo\", b=\"bar\", c=\"baz\", d=\"choo-choo\"}");
    check("- {source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: "
          "'b${1}${2}m'}\n"
          "- {source_labels: [c, a], regex: '(b).*b(.*)ba(.*)', target_label: d, replacement: "
          "'$1$2$2$3'}\n",
          in, "{a=\"boobam\", b=\"bar\", c=\"baz\", d=\"boooom\"}");
    /* no match: nothing; anchored; a missing label is an empty value */
    check("- {source_labels: [a], regex: oo, target_label: d, replacement: x}\n", in,
          "{a=\"foo\", b=\"bar\", c=\"baz\"}");
    check("- {source_labels: [nope], regex: '', target_label: d, replacement: x}\n", in,
          "{a=\"foo\", b=\"bar\", c=\"baz\", d=\"x\"}");
    /* an empty result removes; the target may be made from groups */
    check("- {source_labels: [a], target_label: b, replacement: ''}\n", in,
          "{a=\"foo\", c=\"baz\"}");
    check("- {source_labels: [a], regex: '(f)(.*)', target_label: '${2}_x', replacement: '$1'}\n",
          in, "{a=\"foo\", b=\"bar\", c=\"baz\", oo_x=\"f\"}");
    check("- {source_labels: [a], regex: '(x?)foo', target_label: '$1', replacement: y}\n", in,
          "{a=\"foo\", b=\"bar\", c=\"baz\"}");
    check("- {source_labels: [a, b, c], separator: '', target_label: d}\n", in,
          "{a=\"foo\", b=\"bar\", c=\"baz\", d=\"foobarbaz\"}");
    check("- {target_label: env, replacement: prod}\n", in,
          "{a=\"foo\", b=\"bar\", c=\"baz\", env=\"prod\"}");
    check(
        "- {source_labels: [a], regex: '(?P<x>f)(.*)', target_label: d, replacement: '${x}$$2'}\n",
        in, "{a=\"foo\", b=\"bar\", c=\"baz\", d=\"f$2\"}");
    check("- {source_labels: [a], target_label: 'a.b'}\n", "{a=\"1\"}", "{a=\"1\", \"a.b\"=\"1\"}");
}

static void test_keep_drop(void **state) {
    (void)state;
    const char *in = "{a=\"foo\", b=\"foo\", c=\"bar\"}";
    check("- {source_labels: [a], regex: 'f|foo', action: keep}\n", in, in);
    check("- {source_labels: [a], regex: 'f|fo', action: keep}\n", in, "dropped");
    check("- {source_labels: [a], regex: '.*o', action: drop}\n", in, "dropped");
    check("- {source_labels: [a], regex: 'o.*', action: drop}\n", in, in);
    check("- {source_labels: [a], action: keepequal, target_label: b}\n", in, in);
    check("- {source_labels: [a], action: keepequal, target_label: c}\n", in, "dropped");
    check("- {source_labels: [a], action: dropequal, target_label: b}\n", in, "dropped");
    check("- {source_labels: [a], action: dropequal, target_label: c}\n", in, in);
    check("- {source_labels: [x], action: dropequal, target_label: y}\n", in,
          "dropped"); /* both missing: equal */
}

static void test_hash_and_case(void **state) {
    (void)state;
    /* md5("baz") is 73feffa4b7f6bb68e44cf984c85f6e88: 0xe44cf984c85f6e88 % 1000; md5("foo\nbar"),
     * Prometheus's own example */
    check("- {source_labels: [c], target_label: d, action: hashmod, modulus: 1000}\n",
          "{c=\"baz\"}", "{c=\"baz\", d=\"976\"}");
    check("- {source_labels: [a], target_label: d, action: hashmod, modulus: 1000}\n",
          "{a=\"foo\\nbar\"}", "{a=\"foo\\nbar\", d=\"734\"}");
    check("- {source_labels: [a], target_label: u, action: uppercase}\n- {source_labels: [a], "
          "target_label: l, action: lowercase}\n",
          "{a=\"bAr123Foo-\xc3\xa9\xc3\x89-\xd0\x94\xd0\xb4-\xef\xbd\x81-\xe7\x81\xab\"}",
          "{a=\"bAr123Foo-\xc3\xa9\xc3\x89-\xd0\x94\xd0\xb4-\xef\xbd\x81-\xe7\x81\xab\", "
          "l=\"bar123foo-\xc3\xa9\xc3\xa9-\xd0\xb4\xd0\xb4-\xef\xbd\x81-\xe7\x81\xab\", "
          "u=\"BAR123FOO-\xc3\x89\xc3\x89-\xd0\x94\xd0\x94-\xef\xbc\xa1-\xe7\x81\xab\"}");
}

static void test_names(void **state) {
    (void)state;
    check("- {regex: 'meta_(ng.*)', action: labelmap}\n",
          "{a=\"1\", meta_ng_x=\"y\", meta_z=\"q\"}",
          "{a=\"1\", meta_ng_x=\"y\", meta_z=\"q\", ng_x=\"y\"}");
    check("- {regex: '__meta_(my_(.*))', replacement: '${1}_${2}', action: labelmap}\n",
          "{__meta_my_b=\"x\"}", "{__meta_my_b=\"x\", my_b_b=\"x\"}");
    check("- {regex: '__.*', action: labeldrop}\n", "{__a=\"1\", __b=\"2\", c=\"3\"}", "{c=\"3\"}");
    check("- {regex: '(__name__|c)', action: labelkeep}\n", "m{a=\"1\", c=\"3\"}", "m{c=\"3\"}");
    check("- {regex: 'a', action: labelkeep}\n- {source_labels: [a], regex: '1', action: drop}\n",
          "{a=\"1\", c=\"3\"}", "dropped");
}

static void test_refused(void **state) {
    (void)state;
    refuse("- {source_labels: [a], action: hashmod, target_label: d}\n", "modulus");
    refuse("- {source_labels: [a], action: replace}\n", "target_label");
    refuse("- {source_labels: [a], action: lowercase}\n", "target_label");
    refuse("- {source_labels: [a], regex: x, action: labeldrop}\n", "regex and nothing else");
    refuse("- {regex: x, replacement: y, action: labelkeep}\n", "regex and nothing else");
    refuse("- {source_labels: [a], target_label: b, regex: x, action: keepequal}\n",
           "nothing else");
    refuse("- {source_labels: [a], regex: '(', target_label: b}\n", "regular expression");
    refuse("- {source_labels: [a], action: explode}\n", "explode");
    refuse("- {replacement: '', action: labelmap}\n", "replacement");
}

static void test_corpus(void **state) {
    (void)state;
    assert_true(corpus_replay(TESTDATA_DIR "/relabel", LLVMFuzzerTestOneInput) >= 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus),    cmocka_unit_test(test_replace),
        cmocka_unit_test(test_keep_drop), cmocka_unit_test(test_hash_and_case),
        cmocka_unit_test(test_names),     cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
