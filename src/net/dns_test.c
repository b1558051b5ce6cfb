#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/dns.h"
#include "os/thread.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* A name server of one thread on a loopback UDP port. Answers by the first label of the name:
 * ok, gone (NXDOMAIN), none (no record), broken (cut short), silent, servfail. */
struct server {
    int fd;
    char address[64];
    _Atomic bool stop;
    struct thread thread;
};

static size_t put16(unsigned char *p, unsigned v)
{
    p[0] = (unsigned char)(v >> 8);
    p[1] = (unsigned char)v;
    return 2;
}

static size_t put_name(unsigned char *p, const char *name)
{
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

static size_t put_record(unsigned char *p, unsigned type, const unsigned char *data, size_t data_n)
{
    size_t n = put16(p, 0xc00c); /* the question's name */
    n += put16(p + n, type);
    n += put16(p + n, 1);
    n += put16(p + n, 0);
    n += put16(p + n, 60);
    n += put16(p + n, (unsigned)data_n);
    memcpy(p + n, data, data_n);
    return n + data_n;
}

static size_t put_answers(unsigned char *p, unsigned type, unsigned *out_count)
{
    unsigned char d[128];
    size_t n = 0, k;
    *out_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        switch (type) {
        case 1:
            n += put_record(p + n, type, (const unsigned char[]){10, 0, 0, (unsigned char)(i + 1)}, 4);
            break;
        case 28:
            memset(d, 0, 16);
            d[0] = 0xfd;
            d[15] = (unsigned char)(i + 1);
            n += put_record(p + n, type, d, 16);
            break;
        case 33:
            k = put16(d, 10 + i);
            k += put16(d + k, 20);
            k += put16(d + k, 9100 + i);
            k += put_name(d + k, i ? "two.example" : "one.example");
            n += put_record(p + n, type, d, k);
            break;
        case 15:
            k = put16(d, 5 + i);
            k += put_name(d + k, i ? "mx2.example" : "mx1.example");
            n += put_record(p + n, type, d, k);
            break;
        default:
            k = put_name(d, i ? "ns2.example" : "ns1.example");
            n += put_record(p + n, type, d, k);
        }
    }
    return n;
}

static void answer(struct server *s, unsigned char *q, size_t n, const struct sockaddr_in *to)
{
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
        len += put_answers(r + len, type, &count);
    (void)put16(r + 6, count);
    (void)put16(r + 8, 0);
    (void)put16(r + 10, 0);
    if (strcmp(name, "broken") == 0)
        len -= 3;
    (void)sendto(s->fd, r, len, 0, (const struct sockaddr *)to, sizeof(*to));
}

static void serve(void *arg)
{
    struct server *s = arg;
    while (!s->stop) {
        struct pollfd f = {s->fd, POLLIN, 0};
        unsigned char q[512];
        struct sockaddr_in from;
        socklen_t k = sizeof(from);
        if (poll(&f, 1, 20) <= 0)
            continue;
        ssize_t n = recvfrom(s->fd, q, sizeof(q), 0, (struct sockaddr *)&from, &k);
        if (n > 0)
            answer(s, q, (size_t)n, &from);
    }
}

static void start(struct server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    s->stop = false;
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(s->fd >= 0 && bind(s->fd, (struct sockaddr *)&a, n) == 0 && getsockname(s->fd, (struct sockaddr *)&a, &n) == 0);
    (void)snprintf(s->address, sizeof(s->address), "127.0.0.1:%u", ntohs(a.sin_port));
    assert_true(thread_start(&s->thread, "t-dns", serve, s, NULL));
}

static void stop(struct server *s)
{
    s->stop = true;
    thread_join(&s->thread);
    (void)close(s->fd);
}

static void test_records(void **state)
{
    (void)state;
    struct server s;
    start(&s);
    struct dns_options opt = {.servers = s.address, .timeout_ms = 5000};
    struct arena a = ARENA_INIT;
    struct dns_record *r;
    size_t n;
    struct err err;
    static const struct {
        enum dns_type type;
        const char *second;
        uint16_t port, priority;
    } want[] = {{DNS_A, "10.0.0.2", 0, 0},
                {DNS_AAAA, "fd00::2", 0, 0},
                {DNS_SRV, "two.example", 9101, 11},
                {DNS_MX, "mx2.example", 0, 6},
                {DNS_NS, "ns2.example", 0, 0}};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        if (!dns_lookup(&opt, "ok.test.", want[i].type, &a, &r, &n, &err))
            fail_msg("%s", err.message);
        assert_int_equal(n, 2);
        assert_true(str_eqz(r[1].name, want[i].second));
        assert_int_equal(r[1].port, want[i].port);
        assert_int_equal(r[1].priority, want[i].priority);
    }
    arena_deinit(&a);
    stop(&s);
}

static void refuse(const struct server *s, const char *name, enum err_code code)
{
    struct dns_options opt = {.servers = s->address, .timeout_ms = 700};
    struct arena a = ARENA_INIT;
    struct dns_record *r;
    size_t n;
    struct err err;
    assert_false(dns_lookup(&opt, name, DNS_A, &a, &r, &n, &err));
    if (err.code != code)
        fail_msg("%s: %s", name, err.message);
    arena_deinit(&a);
}

static void test_failures(void **state)
{
    (void)state;
    struct server s;
    start(&s);
    refuse(&s, "gone.test.", ERR_NOT_FOUND);
    refuse(&s, "none.test.", ERR_NOT_FOUND);
    refuse(&s, "silent.test.", ERR_TIMEOUT);
    refuse(&s, "servfail.test.", ERR_UNAVAILABLE);
    refuse(&s, "broken.test.", ERR_UNAVAILABLE);
    refuse(&s, "a..b", ERR_BAD_INPUT);
    stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_records), cmocka_unit_test(test_failures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
