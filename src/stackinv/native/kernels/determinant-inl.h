/* SPDX-License-Identifier: BSD-3-Clause */
/* Determinants: products of pivots, of which few would overflow, and their logarithms.

   Where the compiler has a choice of what to round together, it makes another one each time the text is inlined. So that a
   determinant has the same bits from each place that calculates it, products are rounded before they are added.

   Included once for each type, after element-inl.h. */

#define MANTISSA_BITS (sizeof(REAL) == 4 ? 23 : 52)
#define BIAS (REAL)(sizeof(REAL) == 4 ? 127 : 1023)

/* A number that may be too large or too small for its type: mantissa * 2^exponent. */
typedef struct {
    E mantissa;
    V exponent;
} NAME(scaled);

/* The biased exponents of positive numbers, as integers and as numbers. */
INLINE VI TYPED(exponent_bits)(V x)
{
    return TYPED(bits)(x) >> MANTISSA_BITS;
}
INLINE V TYPED(small_number)(VI n)
{
    const V unit = TYPED(all)(sizeof(REAL) == 4 ? 0x1p23f : 0x1p52);
    return TYPED(from_bits)(n | TYPED(bits)(unit)) - unit;
}

/* 2^n, for -BIAS < n <= BIAS. */
INLINE V TYPED(power_of_two)(V n)
{
    const V unit = TYPED(all)(sizeof(REAL) == 4 ? 0x1p23f : 0x1p52);
    return TYPED(from_bits)(TYPED(shifted_left)(TYPED(bits)(n + BIAS + unit), MANTISSA_BITS));
}

INLINE V NAME(largest_part)(E x)
{
#if PARTS == 1
    return TYPED(absolute)(x.re);
#else
    return TYPED(larger)(TYPED(absolute)(x.re), TYPED(absolute)(x.im));
#endif
}

/* The same number, with the largest part of its mantissa from 2 to 4, unless that is zero or not finite. */
INLINE NAME(scaled) NAME(normalized)(NAME(scaled) x)
{
    V size = NAME(largest_part)(x.mantissa);
    const VM usual = TYPED(greater)(size, TYPED(all)(0)) & TYPED(greater)(TYPED(all)((REAL)INFINITY), size);
    const VM subnormal = usual & TYPED(greater)(TYPED(all)(SAFE_MINIMUM), size);
    const V lift = TYPED(select)(subnormal, TYPED(all)(0x1p64f), TYPED(all)(1));
    size *= lift;
    const V exponent = TYPED(small_number)(TYPED(exponent_bits)(size)) - (BIAS + 1);
    const V scale = TYPED(select)(usual, TYPED(power_of_two)(-exponent), TYPED(all)(1));
    const V added = exponent - TYPED(select)(subnormal, TYPED(all)(64), TYPED(all)(0));
    x.mantissa = NAME(scale)(NAME(scale)(x.mantissa, lift), scale);
    x.exponent += TYPED(select)(usual, added, TYPED(all)(0));
    return x;
}

/* The product of the first i numbers, times x. */
INLINE NAME(scaled) NAME(times)(NAME(scaled) product, E x, int i)
{
    if (i == 0) /* no product with 1, which would not be infinite if x is and complex */
        return NAME(normalized)((NAME(scaled)){x, TYPED(all)(0)});
    const NAME(scaled) next = NAME(normalized)((NAME(scaled)){x, product.exponent});
    product = (NAME(scaled)){NAME(product)(product.mantissa, next.mantissa, true), next.exponent};
    return i % 16 ? product : NAME(normalized)(product); /* before it overflows */
}

/* Natural logarithm of x 2^exponent, where x is a normal number, to about an ulp: from
   log((1 + s) / (1 - s)) = 2 (s + s^3 / 3 + s^5 / 5 + ...). */
INLINE V TYPED(natural_logarithm)(V x, V exponent)
{
    enum { TERMS = sizeof(REAL) == 4 ? 4 : 10 }; /* even; |s| < 0.172 */
    const VI bits = TYPED(bits)(x), mantissa = TYPED(integer)(((INTEGER)1 << MANTISSA_BITS) - 1);
    exponent += TYPED(small_number)(TYPED(exponent_bits)(x)) - BIAS;
    V f = TYPED(from_bits)((bits & mantissa) | TYPED(bits)(TYPED(all)(1)));
    const VM upper = TYPED(greater)(f, TYPED(all)((REAL)1.41421356237309504880));
    f *= TYPED(select)(upper, TYPED(all)((REAL).5), TYPED(all)(1));
    exponent += TYPED(select)(upper, TYPED(all)(1), TYPED(all)(0));
    const V s = (f - 1) / (f + 1), z = s * s;
    const V square = z * z; /* two shorter chains, which do not wait for each other */
    V even = TYPED(all)((REAL)1 / (2 * TERMS + 1)), odd = TYPED(all)((REAL)1 / (2 * TERMS - 1));
    UNROLLED_DOWN (k, TERMS / 2 - 1, 1) {
        even = even * square + TYPED(all)((REAL)1 / (4 * k + 1));
        odd = odd * square + TYPED(all)((REAL)1 / (4 * k - 1));
    }
    const V half = s + s * (z * (odd + z * even));
    return exponent * (REAL)0.693147180559945309417 + (half + half);
}

/* mantissa * 2^exponent as a number, for a mantissa that is far from the ends of the range. */
INLINE E NAME(unscaled)(E mantissa, V exponent)
{
    const V most = TYPED(all)(4 * (BIAS - 7)), magic = TYPED(all)(sizeof(REAL) == 4 ? 0x1.8p23f : 0x1.8p52);
    exponent = TYPED(select)(TYPED(greater)(exponent, most), most, exponent);
    exponent = TYPED(select)(TYPED(greater)(-most, exponent), -most, exponent);
    const V quarter = (exponent * (REAL).25 + magic) - magic, power = TYPED(power_of_two)(quarter);
    for (int k = 0; k < 3; k++)
        mantissa = NAME(scale)(mantissa, power);
    return NAME(scale)(mantissa, TYPED(power_of_two)(exponent - 3 * quarter));
}

INLINE E NAME(turned)(E x, VI signs)
{
#if PARTS == 1
    return (E){TYPED(from_bits)(TYPED(bits)(x.re) ^ signs)};
#else
    return (E){TYPED(from_bits)(TYPED(bits)(x.re) ^ signs), TYPED(from_bits)(TYPED(bits)(x.im) ^ signs)};
#endif
}

INLINE void NAME(store_parts)(double to[2][STACKINV_MOST_LANES], E x)
{
    for (int l = 0; l < WIDTH; l++)
        to[0][l] = TYPED(get)(x.re, l);
#if PARTS == 2
    for (int l = 0; l < WIDTH; l++)
        to[1][l] = TYPED(get)(x.im, l);
#endif
}

/* What a diagonal is, of whose product the determinant is made. */
enum NAME(diagonal_kind) {
    NAME(of_pivots),
    NAME(of_real_product), /* pivots of a Hermitian matrix */
    NAME(of_inverse_roots) /* 1 / L[i, i] of Cholesky's factor */
};

/* The determinants from products that `times` made, turned in the lanes whose sign bit `odd` has; singular where info is not 0. */
INLINE void NAME(note_products)(struct determinants *d, NAME(scaled) product, VI odd, VI info,
                                enum NAME(diagonal_kind) kind)
{
    const V none = TYPED(all)(0), infinity = TYPED(all)((REAL)INFINITY);
    E mantissa = product.mantissa, sign;
#if PARTS == 1
    const V size = TYPED(absolute)(mantissa.re);
    sign = (E){TYPED(select)(TYPED(greater)(none, mantissa.re), TYPED(all)(-1), TYPED(all)(1))};
#else
    const V re_squared = TYPED(rounded)(mantissa.re * mantissa.re),
            im_squared = TYPED(rounded)(mantissa.im * mantissa.im);
    const V size = TYPED(square_root)(re_squared + im_squared);
    sign = NAME(scale)(mantissa, 1 / size);
    if (kind == NAME(of_real_product)) {
        sign = NAME(real)(TYPED(select)(TYPED(greater)(none, mantissa.re), TYPED(all)(-1), TYPED(all)(1)));
        mantissa = NAME(scale)(sign, size);
    }
#endif
    const VM regular = TYPED(same)(info, TYPED(integer)(0));
    if (d->logarithms) {
        V logarithm = TYPED(natural_logarithm)(size, product.exponent);
        logarithm = TYPED(select)(TYPED(greater)(infinity, size), logarithm, size); /* infinite, or no number */
        logarithm = TYPED(select)(TYPED(equal)(size, none), -infinity, logarithm);
        if (kind == NAME(of_inverse_roots)) {
            sign = NAME(real)(TYPED(all)(1));
            logarithm *= -2;
        }
        logarithm = TYPED(select)(regular, logarithm, -infinity);
        NAME(store_parts)(d->sign, NAME(select)(regular, NAME(turned)(sign, odd), NAME(zero)()));
        for (int l = 0; l < WIDTH; l++)
            d->logarithm[l] = TYPED(get)(logarithm, l);
    }
    if (d->numbers) {
        if (kind == NAME(of_inverse_roots)) {
            mantissa = NAME(real)(1 / (size * size));
            product.exponent *= -2;
        }
        mantissa = NAME(turned)(NAME(unscaled)(mantissa, product.exponent), odd);
        NAME(store_parts)(d->number, NAME(select)(regular, mantissa, NAME(zero)()));
    }
}

/* Whether products of real numbers may be taken as they are, with the same bits: no lane has come near the ends of the range, or
   half of it, since squares may follow. Then they are *product. */
INLINE bool NAME(multiply_directly)(const E *diagonal, ptrdiff_t step, int m, E *product)
{
#if PARTS == 1
    const V lowest = TYPED(all)(sizeof(REAL) == 4 ? 0x1p-50f : 0x1p-400), highest = 1 / lowest;
    V least = TYPED(absolute)(diagonal[0].re), most = least;
    *product = diagonal[0];
    for (int i = 1; i < m; i++) {
        *product = NAME(multiply)(*product, diagonal[i * step]);
        const V size = TYPED(absolute)(product->re);
        least = TYPED(select)(TYPED(greater)(least, size), size, least);
        most = TYPED(larger)(most, size);
    }
    const VM usual = TYPED(greater)(least, lowest) & TYPED(greater)(highest, most);
    return !TYPED(any)(TYPED(select_integer)(usual, TYPED(integer)(0), TYPED(integer)(1)));
#else
    (void)diagonal, (void)step, (void)m, (void)product;
    return false;
#endif
}

/* The same for a diagonal. No vector is an argument: GCC then leaves their registers in a state that makes what follows slow. */
NOINLINE void NAME(note_determinants)(struct determinants *d, const E *diagonal, ptrdiff_t step, int m, const VI *odd,
                                      const VI *info, enum NAME(diagonal_kind) kind)
{
    NAME(scaled) product = {NAME(zero)(), TYPED(all)(0)};
    if (!NAME(multiply_directly)(diagonal, step, m, &product.mantissa))
        for (int i = 0; i < m; i++)
            product = NAME(times)(product, diagonal[i * step], i);
    NAME(note_products)(d, product, *odd, *info, kind);
}

/* Those of n matrices, from m numbers of each one, one matrix after the other. */
static void NAME(multiply_numbers)(const void *numbers, int m, int n, bool odd, struct determinants *d)
{
    const REAL *x = (const REAL *)numbers;
    NAME(scaled) product = {NAME(zero)(), TYPED(all)(0)};
    for (int i = 0; i < m; i++) {
        REAL parts[PARTS][WIDTH];
        E next;
        for (int l = 0; l < WIDTH; l++)
            for (int part = 0; part < PARTS; part++)
                parts[part][l] = x[((ptrdiff_t)(l < n ? l : 0) * m + i) * PARTS + part];
        memcpy(&next, parts, sizeof next);
        product = NAME(times)(product, next, i);
    }
    NAME(note_products)(d, product, TYPED(signs)(TYPED(integer)(odd ? -1 : 0)), TYPED(integer)(0), NAME(of_pivots));
}

/* Sign bits of the lanes in which the order of the rows is an odd permutation: has an odd number of pairs out of order. */
INLINE VI NAME(odd_orders)(const VI *order, const int m)
{
    VI differences = TYPED(integer)(0);
    for (int i = 1; i < m; i++)
        for (int j = 0; j < i; j++)
            differences ^= order[i] - order[j];
    return TYPED(signs)(differences);
}
