/* jsonr.h - reads JSON documents (jansson underneath) with a depth cap and positions in errors.
 *
 * A document owns all its values and strings; accessors take NULL for "absent" and answer absent
 * again, so paths can be chained: jsonr_get_str(jsonr_get(root, "user"), "name"). Duplicate keys
 * are refused. Depth: LIMIT_JSON_DEPTH; size: the caller's own limit on the text. Immutable after
 * parsing; one thread. Errors: ERR_BAD_INPUT with line and column. Source: RFC 8259.
 */
#ifndef CODEC_JSONR_H
#define CODEC_JSONR_H

#include "base/err.h"
#include "base/str.h"

struct jsonr_doc;
struct jsonr; /* a value inside a document */

enum jsonr_type {
    JSONR_ABSENT,
    JSONR_NULL,
    JSONR_BOOL,
    JSONR_INT,
    JSONR_FLOAT,
    JSONR_STR,
    JSONR_ARRAY,
    JSONR_OBJECT
};

struct jsonr_doc *jsonr_parse(struct str text, struct err *err) MUST_USE; /* NULL: err is set */
void jsonr_free(struct jsonr_doc *doc);
const struct jsonr *jsonr_root(const struct jsonr_doc *doc);

enum jsonr_type jsonr_type(const struct jsonr *v);
const char *jsonr_type_name(enum jsonr_type t); /* "string", "list", ... for messages */
size_t jsonr_len(const struct jsonr *v);        /* items of an array or object, else 0 */
const struct jsonr *jsonr_at(const struct jsonr *array, size_t i);
const struct jsonr *jsonr_get(const struct jsonr *object, const char *key);

/* false: absent or another type (outputs untouched). f64 takes integers too, i64 whole floats up to
 * 2^53. A document with an integer past 63 bits has all its integers as floats. */
bool jsonr_str(const struct jsonr *v, struct str *out);
bool jsonr_i64(const struct jsonr *v, int64_t *out);
bool jsonr_f64(const struct jsonr *v, double *out);
bool jsonr_bool(const struct jsonr *v, bool *out);

/* The value of a key, or the default where it is absent or another type. */
struct str jsonr_get_str(const struct jsonr *object, const char *key); /* {NULL,0} */
int64_t jsonr_get_i64(const struct jsonr *object, const char *key, int64_t def);
bool jsonr_get_bool(const struct jsonr *object, const char *key, bool def);

/* Members of an object in no particular order:
 *   for (struct jsonr_iter it = jsonr_first(v); it.value; it = jsonr_next(it)) use(it.key,
 * it.value); */
struct jsonr_iter {
    const struct jsonr *object, *value;
    struct str key;
    void *at;
};
struct jsonr_iter jsonr_first(const struct jsonr *object);
struct jsonr_iter jsonr_next(struct jsonr_iter it);

#endif
