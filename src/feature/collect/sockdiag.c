#include "feature/collect/sockdiag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_BYTES 8192 /* the kernel fills what fits and goes on in the next message */
#define ANSWERS_MAX 4096

static bool ask(int fd, bool v6) {
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 req;
    } q = {.head = {.nlmsg_len = sizeof(q),
                    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
           .req = {.sdiag_family = v6 ? AF_INET6 : AF_INET,
                   .sdiag_protocol = IPPROTO_TCP,
                   .idiag_states = 1u << TCP_LISTEN}};
    return send(fd, &q, sizeof(q), 0) == (ssize_t)sizeof(q);
}

/* One message; false: the end, or an error (*ok). */
static bool take(const struct nlmsghdr *h, bool v6,
                 void (*found)(void *self, const struct socket_entry *s), void *self, bool *ok) {
    struct inet_diag_msg m;
    if (h->nlmsg_type == NLMSG_DONE)
        return false;
    if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || h->nlmsg_len < NLMSG_LENGTH(sizeof(m))) {
        *ok = false;
        return false;
    }
    memcpy(&m, (const char *)h + NLMSG_HDRLEN, sizeof(m));
    struct socket_entry e = {.v6 = v6, .port = ntohs(m.id.idiag_sport), .inode = m.idiag_inode};
    unsigned char raw[16];
    memcpy(raw, m.id.idiag_src, sizeof(raw));
    if (m.idiag_family == (v6 ? AF_INET6 : AF_INET) && m.idiag_state == TCP_LISTEN &&
        sockets_set_address(&e, raw, v6))
        found(self, &e);
    return true;
}

bool sockdiag_listeners(bool v6, void (*found)(void *self, const struct socket_entry *s),
                        void *self) {
    _Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
    struct timeval limit = {1, 0};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return false;
    bool ok = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 && ask(fd, v6),
         more = ok;
    for (int i = 0; more && i < ANSWERS_MAX; i++) {
        ssize_t n = recv(fd, answer, sizeof(answer), 0);
        size_t left = n > 0 ? (size_t)n : 0, at = 0;
        ok = n > 0;
        more = ok;
        while (more && left - at >= sizeof(struct nlmsghdr)) {
            const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(answer + at);
            if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > left - at) {
                ok = more = false;
                break;
            }
            more = take(h, v6, found, self, &ok);
            at += NLMSG_ALIGN(h->nlmsg_len);
            if (at > left)
                at = left;
        }
    }
    close(fd);
    return ok && !more;
}
