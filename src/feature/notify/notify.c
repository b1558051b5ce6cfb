/* Life of the notifier, and what the API asks of it. */
#include "feature/notify/notify.h"

#include "base/log.h"
#include "feature/notify/notify_int.h"
#include "os/random.h"

#include <stdio.h>
#include <stdlib.h>

#define WAKE_MAX_MS 1000 /* how late a due group or a jump of the clock is noticed at worst */
#define PRUNE_EVERY_MS (3600 * 1000)
#define STOP_WAIT_MS 2000 /* for answers under way: each one waited for is one duplicate less */
#define NAME_BYTES_MAX 64
#define URL_BYTES_MAX 2048

const char *notify_state_name(enum notify_state s) {
    static const char *const names[] = {"waiting", "sending", "delivered", "failed", "muted"};
    return names[s];
}

struct notify *notify_new(const struct notify_options *opt, struct err *err) {
    struct notify *n = calloc(1, sizeof(*n));
    if (!n || !(n->box = mailbox_new())) {
        free(n);
        err_set(err, ERR_INTERNAL, "out of memory starting notification");
        return NULL;
    }
    n->opt = *opt;
    mutex_init(&n->lock);
    cond_init(&n->attempted);
    n->opt.public_url =
        arena_str(&n->own, opt->public_url); /* the configuration may be replaced while we live */
    n->setup = n->own.failed ? NULL : setup_new(n, NULL, err);
    if (!n->setup) {
        notify_free(n);
        return NULL;
    }
    return n;
}

bool notify_reload(struct notify *n, const struct notify_conf *conf, struct err *err) {
    struct setup *s = setup_new(n, conf, err);
    if (!s)
        return false;
    if (!outbox_orphans(n, s, err)) {
        setup_free(s);
        return false;
    }
    mutex_lock(&n->lock);
    struct setup *old = n->setup;
    for (size_t i = 0; i < s->n_dests; i++) {
        struct dest *d = &s->dests[i];
        const struct dest *was = setup_dest(old, d->id);
        if (!was)
            continue;
        d->in_flight = was->in_flight;
        d->next_mono_ms = was->next_mono_ms;
        if (str_eq(was->url, d->url)) { /* a corrected address starts afresh */
            d->hold_until_ms = was->hold_until_ms;
            d->failing_since_ms = was->failing_since_ms;
            d->failures = was->failures;
            d->complained = was->complained;
        }
    }
    router_clear(n); /* groups point into the old routes */
    n->conf = conf;
    n->setup = s;
    setup_free(old);
    mutex_unlock(&n->lock);
    notify_poke(n);
    return true;
}

void notify_poke(struct notify *n) {
    mutex_lock(&n->box->lock);
    n->box->poked = true;
    cond_broadcast(&n->box->filled);
    mutex_unlock(&n->box->lock);
}

static void prune(struct notify *n, int64_t now_ms) {
    struct err e = {0};
    if (now_ms - n->pruned_ms < PRUNE_EVERY_MS && now_ms >= n->pruned_ms)
        return;
    if (!outbox_prune(n, now_ms, &e))
        log_warn("notify", "%s", e.message);
    n->pruned_ms = now_ms;
}

static void worker(void *arg) {
    struct notify *n = arg;
    char told[ERR_MESSAGE_BYTES_MAX] = "";
    for (;;) {
        mutex_lock(&n->lock);
        if (n->stopping) {
            mutex_unlock(&n->lock);
            return;
        }
        int64_t now_ms = clock_wall_ms(n->opt.clock);
        struct err e = {0};
        (void)sender_collect(n);
        if (!router_pass(n, now_ms, &e) && strcmp(told, e.message) != 0)
            log_error("notify", "%s", e.message);
        memcpy(told, e.message, sizeof(told)); /* the same sentence once */
        (void)sender_pass(n);
        prune(n, now_ms);
        int64_t wait = sender_next_due_ms(n, now_ms), group = router_next_due(n);
        if (group != INT64_MAX && group - now_ms < wait)
            wait = group - now_ms;
        wait = wait > WAKE_MAX_MS ? WAKE_MAX_MS : wait < 5 ? 5 : wait;
        mutex_unlock(&n->lock);
        mutex_lock(&n->box->lock);
        if (!n->box->poked && !n->box->first)
            (void)cond_wait_for(&n->box->filled, &n->box->lock, DUR_MS(wait));
        n->box->poked = false;
        mutex_unlock(&n->box->lock);
    }
}

bool notify_start(struct notify *n, struct err *err) {
    return thread_start(&n->worker, "notify", worker, n, err);
}

/* Waits until no request is under way, at most wait_ms. */
static void wait_flights(struct notify *n, int64_t wait_ms) {
    int64_t until = clock_mono_ms(n->opt.clock) + wait_ms;
    mutex_lock(&n->box->lock);
    while (n->box->pending) {
        int64_t left = until - clock_mono_ms(n->opt.clock);
        if (left <= 0 || !cond_wait_for(&n->box->filled, &n->box->lock, DUR_MS(left)))
            break;
    }
    mutex_unlock(&n->box->lock);
}

void notify_free(struct notify *n) {
    if (!n)
        return;
    mutex_lock(&n->lock);
    n->stopping = true;
    mutex_unlock(&n->lock);
    notify_poke(n);
    thread_join(&n->worker);
    if (n->setup) {
        wait_flights(n, STOP_WAIT_MS);
        mutex_lock(&n->lock);
        (void)sender_collect(n);
        mutex_unlock(&n->lock);
    }
    router_clear(n);
    setup_free(n->setup);
    mailbox_unref(n->box);
    arena_deinit(&n->own);
    cond_deinit(&n->attempted);
    mutex_deinit(&n->lock);
    free(n);
}

bool notify_run_router(struct notify *n, struct err *err) {
    mutex_lock(&n->lock);
    bool ok = router_pass(n, clock_wall_ms(n->opt.clock), err);
    mutex_unlock(&n->lock);
    return ok;
}

size_t notify_run_senders(struct notify *n) {
    mutex_lock(&n->lock);
    size_t started = sender_pass(n);
    mutex_unlock(&n->lock);
    if (started)
        wait_flights(n, 15000);
    mutex_lock(&n->lock);
    (void)sender_collect(n);
    mutex_unlock(&n->lock);
    return started;
}

/* ---- views ---- */

static enum notify_state state_from(struct str s) {
    return str_eqz(s, "delivered") ? NOTIFY_DELIVERED
           : str_eqz(s, "failed")  ? NOTIFY_FAILED
           : str_eqz(s, "sending") ? NOTIFY_SENDING
           : str_eqz(s, "muted")   ? NOTIFY_MUTED
                                   : NOTIFY_WAITING;
}

#define DELIVERY_COLUMNS                                                                           \
    "id,receiver,kind,title,state,attempts,created_ms,coalesce(next_attempt_ms,0),coalesce("       \
    "delivered_ms,0),coalesce(last_error,'')"

static struct notify_delivery delivery(struct state_rows *r, struct arena *a) {
    return (struct notify_delivery){.id = state_int(r, 0),
                                    .receiver = arena_str(a, state_str(r, 1)),
                                    .kind = arena_str(a, state_str(r, 2)),
                                    .title = arena_str(a, state_str(r, 3)),
                                    .state = state_from(state_str(r, 4)),
                                    .attempts = state_int(r, 5),
                                    .created_ms = state_int(r, 6),
                                    .next_attempt_ms = state_int(r, 7),
                                    .delivered_ms = state_int(r, 8),
                                    .last_error = arena_str(a, state_str(r, 9))};
}

bool notify_outbox(struct notify *n, size_t limit, struct arena *a, struct notify_delivery **out,
                   size_t *out_n, struct err *err) {
    if (limit == 0 || limit > 10000)
        limit = 10000;
    struct notify_delivery *v = ARENA_ARRAY(a, struct notify_delivery, limit);
    if (!v)
        return arena_err(a, err);
    struct state_tx *tx = state_begin_read(n->opt.state, err);
    if (!tx)
        return false;
    struct err e = {0};
    size_t count = 0;
    struct state_rows *r =
        state_query(tx, &e, "SELECT " DELIVERY_COLUMNS " FROM outbox ORDER BY id DESC LIMIT ?", "i",
                    (int64_t)limit);
    while (r && count < limit && state_next(r, &e))
        v[count++] = delivery(r, a);
    state_rows_free(r);
    state_rollback(tx);
    if (a->failed)
        arena_err(a, &e);
    if (e.code != ERR_OK) {
        if (err)
            *err = e;
        return false;
    }
    *out = v;
    *out_n = count;
    return true;
}

static bool last_of(struct state_tx *tx, struct notify_receiver *v, struct arena *a,
                    struct err *err) {
    struct err e = {0};
    struct state_rows *r =
        state_query(tx, &e,
                    "SELECT state, coalesce(last_error,''), coalesce((SELECT max(delivered_ms) "
                    "FROM outbox WHERE "
                    "receiver=?1),0) FROM outbox WHERE receiver=?1 AND state<>'muted' "
                    "ORDER BY id DESC LIMIT 1",
                    "s", v->name);
    if (r && state_next(r, &e)) {
        v->has_last = true;
        v->last_state = state_from(state_str(r, 0));
        v->last_error = arena_str(a, state_str(r, 1));
        v->last_delivery_ms = state_int(r, 2);
    }
    state_rows_free(r);
    if (e.code && err)
        *err = e;
    return e.code == ERR_OK;
}

static struct str channel_of(struct state_tx *tx, const struct dest *d, struct arena *a) {
    if (d->declared)
        return arena_str(a, d->channel);
    struct err e = {0};
    struct str out = {NULL, 0};
    struct state_rows *r = state_query(
        tx, &e, "SELECT coalesce(channel,'') FROM receivers WHERE name=?", "s", d->receiver);
    if (r && state_next(r, &e))
        out = arena_str(a, state_str(r, 0));
    state_rows_free(r);
    return out;
}

bool notify_receivers(struct notify *n, struct arena *a, struct notify_receiver **out,
                      size_t *out_n, struct err *err) {
    struct state_tx *tx = state_begin_read(n->opt.state, err);
    if (!tx)
        return false;
    mutex_lock(&n->lock);
    struct notify_receiver *v = ARENA_ARRAY(a, struct notify_receiver, n->setup->n_dests + 1);
    size_t count = 0;
    bool ok = v != NULL || arena_err(a, err);
    for (size_t i = 0; ok && i < n->setup->n_dests; i++) {
        const struct dest *d = &n->setup->dests[i];
        if (!str_eq(d->id, d->receiver))
            continue; /* a receiver's first integration stands for it */
        struct str root = n->setup->root->receiver;
        v[count] =
            (struct notify_receiver){.name = arena_str(a, d->receiver),
                                     .kind = d->kind == DEST_SLACK ? STR("slack") : STR("webhook"),
                                     .channel = channel_of(tx, d, a),
                                     .declared = d->declared,
                                     .is_default = !root.n || str_eq(root, d->receiver)};
        ok = last_of(tx, &v[count++], a, err);
    }
    mutex_unlock(&n->lock);
    state_rollback(tx);
    if (ok && a->failed)
        ok = arena_err(a, err);
    if (!ok)
        return false;
    *out = v;
    *out_n = count;
    return true;
}

/* ---- receivers of the screen ---- */

static bool check_new(const struct notify_receiver_new *r, struct err *err) {
    if (r->name.n == 0 || r->name.n > NAME_BYTES_MAX || !str_is_utf8(r->name) ||
        str_find_char(r->name, '#') != SIZE_MAX || str_find_char(r->name, '/') != SIZE_MAX)
        return err_set(err, ERR_BAD_INPUT, "name: expected 1 to %d letters without # and /",
                       NAME_BYTES_MAX);
    if (!str_eqz(r->kind, "slack") && !str_eqz(r->kind, "webhook"))
        return err_set(err, ERR_BAD_INPUT, "kind: expected slack or webhook, found \"%.*s\"",
                       STR_FMT(r->kind));
    bool https = str_starts(r->url, STR("https://")), http = str_starts(r->url, STR("http://"));
    if ((!https && !http) || r->url.n > URL_BYTES_MAX || r->url.n < 10)
        return err_set(err, ERR_BAD_INPUT,
                       "url: expected an address that begins with https:// or http://");
    for (size_t i = 0; i < r->url.n; i++)
        if ((unsigned char)r->url.p[i] <= ' ')
            return err_set(err, ERR_BAD_INPUT,
                           "url: spaces and control characters do not belong into an address");
    return r->channel.n <= 80 || err_set(err, ERR_BAD_INPUT, "channel: at most 80 letters");
}

static const struct notify_conf *conf_of(struct notify *n) {
    mutex_lock(&n->lock);
    const struct notify_conf *c = n->conf;
    mutex_unlock(&n->lock);
    return c;
}

bool notify_receiver_add(struct notify *n, const struct notify_receiver_new *r, struct err *err) {
    if (!check_new(r, err))
        return false;
    mutex_lock(&n->lock);
    bool taken = setup_dest(n->setup, r->name) != NULL;
    size_t have = n->setup->n_dests;
    mutex_unlock(&n->lock);
    if (taken)
        return err_set(err, ERR_CONFLICT,
                       "a receiver named \"%.*s\" is there already; choose another name",
                       STR_FMT(r->name));
    if (have >= NOTIFY_RECEIVERS_MAX)
        return err_set(err, ERR_TOO_LARGE, "there are %d receivers already, which is the limit",
                       NOTIFY_RECEIVERS_MAX);
    struct state_tx *tx = state_begin(n->opt.state, err);
    if (!tx)
        return false;
    if (!state_exec(tx, err,
                    "INSERT INTO receivers(name,kind,url,channel,language,created_ms,created_by) "
                    "VALUES(?,?,?,?,?,?,?)",
                    "sssssis", r->name, r->kind, r->url, r->channel,
                    n->opt.language == NOTIFY_JA ? STR("ja") : STR("en"),
                    clock_wall_ms(n->opt.clock), r->created_by)) {
        state_rollback(tx);
        return false;
    }
    return state_commit(tx, err) && notify_reload(n, conf_of(n), err);
}

bool notify_receiver_delete(struct notify *n, struct str name, struct err *err) {
    mutex_lock(&n->lock);
    const struct dest *d = setup_dest(n->setup, name);
    bool is_declared = d && d->declared;
    mutex_unlock(&n->lock);
    if (!d)
        return err_set(err, ERR_NOT_FOUND, "there is no receiver named \"%.*s\"", STR_FMT(name));
    if (is_declared)
        return err_set(err, ERR_CONFLICT,
                       "receiver \"%.*s\" is in the configuration file: remove it there",
                       STR_FMT(name));
    struct state_tx *tx = state_begin(n->opt.state, err);
    if (!tx)
        return false;
    if (!state_exec(tx, err, "DELETE FROM receivers WHERE name=?", "s", name)) {
        state_rollback(tx);
        return false;
    }
    return state_commit(tx, err) && notify_reload(n, conf_of(n), err);
}

/* ---- test ---- */

static bool put_test(struct notify *n, struct str dest_id, struct str receiver, int64_t *out_id,
                     struct err *err) {
    struct label l[2] = {{STR("alertname"), STR("HinomiTest")}, {STR("severity"), STR("info")}};
    struct label t[1] = {{STR("summary"), STR("This is a test from hinomi.")}};
    struct labels ls = {l, 2}, texts = {t, 1};
    int64_t now_ms = clock_wall_ms(n->opt.clock);
    struct alert_rec a = {
        .labels = &ls, .annotations = &texts, .firing = true, .starts_ms = now_ms};
    struct message_alert v = {&a, true};
    struct buf body = BUF_INIT;
    char key[48];
    (void)snprintf(key, sizeof(key), "test/%016llx%016llx", (unsigned long long)random_u64(),
                   (unsigned long long)random_u64());
    message_key(a.key, str_from(key));
    message_body(&body, &v, 1, receiver, str_from(key), ls, n->opt.public_url);
    struct state_tx *tx = state_begin(n->opt.state, err);
    struct outbox_new o = {.key = str_from(key),
                           .receiver = dest_id,
                           .kind = STR("test"),
                           .title = STR("Test"),
                           .body = buf_view(&body)};
    bool ok = tx && (buf_ok(&body) || err_set(err, ERR_INTERNAL, "out of memory")) &&
              outbox_put(tx, &o, now_ms, err);
    int64_t id = ok ? state_last_id(tx) : 0;
    buf_deinit(&body);
    if (!ok) {
        state_rollback(tx);
        return false;
    }
    if (!state_commit(tx, err))
        return false;
    *out_id = id;
    return true;
}

static bool get_delivery(struct notify *n, int64_t id, struct arena *a, struct notify_delivery *out,
                         struct err *err) {
    struct state_tx *tx = state_begin_read(n->opt.state, err);
    if (!tx)
        return false;
    struct err e = {0};
    struct state_rows *r =
        state_query(tx, &e, "SELECT " DELIVERY_COLUMNS " FROM outbox WHERE id=?", "i", id);
    bool found = r && state_next(r, &e);
    if (found)
        *out = delivery(r, a);
    state_rows_free(r);
    state_rollback(tx);
    if (a->failed)
        return arena_err(a, err);
    if (e.code && err)
        *err = e;
    return found || (e.code == ERR_OK &&
                     err_set(err, ERR_NOT_FOUND, "the test is not in the outbox any more"));
}

bool notify_test(struct notify *n, struct str receiver, int64_t wait_ms, struct arena *a,
                 struct notify_delivery *out, struct err *err) {
    mutex_lock(&n->lock);
    struct dest *d = setup_dest(n->setup, receiver);
    struct str id = d ? arena_str(a, d->id) : (struct str){NULL, 0},
               name = d ? arena_str(a, d->receiver) : id;
    mutex_unlock(&n->lock);
    if (!id.n)
        return err_set(err, ERR_NOT_FOUND, "there is no receiver named \"%.*s\"",
                       STR_FMT(receiver));
    int64_t row = 0, until = clock_mono_ms(n->opt.clock) + wait_ms;
    if (!put_test(n, id, name, &row, err))
        return false;
    mutex_lock(&n->lock);
    d = setup_dest(n->setup, id);
    if (d)
        d->maybe_waiting = true;
    mutex_unlock(&n->lock);
    notify_poke(n);
    for (;;) {
        if (n->opt.manual)
            (void)notify_run_senders(n);
        struct notify_delivery v = {0};
        if (!get_delivery(n, row, a, &v, err))
            return false;
        int64_t left = until - clock_mono_ms(n->opt.clock);
        if (v.attempts > 0 || left <= 0 || n->opt.manual) {
            *out = v;
            return true;
        }
        mutex_lock(&n->lock);
        (void)cond_wait_for(&n->attempted, &n->lock, DUR_MS(left < 100 ? left : 100));
        mutex_unlock(&n->lock);
    }
}
