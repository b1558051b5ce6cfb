#include "base/base_testlib.h"

#include "base/regex.h"

static bool matches(const char *pattern, const char *s)
{
    struct err e;
    struct regex *re = regex_new(str_from(pattern), true, &e);
    assert_non_null(re);
    bool hit = regex_match(re, str_from(s));
    regex_free(re);
    return hit;
}

static void anchored_as_prometheus(void **state)
{
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

static void errors_name_the_place(void **state)
{
    (void)state;
    struct err e;
    assert_null(regex_new(STR("a("), true, &e));
    assert_int_equal(e.code, ERR_BAD_INPUT);
    assert_non_null(strstr(e.message, "a("));
    assert_null(regex_new(STR("\\C"), true, &e));
    assert_null(regex_new(STR("a)|(b"), true, &e)); /* well-formed only with something around it */
    assert_non_null(strstr(e.message, "at offset 1"));
}

static void literals_and_prefix(void **state)
{
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

static void runaway_patterns_are_stopped(void **state)
{
    (void)state;
    struct err e;
    struct regex *re = regex_new(STR("(a+)+b|(x+x+)+y"), true, &e);
    char text[200];
    memset(text, 'a', sizeof(text));
    assert_false(regex_match(re, str_make(text, sizeof(text))));
    regex_free(re);
}

static void expand_and_replace_as_go(void **state)
{
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anchored_as_prometheus),       cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(literals_and_prefix),          cmocka_unit_test(runaway_patterns_are_stopped),
        cmocka_unit_test(expand_and_replace_as_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
