/* ingest_testlib.h - a peer that answers whatever a test wants, byte by byte, and a sink that
 * remembers. */
#ifndef INGEST_INGEST_TESTLIB_H
#define INGEST_INGEST_TESTLIB_H

#include "feature/ingest/ingest.h"
#include "os/thread.h"

#include <stdatomic.h>

/* Loopback HTTP peer: one thread accepts, one thread a connection; each connection serves one
 * request. */
struct t_peer {
    struct mutex lock;
    int fd;
    uint16_t port;
    struct thread thread;
    char *answer; /* raw: status line, headers, body */
    size_t answer_n;
    int64_t delay_ms; /* before the answer */
    bool trickle;     /* one byte at a time, 50 ms apart */
    bool endless;     /* repeats the answer's last 1 KiB until the client leaves */
    _Atomic bool stop;
    _Atomic int requests, connections;
    char last_request[4096];
};
void t_peer_init(struct t_peer *p);
void t_peer_deinit(struct t_peer *p);
/* A whole answer; type NULL: no Content-Type. */
void t_peer_page(struct t_peer *p, int status, const char *type, const char *extra_headers,
                 struct str body);
void t_peer_text(struct t_peer *p, const char *body); /* 200, text/plain; version=0.0.4 */

/* A sink in memory: last value and count by series text; checks that refs stay true. */
struct t_row {
    char *series;
    double value;
    int64_t ts_ms;
    size_t n;
};
struct t_sink {
    struct mutex lock;
    struct t_row *rows;
    size_t n, batches;
    bool fail;
};
void t_sink_init(struct t_sink *s);
void t_sink_deinit(struct t_sink *s);
struct sink t_sink_view(struct t_sink *s);
/* false: never written. */
bool t_sink_get(struct t_sink *s, const char *series, double *out_value, size_t *out_n);
void t_sink_print(struct t_sink *s);

/* YAML of {global, scrape_configs} to an ingest_config; false: diagnostics in the buffer. */
bool t_config(const char *yaml, struct arena *a, struct ingest_config *out, struct buf *diags);

/* Asks again every 5 ms for at most 10 s: for conditions that another thread brings about. */
#define T_WAIT(condition)                                                                          \
    do {                                                                                           \
        int64_t t_until = clock_mono_ms(clock_system()) + 10000;                                   \
        while (!(condition)) {                                                                     \
            if (clock_mono_ms(clock_system()) > t_until)                                           \
                fail_msg("timed out waiting for %s", #condition);                                  \
            t_nap();                                                                               \
        }                                                                                          \
    } while (0)
void t_nap(void);

#endif
