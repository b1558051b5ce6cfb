#include "net/http_internal.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/stats.h"
#include "net/http_url.h"
#include "os/clock.h"
#include "os/file.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { POOL_WORKERS_DEFAULT = 2, POOL_QUEUE_DEFAULT = 256, TLS_FILE_BYTES_MAX = 1 << 20 };

/* ---- one request, on the network thread ---- */

static void *request_new(void *cls, const char *uri, struct MHD_Connection *mhd) {
    struct http_server *s = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_conn *conn = info ? info->socket_context : NULL;
    struct http_ctx *x = conn ? calloc(1, sizeof(*x)) : NULL;
    if (!x)
        return NULL;
    x->server = s;
    x->conn = conn;
    x->req.arena = &x->arena;
    x->uri = arena_str(&x->arena, str_from(uri));
    atomic_fetch_add(&s->active, 1);
    http_conn_set(conn, HTTP_CONN_HEAD, 0);
    return x;
}

static void request_free(void *cls, struct MHD_Connection *mhd, void **con_cls,
                         enum MHD_RequestTerminationCode why) {
    (void)cls;
    (void)mhd;
    (void)why;
    struct http_ctx *x = *con_cls;
    if (!x)
        return;
    *con_cls = NULL;
    struct http_server *s = x->server;
    http_watch_del(x);
    if (x->stream)
        http_stream_detach(x->stream);
    if (x->response)
        MHD_destroy_response(x->response);
    atomic_fetch_sub(&s->bodies_bytes, x->body.cap);
    buf_deinit(&x->body);
    buf_deinit(&x->res.body);
    arena_deinit(&x->arena);
    http_conn_set(x->conn, HTTP_CONN_WAIT, 0);
    free(x);
    atomic_fetch_sub(&s->active, 1);
}

struct header_fill {
    struct http_header *h;
    size_t n;
    bool too_many;
};

static enum MHD_Result header_add(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_n,
                                  const char *value, size_t value_n) {
    (void)kind;
    struct header_fill *f = cls;
    if (f->n == HTTP_HEADERS_MAX) {
        f->too_many =
            true; /* none may be left out unseen: it might say that a proxy is in between */
        return MHD_NO;
    }
    f->h[f->n++] = (struct http_header){{key, key_n}, {value ? value : "", value ? value_n : 0}};
    return MHD_YES;
}

static bool method_matches(const char *route, struct str method) {
    return str_eqz(method, route) || (str_eq(method, STR("HEAD")) && strcmp(route, "GET") == 0);
}

static bool find_route(struct http_ctx *x, struct err *err) {
    const struct http_server_options *o = &x->server->opt;
    struct http_req *r = &x->req;
    struct str allow = {NULL, 0};
    for (size_t i = 0; i < o->n_routes; i++) {
        const struct http_route *route = &o->routes[i];
        if (!http_path_match(route->path, r->raw_path))
            continue;
        if (method_matches(route->method, r->method)) {
            /* A catch-all for GET must not answer for a path whose own route takes other methods
             * only. */
            if (allow.p && route->path[strlen(route->path) - 1] == '*')
                break;
            r->route = route;
            return true;
        }
        if (!allow.p || str_find(allow, str_from(route->method)) == SIZE_MAX)
            allow = arena_printf(r->arena, "%.*s%s%s%s", STR_FMT(allow), allow.n ? ", " : "",
                                 route->method, strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
    }
    if (!allow.p)
        return err_set(err, ERR_NOT_FOUND, "there is nothing at %.*s",
                       STR_FMT(str_sub(r->path, 0, 200)));
    x->allow = allow.p;
    return err_set(err, ERR_BAD_INPUT, "%.*s does not take %.*s; it takes %s",
                   STR_FMT(str_sub(r->path, 0, 200)), STR_FMT(str_sub(r->method, 0, 32)), allow.p);
}

static bool check_head(struct http_ctx *x, struct err *err) {
    struct http_req *r = &x->req;
    if (!http_path_decode(r->raw_path, r->arena, &r->path, err)) {
        r->path = STR("/");
        return false;
    }
    if (x->too_many_headers)
        return err_set(err, ERR_BAD_INPUT, "the request has more than %d headers",
                       HTTP_HEADERS_MAX);
    size_t hosts = 0;
    for (size_t i = 0; i < r->n_headers; i++)
        hosts += str_eq_nocase(r->headers[i].name, STR("host"));
    if (hosts > 1)
        return err_set(err, ERR_BAD_INPUT, "the request has %zu Host headers; expected one", hosts);
    if (!find_route(x, err))
        return false;
    x->body_cap = r->route->body_max ? r->route->body_max : LIMIT_BODY_BYTES;
    struct str length = http_req_header(r, "content-length");
    uint64_t n = 0;
    if (length.p && !str_to_u64(length, &n))
        return err_set(err, ERR_BAD_INPUT, "Content-Length must be a number, not \"%.*s\"",
                       STR_FMT(str_sub(length, 0, 32)));
    if (n > x->body_cap) {
        x->close = n > x->body_cap + HTTP_DISCARD_BYTES_MAX;
        return err_set(
            err, ERR_TOO_LARGE,
            "the body has %llu bytes, more than the limit of %zu for this path; send less at once",
            (unsigned long long)n, x->body_cap);
    }
    x->body.bytes_max = x->body_cap;
    return true;
}

static void fill_head(struct http_ctx *x, struct MHD_Connection *mhd, const char *method,
                      const char *version) {
    struct http_req *r = &x->req;
    struct http_conn *c = x->conn;
    r->method = arena_str(&x->arena, str_from(method));
    size_t q = str_find_char(x->uri, '?');
    r->raw_path = q == SIZE_MAX ? x->uri : str_sub(x->uri, 0, q);
    r->raw_query = q == SIZE_MAX ? (struct str){NULL, 0} : str_from_offset(x->uri, q + 1);
    struct header_fill fill = {ARENA_ARRAY(&x->arena, struct http_header, HTTP_HEADERS_MAX), 0,
                               false};
    if (fill.h)
        (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, header_add, &fill);
    r->headers = fill.h;
    r->n_headers = fill.n;
    r->http_1_0 = strcmp(version, "HTTP/1.1") != 0; /* or less */
    x->too_many_headers = fill.too_many;
    r->peer = str_from(c->peer);
    r->peer_port = c->peer_port;
    r->peer_loopback = c->loopback;
    r->tls = x->server->cert != NULL;
    r->connection = c->id;
    r->connection_data = &c->data;
    r->connection_free = &c->data_free;
}

static enum MHD_Result send_answer(struct http_ctx *x, struct MHD_Connection *mhd) {
    if (!x->response)
        return MHD_NO;
    x->phase = HTTP_DONE;
    http_conn_set(x->conn, x->stream ? HTTP_CONN_STREAM : HTTP_CONN_SEND, x->response_bytes);
    return MHD_queue_response(mhd, x->status, x->response);
}

static enum MHD_Result begin(struct http_ctx *x, struct MHD_Connection *mhd, const char *method,
                             const char *version) {
    fill_head(x, mhd, method, version);
    x->phase = HTTP_READING;
    struct err err = {0};
    if (x->arena.failed)
        (void)arena_err(&x->arena, &err);
    else if (atomic_load(&x->server->stopping))
        (void)err_set(&err, ERR_UNAVAILABLE, "the server is stopping; try again shortly");
    else
        (void)check_head(x, &err);
    x->refused = err;
    http_conn_set(x->conn, HTTP_CONN_BODY, 0);
    if (err.code && x->close) { /* more than anybody should have to read */
        http_answer_refuse(x);
        return send_answer(x, mhd);
    }
    return MHD_YES;
}

/* Room for what has come, and for as much of what Content-Length announces as the sender has
 * earned: four times what it sent, at least a megabyte. An announcement alone must not take the
 * memory that all bodies share. Chunked bodies grow by halves. */
static bool body_room(struct http_ctx *x, size_t more) {
    struct http_server *s = x->server;
    size_t before = x->body.cap;
    if (x->body.n + more < before)
        return true;
    uint64_t n = 0;
    size_t want = more, earned = 4 * (x->body.n + more);
    if (earned < HTTP_BODY_FIRST_BYTES)
        earned = HTTP_BODY_FIRST_BYTES;
    if (str_to_u64(http_req_header(&x->req, "content-length"), &n) && n >= x->body.n + more &&
        n <= x->body_cap)
        want = (n < earned ? (size_t)n : earned) - x->body.n;
    if (x->body.n + more > x->body_cap)
        return err_set(
            &x->refused, ERR_TOO_LARGE,
            "the body has more than the limit of %zu bytes for this path; send less at once",
            x->body_cap);
    if (!buf_reserve(&x->body, want))
        return err_set(&x->refused, ERR_UNAVAILABLE,
                       "out of memory for the request's body; try again shortly");
    if (atomic_fetch_add(&s->bodies_bytes, x->body.cap - before) + (x->body.cap - before) >
        HTTP_BODIES_BYTES_MAX)
        return err_set(&x->refused, ERR_UNAVAILABLE,
                       "too many request bodies are in memory at once; try again shortly");
    return true;
}

static enum MHD_Result body_more(struct http_ctx *x, const char *data, size_t *n) {
    size_t take = *n;
    *n = 0;
    atomic_fetch_add_explicit(&x->conn->bytes, take, memory_order_relaxed);
    if (!x->refused.code && body_room(x, take)) {
        buf_put(&x->body, data, take);
        return MHD_YES;
    }
    x->discarded += take;
    return x->discarded > HTTP_DISCARD_BYTES_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result hand_over(struct http_ctx *x, struct MHD_Connection *mhd) {
    struct http_server *s = x->server;
    enum http_pool pool = x->req.route->pool;
    x->req.body = buf_view(&x->body);
    x->phase = HTTP_WORKING;
    http_conn_set(x->conn, HTTP_CONN_WORK, 0);
    /* Suspended before the worker can see it, since the worker resumes it. */
    MHD_suspend_connection(mhd);
    if (pool != HTTP_POOL_WRITE)
        http_watch_add(x);
    if (!queue_push(&s->queues[pool], x)) {
        http_watch_del(x);
        atomic_fetch_add(&s->refused[pool], 1);
        (void)err_set(&x->refused, ERR_UNAVAILABLE,
                      "too many requests are waiting (%u); try again shortly",
                      s->opt.queue_max[pool]);
        http_answer_refuse(x);
        MHD_resume_connection(mhd);
    }
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_n, void **con_cls) {
    (void)cls;
    (void)url;
    struct http_ctx *x = *con_cls;
    if (!x)
        return MHD_NO;
    switch (x->phase) {
    case HTTP_NEW:
        return begin(x, mhd, method, version);
    case HTTP_READING:
        if (*data_n)
            return body_more(x, data, data_n);
        if (x->refused.code) {
            http_answer_refuse(x);
            return send_answer(x, mhd);
        }
        return hand_over(x, mhd);
    case HTTP_WORKING: /* resumed: the worker is through */
        return send_answer(x, mhd);
    case HTTP_DONE:
        break;
    }
    return MHD_NO;
}

/* ---- workers ---- */

struct worker {
    struct http_server *server;
    enum http_pool pool;
};

static void work(struct http_ctx *x) {
    const struct http_server_options *o = &x->server->opt;
    struct MHD_Connection *mhd = x->conn->mhd;
    struct http_req *r = &x->req;
    if (!atomic_load(&r->canceled)) {
        if (!o->admit || o->admit(o->door_self, r, &x->res))
            r->route->handle(r->route->self, r, &x->res);
        else
            STAT_ADD(hinomi_http_rejected_total, 1);
    } else {
        x->res.status = 499; /* nobody reads it */
    }
    if (o->finish)
        o->finish(o->door_self, r, &x->res);
    http_answer_build(x);
    if (!x->stream)
        http_watch_del(x);
    MHD_resume_connection(mhd); /* x may be gone from here on */
}

static const char *const pool_names[HTTP_POOL_COUNT] = {"http-fast", "http-query", "http-write",
                                                        "http-login"};

static void worker_main(void *arg) {
    struct worker w = *(struct worker *)arg;
    free(arg);
    struct http_ctx *x;
    while ((x = queue_pop(&w.server->queues[w.pool], (dur_t){-1})))
        work(x);
}

static bool workers_start(struct http_server *s, struct err *err) {
    for (int pool = 0; pool < HTTP_POOL_COUNT; pool++) {
        uint32_t n = s->opt.workers[pool];
        s->threads[pool] = calloc(n, sizeof(struct thread));
        if (!s->threads[pool])
            return err_set(err, ERR_INTERNAL, "out of memory for %u workers", n);
        for (uint32_t i = 0; i < n; i++) {
            struct worker *w = calloc(1, sizeof(*w));
            if (!w)
                return err_set(err, ERR_INTERNAL, "out of memory for a worker");
            *w = (struct worker){s, (enum http_pool)pool};
            if (!thread_start(&s->threads[pool][i], pool_names[pool], worker_main, w, err)) {
                free(w);
                return false;
            }
            s->n_threads[pool]++;
        }
    }
    return true;
}

/* ---- connections ---- */

static void set_peer(struct http_conn *c, const struct sockaddr *sa) {
    if (sa && sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        (void)inet_ntop(AF_INET, &in.sin_addr, c->peer, sizeof(c->peer));
        c->peer_port = ntohs(in.sin_port);
        c->loopback = (ntohl(in.sin_addr.s_addr) >> 24) == 127;
    } else if (sa && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, sa, sizeof(in));
        c->peer_port = ntohs(in.sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
            (void)inet_ntop(AF_INET, in.sin6_addr.s6_addr + 12, c->peer, sizeof(c->peer));
            c->loopback = in.sin6_addr.s6_addr[12] == 127;
        } else {
            (void)inet_ntop(AF_INET6, &in.sin6_addr, c->peer, sizeof(c->peer));
            c->loopback = IN6_IS_ADDR_LOOPBACK(&in.sin6_addr);
        }
    }
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode what) {
    struct http_server *s = cls;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*socket_context)
            http_watch_conn_free(*socket_context);
        *socket_context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *addr =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct http_conn *c = fd ? http_watch_conn_new(s, fd->connect_fd) : NULL;
    if (c) {
        c->mhd = mhd;
        set_peer(c, addr ? addr->client_addr : NULL);
    }
    *socket_context = c;
}

/* ---- start and stop ---- */

static size_t leave_encoded(void *cls, struct MHD_Connection *mhd, char *s) {
    (void)cls;
    (void)mhd;
    return strlen(s); /* http_url.c decodes, once and where it is used */
}

static void mhd_log(void *cls, const char *fmt, va_list ap) {
    (void)cls;
    char line[256];
    if (vsnprintf(line, sizeof(line), fmt, ap) < 0)
        return;
    line[strcspn(line, "\n")] = 0;
    log_debug("http", "%s",
              line); /* what clients do wrong: not for the operator's eye by default */
}

static void fd_limit_raise(struct http_server *s) {
    struct rlimit l;
    rlim_t want = s->opt.connections_max + 1024;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= want)
        return;
    l.rlim_cur = l.rlim_max < want ? l.rlim_max : want;
    if (setrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < want) {
        s->opt.connections_max = l.rlim_cur > 256 ? (uint32_t)(l.rlim_cur - 128) : 64;
        log_warn(
            "http",
            "at most %u connections: the limit on open files is %llu (ulimit -Hn, LimitNOFILE)",
            s->opt.connections_max, (unsigned long long)l.rlim_cur);
    }
}

static bool read_pem(const char *path, char **out, struct err *err) {
    struct buf b = BUF_INIT;
    if (!file_read(path, TLS_FILE_BYTES_MAX, &b, err)) {
        buf_deinit(&b);
        return err_prefix(err, "TLS certificate or key");
    }
    *out = buf_take(&b, NULL);
    return *out || err_set(err, ERR_BAD_INPUT, "%s is empty; expected a PEM file", path);
}

static bool daemon_start(struct http_server *s, struct err *err) {
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, s->cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, s->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0,
         (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"},
        {MHD_OPTION_END, 0, NULL}};
    if (s->cert)
        flags |= MHD_USE_TLS;
    else
        tls[0].option = MHD_OPTION_END;
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, mhd_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, s->listen_fd, MHD_OPTION_CONNECTION_LIMIT, s->opt.connections_max,
        MHD_OPTION_CONNECTION_TIMEOUT, s->opt.idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)LIMIT_HEADER_BYTES, MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)8192,
        MHD_OPTION_URI_LOG_CALLBACK, request_new, s, MHD_OPTION_NOTIFY_COMPLETED, request_free, s,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded,
        NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    return s->daemon ||
           err_set(
               err, ERR_UNAVAILABLE, "cannot start the HTTP server on %s%s", s->opt.listen.address,
               s->cert
                   ? "; check that the TLS certificate and key are PEM files that belong together"
                   : "");
}

static void options_fill(struct http_server *s, const struct http_server_options *opt) {
    s->opt = *opt;
    for (int i = 0; i < HTTP_POOL_COUNT; i++) {
        if (!s->opt.workers[i])
            s->opt.workers[i] = POOL_WORKERS_DEFAULT;
        if (!s->opt.queue_max[i])
            s->opt.queue_max[i] = POOL_QUEUE_DEFAULT;
    }
    if (!s->opt.connections_max)
        s->opt.connections_max = LIMIT_HTTP_CONNECTIONS;
    if (!s->opt.idle_timeout_s)
        s->opt.idle_timeout_s = LIMIT_HTTP_IDLE_S;
    if (!s->opt.clock)
        s->opt.clock = clock_system();
    s->listen_fd = s->epoll_fd = s->wake_fd = -1;
}

static bool server_start(struct http_server *s, struct err *err) {
    const struct http_listener *l = &s->opt.listen;
    if (!http_listen(l->address, &s->listen_fd, &s->port, err))
        return false;
    if (l->tls_cert && !(read_pem(l->tls_cert, &s->cert, err) &&
                         read_pem(l->tls_key ? l->tls_key : l->tls_cert, &s->key, err)))
        return false;
    fd_limit_raise(s);
    for (int i = 0; i < HTTP_POOL_COUNT; i++)
        if (!queue_init(&s->queues[i], s->opt.queue_max[i], err))
            return false;
    return http_watch_start(s, err) && workers_start(s, err) && daemon_start(s, err);
}

struct http_server *http_server_new(const struct http_server_options *opt, struct err *err) {
    struct http_server *s = calloc(1, sizeof(*s));
    if (!s) {
        (void)err_set(err, ERR_INTERNAL, "out of memory for the HTTP server");
        return NULL;
    }
    options_fill(s, opt);
    mutex_init(&s->lock);
    if (!server_start(s, err)) {
        http_server_free(s, DUR_MS(0));
        return NULL;
    }
    return s;
}

uint16_t http_server_port(const struct http_server *s) {
    return s->port;
}

void http_server_queue(struct http_server *s, enum http_pool pool, struct http_queue_info *out) {
    *out = (struct http_queue_info){.name = pool_names[pool],
                                    .length = queue_length(&s->queues[pool]),
                                    .capacity = s->opt.queue_max[pool],
                                    .refused = atomic_load(&s->refused[pool])};
}

static void end_stream(struct http_conn *c) {
    if (c->watched && c->watched->stream)
        http_stream_end(c->watched->stream);
}

static void cancel(struct http_conn *c) {
    if (c->watched) {
        atomic_store(&c->watched->req.canceled, true);
        if (c->watched->stream)
            http_stream_abort(c->watched->stream);
    }
    enum http_conn_state state = (enum http_conn_state)atomic_load(&c->state);
    if (state != HTTP_CONN_WORK)
        (void)shutdown(c->fd, SHUT_RDWR);
}

static bool wait_idle(struct http_server *s, int64_t at_most_ms) {
    struct mutex m = MUTEX_INIT;
    struct cond c;
    cond_init(&c);
    mutex_lock(&m);
    int64_t until = clock_mono_ms(clock_system()) + at_most_ms;
    while (atomic_load(&s->active) > 0 && clock_mono_ms(clock_system()) < until)
        (void)cond_wait_for(&c, &m, DUR_MS(2));
    mutex_unlock(&m);
    cond_deinit(&c);
    return atomic_load(&s->active) == 0;
}

static void drain(struct http_server *s, dur_t grace) {
    atomic_store(&s->stopping, true);
    (void)MHD_quiesce_daemon(s->daemon);
    http_watch_each(s, end_stream);
    if (wait_idle(s, grace.ns / 1000000))
        return;
    /* Handlers look at `canceled`; one that does not is waited for: its request is acknowledged or
     * not. */
    do {
        http_watch_each(s, cancel);
    } while (!wait_idle(s, 200));
}

void http_server_free(struct http_server *s, dur_t grace) {
    if (!s)
        return;
    if (s->daemon)
        drain(s, grace);
    for (int i = 0; i < HTTP_POOL_COUNT; i++) {
        if (s->queues[i].items)
            queue_close(&s->queues[i]);
        for (uint32_t k = 0; k < s->n_threads[i]; k++)
            thread_join(&s->threads[i][k]);
        free(s->threads[i]);
        queue_deinit(&s->queues[i]);
    }
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    http_watch_stop(s);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    mutex_deinit(&s->lock);
    free(s->cert);
    free(s->key);
    free(s);
}
