#include "codec/jsonr.h"

#include "base/limits.h"

#include <jansson.h>

/* struct jsonr is json_t by another name, so that jansson stays in this file. */
static json_t *json_of(const struct jsonr *v) {
    union {
        const struct jsonr *from;
        json_t *to;
    } u = {.from = v};
    return u.to;
}
static const struct jsonr *from_json(const json_t *v) {
    return (const struct jsonr *)(const void *)v;
}

/* jansson recurses once a level: refuse depth before it starts. */
static bool depth_ok(struct str text, struct err *err) {
    unsigned depth = 0;
    bool quoted = false;
    uint32_t line = 1, column = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        column++;
        if (c == '\n')
            line++, column = 0;
        if (quoted) {
            if (c == '\\')
                i++, column++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > LIMIT_JSON_DEPTH)
                return err_set_at(err, ERR_TOO_LARGE, line, column,
                                  "JSON is nested deeper than the limit of %d levels",
                                  LIMIT_JSON_DEPTH);
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        }
    }
    return true;
}

struct jsonr_doc *jsonr_parse(struct str text, struct err *err) {
    if (text.n == 0) {
        err_set_at(err, ERR_BAD_INPUT, 1, 1, "expected JSON, found nothing");
        return NULL;
    }
    if (!depth_ok(text, err))
        return NULL;
    json_error_t je;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    json_t *root = json_loadb(text.p, text.n, flags, &je);
    if (!root && json_error_code(&je) ==
                     json_error_numeric_overflow) /* an integer past 63 bits: as a float */
        root = json_loadb(text.p, text.n, flags | JSON_DECODE_INT_AS_REAL, &je);
    if (!root) {
        uint32_t line = je.line > 0 ? (uint32_t)je.line : 1,
                 column = je.column > 0 ? (uint32_t)je.column : 1;
        err_set_at(err, ERR_BAD_INPUT, line, column, "bad JSON at line %u column %u: %s", line,
                   column, je.text);
        return NULL;
    }
    return (struct jsonr_doc *)(void *)root;
}

void jsonr_free(struct jsonr_doc *doc) {
    json_decref((json_t *)(void *)doc);
}

const struct jsonr *jsonr_root(const struct jsonr_doc *doc) {
    return (const struct jsonr *)(const void *)doc;
}

enum jsonr_type jsonr_type(const struct jsonr *v) {
    if (!v)
        return JSONR_ABSENT;
    switch (json_typeof(json_of(v))) {
    case JSON_OBJECT:
        return JSONR_OBJECT;
    case JSON_ARRAY:
        return JSONR_ARRAY;
    case JSON_STRING:
        return JSONR_STR;
    case JSON_INTEGER:
        return JSONR_INT;
    case JSON_REAL:
        return JSONR_FLOAT;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSONR_BOOL;
    case JSON_NULL:
        break;
    }
    return JSONR_NULL;
}

const char *jsonr_type_name(enum jsonr_type t) {
    static const char *const names[] = {"nothing", "null",   "true or false", "integer",
                                        "number",  "string", "list",          "object"};
    return names[t];
}

size_t jsonr_len(const struct jsonr *v) {
    switch (jsonr_type(v)) {
    case JSONR_ARRAY:
        return json_array_size(json_of(v));
    case JSONR_OBJECT:
        return json_object_size(json_of(v));
    case JSONR_ABSENT:
    case JSONR_NULL:
    case JSONR_BOOL:
    case JSONR_INT:
    case JSONR_FLOAT:
    case JSONR_STR:
        break;
    }
    return 0;
}

const struct jsonr *jsonr_at(const struct jsonr *array, size_t i) {
    return array ? from_json(json_array_get(json_of(array), i)) : NULL;
}

const struct jsonr *jsonr_get(const struct jsonr *object, const char *key) {
    return object ? from_json(json_object_get(json_of(object), key)) : NULL;
}

bool jsonr_str(const struct jsonr *v, struct str *out) {
    if (jsonr_type(v) != JSONR_STR)
        return false;
    *out = str_make(json_string_value(json_of(v)), json_string_length(json_of(v)));
    return true;
}

bool jsonr_i64(const struct jsonr *v, int64_t *out) {
    if (jsonr_type(v) == JSONR_FLOAT) {
        /* 3.0, or any integer of a document with one that is too big */
        double d = json_real_value(json_of(v));
        if (!(d >= -9007199254740992.0 && d <= 9007199254740992.0) || d != (double)(int64_t)d)
            return false;
        *out = (int64_t)d;
        return true;
    }
    if (jsonr_type(v) != JSONR_INT)
        return false;
    *out = json_integer_value(json_of(v));
    return true;
}

bool jsonr_f64(const struct jsonr *v, double *out) {
    enum jsonr_type t = jsonr_type(v);
    if (t != JSONR_INT && t != JSONR_FLOAT)
        return false;
    *out = json_number_value(json_of(v));
    return true;
}

bool jsonr_bool(const struct jsonr *v, bool *out) {
    if (jsonr_type(v) != JSONR_BOOL)
        return false;
    *out = json_is_true(json_of(v));
    return true;
}

struct str jsonr_get_str(const struct jsonr *object, const char *key) {
    struct str s = {NULL, 0};
    (void)jsonr_str(jsonr_get(object, key), &s);
    return s;
}

int64_t jsonr_get_i64(const struct jsonr *object, const char *key, int64_t def) {
    (void)jsonr_i64(jsonr_get(object, key), &def);
    return def;
}

bool jsonr_get_bool(const struct jsonr *object, const char *key, bool def) {
    (void)jsonr_bool(jsonr_get(object, key), &def);
    return def;
}

static struct jsonr_iter iter_at(const struct jsonr *object, void *at) {
    struct jsonr_iter it = {.object = object, .at = at};
    if (at) {
        it.key = str_from(json_object_iter_key(at));
        it.value = from_json(json_object_iter_value(at));
    }
    return it;
}

struct jsonr_iter jsonr_first(const struct jsonr *object) {
    return iter_at(object,
                   jsonr_type(object) == JSONR_OBJECT ? json_object_iter(json_of(object)) : NULL);
}

struct jsonr_iter jsonr_next(struct jsonr_iter it) {
    return iter_at(it.object, json_object_iter_next(json_of(it.object), it.at));
}
