/* err.h - how fallible functions tell what went wrong.
 *
 * A fallible function is `bool f(..., struct err *err)`: true on success; on false its outputs are
 * untouched and *err says what was expected, what was found, where, and what to do. Errors are
 * returned or logged, never both. struct err lives on the caller's stack and never allocates.
 * err may be NULL where the caller does not care.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#define ERR_MESSAGE_BYTES_MAX 512

/* code, HTTP status, exit code, the Prometheus API's errorType */
#define ERR_CODES(X)                                                                               \
    X(OK, 200, 0, "")                                                                              \
    X(BAD_INPUT, 400, 2, "bad_data")           /* the sender's bytes or arguments are wrong */     \
    X(UNAUTHENTICATED, 401, 3, "unauthorized") /* no or wrong credentials */                       \
    X(FORBIDDEN, 403, 3, "forbidden")          /* known, but not allowed */                        \
    X(NOT_FOUND, 404, 4, "not_found")                                                              \
    X(CONFLICT, 409, 5, "bad_data")  /* taken, locked, duplicate */                                \
    X(TOO_LARGE, 413, 2, "bad_data") /* over a named limit on one input */                         \
    X(UNSUPPORTED, 415, 2, "bad_data")                                                             \
    X(EXECUTION, 422, 1, "execution")     /* the query is well formed but cannot be answered */    \
    X(LIMITED, 429, 6, "unavailable")     /* a rate or cardinality limit; try later */             \
    X(CANCELED, 499, 1, "canceled")       /* the client left or the server stops */                \
    X(INTERNAL, 500, 1, "internal")       /* ours: a bug, or memory exhausted */                   \
    X(UNAVAILABLE, 503, 7, "unavailable") /* disk full, queue full, not ready, peer away */        \
    X(TIMEOUT, 503, 7, "timeout")                                                                  \
    X(CORRUPT, 500, 8, "internal") /* bytes on disk are not what was written */

enum err_code {
#define X(name, http, exit, prom) ERR_##name,
    ERR_CODES(X)
#undef X
};

struct err {
    enum err_code code;
    int sys_errno;         /* 0 when no system call failed */
    uint32_t line, column; /* 1-based position in the input; 0 when there is none */
    char message[ERR_MESSAGE_BYTES_MAX];
};

/* Always return false, so that a function can end with `return err_set(...)`. */
bool err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool err_set_at(struct err *err, enum err_code code, uint32_t line, uint32_t column,
                const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Appends ": <strerror>" of sys_errno; ENOSPC and EDQUOT become ERR_UNAVAILABLE whatever code says.
 */
bool err_sys(struct err *err, enum err_code code, int sys_errno, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* Puts "<prefix>: " before the message; keeps code and position. Returns false. */
bool err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void err_reset(struct err *err);

int err_http_status(enum err_code code);
int err_exit_code(enum err_code code);
const char *err_prom_type(enum err_code code); /* errorType of the Prometheus HTTP API */
const char *err_code_name(enum err_code code); /* "BAD_INPUT" in lower case: "bad_input" */

#endif
