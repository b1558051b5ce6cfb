#include "net/http_internal.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool split(const char *address, char host[256], char port[8], struct err *err) {
    struct str s = str_from(address);
    size_t colon = s.n;
    while (colon && s.p[colon - 1] != ':')
        colon--;
    struct str h = str_sub(s, 0, colon ? colon - 1 : 0), p = str_from_offset(s, colon);
    if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
        h = str_sub(h, 1, h.n - 2);
    uint64_t number;
    if (colon == 0 || h.n >= 256 || p.n >= 8 || !str_to_u64(p, &number) || number > 65535)
        return err_set(err, ERR_BAD_INPUT,
                       "\"%s\" is not an address to listen on; expected HOST:PORT as in "
                       "127.0.0.1:11900 or [::1]:11900",
                       address);
    if (h.n)
        memcpy(host, h.p, h.n);
    host[h.n] = 0;
    memcpy(port, p.p, p.n);
    port[p.n] = 0;
    return true;
}

static bool bind_one(const struct addrinfo *ai, const char *address, int *out_fd, struct err *err) {
    int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
    if (fd < 0)
        return err_sys(err, ERR_UNAVAILABLE, errno, "cannot make a socket for %s", address);
    int one = 1, zero = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
                     sizeof(one)); /* inherited by accepted sockets */
    if (ai->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, 1024) == 0) {
        *out_fd = fd;
        return true;
    }
    int e = errno;
    close(fd);
    if (e == EADDRINUSE)
        return err_set(err, ERR_CONFLICT,
                       "%s is taken by another program; stop that one (ss -ltnp shows it) or "
                       "choose another with "
                       "--listen HOST:PORT (port 0: any free one)",
                       address);
    if (e == EACCES)
        return err_set(err, ERR_FORBIDDEN,
                       "no permission to listen on %s; ports below 1024 need a privilege", address);
    if (e == EADDRNOTAVAIL)
        return err_set(err, ERR_BAD_INPUT, "%s is not an address of this machine", address);
    return err_sys(err, ERR_UNAVAILABLE, e, "cannot listen on %s", address);
}

bool http_listen(const char *address, int *out_fd, uint16_t *out_port, struct err *err) {
    char host[256], port[8];
    if (!split(address, host, port, err))
        return false;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *list = NULL;
    int rc = getaddrinfo(host[0] ? host : NULL, port, &hints, &list);
    if (rc)
        return err_set(err, ERR_BAD_INPUT, "cannot find the address to listen on, \"%s\": %s",
                       address, gai_strerror(rc));
    bool ok = false;
    /* With no host, IPv6 first: its socket takes IPv4 too. */
    for (int want6 = host[0] ? 0 : 1; want6 >= 0 && !ok; want6--)
        for (struct addrinfo *ai = list; ai && !ok; ai = ai->ai_next)
            if (host[0] || (ai->ai_family == AF_INET6) == want6)
                ok = bind_one(ai, address, out_fd, err);
    freeaddrinfo(list);
    if (!ok)
        return false;
    struct sockaddr_storage at = {0};
    socklen_t n = sizeof(at);
    if (getsockname(*out_fd, (struct sockaddr *)&at, &n) != 0) {
        close(*out_fd);
        *out_fd = -1;
        return err_sys(err, ERR_INTERNAL, errno, "cannot read the port of %s", address);
    }
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    memcpy(&in4, &at, sizeof(in4));
    memcpy(&in6, &at, sizeof(in6));
    *out_port = ntohs(at.ss_family == AF_INET6 ? in6.sin6_port : in4.sin_port);
    return true;
}
