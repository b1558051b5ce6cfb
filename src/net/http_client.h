/* http_client.h - every outgoing request (libcurl multi, GnuTLS build): one thread drives them all.
 * Callbacks run on that thread and must not block; http_client_do waits for one request.
 */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/timev.h"
#include "net/http_server.h"

struct http_client;

struct http_call {
    const char *method; /* "GET" */
    const char *url;
    const struct http_header *headers; /* copied */
    size_t n_headers;
    struct str body;    /* copied */
    int64_t timeout_ms; /* whole call; 0: 10 s */
    size_t body_max;    /* of the answer, decompressed; 0: LIMIT_SCRAPE_BODY_BYTES; over it:
                           ERR_TOO_LARGE */
    bool follow_redirects;
    bool accept_compressed;
    const char *unix_socket;              /* NULL: TCP */
    const char *user, *password, *bearer; /* NULL: none; never logged */
    const char *ca_file, *cert_file, *key_file, *server_name;
    bool insecure_skip_verify;
    const char *proxy;
};

struct http_reply {
    int status;                  /* 0: no answer, see err */
    struct buf body;             /* the callback may take it (buf_take) */
    struct http_header *headers; /* lower-case names */
    size_t n_headers;
    struct arena arena;
    double name_s, connect_s, tls_s, first_byte_s, total_s; /* phases, seconds since start */
    struct err err; /* code != 0: transport failure (timeout, refused, TLS ...) in plain words */
};
struct str http_reply_header(const struct http_reply *r, const char *name);

struct http_client *http_client_new(struct err *err) MUST_USE;
void http_client_free(
    struct http_client *c); /* aborts what is under way; callbacks get ERR_CANCELED */
/* done(arg, reply): reply is valid during the call. false: refused (queue full or stopping), done
 * not called. */
bool http_client_start(struct http_client *c, const struct http_call *call,
                       void (*done)(void *arg, struct http_reply *r), void *arg,
                       struct err *err) MUST_USE;
/* Waits. true when an answer of any status came; *out must be freed with http_reply_deinit either
 * way. */
bool http_client_do(struct http_client *c, const struct http_call *call, struct http_reply *out,
                    struct err *err) MUST_USE;
void http_reply_deinit(struct http_reply *r);

#endif
