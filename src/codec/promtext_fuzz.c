/* Both formats; whatever parses must survive label parsing, and the layout learned from a page must
 * read that page to the same values. First byte: the format. */
#include "codec/promtext.h"
#include "codec/promtext_layout.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    enum { VALUES_MAX = 4096 };
    static struct promtext_value want[VALUES_MAX], got[VALUES_MAX];
    if (n == 0)
        return 0;
    enum promtext_format f = data[0] & 1 ? PROMTEXT_OPENMETRICS : PROMTEXT_PLAIN;
    struct str body = str_make((const char *)data + 1, n - 1);
    struct arena a = ARENA_INIT_MAX(8 << 20);
    struct labels_builder b = LABELS_BUILDER_INIT;
    struct promtext_layout l = PROMTEXT_LAYOUT_INIT;
    struct promtext p;
    struct promtext_item it = {.kind = PROMTEXT_HELP};
    struct err err;
    size_t count = 0, at;
    bool whole, ok = promtext_init(&p, body, f, &a, &err);
    promtext_layout_begin(&l, f);
    while (ok && (ok = promtext_next(&p, &it, &err)) && it.kind != PROMTEXT_END) {
        if (it.kind != PROMTEXT_SAMPLE)
            continue;
        if (promtext_labels(it.series, &a, &b, &err) && labels_builder_view(&b).n > 65)
            abort();
        promtext_layout_add(&l, &it);
        if (count < VALUES_MAX)
            want[count] = (struct promtext_value){it.value, it.ts_ms, it.has_ts};
        count++;
    }
    if (ok && count <= VALUES_MAX) {
        promtext_layout_add(&l, &it);
        size_t read = promtext_layout_read(&l, body, got, &at, &whole);
        if (!l.failed && count && (read != count || !whole))
            abort();
        for (size_t i = 0; i < read; i++)
            if (sample_bits(got[i].value) != sample_bits(want[i].value) ||
                got[i].has_ts != want[i].has_ts)
                abort();
    }
    promtext_layout_deinit(&l);
    labels_builder_deinit(&b);
    arena_deinit(&a);
    return 0;
}
