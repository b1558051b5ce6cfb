#include "base/base_testlib.h"
#include "codec/compress.h"
#include "codec/compress_fuzz.c"
#include "codec/corpus_testlib.h"

#include <zlib.h>

#include <stdlib.h>

static struct str sample(struct buf *b, size_t n) {
    buf_reset(b);
    uint32_t x = 12345;
    while (b->n < n) {
        x = x * 1103515245u + 12345u;
        buf_printf(b, "metric_%u{path=\"/%u\"} %u\n", x % 7, x % 31, x);
    }
    return buf_view(b);
}

typedef bool (*decode_fn)(struct str, size_t, struct buf *, struct err *);

static void round_trip(decode_fn decode, struct str packed, struct str plain) {
    struct buf out = BUF_INIT;
    struct err err;
    buf_putz(&out, "head");
    assert_true(decode(packed, plain.n, &out, &err)); /* exactly at the cap */
    assert_int_equal(out.n, plain.n + 4);
    assert_memory_equal(out.p + 4, plain.p ? plain.p : "", plain.n);
    if (plain.n) {
        out.n = 4;
        assert_false(decode(packed, plain.n - 1, &out, &err));
        assert_int_equal(err.code, ERR_TOO_LARGE);
        assert_int_equal(out.n, 4);
    }
    /* cut short at every place near both ends */
    for (size_t cut = 0; cut < packed.n; cut += cut < 40 || packed.n - cut < 40 ? 1 : 997) {
        assert_false(decode(str_sub(packed, 0, cut), plain.n + 100, &out, &err));
        assert_int_equal(err.code, ERR_BAD_INPUT);
    }
    buf_deinit(&out);
}

static void test_round_trips(void **state) {
    (void)state;
    struct buf text = BUF_INIT, packed = BUF_INIT;
    struct err err;
    static const size_t sizes[] = {1, 4095, 4096, 100000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct str plain = sample(&text, sizes[i]);
        buf_reset(&packed);
        assert_true(compress_gzip(plain, 6, &packed, &err));
        round_trip(compress_gunzip, buf_view(&packed), plain);
        buf_reset(&packed);
        assert_true(compress_zstd(plain, 3, &packed, &err));
        round_trip(compress_unzstd, buf_view(&packed), plain);
        uLongf n = compressBound(plain.n);
        buf_reset(&packed);
        assert_true(buf_reserve(&packed, n));
        assert_int_equal(compress2((Bytef *)packed.p, &n, (const Bytef *)plain.p, plain.n, 6),
                         Z_OK);
        round_trip(compress_inflate, str_make(packed.p, n), plain);
        round_trip(compress_inflate, str_make(packed.p + 2, n - 6),
                   plain); /* raw, as some senders have it */
    }
    buf_deinit(&text);
    buf_deinit(&packed);
}

static void test_bombs_and_names(void **state) {
    (void)state;
    struct buf zeros = BUF_INIT, packed = BUF_INIT, out = BUF_INIT;
    struct err err;
    assert_true(buf_reserve(&zeros, 32 << 20));
    memset(zeros.p, 0, 32 << 20);
    struct str plain = str_make(zeros.p, 32 << 20);
    assert_true(compress_gzip(plain, 9, &packed, &err));
    assert_false(compress_gunzip(buf_view(&packed), 1 << 20, &out, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_true(out.cap < (4 << 20)); /* the cap bounds memory too */
    buf_reset(&packed);
    assert_true(compress_zstd(plain, 9, &packed, &err));
    assert_false(compress_unzstd(buf_view(&packed), 1 << 20, &out, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_true(out.cap < (4 << 20));
    /* two members make one text */
    buf_reset(&packed);
    assert_true(compress_gzip(STR("one "), 6, &packed, &err) &&
                compress_gzip(STR("two"), 6, &packed, &err));
    buf_reset(&out);
    assert_true(compress_decode(STR(" GZIP "), buf_view(&packed), 100, &out, &err));
    assert_true(str_eqz(buf_view(&out), "one two"));
    buf_reset(&out);
    assert_false(compress_decode(STR("gzip"), buf_view(&packed), 6, &out, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_true(compress_decode(STR(""), STR("as is"), 5, &out, &err));
    assert_true(str_eqz(buf_view(&out), "as is"));
    assert_false(compress_decode(STR("identity"), STR("as is"), 4, &out, &err));
    assert_false(compress_decode(STR("br"), STR("x"), 4, &out, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    buf_deinit(&zeros);
    buf_deinit(&packed);
    buf_deinit(&out);
}

static void test_corpus(void **state) {
    (void)state;
    assert_true(corpus_replay(TESTDATA_DIR "/compress", LLVMFuzzerTestOneInput) >= 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus),
                                       cmocka_unit_test(test_round_trips),
                                       cmocka_unit_test(test_bombs_and_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
