/* matcher.h - a condition on one label: =, !=, =~, !~. Prometheus semantics: a missing label has
 * the value
 * ""; regular expressions are fully anchored. Immutable; the regex is owned by whoever made the
 * matcher. */
#ifndef MODEL_MATCHER_H
#define MODEL_MATCHER_H

#include "base/regex.h"
#include "model/labels.h"

enum matcher_type { MATCH_EQ, MATCH_NE, MATCH_RE, MATCH_NRE };

struct matcher {
    enum matcher_type type;
    struct str name, value; /* borrowed */
    const struct regex *re; /* MATCH_RE, MATCH_NRE */
};

bool matcher_matches(const struct matcher *m,
                     struct str value); /* value of a missing label: {NULL,0} */
bool matchers_match(const struct matcher *m, size_t n, struct labels ls); /* all of them */
void matcher_format(struct buf *b, const struct matcher *m);              /* name=~"value" */

#endif
