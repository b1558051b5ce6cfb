/* session, login, logout, users, tokens, audit. */
#include "api/api_int.h"
#include "codec/jsonr.h"

/* ---- session ---- */

static void put_session(struct api *api, struct http_req *r, struct http_res *res,
                        const struct account_principal *p) {
    bool open = p && p->kind == ACCOUNT_ANONYMOUS;
    api_json(r, res, 200);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_kz(&w, "auth", open ? "none" : "password");
    jsonw_kbool(&w, "authenticated", p != NULL);
    jsonw_key(&w, "user");
    if (p && p->kind == ACCOUNT_SESSION)
        jsonw_str(&w, p->name);
    else if (p && p->kind == ACCOUNT_TOKEN)
        jsonw_str(&w, door_actor(r).name);
    else
        jsonw_null(&w);
    jsonw_kz(&w, "role", p && p->role != ACCOUNT_ROLE_NONE ? account_role_name(p->role) : NULL);
    jsonw_kstr_or_null(&w, "csrf", p && p->kind == ACCOUNT_SESSION ? p->csrf : STR(""));
    jsonw_kms(&w, "expires_ms", p && p->expires_ms ? p->expires_ms : OVERVIEW_UNKNOWN);
    jsonw_kbool(&w, "first_user", door_is_local(r) && api->d.account && door_users(api) == 0);
    jsonw_end(&w);
}

void hinomi_session(void *self, struct http_req *r, struct http_res *res) {
    put_session(self, r, res, door_principal(r));
}

static bool secure_cookie(const struct api *api, const struct http_req *r) {
    return r->tls || (api->origin && str_starts(str_from(api->origin), STR("https://")));
}

static void set_cookie(struct api *api, struct http_req *r, struct http_res *res, const char *value,
                       int64_t max_age_s) {
    struct str c = arena_printf(
        r->arena, SESSION_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s", value,
        (long long)max_age_s, secure_cookie(api, r) ? "; Secure" : "");
    if (c.p)
        http_res_header(r, res, "Set-Cookie", c);
}

static void login_refused(struct api *api, struct http_req *r, struct http_res *res,
                          struct str name, const struct err *err) {
    if (err->code == ERR_UNAUTHENTICATED) {
        api_error(r, res, 401, "login_failed", err->message, NULL);
    } else if (err->code == ERR_LIMITED) {
        api_error(r, res, 429, "too_many_attempts", err->message,
                  "wait, or have an admin set a new password");
        int64_t wait = account_login_wait_s(api->d.account, name, r->peer);
        struct str s = arena_printf(r->arena, "%lld", (long long)(wait > 0 ? wait : 1));
        http_res_header(r, res, "Retry-After", s.p ? s : STR("60"));
    } else {
        http_res_error(r, res, err);
    }
}

static bool login(struct api *api, struct http_req *r, struct http_res *res,
                  const struct jsonr *body, struct str *out_name, struct err *err) {
    struct str name = jsonr_get_str(body, "name"), password = jsonr_get_str(body, "password");
    if (name.n == 0 || name.n > ACCOUNT_NAME_BYTES_MAX || password.n == 0 ||
        password.n > ACCOUNT_PASSWORD_BYTES_MAX)
        return err_set(err, ERR_BAD_INPUT,
                       "expected \"name\" (1 to %d bytes) and \"password\" (1 to %d bytes)",
                       ACCOUNT_NAME_BYTES_MAX, ACCOUNT_PASSWORD_BYTES_MAX);
    *out_name = arena_str(r->arena, name);
    if (door_is_local(r) && door_users(api) == 0) {
        struct account_actor by = {.name = STR("loopback"), .peer = r->peer};
        int64_t id;
        bool made = account_user_create_first(api->d.account, name, password, &by, &id, err);
        door_users_changed(api);
        if (!made &&
            err->code != ERR_CONFLICT) /* somebody else was first: then it is a plain login */
            return false;
        err_reset(err);
    }
    struct account_principal *p = ARENA_NEW(r->arena, struct account_principal);
    char secret[ACCOUNT_SECRET_BYTES];
    if (!p)
        return arena_err(r->arena, err);
    if (!account_login(api->d.account, name, password, r->peer, r->arena, p, secret, err))
        return false;
    set_cookie(api, r, res, secret, ACCOUNT_SESSION_MS / 1000);
    r->principal = p;
    put_session(api, r, res, p);
    return true;
}

void hinomi_login(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct str name = STR("");
    if (!api->d.account) {
        api_missing(r, res, "the account store");
        return;
    }
    struct jsonr_doc *doc = api_body_json(r, &err);
    if (!doc || !login(api, r, res, jsonr_root(doc), &name, &err))
        login_refused(api, r, res, name, &err);
    if (doc)
        jsonr_free(doc);
}

void hinomi_logout(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct str secret = http_req_cookie(r, SESSION_COOKIE);
    if (secret.n && api->d.account && !account_session_end(api->d.account, secret, &err)) {
        http_res_error(r, res, &err);
        return;
    }
    set_cookie(api, r, res, "", 0);
    res->status = 204;
}

/* ---- users ---- */

static void put_id(struct jsonw *w, int64_t id) {
    jsonw_key(w, "id");
    jsonw_printf(w, "%lld", (long long)id);
}

static void put_user(struct jsonw *w, const struct account_user *u) {
    jsonw_object(w);
    put_id(w, u->id);
    jsonw_kstr(w, "name", u->name);
    jsonw_kz(w, "role", account_role_name(u->role));
    jsonw_ki64(w, "created_ms", u->created_ms);
    jsonw_kms(w, "last_login_ms", u->last_login_ms ? u->last_login_ms : OVERVIEW_UNKNOWN);
    jsonw_end(w);
}

void hinomi_users(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct account_user *v = NULL;
    size_t n = 0;
    if (!api->d.account) {
        api_missing(r, res, "the account store");
        return;
    }
    if (!account_user_list(api->d.account, r->arena, &v, &n, &err)) {
        http_res_error(r, res, &err);
        return;
    }
    api_json(r, res, 200);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_karray(&w, "users");
    for (size_t i = 0; i < n; i++)
        put_user(&w, &v[i]);
    jsonw_end(&w);
    jsonw_end(&w);
}

static bool user_create(struct api *api, struct http_req *r, struct http_res *res,
                        const struct jsonr *body, struct err *err) {
    struct account_actor by = door_actor(r);
    enum account_role role;
    int64_t id;
    if (!account_role_from_name(jsonr_get_str(body, "role"), &role) || role == ACCOUNT_ROLE_NONE)
        return err_set(err, ERR_BAD_INPUT, "\"role\" must be viewer, editor or admin");
    struct str name = jsonr_get_str(body, "name");
    /* With the first account the open door closes behind whoever stands in it. */
    if (role != ACCOUNT_ROLE_ADMIN && door_users(api) == 0)
        return err_set(err, ERR_CONFLICT,
                       "the first account must have the role admin: nobody could make more");
    if (!account_user_create(api->d.account, name, jsonr_get_str(body, "password"), role, &by, &id,
                             err))
        return false;
    door_users_changed(api);
    struct account_user u = {
        .id = id, .name = name, .role = role, .created_ms = clock_wall_ms(api->d.clock)};
    api_json(r, res, 201);
    struct jsonw w = JSONW_INIT(&res->body);
    put_user(&w, &u);
    return true;
}

void hinomi_user_create(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    if (!api->d.account) {
        api_missing(r, res, "the account store");
        return;
    }
    struct jsonr_doc *doc = api_body_json(r, &err);
    if (!doc || !user_create(api, r, res, jsonr_root(doc), &err))
        http_res_error(r, res, &err);
    if (doc)
        jsonr_free(doc);
}

void hinomi_user_delete(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct account_actor by = door_actor(r);
    int64_t id;
    if (!api->d.account) {
        api_missing(r, res, "the account store");
        return;
    }
    if (api_path_id(r, &id, &err) && account_user_delete(api->d.account, id, &by, &err)) {
        door_users_changed(api);
        res->status = 204;
    } else {
        http_res_error(r, res, &err);
    }
}

/* ---- tokens ---- */

static void put_token(struct jsonw *w, const struct account_token *t) {
    jsonw_object(w);
    put_id(w, t->id);
    jsonw_kstr(w, "name", t->name);
    jsonw_karray(w, "scopes");
    for (int i = 0; i < ACCOUNT_SCOPE_COUNT; i++)
        if (t->scopes & 1u << i)
            jsonw_z(w, account_scope_name((enum account_scope)(1u << i)));
    jsonw_end(w);
    jsonw_kstr(w, "prefix", t->prefix);
    jsonw_ki64(w, "created_ms", t->created_ms);
    jsonw_kstr_or_null(w, "created_by", t->created_by);
    jsonw_kms(w, "last_used_ms", t->last_used_ms ? t->last_used_ms : OVERVIEW_UNKNOWN);
    jsonw_kms(w, "expires_ms", t->expires_ms ? t->expires_ms : OVERVIEW_UNKNOWN);
    jsonw_end(w);
}

void hinomi_tokens(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct account_token *v = NULL;
    size_t n = 0;
    if (!api->d.account) {
        api_missing(r, res, "the account store");
        return;
    }
    if (!account_token_list(api->d.account, r->arena, &v, &n, &err)) {
        http_res_error(r, res, &err);
        return;
    }
    api_json(r, res, 200);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_karray(&w, "tokens");
    for (size_t i = 0; i < n; i++)
        put_token(&w, &v[i]);
    jsonw_end(&w);
    jsonw_end(&w);
}

static bool take_scopes(const struct jsonr *list, unsigned *out, struct err *err) {
    *out = 0;
    for (size_t i = 0; i < jsonr_len(list); i++) {
        struct str name = {NULL, 0};
        unsigned bit;
        if (!jsonr_str(jsonr_at(list, i), &name) || !account_scope_from_name(name, &bit))
            return err_set(
                err, ERR_BAD_INPUT,
                "\"%.*s\" is not a scope; expected read, write, admin, write:series or agent",
                STR_FMT(str_sub(name, 0, 50)));
        *out |= bit;
    }
    return *out || err_set(err, ERR_BAD_INPUT,
                           "\"scopes\" must be a list of one scope or more: read, write, admin, "
                           "write:series, agent");
}

static bool token_create(struct api *api, struct http_req *r, struct http_res *res,
                         const struct jsonr *body, struct err *err) {
    struct account_actor by = door_actor(r);
    struct account_token *t = ARENA_NEW(r->arena, struct account_token);
    struct str secret;
    unsigned scopes;
    int64_t expires = jsonr_get_i64(body, "expires_ms", 0);
    if (!t)
        return arena_err(r->arena, err);
    if (expires && expires <= clock_wall_ms(api->d.clock))
        return err_set(err, ERR_BAD_INPUT, "\"expires_ms\" lies in the past");
    if (!take_scopes(jsonr_get(body, "scopes"), &scopes, err) ||
        !account_token_create(api->d.account, jsonr_get_str(body, "name"), scopes, expires, &by,
                              r->arena, t, &secret, err))
        return false;
    api_json(r, res, 201);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_key(&w, "token");
    put_token(&w, t);
    jsonw_kstr(&w, "secret", secret);
    jsonw_end(&w);
    return true;
}

void hinomi_token_create(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    if (!api->d.account) {
        api_missing(r, res, "the account store");
        return;
    }
    struct jsonr_doc *doc = api_body_json(r, &err);
    if (!doc || !token_create(api, r, res, jsonr_root(doc), &err))
        http_res_error(r, res, &err);
    if (doc)
        jsonr_free(doc);
}

void hinomi_token_delete(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct account_actor by = door_actor(r);
    int64_t id;
    if (!api->d.account)
        api_missing(r, res, "the account store");
    else if (api_path_id(r, &id, &err) && account_token_revoke(api->d.account, id, &by, &err))
        res->status = 204;
    else
        http_res_error(r, res, &err);
}

/* ---- audit ---- */

void hinomi_audit(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct account_audit *v = NULL;
    size_t n = 0;
    int64_t limit, before;
    if (!api->d.account) {
        api_missing(r, res, "the account store");
        return;
    }
    if (!api_param_int(r, "limit", 100, 1, 500, &limit, &err) ||
        !api_param_int(r, "before_ms", 0, 0, INT64_MAX, &before, &err) ||
        !account_audit_list(api->d.account, before, (size_t)limit, r->arena, &v, &n, &err)) {
        http_res_error(r, res, &err);
        return;
    }
    api_json(r, res, 200);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_karray(&w, "entries");
    for (size_t i = 0; i < n; i++) {
        jsonw_object(&w);
        put_id(&w, v[i].id);
        jsonw_ki64(&w, "at_ms", v[i].ts_ms);
        jsonw_kstr(&w, "actor", v[i].actor);
        jsonw_kz(&w, "role", v[i].role == ACCOUNT_ROLE_NONE ? NULL : account_role_name(v[i].role));
        jsonw_kstr(&w, "action", v[i].action);
        jsonw_kstr_or_null(&w, "object", v[i].object);
        jsonw_kstr_or_null(&w, "origin_address", v[i].peer);
        jsonw_kstr_or_null(&w, "detail", v[i].detail);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    jsonw_end(&w);
}
