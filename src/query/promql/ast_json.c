/* The tree as Prometheus's /api/v1/parse_query gives it ("data"), keys in alphabetical order. */
#include "query/promql/functions.h"

static void ast(const struct promql_expr *e, struct buf *b);

/* The length of the valid UTF-8 sequence of 2 to 4 bytes at s.p[i]; 0: there is none. */
static size_t rune_length(struct str s, size_t i) {
    for (size_t n = 2; n <= 4 && i + n <= s.n; n++)
        if (str_is_utf8(str_sub(s, i, n)))
            return n;
    return 0;
}

/* A string literal may hold any bytes ("\xc5"); JSON may not: U+FFFD stands for what is not UTF-8.
 */
static void json_string(struct buf *b, struct str s) {
    buf_putc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x80) {
            size_t n = rune_length(s, i);
            buf_put(b, n ? s.p + i : "\xef\xbf\xbd", n ? n : 3);
            i += n ? n - 1 : 0;
        } else if (c == '"' || c == '\\') {
            buf_putc(b, '\\');
            buf_putc(b, (char)c);
        } else if (c == '\n') {
            buf_putz(b, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(b, "\\u%04x", c);
        } else {
            buf_putc(b, (char)c);
        }
    }
    buf_putc(b, '"');
}

static void strings(struct buf *b, const struct str *v, size_t n) {
    buf_putc(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_putc(b, ',');
        json_string(b, v[i]);
    }
    buf_putc(b, ']');
}

static const char *yes_no(bool v) {
    return v ? "true" : "false";
}

static void start_or_end(struct buf *b, const struct pq_time_mods *m) {
    buf_putz(b, "\"startOrEnd\":");
    buf_putz(b, m->at == PQ_AT_START ? "\"start\"" : m->at == PQ_AT_END ? "\"end\"" : "null");
}

static void timestamp(struct buf *b, const struct pq_time_mods *m) {
    buf_putz(b, "\"timestamp\":");
    if (m->at == PQ_AT_TIME)
        buf_i64(b, m->at_ms);
    else
        buf_putz(b, "null");
}

static void selector(struct buf *b, const struct promql_expr *e, const struct promql_expr *matrix) {
    static const char *const op[] = {"=", "!=", "=~", "!~"};
    const struct promql_expr *s = e;
    buf_printf(b, "{\"anchored\":%s,\"matchers\":[", yes_no(s->u.selector.anchored));
    for (size_t i = 0; i < s->u.selector.n_matchers; i++) {
        const struct matcher *m = &s->u.selector.matchers[i];
        buf_putz(b, i ? ",{\"name\":" : "{\"name\":");
        json_string(b, m->name);
        buf_printf(b, ",\"type\":\"%s\",\"value\":", op[m->type]);
        json_string(b, m->value);
        buf_putc(b, '}');
    }
    buf_putz(b, "],\"name\":");
    json_string(b, s->u.selector.name);
    buf_printf(b, ",\"offset\":%lld", (long long)s->u.selector.mods.offset_ms);
    if (matrix)
        buf_printf(b, ",\"range\":%lld", (long long)matrix->u.matrix.range_ms);
    buf_printf(b, ",\"smoothed\":%s,", yes_no(s->u.selector.smoothed));
    start_or_end(b, &s->u.selector.mods);
    buf_putc(b, ',');
    timestamp(b, &s->u.selector.mods);
    buf_printf(b, ",\"type\":\"%s\"}", matrix ? "matrixSelector" : "vectorSelector");
}

static void subquery(struct buf *b, const struct promql_expr *e) {
    buf_putz(b, "{\"expr\":");
    ast(e->u.subquery.expr, b);
    buf_printf(b, ",\"offset\":%lld,\"range\":%lld,", (long long)e->u.subquery.mods.offset_ms,
               (long long)e->u.subquery.range_ms);
    start_or_end(b, &e->u.subquery.mods);
    buf_printf(b, ",\"step\":%lld,", (long long)e->u.subquery.step_ms);
    timestamp(b, &e->u.subquery.mods);
    buf_putz(b, ",\"type\":\"subquery\"}");
}

static void call(struct buf *b, const struct promql_expr *e) {
    const struct pq_function *fn = e->u.call.fn;
    buf_putz(b, "{\"args\":[");
    for (size_t i = 0; i < e->u.call.n_args; i++) {
        if (i)
            buf_putc(b, ',');
        ast(e->u.call.args[i], b);
    }
    buf_putz(b, "],\"func\":{\"argTypes\":[");
    for (size_t i = 0; i < fn->n_args; i++)
        buf_printf(b, "%s\"%s\"", i ? "," : "", pq_type_name(fn->args[i]));
    buf_printf(b, "],\"name\":\"%s\",\"returnType\":\"%s\",\"variadic\":%d},\"type\":\"call\"}",
               fn->name, pq_type_name(fn->returns), fn->variadic);
}

static void aggregate(struct buf *b, const struct promql_expr *e) {
    buf_putz(b, "{\"expr\":");
    ast(e->u.aggregate.expr, b);
    buf_putz(b, ",\"grouping\":");
    strings(b, e->u.aggregate.grouping, e->u.aggregate.n_grouping);
    buf_printf(b, ",\"op\":\"%s\",\"param\":", pq_op_name(e->u.aggregate.op));
    if (e->u.aggregate.param)
        ast(e->u.aggregate.param, b);
    else
        buf_putz(b, "null");
    buf_printf(b, ",\"type\":\"aggregation\",\"without\":%s}", yes_no(e->u.aggregate.without));
}

static void binary(struct buf *b, const struct promql_expr *e) {
    static const char *const card[] = {"one-to-one", "many-to-one", "one-to-many", "many-to-many"};
    buf_printf(b, "{\"bool\":%s,\"lhs\":", yes_no(e->u.binary.return_bool));
    ast(e->u.binary.lhs, b);
    buf_putz(b, ",\"matching\":");
    if (e->u.binary.has_matching) {
        buf_printf(b, "{\"card\":\"%s\",\"include\":", card[e->u.binary.card]);
        strings(b, e->u.binary.include, e->u.binary.n_include);
        buf_putz(b, ",\"labels\":");
        strings(b, e->u.binary.labels, e->u.binary.n_labels);
        buf_printf(b, ",\"on\":%s}", yes_no(e->u.binary.on));
    } else {
        buf_putz(b, "null");
    }
    buf_printf(b, ",\"op\":\"%s\",\"rhs\":", pq_op_name(e->u.binary.op));
    ast(e->u.binary.rhs, b);
    buf_putz(b, ",\"type\":\"binaryExpr\"}");
}

static void ast(const struct promql_expr *e, struct buf *b) {
    switch (e->kind) {
    case PQ_NUMBER:
    case PQ_DURATION:
        buf_putz(b, "{\"type\":\"numberLiteral\",\"val\":\"");
        buf_f64(b, e->kind == PQ_NUMBER ? e->u.number.value : 0);
        buf_putz(b, "\"}");
        break;
    case PQ_STRING:
        buf_putz(b, "{\"type\":\"stringLiteral\",\"val\":");
        json_string(b, e->u.string);
        buf_putc(b, '}');
        break;
    case PQ_SELECTOR:
        selector(b, e, NULL);
        break;
    case PQ_MATRIX:
        selector(b, e->u.matrix.selector, e);
        break;
    case PQ_SUBQUERY:
        subquery(b, e);
        break;
    case PQ_CALL:
        call(b, e);
        break;
    case PQ_AGGREGATE:
        aggregate(b, e);
        break;
    case PQ_BINARY:
        binary(b, e);
        break;
    case PQ_UNARY:
        buf_putz(b, "{\"expr\":");
        ast(e->u.unary.expr, b);
        buf_printf(b, ",\"op\":\"%s\",\"type\":\"unaryExpr\"}", pq_op_name(e->u.unary.op));
        break;
    case PQ_PAREN:
        buf_putz(b, "{\"expr\":");
        ast(e->u.paren, b);
        buf_putz(b, ",\"type\":\"parenExpr\"}");
        break;
    }
}

void promql_ast_json(const struct promql_expr *e, struct buf *out) {
    ast(e, out);
}
