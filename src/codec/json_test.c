#include "base/base_testlib.h"
#include "base/limits.h"
#include "codec/corpus_testlib.h"
#include "codec/json.h"
#include "codec/json_fuzz.c"

#include <math.h>

static void test_write(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    struct jsonw w = JSONW_INIT(&b);
    jsonw_object(&w);
    jsonw_kz(&w, "s", "a\"b\\c\n\t\x01/\xe7\x81\xab");
    jsonw_kstr(&w, "bad", str_make("x\xff\xc3(\xed\xa0\x80", 7));
    jsonw_karray(&w, "list");
    jsonw_i64(&w, INT64_MIN);
    jsonw_u64(&w, UINT64_MAX);
    jsonw_f64(&w, 0.1);
    jsonw_f64(&w, 1e300);
    jsonw_f64(&w, (double)NAN);
    jsonw_bool(&w, true);
    jsonw_null(&w);
    jsonw_z(&w, NULL);
    jsonw_object(&w);
    jsonw_end(&w);
    jsonw_array(&w);
    jsonw_end(&w);
    jsonw_raw(&w, STR("{\"r\":1}"));
    jsonw_printf(&w, "%d-%s", 7, "x");
    jsonw_end(&w);
    jsonw_ktime(&w, "t", 1500);
    jsonw_end(&w);
    assert_string_equal(
        b.p,
        "{\"s\":\"a\\\"b\\\\c\\n\\t\\u0001/"
        "\xe7\x81\xab\",\"bad\":\"x\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
        "\"list\":[-9223372036854775808,18446744073709551615,0.1,1e+300,null,true,null,null,{},[],"
        "{\"r\":1},\"7-x\"],\"t\":\"1970-01-01T00:00:01.500Z\"}");
    struct err err;
    struct jsonr_doc *doc = jsonr_parse(STR("{\"a\":1}"), &err);
    assert_non_null(doc);
    jsonr_free(doc);
    buf_deinit(&b);
}

static void test_read(void **state) {
    (void)state;
    struct err err;
    struct jsonr_doc *doc = jsonr_parse(STR("{\"s\":\"x\\u00e9\",\"n\":3,\"f\":2.5,\"b\":true,"
                                            "\"z\":null,\"a\":[1,\"2\"],\"o\":{\"k\":\"v\"}}"),
                                        &err);
    assert_non_null(doc);
    const struct jsonr *r = jsonr_root(doc);
    assert_int_equal(jsonr_type(r), JSONR_OBJECT);
    assert_int_equal(jsonr_len(r), 7);
    assert_true(str_eqz(jsonr_get_str(r, "s"), "x\xc3\xa9"));
    assert_int_equal(jsonr_get_i64(r, "n", -1), 3);
    assert_int_equal(jsonr_get_i64(r, "f", -1), -1);
    double f;
    assert_true(jsonr_f64(jsonr_get(r, "f"), &f) && f == 2.5);
    assert_true(jsonr_f64(jsonr_get(r, "n"), &f) && f == 3);
    assert_true(jsonr_get_bool(r, "b", false));
    assert_int_equal(jsonr_type(jsonr_get(r, "z")), JSONR_NULL);
    assert_int_equal(jsonr_type(jsonr_get(r, "nope")), JSONR_ABSENT);
    assert_int_equal(jsonr_len(jsonr_get(r, "a")), 2);
    assert_int_equal(jsonr_type(jsonr_at(jsonr_get(r, "a"), 1)), JSONR_STR);
    assert_null(jsonr_at(jsonr_get(r, "a"), 2));
    assert_true(str_eqz(jsonr_get_str(jsonr_get(r, "o"), "k"), "v"));
    assert_true(jsonr_get_str(jsonr_get(jsonr_get(r, "x"), "y"), "z").p == NULL);
    size_t n = 0;
    for (struct jsonr_iter it = jsonr_first(r); it.value; it = jsonr_next(it))
        n += it.key.n;
    assert_int_equal(n, 7);
    assert_null(jsonr_first(jsonr_get(r, "a")).value);
    jsonr_free(doc);
    doc = jsonr_parse(STR("{\"big\":18446744073709551615,\"n\":3,\"h\":2.5}"), &err);
    assert_non_null(doc);
    r = jsonr_root(doc);
    assert_true(jsonr_f64(jsonr_get(r, "big"), &f) && f == 18446744073709551616.0);
    assert_int_equal(jsonr_get_i64(r, "big", -1), -1);
    assert_int_equal(jsonr_get_i64(r, "n", -1), 3);
    assert_int_equal(jsonr_get_i64(r, "h", -1), -1);
    jsonr_free(doc);
}

static void refuse(const char *text, uint32_t line, uint32_t column) {
    struct err err;
    struct jsonr_doc *doc = jsonr_parse(str_from(text), &err);
    if (doc)
        fail_msg("accepted %s", text);
    assert_int_equal(err.line, line);
    assert_int_equal(err.column, column);
}

static void test_refused(void **state) {
    (void)state;
    refuse("", 1, 1);
    refuse("{\n \"a\": }", 2, 7);
    refuse("{\"a\":1,\"a\":2}", 1, 10);
    refuse("[1,]", 1, 4);
    refuse("[1] x", 1, 5);
    refuse("\"\xff\"", 1, 1);
    struct buf b = BUF_INIT;
    for (int i = 0; i < 100000; i++)
        buf_putc(&b, '[');
    struct err err;
    assert_null(jsonr_parse(buf_view(&b), &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_int_equal(err.column, LIMIT_JSON_DEPTH + 1);
    buf_reset(&b);
    buf_putz(&b, "\"");
    for (int i = 0; i < 1000; i++)
        buf_putz(&b, "[{\\\"");
    buf_putz(&b, "\"");
    struct jsonr_doc *doc = jsonr_parse(buf_view(&b), &err); /* brackets in strings are no depth */
    assert_non_null(doc);
    jsonr_free(doc);
    buf_deinit(&b);
}

static void test_corpus(void **state) {
    (void)state;
    assert_true(corpus_replay(TESTDATA_DIR "/json", LLVMFuzzerTestOneInput) >= 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus), cmocka_unit_test(test_write),
                                       cmocka_unit_test(test_read), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
