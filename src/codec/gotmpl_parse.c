/* Text to tree. One pass: the template's text is cut at {{ and }}, the inside is read token by
 * token. */
#include "codec/gotmpl_int.h"

#define GOTMPL_OPERANDS_MAX 64 /* of one command */

struct parser {
    struct str s;
    size_t i;
    struct arena *a;
    struct err *err;
    struct tmpl_tree *tree;
    bool failed;
    bool trim_next; /* the last action ended with -}} */
    uint32_t depth, ranges;
    size_t placed; /* where line and column were counted up to */
    uint32_t line, column;
};

static void place(struct parser *p, size_t at, uint32_t *line, uint32_t *column) {
    if (at < p->placed || p->line == 0) {
        p->placed = 0;
        p->line = p->column = 1;
    }
    for (; p->placed < at && p->placed < p->s.n; p->placed++) {
        p->column++;
        if (p->s.p[p->placed] == '\n') {
            p->line++;
            p->column = 1;
        }
    }
    *line = p->line;
    *column = p->column;
}

static bool bad(struct parser *p, size_t at, const char *what) {
    if (p->failed)
        return false;
    p->failed = true;
    uint32_t line, column;
    place(p, at, &line, &column);
    return err_set_at(p->err, ERR_BAD_INPUT, line, column, "template:%u:%u: %s", line, column,
                      what);
}

static void *node_alloc(struct parser *p, size_t bytes) {
    void *v = arena_zalloc(p->a, bytes);
    if (!v && !p->failed) {
        p->failed = true;
        arena_err(p->a, p->err);
    }
    return v;
}

static char at(const struct parser *p, size_t k) {
    return p->i + k < p->s.n ? p->s.p[p->i + k] : '\0';
}
static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}
static bool skip_space(struct parser *p) {
    size_t from = p->i;
    while (p->i < p->s.n && is_space(p->s.p[p->i]))
        p->i++;
    return p->i > from;
}
static bool at_end(const struct parser *p) /* of the action: }} or -}} */
{
    return (at(p, 0) == '}' && at(p, 1) == '}') ||
           (at(p, 0) == '-' && at(p, 1) == '}' && at(p, 2) == '}');
}
static bool close_action(struct parser *p) {
    skip_space(p);
    if (at(p, 0) == '-' && at(p, 1) == '}' && at(p, 2) == '}') {
        p->i += 3;
        p->trim_next = true;
        return true;
    }
    if (at(p, 0) == '}' && at(p, 1) == '}') {
        p->i += 2;
        return true;
    }
    return bad(p, p->i, p->i < p->s.n ? "expected }} at the end of the action" : "unclosed action");
}
static struct str word(struct parser *p) {
    size_t from = p->i;
    while (p->i < p->s.n && is_word(p->s.p[p->i]))
        p->i++;
    return str_sub(p->s, from, p->i - from);
}

static void put_rune(struct buf *b, uint32_t r) {
    if (r < 0x80) {
        buf_putc(b, (char)r);
    } else if (r < 0x800) {
        buf_putc(b, (char)(0xc0 | (r >> 6)));
        buf_putc(b, (char)(0x80 | (r & 63)));
    } else if (r < 0x10000) {
        buf_putc(b, (char)(0xe0 | (r >> 12)));
        buf_putc(b, (char)(0x80 | ((r >> 6) & 63)));
        buf_putc(b, (char)(0x80 | (r & 63)));
    } else {
        buf_putc(b, (char)(0xf0 | (r >> 18)));
        buf_putc(b, (char)(0x80 | ((r >> 12) & 63)));
        buf_putc(b, (char)(0x80 | ((r >> 6) & 63)));
        buf_putc(b, (char)(0x80 | (r & 63)));
    }
}

static bool digits(struct parser *p, int n, uint32_t base, uint32_t *out) {
    uint32_t v = 0;
    for (int k = 0; k < n; k++) {
        char c = at(p, 0);
        uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 99;
        if (d >= base)
            return false;
        v = v * base + d;
        p->i++;
    }
    *out = v;
    return true;
}

/* Behind the backslash. */
static bool escape(struct parser *p, struct buf *b) {
    static const char from[] = "abfnrtv\\'\"";
    static const char to[] = "\a\b\f\n\r\t\v\\'\"";
    char c = at(p, 0);
    const char *hit = c ? strchr(from, c) : NULL;
    uint32_t v = 0;
    if (hit) {
        p->i++;
        buf_putc(b, to[hit - from]);
        return true;
    }
    if (c == 'x' || c == 'u' || c == 'U') {
        p->i++;
        if (!digits(p,
                    c == 'x'   ? 2
                    : c == 'u' ? 4
                               : 8,
                    16, &v) ||
            v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
            return false;
        if (c == 'x')
            buf_putc(b, (char)(unsigned char)v);
        else
            put_rune(b, v);
        return true;
    }
    if (c >= '0' && c <= '7' && digits(p, 3, 8, &v) && v < 256) {
        buf_putc(b, (char)(unsigned char)v);
        return true;
    }
    return false;
}

static bool quoted(struct parser *p, struct str *out) {
    size_t from = p->i;
    char q = p->s.p[p->i++];
    if (q == '`') {
        while (p->i < p->s.n && p->s.p[p->i] != '`')
            p->i++;
        if (p->i == p->s.n)
            return bad(p, from, "unterminated raw quoted string");
        *out = str_sub(p->s, from + 1, p->i - from - 1);
        p->i++;
        return true;
    }
    struct buf b = BUF_INIT_MAX(p->s.n * 4 + 16);
    bool ok = true;
    while (ok && p->i < p->s.n && p->s.p[p->i] != q && p->s.p[p->i] != '\n') {
        if (p->s.p[p->i] == '\\') {
            p->i++;
            ok = escape(p, &b);
        } else {
            buf_putc(&b, p->s.p[p->i++]);
        }
    }
    if (!ok)
        ok = bad(p, p->i, "unknown escape sequence in a quoted string");
    else if (at(p, 0) != q)
        ok = bad(p, from, "unterminated quoted string");
    else {
        p->i++;
        *out = arena_str(p->a, buf_view(&b));
        ok = !p->a->failed || arena_err(p->a, p->err);
    }
    buf_deinit(&b);
    if (!ok)
        p->failed = true;
    return ok;
}

static bool number(struct parser *p, struct gotmpl_value *out) {
    size_t from = p->i;
    if (at(p, 0) == '+' || at(p, 0) == '-')
        p->i++;
    while (p->i < p->s.n) {
        char c = p->s.p[p->i];
        bool sign = (c == '+' || c == '-') && (p->s.p[p->i - 1] == 'e' || p->s.p[p->i - 1] == 'E');
        if (!is_word(c) && c != '.' && !sign)
            break;
        p->i++;
    }
    struct str t = str_sub(p->s, from, p->i - from);
    int64_t i;
    double f;
    if (str_to_i64(t.n && t.p[0] == '+' ? str_from_offset(t, 1) : t, &i))
        *out = gotmpl_int(i);
    else if (str_to_f64(t, &f))
        *out = gotmpl_float(f);
    else
        return bad(p, from, "bad number");
    return true;
}

static bool rune_const(struct parser *p, struct gotmpl_value *out) {
    struct str s;
    if (!quoted(p, &s))
        return false;
    uint32_t r = 0;
    if (s.n == 1)
        r = (unsigned char)s.p[0];
    else if (s.n >= 2 && s.n <= 4 && str_is_utf8(s)) {
        r = (unsigned char)s.p[0] & (s.n == 2 ? 31u : s.n == 3 ? 15u : 7u);
        for (size_t k = 1; k < s.n; k++)
            r = (r << 6) | ((unsigned char)s.p[k] & 63u);
    } else {
        return bad(p, p->i, "a character constant holds one character");
    }
    *out = gotmpl_int(r);
    return true;
}

static bool parse_pipe(struct parser *p, bool in_range, struct tmpl_pipe **out);

static bool fields(struct parser *p, struct tmpl_operand *o) {
    struct str list[GOTMPL_OPERANDS_MAX];
    size_t n = 0;
    while (at(p, 0) == '.' && is_word(at(p, 1))) {
        p->i++;
        if (n == GOTMPL_OPERANDS_MAX)
            return bad(p, p->i, "too many fields in a chain");
        list[n++] = word(p);
    }
    if (n == 0)
        return true;
    o->fields = node_alloc(p, n * sizeof(*list));
    if (!o->fields)
        return false;
    memcpy(o->fields, list, n * sizeof(*list));
    o->n_fields = n;
    return true;
}

static bool name_operand(struct parser *p, struct tmpl_operand *o) {
    size_t from = p->i;
    o->name = word(p);
    o->kind = OPERAND_CONST;
    if (str_eqz(o->name, "true") || str_eqz(o->name, "false")) {
        o->value = gotmpl_bool(str_eqz(o->name, "true"));
        return true;
    }
    if (str_eqz(o->name, "nil"))
        return true; /* zeroed: GOTMPL_NIL */
    o->kind = OPERAND_FUNC;
    if (!tmpl_is_func(o->name)) {
        p->i = from;
        char text[160];
        struct buf b = BUF_INIT_MAX(140);
        buf_printf(&b, "function \"%.*s\" not defined", (int)(o->name.n > 80 ? 80 : o->name.n),
                   o->name.p);
        memcpy(text, b.p ? b.p : "", b.n + 1);
        buf_deinit(&b);
        return bad(p, from, text);
    }
    return true;
}

static bool operand(struct parser *p, struct tmpl_operand *o) {
    *o = (struct tmpl_operand){0};
    place(p, p->i, &o->line, &o->column);
    char c = at(p, 0);
    bool digit1 = at(p, 1) >= '0' && at(p, 1) <= '9';
    if (c == '(') {
        if (++p->depth > GOTMPL_NESTING_MAX)
            return bad(p, p->i, "nested too deeply");
        p->i++;
        o->kind = OPERAND_PIPE;
        if (!parse_pipe(p, false, &o->pipe))
            return false;
        skip_space(p);
        if (at(p, 0) != ')')
            return bad(p, p->i, "unclosed left paren");
        p->i++;
        p->depth--;
        return fields(p, o);
    }
    if (c == '$') {
        size_t from = p->i++;
        (void)word(p);
        o->kind = OPERAND_VAR;
        o->name = str_sub(p->s, from, p->i - from);
        return fields(p, o);
    }
    if ((c >= '0' && c <= '9') || ((c == '-' || c == '+' || c == '.') && digit1)) {
        o->kind = OPERAND_CONST;
        return number(p, &o->value);
    }
    if (c == '.') {
        o->kind = OPERAND_DOT;
        if (is_word(at(p, 1)))
            return fields(p, o);
        p->i++;
        return true;
    }
    if (c == '"' || c == '`') {
        o->kind = OPERAND_CONST;
        o->value.type = GOTMPL_STR;
        return quoted(p, &o->value.s);
    }
    if (c == '\'') {
        o->kind = OPERAND_CONST;
        return rune_const(p, &o->value);
    }
    if (is_word(c))
        return name_operand(p, o);
    return bad(p, p->i, p->i < p->s.n ? "unexpected character in an action" : "unclosed action");
}

static bool command(struct parser *p, struct tmpl_command *out) {
    size_t cap = 4, n = 0;
    struct tmpl_operand *v = node_alloc(p, cap * sizeof(*v));
    if (!v)
        return false;
    for (;;) {
        bool space = skip_space(p);
        char c = at(p, 0);
        if (p->i >= p->s.n || at_end(p) || c == '|' || c == ')')
            break;
        if (n && !space)
            return bad(p, p->i, "unexpected character in an operand");
        if (n == GOTMPL_OPERANDS_MAX)
            return bad(p, p->i, "too many arguments");
        if (n == cap) {
            v = arena_grow(p->a, v, cap * sizeof(*v), 2 * cap * sizeof(*v));
            cap *= 2;
            if (!v) {
                p->failed = true;
                return arena_err(p->a, p->err);
            }
        }
        if (!operand(p, &v[n++]))
            return false;
    }
    if (n == 0)
        return bad(p, p->i, "missing value for command");
    if (n > 1 && v[0].kind == OPERAND_CONST)
        return bad(p, p->i, "can't give argument to non-function");
    *out = (struct tmpl_command){v, n};
    return true;
}

/* "$x :=", "$x =", and in range "$i, $x :=". Nothing is taken when there is no declaration. */
static bool declaration(struct parser *p, bool in_range, struct tmpl_pipe *pipe) {
    size_t from = p->i;
    struct str v[2] = {{NULL, 0}, {NULL, 0}};
    for (int k = 0; k < (in_range ? 2 : 1); k++) {
        skip_space(p);
        if (at(p, 0) != '$')
            break;
        size_t start = p->i++;
        (void)word(p);
        v[k] = str_sub(p->s, start, p->i - start);
        skip_space(p);
        if (k == 0 && in_range && at(p, 0) == ',') {
            p->i++;
            continue;
        }
        bool define = at(p, 0) == ':' && at(p, 1) == '=';
        if (!define && at(p, 0) != '=')
            break;
        p->i += define ? 2 : 1;
        pipe->assign = !define;
        pipe->var[0] = v[0];
        pipe->var[1] = v[1];
        return true;
    }
    p->i = from;
    return true;
}

static bool parse_pipe(struct parser *p, bool in_range, struct tmpl_pipe **out) {
    struct tmpl_pipe *pipe = node_alloc(p, sizeof(*pipe));
    if (!pipe || !declaration(p, in_range, pipe))
        return false;
    size_t cap = 4;
    pipe->commands = node_alloc(p, cap * sizeof(struct tmpl_command));
    if (!pipe->commands)
        return false;
    for (;;) {
        if (pipe->n == GOTMPL_OPERANDS_MAX)
            return bad(p, p->i, "too many commands in a pipeline");
        if (pipe->n == cap) {
            pipe->commands = arena_grow(p->a, pipe->commands, cap * sizeof(struct tmpl_command),
                                        2 * cap * sizeof(struct tmpl_command));
            cap *= 2;
            if (!pipe->commands) {
                p->failed = true;
                return arena_err(p->a, p->err);
            }
        }
        size_t from = p->i;
        if (!command(p, &pipe->commands[pipe->n]))
            return false;
        enum tmpl_operand_kind first = pipe->commands[pipe->n].v[0].kind;
        if (pipe->n && first == OPERAND_CONST)
            return bad(p, from, "non executable command in pipeline");
        pipe->n++;
        skip_space(p);
        if (at(p, 0) != '|')
            break;
        p->i++;
    }
    *out = pipe;
    return true;
}

enum stop { STOP_EOF, STOP_END, STOP_ELSE };

static bool parse_list(struct parser *p, struct tmpl_node **out, enum stop *out_stop);

static struct tmpl_node *new_node(struct parser *p, enum tmpl_node_kind kind) {
    struct tmpl_node *n = node_alloc(p, sizeof(*n));
    if (n) {
        n->kind = kind;
        place(p, p->i, &n->line, &n->column);
    }
    return n;
}

static bool keyword(struct parser *p, const char *name) {
    size_t from = p->i;
    struct str w = word(p);
    if (str_eqz(w, name))
        return true;
    p->i = from;
    return false;
}

/* if, range, with: behind the keyword. */
static bool control(struct parser *p, enum tmpl_node_kind kind, struct tmpl_node **out) {
    if (++p->depth > GOTMPL_NESTING_MAX)
        return bad(p, p->i, "nested too deeply");
    struct tmpl_node *n = new_node(p, kind);
    enum stop stop;
    p->ranges += kind == NODE_RANGE;
    if (!n || !parse_pipe(p, kind == NODE_RANGE, &n->pipe) || !close_action(p) ||
        !parse_list(p, &n->body, &stop))
        return false;
    p->ranges -= kind == NODE_RANGE;
    if (stop == STOP_EOF)
        return bad(p, p->s.n, "unexpected end of the template: {{end}} is missing");
    if (stop == STOP_ELSE) {
        skip_space(p);
        bool chain =
            (kind == NODE_IF && keyword(p, "if")) || (kind == NODE_WITH && keyword(p, "with"));
        if (chain) {
            if (!control(p, kind, &n->otherwise)) /* its {{end}} ends this one too */
                return false;
        } else {
            if (!close_action(p) || !parse_list(p, &n->otherwise, &stop))
                return false;
            if (stop != STOP_END)
                return bad(p, p->i, "{{end}} expected");
            if (!close_action(p))
                return false;
        }
    } else if (!close_action(p)) {
        return false;
    }
    p->depth--;
    *out = n;
    return true;
}

static bool template_name(struct parser *p, struct str *out) {
    skip_space(p);
    if (at(p, 0) != '"' && at(p, 0) != '`')
        return bad(p, p->i, "expected the template's name in quotes");
    return quoted(p, out);
}

/* define and block: the body goes to the tree's list; block also calls it. */
static bool define(struct parser *p, bool block, struct tmpl_node **out) {
    if (++p->depth > GOTMPL_NESTING_MAX)
        return bad(p, p->i, "nested too deeply");
    struct tmpl_define *d = node_alloc(p, sizeof(*d));
    struct tmpl_node *n = new_node(p, NODE_TEMPLATE);
    enum stop stop;
    if (!d || !n || !template_name(p, &d->name))
        return false;
    n->text = d->name;
    if (block && !parse_pipe(p, false, &n->pipe))
        return false;
    if (!close_action(p) || !parse_list(p, &d->body, &stop))
        return false;
    if (stop != STOP_END)
        return bad(p, p->i, "{{end}} of define is missing");
    if (!close_action(p))
        return false;
    d->next = p->tree->defines;
    p->tree->defines = d;
    p->depth--;
    *out = block ? n : NULL;
    return true;
}

/* One action, behind {{ and white space. *out NULL: it yields nothing. */
static bool action(struct parser *p, struct tmpl_node **out, enum stop *out_stop,
                   bool *out_stopped) {
    *out = NULL;
    *out_stopped = false;
    if (keyword(p, "if"))
        return control(p, NODE_IF, out);
    if (keyword(p, "range"))
        return control(p, NODE_RANGE, out);
    if (keyword(p, "with"))
        return control(p, NODE_WITH, out);
    if (keyword(p, "define"))
        return define(p, false, out);
    if (keyword(p, "block"))
        return define(p, true, out);
    if (keyword(p, "end") || keyword(p, "else")) {
        *out_stop = p->s.p[p->i - 1] == 'd' ? STOP_END : STOP_ELSE;
        *out_stopped = true;
        return true;
    }
    if (keyword(p, "break") || keyword(p, "continue")) {
        if (p->ranges == 0)
            return bad(p, p->i, "break or continue outside of range");
        *out = new_node(p, p->s.p[p->i - 1] == 'k' ? NODE_BREAK : NODE_CONTINUE);
        return *out && close_action(p);
    }
    struct tmpl_node *n;
    if (keyword(p, "template")) {
        n = new_node(p, NODE_TEMPLATE);
        if (!n || !template_name(p, &n->text))
            return false;
        skip_space(p);
        if (!at_end(p) && !parse_pipe(p, false, &n->pipe))
            return false;
    } else {
        n = new_node(p, NODE_ACTION);
        if (!n || !parse_pipe(p, false, &n->pipe))
            return false;
    }
    *out = n;
    return close_action(p);
}

static struct str take_text(struct parser *p) {
    struct str rest = str_from_offset(p->s, p->i);
    size_t n = str_find(rest, STR("{{"));
    struct str text = n == SIZE_MAX ? rest : str_sub(rest, 0, n);
    p->i += text.n;
    if (p->trim_next)
        while (text.n && is_space(text.p[0]))
            text = str_from_offset(text, 1);
    p->trim_next = false;
    if (n != SIZE_MAX && at(p, 2) == '-' && is_space(at(p, 3)))
        while (text.n && is_space(text.p[text.n - 1]))
            text.n--;
    return text;
}

static bool comment(struct parser *p) {
    size_t end = str_find(str_from_offset(p->s, p->i), STR("*/"));
    if (end == SIZE_MAX)
        return bad(p, p->i, "unclosed comment");
    p->i += end + 2;
    return close_action(p);
}

static bool parse_list(struct parser *p, struct tmpl_node **out, enum stop *out_stop) {
    struct tmpl_node **tail = out;
    *out = NULL;
    while (p->i < p->s.n) {
        struct tmpl_node *n;
        struct str text = take_text(p);
        if (text.n) {
            n = new_node(p, NODE_TEXT);
            if (!n)
                return false;
            n->text = text;
            *tail = n;
            tail = &n->next;
        }
        if (p->i == p->s.n)
            break;
        p->i += 2;
        if (at(p, 0) == '-' && is_space(at(p, 1)))
            p->i++;
        skip_space(p);
        bool stopped;
        if (at(p, 0) == '/' && at(p, 1) == '*') {
            if (!comment(p))
                return false;
            continue;
        }
        if (!action(p, &n, out_stop, &stopped))
            return false;
        if (stopped)
            return true;
        if (n) {
            *tail = n;
            tail = &n->next;
        }
    }
    *out_stop = STOP_EOF;
    return true;
}

bool tmpl_parse(struct str text, struct arena *a, struct tmpl_tree *out, struct err *err) {
    struct err ignored;
    struct parser p = {.s = text, .a = a, .err = err ? err : &ignored, .tree = out};
    *out = (struct tmpl_tree){0};
    enum stop stop;
    if (!parse_list(&p, &out->root, &stop))
        return false;
    if (stop == STOP_EOF)
        return true;
    return bad(&p, p.i, stop == STOP_END ? "unexpected {{end}}" : "unexpected {{else}}");
}
