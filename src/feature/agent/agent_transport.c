/* agent_transport.c - the agent's requests over net/http_client. */
#include "feature/agent/agent_client.h"
#include "net/http_client.h"

#include <stdio.h>
#include <stdlib.h>

#define CALL_TIMEOUT_MS 15000
#define ANSWER_BYTES_MAX ((size_t)4 << 20) /* scrape configurations */

struct agent_transport_http {
    struct http_client *http;
    char *url, *ca_file; /* url without a slash at its end; ca_file NULL: the system's */
};

static char *copy(struct str s) {
    char *p = malloc(s.n + 1);
    if (!p)
        return NULL;
    memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

struct agent_transport_http *agent_transport_http_new(struct http_client *http,
                                                      struct agent_server_address to,
                                                      struct err *err) {
    while (to.url.n && to.url.p[to.url.n - 1] == '/')
        to.url.n--;
    if (!str_starts(to.url, STR("http://")) && !str_starts(to.url, STR("https://"))) {
        err_set(err, ERR_BAD_INPUT,
                "the server's address must begin with http:// or https://, found \"%.*s\"",
                STR_FMT(to.url));
        return NULL;
    }
    struct agent_transport_http *t = calloc(1, sizeof(*t));
    if (t) {
        t->http = http;
        t->url = copy(to.url);
        t->ca_file = to.ca_file.n ? copy(to.ca_file) : NULL;
    }
    if (!t || !t->url || (to.ca_file.n && !t->ca_file)) {
        agent_transport_http_free(t);
        err_set(err, ERR_INTERNAL, "out of memory");
        return NULL;
    }
    return t;
}

void agent_transport_http_free(struct agent_transport_http *t) {
    if (!t)
        return;
    free(t->url);
    free(t->ca_file);
    free(t);
}

static bool http_call(void *self, const struct agent_request *req, struct agent_response *out,
                      struct err *err) {
    struct agent_transport_http *t = self;
    struct buf url = BUF_INIT;
    char buffered[32];
    buf_putz(&url, t->url);
    buf_putz(&url, req->path);
    snprintf(buffered, sizeof(buffered), "%llu", (unsigned long long)req->buffered_bytes);
    struct http_header headers[3];
    size_t n = 0;
    if (req->version)
        headers[n++] = (struct http_header){STR(AGENT_HEADER_VERSION), str_from(req->version)};
    headers[n++] = (struct http_header){STR(AGENT_HEADER_BUFFERED), str_from(buffered)};
    if (req->content_type)
        headers[n++] = (struct http_header){STR("Content-Type"), str_from(req->content_type)};
    struct http_call call = {.method = req->method,
                             .url = url.p,
                             .headers = headers,
                             .n_headers = n,
                             .body = req->body,
                             .timeout_ms = CALL_TIMEOUT_MS,
                             .body_max = ANSWER_BYTES_MAX,
                             .bearer = req->bearer,
                             .ca_file = t->ca_file};
    struct http_reply reply = {0};
    bool ok = buf_ok(&url) || err_set(err, ERR_INTERNAL, "out of memory");
    if (ok) {
        ok = http_client_do(t->http, &call, &reply, err);
        if (ok) {
            out->status = reply.status;
            buf_puts(&out->body, buf_view(&reply.body));
            int64_t s;
            if (str_to_i64(http_reply_header(&reply, "retry-after"), &s) && s > 0 && s < 86400)
                out->retry_after_s = s;
        }
        http_reply_deinit(&reply);
    }
    buf_deinit(&url);
    return ok;
}

struct agent_transport agent_transport_http_view(struct agent_transport_http *t) {
    return (struct agent_transport){http_call, t};
}
