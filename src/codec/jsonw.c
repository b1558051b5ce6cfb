#include "codec/jsonw.h"

#include "base/timev.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

static void before_value(struct jsonw *w) {
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth == 0)
        return;
    uint64_t bit = UINT64_C(1) << (w->depth - 1);
    assert(!(w->is_object & bit)); /* a value in an object needs its key first */
    if (w->has_item & bit)
        buf_putc(w->out, ',');
    w->has_item |= bit;
}

static void open_container(struct jsonw *w, bool object) {
    before_value(w);
    assert(w->depth < JSONW_DEPTH_MAX);
    uint64_t bit = UINT64_C(1) << w->depth++;
    w->has_item &= ~bit;
    w->is_object = object ? w->is_object | bit : w->is_object & ~bit;
    buf_putc(w->out, object ? '{' : '[');
}

void jsonw_object(struct jsonw *w) {
    open_container(w, true);
}
void jsonw_array(struct jsonw *w) {
    open_container(w, false);
}

void jsonw_end(struct jsonw *w) {
    assert(w->depth > 0 && !w->after_key);
    uint64_t bit = UINT64_C(1) << --w->depth;
    buf_putc(w->out, w->is_object & bit ? '}' : ']');
}

/* Length of the UTF-8 sequence at p, 0 when it is not one. */
static size_t utf8_length(const unsigned char *p, size_t left) {
    size_t n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    if (*p < 0xc2 || *p > 0xf4 || left < n || !str_is_utf8(str_make((const char *)p, n)))
        return 0;
    return n;
}

static void escape_control(struct buf *out, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"':
        buf_put(out, "\\\"", 2);
        return;
    case '\\':
        buf_put(out, "\\\\", 2);
        return;
    case '\n':
        buf_put(out, "\\n", 2);
        return;
    case '\r':
        buf_put(out, "\\r", 2);
        return;
    case '\t':
        buf_put(out, "\\t", 2);
        return;
    default: {
        char u[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        buf_put(out, u, sizeof(u));
    }
    }
}

void jsonw_quote(struct buf *out, struct str s) {
    const unsigned char *p = (const unsigned char *)s.p;
    size_t from = 0, i = 0;
    buf_putc(out, '"');
    while (i < s.n) {
        unsigned char c = p[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c < 0x7f) {
            i++;
            continue;
        }
        size_t n = c >= 0x80 ? utf8_length(p + i, s.n - i) : 0;
        if (n) {
            i += n;
            continue;
        }
        if (i > from)
            buf_put(out, s.p + from, i - from);
        if (c >= 0x80)
            buf_put(out, "\xef\xbf\xbd", 3);
        else
            escape_control(out, c);
        from = ++i;
    }
    if (i > from)
        buf_put(out, s.p + from, i - from);
    buf_putc(out, '"');
}

void jsonw_key_str(struct jsonw *w, struct str key) {
    uint64_t bit = w->depth ? UINT64_C(1) << (w->depth - 1) : 0;
    assert(w->depth && (w->is_object & bit) && !w->after_key);
    if (w->has_item & bit)
        buf_putc(w->out, ',');
    w->has_item |= bit;
    jsonw_quote(w->out, key);
    buf_putc(w->out, ':');
    w->after_key = true;
}

void jsonw_key(struct jsonw *w, const char *key) {
    jsonw_key_str(w, str_from(key));
}

void jsonw_str(struct jsonw *w, struct str s) {
    before_value(w);
    jsonw_quote(w->out, s);
}

void jsonw_z(struct jsonw *w, const char *z) {
    if (z)
        jsonw_str(w, str_from(z));
    else
        jsonw_null(w);
}

void jsonw_printf(struct jsonw *w, const char *fmt, ...) {
    char tmp[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof(tmp) ? (size_t)n : sizeof(tmp) - 1;
    jsonw_str(w, str_make(tmp, len));
}

void jsonw_i64(struct jsonw *w, int64_t v) {
    before_value(w);
    buf_i64(w->out, v);
}

void jsonw_u64(struct jsonw *w, uint64_t v) {
    before_value(w);
    buf_u64(w->out, v);
}

void jsonw_f64(struct jsonw *w, double v) {
    before_value(w);
    if (isfinite(v))
        buf_f64_g(w->out, v);
    else
        buf_put(w->out, "null", 4);
}

void jsonw_bool(struct jsonw *w, bool v) {
    before_value(w);
    buf_putz(w->out, v ? "true" : "false");
}

void jsonw_null(struct jsonw *w) {
    before_value(w);
    buf_put(w->out, "null", 4);
}

void jsonw_raw(struct jsonw *w, struct str json) {
    before_value(w);
    buf_puts(w->out, json);
}

void jsonw_time(struct jsonw *w, int64_t ts_ms) {
    before_value(w);
    buf_putc(w->out, '"');
    time_format_rfc3339(w->out, ts_ms);
    buf_putc(w->out, '"');
}

void jsonw_kstr(struct jsonw *w, const char *key, struct str s) {
    jsonw_key(w, key);
    jsonw_str(w, s);
}

void jsonw_kz(struct jsonw *w, const char *key, const char *z) {
    jsonw_key(w, key);
    jsonw_z(w, z);
}

void jsonw_ki64(struct jsonw *w, const char *key, int64_t v) {
    jsonw_key(w, key);
    jsonw_i64(w, v);
}

void jsonw_ku64(struct jsonw *w, const char *key, uint64_t v) {
    jsonw_key(w, key);
    jsonw_u64(w, v);
}

void jsonw_kf64(struct jsonw *w, const char *key, double v) {
    jsonw_key(w, key);
    jsonw_f64(w, v);
}

void jsonw_kbool(struct jsonw *w, const char *key, bool v) {
    jsonw_key(w, key);
    jsonw_bool(w, v);
}

void jsonw_ktime(struct jsonw *w, const char *key, int64_t ts_ms) {
    jsonw_key(w, key);
    jsonw_time(w, ts_ms);
}

void jsonw_kobject(struct jsonw *w, const char *key) {
    jsonw_key(w, key);
    jsonw_object(w);
}

void jsonw_karray(struct jsonw *w, const char *key) {
    jsonw_key(w, key);
    jsonw_array(w);
}
