#include "net/http_testlib.h"

#include "os/file.h"
#include "os/random.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int t_connect(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval tv = {10, 0};
    int one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&in, sizeof(in)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void t_send_n(int fd, const void *bytes, size_t n) {
    const char *p = bytes;
    while (n) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k <= 0)
            return;
        p += k;
        n -= (size_t)k;
    }
}

void t_send(int fd, const char *bytes) {
    t_send_n(fd, bytes, strlen(bytes));
}

struct reader {
    int fd;
    bool eof;
};

/* Byte by byte, so that nothing of a following answer is taken. */
static bool get(struct reader *r, char *c) {
    ssize_t n = r->eof ? 0 : recv(r->fd, c, 1, 0);
    if (n <= 0)
        r->eof = true;
    return n > 0;
}

static void get_n(struct reader *r, struct buf *b, uint64_t n) {
    while (n && !r->eof && buf_reserve(b, 65536)) {
        ssize_t k = recv(r->fd, b->p + b->n, n < 65536 ? (size_t)n : 65536, 0);
        if (k <= 0) {
            r->eof = true;
            break;
        }
        b->n += (size_t)k;
        b->p[b->n] = 0;
        n -= (uint64_t)k;
    }
}

static bool get_line(struct reader *r, char *line, size_t max) {
    size_t n = 0;
    char c;
    while (get(r, &c) && n + 1 < max) {
        if (c == '\n') {
            line[n && line[n - 1] == '\r' ? n - 1 : n] = 0;
            return true;
        }
        line[n++] = c;
    }
    return false;
}

struct str t_header(const struct t_answer *a, const char *name) {
    struct str rest = buf_view(&a->head), line;
    while (str_next(&rest, '\n', &line)) {
        size_t colon = str_find_char(line, ':');
        if (colon != SIZE_MAX && str_eq_nocase(str_sub(line, 0, colon), str_from(name)))
            return str_trim(str_from_offset(line, colon + 1));
    }
    return (struct str){NULL, 0};
}

bool t_has_header(const struct t_answer *a, const char *name, const char *value) {
    return str_eq(t_header(a, name), str_from(value));
}

static void get_chunks(struct reader *r, struct t_answer *out) {
    char line[256];
    while (get_line(r, line, sizeof(line))) {
        unsigned long n = strtoul(line, NULL, 16);
        get_n(r, &out->body, n);
        (void)get_line(r, line, sizeof(line));
        if (n == 0)
            return;
    }
}

void t_receive(int fd, bool head_only, struct t_answer *out) {
    *out = (struct t_answer){0};
    struct reader r = {fd, false};
    char line[8192];
    while (get_line(&r, line, sizeof(line)) && line[0]) {
        buf_putz(&out->head, line);
        buf_putc(&out->head, '\n');
    }
    if (out->head.n > 12)
        out->status = (int)strtoul(out->head.p + 9, NULL, 10);
    struct str length = t_header(out, "content-length");
    uint64_t n = 0;
    if (head_only || out->status == 204 || out->status == 304)
        ;
    else if (str_to_u64(length, &n))
        get_n(&r, &out->body, n);
    else if (t_has_header(out, "transfer-encoding", "chunked"))
        get_chunks(&r, out);
    else if (out->status)
        get_n(&r, &out->body, UINT64_MAX);
    out->closed = r.eof || t_has_header(out, "connection", "close");
}

void t_answer_deinit(struct t_answer *a) {
    buf_deinit(&a->head);
    buf_deinit(&a->body);
}

void t_call(uint16_t port, const char *request, struct t_answer *out) {
    int fd = t_connect(port);
    t_send(fd, request);
    t_receive(fd, strncmp(request, "HEAD ", 5) == 0, out);
    close(fd);
}

bool t_wait_closed(int fd) {
    char tmp[4096];
    ssize_t n;
    while ((n = recv(fd, tmp, sizeof(tmp), 0)) > 0)
        ;
    return n == 0 || errno == ECONNRESET;
}

static void write_pem(const char *dir, const char *name, const char *ext,
                      const gnutls_datum_t *pem) {
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s.%s", dir, name, ext);
    struct err err = {0};
    bool ok = file_write_atomic(path, str_make((const char *)pem->data, pem->size), 0600, &err);
    assert(ok);
}

void t_make_cert(const char *dir, const char *name) {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    gnutls_datum_t pem;
    unsigned char serial[8], loopback[4] = {127, 0, 0, 1};
    int bad = 0;
    random_bytes(serial, sizeof(serial));
    serial[0] &= 0x7f;
    bad |= gnutls_x509_privkey_init(&key);
    bad |= gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                        GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    bad |= gnutls_x509_crt_init(&crt);
    bad |= gnutls_x509_crt_set_version(crt, 3);
    bad |= gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
    bad |= gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    bad |= gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400);
    bad |= gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                         (unsigned)strlen(name));
    bad |= gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "localhost", 9,
                                                GNUTLS_FSAN_SET);
    bad |= gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, loopback, 4,
                                                GNUTLS_FSAN_APPEND);
    bad |= gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
    bad |= gnutls_x509_crt_set_key(crt, key);
    bad |= gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
    assert(!bad);
    bad |= gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);
    assert(!bad);
    write_pem(dir, name, "crt", &pem);
    gnutls_free(pem.data);
    bad |= gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
    assert(!bad);
    write_pem(dir, name, "key", &pem);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}
