/* Whatever parses is written again, and must parse again. */
#include "codec/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void write_value(struct jsonw *w, const struct jsonr *v) {
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct err err;
    struct jsonr_doc *doc = jsonr_parse(str_make((const char *)data, n), &err);
    if (!doc)
        return 0;
    /* Numbers may change their spelling once (-0, integers past 63 bits), members their places;
     * then all is settled. */
    struct buf text[3] = {BUF_INIT, BUF_INIT, BUF_INIT};
    for (int i = 0; i < 3; i++) {
        struct jsonw w = JSONW_INIT(&text[i]);
        write_value(&w, jsonr_root(doc));
        jsonr_free(doc);
        doc = jsonr_parse(buf_view(&text[i]), &err);
        if (!doc)
            abort();
    }
    if (text[1].n != text[2].n)
        abort();
    jsonr_free(doc);
    for (int i = 0; i < 3; i++)
        buf_deinit(&text[i]);
    return 0;
}
