/* Replays the fuzz targets' corpora (testdata/<target>/) and, from valid bytes, some random changes
 * of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int fuzz_block(const uint8_t *data, size_t n);
int fuzz_wal(const uint8_t *data, size_t n);
int fuzz_valcodec(const uint8_t *data, size_t n);

#define LLVMFuzzerTestOneInput fuzz_block
#include "store/series/block_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_wal
#include "store/series/wal_fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_valcodec
#include "store/series/valcodec_fuzz.c"
#undef LLVMFuzzerTestOneInput

#include "os/file.h"
#include "store/series/series_testlib.h"

#include <stdio.h>

static void replay(const char *target, int (*fn)(const uint8_t *, size_t)) {
    struct arena a = ARENA_INIT;
    struct err err = {0};
    char dir[512], path[1024], **names;
    size_t n;
    uint64_t rnd = 77;
    (void)snprintf(dir, sizeof(dir), TESTDATA_DIR "/%s", target);
    if (!file_list(dir, &a, &names, &n, &err))
        fail_msg("%s", err.message);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        struct buf b = BUF_INIT;
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        assert_true(file_read(path, 1 << 20, &b, &err));
        (void)fn((const uint8_t *)b.p, b.n);
        for (int k = 0; k < 100 && b.n > 1; k++) {
            size_t at = 1 + test_rnd(&rnd) % (b.n - 1);
            char was = b.p[at];
            b.p[at] = (char)test_rnd(&rnd);
            (void)fn((const uint8_t *)b.p, b.n);
            b.p[at] = was;
        }
        buf_deinit(&b);
    }
    arena_deinit(&a);
}

static void test_block(void **unused) {
    (void)unused;
    replay("block", fuzz_block);
}
static void test_wal(void **unused) {
    (void)unused;
    replay("wal", fuzz_wal);
}
static void test_valcodec(void **unused) {
    (void)unused;
    replay("valcodec", fuzz_valcodec);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_block), cmocka_unit_test(test_wal),
                                       cmocka_unit_test(test_valcodec)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
