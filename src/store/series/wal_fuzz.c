#include "store/series/wal.h"

#include "os/clock.h"
#include "store/series/store.h"

#include <stdlib.h>

static void on_record(void *self, enum wal_type type, struct str payload) {
    store_replay_record(self, type, payload);
}
static void on_bad(void *self, const char *path, const char *why) {
    (void)self;
    (void)path;
    (void)why;
}

/* First byte 0: a segment as found on disk; 1-3: the payload of a record of that type, replayed
 * into a store. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (!n)
        return 0;
    struct series_store s = {.clock = *clock_system(), .def_epoch = 1};
    s.opt = (struct series_options){.series_per_source_max = 1000, .series_per_metric_max = 1000};
    struct blockset *none = blockset_new(NULL, 0);
    s.blocks = none;
    if (!none || !head_init(&s.head))
        abort();
    struct str payload = str_make((const char *)data + 1, n - 1);
    struct wal_replay r = {.record = on_record, .bad_segment = on_bad, .self = &s};
    if (data[0] == 0)
        (void)!wal_scan(payload, UINT64_C(3) << 24, &r, NULL);
    else if (data[0] <= WAL_TYPE_MAX)
        store_replay_record(&s, (enum wal_type)data[0], payload);
    store_free_parts(&s);
    return 0;
}
