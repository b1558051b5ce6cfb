#include "feature/collect/collect_testlib.h"

#include "os/file.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool sink_put(void *self, const struct batch *b, struct write_result *out, struct err *err) {
    struct testsink *s = self;
    if (s->fail)
        return err_set(err, ERR_UNAVAILABLE, "test: the disk is full");
    s->batches++;
    for (size_t i = 0; i < b->n; i++) {
        struct err check = {0};
        if (!labels_check(b->rows[i].labels, &check)) {
            out->rejected[REJECT_LABELS]++;
            s->refused++;
            snprintf(out->first_rejected, sizeof(out->first_rejected), "%s", check.message);
            continue;
        }
        struct buf key = BUF_INIT;
        labels_format(&key, b->rows[i].labels);
        struct testpoint *p = map_get(&s->series, buf_view(&key));
        if (!p) {
            p = calloc(1, sizeof(*p));
            assert(p);
            p->ref = ++s->next_ref;
            bool ok = map_put(&s->series, buf_view(&key), p, NULL);
            assert(ok);
        }
        assert(!b->refs || b->refs[i] == 0 || b->refs[i] == p->ref); /* refs follow their series */
        assert(p->samples == 0 || b->rows[i].ts_ms > p->ts_ms); /* no series twice in a batch */
        if (b->refs)
            b->refs[i] = p->ref;
        p->ts_ms = b->rows[i].ts_ms;
        p->value = b->rows[i].value;
        p->stale = sample_is_stale(p->value);
        p->samples++;
        s->rows++;
        out->accepted++;
        buf_deinit(&key);
    }
    return true;
}

static const struct sink_ops ops = {sink_put};

struct sink testsink_view(struct testsink *s) {
    return (struct sink){&ops, s};
}

void testsink_deinit(struct testsink *s) {
    for (struct map_entry *e = map_next(&s->series, NULL); e; e = map_next(&s->series, e))
        free(e->value);
    map_deinit(&s->series);
}

const struct testpoint *testsink_get(const struct testsink *s, const char *series) {
    return map_get(&s->series, str_from(series));
}

void testtree_init(struct testtree *t) {
    const char *tmp = getenv("TMPDIR");
    snprintf(t->dir, sizeof(t->dir), "%s/hinomi-collect-XXXXXX", tmp ? tmp : "/tmp");
    char *made = mkdtemp(t->dir);
    assert(made);
}

void testtree_deinit(struct testtree *t) {
    struct err err = {0};
    bool ok = file_remove_tree(t->dir, &err);
    assert(ok);
}

static void full_path(const struct testtree *t, const char *path, char *out, size_t cap) {
    int n = snprintf(out, cap, "%s/%s", t->dir, path);
    assert(n > 0 && (size_t)n < cap);
    char *slash = strrchr(out, '/');
    *slash = '\0';
    struct err err = {0};
    bool ok = file_mkdirs(out, 0755, &err);
    assert(ok);
    *slash = '/';
}

void testtree_put(struct testtree *t, const char *path, struct str content) {
    char full[1024];
    full_path(t, path, full, sizeof(full));
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert(fd >= 0);
    ssize_t n = write(fd, content.p ? content.p : "", content.n);
    assert(n == (ssize_t)content.n);
    close(fd);
}

void testtree_del(struct testtree *t, const char *path) {
    char full[1024];
    full_path(t, path, full, sizeof(full));
    (void)unlink(full);
}

void testtree_link(struct testtree *t, const char *path, const char *target) {
    char full[1024];
    full_path(t, path, full, sizeof(full));
    (void)unlink(full);
    int r = symlink(target, full);
    assert(r == 0);
}
