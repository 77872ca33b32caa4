/* SPDX-License-Identifier: GPL-2.0-only */
/* svm/inject.c: what goes into the control block, and comes back from it. */
#define X86_INSN_H                  /* none of the machine's instructions */

#include <stdint.h>

static unsigned int looks;          /* of the local APIC */

static inline void write_cr8(uint64_t value)
{
    looks += value == 0;
}

#include "../../hv/arch/x86/svm/inject.c"
#include "unit.h"

#define NMI_EVENT (VMCB_EVENT_VALID | VMCB_EVENT_NMI | HVM_VECTOR_NMI)
#define HANDLER 0x1000u
#define INTERRUPTED 0x2000u
#define IF_SET 0x202u

static struct vmcb vmcb;
static struct svm_vcpu svm;
static struct arch_vcpu arch;
static struct vcpu vcpu;

static void setup(void)
{
    vmcb = (struct vmcb){ 0 };
    svm = (struct svm_vcpu){ .vmcb = &vmcb };
    arch = (struct arch_vcpu){ .svm = &svm };
    vcpu = (struct vcpu){ .arch = &arch };
    arch.regs.rip = INTERRUPTED;
    arch.regs.rflags = IF_SET;
    looks = 0;
}

/* As where a guest is entered, but what may be left out is done, too. */
static void deliver(void)
{
    bool has_events = svm_has_events(&svm, &vmcb);
    struct svm_vcpu svm_before = svm;
    struct vmcb vmcb_before = vmcb;
    unsigned int looks_before = looks;

    svm_deliver(&vcpu);
    if (!has_events) {
        ck_assert_mem_eq(&svm, &svm_before, sizeof(svm));
        ck_assert_mem_eq(&vmcb, &vmcb_before, sizeof(vmcb));
        svm_requeue(&vcpu);
        ck_assert_mem_eq(&svm, &svm_before, sizeof(svm));
        ck_assert_mem_eq(&vmcb, &vmcb_before, sizeof(vmcb));
        ck_assert_uint_eq(looks, looks_before);
    }
}

/* An exit at 'rip' of a run that delivered all that was to be. */
static void leave(uint64_t rip, uint64_t rflags)
{
    vmcb.exit_int_info = 0;
    if (rflags & RFLAGS_IF) {
        vmcb.v_irq = 0;
    }
    arch.regs.rip = rip;
    arch.regs.rflags = rflags;
    svm_requeue(&vcpu);
}

static bool iret_exits(void)
{
    return vmcb.intercept1 & VMCB_IRET;
}

START_TEST(an_nmi_waits_for_the_iret_of_the_last)
{
    ck_assert(svm_can_inject_nmi(&vcpu));
    svm_inject_nmi(&vcpu);
    ck_assert(!svm_can_inject_nmi(&vcpu));
    deliver();
    ck_assert(svm_is_nmi_blocked(&vcpu));
    ck_assert_uint_eq(vmcb.event_inject, NMI_EVENT);
    ck_assert(iret_exits());
    /* Exits of its handler change nothing. */
    leave(HANDLER, 2);
    ck_assert(!svm_can_inject_nmi(&vcpu));
    deliver();
    ck_assert(iret_exits());
    /* The IRET exits before it executes, and must execute then. */
    leave(HANDLER + 4, 2);
    svm_at_iret(&vcpu);
    ck_assert(!svm_can_inject_nmi(&vcpu));
    deliver();
    ck_assert(!iret_exits());
    /* A host's interrupt came first. */
    leave(HANDLER + 4, 2);
    ck_assert(!svm_can_inject_nmi(&vcpu));
    deliver();
    ck_assert(!iret_exits());
    leave(INTERRUPTED, IF_SET);
    ck_assert(svm_can_inject_nmi(&vcpu));
    ck_assert(!svm_is_nmi_blocked(&vcpu));
    deliver();
    ck_assert(!iret_exits());
}
END_TEST

START_TEST(an_nmi_that_was_cut_short_comes_again)
{
    svm_inject_nmi(&vcpu);
    deliver();
    vmcb.exit_int_info = NMI_EVENT;
    svm_requeue(&vcpu);
    ck_assert_uint_eq(vmcb.event_inject, 0);
    ck_assert(!svm_can_inject_nmi(&vcpu));
    ck_assert(!svm_can_inject(&vcpu));
    deliver();
    ck_assert_uint_eq(vmcb.event_inject, NMI_EVENT);
}
END_TEST

/* As from a saved vcpu's record. */
START_TEST(an_nmi_to_be_delivered_again_blocks_the_next)
{
    svm.requeued = NMI_EVENT;
    deliver();
    ck_assert_uint_eq(vmcb.event_inject, NMI_EVENT);
    leave(HANDLER, 2);
    ck_assert(!svm_can_inject_nmi(&vcpu));
}
END_TEST

/* The IRET that ends an interrupt's handler is a window, too. */
START_TEST(a_window_behind_an_interrupt)
{
    svm_inject_interrupt(&vcpu, 0x40);
    svm_set_window(&vcpu, true);
    deliver();
    ck_assert_uint_eq(vmcb.v_irq, 1);
    ck_assert_uint_eq(vmcb.v_vector, 0x40);
    ck_assert(iret_exits());
    vmcb.v_irq = 0;
    leave(HANDLER, 2);
    ck_assert(!svm_has_interrupt(&vcpu));
    svm_at_iret(&vcpu);
    deliver();
    ck_assert(!iret_exits());
    ck_assert(!(vmcb.intercept1 & VMCB_VINTR));
    ck_assert(svm_can_inject_nmi(&vcpu));
}
END_TEST

START_TEST(an_interrupt_that_was_not_taken_stays)
{
    arch.regs.rflags = 2;
    svm_inject_interrupt(&vcpu, 0x41);
    deliver();
    leave(INTERRUPTED, 2);
    ck_assert(svm_has_interrupt(&vcpu));
    deliver();
    leave(INTERRUPTED + 1, IF_SET);
    ck_assert(!svm_has_interrupt(&vcpu));
    ck_assert_uint_eq(looks, 2);
}
END_TEST

/* Everything that waits counts as an event until nothing of it is left. */
START_TEST(nothing_waits_unseen)
{
    ck_assert(!svm_has_events(&svm, &vmcb));
    deliver();
    svm_set_window(&vcpu, true);
    ck_assert(svm_has_events(&svm, &vmcb));
    deliver();
    ck_assert(vmcb.intercept1 & VMCB_VINTR);
    leave(INTERRUPTED, IF_SET);
    svm_set_window(&vcpu, false);
    ck_assert(svm_has_events(&svm, &vmcb));     /* the intercept is there */
    deliver();
    ck_assert(!(vmcb.intercept1 & VMCB_VINTR));
    ck_assert(!svm_has_events(&svm, &vmcb));
    svm_inject_exception(&vcpu, HVM_VECTOR_UD, HVM_NO_ERROR, 0);
    ck_assert(svm_has_events(&svm, &vmcb));
    deliver();
    leave(HANDLER, 2);
    ck_assert(!svm_has_events(&svm, &vmcb));
    svm_inject_interrupt(&vcpu, 0x42);
    ck_assert(svm_has_events(&svm, &vmcb));
    deliver();
    leave(HANDLER, IF_SET);
    ck_assert(!svm_has_events(&svm, &vmcb));
    svm.requeued = NMI_EVENT;
    ck_assert(svm_has_events(&svm, &vmcb));
    deliver();
    leave(HANDLER, 2);
    ck_assert(svm_has_events(&svm, &vmcb));     /* its IRET is to come */
    svm_at_iret(&vcpu);
    deliver();
    leave(INTERRUPTED, IF_SET);
    deliver();
    ck_assert(!svm_has_events(&svm, &vmcb));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("svm_inject");
    TCase *tc = unit_case(suite, "events");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, an_nmi_waits_for_the_iret_of_the_last);
    tcase_add_test(tc, an_nmi_that_was_cut_short_comes_again);
    tcase_add_test(tc, an_nmi_to_be_delivered_again_blocks_the_next);
    tcase_add_test(tc, a_window_behind_an_interrupt);
    tcase_add_test(tc, an_interrupt_that_was_not_taken_stays);
    tcase_add_test(tc, nothing_waits_unseen);
    return unit_run(suite);
}
