/* Where each setting comes from: default, file and line, environment, flag, or the screen. */
#include "app/server/server.h"

enum { PARTS_MAX = 4000 };

struct parts {
    struct arena *a;
    struct api_config_part *v;
    size_t n;
    struct api_config_part overflow; /* takes what is too much; never read */
};

static struct api_config_part *add(struct parts *p, struct str path, const char *origin) {
    if (p->n == PARTS_MAX)
        return &p->overflow;
    struct api_config_part *part = &p->v[p->n++];
    *part = (struct api_config_part){.path = path, .origin = str_from(origin)};
    return part;
}

static void place(struct parts *p, struct api_config_part *part, const struct conf_node *node) {
    part->file = arena_str(p->a, str_from(node->at.file));
    part->line = node->at.line;
}

/* Text that names a variable of the environment. */
static bool from_environment(const struct conf_node *n) {
    size_t at =
        n->kind == CONF_KIND_SCALAR && !n->literal ? str_find(n->text, STR("${")) : SIZE_MAX;
    if (at == SIZE_MAX || at + 2 >= n->text.n || (at > 0 && n->text.p[at - 1] == '$'))
        return false;
    char c = n->text.p[at + 2];
    return (c >= 'A' && c <= 'Z') || c == '_';
}

static void leaf(struct parts *p, struct str path, const struct conf_option *o, const void *field,
                 const struct conf_node *node) {
    struct buf b = BUF_INIT;
    struct api_config_part *part = add(p, path,
                                       !node                    ? "default"
                                       : from_environment(node) ? "environment"
                                                                : "file");
    conf_yaml_encode_value(o, field, &b);
    if (b.n)
        part->value = arena_str(p->a, buf_view(&b));
    if (node)
        place(p, part, node);
    buf_deinit(&b);
}

/* Entries of lists by their name, where they have one. */
static void entries(struct parts *p, struct str path, const struct conf_node *list) {
    static const char *const names[] = {"job_name", "name", "host", "receiver"};
    for (size_t i = 0; list && list->kind == CONF_KIND_LIST && i < list->n; i++) {
        struct api_config_part *part =
            add(p, arena_printf(p->a, "%.*s[%zu]", STR_FMT(path), i), "file");
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]) && !part->value.p; k++) {
            const struct conf_node *name = conf_node_get(list->value[i], names[k]);
            if (name && name->kind == CONF_KIND_SCALAR)
                part->value = arena_str(p->a, name->text);
        }
        place(p, part, list->value[i]);
    }
}

static void walk(struct parts *p, struct str prefix, const struct conf_table *t, const void *object,
                 const struct conf_node *node) {
    for (size_t i = 0; i < t->n; i++) {
        const struct conf_option *o = &t->options[i];
        if (o->ignored)
            continue;
        const struct conf_node *n = node ? conf_node_get(node, o->name) : NULL;
        if (!n && node && o->type == CONF_SECRET)
            n = conf_node_get(node, arena_printf(p->a, "%s_file", o->name).p);
        if (n && n->kind == CONF_KIND_NULL)
            n = NULL;
        struct str path = prefix.n ? arena_printf(p->a, "%.*s.%s", STR_FMT(prefix), o->name)
                                   : arena_str(p->a, str_from(o->name));
        const void *field = (const char *)object + o->offset;
        if (o->type == CONF_TABLE)
            walk(p, path, o->table, field, n);
        else if (o->type == CONF_LIST)
            entries(p, path, n);
        else if (o->type == CONF_TABLE_OPT || o->type == CONF_NODE || o->type == CONF_PAIRS) {
            if (n)
                place(p, add(p, path, "file"), n);
        } else
            leaf(p, path, o, field, n);
        if (p->a->failed)
            return;
    }
}

static void flag(struct parts *p, const char *path, const char *value) {
    for (size_t i = 0; i < p->n; i++)
        if (str_eqz(p->v[i].path, path)) {
            p->v[i] = (struct api_config_part){.path = p->v[i].path,
                                               .value = arena_str(p->a, str_from(value)),
                                               .origin = STR("flag")};
            return;
        }
}

static bool screen(struct server *s, struct parts *p, struct err *err) {
    struct api_accepted *scrapes;
    struct notify_receiver *receivers;
    size_t n_scrapes, n_receivers;
    if (!server_scrape_accepted(s, p->a, &scrapes, &n_scrapes, err) ||
        !notify_receivers(s->notify, p->a, &receivers, &n_receivers, err))
        return false;
    for (size_t i = 0; i < n_scrapes; i++)
        add(p, arena_printf(p->a, "scrape_configs[%.*s]", STR_FMT(scrapes[i].job)), "screen")
            ->value = scrapes[i].url;
    for (size_t i = 0; i < n_receivers; i++)
        if (!receivers[i].declared)
            add(p, arena_printf(p->a, "receivers[%.*s]", STR_FMT(receivers[i].name)), "screen")
                ->value = receivers[i].kind;
    const struct inventory_snapshot *v = inventory_get(s->inventory);
    for (size_t i = 0; v && i < v->n_services; i++)
        if (v->services[i].origin == ORIGIN_OVERRIDDEN)
            add(p, arena_printf(p->a, "services[%.*s]", STR_FMT(v->services[i].id)), "screen")
                ->value = arena_str(p->a, v->services[i].name);
    inventory_unref(v);
    return true;
}

bool server_parts(struct server *s, const struct config *c, struct arena *a, struct api_config *out,
                  struct err *err) {
    struct parts p = {.a = a, .v = ARENA_ARRAY(a, struct api_config_part, PARTS_MAX)};
    if (!p.v)
        return arena_err(a, err);
    walk(&p, STR(""), config_table(), &c->root, c->tree);
    if (s->opt.listen)
        flag(&p, "server.listen", s->opt.listen);
    if (!screen(s, &p, err))
        return false;
    out->parts = p.v;
    out->n_parts = p.n;
    return !a->failed || arena_err(a, err);
}
