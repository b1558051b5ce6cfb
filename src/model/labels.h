/* labels.h - the identity of a series: name/value pairs sorted by name (bytewise), unique names, no
 * empty values (an empty value means "no such label"), the metric name under "__name__". All of it
 * UTF-8.
 *
 * struct labels is a borrowed view; whoever made it (an arena, the store, a builder) owns the
 * bytes.
 */
#ifndef MODEL_LABELS_H
#define MODEL_LABELS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#define LABEL_NAME "__name__"

struct label {
    struct str name, value;
};

struct labels {
    const struct label *l;
    uint32_t n;
};

struct str labels_get(struct labels ls, struct str name); /* {NULL,0}: absent */
static inline struct str labels_name(struct labels ls) {
    return labels_get(ls, STR(LABEL_NAME));
}
int labels_cmp(struct labels a,
               struct labels b); /* Prometheus's order: pairwise by name, then value */
bool labels_eq(struct labels a, struct labels b);
uint64_t labels_hash(struct labels ls);
/* A deep copy in one allocation; false past the arena's cap. */
bool labels_copy(struct arena *a, struct labels ls, struct labels *out);
struct labels *labels_dup(struct labels ls); /* heap, one block: free() it; NULL: no memory */
/* {a="b", c="d"} with the name in front when there is one, as Prometheus prints a series. */
void labels_format(struct buf *b, struct labels ls);
/* Parses name{a="b"} or {a="b"} ("quoted names" too). Result in the arena. */
bool labels_parse(struct str text, struct arena *a, struct labels *out, struct err *err) MUST_USE;

/* A set under construction: put in any order, last value of a name wins, empty value deletes. The
 * strings are borrowed until labels_builder_view has been copied. */
struct labels_builder {
    struct label *l; /* kept sorted */
    uint32_t n, cap;
    bool failed;
};
#define LABELS_BUILDER_INIT ((struct labels_builder){0})
void labels_builder_deinit(struct labels_builder *b);
void labels_builder_reset(struct labels_builder *b, struct labels from);
void labels_builder_set(struct labels_builder *b, struct str name, struct str value);
void labels_builder_del(struct labels_builder *b, struct str name);
struct str labels_builder_get(const struct labels_builder *b, struct str name);
struct labels labels_builder_view(const struct labels_builder *b); /* valid until the next change */

/* [a-zA-Z_][a-zA-Z0-9_]* ; metric names also ':' . Under UTF-8 rules (Prometheus 3) any non-empty
 * valid UTF-8 is a legal name. */
bool label_name_is_legacy(struct str name);
bool metric_name_is_legacy(struct str name);
/* Checks names, values, order, duplicates and the limits of base/limits.h; says which label. */
bool labels_check(struct labels ls, struct err *err) MUST_USE;

#endif
