#include "feature/ingest/target.h"

#include "base/timev.h"
#include "codec/conf_yaml.h"
#include "codec/json.h"

/* ---- target groups ---- */

static bool add_pair(struct target_group *g, struct str name, struct str value, struct arena *a,
                     struct err *err) {
    if (name.n == 0 || !str_is_utf8(name) || !str_is_utf8(value))
        return err_set(err, ERR_BAD_INPUT, "a label needs a name, and valid UTF-8");
    g->labels[g->n_labels++] = (struct label){arena_str(a, name), arena_str(a, value)};
    return true;
}

static bool json_group(const struct jsonr *v, struct arena *a, struct target_group *g,
                       struct err *err) {
    const struct jsonr *targets = jsonr_get(v, "targets"), *labels = jsonr_get(v, "labels");
    if (jsonr_type(v) != JSONR_OBJECT || jsonr_type(targets) != JSONR_ARRAY)
        return err_set(err, ERR_BAD_INPUT, "expected an object with a list \"targets\"");
    if (labels && jsonr_type(labels) != JSONR_OBJECT && jsonr_type(labels) != JSONR_NULL)
        return err_set(err, ERR_BAD_INPUT, "expected an object under \"labels\", found %s",
                       jsonr_type_name(jsonr_type(labels)));
    for (struct jsonr_iter it = jsonr_first(v); it.value; it = jsonr_next(it))
        if (!str_eqz(it.key, "targets") && !str_eqz(it.key, "labels"))
            return err_set(err, ERR_BAD_INPUT,
                           "unknown key \"%.*s\"; a target group has \"targets\" and \"labels\"",
                           STR_FMT(it.key));
    g->targets = ARENA_ARRAY(a, struct str, jsonr_len(targets) + 1);
    g->labels = ARENA_ARRAY(a, struct label, jsonr_len(labels) + 1);
    if (!g->targets || !g->labels)
        return arena_err(a, err);
    for (size_t i = 0; i < jsonr_len(targets); i++) {
        struct str s;
        if (!jsonr_str(jsonr_at(targets, i), &s))
            return err_set(err, ERR_BAD_INPUT, "entry %zu of \"targets\" is not a string", i + 1);
        g->targets[g->n++] = arena_str(a, s);
    }
    for (struct jsonr_iter it = jsonr_first(labels); it.value; it = jsonr_next(it)) {
        struct str s;
        if (!jsonr_str(it.value, &s))
            return err_set(err, ERR_BAD_INPUT, "label \"%.*s\" is not a string", STR_FMT(it.key));
        if (!add_pair(g, it.key, s, a, err))
            return false;
    }
    return !a->failed || arena_err(a, err);
}

static bool count_targets(const struct target_groups *g, struct err *err) {
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++)
        n += g->v[i].n;
    return n <= TARGET_GROUPS_TARGETS_MAX ||
           err_set(err, ERR_TOO_LARGE, "%zu targets, at most %d are taken from one discovery", n,
                   TARGET_GROUPS_TARGETS_MAX);
}

bool target_groups_from_json(struct str text, struct arena *a, struct target_groups *out,
                             struct err *err) {
    struct jsonr_doc *doc = jsonr_parse(text, err);
    if (!doc)
        return false;
    const struct jsonr *root = jsonr_root(doc);
    struct target_groups g = {.n = 0};
    bool ok = jsonr_type(root) == JSONR_ARRAY ||
              err_set(err, ERR_BAD_INPUT, "expected a list of target groups, found %s",
                      jsonr_type_name(jsonr_type(root)));
    if (ok) {
        g.v = ARENA_ARRAY(a, struct target_group, jsonr_len(root) + 1);
        ok = g.v || arena_err(a, err);
    }
    for (size_t i = 0; ok && i < jsonr_len(root); i++) {
        ok = json_group(jsonr_at(root, i), a, &g.v[g.n++], err) ||
             err_prefix(err, "target group %zu", i + 1);
    }
    jsonr_free(doc);
    if (!ok || !count_targets(&g, err))
        return false;
    *out = g;
    return true;
}

static bool node_error(const struct conf_node *n, struct err *err, const char *what) {
    return err_set_at(err, ERR_BAD_INPUT, n->at.line, n->at.column, "line %u column %u: %s",
                      n->at.line, n->at.column, what);
}

static bool yaml_group(const struct conf_node *v, struct arena *a, struct target_group *g,
                       struct err *err) {
    if (v->kind != CONF_KIND_MAP)
        return node_error(v, err, "expected a mapping with targets and labels");
    for (size_t i = 0; i < v->n; i++)
        if (!str_eqz(v->key[i]->text, "targets") && !str_eqz(v->key[i]->text, "labels"))
            return node_error(v->key[i], err, "unknown key; a target group has targets and labels");
    const struct conf_node *targets = conf_node_get(v, "targets"),
                           *labels = conf_node_get(v, "labels");
    if (!targets || targets->kind != CONF_KIND_LIST)
        return node_error(targets ? targets : v, err, "expected a list under targets");
    bool has_labels = labels && labels->kind != CONF_KIND_NULL;
    if (has_labels && labels->kind != CONF_KIND_MAP)
        return node_error(labels, err, "expected a mapping under labels");
    g->targets = ARENA_ARRAY(a, struct str, targets->n + 1);
    g->labels = ARENA_ARRAY(a, struct label, has_labels ? labels->n + 1 : 1);
    if (!g->targets || !g->labels)
        return arena_err(a, err);
    for (size_t i = 0; i < targets->n; i++) {
        if (targets->value[i]->kind != CONF_KIND_SCALAR)
            return node_error(targets->value[i], err, "a target is a string, host:port");
        g->targets[g->n++] = arena_str(a, targets->value[i]->text);
    }
    for (size_t i = 0; has_labels && i < labels->n; i++) {
        if (labels->value[i]->kind != CONF_KIND_SCALAR)
            return node_error(labels->value[i], err, "the value of a label is a string");
        if (!add_pair(g, labels->key[i]->text, labels->value[i]->text, a, err))
            return false;
    }
    return !a->failed || arena_err(a, err);
}

bool target_groups_from_yaml(struct str text, const char *file, struct arena *a,
                             struct target_groups *out, struct err *err) {
    struct conf_diags diags = {.arena = a};
    const struct conf_node *root = conf_yaml_parse(text, file, a, &diags);
    if (!root) {
        if (diags.n)
            return err_set_at(err, ERR_BAD_INPUT, diags.v[0].line, diags.v[0].column,
                              "line %u column %u: %s", diags.v[0].line, diags.v[0].column,
                              diags.v[0].message);
        return err_set(err, ERR_BAD_INPUT, "not YAML");
    }
    struct target_groups g = {.n = 0};
    bool empty = root->kind == CONF_KIND_NULL || (root->kind == CONF_KIND_MAP && root->n == 0);
    if (!empty && root->kind != CONF_KIND_LIST)
        return node_error(root, err, "expected a list of target groups");
    size_t n = empty ? 0 : root->n;
    g.v = ARENA_ARRAY(a, struct target_group, n + 1);
    if (!g.v)
        return arena_err(a, err);
    for (size_t i = 0; i < n; i++)
        if (!yaml_group(root->value[i], a, &g.v[g.n++], err))
            return false;
    if (!count_targets(&g, err))
        return false;
    *out = g;
    return true;
}

/* ---- one target ---- */

static void set_default(struct labels_builder *b, struct str name, struct str value) {
    if (labels_builder_get(b, name).n == 0)
        labels_builder_set(b, name, value);
}

static struct str duration_text(int64_t ms, struct arena *a) {
    struct buf b = BUF_INIT;
    duration_format(&b, ms);
    struct str s = arena_str(a, buf_view(&b));
    buf_deinit(&b);
    return s;
}

static int unhex(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One percent-encoded component of params_query, decoded. */
static struct str decoded(struct str s, struct arena *a) {
    char *to = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; to && i < s.n; i++) {
        int h = s.p[i] == '%' && i + 2 < s.n ? unhex(s.p[i + 1]) : -1,
            l = h >= 0 ? unhex(s.p[i + 2]) : -1;
        if (l >= 0) {
            to[n++] = (char)(h << 4 | l);
            i += 2;
        } else {
            to[n++] = s.p[i];
        }
    }
    return str_make(to, n);
}

/* __param_<name> holds the first value of each parameter. */
static void add_param_labels(const struct ingest_scrape_config *c, struct labels_builder *b,
                             struct arena *a) {
    struct str rest = c->params_query, pair;
    while (rest.n && str_next(&rest, '&', &pair)) {
        size_t eq = str_find_char(pair, '=');
        struct str name = decoded(str_sub(pair, 0, eq), a);
        struct str label = arena_printf(a, "__param_%.*s", (int)name.n, name.p);
        set_default(b, label, decoded(str_from_offset(pair, eq + 1), a));
    }
}

static void put_encoded(struct buf *b, struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c && strchr("-_.~", c));
        if (plain)
            buf_putc(b, (char)c);
        else
            buf_printf(b, "%%%02X", c);
    }
}

static bool seen_before(const struct ingest_scrape_config *c, struct str pair_name,
                        const char *before) {
    struct str rest = c->params_query, pair;
    while (rest.n && str_next(&rest, '&', &pair) && pair.p < before)
        if (str_eq(str_sub(pair, 0, str_find_char(pair, '=')), pair_name))
            return true;
    return false;
}

/* Parameters of the configuration with their first value replaced by the label's, then those that
 * only labels name. */
static void put_query(struct buf *u, const struct ingest_scrape_config *c, struct labels ls,
                      struct arena *a) {
    char sep = '?';
    struct str rest = c->params_query, pair;
    while (rest.n && str_next(&rest, '&', &pair)) {
        size_t eq = str_find_char(pair, '=');
        struct str enc = str_sub(pair, 0, eq), name = decoded(enc, a);
        struct str label = arena_printf(a, "__param_%.*s", (int)name.n, name.p);
        struct str v = labels_get(ls, label);
        buf_putc(u, sep);
        sep = '&';
        if (v.p && !seen_before(c, enc, pair.p)) {
            buf_puts(u, enc);
            buf_putc(u, '=');
            put_encoded(u, v);
        } else {
            buf_puts(u, pair);
        }
    }
    for (uint32_t i = 0; i < ls.n; i++) {
        if (!str_starts(ls.l[i].name, STR("__param_")))
            continue;
        struct buf enc = BUF_INIT;
        put_encoded(&enc, str_from_offset(ls.l[i].name, 8));
        if (!seen_before(c, buf_view(&enc), c->params_query.p + c->params_query.n + 1)) {
            buf_putc(u, sep);
            sep = '&';
            buf_puts(u, buf_view(&enc));
            buf_putc(u, '=');
            put_encoded(u, ls.l[i].value);
        }
        buf_deinit(&enc);
    }
}

static bool times_of(struct labels ls, struct target_spec *out, struct err *err) {
    struct str i = labels_get(ls, STR("__scrape_interval__")),
               t = labels_get(ls, STR("__scrape_timeout__"));
    if (!duration_parse(i, &out->interval_ms, err))
        return err_prefix(err, "__scrape_interval__");
    if (!duration_parse(t, &out->timeout_ms, err))
        return err_prefix(err, "__scrape_timeout__");
    if (out->interval_ms <= 0 || out->timeout_ms <= 0)
        return err_set(err, ERR_BAD_INPUT, "scrape interval and timeout must be longer than 0");
    if (out->timeout_ms > out->interval_ms)
        return err_set(err, ERR_BAD_INPUT, "the scrape timeout is longer than the interval");
    return true;
}

static bool make_url(const struct ingest_scrape_config *c, struct labels ls, struct arena *a,
                     struct str *out, struct err *err) {
    struct str address = labels_get(ls, STR("__address__")),
               scheme = labels_get(ls, STR("__scheme__")),
               path = labels_get(ls, STR("__metrics_path__"));
    if (address.n == 0)
        return err_set(err, ERR_BAD_INPUT, "the target has no address after relabel_configs");
    for (size_t i = 0; i < address.n; i++)
        if ((unsigned char)address.p[i] <= ' ' || strchr("/?#@\\", address.p[i]))
            return err_set(err, ERR_BAD_INPUT,
                           "\"%.*s\" is not an address (host:port, without path or scheme)",
                           STR_FMT(address));
    if (!str_eqz(scheme, "http") && !str_eqz(scheme, "https"))
        return err_set(err, ERR_BAD_INPUT, "scheme is http or https, not \"%.*s\"",
                       STR_FMT(scheme));
    struct buf u = BUF_INIT_MAX(64 << 10);
    buf_puts(&u, scheme);
    buf_putz(&u, "://");
    buf_puts(&u, address);
    if (path.n && path.p[0] != '/')
        buf_putc(&u, '/');
    buf_puts(&u, path);
    put_query(&u, c, ls, a);
    bool ok = buf_ok(&u) || err_set(err, ERR_TOO_LARGE, "the target's URL is too long");
    if (ok)
        *out = arena_str(a, buf_view(&u));
    buf_deinit(&u);
    return ok;
}

static void prepare(const struct target_defaults *d, const struct target_group *g, size_t index,
                    struct arena *a, struct labels_builder *b) {
    const struct ingest_scrape_config *c = d->conf;
    labels_builder_reset(b, (struct labels){NULL, 0});
    for (uint32_t i = 0; i < g->n_labels; i++)
        labels_builder_set(b, g->labels[i].name, g->labels[i].value);
    for (uint32_t i = 0; i < g->n_own; i++)
        labels_builder_set(b, g->own[index * g->n_own + i].name,
                           g->own[index * g->n_own + i].value);
    labels_builder_set(b, STR("__address__"), g->targets[index]);
    set_default(b, STR("job"), c->job_name);
    set_default(b, STR("__scrape_interval__"), duration_text(d->interval_ms, a));
    set_default(b, STR("__scrape_timeout__"), duration_text(d->timeout_ms, a));
    set_default(b, STR("__metrics_path__"), c->metrics_path);
    set_default(b, STR("__scheme__"), c->scheme ? STR("https") : STR("http"));
    add_param_labels(c, b, a);
}

static bool finish(const struct target_spec *out, struct arena *a, struct str *key,
                   struct err *err) {
    struct buf k = BUF_INIT;
    labels_format(&k, out->labels);
    buf_printf(&k, " %lld %lld ", (long long)out->interval_ms, (long long)out->timeout_ms);
    buf_puts(&k, out->url);
    *key = arena_str(a, buf_view(&k));
    buf_deinit(&k);
    return !a->failed || arena_err(a, err);
}

bool target_build(const struct target_defaults *d, const struct relabel *relabel,
                  const struct target_group *group, size_t index, struct arena *a,
                  struct labels_builder *b, struct target_spec *out, struct err *err) {
    struct target_spec t = {.dropped = false};
    prepare(d, group, index, a, b);
    if (b->failed || !labels_copy(a, labels_builder_view(b), &t.discovered))
        return arena_err(a, err);
    t.dropped = !relabel_apply(relabel, b, a);
    if (t.dropped) {
        *out = t;
        return true;
    }
    struct labels view = labels_builder_view(b);
    if (!make_url(d->conf, view, a, &t.url, err) || !times_of(view, &t, err))
        return false;
    struct str address = labels_builder_get(b, STR("__address__"));
    set_default(b, STR("instance"), address);
    for (uint32_t i = labels_builder_view(b).n; i-- > 0;) {
        struct str name = labels_builder_view(b).l[i].name;
        if (str_starts(name, STR("__")))
            labels_builder_del(b, name);
    }
    if (!labels_check(labels_builder_view(b), err))
        return false;
    if (b->failed || !labels_copy(a, labels_builder_view(b), &t.labels))
        return arena_err(a, err);
    if (!finish(&t, a, &t.key, err))
        return false;
    *out = t;
    return true;
}
