#include "app/cli/cli.h"

#include <stdio.h>

const char *cli_flag(const struct cli_args *args, const char *name) {
    for (size_t i = args->n_flags; i-- > 0;)
        if (strcmp(args->flags[i].flag->name, name) == 0)
            return args->flags[i].value;
    return NULL;
}

const char *cli_flag_next(const struct cli_args *args, const char *name, size_t *i) {
    while (*i < args->n_flags) {
        size_t k = (*i)++;
        if (strcmp(args->flags[k].flag->name, name) == 0)
            return args->flags[k].value;
    }
    return NULL;
}

/* The command whose words argv begins with; the longest wins. */
static const struct cli_command *find_command(const struct cli_program *p, int argc, char **argv,
                                              int *out_words) {
    const struct cli_command *best = NULL;
    *out_words = 0;
    for (size_t i = 0; i < p->n; i++) {
        struct str name = str_from(p->commands[i].name), word;
        int words = 0;
        bool same = true;
        while (same && str_next(&name, ' ', &word)) {
            same = words < argc && str_eqz(word, argv[words]);
            words++;
        }
        if (same && words > *out_words) {
            best = &p->commands[i];
            *out_words = words;
        }
    }
    return best;
}

static bool unknown_command(const struct cli_program *p, int argc, char **argv, struct err *err) {
    char given[128], near[160] = "";
    unsigned best = 4;
    (void)snprintf(given, sizeof(given), "%s%s%s", argv[0],
                   argc > 1 && argv[1][0] != '-' ? " " : "",
                   argc > 1 && argv[1][0] != '-' ? argv[1] : "");
    for (size_t i = 0; i < p->n; i++) {
        unsigned whole = str_distance(str_from(given), str_from(p->commands[i].name), 4);
        unsigned first = str_distance(str_from(argv[0]), str_from(p->commands[i].name), 4);
        unsigned distance = whole < first ? whole : first;
        if (!p->commands[i].hidden && distance < best) {
            best = distance;
            (void)snprintf(near, sizeof(near), "; did you mean \"%s\"?", p->commands[i].name);
        }
    }
    size_t n = strlen(argv[0]);
    for (size_t i = 0; i < p->n && !*near; i++) /* "config" alone */
        if (strncmp(p->commands[i].name, argv[0], n) == 0 && p->commands[i].name[n] == ' ')
            (void)snprintf(near, sizeof(near), "; did you mean \"%s\"?", p->commands[i].name);
    return err_set(err, ERR_BAD_INPUT, "unknown command \"%s\"%s (\"%s help\" lists them)", given,
                   near, p->name);
}

static bool unknown_flag(const struct cli_program *p, const struct cli_command *c, struct str name,
                         struct err *err) {
    const char *near = NULL;
    unsigned best = 4;
    for (size_t i = 0; c->flags && c->flags[i]; i++) {
        unsigned distance = str_distance(name, str_from(c->flags[i]->name), 4);
        if (distance < best) {
            best = distance;
            near = c->flags[i]->name;
        }
    }
    return err_set(err, ERR_BAD_INPUT, "unknown option \"--%.*s\" of \"%s %s\"%s%s%s",
                   STR_FMT(name), p->name, c->name, near ? "; did you mean \"--" : "",
                   near ? near : "", near ? "\"?" : "");
}

static bool check_choice(const char *what, const char *const *choices, const char *value,
                         struct err *err) {
    struct buf b = BUF_INIT;
    for (size_t i = 0; choices && choices[i]; i++) {
        if (strcmp(choices[i], value) == 0) {
            buf_deinit(&b);
            return true;
        }
        buf_printf(&b, "%s%s", i ? ", " : "", choices[i]);
    }
    bool ok = !choices || err_set(err, ERR_BAD_INPUT, "%s: expected one of %s, found \"%s\"", what,
                                  buf_ok(&b) ? b.p : "", value);
    buf_deinit(&b);
    return ok;
}

static bool parse_flag(const struct cli_program *p, int argc, char **argv, int *i,
                       struct cli_args *out, struct err *err) {
    struct str text = str_from(argv[*i] + 2), name = text;
    size_t eq = str_find_char(text, '=');
    if (eq != SIZE_MAX)
        name = str_sub(text, 0, eq);
    const struct cli_flag *flag = NULL;
    for (size_t k = 0; out->command->flags && out->command->flags[k]; k++)
        if (str_eqz(name, out->command->flags[k]->name))
            flag = out->command->flags[k];
    if (!flag)
        return unknown_flag(p, out->command, name, err);
    const char *value = "";
    if (!flag->value && eq != SIZE_MAX)
        return err_set(err, ERR_BAD_INPUT, "--%s takes no value", flag->name);
    if (flag->value) {
        if (eq == SIZE_MAX && *i + 1 >= argc)
            return err_set(err, ERR_BAD_INPUT, "--%s: expected %s behind it", flag->name,
                           flag->value);
        value = eq != SIZE_MAX ? argv[*i] + 2 + eq + 1 : argv[++*i];
        if (!check_choice(flag->name, flag->choices, value, err))
            return false;
    }
    if (out->n_flags == CLI_FLAGS_MAX)
        return err_set(err, ERR_BAD_INPUT, "too many options");
    out->flags[out->n_flags].flag = flag;
    out->flags[out->n_flags++].value = value;
    return true;
}

static bool check_operands(const struct cli_program *p, const struct cli_args *args,
                           struct err *err) {
    const struct cli_command *c = args->command;
    if (args->n_operands < c->operands_min)
        return err_set(err, ERR_BAD_INPUT, "expected: %s %s %s", p->name, c->name, c->operands);
    if (args->n_operands > c->operands_max)
        return err_set(err, ERR_BAD_INPUT, "\"%s\" is one word too many; expected: %s %s %s",
                       args->operands[c->operands_max], p->name, c->name, c->operands);
    return args->n_operands == 0 || check_choice(c->name, c->choices, args->operands[0], err);
}

bool cli_parse(const struct cli_program *p, int argc, char **argv, struct cli_args *out,
               const struct cli_command **out_help, struct err *err) {
    int words = 0;
    *out = (struct cli_args){.program = p};
    *out_help = NULL;
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return true;
    if (strcmp(argv[1], "help") == 0) {
        if (argc == 2)
            return true;
        *out_help = find_command(p, argc - 2, argv + 2, &words);
        return *out_help || unknown_command(p, argc - 2, argv + 2, err);
    }
    static char version[] = "version";
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = version;
    out->command = find_command(p, argc - 1, argv + 1, &words);
    if (!out->command)
        return unknown_command(p, argc - 1, argv + 1, err);
    bool flags_end = false;
    for (int i = 1 + words; i < argc; i++) {
        if (!flags_end && strcmp(argv[i], "--") == 0) {
            flags_end = true;
        } else if (!flags_end && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            *out_help = out->command;
            out->command = NULL;
            return true;
        } else if (!flags_end && strncmp(argv[i], "--", 2) == 0) {
            if (!parse_flag(p, argc, argv, &i, out, err))
                return false;
        } else if (!flags_end && argv[i][0] == '-' && argv[i][1] && !out->command->operands_max) {
            return err_set(err, ERR_BAD_INPUT,
                           "unknown option \"%s\"; options are written in full, such as --help",
                           argv[i]);
        } else if (out->n_operands == CLI_OPERANDS_MAX) {
            return err_set(err, ERR_BAD_INPUT, "too many words");
        } else {
            out->operands[out->n_operands++] = argv[i];
        }
    }
    return check_operands(p, out, err);
}

int cli_fail(const struct cli_args *args, const struct err *err) {
    (void)fprintf(stderr, "%s: %s\n", args->program->name, err->message);
    return err_exit_code(err->code);
}

int cli_main(const struct cli_program *p, int argc, char **argv) {
    struct cli_args args;
    const struct cli_command *help;
    struct err err;
    err_reset(&err);
    if (!cli_parse(p, argc, argv, &args, &help, &err)) {
        (void)fprintf(stderr, "%s: %s\n", p->name, err.message);
        return 2;
    }
    if (args.command)
        return args.command->run(&args);
    struct buf b = BUF_INIT;
    if (help)
        cli_help_command(p, help, &b);
    else
        cli_help(p, &b);
    bool ok = buf_ok(&b) && fwrite(b.p, 1, b.n, stdout) == b.n && fflush(stdout) == 0;
    buf_deinit(&b);
    return ok ? 0 : 1;
}

void cli_help(const struct cli_program *p, struct buf *out) {
    buf_printf(out, "%s: %s\n\nusage: %s COMMAND [OPTIONS]\n\n", p->name, p->summary, p->name);
    for (size_t i = 0; i < p->n; i++)
        if (!p->commands[i].hidden)
            buf_printf(out, "  %-16s %s\n", p->commands[i].name, p->commands[i].help);
    buf_printf(out, "\n\"%s COMMAND --help\" tells more about one.\n", p->name);
}

static void flag_words(const struct cli_flag *f, struct buf *out) {
    buf_printf(out, "--%s", f->name);
    if (f->value)
        buf_printf(out, " %s", f->value);
}

void cli_help_command(const struct cli_program *p, const struct cli_command *c, struct buf *out) {
    bool any = c->flags && c->flags[0];
    buf_printf(out, "%s\n\nusage: %s %s%s%s%s\n", c->help, p->name, c->name,
               any ? " [OPTIONS]" : "", *c->operands ? " " : "", c->operands);
    if (c->details)
        buf_printf(out, "\n%s\n", c->details);
    if (any)
        buf_putc(out, '\n');
    for (size_t i = 0; any && c->flags[i]; i++) {
        struct buf words = BUF_INIT;
        flag_words(c->flags[i], &words);
        buf_printf(out, "  %-26s %s", buf_ok(&words) ? words.p : "", c->flags[i]->help);
        for (size_t k = 0; c->flags[i]->choices && c->flags[i]->choices[k]; k++)
            buf_printf(out, "%s%s", k ? ", " : " One of ", c->flags[i]->choices[k]);
        buf_putz(out, c->flags[i]->choices ? ".\n" : "\n");
        buf_deinit(&words);
    }
}
