/* Connections, their hang-ups and their slowness. libmicrohttpd takes a suspended connection out of
 * its own epoll set, so that nobody would notice that its client left; this set watches those. */
#include "net/http_internal.h"

#include "base/limits.h"
#include "base/stats.h"
#include "os/clock.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t now_ms(const struct http_server *s) {
    return clock_mono_ms(s->opt.clock);
}

void http_conn_set(struct http_conn *c, enum http_conn_state state, uint64_t bytes) {
    atomic_store_explicit(&c->bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&c->since_ms, now_ms(c->server), memory_order_relaxed);
    atomic_store_explicit(&c->state, (int)state, memory_order_release);
}

static uint64_t slot_token(const struct http_server *s, const struct http_conn *c) {
    return (uint64_t)s->slots[c->slot].generation << 32 | c->slot;
}

struct http_conn *http_watch_conn_new(struct http_server *s, int fd) {
    struct http_conn *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->server = s;
    c->fd = fd;
    mutex_lock(&s->lock);
    uint32_t slot = s->slot_free;
    if (slot == UINT32_MAX) {
        mutex_unlock(&s->lock);
        free(c);
        return NULL;
    }
    s->slot_free = s->slots[slot].next_free;
    s->slots[slot].conn = c;
    s->slots[slot].generation++;
    c->slot = slot;
    c->id = ++s->next_id;
    mutex_unlock(&s->lock);
    http_conn_set(c, HTTP_CONN_WAIT, 0);
    STAT_ADD(hinomi_http_connections, 1);
    return c;
}

void http_watch_conn_free(struct http_conn *c) {
    struct http_server *s = c->server;
    mutex_lock(&s->lock);
    s->slots[c->slot].conn = NULL;
    s->slots[c->slot].next_free = s->slot_free;
    s->slot_free = c->slot;
    mutex_unlock(&s->lock);
    if (c->data && c->data_free)
        c->data_free(c->data);
    free(c);
    STAT_ADD(hinomi_http_connections, -1);
}

void http_watch_add(struct http_ctx *x) {
    struct http_server *s = x->server;
    mutex_lock(&s->lock);
    x->conn->watched = x;
    struct epoll_event ev = {.events = EPOLLRDHUP | EPOLLONESHOT,
                             .data.u64 = slot_token(s, x->conn)};
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, x->conn->fd, &ev) != 0)
        x->conn->watched =
            NULL; /* no memory for it: then a hang-up is noticed when the answer is sent */
    mutex_unlock(&s->lock);
}

void http_watch_del(struct http_ctx *x) {
    struct http_server *s = x->server;
    mutex_lock(&s->lock);
    if (x->conn->watched == x) {
        x->conn->watched = NULL;
        (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, x->conn->fd, NULL);
    }
    mutex_unlock(&s->lock);
}

void http_watch_each(struct http_server *s, void (*fn)(struct http_conn *c)) {
    mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->n_slots; i++)
        if (s->slots[i].conn)
            fn(s->slots[i].conn);
    mutex_unlock(&s->lock);
}

static void hung_up(struct http_server *s, uint64_t token) {
    uint32_t slot = (uint32_t)token;
    mutex_lock(&s->lock);
    struct http_conn *c = slot < s->n_slots ? s->slots[slot].conn : NULL;
    if (c && s->slots[slot].generation == (uint32_t)(token >> 32) && c->watched) {
        atomic_store(&c->watched->req.canceled, true);
        if (c->watched->stream)
            http_stream_abort(c->watched->stream);
    }
    mutex_unlock(&s->lock);
}

static void cut_if_slow(struct http_conn *c) {
    struct http_server *s = c->server;
    int64_t idle = (int64_t)s->opt.idle_timeout_s * 1000, grace = idle < 30000 ? idle : 30000;
    int state = atomic_load_explicit(&c->state, memory_order_acquire);
    int64_t age = now_ms(s) - atomic_load_explicit(&c->since_ms, memory_order_relaxed),
            most = INT64_MAX;
    int64_t earned =
        (int64_t)(atomic_load_explicit(&c->bytes, memory_order_relaxed) / HTTP_SLOW_BYTES_PER_MS);
    switch ((enum http_conn_state)state) {
    case HTTP_CONN_WAIT: /* a silent one is closed by libmicrohttpd; this one drips bytes */
        most = idle + 2000;
        break;
    case HTTP_CONN_HEAD:
        most = grace;
        break;
    case HTTP_CONN_BODY:
        most = grace + earned;
        break;
    case HTTP_CONN_SEND:
        most = 2 * grace + earned;
        break;
    case HTTP_CONN_WORK:
    case HTTP_CONN_STREAM:
        break;
    }
    if (age > most)
        (void)shutdown(c->fd, SHUT_RDWR);
}

static void watch_main(void *arg) {
    struct http_server *s = arg;
    int64_t swept = now_ms(s);
    for (;;) {
        struct epoll_event ev[64];
        int n = epoll_wait(s->epoll_fd, ev, 64, 1000);
        if (n < 0 && errno != EINTR)
            return;
        for (int i = 0; i < n; i++) {
            if (ev[i].data.u64 == UINT64_MAX)
                return;
            hung_up(s, ev[i].data.u64);
        }
        if (now_ms(s) - swept >= 1000) {
            swept = now_ms(s);
            http_watch_each(s, cut_if_slow);
        }
    }
}

bool http_watch_start(struct http_server *s, struct err *err) {
    s->n_slots = s->opt.connections_max + 64;
    s->slots = calloc(s->n_slots, sizeof(*s->slots));
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!s->slots || s->epoll_fd < 0 || s->wake_fd < 0)
        return err_sys(err, ERR_UNAVAILABLE, errno, "cannot watch connections");
    for (uint32_t i = 0; i < s->n_slots; i++)
        s->slots[i].next_free = i + 1 < s->n_slots ? i + 1 : UINT32_MAX;
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->wake_fd, &ev) != 0)
        return err_sys(err, ERR_UNAVAILABLE, errno, "cannot watch connections");
    return thread_start(&s->watcher, "http-watch", watch_main, s, err);
}

void http_watch_stop(struct http_server *s) {
    if (s->watcher.started) {
        uint64_t one = 1;
        ssize_t n = write(s->wake_fd, &one, sizeof(one));
        assert(n == sizeof(one));
        thread_join(&s->watcher);
    }
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    free(s->slots);
    s->slots = NULL;
}
