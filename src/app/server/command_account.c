/* hinomi user | token: on the data folder itself, beside a running server or without one. */
#include "app/cli/datadir.h"
#include "app/server/commands.h"
#include "feature/account/account.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

struct session {
    struct arena a;
    struct err err;
    struct state *state;
    struct account *ac;
};

static bool open_accounts(const struct cli_args *args, struct session *s) {
    *s = (struct session){.state = NULL};
    const char *data = datadir_choose("hinomi", cli_flag(args, "data"), &s->a, &s->err);
    if (!data || (!file_exists(data) && !file_mkdirs(data, 0750, &s->err)) ||
        !datadir_become_owner(data, &s->err))
        return false;
    const char *path = arena_printf(&s->a, "%s/state.db", data).p;
    s->state = path ? state_open(path, clock_system(), &s->err) : NULL;
    s->ac = s->state ? account_open(s->state, clock_system(), &s->err) : NULL;
    return s->ac != NULL;
}

static int close_accounts(const struct cli_args *args, struct session *s, bool ok) {
    int code = ok ? 0 : cli_fail(args, &s->err);
    account_close(s->ac);
    state_close(s->state);
    arena_deinit(&s->a);
    return code;
}

/* One line without its end, not shown while it is typed. */
static bool read_password(const char *prompt, bool from_stdin, char *out, size_t n,
                          struct err *err) {
    struct termios was, hidden;
    bool terminal = !from_stdin && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &was) == 0;
    if (!from_stdin && !terminal)
        return err_set(err, ERR_BAD_INPUT,
                       "standard input is no terminal; give the password with --password-stdin");
    if (terminal) {
        hidden = was;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        (void)fprintf(stderr, "%s: ", prompt);
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    char *line = fgets(out, (int)n, stdin);
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
        (void)fputc('\n', stderr);
    }
    if (!line)
        return err_set(err, ERR_BAD_INPUT, "no password was given");
    out[strcspn(out, "\r\n")] = 0;
    return true;
}

static bool ask_password(const struct cli_args *args, char *out, size_t n, struct err *err) {
    char again[ACCOUNT_PASSWORD_BYTES_MAX + 2];
    bool from_stdin = cli_has(args, "password-stdin");
    if (!read_password("Password (at least 10 characters)", from_stdin, out, n, err))
        return false;
    if (from_stdin)
        return true;
    bool ok = read_password("Once more", false, again, sizeof(again), err);
    if (ok && strcmp(out, again) != 0)
        ok = err_set(err, ERR_BAD_INPUT, "the two passwords differ; nothing was changed");
    explicit_bzero(again, sizeof(again));
    return ok;
}

int command_user_add(const struct cli_args *args) {
    struct session s;
    char password[ACCOUNT_PASSWORD_BYTES_MAX + 2];
    const char *role_name = cli_flag(args, "role");
    enum account_role role = ACCOUNT_ROLE_VIEWER;
    bool ok = open_accounts(args, &s) &&
              (!role_name || account_role_from_name(str_from(role_name), &role)) &&
              ask_password(args, password, sizeof(password), &s.err) &&
              account_user_create(s.ac, str_from(args->operands[0]), str_from(password), role, NULL,
                                  NULL, &s.err);
    explicit_bzero(password, sizeof(password));
    if (ok)
        (void)printf("added %s, %s\n", args->operands[0], account_role_name(role));
    return close_accounts(args, &s, ok);
}

int command_user_passwd(const struct cli_args *args) {
    struct session s;
    char password[ACCOUNT_PASSWORD_BYTES_MAX + 2];
    bool ok = open_accounts(args, &s) && ask_password(args, password, sizeof(password), &s.err) &&
              account_user_set_password(s.ac, str_from(args->operands[0]), str_from(password), NULL,
                                        &s.err);
    explicit_bzero(password, sizeof(password));
    if (ok)
        (void)printf("changed the password of %s; its sessions have ended\n", args->operands[0]);
    return close_accounts(args, &s, ok);
}

int command_user_delete(const struct cli_args *args) {
    struct session s;
    struct account_user *v = NULL;
    size_t n = 0;
    bool ok = open_accounts(args, &s) && account_user_list(s.ac, &s.a, &v, &n, &s.err);
    int64_t id = 0;
    for (size_t i = 0; ok && i < n; i++)
        if (str_eq_nocase(v[i].name, str_from(args->operands[0])))
            id = v[i].id;
    if (ok && id == 0)
        ok = err_set(&s.err, ERR_NOT_FOUND, "there is no user \"%s\"", args->operands[0]);
    ok = ok && account_user_delete(s.ac, id, NULL, &s.err);
    if (ok)
        (void)printf("removed %s\n", args->operands[0]);
    return close_accounts(args, &s, ok);
}

static void print_time(int64_t ts_ms, const char *zero) {
    struct buf b = BUF_INIT;
    if (ts_ms)
        time_format_rfc3339(&b, ts_ms / 1000 * 1000);
    (void)printf("%-22s", ts_ms && buf_ok(&b) ? b.p : zero);
    buf_deinit(&b);
}

int command_user_list(const struct cli_args *args) {
    struct session s;
    struct account_user *v = NULL;
    size_t n = 0;
    bool ok = open_accounts(args, &s) && account_user_list(s.ac, &s.a, &v, &n, &s.err);
    if (ok)
        (void)printf("%-24s%-10s%-22s%s\n", "NAME", "ROLE", "CREATED", "LAST LOGIN");
    for (size_t i = 0; ok && i < n; i++) {
        (void)printf("%-24.*s%-10s", STR_FMT(v[i].name), account_role_name(v[i].role));
        print_time(v[i].created_ms, "-");
        print_time(v[i].last_login_ms, "never");
        (void)putchar('\n');
    }
    return close_accounts(args, &s, ok);
}

static bool token_options(const struct cli_args *args, unsigned *out_scopes,
                          int64_t *out_expires_ms, struct err *err) {
    size_t i = 0;
    unsigned bit;
    const char *word = cli_flag(args, "expires");
    *out_scopes = 0;
    *out_expires_ms = 0;
    for (const char *scope; (scope = cli_flag_next(args, "scope", &i)) != NULL;)
        if (account_scope_from_name(str_from(scope), &bit))
            *out_scopes |= bit;
    if (*out_scopes == 0)
        return err_set(
            err, ERR_BAD_INPUT,
            "say what the token is good for: --scope read, write, admin, write:series or agent");
    if (!word)
        return true;
    if (!duration_parse(str_from(word), out_expires_ms, err))
        return err_prefix(err, "--expires");
    *out_expires_ms += clock_wall_ms(clock_system());
    return true;
}

int command_token_create(const struct cli_args *args) {
    struct session s;
    struct account_token t;
    struct str secret;
    unsigned scopes;
    int64_t expires_ms;
    bool ok = open_accounts(args, &s) && token_options(args, &scopes, &expires_ms, &s.err) &&
              account_token_create(s.ac, str_from(args->operands[0]), scopes, expires_ms, NULL,
                                   &s.a, &t, &secret, &s.err);
    if (ok) {
        (void)printf("%.*s\n", STR_FMT(secret));
        (void)fflush(stdout);
        (void)fprintf(
            stderr,
            "This is shown once. Senders put it into the header \"Authorization: Bearer ...\".\n");
    }
    return close_accounts(args, &s, ok);
}

int command_token_list(const struct cli_args *args) {
    struct session s;
    struct account_token *v = NULL;
    size_t n = 0;
    bool ok = open_accounts(args, &s) && account_token_list(s.ac, &s.a, &v, &n, &s.err);
    if (ok)
        (void)printf("%-6s%-24s%-12s%-22s%-22s%s\n", "ID", "NAME", "BEGINS", "LAST USED", "EXPIRES",
                     "SCOPES");
    for (size_t i = 0; ok && i < n; i++) {
        (void)printf("%-6lld%-24.*s%-12.*s", (long long)v[i].id, STR_FMT(v[i].name),
                     STR_FMT(v[i].prefix));
        print_time(v[i].last_used_ms, "never");
        print_time(v[i].expires_ms, "never");
        bool any = false;
        for (unsigned bit = 0; bit < ACCOUNT_SCOPE_COUNT; bit++)
            if (v[i].scopes & 1u << bit) {
                (void)printf("%s%s", any ? "," : "",
                             account_scope_name((enum account_scope)(1u << bit)));
                any = true;
            }
        (void)putchar('\n');
    }
    return close_accounts(args, &s, ok);
}

int command_token_revoke(const struct cli_args *args) {
    struct session s;
    int64_t id = 0;
    bool ok = open_accounts(args, &s);
    if (ok && !str_to_i64(str_from(args->operands[0]), &id))
        ok = err_set(&s.err, ERR_BAD_INPUT,
                     "ID: expected a number (hinomi token list shows them), found \"%s\"",
                     args->operands[0]);
    ok = ok && account_token_revoke(s.ac, id, NULL, &s.err);
    if (ok)
        (void)printf("revoked token %s\n", args->operands[0]);
    return close_accounts(args, &s, ok);
}
