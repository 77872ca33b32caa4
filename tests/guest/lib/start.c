/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A test kernel's life: from entry.S to guest_main() and to the end; results
 * and the console.  Dom0 writes by console_io, others to the PV console's
 * ring as well.
 *
 *  1. A case is one line: "GUEST-TEST name pass|fail detail"; the last line
 *     is "GUEST-TEST-END n passed, n failed".
 *  2. The first hypercall runs after the hypercall page is filled.
 */
#include "guest.h"

#include <xen/arch-x86/cpuid.h>
#include <xen/io/console.h>

#define ARENA_PAGES 2048u
#define LINE 400
#define TIME_SHOWN 5000u            /* ns: what is shorter is no matter */

uint8_t hypercall_page[4096] __attribute__((aligned(4096)));
const struct hvm_start_info *guest_info;
const char *guest_args = "";
bool guest_is_dom0;
uint32_t hypervisor_leaf;

static uint8_t arena[ARENA_PAGES][PAGE_SIZE]
    __attribute__((aligned(4096)));
static unsigned int arena_used;
static unsigned int passed, failed;
static bool has_times;
static struct xencons_interface *console_ring;
static evtchn_port_t console_port;

void start_guest(const struct hvm_start_info *info);
void trap_init(void);

/* ---- console ---- */

static long get_param(uint32_t index, uint64_t *value)
{
    struct xen_hvm_param p = { .domid = DOMID_SELF, .index = index };
    long rc = hvm_op(HVMOP_get_param, &p);

    *value = p.value;
    return rc;
}

static void find_ring(void)
{
    uint64_t frame = 0, port = 0;

    if (get_param(HVM_PARAM_CONSOLE_PFN, &frame) == 0 && frame != 0
        && get_param(HVM_PARAM_CONSOLE_EVTCHN, &port) == 0) {
        console_ring = (void *)(frame << PAGE_SHIFT);
        console_port = (evtchn_port_t)port;
    }
}

static void ring_write(const char *text, size_t size)
{
    XENCONS_RING_IDX prod = console_ring->out_prod;
    struct evtchn_send send = { console_port };

    for (size_t i = 0; i < size; i++) {
        /* Bounded, for nobody may be reading. */
        for (unsigned int n = 0; n < 100000
             && prod - READ_ONCE(console_ring->out_cons)
                >= sizeof(console_ring->out); n++) {
            (void)sched_op(SCHEDOP_yield, NULL);
        }
        console_ring->out[MASK_XENCONS_IDX(prod++, console_ring->out)]
            = text[i];
        barrier();
        WRITE_ONCE(console_ring->out_prod, prod);
    }
    (void)evtchn_op(EVTCHNOP_send, &send);
}

static void write_line(char *text, int length)
{
    size_t size = (size_t)min(length, LINE - 2);

    text[size++] = '\n';
    (void)hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, size,
                    PTR(text));
    if (console_ring != NULL) {
        ring_write(text, size);
    }
}

void guest_log(const char *format, ...)
{
    char text[LINE];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text, sizeof(text) - 1, format, args);
    va_end(args);
    write_line(text, length);
}

bool guest_case(bool ok, const char *name, const char *format, ...)
{
    char text[LINE];
    va_list args;
    int length;

    length = snprintf(text, sizeof(text), "GUEST-TEST %s %s ", name,
                      ok ? "pass" : "fail");
    va_start(args, format);
    length += vsnprintf(text + length, sizeof(text) - 1 - (size_t)length,
                        format, args);
    va_end(args);
    write_line(text, length);
    *(ok ? &passed : &failed) += 1;
    return ok;
}

bool guest_equal(const char *name, long got, long want)
{
    return guest_case(got == want, name, "got %ld want %ld", got, want);
}

/* With the argument "times": how long hypercalls held a CPU at most. */
static void start_times(void)
{
    struct xen_sysctl op = {
        .cmd = XEN_SYSCTL_perfc_op,
        .interface_version = XEN_SYSCTL_INTERFACE_VERSION,
        .u.perfc_op.cmd = XEN_SYSCTL_PERFCOP_reset,
    };

    guest_equal("times", hypercall(__HYPERVISOR_sysctl, PTR(&op), 0, 0), 0);
}

static void show_times(void)
{
    static uint32_t time[64], arg[64];
    unsigned int count = guest_perfc("longest hypercall by number, ns", time,
                                     ARRAY_SIZE(time));

    (void)guest_perfc("its first argument", arg, ARRAY_SIZE(arg));
    for (unsigned int i = 0; i < count; i++) {
        if (time[i] >= TIME_SHOWN) {
            guest_log("GUEST-TIME %u: %u ns, argument %x", i, time[i],
                      arg[i]);
        }
    }
}

void guest_end(unsigned int reason)
{
    struct sched_shutdown s = { reason };

    if (has_times) {
        show_times();
    }
    guest_log("GUEST-TEST-END %u passed, %u failed", passed, failed);
    (void)sched_op(SCHEDOP_shutdown, &s);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

/* ---- start ---- */

void *guest_pages(unsigned int count)
{
    void *p = arena[arena_used];

    if (count > ARENA_PAGES - arena_used) {
        guest_case(false, "arena", "no %u pages left", count);
        guest_end(SHUTDOWN_crash);
    }
    arena_used += count;
    return p;
}

bool guest_has_arg(const char *word)
{
    const char *at = strstr(guest_args, word);
    size_t length = strlen(word);

    return at != NULL && (at == guest_args || at[-1] == ' ')
           && (at[length] == '\0' || at[length] == ' ');
}

bool guest_on_gantry(void)
{
    static xen_extraversion_t extra;

    return version_op(XENVER_extraversion, extra) >= 0
           && strstr(extra, "antry") != NULL;
}

static uint32_t find_hypervisor(void)
{
    for (uint32_t base = 0x40000000; base < 0x40010000; base += 0x100) {
        struct cpuid_regs r = cpuid(base, 0);

        if (r.b == XEN_CPUID_SIGNATURE_EBX && r.c == XEN_CPUID_SIGNATURE_ECX
            && r.d == XEN_CPUID_SIGNATURE_EDX) {
            return base;
        }
    }
    return 0;
}

void start_guest(const struct hvm_start_info *info)
{
    hypervisor_leaf = find_hypervisor();
    if (hypervisor_leaf == 0) {
        return;                 /* halts */
    }
    wrmsr(cpuid(hypervisor_leaf + 2, 0).b, PTR(hypercall_page));
    guest_info = info;
    if (info->cmdline_paddr != 0) {
        guest_args = (const char *)info->cmdline_paddr;
    }
    guest_is_dom0 = (info->flags & SIF_INITDOMAIN) != 0;
    if (!guest_is_dom0) {
        find_ring();
    }
    trap_init();
    guest_log("GUEST-TEST-BEGIN \"%s\"", guest_args);
    has_times = guest_is_dom0 && guest_has_arg("times");
    if (has_times) {
        start_times();
    }
    guest_main();
    guest_end(SHUTDOWN_poweroff);
}
