#include "feature/ingest/scrape_conf.h"

#include "base/buf.h"
#include "codec/promtext.h"
#include "pipe/relabel.h"

static const char *const scheme_names[] = {"http", "https", NULL};
static const char *const validation_names[] = {"utf8", "legacy", NULL};
static const char *const dns_names[] = {"SRV", "A", "AAAA", "MX", "NS", NULL};

static const struct {
    const char *name, *accept; /* accept NULL: known in Prometheus, not read here */
    enum promtext_format format;
} protocols[] = {
    {"OpenMetricsText1.0.0", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
     PROMTEXT_OPENMETRICS},
    {"OpenMetricsText0.0.1", "application/openmetrics-text;version=0.0.1", PROMTEXT_OPENMETRICS},
    {"PrometheusText1.0.0", "text/plain;version=1.0.0;escaping=allow-utf-8", PROMTEXT_PLAIN},
    {"PrometheusText0.0.4", "text/plain;version=0.0.4", PROMTEXT_PLAIN},
    {"PrometheusProto", NULL, PROMTEXT_PLAIN},
};
enum { N_PROTOCOLS = sizeof(protocols) / sizeof(protocols[0]) };

bool ingest_protocol_format(struct str name, int *out) {
    for (size_t i = 0; i < N_PROTOCOLS; i++)
        if (protocols[i].accept && str_eqz(name, protocols[i].name)) {
            *out = (int)protocols[i].format;
            return true;
        }
    return false;
}

void ingest_accept_header(const struct conf_strs *list, struct buf *out) {
    unsigned q = N_PROTOCOLS + 1;
    size_t n = list->n ? list->n : N_PROTOCOLS;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < N_PROTOCOLS; k++) {
            bool wanted = list->n ? str_eqz(list->v[i], protocols[k].name) : i == k;
            if (wanted && protocols[k].accept)
                buf_printf(out, "%s;q=0.%u,", protocols[k].accept, q > 1 ? q-- : 1);
        }
    buf_printf(out, "*/*;q=0.%u", q > 1 ? q : 1);
}

/* ---- HTTP ---- */

#define AT(field) offsetof(struct ingest_basic_auth, field)
static const struct conf_option basic_auth_options[] = {
    {.name = "username",
     .type = CONF_SECRET,
     .offset = AT(username),
     .help = "User name.",
     .help_ja = "利用者名。"},
    {.name = "password",
     .type = CONF_SECRET,
     .offset = AT(password),
     .help = "Password.",
     .help_ja = "パスワード。"},
};
#undef AT
static const struct conf_table basic_auth_table = {.name = "basic_auth",
                                                   .help = "HTTP basic authentication.",
                                                   .size = sizeof(struct ingest_basic_auth),
                                                   .options = basic_auth_options,
                                                   .n = CONF_N(basic_auth_options),
                                                   .source_offset = SIZE_MAX};

#define AT(field) offsetof(struct ingest_authorization, field)
static const struct conf_option authorization_options[] = {
    {.name = "type",
     .type = CONF_STR,
     .offset = AT(type),
     .def = "Bearer",
     .help = "Scheme of the Authorization header.",
     .help_ja = "Authorization ヘッダーの方式。"},
    {.name = "credentials",
     .type = CONF_SECRET,
     .offset = AT(credentials),
     .help = "What stands behind the scheme.",
     .help_ja = "方式の後に置く資格情報。"},
};
#undef AT
static const struct conf_table authorization_table = {
    .name = "authorization",
    .help = "The Authorization header of each request.",
    .size = sizeof(struct ingest_authorization),
    .options = authorization_options,
    .n = CONF_N(authorization_options),
    .source_offset = SIZE_MAX};

#define AT(field) offsetof(struct ingest_tls, field)
static const struct conf_option tls_options[] = {
    {.name = "ca_file",
     .type = CONF_PATH,
     .offset = AT(ca_file),
     .help = "CA certificate that the server is checked against.",
     .help_ja = "サーバーを検証する CA 証明書。"},
    {.name = "cert_file",
     .type = CONF_PATH,
     .offset = AT(cert_file),
     .help = "Client certificate.",
     .help_ja = "クライアント証明書。"},
    {.name = "key_file",
     .type = CONF_PATH,
     .offset = AT(key_file),
     .help = "Key of the client certificate.",
     .help_ja = "クライアント証明書の鍵。"},
    {.name = "server_name",
     .type = CONF_STR,
     .offset = AT(server_name),
     .help = "Name that the certificate must bear.",
     .help_ja = "証明書にあるべき名前。"},
    {.name = "insecure_skip_verify",
     .type = CONF_BOOL,
     .offset = AT(insecure_skip_verify),
     .help = "Accept any certificate.",
     .help_ja = "証明書を検証しない。"},
    {.name = "min_version",
     .type = CONF_STR,
     .offset = AT(server_name),
     .ignored = "TLS 1.2 and later are spoken",
     .help = "Not used.",
     .help_ja = "使わない。"},
    {.name = "max_version",
     .type = CONF_STR,
     .offset = AT(server_name),
     .ignored = "TLS 1.2 and later are spoken",
     .help = "Not used.",
     .help_ja = "使わない。"},
};
#undef AT
static const struct conf_table tls_table = {.name = "tls_config",
                                            .help = "TLS to the peer.",
                                            .size = sizeof(struct ingest_tls),
                                            .options = tls_options,
                                            .n = CONF_N(tls_options),
                                            .source_offset = SIZE_MAX};

#define HTTP_OPTIONS(T)                                                                            \
    {.name = "basic_auth",                                                                         \
     .type = CONF_TABLE_OPT,                                                                       \
     .offset = offsetof(T, http.basic_auth),                                                       \
     .table = &basic_auth_table,                                                                   \
     .help = "HTTP basic authentication.",                                                         \
     .help_ja = "HTTP 基本認証。"},                                                                \
        {.name = "authorization",                                                                  \
         .type = CONF_TABLE_OPT,                                                                   \
         .offset = offsetof(T, http.authorization),                                                \
         .table = &authorization_table,                                                            \
         .help = "The Authorization header.",                                                      \
         .help_ja = "Authorization ヘッダー。"},                                                   \
        {.name = "bearer_token",                                                                   \
         .type = CONF_SECRET,                                                                      \
         .offset = offsetof(T, http.bearer_token),                                                 \
         .help = "The former spelling of authorization: the token of a Bearer header.",            \
         .help_ja = "authorization の旧い書き方。Bearer ヘッダーのトークン。"},                    \
        {.name = "tls_config",                                                                     \
         .type = CONF_TABLE_OPT,                                                                   \
         .offset = offsetof(T, http.tls),                                                          \
         .table = &tls_table,                                                                      \
         .help = "TLS to the peer.",                                                               \
         .help_ja = "相手との TLS。"},                                                             \
        {.name = "proxy_url",                                                                      \
         .type = CONF_STR,                                                                         \
         .offset = offsetof(T, http.proxy_url),                                                    \
         .help = "HTTP proxy.",                                                                    \
         .help_ja = "HTTP プロキシ。"},                                                            \
        {.name = "follow_redirects",                                                               \
         .type = CONF_BOOL,                                                                        \
         .offset = offsetof(T, http.follow_redirects),                                             \
         .def = "true",                                                                            \
         .help = "Follow redirects.",                                                              \
         .help_ja = "リダイレクトに従う。"},                                                       \
    {                                                                                              \
        .name = "enable_http2", .type = CONF_BOOL, .offset = offsetof(T, http.enable_http2),       \
        .def = "true", .ignored = "connections negotiate HTTP/2 by themselves",                    \
        .help = "Allow HTTP/2.", .help_ja = "HTTP/2 を許す。"                                  \
    }

static bool check_http(struct ingest_http *h, struct arena *a, struct err *err) {
    if (h->bearer_token.n && h->authorization)
        return err_set(err, ERR_BAD_INPUT,
                       "bearer_token: authorization says the same; write one of them");
    if (h->bearer_token.n) {
        h->authorization = ARENA_NEW(a, struct ingest_authorization);
        if (!h->authorization)
            return arena_err(a, err);
        *h->authorization = (struct ingest_authorization){STR("Bearer"), h->bearer_token};
        h->bearer_token = (struct str){NULL, 0}; /* said once from here on */
    }
    if (h->basic_auth && h->authorization)
        return err_set(err, ERR_BAD_INPUT,
                       "basic_auth and authorization exclude each other; write one of them");
    if (h->authorization && str_eq_nocase(h->authorization->type, STR("basic")))
        return err_set(err, ERR_BAD_INPUT, "authorization type \"Basic\" is written as basic_auth");
    if (h->tls && (h->tls->cert_file.n == 0) != (h->tls->key_file.n == 0))
        return err_set(err, ERR_BAD_INPUT, "cert_file and key_file of tls_config belong together");
    return true;
}

/* ---- discovery ---- */

#define AT(field) offsetof(struct ingest_static, field)
static const struct conf_option static_options[] = {
    {.name = "targets",
     .type = CONF_STRS,
     .offset = AT(targets),
     .help = "Addresses, host:port.",
     .help_ja = "アドレス（host:port）。"},
    {.name = "labels",
     .type = CONF_PAIRS,
     .offset = AT(labels),
     .help = "Labels of all these targets.",
     .help_ja = "これらの対象に付けるラベル。"},
};
#undef AT
const struct conf_table ingest_static_table = {.name = "static_config",
                                               .help = "Targets written down.",
                                               .size = sizeof(struct ingest_static),
                                               .options = static_options,
                                               .n = CONF_N(static_options),
                                               .source_offset = SIZE_MAX};

static bool check_file_sd(void *object, struct arena *a, struct err *err) {
    (void)a;
    const struct ingest_file_sd *f = object;
    for (size_t i = 0; i < f->files.n; i++) {
        struct str p = f->files.v[i];
        if (!str_ends(p, STR(".json")) && !str_ends(p, STR(".yml")) && !str_ends(p, STR(".yaml")))
            return err_set(err, ERR_BAD_INPUT,
                           "files of file_sd_configs end in .json, .yml or .yaml, not \"%.*s\"",
                           STR_FMT(p));
        size_t star = str_find_char(p, '*');
        if (star != SIZE_MAX && str_find_char(str_from_offset(p, star), '/') != SIZE_MAX)
            return err_set(err, ERR_BAD_INPUT,
                           "\"*\" may stand in the last part of a path only: \"%.*s\"", STR_FMT(p));
    }
    return true;
}

#define AT(field) offsetof(struct ingest_file_sd, field)
static const struct conf_option file_sd_options[] = {
    {.name = "files",
     .type = CONF_PATHS,
     .offset = AT(files),
     .required = true,
     .help = "JSON or YAML files with target groups; the last part may have a *.",
     .help_ja = "対象グループの JSON または YAML ファイル。最後の部分に * を使える。"},
    {.name = "refresh_interval",
     .type = CONF_DURATION,
     .offset = AT(refresh_interval_ms),
     .def = "5m",
     .min = 1000,
     .max = INT64_C(1) << 40,
     .help = "How often the files are read even when nothing seems to have changed.",
     .help_ja = "変化がなくても読み直す間隔。"},
};
#undef AT
const struct conf_table ingest_file_sd_table = {.name = "file_sd_config",
                                                .help =
                                                    "Targets from files that other programs write.",
                                                .size = sizeof(struct ingest_file_sd),
                                                .options = file_sd_options,
                                                .n = CONF_N(file_sd_options),
                                                .source_offset = SIZE_MAX,
                                                .check = check_file_sd};

static bool check_http_sd(void *object, struct arena *a, struct err *err) {
    struct ingest_http_sd *h = object;
    if (!str_starts(h->url, STR("http://")) && !str_starts(h->url, STR("https://")))
        return err_set(err, ERR_BAD_INPUT,
                       "url of http_sd_configs: expected one that begins with http:// or https://");
    return check_http(&h->http, a, err);
}

#define AT(field) offsetof(struct ingest_http_sd, field)
static const struct conf_option http_sd_options[] = {
    {.name = "url",
     .type = CONF_STR,
     .offset = AT(url),
     .required = true,
     .help = "Answers target groups as JSON.",
     .help_ja = "対象グループを JSON で答える URL。"},
    {.name = "refresh_interval",
     .type = CONF_DURATION,
     .offset = AT(refresh_interval_ms),
     .def = "1m",
     .min = 1000,
     .max = INT64_C(1) << 40,
     .help = "How often it is asked.",
     .help_ja = "問い合わせの間隔。"},
    HTTP_OPTIONS(struct ingest_http_sd),
};
#undef AT
const struct conf_table ingest_http_sd_table = {.name = "http_sd_config",
                                                .help = "Targets from an HTTP service.",
                                                .size = sizeof(struct ingest_http_sd),
                                                .options = http_sd_options,
                                                .n = CONF_N(http_sd_options),
                                                .source_offset = SIZE_MAX,
                                                .check = check_http_sd};

static bool check_dns_sd(void *object, struct arena *a, struct err *err) {
    (void)a;
    const struct ingest_dns_sd *d = object;
    if (d->names.n == 0)
        return err_set(err, ERR_BAD_INPUT, "dns_sd_configs needs at least one name");
    if (d->type != INGEST_DNS_SRV && d->port == 0)
        return err_set(err, ERR_BAD_INPUT, "dns_sd_configs of type %s needs a port",
                       dns_names[d->type]);
    return true;
}

#define AT(field) offsetof(struct ingest_dns_sd, field)
static const struct conf_option dns_sd_options[] = {
    {.name = "names",
     .type = CONF_STRS,
     .offset = AT(names),
     .required = true,
     .help = "Names to look up.",
     .help_ja = "引く名前。"},
    {.name = "type",
     .type = CONF_ENUM,
     .offset = AT(type),
     .def = "SRV",
     .names = dns_names,
     .help = "Record type.",
     .help_ja = "レコードの種類。"},
    {.name = "port",
     .type = CONF_INT,
     .offset = AT(port),
     .min = 0,
     .max = 65535,
     .help = "Port, where the record has none.",
     .help_ja = "レコードにないときのポート。"},
    {.name = "refresh_interval",
     .type = CONF_DURATION,
     .offset = AT(refresh_interval_ms),
     .def = "30s",
     .min = 1000,
     .max = INT64_C(1) << 40,
     .help = "How often the names are looked up.",
     .help_ja = "引き直す間隔。"},
};
#undef AT
const struct conf_table ingest_dns_sd_table = {.name = "dns_sd_config",
                                               .help = "Targets from DNS records.",
                                               .size = sizeof(struct ingest_dns_sd),
                                               .options = dns_sd_options,
                                               .n = CONF_N(dns_sd_options),
                                               .source_offset = SIZE_MAX,
                                               .check = check_dns_sd};

/* ---- limits ---- */

#define LIMIT_INT(T, key, field, en, ja)                                                           \
    {                                                                                              \
        .name = key, .type = CONF_INT, .offset = offsetof(T, limits.field), .min = 0,              \
        .max = INT64_MAX, .help = en, .help_ja = ja                                                \
    }
#define LIMIT_OPTIONS(T)                                                                           \
    {.name = "body_size_limit",                                                                    \
     .type = CONF_BYTES,                                                                           \
     .offset = offsetof(T, limits.body_size_bytes),                                                \
     .help = "A larger page fails the scrape; 0: 64 MiB.",                                         \
     .help_ja = "これより大きいページは失敗にする。0 は 64 MiB。"},                                \
        LIMIT_INT(T, "sample_limit", samples, "More samples fail the scrape; 0: none.",            \
                  "これより多いサンプルは失敗にする。0 は無制限。"),                               \
        LIMIT_INT(T, "label_limit", labels, "More labels on a sample fail the scrape; 0: none.",   \
                  "サンプルのラベルがこれより多いと失敗にする。0 は無制限。"),                     \
        LIMIT_INT(T, "label_name_length_limit", label_name_bytes,                                  \
                  "A longer label name fails the scrape; 0: none.",                                \
                  "ラベル名がこれより長いと失敗にする。0 は無制限。"),                             \
        LIMIT_INT(T, "label_value_length_limit", label_value_bytes,                                \
                  "A longer label value fails the scrape; 0: none.",                               \
                  "ラベル値がこれより長いと失敗にする。0 は無制限。"),                             \
        LIMIT_INT(T, "target_limit", targets,                                                      \
                  "More targets fail all scrapes of the job; 0: none.",                            \
                  "対象がこれより多いとそのジョブの収集をすべて失敗にする。0 は無制限。"),         \
        LIMIT_INT(T, "keep_dropped_targets", keep_dropped_targets,                                 \
                  "How many dropped targets are listed; 0: 1000.",                                 \
                  "除外された対象を一覧に残す数。0 は 1000。")

static const char no_histograms[] = "native histograms are not scraped";

static bool check_protocols(const struct conf_strs *list, struct err *err) {
    size_t readable = 0;
    for (size_t i = 0; i < list->n; i++) {
        bool known = false;
        for (size_t k = 0; k < N_PROTOCOLS; k++)
            if (str_eqz(list->v[i], protocols[k].name)) {
                known = true;
                readable += protocols[k].accept != NULL;
            }
        if (!known)
            return err_set(err, ERR_BAD_INPUT,
                           "unknown scrape protocol \"%.*s\"; known are OpenMetricsText1.0.0, "
                           "OpenMetricsText0.0.1, "
                           "PrometheusText1.0.0 and PrometheusText0.0.4",
                           STR_FMT(list->v[i]));
    }
    if (list->n && !readable)
        return err_set(err, ERR_BAD_INPUT,
                       "scrape_protocols lists only PrometheusProto, which is not read here; add a "
                       "text protocol");
    return true;
}

static bool check_times(int64_t *interval, int64_t *timeout, struct err *err) {
    if (*interval && *timeout > *interval)
        return err_set(err, ERR_BAD_INPUT, "scrape_timeout is longer than scrape_interval");
    return true;
}

static bool check_global(void *object, struct arena *a, struct err *err) {
    (void)a;
    struct ingest_global *g = object;
    return check_times(&g->scrape_interval_ms, &g->scrape_timeout_ms, err) &&
           check_protocols(&g->scrape_protocols, err);
}

#define AT(field) offsetof(struct ingest_global, field)
static const struct conf_option global_options[] = {
    {.name = "scrape_interval",
     .type = CONF_DURATION,
     .offset = AT(scrape_interval_ms),
     .def = "1m",
     .min = 1,
     .max = INT64_C(1) << 40,
     .help = "How often targets are scraped.",
     .help_ja = "収集の間隔。"},
    {.name = "scrape_timeout",
     .type = CONF_DURATION,
     .offset = AT(scrape_timeout_ms),
     .min = 0,
     .max = INT64_C(1) << 40,
     .help = "How long a scrape may take; not set: 10s, or the interval when that is shorter.",
     .help_ja = "収集の時間切れ。なければ 10 秒（間隔が短ければ間隔）。"},
    {.name = "evaluation_interval",
     .type = CONF_DURATION,
     .offset = AT(evaluation_interval_ms),
     .def = "1m",
     .min = 1,
     .max = INT64_C(1) << 40,
     .help = "How often rules are evaluated.",
     .help_ja = "ルールを評価する間隔。"},
    {.name = "rule_query_offset",
     .type = CONF_DURATION,
     .offset = AT(rule_query_offset_ms),
     .min = 0,
     .max = INT64_C(1) << 40,
     .help = "How far behind now rules look.",
     .help_ja = "ルールが見る時刻の遅れ。"},
    {.name = "external_labels",
     .type = CONF_PAIRS,
     .offset = AT(external_labels),
     .help = "Labels added to everything that leaves this server (alerts, federation).",
     .help_ja = "外に出るもの（アラートなど）に付けるラベル。"},
    {.name = "scrape_protocols",
     .type = CONF_STRS,
     .offset = AT(scrape_protocols),
     .help = "Formats to ask for, best first.",
     .help_ja = "求める形式（優先順）。"},
    {.name = "metric_name_validation_scheme",
     .type = CONF_ENUM,
     .offset = AT(name_validation),
     .def = "utf8",
     .names = validation_names,
     .help = "Which names are legal.",
     .help_ja = "使える名前の規則。"},
    LIMIT_OPTIONS(struct ingest_global),
    {.name = "query_log_file",
     .type = CONF_STR,
     .offset = AT(external_labels),
     .ignored = "queries are not written to a file",
     .help = "Not used.",
     .help_ja = "使わない。"},
    {.name = "scrape_failure_log_file",
     .type = CONF_STR,
     .offset = AT(external_labels),
     .ignored = "failures are in hinomi's own log and on the targets page",
     .help = "Not used.",
     .help_ja = "使わない。"},
};
#undef AT
const struct conf_table ingest_global_table = {
    .name = "global",
    .help = "Defaults of scrapes and rules, as in Prometheus.",
    .size = sizeof(struct ingest_global),
    .options = global_options,
    .n = CONF_N(global_options),
    .source_offset = SIZE_MAX,
    .check = check_global};

/* ---- scrape_config ---- */

static void put_encoded(struct buf *b, struct str s) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            buf_putc(b, (char)c);
        } else {
            char e[3] = {'%', hex[c >> 4], hex[c & 15]};
            buf_put(b, e, 3);
        }
    }
}

static void put_param(struct buf *b, struct str name, struct str value) {
    if (b->n)
        buf_putc(b, '&');
    put_encoded(b, name);
    buf_putc(b, '=');
    put_encoded(b, value);
}

static bool encode_params(struct ingest_scrape_config *c, struct arena *a, struct err *err) {
    const struct conf_node *p = c->params;
    if (!p || p->kind == CONF_KIND_NULL)
        return true;
    if (p->kind != CONF_KIND_MAP)
        return err_set_at(err, ERR_BAD_INPUT, p->at.line, p->at.column,
                          "params is a mapping of names to lists of strings");
    struct buf b = BUF_INIT_MAX(64 << 10);
    bool ok = true;
    for (size_t i = 0; ok && i < p->n; i++) {
        const struct conf_node *v = p->value[i];
        if (v->kind == CONF_KIND_SCALAR)
            put_param(&b, p->key[i]->text, v->text);
        else
            ok = v->kind == CONF_KIND_LIST;
        for (size_t k = 0; ok && v->kind == CONF_KIND_LIST && k < v->n; k++) {
            ok = v->value[k]->kind == CONF_KIND_SCALAR;
            if (ok)
                put_param(&b, p->key[i]->text, v->value[k]->text);
        }
        if (!ok)
            err_set_at(err, ERR_BAD_INPUT, v->at.line, v->at.column,
                       "params.%.*s is a list of strings", STR_FMT(p->key[i]->text));
    }
    if (ok && !buf_ok(&b))
        ok = err_set(err, ERR_TOO_LARGE, "params are longer than the limit of 64 KiB");
    if (ok)
        c->params_query = arena_str(a, buf_view(&b));
    buf_deinit(&b);
    return ok;
}

static bool check_unsupported(const struct ingest_scrape_config *c, struct err *err) {
    static const char *const names[] = {
#define X(name) #name,
        INGEST_UNSUPPORTED_SD(X)
#undef X
    };
    for (size_t i = 0; i < INGEST_UNSUPPORTED_SD_COUNT; i++)
        if (c->unsupported_sd[i])
            return err_set_at(err, ERR_UNSUPPORTED, c->unsupported_sd[i]->at.line,
                              c->unsupported_sd[i]->at.column,
                              "%s_sd_configs is not supported; let file_sd_configs or "
                              "http_sd_configs carry these targets",
                              names[i]);
    const struct conf_node *auth = c->oauth2 ? c->oauth2 : c->sigv4 ? c->sigv4 : c->azuread;
    if (auth)
        return err_set_at(err, ERR_UNSUPPORTED, auth->at.line, auth->at.column,
                          "oauth2, sigv4 and azuread are not supported for scrapes; use "
                          "basic_auth, authorization or tls_config");
    return true;
}

static bool check_scrape(void *object, struct arena *a, struct err *err) {
    struct ingest_scrape_config *c = object;
    int format;
    if (c->job_name.n == 0)
        return err_set(err, ERR_BAD_INPUT, "job_name is empty");
    if (c->fallback_scrape_protocol.n &&
        !ingest_protocol_format(c->fallback_scrape_protocol, &format))
        return err_set(
            err, ERR_BAD_INPUT,
            "fallback_scrape_protocol is a text protocol, for example PrometheusText0.0.4");
    return check_unsupported(c, err) &&
           check_times(&c->scrape_interval_ms, &c->scrape_timeout_ms, err) &&
           check_http(&c->http, a, err) && check_protocols(&c->scrape_protocols, err) &&
           encode_params(c, a, err);
}

#define AT(field) offsetof(struct ingest_scrape_config, field)
static const struct conf_option scrape_options[] = {
    {.name = "job_name",
     .type = CONF_STR,
     .offset = AT(job_name),
     .required = true,
     .help = "Name of the job; the label job of its series.",
     .help_ja = "ジョブ名。系列の job ラベルになる。"},
    {.name = "scrape_interval",
     .type = CONF_DURATION,
     .offset = AT(scrape_interval_ms),
     .min = 0,
     .max = INT64_C(1) << 40,
     .help = "How often; not set: global's.",
     .help_ja = "間隔。なければ global の値。"},
    {.name = "scrape_timeout",
     .type = CONF_DURATION,
     .offset = AT(scrape_timeout_ms),
     .min = 0,
     .max = INT64_C(1) << 40,
     .help = "How long a scrape may take; not set: global's.",
     .help_ja = "時間切れ。なければ global の値。"},
    {.name = "metrics_path",
     .type = CONF_STR,
     .offset = AT(metrics_path),
     .def = "/metrics",
     .help = "Path of the page.",
     .help_ja = "ページのパス。"},
    {.name = "scheme",
     .type = CONF_ENUM,
     .offset = AT(scheme),
     .def = "http",
     .names = scheme_names,
     .help = "http or https.",
     .help_ja = "http または https。"},
    {.name = "params",
     .type = CONF_NODE,
     .offset = AT(params),
     .help = "Query parameters, each a list of values.",
     .help_ja = "クエリーパラメーター（それぞれ値のリスト）。"},
    {.name = "honor_labels",
     .type = CONF_BOOL,
     .offset = AT(honor_labels),
     .help = "Labels of the page win over those of the target.",
     .help_ja = "ページのラベルを対象のものより優先する。"},
    {.name = "honor_timestamps",
     .type = CONF_BOOL,
     .offset = AT(honor_timestamps),
     .def = "true",
     .help = "Keep timestamps that the page gives.",
     .help_ja = "ページにある時刻を使う。"},
    {.name = "track_timestamps_staleness",
     .type = CONF_BOOL,
     .offset = AT(track_timestamps_staleness),
     .help = "Mark series with own timestamps as ended when they disappear.",
     .help_ja = "時刻付きの系列も、消えたら終わりの印を付ける。"},
    {.name = "enable_compression",
     .type = CONF_BOOL,
     .offset = AT(enable_compression),
     .def = "true",
     .help = "Ask for a compressed page.",
     .help_ja = "圧縮したページを求める。"},
    {.name = "scrape_protocols",
     .type = CONF_STRS,
     .offset = AT(scrape_protocols),
     .help = "Formats to ask for, best first.",
     .help_ja = "求める形式（優先順）。"},
    {.name = "fallback_scrape_protocol",
     .type = CONF_STR,
     .offset = AT(fallback_scrape_protocol),
     .help = "How to read a page whose Content-Type says nothing useful.",
     .help_ja = "Content-Type が役に立たないページの読み方。"},
    {.name = "metric_name_validation_scheme",
     .type = CONF_ENUM,
     .offset = AT(name_validation),
     .def = "utf8",
     .names = validation_names,
     .help = "Which names are legal.",
     .help_ja = "使える名前の規則。"},
    HTTP_OPTIONS(struct ingest_scrape_config),
    {.name = "static_configs",
     .type = CONF_LIST,
     .offset = AT(static_configs),
     .table = &ingest_static_table,
     .help = "Targets written down.",
     .help_ja = "列挙した対象。"},
    {.name = "file_sd_configs",
     .type = CONF_LIST,
     .offset = AT(file_sd_configs),
     .table = &ingest_file_sd_table,
     .help = "Targets from files.",
     .help_ja = "ファイルから得る対象。"},
    {.name = "http_sd_configs",
     .type = CONF_LIST,
     .offset = AT(http_sd_configs),
     .table = &ingest_http_sd_table,
     .help = "Targets from an HTTP service.",
     .help_ja = "HTTP サービスから得る対象。"},
    {.name = "dns_sd_configs",
     .type = CONF_LIST,
     .offset = AT(dns_sd_configs),
     .table = &ingest_dns_sd_table,
     .help = "Targets from DNS.",
     .help_ja = "DNS から得る対象。"},
    {.name = "relabel_configs",
     .type = CONF_LIST,
     .offset = AT(relabel_configs),
     .table = &relabel_table,
     .help = "Rules that rewrite or drop targets.",
     .help_ja = "対象を書き換える・除外する規則。"},
    {.name = "metric_relabel_configs",
     .type = CONF_LIST,
     .offset = AT(metric_relabel_configs),
     .table = &relabel_table,
     .help = "Rules that rewrite or drop samples.",
     .help_ja = "サンプルを書き換える・除外する規則。"},
    LIMIT_OPTIONS(struct ingest_scrape_config),
    {.name = "oauth2",
     .type = CONF_NODE,
     .offset = AT(oauth2),
     .help = "Not supported.",
     .help_ja = "未対応。"},
    {.name = "sigv4",
     .type = CONF_NODE,
     .offset = AT(sigv4),
     .help = "Not supported.",
     .help_ja = "未対応。"},
    {.name = "azuread",
     .type = CONF_NODE,
     .offset = AT(azuread),
     .help = "Not supported.",
     .help_ja = "未対応。"},
#define IGNORED(key, why)                                                                          \
    {                                                                                              \
        .name = key, .type = CONF_NODE, .offset = AT(params), .ignored = why, .help = "Not used.", \
        .help_ja = "使わない。"                                                               \
    }
    IGNORED("scrape_classic_histograms", no_histograms),
    IGNORED("always_scrape_classic_histograms", no_histograms),
    IGNORED("scrape_native_histograms", no_histograms),
    IGNORED("convert_classic_histograms_to_nhcb", no_histograms),
    IGNORED("native_histogram_bucket_limit", no_histograms),
    IGNORED("native_histogram_min_bucket_factor", no_histograms),
    IGNORED("metric_name_escaping_scheme", "names are asked for and kept as UTF-8"),
    IGNORED("scrape_failure_log_file", "failures are in hinomi's own log and on the targets page"),
#undef IGNORED
#define X(sd)                                                                                      \
    {.name = #sd "_sd_configs",                                                                    \
     .type = CONF_NODE,                                                                            \
     .offset = AT(unsupported_sd[INGEST_UNSUPPORTED_SD_##sd]),                                     \
     .help = "Not supported: use file_sd_configs or http_sd_configs.",                             \
     .help_ja = "未対応。file_sd_configs か http_sd_configs を使う。"},
    INGEST_UNSUPPORTED_SD(X)
#undef X
};
#undef AT
const struct conf_table ingest_scrape_config_table = {
    .name = "scrape_config",
    .help = "A job: targets and how to scrape them, as in Prometheus.",
    .size = sizeof(struct ingest_scrape_config),
    .options = scrape_options,
    .n = CONF_N(scrape_options),
    .source_offset = offsetof(struct ingest_scrape_config, source),
    .check = check_scrape};
