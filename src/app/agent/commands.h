/* commands.h - the command table of `hinomi-agent`. */
#ifndef APP_AGENT_COMMANDS_H
#define APP_AGENT_COMMANDS_H

#include "app/cli/cli.h"

extern const struct cli_program agent_program;

#define AGENT_COMMANDS(X) X(enroll) X(run) X(version) X(completion) X(man) X(docs)
#define X(name) int agent_command_##name(const struct cli_args *args);
AGENT_COMMANDS(X)
#undef X

#endif
