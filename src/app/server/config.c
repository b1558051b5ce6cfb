#include "app/server/config.h"

#include "base/limits.h"
#include "os/file.h"

#include <stdlib.h>

enum { CONFIG_ARENA_BYTES_MAX = 256 << 20 };

/* ---- reaching files and the environment ---- */

static bool read_file(void *self, const char *path, struct arena *a, struct str *out,
                      struct err *err) {
    (void)self;
    struct buf b = BUF_INIT;
    bool ok = file_read(path, LIMIT_CONFIG_BYTES, &b, err);
    if (ok) {
        *out = arena_str(a, buf_view(&b));
        ok = out->p || arena_err(a, err);
    }
    buf_deinit(&b);
    return ok;
}

static const char *get_variable(void *self, const char *name) {
    (void)self;
    return getenv(name);
}

static const struct conf_env files_and_environment = {.read_file = read_file,
                                                      .getenv = get_variable};
static const struct conf_env files_only = {
    .read_file = read_file}; /* rule files: $ belongs to their templates */

static void finding(struct conf_diags *diags, struct conf_source at, const char *message) {
    conf_diag_add(diags, false, at, "%s", message);
}

/* Relative patterns start in the folder of the file that names them. */
static const char *beside(const char *file, struct str path, struct arena *a) {
    const char *slash = strrchr(file, '/');
    if (!slash || (path.n && path.p[0] == '/'))
        return arena_strz(a, path);
    return arena_printf(a, "%.*s%.*s", (int)(slash - file + 1), file, (int)path.n, path.p).p;
}

static bool is_pattern(const char *path) {
    return strpbrk(path, "*?[") != NULL;
}

/* The files of a pattern; a plain name that does not exist is a finding, a pattern without a match
 * is none. */
static bool expand(const char *pattern, struct conf_source at, struct arena *a,
                   struct conf_diags *diags, char ***out, size_t *out_n) {
    struct err err;
    err_reset(&err);
    if (!file_glob(pattern, a, out, out_n, &err)) {
        finding(diags, at, err.message);
        return false;
    }
    if (*out_n == 0 && !is_pattern(pattern)) {
        conf_diag_add(diags, false, at, "there is no file %s", pattern);
        return false;
    }
    return true;
}

static struct conf_node *parse_file(const char *path, struct conf_source at, struct arena *a,
                                    struct conf_diags *diags) {
    struct str text;
    struct err err;
    err_reset(&err);
    if (!read_file(NULL, path, a, &text, &err)) {
        finding(diags, at, err.message);
        return NULL;
    }
    return conf_yaml_parse(text, path, a, diags);
}

/* ---- includes ---- */

static bool include_one(struct conf_node *root, const char *path, struct conf_source at,
                        struct arena *a, struct conf_diags *diags) {
    struct conf_node *n = parse_file(path, at, a, diags);
    if (!n)
        return false;
    const struct conf_node *again = conf_node_get(n, "include");
    if (again) {
        finding(diags, again->at, "only the main file may include others; name the file there");
        return false;
    }
    return conf_yaml_merge(root, n, a, diags);
}

static bool include_scrape_configs(struct conf_node *root, const char *path, struct conf_source at,
                                   struct arena *a, struct conf_diags *diags) {
    struct conf_node *n = parse_file(path, at, a, diags);
    bool ok = n != NULL;
    for (size_t i = 0; n && n->kind == CONF_KIND_MAP && i < n->n; i++)
        if (!str_eqz(n->key[i]->text, "scrape_configs")) {
            conf_diag_add(diags, false, n->key[i]->at,
                          "unknown key \"%.*s\"; expected scrape_configs alone",
                          STR_FMT(n->key[i]->text));
            ok = false;
        }
    return ok && conf_yaml_merge(root, n, a, diags);
}

/* Every file of the patterns under `key`, which the decoder checks later for its shape. */
static bool each_file(struct conf_node *root, const char *key, struct arena *a,
                      struct conf_diags *diags,
                      bool (*take)(struct conf_node *root, const char *path, struct conf_source at,
                                   struct arena *a, struct conf_diags *diags)) {
    const struct conf_node *list = conf_node_get(root, key);
    bool ok = true;
    size_t n_files = 0;
    if (!list || list->kind == CONF_KIND_NULL || list->kind == CONF_KIND_MAP)
        return true;
    for (size_t i = 0; i < (list->kind == CONF_KIND_LIST ? list->n : 1); i++) {
        const struct conf_node *item = list->kind == CONF_KIND_LIST ? list->value[i] : list;
        char **paths;
        size_t n;
        if (item->kind != CONF_KIND_SCALAR)
            continue;
        const char *pattern = beside(item->at.file, item->text, a);
        if (!pattern || !expand(pattern, item->at, a, diags, &paths, &n)) {
            ok = false;
            continue;
        }
        for (size_t k = 0; k < n; k++) {
            if (++n_files > LIMIT_CONFIG_INCLUDES) {
                conf_diag_add(diags, false, item->at, "%s: more than 256 files", key);
                return false;
            }
            ok = take(root, paths[k], item->at, a, diags) && ok;
        }
    }
    return ok;
}

/* ---- rules ---- */

static bool decode_rules(struct config *c, struct str text, const char *name, bool builtin,
                         struct conf_diags *diags) {
    struct rule_file_conf *conf = ARENA_NEW(&c->arena, struct rule_file_conf);
    if (!conf ||
        !conf_yaml_decode(text, name, &rule_file_table, &files_only, &c->arena, conf, diags))
        return false;
    c->rules[c->n_rules++] =
        (struct rule_source){.file = str_from(name), .conf = conf, .builtin = builtin};
    return true;
}

static bool load_rules(struct config *c, struct conf_diags *diags) {
    enum { RULE_FILES_MAX = 4096 };
    struct arena *a = &c->arena;
    bool ok = true;
    c->rules = ARENA_ARRAY(a, struct rule_source, RULE_FILES_MAX + 1);
    if (!c->rules)
        return false;
    if (c->root.builtin_rules &&
        !decode_rules(c, rule_pack_host(), RULE_PACK_HOST_FILE, true, diags))
        return false;
    for (size_t i = 0; i < c->root.rule_files.n; i++) {
        char **paths;
        size_t n;
        struct conf_source at = {c->file, 0, 0};
        if (!expand(c->root.rule_files.v[i].p, at, a, diags, &paths, &n)) {
            ok = false;
            continue;
        }
        for (size_t k = 0; k < n; k++) {
            struct str text;
            struct err err;
            err_reset(&err);
            if (c->n_rules > RULE_FILES_MAX) {
                finding(diags, at, "more than 4096 rule files");
                return false;
            }
            if (!read_file(NULL, paths[k], a, &text, &err)) {
                finding(diags, at, err.message);
                ok = false;
                continue;
            }
            ok = decode_rules(c, text, paths[k], false, diags) && ok;
        }
    }
    return ok;
}

/* ---- what serve would stumble over ---- */

static bool check_doors(struct config *c, struct conf_diags *diags) {
    const struct config_server *s = &c->root.server;
    const struct str files[] = {s->tls_cert_file, s->tls_key_file};
    struct conf_source at = {c->file, 0, 0};
    struct str host;
    uint16_t port;
    bool ok = true;
    for (size_t i = 0; i < 2; i++)
        if (files[i].n && !file_exists(files[i].p)) {
            conf_diag_add(diags, false, at, "server.%s: there is no file %s",
                          i ? "tls_key_file" : "tls_cert_file", files[i].p);
            ok = false;
        }
    if (config_parse_listen(s->listen, &host, &port, NULL) && !config_host_is_loopback(host) &&
        !s->tls_cert_file.n && !s->insecure_http)
        conf_diag_add(diags, true, at,
                      "server.listen: %.*s is not loopback, so hinomi serve will ask for "
                      "tls_cert_file and tls_key_file, or insecure_http: true",
                      STR_FMT(s->listen));
    return ok;
}

/* ---- whole ---- */

static bool load(struct config *c, struct conf_diags *diags) {
    struct arena *a = &c->arena;
    struct conf_node *root =
        *c->file ? parse_file(c->file, (struct conf_source){c->file, 0, 0}, a, diags)
                 : conf_yaml_parse(STR(""), "", a, diags);
    if (!root)
        return false;
    /* Each step runs though the one before had findings, so that one check tells them all. */
    bool ok = each_file(root, "include", a, diags, include_one);
    ok = each_file(root, "scrape_config_files", a, diags, include_scrape_configs) && ok;
    ok = conf_yaml_decode_node(root, config_table(), &files_and_environment, a, &c->root, diags) &&
         ok;
    c->tree = root;
    if (!ok || !load_rules(c, diags) || !check_doors(c, diags))
        return false;
    inventory_check(&c->root.inventory, diags);
    return true;
}

struct config *config_load(const char *file, struct conf_diags *diags) {
    struct config *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    atomic_init(&c->refs, 1);
    c->arena = ARENA_INIT_MAX(CONFIG_ARENA_BYTES_MAX);
    c->file = arena_strz(&c->arena, str_from(file));
    /* Findings may point into the snapshot's strings: keep them in the caller's arena, with the
     * file names. */
    struct conf_diags own = {.arena = &c->arena};
    bool ok = c->file && load(c, &own);
    for (size_t i = 0; i < own.n; i++) {
        const char *name = own.v[i].file ? arena_strz(diags->arena, str_from(own.v[i].file)) : NULL;
        conf_diag_add(diags, own.v[i].warning,
                      (struct conf_source){name, own.v[i].line, own.v[i].column}, "%s",
                      own.v[i].message);
    }
    if (!ok && own.n == 0)
        conf_diag_add(diags, false, (struct conf_source){NULL, 0, 0},
                      "the configuration needs more memory than its cap");
    if (!ok) {
        config_unref(c);
        return NULL;
    }
    c->warnings = own;
    return c;
}

bool config_check_text(struct str text, const char *name, struct conf_diags *diags) {
    static const struct conf_env nothing = {0};
    struct config_root *root = ARENA_NEW(diags->arena, struct config_root);
    return root &&
           conf_yaml_decode(text, name, config_table(), &nothing, diags->arena, root, diags);
}

struct config *config_ref(struct config *c) {
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void config_unref(struct config *c) {
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    arena_deinit(&c->arena);
    free(c);
}

bool config_parse_listen(struct str listen, struct str *out_host, uint16_t *out_port,
                         struct err *err) {
    size_t colon = listen.n;
    while (colon > 0 && listen.p[colon - 1] != ':')
        colon--;
    uint64_t port;
    struct str host = str_sub(listen, 0, colon ? colon - 1 : 0);
    bool v6 = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (colon == 0 || !str_to_u64(str_from_offset(listen, colon), &port) || port > 65535 ||
        (!v6 && str_find_char(host, ':') != SIZE_MAX))
        return err_set(err, ERR_BAD_INPUT,
                       "expected HOST:PORT such as 127.0.0.1:11900 or [::1]:11900, found \"%.*s\"",
                       STR_FMT(listen));
    *out_host = v6 ? str_sub(host, 1, host.n - 2) : host;
    *out_port = (uint16_t)port;
    return true;
}

bool config_host_is_loopback(struct str host) {
    bool v4 = str_starts(host, STR("127."));
    for (size_t i = 0; i < host.n; i++) /* 127.evil.example is a name */
        v4 = v4 && ((host.p[i] >= '0' && host.p[i] <= '9') || host.p[i] == '.');
    return v4 || str_eq(host, STR("::1")) || str_eq_nocase(host, STR("localhost"));
}
