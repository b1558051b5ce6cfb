#include "os/random.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

void random_bytes(void *out, size_t n) {
    char *p = out;
    while (n) {
        ssize_t k = getrandom(p, n, 0);
        if (k < 0) {
            assert(errno == EINTR);
            continue;
        }
        p += k;
        n -= (size_t)k;
    }
}

uint64_t random_u64(void) {
    uint64_t v;
    random_bytes(&v, sizeof(v));
    return v;
}
