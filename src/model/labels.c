#include "model/labels.h"

#include "base/hash.h"
#include "base/limits.h"

#include <stdlib.h>

struct str labels_get(struct labels ls, struct str name) {
    for (uint32_t i = 0; i < ls.n; i++)
        if (str_eq(ls.l[i].name, name))
            return ls.l[i].value;
    return (struct str){NULL, 0};
}

int labels_cmp(struct labels a, struct labels b) {
    uint32_t n = a.n < b.n ? a.n : b.n;
    for (uint32_t i = 0; i < n; i++) {
        int c = str_cmp(a.l[i].name, b.l[i].name);
        if (c == 0)
            c = str_cmp(a.l[i].value, b.l[i].value);
        if (c)
            return c;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

bool labels_eq(struct labels a, struct labels b) {
    if (a.n != b.n)
        return false;
    for (uint32_t i = 0; i < a.n; i++)
        if (!str_eq(a.l[i].name, b.l[i].name) || !str_eq(a.l[i].value, b.l[i].value))
            return false;
    return true;
}

uint64_t labels_hash(struct labels ls) {
    uint64_t h = ls.n;
    for (uint32_t i = 0; i < ls.n; i++) {
        h = hash_mix(h, hash_str(ls.l[i].name));
        h = hash_mix(h, hash_str(ls.l[i].value));
    }
    return h;
}

static size_t labels_bytes(struct labels ls) {
    size_t n = sizeof(struct label) * ls.n;
    for (uint32_t i = 0; i < ls.n; i++)
        n += ls.l[i].name.n + ls.l[i].value.n;
    return n;
}

static struct labels labels_pack(char *block, struct labels ls) {
    struct label *l = (struct label *)(void *)block;
    char *p = block + sizeof(struct label) * ls.n;
    for (uint32_t i = 0; i < ls.n; i++) {
        l[i].name = str_make(p, ls.l[i].name.n);
        if (ls.l[i].name.n)
            memcpy(p, ls.l[i].name.p, ls.l[i].name.n);
        p += ls.l[i].name.n;
        l[i].value = str_make(p, ls.l[i].value.n);
        if (ls.l[i].value.n)
            memcpy(p, ls.l[i].value.p, ls.l[i].value.n);
        p += ls.l[i].value.n;
    }
    return (struct labels){l, ls.n};
}

bool labels_copy(struct arena *a, struct labels ls, struct labels *out) {
    char *block = arena_alloc(a, labels_bytes(ls));
    if (!block)
        return false;
    *out = labels_pack(block, ls);
    return true;
}

struct labels *labels_dup(struct labels ls) {
    char *block = malloc(sizeof(struct labels) + labels_bytes(ls));
    if (!block)
        return NULL;
    struct labels *out = (struct labels *)(void *)block;
    *out = labels_pack(block + sizeof(struct labels), ls);
    return out;
}

static void put_quoted(struct buf *b, struct str s) {
    buf_putc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '"' || c == '\\') {
            buf_putc(b, '\\');
            buf_putc(b, c);
        } else if (c == '\n') {
            buf_putz(b, "\\n");
        } else {
            buf_putc(b, c);
        }
    }
    buf_putc(b, '"');
}

void labels_format(struct buf *b, struct labels ls) {
    struct str name = labels_name(ls);
    bool bare = name.n && metric_name_is_legacy(name);
    if (bare)
        buf_puts(b, name);
    uint32_t others = ls.n - (name.n ? 1u : 0u);
    if (bare && others == 0)
        return;
    buf_putc(b, '{');
    bool first = true;
    if (name.n && !bare) {
        put_quoted(b, name);
        first = false;
    }
    for (uint32_t i = 0; i < ls.n; i++) {
        if (str_eq(ls.l[i].name, STR(LABEL_NAME)))
            continue;
        if (!first)
            buf_putz(b, ", ");
        first = false;
        if (label_name_is_legacy(ls.l[i].name))
            buf_puts(b, ls.l[i].name);
        else
            put_quoted(b, ls.l[i].name);
        buf_putc(b, '=');
        put_quoted(b, ls.l[i].value);
    }
    buf_putc(b, '}');
}

/* Parsing */

struct parse {
    struct str text;
    size_t at;
    struct arena *arena;
};

static void skip_space(struct parse *p) {
    while (p->at < p->text.n && (p->text.p[p->at] == ' ' || p->text.p[p->at] == '\t'))
        p->at++;
}

static bool name_byte(char c, bool first) {
    return c == '_' || c == ':' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (!first && c >= '0' && c <= '9');
}

static struct str parse_word(struct parse *p) {
    size_t from = p->at;
    while (p->at < p->text.n && name_byte(p->text.p[p->at], p->at == from))
        p->at++;
    return str_sub(p->text, from, p->at - from);
}

static bool parse_quoted(struct parse *p, struct str *out) {
    size_t end = p->at + 1;
    while (end < p->text.n && p->text.p[end] != '"')
        end += p->text.p[end] == '\\' ? 2 : 1;
    if (end >= p->text.n)
        return false;
    char *o = arena_alloc(p->arena, end - p->at);
    if (!o)
        return false;
    size_t n = 0;
    for (size_t i = p->at + 1; i < end; i++) {
        char c = p->text.p[i];
        if (c == '\\') {
            c = p->text.p[++i];
            if (c == 'n')
                c = '\n';
            else if (c != '\\' && c != '"')
                return false;
        }
        o[n++] = c;
    }
    p->at = end + 1;
    *out = str_make(o, n);
    return true;
}

bool labels_parse(struct str text, struct arena *a, struct labels *out, struct err *err) {
    struct parse p = {text, 0, a};
    struct labels_builder b = LABELS_BUILDER_INIT;
    skip_space(&p);
    struct str word = parse_word(&p);
    if (word.n)
        labels_builder_set(&b, STR(LABEL_NAME), word);
    skip_space(&p);
    bool ok = true;
    if (p.at < text.n) {
        ok = text.p[p.at++] == '{';
        while (ok) {
            skip_space(&p);
            if (p.at < text.n && text.p[p.at] == '}') {
                p.at++;
                break;
            }
            struct str name = {NULL, 0}, value = {NULL, 0};
            bool quoted = p.at < text.n && text.p[p.at] == '"';
            if (quoted)
                ok = parse_quoted(&p, &name);
            else
                name = parse_word(&p), ok = name.n > 0;
            skip_space(&p);
            if (ok && quoted && (p.at >= text.n || text.p[p.at] != '=')) {
                labels_builder_set(&b, STR(LABEL_NAME), name);
            } else if (ok) {
                ok = p.at < text.n && text.p[p.at++] == '=';
                skip_space(&p);
                ok = ok && p.at < text.n && text.p[p.at] == '"' && parse_quoted(&p, &value);
                if (ok)
                    labels_builder_set(&b, name, value);
            }
            skip_space(&p);
            if (ok && p.at < text.n && text.p[p.at] == ',')
                p.at++;
            else if (ok && !(p.at < text.n && text.p[p.at] == '}'))
                ok = false;
        }
        skip_space(&p);
        ok = ok && p.at == text.n;
    }
    if (ok && b.failed)
        ok = err_set(err, ERR_INTERNAL, "out of memory");
    else if (!ok)
        err_set_at(err, ERR_BAD_INPUT, 1, (uint32_t)p.at + 1,
                   "expected labels such as up{job=\"node\"}, found \"%.*s\"", STR_FMT(text));
    if (ok && !labels_copy(a, labels_builder_view(&b), out))
        ok = arena_err(a, err);
    labels_builder_deinit(&b);
    return ok;
}

/* Builder */

void labels_builder_deinit(struct labels_builder *b) {
    free(b->l);
    *b = LABELS_BUILDER_INIT;
}

static bool builder_room(struct labels_builder *b, uint32_t n) {
    if (n <= b->cap)
        return true;
    uint32_t cap = b->cap ? b->cap * 2 : 16;
    while (cap < n)
        cap *= 2;
    struct label *l = realloc(b->l, cap * sizeof(*l));
    if (!l) {
        b->failed = true;
        return false;
    }
    b->l = l;
    b->cap = cap;
    return true;
}

void labels_builder_reset(struct labels_builder *b, struct labels from) {
    b->n = 0;
    b->failed = false;
    if (from.n && builder_room(b, from.n)) {
        memcpy(b->l, from.l, from.n * sizeof(*b->l));
        b->n = from.n;
    }
}

static uint32_t builder_at(const struct labels_builder *b, struct str name, bool *found) {
    uint32_t lo = 0, hi = b->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        int c = str_cmp(b->l[mid].name, name);
        if (c == 0) {
            *found = true;
            return mid;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = false;
    return lo;
}

void labels_builder_set(struct labels_builder *b, struct str name, struct str value) {
    if (value.n == 0) {
        labels_builder_del(b, name);
        return;
    }
    bool found;
    uint32_t at = builder_at(b, name, &found);
    if (!found) {
        if (!builder_room(b, b->n + 1))
            return;
        memmove(b->l + at + 1, b->l + at, (b->n - at) * sizeof(*b->l));
        b->n++;
        b->l[at].name = name;
    }
    b->l[at].value = value;
}

void labels_builder_del(struct labels_builder *b, struct str name) {
    bool found;
    uint32_t at = builder_at(b, name, &found);
    if (found) {
        memmove(b->l + at, b->l + at + 1, (b->n - at - 1) * sizeof(*b->l));
        b->n--;
    }
}

struct str labels_builder_get(const struct labels_builder *b, struct str name) {
    bool found;
    uint32_t at = builder_at(b, name, &found);
    return found ? b->l[at].value : (struct str){NULL, 0};
}

struct labels labels_builder_view(const struct labels_builder *b) {
    return (struct labels){b->l, b->n};
}

/* Checks */

static bool legacy(struct str name, bool colon) {
    if (name.n == 0)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!name_byte(name.p[i], i == 0) || (!colon && name.p[i] == ':'))
            return false;
    return true;
}

bool label_name_is_legacy(struct str name) {
    return legacy(name, false);
}
bool metric_name_is_legacy(struct str name) {
    return legacy(name, true);
}

bool labels_check(struct labels ls, struct err *err) {
    size_t bytes = 0;
    if (ls.n == 0)
        return err_set(err, ERR_BAD_INPUT, "a series needs at least one label");
    if (ls.n > LIMIT_LABELS_PER_SERIES)
        return err_set(err, ERR_TOO_LARGE, "series \"%.*s\" has %u labels; at most %d are allowed",
                       STR_FMT(labels_name(ls)), ls.n, LIMIT_LABELS_PER_SERIES);
    for (uint32_t i = 0; i < ls.n; i++) {
        struct str name = ls.l[i].name, value = ls.l[i].value;
        if (name.n == 0)
            return err_set(err, ERR_BAD_INPUT, "series \"%.*s\" has a label without a name",
                           STR_FMT(labels_name(ls)));
        if (name.n > LIMIT_LABEL_NAME_BYTES)
            return err_set(err, ERR_TOO_LARGE,
                           "label name \"%.64s...\" has %zu bytes; at most %d are allowed", name.p,
                           name.n, LIMIT_LABEL_NAME_BYTES);
        if (value.n > LIMIT_LABEL_VALUE_BYTES)
            return err_set(
                err, ERR_TOO_LARGE,
                "label \"%.*s\" of \"%.*s\" has a value of %zu bytes; at most %d are allowed",
                STR_FMT(name), STR_FMT(labels_name(ls)), value.n, LIMIT_LABEL_VALUE_BYTES);
        if (!str_is_utf8(name) || !str_is_utf8(value))
            return err_set(err, ERR_BAD_INPUT, "label %u of \"%.*s\" is not valid UTF-8", i,
                           STR_FMT(labels_name(ls)));
        if (i) {
            int c = str_cmp(ls.l[i - 1].name, name);
            if (c == 0)
                return err_set(err, ERR_BAD_INPUT, "label \"%.*s\" of \"%.*s\" is given twice",
                               STR_FMT(name), STR_FMT(labels_name(ls)));
            if (c > 0)
                return err_set(err, ERR_BAD_INPUT, "labels of \"%.*s\" are not sorted by name",
                               STR_FMT(labels_name(ls)));
        }
        bytes += name.n + value.n;
    }
    if (bytes > LIMIT_SERIES_BYTES)
        return err_set(err, ERR_TOO_LARGE,
                       "labels of \"%.*s\" have %zu bytes; at most %d are allowed",
                       STR_FMT(labels_name(ls)), bytes, LIMIT_SERIES_BYTES);
    return true;
}
