/* interval.h - time_intervals: when a route is quiet.
 *
 * Alertmanager's rules: an interval holds when any of its specs holds; a spec holds when each part
 * that is given holds (times from inclusive to exclusive, in minutes; weekdays, days of the month
 * (negative: from its end, cut to the month), months, years inclusive), by the clock of its
 * `location` (UTC when none). A route is muted while any of its mute_time_intervals holds, or while
 * it has active_time_intervals and none of them holds. Children do not inherit either.
 * One thread at a time. Source:
 * https://prometheus.io/docs/alerting/latest/configuration/#time_interval.
 */
#ifndef NOTIFY_INTERVAL_H
#define NOTIFY_INTERVAL_H

#include "codec/tz.h"
#include "feature/notify/notify_conf.h"

struct interval_range {
    int64_t from, to; /* inclusive; times: minutes of the day, to exclusive */
};
struct interval_ranges {
    struct interval_range *v;
    size_t n; /* 0: not given, so everything */
};
struct interval_spec {
    struct interval_ranges times, weekdays, days, months, years;
    struct tz *zone;
};
struct interval {
    struct str name;
    struct interval_spec *specs;
    size_t n;
};

/* Strings stay borrowed from the configuration; the zones are interval_free's. */
bool interval_compile(const struct notify_time_interval_conf *c, struct arena *a,
                      struct interval *out, struct err *err) MUST_USE;
/* What the option table checks of one spec. */
bool interval_check_spec(const struct notify_time_spec_conf *c, struct arena *a,
                         struct err *err) MUST_USE;
bool interval_check_times(const struct notify_time_range_conf *c, struct err *err) MUST_USE;
void interval_free(struct interval *t);
bool interval_holds(const struct interval *t, int64_t unix_s);

struct interval_set { /* of one route; borrowed from the setup */
    const struct interval **mute, **active;
    size_t n_mute, n_active;
};
struct interval_quiet {
    struct str why;      /* the interval's name; several that are not active: the first */
    bool inactive;       /* why names an active_time_intervals entry that does not hold */
    int64_t until_ms;    /* the first minute when the route may ring, or when to look again */
    bool until_is_known; /* false: quiet for longer than was looked ahead */
};
/* true: quiet at now_ms. */
bool interval_quiet(const struct interval_set *s, int64_t now_ms, struct interval_quiet *out);

#endif
