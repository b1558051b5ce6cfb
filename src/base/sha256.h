/* sha256.h - SHA-256 (FIPS 180-4), for what must not be guessed back: hashes of random tokens at
 * rest. Not for passwords (those are argon2id, feature/account). */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base/str.h"

#define SHA256_BYTES 32

void sha256(struct str in, unsigned char out[SHA256_BYTES]);

#endif
