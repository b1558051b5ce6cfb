#include "model/conf.h"

#include <stdarg.h>
#include <stdio.h>

enum { CONF_DIAGS_MAX = 200 }; /* one wrong indent can make thousands; nobody reads past this */

void conf_diag_add(struct conf_diags *d, bool warning, struct conf_source at, const char *fmt,
                   ...) {
    if (d->n >= CONF_DIAGS_MAX)
        return;
    if (d->n == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 8;
        struct conf_diag *v = arena_grow(d->arena, d->v, d->n * sizeof(*v), cap * sizeof(*v));
        if (!v)
            return;
        d->v = v;
        d->cap = cap;
    }
    char text[ERR_MESSAGE_BYTES_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    const char *copy = arena_strz(d->arena, str_from(text));
    if (copy)
        d->v[d->n++] = (struct conf_diag){at.file, at.line, at.column, copy, warning};
}

const struct conf_node *conf_node_get(const struct conf_node *map, const char *key) {
    for (size_t i = 0; map && map->kind == CONF_KIND_MAP && i < map->n; i++)
        if (str_eqz(map->key[i]->text, key))
            return map->value[i];
    return NULL;
}
