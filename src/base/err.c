#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int http;
    int exit;
    const char *prom;
    const char *name;
} err_table[] = {
#define X(name, http, exit, prom) [ERR_##name] = {http, exit, prom, #name},
    ERR_CODES(X)
#undef X
};

static char err_names[sizeof(err_table) / sizeof(err_table[0])][24];

__attribute__((constructor)) static void err_names_init(void) {
    for (size_t i = 0; i < sizeof(err_table) / sizeof(err_table[0]); i++) {
        size_t k = 0;
        for (; err_table[i].name[k] && k + 1 < sizeof(err_names[i]); k++) {
            char c = err_table[i].name[k];
            err_names[i][k] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        }
        err_names[i][k] = 0;
    }
}

static void err_format(struct err *err, const char *fmt, va_list ap) {
    int n = vsnprintf(err->message, sizeof(err->message), fmt, ap);
    if (n < 0)
        err->message[0] = 0;
}

bool err_set(struct err *err, enum err_code code, const char *fmt, ...) {
    if (!err)
        return false;
    err->code = code;
    err->sys_errno = 0;
    err->line = err->column = 0;
    va_list ap;
    va_start(ap, fmt);
    err_format(err, fmt, ap);
    va_end(ap);
    return false;
}

bool err_set_at(struct err *err, enum err_code code, uint32_t line, uint32_t column,
                const char *fmt, ...) {
    if (!err)
        return false;
    err->code = code;
    err->sys_errno = 0;
    err->line = line;
    err->column = column;
    va_list ap;
    va_start(ap, fmt);
    err_format(err, fmt, ap);
    va_end(ap);
    return false;
}

bool err_sys(struct err *err, enum err_code code, int sys_errno, const char *fmt, ...) {
    if (!err)
        return false;
    err->code = (sys_errno == ENOSPC || sys_errno == EDQUOT) ? ERR_UNAVAILABLE : code;
    err->sys_errno = sys_errno;
    err->line = err->column = 0;
    va_list ap;
    va_start(ap, fmt);
    err_format(err, fmt, ap);
    va_end(ap);
    size_t n = strlen(err->message);
    char text[128];
    const char *s = strerror_r(sys_errno, text, sizeof(text));
    (void)snprintf(err->message + n, sizeof(err->message) - n, ": %s", s);
    return false;
}

bool err_prefix(struct err *err, const char *fmt, ...) {
    if (!err)
        return false;
    char old[ERR_MESSAGE_BYTES_MAX];
    memcpy(old, err->message, sizeof(old));
    va_list ap;
    va_start(ap, fmt);
    err_format(err, fmt, ap);
    va_end(ap);
    size_t n = strlen(err->message);
    (void)snprintf(err->message + n, sizeof(err->message) - n, ": %s", old);
    return false;
}

void err_reset(struct err *err) {
    if (err)
        memset(err, 0, offsetof(struct err, message) + 1);
}

int err_http_status(enum err_code code) {
    return err_table[code].http;
}
int err_exit_code(enum err_code code) {
    return err_table[code].exit;
}
const char *err_prom_type(enum err_code code) {
    return err_table[code].prom;
}
const char *err_code_name(enum err_code code) {
    return err_names[code];
}
