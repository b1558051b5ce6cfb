/* account_int.h - what the files of this folder share. */
#ifndef FEATURE_ACCOUNT_ACCOUNT_INT_H
#define FEATURE_ACCOUNT_ACCOUNT_INT_H

#include "base/map.h"
#include "feature/account/account.h"
#include "os/thread.h"

#define ACCOUNT_HASH_BYTES 32
#define ACCOUNT_RANDOM_BYTES 32
#define ACCOUNT_ENCODED_BYTES 43 /* 32 bytes as base64url without padding */
#define ACCOUNT_TOKEN_PREFIX "hnm_"

struct account_hash {
    unsigned char v[ACCOUNT_HASH_BYTES];
};

/* A session or token that was seen lately; in one block with its strings. */
struct account_entry {
    struct account_hash hash;
    struct account_principal p;
    int64_t loaded_ms, seen_ms,
        written_ms; /* seen: last use; written: the last use that the store knows */
    char text[ACCOUNT_NAME_BYTES_MAX + ACCOUNT_SECRET_BYTES];
};

enum { THROTTLE_SLOTS = 4096 };
struct account_failures { /* of one key (name and address, address, or name) */
    uint64_t key;         /* 0: free */
    int64_t first_ms;
    uint32_t n;
};

struct account {
    struct state *state;
    const struct clock *clock;
    unsigned long long password_ops;
    size_t password_memory;
    char *dummy_hash;  /* of no password: an unknown name costs as much time as a known one */
    struct mutex lock; /* cache, throttle */
    struct map cache;  /* hash -> struct account_entry, heap */
    struct account_failures failures[THROTTLE_SLOTS];
    struct mutex hashing; /* one password at a time: 64 MiB each */
    unsigned n_hashing;   /* running or waiting; under lock */
};

/* Only for tests: real passwords cost 64 MiB and a tenth of a second each. */
void account_int_cheap_passwords(struct account *ac);

int64_t account_int_now(const struct account *ac);
/* 32 random bytes as text behind `prefix`; out: strlen(prefix) + 44 bytes. */
void account_int_secret(const char *prefix, char *out);
void account_int_hash(struct str secret, struct account_hash *out);
/* Whether it has the length and alphabet of one of ours; anything else needs no look into the
 * store. */
bool account_int_is_secret(struct str secret, const char *prefix);
bool account_int_password_hash(struct account *ac, struct str password, char *out /* 128 */,
                               struct err *err) MUST_USE;
/* hash NULL: no such user; takes the same time and says false. */
bool account_int_password_verify(struct account *ac, const char *hash, struct str password,
                                 bool *out_ok, struct err *err) MUST_USE;
bool account_int_check_name(struct str name, const char *what, struct err *err) MUST_USE;
bool account_int_audit(struct state_tx *tx, int64_t now_ms, const struct account_actor *by,
                       struct str action, struct str object, struct str detail,
                       struct err *err) MUST_USE;

/* The cache. get: copies into *out (strings in the arena), marks it used; *out_write says that the
 * use should be written down. false: not there, or due to be read again. */
bool account_int_cache_get(struct account *ac, const struct account_hash *h, struct arena *a,
                           struct account_principal *out, bool *out_write);
void account_int_cache_put(struct account *ac, const struct account_hash *h,
                           const struct account_principal *p, int64_t seen_ms, int64_t written_ms);
void account_int_cache_drop(struct account *ac);

int64_t account_int_throttle_wait_ms(struct account *ac, struct str name, struct str peer);
void account_int_throttle_failed(struct account *ac, struct str name, struct str peer);
void account_int_throttle_passed(struct account *ac, struct str name, struct str peer);

#endif
