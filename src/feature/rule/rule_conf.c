#include "feature/rule/rule_conf.h"

#include "base/map.h"
#include "base/timev.h"
#include "codec/gotmpl.h"
#include "model/labels.h"
#include "query/promql/promql.h"

#define AT(type, member) offsetof(struct type, member)

static bool check_labels(const struct conf_pairs *p, const char *what, struct err *err) {
    for (size_t i = 0; i < p->n; i++) {
        if (p->key[i].n == 0 || !str_is_utf8(p->key[i]))
            return err_set(err, ERR_BAD_INPUT, "%s: expected a name, found \"%.*s\"", what,
                           STR_FMT(p->key[i]));
        if (str_eqz(p->key[i], LABEL_NAME))
            return err_set(
                err, ERR_BAD_INPUT,
                "%s: __name__ cannot be set; a recording rule names its series by `record`", what);
        if (!str_is_utf8(p->value[i]))
            return err_set(err, ERR_BAD_INPUT, "%s: the value of \"%.*s\" is not valid UTF-8", what,
                           STR_FMT(p->key[i]));
    }
    return true;
}

static bool check_templates(const struct conf_pairs *p, const char *what, struct err *err) {
    for (size_t i = 0; i < p->n; i++) {
        struct err e = {0};
        if (!gotmpl_check(p->value[i],
                          &e)) /* the position inside the text stays in the message alone */
            return err_set(err, ERR_BAD_INPUT, "%s: %.*s: %s", what, STR_FMT(p->key[i]), e.message);
    }
    return true;
}

static bool check_expr(struct str text, struct err *err) {
    struct arena a = ARENA_INIT_MAX(16 << 20);
    struct err e = {0};
    struct promql_expr *x = promql_parse(text, PROMQL_ALL_FEATURES, &a, &e);
    bool ok = x != NULL;
    enum promql_value_type type = ok ? promql_type(x) : PROMQL_NONE;
    arena_deinit(&a);
    if (!ok)
        return err_set(err, ERR_BAD_INPUT, "expr: %s", e.message);
    if (type != PROMQL_VECTOR && type != PROMQL_SCALAR)
        return err_set(err, ERR_BAD_INPUT,
                       "expr: a rule needs an expression that gives an instant vector or a number; "
                       "this one gives a %s",
                       type == PROMQL_MATRIX ? "range vector" : "string");
    return true;
}

static bool check_rule(void *object, struct arena *a, struct err *err) {
    (void)a;
    const struct rule_conf *r = object;
    if (!r->record.n == !r->alert.n)
        return err_set(err, ERR_BAD_INPUT, "expected exactly one of `record` and `alert`, found %s",
                       r->record.n ? "both" : "neither");
    if (r->expr.n == 0)
        return err_set(err, ERR_BAD_INPUT, "expr: expected a PromQL expression, found nothing");
    if (r->record.n) {
        if (r->annotations.n)
            return err_set(err, ERR_BAD_INPUT,
                           "annotations: they belong to alerts, a recording rule has none");
        if (r->for_ms || r->keep_firing_for_ms)
            return err_set(err, ERR_BAD_INPUT,
                           "%s: it belongs to alerts, a recording rule has none",
                           r->for_ms ? "for" : "keep_firing_for");
        if (!str_is_utf8(r->record))
            return err_set(err, ERR_BAD_INPUT, "record: \"%.*s\" is no metric name",
                           STR_FMT(r->record));
        if (str_find_char(r->record, '{') != SIZE_MAX)
            return err_set(err, ERR_BAD_INPUT,
                           "record: \"%.*s\" is no metric name; labels go under `labels`",
                           STR_FMT(r->record));
    }
    if (!check_labels(&r->labels, "labels", err) ||
        !check_labels(&r->annotations, "annotations", err))
        return false;
    if (r->alert.n && (!check_templates(&r->labels, "labels", err) ||
                       !check_templates(&r->annotations, "annotations", err)))
        return false;
    return check_expr(r->expr, err);
}

static bool check_group(void *object, struct arena *a, struct err *err) {
    (void)a;
    struct rule_group_conf *g = object;
    if (g->rules.n > RULE_RULES_MAX)
        return err_set(err, ERR_TOO_LARGE, "a group holds at most %d rules, this one has %zu",
                       RULE_RULES_MAX, g->rules.n);
    g->query_offset_ms = -1;
    if (g->query_offset.n && !duration_parse(g->query_offset, &g->query_offset_ms, err))
        return err_prefix(err, "query_offset");
    return check_labels(&g->labels, "labels", err);
}

static bool check_file(void *object, struct arena *a, struct err *err) {
    (void)a;
    const struct rule_file_conf *f = object;
    const struct rule_group_conf *g = f->groups.v;
    if (f->groups.n > RULE_GROUPS_MAX)
        return err_set(err, ERR_TOO_LARGE, "a file holds at most %d groups, this one has %zu",
                       RULE_GROUPS_MAX, f->groups.n);
    struct map seen = MAP_INIT;
    bool ok = true;
    for (size_t i = 0; ok && i < f->groups.n; i++) {
        if (map_get(&seen, g[i].name))
            ok = err_set_at(err, ERR_BAD_INPUT, g[i].at.line, g[i].at.column,
                            "group name \"%.*s\" is used twice in this file", STR_FMT(g[i].name));
        else
            ok = map_put(&seen, g[i].name, object, NULL) ||
                 err_set(err, ERR_INTERNAL, "out of memory");
    }
    map_deinit(&seen);
    return ok;
}

static const struct conf_option rule_options[] = {
    {.name = "record",
     .type = CONF_STR,
     .offset = AT(rule_conf, record),
     .help = "The name of the series that the result is written to.",
     .help_ja = "結果を書き込む系列の名前。"},
    {.name = "alert",
     .type = CONF_STR,
     .offset = AT(rule_conf, alert),
     .help = "The name of the alert.",
     .help_ja = "アラートの名前。"},
    {.name = "expr",
     .type = CONF_STR,
     .offset = AT(rule_conf, expr),
     .required = true,
     .help = "The PromQL expression; each series of its result is an alert, or a recorded series.",
     .help_ja = "PromQL式。結果の系列ごとにアラートまたは記録系列になります。"},
    {.name = "for",
     .type = CONF_DURATION,
     .offset = AT(rule_conf, for_ms),
     .min = 0,
     .max = RULE_INTERVAL_MAX_MS,
     .help = "How long the condition must hold before the alert fires.",
     .help_ja = "発火までに条件が続くべき時間。"},
    {.name = "keep_firing_for",
     .type = CONF_DURATION,
     .offset = AT(rule_conf, keep_firing_for_ms),
     .min = 0,
     .max = RULE_INTERVAL_MAX_MS,
     .help = "How long the alert goes on after the condition has ended.",
     .help_ja = "条件が消えた後も発火を続ける時間。"},
    {.name = "labels",
     .type = CONF_PAIRS,
     .offset = AT(rule_conf, labels),
     .help = "Labels to add or to overwrite; templates in an alert.",
     .help_ja = "追加または上書きするラベル。アラートではテンプレート。"},
    {.name = "annotations",
     .type = CONF_PAIRS,
     .offset = AT(rule_conf, annotations),
     .help = "Texts for people, as templates; a key ending in _ja is the Japanese text.",
     .help_ja = "人が読むための文(テンプレート)。_jaで終わるキーは日本語文。"},
};
static const struct conf_table rule_table = {.name = "rule",
                                             .help = "One recording or alerting rule.",
                                             .size = sizeof(struct rule_conf),
                                             .options = rule_options,
                                             .n = CONF_N(rule_options),
                                             .source_offset = AT(rule_conf, at),
                                             .check = check_rule};

static const struct conf_option group_options[] = {
    {.name = "name",
     .type = CONF_STR,
     .offset = AT(rule_group_conf, name),
     .required = true,
     .help = "The group's name, once in a file.",
     .help_ja = "グループ名。ファイル内で一意。"},
    {.name = "interval",
     .type = CONF_DURATION,
     .offset = AT(rule_group_conf, interval_ms),
     .min = 0,
     .max = RULE_INTERVAL_MAX_MS,
     .help = "How often the rules are evaluated; the global evaluation_interval when absent.",
     .help_ja = "評価の間隔。省略時は全体のevaluation_interval。"},
    {.name = "limit",
     .type = CONF_INT,
     .offset = AT(rule_group_conf, limit),
     .min = 0,
     .max = INT64_MAX,
     .help = "The most alerts or series that one rule may give; 0: no limit.",
     .help_ja = "一つのルールが出せるアラートまたは系列の最大数。0は無制限。"},
    {.name = "query_offset",
     .type = CONF_STR,
     .offset = AT(rule_group_conf, query_offset),
     .help = "Look this far into the past, for data that comes late; the global one when absent.",
     .help_ja = "遅れて届くデータのため、この時間だけ過去を見ます。省略時は全体の値。"},
    {.name = "labels",
     .type = CONF_PAIRS,
     .offset = AT(rule_group_conf, labels),
     .help = "Labels of every rule of the group; a rule's own win.",
     .help_ja = "グループの全ルールのラベル。ルール側が優先。"},
    {.name = "rules",
     .type = CONF_LIST,
     .offset = AT(rule_group_conf, rules),
     .table = &rule_table,
     .help = "The rules, evaluated in this order.",
     .help_ja = "この順に評価されるルール。"},
};
static const struct conf_table group_table = {
    .name = "rule_group",
    .help = "Rules that are evaluated together, one after the other.",
    .size = sizeof(struct rule_group_conf),
    .options = group_options,
    .n = CONF_N(group_options),
    .source_offset = AT(rule_group_conf, at),
    .check = check_group};

static const struct conf_option file_options[] = {
    {.name = "groups",
     .type = CONF_LIST,
     .offset = AT(rule_file_conf, groups),
     .table = &group_table,
     .help = "The groups of this file.",
     .help_ja = "このファイルのグループ。"},
};
const struct conf_table rule_file_table = {.name = "rule_file",
                                           .help = "A Prometheus rule file.",
                                           .size = sizeof(struct rule_file_conf),
                                           .options = file_options,
                                           .n = CONF_N(file_options),
                                           .source_offset = SIZE_MAX,
                                           .check = check_file};
