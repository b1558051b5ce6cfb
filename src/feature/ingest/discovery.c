#include "feature/ingest/discovery.h"

#include "base/hash.h"
#include "base/limits.h"
#include "os/file.h"
#include "os/thread.h"

#include <stdlib.h>

const char *discovery_kind_name(enum discovery_kind k) {
    static const char *const names[] = {"static", "file", "http", "dns"};
    return names[k];
}

int64_t discovery_interval_ms(const struct discovery_conf *c) {
    int64_t ms = INT64_MAX;
    if (c->kind == DISCOVERY_FILE) /* content is compared, so looking often costs little */
        ms = ((const struct ingest_file_sd *)c->conf)->refresh_interval_ms;
    if (c->kind == DISCOVERY_FILE && ms > DISCOVERY_FILE_POLL_MS)
        ms = DISCOVERY_FILE_POLL_MS;
    if (c->kind == DISCOVERY_HTTP)
        ms = ((const struct ingest_http_sd *)c->conf)->refresh_interval_ms;
    if (c->kind == DISCOVERY_DNS)
        ms = ((const struct ingest_dns_sd *)c->conf)->refresh_interval_ms;
    return ms < 100 ? 100 : ms;
}

static struct str joined(const struct conf_strs *s, struct arena *a) {
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < s->n; i++)
        buf_printf(&b, "%s%.*s", i ? ", " : "", STR_FMT(s->v[i]));
    struct str r = arena_str(a, buf_view(&b));
    buf_deinit(&b);
    return r;
}

struct str discovery_what(const struct discovery_conf *c, struct arena *a) {
    switch (c->kind) {
    case DISCOVERY_STATIC:
        return joined(&((const struct ingest_static *)c->conf)->targets, a);
    case DISCOVERY_FILE:
        return joined(&((const struct ingest_file_sd *)c->conf)->files, a);
    case DISCOVERY_HTTP:
        return arena_str(a, ((const struct ingest_http_sd *)c->conf)->url);
    case DISCOVERY_DNS:
        return joined(&((const struct ingest_dns_sd *)c->conf)->names, a);
    }
    return (struct str){NULL, 0};
}

/* ---- static ---- */

static bool ask_static(const struct ingest_static *s, struct arena *a, struct target_groups *out,
                       struct err *err) {
    struct target_group *g = ARENA_NEW(a, struct target_group);
    struct label *l = ARENA_ARRAY(a, struct label, s->labels.n + 1);
    if (!g || !l)
        return arena_err(a, err);
    g->targets = s->targets.v;
    g->n = s->targets.n;
    g->labels = l;
    g->n_labels = (uint32_t)s->labels.n;
    for (size_t i = 0; i < s->labels.n; i++)
        l[i] = (struct label){s->labels.key[i], s->labels.value[i]};
    *out = (struct target_groups){g, 1};
    return true;
}

/* ---- files ---- */

/* pattern has at most one '*'. */
static bool matches_star(struct str pattern, struct str name) {
    size_t at = str_find_char(pattern, '*');
    if (at == SIZE_MAX)
        return str_eq(pattern, name);
    struct str head = str_sub(pattern, 0, at), tail = str_from_offset(pattern, at + 1);
    return name.n >= head.n + tail.n && str_starts(name, head) && str_ends(name, tail) &&
           (name.p[0] != '.' || head.n); /* hidden files are half-written ones */
}

struct files {
    struct arena *a;
    struct target_groups all;
    uint64_t hash;
    struct buf *texts; /* one per file, for parsing when anything changed */
    const char **paths;
    size_t n, cap;
};

static bool read_one_file(struct files *f, const char *path, struct err *err) {
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 8;
        struct buf *t = realloc(f->texts, cap * sizeof(*t));
        if (t)
            f->texts = t;
        const char **p = realloc(f->paths, cap * sizeof(*p));
        if (p)
            f->paths = p;
        if (!t || !p)
            return err_set(err, ERR_INTERNAL, "no memory for discovery files");
        f->cap = cap;
    }
    f->texts[f->n] = BUF_INIT;
    f->paths[f->n] = path;
    struct buf *b = &f->texts[f->n++];
    if (!file_read(path, DISCOVERY_FILE_BYTES_MAX, b, err))
        return false;
    f->hash = hash_mix(f->hash, hash_mix(hash_bytes(path, strlen(path)), hash_str(buf_view(b))));
    return true;
}

static bool read_files(struct files *f, struct str pattern, struct err *err) {
    size_t slash = SIZE_MAX;
    for (size_t i = 0; i < pattern.n; i++)
        if (pattern.p[i] == '/')
            slash = i;
    struct str dir = slash == SIZE_MAX ? STR(".")
                     : slash == 0      ? STR("/")
                                       : str_sub(pattern, 0, slash);
    struct str last = slash == SIZE_MAX ? pattern : str_from_offset(pattern, slash + 1);
    if (str_find_char(last, '*') == SIZE_MAX) {
        const char *path = arena_strz(f->a, pattern);
        return path ? read_one_file(f, path, err) : arena_err(f->a, err);
    }
    char **names = NULL;
    size_t n = 0;
    const char *d = arena_strz(f->a, dir);
    if (!d)
        return arena_err(f->a, err);
    if (!file_list(d, f->a, &names, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!matches_star(last, str_from(names[i])))
            continue;
        struct str path = arena_printf(f->a, "%s/%s", d, names[i]);
        if (!path.p)
            return arena_err(f->a, err);
        if (!read_one_file(f, path.p, err))
            return false;
    }
    return true;
}

static bool parse_file(struct files *f, size_t i, struct err *err) {
    struct str text = arena_str(f->a, buf_view(&f->texts[i])), path = str_from(f->paths[i]);
    struct target_groups g = {.n = 0};
    if (text.n &&
        !(str_ends(path, STR(".json")) ? target_groups_from_json(text, f->a, &g, err)
                                       : target_groups_from_yaml(text, f->paths[i], f->a, &g, err)))
        return err_prefix(err, "%s", f->paths[i]);
    struct target_group *v = ARENA_ARRAY(f->a, struct target_group, f->all.n + g.n + 1);
    if (!v)
        return arena_err(f->a, err);
    if (f->all.n)
        memcpy(v, f->all.v, f->all.n * sizeof(*v));
    for (size_t k = 0; k < g.n; k++) {
        struct target_group *t = &g.v[k];
        struct label *l = ARENA_ARRAY(f->a, struct label, t->n_labels + 1u);
        if (!l)
            return arena_err(f->a, err);
        if (t->n_labels)
            memcpy(l, t->labels, t->n_labels * sizeof(*l));
        l[t->n_labels++] = (struct label){STR("__meta_filepath"), path};
        t->labels = l;
        t->source = path;
        v[f->all.n + k] = *t;
    }
    f->all = (struct target_groups){v, f->all.n + g.n};
    return true;
}

static bool ask_files(const struct ingest_file_sd *c, uint64_t *memory, struct arena *a,
                      struct target_groups *out, bool *out_unchanged, struct err *err) {
    struct files f = {.a = a, .hash = 1};
    bool ok = true;
    for (size_t i = 0; ok && i < c->files.n; i++)
        ok = read_files(&f, c->files.v[i], err);
    if (!ok) {
        *memory = 0;
    } else if (f.hash == *memory) {
        *out_unchanged = true;
    } else {
        *memory = f.hash; /* also of files that do not parse: once is enough */
        for (size_t i = 0; ok && i < f.n; i++)
            ok = parse_file(&f, i, err);
        if (ok)
            *out = f.all;
    }
    for (size_t i = 0; i < f.n; i++)
        buf_deinit(&f.texts[i]);
    free(f.texts);
    free(f.paths);
    return ok;
}

/* ---- HTTP ---- */

void discovery_http_options(const struct ingest_http *h, struct http_call *call, struct arena *a,
                            struct http_header *auth_header, bool *out_has_auth_header) {
    *out_has_auth_header = false;
    call->follow_redirects = h->follow_redirects;
    if (h->basic_auth) {
        call->user = arena_strz(a, h->basic_auth->username);
        call->password = arena_strz(a, h->basic_auth->password);
    }
    if (h->authorization && str_eq_nocase(h->authorization->type, STR("bearer"))) {
        call->bearer = arena_strz(a, str_trim(h->authorization->credentials));
    } else if (h->authorization) {
        struct str c = str_trim(h->authorization->credentials);
        struct str v = arena_printf(a, "%.*s %.*s", STR_FMT(h->authorization->type), STR_FMT(c));
        *auth_header = (struct http_header){STR("Authorization"), v};
        *out_has_auth_header = true;
    }
    if (h->tls) {
        call->ca_file = h->tls->ca_file.n ? h->tls->ca_file.p : NULL;
        call->cert_file = h->tls->cert_file.n ? h->tls->cert_file.p : NULL;
        call->key_file = h->tls->key_file.n ? h->tls->key_file.p : NULL;
        call->server_name = h->tls->server_name.n ? h->tls->server_name.p : NULL;
        call->insecure_skip_verify = h->tls->insecure_skip_verify;
    }
    call->proxy = h->proxy_url.n ? h->proxy_url.p : NULL;
}

/* http_client_do would still touch a client that is being freed under it; this waits for the answer
 * alone. */
struct waiting {
    struct mutex lock;
    struct cond changed;
    bool done;
    int status;
    char *body;
    size_t n;
    bool json;
    struct err err;
};

static void answered(void *arg, struct http_reply *r) {
    struct waiting *w = arg;
    mutex_lock(&w->lock);
    w->status = r->status;
    w->err = r->err;
    w->json = str_starts(http_reply_header(r, "content-type"), STR("application/json"));
    w->body = buf_take(&r->body, &w->n);
    w->done = true;
    cond_signal(&w->changed);
    mutex_unlock(&w->lock);
}

static bool check_answer(const struct waiting *w, struct err *err) {
    if (w->err.code != ERR_OK) {
        if (err)
            *err = w->err;
        return false;
    }
    if (w->status != 200)
        return err_set(err, ERR_UNAVAILABLE, "the discovery service answered HTTP %d", w->status);
    return w->json || err_set(err, ERR_BAD_INPUT,
                              "the discovery service must answer Content-Type application/json");
}

static bool call_and_wait(const struct discovery_env *env, const struct http_call *call,
                          struct waiting *w, struct err *err) {
    mutex_lock(env->lock);
    bool started = *env->stopping ? err_set(err, ERR_CANCELED, "stopping")
                                  : http_client_start(env->http, call, answered, w, err);
    mutex_unlock(env->lock);
    if (!started)
        return false;
    mutex_lock(&w->lock);
    while (!w->done)
        cond_wait(&w->changed, &w->lock);
    mutex_unlock(&w->lock);
    return check_answer(w, err);
}

static bool ask_http(const struct ingest_http_sd *c, const struct discovery_env *env,
                     uint64_t *memory, struct arena *a, struct target_groups *out,
                     bool *out_unchanged, struct err *err) {
    char seconds[32];
    int64_t timeout_ms = c->refresh_interval_ms < 10000 ? c->refresh_interval_ms : 10000;
    struct buf sb = BUF_INIT;
    buf_i64(&sb, c->refresh_interval_ms / 1000);
    size_t sn = sb.n < sizeof(seconds) ? sb.n : 0;
    memcpy(seconds, sb.p, sn);
    buf_deinit(&sb);
    struct http_header headers[4] = {
        {STR("Accept"), STR("application/json")},
        {STR("User-Agent"), str_from(env->user_agent)},
        {STR("X-Prometheus-Refresh-Interval-Seconds"), str_make(seconds, sn)},
    };
    struct http_call call = {.method = "GET",
                             .url = c->url.p,
                             .headers = headers,
                             .n_headers = 3,
                             .timeout_ms = timeout_ms,
                             .body_max = DISCOVERY_HTTP_BYTES_MAX,
                             .accept_compressed = true};
    bool extra;
    discovery_http_options(&c->http, &call, a, &headers[3], &extra);
    call.n_headers += extra;
    struct waiting w = {.done = false};
    mutex_init(&w.lock);
    cond_init(&w.changed);
    bool ok = call_and_wait(env, &call, &w, err);
    struct str body = str_make(w.body, w.n);
    uint64_t hash = ok ? hash_str(body) | 1 : 0;
    if (ok && hash == *memory) {
        *out_unchanged = true;
    } else if (ok) {
        ok = target_groups_from_json(body, a, out, err);
        if (ok)
            *memory = hash;
    }
    for (size_t i = 0; ok && !*out_unchanged && i < out->n; i++) {
        struct target_group *g = &out->v[i];
        struct label *l = ARENA_ARRAY(a, struct label, g->n_labels + 1u);
        if (!l) {
            ok = arena_err(a, err);
            break;
        }
        if (g->n_labels)
            memcpy(l, g->labels, g->n_labels * sizeof(*l));
        l[g->n_labels++] = (struct label){STR("__meta_url"), c->url};
        g->labels = l;
        g->source = c->url;
    }
    free(w.body);
    cond_deinit(&w.changed);
    mutex_deinit(&w.lock);
    return ok;
}

/* ---- DNS ---- */

static enum dns_type type_of(int t) {
    switch ((enum ingest_dns_type)t) {
    case INGEST_DNS_SRV:
        return DNS_SRV;
    case INGEST_DNS_A:
        return DNS_A;
    case INGEST_DNS_AAAA:
        return DNS_AAAA;
    case INGEST_DNS_MX:
        return DNS_MX;
    case INGEST_DNS_NS:
        return DNS_NS;
    }
    return DNS_SRV;
}

/* The labels of one record, as Prometheus names them; n_own is the same for all records of a type.
 */
static uint32_t record_labels(enum dns_type type, const struct dns_record *r, struct label *l,
                              struct arena *a) {
    switch (type) {
    case DNS_SRV:
        l[0] = (struct label){STR("__meta_dns_srv_record_target"),
                              arena_printf(a, "%.*s.", (int)r->name.n, r->name.p)};
        l[1] = (struct label){STR("__meta_dns_srv_record_port"), arena_printf(a, "%u", r->port)};
        return 2;
    case DNS_MX:
        l[0] = (struct label){STR("__meta_dns_mx_record_target"),
                              arena_printf(a, "%.*s.", (int)r->name.n, r->name.p)};
        return 1;
    case DNS_NS:
        l[0] = (struct label){STR("__meta_dns_ns_record_target"),
                              arena_printf(a, "%.*s.", (int)r->name.n, r->name.p)};
        return 1;
    case DNS_A:
    case DNS_AAAA:
        break;
    }
    return 0;
}

static bool dns_group(const struct ingest_dns_sd *c, enum dns_type type, struct str name,
                      const struct dns_record *r, size_t n, struct arena *a, struct target_group *g,
                      struct err *err) {
    g->targets = ARENA_ARRAY(a, struct str, n + 1);
    g->own = ARENA_ARRAY(a, struct label, n * 2 + 2);
    g->labels = ARENA_ARRAY(a, struct label, 1);
    if (!g->targets || !g->own || !g->labels)
        return arena_err(a, err);
    g->labels[0] = (struct label){STR("__meta_dns_name"), name};
    g->n_labels = 1;
    g->source = name;
    for (size_t i = 0; i < n; i++) {
        unsigned port = type == DNS_SRV ? r[i].port : (unsigned)c->port;
        if (type == DNS_AAAA)
            g->targets[i] = arena_printf(a, "[%.*s]:%u", (int)r[i].name.n, r[i].name.p, port);
        else
            g->targets[i] = arena_printf(a, "%.*s:%u", (int)r[i].name.n, r[i].name.p, port);
        g->n_own = record_labels(type, &r[i], &g->own[i * g->n_own], a);
    }
    g->n = n;
    return !a->failed || arena_err(a, err);
}

static bool ask_dns(const struct ingest_dns_sd *c, const struct discovery_env *env, struct arena *a,
                    struct target_groups *out, struct err *err) {
    struct target_groups all = {.v = ARENA_ARRAY(a, struct target_group, c->names.n + 1)};
    struct dns_options opt = {.servers = env->dns_servers, .timeout_ms = 5000};
    enum dns_type type = type_of(c->type);
    if (!all.v)
        return arena_err(a, err);
    for (size_t i = 0; i < c->names.n; i++) {
        struct dns_record *r = NULL;
        size_t n = 0;
        const char *name = arena_strz(a, c->names.v[i]);
        if (!name)
            return arena_err(a, err);
        struct err e;
        /* A name that is gone has no targets; a server that fails changes nothing. */
        if (!dns_lookup(&opt, name, type, a, &r, &n, &e) && e.code != ERR_NOT_FOUND) {
            if (err)
                *err = e;
            return false;
        }
        if (!dns_group(c, type, c->names.v[i], r, n, a, &all.v[all.n++], err))
            return false;
    }
    *out = all;
    return true;
}

bool discovery_ask(const struct discovery_conf *c, const struct discovery_env *env,
                   uint64_t *memory, struct arena *a, struct target_groups *out,
                   bool *out_unchanged, struct err *err) {
    *out_unchanged = false;
    switch (c->kind) {
    case DISCOVERY_STATIC:
        return ask_static(c->conf, a, out, err);
    case DISCOVERY_FILE:
        return ask_files(c->conf, memory, a, out, out_unchanged, err);
    case DISCOVERY_HTTP:
        return ask_http(c->conf, env, memory, a, out, out_unchanged, err);
    case DISCOVERY_DNS:
        return ask_dns(c->conf, env, a, out, err);
    }
    return false;
}
