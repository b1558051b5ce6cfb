
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/remote_write.h"
#include "codec/snappy.h"

#include <stdio.h>
#include <stdlib.h>

static struct labels two(struct label *l) {
    l[0] = (struct label){STR("__name__"), STR("up")};
    l[1] = (struct label){STR("job"), STR("node")};
    return (struct labels){l, 2};
}

static void test_round_trip(void **unused) {
    (void)unused;
    struct label l[2], back[4];
    struct labels ls = two(l);
    struct sample samples[2] = {{1700000000000, 1.5}, {-5, sample_stale()}}, got;
    struct metric_meta meta = {STR("up"), STR("Whether it is up."), STR(""), METRIC_GAUGE}, m;
    struct buf b = BUF_INIT, run = BUF_INIT;
    remote_write_put_series(&b, ls, samples, 2);
    remote_write_put_meta(&b, &meta);
    remote_write_put_labels(&run, ls);
    struct cur c = cur_from(buf_view(&b));
    struct str message;
    assert_int_equal(remote_write_next(&c, &message), RW_SERIES);
    assert_int_equal(remote_write_label_run(message), run.n);
    assert_memory_equal(message.p, run.p, run.n);
    assert_int_equal(remote_write_labels(buf_view(&run), back, 4), 2);
    assert_true(labels_eq(ls, (struct labels){back, 2}));
    assert_int_equal(remote_write_labels(buf_view(&run), back, 1), UINT32_MAX);
    struct cur s = cur_from(str_from_offset(message, run.n));
    struct label label;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(remote_write_part(&s, &label, &got), RW_PART_SAMPLE);
        assert_int_equal(got.ts_ms, samples[i].ts_ms);
        assert_int_equal(sample_bits(got.value), sample_bits(samples[i].value));
    }
    assert_int_equal(remote_write_part(&s, &label, &got), RW_PART_END);
    assert_int_equal(remote_write_next(&c, &message), RW_META);
    assert_true(remote_write_meta(message, &m));
    assert_true(str_eqz(m.metric, "up") && str_eqz(m.help, "Whether it is up.") &&
                m.type == METRIC_GAUGE);
    assert_int_equal(remote_write_next(&c, &message), RW_END);
    buf_deinit(&b);
    buf_deinit(&run);
}

/* Every truncation of a valid body is either a shorter valid body or an error; nothing reads past
 * the end. */
static void test_truncated(void **unused) {
    (void)unused;
    struct label l[2], label;
    struct sample sample = {1, 2};
    struct buf b = BUF_INIT;
    remote_write_put_series(&b, two(l), &sample, 1);
    for (size_t n = 1; n < b.n; n++) {
        char *cut = malloc(n);
        assert_non_null(cut);
        memcpy(cut, b.p, n);
        struct cur c = cur_from(str_make(cut, n));
        struct str message;
        assert_int_equal(remote_write_next(&c, &message), RW_BAD);
        struct cur s = cur_from(str_make(cut, n));
        while (remote_write_part(&s, &label, &sample) < RW_PART_OTHER && !cur_done(&s))
            ;
        free(cut);
    }
    buf_deinit(&b);
}

static void test_unknown_fields(void **unused) {
    (void)unused;
    /* fields 2 (varint), 5 (fixed32), 6 (fixed64), 7 (bytes) around an empty time series; then
     * group type 3: bad */
    static const char ok[] = "\x10\x96\x01\x2d\1\2\3\4\x31\1\2\3\4\5\6\7\x08\x3a\x02hi\x0a\x00",
                      bad[] = "\x0b\x0c";
    struct cur c = cur_from(str_make(ok, sizeof(ok) - 1));
    struct str m;
    assert_int_equal(remote_write_next(&c, &m), RW_SERIES);
    assert_int_equal(m.n, 0);
    assert_int_equal(remote_write_next(&c, &m), RW_END);
    c = cur_from(str_make(bad, sizeof(bad) - 1));
    assert_int_equal(remote_write_next(&c, &m), RW_BAD);
}

static void test_snappy(void **unused) {
    (void)unused;
    struct buf plain = BUF_INIT, packed = BUF_INIT, back = BUF_INIT;
    struct err err = {0};
    for (int i = 0; i < 5000; i++)
        buf_printf(&plain, "line %d of a text that repeats itself\n", i % 17);
    assert_true(snappy_block_encode(buf_view(&plain), &packed, &err));
    assert_true(packed.n < plain.n / 4);
    assert_true(snappy_block_decode(buf_view(&packed), plain.n, &back, &err));
    assert_int_equal(back.n, plain.n);
    assert_memory_equal(back.p, plain.p, plain.n);
    buf_reset(&back);
    assert_false(snappy_block_decode(buf_view(&packed), plain.n - 1, &back, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_false(
        snappy_block_decode(str_sub(buf_view(&packed), 0, packed.n / 2), plain.n, &back, &err));
    assert_int_equal(err.code, ERR_BAD_INPUT);
    assert_false(snappy_block_decode(STR("\xff\xff\xff\xff\xff\xff"), 1 << 20, &back, &err));
    assert_false(snappy_block_decode(STR(""), 1 << 20, &back, &err));
    assert_int_equal(back.n, 0);
    buf_deinit(&plain);
    buf_deinit(&packed);
    buf_deinit(&back);
}

int fuzz_remote_write(const uint8_t *data, size_t n);
#define LLVMFuzzerTestOneInput fuzz_remote_write
#include "codec/remote_write_fuzz.c"

static void test_corpus(void **unused) {
    (void)unused;
    static const char *const names[] = {"plain", "snappy"};
    for (size_t k = 0; k < 2; k++) {
        char path[512];
        unsigned char data[4096];
        (void)snprintf(path, sizeof(path), TESTDATA_DIR "/remote_write/%s", names[k]);
        FILE *f = fopen(path, "rb");
        assert_non_null(f);
        size_t n = fread(data, 1, sizeof(data), f);
        (void)fclose(f);
        assert_true(n > 40);
        (void)fuzz_remote_write(data, n);
        for (size_t i = 1; i < n; i++)
            for (unsigned bit = 0; bit < 8; bit++) {
                data[i] ^= (unsigned char)(1u << bit);
                (void)fuzz_remote_write(data, n);
                data[i] ^= (unsigned char)(1u << bit);
            }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_unknown_fields), cmocka_unit_test(test_snappy),
        cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
