#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/corpus_testlib.h"

#include "api/api_fuzz.c"

static void test_corpus(void **state) {
    (void)state;
    assert_true(corpus_replay(TESTDATA_DIR "/api", LLVMFuzzerTestOneInput) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
