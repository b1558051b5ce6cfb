#include "os/clock.h"

#include <time.h>

static int64_t read_ns(clockid_t id) {
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static wall_t system_wall(void *self) {
    (void)self;
    return (wall_t){read_ns(CLOCK_REALTIME)};
}

static mono_t system_mono(void *self) {
    (void)self;
    return (mono_t){read_ns(CLOCK_MONOTONIC)};
}

static const struct clock real = {system_wall, system_mono, NULL};
const struct clock *clock_system(void) {
    return &real;
}
