#include "query/promql/eval.h"

#include <stdlib.h>

bool pq_matrix_push(struct pq_ev *ev, struct pq_matrix *m, struct pq_series s) {
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 16;
        struct pq_series *v = arena_grow(ev->arena, m->s, m->cap * sizeof(*v), cap * sizeof(*v));
        if (!v)
            return pq_no_memory(ev);
        m->s = v;
        m->cap = cap;
    }
    m->s[m->n++] = s;
    return true;
}

double *pq_column(struct pq_ev *ev, const struct pq_grid *g) {
    double *v = arena_alloc(ev->arena, g->n * sizeof(*v));
    if (!v) {
        pq_no_memory(ev);
        return NULL;
    }
    for (size_t i = 0; i < g->n; i++)
        v[i] = sample_stale();
    return v;
}

bool pq_column_hist(struct pq_ev *ev, const struct pq_grid *g, struct pq_series *s) {
    if (s->hist)
        return true;
    s->hist = arena_array(ev->arena, g->n, sizeof(*s->hist));
    return s->hist || pq_no_memory(ev);
}

bool pq_copy_series(struct pq_ev *ev, const struct pq_grid *g, const struct pq_series *s,
                    struct pq_series *out) {
    *out = *s;
    out->v = arena_alloc(ev->arena, g->n * sizeof(*out->v));
    if (!out->v)
        return pq_no_memory(ev);
    memcpy(out->v, s->v, g->n * sizeof(*out->v));
    if (s->hist) {
        out->hist = arena_alloc(ev->arena, g->n * sizeof(*out->hist));
        if (!out->hist)
            return pq_no_memory(ev);
        memcpy(out->hist, s->hist, g->n * sizeof(*out->hist));
    }
    return true;
}

size_t pq_count_points(const struct pq_grid *g, const struct pq_series *s) {
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++)
        n += !pq_absent(s->v[i]);
    return n;
}

static bool is_metadata(struct str name) {
    return str_eq(name, STR(LABEL_NAME)) || str_eq(name, STR("__type__")) ||
           str_eq(name, STR("__unit__"));
}

/* Without the labels that `drop` names: a view when they stand at one end, else new. */
static bool drop_labels(struct pq_ev *ev, struct labels in, bool (*drop)(struct str),
                        struct labels *out) {
    uint32_t first = 0, n = in.n, kept = 0;
    while (first < n && drop(in.l[first].name))
        first++;
    while (n > first && drop(in.l[n - 1].name))
        n--;
    for (uint32_t i = first; i < n; i++)
        kept += !drop(in.l[i].name);
    if (kept == n - first) {
        *out = (struct labels){in.l ? in.l + first : NULL, n - first};
        return true;
    }
    struct label *l = arena_alloc(ev->arena, kept * sizeof(*l));
    if (!l)
        return pq_no_memory(ev);
    uint32_t k = 0;
    for (uint32_t i = first; i < n; i++)
        if (!drop(in.l[i].name))
            l[k++] = in.l[i];
    *out = (struct labels){l, k};
    return true;
}

bool pq_drop_metadata(struct pq_ev *ev, struct labels in, struct labels *out) {
    return drop_labels(ev, in, is_metadata, out);
}

bool pq_drop_label(struct pq_ev *ev, struct labels in, struct str name, struct labels *out) {
    uint32_t at = 0;
    while (at < in.n && !str_eq(in.l[at].name, name))
        at++;
    if (at == in.n) {
        *out = in;
        return true;
    }
    struct label *l = arena_alloc(ev->arena, in.n * sizeof(*l));
    if (!l)
        return pq_no_memory(ev);
    uint32_t k = 0;
    for (uint32_t i = 0; i < in.n; i++)
        if (i != at)
            l[k++] = in.l[i];
    *out = (struct labels){l, k};
    return true;
}

bool pq_mark_name(struct pq_ev *ev, struct pq_series *s) {
    s->drop_name = true;
    return ev->delayed_names || pq_drop_metadata(ev, s->labels, &s->labels);
}

/* Index of label sets */

static bool index_rehash(struct pq_ev *ev, struct pq_index *x) {
    uint32_t n_slots = x->n_slots ? x->n_slots * 2 : 64;
    uint32_t *slots = arena_array(ev->arena, n_slots, sizeof(*slots));
    if (!slots)
        return pq_no_memory(ev);
    for (uint32_t i = 0; i < x->n; i++) {
        uint32_t at = (uint32_t)x->hashes[i] & (n_slots - 1);
        while (slots[at])
            at = (at + 1) & (n_slots - 1);
        slots[at] = i + 1;
    }
    x->slots = slots;
    x->n_slots = n_slots;
    return true;
}

uint32_t pq_index_find(const struct pq_index *x, struct labels ls) {
    if (!x->n_slots)
        return UINT32_MAX;
    uint64_t h = labels_hash(ls);
    for (uint32_t at = (uint32_t)h & (x->n_slots - 1); x->slots[at];
         at = (at + 1) & (x->n_slots - 1)) {
        uint32_t i = x->slots[at] - 1;
        if (x->hashes[i] == h && labels_eq(x->keys[i], ls))
            return i;
    }
    return UINT32_MAX;
}

uint32_t pq_index_put(struct pq_ev *ev, struct pq_index *x, struct labels ls, bool *added) {
    *added = false;
    if (x->n * 2 >= x->n_slots && !index_rehash(ev, x))
        return UINT32_MAX;
    uint64_t h = labels_hash(ls);
    uint32_t at = (uint32_t)h & (x->n_slots - 1);
    for (; x->slots[at]; at = (at + 1) & (x->n_slots - 1)) {
        uint32_t i = x->slots[at] - 1;
        if (x->hashes[i] == h && labels_eq(x->keys[i], ls))
            return i;
    }
    if (x->n == x->cap) {
        uint32_t cap = x->cap ? x->cap * 2 : 32;
        struct labels *keys =
            arena_grow(ev->arena, x->keys, x->cap * sizeof(*keys), cap * sizeof(*keys));
        uint64_t *hashes =
            arena_grow(ev->arena, x->hashes, x->cap * sizeof(*hashes), cap * sizeof(*hashes));
        if (!keys || !hashes) {
            pq_no_memory(ev);
            return UINT32_MAX;
        }
        x->keys = keys;
        x->hashes = hashes;
        x->cap = cap;
    }
    x->keys[x->n] = ls;
    x->hashes[x->n] = h;
    x->slots[at] = ++x->n;
    *added = true;
    return x->n - 1;
}

bool pq_out_series(struct pq_ev *ev, const struct pq_grid *g, struct pq_out *o, struct labels ls,
                   bool drop_name, uint32_t *out) {
    bool added;
    *out = pq_index_put(ev, &o->index, ls, &added);
    if (*out == UINT32_MAX)
        return false;
    if (!added)
        return true;
    struct pq_series s = {.labels = ls, .drop_name = drop_name, .v = pq_column(ev, g)};
    return s.v && pq_matrix_push(ev, &o->m, s);
}

static bool same_labels(struct pq_ev *ev) {
    return pq_failf(ev, "vector cannot contain metrics with the same labelset");
}

bool pq_out_put(struct pq_ev *ev, const struct pq_grid *g, struct pq_out *o, uint32_t series,
                size_t step, double v, const struct fhist *h) {
    struct pq_series *s = &o->m.s[series];
    if (!pq_absent(s->v[step]))
        return same_labels(ev);
    if (h && !pq_column_hist(ev, g, s))
        return false;
    s->v[step] = h ? 0 : v;
    if (h)
        s->hist[step] = h;
    return true;
}

/* Equal label sets */

/* When all series bear one name, sets that were different stay different without it. */
bool pq_has_same(struct pq_ev *ev, const struct pq_matrix *m, bool *out) {
    struct pq_index x = {0};
    *out = false;
    for (size_t i = 0; i < m->n && !*out; i++) {
        bool added;
        if (pq_index_put(ev, &x, m->s[i].labels, &added) == UINT32_MAX)
            return false;
        *out = !added;
    }
    return true;
}

static bool merge_into(struct pq_ev *ev, const struct pq_grid *g, struct pq_series *to,
                       const struct pq_series *from) {
    if (from->hist && !pq_column_hist(ev, g, to))
        return false;
    for (size_t i = 0; i < g->n; i++) {
        if (pq_absent(from->v[i]))
            continue;
        if (!pq_absent(to->v[i]))
            return same_labels(ev);
        to->v[i] = from->v[i];
        if (from->hist)
            to->hist[i] = from->hist[i];
    }
    return true;
}

bool pq_merge_same(struct pq_ev *ev, const struct pq_grid *g, struct pq_matrix *m) {
    if (m->n < 2)
        return true;
    struct pq_index x = {0};
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) {
        bool added;
        uint32_t at = pq_index_put(ev, &x, m->s[i].labels, &added);
        if (at == UINT32_MAX)
            return false;
        if (added)
            m->s[n++] = m->s[i];
        else if (!merge_into(ev, g, &m->s[at], &m->s[i]))
            return false;
    }
    m->n = n;
    return true;
}

static int by_labels(const void *a, const void *b) {
    return labels_cmp(((const struct pq_series *)a)->labels, ((const struct pq_series *)b)->labels);
}

void pq_sort_by_labels(struct pq_matrix *m) {
    if (m->n > 1)
        qsort(m->s, m->n, sizeof(*m->s), by_labels);
}
