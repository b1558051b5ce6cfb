/* web.h - the screen's files, made at build time by tools/embed_assets.py (empty without
 * HINOMI_WEB). */
#ifndef APP_SERVER_WEB_H
#define APP_SERVER_WEB_H

#include "api/assets.h"

extern const struct asset assets_web[];
extern const size_t assets_web_n;

#endif
