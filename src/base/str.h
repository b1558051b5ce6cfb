/* str.h - a borrowed run of bytes. Not NUL-terminated, never owned; the name of whoever owns the
 * bytes is in the comment beside each use. Comparison is bytewise (memcmp), as label order
 * requires. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p; /* may be NULL when n == 0 */
    size_t n;
};

#define STR(literal) ((struct str){("" literal), sizeof(literal) - 1})
#define STR_FMT(s) (int)((s).n > 4096 ? 4096 : (s).n), ((s).p ? (s).p : "") /* for "%.*s" */

static inline struct str str_from(const char *z) {
    return (struct str){z, z ? strlen(z) : 0};
}
static inline struct str str_make(const char *p, size_t n) {
    return (struct str){p, n};
}
static inline bool str_eq(struct str a, struct str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool str_eqz(struct str a, const char *z) {
    return str_eq(a, str_from(z));
}
int str_cmp(struct str a, struct str b);        /* <0, 0, >0, bytewise, shorter first */
bool str_eq_nocase(struct str a, struct str b); /* ASCII only */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_sub(struct str s, size_t from, size_t n); /* clamped */
struct str str_from_offset(struct str s, size_t from);   /* clamped */
/* Index of the first occurrence, or SIZE_MAX. */
size_t str_find(struct str s, struct str needle);
size_t str_find_char(struct str s, char c);
struct str str_trim(struct str s); /* ASCII white space on both sides */
/* Splits at the first c: *head gets what stands before, *s what stands after; false when s is used
 * up. */
bool str_next(struct str *s, char c, struct str *out_head);
/* The whole of s must be a number of the type; false otherwise (outputs untouched). */
bool str_to_u64(struct str s, uint64_t *out);
bool str_to_i64(struct str s, int64_t *out);
/* Go's ParseFloat grammar as Prometheus uses it: decimal, hex, underscores not allowed, [+-]Inf,
 * NaN in any case. No locale. */
bool str_to_f64(struct str s, double *out);
/* Valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(struct str s);
/* The distance between two words, for "did you mean": restricted edit distance, at most cap. */
unsigned str_distance(struct str a, struct str b, unsigned cap);

#endif
