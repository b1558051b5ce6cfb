#include "query/promql/range_histograms.h"

static const struct str none;

static bool note(struct pq_range_call *c, enum pq_note n) {
    pq_note(c->ev, n, c->e->u.call.args[0], c->metric, none, none);
    return false;
}

static bool note_operation(struct pq_range_call *c, enum pq_note n, struct str operation) {
    return pq_note(c->ev, n, c->e->u.call.args[0], c->metric, operation, none);
}

/* Adds (or subtracts) with the notes that go with it. False: incompatible, noted; or out of memory.
 */
static bool combine(struct pq_range_call *c, struct fhist *a, const struct fhist *b, bool subtract,
                    struct str operation) {
    bool reconciled = false;
    enum fhist_result r = fhist_add(c->ev->arena, a, b, subtract, NULL, &reconciled);
    if (r == FHIST_NO_MEMORY)
        return pq_no_memory(c->ev);
    if (r == FHIST_INCOMPATIBLE)
        return note(c, PQ_NOTE_MIXED_CUSTOM);
    return !reconciled || note_operation(c, PQ_NOTE_BOUNDS_RECONCILED, operation);
}

bool pq_hist_own(struct pq_range_call *c, const struct fhist *h, const struct fhist **out) {
    *out = fhist_copy(c->ev->arena, h);
    return *out || pq_no_memory(c->ev);
}

/* What all samples agree on: the lowest schema; false when kinds are mixed. */
static bool common_schema(struct pq_range_call *c, bool counter, bool custom, int32_t *schema) {
    for (size_t i = 1; i + 1 < c->n_hist; i++) {
        const struct fhist *h = c->hist[i];
        if (!counter)
            continue;
        if (h->hint == FHIST_GAUGE)
            note(c, PQ_NOTE_NOT_COUNTER);
        if (h->schema < *schema)
            *schema = h->schema;
        if (fhist_is_custom(h) != custom)
            return note(c, PQ_NOTE_MIXED_CUSTOM);
    }
    return true;
}

bool pq_hist_rate(struct pq_range_call *c, bool counter, struct fhist **out) {
    const struct fhist *prev = c->hist[0], *last = c->hist[c->n_hist - 1];
    struct arena *scratch = c->ev->scratch;
    bool custom = fhist_is_custom(prev);
    struct fhist empty = {0};
    if (counter && (prev->hint == FHIST_GAUGE || last->hint == FHIST_GAUGE))
        note(c, PQ_NOTE_NOT_COUNTER);
    /* A reset right behind the first sample: its buckets do not matter, and need not fit. */
    if (counter && fhist_detect_reset(scratch, c->hist[1], prev)) {
        empty.schema = c->hist[1]->schema;
        empty.custom = c->hist[1]->custom;
        empty.n_custom = c->hist[1]->n_custom;
        custom = fhist_is_custom(c->hist[1]);
        prev = &empty;
    }
    if (fhist_is_custom(last) != custom)
        return note(c, PQ_NOTE_MIXED_CUSTOM);
    int32_t schema = last->schema < prev->schema ? last->schema : prev->schema;
    if (!common_schema(c, counter, custom, &schema))
        return false;
    struct fhist *h = fhist_to_schema(c->ev->arena, last, schema);
    if (!h)
        return pq_no_memory(c->ev);
    if (!combine(c, h, prev, true, STR("subtraction")))
        return false;
    if (counter) {
        for (size_t i = 1; i < c->n_hist; i++) {
            const struct fhist *cur = c->hist[i];
            if (fhist_detect_reset(scratch, cur, prev) &&
                !combine(c, h, prev, false, STR("addition")))
                return false;
            prev = cur;
        }
    } else if (c->hist[0]->hint != FHIST_GAUGE || last->hint != FHIST_GAUGE) {
        note(c, PQ_NOTE_NOT_GAUGE);
    }
    h->hint = FHIST_GAUGE;
    fhist_compact(h);
    *out = h;
    return true;
}

bool pq_hist_instant(struct pq_range_call *c, const struct fhist *a, const struct fhist *b,
                     bool rate, double seconds, const struct fhist **out) {
    if (rate && (a->hint == FHIST_GAUGE || b->hint == FHIST_GAUGE))
        note(c, PQ_NOTE_NOT_COUNTER);
    if (!rate && (a->hint != FHIST_GAUGE || b->hint != FHIST_GAUGE))
        note(c, PQ_NOTE_NOT_GAUGE);
    struct fhist *h = fhist_copy(c->ev->arena, b);
    if (!h)
        return pq_no_memory(c->ev);
    if ((!rate || !fhist_detect_reset(c->ev->scratch, b, a)) &&
        !combine(c, h, a, true, STR("subtraction")))
        return false;
    h->hint = FHIST_GAUGE;
    fhist_compact(h);
    if (rate)
        fhist_divide(h, seconds);
    *out = h;
    return true;
}

struct hints {
    bool reset, not_reset;
};
static void see(struct hints *s, const struct fhist *h) {
    s->reset |= h->hint == FHIST_RESET;
    s->not_reset |= h->hint == FHIST_NOT_RESET;
}

/* mean += (h - mean) / count */
static bool mean_step(struct pq_range_call *c, struct fhist *mean, const struct fhist *h,
                      double count) {
    struct fhist *left = fhist_copy(c->ev->scratch, h), *right = fhist_copy(c->ev->scratch, mean);
    if (!left || !right)
        return pq_no_memory(c->ev);
    fhist_divide(left, count);
    fhist_divide(right, count);
    return combine(c, left, right, true, STR("aggregation")) &&
           combine(c, mean, left, false, STR("aggregation"));
}

bool pq_hist_sum(struct pq_range_call *c, bool mean, const struct fhist **out) {
    struct fhist *h = fhist_copy(c->ev->arena, c->hist[0]);
    struct hints hints = {false, false};
    if (!h)
        return pq_no_memory(c->ev);
    see(&hints, h);
    for (size_t i = 1; i < c->n_hist; i++) {
        see(&hints, c->hist[i]);
        if (!(mean ? mean_step(c, h, c->hist[i], (double)i + 1)
                   : combine(c, h, c->hist[i], false, STR("aggregation"))))
            return false;
    }
    if (hints.reset && hints.not_reset)
        note_operation(c, PQ_NOTE_RESET_COLLISION, STR("aggregation"));
    *out = h;
    return true;
}
