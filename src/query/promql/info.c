/* info(): adds labels of info metrics (target_info, or what the second argument selects) to series
 * that share their identifying labels, instance and job. Of several info series for one target the
 * newest counts. */
#include "query/promql/eval.h"

static const struct str identifying[] = {{"instance", 8}, {"job", 3}};
enum { N_IDENTIFYING = 2, METRICS_MAX = 64 };

struct info {
    struct pq_ev *ev;
    const struct pq_grid *g;
    struct pq_matrix base, infos; /* infos: columns of sample times */
    const struct matcher *select; /* the second argument's matchers */
    size_t n_select;
    struct matcher *data; /* those of them that are not about the name */
    size_t n_data;
    bool *ignored;                   /* per base series: is an info series itself */
    struct str metrics[METRICS_MAX]; /* names among infos */
    size_t n_metrics;
    struct pq_index sigs; /* name, instance, job -> number */
    uint32_t *info_sig;   /* per info series */
    uint32_t *chosen;     /* [sig * steps + step]: info series + 1 */
    struct pq_out out;
};

static bool split_matchers(struct info *q, const struct promql_expr *e) {
    if (e->u.call.n_args > 1) {
        const struct promql_expr *s = pq_unparen(e->u.call.args[1]);
        q->select = s->u.selector.matchers;
        q->n_select = s->u.selector.n_matchers;
    }
    q->data = ARENA_ARRAY(q->ev->arena, struct matcher, q->n_select);
    if (!q->data)
        return pq_no_memory(q->ev);
    for (size_t i = 0; i < q->n_select; i++)
        if (!str_eq(q->select[i].name, STR(LABEL_NAME)))
            q->data[q->n_data++] = q->select[i];
    return true;
}

static bool is_info_name(const struct info *q, const struct promql_expr *e, struct str name) {
    if (e->u.call.n_args < 2)
        return str_eq(name, STR("target_info"));
    for (size_t i = 0; i < q->n_select; i++)
        if (str_eq(q->select[i].name, STR(LABEL_NAME)) && matcher_matches(&q->select[i], name))
            return true;
    return false;
}

/* A matcher for all values of one identifying label among the series to be enriched; *any: there
 * are some. */
static bool identity_matcher(struct info *q, struct str name, struct matcher *out, bool *any) {
    struct buf b = BUF_INIT_MAX(REGEX_PATTERN_BYTES_MAX);
    struct str last = {NULL, 0};
    for (size_t k = 0; k < q->base.n; k++) {
        struct str v = labels_get(q->base.s[k].labels, name);
        if (q->ignored[k] || v.n == 0 || str_eq(v, last))
            continue;
        if (b.n)
            buf_putc(&b, '|');
        for (size_t i = 0; i < v.n; i++) {
            if (memchr("\\.+*?()|[]{}^$", v.p[i], 14))
                buf_putc(&b, '\\');
            buf_putc(&b, v.p[i]);
        }
        last = v;
    }
    *any = b.n > 0;
    bool ok = buf_ok(&b) ||
              pq_failf(q->ev, "info() over too many different values of %.*s", STR_FMT(name));
    if (ok && *any) {
        struct regex *re = regex_new(buf_view(&b), true, q->ev->err);
        ok = re != NULL;
        if (re && !arena_on_free(q->ev->arena, (void (*)(void *))regex_free, re)) {
            regex_free(re);
            ok = pq_no_memory(q->ev);
        }
        *out = (struct matcher){.type = MATCH_RE,
                                .name = name,
                                .value = arena_str(q->ev->arena, buf_view(&b)),
                                .re = re};
    }
    buf_deinit(&b);
    return ok;
}

static bool fetch(struct info *q) {
    size_t n = 0;
    bool named = false, found = false;
    struct matcher *m = ARENA_ARRAY(q->ev->arena, struct matcher, q->n_select + N_IDENTIFYING + 1);
    struct promql_expr *s = ARENA_NEW(q->ev->arena, struct promql_expr);
    if (!m || !s)
        return pq_no_memory(q->ev);
    for (size_t i = 0; i < N_IDENTIFYING; i++) {
        bool any;
        if (!identity_matcher(q, identifying[i], &m[n], &any))
            return false;
        n += any;
        found |= any;
    }
    if (!found)
        return true;
    for (size_t i = 0; i < q->n_select; i++) {
        named |= str_eq(q->select[i].name, STR(LABEL_NAME));
        m[n++] = q->select[i];
    }
    if (!named)
        m[n++] = (struct matcher){
            .type = MATCH_EQ, .name = STR(LABEL_NAME), .value = STR("target_info")};
    s->kind = PQ_SELECTOR;
    s->u.selector.matchers = m;
    s->u.selector.n_matchers = n;
    return pq_select_timestamps(q->ev, q->g, s, true, &q->infos);
}

/* The number of (name, instance, job); UINT32_MAX: none yet, or no memory. */
static uint32_t signature(struct info *q, struct str metric, struct labels ls, bool add) {
    struct label tmp[N_IDENTIFYING + 1] = {{STR(LABEL_NAME), metric}};
    uint32_t n = 1;
    bool added;
    for (size_t i = 0; i < N_IDENTIFYING; i++) {
        struct str v = labels_get(ls, identifying[i]);
        if (v.n)
            tmp[n++] = (struct label){identifying[i], v};
    }
    uint32_t at = pq_index_find(&q->sigs, (struct labels){tmp, n});
    if (at != UINT32_MAX || !add)
        return at;
    struct label *kept = arena_alloc(q->ev->arena, n * sizeof(*kept));
    if (!kept) {
        pq_no_memory(q->ev);
        return UINT32_MAX;
    }
    memcpy(kept, tmp, n * sizeof(*kept));
    return pq_index_put(q->ev, &q->sigs, (struct labels){kept, n}, &added);
}

static bool sign_infos(struct info *q) {
    q->info_sig = ARENA_ARRAY(q->ev->arena, uint32_t, q->infos.n);
    if (!q->info_sig)
        return pq_no_memory(q->ev);
    for (size_t k = 0; k < q->infos.n; k++) {
        struct str name = labels_name(q->infos.s[k].labels);
        size_t i = 0;
        while (i < q->n_metrics && !str_eq(q->metrics[i], name))
            i++;
        if (i == METRICS_MAX)
            return pq_failf(q->ev, "info() selects more than %d info metrics", METRICS_MAX);
        if (i == q->n_metrics)
            q->metrics[q->n_metrics++] = name;
        q->info_sig[k] = signature(q, name, q->infos.s[k].labels, true);
        if (q->info_sig[k] == UINT32_MAX)
            return false;
    }
    return true;
}

static bool duplicate(struct info *q, uint32_t a, uint32_t b, size_t step) {
    struct buf la = BUF_INIT, lb = BUF_INIT;
    labels_format(&la, q->infos.s[a].labels);
    labels_format(&lb, q->infos.s[b].labels);
    long long at = (long long)(q->infos.s[a].v[step] * 1000);
    pq_failf(q->ev, "found duplicate series for info metric: existing %.*s @ %lld, new %.*s @ %lld",
             STR_FMT(buf_view(&la)), at, STR_FMT(buf_view(&lb)), at);
    buf_deinit(&la);
    buf_deinit(&lb);
    return false;
}

static bool choose(struct info *q) {
    q->chosen = arena_array(q->ev->arena, (size_t)q->sigs.n + 1, q->g->n * sizeof(*q->chosen));
    if (!q->chosen)
        return pq_no_memory(q->ev);
    for (size_t i = 0; i < q->g->n; i++) {
        bool any = false;
        for (size_t k = 0; k < q->base.n && !any; k++)
            any = !pq_absent(q->base.s[k].v[i]);
        for (uint32_t k = 0; any && k < q->infos.n; k++) {
            if (pq_absent(q->infos.s[k].v[i]))
                continue;
            uint32_t *c = &q->chosen[(size_t)q->info_sig[k] * q->g->n + i];
            if (*c && q->infos.s[*c - 1].v[i] == q->infos.s[k].v[i])
                return duplicate(q, *c - 1, k, i);
            if (!*c || q->infos.s[*c - 1].v[i] < q->infos.s[k].v[i])
                *c = k + 1;
        }
    }
    return true;
}

static bool is_wanted(const struct info *q, struct str name) {
    for (size_t i = 0; i < q->n_data; i++)
        if (str_eq(q->data[i].name, name))
            return true;
    return q->n_data == 0;
}

static bool add_labels(struct info *q, struct labels base, struct labels info,
                       struct labels_builder *b) {
    for (uint32_t i = 0; i < info.n; i++) {
        struct str name = info.l[i].name, there;
        if (str_eq(name, STR(LABEL_NAME)) || !is_wanted(q, name))
            continue;
        there = labels_builder_get(b, name);
        if (there.n && !str_eq(there, info.l[i].value))
            return pq_failf(q->ev, "conflicting label: %.*s", STR_FMT(name));
        if (labels_get(base, name).n == 0)
            labels_builder_set(b, name, info.l[i].value);
    }
    return true;
}

/* The output series for what was chosen at a step; UINT32_MAX in *out: the series is left out. */
static bool enrich(struct info *q, const struct pq_series *s, const uint32_t *picked,
                   uint32_t *out) {
    struct labels_builder b = LABELS_BUILDER_INIT, whole = LABELS_BUILDER_INIT;
    bool ok = true, left_out = false;
    struct labels ls = s->labels;
    for (size_t m = 0; m < q->n_metrics && ok; m++)
        if (picked[m])
            ok = add_labels(q, s->labels, q->infos.s[picked[m] - 1].labels, &b);
    for (size_t i = 0; b.n == 0 && i < q->n_data; i++)
        left_out |= !matcher_matches(&q->data[i], (struct str){NULL, 0});
    *out = UINT32_MAX;
    if (ok && !left_out) {
        labels_builder_reset(&whole, s->labels);
        for (uint32_t i = 0; i < b.n; i++)
            labels_builder_set(&whole, b.l[i].name, b.l[i].value);
        if (b.n)
            ok = (!whole.failed && labels_copy(q->ev->arena, labels_builder_view(&whole), &ls)) ||
                 pq_no_memory(q->ev);
        ok = ok && pq_out_series(q->ev, q->g, &q->out, ls, false, out);
    }
    labels_builder_deinit(&b);
    labels_builder_deinit(&whole);
    return ok;
}

static bool combine(struct info *q, size_t k) {
    const struct pq_series *s = &q->base.s[k];
    uint32_t sigs[METRICS_MAX], picked[METRICS_MAX], last[METRICS_MAX] = {0}, series = UINT32_MAX;
    bool any = false;
    for (size_t m = 0; m < q->n_metrics; m++)
        sigs[m] = q->ignored[k] ? UINT32_MAX : signature(q, q->metrics[m], s->labels, false);
    for (size_t i = 0; i < q->g->n; i++) {
        if (pq_absent(s->v[i]))
            continue;
        for (size_t m = 0; m < q->n_metrics; m++)
            picked[m] = sigs[m] == UINT32_MAX ? 0 : q->chosen[(size_t)sigs[m] * q->g->n + i];
        if (q->ignored[k] && !any) {
            if (!pq_out_series(q->ev, q->g, &q->out, s->labels, false, &series))
                return false;
        } else if (!q->ignored[k] &&
                   (!any || memcmp(picked, last, q->n_metrics * sizeof(*picked)) != 0)) {
            if (!enrich(q, s, picked, &series))
                return false;
            memcpy(last, picked, q->n_metrics * sizeof(*picked));
        }
        any = true;
        if (series != UINT32_MAX &&
            !pq_out_put(q->ev, q->g, &q->out, series, i, s->v[i], s->hist ? s->hist[i] : NULL))
            return false;
    }
    return true;
}

bool pq_info_call(struct pq_ev *ev, const struct pq_grid *g, const struct promql_expr *e,
                  struct pq_matrix *out) {
    struct info q = {.ev = ev, .g = g};
    if (!pq_eval(ev, g, e->u.call.args[0], &q.base) || !split_matchers(&q, e))
        return false;
    q.ignored = ARENA_ARRAY(ev->arena, bool, q.base.n);
    if (!q.ignored)
        return pq_no_memory(ev);
    for (size_t k = 0; k < q.base.n; k++)
        q.ignored[k] = is_info_name(&q, e, labels_name(q.base.s[k].labels));
    if (!fetch(&q) || !sign_infos(&q) || !choose(&q))
        return false;
    for (size_t k = 0; k < q.base.n; k++)
        if (!pq_tick(ev) || !combine(&q, k))
            return false;
    *out = q.out.m;
    return true;
}
