#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/cli/cli.h"
#include "app/cli/datadir.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const colours[] = {"red", "green", NULL};
static const struct cli_flag flag_file = {.name = "file", .value = "FILE", .help = "A file."};
static const struct cli_flag flag_colour = {
    .name = "colour", .value = "COLOUR", .choices = colours, .help = "It's a colour."};
static const struct cli_flag flag_loud = {.name = "loud", .help = "Loud."};
static const struct cli_flag *const flags[] = {&flag_file, &flag_colour, &flag_loud, NULL};
static const char *const shells[] = {"bash", "zsh", NULL};

static int nothing(const struct cli_args *args) {
    (void)args;
    return 0;
}
static const struct cli_command commands[] = {
    {.name = "go",
     .operands = "",
     .run = nothing,
     .help = "Go.",
     .details = "Far.\n\n  demo go\n\n.not a macro",
     .flags = flags},
    {.name = "user add",
     .operands = "NAME",
     .operands_min = 1,
     .operands_max = 1,
     .run = nothing,
     .help = "Add.",
     .flags = flags},
    {.name = "user list", .operands = "", .run = nothing, .help = "List."},
    {.name = "shell",
     .operands = "SHELL",
     .operands_min = 1,
     .operands_max = 1,
     .choices = shells,
     .run = nothing,
     .help = "Shell."},
    {.name = "version", .operands = "", .run = nothing, .help = "Version."},
    {.name = "secret", .operands = "", .run = nothing, .help = "Secret.", .hidden = true},
};
static const struct cli_program demo = {.name = "demo",
                                        .summary = "a demo",
                                        .details = "It demonstrates.",
                                        .commands = commands,
                                        .n = sizeof(commands) / sizeof(commands[0]),
                                        .see_also = "nothing(7)"};

struct parsed {
    struct cli_args args;
    const struct cli_command *help;
    struct err err;
    bool ok;
};

static struct parsed parse(const char *line) {
    static char words[512];
    char *argv[16] = {NULL};
    int argc = 0;
    struct parsed p = {.ok = false};
    struct str rest = str_from(line), word;
    size_t used = 0;
    argv[argc++] = words;
    memcpy(words, "demo", 5);
    used = 5;
    while (str_next(&rest, ' ', &word)) {
        if (word.n == 0)
            continue;
        memcpy(words + used, word.p, word.n);
        words[used + word.n] = 0;
        argv[argc++] = words + used;
        used += word.n + 1;
    }
    p.ok = cli_parse(&demo, argc, argv, &p.args, &p.help, &p.err);
    return p;
}

static void commands_and_flags(void **state) {
    (void)state;
    struct parsed p = parse("go --file a.yml --loud --colour=red");
    assert_true(p.ok);
    assert_string_equal(p.args.command->name, "go");
    assert_string_equal(cli_flag(&p.args, "file"), "a.yml");
    assert_string_equal(cli_flag(&p.args, "colour"), "red");
    assert_true(cli_has(&p.args, "loud"));
    assert_null(cli_flag(&p.args, "other"));
    p = parse("user add ada --file x --file y");
    assert_true(p.ok);
    assert_string_equal(p.args.operands[0], "ada");
    assert_string_equal(cli_flag(&p.args, "file"), "y");
    size_t i = 0;
    assert_string_equal(cli_flag_next(&p.args, "file", &i), "x");
    assert_string_equal(cli_flag_next(&p.args, "file", &i), "y");
    assert_null(cli_flag_next(&p.args, "file", &i));
    p = parse("user add -- --odd");
    assert_true(p.ok);
    assert_string_equal(p.args.operands[0], "--odd");
    p = parse("--version");
    assert_true(p.ok);
    assert_string_equal(p.args.command->name, "version");
    assert_true(parse("secret").ok);
}

static void help_is_asked_for_in_many_ways(void **state) {
    (void)state;
    static const char *const whole[] = {"", "--help", "-h", "help"};
    for (size_t i = 0; i < 4; i++) {
        struct parsed p = parse(whole[i]);
        assert_true(p.ok && !p.args.command && !p.help);
    }
    static const char *const one[] = {"help user add", "user add --help", "user add -h",
                                      "user add x --help"};
    for (size_t i = 0; i < 4; i++) {
        struct parsed p = parse(one[i]);
        assert_true(p.ok && !p.args.command && p.help);
        assert_string_equal(p.help->name, "user add");
    }
}

static void mistakes_are_explained(void **state) {
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"og", "unknown command \"og\"; did you mean \"go\"? (\"demo help\" lists them)"},
        {"user", "unknown command \"user\"; did you mean \"user add\"? (\"demo help\" lists them)"},
        {"user ad x",
         "unknown command \"user ad\"; did you mean \"user add\"? (\"demo help\" lists them)"},
        {"zzzzzzzz", "unknown command \"zzzzzzzz\" (\"demo help\" lists them)"},
        {"go --flie x", "unknown option \"--flie\" of \"demo go\"; did you mean \"--file\"?"},
        {"go --file", "--file: expected FILE behind it"},
        {"go --loud=yes", "--loud takes no value"},
        {"go --colour blue", "colour: expected one of red, green, found \"blue\""},
        {"go -f", "unknown option \"-f\"; options are written in full, such as --help"},
        {"go there", "\"there\" is one word too many; expected: demo go "},
        {"user add", "expected: demo user add NAME"},
        {"shell cmd", "shell: expected one of bash, zsh, found \"cmd\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct parsed p = parse(cases[i].line);
        assert_false(p.ok);
        assert_int_equal(p.err.code, ERR_BAD_INPUT);
        assert_string_equal(p.err.message, cases[i].message);
    }
}

static void help_texts(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    cli_help(&demo, &b);
    assert_non_null(strstr(b.p, "  user add         Add.\n"));
    assert_null(strstr(b.p, "Secret"));
    buf_reset(&b);
    cli_help_command(&demo, &commands[0], &b);
    assert_non_null(strstr(b.p, "usage: demo go [OPTIONS]\n"));
    assert_non_null(
        strstr(b.p, "  --colour COLOUR            It's a colour. One of red, green.\n"));
    buf_deinit(&b);
}

static void man_page_is_safe_troff(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    cli_man(&demo, &b);
    assert_non_null(strstr(b.p, ".TH DEMO 1 "));
    assert_non_null(strstr(b.p, "\n\\&.not a macro\n"));
    assert_non_null(strstr(b.p, "\\fB\\-\\-colour\\fR \\fICOLOUR\\fR\n"));
    assert_null(strstr(b.p, "secret"));
    buf_deinit(&b);
}

static void run_shell(const char *shell, const struct buf *script, const char *tail,
                      const char *expected) {
    char path[] = "/tmp/hinomi-completion-XXXXXX", out[1024];
    int fd = mkstemp(path), ends[2], status = -1;
    assert_true(fd >= 0);
    assert_true(write(fd, script->p, script->n) == (ssize_t)script->n &&
                write(fd, tail, strlen(tail)) == (ssize_t)strlen(tail));
    close(fd);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        (void)execlp(shell, shell, path, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t k; n < sizeof(out) - 1 && (k = read(ends[0], out + n, sizeof(out) - 1 - n)) > 0;)
        n += (size_t)k;
    out[n] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    unlink(path);
    assert_int_equal(status, 0);
    assert_string_equal(out, expected);
}

static void bash_completes(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    cli_bash(&demo, &b);
    run_shell("bash", &b,
              "\ncompopt() { :; }\n"
              "try() { COMP_WORDS=(\"$@\"); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _demo; echo "
              "\"${COMPREPLY[*]}\"; }\n"
              "try demo ''\ntry demo us\ntry demo user ''\ntry demo user add --\ntry demo user add "
              "--colour ''\ntry demo shell ''\n",
              "go user shell version\nuser\nadd list\n--help --file --colour --loud\nred "
              "green\nbash zsh\n");
    buf_deinit(&b);
}

static void other_completions_name_everything(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    cli_zsh(&demo, &b);
    assert_true(str_starts(buf_view(&b), STR("#compdef demo\n")));
    assert_non_null(strstr(b.p, "'--colour=[It'\\''s a colour.]:COLOUR:(red green)'"));
    buf_reset(&b);
    cli_fish(&demo, &b);
    assert_non_null(strstr(b.p, "-l colour -x -d 'It'\\''s a colour.' -a 'red green'\n"));
    assert_null(strstr(b.p, "secret"));
    buf_deinit(&b);
}

static void data_folder_is_chosen(void **state) {
    (void)state;
    struct arena a = ARENA_INIT;
    struct err err;
    setenv("STATE_DIRECTORY", "/var/lib/x:/var/lib/y", 1);
    assert_string_equal(datadir_choose("hinomi", "/given", &a, &err), "/given");
    assert_string_equal(datadir_choose("hinomi", NULL, &a, &err), "/var/lib/x");
    unsetenv("STATE_DIRECTORY");
    if (geteuid() == 0) {
        assert_string_equal(datadir_choose("hinomi", NULL, &a, &err), "/var/lib/hinomi");
    } else {
        setenv("XDG_DATA_HOME", "/home/u/data", 1);
        assert_string_equal(datadir_choose("hinomi", NULL, &a, &err), "/home/u/data/hinomi");
        unsetenv("XDG_DATA_HOME");
        setenv("HOME", "/home/u", 1);
        assert_string_equal(datadir_choose("hinomi", NULL, &a, &err),
                            "/home/u/.local/share/hinomi");
    }
    arena_deinit(&a);
}

static void data_folder_is_for_one(void **state) {
    (void)state;
    char dir[] = "/tmp/hinomi-datadir-XXXXXX";
    struct arena a = ARENA_INIT;
    struct err err;
    int first = -1, second = -1;
    err_reset(&err);
    assert_non_null(mkdtemp(dir));
    const char *data = arena_printf(&a, "%s/a/b", dir).p;
    assert_true(datadir_open(data, &first, &err));
    assert_false(datadir_open(data, &second, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_non_null(strstr(err.message, "in use by another hinomi"));
    file_close(first);
    assert_true(datadir_open(data, &second, &err));
    file_close(second);
    assert_false(datadir_open("/proc/hinomi", &second, &err));
    assert_false(datadir_become_owner("/nonexistent/folder", &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_true(datadir_become_owner(data, &err));
    assert_true(file_remove_tree(dir, &err));
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(commands_and_flags),
                                       cmocka_unit_test(help_is_asked_for_in_many_ways),
                                       cmocka_unit_test(mistakes_are_explained),
                                       cmocka_unit_test(help_texts),
                                       cmocka_unit_test(man_page_is_safe_troff),
                                       cmocka_unit_test(bash_completes),
                                       cmocka_unit_test(other_completions_name_everything),
                                       cmocka_unit_test(data_folder_is_chosen),
                                       cmocka_unit_test(data_folder_is_for_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
