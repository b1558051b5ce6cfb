/* Types, and the rules that need them (what Prometheus's parser checks after the syntax). */
#include "query/promql/functions.h"

static bool check(struct promql_expr *e, struct err *err);

static bool expect(struct promql_expr *e, enum promql_value_type want, const char *context,
                   struct err *err) {
    if (!check(e, err))
        return false;
    if (e->type != want)
        return pq_error(e->text, e->start, err, "expected type %s in %s, got %s",
                        pq_type_documented(want), context, pq_type_documented(e->type));
    return true;
}

static bool check_aggregate(struct promql_expr *e, struct err *err) {
    enum pq_op op = e->u.aggregate.op;
    e->type = PROMQL_VECTOR;
    if (!expect(e->u.aggregate.expr, PROMQL_VECTOR, "aggregation expression", err))
        return false;
    e->step_invariant = e->u.aggregate.expr->step_invariant;
    if (!pq_op_has_param(op))
        return true;
    bool ok = expect(e->u.aggregate.param, op == PQ_COUNT_VALUES ? PROMQL_STRING : PROMQL_SCALAR,
                     "aggregation parameter", err);
    e->step_invariant = e->step_invariant && e->u.aggregate.param->step_invariant;
    return ok;
}

static uint32_t op_start(const struct promql_expr *e) {
    uint32_t at = e->u.binary.lhs->end;
    while (at < e->text.n && memchr(" \t\n\r", e->text.p[at], 4))
        at++;
    return at;
}

static bool check_matching(struct promql_expr *e, struct err *err) {
    enum promql_value_type lt = e->u.binary.lhs->type, rt = e->u.binary.rhs->type;
    enum pq_op op = e->u.binary.op;
    if (lt != PROMQL_SCALAR && lt != PROMQL_VECTOR)
        return pq_error(e->text, e->u.binary.lhs->start, err,
                        "binary expression must contain only scalar and instant vector types");
    if (rt != PROMQL_SCALAR && rt != PROMQL_VECTOR)
        return pq_error(e->text, e->u.binary.rhs->start, err,
                        "binary expression must contain only scalar and instant vector types");
    if (lt != PROMQL_VECTOR || rt != PROMQL_VECTOR) {
        if (e->u.binary.n_labels)
            return pq_error(e->text, e->start, err,
                            "vector matching only allowed between instant vectors");
        e->u.binary.has_matching = false;
        if (pq_op_is_set(op))
            return pq_error(e->text, e->start, err,
                            "set operator \"%s\" not allowed in binary scalar expression",
                            pq_op_name(op));
    } else if (pq_op_is_set(op) && e->u.binary.card != PQ_MANY_TO_MANY) {
        return pq_error(e->text, e->start, err, "no grouping allowed for \"%s\" operation",
                        pq_op_name(op));
    }
    return true;
}

static bool check_binary(struct promql_expr *e, struct err *err) {
    struct promql_expr *l = e->u.binary.lhs, *r = e->u.binary.rhs;
    enum pq_op op = e->u.binary.op;
    if (!check(l, err) || !check(r, err))
        return false;
    e->type = l->type == PROMQL_SCALAR && r->type == PROMQL_SCALAR ? PROMQL_SCALAR : PROMQL_VECTOR;
    e->step_invariant = l->step_invariant && r->step_invariant;
    if (e->u.binary.return_bool && !pq_op_is_comparison(op))
        return pq_error(e->text, op_start(e), err,
                        "bool modifier can only be used on comparison operators");
    if (pq_op_is_comparison(op) && !e->u.binary.return_bool && e->type == PROMQL_SCALAR)
        return pq_error(e->text, op_start(e), err,
                        "comparisons between scalars must use BOOL modifier");
    if (pq_op_is_set(op) && e->u.binary.card == PQ_ONE_TO_ONE)
        e->u.binary.card = PQ_MANY_TO_MANY;
    for (size_t i = 0; e->u.binary.on && i < e->u.binary.n_labels; i++)
        for (size_t k = 0; k < e->u.binary.n_include; k++)
            if (str_eq(e->u.binary.labels[i], e->u.binary.include[k]))
                return pq_error(e->text, op_start(e), err,
                                "label \"%.*s\" must not occur in ON and GROUP clause at once",
                                STR_FMT(e->u.binary.labels[i]));
    return check_matching(e, err);
}

static bool check_arg_count(struct promql_expr *e, struct err *err) {
    const struct pq_function *fn = e->u.call.fn;
    size_t n = e->u.call.n_args;
    if (fn->variadic == 0) {
        if (n != fn->n_args)
            return pq_error(e->text, e->start, err,
                            "expected %zu argument(s) in call to \"%s\", got %zu", fn->n_args,
                            fn->name, n);
        return true;
    }
    size_t least = fn->n_args - 1;
    if (n < least)
        return pq_error(e->text, e->start, err,
                        "expected at least %zu argument(s) in call to \"%s\", got %zu", least,
                        fn->name, n);
    if (fn->variadic > 0 && n > least + (size_t)fn->variadic)
        return pq_error(e->text, e->start, err,
                        "expected at most %zu argument(s) in call to \"%s\", got %zu",
                        least + (size_t)fn->variadic, fn->name, n);
    return true;
}

static bool check_call(struct promql_expr *e, struct err *err) {
    const struct pq_function *fn = e->u.call.fn;
    e->type = fn->returns;
    e->step_invariant = !fn->unsafe;
    if (!check_arg_count(e, err))
        return false;
    if (fn->id == PQ_FN_info && e->u.call.n_args > 1) {
        struct promql_expr *s = e->u.call.args[1];
        if (s->kind != PQ_SELECTOR)
            return pq_error(e->text, s->start, err, "expected label selectors only");
        if (s->u.selector.name.n)
            return pq_error(e->text, s->start, err,
                            "expected label selectors only, got vector selector instead");
        s->u.selector.bypass_empty_check = true;
    }
    for (size_t i = 0; i < e->u.call.n_args; i++) {
        struct promql_expr *arg = e->u.call.args[i];
        enum promql_value_type want = fn->args[i < fn->n_args ? i : fn->n_args - 1];
        if (!check(arg, err))
            return false;
        if (arg->type != want)
            return pq_error(e->text, arg->start, err,
                            "expected type %s in call to function \"%s\", got %s",
                            pq_type_documented(want), fn->name, pq_type_documented(arg->type));
        e->step_invariant = e->step_invariant && arg->step_invariant;
    }
    return true;
}

static bool check_selector(struct promql_expr *e, struct err *err) {
    e->type = PROMQL_VECTOR;
    e->step_invariant = e->u.selector.mods.at != PQ_AT_NONE;
    size_t n = e->u.selector.n_matchers;
    const struct matcher *m = e->u.selector.matchers;
    if (e->u.selector.name.n) {
        for (size_t i = 0; i + 1 < n; i++)
            if (str_eq(m[i].name, STR(LABEL_NAME)))
                return pq_error(e->text, e->start, err,
                                "metric name must not be set twice: \"%.*s\" or \"%.*s\"",
                                STR_FMT(e->u.selector.name), STR_FMT(m[i].value));
        return true;
    }
    if (e->u.selector.bypass_empty_check)
        return true;
    for (size_t i = 0; i < n; i++)
        if (!matcher_matches(&m[i], (struct str){NULL, 0}))
            return true;
    return pq_error(e->text, e->start, err,
                    "vector selector must contain at least one non-empty matcher");
}

static bool check(struct promql_expr *e, struct err *err) {
    switch (e->kind) {
    case PQ_NUMBER:
    case PQ_DURATION:
        e->type = PROMQL_SCALAR;
        e->step_invariant = true;
        return true;
    case PQ_STRING:
        e->type = PROMQL_STRING;
        e->step_invariant = true;
        return true;
    case PQ_SELECTOR:
        return check_selector(e, err);
    case PQ_MATRIX:
        e->type = PROMQL_MATRIX;
        if (!check(e->u.matrix.selector, err))
            return false;
        e->step_invariant = e->u.matrix.selector->step_invariant;
        return true;
    case PQ_SUBQUERY:
        e->type = PROMQL_MATRIX;
        e->step_invariant = e->u.subquery.mods.at != PQ_AT_NONE;
        if (!check(e->u.subquery.expr, err))
            return false;
        if (e->u.subquery.expr->type != PROMQL_VECTOR)
            return pq_error(e->text, e->start, err,
                            "subquery is only allowed on instant vector, got %s instead",
                            pq_type_name(e->u.subquery.expr->type));
        return true;
    case PQ_CALL:
        return check_call(e, err);
    case PQ_AGGREGATE:
        return check_aggregate(e, err);
    case PQ_BINARY:
        return check_binary(e, err);
    case PQ_UNARY:
        if (!check(e->u.unary.expr, err))
            return false;
        e->type = e->u.unary.expr->type;
        e->step_invariant = e->u.unary.expr->step_invariant;
        if (e->type != PROMQL_SCALAR && e->type != PROMQL_VECTOR)
            return pq_error(e->text, e->start, err,
                            "unary expression only allowed on expressions of type scalar or "
                            "instant vector, got \"%s\"",
                            pq_type_documented(e->type));
        return true;
    case PQ_PAREN:
        if (!check(e->u.paren, err))
            return false;
        e->type = e->u.paren->type;
        e->step_invariant = e->u.paren->step_invariant;
        return true;
    }
    return true;
}

/* Marks the selectors of which only histogram_count, _sum or _avg is asked: buckets need not be
 * copied, and resets are found between neighbours, as Prometheus does for them. A function of
 * buckets or a subquery above forbids it. */
static void mark_stats(struct promql_expr *e, bool stats, bool never) {
    switch (e->kind) {
    case PQ_SELECTOR:
        e->u.selector.stats = stats && !never;
        break;
    case PQ_MATRIX:
        mark_stats(e->u.matrix.selector, stats, never);
        break;
    case PQ_SUBQUERY:
        mark_stats(e->u.subquery.expr, false, true);
        break;
    case PQ_CALL: {
        enum pq_fn id = e->u.call.fn->id;
        stats |=
            id == PQ_FN_histogram_count || id == PQ_FN_histogram_sum || id == PQ_FN_histogram_avg;
        never |= id == PQ_FN_histogram_quantile || id == PQ_FN_histogram_fraction;
        for (size_t i = 0; i < e->u.call.n_args; i++)
            mark_stats(e->u.call.args[i], stats, never);
        break;
    }
    case PQ_AGGREGATE:
        if (e->u.aggregate.param)
            mark_stats(e->u.aggregate.param, stats, never);
        mark_stats(e->u.aggregate.expr, stats, never);
        break;
    case PQ_BINARY:
        mark_stats(e->u.binary.lhs, stats, never);
        mark_stats(e->u.binary.rhs, stats, never);
        break;
    case PQ_UNARY:
        mark_stats(e->u.unary.expr, stats, never);
        break;
    case PQ_PAREN:
        mark_stats(e->u.paren, stats, never);
        break;
    case PQ_NUMBER:
    case PQ_STRING:
    case PQ_DURATION:
        break;
    }
}

bool pq_check(struct promql_expr *root, struct err *err) {
    if (!check(root, err))
        return false;
    mark_stats(root, false, false);
    return true;
}
