/* notify_conf.h - Alertmanager's grammar of `route`, `receivers`, `inhibit_rules`,
 * `time_intervals`, `templates` and `global` as option tables, and hinomi's additions (`language`).
 * Source: https://prometheus.io/docs/alerting/latest/configuration/.
 */
#ifndef NOTIFY_NOTIFY_CONF_H
#define NOTIFY_NOTIFY_CONF_H

#include "model/conf.h"

/* Each has its own queue, so that none waits for another. */
#define NOTIFY_RECEIVERS_MAX 64
#define NOTIFY_ROUTE_DEPTH_MAX 16

enum notify_language { NOTIFY_EN, NOTIFY_JA };

struct notify_basic_auth_conf {
    struct str username, password;
};
struct notify_authorization_conf {
    struct str type, credentials; /* "Bearer" */
};
struct notify_tls_conf {
    struct str ca_file, cert_file, key_file, server_name;
    bool insecure_skip_verify;
};
struct notify_http_conf { /* http_config */
    struct notify_basic_auth_conf *basic_auth;
    struct notify_authorization_conf *authorization;
    struct notify_tls_conf *tls_config;
    struct str proxy_url;
    bool follow_redirects;
};
struct notify_slack_conf {
    bool send_resolved;
    struct str api_url; /* an incoming webhook; empty: global.slack_api_url */
    struct str channel, username, icon_emoji, icon_url;
    struct notify_http_conf *http;
    struct conf_source at;
};
struct notify_webhook_conf {
    bool send_resolved;
    struct str url;
    int64_t max_alerts, timeout_ms; /* 0: all; 0: 10 s */
    struct notify_http_conf *http;
    struct conf_source at;
};
/* Alertmanager's integrations that hinomi does not send to: refused by name, since a receiver that
 * silently tells nobody is worse than a file that does not load. */
#define NOTIFY_UNSUPPORTED(X)                                                                      \
    X(discord)                                                                                     \
    X(email)                                                                                       \
    X(incidentio)                                                                                  \
    X(jira)                                                                                        \
    X(msteams)                                                                                     \
    X(msteamsv2)                                                                                   \
    X(opsgenie)                                                                                    \
    X(pagerduty)                                                                                   \
    X(pushover)                                                                                    \
    X(rocketchat)                                                                                  \
    X(sns)                                                                                         \
    X(telegram)                                                                                    \
    X(victorops)                                                                                   \
    X(webex)                                                                                       \
    X(wechat)
enum {
#define X(name) NOTIFY_UNSUPPORTED_##name,
    NOTIFY_UNSUPPORTED(X)
#undef X
        NOTIFY_UNSUPPORTED_COUNT
};
struct notify_receiver_conf {
    struct str name;
    int language;             /* enum notify_language */
    struct str fallback;      /* the receiver that rings when this one fails; empty: any other */
    struct conf_list slack;   /* struct notify_slack_conf */
    struct conf_list webhook; /* struct notify_webhook_conf */
    const struct conf_node *unsupported[NOTIFY_UNSUPPORTED_COUNT];
    struct conf_source at;
};
struct notify_route_conf {
    struct str receiver;       /* empty: the parent's */
    struct conf_strs group_by; /* "..." : all labels */
    struct conf_strs matchers; /* a="b", a=~"b.*", also UTF-8 names in quotes */
    struct conf_pairs match, match_re;
    struct str group_wait, group_interval, repeat_interval; /* as written; empty: the parent's */
    int64_t group_wait_ms, group_interval_ms, repeat_interval_ms; /* -1: the parent's */
    bool continue_matching;
    struct conf_strs mute_time_intervals, active_time_intervals;
    struct conf_list routes; /* struct notify_route_conf */
    struct conf_source at;
};
struct notify_inhibit_conf {
    struct str name;
    struct conf_strs source_matchers, target_matchers, equal;
    struct conf_pairs source_match, source_match_re, target_match, target_match_re;
    struct conf_source at;
};
struct notify_time_range_conf {
    struct str start_time, end_time; /* "09:00" .. "24:00" */
};
struct notify_time_spec_conf {
    struct conf_list times; /* struct notify_time_range_conf */
    struct conf_strs weekdays, days_of_month, months, years;
    struct str location; /* IANA name */
};
struct notify_time_interval_conf {
    struct str name;
    struct conf_list specs; /* struct notify_time_spec_conf */
    struct conf_source at;
};
struct notify_global_conf {
    int64_t resolve_timeout_ms;
    struct str slack_api_url;
    struct notify_http_conf *http;
};
/* Everything of one configuration. Used as a part of the server's own table (one option a key
 * below). */
struct notify_conf {
    struct notify_global_conf global;
    struct notify_route_conf *route; /* NULL: all alerts to every receiver */
    struct conf_list receivers;      /* struct notify_receiver_conf */
    struct conf_list inhibit_rules;  /* struct notify_inhibit_conf */
    struct conf_list time_intervals; /* struct notify_time_interval_conf */
    struct conf_strs templates;
};

extern const struct conf_table
    notify_conf_table; /* struct notify_conf: an alertmanager.yml is one */
extern const struct conf_table notify_global_table;
extern const struct conf_table notify_route_table;
extern const struct conf_table notify_receiver_table;
extern const struct conf_table notify_inhibit_table;
extern const struct conf_table notify_time_interval_table;
/* Cross checks: receivers and intervals that routes name exist, names are unique, the root has a
 * receiver and no matchers ... The table's own check runs it; the server's configuration calls it
 * on its notify_conf. */
bool notify_conf_check(void *conf, struct arena *a, struct err *err);

#endif
