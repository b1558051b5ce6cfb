#include "feature/agent/agent_http.h"

#include "codec/json.h"
#include "feature/agent/agent_client.h"
#include "feature/agent/agent_server.h"
#include "feature/agent/agentwire.h"

#define ENROLL_BODY_BYTES_MAX 8192

const struct http_route agent_http_routes[AGENT_HTTP_ROUTES] = {
    {.method = "POST",
     .path = AGENT_PATH_ENROLL,
     .pool = HTTP_POOL_FAST,
     .body_max = ENROLL_BODY_BYTES_MAX,
     .handle = agent_http_enroll},
    {.method = "POST",
     .path = AGENT_PATH_WRITE,
     .pool = HTTP_POOL_WRITE,
     .body_max = AGENTWIRE_MESSAGE_BYTES_MAX,
     .handle = agent_http_write},
    {.method = "GET", .path = AGENT_PATH_POLL, .pool = HTTP_POOL_FAST, .handle = agent_http_poll},
};

static void json_type(struct http_req *req, struct http_res *res) {
    http_res_header(req, res, "Content-Type", STR("application/json"));
    http_res_header(req, res, "Cache-Control", STR("no-store"));
}

static bool who(struct agent_server *s, struct http_req *req, struct http_res *res,
                struct str *out_id) {
    struct err err = {0};
    struct str auth = http_req_header(req, "Authorization");
    struct str scheme = STR("Bearer ");
    bool ok = auth.n > scheme.n && str_eq_nocase(str_sub(auth, 0, scheme.n), scheme);
    if (!ok)
        err_set(&err, ERR_UNAUTHENTICATED,
                "an agent's credential is needed (Authorization: Bearer ...)");
    else
        ok = agent_server_authenticate(s, str_trim(str_from_offset(auth, scheme.n)), req->arena,
                                       out_id, &err);
    if (!ok) {
        http_res_error(req, res, &err);
        return false;
    }
    uint64_t buffered;
    bool said =
        str_to_u64(http_req_header(req, AGENT_HEADER_BUFFERED), &buffered) && buffered < INT64_MAX;
    agent_server_seen(s, *out_id, http_req_header(req, AGENT_HEADER_VERSION), req->peer,
                      said ? (int64_t)buffered : -1);
    return true;
}

void agent_http_enroll(void *server, struct http_req *req, struct http_res *res) {
    struct agent_server *s = server;
    struct err err = {0};
    struct str id, secret;
    struct jsonr_doc *doc = jsonr_parse(req->body, &err);
    bool ok = doc != NULL;
    if (ok) {
        const struct jsonr *root = jsonr_root(doc);
        ok = agent_server_enroll(s, jsonr_get_str(root, "token"), jsonr_get_str(root, "host"),
                                 jsonr_get_str(root, "version"), req->peer, req->arena, &id,
                                 &secret, &err);
    }
    jsonr_free(doc);
    if (!ok) {
        http_res_error(req, res, &err);
        return;
    }
    res->status = 201;
    json_type(req, res);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_kstr(&w, "id", id);
    jsonw_kstr(&w, "secret", secret);
    jsonw_end(&w);
}

void agent_http_write(void *server, struct http_req *req, struct http_res *res) {
    struct agent_server *s = server;
    struct str id;
    if (!who(s, req, res, &id))
        return;
    struct err err = {0};
    struct agent_answer answer;
    bool ok = agent_server_write(s, id, req->body, &answer, &err);
    if (!ok && answer.position.segment == 0) {
        http_res_error(req, res, &err); /* nothing to tell but the error */
        return;
    }
    if (!ok) {
        res->status = err_http_status(err.code);
        if (res->status == 429 || res->status == 503)
            http_res_header(req, res, "Retry-After", STR("2"));
    }
    json_type(req, res);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_ku64(&w, "segment", answer.position.segment);
    jsonw_ku64(&w, "offset", answer.position.offset);
    jsonw_ku64(&w, "accepted_samples", answer.accepted_samples);
    jsonw_ku64(&w, "rejected_samples", answer.rejected_samples);
    jsonw_ku64(&w, "refused_records", answer.refused_records);
    jsonw_kz(&w, "first_rejected", answer.first_rejected);
    if (!ok) {
        jsonw_kobject(&w, "error");
        jsonw_kz(&w, "code", err_code_name(err.code));
        jsonw_kz(&w, "message", err.message);
        jsonw_key(&w, "hint");
        jsonw_null(&w);
        jsonw_end(&w);
    }
    jsonw_end(&w);
}

void agent_http_poll(void *server, struct http_req *req, struct http_res *res) {
    struct agent_server *s = server;
    struct str id;
    if (!who(s, req, res, &id))
        return;
    struct err err = {0};
    json_type(req, res);
    if (!agent_server_poll(s, id, &res->body, &err)) {
        buf_reset(&res->body);
        http_res_error(req, res, &err);
    }
}
