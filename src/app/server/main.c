#include "app/server/commands.h"

int main(int argc, char **argv) {
    return cli_main(&hinomi_program, argc, argv);
}
