/* limits.h - every limit in one place, with its unit and its reason. A message that refuses
 * something names the limit. Limits that a person may want to move are options (docs/config.md);
 * these are the defaults and the walls behind them. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* names and labels: what Prometheus's own servers take in practice, and what one page of UI can
 * show */
#define LIMIT_LABEL_NAME_BYTES 1024
#define LIMIT_LABEL_VALUE_BYTES 16384
#define LIMIT_LABELS_PER_SERIES 64
#define LIMIT_SERIES_BYTES 32768 /* all names and values of one series */

/* request bodies: remote_write senders cut at 2,000 samples (about 200 kB); OTLP asks for 64 MiB */
#define LIMIT_BODY_BYTES (16u << 20)
#define LIMIT_BODY_DECOMPRESSED_BYTES (64u << 20)
#define LIMIT_HEADER_BYTES (32u << 10)
#define LIMIT_SCRAPE_BODY_BYTES (64u << 20)
#define LIMIT_JSON_DEPTH 64
#define LIMIT_PROTOBUF_DEPTH 32

/* connections: 10,000 idle ones must not hurt; a slow client may hold one for this long */
#define LIMIT_HTTP_CONNECTIONS 12000
#define LIMIT_HTTP_IDLE_S 120

/* cardinality, per source: past this new series of that source are refused by name, known ones go
 * on */
#define LIMIT_SERIES_PER_SOURCE 200000
#define LIMIT_SERIES_PER_METRIC_AND_SOURCE 50000

/* queries: Prometheus's defaults */
#define LIMIT_QUERY_SAMPLES 50000000
#define LIMIT_QUERY_TIMEOUT_MS 120000
#define LIMIT_QUERY_POINTS_PER_SERIES 11000
#define LIMIT_QUERY_MEMORY_BYTES ((size_t)512 << 20)
#define LIMIT_QUERY_BYTES (64u << 10)
#define LIMIT_QUERY_DEPTH 256
#define LIMIT_QUERY_CONCURRENCY 20

/* configuration */
#define LIMIT_CONFIG_BYTES (4u << 20)
#define LIMIT_CONFIG_INCLUDES 256
#define LIMIT_YAML_DEPTH 64

#endif
