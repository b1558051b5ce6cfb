#include "base/regex.h"

#include "base/regex_syntax.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { LITERALS_MAX = 256, MATCH_LIMIT = 500000, HEAP_LIMIT_KIB = 8192 };

struct regex {
    pcre2_code *code;
    bool anchored;
    char *text; /* literals and prefix point in here */
    struct str *literals;
    size_t n_literals;
    struct str prefix;
};

static _Atomic uint64_t limit_hits;
uint64_t regex_limit_hits(void) {
    return atomic_load(&limit_hits);
}

/* One match context and match data a thread, freed when it ends. */
static _Thread_local pcre2_match_context *tls_context;
static _Thread_local pcre2_match_data *tls_data;
static pthread_key_t tls_key;
static pthread_once_t tls_once = PTHREAD_ONCE_INIT;

static void free_match_data(void *context) {
    pcre2_match_data_free(tls_data);
    pcre2_match_context_free(context);
    tls_data = NULL;
    tls_context = NULL;
}

static void make_tls_key(void) {
    (void)pthread_key_create(&tls_key, free_match_data);
}

static pcre2_match_data *match_data(void) {
    if (!tls_context) {
        tls_context = pcre2_match_context_create(NULL);
        tls_data = pcre2_match_data_create(32, NULL);
        if (tls_context) {
            pcre2_set_match_limit(tls_context, MATCH_LIMIT);
            pcre2_set_heap_limit(tls_context, HEAP_LIMIT_KIB);
            (void)pthread_once(&tls_once, make_tls_key);
            (void)pthread_setspecific(tls_key, tls_context);
        }
    }
    return tls_context ? tls_data : NULL;
}

static bool is_meta(char c) {
    return strchr("\\.+*?()|[]{}^$", c) != NULL && c != 0;
}

static bool collect_literals(struct regex *re, struct str pattern) {
    size_t n = 1;
    for (size_t i = 0; i < pattern.n; i++) {
        if (pattern.p[i] == '|')
            n++;
        else if (is_meta(pattern.p[i]) || pattern.p[i] == 0)
            return true;
    }
    if (n > LITERALS_MAX)
        return true;
    re->literals = calloc(n, sizeof(*re->literals));
    if (!re->literals)
        return false;
    struct str rest = {re->text, pattern.n}, head;
    while (str_next(&rest, '|', &head))
        re->literals[re->n_literals++] = head;
    return true;
}

static void collect_prefix(struct regex *re, struct str pattern) {
    size_t i = 0;
    while (i < pattern.n && !is_meta(pattern.p[i]) && pattern.p[i] != 0)
        i++;
    /* a quantifier binds the last character, an alternation undoes the whole prefix */
    if (i < pattern.n && strchr("*?{+", pattern.p[i]))
        i = i ? i - 1 : 0;
    if (memchr(pattern.p, '|', pattern.n))
        i = 0;
    while (i && ((unsigned char)re->text[i - 1] & 0x80))
        i--;
    re->prefix = str_make(re->text, i);
}

struct regex *regex_new(struct str pattern, bool anchored, struct err *err) {
    if (pattern.n > REGEX_PATTERN_BYTES_MAX) {
        err_set(err, ERR_TOO_LARGE, "regular expression of %zu bytes; at most %d are allowed",
                pattern.n, REGEX_PATTERN_BYTES_MAX);
        return NULL;
    }
    struct regex *re = calloc(1, sizeof(*re));
    struct buf b = BUF_INIT;
    if (!re)
        goto no_memory;
    re->anchored = anchored;
    re->text = malloc(pattern.n + 1);
    if (!re->text)
        goto no_memory;
    if (pattern.n)
        memcpy(re->text, pattern.p, pattern.n);
    re->text[pattern.n] = 0;
    if (anchored) {
        if (!collect_literals(re, pattern))
            goto no_memory;
        collect_prefix(re, str_make(re->text, pattern.n));
    }
    /* Anchored by options, not by text around it: "a)|(b" must stay the error that it is. PCRE2's
     * own settings,
     * (*...), at the start of a pattern are no RE2. */
    if (!regex_syntax(pattern, &b, err)) {
        buf_deinit(&b);
        regex_free(re);
        return NULL;
    }
    if (!buf_ok(&b))
        goto no_memory;
    int code = 0;
    PCRE2_SIZE offset = 0;
    uint32_t options =
        PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY;
    if (anchored)
        options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL;
    re->code = pcre2_compile((PCRE2_SPTR)(b.p ? b.p : ""), b.n, options, &code, &offset, NULL);
    if (!re->code) {
        PCRE2_UCHAR text[128];
        pcre2_get_error_message(code, text, sizeof(text));
        err_set(err, ERR_BAD_INPUT, "invalid regular expression \"%.*s\": %s at offset %zu",
                STR_FMT(pattern), (const char *)text,
                (size_t)offset < pattern.n ? (size_t)offset : pattern.n);
        buf_deinit(&b);
        regex_free(re);
        return NULL;
    }
    buf_deinit(&b);
    (void)pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE); /* falls back to the interpreter */
    return re;
no_memory:
    buf_deinit(&b);
    regex_free(re);
    err_set(err, ERR_INTERNAL, "out of memory compiling a regular expression");
    return NULL;
}

void regex_free(struct regex *re) {
    if (!re)
        return;
    pcre2_code_free(re->code);
    free(re->literals);
    free(re->text);
    free(re);
}

static int run(const struct regex *re, struct str s, size_t start, pcre2_match_data *data) {
    int rc = pcre2_match(re->code, (PCRE2_SPTR)(s.p ? s.p : ""), s.n, start, 0, data, tls_context);
    if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_HEAPLIMIT ||
        rc == PCRE2_ERROR_JIT_STACKLIMIT)
        atomic_fetch_add(&limit_hits, 1);
    return rc;
}

bool regex_match(const struct regex *re, struct str s) {
    if (re->n_literals) {
        for (size_t i = 0; i < re->n_literals; i++)
            if (str_eq(re->literals[i], s))
                return true;
        return false;
    }
    if (re->prefix.n && !str_starts(s, re->prefix))
        return false;
    pcre2_match_data *data = match_data();
    return data && run(re, s, 0, data) >= 0;
}

size_t regex_literals(const struct regex *re, const struct str **out) {
    *out = re->literals;
    return re->n_literals;
}

struct str regex_prefix(const struct regex *re) {
    return re->prefix;
}

static bool word_char(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void put_group(const struct regex *re, struct str s, struct str name, pcre2_match_data *data,
                      struct buf *out) {
    uint64_t number = 0;
    if (!str_to_u64(name, &number)) {
        char z[64];
        if (name.n >= sizeof(z))
            return;
        memcpy(z, name.p, name.n);
        z[name.n] = 0;
        int k = pcre2_substring_number_from_name(re->code, (PCRE2_SPTR)z);
        if (k < 0)
            return;
        number = (uint64_t)k;
    }
    uint32_t groups = 0;
    (void)pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (number > groups || number >= pcre2_get_ovector_count(data))
        return;
    PCRE2_SIZE *v = pcre2_get_ovector_pointer(data);
    if (v[2 * number] == PCRE2_UNSET || v[2 * number + 1] < v[2 * number])
        return;
    if (v[2 * number + 1] > v[2 * number])
        buf_put(out, s.p + v[2 * number], v[2 * number + 1] - v[2 * number]);
}

static void expand(const struct regex *re, struct str s, struct str t, pcre2_match_data *data,
                   struct buf *out) {
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] != '$' || i + 1 == t.n) {
            buf_putc(out, t.p[i]);
            continue;
        }
        if (t.p[i + 1] == '$') {
            buf_putc(out, '$');
            i++;
            continue;
        }
        bool brace = t.p[i + 1] == '{';
        size_t from = i + 1 + brace, to = from;
        while (to < t.n && word_char(t.p[to]))
            to++;
        if (to == from || (brace && (to == t.n || t.p[to] != '}'))) {
            buf_putc(out, '$');
            continue;
        }
        put_group(re, s, str_sub(t, from, to - from), data, out);
        i = brace ? to : to - 1;
    }
}

bool regex_expand(const struct regex *re, struct str s, struct str replacement, struct buf *out) {
    pcre2_match_data *data = match_data();
    int rc = data ? run(re, s, 0, data) : -1;
    if (rc < 0)
        return false;
    expand(re, s, replacement, data, out);
    return true;
}

void regex_replace_all(const struct regex *re, struct str s, struct str replacement,
                       struct buf *out) {
    pcre2_match_data *data = match_data();
    size_t at = 0, last_end = SIZE_MAX;
    while (data && at <= s.n) {
        if (run(re, s, at, data) < 0)
            break;
        PCRE2_SIZE *v = pcre2_get_ovector_pointer(data);
        size_t from = v[0], to = v[1];
        buf_put(out, s.p ? s.p + at : NULL, from - at);
        if (from != to || from != last_end) /* Go: no empty match right behind a match */
            expand(re, s, replacement, data, out);
        at = last_end = to;
        if (from == to) {
            if (at < s.n)
                buf_putc(out, s.p[at]);
            at++;
        }
    }
    if (at < s.n)
        buf_put(out, s.p + at, s.n - at);
}
