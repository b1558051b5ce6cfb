#include "feature/notify/receiver_testlib.h"

#include "codec/json.h"
#include "net/http_server.h"
#include "os/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct accepted {
    char path[64];
    char *body;
    size_t n;
    int64_t at_ms;
};
struct planned {
    char path[64], body[64], retry_after[40];
    int left, status;
};
struct receiver_double {
    struct http_server *server;
    struct mutex lock;
    struct accepted *v;
    size_t n, cap;
    struct planned plan[16];
    size_t n_plan;
    size_t refused[600];
    int64_t pace_ms;
};

static size_t chars(struct str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* NULL: fine; else Slack's word for what is wrong. */
static const char *check_blocks(const struct jsonr *blocks) {
    if (jsonr_len(blocks) > 50)
        return "invalid_blocks";
    for (size_t i = 0; i < jsonr_len(blocks); i++) {
        const struct jsonr *b = jsonr_at(blocks, i);
        struct str type = jsonr_get_str(b, "type"),
                   text = jsonr_get_str(jsonr_get(b, "text"), "text");
        if (!str_eqz(type, "section") && !str_eqz(type, "header") && !str_eqz(type, "context") &&
            !str_eqz(type, "divider"))
            return "invalid_blocks";
        if (str_eqz(type, "section") && (text.n == 0 || chars(text) > 3000))
            return "invalid_blocks";
        if (str_eqz(type, "header") && (text.n == 0 || chars(text) > 150))
            return "invalid_blocks";
        if (str_eqz(type, "context") &&
            (jsonr_len(jsonr_get(b, "elements")) == 0 || jsonr_len(jsonr_get(b, "elements")) > 10))
            return "invalid_blocks";
    }
    return NULL;
}

static const char *check_slack(struct str body) {
    struct err e;
    struct jsonr_doc *doc = jsonr_parse(body, &e);
    if (!doc)
        return "invalid_payload";
    const struct jsonr *root = jsonr_root(doc), *att = jsonr_get(root, "attachments");
    const char *wrong = NULL;
    struct str text = jsonr_get_str(root, "text");
    if (text.n == 0 && jsonr_len(att) == 0)
        wrong = "no_text";
    else if (chars(text) > 40000 || !str_is_utf8(body))
        wrong = "invalid_payload";
    else if (jsonr_len(att) > 100)
        wrong = "too_many_attachments";
    for (size_t i = 0; !wrong && i < jsonr_len(att); i++)
        wrong = check_blocks(jsonr_get(jsonr_at(att, i), "blocks"));
    jsonr_free(doc);
    return wrong;
}

static void answer(struct receiver_double *d, struct http_res *res, int status, const char *body) {
    res->status = status;
    buf_putz(&res->body, body);
    d->refused[status]++;
}

static bool planned(struct receiver_double *d, struct http_req *r, struct http_res *res) {
    for (size_t i = 0; i < d->n_plan; i++) {
        struct planned *p = &d->plan[i];
        if (p->left == 0 || !str_starts(r->path, str_from(p->path)))
            continue;
        p->left--;
        if (p->retry_after[0])
            http_res_header(r, res, "Retry-After", str_from(p->retry_after));
        answer(d, res, p->status, p->body);
        return true;
    }
    return false;
}

static void handle(void *self, struct http_req *r, struct http_res *res) {
    struct receiver_double *d = self;
    bool slack = str_starts(r->path, STR("/services/"));
    int64_t now = clock_mono_ms(clock_system());
    mutex_lock(&d->lock);
    if (planned(d, r, res)) {
        mutex_unlock(&d->lock);
        return;
    }
    for (size_t i = d->n; slack && d->pace_ms && i > 0; i--)
        if (str_eqz(r->path, d->v[i - 1].path)) {
            if (now - d->v[i - 1].at_ms < d->pace_ms) {
                http_res_header(r, res, "Retry-After", STR("1"));
                answer(d, res, 429, "rate_limited");
                mutex_unlock(&d->lock);
                return;
            }
            break;
        }
    const char *wrong = slack ? check_slack(r->body) : NULL;
    if (wrong) {
        answer(d, res, 400, wrong);
        mutex_unlock(&d->lock);
        return;
    }
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 64;
        d->v = realloc(d->v, d->cap * sizeof(*d->v));
        assert(d->v);
    }
    struct accepted *x = &d->v[d->n++];
    (void)snprintf(x->path, sizeof(x->path), "%.*s", STR_FMT(r->path));
    x->body = malloc(r->body.n + 1);
    assert(x->body);
    memcpy(x->body, r->body.p ? r->body.p : "", r->body.n);
    x->body[r->body.n] = 0;
    x->n = r->body.n;
    x->at_ms = now;
    answer(d, res, 200, "ok");
    mutex_unlock(&d->lock);
}

struct receiver_double *receiver_double_new(int64_t pace_ms) {
    struct receiver_double *d = calloc(1, sizeof(*d));
    static struct http_route routes[1];
    struct err err = {0};
    assert(d);
    mutex_init(&d->lock);
    d->pace_ms = pace_ms;
    routes[0] = (struct http_route){
        .method = "POST", .path = "/*", .pool = HTTP_POOL_FAST, .handle = handle, .self = d};
    struct http_server_options opt = {.listen = {.address = "127.0.0.1:0"},
                                      .routes = routes,
                                      .n_routes = 1,
                                      .clock = clock_system()};
    d->server = http_server_new(&opt, &err);
    if (!d->server) {
        (void)fprintf(stderr, "%s\n", err.message);
        abort();
    }
    return d;
}

uint16_t receiver_double_port(const struct receiver_double *d) {
    return http_server_port(d->server);
}

void receiver_double_free(struct receiver_double *d) {
    http_server_free(d->server, DUR_MS(200));
    for (size_t i = 0; i < d->n; i++)
        free(d->v[i].body);
    free(d->v);
    mutex_deinit(&d->lock);
    free(d);
}

void receiver_double_fail(struct receiver_double *d, const char *path, int n, int status,
                          const char *body, const char *retry_after) {
    mutex_lock(&d->lock);
    assert(d->n_plan < 16);
    struct planned *p = &d->plan[d->n_plan++];
    (void)snprintf(p->path, sizeof(p->path), "%s", path);
    (void)snprintf(p->body, sizeof(p->body), "%s", body);
    (void)snprintf(p->retry_after, sizeof(p->retry_after), "%s", retry_after ? retry_after : "");
    p->left = n;
    p->status = status;
    mutex_unlock(&d->lock);
}

size_t receiver_double_count(struct receiver_double *d, const char *path) {
    size_t n = 0;
    mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n; i++)
        n += str_starts(str_from(d->v[i].path), str_from(path));
    mutex_unlock(&d->lock);
    return n;
}

struct str receiver_double_body(struct receiver_double *d, const char *path, size_t nth) {
    struct str out = {NULL, 0};
    mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n; i++)
        if (str_starts(str_from(d->v[i].path), str_from(path)) && nth-- == 0) {
            out = (struct str){d->v[i].body, d->v[i].n};
            break;
        }
    mutex_unlock(&d->lock);
    return out;
}

size_t receiver_double_refused(struct receiver_double *d, int status) {
    mutex_lock(&d->lock);
    size_t n = d->refused[status];
    mutex_unlock(&d->lock);
    return n;
}
