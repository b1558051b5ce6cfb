#include "base/regex_syntax.h"

#include <string.h>

enum last {
    LAST_NOTHING,
    LAST_ITEM,
    LAST_ASSERTION,
    LAST_REPEAT
}; /* what a quantifier would follow */
enum escape { ESCAPE_BAD, ESCAPE_CHAR, ESCAPE_SET, ESCAPE_ASSERTION };

struct walk {
    struct str in;
    size_t i;
    struct buf *out;
    struct err *err;
    enum last last;
    char assertion[3]; /* the text of the last one, which stands at the end of out */
};

static bool bad(struct walk *w, const char *what, size_t from) {
    return err_set(
        w->err, ERR_BAD_INPUT, "invalid regular expression \"%.*s\": %s: `%.*s` at offset %zu",
        STR_FMT(str_sub(w->in, 0, 200)), what, STR_FMT(str_sub(w->in, from, w->i - from)), from);
}

static enum escape bad_escape(struct walk *w, size_t from, size_t n) {
    w->i = from + n;
    (void)bad(w, "invalid escape sequence", from);
    return ESCAPE_BAD;
}

static char at(const struct walk *w, size_t i) {
    return i < w->in.n ? w->in.p[i] : 0;
}
static bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}
static bool is_octal(char c) {
    return c >= '0' && c <= '7';
}

static void put_rune(struct walk *w, uint32_t c) {
    buf_printf(w->out, "\\x{%x}", c);
}

/* A character that stands for itself. */
static void put_literal(struct walk *w, char c) {
    if ((unsigned char)c >= 0x80 || is_alnum(c))
        buf_putc(w->out, c);
    else
        put_rune(w, (unsigned char)c);
}

/* Escapes: w->i stands at the backslash, and behind the escape afterwards. */

static enum escape octal(struct walk *w) {
    size_t from = w->i++;
    uint32_t v = 0;
    for (int k = 0; k < 3 && is_octal(at(w, w->i)); k++)
        v = v * 8 + (uint32_t)(w->in.p[w->i++] - '0');
    if (w->i == from + 2 && w->in.p[from + 1] != '0')
        return bad_escape(w, from, 2); /* a back reference */
    put_rune(w, v);
    return ESCAPE_CHAR;
}

static enum escape hexadecimal(struct walk *w) {
    size_t from = w->i, digits = 0;
    uint32_t v = 0;
    w->i += 2;
    bool braces = at(w, w->i) == '{';
    if (braces)
        w->i++;
    for (; hex_digit(at(w, w->i)) >= 0 && digits < (braces ? 8 : 2); digits++)
        v = v * 16 + (uint32_t)hex_digit(w->in.p[w->i++]);
    bool ok = braces ? digits > 0 && v <= 0x10ffff && at(w, w->i) == '}' : digits == 2;
    if (!ok)
        return bad_escape(w, from, w->i - from);
    if (braces)
        w->i++;
    put_rune(w, v);
    return ESCAPE_CHAR;
}

/* \pL, \P{Greek}, \p{^Lu} */
static enum escape property(struct walk *w) {
    size_t from = w->i, end;
    if (at(w, from + 2) == '{') {
        for (end = from + 3;
             is_alnum(at(w, end)) || at(w, end) == '_' || (at(w, end) == '^' && end == from + 3);)
            end++;
        if (at(w, end) != '}')
            return bad_escape(w, from, end - from);
    } else {
        end = from + 2;
        if (!is_alnum(at(w, end)))
            return bad_escape(w, from, 2);
    }
    w->i = end + 1;
    buf_puts(w->out, str_sub(w->in, from, w->i - from));
    return ESCAPE_SET;
}

#define SPACES                                                                                     \
    "\\x{9}\\x{a}\\x{c}\\x{d}\\x{20}" /* PCRE2 has the vertical tab among them, RE2 has not */

static enum escape set(struct walk *w, char c, bool in_class) {
    w->i += 2;
    if (c == 's')
        buf_putz(w->out, in_class ? SPACES : "[" SPACES "]");
    else if (c == 'S')
        buf_putz(w->out, in_class ? "\\S\\x{b}" : "[^" SPACES "]");
    else
        buf_printf(w->out, "\\%c", c);
    return ESCAPE_SET;
}

static enum escape escape(struct walk *w, bool in_class) {
    static const char names[] = "afnrtv", codes[] = {7, 12, 10, 13, 9, 11};
    size_t from = w->i;
    if (from + 1 == w->in.n)
        return bad_escape(w, from, 1);
    char c = w->in.p[from + 1];
    if (is_octal(c))
        return octal(w);
    if (c == 'x')
        return hexadecimal(w);
    if (c == 'p' || c == 'P')
        return property(w);
    if (c && strchr("dDsSwW", c))
        return set(w, c, in_class);
    if (c && strchr("AzbB", c) && !in_class) {
        w->i += 2;
        w->assertion[0] = '\\';
        w->assertion[1] = c;
        w->assertion[2] = 0;
        buf_putz(w->out, w->assertion);
        return ESCAPE_ASSERTION;
    }
    const char *name = c ? strchr(names, c) : NULL;
    if (!name && ((unsigned char)c >= 0x80 || is_alnum(c)))
        return bad_escape(w, from, 2);
    w->i += 2;
    put_rune(w, (unsigned char)(name ? codes[name - names] : c));
    return ESCAPE_CHAR;
}

/* \Q...\E, or to the end */
static void quoted(struct walk *w) {
    for (w->i += 2; w->i < w->in.n; w->i++) {
        if (w->in.p[w->i] == '\\' && at(w, w->i + 1) == 'E') {
            w->i += 2;
            return;
        }
        put_literal(w, w->in.p[w->i]);
        w->last = LAST_ITEM;
    }
}

/* Classes */

static bool class_char(struct walk *w, bool *is_set) {
    *is_set = false;
    if (w->in.p[w->i] == '\\') {
        enum escape k = escape(w, true);
        *is_set = k == ESCAPE_SET;
        return k != ESCAPE_BAD;
    }
    unsigned char c = (unsigned char)w->in.p[w->i++];
    put_literal(w, (char)c);
    while (c >= 0xc0 && ((unsigned char)at(w, w->i) & 0xc0) == 0x80)
        buf_putc(w->out, w->in.p[w->i++]);
    return true;
}

static bool class(struct walk *w) {
    size_t from = w->i++;
    buf_putc(w->out, '[');
    if (at(w, w->i) == '^') {
        buf_putc(w->out, '^');
        w->i++;
    }
    for (bool first = true; w->i < w->in.n; first = false) {
        bool is_set;
        if (w->in.p[w->i] == ']' && !first) {
            w->i++;
            buf_putc(w->out, ']');
            return true;
        }
        size_t end = at(w, w->i) == '[' && at(w, w->i + 1) == ':'
                         ? str_find(str_from_offset(w->in, w->i + 2), STR(":]"))
                         : SIZE_MAX;
        if (end != SIZE_MAX) { /* [:alpha:] */
            buf_puts(w->out, str_sub(w->in, w->i, end + 4));
            w->i += end + 4;
            continue;
        }
        size_t start = w->i;
        if (!class_char(w, &is_set))
            return false;
        if (is_set || at(w, w->i) != '-' || w->i + 1 >= w->in.n || w->in.p[w->i + 1] == ']')
            continue;
        buf_putc(w->out, '-');
        w->i++;
        if (!class_char(w, &is_set))
            return false;
        if (is_set)
            return bad(w, "invalid character class range", start);
    }
    return bad(w, "missing closing ]", from);
}

/* Quantifiers and groups */

/* {n}, {n,}, {n,m}: its length and counts; 0: the brace is a literal. *max < 0: no end. */
static size_t counts(const struct walk *w, int *min, int *max) {
    size_t i = w->i + 1;
    int *out = min;
    *max = -1;
    for (;;) {
        size_t digits = i;
        int v = 0;
        for (; at(w, i) >= '0' && at(w, i) <= '9'; i++)
            v = v > REGEX_REPEAT_MAX ? v : v * 10 + (w->in.p[i] - '0');
        size_t n = i - digits;
        if ((n == 0 && (out == min || at(w, i) != '}')) || (n > 1 && w->in.p[digits] == '0'))
            return 0;
        *out = n ? v : -1;
        if (at(w, i) == '}') {
            if (out == min)
                *max = v;
            return i + 1 - w->i;
        }
        if (at(w, i) != ',' || out == max)
            return 0;
        i++;
        out = max;
    }
}

static bool quantifier(struct walk *w, size_t n) {
    size_t from = w->i;
    struct str text = str_sub(w->in, from, n);
    w->i += n;
    if (w->last == LAST_NOTHING)
        return bad(w, "missing argument to repetition operator", from);
    if (w->last == LAST_REPEAT)
        return bad(w, "invalid nested repetition operator", from);
    if (w->last == LAST_ASSERTION) { /* PCRE2 does not repeat one that stands alone */
        w->out->n -= strlen(w->assertion);
        buf_printf(w->out, "(?:%s)", w->assertion);
    }
    buf_puts(w->out, text);
    if (at(w, w->i) == '?') {
        buf_putc(w->out, '?');
        w->i++;
    }
    w->last = LAST_REPEAT;
    return true;
}

static bool brace(struct walk *w) {
    int min, max;
    size_t n = counts(w, &min, &max), from = w->i;
    if (n == 0) {
        put_literal(w, '{');
        w->i++;
        w->last = LAST_ITEM;
        return true;
    }
    if (min > REGEX_REPEAT_MAX || max > REGEX_REPEAT_MAX || (max >= 0 && min > max)) {
        w->i += n;
        return bad(w, "invalid repeat count", from);
    }
    return quantifier(w, n);
}

/* "(", "(?:", "(?i)", "(?s-i:", "(?P<name>", "(?<name>" */
static bool group(struct walk *w) {
    size_t from = w->i++;
    w->last = LAST_NOTHING;
    if (at(w, w->i) != '?') {
        buf_putc(w->out, '(');
        return true;
    }
    w->i++;
    if (at(w, w->i) == 'P')
        w->i++;
    if (at(w, w->i) == '<') {
        size_t name = ++w->i;
        while (is_alnum(at(w, w->i)) || at(w, w->i) == '_')
            w->i++;
        if (w->i == name || at(w, w->i) != '>')
            return bad(w, "invalid named capture", from);
    } else {
        bool minus = false, after = true;
        for (char c; (c = at(w, w->i)) && strchr("imsU-", c) && !(c == '-' && minus); w->i++) {
            minus |= c == '-';
            after = c != '-';
        }
        if ((at(w, w->i) != ':' && at(w, w->i) != ')') || !after || w->in.p[from + 2] == 'P') {
            w->i++;
            return bad(w, "invalid or unsupported Perl syntax", from);
        }
    }
    w->i++;
    buf_puts(w->out, str_sub(w->in, from, w->i - from));
    return true;
}

static bool backslash(struct walk *w) {
    if (at(w, w->i + 1) == 'Q') {
        quoted(w);
        return true;
    }
    enum escape k = escape(w, false);
    w->last = k == ESCAPE_ASSERTION ? LAST_ASSERTION : LAST_ITEM;
    return k != ESCAPE_BAD;
}

static bool step(struct walk *w) {
    char c = w->in.p[w->i];
    switch (c) {
    case '\\':
        return backslash(w);
    case '[':
        w->last = LAST_ITEM;
        return class(w);
    case '(':
        return group(w);
    case '{':
        return brace(w);
    case '*':
    case '+':
    case '?':
        return quantifier(w, 1);
    case '^':
    case '$':
        w->assertion[0] = c;
        w->assertion[1] = 0;
        w->last = LAST_ASSERTION;
        break;
    case '|':
        w->last = LAST_NOTHING;
        break;
    default:
        w->last = LAST_ITEM;
    }
    buf_putc(w->out, c);
    w->i++;
    return true;
}

bool regex_syntax(struct str pattern, struct buf *out, struct err *err) {
    struct walk w = {.in = pattern, .out = out, .err = err};
    while (w.i < pattern.n)
        if (!step(&w))
            return false;
    return true;
}
