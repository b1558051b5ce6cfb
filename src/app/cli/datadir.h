/* datadir.h - the data folder: which one, whether it can be used, and one hinomi to a folder. */
#ifndef APP_CLI_DATADIR_H
#define APP_CLI_DATADIR_H

#include "base/arena.h"
#include "base/err.h"

/* given (--data) or the default: $STATE_DIRECTORY (systemd), /var/lib/NAME for root,
 * $XDG_DATA_HOME/NAME,
 * ~/.local/share/NAME. In the arena. */
const char *datadir_choose(const char *name, const char *given, struct arena *a, struct err *err);
/* Makes it when missing; refuses read-only and network file systems, and one without room; takes
 * the lock. Messages say what to do. */
bool datadir_open(const char *dir, int *out_lock_fd, struct err *err) MUST_USE;
/* For commands beside a running server: root becomes the folder's owner, so that no file in it
 * turns root's. ERR_NOT_FOUND: there is no such folder. */
bool datadir_become_owner(const char *dir, struct err *err) MUST_USE;

#endif
