/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain's registers as the records of public hvm/save.h: what the
 * toolstack's domain builder reads and writes.  Records: header, then per vcpu
 * CPU and MTRR, then end.  Also the vcpu contexts of DOMCTL_get/
 * setvcpucontext as far as they mean something for PVH.
 *
 *  1. A record is checked whole before any of it is applied.
 *  2. The domain is paused: no vcpu runs.
 */
#include "core/arch.h"
#include "hvm/hvm.h"
#include "hvm/msr.h"
#include "hvm/pv.h"
#include "insn.h"
#include "lib/errno.h"
#include "lib/nospec.h"
#include "lib/string.h"

#define CR0_ALLOWED 0xe005003full
#define CR4_ALLOWED 0x00370fffull   /* up to SMAP, without VMXE, LA57, PKE */
#define EFER_ALLOWED 0x4d01ull
#define RFLAGS_ALLOWED 0x3f7fd7ull
#define ATTR_ALLOWED 0xfffu

struct writer {
    char *at, *end;                 /* NULL: only count */
    size_t used;
    int rc;
};

/* ---- writing ---- */

static void put(struct writer *w, const void *data, size_t size)
{
    if (w->at != NULL) {
        if ((size_t)(w->end - w->at) < size) {
            w->rc = -ENOSPC;
            return;
        }
        memcpy(w->at, data, size);
        w->at += size;
    }
    w->used += size;
}

static void put_record(struct writer *w, uint16_t code, unsigned int instance,
                       const void *data, size_t size)
{
    struct hvm_save_descriptor desc = {
        .typecode = code, .instance = (uint16_t)instance,
        .length = (uint32_t)size,
    };

    put(w, &desc, sizeof(desc));
    put(w, data, size);
}

#define SEGMENT_OUT(c, s, name, index)                                  \
    ((c)->name##_sel = (s)->segment[index].selector,                    \
     (c)->name##_limit = (s)->segment[index].limit,                     \
     (c)->name##_base = (s)->segment[index].base,                       \
     (c)->name##_arbytes = (s)->segment[index].attr)

static void segments_out(struct hvm_hw_cpu *c, const struct hvm_state *s)
{
    SEGMENT_OUT(c, s, cs, HVM_CS);
    SEGMENT_OUT(c, s, ds, HVM_DS);
    SEGMENT_OUT(c, s, es, HVM_ES);
    SEGMENT_OUT(c, s, fs, HVM_FS);
    SEGMENT_OUT(c, s, gs, HVM_GS);
    SEGMENT_OUT(c, s, ss, HVM_SS);
    SEGMENT_OUT(c, s, tr, HVM_TR);
    SEGMENT_OUT(c, s, ldtr, HVM_LDTR);
    c->idtr_base = s->segment[HVM_IDTR].base;
    c->idtr_limit = s->segment[HVM_IDTR].limit;
    c->gdtr_base = s->segment[HVM_GDTR].base;
    c->gdtr_limit = s->segment[HVM_GDTR].limit;
}

static void registers_out(struct hvm_hw_cpu *c, const struct hvm_regs *r)
{
    c->rax = r->gpr[HVM_RAX];
    c->rbx = r->gpr[HVM_RBX];
    c->rcx = r->gpr[HVM_RCX];
    c->rdx = r->gpr[HVM_RDX];
    c->rbp = r->gpr[HVM_RBP];
    c->rsi = r->gpr[HVM_RSI];
    c->rdi = r->gpr[HVM_RDI];
    c->rsp = r->gpr[HVM_RSP];
    c->r8 = r->gpr[HVM_R8];
    c->r9 = r->gpr[HVM_R9];
    c->r10 = r->gpr[HVM_R10];
    c->r11 = r->gpr[HVM_R11];
    c->r12 = r->gpr[HVM_R12];
    c->r13 = r->gpr[HVM_R13];
    c->r14 = r->gpr[HVM_R14];
    c->r15 = r->gpr[HVM_R15];
    c->rip = r->rip;
    c->rflags = r->rflags;
}

static void save_cpu(struct vcpu *v, struct hvm_hw_cpu *c)
{
    struct hvm_state s;

    memset(c, 0, sizeof(*c));
    hvm_ops->get_state(v, &s);
    hvm_ops->get_fpu(v, c->fpu_regs);
    c->flags = XEN_X86_FPU_INITIALISED;
    registers_out(c, &v->arch->regs);
    segments_out(c, &s);
    c->cr0 = s.cr0;
    c->cr2 = s.cr2;
    c->cr3 = s.cr3;
    c->cr4 = s.cr4;
    c->dr0 = v->arch->dr[0];
    c->dr1 = v->arch->dr[1];
    c->dr2 = v->arch->dr[2];
    c->dr3 = v->arch->dr[3];
    c->dr6 = s.dr6;
    c->dr7 = s.dr7;
    c->sysenter_cs = s.sysenter_cs;
    c->sysenter_esp = s.sysenter_esp;
    c->sysenter_eip = s.sysenter_eip;
    c->shadow_gs = s.kernel_gs_base;
    c->msr_lstar = s.lstar;
    c->msr_star = s.star;
    c->msr_cstar = s.cstar;
    c->msr_syscall_mask = s.sfmask;
    c->msr_efer = s.efer;
    c->msr_tsc_aux = v->arch->tsc_aux;
    c->tsc = rdtsc() + v->arch->tsc_offset;
}

static void save_mtrr(struct vcpu *v, struct hvm_hw_mtrr *m)
{
    const struct arch_vcpu *a = v->arch;
    uint64_t cap = 0;

    memset(m, 0, sizeof(*m));
    (void)hvm_ops->get_msr(v, MSR_PAT, &m->msr_pat_cr);
    memcpy(m->msr_mtrr_var, a->mtrr_var, sizeof(a->mtrr_var));
    memcpy(m->msr_mtrr_fixed, a->mtrr_fixed, sizeof(a->mtrr_fixed));
    (void)msr_read(v, 0xfe, &cap);
    m->msr_mtrr_cap = cap;
    m->msr_mtrr_def_type = a->mtrr_def_type;
}

int arch_hvm_context_save(struct domain *d, void *buf, size_t size,
                          size_t *used)
{
    struct writer w = { .at = buf, .end = (char *)buf + size };
    struct hvm_save_header header = {
        .magic = HVM_FILE_MAGIC, .version = HVM_FILE_VERSION,
        .cpuid = cpuid(1, 0).eax, .gtsc_khz = (uint32_t)arch_tsc_khz(),
    };

    put_record(&w, HVM_SAVE_CODE(HEADER), 0, &header, sizeof(header));
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct hvm_hw_cpu cpu;
        struct hvm_hw_mtrr mtrr;

        if (d->vcpu[i] == NULL) {
            continue;
        }
        save_cpu(d->vcpu[i], &cpu);
        put_record(&w, HVM_SAVE_CODE(CPU), i, &cpu, sizeof(cpu));
        save_mtrr(d->vcpu[i], &mtrr);
        put_record(&w, HVM_SAVE_CODE(MTRR), i, &mtrr, sizeof(mtrr));
    }
    put_record(&w, HVM_SAVE_CODE(END), 0, NULL, 0);
    *used = w.used;
    return w.rc;
}

size_t arch_hvm_record_size(uint32_t type)
{
    switch (type) {
    case HVM_SAVE_CODE(CPU):
        return sizeof(struct hvm_hw_cpu);
    case HVM_SAVE_CODE(MTRR):
        return sizeof(struct hvm_hw_mtrr);
    default:
        return 0;
    }
}

void arch_hvm_record_save(struct vcpu *v, uint32_t type, void *record)
{
    if (type == HVM_SAVE_CODE(CPU)) {
        save_cpu(v, record);
    } else {
        save_mtrr(v, record);
    }
}

/* ---- reading ---- */

#define SEGMENT_IN(c, s, name, index)                                   \
    ((s)->segment[index] = (struct hvm_segment){                        \
        .selector = (uint16_t)(c)->name##_sel,                          \
        .attr = (uint16_t)((c)->name##_arbytes & ATTR_ALLOWED),         \
        .limit = (c)->name##_limit, .base = (c)->name##_base })

static void segments_in(const struct hvm_hw_cpu *c, struct hvm_state *s)
{
    SEGMENT_IN(c, s, cs, HVM_CS);
    SEGMENT_IN(c, s, ds, HVM_DS);
    SEGMENT_IN(c, s, es, HVM_ES);
    SEGMENT_IN(c, s, fs, HVM_FS);
    SEGMENT_IN(c, s, gs, HVM_GS);
    SEGMENT_IN(c, s, ss, HVM_SS);
    SEGMENT_IN(c, s, tr, HVM_TR);
    SEGMENT_IN(c, s, ldtr, HVM_LDTR);
    s->segment[HVM_IDTR].base = c->idtr_base;
    s->segment[HVM_IDTR].limit = c->idtr_limit;
    s->segment[HVM_GDTR].base = c->gdtr_base;
    s->segment[HVM_GDTR].limit = c->gdtr_limit;
}

static void registers_in(const struct hvm_hw_cpu *c, struct hvm_regs *r)
{
    r->gpr[HVM_RAX] = c->rax;
    r->gpr[HVM_RBX] = c->rbx;
    r->gpr[HVM_RCX] = c->rcx;
    r->gpr[HVM_RDX] = c->rdx;
    r->gpr[HVM_RBP] = c->rbp;
    r->gpr[HVM_RSI] = c->rsi;
    r->gpr[HVM_RDI] = c->rdi;
    r->gpr[HVM_RSP] = c->rsp;
    r->gpr[HVM_R8] = c->r8;
    r->gpr[HVM_R9] = c->r9;
    r->gpr[HVM_R10] = c->r10;
    r->gpr[HVM_R11] = c->r11;
    r->gpr[HVM_R12] = c->r12;
    r->gpr[HVM_R13] = c->r13;
    r->gpr[HVM_R14] = c->r14;
    r->gpr[HVM_R15] = c->r15;
    r->rip = c->rip;
    r->rflags = (c->rflags & RFLAGS_ALLOWED) | 2;
}

static bool is_cpu_valid(const struct hvm_hw_cpu *c)
{
    bool paging = (c->cr0 >> 31) & 1;

    if ((c->cr0 & ~CR0_ALLOWED) != 0 || (c->cr4 & ~CR4_ALLOWED) != 0
        || (c->msr_efer & ~EFER_ALLOWED) != 0) {
        return false;
    }
    /* Paging needs protection; long mode active follows from both. */
    if (paging && !(c->cr0 & 1)) {
        return false;
    }
    return ((c->msr_efer >> 10) & 1)
           == (paging && ((c->msr_efer >> 8) & 1) ? 1u : 0u);
}

static int load_cpu(struct vcpu *v, const struct hvm_hw_cpu *c)
{
    struct arch_vcpu *a = v->arch;
    struct hvm_state s;

    if (!is_cpu_valid(c)) {
        return -EINVAL;
    }
    hvm_ops->get_state(v, &s);
    segments_in(c, &s);
    s.cr0 = c->cr0;
    s.cr2 = c->cr2;
    s.cr3 = c->cr3;
    s.cr4 = c->cr4;
    s.dr6 = c->dr6;
    s.dr7 = c->dr7;
    s.sysenter_cs = c->sysenter_cs;
    s.sysenter_esp = c->sysenter_esp;
    s.sysenter_eip = c->sysenter_eip;
    s.kernel_gs_base = c->shadow_gs;
    s.lstar = c->msr_lstar;
    s.star = c->msr_star;
    s.cstar = c->msr_cstar;
    s.sfmask = c->msr_syscall_mask;
    s.efer = c->msr_efer;
    hvm_ops->set_state(v, &s);
    registers_in(c, &a->regs);
    a->dr[0] = c->dr0;
    a->dr[1] = c->dr1;
    a->dr[2] = c->dr2;
    a->dr[3] = c->dr3;
    a->tsc_aux = (uint32_t)c->msr_tsc_aux;
    if (c->flags & XEN_X86_FPU_INITIALISED) {
        hvm_ops->set_fpu(v, c->fpu_regs);
    }
    v->is_initialised = true;
    return vcpu_up(v);
}

static int load_mtrr(struct vcpu *v, const struct hvm_hw_mtrr *m)
{
    int rc = msr_write(v, 0x2ff, m->msr_mtrr_def_type);

    if (rc == 0 && m->msr_pat_cr != 0) {
        rc = msr_write(v, MSR_PAT, m->msr_pat_cr);
    }
    if (rc == 0) {
        memcpy(v->arch->mtrr_var, m->msr_mtrr_var,
               sizeof(v->arch->mtrr_var));
        memcpy(v->arch->mtrr_fixed, m->msr_mtrr_fixed,
               sizeof(v->arch->mtrr_fixed));
    }
    return rc;
}

/* One record of 'desc' whose 'desc->length' bytes are at 'data'. */
static int load_record(struct domain *d,
                       const struct hvm_save_descriptor *desc,
                       const void *data)
{
    struct hvm_save_header header;
    struct hvm_hw_cpu cpu;
    struct hvm_hw_mtrr mtrr;
    struct vcpu *v = NULL;

    if (desc->instance < d->max_vcpus) {
        v = d->vcpu[index_nospec(desc->instance, d->max_vcpus)];
    }
    switch (desc->typecode) {
    case HVM_SAVE_CODE(HEADER):
        if (desc->length != sizeof(header)) {
            return -EINVAL;
        }
        memcpy(&header, data, sizeof(header));
        return header.magic == HVM_FILE_MAGIC
               && header.version == HVM_FILE_VERSION ? 0 : -EINVAL;
    case HVM_SAVE_CODE(CPU):
        if (v == NULL || desc->length != sizeof(cpu)) {
            return -EINVAL;
        }
        memcpy(&cpu, data, sizeof(cpu));
        return load_cpu(v, &cpu);
    case HVM_SAVE_CODE(MTRR):
        if (v == NULL || desc->length != sizeof(mtrr)) {
            return -EINVAL;
        }
        memcpy(&mtrr, data, sizeof(mtrr));
        return load_mtrr(v, &mtrr);
    default:
        return -EOPNOTSUPP;
    }
}

int arch_hvm_context_load(struct domain *d, const void *buf, size_t size)
{
    const char *at = buf;
    bool is_first = true;

    for (;;) {
        struct hvm_save_descriptor desc;
        int rc;

        if (size < sizeof(desc)) {
            return -ENODATA;
        }
        memcpy(&desc, at, sizeof(desc));
        at += sizeof(desc);
        size -= sizeof(desc);
        if (desc.typecode == HVM_SAVE_CODE(END)) {
            return 0;
        }
        if (desc.length > size
            || (is_first && desc.typecode != HVM_SAVE_CODE(HEADER))) {
            return -EINVAL;
        }
        rc = load_record(d, &desc, at);
        if (rc != 0) {
            return rc;
        }
        is_first = false;
        at += desc.length;
        size -= desc.length;
    }
}

/* ---- contexts of the PV form ---- */

static void segments_to_context(const struct hvm_state *s,
                                struct vcpu_guest_context *c)
{
    uint64_t active = s->segment[HVM_GS].base;
    bool in_kernel = (s->segment[HVM_SS].attr >> CPL_SHIFT & 3) == 0;

    c->user_regs.cs = s->segment[HVM_CS].selector;
    c->user_regs.ss = s->segment[HVM_SS].selector;
    c->user_regs.ds = s->segment[HVM_DS].selector;
    c->user_regs.es = s->segment[HVM_ES].selector;
    c->user_regs.fs = s->segment[HVM_FS].selector;
    c->user_regs.gs = s->segment[HVM_GS].selector;
    c->fs_base = s->segment[HVM_FS].base;
    c->gs_base_kernel = in_kernel ? active : s->kernel_gs_base;
    c->gs_base_user = in_kernel ? s->kernel_gs_base : active;
}

void arch_vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct hvm_regs *r = &v->arch->regs;
    struct hvm_state s;

    memset(c, 0, sizeof(*c));
    if (is_pv(v->domain)) {
        pv_get_context(v, c);
        return;
    }
    hvm_ops->get_state(v, &s);
    hvm_ops->get_fpu(v, &c->fpu_ctxt);
    c->flags = VGCF_online * !v->is_down;
    c->user_regs.rax = r->gpr[HVM_RAX];
    c->user_regs.rbx = r->gpr[HVM_RBX];
    c->user_regs.rcx = r->gpr[HVM_RCX];
    c->user_regs.rdx = r->gpr[HVM_RDX];
    c->user_regs.rsi = r->gpr[HVM_RSI];
    c->user_regs.rdi = r->gpr[HVM_RDI];
    c->user_regs.rbp = r->gpr[HVM_RBP];
    c->user_regs.rsp = r->gpr[HVM_RSP];
    c->user_regs.r8 = r->gpr[HVM_R8];
    c->user_regs.r9 = r->gpr[HVM_R9];
    c->user_regs.r10 = r->gpr[HVM_R10];
    c->user_regs.r11 = r->gpr[HVM_R11];
    c->user_regs.r12 = r->gpr[HVM_R12];
    c->user_regs.r13 = r->gpr[HVM_R13];
    c->user_regs.r14 = r->gpr[HVM_R14];
    c->user_regs.r15 = r->gpr[HVM_R15];
    c->user_regs.rip = r->rip;
    c->user_regs.rflags = r->rflags;
    segments_to_context(&s, c);
    c->ctrlreg[0] = s.cr0;
    c->ctrlreg[2] = s.cr2;
    c->ctrlreg[3] = s.cr3;
    c->ctrlreg[4] = s.cr4;
}
