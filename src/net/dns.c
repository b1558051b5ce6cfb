#include "net/dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>

struct lookup {
    enum dns_type type;
    struct arena *a;
    struct dns_record *v;
    size_t n;
    int status;
    bool done;
};

static void add(struct lookup *l, const char *name, uint16_t port, uint16_t priority,
                uint16_t weight) {
    if (l->n >= DNS_RECORDS_MAX)
        return;
    size_t cap = 8;
    while (cap <= l->n)
        cap *= 2;
    if (l->n == 0 || l->n == cap / 2 || !l->v) {
        struct dns_record *v = arena_grow(l->a, l->v, l->n * sizeof(*v), cap * sizeof(*v));
        if (!v)
            return;
        l->v = v;
    }
    struct str s = str_from(name);
    if (s.n > 1 && s.p[s.n - 1] == '.')
        s.n--;
    l->v[l->n++] = (struct dns_record){arena_str(l->a, s), port, priority, weight};
}

static int take_addresses(struct lookup *l, const unsigned char *p, int n) {
    enum { ADDRESSES_MAX = 256 };
    char text[INET6_ADDRSTRLEN];
    int count = ADDRESSES_MAX, status;
    if (l->type == DNS_A) {
        struct ares_addrttl v[ADDRESSES_MAX];
        status = ares_parse_a_reply(p, n, NULL, v, &count);
        for (int i = 0; status == ARES_SUCCESS && i < count; i++)
            if (inet_ntop(AF_INET, &v[i].ipaddr, text, sizeof(text)))
                add(l, text, 0, 0, 0);
    } else {
        struct ares_addr6ttl v[ADDRESSES_MAX];
        status = ares_parse_aaaa_reply(p, n, NULL, v, &count);
        for (int i = 0; status == ARES_SUCCESS && i < count; i++)
            if (inet_ntop(AF_INET6, &v[i].ip6addr, text, sizeof(text)))
                add(l, text, 0, 0, 0);
    }
    return status;
}

static int take_names(struct lookup *l, const unsigned char *p, int n) {
    int status = ARES_EBADRESP;
    if (l->type == DNS_SRV) {
        struct ares_srv_reply *r = NULL;
        status = ares_parse_srv_reply(p, n, &r);
        for (struct ares_srv_reply *i = r; status == ARES_SUCCESS && i; i = i->next)
            add(l, i->host, i->port, i->priority, i->weight);
        ares_free_data(r);
    } else if (l->type == DNS_MX) {
        struct ares_mx_reply *r = NULL;
        status = ares_parse_mx_reply(p, n, &r);
        for (struct ares_mx_reply *i = r; status == ARES_SUCCESS && i; i = i->next)
            add(l, i->host, 0, i->priority, 0);
        ares_free_data(r);
    } else if (l->type == DNS_NS) {
        struct hostent *r = NULL;
        status = ares_parse_ns_reply(p, n, &r);
        for (int i = 0; status == ARES_SUCCESS && r->h_aliases[i]; i++)
            add(l, r->h_aliases[i], 0, 0, 0);
        if (status == ARES_SUCCESS)
            ares_free_hostent(r);
    }
    return status;
}

static void answered(void *arg, int status, int timeouts, unsigned char *p, int n) {
    (void)timeouts;
    struct lookup *l = arg;
    l->done = true;
    l->status = status;
    if (status == ARES_SUCCESS)
        l->status =
            l->type == DNS_A || l->type == DNS_AAAA ? take_addresses(l, p, n) : take_names(l, p, n);
}

static int64_t now_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void drive(ares_channel channel, struct lookup *l, int64_t deadline_ms) {
    while (!l->done) {
        int64_t left = deadline_ms - now_ms();
        if (left <= 0) {
            ares_cancel(channel); /* answers with ARES_ECANCELLED */
            return;
        }
        ares_socket_t socks[ARES_GETSOCK_MAXNUM];
        struct pollfd fds[ARES_GETSOCK_MAXNUM];
        nfds_t n = 0;
        /* The library's own macros shift into the sign bit. */
        unsigned bits = (unsigned)ares_getsock(channel, socks, ARES_GETSOCK_MAXNUM);
        for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
            bool readable = bits >> i & 1u, writable = bits >> (i + ARES_GETSOCK_MAXNUM) & 1u;
            if (readable || writable)
                fds[n++] = (struct pollfd){
                    socks[i], (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0)), 0};
        }
        struct timeval most = {.tv_sec = (time_t)(left / 1000),
                               .tv_usec = (suseconds_t)(left % 1000 * 1000)},
                       wait;
        struct timeval *w = ares_timeout(channel, &most, &wait);
        (void)poll(fds, n, (int)(w->tv_sec * 1000 + w->tv_usec / 1000 + 1));
        bool any = false;
        for (nfds_t i = 0; i < n; i++)
            if (fds[i].revents) {
                any = true;
                ares_process_fd(channel, fds[i].revents & ~POLLOUT ? fds[i].fd : ARES_SOCKET_BAD,
                                fds[i].revents & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD);
            }
        if (!any)
            ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* its own timeouts */
    }
}

static bool failed(int status, const char *name, const char *type, struct err *err) {
    switch (status) {
    case ARES_ENOTFOUND:
        return err_set(err, ERR_NOT_FOUND, "DNS has no name %s", name);
    case ARES_ENODATA:
        return err_set(err, ERR_NOT_FOUND, "DNS has no %s record for %s", type, name);
    case ARES_ETIMEOUT:
    case ARES_ECANCELLED:
        return err_set(err, ERR_TIMEOUT, "DNS did not answer in time for %s (%s)", name, type);
    case ARES_EBADNAME:
        return err_set(err, ERR_BAD_INPUT, "\"%s\" is not a DNS name", name);
    case ARES_ENOMEM:
        return err_set(err, ERR_INTERNAL, "no memory for a DNS lookup");
    default:
        return err_set(err, ERR_UNAVAILABLE, "DNS lookup of %s (%s) failed: %s", name, type,
                       ares_strerror(status));
    }
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static void start_library(void) {
    (void)ares_library_init(ARES_LIB_INIT_ALL);
}

bool dns_lookup(const struct dns_options *opt, const char *name, enum dns_type type,
                struct arena *a, struct dns_record **out, size_t *out_n, struct err *err) {
    static const struct {
        const char *name;
        int code;
    } types[] = {
        {"A", ns_t_a}, {"AAAA", ns_t_aaaa}, {"SRV", ns_t_srv}, {"MX", ns_t_mx}, {"NS", ns_t_ns}};
    int64_t timeout_ms = opt && opt->timeout_ms ? opt->timeout_ms : 5000;
    ares_channel channel = NULL;
    struct ares_options o = {.timeout = (int)(timeout_ms / 3 > 200 ? timeout_ms / 3 : 200),
                             .tries = 2};
    (void)pthread_once(&library_once, start_library);
    int status = ares_init_options(&channel, &o, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (status != ARES_SUCCESS)
        return failed(status, name, types[type].name, err);
    if (opt && opt->servers)
        status = ares_set_servers_ports_csv(channel, opt->servers);
    struct lookup l = {.type = type, .a = a};
    if (status == ARES_SUCCESS) {
        ares_search(channel, name, ns_c_in, types[type].code, answered, &l);
        drive(channel, &l, now_ms() + timeout_ms);
        status = l.status;
    }
    ares_destroy(channel);
    if (status != ARES_SUCCESS)
        return failed(status, name, types[type].name, err);
    if (a->failed)
        return arena_err(a, err);
    *out = l.v;
    *out_n = l.n;
    return true;
}
