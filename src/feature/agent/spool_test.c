#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/corpus_testlib.h"
#include "feature/agent/spool_fuzz.c"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

struct fixture {
    char dir[256];
    struct clock_manual manual;
    struct clock clock;
    struct spool_options opt;
};

static void setup(struct fixture *f) {
    agent_testdir(f->dir);
    f->manual = (struct clock_manual){INT64_C(1700000000000000000), 0};
    f->clock = clock_manual_view(&f->manual);
    f->opt = (struct spool_options){
        .dir = f->dir, .clock = &f->clock, .segment_bytes = 1000, .bytes_max = 4000};
}

static struct spool *open_it(struct fixture *f) {
    struct err err = {0};
    struct spool *s = spool_open(&f->opt, &err);
    if (!s)
        print_error("%s\n", err.message);
    assert_non_null(s);
    return s;
}

static void append(struct spool *s, int i) {
    struct err err = {0};
    char text[101];
    snprintf(text, sizeof(text), "record %04d %088d", i, i);
    assert_true(spool_append(s, str_from(text), 10, &err));
}

/* Reads all from `from`, checks that numbers are consecutive; returns how many, and the last
 * number. */
static int read_all(struct spool *s, struct spool_position from, int *out_first, int *out_last,
                    struct spool_position *end) {
    struct buf b = BUF_INIT;
    int n = 0;
    *out_first = *out_last = -1;
    for (;;) {
        struct err err = {0};
        struct spool_position p;
        bool found;
        assert_true(spool_next(s, from, &b, &p, &found, &err));
        if (!found)
            break;
        assert_true(spool_before(from, p));
        assert_true(str_starts(buf_view(&b), STR("record ")));
        int64_t number = 0;
        assert_true(str_to_i64(str_make(b.p + 7, 4), &number));
        if (*out_first < 0)
            *out_first = (int)number;
        else
            assert_int_equal(number, *out_last + 1);
        *out_last = (int)number;
        from = p;
        n++;
    }
    if (end)
        *end = from;
    buf_deinit(&b);
    return n;
}

static void order_and_release(void **state) {
    (void)state;
    struct fixture f;
    setup(&f);
    f.opt.bytes_max = 1 << 20;
    struct spool *s = open_it(&f);
    struct err err = {0};
    for (int i = 0; i < 50; i++)
        append(s, i);
    int first, last;
    struct spool_position end;
    assert_int_equal(read_all(s, (struct spool_position){0, 0}, &first, &last, &end), 50);
    assert_int_equal(first, 0);
    uint64_t full = spool_stats(s).bytes;
    assert_true(spool_release(s, end, &err));
    assert_true(spool_stats(s).bytes < full / 4);
    assert_int_equal(read_all(s, spool_released(s), &first, &last, NULL), 0);
    spool_close(s);
    s = open_it(&f); /* what was released stays released, and new positions are later ones */
    assert_int_equal(read_all(s, spool_released(s), &first, &last, NULL), 0);
    append(s, 50);
    struct spool_position after;
    assert_int_equal(read_all(s, end, &first, &last, &after), 1);
    assert_int_equal(first, 50);
    assert_true(spool_before(end, after));
    spool_close(s);
    agent_testdir_remove(f.dir);
}

/* As if the process had died at any byte of the last record's write. */
static void cut_anywhere(void **state) {
    (void)state;
    struct fixture f;
    setup(&f);
    f.opt.segment_bytes = 1 << 20;
    f.opt.bytes_max = 4 << 20;
    struct spool *s = open_it(&f);
    for (int i = 0; i < 3; i++)
        append(s, i);
    spool_close(s);
    struct arena a = ARENA_INIT;
    char **names, path[512];
    size_t n;
    struct err err = {0};
    assert_true(file_list(f.dir, &a, &names, &n, &err));
    assert_int_equal(n, 1);
    snprintf(path, sizeof(path), "%s/%s", f.dir, names[0]);
    struct buf whole = BUF_INIT;
    assert_true(file_read(path, 1 << 20, &whole, &err));
    for (size_t cut = whole.n; cut-- > 0;) {
        assert_int_equal(truncate(path, (off_t)cut), 0);
        int first, last;
        s = open_it(&f);
        int have = read_all(s, (struct spool_position){0, 0}, &first, &last, NULL);
        assert_true(have == (int)(cut < 16 ? 0 : (cut - 16) / 112));
        spool_close(s);
    }
    buf_deinit(&whole);
    arena_deinit(&a);
    agent_testdir_remove(f.dir);
}

static void a_flipped_bit_costs_one_record(void **state) {
    (void)state;
    struct fixture f;
    setup(&f);
    f.opt.segment_bytes = 1 << 20;
    f.opt.bytes_max = 4 << 20;
    struct spool *s = open_it(&f);
    for (int i = 0; i < 5; i++)
        append(s, i);
    spool_close(s);
    struct arena a = ARENA_INIT;
    char **names, path[512];
    size_t n;
    struct err err = {0};
    assert_true(file_list(f.dir, &a, &names, &n, &err));
    snprintf(path, sizeof(path), "%s/%s", f.dir, names[0]);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    off_t at = 16 + 112 * 2 + 50; /* inside the third record's bytes */
    char c;
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c = (char)(c ^ 1);
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
    s = open_it(&f);
    assert_int_equal(spool_stats(s).damaged_records, 1);
    struct buf b = BUF_INIT;
    struct spool_position p = {0, 0};
    bool found;
    int count = 0;
    while (spool_next(s, p, &b, &p, &found, &err) && found)
        count++;
    assert_int_equal(count, 4);
    buf_deinit(&b);
    spool_close(s);
    arena_deinit(&a);
    agent_testdir_remove(f.dir);
}

static void full_drops_the_oldest_and_counts(void **state) {
    (void)state;
    struct fixture f;
    setup(&f);
    struct spool *s = open_it(&f);
    for (int i = 0; i < 200; i++)
        append(s, i);
    struct spool_stats st = spool_stats(s);
    assert_true(st.bytes <= 4000);
    int first, last;
    int have = read_all(s, (struct spool_position){0, 0}, &first, &last, NULL);
    assert_int_equal(last, 199);
    assert_true(have > 10);
    assert_int_equal(st.dropped_rows, (200 - have) * 10);
    spool_close(s);
    agent_testdir_remove(f.dir);
}

/* The file system takes no more bytes, in the middle of a record and at the head of a new segment.
 */
static void a_full_disk_costs_only_what_was_refused(void **state) {
    (void)state;
    static const rlim_t limits[] = {700, 8};
    struct rlimit before;
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (size_t k = 0; k < 2; k++) {
        struct fixture f;
        setup(&f);
        struct spool *s = open_it(&f);
        for (int i = 0; i < 5; i++)
            append(s, i);
        struct rlimit small = {limits[k], before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        char text[400];
        memset(text, 'x', sizeof(text));
        struct err err = {0};
        for (int i = 0; i < 3; i++) {
            assert_false(spool_append(s, str_make(text, sizeof(text)), 10, &err));
            assert_true(err.message[0]);
        }
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        int first, last;
        assert_int_equal(read_all(s, (struct spool_position){0, 0}, &first, &last, NULL), 5);
        for (int i = 5; i < 8; i++)
            append(s, i);
        assert_int_equal(read_all(s, (struct spool_position){0, 0}, &first, &last, NULL), 8);
        spool_close(s);
        s = open_it(&f); /* and a restart finds the same */
        assert_int_equal(read_all(s, (struct spool_position){0, 0}, &first, &last, NULL), 8);
        assert_int_equal(spool_stats(s).damaged_records, 0);
        spool_close(s);
        agent_testdir_remove(f.dir);
    }
    (void)signal(SIGXFSZ, old);
}

static void corpus(void **state) {
    (void)state;
    assert_true(corpus_replay(TESTDATA_DIR "/spool", LLVMFuzzerTestOneInput) >= 5);
}

static void positions_grow_when_the_folder_is_lost(void **state) {
    (void)state;
    struct fixture f;
    setup(&f);
    struct spool *s = open_it(&f);
    append(s, 0);
    int first, last;
    struct spool_position before, after;
    read_all(s, (struct spool_position){0, 0}, &first, &last, &before);
    spool_close(s);
    agent_testdir_remove(f.dir);
    clock_manual_advance(&f.manual, DUR_S(1));
    s = open_it(&f);
    append(s, 1);
    read_all(s, (struct spool_position){0, 0}, &first, &last, &after);
    assert_true(spool_before(before, after));
    /* and the server may know of later ones, when the clock was wrong */
    spool_raise(s, (struct spool_position){after.segment + 1000, 5});
    append(s, 2);
    assert_int_equal(
        read_all(s, (struct spool_position){after.segment + 1000, 5}, &first, &last, &after), 1);
    assert_int_equal(first, 2);
    spool_close(s);
    agent_testdir_remove(f.dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(order_and_release),
                                       cmocka_unit_test(cut_anywhere),
                                       cmocka_unit_test(a_flipped_bit_costs_one_record),
                                       cmocka_unit_test(full_drops_the_oldest_and_counts),
                                       cmocka_unit_test(a_full_disk_costs_only_what_was_refused),
                                       cmocka_unit_test(corpus),
                                       cmocka_unit_test(positions_grow_when_the_folder_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
