/* clock.h - the machine's clocks as a struct clock. */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include "base/timev.h"

const struct clock *clock_system(void); /* CLOCK_REALTIME and CLOCK_MONOTONIC; static, shared */

#endif
