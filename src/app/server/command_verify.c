/* hinomi verify: reads everything in a data folder. */
#include "app/cli/datadir.h"
#include "app/server/commands.h"
#include "os/file.h"
#include "store/series/series.h"
#include "store/state/state.h"

#include <stdio.h>

int command_verify(const struct cli_args *args) {
    struct arena a = ARENA_INIT;
    struct buf report = BUF_INIT;
    struct err err;
    bool series_clean = true, state_clean = true;
    err_reset(&err);
    const char *data = datadir_choose("hinomi", cli_flag(args, "data"), &a, &err);
    const char *series = data ? arena_printf(&a, "%s/series", data).p : NULL;
    const char *state = data ? arena_printf(&a, "%s/state.db", data).p : NULL;
    bool ok = series && state;
    if (ok && !file_exists(series) && !file_exists(state))
        ok =
            err_set(&err, ERR_NOT_FOUND, "there is no data of hinomi in %s; give --data DIR", data);
    ok = ok && (!file_exists(series) || series_verify(series, &report, &series_clean, &err)) &&
         (!file_exists(state) || state_verify(state, &report, &state_clean, &err));
    if (report.n && buf_ok(&report))
        (void)fputs(report.p, stdout);
    int code = !ok                           ? cli_fail(args, &err)
               : series_clean && state_clean ? 0
                                             : err_exit_code(ERR_CORRUPT);
    if (ok)
        (void)printf("%s: %s\n", data,
                     code ? "damaged (above); what is damaged is set aside at the next start, the "
                            "rest is served"
                          : "everything is as it was written");
    buf_deinit(&report);
    arena_deinit(&a);
    return code;
}
