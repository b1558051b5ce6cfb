/* A Pratt parser for PromQL. The first error stops it; texts are Prometheus's. */
#include "base/limits.h"
#include "base/timev.h"
#include "query/promql/functions.h"
#include "query/promql/lexer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { PREC_NONE, PREC_OR, PREC_AND, PREC_COMPARE, PREC_ADD, PREC_MUL, PREC_POW };

struct parser {
    struct pq_lexer lex;
    struct pq_item cur;
    uint32_t last_closing, prev_end;
    struct arena *arena;
    unsigned features;
    int depth, aggregates; /* nesting of everything; of aggregations, whose errors say so */
    bool failed;
    struct err *err;
};

typedef struct promql_expr node;
static node *parse_expr(struct parser *p, int min_prec);
static node *parse_duration(struct parser *p, int min_prec);

/* Errors */

static node *error_at(struct parser *p, uint32_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static node *error_at(struct parser *p, uint32_t at, const char *fmt, ...) {
    if (!p->failed) {
        char text[400];
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        pq_error(p->lex.in, at, p->err, "%s", text);
    }
    p->failed = true;
    return NULL;
}

static node *unexpected(struct parser *p, const char *context, const char *expected) {
    if (p->failed)
        return NULL;
    if (p->cur.token == TOK_ERROR)
        return error_at(p, p->lex.error_pos, "%s", p->lex.error);
    struct buf b = BUF_INIT_MAX(4096);
    pq_item_describe(&p->cur, &b);
    if (!context && p->aggregates)
        context = "aggregation";
    error_at(p, p->cur.pos, "unexpected %.*s%s%s%s%s", STR_FMT(buf_view(&b)), context ? " in " : "",
             context ? context : "", expected ? ", expected " : "", expected ? expected : "");
    buf_deinit(&b);
    return NULL;
}

static node *no_memory(struct parser *p) {
    if (!p->failed)
        arena_err(p->arena, p->err);
    p->failed = true;
    return NULL;
}

static node *node_new(struct parser *p, enum pq_kind kind, uint32_t start) {
    node *e = ARENA_NEW(p->arena, node);
    if (!e)
        return no_memory(p);
    e->kind = kind;
    e->start = start;
    e->end = p->prev_end;
    e->text = p->lex.in;
    return e;
}

enum {
    HEIGHT_MAX = LIMIT_QUERY_DEPTH * 4
}; /* long chains of `or` lean to the left without parentheses */

/* Every walk over the tree recurses: its height is bounded here, where nodes get their children. */
static bool adopt(struct parser *p, node *e, const node *child) {
    if (child && e->height <= child->height)
        e->height = child->height + 1;
    if (e->height <= HEIGHT_MAX)
        return true;
    error_at(p, e->start, "query is nested more than %d levels deep", HEIGHT_MAX);
    return false;
}

/* Tokens */

static void advance(struct parser *p) {
    p->prev_end = p->cur.pos + (uint32_t)p->cur.text.n;
    if (p->cur.token == TOK_ERROR)
        return;
    p->cur = pq_lex(&p->lex);
    /* Prometheus reports what the lexer rejects as soon as it is read. */
    if (p->cur.token == TOK_ERROR)
        error_at(p, p->lex.error_pos, "%s", p->lex.error);
    switch ((int)p->cur.token) {
    case TOK_RBRACE:
    case TOK_RPAREN:
    case TOK_RBRACKET:
    case TOK_DURATION:
    case TOK_NUMBER:
        p->last_closing = p->cur.pos + (uint32_t)p->cur.text.n;
        break;
    default:
        break;
    }
}

static bool at(const struct parser *p, enum pq_token t) {
    return !p->failed && p->cur.token == t;
}
static bool at_op(const struct parser *p, enum pq_op op) {
    return at(p, TOK_OPERATOR) && p->cur.op == op;
}
static bool eat(struct parser *p, enum pq_token t) {
    if (!at(p, t))
        return false;
    advance(p);
    return !p->failed;
}

/* The token behind the current one, without moving. */
static struct pq_item peek_next(const struct parser *p) {
    struct pq_lexer l = p->lex;
    return pq_lex(&l);
}

struct list { /* growing array of pointers or strs in the arena */
    void *v;
    size_t n, cap;
};

static bool list_push(struct parser *p, struct list *l, const void *item, size_t size) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 4;
        void *v = arena_grow(p->arena, l->v, l->cap * size, cap * size);
        if (!v) {
            no_memory(p);
            return false;
        }
        l->v = v;
        l->cap = cap;
    }
    memcpy((char *)l->v + l->n * size, item, size);
    l->n++;
    return true;
}

static bool unquote(struct parser *p, struct pq_item item, struct str *out) {
    if (pq_unquote(item.text, p->arena, out))
        return true;
    error_at(p, item.pos, "error unquoting string %.*s: invalid syntax", STR_FMT(item.text));
    return false;
}

/* Underscores stand between digits, or behind 0x. */
static bool underscores_ok(struct str s) {
    bool hex = s.n > 1 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x';
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '_')
            continue;
        int before = i ? s.p[i - 1] | 0x20 : 0, after = i + 1 < s.n ? s.p[i + 1] | 0x20 : 0;
        bool digits = (before >= '0' && before <= '9') || (hex && before >= 'a' && before <= 'f') ||
                      (hex && i == 2);
        if (!digits || !((after >= '0' && after <= '9') || (hex && after >= 'a' && after <= 'f')))
            return false;
    }
    return true;
}

/* Numbers: Go's ParseInt(s, 0, 64), then ParseFloat. */
static bool number_value(struct parser *p, struct pq_item item, double *out) {
    char digits[512];
    size_t n = 0;
    struct str s = item.text;
    if (s.n >= sizeof(digits) || !underscores_ok(s))
        goto bad;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '_')
            digits[n++] = s.p[i];
    bool prefixed = n > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    if (prefixed) {
        double v = 0;
        for (size_t i = 2; i < n; i++) {
            int c = digits[i] | 0x20;
            v = v * 16 + (c >= 'a' ? c - 'a' + 10 : c - '0');
        }
        *out = v;
        return true;
    }
    /* A leading zero makes it octal, as in Go, as long as it is one. */
    bool octal = n > 1 && digits[0] == '0';
    for (size_t i = 1; octal && i < n; i++)
        octal = digits[i] >= '0' && digits[i] <= '7';
    if (octal) {
        double v = 0;
        for (size_t i = 1; i < n; i++)
            v = v * 8 + (digits[i] - '0');
        *out = v;
        return true;
    }
    if (str_to_f64(str_make(digits, n), out)) {
        if (!isinf(*out) || digits[0] > '9')
            return true;
        error_at(p, item.pos,
                 "error parsing number: strconv.ParseFloat: parsing \"%.*s\": value out of range",
                 STR_FMT(s));
        return false;
    }
bad:
    error_at(p, item.pos,
             "error parsing number: strconv.ParseFloat: parsing \"%.*s\": invalid syntax",
             STR_FMT(s));
    return false;
}

static node *bad_duration(struct parser *p, struct pq_item item, const struct err *why) {
    if (strncmp(why->message, "duration", 8) == 0)
        return error_at(p, item.pos, "duration out of range");
    for (size_t i = 0, u; i < item.text.n; i = u) {
        static const char *const units[] = {"ms", "s", "m", "h", "d", "w", "y"};
        while (i < item.text.n && item.text.p[i] >= '0' && item.text.p[i] <= '9')
            i++;
        for (u = i; u < item.text.n && (item.text.p[u] < '0' || item.text.p[u] > '9'); u++) {
        }
        struct str unit = str_sub(item.text, i, u - i);
        bool known = false;
        for (size_t k = 0; k < sizeof(units) / sizeof(units[0]); k++)
            known |= str_eqz(unit, units[k]);
        if (!known)
            return error_at(p, item.pos, "unknown unit \"%.*s\" in duration \"%.*s\"",
                            STR_FMT(unit), STR_FMT(item.text));
    }
    return error_at(p, item.pos, "not a valid duration string: \"%.*s\"", STR_FMT(item.text));
}

static node *parse_number(struct parser *p) {
    struct pq_item item = p->cur;
    double v = 0;
    if (item.token == TOK_DURATION) {
        int64_t ms;
        struct err e;
        if (!duration_parse(item.text, &ms, &e))
            return bad_duration(p, item, &e);
        v = (double)ms / 1000;
    } else if (!number_value(p, item, &v)) {
        return NULL;
    }
    advance(p);
    node *e = node_new(p, PQ_NUMBER, item.pos);
    if (!e)
        return NULL;
    e->u.number.value = v;
    e->u.number.is_duration = item.token == TOK_DURATION;
    e->end = item.pos + (uint32_t)item.text.n;
    return e;
}

/* Durations in brackets and behind offset */

static bool duration_in_range(struct parser *p, const node *e, uint32_t pos) {
    if (e->kind == PQ_NUMBER && !(e->u.number.value <= 9223372036.854775807 &&
                                  e->u.number.value >= -9223372036.854775808)) {
        error_at(p, pos, "duration out of range");
        return false;
    }
    return true;
}

static bool experimental_duration(struct parser *p, const node *e) {
    if (p->features & PROMQL_DURATION_EXPRESSION)
        return true;
    error_at(p, e->start, "experimental duration expression is not enabled");
    return false;
}

static node *duration_node(struct parser *p, enum pq_op op, node *lhs, node *rhs, uint32_t start) {
    node *e = node_new(p, PQ_DURATION, start);
    if (!e)
        return NULL;
    e->u.duration.op = op;
    e->u.duration.lhs = lhs;
    e->u.duration.rhs = rhs;
    e->type = PROMQL_SCALAR;
    return adopt(p, e, lhs) && adopt(p, e, rhs) ? e : NULL;
}

static node *negate_duration(struct parser *p, bool minus, node *e, uint32_t start) {
    if (e->kind == PQ_NUMBER) {
        if (minus)
            e->u.number.value = -e->u.number.value;
        e->start = start;
        return duration_in_range(p, e, start) ? e : NULL;
    }
    return minus ? duration_node(p, PQ_SUB, NULL, e, start) : e;
}

static bool too_deep(struct parser *p) {
    if (++p->depth <= LIMIT_QUERY_DEPTH)
        return false;
    error_at(p, p->cur.pos, "query is nested more than %d levels deep", LIMIT_QUERY_DEPTH);
    return true;
}

static node *duration_call(struct parser *p) {
    struct pq_item item = p->cur;
    advance(p);
    if (!eat(p, TOK_LPAREN))
        return unexpected(p, "subquery or range selector", "number, duration, or step()");
    node *lhs = NULL, *rhs = NULL;
    if (item.token == TOK_AGGREGATE) {
        if (!(lhs = parse_duration(p, PREC_NONE)))
            return NULL;
        if (!eat(p, TOK_COMMA))
            return unexpected(p, "subquery or range selector", "number, duration, or step()");
        if (!(rhs = parse_duration(p, PREC_NONE)))
            return NULL;
    }
    if (!eat(p, TOK_RPAREN))
        return unexpected(p, "subquery or range selector", "number, duration, or step()");
    return duration_node(p,
                         item.token == TOK_STEP ? PQ_STEP
                         : item.op == PQ_MIN    ? PQ_DMIN
                                                : PQ_DMAX,
                         lhs, rhs, item.pos);
}

static node *duration_primary(struct parser *p) {
    if (at(p, TOK_NUMBER) || at(p, TOK_DURATION)) {
        node *e = parse_number(p);
        return e && duration_in_range(p, e, e->start) ? e : NULL;
    }
    if (at(p, TOK_STEP) || (at(p, TOK_AGGREGATE) && (p->cur.op == PQ_MIN || p->cur.op == PQ_MAX)))
        return duration_call(p);
    if (at(p, TOK_LPAREN)) {
        advance(p);
        node *e = parse_duration(p, PREC_NONE);
        if (!e)
            return NULL;
        if (!eat(p, TOK_RPAREN))
            return unexpected(p, "subquery or range selector", "number, duration, or step()");
        if (!experimental_duration(p, e))
            return NULL;
        if (e->kind == PQ_DURATION)
            e->u.duration.wrapped = true;
        return e;
    }
    return unexpected(p, "subquery or range selector", "number, duration, or step()");
}

static int duration_prec(const struct parser *p) {
    if (!at(p, TOK_OPERATOR))
        return PREC_NONE;
    switch ((int)p->cur.op) {
    case PQ_ADD:
    case PQ_SUB:
        return PREC_ADD;
    case PQ_MUL:
    case PQ_DIV:
    case PQ_MOD:
        return PREC_MUL;
    case PQ_POW:
        return PREC_POW;
    default:
        return PREC_NONE;
    }
}

static node *parse_duration(struct parser *p, int min_prec) {
    if (too_deep(p))
        return NULL;
    node *e;
    if (at_op(p, PQ_ADD) || at_op(p, PQ_SUB)) {
        bool minus = p->cur.op == PQ_SUB;
        uint32_t start = p->cur.pos;
        advance(p);
        e = parse_duration(p, PREC_MUL + 1);
        e = e ? negate_duration(p, minus, e, start) : NULL;
    } else {
        e = duration_primary(p);
    }
    for (int prec; e && (prec = duration_prec(p)) != PREC_NONE && prec >= min_prec;) {
        struct pq_item op = p->cur;
        if (!experimental_duration(p, e))
            return NULL;
        advance(p);
        node *rhs = parse_duration(p, prec == PREC_POW ? prec : prec + 1);
        if (!rhs)
            return NULL;
        if ((op.op == PQ_DIV || op.op == PQ_MOD) && rhs->kind == PQ_NUMBER &&
            rhs->u.number.value == 0)
            return error_at(p, op.pos, op.op == PQ_DIV ? "division by zero" : "modulo by zero");
        e = duration_node(p, op.op, e, rhs, e->start);
    }
    p->depth--;
    return e;
}

/* What may follow `offset`: one signed literal or call, or a parenthesis; operators behind it are
 * not part. */
static node *parse_offset_duration(struct parser *p) {
    bool sign = at_op(p, PQ_ADD) || at_op(p, PQ_SUB), minus = at_op(p, PQ_SUB);
    uint32_t start = p->cur.pos;
    if (sign)
        advance(p);
    if (!at(p, TOK_NUMBER) && !at(p, TOK_DURATION) && !at(p, TOK_STEP) && !at(p, TOK_LPAREN) &&
        !(at(p, TOK_AGGREGATE) && (p->cur.op == PQ_MIN || p->cur.op == PQ_MAX)))
        return unexpected(p, "offset", "number, duration, or step()");
    node *e = duration_primary(p);
    return e && sign ? negate_duration(p, minus, e, start) : e;
}

static bool set_duration(node *e, int64_t *out_ms, node **out_expr) {
    if (e->kind == PQ_NUMBER) {
        *out_ms = (int64_t)(round(e->u.number.value * 1e9) / 1e6);
        *out_expr = NULL;
    } else {
        *out_ms = 0;
        *out_expr = e;
    }
    return true;
}

/* Selectors */

static bool push_matcher(struct parser *p, struct list *list, enum matcher_type type,
                         struct str name, struct str value, uint32_t pos) {
    struct matcher m = {.type = type, .name = name, .value = value};
    if (type == MATCH_RE || type == MATCH_NRE) {
        struct err e;
        struct regex *re = regex_new(value, true, &e);
        if (!re) {
            error_at(p, pos, "error parsing regexp: %s", e.message);
            return false;
        }
        m.re = re;
        if (!arena_on_free(p->arena, (void (*)(void *))regex_free, re)) {
            regex_free(re);
            no_memory(p);
            return false;
        }
    }
    return list_push(p, list, &m, sizeof(m));
}

static bool parse_matcher(struct parser *p, struct list *list) {
    struct pq_item label = p->cur;
    struct str name = label.text;
    bool quoted = at(p, TOK_STRING);
    if (!quoted && !at(p, TOK_IDENTIFIER)) {
        unexpected(p, "label matching", "identifier or \"}\"");
        return false;
    }
    if (quoted && !unquote(p, label, &name))
        return false;
    advance(p);
    enum matcher_type type;
    if (at(p, TOK_EQL))
        type = MATCH_EQ;
    else if (at_op(p, PQ_NEQ))
        type = MATCH_NE;
    else if (at(p, TOK_EQL_REGEX))
        type = MATCH_RE;
    else if (at(p, TOK_NEQ_REGEX))
        type = MATCH_NRE;
    else if (quoted && !p->failed)
        return push_matcher(p, list, MATCH_EQ, STR(LABEL_NAME), name, label.pos);
    else {
        unexpected(p, "label matching", "label matching operator");
        return false;
    }
    advance(p);
    struct str value;
    if (!at(p, TOK_STRING)) {
        unexpected(p, "label matching", "string");
        return false;
    }
    if (!unquote(p, p->cur, &value))
        return false;
    advance(p);
    return !p->failed && push_matcher(p, list, type, name, value, label.pos);
}

static node *parse_selector(struct parser *p) {
    uint32_t start = p->cur.pos;
    struct str name = {NULL, 0};
    struct list matchers = {0};
    if (!at(p, TOK_LBRACE)) {
        name = p->cur.text;
        advance(p);
    }
    uint32_t end = p->prev_end;
    if (at(p, TOK_LBRACE)) {
        advance(p);
        while (!p->failed && !at(p, TOK_RBRACE)) {
            if (!parse_matcher(p, &matchers))
                return NULL;
            if (at(p, TOK_RBRACE))
                break;
            if (!eat(p, TOK_COMMA))
                return unexpected(p, "label matching", "\",\" or \"}\"");
        }
        if (p->failed)
            return NULL;
        end = p->cur.pos + 1;
        advance(p);
    }
    if (p->failed)
        return NULL;
    if (name.n && !push_matcher(p, &matchers, MATCH_EQ, STR(LABEL_NAME), name, start))
        return NULL;
    node *e = node_new(p, PQ_SELECTOR, start);
    if (!e)
        return NULL;
    e->end = end;
    e->u.selector.name = name;
    e->u.selector.matchers = matchers.v;
    e->u.selector.n_matchers = matchers.n;
    return e;
}

/* Postfix: ranges, subqueries, offset, @, anchored, smoothed */

static bool positive(struct parser *p, const node *d) {
    if (d->kind == PQ_NUMBER && d->u.number.value <= 0) {
        error_at(p, d->start, "duration must be greater than 0");
        return false;
    }
    return true;
}

static node *finish_matrix(struct parser *p, node *e, node *range, uint32_t bracket) {
    if (e->kind != PQ_SELECTOR)
        return error_at(p, bracket, "ranges only allowed for vector selectors");
    if (e->u.selector.mods.offset_ms != 0)
        return error_at(p, bracket, "no offset modifiers allowed before range");
    if (e->u.selector.mods.at == PQ_AT_TIME)
        return error_at(p, bracket, "no @ modifiers allowed before range");
    node *m = node_new(p, PQ_MATRIX, e->start);
    if (!m)
        return NULL;
    m->u.matrix.selector = e;
    m->end = p->last_closing;
    set_duration(range, &m->u.matrix.range_ms, &m->u.matrix.range_expr);
    return m;
}

static node *parse_brackets(struct parser *p, node *e) {
    uint32_t bracket = p->cur.pos;
    advance(p);
    if (at(p, TOK_RBRACKET))
        return unexpected(p, "subquery or range selector", "number, duration, or step()");
    node *range = parse_duration(p, PREC_NONE), *step = NULL;
    if (!range || p->failed || !positive(p, range))
        return NULL;
    if (at(p, TOK_RBRACKET)) {
        p->last_closing = p->cur.pos + 1;
        e = finish_matrix(p, e, range, bracket);
        advance(p);
        return p->failed ? NULL : e;
    }
    if (!eat(p, TOK_COLON))
        return unexpected(p, "subquery or range", "\":\" or \"]\"");
    if (!at(p, TOK_RBRACKET)) {
        if (!at(p, TOK_NUMBER) && !at(p, TOK_DURATION) && !at(p, TOK_STEP) && !at(p, TOK_LPAREN) &&
            !at(p, TOK_OPERATOR) && !at(p, TOK_AGGREGATE))
            return unexpected(p, "subquery selector", "number, duration, or step() or \"]\"");
        step = parse_duration(p, PREC_NONE);
        if (!step || p->failed || !positive(p, step))
            return NULL;
        if (!at(p, TOK_RBRACKET))
            return unexpected(p, "subquery selector", "\"]\"");
    }
    uint32_t end = p->cur.pos + 1;
    advance(p);
    node *s = node_new(p, PQ_SUBQUERY, e->start);
    if (!s || p->failed)
        return NULL;
    s->end = end;
    s->u.subquery.expr = e;
    set_duration(range, &s->u.subquery.range_ms, &s->u.subquery.range_expr);
    if (step)
        set_duration(step, &s->u.subquery.step_ms, &s->u.subquery.step_expr);
    return adopt(p, s, e) ? s : NULL;
}

static struct pq_time_mods *mods_of(node *e) {
    if (e->kind == PQ_SELECTOR)
        return &e->u.selector.mods;
    if (e->kind == PQ_MATRIX)
        return &e->u.matrix.selector->u.selector.mods;
    if (e->kind == PQ_SUBQUERY)
        return &e->u.subquery.mods;
    return NULL;
}

static node *parse_offset(struct parser *p, node *e) {
    advance(p);
    node *d = parse_offset_duration(p);
    if (!d || p->failed)
        return NULL;
    struct pq_time_mods *m = mods_of(e);
    if (!m)
        return error_at(p, e->start,
                        "offset modifier must be preceded by an instant vector selector or range "
                        "vector selector or a "
                        "subquery");
    if (m->offset_ms != 0 || m->offset_expr)
        return error_at(p, e->start, "offset may not be set multiple times");
    set_duration(d, &m->offset_ms, &m->offset_expr);
    e->end = p->prev_end;
    return e;
}

static node *parse_at(struct parser *p, node *e) {
    advance(p);
    enum pq_at kind = PQ_AT_TIME;
    double ts = 0;
    if (at(p, TOK_START) || at(p, TOK_END)) {
        kind = at(p, TOK_START) ? PQ_AT_START : PQ_AT_END;
        advance(p);
        if (!eat(p, TOK_LPAREN) || !eat(p, TOK_RPAREN))
            return unexpected(p, "@", "timestamp");
    } else {
        bool sign = at_op(p, PQ_ADD) || at_op(p, PQ_SUB), minus = at_op(p, PQ_SUB);
        if (sign)
            advance(p);
        if (!at(p, TOK_NUMBER) && !at(p, TOK_DURATION))
            return unexpected(p, "@", "timestamp");
        node *n = parse_number(p);
        if (!n)
            return NULL;
        ts = minus ? -n->u.number.value : n->u.number.value;
        if (!isfinite(ts))
            return error_at(p, e->start, "timestamp out of bounds for @ modifier: %s",
                            isnan(ts) ? "NaN"
                            : ts > 0  ? "+Inf"
                                      : "-Inf");
        if (ts >= 9223372036854775807.0 || ts <= -9223372036854775808.0)
            return error_at(p, e->start, "timestamp out of bounds for @ modifier: %f", ts);
        ts = round(ts * 1000);
        if (ts >= 9.2e18 || ts <= -9.2e18)
            return error_at(p, e->start, "timestamp out of bounds for @ modifier: %f", ts / 1000);
    }
    if (p->failed)
        return NULL;
    struct pq_time_mods *m = mods_of(e);
    if (!m)
        return error_at(p, e->start,
                        "@ modifier must be preceded by an instant vector selector or range vector "
                        "selector or a subquery");
    if (m->at != PQ_AT_NONE)
        return error_at(p, e->start, "@ <timestamp> may not be set multiple times");
    m->at = kind;
    m->at_ms = (int64_t)ts;
    e->end = p->prev_end;
    return e;
}

static node *parse_extended(struct parser *p, node *e) {
    bool anchored = at(p, TOK_ANCHORED);
    const char *word = anchored ? "anchored" : "smoothed";
    advance(p);
    if (p->failed)
        return NULL;
    if (!(p->features & PROMQL_EXTENDED_VECTORS))
        return error_at(p, e->start, "%s modifier is experimental and not enabled", word);
    node *s = e->kind == PQ_MATRIX ? e->u.matrix.selector : e;
    if (e->kind == PQ_SUBQUERY)
        return error_at(p, e->start, "%s modifier is not supported for subqueries", word);
    if (s->kind != PQ_SELECTOR)
        return error_at(p, e->start,
                        "%s modifier not "
                        "implemented",
                        word);
    if (anchored ? s->u.selector.smoothed : s->u.selector.anchored)
        return error_at(p, e->start, "anchored and smoothed modifiers cannot be used together");
    if (anchored)
        s->u.selector.anchored = true;
    else
        s->u.selector.smoothed = true;
    return e;
}

static node *parse_postfix(struct parser *p, node *e) {
    while (e && !p->failed) {
        if (at(p, TOK_LBRACKET))
            e = parse_brackets(p, e);
        else if (at(p, TOK_OFFSET))
            e = parse_offset(p, e);
        else if (at(p, TOK_AT))
            e = parse_at(p, e);
        else if (at(p, TOK_ANCHORED) || at(p, TOK_SMOOTHED))
            e = parse_extended(p, e);
        else
            break;
    }
    return p->failed ? NULL : e;
}

/* Label lists, calls, aggregations */

static bool is_label_token(const struct pq_item *item) {
    switch ((int)item->token) {
    case TOK_IDENTIFIER:
    case TOK_METRIC_IDENTIFIER:
    case TOK_AGGREGATE:
    case TOK_STRING:
        return true;
    case TOK_OPERATOR:
        return item->op == PQ_AND || item->op == PQ_OR || item->op == PQ_UNLESS ||
               item->op == PQ_ATAN2;
    default:
        return item->token >= TOK_BOOL;
    }
}

static bool parse_labels(struct parser *p, struct str **out, size_t *out_n) {
    struct list l = {0};
    if (!eat(p, TOK_LPAREN)) {
        unexpected(p, "grouping opts", "\"(\"");
        return false;
    }
    while (!p->failed && !at(p, TOK_RPAREN)) {
        struct str name = p->cur.text;
        if (!is_label_token(&p->cur)) {
            unexpected(p, "grouping opts", "label");
            return false;
        }
        if (at(p, TOK_STRING) && !unquote(p, p->cur, &name))
            return false;
        if (name.n == 0 || !str_is_utf8(name)) {
            error_at(p, p->cur.pos, "invalid label name for grouping: \"%.*s\"", STR_FMT(name));
            return false;
        }
        if (!list_push(p, &l, &name, sizeof(name)))
            return false;
        advance(p);
        if (at(p, TOK_RPAREN))
            break;
        if (!eat(p, TOK_COMMA)) {
            unexpected(p, "grouping opts", "\",\" or \")\"");
            return false;
        }
    }
    if (!eat(p, TOK_RPAREN))
        return false;
    *out = l.v;
    *out_n = l.n;
    return true;
}

static bool parse_args(struct parser *p, struct list *args) {
    if (!eat(p, TOK_LPAREN)) {
        unexpected(p, NULL, NULL);
        return false;
    }
    while (!at(p, TOK_RPAREN)) {
        node *e = parse_expr(p, PREC_NONE);
        if (!e || !list_push(p, args, &e, sizeof(node *)))
            return false;
        if (at(p, TOK_RPAREN))
            break;
        uint32_t comma = p->cur.pos;
        if (!eat(p, TOK_COMMA)) {
            unexpected(p, NULL, NULL);
            return false;
        }
        if (at(p, TOK_RPAREN)) {
            error_at(p, comma, "trailing commas not allowed in function call args");
            return false;
        }
    }
    p->last_closing = p->cur.pos + 1;
    return true; /* the caller steps over the parenthesis */
}

static bool parse_grouping(struct parser *p, node *e) {
    e->u.aggregate.without = at(p, TOK_WITHOUT);
    advance(p);
    return parse_labels(p, &e->u.aggregate.grouping, &e->u.aggregate.n_grouping);
}

static node *parse_aggregate(struct parser *p) {
    struct pq_item op = p->cur;
    struct list args = {0};
    p->aggregates++;
    advance(p);
    node *e = node_new(p, PQ_AGGREGATE, op.pos);
    if (!e)
        return NULL;
    e->u.aggregate.op = op.op;
    bool grouped = false;
    if (at(p, TOK_BY) || at(p, TOK_WITHOUT)) {
        grouped = true;
        if (!parse_grouping(p, e))
            return NULL;
    }
    if (!parse_args(p, &args))
        return NULL;
    p->aggregates--;
    e->end = p->cur.pos + 1;
    advance(p);
    if (!grouped && (at(p, TOK_BY) || at(p, TOK_WITHOUT))) {
        if (!parse_grouping(p, e))
            return NULL;
        e->end = p->prev_end;
    }
    if (p->failed)
        return NULL;
    if (args.n == 0)
        return error_at(p, e->start, "no arguments for aggregate expression provided");
    size_t want = 1;
    if (pq_op_has_param(op.op)) {
        if ((op.op == PQ_LIMITK || op.op == PQ_LIMIT_RATIO) &&
            !(p->features & PROMQL_EXPERIMENTAL_FUNCTIONS))
            return error_at(p, e->start,
                            "%s() is experimental and must be enabled with "
                            "--enable-feature=promql-experimental-functions",
                            pq_op_name(op.op));
        want = 2;
        e->u.aggregate.param = ((node **)args.v)[0];
    }
    if (args.n != want)
        return error_at(
            p, e->start,
            "wrong number of arguments for aggregate expression provided, expected %zu, got %zu",
            want, args.n);
    e->u.aggregate.expr = ((node **)args.v)[want - 1];
    return adopt(p, e, e->u.aggregate.param) && adopt(p, e, e->u.aggregate.expr) ? e : NULL;
}

static node *parse_call(struct parser *p) {
    struct pq_item name = p->cur;
    struct list args = {0};
    advance(p);
    if (p->failed || !parse_args(p, &args))
        return NULL;
    uint32_t end = p->cur.pos + 1;
    const struct pq_function *fn = pq_function_find(name.text);
    if (!fn)
        return error_at(p, name.pos, "unknown function with name \"%.*s\"", STR_FMT(name.text));
    if (fn->experimental && !(p->features & PROMQL_EXPERIMENTAL_FUNCTIONS))
        return error_at(p, name.pos, "function \"%.*s\" is not enabled", STR_FMT(name.text));
    advance(p);
    node *e = node_new(p, PQ_CALL, name.pos);
    if (!e || p->failed)
        return NULL;
    e->end = end;
    e->u.call.fn = fn;
    e->u.call.args = args.v;
    e->u.call.n_args = args.n;
    for (size_t i = 0; i < args.n; i++)
        if (!adopt(p, e, e->u.call.args[i]))
            return NULL;
    return e;
}

static node *parse_paren(struct parser *p) {
    uint32_t start = p->cur.pos;
    advance(p);
    node *inner = parse_expr(p, PREC_NONE);
    if (!inner)
        return NULL;
    if (!at(p, TOK_RPAREN))
        return unexpected(p, NULL, NULL);
    uint32_t end = p->cur.pos + 1;
    advance(p);
    node *e = node_new(p, PQ_PAREN, start);
    if (!e || p->failed)
        return NULL;
    e->u.paren = inner;
    e->end = end;
    return adopt(p, e, inner) ? e : NULL;
}

static node *parse_string(struct parser *p) {
    struct pq_item item = p->cur;
    struct str s;
    if (!unquote(p, item, &s))
        return NULL;
    advance(p);
    node *e = node_new(p, PQ_STRING, item.pos);
    if (!e || p->failed)
        return NULL;
    e->u.string = s;
    e->end = item.pos + (uint32_t)item.text.n;
    return e;
}

static bool is_metric_token(const struct pq_item *item) {
    switch ((int)item->token) {
    case TOK_IDENTIFIER:
    case TOK_METRIC_IDENTIFIER:
    case TOK_AGGREGATE:
    case TOK_BY:
    case TOK_OFFSET:
    case TOK_WITHOUT:
    case TOK_START:
    case TOK_END:
    case TOK_STEP:
    case TOK_ANCHORED:
    case TOK_SMOOTHED:
        return true;
    case TOK_OPERATOR:
        return item->op == PQ_AND || item->op == PQ_OR || item->op == PQ_UNLESS;
    default:
        return false;
    }
}

static node *parse_primary(struct parser *p) {
    if (p->failed)
        return NULL;
    switch ((int)p->cur.token) {
    case TOK_NUMBER:
    case TOK_DURATION:
        return parse_number(p);
    case TOK_STRING:
        return parse_string(p);
    case TOK_LPAREN:
        return parse_paren(p);
    case TOK_LBRACE:
        return parse_selector(p);
    case TOK_AGGREGATE: {
        struct pq_item next = peek_next(p);
        if (next.token == TOK_LPAREN || next.token == TOK_BY || next.token == TOK_WITHOUT)
            return parse_aggregate(p);
        return parse_selector(p);
    }
    case TOK_IDENTIFIER:
        return peek_next(p).token == TOK_LPAREN ? parse_call(p) : parse_selector(p);
    default:
        return is_metric_token(&p->cur) ? parse_selector(p) : unexpected(p, NULL, NULL);
    }
}

static node *parse_unary(struct parser *p) {
    if (!at_op(p, PQ_ADD) && !at_op(p, PQ_SUB))
        return parse_postfix(p, parse_primary(p));
    enum pq_op op = p->cur.op;
    uint32_t start = p->cur.pos;
    advance(p);
    node *inner = parse_expr(p, PREC_MUL + 1);
    if (!inner)
        return NULL;
    if (inner->kind == PQ_NUMBER) {
        if (op == PQ_SUB)
            inner->u.number.value = -inner->u.number.value;
        inner->start = start;
        return inner;
    }
    node *e = node_new(p, PQ_UNARY, start);
    if (!e)
        return NULL;
    e->u.unary.op = op;
    e->u.unary.expr = inner;
    e->end = inner->end;
    return adopt(p, e, inner) ? e : NULL;
}

static int binary_prec(const struct parser *p) {
    if (!at(p, TOK_OPERATOR))
        return PREC_NONE;
    switch ((int)p->cur.op) {
    case PQ_OR:
        return PREC_OR;
    case PQ_AND:
    case PQ_UNLESS:
        return PREC_AND;
    case PQ_ADD:
    case PQ_SUB:
        return PREC_ADD;
    case PQ_MUL:
    case PQ_DIV:
    case PQ_MOD:
    case PQ_ATAN2:
        return PREC_MUL;
    case PQ_POW:
        return PREC_POW;
    default:
        return PREC_COMPARE;
    }
}

static bool parse_matching(struct parser *p, node *e) {
    if (eat(p, TOK_BOOL))
        e->u.binary.return_bool = true;
    if (at(p, TOK_ON) || at(p, TOK_IGNORING)) {
        e->u.binary.on = at(p, TOK_ON);
        advance(p);
        if (!parse_labels(p, &e->u.binary.labels, &e->u.binary.n_labels))
            return false;
        if (at(p, TOK_GROUP_LEFT) || at(p, TOK_GROUP_RIGHT)) {
            e->u.binary.card = at(p, TOK_GROUP_LEFT) ? PQ_MANY_TO_ONE : PQ_ONE_TO_MANY;
            advance(p);
            if (at(p, TOK_LPAREN) && !parse_labels(p, &e->u.binary.include, &e->u.binary.n_include))
                return false;
        }
    }
    return !p->failed;
}

static node *parse_expr(struct parser *p, int min_prec) {
    if (too_deep(p))
        return NULL;
    node *lhs = parse_unary(p);
    for (int prec; lhs && !p->failed && (prec = binary_prec(p)) != PREC_NONE && prec >= min_prec;) {
        node *e = node_new(p, PQ_BINARY, lhs->start);
        if (!e)
            return NULL;
        e->u.binary.op = p->cur.op;
        e->u.binary.has_matching = true;
        advance(p);
        if (!parse_matching(p, e))
            return NULL;
        node *rhs = parse_expr(p, prec == PREC_POW ? prec : prec + 1);
        if (!rhs)
            return NULL;
        e->u.binary.lhs = lhs;
        e->u.binary.rhs = rhs;
        e->end = rhs->end;
        if (!adopt(p, e, lhs) || !adopt(p, e, rhs))
            return NULL;
        lhs = e;
    }
    p->depth--;
    return p->failed ? NULL : lhs;
}

struct promql_expr *promql_parse(struct str text, unsigned features, struct arena *a,
                                 struct err *err) {
    if (text.n > LIMIT_QUERY_BYTES) {
        err_set(err, ERR_BAD_INPUT, "query of %zu bytes; at most %u are allowed", text.n,
                LIMIT_QUERY_BYTES);
        return NULL;
    }
    struct str copy = arena_str(a, text);
    if (!copy.p) {
        arena_err(a, err);
        return NULL;
    }
    struct parser p = {.arena = a, .features = features, .err = err};
    pq_lexer_init(&p.lex, copy);
    p.cur = pq_lex(&p.lex);
    if (p.cur.token == TOK_ERROR)
        return error_at(&p, p.lex.error_pos, "%s", p.lex.error);
    if (p.cur.token == TOK_EOF) {
        pq_error(copy, 0, err, "no expression found in input");
        return NULL;
    }
    node *e = parse_expr(&p, PREC_NONE);
    if (e && !p.failed && !at(&p, TOK_EOF))
        unexpected(&p, NULL, NULL);
    if (!e && !p.failed)
        unexpected(&p, NULL, NULL);
    if (p.failed || !pq_check(e, err))
        return NULL;
    return e;
}

enum promql_value_type promql_type(const struct promql_expr *e) {
    return e->type;
}
