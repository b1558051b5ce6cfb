/* scrape_conf.h - the grammar of scraping as Prometheus has it: option tables and the structs they
 * fill.
 *
 * `ingest_global_table` is the `global` mapping, `ingest_scrape_config_table` one entry of
 * `scrape_configs`. Values that fall back to `global` are 0 (or an empty list) when they are not
 * written. Service discoveries that hinomi does not have are refused by name, with what to use
 * instead. Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/
 */
#ifndef INGEST_SCRAPE_CONF_H
#define INGEST_SCRAPE_CONF_H

#include "base/buf.h"
#include "model/conf.h"

extern const struct conf_table ingest_global_table;
extern const struct conf_table ingest_scrape_config_table;
extern const struct conf_table ingest_static_table;
extern const struct conf_table ingest_file_sd_table;
extern const struct conf_table ingest_http_sd_table;
extern const struct conf_table ingest_dns_sd_table;

struct ingest_basic_auth {
    struct str username, password;
};
struct ingest_authorization {
    struct str type, credentials;
};
struct ingest_tls {
    struct str ca_file, cert_file, key_file, server_name;
    bool insecure_skip_verify;
};
struct ingest_http { /* how to speak HTTP to a target or a discovery service */
    struct ingest_basic_auth *basic_auth;
    struct ingest_authorization *authorization; /* also made of bearer_token */
    struct ingest_tls *tls;
    struct str proxy_url, bearer_token; /* bearer_token: the former spelling of authorization */
    bool follow_redirects, enable_http2;
};

struct ingest_static {
    struct conf_strs targets;
    struct conf_pairs labels;
};
struct ingest_file_sd {
    struct conf_strs files;
    int64_t refresh_interval_ms;
};
struct ingest_http_sd {
    struct str url;
    int64_t refresh_interval_ms;
    struct ingest_http http;
};
enum ingest_dns_type {
    INGEST_DNS_SRV,
    INGEST_DNS_A,
    INGEST_DNS_AAAA,
    INGEST_DNS_MX,
    INGEST_DNS_NS
};
struct ingest_dns_sd {
    struct conf_strs names;
    int type; /* enum ingest_dns_type */
    int64_t port, refresh_interval_ms;
};

/* 0: no limit (or the one of `global`). */
struct ingest_limits {
    uint64_t body_size_bytes;
    int64_t samples, labels, label_name_bytes, label_value_bytes, targets, keep_dropped_targets;
};

struct ingest_global {
    int64_t scrape_interval_ms, scrape_timeout_ms, evaluation_interval_ms, rule_query_offset_ms;
    struct conf_pairs external_labels;
    struct conf_strs scrape_protocols;
    struct ingest_limits limits;
    int name_validation;
};

#define INGEST_UNSUPPORTED_SD(X)                                                                   \
    X(azure)                                                                                       \
    X(consul)                                                                                      \
    X(digitalocean)                                                                                \
    X(docker)                                                                                      \
    X(dockerswarm)                                                                                 \
    X(ec2)                                                                                         \
    X(eureka)                                                                                      \
    X(gce)                                                                                         \
    X(hetzner)                                                                                     \
    X(ionos)                                                                                       \
    X(kubernetes)                                                                                  \
    X(kuma)                                                                                        \
    X(lightsail)                                                                                   \
    X(linode)                                                                                      \
    X(marathon)                                                                                    \
    X(nerve)                                                                                       \
    X(nomad)                                                                                       \
    X(openstack)                                                                                   \
    X(ovhcloud)                                                                                    \
    X(puppetdb)                                                                                    \
    X(scaleway)                                                                                    \
    X(serverset)                                                                                   \
    X(stackit)                                                                                     \
    X(triton)                                                                                      \
    X(uyuni)                                                                                       \
    X(vultr)

enum {
#define X(name) INGEST_UNSUPPORTED_SD_##name,
    INGEST_UNSUPPORTED_SD(X)
#undef X
        INGEST_UNSUPPORTED_SD_COUNT
};

struct ingest_scrape_config {
    struct conf_source source;
    struct str job_name, metrics_path;
    int64_t scrape_interval_ms, scrape_timeout_ms; /* 0: global's */
    int scheme;                                    /* 0 http, 1 https */
    const struct conf_node *params;
    struct str params_query; /* params, percent-encoded: "a=1&a=2&b=3"; made by the table's check */
    bool honor_labels, honor_timestamps, track_timestamps_staleness, enable_compression;
    struct conf_strs scrape_protocols;
    struct str fallback_scrape_protocol;
    int name_validation; /* 0: utf8, 1: legacy */
    struct ingest_http http;
    struct conf_list static_configs, file_sd_configs, http_sd_configs, dns_sd_configs;
    struct conf_list relabel_configs, metric_relabel_configs; /* struct relabel_rule */
    struct ingest_limits limits;
    const struct conf_node *oauth2, *sigv4, *azuread, *unsupported_sd[INGEST_UNSUPPORTED_SD_COUNT];
};

/* The Accept header for a list of scrape protocols (Prometheus's own default when it is empty). */
void ingest_accept_header(const struct conf_strs *protocols, struct buf *out);
/* The parser for a protocol's name; false: not one that can be read here. */
bool ingest_protocol_format(struct str name, int *out_promtext_format);

#endif
