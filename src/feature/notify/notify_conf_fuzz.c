/* Any bytes as an Alertmanager configuration, and as a matcher. */
#include "codec/conf_yaml.h"
#include "feature/notify/notify_conf.h"
#include "feature/notify/notify_match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 16384)
        return 0;
    struct arena a = ARENA_INIT_MAX(64 << 20);
    struct str text = {(const char *)data, size};
    struct conf_env env = {0};
    struct conf_diags d = {.arena = &a};
    struct notify_conf c;
    struct conf_strs list = {&text, 1};
    struct conf_pairs none = {0};
    struct notify_matchers m = {0};
    struct err err;
    (void)conf_yaml_decode(text, "fuzz.yml", &notify_conf_table, &env, &a, &c, &d);
    if (notify_matchers_compile(&list, &none, &none, &a, &m, &err))
        notify_matchers_free(&m);
    arena_deinit(&a);
    return 0;
}
