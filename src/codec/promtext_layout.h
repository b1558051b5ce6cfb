/* promtext_layout.h - reading a page whose layout is the one of last time.
 *
 * An exporter writes the same lines in the same order scrape after scrape; only values change. A
 * layout keeps the text between the values (names, labels, comments), so that the next page is read
 * by one memcmp and one number a sample. Learn it from the items of a whole parse (promtext.h), in
 * order; read the next page with it; where that stops short, parse the rest (or, for OpenMetrics,
 * whose rules look past one line, the whole page) and learn again.
 *
 * Costs about as many bytes as the page has. One owner, one thread at a time.
 */
#ifndef CODEC_PROMTEXT_LAYOUT_H
#define CODEC_PROMTEXT_LAYOUT_H

#include "codec/promtext.h"

/* About 150,000 series; a larger page is parsed whole each time instead of being kept a second
 * time. */
#define PROMTEXT_LAYOUT_BYTES_MAX ((size_t)16 << 20)

struct promtext_slot;
struct promtext_layout {
    struct buf text; /* all prefixes, then the tail */
    struct promtext_slot *slots;
    size_t n, cap;
    size_t tail_n;
    enum promtext_format format;
    bool whole;  /* learned up to the end of the page */
    bool failed; /* no memory, or a page that cannot be predicted: reads nothing */
};
#define PROMTEXT_LAYOUT_INIT ((struct promtext_layout){0})

struct promtext_value {
    double value;
    int64_t ts_ms;
    bool has_ts;
};

void promtext_layout_deinit(struct promtext_layout *l);
void promtext_layout_begin(struct promtext_layout *l,
                           enum promtext_format format); /* forgets, keeps memory */
/* Keeps the first n samples: the page agreed so far. */
void promtext_layout_truncate(struct promtext_layout *l, size_t n);
void promtext_layout_add(struct promtext_layout *l,
                         const struct promtext_item *it); /* SAMPLE, then END once */

/* Values of the samples that stand where they stood, from the first on, at most l->n of them into
 * out[]. Returns how many. *out_offset: where in the body the next one begins. *out_whole: the body
 * was read to its end. For OpenMetrics it is the whole page or 0. */
size_t promtext_layout_read(const struct promtext_layout *l, struct str body,
                            struct promtext_value *out, size_t *out_offset, bool *out_whole);

#endif
