/* dns.h - looking names up in DNS (c-ares): the records that discovery and checks ask for. A lookup
 * waits on the calling thread, at most timeout_ms. The machine's resolv.conf (servers, search list)
 * is used unless servers are given. Errors: ERR_NOT_FOUND (no such name, or no such record),
 * ERR_TIMEOUT, ERR_UNAVAILABLE (server failure, refused), ERR_BAD_INPUT (not a name). Any thread.
 * Source: RFC 1035, RFC 2782. */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "base/arena.h"
#include "base/err.h"

enum dns_type { DNS_A, DNS_AAAA, DNS_SRV, DNS_MX, DNS_NS };

struct dns_record {
    struct str name; /* address as text for A and AAAA; host without final dot for the others */
    uint16_t port, priority, weight; /* SRV; priority also MX */
};

struct dns_options {
    const char *servers; /* "127.0.0.1:5353,[::1]:53"; NULL: the machine's */
    int64_t timeout_ms;  /* 0: 5 s */
};

enum { DNS_RECORDS_MAX = 4096 };

/* Records in the server's order, strings in the arena. */
bool dns_lookup(const struct dns_options *opt, const char *name, enum dns_type type,
                struct arena *a, struct dns_record **out, size_t *out_n, struct err *err) MUST_USE;

#endif
