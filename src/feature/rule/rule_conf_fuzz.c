/* Any bytes as a rule file: decoded or refused with positions. */
#include "codec/conf_yaml.h"
#include "feature/rule/rule_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 16384)
        return 0;
    struct arena a = ARENA_INIT_MAX(64 << 20);
    struct conf_env env = {0};
    struct conf_diags d = {.arena = &a};
    struct rule_file_conf f;
    (void)conf_yaml_decode((struct str){(const char *)data, size}, "fuzz.yml", &rule_file_table,
                           &env, &a, &f, &d);
    arena_deinit(&a);
    return 0;
}
