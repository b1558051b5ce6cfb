#include "base/timev.h"

#include <math.h>

static wall_t manual_wall(void *self) {
    return (wall_t){__atomic_load_n(&((struct clock_manual *)self)->wall_ns, __ATOMIC_RELAXED)};
}
static mono_t manual_mono(void *self) {
    return (mono_t){__atomic_load_n(&((struct clock_manual *)self)->mono_ns, __ATOMIC_RELAXED)};
}

struct clock clock_manual_view(struct clock_manual *m) {
    return (struct clock){manual_wall, manual_mono, m};
}

void clock_manual_advance(struct clock_manual *m, dur_t by) {
    /* Threads of the tested part may read while the test moves it. */
    (void)__atomic_fetch_add(&m->wall_ns, by.ns, __ATOMIC_RELAXED);
    (void)__atomic_fetch_add(&m->mono_ns, by.ns, __ATOMIC_RELAXED);
}

static const struct {
    const char *unit;
    int64_t ms;
    bool exact_only; /* printed only when it divides what is left, as Prometheus does */
} units[] = {
    {"y", INT64_C(31536000000), true},
    {"w", INT64_C(604800000), true},
    {"d", 86400000, false},
    {"h", 3600000, false},
    {"m", 60000, false},
    {"s", 1000, false},
    {"ms", 1, false},
};
enum { N_UNITS = sizeof(units) / sizeof(units[0]) };

bool duration_parse(struct str s, int64_t *out_ms, struct err *err) {
    if (str_eq(s, STR("0"))) {
        *out_ms = 0;
        return true;
    }
    int64_t total = 0;
    size_t i = 0, next = 0;
    while (i < s.n) {
        size_t start = i;
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
            i++;
        uint64_t v = 0;
        if (!str_to_u64(str_sub(s, start, i - start), &v) || v > INT64_MAX)
            goto bad;
        size_t u0 = i;
        while (i < s.n && (s.p[i] < '0' || s.p[i] > '9'))
            i++;
        size_t k = next;
        while (k < N_UNITS && !str_eqz(str_sub(s, u0, i - u0), units[k].unit))
            k++;
        int64_t part;
        if (k == N_UNITS)
            goto bad;
        if (__builtin_mul_overflow((int64_t)v, units[k].ms, &part) ||
            __builtin_add_overflow(total, part, &total) || total > INT64_MAX / 1000000)
            return err_set(err, ERR_BAD_INPUT, "duration out of range: \"%.*s\"", STR_FMT(s));
        next = k + 1;
    }
    if (s.n == 0)
        return err_set(err, ERR_BAD_INPUT,
                       "empty duration string; expected a duration such as 30s or 1h30m");
    *out_ms = total;
    return true;
bad:
    return err_set(
        err, ERR_BAD_INPUT,
        "not a valid duration string: \"%.*s\"; expected a duration such as 30s or 1h30m",
        STR_FMT(s));
}

void duration_format(struct buf *b, int64_t ms) {
    if (ms == 0) {
        buf_putz(b, "0s");
        return;
    }
    if (ms < 0) {
        buf_putc(b, '-');
        ms = -ms;
    }
    for (size_t i = 0; i < N_UNITS; i++) {
        if (units[i].exact_only && ms % units[i].ms != 0)
            continue;
        if (ms / units[i].ms > 0) {
            buf_i64(b, ms / units[i].ms);
            buf_putz(b, units[i].unit);
            ms %= units[i].ms;
        }
    }
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* Days from civil and back: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
int64_t civil_to_s(int64_t y, int month, int day, int hour, int minute, int second) {
    y -= month <= 2;
    int64_t era = floor_div(y, 400);
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return (era * 146097 + doe - 719468) * 86400 + hour * 3600 + minute * 60 + second;
}

static bool leap(int64_t y) {
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

int civil_days_in_month(int64_t year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && leap(year) ? 29 : days[month - 1];
}

struct civil civil_from_s(int64_t s) {
    struct civil c;
    int64_t days = floor_div(s, 86400), rest = s - days * 86400;
    c.hour = (int)(rest / 3600);
    c.minute = (int)(rest % 3600 / 60);
    c.second = (int)(rest % 60);
    int64_t wd = (days + 4) % 7;
    c.weekday = (int)(wd < 0 ? wd + 7 : wd);
    int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
    c.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    c.year = yoe + era * 400 + (c.month <= 2);
    c.yearday = 0;
    for (int m = 1; m < c.month; m++)
        c.yearday += civil_days_in_month(c.year, m);
    c.yearday += c.day;
    return c;
}

void time_format_rfc3339(struct buf *b, int64_t ts_ms) {
    int64_t s = floor_div(ts_ms, 1000), ms = ts_ms - s * 1000;
    struct civil c = civil_from_s(s);
    buf_printf(b, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)c.year, c.month, c.day, c.hour,
               c.minute, c.second);
    if (ms)
        buf_printf(b, ".%03d", (int)ms);
    buf_putc(b, 'Z');
}

static bool digits(struct str s, size_t at, size_t n, int *out) {
    uint64_t v;
    if (at + n > s.n || !str_to_u64(str_sub(s, at, n), &v))
        return false;
    *out = (int)v;
    return true;
}

static bool parse_rfc3339(struct str s, int64_t *out_ms) {
    int y, mo, d, h, mi, se;
    if (s.n < 20 || s.p[4] != '-' || s.p[7] != '-' || (s.p[10] != 'T' && s.p[10] != 't') ||
        s.p[13] != ':' || s.p[16] != ':')
        return false;
    if (!digits(s, 0, 4, &y) || !digits(s, 5, 2, &mo) || !digits(s, 8, 2, &d) ||
        !digits(s, 11, 2, &h) || !digits(s, 14, 2, &mi) || !digits(s, 17, 2, &se))
        return false;
    if (mo < 1 || mo > 12 || d < 1 || d > civil_days_in_month(y, mo) || h > 23 || mi > 59 ||
        se > 60)
        return false;
    size_t i = 19;
    int64_t ms = 0;
    if (s.p[i] == '.') {
        int64_t scale = 100;
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
            ms += (s.p[i] - '0') * scale;
            scale /= 10;
        }
    }
    int64_t offset = 0;
    if (i + 1 == s.n && (s.p[i] == 'Z' || s.p[i] == 'z')) {
        /* UTC */
    } else if (i + 6 == s.n && (s.p[i] == '+' || s.p[i] == '-') && s.p[i + 3] == ':') {
        int oh, om;
        if (!digits(s, i + 1, 2, &oh) || !digits(s, i + 4, 2, &om) || oh > 23 || om > 59)
            return false;
        offset = (oh * 3600 + om * 60) * (s.p[i] == '-' ? -1 : 1);
    } else {
        return false;
    }
    *out_ms = (civil_to_s(y, mo, d, h, mi, se) - offset) * 1000 + ms;
    return true;
}

bool time_parse_api(struct str s, int64_t *out_ms, struct err *err) {
    double v;
    if (str_to_f64(s, &v) && isfinite(v)) {
        if (fabs(v) > 9.2e15)
            return err_set(err, ERR_BAD_INPUT, "timestamp out of range: \"%.*s\"", STR_FMT(s));
        *out_ms = (int64_t)round(v * 1000);
        return true;
    }
    if (parse_rfc3339(s, out_ms))
        return true;
    return err_set(err, ERR_BAD_INPUT,
                   "cannot parse \"%.*s\" to a valid timestamp; expected RFC 3339 or Unix seconds",
                   STR_FMT(s));
}
