/* postings.h - which series match: sets of series numbers by label pair, over CRoaring. The head
 * and each block are an index of their own; matchers are evaluated here once for both. */
#ifndef STORE_SERIES_POSTINGS_H
#define STORE_SERIES_POSTINGS_H

#include "base/err.h"
#include "model/matcher.h"

#include <roaring/roaring.h>

struct pindex { /* borrowed; results are new bitmaps, the caller frees; NULL: no memory */
    void *self;
    roaring_bitmap_t *(*all)(void *self);
    roaring_bitmap_t *(*get)(void *self, struct str name, struct str value);
    /* the union over the values of name for which the matcher's answer equals `want` */
    roaring_bitmap_t *(*scan)(void *self, const struct matcher *m, bool want);
};

/* Series that match all matchers; NULL: no memory. */
roaring_bitmap_t *postings_match(const struct pindex *index, const struct matcher *m, size_t n);

/* A growing set that is cheap while it is small: most label values of most stores have few series.
 */
#define POSTING_FEW 4
struct posting {
    uint32_t n; /* in few; POSTING_FEW + 1: in big */
    union {
        uint32_t few[POSTING_FEW];
        roaring_bitmap_t *big;
    } u;
};
bool posting_add(struct posting *p, uint32_t id); /* false: no memory */
void posting_del(struct posting *p, uint32_t id);
uint64_t posting_count(const struct posting *p);
void posting_deinit(struct posting *p);
bool posting_or_into(const struct posting *p, roaring_bitmap_t *into);

#endif
