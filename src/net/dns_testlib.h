/* dns_testlib.h - a name server for tests. Header only, so that rooms below can use it too. */
#ifndef NET_DNS_TESTLIB_H
#define NET_DNS_TESTLIB_H

#include "base/str.h"
#include "os/thread.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A name server of one thread on a loopback UDP port. Answers by the first label of the name:
 * ok, gone (NXDOMAIN), none (no record), broken (cut short), silent, servfail. */
struct t_dns {
    int fd;
    char address[64];
    _Atomic bool stop;
    struct thread thread;
};

static inline size_t t_dns_put16(unsigned char *p, unsigned v) {
    p[0] = (unsigned char)(v >> 8);
    p[1] = (unsigned char)v;
    return 2;
}

static inline size_t t_dns_put_name(unsigned char *p, const char *name) {
    size_t n = 0;
    while (*name) {
        const char *dot = strchr(name, '.');
        size_t k = dot ? (size_t)(dot - name) : strlen(name);
        p[n++] = (unsigned char)k;
        memcpy(p + n, name, k);
        n += k;
        name += k + (dot != NULL);
    }
    p[n++] = 0;
    return n;
}

static inline size_t t_dns_put_record(unsigned char *p, unsigned type, const unsigned char *data,
                                      size_t data_n) {
    size_t n = t_dns_put16(p, 0xc00c); /* the question's name */
    n += t_dns_put16(p + n, type);
    n += t_dns_put16(p + n, 1);
    n += t_dns_put16(p + n, 0);
    n += t_dns_put16(p + n, 60);
    n += t_dns_put16(p + n, (unsigned)data_n);
    memcpy(p + n, data, data_n);
    return n + data_n;
}

static inline size_t t_dns_put_answers(unsigned char *p, unsigned type, unsigned *out_count) {
    unsigned char d[128];
    size_t n = 0, k;
    *out_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        switch (type) {
        case 1:
            n += t_dns_put_record(p + n, type,
                                  (const unsigned char[]){10, 0, 0, (unsigned char)(i + 1)}, 4);
            break;
        case 28:
            memset(d, 0, 16);
            d[0] = 0xfd;
            d[15] = (unsigned char)(i + 1);
            n += t_dns_put_record(p + n, type, d, 16);
            break;
        case 33:
            k = t_dns_put16(d, 10 + i);
            k += t_dns_put16(d + k, 20);
            k += t_dns_put16(d + k, 9100 + i);
            k += t_dns_put_name(d + k, i ? "two.example" : "one.example");
            n += t_dns_put_record(p + n, type, d, k);
            break;
        case 15:
            k = t_dns_put16(d, 5 + i);
            k += t_dns_put_name(d + k, i ? "mx2.example" : "mx1.example");
            n += t_dns_put_record(p + n, type, d, k);
            break;
        default:
            k = t_dns_put_name(d, i ? "ns2.example" : "ns1.example");
            n += t_dns_put_record(p + n, type, d, k);
        }
    }
    return n;
}

static inline void t_dns_answer(struct t_dns *s, unsigned char *q, size_t n,
                                const struct sockaddr_in *to) {
    unsigned char r[1024];
    char name[64] = "";
    if (n < 17 || q[12] >= sizeof(name) || 13u + q[12] > n)
        return;
    memcpy(name, q + 13, q[12]);
    name[q[12]] = 0;
    size_t end = 12;
    while (end < n && q[end])
        end += q[end] + 1u;
    if (end + 5 > n || strcmp(name, "silent") == 0)
        return;
    unsigned type = (unsigned)(q[end + 1] << 8 | q[end + 2]);
    memcpy(r, q, end + 5);
    r[2] = 0x84;
    r[3] = strcmp(name, "gone") == 0 ? 3 : strcmp(name, "servfail") == 0 ? 2 : 0;
    unsigned count = 0;
    size_t len = end + 5;
    if (strcmp(name, "ok") == 0 || strcmp(name, "broken") == 0)
        len += t_dns_put_answers(r + len, type, &count);
    (void)t_dns_put16(r + 6, count);
    (void)t_dns_put16(r + 8, 0);
    (void)t_dns_put16(r + 10, 0);
    if (strcmp(name, "broken") == 0)
        len -= 3;
    (void)sendto(s->fd, r, len, 0, (const struct sockaddr *)to, sizeof(*to));
}

static inline void t_dns_serve(void *arg) {
    struct t_dns *s = arg;
    while (!s->stop) {
        struct pollfd f = {s->fd, POLLIN, 0};
        unsigned char q[512];
        struct sockaddr_in from;
        socklen_t k = sizeof(from);
        if (poll(&f, 1, 20) <= 0)
            continue;
        ssize_t n = recvfrom(s->fd, q, sizeof(q), 0, (struct sockaddr *)&from, &k);
        if (n > 0)
            t_dns_answer(s, q, (size_t)n, &from);
    }
}

static inline void t_dns_start(struct t_dns *s) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    s->stop = false;
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, n) ||
        getsockname(s->fd, (struct sockaddr *)&a, &n))
        abort();
    (void)snprintf(s->address, sizeof(s->address), "127.0.0.1:%u", ntohs(a.sin_port));
    if (!thread_start(&s->thread, "t-dns", t_dns_serve, s, NULL))
        abort();
}

static inline void t_dns_stop(struct t_dns *s) {
    s->stop = true;
    thread_join(&s->thread);
    (void)close(s->fd);
}

#endif
