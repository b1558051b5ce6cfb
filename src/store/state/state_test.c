#include "store/state/state.h"

#include "os/clock.h"
#include "os/file.h"
#include "os/random.h"
#include "os/thread.h"
#include "store/state/schema.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static char path[96];

static int setup(void **arg) {
    (void)arg;
    snprintf(dir, sizeof(dir), "/tmp/hinomi-state-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/state.db", dir);
    return 0;
}
static int teardown(void **arg) {
    (void)arg;
    struct err err = {0};
    assert_true(file_remove_tree(dir, &err));
    return 0;
}

static struct state *open_or_fail(void) {
    struct err err = {0};
    struct state *s = state_open(path, clock_system(), &err);
    if (!s)
        fail_msg("%s", err.message);
    return s;
}

static int64_t count(struct state *s, const char *sql) {
    struct err err = {0};
    struct state_tx *tx = state_begin_read(s, &err);
    assert_non_null(tx);
    struct state_rows *r = state_query(tx, &err, sql, "");
    assert_non_null(r);
    assert_true(state_next(r, &err));
    int64_t v = state_int(r, 0);
    state_rows_free(r);
    state_rollback(tx);
    return v;
}

static void test_kv_and_types(void **arg) {
    (void)arg;
    struct state *s = open_or_fail();
    struct err err = {0};
    struct arena a = ARENA_INIT;
    struct str v = {0};
    bool found = true;
    assert_true(state_kv_get(s, STR("language"), &a, &v, &found, &err));
    assert_false(found);
    assert_true(state_kv_put(s, STR("language"), STR("ja"), &err));
    assert_true(state_kv_put(s, STR("language"), STR("en"), &err));
    assert_true(state_kv_get(s, STR("language"), &a, &v, &found, &err));
    assert_true(found);
    assert_true(str_eqz(v, "en"));
    assert_true(state_kv_put(s, STR("empty"), (struct str){NULL, 0}, &err));
    assert_true(state_kv_get(s, STR("empty"), &a, &v, &found, &err));
    assert_true(found && v.n == 0);

    struct state_tx *tx = state_begin(s, &err);
    assert_non_null(tx);
    assert_true(
        state_exec(tx, &err, "CREATE TEMP TABLE t(i INTEGER, d REAL, s TEXT, b BLOB, n TEXT)", ""));
    assert_true(state_exec(tx, &err, "INSERT INTO t VALUES(?,?,?,?,?)", "idsbn", INT64_MIN, 0.1,
                           STR("火の見\0x"), STR("\0\xff"), NULL));
    assert_int_equal(state_changes(tx), 1);
    struct state_rows *r =
        state_query(tx, &err, "SELECT i,d,s,b,n FROM t WHERE i=?", "i", INT64_MIN);
    assert_non_null(r);
    assert_true(state_next(r, &err));
    assert_true(state_int(r, 0) == INT64_MIN);
    assert_true(state_double(r, 1) == 0.1);
    assert_true(str_eq(state_str(r, 2), STR("火の見\0x")));
    assert_true(str_eq(state_str(r, 3), STR("\0\xff")));
    assert_true(state_is_null(r, 4));
    assert_false(state_next(r, &err));
    assert_int_equal(err.code, ERR_OK);
    state_rows_free(r);
    assert_true(state_commit(tx, &err));
    arena_deinit(&a);
    state_close(s);
}

static void test_errors_are_told(void **arg) {
    (void)arg;
    struct state *s = open_or_fail();
    struct err err = {0};
    struct state_tx *tx = state_begin(s, &err);
    assert_false(state_exec(tx, &err, "INSERT INTO nowhere VALUES(1)", ""));
    assert_int_equal(err.code, ERR_INTERNAL);
    assert_non_null(strstr(err.message, "nowhere"));
    assert_false(state_exec(tx, &err, "INSERT INTO sessions VALUES(x'00',99,'',0,0,0,'','')", ""));
    assert_int_equal(err.code, ERR_CONFLICT); /* no such user: foreign keys are on */
    struct state_fact f = {7, STR("deploy"), STR("shop"), STR("v2"), STR("{}"), STR("api/me")};
    assert_true(state_fact(tx, &f, &err));
    assert_false(state_exec(tx, &err, "UPDATE facts SET body='x'", ""));
    assert_non_null(strstr(err.message, "append-only"));
    assert_false(state_exec(tx, &err, "DELETE FROM facts", ""));
    assert_true(state_commit(tx, &err));
    assert_int_equal(count(s, "SELECT count(*) FROM facts WHERE at_ms=7"), 1);
    state_close(s);
}

static void test_rollback_and_many_statements(void **arg) {
    (void)arg;
    struct state *s = open_or_fail();
    struct err err = {0};
    struct state_tx *tx = state_begin(s, &err);
    assert_true(state_exec(tx, &err, "INSERT INTO kv VALUES('a',x'31',0)", ""));
    state_rollback(tx);
    assert_int_equal(count(s, "SELECT count(*) FROM kv"), 0);
    tx = state_begin(s, &err);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < CONN_STATEMENTS_MAX + 20; i++) { /* more texts than the cache holds */
            char sql[96];
            snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO kv VALUES('k%d',?,%d)", i, round);
            assert_true(state_exec(tx, &err, sql, "b", STR("v")));
        }
    struct state_rows *open[CONN_STATEMENTS_MAX + 4]; /* the same statement many times at once */
    for (size_t i = 0; i < CONN_STATEMENTS_MAX + 4; i++) {
        open[i] = state_query(tx, &err, "SELECT value FROM kv ORDER BY key", "");
        assert_non_null(open[i]);
        assert_true(state_next(open[i], &err));
    }
    for (size_t i = 0; i < CONN_STATEMENTS_MAX + 4; i++)
        state_rows_free(open[i]);
    assert_true(state_commit(tx, &err));
    assert_int_equal(count(s, "SELECT count(*) FROM kv"), CONN_STATEMENTS_MAX + 20);
    state_close(s);
}

struct contender {
    struct state *s;
    struct thread t;
    int id, rounds;
    bool write;
    int64_t bad;
};

static void contend(void *arg) {
    struct contender *c = arg;
    struct err err = {0};
    for (int i = 0; i < c->rounds; i++) {
        struct state_tx *tx = c->write ? state_begin(c->s, &err) : state_begin_read(c->s, &err);
        if (!tx) {
            c->bad++;
            continue;
        }
        if (c->write) { /* two rows that must always agree */
            bool ok =
                state_exec(tx, &err, "UPDATE kv SET changed_ms=changed_ms+1 WHERE key='x'", "") &&
                state_exec(tx, &err, "UPDATE kv SET changed_ms=changed_ms+1 WHERE key='y'", "");
            c->bad += !ok;
            c->bad += !state_commit(tx, &err);
            continue;
        }
        struct state_rows *r = state_query(tx, &err,
                                           "SELECT (SELECT changed_ms FROM kv WHERE key='x'),"
                                           "(SELECT changed_ms FROM kv WHERE key='y')",
                                           "");
        if (!r || !state_next(r, &err) || state_int(r, 0) != state_int(r, 1))
            c->bad++;
        state_rows_free(r);
        state_rollback(tx);
    }
}

static void test_readers_beside_writers(void **arg) {
    (void)arg;
    struct state *s = open_or_fail();
    struct err err = {0};
    struct state_tx *tx = state_begin(s, &err);
    assert_true(state_exec(tx, &err, "INSERT INTO kv VALUES('x',x'',0),('y',x'',0)", ""));
    assert_true(state_commit(tx, &err));
    struct contender c[24]; /* more readers than the pool has */
    for (int i = 0; i < 24; i++) {
        c[i] = (struct contender){.s = s, .id = i, .rounds = 20, .write = i < 4};
        assert_true(thread_start(&c[i].t, "contend", contend, &c[i], &err));
    }
    for (int i = 0; i < 24; i++) {
        thread_join(&c[i].t);
        assert_int_equal(c[i].bad, 0);
    }
    assert_int_equal(count(s, "SELECT changed_ms FROM kv WHERE key='x'"), 4 * 20);
    state_close(s);
}

/* The child commits pairs and says so after each commit; it is killed at any moment. What it said
 * must be there, and no half of a pair. */
static void child_commits(int say) {
    struct err err = {0};
    struct state *s = state_open(path, clock_system(), &err);
    if (!s)
        _exit(3);
    for (int64_t i = count(s, "SELECT coalesce(max(at_ms),0) FROM facts") + 1;; i++) {
        struct state_tx *tx = state_begin(s, &err);
        struct state_fact f = {i, STR("pair"), STR("a"), STR(""), STR("{}"), STR("test")};
        struct state_fact g = {i, STR("pair"), STR("b"), STR(""), STR("{}"), STR("test")};
        if (!tx || !state_fact(tx, &f, &err) || !state_fact(tx, &g, &err) ||
            !state_commit(tx, &err))
            _exit(4);
        if (write(say, &i, sizeof(i)) != (ssize_t)sizeof(i))
            _exit(5);
    }
}

static void test_kill_9(void **arg) {
    (void)arg;
    int64_t said = 0;
    for (int round = 0; round < 12; round++) {
        int p[2];
        assert_int_equal(pipe(p), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(p[0]);
            child_commits(p[1]);
        }
        close(p[1]);
        int64_t v;
        uint64_t wait_for = 1 + random_u64() % 40; /* commits seen before the kill */
        for (uint64_t n = 0; n < wait_for && read(p[0], &v, sizeof(v)) == (ssize_t)sizeof(v); n++)
            said = v;
        usleep((useconds_t)(random_u64() % 2000)); /* anywhere within a commit */
        assert_int_equal(kill(pid, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        while (read(p[0], &v, sizeof(v)) == (ssize_t)sizeof(v))
            said = v;
        close(p[0]);
        struct state *s = open_or_fail();
        assert_true(count(s, "SELECT coalesce(max(at_ms),0) FROM facts") >= said);
        assert_int_equal(
            count(
                s,
                "SELECT count(*) FROM (SELECT at_ms FROM facts GROUP BY at_ms HAVING count(*)<>2)"),
            0);
        state_close(s);
        struct buf report = BUF_INIT;
        struct err err = {0};
        bool clean = false;
        assert_true(state_verify(path, &report, &clean, &err));
        assert_true(clean);
        buf_deinit(&report);
    }
    assert_true(said > 12);
}

static bool put_big(struct state *s, int i, struct err *err) {
    char key[16], value[4000];
    memset(value, 'x', sizeof(value));
    int n = snprintf(key, sizeof(key), "%d", i);
    return state_kv_put(s, (struct str){key, (size_t)n}, (struct str){value, sizeof(value)}, err);
}

/* A file size limit stands in for a full disk: writes fail the same way. In a child, since the
 * limit is the process's. */
static void test_full_disk(void **arg) {
    (void)arg;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)signal(SIGXFSZ, SIG_IGN);
        struct err err = {0};
        struct state *s = state_open(path, clock_system(), &err);
        struct rlimit l;
        if (!s || getrlimit(RLIMIT_FSIZE, &l) != 0)
            _exit(1);
        rlim_t before = l.rlim_cur;
        l.rlim_cur = 1 << 20;
        if (setrlimit(RLIMIT_FSIZE, &l) != 0)
            _exit(2);
        int good = 0;
        while (good < 5000 && put_big(s, good, &err))
            good++;
        if (good == 5000 || err.code != ERR_UNAVAILABLE || !strstr(err.message, "no room")) {
            fprintf(stderr, "after %d: %s\n", good, err.message);
            _exit(3);
        }
        if (put_big(s, good, &err) || err.code != ERR_UNAVAILABLE) /* again, and still in order */
            _exit(4);
        if (count(s, "SELECT count(*) FROM kv") != good) /* reading goes on */
            _exit(5);
        l.rlim_cur = before;
        if (setrlimit(RLIMIT_FSIZE, &l) != 0)
            _exit(6);
        if (!put_big(s, good, &err) || count(s, "SELECT count(*) FROM kv") != good + 1)
            _exit(7);
        state_close(s);
        struct buf report = BUF_INIT;
        bool clean = false;
        if (!state_verify(path, &report, &clean, &err) || !clean)
            _exit(8);
        buf_deinit(&report);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_migrations(void **arg) {
    (void)arg;
    static const struct schema_migration v1[] = {
        {"one", "CREATE TABLE a(x INTEGER) STRICT; INSERT INTO a VALUES(1);"}};
    static const struct schema_migration v2[] = {
        {"one", "CREATE TABLE a(x INTEGER) STRICT; INSERT INTO a VALUES(1);"},
        {"two", "ALTER TABLE a ADD COLUMN y TEXT;"}};
    static const struct schema_migration bad[] = {
        {"one", "CREATE TABLE a(x INTEGER) STRICT; INSERT INTO a VALUES(1);"},
        {"two", "ALTER TABLE a ADD COLUMN y TEXT;"},
        {"three", "CREATE TABLE c(x); INSERT INTO gone VALUES(1);"}};
    static const struct schema_migration other[] = {{"one", "CREATE TABLE a(z INTEGER) STRICT;"}};
    struct conn c;
    struct err err = {0};
    assert_true(conn_open(&c, path, false, &err));
    assert_true(schema_migrate(&c, v1, 1, 0, &err));
    assert_true(schema_migrate(&c, v1, 1, 0, &err)); /* nothing to do */
    assert_true(schema_migrate(&c, v2, 2, 0, &err));
    char saved[128];
    snprintf(saved, sizeof(saved), "%s.schema-1", path);
    assert_true(file_exists(saved)); /* the way back */
    assert_false(schema_migrate(&c, bad, 3, 0, &err));
    assert_non_null(strstr(err.message, "three"));
    assert_true(schema_migrate(&c, v2, 2, 0, &err)); /* the failed one left no trace */
    assert_true(conn_exec(&c, "CREATE TABLE c(x)", &err));
    assert_false(schema_migrate(&c, v1, 1, 0, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_non_null(strstr(err.message, "newer hinomi"));
    assert_false(schema_migrate(&c, other, 1, 0, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    conn_close(&c);
}

static void test_newer_schema_refused(void **arg) {
    (void)arg;
    state_close(open_or_fail());
    struct conn c;
    struct err err = {0};
    assert_true(conn_open(&c, path, false, &err));
    assert_true(conn_exec(&c, "INSERT INTO schema_migrations VALUES(9999,'future',1,0)", &err));
    conn_close(&c);
    assert_null(state_open(path, clock_system(), &err));
    assert_int_equal(err.code, ERR_CONFLICT);
}

static void test_damage_is_found(void **arg) {
    (void)arg;
    struct state *s = open_or_fail();
    struct err err = {0};
    for (int i = 0; i < 40; i++)
        assert_true(put_big(s, i, &err));
    state_close(s);
    struct buf report = BUF_INIT;
    bool clean = true;
    int fd = -1;
    assert_true(file_open(path, O_RDWR, 0, &fd, &err));
    int64_t size = 0;
    assert_true(file_size(fd, &size, &err));
    char junk[8192];
    memset(junk, 0x5a, sizeof(junk));
    for (int64_t at = 65536; at + (int64_t)sizeof(junk) < size; at += 65536)
        assert_true(file_pwrite_all(fd, junk, sizeof(junk), at, path, &err));
    file_close(fd);
    assert_true(state_verify(path, &report, &clean, &err));
    assert_false(clean);
    assert_true(report.n > 0);
    /* not a database at all */
    assert_true(file_write_atomic(path, STR("this is no database, it is a letter to the reader"),
                                  0600, &err));
    assert_true(state_verify(path, &report, &clean, &err));
    assert_false(clean);
    assert_null(state_open(path, clock_system(), &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    buf_deinit(&report);
    assert_false(state_verify("/tmp/hinomi-no-such/state.db", &report, &clean, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_private_file(void **arg) {
    (void)arg;
    state_close(open_or_fail());
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_kv_and_types),
        T(test_errors_are_told),
        T(test_rollback_and_many_statements),
        T(test_readers_beside_writers),
        T(test_kill_9),
        T(test_full_disk),
        T(test_migrations),
        T(test_newer_schema_refused),
        T(test_damage_is_found),
        T(test_private_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
