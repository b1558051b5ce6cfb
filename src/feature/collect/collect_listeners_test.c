/* Listeners: of trees of our own making, and of a real socket on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feature/collect/collect_testlib.h"
#include "feature/collect/sockets.h"
#include "feature/collect/tlsprobe.h"
#include "os/file.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD                                                                                       \
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "  \
    "inode\n"
#define LINE(n, local, state, inode)                                                               \
    "   " n ": " local " 00000000:0000 " state                                                     \
    " 00000000:00000000 00:00000000 00000000     0        0 " inode                                \
    " 1 0000000000000000 100 0 0 10 0\n"

static void lines(void **state) {
    (void)state;
    struct socket_entry e;
    assert_true(sockets_parse_line(
        STR("   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   "
            "106        0 4711 1 0 100 0"),
        false, false, &e));
    assert_string_equal(e.address, "127.0.0.1");
    assert_int_equal(e.port, 5432);
    assert_int_equal(e.inode, 4711);
    assert_true(e.loopback && !e.any);
    assert_true(
        sockets_parse_line(STR("  12: 00000000000000000000000001000000:0050 "
                               "00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 9 1"),
                           false, true, &e));
    assert_string_equal(e.address, "::1");
    assert_true(e.loopback);
    assert_true(
        sockets_parse_line(STR("  12: 0000000000000000FFFF00000100007F:0050 "
                               "00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 9 1"),
                           false, true, &e));
    assert_string_equal(e.address, "127.0.0.1");
    assert_true(sockets_parse_line(STR("0: 00000000:0035 00000000:0000 07 0:0 0:0 0 0 0 5 2"), true,
                                   false, &e));
    assert_true(e.udp && e.any);
    static const char *const bad[] = {
        "",
        "  sl  local_address rem_address   st",
        "0: 0100007F:1538 0100007F:9999 01 0:0 0:0 0 0 0 5 2",  /* established */
        "0: 00000000:0035 08080808:0035 01 0:0 0:0 0 0 0 5 2",  /* connected UDP */
        "0: 0100007F:1538 00000000:0000 0A 0:0 0:0 0 0",        /* cut */
        "0: 0100007F:1538 00000000:0000 0A 0:0 0:0 0 0 0 x 2",  /* no inode */
        "0: 0100007F:FFFFF 00000000:0000 0A 0:0 0:0 0 0 0 5 2", /* no port */
        "0: 0100007:1538 00000000:0000 0A 0:0 0:0 0 0 0 5 2",   /* no address */
        "0: 0100007G:1538 00000000:0000 0A 0:0 0:0 0 0 0 5 2",
        "0: :1538 00000000:0000 0A 0:0 0:0 0 0 0 5 2",
        "0 0100007F:1538 00000000:0000 0A 0:0 0:0 0 0 0 5 2",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(sockets_parse_line(str_from(bad[i]), false, false, &e));
}

struct world {
    struct testtree tree;
    struct testsink sink;
    struct clock_manual manual;
    struct clock clock;
    char proc[300], sys[300];
    struct collect *c;
};

static void put(struct world *w, const char *path, const char *text) {
    testtree_put(&w->tree, path, str_from(text));
}

static void tick(struct world *w) {
    struct err err = {0};
    assert_true(collect_tick(w->c, &err));
    clock_manual_advance(&w->manual, DUR_S(20)); /* so that the next one gathers again */
}

static void start(struct world *w) {
    struct err err = {0};
    memset(w, 0, sizeof(*w));
    testtree_init(&w->tree);
    w->manual = (struct clock_manual){1700000000000000000, 1000000000};
    w->clock = clock_manual_view(&w->manual);
    snprintf(w->proc, sizeof(w->proc), "%s/proc", w->tree.dir);
    snprintf(w->sys, sizeof(w->sys), "%s/sys", w->tree.dir);
    put(w, "etc/hostname", "box\n");
    put(w, "proc/10/comm", "postgres\n");
    testtree_link(&w->tree, "proc/10/fd/3", "socket:[100]");
    put(w, "proc/20/comm", "evil\"\n\xff name\n");
    testtree_link(&w->tree, "proc/20/fd/4", "socket:[200]");
    testtree_link(&w->tree, "proc/20/fd/5", "socket:[201]");
    testtree_link(&w->tree, "proc/20/fd/6", "socket:[");
    testtree_link(&w->tree, "proc/20/fd/7", "/dev/null");
    put(w, "proc/net/tcp",
        HEAD LINE("0", "0100007F:1538", "0A", "100") LINE("1", "00000000:2382", "0A", "200")
            LINE("2", "00000000:2382", "0A", "201") LINE("3", "0100007F:0016", "0A", "300"));
    struct collect_options opt = {.proc = w->proc,
                                  .sys = w->sys,
                                  .root = w->tree.dir,
                                  .clock = &w->clock,
                                  .sink = testsink_view(&w->sink),
                                  .no_threads = true};
    w->c = collect_new(&opt, &err);
    assert_non_null(w->c);
}

static void stop(struct world *w) {
    collect_free(w->c);
    testsink_deinit(&w->sink);
    testtree_deinit(&w->tree);
}

static void whose_they_are(void **state) {
    (void)state;
    static struct world w;
    start(&w);
    tick(&w);
    struct arena a = ARENA_INIT;
    struct overview o;
    assert_true(collect_overview(w.c, &a, &o));
    assert_int_equal(o.n_listeners, 3);
    assert_true(str_eqz(o.listeners[0].kind, "postgresql"));
    assert_true(str_eqz(o.listeners[0].process, "postgres"));
    assert_int_equal(o.listeners[1].port, 9090);
    assert_true(o.listeners[1].process.n > 0 && str_is_utf8(o.listeners[1].process));
    assert_true(o.listeners[2].process.p ==
                NULL); /* not visible to us: by its port, and no name is made up */
    assert_true(str_eqz(o.listeners[2].kind, "ssh"));
    assert_false(
        o.listeners[1].offer.present); /* a tree that is not this machine is never asked anything */
    arena_deinit(&a);
    stop(&w);
}

/* Two sockets of one program at one port (SO_REUSEPORT) are one listener that stays what it is. */
static void workers_that_share_a_port(void **state) {
    (void)state;
    static struct world w;
    start(&w);
    for (int i = 0; i < 5; i++) {
        tick(&w);
        struct arena a = ARENA_INIT;
        struct overview o;
        assert_true(collect_overview(w.c, &a, &o));
        assert_int_equal(o.n_listeners, 3);
        assert_true(o.listeners[1].process.p != NULL);
        arena_deinit(&a);
    }
    for (struct map_entry *e = map_next(&w.sink.series, NULL); e; e = map_next(&w.sink.series, e))
        if (str_starts(e->key, STR("hinomi_listener_info")))
            assert_false(((struct testpoint *)e->value)->stale);
    /* the first worker ends: the port is still the program's */
    put(&w, "proc/net/tcp", HEAD LINE("0", "00000000:2382", "0A", "201"));
    tick(&w);
    struct arena a = ARENA_INIT;
    struct overview o;
    assert_true(collect_overview(w.c, &a, &o));
    assert_int_equal(o.n_listeners, 1);
    assert_true(o.listeners[0].process.p != NULL);
    arena_deinit(&a);
    /* and when nobody listens any more, its series says so */
    put(&w, "proc/net/tcp", HEAD);
    tick(&w);
    size_t live = 0;
    for (struct map_entry *e = map_next(&w.sink.series, NULL); e; e = map_next(&w.sink.series, e))
        if (str_starts(e->key, STR("hinomi_listener_info")) &&
            !((struct testpoint *)e->value)->stale)
            live++;
    assert_int_equal(live, 0);
    stop(&w);
}

/* A listener that never says a word costs the time limit, not more, and is no TLS server. */
static void a_silent_port(void **state) {
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    struct arena a = ARENA_INIT;
    struct tlsprobe_result r;
    struct err err = {0};
    assert_false(tlsprobe("127.0.0.1", ntohs(at.sin_port), &a, &r, &err));
    assert_true(err.code == ERR_TIMEOUT || err.code == ERR_BAD_INPUT);
    close(fd);
    err = (struct err){0};
    assert_false(
        tlsprobe("127.0.0.1", ntohs(at.sin_port), &a, &r, &err)); /* closed: refused at once */
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_false(tlsprobe("example.com", 443, &a, &r, &err));
    assert_int_equal(err.code, ERR_BAD_INPUT);
    arena_deinit(&a);
}

static void certificates_that_are_none(void **state) {
    (void)state;
    struct arena a = ARENA_INIT;
    struct tlsprobe_result r;
    struct err err = {0};
    static const char *const bad[] = {"", "x", "\x30\x82\xff\xff", "\x30\x80\x30\x80"};
    for (size_t i = 0; i < 4; i++) {
        struct tlsprobe_der chain = {.cert = {str_from(bad[i])}, .n = 1};
        assert_false(tlsprobe_read_chain(&chain, &a, &r, &err));
        assert_int_equal(err.code, ERR_BAD_INPUT);
    }
    assert_false(tlsprobe_read_chain(&(struct tlsprobe_der){.n = 0}, &a, &r, &err));
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines), cmocka_unit_test(whose_they_are),
                                       cmocka_unit_test(workers_that_share_a_port),
                                       cmocka_unit_test(a_silent_port),
                                       cmocka_unit_test(certificates_that_are_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
