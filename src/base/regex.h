/* regex.h - regular expressions as Prometheus uses them: fully anchored, RE2 syntax (PCRE2 here,
 * with match and depth limits so that no pattern can run away), `.` matches newlines. Literal and
 * literal-alternation patterns never reach the engine. Immutable after compile: safe to share. */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include "base/arena.h"
#include "base/buf.h"

struct regex;

#define REGEX_PATTERN_BYTES_MAX 65536

/* anchored: as ^(?s:pattern)$. Error: ERR_BAD_INPUT with the offset. */
struct regex *regex_new(struct str pattern, bool anchored, struct err *err) MUST_USE;
void regex_free(struct regex *re);
/* A run that hits the match limit counts as no match (*counted in regex_limit_hits()). */
bool regex_match(const struct regex *re, struct str s);
uint64_t regex_limit_hits(void);
/* When the pattern is exactly a set of literals ("a|b|c"), their number and values (owned by re);
 * else 0. */
size_t regex_literals(const struct regex *re, const struct str **out);
/* The literal that every match begins with; empty when there is none. */
struct str regex_prefix(const struct regex *re);
/* Expands a template ($1, ${name}, $$) with the groups of a match of s, Go's Regexp.Expand rules.
 * false: no match (out untouched). */
bool regex_expand(const struct regex *re, struct str s, struct str replacement, struct buf *out);
/* Replaces every match in s (unanchored use), Go's ReplaceAllString. */
void regex_replace_all(const struct regex *re, struct str s, struct str replacement,
                       struct buf *out);

#endif
