/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a toolstack does to a PV guest that runs: the contexts of its vcpus
 * read, taken away and given back, and its limit raised.  The guest is
 * pv_told.  All of it is so on stock Xen, too, but that a guest there crashes
 * now and then when a context comes back after a reset, and may see a handle
 * half changed.
 */
#include "host/child.h"
#include "pv/mail.h"

#include <xen/version.h>

#define WAIT_MS 20000u

static struct child child;
static struct mail *mail;
static struct vcpu_guest_context context;

/* ---- the guest ---- */

static uint32_t post(enum mail_ask ask)
{
    static uint32_t number;
    uint32_t word = ++number << 8 | (uint32_t)ask;

    barrier();
    WRITE_ONCE(mail->ask, word);
    return word;
}

static long tell(enum mail_ask ask)
{
    uint32_t word = post(ask);

    for (unsigned int i = 0; i < WAIT_MS; i++) {
        if (child_watch(&child, 1) != CHILD_RUNS) {
            child_stop("told", (long)ask);
        }
        if (READ_ONCE(mail->done) == word) {
            barrier();
            return mail->answer;
        }
    }
    child_stop("told-in-vain", (long)ask);
}

static long call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    mail->nr = nr;
    mail->arg[0] = a;
    mail->arg[1] = b;
    mail->arg[2] = c;
    return tell(MAIL_CALL);
}

static bool leaves(unsigned int vcpu, uint64_t was, unsigned int ms)
{
    for (unsigned int i = 0; i < ms; i++) {
        if (READ_ONCE(mail->counter[vcpu]) != was) {
            return true;
        }
        (void)child_watch(&child, 1);
    }
    return false;
}

static bool counts(unsigned int vcpu, unsigned int ms)
{
    return leaves(vcpu, READ_ONCE(mail->counter[vcpu]), ms);
}

/* ---- contexts ---- */

static long context_op(uint32_t cmd, uint32_t vcpu,
                       struct vcpu_guest_context *c)
{
    struct xen_domctl op = { 0 };
    long rc;

    op.u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, c);
    do {
        rc = child_domctl(&child, cmd, &op);
    } while (rc == -ERESTART);
    return rc;
}

static bool is_online(uint32_t vcpu)
{
    struct xen_domctl op = { 0 };

    op.u.getvcpuinfo.vcpu = vcpu;
    child_must("vcpu-info", child_domctl(&child, XEN_DOMCTL_getvcpuinfo,
                                         &op));
    return op.u.getvcpuinfo.online;
}

/* A vcpu that runs loses its registers, and gets others from its guest. */
static void test_reset(void)
{
    guest_equal("spin", tell(MAIL_SPIN), 0);
    guest_case(counts(1, WAIT_MS), "spins", "%lu", mail->counter[1]);
    guest_equal("reset", context_op(XEN_DOMCTL_setvcpucontext, 1, NULL), 0);
    guest_case(!is_online(1) && !counts(1, 5), "reset-is-down", "%lu",
               mail->counter[1]);
    guest_equal("reset-has-none",
                context_op(XEN_DOMCTL_getvcpucontext, 1, &context), -ENODATA);
    guest_equal("reset-again",
                context_op(XEN_DOMCTL_setvcpucontext, 1, NULL), 0);
    guest_equal("reset-up", call(__HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0),
                -EINVAL);
    guest_equal("spin-again", tell(MAIL_SPIN), 0);
    guest_case(counts(1, WAIT_MS), "spins-again", "%lu", mail->counter[1]);
    guest_equal("reset-no-vcpu",
                context_op(XEN_DOMCTL_setvcpucontext, 77, NULL), -EINVAL);
    guest_equal("get-no-vcpu",
                context_op(XEN_DOMCTL_getvcpucontext, 77, &context), -EINVAL);
}

/* One that waits for an event waits no more when it starts anew. */
static void test_reset_blocked(void)
{
    guest_equal("block", tell(MAIL_BLOCK), 0);
    guest_case(leaves(2, 0, WAIT_MS), "blocks", "%lu", mail->counter[2]);
    guest_equal("reset-blocked",
                context_op(XEN_DOMCTL_setvcpucontext, 2, NULL), 0);
    guest_equal("block-again", tell(MAIL_BLOCK), 0);
    (void)leaves(2, 1, WAIT_MS);
    (void)child_watch(&child, 10);
    guest_equal("blocks-once", (long)mail->counter[2], 2);
}

/* ---- of one that works: hypercalls, page tables, its user space ---- */

#define LOOKS 300u
#define TAKES 60u
#define STACK_SIZE 0x4000u

static bool is_of_guest(const struct vcpu_guest_context *c)
{
    const struct cpu_user_regs *u = &c->user_regs;

    if ((u->cs & 3) != 3 || (u->ss & 3) != 3 || !(u->rflags & 0x200)) {
        return false;
    }
    if (!(c->flags & VGCF_in_kernel)) {
        return u->rip - mail->user <= 2 && u->rsp == mail->user_rsp;
    }
    return u->rip >= mail->image && u->rip < mail->image_end
           && (mail->stack[3] - u->rsp < STACK_SIZE
               || mail->traps - u->rsp < PAGE_SIZE);
}

static void test_look(void)
{
    unsigned int wrong = 0;

    guest_equal("work", tell(MAIL_WORK), 0);
    guest_case(counts(3, WAIT_MS), "works", "%lu", mail->counter[3]);
    for (unsigned int i = 0; i < LOOKS; i++) {
        child_must("look", context_op(XEN_DOMCTL_getvcpucontext, 3,
                                      &context));
        if (!is_of_guest(&context) && wrong++ == 0) {
            guest_case(false, "look-wrong", "rip %lx rsp %lx cs %x flags %lx",
                       context.user_regs.rip, context.user_regs.rsp,
                       context.user_regs.cs, context.flags);
        }
    }
    guest_equal("looks", wrong, 0);
    guest_equal("look-dr7", (long)context.debugreg[7], 0x20401);
    guest_case(counts(3, WAIT_MS) && mail->wrong[3] == 0, "works-on",
               "%lu wrong", mail->wrong[3]);
}

#define HANDLES 500u

static void set_handle(uint8_t byte)
{
    struct xen_domctl op = { 0 };

    memset(op.u.setdomainhandle.handle, byte,
           sizeof(op.u.setdomainhandle.handle));
    child_must("set-handle", child_domctl(&child, XEN_DOMCTL_setdomainhandle,
                                          &op));
}

/* The guest's own word for itself; one that works looks at it all the time. */
static void test_handle(void)
{
    static const uint8_t bytes[] = { 0x11, 0xee, 0 };
    uint64_t want, at = mail->here + offsetof(struct mail, data);

    for (unsigned int i = 0; i < sizeof(bytes); i++) {
        set_handle(bytes[i]);
        memset(&want, bytes[i], sizeof(want));
        guest_equal("handle", call(__HYPERVISOR_xen_version,
                                   XENVER_guest_handle, at, 0), 0);
        guest_case(mail->data[0] == want && mail->data[1] == want,
                   "handle-is", "%lx %lx", mail->data[0], mail->data[1]);
    }
    WRITE_ONCE(mail->wants_handle, 1);
    for (unsigned int i = 0; i < HANDLES; i++) {
        set_handle((uint8_t)i);
    }
    guest_case(counts(3, WAIT_MS) && mail->wrong[3] == 0, "handle-is-whole",
               "%lu wrong", mail->wrong[3]);
    WRITE_ONCE(mail->wants_handle, 0);
}

/* What it was at it goes on with, though it lost all in between. */
static void test_take(bool reset)
{
    unsigned int stuck = 0;

    for (unsigned int i = 0; i < TAKES; i++) {
        struct xen_domctl op = { 0 };

        child_must("take-pause", child_domctl(&child, XEN_DOMCTL_pausedomain,
                                              &op));
        child_must("take", context_op(XEN_DOMCTL_getvcpucontext, 3,
                                      &context));
        if (reset) {
            child_must("take-away", context_op(XEN_DOMCTL_setvcpucontext, 3,
                                               NULL));
        }
        child_must("take-back", context_op(XEN_DOMCTL_setvcpucontext, 3,
                                           &context));
        child_must("take-unpause",
                   child_domctl(&child, XEN_DOMCTL_unpausedomain, &op));
        stuck += !counts(3, WAIT_MS);
    }
    guest_equal("take-dr7", (long)context.debugreg[7], 0x20401);
    guest_case(stuck == 0 && mail->wrong[3] == 0,
               reset ? "taken-and-given" : "taken", "%u stuck, %lu wrong",
               stuck, mail->wrong[3]);
    context.ctrlreg[3] ^= 1ul << PAGE_SHIFT;
    guest_equal("other-table", context_op(XEN_DOMCTL_setvcpucontext, 3,
                                          &context), -EOPNOTSUPP);
}

/* ---- more memory than it was built for ---- */

#define GROWTH 16u

static void test_new(const char *name, uint64_t pfn, uint64_t slot)
{
    struct xen_domctl op = { 0 };
    xen_pfn_t frame;

    mail->arg[0] = pfn;
    mail->arg[1] = slot;
    guest_equal(name, tell(MAIL_GROW), 0);
    frame = mail->table;
    op.u.getpageframeinfo3.num = 1;
    set_xen_guest_handle(op.u.getpageframeinfo3.array, &frame);
    child_must("new-type", child_domctl(&child,
                                        XEN_DOMCTL_getpageframeinfo3, &op));
    guest_case((frame & XEN_DOMCTL_PFINFO_LTAB_MASK)
               == (XEN_DOMCTL_PFINFO_L1TAB | XEN_DOMCTL_PFINFO_LPINTAB),
               "new-type", "%lx", frame);
}

static void test_grow(void)
{
    const uint64_t pages = child.pages * GROWTH;
    struct xen_domctl op = { 0 };
    domid_t id = child.id;

    op.u.max_mem.max_memkb = pages * 4;
    guest_equal("raise", child_domctl(&child, XEN_DOMCTL_max_mem, &op), 0);
    guest_equal("raised", memory_op(XENMEM_maximum_reservation, &id),
                (long)pages);
    test_new("new-frames", pages / 2, 510);
    test_new("new-highest", pages - 2, 511);
    guest_case(counts(3, WAIT_MS) && mail->wrong[3] == 0, "grown-works-on",
               "%lu wrong", mail->wrong[3]);
}

void guest_main(void)
{
    const struct bundle *b = child_bundle();

    child = (struct child){
        .pages = b->pages, .vcpus = b->vcpus, .line = b->line,
        .kernel = (const char *)(b + 1), .ramdisk_size = b->ramdisk_size,
        .ramdisk = (const char *)(b + 1) + b->kernel_size,
    };
    child_create(&child, 0);
    child_build_pv(&child);
    mail = (struct mail *)(void *)child.store;
    child.store = NULL;
    test_reset();
    test_reset_blocked();
    test_look();
    test_handle();
    test_grow();
    test_take(false);
    test_take(true);
    (void)post(MAIL_END);
    guest_equal("pv-end", child_watch(&child, 0), SHUTDOWN_poweroff);
    guest_equal("pv-destroy", child_destroy(&child), 0);
}
