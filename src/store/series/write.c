/* The way in: batches of rows and remote_write bodies. Apply to the head and queue for the log
 * under the lock, wait for the disk without it. A batch whose commit fails is not acknowledged;
 * what it left in the head is served and, sent again, is equal and logged again, so that nothing
 * acknowledged rests on a record that was lost. */
#include "store/series/store.h"

#include "base/cur.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/stats.h"
#include "codec/remote_write.h"
#include "codec/snappy.h"

#include <stdio.h>
#include <stdlib.h>

#define NO_SLOT UINT32_MAX
enum { LIMIT_VERSION = 1 };

struct rw_row { /* one TimeSeries of a body */
    const char *message;
    uint32_t message_n, run_n; /* run_n UINT32_MAX: labels do not all stand in front */
    uint32_t first_sample, n_samples, n_histograms;
};

struct series_hint {
    uint32_t *next; /* by slot: the slot that followed it last time */
    uint32_t n_next, prev;
    struct buf plain;
    struct rw_row *rows;
    struct sample *samples;
    size_t n_rows, cap_rows, n_samples, cap_samples;
    uint32_t *rejected;
    size_t n_rejected, cap_rejected;
};

struct series_hint *series_hint_new(void) {
    struct series_hint *h = calloc(1, sizeof(*h));
    if (h)
        h->prev = NO_SLOT;
    return h;
}

static void hint_deinit(struct series_hint *h) {
    free(h->next);
    buf_deinit(&h->plain);
    free(h->rows);
    free(h->samples);
    free(h->rejected);
}

void series_hint_free(struct series_hint *h) {
    if (!h)
        return;
    hint_deinit(h);
    free(h);
}

/* What one write works with. */
struct writing {
    struct series_store *s;
    struct hcount *source;
    int64_t now_ms, min_ts, max_ts;
    struct write_result *out;
    bool replay;
};

static void begin(struct writing *w, struct series_store *s, struct write_result *out) {
    *w = (struct writing){.s = s,
                          .now_ms = clock_wall_ms(&s->clock),
                          .min_ts = INT64_MIN,
                          .max_ts = INT64_MAX,
                          .out = out};
    if (s->opt.accept_past_ms != INT64_MAX) {
        w->min_ts = w->now_ms - s->opt.accept_past_ms;
        w->max_ts = w->now_ms + s->opt.accept_future_ms;
    }
}

static void reject(struct writing *w, enum reject_reason why, struct labels ls, int64_t ts_ms,
                   double v, const char *detail) {
    w->out->rejected[why]++;
    STAT_ADD(hinomi_samples_rejected_total, 1);
    if (w->out->first_rejected[0])
        return;
    struct buf name = BUF_INIT_MAX(LIMIT_SERIES_BYTES * 2), value = BUF_INIT, text = BUF_INIT;
    labels_format(&name, ls);
    buf_f64_g(&value, v);
    struct str n = buf_ok(&name) ? buf_view(&name) : STR("a series");
    int k = n.n > 240 ? 240 : (int)n.n;
    switch (why) {
    case REJECT_TOO_OLD:
        buf_printf(&text,
                   "%.*s at %lld: older than store.series.accept_window allows (%lld s before now)",
                   k, n.p, (long long)ts_ms, (long long)(w->s->opt.accept_past_ms / 1000));
        break;
    case REJECT_TOO_NEW:
        buf_printf(
            &text,
            "%.*s at %lld: more than %lld s ahead of this server's clock; check the sender's clock",
            k, n.p, (long long)ts_ms, (long long)(w->s->opt.accept_future_ms / 1000));
        break;
    case REJECT_DUPLICATE:
        buf_printf(&text,
                   "%.*s at %lld: another value is stored already, so %.*s was refused; two "
                   "senders of one series?",
                   k, n.p, (long long)ts_ms, STR_FMT(buf_view(&value)));
        break;
    case REJECT_NONE:
    case REJECT_LABELS:
    case REJECT_CARDINALITY:
    case REJECT_COUNT:
    default:
        buf_printf(&text, "%s", detail ? detail : "refused");
    }
    (void)snprintf(w->out->first_rejected, sizeof(w->out->first_rejected), "%s",
                   buf_ok(&text) ? text.p : "refused");
    buf_deinit(&name);
    buf_deinit(&value);
    buf_deinit(&text);
}

/* New series */

struct label_values {
    struct map seen[LIMIT_LABELS_PER_SERIES];
    struct str name[LIMIT_LABELS_PER_SERIES];
    size_t n;
};

/* The label of a metric that has the most values: what a person has to look at. */
static struct str top_label(struct head *h, struct str metric) {
    struct pindex ix = head_index(h);
    roaring_bitmap_t *ids = ix.get(ix.self, STR(LABEL_NAME), metric);
    struct label_values *lv = calloc(1, sizeof(*lv));
    struct str best = {NULL, 0};
    if (ids && lv) {
        roaring_uint32_iterator_t it;
        roaring_init_iterator(ids, &it);
        for (uint32_t i = 0; it.has_value && i < 20000; i++, roaring_advance_uint32_iterator(&it)) {
            struct label storage[LIMIT_LABELS_PER_SERIES];
            struct labels ls = head_labels(head_at(h, it.current_value), storage);
            for (uint32_t k = 0; k < ls.n; k++) {
                size_t j = 0;
                while (j < lv->n && !str_eq(lv->name[j], ls.l[k].name))
                    j++;
                if (j == LIMIT_LABELS_PER_SERIES)
                    continue;
                if (j == lv->n) {
                    lv->name[lv->n] = ls.l[k].name;
                    lv->seen[lv->n++].borrow_keys = true;
                }
                (void)map_put(&lv->seen[j], ls.l[k].value, lv, NULL);
            }
        }
        uint32_t most = 0;
        for (size_t j = 0; j < lv->n; j++)
            if (lv->seen[j].n_live > most)
                most = lv->seen[j].n_live, best = lv->name[j];
        for (size_t j = 0; j < lv->n; j++)
            map_deinit(&lv->seen[j]);
    }
    if (ids)
        roaring_bitmap_free(ids);
    free(lv);
    return best;
}

static struct str copy_str(struct str s) {
    char *p = s.n ? malloc(s.n) : NULL;
    if (!p)
        return (struct str){NULL, 0};
    memcpy(p, s.p, s.n);
    return str_make(p, s.n);
}

/* Which metric (of a source: the one with the most series) and which of its labels filled the
 * limit. Asked seldom: it walks the metric's series. */
static void find_culprit(struct head *h, struct hcount *c, bool of_metric) {
    struct str metric = c->name;
    if (!of_metric) {
        const struct hcount *worst = NULL;
        for (uint32_t i = 1; i <= h->n_metrics; i++)
            if (h->metric_v[i] && h->metric_v[i]->owner_index == c->index &&
                (!worst || h->metric_v[i]->n > worst->n))
                worst = h->metric_v[i];
        metric = worst ? worst->name : (struct str){NULL, 0};
    }
    free((void *)(uintptr_t)c->top_metric.p);
    free((void *)(uintptr_t)c->top_label.p);
    c->top_metric = copy_str(metric);
    c->top_label = copy_str(top_label(h, metric));
    c->asked_at = c->refused_series;
}

static uint32_t refuse_new(struct writing *w, struct hcount *c, bool of_metric, uint32_t max,
                           size_t samples) {
    c->refused_series++;
    c->refused_samples += samples;
    c->last_ms = w->now_ms;
    STAT_ADD(hinomi_limited_samples_total, samples);
    if (c->asked_at == 0 || c->refused_series >= c->asked_at * 4)
        find_culprit(&w->s->head, c, of_metric);
    if (w->out->first_rejected[0])
        return NO_SLOT;
    struct str source = w->source->name, metric = c->top_metric, top = c->top_label;
    (void)snprintf(w->out->first_rejected, sizeof(w->out->first_rejected),
                   "source \"%.*s\" has reached %s = %u: new series are refused, known ones go on. "
                   "The metric with the most "
                   "series is \"%.*s\", its label with the most values \"%.*s\": drop or shorten "
                   "that label, or raise the limit",
                   (int)(source.n > 80 ? 80 : source.n), source.p,
                   of_metric ? "store.series.series_per_metric_max"
                             : "store.series.series_per_source_max",
                   max, (int)(metric.n > 100 ? 100 : metric.n), metric.p ? metric.p : "",
                   (int)(top.n > 60 ? 60 : top.n), top.p ? top.p : "");
    return NO_SLOT;
}

/* Adds a series that is not there. run is canonical. */
static uint32_t add_series(struct writing *w, struct str run, uint64_t hash, struct labels ls,
                           size_t samples, enum reject_reason *out_why) {
    struct series_store *s = w->s;
    struct err err = {0};
    *out_why = REJECT_LABELS;
    if (!labels_check(ls, &err)) {
        if (!w->out->first_rejected[0])
            (void)snprintf(w->out->first_rejected, sizeof(w->out->first_rejected), "%s",
                           err.message);
        return NO_SLOT;
    }
    *out_why = REJECT_CARDINALITY;
    if (!w->replay && w->source->n >= s->opt.series_per_source_max)
        return refuse_new(w, w->source, false, s->opt.series_per_source_max, samples);
    struct hcount *metric = head_metric(&s->head, w->source, labels_name(ls));
    if (!metric)
        return NO_SLOT;
    if (!w->replay && metric->n >= s->opt.series_per_metric_max)
        return refuse_new(w, metric, true, s->opt.series_per_metric_max, samples);
    int64_t flushed = blocks_max_ts(s->blocks);
    if (s->head.frozen && s->head.frozen->max_ts > flushed)
        flushed = s->head.frozen->max_ts;
    return head_add(&s->head, run, hash, ls, w->source, metric, flushed);
}

static int by_name(const void *a, const void *b) {
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* Labels in any order, perhaps with empty values: looks the canonical run up, or adds it. */
static uint32_t resolve_labels(struct writing *w, struct label *l, uint32_t n, size_t samples,
                               enum reject_reason *out_why) {
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++)
        if (l[i].value.n)
            l[k++] = l[i];
    if (k > 1)
        qsort(l, k, sizeof(*l), by_name);
    struct labels ls = {l, k};
    struct buf *run = &w->s->scratch_run;
    buf_reset(run);
    remote_write_put_labels(run, ls);
    *out_why = REJECT_LABELS;
    if (!buf_ok(run) || !k)
        return NO_SLOT;
    uint64_t hash = hash_bytes(run->p, run->n);
    uint32_t slot = head_find(&w->s->head, buf_view(run), hash);
    return slot != NO_SLOT ? slot : add_series(w, buf_view(run), hash, ls, samples, out_why);
}

/* The sample is not newer than what blocks may hold. The first time, what they do hold of this
 * series is looked up, so that one sample from the future does not slow down everything that
 * follows. */
static enum append_result append_old(struct series_store *s, uint32_t slot, int64_t ts_ms,
                                     double v) {
    struct head *h = &s->head;
    struct hseries *x = head_at(h, slot);
    struct label storage[LIMIT_LABELS_PER_SERIES];
    struct labels ls = head_labels(x, storage);
    double have;
    if (!x->flushed_exact) {
        x->flushed_max = blocks_series_max(s->blocks, ls);
        int64_t frozen = head_frozen_max(h, slot);
        if (frozen > x->flushed_max)
            x->flushed_max = frozen;
        x->flushed_exact = true;
    }
    if (ts_ms <= x->flushed_max && s->blocks->n && blocks_lookup(s->blocks, ls, ts_ms, &have))
        return sample_bits(have) == sample_bits(v) ? APPEND_SAME : APPEND_DIFFERENT;
    return head_append_new(h, slot, ts_ms, v);
}

static enum reject_reason append(struct writing *w, uint32_t slot, int64_t ts_ms, double v) {
    enum append_result r = head_append(&w->s->head, slot, ts_ms, v);
    if (r == APPEND_OLD)
        r = append_old(w->s, slot, ts_ms, v);
    if (r == APPEND_OK && w->s->head_since_mono == 0)
        w->s->head_since_mono = clock_mono_ms(&w->s->clock) | 1;
    return r == APPEND_OK || r == APPEND_SAME ? REJECT_NONE
           : r == APPEND_DIFFERENT            ? REJECT_DUPLICATE
                                              : REJECT_COUNT;
}

/* One sample with all checks. REJECT_COUNT: out of memory. */
static enum reject_reason offer(struct writing *w, uint32_t slot, int64_t ts_ms, double v) {
    enum reject_reason why;
    if (__builtin_expect(ts_ms < w->min_ts, 0))
        why = REJECT_TOO_OLD;
    else if (__builtin_expect(ts_ms > w->max_ts, 0))
        why = REJECT_TOO_NEW;
    else
        why = append(w, slot, ts_ms, v);
    if (__builtin_expect(why == REJECT_NONE, 1)) {
        w->out->accepted++;
    } else if (why != REJECT_COUNT && !w->replay) {
        struct label storage[LIMIT_LABELS_PER_SERIES];
        reject(w, why, head_labels(head_at(&w->s->head, slot), storage), ts_ms, v, NULL);
    }
    return why;
}

/* Before anything is applied: is there a log to write to, and is the flush keeping up? */
static bool admit(struct series_store *s, struct err *err) {
    if (s->opt.read_only)
        return err_set(err, ERR_UNAVAILABLE, "the series store is open for reading only");
    if (!wal_ready(s->wal, err))
        return err_prefix(err, "nothing can be stored now");
    if (s->opt.no_background)
        return true;
    rwlock_read(&s->lock);
    uint64_t per = (uint64_t)s->head.n_live * FLUSH_SAMPLES_PER_SERIES,
             limit = per > FLUSH_SAMPLES ? per : FLUSH_SAMPLES;
    bool behind = s->head.samples > limit * HEAD_BEHIND_FACTOR;
    rwlock_unlock(&s->lock);
    return !behind || err_set(err, ERR_UNAVAILABLE,
                              "the series store cannot write its blocks as fast as samples come "
                              "(is the disk full or slow?); try again");
}

static void definitions_epoch(struct series_store *s) {
    uint64_t f = wal_failures(s->wal);
    if (f != s->wal_failures) {
        s->wal_failures = f;
        s->def_epoch++; /* what was defined in lost records must be defined again */
    }
}

static bool finish(struct series_store *s, struct wal_ticket *t, bool logged,
                   const struct write_result *res, struct write_result *out, struct err *err) {
    if (logged && !wal_commit(s->wal, t, err))
        return err_prefix(err, "not stored");
    STAT_ADD(hinomi_samples_appended_total, res->accepted);
    *out = *res;
    if (!s->opt.no_background && store_flush_due(s))
        store_wake(s);
    return true;
}

/* Rows */

static void put_str(struct buf *b, struct str s) {
    buf_varint(b, s.n);
    buf_puts(b, s);
}

static uint32_t slot_of_row(struct writing *w, const struct batch_row *r, uint64_t *ref,
                            enum reject_reason *out_why) {
    struct head *h = &w->s->head;
    struct buf *run = &w->s->scratch_run;
    buf_reset(run);
    remote_write_put_labels(run, r->labels);
    uint32_t slot = ref ? (uint32_t)*ref - 1 : NO_SLOT;
    if (ref && *ref && slot < h->n_slots) {
        const struct hseries *x = head_at(h, slot);
        if (x->raw && x->slot_gen == (uint32_t)(*ref >> 32) && x->raw_n == run->n &&
            memcmp(x->raw, run->p, run->n) == 0)
            return slot;
    }
    *out_why = REJECT_LABELS;
    if (!buf_ok(run))
        return NO_SLOT;
    uint64_t hash = hash_bytes(run->p, run->n);
    slot = head_find(h, buf_view(run), hash);
    if (slot == NO_SLOT)
        slot = add_series(w, buf_view(run), hash, r->labels, 1, out_why);
    if (ref && slot != NO_SLOT)
        *ref = (uint64_t)head_at(h, slot)->slot_gen << 32 | (slot + 1);
    return slot;
}

static void log_row(struct series_store *s, uint32_t slot, int64_t *last_ts,
                    const struct batch_row *r) {
    struct buf *b = &s->scratch_wal;
    struct hseries *x = head_at(&s->head, slot);
    bool define = x->wal_epoch != s->def_epoch;
    buf_varint(b, (uint64_t)slot << 1 | define);
    if (define) {
        put_str(b, str_make((const char *)x->raw, x->raw_n));
        x->wal_epoch = s->def_epoch;
    }
    buf_zigzag(b, (int64_t)((uint64_t)r->ts_ms - (uint64_t)*last_ts));
    buf_le64(b, sample_bits(r->value));
    *last_ts = r->ts_ms;
}

static struct agent_pos *agent_of(struct series_store *s, struct str name) {
    struct agent_pos *p = map_get(&s->agents, name);
    if (p)
        return p;
    p = calloc(1, sizeof(*p));
    if (p && !map_put(&s->agents, name, p, NULL)) {
        free(p);
        p = NULL;
    }
    return p;
}

static bool at_or_before(uint64_t seg, uint64_t off, uint64_t than_seg, uint64_t than_off) {
    return seg < than_seg || (seg == than_seg && off <= than_off);
}

static void rows_header(struct series_store *s, const struct writing *w, const struct batch *b) {
    struct buf *o = &s->scratch_wal;
    buf_reset(o);
    buf_zigzag(o, w->now_ms);
    buf_putc(o, (char)b->kind);
    put_str(o, b->source);
    put_str(o, b->agent);
    buf_varint(o, b->agent_segment);
    buf_varint(o, b->agent_offset);
}

static bool apply_rows(struct writing *w, const struct batch *b, size_t *out_logged,
                       struct err *err) {
    int64_t last_ts = 0;
    for (size_t i = 0; i < b->n; i++) {
        enum reject_reason why = REJECT_NONE;
        uint32_t slot = slot_of_row(w, &b->rows[i], b->refs ? &b->refs[i] : NULL, &why);
        if (slot == NO_SLOT) {
            reject(w, why, b->rows[i].labels, b->rows[i].ts_ms, b->rows[i].value, NULL);
            continue;
        }
        why = offer(w, slot, b->rows[i].ts_ms, b->rows[i].value);
        if (why == REJECT_COUNT)
            return err_set(err, ERR_UNAVAILABLE, "out of memory in the series store");
        if (why == REJECT_NONE) {
            log_row(w->s, slot, &last_ts, &b->rows[i]);
            ++*out_logged;
        }
    }
    return true;
}

bool store_write(struct series_store *s, const struct batch *b, struct write_result *out,
                 struct err *err) {
    struct write_result res = {0};
    struct wal_ticket ticket;
    struct writing w;
    if (!admit(s, err))
        return false;
    begin(&w, s, &res);
    /* What an agent kept while it was cut off is old by nature; it ends with retention, not with
     * the window. */
    if (b->kind == SOURCE_AGENT && w.min_ts != INT64_MIN)
        w.min_ts = w.now_ms - s->opt.retention_ms;
    rwlock_write(&s->lock);
    struct agent_pos *agent = b->agent.n ? agent_of(s, b->agent) : NULL;
    w.source = head_source(&s->head, b->source);
    if (!w.source || (b->agent.n && !agent)) {
        rwlock_unlock(&s->lock);
        return err_set(err, ERR_UNAVAILABLE, "out of memory in the series store");
    }
    if (agent && (agent->segment || agent->offset) &&
        at_or_before(b->agent_segment, b->agent_offset, agent->segment, agent->offset)) {
        rwlock_unlock(&s->lock);
        res.accepted = b->n; /* it came before and is on disk */
        *out = res;
        return true;
    }
    definitions_epoch(s);
    rows_header(s, &w, b);
    size_t n = 0;
    bool ok = apply_rows(&w, b, &n, err), logged = ok && (n || agent);
    struct str part = buf_view(&s->scratch_wal);
    if (ok && !buf_ok(&s->scratch_wal))
        ok = err_set(err, ERR_TOO_LARGE, "the batch is too large for one log record");
    ok = ok && (!logged || wal_append(s->wal, WAL_ROWS, s->wal_failures, &part, 1, &ticket, err));
    if (!ok)
        s->def_epoch++; /* definitions of this record went nowhere */
    if (ok && agent &&
        !at_or_before(b->agent_segment, b->agent_offset, agent->applied_segment,
                      agent->applied_offset)) {
        agent->applied_segment = b->agent_segment;
        agent->applied_offset = b->agent_offset;
    }
    rwlock_unlock(&s->lock);
    if (!ok || !finish(s, &ticket, logged, &res, out, err))
        return false;
    if (agent) {
        rwlock_write(&s->lock);
        agent = map_get(&s->agents, b->agent); /* a clear may have come between */
        if (agent &&
            !at_or_before(b->agent_segment, b->agent_offset, agent->segment, agent->offset)) {
            agent->segment = b->agent_segment;
            agent->offset = b->agent_offset;
        }
        rwlock_unlock(&s->lock);
    }
    return true;
}

void series_agent_position(struct series_store *s, struct str agent, uint64_t *out_segment,
                           uint64_t *out_offset) {
    rwlock_read(&s->lock);
    const struct agent_pos *p = map_get(&s->agents, agent);
    *out_segment = p ? p->segment : 0;
    *out_offset = p ? p->offset : 0;
    rwlock_unlock(&s->lock);
}

/* remote_write */

static bool grow(void **v, size_t *cap, size_t n, size_t size) {
    if (n < *cap)
        return true;
    size_t k = *cap ? *cap * 2 : 2048;
    void *p = realloc(*v, k * size);
    if (!p)
        return false;
    *v = p;
    *cap = k;
    return true;
}

static bool too_big(struct err *err) {
    return err_set(err, ERR_UNAVAILABLE, "out of memory for a remote_write body");
}

/* One TimeSeries: how long its label run is, and its samples. */
static bool walk_series(struct series_hint *h, struct str m, struct err *err) {
    if (!grow((void **)&h->rows, &h->cap_rows, h->n_rows, sizeof(*h->rows)))
        return too_big(err);
    size_t run = remote_write_label_run(m);
    struct rw_row *r = &h->rows[h->n_rows++];
    *r = (struct rw_row){m.p, (uint32_t)m.n, (uint32_t)run, (uint32_t)h->n_samples, 0, 0};
    struct cur c = cur_from(str_from_offset(m, run));
    struct label l;
    struct sample sample;
    for (;;) {
        switch (remote_write_part(&c, &l, &sample)) {
        case RW_PART_END:
            return true;
        case RW_PART_SAMPLE:
            if (!grow((void **)&h->samples, &h->cap_samples, h->n_samples, sizeof(*h->samples)))
                return too_big(err);
            h->samples[h->n_samples++] = sample;
            r->n_samples++;
            break;
        case RW_PART_LABEL:
            r->run_n = UINT32_MAX;
            break;
        case RW_PART_HISTOGRAM:
            r->n_histograms++;
            break;
        case RW_PART_OTHER:
            break;
        case RW_PART_BAD:
        default:
            return err_set(err, ERR_BAD_INPUT,
                           "remote_write body: time series %zu is not a valid protobuf message",
                           h->n_rows - 1);
        }
    }
}

/* Reads the whole body before anything is applied: a malformed one stores nothing. */
static bool walk_body(struct series_hint *h, struct str plain, struct err *err) {
    h->n_rows = h->n_samples = h->n_rejected = 0;
    struct cur c = cur_from(plain);
    struct str m;
    for (;;) {
        enum rw_item item = remote_write_next(&c, &m);
        if (item == RW_END)
            return true;
        struct metric_meta meta;
        if (item == RW_BAD || (item == RW_META && !remote_write_meta(m, &meta)))
            return err_set(err, ERR_BAD_INPUT,
                           "remote_write body is not a valid WriteRequest (after %zu time series)",
                           h->n_rows);
        if (item == RW_SERIES && !walk_series(h, m, err))
            return false;
    }
}

static uint32_t slow_slot(struct writing *w, const struct rw_row *r, enum reject_reason *out_why) {
    struct label l[LIMIT_LABELS_PER_SERIES + 1], one;
    struct cur c = cur_from(str_make(r->message, r->message_n));
    struct sample sample;
    uint32_t n = 0;
    *out_why = REJECT_LABELS;
    for (enum rw_part p; (p = remote_write_part(&c, &one, &sample)) != RW_PART_END;) {
        if (p == RW_PART_BAD)
            return NO_SLOT;
        if (p == RW_PART_LABEL) {
            if (n > LIMIT_LABELS_PER_SERIES)
                return NO_SLOT;
            l[n++] = one;
        }
    }
    return resolve_labels(w, l, n, r->n_samples, out_why);
}

static uint32_t slot_of_run(struct writing *w, const struct rw_row *r,
                            enum reject_reason *out_why) {
    if (r->run_n != UINT32_MAX && r->run_n) {
        struct str run = str_make(r->message, r->run_n);
        uint32_t slot = head_find(&w->s->head, run, hash_bytes(run.p, run.n));
        if (slot != NO_SLOT)
            return slot;
    }
    return slow_slot(w, r, out_why);
}

static uint32_t predict(const struct series_hint *h, const struct head *head,
                        const struct rw_row *r) {
    uint32_t slot = h->prev < h->n_next ? h->next[h->prev] : NO_SLOT;
    if (slot >= head->n_slots)
        return NO_SLOT;
    const struct hseries *x = head_at(head, slot);
    return x->raw && x->raw_n == r->run_n && memcmp(x->raw, r->message, r->run_n) == 0 ? slot
                                                                                       : NO_SLOT;
}

static void learn(struct series_hint *h, const struct head *head, uint32_t slot) {
    if (h->prev != NO_SLOT) {
        if (h->prev >= h->n_next) {
            uint32_t n = (head->n_slots + 1023) & ~1023u;
            uint32_t *v = n > h->prev ? realloc(h->next, n * sizeof(*v)) : NULL;
            if (!v)
                return;
            memset(v + h->n_next, 0xff, (n - h->n_next) * sizeof(*v));
            h->next = v;
            h->n_next = n;
        }
        h->next[h->prev] = slot;
    }
    h->prev = slot;
}

/* Follows the chain of predictions some steps ahead, so that memory comes before it is needed. */
struct ahead {
    uint32_t slot;
    unsigned lead;
};
enum { AHEAD_STEPS = 8 };

static void prefetch_next(struct ahead *a, const struct series_hint *h, const struct head *head) {
    while (a->slot < h->n_next && a->lead < AHEAD_STEPS) {
        uint32_t next = h->next[a->slot];
        if (next >= head->n_slots)
            break;
        const struct hseries *x = head_at(head, next);
        __builtin_prefetch(x);
        __builtin_prefetch((const char *)x + 64);
        a->slot = next;
        a->lead++;
    }
}

static bool note_rejected(struct series_hint *h, size_t index) {
    if (!grow((void **)&h->rejected, &h->cap_rejected, h->n_rejected, sizeof(*h->rejected)))
        return false;
    h->rejected[h->n_rejected++] = (uint32_t)index;
    return true;
}

static void reject_series(struct writing *w, const struct rw_row *r, enum reject_reason why) {
    size_t n = r->n_samples;
    w->out->rejected[why] += n;
    STAT_ADD(hinomi_samples_rejected_total, n);
    if (!w->out->first_rejected[0])
        (void)snprintf(w->out->first_rejected, sizeof(w->out->first_rejected), "%s",
                       why == REJECT_CARDINALITY ? "a series limit was reached"
                                                 : "a time series has broken or too many labels");
}

static bool apply_body(struct writing *w, struct series_hint *h, struct err *err) {
    struct head *head = &w->s->head;
    struct ahead ahead = {h->prev, 0};
    for (size_t i = 0; i < h->n_rows; i++) {
        const struct rw_row *r = &h->rows[i];
        enum reject_reason why = REJECT_NONE;
        if (i + 1 < h->n_rows)
            __builtin_prefetch(h->rows[i + 1].message);
        prefetch_next(&ahead, h, head);
        uint32_t slot = predict(h, head, r);
        if (slot == NO_SLOT) {
            slot = slot_of_run(w, r, &why);
            ahead = (struct ahead){slot, 1};
        }
        ahead.lead -= ahead.lead > 0;
        if (slot == NO_SLOT)
            reject_series(w, r, why);
        else
            learn(h, head, slot);
        for (uint32_t k = 0; k < r->n_samples; k++) {
            const struct sample *x = &h->samples[r->first_sample + k];
            if (slot != NO_SLOT)
                why = offer(w, slot, x->ts_ms, x->value);
            if (why != REJECT_NONE &&
                (why == REJECT_COUNT || !note_rejected(h, r->first_sample + k)))
                return too_big(err);
        }
        if (r->n_histograms) {
            w->out->rejected[REJECT_LABELS] += r->n_histograms;
            if (!w->out->first_rejected[0])
                (void)snprintf(
                    w->out->first_rejected, sizeof(w->out->first_rejected),
                    "native histograms are not accepted by this version; send classic histograms");
        }
    }
    return true;
}

static bool body_meta(struct series_store *s, struct str plain) {
    struct cur c = cur_from(plain);
    struct str m;
    bool changed = false;
    for (enum rw_item item; (item = remote_write_next(&c, &m)) == RW_SERIES || item == RW_META;) {
        struct metric_meta meta;
        if (item == RW_META && remote_write_meta(m, &meta) && meta.metric.n)
            changed |= store_note_meta(s, &meta);
    }
    return changed;
}

static void body_header(struct series_store *s, const struct writing *w,
                        const struct series_hint *h, struct str source) {
    struct buf *o = &s->scratch_wal;
    buf_reset(o);
    buf_zigzag(o, w->now_ms);
    buf_varint(o, LIMIT_VERSION);
    buf_zigzag(o, s->opt.accept_past_ms);
    buf_zigzag(o, s->opt.accept_future_ms);
    put_str(o, source);
    buf_varint(o, h->n_rejected);
    uint32_t last = 0;
    for (size_t i = 0; i < h->n_rejected; i++) {
        buf_varint(o, h->rejected[i] - last);
        last = h->rejected[i];
    }
}

static bool write_body(struct series_store *s, struct str body, struct str source,
                       struct series_hint *h, struct write_result *out, struct err *err) {
    struct write_result res = {0};
    struct wal_ticket ticket;
    struct writing w;
    buf_reset(&h->plain);
    if (!snappy_block_decode(body, LIMIT_BODY_DECOMPRESSED_BYTES, &h->plain, err) ||
        !walk_body(h, buf_view(&h->plain), err))
        return false;
    begin(&w, s, &res);
    rwlock_write(&s->lock);
    w.source = head_source(&s->head, source);
    definitions_epoch(s);
    bool ok = (w.source || too_big(err)) && apply_body(&w, h, err);
    bool logged = ok && res.accepted > 0;
    if (ok)
        logged |= body_meta(s, buf_view(&h->plain));
    if (logged) {
        body_header(s, &w, h, source);
        struct str parts[2] = {buf_view(&s->scratch_wal), body};
        ok = buf_ok(&s->scratch_wal)
                 ? wal_append(s->wal, WAL_REMOTE_WRITE, s->wal_failures, parts, 2, &ticket, err)
                 : too_big(err);
    }
    rwlock_unlock(&s->lock);
    return ok && finish(s, &ticket, logged, &res, out, err);
}

bool series_remote_write(struct series_store *s, struct str snappy_body, struct str source,
                         struct series_hint *hint, struct write_result *out, struct err *err) {
    if (!admit(s, err))
        return false;
    if (hint)
        return write_body(s, snappy_body, source, hint, out, err);
    struct series_hint temporary = {.prev = NO_SLOT};
    bool ok = write_body(s, snappy_body, source, &temporary, out, err);
    hint_deinit(&temporary);
    return ok;
}

/* Metadata */

bool store_note_meta(struct series_store *s, const struct metric_meta *m) {
    struct meta_entry *e = map_get(&s->meta, m->metric);
    if (e && e->type == m->type && str_eq(e->help, m->help) && str_eq(e->unit, m->unit))
        return false;
    char *text = malloc(m->help.n + m->unit.n + 1);
    bool fresh = !e;
    if (fresh)
        e = calloc(1, sizeof(*e));
    if (!text || !e || (fresh && !map_put(&s->meta, m->metric, e, NULL))) {
        free(text);
        if (fresh)
            free(e);
        return false;
    }
    if (m->help.n)
        memcpy(text, m->help.p, m->help.n);
    if (m->unit.n)
        memcpy(text + m->help.n, m->unit.p, m->unit.n);
    free((void *)(uintptr_t)e->help.p);
    *e = (struct meta_entry){m->type, str_make(text, m->help.n),
                             str_make(text + m->help.n, m->unit.n)};
    s->meta_version++;
    return true;
}

bool series_put_meta(struct series_store *s, const struct metric_meta *m, size_t n,
                     struct err *err) {
    struct wal_ticket ticket;
    if (!admit(s, err))
        return false;
    rwlock_write(&s->lock);
    definitions_epoch(s);
    struct buf *o = &s->scratch_wal;
    buf_reset(o);
    bool changed = false;
    for (size_t i = 0; i < n; i++) {
        if (!store_note_meta(s, &m[i]))
            continue;
        put_str(o, m[i].metric);
        buf_varint(o, (uint64_t)m[i].type);
        put_str(o, m[i].help);
        put_str(o, m[i].unit);
        changed = true;
    }
    struct str part = buf_view(o);
    bool ok = buf_ok(o) || err_set(err, ERR_TOO_LARGE, "too much metadata at once");
    ok = ok && (!changed || wal_append(s->wal, WAL_META, s->wal_failures, &part, 1, &ticket, err));
    rwlock_unlock(&s->lock);
    return ok && (!changed || wal_commit(s->wal, &ticket, err));
}

/* Replay: exactly what was acknowledged, so without the checks whose outcome the records carry. */

static struct str get_str(struct cur *c) {
    return cur_bytes(c, cur_varint(c));
}

static void replay_body(struct series_store *s, struct str payload) {
    struct cur c = cur_from(payload);
    struct write_result res = {0};
    struct writing w = {
        .s = s, .min_ts = INT64_MIN, .max_ts = INT64_MAX, .out = &res, .replay = true};
    if (!s->replay_hint && !(s->replay_hint = series_hint_new()))
        return;
    struct series_hint *h = s->replay_hint;
    w.now_ms = cur_zigzag(&c);
    (void)cur_varint(&c);
    (void)cur_zigzag(&c);
    (void)cur_zigzag(&c);
    w.source = head_source(&s->head, get_str(&c));
    uint64_t n_rejected = cur_varint(&c);
    struct cur rejected = c;
    for (uint64_t i = 0; i < n_rejected && cur_ok(&c); i++)
        (void)cur_varint(&c);
    struct str body = str_make((const char *)c.p, cur_left(&c));
    buf_reset(&h->plain);
    if (!cur_ok(&c) || !w.source ||
        !snappy_block_decode(body, LIMIT_BODY_DECOMPRESSED_BYTES, &h->plain, NULL) ||
        !walk_body(h, buf_view(&h->plain), NULL))
        return;
    uint64_t skip = n_rejected ? cur_varint(&rejected) : UINT64_MAX;
    for (size_t i = 0; i < h->n_rows; i++) {
        const struct rw_row *r = &h->rows[i];
        uint32_t slot = NO_SLOT;
        enum reject_reason why;
        for (uint32_t k = 0; k < r->n_samples; k++) {
            const struct sample *x = &h->samples[r->first_sample + k];
            if (r->first_sample + k == skip) {
                uint64_t gap = --n_rejected ? cur_varint(&rejected) : 0;
                skip = n_rejected ? skip + gap : UINT64_MAX;
                continue;
            }
            if (slot == NO_SLOT) {
                slot = predict(h, &s->head, r);
                if (slot == NO_SLOT)
                    slot = slot_of_run(&w, r, &why);
                if (slot == NO_SLOT)
                    continue;
                learn(h, &s->head, slot);
            }
            (void)offer(&w, slot, x->ts_ms, x->value);
        }
    }
    (void)body_meta(s, buf_view(&h->plain));
}

static uint32_t replay_slot(struct writing *w, struct str run) {
    struct label l[LIMIT_LABELS_PER_SERIES];
    enum reject_reason why;
    uint64_t hash = hash_bytes(run.p, run.n);
    uint32_t slot = head_find(&w->s->head, run, hash);
    if (slot != NO_SLOT)
        return slot;
    uint32_t n = remote_write_labels(run, l, LIMIT_LABELS_PER_SERIES);
    return n <= LIMIT_LABELS_PER_SERIES ? add_series(w, run, hash, (struct labels){l, n}, 1, &why)
                                        : NO_SLOT;
}

/* Slot numbers in the log are the writer's; a definition maps them to this head's. */
static bool define(struct series_store *s, uint64_t logged, uint32_t slot) {
    if (logged >= HEAD_SERIES_MAX)
        return false;
    if (!s->replay_pages &&
        !(s->replay_pages = calloc(HEAD_SERIES_MAX / REPLAY_PAGE, sizeof(uint32_t *))))
        return false;
    uint32_t **page = &s->replay_pages[logged / REPLAY_PAGE];
    if (!*page) {
        *page = malloc(REPLAY_PAGE * sizeof(uint32_t));
        if (!*page)
            return false;
        memset(*page, 0xff, REPLAY_PAGE * sizeof(uint32_t));
    }
    (*page)[logged % REPLAY_PAGE] = slot;
    return true;
}

static uint32_t defined(const struct series_store *s, uint64_t logged) {
    const uint32_t *page =
        s->replay_pages && logged < HEAD_SERIES_MAX ? s->replay_pages[logged / REPLAY_PAGE] : NULL;
    return page ? page[logged % REPLAY_PAGE] : NO_SLOT;
}

void store_replay_end(struct series_store *s) {
    for (uint32_t i = 0; s->replay_pages && i < HEAD_SERIES_MAX / REPLAY_PAGE; i++)
        free(s->replay_pages[i]);
    free(s->replay_pages);
    s->replay_pages = NULL;
    series_hint_free(s->replay_hint);
    s->replay_hint = NULL;
}

static void replay_rows(struct series_store *s, struct str payload) {
    struct cur c = cur_from(payload);
    struct write_result res = {0};
    struct writing w = {
        .s = s, .min_ts = INT64_MIN, .max_ts = INT64_MAX, .out = &res, .replay = true};
    w.now_ms = cur_zigzag(&c);
    (void)cur_u8(&c);
    struct str source = get_str(&c), agent = get_str(&c);
    uint64_t segment = cur_varint(&c), offset = cur_varint(&c);
    w.source = cur_ok(&c) ? head_source(&s->head, source) : NULL;
    int64_t ts = 0;
    while (w.source && !cur_done(&c)) {
        uint64_t head = cur_varint(&c), logged = head >> 1;
        if (head & 1) {
            uint32_t slot = replay_slot(&w, get_str(&c));
            if (!cur_ok(&c) || !define(s, logged, slot))
                return;
        }
        ts = (int64_t)((uint64_t)ts + (uint64_t)cur_zigzag(&c));
        double v = sample_from_bits(cur_le64(&c));
        if (!cur_ok(&c))
            return;
        uint32_t slot = defined(s, logged);
        if (slot != NO_SLOT)
            (void)offer(&w, slot, ts, v);
    }
    struct agent_pos *p = agent.n ? agent_of(s, agent) : NULL;
    if (p && !at_or_before(segment, offset, p->segment, p->offset)) {
        p->segment = p->applied_segment = segment;
        p->offset = p->applied_offset = offset;
    }
}

void store_replay_record(struct series_store *s, enum wal_type type, struct str payload) {
    if (type == WAL_REMOTE_WRITE) {
        replay_body(s, payload);
    } else if (type == WAL_ROWS) {
        replay_rows(s, payload);
    } else {
        struct cur c = cur_from(payload);
        while (!cur_done(&c)) {
            struct metric_meta m = {.metric = get_str(&c)};
            uint64_t t = cur_varint(&c);
            m.type = t <= METRIC_STATESET ? (enum metric_type)t : METRIC_UNKNOWN;
            m.help = get_str(&c);
            m.unit = get_str(&c);
            if (cur_ok(&c))
                (void)store_note_meta(s, &m);
        }
    }
}
