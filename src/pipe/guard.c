#include "pipe/guard.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/map.h"
#include "os/thread.h"

#include <stdlib.h>

enum {
    SKETCH_BYTES =
        256, /* ranks labels up to some thousands of values; more look alike, all culprits */
    SKETCH_LABELS_MAX = 32
};

struct sketch {
    struct str label; /* owned */
    uint8_t bits[SKETCH_BYTES];
};

struct metric {
    uint32_t series;
    uint64_t refused;
    int64_t last_ms;
    struct sketch *sketches;
    size_t n_sketches;
};

struct source {
    uint32_t series;
    uint64_t refused, refused_samples, epoch;
    int64_t last_ms;
    struct str last_metric; /* owned: the one that met the source's limit last */
    struct map metrics;
};

struct guard {
    struct mutex lock;
    struct guard_options opt;
    struct map sources;
};

struct guard *guard_new(const struct guard_options *opt, struct err *err) {
    struct guard *g = calloc(1, sizeof(*g));
    if (!g) {
        err_set(err, ERR_INTERNAL, "no memory for the cardinality guard");
        return NULL;
    }
    g->opt = *opt;
    if (!g->opt.series_per_source_max)
        g->opt.series_per_source_max = LIMIT_SERIES_PER_SOURCE;
    if (!g->opt.series_per_metric_max)
        g->opt.series_per_metric_max = LIMIT_SERIES_PER_METRIC_AND_SOURCE;
    mutex_init(&g->lock);
    return g;
}

static void free_str(struct str s) {
    union {
        const char *from;
        char *to;
    } u = {.from = s.p};
    free(u.to);
}

static struct str dup_str(struct str s) {
    char *p = malloc(s.n + 1);
    if (!p)
        return (struct str){NULL, 0};
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return str_make(p, s.n);
}

static void metric_free(struct metric *m) {
    for (size_t i = 0; i < m->n_sketches; i++)
        free_str(m->sketches[i].label);
    free(m->sketches);
    free(m);
}

static void source_free(struct source *s) {
    for (struct map_entry *e = map_next(&s->metrics, NULL); e; e = map_next(&s->metrics, e))
        metric_free(e->value);
    map_deinit(&s->metrics);
    free_str(s->last_metric);
    free(s);
}

void guard_free(struct guard *g) {
    if (!g)
        return;
    for (struct map_entry *e = map_next(&g->sources, NULL); e; e = map_next(&g->sources, e))
        source_free(e->value);
    map_deinit(&g->sources);
    mutex_deinit(&g->lock);
    free(g);
}

static void *get_or_make(struct map *m, struct str key, size_t size) {
    void *v = map_get(m, key);
    if (v)
        return v;
    v = calloc(1, size);
    if (v && !map_put(m, key, v, NULL)) {
        free(v);
        v = NULL;
    }
    return v;
}

static struct sketch *sketch_of(struct metric *m, struct str label) {
    for (size_t i = 0; i < m->n_sketches; i++)
        if (str_eq(m->sketches[i].label, label))
            return &m->sketches[i];
    if (m->n_sketches == SKETCH_LABELS_MAX)
        return NULL;
    struct sketch *v = realloc(m->sketches, (m->n_sketches + 1) * sizeof(*v));
    if (!v)
        return NULL;
    m->sketches = v;
    v += m->n_sketches;
    *v = (struct sketch){.label = dup_str(label)};
    if (!v->label.p)
        return NULL;
    m->n_sketches++;
    return v;
}

static void sketch_labels(struct metric *m, struct labels ls) {
    for (uint32_t i = 0; i < ls.n; i++) {
        if (str_eqz(ls.l[i].name, LABEL_NAME))
            continue;
        struct sketch *s = sketch_of(m, ls.l[i].name);
        uint64_t h = hash_str(ls.l[i].value) % (SKETCH_BYTES * 8);
        if (s)
            s->bits[h / 8] |= (uint8_t)(1u << (h % 8));
    }
}

static struct str widest_label(const struct metric *m) {
    struct str best = {NULL, 0};
    int most = 1; /* a label with one value is nobody's culprit */
    for (size_t i = 0; i < m->n_sketches; i++) {
        int n = 0;
        for (size_t k = 0; k < SKETCH_BYTES; k++)
            n += __builtin_popcount(m->sketches[i].bits[k]);
        if (n > most) {
            most = n;
            best = m->sketches[i].label;
        }
    }
    return best;
}

static bool refuse(struct guard *g, struct source *s, struct metric *m, bool by_metric,
                   struct str source, struct str name, struct err *err) {
    int64_t now = clock_wall_ms(g->opt.clock);
    s->refused_samples++;
    struct str label = widest_label(m);
    uint32_t max = by_metric ? g->opt.series_per_metric_max : g->opt.series_per_source_max;
    if (by_metric) {
        m->refused++;
        m->last_ms = now;
    } else {
        s->refused++;
        s->last_ms = now;
        free_str(s->last_metric);
        s->last_metric = dup_str(name);
    }
    return err_set(err, ERR_LIMITED,
                   "%.*s has reached its limit of %u series%s%.*s: new ones are refused, known "
                   "ones go on. Label with the "
                   "most values: %.*s. Drop it with metric_relabel_configs, or raise the limit",
                   (int)(source.n > 120 ? 120 : source.n), source.p, max,
                   by_metric ? " of metric " : "; now asked for metric ",
                   (int)(name.n > 100 ? 100 : name.n), name.p ? name.p : "",
                   label.n ? (int)(label.n > 64 ? 64 : label.n) : 4, label.n ? label.p : "none");
}

bool guard_admit(struct guard *g, struct str source, struct labels ls, struct err *err) {
    struct str name = labels_name(ls);
    mutex_lock(&g->lock);
    struct source *s = get_or_make(&g->sources, source, sizeof(*s));
    bool full = s && s->series >= g->opt.series_per_source_max;
    struct metric *m = !s     ? NULL
                       : full ? map_get(&s->metrics, name)
                              : get_or_make(&s->metrics, name, sizeof(*m));
    struct metric unknown = {.series = 0};
    bool ok;
    if (full && !m) { /* a flood of metric names leaves nothing behind */
        ok = refuse(g, s, &unknown, false, source, name, err);
    } else if (!m) {
        ok = err_set(err, ERR_INTERNAL, "no memory for the cardinality guard");
    } else {
        if (m->series >= g->opt.series_per_metric_max / 8 ||
            s->series >= g->opt.series_per_source_max)
            sketch_labels(m, ls);
        if (m->series >= g->opt.series_per_metric_max)
            ok = refuse(g, s, m, true, source, name, err);
        else if (s->series >= g->opt.series_per_source_max)
            ok = refuse(g, s, m, false, source, name, err);
        else
            ok = true;
        if (ok) {
            m->series++;
            s->series++;
        }
    }
    mutex_unlock(&g->lock);
    return ok;
}

void guard_release(struct guard *g, struct str source, struct labels ls) {
    mutex_lock(&g->lock);
    struct source *s = map_get(&g->sources, source);
    struct str name = labels_name(ls);
    struct metric *m = s ? map_get(&s->metrics, name) : NULL;
    if (m && m->series) {
        m->series--;
        s->series--;
        s->epoch++;
        if (!m->series && !m->refused) {
            map_del(&s->metrics, name);
            metric_free(m);
        }
        if (!s->series && !s->refused && s->metrics.n_live == 0) {
            map_del(&g->sources, source);
            source_free(s);
        }
    }
    mutex_unlock(&g->lock);
}

void guard_count_refused(struct guard *g, struct str source, uint64_t samples) {
    mutex_lock(&g->lock);
    struct source *s = map_get(&g->sources, source);
    if (s)
        s->refused_samples += samples;
    mutex_unlock(&g->lock);
}

uint64_t guard_epoch(struct guard *g, struct str source) {
    mutex_lock(&g->lock);
    const struct source *s = map_get(&g->sources, source);
    uint64_t e = s ? s->epoch : 0;
    mutex_unlock(&g->lock);
    return e;
}

static size_t count_hits(const struct guard *g) {
    size_t n = 0;
    for (struct map_entry *e = map_next(&g->sources, NULL); e; e = map_next(&g->sources, e)) {
        const struct source *s = e->value;
        n += s->refused != 0;
        for (struct map_entry *k = map_next(&s->metrics, NULL); k; k = map_next(&s->metrics, k))
            n += ((const struct metric *)k->value)->refused != 0;
    }
    return n;
}

static void list_hits(const struct guard *g, struct arena *a, struct guard_hit *v) {
    size_t n = 0;
    for (struct map_entry *e = map_next(&g->sources, NULL); e; e = map_next(&g->sources, e)) {
        const struct source *s = e->value;
        struct str source = arena_str(a, e->key);
        if (s->refused) {
            const struct metric *m = map_get(&s->metrics, s->last_metric);
            v[n++] = (struct guard_hit){.source = source,
                                        .metric = arena_str(a, s->last_metric),
                                        .label = m ? arena_str(a, widest_label(m))
                                                   : (struct str){NULL, 0},
                                        .limit = GUARD_LIMIT_SOURCE,
                                        .series_max = g->opt.series_per_source_max,
                                        .series = s->series,
                                        .refused_series = s->refused,
                                        .refused_samples = s->refused_samples,
                                        .last_ms = s->last_ms};
        }
        for (struct map_entry *k = map_next(&s->metrics, NULL); k; k = map_next(&s->metrics, k)) {
            const struct metric *m = k->value;
            if (m->refused)
                v[n++] = (struct guard_hit){.source = source,
                                            .metric = arena_str(a, k->key),
                                            .label = arena_str(a, widest_label(m)),
                                            .limit = GUARD_LIMIT_METRIC,
                                            .series_max = g->opt.series_per_metric_max,
                                            .series = m->series,
                                            .refused_series = m->refused,
                                            .refused_samples = m->refused,
                                            .last_ms = m->last_ms};
        }
    }
}

bool guard_hits(struct guard *g, struct arena *a, struct guard_hit **out, size_t *out_n,
                struct err *err) {
    mutex_lock(&g->lock);
    size_t n = count_hits(g);
    struct guard_hit *v = ARENA_ARRAY(a, struct guard_hit, n + 1);
    if (v)
        list_hits(g, a, v);
    mutex_unlock(&g->lock);
    if (a->failed)
        return arena_err(a, err);
    *out = v;
    *out_n = n;
    return true;
}
