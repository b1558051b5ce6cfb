#include "api/assets.h"
#include "api/api_int.h"

const struct asset *assets_find(const struct asset *v, size_t n, struct str path) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(path, str_from(v[mid].path));
        if (c == 0)
            return &v[mid];
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

static bool etag_listed(struct str list, const char *etag) {
    struct str item;
    while (str_next(&list, ',', &item)) {
        item = str_trim(item);
        if (str_starts(item, STR("W/")))
            item = str_from_offset(item, 2);
        if (str_eqz(item, etag) || str_eq(item, STR("*")))
            return true;
    }
    return false;
}

static bool takes_gzip(const struct http_req *r) {
    struct str rest = http_req_header(r, "accept-encoding"), item;
    while (str_next(&rest, ',', &item)) {
        struct str name = item;
        size_t semicolon = str_find_char(item, ';');
        if (semicolon != SIZE_MAX)
            name = str_sub(item, 0, semicolon);
        if (str_eq_nocase(str_trim(name), STR("gzip")))
            return str_find(item, STR("q=0")) == SIZE_MAX ||
                   str_find(item, STR("q=0.")) != SIZE_MAX;
    }
    return false;
}

static void serve(const struct asset *a, struct http_req *r, struct http_res *res) {
    http_res_header(r, res, "ETag", str_from(a->etag));
    http_res_header(r, res, "Cache-Control",
                    a->immutable ? STR("public, max-age=31536000, immutable") : STR("no-cache"));
    if (a->gzip.n)
        http_res_header(r, res, "Vary", STR("Accept-Encoding"));
    if (etag_listed(http_req_header(r, "if-none-match"), a->etag)) {
        res->status = 304;
        return;
    }
    http_res_header(r, res, "Content-Type", str_from(a->content_type));
    bool packed = a->gzip.n && takes_gzip(r);
    if (packed)
        http_res_header(r, res, "Content-Encoding", STR("gzip"));
    res->borrowed = packed ? a->gzip : a->bytes;
}

/* A path of the application (/explore, /ring/alerts) is answered by index.html, which routes it in
 * the browser; a path that names a file, or one of an API, is not. */
static bool is_page(struct str path) {
    static const char *const others[] = {"/api/", "/-/", "/loki/", "/v1/", "/assets/"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (str_starts(path, str_from(others[i])))
            return false;
    size_t slash = path.n;
    while (slash && path.p[slash - 1] != '/')
        slash--;
    return str_find_char(str_from_offset(path, slash), '.') == SIZE_MAX;
}

void assets_serve(void *self, struct http_req *r, struct http_res *res) {
    struct api *api = self;
    const struct asset *a = assets_find(api->d.assets, api->d.n_assets, r->path);
    if (!a && is_page(r->path))
        a = assets_find(api->d.assets, api->d.n_assets, STR("/index.html"));
    if (a) {
        serve(a, r, res);
        return;
    }
    if (str_eq(r->path, STR("/"))) {
        http_res_header(r, res, "Content-Type", STR("text/plain; charset=utf-8"));
        buf_putz(&res->body, "hinomi is running. This build has no screen; the API is at /api/v1 "
                             "and /api/hinomi.\n");
        return;
    }
    struct str message =
        arena_printf(r->arena, "there is nothing at %.*s", STR_FMT(str_sub(r->path, 0, 200)));
    api_error(r, res, 404, "not_found", message.p ? message.p : "there is nothing here", NULL);
}
