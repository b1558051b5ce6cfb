/* inventory.h - services, hosts, endpoints, owners and channels of the team, and the edges between
 * them: the one place that knows what belongs to what, and the one that maps telemetry to a
 * service.
 *
 * Three origins are merged field by field, and each field remembers its own:
 *   declared    the configuration file (always wins: it is what the team reviewed)
 *   overridden  set in the screen (kept in the state store)
 *   observed    telemetry: collectors, scrape targets, agents
 *
 * Readers take an immutable, ref-counted snapshot; everything in it lives until inventory_unref.
 * The same input gives the same snapshot, in the same order (by id), whatever the order of the
 * calls. Any thread.
 */
#ifndef INVENTORY_INVENTORY_H
#define INVENTORY_INVENTORY_H

#include "base/arena.h"
#include "base/timev.h"
#include "model/conf.h"
#include "model/labels.h"
#include "store/state/state.h"

#define INVENTORY_OBJECTS_MAX 20000 /* of each kind; a team of ten has a few hundred */
#define INVENTORY_FORGET_MS                                                                        \
    ((int64_t)7 * 24 * 3600 * 1000) /* observed things not seen for a week go */
#define INVENTORY_UNKNOWN INT64_MIN /* of an instant or a size */

enum inventory_origin { ORIGIN_OBSERVED, ORIGIN_OVERRIDDEN, ORIGIN_DECLARED }; /* the larger wins */
const char *inventory_origin_name(enum inventory_origin o);                    /* "observed", ... */

struct inventory_text { /* value.p NULL: unknown */
    struct str value;
    enum inventory_origin origin;
};

struct inventory_service {
    struct str id; /* the name in lower case; unique */
    struct str name;
    enum inventory_origin origin; /* the strongest that knows of it */
    struct inventory_text description, owner, channel, url;
    int64_t created_ms, last_seen_ms; /* INVENTORY_UNKNOWN */
    struct conf_source at;            /* where it is declared; file NULL: it is not */
};
struct inventory_host {
    struct str id, name;
    enum inventory_origin origin;
    struct inventory_text os, kernel, architecture, owner;
    int64_t cpus, memory_bytes, last_seen_ms; /* INVENTORY_UNKNOWN */
    bool is_self, in_container;
};
struct inventory_endpoint {
    struct str id;                                  /* "<host>/<proto>/<address>:<port>" */
    struct str address, proto, kind, service, host; /* service, host: ids; NULL: unknown */
    int64_t port, last_seen_ms;
    enum inventory_origin origin;
};
struct inventory_owner {
    struct str id, name, email;
    enum inventory_origin origin;
};
struct inventory_channel {
    struct str id, name, kind;
    enum inventory_origin origin;
};
enum inventory_edge_kind {
    EDGE_RUNS_ON,
    EDGE_DEPENDS_ON,
    EDGE_OWNED_BY,
    EDGE_LISTENS_ON,
    EDGE_NOTIFIES
};
const char *inventory_edge_name(enum inventory_edge_kind k); /* "runs_on", ... */
struct inventory_edge {
    struct str from,
        to; /* "service:shop", "host:web1", "owner:payments", "channel:#ops", "endpoint:..." */
    enum inventory_edge_kind kind;
    enum inventory_origin origin;
};

struct inventory_snapshot {
    uint64_t version; /* grows with each change */
    int64_t at_ms;
    const struct inventory_service *services;
    size_t n_services;
    const struct inventory_host *hosts;
    size_t n_hosts;
    const struct inventory_endpoint *endpoints;
    size_t n_endpoints;
    const struct inventory_owner *owners;
    size_t n_owners;
    const struct inventory_channel *channels;
    size_t n_channels;
    const struct inventory_edge *edges;
    size_t n_edges;
};

/* ---- declared: the `inventory` part of the configuration ---- */
struct inventory_match { /* telemetry that belongs to the service although it is named otherwise */
    struct conf_strs job, service;
};
struct inventory_service_config {
    struct str name, description, owner, channel, url;
    struct conf_strs runs_on, depends_on;
    struct inventory_match match;
    struct conf_source at;
};
struct inventory_host_config {
    struct str name, owner;
    struct conf_source at;
};
struct inventory_owner_config {
    struct str name, email, channel;
    struct conf_source at;
};
struct inventory_channel_config {
    struct str name, kind;
    struct conf_source at;
};
struct inventory_config {
    struct conf_list services, hosts, owners, channels;
};
extern const struct conf_table inventory_service_table, inventory_host_table, inventory_owner_table,
    inventory_channel_table;
/* Inline table of the four lists: for a root table that wants them at its own level, copy its
 * options and add the offset of its struct inventory_config. */
extern const struct conf_table inventory_config_table;
/* Cross checks: names that are twice there, owners, channels and services that nobody declares.
 * Warnings. */
void inventory_check(const struct inventory_config *config, struct conf_diags *diags);

/* ---- the inventory ---- */
struct inventory;
/* state NULL: nothing is overridden (tests, agent). */
struct inventory *inventory_open(struct state *state, const struct clock *clock,
                                 struct err *err) MUST_USE;
void inventory_close(struct inventory *inv); /* snapshots that are still held stay valid */

/* Copies config. */
bool inventory_declare(struct inventory *inv, const struct inventory_config *config,
                       struct err *err) MUST_USE;

/* Observed. Repeating what is known costs a lookup. Empty strings mean unknown. */
struct inventory_host_seen {
    struct str name, os, kernel, architecture;
    int64_t cpus, memory_bytes; /* INVENTORY_UNKNOWN */
    bool is_self, in_container;
    int64_t at_ms;
};
void inventory_see_host(struct inventory *inv, const struct inventory_host_seen *h);
struct inventory_endpoint_seen {
    struct str host, proto, address, kind, service;
    int64_t port, at_ms;
};
void inventory_see_endpoint(struct inventory *inv, const struct inventory_endpoint_seen *e);
/* A series, scrape target or batch with these labels was seen: its service (if it names one) and
 * the host of its instance. */
void inventory_see_labels(struct inventory *inv, struct labels ls, int64_t at_ms);

/* Overridden: what the screen adds. ERR_CONFLICT: there is one (create), or it is declared
 * (delete). */
struct inventory_service_edit {
    struct str name, description, owner, channel, url;
};
bool inventory_create_service(struct inventory *inv, const struct inventory_service_edit *e,
                              struct str by, struct err *err) MUST_USE;
bool inventory_delete_service(struct inventory *inv, struct str id, struct err *err) MUST_USE;
/* What was overridden, as YAML for the configuration file (`services:` list); nothing when there is
 * none. */
bool inventory_export(struct inventory *inv, struct buf *yaml, struct err *err) MUST_USE;

const struct inventory_snapshot *
inventory_get(struct inventory *inv); /* a reference; NULL: no memory */
void inventory_unref(const struct inventory_snapshot *s);

const struct inventory_service *inventory_find_service(const struct inventory_snapshot *s,
                                                       struct str id);
const struct inventory_host *inventory_find_host(const struct inventory_snapshot *s, struct str id);
/* The service that telemetry with these labels belongs to: what a declared `match` says, else the
 * label service_name, service.name, service, or job, in this order, as an id (lower case).
 * Infrastructure jobs ("node", "hinomi") are no services. {NULL,0}: none. The id lives in the
 * snapshot or in the labels' own bytes when it needs no folding, else in the arena. */
struct str inventory_service_of(const struct inventory_snapshot *s, struct labels ls,
                                struct arena *a);

#endif
