/* The whole server in this process: start, reload, what the screen adds, refusals, stop; leaks are
 * the sanitizer's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/server/server.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
    char dir[64], data[96], file[96];
    struct arena a;
    struct err err;
    struct server s;
    bool running;
};

static const char quiet[] = "collect: {enabled: false}\n";

static void put(struct fixture *f, const char *text) {
    assert_true(file_write_atomic(f->file, str_from(text), 0600, &f->err));
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f)
        return -1;
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/hinomi-server-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    (void)snprintf(f->data, sizeof(f->data), "%s/data", f->dir);
    (void)snprintf(f->file, sizeof(f->file), "%s/hinomi.yml", f->dir);
    put(f, quiet);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    if (f->running)
        server_stop(&f->s);
    arena_deinit(&f->a);
    bool ok = file_remove_tree(f->dir, &f->err);
    free(f);
    return ok ? 0 : -1;
}

static bool try_start(struct fixture *f, struct server *s, const char *listen, bool no_auth) {
    struct server_options o = {
        .config_file = f->file, .data_dir = f->data, .listen = listen, .no_auth = no_auth};
    err_reset(&f->err);
    return server_start(s, &o, &f->err);
}

static void start(struct fixture *f) {
    if (!try_start(f, &f->s, "127.0.0.1:0", false))
        fail_msg("%s", f->err.message);
    f->running = true;
}

static void starts_and_stops(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        start(f);
        assert_true(atomic_load(&f->s.ready));
        assert_true(http_server_port(f->s.http) > 0);
        assert_false(f->s.accounts_required);
        server_stop(&f->s);
        f->running = false;
    }
}

static void refuses_what_cannot_work(void **state) {
    struct fixture *f = *state;
    static struct server second;
    start(f);
    assert_false(try_start(f, &second, "127.0.0.1:0", false));
    assert_int_equal(f->err.code, ERR_CONFLICT);
    assert_non_null(strstr(f->err.message, "in use by another hinomi"));

    char taken[32], other[112];
    (void)snprintf(taken, sizeof(taken), "127.0.0.1:%u", http_server_port(f->s.http));
    (void)snprintf(other, sizeof(other), "%s/other", f->dir);
    struct server_options o = {.config_file = f->file, .data_dir = other, .listen = taken};
    err_reset(&f->err);
    assert_false(server_start(&second, &o, &f->err));
    assert_int_equal(f->err.code, ERR_CONFLICT);
    assert_non_null(strstr(f->err.message, "taken"));

    assert_false(try_start(f, &second, "0.0.0.0:0", false));
    assert_non_null(strstr(f->err.message, "is not loopback"));
    assert_false(try_start(f, &second, "0.0.0.0:0", true));
    assert_non_null(strstr(f->err.message, "--no-auth is for loopback only"));
    put(f, "wrong: 1\n");
    assert_false(try_start(f, &second, "127.0.0.1:0", false));
    assert_int_equal(f->err.code, ERR_BAD_INPUT);
}

static void reload_is_all_or_nothing(void **state) {
    struct fixture *f = *state;
    start(f);
    const struct config *was = f->s.config;
    put(f, "collect: {enabled: false}\nscrape_config: []\n");
    assert_false(server_reload(&f->s, &f->err));
    assert_non_null(strstr(f->err.message, "hinomi.yml:2:1: unknown key \"scrape_config\""));
    assert_ptr_equal(f->s.config, was);
    assert_false(f->s.last_reload_ok);
    assert_int_equal(f->s.last_reload_error.line, 2);

    /* What no table can see: the new receivers refuse each other only when they are put together.
     */
    put(f, "collect: {enabled: false}\nroute: {receiver: gone}\n");
    assert_false(server_reload(&f->s, &f->err));
    assert_ptr_equal(f->s.config, was);

    put(f,
        "collect: {enabled: false}\nserver: {public_url: http://h}\nscrape_configs: [{job_name: j, "
        "static_configs: [{targets: ['127.0.0.1:9']}]}]\n");
    err_reset(&f->err);
    if (!server_reload(&f->s, &f->err))
        fail_msg("%s", f->err.message);
    assert_true(f->s.last_reload_ok);
    struct api_target *targets;
    size_t n;
    assert_true(server_scrape_targets(&f->s, &f->a, &targets, &n, &f->err));
    assert_int_equal(n, 1);
    assert_true(str_eqz(targets[0].pool, "j"));
    assert_true(str_eqz(targets[0].origin, "declared"));
    /* Parts borrowed from the first configuration: it must still be there. */
    assert_true(str_eqz(f->s.first->root.server.listen, "127.0.0.1:11900"));
}

static void what_the_screen_adds_is_kept_and_exported(void **state) {
    struct fixture *f = *state;
    struct api_accepted made, *list;
    struct buf b = BUF_INIT;
    size_t n;
    start(f);
    assert_true(server_export(&f->s, &b, &f->err));
    assert_string_equal(b.p, "# nothing was added in the screen\n");
    assert_true(server_scrape_accept(&f->s, STR("https://127.0.0.1:9/deep/metrics?a=b&c=${X}"),
                                     STR("5 odd: job"), STR("ada"), &f->a, &made, &f->err));
    assert_false(server_scrape_accept(&f->s, STR("https://127.0.0.1:9/deep/metrics?a=b&c=${X}"),
                                      STR("again"), STR("ada"), &f->a, &made, &f->err));
    assert_int_equal(f->err.code, ERR_CONFLICT);
    assert_false(
        server_scrape_accept(&f->s, STR("ftp://x"), STR("j"), STR(""), &f->a, &made, &f->err));
    assert_int_equal(f->err.code, ERR_BAD_INPUT);
    server_stop(&f->s);
    f->running = false;
    start(f); /* it survives a restart */
    assert_true(server_scrape_accepted(&f->s, &f->a, &list, &n, &f->err));
    assert_int_equal(n, 1);
    assert_true(str_eqz(list[0].created_by, "ada"));
    buf_reset(&b);
    assert_true(server_export(&f->s, &b, &f->err));

    struct conf_diags diags = {.arena = &f->a}; /* and what is exported is a configuration */
    put(f, b.p);
    struct config *c = config_load(f->file, &diags);
    assert_non_null(c);
    const struct ingest_scrape_config *job = c->root.scrape_configs.v;
    assert_int_equal(c->root.scrape_configs.n, 1);
    assert_true(str_eqz(job->job_name, "5 odd: job"));
    assert_true(str_eqz(job->metrics_path, "/deep/metrics"));
    assert_int_equal(job->scheme, 1);
    assert_non_null(strstr(b.p, "\"c\": [\"$${X}\"]"));
    config_unref(c);

    assert_true(server_scrape_forget(&f->s, list[0].id, &f->err));
    assert_false(server_scrape_forget(&f->s, list[0].id, &f->err));
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    buf_deinit(&b);
}

static const struct api_config_part *part(const struct api_config *c, const char *path) {
    for (size_t i = 0; i < c->n_parts; i++)
        if (str_eqz(c->parts[i].path, path))
            return &c->parts[i];
    fail_msg("no part %s", path);
    return NULL;
}

static void each_setting_tells_its_origin(void **state) {
    struct fixture *f = *state;
    struct api_config out = {.n_parts = 0};
    struct api_accepted made;
    setenv("HINOMI_TEST_WINDOW", "2h", 1);
    put(f,
        "collect: {enabled: false}\nstore:\n  series:\n    accept_window: ${HINOMI_TEST_WINDOW}\n"
        "scrape_configs: [{job_name: j}]\n");
    start(f);
    assert_true(server_scrape_accept(&f->s, STR("http://127.0.0.1:9/metrics"), STR("found"),
                                     STR(""), &f->a, &made, &f->err));
    assert_true(server_parts(&f->s, f->s.config, &f->a, &out, &f->err));
    assert_true(str_eqz(part(&out, "server.listen")->origin, "flag"));
    assert_true(str_eqz(part(&out, "query.timeout")->origin, "default"));
    assert_true(str_eqz(part(&out, "query.timeout")->value, "2m"));
    assert_true(str_eqz(part(&out, "collect.enabled")->origin, "file"));
    assert_int_equal(part(&out, "collect.enabled")->line, 1);
    assert_true(str_eqz(part(&out, "store.series.accept_window")->origin, "environment"));
    assert_true(str_eqz(part(&out, "store.series.accept_window")->value, "2h"));
    assert_true(str_eqz(part(&out, "scrape_configs[0]")->value, "j"));
    assert_true(str_eqz(part(&out, "scrape_configs[found]")->origin, "screen"));
    unsetenv("HINOMI_TEST_WINDOW");
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(starts_and_stops), T(refuses_what_cannot_work), T(reload_is_all_or_nothing),
        T(what_the_screen_adds_is_kept_and_exported), T(each_setting_tells_its_origin)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
