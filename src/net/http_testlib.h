/* http_testlib.h - a small blocking HTTP client over plain sockets, for tests that must send what a
 * good client never would. Every read gives up after 10 s. */
#ifndef NET_HTTP_TESTLIB_H
#define NET_HTTP_TESTLIB_H

#include "base/buf.h"

struct t_answer {
    int status;      /* 0: the connection ended before a status line */
    struct buf head; /* with the status line */
    struct buf body; /* chunks joined */
    bool closed;     /* the server closed the connection afterwards, or in the middle */
};

int t_connect(uint16_t port);
void t_send(int fd, const char *bytes);
void t_send_n(int fd, const void *bytes, size_t n);
/* One answer; head_only: of a HEAD request. */
void t_receive(int fd, bool head_only, struct t_answer *out);
/* Whether `name: value` is in the head (name in any case). */
bool t_has_header(const struct t_answer *a, const char *name, const char *value);
struct str t_header(const struct t_answer *a, const char *name);
void t_answer_deinit(struct t_answer *a);
/* Connect, send, receive one answer, close. */
void t_call(uint16_t port, const char *request, struct t_answer *out);
bool t_wait_closed(
    int fd); /* true when the server closes within 10 s (reads and drops what comes) */
/* Writes a fresh self-signed certificate for "localhost" and 127.0.0.1 and its key as
 * <dir>/<name>.crt, .key. */
void t_make_cert(const char *dir, const char *name);

#endif
