/* notify_int.h - inside the room. One worker (the notify thread, or the test that drives it) owns
 * router and senders and holds notify.lock while it works on them; HTTP answers come back through a
 * mailbox. */
#ifndef NOTIFY_NOTIFY_INT_H
#define NOTIFY_NOTIFY_INT_H

#include "base/map.h"
#include "codec/json.h"
#include "feature/notify/interval.h"
#include "feature/notify/notify.h"
#include "feature/notify/notify_match.h"
#include "model/labels.h"
#include "os/thread.h"

#define KEY_BYTES 32
#define NOTIFY_PACE_MS 1000 /* Slack: one message a second and channel; nobody else minds */
#define NOTIFY_BACKOFF_MAX_MS (5 * 60000)
#define NOTIFY_RETRY_AFTER_MAX_MS (3600 * 1000)
#define NOTIFY_GIVE_UP_MS (24 * 3600 * INT64_C(1000)) /* news of yesterday is no news */
#define NOTIFY_UNREACHABLE_MS 30000                   /* then another receiver is told */
#define NOTIFY_FOLD_MIN 5          /* this many waiting for one Slack channel become one digest */
#define NOTIFY_FOLD_WEBHOOK_MIN 20 /* for a webhook, whose reader minds less */
#define NOTIFY_THROTTLED_MS                                                                        \
    60000 /* as NOTIFY_UNREACHABLE_MS, of a receiver that only asks to wait */
#define NOTIFY_PASS_ON_EVERY_MS 5000
#define NOTIFY_ALERTS_MAX 1000 /* in one notification; the rest is counted */
#define NOTIFY_TITLE_BYTES 240
#define NOTIFY_SIGNALS_BATCH 1000

enum dest_kind { DEST_SLACK, DEST_WEBHOOK };

/* One integration of a receiver: a queue of its own. */
struct dest {
    struct str id; /* "name", or "name#1" for its second integration: outbox.receiver */
    struct str receiver, fallback;
    enum dest_kind kind;
    bool declared, send_resolved;
    enum notify_language language;
    struct str url, channel, username, icon_emoji, icon_url;
    int64_t max_alerts, timeout_ms;
    const struct notify_http_conf *http;
    /* running state, moved over on reload */
    bool in_flight, maybe_waiting, complained;
    int64_t next_mono_ms;     /* pace */
    int64_t passed_mono_ms;   /* when what waits was last passed on to another receiver */
    int64_t hold_until_ms;    /* wall: backoff, Retry-After; tests pass */
    int64_t failing_since_ms; /* wall; 0: the last attempt was fine */
    uint32_t failures;        /* in a row */
};

struct quiet_cache {
    int64_t minute; /* of the answer, since the epoch; 0: none yet */
    bool quiet;
    struct interval_quiet is;
};
struct route {
    struct notify_matchers matchers;
    struct str id;       /* the path of matchers down to here: part of a group's key */
    struct str receiver; /* empty: all */
    struct conf_strs group_by;
    bool group_all, go_on;
    int64_t wait_ms, interval_ms, repeat_ms;
    struct interval_set times;
    struct quiet_cache *quiet; /* many groups ask in the same minute */
    struct route *child, *sibling;
};
struct inhibit {
    struct notify_matchers source, target;
    struct conf_strs equal;
};
struct setup { /* one configuration */
    struct arena arena;
    struct dest *dests;
    size_t n_dests;
    struct route *root;
    struct inhibit *inhibits;
    size_t n_inhibits;
    struct interval *intervals;
    size_t n_intervals;
};

struct alert_rec {
    char key[KEY_BYTES + 1];
    struct labels *labels, *annotations;
    char value[40];
    bool firing;
    int64_t starts_ms, ends_ms;
    char *url;
    uint32_t refs; /* groups that hold it */
};
struct ngroup {
    char key[KEY_BYTES + 1];
    const struct route *route;
    struct labels *labels;
    int64_t due_ms, told_ms; /* told_ms 0: nothing was told yet */
    int64_t
        sequence; /* of messages, part of their keys; begins at the time of the group's making */
    uint64_t muted_hash; /* of what was last noted as muted */
    struct map told;     /* keys of alerts told as firing */
    struct map members;  /* key -> struct alert_rec * */
    bool dirty;          /* to be written in this transaction */
};

struct mail { /* what came of a request */
    struct mail *next;
    char dest[128];
    int64_t outbox_id, duration_ms;
    int status;
    int64_t retry_after_ms; /* -1: none */
    struct err err;
    char reply[200];
};
struct mailbox {
    struct mutex lock;
    struct cond filled;
    struct mail *first;
    uint32_t pending, refs;
    bool poked;
};

struct notify {
    struct notify_options opt;
    struct arena own;      /* copies of what opt borrows */
    struct mutex lock;     /* setup, router, dests' running state */
    struct cond attempted; /* an attempt was recorded: notify_test waits */
    const struct notify_conf *conf;
    struct setup *setup;
    struct map alerts; /* key -> struct alert_rec * */
    struct map groups; /* key -> struct ngroup * */
    bool router_loaded;
    int64_t pruned_ms;
    struct mailbox *box;
    struct thread worker;
    bool stopping;
};

/* setup.c */
struct setup *setup_new(struct notify *n, const struct notify_conf *conf, struct err *err) MUST_USE;
void setup_free(struct setup *s);
struct dest *setup_dest(struct setup *s, struct str id);
/* Calls fn for each route that takes the labels (Alertmanager's rules: the deepest, siblings after
 * `continue`). */
bool setup_route(const struct setup *s, struct labels ls,
                 bool (*fn)(void *arg, const struct route *r), void *arg);

/* router.c */
void router_clear(struct notify *n);
bool router_pass(struct notify *n, int64_t now_ms, struct err *err) MUST_USE;
int64_t router_next_due(const struct notify *n); /* wall ms; INT64_MAX: none */

/* outbox.c: SQL over outbox and outbox_attempts, inside the caller's transaction where tx is given
 */
struct outbox_new {
    struct str key, receiver, kind, title, body;
    struct str muted; /* n > 0: why it is not to be sent; kept for people to see */
};
bool outbox_put(struct state_tx *tx, const struct outbox_new *o, int64_t now_ms,
                struct err *err) MUST_USE;
struct outbox_row {
    int64_t id, attempts, created_ms, next_attempt_ms;
    struct str key, kind, title, body; /* in the arena */
};
bool outbox_head(struct notify *n, const struct dest *d, struct arena *a, struct outbox_row *out,
                 bool *out_found, struct err *err) MUST_USE;
bool outbox_pass_on(struct notify *n, const struct dest *d, struct str to, int64_t now_ms,
                    struct err *err) MUST_USE;
/* fold.c */
bool outbox_fold(struct notify *n, const struct dest *d, int64_t now_ms, struct err *err) MUST_USE;
enum outcome { OUTCOME_SENT, OUTCOME_LATER, OUTCOME_FAILED };
struct outbox_mark {
    int64_t id, at_ms, next_ms, duration_ms;
    enum outcome outcome;
    int status;
    struct str error;
    struct str fallback_to; /* dest id to tell; empty: none */
    bool complain, pass_on; /* tell that the receiver fails; the message itself too */
    struct str failing;     /* receiver's name */
};
bool outbox_mark(struct notify *n, const struct outbox_mark *m, struct err *err) MUST_USE;
bool outbox_orphans(struct notify *n, const struct setup *s, struct err *err) MUST_USE;
bool outbox_prune(struct notify *n, int64_t now_ms, struct err *err) MUST_USE;
void outbox_count(struct notify *n);

/* sender.c */
size_t sender_pass(struct notify *n);    /* starts what is due */
size_t sender_collect(struct notify *n); /* records what came back */
int64_t sender_next_due_ms(struct notify *n,
                           int64_t now_ms); /* how long until there may be something to start */
struct mailbox *mailbox_new(void);
void mailbox_unref(struct mailbox *b);

/* retry_after.c: PURE. How long to wait, in ms, at most NOTIFY_RETRY_AFTER_MAX_MS; -1: the header
 * is absent or nonsense. date: the answer's Date header. */
int64_t retry_after_ms(struct str value, struct str date, int64_t now_ms);

/* message.c, slack.c: PURE */
void message_key(char out[KEY_BYTES + 1], struct str text);
struct message_alert {
    const struct alert_rec *a;
    bool firing;
};
/* Alertmanager's webhook JSON (version 4), which is also what the outbox keeps. */
void message_body(struct buf *out, const struct message_alert *v, size_t n, struct str receiver,
                  struct str group_key, struct labels group_labels, struct str external_url);
void message_title(char out[NOTIFY_TITLE_BYTES], const struct message_alert *v, size_t n);
void message_copy(struct jsonw *w, const struct jsonr *v);
void message_webhook(struct buf *out, struct str body, int64_t max_alerts);
struct slack_look {
    enum notify_language language;
    struct str public_url, channel, username, icon_emoji, icon_url;
};
bool slack_render(struct buf *out, struct str kind, struct str body, const struct slack_look *look,
                  struct err *err) MUST_USE;
/* Copies s into b with &, < and > escaped, at most `room` bytes, cut between characters with an
 * ellipsis. */
void slack_escape(struct buf *b, struct str s, size_t room);

#endif
