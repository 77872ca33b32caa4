/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files under test ask of their surroundings: see save_env.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/kmem.h"
#include "core/p2m.h"
#include "core/wallclock.h"
#include "hvm/cpuid.h"
#include "hvm/msr.h"
#include "hvm/pv.h"
#include "insn.h"
#include "save_env.h"
#include "trap.h"

/* The host's CPU: XSAVE with AVX, AVX-512 and PKRU. */
static struct cpuid host_cpuid(uint32_t leaf, uint32_t subleaf)
{
    static const struct cpuid components[] = {
        { .eax = 0x2e7, .ebx = 576, .ecx = 2440 }, { .eax = 7 },
        [2] = { .eax = 256, .ebx = 576 },
        [5] = { .eax = 64, .ebx = 832 },
        [6] = { .eax = 512, .ebx = 896, .ecx = 2 },
        [7] = { .eax = 1024, .ebx = 1408, .ecx = 2 },
        [9] = { .eax = 8, .ebx = SAVE_XSTATE_MAX },
    };

    if (leaf == 1) {
        return (struct cpuid){ .ecx = 1u << 26 };
    }
    return leaf == 0xd && subleaf < 10 ? components[subleaf]
                                       : (struct cpuid){ 0 };
}

#define cpuid(leaf, subleaf) host_cpuid(leaf, subleaf)
#include "hvm/xstate.c"
#undef cpuid

#define PAT_RESET 0x0007040600070406ull

struct domain save_domain;
struct save_vcpu save_machine[SAVE_VCPUS];
uint64_t save_now;
bool save_has_avx;

static struct vcpu vcpus[SAVE_VCPUS], *list[SAVE_VCPUS];
static struct arch_vcpu arch[SAVE_VCPUS];
static struct arch_domain arch_domain;

/* ---- the vendor's half ---- */

static struct save_vcpu *machine_of(const struct vcpu *v)
{
    return &save_machine[v->id];
}

static void get_state(struct vcpu *v, struct hvm_state *s)
{
    *s = machine_of(v)->state;
}

static void set_state(struct vcpu *v, const struct hvm_state *s)
{
    machine_of(v)->state = *s;
}

static void get_paging(struct vcpu *v, struct hvm_paging *p)
{
    const struct hvm_state *s = &machine_of(v)->state;

    *p = (struct hvm_paging){ .cr0 = s->cr0, .cr3 = s->cr3, .cr4 = s->cr4,
                              .efer = s->efer };
}

static int get_msr(struct vcpu *v, uint32_t index, uint64_t *value)
{
    if (index != MSR_PAT) {
        return -EINVAL;
    }
    *value = machine_of(v)->state.pat;
    return 0;
}

static int set_msr(struct vcpu *v, uint32_t index, uint64_t value)
{
    if (index != MSR_PAT) {
        return -EINVAL;
    }
    machine_of(v)->state.pat = value;
    return 0;
}

static void set_tsc_offset(struct vcpu *v, uint64_t offset)
{
    machine_of(v)->tsc_offset = offset;
}

static void get_fpu(struct vcpu *v, void *image)
{
    memcpy(image, machine_of(v)->fpu, sizeof(machine_of(v)->fpu));
}

static void set_fpu(struct vcpu *v, const void *image)
{
    memcpy(machine_of(v)->fpu, image, sizeof(machine_of(v)->fpu));
}

static void get_xstate(struct vcpu *v, uint64_t components, void *image)
{
    memcpy(image, machine_of(v)->xstate, xstate_size(components));
}

static void set_xstate(struct vcpu *v, uint64_t components,
                       const void *image)
{
    memcpy(machine_of(v)->xstate, image, xstate_size(components));
    machine_of(v)->xstate_components = components;
}

static const struct hvm_ops ops = {
    .name = "memory",
    .get_state = get_state,
    .set_state = set_state,
    .get_paging = get_paging,
    .get_msr = get_msr,
    .set_msr = set_msr,
    .set_tsc_offset = set_tsc_offset,
    .get_fpu = get_fpu,
    .set_fpu = set_fpu,
    .get_xstate = get_xstate,
    .set_xstate = set_xstate,
};

const struct hvm_ops *hvm_ops = &ops;

/* ---- the rest ---- */

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
    t->expires = 0;
}

void timer_set(struct timer *t, uint64_t expires)
{
    t->expires = expires;
}

void timer_stop(struct timer *t)
{
    t->expires = 0;
}

bool timer_is_armed(const struct timer *t)
{
    return t->expires != 0;
}

uint64_t save_armed(unsigned int vcpu)
{
    return arch[vcpu].vlapic->timer.expires;
}

uint64_t arch_time_now(void)
{
    return save_now;
}

uint64_t arch_tsc_khz(void)
{
    return SAVE_TSC_KHZ;
}

uint64_t hvm_guest_tsc(struct vcpu *v)
{
    return rdtsc() + v->arch->tsc_offset;
}

void hvm_kick(struct vcpu *v)
{
    (void)v;
}

void hvm_set_nmi(struct vcpu *v)
{
    v->arch->nmi_pending = true;
}

void vlapic_host_eoi(struct vcpu *v, unsigned int vector)
{
    (void)v;
    (void)vector;
}

int vcpu_up(struct vcpu *v)
{
    v->is_down = false;
    return v->is_initialised ? 0 : -EINVAL;
}

void vcpu_down(struct vcpu *v)
{
    v->is_down = true;
}

void wallclock_update_vcpu(struct vcpu *v)
{
    machine_of(v)->records_of_time++;
}

bool cpuid_has(const struct domain *d, uint32_t leaf, unsigned int reg,
               unsigned int bit)
{
    (void)d;
    if (leaf == 1 && reg == 2 && (bit == 26 || bit == 28)) {
        return save_has_avx;
    }
    return (leaf == 1 && reg == 2 && bit == 17)         /* PCID */
           || (leaf == 7 && reg == 1 && bit == 7)       /* SMEP */
           || (leaf == 0x80000001 && reg == 3 && bit == 20); /* NX */
}

void cpuid_read(struct vcpu *v, uint32_t leaf, uint32_t subleaf,
                uint32_t out[4])
{
    (void)v;
    (void)subleaf;
    memset(out, 0, 4 * sizeof(*out));
    if (leaf == 0x80000008) {
        out[0] = 0x3028;
    }
}

int p2m_write(struct domain *d, uint64_t gpa, const void *src, size_t size)
{
    (void)d;
    (void)gpa;
    (void)src;
    (void)size;
    return -EFAULT;
}

int trap_wrmsr(uint32_t msr, uint64_t value)
{
    (void)msr;
    (void)value;
    return -1;
}

void pv_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    (void)v;
    (void)c;
    abort();
}

int pv_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    (void)v;
    (void)c;
    abort();
}

/* ---- the domain ---- */

static void reset(struct vcpu *v)
{
    struct hvm_state *s = &machine_of(v)->state;

    s->cr0 = 0x60000010;
    s->dr6 = 0xffff0ff0;
    s->dr7 = 0x400;
    s->pat = PAT_RESET;
    v->arch->regs.rflags = 2;
    v->arch->xcr0 = XSTATE_X87;
    v->arch->xcr0_seen = XSTATE_X87 | XSTATE_SSE;
}

static void enter_long_mode(struct vcpu *v)
{
    struct hvm_state *s = &machine_of(v)->state;

    for (unsigned int i = 0; i < HVM_SEGMENT_COUNT; i++) {
        s->segment[i] = (struct hvm_segment){
            .selector = (uint16_t)(i * 8), .attr = (uint16_t)(0xc90 + i),
            .limit = 0x1000 + i, .base = 0x100000 * i,
        };
    }
    s->segment[HVM_CS].attr = 0xa9b;
    s->cr0 = 0x80050033;
    s->cr3 = 0x12345000;
    s->cr4 = 0x6a0;
    s->efer = 0xd01;
    v->arch->regs.rip = 0x1000;
    v->is_initialised = true;
    v->is_down = false;
}

void save_env_start(void)
{
    memset(save_machine, 0, sizeof(save_machine));
    memset(arch, 0, sizeof(arch));
    memset(vcpus, 0, sizeof(vcpus));
    memset(&save_domain, 0, sizeof(save_domain));
    save_now = 5000000000ull;
    save_has_avx = false;
    xstate_init();
    save_domain.id = 1;
    save_domain.arch = &arch_domain;
    save_domain.vcpu = list;
    save_domain.max_vcpus = SAVE_VCPUS;
    for (unsigned int i = 0; i < SAVE_VCPUS; i++) {
        list[i] = &vcpus[i];
        vcpus[i].id = i;
        vcpus[i].domain = &save_domain;
        vcpus[i].arch = &arch[i];
        vcpus[i].is_down = true;
        if (vlapic_create(&vcpus[i]) != 0) {
            abort();
        }
        msr_vcpu_reset(&vcpus[i]);
        reset(&vcpus[i]);
    }
    enter_long_mode(&vcpus[0]);
}

void save_env_end(void)
{
    for (unsigned int i = 0; i < SAVE_VCPUS; i++) {
        vlapic_destroy(&vcpus[i]);
    }
}

bool save_can_run(unsigned int vcpu)
{
    const struct hvm_state *s = &save_machine[vcpu].state;
    bool pages = s->cr0 >> 31 & 1, is_long = s->efer >> 8 & 1;

    return (s->cr0 >> 32) == 0 && (s->cr0 >> 29 & 3) != 1
           && (!pages || (s->cr0 & 1)) && (s->cr4 & ~0x1207ffull) == 0
           && (s->efer & ~0xd01ull) == 0
           && (s->efer >> 10 & 1) == (pages && is_long)
           && (!pages || !is_long || (s->cr4 & 0x20))
           && s->cr3 >> 40 == 0 && s->dr6 >> 32 == 0 && s->dr7 >> 32 == 0
           && (s->event == 0
               || ((s->event & 0x7ffff000) == 0 && s->event >> 31 == 1
                   && (s->event >> 8 & 7) != 1 && (s->event >> 8 & 7) < 4))
           && arch[vcpu].tsc_aux <= UINT32_MAX;
}
