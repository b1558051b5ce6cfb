/* commands.h - the command table of `hinomi`. */
#ifndef APP_SERVER_COMMANDS_H
#define APP_SERVER_COMMANDS_H

#include "app/cli/cli.h"

extern const struct cli_program hinomi_program;

/* The head of docs/cli.md and this program's part. */
void config_cli_manual(const struct cli_program *program, struct buf *out);

/* One function a command; each returns the exit code. */
#define COMMANDS(X)                                                                                \
    X(serve)                                                                                       \
    X(config_check)                                                                                \
    X(config_show)                                                                                 \
    X(config_export)                                                                               \
    X(verify)                                                                                      \
    X(notify_test)                                                                                 \
    X(query)                                                                                       \
    X(user_add)                                                                                    \
    X(user_list)                                                                                   \
    X(user_passwd)                                                                                 \
    X(user_delete)                                                                                 \
    X(token_create)                                                                                \
    X(token_list)                                                                                  \
    X(token_revoke)                                                                                \
    X(agent_token)                                                                                 \
    X(version)                                                                                     \
    X(completion)                                                                                  \
    X(man)                                                                                         \
    X(docs)
#define X(name) int command_##name(const struct cli_args *args);
COMMANDS(X)
#undef X

#endif
