/* scan.h - reading the kernel's text files in place: lines, fields, numbers. Never allocates, never
 * reads past the text; what does not parse is skipped by the caller, giant numbers saturate. Pure.
 */
#ifndef COLLECT_SCAN_H
#define COLLECT_SCAN_H

#include "base/str.h"

/* The next line without its newline; false at the end. */
static inline bool scan_line(struct str *text, struct str *out) {
    return str_next(text, '\n', out);
}
/* The next run of bytes that are not blanks or tabs; false when there is none. */
bool scan_field(struct str *line, struct str *out);
/* Skips n fields; false when there are fewer. */
bool scan_skip(struct str *line, size_t n);
/* Decimal digits at the front (after blanks); saturates at UINT64_MAX; false when there is no
 * digit. */
bool scan_u64(struct str *line, uint64_t *out);
/* A whole field as a number. */
bool scan_field_u64(struct str *line, uint64_t *out);
bool scan_field_f64(struct str *line, double *out);
bool scan_hex(struct str s, uint64_t *out); /* all of s; at most 16 digits */
/* "key value" lines (cgroup files): the value of key, as a number. */
bool scan_key_u64(struct str text, struct str key, uint64_t *out);
/* The text behind "key=" in a line of key=value fields. */
bool scan_assign(struct str line, struct str key, struct str *out);
/* Undoes \040 \011 \012 \134 (and any other three octal digits) as /proc/mounts escapes names.
 * Writes at most cap bytes to out; returns how many. */
size_t scan_unescape(struct str s, char *out, size_t cap);

#endif
