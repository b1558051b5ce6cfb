#include "feature/collect/sockets.h"

#include "feature/collect/scan.h"

#include <arpa/inet.h>

#define STATE_LISTEN 0x0a
#define STATE_UNCONNECTED 0x07

static bool address_of(struct str hex, bool v6, struct socket_entry *out) {
    unsigned char raw[16];
    size_t words = v6 ? 4 : 1;
    if (hex.n != words * 8)
        return false;
    for (size_t i = 0; i < words; i++) { /* the kernel prints words of the machine's byte order */
        uint64_t w;
        if (!scan_hex(str_sub(hex, i * 8, 8), &w))
            return false;
        uint32_t word = (uint32_t)w;
        memcpy(raw + 4 * i, &word, 4);
    }
    return sockets_set_address(out, raw, v6);
}

bool sockets_set_address(struct socket_entry *out, const unsigned char *raw, bool v6) {
    static const unsigned char zero[16], mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const unsigned char one[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    bool is_mapped = v6 && memcmp(raw, mapped, 12) == 0;
    const unsigned char *four = is_mapped ? raw + 12 : raw;
    out->any = memcmp(raw, zero, v6 ? 16 : 4) == 0;
    out->loopback = v6 && !is_mapped ? memcmp(raw, one, 16) == 0 : four[0] == 127;
    return inet_ntop(v6 && !is_mapped ? AF_INET6 : AF_INET, four, out->address,
                     sizeof(out->address)) != NULL;
}

bool sockets_parse_line(struct str line, bool udp, bool v6, struct socket_entry *out) {
    struct str slot, local, remote, state, host, rhost;
    uint64_t port, rport, st, inode;
    if (!scan_field(&line, &slot) || slot.n < 2 || slot.p[slot.n - 1] != ':' ||
        !scan_field(&line, &local) || !scan_field(&line, &remote) || !scan_field(&line, &state))
        return false;
    if (!str_next(&local, ':', &host) || !scan_hex(local, &port) || port > UINT16_MAX ||
        !str_next(&remote, ':', &rhost) || !scan_hex(remote, &rport) || !scan_hex(state, &st))
        return false;
    if (udp ? st != STATE_UNCONNECTED || rport != 0 : st != STATE_LISTEN)
        return false;
    /* tx:rx, timer, retransmits, uid, timeout, inode */
    if (!scan_skip(&line, 5) || !scan_field_u64(&line, &inode))
        return false;
    struct socket_entry e = {.udp = udp, .v6 = v6, .port = (uint16_t)port, .inode = inode};
    if (!address_of(host, v6, &e))
        return false;
    *out = e;
    return true;
}
