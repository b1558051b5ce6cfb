/* Go's fmt.Sprintf for the values that templates have. Verbs v s q d c U t e E f F g G x X o b %,
 * the flags
 * - + space 0 #, width and precision (also *). A verb that does not fit its value prints as Go
 * does:
 * %!d(string=hi), %!d(BADINDEX) aside. */
#include "codec/gotmpl_int.h"

#include <math.h>

#define PRINTF_WIDTH_MAX 1000 /* a width is outside input; nobody reads a wider column */

struct spec {
    bool minus, plus, space, zero, sharp;
    int width, precision; /* precision -1: none */
    char verb;
};

static void pad(struct buf *b, const struct spec *s, struct str sign, struct str body,
                bool numeric) {
    size_t have = 0;
    struct str both[2] = {sign, body};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < both[k].n; i++)
            have += ((unsigned char)both[k].p[i] & 0xc0) != 0x80; /* Go counts runes */
    size_t fill = (size_t)s->width > have ? (size_t)s->width - have : 0;
    bool zeros = s->zero && !s->minus && numeric;
    if (!s->minus && !zeros)
        for (size_t i = 0; i < fill; i++)
            buf_putc(b, ' ');
    buf_puts(b, sign);
    if (zeros)
        for (size_t i = 0; i < fill; i++)
            buf_putc(b, '0');
    buf_puts(b, body);
    if (s->minus)
        for (size_t i = 0; i < fill; i++)
            buf_putc(b, ' ');
}

static struct str sign_of(const struct spec *s, bool negative) {
    return negative ? STR("-") : s->plus ? STR("+") : s->space ? STR(" ") : (struct str){NULL, 0};
}

static void put_int(struct buf *b, const struct spec *s, int64_t i) {
    static const char low[] = "0123456789abcdef", high[] = "0123456789ABCDEF";
    uint64_t u = i < 0 ? (uint64_t)0 - (uint64_t)i : (uint64_t)i;
    uint64_t base = s->verb == 'x' || s->verb == 'X' ? 16
                    : s->verb == 'o'                 ? 8
                    : s->verb == 'b'                 ? 2
                                                     : 10;
    const char *set = s->verb == 'X' ? high : low;
    char text[72];
    size_t at = sizeof(text);
    do {
        text[--at] = set[u % base];
        u /= base;
    } while (u);
    if (s->sharp && base == 16) {
        text[--at] = s->verb;
        text[--at] = '0';
    }
    pad(b, s, sign_of(s, i < 0), (struct str){text + at, sizeof(text) - at}, true);
}

static void put_float(struct buf *b, const struct spec *s, double d) {
    struct buf t = BUF_INIT_MAX(4096);
    bool negative = signbit(d) && !isnan(d);
    double m = negative ? -d : d;
    int precision = s->precision;
    if (isnan(d) || isinf(d)) {
        struct spec plain = *s;
        plain.zero = false;
        pad(b, &plain, isinf(d) && !negative ? STR("+") : sign_of(s, negative),
            isnan(d) ? STR("NaN") : STR("Inf"), false);
        return;
    }
    switch (s->verb) {
    case 'e':
        buf_printf(&t, "%.*e", precision < 0 ? 6 : precision, m);
        break;
    case 'E':
        buf_printf(&t, "%.*E", precision < 0 ? 6 : precision, m);
        break;
    case 'f':
    case 'F':
        buf_printf(&t, "%.*f", precision < 0 ? 6 : precision, m);
        break;
    default: /* g, G, v: the shortest that reads back when no precision is given */
        if (precision < 0)
            tmpl_put_float(&t, m);
        else if (s->verb == 'G')
            buf_printf(&t, "%.*G", precision, m);
        else
            buf_printf(&t, "%.*g", precision, m);
    }
    pad(b, s, sign_of(s, negative), buf_view(&t), true);
    buf_deinit(&t);
}

static void put_quoted(struct buf *t, struct str v) {
    buf_putc(t, '"');
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        if (c == '"' || c == '\\')
            buf_printf(t, "\\%c", c);
        else if (c == '\n' || c == '\t' || c == '\r')
            buf_putz(t, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
        else if ((unsigned char)c < 0x20 || c == 0x7f)
            buf_printf(t, "\\x%02x", (unsigned)(unsigned char)c);
        else
            buf_putc(t, c);
    }
    buf_putc(t, '"');
}

static void put_str(struct buf *b, const struct spec *s, struct str v) {
    struct buf t = BUF_INIT_MAX(1 << 20);
    if (s->precision >= 0) { /* runes */
        size_t i = 0;
        for (int runes = 0; i < v.n; i++)
            if (((unsigned char)v.p[i] & 0xc0) != 0x80 && runes++ == s->precision)
                break;
        v.n = i;
    }
    if (s->verb == 'q')
        put_quoted(&t, v);
    else if (s->verb == 'x' || s->verb == 'X')
        for (size_t i = 0; i < v.n; i++) {
            if (s->verb == 'x')
                buf_printf(&t, "%02x", (unsigned)(unsigned char)v.p[i]);
            else
                buf_printf(&t, "%02X", (unsigned)(unsigned char)v.p[i]);
        }
    else
        buf_puts(&t, v);
    pad(b, s, (struct str){NULL, 0}, buf_view(&t), false);
    buf_deinit(&t);
}

static void put_wrong(struct buf *b, char verb, const struct gotmpl_value *v) {
    static const char *const names[] = {"<nil>",  "bool",           "int", "float64",
                                        "string", "[]interface {}", "map", "time"};
    buf_printf(b, "%%!%c(%s", verb, names[v->type]);
    if (v->type != GOTMPL_NIL) {
        buf_putc(b, '=');
        gotmpl_print(b, v);
    }
    buf_putc(b, ')');
}

static bool in(const char *set, char c) {
    return c && strchr(set, c);
}

static void put_value(struct buf *b, const struct spec *s, const struct gotmpl_value *v) {
    bool any = s->verb == 'v';
    if (v->type == GOTMPL_INT && s->verb == 'c' && v->i >= 0 && v->i < 128) {
        char ch = (char)v->i;
        pad(b, s, (struct str){NULL, 0}, (struct str){&ch, 1}, false);
    } else if (v->type == GOTMPL_INT && (any || in("dxXob", s->verb))) {
        put_int(b, s, v->i);
    } else if (v->type == GOTMPL_FLOAT && (any || in("eEfFgG", s->verb))) {
        put_float(b, s, v->f);
    } else if (v->type == GOTMPL_STR && (any || in("sqxX", s->verb))) {
        put_str(b, s, v->s);
    } else if ((v->type == GOTMPL_BOOL && (any || s->verb == 't')) ||
               ((v->type == GOTMPL_LIST || v->type == GOTMPL_MAP || v->type == GOTMPL_TIME) &&
                (any || s->verb == 's'))) {
        struct buf t = BUF_INIT_MAX(1 << 20);
        gotmpl_print(&t, v);
        pad(b, s, (struct str){NULL, 0}, buf_view(&t), false);
        buf_deinit(&t);
    } else if (v->type == GOTMPL_NIL && any) {
        buf_putz(b, "<nil>");
    } else {
        put_wrong(b, s->verb, v);
    }
}

static int number(struct str f, size_t *i) {
    int v = 0;
    while (*i < f.n && f.p[*i] >= '0' && f.p[*i] <= '9') {
        v = v * 10 + (f.p[(*i)++] - '0');
        if (v > PRINTF_WIDTH_MAX)
            v = PRINTF_WIDTH_MAX;
    }
    return v;
}

static int star(const struct gotmpl_value *args, size_t n, size_t *arg) {
    if (*arg >= n || args[*arg].type != GOTMPL_INT)
        return 0;
    int64_t v = args[(*arg)++].i;
    return v < 0 ? 0 : v > PRINTF_WIDTH_MAX ? PRINTF_WIDTH_MAX : (int)v;
}

void tmpl_printf(struct buf *b, struct str f, const struct gotmpl_value *args, size_t n) {
    size_t arg = 0;
    for (size_t i = 0; i < f.n && buf_ok(b); i++) {
        if (f.p[i] != '%') {
            buf_putc(b, f.p[i]);
            continue;
        }
        struct spec s = {.precision = -1};
        for (i++; i < f.n && in("-+ 0#", f.p[i]); i++) {
            s.minus |= f.p[i] == '-';
            s.plus |= f.p[i] == '+';
            s.space |= f.p[i] == ' ';
            s.zero |= f.p[i] == '0';
            s.sharp |= f.p[i] == '#';
        }
        if (i < f.n && f.p[i] == '*') {
            s.width = star(args, n, &arg);
            i++;
        } else {
            s.width = number(f, &i);
        }
        if (i < f.n && f.p[i] == '.') {
            i++;
            if (i < f.n && f.p[i] == '*') {
                s.precision = star(args, n, &arg);
                i++;
            } else {
                s.precision = number(f, &i);
            }
        }
        if (i >= f.n) {
            buf_putz(b, "%!(NOVERB)");
            break;
        }
        s.verb = f.p[i];
        if (s.verb == '%')
            buf_putc(b, '%');
        else if (arg >= n)
            buf_printf(b, "%%!%c(MISSING)", s.verb);
        else
            put_value(b, &s, &args[arg++]);
    }
    if (arg < n) {
        buf_putz(b, "%!(EXTRA ");
        for (size_t k = arg; k < n; k++) {
            static const char *const names[] = {"<nil>",  "bool",           "int", "float64",
                                                "string", "[]interface {}", "map", "time"};
            buf_printf(b, "%s%s=", k > arg ? ", " : "", names[args[k].type]);
            gotmpl_print(b, &args[k]);
        }
        buf_putc(b, ')');
    }
}
