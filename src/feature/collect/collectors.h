/* collectors.h - the registry: every collector, in the order in which they run and are shown. A new
 * one is one file with `const struct collector <name>_collector` and one line here. */
#ifndef COLLECT_COLLECTORS_H
#define COLLECT_COLLECTORS_H

#include "feature/collect/collector.h"

#define COLLECTORS(X)                                                                              \
    X(cpu)                                                                                         \
    X(loadavg)                                                                                     \
    X(meminfo)                                                                                     \
    X(vmstat)                                                                                      \
    X(pressure)                                                                                    \
    X(diskstats)                                                                                   \
    X(diskinfo)                                                                                    \
    X(netdev)                                                                                      \
    X(netclass)                                                                                    \
    X(netstat)                                                                                     \
    X(sockstat)                                                                                    \
    X(softnet)                                                                                     \
    X(filesystem)                                                                                  \
    X(processes)                                                                                   \
    X(cgroups)                                                                                     \
    X(systemd)                                                                                     \
    X(listeners)                                                                                   \
    X(swap)                                                                                        \
    X(kernel)                                                                                      \
    X(timex)                                                                                       \
    X(host)                                                                                        \
    X(self)

#define X(name) extern const struct collector name##_collector;
COLLECTORS(X)
#undef X

extern const char
    diskstats_default_exclude[]; /* pattern of disk names: partitions, loops, RAM disks */

#endif
