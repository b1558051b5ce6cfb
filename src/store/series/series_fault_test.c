/* Disks that fail and bytes that change. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/log.h"
#include "os/file.h"
#include "store/series/series_testlib.h"
#include "store/series/sio.h"
#include "store/series/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define T0 INT64_C(1700000000000)

struct fault {
    uint64_t at, until, seen; /* operations [at, until) fail */
    int error;
};

static int fail_some(void *self, enum sio_op op, const char *path) {
    struct fault *f = self;
    (void)op;
    (void)path;
    uint64_t k = f->seen++;
    return k >= f->at && k < f->until ? f->error : 0;
}

static void hook(struct fault *f) {
    sio_hook_self = f;
    sio_hook = f ? fail_some : NULL;
}

/* Writes one moment of all series; acknowledged ones go into the naive store. */
static bool write_step(struct naive *n, struct series_store *s, int64_t ts, struct err *err) {
    struct batch_row rows[32];
    for (size_t i = 0; i < n->n; i++)
        rows[i] = (struct batch_row){n->s[i].labels, ts, (double)(ts % 1000 + (int64_t)i)};
    struct batch b = {.kind = SOURCE_SCRAPE, .source = STR("t"), .rows = rows, .n = n->n};
    struct sink k = series_sink(s);
    struct write_result out = {0};
    if (!sink_write(&k, &b, &out, err))
        return false;
    assert_int_equal(out.accepted, n->n);
    for (size_t i = 0; i < n->n; i++)
        (void)naive_put(n, i, ts, rows[i].value, true);
    return true;
}

/* What was acknowledged is there; what was not may be (it was sent), but nothing else is. */
static void check_acknowledged(const struct naive *n, struct series_store *s, int64_t start,
                               int64_t end) {
    struct matcher m = {.type = MATCH_NE, .name = STR("__name__"), .value = STR("")};
    struct reader_query q = {
        .matchers = &m, .n_matchers = 1, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct reader r = series_reader(s);
    struct reader_set *set;
    struct err err = {0};
    if (!r.ops->select(r.self, &q, &set, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < n->n; i++) {
        size_t at = 0;
        while (at < set->count && !labels_eq(set->ops->labels(set, at), n->s[i].labels))
            at++;
        if (!n->s[i].n)
            continue;
        assert_true(at < set->count);
        struct series_data d;
        if (!set->ops->read(set, at, INT64_MIN, INT64_MAX, &d, &err))
            fail_msg("%s", err.message);
        size_t k = 0;
        for (size_t j = 0; j < d.n; j++) {
            assert_in_range(d.ts_ms[j], start, end);
            assert_int_equal((int64_t)d.value[j], d.ts_ms[j] % 1000 + (int64_t)i);
            k += k < n->s[i].n && n->s[i].v[k].ts_ms == d.ts_ms[j];
        }
        assert_int_equal(k, n->s[i].n);
    }
    set->ops->free(set);
}

static void sweep(uint64_t at, uint64_t until, int error, uint64_t *out_ops) {
    char *dir = test_dir(), copy[300];
    struct clock_manual clock = {T0 * 1000000, 1};
    struct naive n;
    naive_init(&n, 9);
    struct series_store *s = test_open(dir, &clock, 0);
    struct fault f = {at, until, 0, error};
    struct err err = {0};
    hook(&f);
    int refused = 0;
    for (int i = 0; i < 12; i++) {
        if (!write_step(&n, s, T0 + i * 1000, &err)) {
            refused++;
            assert_int_equal(err.code, ERR_UNAVAILABLE);
        }
        if (i % 5 == 4)
            (void)!series_maintain(s, &err);
        check_acknowledged(&n, s, T0, T0 + 11000); /* reads go on */
    }
    *out_ops = f.seen;
    (void)snprintf(copy, sizeof(copy), "%s-copy", dir);
    test_copy_tree(dir, copy);
    hook(NULL); /* there is space again: it recovers by itself */
    for (int i = 12; i < 15; i++)
        if (!write_step(&n, s, T0 + i * 1000, &err))
            fail_msg("after the fault: %s", err.message);
    if (!series_maintain(s, &err))
        fail_msg("after the fault: %s", err.message);
    check_acknowledged(&n, s, T0, T0 + 14000);
    series_close(s);
    s = test_open(dir, &clock, 0);
    check_acknowledged(&n, s, T0, T0 + 14000);
    series_close(s);
    bool clean = false;
    struct buf report = BUF_INIT;
    assert_true(series_verify(dir, &report, &clean, &err));
    if (!clean)
        fail_msg("%s", report.p);
    buf_deinit(&report);
    naive_deinit(&n);
    assert_true(file_remove_tree(copy, &err));
    test_dir_free(dir);
}

/* Fails the n-th operation alone, and all from the n-th on, for every n that there is. */
static void test_fault_sweep(void **unused) {
    (void)unused;
    uint64_t ops = 1, ignored;
    log_set_level(LOG_LEVEL_ERROR + 1);
    sweep(UINT64_MAX, UINT64_MAX, ENOSPC, &ops);
    assert_true(ops > 40);
    for (uint64_t i = 0; i < ops; i++) {
        sweep(i, i + 1, i % 2 ? EIO : ENOSPC, &ignored);
        if (i % 2 == 0)
            sweep(i, i + 7, EIO, &ignored);
        if (i % 4 == 0)
            sweep(i, UINT64_MAX, ENOSPC, &ignored);
    }
}

/* kill -9 in the middle of a fault: the copy of the folder holds all that was acknowledged. */
static void test_fault_then_kill(void **unused) {
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR + 1);
    for (uint64_t at = 0; at < 60; at += 3) {
        char *dir = test_dir(), copy[300];
        struct clock_manual clock = {T0 * 1000000, 1};
        struct naive n;
        struct err err = {0};
        naive_init(&n, 5);
        struct series_store *s = test_open(dir, &clock, 0);
        struct fault f = {at, at + 5, 0, EIO};
        hook(&f);
        for (int i = 0; i < 12; i++) {
            (void)write_step(&n, s, T0 + i * 1000, &err);
            if (i % 4 == 3)
                (void)!series_maintain(s, &err);
        }
        hook(NULL);
        (void)snprintf(copy, sizeof(copy), "%s-copy", dir);
        test_copy_tree(dir, copy);
        struct series_store *killed = test_open(copy, &clock, 0);
        check_acknowledged(&n, killed, T0, T0 + 11000);
        series_close(killed);
        series_close(s);
        assert_true(file_remove_tree(copy, &err));
        naive_deinit(&n);
        test_dir_free(dir);
    }
}

static void flip(const char *path, int64_t at, unsigned char mask) {
    struct err err = {0};
    int fd;
    unsigned char c;
    assert_true(file_open(path, O_RDWR, 0, &fd, &err));
    assert_true(file_pread_all(fd, &c, 1, at, path, &err));
    c ^= mask;
    assert_true(file_pwrite_all(fd, &c, 1, at, path, &err));
    file_close(fd);
}

static size_t count_ext(const char *dir, const char *ext, char *out_last, size_t cap) {
    struct arena a = ARENA_INIT;
    char **names;
    size_t n, k = 0;
    if (file_list(dir, &a, &names, &n, NULL))
        for (size_t i = 0; i < n; i++)
            if (str_ends(str_from(names[i]), str_from(ext))) {
                k++;
                if (out_last)
                    (void)snprintf(out_last, cap, "%s/%s", dir, names[i]);
            }
    arena_deinit(&a);
    return k;
}

/* What the store says after damage is either exactly right, an error, or lacks what stood in the
 * one file that was set aside; never something else. */
static void probe(const struct naive *n, const char *dir, struct clock_manual *clock) {
    struct clock view = clock_manual_view(clock);
    struct series_options opt = {.dir = dir, .clock = &view, .no_background = true};
    struct err err = {0};
    struct series_store *s = series_open(&opt, &err);
    if (!s) {
        assert_true(err.code == ERR_CONFLICT || err.code == ERR_CORRUPT);
        return;
    }
    struct matcher m = {.type = MATCH_NE, .name = STR("__name__"), .value = STR("")};
    struct reader_query q = {
        .matchers = &m, .n_matchers = 1, .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct reader r = series_reader(s);
    for (int round = 0; round < 2; round++) {
        struct reader_set *set;
        bool ok = r.ops->select(r.self, &q, &set, &err);
        for (size_t i = 0; ok && i < set->count; i++) {
            struct series_data d;
            struct labels ls = set->ops->labels(set, i);
            size_t k = 0;
            while (k < n->n && !labels_eq(n->s[k].labels, ls))
                k++;
            assert_true(k < n->n);
            if (!set->ops->read(set, i, INT64_MIN, INT64_MAX, &d, &err)) {
                assert_int_equal(err.code, ERR_CORRUPT);
                continue;
            }
            for (size_t j = 0; j < d.n; j++)
                assert_int_equal((int64_t)d.value[j], d.ts_ms[j] % 1000 + (int64_t)k);
        }
        if (ok)
            set->ops->free(set);
        else
            assert_int_equal(err.code, ERR_CORRUPT);
        assert_true(series_maintain(s, &err)); /* sets the damaged block aside */
    }
    series_close(s);
    char q_dir[400];
    (void)snprintf(q_dir, sizeof(q_dir), "%s/quarantine", dir);
    assert_in_range(count_ext(q_dir, ".blk", NULL, 0), 0, 1);
}

static void test_flipped_bytes(void **unused) {
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR + 1);
    char *dir = test_dir(), copy[300], victim[400];
    struct clock_manual clock = {T0 * 1000000, 1};
    struct naive n;
    struct err err = {0};
    uint64_t rnd = 42;
    naive_init(&n, 11);
    struct series_store *s = test_open(dir, &clock, 0);
    for (int i = 0; i < 60; i++) {
        assert_true(write_step(&n, s, T0 + i * 1000, &err));
        if (i == 20 || i == 40)
            assert_true(series_maintain(s, &err));
    }
    (void)snprintf(copy, sizeof(copy), "%s-copy", dir);
    for (int round = 0; round < 400; round++) {
        test_copy_tree(dir, copy); /* two blocks, a manifest, a log */
        char sub[330];
        (void)snprintf(sub, sizeof(sub), "%s/wal", copy);
        if (round % 8 == 7)
            (void)snprintf(victim, sizeof(victim), "%s/MANIFEST", copy);
        else if (round % 8 >= 5)
            assert_int_equal(count_ext(sub, ".wal", victim, sizeof(victim)), 1);
        else
            assert_int_equal(count_ext(copy, ".blk", victim, sizeof(victim)), 2);
        int fd;
        int64_t size;
        assert_true(file_open(victim, O_RDONLY, 0, &fd, &err));
        assert_true(file_size(fd, &size, &err));
        file_close(fd);
        if (str_ends(str_from(victim), STR(".wal")))
            size = 12000; /* where the records are */
        if (round % 16 == 3) {
            assert_int_equal(truncate(victim, (off_t)(test_rnd(&rnd) % (uint64_t)size)), 0);
        } else {
            int64_t at = (int64_t)(test_rnd(&rnd) % (uint64_t)size);
            flip(victim, at, (unsigned char)(1u << (test_rnd(&rnd) % 8)));
        }
        probe(&n, copy, &clock);
        assert_true(file_remove_tree(copy, &err));
    }
    series_close(s);
    naive_deinit(&n);
    test_dir_free(dir);
}

/* Every byte of a block that carries meaning is covered: verify finds each flip. */
static void test_verify_finds(void **unused) {
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR + 1);
    char *dir = test_dir(), path[400];
    struct clock_manual clock = {T0 * 1000000, 1};
    struct naive n;
    struct err err = {0};
    naive_init(&n, 4);
    struct series_store *s = test_open(dir, &clock, 0);
    for (int i = 0; i < 30; i++)
        assert_true(write_step(&n, s, T0 + i * 1000, &err));
    series_close(s);
    assert_int_equal(count_ext(dir, ".blk", path, sizeof(path)), 1);
    int fd;
    int64_t size;
    size_t missed = 0;
    assert_true(file_open(path, O_RDONLY, 0, &fd, &err));
    assert_true(file_size(fd, &size, &err));
    file_close(fd);
    for (int64_t at = 0; at < size; at++) {
        bool clean = true;
        struct buf report = BUF_INIT;
        flip(path, at, 0x10);
        assert_true(series_verify(dir, &report, &clean, &err) || err.code == ERR_CONFLICT);
        missed += clean;
        flip(path, at, 0x10);
        buf_deinit(&report);
    }
    assert_int_equal(missed, 0);
    naive_deinit(&n);
    test_dir_free(dir);
}

static void test_torn_log(void **unused) {
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR + 1);
    char *dir = test_dir(), wal_dir[400], path[400], copy[320];
    struct clock_manual clock = {T0 * 1000000, 1};
    struct naive n;
    struct err err = {0};
    naive_init(&n, 3);
    struct series_store *s = test_open(dir, &clock, 0);
    for (int i = 0; i < 10; i++)
        assert_true(write_step(&n, s, T0 + i * 1000, &err));
    (void)snprintf(wal_dir, sizeof(wal_dir), "%s/wal", dir);
    (void)snprintf(copy, sizeof(copy), "%s-copy", dir);
    for (int64_t cut = 0; cut < 1800; cut += 7) {
        test_copy_tree(dir, copy);
        (void)snprintf(wal_dir, sizeof(wal_dir), "%s/wal", copy);
        assert_int_equal(count_ext(wal_dir, ".wal", path, sizeof(path)), 1);
        assert_int_equal(truncate(path, (off_t)cut), 0);
        probe(&n, copy, &clock);
        assert_true(file_remove_tree(copy, &err));
    }
    series_close(s);
    naive_deinit(&n);
    test_dir_free(dir);
}

static void test_newer_format(void **unused) {
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR + 1);
    char *dir = test_dir(), path[400], wal_dir[400];
    struct clock_manual clock = {T0 * 1000000, 1};
    struct clock view = clock_manual_view(&clock);
    struct naive n;
    struct err err = {0};
    naive_init(&n, 2);
    struct series_store *s = test_open(dir, &clock, 0);
    assert_true(write_step(&n, s, T0, &err));
    char copy[320];
    (void)snprintf(copy, sizeof(copy), "%s-copy", dir);
    test_copy_tree(dir, copy);
    (void)snprintf(wal_dir, sizeof(wal_dir), "%s/wal", copy);
    assert_int_equal(count_ext(wal_dir, ".wal", path, sizeof(path)), 1);
    struct buf b = BUF_INIT;
    assert_true(file_read(path, (size_t)1 << 26, &b, &err));
    uint32_t version = 9, crc;
    memcpy(b.p + 8, &version, 4);
    crc = crc32c(0, b.p, 28);
    memcpy(b.p + 28, &crc, 4);
    assert_true(file_write_atomic(path, buf_view(&b), 0640, &err));
    struct series_options opt = {.dir = copy, .clock = &view, .no_background = true};
    assert_null(series_open(&opt, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_non_null(strstr(err.message, "newer hinomi (format 9"));
    buf_deinit(&b);
    series_close(s);
    assert_true(file_remove_tree(copy, &err));
    naive_deinit(&n);
    test_dir_free(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault_sweep),   cmocka_unit_test(test_fault_then_kill),
        cmocka_unit_test(test_flipped_bytes), cmocka_unit_test(test_verify_finds),
        cmocka_unit_test(test_torn_log),      cmocka_unit_test(test_newer_format)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
