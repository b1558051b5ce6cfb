/* struct http_res -> what libmicrohttpd sends. Runs on the worker, so that compression costs no
 * time of the network thread. */
#include "net/http_internal.h"

#include "base/stats.h"
#include "codec/compress.h"

#include <stdlib.h>

static bool has_header(const struct http_res *res, const char *name) {
    for (size_t i = 0; i < res->n_headers; i++)
        if (str_eq_nocase(res->headers[i].name, str_from(name)))
            return true;
    return false;
}

static bool accepts_gzip(const struct http_req *r) {
    struct str rest = http_req_header(r, "accept-encoding"), item;
    while (str_next(&rest, ',', &item)) {
        struct str name = item;
        size_t semicolon = str_find_char(item, ';');
        if (semicolon != SIZE_MAX)
            name = str_sub(item, 0, semicolon);
        name = str_trim(name);
        if (!str_eq_nocase(name, STR("gzip")) && !str_eq(name, STR("*")))
            continue;
        struct str q =
            semicolon == SIZE_MAX ? STR("") : str_trim(str_from_offset(item, semicolon + 1));
        return !(str_eq(q, STR("q=0")) || str_starts(q, STR("q=0.0")));
    }
    return false;
}

static bool is_text(const struct http_res *res) {
    static const char *const kinds[] = {"text/",
                                        "application/json",
                                        "application/javascript",
                                        "application/yaml",
                                        "application/xml",
                                        "application/openmetrics-text",
                                        "image/svg+xml"};
    for (size_t i = 0; i < res->n_headers; i++)
        if (str_eq_nocase(res->headers[i].name, STR("content-type")))
            for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
                if (str_starts(res->headers[i].value, str_from(kinds[k])))
                    return true;
    return false;
}

/* From the same machine without a proxy the bytes cross no wire, so that packing them would only
 * cost. */
static bool wire_is_free(const struct http_req *r) {
    return r->peer_loopback && !http_req_header(r, "via").p &&
           !http_req_header(r, "x-forwarded-for").p && !http_req_header(r, "forwarded").p;
}

static void compress_if_it_pays(struct http_ctx *x) {
    struct http_res *res = &x->res;
    if (res->body.n < HTTP_GZIP_BYTES_MIN || has_header(res, "content-encoding") || !is_text(res))
        return;
    http_res_header(&x->req, res, "Vary", STR("Accept-Encoding"));
    if (!accepts_gzip(&x->req) || wire_is_free(&x->req))
        return;
    struct buf packed = BUF_INIT;
    if (compress_gzip(buf_view(&res->body), 1, &packed, NULL) && packed.n < res->body.n) {
        buf_deinit(&res->body);
        res->body = packed;
        http_res_header(&x->req, res, "Content-Encoding", STR("gzip"));
    } else {
        buf_deinit(&packed);
    }
}

static void body_failed(struct http_ctx *x) {
    struct err err = {0};
    (void)err_set(
        &err, ERR_INTERNAL,
        "out of memory for the answer, or it is larger than its limit; ask for less at once");
    buf_deinit(&x->res.body);
    x->res.n_headers = 0;
    http_res_error(&x->req, &x->res, &err);
}

void http_answer_build(struct http_ctx *x) {
    struct http_res *res = &x->res;
    if (!buf_ok(&res->body))
        body_failed(x);
    x->status = res->status ? (unsigned)res->status : 200;
    if (res->stream) {
        x->response = http_stream_response(x);
    } else if (res->borrowed.p) {
        x->response_bytes = res->borrowed.n;
        /* MHD takes a non-const pointer and does not write to it */
        x->response = MHD_create_response_from_buffer(
            res->borrowed.n, (void *)(uintptr_t)res->borrowed.p, MHD_RESPMEM_PERSISTENT);
    } else {
        compress_if_it_pays(x);
        size_t n = 0;
        char *p = buf_take(&res->body, &n);
        x->response_bytes = n;
        x->response = MHD_create_response_from_buffer_with_free_callback(n, p, free);
        if (!x->response)
            free(p);
    }
    if (!x->response) {
        x->close = true; /* nothing can be said: the network thread cuts the connection */
        return;
    }
    bool ok = true;
    for (size_t i = 0; i < res->n_headers; i++)
        ok &= MHD_add_response_header(x->response, res->headers[i].name.p,
                                      res->headers[i].value.p) == MHD_YES;
    if (x->close || atomic_load(&x->server->stopping))
        ok &= MHD_add_response_header(x->response, "Connection", "close") == MHD_YES;
    if (!ok) {
        MHD_destroy_response(x->response);
        x->response = NULL;
    }
    STAT_ADD(hinomi_http_requests_total, 1);
}

void http_answer_refuse(struct http_ctx *x) {
    STAT_ADD(hinomi_http_rejected_total, 1);
    http_res_error(&x->req, &x->res, &x->refused);
    if (x->allow) {
        x->res.status = 405;
        http_res_header(&x->req, &x->res, "Allow", str_from(x->allow));
    }
    if (x->server->opt.finish)
        x->server->opt.finish(x->server->opt.door_self, &x->req, &x->res);
    http_answer_build(x);
}
