#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/corpus_testlib.h"

#include "net/http_url_fuzz.c"

static void test_corpus(void **state) {
    (void)state;
    assert_true(corpus_replay(TESTDATA_DIR "/http_url", LLVMFuzzerTestOneInput) > 8);
}

static void expect_path(const char *raw, const char *want) {
    struct arena a = ARENA_INIT;
    struct str out = {NULL, 0};
    struct err err = {0};
    bool ok = http_path_decode(str_from(raw), &a, &out, &err);
    if (ok != (want != NULL) || (ok && !str_eqz(out, want)))
        fail_msg("%s -> %.*s %s", raw, STR_FMT(out), err.message);
    arena_deinit(&a);
}

static void test_paths(void **state) {
    (void)state;
    expect_path("/", "/");
    expect_path("/a%20b/%e7%81%ab", "/a b/\xe7\x81\xab");
    expect_path("/a+b", "/a+b");
    expect_path("/a..b/...", "/a..b/...");
    static const char *const bad[] = {"",    "a",    "/..",  "/a/../b", "/%2e%2e/", "/.%2E", "/.",
                                      "/a%", "/%zz", "/%00", "/a%0a",   "/\\",      "/a%5cb"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_path(bad[i], NULL);
}

static void test_parts(void **state) {
    (void)state;
    struct arena a = ARENA_INIT;
    struct str part;
    assert_true(http_path_match("/l/:name/values", STR("/l/a%2Fb/values")));
    assert_true(http_path_part("/l/:name/values", STR("/l/a%2Fb/values"), 0, &a, &part));
    assert_true(str_eq(part, STR("a/b")));
    assert_false(http_path_match("/l/:name/values", STR("/l/a/b/values")));
    assert_false(http_path_match("/l/:name/values", STR("/l//values")) &&
                 http_path_part("/l/:name/values", STR("/l//values"), 0, &a, &part) && part.n);
    assert_true(http_path_part("/f/*", STR("/f/x/y"), 0, &a, &part));
    assert_true(str_eq(part, STR("x/y")));
    arena_deinit(&a);
}

static void test_forms(void **state) {
    (void)state;
    struct arena a = ARENA_INIT;
    struct str v, form = STR("q=a+b%2B&x&match%5B%5D=1&match[]=2&q=%zz&=5");
    assert_true(http_form_get(form, STR("q"), 0, &a, &v) && str_eq(v, STR("a b+")));
    assert_true(http_form_get(form, STR("q"), 1, &a, &v) && str_eq(v, STR("%zz")));
    assert_false(http_form_get(form, STR("q"), 2, &a, &v));
    assert_true(http_form_get(form, STR("x"), 0, &a, &v) && v.n == 0);
    assert_int_equal(http_form_count(form, STR("match[]")), 2);
    assert_true(http_form_get(form, STR("match[]"), 1, &a, &v) && str_eq(v, STR("2")));
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
