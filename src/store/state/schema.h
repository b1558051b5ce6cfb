/* schema.h - inside the room: the tables, as an append-only list of migrations. */
#ifndef STATE_SCHEMA_H
#define STATE_SCHEMA_H

#include "base/timev.h"
#include "store/state/conn.h"

struct schema_migration {
    const char *name;
    const char *sql;
};

size_t schema_count(void);
/* Brings the database to the last version of `list`, each migration in its own transaction. A
 * database that a newer program wrote, or whose migrations differ from ours: ERR_CONFLICT. */
bool schema_migrate(struct conn *c, const struct schema_migration *list, size_t n, int64_t now_ms,
                    struct err *err) MUST_USE;
const struct schema_migration *schema_list(void);

#endif
