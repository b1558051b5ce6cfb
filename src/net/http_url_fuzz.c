/* The text forms inside a request: "path?form". */
#include "net/http_url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static const char *const patterns[] = {"/*", "/api/v1/label/:name/values", "/:a/:b/:c", "/x"};
    struct arena a = ARENA_INIT_MAX((size_t)16 << 20);
    struct err err = {0};
    struct str rest = {(const char *)bytes, n}, path, part, again;
    (void)str_next(&rest, '?', &path);
    struct str decoded = {NULL, 0};
    if (http_path_decode(path, &a, &decoded, &err)) {
        /* No part of a path that was let through leads upwards or hides a control character. */
        struct str left = decoded;
        while (str_next(&left, '/', &part))
            if (str_eq(part, STR("..")) || str_eq(part, STR(".")))
                abort();
        for (size_t i = 0; i < decoded.n; i++)
            if ((unsigned char)decoded.p[i] < ' ')
                abort();
    } else if (err.code == 0) {
        abort();
    }
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        if (http_path_match(patterns[i], path))
            for (size_t k = 0; k < 4; k++)
                (void)http_path_part(patterns[i], path, k, &a, &part);
    size_t count = http_form_count(rest, STR("a"));
    for (size_t i = 0; i < count && i < 50; i++)
        if (!http_form_get(rest, STR("a"), i, &a, &part) && !a.failed)
            abort();
    /* What was encoded decodes to the same. */
    struct buf b = BUF_INIT;
    http_url_encode(&b, rest);
    if (buf_ok(&b) && http_url_decode(buf_view(&b), false, false, &a, &again) && again.p &&
        !str_eq(again, rest))
        abort();
    buf_deinit(&b);
    arena_deinit(&a);
    return 0;
}
