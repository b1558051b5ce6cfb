#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sha256.h"

#include <stdio.h>

static void check(struct str in, const char *hex) {
    unsigned char d[SHA256_BYTES];
    char text[2 * SHA256_BYTES + 1];
    sha256(in, d);
    for (size_t i = 0; i < SHA256_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", d[i]);
    assert_string_equal(text, hex);
}

static void vectors_of_fips_180(void **state) {
    (void)state;
    check(STR(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check(STR("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check(STR("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmn"
              "opqrlmnopqrsmnopqrstno"
              "pqrstu"),
          "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors_of_fips_180)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
