#include "feature/notify/notify_conf.h"

#include "feature/notify/interval.h"

#include "base/map.h"
#include "base/timev.h"
#include "feature/notify/notify_match.h"

#include <stddef.h>

#define AT(type, member) offsetof(struct type, member)
#define YEAR_MS INT64_C(31536000000)

/* ---- http_config ---- */

static const struct conf_option basic_auth_options[] = {
    {.name = "username",
     .type = CONF_STR,
     .offset = AT(notify_basic_auth_conf, username),
     .help = "User name.",
     .help_ja = "ユーザー名。"},
    {.name = "password",
     .type = CONF_SECRET,
     .offset = AT(notify_basic_auth_conf, password),
     .help = "Password.",
     .help_ja = "パスワード。"},
};
static const struct conf_table basic_auth_table = {.name = "basic_auth",
                                                   .help = "HTTP basic authentication.",
                                                   .size = sizeof(struct notify_basic_auth_conf),
                                                   .options = basic_auth_options,
                                                   .n = CONF_N(basic_auth_options),
                                                   .source_offset = SIZE_MAX};
static const struct conf_option authorization_options[] = {
    {.name = "type",
     .type = CONF_STR,
     .offset = AT(notify_authorization_conf, type),
     .def = "Bearer",
     .help = "The scheme.",
     .help_ja = "認証方式。"},
    {.name = "credentials",
     .type = CONF_SECRET,
     .offset = AT(notify_authorization_conf, credentials),
     .help = "What follows the scheme.",
     .help_ja = "方式の後に続く値。"},
};
static const struct conf_table authorization_table = {.name = "authorization",
                                                      .help = "The Authorization header.",
                                                      .size =
                                                          sizeof(struct notify_authorization_conf),
                                                      .options = authorization_options,
                                                      .n = CONF_N(authorization_options),
                                                      .source_offset = SIZE_MAX};
static const struct conf_option tls_options[] = {
    {.name = "ca_file",
     .type = CONF_PATH,
     .offset = AT(notify_tls_conf, ca_file),
     .help = "Certificates to trust (PEM).",
     .help_ja = "信頼する証明書(PEM)。"},
    {.name = "cert_file",
     .type = CONF_PATH,
     .offset = AT(notify_tls_conf, cert_file),
     .help = "Our certificate (PEM).",
     .help_ja = "こちらの証明書(PEM)。"},
    {.name = "key_file",
     .type = CONF_PATH,
     .offset = AT(notify_tls_conf, key_file),
     .help = "Our private key (PEM).",
     .help_ja = "こちらの秘密鍵(PEM)。"},
    {.name = "server_name",
     .type = CONF_STR,
     .offset = AT(notify_tls_conf, server_name),
     .help = "The name that its certificate must bear.",
     .help_ja = "相手の証明書に必要な名前。"},
    {.name = "insecure_skip_verify",
     .type = CONF_BOOL,
     .offset = AT(notify_tls_conf, insecure_skip_verify),
     .help = "Accept any certificate.",
     .help_ja = "証明書を検証しない。"},
};
static const struct conf_table tls_table = {.name = "tls_config",
                                            .help = "TLS of outgoing connections.",
                                            .size = sizeof(struct notify_tls_conf),
                                            .options = tls_options,
                                            .n = CONF_N(tls_options),
                                            .source_offset = SIZE_MAX};
static const struct conf_option http_options[] = {
    {.name = "basic_auth",
     .type = CONF_TABLE_OPT,
     .offset = AT(notify_http_conf, basic_auth),
     .table = &basic_auth_table,
     .help = "User and password.",
     .help_ja = "ユーザーとパスワード。"},
    {.name = "authorization",
     .type = CONF_TABLE_OPT,
     .offset = AT(notify_http_conf, authorization),
     .table = &authorization_table,
     .help = "A token.",
     .help_ja = "トークン。"},
    {.name = "tls_config",
     .type = CONF_TABLE_OPT,
     .offset = AT(notify_http_conf, tls_config),
     .table = &tls_table,
     .help = "TLS settings.",
     .help_ja = "TLSの設定。"},
    {.name = "proxy_url",
     .type = CONF_STR,
     .offset = AT(notify_http_conf, proxy_url),
     .help = "A proxy's URL.",
     .help_ja = "プロキシのURL。"},
    {.name = "follow_redirects",
     .type = CONF_BOOL,
     .offset = AT(notify_http_conf, follow_redirects),
     .def = "true",
     .help = "Follow redirects.",
     .help_ja = "リダイレクトに従う。"},
};
static const struct conf_table http_table = {.name = "http_config",
                                             .help = "How the request is made.",
                                             .size = sizeof(struct notify_http_conf),
                                             .options = http_options,
                                             .n = CONF_N(http_options),
                                             .source_offset = SIZE_MAX};

/* ---- receivers ---- */

static bool check_url(struct str url, const char *what, struct err *err) {
    if (str_starts(url, STR("https://")) || str_starts(url, STR("http://")))
        return true;
    return err_set(err, ERR_BAD_INPUT,
                   "%s: expected an address that begins with https:// or http://", what);
}

static bool check_slack(void *object, struct arena *a, struct err *err) {
    (void)a;
    const struct notify_slack_conf *s = object;
    return s->api_url.n == 0 || check_url(s->api_url, "api_url", err);
}
static bool check_webhook(void *object, struct arena *a, struct err *err) {
    (void)a;
    return check_url(((const struct notify_webhook_conf *)object)->url, "url", err);
}

#define OWN_TEXT "hinomi writes the message itself, in the receiver's language"
static const struct conf_option slack_options[] = {
    {.name = "send_resolved",
     .type = CONF_BOOL,
     .offset = AT(notify_slack_conf, send_resolved),
     .def = "true",
     .help = "Tell when it is over, too.",
     .help_ja = "復旧も知らせる。"},
    {.name = "api_url",
     .type = CONF_SECRET,
     .offset = AT(notify_slack_conf, api_url),
     .help = "The address of a Slack incoming webhook; global.slack_api_url when absent.",
     .help_ja = "SlackのIncoming WebhookのURL。省略時はglobal.slack_api_url。"},
    {.name = "channel",
     .type = CONF_STR,
     .offset = AT(notify_slack_conf, channel),
     .help = "The channel, where the webhook lets one choose.",
     .help_ja = "チャンネル(Webhookが選択を許す場合)。"},
    {.name = "username",
     .type = CONF_STR,
     .offset = AT(notify_slack_conf, username),
     .help = "The sender's name.",
     .help_ja = "送信者名。"},
    {.name = "icon_emoji",
     .type = CONF_STR,
     .offset = AT(notify_slack_conf, icon_emoji),
     .help = "The sender's emoji.",
     .help_ja = "送信者の絵文字。"},
    {.name = "icon_url",
     .type = CONF_STR,
     .offset = AT(notify_slack_conf, icon_url),
     .help = "The sender's picture.",
     .help_ja = "送信者の画像。"},
    {.name = "http_config",
     .type = CONF_TABLE_OPT,
     .offset = AT(notify_slack_conf, http),
     .table = &http_table,
     .help = "How the request is made.",
     .help_ja = "リクエストの設定。"},
    {.name = "title", .ignored = OWN_TEXT},
    {.name = "title_link", .ignored = OWN_TEXT},
    {.name = "text", .ignored = OWN_TEXT},
    {.name = "pretext", .ignored = OWN_TEXT},
    {.name = "fallback", .ignored = OWN_TEXT},
    {.name = "color", .ignored = OWN_TEXT},
    {.name = "fields", .ignored = OWN_TEXT},
    {.name = "footer", .ignored = OWN_TEXT},
    {.name = "actions", .ignored = OWN_TEXT},
    {.name = "short_fields", .ignored = OWN_TEXT},
    {.name = "mrkdwn_in", .ignored = OWN_TEXT},
    {.name = "link_names", .ignored = OWN_TEXT},
};
static const struct conf_table slack_table = {.name = "slack_config",
                                              .help = "A Slack channel by incoming webhook.",
                                              .size = sizeof(struct notify_slack_conf),
                                              .options = slack_options,
                                              .n = CONF_N(slack_options),
                                              .source_offset = AT(notify_slack_conf, at),
                                              .check = check_slack};
static const struct conf_option webhook_options[] = {
    {.name = "send_resolved",
     .type = CONF_BOOL,
     .offset = AT(notify_webhook_conf, send_resolved),
     .def = "true",
     .help = "Tell when it is over, too.",
     .help_ja = "復旧も知らせる。"},
    {.name = "url",
     .type = CONF_SECRET,
     .offset = AT(notify_webhook_conf, url),
     .required = true,
     .help = "Where to POST Alertmanager's webhook JSON (version 4).",
     .help_ja = "Alertmanager形式(version 4)のJSONを送る先。"},
    {.name = "max_alerts",
     .type = CONF_INT,
     .offset = AT(notify_webhook_conf, max_alerts),
     .min = 0,
     .max = 1000000,
     .help = "The most alerts in one message; 0: all.",
     .help_ja = "1通に含むアラートの最大数。0は全部。"},
    {.name = "timeout",
     .type = CONF_DURATION,
     .offset = AT(notify_webhook_conf, timeout_ms),
     .min = 0,
     .max = 300000,
     .help = "How long to wait for the answer; 0: 10 s.",
     .help_ja = "応答を待つ時間。0は10秒。"},
    {.name = "http_config",
     .type = CONF_TABLE_OPT,
     .offset = AT(notify_webhook_conf, http),
     .table = &http_table,
     .help = "How the request is made.",
     .help_ja = "リクエストの設定。"},
};
static const struct conf_table webhook_table = {.name = "webhook_config",
                                                .help = "Any HTTP endpoint.",
                                                .size = sizeof(struct notify_webhook_conf),
                                                .options = webhook_options,
                                                .n = CONF_N(webhook_options),
                                                .source_offset = AT(notify_webhook_conf, at),
                                                .check = check_webhook};
static const char *const languages[] = {"en", "ja", NULL};
static bool check_unsupported(void *object, struct arena *a, struct err *err) {
    static const char *const names[] = {
#define X(name) #name,
        NOTIFY_UNSUPPORTED(X)
#undef X
    };
    (void)a;
    const struct notify_receiver_conf *r = object;
    for (size_t i = 0; i < NOTIFY_UNSUPPORTED_COUNT; i++)
        if (r->unsupported[i])
            return err_set_at(
                err, ERR_UNSUPPORTED, r->unsupported[i]->at.line, r->unsupported[i]->at.column,
                "%s_configs: hinomi does not send there, so nobody would be told; it sends "
                "to slack_configs and webhook_configs",
                names[i]);
    return true;
}

static const struct conf_option receiver_options[] = {
    {.name = "name",
     .type = CONF_STR,
     .offset = AT(notify_receiver_conf, name),
     .required = true,
     .help = "The name that routes use.",
     .help_ja = "ルートが使う名前。"},
    {.name = "language",
     .type = CONF_ENUM,
     .offset = AT(notify_receiver_conf, language),
     .names = languages,
     .def = "en",
     .help = "The language of its messages.",
     .help_ja = "メッセージの言語。"},
    {.name = "fallback",
     .type = CONF_STR,
     .offset = AT(notify_receiver_conf, fallback),
     .help = "The receiver that is told when this one fails; any other when absent.",
     .help_ja = "この受信先に届かないとき知らせる受信先。省略時は他のいずれか。"},
    {.name = "slack_configs",
     .type = CONF_LIST,
     .offset = AT(notify_receiver_conf, slack),
     .table = &slack_table,
     .help = "Slack.",
     .help_ja = "Slack。"},
    {.name = "webhook_configs",
     .type = CONF_LIST,
     .offset = AT(notify_receiver_conf, webhook),
     .table = &webhook_table,
     .help = "Webhooks.",
     .help_ja = "Webhook。"},
#define X(integration)                                                                             \
    {.name = #integration "_configs",                                                              \
     .type = CONF_NODE,                                                                            \
     .offset = AT(notify_receiver_conf, unsupported[NOTIFY_UNSUPPORTED_##integration]),            \
     .help = "Not sent to: use slack_configs or webhook_configs.",                                 \
     .help_ja = "未対応。slack_configs か webhook_configs を使う。"},
    NOTIFY_UNSUPPORTED(X)
#undef X
};
const struct conf_table notify_receiver_table = {.name = "receiver",
                                                 .help = "Somebody who is told.",
                                                 .size = sizeof(struct notify_receiver_conf),
                                                 .options = receiver_options,
                                                 .n = CONF_N(receiver_options),
                                                 .source_offset = AT(notify_receiver_conf, at),
                                                 .check = check_unsupported};

/* ---- route ---- */

static bool optional_duration(struct str text, const char *name, bool zero_ok, int64_t *out,
                              struct err *err) {
    *out = -1;
    if (text.n == 0)
        return true;
    if (!duration_parse(text, out, err))
        return err_prefix(err, "%s", name);
    if (*out == 0 && !zero_ok)
        return err_set(err, ERR_BAD_INPUT, "%s: expected more than zero", name);
    return true;
}

static bool check_matchers(const struct conf_strs *list, const struct conf_pairs *eq,
                           const struct conf_pairs *re, struct err *err) {
    struct arena a = ARENA_INIT_MAX(4 << 20);
    struct notify_matchers m = {0};
    bool ok = notify_matchers_compile(list, eq, re, &a, &m, err);
    notify_matchers_free(&m);
    arena_deinit(&a);
    return ok;
}

static bool check_route(void *object, struct arena *a, struct err *err) {
    (void)a;
    struct notify_route_conf *r = object;
    return optional_duration(r->group_wait, "group_wait", true, &r->group_wait_ms, err) &&
           optional_duration(r->group_interval, "group_interval", false, &r->group_interval_ms,
                             err) &&
           optional_duration(r->repeat_interval, "repeat_interval", false, &r->repeat_interval_ms,
                             err) &&
           check_matchers(&r->matchers, &r->match, &r->match_re, err);
}

static const struct conf_option route_options[] = {
    {.name = "receiver",
     .type = CONF_STR,
     .offset = AT(notify_route_conf, receiver),
     .help = "Who is told; the parent's when absent.",
     .help_ja = "知らせる相手。省略時は親と同じ。"},
    {.name = "group_by",
     .type = CONF_STRS,
     .offset = AT(notify_route_conf, group_by),
     .help = "Alerts that agree in these labels make one message; '...' for all labels.",
     .help_ja = "これらのラベルが同じアラートを1通にまとめる。'...'は全ラベル。"},
    {.name = "matchers",
     .type = CONF_STRS,
     .offset = AT(notify_route_conf, matchers),
     .help = "Which alerts come this way, e.g. severity=\"critical\".",
     .help_ja = "対象のアラート。例 severity=\"critical\"。"},
    {.name = "match",
     .type = CONF_PAIRS,
     .offset = AT(notify_route_conf, match),
     .help = "The old form of matchers: equal.",
     .help_ja = "旧形式の条件(一致)。"},
    {.name = "match_re",
     .type = CONF_PAIRS,
     .offset = AT(notify_route_conf, match_re),
     .help = "The old form of matchers: regular expressions.",
     .help_ja = "旧形式の条件(正規表現)。"},
    {.name = "group_wait",
     .type = CONF_STR,
     .offset = AT(notify_route_conf, group_wait),
     .help = "How long a new group waits for more of its kind.",
     .help_ja = "新しいグループが仲間を待つ時間。"},
    {.name = "group_interval",
     .type = CONF_STR,
     .offset = AT(notify_route_conf, group_interval),
     .help = "How soon changes of a told group are told.",
     .help_ja = "通知済みグループの変化を知らせる間隔。"},
    {.name = "repeat_interval",
     .type = CONF_STR,
     .offset = AT(notify_route_conf, repeat_interval),
     .help = "How soon what has not changed is told again.",
     .help_ja = "変化がないとき再通知する間隔。"},
    {.name = "continue",
     .type = CONF_BOOL,
     .offset = AT(notify_route_conf, continue_matching),
     .help = "Go on with the next sibling after this one matched.",
     .help_ja = "一致しても次の兄弟ルートを試す。"},
    {.name = "mute_time_intervals",
     .type = CONF_STRS,
     .offset = AT(notify_route_conf, mute_time_intervals),
     .help = "Times when this route is silent.",
     .help_ja = "このルートを黙らせる時間帯。"},
    {.name = "active_time_intervals",
     .type = CONF_STRS,
     .offset = AT(notify_route_conf, active_time_intervals),
     .help = "Times when this route speaks.",
     .help_ja = "このルートが通知する時間帯。"},
    {.name = "routes",
     .type = CONF_LIST,
     .offset = AT(notify_route_conf, routes),
     .table = &notify_route_table,
     .help = "More special routes, tried in this order.",
     .help_ja = "より細かいルート。この順に試す。"},
};
const struct conf_table notify_route_table = {
    .name = "route",
    .help = "Which alerts go to whom, and how they are grouped.",
    .size = sizeof(struct notify_route_conf),
    .options = route_options,
    .n = CONF_N(route_options),
    .source_offset = AT(notify_route_conf, at),
    .check = check_route};

/* ---- inhibition ---- */

static bool check_inhibit(void *object, struct arena *a, struct err *err) {
    (void)a;
    struct notify_inhibit_conf *c = object;
    if (!c->source_matchers.n && !c->source_match.n && !c->source_match_re.n)
        return err_set(err, ERR_BAD_INPUT, "expected source_matchers: which alerts silence others");
    if (!c->target_matchers.n && !c->target_match.n && !c->target_match_re.n)
        return err_set(err, ERR_BAD_INPUT, "expected target_matchers: which alerts are silenced");
    return check_matchers(&c->source_matchers, &c->source_match, &c->source_match_re, err) &&
           check_matchers(&c->target_matchers, &c->target_match, &c->target_match_re, err);
}
static const struct conf_option inhibit_options[] = {
    {.name = "name",
     .type = CONF_STR,
     .offset = AT(notify_inhibit_conf, name),
     .help = "A name for people.",
     .help_ja = "人のための名前。"},
    {.name = "source_matchers",
     .type = CONF_STRS,
     .offset = AT(notify_inhibit_conf, source_matchers),
     .help = "Firing alerts that silence others.",
     .help_ja = "他を黙らせるアラート。"},
    {.name = "target_matchers",
     .type = CONF_STRS,
     .offset = AT(notify_inhibit_conf, target_matchers),
     .help = "Alerts that are silenced.",
     .help_ja = "黙るアラート。"},
    {.name = "source_match",
     .type = CONF_PAIRS,
     .offset = AT(notify_inhibit_conf, source_match),
     .help = "The old form.",
     .help_ja = "旧形式。"},
    {.name = "source_match_re",
     .type = CONF_PAIRS,
     .offset = AT(notify_inhibit_conf, source_match_re),
     .help = "The old form.",
     .help_ja = "旧形式。"},
    {.name = "target_match",
     .type = CONF_PAIRS,
     .offset = AT(notify_inhibit_conf, target_match),
     .help = "The old form.",
     .help_ja = "旧形式。"},
    {.name = "target_match_re",
     .type = CONF_PAIRS,
     .offset = AT(notify_inhibit_conf, target_match_re),
     .help = "The old form.",
     .help_ja = "旧形式。"},
    {.name = "equal",
     .type = CONF_STRS,
     .offset = AT(notify_inhibit_conf, equal),
     .help = "Labels in which source and target must agree.",
     .help_ja = "両者で同じでなければならないラベル。"},
};
const struct conf_table notify_inhibit_table = {.name = "inhibit_rule",
                                                .help = "A cause silences its consequences.",
                                                .size = sizeof(struct notify_inhibit_conf),
                                                .options = inhibit_options,
                                                .n = CONF_N(inhibit_options),
                                                .source_offset = AT(notify_inhibit_conf, at),
                                                .check = check_inhibit};

/* ---- time intervals ---- */

static bool check_times(void *object, struct arena *a, struct err *err) {
    (void)a;
    return interval_check_times(object, err);
}
static bool check_spec(void *object, struct arena *a, struct err *err) {
    return interval_check_spec(object, a, err);
}
static const struct conf_option range_options[] = {
    {.name = "start_time",
     .type = CONF_STR,
     .offset = AT(notify_time_range_conf, start_time),
     .required = true,
     .help = "From, inclusive.",
     .help_ja = "開始(含む)。"},
    {.name = "end_time",
     .type = CONF_STR,
     .offset = AT(notify_time_range_conf, end_time),
     .required = true,
     .help = "To, exclusive.",
     .help_ja = "終了(含まない)。"},
};
static const struct conf_table range_table = {.name = "times",
                                              .help = "Hours of a day.",
                                              .size = sizeof(struct notify_time_range_conf),
                                              .options = range_options,
                                              .n = CONF_N(range_options),
                                              .source_offset = SIZE_MAX,
                                              .check = check_times};
static const struct conf_option spec_options[] = {
    {.name = "times",
     .type = CONF_LIST,
     .offset = AT(notify_time_spec_conf, times),
     .table = &range_table,
     .help = "Hours.",
     .help_ja = "時間帯。"},
    {.name = "weekdays",
     .type = CONF_STRS,
     .offset = AT(notify_time_spec_conf, weekdays),
     .help = "e.g. monday:friday.",
     .help_ja = "例 monday:friday。"},
    {.name = "days_of_month",
     .type = CONF_STRS,
     .offset = AT(notify_time_spec_conf, days_of_month),
     .help = "e.g. 1:5, -3:-1.",
     .help_ja = "例 1:5、-3:-1。"},
    {.name = "months",
     .type = CONF_STRS,
     .offset = AT(notify_time_spec_conf, months),
     .help = "e.g. december, 1:3.",
     .help_ja = "例 december、1:3。"},
    {.name = "years",
     .type = CONF_STRS,
     .offset = AT(notify_time_spec_conf, years),
     .help = "e.g. 2027.",
     .help_ja = "例 2027。"},
    {.name = "location",
     .type = CONF_STR,
     .offset = AT(notify_time_spec_conf, location),
     .help = "e.g. Asia/Tokyo.",
     .help_ja = "例 Asia/Tokyo。"},
};
static const struct conf_table spec_table = {.name = "time_interval_spec",
                                             .help = "All given parts must hold.",
                                             .size = sizeof(struct notify_time_spec_conf),
                                             .options = spec_options,
                                             .n = CONF_N(spec_options),
                                             .source_offset = SIZE_MAX,
                                             .check = check_spec};
static const struct conf_option interval_options[] = {
    {.name = "name",
     .type = CONF_STR,
     .offset = AT(notify_time_interval_conf, name),
     .required = true,
     .help = "The name that routes use.",
     .help_ja = "ルートが使う名前。"},
    {.name = "time_intervals",
     .type = CONF_LIST,
     .offset = AT(notify_time_interval_conf, specs),
     .table = &spec_table,
     .help = "Any of them.",
     .help_ja = "いずれか。"},
};
const struct conf_table notify_time_interval_table = {
    .name = "time_interval",
    .help = "Named times.",
    .size = sizeof(struct notify_time_interval_conf),
    .options = interval_options,
    .n = CONF_N(interval_options),
    .source_offset = AT(notify_time_interval_conf, at)};

/* ---- the whole ---- */

static bool find_name(const struct notify_conf *c, struct str name) {
    const struct notify_receiver_conf *r = c->receivers.v;
    for (size_t i = 0; i < c->receivers.n; i++)
        if (str_eq(r[i].name, name))
            return true;
    return false;
}
static bool find_interval(const struct notify_conf *c, struct str name) {
    const struct notify_time_interval_conf *t = c->time_intervals.v;
    for (size_t i = 0; i < c->time_intervals.n; i++)
        if (str_eq(t[i].name, name))
            return true;
    return false;
}

static bool check_tree(const struct notify_conf *c, const struct notify_route_conf *r,
                       unsigned depth, struct err *err) {
    if (depth > NOTIFY_ROUTE_DEPTH_MAX)
        return err_set_at(err, ERR_BAD_INPUT, r->at.line, r->at.column,
                          "routes are nested more than %d deep", NOTIFY_ROUTE_DEPTH_MAX);
    if (r->receiver.n && !find_name(c, r->receiver))
        return err_set_at(err, ERR_BAD_INPUT, r->at.line, r->at.column,
                          "receiver \"%.*s\" is not defined under receivers", STR_FMT(r->receiver));
    const struct conf_strs *lists[2] = {&r->mute_time_intervals, &r->active_time_intervals};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < lists[k]->n; i++)
            if (!find_interval(c, lists[k]->v[i]))
                return err_set_at(err, ERR_BAD_INPUT, r->at.line, r->at.column,
                                  "time interval \"%.*s\" is not defined under time_intervals",
                                  STR_FMT(lists[k]->v[i]));
    const struct notify_route_conf *sub = r->routes.v;
    for (size_t i = 0; i < r->routes.n; i++)
        if (!check_tree(c, &sub[i], depth + 1, err))
            return false;
    return true;
}

bool notify_conf_check(void *conf, struct arena *a, struct err *err) {
    (void)a;
    const struct notify_conf *c = conf;
    const struct notify_receiver_conf *r = c->receivers.v;
    if (c->receivers.n > NOTIFY_RECEIVERS_MAX)
        return err_set(err, ERR_TOO_LARGE, "at most %d receivers, found %zu", NOTIFY_RECEIVERS_MAX,
                       c->receivers.n);
    for (size_t i = 0; i < c->receivers.n; i++) {
        for (size_t k = 0; k < i; k++)
            if (str_eq(r[i].name, r[k].name))
                return err_set_at(err, ERR_BAD_INPUT, r[i].at.line, r[i].at.column,
                                  "receiver name \"%.*s\" is used twice", STR_FMT(r[i].name));
        if (r[i].fallback.n && (!find_name(c, r[i].fallback) || str_eq(r[i].fallback, r[i].name)))
            return err_set_at(err, ERR_BAD_INPUT, r[i].at.line, r[i].at.column,
                              "fallback: expected the name of another receiver, found \"%.*s\"",
                              STR_FMT(r[i].fallback));
        const struct notify_slack_conf *s = r[i].slack.v;
        for (size_t k = 0; k < r[i].slack.n; k++)
            if (!s[k].api_url.n && !c->global.slack_api_url.n)
                return err_set_at(
                    err, ERR_BAD_INPUT, s[k].at.line, s[k].at.column,
                    "api_url: expected the address of a Slack incoming webhook, here or as "
                    "global.slack_api_url");
    }
    if (!c->route)
        return true;
    if (!c->route->receiver.n)
        return err_set_at(
            err, ERR_BAD_INPUT, c->route->at.line, c->route->at.column,
            "the root route needs a receiver: where everything goes that no other route takes");
    if (c->route->matchers.n || c->route->match.n || c->route->match_re.n)
        return err_set_at(err, ERR_BAD_INPUT, c->route->at.line, c->route->at.column,
                          "the root route takes everything: it must not have matchers");
    if (c->route->mute_time_intervals.n || c->route->active_time_intervals.n)
        return err_set_at(err, ERR_BAD_INPUT, c->route->at.line, c->route->at.column,
                          "the root route must not have mute_time_intervals or "
                          "active_time_intervals: put them on a route below it");
    return check_tree(c, c->route, 0, err);
}

static const struct conf_option global_options[] = {
    {.name = "resolve_timeout",
     .type = CONF_DURATION,
     .offset = AT(notify_global_conf, resolve_timeout_ms),
     .def = "5m",
     .min = 0,
     .max = YEAR_MS,
     .help = "When an alert from outside that is not repeated counts as resolved.",
     .help_ja = "外部からのアラートが繰り返されないとき、復旧とみなすまでの時間。"},
    {.name = "slack_api_url",
     .type = CONF_SECRET,
     .offset = AT(notify_global_conf, slack_api_url),
     .help = "The Slack incoming webhook of receivers that name none.",
     .help_ja = "個別指定のない受信先のSlack Webhook。"},
    {.name = "http_config",
     .type = CONF_TABLE_OPT,
     .offset = AT(notify_global_conf, http),
     .table = &http_table,
     .help = "How requests are made.",
     .help_ja = "リクエストの設定。"},
};
const struct conf_table notify_global_table = {.name = "global",
                                               .help = "Defaults of receivers.",
                                               .size = sizeof(struct notify_global_conf),
                                               .options = global_options,
                                               .n = CONF_N(global_options),
                                               .source_offset = SIZE_MAX};
static const struct conf_option conf_options[] = {
    {.name = "global",
     .type = CONF_TABLE,
     .offset = AT(notify_conf, global),
     .table = &notify_global_table,
     .help = "Defaults.",
     .help_ja = "既定値。"},
    {.name = "route",
     .type = CONF_TABLE_OPT,
     .offset = AT(notify_conf, route),
     .table = &notify_route_table,
     .help = "Which alerts go to whom.",
     .help_ja = "どのアラートを誰に知らせるか。"},
    {.name = "receivers",
     .type = CONF_LIST,
     .offset = AT(notify_conf, receivers),
     .table = &notify_receiver_table,
     .help = "Who can be told.",
     .help_ja = "知らせる相手。"},
    {.name = "inhibit_rules",
     .type = CONF_LIST,
     .offset = AT(notify_conf, inhibit_rules),
     .table = &notify_inhibit_table,
     .help = "Causes that silence their consequences.",
     .help_ja = "原因が結果を黙らせる規則。"},
    {.name = "time_intervals",
     .type = CONF_LIST,
     .offset = AT(notify_conf, time_intervals),
     .table = &notify_time_interval_table,
     .help = "Named times.",
     .help_ja = "名前の付いた時間帯。"},
    {.name = "mute_time_intervals",
     .type = CONF_LIST,
     .offset = AT(notify_conf, time_intervals),
     .table = &notify_time_interval_table,
     .ignored = "write time_intervals, its newer name"},
    {.name = "templates",
     .type = CONF_STRS,
     .offset = AT(notify_conf, templates),
     .ignored = OWN_TEXT},
};
const struct conf_table notify_conf_table = {.name = "notify",
                                             .help = "Alertmanager's configuration.",
                                             .size = sizeof(struct notify_conf),
                                             .options = conf_options,
                                             .n = CONF_N(conf_options),
                                             .source_offset = SIZE_MAX,
                                             .check = notify_conf_check};
