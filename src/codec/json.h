/* json.h - JSON for everyone: the bounded writer (codec/jsonw.h) and the bounded reader
 * (codec/jsonr.h). Source: RFC 8259. */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include "codec/jsonr.h"
#include "codec/jsonw.h"

#endif
