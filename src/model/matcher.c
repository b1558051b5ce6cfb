#include "model/matcher.h"

#include <assert.h>

bool matcher_matches(const struct matcher *m, struct str value) {
    switch (m->type) {
    case MATCH_EQ:
        return str_eq(m->value, value);
    case MATCH_NE:
        return !str_eq(m->value, value);
    case MATCH_RE:
        return regex_match(m->re, value);
    case MATCH_NRE:
        return !regex_match(m->re, value);
    }
    assert(!"matcher type");
    return false;
}

bool matchers_match(const struct matcher *m, size_t n, struct labels ls) {
    for (size_t i = 0; i < n; i++)
        if (!matcher_matches(&m[i], labels_get(ls, m[i].name)))
            return false;
    return true;
}

void matcher_format(struct buf *b, const struct matcher *m) {
    static const char *op[] = {"=", "!=", "=~", "!~"};
    if (label_name_is_legacy(m->name))
        buf_puts(b, m->name);
    else
        buf_printf(b, "\"%.*s\"", STR_FMT(m->name));
    buf_putz(b, op[m->type]);
    buf_putc(b, '"');
    for (size_t i = 0; i < m->value.n; i++) {
        char c = m->value.p[i];
        if (c == '\n') {
            buf_putz(b, "\\n");
            continue;
        }
        if (c == '"' || c == '\\')
            buf_putc(b, '\\');
        buf_putc(b, c);
    }
    buf_putc(b, '"');
}
