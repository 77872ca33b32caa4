/* SPDX-License-Identifier: GPL-2.0-only */
/* XCR0 and YMM registers, for kernels whose C code leaves the FPU alone. */
#ifndef GUEST_VECTOR_H
#define GUEST_VECTOR_H

#include <stdint.h>

#define CR4_OSXSAVE (1ul << 18)
#define XCR0_X87 1ul
#define XCR0_SSE 2ul
#define XCR0_YMM 4ul
#define XCR0_AVX (XCR0_X87 | XCR0_SSE | XCR0_YMM)
#define XCR0_PKRU (1ul << 9)

/* Leaf 1, ecx. */
#define CPUID_XSAVE (1u << 26)
#define CPUID_OSXSAVE (1u << 27)
#define CPUID_AVX (1u << 28)

#define XSAVE_BYTES 832u                /* with YMM */

struct xcr {
    uint32_t index;
    uint64_t value;
};

struct ymm {
    uint64_t word[16][4];
};

static inline uint64_t xgetbv(uint32_t index)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a" (low), "=d" (high) : "c" (index));
    return (uint64_t)high << 32 | low;
}

/* Of a struct xcr: may trap. */
static inline void do_xsetbv(void *arg)
{
    const struct xcr *x = arg;

    __asm__ volatile("xsetbv" :: "c" (x->index), "a" ((uint32_t)x->value),
                     "d" ((uint32_t)(x->value >> 32)) : "memory");
}

#define ALL_YMM(instruction)                                            \
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"                    \
    instruction "\n.endr\n"

static inline void ymm_load(const struct ymm *y)
{
    __asm__ volatile(ALL_YMM("vmovdqu \\n*32(%0), %%ymm\\n") :: "r" (y)
                     : "memory");
}

static inline void ymm_save(struct ymm *y)
{
    __asm__ volatile(ALL_YMM("vmovdqu %%ymm\\n, \\n*32(%0)") :: "r" (y)
                     : "memory");
}

static inline void ymm_fill(struct ymm *y, uint64_t seed)
{
    for (unsigned int i = 0; i < 16; i++) {
        for (unsigned int j = 0; j < 4; j++) {
            y->word[i][j] = (seed + i) * 0x9e3779b97f4a7c15ul + j;
        }
    }
}

/* An image in the standard format, aligned to 64 bytes. */
static inline void xsave(void *image)
{
    __asm__ volatile("xsave64 (%0)" :: "r" (image), "a" (~0u), "d" (~0u)
                     : "memory");
}

static inline void xrstor(const void *image)
{
    __asm__ volatile("xrstor64 (%0)" :: "r" (image), "a" (~0u), "d" (~0u)
                     : "memory");
}

#endif
