#include "store/series/series_testlib.h"
#include "os/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not cmocka's: this file is linked into benchmarks and fuzz targets too. */
#define check(cond) ((cond) ? (void)0 : fail(__LINE__, #cond))
#define check_eq(a, b) check((a) == (b))
_Noreturn static void fail(int line, const char *what) {
    (void)fprintf(stderr, "series_testlib.c:%d: %s\n", line, what);
    abort();
}

uint64_t test_rnd(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

char *test_dir(void) {
    const char *base = getenv("TMPDIR");
    char *dir = malloc(256);
    check((dir) != NULL);
    (void)snprintf(dir, 256, "%s/series-XXXXXX", base ? base : "/tmp");
    check((mkdtemp(dir)) != NULL);
    return dir;
}

void test_dir_free(char *dir) {
    struct err err = {0};
    if (!file_remove_tree(dir, &err))
        fail(__LINE__, err.message);
    free(dir);
}

void test_copy_tree(const char *from, const char *to) {
    struct err err = {0};
    struct arena a = ARENA_INIT;
    char **names;
    size_t n = 0;
    if (!file_mkdirs(to, 0750, &err) || !file_list(from, &a, &names, &n, &err))
        fail(__LINE__, err.message);
    for (size_t i = 0; i < n; i++) {
        char x[1024], y[1024];
        struct stat st;
        (void)snprintf(x, sizeof(x), "%s/%s", from, names[i]);
        (void)snprintf(y, sizeof(y), "%s/%s", to, names[i]);
        check_eq(stat(x, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            test_copy_tree(x, y);
            continue;
        }
        struct buf b = BUF_INIT;
        int fd;
        check(file_read(x, (size_t)1 << 30, &b, &err));
        check(file_open(y, O_WRONLY | O_CREAT | O_TRUNC, 0640, &fd, &err));
        check(file_write_all(fd, b.p, b.n, y, &err));
        file_close(fd);
        buf_deinit(&b);
    }
    arena_deinit(&a);
}

void naive_init(struct naive *n, size_t series) {
    n->n = series;
    n->s = calloc(series, sizeof(*n->s));
    check((n->s) != NULL);
    for (size_t i = 0; i < series; i++) {
        struct naive_series *s = &n->s[i];
        (void)snprintf(s->text[0], sizeof(s->text[0]), "metric_%zu", i % 7);
        (void)snprintf(s->text[1], sizeof(s->text[1]), "host-%zu", i / 7);
        (void)snprintf(s->text[2], sizeof(s->text[2]), "%s", i % 3 ? "api" : "db");
        s->label[0] = (struct label){STR("__name__"), str_from(s->text[0])};
        s->label[1] = (struct label){STR("host"), str_from(s->text[1])};
        s->label[2] = (struct label){STR("job"), str_from(s->text[2])};
        s->labels = (struct labels){s->label, 3};
    }
}

void naive_deinit(struct naive *n) {
    for (size_t i = 0; i < n->n; i++)
        free(n->s[i].v);
    free(n->s);
}

int naive_put(struct naive *n, size_t series, int64_t ts_ms, double v, bool add) {
    struct naive_series *s = &n->s[series];
    size_t at = s->n;
    while (at && s->v[at - 1].ts_ms >= ts_ms)
        at--;
    if (at < s->n && s->v[at].ts_ms == ts_ms)
        return sample_bits(s->v[at].value) == sample_bits(v) ? 1 : 2;
    if (!add)
        return 0;
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->v = realloc(s->v, s->cap * sizeof(*s->v));
        check((s->v) != NULL);
    }
    memmove(s->v + at + 1, s->v + at, (s->n - at) * sizeof(*s->v));
    s->v[at] = (struct naive_sample){ts_ms, v};
    s->n++;
    return 0;
}

static const struct naive_series *find(const struct naive *n, struct labels ls) {
    for (size_t i = 0; i < n->n; i++)
        if (labels_eq(n->s[i].labels, ls))
            return &n->s[i];
    return NULL;
}

static void compare_range(const struct naive *n, struct series_store *st, int64_t start_ms,
                          int64_t end_ms) {
    struct reader r = series_reader(st);
    struct matcher m = {.type = MATCH_NE, .name = STR("__name__"), .value = STR("")};
    struct reader_query q = {
        .matchers = &m, .n_matchers = 1, .start_ms = start_ms, .end_ms = end_ms};
    struct reader_set *set;
    struct err err = {0};
    if (!r.ops->select(r.self, &q, &set, &err))
        fail(__LINE__, err.message);
    size_t want = 0, got = 0;
    for (size_t i = 0; i < n->n; i++)
        for (size_t k = 0; k < n->s[i].n; k++)
            want += n->s[i].v[k].ts_ms >= start_ms && n->s[i].v[k].ts_ms <= end_ms;
    for (size_t i = 0; i < set->count; i++) {
        struct labels ls = set->ops->labels(set, i);
        const struct naive_series *x = find(n, ls);
        struct series_data d;
        check((x) != NULL);
        if (i)
            check(labels_cmp(set->ops->labels(set, i - 1), ls) < 0);
        if (!set->ops->read(set, i, start_ms, end_ms, &d, &err))
            fail(__LINE__, err.message);
        size_t k = 0;
        while (k < x->n && x->v[k].ts_ms < start_ms)
            k++;
        for (size_t j = 0; j < d.n; j++, k++) {
            check(k < x->n);
            check_eq(d.ts_ms[j], x->v[k].ts_ms);
            check_eq(sample_bits(d.value[j]), sample_bits(x->v[k].value));
        }
        got += d.n;
    }
    check_eq(got, want);
    set->ops->free(set);
}

void naive_compare(const struct naive *n, struct series_store *s, uint64_t *rnd) {
    compare_range(n, s, INT64_MIN, INT64_MAX);
    int64_t lo = INT64_MAX, hi = INT64_MIN;
    for (size_t i = 0; i < n->n; i++)
        if (n->s[i].n) {
            lo = n->s[i].v[0].ts_ms < lo ? n->s[i].v[0].ts_ms : lo;
            hi = n->s[i].v[n->s[i].n - 1].ts_ms > hi ? n->s[i].v[n->s[i].n - 1].ts_ms : hi;
        }
    for (int i = 0; i < 3 && lo <= hi; i++) {
        int64_t a = lo + (int64_t)(test_rnd(rnd) % (uint64_t)(hi - lo + 1));
        compare_range(n, s, a, a + (int64_t)(test_rnd(rnd) % (uint64_t)(hi - lo + 1)));
    }
}

struct series_store *test_open(const char *dir, struct clock_manual *clock, int64_t past_ms) {
    static struct clock view; /* series_open copies it */
    view = clock_manual_view(clock);
    struct series_options opt = {
        .dir = dir, .clock = &view, .no_background = true, .accept_past_ms = past_ms};
    struct err err = {0};
    struct series_store *s = series_open(&opt, &err);
    if (!s)
        fail(__LINE__, err.message);
    return s;
}
