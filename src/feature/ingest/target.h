/* target.h - from what a discovery says to what is scraped: the default labels, relabel_configs,
 * the URL. Pure. Semantics as Prometheus 3 (no default port). */
#ifndef INGEST_TARGET_H
#define INGEST_TARGET_H

#include "feature/ingest/scrape_conf.h"
#include "model/labels.h"
#include "pipe/relabel.h"

/* Targets that share labels, as discoveries give them. */
struct target_group {
    struct str *targets; /* addresses */
    size_t n;
    struct label *labels; /* not sorted; common to all targets */
    uint32_t n_labels;
    struct label *own; /* n * n_own: further labels of each target, for example from a DNS record */
    uint32_t n_own;
    struct str source; /* where it is from, for messages */
};
struct target_groups {
    struct target_group *v;
    size_t n;
};

enum { TARGET_GROUPS_TARGETS_MAX = 100000 /* of one discovery: more is a mistake */ };

/* [{"targets":["host:port"],"labels":{"a":"b"}}] as file_sd (JSON or YAML) and http_sd (JSON) have
 * it. */
bool target_groups_from_json(struct str text, struct arena *a, struct target_groups *out,
                             struct err *err) MUST_USE;
bool target_groups_from_yaml(struct str text, const char *file, struct arena *a,
                             struct target_groups *out, struct err *err) MUST_USE;

/* Effective defaults of a job. */
struct target_defaults {
    const struct ingest_scrape_config *conf;
    int64_t interval_ms, timeout_ms;
};

struct target_spec {
    struct labels discovered; /* before relabelling, with the defaults */
    struct labels labels;     /* what series get: sorted, no "__" names, with job and instance */
    struct str url;
    struct str key; /* identity within a job: labels, URL, interval, timeout */
    int64_t interval_ms, timeout_ms;
    bool dropped; /* by relabelling: only `discovered` is set */
};
/* One target. false: it cannot be scraped (no address, bad labels); err says why. Strings in the
 * arena. */
bool target_build(const struct target_defaults *d, const struct relabel *relabel,
                  const struct target_group *group, size_t index, struct arena *a,
                  struct labels_builder *scratch, struct target_spec *out,
                  struct err *err) MUST_USE;

#endif
