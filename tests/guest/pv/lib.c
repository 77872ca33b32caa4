/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PV test kernel's life: start_info, shared_info, console, traps, and a
 * user address space of one code and one stack page.
 */
#include "pv.h"

#include <xen/io/console.h>

#define LINE 300
#define ARENA_PAGES 256u
#define VCPU_STACK_PAGES 4u

struct start_info *start_info;
struct shared_info *shared_info;
struct pv_frame trap_last, event_last;
volatile unsigned int events, nmis;
uint64_t event_flags;

static uint8_t arena[ARENA_PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned int arena_used;
static unsigned int passed, failed;
static struct xencons_interface *ring;
static bool is_trying;
static uint8_t *user_code, *user_stack;
static uint64_t user_root;

extern uint64_t try_rsp;
extern const char pv_try_failed[], pv_return[], trap_stack_top[];
extern const char stub_de[], stub_db[], stub_bp[], stub_of[], stub_ud[],
    stub_nm[], stub_np[], stub_ss[], stub_gp[], stub_pf[], stub_ac[],
    stub_80[], stub_81[], stub_event[], stub_failsafe[];

void pv_start(struct start_info *info);
void pv_trap(struct pv_frame *f);
void pv_run(const struct pv_start *s);
bool pv_try_run(void (*fn)(void *), void *arg);

/* ---- console and results ---- */

static void write_line(char *text, int length)
{
    size_t size = (size_t)min(length, LINE - 2);
    struct evtchn_send send = { start_info->console.domU.evtchn };
    XENCONS_RING_IDX prod = ring->out_prod;

    text[size++] = '\n';
    for (size_t i = 0; i < size; i++) {
        while (prod - READ_ONCE(ring->out_cons) >= sizeof(ring->out)) {
            (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
        }
        ring->out[MASK_XENCONS_IDX(prod++, ring->out)] = text[i];
        barrier();
        *(volatile XENCONS_RING_IDX *)&ring->out_prod = prod;
    }
    (void)hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, PTR(&send),
                    0);
}

void pv_log(const char *format, ...)
{
    char text[LINE];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text, sizeof(text) - 1, format, args);
    va_end(args);
    write_line(text, length);
}

bool pv_case(bool ok, const char *name, const char *format, ...)
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

bool pv_equal(const char *name, long got, long want)
{
    return pv_case(got == want, name, "got %ld want %ld", got, want);
}

void pv_end(unsigned int reason)
{
    struct sched_shutdown s = { reason };

    pv_log("GUEST-TEST-END %u passed, %u failed", passed, failed);
    for (;;) {
        (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, PTR(&s), 0);
    }
}

bool pv_has_arg(const char *word)
{
    return strstr((const char *)start_info->cmd_line, word) != NULL;
}

void __attribute__((weak)) pv_on_nmi(void)
{
}

void __attribute__((weak)) pv_other(void)
{
    for (;;) {
        barrier();
    }
}

/* ---- memory ---- */

void *pv_pages(unsigned int count)
{
    void *p = arena[arena_used];

    arena_used += count;
    if (arena_used > ARENA_PAGES) {
        pv_case(false, "arena", "no pages left");
        pv_end(SHUTDOWN_crash);
    }
    return p;
}

uint64_t *pv_root(void)
{
    return (uint64_t *)start_info->pt_base;
}

uint64_t *pv_entry_of(const void *va)
{
    uint64_t *t = pv_root();

    for (unsigned int shift = 39; shift > 12; shift -= 9) {
        t = page_of(t[PTR(va) >> shift & 511]);
    }
    return &t[PTR(va) >> 12 & 511];
}

static void protect(const void *page)
{
    (void)update_va(page, mfn_of(page) << PAGE_SHIFT | PTE_RO);
}

uint64_t pv_user_root(void)
{
    return user_root;
}

long pv_load_user(void)
{
    return mmuext(MMUEXT_NEW_USER_BASEPTR, user_root);
}

void *pv_user_stack(void)
{
    return user_stack;
}

/* A user level 4 table with code and stack, pinned and loaded. */
static void make_user(void)
{
    uint64_t *l4 = pv_pages(1), *l3 = pv_pages(1), *l2 = pv_pages(1);
    uint64_t *l1[2] = { pv_pages(1), pv_pages(1) };

    user_code = pv_pages(1);
    user_stack = pv_pages(1);
    l4[0] = mfn_of(l3) << PAGE_SHIFT | PTE_RW;
    l3[0] = mfn_of(l2) << PAGE_SHIFT | PTE_RW;
    l2[USER_CODE >> 21 & 511] = mfn_of(l1[0]) << PAGE_SHIFT | PTE_RW;
    l1[0][USER_CODE >> 12 & 511] = mfn_of(user_code) << PAGE_SHIFT | PTE_RO;
    l1[0][USER_STACK >> 12 & 511] = mfn_of(user_stack) << PAGE_SHIFT
                                    | PTE_RW;
    protect(l4);
    protect(l3);
    protect(l2);
    protect(l1[0]);
    pv_equal("pin-user-table", mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(l4)), 0);
    user_root = mfn_of(l4);
    pv_equal("user-base", pv_load_user(), 0);
}

/* ---- traps ---- */

void pv_trap(struct pv_frame *f)
{
    void (*come_back)(void) = (void (*)(void))(uintptr_t)pv_return;

    if (f->vector == ON_EVENT) {
        events++;
        event_flags = handler_flags;
        event_last = *f;
        shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
        shared_info->vcpu_info[0].evtchn_pending_sel = 0;
        for (unsigned int i = 0; i < 8; i++) {
            shared_info->evtchn_pending[i] = 0;
        }
        f->rflags |= 1u << 9;
        return;
    }
    if (f->vector == ON_NMI) {
        nmis++;
        pv_on_nmi();
        return;
    }
    trap_last = *f;
    if ((f->cs & 3) == 3 || f->vector == ON_FAILSAFE) {
        come_back();
    }
    if (is_trying) {
        is_trying = false;
        f->rip = PTR(pv_try_failed);
        f->rsp = try_rsp;
        f->cs = (f->cs & ~0xfffful) | (FLAT_KERNEL_CS & 0xfffc);
        f->ss = FLAT_KERNEL_SS;
        f->rflags &= ~0x500ul;      /* no more steps; DF as in C */
        return;
    }
    if (f->vector == 3) {
        return;
    }
    pv_case(false, "trap", "%lx error %lx rip %lx cr2 %lx", f->vector,
            f->error, f->rip, shared_info->vcpu_info[0].arch.cr2);
    pv_end(SHUTDOWN_crash);
}

#define TRAP(n, dpl, stub) \
    { .vector = n, .flags = dpl, .cs = FLAT_KERNEL_CS, .address = PTR(stub) }

static void set_traps(void)
{
    const struct trap_info traps[] = {
        TRAP(0, 0, stub_de), TRAP(1, 0, stub_db), TRAP(3, 3, stub_bp),
        TRAP(4, 3, stub_of), TRAP(6, 0, stub_ud), TRAP(7, 0, stub_nm),
        TRAP(11, 0, stub_np), TRAP(12, 0, stub_ss), TRAP(13, 0, stub_gp),
        TRAP(14, 0, stub_pf), TRAP(17, 0, stub_ac), TRAP(0x80, 3, stub_80),
        TRAP(0x81, 0, stub_81), { 0 },
    };

    pv_equal("set-trap-table", hypercall(__HYPERVISOR_set_trap_table,
                                         PTR(traps), 0, 0), 0);
    pv_equal("set-callbacks", hypercall(__HYPERVISOR_set_callbacks,
                                        PTR(stub_event), PTR(stub_failsafe),
                                        PTR(stub_syscall)), 0);
    pv_equal("stack-switch", hypercall(__HYPERVISOR_stack_switch,
                                       FLAT_KERNEL_SS, PTR(trap_stack_top),
                                       0), 0);
}

void pv_make_context(struct vcpu_guest_context *c, void (*fn)(void))
{
    char *stack = pv_pages(VCPU_STACK_PAGES);

    memset(c, 0, sizeof(*c));
    c->flags = VGCF_in_kernel;
    c->user_regs.rip = PTR(fn);
    c->user_regs.rsp = PTR(stack) + VCPU_STACK_PAGES * PAGE_SIZE - 8;
    c->user_regs.rflags = 1 << 9;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = c->user_regs.rsp;
    c->ctrlreg[3] = mfn_of(pv_root()) << PAGE_SHIFT;
    c->debugreg[6] = 0xffff0ff0;
    c->debugreg[7] = 0x400;
}

long pv_initialise_vcpu(unsigned int vcpu, void (*fn)(void))
{
    static struct vcpu_guest_context c;

    pv_make_context(&c, fn);
    return hypercall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, vcpu, PTR(&c));
}

void pv_start_vcpu(unsigned int vcpu, void (*fn)(void))
{
    shared_info->vcpu_info[vcpu].evtchn_upcall_mask = 1;
    pv_equal("other-vcpu", pv_initialise_vcpu(vcpu, fn), 0);
    pv_equal("other-vcpu-up", hypercall(__HYPERVISOR_vcpu_op, VCPUOP_up, vcpu,
                                        0), 0);
}

bool pv_try(void (*fn)(void *), void *arg)
{
    bool ok;

    memset(&trap_last, 0, sizeof(trap_last));
    is_trying = true;
    ok = pv_try_run(fn, arg);
    is_trying = false;
    return ok;
}

void pv_traps(const char *name, void (*fn)(void *), void *arg,
              uint64_t vector)
{
    bool ok = pv_try(fn, arg);

    pv_case(ok ? vector == NO_TRAP : trap_last.vector == vector, name,
            "%s, vector %lx error %lx", ok ? "done" : "trap",
            trap_last.vector, trap_last.error);
}

void pv_user(const struct pv_start *s)
{
    memset(&trap_last, 0, sizeof(trap_last));
    trap_last.vector = ~0ul;
    pv_run(s);
}

void pv_user_code_at(const void *code, size_t size, const struct pv_start *s)
{
    memset(user_code, 0xf4, PAGE_SIZE);
    memcpy(user_code, code, size);
    pv_user(s);
}

static void run_code(const void *code, size_t size, uint64_t rflags,
                     uint64_t cs)
{
    const struct pv_start s = {
        .rip = USER_CODE, .rsp = USER_STACK + PAGE_SIZE,
        .rflags = rflags | 0x202, .cs = cs, .ss = FLAT_USER_SS,
    };

    pv_user_code_at(code, size, &s);
}

void pv_user_code(const void *code, size_t size, uint64_t rflags)
{
    run_code(code, size, rflags, FLAT_USER_CS);
}

void pv_user_code32(const void *code, size_t size)
{
    run_code(code, size, 0, FLAT_USER_CS32);
}

void pv_start(struct start_info *info)
{
    static uint8_t shared_page[PAGE_SIZE] __attribute__((aligned(4096)));

    start_info = info;
    /* A loader may have numbered the frames anew. */
    ring = (void *)(VIRT_BASE
                    + (pv_m2p(info->console.domU.mfn) << PAGE_SHIFT));
    pv_log("GUEST-TEST-BEGIN \"%s\"", (const char *)info->cmd_line);
    pv_equal("map-shared-info", update_va(shared_page, info->shared_info
                                                       | PTE_RW), 0);
    shared_info = (void *)shared_page;
    set_traps();
    make_user();
    pv_main();
    pv_end(SHUTDOWN_poweroff);
}
