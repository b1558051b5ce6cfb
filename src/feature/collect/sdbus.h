/* sdbus.h - the little of D-Bus that asking systemd for its units takes: connect to the system bus,
 * one call at a time, little-endian answers. Source: the D-Bus specification, "Message Protocol"
 * and "Authentication"; org.freedesktop.systemd1(5).
 *
 * A library (sd-bus, libdbus) would bring a dependency into the agent for two calls. The decoders
 * take bytes from another process and are fuzzed (sdbus_fuzz.c). Blocking with a limit of time:
 * background thread only.
 */
#ifndef COLLECT_SDBUS_H
#define COLLECT_SDBUS_H

#include "base/buf.h"
#include "base/cur.h"
#include "base/err.h"

#define SDBUS_MESSAGE_BYTES_MAX ((size_t)8 << 20) /* 20,000 units */
#define SDBUS_TIMEOUT_MS 3000

struct sdbus {
    int fd;
    uint32_t serial;
    struct buf in; /* the last message */
};

/* path: of the socket. ERR_UNAVAILABLE: nobody there; ERR_FORBIDDEN: it refused us. */
bool sdbus_open(struct sdbus *b, const char *path, struct err *err) MUST_USE;
void sdbus_close(struct sdbus *b);
/* A method call with at most two string arguments (NULL: none). *out_body is valid until the next
 * call. An error answer becomes ERR_EXECUTION with its name. */
struct sdbus_call {
    const char *destination, *path, *interface, *member;
    const char *arg[2];
};
bool sdbus_call(struct sdbus *b, const struct sdbus_call *call, struct str *out_body,
                struct err *err) MUST_USE;

/* ---- bytes; pure ---- */
void sdbus_encode(struct buf *out, uint32_t serial, const struct sdbus_call *call);
struct sdbus_message {
    uint8_t type; /* 1 call, 2 return, 3 error, 4 signal */
    uint32_t reply_serial;
    struct str error_name, body;
};
/* Length of the message that begins with these 16 bytes. false: not a message of ours, or over the
 * cap. */
bool sdbus_length(struct str head, size_t *out_bytes, struct err *err) MUST_USE;
bool sdbus_decode(struct str message, struct sdbus_message *out, struct err *err) MUST_USE;

struct sdbus_unit { /* borrowed from the body */
    struct str name, load_state, active_state, object_path;
};
/* The answer to ListUnits, a(ssssssouso), one after the other:
 *   struct sdbus_units u; sdbus_units_open(body, &u); while (sdbus_units_next(&u, &unit)) ...; ok =
 * sdbus_units_ok(&u) */
struct sdbus_units {
    struct cur c;
    const unsigned char *start, *end;
    bool failed;
};
void sdbus_units_open(struct str body, struct sdbus_units *u);
bool sdbus_units_next(struct sdbus_units *u, struct sdbus_unit *out);
static inline bool sdbus_units_ok(const struct sdbus_units *u) {
    return !u->failed;
}
/* The answer to Properties.Get of a string: a variant of signature "s". */
bool sdbus_variant_str(struct str body, struct str *out);

#endif
