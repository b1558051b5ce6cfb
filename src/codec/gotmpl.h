/* gotmpl.h - the text templates of Prometheus and Alertmanager (a subset of Go's text/template with
 * their functions), for alert labels, annotations and notification texts. PURE: "now", queries and
 * link addresses come through struct gotmpl_env.
 *
 * Supported: actions, pipelines, parentheses, variables (:= and =), if/else if/else, range/else
 * with break and continue, with/else, define, template, block, comments, trim markers; the builtins
 * and or not len index slice print printf println html js urlquery eq ne lt le gt ge; the functions
 * of https://prometheus.io/docs/prometheus/latest/configuration/template_reference/ and
 * Alertmanager's join, stringSlice, trimSpace. Missing keys of a map are the zero value (""), as
 * Prometheus sets it. Unlike Go, an integer and a float compare as numbers. Not supported: methods
 * of Go's types, complex numbers, call.
 *
 * Everything is allocated in the arena given; text, data and env are borrowed during the call.
 * Hostile templates end with an error: nesting, steps, output and queries are bounded.
 */
#ifndef CODEC_GOTMPL_H
#define CODEC_GOTMPL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define GOTMPL_NESTING_MAX 64               /* of blocks, parentheses and template calls */
#define GOTMPL_STEPS_MAX 200000             /* actions executed in one expansion */
#define GOTMPL_OUTPUT_BYTES_MAX (64u << 10) /* default cap: an annotation is read by a person */
#define GOTMPL_QUERIES_MAX 16               /* `query` calls of one expansion */

enum gotmpl_type {
    GOTMPL_NIL,
    GOTMPL_BOOL,
    GOTMPL_INT,
    GOTMPL_FLOAT,
    GOTMPL_STR,
    GOTMPL_LIST,
    GOTMPL_MAP,
    GOTMPL_TIME
};

struct gotmpl_value {
    enum gotmpl_type type;
    bool b;
    int64_t i; /* GOTMPL_INT; GOTMPL_TIME: Unix ms */
    double f;
    struct str s;
    struct gotmpl_value *items; /* GOTMPL_LIST: n items; GOTMPL_MAP: n values parallel to keys */
    struct str *keys;           /* GOTMPL_MAP; sorted bytewise for range */
    size_t n;
    bool strict; /* GOTMPL_MAP that stands for a struct: an unknown field is an error, not "" */
};

/* Makers. Maps are built with room for `cap` keys; putting a key twice keeps the last. */
struct gotmpl_value gotmpl_str(struct str s);
struct gotmpl_value gotmpl_float(double f);
struct gotmpl_value gotmpl_int(int64_t i);
struct gotmpl_value gotmpl_bool(bool b);
struct gotmpl_value gotmpl_map(struct arena *a, size_t cap); /* GOTMPL_NIL when memory is out */
void gotmpl_map_put(struct gotmpl_value *map, struct str key, struct gotmpl_value v);
struct gotmpl_value gotmpl_list(struct arena *a, size_t n); /* n nil items to fill */
/* A query's sample: a map with Labels and Value, as `query` yields a list of. */
struct gotmpl_value gotmpl_sample(struct arena *a, struct gotmpl_value labels, double value);

struct gotmpl_env {
    struct str external_url, path_prefix;
    int64_t now_ms;
    /* An instant query: fills *out with a list of samples. NULL: `query` is an error. */
    bool (*query)(void *self, struct str expr, struct arena *a, struct gotmpl_value *out,
                  struct err *err);
    void *self;
    struct gotmpl_value vars; /* a map of variables that stand from the start ("$labels"), or nil */
    size_t output_max;        /* bytes; 0: GOTMPL_OUTPUT_BYTES_MAX */
};

/* Parses only: what `config check` needs. Error: ERR_BAD_INPUT with line and column. */
bool gotmpl_check(struct str text, struct err *err) MUST_USE;
/* Expands. `dot` is "." and "$". Errors: ERR_BAD_INPUT (template), ERR_TOO_LARGE (a cap), or what
 * query gave. */
bool gotmpl_expand(struct str text, const struct gotmpl_value *dot, const struct gotmpl_env *env,
                   struct arena *a, struct str *out, struct err *err) MUST_USE;
bool gotmpl_truth(const struct gotmpl_value *v);
void gotmpl_print(struct buf *b, const struct gotmpl_value *v); /* as Go's fmt.Print */

#endif
