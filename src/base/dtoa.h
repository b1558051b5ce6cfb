/* dtoa.h - the shortest decimal that reads back to the same double. */
#ifndef BASE_DTOA_H
#define BASE_DTOA_H

#include <stddef.h>

#define DTOA_BYTES_MAX 352 /* -0.000...: 1 + 2 + 323 zeros + 17 digits, rounded up */

size_t dtoa_f(double v, char *out); /* Go 'f' -1: no exponent; returns the length, no NUL */
size_t dtoa_g(double v, char *out); /* Go 'g' -1: exponent when exp < -4 || exp >= 21 */
size_t dtoa_e(double v, char *out); /* Go 'e' -1: always an exponent, "1.5e+00"; zero is "0e+00" */
/* As the Prometheus API writes sample values: 'f', but 'e' below 1e-6 and from 1e21. */
size_t dtoa_json(double v, char *out);
/* Digits (no leading zero) and the decimal exponent of the first: v = 0.d1d2d3.. x 10^exp10. v > 0,
 * finite. Returns the number of digits, at most 17. */
int dtoa_digits(double v, char *out_digits, int *out_exp10);

#endif
