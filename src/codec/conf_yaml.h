/* conf_yaml.h - YAML (libfyaml) to structs by option tables, with file:line:column in every finding.
 * Limits: LIMIT_CONFIG_BYTES a file, LIMIT_YAML_DEPTH, LIMIT_CONFIG_INCLUDES; aliases are bounded.
 */
#ifndef CODEC_CONF_YAML_H
#define CODEC_CONF_YAML_H

#include "base/buf.h"
#include "model/conf.h"

/* How the decoder reaches other files and the environment; NULL members: not allowed here (pure tests). */
struct conf_env {
    bool (*read_file)(void *self, const char *path, struct arena *a, struct str *out, struct err *err);
    const char *(*getenv)(void *self, const char *name);
    void *self;
    const char *base_dir; /* relative paths of *_file and includes are taken from the file's own folder */
};

/* Decodes text (the file's content) into *object (table->size bytes, zeroed by the callee, strings in the
 * arena). ${NAME} and ${NAME:-default} in plain or double-quoted scalars are replaced from the environment;
 * "$$" is "$". Unknown keys are findings with a suggestion. true when there are no findings but warnings. */
bool conf_yaml_decode(struct str text, const char *file, const struct conf_table *table, const struct conf_env *env,
                      struct arena *a, void *object, struct conf_diags *diags);
/* Prints an object back as YAML (defaults left out unless all; secrets as <secret>). */
void conf_yaml_encode(const struct conf_table *table, const void *object, bool all, struct buf *out);
/* The manual's Markdown of a table and all tables below it. */
void conf_markdown(const struct conf_table *table, struct buf *out);

#endif
