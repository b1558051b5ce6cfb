/* agentwire.h - the bytes between hinomi-agent and the server, and in the agent's disk buffer.
 * Described in docs/formats/agent.md; version AGENTWIRE_VERSION.
 *
 * A record is one batch: source, symbol table, series as pairs of symbols, then columns (series,
 * time, value), then metadata; zstd over all. A message is what one request carries: records, each
 * with its position in the agent's buffer and a CRC32C.
 *
 * The decoder reads bytes from outside: everything is bounded, nothing is trusted. Pure. Any
 * thread.
 */
#ifndef AGENT_AGENTWIRE_H
#define AGENT_AGENTWIRE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cur.h"
#include "model/sink.h"

#define AGENTWIRE_VERSION 1
#define AGENTWIRE_RECORD_BYTES_MAX                                                                 \
    ((size_t)4 << 20) /* compressed; a batch of 200,000 rows is about 2 MB */
#define AGENTWIRE_RECORD_RAW_BYTES_MAX ((size_t)32 << 20)
#define AGENTWIRE_ROWS_MAX 1000000
#define AGENTWIRE_MESSAGE_BYTES_MAX ((size_t)8 << 20)
#define AGENTWIRE_ARENA_BYTES_MAX ((size_t)256 << 20) /* what decoding one record may take */
#define AGENTWIRE_CONTENT_TYPE "application/vnd.hinomi.agent.v1"

struct agentwire_record {
    enum source_kind kind;
    struct str source;
    const struct batch_row *rows;
    size_t n_rows;
    const struct metric_meta *meta;
    size_t n_meta;
};

/* Appends the record to out. ERR_TOO_LARGE over a limit. */
bool agentwire_encode(const struct agentwire_record *r, struct buf *out, struct err *err) MUST_USE;
/* Strings and rows in the arena. ERR_BAD_INPUT, ERR_TOO_LARGE, ERR_UNSUPPORTED (a newer version).
 * Every row's labels have passed labels_check. */
bool agentwire_decode(struct str bytes, struct arena *a, struct agentwire_record *out,
                      struct err *err) MUST_USE;

struct agentwire_part {       /* one record in a message */
    uint64_t segment, offset; /* where the record ends in the agent's buffer */
    struct str record;
};
void agentwire_message_begin(struct buf *out);
void agentwire_message_add(struct buf *out, const struct agentwire_part *p);
/* Checks the head; then agentwire_message_next until it says there is no more. */
bool agentwire_message_open(struct str bytes, struct cur *out, struct err *err) MUST_USE;
/* false: the end (err->code 0) or broken bytes. */
bool agentwire_message_next(struct cur *c, struct agentwire_part *out, struct err *err);

#endif
