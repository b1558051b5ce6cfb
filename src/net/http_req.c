/* What handlers ask of a request and put into an answer. No sockets here: a test may fill a struct
 * http_req by hand. */
#include "base/limits.h"
#include "codec/compress.h"
#include "codec/jsonw.h"
#include "net/http_server.h"
#include "net/http_url.h"

struct str http_req_header(const struct http_req *r, const char *name) {
    struct str want = str_from(name);
    for (size_t i = 0; i < r->n_headers; i++)
        if (str_eq_nocase(r->headers[i].name, want))
            return r->headers[i].value;
    return (struct str){NULL, 0};
}

static bool is_form(const struct http_req *r) {
    struct str type = http_req_header(r, "content-type");
    size_t semicolon = str_find_char(type, ';');
    if (semicolon != SIZE_MAX)
        type = str_sub(type, 0, semicolon);
    return r->body.n && str_eq_nocase(str_trim(type), STR("application/x-www-form-urlencoded"));
}

bool http_req_param(struct http_req *r, const char *name, size_t nth, struct str *out) {
    struct str key = str_from(name);
    if (is_form(r)) {
        if (http_form_get(r->body, key, nth, r->arena, out))
            return true;
        size_t n = http_form_count(r->body, key);
        nth -= nth < n ? nth : n;
    }
    return http_form_get(r->raw_query, key, nth, r->arena, out);
}

bool http_req_body_decoded(struct http_req *r, size_t bytes_max, struct str *out, struct err *err) {
    struct str encoding = http_req_header(r, "content-encoding");
    if (encoding.n == 0 || str_eq_nocase(encoding, STR("identity"))) {
        if (r->body.n > bytes_max)
            return err_set(err, ERR_TOO_LARGE,
                           "the body is larger than the limit of %zu bytes; send less at once",
                           bytes_max);
        *out = r->body;
        return true;
    }
    struct buf b = BUF_INIT;
    bool ok = compress_decode(encoding, r->body, bytes_max, &b, err);
    if (ok) {
        struct str s = arena_str(r->arena, buf_view(&b));
        ok = s.p || arena_err(r->arena, err);
        if (ok)
            *out = s;
    }
    buf_deinit(&b);
    return ok;
}

struct str http_req_cookie(const struct http_req *r, const char *name) {
    struct str want = str_from(name);
    for (size_t i = 0; i < r->n_headers; i++) {
        if (!str_eq_nocase(r->headers[i].name, STR("cookie")))
            continue;
        struct str rest = r->headers[i].value, pair;
        while (str_next(&rest, ';', &pair)) {
            pair = str_trim(pair);
            size_t eq = str_find_char(pair, '=');
            if (eq != SIZE_MAX && str_eq(str_sub(pair, 0, eq), want))
                return str_from_offset(pair, eq + 1);
        }
    }
    return (struct str){NULL, 0};
}

struct str http_req_path_part(const struct http_req *r, size_t nth) {
    struct str out = {NULL, 0};
    if (r->route)
        (void)http_path_part(r->route->path, r->raw_path.p ? r->raw_path : r->path, nth, r->arena,
                             &out);
    return out;
}

void http_res_header(struct http_req *r, struct http_res *res, const char *name, struct str value) {
    size_t i = 0;
    bool many = str_eq_nocase(str_from(name), STR("set-cookie"));
    while (!many && i < res->n_headers && !str_eq_nocase(res->headers[i].name, str_from(name)))
        i++;
    if (many)
        i = res->n_headers;
    if (i == sizeof(res->headers) / sizeof(res->headers[0]))
        return;
    char *copy = arena_strz(r->arena, value);
    if (!copy)
        return;
    for (size_t k = 0; k < value.n;
         k++) /* a line break would start a header of the sender's choice */
        if ((unsigned char)copy[k] < 0x20 && copy[k] != '\t')
            copy[k] = ' ';
    res->headers[i] = (struct http_header){str_from(name), {copy, value.n}};
    if (i == res->n_headers)
        res->n_headers++;
}

static const char *error_code_name(enum err_code code) {
    switch (code) {
    case ERR_BAD_INPUT:
        return "bad_request";
    case ERR_UNAUTHENTICATED:
        return "unauthorized";
    case ERR_LIMITED:
        return "too_many_attempts";
    case ERR_CORRUPT:
        return "internal";
    case ERR_OK:
    case ERR_FORBIDDEN:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
    case ERR_TOO_LARGE:
    case ERR_UNSUPPORTED:
    case ERR_EXECUTION:
    case ERR_CANCELED:
    case ERR_INTERNAL:
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
        break;
    }
    return err_code_name(code);
}

void http_res_error(struct http_req *r, struct http_res *res, const struct err *err) {
    res->status = err_http_status(err->code);
    buf_reset(&res->body);
    buf_putz(&res->body, "{\"error\":{\"code\":");
    jsonw_quote(&res->body, str_from(error_code_name(err->code)));
    buf_putz(&res->body, ",\"message\":");
    jsonw_quote(&res->body, str_from(err->message));
    buf_putz(&res->body, ",\"hint\":null}}\n");
    http_res_header(r, res, "Content-Type", STR("application/json"));
    if (res->status == 429 || res->status == 503) {
        /* Spread over 1..5 s, so that senders that were refused together do not come back together.
         */
        struct str s = arena_printf(r->arena, "%u", (unsigned)(1 + r->connection % 5));
        http_res_header(r, res, "Retry-After", s.p ? s : STR("5"));
    }
}
