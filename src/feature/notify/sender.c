/* Outbox to receivers. No thread waits for an answer: requests run in net/http_client, what came of
 * them is collected from the mailbox, so that one receiver's outage delays no other. */
#include "base/log.h"
#include "base/stats.h"
#include "feature/notify/notify_int.h"
#include "os/random.h"

#include <stdio.h>
#include <stdlib.h>

struct mailbox *mailbox_new(void) {
    struct mailbox *b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    mutex_init(&b->lock);
    cond_init(&b->filled);
    b->refs = 1;
    return b;
}

/* The last of: the notifier, and each request under way. */
void mailbox_unref(struct mailbox *b) {
    mutex_lock(&b->lock);
    bool last = --b->refs == 0;
    mutex_unlock(&b->lock);
    if (!last)
        return;
    while (b->first) {
        struct mail *m = b->first;
        b->first = m->next;
        free(m);
    }
    cond_deinit(&b->filled);
    mutex_deinit(&b->lock);
    free(b);
}

struct flight {
    const struct clock *clock;
    struct mailbox *box;
    struct mail *mail;
};

static void on_reply(void *arg, struct http_reply *r) /* on the client's thread */
{
    struct flight *f = arg;
    struct mail *m = f->mail;
    m->status = r->status;
    m->err = r->err;
    m->duration_ms = (int64_t)(r->total_s * 1000);
    struct str retry = http_reply_header(r, "retry-after");
    m->retry_after_ms = r->status && retry.n ? retry_after_ms(retry, http_reply_header(r, "date"),
                                                              clock_wall_ms(f->clock))
                                             : -1;
    (void)snprintf(m->reply, sizeof(m->reply), "%.*s", (int)(r->body.n < 180 ? r->body.n : 180),
                   r->body.p ? r->body.p : "");
    mutex_lock(&f->box->lock);
    m->next = f->box->first;
    f->box->first = m;
    f->box->pending--;
    cond_broadcast(&f->box->filled);
    mutex_unlock(&f->box->lock);
    mailbox_unref(f->box);
    free(f);
}

/* ---- sending ---- */

static void fill_http(struct http_call *c, const struct notify_http_conf *h) {
    if (!h)
        return;
    c->follow_redirects = h->follow_redirects;
    if (h->proxy_url.n)
        c->proxy = h->proxy_url.p;
    if (h->basic_auth) {
        c->user = h->basic_auth->username.p;
        c->password = h->basic_auth->password.p;
    }
    if (h->tls_config) {
        const struct notify_tls_conf *t = h->tls_config;
        c->ca_file = t->ca_file.n ? t->ca_file.p : NULL;
        c->cert_file = t->cert_file.n ? t->cert_file.p : NULL;
        c->key_file = t->key_file.n ? t->key_file.p : NULL;
        c->server_name = t->server_name.n ? t->server_name.p : NULL;
        c->insecure_skip_verify = t->insecure_skip_verify;
    }
}

static bool render(struct notify *n, const struct dest *d, const struct outbox_row *row,
                   struct buf *out, struct err *err) {
    if (d->kind == DEST_SLACK) {
        struct slack_look look = {d->language, n->opt.public_url, d->channel,
                                  d->username, d->icon_emoji,     d->icon_url};
        if (!slack_render(out, row->kind, row->body, &look, err))
            return false;
    } else {
        message_webhook(out, row->body, d->max_alerts);
    }
    return buf_ok(out) || err_set(err, ERR_INTERNAL, "out of memory writing a message");
}

static bool start(struct notify *n, struct dest *d, const struct outbox_row *row, struct err *err) {
    struct buf body = BUF_INIT;
    if (!render(n, d, row, &body, err)) {
        buf_deinit(&body);
        return false;
    }
    struct flight *f = calloc(1, sizeof(*f));
    struct mail *m = calloc(1, sizeof(*m));
    char auth[1024], agent[] = "hinomi/" HINOMI_VERSION;
    struct http_header headers[4] = {{STR("Content-Type"), STR("application/json")},
                                     {STR("User-Agent"), str_from(agent)},
                                     {STR("Idempotency-Key"), row->key}};
    struct http_call call = {.method = "POST",
                             .url = d->url.p,
                             .headers = headers,
                             .n_headers = 3,
                             .body = buf_view(&body),
                             .timeout_ms = d->timeout_ms ? d->timeout_ms : 10000,
                             .body_max = 64 << 10};
    fill_http(&call, d->http);
    if (d->http && d->http->authorization) {
        (void)snprintf(auth, sizeof(auth), "%.*s %.*s", STR_FMT(d->http->authorization->type),
                       STR_FMT(d->http->authorization->credentials));
        headers[call.n_headers++] = (struct http_header){STR("Authorization"), str_from(auth)};
    }
    bool ok = f && m;
    if (!ok) {
        err_set(err, ERR_INTERNAL, "out of memory sending a message");
    } else {
        (void)snprintf(m->dest, sizeof(m->dest), "%.*s", STR_FMT(d->id));
        m->outbox_id = row->id;
        *f = (struct flight){n->opt.clock, n->box, m};
        mutex_lock(&n->box->lock);
        n->box->refs++;
        n->box->pending++;
        mutex_unlock(&n->box->lock);
        ok = http_client_start(n->opt.http, &call, on_reply, f, err);
        if (!ok) {
            mutex_lock(&n->box->lock);
            n->box->refs--;
            n->box->pending--;
            mutex_unlock(&n->box->lock);
        }
    }
    buf_deinit(&body);
    if (!ok) {
        free(f);
        free(m);
    }
    return ok;
}

static int64_t pace(const struct notify *n) {
    return n->opt.pace_ms ? n->opt.pace_ms : NOTIFY_PACE_MS;
}

/* Whether a row may go now. A test passes the backoff: somebody is waiting for its answer. */
static bool due(const struct dest *d, const struct outbox_row *row, int64_t now_ms) {
    if (str_eqz(row->kind, "test"))
        return true;
    if (d->hold_until_ms > now_ms && d->hold_until_ms < now_ms + NOTIFY_RETRY_AFTER_MAX_MS + 1)
        return false;
    return row->next_attempt_ms <= now_ms ||
           row->next_attempt_ms > now_ms + NOTIFY_RETRY_AFTER_MAX_MS;
}

static bool pass_dest(struct notify *n, struct dest *d, int64_t now_ms, struct err *err) {
    struct arena a = ARENA_INIT;
    struct outbox_row row;
    bool found = false;
    /* While it fails its rows stay single: each goes to another receiver as it is. */
    bool ok = d->complained || outbox_fold(n, d, now_ms, err);
    ok = ok && outbox_head(n, d, &a, &row, &found, err);
    if (ok && !found)
        d->maybe_waiting = false;
    if (ok && found && !due(d, &row, now_ms) && row.next_attempt_ms > d->hold_until_ms)
        d->hold_until_ms = row.next_attempt_ms; /* from before a restart */
    if (ok && found && due(d, &row, now_ms)) {
        struct err e = {0};
        if (start(n, d, &row, &e)) {
            d->in_flight = true;
            d->next_mono_ms = clock_mono_ms(n->opt.clock) + pace(n);
        } else { /* not the receiver's fault: it stays, and is tried again */
            d->hold_until_ms = now_ms + NOTIFY_PACE_MS;
            ok = err_set(err, e.code, "%s", e.message);
        }
    }
    arena_deinit(&a);
    return ok;
}

static struct str other_dest(struct notify *n, const struct dest *d) {
    struct dest *any = NULL;
    for (size_t i = 0; i < n->setup->n_dests; i++) {
        struct dest *o = &n->setup->dests[i];
        if (str_eq(o->receiver, d->receiver))
            continue;
        if (d->fallback.n && str_eq(o->receiver, d->fallback))
            return o->id;
        if (!any || (any->failing_since_ms && !o->failing_since_ms))
            any = o;
    }
    return any ? any->id : (struct str){NULL, 0};
}

/* What came while a receiver does not answer must not wait behind the message that is retried. */
static void pass_on(struct notify *n, struct dest *d, int64_t now_ms, int64_t mono) {
    if (!d->complained || !d->failing_since_ms || !d->maybe_waiting ||
        (d->passed_mono_ms && mono - d->passed_mono_ms < NOTIFY_PASS_ON_EVERY_MS))
        return;
    struct err e = {0};
    struct str to = other_dest(n, d);
    d->passed_mono_ms = mono;
    if (!to.n)
        return;
    if (!outbox_pass_on(n, d, to, now_ms, &e))
        log_warn("notify", "receiver %.*s: passing on: %s", STR_FMT(d->id), e.message);
    struct dest *other = setup_dest(n->setup, to);
    if (other)
        other->maybe_waiting = true;
}

size_t sender_pass(struct notify *n) {
    size_t started = 0;
    int64_t now_ms = clock_wall_ms(n->opt.clock), mono = clock_mono_ms(n->opt.clock);
    for (size_t i = 0; i < n->setup->n_dests; i++) {
        struct dest *d = &n->setup->dests[i];
        pass_on(n, d, now_ms, mono);
    }
    for (size_t i = 0; i < n->setup->n_dests; i++) {
        struct dest *d = &n->setup->dests[i];
        if (d->in_flight || !d->maybe_waiting || d->next_mono_ms > mono)
            continue;
        struct err e = {0};
        if (!pass_dest(n, d, now_ms, &e))
            log_warn("notify", "receiver %.*s: %s", STR_FMT(d->id), e.message);
        started += d->in_flight;
    }
    return started;
}

int64_t sender_next_due_ms(struct notify *n, int64_t now_ms) {
    int64_t wait = INT64_MAX, mono = clock_mono_ms(n->opt.clock);
    for (size_t i = 0; i < n->setup->n_dests; i++) {
        const struct dest *d = &n->setup->dests[i];
        if (d->in_flight || !d->maybe_waiting)
            continue;
        int64_t w = d->next_mono_ms - mono, hold = d->hold_until_ms - now_ms;
        if (hold > w)
            w = hold;
        wait = w < wait ? w : wait;
    }
    return wait < 0 ? 0 : wait;
}

/* ---- what came of it ---- */

static const char *plain_words(const struct dest *d, const struct mail *m) {
    static const struct {
        const char *code, *words;
    } slack[] = {
        {"invalid_payload", "Slack could not read the message"},
        {"no_text", "Slack found no text in the message"},
        {"user_not_found", "the user that the webhook names does not exist"},
        {"channel_not_found", "the channel does not exist or the webhook may not write there"},
        {"channel_is_archived", "the channel is archived: choose another one"},
        {"action_prohibited", "an administrator of the Slack workspace forbids this webhook"},
        {"posting_to_general_channel_denied",
         "the workspace forbids posting to its general channel"},
        {"too_many_attachments", "Slack found too many attachments"},
        {"no_service", "the webhook was removed or switched off: make a new one in Slack"},
        {"no_team", "the Slack workspace does not exist any more"},
        {"team_disabled", "the Slack workspace is disabled"},
        {"invalid_token",
         "the address of the webhook is wrong or was revoked: make a new one in Slack"},
    };
    for (size_t i = 0; d && d->kind == DEST_SLACK && i < sizeof(slack) / sizeof(slack[0]); i++)
        if (str_starts(str_from(m->reply), str_from(slack[i].code)))
            return slack[i].words;
    switch (m->status) {
    case 400:
    case 422:
        return "the receiver does not accept the message";
    case 401:
    case 403:
        return "the receiver does not let hinomi in: check the address and the credentials";
    case 404:
    case 410:
        return "there is nothing at this address: check it";
    case 429:
        return "the receiver asks to slow down";
    default:
        return m->status >= 500 ? "the receiver has a problem of its own" : "the receiver refused";
    }
}

static enum outcome classify(const struct mail *m) {
    if (m->status >= 200 && m->status < 300)
        return OUTCOME_SENT;
    if (m->status == 0)
        return m->err.code == ERR_BAD_INPUT || m->err.code == ERR_UNSUPPORTED ? OUTCOME_FAILED
                                                                              : OUTCOME_LATER;
    return m->status >= 500 || m->status == 429 || m->status == 408 || m->status == 425
               ? OUTCOME_LATER
               : OUTCOME_FAILED;
}

static int64_t backoff_ms(uint32_t failures) {
    int64_t ms = failures > 9 ? NOTIFY_BACKOFF_MAX_MS : INT64_C(500) << failures;
    if (ms > NOTIFY_BACKOFF_MAX_MS)
        ms = NOTIFY_BACKOFF_MAX_MS;
    return ms * 3 / 4 + (int64_t)(random_u64() % (uint64_t)(ms / 2 + 1)); /* 0.75 to 1.25 of it */
}

static void note_dest(struct notify *n, struct dest *d, const struct mail *m,
                      struct outbox_mark *mark, bool test) {
    d->in_flight = false;
    d->maybe_waiting = true;
    if (mark->outcome == OUTCOME_SENT) {
        d->failing_since_ms = d->hold_until_ms = 0;
        d->failures = 0;
        d->complained = false;
        return;
    }
    if (m->err.code == ERR_CANCELED)
        return; /* we are stopping: nobody's failure */
    if (mark->outcome == OUTCOME_LATER) {
        d->failures++;
        int64_t wait = m->retry_after_ms >= 0 ? m->retry_after_ms : backoff_ms(d->failures);
        d->hold_until_ms = mark->next_ms = mark->at_ms + wait;
        if (!d->failing_since_ms)
            d->failing_since_ms = mark->at_ms;
    }
    int64_t patience = m->status == 429 ? NOTIFY_THROTTLED_MS : NOTIFY_UNREACHABLE_MS;
    bool late =
        mark->outcome == OUTCOME_LATER && d->failing_since_ms &&
        (mark->at_ms - d->failing_since_ms >= patience || m->retry_after_ms > NOTIFY_THROTTLED_MS);
    if (test || (mark->outcome == OUTCOME_LATER && !late))
        return;
    mark->pass_on = true;
    mark->complain = !d->complained;
    if (mark->outcome == OUTCOME_FAILED || mark->complain)
        mark->fallback_to = other_dest(n, d);
    mark->failing = d->receiver;
    d->complained = true;
}

static bool row_facts(struct notify *n, int64_t id, bool *out_test, int64_t *out_created_ms,
                      struct err *err) {
    struct state_tx *tx = state_begin_read(n->opt.state, err);
    if (!tx)
        return false;
    struct err e = {0};
    struct state_rows *r =
        state_query(tx, &e, "SELECT kind='test', created_ms FROM outbox WHERE id=?", "i", id);
    if (r && state_next(r, &e)) {
        *out_test = state_int(r, 0) != 0;
        *out_created_ms = state_int(r, 1);
    }
    state_rows_free(r);
    state_rollback(tx);
    if (e.code && err)
        *err = e;
    return e.code == ERR_OK;
}

static void collect_one(struct notify *n, const struct mail *m) {
    struct dest *d = setup_dest(n->setup, str_from(m->dest));
    int64_t now_ms = clock_wall_ms(n->opt.clock), created_ms = now_ms;
    bool test = false;
    struct err e = {0};
    char error[ERR_MESSAGE_BYTES_MAX + 256] = "";
    struct outbox_mark mark = {.id = m->outbox_id,
                               .at_ms = now_ms,
                               .next_ms = now_ms,
                               .duration_ms = m->duration_ms,
                               .outcome = classify(m),
                               .status = m->status};
    if (!row_facts(n, m->outbox_id, &test, &created_ms, &e))
        log_warn("notify", "reading the outbox: %s", e.message);
    if (mark.outcome == OUTCOME_LATER && now_ms - created_ms > NOTIFY_GIVE_UP_MS)
        mark.outcome = OUTCOME_FAILED;
    if (mark.outcome != OUTCOME_SENT && m->status)
        /* The address of a receiver that was added in the screen may be any that hinomi can reach:
         * what answers there is not shown to whoever reads the outbox. */
        (void)snprintf(error, sizeof(error), "HTTP %d: %s%s%s", m->status, plain_words(d, m),
                       d && d->declared && m->reply[0] ? ": " : "",
                       d && d->declared ? m->reply : "");
    else if (mark.outcome != OUTCOME_SENT)
        (void)snprintf(error, sizeof(error), "%s", m->err.message);
    struct str text = str_from(error);
    while (!str_is_utf8(text) && text.n) /* the reply was cut, or is no text */
        text.n--;
    mark.error = text;
    if (d)
        note_dest(n, d, m, &mark, test);
    STAT_ADD(hinomi_notifications_sent_total, mark.outcome == OUTCOME_SENT);
    STAT_ADD(hinomi_notification_failures_total,
             mark.outcome != OUTCOME_SENT && m->err.code != ERR_CANCELED);
    if (m->err.code == ERR_CANCELED)
        return;
    if (!outbox_mark(n, &mark, &e)) {
        /* Not marked: it will be sent again. Twice is better than not at all. */
        log_error("notify", "a delivery could not be recorded: %s", e.message);
        if (d)
            d->hold_until_ms = now_ms + NOTIFY_PACE_MS;
    }
    if (mark.outcome != OUTCOME_SENT)
        log_warn("notify", "receiver %s: %.*s", m->dest, STR_FMT(text));
    for (size_t i = 0; mark.fallback_to.n && i < n->setup->n_dests; i++)
        n->setup->dests[i].maybe_waiting = true;
}

size_t sender_collect(struct notify *n) {
    mutex_lock(&n->box->lock);
    struct mail *list = n->box->first, *ordered = NULL;
    n->box->first = NULL;
    mutex_unlock(&n->box->lock);
    while (list) { /* oldest first */
        struct mail *next = list->next;
        list->next = ordered;
        ordered = list;
        list = next;
    }
    size_t count = 0;
    while (ordered) {
        struct mail *m = ordered;
        ordered = m->next;
        collect_one(n, m);
        free(m);
        count++;
    }
    if (count) {
        outbox_count(n);
        cond_broadcast(&n->attempted);
    }
    return count;
}
