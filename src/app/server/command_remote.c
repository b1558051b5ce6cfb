/* Commands that ask a running server over HTTP: query, notify test, config export, agent token. */
#include "app/server/commands.h"
#include "codec/json.h"
#include "codec/jsonr.h"

#include "net/http_client.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>

struct remote {
    struct arena a;
    struct err err;
    const char *server, *token;
    struct http_client *client;
    struct http_reply reply;
    bool replied;
    struct jsonr_doc *doc;
};

static bool read_token(const struct cli_args *args, struct remote *r) {
    const char *file = cli_flag(args, "token-file");
    struct buf b = BUF_INIT;
    r->token = getenv("HINOMI_TOKEN");
    if (!file)
        return true;
    bool ok = file_read(file, 4096, &b, &r->err);
    if (ok)
        r->token = arena_strz(&r->a, str_trim(buf_view(&b)));
    buf_deinit(&b);
    return ok;
}

static bool open_remote(const struct cli_args *args, struct remote *r) {
    *r = (struct remote){.server = cli_flag(args, "server")};
    if (!r->server)
        r->server = getenv("HINOMI_SERVER");
    if (!r->server || !*r->server)
        r->server = "http://127.0.0.1:11900";
    struct str url = str_from(r->server);
    while (url.n && url.p[url.n - 1] == '/')
        url.n--;
    r->server = arena_strz(&r->a, url);
    r->client = read_token(args, r) ? http_client_new(&r->err) : NULL;
    return r->client != NULL;
}

static int close_remote(const struct cli_args *args, struct remote *r, bool ok) {
    int code = ok ? 0 : cli_fail(args, &r->err);
    jsonr_free(r->doc);
    if (r->replied)
        http_reply_deinit(&r->reply);
    http_client_free(r->client);
    arena_deinit(&r->a);
    return code;
}

/* hinomi's own errors are {"error":{"message"}}, Prometheus's {"error":"..."}. */
static bool refused(struct remote *r) {
    struct err ignored;
    struct str message = {NULL, 0}, hint;
    err_reset(&ignored);
    struct jsonr_doc *doc = jsonr_parse(buf_view(&r->reply.body), &ignored);
    const struct jsonr *error = doc ? jsonr_get(jsonr_root(doc), "error") : NULL;
    if (!jsonr_str(error, &message))
        message = jsonr_get_str(error, "message");
    hint = jsonr_get_str(error, "hint");
    enum err_code code = r->reply.status == 401   ? ERR_UNAUTHENTICATED
                         : r->reply.status == 403 ? ERR_FORBIDDEN
                         : r->reply.status == 404 ? ERR_NOT_FOUND
                         : r->reply.status >= 500 ? ERR_UNAVAILABLE
                                                  : ERR_BAD_INPUT;
    (void)err_set(&r->err, code, "%s answered %d: %.*s%s%.*s%s", r->server, r->reply.status,
                  STR_FMT(message), hint.n ? "; " : "", STR_FMT(hint),
                  code == ERR_UNAUTHENTICATED ? " (give --token-file or set HINOMI_TOKEN)" : "");
    jsonr_free(doc);
    return false;
}

static bool call(struct remote *r, const char *method, const char *path, struct str body,
                 const char *type, int64_t timeout_ms) {
    struct http_header header = {STR("Content-Type"), str_from(type)};
    struct http_call c = {.method = method,
                          .url = arena_printf(&r->a, "%s%s", r->server, path).p,
                          .headers = type ? &header : NULL,
                          .n_headers = type ? 1 : 0,
                          .body = body,
                          .timeout_ms = timeout_ms,
                          .accept_compressed = true,
                          .bearer = r->token};
    if (!c.url)
        return arena_err(&r->a, &r->err);
    r->replied = true;
    if (!http_client_do(r->client, &c, &r->reply, &r->err))
        return err_prefix(&r->err, "%s", r->server);
    return r->reply.status / 100 == 2 || refused(r);
}

static bool parse_reply(struct remote *r) {
    r->doc = jsonr_parse(buf_view(&r->reply.body), &r->err);
    return r->doc || err_prefix(&r->err, "the answer of %s", r->server);
}

static void form(struct buf *b, const char *name, struct str value) {
    buf_printf(b, "%s%s=", b->n ? "&" : "", name);
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            strchr("-_.~", c))
            buf_putc(b, (char)c);
        else
            buf_printf(b, "%%%02X", c);
    }
}

/* ---- query ---- */

static bool range_times(const struct cli_args *args, struct buf *b, struct err *err) {
    const char *start = cli_flag(args, "start"), *end = cli_flag(args, "end"),
               *step = cli_flag(args, "step"), *at = cli_flag(args, "time");
    if (!start) {
        if (end || step)
            return err_set(err, ERR_BAD_INPUT,
                           "--end and --step belong to a range; give --start too");
        if (at)
            form(b, "time", str_from(at));
        return true;
    }
    if (at)
        return err_set(err, ERR_BAD_INPUT,
                       "--time is an instant, --start begins a range; give one of them");
    struct buf now = BUF_INIT;
    buf_printf(&now, "%lld", (long long)(clock_wall_ms(clock_system()) / 1000));
    form(b, "start", str_from(start));
    form(b, "end", end ? str_from(end) : buf_view(&now));
    form(b, "step", step ? str_from(step) : STR("1m"));
    buf_deinit(&now);
    return true;
}

static void print_labels(const struct jsonr *metric, struct arena *a) {
    struct labels_text {
        struct str key, value;
    } *v = arena_array(a, jsonr_len(metric) + 1, sizeof(*v));
    size_t n = 0;
    for (struct jsonr_iter it = jsonr_first(metric); v && it.value; it = jsonr_next(it)) {
        struct str value;
        if (!jsonr_str(it.value, &value))
            continue;
        size_t k = n++;
        for (; k > 0 && str_cmp(v[k - 1].key, it.key) > 0; k--)
            v[k] = v[k - 1];
        v[k].key = it.key;
        v[k].value = value;
    }
    bool any = false;
    (void)printf("%.*s{", STR_FMT(jsonr_get_str(metric, "__name__")));
    for (size_t i = 0; i < n; i++) {
        if (str_eq(v[i].key, STR("__name__")))
            continue;
        (void)printf("%s%.*s=\"%.*s\"", any ? ", " : "", STR_FMT(v[i].key), STR_FMT(v[i].value));
        any = true;
    }
    (void)printf("}");
}

static void print_sample(const struct jsonr *pair, const char *before) {
    double ts = 0;
    struct str value = {NULL, 0};
    struct buf b = BUF_INIT;
    (void)jsonr_f64(jsonr_at(pair, 0), &ts);
    (void)jsonr_str(jsonr_at(pair, 1), &value);
    time_format_rfc3339(&b, (int64_t)(ts * 1000));
    (void)printf("%s%s  %.*s\n", before, buf_ok(&b) ? b.p : "", STR_FMT(value));
    buf_deinit(&b);
}

static void print_result(struct remote *r) {
    const struct jsonr *root = jsonr_root(r->doc), *data = jsonr_get(root, "data"),
                       *result = jsonr_get(data, "result");
    struct str type = jsonr_get_str(data, "resultType"), text;
    static const char *const notes[] = {"warnings", "infos"};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < jsonr_len(jsonr_get(root, notes[k])); i++)
            if (jsonr_str(jsonr_at(jsonr_get(root, notes[k]), i), &text))
                (void)fprintf(stderr, "%s: %.*s\n", k ? "info" : "warning", STR_FMT(text));
    if (str_eq(type, STR("scalar")) || str_eq(type, STR("string"))) {
        print_sample(result, "");
        return;
    }
    for (size_t i = 0; i < jsonr_len(result); i++) {
        const struct jsonr *row = jsonr_at(result, i), *values = jsonr_get(row, "values");
        print_labels(jsonr_get(row, "metric"), &r->a);
        if (str_eq(type, STR("vector"))) {
            print_sample(jsonr_get(row, "value"), "  ");
            continue;
        }
        (void)putchar('\n');
        for (size_t k = 0; k < jsonr_len(values); k++)
            print_sample(jsonr_at(values, k), "  ");
    }
    if (jsonr_len(result) == 0)
        (void)fprintf(stderr, "nothing matches\n");
}

int command_query(const struct cli_args *args) {
    struct remote r;
    struct buf b = BUF_INIT;
    bool range = cli_has(args, "start");
    bool ok = open_remote(args, &r);
    if (ok) {
        form(&b, "query", str_from(args->operands[0]));
        ok = range_times(args, &b, &r.err) &&
             call(&r, "POST", range ? "/api/v1/query_range" : "/api/v1/query", buf_view(&b),
                  "application/x-www-form-urlencoded", 130000);
    }
    const char *format = cli_flag(args, "format");
    if (ok && format && strcmp(format, "json") == 0)
        (void)printf("%.*s\n", (int)r.reply.body.n, r.reply.body.p);
    else if (ok && (ok = parse_reply(&r)))
        print_result(&r);
    buf_deinit(&b);
    return close_remote(args, &r, ok);
}

/* ---- notify test ---- */

int command_notify_test(const struct cli_args *args) {
    struct remote r;
    struct buf b = BUF_INIT;
    bool ok = open_remote(args, &r);
    buf_putz(&b, "{\"receiver\":");
    jsonw_quote(&b, str_from(args->operands[0]));
    buf_putz(&b, "}");
    ok = ok &&
         call(&r, "POST", "/api/hinomi/notify/test", buf_view(&b), "application/json", 60000) &&
         parse_reply(&r);
    if (ok) {
        const struct jsonr *root = jsonr_root(r.doc);
        struct str state = jsonr_get_str(root, "state"), error = jsonr_get_str(root, "last_error");
        (void)printf("%s: %.*s%s%.*s\n", args->operands[0], STR_FMT(state), error.n ? ": " : "",
                     STR_FMT(error));
        if (!str_eq(state, STR("delivered")))
            ok = err_set(&r.err, ERR_UNAVAILABLE, "the test message was not delivered");
    }
    buf_deinit(&b);
    return close_remote(args, &r, ok);
}

/* ---- config export ---- */

int command_config_export(const struct cli_args *args) {
    struct remote r;
    bool ok =
        open_remote(args, &r) && call(&r, "GET", "/api/hinomi/config/export", STR(""), NULL, 30000);
    if (ok)
        (void)printf("%.*s", (int)r.reply.body.n, r.reply.body.p);
    return close_remote(args, &r, ok);
}

/* ---- agent token ---- */

int command_agent_token(const struct cli_args *args) {
    struct remote r;
    struct buf b = BUF_INIT;
    const char *note = cli_flag(args, "note");
    bool ok = open_remote(args, &r);
    buf_putz(&b, "{\"note\":");
    if (note)
        jsonw_quote(&b, str_from(note));
    else
        buf_putz(&b, "null");
    buf_putz(&b, "}");
    ok = ok &&
         call(&r, "POST", "/api/hinomi/agents/enroll-token", buf_view(&b), "application/json",
              30000) &&
         parse_reply(&r);
    if (ok) {
        struct str command = jsonr_get_str(jsonr_root(r.doc), "command"),
                   token = jsonr_get_str(jsonr_root(r.doc), "token");
        (void)printf("%.*s\n", STR_FMT(command.n ? command : token));
    }
    buf_deinit(&b);
    return close_remote(args, &r, ok);
}
