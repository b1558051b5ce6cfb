#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feature/account/account_int.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
    char dir[64], path[96];
    struct clock_manual manual;
    struct clock clock;
    struct state *state;
    struct account *ac;
    struct arena a;
    struct err err;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f)
        return -1;
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/hinomi-account-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    (void)snprintf(f->path, sizeof(f->path), "%s/state.db", f->dir);
    f->manual = (struct clock_manual){.wall_ns = INT64_C(1700000000) * 1000000000, .mono_ns = 1};
    f->clock = clock_manual_view(&f->manual);
    f->state = state_open(f->path, &f->clock, &f->err);
    f->ac = f->state ? account_open(f->state, &f->clock, &f->err) : NULL;
    if (!f->ac)
        return -1;
    account_int_cheap_passwords(f->ac);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    account_close(f->ac);
    state_close(f->state);
    arena_deinit(&f->a);
    bool ok = file_remove_tree(f->dir, &f->err);
    free(f);
    return ok ? 0 : -1;
}

#define OK(f, call)                                                                                \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, (f)->err.message);                                           \
    } while (0)
#define FAILS(f, call, expected)                                                                   \
    do {                                                                                           \
        err_reset(&(f)->err);                                                                      \
        assert_false(call);                                                                        \
        if ((f)->err.code != (expected))                                                           \
            fail_msg("%s: %s: %s", #call, err_code_name((f)->err.code), (f)->err.message);         \
    } while (0)

static const struct account_actor root = {{"root", 4}, ACCOUNT_ROLE_ADMIN, {"10.0.0.1", 8}};

static int64_t add_user(struct fixture *f, const char *name, enum account_role role) {
    int64_t id = 0;
    OK(f,
       account_user_create(f->ac, str_from(name), STR("correct horse"), role, &root, &id, &f->err));
    return id;
}

static bool login(struct fixture *f, const char *name, const char *password, const char *peer,
                  char *secret) {
    struct account_principal p;
    return account_login(f->ac, str_from(name), str_from(password), str_from(peer), &f->a, &p,
                         secret, &f->err);
}

static void login_and_session(void **state) {
    struct fixture *f = *state;
    struct account_principal p, q;
    char secret[ACCOUNT_SECRET_BYTES];
    int64_t id = add_user(f, "mika", ACCOUNT_ROLE_EDITOR);
    OK(f, account_login(f->ac, STR("MIKA"), STR("correct horse"), STR("10.0.0.2"), &f->a, &p,
                        secret, &f->err));
    assert_int_equal(p.kind, ACCOUNT_SESSION);
    assert_int_equal(p.id, id);
    assert_true(str_eqz(p.name, "mika"));
    assert_int_equal(p.role, ACCOUNT_ROLE_EDITOR);
    assert_int_equal(strlen(secret), 43);
    for (int cached = 0; cached < 2; cached++) {
        OK(f, account_session_lookup(f->ac, str_from(secret), &f->a, &q, &f->err));
        assert_int_equal(q.id, id);
        assert_true(str_eq(q.csrf, p.csrf));
        assert_true(account_csrf_ok(&q, p.csrf));
        assert_false(account_csrf_ok(&q, STR("")));
        assert_false(account_csrf_ok(&q, str_from(secret)));
        account_int_cache_drop(f->ac);
    }
    struct account_principal token = {.kind = ACCOUNT_TOKEN};
    assert_false(account_csrf_ok(&token, STR("")));
    secret[3] = secret[3] == 'A' ? 'B' : 'A';
    FAILS(f, account_session_lookup(f->ac, str_from(secret), &f->a, &q, &f->err),
          ERR_UNAUTHENTICATED);
    FAILS(f, account_session_lookup(f->ac, STR("short"), &f->a, &q, &f->err), ERR_UNAUTHENTICATED);
    FAILS(f, login(f, "mika", "wrong horse", "10.0.0.2", secret), ERR_UNAUTHENTICATED);
    char wrong_password[ERR_MESSAGE_BYTES_MAX];
    memcpy(wrong_password, f->err.message, sizeof(wrong_password));
    FAILS(f, login(f, "nobody", "correct horse", "10.0.0.2", secret), ERR_UNAUTHENTICATED);
    assert_string_equal(f->err.message, wrong_password); /* does not tell who exists */
}

static void logout(void **state) {
    struct fixture *f = *state;
    struct account_principal p;
    char secret[ACCOUNT_SECRET_BYTES];
    add_user(f, "mika", ACCOUNT_ROLE_ADMIN);
    OK(f, login(f, "mika", "correct horse", "10.0.0.2", secret));
    OK(f, account_session_end(f->ac, str_from(secret), &f->err));
    FAILS(f, account_session_lookup(f->ac, str_from(secret), &f->a, &p, &f->err),
          ERR_UNAUTHENTICATED);
    OK(f, account_session_end(f->ac, str_from(secret), &f->err));
    OK(f, account_session_end(f->ac, STR("nonsense"), &f->err));
}

static void sessions_expire(void **state) {
    struct fixture *f = *state;
    struct account_principal p;
    char secret[ACCOUNT_SECRET_BYTES], idle[ACCOUNT_SECRET_BYTES];
    add_user(f, "mika", ACCOUNT_ROLE_ADMIN);
    OK(f, login(f, "mika", "correct horse", "10.0.0.2", secret));
    OK(f, login(f, "mika", "correct horse", "10.0.0.2", idle));
    for (int hours = 0; hours < 7 * 24 - 1;
         hours++) { /* used every hour: lives for the absolute time */
        clock_manual_advance(&f->manual, DUR_S(3600));
        OK(f, account_session_lookup(f->ac, str_from(secret), &f->a, &p, &f->err));
        if (hours == 24)
            FAILS(f, account_session_lookup(f->ac, str_from(idle), &f->a, &p, &f->err),
                  ERR_UNAUTHENTICATED);
    }
    clock_manual_advance(&f->manual, DUR_S(3600));
    FAILS(f, account_session_lookup(f->ac, str_from(secret), &f->a, &p, &f->err),
          ERR_UNAUTHENTICATED);
}

static void logins_are_throttled(void **state) {
    struct fixture *f = *state;
    char secret[ACCOUNT_SECRET_BYTES];
    add_user(f, "mika", ACCOUNT_ROLE_ADMIN);
    for (int i = 0; i < 5; i++)
        FAILS(f, login(f, "mika", "guess", "6.6.6.6", secret), ERR_UNAUTHENTICATED);
    FAILS(f, login(f, "Mika", "correct horse", "6.6.6.6", secret), ERR_LIMITED);
    assert_int_equal(account_login_wait_s(f->ac, STR("mika"), STR("6.6.6.6")), 15 * 60);
    OK(f, login(f, "mika", "correct horse", "10.0.0.2",
                secret)); /* the owner is not locked out by a stranger */
    clock_manual_advance(&f->manual, DUR_S(15 * 60));
    assert_int_equal(account_login_wait_s(f->ac, STR("mika"), STR("6.6.6.6")), 0);
    OK(f, login(f, "mika", "correct horse", "6.6.6.6", secret));
    for (int i = 0; i < 20; i++) { /* one address, many names */
        char name[16];
        (void)snprintf(name, sizeof(name), "user%d", i);
        FAILS(f, login(f, name, "guess", "7.7.7.7", secret), ERR_UNAUTHENTICATED);
    }
    FAILS(f, login(f, "mika", "correct horse", "7.7.7.7", secret), ERR_LIMITED);
    for (int i = 0; i < 20; i++) { /* one line, many addresses */
        char name[16], peer[32];
        (void)snprintf(name, sizeof(name), "user%d", i);
        (void)snprintf(peer, sizeof(peer), "2001:db8:0:7::%x", i + 1);
        FAILS(f, login(f, name, "guess", peer, secret), ERR_UNAUTHENTICATED);
    }
    FAILS(f, login(f, "mika", "correct horse", "2001:db8:0:7:1:2:3:4", secret), ERR_LIMITED);
    OK(f, login(f, "mika", "correct horse", "2001:db8:0:8::1", secret));
}

static void first_user_only_once(void **state) {
    struct fixture *f = *state;
    int64_t n = -1, id;
    OK(f, account_user_count(f->ac, &n, &f->err));
    assert_int_equal(n, 0);
    OK(f, account_user_create_first(f->ac, STR("owner"), STR("long enough"), NULL, &id, &f->err));
    FAILS(f, account_user_create_first(f->ac, STR("other"), STR("long enough"), NULL, &id, &f->err),
          ERR_CONFLICT);
    struct account_user *v;
    size_t count;
    OK(f, account_user_list(f->ac, &f->a, &v, &count, &f->err));
    assert_int_equal(count, 1);
    assert_int_equal(v[0].role, ACCOUNT_ROLE_ADMIN);
    assert_int_equal(v[0].last_login_ms, 0);
}

static void users_are_managed(void **state) {
    struct fixture *f = *state;
    char secret[ACCOUNT_SECRET_BYTES], other[ACCOUNT_SECRET_BYTES];
    struct account_principal p;
    int64_t a = add_user(f, "a", ACCOUNT_ROLE_ADMIN), b = add_user(f, "b", ACCOUNT_ROLE_VIEWER), id;
    FAILS(f,
          account_user_create(f->ac, STR("A"), STR("correct horse"), ACCOUNT_ROLE_ADMIN, NULL, &id,
                              &f->err),
          ERR_CONFLICT);
    FAILS(f,
          account_user_create(f->ac, STR("c d"), STR("correct horse"), ACCOUNT_ROLE_ADMIN, NULL,
                              &id, &f->err),
          ERR_BAD_INPUT);
    FAILS(f,
          account_user_create(f->ac, STR(""), STR("correct horse"), ACCOUNT_ROLE_ADMIN, NULL, &id,
                              &f->err),
          ERR_BAD_INPUT);
    FAILS(
        f,
        account_user_create(f->ac, STR("c"), STR("short"), ACCOUNT_ROLE_ADMIN, NULL, &id, &f->err),
        ERR_BAD_INPUT);
    FAILS(f,
          account_user_create(f->ac, STR("c"), STR("correct horse"), ACCOUNT_ROLE_NONE, NULL, &id,
                              &f->err),
          ERR_BAD_INPUT);
    FAILS(f, account_user_delete(f->ac, a, &root, &f->err), ERR_CONFLICT); /* the last admin */
    FAILS(f, account_user_set_role(f->ac, a, ACCOUNT_ROLE_VIEWER, &root, &f->err), ERR_CONFLICT);
    FAILS(f, account_user_delete(f->ac, 999, &root, &f->err), ERR_NOT_FOUND);
    OK(f, login(f, "b", "correct horse", "x", secret));
    OK(f, login(f, "a", "correct horse", "x", other));
    OK(f, account_user_set_role(f->ac, b, ACCOUNT_ROLE_ADMIN, &root, &f->err)); /* counts at once */
    OK(f, account_session_lookup(f->ac, str_from(secret), &f->a, &p, &f->err));
    assert_int_equal(p.role, ACCOUNT_ROLE_ADMIN);
    OK(f, account_user_set_password(f->ac, STR("b"), STR("another horse"), &root, &f->err));
    FAILS(f, account_session_lookup(f->ac, str_from(secret), &f->a, &p, &f->err),
          ERR_UNAUTHENTICATED);
    OK(f, login(f, "b", "another horse", "x", secret));
    FAILS(f, account_user_set_password(f->ac, STR("zz"), STR("another horse"), &root, &f->err),
          ERR_NOT_FOUND);
    OK(f, account_user_delete(f->ac, b, &root, &f->err));
    FAILS(f, account_session_lookup(f->ac, str_from(secret), &f->a, &p, &f->err),
          ERR_UNAUTHENTICATED);
    OK(f, account_session_lookup(f->ac, str_from(other), &f->a, &p, &f->err));
}

static void tokens(void **state) {
    struct fixture *f = *state;
    struct account_token t, *v;
    struct account_principal p;
    struct str secret, second;
    size_t n;
    int64_t soon = f->manual.wall_ns / 1000000 + 60000;
    OK(f, account_token_create(f->ac, STR("grafana"), ACCOUNT_SCOPE_READ, 0, &root, &f->a, &t,
                               &secret, &f->err));
    assert_int_equal(secret.n, 47);
    assert_true(str_starts(secret, t.prefix));
    assert_int_equal(t.prefix.n, 10);
    OK(f,
       account_token_create(f->ac, STR("sender"), ACCOUNT_SCOPE_WRITE_SERIES | ACCOUNT_SCOPE_AGENT,
                            soon, NULL, &f->a, &t, &second, &f->err));
    FAILS(f,
          account_token_create(f->ac, STR("grafana"), ACCOUNT_SCOPE_READ, 0, &root, &f->a, &t,
                               &secret, &f->err),
          ERR_CONFLICT);
    FAILS(f, account_token_create(f->ac, STR("x"), 0, 0, &root, &f->a, &t, &secret, &f->err),
          ERR_BAD_INPUT);
    FAILS(f, account_token_create(f->ac, STR("x"), 64, 0, &root, &f->a, &t, &secret, &f->err),
          ERR_BAD_INPUT);
    FAILS(f, account_token_create(f->ac, STR("x"), 1, 5, &root, &f->a, &t, &secret, &f->err),
          ERR_BAD_INPUT);
    OK(f, account_token_lookup(f->ac, second, &f->a, &p, &f->err));
    assert_int_equal(p.kind, ACCOUNT_TOKEN);
    assert_int_equal(p.role, ACCOUNT_ROLE_NONE);
    assert_int_equal(p.scopes, ACCOUNT_SCOPE_WRITE_SERIES | ACCOUNT_SCOPE_AGENT);
    OK(f, account_token_list(f->ac, &f->a, &v, &n, &f->err));
    assert_int_equal(n, 2);
    assert_true(str_eqz(v[0].name, "sender"));
    assert_true(v[0].last_used_ms > 0);
    assert_true(str_eqz(v[0].created_by, "command line"));
    assert_int_equal(v[1].last_used_ms, 0);
    assert_int_equal(v[1].scopes, ACCOUNT_SCOPE_READ);
    OK(f, account_token_revoke(f->ac, v[1].id, &root, &f->err));
    FAILS(f, account_token_revoke(f->ac, v[1].id, &root, &f->err), ERR_NOT_FOUND);
    clock_manual_advance(&f->manual, DUR_S(61));
    FAILS(f, account_token_lookup(f->ac, second, &f->a, &p, &f->err), ERR_UNAUTHENTICATED);
    FAILS(f, account_token_lookup(f->ac, STR("hnm_short"), &f->a, &p, &f->err),
          ERR_UNAUTHENTICATED);
}

static void revoking_counts_at_once_here_and_soon_elsewhere(void **state) {
    struct fixture *f = *state;
    struct account_token t;
    struct account_principal p;
    struct str secret;
    OK(f, account_token_create(f->ac, STR("a"), ACCOUNT_SCOPE_ADMIN, 0, &root, &f->a, &t, &secret,
                               &f->err));
    struct account *other =
        account_open(f->state, &f->clock, &f->err); /* as the command line beside a server */
    assert_non_null(other);
    OK(f, account_token_lookup(f->ac, secret, &f->a, &p, &f->err));
    assert_int_equal(p.role, ACCOUNT_ROLE_ADMIN);
    OK(f, account_token_revoke(other, t.id, NULL, &f->err));
    FAILS(f, account_token_lookup(other, secret, &f->a, &p, &f->err), ERR_UNAUTHENTICATED);
    clock_manual_advance(&f->manual, DUR_MS(ACCOUNT_CACHE_MS));
    FAILS(f, account_token_lookup(f->ac, secret, &f->a, &p, &f->err), ERR_UNAUTHENTICATED);
    account_close(other);
}

static void secrets_do_not_rest_in_the_clear(void **state) {
    struct fixture *f = *state;
    struct account_token t;
    struct account_principal p;
    struct str secret;
    char session[ACCOUNT_SECRET_BYTES];
    add_user(f, "mika", ACCOUNT_ROLE_ADMIN);
    OK(f, account_token_create(f->ac, STR("a"), ACCOUNT_SCOPE_ADMIN, 0, &root, &f->a, &t, &secret,
                               &f->err));
    OK(f, login(f, "mika", "correct horse", "x", session));
    OK(f, account_token_lookup(f->ac, secret, &f->a, &p, &f->err));
    char **names;
    size_t n;
    OK(f, file_list(f->dir, &f->a, &names, &n, &f->err));
    assert_true(n >= 1);
    for (size_t i = 0; i < n; i++) {
        struct buf b = BUF_INIT;
        struct str path = arena_printf(&f->a, "%s/%s", f->dir, names[i]);
        OK(f, file_read(path.p, 64 << 20, &b, &f->err));
        assert_true(str_find(buf_view(&b), str_from_offset(secret, 10)) == SIZE_MAX);
        assert_true(str_find(buf_view(&b), str_from(session)) == SIZE_MAX);
        assert_true(str_find(buf_view(&b), STR("correct horse")) == SIZE_MAX);
        buf_deinit(&b);
    }
}

static void audit(void **state) {
    struct fixture *f = *state;
    struct account_audit *v;
    size_t n;
    char secret[ACCOUNT_SECRET_BYTES];
    struct buf long_text = BUF_INIT;
    for (int i = 0; i < 1500; i++)
        buf_putz(&long_text, "日");
    add_user(f, "mika", ACCOUNT_ROLE_VIEWER);
    clock_manual_advance(&f->manual, DUR_S(1));
    FAILS(f, login(f, "mika", "guess", "6.6.6.6", secret), ERR_UNAUTHENTICATED);
    clock_manual_advance(&f->manual, DUR_S(1));
    OK(f, account_audit(f->ac, NULL, STR("config.reload"), STR(""), buf_view(&long_text), &f->err));
    OK(f, account_audit_list(f->ac, 0, 10, &f->a, &v, &n, &f->err));
    assert_int_equal(n, 3);
    assert_true(str_eqz(v[0].actor, "command line"));
    assert_true(str_eqz(v[0].action, "config.reload"));
    assert_true(v[0].detail.n <= 2048 && str_is_utf8(v[0].detail));
    assert_true(str_eqz(v[1].action, "login_failed"));
    assert_true(str_eqz(v[1].object, "mika"));
    assert_true(str_eqz(v[1].peer, "6.6.6.6"));
    assert_true(str_eqz(v[2].action, "user.create"));
    assert_true(str_eqz(v[2].actor, "root"));
    assert_int_equal(v[2].role, ACCOUNT_ROLE_ADMIN);
    int64_t before = v[1].ts_ms;
    OK(f, account_audit_list(f->ac, before, 10, &f->a, &v, &n, &f->err));
    assert_int_equal(n, 1);
    assert_true(v[0].ts_ms < before);
    buf_deinit(&long_text);
}

static void real_passwords_are_argon2id(void **state) {
    struct fixture *f = *state;
    struct account *real = account_open(f->state, &f->clock, &f->err);
    char hash[128];
    bool same = false;
    OK(f, account_int_password_hash(real, STR("correct horse"), hash, &f->err));
    assert_true(str_starts(str_from(hash), STR("$argon2id$v=19$m=65536,t=2,p=1$")));
    OK(f, account_int_password_verify(real, hash, STR("correct horse"), &same, &f->err));
    assert_true(same);
    account_close(real);
}

static void names(void **state) {
    (void)state;
    unsigned bit;
    enum account_role role;
    assert_true(account_scope_from_name(STR("write:series"), &bit));
    assert_int_equal(bit, ACCOUNT_SCOPE_WRITE_SERIES);
    assert_false(account_scope_from_name(STR("root"), &bit));
    assert_false(account_role_from_name(STR("none"), &role));
    assert_true(account_role_from_name(STR("editor"), &role));
    assert_int_equal(account_scopes_role(ACCOUNT_SCOPE_READ | ACCOUNT_SCOPE_WRITE),
                     ACCOUNT_ROLE_EDITOR);
    assert_int_equal(account_scopes_role(ACCOUNT_SCOPE_AGENT), ACCOUNT_ROLE_NONE);
    assert_string_equal(account_scope_name(ACCOUNT_SCOPE_AGENT), "agent");
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(login_and_session),
                                       T(logout),
                                       T(sessions_expire),
                                       T(logins_are_throttled),
                                       T(first_user_only_once),
                                       T(users_are_managed),
                                       T(tokens),
                                       T(revoking_counts_at_once_here_and_soon_elsewhere),
                                       T(secrets_do_not_rest_in_the_clear),
                                       T(audit),
                                       T(real_passwords_are_argon2id),
                                       T(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
