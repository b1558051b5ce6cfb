#include "query/promql/functions.h"

#include <stdlib.h>

#define PQ_COUNT_ARGS(...)                                                                         \
    (sizeof((enum promql_value_type[]){PROMQL_NONE, ##__VA_ARGS__}) / sizeof(int) - 1)
static const struct pq_function functions[] = {
#define X(fname, ret, var, exp, uns, ...)                                                          \
    {.name = #fname,                                                                               \
     .id = PQ_FN_##fname,                                                                          \
     .returns = PROMQL_##ret,                                                                      \
     .variadic = (var),                                                                            \
     .experimental = (exp),                                                                        \
     .unsafe = (uns),                                                                              \
     .args = {__VA_ARGS__},                                                                        \
     .n_args = PQ_COUNT_ARGS(__VA_ARGS__)},
    PQ_FUNCTIONS(X)
#undef X
};

/* The table is in byte order of the names. */
static int by_name(const void *key, const void *element) {
    const struct str *name = key;
    return str_cmp(*name, str_from(((const struct pq_function *)element)->name));
}

const struct pq_function *pq_function_find(struct str name) {
    return bsearch(&name, functions, sizeof(functions) / sizeof(functions[0]), sizeof(functions[0]),
                   by_name);
}
