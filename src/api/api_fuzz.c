/* One request to the API: a line "METHOD path?query", then the body. It passes the door and goes to
 * its handler, over the real rooms in a temporary folder. */
#include "api/api_int.h"
#include "api/api_testlib.h"
#include "net/http_url.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { CHANGES_MAX = 200 }; /* then the folder is made anew, so that what is stored stays small */

static struct t_api t;
static int changes;

static void open_all(void) {
    struct err err = {0};
    t_api_open(&t);
    t.deps.query_timeout_ms = 200;
    t.deps.query_samples_max = 20000;
    t.deps.query_memory_max = 8 << 20;
    t.api = api_new(&t.deps, &err);
    if (!t.api)
        abort();
    t_fill(&t, "m", 2, 10, INT64_C(1700000000000));
}

static void close_all(void) {
    if (t.api)
        t_api_stop(&t);
}

/* What would run for long by design (argon2id, a wait for a delivery), or needs a connection. */
static bool left_out(const struct http_route *r) {
    static const char *const paths[] = {"/api/hinomi/overview/stream", "/api/hinomi/notify/test",
                                        "/api/hinomi/users", "/api/hinomi/login"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (strcmp(r->path, paths[i]) == 0)
            return true;
    return r->access == API_ACCESS_OWN; /* fuzzed in their own room */
}

static const struct http_route *find(struct str method, struct str path) {
    for (size_t i = 0; i < t.api->n_routes; i++)
        if (str_eqz(method, t.api->routes[i].method) &&
            http_path_match(t.api->routes[i].path, path))
            return &t.api->routes[i];
    return NULL;
}

static void ask(struct http_req *r) {
    struct http_res res = {0};
    if (door_admit(t.api, r, &res))
        r->route->handle(r->route->self, r, &res);
    door_finish(t.api, r, &res);
    if (res.status == 500) {
        fprintf(stderr, "%.*s\n", STR_FMT(buf_view(&res.body)));
        abort();
    }
    struct str json = str_trim(buf_view(&res.body));
    if (str_starts(r->raw_path, STR("/api/")) && json.n && json.p[0] == '{' &&
        json.p[json.n - 1] != '}')
        abort();
    if (!str_eq(r->method, STR("GET")) && res.status / 100 != 4)
        changes++;
    buf_deinit(&res.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    if (!t.api) {
        open_all();
        (void)atexit(close_all);
    }
    struct str body = {(const char *)bytes, n}, line, method;
    if (n > 4096 || !str_next(&body, '\n', &line) || !str_next(&line, ' ', &method))
        return 0;
    struct arena a = ARENA_INIT_MAX((size_t)64 << 20);
    size_t q = str_find_char(line, '?');
    bool get = str_eq(method, STR("GET"));
    bool json = str_starts(line, STR("/api/hinomi/"));
    struct http_header headers[] = {
        {STR("Host"), STR("localhost")},
        {STR("Content-Type"),
         json ? STR("application/json") : STR("application/x-www-form-urlencoded")}};
    struct err err = {0};
    struct http_req r = {.method = method,
                         .raw_path = q == SIZE_MAX ? line : str_sub(line, 0, q),
                         .raw_query = q == SIZE_MAX ? STR("") : str_from_offset(line, q + 1),
                         .headers = headers,
                         .n_headers = get ? 1 : 2,
                         .body = get ? STR("") : body,
                         .peer = STR("127.0.0.1"),
                         .peer_loopback = true,
                         .arena = &a};
    r.route = find(method, r.raw_path);
    if (r.route && !left_out(r.route) && http_path_decode(r.raw_path, &a, &r.path, &err))
        ask(&r);
    arena_deinit(&a);
    if (changes >= CHANGES_MAX) {
        close_all();
        changes = 0;
        open_all();
    }
    return 0;
}
