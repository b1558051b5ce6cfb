/* cli.h - a program's command line as one table that a person can read. Parsing, help, the man page
 * and the completions of bash, zsh and fish all come from it, so that they cannot disagree.
 */
#ifndef APP_CLI_CLI_H
#define APP_CLI_CLI_H

#include "base/buf.h"
#include "base/err.h"

struct cli_flag {
    const char *name;           /* "config": written --config VALUE or --config=VALUE */
    const char *value;          /* "FILE"; NULL: a switch. FILE and DIR complete as such */
    const char *const *choices; /* NULL-terminated; NULL: anything */
    const char *help;           /* one sentence */
};

struct cli_args;
struct cli_command {
    const char *name;     /* one or two words: "serve", "config check" */
    const char *operands; /* "FILE", "NAME..."; "" when there are none; for people and completion */
    uint32_t operands_min, operands_max;
    const char *const *choices;          /* of the first operand; NULL: anything */
    const char *help;                    /* one line */
    const char *details;                 /* paragraphs for the man page and --help; may be NULL */
    const struct cli_flag *const *flags; /* NULL-terminated */
    int (*run)(const struct cli_args *args); /* returns the exit code */
    bool hidden;                             /* works, but is not shown */
};
struct cli_program {
    const char *name, *summary; /* "hinomi", "the fire lookout: ..." */
    const char *details;        /* for the man page */
    const struct cli_command *commands;
    size_t n;
    const char *see_also; /* "hinomi-agent(1), hinomi.yml(5)" */
};

enum { CLI_FLAGS_MAX = 32, CLI_OPERANDS_MAX = 64 };
struct cli_args { /* views of argv */
    const struct cli_program *program;
    const struct cli_command *command;
    const char *operands[CLI_OPERANDS_MAX];
    size_t n_operands;
    struct {
        const struct cli_flag *flag;
        const char *value; /* "" for a switch */
    } flags[CLI_FLAGS_MAX];
    size_t n_flags;
};

/* NULL: not given. The last one wins. */
const char *cli_flag(const struct cli_args *args, const char *name);
static inline bool cli_has(const struct cli_args *args, const char *name) {
    return cli_flag(args, name) != NULL;
}
/* *i counts through repeated flags; NULL: no more. */
const char *cli_flag_next(const struct cli_args *args, const char *name, size_t *i);

/* Parses and runs. Help goes to standard output; a wrong line to standard error with exit code 2.
 */
int cli_main(const struct cli_program *p, int argc, char **argv);
/* Parsing alone. Errors: ERR_BAD_INPUT in words for people, with a suggestion. out->command NULL:
 * help was asked for, of *out_help (NULL: of the program). */
bool cli_parse(const struct cli_program *p, int argc, char **argv, struct cli_args *out,
               const struct cli_command **out_help, struct err *err) MUST_USE;

/* "hinomi: <message>" on standard error; the exit code of err->code. */
int cli_fail(const struct cli_args *args, const struct err *err);

void cli_help(const struct cli_program *p, struct buf *out);
void cli_help_command(const struct cli_program *p, const struct cli_command *c, struct buf *out);
void cli_man(const struct cli_program *p, struct buf *out); /* section 1 */
void cli_bash(const struct cli_program *p, struct buf *out);
void cli_zsh(const struct cli_program *p, struct buf *out);
void cli_fish(const struct cli_program *p, struct buf *out);
void cli_markdown(const struct cli_program *p, struct buf *out); /* docs/cli.md */

#endif
