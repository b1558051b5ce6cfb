/* Whatever parses is written again and must parse to the same text a second time. */
#include "codec/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void write_value(struct jsonw *w, const struct jsonr *v)
{
    struct str s;
    int64_t i;
    double f;
    bool b;
    switch (jsonr_type(v)) {
    case JSONR_OBJECT:
        jsonw_object(w);
        for (struct jsonr_iter it = jsonr_first(v); it.value; it = jsonr_next(it)) {
            jsonw_key_str(w, it.key);
            write_value(w, it.value);
        }
        jsonw_end(w);
        return;
    case JSONR_ARRAY:
        jsonw_array(w);
        for (size_t k = 0; k < jsonr_len(v); k++)
            write_value(w, jsonr_at(v, k));
        jsonw_end(w);
        return;
    case JSONR_STR:
        if (jsonr_str(v, &s))
            jsonw_str(w, s);
        return;
    case JSONR_INT:
        if (jsonr_i64(v, &i))
            jsonw_i64(w, i);
        return;
    case JSONR_FLOAT:
        if (jsonr_f64(v, &f))
            jsonw_f64(w, f);
        return;
    case JSONR_BOOL:
        if (jsonr_bool(v, &b))
            jsonw_bool(w, b);
        return;
    case JSONR_NULL:
    case JSONR_ABSENT:
        jsonw_null(w);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err;
    struct jsonr_doc *doc = jsonr_parse(str_make((const char *)data, n), &err);
    if (!doc)
        return 0;
    struct buf once = BUF_INIT, twice = BUF_INIT;
    struct jsonw w = JSONW_INIT(&once), w2 = JSONW_INIT(&twice);
    write_value(&w, jsonr_root(doc));
    jsonr_free(doc);
    doc = jsonr_parse(buf_view(&once), &err);
    if (!doc)
        abort();
    write_value(&w2, jsonr_root(doc));
    if (once.n != twice.n) /* members may change places, lengths may not */
        abort();
    jsonr_free(doc);
    buf_deinit(&once);
    buf_deinit(&twice);
    return 0;
}
