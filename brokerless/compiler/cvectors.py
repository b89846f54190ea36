"""The C text with which four turns of a loop are worked out side by side. Needs the first part, ``cruntime``.

Ints are held as floats, four to a vector: a float is exact for every whole number below 2^24, and a machine divides four
of them in less time than one pair of ints. What would be as large, or is not as simple as in C (a division by zero or of a
negative number), is marked in ``far``; nothing of it is used. Which loops this is for says ``searches``.
"""

from __future__ import annotations

__all__ = ["VECTORS", "WIDEST"]

WIDEST = 2**24
"""Every whole number of a lane is below."""

VECTORS = f"""
/* four turns side by side */
#define BRL_WIDEST {WIDEST}
"""
VECTORS += r"""typedef float brl_f4 __attribute__((vector_size(16)));
typedef i32 brl_i4 __attribute__((vector_size(16)));
BRL_INLINE i64 brl_l_fits(i64 v) { return (v < BRL_WIDEST) & (v > -BRL_WIDEST); }
BRL_INLINE brl_f4 brl_l_all(i64 v) { float f = (float)v; brl_f4 r = {f, f, f, f}; return r; }
BRL_INLINE brl_f4 brl_l_turns(i64 v, i64 step) {
    brl_f4 r = {(float)v, (float)(v + step), (float)(v + 2 * step), (float)(v + 3 * step)};
    return r;
}
/* One bit for each marked lane. */
BRL_INLINE u32 brl_l_bits(brl_i4 marks) {
#ifdef __SSE2__
    return (u32)__builtin_ia32_movmskps((brl_f4)marks);
#else
    return (marks[0] & 1u) | (marks[1] & 2u) | (marks[2] & 4u) | (marks[3] & 8u);
#endif
}
/* Rounding does not bring back what is beyond: a result that is not exact is at least BRL_WIDEST. The second of each two
   is for results that cannot be negative. */
BRL_INLINE brl_f4 brl_l_kept(brl_f4 r, brl_i4 *far) {
    *far |= (r >= brl_l_all(BRL_WIDEST)) | (r <= brl_l_all(-BRL_WIDEST));
    return r;
}
BRL_INLINE brl_f4 brl_l_kept_up(brl_f4 r, brl_i4 *far) { *far |= r >= brl_l_all(BRL_WIDEST); return r; }
/* Of a number from 0 to below BRL_WIDEST by one from 1 on. The quotient is further from the next whole number than it is
   rounded. */
BRL_INLINE brl_f4 brl_l_floordiv_up(brl_f4 a, brl_f4 b) {
    return __builtin_convertvector(__builtin_convertvector(a / b, brl_i4), brl_f4);
}
BRL_INLINE brl_f4 brl_l_floordiv(brl_f4 a, brl_f4 b, brl_i4 *far) {
    const brl_i4 good = (b >= brl_l_all(1)) & (a >= brl_l_all(0)) & (a < brl_l_all(BRL_WIDEST));
    *far |= ~good;
    /* 0 by 1 where it is not: what does not fit has no int. */
    return brl_l_floordiv_up((brl_f4)((brl_i4)a & good), (brl_f4)(((brl_i4)b & good) | ((brl_i4)brl_l_all(1) & ~good)));
}

"""
