/* POST /api/v1/write: remote_write 1.0, https://prometheus.io/docs/specs/prw/remote_write_spec/.
 * The body goes to the store as it came; 204 means that it is on disk. */
#include "api/api_int.h"

#include "base/stats.h"

static void hint_free(void *p) {
    series_hint_free(p);
}

static struct series_hint *hint_of(struct http_req *r) {
    if (!r->connection_data)
        return NULL;
    if (*r->connection_data && *r->connection_free != hint_free)
        return NULL; /* somebody else's memory */
    if (!*r->connection_data) {
        *r->connection_free = hint_free;
        *r->connection_data = series_hint_new();
    }
    return *r->connection_data;
}

static bool check_form(struct http_req *r, struct err *err) {
    struct str type = http_req_header(r, "content-type"),
               encoding = http_req_header(r, "content-encoding");
    struct str rest = type, kind;
    (void)str_next(&rest, ';', &kind);
    if (type.n && !str_eq_nocase(str_trim(kind), STR("application/x-protobuf")))
        return err_set(err, ERR_UNSUPPORTED,
                       "Content-Type \"%.*s\" is not supported; expected application/x-protobuf",
                       STR_FMT(str_sub(type, 0, 100)));
    struct str param;
    while (type.n && str_next(&rest, ';', &param)) {
        param = str_trim(param);
        if (str_starts(param, STR("proto=")) &&
            !str_eq(param, STR("proto=prometheus.WriteRequest")))
            return err_set(err, ERR_UNSUPPORTED,
                           "remote_write message %.*s is not supported; expected "
                           "prometheus.WriteRequest (1.0)",
                           STR_FMT(str_sub(param, 6, 100)));
    }
    if (encoding.n && !str_eq_nocase(encoding, STR("snappy")))
        return err_set(err, ERR_UNSUPPORTED,
                       "Content-Encoding \"%.*s\" is not supported; expected snappy",
                       STR_FMT(str_sub(encoding, 0, 100)));
    return true;
}

/* Senders show the body of a refusal as text. */
static void refuse(struct http_req *r, struct http_res *res, const struct err *err) {
    res->status = err_http_status(err->code);
    http_res_header(r, res, "Content-Type", STR("text/plain; charset=utf-8"));
    buf_putz(&res->body, err->message);
    buf_putc(&res->body, '\n');
    if (res->status == 429 || res->status == 503) {
        struct str s = arena_printf(r->arena, "%u", (unsigned)(1 + r->connection % 5));
        http_res_header(r, res, "Retry-After", s.p ? s : STR("5"));
    }
}

void prom_write(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    const struct account_principal *p = door_principal(r);
    struct str source = p && p->kind == ACCOUNT_TOKEN
                            ? arena_printf(r->arena, "remote_write/%.*s", STR_FMT(p->name))
                            : arena_printf(r->arena, "remote_write/%.*s", STR_FMT(r->peer));
    struct write_result out = {0};
    STAT_ADD(hinomi_remote_write_requests_total, 1);
    if (!api->d.series)
        (void)err_set(&err, ERR_UNAVAILABLE, "the series store is not open yet");
    else if (check_form(r, &err) &&
             series_remote_write(api->d.series, r->body, source, hint_of(r), &out, &err)) {
        if (out.first_rejected[0] == 0) {
            res->status = 204;
            return;
        }
        /* The rest is stored. 400: the sender must not send the refused ones again. */
        (void)err_set(&err, ERR_BAD_INPUT, "%s", out.first_rejected);
    }
    refuse(r, res, &err);
}
