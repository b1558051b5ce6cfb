#include "codec/compress.h"

#include <libdeflate.h>
#include <zstd.h>

#include <stdlib.h>

enum flavour { FLAVOUR_GZIP, FLAVOUR_ZLIB, FLAVOUR_RAW };

static bool too_large(const char *what, size_t bytes_max, struct err *err) {
    return err_set(err, ERR_TOO_LARGE,
                   "%s data grows past the limit of %zu bytes when decompressed", what, bytes_max);
}

/* One member; *out_used: its bytes in `in`. Doubles the room until it fits or the cap is passed. */
static bool deflate_member(struct libdeflate_decompressor *d, enum flavour flavour, struct str in,
                           size_t out_start, size_t bytes_max, struct buf *out, size_t *out_used,
                           struct err *err) {
    static const char *const names[] = {"gzip", "deflate", "deflate"};
    size_t produced = out->n - out_start, left = bytes_max - produced;
    size_t room = in.n > left / 4 ? left : in.n * 4;
    if (room < 4096)
        room = left < 4096 ? left : 4096;
    for (;;) {
        /* One byte more than allowed, so that "exactly full" and "too much" can be told apart. */
        if (!buf_reserve(out, room + 1))
            return err_set(err, ERR_INTERNAL, "no memory to decompress %zu bytes", room);
        size_t n = 0;
        enum libdeflate_result r;
        char *to = out->p + out->n;
        if (flavour == FLAVOUR_GZIP)
            r = libdeflate_gzip_decompress_ex(d, in.p, in.n, to, room, out_used, &n);
        else if (flavour == FLAVOUR_ZLIB)
            r = libdeflate_zlib_decompress_ex(d, in.p, in.n, to, room, out_used, &n);
        else
            r = libdeflate_deflate_decompress_ex(d, in.p, in.n, to, room, out_used, &n);
        if (r == LIBDEFLATE_SUCCESS) {
            out->n += n;
            out->p[out->n] = 0;
            return true;
        }
        if (r != LIBDEFLATE_INSUFFICIENT_SPACE)
            return err_set(err, ERR_BAD_INPUT,
                           "the body is not valid %s data (damaged or cut short)", names[flavour]);
        if (room >= left)
            return too_large(names[flavour], bytes_max, err);
        room = room > left / 2 ? left : room * 2;
    }
}

static bool deflate_all(enum flavour flavour, struct str in, size_t bytes_max, struct buf *out,
                        struct err *err) {
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (!d)
        return err_set(err, ERR_INTERNAL, "no memory for a decompressor");
    size_t start = out->n;
    bool ok = true;
    do {
        size_t used = 0;
        ok = deflate_member(d, flavour, in, start, bytes_max, out, &used, err);
        in = str_from_offset(in, used);
    } while (ok && flavour == FLAVOUR_GZIP && in.n >= 2 && (unsigned char)in.p[0] == 0x1f &&
             (unsigned char)in.p[1] == 0x8b); /* gzip files may be concatenated */
    libdeflate_free_decompressor(d);
    if (!ok && out->p) {
        out->n = start;
        out->p[start] = 0;
    }
    return ok;
}

bool compress_gunzip(struct str in, size_t bytes_max, struct buf *out, struct err *err) {
    return deflate_all(FLAVOUR_GZIP, in, bytes_max, out, err);
}

bool compress_inflate(struct str in, size_t bytes_max, struct buf *out, struct err *err) {
    bool zlib = in.n >= 2 && (in.p[0] & 0x0f) == 8 &&
                (((unsigned char)in.p[0] << 8) | (unsigned char)in.p[1]) % 31 == 0;
    return deflate_all(zlib ? FLAVOUR_ZLIB : FLAVOUR_RAW, in, bytes_max, out, err);
}

bool compress_unzstd(struct str in, size_t bytes_max, struct buf *out, struct err *err) {
    ZSTD_DStream *z = ZSTD_createDStream();
    if (!z)
        return err_set(err, ERR_INTERNAL, "no memory for a decompressor");
    /* The window is memory too: 8 MiB is what RFC 8878 asks a receiver to support. */
    (void)ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, 23);
    size_t start = out->n, more = 1;
    ZSTD_inBuffer from = {in.p, in.n, 0};
    bool ok = true;
    while (ok && (from.pos < from.size || more)) {
        size_t left = bytes_max - (out->n - start), step = ZSTD_DStreamOutSize();
        if (!buf_reserve(out, step)) {
            ok = err_set(err, ERR_INTERNAL, "no memory to decompress");
            break;
        }
        size_t in_before = from.pos;
        ZSTD_outBuffer to = {out->p + out->n, step, 0};
        more = ZSTD_decompressStream(z, &to, &from);
        if (ZSTD_isError(more))
            ok = err_set(err, ERR_BAD_INPUT, "the body is not valid zstd data: %s",
                         ZSTD_getErrorName(more));
        else if (to.pos > left)
            ok = too_large("zstd", bytes_max, err);
        else if (to.pos == 0 && from.pos == in_before && more)
            ok = err_set(err, ERR_BAD_INPUT, "the zstd data is cut short");
        else
            out->n += to.pos;
    }
    ZSTD_freeDStream(z);
    if (!ok)
        out->n = start;
    if (out->p)
        out->p[out->n] = 0;
    return ok;
}

bool compress_decode(struct str encoding, struct str in, size_t bytes_max, struct buf *out,
                     struct err *err) {
    encoding = str_trim(encoding);
    if (encoding.n == 0 || str_eq_nocase(encoding, STR("identity"))) {
        if (in.n > bytes_max)
            return err_set(err, ERR_TOO_LARGE, "the body has %zu bytes, the limit is %zu", in.n,
                           bytes_max);
        buf_puts(out, in);
        return buf_ok(out) || err_set(err, ERR_INTERNAL, "no memory for a body of %zu bytes", in.n);
    }
    if (str_eq_nocase(encoding, STR("gzip")) || str_eq_nocase(encoding, STR("x-gzip")))
        return compress_gunzip(in, bytes_max, out, err);
    if (str_eq_nocase(encoding, STR("deflate")))
        return compress_inflate(in, bytes_max, out, err);
    if (str_eq_nocase(encoding, STR("zstd")))
        return compress_unzstd(in, bytes_max, out, err);
    return err_set(
        err, ERR_UNSUPPORTED,
        "Content-Encoding \"%.*s\" is not supported; send gzip, deflate, zstd or identity",
        STR_FMT(encoding));
}

bool compress_gzip(struct str in, int level, struct buf *out, struct err *err) {
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
    if (!c)
        return err_set(err, ERR_INTERNAL, "no memory for a compressor");
    size_t bound = libdeflate_gzip_compress_bound(c, in.n);
    bool ok = buf_reserve(out, bound + 1);
    size_t n = ok ? libdeflate_gzip_compress(c, in.p ? in.p : "", in.n, out->p + out->n, bound) : 0;
    libdeflate_free_compressor(c);
    if (!n)
        return err_set(err, ERR_INTERNAL, "no memory to compress %zu bytes", in.n);
    out->n += n;
    out->p[out->n] = 0;
    return true;
}

bool compress_zstd(struct str in, int level, struct buf *out, struct err *err) {
    size_t bound = ZSTD_compressBound(in.n);
    if (!buf_reserve(out, bound + 1))
        return err_set(err, ERR_INTERNAL, "no memory to compress %zu bytes", in.n);
    size_t n = ZSTD_compress(out->p + out->n, bound, in.p ? in.p : "", in.n, level);
    if (ZSTD_isError(n))
        return err_set(err, ERR_INTERNAL, "cannot compress: %s", ZSTD_getErrorName(n));
    out->n += n;
    out->p[out->n] = 0;
    return true;
}
