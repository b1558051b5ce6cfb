#include "feature/collect/sdbus.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD_BYTES 16
#define ARRAY_BYTES_MAX (1u << 26) /* of the specification */
#define SKIP_MAX 256               /* signals that may come before the answer */
enum { T_CALL = 1, T_RETURN = 2, T_ERROR = 3 };
enum {
    F_PATH = 1,
    F_INTERFACE = 2,
    F_MEMBER = 3,
    F_ERROR_NAME = 4,
    F_REPLY_SERIAL = 5,
    F_DESTINATION = 6,
    F_SIGNATURE = 8
};

/* ---- writing ---- */

static void pad(struct buf *b, size_t start, size_t to) {
    while ((b->n - start) % to)
        buf_putc(b, '\0');
}

static void put_string(struct buf *b, size_t start, const char *s) {
    pad(b, start, 4);
    buf_le32(b, (uint32_t)strlen(s));
    buf_put(b, s, strlen(s) + 1);
}

static void put_signature(struct buf *b, const char *s) {
    buf_putc(b, (char)strlen(s));
    buf_put(b, s, strlen(s) + 1);
}

static void put_field(struct buf *b, size_t start, char code, const char *signature,
                      const char *value) {
    if (!value)
        return;
    pad(b, start, 8);
    buf_putc(b, code);
    put_signature(b, signature);
    if (signature[0] == 'g')
        put_signature(b, value);
    else
        put_string(b, start, value);
}

void sdbus_encode(struct buf *out, uint32_t serial, const struct sdbus_call *call) {
    static const char *const signatures[] = {NULL, "s", "ss"};
    struct buf body = BUF_INIT, fields = BUF_INIT;
    size_t n_args = call->arg[0] ? (call->arg[1] ? 2 : 1) : 0;
    for (size_t i = 0; i < n_args; i++)
        put_string(&body, 0, call->arg[i]);
    /* fields stand at offset 16 of the message, which is aligned to 8: their own start will do */
    put_field(&fields, 0, F_PATH, "o", call->path);
    put_field(&fields, 0, F_DESTINATION, "s", call->destination);
    put_field(&fields, 0, F_INTERFACE, "s", call->interface);
    put_field(&fields, 0, F_MEMBER, "s", call->member);
    put_field(&fields, 0, F_SIGNATURE, "g", signatures[n_args]);
    size_t start = out->n;
    const char head[] = {'l', T_CALL, 0, 1};
    buf_put(out, head, sizeof(head));
    buf_le32(out, (uint32_t)body.n);
    buf_le32(out, serial);
    buf_le32(out, (uint32_t)fields.n);
    buf_puts(out, buf_view(&fields));
    pad(out, start, 8);
    buf_puts(out, buf_view(&body));
    if (!buf_ok(&body) || !buf_ok(&fields))
        out->failed = true;
    buf_deinit(&body);
    buf_deinit(&fields);
}

/* ---- reading ---- */

static void skip_to(struct cur *c, const unsigned char *start, size_t align) {
    size_t off = (size_t)(c->p - start) % align;
    if (off)
        (void)cur_bytes(c, align - off);
}

static struct str get_string(struct cur *c, const unsigned char *start) {
    skip_to(c, start, 4);
    uint32_t n = cur_le32(c);
    struct str s = cur_bytes(c, n);
    if (cur_u8(c) != 0)
        cur_fail(c);
    return cur_ok(c) ? s : (struct str){NULL, 0};
}

static struct str get_signature(struct cur *c) {
    struct str s = cur_bytes(c, cur_u8(c));
    if (cur_u8(c) != 0)
        cur_fail(c);
    return cur_ok(c) ? s : (struct str){NULL, 0};
}

bool sdbus_length(struct str head, size_t *out_bytes, struct err *err) {
    struct cur c = cur_from(head);
    uint8_t order = cur_u8(&c);
    (void)cur_bytes(&c, 2);
    uint8_t version = cur_u8(&c);
    uint32_t body = cur_le32(&c);
    (void)cur_le32(&c);
    uint32_t fields = cur_le32(&c);
    if (!cur_ok(&c) || order != 'l' || version != 1)
        return err_set(err, ERR_BAD_INPUT, "D-Bus: expected a little-endian message of version 1");
    uint64_t n = HEAD_BYTES + (((uint64_t)fields + 7) & ~(uint64_t)7) + body;
    if (n > SDBUS_MESSAGE_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "D-Bus: a message of %llu bytes, at most %zu are read",
                       (unsigned long long)n, SDBUS_MESSAGE_BYTES_MAX);
    *out_bytes = (size_t)n;
    return true;
}

static void get_field(struct cur *c, const unsigned char *start, struct sdbus_message *m) {
    skip_to(c, start, 8);
    uint8_t code = cur_u8(c);
    struct str signature = get_signature(c);
    if (str_eq(signature, STR("s")) || str_eq(signature, STR("o"))) {
        struct str s = get_string(c, start);
        if (code == F_ERROR_NAME)
            m->error_name = s;
    } else if (str_eq(signature, STR("g"))) {
        (void)get_signature(c);
    } else if (str_eq(signature, STR("u"))) {
        skip_to(c, start, 4);
        uint32_t v = cur_le32(c);
        if (code == F_REPLY_SERIAL)
            m->reply_serial = v;
    } else {
        cur_fail(c); /* no header field has another type */
    }
}

bool sdbus_decode(struct str message, struct sdbus_message *out, struct err *err) {
    size_t n;
    if (!sdbus_length(str_sub(message, 0, HEAD_BYTES), &n, err))
        return false;
    if (n > message.n)
        return err_set(err, ERR_BAD_INPUT, "D-Bus: a message of %zu bytes was cut after %zu", n,
                       message.n);
    struct sdbus_message m = {.type = (uint8_t)message.p[1]};
    struct cur c = cur_from(str_sub(message, 0, n));
    const unsigned char *start = c.p;
    (void)cur_bytes(&c, 12);
    uint32_t fields = cur_le32(&c);
    struct cur f = cur_from(cur_bytes(&c, fields));
    const unsigned char *fields_start = f.p; /* offset 16, aligned */
    while (cur_ok(&f) && !cur_done(&f))
        get_field(&f, fields_start, &m);
    skip_to(&c, start, 8);
    m.body = str_make((const char *)c.p, cur_left(&c));
    if (!cur_ok(&c) || !cur_ok(&f))
        return err_set(err, ERR_BAD_INPUT, "D-Bus: a message whose header cannot be read");
    *out = m;
    return true;
}

void sdbus_units_open(struct str body, struct sdbus_units *u) {
    *u = (struct sdbus_units){.c = cur_from(body)};
    u->start = u->c.p;
    uint32_t n = cur_le32(&u->c);
    if (cur_ok(&u->c))
        skip_to(&u->c, u->start, 8); /* stands before the elements even where there are none */
    u->failed = !cur_ok(&u->c) || n > ARRAY_BYTES_MAX || n > cur_left(&u->c);
    u->end = u->failed ? u->c.p : u->c.p + n;
}

bool sdbus_units_next(struct sdbus_units *u, struct sdbus_unit *out) {
    struct cur *c = &u->c;
    if (u->failed || c->p >= u->end)
        return false;
    skip_to(c, u->start, 8);
    struct sdbus_unit v;
    v.name = get_string(c, u->start);
    (void)get_string(c, u->start); /* description */
    v.load_state = get_string(c, u->start);
    v.active_state = get_string(c, u->start);
    (void)get_string(c, u->start); /* sub state */
    (void)get_string(c, u->start); /* followed by */
    v.object_path = get_string(c, u->start);
    skip_to(c, u->start, 4);
    (void)cur_le32(c);             /* job */
    (void)get_string(c, u->start); /* its type */
    (void)get_string(c, u->start); /* its path */
    if (!cur_ok(c) || c->p > u->end) {
        u->failed = true;
        return false;
    }
    *out = v;
    return true;
}

bool sdbus_variant_str(struct str body, struct str *out) {
    struct cur c = cur_from(body);
    const unsigned char *start = c.p;
    struct str signature = get_signature(&c);
    struct str s = str_eq(signature, STR("s")) ? get_string(&c, start) : (struct str){NULL, 0};
    if (!cur_ok(&c) || !str_eq(signature, STR("s")))
        return false;
    *out = s;
    return true;
}

/* ---- the socket ---- */

static bool send_all(struct sdbus *b, struct str s, struct err *err) {
    while (s.n) {
        ssize_t n = send(b->fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_sys(err, ERR_UNAVAILABLE, errno, "D-Bus: cannot send");
        s = str_from_offset(s, (size_t)n);
    }
    return true;
}

static bool receive(struct sdbus *b, size_t n, struct err *err) {
    if (!buf_reserve(&b->in, n))
        return err_set(err, ERR_INTERNAL, "out of memory");
    while (n) {
        ssize_t r = recv(b->fd, b->in.p + b->in.n, n, 0);
        if (r < 0 && errno == EINTR)
            continue;
        if (r == 0)
            return err_set(err, ERR_UNAVAILABLE, "D-Bus: the other side hung up");
        if (r < 0)
            return err_sys(err, errno == EAGAIN ? ERR_TIMEOUT : ERR_UNAVAILABLE, errno,
                           "D-Bus: no answer");
        b->in.n += (size_t)r;
        n -= (size_t)r;
    }
    return true;
}

static bool authenticate(struct sdbus *b, struct err *err) {
    struct buf line = BUF_INIT;
    char uid[16];
    int n = snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
    buf_putc(&line, '\0');
    buf_putz(&line, "AUTH EXTERNAL ");
    for (int i = 0; i < n; i++)
        buf_printf(&line, "%02x", (unsigned)uid[i]);
    buf_putz(&line, "\r\n");
    bool ok = buf_ok(&line) && send_all(b, buf_view(&line), err);
    buf_deinit(&line);
    buf_reset(&b->in);
    while (ok && !str_ends(buf_view(&b->in), STR("\r\n")))
        ok = b->in.n < 512 ? receive(b, 1, err)
                           : err_set(err, ERR_BAD_INPUT, "D-Bus: an endless greeting");
    if (ok && !str_starts(buf_view(&b->in), STR("OK ")))
        ok = err_set(err, ERR_FORBIDDEN, "D-Bus does not let us in");
    return ok && send_all(b, STR("BEGIN\r\n"), err);
}

bool sdbus_open(struct sdbus *b, const char *path, struct err *err) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct timeval limit = {SDBUS_TIMEOUT_MS / 1000, SDBUS_TIMEOUT_MS % 1000 * 1000};
    size_t n = strlen(path);
    if (n >= sizeof(to.sun_path))
        return err_set(err, ERR_BAD_INPUT, "the path of a socket has at most %zu bytes",
                       sizeof(to.sun_path) - 1);
    memcpy(to.sun_path, path, n + 1);
    *b = (struct sdbus){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (b->fd < 0)
        return err_sys(err, ERR_UNAVAILABLE, errno, "socket");
    if (setsockopt(b->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
        setsockopt(b->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
        connect(b->fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        int e = errno;
        sdbus_close(b);
        return err_sys(err, e == EACCES ? ERR_FORBIDDEN : ERR_UNAVAILABLE, e, "%s", path);
    }
    if (authenticate(b, err))
        return true;
    sdbus_close(b);
    return false;
}

void sdbus_close(struct sdbus *b) {
    if (b->fd >= 0)
        close(b->fd);
    b->fd = -1;
    buf_deinit(&b->in);
}

bool sdbus_call(struct sdbus *b, const struct sdbus_call *call, struct str *out_body,
                struct err *err) {
    struct buf out = BUF_INIT;
    uint32_t serial = ++b->serial;
    sdbus_encode(&out, serial, call);
    bool ok = buf_ok(&out) ? send_all(b, buf_view(&out), err)
                           : err_set(err, ERR_INTERNAL, "out of memory");
    buf_deinit(&out);
    for (int i = 0; ok && i < SKIP_MAX; i++) {
        struct sdbus_message m;
        size_t n;
        buf_reset(&b->in);
        ok = receive(b, HEAD_BYTES, err) && sdbus_length(buf_view(&b->in), &n, err) &&
             receive(b, n - HEAD_BYTES, err) && sdbus_decode(buf_view(&b->in), &m, err);
        if (!ok || m.reply_serial != serial || (m.type != T_RETURN && m.type != T_ERROR))
            continue; /* a signal, such as NameAcquired */
        if (m.type == T_ERROR)
            return err_set(err, ERR_EXECUTION, "D-Bus: %s: %.*s", call->member,
                           STR_FMT(m.error_name));
        *out_body = m.body;
        return true;
    }
    return ok ? err_set(err, ERR_BAD_INPUT, "D-Bus: no answer to %s among %d messages",
                        call->member, SKIP_MAX)
              : false;
}
