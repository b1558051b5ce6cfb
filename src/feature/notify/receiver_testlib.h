/* receiver_testlib.h - a stand-in for Slack's incoming webhooks and for any webhook, on a free
 * loopback port. It enforces what Slack documents: valid JSON, 40,000 characters of text, 50
 * blocks, 3,000 characters in a section, 150 in a header, one message a second for each address
 * (429 with Retry-After), and answers with Slack's own error words. */
#ifndef NOTIFY_RECEIVER_TESTLIB_H
#define NOTIFY_RECEIVER_TESTLIB_H

#include "base/buf.h"
#include "os/thread.h"

struct receiver_double;
struct receiver_double *receiver_double_new(int64_t pace_ms); /* 0: no pace is asked for */
uint16_t receiver_double_port(const struct receiver_double *d);
void receiver_double_free(struct receiver_double *d);
/* The next `n` requests to paths that begin with `path` get this status (and body). */
void receiver_double_fail(struct receiver_double *d, const char *path, int n, int status,
                          const char *body, const char *retry_after);
/* Accepted bodies to paths that begin with `path`; each is the caller's to read until the double is
 * freed. */
size_t receiver_double_count(struct receiver_double *d, const char *path);
struct str receiver_double_body(struct receiver_double *d, const char *path, size_t nth);
size_t receiver_double_refused(struct receiver_double *d,
                               int status); /* answers with this status so far */

#endif
