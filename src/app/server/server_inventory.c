/* The inventory is fed with what collectors, targets, agents and series show. */
#include "app/server/server.h"
#include "base/log.h"

enum {
    OBSERVE_EVERY_S = 10,
    SERIES_EVERY_ROUNDS = 6,
    FRESH_FOR_MS = 5 * 60 * 1000,
    NAMES_MAX = 2000
};

bool server_inventory_open(struct server *s, struct err *err) {
    s->inventory = inventory_open(s->state, s->clock, err);
    return s->inventory && inventory_declare(s->inventory, &s->config->root.inventory, err);
}

static int64_t or_unknown(int64_t v) {
    return v == OVERVIEW_UNKNOWN ? INVENTORY_UNKNOWN : v;
}

static void observe_host(struct server *s, struct arena *a, int64_t now) {
    struct overview o;
    if (!s->collect || !collect_overview(s->collect, a, &o))
        return;
    struct str name = collect_instance(s->collect);
    struct inventory_host_seen h = {.name = name,
                                    .os = o.host.os,
                                    .kernel = o.host.kernel,
                                    .architecture = o.host.architecture,
                                    .cpus = or_unknown(o.host.cpus),
                                    .memory_bytes = or_unknown(o.host.memory_bytes),
                                    .is_self = true,
                                    .in_container = o.host.in_container == KNOWN_YES,
                                    .at_ms = now};
    inventory_see_host(s->inventory, &h);
    for (size_t i = 0; i < o.n_listeners; i++) {
        const struct overview_listener *l = &o.listeners[i];
        struct inventory_endpoint_seen e = {.host = name,
                                            .proto = l->proto,
                                            .address = l->address,
                                            .kind = l->kind,
                                            .port = l->port,
                                            .at_ms = now};
        inventory_see_endpoint(s->inventory, &e);
    }
}

static void observe_targets(struct server *s, struct arena *a, int64_t now) {
    struct ingest_target_view *v;
    size_t n;
    struct err err;
    err_reset(&err);
    if (!ingest_targets(s->ingest, a, &v, &n, &err))
        return;
    for (size_t i = 0; i < n; i++)
        if (v[i].health == INGEST_UP)
            inventory_see_labels(s->inventory, v[i].labels, now);
}

static void observe_agents(struct server *s, struct arena *a) {
    struct agent_info *v;
    size_t n;
    struct err err;
    err_reset(&err);
    if (!agent_server_report(s->agents, &err))
        log_warn("agent", "whether agents are there could not be written: %s", err.message);
    err_reset(&err);
    if (!agent_server_list(s->agents, a, &v, &n, &err))
        return;
    for (size_t i = 0; i < n; i++) {
        struct inventory_host_seen h = {.name = v[i].host,
                                        .cpus = INVENTORY_UNKNOWN,
                                        .memory_bytes = INVENTORY_UNKNOWN,
                                        .at_ms = v[i].last_seen_ms};
        if (v[i].last_seen_ms)
            inventory_see_host(s->inventory, &h);
    }
}

/* Whatever else arrives (remote_write, agents' scrapes) names its service in one of these labels.
 */
static void observe_series(struct server *s, struct arena *a, int64_t now) {
    static const char *const names[] = {"service_name", "service.name", "service", "job"};
    struct reader r = series_reader(s->series);
    struct reader_query q = {.start_ms = now - FRESH_FOR_MS, .end_ms = now};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct str_list values;
        struct err err;
        err_reset(&err);
        if (!r.ops->label_values(r.self, str_from(names[i]), &q, NAMES_MAX, a, &values, &err))
            continue;
        for (size_t k = 0; k < values.n; k++) {
            struct label l = {str_from(names[i]), values.v[k]};
            inventory_see_labels(s->inventory, (struct labels){&l, 1}, now);
        }
    }
}

static void observe(void *self) {
    struct server *s = self;
    struct arena a = ARENA_INIT_MAX(64u << 20);
    unsigned round = 0;
    mutex_lock(&s->observe_lock);
    while (!s->observe_stopping) {
        mutex_unlock(&s->observe_lock);
        int64_t now = clock_wall_ms(s->clock);
        observe_host(s, &a, now);
        observe_targets(s, &a, now);
        observe_agents(s, &a);
        if (round++ % SERIES_EVERY_ROUNDS == 0)
            observe_series(s, &a, now);
        arena_reset(&a);
        mutex_lock(&s->observe_lock);
        if (!s->observe_stopping)
            (void)cond_wait_for(&s->observe_stop, &s->observe_lock,
                                round == 1 ? DUR_S(2) : DUR_S(OBSERVE_EVERY_S));
    }
    mutex_unlock(&s->observe_lock);
    arena_deinit(&a);
}

bool server_inventory_start(struct server *s, struct err *err) {
    return thread_start(&s->observe, "inventory", observe, s, err);
}

void server_inventory_stop(struct server *s) {
    mutex_lock(&s->observe_lock);
    s->observe_stopping = true;
    cond_signal(&s->observe_stop);
    mutex_unlock(&s->observe_lock);
    thread_join(&s->observe);
}
