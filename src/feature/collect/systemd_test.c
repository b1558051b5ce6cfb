/* systemd's answers over a socket: a double of the bus that speaks the wire format of the
 * specification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/corpus_testlib.h"
#include "feature/collect/collect_testlib.h"
#include "feature/collect/sdbus_fuzz.c"
#include "os/file.h"
#include "os/thread.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct bus { /* the double */
    struct testtree tree;
    int listen_fd;
    struct thread thread;
    _Atomic bool stopping;
    bool refuse, garbage;
    unsigned calls;
};

static void align(struct buf *b, size_t to) {
    while (b->n % to)
        buf_putc(b, '\0');
}

static void text(struct buf *b, const char *s) {
    align(b, 4);
    buf_le32(b, (uint32_t)strlen(s));
    buf_put(b, s, strlen(s) + 1);
}

static void unit(struct buf *b, const char *name, const char *load, const char *active) {
    align(b, 8);
    text(b, name);
    text(b, "a description");
    text(b, load);
    text(b, active);
    text(b, "running");
    text(b, "");
    text(b, "/org/freedesktop/systemd1/unit/x");
    align(b, 4);
    buf_le32(b, 0);
    text(b, "");
    text(b, "/");
}

/* A return message; signal: a message of type 4 that nobody asked for. */
static void message(struct buf *out, uint8_t type, uint32_t reply_to, struct str body,
                    const char *signature) {
    struct buf f = BUF_INIT;
    buf_putc(&f, 5);
    buf_putc(&f, 1);
    buf_put(&f, "u\0", 2);
    buf_le32(&f, reply_to);
    align(&f, 8);
    buf_putc(&f, 8);
    buf_putc(&f, 1);
    buf_put(&f, "g\0", 2);
    buf_putc(&f, (char)strlen(signature));
    buf_put(&f, signature, strlen(signature) + 1);
    const char head[] = {'l', (char)type, 1, 1};
    buf_put(out, head, 4);
    buf_le32(out, (uint32_t)body.n);
    buf_le32(out, 77);
    buf_le32(out, (uint32_t)f.n);
    buf_puts(out, buf_view(&f));
    align(out, 8);
    buf_puts(out, body);
    buf_deinit(&f);
}

static void units_body(struct buf *body) {
    struct buf v = BUF_INIT;
    unit(&v, "nginx.service", "loaded", "active");
    unit(&v, "backup@db\\x2d1.service", "loaded", "failed");
    unit(&v, "tmp.mount", "loaded", "active");
    unit(&v, "gone.service", "not-found", "inactive");
    unit(&v, "daily.timer", "loaded", "active");
    buf_le32(body, (uint32_t)v.n);
    align(body, 8);
    buf_puts(body, buf_view(&v));
    buf_deinit(&v);
}

static void answer(struct bus *bus, int fd, struct str call) {
    struct buf body = BUF_INIT, out = BUF_INIT;
    struct cur c = cur_from(str_from_offset(call, 8));
    uint32_t serial = cur_le32(&c);
    const char *signature = "s";
    bus->calls++;
    if (str_find(call, STR("ListUnits")) != SIZE_MAX) {
        units_body(&body);
        signature = "a(ssssssouso)";
        if (bus->garbage)
            body.n /= 2;
    } else if (str_find(call, STR("Hello")) != SIZE_MAX) {
        text(&body, ":1.5");
    } else {
        assert_true(str_find(call, STR("nginx_2eservice")) != SIZE_MAX ||
                    str_find(call, STR("backup_40db_5cx2d1_2eservice")) != SIZE_MAX);
        buf_put(&body, "\1s\0", 3);
        text(&body, "notify");
        signature = "v";
    }
    message(&out, 4, 0, STR(""), ""); /* a signal comes first */
    message(&out, 2, serial, buf_view(&body), signature);
    ssize_t n = send(fd, out.p, out.n, MSG_NOSIGNAL);
    (void)n;
    buf_deinit(&body);
    buf_deinit(&out);
}

static void serve_one(struct bus *bus, int fd) {
    char in[4096];
    size_t n = 0;
    bool greeted = false;
    for (;;) {
        ssize_t r = recv(fd, in + n, sizeof(in) - n, 0);
        if (r <= 0)
            return;
        n += (size_t)r;
        struct str s = str_make(in, n);
        if (!greeted && str_starts(s, STR("\0AUTH EXTERNAL ")) && str_ends(s, STR("\r\n"))) {
            struct str a = bus->refuse ? STR("REJECTED EXTERNAL\r\n") : STR("OK 1234deadbeef\r\n");
            (void)!send(fd, a.p, a.n, MSG_NOSIGNAL);
            greeted = true;
            n = 0;
        } else if (greeted) {
            size_t from = str_starts(s, STR("BEGIN\r\n")) ? 7 : 0, length;
            struct str m = str_from_offset(s, from);
            struct err err = {0};
            if (m.n < 16)
                continue;
            if (!sdbus_length(str_sub(m, 0, 16), &length, &err) || m.n < length)
                continue;
            answer(bus, fd, m);
            n = 0;
        }
    }
}

static void serve(void *arg) {
    struct bus *bus = arg;
    struct pollfd p = {.fd = bus->listen_fd, .events = POLLIN};
    while (!bus->stopping) {
        if (poll(&p, 1, 20) != 1)
            continue;
        int fd = accept(bus->listen_fd, NULL, NULL);
        if (fd < 0)
            continue;
        serve_one(bus, fd);
        close(fd);
    }
}

static int setup(void **state) {
    struct bus *bus = calloc(1, sizeof(*bus));
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    testtree_init(&bus->tree);
    testtree_put(&bus->tree, "run/systemd/system/x", STR(""));
    testtree_put(&bus->tree, "run/dbus/x", STR(""));
    testtree_put(&bus->tree, "proc/stat", STR(""));
    testtree_put(&bus->tree, "etc/hostname", STR("box"));
    snprintf(at.sun_path, sizeof(at.sun_path), "%.64s/run/dbus/system_bus_socket", bus->tree.dir);
    bus->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(bus->listen_fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(bus->listen_fd, 4), 0);
    struct err err = {0};
    assert_true(thread_start(&bus->thread, "bus", serve, bus, &err));
    *state = bus;
    return 0;
}

static int teardown(void **state) {
    struct bus *bus = *state;
    bus->stopping = true;
    thread_join(&bus->thread);
    close(bus->listen_fd);
    testtree_deinit(&bus->tree);
    free(bus);
    return 0;
}

static void round_of(struct bus *bus, struct testsink *sink, struct overview *o, struct arena *a) {
    char proc[300], sys[300];
    struct err err = {0};
    struct clock_manual manual = {1700000000000000000, 1000000000};
    struct clock clock = clock_manual_view(&manual);
    snprintf(proc, sizeof(proc), "%s/proc", bus->tree.dir);
    snprintf(sys, sizeof(sys), "%s/sys", bus->tree.dir);
    struct collect_options opt = {.proc = proc,
                                  .sys = sys,
                                  .root = bus->tree.dir,
                                  .clock = &clock,
                                  .sink = testsink_view(sink),
                                  .no_threads = true};
    struct collect *c = collect_new(&opt, &err);
    assert_non_null(c);
    for (int i = 0; i < 2; i++) {
        assert_true(collect_tick(c, &err));
        clock_manual_advance(&manual, DUR_S(1));
    }
    assert_true(collect_overview(c, a, o));
    collect_free(c);
}

static enum freshness freshness_of(const struct overview *o, const char *name,
                                   struct str *out_detail) {
    for (size_t i = 0; i < o->n_sources; i++)
        if (str_eqz(o->sources[i].name, name)) {
            *out_detail = o->sources[i].detail;
            return o->sources[i].freshness;
        }
    fail_msg("no source %s", name);
    return FRESH_UNKNOWN;
}

static void units_are_told(void **state) {
    struct bus *bus = *state;
    struct testsink sink = {0};
    struct arena a = ARENA_INIT;
    struct overview o;
    testtree_put(&bus->tree, "sys/fs/cgroup/cgroup.controllers", STR("cpu"));
    testtree_put(&bus->tree, "sys/fs/cgroup/system.slice/nginx.service/cpu.stat",
                 STR("usage_usec 5\n"));
    round_of(bus, &sink, &o, &a);
    const struct testpoint *p =
        testsink_get(&sink, "node_systemd_unit_state{instance=\"box\", job=\"node\", "
                            "name=\"nginx.service\", state=\"active\", type=\"notify\"}");
    assert_non_null(p);
    assert_true(p->value == 1);
    p = testsink_get(&sink, "node_systemd_unit_state{instance=\"box\", job=\"node\", "
                            "name=\"nginx.service\", state=\"failed\", "
                            "type=\"notify\"}");
    assert_true(p && p->value == 0);
    p = testsink_get(&sink, "node_systemd_unit_state{instance=\"box\", job=\"node\", "
                            "name=\"backup@db\\\\x2d1.service\", "
                            "state=\"failed\", type=\"notify\"}");
    assert_true(p && p->value == 1);
    assert_non_null(testsink_get(&sink, "node_systemd_unit_state{instance=\"box\", job=\"node\", "
                                        "name=\"daily.timer\", state=\"active\"}"));
    size_t n = 0;
    for (struct map_entry *e = map_next(&sink.series, NULL); e; e = map_next(&sink.series, e))
        n += str_starts(e->key, STR("node_systemd_unit_state{"));
    assert_int_equal(n, 3 * 5); /* no mount, nothing that is not loaded */
    assert_int_equal(o.n_units, 2);
    assert_true(str_eqz(o.units[0].name, "nginx.service") && str_eqz(o.units[0].state, "active"));
    assert_true(str_eqz(o.units[1].state, "failed"));
    assert_int_equal(bus->calls, 4); /* Hello, ListUnits, the types of two services */
    arena_deinit(&a);
    testsink_deinit(&sink);
}

static void unknown_is_not_ok(struct bus *bus, enum freshness expected, const char *why) {
    struct testsink sink = {0};
    struct arena a = ARENA_INIT;
    struct overview o;
    struct str detail;
    round_of(bus, &sink, &o, &a);
    assert_int_equal(freshness_of(&o, "systemd", &detail), expected);
    if (str_find(detail, str_from(why)) == SIZE_MAX)
        fail_msg("the detail is \"%.*s\"", STR_FMT(detail));
    for (struct map_entry *e = map_next(&sink.series, NULL); e; e = map_next(&sink.series, e))
        assert_false(str_starts(e->key, STR("node_systemd_unit_state{")));
    arena_deinit(&a);
    testsink_deinit(&sink);
}

static void refused(void **state) {
    ((struct bus *)*state)->refuse = true;
    unknown_is_not_ok(*state, FRESH_UNKNOWN, "does not let us in");
}

static void garbage(void **state) {
    ((struct bus *)*state)->garbage = true;
    unknown_is_not_ok(*state, FRESH_UNKNOWN, "cannot be read");
}

static void no_systemd(void **state) {
    struct bus *bus = *state;
    testtree_del(&bus->tree, "run/systemd/system/x");
    char path[300];
    snprintf(path, sizeof(path), "%s/run/systemd/system", bus->tree.dir);
    assert_int_equal(rmdir(path), 0);
    unknown_is_not_ok(bus, FRESH_OK, "no systemd runs here");
}

static void corpus(void **state) {
    (void)state;
    assert_true(corpus_replay(TESTDATA_DIR "/sdbus", LLVMFuzzerTestOneInput) >= 4);
    const char *where =
        getenv("HINOMI_WRITE_CORPUS"); /* for a person: what a good answer looks like */
    if (where) {
        struct buf body = BUF_INIT, out = BUF_INIT;
        struct err err = {0};
        char path[512];
        units_body(&body);
        message(&out, 2, 7, buf_view(&body), "a(ssssssouso)");
        snprintf(path, sizeof(path), "%s/good-units", where);
        assert_true(file_write_atomic(path, buf_view(&out), 0644, &err));
        buf_deinit(&body);
        buf_deinit(&out);
    }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(units_are_told), T(refused), T(garbage), T(no_systemd),
                                       cmocka_unit_test(corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
