/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Time: the TSC measured against the ACPI PM timer or the PIT, and the
 * local APIC's timer for deadlines. Talks to apic.c, acpi.c, core/timer.
 * 1. The TSCs of all CPUs run together (invariant, synchronised): checked
 *    as far as CPUID says, warned about otherwise.
 * 2. ns(tsc) = ((tsc - base) scaled by shift) * mul >> 32.
 */
#include "acpi.h"
#include "apic.h"
#include "core/arch.h"
#include "core/console.h"
#include "cpu.h"
#include "insn.h"
#include "lib/atomic.h"
#include "lib/minmax.h"
#include "time.h"

#define PM_TIMER_HZ 3579545ull
#define PM_TIMER_MASK 0xffffffu
#define PIT_HZ 1193182ull
#define PIT_MASK 0xffffu        /* it comes round after 55 ms */
#define SAMPLE_MS 40u
#define LOOKS 16u
#define SECOND 1000000000ull
#define TIMER_MAX (2 * SECOND) /* the loop programs it again then */

static uint64_t tsc_base;
static uint64_t tsc_hz = 2000000000ull;
static uint64_t apic_hz;
static uint32_t scale_mul;
static int8_t scale_shift;
static uint64_t boot_wallclock;

static uint64_t scale(uint64_t ticks)
{
    if (scale_shift < 0) {
        ticks >>= -scale_shift;
    } else {
        ticks <<= scale_shift;
    }
    return (uint64_t)((unsigned __int128)ticks * scale_mul >> 32);
}

uint64_t arch_time_now(void)
{
    return scale_mul == 0 ? 0 : scale(rdtsc() - tsc_base);
}

uint64_t arch_tsc_khz(void)
{
    return tsc_hz / 1000;
}

uint64_t arch_boot_wallclock(void)
{
    return boot_wallclock;
}

void time_scale(uint32_t *mul, int8_t *shift)
{
    *mul = scale_mul;
    *shift = scale_shift;
}

uint64_t time_tsc_base(void)
{
    return tsc_base;
}

void arch_pause(void)
{
    cpu_relax();
}

static void set_scale(uint64_t hz)
{
    uint64_t mul;

    scale_shift = 0;
    while (hz > SECOND * 2) {
        hz >>= 1;
        scale_shift--;
    }
    while (hz < SECOND) {
        hz <<= 1;
        scale_shift++;
    }
    /* SECOND <= hz <= 2 * SECOND: the quotient fits in 32 bits but 1. */
    mul = (SECOND << 32) / hz;
    scale_mul = mul > UINT32_MAX ? UINT32_MAX : (uint32_t)mul;
}

/* ---- the rates, against a clock of known rate ---- */

struct reference {
    uint32_t (*read)(void);
    uint32_t mask;
    uint64_t hz;
};

static uint32_t read_pm_timer(void)
{
    return inl((uint16_t)acpi_facts.pm_timer_port);
}

/* Channel 2, which counts down. */
static uint32_t read_pit(void)
{
    uint32_t low;

    outb(0x43, 0x80);
    low = inb(0x42);
    return -(inb(0x42) << 8 | low);
}

static struct reference find_reference(void)
{
    if (acpi_facts.pm_timer_port != 0) {
        return (struct reference) { read_pm_timer, PM_TIMER_MASK,
                                    PM_TIMER_HZ };
    }
    outb(0x61, (uint8_t)((inb(0x61) & ~2) | 1));    /* gated by port 0x61 */
    outb(0x43, 0xb0);
    outb(0x42, 0xff);
    outb(0x42, 0xff);
    return (struct reference) { read_pit, PIT_MASK, PIT_HZ };
}

struct moment {
    uint64_t tsc;
    uint32_t count, apic;
};

/*
 * All clocks at one moment: of some looks the one that took least time. What
 * comes between two reads (an SMI, under a hypervisor anything) is a look's
 * error, and of a sample as short as this a microsecond is many ppm.
 */
static struct moment look(const struct reference *reference)
{
    struct moment best = { 0 };
    uint64_t least = UINT64_MAX;

    for (unsigned int i = 0; i < LOOKS; i++) {
        uint64_t start = rdtsc();
        uint32_t count = reference->read();
        uint64_t took = rdtsc() - start;

        if (took < least) {
            least = took;
            best = (struct moment) { start + took / 2, count,
                                     apic_timer_count() };
        }
    }
    return best;
}

static void measure_rates(void)
{
    const struct reference reference = find_reference();
    uint64_t wait = reference.hz * SAMPLE_MS / 1000, passed;
    struct moment first, last;

    apic_timer_set(UINT32_MAX);
    first = look(&reference);
    while (((reference.read() - first.count) & reference.mask) < wait) {
        cpu_relax();
    }
    last = look(&reference);
    apic_timer_set(0);
    passed = (last.count - first.count) & reference.mask;
    tsc_hz = mul_div(last.tsc - first.tsc, reference.hz, passed);
    apic_hz = mul_div(first.apic - last.apic, reference.hz, passed);
}

void time_delay_us(uint32_t us)
{
    uint64_t end = rdtsc() + tsc_hz / 1000000 * us;

    while ((int64_t)(rdtsc() - end) < 0) {
        cpu_relax();
    }
}

static unsigned int cmos(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

static uint64_t days_since_1970(unsigned int y, unsigned int m,
                                unsigned int d)
{
    /* Years that begin in March put the leap day last. */
    y -= m <= 2;
    m = m <= 2 ? m + 9 : m - 3;
    return 365ull * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5
           + d - 1 - 719468;
}

/* The RTC (MC146818): reads until two readings agree. */
static uint64_t read_rtc(void)
{
    unsigned int now[6], before[6] = { 0 };
    static const uint8_t reg[6] = { 0, 2, 4, 7, 8, 9 };
    bool same;

    for (int tries = 0; tries < 10; tries++) {
        same = true;
        for (int i = 0; i < 100000 && (cmos(0x0a) & 0x80); i++) {
            cpu_relax();
        }
        for (int i = 0; i < 6; i++) {
            now[i] = cmos(reg[i]);
            same = same && now[i] == before[i];
            before[i] = now[i];
        }
        if (same) {
            break;
        }
    }
    if (!(cmos(0x0b) & 4)) {
        for (int i = 0; i < 6; i++) {
            now[i] = (now[i] >> 4) * 10 + (now[i] & 15);
        }
    }
    return days_since_1970(2000 + now[5], now[4], now[3]) * 86400
           + now[2] * 3600 + now[1] * 60 + now[0];
}

void time_init(void)
{
    measure_rates();
    set_scale(tsc_hz);
    tsc_base = rdtsc();
    boot_wallclock = read_rtc() * SECOND;
    console_log(LOG_INFO, "TSC %lu kHz, APIC timer %lu kHz", tsc_hz / 1000,
                apic_hz / 1000);
    if (!(cpuid(0x80000007, 0).edx & 0x100)) {
        console_log(LOG_DEBUG, "the CPU does not promise an invariant TSC");
    }
}

/*
 * An armed timer is left alone when it fires early enough: the loop then
 * finds nothing due and programs the next. Writing the timer is dear (an
 * exit under a hypervisor), and deadlines mostly move away.
 */
void arch_timer_program(uint64_t deadline)
{
    struct cpu *cpu = this_cpu();
    uint64_t now, ticks;

    if (deadline == 0
        || (cpu->timer_deadline != 0 && cpu->timer_deadline <= deadline)) {
        return;
    }
    now = arch_time_now();
    deadline = min(deadline, now + TIMER_MAX);
    cpu->timer_deadline = deadline;
    ticks = deadline <= now ? 1
          : mul_div(deadline - now, apic_hz, SECOND) + 1;
    apic_timer_set((uint32_t)min(ticks, (uint64_t)UINT32_MAX));
}
