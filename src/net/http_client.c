#include "net/http_client.h"

#include "base/limits.h"
#include "os/thread.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <curl/curl.h>

/* Requests under way or waiting; a caller that starts more is told so (each costs about 50 kB). */
enum {
    CALLS_MAX = 4096,
    IDLE_HANDLES_MAX = 256,
    CONNECTIONS_KEPT = 1024,
    TIMEOUT_DEFAULT_MS = 10000
};
enum { HEADERS_MAX = 200, REDIRECTS_MAX = 10, IDLE_POLL_MS = 60000 };
#define HEADERS_BYTES_MAX ((size_t)256 << 10)

struct call {
    struct call *next, *prev; /* pending: next only; active: both */
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    struct http_reply reply;
    struct str host; /* host:port for messages: the rest of a URL may be a secret */
    size_t header_bytes;
    int64_t timeout_ms;
    bool too_large;
    void (*done)(void *arg, struct http_reply *r);
    void *arg;
    char curl_says[CURL_ERROR_SIZE];
};

struct http_client {
    CURLM *multi;
    struct thread thread;
    struct mutex lock; /* pending, n_calls, stopping, idle */
    struct call *pending, **pending_tail;
    size_t n_calls;
    bool stopping;
    CURL *idle[IDLE_HANDLES_MAX];
    size_t n_idle;
    struct call *active; /* the thread's own */
};

struct str http_reply_header(const struct http_reply *r, const char *name) {
    for (size_t i = 0; i < r->n_headers; i++)
        if (str_eq_nocase(r->headers[i].name, str_from(name)))
            return r->headers[i].value;
    return (struct str){NULL, 0};
}

void http_reply_deinit(struct http_reply *r) {
    buf_deinit(&r->body);
    arena_deinit(&r->arena);
    *r = (struct http_reply){0};
}

/* ---- libcurl's callbacks ---- */

static size_t on_body(char *data, size_t one, size_t n, void *arg) {
    (void)one;
    struct call *c = arg;
    struct buf *b = &c->reply.body;
    if (b->n == 0) { /* grown once when the length is known */
        curl_off_t length = -1;
        if (curl_easy_getinfo(c->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK &&
            length > 0 && (uint64_t)length <= b->bytes_max)
            (void)buf_reserve(b, (size_t)length);
    }
    if (n > b->bytes_max - b->n) {
        c->too_large = true;
        return 0;
    }
    buf_put(b, data, n);
    return buf_ok(b) ? n : 0;
}

static size_t on_header(char *data, size_t one, size_t n, void *arg) {
    (void)one;
    struct call *c = arg;
    struct http_reply *r = &c->reply;
    struct str line = str_trim(str_make(data, n));
    if (str_starts(line, STR("HTTP/"))) { /* a new answer: a redirect or 100 came before */
        r->n_headers = 0;
        return n;
    }
    size_t colon = str_find_char(line, ':');
    c->header_bytes += n;
    if (c->header_bytes > HEADERS_BYTES_MAX)
        return 0;
    if (colon == SIZE_MAX || r->n_headers == HEADERS_MAX)
        return n;
    if (!r->headers)
        r->headers = ARENA_ARRAY(&r->arena, struct http_header, HEADERS_MAX);
    char *name = arena_strz(&r->arena, str_sub(line, 0, colon));
    struct str value = arena_str(&r->arena, str_trim(str_from_offset(line, colon + 1)));
    if (!r->headers || !name || !value.p)
        return 0;
    for (size_t i = 0; i < colon; i++)
        if (name[i] >= 'A' && name[i] <= 'Z')
            name[i] = (char)(name[i] - 'A' + 'a');
    r->headers[r->n_headers++] = (struct http_header){{name, colon}, value};
    return n;
}

/* ---- making a request ---- */

static bool add_header(struct call *c, struct str name, struct str value, struct err *err) {
    for (size_t i = 0; i < name.n + value.n; i++) {
        char ch = i < name.n ? name.p[i] : value.p[i - name.n];
        if (ch == '\r' || ch == '\n' || ch == 0 || (i < name.n && ch == ':'))
            return err_set(
                err, ERR_BAD_INPUT,
                "a header to send has a line break or another character that it must not have");
    }
    /* "Name;" is libcurl's way to send a header without a value */
    struct str line = value.n ? arena_printf(&c->reply.arena, "%.*s: %.*s", (int)name.n, name.p,
                                             (int)value.n, value.p)
                              : arena_printf(&c->reply.arena, "%.*s;", (int)name.n, name.p);
    struct curl_slist *list = line.p ? curl_slist_append(c->headers, line.p) : NULL;
    if (!list)
        return err_set(err, ERR_INTERNAL, "out of memory for a request");
    c->headers = list;
    return true;
}

struct url_parts {
    char *host, *port, *full;
};

static void url_parts_free(struct url_parts *p) {
    curl_free(p->host);
    curl_free(p->port);
    curl_free(p->full);
}

/* TLS to a name other than the URL's (server_name): the URL gets that name, the connection goes to
 * the real host, and the Host header stays what it was. */
static bool rename_host(CURLU *u, const struct http_call *call, struct call *c,
                        const struct url_parts *p, struct err *err) {
    struct str to = arena_printf(&c->reply.arena, "::%s:%s", p->host, p->port);
    c->connect_to = to.p ? curl_slist_append(NULL, to.p) : NULL;
    if (!c->connect_to || curl_url_set(u, CURLUPART_HOST, call->server_name, 0) != CURLUE_OK)
        return err_set(err, ERR_BAD_INPUT, "server_name \"%s\" is not a host name",
                       call->server_name);
    return add_header(c, STR("Host"), c->host, err);
}

static bool take_url(const struct http_call *call, struct call *c, struct url_parts *p,
                     struct err *err) {
    CURLU *u = curl_url();
    char *scheme = NULL;
    bool ok = u &&
              curl_url_set(u, CURLUPART_URL, call->url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
              curl_url_get(u, CURLUPART_HOST, &p->host, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_PORT, &p->port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    if (!ok)
        (void)err_set(err, ERR_BAD_INPUT,
                      "a URL is not valid; expected http://HOST[:PORT]/... or https://...");
    if (ok) {
        c->host = arena_printf(&c->reply.arena, "%s:%s", p->host, p->port);
        if (call->server_name && call->server_name[0])
            ok = rename_host(u, call, c, p, err);
        if (ok && curl_url_get(u, CURLUPART_URL, &p->full, 0) != CURLUE_OK)
            ok = err_set(err, ERR_INTERNAL, "out of memory for a request");
    }
    curl_free(scheme);
    curl_url_cleanup(u);
    return ok;
}

static void set_method(CURL *e, const struct http_call *call) {
    const char *method = call->method ? call->method : "GET";
    if (strcmp(method, "HEAD") == 0) {
        (void)curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        return;
    }
    if (call->body.n || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        (void)curl_easy_setopt(e, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
        (void)curl_easy_setopt(e, CURLOPT_COPYPOSTFIELDS, call->body.n ? call->body.p : "");
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0)
        (void)curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
    else if (call->body.n && strcmp(method, "GET") == 0)
        (void)curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, "GET");
}

static void set_tls_and_auth(CURL *e, const struct http_call *call) {
    (void)curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (call->ca_file)
        (void)curl_easy_setopt(e, CURLOPT_CAINFO, call->ca_file);
    if (call->cert_file)
        (void)curl_easy_setopt(e, CURLOPT_SSLCERT, call->cert_file);
    if (call->key_file)
        (void)curl_easy_setopt(e, CURLOPT_SSLKEY, call->key_file);
    if (call->insecure_skip_verify) {
        (void)curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (call->user) {
        (void)curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        (void)curl_easy_setopt(e, CURLOPT_USERNAME, call->user);
        (void)curl_easy_setopt(e, CURLOPT_PASSWORD, call->password ? call->password : "");
    } else if (call->bearer) {
        /* libcurl does not take it along when a redirect leads to another host */
        (void)curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        (void)curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, call->bearer);
    }
}

static bool set_all(const struct http_call *call, struct call *c, struct err *err) {
    CURL *e = c->easy;
    struct url_parts parts = {0};
    bool ok = take_url(call, c, &parts, err);
    for (size_t i = 0; ok && i < call->n_headers; i++)
        ok = add_header(c, call->headers[i].name, call->headers[i].value, err);
    if (ok) {
        /* no "Expect: 100-continue": it costs a round trip, and some receivers never answer it */
        struct curl_slist *list = curl_slist_append(c->headers, "Expect:");
        ok = list != NULL || err_set(err, ERR_INTERNAL, "out of memory for a request");
        c->headers = list ? list : c->headers;
    }
    if (ok) {
        (void)curl_easy_setopt(e, CURLOPT_URL, parts.full);
        (void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
        (void)curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
        (void)curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, call->follow_redirects ? 1L : 0L);
        (void)curl_easy_setopt(e, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
        (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
        (void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)c->timeout_ms);
        (void)curl_easy_setopt(e, CURLOPT_USERAGENT, "hinomi/" HINOMI_VERSION);
        (void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers);
        (void)curl_easy_setopt(e, CURLOPT_CONNECT_TO, c->connect_to);
        /* "": the environment's http_proxy is not obeyed behind the configuration's back */
        (void)curl_easy_setopt(e, CURLOPT_PROXY, call->proxy ? call->proxy : "");
        (void)curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, call->unix_socket);
        (void)curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, call->accept_compressed ? "gzip" : NULL);
        (void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->curl_says);
        (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
        (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
        (void)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
        (void)curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
        (void)curl_easy_setopt(e, CURLOPT_PRIVATE, c);
        (void)curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 65536L);
        set_method(e, call);
        set_tls_and_auth(e, call);
    }
    url_parts_free(&parts);
    return ok;
}

static void call_free(struct http_client *cl, struct call *c) {
    if (c->easy) {
        curl_easy_reset(c->easy);
        mutex_lock(&cl->lock);
        bool keep = cl->n_idle < IDLE_HANDLES_MAX && !cl->stopping;
        if (keep)
            cl->idle[cl->n_idle++] = c->easy;
        mutex_unlock(&cl->lock);
        if (!keep)
            curl_easy_cleanup(c->easy);
    }
    curl_slist_free_all(c->headers);
    curl_slist_free_all(c->connect_to);
    http_reply_deinit(&c->reply);
    free(c);
}

static CURL *easy_get(struct http_client *cl) {
    mutex_lock(&cl->lock);
    CURL *e = cl->n_idle ? cl->idle[--cl->n_idle] : NULL;
    mutex_unlock(&cl->lock);
    return e ? e : curl_easy_init();
}

bool http_client_start(struct http_client *cl, const struct http_call *call,
                       void (*done)(void *arg, struct http_reply *r), void *arg, struct err *err) {
    struct call *c = calloc(1, sizeof(*c));
    if (!c)
        return err_set(err, ERR_INTERNAL, "out of memory for a request");
    c->done = done;
    c->arg = arg;
    c->timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : TIMEOUT_DEFAULT_MS;
    c->reply.body.bytes_max = call->body_max ? call->body_max : LIMIT_SCRAPE_BODY_BYTES;
    c->easy = easy_get(cl);
    if (!c->easy) {
        call_free(cl, c);
        return err_set(err, ERR_INTERNAL, "out of memory for a request");
    }
    if (!set_all(call, c, err)) {
        call_free(cl, c);
        return false;
    }
    mutex_lock(&cl->lock);
    bool stopping = cl->stopping, full = cl->n_calls >= CALLS_MAX;
    if (!stopping && !full) {
        cl->n_calls++;
        *cl->pending_tail = c;
        cl->pending_tail = &c->next;
    }
    mutex_unlock(&cl->lock);
    if (stopping || full) {
        call_free(cl, c);
        return stopping ? err_set(err, ERR_CANCELED, "hinomi is stopping")
                        : err_set(err, ERR_UNAVAILABLE, "too many outgoing requests at once (%d)",
                                  CALLS_MAX);
    }
    (void)curl_multi_wakeup(cl->multi);
    return true;
}

/* ---- the thread ---- */

static void explain(struct call *c, CURLcode rc) {
    struct err *err = &c->reply.err;
    long os = 0;
    (void)curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &os);
    const char *host = c->host.p ? c->host.p : "the host";
    if (c->too_large) {
        (void)err_set(err, ERR_TOO_LARGE, "the answer of %s is larger than the limit of %zu bytes",
                      host, c->reply.body.bytes_max);
        return;
    }
    switch ((int)rc) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        (void)err_set(err, ERR_UNAVAILABLE, "the name of %s was not found: %s", host, c->curl_says);
        return;
    case CURLE_COULDNT_CONNECT:
        if (os)
            (void)err_sys(err, ERR_UNAVAILABLE, (int)os, "cannot connect to %s", host);
        else
            (void)err_set(err, ERR_UNAVAILABLE, "cannot connect to %s: %s", host, c->curl_says);
        return;
    case CURLE_OPERATION_TIMEDOUT:
        (void)err_set(err, ERR_TIMEOUT, "%s did not answer within %g s", host,
                      (double)c->timeout_ms / 1000.0);
        return;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        (void)err_set(err, ERR_UNAVAILABLE, "TLS with %s failed: %s", host, c->curl_says);
        return;
    case CURLE_GOT_NOTHING:
        (void)err_set(err, ERR_UNAVAILABLE, "%s closed the connection without an answer", host);
        return;
    case CURLE_TOO_MANY_REDIRECTS:
        (void)err_set(err, ERR_UNAVAILABLE, "%s redirects more than %d times", host, REDIRECTS_MAX);
        return;
    case CURLE_PARTIAL_FILE:
        (void)err_set(err, ERR_UNAVAILABLE, "%s closed the connection in the middle of its answer",
                      host);
        return;
    case CURLE_BAD_CONTENT_ENCODING:
        (void)err_set(err, ERR_BAD_INPUT, "%s sent a compressed answer that is damaged", host);
        return;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        (void)err_set(err, ERR_BAD_INPUT, "%s did not answer in HTTP", host);
        return;
    default:
        (void)err_set(err, ERR_UNAVAILABLE, "the request to %s failed: %s", host,
                      c->curl_says[0] ? c->curl_says : curl_easy_strerror(rc));
    }
}

static double seconds(CURL *e, CURLINFO what) {
    curl_off_t us = 0;
    (void)curl_easy_getinfo(e, what, &us);
    return (double)us / 1e6;
}

static void finish(struct http_client *cl, struct call *c, CURLcode rc) {
    struct http_reply *r = &c->reply;
    long status = 0;
    if (rc == CURLE_OK) {
        (void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
        r->status = (int)status;
    } else if (rc == CURLE_ABORTED_BY_CALLBACK) {
        (void)err_set(&r->err, ERR_CANCELED, "hinomi is stopping");
    } else {
        explain(c, rc);
    }
    r->name_s = seconds(c->easy, CURLINFO_NAMELOOKUP_TIME_T);
    r->connect_s = seconds(c->easy, CURLINFO_CONNECT_TIME_T);
    r->tls_s = seconds(c->easy, CURLINFO_APPCONNECT_TIME_T);
    r->first_byte_s = seconds(c->easy, CURLINFO_STARTTRANSFER_TIME_T);
    r->total_s = seconds(c->easy, CURLINFO_TOTAL_TIME_T);
    mutex_lock(&cl->lock);
    cl->n_calls--;
    mutex_unlock(&cl->lock);
    c->done(c->arg, r);
    call_free(cl, c);
}

static void activate(struct http_client *cl, struct call *c) {
    if (curl_multi_add_handle(cl->multi, c->easy) != CURLM_OK) {
        finish(cl, c, CURLE_OUT_OF_MEMORY);
        return;
    }
    c->prev = NULL;
    c->next = cl->active;
    if (cl->active)
        cl->active->prev = c;
    cl->active = c;
}

static void deactivate(struct http_client *cl, struct call *c) {
    (void)curl_multi_remove_handle(cl->multi, c->easy);
    if (c->prev)
        c->prev->next = c->next;
    else
        cl->active = c->next;
    if (c->next)
        c->next->prev = c->prev;
}

static struct call *take_pending(struct http_client *cl, bool *out_stop) {
    mutex_lock(&cl->lock);
    struct call *list = cl->pending;
    cl->pending = NULL;
    cl->pending_tail = &cl->pending;
    *out_stop = cl->stopping;
    mutex_unlock(&cl->lock);
    return list;
}

static void drive(struct http_client *cl) {
    int running = 0, left = 0;
    (void)curl_multi_perform(cl->multi, &running);
    CURLMsg *m;
    while ((m = curl_multi_info_read(cl->multi, &left))) {
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode rc = m->data.result;
        struct call *c = NULL;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        deactivate(cl, c);
        finish(cl, c, rc);
    }
}

static void client_main(void *arg) {
    struct http_client *cl = arg;
    bool stop = false;
    while (!stop) {
        struct call *list = take_pending(cl, &stop), *c;
        while ((c = list)) {
            list = c->next;
            if (stop)
                finish(cl, c, CURLE_ABORTED_BY_CALLBACK);
            else
                activate(cl, c);
        }
        if (stop)
            break;
        drive(cl);
        (void)curl_multi_poll(cl->multi, NULL, 0, IDLE_POLL_MS, NULL);
    }
    while (cl->active) {
        struct call *c = cl->active;
        deactivate(cl, c);
        finish(cl, c, CURLE_ABORTED_BY_CALLBACK);
    }
}

/* ---- life ---- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static void curl_start(void) {
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http_client *http_client_new(struct err *err) {
    (void)pthread_once(&curl_once, curl_start);
    struct http_client *cl = calloc(1, sizeof(*cl));
    CURLM *multi = cl ? curl_multi_init() : NULL;
    if (!multi) {
        free(cl);
        (void)err_set(err, ERR_INTERNAL, "out of memory for the HTTP client");
        return NULL;
    }
    cl->multi = multi;
    mutex_init(&cl->lock);
    cl->pending_tail = &cl->pending;
    (void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    if (!thread_start(&cl->thread, "http-client", client_main, cl, err)) {
        http_client_free(cl);
        return NULL;
    }
    return cl;
}

void http_client_free(struct http_client *cl) {
    if (!cl)
        return;
    mutex_lock(&cl->lock);
    cl->stopping = true;
    mutex_unlock(&cl->lock);
    (void)curl_multi_wakeup(cl->multi);
    thread_join(&cl->thread);
    for (size_t i = 0; i < cl->n_idle; i++)
        curl_easy_cleanup(cl->idle[i]);
    (void)curl_multi_cleanup(cl->multi);
    mutex_deinit(&cl->lock);
    free(cl);
}

struct waiter {
    struct mutex lock;
    struct cond ready;
    struct http_reply *out;
    bool done;
};

static void wake_waiter(void *arg, struct http_reply *r) {
    struct waiter *w = arg;
    mutex_lock(&w->lock);
    *w->out = *r; /* moved: what the call would free is forgotten */
    *r = (struct http_reply){0};
    w->done = true;
    cond_signal(&w->ready);
    mutex_unlock(&w->lock);
}

bool http_client_do(struct http_client *cl, const struct http_call *call, struct http_reply *out,
                    struct err *err) {
    assert(!pthread_equal(pthread_self(), cl->thread.id)); /* it would wait for itself */
    *out = (struct http_reply){0};
    struct waiter w = {.out = out};
    mutex_init(&w.lock);
    cond_init(&w.ready);
    bool ok = http_client_start(cl, call, wake_waiter, &w, err);
    if (ok) {
        mutex_lock(&w.lock);
        while (!w.done)
            cond_wait(&w.ready, &w.lock);
        mutex_unlock(&w.lock);
        ok = out->err.code == ERR_OK;
        if (!ok && err)
            *err = out->err;
    }
    cond_deinit(&w.ready);
    mutex_deinit(&w.lock);
    return ok;
}
