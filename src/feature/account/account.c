#include "feature/account/account.h"

#include "base/hash.h"
#include "feature/account/account_int.h"
#include "os/random.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdlib.h>

enum {
    HASHING_WAITERS_MAX = 4, /* more at once is an attack; each would hold a worker for its turn */
    USE_WRITTEN_MS =
        5 * 60 *
        1000 /* how stale "last used" may be: a write for each request would be an fsync each */
};
static const int64_t failures_window_ms = 15 * 60 * 1000;

static const char *const role_names[] = {"none", "viewer", "editor", "admin"};
static const char *const scope_names[ACCOUNT_SCOPE_COUNT] = {"read", "write", "admin",
                                                             "write:series", "agent"};

const char *account_role_name(enum account_role role) {
    return role_names[role];
}

bool account_role_from_name(struct str name, enum account_role *out) {
    for (int i = ACCOUNT_ROLE_VIEWER; i <= ACCOUNT_ROLE_ADMIN; i++)
        if (str_eqz(name, role_names[i])) {
            *out = (enum account_role)i;
            return true;
        }
    return false;
}

const char *account_scope_name(enum account_scope scope) {
    for (unsigned i = 0; i < ACCOUNT_SCOPE_COUNT; i++)
        if ((unsigned)scope == 1u << i)
            return scope_names[i];
    return "";
}

bool account_scope_from_name(struct str name, unsigned *out_bit) {
    for (unsigned i = 0; i < ACCOUNT_SCOPE_COUNT; i++)
        if (str_eqz(name, scope_names[i])) {
            *out_bit = 1u << i;
            return true;
        }
    return false;
}

enum account_role account_scopes_role(unsigned scopes) {
    return scopes & ACCOUNT_SCOPE_ADMIN   ? ACCOUNT_ROLE_ADMIN
           : scopes & ACCOUNT_SCOPE_WRITE ? ACCOUNT_ROLE_EDITOR
           : scopes & ACCOUNT_SCOPE_READ  ? ACCOUNT_ROLE_VIEWER
                                          : ACCOUNT_ROLE_NONE;
}

struct account *account_open(struct state *state, const struct clock *clock, struct err *err) {
    if (sodium_init() < 0) {
        (void)err_set(err, ERR_INTERNAL, "libsodium could not be started");
        return NULL;
    }
    struct account *ac = calloc(1, sizeof(*ac));
    if (!ac) {
        (void)err_set(err, ERR_INTERNAL, "no memory for accounts");
        return NULL;
    }
    ac->state = state;
    ac->clock = clock;
    ac->password_ops = crypto_pwhash_OPSLIMIT_INTERACTIVE;
    ac->password_memory = crypto_pwhash_MEMLIMIT_INTERACTIVE;
    mutex_init(&ac->lock);
    mutex_init(&ac->hashing);
    return ac;
}

void account_close(struct account *ac) {
    if (!ac)
        return;
    account_int_cache_drop(ac);
    map_deinit(&ac->cache);
    mutex_deinit(&ac->lock);
    mutex_deinit(&ac->hashing);
    free(ac->dummy_hash);
    free(ac);
}

void account_int_cheap_passwords(struct account *ac) {
    ac->password_ops = crypto_pwhash_OPSLIMIT_MIN;
    ac->password_memory = crypto_pwhash_MEMLIMIT_MIN;
}

int64_t account_int_now(const struct account *ac) {
    return clock_wall_ms(ac->clock);
}

void account_int_secret(const char *prefix, char *out) {
    unsigned char raw[ACCOUNT_RANDOM_BYTES];
    size_t n = strlen(prefix);
    random_bytes(raw, sizeof(raw));
    memcpy(out, prefix, n);
    (void)sodium_bin2base64(out + n, ACCOUNT_SECRET_BYTES, raw, sizeof(raw),
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(raw, sizeof(raw));
}

void account_int_hash(struct str secret, struct account_hash *out) {
    (void)crypto_generichash(out->v, sizeof(out->v), (const unsigned char *)secret.p, secret.n,
                             NULL, 0);
}

bool account_int_is_secret(struct str secret, const char *prefix) {
    size_t n = strlen(prefix);
    if (secret.n != n + ACCOUNT_ENCODED_BYTES || memcmp(secret.p, prefix, n) != 0)
        return false;
    for (size_t i = n; i < secret.n; i++) {
        char c = secret.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

bool account_int_check_name(struct str name, const char *what, struct err *err) {
    if (name.n == 0 || name.n > ACCOUNT_NAME_BYTES_MAX)
        return err_set(err, ERR_BAD_INPUT, "%s: expected 1 to 64 characters, found %zu", what,
                       name.n);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr("._@-", c))))
            return err_set(err, ERR_BAD_INPUT, "%s: expected letters, digits and . _ @ - only",
                           what);
    }
    return true;
}

/* ---- passwords ---- */

static bool enter_hashing(struct account *ac, struct err *err) {
    mutex_lock(&ac->lock);
    bool ok = ac->n_hashing < HASHING_WAITERS_MAX;
    if (ok)
        ac->n_hashing++;
    mutex_unlock(&ac->lock);
    if (!ok)
        return err_set(err, ERR_LIMITED,
                       "too many logins at the same moment; try again in a few seconds");
    mutex_lock(&ac->hashing);
    return true;
}

static void leave_hashing(struct account *ac) {
    mutex_unlock(&ac->hashing);
    mutex_lock(&ac->lock);
    ac->n_hashing--;
    mutex_unlock(&ac->lock);
}

bool account_int_password_hash(struct account *ac, struct str password, char *out,
                               struct err *err) {
    _Static_assert(crypto_pwhash_STRBYTES <= 128, "the caller's buffer");
    if (password.n < ACCOUNT_PASSWORD_BYTES_MIN || password.n > ACCOUNT_PASSWORD_BYTES_MAX)
        return err_set(err, ERR_BAD_INPUT, "password: expected %d to %d bytes, found %zu",
                       ACCOUNT_PASSWORD_BYTES_MIN, ACCOUNT_PASSWORD_BYTES_MAX, password.n);
    if (!enter_hashing(ac, err))
        return false;
    int rc = crypto_pwhash_str(out, password.p, password.n, ac->password_ops, ac->password_memory);
    leave_hashing(ac);
    return rc == 0 || err_set(err, ERR_UNAVAILABLE, "no memory to hash a password (64 MiB)");
}

bool account_int_password_verify(struct account *ac, const char *hash, struct str password,
                                 bool *out_ok, struct err *err) {
    char text[crypto_pwhash_STRBYTES] = {0}; /* zeros behind the text, as libsodium asks for */
    if (!enter_hashing(ac, err))
        return false;
    if (!hash && !ac->dummy_hash) {
        ac->dummy_hash = calloc(1, crypto_pwhash_STRBYTES);
        if (ac->dummy_hash && crypto_pwhash_str(ac->dummy_hash, "no such user", 12,
                                                ac->password_ops, ac->password_memory) != 0)
            ac->dummy_hash[0] = 0; /* no memory: verifies nothing, which is the right answer */
    }
    const char *with = hash ? hash : ac->dummy_hash ? ac->dummy_hash : "";
    size_t n = strlen(with);
    memcpy(text, with, n < sizeof(text) ? n : sizeof(text) - 1);
    bool same = password.n <= ACCOUNT_PASSWORD_BYTES_MAX &&
                crypto_pwhash_str_verify(text, password.p, password.n) == 0;
    leave_hashing(ac);
    *out_ok = same && hash;
    return true;
}

bool account_csrf_ok(const struct account_principal *p, struct str header) {
    return p->csrf.n == ACCOUNT_ENCODED_BYTES && header.n == p->csrf.n &&
           sodium_memcmp(p->csrf.p, header.p, header.n) == 0;
}

/* ---- cache ---- */

bool account_int_cache_get(struct account *ac, const struct account_hash *h, struct arena *a,
                           struct account_principal *out, bool *out_write) {
    int64_t now = account_int_now(ac);
    mutex_lock(&ac->lock);
    struct account_entry *e = map_get(&ac->cache, str_make((const char *)h->v, sizeof(h->v)));
    /* A clock that went back must not keep an entry for ever. */
    bool ok = e && now >= e->loaded_ms && now - e->loaded_ms < ACCOUNT_CACHE_MS;
    if (ok) {
        *out = e->p;
        out->name = arena_str(a, e->p.name);
        out->csrf = arena_str(a, e->p.csrf);
        ok = !a->failed;
        e->seen_ms = now;
        *out_write = ok && now - e->written_ms >= USE_WRITTEN_MS;
        if (*out_write)
            e->written_ms = now;
    }
    mutex_unlock(&ac->lock);
    return ok;
}

static void cache_drop_locked(struct account *ac) {
    for (struct map_entry *e = map_next(&ac->cache, NULL); e; e = map_next(&ac->cache, e))
        free(e->value);
    map_reset(&ac->cache);
}

void account_int_cache_put(struct account *ac, const struct account_hash *h,
                           const struct account_principal *p, int64_t seen_ms, int64_t written_ms) {
    struct account_entry *e = calloc(1, sizeof(*e));
    if (!e || p->name.n + p->csrf.n > sizeof(e->text)) {
        free(e);
        return; /* only slower */
    }
    e->hash = *h;
    e->p = *p;
    e->loaded_ms = account_int_now(ac);
    e->seen_ms = seen_ms;
    e->written_ms = written_ms;
    if (p->name.n)
        memcpy(e->text, p->name.p, p->name.n);
    if (p->csrf.n)
        memcpy(e->text + p->name.n, p->csrf.p, p->csrf.n);
    e->p.name = str_make(e->text, p->name.n);
    e->p.csrf = str_make(e->text + p->name.n, p->csrf.n);
    mutex_lock(&ac->lock);
    if (ac->cache.n >= ACCOUNT_CACHE_MAX)
        cache_drop_locked(ac);
    void *old = NULL;
    if (!map_put(&ac->cache, str_make((const char *)e->hash.v, sizeof(e->hash.v)), e, &old))
        free(e);
    free(old);
    mutex_unlock(&ac->lock);
}

void account_int_cache_drop(struct account *ac) {
    mutex_lock(&ac->lock);
    cache_drop_locked(ac);
    mutex_unlock(&ac->lock);
}

/* ---- throttling of logins ---- */

enum { BY_BOTH, BY_PEER, BY_NAME, BY_COUNT };
static const uint32_t failures_max[BY_COUNT] = {5, 20, 100};

/* One customer's line has a /64 of IPv6 addresses: they count as one. */
static struct str network_of(struct str peer, unsigned char v6[16]) {
    char z[64] = {0};
    if (peer.n == 0 || peer.n >= sizeof(z))
        return peer;
    memcpy(z, peer.p, peer.n);
    return inet_pton(AF_INET6, z, v6) == 1 ? str_make((const char *)v6, 8) : peer;
}

static void throttle_keys(struct str name, struct str peer, uint64_t out[BY_COUNT]) {
    unsigned char v6[16];
    uint64_t n = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < name.n && i < ACCOUNT_NAME_BYTES_MAX;
         i++) { /* names are compared without case */
        unsigned char c = (unsigned char)name.p[i];
        n = (n ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) * UINT64_C(0x100000001b3);
    }
    uint64_t p = hash_str(network_of(peer, v6));
    out[BY_BOTH] = hash_mix(hash_mix(n, p), 1) | 1;
    out[BY_PEER] = hash_mix(p, 2) | 1;
    out[BY_NAME] = hash_mix(n, 3) | 1;
}

/* The slot of a key among 8; a new key takes a free or outdated one, else the one with the fewest
 * failures, so that an attacker who floods the table with names cannot push out what is near its
 * limit. */
static struct account_failures *throttle_slot(struct account *ac, uint64_t key, int64_t now,
                                              bool make) {
    struct account_failures *best = NULL;
    for (size_t i = 0; i < 8; i++) {
        struct account_failures *f = &ac->failures[(key + i) % THROTTLE_SLOTS];
        bool old = f->key && (now - f->first_ms >= failures_window_ms || now < f->first_ms);
        if (old)
            *f = (struct account_failures){0};
        if (f->key == key)
            return f;
        if (!best || f->n < best->n)
            best = f;
    }
    if (!make)
        return NULL;
    *best = (struct account_failures){.key = key, .first_ms = now};
    return best;
}

int64_t account_int_throttle_wait_ms(struct account *ac, struct str name, struct str peer) {
    uint64_t keys[BY_COUNT];
    int64_t now = account_int_now(ac), wait = 0;
    throttle_keys(name, peer, keys);
    mutex_lock(&ac->lock);
    for (int i = 0; i < BY_COUNT; i++) {
        const struct account_failures *f = throttle_slot(ac, keys[i], now, false);
        if (f && f->n >= failures_max[i] && f->first_ms + failures_window_ms - now > wait)
            wait = f->first_ms + failures_window_ms - now;
    }
    mutex_unlock(&ac->lock);
    return wait;
}

void account_int_throttle_failed(struct account *ac, struct str name, struct str peer) {
    uint64_t keys[BY_COUNT];
    int64_t now = account_int_now(ac);
    throttle_keys(name, peer, keys);
    mutex_lock(&ac->lock);
    for (int i = 0; i < BY_COUNT; i++)
        throttle_slot(ac, keys[i], now, true)->n++;
    mutex_unlock(&ac->lock);
}

void account_int_throttle_passed(struct account *ac, struct str name, struct str peer) {
    uint64_t keys[BY_COUNT];
    throttle_keys(name, peer, keys);
    mutex_lock(&ac->lock);
    struct account_failures *f = throttle_slot(ac, keys[BY_BOTH], account_int_now(ac), false);
    if (f)
        *f = (struct account_failures){0};
    mutex_unlock(&ac->lock);
}

int64_t account_login_wait_s(struct account *ac, struct str name, struct str peer) {
    return (account_int_throttle_wait_ms(ac, name, peer) + 999) / 1000;
}
