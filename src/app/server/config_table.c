/* The option tables of the server's own sections, and the root that puts the features' tables
 * together. */
#include "app/server/config.h"
#include "base/limits.h"
#include "feature/ingest/scrape_conf.h"
#include "query/promql/promql.h"

#include <pthread.h>

#define AT(type_, member) offsetof(struct type_, member)

static const struct conf_option server_options[] = {
    {.name = "listen",
     .type = CONF_STR,
     .offset = AT(config_server, listen),
     .def = "127.0.0.1:11900",
     .reload_ignored = true,
     .help = "Address of the UI and all APIs. Off loopback it needs TLS (or `insecure_http`) and "
             "accounts.",
     .help_ja = "画面とすべての API のアドレス。ループバック以外では TLS（または "
                "insecure_http）とアカウントが要る。"},
    {.name = "public_url",
     .type = CONF_STR,
     .offset = AT(config_server, public_url),
     .reload_ignored = true,
     .help = "The URL under which people reach hinomi; links in messages begin with it.",
     .help_ja = "人が hinomi に到達する URL。通知のリンクの先頭になる。"},
    {.name = "allowed_hosts",
     .type = CONF_STRS,
     .offset = AT(config_server, allowed_hosts),
     .reload_ignored = true,
     .help = "Host names that requests may carry besides loopback, the listen address and "
             "public_url (guards against DNS rebinding).",
     .help_ja = "ループバック、listen、public_url のほかに Host として受け付ける名前（DNS "
                "リバインディング対策）。"},
    {.name = "tls_cert_file",
     .type = CONF_PATH,
     .offset = AT(config_server, tls_cert_file),
     .reload_ignored = true,
     .help = "Certificate chain (PEM).",
     .help_ja = "証明書チェーン（PEM）。"},
    {.name = "tls_key_file",
     .type = CONF_PATH,
     .offset = AT(config_server, tls_key_file),
     .reload_ignored = true,
     .help = "Private key (PEM).",
     .help_ja = "秘密鍵（PEM）。"},
    {.name = "insecure_http",
     .type = CONF_BOOL,
     .offset = AT(config_server, insecure_http),
     .def = "false",
     .reload_ignored = true,
     .help = "Allow plain HTTP off loopback, for example behind a proxy that ends TLS.",
     .help_ja = "ループバック以外で平文 HTTP を許す（TLS を終端するプロキシの背後など）。"},
    {.name = "require_accounts",
     .type = CONF_BOOL,
     .offset = AT(config_server, require_accounts),
     .def = "false",
     .reload_ignored = true,
     .help = "Ask for a login on loopback too. Off loopback it is always asked for.",
     .help_ja = "ループバックでもログインを求める。ループバック以外では常に求める。"},
};
static bool check_server(void *object, struct arena *a, struct err *err) {
    (void)a;
    const struct config_server *s = object;
    struct str host;
    uint16_t port;
    if (!config_parse_listen(s->listen, &host, &port, err))
        return err_prefix(err, "listen");
    if ((s->tls_cert_file.n > 0) != (s->tls_key_file.n > 0))
        return err_set(err, ERR_BAD_INPUT,
                       "tls_cert_file and tls_key_file are set together; \"%s\" is missing",
                       s->tls_cert_file.n ? "tls_key_file" : "tls_cert_file");
    if (s->public_url.n && !str_starts(s->public_url, STR("http://")) &&
        !str_starts(s->public_url, STR("https://")))
        return err_set(err, ERR_BAD_INPUT,
                       "public_url: expected http://... or https://..., found \"%.*s\"",
                       STR_FMT(s->public_url));
    return true;
}
static const struct conf_table server_table = {.name = "server",
                                               .help = "How hinomi is reached.",
                                               .size = sizeof(struct config_server),
                                               .options = server_options,
                                               .n = CONF_N(server_options),
                                               .source_offset = SIZE_MAX,
                                               .check = check_server};

static const struct conf_option series_options[] = {
    {.name = "retention",
     .type = CONF_DURATION,
     .offset = AT(config_series, retention_ms),
     .def = "30d",
     .min = 3600000,
     .max = INT64_MAX,
     .reload_ignored = true,
     .help = "How long samples are kept.",
     .help_ja = "サンプルを残す期間。"},
    {.name = "retention_size",
     .type = CONF_BYTES,
     .offset = AT(config_series, retention_bytes),
     .def = "0",
     .reload_ignored = true,
     .help = "The most that series may take on disk; the oldest go first. 0: no limit.",
     .help_ja = "系列がディスクに占める上限。超えると古いものから消す。0 は上限なし。"},
    {.name = "accept_window",
     .type = CONF_DURATION,
     .offset = AT(config_series, accept_window_ms),
     .def = "1h",
     .min = 0,
     .max = INT64_MAX,
     .reload_ignored = true,
     .help = "How far in the past a sample may lie (the future: 10 minutes). `unlimited` is for "
             "back-filling and tests.",
     .help_ja = "どれだけ過去のサンプルまで受け付けるか（未来は 10 分）。unlimited "
                "は後からの投入と試験用。"},
    {.name = "series_per_source_max",
     .type = CONF_INT,
     .offset = AT(config_series, series_per_source_max),
     .def = "200000",
     .min = 1,
     .max = 100000000,
     .reload_ignored = true,
     .help = "The most series that one source (a scrape target, a sender) may have; new ones past "
             "it are refused by name.",
     .help_ja = "1 "
                "つの送り元（スクレイプ対象や送信者）が持てる系列数。超えた新しい系列は名前を挙げて"
                "断る。"},
    {.name = "series_per_metric_max",
     .type = CONF_INT,
     .offset = AT(config_series, series_per_metric_max),
     .def = "50000",
     .min = 1,
     .max = 100000000,
     .reload_ignored = true,
     .help = "The most series of one metric from one source; the refusal names the metric and the "
             "label with the most values.",
     .help_ja =
         "1 つの送り元の 1 "
         "つのメトリクスが持てる系列数。断るときはメトリクスと、値の種類が最も多いラベルを示す。"},
};
static const struct conf_table series_table = {.name = "store.series",
                                               .help = "Numbers over time.",
                                               .size = sizeof(struct config_series),
                                               .options = series_options,
                                               .n = CONF_N(series_options),
                                               .source_offset = SIZE_MAX};
static const struct conf_option store_options[] = {
    {.name = "series",
     .type = CONF_TABLE,
     .offset = AT(config_store, series),
     .table = &series_table,
     .help = "The series store.",
     .help_ja = "系列の保存。"},
};
static const struct conf_table store_table = {.name = "store",
                                              .help = "What is kept, and for how long.",
                                              .size = sizeof(struct config_store),
                                              .options = store_options,
                                              .n = CONF_N(store_options),
                                              .source_offset = SIZE_MAX};

static const struct {
    const char *name;
    unsigned bits;
} features[] = {{"all", PROMQL_ALL_FEATURES},
                {"promql-experimental-functions", PROMQL_EXPERIMENTAL_FUNCTIONS},
                {"promql-duration-expr", PROMQL_DURATION_EXPRESSION},
                {"promql-extended-range-selectors", PROMQL_EXTENDED_VECTORS},
                {"promql-delayed-name-removal", PROMQL_DELAYED_NAME_REMOVAL},
                {"type-and-unit-labels", PROMQL_TYPE_AND_UNIT_LABELS}};

static bool check_promql(void *object, struct arena *a, struct err *err) {
    (void)a;
    struct config_promql *p = object;
    for (size_t i = 0; i < p->features.n; i++) {
        size_t k = 0;
        while (k < sizeof(features) / sizeof(features[0]) &&
               !str_eqz(p->features.v[i], features[k].name))
            k++;
        if (k == sizeof(features) / sizeof(features[0]))
            return err_set(
                err, ERR_BAD_INPUT,
                "features: expected all, promql-experimental-functions, promql-duration-expr, "
                "promql-extended-range-selectors, promql-delayed-name-removal or "
                "type-and-unit-labels; found \"%.*s\"",
                STR_FMT(p->features.v[i]));
        p->feature_bits |= features[k].bits;
    }
    return true;
}
static const struct conf_option promql_options[] = {
    {.name = "features",
     .reload_ignored = true,
     .type = CONF_STRS,
     .offset = AT(config_promql, features),
     .help = "Prometheus's experimental features, by its names, or [all]: "
             "promql-experimental-functions, promql-duration-expr, "
             "promql-extended-range-selectors, promql-delayed-name-removal, type-and-unit-labels.",
     .help_ja = "Prometheus の実験的機能（同じ名前）。すべてなら [all]。"},
};
static const struct conf_table promql_table = {.name = "query.promql",
                                               .help = "The query language of series.",
                                               .size = sizeof(struct config_promql),
                                               .options = promql_options,
                                               .n = CONF_N(promql_options),
                                               .source_offset = SIZE_MAX,
                                               .check = check_promql};
static const struct conf_option query_options[] = {
    {.name = "promql",
     .type = CONF_TABLE,
     .offset = AT(config_query, promql),
     .table = &promql_table,
     .help = "PromQL.",
     .help_ja = "PromQL。"},
    {.name = "timeout",
     .reload_ignored = true,
     .type = CONF_DURATION,
     .offset = AT(config_query, timeout_ms),
     .def = "2m",
     .min = 100,
     .max = 3600000,
     .help = "After this time a query is ended.",
     .help_ja = "問い合わせを打ち切る時間。"},
    {.name = "samples_max",
     .reload_ignored = true,
     .type = CONF_INT,
     .offset = AT(config_query, samples_max),
     .def = "50000000",
     .min = 1,
     .max = INT64_C(100000000000),
     .help = "The most samples that one query may hold at once.",
     .help_ja = "1 つの問い合わせが同時に持てるサンプル数。"},
    {.name = "memory_max",
     .reload_ignored = true,
     .type = CONF_BYTES,
     .offset = AT(config_query, memory_bytes),
     .def = "512MiB",
     .help = "The most memory that one query may take.",
     .help_ja = "1 つの問い合わせが使えるメモリー。"},
    {.name = "concurrency",
     .reload_ignored = true,
     .type = CONF_INT,
     .offset = AT(config_query, concurrency),
     .def = "20",
     .min = 1,
     .max = 1000,
     .help = "Queries that run at the same time; more wait.",
     .help_ja = "同時に走る問い合わせの数。超えた分は待つ。"},
    {.name = "lookback_delta",
     .reload_ignored = true,
     .type = CONF_DURATION,
     .offset = AT(config_query, lookback_ms),
     .def = "5m",
     .min = 1000,
     .max = 86400000,
     .help = "How far back an instant looks for the last sample of a series.",
     .help_ja = "ある時点の値として、どれだけ前のサンプルまで使うか。"},
};
static const struct conf_table query_table = {.name = "query",
                                              .help = "Limits of queries.",
                                              .size = sizeof(struct config_query),
                                              .options = query_options,
                                              .n = CONF_N(query_options),
                                              .source_offset = SIZE_MAX};

/* Scrapes of an agent travel as text and are decoded there, so that secrets in files and variables
 * are the agent's own; here they are checked for their shape. */
static bool check_agents(void *object, struct arena *a, struct err *err) {
    const struct config_agents *g = object;
    struct conf_diags diags = {.arena = a};
    bool ok = true;
    if (!g->scrape_configs)
        return true;
    if (g->scrape_configs->kind != CONF_KIND_LIST)
        return err_set_at(err, ERR_BAD_INPUT, g->scrape_configs->at.line,
                          g->scrape_configs->at.column,
                          "scrape_configs: expected a list (lines that begin with \"- \")");
    for (size_t i = 0; ok && i < g->scrape_configs->n; i++) {
        struct ingest_scrape_config *c = ARENA_NEW(a, struct ingest_scrape_config);
        ok = c && conf_yaml_decode_node(g->scrape_configs->value[i], &ingest_scrape_config_table,
                                        NULL, a, c, &diags);
    }
    if (ok)
        return true;
    for (size_t i = 0; i < diags.n; i++)
        if (!diags.v[i].warning)
            return err_set_at(err, ERR_BAD_INPUT, diags.v[i].line, diags.v[i].column, "%s",
                              diags.v[i].message);
    return arena_err(a, err);
}
static const struct conf_option agents_options[] = {
    {.name = "host",
     .type = CONF_REGEX,
     .offset = AT(config_agents, host),
     .def = ".*",
     .help = "Which agents: an anchored regular expression over their host names. The first entry "
             "that matches counts.",
     .help_ja =
         "対象のエージェント（ホスト名に対する全体一致の正規表現）。最初に一致した項目が有効。"},
    {.name = "interval",
     .type = CONF_DURATION,
     .offset = AT(config_agents, interval_ms),
     .def = "1s",
     .min = 100,
     .max = 300000,
     .help = "How often they read their host.",
     .help_ja = "ホストを読み取る間隔。"},
    {.name = "scrape_configs",
     .type = CONF_NODE,
     .offset = AT(config_agents, scrape_configs),
     .help = "What they scrape, in Prometheus's grammar; files and variables are those of the "
             "agent's host.",
     .help_ja = "エージェントが scrape する対象（Prometheus "
                "の書式）。ファイルと環境変数はエージェント側のもの。"},
};
static const struct conf_table agents_table = {.name = "agents",
                                               .help = "What hinomi-agent does on other hosts.",
                                               .size = sizeof(struct config_agents),
                                               .options = agents_options,
                                               .n = CONF_N(agents_options),
                                               .source_offset = AT(config_agents, at),
                                               .check = check_agents};

/* Alertmanager's settings of ways that hinomi does not send by. */
#define NOT_SENT(key)                                                                              \
    {                                                                                              \
        .name = (key), .type = CONF_NODE, .help = "",                                              \
        .ignored = "hinomi rings by Slack and webhooks"                                            \
    }
static const struct conf_option not_sent[] = {
    NOT_SENT("smtp_from"),          NOT_SENT("smtp_smarthost"),
    NOT_SENT("smtp_hello"),         NOT_SENT("smtp_auth_username"),
    NOT_SENT("smtp_auth_password"), NOT_SENT("smtp_auth_password_file"),
    NOT_SENT("smtp_auth_secret"),   NOT_SENT("smtp_auth_identity"),
    NOT_SENT("smtp_require_tls"),   NOT_SENT("smtp_tls_config"),
    NOT_SENT("opsgenie_api_key"),   NOT_SENT("opsgenie_api_key_file"),
    NOT_SENT("opsgenie_api_url"),   NOT_SENT("pagerduty_url"),
    NOT_SENT("victorops_api_key"),  NOT_SENT("victorops_api_key_file"),
    NOT_SENT("victorops_api_url"),  NOT_SENT("wechat_api_url"),
    NOT_SENT("wechat_api_secret"),  NOT_SENT("wechat_api_corp_id"),
    NOT_SENT("telegram_api_url"),   NOT_SENT("webex_api_url"),
    NOT_SENT("jira_api_url"),       NOT_SENT("rocketchat_api_url"),
    NOT_SENT("rocketchat_token"),   NOT_SENT("rocketchat_token_id"),
};
static const struct conf_table not_sent_table = {.options = not_sent, .n = CONF_N(not_sent)};

/* Tables that are made of others at start: C cannot join constant arrays. */
enum { JOINED_MAX = 96 };
static struct conf_option global_options[JOINED_MAX], collect_options[JOINED_MAX];
static struct conf_table global_table = {
    .name = "global",
    .size = sizeof(struct config_global),
    .options = global_options,
    .help = "Prometheus's and Alertmanager's `global`, in one mapping.",
    .source_offset = SIZE_MAX};
static struct conf_table collect_table = {.name = "collect",
                                          .size = sizeof(struct config_collect),
                                          .options = collect_options,
                                          .source_offset = SIZE_MAX};

static void join(struct conf_table *into, struct conf_option *options,
                 const struct conf_table *from, size_t offset) {
    for (size_t i = 0; i < from->n && into->n < JOINED_MAX; i++) {
        bool have = false; /* both grammars may know a key that neither uses */
        for (size_t k = 0; k < into->n; k++)
            have |= strcmp(options[k].name, from->options[i].name) == 0;
        if (have)
            continue;
        options[into->n] = from->options[i];
        options[into->n].offset += offset;
        into->n++;
    }
}

static bool check_global(void *object, struct arena *a, struct err *err) {
    struct config_global *g = object;
    return (!ingest_global_table.check || ingest_global_table.check(&g->ingest, a, err)) &&
           (!notify_global_table.check || notify_global_table.check(&g->notify, a, err));
}
static bool check_collect(void *object, struct arena *a, struct err *err) {
    struct config_collect *c = object;
    return !collect_config_table.check || collect_config_table.check(&c->options, a, err);
}

static void make_joined(void) {
    static const struct conf_option enabled = {.name = "enabled",
                                               .type = CONF_BOOL,
                                               .offset = AT(config_collect, enabled),
                                               .def = "true",
                                               .reload_ignored = true,
                                               .help = "Whether this host is watched at all.",
                                               .help_ja = "このホストを監視するか。"};
    /* What the rule manager is made with. */
    static const char *const of_rules[] = {"evaluation_interval", "rule_query_offset",
                                           "external_labels"};
    join(&global_table, global_options, &ingest_global_table, AT(config_global, ingest));
    join(&global_table, global_options, &notify_global_table, AT(config_global, notify));
    join(&global_table, global_options, &not_sent_table, 0);
    global_table.check = check_global;
    for (size_t i = 0; i < global_table.n; i++)
        for (size_t k = 0; k < sizeof(of_rules) / sizeof(of_rules[0]); k++)
            if (strcmp(global_options[i].name, of_rules[k]) == 0)
                global_options[i].reload_ignored = true;
    collect_options[collect_table.n++] = enabled;
    join(&collect_table, collect_options, &collect_config_table, AT(config_collect, options));
    collect_table.help = collect_config_table.help;
    collect_table.check = check_collect;
}

static const char hinomi_rings[] =
    "hinomi rings by itself; give it the `route` and `receivers` of your alertmanager.yml";
static const struct conf_option root_options[] = {
    {.name = "include",
     .type = CONF_PATHS,
     .offset = AT(config_root, include),
     .help = "Files (patterns) that belong to this configuration: lists are appended, mappings "
             "merged; a value set twice is an error.",
     .help_ja = "この設定に含めるファイル（パターン可）。リストは連結、マッピングは併合。同じ値が二"
                "度あれば誤り。"},
    {.name = "server",
     .type = CONF_TABLE,
     .offset = AT(config_root, server),
     .table = &server_table,
     .help = "How hinomi is reached.",
     .help_ja = "hinomi への到達方法。"},
    {.name = "store",
     .type = CONF_TABLE,
     .offset = AT(config_root, store),
     .table = &store_table,
     .help = "What is kept, and for how long.",
     .help_ja = "何をどれだけ残すか。"},
    {.name = "query",
     .type = CONF_TABLE,
     .offset = AT(config_root, query),
     .table = &query_table,
     .help = "Limits of queries.",
     .help_ja = "問い合わせの上限。"},
    {.name = "collect",
     .type = CONF_TABLE,
     .offset = AT(config_root, collect),
     .table = &collect_table,
     .help = "What is read of this host.",
     .help_ja = "このホストから何を読むか。"},
    {.name = "global",
     .type = CONF_TABLE,
     .offset = AT(config_root, global),
     .table = &global_table,
     .help = "Defaults of scraping, rules and receivers, as Prometheus and Alertmanager have them.",
     .help_ja = "scrape、ルール、通知先の既定値（Prometheus と Alertmanager と同じ）。"},
    {.name = "scrape_configs",
     .type = CONF_LIST,
     .offset = AT(config_root, scrape_configs),
     .table = &ingest_scrape_config_table,
     .help = "What to scrape, in Prometheus's grammar.",
     .help_ja = "scrape の対象（Prometheus の書式）。"},
    {.name = "scrape_config_files",
     .type = CONF_PATHS,
     .offset = AT(config_root, scrape_config_files),
     .help = "Files (patterns) with more `scrape_configs`.",
     .help_ja = "scrape_configs を書いた別ファイル（パターン可）。"},
    {.name = "rule_files",
     .type = CONF_PATHS,
     .offset = AT(config_root, rule_files),
     .help = "Prometheus rule files (patterns).",
     .help_ja = "Prometheus のルールファイル（パターン可）。"},
    {.name = "builtin_rules",
     .type = CONF_BOOL,
     .offset = AT(config_root, builtin_rules),
     .def = "true",
     .help = "Whether the built-in rules for hosts run (few, quiet).",
     .help_ja = "組み込みのホスト用ルールを使うか（少なく、静か）。"},
    {.name = "route",
     .type = CONF_TABLE_OPT,
     .offset = AT(config_root, notify.route),
     .table = &notify_route_table,
     .help = "Which alert goes to which receiver, in Alertmanager's grammar. Without it every "
             "receiver gets every alert.",
     .help_ja = "どのアラートをどの通知先へ送るか（Alertmanager の書式）。省略時は全通知先へ。"},
    {.name = "receivers",
     .type = CONF_LIST,
     .offset = AT(config_root, notify.receivers),
     .table = &notify_receiver_table,
     .help = "Where alerts go.",
     .help_ja = "アラートの通知先。"},
    {.name = "inhibit_rules",
     .type = CONF_LIST,
     .offset = AT(config_root, notify.inhibit_rules),
     .table = &notify_inhibit_table,
     .help = "Which alert silences which.",
     .help_ja = "どのアラートがどれを黙らせるか。"},
    {.name = "time_intervals",
     .type = CONF_LIST,
     .offset = AT(config_root, notify.time_intervals),
     .table = &notify_time_interval_table,
     .help = "Named times for routes.",
     .help_ja = "route で使う時間帯の名前。"},
    {.name = "templates",
     .type = CONF_PATHS,
     .offset = AT(config_root, notify.templates),
     .help = "Files (patterns) with notification templates.",
     .help_ja = "通知テンプレートのファイル（パターン可）。"},
    {.name = "services",
     .type = CONF_LIST,
     .offset = AT(config_root, inventory.services),
     .table = &inventory_service_table,
     .help = "What the team runs: owner, channel, what it depends on, which telemetry is its own.",
     .help_ja = "チームが動かすサービス。担当、チャンネル、依存先、どのテレメトリーが属するか。"},
    {.name = "hosts",
     .type = CONF_LIST,
     .offset = AT(config_root, inventory.hosts),
     .table = &inventory_host_table,
     .help = "Hosts that are worth a word beyond what is observed.",
     .help_ja = "観測だけでは分からないことを書くホスト。"},
    {.name = "owners",
     .type = CONF_LIST,
     .offset = AT(config_root, inventory.owners),
     .table = &inventory_owner_table,
     .help = "Who answers for services and hosts.",
     .help_ja = "サービスやホストの担当。"},
    {.name = "channels",
     .type = CONF_LIST,
     .offset = AT(config_root, inventory.channels),
     .table = &inventory_channel_table,
     .help = "Where people talk about them.",
     .help_ja = "連絡に使うチャンネル。"},
    {.name = "agents",
     .type = CONF_LIST,
     .offset = AT(config_root, agents),
     .table = &agents_table,
     .help = "What hinomi-agent does on other hosts; agents take changes within half a minute.",
     .help_ja = "他のホストの hinomi-agent がすること。変更は 30 秒以内に伝わる。"},
    {.name = "alerting", .type = CONF_NODE, .help = "", .ignored = hinomi_rings},
    {.name = "remote_write",
     .type = CONF_NODE,
     .help = "",
     .ignored = "hinomi keeps the samples itself and does not send them on"},
    {.name = "remote_read",
     .type = CONF_NODE,
     .help = "",
     .ignored = "hinomi reads its own store only"},
    {.name = "storage",
     .type = CONF_NODE,
     .help = "",
     .ignored = "see store.series for retention and the accept window"},
    {.name = "tracing",
     .type = CONF_NODE,
     .help = "",
     .ignored = "hinomi sends no traces of itself"},
    {.name = "otlp",
     .type = CONF_NODE,
     .help = "",
     .ignored = "hinomi does not receive OTLP metrics"},
    {.name = "runtime",
     .type = CONF_NODE,
     .help = "",
     .ignored = "these are settings of the Go runtime"},
    {.name = "mute_time_intervals",
     .type = CONF_NODE,
     .help = "",
     .ignored = "Alertmanager's old name; write time_intervals"},
    {.name = "tracing_config",
     .type = CONF_NODE,
     .help = "",
     .ignored = "hinomi sends no traces of itself"},
};

static bool check_root(void *object, struct arena *a, struct err *err) {
    struct config_root *r = object;
    r->notify.global = r->global.notify;
    const struct ingest_scrape_config *jobs = r->scrape_configs.v;
    for (size_t i = 0; i < r->scrape_configs.n; i++)
        for (size_t k = 0; k < i; k++)
            if (str_eq(jobs[i].job_name, jobs[k].job_name))
                return err_set_at(err, ERR_BAD_INPUT, jobs[i].source.line, jobs[i].source.column,
                                  "job_name: \"%.*s\" is taken by the scrape configuration in "
                                  "%s:%u; choose another name",
                                  STR_FMT(jobs[i].job_name), jobs[k].source.file,
                                  jobs[k].source.line);
    return notify_conf_check(&r->notify, a, err);
}

static const struct conf_table root_table = {.name = "hinomi.yml",
                                             .help =
                                                 "The top of the file. Everything has a default.",
                                             .size = sizeof(struct config_root),
                                             .options = root_options,
                                             .n = CONF_N(root_options),
                                             .source_offset = SIZE_MAX,
                                             .check = check_root};

const struct conf_table *config_table(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_joined);
    return &root_table;
}
