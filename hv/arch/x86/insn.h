/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions that C has no words for. */
#ifndef X86_INSN_H
#define X86_INSN_H

#include <stdint.h>

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a" (value) : "Nd" (port));
    return value;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a" (value) : "Nd" (port));
    return value;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a" (value) : "Nd" (port));
    return value;
}

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" :: "a" (value), "Nd" (port));
}

static inline void outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" :: "a" (value), "Nd" (port));
}

static inline void outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" :: "a" (value), "Nd" (port));
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" :: "c" (msr), "a" ((uint32_t)value),
                     "d" ((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a" (low), "=d" (high) :: "memory");
    return (uint64_t)high << 32 | low;
}

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;

    __asm__ volatile("cpuid" : "=a" (r.eax), "=b" (r.ebx), "=c" (r.ecx),
                     "=d" (r.edx) : "0" (leaf), "2" (subleaf));
    return r;
}

/* a * b / c with a 128-bit product; the quotient must fit in 64 bits. */
static inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t high;

    __asm__("mulq %2; divq %3"
            : "+a" (a), "=&d" (high) : "r" (b), "r" (c) : "cc");
    return a;
}

#define READ_CR(n)                                                      \
    static inline uint64_t read_cr##n(void)                             \
    {                                                                   \
        uint64_t value;                                                 \
                                                                        \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r" (value) :: "memory"); \
        return value;                                                   \
    }                                                                   \
    static inline void write_cr##n(uint64_t value)                      \
    {                                                                   \
        __asm__ volatile("mov %0, %%cr" #n :: "r" (value) : "memory");  \
    }
READ_CR(0)
READ_CR(2)
READ_CR(3)
READ_CR(4)
READ_CR(8)
#undef READ_CR

#define READ_DR(n)                                                      \
    static inline uint64_t read_dr##n(void)                             \
    {                                                                   \
        uint64_t value;                                                 \
                                                                        \
        __asm__ volatile("mov %%dr" #n ", %0" : "=r" (value));          \
        return value;                                                   \
    }                                                                   \
    static inline void write_dr##n(uint64_t value)                      \
    {                                                                   \
        __asm__ volatile("mov %0, %%dr" #n :: "r" (value));             \
    }
READ_DR(0)
READ_DR(1)
READ_DR(2)
READ_DR(3)
#undef READ_DR

static inline void xsetbv(uint32_t index, uint64_t value)
{
    __asm__ volatile("xsetbv" :: "c" (index), "a" ((uint32_t)value),
                     "d" ((uint32_t)(value >> 32)));
}

static inline void tlb_flush_page(const void *va)
{
    __asm__ volatile("invlpg (%0)" :: "r" (va) : "memory");
}

#endif
