/* timev.h - time. Wall time, monotonic time and durations are distinct types so that they cannot be
 * mixed up. Series timestamps are plain int64_t ts_ms (Unix epoch, ms), events int64_t ts_ns. Code
 * takes a struct clock, never reads one itself, so tests never sleep. */
#ifndef BASE_TIMEV_H
#define BASE_TIMEV_H

#include "base/buf.h"
#include "base/err.h"

typedef struct {
    int64_t ns; /* since the Unix epoch */
} wall_t;
typedef struct {
    int64_t ns; /* since an arbitrary start, never goes back */
} mono_t;
typedef struct {
    int64_t ns;
} dur_t;

#define DUR_MS(x) ((dur_t){(int64_t)(x)*1000000})
#define DUR_S(x) ((dur_t){(int64_t)(x)*1000000000})

struct clock { /* implementations: os/clock.h (real), base/timev.h clock_manual (tests) */
    wall_t (*wall)(void *self);
    mono_t (*mono)(void *self);
    void *self;
};
static inline int64_t clock_wall_ms(const struct clock *c) {
    return c->wall(c->self).ns / 1000000;
}
static inline int64_t clock_mono_ms(const struct clock *c) {
    return c->mono(c->self).ns / 1000000;
}

struct clock_manual { /* a clock that a test moves by hand */
    int64_t wall_ns, mono_ns;
};
struct clock clock_manual_view(struct clock_manual *m);
void clock_manual_advance(struct clock_manual *m, dur_t by);

/* Prometheus's duration grammar: ((y)(w)(d)(h)(m)(s)(ms)) in that order, each once, integers; "0".
 * https://prometheus.io/docs/prometheus/latest/querying/basics/#float-literals-and-time-durations
 */
bool duration_parse(struct str s, int64_t *out_ms, struct err *err) MUST_USE;
void duration_format(struct buf *b, int64_t ms); /* "1h30m", "0s" for zero, as Prometheus prints */
/* RFC 3339, UTC, with milliseconds when they are not zero. */
void time_format_rfc3339(struct buf *b, int64_t ts_ms);
/* RFC 3339 or decimal Unix seconds, as the Prometheus API accepts. */
bool time_parse_api(struct str s, int64_t *out_ms, struct err *err) MUST_USE;

/* Proleptic Gregorian, UTC, pure. */
struct civil {
    int64_t year;
    int month, day; /* 1-12, 1-31 */
    int hour, minute, second;
    int weekday, yearday; /* 0 = Sunday; 1-366 */
};
struct civil civil_from_s(int64_t unix_s);
int64_t civil_to_s(int64_t year, int month, int day, int hour, int minute, int second);
int civil_days_in_month(int64_t year, int month);

#endif
