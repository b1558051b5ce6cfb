/* promql.h - PromQL as Prometheus 3.x has it: parse, print, evaluate. PURE: no clock, no system
 * call, no thread; series come through a model/reader.h reader, "now" and the deadline through the
 * caller.
 *
 * Source: https://prometheus.io/docs/prometheus/latest/querying/ and the public promqltest scripts.
 */
#ifndef PROMQL_PROMQL_H
#define PROMQL_PROMQL_H

#include "model/reader.h"

/* Experimental features (query.promql.features); none by default. */
enum promql_feature {
    PROMQL_EXPERIMENTAL_FUNCTIONS = 1 << 0,
    PROMQL_DURATION_EXPRESSION = 1 << 1,
    PROMQL_EXTENDED_VECTORS = 1 << 2, /* anchored, smoothed */
    PROMQL_DELAYED_NAME_REMOVAL = 1 << 3,
    PROMQL_TYPE_AND_UNIT_LABELS = 1 << 4,
    PROMQL_AT_MODIFIER_AND_NEGATIVE_OFFSET = 0, /* always on in 3.x */
    PROMQL_ALL_FEATURES = (1 << 5) - 1
};

struct promql_expr; /* an immutable syntax tree (ast.h), in the arena given to promql_parse */

enum promql_value_type { PROMQL_NONE, PROMQL_SCALAR, PROMQL_STRING, PROMQL_VECTOR, PROMQL_MATRIX };

/* Error: ERR_BAD_INPUT, message as Prometheus words it ("1:5: parse error: ..."), line and column
 * set. */
struct promql_expr *promql_parse(struct str text, unsigned features, struct arena *a,
                                 struct err *err) MUST_USE;
enum promql_value_type promql_type(const struct promql_expr *e);
void promql_print(const struct promql_expr *e,
                  struct buf *out); /* canonical one-line form (Expr.String()) */
void promql_pretty(const struct promql_expr *e, struct buf *out); /* as /api/v1/format_query */
void promql_ast_json(const struct promql_expr *e,
                     struct buf *out); /* as /api/v1/parse_query "data" */
/* Calls fn for every vector selector in the tree (rules find their inputs, UI its metrics). */
void promql_selectors(const struct promql_expr *e,
                      void (*fn)(void *arg, const struct matcher *m, size_t n, int64_t range_ms),
                      void *arg);

/* Annotations: things to tell that are not errors. Prometheus's texts; deduplicated. */
struct promql_notes {
    struct str *warnings,
        *infos; /* in the query's arena; full text with position suffix as Prometheus */
    size_t n_warnings, n_infos;
};

struct promql_options {
    unsigned features;
    int64_t lookback_ms;     /* 0: 5 minutes */
    int64_t default_step_ms; /* subquery step when none is given; 0: 1 minute */
    size_t samples_max; /* 0: LIMIT_QUERY_SAMPLES; over it: ERR_EXECUTION "query processing would
                           load too many samples into memory in query execution" */
    size_t memory_max;  /* 0: LIMIT_QUERY_MEMORY_BYTES */
    const _Atomic bool *canceled; /* may be NULL: ERR_CANCELED */
    int64_t (*mono_ms)(void *arg);
    void *mono_arg;           /* may be NULL: no deadline */
    int64_t deadline_mono_ms; /* ERR_TIMEOUT past it */
};

struct promql_point {
    int64_t ts_ms;
    double value;
    const struct fhist *hist; /* NULL: float */
};
struct promql_series {
    struct labels labels;
    struct promql_point *points; /* a vector has exactly one */
    size_t n;
};
struct promql_result { /* everything in `arena`; promql_result_deinit frees */
    enum promql_value_type type;
    double scalar;
    int64_t ts_ms; /* scalar, string */
    struct str string;
    struct promql_series
        *series; /* vector: in result order (sort, topk keep theirs); matrix: sorted by labels */
    size_t n_series;
    struct promql_notes notes;
    uint64_t samples_read, peak_samples; /* for stats=all */
    struct arena arena;
};

/* start == end and step == 0: an instant query. Otherwise a range query whose result is a matrix
 * (scalars become a matrix too, as in Prometheus). Errors: ERR_EXECUTION, ERR_TIMEOUT,
 * ERR_CANCELED. */
bool promql_eval(const struct promql_expr *e, const struct reader *reader, int64_t start_ms,
                 int64_t end_ms, int64_t step_ms, const struct promql_options *opt,
                 struct promql_result *out, struct err *err) MUST_USE;
void promql_result_deinit(struct promql_result *r);

#endif
