/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The boot CPU's way from head.S to the CPU loop: one line per part of the
 * machine, in the order in which they need each other.
 */
#include "acpi.h"
#include "apic.h"
#include "boot/boot.h"
#include "core/arch.h"
#include "core/console.h"
#include "core/domain.h"
#include "core/main.h"
#include "core/sched.h"
#include "cpu.h"
#include "hvm/pvh_dom0.h"
#include "insn.h"
#include "ioapic.h"
#include "layout.h"
#include "mmu.h"
#include "smp.h"
#include "hvm/pv.h"
#include "svm/svm.h"
#include "time.h"
#include "trap.h"
#include "uart.h"

extern char image_start[], image_end[];

static void start_console(void)
{
    if (boot_options.console_com1) {
        uart_init(boot_options.com1_baud);
    }
    console_log(LOG_INFO, "Gantry " GANTRY_VERSION);
    console_log(LOG_INFO, "options: %s", boot_info.command_line);
    boot_options_report();
}

static void start_memory(void)
{
    boot_memory_reserve(0, PAGE_SIZE);
    boot_memory_reserve(TRAMPOLINE_BASE, PAGE_SIZE);
    boot_memory_reserve(mmu_phys(image_start),
                        (uint64_t)(image_end - image_start));
    boot_memory_reserve_modules();
    mmu_init();
    boot_memory_move_modules();
}

static void restrict_cpus(void)
{
    if (boot_options.has_sched_cpus
        && sched_restrict(boot_options.sched_first,
                          boot_options.sched_last) != 0) {
        console_log(LOG_WARNING, "sched_cpus=: there are only %u CPUs: all "
                    "of them run vcpus", arch_cpu_count());
    }
}

static void start_dom0(void)
{
    struct domain *d;

    if (boot_info.module_count == 0) {
        console_log(LOG_ERROR, "no dom0 kernel: the loader must give one as "
                    "the first module (-initrd \"KERNEL args,INITRD\")");
        return;
    }
    d = pvh_dom0_create();
    boot_memory_free_modules();
    if (d != NULL && domain_unpause_by_controller(d) != 0) {
        panic("dom0 cannot be started");
    }
}

_Noreturn void start_bsp(uint64_t info);
void start_bsp(uint64_t info)
{
    boot_multiboot_parse(info);
    boot_options_parse();
    trap_init();
    cpu_init(cpus[0]);
    start_console();
    start_memory();
    if (acpi_init() != 0) {
        panic("the machine's ACPI tables cannot be used");
    }
    apic_init();
    cpus[0]->apic_id = apic_id();
    cpus[0]->is_online = true;
    time_init();
    ioapic_init();
    pvh_dom0_reserve();
    boot_memory_give();
    svm_init();
    svm_init_cpu(cpus[0]);
    smp_start();
    core_init(arch_cpu_count());
    restrict_cpus();
    pv_init();
    start_dom0();
    uart_start_input();
    smp_release();
    cpu_loop();
}
