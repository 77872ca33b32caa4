/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PVH domain's machine state as the records of public hvm/save.h: what the
 * toolstack's builder reads and writes, and what it saves and restores.
 * Header, then of each kind in the table below one record a vcpu, then the
 * XSAVE images where there are, then end.  cpu_record.c, vlapic.c and xstate.c
 * make those that are theirs.
 *
 *  1. A record is checked whole before any of it is applied; the first that
 *     is wrong ends the load.  What was loaded before it stays: the toolstack
 *     takes such a domain down.
 *  2. The domain is paused: no vcpu runs.
 *  3. All vcpus have one TSC.  The first record CPU that tells one counts; it
 *     goes on from there.  A builder says 0: then it is the host's.
 *  4. A vcpu that is down has no record CPU, nor CPU_XSAVE, and without one
 *     it stays down.
 */
#include "core/arch.h"
#include "core/wallclock.h"
#include "hvm/msr.h"
#include "hvm/save.h"
#include "hvm/vlapic.h"
#include "hvm/xstate.h"
#include "insn.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/nospec.h"
#include "lib/string.h"

#define MSR_MTRR_CAP 0xfeu
#define MSR_MTRR_VAR 0x200u
#define MSR_MTRR_DEF 0x2ffu
#define MTRR_CAP_COUNT 0xffu

#define XSAVE_MASK_SIZE offsetof(struct hvm_hw_cpu_xsave, xcr0)

union record {
    struct hvm_save_header header;
    struct hvm_hw_cpu cpu;
    struct hvm_hw_lapic lapic;
    struct hvm_hw_lapic_regs lapic_regs;
    struct hvm_hw_mtrr mtrr;
};

/* What there is one of for each vcpu. */
struct kind {
    uint16_t code;
    bool is_of_down;                /* a vcpu that is down has one, too */
    uint32_t size;
    void (*save)(struct vcpu *v, uint64_t host_tsc, union record *r);
    int (*load)(struct vcpu *v, const union record *r);
};

/* ---- kinds ---- */

static void save_cpu(struct vcpu *v, uint64_t host_tsc, union record *r)
{
    cpu_record_save(v, host_tsc, &r->cpu);
}

static int load_cpu(struct vcpu *v, const union record *r)
{
    return cpu_record_load(v, &r->cpu);
}

static void save_lapic(struct vcpu *v, uint64_t host_tsc, union record *r)
{
    (void)host_tsc;
    vlapic_save_base(vlapic_of(v), &r->lapic);
}

static int load_lapic(struct vcpu *v, const union record *r)
{
    return vlapic_load_base(vlapic_of(v), &r->lapic);
}

static void save_lapic_regs(struct vcpu *v, uint64_t host_tsc,
                            union record *r)
{
    (void)host_tsc;
    vlapic_save_regs(vlapic_of(v), &r->lapic_regs);
}

static int load_lapic_regs(struct vcpu *v, const union record *r)
{
    return vlapic_load_regs(vlapic_of(v), &r->lapic_regs);
}

static void save_mtrr(struct vcpu *v, uint64_t host_tsc, union record *r)
{
    struct hvm_hw_mtrr *m = &r->mtrr;
    const struct arch_vcpu *a = v->arch;
    uint64_t cap = 0;

    (void)host_tsc;
    memset(m, 0, sizeof(*m));
    (void)hvm_ops->get_msr(v, MSR_PAT, &m->msr_pat_cr);
    memcpy(m->msr_mtrr_var, a->mtrr_var, sizeof(a->mtrr_var));
    memcpy(m->msr_mtrr_fixed, a->mtrr_fixed, sizeof(a->mtrr_fixed));
    (void)msr_read(v, MSR_MTRR_CAP, &cap);
    m->msr_mtrr_cap = cap;
    m->msr_mtrr_def_type = a->mtrr_def_type;
}

/* The fixed-range ones, in the order of the record. */
static const uint16_t fixed_msr[] = {
    0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e,
    0x26f,
};
_Static_assert(ARRAY_SIZE(fixed_msr)
               == ARRAY_SIZE(((struct hvm_hw_mtrr *)0)->msr_mtrr_fixed),
               "fixed-range MTRRs");

/* msr_write() checks each value; a domain with one wrong never runs. */
static int load_mtrr(struct vcpu *v, const union record *r)
{
    const struct hvm_hw_mtrr *m = &r->mtrr;
    uint64_t cap = 0;
    int rc = msr_read(v, MSR_MTRR_CAP, &cap);

    if (rc != 0
        || (m->msr_mtrr_cap & MTRR_CAP_COUNT) > (cap & MTRR_CAP_COUNT)) {
        return -EINVAL;
    }
    rc = msr_write(v, MSR_MTRR_DEF, m->msr_mtrr_def_type);
    if (rc == 0 && m->msr_pat_cr != 0) {
        rc = msr_write(v, MSR_PAT, m->msr_pat_cr);
    }
    for (unsigned int i = 0; rc == 0 && i < ARRAY_SIZE(fixed_msr); i++) {
        rc = msr_write(v, fixed_msr[i], m->msr_mtrr_fixed[i]);
    }
    for (uint32_t i = 0; rc == 0 && i < ARRAY_SIZE(m->msr_mtrr_var); i++) {
        rc = msr_write(v, MSR_MTRR_VAR + i, m->msr_mtrr_var[i]);
    }
    return rc;
}

/* In the order of their codes, as Xen writes them. */
static const struct kind kinds[] = {
    { HVM_SAVE_CODE(CPU), false, sizeof(struct hvm_hw_cpu),
      save_cpu, load_cpu },
    { HVM_SAVE_CODE(LAPIC), true, sizeof(struct hvm_hw_lapic),
      save_lapic, load_lapic },
    { HVM_SAVE_CODE(LAPIC_REGS), true, sizeof(struct hvm_hw_lapic_regs),
      save_lapic_regs, load_lapic_regs },
    { HVM_SAVE_CODE(MTRR), true, sizeof(struct hvm_hw_mtrr),
      save_mtrr, load_mtrr },
};

static const struct kind *find_kind(uint32_t code)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (kinds[i].code == code) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* ---- writing ---- */

struct writer {
    char *at;
    size_t left;
    int rc;
};

static void put(struct writer *w, const void *data, size_t size)
{
    if (w->left < size) {
        w->rc = -ENOSPC;
        w->left = 0;
        return;
    }
    memcpy(w->at, data, size);
    w->at += size;
    w->left -= size;
}

static void put_descriptor(struct writer *w, uint16_t code,
                           unsigned int instance, uint32_t size)
{
    struct hvm_save_descriptor desc = {
        .typecode = code, .instance = (uint16_t)instance, .length = size,
    };

    put(w, &desc, sizeof(desc));
}

size_t arch_hvm_context_size(const struct domain *d)
{
    size_t size = 2 * sizeof(struct hvm_save_descriptor)
                  + sizeof(struct hvm_save_header);
    size_t xstate;

    for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
        size += (sizeof(struct hvm_save_descriptor) + kinds[i].size)
                * d->max_vcpus;
    }
    (void)arch_xstate_max(&xstate);
    size += (sizeof(struct hvm_save_descriptor) + XSAVE_MASK_SIZE + xstate)
            * d->max_vcpus;
    return size;
}

static void put_kind(struct writer *w, struct domain *d,
                     const struct kind *kind, uint64_t host_tsc)
{
    union record r;

    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (v == NULL || (READ_ONCE(v->is_down) && !kind->is_of_down)) {
            continue;
        }
        kind->save(v, host_tsc, &r);
        put_descriptor(w, kind->code, i, kind->size);
        put(w, &r, kind->size);
    }
}

/* The record CPU_XSAVE is a mask and what arch_xstate_save() writes. */
static void put_xstate(struct writer *w, struct domain *d)
{
    size_t max;
    uint64_t mask = arch_xstate_max(&max);

    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];
        size_t size;

        if (v == NULL || READ_ONCE(v->is_down)) {
            continue;
        }
        size = arch_xstate_size(v);
        put_descriptor(w, CPU_XSAVE_CODE, i,
                       (uint32_t)(XSAVE_MASK_SIZE + size));
        put(w, &mask, sizeof(mask));
        if (w->left < size) {
            w->rc = -ENOSPC;
            w->left = 0;
            return;
        }
        arch_xstate_save(v, w->at);
        w->at += size;
        w->left -= size;
    }
}

int arch_hvm_context_save(struct domain *d, void *buf, size_t size,
                          size_t *used)
{
    struct writer w = { .at = buf, .left = size };
    struct hvm_save_header header = {
        .magic = HVM_FILE_MAGIC, .version = HVM_FILE_VERSION,
        .cpuid = cpuid(1, 0).eax, .gtsc_khz = (uint32_t)arch_tsc_khz(),
    };
    uint64_t host_tsc = rdtsc();

    put_descriptor(&w, HVM_SAVE_CODE(HEADER), 0, sizeof(header));
    put(&w, &header, sizeof(header));
    for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
        put_kind(&w, d, &kinds[i], host_tsc);
    }
    if (xstate_allowed(d) != 0) {
        put_xstate(&w, d);
    }
    put_descriptor(&w, HVM_SAVE_CODE(END), 0, 0);
    *used = (size_t)(w.at - (char *)buf);
    return w.rc;
}

size_t arch_hvm_record_size(uint32_t type)
{
    const struct kind *kind = find_kind(type);

    return kind == NULL ? 0 : kind->size;
}

bool arch_hvm_record_is_of_down(uint32_t type)
{
    const struct kind *kind = find_kind(type);

    return kind != NULL && kind->is_of_down;
}

void arch_hvm_record_save(struct vcpu *v, uint32_t type, void *record)
{
    const struct kind *kind = find_kind(type);

    if (kind != NULL) {
        kind->save(v, rdtsc(), record);
    }
}

/* ---- reading ---- */

struct reader {
    const char *at;
    size_t left;
};

/* The next 'size' bytes: 0 or -ENODATA. */
static int take(struct reader *r, void *to, size_t size)
{
    if (r->left < size) {
        return -ENODATA;
    }
    memcpy(to, r->at, size);
    r->at += size;
    r->left -= size;
    return 0;
}

static int load_header(struct reader *r)
{
    struct hvm_save_descriptor desc;
    struct hvm_save_header header;
    int rc = take(r, &desc, sizeof(desc));

    if (rc != 0) {
        return rc;
    }
    if (desc.typecode != HVM_SAVE_CODE(HEADER)
        || desc.length != sizeof(header)) {
        return -EINVAL;
    }
    rc = take(r, &header, sizeof(header));
    if (rc != 0) {
        return rc;
    }
    return header.magic == HVM_FILE_MAGIC
           && header.version == HVM_FILE_VERSION ? 0 : -EINVAL;
}

static int load_xstate(struct vcpu *v, struct reader *r, size_t length)
{
    int rc;

    if (length < XSAVE_MASK_SIZE) {
        return -EINVAL;
    }
    if (r->left < length) {
        return -ENODATA;
    }
    rc = arch_xstate_load(v, r->at + XSAVE_MASK_SIZE,
                          length - XSAVE_MASK_SIZE);
    r->at += length;
    r->left -= length;
    return rc;
}

static int load_record(struct domain *d, struct reader *r,
                       const struct hvm_save_descriptor *desc,
                       uint64_t *tsc)
{
    const struct kind *kind = find_kind(desc->typecode);
    struct vcpu *v = NULL;
    union record record;
    int rc;

    if (desc->instance < d->max_vcpus) {
        v = d->vcpu[index_nospec(desc->instance, d->max_vcpus)];
    }
    if (desc->typecode == CPU_XSAVE_CODE && v != NULL) {
        return load_xstate(v, r, desc->length);
    }
    if (kind == NULL) {
        return -EOPNOTSUPP;
    }
    if (v == NULL || desc->length != kind->size) {
        return -EINVAL;
    }
    rc = take(r, &record, kind->size);
    if (rc == 0) {
        rc = kind->load(v, &record);
    }
    if (rc == 0 && desc->typecode == HVM_SAVE_CODE(CPU) && *tsc == 0) {
        *tsc = record.cpu.tsc;
    }
    return rc;
}

/* What concerns all vcpus: 'offset' from the host's TSC to theirs. */
static void set_tsc(struct domain *d, uint64_t offset)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (v != NULL) {
            v->arch->tsc_offset = offset;
            hvm_ops->set_tsc_offset(v, offset);
            wallclock_update_vcpu(v);
        }
    }
}

static void start_deadlines(struct domain *d)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] != NULL) {
            vlapic_load_done(vlapic_of(d->vcpu[i]));
        }
    }
}

int arch_hvm_context_load(struct domain *d, const void *buf, size_t size)
{
    struct reader r = { .at = buf, .left = size };
    uint64_t host_tsc = rdtsc(), tsc = 0;
    int rc = load_header(&r);

    while (rc == 0) {
        struct hvm_save_descriptor desc;

        rc = take(&r, &desc, sizeof(desc));
        if (rc == 0 && desc.typecode == HVM_SAVE_CODE(END)) {
            break;
        }
        if (rc == 0) {
            rc = load_record(d, &r, &desc, &tsc);
        }
    }
    if (rc != 0) {
        return rc;
    }
    if (tsc != 0) {
        set_tsc(d, tsc - host_tsc);
    }
    start_deadlines(d);
    return 0;
}
