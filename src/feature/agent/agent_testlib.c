#include "feature/agent/agent_testlib.h"

#include "os/file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static bool put(void *self, const struct batch *b, struct write_result *out, struct err *err) {
    struct teststore *s = self;
    if (s->fail_next > 0) {
        s->fail_next--;
        return err_set(err, ERR_UNAVAILABLE, "test: the disk is full");
    }
    struct testposition *p = map_get(&s->positions, b->agent);
    if (b->agent.n && !p) {
        p = calloc(1, sizeof(*p));
        bool ok = p && map_put(&s->positions, b->agent, p, NULL);
        assert(ok);
    }
    if (p && (b->agent_segment < p->segment ||
              (b->agent_segment == p->segment && b->agent_offset <= p->offset))) {
        out->accepted += b->n;
        return true; /* known already */
    }
    s->batches++;
    for (size_t i = 0; i < b->n; i++) {
        struct buf key = BUF_INIT;
        labels_format(&key, b->rows[i].labels);
        buf_putc(&key, '@');
        buf_i64(&key, b->rows[i].ts_ms);
        buf_putc(&key, '=');
        buf_f64(&key, b->rows[i].value);
        uintptr_t n = (uintptr_t)map_get(&s->counts, buf_view(&key));
        bool ok = map_put(&s->counts, buf_view(&key), (void *)(n + 1), NULL);
        assert(ok);
        buf_deinit(&key);
        s->rows++;
    }
    out->accepted += b->n;
    if (p)
        *p = (struct testposition){b->agent_segment, b->agent_offset};
    return true;
}

static const struct sink_ops ops = {put};

struct sink teststore_sink(struct teststore *s) {
    return (struct sink){&ops, s};
}

void teststore_position(void *self, struct str agent, uint64_t *out_segment, uint64_t *out_offset) {
    const struct teststore *s = self;
    const struct testposition *p = map_get(&s->positions, agent);
    *out_segment = p ? p->segment : 0;
    *out_offset = p ? p->offset : 0;
}

void teststore_meta(void *self, const struct metric_meta *m, size_t n) {
    (void)m;
    ((struct teststore *)self)->metas += n;
}

size_t teststore_count(const struct teststore *s, const char *sample) {
    return (size_t)(uintptr_t)map_get(&s->counts, str_from(sample));
}

size_t teststore_most(const struct teststore *s) {
    size_t most = 0;
    for (struct map_entry *e = map_next(&s->counts, NULL); e; e = map_next(&s->counts, e))
        if ((size_t)(uintptr_t)e->value > most)
            most = (size_t)(uintptr_t)e->value;
    return most;
}

void teststore_deinit(struct teststore *s) {
    for (struct map_entry *e = map_next(&s->positions, NULL); e; e = map_next(&s->positions, e))
        free(e->value);
    map_deinit(&s->positions);
    map_deinit(&s->counts);
}

void agent_testdir(char out[256]) {
    const char *tmp = getenv("TMPDIR");
    snprintf(out, 256, "%s/hinomi-agent-XXXXXX", tmp ? tmp : "/tmp");
    char *made = mkdtemp(out);
    assert(made);
}

void agent_testdir_remove(const char *dir) {
    struct err err = {0};
    bool ok = file_remove_tree(dir, &err);
    assert(ok);
}
