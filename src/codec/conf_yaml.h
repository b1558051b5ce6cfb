/* conf_yaml.h - YAML (libfyaml) to structs by option tables, with file:line:column in every
 * finding. Limits: LIMIT_CONFIG_BYTES a file, LIMIT_YAML_DEPTH, LIMIT_CONFIG_INCLUDES; aliases are
 * bounded.
 */
#ifndef CODEC_CONF_YAML_H
#define CODEC_CONF_YAML_H

#include "base/buf.h"
#include "model/conf.h"

/* How the decoder reaches other files and the environment; NULL members: not allowed here (pure
 * tests). */
struct conf_env {
    bool (*read_file)(void *self, const char *path, struct arena *a, struct str *out,
                      struct err *err);
    const char *(*getenv)(void *self, const char *name);
    void *self;
    const char *base_dir; /* for relative paths in text that has no folder of its own; NULL: the
                             file's own folder */
};

/* Decodes text (the file's content) into *object (table->size bytes, zeroed by the callee, strings
 * in the arena). ${NAME} and ${NAME:-default} in plain or double-quoted scalars are replaced from
 * the environment, where NAME is [A-Z_][A-Z0-9_]* (so that ${1} and ${group} of relabelling stand
 * as they are); "$${" is "${". With env->getenv NULL nothing is replaced. Unknown keys are findings
 * with a suggestion. true when there are no findings but warnings. env may be NULL. diags->arena
 * must be set. */
bool conf_yaml_decode(struct str text, const char *file, const struct conf_table *table,
                      const struct conf_env *env, struct arena *a, void *object,
                      struct conf_diags *diags);
/* The same in two steps, for several files that make one configuration. */
/* NULL: findings were added. An empty file is an empty map. `file` must live as long as the arena.
 */
struct conf_node *conf_yaml_parse(struct str text, const char *file, struct arena *a,
                                  struct conf_diags *diags);
/* Puts `from` into `into`: maps merge, lists append, anything else twice is a finding that names
 * both places. */
bool conf_yaml_merge(struct conf_node *into, const struct conf_node *from, struct arena *a,
                     struct conf_diags *diags);
bool conf_yaml_decode_node(const struct conf_node *node, const struct conf_table *table,
                           const struct conf_env *env, struct arena *a, void *object,
                           struct conf_diags *diags);
/* "file:line:column: message" a line, warnings marked; for the command line and the API. */
void conf_yaml_format_diags(const struct conf_diags *diags, struct buf *out);
/* Prints an object back as YAML (defaults left out unless all; secrets as <secret>, and so
 * the password of a URL and what raw trees hold under keys such as "password"). */
void conf_yaml_encode(const struct conf_table *table, const void *object, bool all,
                      struct buf *out);
/* One value as it would be written, on one line: "30s", [a, b], <secret>; nothing for mappings and
 * lists of mappings. */
void conf_yaml_encode_value(const struct conf_option *o, const void *field, struct buf *out);
/* Prints a tree back as YAML, as it was written but for layout: with its secrets. */
void conf_yaml_encode_node(const struct conf_node *node, struct buf *out);
/* The manual's Markdown of a table and all tables below it. */
void conf_markdown(const struct conf_table *table, struct buf *out);

#endif
