#include "base/base_testlib.h"

#include "base/regex.h"

static bool matches(const char *pattern, const char *s) {
    struct err e;
    struct regex *re = regex_new(str_from(pattern), true, &e);
    assert_non_null(re);
    bool hit = regex_match(re, str_from(s));
    regex_free(re);
    return hit;
}

static void anchored_as_prometheus(void **state) {
    (void)state;
    assert_true(matches("a.c", "abc"));
    assert_false(matches("b", "abc"));
    assert_true(matches("a|bc", "bc"));
    assert_false(matches("a|bc", "abc"));
    assert_true(matches(".*", "line\nbreak"));
    assert_false(matches("a", "a\n"));
    assert_true(matches("", ""));
    assert_false(matches("", "x"));
    assert_true(matches("(?i)ABC", "abc"));
    assert_true(matches("foo.*", "foobar"));
    assert_true(matches("fo?", "f"));
    assert_true(matches("火.+", "火の見"));
    assert_true(matches("[a-z]+\\d{2,}", "ab123"));
}

static void errors_name_the_place(void **state) {
    (void)state;
    struct err e;
    assert_null(regex_new(STR("a("), true, &e));
    assert_int_equal(e.code, ERR_BAD_INPUT);
    assert_non_null(strstr(e.message, "a("));
    assert_null(regex_new(STR("\\C"), true, &e));
    assert_null(regex_new(STR("a)|(b"), true, &e)); /* well-formed only with something around it */
    assert_non_null(strstr(e.message, "at offset 1"));
}

static void syntax_is_that_of_re2(void **state) {
    (void)state;
    static const char *const refused[] = {"+",        "*a",      "a|*",         "(+)",
                                          "a**",      "a++",     "a*+",         "a?+",
                                          "a{2}+",    "(?=a)",   "(?!a)",       "(?<=a)b",
                                          "(a)\\1",   "(?>a)",   "a{1001}",     "x{0,1001}",
                                          "a{3,2}",   "\\h",     "\\R",         "\\K",
                                          "\\X",      "(?x)a b", "(?R)",        "\\Z",
                                          "\\G",      "\\e",     "\\cA",        "\\o{17}",
                                          "\\N",      "(?#c)a",  "(?|a|b)",     "\\p{Script=Greek}",
                                          "(*UTF8)a", "[a",      "[a-\\d]",     "[\\b]",
                                          "\\",       "\\8",     "\\x{110000}", "\\x1",
                                          "(?P>a)",   "(?P<>a)", "(?i",         "(?i-)a",
                                          "[z-a]"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct err e;
        struct regex *re = regex_new(str_from(refused[i]), true, &e);
        if (re)
            fail_msg("%s is taken", refused[i]);
        assert_int_equal(e.code, ERR_BAD_INPUT);
    }
    static const struct {
        const char *pattern, *yes, *no;
    } taken[] = {{"[\\w-.]+", "a-b.c", "a b"},
                 {"[\\d-z]+", "1-z", "a"},
                 {"^*a", "a", "b"},
                 {"\\b+a$*", "a", "b"},
                 {"[[=a=]]", "=]", "a"},
                 {"[:alpha:]+", "ahl:p", "z"},
                 {"[[:alpha:]-]+", "x-y", "1"},
                 {"a{,3}", "a{,3}", "aa"},
                 {"a{2", "a{2", "aa"},
                 {"a{2,3}?", "aaa", "aaaa"},
                 {"\\v", "\v", "\n"},
                 {"a\\sb", "a b", "a\vb"},
                 {"[\\s]", "\t", "\v"},
                 {"\\S[\\S]", "\v\v", "  "},
                 {"\\12", "\n", "12"},
                 {"\\x41\\x{706b}", "A火", "A"},
                 {"\\Qa.b*\\E+", "a.b**", "axb"},
                 {"[]a]+", "]a", "b"},
                 {"[^]a]", "b", "]"},
                 {"(?P<n>a)|(?i:B)", "b", "c"},
                 {"a\\.b\\-\\_", "a.b-_", "axb-_"},
                 {"[火-灯]", "火", "a"},
                 {"(?:^a|b$)+", "ab", "c"},
                 {"[+--]+", "+,-", "*"},
                 {"\\pL\\p{^Greek}", "ab", "aα"},
                 {"x*?y??", "xx", "z"}};
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (!matches(taken[i].pattern, taken[i].yes))
            fail_msg("%s does not match %s", taken[i].pattern, taken[i].yes);
        if (matches(taken[i].pattern, taken[i].no))
            fail_msg("%s matches %s", taken[i].pattern, taken[i].no);
    }
}

static void literals_and_prefix(void **state) {
    (void)state;
    struct err e;
    const struct str *l;
    struct regex *re = regex_new(STR("a|bb|"), true, &e);
    assert_int_equal(regex_literals(re, &l), 3);
    assert_str(l[1], "bb");
    assert_int_equal(l[2].n, 0);
    assert_true(regex_match(re, STR("")));
    regex_free(re);
    re = regex_new(STR("node_.*"), true, &e);
    assert_int_equal(regex_literals(re, &l), 0);
    assert_str(regex_prefix(re), "node_");
    regex_free(re);
    re = regex_new(STR("nodes?"), true, &e);
    assert_str(regex_prefix(re), "node");
    regex_free(re);
}

static void runaway_patterns_are_stopped(void **state) {
    (void)state;
    struct err e;
    struct regex *re = regex_new(STR("(a+)+b|(x+x+)+y"), true, &e);
    char text[200];
    memset(text, 'a', sizeof(text));
    assert_false(regex_match(re, str_make(text, sizeof(text))));
    regex_free(re);
}

static void expand_and_replace_as_go(void **state) {
    (void)state;
    struct err e;
    struct buf b = BUF_INIT;
    struct regex *re = regex_new(STR("(?P<host>[^:]+):(\\d+)"), true, &e);
    assert_true(regex_expand(re, STR("db:5432"), STR("${host}-$2-$$-$9-$1x-${1}x"), &b));
    assert_string_equal(b.p, "db-5432-$---dbx"); /* $1x names a group that does not exist */
    buf_reset(&b);
    assert_false(regex_expand(re, STR("nothing"), STR("$1"), &b));
    regex_free(re);
    re = regex_new(STR("a*"), false, &e);
    regex_replace_all(re, STR("baac"), STR("-"), &b);
    assert_string_equal(b.p, "-b-c-");
    regex_free(re);
    buf_deinit(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anchored_as_prometheus),       cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(syntax_is_that_of_re2),        cmocka_unit_test(literals_and_prefix),
        cmocka_unit_test(runaway_patterns_are_stopped), cmocka_unit_test(expand_and_replace_as_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
