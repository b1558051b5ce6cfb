#include "feature/ingest/scrape_cache.h"

#include "base/hash.h"
#include "codec/promtext_layout.h"

#include <stdlib.h>

enum {
    N_REPORTS = 5,
    SCRAPES_KEPT = 3 /* an entry unseen for so many pages is forgotten */
};
#define ENTRY_REPORT UINT32_C(0xffffff00)  /* report i: ENTRY_REPORT + i */
#define ENTRY_REFUSED UINT32_C(0xfffffffe) /* by the guard: asked again when there is room */
#define ENTRY_NONE UINT32_C(0xffffffff)

struct entry {
    struct str series;     /* the text on the page; owned. NULL: a free slot */
    struct labels *labels; /* owned; NULL: dropped by relabelling */
    uint64_t ref;
    uint32_t hash, seen; /* seen: the page number that showed it last */
    bool live;           /* has an unended sample in the store */
    bool tracked;        /* its last sample counts for staleness (no timestamp of its own) */
};

struct scrape_cache {
    struct entry *entries;
    uint32_t n, cap, n_live;
    uint32_t n_absent;  /* entries that the last good page did not show: looked at until they are
                           forgotten */
    uint32_t free_head; /* list of free slots through `hash`, entry + 1 */
    uint32_t *slots;    /* hash table: entry + 1 */
    uint32_t n_slots;
    uint32_t page;
    uint64_t epoch, guard_epoch;
    bool has_refused;
    struct promtext_layout layout;
    uint32_t *order; /* entries in the layout's order */
    size_t order_cap;
    struct labels *
        *old; /* lived under former rules; ended with the next page unless they are back */
    uint64_t *old_refs;
    size_t n_old;
    bool old_done; /* their rows are out: freed with the next call */
    struct labels *report_labels[N_REPORTS];
    uint64_t report_refs[N_REPORTS];
};

struct scrape_cache *scrape_cache_new(struct err *err) {
    struct scrape_cache *c = calloc(1, sizeof(*c));
    if (!c)
        err_set(err, ERR_INTERNAL, "no memory for a scrape target");
    return c;
}

void scrape_scratch_deinit(struct scrape_scratch *s) {
    arena_deinit(&s->arena);
    free(s->values);
    free(s->rows);
    free(s->refs);
    free(s->entries);
    free(s->meta);
    labels_builder_deinit(&s->labels);
    *s = SCRAPE_SCRATCH_INIT;
}

static void free_str(struct str s) {
    union {
        const char *from;
        char *to;
    } u = {.from = s.p};
    free(u.to);
}

/* ---- entries ---- */

static void slots_put(struct scrape_cache *c, uint32_t i) {
    uint32_t k = c->entries[i].hash & (c->n_slots - 1);
    while (c->slots[k])
        k = (k + 1) & (c->n_slots - 1);
    c->slots[k] = i + 1;
}

/* Entries leave by rebuilding the table, so that probing needs no tombstones. */
static bool slots_rebuild(struct scrape_cache *c) {
    uint32_t want = 64;
    while (want < (c->n + 2) * 2)
        want *= 2;
    if (want != c->n_slots) {
        uint32_t *v = calloc(want, sizeof(*v));
        if (!v)
            return false;
        free(c->slots);
        c->slots = v;
        c->n_slots = want;
    } else {
        memset(c->slots, 0, c->n_slots * sizeof(*c->slots));
    }
    for (uint32_t i = 0; i < c->n; i++)
        if (c->entries[i].series.p)
            slots_put(c, i);
    return true;
}

static uint32_t find_entry(const struct scrape_cache *c, struct str series, uint32_t hash) {
    for (uint32_t k = hash & (c->n_slots - 1); c->n_slots && c->slots[k];
         k = (k + 1) & (c->n_slots - 1)) {
        const struct entry *e = &c->entries[c->slots[k] - 1];
        if (e->hash == hash && str_eq(e->series, series))
            return c->slots[k] - 1;
    }
    return ENTRY_NONE;
}

static bool reserve_entry(struct scrape_cache *c) {
    if (!c->free_head && c->n == c->cap) {
        uint32_t cap = c->cap ? c->cap * 2 : 64;
        struct entry *v = realloc(c->entries, cap * sizeof(*v));
        if (!v)
            return false;
        c->entries = v;
        c->cap = cap;
    }
    return (c->n + 1) * 2 < c->n_slots || slots_rebuild(c);
}

static uint32_t add_entry(struct scrape_cache *c, struct str series, uint32_t hash) {
    char *text = reserve_entry(c) ? malloc(series.n + 1) : NULL;
    if (!text)
        return ENTRY_NONE;
    memcpy(text, series.p, series.n);
    uint32_t i = c->free_head ? c->free_head - 1 : c->n++;
    if (c->free_head)
        c->free_head = c->entries[i].hash;
    c->entries[i] = (struct entry){.series = str_make(text, series.n), .hash = hash};
    slots_put(c, i);
    return i;
}

static void drop_entry(struct entry *e, const struct scrape_rules *rules) {
    if (e->labels && rules->guard)
        guard_release(rules->guard, rules->source, *e->labels);
    free(e->labels);
    free_str(e->series);
    *e = (struct entry){.ref = 0};
}

static void free_old(struct scrape_cache *c) {
    for (size_t i = 0; i < c->n_old; i++)
        free(c->old[i]);
    free(c->old);
    free(c->old_refs);
    c->old = NULL;
    c->old_refs = NULL;
    c->n_old = 0;
    c->old_done = false;
}

static void drop_reports(struct scrape_cache *c) {
    for (int i = 0; i < N_REPORTS; i++) {
        free(c->report_labels[i]);
        c->report_labels[i] = NULL;
        c->report_refs[i] = 0;
    }
}

static void drop_all(struct scrape_cache *c, const struct scrape_rules *rules) {
    for (uint32_t i = 0; i < c->n; i++)
        if (c->entries[i].series.p)
            drop_entry(&c->entries[i], rules);
    c->n = c->n_live = c->free_head = 0;
    (void)slots_rebuild(c);
    promtext_layout_begin(&c->layout, c->layout.format);
}

void scrape_cache_free(struct scrape_cache *c, const struct scrape_rules *rules) {
    if (!c)
        return;
    drop_all(c, rules);
    free_old(c);
    drop_reports(c);
    promtext_layout_deinit(&c->layout);
    free(c->entries);
    free(c->slots);
    free(c->order);
    free(c);
}

size_t scrape_cache_series(const struct scrape_cache *c) {
    return c->n_live;
}

/* The rules changed: every label set is worked out anew; what lived is remembered until the next
 * page. */
static bool change_rules(struct scrape_cache *c, const struct scrape_rules *rules,
                         struct err *err) {
    size_t n = c->n_old + c->n_live;
    struct labels **old = calloc(n + 1, sizeof(*old));
    uint64_t *refs = calloc(n + 1, sizeof(*refs));
    if (!old || !refs) {
        free(old);
        free(refs);
        return err_set(err, ERR_INTERNAL, "no memory for a changed scrape configuration");
    }
    n = 0;
    for (size_t i = 0; i < c->n_old; i++) {
        refs[n] = c->old_refs[i];
        old[n++] = c->old[i];
    }
    for (uint32_t i = 0; i < c->n; i++) {
        struct entry *e = &c->entries[i];
        if (!e->live)
            continue;
        refs[n] = e->ref;
        old[n++] = e->labels;
        if (rules->guard)
            guard_release(rules->guard, rules->source, *e->labels);
        e->labels = NULL;
    }
    free(c->old);
    free(c->old_refs);
    c->old = old;
    c->old_refs = refs;
    c->n_old = n;
    drop_all(c, rules);
    drop_reports(c);
    c->epoch = rules->epoch;
    return true;
}

/* ---- rows ---- */

static bool reserve_rows(struct scrape_scratch *s, size_t more) {
    if (s->cap - s->n >= more)
        return true;
    size_t cap = s->cap ? s->cap * 2 : 256;
    while (cap < s->n + more)
        cap *= 2;
    struct batch_row *rows = realloc(s->rows, cap * sizeof(*rows));
    if (rows)
        s->rows = rows;
    uint64_t *refs = realloc(s->refs, cap * sizeof(*refs));
    if (refs)
        s->refs = refs;
    uint32_t *entries = realloc(s->entries, cap * sizeof(*entries));
    if (entries)
        s->entries = entries;
    if (!rows || !refs || !entries)
        return false;
    s->cap = cap;
    return true;
}

static bool no_memory(struct err *err) {
    return err_set(err, ERR_INTERNAL, "no memory for the rows of a scrape");
}

static void put_row(struct scrape_scratch *s, struct labels ls, uint64_t ref, uint32_t entry,
                    int64_t ts_ms, double v) {
    s->rows[s->n] = (struct batch_row){ls, ts_ms, v};
    s->refs[s->n] = ref;
    s->entries[s->n] = entry;
    s->n++;
}

/* The page being read. */
struct page {
    struct scrape_cache *c;
    const struct scrape_rules *rules;
    struct scrape_scratch *s;
    struct scrape_counts counts;
    int64_t ts_ms;
    uint32_t seen_live; /* living series that came again */
    uint32_t changed;   /* series whose life begins, or is no longer watched, with this page */
};

/* The caller has reserved the row. */
static inline void take_sample(struct page *p, uint32_t i, double value, bool has_ts,
                               int64_t ts_ms) {
    p->counts.scraped++;
    if (i == ENTRY_REFUSED) {
        p->counts.refused++;
        return;
    }
    struct entry *e = &p->c->entries[i];
    bool own_ts = has_ts && p->rules->honor_timestamps;
    if (e->seen != p->c->page) {
        e->seen = p->c->page;
        e->tracked = e->labels && (!own_ts || p->rules->track_timestamps_staleness);
        p->seen_live += e->live;
        p->changed += e->live != e->tracked;
    }
    if (!e->labels)
        return;
    p->counts.kept++;
    put_row(p->s, *e->labels, e->ref, i, own_ts ? ts_ms : p->ts_ms, value);
}

/* ---- labels of a new series ---- */

static struct str exported_name(const struct labels_builder *b, struct str name, struct arena *a) {
    do
        name = arena_printf(a, "exported_%.*s", (int)name.n, name.p);
    while (name.p && labels_builder_get(b, name).n);
    return name;
}

static void add_target_labels(const struct scrape_rules *r, struct labels_builder *b,
                              struct arena *a) {
    for (uint32_t i = 0; i < r->target.n; i++) {
        struct label t = r->target.l[i];
        struct str own = labels_builder_get(b, t.name);
        if (own.n && r->honor_labels)
            continue;
        if (own.n) {
            struct str moved = exported_name(b, t.name, a);
            if (moved.p)
                labels_builder_set(b, moved, own);
        }
        labels_builder_set(b, t.name, t.value);
    }
}

static bool check_final(const struct scrape_rules *r, struct labels ls, struct str series,
                        struct err *err) {
    struct str name = labels_name(ls);
    if (!name.n)
        return err_set(err, ERR_BAD_INPUT,
                       "a sample has no metric name after metric_relabel_configs: %.*s",
                       (int)(series.n > 200 ? 200 : series.n), series.p);
    if (r->legacy_names && !metric_name_is_legacy(name))
        return err_set(
            err, ERR_BAD_INPUT,
            "metric name \"%.*s\" is not legal under metric_name_validation_scheme: legacy",
            STR_FMT(name));
    for (uint32_t i = 0; r->legacy_names && i < ls.n; i++)
        if (!label_name_is_legacy(ls.l[i].name))
            return err_set(
                err, ERR_BAD_INPUT,
                "label name \"%.*s\" is not legal under metric_name_validation_scheme: legacy",
                STR_FMT(ls.l[i].name));
    return sample_limits_check(&r->limits, ls, err) && labels_check(ls, err);
}

/* *out: the entry, or ENTRY_REFUSED. false: the page is refused. */
static bool make_entry(struct page *p, struct str series, uint32_t hash, uint32_t *out,
                       struct err *err) {
    struct labels_builder *b = &p->s->labels;
    struct labels *labels = NULL;
    if (!promtext_labels(series, &p->s->arena, b, err))
        return false;
    add_target_labels(p->rules, b, &p->s->arena);
    bool keep = relabel_apply(p->rules->metric_relabel, b, &p->s->arena);
    if (p->s->arena.failed)
        return arena_err(&p->s->arena, err);
    if (b->failed)
        return no_memory(err);
    if (keep) {
        struct labels view = labels_builder_view(b);
        if (!check_final(p->rules, view, series, err))
            return false;
        if (p->rules->guard && !guard_admit(p->rules->guard, p->rules->source, view, NULL)) {
            p->c->has_refused = true;
            *out = ENTRY_REFUSED;
            return true;
        }
        labels = labels_dup(view);
    }
    *out = keep && !labels ? ENTRY_NONE : add_entry(p->c, series, hash);
    if (*out == ENTRY_NONE) {
        if (labels && p->rules->guard)
            guard_release(p->rules->guard, p->rules->source, *labels);
        free(labels);
        return no_memory(err);
    }
    p->c->entries[*out].labels = labels;
    p->counts.added += keep;
    return true;
}

/* ---- reading ---- */

static bool remember_order(struct scrape_cache *c, uint32_t entry) {
    if (c->layout.failed)
        return true;
    if (c->layout.n > c->order_cap) {
        size_t cap = c->order_cap ? c->order_cap * 2 : 256;
        uint32_t *v = realloc(c->order, cap * sizeof(*v));
        if (!v)
            return false;
        c->order = v;
        c->order_cap = cap;
    }
    c->order[c->layout.n - 1] = entry;
    return true;
}

static void take_meta(struct scrape_scratch *s, const struct promtext_item *it) {
    struct metric_meta *m = s->n_meta ? &s->meta[s->n_meta - 1] : NULL;
    if (!m || !str_eq(m->metric, it->metric)) {
        if (s->n_meta == s->meta_cap) {
            size_t cap = s->meta_cap ? s->meta_cap * 2 : 64;
            m = realloc(s->meta, cap * sizeof(*m));
            if (!m)
                return; /* metadata is a courtesy */
            s->meta = m;
            s->meta_cap = cap;
        }
        m = &s->meta[s->n_meta++];
        *m = (struct metric_meta){.metric = it->metric};
    }
    if (it->kind == PROMTEXT_TYPE)
        m->type = it->type;
    else if (it->kind == PROMTEXT_HELP)
        m->help = it->text;
    else
        m->unit = it->text;
}

/* From `offset` on, line by line, learning the layout behind what it has. */
static bool read_lines(struct page *p, struct str body, enum promtext_format f, size_t offset,
                       struct err *err) {
    struct scrape_cache *c = p->c;
    struct promtext t;
    struct promtext_item it;
    if (!promtext_init(&t, body, f, &p->s->arena, err))
        return false;
    promtext_seek(&t, offset);
    for (;;) {
        if (!promtext_next(&t, &it, err))
            return false;
        if (it.kind == PROMTEXT_END)
            break;
        if (it.kind != PROMTEXT_SAMPLE) {
            take_meta(p->s, &it);
            continue;
        }
        uint32_t hash = (uint32_t)hash_str(it.series), entry = find_entry(c, it.series, hash);
        if (entry == ENTRY_NONE && !make_entry(p, it.series, hash, &entry, err))
            return false;
        promtext_layout_add(&c->layout, &it);
        if (!remember_order(c, entry) || !reserve_rows(p->s, 1))
            return no_memory(err);
        take_sample(p, entry, it.value, it.has_ts, it.ts_ms);
    }
    promtext_layout_add(&c->layout, &it);
    return true;
}

static bool read_page(struct page *p, struct str body, enum promtext_format f, struct err *err) {
    struct scrape_cache *c = p->c;
    struct scrape_scratch *s = p->s;
    uint64_t epoch = c->has_refused && p->rules->guard
                         ? guard_epoch(p->rules->guard, p->rules->source)
                         : c->guard_epoch;
    if (c->layout.format != f || epoch != c->guard_epoch) { /* what was refused may fit now */
        promtext_layout_begin(&c->layout, f);
        c->has_refused = false;
        c->guard_epoch = epoch;
    }
    size_t offset = 0, n = 0;
    bool whole = false;
    if (c->layout.n) {
        if (s->values_cap < c->layout.n) {
            struct promtext_value *v = realloc(s->values, c->layout.n * sizeof(*v));
            if (!v)
                return no_memory(err);
            s->values = v;
            s->values_cap = c->layout.n;
        }
        n = promtext_layout_read(&c->layout, body, s->values, &offset, &whole);
        if (!reserve_rows(s, n))
            return no_memory(err);
        for (size_t i = 0; i < n; i++)
            take_sample(p, c->order[i], s->values[i].value, s->values[i].has_ts,
                        s->values[i].ts_ms);
    }
    if (whole)
        return true;
    if (n == 0)
        promtext_layout_begin(&c->layout, f);
    else
        promtext_layout_truncate(&c->layout, n);
    return read_lines(p, body, f, offset, err);
}

/* ---- endings ---- */

static bool end_series(struct scrape_scratch *s, struct entry *e, uint32_t i, int64_t ts_ms) {
    if (!reserve_rows(s, 1))
        return false;
    put_row(s, *e->labels, e->ref, i, ts_ms, sample_stale());
    e->live = false;
    return true;
}

static int compare_hashes(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Ends what lived under former rules and is not on the page any more. */
static bool end_old(struct page *p, struct err *err) {
    struct scrape_cache *c = p->c;
    size_t n = 0;
    uint64_t *now = calloc((size_t)c->n + 1, sizeof(*now));
    if (!now || !reserve_rows(p->s, c->n_old)) {
        free(now);
        return no_memory(err);
    }
    for (uint32_t i = 0; i < c->n; i++)
        if (c->entries[i].labels && c->entries[i].seen == c->page)
            now[n++] = labels_hash(*c->entries[i].labels);
    qsort(now, n, sizeof(*now), compare_hashes);
    for (size_t i = 0; i < c->n_old; i++) {
        uint64_t h = labels_hash(*c->old[i]);
        if (!bsearch(&h, now, n, sizeof(*now), compare_hashes))
            put_row(p->s, *c->old[i], c->old_refs[i], ENTRY_NONE, p->ts_ms, sample_stale());
    }
    free(now);
    c->old_done = true;
    return true;
}

/* Life of the series after a good page; forgets those unseen for long. */
static bool settle(struct page *p, struct err *err) {
    struct scrape_cache *c = p->c;
    if (c->n_old && !end_old(p, err))
        return false;
    if (p->changed == 0 && p->seen_live == c->n_live && c->n_absent == 0)
        return true;
    bool evicted = false;
    c->n_live = c->n_absent = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        struct entry *e = &c->entries[i];
        if (!e->series.p)
            continue;
        if (e->seen == c->page) {
            e->live = e->tracked;
        } else if (e->live) {
            if (!end_series(p->s, e, i, p->ts_ms))
                return no_memory(err);
        } else if (c->page - e->seen > SCRAPES_KEPT) {
            drop_entry(e, p->rules);
            e->hash = c->free_head;
            c->free_head = i + 1;
            evicted = true;
            continue;
        }
        c->n_live += e->live;
        c->n_absent += e->seen != c->page;
    }
    return !evicted || slots_rebuild(c) || no_memory(err);
}

static void begin(struct scrape_cache *c, struct scrape_scratch *s) {
    arena_reset(&s->arena);
    s->n = 0;
    s->n_meta = 0;
    if (c->old_done)
        free_old(c);
}

bool scrape_cache_page(struct scrape_cache *c, const struct scrape_rules *rules, struct str body,
                       enum promtext_format f, int64_t ts_ms, struct scrape_scratch *s,
                       struct scrape_counts *out, struct err *err) {
    begin(c, s);
    if (c->epoch != rules->epoch && !change_rules(c, rules, err))
        return false;
    c->page++;
    struct page p = {.c = c, .rules = rules, .s = s, .ts_ms = ts_ms};
    if (!read_page(&p, body, f, err) ||
        !sample_limits_check_count(&rules->limits, p.counts.kept, err) || !settle(&p, err))
        return false;
    if (p.counts.refused && rules->guard)
        guard_count_refused(rules->guard, rules->source, p.counts.refused);
    *out = p.counts;
    return true;
}

bool scrape_cache_fail(struct scrape_cache *c, int64_t ts_ms, struct scrape_scratch *s,
                       struct err *err) {
    begin(c, s);
    for (uint32_t i = 0; c->n_live && i < c->n; i++)
        if (c->entries[i].live && !end_series(s, &c->entries[i], i, ts_ms))
            return no_memory(err);
    c->n_live = 0;
    if (!reserve_rows(s, c->n_old))
        return no_memory(err);
    for (size_t i = 0; i < c->n_old; i++)
        put_row(s, *c->old[i], c->old_refs[i], ENTRY_NONE, ts_ms, sample_stale());
    c->old_done = c->n_old != 0;
    return true;
}

/* ---- reports ---- */

static bool make_reports(struct scrape_cache *c, const struct scrape_rules *rules,
                         struct scrape_scratch *s, struct err *err) {
    static const char *const names[N_REPORTS] = {
        "up", "scrape_duration_seconds", "scrape_samples_scraped",
        "scrape_samples_post_metric_relabeling", "scrape_series_added"};
    for (int i = 0; i < N_REPORTS; i++) {
        labels_builder_reset(&s->labels, rules->target);
        labels_builder_set(&s->labels, STR(LABEL_NAME), str_from(names[i]));
        c->report_labels[i] = s->labels.failed ? NULL : labels_dup(labels_builder_view(&s->labels));
        if (!c->report_labels[i])
            return no_memory(err);
    }
    return true;
}

bool scrape_cache_report(struct scrape_cache *c, const struct scrape_rules *rules,
                         const struct scrape_report *r, int64_t ts_ms, struct scrape_scratch *s,
                         struct err *err) {
    if (!c->report_labels[N_REPORTS - 1] && !make_reports(c, rules, s, err))
        return false;
    if (!reserve_rows(s, N_REPORTS))
        return no_memory(err);
    double v[N_REPORTS] = {r->up, r->duration_s, (double)r->counts.scraped, (double)r->counts.kept,
                           (double)r->counts.added};
    for (uint32_t i = 0; i < N_REPORTS; i++)
        put_row(s, *c->report_labels[i], c->report_refs[i], ENTRY_REPORT + i, ts_ms,
                r->stale ? sample_stale() : v[i]);
    return true;
}

void scrape_cache_written(struct scrape_cache *c, const struct scrape_scratch *s) {
    for (size_t i = 0; i < s->n; i++) {
        uint32_t e = s->entries[i];
        if (e < c->n)
            c->entries[e].ref = s->refs[i];
        else if (e >= ENTRY_REPORT && e < ENTRY_REPORT + N_REPORTS)
            c->report_refs[e - ENTRY_REPORT] = s->refs[i];
    }
}
