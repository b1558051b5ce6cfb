/* The first half of reading a configuration: YAML text to a tree of nodes with positions, and the
 * merging of such trees. The second half, trees to structs, is conf_yaml_decode.c. */
#include "codec/conf_yaml.h"

#include "base/limits.h"
#include "base/map.h"

#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    NODES_MAX = 200000,   /* nodes written in one file: 4 MiB of the densest sensible YAML */
    UNFOLDED_MAX = 400000 /* nodes with aliases written out: nobody's configuration, everybody's
                             "billion laughs" */
};

struct frame {
    struct conf_node *node, *key; /* key: of the value that comes next, NULL when a key is due */
    struct str anchor;
    struct map seen;
    size_t n_merges; /* "<<" keys, moved behind `node` until the map ends */
    struct conf_node *merges[16];
};

struct parse {
    struct arena *a;
    struct conf_diags *diags;
    const char *file;
    struct str text; /* the whole file */
    struct map anchors;
    struct frame *stack; /* LIMIT_YAML_DEPTH of them */
    size_t depth, n_nodes;
    struct conf_node *root;
    bool failed, got_document;
};

static bool finding(struct parse *p, uint32_t line, uint32_t column, const char *text) {
    p->failed = true;
    conf_diag_add(p->diags, false, (struct conf_source){p->file, line, column}, "%s", text);
    return false;
}

static bool finding_at(struct parse *p, const struct fy_mark *m, const char *text) {
    return finding(p, m ? (uint32_t)m->line + 1 : 1, m ? (uint32_t)m->column + 1 : 1, text);
}

static bool no_memory(struct parse *p) {
    return finding(p, 1, 1, "the configuration needs more memory than its cap");
}

static struct conf_node *new_node(struct parse *p, enum conf_kind kind, const struct fy_mark *m) {
    if (++p->n_nodes > NODES_MAX) {
        (void)finding_at(p, m, "more than 200000 values in one file");
        return NULL;
    }
    struct conf_node *n = ARENA_NEW(p->a, struct conf_node);
    if (!n) {
        (void)no_memory(p);
        return NULL;
    }
    n->kind = kind;
    n->at = (struct conf_source){p->file, m ? (uint32_t)m->line + 1 : 1,
                                 m ? (uint32_t)m->column + 1 : 1};
    n->weight = 1;
    n->height = 1;
    return n;
}

static bool grow(struct arena *a, struct conf_node *n) {
    if (n->n < n->cap)
        return true;
    size_t cap = n->cap ? n->cap * 2 : 4, size = sizeof(struct conf_node *);
    if (n->kind == CONF_KIND_MAP) {
        struct conf_node **key = arena_grow(a, n->key, n->cap * size, cap * size);
        if (!key)
            return false;
        n->key = key;
    }
    struct conf_node **value = arena_grow(a, n->value, n->cap * size, cap * size);
    if (!value)
        return false;
    n->value = value;
    n->cap = cap;
    return true;
}

static bool append(struct arena *a, struct conf_node *into, struct conf_node *key,
                   struct conf_node *value) {
    if (!grow(a, into))
        return false;
    if (into->kind == CONF_KIND_MAP)
        into->key[into->n] = key;
    into->value[into->n++] = value;
    into->weight += value->weight + (key ? 1 : 0);
    if (value->height + 1 > into->height)
        into->height = value->height + 1;
    return true;
}

static bool is_merge_key(const struct conf_node *key) {
    return !key->quoted && str_eq(key->text, STR("<<"));
}

/* Puts a finished value where it belongs: the open list, the open map, or the document itself. */
static bool attach(struct parse *p, struct conf_node *n, const struct fy_mark *m) {
    if (p->depth == 0) {
        p->root = n;
        return true;
    }
    struct frame *f = &p->stack[p->depth - 1];
    if (f->node->weight + n->weight > UNFOLDED_MAX)
        return finding_at(p, m, "aliases (*name) unfold to more than 400000 values");
    if (p->depth + n->height > LIMIT_YAML_DEPTH)
        return finding_at(p, m, "nested more than 64 levels deep");
    if (f->node->kind == CONF_KIND_LIST)
        return append(p->a, f->node, NULL, n) || no_memory(p);
    struct conf_node *key = f->key;
    f->key = NULL;
    if (is_merge_key(key)) {
        if (f->n_merges == sizeof(f->merges) / sizeof(f->merges[0]))
            return finding_at(p, m, "more than 16 merge keys (<<) in one mapping");
        f->merges[f->n_merges++] = n;
        f->node->weight += n->weight;
        return true;
    }
    return append(p->a, f->node, key, n) || no_memory(p);
}

static bool take_key(struct parse *p, struct frame *f, struct conf_node *key,
                     const struct fy_mark *m) {
    if (!is_merge_key(key)) {
        struct conf_node *first = map_get(&f->seen, key->text);
        if (first) {
            char text[256];
            (void)snprintf(text, sizeof(text),
                           "the key \"%.*s\" stands twice in this mapping; the first is in line %u",
                           (int)(key->text.n > 100 ? 100 : key->text.n), key->text.p,
                           first->at.line);
            /* Go on: the rest may hold more findings. The second value is read and thrown away with
             * the tree. */
            (void)finding_at(p, m, text);
        } else if (!map_put(&f->seen, key->text, key, NULL)) {
            return no_memory(p);
        }
    }
    f->key = key;
    return true;
}

static bool wants_key(const struct parse *p) {
    return p->depth > 0 && p->stack[p->depth - 1].node->kind == CONF_KIND_MAP &&
           !p->stack[p->depth - 1].key;
}

static bool remember_anchor(struct parse *p, struct str name, struct conf_node *n) {
    return name.n == 0 || map_put(&p->anchors, name, n, NULL) || no_memory(p);
}

static bool token_text(struct parse *p, struct fy_token *t, struct str *out) {
    size_t n = 0;
    const char *s = t ? fy_token_get_text(t, &n) : NULL;
    *out = arena_str(p->a, str_make(s, s ? n : 0));
    return out->p != NULL || no_memory(p);
}

/* The inside of a single-quoted scalar: '' is ', white space around a line's end goes, one line end
 * is a space and more are that many less one (YAML 1.2.2, 7.3.2 and 6.5). */
static void unquote(struct buf *b, struct str s) {
    for (size_t i = 0; i < s.n;) {
        size_t end = i, breaks = 0;
        while (end < s.n && (s.p[end] == ' ' || s.p[end] == '\t'))
            end++;
        bool line_end = end < s.n && (s.p[end] == '\n' || s.p[end] == '\r');
        for (; line_end && end < s.n && strchr(" \t\r\n", s.p[end]); end++)
            breaks +=
                s.p[end] == '\n' || (s.p[end] == '\r' && !(end + 1 < s.n && s.p[end + 1] == '\n'));
        if (line_end) {
            for (size_t k = 1; k < breaks; k++)
                buf_putc(b, '\n');
            if (breaks == 1)
                buf_putc(b, ' ');
            i = end;
            continue;
        }
        buf_putc(b, s.p[i]);
        i += s.p[i] == '\'' ? 2 : 1;
    }
}

/* libfyaml 0.7.12 reads two '' beside each other as three quotes, finds its buffer too small, gives
 * no text and loses memory: such a scalar we read ourselves. *out_done: it was one. */
static bool doubled_quotes(struct parse *p, struct fy_token *t, struct str *out, bool *out_done) {
    const struct fy_mark *from = fy_token_start_mark(t), *to = fy_token_end_mark(t);
    *out_done = false;
    if (fy_token_scalar_style(t) != FYSS_SINGLE_QUOTED || !from || !to || from->input_pos == 0 ||
        from->input_pos > to->input_pos || to->input_pos > p->text.n)
        return true;
    struct str inside = str_sub(p->text, from->input_pos, to->input_pos - from->input_pos);
    if (p->text.p[from->input_pos - 1] != '\'' || str_find(inside, STR("''''")) == SIZE_MAX)
        return true;
    struct buf b = BUF_INIT;
    unquote(&b, inside);
    *out = arena_str(p->a, buf_view(&b));
    bool ok = buf_ok(&b) && out->p;
    buf_deinit(&b);
    *out_done = true;
    return ok || no_memory(p);
}

/* Only the core schema's tags: what a value is, its option decides. */
static bool check_tag(struct parse *p, struct fy_token *tag, const struct fy_mark *m) {
    size_t n_handle = 0, n_suffix = 0;
    const char *handle = tag ? fy_tag_token_handle(tag, &n_handle) : NULL;
    const char *suffix = tag ? fy_tag_token_suffix(tag, &n_suffix) : NULL;
    struct str h = str_make(handle, handle ? n_handle : 0);
    if (!tag || str_eq(h, STR("!!")) || (str_eq(h, STR("!")) && (!suffix || n_suffix == 0)))
        return true;
    return finding_at(p, m, "tags (!name) have no meaning here; take it away");
}

static bool is_null_word(struct str s) {
    return s.n == 0 || str_eq(s, STR("~")) || str_eq(s, STR("null")) || str_eq(s, STR("Null")) ||
           str_eq(s, STR("NULL"));
}

static bool on_scalar(struct parse *p, struct fy_event *e, const struct fy_mark *m) {
    enum fy_scalar_style style = fy_token_scalar_style(e->scalar.value);
    struct conf_node *n = new_node(p, CONF_KIND_SCALAR, m);
    struct str anchor = {NULL, 0};
    bool read = false;
    if (!n || !check_tag(p, e->scalar.tag, m) ||
        !doubled_quotes(p, e->scalar.value, &n->text, &read) ||
        (!read && !token_text(p, e->scalar.value, &n->text)) ||
        (e->scalar.anchor && !token_text(p, e->scalar.anchor, &anchor)))
        return false;
    n->quoted = style != FYSS_PLAIN && style != FYSS_ANY;
    n->literal = n->quoted && style != FYSS_DOUBLE_QUOTED;
    if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) && n->at.column > 1)
        n->at.column--; /* libfyaml points behind the quote */
    if (memchr(n->text.p, 0, n->text.n))
        return finding_at(p, m, "a value holds a NUL character");
    if (wants_key(p))
        return take_key(p, &p->stack[p->depth - 1], n, m);
    if (!n->quoted && is_null_word(n->text))
        n->kind = CONF_KIND_NULL;
    return remember_anchor(p, anchor, n) && attach(p, n, m);
}

static bool on_alias(struct parse *p, struct fy_event *e, const struct fy_mark *m) {
    if (wants_key(p))
        return finding_at(p, m, "a key must be a word, found an alias");
    struct str name;
    if (!token_text(p, e->alias.anchor, &name))
        return false;
    struct conf_node *n = map_get(&p->anchors, name);
    if (!n)
        return finding_at(
            p, m, "an alias (*name) must follow its anchor (&name), and that ends before it");
    return attach(p, n, m);
}

static bool open_frame(struct parse *p, enum conf_kind kind, struct fy_token *anchor,
                       struct fy_token *tag, const struct fy_mark *m) {
    if (wants_key(p))
        return finding_at(p, m,
                          "a key must be a word, found a list or a mapping; a value with { or [ in "
                          "front needs quotes");
    if (p->depth == LIMIT_YAML_DEPTH)
        return finding_at(p, m, "nested more than 64 levels deep");
    struct frame *f = &p->stack[p->depth];
    *f = (struct frame){.seen = MAP_INIT};
    f->seen.borrow_keys = true;
    f->node = new_node(p, kind, m);
    if (!f->node || !check_tag(p, tag, m) || (anchor && !token_text(p, anchor, &f->anchor)))
        return false;
    p->depth++;
    return true;
}

/* YAML 1.1's merge key, as the Go parsers of the field take it: what is written here wins, then the
 * earlier map. */
static bool merge_one(struct parse *p, struct frame *f, const struct conf_node *from,
                      const struct fy_mark *m) {
    if (from->kind != CONF_KIND_MAP)
        return finding_at(p, m, "the merge key (<<) expects a mapping or a list of mappings");
    for (size_t i = 0; i < from->n; i++) {
        if (map_get(&f->seen, from->key[i]->text))
            continue;
        if (f->node->weight + from->value[i]->weight > UNFOLDED_MAX)
            return finding_at(p, m, "aliases (*name) unfold to more than 400000 values");
        if (!map_put(&f->seen, from->key[i]->text, from->key[i], NULL) ||
            !append(p->a, f->node, from->key[i], from->value[i]))
            return no_memory(p);
    }
    return true;
}

static bool close_frame(struct parse *p, const struct fy_mark *m) {
    struct frame *f = &p->stack[p->depth - 1];
    for (size_t i = 0; i < f->n_merges; i++) {
        const struct conf_node *from = f->merges[i];
        if (from->kind != CONF_KIND_LIST) {
            if (!merge_one(p, f, from, m))
                return false;
            continue;
        }
        for (size_t k = 0; k < from->n; k++)
            if (!merge_one(p, f, from->value[k], m))
                return false;
    }
    map_deinit(&f->seen);
    struct conf_node *n = f->node;
    struct str anchor = f->anchor;
    p->depth--;
    return remember_anchor(p, anchor, n) && attach(p, n, m);
}

static bool on_event(struct parse *p, struct fy_event *e) {
    const struct fy_mark *m = fy_event_start_mark(e);
    switch (e->type) {
    case FYET_SCALAR:
        return on_scalar(p, e, m);
    case FYET_ALIAS:
        return on_alias(p, e, m);
    case FYET_MAPPING_START:
        return open_frame(p, CONF_KIND_MAP, e->mapping_start.anchor, e->mapping_start.tag, m);
    case FYET_SEQUENCE_START:
        return open_frame(p, CONF_KIND_LIST, e->sequence_start.anchor, e->sequence_start.tag, m);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        return close_frame(p, m);
    case FYET_DOCUMENT_START:
        if (p->got_document)
            return finding_at(
                p, m, "a second YAML document (---) in one file; put it into a file of its own");
        p->got_document = true;
        return true;
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END:
        break;
    }
    return true;
}

static void drop_output(struct fy_diag *diag, void *user, const char *text, size_t n) {
    (void)diag, (void)user, (void)text, (void)n;
}

/* libfyaml may tell one mistake in several lines; the first is the cause. */
static void take_syntax_error(struct parse *p, struct fy_diag *diag) {
    void *prev = NULL;
    const struct fy_diag_error *e = fy_diag_errors_iterate(diag, &prev);
    if (e && e->msg)
        (void)finding(p, e->line > 0 ? (uint32_t)e->line : 1,
                      e->column > 0 ? (uint32_t)e->column : 1, e->msg);
    else
        (void)finding(p, 1, 1, "this is not YAML");
}

static void parse_events(struct parse *p, struct str text) {
    struct fy_diag_cfg dc;
    fy_diag_cfg_default(&dc);
    dc.fp = NULL;
    dc.output_fn = drop_output;
    dc.colorize = false;
    struct fy_diag *diag = fy_diag_create(&dc);
    struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_DISABLE_MMAP_OPT | FYPCF_JSON_NONE,
                               .diag = diag};
    struct fy_parser *parser = diag ? fy_parser_create(&cfg) : NULL;
    if (!parser) {
        (void)no_memory(p);
    } else {
        fy_diag_set_collect_errors(diag, true);
        if (fy_parser_set_string(parser, text.p, text.n) != 0)
            (void)no_memory(p);
        bool going = !p->failed;
        while (going) {
            struct fy_event *e = fy_parser_parse(parser);
            if (!e) {
                if (fy_parser_get_stream_error(parser))
                    take_syntax_error(p, diag);
                break;
            }
            going = on_event(p, e) && e->type != FYET_STREAM_END;
            fy_parser_event_free(parser, e);
        }
    }
    if (parser)
        fy_parser_destroy(parser);
    if (diag)
        fy_diag_destroy(diag);
}

/* What libfyaml need not judge: size, encoding, characters that no text file has. */
static bool check_text(struct parse *p, struct str text) {
    if (text.n > LIMIT_CONFIG_BYTES)
        return finding(p, 1, 1, "the file is larger than 4 MiB");
    uint32_t line = 1;
    size_t start = 0;
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] == 0)
            return finding(p, line, (uint32_t)(i - start) + 1,
                           "a NUL character; this is no text file");
        if (i < text.n && text.p[i] != '\n')
            continue;
        if (!str_is_utf8(str_sub(text, start, i - start)))
            return finding(p, line, 1, "this line is not UTF-8");
        line++;
        start = i + 1;
    }
    return true;
}

struct conf_node *conf_yaml_parse(struct str text, const char *file, struct arena *a,
                                  struct conf_diags *diags) {
    struct parse p = {.a = a, .diags = diags, .file = file};
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_from_offset(text, 3);
    p.text = text;
    if (!check_text(&p, text))
        return NULL;
    p.stack = calloc(LIMIT_YAML_DEPTH, sizeof(*p.stack));
    if (!p.stack) {
        (void)no_memory(&p);
        return NULL;
    }
    if (str_trim(text).n > 0)
        parse_events(&p, text);
    while (p.depth > 0)
        map_deinit(&p.stack[--p.depth].seen);
    map_deinit(&p.anchors);
    free(p.stack);
    if (p.failed)
        return NULL;
    if (!p.root || p.root->kind == CONF_KIND_NULL) {
        p.root = new_node(&p, CONF_KIND_MAP, NULL);
    }
    return p.root;
}

static bool merge_conflict(const struct conf_node *key, const struct conf_node *was,
                           const struct conf_node *now, struct conf_diags *diags) {
    conf_diag_add(diags, false, now->at, "\"%.*s\" is set here and in %s:%u:%u; keep one",
                  STR_FMT(key->text), was->at.file, was->at.line, was->at.column);
    return false;
}

/* Depth is bounded by the parser (LIMIT_YAML_DEPTH). `into` may share nodes with aliases of its own
 * file, so a map or list is copied before it is changed. */
static bool merge_maps(struct conf_node *into, const struct conf_node *from, struct arena *a,
                       struct conf_diags *diags) {
    bool ok = true;
    for (size_t i = 0; i < from->n; i++) {
        struct conf_node *key = from->key[i], *now = from->value[i];
        size_t at = 0;
        while (at < into->n && !str_eq(into->key[at]->text, key->text))
            at++;
        if (at == into->n) {
            if (!append(a, into, key, now))
                return false;
            continue;
        }
        const struct conf_node *was = into->value[at];
        if (now->kind == CONF_KIND_NULL)
            continue;
        if (was->kind == CONF_KIND_NULL) {
            into->value[at] = now;
            continue;
        }
        if (was->kind != now->kind || was->kind == CONF_KIND_SCALAR) {
            ok = merge_conflict(key, was, now, diags);
            continue;
        }
        struct conf_node *both = ARENA_NEW(a, struct conf_node);
        if (!both)
            return false;
        both->kind = was->kind;
        both->at = was->at;
        both->weight = both->height = 1;
        for (size_t k = 0; k < was->n; k++)
            if (!append(a, both, was->key ? was->key[k] : NULL, was->value[k]))
                return false;
        if (both->kind == CONF_KIND_LIST) {
            for (size_t k = 0; k < now->n; k++)
                if (!append(a, both, NULL, now->value[k]))
                    return false;
        } else if (!merge_maps(both, now, a, diags)) {
            ok = false;
        }
        into->value[at] = both;
    }
    return ok;
}

bool conf_yaml_merge(struct conf_node *into, const struct conf_node *from, struct arena *a,
                     struct conf_diags *diags) {
    if (from->kind == CONF_KIND_NULL)
        return true;
    if (into->kind != CONF_KIND_MAP || from->kind != CONF_KIND_MAP) {
        const struct conf_node *bad = into->kind != CONF_KIND_MAP ? into : from;
        conf_diag_add(diags, false, bad->at,
                      "expected a mapping (lines such as \"key: value\") at the top of the file");
        return false;
    }
    if (!merge_maps(into, from, a, diags))
        return false;
    if (into->weight > UNFOLDED_MAX) {
        conf_diag_add(diags, false, from->at, "all files together hold more than 400000 values");
        return false;
    }
    return true;
}

void conf_yaml_format_diags(const struct conf_diags *diags, struct buf *out) {
    for (size_t i = 0; i < diags->n; i++) {
        const struct conf_diag *d = &diags->v[i];
        if (d->file)
            buf_printf(out, "%s:", d->file);
        if (d->line)
            buf_printf(out, "%u:%u:", d->line, d->column);
        buf_printf(out, "%s%s%s\n", d->file ? " " : "", d->warning ? "warning: " : "", d->message);
    }
}
