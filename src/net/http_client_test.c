#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http_client.h"
#include "net/http_testlib.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
    struct http_server *plain, *tls;
    struct http_client *client;
    char dir[64], url[256];
    _Atomic uint64_t last_connection;
    _Atomic int n_done, n_canceled;
} f;

static void show(void *self, struct http_req *r, struct http_res *res) {
    (void)self;
    atomic_store(&f.last_connection, r->connection);
    http_res_header(r, res, "X-Seen", STR("Mixed"));
    buf_printf(&res->body, "%.*s %.*s host=%.*s auth=%.*s x=%.*s body=", STR_FMT(r->method),
               STR_FMT(r->path), STR_FMT(http_req_header(r, "host")),
               STR_FMT(http_req_header(r, "authorization")), STR_FMT(http_req_header(r, "x-test")));
    buf_puts(&res->body, r->body);
}

static void redirect(void *self, struct http_req *r, struct http_res *res) {
    (void)self;
    res->status = 302;
    http_res_header(r, res, "Location", STR("/show"));
}

static void loop(void *self, struct http_req *r, struct http_res *res) {
    (void)self;
    res->status = 302;
    http_res_header(r, res, "Location", STR("/loop"));
}

static void big(void *self, struct http_req *r, struct http_res *res) {
    (void)self;
    http_res_header(r, res, "Content-Type", STR("text/plain"));
    for (int i = 0; i < 100000; i++)
        buf_putz(&res->body, "0123456789");
}

static void slow(void *self, struct http_req *r, struct http_res *res) {
    (void)self;
    (void)res;
    while (!atomic_load(&r->canceled))
        usleep(1000);
}

static const struct http_route routes[] = {
    {"GET", "/show", HTTP_POOL_FAST, 0, 0, show, NULL},
    {"POST", "/show", HTTP_POOL_FAST, 0, 0, show, NULL},
    {"PUT", "/show", HTTP_POOL_FAST, 0, 0, show, NULL},
    {"GET", "/redirect", HTTP_POOL_FAST, 0, 0, redirect, NULL},
    {"GET", "/loop", HTTP_POOL_FAST, 0, 0, loop, NULL},
    {"GET", "/big", HTTP_POOL_FAST, 0, 0, big, NULL},
    {"GET", "/slow", HTTP_POOL_QUERY, 0, 0, slow, NULL},
};

static int setup(void **state) {
    (void)state;
    memset(&f, 0, sizeof(f));
    (void)snprintf(f.dir, sizeof(f.dir), "/tmp/hinomi-client-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    t_make_cert(f.dir, "a");
    char cert[128], key[128];
    (void)snprintf(cert, sizeof(cert), "%s/a.crt", f.dir);
    (void)snprintf(key, sizeof(key), "%s/a.key", f.dir);
    struct http_server_options o = {.listen.address = "127.0.0.1:0",
                                    .routes = routes,
                                    .n_routes = sizeof(routes) / sizeof(routes[0])};
    struct err err = {0};
    f.plain = http_server_new(&o, &err);
    if (!f.plain)
        fail_msg("%s", err.message);
    o.listen.tls_cert = cert;
    o.listen.tls_key = key;
    f.tls = http_server_new(&o, &err);
    if (!f.tls)
        fail_msg("%s", err.message);
    f.client = http_client_new(&err);
    assert_non_null(f.client);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    http_client_free(f.client);
    http_server_free(f.plain, DUR_S(2));
    http_server_free(f.tls, DUR_S(2));
    struct err err = {0};
    assert_true(file_remove_tree(f.dir, &err));
    return 0;
}

static const char *plain(const char *path) {
    (void)snprintf(f.url, sizeof(f.url), "http://127.0.0.1:%u%s", http_server_port(f.plain), path);
    return f.url;
}
static const char *tls(const char *host, const char *path) {
    (void)snprintf(f.url, sizeof(f.url), "https://%s:%u%s", host, http_server_port(f.tls), path);
    return f.url;
}

static void expect_body(const struct http_call *call, int status, const char *has) {
    struct http_reply r;
    struct err err = {0};
    if (!http_client_do(f.client, call, &r, &err))
        fail_msg("%s: %s", call->url, err.message);
    assert_int_equal(r.status, status);
    if (str_find(buf_view(&r.body), str_from(has)) == SIZE_MAX)
        fail_msg("got %s, wanted %s", r.body.p, has);
    assert_true(r.total_s > 0 && r.total_s < 10 && r.first_byte_s <= r.total_s);
    http_reply_deinit(&r);
}

static void expect_error(const struct http_call *call, enum err_code code, const char *has) {
    struct http_reply r;
    struct err err = {0};
    if (http_client_do(f.client, call, &r, &err))
        fail_msg("%s: answered %d", call->url, r.status);
    assert_int_equal(r.status, 0);
    if (err.code != code || !strstr(err.message, has))
        fail_msg("%s: %s", err_code_name(err.code), err.message);
    http_reply_deinit(&r);
}

static void test_methods(void **state) {
    (void)state;
    struct http_header h = {STR("X-Test"), STR("yes")};
    expect_body(&(struct http_call){.url = plain("/show"), .headers = &h, .n_headers = 1}, 200,
                "GET /show host=127.0.0.1:");
    expect_body(&(struct http_call){.url = plain("/show"), .headers = &h, .n_headers = 1}, 200,
                " x=yes ");
    expect_body(&(struct http_call){.method = "POST", .url = plain("/show"), .body = STR("a\0b")},
                200, "POST /show");
    expect_body(&(struct http_call){.method = "PUT", .url = plain("/show"), .body = STR("put")},
                200, "body=put");
    expect_body(&(struct http_call){.method = "POST", .url = plain("/show")}, 200, "body=");
    expect_body(&(struct http_call){.url = plain("/show"), .user = "u", .password = "p"}, 200,
                "auth=Basic dTpw");
    expect_body(&(struct http_call){.url = plain("/show"), .bearer = "tok"}, 200,
                "auth=Bearer tok");
    expect_body(&(struct http_call){.url = plain("/absent")}, 404, "not_found");
    struct http_reply r;
    struct err err = {0};
    assert_true(http_client_do(f.client, &(struct http_call){.url = plain("/show")}, &r, &err));
    assert_true(str_eqz(http_reply_header(&r, "x-seen"), "Mixed"));
    assert_true(http_reply_header(&r, "x-none").p == NULL);
    http_reply_deinit(&r);
    assert_true(http_client_do(
        f.client, &(struct http_call){.method = "HEAD", .url = plain("/show")}, &r, &err));
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body.n, 0);
    http_reply_deinit(&r);
    struct http_header evil = {STR("X-Test"), STR("a\r\nX-More: b")};
    expect_error(&(struct http_call){.url = plain("/show"), .headers = &evil, .n_headers = 1},
                 ERR_BAD_INPUT, "line break");
}

static void test_reuse(void **state) {
    (void)state;
    expect_body(&(struct http_call){.url = plain("/show")}, 200, "GET");
    uint64_t first = atomic_load(&f.last_connection);
    for (int i = 0; i < 5; i++)
        expect_body(&(struct http_call){.url = plain("/show")}, 200, "GET");
    assert_int_equal(first, atomic_load(&f.last_connection));
}

static void test_redirects(void **state) {
    (void)state;
    expect_body(&(struct http_call){.url = plain("/redirect")}, 302, "");
    expect_body(&(struct http_call){.url = plain("/redirect"), .follow_redirects = true}, 200,
                "GET /show");
    expect_error(&(struct http_call){.url = plain("/loop"), .follow_redirects = true},
                 ERR_UNAVAILABLE, "redirects more than");
}

static void test_limits(void **state) {
    (void)state;
    expect_error(&(struct http_call){.url = plain("/big"), .body_max = 1000}, ERR_TOO_LARGE,
                 "limit of 1000");
    /* the cap is on unpacked bytes: 1 MB of digits packs to a few kB */
    struct http_header h = {STR("X-Forwarded-For"), STR("10.0.0.1")};
    expect_error(&(struct http_call){.url = plain("/big"),
                                     .body_max = 500000,
                                     .accept_compressed = true,
                                     .headers = &h,
                                     .n_headers = 1},
                 ERR_TOO_LARGE, "limit of 500000");
    struct http_reply r;
    struct err err = {0};
    assert_true(http_client_do(
        f.client,
        &(struct http_call){
            .url = plain("/big"), .accept_compressed = true, .headers = &h, .n_headers = 1},
        &r, &err));
    assert_int_equal(r.body.n, 1000000);
    assert_true(str_eqz(http_reply_header(&r, "content-encoding"), "gzip"));
    http_reply_deinit(&r);
    expect_error(&(struct http_call){.url = plain("/slow"), .timeout_ms = 150}, ERR_TIMEOUT,
                 "did not answer within 0.15 s");
}

static void test_no_peer(void **state) {
    (void)state;
    /* a port that was free a moment ago: bound, and never listening */
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(in);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
    (void)snprintf(f.url, sizeof(f.url), "http://127.0.0.1:%u/secret", ntohs(in.sin_port));
    expect_error(&(struct http_call){.url = f.url}, ERR_UNAVAILABLE,
                 "cannot connect to 127.0.0.1:");
    struct http_reply r;
    struct err err = {0};
    assert_false(http_client_do(f.client, &(struct http_call){.url = f.url}, &r, &err));
    assert_non_null(strstr(err.message, "refused"));
    assert_null(strstr(err.message, "secret"));
    http_reply_deinit(&r);
    close(fd);
    expect_error(&(struct http_call){.url = "ftp://x/"}, ERR_BAD_INPUT, "expected http://");
    expect_error(&(struct http_call){.url = "http://[::1"}, ERR_BAD_INPUT, "not valid");
    expect_error(&(struct http_call){.url = "file:///etc/passwd"}, ERR_BAD_INPUT,
                 "expected http://");
}

static void test_tls(void **state) {
    (void)state;
    char ca[128];
    (void)snprintf(ca, sizeof(ca), "%s/a.crt", f.dir);
    expect_error(&(struct http_call){.url = tls("127.0.0.1", "/show")}, ERR_UNAVAILABLE,
                 "TLS with 127.0.0.1:");
    expect_body(&(struct http_call){.url = tls("127.0.0.1", "/show"), .ca_file = ca}, 200,
                "GET /show");
    expect_body(&(struct http_call){.url = tls("127.0.0.1", "/show"), .insecure_skip_verify = true},
                200, "GET /show");
    expect_error(
        &(struct http_call){.url = tls("127.0.0.2", "/show"), .ca_file = ca, .timeout_ms = 2000},
        ERR_UNAVAILABLE, "127.0.0.2");
    expect_body(&(struct http_call){.url = tls("127.0.0.1", "/show"),
                                    .ca_file = ca,
                                    .server_name = "localhost"},
                200, "host=127.0.0.1:");
    expect_error(&(struct http_call){.url = tls("127.0.0.1", "/show"),
                                     .ca_file = ca,
                                     .server_name = "other.test"},
                 ERR_UNAVAILABLE, "TLS with 127.0.0.1:");
    struct http_reply r;
    struct err err = {0};
    assert_true(http_client_do(
        f.client,
        &(struct http_call){
            .method = "POST", .url = tls("127.0.0.1", "/show"), .ca_file = ca, .body = STR("x")},
        &r, &err));
    assert_int_equal(r.status, 200);
    http_reply_deinit(&r);
    /* plain HTTP to the TLS port, and the other way round */
    (void)snprintf(f.url, sizeof(f.url), "http://127.0.0.1:%u/", http_server_port(f.tls));
    expect_error(&(struct http_call){.url = f.url}, ERR_UNAVAILABLE, "127.0.0.1");
    (void)snprintf(f.url, sizeof(f.url), "https://127.0.0.1:%u/", http_server_port(f.plain));
    expect_error(&(struct http_call){.url = f.url}, ERR_UNAVAILABLE, "TLS with");
}

static void on_done(void *arg, struct http_reply *r) {
    (void)arg;
    atomic_fetch_add(&f.n_done, 1);
    atomic_fetch_add(&f.n_canceled, r->err.code == ERR_CANCELED);
}

static void test_free_cancels(void **state) {
    (void)state;
    struct err err = {0};
    for (int i = 0; i < 10; i++)
        assert_true(http_client_start(
            f.client, &(struct http_call){.url = plain("/slow"), .timeout_ms = 60000}, on_done,
            NULL, &err));
    http_client_free(f.client);
    f.client = NULL;
    assert_int_equal(atomic_load(&f.n_done), 10);
    assert_int_equal(atomic_load(&f.n_canceled), 10);
}

static void test_many(void **state) {
    (void)state;
    struct err err = {0};
    for (int i = 0; i < 300; i++)
        assert_true(http_client_start(f.client, &(struct http_call){.url = plain("/show")}, on_done,
                                      NULL, &err));
    for (int i = 0; i < 5000 && atomic_load(&f.n_done) < 300; i++)
        usleep(2000);
    assert_int_equal(atomic_load(&f.n_done), 300);
    assert_int_equal(atomic_load(&f.n_canceled), 0);
}

static void unix_answer(void *arg) {
    int fd = accept(*(int *)arg, NULL, NULL);
    char tmp[1024];
    (void)!recv(fd, tmp, sizeof(tmp), 0);
    t_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nunix");
    close(fd);
}

static void test_unix_socket(void **state) {
    (void)state;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/s", f.dir);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(fd, 1), 0);
    struct thread t = {0};
    struct err err = {0};
    assert_true(thread_start(&t, "unix", unix_answer, &fd, &err));
    expect_body(&(struct http_call){.url = "http://docker/x", .unix_socket = un.sun_path}, 200,
                "unix");
    thread_join(&t);
    close(fd);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_methods), T(test_reuse), T(test_redirects),    T(test_limits),      T(test_no_peer),
        T(test_tls),     T(test_many),  T(test_free_cancels), T(test_unix_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
