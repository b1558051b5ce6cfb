/* regex_syntax.h - RE2's syntax for a PCRE2 engine. Prometheus's regular expressions are Go's,
 * which are RE2's: what RE2 refuses (lookaround, back references, possessive quantifiers, counts
 * over 1,000) is refused here, and what both take but read differently is written so that PCRE2
 * reads it as RE2 does ("[\w-.]", "\v",
 * "\s" without the vertical tab, "^*"). PURE. Source: https://github.com/google/re2/wiki/Syntax
 */
#ifndef BASE_REGEX_SYNTAX_H
#define BASE_REGEX_SYNTAX_H

#include "base/buf.h"

enum { REGEX_REPEAT_MAX = 1000 }; /* as RE2 */

/* Appends the pattern in PCRE2's words to out. Balance of parentheses and order of ranges are left
 * to PCRE2. Error: ERR_BAD_INPUT with the place. */
bool regex_syntax(struct str pattern, struct buf *out, struct err *err) MUST_USE;

#endif
