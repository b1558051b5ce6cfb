#include "query/promql/fuzz_testlib.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size <= 4096)
        fuzz_one(str_make((const char *)data, size));
    return 0;
}
