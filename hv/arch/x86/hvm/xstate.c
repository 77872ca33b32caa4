/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XSAVE state components of guests: which ones a policy allows, what XCR0 may
 * be, how long an image is, whether one from outside can be taken.  The
 * registers themselves are the vendor's half (hvm_ops).
 *
 *  1. Images that leave a vcpu have the standard format: a component's offset
 *     is the CPU's word (CPUID leaf 0xd), the same in all images.
 *  2. What is allowed is a subset of what the host's CPUs switch.
 *  3. An image from outside is checked whole before it is applied; XRSTOR of
 *     one with a wrong header would fault in the hypervisor.
 */
#include "hvm/xstate.h"
#include "core/arch.h"
#include "hvm/cpuid.h"
#include "insn.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/string.h"

#define LEAF 0xdu
#define COMPONENTS 8u               /* of XSTATE_KNOWN */
#define BIT(n) (1u << (n))

/* Leaf 1, ecx. */
#define FMA BIT(12)
#define XSAVE BIT(26)
#define AVX BIT(28)
#define F16C BIT(29)
/* Leaf 7. */
#define EBX_AVX2 BIT(5)
#define EBX_AVX512F BIT(16)
#define EBX_AVX512 (BIT(17) /* dq */ | BIT(21) /* ifma */ \
    | BIT(28) /* cd */ | BIT(30) /* bw */ | BIT(31) /* vl */)
#define ECX_AVX (BIT(9) /* vaes */ | BIT(10) /* vpclmulqdq */)
#define ECX_AVX512 (BIT(1) | BIT(6) /* vbmi */ | BIT(11) /* vnni */ \
    | BIT(12) /* bitalg */ | BIT(14) /* vpopcntdq */)
/* Leaf 0xd, 1, eax. */
#define XSAVEC BIT(1)
#define SUBLEAF1_EAX (BIT(0) /* xsaveopt */ | XSAVEC | BIT(2) /* xgetbv 1 */)
/* Leaf 0xd, a component's, ecx: its place in a packed image is aligned. */
#define IS_ALIGNED BIT(1)
#define ALIGNMENT 64u

/* The host's CPUs: set once at boot. */
static struct {
    uint64_t components;            /* of XSTATE_KNOWN */
    struct place {
        uint32_t size, offset;
        bool is_aligned;
    } place[COMPONENTS];
} host;

void xstate_init(void)
{
    if (!(cpuid(1, 0).ecx & XSAVE)) {
        return;
    }
    host.components = cpuid(LEAF, 0).eax & XSTATE_KNOWN;
    for (unsigned int i = 2; i < COMPONENTS; i++) {
        struct cpuid r = cpuid(LEAF, i);

        host.place[i] = (struct place){ .size = r.eax, .offset = r.ebx,
                                        .is_aligned = r.ecx & IS_ALIGNED };
    }
}

uint64_t xstate_allowed(const struct domain *d)
{
    uint64_t allowed = XSTATE_X87 | XSTATE_SSE;

    if (!cpuid_has(d, 1, 2, 26)) {
        return 0;
    }
    if (cpuid_has(d, 1, 2, 28)) {
        allowed |= XSTATE_YMM;
    }
    if (cpuid_has(d, 7, 1, 16)) {
        allowed |= XSTATE_AVX512;
    }
    return allowed;
}

bool xstate_is_valid(uint64_t xcr0, uint64_t allowed)
{
    uint64_t avx512 = xcr0 & XSTATE_AVX512;

    if ((xcr0 & ~allowed) || !(xcr0 & XSTATE_X87)) {
        return false;
    }
    if ((xcr0 & XSTATE_YMM) && !(xcr0 & XSTATE_SSE)) {
        return false;
    }
    return avx512 == 0 || (avx512 == XSTATE_AVX512 && (xcr0 & XSTATE_YMM));
}

uint32_t xstate_offset(unsigned int component, uint32_t *size)
{
    *size = host.place[component].size;
    return host.place[component].offset;
}

uint32_t xstate_size(uint64_t components)
{
    uint32_t end = XSTATE_MIN_SIZE;

    for (unsigned int i = 2; i < COMPONENTS; i++) {
        if (components >> i & 1) {
            end = max(end, host.place[i].offset + host.place[i].size);
        }
    }
    return end;
}

/* Of an image by XSAVEC. */
static uint32_t packed_size(uint64_t components)
{
    uint32_t end = XSTATE_MIN_SIZE;

    for (unsigned int i = 2; i < COMPONENTS; i++) {
        if (components >> i & 1) {
            if (host.place[i].is_aligned) {
                end = (end + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
            }
            end += host.place[i].size;
        }
    }
    return end;
}

/* -EINVAL, -EOPNOTSUPP and -EIO are for what Xen says so. */
static int check(const struct domain *d, uint64_t xcr0, uint64_t seen,
                 const struct xstate_header *h)
{
    uint64_t allowed = xstate_allowed(d);

    if ((h->in_use & ~seen) || (xcr0 & ~seen)
        || !xstate_is_valid(xcr0, allowed)
        || !xstate_is_valid(seen, allowed)) {
        return -EINVAL;
    }
    if (h->packed != 0) {
        return -EOPNOTSUPP;
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(h->reserved); i++) {
        if (h->reserved[i] != 0) {
            return -EIO;
        }
    }
    return 0;
}

/* ---- a vcpu's record ---- */

/* As public domctl.h has it for vcpuextstate, and save.h after its mask. */
struct record {
    uint64_t xcr0, seen;
    uint8_t legacy[XSTATE_LEGACY_SIZE];
    struct xstate_header header;
};

#define RECORD_HEAD offsetof(struct record, legacy)

uint64_t arch_xstate_max(size_t *size)
{
    *size = RECORD_HEAD + xstate_size(host.components);
    return host.components;
}

size_t arch_xstate_size(const struct vcpu *v)
{
    if (xstate_allowed(v->domain) == 0) {
        return RECORD_HEAD;
    }
    return RECORD_HEAD + xstate_size(v->arch->xcr0_seen);
}

void arch_xstate_save(struct vcpu *v, void *record)
{
    uint64_t head[2] = { v->arch->xcr0, v->arch->xcr0_seen };

    if (xstate_allowed(v->domain) == 0) {
        memset(record, 0, RECORD_HEAD);
        return;
    }
    memcpy(record, head, sizeof(head));
    memset((char *)record + RECORD_HEAD, 0, xstate_size(head[1]));
    hvm_ops->get_xstate(v, head[1], (char *)record + RECORD_HEAD);
}

int arch_xstate_load(struct vcpu *v, const void *record, size_t size)
{
    struct record r;
    int rc;

    if (size < RECORD_HEAD) {
        return -EINVAL;
    }
    memcpy(&r, record, RECORD_HEAD);
    if (size == RECORD_HEAD) {
        return (r.xcr0 | r.seen) == 0 ? 0 : -EINVAL;
    }
    if (size < sizeof(r)) {
        return -EINVAL;
    }
    memcpy(&r, record, sizeof(r));
    rc = check(v->domain, r.xcr0, r.seen, &r.header);
    if (rc != 0) {
        return rc;
    }
    if (size != RECORD_HEAD + xstate_size(r.seen)) {
        return -EINVAL;
    }
    v->arch->xcr0 = r.xcr0;
    v->arch->xcr0_seen = r.seen;
    hvm_ops->set_xstate(v, r.seen, (const char *)record + RECORD_HEAD);
    return 0;
}

/* ---- CPUID ---- */

/* Its first subleaf. */
static xen_cpuid_leaf_t *find(xen_cpuid_leaf_t *leaf, unsigned int count,
                              uint32_t wanted, xen_cpuid_leaf_t *none)
{
    for (unsigned int i = 0; i < count; i++) {
        if (leaf[i].leaf == wanted) {
            return &leaf[i];
        }
    }
    return none;
}

static void tidy_features(xen_cpuid_leaf_t *one, xen_cpuid_leaf_t *seven)
{
    if (!(one->c & XSAVE)) {
        one->c &= ~AVX;
    }
    if (!(one->c & AVX)) {
        one->c &= ~(FMA | F16C);
        seven->b &= ~(EBX_AVX2 | EBX_AVX512F);
        seven->c &= ~ECX_AVX;
    }
    if (!(seven->b & EBX_AVX512F)) {
        seven->b &= ~EBX_AVX512;
        seven->c &= ~ECX_AVX512;
    }
}

static void tidy_subleaf(xen_cpuid_leaf_t *l, uint64_t allowed)
{
    if (l->subleaf == 0) {
        l->a = (uint32_t)allowed;
        l->b = 0;               /* see xstate_cpuid() */
        l->c = allowed == 0 ? 0 : xstate_size(allowed);
        l->d = (uint32_t)(allowed >> 32);
        return;
    }
    l->d = 0;
    if (l->subleaf == 1) {
        l->a &= allowed == 0 ? 0 : SUBLEAF1_EAX;
        l->b = 0;
        l->c = 0;
        return;
    }
    l->c &= IS_ALIGNED;
    if (!(allowed >> l->subleaf & 1)) {
        l->a = 0;
        l->b = 0;
        l->c = 0;
    }
}

void xstate_tidy_policy(xen_cpuid_leaf_t *leaf, unsigned int count)
{
    xen_cpuid_leaf_t none = { 0 };
    xen_cpuid_leaf_t *one = find(leaf, count, 1, &none);
    xen_cpuid_leaf_t *seven = find(leaf, count, 7, &none);
    uint64_t allowed = 0;

    tidy_features(one, seven);
    if (one->c & XSAVE) {
        allowed = XSTATE_X87 | XSTATE_SSE | (one->c & AVX ? XSTATE_YMM : 0)
                  | (seven->b & EBX_AVX512F ? XSTATE_AVX512 : 0);
    }
    for (unsigned int i = 0; i < count; i++) {
        if (leaf[i].leaf == LEAF) {
            tidy_subleaf(&leaf[i], allowed);
        }
    }
}

void xstate_cpuid(uint64_t xcr0, uint32_t subleaf, uint32_t out[4])
{
    if (subleaf == 0 && out[0] != 0) {
        out[1] = xstate_size(xcr0);
    } else if (subleaf == 1 && (out[0] & XSAVEC)) {
        out[1] = packed_size(xcr0);
    }
}
