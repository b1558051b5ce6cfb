#include "feature/notify/interval.h"

#define MINUTE_S 60
#define LOOK_AHEAD_MINUTES (26 * 60) /* a night, a day and a change of the clock; then again */

/* ---- words to numbers ---- */

static bool clock_time(struct str s, int64_t *out) {
    uint64_t h, m;
    if (s.n != 5 || s.p[2] != ':' || !str_to_u64(str_sub(s, 0, 2), &h) ||
        !str_to_u64(str_sub(s, 3, 2), &m) || m > 59 || h * 60 + m > 24 * 60)
        return false;
    *out = (int64_t)(h * 60 + m);
    return true;
}

static bool times_of(const struct notify_time_range_conf *r, struct interval_range *out,
                     struct err *err) {
    if (!clock_time(r->start_time, &out->from) || !clock_time(r->end_time, &out->to))
        return err_set(err, ERR_BAD_INPUT,
                       "expected times such as 09:00 and 24:00, found \"%.*s\" and \"%.*s\"",
                       STR_FMT(r->start_time), STR_FMT(r->end_time));
    return out->from < out->to ||
           err_set(err, ERR_BAD_INPUT,
                   "start_time must be before end_time; write a night as two ranges");
}

bool interval_check_times(const struct notify_time_range_conf *c, struct err *err) {
    struct interval_range r;
    return times_of(c, &r, err);
}

struct words {
    const char *what;
    const char *const *names; /* NULL: numbers only */
    int64_t first, min, max;
};

static bool number_of(struct str s, const struct words *w, int64_t *out) {
    for (int64_t i = 0; w->names && w->names[i]; i++)
        if (str_eq_nocase(s, str_from(w->names[i]))) {
            *out = w->first + i;
            return true;
        }
    return str_to_i64(s, out) && *out >= w->min && *out <= w->max && (w->min >= 0 || *out != 0);
}

static bool ranges_of(const struct conf_strs *list, const struct words *w, struct arena *a,
                      struct interval_ranges *out, struct err *err) {
    out->v = ARENA_ARRAY(a, struct interval_range, list->n + 1);
    if (!out->v)
        return arena_err(a, err);
    for (size_t i = 0; i < list->n; i++) {
        struct interval_range r = {0, 0};
        size_t colon = str_find_char(list->v[i], ':');
        bool pair = colon != SIZE_MAX;
        struct str from = pair ? str_sub(list->v[i], 0, colon) : list->v[i],
                   to = pair ? str_sub(list->v[i], colon + 1, list->v[i].n - colon - 1) : from;
        if (!number_of(from, w, &r.from) || !number_of(to, w, &r.to) ||
            ((r.from < 0) == (r.to < 0) && r.from > r.to) || (r.from < 0 && r.to > 0))
            return err_set(err, ERR_BAD_INPUT, "%s: \"%.*s\" is no such range", w->what,
                           STR_FMT(list->v[i]));
        out->v[out->n++] = r;
    }
    return true;
}

static bool spec_of(const struct notify_time_spec_conf *c, struct arena *a,
                    struct interval_spec *out, struct err *err) {
    static const char *const days[] = {"sunday",   "monday", "tuesday",  "wednesday",
                                       "thursday", "friday", "saturday", NULL};
    static const char *const months[] = {"january",  "february", "march",  "april",     "may",
                                         "june",     "july",     "august", "september", "october",
                                         "november", "december", NULL};
    static const struct words weekday = {"weekdays", days, 0, 0, 6},
                              day = {"days_of_month", NULL, 0, -31, 31},
                              month = {"months", months, 1, 1, 12},
                              year = {"years", NULL, 0, 1970, 9999};
    const struct notify_time_range_conf *t = c->times.v;
    out->times.v = ARENA_ARRAY(a, struct interval_range, c->times.n + 1);
    if (!out->times.v)
        return arena_err(a, err);
    for (size_t i = 0; i < c->times.n; i++)
        if (!times_of(&t[i], &out->times.v[out->times.n++], err))
            return false;
    if (!ranges_of(&c->weekdays, &weekday, a, &out->weekdays, err) ||
        !ranges_of(&c->days_of_month, &day, a, &out->days, err) ||
        !ranges_of(&c->months, &month, a, &out->months, err) ||
        !ranges_of(&c->years, &year, a, &out->years, err))
        return false;
    out->zone = tz_open(c->location, err);
    return out->zone || err_prefix(err, "location");
}

bool interval_check_spec(const struct notify_time_spec_conf *c, struct arena *a, struct err *err) {
    struct interval_spec s = {0};
    bool ok = spec_of(c, a, &s, err);
    tz_close(s.zone);
    return ok;
}

bool interval_compile(const struct notify_time_interval_conf *c, struct arena *a,
                      struct interval *out, struct err *err) {
    const struct notify_time_spec_conf *s = c->specs.v;
    *out = (struct interval){.name = c->name,
                             .specs = ARENA_ARRAY(a, struct interval_spec, c->specs.n + 1)};
    if (!out->specs)
        return arena_err(a, err);
    for (size_t i = 0; i < c->specs.n; i++)
        if (!spec_of(&s[i], a, &out->specs[out->n++], err)) {
            interval_free(out);
            return false;
        }
    return true;
}

void interval_free(struct interval *t) {
    for (size_t i = 0; i < t->n; i++) {
        tz_close(t->specs[i].zone);
        t->specs[i].zone = NULL;
    }
    t->n = 0;
}

/* ---- does it hold ---- */

static bool in(const struct interval_ranges *r, int64_t x) {
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].from <= x && x <= r->v[i].to)
            return true;
    return r->n == 0;
}

static bool in_times(const struct interval_ranges *r, int64_t minute) {
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].from <= minute && minute < r->v[i].to)
            return true;
    return r->n == 0;
}

static bool in_days(const struct interval_ranges *r, const struct civil *c) {
    int64_t last = civil_days_in_month(c->year, c->month);
    for (size_t i = 0; i < r->n; i++) {
        int64_t from = r->v[i].from < 0 ? last + r->v[i].from + 1 : r->v[i].from,
                to = r->v[i].to < 0 ? last + r->v[i].to + 1 : r->v[i].to;
        if (from <= c->day && c->day <= to)
            return true;
    }
    return r->n == 0;
}

bool interval_holds(const struct interval *t, int64_t unix_s) {
    for (size_t i = 0; i < t->n; i++) {
        const struct interval_spec *s = &t->specs[i];
        struct civil c = tz_civil(s->zone, unix_s);
        if (in_times(&s->times, c.hour * 60 + c.minute) && in(&s->weekdays, c.weekday) &&
            in_days(&s->days, &c) && in(&s->months, c.month) && in(&s->years, c.year))
            return true;
    }
    return false;
}

static bool quiet_at(const struct interval_set *s, int64_t unix_s, struct str *out_why,
                     bool *out_inactive) {
    *out_inactive = false;
    for (size_t i = 0; i < s->n_mute; i++)
        if (interval_holds(s->mute[i], unix_s)) {
            *out_why = s->mute[i]->name;
            return true;
        }
    for (size_t i = 0; i < s->n_active; i++)
        if (interval_holds(s->active[i], unix_s))
            return false;
    if (s->n_active == 0)
        return false;
    *out_why = s->active[0]->name;
    *out_inactive = true;
    return true;
}

bool interval_quiet(const struct interval_set *s, int64_t now_ms, struct interval_quiet *out) {
    struct interval_quiet q = {.until_is_known = true};
    if (!quiet_at(s, now_ms / 1000, &q.why, &q.inactive))
        return false;
    int64_t at = now_ms / 1000 / MINUTE_S * MINUTE_S;
    struct str why;
    bool inactive;
    int i = 0;
    do
        at += MINUTE_S;
    while (++i < LOOK_AHEAD_MINUTES && quiet_at(s, at, &why, &inactive));
    q.until_is_known = i < LOOK_AHEAD_MINUTES;
    q.until_ms = at * 1000;
    *out = q;
    return true;
}
