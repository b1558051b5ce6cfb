/* discovery.h - one source of targets (file, HTTP or DNS) asked once: the blocking work of the
 * discovery threads. State between calls is the caller's `memory`. Errors keep the caller's former
 * groups in force. */
#ifndef INGEST_DISCOVERY_H
#define INGEST_DISCOVERY_H

#include "feature/ingest/target.h"
#include "net/dns.h"
#include "net/http_client.h"
#include "os/thread.h"

enum discovery_kind { DISCOVERY_STATIC, DISCOVERY_FILE, DISCOVERY_HTTP, DISCOVERY_DNS };
const char *discovery_kind_name(enum discovery_kind k);

struct discovery_conf {
    enum discovery_kind kind;
    const void *conf; /* struct ingest_static, _file_sd, _http_sd or _dns_sd */
};
struct discovery_env {
    struct http_client *http;
    struct mutex *lock; /* held while a call is started, so that none begins once *stopping */
    const bool *stopping;
    const char *dns_servers; /* NULL: the machine's */
    const char *user_agent;
};

enum {
    DISCOVERY_FILE_POLL_MS = 5000,
    DISCOVERY_FILE_BYTES_MAX = 16 << 20,
    DISCOVERY_HTTP_BYTES_MAX = 16 << 20
};

/* The groups of now. *out_unchanged: the same document as for *memory (a hash kept from call to
 * call; 0 at first), so that whatever was said of it then, groups or error, still holds; *out was
 * not touched. */
bool discovery_ask(const struct discovery_conf *c, const struct discovery_env *env,
                   uint64_t *memory, struct arena *a, struct target_groups *out,
                   bool *out_unchanged, struct err *err) MUST_USE;
int64_t discovery_interval_ms(const struct discovery_conf *c); /* INT64_MAX: never again */
struct str discovery_what(const struct discovery_conf *c,
                          struct arena *a); /* for people: files, URL, names */

/* Credentials and TLS of a configuration into a call. auth_header: used when the scheme is not
 * Bearer. */
void discovery_http_options(const struct ingest_http *h, struct http_call *call, struct arena *a,
                            struct http_header *auth_header, bool *out_has_auth_header);

#endif
