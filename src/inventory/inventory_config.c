#include "base/map.h"
#include "inventory/inventory.h"

#define S struct inventory_service_config
#define AT(type, member) offsetof(type, member)

static const struct conf_option match_options[] = {
    {.name = "job",
     .type = CONF_STRS,
     .offset = AT(struct inventory_match, job),
     .help = "Values of the label job that belong to the service.",
     .help_ja = "このサービスに属する job ラベルの値。"},
    {.name = "service",
     .type = CONF_STRS,
     .offset = AT(struct inventory_match, service),
     .help = "Values of service.name, service_name or service that belong to the service.",
     .help_ja = "このサービスに属する service.name、service_name、service の値。"},
};
static const struct conf_table match_table = {
    .name = "service_match",
    .help = "Telemetry that belongs to the service under another name.",
    .size = sizeof(struct inventory_match),
    .options = match_options,
    .n = CONF_N(match_options),
    .source_offset = SIZE_MAX};

static const struct conf_option service_options[] = {
    {.name = "name",
     .type = CONF_STR,
     .offset = AT(S, name),
     .required = true,
     .help = "The service's name; telemetry with it as service.name, service or job belongs to it.",
     .help_ja =
         "サービス名。service.name、service、job がこの名前のデータはこのサービスに属する。"},
    {.name = "description",
     .type = CONF_STR,
     .offset = AT(S, description),
     .help = "What it does, in a sentence.",
     .help_ja = "何をするサービスか、一文で。"},
    {.name = "owner",
     .type = CONF_STR,
     .offset = AT(S, owner),
     .help = "Who looks after it: a name under owners.",
     .help_ja = "担当者。owners の名前。"},
    {.name = "channel",
     .type = CONF_STR,
     .offset = AT(S, channel),
     .help = "Where its alerts are talked about: a name under channels.",
     .help_ja = "アラートを話し合う場所。channels の名前。"},
    {.name = "url",
     .type = CONF_STR,
     .offset = AT(S, url),
     .help = "Its address for people, or its runbook.",
     .help_ja = "利用者向けのアドレス、または手順書。"},
    {.name = "runs_on",
     .type = CONF_STRS,
     .offset = AT(S, runs_on),
     .help = "Names of the hosts it runs on.",
     .help_ja = "動いているホストの名前。"},
    {.name = "depends_on",
     .type = CONF_STRS,
     .offset = AT(S, depends_on),
     .help = "Names of the services it needs.",
     .help_ja = "必要とするサービスの名前。"},
    {.name = "match",
     .type = CONF_TABLE,
     .offset = AT(S, match),
     .table = &match_table,
     .help = "Telemetry that belongs to it under another name.",
     .help_ja = "別名でこのサービスに属するデータ。"},
};
const struct conf_table inventory_service_table = {.name = "service",
                                                   .help = "A service of the team.",
                                                   .size = sizeof(S),
                                                   .options = service_options,
                                                   .n = CONF_N(service_options),
                                                   .source_offset = AT(S, at)};

static const struct conf_option host_options[] = {
    {.name = "name",
     .type = CONF_STR,
     .offset = AT(struct inventory_host_config, name),
     .required = true,
     .help = "The host's name, as in the instance label.",
     .help_ja = "ホスト名。instance ラベルと同じもの。"},
    {.name = "owner",
     .type = CONF_STR,
     .offset = AT(struct inventory_host_config, owner),
     .help = "Who looks after it.",
     .help_ja = "担当者。"},
};
const struct conf_table inventory_host_table = {.name = "host",
                                                .help = "A host of the team.",
                                                .size = sizeof(struct inventory_host_config),
                                                .options = host_options,
                                                .n = CONF_N(host_options),
                                                .source_offset =
                                                    AT(struct inventory_host_config, at)};

static const struct conf_option owner_options[] = {
    {.name = "name",
     .type = CONF_STR,
     .offset = AT(struct inventory_owner_config, name),
     .required = true,
     .help = "A team or a person.",
     .help_ja = "チームまたは個人。"},
    {.name = "email",
     .type = CONF_STR,
     .offset = AT(struct inventory_owner_config, email),
     .help = "How to write to them.",
     .help_ja = "連絡先のメールアドレス。"},
    {.name = "channel",
     .type = CONF_STR,
     .offset = AT(struct inventory_owner_config, channel),
     .help = "Where they talk: a name under channels.",
     .help_ja = "話し合う場所。channels の名前。"},
};
const struct conf_table inventory_owner_table = {.name = "owner",
                                                 .help = "Who looks after services.",
                                                 .size = sizeof(struct inventory_owner_config),
                                                 .options = owner_options,
                                                 .n = CONF_N(owner_options),
                                                 .source_offset =
                                                     AT(struct inventory_owner_config, at)};

static const struct conf_option channel_options[] = {
    {.name = "name",
     .type = CONF_STR,
     .offset = AT(struct inventory_channel_config, name),
     .required = true,
     .help = "Its name, for example #ops.",
     .help_ja = "名前。たとえば #ops。"},
    {.name = "kind",
     .type = CONF_STR,
     .offset = AT(struct inventory_channel_config, kind),
     .help = "What it is: slack, webhook, mail.",
     .help_ja = "種類。slack、webhook、mail。"},
};
const struct conf_table inventory_channel_table = {.name = "channel",
                                                   .help = "A place where people talk or are told.",
                                                   .size = sizeof(struct inventory_channel_config),
                                                   .options = channel_options,
                                                   .n = CONF_N(channel_options),
                                                   .source_offset =
                                                       AT(struct inventory_channel_config, at)};

static const struct conf_option config_options[] = {
    {.name = "services",
     .type = CONF_LIST,
     .offset = AT(struct inventory_config, services),
     .table = &inventory_service_table,
     .help = "The services of the team, with owner, channel and what they depend on.",
     .help_ja = "チームのサービス。担当者、チャンネル、依存先とともに。"},
    {.name = "hosts",
     .type = CONF_LIST,
     .offset = AT(struct inventory_config, hosts),
     .table = &inventory_host_table,
     .help = "Hosts that shall be there even when nothing is heard of them.",
     .help_ja = "データが届かなくても存在するはずのホスト。"},
    {.name = "owners",
     .type = CONF_LIST,
     .offset = AT(struct inventory_config, owners),
     .table = &inventory_owner_table,
     .help = "Teams and people who look after services.",
     .help_ja = "サービスを担当するチームや人。"},
    {.name = "channels",
     .type = CONF_LIST,
     .offset = AT(struct inventory_config, channels),
     .table = &inventory_channel_table,
     .help = "Places where people talk about services and are told of alerts.",
     .help_ja = "サービスについて話し、アラートを受け取る場所。"},
};
const struct conf_table inventory_config_table = {.name = "inventory",
                                                  .help = "What the team has, as declared.",
                                                  .size = sizeof(struct inventory_config),
                                                  .options = config_options,
                                                  .n = CONF_N(config_options),
                                                  .source_offset = SIZE_MAX};

static void fold(struct buf *out, struct str s) {
    buf_reset(out);
    for (size_t i = 0; i < s.n; i++)
        buf_putc(out, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i]);
}

static void add_name(struct map *names, struct str name, struct conf_source at, const char *what,
                     struct conf_diags *diags) {
    struct buf b = BUF_INIT;
    fold(&b, name);
    if (name.n && buf_ok(&b) && map_find(names, buf_view(&b)))
        conf_diag_add(diags, true, at, "the %s \"%.*s\" is declared twice; the first one counts",
                      what, STR_FMT(name));
    else if (name.n && buf_ok(&b))
        (void)map_put(names, buf_view(&b), names, NULL);
    buf_deinit(&b);
}

static void want(const struct map *names, struct str name, struct conf_source at, const char *field,
                 const char *list, struct conf_diags *diags) {
    struct buf b = BUF_INIT;
    fold(&b, name);
    if (name.n && names->n_live && buf_ok(&b) && !map_find(names, buf_view(&b)))
        conf_diag_add(diags, true, at, "%s: \"%.*s\" is not under %s", field, STR_FMT(name), list);
    buf_deinit(&b);
}

void inventory_check(const struct inventory_config *config, struct conf_diags *diags) {
    struct map services = MAP_INIT, owners = MAP_INIT, channels = MAP_INIT, hosts = MAP_INIT;
    const S *s = config->services.v;
    const struct inventory_owner_config *o = config->owners.v;
    const struct inventory_channel_config *c = config->channels.v;
    const struct inventory_host_config *h = config->hosts.v;
    for (size_t i = 0; i < config->services.n; i++)
        add_name(&services, s[i].name, s[i].at, "service", diags);
    for (size_t i = 0; i < config->owners.n; i++)
        add_name(&owners, o[i].name, o[i].at, "owner", diags);
    for (size_t i = 0; i < config->channels.n; i++)
        add_name(&channels, c[i].name, c[i].at, "channel", diags);
    for (size_t i = 0; i < config->hosts.n; i++)
        add_name(&hosts, h[i].name, h[i].at, "host", diags);
    for (size_t i = 0; i < config->services.n; i++) {
        want(&owners, s[i].owner, s[i].at, "owner", "owners", diags);
        want(&channels, s[i].channel, s[i].at, "channel", "channels", diags);
        for (size_t k = 0; k < s[i].depends_on.n; k++)
            want(&services, s[i].depends_on.v[k], s[i].at, "depends_on", "services", diags);
    }
    for (size_t i = 0; i < config->owners.n; i++)
        want(&channels, o[i].channel, o[i].at, "channel", "channels", diags);
    map_deinit(&services);
    map_deinit(&owners);
    map_deinit(&channels);
    map_deinit(&hosts);
}
