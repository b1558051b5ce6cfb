/* sockdiag.h - TCP sockets that listen, from the kernel's list of them (sock_diag(7)): a hundred
 * times cheaper than /proc/net/tcp, which walks the hash table of all connections. */
#ifndef COLLECT_SOCKDIAG_H
#define COLLECT_SOCKDIAG_H

#include "feature/collect/sockets.h"

/* Calls found for each; false: this kernel does not tell (no module), and maybe some were found
 * already: read /proc. */
bool sockdiag_listeners(bool v6, void (*found)(void *self, const struct socket_entry *s),
                        void *self);

#endif
