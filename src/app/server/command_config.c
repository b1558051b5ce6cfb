/* hinomi config check | show, and the generated documents. */
#include "app/server/commands.h"
#include "app/server/config.h"

#include <stdio.h>

static int print(const struct buf *b) {
    bool ok =
        buf_ok(b) && (b->n == 0 || fwrite(b->p, 1, b->n, stdout) == b->n) && fflush(stdout) == 0;
    return ok ? 0 : 1;
}

int command_config_check(const struct cli_args *args) {
    struct arena a = ARENA_INIT;
    struct conf_diags diags = {.arena = &a};
    struct buf b = BUF_INIT;
    struct config *c = config_load(args->operands[0], &diags);
    conf_yaml_format_diags(&diags, &b);
    if (c) {
        size_t n_rules = 0, n_groups = 0;
        for (size_t i = 0; i < c->n_rules; i++) {
            const struct rule_group_conf *g = c->rules[i].conf->groups.v;
            if (c->rules[i].builtin)
                continue;
            n_groups += c->rules[i].conf->groups.n;
            for (size_t k = 0; k < c->rules[i].conf->groups.n; k++)
                n_rules += g[k].rules.n;
        }
        buf_printf(
            &b, "%s is right: %zu scrape configurations, %zu receivers, %zu rules in %zu groups\n",
            args->operands[0], c->root.scrape_configs.n, c->root.notify.receivers.n, n_rules,
            n_groups);
    }
    int code = c ? 0 : 2;
    if (print(&b) != 0)
        code = 1;
    config_unref(c);
    buf_deinit(&b);
    arena_deinit(&a);
    return code;
}

int command_config_show(const struct cli_args *args) {
    struct arena a = ARENA_INIT;
    struct conf_diags diags = {.arena = &a};
    struct buf b = BUF_INIT;
    struct config *c = config_load(args->n_operands ? args->operands[0] : NULL, &diags);
    int code = 2;
    if (c) {
        conf_yaml_encode(config_table(), &c->root, cli_has(args, "all"), &b);
        code = print(&b);
    } else {
        conf_yaml_format_diags(&diags, &b);
        (void)fputs(buf_ok(&b) && b.p ? b.p : "", stderr);
    }
    config_unref(c);
    buf_deinit(&b);
    arena_deinit(&a);
    return code;
}

int command_completion(const struct cli_args *args) {
    struct buf b = BUF_INIT;
    const char *shell = args->operands[0];
    (strcmp(shell, "bash") == 0  ? cli_bash
     : strcmp(shell, "zsh") == 0 ? cli_zsh
                                 : cli_fish)(args->program, &b);
    int code = print(&b);
    buf_deinit(&b);
    return code;
}

int command_man(const struct cli_args *args) {
    struct buf b = BUF_INIT;
    cli_man(args->program, &b);
    int code = print(&b);
    buf_deinit(&b);
    return code;
}

void config_cli_manual(const struct cli_program *program, struct buf *out) {
    buf_putz(out, "# Command line\n\nMade from the programs' own command tables (the build target "
                  "`docs`); the man pages and completions come from the same.\n\n");
    cli_markdown(program, out);
}

int command_docs(const struct cli_args *args) {
    struct buf b = BUF_INIT;
    const char *what = args->operands[0];
    if (strcmp(what, "config") == 0)
        config_manual(&b);
    else if (strcmp(what, "hinomi.yml") == 0)
        config_man(&b);
    else if (strcmp(what, "cli") == 0)
        config_cli_manual(args->program, &b);
    else if (strcmp(what, "man") == 0)
        cli_man(args->program, &b);
    else if (strcmp(what, "bash") == 0)
        cli_bash(args->program, &b);
    else if (strcmp(what, "zsh") == 0)
        cli_zsh(args->program, &b);
    else
        cli_fish(args->program, &b);
    int code = print(&b);
    buf_deinit(&b);
    return code;
}

int command_version(const struct cli_args *args) {
    return printf("%s %s\n", args->program->name, HINOMI_VERSION) > 0 && fflush(stdout) == 0 ? 0
                                                                                             : 1;
}
