/* The man page, the Markdown page and the completions of a command table. */
#include "app/cli/cli.h"

/* Text for troff: no line may begin with a control character, dashes stay dashes. */
static void troff(struct buf *out, const char *text) {
    bool line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            buf_putz(out, "\\&");
        if (*text == '-')
            buf_putz(out, "\\-");
        else if (*text == '\\')
            buf_putz(out, "\\e");
        else
            buf_putc(out, *text);
        line_start = *text == '\n';
    }
}

/* Paragraphs are parted by an empty line; lines that begin with two blanks are examples. */
static void troff_paragraphs(struct buf *out, const char *text) {
    struct str rest = str_from(text), line;
    bool example = false;
    while (str_next(&rest, '\n', &line)) {
        bool indented = str_starts(line, STR("  "));
        if (indented && !example)
            buf_putz(out, ".PP\n.nf\n");
        if (!indented && example)
            buf_putz(out, ".fi\n");
        example = indented;
        struct buf copy = BUF_INIT;
        buf_puts(&copy, line);
        if (line.n == 0)
            buf_putz(out, ".PP\n");
        else if (buf_ok(&copy)) {
            troff(out, copy.p);
            buf_putc(out, '\n');
        }
        buf_deinit(&copy);
    }
    if (example)
        buf_putz(out, ".fi\n");
}

static void man_command(const struct cli_program *p, const struct cli_command *c, struct buf *out) {
    buf_putz(out, ".SS ");
    troff(out, p->name);
    buf_putc(out, ' ');
    troff(out, c->name);
    if (c->flags && c->flags[0])
        buf_putz(out, " [OPTIONS]");
    if (*c->operands) {
        buf_putc(out, ' ');
        troff(out, c->operands);
    }
    buf_putc(out, '\n');
    troff(out, c->help);
    buf_putc(out, '\n');
    if (c->details) {
        buf_putz(out, ".PP\n");
        troff_paragraphs(out, c->details);
    }
    for (size_t i = 0; c->flags && c->flags[i]; i++) {
        const struct cli_flag *f = c->flags[i];
        buf_putz(out, ".TP\n\\fB\\-\\-");
        troff(out, f->name);
        buf_putz(out, "\\fR");
        if (f->value)
            buf_printf(out, " \\fI%s\\fR", f->value);
        buf_putc(out, '\n');
        troff(out, f->help);
        for (size_t k = 0; f->choices && f->choices[k]; k++) {
            buf_putz(out, k ? ", " : " One of ");
            troff(out, f->choices[k]);
        }
        buf_putz(out, f->choices ? ".\n" : "\n");
    }
}

void cli_man(const struct cli_program *p, struct buf *out) {
    buf_putz(out, ".TH ");
    for (const char *c = p->name; *c; c++)
        buf_putc(out, *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
    buf_printf(out, " 1 \"\" \"hinomi %s\" \"hinomi\"\n.SH NAME\n", HINOMI_VERSION);
    troff(out, p->name);
    buf_putz(out, " \\- ");
    troff(out, p->summary);
    buf_putz(out, "\n.SH SYNOPSIS\n.B ");
    troff(out, p->name);
    buf_putz(out, "\n.I COMMAND\n[\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n");
    troff_paragraphs(out, p->details);
    buf_putz(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < p->n; i++)
        if (!p->commands[i].hidden)
            man_command(p, &p->commands[i], out);
    buf_putz(out, ".SH EXIT STATUS\n0 on success, 2 for a wrong command line or wrong input, 3 "
                  "when access is refused, 4 when a thing does not\n"
                  "exist, 5 on a conflict, 7 when something is not available, 8 for damaged data, "
                  "1 for everything else.\n.SH SEE ALSO\n");
    troff(out, p->see_also);
    buf_putc(out, '\n');
}

void cli_markdown(const struct cli_program *p, struct buf *out) {
    buf_printf(out, "## %s\n\n%s\n\n", p->name, p->details);
    for (size_t i = 0; i < p->n; i++) {
        const struct cli_command *c = &p->commands[i];
        if (c->hidden)
            continue;
        buf_printf(out, "### %s %s\n\n%s\n\n", p->name, c->name, c->help);
        bool any = c->flags && c->flags[0];
        buf_printf(out, "```\n%s %s%s%s%s\n```\n\n", p->name, c->name, any ? " [OPTIONS]" : "",
                   *c->operands ? " " : "", c->operands);
        if (c->details)
            buf_printf(out, "%s\n\n", c->details);
        if (any)
            buf_putz(out, "| option | what it does |\n|---|---|\n");
        for (size_t k = 0; any && c->flags[k]; k++) {
            const struct cli_flag *f = c->flags[k];
            buf_printf(out, "| `--%s%s%s` | %s", f->name, f->value ? " " : "",
                       f->value ? f->value : "", f->help);
            for (size_t m = 0; f->choices && f->choices[m]; m++)
                buf_printf(out, "%s%s", m ? ", " : " One of ", f->choices[m]);
            buf_putz(out, f->choices ? ". |\n" : " |\n");
        }
        if (any)
            buf_putc(out, '\n');
    }
}

/* The first words of all commands, each once. */
static void first_words(const struct cli_program *p, struct buf *out, const char *sep) {
    bool any = false;
    for (size_t i = 0; i < p->n; i++) {
        struct str rest = str_from(p->commands[i].name), word, before = {NULL, 0};
        if (p->commands[i].hidden || !str_next(&rest, ' ', &word))
            continue;
        if (i > 0) {
            struct str previous = str_from(p->commands[i - 1].name);
            (void)str_next(&previous, ' ', &before);
        }
        if (str_eq(word, before) && !p->commands[i - 1].hidden)
            continue;
        buf_printf(out, "%s%.*s", any ? sep : "", STR_FMT(word));
        any = true;
    }
}

static void second_words(const struct cli_program *p, struct str first, struct buf *out) {
    bool any = false;
    for (size_t i = 0; i < p->n; i++) {
        struct str rest = str_from(p->commands[i].name), word;
        if (p->commands[i].hidden || !str_next(&rest, ' ', &word) || !str_eq(word, first) ||
            rest.n == 0)
            continue;
        buf_printf(out, "%s%.*s", any ? " " : "", STR_FMT(rest));
        any = true;
    }
}

static void words(struct buf *out, const char *const *choices) {
    for (size_t i = 0; choices && choices[i]; i++)
        buf_printf(out, "%s%s", i ? " " : "", choices[i]);
}

static bool is_file(const char *value) {
    return value && (strcmp(value, "FILE") == 0 || strcmp(value, "FILE...") == 0);
}
static bool is_dir(const char *value) {
    return value && strcmp(value, "DIR") == 0;
}

static void bash_flags(const struct cli_command *c, struct buf *out) {
    for (size_t k = 0; c->flags && c->flags[k]; k++) {
        const struct cli_flag *f = c->flags[k];
        if (!f->value)
            continue;
        buf_printf(out, "        \"%s --%s\") ", c->name, f->name);
        if (f->choices) {
            buf_putz(out, "COMPREPLY=($(compgen -W '");
            words(out, f->choices);
            buf_putz(out, "' -- \"$cur\")); return ;;\n");
        } else if (is_file(f->value) || is_dir(f->value)) {
            buf_printf(out,
                       "compopt -o filenames; COMPREPLY=($(compgen -%c -- \"$cur\")); return ;;\n",
                       is_file(f->value) ? 'f' : 'd');
        } else {
            buf_putz(out, "return ;;\n");
        }
    }
}

void cli_bash(const struct cli_program *p, struct buf *out) {
    buf_printf(out, "# bash completion of %s; made from its command table\n_%s() {\n", p->name,
               p->name);
    buf_putz(
        out,
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=\"\"\n"
        "    COMPREPLY=()\n    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W "
        "'");
    first_words(p, out, " ");
    buf_putz(out, "' -- \"$cur\"))\n        return\n    fi\n    case \"${COMP_WORDS[1]} "
                  "${COMP_WORDS[2]}\" in\n");
    for (size_t i = 0; i < p->n; i++)
        if (!p->commands[i].hidden && strchr(p->commands[i].name, ' '))
            buf_printf(out, "        \"%s\") command=\"%s\" ;;\n", p->commands[i].name,
                       p->commands[i].name);
    buf_putz(out, "        *) command=${COMP_WORDS[1]} ;;\n    esac\n"
                  "    if [ \"$COMP_CWORD\" -eq 2 ]; then\n        case \"${COMP_WORDS[1]}\" in\n");
    for (size_t i = 0; i < p->n; i++) {
        struct str rest = str_from(p->commands[i].name), word, before = {NULL, 0};
        (void)str_next(&rest, ' ', &word);
        if (i > 0) {
            struct str previous = str_from(p->commands[i - 1].name);
            (void)str_next(&previous, ' ', &before);
        }
        if (p->commands[i].hidden || rest.n == 0 || str_eq(word, before))
            continue;
        buf_printf(out, "            %.*s) COMPREPLY=($(compgen -W '", STR_FMT(word));
        second_words(p, word, out);
        buf_putz(out, "' -- \"$cur\")); return ;;\n");
    }
    buf_putz(out, "        esac\n    fi\n    case \"$command $prev\" in\n");
    for (size_t i = 0; i < p->n; i++)
        if (!p->commands[i].hidden)
            bash_flags(&p->commands[i], out);
    buf_putz(out, "    esac\n    case \"$command\" in\n");
    for (size_t i = 0; i < p->n; i++) {
        const struct cli_command *c = &p->commands[i];
        if (c->hidden)
            continue;
        buf_printf(out,
                   "        \"%s\")\n            if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "
                   "'--help",
                   c->name);
        for (size_t k = 0; c->flags && c->flags[k]; k++)
            buf_printf(out, " --%s", c->flags[k]->name);
        buf_putz(out, "' -- \"$cur\"))");
        if (c->choices) {
            buf_putz(out, "; else COMPREPLY=($(compgen -W '");
            words(out, c->choices);
            buf_putz(out, "' -- \"$cur\"))");
        } else if (is_file(c->operands)) {
            buf_putz(out, "; else compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\"))");
        }
        buf_putz(out, "; fi ;;\n");
    }
    buf_printf(out, "    esac\n}\ncomplete -F _%s %s\n", p->name, p->name);
}

/* In single quotes of a shell. */
static void quoted(struct buf *out, const char *text, const char *also_escape) {
    for (; *text; text++) {
        if (*text == '\'')
            buf_putz(out, "'\\''");
        else if (strchr(also_escape, *text))
            buf_printf(out, "\\%c", *text);
        else
            buf_putc(out, *text);
    }
}

static void zsh_command(const struct cli_command *c, struct buf *out) {
    buf_printf(out, "        (\"%s\") _arguments '--help[tell more]'", c->name);
    for (size_t k = 0; c->flags && c->flags[k]; k++) {
        const struct cli_flag *f = c->flags[k];
        buf_printf(out, " '--%s%s[", f->name, f->value ? "=" : "");
        quoted(out, f->help, "[]:");
        buf_putc(out, ']');
        if (f->value)
            buf_printf(out, ":%s:", f->value);
        if (f->choices) {
            buf_putc(out, '(');
            words(out, f->choices);
            buf_putc(out, ')');
        } else if (is_file(f->value) || is_dir(f->value)) {
            buf_putz(out, is_file(f->value) ? "_files" : "_files -/");
        }
        buf_putc(out, '\'');
    }
    if (c->choices) {
        buf_putz(out, " '1:choice:(");
        words(out, c->choices);
        buf_putz(out, ")'");
    } else if (is_file(c->operands)) {
        buf_putz(out, " '*:file:_files'");
    }
    buf_putz(out, " ;;\n");
}

void cli_zsh(const struct cli_program *p, struct buf *out) {
    buf_printf(out, "#compdef %s\n# zsh completion of %s; made from its command table\n_%s() {\n",
               p->name, p->name, p->name);
    buf_putz(
        out,
        "    local -a commands\n    local command=\"${words[2]} ${words[3]}\"\n    commands=(");
    first_words(p, out, " ");
    buf_putz(out, ")\n    if (( CURRENT == 2 )); then\n        compadd -a commands\n        "
                  "return\n    fi\n    case \"$command\" in\n");
    for (size_t i = 0; i < p->n; i++)
        if (!p->commands[i].hidden && strchr(p->commands[i].name, ' '))
            buf_printf(out,
                       "        (\"%s\") words=(\"$words[1]\" \"${(@)words[4,-1]}\"); (( CURRENT "
                       "-= 2 )) ;;\n",
                       p->commands[i].name);
    buf_putz(out, "        (*) command=${words[2]} ;;\n    esac\n    if [[ $command == ${words[2]} "
                  "]]; then\n        case \"$command\" in\n");
    for (size_t i = 0; i < p->n; i++) {
        struct str rest = str_from(p->commands[i].name), word, before = {NULL, 0};
        (void)str_next(&rest, ' ', &word);
        if (i > 0) {
            struct str previous = str_from(p->commands[i - 1].name);
            (void)str_next(&previous, ' ', &before);
        }
        if (p->commands[i].hidden || rest.n == 0 || str_eq(word, before))
            continue;
        buf_printf(out, "            (%.*s) (( CURRENT == 3 )) && compadd ", STR_FMT(word));
        second_words(p, word, out);
        buf_putz(out, "; return ;;\n");
    }
    buf_putz(out, "        esac\n        words=(\"$words[1]\" \"${(@)words[3,-1]}\"); (( CURRENT "
                  "-= 1 ))\n    fi\n    case \"$command\" in\n");
    for (size_t i = 0; i < p->n; i++)
        if (!p->commands[i].hidden)
            zsh_command(&p->commands[i], out);
    buf_printf(out, "    esac\n}\n_%s \"$@\"\n", p->name);
}

static void fish_condition(const struct cli_command *c, struct buf *out) {
    struct str rest = str_from(c->name), word;
    (void)str_next(&rest, ' ', &word);
    buf_printf(out, "'__fish_seen_subcommand_from %.*s", STR_FMT(word));
    if (rest.n)
        buf_printf(out, "; and __fish_seen_subcommand_from %.*s", STR_FMT(rest));
    buf_putc(out, '\'');
}

void cli_fish(const struct cli_program *p, struct buf *out) {
    buf_printf(out, "# fish completion of %s; made from its command table\ncomplete -c %s -f\n",
               p->name, p->name);
    for (size_t i = 0; i < p->n; i++) {
        const struct cli_command *c = &p->commands[i];
        struct str rest = str_from(c->name), word;
        if (c->hidden || !str_next(&rest, ' ', &word))
            continue;
        if (rest.n == 0) {
            buf_printf(out, "complete -c %s -n __fish_use_subcommand -a %.*s -d '", p->name,
                       STR_FMT(word));
        } else {
            buf_printf(out, "complete -c %s -n __fish_use_subcommand -a %.*s\n", p->name,
                       STR_FMT(word));
            buf_printf(out,
                       "complete -c %s -n '__fish_seen_subcommand_from %.*s; and not "
                       "__fish_seen_subcommand_from ",
                       p->name, STR_FMT(word));
            second_words(p, word, out);
            buf_printf(out, "' -a %.*s -d '", STR_FMT(rest));
        }
        quoted(out, c->help, "");
        buf_putz(out, "'\n");
        for (size_t k = 0; c->flags && c->flags[k]; k++) {
            const struct cli_flag *f = c->flags[k];
            buf_printf(out, "complete -c %s -n ", p->name);
            fish_condition(c, out);
            buf_printf(out, " -l %s%s -d '", f->name,
                       f->value ? is_file(f->value) ? " -rF" : " -x" : "");
            quoted(out, f->help, "");
            buf_putc(out, '\'');
            if (f->choices) {
                buf_putz(out, " -a '");
                words(out, f->choices);
                buf_putc(out, '\'');
            } else if (is_dir(f->value)) {
                buf_putz(out, " -a '(__fish_complete_directories)'");
            }
            buf_putc(out, '\n');
        }
        if (c->choices || is_file(c->operands)) {
            buf_printf(out, "complete -c %s -n ", p->name);
            fish_condition(c, out);
            buf_putz(out, c->choices ? " -a '" : " -F");
            words(out, c->choices);
            buf_putz(out, c->choices ? "'\n" : "\n");
        }
    }
}
