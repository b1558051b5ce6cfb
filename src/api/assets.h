/* assets.h - the files of the screen, embedded in the executable. The array is generated from
 * web/dist by tools/embed_assets.py (a C file that defines `assets_web` and `assets_web_n`); app/
 * hands it to api_deps.
 */
#ifndef API_ASSETS_H
#define API_ASSETS_H

#include "base/str.h"

struct asset {
    const char *path; /* "/index.html", "/assets/index-3f2a.js"; sorted bytewise in the array */
    const char *content_type; /* "text/html; charset=utf-8" */
    const char *etag;         /* with its quotes: "\"<first 16 hex digits of SHA-256>\"" */
    bool immutable;           /* the name bears a hash of the content: may be cached for ever */
    struct str bytes;
    struct str gzip; /* packed beforehand; n == 0: it did not pay */
};

/* The file for a path, or NULL. */
const struct asset *assets_find(const struct asset *v, size_t n, struct str path);

#endif
