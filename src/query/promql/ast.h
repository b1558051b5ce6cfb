/* ast.h - the syntax tree behind promql.h. Immutable after promql_parse; everything lives in the
 * arena given to it. Inside the room only (and its tests): everybody else treats struct promql_expr
 * as opaque.
 *
 * Positions are byte offsets into the query text; durations are milliseconds.
 */
#ifndef PROMQL_AST_H
#define PROMQL_AST_H

#include "query/promql/promql.h"

enum pq_kind {
    PQ_NUMBER,
    PQ_STRING,
    PQ_SELECTOR, /* an instant vector selector */
    PQ_MATRIX,   /* a range vector selector */
    PQ_SUBQUERY,
    PQ_CALL,
    PQ_AGGREGATE,
    PQ_BINARY,
    PQ_UNARY,
    PQ_PAREN,
    PQ_DURATION /* arithmetic on durations; only under range_expr, step_expr, offset_expr */
};

/* Operators and aggregations. */
enum pq_op {
    PQ_OP_NONE,
    PQ_ADD,
    PQ_SUB,
    PQ_MUL,
    PQ_DIV,
    PQ_MOD,
    PQ_POW,
    PQ_ATAN2,
    PQ_EQLC,
    PQ_NEQ,
    PQ_LTE,
    PQ_LSS,
    PQ_GTE,
    PQ_GTR,
    PQ_AND,
    PQ_OR,
    PQ_UNLESS,
    PQ_STEP, /* durations: step(), min(), max() */
    PQ_DMIN,
    PQ_DMAX,
    PQ_AVG,
    PQ_BOTTOMK,
    PQ_COUNT,
    PQ_COUNT_VALUES,
    PQ_GROUP,
    PQ_MAX,
    PQ_MIN,
    PQ_QUANTILE,
    PQ_STDDEV,
    PQ_STDVAR,
    PQ_SUM,
    PQ_TOPK,
    PQ_LIMITK,
    PQ_LIMIT_RATIO
};

enum pq_card { PQ_ONE_TO_ONE, PQ_MANY_TO_ONE, PQ_ONE_TO_MANY, PQ_MANY_TO_MANY };
enum pq_at { PQ_AT_NONE, PQ_AT_TIME, PQ_AT_START, PQ_AT_END };

struct pq_time_mods { /* @ and offset, of a selector or subquery */
    int64_t offset_ms;
    struct promql_expr *offset_expr; /* NULL: none */
    enum pq_at at;
    int64_t at_ms;
};

struct pq_function; /* functions.h */

struct promql_expr {
    enum pq_kind kind;
    enum promql_value_type type;
    uint32_t start, end; /* bytes in `text` */
    bool step_invariant; /* the same at every step */
    uint32_t height;     /* of the tree below; bounded, so that recursion over it is */
    struct str text;     /* the whole query */
    union {
        struct {
            double value;
            bool is_duration; /* was written as one: printed as one */
        } number;
        struct str string;
        struct {
            struct str name; /* when written in front of the braces */
            struct matcher *matchers;
            size_t n_matchers;
            struct pq_time_mods mods;
            bool anchored, smoothed, bypass_empty_check;
            bool stats; /* only count and sum of native histograms are looked at above */
        } selector;
        struct {
            struct promql_expr *selector, *range_expr;
            int64_t range_ms;
        } matrix;
        struct {
            struct promql_expr *expr, *range_expr, *step_expr;
            int64_t range_ms, step_ms; /* step_ms 0: the default */
            struct pq_time_mods mods;
        } subquery;
        struct {
            const struct pq_function *fn;
            struct promql_expr **args;
            size_t n_args;
        } call;
        struct {
            enum pq_op op;
            struct promql_expr *expr, *param;
            struct str *grouping;
            size_t n_grouping;
            bool without;
        } aggregate;
        struct {
            enum pq_op op;
            struct promql_expr *lhs, *rhs;
            bool return_bool, has_matching, on;
            enum pq_card card;
            struct str *labels, *include;
            size_t n_labels, n_include;
        } binary;
        struct {
            enum pq_op op;
            struct promql_expr *expr;
        } unary;
        struct promql_expr *paren;
        struct {
            enum pq_op op;
            struct promql_expr *lhs, *rhs;
            bool wrapped;
        } duration;
    } u;
};

const char *pq_op_name(enum pq_op op); /* "+", "sum", ... */
static inline bool pq_op_is_comparison(enum pq_op op) {
    return op >= PQ_EQLC && op <= PQ_GTR;
}
static inline bool pq_op_is_set(enum pq_op op) {
    return op >= PQ_AND && op <= PQ_UNLESS;
}
static inline bool pq_op_is_aggregate(enum pq_op op) {
    return op >= PQ_AVG;
}
static inline bool pq_op_has_param(enum pq_op op) {
    return op == PQ_TOPK || op == PQ_BOTTOMK || op == PQ_COUNT_VALUES || op == PQ_QUANTILE ||
           op == PQ_LIMITK || op == PQ_LIMIT_RATIO;
}
const char *pq_type_name(enum promql_value_type t);       /* "vector" */
const char *pq_type_documented(enum promql_value_type t); /* "instant vector" */
static inline struct promql_expr *pq_unparen(struct promql_expr *e) {
    while (e && e->kind == PQ_PAREN)
        e = e->u.paren;
    return e;
}

/* "3:14": line and column of a byte offset, 1-based, columns in bytes. */
void pq_position(struct str text, uint32_t at, uint32_t *out_line, uint32_t *out_column);
/* A Go-style quoted string: "..." with escapes, printable UTF-8 kept. */
void pq_quote(struct buf *b, struct str s);
/* Undoes ', " and ` quoting as Go does, quotes included in s. False: not well-formed. */
bool pq_unquote(struct str s, struct arena *a, struct str *out);

/* check.c: types and the rules that need them; sets type and step_invariant. */
bool pq_check(struct promql_expr *root, struct err *err) MUST_USE;
/* "1:5: parse error: ..." with line and column set. Returns false. */
bool pq_error(struct str text, uint32_t at, struct err *err, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

#endif
