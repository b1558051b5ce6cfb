#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/file.h"
#include "query/promql/fuzz_testlib.h"
#include "query/promql/mem_reader_testlib.h"
#include "query/promql/promql.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena arena;

static struct promql_expr *parse(const char *text, unsigned features) {
    struct err err;
    struct promql_expr *e = promql_parse(str_from(text), features, &arena, &err);
    if (!e)
        print_error("%s: %s\n", text, err.message);
    assert_non_null(e);
    return e;
}

static int setup(void **state) {
    (void)state;
    arena = ARENA_INIT;
    return 0;
}
static int teardown(void **state) {
    (void)state;
    arena_deinit(&arena);
    return 0;
}

/* Syntax */

static void test_parse_errors(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
        uint32_t line, column;
    } cases[] = {
        {"", "1:1: parse error: no expression found in input", 1, 1},
        {"up +", "1:5: parse error: unexpected end of input", 1, 5},
        {"(10_)",
         "1:2: parse error: error parsing number: strconv.ParseFloat: parsing \"10_\": invalid "
         "syntax",
         1, 2},
        {"sum(up) by job",
         "1:12: parse error: unexpected identifier \"job\" in grouping opts, expected \"(\"", 1,
         12},
        {"up{job=}", "1:8: parse error: unexpected \"}\" in label matching, expected string", 1, 8},
        {"up{job=\"a\"", "1:11: parse error: unexpected end of input inside braces", 1, 11},
        {"rate(up)",
         "1:6: parse error: expected type range vector in call to function \"rate\", got instant "
         "vector",
         1, 6},
        {"rates(up[1m])", "1:1: parse error: unknown function with name \"rates\"", 1, 1},
        {"up\n  or\n  1",
         "1:1: parse error: set operator \"or\" not allowed in binary scalar expression", 1, 1},
        {"1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier", 1, 3},
        {"{job=~\".*\"}",
         "1:1: parse error: vector selector must contain at least one non-empty matcher", 1, 1},
        {"up[5m] offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times", 1,
         1},
        {"sum(up) + \n (up", "2:5: parse error: unclosed left parenthesis", 2, 5},
        {"up[5]x", "1:6: parse error: unexpected identifier \"x\"", 1, 6},
        {"limitk(1, up)",
         "1:1: parse error: limitk() is experimental and must be enabled with "
         "--enable-feature=promql-experimental-functions",
         1, 1},
        {"up[1m+1m]", "1:4: parse error: experimental duration expression is not enabled", 1, 4},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};
        assert_null(promql_parse(str_from(cases[i].text), 0, &arena, &err));
        assert_int_equal(err.code, ERR_BAD_INPUT);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.line, cases[i].line);
        assert_int_equal(err.column, cases[i].column);
    }
}

static void test_print(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"sum(rate(up[5m]))by(job,\"a.b\")", "sum by (job, \"a.b\") (rate(up[5m]))"},
        {"a-on(b)group_left c", "a - on (b) group_left () c"},
        {"up{z=\"1\",a=~\"b\"}@10 offset 90s", "up{a=~\"b\",z=\"1\"} @ 10.000 offset 1m30s"},
        {"-a^2", "-a ^ 2"},
        {"max_over_time(a[1h:])", "max_over_time(a[1h:])"},
        {"{\"my metric\",\"a b\"=\"c\"}", "{\"a b\"=\"c\",__name__=\"my metric\"}"},
        {"0x10 + 1_000 + 1h", "16 + 1000 + 1h"},
        {"0x_1_f + 1_0.5_0e1_0", "31 + 105000000000"},
        {"'it\\'s'", "\"it's\""},
        {"a == bool b", "a == bool b"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf b = BUF_INIT;
        promql_print(parse(cases[i][0], PROMQL_ALL_FEATURES), &b);
        assert_string_equal(b.p, cases[i][1]);
        buf_deinit(&b);
    }
}

static void test_pretty(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    promql_pretty(
        parse("sum by (job) (rate(a_rather_long_metric_name_total{job=\"x\"}[5m])) / on (job) "
              "sum by (job) (rate(another_long_metric_name_total{job=\"x\"}[5m]))",
              0),
        &b);
    assert_string_equal(
        b.p, "  sum by (job) (rate(a_rather_long_metric_name_total{job=\"x\"}[5m]))\n/ on (job)\n"
             "  sum by (job) (rate(another_long_metric_name_total{job=\"x\"}[5m]))");
    buf_reset(&b);
    promql_pretty(parse("a  +  b", 0), &b);
    assert_string_equal(b.p, "a + b");
    buf_deinit(&b);
}

static void test_ast_json(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    promql_ast_json(parse("max_over_time(up{a=\"b\"}[5m])", 0), &b);
    assert_string_equal(
        b.p,
        "{\"args\":[{\"anchored\":false,\"matchers\":[{\"name\":\"a\",\"type\":\"=\",\"value\":"
        "\"b\"},"
        "{\"name\":\"__name__\",\"type\":\"=\",\"value\":\"up\"}],\"name\":\"up\",\"offset\":0,"
        "\"range\":300000,"
        "\"smoothed\":false,\"startOrEnd\":null,\"timestamp\":null,\"type\":\"matrixSelector\"}],"
        "\"func\":{\"argTypes\":[\"matrix\"],\"name\":\"max_over_time\",\"returnType\":\"vector\","
        "\"variadic\":0},"
        "\"type\":\"call\"}");
    buf_reset(&b);
    promql_ast_json(parse("\"a\\xc5z \xe7\x81\xab\\xe7\"", 0), &b);
    assert_string_equal(b.p, "{\"type\":\"stringLiteral\",\"val\":\"a\xef\xbf\xbdz "
                             "\xe7\x81\xab\xef\xbf\xbd\"}");
    buf_deinit(&b);
}

struct seen {
    size_t n;
    int64_t range_ms;
};
static void see(void *arg, const struct matcher *m, size_t n, int64_t range_ms) {
    struct seen *s = arg;
    assert_true(n > 0 && m != NULL);
    s->n++;
    s->range_ms += range_ms;
}
static void test_selectors(void **state) {
    (void)state;
    struct seen s = {0, 0};
    promql_selectors(parse("rate(a[5m]) + on (x) max_over_time(b[1h:1m])", 0), see, &s);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.range_ms, 300000 + 3600000);
}

static void test_depth_and_size(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    struct err err = {0};
    for (int i = 0; i < 5000; i++)
        buf_putc(&b, '(');
    assert_null(promql_parse(buf_view(&b), 0, &arena, &err));
    assert_int_equal(err.code, ERR_BAD_INPUT);
    assert_non_null(strstr(err.message, "nested more than"));
    buf_reset(&b);
    buf_putc(&b, '1');
    for (int i = 0; i < 5000; i++)
        buf_putz(&b, "+1");
    assert_null(promql_parse(buf_view(&b), 0, &arena, &err));
    assert_non_null(strstr(err.message, "nested more than"));
    buf_reset(&b);
    for (int i = 0; i < 70000; i++)
        buf_putc(&b, ' ');
    assert_null(promql_parse(buf_view(&b), 0, &arena, &err));
    assert_non_null(strstr(err.message, "bytes"));
    buf_deinit(&b);
}

/* Evaluation: what the scripts of conformance_test do not say */

static struct mem_reader mem;

static int setup_mem(void **state) {
    (void)state;
    arena = ARENA_INIT;
    mem_reader_init(&mem, (size_t)64 << 20);
    for (int i = 0; i < 50; i++) {
        char text[100];
        struct labels ls;
        struct err err;
        (void)snprintf(text, sizeof(text), "m{i=\"%02d\"}", i);
        assert_true(labels_parse(str_from(text), &arena, &ls, &err));
        struct mem_series *s = mem_reader_series(&mem, ls);
        assert_non_null(s);
        for (int k = 0; k < 100; k++)
            assert_true(mem_series_add(&mem, s, k * 10000, i * 100 + k, NULL));
    }
    return 0;
}
static int teardown_mem(void **state) {
    mem_reader_deinit(&mem);
    return teardown(state);
}

static bool eval(const char *text, int64_t start, int64_t end, int64_t step,
                 const struct promql_options *opt, struct promql_result *r, struct err *err) {
    struct reader reader = mem_reader_view(&mem);
    return promql_eval(parse(text, PROMQL_ALL_FEATURES), &reader, start, end, step, opt, r, err);
}

static void test_limits(void **state) {
    (void)state;
    struct promql_result r;
    struct err err;
    struct promql_options few = {.samples_max = 1000};
    assert_false(eval("m", 0, 990000, 10000, &few, &r, &err));
    assert_int_equal(err.code, ERR_EXECUTION);
    assert_string_equal(
        err.message, "query processing would load too many samples into memory in query execution");
    assert_true(
        eval("sum(m)", 0, 990000, 10000, &few, &r, &err)); /* streamed: only the sum is held */
    promql_result_deinit(&r);
    struct promql_options small = {.memory_max = 20000};
    assert_false(eval("m + m", 0, 990000, 10000, &small, &r, &err));
    assert_int_equal(err.code, ERR_EXECUTION);
    assert_non_null(strstr(err.message, "memory limit"));
    assert_false(eval("count_over_time(m[100000h:1ms])", 0, 0, 0, &small, &r, &err));
    assert_int_equal(err.code, ERR_EXECUTION);
}

static int64_t late(void *arg) {
    return *(int64_t *)arg;
}

static void test_cancel_and_deadline(void **state) {
    (void)state;
    struct promql_result r;
    struct err err;
    _Atomic bool canceled = true;
    struct promql_options opt = {.canceled = &canceled};
    assert_false(eval("sum(m)", 0, 990000, 10000, &opt, &r, &err));
    assert_int_equal(err.code, ERR_CANCELED);
    assert_string_equal(err.message, "query was canceled in expression evaluation");
    int64_t now = 1000;
    opt = (struct promql_options){.mono_ms = late, .mono_arg = &now, .deadline_mono_ms = 999};
    assert_false(eval("sum(m)", 0, 990000, 10000, &opt, &r, &err));
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_string_equal(err.message, "query timed out in expression evaluation");
    now = 999;
    assert_true(eval("sum(m)", 0, 990000, 10000, &opt, &r, &err));
    promql_result_deinit(&r);
}

static void test_result_shapes(void **state) {
    (void)state;
    struct promql_result r;
    struct err err;
    assert_true(eval("1 + 1", 5000, 5000, 0, NULL, &r, &err));
    assert_int_equal(r.type, PROMQL_SCALAR);
    assert_true(r.scalar == 2 && r.ts_ms == 5000);
    promql_result_deinit(&r);
    assert_true(eval("time()", 0, 3000, 1000, NULL, &r, &err));
    assert_int_equal(r.type, PROMQL_MATRIX);
    assert_int_equal(r.n_series, 1);
    assert_int_equal(r.series[0].n, 4);
    assert_true(r.series[0].points[3].value == 3 && r.series[0].points[3].ts_ms == 3000);
    promql_result_deinit(&r);
    assert_true(eval("'text'", 1, 1, 0, NULL, &r, &err));
    assert_int_equal(r.type, PROMQL_STRING);
    assert_true(str_eqz(r.string, "text"));
    promql_result_deinit(&r);
    assert_true(eval("m{i='03'}[30s]", 100000, 100000, 0, NULL, &r, &err));
    assert_int_equal(r.type, PROMQL_MATRIX);
    assert_int_equal(r.series[0].n, 3); /* (70 s, 100 s]: open on the left */
    assert_int_equal(r.series[0].points[0].ts_ms, 80000);
    promql_result_deinit(&r);
    assert_false(eval("'text'", 0, 10, 1, NULL, &r, &err));
    assert_int_equal(err.code, ERR_BAD_INPUT);
    assert_string_equal(
        err.message,
        "invalid expression type \"string\" for range query, must be Scalar or instant Vector");
    assert_true(eval("topk(2, m)", 990000, 990000, 0, NULL, &r, &err));
    assert_int_equal(r.n_series, 2);
    assert_true(r.series[0].points[0].value == 4999 && r.series[1].points[0].value == 4899);
    promql_result_deinit(&r);
}

static void test_notes(void **state) {
    (void)state;
    struct promql_result r;
    struct err err;
    assert_true(eval("1 +\n  sum(rate(m[1m]))", 0, 990000, 10000, NULL, &r, &err));
    assert_int_equal(r.notes.n_warnings, 0);
    assert_int_equal(r.notes.n_infos, 1);
    assert_true(str_eqz(r.notes.infos[0],
                        "PromQL info: metric might not be a counter, name does not end in "
                        "_total/_sum/_count/_bucket: \"m\" (2:12)"));
    assert_true(r.samples_read > 0 && r.peak_samples > 0);
    promql_result_deinit(&r);
    assert_true(eval("quantile(2, m)", 0, 0, 0, NULL, &r, &err));
    assert_int_equal(r.notes.n_warnings, 1);
    assert_true(str_eqz(r.notes.warnings[0],
                        "PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"));
    promql_result_deinit(&r);
}

/* One select a selector, however many steps. */
static void test_one_select(void **state) {
    (void)state;
    struct promql_result r;
    struct err err;
    mem.selects = 0;
    assert_true(eval("sum by (i) (rate(m[1m])) / sum by (i) (m)", 0, 990000, 1000, NULL, &r, &err));
    assert_int_equal(mem.selects, 2);
    assert_int_equal(r.n_series, 50);
    promql_result_deinit(&r);
}

/* What the store says when it fails reaches the caller, from wherever it was asked. */

static int reads_left;
static const struct reader_set_ops *real_set_ops;
static bool failing_read(struct reader_set *set, size_t i, int64_t start, int64_t end,
                         struct series_data *out, struct err *err) {
    if (reads_left-- <= 0)
        return err_set(err, ERR_CORRUPT, "block 7 is damaged");
    return real_set_ops->read(set, i, start, end, out, err);
}
static bool failing_select(void *self, const struct reader_query *q, struct reader_set **out,
                           struct err *err) {
    static struct reader_set_ops ops;
    struct reader real = mem_reader_view(self);
    if (!real.ops->select(real.self, q, out, err))
        return false;
    real_set_ops = (*out)->ops;
    ops = *real_set_ops;
    ops.read = failing_read;
    (*out)->ops = &ops;
    return true;
}

static void test_store_fails(void **state) {
    (void)state;
    static const char *const queries[] = {
        "m",
        "sum(rate(m[1m]))",
        "m + m",
        "max_over_time(m[1m:10s])",
        "absent(m)",
        "timestamp(m)",
        "m[1m]",
        "topk(1, m)",
        "absent_over_time(m[1m])",
        "histogram_quantile(0.5, m)",
        "info(m)",
        "scalar(m)",
    };
    const struct reader_ops ops = {.select = failing_select};
    struct reader reader = {&ops, &mem};
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        for (int after = 0; after < 50; after += 7) {
            struct promql_result r;
            struct err err;
            reads_left = after;
            assert_false(promql_eval(parse(queries[i], PROMQL_ALL_FEATURES), &reader, 900000,
                                     900000, 0, NULL, &r, &err));
            assert_int_equal(err.code, ERR_CORRUPT);
            assert_string_equal(err.message, "block 7 is damaged");
        }
}

static void test_corpus(void **state) {
    (void)state;
    char **names;
    size_t n;
    struct err err;
    assert_true(file_list(TESTDATA_DIR "/promql", &arena, &names, &n, &err));
    assert_true(n > 10);
    for (size_t i = 0; i < n; i++) {
        char path[1024];
        struct buf b = BUF_INIT;
        (void)snprintf(path, sizeof(path), "%s/promql/%s", TESTDATA_DIR, names[i]);
        assert_true(file_read(path, 1 << 20, &b, &err));
        fuzz_one(buf_view(&b));
        fuzz_memory(buf_view(&b));
        buf_deinit(&b);
    }
    fuzz_deinit();
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define M(f) cmocka_unit_test_setup_teardown(f, setup_mem, teardown_mem)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_parse_errors),  T(test_print),
        T(test_pretty),        T(test_ast_json),
        T(test_selectors),     T(test_depth_and_size),
        M(test_limits),        M(test_cancel_and_deadline),
        M(test_result_shapes), M(test_notes),
        M(test_one_select),    M(test_store_fails),
        T(test_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
