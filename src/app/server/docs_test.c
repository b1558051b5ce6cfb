/* What is generated from the tables and kept in the repository is what the tables say today. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/agent/commands.h"
#include "app/server/commands.h"
#include "app/server/config.h"
#include "os/file.h"

static void assert_current(const char *path, struct buf *made) {
    struct buf kept = BUF_INIT;
    struct err err;
    err_reset(&err);
    if (!file_read(path, 8 << 20, &kept, &err))
        fail_msg("%s; make it with: ninja docs", err.message);
    if (!buf_ok(made) || !str_eq(buf_view(&kept), buf_view(made)))
        fail_msg("%s is not what the tables say; make it anew with: ninja docs", path);
    buf_deinit(&kept);
    buf_deinit(made);
}

static void manuals(void **state) {
    (void)state;
    struct buf b = BUF_INIT;
    config_manual(&b);
    assert_current(HINOMI_SOURCE_DIR "/docs/config.md", &b);
    config_man(&b);
    assert_current(HINOMI_SOURCE_DIR "/docs/man/hinomi.yml.5", &b);
    cli_man(&hinomi_program, &b);
    assert_current(HINOMI_SOURCE_DIR "/docs/man/hinomi.1", &b);
    cli_man(&agent_program, &b);
    assert_current(HINOMI_SOURCE_DIR "/docs/man/hinomi-agent.1", &b);
    config_cli_manual(&hinomi_program, &b);
    cli_markdown(&agent_program, &b);
    assert_current(HINOMI_SOURCE_DIR "/docs/cli.md", &b);
}

static void completions(void **state) {
    (void)state;
    static const struct {
        void (*make)(const struct cli_program *p, struct buf *out);
        const char *hinomi, *agent;
    } shells[] = {
        {cli_bash, HINOMI_SOURCE_DIR "/packaging/completion/hinomi.bash",
         HINOMI_SOURCE_DIR "/packaging/completion/hinomi-agent.bash"},
        {cli_zsh, HINOMI_SOURCE_DIR "/packaging/completion/hinomi.zsh",
         HINOMI_SOURCE_DIR "/packaging/completion/hinomi-agent.zsh"},
        {cli_fish, HINOMI_SOURCE_DIR "/packaging/completion/hinomi.fish",
         HINOMI_SOURCE_DIR "/packaging/completion/hinomi-agent.fish"},
    };
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        shells[i].make(&hinomi_program, &b);
        assert_current(shells[i].hinomi, &b);
        shells[i].make(&agent_program, &b);
        assert_current(shells[i].agent, &b);
    }
}

/* Every option says what it does, in both languages. */
static void explained(const struct conf_table *t, const struct conf_table **seen, size_t *n) {
    for (size_t i = 0; i < *n; i++)
        if (seen[i] == t)
            return;
    assert_true(*n < 256);
    seen[(*n)++] = t;
    for (size_t i = 0; i < t->n; i++) {
        const struct conf_option *o = &t->options[i];
        if (!o->ignored && (!o->help || !*o->help))
            fail_msg("%s.%s has no help", t->name, o->name);
        if (o->table)
            explained(o->table, seen, n);
    }
}

static void every_option_is_explained(void **state) {
    (void)state;
    const struct conf_table *seen[256];
    size_t n = 0;
    explained(config_table(), seen, &n);
    explained(&rule_file_table, seen, &n);
    assert_true(n > 20);
}

static void every_command_is_explained(void **state) {
    (void)state;
    const struct cli_program *programs[] = {&hinomi_program, &agent_program};
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < programs[p]->n; i++) {
            const struct cli_command *c = &programs[p]->commands[i];
            assert_non_null(c->run);
            assert_true(c->help && *c->help && c->help[strlen(c->help) - 1] == '.');
            assert_true(c->operands_max >= c->operands_min);
            for (size_t k = 0; c->flags && c->flags[k]; k++)
                assert_true(c->flags[k]->help && *c->flags[k]->help);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(manuals), cmocka_unit_test(completions),
                                       cmocka_unit_test(every_option_is_explained),
                                       cmocka_unit_test(every_command_is_explained)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
