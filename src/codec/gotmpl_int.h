/* gotmpl_int.h - inside gotmpl: the tree between gotmpl_parse.c, gotmpl.c (execution) and
 * gotmpl_func.c. */
#ifndef CODEC_GOTMPL_INT_H
#define CODEC_GOTMPL_INT_H

#include "codec/gotmpl.h"

struct tmpl_pipe;

enum tmpl_operand_kind { OPERAND_DOT, OPERAND_VAR, OPERAND_CONST, OPERAND_FUNC, OPERAND_PIPE };
struct tmpl_operand {
    enum tmpl_operand_kind kind;
    struct str name;           /* variable with its '$', or function */
    struct gotmpl_value value; /* OPERAND_CONST */
    struct tmpl_pipe *pipe;    /* OPERAND_PIPE */
    struct str *fields;        /* .A.B behind it */
    size_t n_fields;
    uint32_t line, column;
};
struct tmpl_command {
    struct tmpl_operand *v;
    size_t n;
};
struct tmpl_pipe {
    struct str var[2]; /* declared or assigned; n == 0: none */
    bool assign;       /* "=" and not ":=" */
    struct tmpl_command *commands;
    size_t n;
};

enum tmpl_node_kind {
    NODE_TEXT,
    NODE_ACTION,
    NODE_IF,
    NODE_RANGE,
    NODE_WITH,
    NODE_TEMPLATE,
    NODE_BREAK,
    NODE_CONTINUE
};
struct tmpl_node {
    enum tmpl_node_kind kind;
    struct str text;        /* NODE_TEXT; NODE_TEMPLATE: name */
    struct tmpl_pipe *pipe; /* NULL: none (template "x") */
    struct tmpl_node *body, *otherwise;
    struct tmpl_node *next;
    uint32_t line, column;
};
struct tmpl_define {
    struct str name;
    struct tmpl_node *body;
    struct tmpl_define *next;
};
struct tmpl_tree {
    struct tmpl_node *root;
    struct tmpl_define *defines;
};

bool tmpl_parse(struct str text, struct arena *a, struct tmpl_tree *out, struct err *err) MUST_USE;
bool tmpl_is_func(struct str name);

struct tmpl_call { /* what a function sees */
    struct arena *a;
    const struct gotmpl_env *env;
    uint32_t *queries; /* left */
};
/* `and` and `or` are the executor's: they stop early. */
bool tmpl_call(const struct tmpl_call *c, struct str name, const struct gotmpl_value *args,
               size_t n, struct gotmpl_value *out, struct err *err) MUST_USE;
bool tmpl_index(const struct gotmpl_value *v, const struct gotmpl_value *key,
                struct gotmpl_value *out, struct err *err) MUST_USE;
void tmpl_put_float(struct buf *b, double v); /* %v */
/* fmt.Sprintf */
void tmpl_printf(struct buf *b, struct str format, const struct gotmpl_value *args, size_t n);

#endif
