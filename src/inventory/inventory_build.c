/* inventory_build.c - one snapshot from the three origins. Deterministic: everything is sorted by
 * id. */
#include "inventory/inventory_internal.h"

#include <stdlib.h>

struct build {
    struct inventory *inv;
    struct inventory_snapshot_owner *o;
    struct arena *a;
    struct map owners, channels, endpoints;
    struct inventory_edge *edges;
    size_t n_edges, cap_edges;
    int64_t now_ms;
};

static struct str text(struct build *b, struct str s) {
    return s.n ? arena_str(b->a, s) : (struct str){NULL, 0};
}

static void set(struct build *b, struct inventory_text *t, struct str value,
                enum inventory_origin origin) {
    if (value.n && (!t->value.p || origin >= t->origin))
        *t = (struct inventory_text){text(b, value), origin};
}

static void *object(struct build *b, struct map *m, struct str id, size_t size) {
    void *p = map_get(m, id);
    if (p || id.n == 0)
        return p;
    p = arena_zalloc(b->a, size);
    if (p && !map_put(m, id, p, NULL))
        b->a->failed = true;
    return p;
}

static struct inventory_service *service(struct build *b, struct str id, struct str name,
                                         enum inventory_origin origin) {
    struct inventory_service *s = object(b, &b->o->services, id, sizeof(*s));
    if (!s)
        return NULL;
    if (!s->id.p) {
        s->id = text(b, id);
        s->created_ms = s->last_seen_ms = INVENTORY_UNKNOWN;
    }
    if (!s->name.p || origin >= s->origin) {
        s->name = text(b, name);
        s->origin = origin;
    }
    return s;
}

static struct inventory_host *host(struct build *b, struct str name, enum inventory_origin origin) {
    struct str id = inventory_fold(b->a, name);
    struct inventory_host *h = object(b, &b->o->hosts, id, sizeof(*h));
    if (!h)
        return NULL;
    if (!h->id.p) {
        h->id = id;
        h->cpus = h->memory_bytes = h->last_seen_ms = INVENTORY_UNKNOWN;
    }
    if (!h->name.p || origin >= h->origin) {
        h->name = text(b, name);
        h->origin = origin;
    }
    return h;
}

static struct inventory_owner *owner(struct build *b, struct str name,
                                     enum inventory_origin origin) {
    struct str id = inventory_fold(b->a, name);
    struct inventory_owner *o = object(b, &b->owners, id, sizeof(*o));
    if (o && (!o->id.p || origin > o->origin)) {
        o->id = id;
        o->name = text(b, name);
        o->origin = origin;
    }
    return o;
}

static struct inventory_channel *channel(struct build *b, struct str name,
                                         enum inventory_origin origin) {
    struct str id = inventory_fold(b->a, name);
    struct inventory_channel *c = object(b, &b->channels, id, sizeof(*c));
    if (c && (!c->id.p || origin > c->origin)) {
        c->id = id;
        c->name = text(b, name);
        c->origin = origin;
    }
    return c;
}

static struct str node(struct build *b, const char *kind, struct str id) {
    return arena_printf(b->a, "%s:%.*s", kind, STR_FMT(id));
}

static void edge(struct build *b, struct str from, enum inventory_edge_kind kind, struct str to,
                 enum inventory_origin origin) {
    if (b->n_edges == b->cap_edges) {
        size_t cap = b->cap_edges ? b->cap_edges * 2 : 64;
        struct inventory_edge *p =
            arena_grow(b->a, b->edges, b->cap_edges * sizeof(*p), cap * sizeof(*p));
        if (!p)
            return;
        b->edges = p;
        b->cap_edges = cap;
    }
    b->edges[b->n_edges++] = (struct inventory_edge){from, to, kind, origin};
}

static void add_observed(struct build *b) {
    struct inventory *inv = b->inv;
    int64_t oldest = b->now_ms - INVENTORY_FORGET_MS;
    for (struct map_entry *e = map_next(&inv->services, NULL); e; e = map_next(&inv->services, e)) {
        const struct observed_service *o = e->value;
        if (o->last_ms < oldest)
            continue;
        struct inventory_service *s = service(b, e->key, o->name, ORIGIN_OBSERVED);
        if (s) {
            s->created_ms = o->first_ms;
            s->last_seen_ms = o->last_ms;
        }
    }
    for (struct map_entry *e = map_next(&inv->hosts, NULL); e; e = map_next(&inv->hosts, e)) {
        const struct inventory_host_seen *o = &((struct observed_host *)e->value)->seen;
        struct inventory_host *h =
            o->at_ms < oldest && !o->is_self ? NULL : host(b, o->name, ORIGIN_OBSERVED);
        if (!h)
            continue;
        set(b, &h->os, o->os, ORIGIN_OBSERVED);
        set(b, &h->kernel, o->kernel, ORIGIN_OBSERVED);
        set(b, &h->architecture, o->architecture, ORIGIN_OBSERVED);
        h->cpus = o->cpus;
        h->memory_bytes = o->memory_bytes;
        h->last_seen_ms = o->at_ms;
        h->is_self = o->is_self;
        h->in_container = o->in_container;
    }
    for (struct map_entry *e = map_next(&inv->endpoints, NULL); e;
         e = map_next(&inv->endpoints, e)) {
        const struct inventory_endpoint_seen *o = &((struct observed_endpoint *)e->value)->seen;
        struct inventory_endpoint *p =
            o->at_ms < oldest ? NULL : object(b, &b->endpoints, e->key, sizeof(*p));
        if (!p)
            continue;
        *p = (struct inventory_endpoint){
            .id = text(b, e->key),
            .address = text(b, o->address),
            .proto = text(b, o->proto),
            .kind = text(b, o->kind),
            .service = o->service.n ? inventory_fold(b->a, o->service) : (struct str){NULL, 0},
            .host = o->host.n ? inventory_fold(b->a, o->host) : (struct str){NULL, 0},
            .port = o->port,
            .last_seen_ms = o->at_ms,
            .origin = ORIGIN_OBSERVED};
        if (p->host.n)
            edge(b, node(b, "host", p->host), EDGE_LISTENS_ON, node(b, "endpoint", p->id),
                 ORIGIN_OBSERVED);
        if (p->service.n && p->host.n)
            edge(b, node(b, "service", p->service), EDGE_RUNS_ON, node(b, "host", p->host),
                 ORIGIN_OBSERVED);
    }
}

static void add_overridden(struct build *b) {
    struct map *m = &b->inv->overridden;
    for (struct map_entry *e = map_next(m, NULL); e; e = map_next(m, e)) {
        const struct overridden_service *o = e->value;
        struct inventory_service *s = service(b, e->key, o->e.name, ORIGIN_OVERRIDDEN);
        if (!s)
            continue;
        s->created_ms = o->created_ms;
        set(b, &s->description, o->e.description, ORIGIN_OVERRIDDEN);
        set(b, &s->owner, o->e.owner, ORIGIN_OVERRIDDEN);
        set(b, &s->channel, o->e.channel, ORIGIN_OVERRIDDEN);
        set(b, &s->url, o->e.url, ORIGIN_OVERRIDDEN);
    }
}

static void add_declared_service(struct build *b, const struct inventory_service_config *c) {
    struct str id = inventory_fold(b->a, c->name);
    struct inventory_service *known = map_get(&b->o->services, id);
    if (known && known->origin == ORIGIN_DECLARED)
        return; /* declared twice: the first one counts, and the check has warned */
    struct inventory_service *s = service(b, id, c->name, ORIGIN_DECLARED);
    if (!s)
        return;
    s->at = c->at;
    if (s->at.file)
        s->at.file = arena_strz(b->a, str_from(c->at.file));
    set(b, &s->description, c->description, ORIGIN_DECLARED);
    set(b, &s->owner, c->owner, ORIGIN_DECLARED);
    set(b, &s->channel, c->channel, ORIGIN_DECLARED);
    set(b, &s->url, c->url, ORIGIN_DECLARED);
    for (size_t i = 0; i < c->runs_on.n; i++) {
        struct inventory_host *h = host(b, c->runs_on.v[i], ORIGIN_OBSERVED);
        if (h && h->last_seen_ms == INVENTORY_UNKNOWN)
            h->origin = ORIGIN_DECLARED; /* known from the file alone */
        if (h)
            edge(b, node(b, "service", id), EDGE_RUNS_ON, node(b, "host", h->id), ORIGIN_DECLARED);
    }
    for (size_t i = 0; i < c->depends_on.n; i++)
        edge(b, node(b, "service", id), EDGE_DEPENDS_ON,
             node(b, "service", inventory_fold(b->a, c->depends_on.v[i])), ORIGIN_DECLARED);
}

static void add_declared(struct build *b) {
    const struct inventory_config *c = &b->inv->declared;
    const struct inventory_service_config *services = c->services.v;
    for (size_t i = 0; i < c->services.n; i++)
        add_declared_service(b, &services[i]);
    const struct inventory_host_config *hosts = c->hosts.v;
    for (size_t i = 0; i < c->hosts.n; i++) {
        struct inventory_host *h = host(b, hosts[i].name, ORIGIN_DECLARED);
        if (h)
            set(b, &h->owner, hosts[i].owner, ORIGIN_DECLARED);
    }
    const struct inventory_owner_config *owners = c->owners.v;
    for (size_t i = 0; i < c->owners.n; i++) {
        struct inventory_owner *o = owner(b, owners[i].name, ORIGIN_DECLARED);
        if (!o)
            continue;
        o->email = text(b, owners[i].email);
        if (owners[i].channel.n) {
            struct inventory_channel *ch = channel(b, owners[i].channel, ORIGIN_DECLARED);
            if (ch)
                edge(b, node(b, "owner", o->id), EDGE_NOTIFIES, node(b, "channel", ch->id),
                     ORIGIN_DECLARED);
        }
    }
    const struct inventory_channel_config *channels = c->channels.v;
    for (size_t i = 0; i < c->channels.n; i++) {
        struct inventory_channel *ch = channel(b, channels[i].name, ORIGIN_DECLARED);
        if (ch)
            ch->kind = text(b, channels[i].kind);
    }
}

/* Owners and channels that services and hosts name, and the edges to them. */
static void connect(struct build *b) {
    for (struct map_entry *e = map_next(&b->o->services, NULL); e;
         e = map_next(&b->o->services, e)) {
        const struct inventory_service *s = e->value;
        struct inventory_owner *o =
            s->owner.value.n ? owner(b, s->owner.value, s->owner.origin) : NULL;
        if (o)
            edge(b, node(b, "service", s->id), EDGE_OWNED_BY, node(b, "owner", o->id),
                 s->owner.origin);
        struct inventory_channel *c =
            s->channel.value.n ? channel(b, s->channel.value, s->channel.origin) : NULL;
        if (c)
            edge(b, node(b, "service", s->id), EDGE_NOTIFIES, node(b, "channel", c->id),
                 s->channel.origin);
    }
    for (struct map_entry *e = map_next(&b->o->hosts, NULL); e; e = map_next(&b->o->hosts, e)) {
        const struct inventory_host *h = e->value;
        struct inventory_owner *o =
            h->owner.value.n ? owner(b, h->owner.value, h->owner.origin) : NULL;
        if (o)
            edge(b, node(b, "host", h->id), EDGE_OWNED_BY, node(b, "owner", o->id),
                 h->owner.origin);
    }
}

/* All objects begin with their id. */
static int by_id(const void *a, const void *b) {
    struct str x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return str_cmp(x, y);
}

static void *sorted(struct build *b, struct map *m, size_t size, size_t *out_n, bool remap) {
    char *v = arena_array(b->a, (size_t)m->n_live + 1, size);
    size_t n = 0;
    if (!v)
        return NULL;
    for (struct map_entry *e = map_next(m, NULL); e; e = map_next(m, e))
        memcpy(v + size * n++, e->value, size);
    if (n)
        qsort(v, n, size, by_id);
    for (size_t i = 0; remap && i < n; i++) {
        struct str id;
        memcpy(&id, v + size * i, sizeof(id));
        (void)map_put(m, id, v + size * i, NULL);
    }
    *out_n = n;
    return v;
}

static int by_edge(const void *a, const void *b) {
    const struct inventory_edge *x = a, *y = b;
    int c = str_cmp(x->from, y->from);
    if (c == 0)
        c = (int)x->kind - (int)y->kind;
    if (c == 0)
        c = str_cmp(x->to, y->to);
    return c ? c : (int)y->origin - (int)x->origin; /* the strongest first */
}

static void finish_edges(struct build *b) {
    size_t n = 0;
    if (b->n_edges)
        qsort(b->edges, b->n_edges, sizeof(b->edges[0]), by_edge);
    for (size_t i = 0; i < b->n_edges; i++) {
        const struct inventory_edge *e = &b->edges[i], *last = n ? &b->edges[n - 1] : NULL;
        if (!last || !str_eq(last->from, e->from) || last->kind != e->kind ||
            !str_eq(last->to, e->to))
            b->edges[n++] = *e;
    }
    b->o->view.edges = b->edges;
    b->o->view.n_edges = n;
}

static bool copy_aliases(struct build *b) {
    struct map *m = &b->inv->aliases;
    for (struct map_entry *e = map_next(m, NULL); e; e = map_next(m, e)) {
        char *id = arena_strz(b->a, str_from(e->value));
        if (!id || !map_put(&b->o->aliases, e->key, id, NULL))
            return false;
    }
    return true;
}

struct inventory_snapshot *inventory_build(struct inventory *inv) {
    struct inventory_snapshot_owner *o = calloc(1, sizeof(*o));
    if (!o)
        return NULL;
    o->refs = 1;
    struct build b = {.inv = inv, .o = o, .a = &o->arena, .now_ms = clock_wall_ms(&inv->clock)};
    add_observed(&b);
    add_overridden(&b);
    add_declared(&b);
    connect(&b);
    struct inventory_snapshot *v = &o->view;
    v->services = sorted(&b, &o->services, sizeof(struct inventory_service), &v->n_services, true);
    v->hosts = sorted(&b, &o->hosts, sizeof(struct inventory_host), &v->n_hosts, true);
    v->owners = sorted(&b, &b.owners, sizeof(struct inventory_owner), &v->n_owners, false);
    v->channels = sorted(&b, &b.channels, sizeof(struct inventory_channel), &v->n_channels, false);
    v->endpoints =
        sorted(&b, &b.endpoints, sizeof(struct inventory_endpoint), &v->n_endpoints, false);
    finish_edges(&b);
    v->at_ms = b.now_ms;
    bool ok = copy_aliases(&b) && !o->arena.failed;
    map_deinit(&b.owners);
    map_deinit(&b.channels);
    map_deinit(&b.endpoints);
    if (!ok) {
        inventory_unref(v);
        return NULL;
    }
    v->version = ++inv->version;
    return v;
}
