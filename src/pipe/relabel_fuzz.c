/* Rules and templates from outside: regex \n target \n replacement \n value; first byte: the
 * action. */
#include "pipe/relabel.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n < 2 || n > 4096)
        return 0;
    struct str rest = str_make((const char *)data + 1, n - 1), part[4] = {{0}};
    for (int i = 0; i < 4; i++)
        if (!str_next(&rest, '\n', &part[i]))
            part[i] = STR("");
    struct str source = STR("a");
    struct relabel_rule rule = {.source_labels = {&source, 1},
                                .separator = STR(";"),
                                .target_label = part[1],
                                .regex = part[0],
                                .replacement = part[2],
                                .modulus = data[0] / 11,
                                .action = data[0] % 11};
    struct arena a = ARENA_INIT_MAX(4 << 20);
    struct labels_builder b = LABELS_BUILDER_INIT;
    struct relabel *r = relabel_new(&rule, 1, NULL);
    labels_builder_set(&b, STR("a"), part[3]);
    labels_builder_set(&b, STR("b"), STR("other"));
    if (r && relabel_apply(r, &b, &a)) {
        struct labels ls = labels_builder_view(&b);
        for (uint32_t i = 1; i < ls.n; i++)
            if (str_cmp(ls.l[i - 1].name, ls.l[i].name) >= 0)
                abort();
    }
    relabel_free(r);
    labels_builder_deinit(&b);
    arena_deinit(&a);
    return 0;
}
