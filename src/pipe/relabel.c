#include "pipe/relabel.h"

#include "base/limits.h"
#include "base/regex.h"

#include <nettle/md5.h>

#include <stdlib.h>

static const char *const action_names[] = {"replace",   "keep",      "drop",      "keepequal",
                                           "dropequal", "hashmod",   "labelmap",  "labeldrop",
                                           "labelkeep", "lowercase", "uppercase", NULL};

static bool has_default(struct str s, const char *def) {
    return s.n == 0 || str_eqz(s, def);
}

static bool check_target(const struct relabel_rule *r, struct err *err) {
    const char *name = action_names[r->action];
    switch ((enum relabel_action)r->action) {
    case RELABEL_REPLACE:
    case RELABEL_HASHMOD:
    case RELABEL_LOWERCASE:
    case RELABEL_UPPERCASE:
    case RELABEL_KEEPEQUAL:
    case RELABEL_DROPEQUAL:
        if (r->target_label.n == 0)
            return err_set(err, ERR_BAD_INPUT, "relabel action %s needs target_label", name);
        break;
    case RELABEL_KEEP:
    case RELABEL_DROP:
    case RELABEL_LABELMAP:
    case RELABEL_LABELDROP:
    case RELABEL_LABELKEEP:
        break;
    }
    if (!str_is_utf8(r->target_label) || !str_is_utf8(r->replacement))
        return err_set(err, ERR_BAD_INPUT, "target_label and replacement must be valid UTF-8");
    return true;
}

static bool check_rule(void *object, struct arena *a, struct err *err) {
    (void)a;
    const struct relabel_rule *r = object;
    const char *name = action_names[r->action];
    if (!check_target(r, err))
        return false;
    bool plain =
        has_default(r->regex, "(.*)") && has_default(r->replacement, "$1") && r->modulus == 0;
    switch ((enum relabel_action)r->action) {
    case RELABEL_HASHMOD:
        if (r->modulus < 1)
            return err_set(err, ERR_BAD_INPUT,
                           "relabel action hashmod needs modulus of at least 1");
        break;
    case RELABEL_LABELDROP:
    case RELABEL_LABELKEEP:
        if (r->source_labels.n || r->target_label.n || r->modulus ||
            !has_default(r->replacement, "$1") || !has_default(r->separator, ";"))
            return err_set(err, ERR_BAD_INPUT, "relabel action %s takes regex and nothing else",
                           name);
        break;
    case RELABEL_KEEPEQUAL:
    case RELABEL_DROPEQUAL:
        if (!plain || !has_default(r->separator, ";"))
            return err_set(
                err, ERR_BAD_INPUT,
                "relabel action %s takes source_labels and target_label and nothing else", name);
        break;
    case RELABEL_LABELMAP:
        if (r->replacement.n == 0)
            return err_set(err, ERR_BAD_INPUT,
                           "relabel action labelmap needs a replacement that makes a label name");
        break;
    case RELABEL_REPLACE:
    case RELABEL_KEEP:
    case RELABEL_DROP:
    case RELABEL_LOWERCASE:
    case RELABEL_UPPERCASE:
        break;
    }
    return true;
}

#define AT(field) offsetof(struct relabel_rule, field)
static const struct conf_option options[] = {
    {.name = "source_labels",
     .type = CONF_STRS,
     .offset = AT(source_labels),
     .help = "Labels whose values are joined by the separator and matched against the regex.",
     .help_ja = "値を separator でつないで regex と照合するラベル。"},
    {.name = "separator",
     .type = CONF_STR,
     .offset = AT(separator),
     .def = ";",
     .help = "Text between the joined values.",
     .help_ja = "つなぐ値の間に置く文字列。"},
    {.name = "target_label",
     .type = CONF_STR,
     .offset = AT(target_label),
     .help = "Label that the action writes; may refer to groups of the regex.",
     .help_ja = "書き込み先のラベル。regex のグループを参照できる。"},
    {.name = "regex",
     .type = CONF_REGEX,
     .offset = AT(regex),
     .def = "(.*)",
     .help = "Regular expression, anchored at both ends.",
     .help_ja = "正規表現（両端固定）。"},
    {.name = "modulus",
     .type = CONF_INT,
     .offset = AT(modulus),
     .min = 0,
     .max = INT64_MAX,
     .help = "Modulus of the hash (action hashmod).",
     .help_ja = "ハッシュの法（hashmod）。"},
    {.name = "replacement",
     .type = CONF_STR,
     .offset = AT(replacement),
     .def = "$1",
     .help = "Value to write; may refer to groups of the regex. Empty removes the label.",
     .help_ja = "書き込む値。regex のグループを参照できる。空ならラベルを消す。"},
    {.name = "action",
     .type = CONF_ENUM,
     .offset = AT(action),
     .def = "replace",
     .names = action_names,
     .help = "What to do.",
     .help_ja = "動作。"},
};
#undef AT

const struct conf_table relabel_table = {
    .name = "relabel_config",
    .help = "One rule that rewrites or drops a label set, as in Prometheus.",
    .size = sizeof(struct relabel_rule),
    .options = options,
    .n = CONF_N(options),
    .source_offset = SIZE_MAX,
    .check = check_rule,
};

/* ---- compiled ---- */

struct rule {
    enum relabel_action action;
    struct str *source;
    size_t n_source;
    struct str separator, target, replacement;
    bool target_plain, replacement_plain; /* no '$' inside */
    bool matches_all;                     /* the default regex */
    struct regex *re;
    uint64_t modulus;
};

struct relabel {
    struct arena arena;
    struct rule *rules;
    size_t n;
};

static bool compile_rule(struct arena *a, const struct relabel_rule *from, struct rule *to,
                         struct err *err) {
    struct relabel_rule checked = *from;
    if (!check_rule(&checked, a, err))
        return false;
    struct str regex = from->regex.p ? from->regex : STR("(.*)");
    to->action = (enum relabel_action)from->action;
    to->separator = arena_str(a, from->separator.p ? from->separator : STR(";"));
    to->target = arena_str(a, from->target_label);
    to->replacement = arena_str(a, from->replacement.p ? from->replacement : STR("$1"));
    to->modulus = (uint64_t)from->modulus;
    to->target_plain = str_find_char(to->target, '$') == SIZE_MAX;
    to->replacement_plain = str_find_char(to->replacement, '$') == SIZE_MAX;
    to->matches_all = str_eqz(regex, "(.*)") || str_eqz(regex, ".*");
    to->n_source = from->source_labels.n;
    to->source = ARENA_ARRAY(a, struct str, to->n_source + 1);
    for (size_t i = 0; to->source && i < to->n_source; i++)
        to->source[i] = arena_str(a, from->source_labels.v[i]);
    if (a->failed)
        return arena_err(a, err);
    to->re = regex_new(regex, true, err);
    return to->re != NULL;
}

struct relabel *relabel_new(const struct relabel_rule *rules, size_t n, struct err *err) {
    struct relabel *r = calloc(1, sizeof(*r));
    if (!r) {
        err_set(err, ERR_INTERNAL, "no memory for relabelling");
        return NULL;
    }
    r->rules = ARENA_ARRAY(&r->arena, struct rule, n + 1);
    bool ok = r->rules || arena_err(&r->arena, err);
    for (size_t i = 0; ok && i < n; i++) {
        ok = compile_rule(&r->arena, &rules[i], &r->rules[i], err);
        if (!ok)
            err_prefix(err, "relabel rule %zu", i + 1);
        r->n = i + 1;
    }
    if (!ok) {
        relabel_free(r);
        return NULL;
    }
    return r;
}

void relabel_free(struct relabel *r) {
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++)
        regex_free(r->rules[i].re);
    arena_deinit(&r->arena);
    free(r);
}

static struct str joined_source(const struct rule *r, const struct labels_builder *b,
                                struct arena *a) {
    if (r->n_source == 0)
        return STR("");
    if (r->n_source == 1) {
        struct str v = labels_builder_get(b, r->source[0]);
        return v.p ? v : STR("");
    }
    size_t n = r->separator.n * (r->n_source - 1);
    for (size_t i = 0; i < r->n_source; i++)
        n += labels_builder_get(b, r->source[i]).n;
    char *to = arena_alloc(a, n ? n : 1);
    if (!to)
        return STR("");
    char *p = to;
    for (size_t i = 0; i < r->n_source; i++) {
        struct str v = labels_builder_get(b, r->source[i]);
        if (i && r->separator.n) {
            memcpy(p, r->separator.p, r->separator.n);
            p += r->separator.n;
        }
        if (v.n) {
            memcpy(p, v.p, v.n);
            p += v.n;
        }
    }
    return str_make(to, n);
}

static struct str expanded(const struct rule *r, struct str value, struct str template,
                           struct arena *a) {
    struct buf out = BUF_INIT_MAX(LIMIT_LABEL_VALUE_BYTES * 4u);
    struct str s = STR("");
    if (regex_expand(r->re, value, template, &out) && buf_ok(&out) && out.n)
        s = arena_str(a, buf_view(&out));
    buf_deinit(&out);
    return s;
}

static void replace(const struct rule *r, struct str value, struct labels_builder *b,
                    struct arena *a) {
    if (!r->matches_all && !regex_match(r->re, value))
        return;
    struct str target = r->target_plain ? r->target : expanded(r, value, r->target, a);
    if (target.n == 0 || !str_is_utf8(target))
        return;
    struct str to = r->replacement_plain ? r->replacement
                    : r->matches_all && str_eqz(r->replacement, "$1")
                        ? value
                        : expanded(r, value, r->replacement, a);
    labels_builder_set(b, target, to); /* an empty value deletes */
}

static struct str hashmod(struct str value, uint64_t modulus, struct arena *a) {
    struct md5_ctx ctx;
    uint8_t digest[MD5_DIGEST_SIZE];
    uint64_t h = 0;
    md5_init(&ctx);
    md5_update(&ctx, value.n, (const uint8_t *)value.p);
    md5_digest(&ctx, sizeof(digest), digest);
    for (int i = 8; i < 16; i++)
        h = h << 8 | digest[i];
    return arena_printf(a, "%llu", (unsigned long long)(h % modulus));
}

/* The other case of a code point; itself when it has none that keeps its length in UTF-8. */
static uint32_t swap_case(uint32_t c, bool upper) {
    uint32_t low = c;
    if (upper) {
        if ((c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xfe && c != 0xf7) ||
            (c >= 0x3b1 && c <= 0x3c9 && c != 0x3c2) || (c >= 0x430 && c <= 0x44f))
            return c - 0x20;
        if (c >= 0x450 && c <= 0x45f)
            return c - 0x50;
        if (c >= 0xff41 && c <= 0xff5a)
            return c - 0x20;
    } else {
        if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
            (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) || (c >= 0x410 && c <= 0x42f))
            return c + 0x20;
        if (c >= 0x400 && c <= 0x40f)
            return c + 0x50;
        if (c >= 0xff21 && c <= 0xff3a)
            return c + 0x20;
    }
    /* pairs, even then odd; or odd then even in two runs of Latin Extended-A */
    bool even_first = (c >= 0x100 && c <= 0x12f) || (c >= 0x132 && c <= 0x137) ||
                      (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x481) ||
                      (c >= 0x48a && c <= 0x4bf);
    bool odd_first = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e);
    if (even_first)
        low = upper ? c & ~1u : c | 1u;
    else if (odd_first)
        low = upper ? c - (c % 2 == 0) : c + (c % 2 == 1);
    return low;
}

static struct str case_mapped(struct str s, bool upper, struct arena *a) {
    char *to = arena_alloc(a, s.n ? s.n : 1);
    if (!to)
        return s;
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t left = s.n - i;
        if (c < 0x80) {
            to[i++] = (char)swap_case(c, upper);
        } else if ((c & 0xe0) == 0xc0 && left >= 2) {
            uint32_t u = swap_case((c & 0x1fu) << 6 | ((unsigned char)s.p[i + 1] & 0x3fu), upper);
            to[i++] = (char)(0xc0 | u >> 6);
            to[i++] = (char)(0x80 | (u & 0x3f));
        } else if ((c & 0xf0) == 0xe0 && left >= 3) {
            uint32_t u = (c & 0x0fu) << 12 | ((unsigned char)s.p[i + 1] & 0x3fu) << 6 |
                         ((unsigned char)s.p[i + 2] & 0x3fu);
            u = swap_case(u, upper);
            to[i++] = (char)(0xe0 | u >> 12);
            to[i++] = (char)(0x80 | (u >> 6 & 0x3f));
            to[i++] = (char)(0x80 | (u & 0x3f));
        } else {
            to[i] = s.p[i];
            i++;
        }
    }
    return str_make(to, s.n);
}

static void labelmap(const struct rule *r, struct labels_builder *b, struct arena *a) {
    struct labels before = labels_builder_view(b), copy = {NULL, 0};
    struct label *l = ARENA_ARRAY(a, struct label, before.n + 1);
    if (!l)
        return;
    if (before.n)
        memcpy(l, before.l, before.n * sizeof(*l));
    copy = (struct labels){l, before.n};
    for (uint32_t i = 0; i < copy.n; i++) {
        if (!r->matches_all && !regex_match(r->re, copy.l[i].name))
            continue;
        struct str name =
            r->replacement_plain ? r->replacement : expanded(r, copy.l[i].name, r->replacement, a);
        if (name.n)
            labels_builder_set(b, name, copy.l[i].value);
    }
}

static void filter_names(const struct rule *r, bool keep, struct labels_builder *b) {
    for (uint32_t i = labels_builder_view(b).n; i-- > 0;) {
        struct str name = labels_builder_view(b).l[i].name;
        if ((r->matches_all || regex_match(r->re, name)) != keep)
            labels_builder_del(b, name);
    }
}

static bool apply_rule(const struct rule *r, struct labels_builder *b, struct arena *a) {
    struct str value = joined_source(r, b, a);
    switch (r->action) {
    case RELABEL_REPLACE:
        replace(r, value, b, a);
        return true;
    case RELABEL_KEEP:
        return r->matches_all || regex_match(r->re, value);
    case RELABEL_DROP:
        return !r->matches_all && !regex_match(r->re, value);
    case RELABEL_KEEPEQUAL:
        return str_eq(labels_builder_get(b, r->target), value);
    case RELABEL_DROPEQUAL:
        return !str_eq(labels_builder_get(b, r->target), value);
    case RELABEL_HASHMOD:
        labels_builder_set(b, r->target, hashmod(value, r->modulus, a));
        return true;
    case RELABEL_LABELMAP:
        labelmap(r, b, a);
        return true;
    case RELABEL_LABELDROP:
        filter_names(r, false, b);
        return true;
    case RELABEL_LABELKEEP:
        filter_names(r, true, b);
        return true;
    case RELABEL_LOWERCASE:
    case RELABEL_UPPERCASE:
        labels_builder_set(b, r->target, case_mapped(value, r->action == RELABEL_UPPERCASE, a));
        return true;
    }
    return true;
}

bool relabel_apply(const struct relabel *r, struct labels_builder *b, struct arena *a) {
    for (size_t i = 0; r && i < r->n; i++)
        if (!apply_rule(&r->rules[i], b, a))
            return false;
    return true;
}
