#include "app/agent/commands.h"

int main(int argc, char **argv) {
    return cli_main(&agent_program, argc, argv);
}
