#include "feature/collect/emit.h"

#include <stdlib.h>

void emit_batch_init(struct emit_batch *b, struct str job, struct str instance) {
    *b = (struct emit_batch){0};
    b->job = (struct label){STR("job"), job};
    b->instance = (struct label){STR("instance"), instance};
}

static void free_dead(struct emit_batch *b) {
    for (size_t i = 0; i < b->n_dead; i++)
        free(b->dead[i]);
    b->n_dead = 0;
}

void emit_batch_deinit(struct emit_batch *b) {
    free_dead(b);
    free(b->rows);
    free(b->refs);
    free(b->back);
    free(b->dead);
    map_deinit(&b->known);
    *b = (struct emit_batch){0};
}

void emit_batch_reset(struct emit_batch *b, int64_t ts_ms) {
    free_dead(b);
    b->n = 0;
    b->ts_ms = ts_ms;
    b->failed = false;
}

void emit_batch_written(struct emit_batch *b) {
    for (size_t i = 0; i < b->n; i++)
        if (b->back[i])
            b->back[i]->ref = b->refs[i];
    b->n = 0;
    free_dead(b);
}

static bool batch_grow(struct emit_batch *b) {
    size_t cap = b->cap ? b->cap * 2 : 1024;
    void *rows = realloc(b->rows, cap * sizeof(*b->rows));
    if (rows)
        b->rows = rows;
    void *refs = realloc(b->refs, cap * sizeof(*b->refs));
    if (refs)
        b->refs = refs;
    void *back = realloc(b->back, cap * sizeof(struct emit_series *));
    if (back)
        b->back = back;
    if (!rows || !refs || !back)
        return false;
    b->cap = cap;
    return true;
}

static void batch_row(struct emit_batch *b, struct labels ls, double value, uint64_t ref,
                      struct emit_series *back) {
    if (b->n == b->cap && !batch_grow(b)) {
        b->failed = true;
        return;
    }
    b->rows[b->n] = (struct batch_row){ls, b->ts_ms, value};
    b->refs[b->n] = ref;
    b->back[b->n] = back;
    b->n++;
}

/* The labels live until the batch with the stale marker has been written. */
static void bury(struct emit_batch *b, struct labels *ls) {
    if (b->n_dead == b->cap_dead) {
        size_t cap = b->cap_dead ? b->cap_dead * 2 : 64;
        struct labels **dead = realloc(b->dead, cap * sizeof(struct labels *));
        if (!dead) { /* keep the memory rather than write through a dangling pointer */
            b->failed = true;
            return;
        }
        b->dead = dead;
        b->cap_dead = cap;
    }
    b->dead[b->n_dead++] = ls;
}

void emit_init(struct emit *e, struct emit_batch *b) {
    *e = (struct emit){.batch = b};
}

static void item_free(struct emit_item *it) {
    for (size_t i = 0; i < it->n_series; i++)
        free(it->series[i].labels);
    free(it->own);
    free(it->values);
    free(it);
}

void emit_deinit(struct emit *e) {
    struct emit_table *t = e->tables;
    while (t) {
        struct emit_table *next = t->next;
        struct emit_item *it = t->items;
        while (it) {
            struct emit_item *after = it->next;
            item_free(it);
            it = after;
        }
        map_deinit(&t->by_key);
        free(t);
        t = next;
    }
    e->tables = NULL;
}

void emit_begin(struct emit *e) {
    e->run++;
}

static void make_key(const struct emit_table *t, struct str metric, const struct str *values,
                     struct buf *out) {
    if (metric.n)
        buf_puts(out, metric);
    else
        buf_putc(out, '\1'); /* never an empty key, never a metric's name */
    for (size_t i = 0; i < t->group->n_labels; i++) {
        buf_putc(out, '\0');
        buf_puts(out, str_sub(values[i], 0, EMIT_VALUE_BYTES_MAX));
    }
}

/* Keys are the raw label values, kept in the item so that it can be taken out of the map again. */
static void item_unlink(struct emit_table *t, struct emit_item *it) {
    struct buf key = BUF_INIT;
    struct str name = it->own ? str_from(it->own->name) : STR("");
    make_key(t, name, it->values, &key);
    if (buf_ok(&key))
        map_del(&t->by_key, buf_view(&key));
    buf_deinit(&key);
    t->n_items--;
    item_free(it);
}

void emit_end(struct emit *e) {
    for (struct emit_table *t = e->tables; t; t = t->next) {
        struct emit_item **link = &t->items;
        while (*link) {
            struct emit_item *it = *link;
            for (size_t i = 0; i < it->n_series; i++) {
                struct emit_series *s = &it->series[i];
                if (!s->labels || s->run == e->run)
                    continue;
                batch_row(e->batch, *s->labels, sample_stale(), s->ref, NULL);
                bury(e->batch, s->labels);
                *s = (struct emit_series){0};
            }
            if (it->run == e->run) {
                link = &it->next;
                continue;
            }
            *link = it->next;
            item_unlink(t, it);
        }
    }
}

uint64_t emit_refused(const struct emit *e) {
    uint64_t n = 0;
    for (const struct emit_table *t = e->tables; t; t = t->next)
        n += t->refused;
    return n;
}

struct emit_table *emit_table(struct emit *e, const struct emit_group *g) {
    struct emit_table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->group = g;
    t->emit = e;
    t->next = e->tables;
    e->tables = t;
    return t;
}

static struct str *values_copy(const struct str *values, size_t n) {
    size_t bytes = n * sizeof(struct str);
    for (size_t i = 0; i < n; i++)
        bytes += str_sub(values[i], 0, EMIT_VALUE_BYTES_MAX).n;
    struct str *out = malloc(bytes + 1);
    if (!out)
        return NULL;
    char *p = (char *)(out + n);
    for (size_t i = 0; i < n; i++) {
        struct str v = str_sub(values[i], 0, EMIT_VALUE_BYTES_MAX);
        if (v.n)
            memcpy(p, v.p, v.n);
        out[i] = str_make(p, v.n);
        p += v.n;
    }
    return out;
}

static struct emit_item *item_new(struct emit_table *t, const struct str *values, size_t n_series) {
    struct emit_item *it = calloc(1, sizeof(*it) + n_series * sizeof(it->series[0]));
    if (!it)
        return NULL;
    it->values = values_copy(values, t->group->n_labels);
    if (!it->values) {
        free(it);
        return NULL;
    }
    it->table = t;
    it->n_series = n_series;
    return it;
}

static struct emit_item *item_find(struct emit_table *t, struct str metric,
                                   const struct str *values, struct emit_metric *take_own) {
    struct buf key = BUF_INIT;
    make_key(t, metric, values, &key);
    struct emit_item *it = NULL;
    if (buf_ok(&key))
        it = map_get(&t->by_key, buf_view(&key));
    size_t max = t->group->items_max ? t->group->items_max : EMIT_ITEMS_MAX_DEFAULT;
    if (!it && t->n_items >= max) {
        t->refused++;
    } else if (!it && buf_ok(&key)) {
        it = item_new(t, values, take_own ? 1 : t->group->n_metrics);
        if (it && !map_put(&t->by_key, buf_view(&key), it, NULL)) {
            item_free(it);
            it = NULL;
        }
        if (it) {
            it->own = take_own;
            take_own = NULL;
            it->next = t->items;
            t->items = it;
            t->n_items++;
        }
    }
    free(take_own);
    buf_deinit(&key);
    return it;
}

struct emit_item *emit_item(struct emit_table *t, const struct str *values) {
    return t ? item_find(t, STR(""), values, NULL) : NULL;
}

struct emit_item *emit_named(struct emit_table *t, struct str metric, enum metric_type type,
                             const char *help) {
    if (!t || metric.n == 0 || metric.n > EMIT_VALUE_BYTES_MAX)
        return NULL;
    struct emit_item *it =
        map_get(&t->by_key, metric); /* the key of an item without labels is its name */
    if (it)
        return it;
    struct emit_metric *own = malloc(sizeof(*own) + metric.n + 1);
    if (!own)
        return NULL;
    char *name = (char *)(own + 1);
    memcpy(name, metric.p, metric.n);
    name[metric.n] = '\0';
    *own = (struct emit_metric){name, type, help};
    return item_find(t, metric, NULL, own);
}

void emit_clean(struct buf *out, struct str s, size_t bytes_max) {
    size_t start = out->n;
    while (s.n && out->n - start < bytes_max) {
        unsigned char c = (unsigned char)s.p[0];
        size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (c < 0x20 || c == 0x7f) {
            buf_putc(out, '?');
            len = 1;
        } else if (len <= s.n && str_is_utf8(str_make(s.p, len))) {
            if (out->n - start + len > bytes_max)
                break;
            buf_put(out, s.p, len);
        } else {
            if (out->n - start + 3 > bytes_max)
                break;
            buf_put(out, "\xef\xbf\xbd", 3);
            len = 1;
        }
        s = str_from_offset(s, len);
    }
}

static void tell_meta(struct emit_batch *b, const struct emit_metric *m, bool named) {
    if (!b->meta || map_find(&b->known, str_from(m->name)))
        return;
    if (!map_put(&b->known, str_from(m->name), b, NULL))
        return;
    struct buf help = BUF_INIT;
    buf_putz(&help, m->help);
    if (named) {
        buf_putc(&help, ' ');
        buf_putz(&help, m->name);
        buf_putc(&help, '.');
    }
    struct metric_meta meta = {
        .metric = str_from(m->name), .help = buf_view(&help), .unit = STR(""), .type = m->type};
    if (buf_ok(&help))
        b->meta(b->meta_self, &meta);
    buf_deinit(&help);
}

static bool series_make(struct emit_item *it, size_t metric, struct emit_series *s) {
    const struct emit_group *g = it->table->group;
    struct emit_batch *b = it->table->emit->batch;
    const struct emit_metric *m = it->own ? it->own : &g->metrics[metric];
    struct labels_builder lb = LABELS_BUILDER_INIT;
    struct buf clean[EMIT_LABELS_MAX];
    size_t n = g->n_labels < EMIT_LABELS_MAX ? g->n_labels : EMIT_LABELS_MAX;
    labels_builder_set(&lb, STR(LABEL_NAME), str_from(m->name));
    labels_builder_set(&lb, b->job.name, b->job.value);
    labels_builder_set(&lb, b->instance.name, b->instance.value);
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        clean[i] = BUF_INIT;
        emit_clean(&clean[i], it->values[i], EMIT_VALUE_BYTES_MAX);
        ok = ok && buf_ok(&clean[i]);
        labels_builder_set(&lb, str_from(g->label_names[i]), buf_view(&clean[i]));
    }
    if (ok && !lb.failed)
        s->labels = labels_dup(labels_builder_view(&lb));
    for (size_t i = 0; i < n; i++)
        buf_deinit(&clean[i]);
    labels_builder_deinit(&lb);
    if (!s->labels) {
        b->failed = true;
        return false;
    }
    tell_meta(b, m, it->own != NULL);
    return true;
}

void emit_put(struct emit_item *it, size_t metric, double value) {
    if (!it || metric >= it->n_series)
        return;
    struct emit *e = it->table->emit;
    struct emit_series *s = &it->series[metric];
    if (!s->labels && !series_make(it, metric, s))
        return;
    if (s->labels && s->run == e->run)
        return; /* the same series twice in one run: the first one counts */
    it->run = e->run;
    s->run = e->run;
    batch_row(e->batch, *s->labels, value, s->ref, s);
}
