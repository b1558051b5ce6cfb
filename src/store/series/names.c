/* Label names and values, over blocks and head. */
#include "store/series/store.h"

#include <stdlib.h>

struct names {
    struct map seen;
    bool failed;
};

static int cmp_str(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void put(struct names *n, struct str s) {
    if (!map_find(&n->seen, s) && !map_put(&n->seen, s, n, NULL))
        n->failed = true;
}

static bool finish(struct names *n, size_t limit, struct arena *a, struct str_list *out,
                   struct err *err) {
    struct str *v = arena_array(a, n->seen.n_live + 1, sizeof(*v));
    size_t k = 0;
    for (struct map_entry *e = map_next(&n->seen, NULL); v && e; e = map_next(&n->seen, e))
        v[k++] = e->key;
    if (v && k)
        qsort(v, k, sizeof(*v), cmp_str);
    if (limit && k > limit)
        k = limit;
    for (size_t i = 0; v && i < k; i++)
        v[i] = arena_str(a, v[i]);
    bool failed = n->failed;
    map_deinit(&n->seen);
    if (!v || a->failed)
        return arena_err(a, err);
    if (failed)
        return err_set(err, ERR_EXECUTION, "out of memory listing labels");
    *out = (struct str_list){v, k};
    return true;
}

/* name.n == 0: names are wanted, else the values of name. ids NULL: every series. */
static bool block_names_of(struct block *b, struct str name, const roaring_bitmap_t *ids,
                           struct names *out) {
    for (uint32_t i = 0; i < b->n_names; i++) {
        struct str n = block_name_text(b, i);
        if (name.n && !str_eq(n, name))
            continue;
        const struct block_name_entry *e = &block_names(b)[i];
        if (!ids && !name.n) {
            put(out, n);
            continue;
        }
        for (uint32_t k = e->first_pair; k < e->first_pair + e->n_pairs; k++) {
            if (ids) {
                roaring_bitmap_t *p = block_posting(b, k);
                if (!p)
                    return false;
                bool meets = roaring_bitmap_intersect(p, ids);
                roaring_bitmap_free(p);
                if (!meets)
                    continue;
            }
            put(out, name.n ? block_pair_text(b, k) : n);
            if (!name.n)
                break;
        }
    }
    return !out->failed;
}

static bool posting_meets(const struct posting *p, const roaring_bitmap_t *ids) {
    if (!ids)
        return true;
    if (p->n > POSTING_FEW)
        return roaring_bitmap_intersect(p->u.big, ids);
    for (uint32_t i = 0; i < p->n; i++)
        if (roaring_bitmap_contains(ids, p->u.few[i]))
            return true;
    return false;
}

static void head_names_of(struct head *h, struct str name, const roaring_bitmap_t *ids,
                          struct names *out) {
    for (struct map_entry *e = map_next(&h->names, NULL); e; e = map_next(&h->names, e)) {
        if (name.n && !str_eq(e->key, name))
            continue;
        struct map *values = e->value;
        for (struct map_entry *v = map_next(values, NULL); v; v = map_next(values, v)) {
            if (!posting_meets(v->value, ids))
                continue;
            put(out, name.n ? v->key : e->key);
            if (!name.n)
                break;
        }
    }
}

static bool head_list(struct series_store *s, struct str name, const struct reader_query *q,
                      struct names *out, struct blockset **blocks) {
    bool ok = true;
    rwlock_read(&s->lock);
    struct head *h = &s->head;
    bool current = h->samples && h->min_ts <= q->end_ms && h->max_ts >= q->start_ms;
    bool frozen = h->frozen && h->frozen->min_ts <= q->end_ms && h->frozen->max_ts >= q->start_ms;
    if (current || frozen) {
        roaring_bitmap_t *ids = NULL;
        struct pindex ix = head_index(h);
        if (q->n_matchers)
            ok = (ids = postings_match(&ix, q->matchers, q->n_matchers)) != NULL;
        if (ok)
            head_names_of(h, name, ids, out);
        if (ids)
            roaring_bitmap_free(ids);
    }
    *blocks = blockset_ref(s->blocks);
    rwlock_unlock(&s->lock);
    return ok && !out->failed;
}

static bool list(struct series_store *s, struct str name, const struct reader_query *q,
                 size_t limit, struct arena *a, struct str_list *out, struct err *err) {
    struct names names = {0};
    struct blockset *blocks;
    bool ok = head_list(s, name, q, &names, &blocks) ||
              err_set(err, ERR_EXECUTION, "out of memory listing labels");
    for (size_t i = 0; ok && i < blocks->n; i++) {
        struct block *b = blocks->v[i];
        roaring_bitmap_t *ids = NULL;
        if (b->info.max_ts < q->start_ms || b->info.min_ts > q->end_ms)
            continue;
        ok = block_check_index(b, err);
        struct pindex ix = block_index(b);
        if (ok && q->n_matchers)
            ok = (ids = postings_match(&ix, q->matchers, q->n_matchers)) != NULL ||
                 err_set(err, ERR_EXECUTION, "out of memory listing labels");
        if (ok && !block_names_of(b, name, ids, &names))
            ok = err_set(err, ERR_EXECUTION, "out of memory listing labels");
        if (ids)
            roaring_bitmap_free(ids);
        if (ok && q->canceled && atomic_load(q->canceled))
            ok = err_set(err, ERR_CANCELED, "the query was canceled");
    }
    blockset_unref(blocks);
    if (!ok) {
        map_deinit(&names.seen);
        return false;
    }
    return finish(&names, limit, a, out, err);
}

static bool op_select(void *self, const struct reader_query *q, struct reader_set **out,
                      struct err *err) {
    return store_select(self, q, out, err);
}
static bool op_names(void *self, const struct reader_query *q, size_t limit, struct arena *a,
                     struct str_list *out, struct err *err) {
    return list(self, (struct str){NULL, 0}, q, limit, a, out, err);
}
static bool op_values(void *self, struct str name, const struct reader_query *q, size_t limit,
                      struct arena *a, struct str_list *out, struct err *err) {
    if (!name.n) {
        *out = (struct str_list){NULL, 0};
        return true;
    }
    return list(self, name, q, limit, a, out, err);
}

struct reader series_reader(struct series_store *s) {
    static const struct reader_ops ops = {op_select, op_names, op_values};
    return (struct reader){&ops, s};
}
