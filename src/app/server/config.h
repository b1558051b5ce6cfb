/* config.h - the server's whole configuration as one immutable snapshot: the file, what it
 * includes, the rule files, decoded and checked together. A reload makes a new snapshot; the former
 * one lives until its last user lets go.
 */
#ifndef APP_SERVER_CONFIG_H
#define APP_SERVER_CONFIG_H

#include "codec/conf_yaml.h"
#include "feature/collect/collect.h"
#include "feature/ingest/scrape_conf.h"
#include "feature/notify/notify_conf.h"
#include "feature/rule/rule.h"
#include "inventory/inventory.h"

#include <stdatomic.h>

struct config_server {
    struct str listen, public_url, tls_cert_file, tls_key_file;
    struct conf_strs allowed_hosts;
    bool insecure_http, require_accounts;
};
struct config_series {
    int64_t retention_ms, accept_window_ms;
    uint64_t retention_bytes;
    int64_t series_per_source_max, series_per_metric_max;
};
struct config_store {
    struct config_series series;
};
struct config_promql {
    struct conf_strs features;
    unsigned feature_bits; /* enum promql_feature, from the words above */
};
struct config_query {
    struct config_promql promql;
    int64_t timeout_ms, samples_max, concurrency, lookback_ms;
    uint64_t memory_bytes;
};
struct config_global { /* Prometheus's and Alertmanager's, which share the key */
    struct ingest_global ingest;
    struct notify_global_conf notify;
};
struct config_collect {
    struct collect_config options; /* first: its table's offsets count from here */
    bool enabled;
};
struct config_agents { /* what hinomi-agent on matching hosts shall do beside watching its host */
    struct str host;   /* anchored regular expression over the agent's host name */
    int64_t interval_ms;
    const struct conf_node *scrape_configs;
    struct conf_source at;
};
struct config_root {
    struct conf_strs include;
    struct config_server server;
    struct config_store store;
    struct config_query query;
    struct config_global global;
    struct config_collect collect;
    struct conf_list scrape_configs; /* struct ingest_scrape_config */
    struct conf_strs scrape_config_files, rule_files;
    bool builtin_rules;
    struct notify_conf notify;
    struct inventory_config inventory;
    struct conf_list agents; /* struct config_agents */
};

struct config {
    _Atomic unsigned refs;
    struct arena arena;
    const char *file;             /* "" when there is none */
    const struct conf_node *tree; /* what was written, all files merged */
    struct config_root root;
    struct rule_source *rules; /* the built-in pack first, then rule files in order */
    size_t n_rules;
    struct conf_diags warnings;
};

const struct conf_table *config_table(void); /* of struct config_root */

/* Reads, merges, decodes and checks everything. file NULL: defaults. diags (its arena set) gets
 * findings and warnings. NULL: there are findings. */
struct config *config_load(const char *file, struct conf_diags *diags);
/* The same for text that is not on disk (the API's check): may not read files, so `*_file` and
 * includes are not followed. */
bool config_check_text(struct str text, const char *name, struct conf_diags *diags);
struct config *config_ref(struct config *c);
void config_unref(struct config *c); /* NULL is fine */

/* Addresses: HOST:PORT, [V6]:PORT; whether the host is loopback only. */
bool config_parse_listen(struct str listen, struct str *out_host, uint16_t *out_port,
                         struct err *err) MUST_USE;
bool config_host_is_loopback(struct str host);

/* The manual page docs/config.md, and hinomi.yml(5). */
void config_manual(struct buf *out);
void config_man(struct buf *out);

#endif
