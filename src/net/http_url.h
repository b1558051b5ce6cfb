/* http_url.h - the text forms inside a request: percent-encoding, query strings and forms, paths.
 * Pure; every input is untrusted. Source: RFC 3986, RFC 9110, WHATWG URL
 * (application/x-www-form-urlencoded). */
#ifndef NET_HTTP_URL_H
#define NET_HTTP_URL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Undoes percent-encoding ('+' becomes a space when plus_is_space). A '%' that two hex digits do
 * not follow: false in a path, taken literally in a form (lenient). NULL p in *out: no memory. */
bool http_url_decode(struct str in, bool plus_is_space, bool lenient, struct arena *a,
                     struct str *out);
/* The n-th value of a name in "a=1&b=2"; decoded. false: absent. */
bool http_form_get(struct str form, struct str name, size_t nth, struct arena *a, struct str *out);
/* How often the name occurs. */
size_t http_form_count(struct str form, struct str name);
/* A path as sent -> decoded. ERR_BAD_INPUT: does not begin with '/', bad percent-encoding, a
 * control character, a backslash, or a "." or ".." part, encoded or not. */
bool http_path_decode(struct str raw, struct arena *a, struct str *out, struct err *err) MUST_USE;
/* Whether a route's pattern ("/a/:x/b", or one that ends in '*') matches a path as sent: an encoded
 * slash stays inside its part. http_path_part: what the n-th ':' or the '*' matched, decoded. */
bool http_path_match(const char *pattern, struct str raw_path);
bool http_path_part(const char *pattern, struct str raw_path, size_t nth, struct arena *a,
                    struct str *out);
/* Appends s percent-encoded, all but unreserved characters. */
void http_url_encode(struct buf *b, struct str s);

#endif
