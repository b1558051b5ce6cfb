/* hinomi config export: what was added in the screen, as a fragment for the team's repository. */
#include "app/server/server.h"

/* Double quotes with YAML's escapes, which are JSON's for what can stand in a URL or a name. */
static void quoted(struct buf *out, struct str s) {
    buf_putc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < ' ' || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else if (c == '$' && i + 2 < s.n && s.p[i + 1] == '{' &&
                 ((s.p[i + 2] >= 'A' && s.p[i + 2] <= 'Z') || s.p[i + 2] == '_'))
            buf_putz(out, "$$");
        else
            buf_putc(out, (char)c);
    }
    buf_putc(out, '"');
}

/* A word that needs no quotes, or quotes. */
static void word(struct buf *out, struct str s) {
    bool plain = s.n > 0 && ((s.p[0] >= 'a' && s.p[0] <= 'z') || (s.p[0] >= 'A' && s.p[0] <= 'Z'));
    static const char *const reserved[] = {"true", "false", "yes", "no", "on",
                                           "off",  "null",  "y",   "n"};
    for (size_t i = 0; i < s.n; i++)
        plain = plain && ((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
                          (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_' || s.p[i] == '-' ||
                          s.p[i] == '.');
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        plain = plain && !str_eq_nocase(s, str_from(reserved[i]));
    if (plain)
        buf_puts(out, s);
    else
        quoted(out, s);
}

/* scheme://host/path?query in its parts. */
static void export_scrape(const struct api_accepted *t, struct buf *out) {
    bool https = str_starts(t->url, STR("https://"));
    struct str rest = str_from_offset(t->url, https ? 8 : 7), host, path;
    size_t slash = str_find_char(rest, '/');
    host = str_sub(rest, 0, slash == SIZE_MAX ? rest.n : slash);
    path = slash == SIZE_MAX ? STR("/") : str_from_offset(rest, slash);
    size_t question = str_find_char(path, '?');
    buf_putz(out, "  - job_name: ");
    word(out, t->job);
    buf_putc(out, '\n');
    if (https)
        buf_putz(out, "    scheme: https\n");
    struct str only_path = question == SIZE_MAX ? path : str_sub(path, 0, question);
    if (!str_eq(only_path, STR("/metrics"))) {
        buf_putz(out, "    metrics_path: ");
        quoted(out, only_path);
        buf_putc(out, '\n');
    }
    if (question != SIZE_MAX) {
        struct str query = str_from_offset(path, question + 1), pair, name;
        buf_putz(out, "    params:\n");
        while (str_next(&query, '&', &pair)) {
            struct str value = pair;
            if (!str_next(&value, '=', &name))
                continue;
            buf_putz(out, "      ");
            quoted(out, name);
            buf_putz(out, ": [");
            quoted(out, value);
            buf_putz(out, "]\n");
        }
    }
    buf_putz(out, "    static_configs:\n      - targets: [");
    quoted(out, host);
    buf_putz(out, "]\n");
}

static bool export_scrapes(struct server *s, struct arena *a, struct buf *out, struct err *err) {
    struct api_accepted *v;
    size_t n;
    if (!server_scrape_accepted(s, a, &v, &n, err))
        return false;
    if (n)
        buf_putz(out, "scrape_configs:\n");
    for (size_t i = 0; i < n; i++)
        export_scrape(&v[i], out);
    return true;
}

static bool export_receivers(struct server *s, struct arena *a, struct buf *out, struct err *err) {
    struct notify_receiver *v;
    size_t n;
    bool any = false;
    if (!notify_receivers(s->notify, a, &v, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (v[i].declared)
            continue;
        if (!any)
            buf_putz(out, "receivers:\n");
        any = true;
        bool slack = str_eq(v[i].kind, STR("slack"));
        buf_putz(out, "  - name: ");
        word(out, v[i].name);
        buf_printf(out,
                   "\n    %s:\n      # the URL is a secret and is not exported: write it into this "
                   "file\n      - %s: ",
                   slack ? "slack_configs" : "webhook_configs",
                   slack ? "api_url_file" : "url_file");
        struct str file = arena_printf(a, "/etc/hinomi/%.*s-url", STR_FMT(v[i].name));
        quoted(out, file);
        buf_putc(out, '\n');
        if (slack && v[i].channel.n) {
            buf_putz(out, "        channel: ");
            quoted(out, v[i].channel);
            buf_putc(out, '\n');
        }
    }
    return true;
}

bool server_export(void *server, struct buf *out, struct err *err) {
    struct server *s = server;
    struct arena a = ARENA_INIT;
    size_t before = out->n;
    bool ok = export_scrapes(s, &a, out, err) && export_receivers(s, &a, out, err) &&
              inventory_export(s->inventory, out, err);
    if (ok && out->n == before)
        buf_putz(out, "# nothing was added in the screen\n");
    arena_deinit(&a);
    return ok && (buf_ok(out) || err_set(err, ERR_INTERNAL, "no memory for the export"));
}
