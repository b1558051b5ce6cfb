/* The one list of what `hinomi-agent` can do. */
#include "app/agent/commands.h"

#include <stdio.h>

static const char *const shells[] = {"bash", "zsh", "fish", NULL};
static const char *const documents[] = {"cli", "man", "bash", "zsh", "fish", NULL};

#define FLAG(id, n, v, h)                                                                          \
    static const struct cli_flag flag_##id = {.name = (n), .value = (v), .help = (h)}
FLAG(server, "server", "URL", "The server, such as https://hinomi.example.com:11900.");
FLAG(token, "token", "TOKEN",
     "The enrol token, from Inventory > Agents or hinomi agent enroll-token.");
FLAG(token_file, "token-file", "FILE",
     "A file that holds the enrol token, so that it does not show in the process list.");
FLAG(ca_file, "ca-file", "FILE", "Certificates (PEM) to trust instead of the system's.");
FLAG(name, "name", "NAME", "The name of this host, instead of its host name.");
FLAG(force, "force", NULL, "Replace the credential of an earlier enrolment.");
FLAG(data, "data", "DIR",
     "The data folder. Default: $STATE_DIRECTORY, /var/lib/hinomi-agent for root, "
     "~/.local/share/hinomi-agent.");
#undef FLAG

#define FLAGS(...)                                                                                 \
    (const struct cli_flag *const[]) {                                                             \
        __VA_ARGS__, NULL                                                                          \
    }

static const struct cli_command commands[] = {
    {.name = "enroll",
     .operands = "",
     .run = agent_command_enroll,
     .help = "Connect this host to a server, once.",
     .details = "Exchanges the token for a credential of this host's own, which rests in "
                "agent.json of the data folder. The token is then used up.",
     .flags = FLAGS(&flag_server, &flag_token, &flag_token_file, &flag_ca_file, &flag_name,
                    &flag_force, &flag_data)},
    {.name = "run",
     .operands = "",
     .run = agent_command_run,
     .help = "Watch this host and forward to the server.",
     .details = "What cannot be delivered waits in the data folder (at most 512 MiB; then the "
                "oldest goes, and is counted) and is delivered exactly "
                "once when the server is back. What to scrape and how often comes from the "
                "server's configuration (agents).",
     .flags = FLAGS(&flag_data)},
    {.name = "version", .operands = "", .run = agent_command_version, .help = "Print the version."},
    {.name = "completion",
     .operands = "SHELL",
     .operands_min = 1,
     .operands_max = 1,
     .choices = shells,
     .run = agent_command_completion,
     .help = "Print the completion script of a shell."},
    {.name = "man",
     .operands = "",
     .run = agent_command_man,
     .help = "Print the manual page (pipe it to man -l -)."},
    {.name = "docs",
     .operands = "WHAT",
     .operands_min = 1,
     .operands_max = 1,
     .choices = documents,
     .run = agent_command_docs,
     .help = "Print a generated document.",
     .hidden = true},
};

const struct cli_program agent_program = {
    .name = "hinomi-agent",
    .summary = "watches a host and forwards to a hinomi server",
    .details = "hinomi-agent reads its host each second, scrapes what the server asks it to, and "
               "forwards everything exactly once, with a buffer on disk "
               "for the time in which the server cannot be reached.\n\n  hinomi-agent enroll "
               "--server URL --token TOKEN\n  hinomi-agent run",
    .commands = commands,
    .n = sizeof(commands) / sizeof(commands[0]),
    .see_also = "hinomi(1)",
};

static int print(const struct cli_args *args,
                 void (*make)(const struct cli_program *p, struct buf *out)) {
    struct buf b = BUF_INIT;
    make(args->program, &b);
    bool ok = buf_ok(&b) && fwrite(b.p, 1, b.n, stdout) == b.n && fflush(stdout) == 0;
    buf_deinit(&b);
    return ok ? 0 : 1;
}

int agent_command_docs(const struct cli_args *args) {
    const char *what = args->operands[0];
    return print(args, strcmp(what, "cli") == 0    ? cli_markdown
                       : strcmp(what, "man") == 0  ? cli_man
                       : strcmp(what, "bash") == 0 ? cli_bash
                       : strcmp(what, "zsh") == 0  ? cli_zsh
                                                   : cli_fish);
}

int agent_command_completion(const struct cli_args *args) {
    return agent_command_docs(args);
}
int agent_command_man(const struct cli_args *args) {
    return print(args, cli_man);
}

int agent_command_version(const struct cli_args *args) {
    return printf("%s %s\n", args->program->name, HINOMI_VERSION) > 0 && fflush(stdout) == 0 ? 0
                                                                                             : 1;
}
