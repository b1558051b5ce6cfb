/* notify.h - from signals to somebody's screen: router (signals -> groups -> outbox) and senders
 * (outbox -> receivers).
 *
 * - The router consumes rows of `signals`, keeps the alerts it knows, groups them by the route tree
 * and, when a group is due, commits its notifications to `outbox` (unique key) and the group's new
 * state in one transaction.
 * - Each receiver has its own sender thread: at most one message a second, Retry-After obeyed,
 * exponential backoff with jitter; what queues up behind a slow receiver is folded into one digest.
 * A message is sent, then marked: kill -9 between the two repeats it at most once.
 * - A permanent error (400, 403, 404, 410 ...) ends a message as failed, and another receiver is
 * told, as it is when one has been unreachable for 30 s.
 *
 * Threads: notify_new .. notify_free own their threads; every function may be called from any
 * thread.
 */
#ifndef NOTIFY_NOTIFY_H
#define NOTIFY_NOTIFY_H

#include "base/timev.h"
#include "feature/notify/notify_conf.h"
#include "net/http_client.h"
#include "store/state/state.h"

struct notify;

struct notify_options {
    struct state *state;
    struct http_client *http;
    const struct clock *clock;
    struct str public_url; /* server.public_url: where links go; copied; may be empty */
    enum notify_language
        language;    /* of receivers added in the screen and of those that name none */
    bool manual;     /* tests: no threads; notify_run_router and notify_run_senders */
    int64_t pace_ms; /* least time between two messages to one receiver; 0: 1 s */
};

struct notify *notify_new(const struct notify_options *opt, struct err *err) MUST_USE;
/* Takes a new configuration (NULL: none; must outlive its use: until the next reload or free).
 * Receivers that were added in the screen stay; one of the same name in the configuration wins. */
bool notify_reload(struct notify *n, const struct notify_conf *conf, struct err *err) MUST_USE;
bool notify_start(struct notify *n, struct err *err) MUST_USE;
void notify_poke(struct notify *n); /* signals were committed: look now. Never blocks. */
void notify_free(struct notify *n); /* ends running attempts; what waits stays in the outbox */
bool notify_run_router(struct notify *n,
                       struct err *err) MUST_USE; /* one pass at the clock's time */
size_t notify_run_senders(struct notify *n);      /* one attempt of each due message */

/* NOTIFY_MUTED: a time interval of its route held it back; last_error says which and until when.
 * Nothing is sent of that row: what still fires then is told by a new one. */
enum notify_state { NOTIFY_WAITING, NOTIFY_SENDING, NOTIFY_DELIVERED, NOTIFY_FAILED, NOTIFY_MUTED };
const char *notify_state_name(enum notify_state s); /* "waiting" ... as in docs/openapi.yaml */

struct notify_delivery { /* a row of the outbox; strings in the caller's arena; times 0: none */
    int64_t id;
    struct str receiver, kind, title; /* kind: "alert", "resolved", "test" */
    enum notify_state state;
    int64_t attempts, created_ms, next_attempt_ms, delivered_ms;
    struct str last_error; /* n == 0: none */
};
/* Newest first. */
bool notify_outbox(struct notify *n, size_t limit, struct arena *a, struct notify_delivery **out,
                   size_t *out_n, struct err *err) MUST_USE;

struct notify_receiver {            /* never holds the secret */
    struct str name, kind, channel; /* kind: "slack", "webhook" (of the first integration) */
    bool declared,
        is_default; /* declared: in the configuration file; is_default: the root route's */
    int64_t last_delivery_ms; /* 0: none yet */
    bool has_last;
    enum notify_state last_state;
    struct str last_error;
};
bool notify_receivers(struct notify *n, struct arena *a, struct notify_receiver **out,
                      size_t *out_n, struct err *err) MUST_USE;

struct notify_receiver_new {
    struct str name, kind, url, channel; /* url is a secret: stored, never returned */
    struct str created_by;
};
/* ERR_BAD_INPUT says which field is wrong; ERR_CONFLICT: the name is taken. */
bool notify_receiver_add(struct notify *n, const struct notify_receiver_new *r,
                         struct err *err) MUST_USE;
/* ERR_NOT_FOUND; ERR_CONFLICT: it is declared in the configuration file. */
bool notify_receiver_delete(struct notify *n, struct str name, struct err *err) MUST_USE;

/* Sends one test notice through the outbox and waits at most wait_ms for the first attempt: *out
 * tells what came of it, last_error in plain words. ERR_NOT_FOUND: no such receiver. */
bool notify_test(struct notify *n, struct str receiver, int64_t wait_ms, struct arena *a,
                 struct notify_delivery *out, struct err *err) MUST_USE;

#endif
