/* The bytes that an agent sends: a record alone (zstd), the raw form inside it, and a whole
 * message. */
#include "codec/compress.h"
#include "feature/agent/agentwire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void record(struct str bytes) {
    struct arena a = ARENA_INIT_MAX((size_t)64 << 20);
    struct agentwire_record r;
    if (agentwire_decode(bytes, &a, &r, NULL)) {
        struct buf again = BUF_INIT;
        struct arena b = ARENA_INIT_MAX((size_t)64 << 20);
        struct agentwire_record back;
        if (agentwire_encode(&r, &again, NULL)) {
            if (!agentwire_decode(buf_view(&again), &b, &back, NULL) || back.n_rows != r.n_rows)
                abort();
        }
        arena_deinit(&b);
        buf_deinit(&again);
    }
    arena_deinit(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > (1u << 16))
        return 0;
    struct str in = str_make((const char *)data, size);
    struct cur c;
    struct agentwire_part part;
    record(in);
    if (agentwire_message_open(in, &c, NULL))
        while (agentwire_message_next(&c, &part, NULL))
            record(part.record);
    struct buf wrapped = BUF_INIT; /* reach what stands behind the compression */
    buf_putc(&wrapped, AGENTWIRE_VERSION);
    if (compress_zstd(in, 1, &wrapped, NULL))
        record(buf_view(&wrapped));
    buf_deinit(&wrapped);
    return 0;
}
