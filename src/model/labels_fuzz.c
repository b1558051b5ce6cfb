/* labels_parse and the regex engine on arbitrary bytes. */
#include "base/timev.h"
#include "model/matcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct arena a = ARENA_INIT_MAX(1 << 20);
    struct str s = {(const char *)data, n};
    struct labels ls;
    struct err e;
    if (labels_parse(s, &a, &ls, &e)) {
        struct buf b = BUF_INIT_MAX(1 << 20);
        labels_format(&b, ls);
        buf_deinit(&b);
    }
    arena_deinit(&a);
    if (n > 2 && n < 200) {
        size_t cut = data[0] % n;
        struct regex *re = regex_new(str_sub(s, 1, cut), true, &e);
        if (re) {
            (void)regex_match(re, str_from_offset(s, cut));
            regex_free(re);
        }
    }
    double v;
    int64_t t;
    (void)str_to_f64(s, &v);
    (void)str_is_utf8(s);
    (void)!duration_parse(s, &t, &e);
    (void)!time_parse_api(s, &t, &e);
    return 0;
}
