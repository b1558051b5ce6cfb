/* Helpers of hinomi's own JSON (docs/openapi.yaml). */
#include "api/api_int.h"
#include "codec/jsonr.h"

#include <string.h>

void api_json(struct http_req *r, struct http_res *res, int status) {
    res->status = status;
    http_res_header(r, res, "Content-Type", STR("application/json"));
}

void api_error(struct http_req *r, struct http_res *res, int status, const char *code,
               const char *message, const char *hint) {
    buf_reset(&res->body);
    api_json(r, res, status);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_kobject(&w, "error");
    jsonw_kz(&w, "code", code);
    jsonw_kz(&w, "message", message);
    jsonw_kz(&w, "hint", hint);
    jsonw_end(&w);
    jsonw_end(&w);
}

bool api_missing(struct http_req *r, struct http_res *res, const char *what) {
    struct str m = arena_printf(r->arena, "%s is not running here", what);
    api_error(r, res, 503, "unavailable", m.p ? m.p : "not running here", NULL);
    http_res_header(r, res, "Retry-After", STR("5"));
    return true;
}

void jsonw_kms(struct jsonw *w, const char *key, int64_t ms) {
    jsonw_key(w, key);
    if (ms == OVERVIEW_UNKNOWN)
        jsonw_null(w);
    else
        jsonw_i64(w, ms);
}

void jsonw_kstr_or_null(struct jsonw *w, const char *key, struct str s) {
    jsonw_key(w, key);
    if (s.n == 0)
        jsonw_null(w);
    else
        jsonw_str(w, s);
}

void jsonw_kknown(struct jsonw *w, const char *key, enum known k) {
    jsonw_key(w, key);
    if (k == KNOWN_UNKNOWN)
        jsonw_null(w);
    else
        jsonw_bool(w, k == KNOWN_YES);
}

void jsonw_klabels(struct jsonw *w, const char *key, struct labels ls) {
    jsonw_kobject(w, key);
    for (uint32_t i = 0; i < ls.n; i++) {
        jsonw_key_str(w, ls.l[i].name);
        jsonw_str(w, ls.l[i].value);
    }
    jsonw_end(w);
}

const char *freshness_name(enum freshness f) {
    switch (f) {
    case FRESH_OK:
        return "ok";
    case FRESH_STALE:
        return "stale";
    case FRESH_UNKNOWN:
        break;
    }
    return "unknown";
}

struct jsonr_doc *api_body_json(struct http_req *r, struct err *err) {
    struct str type = http_req_header(r, "content-type");
    size_t semicolon = str_find_char(type, ';');
    if (semicolon != SIZE_MAX)
        type = str_sub(type, 0, semicolon);
    /* A form of another site can send text/plain and urlencoded bodies without asking; JSON it
     * cannot. */
    if (!str_eq_nocase(str_trim(type), STR("application/json"))) {
        (void)err_set(err, ERR_UNSUPPORTED, "Content-Type is \"%.*s\"; expected application/json",
                      STR_FMT(str_sub(type, 0, 100)));
        return NULL;
    }
    struct jsonr_doc *doc = jsonr_parse(r->body, err);
    if (doc && jsonr_type(jsonr_root(doc)) != JSONR_OBJECT) {
        (void)err_set(err, ERR_BAD_INPUT, "the body is a JSON %s; expected an object",
                      jsonr_type_name(jsonr_type(jsonr_root(doc))));
        jsonr_free(doc);
        return NULL;
    }
    return doc;
}

bool api_param_int(struct http_req *r, const char *name, int64_t def, int64_t min, int64_t max,
                   int64_t *out, struct err *err) {
    struct str s;
    int64_t v = def;
    if (http_req_param(r, name, 0, &s) && (!str_to_i64(s, &v) || v < min || v > max))
        return err_set(err, ERR_BAD_INPUT, "%s must be a number from %lld to %lld, not \"%.*s\"",
                       name, (long long)min, (long long)max, STR_FMT(str_sub(s, 0, 50)));
    *out = v;
    return true;
}

bool api_path_id(const struct http_req *r, int64_t *out, struct err *err) {
    struct str s = http_req_path_part(r, 0);
    return str_to_i64(s, out) || err_set(err, ERR_NOT_FOUND, "there is none with the id \"%.*s\"",
                                         STR_FMT(str_sub(s, 0, 100)));
}
