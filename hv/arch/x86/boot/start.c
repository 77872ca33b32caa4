/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdint.h>
#include "core/console.h"
#include "core/arch.h"
#include "lib/spinlock.h"
#include "lib/string.h"

static struct lock_track t;
struct lock_track *lock_track(void) { return &t; }
unsigned int arch_cpu_id(void) { return 0; }
uint64_t arch_time_now(void) { return 0; }
void arch_panic_halt(void) { for (;;) { __asm__ volatile("hlt"); } }
void arch_console_write(const char *text, size_t size)
{
    while (size-- > 0) {
        __asm__ volatile("outb %0, %1" :: "a" (*text++), "Nd" ((uint16_t)0x3f8));
    }
}
void start_bsp(uint64_t info);
void start_ap(void);
void start_ap(void) {}
void start_bsp(uint64_t info)
{
    console_log(LOG_INFO, "hello %lx", info);
    for (;;) { __asm__ volatile("hlt"); }
}
