/* http_internal.h - what the files of the HTTP server share. Not for other rooms.
 *
 * Threads: one network thread (libmicrohttpd's), which owns connections and everything that
 * libmicrohttpd hands out; workers, which own a request between hand-over (connection suspended)
 * and MHD_resume_connection; one watcher, which notices hang-ups of suspended connections and cuts
 * slow clients. Locks, in the order in which they may be taken: http_server.lock, http_stream.lock,
 * libmicrohttpd's own.
 */
#ifndef NET_HTTP_INTERNAL_H
#define NET_HTTP_INTERNAL_H

#include "net/http_server.h"
#include "os/queue.h"
#include "os/thread.h"

#include <microhttpd.h>

/* A body that is over its route's cap is read and thrown away up to this much, so that the client
 * gets to read its 413 instead of a reset connection; past it the connection is cut. */
#define HTTP_DISCARD_BYTES_MAX ((size_t)32 << 20)
/* All bodies in memory at once; past it new bodies get 503. 64 MiB x several senders must fit. */
#define HTTP_BODIES_BYTES_MAX ((size_t)1 << 30)
/* What a body's announced length gets before any of it has come. */
#define HTTP_BODY_FIRST_BYTES ((size_t)1 << 20)
/* What one stream may wait for its reader. */
#define HTTP_STREAM_BACKLOG_BYTES ((size_t)256 << 10)
#define HTTP_HEADERS_MAX 100
/* A client that sends or takes less than this after its grace is cut (bytes per millisecond). */
#define HTTP_SLOW_BYTES_PER_MS 10
/* Answers smaller than one packet gain nothing from gzip. */
#define HTTP_GZIP_BYTES_MIN 1400

enum http_conn_state {
    HTTP_CONN_WAIT,
    HTTP_CONN_HEAD,
    HTTP_CONN_BODY,
    HTTP_CONN_WORK,
    HTTP_CONN_SEND,
    HTTP_CONN_STREAM
};

struct http_ctx;
struct http_conn {
    struct http_server *server;
    struct MHD_Connection *mhd;
    int fd;
    uint32_t slot;
    uint64_t id;
    char peer[64];
    uint16_t peer_port;
    bool loopback;
    void *data;
    void (*data_free)(void *);
    _Atomic int state;        /* enum http_conn_state, set by the network thread */
    _Atomic int64_t since_ms; /* when it came into that state */
    _Atomic uint64_t bytes;   /* body received, or answer to send */
    struct http_ctx *watched; /* under server->lock: whom to tell of a hang-up */
};

enum http_phase { HTTP_NEW, HTTP_READING, HTTP_WORKING, HTTP_DONE };

struct http_ctx { /* one request */
    struct http_req req;
    struct http_res res;
    struct arena arena;
    struct http_conn *conn;
    struct http_server *server;
    /* holds a reference while attached; set by the worker, read by the watcher */
    struct http_stream *_Atomic stream;
    struct str uri;
    struct buf body;
    size_t body_cap, discarded;
    enum http_phase phase;
    struct err refused; /* set: answer this without a handler */
    const char *allow;
    bool close, too_many_headers;
    struct MHD_Response *response;
    uint64_t response_bytes;
    unsigned status;
};

struct http_slot {
    struct http_conn *conn;
    uint32_t generation, next_free;
};

struct http_server {
    struct http_server_options opt;
    struct MHD_Daemon *daemon;
    int listen_fd;
    uint16_t port;
    char *cert, *key; /* PEM text */
    struct queue queues[HTTP_POOL_COUNT];
    _Atomic uint64_t refused[HTTP_POOL_COUNT]; /* answered 503 because the queue was full */
    struct thread *threads[HTTP_POOL_COUNT];
    uint32_t n_threads[HTTP_POOL_COUNT];
    struct thread watcher;
    int epoll_fd, wake_fd;
    struct mutex lock;
    struct http_slot *slots; /* connections_max + some */
    uint32_t n_slots, slot_free;
    uint64_t next_id;
    _Atomic bool stopping;
    _Atomic int64_t active; /* requests between first line and completion */
    _Atomic size_t bodies_bytes;
};

struct http_stream {
    struct mutex lock;
    struct buf backlog;
    size_t sent;          /* of backlog */
    struct http_ctx *ctx; /* NULL: detached, nothing can be sent any more */
    uint32_t users;
    bool suspended, ended, dead;
};

/* http_answer.c */
void http_answer_build(struct http_ctx *x);  /* res -> MHD_Response, on the worker */
void http_answer_refuse(struct http_ctx *x); /* from x->refused */
/* http_stream.c */
struct MHD_Response *http_stream_response(struct http_ctx *x);
void http_stream_detach(struct http_stream *s); /* the request is over */
void http_stream_abort(struct http_stream *s);  /* the client left */
void http_stream_end(struct http_stream *s);    /* the server stops: send what waits, then close */
/* http_watch.c */
bool http_watch_start(struct http_server *s, struct err *err) MUST_USE;
void http_watch_stop(struct http_server *s);
struct http_conn *http_watch_conn_new(struct http_server *s, int fd);
void http_watch_conn_free(struct http_conn *c);
void http_watch_add(struct http_ctx *x);
void http_watch_del(struct http_ctx *x);
void http_conn_set(struct http_conn *c, enum http_conn_state state, uint64_t bytes);
void http_watch_each(struct http_server *s, void (*fn)(struct http_conn *c)); /* under the lock */
/* http_listen.c */
/* "127.0.0.1:80", "[::1]:0", "host.name:80", ":80" (all addresses). */
bool http_listen(const char *address, int *out_fd, uint16_t *out_port, struct err *err) MUST_USE;

#endif
