/* stats.h - hinomi's own telemetry: static counters and gauges, one list that a person can read.
 * The rooms count; feature/collect reads them as series and /metrics prints them. Names follow the
 * Prometheus conventions. Add a line to STATS, then STAT_ADD(name, n) or STAT_SET(name, v). Any
 * thread. */
#ifndef BASE_STATS_H
#define BASE_STATS_H

#include "base/str.h"

#include <stdatomic.h>

/* name, kind, help */
#define STATS(X)                                                                                   \
    X(hinomi_http_requests_total, counter, "HTTP requests answered.")                              \
    X(hinomi_http_connections, gauge, "HTTP connections open now.")                                \
    X(hinomi_http_rejected_total, counter,                                                         \
      "HTTP requests refused before a handler ran (limits, doors).")                               \
    X(hinomi_wal_bytes_total, counter, "Bytes appended to the series write-ahead log.")            \
    X(hinomi_wal_fsyncs_total, counter, "Group commits (fsync) of the series write-ahead log.")    \
    X(hinomi_wal_fsync_failures_total, counter, "Failed commits of the series write-ahead log.")   \
    X(hinomi_series_active, gauge, "Series with samples in the head.")                             \
    X(hinomi_samples_appended_total, counter, "Samples accepted by the series store.")             \
    X(hinomi_samples_rejected_total, counter, "Samples rejected by the series store.")             \
    X(hinomi_series_blocks, gauge, "Immutable blocks of the series store.")                        \
    X(hinomi_series_bytes, gauge, "Bytes of the series store on disk.")                            \
    X(hinomi_series_quarantined_total, counter,                                                    \
      "Files set aside because their bytes are not what was written.")                             \
    X(hinomi_compactions_total, counter, "Finished compactions of the series store.")              \
    X(hinomi_queries_total, counter, "PromQL queries evaluated for clients.")                      \
    X(hinomi_query_failures_total, counter, "PromQL queries that ended with an error.")            \
    X(hinomi_scrapes_total, counter, "Scrapes made.")                                              \
    X(hinomi_scrape_failures_total, counter, "Scrapes that failed.")                               \
    X(hinomi_remote_write_requests_total, counter, "remote_write requests received.")              \
    X(hinomi_limited_samples_total, counter, "Samples refused by a label or cardinality limit.")   \
    X(hinomi_rule_evaluations_total, counter, "Rule evaluations.")                                 \
    X(hinomi_rule_evaluation_failures_total, counter, "Rule evaluations that failed.")             \
    X(hinomi_rule_groups_missed_total, counter,                                                    \
      "Rule group evaluations skipped because the one before ran too long.")                       \
    X(hinomi_alerts_firing, gauge, "Alerts firing now.")                                           \
    X(hinomi_signals_total, counter, "Signals committed by rules.")                                \
    X(hinomi_notifications_sent_total, counter, "Notifications accepted by their receiver.")       \
    X(hinomi_notification_failures_total, counter, "Notification attempts that failed.")           \
    X(hinomi_outbox_pending, gauge, "Notifications that wait for their receiver.")                 \
    X(hinomi_collect_failures_total, counter, "Reads of a host collector that failed.")            \
    X(hinomi_agent_spool_bytes, gauge, "Bytes in the agent's disk buffer.")                        \
    X(hinomi_agent_forwarded_batches_total, counter, "Batches the agent delivered.")               \
    X(hinomi_agent_dropped_samples_total, counter,                                                 \
      "Samples the agent dropped because its disk buffer was full.")                               \
    X(hinomi_config_last_reload_successful, gauge,                                                 \
      "Whether the last configuration reload succeeded.")                                          \
    X(hinomi_config_last_reload_success_timestamp_seconds, gauge,                                  \
      "Time of the last successful reload.")

enum stat_id {
#define X(name, kind, help) STAT_##name,
    STATS(X)
#undef X
        STAT_COUNT
};

extern _Atomic int64_t stat_values[STAT_COUNT];

#define STAT_ADD(name, n)                                                                          \
    atomic_fetch_add_explicit(&stat_values[STAT_##name], (int64_t)(n), memory_order_relaxed)
#define STAT_SET(name, v)                                                                          \
    atomic_store_explicit(&stat_values[STAT_##name], (int64_t)(v), memory_order_relaxed)
#define STAT_GET(name) atomic_load_explicit(&stat_values[STAT_##name], memory_order_relaxed)

struct stat_info {
    const char *name, *kind, *help; /* kind: "counter" or "gauge" */
};
const struct stat_info *stats_info(enum stat_id id);

#endif
