/* jsonw.h - writes JSON into a buf: commas and escapes are placed by the writer, the cap is the
 * buf's.
 *
 *   struct jsonw w = JSONW_INIT(&buf);
 *   jsonw_object(&w);
 *   jsonw_key(&w, "status"), jsonw_z(&w, "success");
 *   jsonw_kstr(&w, "name", name);
 *   jsonw_end(&w);
 *
 * Strings need not be valid UTF-8: a bad byte becomes U+FFFD, so the output always is. NaN and
 * infinities have no JSON form: jsonw_f64 writes null. Nesting past JSONW_DEPTH_MAX is a programmer
 * error (assert). Errors: only the buf's sticky failure. One thread. Source: RFC 8259.
 */
#ifndef CODEC_JSONW_H
#define CODEC_JSONW_H

#include "base/buf.h"

#define JSONW_DEPTH_MAX 64

struct jsonw {
    struct buf *out;
    uint64_t has_item;  /* bit d: the container at depth d has an item */
    uint64_t is_object; /* bit d: it is an object */
    unsigned depth;
    bool after_key;
};
#define JSONW_INIT(buf) ((struct jsonw){.out = (buf)})

void jsonw_object(struct jsonw *w);
void jsonw_array(struct jsonw *w);
void jsonw_end(struct jsonw *w); /* of the innermost object or array */
void jsonw_key(struct jsonw *w, const char *key);
void jsonw_key_str(struct jsonw *w, struct str key);
void jsonw_str(struct jsonw *w, struct str s);
void jsonw_z(struct jsonw *w, const char *z); /* NULL: null */
void jsonw_printf(struct jsonw *w, const char *fmt, ...)
    PRINTF_LIKE(2, 3); /* a string, at most 1 KiB */
void jsonw_i64(struct jsonw *w, int64_t v);
void jsonw_u64(struct jsonw *w, uint64_t v);
void jsonw_f64(struct jsonw *w, double v);
void jsonw_bool(struct jsonw *w, bool v);
void jsonw_null(struct jsonw *w);
void jsonw_raw(struct jsonw *w, struct str json); /* already JSON: trusted */
void jsonw_time(struct jsonw *w, int64_t ts_ms);  /* RFC 3339 string, UTC */

/* key and value at once */
void jsonw_kstr(struct jsonw *w, const char *key, struct str s);
void jsonw_kz(struct jsonw *w, const char *key, const char *z);
void jsonw_ki64(struct jsonw *w, const char *key, int64_t v);
void jsonw_ku64(struct jsonw *w, const char *key, uint64_t v);
void jsonw_kf64(struct jsonw *w, const char *key, double v);
void jsonw_kbool(struct jsonw *w, const char *key, bool v);
void jsonw_ktime(struct jsonw *w, const char *key, int64_t ts_ms);
void jsonw_kobject(struct jsonw *w, const char *key);
void jsonw_karray(struct jsonw *w, const char *key);

/* "s" with quotes and escapes, outside any writer. */
void jsonw_quote(struct buf *out, struct str s);

#endif
