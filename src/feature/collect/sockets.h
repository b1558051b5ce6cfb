/* sockets.h - who listens: /proc/net/{tcp,tcp6,udp,udp6}
 * (Documentation/networking/proc_net_tcp.rst). Pure. */
#ifndef COLLECT_SOCKETS_H
#define COLLECT_SOCKETS_H

#include "base/str.h"

#define SOCKETS_ADDRESS_BYTES 46 /* INET6_ADDRSTRLEN */

struct socket_entry {
    bool udp, v6;
    char address[SOCKETS_ADDRESS_BYTES];
    uint16_t port;
    uint64_t inode;
    bool loopback, any; /* bound to loopback alone, to every address */
};
/* raw: 4 or 16 bytes in network order. Fills address, loopback and any. */
bool sockets_set_address(struct socket_entry *out, const unsigned char *raw, bool v6);
/* One line of such a file. false: no listener (or not a line). */
bool sockets_parse_line(struct str line, bool udp, bool v6, struct socket_entry *out);

#endif
