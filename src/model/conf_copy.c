#include "model/conf_copy.h"

static size_t scalar_size(enum conf_type t) {
    switch (t) {
    case CONF_BOOL:
        return sizeof(bool);
    case CONF_INT:
    case CONF_DURATION:
        return sizeof(int64_t);
    case CONF_BYTES:
        return sizeof(uint64_t);
    case CONF_FLOAT:
        return sizeof(double);
    case CONF_ENUM:
        return sizeof(int);
    case CONF_STR:
    case CONF_SECRET:
    case CONF_REGEX:
    case CONF_STRS:
    case CONF_PAIRS:
    case CONF_TABLE:
    case CONF_TABLE_OPT:
    case CONF_LIST:
    case CONF_NODE:
    case CONF_PATH:
    case CONF_PATHS:
        break;
    }
    return 0;
}

static bool copy_strs(const struct str *from, size_t n, struct str **to, struct arena *a) {
    *to = ARENA_ARRAY(a, struct str, n + 1);
    for (size_t i = 0; *to && i < n; i++)
        (*to)[i] = from[i].p ? arena_str(a, from[i]) : from[i];
    return !a->failed;
}

static bool copy_list(const struct conf_table *table, const struct conf_list *from,
                      struct conf_list *to, struct arena *a) {
    to->n = from->n;
    to->v = arena_array(a, from->n + 1, table->size);
    for (size_t i = 0; to->v && i < from->n; i++)
        if (!conf_copy(table, (const char *)from->v + i * table->size,
                       (char *)to->v + i * table->size, a))
            return false;
    return !a->failed;
}

static bool copy_option(const struct conf_option *o, const void *from, void *to, struct arena *a) {
    size_t n = scalar_size(o->type);
    if (n) {
        memcpy(to, from, n);
        return true;
    }
    switch (o->type) {
    case CONF_STRS:
    case CONF_PATHS: {
        const struct conf_strs *f = from;
        struct conf_strs *t = to;
        t->n = f->n;
        return copy_strs(f->v, f->n, &t->v, a);
    }
    case CONF_PAIRS: {
        const struct conf_pairs *f = from;
        struct conf_pairs *t = to;
        t->n = f->n;
        return copy_strs(f->key, f->n, &t->key, a) && copy_strs(f->value, f->n, &t->value, a);
    }
    case CONF_TABLE:
        return conf_copy(o->table, from, to, a);
    case CONF_TABLE_OPT: {
        const void *f = *(void *const *)from;
        void *t = f ? arena_zalloc(a, o->table->size) : NULL;
        *(void **)to = t;
        return !f || (t && conf_copy(o->table, f, t, a));
    }
    case CONF_LIST:
        return copy_list(o->table, from, to, a);
    case CONF_NODE:
        *(const void **)to = NULL;
        return true;
    case CONF_STR:
    case CONF_SECRET:
    case CONF_REGEX:
    case CONF_PATH:
    case CONF_BOOL:
    case CONF_INT:
    case CONF_FLOAT:
    case CONF_DURATION:
    case CONF_BYTES:
    case CONF_ENUM:
        break;
    }
    const struct str *f = from;
    *(struct str *)to = f->p ? arena_str(a, *f) : *f;
    return !a->failed;
}

bool conf_copy(const struct conf_table *table, const void *from, void *to, struct arena *a) {
    memcpy(to, from, table->size); /* what no option describes; pointers are replaced below */
    for (size_t i = 0; i < table->n; i++) {
        const struct conf_option *o = &table->options[i];
        if (o->ignored)
            continue;
        if (!copy_option(o, (const char *)from + o->offset, (char *)to + o->offset, a))
            return false;
    }
    if (table->source_offset != SIZE_MAX) {
        struct conf_source *s = (struct conf_source *)(void *)((char *)to + table->source_offset);
        s->file = s->file ? arena_strz(a, str_from(s->file)) : NULL;
    }
    return !a->failed;
}

static bool equal_strs(const struct str *a, const struct str *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!str_eq(a[i], b[i]))
            return false;
    return true;
}

static bool equal_option(const struct conf_option *o, const void *x, const void *y) {
    size_t n = scalar_size(o->type);
    if (n)
        return memcmp(x, y, n) == 0;
    switch (o->type) {
    case CONF_STRS:
    case CONF_PATHS: {
        const struct conf_strs *a = x, *b = y;
        return a->n == b->n && equal_strs(a->v, b->v, a->n);
    }
    case CONF_PAIRS: {
        const struct conf_pairs *a = x, *b = y;
        return a->n == b->n && equal_strs(a->key, b->key, a->n) &&
               equal_strs(a->value, b->value, a->n);
    }
    case CONF_TABLE:
        return conf_equal(o->table, x, y);
    case CONF_TABLE_OPT: {
        const void *a = *(void *const *)x, *b = *(void *const *)y;
        return (!a && !b) || (a && b && conf_equal(o->table, a, b));
    }
    case CONF_LIST: {
        const struct conf_list *a = x, *b = y;
        bool same = a->n == b->n;
        for (size_t i = 0; same && i < a->n; i++)
            same = conf_equal(o->table, (const char *)a->v + i * o->table->size,
                              (const char *)b->v + i * o->table->size);
        return same;
    }
    case CONF_NODE:
        return true;
    case CONF_STR:
    case CONF_SECRET:
    case CONF_REGEX:
    case CONF_PATH:
    case CONF_BOOL:
    case CONF_INT:
    case CONF_FLOAT:
    case CONF_DURATION:
    case CONF_BYTES:
    case CONF_ENUM:
        break;
    }
    return str_eq(*(const struct str *)x, *(const struct str *)y);
}

bool conf_equal(const struct conf_table *table, const void *a, const void *b) {
    for (size_t i = 0; i < table->n; i++) {
        const struct conf_option *o = &table->options[i];
        if (!o->ignored &&
            !equal_option(o, (const char *)a + o->offset, (const char *)b + o->offset))
            return false;
    }
    return true;
}
