#include "codec/tz.h"

#include <stdlib.h>
#include <unicode/ucal.h>

#define NAME_MAX_CHARS 64 /* the longest IANA name has 32 */

struct tz {
    UCalendar *calendar; /* NULL: UTC */
};

/* ICU takes GMT+3 and the like for zones of their own; only names of the database are. */
static bool known(const UChar *name, int32_t n) {
    UChar canonical[NAME_MAX_CHARS * 2];
    UBool system_id = 0;
    UErrorCode code = U_ZERO_ERROR;
    (void)ucal_getCanonicalTimeZoneID(name, n, canonical, NAME_MAX_CHARS * 2, &system_id, &code);
    return U_SUCCESS(code) && system_id;
}

static bool bad_name(struct str name, struct err *err) {
    return err_set(err, ERR_BAD_INPUT,
                   "\"%.*s\" is no time zone; expected an IANA name such as Asia/Tokyo or UTC",
                   (int)(name.n > 80 ? 80 : name.n), name.p);
}

struct tz *tz_open(struct str name, struct err *err) {
    UChar id[NAME_MAX_CHARS];
    bool utc = name.n == 0 || str_eqz(name, "UTC"), plain = name.n < NAME_MAX_CHARS;
    for (size_t i = 0; plain && i < name.n; i++) {
        id[i] = (UChar)(unsigned char)name.p[i];
        plain = id[i] > ' ' && id[i] < 0x7f;
    }
    if (str_eqz(name, "Local")) {
        (void)err_set(err, ERR_BAD_INPUT,
                      "\"Local\" differs from machine to machine; expected an IANA name such as "
                      "Asia/Tokyo");
        return NULL;
    }
    if (!utc && (!plain || !known(id, (int32_t)name.n))) {
        (void)bad_name(name, err);
        return NULL;
    }
    struct tz *t = calloc(1, sizeof(*t));
    UErrorCode code = U_ZERO_ERROR;
    if (t && !utc)
        t->calendar = ucal_open(id, (int32_t)name.n, "en_US_POSIX", UCAL_GREGORIAN, &code);
    if (!t || U_FAILURE(code)) {
        (void)err_set(err, ERR_INTERNAL, "opening time zone %.*s: %s", STR_FMT(name),
                      t ? u_errorName(code) : "out of memory");
        tz_close(t);
        return NULL;
    }
    return t;
}

void tz_close(struct tz *t) {
    if (t && t->calendar)
        ucal_close(t->calendar);
    free(t);
}

int64_t tz_offset_s(const struct tz *t, int64_t unix_s) {
    if (!t->calendar)
        return 0;
    UErrorCode code = U_ZERO_ERROR;
    ucal_setMillis(t->calendar, (double)unix_s * 1000.0, &code);
    int32_t zone = ucal_get(t->calendar, UCAL_ZONE_OFFSET, &code),
            summer = ucal_get(t->calendar, UCAL_DST_OFFSET, &code);
    return U_SUCCESS(code) ? ((int64_t)zone + summer) / 1000 : 0;
}

struct civil tz_civil(const struct tz *t, int64_t unix_s) {
    return civil_from_s(unix_s + tz_offset_s(t, unix_s));
}
