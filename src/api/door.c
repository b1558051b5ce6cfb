/* The door: every request passes here before its handler. In this order:
 *   1. the Host header names us (DNS rebinding: a page of another name that resolves to our
 * address);
 *   2. who asks: a token, a browser session, or somebody on this machine while there are no
 * accounts;
 *   3. a request that comes from a browser comes from our own page (Sec-Fetch-Site; for one that
 * changes something Origin, and the session's CSRF value:
 * https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html);
 *   4. the route's rule (enum api_access) lets this role or scope in; a route without a rule is
 * closed. */
#include "api/api_int.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <stdio.h>

/* ---- Host ---- */

/* "name:80", "[::1]:80" -> the name alone, brackets off. */
static struct str host_name(struct str host) {
    if (host.n && host.p[0] == '[') {
        size_t close = str_find_char(host, ']');
        return close == SIZE_MAX ? host : str_sub(host, 1, close - 1);
    }
    size_t colon = str_find_char(host, ':');
    return colon == SIZE_MAX ? host : str_sub(host, 0, colon);
}

static bool is_address(struct str name) {
    char z[64];
    unsigned char out[16];
    if (name.n >= sizeof(z))
        return false;
    memcpy(z, name.p, name.n);
    z[name.n] = 0;
    return inet_pton(AF_INET, z, out) == 1 || inet_pton(AF_INET6, z, out) == 1;
}

/* What may follow the name: nothing, or a port. */
static bool port_ok(struct str host) {
    size_t i = host.n && host.p[0] == '[' ? str_find_char(host, ']') + 1 : host_name(host).n;
    bool ok = i == host.n || host.p[i] == ':';
    while (ok && ++i < host.n)
        ok = host.p[i] >= '0' && host.p[i] <= '9';
    return ok;
}

static bool host_ok(const struct api *api, struct str host) {
    struct str name = host_name(host);
    if (name.n && name.p[name.n - 1] == '.')
        name = str_sub(name, 0, name.n - 1);
    if (name.n == 0 || !port_ok(host))
        return false;
    /* An address cannot be rebound: the browser's origin is the address itself. */
    if (api->d.any_host || is_address(name) || str_eq_nocase(name, STR("localhost")))
        return true;
    if (api->public_host && str_eq_nocase(name, str_from(api->public_host)))
        return true;
    for (size_t i = 0; i < api->d.n_hosts; i++)
        if (str_eq_nocase(name, str_from(api->d.hosts[i])))
            return true;
    return false;
}

/* ---- who ---- */

/* A name that people use for the machine that they sit at. */
static bool is_loopback_name(struct str name) {
    return str_eq_nocase(name, STR("localhost")) || str_eq(name, STR("::1")) ||
           (str_starts(name, STR("127.")) && is_address(name));
}

/* What proxies add. One that adds nothing still gives itself away when it passes on the public
 * Host, or speaks HTTP/1.0 (nginx before 1.29.7, unless told otherwise). */
static bool came_through_proxy(const struct http_req *r) {
    static const char *const added[] = {"forwarded",        "via",
                                        "x-real-ip",        "client-ip",
                                        "x-client-ip",      "x-cluster-client-ip",
                                        "true-client-ip",   "cf-connecting-ip",
                                        "fastly-client-ip", "x-original-host"};
    for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++)
        if (http_req_header(r, added[i]).p)
            return true;
    static const char *const families[] = {"x-forwarded-", "x-original-forwarded-", "x-envoy-"};
    for (size_t i = 0; i < r->n_headers; i++)
        for (size_t k = 0; k < sizeof(families) / sizeof(families[0]); k++)
            if (str_eq_nocase(str_sub(r->headers[i].name, 0, strlen(families[k])),
                              str_from(families[k])))
                return true;
    return r->http_1_0 || !is_loopback_name(host_name(http_req_header(r, "host")));
}

bool door_is_local(const struct http_req *r) {
    return r->peer_loopback && !came_through_proxy(r);
}

void door_users_changed(struct api *api) {
    atomic_store(&api->users_read_ms, 0);
}

int64_t door_users(struct api *api) {
    if (!api->d.account)
        return 0;
    int64_t now = clock_mono_ms(api->d.clock), read = atomic_load(&api->users_read_ms);
    if (read && now - read < USERS_FRESH_MS)
        return atomic_load(&api->users);
    int64_t n;
    struct err err = {0};
    if (!account_user_count(api->d.account, &n, &err)) {
        log_warn("door", "cannot count the accounts: %s", err.message);
        return -1;
    }
    atomic_store(&api->users, n);
    atomic_store(&api->users_read_ms, now ? now : 1);
    return n;
}

bool door_is_open(struct api *api, const struct http_req *r) {
    if (!door_is_local(r))
        return false;
    return api->d.no_auth || (!api->d.accounts_required && door_users(api) == 0);
}

const struct account_principal *door_principal(const struct http_req *r) {
    return r->principal;
}

struct account_actor door_actor(const struct http_req *r) {
    const struct account_principal *p = r->principal;
    struct account_actor by = {.name = STR("loopback"), .peer = r->peer};
    if (p) {
        by.role = p->role;
        if (p->kind == ACCOUNT_TOKEN)
            by.name = arena_printf(r->arena, "token:%.*s", STR_FMT(p->name));
        else if (p->kind == ACCOUNT_SESSION)
            by.name = p->name;
    }
    return by;
}

void door_audit(struct api *api, const struct http_req *r, const char *action, struct str object,
                struct str detail) {
    struct account_actor by = door_actor(r);
    struct err err = {0};
    if (api->d.account &&
        !account_audit(api->d.account, &by, str_from(action), object, detail, &err))
        log_error("door", "an audit entry (%s) was not written: %s", action, err.message);
}

static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* "user:password" of Basic; the password is a token (senders that know no bearer tokens). */
static bool basic_password(struct http_req *r, struct str code, struct str *out) {
    char *p = code.n < 4096 ? arena_alloc(r->arena, code.n) : NULL;
    size_t n = 0, bits = 0;
    uint32_t acc = 0;
    for (size_t i = 0; p && i < code.n && code.p[i] != '='; i++) {
        int d = base64_digit(code.p[i]);
        if (d < 0)
            return false;
        acc = acc << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            p[n++] = (char)(acc >> bits);
        }
    }
    struct str pair = {p, n};
    size_t colon = p ? str_find_char(pair, ':') : SIZE_MAX;
    if (colon == SIZE_MAX)
        return false;
    *out = str_from_offset(pair, colon + 1);
    return true;
}

/* true: *out_known says whether somebody showed valid credentials; false: they were wrong. */
static bool identify(struct api *api, struct http_req *r, struct account_principal *out,
                     bool *out_known, struct err *err) {
    struct str auth = http_req_header(r, "authorization"), secret = {NULL, 0};
    *out_known = false;
    if (!api->d.account)
        return true;
    if (auth.n > 7 && str_eq_nocase(str_sub(auth, 0, 7), STR("Bearer ")))
        secret = str_trim(str_from_offset(auth, 7));
    else if (auth.n > 6 && str_eq_nocase(str_sub(auth, 0, 6), STR("Basic ")))
        (void)basic_password(r, str_trim(str_from_offset(auth, 6)), &secret);
    if (auth.n) {
        *out_known = secret.n && account_token_lookup(api->d.account, secret, r->arena, out, err);
        if (!*out_known && !err->code)
            (void)err_set(err, ERR_UNAUTHENTICATED,
                          "the Authorization header is not one that is known here");
        return *out_known;
    }
    struct str cookie = http_req_cookie(r, SESSION_COOKIE);
    if (cookie.n) {
        struct err expired = {0};
        *out_known = account_session_lookup(api->d.account, cookie, r->arena, out, &expired);
        if (!*out_known && expired.code != ERR_UNAUTHENTICATED) {
            *err = expired;
            return false;
        }
    }
    return true; /* an old cookie is as none */
}

/* ---- where from ---- */

static bool changes_something(const struct http_req *r) {
    return !str_eq(r->method, STR("GET")) && !str_eq(r->method, STR("HEAD"));
}

static bool origin_ok(const struct api *api, const struct http_req *r) {
    struct str origin = http_req_header(r, "origin"), site = http_req_header(r, "sec-fetch-site");
    if (!origin.p) /* not a browser, or a browser that says where it comes from in another way */
        return !site.p || str_eq(site, STR("same-origin")) || str_eq(site, STR("none"));
    if (api->origin && str_eq_nocase(origin, str_from(api->origin)))
        return true;
    struct str host = http_req_header(r, "host");
    /* A proxy may speak TLS in front of us: the scheme is not compared, host and port are. */
    if (str_starts(origin, STR("https://")))
        return str_eq_nocase(str_from_offset(origin, 8), host);
    if (str_starts(origin, STR("http://")))
        return str_eq_nocase(str_from_offset(origin, 7), host);
    return false;
}

/* ---- the rule ---- */

static enum account_role access_role(uint32_t access) {
    switch ((enum api_access)access) {
    case API_ACCESS_VIEWER:
        return ACCOUNT_ROLE_VIEWER;
    case API_ACCESS_EDITOR:
    case API_ACCESS_WRITE_SERIES:
        return ACCOUNT_ROLE_EDITOR;
    case API_ACCESS_ADMIN:
    case API_ACCESS_CLOSED:
    case API_ACCESS_ANYONE:
    case API_ACCESS_OWN:
        break;
    }
    return ACCOUNT_ROLE_ADMIN;
}

static bool refuse(struct http_req *r, struct http_res *res, enum err_code code, const char *name,
                   const char *message, const char *hint) {
    if (str_starts(r->path, STR("/api/v1/"))) {
        struct err err = {0};
        (void)err_set(&err, code, "%s", message);
        prom_fail(r, res, &err);
    } else {
        api_error(r, res, err_http_status(code), name, message, hint);
    }
    if (code == ERR_UNAUTHENTICATED)
        http_res_header(r, res, "WWW-Authenticate", STR("Bearer realm=\"hinomi\""));
    return false;
}

static bool rule_lets_in(const struct account_principal *p, struct http_req *r,
                         struct http_res *res) {
    uint32_t access = r->route->access;
    if (access == API_ACCESS_ANYONE || access == API_ACCESS_OWN)
        return true;
    if (access == API_ACCESS_CLOSED || access > API_ACCESS_OWN)
        return refuse(r, res, ERR_FORBIDDEN, "forbidden", "this path is closed", NULL);
    if (!p)
        return refuse(r, res, ERR_UNAUTHENTICATED, "unauthorized", "this needs a login or a token",
                      "log in, or send Authorization: Bearer <token>");
    if (access == API_ACCESS_WRITE_SERIES && (p->scopes & ACCOUNT_SCOPE_WRITE_SERIES))
        return true;
    enum account_role need = access_role(access);
    if (p->role >= need)
        return true;
    struct str m = arena_printf(r->arena, "this needs the role %s; you have %s",
                                account_role_name(need), account_role_name(p->role));
    return refuse(r, res, ERR_FORBIDDEN, "forbidden", m.p ? m.p : "not allowed", NULL);
}

/* A page of another site (or of another port of this host) cannot read our answers, but it could
 * keep the query workers busy through <img src>, or hold event streams, in the name of whoever
 * looks at it. A link that somebody follows is no such thing.
 * https://web.dev/articles/fetch-metadata */
static bool drawn_by_another_page(const struct http_req *r) {
    struct str site = http_req_header(r, "sec-fetch-site");
    if (!site.p || str_eq(site, STR("same-origin")) || str_eq(site, STR("none")))
        return false;
    return !str_eq(http_req_header(r, "sec-fetch-mode"), STR("navigate")) ||
           !str_eq(http_req_header(r, "sec-fetch-dest"), STR("document"));
}

static bool came_from_our_page(struct api *api, const struct account_principal *p,
                               struct http_req *r, struct http_res *res) {
    if ((p && p->kind == ACCOUNT_TOKEN) || r->route->access == API_ACCESS_OWN)
        return true; /* no browser sends a token by itself */
    if (!changes_something(r))
        return r->route->access == API_ACCESS_ANYONE || !drawn_by_another_page(r) ||
               refuse(r, res, ERR_FORBIDDEN, "csrf", "a page of another site asks for this",
                      "open it in a tab of its own, or use a token from a program");
    if (!origin_ok(api, r))
        return refuse(r, res, ERR_FORBIDDEN, "csrf",
                      "the request comes from a page of another site",
                      "use hinomi's own page, or a token from a program");
    if (p && p->kind == ACCOUNT_SESSION && r->route->access != API_ACCESS_ANYONE &&
        !account_csrf_ok(p, http_req_header(r, "x-hinomi-csrf")))
        return refuse(r, res, ERR_FORBIDDEN, "csrf",
                      "the header X-Hinomi-CSRF is missing or not this session's",
                      "take it from GET /api/hinomi/session");
    return true;
}

bool door_admit(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    struct str host = http_req_header(r, "host");
    if (!host_ok(api, host)) {
        struct str m = arena_printf(r->arena, "the host name \"%.*s\" is not one of this server's",
                                    STR_FMT(str_sub(host, 0, 100)));
        api_error(r, res, 421, "forbidden", m.p ? m.p : "unknown host name",
                  "open it by its address, or list the name under server.allowed_hosts (or "
                  "server.public_url)");
        return false;
    }
    struct account_principal *p = ARENA_NEW(r->arena, struct account_principal);
    struct err err = {0};
    bool known = false;
    if (!p || !identify(api, r, p, &known, &err)) {
        if (r->route->access != API_ACCESS_ANYONE && r->route->access != API_ACCESS_OWN)
            return refuse(r, res, err.code ? err.code : ERR_INTERNAL,
                          err.code == ERR_UNAUTHENTICATED ? "unauthorized" : "unavailable",
                          err.message[0] ? err.message : "out of memory",
                          "check the token: it may have been revoked or have ended");
        p = NULL;
    } else if (!known && door_is_open(api, r)) {
        *p = (struct account_principal){
            .kind = ACCOUNT_ANONYMOUS, .role = ACCOUNT_ROLE_ADMIN, .name = STR("loopback")};
    } else if (!known) {
        p = NULL;
    }
    r->principal = p;
    return rule_lets_in(p, r, res) && came_from_our_page(api, p, r, res);
}

/* ---- every answer ---- */

static struct str answer_header(const struct http_res *res, const char *name) {
    for (size_t i = 0; i < res->n_headers; i++)
        if (str_eq_nocase(res->headers[i].name, str_from(name)))
            return res->headers[i].value;
    return (struct str){NULL, 0};
}

void door_finish(void *self, struct http_req *r, struct http_res *res) {
    (void)self;
    /* A 304 carries no type, and its headers replace those of the page that the browser kept. */
    bool page =
        res->status == 304 || str_starts(answer_header(res, "content-type"), STR("text/html"));
    http_res_header(
        r, res, "Content-Security-Policy",
        page ? STR("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                   "font-src 'self'; "
                   "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
                   "frame-ancestors 'none'")
             : STR("default-src 'none'; frame-ancestors 'none'"));
    http_res_header(r, res, "X-Content-Type-Options", STR("nosniff"));
    http_res_header(r, res, "X-Frame-Options", STR("DENY"));
    http_res_header(r, res, "Referrer-Policy", STR("same-origin"));
    http_res_header(r, res, "Cross-Origin-Opener-Policy", STR("same-origin"));
    http_res_header(r, res, "Cross-Origin-Resource-Policy", STR("same-origin"));
    if (!answer_header(res, "cache-control").p)
        http_res_header(r, res, "Cache-Control", STR("no-store"));
    if (r->tls)
        http_res_header(r, res, "Strict-Transport-Security", STR("max-age=31536000"));
}
