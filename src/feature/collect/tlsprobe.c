#include "feature/collect/tlsprobe.h"

#include "feature/collect/emit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_BYTES_MAX 512

bool tlsprobe_connect(const char *address, uint16_t port, int *out_fd, struct err *err) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool six = inet_pton(AF_INET, address, &v4.sin_addr) != 1;
    if (six && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
        return err_set(err, ERR_BAD_INPUT, "%s is no address", address);
    int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(err, ERR_UNAVAILABLE, errno, "socket");
    int r = six ? connect(fd, (const struct sockaddr *)&v6, sizeof(v6))
                : connect(fd, (const struct sockaddr *)&v4, sizeof(v4));
    int failed = r == 0 ? 0 : errno;
    if (failed == EINPROGRESS) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        socklen_t n = sizeof(failed);
        if (poll(&p, 1, TLSPROBE_MS) != 1)
            failed = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &n) != 0)
            failed = errno;
    }
    if (failed) {
        close(fd);
        return err_sys(err, failed == ETIMEDOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE, failed, "%s:%u",
                       address, port);
    }
    *out_fd = fd;
    return true;
}

static struct str text(struct arena *a, const char *p, size_t n) {
    struct buf b = BUF_INIT;
    emit_clean(&b, str_make(p, n), TEXT_BYTES_MAX);
    struct str s = buf_ok(&b) && b.n ? arena_str(a, buf_view(&b)) : (struct str){NULL, 0};
    buf_deinit(&b);
    return s;
}

static void read_names(gnutls_x509_crt_t crt, struct arena *a, struct tlsprobe_result *out) {
    for (unsigned i = 0; out->n_names < TLSPROBE_NAMES_MAX && i < 256; i++) {
        char name[TEXT_BYTES_MAX];
        size_t n = sizeof(name);
        int type = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &n, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        char ip[INET6_ADDRSTRLEN];
        if (type == GNUTLS_SAN_DNSNAME)
            out->names[out->n_names++] = text(a, name, n);
        else if (type == GNUTLS_SAN_IPADDRESS && (n == 4 || n == 16) &&
                 inet_ntop(n == 4 ? AF_INET : AF_INET6, name, ip, sizeof(ip)))
            out->names[out->n_names++] = text(a, ip, strlen(ip));
    }
}

static int64_t ms_of(time_t t) {
    return t == (time_t)-1 ? INT64_MIN : (int64_t)t * 1000;
}

static bool read_one(struct str der, bool leaf, struct arena *a, struct tlsprobe_result *out) {
    gnutls_x509_crt_t crt;
    gnutls_datum_t d = {(unsigned char *)(uintptr_t)der.p, (unsigned)der.n};
    if (der.n > 65536 || gnutls_x509_crt_init(&crt) < 0)
        return false;
    bool ok = gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_DER) == 0;
    if (ok) {
        int64_t end = ms_of(gnutls_x509_crt_get_expiration_time(crt));
        if (end != INT64_MIN &&
            (out->earliest_not_after_ms == INT64_MIN || end < out->earliest_not_after_ms))
            out->earliest_not_after_ms = end;
        char dn[TEXT_BYTES_MAX];
        size_t n = sizeof(dn);
        if (leaf) {
            out->not_after_ms = end;
            out->not_before_ms = ms_of(gnutls_x509_crt_get_activation_time(crt));
            if (gnutls_x509_crt_get_dn(crt, dn, &n) == 0)
                out->subject = text(a, dn, n);
            n = sizeof(dn);
            if (gnutls_x509_crt_get_issuer_dn(crt, dn, &n) == 0)
                out->issuer = text(a, dn, n);
            read_names(crt, a, out);
        }
    }
    gnutls_x509_crt_deinit(crt);
    return ok;
}

bool tlsprobe_read_chain(const struct tlsprobe_der *chain, struct arena *a,
                         struct tlsprobe_result *out, struct err *err) {
    struct tlsprobe_result r = {
        .not_before_ms = INT64_MIN, .not_after_ms = INT64_MIN, .earliest_not_after_ms = INT64_MIN};
    if (chain->n == 0 || !read_one(chain->cert[0], true, a, &r))
        return err_set(err, ERR_BAD_INPUT, "it shows no X.509 certificate that can be read");
    for (size_t i = 1; i < chain->n; i++)
        (void)read_one(chain->cert[i], false, a, &r);
    if (a->failed)
        return arena_err(a, err);
    *out = r;
    return true;
}

static bool handshake(int fd, struct arena *a, struct tlsprobe_result *out, struct err *err) {
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    if (gnutls_certificate_allocate_credentials(&credentials) < 0)
        return err_set(err, ERR_INTERNAL, "out of memory");
    bool ok = gnutls_init(&session, GNUTLS_CLIENT) == 0;
    if (!ok) {
        gnutls_certificate_free_credentials(credentials);
        return err_set(err, ERR_INTERNAL, "out of memory");
    }
    /* old protocols too: an old server's certificate is the one most in need of a look */
    (void)gnutls_priority_set_direct(session, "NORMAL:+VERS-ALL:%COMPAT", NULL);
    (void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(session, fd);
    gnutls_handshake_set_timeout(session, TLSPROBE_MS);
    int r;
    do
        r = gnutls_handshake(session);
    while (r < 0 && !gnutls_error_is_fatal(r));
    unsigned n = 0;
    /* a server that asks for a client's certificate ends with an error, but has shown its own */
    const gnutls_datum_t *certs = gnutls_certificate_get_peers(session, &n);
    if (certs && n) {
        struct tlsprobe_der chain = {.n = n < TLSPROBE_CHAIN_MAX ? n : TLSPROBE_CHAIN_MAX};
        for (size_t i = 0; i < chain.n; i++)
            chain.cert[i] = str_make((const char *)certs[i].data, certs[i].size);
        ok = tlsprobe_read_chain(&chain, a, out, err);
    } else {
        ok = err_set(err, r == GNUTLS_E_TIMEDOUT ? ERR_TIMEOUT : ERR_BAD_INPUT, "no TLS: %s",
                     r < 0 ? gnutls_strerror(r) : "no certificate was sent");
    }
    if (r == 0)
        (void)gnutls_bye(session, GNUTLS_SHUT_WR);
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
    return ok;
}

bool tlsprobe(const char *address, uint16_t port, struct arena *a, struct tlsprobe_result *out,
              struct err *err) {
    int fd;
    if (!tlsprobe_connect(address, port, &fd, err))
        return false;
    int flags = fcntl(fd, F_GETFL);
    struct timeval limit = {TLSPROBE_MS / 1000, 0};
    bool ok = flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
              setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
              setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0;
    ok = ok ? handshake(fd, a, out, err) : err_sys(err, ERR_UNAVAILABLE, errno, "socket");
    close(fd);
    return ok;
}
