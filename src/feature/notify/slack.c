/* A notification as a Slack message for an incoming webhook: what is wrong, where, since when, the
 * value, what to do, a link. Limits: https://docs.slack.dev/reference/block-kit/blocks (50 blocks,
 * 3,000 characters of text in a section, 150 in a header), 40,000 characters of `text`. We count
 * bytes, which is never less than characters. */
#include "feature/notify/notify_int.h"

#define SECTION_BYTES_MAX 2900
#define HEADER_BYTES_MAX 148
#define TEXT_BYTES_MAX 3000 /* of the plain text: what a phone shows */
#define ALERTS_SHOWN_MAX 8  /* a person reads no more */
#define DIGEST_SHOWN_MAX 30

static size_t cut_at(struct str s, size_t max) {
    size_t n = s.n < max ? s.n : max;
    while (n > 0 && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

void slack_escape(struct buf *b, struct str s, size_t room) {
    static const char more[] = "\xe2\x80\xa6";
    size_t used = 0;
    for (size_t i = 0; i < s.n;) {
        size_t len = 1;
        while (i + len < s.n && ((unsigned char)s.p[i + len] & 0xc0) == 0x80)
            len++;
        struct str piece = str_sub(s, i, len);
        if (len == 1 && s.p[i] == '&')
            piece = STR("&amp;");
        else if (len == 1 && s.p[i] == '<')
            piece = STR("&lt;");
        else if (len == 1 && s.p[i] == '>')
            piece = STR("&gt;");
        bool last = i + len == s.n;
        if (used + piece.n + (last ? 0 : sizeof(more) - 1) > room) {
            if (used + sizeof(more) - 1 <= room)
                buf_putz(b, more);
            return;
        }
        buf_puts(b, piece);
        used += piece.n;
        i += len;
    }
}

static const char *word(enum notify_language l, const char *en, const char *ja) {
    return l == NOTIFY_JA ? ja : en;
}

/* annotations.<name>_ja for Japanese when there is one, else annotations.<name> */
static struct str text_of(const struct jsonr *alert, const char *name, const char *name_ja,
                          enum notify_language l) {
    const struct jsonr *a = jsonr_get(alert, "annotations");
    struct str ja = jsonr_get_str(a, name_ja);
    return l == NOTIFY_JA && ja.n ? ja : jsonr_get_str(a, name);
}

static struct str headline(const struct jsonr *alert, enum notify_language l) {
    struct str s = text_of(alert, "summary", "summary_ja", l);
    return s.n ? s : jsonr_get_str(jsonr_get(alert, "labels"), "alertname");
}

static void put_when(struct buf *b, int64_t ms) {
    struct buf iso = BUF_INIT;
    time_format_rfc3339(&iso, ms / 1000 * 1000);
    buf_printf(b, "<!date^%lld^{date_short_pretty} {time_secs}|%s>", (long long)(ms / 1000),
               iso.p ? iso.p : "");
    buf_deinit(&iso);
}

static void line_of(struct buf *b, const char *name, struct str value, size_t room) {
    if (!value.n)
        return;
    buf_printf(b, "\n*%s* ", name);
    slack_escape(b, value, room);
}

static void alert_section(struct buf *b, const struct jsonr *alert, enum notify_language l) {
    const struct jsonr *labels = jsonr_get(alert, "labels");
    bool firing = str_eqz(jsonr_get_str(alert, "status"), "firing");
    buf_putz(b, firing ? ":red_circle: *" : ":large_green_circle: *");
    slack_escape(b, headline(alert, l), 300);
    buf_putz(b, "*");
    struct buf where = BUF_INIT;
    static const char *const places[] = {"service", "instance", "job", "mountpoint",
                                         "device",  "name",     "pod", "namespace"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct str v = jsonr_get_str(labels, places[i]);
        if (!v.n)
            continue;
        if (where.n)
            buf_putz(&where, ", ");
        buf_printf(&where, "%s=", places[i]);
        buf_puts(&where, str_sub(v, 0, cut_at(v, 120)));
    }
    line_of(b, word(l, "Where", "場所"), buf_view(&where), 400);
    buf_deinit(&where);
    buf_printf(b, "\n*%s* ", word(l, "Since", "発生"));
    put_when(b, jsonr_get_i64(alert, "startsAtMs", 0));
    if (!firing) {
        buf_printf(b, " *%s* ", word(l, "Until", "復旧"));
        put_when(b, jsonr_get_i64(alert, "endsAtMs", 0));
    }
    struct str severity = jsonr_get_str(labels, "severity");
    line_of(b, word(l, "Severity", "重大度"), severity, 60);
    line_of(b, word(l, "Value", "値"), jsonr_get_str(alert, "value"), 60);
    if (!firing)
        return;
    line_of(b, word(l, "What it means", "意味"), text_of(alert, "description", "description_ja", l),
            700);
    line_of(b, word(l, "What to do", "対処"), text_of(alert, "runbook", "runbook_ja", l), 800);
    struct str runbook_url = text_of(alert, "runbook_url", "runbook_url_ja", l);
    line_of(b, word(l, "Runbook", "手順書"), runbook_url, 200);
}

static void section(struct jsonw *w, struct str text) {
    jsonw_object(w);
    jsonw_kz(w, "type", "section");
    jsonw_kobject(w, "text");
    jsonw_kz(w, "type", "mrkdwn");
    jsonw_kstr(w, "text", str_sub(text, 0, cut_at(text, SECTION_BYTES_MAX)));
    jsonw_end(w);
    jsonw_end(w);
}

static void footer(struct jsonw *w, const struct slack_look *look, struct str extra,
                   const char *page) {
    struct buf b = BUF_INIT;
    if (extra.n)
        buf_puts(&b, extra);
    if (look->public_url.n) {
        if (b.n)
            buf_putz(&b, "  ");
        buf_putc(&b, '<');
        slack_escape(&b, look->public_url, 400);
        buf_printf(&b, "%s|%s>", page, word(look->language, "Open hinomi", "hinomi を開く"));
    }
    if (b.n) {
        jsonw_object(w);
        jsonw_kz(w, "type", "context");
        jsonw_karray(w, "elements");
        jsonw_object(w);
        jsonw_kz(w, "type", "mrkdwn");
        jsonw_kstr(w, "text", buf_view(&b));
        jsonw_end(w);
        jsonw_end(w);
        jsonw_end(w);
    }
    buf_deinit(&b);
}

/* {"text": ..., "attachments": [{"color": ..., "blocks": [ ; the caller writes blocks, then
 * end_message. */
static void begin_message(struct jsonw *w, const struct slack_look *look, struct str text,
                          const char *color) {
    jsonw_object(w);
    jsonw_kstr(w, "text", str_sub(text, 0, cut_at(text, TEXT_BYTES_MAX)));
    if (look->channel.n)
        jsonw_kstr(w, "channel", look->channel);
    if (look->username.n)
        jsonw_kstr(w, "username", look->username);
    if (look->icon_emoji.n)
        jsonw_kstr(w, "icon_emoji", look->icon_emoji);
    if (look->icon_url.n)
        jsonw_kstr(w, "icon_url", look->icon_url);
    jsonw_karray(w, "attachments");
    jsonw_object(w);
    jsonw_kz(w, "color", color);
    jsonw_karray(w, "blocks");
}
static void end_message(struct jsonw *w) {
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
}

static void render_test(struct jsonw *w, const struct slack_look *look) {
    struct str text =
        look->language == NOTIFY_JA
            ? STR("hinomi の通知テストです。これが読めれば、この受信先は使えます。")
            : STR("This is a test from hinomi. If you can read it, this receiver works.");
    begin_message(w, look, text, "#1976d2");
    section(w, text);
    footer(w, look, (struct str){NULL, 0}, "/");
    end_message(w);
}

static void render_digest(struct jsonw *w, const struct jsonr *digest,
                          const struct slack_look *look) {
    size_t n = jsonr_len(digest);
    struct buf text = BUF_INIT, b = BUF_INIT;
    if (look->language == NOTIFY_JA)
        buf_printf(&text, "%zu件の通知をまとめました", n);
    else
        buf_printf(&text, "%zu notifications in one message", n);
    begin_message(w, look, buf_view(&text), "#f9a825");
    buf_printf(&b, "*%s*", text.p ? text.p : "");
    for (size_t i = 0; i < n && i < DIGEST_SHOWN_MAX && b.n < SECTION_BYTES_MAX - 300; i++) {
        const struct jsonr *item = jsonr_at(digest, i);
        bool resolved = str_eqz(jsonr_get_str(item, "kind"), "resolved");
        buf_printf(&b, "\n%s ", resolved ? ":large_green_circle:" : ":red_circle:");
        slack_escape(&b, jsonr_get_str(item, "title"), 200);
    }
    section(w, buf_view(&b));
    footer(w, look, (struct str){NULL, 0}, "/ring");
    end_message(w);
    buf_deinit(&text);
    buf_deinit(&b);
}

static void render_alerts(struct jsonw *w, const struct jsonr *root,
                          const struct slack_look *look) {
    const struct jsonr *alerts = jsonr_get(root, "alerts");
    size_t n = jsonr_len(alerts), firing = 0;
    uint64_t all = n + (uint64_t)jsonr_get_i64(root, "truncatedAlerts", 0);
    for (size_t i = 0; i < n; i++)
        firing += str_eqz(jsonr_get_str(jsonr_at(alerts, i), "status"), "firing");
    struct str severity = jsonr_get_str(jsonr_get(root, "commonLabels"), "severity");
    const char *color = !firing                                                     ? "#2e7d32"
                        : str_eqz(severity, "warning") || str_eqz(severity, "info") ? "#f9a825"
                                                                                    : "#d32f2f";
    struct buf text = BUF_INIT, b = BUF_INIT;
    const char *state =
        firing ? word(look->language, "Firing", "発生") : word(look->language, "Resolved", "復旧");
    buf_printf(&text, "[%s%s%.0llu] ", state, all > 1 ? ":" : "",
               all > 1 ? (unsigned long long)(firing ? firing : all) : 0ULL);
    slack_escape(&text, n ? headline(jsonr_at(alerts, 0), look->language) : STR("?"), 400);
    begin_message(w, look, buf_view(&text), color);
    size_t shown = 0;
    for (int pass = 0; pass < 2; pass++) /* firing first */
        for (size_t i = 0; i < n && shown < ALERTS_SHOWN_MAX; i++) {
            const struct jsonr *a = jsonr_at(alerts, i);
            if (str_eqz(jsonr_get_str(a, "status"), "firing") != (pass == 0))
                continue;
            buf_reset(&b);
            alert_section(&b, a, look->language);
            section(w, buf_view(&b));
            shown++;
        }
    buf_reset(&b);
    if (all > shown) {
        if (look->language == NOTIFY_JA)
            buf_printf(&b, "ほか %llu 件", (unsigned long long)(all - shown));
        else
            buf_printf(&b, "and %llu more", (unsigned long long)(all - shown));
    }
    footer(w, look, buf_view(&b), "/ring");
    end_message(w);
    buf_deinit(&text);
    buf_deinit(&b);
}

bool slack_render(struct buf *out, struct str kind, struct str body, const struct slack_look *look,
                  struct err *err) {
    struct jsonw w = JSONW_INIT(out);
    if (str_eqz(kind, "test")) {
        render_test(&w, look);
        return true;
    }
    struct jsonr_doc *doc = jsonr_parse(body, err);
    if (!doc)
        return err_prefix(err, "a message in the outbox cannot be read");
    const struct jsonr *root = jsonr_root(doc), *digest = jsonr_get(root, "digest");
    if (jsonr_type(digest) == JSONR_ARRAY)
        render_digest(&w, digest, look);
    else
        render_alerts(&w, root, look);
    jsonr_free(doc);
    return true;
}
