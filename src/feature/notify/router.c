/* Signals to groups to outbox. Memory mirrors notify_alerts and notify_groups; when a transaction
 * fails, memory is thrown away and read again, so that it never knows more than the disk. */
#include "base/hash.h"
#include "base/log.h"
#include "feature/notify/notify_int.h"

#include <stdio.h>
#include <stdlib.h>

#define NOBODY_WAIT_MS                                                                             \
    60000 /* a group whose receiver does not exist (yet) looks again after this */

static void alert_free(struct alert_rec *a) {
    if (!a)
        return;
    free(a->labels);
    free(a->annotations);
    free(a->url);
    free(a);
}
static void group_free(struct ngroup *g) {
    if (!g)
        return;
    free(g->labels);
    map_deinit(&g->told);
    map_deinit(&g->members);
    free(g);
}

void router_clear(struct notify *n) {
    for (struct map_entry *e = map_next(&n->alerts, NULL); e; e = map_next(&n->alerts, e))
        alert_free(e->value);
    for (struct map_entry *e = map_next(&n->groups, NULL); e; e = map_next(&n->groups, e))
        group_free(e->value);
    map_deinit(&n->alerts);
    map_deinit(&n->groups);
    n->router_loaded = false;
}

/* ---- groups ---- */

static bool group_labels(const struct route *r, struct labels ls, struct labels_builder *b) {
    if (r->group_all) {
        labels_builder_reset(b, ls);
        return !b->failed;
    }
    for (size_t i = 0; i < r->group_by.n; i++)
        labels_builder_set(b, r->group_by.v[i], labels_get(ls, r->group_by.v[i]));
    return !b->failed;
}

static struct ngroup *group_of(struct notify *n, const struct route *r, struct labels ls) {
    struct labels_builder b = LABELS_BUILDER_INIT;
    struct buf id = BUF_INIT;
    char key[KEY_BYTES + 1];
    struct ngroup *g = NULL;
    if (group_labels(r, ls, &b)) {
        buf_puts(&id, r->receiver);
        buf_putc(&id, 0);
        buf_puts(&id, r->id);
        buf_putc(&id, 0);
        labels_format(&id, labels_builder_view(&b));
        message_key(key, buf_view(&id));
        g = buf_ok(&id) ? map_get(&n->groups, str_from(key)) : NULL;
        if (!g && buf_ok(&id) && (g = calloc(1, sizeof(*g)))) {
            memcpy(g->key, key, sizeof(key));
            g->route = r;
            g->labels = labels_dup(labels_builder_view(&b));
            g->due_ms = INT64_MAX;
            /* Keys of messages hold it: a group that comes again must not repeat those of the last
             * one, which are in the outbox still. */
            g->sequence = clock_wall_ms(n->opt.clock);
            if (!g->labels || !map_put(&n->groups, str_from(key), g, NULL)) {
                group_free(g);
                g = NULL;
            }
        }
    }
    buf_deinit(&id);
    labels_builder_deinit(&b);
    return g;
}

struct joining {
    struct notify *n;
    struct alert_rec *a;
    int64_t now_ms;
    bool news; /* a firing or a resolve, and not only new words */
};

/* Puts the alert into the route's group and says when the group is due. */
static bool join(void *arg, const struct route *r) {
    struct joining *j = arg;
    struct ngroup *g = group_of(j->n, r, *j->a->labels);
    if (!g)
        return false;
    struct str key = {j->a->key, KEY_BYTES};
    bool member = map_get(&g->members, key) != NULL;
    if (!member && !j->a->firing && !map_get(&g->told, key))
        return true; /* over before anybody heard of it */
    if (!member) {
        if (!map_put(&g->members, key, j->a, NULL))
            return false;
        j->a->refs++;
    }
    if (j->news) {
        int64_t due = g->told_ms ? g->told_ms + r->interval_ms : j->now_ms + r->wait_ms;
        if (due < j->now_ms)
            due = j->now_ms;
        if (due < g->due_ms)
            g->due_ms = due;
        g->dirty = true;
    }
    return true;
}

/* ---- reading back ---- */

static struct alert_rec *alert_get(struct notify *n, struct str key) {
    struct alert_rec *a = map_get(&n->alerts, key);
    if (a)
        return a;
    a = calloc(1, sizeof(*a));
    if (a && (key.n != KEY_BYTES || !map_put(&n->alerts, key, a, NULL))) {
        free(a);
        return NULL;
    }
    if (a)
        memcpy(a->key, key.p, KEY_BYTES);
    return a;
}

struct alert_text {
    struct str labels, annotations, value, url;
    int64_t starts_ms, ends_ms;
    bool firing;
};

static bool alert_set(struct alert_rec *a, const struct alert_text *t) {
    struct arena arena = ARENA_INIT;
    struct labels labels, texts;
    struct err e = {0};
    bool ok = labels_parse(t->labels, &arena, &labels, &e) &&
              labels_parse(t->annotations, &arena, &texts, &e);
    if (ok) {
        free(a->labels);
        free(a->annotations);
        free(a->url);
        a->labels = labels_dup(labels);
        a->annotations = labels_dup(texts);
        a->url = calloc(1, t->url.n + 1);
        if (a->url && t->url.n)
            memcpy(a->url, t->url.p, t->url.n);
        (void)snprintf(a->value, sizeof(a->value), "%.*s", STR_FMT(t->value));
        a->firing = t->firing;
        a->starts_ms = t->starts_ms;
        a->ends_ms = t->ends_ms;
        ok = a->labels && a->annotations && a->url;
    } else {
        log_warn("notify", "alert %.*s cannot be read: %s", STR_FMT(t->labels), e.message);
    }
    arena_deinit(&arena);
    return ok;
}

static bool load_groups(struct notify *n, struct state_tx *tx, struct err *err) {
    struct err e = {0};
    struct state_rows *r =
        state_query(tx, &e,
                    "SELECT group_key,receiver,route,labels,due_ms,told_ms,sequence,told_firing "
                    "FROM notify_groups",
                    "");
    bool ok = r != NULL;
    while (ok && state_next(r, &e)) {
        struct ngroup *g = calloc(1, sizeof(*g));
        struct str key = state_str(r, 0), told = state_str(r, 7), one;
        struct arena a = ARENA_INIT;
        struct labels ls;
        struct err bad;
        ok = g && key.n == KEY_BYTES && labels_parse(state_str(r, 3), &a, &ls, &bad) &&
             (g->labels = labels_dup(ls)) != NULL;
        if (ok) {
            memcpy(g->key, key.p, KEY_BYTES);
            g->due_ms = state_int(r, 4);
            g->told_ms = state_int(r, 5);
            g->sequence = state_int(r, 6);
            while (ok && str_next(&told, ' ', &one))
                ok = one.n == 0 || map_put(&g->told, one, g, NULL);
        }
        ok = ok && map_put(&n->groups, key, g, NULL);
        if (!ok) {
            group_free(g);
            err_set(&e, ERR_CORRUPT, "a row of notify_groups cannot be read");
        }
        arena_deinit(&a);
    }
    state_rows_free(r);
    if ((!ok || e.code) && err)
        *err = e;
    return ok && e.code == ERR_OK;
}

static bool load_alerts(struct notify *n, struct state_tx *tx, struct err *err) {
    struct err e = {0};
    struct state_rows *r = state_query(
        tx, &e,
        "SELECT alert_key,labels,annotations,value,generator_url,starts_ms,ends_ms,status FROM "
        "notify_alerts",
        "");
    bool ok = r != NULL;
    while (ok && state_next(r, &e)) {
        struct alert_rec *a = alert_get(n, state_str(r, 0));
        struct alert_text t = {state_str(r, 1),
                               state_str(r, 2),
                               state_str(r, 3),
                               state_str(r, 4),
                               state_int(r, 5),
                               state_int(r, 6),
                               str_eqz(state_str(r, 7), "firing")};
        ok = a && alert_set(a, &t);
        struct joining j = {n, a, clock_wall_ms(n->opt.clock), false};
        ok = (ok && setup_route(n->setup, *a->labels, join, &j)) ||
             err_set(&e, ERR_INTERNAL, "reading the known alerts");
    }
    state_rows_free(r);
    if ((!ok || e.code) && err)
        *err = e;
    return ok && e.code == ERR_OK;
}

/* After a restart or a new configuration: groups that nobody feeds any more go; new ones become
 * due. */
static bool settle(struct notify *n, int64_t now_ms, struct err *err) {
    struct state_tx *tx = state_begin(n->opt.state, err);
    if (!tx)
        return false;
    bool ok = true;
    struct map_entry *next;
    for (struct map_entry *e = map_next(&n->groups, NULL); ok && e; e = next) {
        struct ngroup *g = e->value;
        next = map_next(&n->groups, e);
        if (g->members.n_live == 0 || !g->route) {
            ok = state_exec(tx, err, "DELETE FROM notify_groups WHERE group_key=?", "s",
                            str_from(g->key));
            group_free(map_del(&n->groups, e->key));
        } else if (g->due_ms == INT64_MAX) {
            g->due_ms = now_ms + g->route->wait_ms;
        }
    }
    for (struct map_entry *e = map_next(&n->alerts, NULL); ok && e; e = next) {
        struct alert_rec *a = e->value;
        next = map_next(&n->alerts, e);
        if (a->refs == 0) {
            ok = state_exec(tx, err, "DELETE FROM notify_alerts WHERE alert_key=?", "s",
                            str_from(a->key));
            alert_free(map_del(&n->alerts, e->key));
        }
    }
    if (!ok) {
        state_rollback(tx);
        return false;
    }
    return state_commit(tx, err);
}

static bool take_route(void *arg, const struct route *r) {
    struct joining *j = arg;
    struct ngroup *g = group_of(j->n, r, *j->a->labels);
    if (g)
        g->route = r;
    return g != NULL;
}

static bool load(struct notify *n, int64_t now_ms, struct err *err) {
    router_clear(n);
    struct state_tx *tx = state_begin_read(n->opt.state, err);
    if (!tx)
        return false;
    bool ok = load_groups(n, tx, err) && load_alerts(n, tx, err);
    state_rollback(tx);
    for (struct map_entry *e = map_next(&n->alerts, NULL); ok && e; e = map_next(&n->alerts, e)) {
        struct joining j = {n, e->value, now_ms, false};
        ok = setup_route(n->setup, *j.a->labels, take_route, &j) ||
             err_set(err, ERR_INTERNAL, "out of memory");
    }
    ok = ok && settle(n, now_ms, err);
    if (!ok)
        router_clear(n);
    n->router_loaded = ok;
    return ok;
}

/* ---- signals ---- */

static bool take_signal(struct notify *n, struct state_tx *tx, struct state_rows *r, int64_t now_ms,
                        struct err *err) {
    struct str kind = state_str(r, 1), key = state_str(r, 2);
    bool resolved = str_eqz(kind, "resolved");
    struct alert_text t = {state_str(r, 3), state_str(r, 4), state_str(r, 5), state_str(r, 6),
                           state_int(r, 7), state_int(r, 8), !resolved};
    if (key.n != KEY_BYTES) {
        log_warn("notify", "signal %lld has no alert key and is passed over",
                 (long long)state_int(r, 0));
        return true;
    }
    struct alert_rec *a = map_get(&n->alerts, key);
    if (!a && resolved)
        return true; /* nobody was told */
    if (!a && !(a = alert_get(n, key)))
        return err_set(err, ERR_INTERNAL, "out of memory");
    if (!alert_set(a, &t)) {
        if (!a->labels)
            alert_free(map_del(&n->alerts, key));
        return true;
    }
    struct joining j = {n, a, now_ms, !str_eqz(kind, "refresh")};
    if (!setup_route(n->setup, *a->labels, join, &j))
        return err_set(err, ERR_INTERNAL, "out of memory");
    return state_exec(tx, err,
                      "INSERT OR REPLACE INTO "
                      "notify_alerts(alert_key,labels,annotations,status,value,starts_ms,ends_ms,"
                      "updated_ms,source,generator_url) VALUES(?,?,?,?,?,?,?,?,?,?)",
                      "sssssiiiss", key, t.labels, t.annotations,
                      resolved ? STR("resolved") : STR("firing"), t.value, t.starts_ms, t.ends_ms,
                      now_ms, state_str(r, 9), t.url);
}

static bool save_group(struct state_tx *tx, struct ngroup *g, struct err *err) {
    struct buf labels = BUF_INIT, told = BUF_INIT;
    labels_format(&labels, *g->labels);
    for (struct map_entry *e = map_next(&g->told, NULL); e; e = map_next(&g->told, e)) {
        buf_puts(&told, e->key);
        buf_putc(&told, ' ');
    }
    bool ok = (buf_ok(&labels) && buf_ok(&told)) || err_set(err, ERR_INTERNAL, "out of memory");
    ok = ok && state_exec(tx, err,
                          "INSERT OR REPLACE INTO "
                          "notify_groups(group_key,route,receiver,labels,due_ms,sequence,told_ms,"
                          "told_firing,told_resolved) VALUES(?,?,?,?,?,?,?,?,'')",
                          "ssssiiis", str_from(g->key), g->route->id, g->route->receiver,
                          buf_view(&labels), g->due_ms, g->sequence, g->told_ms, buf_view(&told));
    buf_deinit(&labels);
    buf_deinit(&told);
    g->dirty = false;
    return ok;
}

/* *out_n: how many were taken; the caller goes on while it is a full batch. */
static bool consume(struct notify *n, int64_t now_ms, size_t *out_n, struct err *err) {
    struct state_tx *tx = state_begin(n->opt.state, err);
    if (!tx)
        return false;
    struct err e = {0};
    size_t taken = 0;
    int64_t last = 0;
    struct state_rows *r = state_query(
        tx, &e,
        "SELECT id,kind,alert_key,labels,annotations,value,generator_url,starts_ms,ends_ms,source "
        "FROM signals WHERE consumed_ms IS NULL ORDER BY id LIMIT ?",
        "i", (int64_t)NOTIFY_SIGNALS_BATCH);
    bool ok = r != NULL;
    while (ok && state_next(r, &e)) {
        last = state_int(r, 0);
        ok = take_signal(n, tx, r, now_ms, &e);
        taken++;
    }
    state_rows_free(r);
    ok = ok && e.code == ERR_OK;
    if (ok && taken)
        ok = state_exec(tx, &e,
                        "UPDATE signals SET consumed_ms=? WHERE consumed_ms IS NULL AND id<=?",
                        "ii", now_ms, last);
    for (struct map_entry *g = map_next(&n->groups, NULL); ok && taken && g;
         g = map_next(&n->groups, g))
        if (((struct ngroup *)g->value)->dirty)
            ok = save_group(tx, g->value, &e);
    if (!ok || taken == 0)
        state_rollback(tx);
    else
        ok = state_commit(tx, &e);
    if (!ok && err)
        *err = e;
    *out_n = taken;
    return ok;
}

/* ---- telling ---- */

static bool inhibited(const struct notify *n, const struct alert_rec *a) {
    for (size_t i = 0; i < n->setup->n_inhibits; i++) {
        const struct inhibit *x = &n->setup->inhibits[i];
        if (!matchers_match(x->target.v, x->target.n, *a->labels))
            continue;
        bool target_is_source = matchers_match(x->source.v, x->source.n, *a->labels);
        for (struct map_entry *e = map_next(&n->alerts, NULL); e; e = map_next(&n->alerts, e)) {
            const struct alert_rec *s = e->value;
            if (s == a || !s->firing || !matchers_match(x->source.v, x->source.n, *s->labels))
                continue;
            if (target_is_source && matchers_match(x->target.v, x->target.n, *s->labels))
                continue; /* both are both: neither silences the other */
            bool equal = true;
            for (size_t k = 0; equal && k < x->equal.n; k++)
                equal = str_eq(labels_get(*s->labels, x->equal.v[k]),
                               labels_get(*a->labels, x->equal.v[k]));
            if (equal)
                return true;
        }
    }
    return false;
}

static int by_start(const void *pa, const void *pb) {
    const struct message_alert *a = pa, *b = pb;
    if (a->firing != b->firing)
        return a->firing ? -1 : 1;
    if (a->a->starts_ms != b->a->starts_ms)
        return a->a->starts_ms < b->a->starts_ms ? -1 : 1;
    return strcmp(a->a->key, b->a->key);
}

static bool put_messages(struct notify *n, struct state_tx *tx, struct ngroup *g,
                         const struct message_alert *v, size_t count, struct str muted,
                         int64_t now_ms, struct err *err) {
    bool firing = count && v[0].firing, ok = true;
    char title[NOTIFY_TITLE_BYTES];
    message_title(title, v, count);
    for (size_t i = 0; ok && i < n->setup->n_dests; i++) {
        struct dest *d = &n->setup->dests[i];
        if (g->route->receiver.n && !str_eq(d->receiver, g->route->receiver))
            continue;
        if (!firing && !d->send_resolved)
            continue;
        struct buf body = BUF_INIT;
        char key[KEY_BYTES + 192];
        (void)snprintf(key, sizeof(key), "%s/%lld%s%.0llx/%.*s", g->key, (long long)g->sequence,
                       muted.n ? "/muted/" : "", muted.n ? (unsigned long long)g->muted_hash : 0ULL,
                       (int)(d->id.n > 128 ? 128 : d->id.n), d->id.p);
        message_body(&body, v, count, d->receiver, str_from(g->key), *g->labels, n->opt.public_url);
        struct outbox_new o = {
            str_from(key),   d->id,           firing ? STR("alert") : STR("resolved"),
            str_from(title), buf_view(&body), muted};
        ok = (buf_ok(&body) || err_set(err, ERR_INTERNAL, "out of memory writing a message")) &&
             outbox_put(tx, &o, now_ms, err);
        d->maybe_waiting |= muted.n == 0;
        buf_deinit(&body);
    }
    return ok;
}

static bool somebody(const struct notify *n, const struct ngroup *g) {
    for (size_t i = 0; i < n->setup->n_dests; i++)
        if (!g->route->receiver.n || str_eq(n->setup->dests[i].receiver, g->route->receiver))
            return true;
    return false;
}

/* Members that are over leave the group (all, or those that nobody was told of); an alert that no
 * group holds is forgotten. */
static bool drop_resolved(struct notify *n, struct state_tx *tx, struct ngroup *g, bool all,
                          struct err *err) {
    struct map_entry *next;
    bool ok = true;
    for (struct map_entry *e = map_next(&g->members, NULL); ok && e; e = next) {
        next = map_next(&g->members, e);
        struct alert_rec *a = e->value;
        if (a->firing || (!all && map_get(&g->told, e->key)))
            continue;
        (void)map_del(&g->members, e->key);
        if (--a->refs == 0) {
            ok = state_exec(tx, err, "DELETE FROM notify_alerts WHERE alert_key=?", "s",
                            str_from(a->key));
            alert_free(map_del(&n->alerts, str_make(a->key, KEY_BYTES)));
        }
    }
    return ok;
}

static bool tell(struct notify *n, struct state_tx *tx, struct ngroup *g, struct message_alert *v,
                 size_t count, bool changed, int64_t now_ms, struct err *err) {
    bool repeat = count && v[0].firing && g->told_ms && now_ms - g->told_ms >= g->route->repeat_ms;
    if (!changed && !repeat)
        return true;
    qsort(v, count, sizeof(*v), by_start);
    g->sequence++;
    if (!put_messages(n, tx, g, v, count, (struct str){NULL, 0}, now_ms, err))
        return false;
    map_deinit(&g->told);
    for (size_t i = 0; i < count; i++)
        if (v[i].firing && !map_put(&g->told, str_make(v[i].a->key, KEY_BYTES), g, NULL))
            return err_set(err, ERR_INTERNAL, "out of memory");
    g->told_ms = now_ms;
    return true;
}

/* ---- quiet times ---- */

static const struct interval_quiet *quiet(const struct route *r, int64_t now_ms) {
    if (r->times.n_mute + r->times.n_active == 0)
        return NULL;
    struct quiet_cache *c = r->quiet;
    if (c->minute != now_ms / 60000) {
        c->minute = now_ms / 60000;
        c->quiet = interval_quiet(&r->times, now_ms, &c->is);
    }
    return c->quiet ? &c->is : NULL;
}

static uint64_t hash_of(const struct message_alert *v, size_t n) {
    uint64_t h = 1;
    for (size_t i = 0; i < n; i++)
        h ^= hash_bytes_seed(v[i].a->key, KEY_BYTES, v[i].firing ? 2 : 1);
    return h;
}

/* What would be told now is kept as rows that are not sent, so that people see what was held back;
 * each set of alerts once. What nobody was told of and is over is forgotten; what was told before
 * the quiet time and is over is told after it. */
static bool hold_back(struct notify *n, struct state_tx *tx, struct ngroup *g,
                      struct message_alert *v, size_t count, const struct interval_quiet *q,
                      int64_t now_ms, struct err *err) {
    uint64_t h = hash_of(v, count);
    if (h == g->muted_hash)
        return true;
    g->muted_hash = h;
    qsort(v, count, sizeof(*v), by_start);
    struct buf why = BUF_INIT, until = BUF_INIT;
    time_format_rfc3339(&until, q->until_ms);
    buf_printf(&why,
               q->inactive ? "muted: active time interval \"%.*s\" does not hold%s%s"
                           : "muted by time interval \"%.*s\"%s%s",
               STR_FMT(q->why), q->until_is_known ? " until " : "",
               q->until_is_known && until.p ? until.p : "");
    bool ok = buf_ok(&why) || err_set(err, ERR_INTERNAL, "out of memory");
    ok = ok && put_messages(n, tx, g, v, count, buf_view(&why), now_ms, err);
    if (ok) {
        char title[NOTIFY_TITLE_BYTES];
        message_title(title, v, count);
        log_info("notify", "%s: %zu alerts %.*s", title, count, STR_FMT(buf_view(&why)));
    }
    buf_deinit(&why);
    buf_deinit(&until);
    return ok;
}

static bool flush(struct notify *n, struct state_tx *tx, struct ngroup *g, int64_t now_ms,
                  struct err *err) {
    if (!somebody(n, g)) {
        g->due_ms = now_ms + NOBODY_WAIT_MS;
        return save_group(tx, g, err);
    }
    struct message_alert *v = calloc(g->members.n_live + 1, sizeof(*v));
    if (!v)
        return err_set(err, ERR_INTERNAL, "out of memory");
    size_t count = 0;
    bool changed = false, waiting = false;
    for (struct map_entry *e = map_next(&g->members, NULL); e; e = map_next(&g->members, e)) {
        struct alert_rec *a = e->value;
        bool told = map_get(&g->told, e->key) != NULL;
        if (a->firing && inhibited(n, a)) {
            waiting = true;
            continue;
        }
        if (!a->firing && !told)
            continue;
        v[count++] = (struct message_alert){a, a->firing};
        changed |= a->firing != told;
    }
    const struct interval_quiet *q = count ? quiet(g->route, now_ms) : NULL;
    bool ok = q ? !changed || hold_back(n, tx, g, v, count, q, now_ms, err)
                : tell(n, tx, g, v, count, changed, now_ms, err);
    ok = ok && drop_resolved(n, tx, g, q == NULL, err);
    free(v);
    if (!ok)
        return false;
    if (g->members.n_live == 0) {
        ok = state_exec(tx, err, "DELETE FROM notify_groups WHERE group_key=?", "s",
                        str_from(g->key));
        group_free(map_del(&n->groups, str_make(g->key, KEY_BYTES)));
        return ok;
    }
    int64_t repeat = (g->told_ms ? g->told_ms : now_ms) + g->route->repeat_ms,
            soon = now_ms + g->route->interval_ms;
    if (q) {
        g->due_ms = q->until_ms;
        return save_group(tx, g, err);
    }
    g->muted_hash = 0;
    g->due_ms = waiting && soon < repeat ? soon : repeat > now_ms ? repeat : soon;
    return save_group(tx, g, err);
}

static bool flush_due(struct notify *n, int64_t now_ms, struct err *err) {
    if (router_next_due(n) > now_ms)
        return true;
    struct state_tx *tx = state_begin(n->opt.state, err);
    if (!tx)
        return false;
    bool ok = true;
    struct map_entry *next;
    for (struct map_entry *e = map_next(&n->groups, NULL); ok && e; e = next) {
        next = map_next(&n->groups, e);
        if (((struct ngroup *)e->value)->due_ms <= now_ms)
            ok = flush(n, tx, e->value, now_ms, err);
    }
    if (!ok) {
        state_rollback(tx);
        return false;
    }
    return state_commit(tx, err);
}

int64_t router_next_due(const struct notify *n) {
    int64_t due = INT64_MAX;
    for (struct map_entry *e = map_next(&n->groups, NULL); e; e = map_next(&n->groups, e))
        if (((struct ngroup *)e->value)->due_ms < due)
            due = ((struct ngroup *)e->value)->due_ms;
    return due;
}

bool router_pass(struct notify *n, int64_t now_ms, struct err *err) {
    bool ok = n->router_loaded || load(n, now_ms, err);
    size_t taken = NOTIFY_SIGNALS_BATCH;
    while (ok && taken == NOTIFY_SIGNALS_BATCH)
        ok = consume(n, now_ms, &taken, err);
    ok = ok && flush_due(n, now_ms, err);
    if (!ok)
        router_clear(n); /* memory may be ahead of the disk */
    return ok;
}
