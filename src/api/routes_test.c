/* Walks the route table: every route has its rule, the rule is enforced, and docs/openapi.yaml says
 * the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_int.h"
#include "api/api_testlib.h"
#include "codec/conf_yaml.h"
#include "os/file.h"

#include <stdio.h>

static struct t_api t;

static int setup(void **state) {
    (void)state;
    t_api_open(&t);
    t.deps.accounts_required = true;
    t_api_start(&t);
    t_api_accounts(&t);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    t_api_stop(&t);
    return 0;
}

/* "/a/:id/b" -> "/a/7/b", "/x*" -> "/x" and something. */
static void sample_path(const char *pattern, char *out, size_t max) {
    size_t n = 0;
    for (const char *p = pattern; *p && n + 8 < max; p++) {
        if (*p == ':') {
            out[n++] = '7';
            while (p[1] && p[1] != '/')
                p++;
        } else if (*p == '*') {
            out[n++] = 'x';
        } else {
            out[n++] = *p;
        }
    }
    out[n] = 0;
}

static const char *role_of(uint32_t access) {
    switch ((enum api_access)access) {
    case API_ACCESS_ANYONE:
        return "none";
    case API_ACCESS_VIEWER:
        return "viewer";
    case API_ACCESS_EDITOR:
    case API_ACCESS_WRITE_SERIES:
        return "editor";
    case API_ACCESS_ADMIN:
        return "admin";
    case API_ACCESS_OWN:
        return "own";
    case API_ACCESS_CLOSED:
        break;
    }
    return "closed";
}

static enum account_role least(uint32_t access) {
    enum account_role role;
    return account_role_from_name(str_from(role_of(access)), &role) ? role : ACCOUNT_ROLE_NONE;
}

static bool is_overview_stream(const struct http_route *r) {
    return strcmp(r->path, "/api/hinomi/overview/stream") == 0;
}

static void test_every_route_has_a_rule(void **state) {
    (void)state;
    for (size_t i = 0; i < t.api->n_routes; i++) {
        const struct http_route *r = &t.api->routes[i];
        if (r->access == API_ACCESS_CLOSED || r->access > API_ACCESS_OWN)
            fail_msg("%s %s has no access rule", r->method, r->path);
        /* What changes something is for editors, but for what is checked by itself or changes
         * nothing. */
        bool reads = strcmp(r->method, "GET") == 0 ||
                     str_starts(str_from(r->path), STR("/api/v1/")) ||
                     strcmp(r->path, "/api/hinomi/login") == 0 ||
                     strcmp(r->path, "/api/hinomi/logout") == 0 ||
                     strcmp(r->path, "/api/hinomi/config/check") == 0;
        if (!reads && r->access != API_ACCESS_EDITOR && r->access != API_ACCESS_ADMIN &&
            r->access != API_ACCESS_OWN)
            fail_msg("%s %s is open to %s", r->method, r->path, role_of(r->access));
    }
}

static void test_without_credentials(void **state) {
    (void)state;
    char path[256];
    for (size_t i = 0; i < t.api->n_routes; i++) {
        const struct http_route *r = &t.api->routes[i];
        struct t_answer a;
        sample_path(r->path, path, sizeof(path));
        t_ask(&t, r->method, path, NULL, STR(""), &a);
        if (r->access == API_ACCESS_ANYONE) {
            if (a.status == 403)
                fail_msg("%s %s: %d", r->method, path, a.status);
        } else if (r->access == API_ACCESS_OWN && a.status == 400) {
            /* it looks at the form before it looks at the credential in it */
        } else if (a.status != 401) {
            fail_msg("%s %s answered %d without credentials", r->method, path, a.status);
        } else if (r->access != API_ACCESS_OWN) {
            assert_true(t_has_header(&a, "www-authenticate", "Bearer realm=\"hinomi\""));
            assert_true(t_has(&a, "\"error\""));
        }
        t_answer_deinit(&a);
    }
}

/* Roles below the rule get 403 from the door; the rule's own role passes it. */
static void test_roles(void **state) {
    (void)state;
    char path[256];
    for (size_t i = 0; i < t.api->n_routes; i++) {
        const struct http_route *r = &t.api->routes[i];
        enum account_role need = least(r->access);
        if (need == ACCOUNT_ROLE_NONE || is_overview_stream(r))
            continue;
        sample_path(r->path, path, sizeof(path));
        for (int role = ACCOUNT_ROLE_NONE; role <= ACCOUNT_ROLE_ADMIN; role++) {
            struct t_answer a;
            bool writes_series = r->access == API_ACCESS_WRITE_SERIES && role == ACCOUNT_ROLE_NONE;
            t_ask_as(&t, (enum account_role)role, r->method, path, &a);
            bool refused = a.status == 403;
            if (refused != (role < (int)need && !writes_series))
                fail_msg("%s %s as %d answered %d", r->method, path, role, a.status);
            if (a.status == 401 || a.status == 0)
                fail_msg("%s %s as %d answered %d", r->method, path, role, a.status);
            t_answer_deinit(&a);
        }
    }
}

static void test_wrong_credentials(void **state) {
    (void)state;
    static const char *const headers[] = {
        "Authorization: Bearer hnm_nobody\r\n", "Authorization: Basic !!!\r\n",
        "Authorization: Basic YTpiYmJi\r\n",    "Authorization: Digest x\r\n",
        "Authorization: Bearer \r\n",           "Cookie: hinomi_session=abc\r\n"};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct t_answer a;
        t_ask(&t, "GET", "/api/hinomi/status", headers[i], STR(""), &a);
        assert_int_equal(a.status, 401);
        t_answer_deinit(&a);
    }
}

static void test_unknown_and_wrong_method(void **state) {
    (void)state;
    static const char *const none[] = {"/api/v1/nothing", "/api/hinomi/nothing", "/-/nothing",
                                       "/api/v1/label/x", "/assets/none.js",     "/robots.txt"};
    struct t_answer a;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        t_ask_as(&t, ACCOUNT_ROLE_ADMIN, "GET", none[i], &a);
        if (a.status != 404)
            fail_msg("%s: %d", none[i], a.status);
        assert_true(t_has(&a, "\"code\":\"not_found\""));
        t_answer_deinit(&a);
    }
    char path[256];
    for (size_t i = 0; i < t.api->n_routes; i++) {
        const struct http_route *r = &t.api->routes[i];
        sample_path(r->path, path, sizeof(path));
        t_ask_as(&t, ACCOUNT_ROLE_ADMIN, "PATCH", path, &a);
        if (a.status != 405)
            fail_msg("PATCH %s: %d", path, a.status);
        struct str allow = t_header(&a, "allow");
        assert_true(str_find(allow, str_from(r->method)) != SIZE_MAX);
        if (strcmp(r->method, "GET") == 0)
            assert_true(str_find(allow, STR("HEAD")) != SIZE_MAX);
        t_answer_deinit(&a);
    }
    t_ask_as(&t, ACCOUNT_ROLE_ADMIN, "GET", "/api/v1/write", &a);
    assert_int_equal(a.status, 405);
    assert_true(t_has_header(&a, "allow", "POST"));
    t_answer_deinit(&a);
}

/* ---- docs/openapi.yaml ---- */

struct document {
    struct arena arena;
    const struct conf_node *paths;
};

static void document_read(struct document *d) {
    struct buf b = BUF_INIT;
    struct err err = {0};
    *d = (struct document){.arena = ARENA_INIT};
    struct conf_diags diags = {.arena = &d->arena};
    assert_true(file_read(HINOMI_SOURCE_DIR "/docs/openapi.yaml", 1 << 20, &b, &err));
    const struct conf_node *root =
        conf_yaml_parse(arena_str(&d->arena, buf_view(&b)), "openapi.yaml", &d->arena, &diags);
    buf_deinit(&b);
    assert_non_null(root);
    d->paths = conf_node_get(root, "paths");
    assert_non_null(d->paths);
}

/* "/a/{id}" -> "/a/:id" */
static bool same_path(struct str doc, const char *route) {
    size_t i = 0;
    const char *p = route;
    while (i < doc.n && *p) {
        if (doc.p[i] == '{' && *p == ':') {
            while (i < doc.n && doc.p[i] != '}')
                i++;
            i++;
            while (*p && *p != '/')
                p++;
        } else if (doc.p[i++] != *p++) {
            return false;
        }
    }
    return i == doc.n && !*p;
}

static const struct conf_node *operation(const struct document *d, const struct http_route *r) {
    char method[16] = {0};
    for (size_t i = 0; r->method[i] && i < sizeof(method) - 1; i++)
        method[i] = (char)(r->method[i] | 32);
    for (size_t i = 0; i < d->paths->n; i++)
        if (same_path(d->paths->key[i]->text, r->path))
            return conf_node_get(d->paths->value[i], method);
    return NULL;
}

static void test_routes_are_documented(void **state) {
    (void)state;
    struct document d;
    document_read(&d);
    size_t seen = 0;
    for (size_t i = 0; i < t.api->n_routes; i++) {
        const struct http_route *r = &t.api->routes[i];
        if (!str_starts(str_from(r->path), STR("/api/hinomi/")) || r->access == API_ACCESS_OWN)
            continue; /* the agent's own protocol is no API for others */
        const struct conf_node *op = operation(&d, r);
        if (!op)
            fail_msg("docs/openapi.yaml lacks %s %s", r->method, r->path);
        const struct conf_node *role = conf_node_get(op, "x-hinomi-role");
        assert_non_null(role);
        if (!str_eqz(role->text, role_of(r->access)))
            fail_msg("%s %s: the document says %.*s, the door %s", r->method, r->path,
                     STR_FMT(role->text), role_of(r->access));
        assert_non_null(conf_node_get(op, "operationId"));
        assert_non_null(conf_node_get(op, "responses"));
        seen++;
    }
    assert_true(seen > 30);
    arena_deinit(&d.arena);
}

static void test_documented_routes_exist(void **state) {
    (void)state;
    static const char *const methods[] = {"get", "post", "put", "delete", "patch"};
    struct document d;
    document_read(&d);
    for (size_t i = 0; i < d.paths->n; i++)
        for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
            if (!conf_node_get(d.paths->value[i], methods[m]))
                continue;
            bool found = false;
            for (size_t k = 0; k < t.api->n_routes && !found; k++)
                found = same_path(d.paths->key[i]->text, t.api->routes[k].path) &&
                        str_eq_nocase(str_from(t.api->routes[k].method), str_from(methods[m]));
            if (!found)
                fail_msg("nothing serves %s %.*s of docs/openapi.yaml", methods[m],
                         STR_FMT(d.paths->key[i]->text));
        }
    arena_deinit(&d.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_has_a_rule),
        cmocka_unit_test(test_without_credentials),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_wrong_credentials),
        cmocka_unit_test(test_unknown_and_wrong_method),
        cmocka_unit_test(test_routes_are_documented),
        cmocka_unit_test(test_documented_routes_exist),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
