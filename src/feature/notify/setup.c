/* From configuration (and receivers added in the screen) to destinations and routes. */
#include "feature/notify/notify_int.h"

#include <stdlib.h>

#define WAIT_MS 30000
#define INTERVAL_MS (5 * 60000)
#define REPEAT_MS (4 * 3600 * 1000)
#define DEFAULT_WAIT_MS 10000 /* of the route that stands when none is configured */

static bool add_dest(struct setup *s, size_t index, const struct dest *from, struct err *err) {
    struct dest *d = &s->dests[s->n_dests++];
    *d = *from;
    d->maybe_waiting = true;
    d->id = index ? arena_printf(&s->arena, "%.*s#%zu", STR_FMT(d->receiver), index)
                  : arena_str(&s->arena, d->receiver);
    return !s->arena.failed || arena_err(&s->arena, err);
}

static bool declared(struct setup *s, const struct notify_conf *conf, struct err *err) {
    const struct notify_receiver_conf *r = conf->receivers.v;
    for (size_t i = 0; i < conf->receivers.n; i++) {
        struct dest base = {.receiver = r[i].name,
                            .fallback = r[i].fallback,
                            .declared = true,
                            .language = (enum notify_language)r[i].language};
        size_t index = 0;
        const struct notify_slack_conf *slack = r[i].slack.v;
        for (size_t k = 0; k < r[i].slack.n; k++) {
            struct dest d = base;
            d.kind = DEST_SLACK;
            d.send_resolved = slack[k].send_resolved;
            d.url = slack[k].api_url.n ? slack[k].api_url : conf->global.slack_api_url;
            d.channel = slack[k].channel;
            d.username = slack[k].username;
            d.icon_emoji = slack[k].icon_emoji;
            d.icon_url = slack[k].icon_url;
            d.http = slack[k].http ? slack[k].http : conf->global.http;
            if (!add_dest(s, index++, &d, err))
                return false;
        }
        const struct notify_webhook_conf *hook = r[i].webhook.v;
        for (size_t k = 0; k < r[i].webhook.n; k++) {
            struct dest d = base;
            d.kind = DEST_WEBHOOK;
            d.send_resolved = hook[k].send_resolved;
            d.url = hook[k].url;
            d.max_alerts = hook[k].max_alerts;
            d.timeout_ms = hook[k].timeout_ms;
            d.http = hook[k].http ? hook[k].http : conf->global.http;
            if (!add_dest(s, index++, &d, err))
                return false;
        }
    }
    return true;
}

static bool taken(const struct setup *s, struct str receiver) {
    for (size_t i = 0; i < s->n_dests; i++)
        if (str_eq(s->dests[i].receiver, receiver))
            return true;
    return false;
}

static bool added(struct setup *s, struct notify *n, struct err *err) {
    struct state_tx *tx = state_begin_read(n->opt.state, err);
    if (!tx)
        return false;
    struct err e = {0};
    struct state_rows *r = state_query(tx, &e,
                                       "SELECT name,kind,url,coalesce(channel,''),language FROM "
                                       "receivers ORDER BY created_ms,name",
                                       "");
    bool ok = r != NULL;
    while (ok && state_next(r, &e)) {
        if (taken(s, state_str(r, 0)) || s->n_dests == NOTIFY_RECEIVERS_MAX * 8)
            continue; /* the configuration wins */
        struct dest d = {.receiver = arena_str(&s->arena, state_str(r, 0)),
                         .kind = str_eqz(state_str(r, 1), "slack") ? DEST_SLACK : DEST_WEBHOOK,
                         .url = arena_str(&s->arena, state_str(r, 2)),
                         .send_resolved = true,
                         .language = str_eqz(state_str(r, 4), "ja") ? NOTIFY_JA : NOTIFY_EN};
        ok = add_dest(s, 0, &d, &e);
    }
    state_rows_free(r);
    state_rollback(tx);
    if ((!ok || e.code != ERR_OK) && err)
        *err = e;
    return ok && e.code == ERR_OK;
}

static struct str path_id(struct arena *a, const struct route *parent, const struct route *r) {
    struct buf b = BUF_INIT;
    if (parent)
        buf_puts(&b, parent->id);
    buf_putc(&b, '{');
    for (size_t i = 0; i < r->matchers.n; i++) {
        if (i)
            buf_putc(&b, ',');
        matcher_format(&b, &r->matchers.v[i]);
    }
    buf_putc(&b, '}');
    struct str id = arena_str(a, buf_view(&b));
    buf_deinit(&b);
    return id;
}

static bool times_of(struct setup *s, const struct conf_strs *names, const struct interval ***out,
                     size_t *out_n, struct err *err) {
    *out = ARENA_ARRAY(&s->arena, const struct interval *, names->n + 1);
    if (!*out)
        return arena_err(&s->arena, err);
    for (size_t i = 0; i < names->n; i++)
        for (size_t k = 0; k < s->n_intervals; k++)
            if (str_eq(s->intervals[k].name, names->v[i])) {
                (*out)[(*out_n)++] = &s->intervals[k];
                break;
            }
    return true;
}

static struct route *compile(struct setup *s, const struct notify_route_conf *c,
                             const struct route *parent, unsigned depth, struct err *err) {
    struct route *r = ARENA_NEW(&s->arena, struct route);
    if (!r || depth > NOTIFY_ROUTE_DEPTH_MAX) {
        arena_err(&s->arena, err);
        return NULL;
    }
    if (!notify_matchers_compile(&c->matchers, &c->match, &c->match_re, &s->arena, &r->matchers,
                                 err))
        return NULL;
    r->receiver = c->receiver.n || !parent ? c->receiver : parent->receiver;
    r->go_on = c->continue_matching;
    r->wait_ms = c->group_wait_ms >= 0 ? c->group_wait_ms : parent ? parent->wait_ms : WAIT_MS;
    r->interval_ms = c->group_interval_ms >= 0 ? c->group_interval_ms
                     : parent                  ? parent->interval_ms
                                               : INTERVAL_MS;
    r->repeat_ms = c->repeat_interval_ms >= 0 ? c->repeat_interval_ms
                   : parent                   ? parent->repeat_ms
                                              : REPEAT_MS;
    r->group_by = c->group_by;
    r->group_all = c->group_by.n == 1 && str_eqz(c->group_by.v[0], "...");
    if (c->group_by.n == 0 && parent) {
        r->group_by = parent->group_by;
        r->group_all = parent->group_all;
    }
    r->id = path_id(&s->arena, parent, r);
    r->quiet = ARENA_NEW(&s->arena, struct quiet_cache);
    if (!r->quiet) {
        arena_err(&s->arena, err);
        return NULL;
    }
    if (!times_of(s, &c->mute_time_intervals, &r->times.mute, &r->times.n_mute, err) ||
        !times_of(s, &c->active_time_intervals, &r->times.active, &r->times.n_active, err))
        return NULL;
    const struct notify_route_conf *sub = c->routes.v;
    struct route **tail = &r->child;
    for (size_t i = 0; i < c->routes.n; i++) {
        *tail = compile(s, &sub[i], r, depth + 1, err);
        if (!*tail)
            return NULL;
        tail = &(*tail)->sibling;
    }
    return r;
}

static struct route *default_route(struct setup *s, struct err *err) {
    struct route *r = ARENA_NEW(&s->arena, struct route);
    struct str *by = ARENA_NEW(&s->arena, struct str);
    if (!r || !by) {
        arena_err(&s->arena, err);
        return NULL;
    }
    *by = STR("alertname");
    *r = (struct route){.id = STR("{}"),
                        .group_by = {by, 1},
                        .wait_ms = DEFAULT_WAIT_MS,
                        .interval_ms = INTERVAL_MS,
                        .repeat_ms = REPEAT_MS};
    return r;
}

static bool inhibits(struct setup *s, const struct notify_conf *conf, struct err *err) {
    const struct notify_inhibit_conf *c = conf->inhibit_rules.v;
    s->inhibits = ARENA_ARRAY(&s->arena, struct inhibit, conf->inhibit_rules.n + 1);
    if (!s->inhibits)
        return arena_err(&s->arena, err);
    for (size_t i = 0; i < conf->inhibit_rules.n; i++) {
        struct inhibit *x = &s->inhibits[s->n_inhibits++];
        x->equal = c[i].equal;
        if (!notify_matchers_compile(&c[i].source_matchers, &c[i].source_match,
                                     &c[i].source_match_re, &s->arena, &x->source, err) ||
            !notify_matchers_compile(&c[i].target_matchers, &c[i].target_match,
                                     &c[i].target_match_re, &s->arena, &x->target, err))
            return false;
    }
    return true;
}

static bool intervals(struct setup *s, const struct notify_conf *conf, struct err *err) {
    const struct notify_time_interval_conf *c = conf->time_intervals.v;
    s->intervals = ARENA_ARRAY(&s->arena, struct interval, conf->time_intervals.n + 1);
    if (!s->intervals)
        return arena_err(&s->arena, err);
    for (size_t i = 0; i < conf->time_intervals.n; i++)
        if (!interval_compile(&c[i], &s->arena, &s->intervals[s->n_intervals++], err))
            return false;
    return true;
}

struct setup *setup_new(struct notify *n, const struct notify_conf *conf, struct err *err) {
    struct setup *s = calloc(1, sizeof(*s));
    if (!s) {
        err_set(err, ERR_INTERNAL, "out of memory loading receivers");
        return NULL;
    }
    size_t max = NOTIFY_RECEIVERS_MAX * 8 + 1;
    const struct notify_receiver_conf *r = conf ? conf->receivers.v : NULL;
    for (size_t i = 0; conf && i < conf->receivers.n; i++)
        max += r[i].slack.n + r[i].webhook.n;
    s->dests = ARENA_ARRAY(&s->arena, struct dest, max);
    bool ok = s->dests || arena_err(&s->arena, err);
    ok = ok && (!conf || declared(s, conf, err)) && added(s, n, err) &&
         (!conf || (inhibits(s, conf, err) && intervals(s, conf, err)));
    if (ok)
        s->root =
            conf && conf->route ? compile(s, conf->route, NULL, 0, err) : default_route(s, err);
    if (!ok || !s->root) {
        setup_free(s);
        return NULL;
    }
    return s;
}

static void free_routes(struct route *r) {
    for (; r; r = r->sibling) {
        notify_matchers_free(&r->matchers);
        free_routes(r->child);
    }
}

void setup_free(struct setup *s) {
    if (!s)
        return;
    free_routes(s->root);
    for (size_t i = 0; i < s->n_inhibits; i++) {
        notify_matchers_free(&s->inhibits[i].source);
        notify_matchers_free(&s->inhibits[i].target);
    }
    for (size_t i = 0; i < s->n_intervals; i++)
        interval_free(&s->intervals[i]);
    arena_deinit(&s->arena);
    free(s);
}

struct dest *setup_dest(struct setup *s, struct str id) {
    for (size_t i = 0; i < s->n_dests; i++)
        if (str_eq(s->dests[i].id, id))
            return &s->dests[i];
    return NULL;
}

static bool walk(const struct route *r, struct labels ls, bool (*fn)(void *, const struct route *),
                 void *arg, bool *taken_by) {
    if (!matchers_match(r->matchers.v, r->matchers.n, ls))
        return true;
    bool below = false;
    for (const struct route *c = r->child; c; c = c->sibling) {
        bool hit = false;
        if (!walk(c, ls, fn, arg, &hit))
            return false;
        below |= hit;
        if (hit && !c->go_on)
            break;
    }
    *taken_by = true;
    return below || fn(arg, r);
}

bool setup_route(const struct setup *s, struct labels ls,
                 bool (*fn)(void *arg, const struct route *r), void *arg) {
    bool hit = false;
    return walk(s->root, ls, fn, arg, &hit);
}
