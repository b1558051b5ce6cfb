/* tlsprobe.h - which certificate does a local listener show? One TLS handshake (GnuTLS), without
 * any verification: the question is what is there and when it ends. Blocks for at most about
 * TLSPROBE_MS; never on the collect loop. Only ever called for this machine's own loopback
 * addresses. */
#ifndef COLLECT_TLSPROBE_H
#define COLLECT_TLSPROBE_H

#include "base/arena.h"
#include "base/err.h"

#define TLSPROBE_MS 2000
#define TLSPROBE_NAMES_MAX 20
#define TLSPROBE_CHAIN_MAX 10

struct tlsprobe_result { /* strings in the arena */
    struct str subject, issuer;
    struct str names[TLSPROBE_NAMES_MAX]; /* subject alternative names: DNS and IP */
    size_t n_names;
    int64_t not_before_ms, not_after_ms; /* of the listener's own certificate */
    int64_t earliest_not_after_ms;       /* of the whole chain that it sends */
};
/* address: "127.0.0.1" or "::1". ERR_UNAVAILABLE: nobody accepts; ERR_BAD_INPUT: it does not speak
 * TLS; ERR_TIMEOUT. */
bool tlsprobe(const char *address, uint16_t port, struct arena *a, struct tlsprobe_result *out,
              struct err *err) MUST_USE;
/* A connection to a loopback address, non-blocking, for at most TLSPROBE_MS; the caller closes it.
 */
bool tlsprobe_connect(const char *address, uint16_t port, int *out_fd, struct err *err) MUST_USE;
/* One certificate chain as sent (DER); bytes from outside. */
struct tlsprobe_der {
    struct str cert[TLSPROBE_CHAIN_MAX];
    size_t n;
};
bool tlsprobe_read_chain(const struct tlsprobe_der *chain, struct arena *a,
                         struct tlsprobe_result *out, struct err *err) MUST_USE;

#endif
