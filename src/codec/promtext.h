/* promtext.h - what a /metrics page says: the Prometheus text format 0.0.4 and OpenMetrics 1.0,
 * both with quoted UTF-8 names.
 *
 * A pull parser over a whole body, without copies: strings in an item point into the body, or into
 * the arena where an escape had to be undone. The label text of a sample is only delimited, not
 * parsed: a scrape that knows the series text from last time (promtext_layout.h, or a hash of
 * `series`) needs no labels.
 *
 * OpenMetrics is read strictly, as its specification has it: order and grouping of samples,
 * histogram consistency, counter values, `# EOF`. The text format is read as leniently as
 * Prometheus does.
 *
 * Any error ends the parse: a scrape is whole or it is nothing. Errors: ERR_BAD_INPUT with line and
 * column, ERR_TOO_LARGE for a named limit, ERR_INTERNAL when the arena is full. One thread. Source:
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 *         https://prometheus.io/docs/specs/om/open_metrics_spec/
 */
#ifndef CODEC_PROMTEXT_H
#define CODEC_PROMTEXT_H

#include "model/labels.h"
#include "model/sink.h"

enum promtext_format { PROMTEXT_PLAIN, PROMTEXT_OPENMETRICS };

/* The format of a Content-Type; false: neither (JSON, HTML, protobuf ...). */
bool promtext_format_of(struct str content_type, enum promtext_format *out);

enum promtext_kind { PROMTEXT_END, PROMTEXT_SAMPLE, PROMTEXT_TYPE, PROMTEXT_HELP, PROMTEXT_UNIT };

struct promtext_exemplar {
    struct str labels; /* "{...}" as written; promtext_labels reads it */
    double value;
    bool has_ts;
    int64_t ts_ms;
};

struct promtext_item {
    enum promtext_kind kind;
    /* PROMTEXT_SAMPLE */
    struct str series; /* name and labels as written */
    struct str prefix; /* everything between the sample before and this value, comments included */
    double value;      /* NaN is always the normal NaN, never a stale marker */
    bool has_ts, has_exemplar;
    int64_t ts_ms; /* out of range ones are clamped to INT64_MIN or INT64_MAX */
    struct promtext_exemplar exemplar;
    uint16_t check; /* what promtext_layout must check of the next value here */
    /* metadata */
    struct str metric, text; /* text: HELP or UNIT, escapes undone */
    enum metric_type type;
};

struct promtext_om;
struct promtext {
    const char *start, *p, *end;
    const char *sample_end; /* where the last sample's line ended: the next prefix begins here */
    enum promtext_format format;
    struct arena *arena;
    struct promtext_om *om; /* in the arena */
    bool done;
};

/* The arena outlives the items; its cap bounds what a hostile page can cost. */
bool promtext_init(struct promtext *p, struct str body, enum promtext_format format,
                   struct arena *a, struct err *err) MUST_USE;
/* Plain format only: goes on behind what promtext_layout_read has taken. */
void promtext_seek(struct promtext *p, size_t offset);
/* false: err is set. out->kind is PROMTEXT_END once, at the end. */
bool promtext_next(struct promtext *p, struct promtext_item *out, struct err *err) MUST_USE;

/* Parses the series (or exemplar) text of an item; the builder is emptied first and borrows from
 * the text and the arena. Empty values are left out, as the model has it. Names and values are
 * UTF-8-checked and held to the limits of base/limits.h; a name twice is an error. */
bool promtext_labels(struct str series, struct arena *a, struct labels_builder *out,
                     struct err *err) MUST_USE;

#endif
