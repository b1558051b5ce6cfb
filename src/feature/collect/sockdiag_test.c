#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feature/collect/sockdiag.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

struct looked {
    uint16_t port;
    const char *address;
    size_t found;
    uint64_t inode;
};

static void see(void *self, const struct socket_entry *s) {
    struct looked *l = self;
    if (s->port != l->port)
        return;
    assert_string_equal(s->address, l->address);
    assert_true(s->loopback && !s->any && !s->udp);
    l->inode = s->inode;
    l->found++;
}

static void one(int family, const struct sockaddr *at, socklen_t size, const char *address) {
    struct sockaddr_storage got;
    socklen_t n = sizeof(got);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, at, size) != 0) {
        if (fd >= 0)
            close(fd);
        skip(); /* no such family here */
    }
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&got, &n), 0);
    uint16_t port = ntohs(family == AF_INET6 ? ((struct sockaddr_in6 *)&got)->sin6_port
                                             : ((struct sockaddr_in *)&got)->sin_port);
    struct looked l = {.port = port, .address = address};
    bool told = sockdiag_listeners(family == AF_INET6, see, &l);
    if (!told) {
        close(fd);
        skip(); /* a kernel without the module: /proc is read then */
    }
    assert_int_equal(l.found, 1);
    assert_true(l.inode > 0);
    close(fd);
    l.found = 0;
    assert_true(sockdiag_listeners(family == AF_INET6, see, &l));
    assert_int_equal(l.found, 0);
}

static void four(void **state) {
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    one(AF_INET, (const struct sockaddr *)&at, sizeof(at), "127.0.0.1");
}

static void six(void **state) {
    (void)state;
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    one(AF_INET6, (const struct sockaddr *)&at, sizeof(at), "::1");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(four), cmocka_unit_test(six)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
