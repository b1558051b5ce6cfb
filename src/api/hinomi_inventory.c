/* inventory, services, agents, accepted scrapes. */
#include "api/api_int.h"
#include "codec/jsonr.h"

static void unavailable(struct http_req *r, struct http_res *res) {
    api_missing(r, res, "this part of the inventory");
}

/* ---- agents ---- */

static void put_agent(struct jsonw *w, const struct agent_info *v, int64_t now_ms) {
    bool stale = v->last_seen_ms && now_ms - v->last_seen_ms > AGENT_STALE_MS;
    jsonw_object(w);
    jsonw_kstr(w, "id", v->id);
    jsonw_kstr(w, "host", v->host);
    jsonw_kstr_or_null(w, "version", v->version);
    jsonw_ki64(w, "enrolled_ms", v->enrolled_ms);
    jsonw_kms(w, "last_seen_ms", v->last_seen_ms ? v->last_seen_ms : OVERVIEW_UNKNOWN);
    jsonw_kz(w, "freshness",
             freshness_name(!v->last_seen_ms ? FRESH_UNKNOWN
                            : stale          ? FRESH_STALE
                                             : FRESH_OK));
    jsonw_kms(w, "buffered_bytes", v->buffered_bytes < 0 ? OVERVIEW_UNKNOWN : v->buffered_bytes);
    jsonw_kstr_or_null(w, "remote_address", v->remote_address);
    jsonw_end(w);
}

static bool put_agents(struct api *api, struct http_req *r, struct jsonw *w, struct err *err) {
    struct agent_info *v = NULL;
    size_t n = 0;
    if (api->d.agents && !agent_server_list(api->d.agents, r->arena, &v, &n, err))
        return false;
    jsonw_karray(w, "agents");
    for (size_t i = 0; i < n; i++)
        put_agent(w, &v[i], clock_wall_ms(api->d.clock));
    jsonw_end(w);
    return true;
}

void hinomi_agents(void *self, struct http_req *r, struct http_res *res) {
    struct err err = {0};
    struct jsonw w = JSONW_INIT(&res->body);
    api_json(r, res, 200);
    jsonw_object(&w);
    if (!put_agents(self, r, &w, &err)) {
        http_res_error(r, res, &err);
        return;
    }
    jsonw_end(&w);
}

void hinomi_enroll_token(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct str note = STR("");
    struct jsonr_doc *doc = NULL;
    char token[AGENT_SECRET_BYTES];
    int64_t expires;
    if (!api->d.agents) {
        unavailable(r, res);
        return;
    }
    if (r->body.n && (doc = api_body_json(r, &err)))
        note = jsonr_get_str(jsonr_root(doc), "note");
    if (err.code == 0 && note.n > 64)
        (void)err_set(&err, ERR_BAD_INPUT, "\"note\" has %zu bytes, more than the limit of 64",
                      note.n);
    if (err.code || !agent_server_enroll_token(api->d.agents, note, door_actor(r).name, 0, token,
                                               &expires, &err)) {
        http_res_error(r, res, &err);
    } else {
        door_audit(api, r, "agent.enroll_token", note, STR(""));
        struct str host = http_req_header(r, "host");
        struct str url =
            api->d.public_url && api->d.public_url[0]
                ? str_from(api->d.public_url)
                : arena_printf(r->arena, "%s://%.*s", r->tls ? "https" : "http", STR_FMT(host));
        api_json(r, res, 201);
        struct jsonw w = JSONW_INIT(&res->body);
        jsonw_object(&w);
        jsonw_kz(&w, "token", token);
        jsonw_ki64(&w, "expires_ms", expires);
        jsonw_key(&w, "command");
        jsonw_printf(&w, "hinomi-agent enroll --server %.*s --token %s", STR_FMT(url), token);
        jsonw_end(&w);
    }
    if (doc)
        jsonr_free(doc);
}

void hinomi_agent_delete(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct str id = http_req_path_part(r, 0);
    if (!api->d.agents) {
        unavailable(r, res);
    } else if (agent_server_delete(api->d.agents, id, &err)) {
        door_audit(api, r, "agent.delete", id, STR(""));
        res->status = 204;
    } else {
        http_res_error(r, res, &err);
    }
}

/* ---- inventory ---- */

static void put_target(struct jsonw *w, const struct api_target *t) {
    jsonw_object(w);
    jsonw_kstr(w, "job", labels_get(t->labels, STR("job")));
    jsonw_kstr(w, "instance", labels_get(t->labels, STR("instance")));
    jsonw_kstr(w, "url", t->url);
    jsonw_kz(w, "health", t->health < 0 ? "unknown" : t->health ? "up" : "down");
    jsonw_kms(w, "last_scrape_ms", t->last_scrape_ms ? t->last_scrape_ms : OVERVIEW_UNKNOWN);
    jsonw_key(w, "scrape_duration_seconds");
    if (t->last_scrape_ms)
        jsonw_f64(w, t->duration_s);
    else
        jsonw_null(w);
    jsonw_kstr_or_null(w, "last_error", t->last_error);
    jsonw_kstr(w, "origin", t->origin);
    jsonw_kstr_or_null(w, "accepted_id", t->accepted_id);
    jsonw_end(w);
}

/* Without an inventory behind it: this host alone, as observed. */
static void put_this_host(struct api *api, struct http_req *r, struct jsonw *w) {
    struct overview *o = ARENA_NEW(r->arena, struct overview);
    jsonw_karray(w, "services");
    jsonw_end(w);
    jsonw_karray(w, "hosts");
    if (o && api->d.collect && collect_overview(api->d.collect, r->arena, o)) {
        jsonw_object(w);
        jsonw_kstr(w, "id", o->host.name);
        jsonw_kstr(w, "name", o->host.name);
        jsonw_kstr_or_null(w, "os", o->host.os);
        jsonw_kstr_or_null(w, "kernel", o->host.kernel);
        jsonw_kstr_or_null(w, "architecture", o->host.architecture);
        jsonw_kms(w, "cpus", o->host.cpus);
        jsonw_kms(w, "memory_bytes", o->host.memory_bytes);
        jsonw_kbool(w, "is_self", true);
        jsonw_kz(w, "origin", "observed");
        jsonw_ki64(w, "last_seen_ms", o->now_ms);
        jsonw_kz(w, "freshness", "ok");
        jsonw_end(w);
    }
    jsonw_end(w);
    static const char *const empty[] = {"endpoints", "owners", "channels", "edges"};
    for (size_t i = 0; i < 4; i++) {
        jsonw_karray(w, empty[i]);
        jsonw_end(w);
    }
}

static bool put_inventory(struct api *api, struct http_req *r, struct buf *out, struct err *err) {
    struct api_target *t = NULL;
    size_t n = 0;
    const struct api_app *app = &api->d.app;
    if (app->targets && !app->targets(app->self, r->arena, &t, &n, err))
        return false;
    struct jsonw w = JSONW_INIT(out);
    jsonw_object(&w);
    jsonw_ki64(&w, "now_ms", clock_wall_ms(api->d.clock));
    jsonw_karray(&w, "targets");
    for (size_t i = 0; i < n; i++)
        put_target(&w, &t[i]);
    jsonw_end(&w);
    if (!put_agents(api, r, &w, err))
        return false;
    if (app->inventory_json) {
        buf_putc(out, ',');
        if (!app->inventory_json(app->self, out, err))
            return false;
    } else {
        put_this_host(api, r, &w);
    }
    buf_putc(out, '}');
    return true;
}

void hinomi_inventory(void *self, struct http_req *r, struct http_res *res) {
    struct err err = {0};
    api_json(r, res, 200);
    if (!put_inventory(self, r, &res->body, &err))
        http_res_error(r, res, &err);
}

/* ---- services ---- */

static void put_service(struct jsonw *w, const struct api_service *s) {
    jsonw_object(w);
    jsonw_kstr(w, "id", s->id);
    jsonw_kstr(w, "name", s->name);
    jsonw_kstr_or_null(w, "description", s->description);
    jsonw_kstr_or_null(w, "owner", s->owner);
    jsonw_kstr_or_null(w, "channel", s->channel);
    jsonw_kstr_or_null(w, "url", s->url);
    jsonw_kstr(w, "origin", s->origin);
    jsonw_kms(w, "created_ms", s->created_ms);
    jsonw_kms(w, "last_seen_ms", s->last_seen_ms);
    jsonw_kz(w, "freshness", freshness_name(s->freshness));
    jsonw_end(w);
}

/* ^[A-Za-z0-9][A-Za-z0-9._-]*$, at most 128 */
static bool service_name_ok(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (i == 0 || (c != '.' && c != '_' && c != '-')))
            return false;
    }
    return s.n > 0 && s.n <= 128;
}

static bool take_service(const struct jsonr *body, struct api_service *s, struct err *err) {
    static const struct {
        const char *key;
        size_t offset, max;
    } texts[] = {{"description", offsetof(struct api_service, description), 500},
                 {"owner", offsetof(struct api_service, owner), 128},
                 {"channel", offsetof(struct api_service, channel), 128},
                 {"url", offsetof(struct api_service, url), 2048}};
    *s = (struct api_service){.name = jsonr_get_str(body, "name")};
    if (!service_name_ok(s->name))
        return err_set(
            err, ERR_BAD_INPUT,
            "\"name\" must be 1 to 128 of A-Z a-z 0-9 . _ - and begin with a letter or a digit");
    for (size_t i = 0; i < 4; i++) {
        struct str v = jsonr_get_str(body, texts[i].key);
        if (v.n > texts[i].max)
            return err_set(err, ERR_BAD_INPUT, "\"%s\" has %zu bytes, more than the limit of %zu",
                           texts[i].key, v.n, texts[i].max);
        memcpy((char *)s + texts[i].offset, &v, sizeof(v));
    }
    if (s->url.n && !str_starts(s->url, STR("http://")) && !str_starts(s->url, STR("https://")))
        return err_set(err, ERR_BAD_INPUT, "\"url\" must begin with http:// or https://");
    return true;
}

void hinomi_service_create(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct api_service in, *out = ARENA_NEW(r->arena, struct api_service);
    if (!api->d.app.service_create || !out) {
        unavailable(r, res);
        return;
    }
    struct jsonr_doc *doc = api_body_json(r, &err);
    if (doc && take_service(jsonr_root(doc), &in, &err) &&
        api->d.app.service_create(api->d.app.self, &in, r->arena, out, &err)) {
        door_audit(api, r, "service.create", in.name, STR(""));
        api_json(r, res, 201);
        struct jsonw w = JSONW_INIT(&res->body);
        put_service(&w, out);
    } else {
        http_res_error(r, res, &err);
    }
    if (doc)
        jsonr_free(doc);
}

void hinomi_service_delete(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct str id = http_req_path_part(r, 0);
    if (!api->d.app.service_delete) {
        unavailable(r, res);
    } else if (api->d.app.service_delete(api->d.app.self, id, &err)) {
        door_audit(api, r, "service.delete", id, STR(""));
        res->status = 204;
    } else {
        http_res_error(r, res, &err);
    }
}

/* ---- scrape offers ---- */

static void put_accepted(struct jsonw *w, const struct api_accepted *v) {
    jsonw_object(w);
    jsonw_kstr(w, "id", v->id);
    jsonw_kstr(w, "url", v->url);
    jsonw_kstr(w, "job", v->job);
    jsonw_ki64(w, "created_ms", v->created_ms);
    jsonw_kstr_or_null(w, "created_by", v->created_by);
    jsonw_end(w);
}

void hinomi_offer_accept(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct api_accepted *out = ARENA_NEW(r->arena, struct api_accepted);
    if (!api->d.app.accepted_add || !out) {
        unavailable(r, res);
        return;
    }
    struct jsonr_doc *doc = api_body_json(r, &err);
    if (doc) {
        struct str url = jsonr_get_str(jsonr_root(doc), "url"),
                   job = jsonr_get_str(jsonr_root(doc), "job");
        if (url.n == 0 || url.n > 2048 || job.n == 0 || job.n > 128 ||
            (!str_starts(url, STR("http://")) && !str_starts(url, STR("https://"))))
            (void)err_set(&err, ERR_BAD_INPUT,
                          "expected \"url\" (http:// or https://, at most 2048 bytes) and \"job\" "
                          "(1 to 128 bytes)");
        else if (api->d.app.accepted_add(api->d.app.self, url, job, door_actor(r).name, r->arena,
                                         out, &err)) {
            door_audit(api, r, "scrape.accept", url, job);
            api_json(r, res, 201);
            struct jsonw w = JSONW_INIT(&res->body);
            put_accepted(&w, out);
        }
        jsonr_free(doc);
    }
    if (err.code)
        http_res_error(r, res, &err);
}

void hinomi_offers_accepted(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct api_accepted *v = NULL;
    size_t n = 0;
    if (api->d.app.accepted_list &&
        !api->d.app.accepted_list(api->d.app.self, r->arena, &v, &n, &err)) {
        http_res_error(r, res, &err);
        return;
    }
    api_json(r, res, 200);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_karray(&w, "accepted");
    for (size_t i = 0; i < n; i++)
        put_accepted(&w, &v[i]);
    jsonw_end(&w);
    jsonw_end(&w);
}

void hinomi_offer_delete(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct str id = http_req_path_part(r, 0);
    if (!api->d.app.accepted_delete) {
        unavailable(r, res);
    } else if (api->d.app.accepted_delete(api->d.app.self, id, &err)) {
        door_audit(api, r, "scrape.delete", id, STR(""));
        res->status = 204;
    } else {
        http_res_error(r, res, &err);
    }
}
