/* inventory_internal.h - the sources that a snapshot is made of, and the making. Caller holds the
 * lock. */
#ifndef INVENTORY_INVENTORY_INTERNAL_H
#define INVENTORY_INVENTORY_INTERNAL_H

#include "base/map.h"
#include "inventory/inventory.h"
#include "os/thread.h"

#include <stdatomic.h>

struct observed_service { /* heap, strings behind it */
    struct str name;
    int64_t first_ms, last_ms;
};
struct observed_host {
    struct inventory_host_seen seen; /* strings owned by `text` */
    char *text;
};
struct observed_endpoint {
    struct inventory_endpoint_seen seen;
    char *text;
};
struct overridden_service {
    struct inventory_service_edit e;
    char *text;
    int64_t created_ms;
};

struct inventory {
    struct mutex lock;
    struct state *state;
    struct clock clock;
    struct arena declared_arena;
    struct inventory_config declared;
    struct map
        aliases; /* "job\0x" or "service\0x" -> the declared service's id (char *, in the arena) */
    struct map services, hosts, endpoints; /* observed, by id */
    struct map overridden;                 /* services by id */
    uint64_t version;
    bool dirty;
    int64_t built_ms;
    struct inventory_snapshot *current;
};

struct inventory_snapshot_owner { /* what inventory_snapshot really is */
    struct inventory_snapshot view;
    _Atomic unsigned refs;
    struct arena arena;
    struct map aliases, services, hosts; /* keys and values in the arena */
};

/* Lower case, ASCII; the id of a name. */
struct str inventory_fold(struct arena *a, struct str name);
struct inventory_snapshot *inventory_build(struct inventory *inv);

#endif
