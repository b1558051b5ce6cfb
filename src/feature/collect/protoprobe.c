#include "feature/collect/protoprobe.h"

#include "base/cur.h"
#include "feature/collect/tlsprobe.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

const char *protoprobe_greeting_kind(struct str s) {
    if (str_starts(s, STR("SSH-")))
        return "ssh";
    if (str_starts(s, STR("* OK")) || str_starts(s, STR("* PREAUTH")))
        return "imap";
    if (str_starts(s, STR("+OK")))
        return "pop3";
    if (str_starts(s, STR("220 ")) || str_starts(s, STR("220-")))
        return str_find(s, STR("FTP")) != SIZE_MAX ? "ftp" : "smtp";
    /* length (3 bytes), number 0, then protocol 10 and a version text; or an error packet: "host is
     * not allowed" */
    struct cur c = cur_from(s);
    uint32_t head = cur_le32(&c);
    uint8_t first = cur_u8(&c);
    if (cur_ok(&c) && head >> 24 == 0 && head > 4 && head < 4096 &&
        (first == 10 || first == 0xff)) {
        uint8_t next = cur_u8(&c);
        if (first == 0xff || (next >= '0' && next <= '9'))
            return "mysql";
    }
    return NULL;
}

const char *protoprobe_postgres_kind(struct str s) {
    return s.n == 1 && (s.p[0] == 'S' || s.p[0] == 'N') ? "postgresql" : NULL;
}

const char *protoprobe_redis_kind(struct str s) {
    static const char *const answers[] = {"+PONG",    "-NOAUTH", "-NOPERM",
                                          "-LOADING", "-DENIED", "-MASTERDOWN"};
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        if (str_starts(s, str_from(answers[i])))
            return "redis";
    return NULL;
}

/* Says `say` (may be empty), reads once. */
static const char *exchange(const char *address, uint16_t port, struct str say,
                            const char *(*kind)(struct str)) {
    char in[PROTOPROBE_BYTES];
    int fd;
    if (!tlsprobe_connect(address, port, &fd, NULL))
        return NULL;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n = -1;
    if (say.n == 0 || send(fd, say.p, say.n, MSG_NOSIGNAL) == (ssize_t)say.n)
        if (poll(&p, 1, PROTOPROBE_GREETING_MS) == 1)
            n = recv(fd, in, sizeof(in), 0);
    close(fd);
    return n > 0 ? kind(str_make(in, (size_t)n)) : NULL;
}

const char *protoprobe_listen(const char *address, uint16_t port) {
    return exchange(address, port, STR(""), protoprobe_greeting_kind);
}

const char *protoprobe_ask(const char *address, uint16_t port) {
    const char *kind = exchange(address, port, STR("PING\r\n"), protoprobe_redis_kind);
    return kind
               ? kind
               : exchange(address, port, STR("\0\0\0\x8\x4\xd2\x16\x2f"), protoprobe_postgres_kind);
}
