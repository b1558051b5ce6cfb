#include "query/promql/lexer.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *word;
    enum pq_token token;
    enum pq_op op;
} keywords[] = {
    {"and", TOK_OPERATOR, PQ_AND},
    {"or", TOK_OPERATOR, PQ_OR},
    {"unless", TOK_OPERATOR, PQ_UNLESS},
    {"atan2", TOK_OPERATOR, PQ_ATAN2},
    {"sum", TOK_AGGREGATE, PQ_SUM},
    {"avg", TOK_AGGREGATE, PQ_AVG},
    {"count", TOK_AGGREGATE, PQ_COUNT},
    {"min", TOK_AGGREGATE, PQ_MIN},
    {"max", TOK_AGGREGATE, PQ_MAX},
    {"group", TOK_AGGREGATE, PQ_GROUP},
    {"stddev", TOK_AGGREGATE, PQ_STDDEV},
    {"stdvar", TOK_AGGREGATE, PQ_STDVAR},
    {"topk", TOK_AGGREGATE, PQ_TOPK},
    {"bottomk", TOK_AGGREGATE, PQ_BOTTOMK},
    {"count_values", TOK_AGGREGATE, PQ_COUNT_VALUES},
    {"quantile", TOK_AGGREGATE, PQ_QUANTILE},
    {"limitk", TOK_AGGREGATE, PQ_LIMITK},
    {"limit_ratio", TOK_AGGREGATE, PQ_LIMIT_RATIO},
    {"offset", TOK_OFFSET, PQ_OP_NONE},
    {"smoothed", TOK_SMOOTHED, PQ_OP_NONE},
    {"anchored", TOK_ANCHORED, PQ_OP_NONE},
    {"by", TOK_BY, PQ_OP_NONE},
    {"without", TOK_WITHOUT, PQ_OP_NONE},
    {"on", TOK_ON, PQ_OP_NONE},
    {"ignoring", TOK_IGNORING, PQ_OP_NONE},
    {"group_left", TOK_GROUP_LEFT, PQ_OP_NONE},
    {"group_right", TOK_GROUP_RIGHT, PQ_OP_NONE},
    {"bool", TOK_BOOL, PQ_OP_NONE},
    {"start", TOK_START, PQ_OP_NONE},
    {"end", TOK_END, PQ_OP_NONE},
    {"step", TOK_STEP, PQ_OP_NONE},
    {"inf", TOK_NUMBER, PQ_OP_NONE},
    {"nan", TOK_NUMBER, PQ_OP_NONE},
};

void pq_lexer_init(struct pq_lexer *l, struct str in) {
    *l = (struct pq_lexer){.in = in};
}

enum { END = -1 };
static int peek_at(const struct pq_lexer *l, uint32_t at) {
    return at < l->in.n ? (unsigned char)l->in.p[at] : END;
}
static int peek(const struct pq_lexer *l) {
    return peek_at(l, l->pos);
}
static bool is_space(int c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}
static bool is_alpha(int c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_alnum(int c) {
    return is_alpha(c) || is_digit(c);
}
static bool in_set(int c, const char *set) {
    return c > 0 && strchr(set, c) != NULL;
}
static bool accept(struct pq_lexer *l, const char *set) {
    if (!in_set(peek(l), set))
        return false;
    l->pos++;
    return true;
}

static struct pq_item make(const struct pq_lexer *l, uint32_t start, enum pq_token t,
                           enum pq_op op) {
    return (struct pq_item){t, op, start, str_sub(l->in, start, l->pos - start)};
}

static struct pq_item fail(struct pq_lexer *l, uint32_t start, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
static struct pq_item fail(struct pq_lexer *l, uint32_t start, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(l->error, sizeof(l->error), fmt, ap);
    va_end(ap);
    l->error_pos = start;
    return (struct pq_item){TOK_ERROR, PQ_OP_NONE, start, {NULL, 0}};
}

/* The character at `at` as Go's %q prints a rune. */
static const char *rune_at(const struct pq_lexer *l, uint32_t at, char out[16]) {
    int c = peek_at(l, at);
    if (c == END) {
        memcpy(out, "'\xef\xbf\xbd'", 6); /* what %q makes of -1: U+FFFD */
        return out;
    }
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (n > l->in.n - at)
        n = 1;
    if (c == '\n')
        return "'\\n'";
    if (c == '\'')
        return "'\\''";
    if (c == '\\')
        return "'\\\\'";
    if (c < 0x20)
        (void)snprintf(out, 16, "'\\x%02x'", (unsigned)c);
    else
        (void)snprintf(out, 16, "'%.*s'", (int)n, l->in.p + at);
    return out;
}

/* Decimal, hexadecimal, with exponent and underscores. The item is not necessarily valid: the
 * parser looks. */
static bool scan_number(struct pq_lexer *l) {
    uint32_t initial = l->pos;
    const char *digits = "0123456789";
    bool hex = false;
    if (accept(l, "0") && accept(l, "xX")) {
        (void)accept(l, "_");
        digits = "0123456789abcdefABCDEF";
        hex = true;
    }
    (void)accept(l, ".");
    (void)accept(l, digits);
    bool dot = false, exponent = false;
    while (in_set(peek(l), digits) || in_set(peek(l), "._eE")) {
        int c = peek(l);
        if ((c == '.' && dot) || (in_set(c, "eE") && exponent && !hex)) {
            l->pos++;
            return false;
        }
        if (accept(l, ".")) {
            dot = true;
            if (accept(l, "_.") || hex)
                return false;
        } else if (!hex && accept(l, "eE")) {
            exponent = true;
            (void)accept(l, "+-");
            if (accept(l, "._eE") || peek(l) == END)
                return false;
        } else if (accept(l, "_")) {
            if (accept(l, hex ? "._" : "._eE") || peek(l) == END)
                return false;
        } else {
            while (accept(l, digits)) {
            }
        }
    }
    return l->pos != initial && !is_alnum(peek(l));
}

static bool accept_duration_rest(struct pq_lexer *l) {
    if (!accept(l, "smhdwy"))
        return false;
    (void)accept(l, "s");
    while (accept(l, "0123456789")) {
        while (accept(l, "0123456789")) {
        }
        if (!accept(l, "smhdw"))
            return false;
        (void)accept(l, "s");
    }
    if (!is_alnum(peek(l)))
        return true;
    l->pos++; /* shown in the message */
    return false;
}

static struct pq_item lex_number_or_duration(struct pq_lexer *l, uint32_t start) {
    l->got_duration = true;
    l->in_duration = false;
    if (scan_number(l))
        return make(l, start, TOK_NUMBER, PQ_OP_NONE);
    if (accept_duration_rest(l))
        return make(l, start, TOK_DURATION, PQ_OP_NONE);
    return fail(l, start, "bad number or duration syntax: \"%.*s\"",
                (int)(l->pos - start > 64 ? 64 : l->pos - start), l->in.p + start);
}

static int digit_value(int c) {
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* The digits of an escape; l->pos is behind its letter, or at its first octal digit. */
static bool lex_escape_digits(struct pq_lexer *l, uint32_t start, size_t n, int base,
                              struct pq_item *out) {
    char r[16];
    for (; n > 0; n--, l->pos++) {
        int c = peek(l);
        if (c != END && digit_value(c) < base)
            continue;
        if (c == END)
            *out = fail(l, start, "escape sequence not terminated");
        else
            *out = fail(l, start, "illegal character U+%04X %s in escape sequence", (unsigned)c,
                        rune_at(l, l->pos, r));
        return false;
    }
    return true;
}

/* l->pos is behind the backslash. */
static bool lex_escape(struct pq_lexer *l, uint32_t start, char quote, struct pq_item *out) {
    char r[16];
    int c = peek(l);
    if (c == END) {
        *out = fail(l, start, "escape sequence not terminated");
        return false;
    }
    if (c >= '0' && c <= '7')
        return lex_escape_digits(l, start, 3, 8, out);
    l->pos++;
    if (c == 'x' || c == 'u' || c == 'U')
        return lex_escape_digits(l, start, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16, out);
    if (c == quote || in_set(c, "abfnrtv\\"))
        return true;
    *out =
        fail(l, start, "unknown escape sequence U+%04X %s", (unsigned)c, rune_at(l, l->pos - 1, r));
    return false;
}

static struct pq_item lex_string(struct pq_lexer *l, uint32_t start) {
    struct pq_item error;
    char quote = l->in.p[start];
    l->pos = start + 1;
    for (;;) {
        int c = peek(l);
        if (c == END || (c == '\n' && quote != '`'))
            return fail(l, start,
                        quote == '`' ? "unterminated raw string" : "unterminated quoted string");
        l->pos++;
        if (c == quote)
            break;
        if (c == '\\' && quote != '`' && !lex_escape(l, start, quote, &error))
            return error;
    }
    struct pq_item item = make(l, start, TOK_STRING, PQ_OP_NONE);
    if (!str_is_utf8(item.text))
        return fail(l, start, "invalid UTF-8 rune");
    return item;
}

static struct pq_item lex_word(struct pq_lexer *l, uint32_t start) {
    bool colon = false;
    while (is_alnum(peek(l)) || peek(l) == ':') {
        colon |= peek(l) == ':';
        l->pos++;
    }
    struct str word = str_sub(l->in, start, l->pos - start);
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
        if (str_eq_nocase(word, str_from(keywords[i].word)))
            return make(l, start, keywords[i].token, keywords[i].op);
    return make(l, start, colon ? TOK_METRIC_IDENTIFIER : TOK_IDENTIFIER, PQ_OP_NONE);
}

static struct pq_item lex_braces(struct pq_lexer *l, uint32_t start) {
    char r[16];
    int c = peek(l);
    if (c == END)
        return fail(l, start, "unexpected end of input inside braces");
    if (is_alpha(c)) {
        while (is_alnum(peek(l)))
            l->pos++;
        return make(l, start, TOK_IDENTIFIER, PQ_OP_NONE);
    }
    if (c == '"' || c == '\'' || c == '`')
        return lex_string(l, start);
    l->pos++;
    switch (c) {
    case ',':
        return make(l, start, TOK_COMMA, PQ_OP_NONE);
    case '=':
        return accept(l, "~") ? make(l, start, TOK_EQL_REGEX, PQ_OP_NONE)
                              : make(l, start, TOK_EQL, PQ_OP_NONE);
    case '!':
        if (accept(l, "~"))
            return make(l, start, TOK_NEQ_REGEX, PQ_OP_NONE);
        if (accept(l, "="))
            return make(l, start, TOK_OPERATOR, PQ_NEQ);
        return fail(l, start, "unexpected character after '!' inside braces: %s",
                    rune_at(l, l->pos, r));
    case '{':
        return fail(l, start, "unexpected left brace '{'");
    case '}':
        l->brace_open = false;
        return make(l, start, TOK_RBRACE, PQ_OP_NONE);
    default:
        return fail(l, start, "unexpected character inside braces: %s", rune_at(l, start, r));
    }
}

/* step, min and max, the only words inside brackets. */
static bool lex_duration_word(struct pq_lexer *l, uint32_t start, struct pq_item *out) {
    uint32_t end = start;
    while (is_alpha(peek_at(l, end)))
        end++;
    struct str word = str_sub(l->in, start, end - start);
    uint32_t before = l->pos;
    l->pos = end;
    if (str_eq_nocase(word, STR("step")))
        *out = make(l, start, TOK_STEP, PQ_OP_NONE);
    else if (str_eq_nocase(word, STR("min")))
        *out = make(l, start, TOK_AGGREGATE, PQ_MIN);
    else if (str_eq_nocase(word, STR("max")))
        *out = make(l, start, TOK_AGGREGATE, PQ_MAX);
    else {
        l->pos = before;
        return false;
    }
    return true;
}

static bool lex_arithmetic(struct pq_lexer *l, uint32_t start, int c, struct pq_item *out) {
    static const struct {
        char c;
        enum pq_op op;
    } ops[] = {{'+', PQ_ADD}, {'-', PQ_SUB}, {'*', PQ_MUL},
               {'/', PQ_DIV}, {'%', PQ_MOD}, {'^', PQ_POW}};
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (c == ops[i].c) {
            l->pos = start + 1;
            *out = make(l, start, TOK_OPERATOR, ops[i].op);
            return true;
        }
    return false;
}

/* Between [ and the first number: only what can begin a duration. */
static struct pq_item lex_duration_start(struct pq_lexer *l, uint32_t start) {
    char r[16];
    struct pq_item item;
    int c = peek(l);
    if (c == END)
        return fail(l, start, "unexpected end of input in duration expression");
    if (is_digit(c) || (c == '.' && is_digit(peek_at(l, start + 1))))
        return lex_number_or_duration(l, start);
    if (in_set(c, "sSmM") && lex_duration_word(l, start, &item))
        return item;
    if (lex_arithmetic(l, start, c, &item))
        return item;
    l->pos++;
    switch (c) {
    case ']':
        l->bracket_open = l->in_duration = l->got_colon = false;
        return make(l, start, TOK_RBRACKET, PQ_OP_NONE);
    case ':':
        if (!l->got_duration)
            return fail(l, start, "unexpected colon before duration in duration expression");
        if (l->got_colon)
            return fail(l, start, "unexpected repeated colon in duration expression");
        l->got_colon = true;
        return make(l, start, TOK_COLON, PQ_OP_NONE);
    case '(':
        l->paren_depth++;
        return make(l, start, TOK_LPAREN, PQ_OP_NONE);
    case ')':
        if (--l->paren_depth < 0)
            return fail(l, start + 1, "unexpected right parenthesis ')'");
        return make(l, start, TOK_RPAREN, PQ_OP_NONE);
    case ',':
        return make(l, start, TOK_COMMA, PQ_OP_NONE);
    default:
        return fail(l, start, "unexpected character in duration expression: %s",
                    rune_at(l, start, r));
    }
}

static struct pq_item lex_comparison(struct pq_lexer *l, uint32_t start, int c) {
    char r[16];
    switch (c) {
    case '=':
        if (accept(l, "="))
            return make(l, start, TOK_OPERATOR, PQ_EQLC);
        if (peek(l) == '~')
            return fail(l, start, "unexpected character after '=': '~'");
        return make(l, start, TOK_EQL, PQ_OP_NONE);
    case '!':
        if (!accept(l, "="))
            return fail(l, start, "unexpected character after '!': %s", rune_at(l, l->pos, r));
        return make(l, start, TOK_OPERATOR, PQ_NEQ);
    case '<':
        return accept(l, "=") ? make(l, start, TOK_OPERATOR, PQ_LTE)
                              : make(l, start, TOK_OPERATOR, PQ_LSS);
    default:
        return accept(l, "=") ? make(l, start, TOK_OPERATOR, PQ_GTE)
                              : make(l, start, TOK_OPERATOR, PQ_GTR);
    }
}

static struct pq_item lex_alpha_in_brackets(struct pq_lexer *l, uint32_t start, int c) {
    char r[16];
    struct pq_item item;
    if (c == ':') {
        l->pos++;
        if (l->got_colon)
            return fail(l, start, "unexpected colon ':'");
        l->got_colon = true;
        return make(l, start, TOK_COLON, PQ_OP_NONE);
    }
    if (in_set(c, "sSmM") && lex_duration_word(l, start, &item))
        return item;
    return fail(l, start, "unexpected character: %s, expected ':'", rune_at(l, start, r));
}

static struct pq_item lex_statement(struct pq_lexer *l, uint32_t start) {
    char r[16];
    struct pq_item item;
    int c = peek(l);
    if (c == END) {
        if (l->paren_depth != 0)
            return fail(l, start, "unclosed left parenthesis");
        if (l->bracket_open)
            return fail(l, start, "unclosed left bracket");
        return make(l, start, TOK_EOF, PQ_OP_NONE);
    }
    if (lex_arithmetic(l, start, c, &item))
        return item;
    if (is_digit(c) || (c == '.' && is_digit(peek_at(l, start + 1))))
        return lex_number_or_duration(l, start);
    if (c == '"' || c == '\'' || c == '`')
        return lex_string(l, start);
    if (is_alpha(c) || c == ':')
        return l->bracket_open ? lex_alpha_in_brackets(l, start, c) : lex_word(l, start);
    l->pos++;
    switch (c) {
    case ',':
        return make(l, start, TOK_COMMA, PQ_OP_NONE);
    case '=':
    case '!':
    case '<':
    case '>':
        return lex_comparison(l, start, c);
    case '(':
        l->paren_depth++;
        return make(l, start, TOK_LPAREN, PQ_OP_NONE);
    case ')':
        if (--l->paren_depth < 0)
            return fail(l, start + 1, "unexpected right parenthesis ')'");
        return make(l, start, TOK_RPAREN, PQ_OP_NONE);
    case '{':
        l->brace_open = true;
        return make(l, start, TOK_LBRACE, PQ_OP_NONE);
    case '[':
        if (l->bracket_open)
            return fail(l, start, "unexpected left bracket '['");
        l->got_colon = l->got_duration = false;
        l->bracket_open = l->in_duration = true;
        return make(l, start, TOK_LBRACKET, PQ_OP_NONE);
    case ']':
        if (!l->bracket_open)
            return fail(l, start, "unexpected right bracket ']'");
        l->bracket_open = false;
        return make(l, start, TOK_RBRACKET, PQ_OP_NONE);
    case '@':
        return make(l, start, TOK_AT, PQ_OP_NONE);
    default:
        return fail(l, start, "unexpected character: %s", rune_at(l, start, r));
    }
}

struct pq_item pq_lex(struct pq_lexer *l) {
    for (;;) {
        while (is_space(peek(l)))
            l->pos++;
        if (peek(l) != '#')
            break;
        while (peek(l) != END && peek(l) != '\n' && peek(l) != '\r')
            l->pos++;
    }
    uint32_t start = l->pos;
    if (l->brace_open)
        return lex_braces(l, start);
    if (l->in_duration)
        return lex_duration_start(l, start);
    return lex_statement(l, start);
}

void pq_item_describe(const struct pq_item *item, struct buf *out) {
    switch ((int)item->token) {
    case TOK_EOF:
        buf_putz(out, "end of input");
        return;
    case TOK_IDENTIFIER:
        buf_putz(out, "identifier ");
        pq_quote(out, item->text);
        return;
    case TOK_METRIC_IDENTIFIER:
        buf_putz(out, "metric identifier ");
        pq_quote(out, item->text);
        return;
    case TOK_OPERATOR:
    case TOK_AT:
    case TOK_EQL_REGEX:
    case TOK_NEQ_REGEX:
        buf_printf(out, "<op:%.*s>", STR_FMT(item->text));
        return;
    case TOK_AGGREGATE:
        buf_printf(out, "<aggr:%.*s>", STR_FMT(item->text));
        return;
    case TOK_STRING:
        buf_putz(out, "string ");
        break;
    case TOK_NUMBER:
        buf_putz(out, "number ");
        break;
    case TOK_DURATION:
        buf_putz(out, "duration ");
        break;
    default:
        if (item->token >= TOK_BOOL && item->token <= TOK_WITHOUT) {
            buf_printf(out, "<%.*s>", STR_FMT(item->text));
            return;
        }
        break;
    }
    pq_quote(out, str_sub(item->text, 0, 10));
    if (item->text.n > 10)
        buf_putz(out, "...");
}
