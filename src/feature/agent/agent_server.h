/* agent_server.h - the server's side of hinomi-agent: enrol tokens, the registry of agents, and
 * taking what they send into a sink, exactly once.
 *
 * Secrets are 256 random bits and rest here as SHA-256 only. What changes at every request (last
 * seen, buffered bytes) is kept in memory and written to the state store now and then: losing it
 * costs nothing. Positions are not kept here: the sink commits them with the rows (batch.agent),
 * and `position` reads them.
 *
 * Threads: every function from any thread; writes of one agent are taken one after the other.
 */
#ifndef AGENT_AGENT_SERVER_H
#define AGENT_AGENT_SERVER_H

#include "base/timev.h"
#include "feature/agent/spool.h"
#include "model/sink.h"
#include "store/state/state.h"

#define AGENT_ENROLL_TOKEN_MS                                                                      \
    ((int64_t)60 * 60 * 1000) /* an hour: long enough to walk to the other host */
#define AGENT_STALE_MS 90000  /* not heard of for three polls */
#define AGENT_SECRET_BYTES 48 /* prefix, 43 characters, NUL */

struct agent_server_options {
    struct state *state;
    struct sink sink;
    const struct clock *clock;
    /* The position that the sink has committed for an agent: series_agent_position. */
    void (*position)(void *self, struct str agent, uint64_t *out_segment, uint64_t *out_offset);
    void *position_self;
    void (*meta)(void *self, const struct metric_meta *m, size_t n); /* may be NULL */
    void *meta_self;
    /* Scrape configurations (YAML list) for an agent, appended; *out_interval_ms 0: default. May be
     * NULL. */
    void (*config)(void *self, struct str agent_id, struct str host, struct buf *scrape_configs,
                   int64_t *out_interval_ms);
    void *config_self;
};
struct agent_server;
struct agent_server *agent_server_open(const struct agent_server_options *opt,
                                       struct err *err) MUST_USE;
void agent_server_close(struct agent_server *s);

/* A token for one enrolment, for ttl_ms (0: AGENT_ENROLL_TOKEN_MS). Shown once. */
bool agent_server_enroll_token(struct agent_server *s, struct str note, struct str created_by,
                               int64_t ttl_ms, char out_token[AGENT_SECRET_BYTES],
                               int64_t *out_expires_ms, struct err *err) MUST_USE;
/* Uses a token up. Strings in the arena. ERR_UNAUTHENTICATED: wrong, used or expired. */
bool agent_server_enroll(struct agent_server *s, struct str token, struct str host,
                         struct str version, struct str peer, struct arena *a, struct str *out_id,
                         struct str *out_secret, struct err *err) MUST_USE;
/* Whose secret is it? ERR_UNAUTHENTICATED. */
bool agent_server_authenticate(struct agent_server *s, struct str secret, struct arena *a,
                               struct str *out_id, struct err *err) MUST_USE;
/* Notes that the agent was heard of. buffered_bytes negative: not said. */
void agent_server_seen(struct agent_server *s, struct str id, struct str version, struct str peer,
                       int64_t buffered_bytes);

struct agent_answer {
    struct spool_position position; /* committed, or stepped over because it could not be read */
    size_t records, refused_records;
    uint64_t accepted_samples, rejected_samples, duplicate_records;
    char first_rejected[512];
};
/* Takes a message (agentwire.h). false: nothing (more) could be taken now (ERR_UNAVAILABLE ...) or
 * the message is broken (ERR_BAD_INPUT); *out is filled in both cases with how far it came. */
bool agent_server_write(struct agent_server *s, struct str id, struct str message,
                        struct agent_answer *out, struct err *err) MUST_USE;
/* What GET /api/hinomi/agent answers: position, scrape_configs, interval_ms, config_version. */
bool agent_server_poll(struct agent_server *s, struct str id, struct buf *json,
                       struct err *err) MUST_USE;

/* Writes up{job="hinomi-agent", instance="<host>"} for each agent that has ever been heard of: 1,
 * or 0 when it has been silent for AGENT_STALE_MS (counted from the opening of this server at the
 * earliest: while the server was away nobody was silent). To be called every 10 s or so; its own
 * series of the host turn stale by themselves. */
bool agent_server_report(struct agent_server *s, struct err *err) MUST_USE;

struct agent_info {
    struct str id, host, version, remote_address; /* version, remote_address: NULL when unknown */
    int64_t enrolled_ms, last_seen_ms;            /* last_seen_ms 0: never */
    int64_t buffered_bytes;                       /* negative: unknown */
    struct spool_position position;
};
bool agent_server_list(struct agent_server *s, struct arena *a, struct agent_info **out,
                       size_t *out_n, struct err *err) MUST_USE;
/* Forgets the agent; its credential is worth nothing from now on. ERR_NOT_FOUND. */
bool agent_server_delete(struct agent_server *s, struct str id, struct err *err) MUST_USE;

#endif
