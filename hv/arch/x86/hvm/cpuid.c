/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUID for guests.  A policy is a sorted list of leaves per domain: the
 * host's, with all masked that a guest cannot use; the toolstack may replace
 * it before the first entry.  What depends on the vcpu (APIC ids, the
 * hypervisor's leaves) is laid over it at each read.
 *
 *  1. A guest never sees a feature that the filter below does not name, nor
 *     one without those that it is built on (xstate.c).
 *  2. APIC ids are vlapic_id_of(): the toolstack's MADT says the same.
 */
#include "core/arch.h"
#include "core/kmem.h"
#include "hvm/cpuid.h"
#include "hvm/vlapic.h"
#include "hvm/xstate.h"
#include "insn.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/string.h"

#include <xen/arch-x86/cpuid.h>

#define EXTENDED 0x80000000u
#define BASIC_MAX 0xdu
#define EXTENDED_MAX 0x80000008u
#define NO_SUBLEAF XEN_CPUID_NO_SUBLEAF

#define XEN_VERSION 0x00040011u     /* 4.17 */

#define BIT(n) (1u << (n))

/* Leaf 1: what stays. */
#define LEAF1_ECX (BIT(0) /* sse3 */ | BIT(1) /* pclmul */ \
    | BIT(9) /* ssse3 */ | BIT(12) /* fma */ | BIT(13) /* cx16 */ \
    | BIT(17) /* pcid */ | BIT(19) | BIT(20) /* sse4 */ \
    | BIT(22) /* movbe */ | BIT(23) /* popcnt */ | BIT(25) /* aes */ \
    | BIT(26) /* xsave */ | BIT(28) /* avx */ | BIT(29) /* f16c */ \
    | BIT(30) /* rdrand */)
#define LEAF1_ECX_ALWAYS (BIT(21) /* x2apic */ | BIT(31) /* hypervisor */)
#define LEAF1_EDX (0x07ffffffu & ~(BIT(10) | BIT(18) /* psn */ \
    | BIT(20) | BIT(21) /* ds */ | BIT(22) /* acpi */))
/* Leaf 7. */
#define LEAF7_EBX_AVX512 (BIT(16) /* f */ | BIT(17) /* dq */ \
    | BIT(21) /* ifma */ | BIT(28) /* cd */ | BIT(30) /* bw */ \
    | BIT(31) /* vl */)
#define LEAF7_ECX_VECTOR (BIT(1) | BIT(6) /* vbmi */ | BIT(9) /* vaes */ \
    | BIT(10) /* vpclmulqdq */ | BIT(11) /* vnni */ | BIT(12) /* bitalg */ \
    | BIT(14) /* vpopcntdq */)
#define LEAF7_EBX (BIT(0) /* fsgsbase */ | BIT(3) /* bmi1 */ \
    | BIT(5) /* avx2 */ | BIT(7) /* smep */ | BIT(8) /* bmi2 */ \
    | BIT(9) /* erms */ | BIT(10) /* invpcid */ | BIT(18) /* rdseed */ \
    | BIT(19) /* adx */ | BIT(20) /* smap */ | BIT(23) /* clflushopt */ \
    | BIT(24) /* clwb */ | BIT(29) /* sha */ | LEAF7_EBX_AVX512)
#define LEAF7_ECX (BIT(2) /* umip */ | BIT(8) /* gfni */ \
    | BIT(22) /* rdpid */ | LEAF7_ECX_VECTOR)
/* Leaf 0x80000001. */
#define EXT1_ECX (BIT(0) /* lahf */ | BIT(4) /* cr8 */ | BIT(5) /* lzcnt */ \
    | BIT(6) /* sse4a */ | BIT(7) /* misalignsse */ | BIT(8) /* prefetchw */)
#define EXT1_EDX (0x0183f3ffu /* as leaf 1 */ | BIT(11) /* syscall */ \
    | BIT(20) /* nx */ | BIT(22) /* mmxext */ | BIT(25) /* ffxsr */ \
    | BIT(26) /* 1g pages */ | BIT(27) /* rdtscp */ | BIT(29) /* lm */ \
    | BIT(30) | BIT(31) /* 3dnow */)
#define EXT7_EDX BIT(8)             /* invariant tsc */
#define EXT8_EBX (BIT(0) /* clzero */ | BIT(12) /* ibpb */)

/* ---- building ---- */

static void add(xen_cpuid_leaf_t *out, unsigned int *count, uint32_t leaf,
                uint32_t subleaf, struct cpuid r)
{
    if (*count < CPU_POLICY_MAX_LEAVES) {
        out[(*count)++] = (xen_cpuid_leaf_t){
            .leaf = leaf, .subleaf = subleaf,
            .a = r.eax, .b = r.ebx, .c = r.ecx, .d = r.edx,
        };
    }
}

static struct cpuid filter_basic(uint32_t leaf, struct cpuid r)
{
    switch (leaf) {
    case 0:
        r.eax = min(r.eax, BASIC_MAX);
        return r;
    case 1:
        r.ebx = (r.ebx & 0xff00) | 1u << 16;
        r.ecx = (r.ecx & LEAF1_ECX) | LEAF1_ECX_ALWAYS;
        r.edx = (r.edx & LEAF1_EDX) | BIT(9) /* apic */;
        return r;
    case 2:
    case 0xd:                   /* see xstate_tidy_policy() */
        return r;
    case 7:
        r.eax = 0;
        r.ebx &= LEAF7_EBX;
        r.ecx &= LEAF7_ECX;
        r.edx = 0;
        return r;
    default:
        return (struct cpuid){ 0 };
    }
}

/* What only a guest with its own paging and interrupts has. */
#define PV_HIDDEN_EDX (BIT(1) /* vme */ | BIT(3) /* pse */ \
    | BIT(12) /* mtrr */ | BIT(13) /* pge */ | BIT(17) /* pse36 */)
#define PV_HIDDEN_ECX (BIT(3) /* monitor */ | BIT(17) /* pcid */ \
    | BIT(21) /* x2apic */)
#define PV_HIDDEN_LEAF7 (BIT(7) /* smep */ | BIT(10) /* invpcid */ \
    | BIT(20) /* smap */)

static struct cpuid filter_pv(uint32_t leaf, struct cpuid r)
{
    switch (leaf) {
    case 1:
        r.ecx &= ~PV_HIDDEN_ECX;
        r.edx &= ~PV_HIDDEN_EDX;
        return r;
    case 7:
        r.ebx &= ~PV_HIDDEN_LEAF7;
        r.ecx &= ~BIT(2) /* umip */;
        return r;
    case 0x80000001:
        r.ecx &= ~BIT(4) /* cr8 */;
        r.edx &= ~(PV_HIDDEN_EDX | BIT(26) /* 1g pages */);
        return r;
    default:
        return r;
    }
}

static struct cpuid filter_extended(uint32_t leaf, struct cpuid r)
{
    switch (leaf) {
    case 0x80000000:
        r.eax = min(r.eax, EXTENDED_MAX);
        return r;
    case 0x80000001:
        r.ecx &= EXT1_ECX;
        r.edx &= EXT1_EDX;
        return r;
    case 0x80000007:
        return (struct cpuid){ .edx = r.edx & EXT7_EDX };
    case 0x80000008:
        return (struct cpuid){ .eax = r.eax & 0xffff,
                               .ebx = r.ebx & EXT8_EBX };
    default:
        return r;               /* brand string, caches */
    }
}

static bool is_pv_kind(enum cpu_policy_kind kind)
{
    return kind == CPU_POLICY_PV_MAX || kind == CPU_POLICY_PV_DEFAULT;
}

static struct cpuid filter(enum cpu_policy_kind kind, uint32_t leaf,
                           struct cpuid r)
{
    if (kind == CPU_POLICY_HOST) {
        return r;
    }
    r = leaf < EXTENDED ? filter_basic(leaf, r) : filter_extended(leaf, r);
    return is_pv_kind(kind) ? filter_pv(leaf, r) : r;
}

/* Of leaf 0xd: subleaf 1, and one for each component that there is. */
static void add_xstate(xen_cpuid_leaf_t *out, unsigned int *count,
                       uint32_t components)
{
    add(out, count, 0xd, 1, cpuid(0xd, 1));
    for (uint32_t i = 2; (XSTATE_KNOWN & components) >> i != 0; i++) {
        if ((XSTATE_KNOWN & components) >> i & 1) {
            add(out, count, 0xd, i, cpuid(0xd, i));
        }
    }
}

/*
 * The host's own leaves, or, for a guest, filtered.  libxl writes a policy
 * that it read back into a buffer of the same size, so every leaf that it
 * knows must be here, the empty ones and the hypervisor's too.
 */
static unsigned int build(xen_cpuid_leaf_t *out, enum cpu_policy_kind kind)
{
    const struct cpuid none = { 0 };
    uint32_t max_basic = min(cpuid(0, 0).eax, BASIC_MAX);
    uint32_t max_ext = min(cpuid(EXTENDED, 0).eax, EXTENDED_MAX);
    unsigned int count = 0;

    for (uint32_t leaf = 0; leaf <= max_basic; leaf++) {
        struct cpuid r = cpuid(leaf, 0);
        bool has_sub = leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd;

        add(out, &count, leaf, has_sub ? 0 : NO_SUBLEAF,
            filter(kind, leaf, r));
        if (leaf == 0xd) {
            add_xstate(out, &count, r.eax);
        }
    }
    /* What the toolstack limits these leaves to: not at all. */
    add(out, &count, XEN_CPUID_FIRST_LEAF, NO_SUBLEAF, none);
    add(out, &count, XEN_CPUID_FIRST_LEAF + 0x100, NO_SUBLEAF, none);
    for (uint32_t leaf = EXTENDED; leaf <= max_ext; leaf++) {
        struct cpuid r = cpuid(leaf, 0);

        add(out, &count, leaf, NO_SUBLEAF,
            filter(kind, leaf, r));
    }
    if (kind != CPU_POLICY_HOST) {
        xstate_tidy_policy(out, count);
    }
    return count;
}

unsigned int arch_cpu_policy(enum cpu_policy_kind kind,
                             xen_cpuid_leaf_t *out)
{
    return build(out, kind);
}

unsigned int arch_domain_cpu_policy(struct domain *d, xen_cpuid_leaf_t *out)
{
    const struct cpuid_policy *policy = d->arch->policy;

    memcpy(out, policy->leaf, policy->count * sizeof(*out));
    return policy->count;
}

/* ---- a domain's policy ---- */

static xen_cpuid_leaf_t *find(struct cpuid_policy *policy, uint32_t leaf,
                              uint32_t subleaf)
{
    for (unsigned int i = 0; i < policy->count; i++) {
        xen_cpuid_leaf_t *l = &policy->leaf[i];

        if (l->leaf == leaf
            && (l->subleaf == NO_SUBLEAF || l->subleaf == subleaf)) {
            return l;
        }
    }
    return NULL;
}

bool cpuid_has(const struct domain *d, uint32_t leaf, unsigned int reg,
               unsigned int bit)
{
    const xen_cpuid_leaf_t *l = find(d->arch->policy, leaf, 0);
    const uint32_t regs[4] = { l == NULL ? 0 : l->a, l == NULL ? 0 : l->b,
                               l == NULL ? 0 : l->c, l == NULL ? 0 : l->d };

    return (regs[reg & 3] >> bit) & 1;
}

/* Takes features away from 'have' that 'want' lacks, never the reverse. */
static void restrict_leaf(xen_cpuid_leaf_t *have,
                          const xen_cpuid_leaf_t *want, bool pv)
{
    switch (have->leaf) {
    case 1:
        have->a = want->a;
        have->b = want->b;
        have->c &= want->c | BIT(31) | (pv ? 0 : LEAF1_ECX_ALWAYS);
        /* HTT only tells how ebx is read. */
        have->d &= want->d | BIT(9);
        have->d |= want->d & BIT(28);
        return;
    case 7:
        have->b &= want->b;
        have->c &= want->c;
        return;
    case 0xd:
        have->a &= have->subleaf == 1 ? want->a : UINT32_MAX;
        return;
    case 0x80000001:
        have->a = want->a;
        have->c &= want->c;
        have->c |= want->c & BIT(1) /* cmp_legacy */;
        have->d &= want->d;
        return;
    case 0x80000007:
        have->d &= want->d;
        return;
    case 0x80000008:
        if ((want->a & 0xff) >= 32
            && (want->a & 0xff) < (have->a & 0xff)) {
            have->a = (have->a & ~0xffu) | (want->a & 0xff);
        }
        have->b &= want->b;
        have->c = want->c & 0xf0ff;
        return;
    case 0x80000002 ... 0x80000004:
        *have = *want;
        return;
    default:
        return;
    }
}

int arch_domain_set_cpu_policy(struct domain *d, const xen_cpuid_leaf_t *leaf,
                               unsigned int count)
{
    struct cpuid_policy *policy = d->arch->policy;

    if (count > CPU_POLICY_MAX_LEAVES) {
        return -EINVAL;
    }
    for (unsigned int i = 0; i < count; i++) {
        xen_cpuid_leaf_t *have = find(policy, leaf[i].leaf, leaf[i].subleaf);

        if (have != NULL && (have->subleaf == leaf[i].subleaf)) {
            restrict_leaf(have, &leaf[i], d->is_pv);
        }
    }
    xstate_tidy_policy(policy->leaf, policy->count);
    return 0;
}

int cpuid_domain_create(struct domain *d)
{
    struct cpuid_policy *policy = kmem_alloc(sizeof(*policy));

    if (policy == NULL) {
        return -ENOMEM;
    }
    policy->count = build(policy->leaf, d->is_pv ? CPU_POLICY_PV_DEFAULT
                                                 : CPU_POLICY_HVM_DEFAULT);
    d->arch->policy = policy;
    return 0;
}

void cpuid_domain_destroy(struct domain *d)
{
    kmem_free(d->arch->policy);
    d->arch->policy = NULL;
}

/* ---- reading ---- */

static void read_time(struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    struct vcpu_time_info t = { 0 };

    switch (subleaf) {
    case 0:
        out[0] = cpuid_has(v->domain, 0x80000007, 3, 8) ? 2 : 0;
        out[0] |= cpuid_has(v->domain, 0x80000001, 3, 27) ? 4 : 0;
        out[1] = 2;             /* never emulated */
        out[2] = (uint32_t)arch_tsc_khz();
        return;
    case 1:
        arch_time_info(v, &t);
        out[0] = (uint32_t)v->arch->tsc_offset;
        out[1] = (uint32_t)(v->arch->tsc_offset >> 32);
        out[2] = t.tsc_to_system_mul;
        out[3] = (uint8_t)t.tsc_shift;
        return;
    case 2:
        out[0] = (uint32_t)arch_tsc_khz();
        return;
    default:
        return;
    }
}

/* The leaves at 0x40000000: public cpuid.h. */
static void read_hypervisor(struct vcpu *v, uint32_t leaf, uint32_t subleaf,
                            uint32_t out[4])
{
    switch (leaf) {
    case 0:
        out[0] = XEN_CPUID_LEAF(4);
        out[1] = XEN_CPUID_SIGNATURE_EBX;
        out[2] = XEN_CPUID_SIGNATURE_ECX;
        out[3] = XEN_CPUID_SIGNATURE_EDX;
        return;
    case 1:
        out[0] = XEN_VERSION;
        return;
    case 2:
        out[0] = 1;
        out[1] = CPUID_HYPERCALL_MSR;
        return;
    case 3:
        read_time(v, subleaf, out);
        return;
    case 4:
        if (subleaf == 0) {
            /*
             * Without XEN_HVM_CPUID_UPCALL_VECTOR kernels take the domain's
             * callback vector, which needs no EOI: an exit less an event.
             */
            out[0] = XEN_HVM_CPUID_X2APIC_VIRT | XEN_HVM_CPUID_VCPU_ID_PRESENT
                     | XEN_HVM_CPUID_DOMID_PRESENT;
            out[1] = v->id;
            out[2] = v->domain->id;
        }
        return;
    default:
        return;
    }
}

static bool has_osxsave(struct vcpu *v)
{
    struct hvm_paging p;

    hvm_ops->get_paging(v, &p);
    return (p.cr4 & CR4_OSXSAVE) && cpuid_has(v->domain, 1, 2, 26);
}

void cpuid_read(struct vcpu *v, uint32_t leaf, uint32_t subleaf,
                uint32_t out[4])
{
    const xen_cpuid_leaf_t *l;

    memset(out, 0, 4 * sizeof(*out));
    if (leaf - XEN_CPUID_FIRST_LEAF < 0x100) {
        read_hypervisor(v, leaf - XEN_CPUID_FIRST_LEAF, subleaf, out);
        return;
    }
    l = find(v->domain->arch->policy, leaf, subleaf);
    if (l == NULL) {
        return;
    }
    out[0] = l->a;
    out[1] = l->b;
    out[2] = l->c;
    out[3] = l->d;
    if (leaf == 1) {
        out[1] = (out[1] & 0x00ffffff) | vlapic_id_of(v->id) << 24;
        if (!(v->arch->vlapic->base_msr & BIT(11))) {
            out[3] &= ~BIT(9);
        }
        out[2] |= has_osxsave(v) ? BIT(27) : 0;
    } else if (leaf == 0xd) {
        xstate_cpuid(v->arch->xcr0, subleaf, out);
    } else if (leaf == 0xb) {
        out[2] = subleaf & 0xff;
        out[3] = vlapic_id_of(v->id);
    } else if (leaf == 0x80000001
               && !(v->arch->vlapic->base_msr & BIT(11))) {
        out[3] &= ~BIT(9);
    }
}
