/* Any bytes as a template: an answer or an error, within the caps. */
#include "codec/gotmpl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 4096)
        return 0;
    struct arena a = ARENA_INIT_MAX(64 << 20);
    struct err err = {0};
    struct str out;
    struct gotmpl_value labels = gotmpl_map(&a, 1);
    gotmpl_map_put(&labels, STR("a"), gotmpl_str(STR("b")));
    struct gotmpl_value dot = gotmpl_sample(&a, labels, 1.5);
    struct gotmpl_env env = {.now_ms = 1};
    bool ok = gotmpl_expand((struct str){(const char *)data, size}, &dot, &env, &a, &out, &err);
    (void)ok;
    arena_deinit(&a);
    return 0;
}
