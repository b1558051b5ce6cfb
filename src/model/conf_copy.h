/* conf_copy.h - option-table objects by value: a feature that outlives one configuration snapshot
 * copies what it keeps, and a reload compares old with new to leave unchanged parts alone. Subtrees
 * kept as CONF_NODE are not copied (NULL in the copy) and not compared; their owner handles them.
 */
#ifndef MODEL_CONF_COPY_H
#define MODEL_CONF_COPY_H

#include "model/conf.h"

/* A deep copy of *from into *to (table->size bytes). false: the arena is full. */
bool conf_copy(const struct conf_table *table, const void *from, void *to, struct arena *a);
/* Whether all options have the same values. */
bool conf_equal(const struct conf_table *table, const void *a, const void *b);

#endif
