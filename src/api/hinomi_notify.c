/* notify/receivers, test, outbox. */
#include "api/api_int.h"
#include "codec/jsonr.h"

static const char *missing = "the notifier";

static void put_delivery(struct jsonw *w, const struct notify_delivery *d) {
    jsonw_object(w);
    jsonw_key(w, "id");
    jsonw_printf(w, "%lld", (long long)d->id);
    jsonw_kstr(w, "receiver", d->receiver);
    jsonw_kstr(w, "kind", d->kind);
    jsonw_kstr(w, "title", d->title);
    jsonw_kz(w, "state", notify_state_name(d->state));
    jsonw_ki64(w, "attempts", d->attempts);
    jsonw_ki64(w, "created_ms", d->created_ms);
    jsonw_kms(w, "next_attempt_ms", d->next_attempt_ms ? d->next_attempt_ms : OVERVIEW_UNKNOWN);
    jsonw_kms(w, "delivered_ms", d->delivered_ms ? d->delivered_ms : OVERVIEW_UNKNOWN);
    jsonw_kstr_or_null(w, "last_error", d->last_error);
    jsonw_end(w);
}

static void put_receiver(struct jsonw *w, const struct notify_receiver *v) {
    jsonw_object(w);
    jsonw_kstr(w, "name", v->name);
    jsonw_kstr(w, "kind", v->kind);
    jsonw_kstr_or_null(w, "channel", v->channel);
    jsonw_kz(w, "origin", v->declared ? "declared" : "overridden");
    jsonw_kbool(w, "is_default", v->is_default);
    jsonw_kms(w, "last_delivery_ms", v->last_delivery_ms ? v->last_delivery_ms : OVERVIEW_UNKNOWN);
    jsonw_kz(w, "last_state", v->has_last ? notify_state_name(v->last_state) : NULL);
    jsonw_kstr_or_null(w, "last_error", v->last_error);
    jsonw_end(w);
}

void hinomi_receivers(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct notify_receiver *v = NULL;
    size_t n = 0;
    if (!api->d.notify) {
        api_missing(r, res, missing);
        return;
    }
    if (!notify_receivers(api->d.notify, r->arena, &v, &n, &err)) {
        http_res_error(r, res, &err);
        return;
    }
    api_json(r, res, 200);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_karray(&w, "receivers");
    for (size_t i = 0; i < n; i++)
        put_receiver(&w, &v[i]);
    jsonw_end(&w);
    jsonw_end(&w);
}

static bool create(struct api *api, struct http_req *r, struct http_res *res,
                   const struct jsonr *body, struct err *err) {
    struct notify_receiver_new in = {.name = jsonr_get_str(body, "name"),
                                     .kind = jsonr_get_str(body, "kind"),
                                     .url = jsonr_get_str(body, "url"),
                                     .channel = jsonr_get_str(body, "channel"),
                                     .created_by = door_actor(r).name};
    struct notify_receiver *v = NULL;
    size_t n = 0;
    if (!notify_receiver_add(api->d.notify, &in, err))
        return false;
    door_audit(api, r, "receiver.create", in.name, in.kind);
    if (!notify_receivers(api->d.notify, r->arena, &v, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(v[i].name, in.name))
            continue;
        api_json(r, res, 201);
        struct jsonw w = JSONW_INIT(&res->body);
        put_receiver(&w, &v[i]);
        return true;
    }
    return err_set(err, ERR_CONFLICT, "the receiver was removed again at once");
}

void hinomi_receiver_create(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    if (!api->d.notify) {
        api_missing(r, res, missing);
        return;
    }
    struct jsonr_doc *doc = api_body_json(r, &err);
    if (!doc || !create(api, r, res, jsonr_root(doc), &err))
        http_res_error(r, res, &err);
    if (doc)
        jsonr_free(doc);
}

void hinomi_receiver_delete(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct str name = http_req_path_part(r, 0);
    if (!api->d.notify) {
        api_missing(r, res, missing);
    } else if (notify_receiver_delete(api->d.notify, name, &err)) {
        door_audit(api, r, "receiver.delete", name, STR(""));
        res->status = 204;
    } else {
        http_res_error(r, res, &err);
    }
}

enum { TEST_WAIT_MS = 10000 };

void hinomi_notify_test(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct notify_delivery *d = ARENA_NEW(r->arena, struct notify_delivery);
    if (!api->d.notify || !d) {
        api_missing(r, res, missing);
        return;
    }
    struct jsonr_doc *doc = api_body_json(r, &err);
    struct str name =
        doc ? arena_str(r->arena, jsonr_get_str(jsonr_root(doc), "receiver")) : STR("");
    if (doc)
        jsonr_free(doc);
    if (doc && name.n == 0)
        (void)err_set(&err, ERR_BAD_INPUT, "expected \"receiver\": the name of one");
    if (err.code || !notify_test(api->d.notify, name, TEST_WAIT_MS, r->arena, d, &err)) {
        http_res_error(r, res, &err);
        return;
    }
    door_audit(api, r, "receiver.test", name, str_from(notify_state_name(d->state)));
    api_json(r, res, 200);
    struct jsonw w = JSONW_INIT(&res->body);
    put_delivery(&w, d);
}

void hinomi_outbox(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    struct notify_delivery *v = NULL;
    size_t n = 0;
    int64_t limit;
    if (!api->d.notify) {
        api_missing(r, res, missing);
        return;
    }
    if (!api_param_int(r, "limit", 100, 1, 500, &limit, &err) ||
        !notify_outbox(api->d.notify, (size_t)limit, r->arena, &v, &n, &err)) {
        http_res_error(r, res, &err);
        return;
    }
    api_json(r, res, 200);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    jsonw_karray(&w, "deliveries");
    for (size_t i = 0; i < n; i++)
        put_delivery(&w, &v[i]);
    jsonw_end(&w);
    jsonw_end(&w);
}
