/* hinomi-agent enroll: a token for a credential of this host's own. */
#include "app/agent/commands.h"
#include "app/cli/datadir.h"
#include "feature/agent/agent_client.h"
#include "net/http_client.h"
#include "os/file.h"

#include <stdio.h>
#include <unistd.h>

static bool find_token(const struct cli_args *args, struct arena *a, struct str *out,
                       struct err *err) {
    const char *token = cli_flag(args, "token"), *file = cli_flag(args, "token-file");
    struct buf b = BUF_INIT;
    if (token && !file) {
        *out = str_from(token);
        return true;
    }
    if (!file || token)
        return err_set(err, ERR_BAD_INPUT,
                       "give the enrol token with --token TOKEN or --token-file FILE");
    bool ok = file_read(file, 4096, &b, err);
    if (ok)
        *out = arena_str(a, str_trim(buf_view(&b)));
    buf_deinit(&b);
    return ok;
}

static bool find_name(const struct cli_args *args, struct arena *a, struct str *out,
                      struct err *err) {
    const char *name = cli_flag(args, "name");
    char host[256] = "";
    if (!name && gethostname(host, sizeof(host) - 1) != 0)
        return err_set(err, ERR_INTERNAL, "this host has no name; give one with --name");
    *out = arena_str(a, str_from(name ? name : host));
    if (out->n == 0 || out->n > 253)
        return err_set(err, ERR_BAD_INPUT, "--name: expected 1 to 253 characters, found %zu",
                       out->n);
    return true;
}

static bool enroll(const struct cli_args *args, struct arena *a, const char *data,
                   struct err *err) {
    const char *server = cli_flag(args, "server"), *ca = cli_flag(args, "ca-file");
    struct str token, name;
    if (!server)
        return err_set(err, ERR_BAD_INPUT, "say which server: --server https://HOST:11900");
    if (!str_starts(str_from(server), STR("http://")) &&
        !str_starts(str_from(server), STR("https://")))
        return err_set(err, ERR_BAD_INPUT,
                       "--server: expected http://... or https://..., found \"%s\"", server);
    if (!find_token(args, a, &token, err) || !find_name(args, a, &name, err))
        return false;
    struct str url = str_from(server);
    while (url.n && url.p[url.n - 1] == '/')
        url.n--;
    struct agent_server_address to = {.url = arena_str(a, url),
                                      .ca_file = ca ? str_from(ca) : STR("")};
    struct http_client *http = http_client_new(err);
    struct agent_transport_http *t = http ? agent_transport_http_new(http, to, err) : NULL;
    bool ok = false;
    if (t) {
        struct agent_transport view = agent_transport_http_view(t);
        ok = agent_enroll(&view, to, token, data, name, STR(HINOMI_VERSION), cli_has(args, "force"),
                          err);
    }
    agent_transport_http_free(t);
    http_client_free(http);
    if (ok)
        (void)printf("enrolled as %.*s at %s; now start hinomi-agent run (or systemctl start "
                     "hinomi-agent)\n",
                     STR_FMT(name), server);
    return ok;
}

int agent_command_enroll(const struct cli_args *args) {
    struct arena a = ARENA_INIT;
    struct err err;
    err_reset(&err);
    const char *data = datadir_choose("hinomi-agent", cli_flag(args, "data"), &a, &err);
    bool ok = data && (file_exists(data) || file_mkdirs(data, 0700, &err)) &&
              datadir_become_owner(data, &err) && enroll(args, &a, data, &err);
    int code = ok ? 0 : cli_fail(args, &err);
    arena_deinit(&a);
    return code;
}
