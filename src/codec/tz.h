/* tz.h - the wall clock of a place: IANA time zone names ("Asia/Tokyo") and their offsets.
 *
 * ICU underneath (its own copy of the tz database, from libicu); this is the header's one home. The
 * process's own TZ is never read: "Local" is refused, so that a configuration means the same on
 * every machine. A struct tz is used by one thread at a time. Cost: tz_open reads ICU's data
 * (milliseconds the first time; nothing for UTC), tz_offset_s is below a microsecond or two.
 * Range: 1900 to 2200 is tested. Source: https://www.iana.org/time-zones.
 */
#ifndef CODEC_TZ_H
#define CODEC_TZ_H

#include "base/err.h"
#include "base/str.h"
#include "base/timev.h"

struct tz;

/* name: "" and "UTC" are UTC. ERR_BAD_INPUT: no such zone. NULL: err is set. */
struct tz *tz_open(struct str name, struct err *err) MUST_USE;
void tz_close(struct tz *t);
/* Seconds east of UTC in force at unix_s. */
int64_t tz_offset_s(const struct tz *t, int64_t unix_s);
/* The date and time that a clock in that place shows. */
struct civil tz_civil(const struct tz *t, int64_t unix_s);

#endif
