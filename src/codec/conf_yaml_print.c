/* Structs back to YAML, and option tables to the manual. */
#include "base/timev.h"
#include "codec/conf_yaml.h"

#include <stdlib.h>

struct print {
    struct buf *out;
    bool all;
    bool variables;     /* ${NAME} is one: text that was not expanded */
    bool hide;          /* for eyes: passwords within URLs and in raw trees become <secret> */
    struct arena arena; /* default objects to compare with */
};

static void indent(struct print *p, unsigned by) {
    for (unsigned i = 0; i < by; i++)
        buf_putc(p->out, ' ');
}

static bool is_plain(struct str s) {
    static const char *const words[] = {"true", "false", "yes", "no", "on",
                                        "off",  "null",  "y",   "n"};
    if (s.n == 0 || !((s.p[0] >= 'a' && s.p[0] <= 'z') || (s.p[0] >= 'A' && s.p[0] <= 'Z') ||
                      s.p[0] == '/' || s.p[0] == '_'))
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_eq_nocase(s, str_from(words[i])))
            return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr("/_.-", c))))
            return false;
    }
    return true;
}

/* Where the password of "scheme://user:password@host" begins and ends, or of the same without a
 * scheme, as proxies are written; false: there is none. The last '@' before the path counts, as URL
 * parsers have it. */
static bool url_password(struct str s, size_t *out_from, size_t *out_to) {
    size_t scheme = str_find(s, STR("://")), at = SIZE_MAX, colon = SIZE_MAX;
    for (size_t i = scheme == SIZE_MAX ? 0 : scheme + 3;
         i < s.n && !(s.p[i] && strchr("/?#", s.p[i])); i++) {
        if (s.p[i] == ' ')
            return false; /* a sentence */
        if (s.p[i] == '@')
            at = i;
        else if (s.p[i] == ':' && colon == SIZE_MAX)
            colon = i;
    }
    *out_from = colon + 1;
    *out_to = at;
    return at != SIZE_MAX && colon < at;
}

static void print_text(struct print *p, struct str s) {
    size_t from = SIZE_MAX, to = SIZE_MAX;
    if (is_plain(s)) {
        buf_puts(p->out, s);
        return;
    }
    if (!p->hide || !url_password(s, &from, &to))
        from = to = SIZE_MAX;
    buf_putc(p->out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (i == from)
            buf_putz(p->out, "<secret>");
        if (i >= from && i < to)
            continue;
        if (c == '$' && !p->variables && i + 2 < s.n && s.p[i + 1] == '{' &&
            ((s.p[i + 2] >= 'A' && s.p[i + 2] <= 'Z') || s.p[i + 2] == '_'))
            buf_putz(p->out, "$$"); /* not a variable of the environment */
        else if (c == '"' || c == '\\')
            buf_printf(p->out, "\\%c", c);
        else if (c == '\n')
            buf_putz(p->out, "\\n");
        else if (c == '\t')
            buf_putz(p->out, "\\t");
        else if (c < ' ' || c == 0x7f)
            buf_printf(p->out, "\\x%02x", c);
        else
            buf_putc(p->out, (char)c);
    }
    buf_putc(p->out, '"');
}

static void print_list_of_text(struct print *p, const struct conf_strs *l) {
    buf_putc(p->out, '[');
    for (size_t i = 0; i < l->n; i++) {
        if (i)
            buf_putz(p->out, ", ");
        print_text(p, l->v[i]);
    }
    buf_putz(p->out, "]\n");
}

static void print_table(struct print *p, const struct conf_table *t, const void *object,
                        unsigned by, bool first_inline);

/* Written without quotes, and safe to be written so again: keeps 5 a number and true a truth. */
static bool is_number_or_word(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (i > 0 && (c == '.' || c == '_'))))
            return false;
    }
    return s.n > 0;
}

/* A raw tree has no option table that says what is a secret; its keys do. */
static bool names_secret(struct str key) {
    static const char *const ends[] = {"password", "secret", "token", "credentials", "secret_key"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (str_ends(key, str_from(ends[i])))
            return true;
    return false;
}

static void print_node(struct print *p, const struct conf_node *n, unsigned by) {
    if (n->kind == CONF_KIND_SCALAR) {
        buf_putc(p->out, ' ');
        if (!n->quoted && is_number_or_word(n->text)) {
            buf_puts(p->out, n->text);
        } else {
            p->variables = !n->literal;
            print_text(p, n->text);
            p->variables = false;
        }
        buf_putc(p->out, '\n');
    } else if (n->kind == CONF_KIND_NULL || n->n == 0) {
        buf_putz(p->out, n->kind == CONF_KIND_NULL  ? "\n"
                         : n->kind == CONF_KIND_MAP ? " {}\n"
                                                    : " []\n");
    } else {
        buf_putc(p->out, '\n');
        for (size_t i = 0; i < n->n; i++) {
            indent(p, by);
            if (n->kind == CONF_KIND_MAP) {
                print_text(p, n->key[i]->text);
                buf_putc(p->out, ':');
                if (p->hide && n->value[i]->kind == CONF_KIND_SCALAR &&
                    names_secret(n->key[i]->text)) {
                    buf_putz(p->out, " <secret>\n");
                    continue;
                }
            } else {
                buf_putc(p->out, '-');
            }
            print_node(p, n->value[i], by + 2);
        }
    }
}

void conf_yaml_encode_node(const struct conf_node *node, struct buf *out) {
    struct print p = {.out = out};
    struct buf b = BUF_INIT;
    p.out = &b;
    print_node(&p, node, 0);
    size_t skip = b.n && buf_ok(&b) && (b.p[0] == '\n' || b.p[0] == ' ')
                      ? 1
                      : 0; /* what parts a value from its key */
    if (buf_ok(&b) && b.n)
        buf_put(out, b.p + skip, b.n - skip);
    else if (!buf_ok(&b))
        out->failed = true;
    buf_deinit(&b);
}

static void print_duration(struct print *p, int64_t v) {
    if (v == INT64_MAX)
        buf_putz(p->out, "unlimited");
    else
        duration_format(p->out, v);
}

static void print_bytes(struct print *p, uint64_t v) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned k = 0;
    while (v && v % 1024 == 0 && k < 6) {
        v /= 1024;
        k++;
    }
    buf_u64(p->out, v);
    buf_putz(p->out, v ? units[k] : "");
}

static void print_scalar(struct print *p, const struct conf_option *o, const void *field) {
    buf_putc(p->out, ' ');
    switch (o->type) {
    case CONF_BOOL:
        buf_putz(p->out, *(const bool *)field ? "true" : "false");
        break;
    case CONF_INT:
        buf_i64(p->out, *(const int64_t *)field);
        break;
    case CONF_FLOAT:
        buf_f64(p->out, *(const double *)field);
        break;
    case CONF_DURATION:
        print_duration(p, *(const int64_t *)field);
        break;
    case CONF_BYTES:
        print_bytes(p, *(const uint64_t *)field);
        break;
    case CONF_ENUM:
        print_text(p, str_from(o->names[*(const int *)field]));
        break;
    case CONF_SECRET:
        buf_putz(p->out, "<secret>");
        break;
    case CONF_STR:
    case CONF_REGEX:
    case CONF_PATH:
        print_text(p, *(const struct str *)field);
        break;
    case CONF_STRS:
    case CONF_PATHS:
    case CONF_PAIRS:
    case CONF_TABLE:
    case CONF_TABLE_OPT:
    case CONF_LIST:
    case CONF_NODE:
        break;
    }
    buf_putc(p->out, '\n');
}

void conf_yaml_encode_value(const struct conf_option *o, const void *field, struct buf *out) {
    struct buf b = BUF_INIT;
    struct print p = {.out = &b, .hide = true};
    bool text = o->type == CONF_STR || o->type == CONF_SECRET || o->type == CONF_PATH ||
                o->type == CONF_REGEX;
    if (o->type == CONF_STRS || o->type == CONF_PATHS)
        print_list_of_text(&p, field);
    else if (!text || ((const struct str *)field)->n)
        print_scalar(&p, o, field);
    buf_puts(out, str_trim(buf_view(&b)));
    if (!buf_ok(&b))
        out->failed = true;
    buf_deinit(&b);
}

static bool pairs_eq(const struct conf_pairs *a, const struct conf_pairs *b) {
    bool eq = a->n == b->n;
    for (size_t i = 0; eq && i < a->n; i++)
        eq = str_eq(a->key[i], b->key[i]) && str_eq(a->value[i], b->value[i]);
    return eq;
}

static bool table_is_default(const struct conf_table *t, const void *a, const void *def);

static bool is_default(const struct conf_option *o, const void *a, const void *def) {
    switch (o->type) {
    case CONF_BOOL:
        return *(const bool *)a == *(const bool *)def;
    case CONF_INT:
    case CONF_DURATION:
        return *(const int64_t *)a == *(const int64_t *)def;
    case CONF_FLOAT:
        return memcmp(a, def, sizeof(double)) == 0;
    case CONF_BYTES:
        return *(const uint64_t *)a == *(const uint64_t *)def;
    case CONF_ENUM:
        return *(const int *)a == *(const int *)def;
    case CONF_STR:
    case CONF_SECRET:
    case CONF_REGEX:
    case CONF_PATH:
        return str_eq(*(const struct str *)a, *(const struct str *)def);
    case CONF_STRS:
    case CONF_PATHS: {
        const struct conf_strs *x = a, *y = def;
        bool eq = x->n == y->n;
        for (size_t i = 0; eq && i < x->n; i++)
            eq = str_eq(x->v[i], y->v[i]);
        return eq;
    }
    case CONF_PAIRS:
        return pairs_eq(a, def);
    case CONF_TABLE:
        return table_is_default(o->table, a, def);
    case CONF_TABLE_OPT:
    case CONF_NODE:
        return *(const void *const *)a == NULL;
    case CONF_LIST:
        return ((const struct conf_list *)a)->n == 0;
    }
    return true;
}

static bool table_is_default(const struct conf_table *t, const void *a, const void *def) {
    for (size_t i = 0; i < t->n; i++)
        if (!t->options[i].ignored &&
            !is_default(&t->options[i], (const char *)a + t->options[i].offset,
                        (const char *)def + t->options[i].offset))
            return false;
    return true;
}

/* Things that have no sensible empty form are left out even when everything is asked for. */
static bool has_nothing_to_print(const struct conf_option *o, const void *field) {
    if (o->type == CONF_SECRET || o->type == CONF_STR || o->type == CONF_PATH ||
        o->type == CONF_REGEX)
        return ((const struct str *)field)->n == 0 && !o->def;
    if (o->type == CONF_NODE || o->type == CONF_TABLE_OPT)
        return *(const void *const *)field == NULL;
    return o->type == CONF_PAIRS && ((const struct conf_pairs *)field)->n == 0;
}

static void print_option(struct print *p, const struct conf_option *o, const void *field,
                         unsigned by) {
    buf_putz(p->out, o->name);
    buf_putc(p->out, ':');
    switch (o->type) {
    case CONF_STRS:
    case CONF_PATHS:
        buf_putc(p->out, ' ');
        print_list_of_text(p, field);
        break;
    case CONF_PAIRS: {
        const struct conf_pairs *m = field;
        buf_putz(p->out, m->n ? "\n" : " {}\n");
        for (size_t i = 0; i < m->n; i++) {
            indent(p, by + 2);
            print_text(p, m->key[i]);
            buf_putz(p->out, ": ");
            print_text(p, m->value[i]);
            buf_putc(p->out, '\n');
        }
        break;
    }
    case CONF_TABLE:
        buf_putc(p->out, '\n');
        print_table(p, o->table, field, by + 2, false);
        break;
    case CONF_TABLE_OPT:
        buf_putc(p->out, '\n');
        print_table(p, o->table, *(void *const *)field, by + 2, false);
        break;
    case CONF_LIST: {
        const struct conf_list *l = field;
        buf_putz(p->out, l->n ? "\n" : " []\n");
        for (size_t i = 0; i < l->n; i++) {
            indent(p, by + 2);
            buf_putz(p->out, "- ");
            print_table(p, o->table, (const char *)l->v + i * o->table->size, by + 4, true);
        }
        break;
    }
    case CONF_NODE:
        print_node(p, *(const struct conf_node *const *)field, by + 2);
        break;
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
        print_scalar(p, o, field);
        break;
    }
}

/* What an object is when nothing is written in it. Checks and required keys are of no interest
 * here. */
static void *default_object(struct print *p, const struct conf_table *t) {
    struct conf_node empty = {.kind = CONF_KIND_MAP, .at = {"", 1, 1}, .weight = 1, .height = 1};
    struct conf_diags ignore = {.arena = &p->arena};
    void *object = arena_zalloc(&p->arena, t->size);
    if (object)
        (void)conf_yaml_decode_node(&empty, t, NULL, &p->arena, object, &ignore);
    return object;
}

static void print_table(struct print *p, const struct conf_table *t, const void *object,
                        unsigned by, bool first_inline) {
    const void *def = p->all ? NULL : default_object(p, t);
    bool any = false;
    for (size_t i = 0; i < t->n; i++) {
        const struct conf_option *o = &t->options[i];
        const void *field = (const char *)object + o->offset;
        if (o->ignored || has_nothing_to_print(o, field))
            continue;
        if (def && !o->required && is_default(o, field, (const char *)def + o->offset))
            continue;
        if (any || !first_inline)
            indent(p, by);
        any = true;
        print_option(p, o, field, by);
    }
    if (!any && (first_inline || by > 0)) {
        if (!first_inline)
            indent(p, by);
        buf_putz(p->out, "{}\n");
    }
}

void conf_yaml_encode(const struct conf_table *table, const void *object, bool all,
                      struct buf *out) {
    struct print p = {.out = out, .all = all, .hide = true, .arena = ARENA_INIT};
    print_table(&p, table, object, 0, false);
    arena_deinit(&p.arena);
}

static const char *type_words(const struct conf_option *o) {
    switch (o->type) {
    case CONF_BOOL:
        return "true or false";
    case CONF_INT:
        return "whole number";
    case CONF_FLOAT:
        return "number";
    case CONF_DURATION:
        return o->max == INT64_MAX ? "duration or `unlimited`" : "duration";
    case CONF_BYTES:
        return "size";
    case CONF_STR:
        return "text";
    case CONF_SECRET:
        return "secret";
    case CONF_ENUM:
        return "one of";
    case CONF_REGEX:
        return "regular expression";
    case CONF_STRS:
        return "list of words";
    case CONF_PAIRS:
        return "mapping of text";
    case CONF_TABLE:
    case CONF_TABLE_OPT:
        return "mapping";
    case CONF_LIST:
        return "list of";
    case CONF_NODE:
        return "as described";
    case CONF_PATH:
        return "file";
    case CONF_PATHS:
        return "list of files";
    }
    return "";
}

static void markdown_range(const struct conf_option *o, struct buf *out) {
    if (o->max <= o->min || (o->type != CONF_INT && o->type != CONF_DURATION))
        return;
    buf_putz(out, ", ");
    if (o->type == CONF_INT) {
        buf_printf(out, "%lld to %lld", (long long)o->min, (long long)o->max);
        return;
    }
    duration_format(out, o->min);
    if (o->max == INT64_MAX) {
        buf_putz(out, " or more");
        return;
    }
    buf_putz(out, " to ");
    duration_format(out, o->max);
}

static void markdown_cell(struct buf *out, const char *text) {
    for (; text && *text; text++) {
        if (*text == '|')
            buf_putc(out, '\\');
        buf_putc(out, *text == '\n' ? ' ' : *text);
    }
}

static void markdown_option(const struct conf_option *o, struct buf *out) {
    buf_printf(out, "| `%s`", o->name);
    if (o->type == CONF_SECRET)
        buf_printf(out, "<br>`%s_file`", o->name);
    buf_putz(out, " | ");
    buf_putz(out, type_words(o));
    for (size_t i = 0; o->type == CONF_ENUM && o->names[i]; i++)
        buf_printf(out, "%s `%s`", i ? "," : "", o->names[i][0] ? o->names[i] : "\"\"");
    if (o->table)
        buf_printf(out, " [%s](#%s)", o->table->name, o->table->name);
    markdown_range(o, out);
    if (o->required)
        buf_putz(out, ", required");
    buf_putz(out, " | ");
    if (o->def && *o->def) {
        buf_putc(out, '`');
        markdown_cell(out, o->def);
        buf_putc(out, '`');
    }
    buf_putz(out, " | ");
    markdown_cell(out, o->help);
    if (o->reload_ignored)
        buf_putz(out, " A change needs a restart.");
    if (o->help_ja) {
        buf_putz(out, "<br>");
        markdown_cell(out, o->help_ja);
    }
    buf_putz(out, " |\n");
}

enum { MARKDOWN_TABLES_MAX = 256 };
struct markdown {
    const struct conf_table *seen[MARKDOWN_TABLES_MAX];
    size_t n;
};

static void markdown_add(struct markdown *m, const struct conf_table *t) {
    for (size_t i = 0; i < m->n; i++)
        if (m->seen[i] == t)
            return;
    if (m->n < MARKDOWN_TABLES_MAX)
        m->seen[m->n++] = t;
}

void conf_markdown(const struct conf_table *table, struct buf *out) {
    struct markdown m = {.n = 0};
    markdown_add(&m, table);
    for (size_t i = 0; i < m.n;
         i++) { /* grows while it runs: tables in the order in which they are named */
        const struct conf_table *t = m.seen[i];
        size_t n_ignored = 0;
        buf_printf(out, "%s## %s\n\n", i ? "\n" : "", t->name);
        if (t->help)
            buf_printf(out, "%s\n\n", t->help);
        buf_putz(out, "| key | type | default | what it does |\n|---|---|---|---|\n");
        for (size_t k = 0; k < t->n; k++) {
            if (t->options[k].ignored) {
                n_ignored++;
                continue;
            }
            markdown_option(&t->options[k], out);
            if (t->options[k].table)
                markdown_add(&m, t->options[k].table);
        }
        if (n_ignored) {
            buf_putz(out, "\nAccepted with a warning and not used:\n\n");
            for (size_t k = 0; k < t->n; k++)
                if (t->options[k].ignored)
                    buf_printf(out, "- `%s`: %s\n", t->options[k].name, t->options[k].ignored);
        }
    }
}
