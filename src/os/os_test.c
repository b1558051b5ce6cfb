/* Files, locks, queues, threads: the parts that durability and shutdown stand on. */
#include "base/base_testlib.h"

#include "os/clock.h"
#include "os/file.h"
#include "os/queue.h"
#include "os/random.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

static int setup(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/hinomi-os-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    struct err e;
    return file_remove_tree(folder, &e) ? 0 : -1;
}

static const char *in_folder(const char *name) {
    static char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void atomic_write_replaces_whole(void **state) {
    (void)state;
    struct err e;
    struct buf b = BUF_INIT;
    assert_true(file_write_atomic(in_folder("x"), STR("one"), 0600, &e));
    assert_true(file_write_atomic(in_folder("x"), STR("two"), 0600, &e));
    assert_true(file_read(in_folder("x"), 100, &b, &e));
    assert_str(buf_view(&b), "two");
    assert_false(file_exists(in_folder("x.tmp")));
    struct stat st;
    assert_int_equal(stat(in_folder("x"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_false(file_read(in_folder("x"), 2, &b, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    assert_str(buf_view(&b), "two"); /* outputs untouched on failure */
    assert_false(file_write_atomic(in_folder("no/such/x"), STR("one"), 0600, &e));
    assert_non_null(strstr(e.message, "no/such/x"));
    buf_deinit(&b);
}

static void reads_proc_files_of_size_zero(void **state) {
    (void)state;
    struct err e;
    struct buf b = BUF_INIT;
    assert_true(file_read("/proc/self/stat", 1 << 16, &b, &e));
    assert_true(b.n > 10);
    buf_deinit(&b);
}

static void lists_and_removes(void **state) {
    (void)state;
    struct err e;
    char deep[256];
    (void)snprintf(deep, sizeof(deep), "%s/a/b/c", folder);
    assert_true(file_mkdirs(deep, 0755, &e));
    assert_true(file_mkdirs(deep, 0755, &e));
    assert_true(file_write_atomic(in_folder("a/2"), STR(""), 0600, &e));
    assert_true(file_write_atomic(in_folder("a/1"), STR(""), 0600, &e));
    struct arena a = ARENA_INIT;
    char **names;
    size_t n;
    assert_true(file_list(in_folder("a"), &a, &names, &n, &e));
    assert_int_equal(n, 3);
    assert_string_equal(names[0], "1");
    assert_string_equal(names[2], "b");
    arena_deinit(&a);
    assert_true(file_remove_tree(in_folder("a"), &e));
    assert_false(file_exists(in_folder("a")));
    assert_true(file_remove_tree(in_folder("a"), &e)); /* missing is fine */
}

static void a_second_owner_is_kept_out(void **state) {
    (void)state;
    struct err e;
    int fd;
    assert_true(file_lock_dir(folder, &fd, &e));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int other;
        bool got = file_lock_dir(folder, &other, &e);
        char pid[32];
        (void)snprintf(pid, sizeof(pid), "pid %d", (int)getppid());
        _exit(!got && e.code == ERR_CONFLICT && strstr(e.message, pid) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    file_close(fd);
    assert_true(file_lock_dir(folder, &fd, &e)); /* the lock goes with its holder */
    file_close(fd);
}

static void short_file_is_corrupt_not_garbage(void **state) {
    (void)state;
    struct err e;
    char got[10];
    int fd;
    assert_true(file_write_atomic(in_folder("s"), STR("12345"), 0600, &e));
    assert_true(file_open(in_folder("s"), O_RDONLY, 0, &fd, &e));
    assert_false(file_pread_all(fd, got, 10, 0, "s", &e));
    assert_int_equal(e.code, ERR_CORRUPT);
    file_close(fd);
}

struct pipe_test {
    struct queue q;
    uintptr_t sum;
};

static void consume(void *arg) {
    struct pipe_test *p = arg;
    void *item;
    while ((item = queue_pop(&p->q, (dur_t){-1})))
        p->sum += (uintptr_t)item;
}

static void queue_moves_all_and_refuses_when_full(void **state) {
    (void)state;
    struct err e;
    struct pipe_test p = {0};
    assert_true(queue_init(&p.q, 4, &e));
    for (uintptr_t i = 1; i <= 4; i++)
        assert_true(queue_push(&p.q, (void *)i));
    assert_false(queue_push(&p.q, (void *)5));
    struct thread t = {0};
    assert_true(thread_start(&t, "consumer", consume, &p, &e));
    uintptr_t want = 10;
    for (uintptr_t i = 5; i < 1000; i++) {
        while (!queue_push(&p.q, (void *)i))
            (void)sched_yield();
        want += i;
    }
    queue_close(&p.q);
    thread_join(&t);
    assert_int_equal(p.sum, want);
    assert_false(queue_push(&p.q, (void *)1));
    assert_null(queue_pop(&p.q, DUR_MS(1)));
    queue_deinit(&p.q);
}

static void clocks_and_randomness(void **state) {
    (void)state;
    const struct clock *c = clock_system();
    mono_t a = c->mono(c->self), b = c->mono(c->self);
    assert_true(b.ns >= a.ns);
    assert_true(clock_wall_ms(c) > 1700000000000);
    assert_true(random_u64() != random_u64());
}

static void knows_its_file_system(void **state) {
    (void)state;
    struct err e;
    struct fs_info info;
    assert_true(file_fs_info("/proc", &info, &e));
    assert_true(file_fs_info(folder, &info, &e));
    assert_true(info.total_bytes >= info.avail_bytes);
    assert_false(file_fs_info("/no/such/place", &info, &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(atomic_write_replaces_whole),
        cmocka_unit_test(reads_proc_files_of_size_zero),
        cmocka_unit_test(lists_and_removes),
        cmocka_unit_test(a_second_owner_is_kept_out),
        cmocka_unit_test(short_file_is_corrupt_not_garbage),
        cmocka_unit_test(queue_moves_all_and_refuses_when_full),
        cmocka_unit_test(clocks_and_randomness),
        cmocka_unit_test(knows_its_file_system),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
