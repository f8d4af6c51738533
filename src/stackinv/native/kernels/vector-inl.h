/* SPDX-License-Identifier: BSD-3-Clause */
/* A vector of WIDTH reals, one lane for each matrix of a tile, and what is done with it.

   Included once for each precision, with REAL, INTEGER (of the same size), OTHER (the other precision), WIDTH and
   TYPED(name), which makes a name of its own for this precision. Written in the vector extensions of GCC and Clang;
   with WIDTH 1 a vector is one number, for any compiler. What the file of the instruction set defines is used instead;
   portable-inl.h says what that may be. */

#if !defined(LEAVE)
#define LEAVE() ((void)0)
#endif

#define V TYPED(vector)
#define VI TYPED(integers)
#define VM TYPED(mask)

#if WIDTH > 1

typedef REAL V __attribute__((vector_size(WIDTH * sizeof(REAL)), may_alias));
typedef INTEGER VI __attribute__((vector_size(WIDTH * sizeof(REAL)), may_alias));

INLINE V TYPED(all)(REAL x)
{
    return x - (V){0};
}
INLINE VI TYPED(integer)(INTEGER i)
{
    return i - (VI){0};
}
INLINE VI TYPED(bits)(V x)
{
    return (VI)x;
}
INLINE V TYPED(from_bits)(VI x)
{
    return (V)x;
}
INLINE REAL TYPED(get)(V x, int l)
{
    return x[l];
}
INLINE INTEGER TYPED(get_integer)(VI x, int l)
{
    return x[l];
}
INLINE VI TYPED(shifted_left)(VI x, const int bits)
{
    return x << bits;
}
INLINE V TYPED(square_root)(V x)
{
#if defined(SQUARE_ROOTS)
    return SQUARE_ROOTS(x);
#else
    for (int l = 0; l < WIDTH; l++)
        x[l] = SQUARE_ROOT(x[l]);
    return x;
#endif
}

#else

typedef REAL V;
typedef INTEGER VI;

INLINE V TYPED(all)(REAL x)
{
    return x;
}
INLINE VI TYPED(integer)(INTEGER i)
{
    return i;
}
INLINE VI TYPED(bits)(V x)
{
    VI result;
    memcpy(&result, &x, sizeof x);
    return result;
}
INLINE V TYPED(from_bits)(VI x)
{
    V result;
    memcpy(&result, &x, sizeof x);
    return result;
}
INLINE REAL TYPED(get)(V x, int l)
{
    return x;
}
INLINE INTEGER TYPED(get_integer)(VI x, int l)
{
    return x;
}
INLINE VI TYPED(shifted_left)(VI x, const int bits)
{
    return (VI)((uint64_t)x << bits);
}
INLINE V TYPED(square_root)(V x)
{
    return SQUARE_ROOT(x);
}

#endif

/* What holds in which lanes: bits of a mask register where there are such, else all bits of the lane. */
#if defined(MASK)

typedef MASK VM;
INLINE VM TYPED(greater)(V x, V y)
{
    return MASK_GREATER(x, y);
}
INLINE VM TYPED(equal)(V x, V y)
{
    return MASK_EQUAL(x, y);
}
INLINE VM TYPED(same)(VI x, VI y)
{
    return MASK_SAME(x, y);
}
INLINE VI TYPED(select_integer)(VM mask, VI yes, VI no)
{
    return MASK_SELECT_INTEGER(mask, yes, no);
}
INLINE V TYPED(select)(VM mask, V yes, V no)
{
    return MASK_SELECT(mask, yes, no);
}

#else

typedef VI VM;
#if WIDTH > 1
INLINE VM TYPED(greater)(V x, V y)
{
    return (VM)(x > y);
}
INLINE VM TYPED(equal)(V x, V y)
{
    return (VM)(x == y);
}
INLINE VM TYPED(same)(VI x, VI y)
{
    return (VM)(x == y);
}
#else
INLINE VM TYPED(greater)(V x, V y)
{
    return -(VM)(x > y);
}
INLINE VM TYPED(equal)(V x, V y)
{
    return -(VM)(x == y);
}
INLINE VM TYPED(same)(VI x, VI y)
{
    return -(VM)(x == y);
}
#endif
INLINE VI TYPED(select_integer)(VM mask, VI yes, VI no)
{
    return (mask & yes) | (~mask & no);
}
INLINE V TYPED(select)(VM mask, V yes, V no)
{
    return TYPED(from_bits)(TYPED(select_integer)(mask, TYPED(bits)(yes), TYPED(bits)(no)));
}

#endif

INLINE V TYPED(absolute)(V x)
{
    return TYPED(from_bits)(TYPED(bits)(x) & ~TYPED(bits)(TYPED(all)(-(REAL)0)));
}

/* 0, 1, 2, ... */
INLINE V TYPED(lanes)(void)
{
#if WIDTH > 1
    V x;
    UNROLLED (l, 0, WIDTH)
        x[l] = l;
    return x;
#else
    return 0;
#endif
}

/* Whether any number is not zero. */
INLINE bool TYPED(any)(VI x)
{
#if defined(MASK)
    return TYPED(same)(x, TYPED(integer)(0)) != (VM)-1;
#else
    INTEGER all = 0;
    for (int l = 0; l < WIDTH; l++)
        all |= TYPED(get_integer)(x, l);
    return all != 0;
#endif
}

/* Whether that holds in any lane. */
INLINE bool TYPED(holds)(VM mask)
{
#if defined(MASK)
    return mask != 0;
#elif defined(ANY_SIGN)
    return ANY_SIGN(mask);
#else
    return TYPED(any)(mask);
#endif
}

/* The signs of numbers, without their other bits. */
INLINE VI TYPED(signs)(VI x)
{
    return x & TYPED(bits)(TYPED(all)(-(REAL)0));
}

/* The larger of two; y if either is NaN. */
INLINE V TYPED(larger)(V x, V y)
{
#if defined(LARGER)
    return LARGER(x, y);
#else
    return TYPED(select)(TYPED(greater)(x, y), x, y);
#endif
}

/* Roughly the logarithm of a positive number, to a base of its own: its bits, but for half of them. */
INLINE VI TYPED(logarithm)(V x)
{
    return TYPED(bits)(x) >> (4 * sizeof(REAL));
}

/* A product that is to be rounded before it is added: hidden from the compiler, which would round both at once. */
INLINE V TYPED(rounded)(V x)
{
#if defined(ROUNDED)
    ROUNDED(x);
#endif
    return x;
}

/* The larger of two, or NaN if one is. */
INLINE V TYPED(maximum)(V x, V y)
{
    return TYPED(select)(TYPED(equal)(x, x), TYPED(larger)(x, y), x);
}

/* Between the user's matrices and vectors: blocks of H consecutive numbers of each matrix, H a power of two up to
   WIDTH, are H vectors. Pieces of H numbers are joined to vectors, and squares of H by H transposed in registers.
   `at` points to where the piece of each lane lies; `other` says that the user's numbers are of the other precision. */

INLINE REAL TYPED(load_1)(const char *at, const bool other)
{
    if (other) {
        OTHER x;
        memcpy(&x, at, sizeof x);
        return (REAL)x;
    }
    REAL x;
    memcpy(&x, at, sizeof x);
    return x;
}

INLINE void TYPED(store_1)(char *at, REAL x, const bool other)
{
    if (other) {
        OTHER y = (OTHER)x;
        memcpy(at, &y, sizeof y);
    } else
        memcpy(at, &x, sizeof x);
}

#define JOINED(h) TYPED(joined_##h)
#define JOINED_1 REAL

INLINE REAL TYPED(join_1)(char *const *at, ptrdiff_t offset, const int height, const bool other)
{
    (void)height;
    return TYPED(load_1)(*at + offset, other);
}

INLINE void TYPED(split_1)(char *const *at, ptrdiff_t offset, REAL x, const int height, const bool other)
{
    (void)height;
    TYPED(store_1)(*at + offset, x, other);
}

/* Shuffles: of vectors of any length where the compiler knows such, else (GCC before 12) of those of one length. There
   a vector is put together from the words of its halves, since GCC does not see halves in as many floats. */
#if defined(STACKINV_SHUFFLEVECTOR)
#define SHUFFLED(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#define WHOLE(w, half, lower, upper, ...) __builtin_shufflevector(lower, upper, __VA_ARGS__)
#define HALF(x, half, ...) __builtin_shufflevector(x, x, __VA_ARGS__)
#else
#define SHUFFLED(x, y, ...) __builtin_shuffle(x, y, (VI){__VA_ARGS__})
#define WORDS(w) int64_t __attribute__((vector_size(w * sizeof(REAL))))
#define WHOLE(w, half, lower, upper, ...)                                                                              \
    (JOINED(w))(WORDS(w))                                                                                              \
    {                                                                                                                  \
        WORDS_OF_##w((WORDS(half))lower, (WORDS(half))upper)                                                           \
    }
#define HALF(x, half, first, ...)                                                                                      \
    ((union {                                                                                                          \
        __typeof__(x) whole;                                                                                           \
        JOINED(half) halves[2];                                                                                        \
    }){x})                                                                                                             \
        .halves[first / half]
#if VECTOR_BYTES == 8 * WIDTH
#define WORDS_OF_4(x, y) (x)[0], (x)[1], (y)[0], (y)[1]
#define WORDS_OF_8(x, y) (x)[0], (x)[1], (x)[2], (x)[3], (y)[0], (y)[1], (y)[2], (y)[3]
#else
#define WORDS_OF_4(x, y) (x)[0], (y)[0]
#define WORDS_OF_8(x, y) (x)[0], (x)[1], (y)[0], (y)[1]
#define WORDS_OF_16(x, y) (x)[0], (x)[1], (x)[2], (x)[3], (y)[0], (y)[1], (y)[2], (y)[3]
#endif
#endif

/* Vectors of w numbers from two of `half`, and back: BOTH joins them, FIRST and SECOND are the halves. */
#define DEFINE_JOINED(w, half, PIECE, BOTH, FIRST, SECOND)                                                             \
    typedef REAL JOINED(w) __attribute__((vector_size(w * sizeof(REAL)), may_alias));                                  \
    typedef REAL TYPED(own_##w) __attribute__((vector_size(w * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));      \
    typedef OTHER TYPED(other_##w) __attribute__((vector_size(w * sizeof(OTHER)), aligned(sizeof(OTHER)), may_alias)); \
    INLINE JOINED(w) TYPED(join_##w)(char *const *at, ptrdiff_t offset, const int height, const bool other)            \
    {                                                                                                                  \
        if (height >= w && other)                                                                                      \
            return __builtin_convertvector(*(const TYPED(other_##w) *)(*at + offset), JOINED(w));                      \
        if (height >= w)                                                                                               \
            return *(const TYPED(own_##w) *)(*at + offset);                                                            \
        PIECE lower = TYPED(join_##half)(at, offset, height, other);                                                   \
        PIECE upper = TYPED(join_##half)(at + half, offset, height, other);                                            \
        return BOTH(lower, upper);                                                                                     \
    }                                                                                                                  \
    INLINE void TYPED(split_##w)(char *const *at, ptrdiff_t offset, JOINED(w) x, const int height, const bool other)   \
    {                                                                                                                  \
        if (height >= w && other)                                                                                      \
            *(TYPED(other_##w) *)(*at + offset) = __builtin_convertvector(x, TYPED(other_##w));                        \
        else if (height >= w)                                                                                          \
            *(TYPED(own_##w) *)(*at + offset) = x;                                                                     \
        else {                                                                                                         \
            TYPED(split_##half)(at, offset, FIRST(x), height, other);                                                  \
            TYPED(split_##half)(at + half, offset, SECOND(x), height, other);                                          \
        }                                                                                                              \
    }

#define BOTH_2(x, y) ((JOINED(2)){x, y})
#define BOTH_4(x, y) WHOLE(4, 2, x, y, 0, 1, 2, 3)
#define BOTH_8(x, y) WHOLE(8, 4, x, y, 0, 1, 2, 3, 4, 5, 6, 7)
#define BOTH_16(x, y) WHOLE(16, 8, x, y, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#define FIRST_2(x) x[0]
#define FIRST_4(x) HALF(x, 2, 0, 1)
#define FIRST_8(x) HALF(x, 4, 0, 1, 2, 3)
#define FIRST_16(x) HALF(x, 8, 0, 1, 2, 3, 4, 5, 6, 7)
#define SECOND_2(x) x[1]
#define SECOND_4(x) HALF(x, 2, 2, 3)
#define SECOND_8(x) HALF(x, 4, 4, 5, 6, 7)
#define SECOND_16(x) HALF(x, 8, 8, 9, 10, 11, 12, 13, 14, 15)

#if WIDTH >= 2
DEFINE_JOINED(2, 1, REAL, BOTH_2, FIRST_2, SECOND_2)
#endif
#if WIDTH >= 4
DEFINE_JOINED(4, 2, JOINED(2), BOTH_4, FIRST_4, SECOND_4)
#endif
#if WIDTH >= 8
DEFINE_JOINED(8, 4, JOINED(4), BOTH_8, FIRST_8, SECOND_8)
#endif
#if WIDTH >= 16
DEFINE_JOINED(16, 8, JOINED(8), BOTH_16, FIRST_16, SECOND_16)
#endif

/* One stage of a transposition: of two vectors, the elements e where e & s is zero, and the others. */
#define LOWER(e, s) ((e) & (s) ? WIDTH + (e) - (s) : (e))
#define UPPER(e, s) ((e) & (s) ? WIDTH + (e) : (e) + (s))
#if WIDTH == 2
#define SHUFFLE(x, y, F, s) SHUFFLED(x, y, F(0, s), F(1, s))
#elif WIDTH == 4
#define SHUFFLE(x, y, F, s) SHUFFLED(x, y, F(0, s), F(1, s), F(2, s), F(3, s))
#elif WIDTH == 8
#define SHUFFLE(x, y, F, s) SHUFFLED(x, y, F(0, s), F(1, s), F(2, s), F(3, s), F(4, s), F(5, s), F(6, s), F(7, s))
#elif WIDTH == 16
#define SHUFFLE(x, y, F, s)                                                                                            \
    SHUFFLED(x, y, F(0, s), F(1, s), F(2, s), F(3, s), F(4, s), F(5, s), F(6, s), F(7, s), F(8, s), F(9, s), F(10, s), \
             F(11, s), F(12, s), F(13, s), F(14, s), F(15, s))
#endif

#define STAGE(v, height, s)                                                                                            \
    if (height > s)                                                                                                    \
        UNROLLED (i, 0, height)                                                                                        \
            if (!(i & s)) {                                                                                            \
                V x = v[i], y = v[i + s];                                                                              \
                v[i] = SHUFFLE(x, y, LOWER, s);                                                                        \
                v[i + s] = SHUFFLE(x, y, UPPER, s);                                                                    \
            }

/* Transposes all squares of height by height in `height` vectors. */
INLINE void TYPED(transpose)(V *v, const int height)
{
#if WIDTH >= 2
    STAGE(v, height, 1)
#endif
#if WIDTH >= 4
    STAGE(v, height, 2)
#endif
#if WIDTH >= 8
    STAGE(v, height, 4)
#endif
#if WIDTH >= 16
    STAGE(v, height, 8)
#endif
    (void)v, (void)height;
}

/* The largest of all lanes, in each. */
INLINE V TYPED(largest)(V x)
{
#define ACROSS(e, s) ((e) ^ (s))
#if WIDTH >= 2
    x = TYPED(larger)(x, SHUFFLE(x, x, ACROSS, 1));
#endif
#if WIDTH >= 4
    x = TYPED(larger)(x, SHUFFLE(x, x, ACROSS, 2));
#endif
#if WIDTH >= 8
    x = TYPED(larger)(x, SHUFFLE(x, x, ACROSS, 4));
#endif
#if WIDTH >= 16
    x = TYPED(larger)(x, SHUFFLE(x, x, ACROSS, 8));
#endif
#undef ACROSS
    return x;
}

#define JOIN_(w) TYPED(join_##w)
#define JOIN(w) JOIN_(w)
#define SPLIT_(w) TYPED(split_##w)
#define SPLIT(w) SPLIT_(w)

/* v[e] = number e at `offset` of the matrix in each lane. */
INLINE void TYPED(gather)(V *v, char *const *at, ptrdiff_t offset, const int height, const bool other)
{
    UNROLLED (i, 0, height)
        v[i] = JOIN(WIDTH)(at + i, offset, height, other);
    TYPED(transpose)(v, height);
}

INLINE void TYPED(scatter)(V *v, char *const *at, ptrdiff_t offset, const int height, const bool other)
{
    TYPED(transpose)(v, height);
    UNROLLED (i, 0, height)
        SPLIT(WIDTH)(at + i, offset, v[i], height, other);
}

INLINE V TYPED(load)(char *at, const bool other)
{
    return JOIN(WIDTH)(&at, 0, WIDTH, other);
}

INLINE void TYPED(store)(char *at, V x, const bool other)
{
    SPLIT(WIDTH)(&at, 0, x, WIDTH, other);
}

#undef JOIN_
#undef JOIN
#undef SPLIT_
#undef SPLIT
#undef LOWER
#undef UPPER
#undef SHUFFLE
#undef SHUFFLED
#undef WHOLE
#undef HALF
#undef BOTH_2
#undef BOTH_4
#undef BOTH_8
#undef BOTH_16
#undef FIRST_2
#undef FIRST_4
#undef FIRST_8
#undef FIRST_16
#undef SECOND_2
#undef SECOND_4
#undef SECOND_8
#undef SECOND_16
#undef WORDS
#undef WORDS_OF_4
#undef WORDS_OF_8
#undef WORDS_OF_16
#undef STAGE
#undef DEFINE_JOINED
#undef JOINED
#undef JOINED_1
