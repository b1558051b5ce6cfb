/* Any bytes as a configuration: no crash, no leak, no long run; what decodes must encode and decode
 * again. */
#include "codec/conf_yaml_testlib.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *get_variable(void *self, const char *name) {
    (void)self;
    return name[0] == 'A' ? "value" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const struct conf_env env = {.getenv = get_variable};
    struct arena a = ARENA_INIT_MAX(64u << 20);
    struct conf_diags diags = {.arena = &a};
    struct demo demo;
    struct buf text = BUF_INIT;
    if (conf_yaml_decode(str_make((const char *)data, n), "fuzz.yml", &demo_table, &env, &a, &demo,
                         &diags)) {
        conf_yaml_encode(&demo_table, &demo, false, &text);
        struct conf_diags again = {.arena = &a};
        if (buf_ok(&text) && !a.failed &&
            !conf_yaml_decode(buf_view(&text), "again.yml", &demo_table, &env, &a, &demo, &again))
            abort();
    } else if (diags.n == 0 && !a.failed) {
        abort();
    }
    conf_yaml_format_diags(&diags, &text);
    buf_deinit(&text);
    arena_deinit(&a);
    return 0;
}
