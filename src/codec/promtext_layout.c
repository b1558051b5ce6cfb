#include "codec/promtext_layout.h"

#include "codec/promtext_internal.h"

#include <stdlib.h>

struct promtext_slot {
    uint32_t prefix_n;
    uint16_t check;
};

void promtext_layout_deinit(struct promtext_layout *l) {
    buf_deinit(&l->text);
    free(l->slots);
    *l = PROMTEXT_LAYOUT_INIT;
}

void promtext_layout_begin(struct promtext_layout *l, enum promtext_format format) {
    promtext_layout_truncate(l, 0);
    buf_reset(&l->text);
    l->text.bytes_max = PROMTEXT_LAYOUT_BYTES_MAX;
    l->format = format;
    l->failed = false;
}

void promtext_layout_truncate(struct promtext_layout *l, size_t n) {
    size_t bytes = 0;
    for (size_t i = 0; i < n && i < l->n; i++)
        bytes += l->slots[i].prefix_n;
    if (n < l->n)
        l->n = n;
    if (l->text.n > bytes)
        l->text.n = bytes;
    l->whole = false;
    l->tail_n = 0;
}

void promtext_layout_add(struct promtext_layout *l, const struct promtext_item *it) {
    if (l->failed)
        return;
    if (it->kind == PROMTEXT_END) {
        l->tail_n = it->prefix.n;
        l->whole = true;
        buf_puts(&l->text, it->prefix);
    } else {
        if (l->n == l->cap) {
            size_t cap = l->cap ? l->cap * 2 : 64;
            struct promtext_slot *v = realloc(l->slots, cap * sizeof(*v));
            if (!v) {
                l->failed = true;
                return;
            }
            l->slots = v;
            l->cap = cap;
        }
        l->slots[l->n++] = (struct promtext_slot){(uint32_t)it->prefix.n, it->check};
        buf_puts(&l->text, it->prefix);
        l->failed |= it->prefix.n > UINT32_MAX || (it->check & PROMTEXT_CHECK_AGAIN);
    }
    l->failed |= !buf_ok(&l->text);
}

struct group_state {
    bool any, has_count;
    double bucket, count;
};

static bool group_agrees(const struct group_state *g) {
    return !g->any || !g->has_count || g->count == g->bucket;
}

/* The rules of OpenMetrics that depend on values, over an unchanged layout. */
static bool check_value(uint16_t check, double v, struct group_state *g) {
    if (promtext_value_fault(check, v))
        return false;
    if (check & PROMTEXT_CHECK_GROUP) {
        if (!group_agrees(g))
            return false;
        *g = (struct group_state){.any = true};
    }
    if (check & PROMTEXT_CHECK_BUCKET) {
        if (v < g->bucket)
            return false;
        g->bucket = v;
    }
    if (check & PROMTEXT_CHECK_COUNT) {
        g->has_count = true;
        g->count = v;
    }
    return true;
}

/* One sample behind its prefix. The common line is a number and a newline. */
static bool line_value(struct promtext *p, const char **pp, struct promtext_value *out) {
    const char *q = *pp;
    if (promtext_fast_number(&q, p->end, &out->value) && q < p->end && *q == '\n') {
        out->has_ts = false;
        *pp = q + 1;
        return true;
    }
    struct promtext_item it;
    if (!promtext_read_value(p, pp, &it, NULL))
        return false;
    out->value = it.value;
    out->has_ts = it.has_ts;
    out->ts_ms = it.has_ts ? it.ts_ms : 0;
    return !(it.has_ts && p->format == PROMTEXT_OPENMETRICS);
}

size_t promtext_layout_read(const struct promtext_layout *l, struct str body,
                            struct promtext_value *out, size_t *out_offset, bool *out_whole) {
    *out_offset = 0;
    *out_whole = false;
    if (l->failed || !l->n || !body.n)
        return 0;
    bool om = l->format == PROMTEXT_OPENMETRICS;
    /* Exemplars change with every page; an escape in one may need a few bytes for a while. */
    struct arena scratch = ARENA_INIT_MAX(1 << 20);
    struct promtext p = {.start = body.p,
                         .p = body.p,
                         .end = body.p + body.n,
                         .format = l->format,
                         .arena = &scratch};
    struct group_state group = {.any = false};
    const char *prefix = l->text.p, *at = body.p;
    size_t i = 0;
    for (; i < l->n; i++) {
        size_t n = l->slots[i].prefix_n;
        const char *q = at + n;
        if ((size_t)(p.end - at) <= n || memcmp(at, prefix, n) != 0 || !line_value(&p, &q, &out[i]))
            break;
        if (om && !check_value(l->slots[i].check, out[i].value, &group))
            break;
        prefix += n;
        at = q;
    }
    size_t left = (size_t)(p.end - at);
    if (i == l->n && l->whole && left == l->tail_n &&
        (left == 0 || memcmp(at, prefix, left) == 0) && group_agrees(&group))
        *out_whole = true;
    arena_deinit(&scratch);
    if (om && !*out_whole)
        return 0;
    *out_offset = (size_t)(at - body.p);
    return i;
}
