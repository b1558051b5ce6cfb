/* Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html. Writers
 * append to the backlog from any thread; the network thread drains it, and suspends the connection
 * while it is empty. */
#include "net/http_internal.h"

#include <stdlib.h>
#include <sys/socket.h>

enum { STREAM_BLOCK_BYTES = 16 << 10 };

struct http_stream *http_res_stream_sse(struct http_req *r, struct http_res *res) {
    struct http_ctx *x = (struct http_ctx *)r; /* req is its first member */
    struct http_stream *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    mutex_init(&s->lock);
    s->backlog = BUF_INIT_MAX(2 * HTTP_STREAM_BACKLOG_BYTES); /* half of it may be sent already */
    s->users = 1;
    s->ctx = x;
    x->stream = res->stream = s;
    http_res_header(r, res, "Content-Type", STR("text/event-stream"));
    http_res_header(r, res, "Cache-Control", STR("no-store"));
    http_res_header(r, res, "X-Accel-Buffering",
                    STR("no")); /* nginx in front must not hold events back */
    return s;
}

static void wake(struct http_stream *s) /* lock held */
{
    if (s->suspended && s->ctx) {
        s->suspended = false;
        MHD_resume_connection(s->ctx->conn->mhd);
    }
}

static void kill_reader(struct http_stream *s) /* lock held */
{
    s->dead = true;
    if (s->ctx) {
        atomic_store(&s->ctx->req.canceled, true);
        (void)shutdown(s->ctx->conn->fd, SHUT_RDWR); /* ends a write that waits for the reader */
    }
    wake(s);
}

static ssize_t stream_read(void *cls, uint64_t pos, char *out, size_t max) {
    (void)pos;
    struct http_stream *s = cls;
    mutex_lock(&s->lock);
    size_t left = s->backlog.n - s->sent, n = left < max ? left : max;
    ssize_t result = (ssize_t)n;
    if (s->dead) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (n) {
        memcpy(out, s->backlog.p + s->sent, n);
        s->sent += n;
        if (s->sent == s->backlog.n) {
            buf_reset(&s->backlog);
            s->sent = 0;
        }
    } else if (s->ended || s->users == 0) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (s->ctx) {
        s->suspended = true;
        MHD_suspend_connection(s->ctx->conn->mhd);
    }
    mutex_unlock(&s->lock);
    return result;
}

struct MHD_Response *http_stream_response(struct http_ctx *x) {
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, stream_read,
                                             x->stream, NULL);
}

static bool begin(struct http_stream *s, size_t more) {
    mutex_lock(&s->lock);
    if (!s->ctx || s->dead || s->ended)
        return false;
    if (s->sent && s->sent >= s->backlog.n / 2) { /* forget what was sent */
        s->backlog.n -= s->sent;
        memmove(s->backlog.p, s->backlog.p + s->sent, s->backlog.n);
        s->sent = 0;
    }
    if (s->backlog.n - s->sent + more > HTTP_STREAM_BACKLOG_BYTES) {
        kill_reader(s);
        return false;
    }
    return true;
}

static bool end(struct http_stream *s, bool ok) {
    if (ok && !buf_ok(&s->backlog)) {
        kill_reader(s);
        ok = false;
    }
    if (ok)
        wake(s);
    mutex_unlock(&s->lock);
    return ok;
}

bool http_stream_send_raw(struct http_stream *s, struct str frame) {
    bool ok = begin(s, frame.n);
    if (ok)
        buf_puts(&s->backlog, frame);
    return end(s, ok);
}

bool http_stream_send(struct http_stream *s, struct str event, struct str data) {
    bool ok = begin(s, event.n + data.n + 32);
    if (ok && event.n) {
        buf_putz(&s->backlog, "event: ");
        buf_puts(&s->backlog, event);
        buf_putc(&s->backlog, '\n');
    }
    struct str line;
    while (ok && str_next(&data, '\n', &line)) {
        buf_putz(&s->backlog, "data: ");
        buf_puts(&s->backlog, line);
        buf_putc(&s->backlog, '\n');
    }
    if (ok)
        buf_putc(&s->backlog, '\n');
    return end(s, ok);
}

bool http_stream_alive(struct http_stream *s) {
    mutex_lock(&s->lock);
    bool alive = s->ctx && !s->dead && !s->ended;
    mutex_unlock(&s->lock);
    return alive;
}

static void free_if_unused(struct http_stream *s) /* lock held; releases it */
{
    bool last = s->users == 0 && !s->ctx;
    mutex_unlock(&s->lock);
    if (!last)
        return;
    mutex_deinit(&s->lock);
    buf_deinit(&s->backlog);
    free(s);
}

void http_stream_unref(struct http_stream *s) {
    if (!s)
        return;
    mutex_lock(&s->lock);
    s->users--;
    if (s->users == 0)
        wake(s);
    free_if_unused(s);
}

void http_stream_detach(struct http_stream *s) {
    mutex_lock(&s->lock);
    s->ctx = NULL;
    free_if_unused(s);
}

void http_stream_abort(struct http_stream *s) {
    mutex_lock(&s->lock);
    s->dead = true;
    wake(s);
    mutex_unlock(&s->lock);
}

void http_stream_end(struct http_stream *s) {
    mutex_lock(&s->lock);
    s->ended = true;
    wake(s);
    mutex_unlock(&s->lock);
}
