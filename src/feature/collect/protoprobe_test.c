#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/corpus_testlib.h"
#include "feature/collect/protoprobe_fuzz.c"
#include "os/file.h"
#include "os/thread.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static void kinds(void **state) {
    (void)state;
    static const struct {
        struct str bytes;
        const char *kind;
    } t[] = {{STR("SSH-2.0-x\r\n"), "ssh"},
             {STR("220 mail.example ESMTP\r\n"), "smtp"},
             {STR("220 (vsFTPd 3.0.3)\r\n"), "ftp"},
             {STR("* OK IMAP4rev1\r\n"), "imap"},
             {STR("+OK ready\r\n"), "pop3"},
             {STR("\x4a\0\0\0\x0a"
                  "8.0.36\0xxxx"),
              "mysql"},
             {STR("\x45\0\0\0\xff\x6a\x04Host '172.17.0.1' is not allowed"), "mysql"},
             {STR("\x4a\0\0\0\x0a"), NULL},
             {STR("\x4a\0\0\x1\x0a"
                  "8"),
              NULL},
             {STR("\x15\x03\x01\0\x02\x02"), NULL},
             {STR("220"), NULL},
             {STR("hello"), NULL},
             {STR(""), NULL}};
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        const char *k = protoprobe_greeting_kind(t[i].bytes);
        if ((k == NULL) != (t[i].kind == NULL) || (k && strcmp(k, t[i].kind) != 0))
            fail_msg("case %zu: %s", i, k ? k : "nothing");
    }
    assert_string_equal(protoprobe_postgres_kind(STR("S")), "postgresql");
    assert_null(protoprobe_postgres_kind(STR("SS")));
    assert_null(protoprobe_postgres_kind(STR("")));
    assert_string_equal(protoprobe_redis_kind(STR("+PONG\r\n")), "redis");
    assert_null(protoprobe_redis_kind(STR("-ERR unknown command\r\n")));
}

struct listener {
    int fd;
    struct str question, answer;
    unsigned connections;
};

static void serve(void *arg) {
    struct listener *l = arg;
    for (;;) {
        char in[256];
        int fd = accept(l->fd, NULL, NULL);
        if (fd < 0)
            return;
        l->connections++;
        ssize_t n = l->question.n ? recv(fd, in, sizeof(in), 0) : 0;
        if (n >= 0 && str_eq(str_make(in, (size_t)n), l->question))
            (void)!send(fd, l->answer.p, l->answer.n, MSG_NOSIGNAL);
        close(fd);
    }
}

static void with(struct str question, struct str answer, const char *listened, const char *asked) {
    struct listener l = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                         .question = question,
                         .answer = answer};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    struct thread thread = {0};
    struct err err = {0};
    assert_int_equal(bind(l.fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(l.fd, 8), 0);
    assert_int_equal(getsockname(l.fd, (struct sockaddr *)&at, &n), 0);
    assert_true(thread_start(&thread, "peer", serve, &l, &err));
    uint16_t port = ntohs(at.sin_port);
    const char *k =
        listened ? protoprobe_listen("127.0.0.1", port) : protoprobe_ask("127.0.0.1", port);
    shutdown(l.fd, SHUT_RDWR);
    thread_join(&thread);
    close(l.fd);
    if (listened || asked)
        assert_string_equal(k, listened ? listened : asked);
    else
        assert_null(k);
    assert_true(l.connections >= 1);
}

static void over_sockets(void **state) {
    (void)state;
    with(STR(""), STR("SSH-2.0-OpenSSH_9.2p1\r\n"), "ssh", NULL);
    with(STR("PING\r\n"), STR("+PONG\r\n"), NULL, "redis");
    with(STR("\0\0\0\x8\x4\xd2\x16\x2f"), STR("N"), NULL, "postgresql");
    with(STR("nothing of ours"), STR("x"), NULL, NULL); /* hangs up on every question */
    assert_null(protoprobe_ask("127.0.0.1", 1));        /* nobody there */
}

static void a_chain_is_read(void **state) {
    (void)state;
    struct buf der = BUF_INIT;
    struct err err = {0};
    struct arena a = ARENA_INIT;
    assert_true(file_read(TESTDATA_DIR "/protoprobe/certificate.der", 65536, &der, &err));
    struct tlsprobe_der chain = {{buf_view(&der)}, 1};
    struct tlsprobe_result r;
    assert_true(tlsprobe_read_chain(&chain, &a, &r, &err));
    assert_true(str_eqz(r.subject, "CN=shop.test"));
    assert_int_equal(r.n_names, 3);
    assert_true(str_eqz(r.names[1], "127.0.0.1"));
    assert_int_equal(r.not_after_ms - r.not_before_ms, INT64_C(30) * 86400000);
    assert_int_equal(r.earliest_not_after_ms, r.not_after_ms);
    chain.cert[0].n -= 10;
    assert_false(tlsprobe_read_chain(&chain, &a, &r, &err));
    assert_int_equal(err.code, ERR_BAD_INPUT);
    arena_deinit(&a);
    buf_deinit(&der);
}

static void corpus(void **state) {
    (void)state;
    assert_true(corpus_replay(TESTDATA_DIR "/protoprobe", LLVMFuzzerTestOneInput) >= 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(kinds), cmocka_unit_test(over_sockets),
                                       cmocka_unit_test(a_chain_is_read), cmocka_unit_test(corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
