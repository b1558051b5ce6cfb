/* hinomi serve: starts, waits for signals, stops. */
#include "app/cli/datadir.h"
#include "app/server/commands.h"
#include "app/server/server.h"
#include "base/log.h"
#include "net/http_server.h"
#include "os/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void stop_at_once(int signal) {
    static const char text[] =
        "hinomi: stopped at once by a second signal; what was acknowledged is on disk\n";
    (void)signal;
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(1);
}

/* Before any thread exists, so that all inherit it: signals are taken by main's sigwait alone. */
static void block_signals(sigset_t *out) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigemptyset(out);
    (void)sigaddset(out, SIGTERM);
    (void)sigaddset(out, SIGINT);
    (void)sigaddset(out, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, out, NULL);
}

static void let_second_signal_end_us(void) {
    struct sigaction now = {.sa_handler = stop_at_once};
    sigset_t set;
    (void)sigaction(SIGTERM, &now, NULL);
    (void)sigaction(SIGINT, &now, NULL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void wait_for_end(struct server *s, const sigset_t *signals) {
    for (;;) {
        int got = sigwaitinfo(signals, NULL);
        if (got == SIGTERM || got == SIGINT)
            return;
        struct err err;
        err_reset(&err);
        if (got == SIGHUP && !server_reload(s, &err))
            log_error("config", "%s", err.message);
    }
}

int command_serve(const struct cli_args *args) {
    struct err err;
    struct arena a = ARENA_INIT;
    sigset_t signals;
    err_reset(&err);
    const char *data = datadir_choose("hinomi", cli_flag(args, "data"), &a, &err);
    if (!data) {
        arena_deinit(&a);
        return cli_fail(args, &err);
    }
    struct server_options opt = {.config_file = cli_flag(args, "config"),
                                 .data_dir = data,
                                 .listen = cli_flag(args, "listen"),
                                 .no_auth = cli_has(args, "no-auth")};
    block_signals(&signals);
    int64_t started = clock_mono_ms(clock_system());
    struct server *s = calloc(1, sizeof(*s));
    int code = 0;
    if (!s || !server_start(s, &opt, &err)) {
        code = s ? cli_fail(args, &err) : 1;
    } else {
        log_info("server", "ready after %lld ms; version %s, data in %s",
                 (long long)(clock_mono_ms(clock_system()) - started), HINOMI_VERSION, data);
        /* The port that was taken, should port 0 have been asked for. */
        const char *colon = strrchr(s->listen, ':');
        (void)printf("hinomi is at %s://%.*s:%u\n",
                     s->first->root.server.tls_cert_file.n ? "https" : "http",
                     (int)(colon ? colon - s->listen : 0), s->listen, http_server_port(s->http));
        (void)fflush(stdout);
        wait_for_end(s, &signals);
        log_info("server", "stopping");
        let_second_signal_end_us();
        server_stop(s);
        log_info("server", "stopped");
    }
    free(s);
    arena_deinit(&a);
    return code;
}
