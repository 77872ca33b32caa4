/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of the machine: power off, reset, panic. Talks to acpi.c.
 * 1. Nothing here returns; a method that fails is followed by the next.
 */
#include "acpi.h"
#include "apic.h"
#include "boot/boot.h"
#include "core/arch.h"
#include "core/console.h"
#include "cpu.h"
#include "insn.h"
#include "time.h"

static _Noreturn void stop(void)
{
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

static void reset(void)
{
    acpi_reset();
    time_delay_us(10000);
    outb(0xcf9, 0x02);
    outb(0xcf9, 0x06);
    time_delay_us(10000);
    outb(0x64, 0xfe);
    time_delay_us(10000);
}

/* Stops the CPU by a triple fault: an IDT of no length. */
static _Noreturn void triple_fault(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = { 0, 0 };

    __asm__ volatile("lidt %0; ud2" :: "m" (pointer));
    stop();
}

void arch_machine_shutdown(unsigned int how)
{
    if (how == SHUTDOWN_poweroff) {
        console_log(LOG_INFO, "power off");
        acpi_poweroff();
        time_delay_us(100000);
        console_log(LOG_ERROR, "the machine did not power off");
        stop();
    }
    if (boot_options.noreboot) {
        console_log(LOG_ERROR, "noreboot: the machine stops here");
        stop();
    }
    console_log(LOG_INFO, "reset");
    reset();
    triple_fault();
}

void arch_panic_halt(void)
{
    arch_machine_shutdown(SHUTDOWN_crash);
}

const char *arch_command_line(void)
{
    return boot_info.command_line;
}

uint64_t arch_max_mfn(void)
{
    return boot_memory_end() >> PAGE_SHIFT;
}
