/* SPDX-License-Identifier: BSD-3-Clause */
/* An element of W matrices, one in each lane: real, or complex with its parts in a vector each. */

#define E NAME(element)

#if PARTS == 1

typedef struct {
    V re;
} E;

INLINE E NAME(zero)(void)
{
    return (E){TYPED(all)(0)};
}
INLINE E NAME(add)(E x, E y)
{
    return (E){x.re + y.re};
}
INLINE E NAME(subtract)(E x, E y)
{
    return (E){x.re - y.re};
}
INLINE E NAME(multiply)(E x, E y)
{
    return (E){x.re * y.re};
}
/* The same for a sum: with rounding of its own if `apart`. */
INLINE E NAME(product)(E x, E y, const bool apart)
{
    const V product = x.re * y.re;
    return (E){apart ? TYPED(rounded)(product) : product};
}
INLINE E NAME(scale)(E x, V by)
{
    return (E){x.re * by};
}
INLINE E NAME(add_product)(E sum, E x, E y)
{
    return (E){sum.re + x.re * y.re};
}
INLINE E NAME(subtract_product)(E sum, E x, E y)
{
    return (E){sum.re - x.re * y.re};
}
INLINE E NAME(real)(V x)
{
    return (E){x};
}
INLINE E NAME(conjugate)(E x)
{
    return x;
}
/* sum + x conj(y) */
INLINE E NAME(add_product_conjugate)(E sum, E x, E y)
{
    return NAME(add_product)(sum, x, y);
}
INLINE E NAME(subtract_product_conjugate)(E sum, E x, E y)
{
    return NAME(subtract_product)(sum, x, y);
}
INLINE E NAME(reciprocal)(E x)
{
    return (E){1 / x.re};
}
INLINE E NAME(select)(VM mask, E yes, E no)
{
    return (E){TYPED(select)(mask, yes.re, no.re)};
}
/* In units that leave room for sums. */
INLINE V NAME(modulus)(E x)
{
    return TYPED(absolute)(x.re) * TYPED(all)(NORM_UNIT);
}
/* What the pivot is chosen by. */
INLINE V NAME(size)(E x)
{
    return TYPED(absolute)(x.re);
}

#else

typedef struct {
    V re, im;
} E;

INLINE E NAME(zero)(void)
{
    return (E){TYPED(all)(0), TYPED(all)(0)};
}
INLINE E NAME(add)(E x, E y)
{
    return (E){x.re + y.re, x.im + y.im};
}
INLINE E NAME(subtract)(E x, E y)
{
    return (E){x.re - y.re, x.im - y.im};
}
INLINE E NAME(scale)(E x, V by)
{
    return (E){x.re * by, x.im * by};
}
INLINE E NAME(add_product)(E sum, E x, E y)
{
    V re = sum.re + x.re * y.re, im = sum.im + x.re * y.im;
    return (E){re - x.im * y.im, im + x.im * y.re};
}
INLINE E NAME(subtract_product)(E sum, E x, E y)
{
    V re = sum.re - x.re * y.re, im = sum.im - x.re * y.im;
    return (E){re + x.im * y.im, im - x.im * y.re};
}
INLINE E NAME(real)(V x)
{
    return (E){x, TYPED(all)(0)};
}
INLINE E NAME(conjugate)(E x)
{
    return (E){x.re, 0 - x.im}; /* no negative zeros */
}
/* sum + x conj(y) */
INLINE E NAME(add_product_conjugate)(E sum, E x, E y)
{
    V re = sum.re + x.re * y.re, im = sum.im - x.re * y.im;
    return (E){re + x.im * y.im, im + x.im * y.re};
}
INLINE E NAME(subtract_product_conjugate)(E sum, E x, E y)
{
    V re = sum.re - x.re * y.re, im = sum.im + x.re * y.im;
    return (E){re - x.im * y.im, im - x.im * y.re};
}
INLINE E NAME(multiply)(E x, E y)
{
    V re = x.re * y.re, im = x.re * y.im;
    return (E){re - x.im * y.im, im + x.im * y.re};
}
/* The same, with all four products rounded if `apart`, else those of the imaginary part of x. */
INLINE E NAME(product)(E x, E y, const bool apart)
{
    V re = x.re * y.re, im = x.re * y.im;
    if (apart)
        re = TYPED(rounded)(re), im = TYPED(rounded)(im);
    return (E){re - TYPED(rounded)(x.im * y.im), im + TYPED(rounded)(x.im * y.re)};
}
INLINE E NAME(select)(VM mask, E yes, E no)
{
    return (E){TYPED(select)(mask, yes.re, no.re), TYPED(select)(mask, yes.im, no.im)};
}
/* R. L. Smith's (Algorithm 116, CACM 1962), rounded as in LAPACK's getf2: squares neither overflow nor underflow. */
INLINE E NAME(reciprocal)(E x)
{
    VM turned = TYPED(greater)(TYPED(absolute)(x.im), TYPED(absolute)(x.re));
    V large = TYPED(select)(turned, x.im, x.re), small = TYPED(select)(turned, x.re, x.im);
    V ratio = small / large;
    V inverse = 1 / (large * (1 + TYPED(rounded)(ratio * ratio)));
    V other = ratio * inverse;
    return (E){TYPED(select)(turned, other, inverse), -TYPED(select)(turned, inverse, other)};
}
INLINE V NAME(modulus)(E x)
{
    V re = TYPED(absolute)(x.re), im = TYPED(absolute)(x.im);
    VM turned = TYPED(greater)(im, re);
    V large = TYPED(select)(turned, im, re), small = TYPED(select)(turned, re, im);
    V ratio = small / TYPED(select)(TYPED(equal)(large, TYPED(all)(0)), TYPED(all)(1), large);
    return large * TYPED(all)(NORM_UNIT) * TYPED(square_root)(1 + ratio * ratio);
}
INLINE V NAME(size)(E x)
{
    return TYPED(absolute)(x.re) + TYPED(absolute)(x.im);
}

#endif
