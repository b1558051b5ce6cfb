/* eval.h - how the evaluator is cut into files; inside the room only.
 *
 * Evaluation is column-wise: an expression is evaluated once over the whole grid of steps and gives
 * a matrix, one dense column of values a series. A step without a value holds the stale marker's
 * bits (pq_absent), which no selector and no operation yields as a value. Native histograms stand
 * in a second column of pointers; where hist[i] is set, v[i] is 0.
 *
 * All memory comes from ev->arena, which lives as long as the query. Functions return false after
 * an error, which then stands in ev->err.
 */
#ifndef PROMQL_EVAL_H
#define PROMQL_EVAL_H

#include "model/fhist.h"
#include "query/promql/functions.h"

struct pq_grid { /* the steps: start, start + step, ... ; n of them */
    int64_t start, step;
    size_t n;
};
static inline int64_t pq_ts(const struct pq_grid *g, size_t i) {
    return g->start + (int64_t)i * g->step;
}

struct pq_series {
    struct labels labels;
    bool drop_name; /* delayed name removal: the name goes at the end */
    double *v;
    const struct fhist **hist; /* NULL: floats only */
};
struct pq_matrix {
    struct pq_series *s;
    size_t n, cap;
};

static inline bool pq_absent(double v) {
    return sample_is_stale(v);
}
static inline bool pq_is_hist(const struct pq_series *s, size_t i) {
    return s->hist && s->hist[i];
}

struct pq_held_set; /* reader sets stay open until the end: labels are views into them */
struct pq_notes;

struct pq_ev {
    const struct reader *reader;
    struct arena *arena,
        *scratch; /* scratch: reset whenever a step's work is done; nothing outlives it */
    struct err *err;
    const struct promql_options *opt;
    unsigned features;
    bool delayed_names;
    int64_t lookback_ms, default_step_ms;
    int64_t query_start, query_end; /* what start() and end() mean */
    int64_t query_step;             /* what step() means */
    struct pq_held_set *held;
    struct pq_notes *notes;
    struct str text;
    size_t memory_max;           /* work and result together */
    size_t samples, samples_max; /* held in memory now */
    uint64_t samples_peak, samples_read;
    unsigned ticks;
};

/* One series of a stream: valid during the call; columns are reused afterwards. */
typedef bool (*pq_sink)(void *arg, struct pq_series *s);

/* eval.c */
bool pq_eval(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
             struct pq_matrix *out);
bool pq_eval_scalar(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                    double **out);
/* Like pq_eval, series by series where the expression allows. */
bool pq_each(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e, pq_sink sink,
             void *arg);
bool pq_tick(struct pq_ev *ev); /* deadline, cancellation; call once a series or so */
bool pq_failf(struct pq_ev *ev, const char *fmt, ...) PRINTF_LIKE(2, 3); /* ERR_EXECUTION */
bool pq_no_memory(struct pq_ev *ev);
bool pq_take_samples(struct pq_ev *ev, size_t n);
void pq_drop_samples(struct pq_ev *ev, size_t n);
bool pq_duration_ms(struct pq_ev *ev, int64_t plain_ms, const struct promql_expr *expr,
                    bool negative_ok, int64_t *out);
/* The reference time of step i for a selector or subquery with these modifiers. */
struct pq_ref {
    bool fixed; /* the same for every step */
    int64_t at, offset;
};
bool pq_ref_of(struct pq_ev *ev, const struct pq_time_mods *m, struct pq_ref *out);
static inline int64_t pq_ref_ts(const struct pq_ref *r, int64_t ts) {
    return (r->fixed ? r->at : ts) - r->offset;
}

/* matrix.c */
bool pq_matrix_push(struct pq_ev *ev, struct pq_matrix *m, struct pq_series s);
double *pq_column(struct pq_ev *ev, const struct pq_grid *g); /* all absent; NULL: no memory */
bool pq_column_hist(struct pq_ev *ev, const struct pq_grid *g,
                    struct pq_series *s); /* makes s->hist */
bool pq_copy_series(struct pq_ev *ev, const struct pq_grid *g, const struct pq_series *s,
                    struct pq_series *out);
size_t pq_count_points(const struct pq_grid *g, const struct pq_series *s);
bool pq_drop_metadata(struct pq_ev *ev, struct labels in,
                      struct labels *out); /* __name__, __type__, __unit__ */
bool pq_drop_label(struct pq_ev *ev, struct labels in, struct str name, struct labels *out);
/* Drops the name of a series now, or marks it for later. */
bool pq_mark_name(struct pq_ev *ev, struct pq_series *s);
/* Series that have become equal are merged; two values at one step: the error that Prometheus
 * gives. */
bool pq_merge_same(struct pq_ev *ev, const struct pq_grid *g, struct pq_matrix *m);
bool pq_has_same(struct pq_ev *ev, const struct pq_matrix *m, bool *out);
void pq_sort_by_labels(struct pq_matrix *m);

/* A set of label sets -> index, for groups, signatures and outputs. Labels are borrowed. */
struct pq_index {
    struct labels *keys;
    uint64_t *hashes;
    uint32_t *slots;
    uint32_t n, cap, n_slots;
};
/* The index of ls; *added when it is new (then `ls` itself is kept: make it last). UINT32_MAX: no
 * memory. */
uint32_t pq_index_put(struct pq_ev *ev, struct pq_index *x, struct labels ls, bool *added);
uint32_t pq_index_find(const struct pq_index *x, struct labels ls); /* UINT32_MAX: absent */

/* Sample output of operators whose result series are known by their labels only. */
struct pq_out {
    struct pq_index index;
    struct pq_matrix m;
};
bool pq_out_series(struct pq_ev *ev, const struct pq_grid *g, struct pq_out *o, struct labels ls,
                   bool drop_name, uint32_t *out);
bool pq_out_put(struct pq_ev *ev, const struct pq_grid *g, struct pq_out *o, uint32_t series,
                size_t step, double v, const struct fhist *h);

/* notes.c */
enum pq_note {
    PQ_NOTE_RATIO,
    PQ_NOTE_QUANTILE,
    PQ_NOTE_BAD_BUCKET,
    PQ_NOTE_MIXED_FLOAT_HIST,
    PQ_NOTE_MIXED_FLOAT_HIST_AGG,
    PQ_NOTE_MIXED_CLASSIC_NATIVE,
    PQ_NOTE_NOT_COUNTER,
    PQ_NOTE_NOT_GAUGE,
    PQ_NOTE_MIXED_CUSTOM,
    PQ_NOTE_BIN_LAYOUT,
    PQ_NOTE_RESET_COLLISION,
    PQ_NOTE_INFO_FIRST, /* infos from here on */
    PQ_NOTE_MAYBE_NOT_COUNTER = PQ_NOTE_INFO_FIRST,
    PQ_NOTE_MAYBE_NOT_COUNTER_TYPE,
    PQ_NOTE_MONOTONICITY,
    PQ_NOTE_BIN_TYPES,
    PQ_NOTE_HIST_IGNORED_AGG,
    PQ_NOTE_HIST_IGNORED_RANGE,
    PQ_NOTE_QUANTILE_NAN,
    PQ_NOTE_QUANTILE_SKEW,
    PQ_NOTE_FRACTION_NAN,
    PQ_NOTE_BOUNDS_RECONCILED
};
/* name, a, b: as the text of the note needs; where: its position. Kept once. */
bool pq_note(struct pq_ev *ev, enum pq_note note, const struct promql_expr *where, struct str name,
             struct str a, struct str b);
bool pq_note_number(struct pq_ev *ev, enum pq_note note, const struct promql_expr *where,
                    double got, double cap);
bool pq_notes_out(const struct pq_ev *ev, struct promql_notes *out, struct arena *a);

/* eval_selector.c */
bool pq_select_each(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                    pq_sink sink, void *arg);
/* The samples' times; floats_only: a histogram is an error. */
bool pq_select_timestamps(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                          bool floats_only, struct pq_matrix *out);
bool pq_open_set(struct pq_ev *ev, const struct matcher *m, size_t n, int64_t start, int64_t end,
                 struct reader_set **out);
void pq_close_sets(struct pq_ev *ev);

/* The raw samples of one series, without stale markers: floats and histograms apart. */
struct pq_samples {
    const int64_t *ts;
    const double *v;
    size_t n;
    const int64_t *hist_ts;
    const struct fhist *const *hist;
    size_t n_hist;
};
/* Calls fn for every series of a range vector (a matrix selector or a subquery) with all its
 * samples in (first reference - range - before, last reference + after]. */
struct pq_range_source {
    const struct promql_expr *e; /* PQ_MATRIX or PQ_SUBQUERY */
    struct pq_ref ref;
    int64_t range_ms;
    bool anchored, smoothed;
};
typedef bool (*pq_samples_fn)(void *arg, struct labels labels, bool drop_name,
                              const struct pq_samples *s);
bool pq_range_source_init(struct pq_ev *ev, const struct promql_expr *e,
                          struct pq_range_source *out);
bool pq_range_each(struct pq_ev *ev, const struct pq_grid *g, const struct pq_range_source *src,
                   pq_samples_fn fn, void *arg);
bool pq_extend(struct pq_ev *ev, const struct pq_samples *s, int64_t mint, int64_t maxt,
               bool smoothed, struct pq_samples *out);

/* eval_range.c, range_functions.c */
bool pq_range_call_each(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                        pq_sink sink, void *arg);
bool pq_absent_over_time(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                         struct pq_matrix *out);
bool pq_is_range_call(const struct promql_expr *e);

struct pq_range_call { /* what a range function sees: one window */
    struct pq_ev *ev;
    const struct promql_expr *e, *arg; /* the call; its range argument */
    const int64_t *ts;
    const double *v;
    size_t n;
    const int64_t *hist_ts;
    const struct fhist *const *hist;
    size_t n_hist;
    int64_t step_ts, range_start,
        range_end; /* the window proper, without what anchored and smoothed add */
    int64_t range_ms;
    bool anchored, smoothed;
    double param[2];
    struct str metric;      /* name of the series */
    const uint32_t *resets; /* positions in the series where a float is lower than the one before */
    size_t n_resets, base;  /* base: where the window begins in the series */
    size_t *next_reset;     /* first reset at or behind base + 1 */
    double *sorted;         /* room for n values; NULL: none yet */
    size_t sorted_cap;
};
/* True: emitted. False without error: nothing at this step. */
typedef bool (*pq_range_fn)(struct pq_range_call *c, double *out, const struct fhist **out_hist);
pq_range_fn pq_range_function(enum pq_fn id);
bool pq_failed(const struct pq_ev *ev);

/* functions_vector.c, functions_label.c, functions_histogram.c, info.c */
bool pq_call(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
             struct pq_matrix *out);
bool pq_label_call(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                   struct pq_matrix *out);
bool pq_sort_call(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                  struct pq_matrix *out);
bool pq_histogram_call(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                       struct pq_matrix *out);
bool pq_info_call(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                  struct pq_matrix *out);
bool pq_absent_labels(struct pq_ev *ev, const struct promql_expr *arg, struct labels *out);

/* eval_binary.c */
bool pq_binary(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
               struct pq_matrix *out);
bool pq_binary_scalars(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                       double **out);

/* eval_aggregate.c, eval_topk.c */
bool pq_aggregate(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                  struct pq_matrix *out);
bool pq_aggregate_k(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                    struct pq_matrix *out);
bool pq_count_values(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                     struct pq_matrix *out);
struct pq_grouping { /* sorted names */
    struct str *names;
    size_t n;
    bool without;
};
bool pq_grouping_of(struct pq_ev *ev, const struct promql_expr *e, struct pq_grouping *out);
/* The labels of ls's group, in `tmp` (room for ls.n labels). */
struct labels pq_group_labels(const struct pq_grouping *gr, struct labels ls, struct label *tmp);

/* number.c: arithmetic as Prometheus (Go) does it */
struct pq_kahan {
    double sum, c;
};
void pq_kahan_add(struct pq_kahan *k, double v);
double pq_quantile(double q, double *v, size_t n); /* sorts v */
double pq_max(double a, double b);                 /* NaN if either is */
double pq_min(double a, double b);

#endif
