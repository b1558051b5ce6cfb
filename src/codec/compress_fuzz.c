/* First byte: which decoder. Output stays within its cap whatever comes. */
#include "codec/compress.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    enum { CAP = 1 << 18 };
    static const char *const names[] = {"gzip", "deflate", "zstd", "identity"};
    if (n == 0)
        return 0;
    struct buf out = BUF_INIT;
    struct err err;
    bool ok = compress_decode(str_from(names[data[0] % 4]), str_make((const char *)data + 1, n - 1),
                              CAP, &out, &err);
    if (out.n > CAP || (!ok && out.n))
        abort();
    buf_deinit(&out);
    return 0;
}
