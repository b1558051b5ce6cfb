#include "feature/notify/notify_match.h"

#include <stdlib.h>

static bool add(struct notify_matchers *m, struct arena *a, enum matcher_type type, struct str name,
                struct str value, struct err *err) {
    if (name.n == 0)
        return err_set(err, ERR_BAD_INPUT,
                       "a matcher needs a label name, e.g. severity=\"critical\"");
    if (m->n == NOTIFY_MATCHERS_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d matchers", NOTIFY_MATCHERS_MAX);
    struct regex *re = NULL;
    if ((type == MATCH_RE || type == MATCH_NRE) && !(re = regex_new(value, true, err)))
        return err_prefix(err, "matcher of \"%.*s\"", STR_FMT(name));
    m->v[m->n++] = (struct matcher){
        .type = type, .name = arena_str(a, name), .value = arena_str(a, value), .re = re};
    return !a->failed || arena_err(a, err);
}

struct scan {
    struct str s;
    size_t i;
};

static void skip_space(struct scan *c) {
    while (c->i < c->s.n && (c->s.p[c->i] == ' ' || c->s.p[c->i] == '\t' || c->s.p[c->i] == '\n'))
        c->i++;
}

/* "quoted with \" and \\ and \n", or a bare word up to one of the stop bytes. */
static bool token(struct scan *c, const char *stop, struct arena *a, struct str *out,
                  struct err *err) {
    skip_space(c);
    if (c->i >= c->s.n || c->s.p[c->i] != '"') {
        size_t from = c->i;
        while (c->i < c->s.n && !strchr(stop, c->s.p[c->i]))
            c->i++;
        *out = str_trim(str_sub(c->s, from, c->i - from));
        return true;
    }
    char *p = arena_alloc(a, c->s.n + 1);
    if (!p)
        return arena_err(a, err);
    size_t n = 0;
    for (c->i++; c->i < c->s.n && c->s.p[c->i] != '"'; c->i++) {
        char ch = c->s.p[c->i];
        if (ch == '\\' && c->i + 1 < c->s.n) {
            char next = c->s.p[c->i + 1];
            if (next == 'n' || next == '"' || next == '\\') {
                ch = next == 'n' ? '\n' : next;
                c->i++;
            }
        }
        p[n++] = ch;
    }
    if (c->i >= c->s.n)
        return err_set(err, ERR_BAD_INPUT, "a quote is not closed in the matcher %.*s",
                       STR_FMT(c->s));
    c->i++;
    skip_space(c);
    *out = (struct str){p, n};
    return true;
}

static bool parse(struct str text, struct arena *a, struct notify_matchers *m, struct err *err) {
    struct scan c = {str_trim(text), 0};
    if (c.s.n >= 2 && c.s.p[0] == '{' && c.s.p[c.s.n - 1] == '}')
        c.s = str_sub(c.s, 1, c.s.n - 2);
    for (;;) {
        struct str name, value;
        enum matcher_type type;
        skip_space(&c);
        if (c.i >= c.s.n)
            return true;
        if (!token(&c, "=!~,", a, &name, err))
            return false;
        char op = c.i < c.s.n ? c.s.p[c.i] : '\0', second = c.i + 1 < c.s.n ? c.s.p[c.i + 1] : '\0';
        if (op == '=')
            type = second == '~' ? MATCH_RE : MATCH_EQ;
        else if (op == '!' && (second == '=' || second == '~'))
            type = second == '~' ? MATCH_NRE : MATCH_NE;
        else
            return err_set(err, ERR_BAD_INPUT, "expected =, !=, =~ or !~ in the matcher \"%.*s\"",
                           STR_FMT(text));
        c.i += type == MATCH_EQ ? 1 : 2;
        if (!token(&c, ",", a, &value, err) || !add(m, a, type, name, value, err))
            return false;
        if (c.i < c.s.n && c.s.p[c.i] != ',')
            return err_set(err, ERR_BAD_INPUT, "expected a comma in the matcher \"%.*s\"",
                           STR_FMT(text));
        c.i++;
    }
}

bool notify_matchers_compile(const struct conf_strs *list, const struct conf_pairs *equal,
                             const struct conf_pairs *re, struct arena *a,
                             struct notify_matchers *out, struct err *err) {
    struct notify_matchers m = {.v = ARENA_ARRAY(a, struct matcher, NOTIFY_MATCHERS_MAX)};
    bool ok = m.v || arena_err(a, err);
    for (size_t i = 0; ok && i < list->n; i++)
        ok = parse(list->v[i], a, &m, err);
    for (size_t i = 0; ok && i < equal->n; i++)
        ok = add(&m, a, MATCH_EQ, equal->key[i], equal->value[i], err);
    for (size_t i = 0; ok && i < re->n; i++)
        ok = add(&m, a, MATCH_RE, re->key[i], re->value[i], err);
    if (!ok) {
        notify_matchers_free(&m);
        return false;
    }
    *out = m;
    return true;
}

void notify_matchers_free(struct notify_matchers *m) {
    for (size_t i = 0; i < m->n; i++)
        regex_free((struct regex *)(uintptr_t)m->v[i].re);
    m->n = 0;
}
