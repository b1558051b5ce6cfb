/* /api/v1/labels, label/<name>/values, series, metadata. */
#include "api/api_int.h"

#include "base/stats.h"

#include <stdlib.h>

struct lookup {
    size_t limit;
    int64_t start_ms, end_ms;
    struct prom_selector *sets;
    size_t n_sets;
};

static bool lookup_params(struct api *api, struct http_req *r, struct lookup *l, struct err *err) {
    if (!api->d.reader.ops)
        return err_set(err, ERR_UNAVAILABLE, "the series store is not open yet");
    return prom_limit(r, &l->limit, err) &&
           prom_time_param(r, "start", PROM_TIME_MIN, &l->start_ms, err) &&
           prom_time_param(r, "end", PROM_TIME_MAX, &l->end_ms, err) &&
           prom_selectors(api, r, "match[]", &l->sets, &l->n_sets, err);
}

static int compare_str(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Names (label.n == 0) or values, over the union of all selectors; sorted, unique. */
static bool collect_strings(struct api *api, struct http_req *r, const struct lookup *l,
                            struct str label, struct str_list *out, struct err *err) {
    const struct reader *rd = &api->d.reader;
    struct str *all = NULL;
    size_t n_all = 0, rounds = l->n_sets ? l->n_sets : 1;
    for (size_t i = 0; i < rounds; i++) {
        struct reader_query q = {
            .start_ms = l->start_ms, .end_ms = l->end_ms, .canceled = &r->canceled};
        if (l->n_sets) {
            q.matchers = l->sets[i].m;
            q.n_matchers = l->sets[i].n;
        }
        /* One more than asked for tells whether something was left out. */
        size_t limit = l->limit ? l->limit + 1 : 0;
        struct str_list one = {0};
        bool ok = label.n ? rd->ops->label_values(rd->self, label, &q, limit, r->arena, &one, err)
                          : rd->ops->label_names(rd->self, &q, limit, r->arena, &one, err);
        if (!ok)
            return false;
        if (rounds == 1) {
            *out = one;
            return true;
        }
        struct str *grown =
            arena_grow(r->arena, all, n_all * sizeof(*all), (n_all + one.n) * sizeof(*all));
        if (!grown)
            return arena_err(r->arena, err);
        all = grown;
        if (one.n)
            memcpy(all + n_all, one.v, one.n * sizeof(*all));
        n_all += one.n;
    }
    if (n_all)
        qsort(all, n_all, sizeof(*all), compare_str);
    size_t n = 0;
    for (size_t i = 0; i < n_all; i++)
        if (n == 0 || !str_eq(all[i], all[n - 1]))
            all[n++] = all[i];
    *out = (struct str_list){all, n};
    return true;
}

static void put_list(struct http_req *r, struct http_res *res, const struct str_list *list,
                     size_t limit) {
    bool truncated = limit && list->n > limit;
    size_t n = truncated ? limit : list->n;
    prom_begin(r, res);
    buf_putc(&res->body, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_putc(&res->body, ',');
        jsonw_quote(&res->body, list->v[i]);
    }
    buf_putc(&res->body, ']');
    prom_end(res, &(struct prom_extra){.warning = truncated ? PROM_TRUNCATED : NULL});
}

void prom_labels(void *self, struct http_req *r, struct http_res *res) {
    struct err err = {0};
    struct lookup l = {0};
    struct str_list list = {0};
    if (lookup_params(self, r, &l, &err) && collect_strings(self, r, &l, STR(""), &list, &err))
        put_list(r, res, &list, l.limit);
    else
        prom_fail(r, res, &err);
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void put_rune(struct buf *b, uint32_t c) {
    if (c < 0x80) {
        buf_putc(b, (char)c);
    } else if (c < 0x800) {
        buf_putc(b, (char)(0xc0 | c >> 6));
        buf_putc(b, (char)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        buf_putc(b, (char)(0xe0 | c >> 12));
        buf_putc(b, (char)(0x80 | (c >> 6 & 63)));
        buf_putc(b, (char)(0x80 | (c & 63)));
    } else {
        buf_putc(b, (char)(0xf0 | c >> 18));
        buf_putc(b, (char)(0x80 | (c >> 12 & 63)));
        buf_putc(b, (char)(0x80 | (c >> 6 & 63)));
        buf_putc(b, (char)(0x80 | (c & 63)));
    }
}

/* U__http_2e_status -> http.status: the escaping for names in URLs (Prometheus, "UTF-8 in
 * Prometheus"). What is not of that form is taken as it is. */
static struct str unescape_name(struct http_req *r, struct str s) {
    if (!str_starts(s, STR("U__")))
        return s;
    struct buf b = BUF_INIT;
    bool ok = true;
    for (size_t i = 3; ok && i < s.n; i++) {
        if (s.p[i] != '_') {
            buf_putc(&b, s.p[i]);
            continue;
        }
        i++;
        if (i < s.n && s.p[i] == '_') {
            buf_putc(&b, '_');
            continue;
        }
        uint32_t c = 0;
        size_t digits = 0;
        for (; i < s.n && s.p[i] != '_' && digits <= 6; i++, digits++) {
            int d = hex_digit(s.p[i]);
            ok = ok && d >= 0;
            c = c << 4 | (uint32_t)(d & 15);
        }
        ok = ok && i < s.n && digits > 0 && digits <= 6 && c <= 0x10ffff;
        if (ok)
            put_rune(&b, c);
    }
    struct str out = ok ? arena_str(r->arena, buf_view(&b)) : s;
    buf_deinit(&b);
    return out.p ? out : s;
}

void prom_label_values(void *self, struct http_req *r, struct http_res *res) {
    struct err err = {0};
    struct lookup l = {0};
    struct str_list list = {0};
    struct str name = unescape_name(r, http_req_path_part(r, 0));
    if (name.n == 0 || !str_is_utf8(name))
        (void)err_set(&err, ERR_BAD_INPUT, "invalid label name: %.*s",
                      STR_FMT(prom_quoted(r, name)));
    else if (lookup_params(self, r, &l, &err) && collect_strings(self, r, &l, name, &list, &err)) {
        put_list(r, res, &list, l.limit);
        return;
    }
    prom_fail(r, res, &err);
}

/* ---- series ---- */

static int compare_labels(const void *a, const void *b) {
    return labels_cmp(*(const struct labels *)a, *(const struct labels *)b);
}

/* Labels of all that match one selector; they live in *out_set. */
static bool select_one(struct api *api, struct http_req *r, const struct lookup *l, size_t i,
                       struct reader_set **out_set, struct err *err) {
    const struct reader *rd = &api->d.reader;
    struct reader_query q = {.matchers = l->sets[i].m,
                             .n_matchers = l->sets[i].n,
                             .start_ms = l->start_ms,
                             .end_ms = l->end_ms,
                             .canceled = &r->canceled};
    return rd->ops->select(rd->self, &q, out_set, err);
}

static void put_series(struct http_req *r, struct http_res *res, const struct labels *v, size_t n,
                       size_t limit) {
    bool truncated = limit && n > limit;
    prom_begin(r, res);
    buf_putc(&res->body, '[');
    for (size_t i = 0; i < (truncated ? limit : n); i++) {
        if (i)
            buf_putc(&res->body, ',');
        prom_json_labels(&res->body, v[i]);
    }
    buf_putc(&res->body, ']');
    prom_end(res, &(struct prom_extra){.warning = truncated ? PROM_TRUNCATED : NULL});
}

static bool series(struct api *api, struct http_req *r, struct http_res *res, struct err *err) {
    struct str first;
    struct lookup l = {0};
    if (!http_req_param(r, "match[]", 0, &first))
        return err_set(err, ERR_BAD_INPUT, "no match[] parameter provided");
    if (!lookup_params(api, r, &l, err))
        return false;
    struct reader_set **sets = ARENA_ARRAY(r->arena, struct reader_set *, l.n_sets);
    if (!sets)
        return arena_err(r->arena, err);
    size_t total = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < l.n_sets; i++) {
        ok = select_one(api, r, &l, i, &sets[i], err);
        total += ok ? sets[i]->count : 0;
    }
    struct labels *v = ok ? ARENA_ARRAY(r->arena, struct labels, total ? total : 1) : NULL;
    if (ok && !v)
        ok = arena_err(r->arena, err);
    if (ok) {
        size_t n = 0, unique = 0;
        for (size_t i = 0; i < l.n_sets; i++)
            for (size_t k = 0; k < sets[i]->count; k++)
                v[n++] = sets[i]->ops->labels(sets[i], k);
        if (l.n_sets > 1)
            qsort(v, n, sizeof(*v), compare_labels);
        for (size_t i = 0; i < n; i++)
            if (unique == 0 || !labels_eq(v[i], v[unique - 1]))
                v[unique++] = v[i];
        put_series(r, res, v, unique, l.limit);
    }
    for (size_t i = 0; i < l.n_sets; i++)
        reader_set_free(sets[i]);
    return ok;
}

void prom_series(void *self, struct http_req *r, struct http_res *res) {
    struct err err = {0};
    if (!series(self, r, res, &err))
        prom_fail(r, res, &err);
}

/* ---- metadata ---- */

static bool number_param(struct http_req *r, const char *name, int64_t *out, struct err *err) {
    struct str s = prom_param(r, name);
    *out = -1;
    return s.n == 0 || str_to_i64(s, out) ||
           err_set(err, ERR_BAD_INPUT, "%s must be a number", name);
}

void prom_metadata(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct err err = {0};
    int64_t limit, per_metric;
    struct metric_meta *m = NULL;
    size_t n = 0;
    bool ok = number_param(r, "limit", &limit, &err) &&
              number_param(r, "limit_per_metric", &per_metric, &err);
    if (ok && !api->d.series)
        ok = err_set(&err, ERR_UNAVAILABLE, "the series store is not open yet");
    ok = ok &&
         (limit == 0 || series_get_meta(api->d.series, prom_param(r, "metric"),
                                        limit > 0 ? (size_t)limit : 0, r->arena, &m, &n, &err));
    if (!ok) {
        prom_fail(r, res, &err);
        return;
    }
    prom_begin(r, res);
    struct jsonw w = JSONW_INIT(&res->body);
    jsonw_object(&w);
    for (size_t i = 0; i < n; i++) {
        jsonw_key_str(&w, m[i].metric);
        jsonw_array(&w);
        jsonw_object(&w);
        jsonw_kz(&w, "type", metric_type_name(m[i].type));
        jsonw_kstr(&w, "help", m[i].help);
        jsonw_kstr(&w, "unit", m[i].unit);
        jsonw_end(&w);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    prom_end(res, NULL);
}
