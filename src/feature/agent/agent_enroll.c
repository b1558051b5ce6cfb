/* agent_enroll.c - the agent's credential: got once with an enrol token, kept in a file of its own.
 */
#include "codec/json.h"
#include "feature/agent/agent_client.h"
#include "os/file.h"

#include <stdio.h>

#define CREDENTIAL_BYTES_MAX 16384

static bool file_path(const char *data_dir, char *out, size_t cap, struct err *err) {
    int n = snprintf(out, cap, "%s/%s", data_dir, AGENT_CREDENTIAL_FILE);
    return (n > 0 && (size_t)n < cap) ||
           err_set(err, ERR_BAD_INPUT, "the path of the data folder is too long");
}

static bool write_credential(const char *path, struct agent_server_address server, struct str host,
                             struct str id, struct str secret, struct err *err) {
    struct buf b = BUF_INIT;
    struct jsonw w = JSONW_INIT(&b);
    jsonw_object(&w);
    jsonw_kstr(&w, "server", server.url);
    if (server.ca_file.n)
        jsonw_kstr(&w, "ca_file", server.ca_file);
    jsonw_kstr(&w, "host", host);
    jsonw_kstr(&w, "id", id);
    jsonw_kstr(&w, "secret", secret);
    jsonw_end(&w);
    buf_putc(&b, '\n');
    bool ok = buf_ok(&b) || err_set(err, ERR_INTERNAL, "out of memory");
    ok = ok && file_write_atomic(path, buf_view(&b), 0600, err);
    if (b.p)
        memset(b.p, 0, b.n);
    buf_deinit(&b);
    return ok;
}

static bool understand(const struct agent_response *res, struct agent_server_address server,
                       struct str host, const char *path, struct err *err) {
    struct jsonr_doc *doc = jsonr_parse(buf_view(&res->body), NULL);
    const struct jsonr *root = doc ? jsonr_root(doc) : NULL;
    bool ok = false;
    if (res->status == 200 || res->status == 201) {
        struct str id = jsonr_get_str(root, "id"), secret = jsonr_get_str(root, "secret");
        if (id.n && secret.n)
            ok = write_credential(path, server, host, id, secret, err);
        else
            err_set(err, ERR_BAD_INPUT, "the answer of %.*s is not a hinomi server's",
                    STR_FMT(server.url));
    } else if (res->status == 401 || res->status == 403) {
        err_set(err, ERR_UNAUTHENTICATED,
                "the enrol token is wrong, used or expired: make a new one (Inventory, Agents, "
                "Add; or `hinomi agent "
                "enroll-token`)");
    } else {
        struct str message = jsonr_get_str(jsonr_get(root, "error"), "message");
        err_set(err, ERR_UNAVAILABLE, "%.*s answered %d: %.*s", STR_FMT(server.url), res->status,
                STR_FMT(message));
    }
    jsonr_free(doc);
    return ok;
}

bool agent_enroll(const struct agent_transport *t, struct agent_server_address server,
                  struct str token, const char *data_dir, struct str host, struct str version,
                  bool force, struct err *err) {
    char path[4096];
    if (!file_path(data_dir, path, sizeof(path), err) || !file_mkdirs(data_dir, 0700, err))
        return false;
    if (file_exists(path) && !force)
        return err_set(err, ERR_CONFLICT,
                       "this host is enrolled already (%s); --force replaces its credential", path);
    struct buf body = BUF_INIT;
    struct jsonw w = JSONW_INIT(&body);
    jsonw_object(&w);
    jsonw_kstr(&w, "token", token);
    jsonw_kstr(&w, "host", host);
    jsonw_kstr(&w, "version", version);
    jsonw_end(&w);
    struct agent_request req = {.method = "POST",
                                .path = AGENT_PATH_ENROLL,
                                .body = buf_view(&body),
                                .content_type = "application/json"};
    struct agent_response res = {.body = BUF_INIT};
    bool ok = buf_ok(&body) || err_set(err, ERR_INTERNAL, "out of memory");
    ok = ok && t->call(t->self, &req, &res, err) && understand(&res, server, host, path, err);
    buf_deinit(&res.body);
    buf_deinit(&body);
    return ok;
}

bool agent_credential_load(const char *data_dir, struct arena *a, struct agent_credential *out,
                           struct err *err) {
    char path[4096];
    if (!file_path(data_dir, path, sizeof(path), err))
        return false;
    if (!file_exists(path))
        return err_set(err, ERR_NOT_FOUND,
                       "this host is not enrolled (%s is missing): run hinomi-agent enroll "
                       "--server URL --token TOKEN",
                       path);
    struct buf b = BUF_INIT;
    struct jsonr_doc *doc = NULL;
    bool ok = file_read(path, CREDENTIAL_BYTES_MAX, &b, err) &&
              (doc = jsonr_parse(buf_view(&b), err)) != NULL;
    if (ok) {
        const struct jsonr *root = jsonr_root(doc);
        struct agent_credential c = {.server = {arena_str(a, jsonr_get_str(root, "server")),
                                                arena_str(a, jsonr_get_str(root, "ca_file"))},
                                     .host = arena_str(a, jsonr_get_str(root, "host")),
                                     .id = arena_str(a, jsonr_get_str(root, "id")),
                                     .secret = arena_str(a, jsonr_get_str(root, "secret"))};
        ok = c.server.url.n && c.id.n && c.secret.n;
        if (ok)
            *out = c;
        else
            err_set(err, ERR_CORRUPT, "%s lacks server, id or secret: enrol again", path);
    }
    jsonr_free(doc);
    buf_deinit(&b);
    return ok;
}
