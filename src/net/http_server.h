/* http_server.h - HTTP/1.1 (TLS optional) for all surfaces: requests come whole, answers go out
 * whole or as a stream (server-sent events). Knows nothing of metrics, users or routes' meaning.
 *
 * Life of a request: the network thread (epoll, libmicrohttpd) reads head and body under the
 * route's caps, then hands it to a worker of the route's pool; the worker fills the response; the
 * network thread sends. A full worker queue answers 503 with Retry-After at once. A client that
 * hangs up sets req->canceled.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/timev.h"

#include <stdatomic.h>

struct http_server;
struct http_stream;

struct http_header {
    struct str name, value;
};

struct http_req {
    struct str method, path; /* path is percent-decoded, starts with '/', has no "." or ".." part */
    struct str raw_path;     /* as sent; {NULL,0}: take path */
    struct str raw_query;    /* behind '?', still encoded */
    const struct http_header *headers;
    size_t n_headers;
    struct str body; /* as received; http_req_body_decoded undoes Content-Encoding */
    struct str peer; /* "127.0.0.1" */
    uint16_t peer_port;
    bool peer_loopback, tls;
    bool http_1_0;         /* hardly anybody but a proxy speaks it */
    struct arena *arena;   /* the request's own; goes when the answer has been sent */
    _Atomic bool canceled; /* the client hung up, or the server stops */
    uint64_t connection;   /* the same for requests of one keep-alive connection */
    void **
        connection_data; /* per-connection slot for one handler's memory (e.g. a prediction hint) */
    void (**connection_free)(void *);
    void *principal; /* what the door (server option `admit`) decided; typed by its owner */
    const struct http_route *route;
};

struct str http_req_header(const struct http_req *r,
                           const char *name); /* any case; {NULL,0}: absent */
/* A parameter of a form body (application/x-www-form-urlencoded) or, behind those, of the query
 * string; decoded, in the request's arena. n-th occurrence. false: absent. */
bool http_req_param(struct http_req *r, const char *name, size_t nth, struct str *out);
/* Undoes Content-Encoding (identity, gzip, deflate, zstd) under a cap; snappy bodies are the
 * handler's. */
bool http_req_body_decoded(struct http_req *r, size_t bytes_max, struct str *out,
                           struct err *err) MUST_USE;
struct str http_req_cookie(const struct http_req *r, const char *name);

struct http_res {
    int status;      /* 200 when untouched */
    struct buf body; /* compressed by the server when the client accepts gzip and it pays */
    struct http_header headers[24];
    size_t n_headers;
    struct http_stream *stream;
    struct str borrowed; /* set: sent instead of body; must outlive the server (embedded files) */
};
/* name: literal; value is copied into the request's arena. */
void http_res_header(struct http_req *r, struct http_res *res, const char *name, struct str value);
/* {"error":{"code","message","hint"}} with the status of err->code; Retry-After: 1..5 on 429 and
 * 503. */
void http_res_error(struct http_req *r, struct http_res *res, const struct err *err);

/* Server-sent events: call from the handler, then keep the handle (ref-counted) and push from any
 * thread. A slow reader whose backlog passes 256 KiB is closed (it reconnects and gets fresh
 * state). */
struct http_stream *http_res_stream_sse(struct http_req *r, struct http_res *res);
bool http_stream_send(struct http_stream *s, struct str event, struct str data); /* false: gone */
/* Bytes in the wire format of server-sent events ("id: 1\nevent: x\ndata: {}\n\n", ":
 * keep-alive\n\n"), so that one serialization can serve every stream. */
bool http_stream_send_raw(struct http_stream *s, struct str frame);
bool http_stream_alive(struct http_stream *s);
void http_stream_unref(struct http_stream *s); /* closes the response when the last one goes */

enum http_pool {
    HTTP_POOL_FAST,
    HTTP_POOL_QUERY,
    HTTP_POOL_WRITE,
    HTTP_POOL_LOGIN, /* slow on purpose (argon2id); neither waits for queries nor holds them up */
    HTTP_POOL_COUNT
};

struct http_route {
    const char *method; /* "GET", "POST", ...; GET also answers HEAD */
    const char *path; /* "/api/v1/query"; a trailing '*' matches any rest; ":x" matches one part */
    enum http_pool pool;
    uint32_t access; /* opaque to net: the door reads it (api/ defines who may) */
    size_t body_max; /* 0: LIMIT_BODY_BYTES */
    void (*handle)(void *self, struct http_req *req, struct http_res *res);
    void *self;
};
/* The part of the path that matched ":name" or '*'. */
struct str http_req_path_part(const struct http_req *r, size_t nth);

struct http_listener {
    const char *address;            /* "127.0.0.1:11900", "[::1]:80"; port 0: any free port */
    const char *tls_cert, *tls_key; /* PEM files; NULL: plain */
};

struct http_server_options {
    struct http_listener listen;
    const struct http_route *routes; /* walked by tests; more specific first; borrowed */
    size_t n_routes;
    uint32_t workers[HTTP_POOL_COUNT];   /* 0: default 2 */
    uint32_t queue_max[HTTP_POOL_COUNT]; /* 0: 256 */
    uint32_t connections_max;            /* 0: LIMIT_HTTP_CONNECTIONS */
    uint32_t idle_timeout_s;             /* 0: LIMIT_HTTP_IDLE_S */
    /* The door: runs on the worker before the handler; false: it has filled res (401, 403, 421
     * ...). */
    bool (*admit)(void *self, struct http_req *req, struct http_res *res);
    /* Last word on headers of every answer (CSP, no-store ...). May be NULL. */
    void (*finish)(void *self, struct http_req *req, struct http_res *res);
    void *door_self;
    const struct clock *clock;
};

/* Binds and serves. A taken port: ERR_CONFLICT that says so and what to do. */
struct http_server *http_server_new(const struct http_server_options *opt,
                                    struct err *err) MUST_USE;
uint16_t http_server_port(const struct http_server *s);
/* The requests that wait for a worker of a pool, and how many found the queue full (503). */
struct http_queue_info {
    const char *name; /* static */
    uint64_t length, capacity, refused;
};
void http_server_queue(struct http_server *s, enum http_pool pool, struct http_queue_info *out);
/* Stops accepting, lets running requests end for at most `grace`, closes streams, joins threads. */
void http_server_free(struct http_server *s, dur_t grace);

#endif
