/* conf.h - option tables: how a part of the program says which settings it takes. One table serves
 * the decoder (codec/conf_yaml), `hinomi config check`, `config export`, and docs/config.md.
 *
 * A table describes a plain C struct by offsets. Decoded objects live in the arena of one
 * configuration snapshot and never change; a reload makes a new snapshot.
 */
#ifndef MODEL_CONF_H
#define MODEL_CONF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum conf_type {
    CONF_BOOL,     /* bool */
    CONF_INT,      /* int64_t, min..max */
    CONF_FLOAT,    /* double */
    CONF_DURATION, /* int64_t ms; "30s", "1h30m", 0; "unlimited" where max == INT64_MAX: INT64_MAX
                    */
    CONF_BYTES,    /* uint64_t; "512MB", "64KiB" (Prometheus: base 2 for both) */
    CONF_STR,      /* struct str, NUL-terminated behind n */
    CONF_SECRET,   /* struct str; shown as <secret>; "<name>_file" is accepted beside it and read */
    CONF_ENUM,     /* int: index into names */
    CONF_REGEX,    /* struct str, checked to compile (anchored) */
    CONF_STRS,  /* struct conf_strs: list of strings (a single string is accepted as a list of one)
                 */
    CONF_PAIRS, /* struct conf_pairs: mapping of string to string (labels, headers) */
    CONF_TABLE, /* nested struct, inline at offset, always present (defaults when absent) */
    CONF_TABLE_OPT, /* pointer to nested struct; NULL when absent */
    CONF_LIST,      /* struct conf_list of nested structs */
    CONF_NODE, /* const struct conf_node *: the subtree as written, for shapes no table can tell;
                  NULL when absent */
    CONF_PATH, /* struct str: a file; relative ones are taken from the folder of the file that names
                  it */
    CONF_PATHS /* struct conf_strs: files or globs, likewise (a single one is accepted as a list of
                  one) */
};

struct conf_strs {
    struct str *v;
    size_t n;
};
struct conf_pairs {
    struct str *key, *value;
    size_t n;
};
struct conf_list {
    void *v; /* array of table->size */
    size_t n;
};

/* Where an object was written; a table may ask for it with `source_offset`. */
struct conf_source {
    const char *file; /* in the arena */
    uint32_t line, column;
};

/* What was written, before any table has looked at it: a tree with positions. Immutable once
 * decoding begins; aliases share their target, so it is a graph without cycles whose unfolded size
 * was checked. */
enum conf_kind { CONF_KIND_NULL, CONF_KIND_SCALAR, CONF_KIND_LIST, CONF_KIND_MAP };
struct conf_node {
    enum conf_kind kind;
    struct conf_source at;
    struct str text;          /* scalar, NUL-terminated behind n */
    bool quoted;              /* scalar in quotes or a block: never null, no number */
    bool literal;             /* single quotes or a block: ${NAME} stands for itself */
    struct conf_node **key;   /* map: scalars, in order of the file, unique */
    struct conf_node **value; /* list and map */
    size_t n, cap;
    uint64_t weight; /* nodes in the unfolded subtree, itself included */
    uint32_t height; /* levels in the unfolded subtree, itself included */
};
const struct conf_node *conf_node_get(const struct conf_node *map,
                                      const char *key); /* NULL: absent or no map */

struct conf_table;
struct conf_option {
    const char *name;
    enum conf_type type;
    size_t offset;
    const char *def;            /* default as written in YAML; NULL: zero value */
    const char *help, *help_ja; /* one sentence each; the manual and editors show them */
    int64_t min, max;           /* CONF_INT, CONF_DURATION, when max > min */
    bool required;
    const char *const *names; /* CONF_ENUM: NULL-terminated */
    const struct conf_table *table;
    bool reload_ignored; /* a change needs a restart; reload says so */
    const char *ignored; /* not NULL: accepted so that a neighbour's file loads, not read; the
                            warning's reason */
};
struct conf_table {
    const char *name; /* "scrape_config" */
    const char *help;
    size_t size;
    const struct conf_option *options;
    size_t n;
    size_t source_offset; /* offset of a struct conf_source in the object, or SIZE_MAX */
    /* After all options of an object are decoded without findings: cross checks. The finding stands
     * at the option whose name begins the message ("expr: ..."), else where the object begins; or
     * at err->line and err->column when those are set. */
    bool (*check)(void *object, struct arena *a, struct err *err);
};

#define CONF_N(options) (sizeof(options) / sizeof((options)[0]))

/* All findings of one check, in the order of the files. */
struct conf_diag {
    const char *file;
    uint32_t line, column;
    const char *message; /* what was expected, what was found, "did you mean ..." */
    bool warning;
};
struct conf_diags {
    struct conf_diag *v; /* in the arena */
    size_t n, cap;
    struct arena *arena;
};
void conf_diag_add(struct conf_diags *d, bool warning, struct conf_source at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

#endif
