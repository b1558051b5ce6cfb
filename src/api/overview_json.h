/* overview_json.h - the sections of `Overview` (docs/openapi.yaml), each as its own JSON text, so
 * that the stream can send those that changed. */
#ifndef API_OVERVIEW_JSON_H
#define API_OVERVIEW_JSON_H

#include "api/api_int.h"

/* clang-format off */
#define OVERVIEW_SECTIONS(X)                                                                       \
    X(host)                                                                                        \
    X(cpu) X(memory) X(psi) X(disks) X(network) X(filesystems) X(processes) X(listeners)           \
        X(containers) X(units) X(certificates) X(alerts) X(rules) X(next_steps) X(sources)
/* clang-format on */

enum overview_section {
#define X(name) SECTION_##name,
    OVERVIEW_SECTIONS(X)
#undef X
        SECTION_COUNT
};
extern const char *const overview_section_names[SECTION_COUNT];

/* Everything that the sections are made of, gathered at one moment; in the arena. */
struct overview_facts {
    struct overview o;
    struct rule_alert_view *alerts;
    size_t n_alerts;
    struct rule_summary rules;
    struct api_target *targets;
    size_t n_targets;
    struct agent_info *agents;
    size_t n_agents;
    const struct inventory_snapshot *inventory; /* a reference; may be NULL */
    bool has_receiver, has_service, has_target;
};
bool overview_facts_gather(struct api *api, struct arena *a, struct overview_facts *out,
                           struct err *err) MUST_USE;
void overview_facts_release(struct overview_facts *f);
/* Appends the value of a section (not its name). */
void overview_section_put(const struct overview_facts *f, enum overview_section s, struct arena *a,
                          struct buf *out);

#endif
