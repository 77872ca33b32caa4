/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exceptions and interrupts of a test kernel.  One IDT for all vcpus.
 *
 *  1. An exception inside try_run() ends it; any other fails the kernel.
 *  2. try_run() is for one vcpu at a time.
 */
#include "guest.h"

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

struct trap trap_last;

static struct gate idt[256];
static trap_handler handlers[256];

/* Also loaded by entry.S for further vcpus. */
struct idt_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));
extern struct idt_pointer idt_pointer;
struct idt_pointer idt_pointer = { sizeof(idt) - 1, 0 };

extern const char trap_stubs[][16];
extern const char try_resume[];
extern uint8_t try_active;
extern uint64_t try_rsp;

void trap_dispatch(struct trap_frame *f);
void trap_init(void);

static uint64_t read_cr2(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

void trap_dispatch(struct trap_frame *f)
{
    if (handlers[f->vector & 255] != NULL) {
        handlers[f->vector & 255](f);
        return;
    }
    if (f->vector < 32 && try_active) {
        trap_last = (struct trap){
            .vector = f->vector, .error = f->error, .rip = f->rip,
            .cr2 = read_cr2(),
        };
        f->rip = PTR(try_resume);
        f->rsp = try_rsp;
        return;
    }
    guest_case(false, "trap", "vector %lu error %lx rip %lx cr2 %lx",
               f->vector, f->error, f->rip, read_cr2());
    guest_end(SHUTDOWN_crash);
}

void trap_set_handler(unsigned int vector, trap_handler handler)
{
    handlers[vector & 255] = handler;
}

void trap_init(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(idt); i++) {
        uint64_t at = PTR(trap_stubs[i]);

        idt[i] = (struct gate){
            .offset_low = (uint16_t)at, .selector = 8, .type = 0x8e,
            .offset_middle = (uint16_t)(at >> 16),
            .offset_high = (uint32_t)(at >> 32),
        };
    }
    idt_pointer.base = PTR(idt);
    __asm__ volatile("lidt %0" : : "m"(idt_pointer));
}

/* ---- MSRs that may not be there ---- */

struct msr {
    uint32_t index;
    uint64_t value;
};

static void do_rdmsr(void *arg)
{
    struct msr *m = arg;

    m->value = rdmsr(m->index);
}

static void do_wrmsr(void *arg)
{
    const struct msr *m = arg;

    wrmsr(m->index, m->value);
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    struct msr m = { msr, 0 };
    bool ok = try_run(do_rdmsr, &m);

    *value = m.value;
    return ok;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
    struct msr m = { msr, value };

    return try_run(do_wrmsr, &m);
}
