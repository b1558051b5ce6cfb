/* Prometheus's own PromQL scripts (../shared/conformance/promql), run in process. Where they are
 * not there, the test says so and passes: they belong to Prometheus and are not part of this tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "query/promql/script_testlib.h"

#include <stdio.h>
#include <stdlib.h>

/* What must pass at least: evals about floats alone, and all. */
static const struct {
    const char *name;
    size_t floats, all;
} files[] = {
    {"aggregators", 125, 160},
    {"at_modifier", 45, 45},
    {"collision", 2, 2},
    {"duration_expression", 54, 54},
    {"extended_vectors", 106, 106},
    {"functions", 270, 378},
    {"histograms", 79, 161},
    {"info", 20, 21},
    {"limit", 1, 37},
    {"literals", 25, 25},
    {"name_label_dropping", 29, 29},
    {"native_histograms", 3, 374},
    {"operators", 141, 213},
    {"range_queries", 11, 13},
    {"selectors", 31, 31},
    {"staleness", 17, 17},
    {"subquery", 32, 34},
    {"trig_functions", 19, 19},
    {"type_and_unit", 58, 58},
};

/* As Prometheus runs them. */
static const unsigned features = PROMQL_EXPERIMENTAL_FUNCTIONS | PROMQL_DURATION_EXPRESSION |
                                 PROMQL_EXTENDED_VECTORS | PROMQL_DELAYED_NAME_REMOVAL;

static bool read_script(const char *name, struct buf *out) {
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/../shared/conformance/promql/%s.test", HINOMI_SOURCE_DIR,
                   name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        buf_put(out, chunk, n);
    (void)fclose(f);
    return buf_ok(out);
}

static void test_scripts(void **state) {
    (void)state;
    bool verbose = getenv("CONFORMANCE_VERBOSE") != NULL;
    size_t skipped = 0, worse = 0;
    struct script_counts total = {0};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct buf text = BUF_INIT;
        struct script_counts c = {0};
        struct err err = {0};
        if (!read_script(files[i].name, &text)) {
            skipped++;
            buf_deinit(&text);
            continue;
        }
        bool ok = script_run(buf_view(&text), files[i].name, features, verbose, &c, &err);
        buf_deinit(&text);
        if (!ok)
            printf("%s\n", err.message);
        assert_true(ok);
        printf("%-22s floats %4zu/%4zu  all %4zu/%4zu%s\n", files[i].name, c.float_passed,
               c.float_evals, c.passed, c.evals,
               c.float_passed < files[i].floats || c.passed < files[i].all ? "  WORSE than before"
                                                                           : "");
        worse += c.float_passed < files[i].floats || c.passed < files[i].all;
        total.evals += c.evals;
        total.passed += c.passed;
        total.float_evals += c.float_evals;
        total.float_passed += c.float_passed;
    }
    printf("{\"conformance\":{\"float_passed\":%zu,\"float_total\":%zu,\"passed\":%zu,\"total\":%"
           "zu,\"files_skipped\":%zu}}\n",
           total.float_passed, total.float_evals, total.passed, total.evals, skipped);
    if (skipped)
        printf("SKIPPED %zu of %zu scripts: ../shared/conformance/promql is not beside this tree\n",
               skipped, sizeof(files) / sizeof(files[0]));
    assert_int_equal(worse, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scripts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
