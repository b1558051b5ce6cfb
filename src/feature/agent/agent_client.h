/* agent_client.h - hinomi-agent's side: enrol once, then take batches into the disk buffer
 * (spool.h) and bring them to the server, exactly once, however often either side dies.
 *
 * Delivery: a batch is acknowledged to its writer when it is in the buffer. The forwarder sends
 * records in order with their positions; the server commits the position with the rows and answers
 * with what it has; only that is released here. A lost answer makes us send again, and the server
 * recognises the position.
 *
 * Threads: "agent-forward" talks to the server. The sink and agent_client_meta may be used by any
 * thread.
 */
#ifndef AGENT_AGENT_CLIENT_H
#define AGENT_AGENT_CLIENT_H

#include "base/timev.h"
#include "feature/agent/spool.h"
#include "model/sink.h"

struct http_client;

#define AGENT_PATH_ENROLL "/api/hinomi/agent/enroll"
#define AGENT_PATH_WRITE "/api/hinomi/agent/write"
#define AGENT_PATH_POLL "/api/hinomi/agent"
#define AGENT_CREDENTIAL_FILE "agent.json" /* in the data folder, mode 0600 */
#define AGENT_HEADER_VERSION "X-Hinomi-Agent-Version"
#define AGENT_HEADER_BUFFERED "X-Hinomi-Agent-Buffered"

/* How requests leave: HTTP, or a test's double. */
struct agent_request {
    const char *method, *path;
    struct str body;
    const char *content_type;
    const char *bearer; /* NULL: none */
    const char *version;
    uint64_t buffered_bytes;
};
struct agent_response {
    int status;
    struct buf body;
    int64_t retry_after_s; /* 0: not said */
};
struct agent_transport {
    /* false: no answer came (err says why). */
    bool (*call)(void *self, const struct agent_request *req, struct agent_response *out,
                 struct err *err);
    void *self;
};

struct agent_server_address {
    struct str url;     /* "https://hinomi.example:11900" */
    struct str ca_file; /* n == 0: the system's authorities */
};
/* The HTTP transport: owns copies; freed with agent_transport_http_free. */
struct agent_transport_http;
struct agent_transport_http *agent_transport_http_new(struct http_client *http,
                                                      struct agent_server_address to,
                                                      struct err *err) MUST_USE;
struct agent_transport agent_transport_http_view(struct agent_transport_http *t);
void agent_transport_http_free(struct agent_transport_http *t);

struct agent_credential { /* strings in the arena given */
    struct agent_server_address server;
    struct str host; /* the name given at enrolment: the instance label; empty: the machine's own */
    struct str id, secret;
};
/* Exchanges an enrol token for this agent's own credential and writes it to <data_dir>/agent.json
 * (0600). ERR_CONFLICT when there is one already and force is not set. */
bool agent_enroll(const struct agent_transport *t, struct agent_server_address server,
                  struct str token, const char *data_dir, struct str host, struct str version,
                  bool force, struct err *err) MUST_USE;
/* ERR_NOT_FOUND: not enrolled; the message says how to. */
bool agent_credential_load(const char *data_dir, struct arena *a, struct agent_credential *out,
                           struct err *err) MUST_USE;

/* What the server wants of this agent. */
struct agent_config {
    int64_t interval_ms;       /* 0: the default */
    struct str scrape_configs; /* YAML: a list as under scrape_configs; may be empty */
    struct str version;        /* changes when anything above does */
};

struct agent_client_options {
    const char *data_dir; /* agent.json and spool/ */
    const struct clock *clock;
    struct agent_transport transport;
    struct str secret; /* of the credential; copied */
    const char *version;
    uint64_t spool_bytes_max; /* 0: the default */
    int64_t poll_ms;          /* 0: 30 s */
    /* Called on the forwarder's thread when the configuration differs from the last one. May be
     * NULL. */
    void (*on_config)(void *self, const struct agent_config *config);
    void *on_config_self;
    bool no_threads; /* tests: agent_client_step */
};
struct agent_client;
struct agent_client *agent_client_open(const struct agent_client_options *opt,
                                       struct err *err) MUST_USE;
void agent_client_free(struct agent_client *c); /* what is buffered stays for the next start */
struct sink agent_client_sink(struct agent_client *c);
/* Metadata goes with the next batch. Fits collect_options.meta. */
void agent_client_meta(void *client, const struct metric_meta *m);
/* One round: polls when due, sends what waits. *out_wait_ms: when to come again. */
void agent_client_step(struct agent_client *c, int64_t *out_wait_ms);

struct agent_client_status {
    struct spool_stats spool;
    bool connected;     /* the last request was answered well */
    int64_t last_ok_ms; /* 0: never */
    char last_error[256];
};
struct agent_client_status agent_client_status(struct agent_client *c);

#endif
