/* Retry-After: seconds, or one of HTTP's three forms of a date (RFC 9110, 10.2.3 and 5.6.7). */
#include "feature/notify/notify_int.h"

static bool month_of(struct str s, int *out) {
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    for (int i = 0; i < 12; i++)
        if (str_eq_nocase(s, str_from(names[i]))) {
            *out = i + 1;
            return true;
        }
    return false;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994":
 * words between separators. */
static bool http_date(struct str s, int64_t *out_ms) {
    struct str word[8];
    size_t n = 0, start = 0;
    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] != ' ' && s.p[i] != ',' && s.p[i] != '-' && s.p[i] != ':')
            continue;
        if (i > start && n == 8)
            return false;
        if (i > start)
            word[n++] = str_sub(s, start, i - start);
        start = i + 1;
    }
    uint64_t day, year, h, m, sec;
    int month;
    bool old = n == 7 && month_of(word[1], &month); /* asctime: month, day ... year */
    if (n < 7 || (!old && (n != 8 || !str_eqz(word[7], "GMT") || !month_of(word[2], &month))) ||
        !str_to_u64(word[old ? 2 : 1], &day) || !str_to_u64(word[old ? 6 : 3], &year) ||
        !str_to_u64(word[old ? 3 : 4], &h) || !str_to_u64(word[old ? 4 : 5], &m) ||
        !str_to_u64(word[old ? 5 : 6], &sec))
        return false;
    if (year < 100)
        year += year < 70 ? 2000 : 1900;
    if (year < 1970 || year > 9999 || day < 1 ||
        day > (uint64_t)civil_days_in_month((int64_t)year, month) || h > 23 || m > 59 || sec > 60)
        return false;
    *out_ms = civil_to_s((int64_t)year, month, (int)day, (int)h, (int)m, (int)sec) * 1000;
    return true;
}

int64_t retry_after_ms(struct str value, struct str date, int64_t now_ms) {
    uint64_t s;
    int64_t at, from = now_ms, wait;
    value = str_trim(value);
    if (str_to_u64(value, &s)) {
        wait = s > NOTIFY_RETRY_AFTER_MAX_MS / 1000 ? NOTIFY_RETRY_AFTER_MAX_MS : (int64_t)s * 1000;
    } else if (http_date(value, &at)) {
        (void)http_date(str_trim(date), &from); /* its clock, not ours, where it tells */
        wait = at - from;
    } else {
        return -1;
    }
    return wait < 0 ? 0 : wait > NOTIFY_RETRY_AFTER_MAX_MS ? NOTIFY_RETRY_AFTER_MAX_MS : wait;
}
