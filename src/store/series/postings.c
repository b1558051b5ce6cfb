#include "store/series/postings.h"

static roaring_bitmap_t *one(const struct pindex *ix, const struct matcher *m) {
    const struct str *lit;
    size_t n_lit = m->type == MATCH_RE ? regex_literals(m->re, &lit) : 0;
    if (m->type == MATCH_EQ)
        return ix->get(ix->self, m->name, m->value);
    if (!n_lit)
        return ix->scan(ix->self, m, true);
    roaring_bitmap_t *sum = roaring_bitmap_create();
    for (size_t i = 0; i < n_lit && sum; i++) {
        roaring_bitmap_t *p = ix->get(ix->self, m->name, lit[i]);
        if (!p) {
            roaring_bitmap_free(sum);
            return NULL;
        }
        roaring_bitmap_or_inplace(sum, p);
        roaring_bitmap_free(p);
    }
    return sum;
}

roaring_bitmap_t *postings_match(const struct pindex *ix, const struct matcher *m, size_t n) {
    roaring_bitmap_t *acc = NULL;
    /* Equalities first: they are cheap and make the rest small. Then what needs a walk over values;
     * last the ones that the absence of the label satisfies, which can only take away. */
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < n; i++) {
            bool absent = matcher_matches(&m[i], (struct str){NULL, 0});
            if ((absent ? 2 : m[i].type == MATCH_EQ ? 0 : 1) != round)
                continue;
            if (absent && !acc && !(acc = ix->all(ix->self)))
                return NULL;
            roaring_bitmap_t *p = absent ? ix->scan(ix->self, &m[i], false) : one(ix, &m[i]);
            if (!p) {
                if (acc)
                    roaring_bitmap_free(acc);
                return NULL;
            }
            if (!acc) {
                acc = p;
                continue;
            }
            if (absent)
                roaring_bitmap_andnot_inplace(acc, p);
            else
                roaring_bitmap_and_inplace(acc, p);
            roaring_bitmap_free(p);
            if (roaring_bitmap_is_empty(acc))
                return acc;
        }
    }
    return acc ? acc : ix->all(ix->self);
}

bool posting_add(struct posting *p, uint32_t id) {
    if (p->n < POSTING_FEW) {
        p->u.few[p->n++] = id;
        return true;
    }
    if (p->n == POSTING_FEW) {
        roaring_bitmap_t *r = roaring_bitmap_of_ptr(POSTING_FEW, p->u.few);
        if (!r)
            return false;
        p->u.big = r;
        p->n = POSTING_FEW + 1;
    }
    roaring_bitmap_add(p->u.big, id);
    return true;
}

void posting_del(struct posting *p, uint32_t id) {
    if (p->n > POSTING_FEW) {
        roaring_bitmap_remove(p->u.big, id);
        return;
    }
    for (uint32_t i = 0; i < p->n; i++)
        if (p->u.few[i] == id) {
            p->u.few[i] = p->u.few[--p->n];
            return;
        }
}

uint64_t posting_count(const struct posting *p) {
    return p->n > POSTING_FEW ? roaring_bitmap_get_cardinality(p->u.big) : p->n;
}

void posting_deinit(struct posting *p) {
    if (p->n > POSTING_FEW)
        roaring_bitmap_free(p->u.big);
    p->n = 0;
}

bool posting_or_into(const struct posting *p, roaring_bitmap_t *into) {
    if (p->n > POSTING_FEW)
        roaring_bitmap_or_inplace(into, p->u.big);
    else
        roaring_bitmap_add_many(into, p->n, p->u.few);
    return true;
}
