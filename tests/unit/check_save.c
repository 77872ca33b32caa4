/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hvm/save.c and its parts: what a vcpu is goes out as records and comes back,
 * in the same domain or another; a record that no CPU can be in is refused.
 */
#include <errno.h>
#include <string.h>

#include "core/arch.h"
#include "hvm/msr.h"
#include "hvm/xstate.h"
#include "insn.h"
#include "lib/minmax.h"
#include "save_env.h"
#include "unit.h"

#define SECOND_NS 1000000000ull
#define BUFFER_SIZE 16384u

static unsigned char buf[BUFFER_SIZE] __attribute__((aligned(8)));
static size_t used;

static struct vcpu *vcpu(unsigned int i)
{
    return save_domain.vcpu[i];
}

static void save(void)
{
    ck_assert_int_eq(arch_hvm_context_save(&save_domain, buf, sizeof(buf),
                                           &used), 0);
    ck_assert_uint_le(used, arch_hvm_context_size(&save_domain));
}

static int load(void)
{
    return arch_hvm_context_load(&save_domain, buf, used);
}

/* The record in buf, or NULL. */
static void *find(uint16_t code, uint16_t instance)
{
    size_t at = 0;

    while (at + sizeof(struct hvm_save_descriptor) <= used) {
        struct hvm_save_descriptor *d = (void *)(buf + at);

        if (d->typecode == code && d->instance == instance) {
            return d + 1;
        }
        at += sizeof(*d) + d->length;
    }
    return NULL;
}

/* Its descriptor. */
static struct hvm_save_descriptor *descriptor(uint16_t code,
                                              uint16_t instance)
{
    struct hvm_save_descriptor *record = find(code, instance);

    ck_assert_ptr_nonnull(record);
    return record - 1;
}

static struct hvm_hw_cpu *cpu(void)
{
    struct hvm_hw_cpu *c = find(HVM_SAVE_CODE(CPU), 0);

    ck_assert_ptr_nonnull(c);
    return c;
}

/* As on the other host: a domain that its builder has just made. */
static void another_domain(void)
{
    save_env_end();
    save_env_start();
    vcpu(0)->is_down = true;
    vcpu(0)->is_initialised = false;
    memset(&save_machine[0].state, 0, sizeof(save_machine[0].state));
    memset(&vcpu(0)->arch->regs, 0, sizeof(vcpu(0)->arch->regs));
}

/* ---- out and in ---- */

START_TEST(a_vcpu_comes_back_as_it_was)
{
    struct hvm_state before, *s = &save_machine[0].state;
    struct hvm_regs regs;

    s->cr2 = 0x1234;
    s->star = 0x23001000000000;
    s->lstar = 0xffffffff81000000;
    s->cstar = 0xffffffff81000010;
    s->sfmask = 0x47700;
    s->kernel_gs_base = 0xffff888000000000;
    s->sysenter_cs = 0x10;
    s->sysenter_esp = 0x20;
    s->sysenter_eip = 0x30;
    for (unsigned int i = 0; i < HVM_GPR_COUNT; i++) {
        vcpu(0)->arch->regs.gpr[i] = 0x1111 * i;
    }
    for (unsigned int i = 0; i < 4; i++) {
        vcpu(0)->arch->dr[i] = 0xd0 + i;
    }
    vcpu(0)->arch->regs.rflags = 0x246;
    vcpu(0)->arch->tsc_aux = 7;
    memset(save_machine[0].fpu, 0x5a, sizeof(save_machine[0].fpu));
    before = *s;
    regs = vcpu(0)->arch->regs;
    save();
    another_domain();
    ck_assert_int_eq(load(), 0);
    before.segment[HVM_GDTR].selector = 0;  /* these have base and limit */
    before.segment[HVM_GDTR].attr = 0;
    before.segment[HVM_IDTR].selector = 0;
    before.segment[HVM_IDTR].attr = 0;
    ck_assert_mem_eq(s, &before, sizeof(before));
    ck_assert_mem_eq(&vcpu(0)->arch->regs, &regs, sizeof(regs));
    ck_assert_uint_eq(vcpu(0)->arch->dr[3], 0xd3);
    ck_assert_uint_eq(vcpu(0)->arch->tsc_aux, 7);
    ck_assert_uint_eq(save_machine[0].fpu[511], 0x5a);
    ck_assert(!vcpu(0)->is_down);
}
END_TEST

/* All records once gave registers to, and woke, vcpus that were off. */
START_TEST(a_vcpu_that_is_down_stays_down)
{
    save();
    ck_assert_ptr_nonnull(find(HVM_SAVE_CODE(CPU), 0));
    ck_assert_ptr_null(find(HVM_SAVE_CODE(CPU), 1));
    ck_assert_ptr_nonnull(find(HVM_SAVE_CODE(LAPIC), 1));
    ck_assert_ptr_nonnull(find(HVM_SAVE_CODE(MTRR), 2));
    another_domain();
    ck_assert_int_eq(load(), 0);
    ck_assert(!vcpu(0)->is_down);
    ck_assert(vcpu(1)->is_down);
    ck_assert(!vcpu(1)->is_initialised);
}
END_TEST

START_TEST(mtrrs_come_back)
{
    ck_assert_int_eq(msr_write(vcpu(1), 0x250, 0x0101010101010101), 0);
    ck_assert_int_eq(msr_write(vcpu(1), 0x20f, 0xffff0800), 0);
    ck_assert_int_eq(msr_write(vcpu(1), MSR_PAT, 0x0007010600070106), 0);
    save();
    another_domain();
    ck_assert_int_eq(load(), 0);
    ck_assert_uint_eq(vcpu(1)->arch->mtrr_fixed[0], 0x0101010101010101);
    ck_assert_uint_eq(vcpu(1)->arch->mtrr_var[15], 0xffff0800);
    ck_assert_uint_eq(save_machine[1].state.pat, 0x0007010600070106);
}
END_TEST

/* ---- events on their way ---- */

START_TEST(an_interrupt_that_was_cut_short_is_not_lost)
{
    save_machine[0].state.event = 0x800000f3;
    save();
    another_domain();
    ck_assert_int_eq(load(), 0);
    ck_assert_uint_eq(save_machine[0].state.event, 0x800000f3);
}
END_TEST

START_TEST(an_nmi_that_waits_is_not_lost)
{
    hvm_set_nmi(vcpu(0));
    save();
    another_domain();
    ck_assert_int_eq(load(), 0);
    ck_assert_uint_eq(save_machine[0].state.event, 0x80000202);
}
END_TEST

START_TEST(a_software_interrupt_executes_again)
{
    static const uint32_t events[] = { 0x80000480, 0x80000303, 0x80000304 };

    for (unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        save();
        cpu()->pending_event = events[i];
        ck_assert_int_eq(load(), 0);
        ck_assert_uint_eq(save_machine[0].state.event, 0);
    }
}
END_TEST

START_TEST(an_event_that_no_cpu_has_is_refused)
{
    static const uint32_t events[] = {
        0x80000120, 0x80000520, 0x80000720, /* types */
        0x80001020, 0xc0000020,             /* reserved */
        0x80000302, 0x80000320,             /* exceptions */
    };

    save();
    for (unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        cpu()->pending_event = events[i];
        ck_assert_int_eq(load(), -EINVAL);
    }
    cpu()->pending_event = 0x80000b0e;
    cpu()->error_code = 0x10000;
    ck_assert_int_eq(load(), -EINVAL);
    cpu()->error_code = 2;
    ck_assert_int_eq(load(), 0);
    ck_assert_uint_eq(save_machine[0].state.event_error, 2);
}
END_TEST

/* ---- time ---- */

START_TEST(the_tsc_goes_on)
{
    uint64_t tsc;

    vcpu(0)->arch->tsc_offset = 1ull << 60;
    save();
    tsc = cpu()->tsc;
    ck_assert_uint_ge(tsc, 1ull << 60);
    another_domain();
    ck_assert_int_eq(load(), 0);
    for (unsigned int i = 0; i < SAVE_VCPUS; i++) {
        uint64_t now = rdtsc() + save_machine[i].tsc_offset;

        ck_assert_uint_ge(now, tsc);
        ck_assert_uint_lt(now, tsc + (1ull << 40));
        ck_assert_uint_eq(save_machine[i].tsc_offset,
                          vcpu(0)->arch->tsc_offset);
        ck_assert_uint_eq(save_machine[i].records_of_time, 1);
    }
}
END_TEST

/* As it is for libxc's builder. */
START_TEST(without_a_tsc_it_is_the_hosts)
{
    save();
    cpu()->tsc = 0;
    ck_assert_int_eq(load(), 0);
    ck_assert_uint_eq(vcpu(0)->arch->tsc_offset, 0);
    ck_assert_uint_eq(save_machine[0].records_of_time, 0);
}
END_TEST

/* ---- the local APIC ---- */

START_TEST(vectors_and_registers_of_the_apic_come_back)
{
    struct vlapic *apic = vlapic_of(vcpu(0));

    vlapic_mmio_write(apic, 0xf0, 0x1ff);
    vlapic_mmio_write(apic, 0xd0, 0x03000000);
    vlapic_mmio_write(apic, 0x80, 0x20);
    vlapic_mmio_write(apic, 0x350, 0x700);
    vlapic_set_irq(apic, 0x31, false);
    vlapic_set_irq(apic, 0x41, true);
    vlapic_take(apic, 0x41);
    vlapic_set_irq(apic, 0x51, false);
    save();
    another_domain();
    ck_assert_int_eq(load(), 0);
    apic = vlapic_of(vcpu(0));
    ck_assert(vlapic_is_enabled(apic));
    ck_assert_int_eq(vlapic_pending(apic), 0x51);
    ck_assert_uint_eq(vlapic_mmio_read(apic, 0xd0), 0x03000000);
    ck_assert_uint_eq(vlapic_mmio_read(apic, 0x350), 0x700);
    ck_assert_uint_eq(vlapic_mmio_read(apic, 0x120), 1u << 1);
    ck_assert_uint_eq(vlapic_mmio_read(apic, 0x1a0), 1u << 1);
    ck_assert_uint_eq(vcpu(0)->arch->cr8, 2);
}
END_TEST

/* The records of vcpus 0 and 1. */
static void swap(uint16_t code)
{
    struct hvm_save_descriptor *one = descriptor(code, 1);

    descriptor(code, 0)->instance = 1;
    one->instance = 0;
}

START_TEST(x2apic_mode_comes_back_and_who_boots_stays)
{
    struct vlapic *apic = vlapic_of(vcpu(0));

    ck_assert_int_eq(vlapic_set_base(apic, VLAPIC_BASE | 0xc00), 0);
    save();
    another_domain();
    swap(HVM_SAVE_CODE(LAPIC));
    swap(HVM_SAVE_CODE(LAPIC_REGS));
    ck_assert_int_eq(load(), 0);
    ck_assert(vlapic_is_x2apic(vlapic_of(vcpu(1))));
    ck_assert_uint_eq(vlapic_of(vcpu(1))->base_msr & 0x100, 0);
    ck_assert_uint_eq(vlapic_of(vcpu(1))->id, 2);
}
END_TEST

START_TEST(the_apics_timer_goes_on)
{
    struct vlapic *apic = vlapic_of(vcpu(0));

    vlapic_mmio_write(apic, 0xf0, 0x1ff);
    vlapic_mmio_write(apic, 0x3e0, 0xb);        /* divide by 1: 10 ns */
    vlapic_mmio_write(apic, 0x320, 0x40);       /* one shot */
    vlapic_mmio_write(apic, 0x380, 100000000);  /* 1 s */
    save_now += SECOND_NS / 4;
    save();
    another_domain();
    save_now = 77 * SECOND_NS;
    ck_assert_int_eq(load(), 0);
    apic = vlapic_of(vcpu(0));
    ck_assert_uint_eq(save_armed(0), 77 * SECOND_NS + SECOND_NS * 3 / 4);
    ck_assert_uint_eq(vlapic_mmio_read(apic, 0x390), 75000000);
    save_now += SECOND_NS;
    timer_stop(&apic->timer);
    save();
    another_domain();
    ck_assert_int_eq(load(), 0);                /* it had fired before */
    ck_assert_uint_eq(save_armed(0), 0);
}
END_TEST

START_TEST(a_tsc_deadline_goes_on)
{
    struct vlapic *apic = vlapic_of(vcpu(0));
    uint64_t second = SAVE_TSC_KHZ * 1000ull;

    vlapic_mmio_write(apic, 0xf0, 0x1ff);
    vlapic_mmio_write(apic, 0x320, 0x40 | 2u << 17);
    vlapic_set_tsc_deadline(apic, hvm_guest_tsc(vcpu(0)) + 1000 * second);
    save();
    another_domain();
    save_now = SECOND_NS;
    ck_assert_int_eq(load(), 0);
    ck_assert_uint_gt(save_armed(0), 900 * SECOND_NS);
    ck_assert_uint_le(save_armed(0), 1001 * SECOND_NS);
}
END_TEST

START_TEST(an_apic_that_cannot_be_is_refused)
{
    struct hvm_hw_lapic_regs *regs;
    struct hvm_hw_lapic *base;

    save();
    base = find(HVM_SAVE_CODE(LAPIC), 0);
    base->apic_base_msr = VLAPIC_BASE | 0x400;
    ck_assert_int_eq(load(), -EINVAL);
    base->apic_base_msr = VLAPIC_BASE + 0x1000;
    ck_assert_int_eq(load(), -EINVAL);
    base->apic_base_msr = VLAPIC_BASE | 0x800;
    base->disabled = 4;
    ck_assert_int_eq(load(), -EINVAL);
    base->disabled = 0;
    ck_assert_int_eq(load(), 0);
    regs = find(HVM_SAVE_CODE(LAPIC_REGS), 0);
    regs->data[0x201] = 1;                      /* vector 8 in IRR */
    ck_assert_int_eq(load(), -EINVAL);
    regs->data[0x201] = 0;
    regs->data[0x390] = 1;                      /* counts from 0 to 1 */
    ck_assert_int_eq(load(), -EINVAL);
}
END_TEST

/* ---- bytes that are wrong ---- */

static void refused(uint64_t *field, uint64_t bad)
{
    uint64_t good = *field;

    *field = bad;
    ck_assert_int_eq(load(), -EINVAL);
    ck_assert_uint_eq(vcpu(0)->arch->regs.rip, 0x1000);
    *field = good;
}

START_TEST(registers_that_no_cpu_has_are_refused)
{
    struct hvm_hw_cpu *c;

    save();
    c = cpu();
    c->rip = 0x2000;
    refused(&c->cr0, 0x80050023);               /* no ET */
    refused(&c->cr0, 0x80050032);               /* paging, not protected */
    refused(&c->cr0, 0xa0050033);               /* NW without CD */
    refused(&c->cr0, 0x180050033);
    refused(&c->cr4, 0x680);                    /* long mode without PAE */
    refused(&c->cr4, c->cr4 | 1u << 11);        /* not in its policy */
    refused(&c->cr4, c->cr4 | 1u << 13);
    refused(&c->cr4, c->cr4 | 1u << 18);
    refused(&c->cr4, c->cr4 | 1ull << 40);
    refused(&c->cr3, 1ull << 40);
    refused(&c->msr_efer, 0x901);               /* LMA is missing */
    refused(&c->msr_efer, 0xc01);               /* LME is missing */
    refused(&c->msr_efer, 0x1d01);              /* SVME */
    refused(&c->msr_efer, 0x4d01);              /* FFXSR: not in its policy */
    refused(&c->msr_tsc_aux, 1ull << 32);
    refused(&c->dr6, 1ull << 32);
    refused(&c->dr7, 1ull << 32);
    c->flags |= 2;
    ck_assert_int_eq(load(), -EINVAL);
    c->flags = 1;
    c->pad0 = 1;
    ck_assert_int_eq(load(), -EINVAL);
    c->pad0 = 0;
    c->cs_arbytes |= 0x1000;
    ck_assert_int_eq(load(), -EINVAL);
    c->cs_arbytes = 0xa9b;
    c->tr_sel = 0x10000;
    ck_assert_int_eq(load(), -EINVAL);
    c->tr_sel = 0x40;
    ck_assert_int_eq(load(), 0);
    ck_assert_uint_eq(vcpu(0)->arch->regs.rip, 0x2000);
}
END_TEST

START_TEST(mtrrs_that_no_cpu_has_are_refused)
{
    struct hvm_hw_mtrr *m;

    save();
    m = find(HVM_SAVE_CODE(MTRR), 0);
    m->msr_mtrr_fixed[3] = 2;
    ck_assert_int_eq(load(), -EINVAL);
    m->msr_mtrr_fixed[3] = 0;
    m->msr_mtrr_var[4] = 7;
    ck_assert_int_eq(load(), -EINVAL);
    m->msr_mtrr_var[4] = 6;
    m->msr_mtrr_def_type = 0x10006;
    ck_assert_int_eq(load(), -EINVAL);
    m->msr_mtrr_def_type = 6;
    m->msr_pat_cr = 2;
    ck_assert_int_eq(load(), -EINVAL);
    m->msr_pat_cr = 0;
    m->msr_mtrr_cap = 9;
    ck_assert_int_eq(load(), -EINVAL);
    m->msr_mtrr_cap = 8;
    ck_assert_int_eq(load(), 0);
}
END_TEST

START_TEST(records_that_lie_about_themselves_are_refused)
{
    struct hvm_save_descriptor *d;
    struct hvm_save_header *header;

    save();
    header = find(HVM_SAVE_CODE(HEADER), 0);
    header->magic ^= 1;
    ck_assert_int_eq(load(), -EINVAL);
    header->magic ^= 1;
    header->version++;
    ck_assert_int_eq(load(), -EINVAL);
    header->version--;
    d = descriptor(HVM_SAVE_CODE(CPU), 0);
    d->length++;
    ck_assert_int_eq(load(), -EINVAL);
    d->length--;
    d->instance = SAVE_VCPUS;
    ck_assert_int_eq(load(), -EINVAL);
    d->instance = 0;
    d->typecode = HVM_SAVE_CODE(HEADER);
    ck_assert_int_eq(load(), -EOPNOTSUPP);
    d->typecode = HVM_SAVE_CODE(PIC);
    ck_assert_int_eq(load(), -EOPNOTSUPP);
    d->typecode = HVM_SAVE_CODE(CPU);
    descriptor(HVM_SAVE_CODE(HEADER), 0)->typecode = HVM_SAVE_CODE(END);
    ck_assert_int_eq(load(), -EINVAL);
}
END_TEST

START_TEST(a_file_that_was_cut_off_is_refused)
{
    size_t all;

    save();
    all = used;
    for (used = 0; used < all; used++) {
        ck_assert_int_eq(load(), -ENODATA);
    }
    ck_assert_int_eq(load(), 0);
}
END_TEST

START_TEST(a_buffer_that_is_too_small_is_not_overrun)
{
    size_t all;

    save();
    all = used;
    for (size_t size = 0; size < all; size++) {
        memset(buf, 0xaa, sizeof(buf));
        ck_assert_int_eq(arch_hvm_context_save(&save_domain, buf, size,
                                               &used), -ENOSPC);
        ck_assert_uint_eq(buf[size], 0xaa);
    }
}
END_TEST

/* ---- XSAVE ---- */

#define XSTATE_IN_USE_AT (24 + 512)     /* of a record */
#define XSTATE_PACKED_AT (24 + 520)
#define XSTATE_RESERVED_AT (24 + 528)

static struct hvm_hw_cpu_xsave *xsave(void)
{
    struct hvm_hw_cpu_xsave *x = find(CPU_XSAVE_CODE, 0);

    ck_assert_ptr_nonnull(x);
    return x;
}

/* Vcpu 0 of the domain has YMM in use; the record is saved. */
static void save_avx(void)
{
    save_has_avx = true;
    vcpu(0)->arch->xcr0 = 7;
    vcpu(0)->arch->xcr0_seen = 7;
    memset(save_machine[0].xstate, 0, SAVE_XSTATE_SIZE);
    save_machine[0].xstate[512] = 7;
    save_machine[0].xstate[SAVE_XSTATE_SIZE - 1] = 0x77;
    save();
}

START_TEST(a_domain_without_xsave_has_no_such_record)
{
    save();
    ck_assert_ptr_null(find(CPU_XSAVE_CODE, 0));
    ck_assert_uint_eq(arch_xstate_size(vcpu(0)), 16);
}
END_TEST

START_TEST(vectors_come_back_as_they_were)
{
    save_avx();
    ck_assert_uint_eq(descriptor(CPU_XSAVE_CODE, 0)->length,
                      24 + SAVE_XSTATE_SIZE);
    ck_assert_uint_eq(xsave()->xfeature_mask, 0xe7);
    ck_assert_uint_eq(xsave()->xcr0, 7);
    ck_assert_ptr_null(find(CPU_XSAVE_CODE, 1));
    another_domain();
    save_has_avx = true;
    ck_assert_int_eq(load(), 0);
    ck_assert_uint_eq(vcpu(0)->arch->xcr0, 7);
    ck_assert_uint_eq(vcpu(0)->arch->xcr0_seen, 7);
    ck_assert_uint_eq(save_machine[0].xstate_components, 7);
    ck_assert_uint_eq(save_machine[0].xstate[SAVE_XSTATE_SIZE - 1], 0x77);
}
END_TEST

/* One that never set XCR0: what FXSAVE has is in its image all the same. */
START_TEST(a_vcpu_without_vectors_has_a_short_image)
{
    save_has_avx = true;
    save();
    ck_assert_uint_eq(descriptor(CPU_XSAVE_CODE, 0)->length, 24 + 576);
    ck_assert_uint_eq(xsave()->xcr0, 1);
    ck_assert_uint_eq(xsave()->xcr0_accum, 3);
    ck_assert_int_eq(load(), 0);
}
END_TEST

/* On a host, or by a policy, that has less. */
START_TEST(vectors_that_the_policy_lacks_are_refused)
{
    save_avx();
    save_has_avx = false;
    ck_assert_int_eq(load(), -EINVAL);
    ck_assert_uint_eq(save_machine[0].xstate_components, 0);
}
END_TEST

START_TEST(an_xcr0_that_cannot_be_is_refused)
{
    static const struct { uint64_t xcr0, seen; } bad[] = {
        { 0, 7 }, { 6, 7 }, { 5, 7 }, { 7, 3 }, { 7, 0x207 }, { 0x207, 7 },
        { 0xe7, 0xe7 }, { 7, 0xe7 }, { 7, 5 }, { 1, 1ull << 62 | 7 },
        { 7, 0 },
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
        save_avx();
        xsave()->xcr0 = bad[i].xcr0;
        xsave()->xcr0_accum = bad[i].seen;
        ck_assert_int_eq(load(), -EINVAL);
        ck_assert_uint_eq(save_machine[0].xstate_components, 0);
    }
}
END_TEST

/* XRSTOR of such a header would fault, in the hypervisor. */
START_TEST(a_header_that_xrstor_refuses_is_refused)
{
    unsigned char *record;

    save_avx();
    record = (unsigned char *)xsave();
    record[XSTATE_PACKED_AT + 7] = 0x80;
    ck_assert_int_eq(load(), -EOPNOTSUPP);
    record[XSTATE_PACKED_AT + 7] = 0;
    for (unsigned int i = 0; i < 48; i++) {
        record[XSTATE_RESERVED_AT + i] = 1;
        ck_assert_int_eq(load(), -EIO);
        record[XSTATE_RESERVED_AT + i] = 0;
    }
    record[XSTATE_IN_USE_AT] = 15;
    ck_assert_int_eq(load(), -EINVAL);
    record[XSTATE_IN_USE_AT] = 3;
    ck_assert_int_eq(load(), 0);
}
END_TEST

START_TEST(an_image_has_the_length_that_it_needs)
{
    struct hvm_save_descriptor *d;
    uint32_t whole;

    save_avx();
    d = descriptor(CPU_XSAVE_CODE, 0);
    whole = d->length;
    for (uint32_t length = 0; length < whole; length++) {
        d->length = length;
        ck_assert_int_eq(load(), -EINVAL);
    }
    ck_assert_uint_eq(save_machine[0].xstate_components, 0);
    d->length = whole;
    ck_assert_int_eq(load(), 0);
}
END_TEST

START_TEST(xcr0_has_what_its_bits_are_built_on)
{
    const uint64_t all = XSTATE_KNOWN;

    ck_assert(xstate_is_valid(1, all));
    ck_assert(xstate_is_valid(3, all));
    ck_assert(xstate_is_valid(7, all));
    ck_assert(xstate_is_valid(0xe7, all));
    ck_assert(!xstate_is_valid(0, all));
    ck_assert(!xstate_is_valid(2, all));
    ck_assert(!xstate_is_valid(5, all));
    ck_assert(!xstate_is_valid(0xe3, all));
    ck_assert(!xstate_is_valid(0x67, all));
    ck_assert(!xstate_is_valid(7, 3));
    ck_assert(!xstate_is_valid(0x207, all));
}
END_TEST

/* ---- the policy ---- */

static xen_cpuid_leaf_t policy[] = {
    { .leaf = 1 }, { .leaf = 7 }, { .leaf = 0xd },
    { .leaf = 0xd, .subleaf = 1 }, { .leaf = 0xd, .subleaf = 2 },
    { .leaf = 0xd, .subleaf = 5 },
};

/* What a CPU that has it all would say, but for leaf 1 and 7. */
static void tidy(uint32_t ecx, uint32_t ebx)
{
    policy[0].c = ecx;
    policy[1].b = ebx;
    policy[1].c = 0x5f42;
    policy[3].a = 0xf;
    policy[4].a = policy[4].b = policy[5].a = policy[5].b = 99;
    xstate_tidy_policy(policy, ARRAY_SIZE(policy));
}

#define XSAVE_AVX 0x34001000u           /* xsave, avx, f16c, fma */
#define AVX2_512 0xd0230020u

START_TEST(a_policy_says_what_it_allows)
{
    tidy(XSAVE_AVX, AVX2_512);
    ck_assert_uint_eq(policy[0].c, XSAVE_AVX);
    ck_assert_uint_eq(policy[1].b, AVX2_512);
    ck_assert_uint_eq(policy[2].a, 0xe7);
    ck_assert_uint_eq(policy[2].b, 0);
    ck_assert_uint_eq(policy[2].c, SAVE_XSTATE_MAX);
    ck_assert_uint_eq(policy[3].a, 7);  /* no XSAVES */
    ck_assert_uint_eq(policy[5].a, 99);
}
END_TEST

/* As of a toolstack that takes a feature away. */
START_TEST(no_feature_is_without_what_it_is_built_on)
{
    tidy(XSAVE_AVX, AVX2_512 & ~(1u << 16));
    ck_assert_uint_eq(policy[1].b, 0x20);
    ck_assert_uint_eq(policy[2].a, 7);
    ck_assert_uint_eq(policy[2].c, SAVE_XSTATE_SIZE);
    ck_assert_uint_eq(policy[4].a, 99);
    ck_assert_uint_eq(policy[5].a, 0);
    tidy(XSAVE_AVX & ~(1u << 28), AVX2_512);
    ck_assert_uint_eq(policy[0].c, 1u << 26);
    ck_assert_uint_eq(policy[1].b, 0);
    ck_assert_uint_eq(policy[1].c, 0x100);  /* gfni alone */
    ck_assert_uint_eq(policy[2].a, 3);
    ck_assert_uint_eq(policy[2].c, 576);
    ck_assert_uint_eq(policy[4].a, 0);
    tidy(XSAVE_AVX & ~(1u << 26), AVX2_512);
    ck_assert_uint_eq(policy[0].c, 0);
    for (unsigned int i = 2; i < ARRAY_SIZE(policy); i++) {
        ck_assert_uint_eq(policy[i].a | policy[i].b | policy[i].c, 0);
    }
}
END_TEST

START_TEST(sizes_follow_xcr0)
{
    uint32_t whole[4] = { 0xe7, 0, SAVE_XSTATE_MAX, 0 };
    uint32_t packed[4] = { 7, 0, 0, 0 };

    xstate_cpuid(7, 0, whole);
    ck_assert_uint_eq(whole[1], SAVE_XSTATE_SIZE);
    xstate_cpuid(1, 0, whole);
    ck_assert_uint_eq(whole[1], 576);
    xstate_cpuid(0xe7, 1, packed);
    ck_assert_uint_eq(packed[1], 576 + 256 + 64 + 512 + 1024);
    packed[0] = 1;                      /* no XSAVEC */
    packed[1] = 0;
    xstate_cpuid(0xe7, 1, packed);
    ck_assert_uint_eq(packed[1], 0);
}
END_TEST

/* ---- a vcpu's context in the PV form ---- */

START_TEST(who_resumes_a_guest_sets_rax)
{
    struct vcpu_guest_context *c = calloc(1, sizeof(*c));
    struct hvm_state before = save_machine[0].state;

    ck_assert_ptr_nonnull(c);
    vcpu(0)->arch->regs.gpr[HVM_R15] = 15;
    vcpu(0)->arch->dr[2] = 0xd2;
    save_machine[0].fpu[0] = 0x7f;
    arch_vcpu_get_context(vcpu(0), c);
    c->user_regs.eax = 1;
    memset(save_machine[0].fpu, 0, sizeof(save_machine[0].fpu));
    ck_assert_int_eq(arch_vcpu_set_context(vcpu(0), c), 0);
    ck_assert_uint_eq(vcpu(0)->arch->regs.gpr[HVM_RAX], 1);
    ck_assert_uint_eq(vcpu(0)->arch->regs.gpr[HVM_R15], 15);
    ck_assert_uint_eq(vcpu(0)->arch->regs.rip, 0x1000);
    ck_assert_uint_eq(vcpu(0)->arch->dr[2], 0xd2);
    ck_assert_uint_eq(save_machine[0].fpu[0], 0x7f);
    ck_assert_mem_eq(&save_machine[0].state, &before, sizeof(before));
    ck_assert(!vcpu(0)->is_down);
    free(c);
}
END_TEST

START_TEST(a_context_that_cannot_be_is_refused)
{
    struct vcpu_guest_context *c = calloc(1, sizeof(*c));

    ck_assert_ptr_nonnull(c);
    arch_vcpu_get_context(vcpu(1), c);
    ck_assert_uint_eq(c->flags & VGCF_online, 0);
    c->flags |= VGCF_online;
    ck_assert_int_eq(arch_vcpu_set_context(vcpu(1), c), -EINVAL);
    ck_assert(vcpu(1)->is_down);
    arch_vcpu_get_context(vcpu(0), c);
    c->debugreg[7] = 1ull << 32;
    ck_assert_int_eq(arch_vcpu_set_context(vcpu(0), c), -EINVAL);
    c->debugreg[7] = 0x400;
    c->user_regs.rflags = ~0ull;
    c->flags &= ~(uint32_t)VGCF_online;
    ck_assert_int_eq(arch_vcpu_set_context(vcpu(0), c), 0);
    ck_assert_uint_eq(vcpu(0)->arch->regs.rflags, 0x3f7fd7);
    ck_assert(vcpu(0)->is_down);
    free(c);
}
END_TEST

/* Its vcpus start by VCPUOP_initialise alone, never by INIT and SIPI. */
START_TEST(a_pv_guest_has_no_apic_to_set_up)
{
    struct vlapic *apic = vlapic_of(vcpu(0));
    uint64_t was = apic->base_msr;

    vcpu(0)->arch->pv = (struct pv_vcpu *)(void *)vcpu(0);
    ck_assert_int_eq(msr_write(vcpu(0), MSR_APIC_BASE, VLAPIC_BASE | 0xc00),
                     -EINVAL);
    ck_assert_int_eq(msr_write(vcpu(0), 0x830, 0), -EINVAL);
    ck_assert_uint_eq(apic->base_msr, was);
    vcpu(0)->arch->pv = NULL;
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("save");
    TCase *t = unit_case(s, "out and in");

    tcase_add_checked_fixture(t, save_env_start, save_env_end);
    tcase_add_test(t, a_vcpu_comes_back_as_it_was);
    tcase_add_test(t, a_vcpu_that_is_down_stays_down);
    tcase_add_test(t, mtrrs_come_back);
    tcase_add_test(t, an_interrupt_that_was_cut_short_is_not_lost);
    tcase_add_test(t, an_nmi_that_waits_is_not_lost);
    tcase_add_test(t, a_software_interrupt_executes_again);
    tcase_add_test(t, the_tsc_goes_on);
    tcase_add_test(t, without_a_tsc_it_is_the_hosts);
    tcase_add_test(t, vectors_and_registers_of_the_apic_come_back);
    tcase_add_test(t, x2apic_mode_comes_back_and_who_boots_stays);
    tcase_add_test(t, the_apics_timer_goes_on);
    tcase_add_test(t, a_tsc_deadline_goes_on);
    tcase_add_test(t, a_domain_without_xsave_has_no_such_record);
    tcase_add_test(t, vectors_come_back_as_they_were);
    tcase_add_test(t, a_vcpu_without_vectors_has_a_short_image);
    tcase_add_test(t, vectors_that_the_policy_lacks_are_refused);
    tcase_add_test(t, an_xcr0_that_cannot_be_is_refused);
    tcase_add_test(t, a_header_that_xrstor_refuses_is_refused);
    tcase_add_test(t, an_image_has_the_length_that_it_needs);
    tcase_add_test(t, xcr0_has_what_its_bits_are_built_on);
    tcase_add_test(t, a_policy_says_what_it_allows);
    tcase_add_test(t, no_feature_is_without_what_it_is_built_on);
    tcase_add_test(t, sizes_follow_xcr0);
    tcase_add_test(t, who_resumes_a_guest_sets_rax);
    t = unit_case(s, "foreign bytes");
    tcase_add_checked_fixture(t, save_env_start, save_env_end);
    tcase_add_test(t, an_event_that_no_cpu_has_is_refused);
    tcase_add_test(t, an_apic_that_cannot_be_is_refused);
    tcase_add_test(t, registers_that_no_cpu_has_are_refused);
    tcase_add_test(t, mtrrs_that_no_cpu_has_are_refused);
    tcase_add_test(t, records_that_lie_about_themselves_are_refused);
    tcase_add_test(t, a_file_that_was_cut_off_is_refused);
    tcase_add_test(t, a_buffer_that_is_too_small_is_not_overrun);
    tcase_add_test(t, a_context_that_cannot_be_is_refused);
    tcase_add_test(t, a_pv_guest_has_no_apic_to_set_up);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
