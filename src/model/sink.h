/* sink.h - how samples enter: collectors, scrapes, rules and receivers write batches into a sink;
 * the store is one, the agent's forwarder another, pipe/ stands between (relabelling, limits,
 * fan-out).
 *
 * A write that returns true is acknowledged: it is on disk. Rows that were refused one by one (too
 * old, different value for the same timestamp, over a limit) are counted and the first one is told
 * in `rejected`; they do not make the write fail.
 */
#ifndef MODEL_SINK_H
#define MODEL_SINK_H

#include "model/labels.h"
#include "model/sample.h"

/* One sample of one series. ref: 0 = unknown; a sink may fill it (through batch.refs) so that the
 * next write of the same series skips the lookup. labels must be valid in every row, sorted,
 * checked. */
struct batch_row {
    struct labels labels;
    int64_t ts_ms;
    double value;
};

/* What kind of source wrote: chooses accept rules and names the culprit in limits. */
enum source_kind {
    SOURCE_COLLECT,
    SOURCE_SCRAPE,
    SOURCE_REMOTE_WRITE,
    SOURCE_RULE,
    SOURCE_AGENT,
    SOURCE_SELF
};

struct batch {
    enum source_kind kind;
    struct str source; /* stable name: "scrape/job/instance", "remote_write/<token or peer>",
                          "rule/<group>" */
    const struct batch_row *rows;
    size_t n;
    uint64_t *refs; /* NULL, or n refs parallel to rows, kept by the writer between batches:
                       0 on first use; the sink fills and trusts them only after it verified */
    /* For exactly-once delivery from an agent: (agent, segment, offset) is committed with the batch
     * and a batch at or before the committed position is acknowledged without effect. agent.n == 0:
     * none. */
    struct str agent;
    uint64_t agent_segment, agent_offset;
};

enum reject_reason {
    REJECT_NONE,
    REJECT_TOO_OLD,     /* before now - store.series.accept_window */
    REJECT_TOO_NEW,     /* more than 10 min ahead of now */
    REJECT_DUPLICATE,   /* same series and timestamp, different value */
    REJECT_LABELS,      /* invalid or over a label limit */
    REJECT_CARDINALITY, /* over the source's or metric's series limit */
    REJECT_COUNT
};

struct write_result {
    size_t accepted; /* rows, equal duplicates included */
    size_t rejected[REJECT_COUNT];
    char first_rejected[512]; /* which series, timestamp, limit and what to do; "" when none */
};

struct sink_ops {
    bool (*write)(void *self, const struct batch *b, struct write_result *out, struct err *err);
};
struct sink {
    const struct sink_ops *ops;
    void *self;
};
static inline bool sink_write(const struct sink *s, const struct batch *b, struct write_result *out,
                              struct err *err) {
    return s->ops->write(s->self, b, out, err);
}

/* What is known about a metric: TYPE, HELP, UNIT (from scrapes, remote_write, collectors). */
enum metric_type {
    METRIC_UNKNOWN,
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
    METRIC_GAUGEHISTOGRAM,
    METRIC_SUMMARY,
    METRIC_INFO,
    METRIC_STATESET
};
const char *metric_type_name(enum metric_type t);                   /* "counter", "unknown", ... */
bool metric_type_from_name(struct str name, enum metric_type *out); /* "untyped" too */
struct metric_meta {
    struct str metric, help, unit; /* metric: the family's name */
    enum metric_type type;
};

#endif
