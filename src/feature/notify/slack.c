/* A notification as a Slack message for an incoming webhook: what is wrong, where, since when, the
 * value, what to do, a link. Limits: https://docs.slack.dev/reference/block-kit/blocks (50 blocks,
 * 3,000 characters of text in a section, 150 in a header), 40,000 characters of `text`. We count
 * bytes, which is never less than characters. */
#include "feature/notify/notify_int.h"

#include <stdio.h>
#include <stdlib.h>

#define SECTION_BYTES_MAX 2900
#define TEXT_BYTES_MAX 3000 /* of the plain text: what a phone shows */
#define ALERTS_SHOWN_MAX 12 /* a person reads no more; the rest is counted */
#define DETAILS_SHOWN_MAX 3 /* alerts of one message that get their own description */
#define DIGEST_SHOWN_MAX 30
#define WHERE_BYTES_MAX 400
#define LABEL_BYTES_MAX 120 /* of one label's value */
#define LABELS_MAX 64       /* of one alert that are looked at */
#define LINK_BYTES_MAX 1500

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

/* texts.<name>_ja for Japanese when there is one, else texts.<name> */
static struct str text_of(const struct jsonr *texts, const char *name, const char *name_ja,
                          enum notify_language l) {
    struct str ja = jsonr_get_str(texts, name_ja);
    return l == NOTIFY_JA && ja.n ? ja : jsonr_get_str(texts, name);
}

static struct str summary_of(const struct jsonr *alert, enum notify_language l) {
    return text_of(jsonr_get(alert, "annotations"), "summary", "summary_ja", l);
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
    buf_printf(b, "%s*%s* ", b->n ? "\n" : "", name);
    slack_escape(b, value, room);
}

/* "<url|label>" (label: escaped already); false, and nothing: no web address, or too long for a
 * link. */
static bool put_link(struct buf *b, struct str url, const char *page, const char *label) {
    if ((!str_starts(url, STR("http://")) && !str_starts(url, STR("https://"))) ||
        url.n > LINK_BYTES_MAX)
        return false;
    buf_putc(b, '<');
    for (size_t i = 0; i < url.n; i++) {
        unsigned char c = (unsigned char)url.p[i];
        if (c == '&')
            buf_putz(b, "&amp;");
        else if (c <= ' ' || c == '<' || c == '>' || c == '|' || c == 0x7f)
            buf_printf(b, "%%%02X", c);
        else
            buf_putc(b, (char)c);
    }
    buf_printf(b, "%s|%s>", page, label);
    return true;
}

static bool is_firing(const struct jsonr *alert) {
    return str_eqz(jsonr_get_str(alert, "status"), "firing");
}

/* ---- where ---- */

struct place {
    size_t rank; /* of what a person looks for first; other labels follow by name */
    struct str name, value;
};

static int by_rank(const void *pa, const void *pb) {
    const struct place *a = pa, *b = pb;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return str_cmp(a->name, b->name);
}

static size_t places_of(const struct jsonr *labels, const struct jsonr *except, struct place *out,
                        size_t *out_more) {
    static const char *const first[] = {"service",   "instance", "host", "job",        "cluster",
                                        "namespace", "pod",      "name", "mountpoint", "device"};
    size_t n = 0;
    for (struct jsonr_iter it = jsonr_first(labels); it.value; it = jsonr_next(it)) {
        struct place x = {.name = it.key};
        struct str said;
        if (!jsonr_str(it.value, &x.value) || !x.value.n || str_eqz(it.key, "alertname") ||
            str_eqz(it.key, "severity") || str_starts(it.key, STR("__")))
            continue;
        if (jsonr_str(jsonr_get(except, it.key.p), &said) && str_eq(said, x.value))
            continue;
        while (x.rank < sizeof(first) / sizeof(first[0]) && !str_eqz(it.key, first[x.rank]))
            x.rank++;
        if (n < LABELS_MAX)
            out[n++] = x;
        else
            ++*out_more;
    }
    qsort(out, n, sizeof(*out), by_rank);
    return n;
}

/* The labels that tell an alert apart, "service=shop, queue=mail", in at most about `room` bytes;
 * what found no room is counted. `except` (NULL: none): labels that are said elsewhere. Not escaped
 * yet. */
static void put_where(struct buf *out, const struct jsonr *labels, const struct jsonr *except,
                      size_t room) {
    struct place v[LABELS_MAX];
    size_t more = 0, n = places_of(labels, except, v, &more), start = out->n;
    for (size_t i = 0; i < n; i++) {
        size_t cut = cut_at(v[i].value, LABEL_BYTES_MAX);
        if (out->n - start + v[i].name.n + cut + 6 > room) {
            more++;
            continue;
        }
        if (out->n > start)
            buf_putz(out, ", ");
        buf_puts(out, v[i].name);
        buf_putc(out, '=');
        buf_puts(out, str_sub(v[i].value, 0, cut));
        if (cut < v[i].value.n)
            buf_putz(out, "\xe2\x80\xa6");
    }
    if (more)
        buf_printf(out, "%s+%zu", out->n > start ? ", " : "", more);
}

static void where_line(struct buf *b, const struct jsonr *labels, enum notify_language l) {
    struct buf where = BUF_INIT;
    put_where(&where, labels, NULL, WHERE_BYTES_MAX);
    line_of(b, word(l, "Where", "場所"), buf_view(&where), WHERE_BYTES_MAX * 2);
    buf_deinit(&where);
}

/* ---- one alert ---- */

/* 93.48237464283632 is for machines: six digits. Anything that is no plain number stays. */
static void put_value(struct buf *b, struct str v, enum notify_language l) {
    double f;
    if (!v.n)
        return;
    buf_printf(b, "%s*%s* ", b->n ? "\n" : "", word(l, "Value", "値"));
    if (v.n > 8 && str_to_f64(v, &f))
        buf_printf(b, "%.6g", f);
    else
        slack_escape(b, v, 60);
}

static void put_times(struct buf *b, const struct jsonr *alert, enum notify_language l) {
    int64_t from = jsonr_get_i64(alert, "startsAtMs", 0), to = jsonr_get_i64(alert, "endsAtMs", 0);
    buf_printf(b, "%s*%s* ", b->n ? "\n" : "", word(l, "Since", "発生"));
    put_when(b, from);
    if (is_firing(alert))
        return;
    buf_printf(b, "  *%s* ", word(l, "Until", "復旧"));
    put_when(b, to);
    if (to / 1000 > from / 1000) {
        buf_putz(b, " (");
        duration_format(b, (to - from) / 1000 * 1000);
        buf_putc(b, ')');
    }
}

/* What it means and what to do. `texts`: annotations, of one alert or common to all. */
static void put_help(struct buf *b, const struct jsonr *texts, enum notify_language l) {
    line_of(b, word(l, "What it means", "意味"), text_of(texts, "description", "description_ja", l),
            1000);
    line_of(b, word(l, "What to do", "対処"), text_of(texts, "runbook", "runbook_ja", l), 1000);
    struct str url = text_of(texts, "runbook_url", "runbook_url_ja", l);
    struct buf label = BUF_INIT, link = BUF_INIT;
    slack_escape(&label, url, 200);
    if (url.n && url.n <= 500 && put_link(&link, url, "", label.p ? label.p : "")) {
        buf_printf(b, "%s*%s* ", b->n ? "\n" : "", word(l, "Runbook", "手順書"));
        buf_puts(b, buf_view(&link));
    } else {
        line_of(b, word(l, "Runbook", "手順書"), url, 500);
    }
    buf_deinit(&label);
    buf_deinit(&link);
}

static const char *mark_of(bool firing, struct str severity) {
    if (!firing)
        return ":large_green_circle:";
    return str_eqz(severity, "warning") || str_eqz(severity, "info") ? ":large_yellow_circle:"
                                                                     : ":red_circle:";
}

/* One alert of several: its name unless all have the same, what tells it apart, its summary. */
static void put_item(struct buf *b, const struct jsonr *alert, const struct jsonr *common,
                     bool details, enum notify_language l) {
    const struct jsonr *labels = jsonr_get(alert, "labels");
    struct str name = jsonr_get_str(labels, "alertname"), summary = summary_of(alert, l);
    struct buf where = BUF_INIT;
    put_where(&where, labels, common, WHERE_BYTES_MAX);
    buf_printf(b, "%s *", mark_of(is_firing(alert), jsonr_get_str(labels, "severity")));
    if (!where.n || !jsonr_get_str(common, "alertname").n) {
        slack_escape(b, name.n ? name : STR("?"), 200);
        if (where.n)
            buf_putz(b, "* *");
    }
    slack_escape(b, buf_view(&where), WHERE_BYTES_MAX * 2);
    buf_putc(b, '*');
    if (summary.n) {
        buf_putc(b, '\n');
        slack_escape(b, summary, 400);
    }
    put_times(b, alert, l);
    if (is_firing(alert)) {
        struct buf value = BUF_INIT;
        put_value(&value, jsonr_get_str(alert, "value"), l);
        if (value.n) {
            buf_putz(b, "  ");
            buf_puts(b, buf_view(&value));
        }
        buf_deinit(&value);
        if (details)
            line_of(b, word(l, "What to do", "対処"),
                    text_of(jsonr_get(alert, "annotations"), "runbook", "runbook_ja", l), 600);
    }
    buf_deinit(&where);
}

/* verbatim: what looks like a host name or a mention in a label is neither. */
static void mrkdwn(struct jsonw *w, struct str text) {
    jsonw_kz(w, "type", "mrkdwn");
    jsonw_kstr(w, "text", str_sub(text, 0, cut_at(text, SECTION_BYTES_MAX)));
    jsonw_kbool(w, "verbatim", true);
}

static void section(struct jsonw *w, struct str text) {
    if (!text.n)
        return;
    jsonw_object(w);
    jsonw_kz(w, "type", "section");
    jsonw_kobject(w, "text");
    mrkdwn(w, text);
    jsonw_end(w);
    jsonw_end(w);
}

/* graph: where the alert's expression is drawn; n == 0: nowhere. */
static void footer(struct jsonw *w, const struct slack_look *look, struct str extra,
                   const char *page, struct str graph) {
    struct buf b = BUF_INIT, link = BUF_INIT;
    buf_puts(&b, extra);
    const char *open = word(look->language, "Open hinomi", "hinomi を開く"),
               *draw = word(look->language, "Graph", "グラフ");
    if (put_link(&link, look->public_url, page, open)) {
        buf_putz(&b, b.n ? "  " : "");
        buf_puts(&b, buf_view(&link));
    }
    buf_reset(&link);
    if (put_link(&link, graph, "", draw)) {
        buf_putz(&b, b.n ? "  " : "");
        buf_puts(&b, buf_view(&link));
    }
    if (b.n) {
        jsonw_object(w);
        jsonw_kz(w, "type", "context");
        jsonw_karray(w, "elements");
        jsonw_object(w);
        mrkdwn(w, buf_view(&b));
        jsonw_end(w);
        jsonw_end(w);
        jsonw_end(w);
    }
    buf_deinit(&b);
    buf_deinit(&link);
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
    footer(w, look, (struct str){NULL, 0}, "/", (struct str){NULL, 0});
    end_message(w);
}

static void render_digest(struct jsonw *w, const struct jsonr *digest,
                          const struct slack_look *look) {
    size_t n = jsonr_len(digest), shown = 0;
    int64_t alerts = 0;
    for (size_t i = 0; i < n; i++)
        alerts += jsonr_get_i64(jsonr_at(digest, i), "alerts", 1);
    struct buf text = BUF_INIT, b = BUF_INIT, more = BUF_INIT;
    if (look->language == NOTIFY_JA)
        buf_printf(&text, "%zu件の通知をまとめました（アラート %lld 件）", n, (long long)alerts);
    else
        buf_printf(&text, "%zu notifications in one message (%lld alerts)", n, (long long)alerts);
    begin_message(w, look, buf_view(&text), "#f9a825");
    for (int pass = 0; pass < 2; pass++) /* what rings before what is over */
        for (size_t i = 0; i < n && shown < DIGEST_SHOWN_MAX && b.n < SECTION_BYTES_MAX - 300;
             i++) {
            const struct jsonr *item = jsonr_at(digest, i);
            bool resolved = str_eqz(jsonr_get_str(item, "kind"), "resolved");
            if (resolved != (pass == 1))
                continue;
            buf_printf(&b, "%s%s ", b.n ? "\n" : "",
                       resolved ? ":large_green_circle:" : ":red_circle:");
            slack_escape(&b, jsonr_get_str(item, "title"), 200);
            shown++;
        }
    section(w, buf_view(&b));
    if (n > shown)
        buf_printf(&more, look->language == NOTIFY_JA ? "ほか %zu 件の通知" : "and %zu more",
                   n - shown);
    footer(w, look, buf_view(&more), "/ring", (struct str){NULL, 0});
    end_message(w);
    buf_deinit(&text);
    buf_deinit(&b);
    buf_deinit(&more);
}

/* What a phone shows: how bad, how many, what, where. */
static void put_text(struct buf *b, const struct jsonr *root, uint64_t firing, uint64_t resolved,
                     enum notify_language l) {
    const struct jsonr *common = jsonr_get(root, "commonLabels"),
                       *first = jsonr_at(jsonr_get(root, "alerts"), 0),
                       *labels = jsonr_get(first, "labels");
    struct str name = jsonr_get_str(common, "alertname"),
               severity = jsonr_get_str(common, "severity"), summary = summary_of(first, l);
    struct buf where = BUF_INIT;
    bool one = firing + resolved == 1;
    buf_printf(b, "%s *", mark_of(firing > 0, severity));
    if (l == NOTIFY_JA) {
        if (firing)
            buf_printf(b, one ? "発生" : "発生 %llu 件", (unsigned long long)firing);
        if (resolved)
            buf_printf(b, one ? "復旧" : "%s復旧 %llu 件", firing ? "、" : "",
                       (unsigned long long)resolved);
    } else {
        if (firing)
            buf_printf(b, one ? "Firing" : "%llu firing", (unsigned long long)firing);
        if (resolved)
            buf_printf(b, one ? "Resolved" : "%s%llu resolved", firing ? ", " : "",
                       (unsigned long long)resolved);
    }
    if (name.n) {
        buf_putz(b, ": ");
        slack_escape(b, name, 200);
    }
    buf_putc(b, '*');
    if (severity.n) {
        buf_putz(b, " (");
        slack_escape(b, severity, 40);
        buf_putc(b, ')');
    }
    buf_putc(b, '\n');
    if (!name.n) { /* different kinds in one group: the first stands for them */
        struct str its = jsonr_get_str(labels, "alertname");
        slack_escape(b, its.n ? its : STR("?"), 200);
        buf_putz(b, summary.n ? ": " : "");
    }
    slack_escape(b, summary, 400);
    if (!one && !jsonr_get_str(jsonr_get(root, "commonAnnotations"), "summary").n)
        buf_printf(b, l == NOTIFY_JA ? "（ほか %llu 件）" : " (and %llu more)",
                   (unsigned long long)(firing + resolved - 1));
    put_where(&where, one ? labels : common, NULL, WHERE_BYTES_MAX / 2);
    if (where.n) {
        buf_putz(b, summary.n ? " \xe2\x80\x94 " : "");
        slack_escape(b, buf_view(&where), WHERE_BYTES_MAX);
    }
    buf_deinit(&where);
}

static void render_one(struct jsonw *w, const struct jsonr *alert, enum notify_language l) {
    struct buf b = BUF_INIT;
    where_line(&b, jsonr_get(alert, "labels"), l);
    put_times(&b, alert, l);
    if (is_firing(alert))
        put_value(&b, jsonr_get_str(alert, "value"), l);
    section(w, buf_view(&b));
    buf_reset(&b);
    if (is_firing(alert))
        put_help(&b, jsonr_get(alert, "annotations"), l);
    section(w, buf_view(&b));
    buf_deinit(&b);
}

/* What all have in common once, then each in short. */
static size_t render_many(struct jsonw *w, const struct jsonr *root, bool firing,
                          enum notify_language l) {
    const struct jsonr *alerts = jsonr_get(root, "alerts"),
                       *common = jsonr_get(root, "commonLabels"),
                       *texts = jsonr_get(root, "commonAnnotations");
    size_t n = jsonr_len(alerts), shown = 0;
    struct buf b = BUF_INIT;
    where_line(&b, common, l);
    if (firing)
        put_help(&b, texts, l);
    section(w, buf_view(&b));
    bool details = n <= DETAILS_SHOWN_MAX && !jsonr_get_str(texts, "runbook").n;
    for (int pass = 0; pass < 2; pass++) /* firing first */
        for (size_t i = 0; i < n && shown < ALERTS_SHOWN_MAX; i++) {
            const struct jsonr *a = jsonr_at(alerts, i);
            if (is_firing(a) != (pass == 0))
                continue;
            buf_reset(&b);
            put_item(&b, a, common, details, l);
            section(w, buf_view(&b));
            shown++;
        }
    buf_deinit(&b);
    return shown;
}

static void render_alerts(struct jsonw *w, const struct jsonr *root,
                          const struct slack_look *look) {
    const struct jsonr *alerts = jsonr_get(root, "alerts");
    size_t n = jsonr_len(alerts), in_list = 0, shown = 1;
    int64_t hidden = jsonr_get_i64(root, "truncatedAlerts", 0);
    for (size_t i = 0; i < n; i++)
        in_list += is_firing(jsonr_at(alerts, i));
    /* The list is cut at its end, and firing ones stand first. */
    uint64_t all = n + (hidden > 0 ? (uint64_t)hidden : 0), firing = in_list < n ? in_list
                                                                     : in_list   ? all
                                                                                 : 0;
    struct str severity = jsonr_get_str(jsonr_get(root, "commonLabels"), "severity");
    const char *color = !firing                                                     ? "#2e7d32"
                        : str_eqz(severity, "warning") || str_eqz(severity, "info") ? "#f9a825"
                                                                                    : "#d32f2f";
    struct buf text = BUF_INIT, more = BUF_INIT;
    put_text(&text, root, firing, all - firing, look->language);
    begin_message(w, look, buf_view(&text), color);
    if (all == 1)
        render_one(w, jsonr_at(alerts, 0), look->language);
    else
        shown = render_many(w, root, firing > 0, look->language);
    if (all > shown)
        buf_printf(&more, look->language == NOTIFY_JA ? "ほか %llu 件" : "and %llu more",
                   (unsigned long long)(all - shown));
    footer(w, look, buf_view(&more), "/ring", jsonr_get_str(jsonr_at(alerts, 0), "generatorURL"));
    end_message(w);
    buf_deinit(&text);
    buf_deinit(&more);
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
