#include "base/base_testlib.h"
#include "net/dns.h"
#include "net/dns_testlib.h"

static void test_records(void **state) {
    (void)state;
    struct t_dns s;
    t_dns_start(&s);
    struct dns_options opt = {.servers = s.address, .timeout_ms = 5000};
    struct arena a = ARENA_INIT;
    struct dns_record *r;
    size_t n;
    struct err err;
    static const struct {
        enum dns_type type;
        const char *second;
        uint16_t port, priority;
    } want[] = {{DNS_A, "10.0.0.2", 0, 0},
                {DNS_AAAA, "fd00::2", 0, 0},
                {DNS_SRV, "two.example", 9101, 11},
                {DNS_MX, "mx2.example", 0, 6},
                {DNS_NS, "ns2.example", 0, 0}};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        if (!dns_lookup(&opt, "ok.test.", want[i].type, &a, &r, &n, &err))
            fail_msg("%s", err.message);
        assert_int_equal(n, 2);
        assert_true(str_eqz(r[1].name, want[i].second));
        assert_int_equal(r[1].port, want[i].port);
        assert_int_equal(r[1].priority, want[i].priority);
    }
    arena_deinit(&a);
    t_dns_stop(&s);
}

static void refuse(const struct t_dns *s, const char *name, enum err_code code) {
    struct dns_options opt = {.servers = s->address, .timeout_ms = 700};
    struct arena a = ARENA_INIT;
    struct dns_record *r;
    size_t n;
    struct err err;
    assert_false(dns_lookup(&opt, name, DNS_A, &a, &r, &n, &err));
    if (err.code != code)
        fail_msg("%s: %s", name, err.message);
    arena_deinit(&a);
}

static void test_failures(void **state) {
    (void)state;
    struct t_dns s;
    t_dns_start(&s);
    refuse(&s, "gone.test.", ERR_NOT_FOUND);
    refuse(&s, "none.test.", ERR_NOT_FOUND);
    refuse(&s, "silent.test.", ERR_TIMEOUT);
    refuse(&s, "servfail.test.", ERR_UNAVAILABLE);
    refuse(&s, "broken.test.", ERR_UNAVAILABLE);
    refuse(&s, "a..b", ERR_BAD_INPUT);
    t_dns_stop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_records),
                                       cmocka_unit_test(test_failures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
