/* file_sd and http_sd documents. First byte: JSON or YAML. Every target that comes out is built. */
#include "feature/ingest/target.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n == 0 || n > 65536)
        return 0;
    struct arena a = ARENA_INIT_MAX(16 << 20);
    struct target_groups g;
    struct err err;
    struct str text = str_make((const char *)data + 1, n - 1);
    bool ok = data[0] & 1 ? target_groups_from_json(text, &a, &g, &err)
                          : target_groups_from_yaml(text, "fuzz.yml", &a, &g, &err);
    struct ingest_scrape_config conf = {
        .job_name = STR("j"), .metrics_path = STR("/m"), .params_query = STR("a=1&b=%20")};
    struct target_defaults d = {&conf, 15000, 10000};
    struct labels_builder b = LABELS_BUILDER_INIT;
    for (size_t i = 0; ok && i < g.n; i++)
        for (size_t k = 0; k < g.v[i].n && k < 16; k++) {
            struct target_spec spec;
            if (target_build(&d, NULL, &g.v[i], k, &a, &b, &spec, &err) &&
                !labels_check(spec.labels, &err))
                abort();
        }
    labels_builder_deinit(&b);
    arena_deinit(&a);
    return 0;
}
