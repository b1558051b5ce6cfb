/* emit.h - from a value that a collector read to a row of the next batch, without allocation once a
 * series is known.
 *
 * A table is a family of series with the same label names (node_disk_*{device}); an item is one set
 * of label values (device="sda"), a series one metric of it. Collectors look an item up by its
 * label values and put numbers into it. What was put in the last run and not in this one gets a
 * stale marker and goes, so a vanished device never shows its last value as if it were true.
 *
 * Label values come from outside (process names, mount points): they are cut at
 * EMIT_VALUE_BYTES_MAX and bytes that are not UTF-8 become U+FFFD. Tables have a cap of items; what
 * is over it is counted. One thread (the collect loop).
 */
#ifndef COLLECT_EMIT_H
#define COLLECT_EMIT_H

#include "base/map.h"
#include "model/sink.h"

#define EMIT_LABELS_MAX 16
#define EMIT_METRICS_MAX 64
#define EMIT_VALUE_BYTES_MAX                                                                       \
    512 /* a mount point or a kernel version string; far below the store's limit */
#define EMIT_ITEMS_MAX_DEFAULT 1024

struct emit_metric {
    const char *name;
    enum metric_type type;
    const char *help;
};
struct emit_group { /* static const: describes a table */
    const char *const *label_names;
    size_t n_labels;
    const struct emit_metric *metrics;
    size_t n_metrics;
    size_t items_max; /* 0: EMIT_ITEMS_MAX_DEFAULT */
};

struct emit_series {
    struct labels *labels; /* NULL: not yet made */
    uint64_t ref;
    uint64_t run; /* the collector's run that last put it */
};
struct emit_item {
    struct emit_table *table;
    struct emit_metric *own; /* emit_named: the item's only metric */
    struct str *values;      /* table->group->n_labels */
    struct emit_item *next;
    uint64_t run;
    size_t n_series;
    struct emit_series series[];
};

struct emit;
struct emit_table {
    const struct emit_group *group;
    struct emit *emit;
    struct map by_key;
    struct emit_item *items;
    struct emit_table *next;
    size_t n_items;
    uint64_t refused; /* items over the cap, ever */
};

/* Rows of one tick, shared by all collectors of a loop. */
struct emit_batch {
    struct label job, instance;
    int64_t ts_ms;
    struct batch_row *rows;
    uint64_t *refs;
    struct emit_series **back; /* NULL for a stale marker */
    size_t n, cap;
    struct labels **dead; /* freed after the write */
    size_t n_dead, cap_dead;
    struct map known; /* metric names whose metadata was told */
    void (*meta)(void *self, const struct metric_meta *m);
    void *meta_self;
    bool failed; /* memory ran out: rows are missing */
};

struct emit { /* one a collector */
    struct emit_batch *batch;
    struct emit_table *tables;
    uint64_t run;
};

void emit_batch_init(struct emit_batch *b, struct str job,
                     struct str instance); /* strings borrowed */
void emit_batch_deinit(struct emit_batch *b);
void emit_batch_reset(struct emit_batch *b, int64_t ts_ms);
/* Copies the refs that the sink filled back to their series and frees what went stale. */
void emit_batch_written(struct emit_batch *b);

void emit_init(struct emit *e, struct emit_batch *b);
void emit_deinit(struct emit *e);
void emit_begin(struct emit *e); /* a run starts */
void emit_end(struct emit *e);   /* marks stale what was not put since emit_begin */
uint64_t emit_refused(const struct emit *e);

/* Owned by e. NULL: no memory. */
struct emit_table *emit_table(struct emit *e, const struct emit_group *g);
/* The item with these label values (n_labels of them); made when new. NULL: over the cap, or no
 * memory. */
struct emit_item *emit_item(struct emit_table *t, const struct str *values);
/* For metrics whose name comes from the kernel (a field of /proc/meminfo): a table without labels
 * and metrics. help is a static prefix; the metadata says "<help> <name>". */
struct emit_item *emit_named(struct emit_table *t, struct str metric, enum metric_type type,
                             const char *help);
/* item NULL is ignored. metric: index into the group's metrics; 0 for named ones. */
void emit_put(struct emit_item *item, size_t metric, double value);

/* Appends s as valid UTF-8, at most bytes_max bytes: what is not UTF-8 becomes U+FFFD, control
 * characters become '?'. */
void emit_clean(struct buf *out, struct str s, size_t bytes_max);

#endif
