/* The canonical one-line form: what Prometheus's Expr.String() gives. */
#include "base/timev.h"
#include "query/promql/functions.h"

#include <math.h>
#include <stdlib.h>

static void print(const struct promql_expr *e, struct buf *b);

/* Sort key of a matcher in print order: its own text. */
static int by_text(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void print_matcher(struct buf *b, const struct matcher *m) {
    static const char *const op[] = {"=", "!=", "=~", "!~"};
    if (label_name_is_legacy(m->name))
        buf_puts(b, m->name);
    else
        pq_quote(b, m->name);
    buf_putz(b, op[m->type]);
    pq_quote(b, m->value);
}

static void print_labels(struct buf *b, const struct str *v, size_t n, bool quote) {
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_putz(b, ", ");
        if (quote && !metric_name_is_legacy(v[i]))
            pq_quote(b, v[i]);
        else
            buf_puts(b, v[i]);
    }
}

static void print_at(struct buf *b, const struct pq_time_mods *m) {
    if (m->at == PQ_AT_TIME)
        buf_printf(b, " @ %.3f", (double)m->at_ms / 1000);
    else if (m->at == PQ_AT_START)
        buf_putz(b, " @ start()");
    else if (m->at == PQ_AT_END)
        buf_putz(b, " @ end()");
}

static void print_offset(struct buf *b, const struct pq_time_mods *m) {
    if (m->offset_expr) {
        buf_putz(b, " offset ");
        print(m->offset_expr, b);
    } else if (m->offset_ms) {
        buf_putz(b, " offset ");
        duration_format(b, m->offset_ms);
    }
}

static void print_extended(struct buf *b, const struct promql_expr *s) {
    if (s->u.selector.anchored)
        buf_putz(b, " anchored");
    else if (s->u.selector.smoothed)
        buf_putz(b, " smoothed");
}

static void print_selector_core(const struct promql_expr *e, struct buf *b) {
    size_t n = e->u.selector.n_matchers, kept = 0;
    struct buf text = BUF_INIT;
    struct str *parts = calloc(n + 1, sizeof(*parts));
    size_t *ends = calloc(n + 1, sizeof(*ends));
    buf_puts(b, e->u.selector.name);
    if (!parts || !ends)
        b->failed = true;
    for (size_t i = 0; i < n && parts && ends; i++) {
        const struct matcher *m = &e->u.selector.matchers[i];
        if (m->type == MATCH_EQ && m->value.n && str_eq(m->name, STR(LABEL_NAME)) &&
            str_eq(m->value, e->u.selector.name))
            continue;
        print_matcher(&text, m);
        ends[kept++] = text.n;
    }
    if (!buf_ok(&text))
        b->failed = true;
    for (size_t i = 0; i < kept && buf_ok(&text); i++)
        parts[i] = str_make(text.p + (i ? ends[i - 1] : 0), ends[i] - (i ? ends[i - 1] : 0));
    if (kept && buf_ok(&text)) {
        qsort(parts, kept, sizeof(*parts), by_text);
        buf_putc(b, '{');
        for (size_t i = 0; i < kept; i++) {
            if (i)
                buf_putc(b, ',');
            buf_puts(b, parts[i]);
        }
        buf_putc(b, '}');
    }
    free(parts);
    free(ends);
    buf_deinit(&text);
}

static void print_range(struct buf *b, int64_t ms, const struct promql_expr *expr) {
    if (expr)
        print(expr, b);
    else
        duration_format(b, ms);
}

static void print_binary_op(const struct promql_expr *e, struct buf *b) {
    buf_putz(b, pq_op_name(e->u.binary.op));
    if (e->u.binary.return_bool)
        buf_putz(b, " bool");
    if (!e->u.binary.has_matching)
        return;
    bool grouped = e->u.binary.card == PQ_MANY_TO_ONE || e->u.binary.card == PQ_ONE_TO_MANY;
    if (e->u.binary.n_labels || e->u.binary.on || grouped) {
        buf_putz(b, e->u.binary.on ? " on (" : " ignoring (");
        print_labels(b, e->u.binary.labels, e->u.binary.n_labels, false);
        buf_putc(b, ')');
    }
    if (grouped) {
        buf_putz(b, e->u.binary.card == PQ_MANY_TO_ONE ? " group_left (" : " group_right (");
        print_labels(b, e->u.binary.include, e->u.binary.n_include, false);
        buf_putc(b, ')');
    }
}

static void print_aggregate_op(const struct promql_expr *e, struct buf *b) {
    buf_putz(b, pq_op_name(e->u.aggregate.op));
    if (!e->u.aggregate.without && !e->u.aggregate.n_grouping)
        return;
    buf_putz(b, e->u.aggregate.without ? " without (" : " by (");
    print_labels(b, e->u.aggregate.grouping, e->u.aggregate.n_grouping, true);
    buf_putz(b, ") ");
}

static void print_duration(const struct promql_expr *e, struct buf *b) {
    enum pq_op op = e->u.duration.op;
    if (e->u.duration.wrapped)
        buf_putc(b, '(');
    if (op == PQ_STEP) {
        buf_putz(b, "step()");
    } else if (op == PQ_DMIN || op == PQ_DMAX) {
        buf_printf(b, "%s(", pq_op_name(op));
        print(e->u.duration.lhs, b);
        buf_putz(b, ", ");
        print(e->u.duration.rhs, b);
        buf_putc(b, ')');
    } else if (!e->u.duration.lhs) {
        buf_putc(b, '-');
        print(e->u.duration.rhs, b);
    } else {
        print(e->u.duration.lhs, b);
        buf_printf(b, " %s ", pq_op_name(op));
        print(e->u.duration.rhs, b);
    }
    if (e->u.duration.wrapped)
        buf_putc(b, ')');
}

static void print_number(const struct promql_expr *e, struct buf *b) {
    double v = e->u.number.value;
    if (e->u.number.is_duration)
        duration_format(b, (int64_t)round(v * 1000));
    else
        buf_f64(b, v);
}

static void print_subquery_suffix(const struct promql_expr *e, struct buf *b) {
    buf_putc(b, '[');
    print_range(b, e->u.subquery.range_ms, e->u.subquery.range_expr);
    buf_putc(b, ':');
    if (e->u.subquery.step_ms || e->u.subquery.step_expr)
        print_range(b, e->u.subquery.step_ms, e->u.subquery.step_expr);
    buf_putc(b, ']');
    print_at(b, &e->u.subquery.mods);
    print_offset(b, &e->u.subquery.mods);
}

static void print(const struct promql_expr *e, struct buf *b) {
    switch (e->kind) {
    case PQ_NUMBER:
        print_number(e, b);
        break;
    case PQ_STRING:
        pq_quote(b, e->u.string);
        break;
    case PQ_SELECTOR:
        print_selector_core(e, b);
        print_at(b, &e->u.selector.mods);
        print_extended(b, e);
        print_offset(b, &e->u.selector.mods);
        break;
    case PQ_MATRIX:
        print_selector_core(e->u.matrix.selector, b);
        buf_putc(b, '[');
        print_range(b, e->u.matrix.range_ms, e->u.matrix.range_expr);
        buf_putc(b, ']');
        print_extended(b, e->u.matrix.selector);
        print_at(b, &e->u.matrix.selector->u.selector.mods);
        print_offset(b, &e->u.matrix.selector->u.selector.mods);
        break;
    case PQ_SUBQUERY:
        print(e->u.subquery.expr, b);
        print_subquery_suffix(e, b);
        break;
    case PQ_CALL:
        buf_printf(b, "%s(", e->u.call.fn->name);
        for (size_t i = 0; i < e->u.call.n_args; i++) {
            if (i)
                buf_putz(b, ", ");
            print(e->u.call.args[i], b);
        }
        buf_putc(b, ')');
        break;
    case PQ_AGGREGATE:
        print_aggregate_op(e, b);
        buf_putc(b, '(');
        if (e->u.aggregate.param) {
            print(e->u.aggregate.param, b);
            buf_putz(b, ", ");
        }
        print(e->u.aggregate.expr, b);
        buf_putc(b, ')');
        break;
    case PQ_BINARY:
        print(e->u.binary.lhs, b);
        buf_putc(b, ' ');
        print_binary_op(e, b);
        buf_putc(b, ' ');
        print(e->u.binary.rhs, b);
        break;
    case PQ_UNARY:
        buf_putz(b, pq_op_name(e->u.unary.op));
        print(e->u.unary.expr, b);
        break;
    case PQ_PAREN:
        buf_putc(b, '(');
        print(e->u.paren, b);
        buf_putc(b, ')');
        break;
    case PQ_DURATION:
        print_duration(e, b);
        break;
    }
}

void promql_print(const struct promql_expr *e, struct buf *out) {
    print(e, out);
}

/* The readable form: one line while it fits, else one level a line. */

enum { LINE_MAX_BYTES = 100 };

static void indent(struct buf *b, int level) {
    for (int i = 0; i < level; i++)
        buf_putz(b, "  ");
}

static bool fits(const struct promql_expr *e) {
    struct buf b = BUF_INIT;
    print(e, &b);
    bool yes = b.n <= LINE_MAX_BYTES;
    buf_deinit(&b);
    return yes;
}

static void pretty(const struct promql_expr *e, struct buf *b, int level);

static void pretty_call(const struct promql_expr *e, struct buf *b, int level) {
    indent(b, level);
    buf_printf(b, "%s(\n", e->u.call.fn->name);
    for (size_t i = 0; i < e->u.call.n_args; i++) {
        if (i)
            buf_putz(b, ",\n");
        pretty(e->u.call.args[i], b, level + 1);
    }
    buf_putc(b, '\n');
    indent(b, level);
    buf_putc(b, ')');
}

static void pretty_aggregate(const struct promql_expr *e, struct buf *b, int level) {
    indent(b, level);
    print_aggregate_op(e, b);
    buf_putz(b, "(\n");
    if (e->u.aggregate.param) {
        pretty(e->u.aggregate.param, b, level + 1);
        buf_putz(b, ",\n");
    }
    pretty(e->u.aggregate.expr, b, level + 1);
    buf_putc(b, '\n');
    indent(b, level);
    buf_putc(b, ')');
}

static void pretty_split(const struct promql_expr *e, struct buf *b, int level) {
    switch ((int)e->kind) {
    case PQ_CALL:
        pretty_call(e, b, level);
        break;
    case PQ_AGGREGATE:
        pretty_aggregate(e, b, level);
        break;
    case PQ_BINARY:
        pretty(e->u.binary.lhs, b, level + 1);
        buf_putc(b, '\n');
        indent(b, level);
        print_binary_op(e, b);
        buf_putc(b, '\n');
        pretty(e->u.binary.rhs, b, level + 1);
        break;
    case PQ_PAREN:
        indent(b, level);
        buf_putz(b, "(\n");
        pretty(e->u.paren, b, level + 1);
        buf_putc(b, '\n');
        indent(b, level);
        buf_putc(b, ')');
        break;
    case PQ_SUBQUERY:
        pretty(e->u.subquery.expr, b, level);
        print_subquery_suffix(e, b);
        break;
    default:
        indent(b, level);
        print(e, b);
        break;
    }
}

static void pretty_unary(const struct promql_expr *e, struct buf *b, int level) {
    struct buf child = BUF_INIT;
    pretty(e->u.unary.expr, &child, level);
    indent(b, level);
    buf_putz(b, pq_op_name(e->u.unary.op));
    buf_puts(b, str_trim(buf_view(&child)));
    if (!buf_ok(&child))
        b->failed = true;
    buf_deinit(&child);
}

static void pretty(const struct promql_expr *e, struct buf *b, int level) {
    if (e->kind == PQ_UNARY) {
        pretty_unary(e, b, level);
    } else if (fits(e)) {
        if (e->kind != PQ_SUBQUERY)
            indent(b, level);
        print(e, b);
    } else {
        pretty_split(e, b, level);
    }
}

void promql_pretty(const struct promql_expr *e, struct buf *out) {
    pretty(e, out, 0);
}
