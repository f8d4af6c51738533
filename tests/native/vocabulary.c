/* SPDX-License-Identifier: BSD-3-Clause */
/* Each operation of vector-inl.h, element-inl.h and move-inl.h against plain scalar C, bit for bit where rounding is
   prescribed. Compiled as the kernels are, once for each type and instruction set. */
#include "kernels.h"

#include "vocabulary-inl.h"

#include "pages.h"
#include "vocabulary.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>

/* Matrices have up to so many rows: more than the four strips that are permuted in registers. */
enum { MOST_M = 4 * WIDTH / PARTS + 5 > 17 ? 4 * WIDTH / PARTS + 5 : 17 };

static int failures;

/* The first few say where. */
static void fail(const char *what, int a, int b)
{
    if (failures++ < 20)
        printf("%s (%d, %d)\n", what, a, b);
}

#define CHECK(holds, what, a, b)                                                                                       \
    do {                                                                                                               \
        if (!(holds))                                                                                                  \
            fail(what, a, b);                                                                                          \
    } while (0)

/* Scalars. Each result goes through memory, so that no product is rounded together with a sum. */
#if SINGLE
#define FMA fmaf
#define LARGEST_REAL FLT_MAX
#define EPSILON FLT_EPSILON
#define ROOT sqrtf
#else
#define FMA fma
#define LARGEST_REAL DBL_MAX
#define EPSILON DBL_EPSILON
#define ROOT sqrt
#endif

static REAL kept(REAL x)
{
    volatile REAL in_memory = x;
    return in_memory;
}

static INTEGER bits_of(REAL x)
{
    INTEGER bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The same number, NaN for NaN, and zeros of the same sign. */
static bool alike(REAL x, REAL y)
{
    return (isnan(x) && isnan(y)) || bits_of(x) == bits_of(y);
}

static unsigned long long state = 1;

static unsigned random_bits(void)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(state >> 33);
}

/* Of all magnitudes around 1, with all digits in use. */
static REAL random_number(void)
{
    const REAL x = 1 + (REAL)random_bits() / 0x80000000u + (REAL)random_bits() / 0x80000000u / 0x40000000u;
    return kept(ldexp(random_bits() & 1 ? -x : x, (int)(random_bits() % 13) - 6));
}

#define SMALLEST_REAL (SAFE_MINIMUM * EPSILON)
static const REAL special[] = {
    0,
    -(REAL)0,
    1,
    -1,
    NAN,
    -NAN,
    INFINITY,
    -INFINITY,
    SAFE_MINIMUM,
    -SAFE_MINIMUM,
    SMALLEST_REAL,
    -SMALLEST_REAL,
    LARGEST_REAL,
    -LARGEST_REAL,
    2,
    .5,
    3,
    EPSILON,
};
enum { SPECIAL = sizeof special / sizeof *special };

static REAL any_number(void)
{
    return random_bits() % 3 ? random_number() : special[random_bits() % SPECIAL];
}

static V from(const REAL *x)
{
    V v;
    memcpy(&v, x, sizeof v);
    return v;
}

static V random_vector(REAL *x, REAL (*number)(void))
{
    for (int l = 0; l < WIDTH; l++)
        x[l] = number();
    return from(x);
}

/* The lanes that a mask holds for. */
static bool holds(VM mask, int l)
{
    INTEGER yes[WIDTH];
    const VI chosen = TYPED(select_integer)(mask, TYPED(integer)(3), TYPED(integer)(-4));
    memcpy(yes, &chosen, sizeof yes);
    CHECK(yes[l] == 3 || yes[l] == -4, "select_integer", l, 0);
    return yes[l] == 3;
}

static void check_numbers(void)
{
    for (int n = 0; n < SPECIAL; n++) {
        REAL x[WIDTH];
        INTEGER i[WIDTH];
        const V all = TYPED(all)(special[n]);
        const VI bits = TYPED(bits)(all), integer = TYPED(integer)(-n);
        memcpy(x, &all, sizeof x);
        memcpy(i, &bits, sizeof i);
        for (int l = 0; l < WIDTH; l++) {
            CHECK(alike(x[l], special[n]), "all", n, l);
            CHECK(i[l] == bits_of(x[l]), "bits", n, l);
            CHECK(TYPED(get_integer)(integer, l) == -n, "integer, get_integer", n, l);
        }
    }
    REAL x[WIDTH];
    const V v = random_vector(x, random_number), lanes = TYPED(lanes)();
    const V back = TYPED(from_bits)(TYPED(bits)(v)), rounded = TYPED(rounded)(v);
    for (int l = 0; l < WIDTH; l++) {
        CHECK(TYPED(get)(v, l) == x[l], "get", l, 0);
        CHECK(TYPED(get)(back, l) == x[l], "from_bits", l, 0);
        CHECK(TYPED(get)(rounded, l) == x[l], "rounded", l, 0);
        CHECK(TYPED(get)(lanes, l) == l, "lanes", l, 0);
    }
}

/* Each pair of special numbers and of others, in lanes of the same vectors. */
static void check_comparisons(void)
{
    for (int round = 0; round < 2000; round++) {
        REAL x[WIDTH], y[WIDTH];
        INTEGER i[WIDTH], j[WIDTH];
        for (int l = 0; l < WIDTH; l++) {
            const int pair = round * WIDTH + l;
            x[l] = pair < SPECIAL * SPECIAL ? special[pair / SPECIAL] : any_number();
            y[l] = pair < SPECIAL * SPECIAL ? special[pair % SPECIAL] : random_bits() % 4 ? any_number() : x[l];
            i[l] = bits_of(x[l]);
            j[l] = bits_of(y[l]);
        }
        const V v = from(x), w = from(y);
        const VI vi = TYPED(bits)(v), wi = TYPED(bits)(w);
        const VM greater = TYPED(greater)(v, w), equal = TYPED(equal)(v, w), same = TYPED(same)(vi, wi);
        const V chosen = TYPED(select)(greater, v, w), absolute = TYPED(absolute)(v);
        const V larger = TYPED(larger)(v, w), maximum = TYPED(maximum)(v, w);
        const V root = TYPED(square_root)(v);
        const VI integers = TYPED(select_integer)(equal, vi, wi), signs = TYPED(signs)(vi);
        for (int l = 0; l < WIDTH; l++) {
            CHECK(holds(greater, l) == (x[l] > y[l]), "greater", round, l);
            CHECK(holds(equal, l) == (x[l] == y[l]), "equal", round, l);
            CHECK(holds(same, l) == (i[l] == j[l]), "same", round, l);
            CHECK(holds(greater & same, l) == (x[l] > y[l] && i[l] == j[l]), "both of two masks", round, l);
            CHECK(holds(greater | same, l) == (x[l] > y[l] || i[l] == j[l]), "either of two masks", round, l);
            CHECK(bits_of(TYPED(get)(chosen, l)) == (x[l] > y[l] ? i[l] : j[l]), "select", round, l);
            CHECK(TYPED(get_integer)(integers, l) == (x[l] == y[l] ? i[l] : j[l]), "select_integer", round, l);
            CHECK(bits_of(TYPED(get)(absolute, l)) == (i[l] & ~bits_of(-(REAL)0)), "absolute", round, l);
            CHECK(TYPED(get_integer)(signs, l) == (i[l] & bits_of(-(REAL)0)), "signs", round, l);
            CHECK(bits_of(TYPED(get)(larger, l)) == (x[l] > y[l] ? i[l] : j[l]), "larger", round, l);
            CHECK(alike(TYPED(get)(maximum, l), isnan(x[l]) || x[l] > y[l] ? x[l] : y[l]), "maximum", round, l);
            CHECK(alike(TYPED(get)(root, l), ROOT(x[l])), "square_root", round, l);
        }
    }
}

static void check_any(void)
{
    CHECK(!TYPED(any)(TYPED(integer)(0)), "any of none", 0, 0);
    for (int l = 0; l < WIDTH; l++)
        for (int bit = 0; bit < (int)sizeof(INTEGER) * 8; bit++) {
            INTEGER x[WIDTH] = {0};
            VI v;
            x[l] = (INTEGER)((uint64_t)1 << bit);
            memcpy(&v, x, sizeof v);
            CHECK(TYPED(any)(v), "any", l, bit);
        }
}

/* It rises with its argument, and as much for each factor of two. */
static void check_logarithm(void)
{
    for (int round = 0; round < 2000; round++) {
        REAL x[WIDTH], y[WIDTH], twice[WIDTH];
        for (int l = 0; l < WIDTH; l++) {
            x[l] = fabs(any_number());
            y[l] = fabs(any_number());
            twice[l] = 2 * x[l];
        }
        const VI of_x = TYPED(logarithm)(from(x)), of_y = TYPED(logarithm)(from(y)),
                 of_twice = TYPED(logarithm)(from(twice));
        for (int l = 0; l < WIDTH; l++) {
            const INTEGER a = TYPED(get_integer)(of_x, l), b = TYPED(get_integer)(of_y, l);
            CHECK(!(x[l] <= y[l]) || a <= b, "logarithm: order", round, l);
            CHECK(!(x[l] > 4 * y[l] && x[l] >= SAFE_MINIMUM) || a > b, "logarithm: of larger ones", round, l);
            if (x[l] >= SAFE_MINIMUM && x[l] < LARGEST_REAL / 2)
                CHECK(TYPED(get_integer)(of_twice, l) - a == (SINGLE ? 1 << 7 : 1 << 20), "logarithm: unit", round, l);
        }
    }
}

static void check_largest(void)
{
    for (int round = 0; round < 200; round++) {
        REAL x[WIDTH];
        random_vector(x, random_number);
        for (int l = 0; l < WIDTH; l++)
            x[l] = round % 3 == 0 && random_bits() % 2 ? -INFINITY : x[l];
        x[round % WIDTH] = round % 5 ? x[round % WIDTH] : INFINITY;
        REAL largest = x[0];
        for (int l = 1; l < WIDTH; l++)
            largest = x[l] > largest ? x[l] : largest;
        const V found = TYPED(largest)(from(x));
        for (int l = 0; l < WIDTH; l++)
            CHECK(TYPED(get)(found, l) == largest, "largest", round, l);
    }
}

/* function(height) for each of them as a constant. */
#define EACH_HEIGHT(function)                                                                                          \
    do {                                                                                                               \
        function(1);                                                                                                   \
        if (WIDTH >= 2)                                                                                                \
            function(WIDTH >= 2 ? 2 : 1);                                                                              \
        if (WIDTH >= 4)                                                                                                \
            function(WIDTH >= 4 ? 4 : 1);                                                                              \
        if (WIDTH >= 8)                                                                                                \
            function(WIDTH >= 8 ? 8 : 1);                                                                              \
        if (WIDTH >= 16)                                                                                               \
            function(WIDTH >= 16 ? 16 : 1);                                                                            \
    } while (0)

INLINE void check_transpose(const int height)
{
    V v[WIDTH];
    for (int i = 0; i < height; i++) {
        REAL x[WIDTH];
        for (int l = 0; l < WIDTH; l++)
            x[l] = i * WIDTH + l;
        v[i] = from(x);
    }
    TYPED(transpose)(v, height);
    for (int i = 0; i < height; i++)
        for (int l = 0; l < WIDTH; l++)
            CHECK(TYPED(get)(v[i], l) == l % height * WIDTH + l / height * height + i, "transpose", height, i);
}

/* The user's memory: a piece for each lane, with pages around it that must not be touched. It lies at their end, or at
   their beginning, which is what `low` says. */
struct user {
    char *whole, *at[WIDTH];
    size_t length, size; /* of all, and of a lane's piece */
};

static struct user take_user(size_t size, bool low)
{
    const size_t page = page_bytes(), inner = (size + page - 1) / page * page;
    struct user user = {.length = (inner + page) * WIDTH + page, .size = size};
    user.whole = take_pages(user.length);
    for (int l = 0; l < WIDTH; l++) {
        char *pages = user.whole + page + l * (inner + page);
        open_pages(pages, inner);
        memset(pages, 0x5a, inner);
        user.at[l] = low ? pages : pages + inner - size;
    }
    return user;
}

static void give_user(struct user user)
{
    give_pages(user.whole, user.length);
}

static ptrdiff_t number_size(bool other)
{
    return other ? sizeof(OTHER) : sizeof(REAL);
}

/* Numbers that both precisions have. */
static REAL number(int l, int n)
{
    return (REAL)((n * 31 + l * 1009) % 4093 - 2000) / 16;
}

static void put(char *at, REAL x, bool other)
{
    if (other) {
        const OTHER y = (OTHER)x;
        memcpy(at, &y, sizeof y);
    } else
        memcpy(at, &x, sizeof x);
}

static REAL take(const char *at, bool other)
{
    REAL x;
    if (other) {
        OTHER y;
        memcpy(&y, at, sizeof y);
        return (REAL)y;
    }
    memcpy(&x, at, sizeof x);
    return x;
}

/* Whether the bytes are still those that memory is filled with. */
static bool untouched(const char *from, const char *to)
{
    for (; from < to; from++)
        if (*from != 0x5a)
            return false;
    return true;
}

INLINE void check_gather_of(const int height, const bool other)
{
    const ptrdiff_t size = number_size(other), offset = 3 * size;
    for (int low = 0; low < 2; low++) {
        V v[WIDTH];
        struct user user = take_user((height + 3) * size, low);
        for (int l = 0; l < WIDTH; l++)
            for (int e = 0; e < height; e++)
                put(user.at[l] + offset + e * size, number(l, e), other);
        TYPED(gather)(v, user.at, offset, height, other);
        for (int e = 0; e < height; e++)
            for (int l = 0; l < WIDTH; l++)
                CHECK(TYPED(get)(v[e], l) == number(l, e), other ? "gather, other precision" : "gather", height, e);
        for (int l = 0; l < WIDTH; l++)
            memset(user.at[l], 0x5a, user.size);
        TYPED(scatter)(v, user.at, offset, height, other);
        for (int l = 0; l < WIDTH; l++) {
            for (int e = 0; e < height; e++)
                CHECK(take(user.at[l] + offset + e * size, other) == number(l, e),
                      other ? "scatter, other precision" : "scatter", height, e);
            CHECK(untouched(user.at[l], user.at[l] + offset), "scatter before the numbers", height, l);
        }
        give_user(user);
    }
}

INLINE void check_gather(const int height)
{
    check_gather_of(height, false);
    check_gather_of(height, true);
}

static void check_load(void)
{
    for (int other = 0; other < 2; other++) {
        char memory[(WIDTH + 2) * sizeof(double)];
        const ptrdiff_t size = number_size(other);
        char *at = memory + size;
        for (int l = 0; l < WIDTH; l++)
            put(at + l * size, number(l, 0), other);
        const V v = other ? TYPED(load)(at, true) : TYPED(load)(at, false);
        for (int l = 0; l < WIDTH; l++)
            CHECK(TYPED(get)(v, l) == number(l, 0), "load", other, l);
        memset(memory, 0x5a, sizeof memory);
        if (other)
            TYPED(store)(at, v, true);
        else
            TYPED(store)(at, v, false);
        for (int l = 0; l < WIDTH; l++)
            CHECK(take(at + l * size, other) == number(l, 0), "store", other, l);
        CHECK(untouched(memory, at) && untouched(at + WIDTH * size, memory + sizeof memory), "store beyond", other, 0);
        put(at, number(1, 1), other);
        CHECK(TYPED(load_1)(at, other) == number(1, 1), "load_1", other, 0);
        memset(memory, 0x5a, sizeof memory);
        TYPED(store_1)(at, number(2, 2), other);
        CHECK(take(at, other) == number(2, 2), "store_1", other, 0);
        CHECK(untouched(memory, at) && untouched(at + size, memory + sizeof memory), "store_1 beyond", other, 0);
    }
}

/* Numbers that only the wider precision has are rounded as by a cast. */
static void check_rounding_of_other(void)
{
    char memory[WIDTH * sizeof(double)];
    REAL x[WIDTH];
    OTHER y[WIDTH];
    const V v = random_vector(x, any_number);
    TYPED(store)(memory, v, true);
    memcpy(y, memory, sizeof y);
    for (int l = 0; l < WIDTH; l++)
        CHECK((isnan(x[l]) && isnan(y[l])) || y[l] == (OTHER)x[l], "store, rounded", l, 0);
    for (int l = 0; l < WIDTH; l++)
        y[l] = (OTHER)1 / (3 + l);
    memcpy(memory, y, sizeof y);
    const V loaded = TYPED(load)(memory, true);
    for (int l = 0; l < WIDTH; l++)
        CHECK(TYPED(get)(loaded, l) == (REAL)y[l], "load, rounded", l, 0);
}

#if defined(PERMUTE)
static void check_permute(void)
{
    for (int round = 0; round < 100; round++) {
        REAL x[2 * WIDTH];
        INTEGER from_[WIDTH];
        VI chosen;
        const V v = random_vector(x, random_number), w = random_vector(x + WIDTH, random_number);
        for (int l = 0; l < WIDTH; l++)
            from_[l] = random_bits() % (4 * WIDTH);
        memcpy(&chosen, from_, sizeof chosen);
        const V permuted = PERMUTE(v, chosen, w);
        for (int l = 0; l < WIDTH; l++)
            CHECK(TYPED(get)(permuted, l) == x[from_[l] % (2 * WIDTH)], "PERMUTE", round, l);
    }
}
#endif

/* Elements as scalars, and whether a result is one of those that rounding allows: products that need not be rounded apart
   may be, or not. */
typedef struct {
    REAL re, im;
} scalar;

static scalar lane(E x, int l)
{
#if PARTS == 2
    return (scalar){TYPED(get)(x.re, l), TYPED(get)(x.im, l)};
#else
    return (scalar){TYPED(get)(x.re, l), 0};
#endif
}

static E random_elements(scalar *x, REAL (*number)(void))
{
    REAL re[WIDTH], im[WIDTH];
    random_vector(re, number);
    random_vector(im, number);
    for (int l = 0; l < WIDTH; l++)
        x[l] = (scalar){re[l], PARTS == 2 ? im[l] : 0};
#if PARTS == 2
    return (E){from(re), from(im)};
#else
    return (E){from(re)};
#endif
}

static bool is(scalar x, REAL re, REAL im)
{
    return alike(x.re, re) && (PARTS == 1 || alike(x.im, im));
}

/* sum + x y, rounded once or twice; `first` is sum. */
static bool is_sum(REAL result, REAL sum, REAL x, REAL y)
{
    return alike(result, kept(sum + kept(x * y))) || alike(result, FMA(x, y, sum));
}

#if PARTS == 2
/* x y + z w, with one of the products rounded or both. */
static bool is_two_products(REAL result, REAL x, REAL y, REAL z, REAL w)
{
    return is_sum(result, kept(x * y), z, w) || is_sum(result, kept(z * w), x, y);
}

/* sum + x y + z w in this order. */
static bool is_sum_of_two(REAL result, REAL sum, REAL x, REAL y, REAL z, REAL w)
{
    return is_sum(result, kept(sum + kept(x * y)), z, w) || is_sum(result, FMA(x, y, sum), z, w);
}
#endif

static void check_elements_of(REAL (*number)(void), int round)
{
    scalar x[WIDTH], y[WIDTH], z[WIDTH];
    REAL by[WIDTH];
    const E ex = random_elements(x, number), ey = random_elements(y, number), ez = random_elements(z, number);
    const V factor = random_vector(by, number);
    const E zero = NAME(zero)(), sum = NAME(add)(ex, ey), difference = NAME(subtract)(ex, ey);
    const E product = NAME(multiply)(ex, ey), scaled = NAME(scale)(ex, factor), real = NAME(real)(factor);
    const E conjugate = NAME(conjugate)(ex), chosen = NAME(select)(TYPED(greater)(factor, TYPED(all)(1)), ex, ey);
    const E added = NAME(add_product)(ez, ex, ey), added_conjugate = NAME(add_product_conjugate)(ez, ex, ey);
    const E less = NAME(subtract_product)(ez, ex, ey), less_conjugate = NAME(subtract_product_conjugate)(ez, ex, ey);
    const E apart = NAME(product)(ex, ey, true), together = NAME(product)(ex, ey, false);
    /* The product of a sum has no other use, which would keep the compiler from rounding both at once. */
    const E apart_in_sum = NAME(add)(ex, NAME(product)(ey, ez, true)), reciprocal = NAME(reciprocal)(ex);
    const V size = NAME(size)(ex), modulus = NAME(modulus)(ex);
    for (int l = 0; l < WIDTH; l++) {
        const REAL re = x[l].re, im = x[l].im, yr = y[l].re, yi = y[l].im;
        const bool greater = by[l] > 1;
        CHECK(is(lane(zero, l), 0, 0), "zero", round, l);
        CHECK(is(lane(sum, l), kept(re + yr), kept(im + yi)), "add", round, l);
        CHECK(is(lane(difference, l), kept(re - yr), kept(im - yi)), "subtract", round, l);
        CHECK(is(lane(scaled, l), kept(re * by[l]), kept(im * by[l])), "scale", round, l);
        CHECK(is(lane(real, l), by[l], 0), "real", round, l);
        CHECK(is(lane(conjugate, l), re, kept(0 - im)), "conjugate", round, l);
        CHECK(is(lane(chosen, l), greater ? re : yr, greater ? im : yi), "select of elements", round, l);
#if PARTS == 1
        const REAL exact = kept(re * yr);
        CHECK(is(lane(product, l), exact, 0), "multiply", round, l);
        CHECK(is(lane(apart, l), exact, 0) && is(lane(together, l), exact, 0), "product", round, l);
        CHECK(is(lane(apart_in_sum, l), kept(re + kept(yr * z[l].re)), 0), "product apart from a sum", round, l);
        CHECK(is_sum(lane(added, l).re, z[l].re, re, yr), "add_product", round, l);
        CHECK(is_sum(lane(added_conjugate, l).re, z[l].re, re, yr), "add_product_conjugate", round, l);
        CHECK(is_sum(lane(less, l).re, z[l].re, -re, yr), "subtract_product", round, l);
        CHECK(is_sum(lane(less_conjugate, l).re, z[l].re, -re, yr), "subtract_product_conjugate", round, l);
        CHECK(is(lane(reciprocal, l), kept(1 / re), 0), "reciprocal", round, l);
        CHECK(alike(TYPED(get)(size, l), (REAL)fabs(re)), "size", round, l);
        CHECK(alike(TYPED(get)(modulus, l), kept((REAL)fabs(re) * NORM_UNIT)), "modulus", round, l);
#else
        const scalar p = lane(product, l), a = lane(added, l), c = lane(added_conjugate, l), t = lane(together, l);
        const REAL rr = kept(re * yr), ri = kept(re * yi), ii = kept(im * yi), ir = kept(im * yr);
        CHECK(is_two_products(p.re, re, yr, -im, yi), "multiply", round, l);
        CHECK(is_two_products(p.im, re, yi, im, yr), "multiply, imaginary", round, l);
        CHECK(is(lane(apart, l), kept(rr - ii), kept(ri + ir)), "product apart", round, l);
        CHECK(is_sum(t.re, -ii, re, yr), "product", round, l);
        CHECK(is_sum(t.im, ir, re, yi), "product, imaginary", round, l);
        const REAL zr = z[l].re, zi = z[l].im;
        const REAL apart_re = kept(kept(yr * zr) - kept(yi * zi)), apart_im = kept(kept(yr * zi) + kept(yi * zr));
        CHECK(is(lane(apart_in_sum, l), kept(re + apart_re), kept(im + apart_im)), "product apart from a sum", round,
              l);
        CHECK(is_sum_of_two(a.re, z[l].re, re, yr, -im, yi), "add_product", round, l);
        CHECK(is_sum_of_two(a.im, z[l].im, re, yi, im, yr), "add_product, imaginary", round, l);
        CHECK(is_sum_of_two(c.re, z[l].re, re, yr, im, yi), "add_product_conjugate", round, l);
        CHECK(is_sum_of_two(c.im, z[l].im, -re, yi, im, yr), "add_product_conjugate, imaginary", round, l);
        const scalar u = lane(less, l), v = lane(less_conjugate, l);
        CHECK(is_sum_of_two(u.re, z[l].re, -re, yr, im, yi), "subtract_product", round, l);
        CHECK(is_sum_of_two(u.im, z[l].im, -re, yi, -im, yr), "subtract_product, imaginary", round, l);
        CHECK(is_sum_of_two(v.re, z[l].re, -re, yr, -im, yi), "subtract_product_conjugate", round, l);
        CHECK(is_sum_of_two(v.im, z[l].im, re, yi, -im, yr), "subtract_product_conjugate, imaginary", round, l);
        CHECK(alike(TYPED(get)(size, l), kept((REAL)fabs(re) + (REAL)fabs(im))), "size", round, l);
        const bool turned = fabs(im) > fabs(re);
        const REAL large = turned ? im : re, small = turned ? re : im, ratio = kept(small / large);
        const REAL inverse = kept(1 / kept(large * kept(1 + kept(ratio * ratio)))), rest = kept(ratio * inverse);
        CHECK(is(lane(reciprocal, l), turned ? rest : inverse, -(turned ? inverse : rest)), "reciprocal", round, l);
        const REAL share = kept(small / (large == 0 ? 1 : large)), unit = kept((REAL)fabs(large) * NORM_UNIT);
        const REAL once = kept(unit * ROOT(FMA(share, share, 1)));
        const REAL twice = kept(unit * ROOT(kept(1 + kept(share * share)))), found = TYPED(get)(modulus, l);
        CHECK(alike(found, once) || alike(found, twice), "modulus", round, l);
#endif
    }
}

/* What is known of them without a formula. */
static void check_moduli(void)
{
    const REAL sizes[] = {0, SMALLEST_REAL, SAFE_MINIMUM, 1, LARGEST_REAL, INFINITY};
    for (int n = 0; n < 6; n++)
        for (int part = 0; part < PARTS; part++)
            for (int sign = -1; sign < 2; sign += 2) {
                REAL parts[2] = {0, 0};
                E x = NAME(zero)();
                parts[part] = sign * sizes[n];
                x.re = TYPED(all)(parts[0]);
#if PARTS == 2
                x.im = TYPED(all)(parts[1]);
#endif
                const REAL modulus = TYPED(get)(NAME(modulus)(x), 0);
                CHECK(modulus == kept(sizes[n] * NORM_UNIT), "modulus of one part", n, part);
                CHECK(TYPED(get)(NAME(size)(x), WIDTH - 1) == sizes[n], "size of one part", n, part);
                if (n == 3) {
                    const scalar inverse = lane(NAME(reciprocal)(x), 0);
                    CHECK(inverse.re == parts[0] && inverse.im == -parts[1], "reciprocal of a unit", n, part);
                }
                parts[1 - part] = NAN;
                x.re = TYPED(all)(PARTS == 1 ? NAN : parts[0]);
#if PARTS == 2
                x.im = TYPED(all)(parts[1]);
#endif
                CHECK(isnan(TYPED(get)(NAME(modulus)(x), 0)), "modulus of NaN", n, part);
                CHECK(isnan(TYPED(get)(NAME(size)(x), 0)), "size of NaN", n, part);
            }
#if PARTS == 2
    E huge = {TYPED(all)(LARGEST_REAL), TYPED(all)(-LARGEST_REAL)};
    const REAL modulus = TYPED(get)(NAME(modulus)(huge), 0), expected = LARGEST_REAL * NORM_UNIT * (REAL)M_SQRT2;
    CHECK(fabs(modulus - expected) <= 2 * EPSILON * expected, "modulus of huge parts", 0, 0);
    const scalar inverse = lane(NAME(reciprocal)((E){TYPED(all)(0x1p-100f), TYPED(all)(0x1p-100f)}), 0);
    CHECK(inverse.re == 0x1p99f && inverse.im == -0x1p99f, "reciprocal of a small number", 0, 0);
#endif
}

/* Lines: all lengths, both ways, in both precisions, with steps in the tile and the user's memory at an odd number. */
INLINE void check_line(int length, ptrdiff_t step, int skipped, bool low, const bool other)
{
    const ptrdiff_t size = number_size(other), offset = skipped * size;
    const int vectors = length / PARTS * (int)step + PARTS;
    struct user user = take_user((length + skipped) * size, low);
    V *tile = take_aligned(64, ((vectors + 1) * sizeof(V) + 63) / 64 * 64), guard = TYPED(all)(12345);
    if (!tile)
        abort();
    for (int l = 0; l < WIDTH; l++)
        for (int n = 0; n < length; n++)
            put(user.at[l] + offset + n * size, number(l, n), other);
    for (int n = 0; n <= vectors; n++)
        tile[n] = guard;
    NAME(move_line)(tile, step, user.at, offset, length, false, other);
    for (int l = 0; l < WIDTH; l++) {
        int taken = 0;
        for (int n = 0; n <= vectors; n++) {
            const bool used = n % step < PARTS && n / step * PARTS + n % step < length;
            const REAL expected = used ? number(l, taken++) : TYPED(get)(guard, l);
            CHECK(TYPED(get)(tile[n], l) == expected, "move_line to the tile", length, n);
        }
    }
    for (int l = 0; l < WIDTH; l++)
        memset(user.at[l], 0x5a, user.size);
    NAME(move_line)(tile, step, user.at, offset, length, true, other);
    for (int l = 0; l < WIDTH; l++) {
        for (int n = 0; n < length; n++)
            CHECK(take(user.at[l] + offset + n * size, other) == number(l, n), "move_line to the user", length, n);
        CHECK(untouched(user.at[l], user.at[l] + offset), "move_line before the line", length, l);
    }
    /* Once more into the midst of larger memory. */
    struct user larger = take_user((length + skipped + 2 * WIDTH) * size, low);
    NAME(move_line)(tile, step, larger.at, offset, length, true, other);
    for (int l = 0; l < WIDTH; l++)
        CHECK(untouched(larger.at[l] + offset + length * size, larger.at[l] + larger.size), "move_line beyond", length,
              l);
    give_aligned(tile);
    give_user(user);
    give_user(larger);
}

NOINLINE void check_own_line(int length, ptrdiff_t step, int skipped, bool low)
{
    check_line(length, step, skipped, low, false);
}

NOINLINE void check_other_line(int length, ptrdiff_t step, int skipped, bool low)
{
    check_line(length, step, skipped, low, true);
}

static void check_lines(void)
{
    for (int length = 1; length <= 3 * WIDTH + 1; length++)
        for (int step = PARTS; step <= 5 * PARTS; step += 2 * PARTS)
            for (int low = 0; low < 2; low++) {
                check_own_line(length, step, step % 3, low);
                check_other_line(length, step, step % 3, low);
            }
}

/* Matrices of order m in the user's memory, strides in numbers of which `element` are one element: by rows, by columns,
   with gaps, backwards. */
enum { LAYOUTS = 5 };

struct layout {
    ptrdiff_t row, column, first, numbers; /* where element (0, 0) is; how much memory there is */
};

static struct layout lay_out(int m, int which)
{
    const ptrdiff_t odd = 2 * m + 3;
    struct layout l = {m * PARTS, PARTS, 0, 0};
    if (which == 1)
        l.row = PARTS, l.column = m * PARTS;
    else if (which == 2)
        l.row = odd * PARTS;
    else if (which == 3)
        l.row = 3 * PARTS, l.column = 3 * odd * PARTS;
    else if (which == 4)
        l.row = -odd * PARTS;
    l.first = l.row < 0 ? -l.row * (m - 1) : 0;
    l.numbers = (m - 1) * ((l.row < 0 ? -l.row : l.row) + l.column) + PARTS;
    return l;
}

static ptrdiff_t place(const struct layout *l, int i, int j, int part)
{
    return l->first + i * l->row + j * l->column + part;
}

/* Whether the user's memory has element (i, j) of each lane as `expected` says, and nothing else has been written. */
static bool has(const struct user *user, const struct layout *lay, int m, bool other, int l,
                REAL (*expected)(int l, int i, int j, int part, const void *of), const void *of)
{
    const ptrdiff_t size = number_size(other);
    char *copy = malloc(user->size);
    bool right = true;
    if (!copy)
        abort();
    memcpy(copy, user->at[l], user->size);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            for (int part = 0; part < PARTS; part++) {
                char *at = copy + place(lay, i, j, part) * size;
                right = right && take(at, other) == expected(l, i, j, part, of);
                memset(at, 0x5a, size);
            }
    right = right && untouched(copy, copy + user->size);
    free(copy);
    return right;
}

static REAL element(int l, int i, int j, int part, const void *of)
{
    (void)of;
    return number(l, (i * MOST_M + j) * 2 + part);
}

static REAL get_part(E x, int l, int part)
{
    return part ? lane(x, l).im : lane(x, l).re;
}

static E *take_tile(int m, ptrdiff_t ld)
{
    E *t = take_aligned(64, (m * ld * sizeof(E) + 63) / 64 * 64);
    if (!t)
        abort();
    for (int n = 0; n < m * ld; n++)
        t[n] = NAME(real)(TYPED(all)(-7777));
    return t;
}

static struct user take_matrices(int m, const struct layout *lay, bool other, bool low)
{
    struct user user = take_user(lay->numbers * number_size(other), low);
    for (int l = 0; l < WIDTH; l++)
        for (int i = 0; i < m; i++)
            for (int j = 0; j < m; j++)
                for (int part = 0; part < PARTS; part++)
                    put(user.at[l] + place(lay, i, j, part) * number_size(other), element(l, i, j, part, NULL), other);
    return user;
}

/* From element (0, 0) on, as the kernels are called. */
static void origins(const struct user *user, const struct layout *lay, bool other, char **at)
{
    for (int l = 0; l < WIDTH; l++)
        at[l] = user->at[l] + lay->first * number_size(other);
}

/* Whole matrices, to the tile and back. */
static void check_matrix(int m, ptrdiff_t ld, int which, bool other, bool low)
{
    const struct layout lay = lay_out(m, which);
    const ptrdiff_t size = number_size(other);
    char *at[WIDTH];
    struct user user = take_matrices(m, &lay, other, low);
    E *t = take_tile(m, ld);
    origins(&user, &lay, other, at);
    NAME(move)(t, ld, m, at, lay.row * size, lay.column * size, false, other);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < ld; j++)
            for (int l = 0; l < WIDTH; l++)
                for (int part = 0; part < PARTS; part++) {
                    const REAL expected = j < m ? element(l, i, j, part, NULL) : part ? 0 : -7777;
                    CHECK(get_part(t[i * ld + j], l, part) == expected, "move to the tile: order, layout", m, which);
                }
    for (int l = 0; l < WIDTH; l++)
        memset(user.at[l], 0x5a, user.size);
    NAME(move)(t, ld, m, at, lay.row * size, lay.column * size, true, other);
    for (int l = 0; l < WIDTH; l++)
        CHECK(has(&user, &lay, m, other, l, element, NULL), "move to the user: order, layout", m, which);
    give_aligned(t);
    give_user(user);
}

/* An order of the rows for each lane. */
static void shuffle(VI *order, int m)
{
    for (int l = 0; l < WIDTH; l++) {
        INTEGER in_lane[MOST_M];
        for (int k = 0; k < m; k++)
            in_lane[k] = k;
        for (int k = m - 1; k > 0; k--) {
            const int other = random_bits() % (k + 1);
            const INTEGER x = in_lane[k];
            in_lane[k] = in_lane[other];
            in_lane[other] = x;
        }
        for (int k = 0; k < m; k++)
            ((INTEGER *)(order + k))[l] = in_lane[k];
    }
}

/* All columns, strip by strip, with the rows in an order that changes before each. */
static void check_read(int m, int which, bool other)
{
    static VI orders[MOST_M][MOST_M]; /* that in which each column was read */
    const struct layout lay = lay_out(m, which);
    const ptrdiff_t size = number_size(other), ld = m > SMALL ? m + 1 : m;
    struct user user = take_matrices(m, &lay, other, m % 2);
    struct tile tile = {.m = m, .a_row = lay.row * size, .a_column = lay.column * size};
    E *t = take_tile(m, ld);
    VI order[MOST_M];
    char *at[WIDTH];
    origins(&user, &lay, other, at);
    memcpy(tile.a, at, sizeof at);
    for (int k = 0; k < m; k++) /* as it is before the first pivot */
        order[k] = TYPED(integer)(k);
    for (int width = 0; width < m;) {
        const int next = NAME(read)(t, ld, m, order, width, &tile, other);
        CHECK(next > width && next <= m, "read: how far", m, next);
        if (next <= width)
            break;
        for (; width < next && width < m; width++)
            memcpy(orders[width], order, sizeof order);
        shuffle(order, m);
    }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            for (int l = 0; l < WIDTH; l++)
                for (int part = 0; part < PARTS; part++) {
                    const int row = (int)TYPED(get_integer)(orders[j][i], l);
                    CHECK(get_part(t[i * ld + j], l, part) == element(l, row, j, part, NULL), "read: order, column", m,
                          j);
                }
    give_aligned(t);
    give_user(user);
}

/* Column j of the result is the column of the tile whose place in the order is j. */
static REAL ordered_element(int l, int i, int j, int part, const void *of)
{
    const VI *order = (const VI *)of;
    for (int k = 0;; k++)
        if (TYPED(get_integer)(order[k], l) == j)
            return element(l, i, k, part, NULL);
}

static void check_write(int m, int which, bool other)
{
    const struct layout lay = lay_out(m, which);
    const ptrdiff_t size = number_size(other), ld = m + m % 2 + 2;
    struct user user = take_user(lay.numbers * size, m % 2);
    struct tile tile = {.m = m, .out_row = lay.row * size, .out_column = lay.column * size};
    E *t = take_tile(m, ld);
    VI order[MOST_M];
    ptrdiff_t *offsets = take_aligned(64, (MOST_M * sizeof(E) * 4 + MOST_M * WIDTH * sizeof(ptrdiff_t) + 63) / 64 * 64);
    char *at[WIDTH];
    if (!offsets)
        abort();
    origins(&user, &lay, other, at);
    memcpy(tile.out, at, sizeof at);
    shuffle(order, m);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            for (int l = 0; l < WIDTH; l++)
                for (int part = 0; part < PARTS; part++)
                    ((REAL *)(t + i * ld + j))[part * WIDTH + l] = element(l, i, j, part, NULL);
    NAME(move_in_order)(t, ld, m, order, offsets, &tile, other);
    for (int l = 0; l < WIDTH; l++)
        CHECK(has(&user, &lay, m, other, l, ordered_element, order), "move_in_order: order, layout", m, which);
    give_aligned(offsets);
    give_aligned(t);
    give_user(user);
}

static void check_matrices(void)
{
    for (int m = 1; m <= MOST_M; m += m < 20 ? 1 : 5)
        for (int which = 0; which < LAYOUTS; which++)
            for (int other = 0; other < 2; other++) {
                check_matrix(m, m, which, other, which % 2);
                if (m > SMALL) /* smaller tiles have no padding */
                    check_matrix(m, m + 3, which, other, m % 2);
                check_read(m, which, other);
                check_write(m, which, other);
            }
}

int check_vocabulary(void)
{
    check_numbers();
    check_comparisons();
    check_any();
    check_logarithm();
    check_largest();
    EACH_HEIGHT(check_transpose);
    EACH_HEIGHT(check_gather);
    check_load();
    check_rounding_of_other();
#if defined(PERMUTE)
    check_permute();
#endif
    for (int round = 0; round < 2000; round++)
        check_elements_of(round % 2 ? any_number : random_number, round);
    check_moduli();
    check_lines();
    check_matrices();
    return failures;
}
