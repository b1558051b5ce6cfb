/* The part of an answer that grows with the data: written straight into the buffer, a block of
 * points for each check of room. Numbers: base/dtoa.c. Form: Prometheus's util/jsonutil. */
#include "api/api_int.h"

#include "base/dtoa.h"
#include "model/fhist.h"

/* One point: [ts,"value"], of which ts has at most 24 bytes and a value (no exponent from 1e-6 to
 * 1e21) 32. */
enum { POINT_BYTES_MAX = 72, POINTS_A_BLOCK = 512 };

static char *put_u64(char *o, uint64_t v) {
    char tmp[20];
    int i = 20;
    do
        tmp[--i] = (char)('0' + v % 10);
    while (v /= 10);
    memcpy(o, tmp + i, (size_t)(20 - i));
    return o + (20 - i);
}

static char *put_ts(char *o, int64_t ts_ms) {
    uint64_t t = ts_ms < 0 ? 0 - (uint64_t)ts_ms : (uint64_t)ts_ms;
    if (ts_ms < 0)
        *o++ = '-';
    o = put_u64(o, t / 1000);
    unsigned f = (unsigned)(t % 1000);
    if (f) {
        *o++ = '.';
        *o++ = (char)('0' + f / 100);
        *o++ = (char)('0' + f / 10 % 10);
        *o++ = (char)('0' + f % 10);
    }
    return o;
}

static char *put_point(char *o, const struct promql_point *p) {
    *o++ = '[';
    o = put_ts(o, p->ts_ms);
    *o++ = ',';
    *o++ = '"';
    o += dtoa_json(p->value, o);
    *o++ = '"';
    *o++ = ']';
    return o;
}

static void put_floats(struct buf *b, const struct promql_point *p, size_t n) {
    bool first = true;
    for (size_t i = 0; i < n;) {
        size_t block = n - i < POINTS_A_BLOCK ? n - i : POINTS_A_BLOCK;
        if (!buf_reserve(b, block * POINT_BYTES_MAX))
            return;
        char *o = b->p + b->n;
        for (size_t end = i + block; i < end; i++) {
            if (p[i].hist)
                continue;
            if (!first)
                *o++ = ',';
            first = false;
            o = put_point(o, &p[i]);
        }
        b->n = (size_t)(o - b->p);
        b->p[b->n] = 0;
    }
}

/* [ts,{"count":"..","sum":"..","buckets":[[inclusive,"lower","upper","count"],...]}], empty buckets
 * left out; inclusive: 0 upper, 1 lower, 2 neither, 3 both. */
static void put_hist(struct buf *b, const struct promql_point *p) {
    struct arena a = ARENA_INIT_MAX((size_t)16 << 20);
    size_t n, shown = 0;
    const struct fhist_bucket *v = fhist_buckets(&a, p->hist, &n);
    buf_putc(b, '[');
    prom_json_ts(b, p->ts_ms);
    buf_putz(b, ",{\"count\":");
    prom_json_value(b, p->hist->count);
    buf_putz(b, ",\"sum\":");
    prom_json_value(b, p->hist->sum);
    for (size_t i = 0; i < n; i++) {
        if (v[i].count == 0)
            continue;
        buf_putz(b, shown++ ? "," : ",\"buckets\":[");
        buf_printf(b, "[%d,",
                   v[i].lower_inclusive   ? (v[i].upper_inclusive ? 3 : 1)
                   : v[i].upper_inclusive ? 0
                                          : 2);
        prom_json_value(b, v[i].lower);
        buf_putc(b, ',');
        prom_json_value(b, v[i].upper);
        buf_putc(b, ',');
        prom_json_value(b, v[i].count);
        buf_putc(b, ']');
    }
    if (shown)
        buf_putc(b, ']');
    buf_putz(b, "}]");
    arena_deinit(&a);
}

void prom_json_ts(struct buf *b, int64_t ts_ms) {
    char tmp[32];
    buf_put(b, tmp, (size_t)(put_ts(tmp, ts_ms) - tmp));
}

void prom_json_value(struct buf *b, double v) {
    char tmp[DTOA_BYTES_MAX + 2];
    tmp[0] = '"';
    size_t n = dtoa_json(v, tmp + 1);
    tmp[n + 1] = '"';
    buf_put(b, tmp, n + 2);
}

void prom_json_labels(struct buf *b, struct labels ls) {
    buf_putc(b, '{');
    for (uint32_t i = 0; i < ls.n; i++) {
        if (i)
            buf_putc(b, ',');
        jsonw_quote(b, ls.l[i].name);
        buf_putc(b, ':');
        jsonw_quote(b, ls.l[i].value);
    }
    buf_putc(b, '}');
}

static void put_series(struct buf *b, const struct promql_series *s, bool matrix) {
    size_t n_hist = 0;
    for (size_t i = 0; i < s->n; i++)
        n_hist += s->points[i].hist != NULL;
    buf_putz(b, "{\"metric\":");
    prom_json_labels(b, s->labels);
    if (s->n > n_hist) {
        buf_putz(b, matrix ? ",\"values\":[" : ",\"value\":");
        put_floats(b, s->points, matrix ? s->n : 1);
        if (matrix)
            buf_putc(b, ']');
    }
    if (n_hist) {
        size_t shown = 0;
        buf_putz(b, matrix ? ",\"histograms\":[" : ",\"histogram\":");
        for (size_t i = 0; i < s->n && (matrix || shown == 0); i++) {
            if (!s->points[i].hist)
                continue;
            if (shown++)
                buf_putc(b, ',');
            put_hist(b, &s->points[i]);
        }
        if (matrix)
            buf_putc(b, ']');
    }
    buf_putc(b, '}');
}

void prom_json_result(struct buf *b, const struct promql_result *r, size_t limit,
                      bool *out_truncated) {
    static const char *const names[] = {[PROMQL_NONE] = "none",
                                        [PROMQL_SCALAR] = "scalar",
                                        [PROMQL_STRING] = "string",
                                        [PROMQL_VECTOR] = "vector",
                                        [PROMQL_MATRIX] = "matrix"};
    buf_printf(b, "\"resultType\":\"%s\",\"result\":", names[r->type]);
    *out_truncated = false;
    if (r->type == PROMQL_SCALAR) {
        struct promql_point p = {r->ts_ms, r->scalar, NULL};
        put_floats(b, &p, 1);
        return;
    }
    if (r->type == PROMQL_STRING) {
        buf_putc(b, '[');
        prom_json_ts(b, r->ts_ms);
        buf_putc(b, ',');
        jsonw_quote(b, r->string);
        buf_putc(b, ']');
        return;
    }
    size_t n = r->n_series;
    if (limit && n > limit) {
        n = limit;
        *out_truncated = true;
    }
    buf_putc(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_putc(b, ',');
        put_series(b, &r->series[i], r->type == PROMQL_MATRIX);
    }
    buf_putc(b, ']');
}
