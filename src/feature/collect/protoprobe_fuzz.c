/* What a listener may say to the questions of protoprobe and tlsprobe. */
#include "feature/collect/protoprobe.h"
#include "feature/collect/tlsprobe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str in = str_make((const char *)data, size);
    (void)protoprobe_greeting_kind(in);
    (void)protoprobe_postgres_kind(in);
    (void)protoprobe_redis_kind(in);
    struct arena a = ARENA_INIT_MAX((size_t)1 << 20);
    struct tlsprobe_der chain = {{in, in}, 2};
    struct tlsprobe_result r;
    if (tlsprobe_read_chain(&chain, &a, &r, NULL))
        for (size_t i = 0; i < r.n_names; i++)
            if (!str_is_utf8(r.names[i]))
                abort();
    arena_deinit(&a);
    return 0;
}
