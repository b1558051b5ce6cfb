/* Annotations: Prometheus's texts, each kept once, in the order of their first appearance. */
#include "query/promql/notes.h"
#include "query/promql/eval.h"

static const char *const texts[] = {
    [PQ_NOTE_RATIO] = "PromQL warning: ratio value should be between -1 and 1",
    [PQ_NOTE_QUANTILE] = "PromQL warning: quantile value should be between 0 and 1",
    [PQ_NOTE_BAD_BUCKET] =
        "PromQL warning: bucket label \"le\" is missing or has a malformed value",
    [PQ_NOTE_MIXED_FLOAT_HIST] =
        "PromQL warning: encountered a mix of histograms and floats for metric name",
    [PQ_NOTE_MIXED_FLOAT_HIST_AGG] =
        "PromQL warning: encountered a mix of histograms and floats for aggregation",
    [PQ_NOTE_MIXED_CLASSIC_NATIVE] =
        "PromQL warning: vector contains a mix of classic and native histograms",
    [PQ_NOTE_NOT_COUNTER] = "PromQL warning: this native histogram metric is not a counter:",
    [PQ_NOTE_NOT_GAUGE] = "PromQL warning: this native histogram metric is not a gauge:",
    [PQ_NOTE_MIXED_CUSTOM] = "PromQL warning: vector contains a mix of histograms with exponential "
                             "and custom buckets schemas for metric name",
    [PQ_NOTE_BIN_LAYOUT] =
        "PromQL warning: incompatible bucket layout encountered for binary operator",
    [PQ_NOTE_RESET_COLLISION] = "PromQL warning: conflicting counter resets during histogram",
    [PQ_NOTE_MAYBE_NOT_COUNTER] = "PromQL info: metric might not be a counter, name does not end "
                                  "in _total/_sum/_count/_bucket:",
    [PQ_NOTE_MAYBE_NOT_COUNTER_TYPE] =
        "PromQL info: metric might not be a counter, __type__ label is not set to "
        "\"counter\" or \"histogram\"",
    [PQ_NOTE_MONOTONICITY] =
        "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
        "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)",
    [PQ_NOTE_BIN_TYPES] = "PromQL info: incompatible sample types encountered for binary operator",
    [PQ_NOTE_HIST_IGNORED_AGG] = "PromQL info: ignored histogram in",
    [PQ_NOTE_HIST_IGNORED_RANGE] = "PromQL info: ignored histograms in a range containing both "
                                   "floats and histograms for metric name",
    [PQ_NOTE_QUANTILE_NAN] =
        "PromQL info: input to histogram_quantile has NaN observations, result is NaN",
    [PQ_NOTE_QUANTILE_SKEW] =
        "PromQL info: input to histogram_quantile has NaN observations, result is skewed higher",
    [PQ_NOTE_FRACTION_NAN] = "PromQL info: input to histogram_fraction has NaN observations, which "
                             "are excluded from all fractions",
    [PQ_NOTE_BOUNDS_RECONCILED] = "PromQL info: mismatched custom buckets were reconciled during",
};

/* More distinct notes than a person reads are not kept; a query over many metrics could make
 * millions. */
enum { NOTES_MAX = 1000 };

static bool keep(struct pq_ev *ev, enum pq_note note, const struct buf *text) {
    struct pq_notes *k = ev->notes;
    if (!buf_ok(text))
        return pq_no_memory(ev);
    if (map_find(&k->seen, buf_view(text)))
        return true;
    if (k->seen.n >= NOTES_MAX)
        return true;
    if (!map_put(&k->seen, buf_view(text),
                 note >= PQ_NOTE_INFO_FIRST ? &k->info_mark : &k->warning_mark, NULL))
        return pq_no_memory(ev);
    return true;
}

static void put_where(struct pq_ev *ev, const struct promql_expr *where, struct buf *b) {
    uint32_t line, column;
    pq_position(ev->text, where->start, &line, &column);
    buf_printf(b, " (%u:%u)", line, column);
}

static void put_for_name(struct buf *b, struct str name) {
    if (name.n) {
        buf_putz(b, " for metric name ");
        pq_quote(b, name);
    }
}

static bool str_same(struct str a, struct str b) {
    return a.p == b.p && a.n == b.n;
}

bool pq_note(struct pq_ev *ev, enum pq_note note, const struct promql_expr *where, struct str name,
             struct str x, struct str y) {
    struct buf b = BUF_INIT_MAX(1 << 16);
    struct pq_notes *k = ev->notes;
    if (k->last.where == where && k->last.note == (int)note && str_same(k->last.name, name) &&
        str_same(k->last.x, x))
        return true;
    k->last.note = (int)note;
    k->last.where = where;
    k->last.name = name;
    k->last.x = x;
    buf_putz(&b, texts[note]);
    switch ((int)note) {
    case PQ_NOTE_BAD_BUCKET:
        buf_putz(&b, " of ");
        pq_quote(&b, x);
        put_for_name(&b, name);
        break;
    case PQ_NOTE_MIXED_CLASSIC_NATIVE:
    case PQ_NOTE_MONOTONICITY:
    case PQ_NOTE_QUANTILE_NAN:
    case PQ_NOTE_QUANTILE_SKEW:
    case PQ_NOTE_FRACTION_NAN:
        put_for_name(&b, name);
        break;
    case PQ_NOTE_MIXED_FLOAT_HIST_AGG:
        break;
    case PQ_NOTE_BIN_LAYOUT:
    case PQ_NOTE_RESET_COLLISION:
    case PQ_NOTE_BOUNDS_RECONCILED:
        buf_putc(&b, ' ');
        buf_puts(&b, x);
        break;
    case PQ_NOTE_MAYBE_NOT_COUNTER_TYPE:
        buf_putz(&b, ", got ");
        pq_quote(&b, x);
        buf_putz(&b, ": ");
        pq_quote(&b, name);
        break;
    case PQ_NOTE_BIN_TYPES: /* x: left type, name: operator, y: right type */
        buf_printf(&b, " \"%.*s\": %.*s %.*s %.*s", STR_FMT(name), STR_FMT(x), STR_FMT(name),
                   STR_FMT(y));
        break;
    case PQ_NOTE_HIST_IGNORED_AGG:
        buf_printf(&b, " %.*s aggregation", STR_FMT(x));
        break;
    default:
        buf_putc(&b, ' ');
        pq_quote(&b, name);
        break;
    }
    put_where(ev, where, &b);
    bool ok = keep(ev, note, &b);
    buf_deinit(&b);
    return ok;
}

bool pq_note_number(struct pq_ev *ev, enum pq_note note, const struct promql_expr *where,
                    double got, double cap) {
    struct buf b = BUF_INIT_MAX(4096);
    buf_putz(&b, texts[note]);
    buf_putz(&b, ", got ");
    buf_f64_g(&b, got);
    if (note == PQ_NOTE_RATIO) {
        buf_putz(&b, ", capping to ");
        buf_f64_g(&b, cap);
    }
    put_where(ev, where, &b);
    bool ok = keep(ev, note, &b);
    buf_deinit(&b);
    return ok;
}

bool pq_notes_out(const struct pq_ev *ev, struct promql_notes *out, struct arena *a) {
    struct pq_notes *k = ev->notes;
    out->warnings = ARENA_ARRAY(a, struct str, k->seen.n);
    out->infos = ARENA_ARRAY(a, struct str, k->seen.n);
    if (!out->warnings || !out->infos)
        return false;
    for (struct map_entry *e = map_next(&k->seen, NULL); e; e = map_next(&k->seen, e)) {
        struct str text = arena_str(a, e->key);
        if (!text.p)
            return false;
        if (e->value == &k->info_mark)
            out->infos[out->n_infos++] = text;
        else
            out->warnings[out->n_warnings++] = text;
    }
    return true;
}
