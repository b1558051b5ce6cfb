#include "query/promql/mem_reader_testlib.h"

#include <stdlib.h>

void mem_reader_init(struct mem_reader *m, size_t bytes_max) {
    *m = (struct mem_reader){.arena = ARENA_INIT_MAX(bytes_max)};
}

void mem_reader_deinit(struct mem_reader *m) {
    arena_deinit(&m->arena);
    free(m->series);
    *m = (struct mem_reader){.arena = ARENA_INIT};
}

void mem_reader_clear(struct mem_reader *m) {
    arena_reset(&m->arena);
    m->n = 0;
}

struct mem_series *mem_reader_series(struct mem_reader *m, struct labels labels) {
    size_t lo = 0, hi = m->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = labels_cmp(m->series[mid]->labels, labels);
        if (c == 0)
            return m->series[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    struct mem_series *s = ARENA_NEW(&m->arena, struct mem_series);
    if (!s || !labels_copy(&m->arena, labels, &s->labels))
        return NULL;
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 64;
        struct mem_series **v = realloc(m->series, cap * sizeof(*v));
        if (!v)
            return NULL;
        m->series = v;
        m->cap = cap;
    }
    memmove(m->series + lo + 1, m->series + lo, (m->n - lo) * sizeof(*m->series));
    m->series[lo] = s;
    m->n++;
    return s;
}

static bool grow(struct mem_reader *m, struct mem_series *s) {
    size_t cap = s->cap ? s->cap * 2 : 32;
    s->ts = arena_grow(&m->arena, s->ts, s->cap * sizeof(*s->ts), cap * sizeof(*s->ts));
    s->v = arena_grow(&m->arena, s->v, s->cap * sizeof(*s->v), cap * sizeof(*s->v));
    if (s->hist)
        s->hist = arena_grow(&m->arena, s->hist, s->cap * sizeof(*s->hist), cap * sizeof(*s->hist));
    s->cap = cap;
    return !m->arena.failed;
}

bool mem_series_add(struct mem_reader *m, struct mem_series *s, int64_t ts, double v,
                    const struct fhist *hist) {
    if (hist && !s->hist) {
        s->hist = ARENA_ARRAY(&m->arena, const struct fhist *, s->cap ? s->cap : 1);
        if (!s->hist)
            return false;
    }
    if (s->n == s->cap && !grow(m, s))
        return false;
    size_t at = s->n;
    while (at > 0 && s->ts[at - 1] >= ts)
        at--;
    bool there = at < s->n && s->ts[at] == ts;
    if (!there) {
        memmove(s->ts + at + 1, s->ts + at, (s->n - at) * sizeof(*s->ts));
        memmove(s->v + at + 1, s->v + at, (s->n - at) * sizeof(*s->v));
        if (s->hist)
            memmove(s->hist + at + 1, s->hist + at, (s->n - at) * sizeof(*s->hist));
        s->n++;
    }
    s->ts[at] = ts;
    s->v[at] = v;
    if (s->hist)
        s->hist[at] = hist;
    return true;
}

void mem_series_hints(struct mem_reader *m, struct mem_series *s) {
    const struct fhist *prev = NULL; /* of the chunk that would be open */
    for (size_t i = 0; s->hist && i < s->n; i++) {
        const struct fhist *h = s->hist[i];
        if (!h || h->hint == FHIST_GAUGE) {
            prev = NULL;
            continue;
        }
        struct fhist *c = fhist_copy(&m->arena, h);
        if (!c)
            return;
        struct fhist plain = *c;
        if (plain.hint == FHIST_NOT_RESET)
            plain.hint = FHIST_UNKNOWN;
        bool fits =
            prev && plain.schema == prev->schema && plain.zero_threshold == prev->zero_threshold &&
            plain.n_custom == prev->n_custom && !fhist_detect_reset(&m->arena, &plain, prev);
        for (uint32_t k = 0; fits && k < plain.n_custom; k++)
            fits = plain.custom[k] == prev->custom[k];
        c->hint = fits ? FHIST_NOT_RESET : FHIST_UNKNOWN;
        s->hist[i] = c;
        prev = c;
    }
}

/* Reader */

struct mem_set {
    struct reader_set set;
    struct mem_series **series;
};

static struct labels set_labels(struct reader_set *set, size_t i) {
    return ((struct mem_set *)(void *)set)->series[i]->labels;
}

static size_t first_at_or_after(const struct mem_series *s, int64_t ts) {
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (s->ts[mid] < ts)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool set_read(struct reader_set *set, size_t i, int64_t start, int64_t end,
                     struct series_data *out, struct err *err) {
    const struct mem_series *s = ((struct mem_set *)(void *)set)->series[i];
    (void)err;
    size_t from = first_at_or_after(s, start),
           to = end == INT64_MAX ? s->n : first_at_or_after(s, end + 1);
    *out = (struct series_data){s->ts + from, s->v + from, s->hist ? s->hist + from : NULL,
                                to > from ? to - from : 0};
    return true;
}

static void set_free(struct reader_set *set) {
    free(((struct mem_set *)(void *)set)->series);
    free(set);
}

static const struct reader_set_ops set_ops = {set_labels, set_read, set_free};

static bool mem_select(void *self, const struct reader_query *q, struct reader_set **out,
                       struct err *err) {
    struct mem_reader *m = self;
    struct mem_set *set = calloc(1, sizeof(*set));
    struct mem_series **v = calloc(m->n + 1, sizeof(*v));
    if (!set || !v) {
        free(set);
        free(v);
        return err_set(err, ERR_INTERNAL, "out of memory");
    }
    m->selects++;
    *set = (struct mem_set){{&set_ops, 0}, v};
    for (size_t i = 0; i < m->n; i++)
        if (matchers_match(q->matchers, q->n_matchers, m->series[i]->labels))
            v[set->set.count++] = m->series[i];
    *out = &set->set;
    return true;
}

static const struct reader_ops reader_ops = {.select = mem_select};
struct reader mem_reader_view(struct mem_reader *m) {
    return (struct reader){&reader_ops, m};
}
