/* The second half of reading a configuration: a tree of nodes to structs, by option tables. */
#include "base/limits.h"
#include "base/regex.h"
#include "base/timev.h"
#include "codec/conf_yaml.h"

#include <math.h>

enum {
    UNKNOWN_KEYS_MAX = 20, /* a mapping in the wrong place: nobody reads more */
    SECRET_BYTES_MAX = 64 << 10
};

struct decode {
    const struct conf_env *env;
    struct arena *a;
    struct conf_diags *diags;
    size_t n_findings;
};

static bool decode_table(struct decode *d, const struct conf_table *t, const struct conf_node *node,
                         void *object);

#define FINDING(d, node, ...)                                                                      \
    ((d)->n_findings++, conf_diag_add((d)->diags, false, (node)->at, __VA_ARGS__), false)

/* What was found, in words, for the end of a message. */
struct found {
    char text[96];
};
static struct found found(const struct conf_node *n) {
    struct found f = {""};
    struct buf b = BUF_INIT;
    switch (n->kind) {
    case CONF_KIND_NULL:
        buf_putz(&b, "nothing");
        break;
    case CONF_KIND_LIST:
        buf_putz(&b, "a list");
        break;
    case CONF_KIND_MAP:
        buf_putz(&b, "a mapping");
        break;
    case CONF_KIND_SCALAR:
        buf_putc(&b, '"');
        for (size_t i = 0; i < n->text.n && i < 60; i++)
            buf_putc(&b, (unsigned char)n->text.p[i] < ' ' ? ' ' : n->text.p[i]);
        buf_putz(&b, n->text.n > 60 ? "...\"" : "\"");
        break;
    }
    if (buf_ok(&b) && b.n < sizeof(f.text))
        memcpy(f.text, b.p, b.n + 1);
    buf_deinit(&b);
    return f;
}

static bool is_env_first(char c) {
    return (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_env_char(char c) {
    return is_env_first(c) || (c >= '0' && c <= '9');
}

/* At s.p[i] stands "${"; the length of the name behind it, 0 when it is none of ours. */
static size_t env_name(struct str s, size_t i) {
    size_t k = i + 2;
    if (k >= s.n || !is_env_first(s.p[k]))
        return 0;
    while (k < s.n && is_env_char(s.p[k]))
        k++;
    bool plain = k < s.n && s.p[k] == '}',
         with_default = k + 1 < s.n && s.p[k] == ':' && s.p[k + 1] == '-';
    return plain || with_default ? k - (i + 2) : 0;
}

/* One ${NAME} or ${NAME:-default} at i; moves i behind it. */
static bool expand_one(struct decode *d, const struct conf_node *n, struct str s, size_t *i,
                       size_t name_n, struct buf *b) {
    struct str name = str_sub(s, *i + 2, name_n), fallback = {NULL, 0};
    size_t k = *i + 2 + name_n;
    bool has_fallback = s.p[k] == ':';
    if (has_fallback) {
        size_t end = str_find_char(str_from_offset(s, k), '}');
        if (end == SIZE_MAX)
            return FINDING(d, n, "${%.*s:- has no closing }", STR_FMT(name));
        fallback = str_sub(s, k + 2, end - 2);
        k += end;
    }
    const char *name_z = arena_strz(d->a, name);
    const char *value = name_z ? d->env->getenv(d->env->self, name_z) : NULL;
    if (!value && !has_fallback)
        return FINDING(d, n,
                       "the environment variable %.*s is not set; set it, write ${%.*s:-default}, "
                       "or $${%.*s} for the text itself",
                       STR_FMT(name), STR_FMT(name), STR_FMT(name));
    if (value)
        buf_putz(b, value);
    else
        buf_puts(b, fallback);
    *i = k + 1;
    return true;
}

static bool scalar_text(struct decode *d, const struct conf_node *n, struct str *out) {
    *out = n->text;
    if (n->literal || !d->env || !d->env->getenv || str_find(n->text, STR("${")) == SIZE_MAX)
        return true;
    struct buf b = BUF_INIT_MAX(LIMIT_CONFIG_BYTES);
    bool ok = true;
    for (size_t i = 0; ok && i < n->text.n;) {
        bool escaped = n->text.p[i] == '$' && i + 2 < n->text.n && n->text.p[i + 1] == '$' &&
                       n->text.p[i + 2] == '{' && env_name(n->text, i + 1) > 0;
        size_t name_n = n->text.p[i] == '$' && i + 1 < n->text.n && n->text.p[i + 1] == '{'
                            ? env_name(n->text, i)
                            : 0;
        if (escaped) {
            buf_putz(&b, "${");
            i += 3;
        } else if (name_n) {
            ok = expand_one(d, n, n->text, &i, name_n, &b);
        } else {
            buf_putc(&b, n->text.p[i++]);
        }
    }
    if (ok && !buf_ok(&b))
        ok = FINDING(d, n,
                     "the value is longer than 4 MiB once its environment variables are put in");
    if (ok) {
        *out = arena_str(d->a, buf_view(&b));
        if (!out->p)
            ok = FINDING(d, n, "the configuration needs more memory than its cap");
    }
    buf_deinit(&b);
    return ok;
}

static bool in_words(struct str s, const char *const *words) {
    for (; *words; words++)
        if (str_eq_nocase(s, str_from(*words)))
            return true;
    return false;
}

static bool to_bool(struct str s, bool *out) {
    static const char *const yes[] = {"true", "yes", "on", NULL}, *const no[] = {"false", "no",
                                                                                 "off", NULL};
    if (in_words(s, yes))
        *out = true;
    else if (in_words(s, no))
        *out = false;
    else
        return false;
    return true;
}

/* "512MB", "64KiB", "1.5GB", "4096": base 2 whatever the spelling, as Prometheus's sizes. */
static bool to_bytes(struct str s, uint64_t *out) {
    static const char units[] = "KMGTPE";
    size_t i = 0;
    while (i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.'))
        i++;
    struct str number = str_sub(s, 0, i), unit = str_from_offset(s, i);
    double v, factor = 1;
    if (i == 0 || !str_to_f64(number, &v))
        return false;
    if (unit.n > 0 && unit.p[0] != 'B') {
        const char *u = strchr(units, unit.p[0]);
        if (!u || !*u)
            return false;
        factor = ldexp(1, 10 * (int)(u - units + 1));
        unit = str_from_offset(unit, 1);
        if (unit.n == 2 && unit.p[0] == 'i')
            unit = str_from_offset(unit, 1);
    }
    if (unit.n > 0 && !str_eq(unit, STR("B")))
        return false;
    uint64_t whole;
    if (factor == 1 && str_to_u64(number, &whole)) { /* exact beyond 2^53 */
        *out = whole;
        return true;
    }
    v *= factor;
    if (!(v < 0x1p63))
        return false;
    *out = (uint64_t)v;
    return true;
}

/* The word nearest to s, or NULL when none is near enough to be a slip of the fingers. */
static const char *nearest(struct str s, const char *const *words, size_t n) {
    const char *best = NULL;
    unsigned best_distance = s.n <= 3   ? 2
                             : s.n <= 8 ? 3
                                        : 4; /* one more than what counts as near */
    for (size_t i = 0; i < n; i++) {
        unsigned distance = str_distance(s, str_from(words[i]), best_distance);
        if (distance < best_distance) {
            best_distance = distance;
            best = words[i];
        }
    }
    return best;
}

static bool range_int(struct decode *d, const struct conf_option *o, const struct conf_node *n,
                      int64_t v) {
    if (o->max <= o->min || (v >= o->min && v <= o->max))
        return true;
    return FINDING(d, n, "%s: expected a whole number from %lld to %lld, found %lld", o->name,
                   (long long)o->min, (long long)o->max, (long long)v);
}

static bool range_duration(struct decode *d, const struct conf_option *o, const struct conf_node *n,
                           int64_t v) {
    if (o->max <= o->min || (v >= o->min && v <= o->max))
        return true;
    struct buf b = BUF_INIT;
    buf_printf(&b, "%s: expected a duration of at ", o->name);
    buf_putz(&b, v < o->min ? "least " : "most ");
    duration_format(&b, v < o->min ? o->min : o->max);
    buf_putz(&b, ", found ");
    duration_format(&b, v);
    bool ok = FINDING(d, n, "%s", buf_ok(&b) ? b.p : "out of range");
    buf_deinit(&b);
    return ok;
}

static bool to_enum(struct decode *d, const struct conf_option *o, const struct conf_node *n,
                    struct str s, int *out) {
    size_t count = 0;
    struct buf b = BUF_INIT;
    for (; o->names[count]; count++) {
        if (str_eqz(s, o->names[count])) {
            *out = (int)count;
            buf_deinit(&b);
            return true;
        }
        buf_printf(&b, "%s%s", count ? ", " : "", o->names[count]);
    }
    const char *near = nearest(s, o->names, count);
    bool ok = FINDING(d, n, "%s: expected one of %s; found \"%.*s\"%s%s%s", o->name,
                      buf_ok(&b) ? b.p : "", STR_FMT(s), near ? "; did you mean \"" : "",
                      near ? near : "", near ? "\"?" : "");
    buf_deinit(&b);
    return ok;
}

static bool check_regex(struct decode *d, const struct conf_option *o, const struct conf_node *n,
                        struct str s) {
    struct err err;
    err_reset(&err);
    struct regex *re = regex_new(s, true, &err);
    if (!re)
        return FINDING(d, n, "%s: expected a regular expression (RE2 syntax): %s", o->name,
                       err.message);
    regex_free(re);
    return true;
}

/* Relative names start where the file stands that says them. */
static bool resolve_path(struct decode *d, const struct conf_node *n, struct str path,
                         struct str *out) {
    struct str file = str_from(n->at.file);
    size_t folder = file.n;
    while (folder > 0 && file.p[folder - 1] != '/')
        folder--;
    const char *base = d->env ? d->env->base_dir : NULL;
    if (path.n == 0 || path.p[0] == '/' || (folder == 0 && !base)) {
        *out = path;
        return true;
    }
    *out = folder ? arena_printf(d->a, "%.*s%.*s", (int)folder, file.p, (int)path.n, path.p)
                  : arena_printf(d->a, "%s/%.*s", base, (int)path.n, path.p);
    return out->p || FINDING(d, n, "the configuration needs more memory than its cap");
}

static bool decode_number(struct decode *d, const struct conf_option *o, const struct conf_node *n,
                          struct str s, void *field) {
    if (o->type == CONF_INT) {
        int64_t v;
        if (!str_to_i64(s, &v))
            return FINDING(d, n, "%s: expected a whole number, found %s", o->name, found(n).text);
        return range_int(d, o, n, v) && (*(int64_t *)field = v, true);
    }
    if (o->type == CONF_FLOAT) {
        double v;
        if (!str_to_f64(s, &v))
            return FINDING(d, n, "%s: expected a number, found %s", o->name, found(n).text);
        return *(double *)field = v, true;
    }
    if (o->type == CONF_BYTES) {
        uint64_t v;
        if (!to_bytes(s, &v))
            return FINDING(d, n, "%s: expected a size such as 512MB or 64KiB, found %s", o->name,
                           found(n).text);
        return *(uint64_t *)field = v, true;
    }
    int64_t v;
    struct err err;
    err_reset(&err);
    if (o->max == INT64_MAX && str_eq(s, STR("unlimited")))
        return *(int64_t *)field = INT64_MAX, true;
    if (!duration_parse(s, &v, &err))
        return FINDING(d, n, "%s: expected a duration such as 30s or 1h30m%s, found %s", o->name,
                       o->max == INT64_MAX ? ", or unlimited" : "", found(n).text);
    return range_duration(d, o, n, v) && (*(int64_t *)field = v, true);
}

static bool decode_scalar(struct decode *d, const struct conf_option *o, const struct conf_node *n,
                          void *field) {
    static const char *const expected[] = {[CONF_BOOL] = "true or false",
                                           [CONF_INT] = "a whole number",
                                           [CONF_FLOAT] = "a number",
                                           [CONF_DURATION] = "a duration such as 30s or 1h30m",
                                           [CONF_BYTES] = "a size such as 512MB or 64KiB",
                                           [CONF_STR] = "text",
                                           [CONF_SECRET] = "text",
                                           [CONF_ENUM] = "one word",
                                           [CONF_REGEX] = "a regular expression",
                                           [CONF_PATH] = "the name of a file"};
    if (n->kind != CONF_KIND_SCALAR)
        return FINDING(d, n, "%s: expected %s, found %s", o->name, expected[o->type],
                       found(n).text);
    struct str s = n->text;
    if (o->type == CONF_REGEX)
        return check_regex(d, o, n, s) && (*(struct str *)field = s, true);
    if (!scalar_text(d, n, &s))
        return false;
    if (o->type == CONF_STR || o->type == CONF_SECRET)
        return *(struct str *)field = s, true;
    if (o->type == CONF_PATH)
        return resolve_path(d, n, s, field);
    if (o->type == CONF_ENUM)
        return to_enum(d, o, n, s, field);
    if (o->type != CONF_BOOL)
        return decode_number(d, o, n, str_trim(s), field);
    if (!to_bool(s, field))
        return FINDING(d, n, "%s: expected true or false, found %s", o->name, found(n).text);
    return true;
}

static bool decode_strs(struct decode *d, const struct conf_option *o, const struct conf_node *n,
                        struct conf_strs *out) {
    if (n->kind != CONF_KIND_LIST && n->kind != CONF_KIND_SCALAR)
        return FINDING(d, n, "%s: expected a list of words such as [a, b], found %s", o->name,
                       found(n).text);
    size_t count = n->kind == CONF_KIND_LIST ? n->n : 1;
    struct conf_strs list = {ARENA_ARRAY(d->a, struct str, count), count};
    if (!list.v && count)
        return FINDING(d, n, "the configuration needs more memory than its cap");
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        const struct conf_node *item = n->kind == CONF_KIND_LIST ? n->value[i] : n;
        if (item->kind != CONF_KIND_SCALAR)
            ok = FINDING(d, item, "%s: expected a word in this list, found %s", o->name,
                         found(item).text);
        else if (!scalar_text(d, item, &list.v[i]) ||
                 (o->type == CONF_PATHS && !resolve_path(d, item, list.v[i], &list.v[i])))
            ok = false;
    }
    if (ok)
        *out = list;
    return ok;
}

static bool decode_pairs(struct decode *d, const struct conf_option *o, const struct conf_node *n,
                         struct conf_pairs *out) {
    if (n->kind != CONF_KIND_MAP)
        return FINDING(d, n, "%s: expected a mapping of word to text, found %s", o->name,
                       found(n).text);
    struct conf_pairs pairs = {ARENA_ARRAY(d->a, struct str, n->n),
                               ARENA_ARRAY(d->a, struct str, n->n), n->n};
    if (n->n && (!pairs.key || !pairs.value))
        return FINDING(d, n, "the configuration needs more memory than its cap");
    bool ok = true;
    for (size_t i = 0; i < n->n; i++) {
        const struct conf_node *v = n->value[i];
        pairs.key[i] = n->key[i]->text;
        if (v->kind == CONF_KIND_NULL)
            pairs.value[i] = STR("");
        else if (v->kind != CONF_KIND_SCALAR)
            ok = FINDING(d, v, "%s.%.*s: expected text, found %s", o->name,
                         STR_FMT(n->key[i]->text), found(v).text);
        else if (!scalar_text(d, v, &pairs.value[i]))
            ok = false;
    }
    if (ok)
        *out = pairs;
    return ok;
}

static bool decode_list(struct decode *d, const struct conf_option *o, const struct conf_node *n,
                        struct conf_list *out) {
    if (n->kind != CONF_KIND_LIST)
        return FINDING(d, n, "%s: expected a list (lines that begin with \"- \"), found %s",
                       o->name, found(n).text);
    struct conf_list list = {arena_array(d->a, n->n, o->table->size), n->n};
    if (n->n && !list.v)
        return FINDING(d, n, "the configuration needs more memory than its cap");
    bool ok = true;
    for (size_t i = 0; i < n->n; i++)
        if (!decode_table(d, o->table, n->value[i], (char *)list.v + i * o->table->size))
            ok = false;
    if (ok)
        *out = list;
    return ok;
}

static bool decode_option(struct decode *d, const struct conf_option *o, const struct conf_node *n,
                          void *object) {
    void *field = (char *)object + o->offset;
    switch (o->type) {
    case CONF_STRS:
    case CONF_PATHS:
        return decode_strs(d, o, n, field);
    case CONF_PAIRS:
        return decode_pairs(d, o, n, field);
    case CONF_LIST:
        return decode_list(d, o, n, field);
    case CONF_TABLE:
        return decode_table(d, o->table, n, field);
    case CONF_TABLE_OPT: {
        void *inner = arena_zalloc(d->a, o->table->size);
        if (!inner)
            return FINDING(d, n, "the configuration needs more memory than its cap");
        *(void **)field = inner;
        return decode_table(d, o->table, n, inner);
    }
    case CONF_NODE:
        *(const struct conf_node **)field = n;
        return true;
    case CONF_BOOL:
    case CONF_INT:
    case CONF_FLOAT:
    case CONF_DURATION:
    case CONF_BYTES:
    case CONF_STR:
    case CONF_SECRET:
    case CONF_ENUM:
    case CONF_REGEX:
    case CONF_PATH:
        break;
    }
    return decode_scalar(d, o, n, field);
}

/* A default is written in YAML, mostly one word. It is the program's own text: never taken from the
 * environment. */
static bool decode_default(struct decode *d, const struct conf_option *o,
                           const struct conf_node *at, void *object) {
    struct conf_node word = {.kind = CONF_KIND_SCALAR,
                             .at = at->at,
                             .text = str_from(o->def),
                             .quoted = true,
                             .literal = true,
                             .weight = 1,
                             .height = 1};
    if (!strchr("[{\"'", o->def[0]))
        return decode_option(d, o, &word, object);
    const struct conf_node *n = conf_yaml_parse(word.text, at->at.file, d->a, d->diags);
    const struct conf_env *env = d->env;
    d->env = NULL;
    bool ok = n && decode_option(d, o, n, object);
    d->env = env;
    return ok;
}

/* "<name>_file" beside a secret. */
static bool is_file_of(const struct conf_option *o, struct str key) {
    size_t n = strlen(o->name);
    return o->type == CONF_SECRET && key.n == n + 5 && memcmp(key.p, o->name, n) == 0 &&
           memcmp(key.p + n, "_file", 5) == 0;
}

static bool decode_secret_file(struct decode *d, const struct conf_option *o,
                               const struct conf_node *n, void *object) {
    if (n->kind != CONF_KIND_SCALAR)
        return FINDING(d, n, "%s_file: expected the name of a file, found %s", o->name,
                       found(n).text);
    struct str path, content;
    if (!scalar_text(d, n, &path) || !resolve_path(d, n, path, &path))
        return false;
    if (!d->env || !d->env->read_file)
        return FINDING(d, n, "%s_file: files cannot be read here; write %s", o->name, o->name);
    struct err err;
    err_reset(&err);
    const char *path_z = arena_strz(d->a, path);
    if (!path_z || !d->env->read_file(d->env->self, path_z, d->a, &content, &err))
        return FINDING(d, n, "%s_file: %s", o->name, err.message);
    while (content.n > 0 && (content.p[content.n - 1] == '\n' || content.p[content.n - 1] == '\r'))
        content.n--;
    if (content.n > SECRET_BYTES_MAX)
        return FINDING(d, n,
                       "%s_file: expected a secret of at most 64 KiB, found a file of %zu bytes",
                       o->name, content.n);
    content = arena_str(d->a, content);
    if (!content.p)
        return FINDING(d, n, "the configuration needs more memory than its cap");
    *(struct str *)(void *)((char *)object + o->offset) = content;
    return true;
}

static const struct conf_option *option_of(const struct conf_table *t, struct str key,
                                           bool *out_file) {
    *out_file = false;
    for (size_t i = 0; i < t->n; i++)
        if (str_eqz(key, t->options[i].name))
            return &t->options[i];
    *out_file = true;
    for (size_t i = 0; i < t->n; i++)
        if (is_file_of(&t->options[i], key))
            return &t->options[i];
    return NULL;
}

static void unknown_key(struct decode *d, const struct conf_table *t, const struct conf_node *key) {
    enum { WORDS_MAX = 128 };
    const char *words[WORDS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < t->n && n < WORDS_MAX; i++)
        words[n++] = t->options[i].name;
    const char *near = nearest(key->text, words, n);
    if (near) {
        (void)FINDING(d, key, "unknown key \"%.*s\" in %s; did you mean \"%s\"?",
                      STR_FMT(key->text), t->name, near);
        return;
    }
    for (size_t i = 0; i < t->n; i++) { /* right word, wrong indent */
        const struct conf_table *inner = t->options[i].table;
        for (size_t k = 0; inner && k < inner->n; k++)
            if (str_eqz(key->text, inner->options[k].name)) {
                (void)FINDING(
                    d, key,
                    "unknown key \"%.*s\" in %s; it belongs under \"%s\" (check the indentation)",
                    STR_FMT(key->text), t->name, t->options[i].name);
                return;
            }
    }
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < t->n && b.n < 300; i++)
        if (!t->options[i].ignored)
            buf_printf(&b, "%s%s", b.n ? ", " : "", t->options[i].name);
    (void)FINDING(d, key, "unknown key \"%.*s\" in %s; expected one of %s%s", STR_FMT(key->text),
                  t->name, buf_ok(&b) ? b.p : "", b.n >= 300 ? " ..." : "");
    buf_deinit(&b);
}

static void decode_keys(struct decode *d, const struct conf_table *t, const struct conf_node *node,
                        void *object) {
    size_t n_unknown = 0;
    for (size_t i = 0; i < node->n && n_unknown < UNKNOWN_KEYS_MAX; i++) {
        bool is_file;
        const struct conf_option *o = option_of(t, node->key[i]->text, &is_file);
        if (!o) {
            n_unknown++;
            unknown_key(d, t, node->key[i]);
        } else if (o->ignored) {
            conf_diag_add(d->diags, true, node->key[i]->at, "\"%s\" is not used: %s", o->name,
                          o->ignored);
        } else if (node->value[i]->kind == CONF_KIND_NULL) {
            continue;
        } else if (!is_file) {
            (void)decode_option(d, o, node->value[i], object);
        } else if (conf_node_get(node, o->name)) {
            (void)FINDING(d, node->key[i], "both \"%s\" and \"%s_file\" are set; keep one", o->name,
                          o->name);
        } else {
            (void)decode_secret_file(d, o, node->value[i], object);
        }
    }
}

static const struct conf_node *value_of(const struct conf_node *node, const struct conf_option *o) {
    for (size_t i = 0; i < node->n; i++)
        if ((str_eqz(node->key[i]->text, o->name) || is_file_of(o, node->key[i]->text)) &&
            node->value[i]->kind != CONF_KIND_NULL)
            return node->value[i];
    return NULL;
}

/* Inline tables without a word in the file still need their defaults. */
static void decode_absent(struct decode *d, const struct conf_table *t,
                          const struct conf_node *node, void *object) {
    for (size_t i = 0; i < t->n; i++) {
        const struct conf_option *o = &t->options[i];
        if (o->ignored || o->required || value_of(node, o))
            continue;
        struct conf_node empty = {.kind = CONF_KIND_MAP, .at = node->at, .weight = 1, .height = 1};
        if (o->def)
            (void)decode_default(d, o, node, object);
        else if (o->type == CONF_TABLE)
            (void)decode_table(d, o->table, &empty, (char *)object + o->offset);
    }
}

/* After the keys: a misspelt key is the better finding, and comes first. */
static void find_missing(struct decode *d, const struct conf_table *t,
                         const struct conf_node *node) {
    for (size_t i = 0; i < t->n; i++) {
        const struct conf_option *o = &t->options[i];
        if (o->required && !value_of(node, o))
            (void)FINDING(d, node, "\"%s\" is missing in %s%s%s", o->name, t->name,
                          o->help ? ": " : "", o->help ? o->help : "");
    }
}

/* A check that begins its message with the name of an option ("expr: ...") means that option's
 * place. */
static struct conf_source place_of(const struct conf_node *node, const struct err *err) {
    struct str rest = str_from(err->message), name;
    struct conf_source at = node->at;
    if (err->line) {
        at.line = err->line;
        at.column = err->column;
        return at;
    }
    if (str_find_char(rest, ':') == SIZE_MAX || !str_next(&rest, ':', &name))
        return at;
    for (size_t i = 0; i < node->n; i++)
        if (str_eq(node->key[i]->text, name))
            return node->value[i]->kind == CONF_KIND_SCALAR ? node->value[i]->at : node->key[i]->at;
    return at;
}

static bool decode_table(struct decode *d, const struct conf_table *t, const struct conf_node *node,
                         void *object) {
    static const struct conf_node nothing = {.kind = CONF_KIND_MAP, .weight = 1, .height = 1};
    struct conf_node empty = nothing;
    if (node->kind == CONF_KIND_NULL) {
        empty.at = node->at;
        node = &empty;
    }
    if (node->kind != CONF_KIND_MAP)
        return FINDING(d, node,
                       "expected a mapping for %s (lines such as \"key: value\"), found %s",
                       t->name, found(node).text);
    size_t before = d->n_findings;
    memset(object, 0, t->size);
    if (t->source_offset != SIZE_MAX)
        *(struct conf_source *)(void *)((char *)object + t->source_offset) = node->at;
    /* Defaults first, so that a check in a nested table sees a complete object only. */
    decode_absent(d, t, node, object);
    decode_keys(d, t, node, object);
    find_missing(d, t, node);
    if (d->n_findings != before)
        return false;
    if (t->check) {
        struct err err;
        err_reset(&err);
        if (!t->check(object, d->a, &err)) {
            d->n_findings++;
            conf_diag_add(d->diags, false, place_of(node, &err), "%s", err.message);
            return false;
        }
    }
    return true;
}

bool conf_yaml_decode_node(const struct conf_node *node, const struct conf_table *table,
                           const struct conf_env *env, struct arena *a, void *object,
                           struct conf_diags *diags) {
    struct decode d = {env, a, diags, 0};
    return decode_table(&d, table, node, object) && d.n_findings == 0;
}

bool conf_yaml_decode(struct str text, const char *file, const struct conf_table *table,
                      const struct conf_env *env, struct arena *a, void *object,
                      struct conf_diags *diags) {
    memset(object, 0, table->size);
    const struct conf_node *node = conf_yaml_parse(text, file, a, diags);
    return node && conf_yaml_decode_node(node, table, env, a, object, diags);
}
