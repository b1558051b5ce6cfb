#include "base/base_testlib.h"
#include "codec/corpus_testlib.h"
#include "codec/json.h"
#include "codec/promtext.h"
#include "codec/promtext_fuzz.c"
#include "codec/promtext_layout.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

struct parsed {
    size_t samples, metas, exemplars;
    struct buf text; /* "series value[@ts]\n" */
};

static bool parse(struct str body, enum promtext_format f, struct parsed *out, struct err *err) {
    struct arena a = ARENA_INIT;
    struct promtext p;
    struct promtext_item it;
    struct labels_builder b = LABELS_BUILDER_INIT;
    *out = (struct parsed){0};
    err_reset(err);
    bool ok = promtext_init(&p, body, f, &a, err);
    while (ok && (ok = promtext_next(&p, &it, err)) && it.kind != PROMTEXT_END) {
        if (it.kind != PROMTEXT_SAMPLE) {
            out->metas++;
            continue;
        }
        out->samples++;
        out->exemplars += it.has_exemplar;
        ok = promtext_labels(it.series, &a, &b, err);
        labels_format(&out->text, labels_builder_view(&b));
        buf_putc(&out->text, ' ');
        buf_f64(&out->text, it.value);
        if (it.has_ts)
            buf_printf(&out->text, "@%lld", (long long)it.ts_ms);
        buf_putc(&out->text, '\n');
    }
    labels_builder_deinit(&b);
    arena_deinit(&a);
    return ok;
}

static void expect(const char *body, enum promtext_format f, const char *want) {
    struct parsed got;
    struct err err;
    if (!parse(str_from(body), f, &got, &err))
        fail_msg("%s\n%s", err.message, body);
    assert_string_equal(got.text.p ? got.text.p : "", want);
    buf_deinit(&got.text);
}

static void refuse(const char *body, enum promtext_format f, uint32_t line, const char *why) {
    struct parsed got;
    struct err err;
    if (parse(str_from(body), f, &got, &err))
        fail_msg("accepted: %s", body);
    buf_deinit(&got.text);
    if (!strstr(err.message, why))
        fail_msg("\"%s\" does not say \"%s\"", err.message, why);
    if (line)
        assert_int_equal(err.line, line);
}

static void test_plain(void **state) {
    (void)state;
    expect("", PROMTEXT_PLAIN, "");
    expect("\n\n  # just words\n#\n# TYPE\na 1\n", PROMTEXT_PLAIN, "a 1\n");
    expect("a 1", PROMTEXT_PLAIN, "a 1\n");
    expect("a 1\r\nb 2 5\r\n", PROMTEXT_PLAIN, "a 1\nb 2@5\n");
    expect("\ta { x = \"1\" , y=\"2\", }  3.5   -7 \n", PROMTEXT_PLAIN,
           "a{x=\"1\", y=\"2\"} 3.5@-7\n");
    expect("a{} 1e3\na:b{z=\"}\"} 0x10\n", PROMTEXT_PLAIN, "a 1000\na:b{z=\"}\"} 16\n");
    expect("a{y=\"q\\\"\\\\\\n\\z\",b=\"\"} NaN\n", PROMTEXT_PLAIN,
           "a{y=\"q\\\"\\\\\\n\\\\z\"} NaN\n");
    expect("a +Inf\na -Inf\na inf\n", PROMTEXT_PLAIN, "a +Inf\na -Inf\na +Inf\n");
    expect("{\"http.requests\",code=\"200\"} 2\n{\"a\"} 1\na{\"x.y\"=\"z\"} 1\n", PROMTEXT_PLAIN,
           "{\"http.requests\", code=\"200\"} 2\na 1\na{\"x.y\"=\"z\"} 1\n");
    expect(
        "a 18446744073709551615\na 0.30000000000000004\na 123456789012345678901234567890\na 1e-7\n",
        PROMTEXT_PLAIN,
        "a 18446744073709552000\na 0.30000000000000004\na 123456789012345680000000000000\na "
        "0.0000001\n");
    refuse("a 1\nb", PROMTEXT_PLAIN, 2, "value");
    refuse("a{x=\"1} 1\n", PROMTEXT_PLAIN, 1, "not closed");
    refuse("a{x=\"1\ny\"} 1\n", PROMTEXT_PLAIN, 1, "not closed");
    refuse("1a 1\n", PROMTEXT_PLAIN, 1, "metric name");
    refuse("a 1 1.5\n", PROMTEXT_PLAIN, 1, "timestamp");
    refuse("a 1 1 1\n", PROMTEXT_PLAIN, 1, "unexpected");
    refuse("a 1_000\n", PROMTEXT_PLAIN, 1, "value");
    refuse("# TYPE a nonsense\n", PROMTEXT_PLAIN, 1, "type");
    refuse("a{x=\"1\",x=\"2\"} 1\n", PROMTEXT_PLAIN, 0, "twice");
    refuse("a{x=\"\xff\"} 1\n", PROMTEXT_PLAIN, 0, "UTF-8");
    refuse("a{__name__=\"b\"} 1\n", PROMTEXT_PLAIN, 0, "__name__");
    refuse("<html><body>404</body></html>\n", PROMTEXT_PLAIN, 1, "metric name");
    refuse("{\"error\":1}\n", PROMTEXT_PLAIN, 1, "value");
}

static void test_metadata(void **state) {
    (void)state;
    struct arena a = ARENA_INIT;
    struct promtext p;
    struct promtext_item it;
    struct err err;
    struct str body = STR("# HELP a two\\nlines \\\\ \\\"\n# TYPE a untyped\n# HELP b\n#TYPE b "
                          "counter\n# HELP \"c.d\" quoted\na 1\n");
    assert_true(promtext_init(&p, body, PROMTEXT_PLAIN, &a, &err));
    assert_true(promtext_next(&p, &it, &err) && it.kind == PROMTEXT_HELP);
    assert_true(str_eqz(it.metric, "a") && str_eqz(it.text, "two\nlines \\ \\\""));
    assert_true(promtext_next(&p, &it, &err) && it.kind == PROMTEXT_TYPE &&
                it.type == METRIC_UNKNOWN);
    assert_true(promtext_next(&p, &it, &err) && it.kind == PROMTEXT_HELP && it.text.n == 0);
    assert_true(promtext_next(&p, &it, &err) && it.kind == PROMTEXT_TYPE &&
                it.type == METRIC_COUNTER);
    assert_true(promtext_next(&p, &it, &err) && it.kind == PROMTEXT_HELP &&
                str_eqz(it.metric, "c.d"));
    assert_true(promtext_next(&p, &it, &err) && it.kind == PROMTEXT_SAMPLE);
    assert_true(promtext_next(&p, &it, &err) && it.kind == PROMTEXT_END);
    assert_true(promtext_next(&p, &it, &err) && it.kind == PROMTEXT_END);

    body = STR("# TYPE s_seconds summary\n# UNIT s_seconds seconds\n# HELP s_seconds x "
               "\\\"\ns_seconds_count 1\n# EOF\n");
    assert_true(promtext_init(&p, body, PROMTEXT_OPENMETRICS, &a, &err));
    assert_true(promtext_next(&p, &it, &err) && it.kind == PROMTEXT_TYPE &&
                it.type == METRIC_SUMMARY);
    assert_true(promtext_next(&p, &it, &err) && it.kind == PROMTEXT_UNIT &&
                str_eqz(it.text, "seconds"));
    assert_true(promtext_next(&p, &it, &err) && it.kind == PROMTEXT_HELP &&
                str_eqz(it.text, "x \""));
    arena_deinit(&a);

    enum promtext_format f;
    assert_true(promtext_format_of(STR("text/plain; version=0.0.4; charset=utf-8"), &f) &&
                f == PROMTEXT_PLAIN);
    assert_true(promtext_format_of(STR("application/openmetrics-text;version=1.0.0"), &f) &&
                f == PROMTEXT_OPENMETRICS);
    assert_false(promtext_format_of(STR("text/html"), &f));
    assert_false(promtext_format_of((struct str){NULL, 0}, &f));
}

static void test_openmetrics(void **state) {
    (void)state;
    expect("# TYPE a counter\na_total{x=\"1\"} 1.0 1.5 # {id=\"\\\"q\"} 0.5 2\na_created{x=\"1\"} "
           "3 1.5\n# EOF\n",
           PROMTEXT_OPENMETRICS, "a_total{x=\"1\"} 1@1500\na_created{x=\"1\"} 3@1500\n");
    expect("# TYPE \"a.b\" gauge\n{\"a.b\",c=\"d\"} 1\n# EOF", PROMTEXT_OPENMETRICS,
           "{\"a.b\", c=\"d\"} 1\n");
    expect("a 1 12345678901234567890\n# EOF\n", PROMTEXT_OPENMETRICS, "a 1@9223372036854775807\n");
    refuse("a 1\n", PROMTEXT_OPENMETRICS, 2, "# EOF");
    refuse("# TYPE a gauge\n\na 1\n# EOF\n", PROMTEXT_OPENMETRICS, 2, "blank");
    refuse("# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n# EOF\n",
           PROMTEXT_OPENMETRICS, 3, "smaller");
    refuse("# TYPE a counter\na_total -1\n# EOF\n", PROMTEXT_OPENMETRICS, 2, "negative");
    refuse("# TYPE a counter\na_total 1\nb 1\na_total 2\n# EOF\n", PROMTEXT_OPENMETRICS, 0,
           "taken");
    refuse("# TYPE a counter\n# TYPE a_total gauge\n# EOF\n", PROMTEXT_OPENMETRICS, 0, "taken");
}

static char *slurp(const char *path, size_t *out_n) {
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    char *p = malloc(1 << 20);
    *out_n = p ? fread(p, 1, 1 << 20, f) : 0;
    (void)fclose(f);
    return p;
}

/* The layout learned from a page must read that same page to the same values. */
static void check_layout(struct str body, enum promtext_format f, struct promtext_layout *l,
                         size_t *out_read, bool *out_whole) {
    struct arena a = ARENA_INIT;
    struct promtext p;
    struct promtext_item it;
    struct promtext_value want[256], got[256];
    size_t n = 0, at;
    assert_true(promtext_init(&p, body, f, &a, NULL));
    promtext_layout_begin(l, f);
    do {
        assert_true(promtext_next(&p, &it, NULL));
        if (it.kind == PROMTEXT_SAMPLE && n < 256)
            want[n++] = (struct promtext_value){it.value, it.has_ts ? it.ts_ms : 0, it.has_ts};
        if (it.kind == PROMTEXT_SAMPLE || it.kind == PROMTEXT_END)
            promtext_layout_add(l, &it);
    } while (it.kind != PROMTEXT_END);
    arena_deinit(&a);
    assert_true(n < 256);
    *out_read = promtext_layout_read(l, body, got, &at, out_whole);
    for (size_t i = 0; i < *out_read; i++) {
        assert_true(sample_bits(got[i].value) == sample_bits(want[i].value));
        assert_int_equal(got[i].has_ts, want[i].has_ts);
        if (want[i].has_ts)
            assert_int_equal(got[i].ts_ms, want[i].ts_ms);
    }
    if (*out_whole)
        assert_int_equal(*out_read, n);
}

static void run_case(const char *dir, const char *name, size_t *n_good, size_t *n_bad) {
    char path[1024];
    size_t n = 0;
    (void)snprintf(path, sizeof(path), "%s/%s/test.json", dir, name);
    char *text = slurp(path, &n);
    if (!text)
        return;
    struct jsonr_doc *doc = jsonr_parse(str_make(text, n), NULL);
    assert_non_null(doc);
    bool want = jsonr_get_bool(jsonr_root(doc), "shouldParse", false);
    jsonr_free(doc);
    free(text);
    (void)snprintf(path, sizeof(path), "%s/%s/metrics", dir, name);
    text = slurp(path, &n);
    assert_non_null(text);
    struct parsed got;
    struct err err;
    bool ok = parse(str_make(text, n), PROMTEXT_OPENMETRICS, &got, &err);
    if (ok != want)
        fail_msg("%s: %s%s", name,
                 ok ? "accepted, must be refused" : "refused: ", ok ? "" : err.message);
    if (!ok) {
        assert_true(strlen(err.message) > 10);
        assert_true(err.line > 0);
    } else {
        struct promtext_layout l = PROMTEXT_LAYOUT_INIT;
        size_t read;
        bool whole;
        check_layout(str_make(text, n), PROMTEXT_OPENMETRICS, &l, &read, &whole);
        promtext_layout_deinit(&l);
    }
    *(ok ? n_good : n_bad) += 1;
    buf_deinit(&got.text);
    free(text);
}

static void test_conformance(void **state) {
    (void)state;
    const char *dir = HINOMI_SOURCE_DIR "/../shared/conformance/openmetrics";
    DIR *d = opendir(dir);
    if (!d) {
        print_message("openmetrics conformance cases are not here: 0 of 107 run\n");
        skip();
    }
    size_t good = 0, bad = 0;
    for (struct dirent *e = readdir(d); e; e = readdir(d)) /* this test has one thread */
        if (e->d_name[0] != '.')
            run_case(dir, e->d_name, &good, &bad);
    (void)closedir(d);
    print_message("openmetrics conformance: %zu valid accepted, %zu invalid refused\n", good, bad);
    assert_int_equal(good + bad, 107);
}

static void learn(struct promtext_layout *l, const char *body, enum promtext_format f) {
    size_t read;
    bool whole;
    check_layout(str_from(body), f, l, &read, &whole);
}

static void test_layout(void **state) {
    (void)state;
    struct promtext_layout l = PROMTEXT_LAYOUT_INIT;
    struct promtext_value v[8];
    size_t at;
    bool whole;
    learn(&l, "# HELP a b\na{x=\"1\"} 1\na{x=\"2\"} 2\n# c\nb 3 4\n", PROMTEXT_PLAIN);
    assert_int_equal(
        promtext_layout_read(&l, STR("# HELP a b\na{x=\"1\"} 1.5\na{x=\"2\"} NaN\n# c\nb -3e9 5\n"),
                             v, &at, &whole),
        3);
    assert_true(whole);
    assert_true(v[0].value == 1.5 && isnan(v[1].value) && v[2].value == -3e9 && v[2].has_ts &&
                v[2].ts_ms == 5);
    /* a line more at the end, a line less, a changed one, a changed comment */
    assert_int_equal(
        promtext_layout_read(&l, STR("# HELP a b\na{x=\"1\"} 1\na{x=\"2\"} 2\n# c\nb 3 4\nc 1\n"),
                             v, &at, &whole),
        3);
    assert_false(whole);
    assert_int_equal(at, strlen("# HELP a b\na{x=\"1\"} 1\na{x=\"2\"} 2\n# c\nb 3 4\n"));
    assert_int_equal(
        promtext_layout_read(&l, STR("# HELP a b\na{x=\"1\"} 1\na{x=\"2\"} 2\n"), v, &at, &whole),
        2);
    assert_false(whole);
    assert_int_equal(
        promtext_layout_read(&l, STR("# HELP a b\na{x=\"1\"} 1\na{x=\"3\"} 2\n# c\nb 3 4\n"), v,
                             &at, &whole),
        1);
    assert_int_equal(at, strlen("# HELP a b\na{x=\"1\"} 1\n"));
    assert_int_equal(promtext_layout_read(&l, STR("# HELP a X\na{x=\"1\"} 1\n"), v, &at, &whole),
                     0);
    assert_int_equal(promtext_layout_read(&l, STR("# HELP a b\na{x=\"1\"} oops\n"), v, &at, &whole),
                     0);
    assert_int_equal(promtext_layout_read(&l, STR(""), v, &at, &whole), 0);

    const char *h = "# TYPE h histogram\nh_bucket{le=\"1\"} 1 # {id=\"x\"} "
                    "0.5\nh_bucket{le=\"+Inf\"} 3\nh_count 3\nh_sum 2\n# EOF\n";
    learn(&l, h, PROMTEXT_OPENMETRICS);
    assert_int_equal(promtext_layout_read(&l,
                                          STR("# TYPE h histogram\nh_bucket{le=\"1\"} 2 # "
                                              "{id=\"\\n\"} 0.7 1.5\nh_bucket{le=\"+Inf\"} 4\n"
                                              "h_count 4\nh_sum 2\n# EOF\n"),
                                          v, &at, &whole),
                     4);
    assert_true(whole);
    static const char *const broken[] = {
        "# TYPE h histogram\nh_bucket{le=\"1\"} 5\nh_bucket{le=\"+Inf\"} 4\nh_count 4\nh_sum 2\n# "
        "EOF\n",
        "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 4\nh_count 5\nh_sum 2\n# "
        "EOF\n",
        "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 4\nh_count 4\nh_sum "
        "NaN\n# EOF\n",
        "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 4\nh_count 4\nh_sum 2\n",
        "# TYPE h histogram\nh_bucket{le=\"1\"} 1.5\nh_bucket{le=\"+Inf\"} 4\nh_count 4\nh_sum "
        "2\n# EOF\n",
        "# TYPE h histogram\nh_bucket{le=\"1\"} 1 # {} x\nh_bucket{le=\"+Inf\"} 4\nh_count "
        "4\nh_sum 2\n# EOF\n",
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct parsed got;
        struct err err;
        assert_int_equal(promtext_layout_read(&l, str_from(broken[i]), v, &at, &whole), 0);
        assert_false(whole);
        assert_false(parse(str_from(broken[i]), PROMTEXT_OPENMETRICS, &got, &err));
        buf_deinit(&got.text);
    }
    promtext_layout_deinit(&l);
}

/* A page too large to keep is not predicted; a small one after it is again. */
static void test_layout_limit(void **state) {
    (void)state;
    struct promtext_layout l = PROMTEXT_LAYOUT_INIT;
    struct buf page = BUF_INIT;
    struct promtext_value v[4];
    size_t read, at;
    bool whole;
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 300000; k++)
            buf_printf(&page, "# a comment of some length, number %d\n", k);
        buf_putz(&page, "a 1\n");
    }
    check_layout(buf_view(&page), PROMTEXT_PLAIN, &l, &read, &whole);
    assert_true(l.failed);
    assert_int_equal(read, 0);
    learn(&l, "a 1\n", PROMTEXT_PLAIN);
    assert_int_equal(promtext_layout_read(&l, STR("a 2\n"), v, &at, &whole), 1);
    assert_true(whole);
    buf_deinit(&page);
    promtext_layout_deinit(&l);
}

static void test_limits(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    buf_putz(&b, "a{");
    for (int i = 0; i < 65; i++)
        buf_printf(&b, "l%d=\"v\",", i);
    buf_putz(&b, "} 1\n");
    refuse(b.p, PROMTEXT_PLAIN, 0, "limit of 64");
    buf_reset(&b);
    buf_putz(&b, "a{x=\"");
    for (int i = 0; i < 17000; i++)
        buf_putc(&b, 'v');
    buf_putz(&b, "\"} 1\n");
    refuse(b.p, PROMTEXT_PLAIN, 0, "16384");
    buf_deinit(&b);
    /* a page that wants more memory than the arena may give */
    struct arena a = ARENA_INIT_MAX(4096);
    struct promtext p;
    struct promtext_item it;
    struct err err;
    struct buf page = BUF_INIT;
    for (int i = 0; i < 2000; i++)
        buf_printf(&page, "m%d{a=\"\\\\%d\"} 1\n", i, i);
    buf_putz(&page, "# EOF\n");
    bool ok = promtext_init(&p, buf_view(&page), PROMTEXT_OPENMETRICS, &a, &err);
    while (ok && (ok = promtext_next(&p, &it, &err)) && it.kind != PROMTEXT_END)
        ;
    assert_false(ok);
    assert_true(strlen(err.message) > 0);
    buf_deinit(&page);
    arena_deinit(&a);
}

static void test_corpus(void **state) {
    (void)state;
    assert_true(corpus_replay(TESTDATA_DIR "/promtext", LLVMFuzzerTestOneInput) >= 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus),      cmocka_unit_test(test_plain),
        cmocka_unit_test(test_metadata),    cmocka_unit_test(test_openmetrics),
        cmocka_unit_test(test_conformance), cmocka_unit_test(test_layout),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_layout_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
