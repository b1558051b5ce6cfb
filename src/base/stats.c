#include "base/stats.h"

_Atomic int64_t stat_values[STAT_COUNT];

static const struct stat_info infos[] = {
#define X(name, kind, help) {#name, #kind, help},
    STATS(X)
#undef X
};

const struct stat_info *stats_info(enum stat_id id) {
    return &infos[id];
}
