/* SPDX-License-Identifier: GPL-2.0-only */
/* hvm/vlapic.c: priorities, EOI, messages, IPIs, INIT/SIPI, timer, modes. */
#include <errno.h>

#include "core/kmem.h"
#include "hvm/vlapic.h"
#include "unit.h"

#define VCPUS 4

static struct domain domain;
static struct vcpu vcpus[VCPUS], *vcpu_list[VCPUS];
static struct arch_vcpu arch[VCPUS];
static uint64_t now, tsc;
static struct timer *armed;
static unsigned int kicks, nmis, eois;

/* ---- what vlapic.c asks of its surroundings ---- */

void *kmem_alloc(size_t size)
{
    return calloc(1, size);
}

void kmem_free(void *p)
{
    free(p);
}

void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    t->fn = fn;
    t->arg = arg;
}

void timer_set(struct timer *t, uint64_t expires)
{
    t->expires = expires;
    armed = t;
}

void timer_stop(struct timer *t)
{
    if (armed == t) {
        armed = NULL;
    }
}

bool timer_is_armed(const struct timer *t)
{
    return armed == t;
}

uint64_t arch_time_now(void)
{
    return now;
}

uint64_t arch_tsc_khz(void)
{
    return 2000000;
}

uint64_t hvm_guest_tsc(struct vcpu *v)
{
    (void)v;
    return tsc;
}

void hvm_kick(struct vcpu *v)
{
    (void)v;
    kicks++;
}

void hvm_set_nmi(struct vcpu *v)
{
    (void)v;
    nmis++;
}

void vlapic_host_eoi(struct vcpu *v, unsigned int vector)
{
    (void)v;
    eois = vector;
}

int vcpu_up(struct vcpu *v)
{
    v->is_down = false;
    return 0;
}

/* ---- */

/* What timer_run() does with the armed one. */
static void fire(void)
{
    struct timer *t = armed;

    ck_assert_ptr_nonnull(t);
    ck_assert_uint_ge(now, t->expires);
    armed = NULL;
    t->fn(t->arg);
}

static struct vlapic *apic(unsigned int i)
{
    return arch[i].vlapic;
}

static void setup(void)
{
    domain.max_vcpus = VCPUS;
    domain.vcpu = vcpu_list;
    for (unsigned int i = 0; i < VCPUS; i++) {
        vcpus[i] = (struct vcpu){
            .id = i, .domain = &domain, .arch = &arch[i], .is_down = i != 0,
        };
        vcpu_list[i] = &vcpus[i];
        ck_assert_int_eq(vlapic_create(&vcpus[i]), 0);
        vlapic_mmio_write(apic(i), 0xf0, 0x1ff);
    }
    kicks = nmis = eois = 0;
    now = tsc = 0;
    armed = NULL;
}

static void teardown(void)
{
    for (unsigned int i = 0; i < VCPUS; i++) {
        vlapic_destroy(&vcpus[i]);
    }
}

START_TEST(higher_vector_first_and_nesting)
{
    vlapic_set_irq(apic(0), 0x31, false);
    vlapic_set_irq(apic(0), 0x52, false);
    ck_assert_int_eq(vlapic_pending(apic(0)), 0x52);
    vlapic_take(apic(0), 0x52);
    ck_assert_int_eq(vlapic_pending(apic(0)), -1);  /* 0x31 waits */
    vlapic_set_irq(apic(0), 0x5f, false);           /* same class waits */
    ck_assert_int_eq(vlapic_pending(apic(0)), -1);
    vlapic_set_irq(apic(0), 0x61, false);
    ck_assert_int_eq(vlapic_pending(apic(0)), 0x61);
    vlapic_mmio_write(apic(0), 0xb0, 0);
    ck_assert_int_eq(vlapic_pending(apic(0)), 0x61);
}
END_TEST

START_TEST(task_priority_holds_back)
{
    vlapic_set_irq(apic(0), 0x45, false);
    vlapic_mmio_write(apic(0), 0x80, 0x40);
    ck_assert_int_eq(vlapic_pending(apic(0)), -1);
    ck_assert_uint_eq(arch[0].cr8, 4);
    vlapic_set_cr8(apic(0), 3);
    ck_assert_int_eq(vlapic_pending(apic(0)), 0x45);
}
END_TEST

START_TEST(level_interrupts_tell_their_end)
{
    vlapic_set_irq(apic(0), 0x41, true);
    vlapic_take(apic(0), 0x41);
    vlapic_mmio_write(apic(0), 0xb0, 0);
    ck_assert_uint_eq(eois, 0x41);
    eois = 0;
    vlapic_set_irq(apic(0), 0x41, false);
    vlapic_take(apic(0), 0x41);
    vlapic_mmio_write(apic(0), 0xb0, 0);
    ck_assert_uint_eq(eois, 0);
}
END_TEST

START_TEST(bad_vectors_and_disabled)
{
    vlapic_set_irq(apic(0), 5, false);
    ck_assert_int_eq(vlapic_pending(apic(0)), -1);
    vlapic_mmio_write(apic(0), 0x280, 0);
    ck_assert_uint_eq(vlapic_mmio_read(apic(0), 0x280), 1u << 6);
    vlapic_mmio_write(apic(0), 0xf0, 0xff);
    vlapic_set_irq(apic(0), 0x50, false);
    ck_assert_int_eq(vlapic_pending(apic(0)), -1);
}
END_TEST

/* Once for each kind, until ESR is written; its own bad vector ends it. */
START_TEST(errors_interrupt)
{
    vlapic_mmio_write(apic(0), 0x370, 0x33);
    vlapic_mmio_write(apic(0), 0x300, 0x0f);
    ck_assert_int_eq(vlapic_pending(apic(0)), 0x33);
    vlapic_take(apic(0), 0x33);
    vlapic_mmio_write(apic(0), 0xb0, 0);
    vlapic_mmio_write(apic(0), 0x300, 0x0f);
    ck_assert_int_eq(vlapic_pending(apic(0)), -1);
    vlapic_mmio_write(apic(0), 0x280, 0);
    ck_assert_uint_eq(vlapic_mmio_read(apic(0), 0x280), 1u << 5);
    vlapic_mmio_write(apic(0), 0x370, 0x0f);
    vlapic_mmio_write(apic(0), 0x300, 0x0f);
    vlapic_mmio_write(apic(0), 0x280, 0);
    ck_assert_uint_eq(vlapic_mmio_read(apic(0), 0x280), 3u << 5);
}
END_TEST

START_TEST(physical_ipi)
{
    vlapic_mmio_write(apic(0), 0x310, vlapic_id_of(2) << 24);
    vlapic_mmio_write(apic(0), 0x300, 0x000000fd);
    ck_assert_int_eq(vlapic_pending(apic(2)), 0xfd);
    ck_assert_int_eq(vlapic_pending(apic(1)), -1);
    ck_assert_uint_eq(kicks, 1);
}
END_TEST

START_TEST(shorthands)
{
    vlapic_mmio_write(apic(1), 0x300, 0x000c00fb);      /* all but self */
    for (unsigned int i = 0; i < VCPUS; i++) {
        ck_assert_int_eq(vlapic_pending(apic(i)), i == 1 ? -1 : 0xfb);
    }
    vlapic_mmio_write(apic(1), 0x300, 0x000400fc);      /* self */
    ck_assert_int_eq(vlapic_pending(apic(1)), 0xfc);
    vlapic_mmio_write(apic(1), 0x300, 0x00080400);      /* all: NMI */
    ck_assert_uint_eq(nmis, VCPUS);
}
END_TEST

START_TEST(logical_flat_and_lowest)
{
    struct vlapic_message m = {
        .dest = 6, .vector = 0x71, .mode = VLAPIC_LOWEST, .is_logical = true,
    };

    for (unsigned int i = 0; i < VCPUS; i++) {
        vlapic_mmio_write(apic(i), 0xd0, 1u << (24 + i));
    }
    vlapic_mmio_write(apic(1), 0x80, 0x20);
    ck_assert_uint_eq(vlapic_deliver(&domain, &m), 1);
    ck_assert_int_eq(vlapic_pending(apic(2)), 0x71);
    m.mode = VLAPIC_FIXED;
    ck_assert_uint_eq(vlapic_deliver(&domain, &m), 2);
    ck_assert_int_eq(vlapic_pending(apic(1)), 0x71);
}
END_TEST

START_TEST(x2apic_mode)
{
    uint64_t value;

    ck_assert_int_eq(vlapic_rdmsr(apic(3), 0x802, &value), -EINVAL);
    ck_assert_int_eq(vlapic_set_base(apic(3), 0xfee00c00), 0);
    vlapic_wrmsr(apic(3), 0x80f, 0x1ff);
    ck_assert_int_eq(vlapic_rdmsr(apic(3), 0x802, &value), 0);
    ck_assert_uint_eq(value, vlapic_id_of(3));
    ck_assert_int_eq(vlapic_rdmsr(apic(3), 0x80d, &value), 0);
    ck_assert_uint_eq(value, 1u << vlapic_id_of(3));
    ck_assert_int_eq(vlapic_wrmsr(apic(3), 0x80b, 1), -EINVAL);
    ck_assert_int_eq(vlapic_wrmsr(apic(3), 0x830,
                                  (uint64_t)vlapic_id_of(1) << 32 | 0xee),
                     0);
    ck_assert_int_eq(vlapic_pending(apic(1)), 0xee);
    ck_assert_int_eq(vlapic_wrmsr(apic(3), 0x83f, 0x99), 0);
    ck_assert_int_eq(vlapic_pending(apic(3)), 0x99);
    /* Back to xAPIC only by way of disabled. */
    ck_assert_int_eq(vlapic_set_base(apic(3), 0xfee00800), -EINVAL);
    ck_assert_int_eq(vlapic_set_base(apic(3), 0xfee00000), 0);
    ck_assert_int_eq(vlapic_set_base(apic(3), 0xfee00400), -EINVAL);
    ck_assert_int_eq(vlapic_set_base(apic(3), 0xfed00800), -EINVAL);
}
END_TEST

START_TEST(init_and_startup)
{
    vlapic_mmio_write(apic(0), 0x310, vlapic_id_of(1) << 24);
    vlapic_mmio_write(apic(0), 0x300, 0x0000c500);      /* INIT assert */
    ck_assert(apic(1)->init_pending);
    vlapic_mmio_write(apic(0), 0x300, 0x00008500);      /* de-assert */
    vlapic_mmio_write(apic(0), 0x300, 0x00000699);      /* SIPI 0x99 */
    ck_assert_uint_eq(apic(1)->sipi, 0x199);
    ck_assert(!vcpus[1].is_down);
    /* One that runs does not listen. */
    vlapic_mmio_write(apic(0), 0x310, 0);
    vlapic_mmio_write(apic(0), 0x300, 0x00000601);
    ck_assert_uint_eq(apic(0)->sipi, 0);
}
END_TEST

START_TEST(timer_one_shot_and_periodic)
{
    vlapic_mmio_write(apic(0), 0x320, 0xec);
    vlapic_mmio_write(apic(0), 0x3e0, 0xb);             /* divide by 1 */
    vlapic_mmio_write(apic(0), 0x380, 1000);
    ck_assert_ptr_nonnull(armed);
    ck_assert_uint_eq(armed->expires, 10000);
    now = 4000;
    ck_assert_uint_eq(vlapic_mmio_read(apic(0), 0x390), 600);
    now = 10000;
    fire();
    ck_assert_int_eq(vlapic_pending(apic(0)), 0xec);
    ck_assert_uint_eq(vlapic_mmio_read(apic(0), 0x390), 0);
    vlapic_mmio_write(apic(0), 0x320, 0x200ec);
    vlapic_mmio_write(apic(0), 0x380, 1000000);
    vlapic_take(apic(0), 0xec);
    ck_assert_uint_eq(armed->expires, 10010000);
    now = 10010000;
    fire();
    vlapic_take(apic(0), 0xec);
    ck_assert_uint_eq(armed->expires, 20010000);
    vlapic_mmio_write(apic(0), 0x380, 0);
    ck_assert_ptr_null(armed);
}
END_TEST

START_TEST(timer_deadline)
{
    vlapic_mmio_write(apic(0), 0x320, 0x400ed);
    vlapic_set_tsc_deadline(apic(0), 4000000);          /* 2 ms at 2 GHz */
    ck_assert_uint_eq(armed->expires, 2000000);
    ck_assert_uint_eq(vlapic_tsc_deadline(apic(0)), 4000000);
    now = 2000000;
    fire();
    ck_assert_int_eq(vlapic_pending(apic(0)), 0xed);
    ck_assert_uint_eq(vlapic_tsc_deadline(apic(0)), 0);
}
END_TEST

/*
 * A periodic timer armed itself each time that it fired, up to 10000 times a
 * second for as long as its vcpu existed: also while that was paused, down, or
 * of a domain that was being destroyed, and while the guest had masked it.
 */
START_TEST(timer_rests_until_its_tick_is_taken)
{
    vlapic_mmio_write(apic(0), 0x3e0, 0xb);
    vlapic_mmio_write(apic(0), 0x320, 0x200ec);
    vlapic_mmio_write(apic(0), 0x380, 100000);          /* 1 ms */
    now = 1000000;
    fire();
    ck_assert_ptr_null(armed);
    ck_assert_int_eq(vlapic_pending(apic(0)), 0xec);
    /* Paused for 9.5 ms: one tick, then on as if nothing had been. */
    now = 10500000;
    ck_assert_uint_eq(vlapic_mmio_read(apic(0), 0x390), 50000);
    vlapic_take(apic(0), 0xec);
    ck_assert_int_eq(vlapic_pending(apic(0)), -1);
    ck_assert_ptr_nonnull(armed);
    ck_assert_uint_eq(armed->expires, 11000000);
    /* Another vector that is taken does not move it. */
    vlapic_set_irq(apic(0), 0xf1, false);
    vlapic_take(apic(0), 0xf1);
    ck_assert_uint_eq(armed->expires, 11000000);
    /* INIT ends it. */
    now = 11000000;
    fire();
    vlapic_init_reset(apic(0));
    ck_assert_ptr_null(armed);
}
END_TEST

START_TEST(timer_rests_while_masked)
{
    vlapic_mmio_write(apic(0), 0x3e0, 0xb);
    vlapic_mmio_write(apic(0), 0x320, 0x200ec);
    vlapic_mmio_write(apic(0), 0x380, 100000);
    vlapic_mmio_write(apic(0), 0x320, 0x300ec);
    now = 1000000;
    fire();
    ck_assert_ptr_null(armed);
    ck_assert_int_eq(vlapic_pending(apic(0)), -1);
    vlapic_set_irq(apic(0), 0x31, false);
    vlapic_take(apic(0), 0x31);
    ck_assert_ptr_null(armed);
    now = 5200000;
    vlapic_mmio_write(apic(0), 0x320, 0x200ec);
    ck_assert_ptr_nonnull(armed);
    ck_assert_uint_eq(armed->expires, 6000000);
    /* The guest changes the vector of a tick that waits. */
    now = 6000000;
    fire();
    vlapic_mmio_write(apic(0), 0x320, 0x200ed);
    ck_assert_ptr_nonnull(armed);
    ck_assert_uint_eq(armed->expires, 7000000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vlapic");
    TCase *tcase = unit_case(suite, "vlapic");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, higher_vector_first_and_nesting);
    tcase_add_test(tcase, task_priority_holds_back);
    tcase_add_test(tcase, level_interrupts_tell_their_end);
    tcase_add_test(tcase, bad_vectors_and_disabled);
    tcase_add_test(tcase, physical_ipi);
    tcase_add_test(tcase, shorthands);
    tcase_add_test(tcase, logical_flat_and_lowest);
    tcase_add_test(tcase, x2apic_mode);
    tcase_add_test(tcase, errors_interrupt);
    tcase_add_test(tcase, init_and_startup);
    tcase_add_test(tcase, timer_one_shot_and_periodic);
    tcase_add_test(tcase, timer_deadline);
    tcase_add_test(tcase, timer_rests_until_its_tick_is_taken);
    tcase_add_test(tcase, timer_rests_while_masked);
    return unit_run(suite);
}
