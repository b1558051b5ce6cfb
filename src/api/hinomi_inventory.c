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

static void ktext(struct jsonw *w, const char *key, struct inventory_text t) {
    jsonw_kstr_or_null(w, key, t.value);
}

/* What was last heard of within the time of a few scrapes is fresh. */
enum { FRESH_MS = 5 * 60 * 1000 };
static enum freshness fresh(int64_t last_seen_ms, int64_t now_ms) {
    if (last_seen_ms == INVENTORY_UNKNOWN)
        return FRESH_UNKNOWN;
    return now_ms - last_seen_ms > FRESH_MS ? FRESH_STALE : FRESH_OK;
}

static void put_service(struct jsonw *w, const struct inventory_service *s, int64_t now_ms) {
    jsonw_object(w);
    jsonw_kstr(w, "id", s->id);
    jsonw_kstr(w, "name", s->name);
    ktext(w, "description", s->description);
    ktext(w, "owner", s->owner);
    ktext(w, "channel", s->channel);
    ktext(w, "url", s->url);
    jsonw_kz(w, "origin", inventory_origin_name(s->origin));
    jsonw_kms(w, "created_ms", s->created_ms);
    jsonw_kms(w, "last_seen_ms", s->last_seen_ms);
    jsonw_kz(w, "freshness", freshness_name(fresh(s->last_seen_ms, now_ms)));
    jsonw_end(w);
}

static void put_host(struct jsonw *w, const struct inventory_host *h, int64_t now_ms) {
    jsonw_object(w);
    jsonw_kstr(w, "id", h->id);
    jsonw_kstr(w, "name", h->name);
    ktext(w, "os", h->os);
    ktext(w, "kernel", h->kernel);
    ktext(w, "architecture", h->architecture);
    jsonw_kms(w, "cpus", h->cpus);
    jsonw_kms(w, "memory_bytes", h->memory_bytes);
    jsonw_kbool(w, "is_self", h->is_self);
    jsonw_kz(w, "origin", inventory_origin_name(h->origin));
    jsonw_kms(w, "last_seen_ms", h->last_seen_ms);
    jsonw_kz(w, "freshness", freshness_name(fresh(h->last_seen_ms, now_ms)));
    jsonw_end(w);
}

static void put_endpoint(struct jsonw *w, const struct inventory_endpoint *e) {
    jsonw_object(w);
    jsonw_kstr(w, "id", e->id);
    jsonw_kstr(w, "address", e->address);
    jsonw_ki64(w, "port", e->port);
    jsonw_kstr(w, "proto", e->proto);
    jsonw_kstr(w, "kind", e->kind.n ? e->kind : STR("unknown"));
    jsonw_kstr_or_null(w, "service", e->service);
    jsonw_kstr_or_null(w, "host", e->host);
    jsonw_kz(w, "origin", inventory_origin_name(e->origin));
    jsonw_end(w);
}

static void put_things(struct jsonw *w, const struct inventory_snapshot *s, int64_t now_ms) {
    jsonw_karray(w, "services");
    for (size_t i = 0; i < s->n_services; i++)
        put_service(w, &s->services[i], now_ms);
    jsonw_end(w);
    jsonw_karray(w, "hosts");
    for (size_t i = 0; i < s->n_hosts; i++)
        put_host(w, &s->hosts[i], now_ms);
    jsonw_end(w);
    jsonw_karray(w, "endpoints");
    for (size_t i = 0; i < s->n_endpoints; i++)
        put_endpoint(w, &s->endpoints[i]);
    jsonw_end(w);
    jsonw_karray(w, "owners");
    for (size_t i = 0; i < s->n_owners; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "id", s->owners[i].id);
        jsonw_kstr(w, "name", s->owners[i].name);
        jsonw_kz(w, "origin", inventory_origin_name(s->owners[i].origin));
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_karray(w, "channels");
    for (size_t i = 0; i < s->n_channels; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "id", s->channels[i].id);
        jsonw_kstr(w, "name", s->channels[i].name);
        jsonw_kstr_or_null(w, "kind", s->channels[i].kind);
        jsonw_kz(w, "origin", inventory_origin_name(s->channels[i].origin));
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_karray(w, "edges");
    for (size_t i = 0; i < s->n_edges; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "from", s->edges[i].from);
        jsonw_kz(w, "kind", inventory_edge_name(s->edges[i].kind));
        jsonw_kstr(w, "to", s->edges[i].to);
        jsonw_kz(w, "origin", inventory_origin_name(s->edges[i].origin));
        jsonw_end(w);
    }
    jsonw_end(w);
}

static bool put_inventory(struct api *api, struct http_req *r, struct buf *out, struct err *err) {
    static const struct inventory_snapshot nothing;
    struct api_target *t = NULL;
    size_t n = 0;
    const struct api_app *app = &api->d.app;
    int64_t now_ms = clock_wall_ms(api->d.clock);
    if (app->targets && !app->targets(app->self, r->arena, &t, &n, err))
        return false;
    const struct inventory_snapshot *s = api->d.inventory ? inventory_get(api->d.inventory) : NULL;
    if (api->d.inventory && !s)
        return err_set(err, ERR_INTERNAL, "out of memory for the inventory");
    struct jsonw w = JSONW_INIT(out);
    jsonw_object(&w);
    jsonw_ki64(&w, "now_ms", now_ms);
    put_things(&w, s ? s : &nothing, now_ms);
    inventory_unref(s);
    jsonw_karray(&w, "targets");
    for (size_t i = 0; i < n; i++)
        put_target(&w, &t[i]);
    jsonw_end(&w);
    if (!put_agents(api, r, &w, err))
        return false;
    jsonw_end(&w);
    return true;
}

void hinomi_inventory(void *self, struct http_req *r, struct http_res *res) {
    struct err err = {0};
    api_json(r, res, 200);
    if (!put_inventory(self, r, &res->body, &err))
        http_res_error(r, res, &err);
}

/* ---- services ---- */

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

static bool take_text(const struct jsonr *body, const char *key, size_t max, struct str *out,
                      struct err *err) {
    *out = jsonr_get_str(body, key);
    return out->n <= max ||
           err_set(err, ERR_BAD_INPUT, "\"%s\" has %zu bytes, more than the limit of %zu", key,
                   out->n, max);
}

static bool take_service(const struct jsonr *body, struct inventory_service_edit *s,
                         struct err *err) {
    *s = (struct inventory_service_edit){.name = jsonr_get_str(body, "name")};
    if (!service_name_ok(s->name))
        return err_set(
            err, ERR_BAD_INPUT,
            "\"name\" must be 1 to 128 of A-Z a-z 0-9 . _ - and begin with a letter or a digit");
    if (!take_text(body, "description", 500, &s->description, err) ||
        !take_text(body, "owner", 128, &s->owner, err) ||
        !take_text(body, "channel", 128, &s->channel, err) ||
        !take_text(body, "url", 2048, &s->url, err))
        return false;
    /* It becomes a link on the screen: no javascript: and the like. */
    if (s->url.n && !str_starts(s->url, STR("http://")) && !str_starts(s->url, STR("https://")))
        return err_set(err, ERR_BAD_INPUT, "\"url\" must begin with http:// or https://");
    return true;
}

static bool service_create(struct api *api, struct http_req *r, struct http_res *res,
                           const struct jsonr *body, struct err *err) {
    struct inventory_service_edit in;
    if (!take_service(body, &in, err) ||
        !inventory_create_service(api->d.inventory, &in, door_actor(r).name, err))
        return false;
    door_audit(api, r, "service.create", in.name, STR(""));
    const struct inventory_snapshot *s = inventory_get(api->d.inventory);
    const struct inventory_service *made = NULL;
    for (size_t i = 0; s && i < s->n_services && !made; i++)
        if (str_eq_nocase(s->services[i].name, in.name))
            made = &s->services[i];
    if (made) {
        api_json(r, res, 201);
        struct jsonw w = JSONW_INIT(&res->body);
        put_service(&w, made, clock_wall_ms(api->d.clock));
    }
    inventory_unref(s);
    return made || err_set(err, ERR_CONFLICT, "the service was removed again at once");
}

void hinomi_service_create(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    if (!api->d.inventory) {
        unavailable(r, res);
        return;
    }
    struct jsonr_doc *doc = api_body_json(r, &err);
    if (!doc || !service_create(api, r, res, jsonr_root(doc), &err))
        http_res_error(r, res, &err);
    if (doc)
        jsonr_free(doc);
}

void hinomi_service_delete(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct str id = http_req_path_part(r, 0);
    if (!api->d.inventory) {
        unavailable(r, res);
    } else if (inventory_delete_service(api->d.inventory, id, &err)) {
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

/* scheme://host[:port][/...]: with a host, and without a password that everyone would see on the
 * screen. */
static bool scrape_url_ok(struct str url) {
    struct str rest = url;
    if (url.n > 2048 || !(str_starts(url, STR("http://")) || str_starts(url, STR("https://"))))
        return false;
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= ' ' || (unsigned char)url.p[i] == 0x7f)
            return false;
    rest = str_from_offset(url, str_find(url, STR("://")) + 3);
    size_t end = 0;
    while (end < rest.n && rest.p[end] && !strchr("/?#", rest.p[end]))
        end++;
    struct str host = str_sub(rest, 0, end), port;
    uint64_t number;
    if (host.n == 0 || host.p[0] == ':' || str_find_char(host, '@') != SIZE_MAX)
        return false;
    size_t colon = host.p[0] == '[' ? str_find_char(host, ']') : 0;
    if (colon == SIZE_MAX)
        return false;
    rest = str_from_offset(host, colon);
    colon = str_find_char(rest, ':');
    if (colon == SIZE_MAX)
        return true;
    port = str_from_offset(rest, colon + 1);
    return str_to_u64(port, &number) && number > 0 && number <= 65535;
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
        if (!scrape_url_ok(url) || job.n == 0 || job.n > 128)
            (void)err_set(
                &err, ERR_BAD_INPUT,
                "expected \"url\" (http:// or https://, a host, no user name, at most 2048 "
                "bytes) and \"job\" (1 to 128 bytes)");
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
