"""The second half of the C text before every generated file: numbers whose type is known only at run time, and sum().

A ``brl_n`` is what a Python variable holds that is an int on one path and a float on another. Needs the first half.
"""

from __future__ import annotations

MIXED = r"""
/* numbers of several types */
#define BRL_ARITH(name, int_op, float_op) \
    BRL_INLINE brl_n brl_n_##name(brl_ctx *c, brl_n a, brl_n b) { \
        if ((a.t | b.t) & BRL_F) return brl_nf(float_op); \
        return brl_ni(int_op); \
    }
BRL_ARITH(add, brl_add(c, a.i, b.i), brl_n_f(a) + brl_n_f(b))
BRL_ARITH(sub, brl_sub(c, a.i, b.i), brl_n_f(a) - brl_n_f(b))
BRL_ARITH(mul, brl_mul(c, a.i, b.i), brl_n_f(a) * brl_n_f(b))
BRL_ARITH(mod, brl_mod(c, a.i, b.i), brl_fmod(c, brl_n_f(a), brl_n_f(b)))
BRL_ARITH(floordiv, brl_floordiv(c, a.i, b.i), brl_ffloordiv(c, brl_n_f(a), brl_n_f(b)))
BRL_INLINE double brl_n_truediv(brl_ctx *c, brl_n a, brl_n b) {
    if ((a.t | b.t) & BRL_F) return brl_fdiv(c, brl_n_f(a), brl_n_f(b));
    return brl_truediv(c, a.i, b.i);
}
BRL_HELPER brl_n brl_n_pow(brl_ctx *c, brl_n a, brl_n b) {
    if (((a.t | b.t) & BRL_F) || b.i < 0) return brl_nf(brl_fpow(c, brl_n_f(a), brl_n_f(b)));
    return brl_ni(brl_ipow(c, a.i, b.i));
}
#define BRL_BITS(name, op) \
    BRL_INLINE brl_n brl_n_##name(brl_ctx *c, brl_n a, brl_n b) { \
        BRL_CHECK((a.t | b.t) & BRL_F); \
        return brl_tagged((a.t | b.t) == BRL_B ? BRL_B : BRL_I, a.i op b.i, 0.0); \
    }
BRL_BITS(and, &)
BRL_BITS(or, |)
BRL_BITS(xor, ^)
#define BRL_COMPARE(name, op) \
    BRL_INLINE i64 brl_n_##name(brl_ctx *c, brl_n a, brl_n b) { \
        if (!((a.t | b.t) & BRL_F)) return a.i op b.i; \
        return (a.t == BRL_F ? a.f : brl_exact(c, a.i)) op (b.t == BRL_F ? b.f : brl_exact(c, b.i)); \
    }
BRL_COMPARE(lt, <)
BRL_COMPARE(le, <=)
BRL_COMPARE(gt, >)
BRL_COMPARE(ge, >=)
BRL_COMPARE(eq, ==)
BRL_COMPARE(ne, !=)
BRL_INLINE brl_n brl_n_neg(brl_ctx *c, brl_n a) { return a.t == BRL_F ? brl_nf(-a.f) : brl_ni(brl_neg(c, a.i)); }
BRL_INLINE brl_n brl_n_abs(brl_ctx *c, brl_n a) {
    return a.t == BRL_F ? brl_nf(brl_abs_f(a.f)) : brl_ni(brl_abs(c, a.i));
}
BRL_INLINE brl_n brl_n_pos(brl_n a) { return a.t == BRL_F ? a : brl_ni(a.i); }
BRL_INLINE i64 brl_n_to_int(brl_ctx *c, brl_n a) { return a.t == BRL_F ? brl_to_int(c, a.f) : a.i; }
BRL_INLINE i64 brl_n_round(brl_ctx *c, brl_n a) { return a.t == BRL_F ? brl_round(c, a.f) : a.i; }
BRL_INLINE brl_n brl_n_round_digits(brl_ctx *c, brl_n a, i64 digits) {
    if (a.t == BRL_F) return brl_nf(brl_round_digits(c, a.f, digits));
    BRL_CHECK(digits < 0);
    return brl_ni(a.i);
}
BRL_INLINE i64 brl_n_floor(brl_ctx *c, brl_n a) { return a.t == BRL_F ? brl_to_int(c, brl_m_floor(a.f)) : a.i; }
BRL_INLINE i64 brl_n_ceil(brl_ctx *c, brl_n a) { return a.t == BRL_F ? brl_to_int(c, brl_m_ceil(a.f)) : a.i; }

/* sum() of a sequence of float: the order of operations is the interpreter's */
#if BRL_SUM_COMPENSATED
typedef struct { double hi, lo; } brl_total;
BRL_INLINE void brl_total_add(brl_total *s, double x) {
    double t = s->hi + x;
    if (brl_abs_f(s->hi) >= brl_abs_f(x)) s->lo += (s->hi - t) + x;
    else s->lo += (x - t) + s->hi;
    s->hi = t;
}
BRL_INLINE double brl_total_end(const brl_total *s) {
    return s->lo != 0.0 && brl_isfinite(s->lo) ? s->hi + s->lo : s->hi;
}
#else
typedef struct { double hi; } brl_total;
BRL_INLINE void brl_total_add(brl_total *s, double x) { s->hi += x; }
BRL_INLINE double brl_total_end(const brl_total *s) { return s->hi; }
#endif
"""
