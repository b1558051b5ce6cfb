/* The one list of what `hinomi` can do. Help, man page and completions come from it. */
#include "app/server/commands.h"

static const char *const roles[] = {"viewer", "editor", "admin", NULL};
static const char *const scopes[] = {"read", "write", "admin", "write:series", "agent", NULL};
static const char *const formats[] = {"table", "json", NULL};
static const char *const shells[] = {"bash", "zsh", "fish", NULL};
static const char *const documents[] = {"config", "cli", "man",  "hinomi.yml",
                                        "bash",   "zsh", "fish", NULL};

#define FLAG(id, n, v, c, h)                                                                       \
    static const struct cli_flag flag_##id = {                                                     \
        .name = (n), .value = (v), .choices = (c), .help = (h)}
FLAG(config, "config", "FILE", NULL,
     "The configuration file; without one everything has its default.");
FLAG(
    data, "data", "DIR", NULL,
    "The data folder. Default: $STATE_DIRECTORY, /var/lib/hinomi for root, ~/.local/share/hinomi.");
FLAG(listen, "listen", "HOST:PORT", NULL,
     "The address, instead of server.listen of the configuration.");
FLAG(no_auth, "no-auth", NULL, NULL, "Ask nobody for a login; refused off loopback.");
FLAG(server, "server", "URL", NULL,
     "The server to ask. Default: $HINOMI_SERVER, or http://127.0.0.1:11900.");
FLAG(token_file, "token-file", "FILE", NULL,
     "A file with the token to show to it. Default: $HINOMI_TOKEN.");
FLAG(all, "all", NULL, NULL, "Show defaults too.");
FLAG(time, "time", "TIME", NULL, "The instant, RFC 3339 or Unix seconds. Default: now.");
FLAG(start, "start", "TIME", NULL, "The start of a range; makes it a range query.");
FLAG(end, "end", "TIME", NULL, "The end of a range. Default: now.");
FLAG(step, "step", "DURATION", NULL, "The step of a range. Default: 1m.");
FLAG(format, "format", "FORMAT", formats, "How the answer is printed.");
FLAG(role, "role", "ROLE", roles, "What the user may do. Default: viewer.");
FLAG(password_stdin, "password-stdin", NULL, NULL,
     "Read the password from the first line of standard input.");
FLAG(scope, "scope", "SCOPE", scopes, "What the token is good for; may be given several times.");
FLAG(expires, "expires", "DURATION", NULL,
     "How long the token works, such as 90d. Default: for ever.");
FLAG(note, "note", "TEXT", NULL, "What the token is for.");
#undef FLAG

#define FLAGS(...)                                                                                 \
    (const struct cli_flag *const[]) {                                                             \
        __VA_ARGS__, NULL                                                                          \
    }

static const struct cli_command commands[] = {
    {.name = "serve",
     .operands = "",
     .run = command_serve,
     .help = "Run the server.",
     .details = "Without a configuration file it watches this host on 127.0.0.1:11900 and asks for "
                "no account. On any other address it needs TLS "
                "(or server.insecure_http: true) and accounts. SIGHUP reloads the configuration, "
                "all or nothing; SIGTERM stops it cleanly, a "
                "second one at once.",
     .flags = FLAGS(&flag_config, &flag_data, &flag_listen, &flag_no_auth)},
    {.name = "config check",
     .operands = "FILE",
     .operands_min = 1,
     .operands_max = 1,
     .run = command_config_check,
     .help = "Check a configuration, with its includes and rule files.",
     .details = "Prints every finding as file:line:column with what was expected, and ends with 2 "
                "when there is one. Reads what serve would read, "
                "the environment and secret files included."},
    {.name = "config show",
     .operands = "[FILE]",
     .operands_max = 1,
     .run = command_config_show,
     .help = "Print a configuration as hinomi understands it, secrets hidden.",
     .flags = FLAGS(&flag_all)},
    {.name = "config export",
     .operands = "",
     .run = command_config_export,
     .help = "Print what was added in the screen as YAML, to be reviewed and kept in the file.",
     .flags = FLAGS(&flag_server, &flag_token_file)},
    {.name = "verify",
     .operands = "",
     .run = command_verify,
     .help = "Read every byte of a data folder and say what is damaged.",
     .details = "Ends with 8 when something is. Changes nothing; while a server runs on the "
                "folder, its newest files may be told as unfinished.",
     .flags = FLAGS(&flag_data)},
    {.name = "query",
     .operands = "EXPR",
     .operands_min = 1,
     .operands_max = 1,
     .run = command_query,
     .help = "Ask a server a PromQL query.",
     .details = "Examples:\n\n  hinomi query 'up == 0'\n  hinomi query --start "
                "2026-01-01T00:00:00Z --step 5m 'node_load1'",
     .flags = FLAGS(&flag_time, &flag_start, &flag_end, &flag_step, &flag_format, &flag_server,
                    &flag_token_file)},
    {.name = "notify test",
     .operands = "RECEIVER",
     .operands_min = 1,
     .operands_max = 1,
     .run = command_notify_test,
     .help = "Send a test message to a receiver and say what came of it.",
     .flags = FLAGS(&flag_server, &flag_token_file)},
    {.name = "user add",
     .operands = "NAME",
     .operands_min = 1,
     .operands_max = 1,
     .run = command_user_add,
     .help = "Add an account; asks for its password.",
     .details = "Works on the data folder itself, whether a server runs or not, so that the first "
                "admin can be made.",
     .flags = FLAGS(&flag_role, &flag_password_stdin, &flag_data)},
    {.name = "user list",
     .operands = "",
     .run = command_user_list,
     .help = "List the accounts.",
     .flags = FLAGS(&flag_data)},
    {.name = "user passwd",
     .operands = "NAME",
     .operands_min = 1,
     .operands_max = 1,
     .run = command_user_passwd,
     .help = "Set a password; ends the user's sessions.",
     .flags = FLAGS(&flag_password_stdin, &flag_data)},
    {.name = "user delete",
     .operands = "NAME",
     .operands_min = 1,
     .operands_max = 1,
     .run = command_user_delete,
     .help = "Remove an account and end its sessions.",
     .flags = FLAGS(&flag_data)},
    {.name = "token create",
     .operands = "NAME",
     .operands_min = 1,
     .operands_max = 1,
     .run = command_token_create,
     .help = "Make a token for a program; prints it once.",
     .details = "read, write and admin stand for the roles viewer, editor and admin; write:series "
                "is for senders of remote_write.",
     .flags = FLAGS(&flag_scope, &flag_expires, &flag_data)},
    {.name = "token list",
     .operands = "",
     .run = command_token_list,
     .help = "List the tokens, without their secrets.",
     .flags = FLAGS(&flag_data)},
    {.name = "token revoke",
     .operands = "ID",
     .operands_min = 1,
     .operands_max = 1,
     .run = command_token_revoke,
     .help = "End a token; a running server knows within ten seconds.",
     .flags = FLAGS(&flag_data)},
    {.name = "agent enroll-token",
     .operands = "",
     .run = command_agent_token,
     .help = "Make a token that enrols one more host, and print the command to run there.",
     .flags = FLAGS(&flag_note, &flag_server, &flag_token_file)},
    {.name = "version", .operands = "", .run = command_version, .help = "Print the version."},
    {.name = "completion",
     .operands = "SHELL",
     .operands_min = 1,
     .operands_max = 1,
     .choices = shells,
     .run = command_completion,
     .help = "Print the completion script of a shell."},
    {.name = "man",
     .operands = "",
     .run = command_man,
     .help = "Print the manual page (pipe it to man -l -)."},
    {.name = "docs",
     .operands = "WHAT",
     .operands_min = 1,
     .operands_max = 1,
     .choices = documents,
     .run = command_docs,
     .help = "Print a generated document.",
     .hidden = true},
};

const struct cli_program hinomi_program = {
    .name = "hinomi",
    .summary =
        "the fire lookout: watches hosts and services, keeps their history, rings the right people",
    .details = "hinomi is one program with one data folder and one optional configuration file. It "
               "speaks Prometheus (scrape, remote_write, PromQL, "
               "rules, the HTTP API) and Alertmanager's configuration grammar.\n\nThe shortest way "
               "to see something true about this machine:\n\n"
               "  hinomi serve",
    .commands = commands,
    .n = sizeof(commands) / sizeof(commands[0]),
    .see_also = "hinomi.yml(5), hinomi-agent(1)",
};
