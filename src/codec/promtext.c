#include "codec/promtext_internal.h"

#include <stdio.h>

enum { TOKEN_BYTES_MAX = 400 }; /* no number is longer */

bool promtext_format_of(struct str content_type, enum promtext_format *out) {
    struct str type;
    if (!str_next(&content_type, ';', &type))
        type = (struct str){NULL, 0};
    type = str_trim(type);
    if (str_eq_nocase(type, STR("application/openmetrics-text")))
        *out = PROMTEXT_OPENMETRICS;
    else if (str_eq_nocase(type, STR("text/plain")))
        *out = PROMTEXT_PLAIN;
    else
        return false;
    return true;
}

bool promtext_fail(const struct promtext *p, const char *at, struct err *err, const char *fmt,
                   ...) {
    uint32_t line = 1;
    const char *line_start = p->start;
    for (const char *q = p->start; q < at && q < p->end; q++)
        if (*q == '\n') {
            line++;
            line_start = q + 1;
        }
    uint32_t column = (uint32_t)(at - line_start) + 1;
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    const char *line_end =
        at < p->end ? memchr(line_start, '\n', (size_t)(p->end - line_start)) : p->end;
    if (!line_end)
        line_end = p->end;
    size_t n = (size_t)(line_end - line_start);
    return err_set_at(err, ERR_BAD_INPUT, line, column, "line %u column %u: %s: \"%.*s\"", line,
                      column, text, (int)(n > 120 ? 120 : n), line_start);
}

bool promtext_init(struct promtext *p, struct str body, enum promtext_format format,
                   struct arena *a, struct err *err) {
    const char *start = body.p ? body.p : "";
    *p = (struct promtext){.start = start,
                           .p = start,
                           .end = start + body.n,
                           .sample_end = start,
                           .format = format,
                           .arena = a};
    if (format == PROMTEXT_OPENMETRICS) {
        p->om = promtext_om_new(a);
        if (!p->om)
            return arena_err(a, err);
    }
    return true;
}

void promtext_seek(struct promtext *p, size_t offset) {
    if (offset > (size_t)(p->end - p->start))
        offset = (size_t)(p->end - p->start);
    p->p = p->sample_end = p->start + offset;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}
static bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}
static bool is_name_char(char c) {
    return is_name_start(c) || (c >= '0' && c <= '9');
}

static const char *skip_blanks(const char *p, const char *end) {
    while (p < end && is_blank(*p))
        p++;
    return p;
}

/* From the opening quote to behind the closing one; NULL when the line ends first. */
static const char *skip_quoted(const char *p, const char *end) {
    for (p++; p < end && *p != '\n'; p++) {
        if (*p == '\\' && p + 1 < end && p[1] != '\n')
            p++;
        else if (*p == '"')
            return p + 1;
    }
    return NULL;
}

/* From '{' to behind '}'; NULL when the line ends first. */
static const char *skip_braces(const char *p, const char *end) {
    for (p++; p < end && *p != '\n';) {
        if (*p == '"') {
            p = skip_quoted(p, end);
            if (!p)
                return NULL;
        } else if (*p++ == '}') {
            return p;
        }
    }
    return NULL;
}

/* ---- labels ---- */

struct label_reader {
    const char *p, *end;
    bool strict;
    struct arena *a;
    const char *why;
};

static bool label_fail(struct label_reader *r, const char *why) {
    r->why = why;
    return false;
}

static void reader_blanks(struct label_reader *r) {
    if (!r->strict)
        r->p = skip_blanks(r->p, r->end);
}

/* A quoted string; without escapes it is borrowed. */
static bool read_quoted(struct label_reader *r, struct str *out) {
    const char *close = skip_quoted(r->p, r->end);
    if (!close)
        return label_fail(r, "a string is not closed with '\"'");
    struct str raw = str_make(r->p + 1, (size_t)(close - r->p - 2));
    if (raw.n && memchr(raw.p, '\\', raw.n)) {
        char *to = arena_alloc(r->a, raw.n);
        if (!to)
            return label_fail(r, "the page needs more memory than its limit");
        size_t n = 0;
        for (size_t i = 0; i < raw.n; i++) {
            char c = raw.p[i], next = i + 1 < raw.n ? raw.p[i + 1] : 0;
            if (c == '\\' && (next == '\\' || next == '"' || next == 'n')) {
                c = next == 'n' ? '\n' : next;
                i++;
            }
            to[n++] = c;
        }
        raw = str_make(to, n);
    }
    if (!str_is_utf8(raw))
        return label_fail(r, "a string is not valid UTF-8");
    *out = raw;
    r->p = close;
    return true;
}

static bool read_label_name(struct label_reader *r, struct str *out) {
    const char *from = r->p;
    if (r->p == r->end || !is_name_start(*r->p) || *r->p == ':')
        return label_fail(r, "expected a label name");
    while (r->p < r->end && is_name_char(*r->p) && *r->p != ':')
        r->p++;
    *out = str_make(from, (size_t)(r->p - from));
    return true;
}

static bool add_label(struct label_reader *r, struct promtext_parsed *out, struct str name,
                      struct str value) {
    if (out->n == LIMIT_LABELS_PER_SERIES)
        return label_fail(r, "more labels than the limit of " /* limits.h */ "64 a series");
    if (name.n == 0 || name.n > LIMIT_LABEL_NAME_BYTES)
        return label_fail(r, "a label name is empty or longer than the limit of 1024 bytes");
    if (value.n > LIMIT_LABEL_VALUE_BYTES)
        return label_fail(r, "a label value is longer than the limit of 16384 bytes");
    for (uint32_t i = 0; i < out->n; i++)
        if (str_eq(out->l[i].name, name))
            return label_fail(r, "a label name stands twice");
    if (str_eq(name, STR(LABEL_NAME)))
        return label_fail(
            r, "__name__ is not written as a label; the metric name stands before the brace");
    out->l[out->n++] = (struct label){name, value};
    return true;
}

static bool read_one_label(struct label_reader *r, struct promtext_parsed *out) {
    struct str name, value;
    bool quoted = r->p < r->end && *r->p == '"';
    if (!(quoted ? read_quoted(r, &name) : read_label_name(r, &name)))
        return false;
    reader_blanks(r);
    if (quoted && (r->p == r->end || *r->p != '=')) {
        if (out->name.p || out->n || name.n == 0)
            return label_fail(
                r, "a quoted metric name stands once, first in the braces, and is not empty");
        out->name = name;
        return true;
    }
    if (r->p == r->end || *r->p != '=')
        return label_fail(r, "expected '=' behind the label name");
    r->p++;
    reader_blanks(r);
    if (r->p == r->end || *r->p != '"')
        return label_fail(r, "expected a value in double quotes");
    return read_quoted(r, &value) && add_label(r, out, name, value);
}

static bool read_braces(struct label_reader *r, struct promtext_parsed *out) {
    r->p++;
    reader_blanks(r);
    while (r->p < r->end && *r->p != '}') {
        if (!read_one_label(r, out))
            return false;
        reader_blanks(r);
        if (r->p < r->end && *r->p == ',') {
            r->p++;
            reader_blanks(r);
            if (r->strict && r->p < r->end && *r->p == '}')
                return label_fail(r, "OpenMetrics has no comma before '}'");
        } else if (r->p == r->end || *r->p != '}') {
            return label_fail(r, "expected ',' or '}' behind a label");
        }
    }
    if (r->p == r->end)
        return label_fail(r, "expected '}'");
    r->p++;
    return true;
}

bool promtext_parse_series(struct str series, bool strict, struct arena *a,
                           struct promtext_parsed *out, const char **out_at, const char **out_why) {
    struct label_reader r = {.p = series.p, .end = series.p + series.n, .strict = strict, .a = a};
    out->name = (struct str){NULL, 0};
    out->n = 0;
    const char *from = r.p;
    while (r.p < r.end && is_name_char(*r.p))
        r.p++;
    bool ok = true;
    if (r.p > from) {
        out->name = str_make(from, (size_t)(r.p - from));
        if (!is_name_start(*from)) {
            r.p = from;
            ok = label_fail(&r, "a metric name begins with a letter, '_' or ':'");
        } else if (out->name.n > LIMIT_LABEL_VALUE_BYTES) {
            ok = label_fail(&r, "a metric name is longer than the limit of 16384 bytes");
        }
    }
    if (ok) {
        reader_blanks(&r);
        if (r.p < r.end && *r.p == '{')
            ok = read_braces(&r, out);
    }
    if (ok && r.p != r.end)
        ok = label_fail(&r, "unexpected text behind the series");
    *out_at = r.p;
    *out_why = r.why;
    return ok;
}

bool promtext_labels(struct str series, struct arena *a, struct labels_builder *out,
                     struct err *err) {
    struct promtext_parsed parsed;
    const char *at, *why;
    if (!promtext_parse_series(series, false, a, &parsed, &at, &why))
        return err_set(err, a->failed ? ERR_INTERNAL : ERR_BAD_INPUT, "%s: \"%.*s\"", why,
                       (int)(series.n > 120 ? 120 : series.n), series.p);
    labels_builder_reset(out, (struct labels){NULL, 0});
    if (parsed.name.n)
        labels_builder_set(out, STR(LABEL_NAME), parsed.name);
    for (uint32_t i = 0; i < parsed.n; i++)
        if (parsed.l[i].value.n)
            labels_builder_set(out, parsed.l[i].name, parsed.l[i].value);
    return !out->failed || err_set(err, ERR_INTERNAL, "no memory for labels");
}

/* ---- numbers ---- */

static const double pow10_exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool ends_number(const char *p, const char *end) {
    return p == end || *p == '\n' || *p == ' ' || *p == '\t' || *p == '\r';
}

/* Exact while the digits fit 2^53 and the power of ten is exact too (Clinger 1990). */
bool promtext_fast_number(const char **pp, const char *end, double *out) {
    const char *p = *pp;
    bool neg = p < end && *p == '-';
    p += neg;
    uint64_t m = 0;
    const char *digits = p;
    while (p < end && (unsigned char)(*p - '0') < 10)
        m = m * 10 + (unsigned char)(*p++ - '0');
    ptrdiff_t n = p - digits, frac = 0;
    if (p < end && *p == '.') {
        const char *from = ++p;
        while (p < end && (unsigned char)(*p - '0') < 10)
            m = m * 10 + (unsigned char)(*p++ - '0');
        frac = p - from;
        n += frac;
    }
    if (n == 0 || n > 18 || m > (UINT64_C(1) << 53))
        return false;
    ptrdiff_t exp = 0;
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        bool eneg = p < end && *p == '-';
        p += p < end && (*p == '-' || *p == '+');
        const char *from = p;
        while (p < end && (unsigned char)(*p - '0') < 10 && p - from < 4)
            exp = exp * 10 + (*p++ - '0');
        if (p == from)
            return false;
        exp = eneg ? -exp : exp;
    }
    if (!ends_number(p, end))
        return false;
    exp -= frac;
    double v = (double)m;
    if (exp < 0 && exp >= -22)
        v /= pow10_exact[-exp];
    else if (exp > 0 && exp <= 22)
        v *= pow10_exact[exp];
    else if (exp && m)
        return false;
    *out = neg ? -v : v;
    *pp = p;
    return true;
}

static struct str token_at(const char *p, const char *end) {
    const char *q = p;
    while (!ends_number(q, end) && q - p < TOKEN_BYTES_MAX)
        q++;
    return str_make(p, (size_t)(q - p));
}

/* OpenMetrics has decimal numbers, infinities and NaN; hexadecimal ones are Go's. */
static bool is_decimal_token(struct str t) {
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] == 'x' || t.p[i] == 'X')
            return false;
    return true;
}

static bool read_number(struct promtext *p, const char **pp, const char *what, double *out,
                        struct err *err) {
    if (promtext_fast_number(pp, p->end, out))
        return true;
    struct str t = token_at(*pp, p->end);
    double v;
    if ((p->format == PROMTEXT_OPENMETRICS && !is_decimal_token(t)) || !str_to_f64(t, &v))
        return promtext_fail(p, *pp, err, "expected a %s", what);
    *out = isnan(v) ? sample_nan() : v;
    *pp += t.n;
    return true;
}

static int64_t ms_of_seconds(double s) {
    double ms = s * 1000;
    if (ms >= 9.2e18)
        return INT64_MAX;
    if (ms <= -9.2e18)
        return INT64_MIN;
    return (int64_t)ms;
}

static bool read_om_timestamp(struct promtext *p, const char **pp, int64_t *out, struct err *err) {
    double s;
    const char *at = *pp;
    if (!read_number(p, pp, "timestamp in seconds", &s, err))
        return false;
    if (!isfinite(s))
        return promtext_fail(p, at, err, "a timestamp must be a finite number");
    *out = ms_of_seconds(s);
    return true;
}

static bool read_plain_timestamp(struct promtext *p, const char **pp, int64_t *out,
                                 struct err *err) {
    struct str t = token_at(*pp, p->end);
    if (!str_to_i64(t, out))
        return promtext_fail(p, *pp, err, "expected a timestamp in integer milliseconds");
    *pp += t.n;
    return true;
}

/* ---- lines ---- */

static bool read_line_end(struct promtext *p, const char **pp, struct err *err) {
    const char *q = *pp;
    if (q < p->end && *q == '\r' && p->format == PROMTEXT_PLAIN)
        q++;
    if (q < p->end && *q != '\n')
        return promtext_fail(p, q, err, "unexpected text behind the sample");
    *pp = q < p->end ? q + 1 : q;
    return true;
}

static size_t count_code_points(struct str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* "{labels} value[ ts]" behind " # ". */
static bool read_exemplar(struct promtext *p, const char **pp, struct promtext_item *out,
                          struct err *err) {
    enum { EXEMPLAR_CODE_POINTS_MAX = 128 }; /* OpenMetrics 1.0, "Exemplars" */
    const char *q = *pp;
    if (q == p->end || *q != '{')
        return promtext_fail(p, q, err, "expected '{' of the exemplar");
    const char *close = skip_braces(q, p->end);
    if (!close)
        return promtext_fail(p, q, err, "the exemplar's labels are not closed with '}'");
    struct promtext_exemplar *x = &out->exemplar;
    *x = (struct promtext_exemplar){.labels = str_make(q, (size_t)(close - q))};
    struct promtext_parsed parsed;
    const char *at, *why;
    if (!promtext_parse_series(x->labels, true, p->arena, &parsed, &at, &why))
        return promtext_fail(p, at, err, "%s", why);
    size_t n = 0;
    for (uint32_t i = 0; i < parsed.n; i++)
        n += count_code_points(parsed.l[i].name) + count_code_points(parsed.l[i].value);
    if (n > EXEMPLAR_CODE_POINTS_MAX || parsed.name.p)
        return promtext_fail(p, q, err,
                             "an exemplar's labels have at most %d characters and no metric name",
                             EXEMPLAR_CODE_POINTS_MAX);
    q = close;
    if (q == p->end || *q++ != ' ')
        return promtext_fail(p, q, err, "expected a space and the exemplar's value");
    if (!read_number(p, &q, "value of the exemplar", &x->value, err))
        return false;
    if (q < p->end && *q == ' ') {
        q++;
        x->has_ts = true;
        if (!read_om_timestamp(p, &q, &x->ts_ms, err))
            return false;
    }
    out->has_exemplar = true;
    *pp = q;
    return true;
}

static bool read_om_rest(struct promtext *p, const char **pp, struct promtext_item *out,
                         struct err *err) {
    const char *q = *pp;
    if (p->end - q >= 1 && *q == ' ' && !(p->end - q >= 2 && q[1] == '#')) {
        q++;
        out->has_ts = true;
        if (!read_om_timestamp(p, &q, &out->ts_ms, err))
            return false;
    }
    if (p->end - q >= 3 && memcmp(q, " # ", 3) == 0) {
        q += 3;
        if (!read_exemplar(p, &q, out, err))
            return false;
    }
    *pp = q;
    return read_line_end(p, pp, err);
}

bool promtext_read_value(struct promtext *p, const char **pp, struct promtext_item *out,
                         struct err *err) {
    out->has_ts = out->has_exemplar = false;
    if (!read_number(p, pp, "value", &out->value, err))
        return false;
    if (p->format == PROMTEXT_OPENMETRICS)
        return read_om_rest(p, pp, out, err);
    const char *q = skip_blanks(*pp, p->end);
    if (!ends_number(q, p->end)) {
        out->has_ts = true;
        if (!read_plain_timestamp(p, &q, &out->ts_ms, err))
            return false;
        q = skip_blanks(q, p->end);
    }
    *pp = q;
    return read_line_end(p, pp, err);
}

static bool read_sample(struct promtext *p, struct promtext_item *out, struct err *err) {
    const char *from = p->p, *q = from;
    bool om = p->format == PROMTEXT_OPENMETRICS;
    while (q < p->end && is_name_char(*q))
        q++;
    const char *name_end = q;
    if (!om)
        q = skip_blanks(q, p->end);
    if (q < p->end && *q == '{') {
        const char *close = skip_braces(q, p->end);
        if (!close)
            return promtext_fail(p, q, err, "the labels are not closed with '}'");
        q = close;
    } else {
        q = name_end;
        if (q == from || !is_name_start(*from))
            return promtext_fail(p, q == from ? q : from, err, "expected a metric name");
    }
    out->kind = PROMTEXT_SAMPLE;
    out->series = str_make(from, (size_t)(q - from));
    if (om && (q == p->end || *q++ != ' '))
        return promtext_fail(p, q, err, "expected one space and a value");
    if (!om)
        q = skip_blanks(q, p->end);
    out->prefix = str_make(p->sample_end, (size_t)(q - p->sample_end));
    if (!promtext_read_value(p, &q, out, err))
        return false;
    out->check = 0;
    if (om && !promtext_om_sample(p, out, err))
        return false;
    p->p = p->sample_end = q;
    return true;
}

static struct str unescape_help(struct promtext *p, struct str s, bool quotes) {
    if (!s.n || !memchr(s.p, '\\', s.n))
        return s;
    char *to = arena_alloc(p->arena, s.n);
    if (!to)
        return (struct str){NULL, 0};
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : 0;
        if (c == '\\' && (next == '\\' || next == 'n' || (quotes && next == '"'))) {
            c = next == 'n' ? '\n' : next;
            i++;
        }
        to[n++] = c;
    }
    return str_make(to, n);
}

static bool meta_name(struct promtext *p, const char **pp, const char *line_end, struct str *out,
                      struct err *err) {
    const char *q = *pp;
    if (q < line_end && *q == '"') {
        struct label_reader r = {.p = q, .end = line_end, .a = p->arena};
        if (!read_quoted(&r, out) || out->n == 0)
            return promtext_fail(p, q, err, "%s", r.why ? r.why : "a metric name is not empty");
        *pp = r.p;
        return true;
    }
    while (q < line_end && is_name_char(*q))
        q++;
    if (q == *pp || !is_name_start(**pp))
        return promtext_fail(p, *pp, err, "expected a metric name");
    *out = str_make(*pp, (size_t)(q - *pp));
    *pp = q;
    return true;
}

/* The part behind "TYPE name" and so on. */
static bool meta_text(struct promtext *p, struct str rest, const char *at,
                      struct promtext_item *out, struct err *err) {
    bool om = p->format == PROMTEXT_OPENMETRICS;
    if (out->kind == PROMTEXT_TYPE) {
        struct str t = om ? rest : str_trim(rest);
        if (!metric_type_from_name(t, &out->type) || (om && str_eqz(t, "untyped")))
            return promtext_fail(p, at, err, "unknown metric type");
        return true;
    }
    if (!str_is_utf8(rest))
        return promtext_fail(p, at, err, "the text is not valid UTF-8");
    out->text = out->kind == PROMTEXT_HELP ? unescape_help(p, rest, om) : rest;
    return !p->arena->failed || arena_err(p->arena, err);
}

enum line { LINE_ERROR, LINE_IGNORED, LINE_ITEM };

/* A line that begins with '#'; p->p stands on it. */
static enum line read_comment(struct promtext *p, struct promtext_item *out, struct err *err) {
    bool om = p->format == PROMTEXT_OPENMETRICS;
    const char *from = p->p, *nl = memchr(from, '\n', (size_t)(p->end - from));
    const char *line_end = nl ? nl : p->end, *next = nl ? nl + 1 : p->end;
    struct str line = str_make(from, (size_t)(line_end - from));
    if (!om && line.n && line.p[line.n - 1] == '\r')
        line.n--, line_end--;
    if (om && str_eq(line, STR("# EOF"))) {
        if (next != p->end) {
            promtext_fail(p, next, err, "text behind # EOF");
            return LINE_ERROR;
        }
        p->p = next;
        p->done = true;
        return LINE_IGNORED;
    }
    const char *q = from + 1;
    q = om ? q + (q < line_end && *q == ' ') : skip_blanks(q, line_end);
    struct str word = str_make(q, 0);
    while (q < line_end && !is_blank(*q))
        q++, word.n++;
    bool known = true;
    if (str_eqz(word, "HELP"))
        out->kind = PROMTEXT_HELP;
    else if (str_eqz(word, "TYPE"))
        out->kind = PROMTEXT_TYPE;
    else if (om && str_eqz(word, "UNIT"))
        out->kind = PROMTEXT_UNIT;
    else
        known = false;
    if (!known || q == line_end || (om && line.p[1] != ' ')) {
        if (om) {
            promtext_fail(p, from, err, "expected # HELP, # TYPE, # UNIT or # EOF");
            return LINE_ERROR;
        }
        p->p = next;
        return LINE_IGNORED;
    }
    q = om ? q + 1 : skip_blanks(q, line_end);
    if (!meta_name(p, &q, line_end, &out->metric, err))
        return LINE_ERROR;
    if (q < line_end ? !is_blank(*q) || (om && *q != ' ') : om) {
        promtext_fail(p, q, err, "expected a space and the text behind the name");
        return LINE_ERROR;
    }
    const char *text = om ? q + 1 : skip_blanks(q, line_end);
    if (!meta_text(p, str_make(text, (size_t)(line_end - text)), text, out, err) ||
        (om && !promtext_om_meta(p, out, from, err)))
        return LINE_ERROR;
    p->p = next;
    return LINE_ITEM;
}

bool promtext_next(struct promtext *p, struct promtext_item *out, struct err *err) {
    bool om = p->format == PROMTEXT_OPENMETRICS;
    while (!p->done) {
        if (!om)
            while (p->p < p->end && (is_blank(*p->p) || *p->p == '\n' || *p->p == '\r'))
                p->p++;
        if (p->p == p->end) {
            if (om)
                return promtext_fail(p, p->p, err, "the page ends without # EOF (cut short?)");
            p->done = true;
            break;
        }
        if (*p->p != '#') {
            if (om && *p->p == '\n')
                return promtext_fail(p, p->p, err, "OpenMetrics has no blank lines");
            return read_sample(p, out, err);
        }
        enum line line = read_comment(p, out, err);
        if (line != LINE_IGNORED)
            return line == LINE_ITEM;
    }
    if (om && !promtext_om_end(p, err))
        return false;
    out->kind = PROMTEXT_END;
    out->prefix = str_make(p->sample_end, (size_t)(p->end - p->sample_end));
    return true;
}
