#include "api/api_int.h"

#include <stdlib.h>

/* "https://name:8443/x" -> the origin "https://name:8443" and the host "name". */
static bool take_public_url(struct api *api, struct err *err) {
    struct str url = str_from(api->d.public_url);
    if (url.n == 0)
        return true;
    size_t at = str_find(url, STR("://"));
    struct str rest = at == SIZE_MAX ? (struct str){NULL, 0} : str_from_offset(url, at + 3);
    size_t slash = str_find_char(rest, '/');
    struct str host = slash == SIZE_MAX ? rest : str_sub(rest, 0, slash), name = host;
    size_t close = str_find_char(host, ']'), colon = str_find_char(host, ':');
    if (host.n && host.p[0] == '[' && close != SIZE_MAX)
        name = str_sub(host, 1, close - 1);
    else if (colon != SIZE_MAX)
        name = str_sub(host, 0, colon);
    if (name.n == 0)
        return err_set(err, ERR_BAD_INPUT,
                       "server.public_url \"%s\" is not a URL; expected https://HOST[:PORT]",
                       api->d.public_url);
    api->origin = strndup(url.p, at + 3 + host.n);
    api->public_host = strndup(name.p, name.n);
    return (api->origin && api->public_host) || err_set(err, ERR_INTERNAL, "out of memory");
}

struct api *api_new(const struct api_deps *deps, struct err *err) {
    struct api *api = calloc(1, sizeof(*api));
    if (!api) {
        (void)err_set(err, ERR_INTERNAL, "out of memory for the API");
        return NULL;
    }
    api->d = *deps;
    mutex_init(&api->rate_lock);
    if (!take_public_url(api, err) || !routes_make(api, err) ||
        !(api->hub = overview_hub_new(api, err))) {
        api_free(api);
        return NULL;
    }
    return api;
}

void api_stop(struct api *api) {
    if (!api)
        return;
    atomic_store(&api->stopping, true);
    overview_hub_stop(api->hub);
}

void api_free(struct api *api) {
    if (!api)
        return;
    api_stop(api);
    overview_hub_free(api->hub);
    free(api->routes);
    free(api->origin);
    free(api->public_host);
    mutex_deinit(&api->rate_lock);
    free(api);
}

void api_server_options(struct api *api, struct http_server_options *o) {
    o->routes = api->routes;
    o->n_routes = api->n_routes;
    o->admit = door_admit;
    o->finish = door_finish;
    o->door_self = api;
}
