#include "codec/remote_write.h"

#include "codec/snappy.h"

#include <stdlib.h>

/* First byte: 1 = the rest is snappy. Whatever the walker accepts must be consistent with itself.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (!n)
        return 0;
    struct str s = str_make((const char *)data + 1, n - 1);
    struct buf plain = BUF_INIT;
    if (data[0] & 1) {
        if (!snappy_block_decode(s, 1 << 20, &plain, NULL)) {
            buf_deinit(&plain);
            return 0;
        }
        s = buf_view(&plain);
    }
    struct cur c = cur_from(s);
    struct str message;
    for (enum rw_item item;
         (item = remote_write_next(&c, &message)) == RW_SERIES || item == RW_META;) {
        if (item == RW_META) {
            struct metric_meta m;
            (void)remote_write_meta(message, &m);
            continue;
        }
        struct label labels[64], label;
        size_t run = remote_write_label_run(message);
        if (run > message.n)
            abort();
        uint32_t k = remote_write_labels(str_make(message.p, run), labels, 64), seen = 0;
        struct cur sc = cur_from(message);
        struct sample sample;
        for (enum rw_part p;
             (p = remote_write_part(&sc, &label, &sample)) != RW_PART_END && p != RW_PART_BAD;)
            seen += p == RW_PART_LABEL;
        if (k != UINT32_MAX && cur_ok(&sc) && seen < k)
            abort();
    }
    buf_deinit(&plain);
    return 0;
}
