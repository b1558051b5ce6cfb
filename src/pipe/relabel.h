/* relabel.h - Prometheus's relabelling: an ordered list of rules that rewrite a label set or drop
 * it. Used on targets before a scrape (relabel_configs), on samples after it
 * (metric_relabel_configs), and wherever else a list of such rules is accepted.
 *
 * All eleven actions: replace, keep, drop, keepequal, dropequal, hashmod (MD5, the low 8 bytes
 * big-endian, as Prometheus has it), labelmap, labeldrop, labelkeep, lowercase, uppercase. Names
 * follow the UTF-8 rules of Prometheus 3. lowercase and uppercase map ASCII, Latin-1, Latin
 * Extended-A, Greek, Cyrillic and full-width letters; other scripts with cases are left as they
 * are.
 *
 * A compiled list is immutable: safe to share between threads. Source:
 * https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config
 */
#ifndef PIPE_RELABEL_H
#define PIPE_RELABEL_H

#include "model/conf.h"
#include "model/labels.h"

enum relabel_action {
    RELABEL_REPLACE,
    RELABEL_KEEP,
    RELABEL_DROP,
    RELABEL_KEEPEQUAL,
    RELABEL_DROPEQUAL,
    RELABEL_HASHMOD,
    RELABEL_LABELMAP,
    RELABEL_LABELDROP,
    RELABEL_LABELKEEP,
    RELABEL_LOWERCASE,
    RELABEL_UPPERCASE
};

/* One entry of relabel_configs, as relabel_table decodes it. */
struct relabel_rule {
    struct conf_strs source_labels;
    struct str separator, target_label, regex, replacement;
    int64_t modulus;
    int action; /* enum relabel_action */
};
extern const struct conf_table relabel_table;

struct relabel;
/* Copies what it needs. NULL: err says which rule is wrong. */
struct relabel *relabel_new(const struct relabel_rule *rules, size_t n, struct err *err) MUST_USE;
void relabel_free(struct relabel *r);

/* Applies the rules in order. New strings are made in the arena; the builder borrows them. false:
 * the label set is dropped (its content is then unspecified). r NULL: no rules. */
bool relabel_apply(const struct relabel *r, struct labels_builder *b, struct arena *a);

#endif
