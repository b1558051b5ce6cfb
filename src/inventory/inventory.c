#include "inventory/inventory.h"

#include "base/limits.h"
#include "base/log.h"
#include "codec/json.h"
#include "inventory/inventory_internal.h"

#include <stdlib.h>

#define SEEN_GRAIN_MS                                                                              \
    10000 /* last_seen in snapshots is no finer: it must not make a new one every second */
#define NAME_BYTES_MAX 128

const char *inventory_origin_name(enum inventory_origin o) {
    static const char *const names[] = {"observed", "overridden", "declared"};
    return names[o];
}

const char *inventory_edge_name(enum inventory_edge_kind k) {
    static const char *const names[] = {"runs_on", "depends_on", "owned_by", "listens_on",
                                        "notifies"};
    return names[k];
}

struct str inventory_fold(struct arena *a, struct str name) {
    char *p = arena_alloc(a, name.n + 1);
    if (!p)
        return STR("");
    for (size_t i = 0; i < name.n; i++)
        p[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
    p[name.n] = '\0';
    return str_make(p, name.n);
}

/* ---- life ---- */

static void free_values(struct map *m, void (*f)(void *)) {
    for (struct map_entry *e = map_next(m, NULL); e; e = map_next(m, e))
        f(e->value);
    map_deinit(m);
}

static void free_host(void *p) {
    free(((struct observed_host *)p)->text);
    free(p);
}
static void free_endpoint(void *p) {
    free(((struct observed_endpoint *)p)->text);
    free(p);
}
static void free_overridden(void *p) {
    free(((struct overridden_service *)p)->text);
    free(p);
}

void inventory_close(struct inventory *inv) {
    if (!inv)
        return;
    inventory_unref(inv->current);
    free_values(&inv->services, free);
    free_values(&inv->hosts, free_host);
    free_values(&inv->endpoints, free_endpoint);
    free_values(&inv->overridden, free_overridden);
    map_deinit(&inv->aliases);
    arena_deinit(&inv->declared_arena);
    mutex_deinit(&inv->lock);
    free(inv);
}

/* One block with copies of n strings; *s[i] then point into it. NULL: no memory. */
static char *own(struct str *const *s, size_t n) {
    size_t bytes = 1;
    for (size_t i = 0; i < n; i++)
        bytes += s[i]->n;
    char *text = malloc(bytes), *p = text;
    if (!text)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (s[i]->n)
            memcpy(p, s[i]->p, s[i]->n);
        *s[i] = s[i]->n ? str_make(p, s[i]->n) : (struct str){NULL, 0};
        p += s[i]->n;
    }
    return text;
}

static bool add_overridden(struct inventory *inv, struct str id,
                           const struct inventory_service_edit *e, int64_t created_ms,
                           struct err *err) {
    struct overridden_service *o = calloc(1, sizeof(*o));
    if (o) {
        o->e = *e;
        o->created_ms = created_ms;
        struct str *texts[] = {&o->e.name, &o->e.description, &o->e.owner, &o->e.channel,
                               &o->e.url};
        o->text = own(texts, 5);
    }
    void *old = NULL;
    if (!o || !o->text || !map_put(&inv->overridden, id, o, &old)) {
        if (o)
            free_overridden(o);
        return err_set(err, ERR_INTERNAL, "out of memory");
    }
    if (old)
        free_overridden(old);
    inv->dirty = true;
    return true;
}

static bool load(struct inventory *inv, struct err *err) {
    struct state_tx *tx = state_begin_read(inv->state, err);
    if (!tx)
        return false;
    struct state_rows *r = state_query(
        tx, err,
        "SELECT id,body,changed_ms FROM inventory_overrides WHERE kind='service' ORDER BY id", "");
    bool ok = r != NULL;
    struct err row = {0};
    while (ok && state_next(r, &row)) {
        struct jsonr_doc *doc = jsonr_parse(state_str(r, 1), err);
        ok = doc != NULL;
        if (ok) {
            const struct jsonr *root = jsonr_root(doc);
            struct inventory_service_edit e = {
                jsonr_get_str(root, "name"), jsonr_get_str(root, "description"),
                jsonr_get_str(root, "owner"), jsonr_get_str(root, "channel"),
                jsonr_get_str(root, "url")};
            ok = add_overridden(inv, state_str(r, 0), &e, state_int(r, 2), err);
        }
        jsonr_free(doc);
    }
    if (ok && row.code != ERR_OK) {
        *err = row;
        ok = false;
    }
    if (r)
        state_rows_free(r);
    state_rollback(tx);
    return ok;
}

struct inventory *inventory_open(struct state *state, const struct clock *clock, struct err *err) {
    struct inventory *inv = calloc(1, sizeof(*inv));
    if (!inv) {
        err_set(err, ERR_INTERNAL, "out of memory");
        return NULL;
    }
    mutex_init(&inv->lock);
    inv->state = state;
    inv->clock = *clock;
    inv->dirty = true;
    if (state && !load(inv, err)) {
        inventory_close(inv);
        return NULL;
    }
    return inv;
}

/* ---- declared ---- */

static bool copy_strs(struct arena *a, struct conf_strs *s) {
    struct str *v = ARENA_ARRAY(a, struct str, s->n + 1);
    for (size_t i = 0; v && i < s->n; i++)
        v[i] = arena_str(a, s->v[i]);
    s->v = v;
    return v != NULL;
}

static struct str copy_str(struct arena *a, struct str s) {
    return s.n ? arena_str(a, s) : (struct str){NULL, 0};
}

static void copy_at(struct arena *a, struct conf_source *at) {
    if (at->file)
        at->file = arena_strz(a, str_from(at->file));
}

static void *copy_list(struct arena *a, const struct conf_list *l, size_t size) {
    void *v = arena_array(a, l->n + 1, size);
    if (v && l->n)
        memcpy(v, l->v, l->n * size);
    return v;
}

static bool add_aliases(struct arena *a, struct map *m, const char *kind,
                        const struct conf_strs *names, struct str id) {
    for (size_t i = 0; i < names->n; i++) {
        struct buf key = BUF_INIT;
        buf_putz(&key, kind);
        buf_putc(&key, '\0');
        buf_puts(&key, names->v[i]);
        char *value = arena_strz(a, id);
        /* the first service that claims a name has it */
        bool ok = buf_ok(&key) && value &&
                  (map_find(m, buf_view(&key)) || map_put(m, buf_view(&key), value, NULL));
        buf_deinit(&key);
        if (!ok)
            return false;
    }
    return true;
}

static bool copy_config(struct arena *a, const struct inventory_config *from,
                        struct inventory_config *to, struct map *aliases) {
    *to = *from;
    struct inventory_service_config *s = to->services.v =
        copy_list(a, &from->services, sizeof(struct inventory_service_config));
    struct inventory_host_config *h = to->hosts.v = copy_list(a, &from->hosts, sizeof(*h));
    struct inventory_owner_config *o = to->owners.v = copy_list(a, &from->owners, sizeof(*o));
    struct inventory_channel_config *c = to->channels.v = copy_list(a, &from->channels, sizeof(*c));
    if (!s || !h || !o || !c)
        return false;
    for (size_t i = 0; i < to->services.n; i++) {
        struct str *texts[] = {&s[i].name, &s[i].description, &s[i].owner, &s[i].channel,
                               &s[i].url};
        for (size_t k = 0; k < 5; k++)
            *texts[k] = copy_str(a, *texts[k]);
        copy_at(a, &s[i].at);
        if (!copy_strs(a, &s[i].runs_on) || !copy_strs(a, &s[i].depends_on) ||
            !copy_strs(a, &s[i].match.job) || !copy_strs(a, &s[i].match.service))
            return false;
        struct str id = inventory_fold(a, s[i].name);
        if (!add_aliases(a, aliases, "job", &s[i].match.job, id) ||
            !add_aliases(a, aliases, "service", &s[i].match.service, id))
            return false;
    }
    for (size_t i = 0; i < to->hosts.n; i++) {
        h[i].name = copy_str(a, h[i].name);
        h[i].owner = copy_str(a, h[i].owner);
        copy_at(a, &h[i].at);
    }
    for (size_t i = 0; i < to->owners.n; i++) {
        o[i].name = copy_str(a, o[i].name);
        o[i].email = copy_str(a, o[i].email);
        o[i].channel = copy_str(a, o[i].channel);
        copy_at(a, &o[i].at);
    }
    for (size_t i = 0; i < to->channels.n; i++) {
        c[i].name = copy_str(a, c[i].name);
        c[i].kind = copy_str(a, c[i].kind);
        copy_at(a, &c[i].at);
    }
    return !a->failed;
}

bool inventory_declare(struct inventory *inv, const struct inventory_config *config,
                       struct err *err) {
    struct arena a = ARENA_INIT;
    struct inventory_config copy;
    struct map aliases = MAP_INIT;
    if (!copy_config(&a, config, &copy, &aliases)) {
        map_deinit(&aliases);
        arena_deinit(&a);
        return err_set(err, ERR_INTERNAL, "out of memory");
    }
    mutex_lock(&inv->lock);
    arena_deinit(&inv->declared_arena);
    map_deinit(&inv->aliases);
    inv->declared_arena = a;
    inv->declared = copy;
    inv->aliases = aliases;
    inv->dirty = true;
    mutex_unlock(&inv->lock);
    return true;
}

/* ---- observed ---- */

static bool later(int64_t *last, int64_t at_ms) {
    int64_t grain = at_ms - at_ms % SEEN_GRAIN_MS;
    if (grain <= *last)
        return false;
    *last = grain;
    return true;
}

static bool id_of(struct buf *out, struct str name) {
    buf_reset(out);
    for (size_t i = 0; i < name.n; i++)
        buf_putc(out, name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i]);
    return buf_ok(out) && out->n > 0;
}

void inventory_see_host(struct inventory *inv, const struct inventory_host_seen *h) {
    struct buf id = BUF_INIT;
    if (h->name.n == 0 || h->name.n > LIMIT_LABEL_VALUE_BYTES || !id_of(&id, h->name)) {
        buf_deinit(&id);
        return;
    }
    mutex_lock(&inv->lock);
    struct observed_host *o = map_get(&inv->hosts, buf_view(&id));
    const struct inventory_host_seen *was = o ? &o->seen : NULL;
    /* whoever only knows the name does not wipe out what another source told */
    struct inventory_host_seen now = *h;
    if (was) {
        now.os = h->os.n ? h->os : was->os;
        now.kernel = h->kernel.n ? h->kernel : was->kernel;
        now.architecture = h->architecture.n ? h->architecture : was->architecture;
        now.cpus = h->cpus != INVENTORY_UNKNOWN ? h->cpus : was->cpus;
        now.memory_bytes =
            h->memory_bytes != INVENTORY_UNKNOWN ? h->memory_bytes : was->memory_bytes;
        now.is_self = h->is_self || was->is_self;
        now.in_container = h->in_container || was->in_container;
        now.at_ms = was->at_ms;
    } else {
        now.at_ms = 0;
    }
    bool changed = later(&now.at_ms, h->at_ms);
    if (was)
        changed = changed || !str_eq(now.os, was->os) || !str_eq(now.kernel, was->kernel) ||
                  !str_eq(now.architecture, was->architecture) || now.cpus != was->cpus ||
                  now.memory_bytes != was->memory_bytes || now.is_self != was->is_self;
    if (changed && (was || inv->hosts.n_live < INVENTORY_OBJECTS_MAX)) {
        struct observed_host *n = calloc(1, sizeof(*n));
        struct str *texts[] = {&now.name, &now.os, &now.kernel, &now.architecture};
        char *text = n ? own(texts, 4) : NULL;
        void *old = NULL;
        if (text) {
            n->seen = now;
            n->text = text;
        }
        if (text && map_put(&inv->hosts, buf_view(&id), n, &old)) {
            if (old)
                free_host(old);
            inv->dirty = true;
        } else if (n) {
            free(text);
            free(n);
        }
    }
    mutex_unlock(&inv->lock);
    buf_deinit(&id);
}

static void endpoint_id(struct buf *out, const struct inventory_endpoint_seen *e) {
    buf_puts(out, e->host);
    buf_putc(out, '/');
    buf_puts(out, e->proto);
    buf_putc(out, '/');
    buf_puts(out, e->address);
    buf_putc(out, ':');
    buf_i64(out, e->port);
}

void inventory_see_endpoint(struct inventory *inv, const struct inventory_endpoint_seen *e) {
    struct buf id = BUF_INIT;
    endpoint_id(&id, e);
    mutex_lock(&inv->lock);
    struct observed_endpoint *o = buf_ok(&id) ? map_get(&inv->endpoints, buf_view(&id)) : NULL;
    struct inventory_endpoint_seen now = *e;
    now.at_ms = o ? o->seen.at_ms : 0;
    bool changed = later(&now.at_ms, e->at_ms) ||
                   (o && (!str_eq(o->seen.kind, e->kind) || !str_eq(o->seen.service, e->service)));
    if (changed && buf_ok(&id) && (o || inv->endpoints.n_live < INVENTORY_OBJECTS_MAX)) {
        struct observed_endpoint *n = calloc(1, sizeof(*n));
        struct str *texts[] = {&now.host, &now.proto, &now.address, &now.kind, &now.service};
        char *text = n ? own(texts, 5) : NULL;
        void *old = NULL;
        if (text) {
            n->seen = now;
            n->text = text;
        }
        if (text && map_put(&inv->endpoints, buf_view(&id), n, &old)) {
            if (old)
                free_endpoint(old);
            inv->dirty = true;
        } else if (n) {
            free(text);
            free(n);
        }
    }
    mutex_unlock(&inv->lock);
    buf_deinit(&id);
}

/* An instance label's host: without the port. */
static struct str host_of(struct str instance) {
    size_t colon = SIZE_MAX;
    for (size_t i = 0; i < instance.n; i++)
        if (instance.p[i] == ':')
            colon = i;
    if (colon == SIZE_MAX ||
        (instance.n && instance.p[0] != '[' && str_find_char(instance, ':') != colon))
        return instance; /* no port; or a bare IPv6 address */
    struct str host = str_sub(instance, 0, colon);
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = str_sub(host, 1, host.n - 2);
    return host;
}

static void see_service(struct inventory *inv, struct str id, struct str name, int64_t at_ms) {
    mutex_lock(&inv->lock);
    struct observed_service *o = map_get(&inv->services, id);
    if (!o && inv->services.n_live < INVENTORY_OBJECTS_MAX) {
        o = calloc(1, sizeof(*o) + name.n + 1);
        if (o) {
            memcpy((char *)(o + 1), name.p, name.n);
            o->name = str_make((char *)(o + 1), name.n);
            o->first_ms = at_ms;
            if (!map_put(&inv->services, id, o, NULL)) {
                free(o);
                o = NULL;
            }
        }
    }
    if (o && later(&o->last_ms, at_ms))
        inv->dirty = true;
    mutex_unlock(&inv->lock);
}

void inventory_see_labels(struct inventory *inv, struct labels ls, int64_t at_ms) {
    const struct inventory_snapshot *s = inventory_get(inv);
    if (!s)
        return;
    struct arena a = ARENA_INIT;
    struct str id = inventory_service_of(s, ls, &a);
    if (id.n) {
        const struct inventory_service *known = inventory_find_service(s, id);
        see_service(inv, id, known ? known->name : id, at_ms);
    }
    struct str instance = labels_get(ls, STR("instance"));
    struct str host = host_of(instance);
    /* loopback is nobody's name */
    if (host.n && !str_starts(host, STR("127.")) && !str_eq(host, STR("::1")) &&
        !str_eq(host, STR("localhost"))) {
        struct inventory_host_seen h = {.name = host,
                                        .cpus = INVENTORY_UNKNOWN,
                                        .memory_bytes = INVENTORY_UNKNOWN,
                                        .at_ms = at_ms};
        inventory_see_host(inv, &h);
    }
    arena_deinit(&a);
    inventory_unref(s);
}

/* ---- overridden ---- */

static bool name_is_good(struct str name) {
    if (name.n == 0 || name.n > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (i == 0 || (c != '.' && c != '_' && c != '-')))
            return false;
    }
    return true;
}

static bool store(struct inventory *inv, struct str id, const struct inventory_service_edit *e,
                  int64_t now, struct str by, struct err *err) {
    if (!inv->state)
        return true;
    struct buf body = BUF_INIT;
    struct jsonw w = JSONW_INIT(&body);
    jsonw_object(&w);
    jsonw_kstr(&w, "name", e->name);
    jsonw_kstr(&w, "description", e->description);
    jsonw_kstr(&w, "owner", e->owner);
    jsonw_kstr(&w, "channel", e->channel);
    jsonw_kstr(&w, "url", e->url);
    jsonw_end(&w);
    struct state_tx *tx = buf_ok(&body) ? state_begin(inv->state, err) : NULL;
    bool ok = tx != NULL;
    if (ok && !state_exec(tx, err,
                          "INSERT INTO inventory_overrides(kind,id,body,changed_ms,changed_by) "
                          "VALUES('service',?,?,?,?)",
                          "ssis", id, buf_view(&body), now, by)) {
        state_rollback(tx);
        ok = false;
    } else if (ok) {
        ok = state_commit(tx, err);
    }
    buf_deinit(&body);
    return ok;
}

bool inventory_create_service(struct inventory *inv, const struct inventory_service_edit *e,
                              struct str by, struct err *err) {
    if (!name_is_good(e->name))
        return err_set(err, ERR_BAD_INPUT,
                       "name: expected 1 to %d letters, digits, dots, dashes and underscores, "
                       "beginning with a letter or digit",
                       NAME_BYTES_MAX);
    struct buf id = BUF_INIT;
    int64_t now = clock_wall_ms(&inv->clock);
    bool ok = id_of(&id, e->name) || err_set(err, ERR_INTERNAL, "out of memory");
    const struct inventory_snapshot *s = ok ? inventory_get(inv) : NULL;
    const struct inventory_service *known = s ? inventory_find_service(s, buf_view(&id)) : NULL;
    if (known && known->origin != ORIGIN_OBSERVED)
        ok = err_set(err, ERR_CONFLICT, "there is a service %.*s already", STR_FMT(known->name));
    inventory_unref(s);
    ok = ok && store(inv, buf_view(&id), e, now, by, err);
    if (ok) {
        mutex_lock(&inv->lock);
        ok = add_overridden(inv, buf_view(&id), e, now, err);
        mutex_unlock(&inv->lock);
    }
    buf_deinit(&id);
    return ok;
}

bool inventory_delete_service(struct inventory *inv, struct str id, struct err *err) {
    mutex_lock(&inv->lock);
    bool known = map_find(&inv->overridden, id) != NULL;
    mutex_unlock(&inv->lock);
    if (!known) {
        const struct inventory_snapshot *s = inventory_get(inv);
        const struct inventory_service *v = s ? inventory_find_service(s, id) : NULL;
        if (v && v->origin == ORIGIN_DECLARED)
            err_set(err, ERR_CONFLICT,
                    "the service %.*s is in the configuration file: remove it there", STR_FMT(id));
        else if (v)
            err_set(err, ERR_CONFLICT,
                    "the service %.*s comes from telemetry; it goes a week after the last of it",
                    STR_FMT(id));
        else
            err_set(err, ERR_NOT_FOUND, "there is no service %.*s", STR_FMT(id));
        inventory_unref(s);
        return false;
    }
    if (inv->state) {
        struct state_tx *tx = state_begin(inv->state, err);
        if (!tx)
            return false;
        if (!state_exec(tx, err, "DELETE FROM inventory_overrides WHERE kind='service' AND id=?",
                        "s", id)) {
            state_rollback(tx);
            return false;
        }
        if (!state_commit(tx, err))
            return false;
    }
    mutex_lock(&inv->lock);
    void *old = map_del(&inv->overridden, id);
    if (old)
        free_overridden(old);
    inv->dirty = true;
    mutex_unlock(&inv->lock);
    return true;
}

static void yaml_line(struct buf *out, const char *key, struct str value) {
    if (value.n == 0)
        return;
    buf_putz(out, key);
    buf_putz(out, ": ");
    jsonw_quote(out, value); /* a JSON string is a YAML one */
    buf_putc(out, '\n');
}

static int by_key(const void *a, const void *b) {
    const struct map_entry *const *x = a, *const *y = b;
    return str_cmp((*x)->key, (*y)->key);
}

bool inventory_export(struct inventory *inv, struct buf *yaml, struct err *err) {
    mutex_lock(&inv->lock);
    size_t n = 0, total = inv->overridden.n_live;
    const struct map_entry **list = calloc(total + 1, sizeof(*list));
    for (struct map_entry *e = list ? map_next(&inv->overridden, NULL) : NULL; e;
         e = map_next(&inv->overridden, e))
        list[n++] = e;
    if (n)
        qsort(list, n, sizeof(*list), by_key);
    if (n)
        buf_putz(yaml, "services:\n");
    for (size_t i = 0; i < n; i++) {
        const struct overridden_service *o = list[i]->value;
        yaml_line(yaml, "  - name", o->e.name);
        yaml_line(yaml, "    description", o->e.description);
        yaml_line(yaml, "    owner", o->e.owner);
        yaml_line(yaml, "    channel", o->e.channel);
        yaml_line(yaml, "    url", o->e.url);
    }
    mutex_unlock(&inv->lock);
    bool ok = list != NULL && buf_ok(yaml);
    free(list);
    return ok || err_set(err, ERR_INTERNAL, "out of memory");
}

/* ---- snapshots ---- */

const struct inventory_snapshot *inventory_get(struct inventory *inv) {
    mutex_lock(&inv->lock);
    if (inv->dirty || !inv->current) {
        struct inventory_snapshot *s = inventory_build(inv);
        if (s) {
            inventory_unref(inv->current);
            inv->current = s;
            inv->dirty = false;
        }
    }
    struct inventory_snapshot *s = inv->current;
    if (s)
        atomic_fetch_add(&((struct inventory_snapshot_owner *)s)->refs, 1);
    mutex_unlock(&inv->lock);
    return s;
}

void inventory_unref(const struct inventory_snapshot *s) {
    if (!s)
        return;
    struct inventory_snapshot_owner *o = (struct inventory_snapshot_owner *)(uintptr_t)s;
    if (atomic_fetch_sub(&o->refs, 1) != 1)
        return;
    map_deinit(&o->aliases);
    map_deinit(&o->services);
    map_deinit(&o->hosts);
    arena_deinit(&o->arena);
    free(o);
}

static const struct inventory_snapshot_owner *owner_of(const struct inventory_snapshot *s) {
    return (const struct inventory_snapshot_owner *)s; /* the view is its first member */
}

const struct inventory_service *inventory_find_service(const struct inventory_snapshot *s,
                                                       struct str id) {
    return map_get(&owner_of(s)->services, id);
}

const struct inventory_host *inventory_find_host(const struct inventory_snapshot *s,
                                                 struct str id) {
    return map_get(&owner_of(s)->hosts, id);
}

static struct str alias(const struct inventory_snapshot *s, const char *kind, struct str name,
                        struct arena *a) {
    if (owner_of(s)->aliases.n_live == 0)
        return STR("");
    struct str key = arena_printf(a, "%s%c%.*s", kind, 0, STR_FMT(name));
    return key.p ? str_from(map_get(&owner_of(s)->aliases, key)) : STR("");
}

struct str inventory_service_of(const struct inventory_snapshot *s, struct labels ls,
                                struct arena *a) {
    static const char *const names[] = {"service_name", "service.name", "service", "job"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct str v = labels_get(ls, str_from(names[i]));
        if (v.n == 0)
            continue;
        bool job = i == 3;
        struct str declared = alias(s, job ? "job" : "service", v, a);
        if (declared.n)
            return declared;
        if (job && (str_eq(v, STR("node")) || str_eq(v, STR("hinomi"))))
            return (struct str){NULL, 0};
        struct str id = inventory_fold(a, v);
        if (!job || inventory_find_service(s, id))
            return id;
        /* OTLP's job is "namespace/name" */
        size_t slash = str_find_char(id, '/');
        return slash != SIZE_MAX && slash + 1 < id.n ? str_from_offset(id, slash + 1) : id;
    }
    return (struct str){NULL, 0};
}
