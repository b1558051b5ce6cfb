/* notify_match.h - Alertmanager's matchers: a="b", a!="b", a=~"re", a!~"re", with or without
 * quotes, several in one string between commas and {}. All must hold; a missing label is "". */
#ifndef NOTIFY_NOTIFY_MATCH_H
#define NOTIFY_NOTIFY_MATCH_H

#include "model/conf.h"
#include "model/matcher.h"

#define NOTIFY_MATCHERS_MAX 256

struct notify_matchers {
    struct matcher *v; /* in the arena; regexes on the heap */
    size_t n;
};
bool notify_matchers_compile(const struct conf_strs *list, const struct conf_pairs *equal,
                             const struct conf_pairs *re, struct arena *a,
                             struct notify_matchers *out, struct err *err) MUST_USE;
void notify_matchers_free(struct notify_matchers *m);

#endif
