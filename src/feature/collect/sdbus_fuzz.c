/* What a process that calls itself the system bus may answer. */
#include "feature/collect/sdbus.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void body(struct str bytes) {
    struct sdbus_units all;
    struct sdbus_unit u;
    struct str s;
    size_t n = 0;
    sdbus_units_open(bytes, &all);
    while (sdbus_units_next(&all, &u))
        n += u.name.n + u.active_state.n;
    if (n > bytes.n)
        abort(); /* names overlap: the cursor went back */
    if (sdbus_variant_str(bytes, &s) && s.n > bytes.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str in = str_make((const char *)data, size);
    struct sdbus_message m;
    body(in);
    if (sdbus_decode(in, &m, NULL))
        body(m.body);
    return 0;
}
