/* systemd.c - the state of each unit as a running systemd tells it over D-Bus (sdbus.h), under
 * node_exporter's name and labels. Where no systemd runs nothing is written and the screen says so:
 * files under /etc or /run could tell what is installed, but not what has failed.
 */
#include "feature/collect/collectors.h"
#include "feature/collect/sdbus.h"
#include "feature/collect/seen.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define UNITS_MAX 2000
#define TYPE_BYTES_MAX 32
#define STATES 5
#define BUS "run/dbus/system_bus_socket"
#define PRIVATE "run/systemd/private" /* for root where no bus runs */

struct unit {
    struct seen_entry entry;   /* key: name */
    char type[TYPE_BYTES_MAX]; /* of services: simple, forking, notify ...; "" */
    size_t state;              /* index; STATES: a state that we do not know */
    bool type_asked;
};
struct systemd {
    struct emit_table *table;
    struct seen units; /* shared: env->lock */
    bool running;      /* systemd is there at all */
    bool known;        /* the last question was answered */
    char why[160];
};

static const char *const states[STATES + 1] = {"active",   "activating", "deactivating",
                                               "inactive", "failed",     NULL};
static const char *const labels[] = {"name", "state", "type"};
static const struct emit_metric metrics[] = {
    {"node_systemd_unit_state", METRIC_GAUGE, "Systemd unit"}};
static const struct emit_group group = {labels, 3, metrics, 1, UNITS_MAX *STATES};

static bool init(void *self, struct collect_env *env, struct err *err) {
    (void)err;
    struct systemd *s = self;
    s->table = emit_table(env->emit, &group);
    s->units.max = UNITS_MAX;
    return true;
}

static bool path_of(const struct collect_env *env, const char *name, char *out, size_t cap) {
    int n = snprintf(out, cap, "%s/%s", env->root, name);
    return n > 0 && (size_t)n < cap;
}

static bool connect_systemd(const struct collect_env *env, struct sdbus *bus, struct err *err) {
    char path[PATH_MAX];
    struct str ignored;
    struct sdbus_call hello = {"org.freedesktop.DBus",
                               "/org/freedesktop/DBus",
                               "org.freedesktop.DBus",
                               "Hello",
                               {NULL, NULL}};
    if (path_of(env, PRIVATE, path, sizeof(path)) && geteuid() == 0 && access(path, F_OK) == 0 &&
        sdbus_open(bus, path, err))
        return true;
    if (!path_of(env, BUS, path, sizeof(path)) || !sdbus_open(bus, path, err))
        return false;
    if (sdbus_call(bus, &hello, &ignored, err))
        return true;
    sdbus_close(bus);
    return false;
}

static size_t state_of(struct str name) {
    size_t i = 0;
    while (i < STATES && !str_eqz(name, states[i]))
        i++;
    return i;
}

/* node_exporter leaves these out too: there are hundreds, and none of them fails by itself. */
static bool wanted(const struct sdbus_unit *u) {
    static const char *const left_out[] = {".automount", ".device", ".mount", ".scope", ".slice"};
    if (!str_eq(u->load_state, STR("loaded")))
        return false;
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
        if (str_ends(u->name, str_from(left_out[i])))
            return false;
    return u->name.n > 0;
}

static bool list_units(struct systemd *s, struct collect_env *env, struct sdbus *bus,
                       struct err *err) {
    static const struct sdbus_call list = {"org.freedesktop.systemd1",
                                           "/org/freedesktop/systemd1",
                                           "org.freedesktop.systemd1.Manager",
                                           "ListUnits",
                                           {NULL, NULL}};
    struct str body;
    struct sdbus_units all, check;
    struct sdbus_unit u;
    if (!sdbus_call(bus, &list, &body, err))
        return false;
    sdbus_units_open(body, &check);
    while (sdbus_units_next(&check, &u))
        ;
    if (!sdbus_units_ok(&check))
        return err_set(err, ERR_BAD_INPUT, "systemd's list of units cannot be read");
    mutex_lock(env->lock);
    seen_begin(&s->units);
    sdbus_units_open(body, &all);
    while (sdbus_units_next(&all, &u)) {
        struct unit *known = wanted(&u) ? seen_touch(&s->units, u.name, sizeof(*known)) : NULL;
        if (known)
            known->state = state_of(u.active_state);
    }
    seen_sweep(&s->units);
    mutex_unlock(env->lock);
    return true;
}

/* systemd's object of a unit: every byte but letters and digits as _xx. */
static bool object_of(struct str name, char *out, size_t cap) {
    int n = snprintf(out, cap, "/org/freedesktop/systemd1/unit/");
    size_t at = n > 0 ? (size_t)n : 0;
    for (size_t i = 0; i < name.n && at + 4 < cap; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool digit = c >= '0' && c <= '9',
             letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter || (digit && i > 0)) {
            out[at++] = (char)c;
            out[at] = '\0';
        } else {
            snprintf(out + at, cap - at, "_%02x", c);
            at += 3;
        }
    }
    return at + 4 < cap;
}

/* The type of a service never changes while it is loaded: asked once. This thread alone changes the
 * set. */
static void ask_types(struct systemd *s, struct collect_env *env, struct sdbus *bus) {
    char object[1024];
    for (struct unit *u = seen_next(&s->units, NULL); u && !*env->stopping;
         u = seen_next(&s->units, u)) {
        struct str body, type;
        if (u->type_asked || !str_ends(u->entry.key, STR(".service")) ||
            !object_of(u->entry.key, object, sizeof(object)))
            continue;
        struct sdbus_call get = {"org.freedesktop.systemd1",
                                 object,
                                 "org.freedesktop.DBus.Properties",
                                 "Get",
                                 {"org.freedesktop.systemd1.Service", "Type"}};
        struct err err = {0};
        bool ok = sdbus_call(bus, &get, &body, &err);
        if (!ok && err.code != ERR_EXECUTION)
            return; /* the connection is gone: next time */
        mutex_lock(env->lock);
        u->type_asked = true;
        if (ok && sdbus_variant_str(body, &type) && type.n < TYPE_BYTES_MAX)
            memcpy(u->type, type.p, type.n);
        mutex_unlock(env->lock);
    }
}

static void tell(struct systemd *s, struct collect_env *env, bool running, bool known,
                 const char *why) {
    mutex_lock(env->lock);
    s->running = running;
    s->known = known;
    snprintf(s->why, sizeof(s->why), "%.150s", why);
    mutex_unlock(env->lock);
}

static bool gather(void *self, struct collect_env *env, struct err *err) {
    (void)err;
    struct systemd *s = self;
    struct sdbus bus;
    struct err failed = {0};
    char path[PATH_MAX];
    /* what sd_booted(3) looks at */
    if (!path_of(env, "run/systemd/system", path, sizeof(path)) || access(path, F_OK) != 0) {
        tell(s, env, false, false, "no systemd runs here");
        return true;
    }
    if (!connect_systemd(env, &bus, &failed)) {
        tell(s, env, true, false, failed.message);
        return true;
    }
    bool ok = list_units(s, env, &bus, &failed);
    if (ok)
        ask_types(s, env, &bus);
    sdbus_close(&bus);
    tell(s, env, true, ok, ok ? "" : failed.message);
    return true;
}

static bool collect(void *self, struct collect_env *env, struct err *err) {
    struct systemd *s = self;
    if (s->running && !s->known)
        return err_set(err, ERR_UNAVAILABLE, "%s",
                       s->why[0] ? s->why : "systemd has not been asked");
    if (!s->known) {
        buf_putz(&env->detail, s->why[0] ? s->why : "not yet asked");
        return true;
    }
    for (struct unit *u = seen_next(&s->units, NULL); u; u = seen_next(&s->units, u))
        for (size_t i = 0; i < STATES; i++) {
            struct str values[] = {u->entry.key, str_from(states[i]), str_from(u->type)};
            emit_put(emit_item(s->table, values), 0, u->state == i ? 1 : 0);
        }
    return true;
}

/* Runs after cgroups, which has listed what has a control group: adds the states, and what has
 * failed. */
static void overview(void *self, const struct collect_env *env, struct arena *a,
                     struct overview *out) {
    (void)env;
    struct systemd *s = self;
    if (!s->known)
        return;
    size_t n_old = out->n_units;
    struct overview_unit *all =
        ARENA_ARRAY(a, struct overview_unit, n_old + seen_count(&s->units) + 1);
    if (!all)
        return;
    size_t n = 0;
    for (size_t i = 0; i < n_old; i++) {
        all[n] = out->units[i];
        const struct unit *u = seen_find(&s->units, all[n].name);
        if (u && u->state < STATES)
            all[n].state = str_from(states[u->state]);
        n++;
    }
    for (struct unit *u = seen_next(&s->units, NULL); u; u = seen_next(&s->units, u)) {
        bool listed = u->state >= STATES || strcmp(states[u->state], "failed") != 0;
        for (size_t i = 0; i < n_old && !listed; i++)
            listed = str_eq(out->units[i].name, u->entry.key);
        if (!listed)
            all[n++] =
                (struct overview_unit){arena_str(a, u->entry.key), str_from(states[u->state]),
                                       collect_nan(), OVERVIEW_UNKNOWN};
    }
    out->units = all;
    out->n_units = n;
}

static void deinit(void *self) {
    seen_deinit(&((struct systemd *)self)->units);
}

const struct collector systemd_collector = {.name = "systemd",
                                            .help = "State of systemd's units",
                                            .every = EVERY_15_S,
                                            .size = sizeof(struct systemd),
                                            .init = init,
                                            .gather = gather,
                                            .collect = collect,
                                            .overview = overview,
                                            .deinit = deinit};
