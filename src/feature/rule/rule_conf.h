/* rule_conf.h - Prometheus rule files as option tables: groups of recording and alerting rules.
 * Every finding of `promtool check rules` is one here too: expressions, names, labels and templates
 * are checked. Source: https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/
 * and alerting_rules/.
 */
#ifndef RULE_RULE_CONF_H
#define RULE_RULE_CONF_H

#include "model/conf.h"

#define RULE_GROUPS_MAX 1000 /* of one file; each costs a scheduler slot */
#define RULE_RULES_MAX 10000 /* of one group */
#define RULE_INTERVAL_MAX_MS INT64_C(31536000000)

struct rule_conf {
    struct str record, alert, expr;
    int64_t for_ms, keep_firing_for_ms;
    struct conf_pairs labels, annotations;
    struct conf_source at;
};
struct rule_group_conf {
    struct str name;
    int64_t interval_ms;      /* 0: the global evaluation interval */
    int64_t limit;            /* 0: none */
    struct str query_offset;  /* as written; empty: the global one */
    int64_t query_offset_ms;  /* -1: the global one */
    struct conf_pairs labels; /* added to every rule; the rule's own win */
    struct conf_list rules;   /* struct rule_conf */
    struct conf_source at;
};
struct rule_file_conf {
    struct conf_list groups; /* struct rule_group_conf */
};

extern const struct conf_table rule_file_table;

/* The built-in pack for hosts: few, quiet, English and Japanese, over node_exporter's names. YAML
 * as text, for `config export` and the manual; decode it with rule_file_table. */
struct str rule_pack_host(void);
#define RULE_PACK_HOST_FILE "built-in/host.yaml"

#endif
