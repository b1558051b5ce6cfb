/* valcodec_bench: bytes a value and rates for shapes that monitoring data has. */
#include "store/series/valcodec.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

enum { ROUNDS = 2000 };

static uint64_t rnd_state = 88172645463325252u;
static double unit(void) {
    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    rnd_state ^= rnd_state << 17;
    return (double)(rnd_state >> 11) / 9007199254740992.0;
}

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *const names[] = {
    "constant",          "counter, steady",          "counter, bursts",  "counter with resets",
    "gauge, 2 decimals", "integer, small",           "bytes, pages",     "seconds, 2 decimals",
    "full precision",    "gauge with stale markers", "ratio of integers"};

static double value(unsigned kind, double *s) {
    switch (kind) {
    case 0:
        return 42;
    case 1:
        return *s += floor(1000 + 50 * unit());
    case 2:
        return *s += unit() < 0.03 ? floor(unit() * 100000) : floor(unit() * 10);
    case 3:
        return *s = unit() < 0.005 ? 0 : *s + floor(500 + 20 * unit());
    case 4:
        return round((50 + 5 * unit()) * 100) / 100;
    case 5:
        return floor(20 * unit());
    case 6:
        return *s = unit() < 0.5 ? *s : floor(unit() * 100000) * 4096;
    case 7:
        *s += floor(unit() * 100);
        return *s / 100;
    case 8:
        return unit();
    case 9:
        return unit() < 0.02 ? (double)NAN : floor(unit() * 100);
    default:
        return floor(unit() * 1000) / floor(1 + unit() * 1000);
    }
}

int main(void) {
    static double v[VALCODEC_N_MAX], back[VALCODEC_N_MAX];
    static uint8_t out[VALCODEC_BYTES_MAX(VALCODEC_N_MAX)];
    for (unsigned kind = 0; kind < sizeof(names) / sizeof(names[0]); kind++) {
        double state = 0;
        for (size_t i = 0; i < VALCODEC_N_MAX; i++)
            v[i] = value(kind, &state);
        size_t n = 0;
        double t0 = now();
        for (int i = 0; i < ROUNDS; i++)
            n = valcodec_encode(v, VALCODEC_N_MAX, out);
        double t1 = now();
        bool ok = true;
        for (int i = 0; i < ROUNDS; i++)
            ok &= valcodec_decode(str_make((const char *)out, n), back, VALCODEC_N_MAX);
        double t2 = now(), m = (double)ROUNDS * VALCODEC_N_MAX / 1e6;
        printf("%-26s %6.3f bytes a value, encode %5.0f M/s, decode %5.0f M/s%s\n", names[kind],
               (double)n / VALCODEC_N_MAX, m / (t1 - t0), m / (t2 - t1), ok ? "" : " WRONG");
    }
    return 0;
}
