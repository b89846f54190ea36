"""The C text that opens every generated file: the context, bailing out, and Python's arithmetic on 64-bit machines.

It includes no header, so that a compiler without the C library's headers is enough. Every operation either gives
exactly what Python gives or calls ``brl_bail``, which unwinds to the entry function; the call is then redone in Python.
Functions of libm are reached only through ``brl_math``, filled in by the loader with this process's own pointers.
"""

from __future__ import annotations

import functools
import sys

from .cmixed import MIXED
from .cvectors import VECTORS

# Order matters: the loader fills the table in this order. All take one double.
MATH_ONE = [
    *("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "erf", "erfc", "exp", "expm1"),
    *("log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan", "tanh"),
]
if sys.version_info >= (3, 11):
    MATH_ONE += ["cbrt", "exp2"]
# All take two doubles.
MATH_TWO = ["atan2", "fmod", "pow"]
# Used by the arithmetic itself.
MATH_ROUND = ["ceil", "floor", "round", "trunc"]

SENTINEL = -(2**63) + 0x5EED

CORE = r"""
/* These warnings judge what the Python source says (x < x, (a < b) > 5, an index far outside, recursion without an end),
   not how it was translated. */
#pragma GCC diagnostic ignored "-Wtautological-compare"
#pragma GCC diagnostic ignored "-Wtype-limits"
#ifndef __clang__
/* Splitting paths would bring back the jumps that short conditionals are written to avoid. Without rounding-math, 0.0 - n
   of an int n becomes -n, which is -0.0 for 0. */
#pragma GCC optimize ("no-split-paths", "unroll-loops", "rounding-math")
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Winfinite-recursion"
#pragma GCC diagnostic ignored "-Wbool-compare"
#pragma GCC diagnostic ignored "-Wbool-operation"
#pragma GCC diagnostic ignored "-Wint-in-bool-context"
#else
#pragma clang diagnostic ignored "-Wunknown-warning-option"
#pragma clang diagnostic ignored "-Wself-assign"
#pragma clang diagnostic ignored "-Wbitwise-instead-of-logical"
#pragma clang diagnostic ignored "-Wunused-value"
#pragma clang diagnostic ignored "-Wparentheses-equality"
#pragma clang diagnostic ignored "-Wconstant-logical-operand"
#pragma clang diagnostic ignored "-Wunused-but-set-variable"
#endif

typedef __INT64_TYPE__ i64;
typedef __UINT64_TYPE__ u64;
typedef __INT32_TYPE__ i32;
typedef __UINT32_TYPE__ u32;
typedef unsigned __int128 u128;
#define BRL_UNUSED __attribute__((unused))
#define BRL_LIKELY(x) __builtin_expect(!!(x), 1)
#define BRL_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define BRL_INLINE static inline BRL_UNUSED
#define BRL_HELPER static BRL_UNUSED
#define BRL_MAX 9223372036854775807LL
#define BRL_MIN (-9223372036854775807LL - 1)
#define BRL_EXACT 9007199254740992LL
#define BRL_SENTINEL (BRL_MIN + 0x5EED)
enum { BRL_B = 1, BRL_I = 2, BRL_F = 4, BRL_NONE = 8 };

/* word: 0 run, 1 stop, 2 call yield() and go on. Written by other threads at any time. */
typedef struct { volatile i32 word; i32 pad; void (*yield)(void); } brl_control;
typedef struct { brl_control *ctl; void *jump[8]; } brl_ctx;
/* A number whose Python type is known only at run time. */
typedef struct { i64 i; double f; i32 t; } brl_n;
typedef struct { const void *p; i64 n; } brl_seq;

BRL_UNUSED static __attribute__((noreturn, cold, noinline)) void brl_bail(brl_ctx *c) { __builtin_longjmp(c->jump, 1); }
BRL_UNUSED static __attribute__((cold, noinline)) i64 brl_bail_i(brl_ctx *c) { brl_bail(c); }
BRL_UNUSED static __attribute__((cold, noinline)) void brl_poll_slow(brl_ctx *c) {
    i32 yields = 2;
    if (__atomic_compare_exchange_n(&c->ctl->word, &yields, 0, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        c->ctl->yield();
    if (c->ctl->word == 1) brl_bail(c);
}
/* word: this function's own copy of the address, which stays in a register. */
#define BRL_POLL(c) do { if (BRL_UNLIKELY(*word)) brl_poll_slow(c); } while (0)
#define BRL_WORD(c) volatile i32 *word BRL_UNUSED = &(c)->ctl->word
#define BRL_CHECK(bad) do { if (BRL_UNLIKELY(bad)) brl_bail(c); } while (0)

BRL_INLINE brl_n brl_nb(i64 v) { brl_n r = {v, 0.0, BRL_B}; return r; }
BRL_INLINE brl_n brl_ni(i64 v) { brl_n r = {v, 0.0, BRL_I}; return r; }
BRL_INLINE brl_n brl_nf(double v) { brl_n r = {0, v, BRL_F}; return r; }
BRL_INLINE brl_n brl_none(void) { brl_n r = {0, 0.0, BRL_NONE}; return r; }
BRL_INLINE brl_n brl_tagged(i32 t, i64 i, double f) { brl_n r = {i, f, t}; return r; }
BRL_INLINE double brl_n_f(brl_n v) { return v.t == BRL_F ? v.f : (double)v.i; }
BRL_INLINE i64 brl_n_i(brl_ctx *c, brl_n v) { BRL_CHECK(v.t == BRL_F); return v.i; }
BRL_INLINE i64 brl_n_truth(brl_n v) { return v.t == BRL_F ? v.f != 0.0 : v.i != 0; }
BRL_INLINE double brl_bits(u64 v) { double r; __builtin_memcpy(&r, &v, 8); return r; }
BRL_INLINE double brl_abs_f(double v) { return __builtin_fabs(v); }
BRL_INLINE i64 brl_isnan(double v) { return v != v; }
BRL_INLINE i64 brl_isinf(double v) { return brl_abs_f(v) == __builtin_inf(); }
BRL_INLINE i64 brl_isfinite(double v) { return brl_abs_f(v) < __builtin_inf(); }

/* int */
BRL_INLINE i64 brl_add(brl_ctx *c, i64 a, i64 b) { i64 r; BRL_CHECK(__builtin_add_overflow(a, b, &r)); return r; }
BRL_INLINE i64 brl_sub(brl_ctx *c, i64 a, i64 b) { i64 r; BRL_CHECK(__builtin_sub_overflow(a, b, &r)); return r; }
BRL_INLINE i64 brl_mul(brl_ctx *c, i64 a, i64 b) { i64 r; BRL_CHECK(__builtin_mul_overflow(a, b, &r)); return r; }
/* Both arms of a short conditional are worked out and one is taken, so overflow is noted first and judged later. */
BRL_INLINE i64 brl_w_add(i64 a, i64 b, i64 *over) { i64 r; *over |= __builtin_add_overflow(a, b, &r); return r; }
BRL_INLINE i64 brl_w_sub(i64 a, i64 b, i64 *over) { i64 r; *over |= __builtin_sub_overflow(a, b, &r); return r; }
BRL_INLINE i64 brl_w_mul(i64 a, i64 b, i64 *over) { i64 r; *over |= __builtin_mul_overflow(a, b, &r); return r; }
/* a * x + b stays within 64 bits exactly where lo <= x <= hi. One comparison, which nothing waits for. */
BRL_INLINE i64 brl_w_linear(i64 x, i64 a, i64 b, i64 lo, i64 hi, i64 *over) {
    *over |= (x < lo) | (x > hi);
    return (i64)((u64)a * (u64)x + (u64)b);
}
BRL_UNUSED static __attribute__((cold, noinline)) void brl_judge(brl_ctx *c, i64 yes, i64 over_yes, i64 over_no) {
    BRL_CHECK((over_yes & yes) | (over_no & (yes ^ 1)));
}
BRL_INLINE i64 brl_choose(brl_ctx *c, i64 yes, i64 first, i64 second, i64 over_yes, i64 over_no) {
    if (BRL_UNLIKELY(over_yes | over_no)) brl_judge(c, yes, over_yes, over_no);
    /* Both are in registers here: otherwise the compiler may move them behind the jump that is to be avoided. */
    __asm__("" : "+r"(first), "+r"(second));
    return yes ? first : second;
}
BRL_INLINE i64 brl_neg(brl_ctx *c, i64 a) { BRL_CHECK(a == BRL_MIN); return -a; }
BRL_INLINE i64 brl_abs(brl_ctx *c, i64 a) { BRL_CHECK(a == BRL_MIN); return a < 0 ? -a : a; }
BRL_INLINE i64 brl_mod(brl_ctx *c, i64 a, i64 b) {
    i64 r;
    BRL_CHECK(b == 0);
    /* Division of 32 bits is several times faster on many machines, and most numbers are small. */
    if (BRL_LIKELY((((u64)a | (u64)b) >> 32) == 0)) return (i64)((u32)a % (u32)b);
    if (b == -1) return 0;
    r = a % b;
    if (r != 0 && (r ^ b) < 0) r += b;
    return r;
}
BRL_INLINE i64 brl_floordiv(brl_ctx *c, i64 a, i64 b) {
    i64 q, r;
    BRL_CHECK(b == 0);
    if (BRL_LIKELY((((u64)a | (u64)b) >> 32) == 0)) return (i64)((u32)a / (u32)b);
    if (b == -1) return brl_neg(c, a);
    q = a / b;
    r = a % b;
    if (r != 0 && (r ^ b) < 0) q -= 1;
    return q;
}
BRL_INLINE double brl_truediv(brl_ctx *c, i64 a, i64 b) {
    BRL_CHECK(b == 0 || a > BRL_EXACT || a < -BRL_EXACT || b > BRL_EXACT || b < -BRL_EXACT);
    return (double)a / (double)b;
}
BRL_INLINE i64 brl_lshift(brl_ctx *c, i64 a, i64 b) {
    i64 r;
    BRL_CHECK(b < 0);
    if (a == 0) return 0;
    BRL_CHECK(b > 62);
    r = (i64)((u64)a << b);
    BRL_CHECK((r >> b) != a);
    return r;
}
BRL_INLINE i64 brl_rshift(brl_ctx *c, i64 a, i64 b) { BRL_CHECK(b < 0); return b > 63 ? (a < 0 ? -1 : 0) : a >> b; }
BRL_HELPER i64 brl_ipow(brl_ctx *c, i64 a, i64 b) {
    i64 r = 1;
    BRL_CHECK(b < 0);
    if (a == 0 || a == 1) return b == 0 ? 1 : a;
    if (a == -1) return (b & 1) ? -1 : 1;
    for (;;) {
        if (b & 1) r = brl_mul(c, r, a);
        b >>= 1;
        if (b == 0) return r;
        a = brl_mul(c, a, a);
    }
}
BRL_HELPER i64 brl_powmod(brl_ctx *c, i64 a, i64 b, i64 m) {
    u64 n, x, r;
    BRL_CHECK(m == 0 || b < 0 || m == BRL_MIN);
    n = (u64)(m < 0 ? -m : m);
    x = (u64)brl_mod(c, a, (i64)n);
    r = 1 % n;
    while (b) {
        if (b & 1) r = (u64)((u128)r * x % n);
        x = (u64)((u128)x * x % n);
        b >>= 1;
    }
    return (m < 0 && r != 0) ? (i64)r + m : (i64)r;
}
BRL_HELPER i64 brl_gcd(brl_ctx *c, i64 a, i64 b) {
    a = brl_abs(c, a);
    b = brl_abs(c, b);
    while (b) { i64 r = a % b; a = b; b = r; }
    return a;
}
BRL_HELPER i64 brl_lcm(brl_ctx *c, i64 a, i64 b) {
    i64 g = brl_gcd(c, a, b);
    return g == 0 ? 0 : brl_abs(c, brl_mul(c, a / g, b));
}
BRL_HELPER i64 brl_isqrt(brl_ctx *c, i64 n) {
    u64 v = (u64)n, r = 0, bit = (u64)1 << 62;
    BRL_CHECK(n < 0);
    while (bit > v) bit >>= 2;
    while (bit) {
        if (v >= r + bit) { v -= r + bit; r = (r >> 1) + bit; } else r >>= 1;
        bit >>= 2;
    }
    return (i64)r;
}
BRL_HELPER i64 brl_factorial(brl_ctx *c, i64 n) {
    u64 r = 1, k;
    BRL_CHECK(n < 0 || n > 20);
    /* As unsigned: for a literal beyond 20 compilers warn of an overflow here, although it is never reached. */
    for (k = 2; k <= (u64)n; k++) r *= k;
    return (i64)r;
}
BRL_INLINE i64 brl_at(brl_ctx *c, i64 k, i64 n) { if (k < 0) k += n; BRL_CHECK(k < 0 || k >= n); return k; }
BRL_INLINE i64 brl_from_u64(brl_ctx *c, u64 v) { BRL_CHECK(v > (u64)BRL_MAX); return (i64)v; }
BRL_INLINE u64 brl_trips(brl_ctx *c, i64 start, i64 stop, i64 step) {
    BRL_CHECK(step == 0);
    if (step > 0) return start >= stop ? 0 : ((u64)stop - (u64)start - 1) / (u64)step + 1;
    return start <= stop ? 0 : ((u64)start - (u64)stop - 1) / (0 - (u64)step) + 1;
}

/* float */
BRL_INLINE double brl_fdiv(brl_ctx *c, double a, double b) { BRL_CHECK(b == 0.0); return a / b; }
BRL_HELPER double brl_fmod(brl_ctx *c, double a, double b) {
    double r;
    BRL_CHECK(b == 0.0);
    r = brl_m_fmod(a, b);
    if (r == 0.0) return __builtin_copysign(0.0, b);
    if ((b < 0.0) != (r < 0.0)) r += b;
    return r;
}
BRL_HELPER double brl_ffloordiv(brl_ctx *c, double a, double b) {
    double r, q, whole;
    BRL_CHECK(b == 0.0);
    r = brl_m_fmod(a, b);
    q = (a - r) / b;
    if (r != 0.0 && (b < 0.0) != (r < 0.0)) q -= 1.0;
    if (q == 0.0) return __builtin_copysign(0.0, a / b);
    whole = brl_m_floor(q);
    if (q - whole > 0.5) whole += 1.0;
    return whole;
}
BRL_INLINE i64 brl_odd_f(double v) { return brl_m_fmod(brl_abs_f(v), 2.0) == 1.0; }
BRL_HELPER double brl_fpow(brl_ctx *c, double a, double b) {
    double r;
    i64 negate = 0;
    if (b == 0.0) return 1.0;
    if (a != a) return a;
    if (b != b) return a == 1.0 ? 1.0 : b;
    if (brl_isinf(b)) {
        a = brl_abs_f(a);
        if (a == 1.0) return 1.0;
        return (b > 0.0) == (a > 1.0) ? brl_abs_f(b) : 0.0;
    }
    if (brl_isinf(a)) {
        if (b > 0.0) return brl_odd_f(b) ? a : brl_abs_f(a);
        return brl_odd_f(b) ? __builtin_copysign(0.0, a) : 0.0;
    }
    if (a == 0.0) { BRL_CHECK(b < 0.0); return brl_odd_f(b) ? a : 0.0; }
    if (a < 0.0) {
        BRL_CHECK(b != brl_m_floor(b));
        a = -a;
        negate = brl_odd_f(b);
    }
    r = a == 1.0 ? 1.0 : brl_m_pow(a, b);
    /* Too large is OverflowError; what a tiny result reports depends on libm: both are Python's to decide. */
    BRL_CHECK(!brl_isfinite(r) || (r != 0.0 && r < 0x1p-1022));
    return negate ? -r : r;
}
BRL_INLINE i64 brl_to_int(brl_ctx *c, double v) { BRL_CHECK(!(v > -0x1p63 && v < 0x1p63)); return (i64)v; }
BRL_HELPER i64 brl_round(brl_ctx *c, double v) {
    double r;
    BRL_CHECK(!(v > -0x1p62 && v < 0x1p62));
    r = brl_m_round(v);
    if (brl_abs_f(v - r) == 0.5) r = 2.0 * brl_m_round(v / 2.0);
    return (i64)r;
}
/* round(v, digits): the exact product of a 53-bit number and a power of ten fits 128 bits, so nothing is guessed. */
BRL_HELPER double brl_round_digits(brl_ctx *c, double v, i64 digits) {
    u64 bits, mantissa, five = 1;
    i64 power, down, k;
    u128 exact, whole, rest, half;
    double scale = 1.0, r;
    BRL_CHECK(digits < 0 || digits > 22);
    if (!brl_isfinite(v) || v == 0.0) return v;
    __builtin_memcpy(&bits, &v, 8);
    mantissa = bits & 0xFFFFFFFFFFFFFULL;
    power = (i64)((bits >> 52) & 0x7FF);
    if (power) mantissa |= 1ULL << 52; else power = 1;
    power -= 1075;
    for (k = 0; k < digits; k++) { five *= 5; scale *= 10.0; }
    down = -(power + digits);
    if (down <= 0) return v;
    exact = (u128)mantissa * five;
    if (down > 126) whole = 0;
    else {
        whole = exact >> down;
        rest = exact - (whole << down);
        half = (u128)1 << (down - 1);
        if (rest > half || (rest == half && (whole & 1))) whole += 1;
    }
    BRL_CHECK(whole > (u128)BRL_EXACT);
    r = (double)(u64)whole / scale;
    return __builtin_copysign(r, v);
}
BRL_HELPER double brl_checked(brl_ctx *c, double r, double x) {
    BRL_CHECK((r != r && x == x) || (brl_isinf(r) && brl_isfinite(x)));
    return r;
}
BRL_INLINE double brl_positive(brl_ctx *c, double x) { BRL_CHECK(x <= 0.0); return x; }
BRL_HELPER double brl_math_fmod(brl_ctx *c, double x, double y) {
    double r;
    if (brl_isinf(y) && brl_isfinite(x)) return x;
    r = brl_m_fmod(x, y);
    BRL_CHECK(r != r && x == x && y == y);
    return r;
}
BRL_HELPER double brl_math_pow(brl_ctx *c, double x, double y) {
    double r;
    BRL_CHECK(!brl_isfinite(x) || !brl_isfinite(y));
    r = brl_m_pow(x, y);
    BRL_CHECK(!brl_isfinite(r));
    return r;
}
BRL_HELPER double brl_math_atan2(brl_ctx *c, double y, double x) {
    BRL_CHECK(!brl_isfinite(x) || !brl_isfinite(y));
    if (y == 0.0) return __builtin_copysign(__builtin_copysign(1.0, x) == 1.0 ? 0.0 : 0x1.921fb54442d18p+1, y);
    return brl_m_atan2(y, x);
}
BRL_HELPER double brl_math_copysign(brl_ctx *c, double x, double y) {
    /* The sign of a nan is not carried through compiled arithmetic. */
    BRL_CHECK(x != x || y != y);
    return __builtin_copysign(x, y);
}

/* int with float: exact, or Python decides */
BRL_INLINE double brl_exact(brl_ctx *c, i64 a) { BRL_CHECK(a > BRL_EXACT || a < -BRL_EXACT); return (double)a; }

"""


@functools.lru_cache(maxsize=1)
def header() -> str:
    """The text before the generated functions, for the Python that runs."""
    compensated = int(sys.version_info >= (3, 12))
    lines = [f"#define BRL_SUM_COMPENSATED {compensated}"]
    names = [(name, "double") for name in (*MATH_ONE, *MATH_ROUND)] + [(name, "double, double") for name in MATH_TWO]
    lines += [f"static __attribute__((unused)) double (*brl_m_{name})({args});" for name, args in names]
    fill = [f"    brl_m_{name} = (double (*)({args}))table[{index}];" for index, (name, args) in enumerate(names)]
    init = [
        "extern void brl_init(void *const *table);",
        "void brl_init(void *const *table) {",
        *fill,
        "}",
    ]
    return "\n".join(lines) + "\n" + CORE + VECTORS + MIXED + "\n".join(init) + "\n"


MATH_TABLE = [*MATH_ONE, *MATH_ROUND, *MATH_TWO]
