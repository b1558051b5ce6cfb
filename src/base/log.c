#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static _Atomic int log_threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level) {
    atomic_store(&log_threshold, (int)level);
}

void log_line(enum log_level level, const char *room, const char *fmt, ...) {
    static const char *names[] = {"debug", "info", "warn", "error"};
    if ((int)level < atomic_load(&log_threshold))
        return;
    char text[1024], line[1400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    struct tm tm;
    if (!gmtime_r(&now.tv_sec, &tm))
        return;
    int n = snprintf(line, sizeof(line),
                     "ts=%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ level=%s room=%s msg=\"",
                     tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                     now.tv_nsec / 1000000, names[level], room);
    size_t k = n > 0 ? (size_t)n : 0;
    for (const char *p = text; *p && k + 4 < sizeof(line); p++) {
        if (*p == '"' || *p == '\\')
            line[k++] = '\\';
        line[k++] = (unsigned char)*p < 0x20 ? ' ' : *p;
    }
    line[k++] = '"';
    line[k++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, k);
    (void)written; /* nobody to tell when standard error is gone */
}
