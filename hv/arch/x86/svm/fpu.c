/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registers that neither VMRUN nor VMLOAD switches: FPU and vector
 * state, PKRU, XCR0, DR0-3, TSC_AUX.
 * 1. The hypervisor itself never uses the FPU (-mgeneral-regs-only), so
 *    between switch_to and switch_from it is the guest's.
 * 2. If cpu->loaded == v and v ran last on this CPU, the CPU still has
 *    what the image has.
 * 3. Restoring leaves nothing of another guest's: CPUs that load the x87
 *    error pointers only of an image with an exception pending get some of
 *    ours before.
 * 4. An image has all components that the CPU has, whatever its guest has in
 *    XCR0: PKRU, for one, of which no guest is told, but CR4.PKE can be set.
 * 5. DR0-3 are the guest's only after it touched one (dr_loaded); until
 *    then accesses exit.
 */
#include "core/page_alloc.h"
#include "hvm/xstate.h"
#include "insn.h"
#include "lib/string.h"
#include "svm/svm.h"

#define MSR_TSC_AUX 0xc0000103
#define FXSAVE_SIZE XSTATE_LEGACY_SIZE
#define XSAVE_HEADER FXSAVE_SIZE
#define FCW_DEFAULT 0x037f
#define FSW_OFFSET 2
#define X87_EXCEPTIONS 0x3fu
#define MXCSR_OFFSET 24
#define MXCSR_DEFAULT 0x1f80

void *svm_fpu_alloc(void)
{
    char *image = page_alloc_core(svm_features.fpu_order);
    uint16_t fcw = FCW_DEFAULT;
    uint32_t mxcsr = MXCSR_DEFAULT;

    if (image != NULL) {
        memcpy(image, &fcw, sizeof(fcw));
        memcpy(image + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
    }
    return image;
}

void svm_fpu_free(void *image)
{
    if (image != NULL) {
        page_free_core(image, svm_features.fpu_order);
    }
}

static void save(void *image)
{
    if (svm_features.has_xsave) {
        xsetbv(0, svm_features.xcr0);
        __asm__ volatile("xsave64 (%0)" :: "r" (image), "a" (-1), "d" (-1)
                         : "memory");
    } else {
        __asm__ volatile("fxsave64 (%0)" :: "r" (image) : "memory");
    }
}

/* Invariant 3: those of this load of a constant. */
static void set_x87_pointers(const char *image)
{
    static const uint32_t zero;
    uint64_t components = 1;
    uint16_t fcw, fsw;

    memcpy(&fcw, image, sizeof(fcw));
    memcpy(&fsw, image + FSW_OFFSET, sizeof(fsw));
    if (svm_features.has_xsave) {
        memcpy(&components, image + XSAVE_HEADER, sizeof(components));
    }
    if ((components & 1) && (fsw & ~fcw & X87_EXCEPTIONS)) {
        return;                 /* this image's are loaded */
    }
    __asm__ volatile("fnclex; ffree %%st(7); fildl %0" :: "m" (zero));
}

static void restore(const void *image)
{
    if (!svm_features.has_x87_pointers) {
        set_x87_pointers(image);
    }
    if (svm_features.has_xsave) {
        xsetbv(0, svm_features.xcr0);
        __asm__ volatile("xrstor64 (%0)" :: "r" (image), "a" (-1), "d" (-1)
                         : "memory");
    } else {
        __asm__ volatile("fxrstor64 (%0)" :: "r" (image) : "memory");
    }
}

static void save_debug(struct vcpu *v)
{
    struct svm_vcpu *s = v->arch->svm;

    v->arch->dr[0] = read_dr0();
    v->arch->dr[1] = read_dr1();
    v->arch->dr[2] = read_dr2();
    v->arch->dr[3] = read_dr3();
    s->dr_loaded = false;
    s->vmcb->intercept_dr_read = 0xffff;
    s->vmcb->intercept_dr_write = 0xffff;
}

void svm_load_debug(struct vcpu *v)
{
    struct svm_vcpu *s = v->arch->svm;

    write_dr0(v->arch->dr[0]);
    write_dr1(v->arch->dr[1]);
    write_dr2(v->arch->dr[2]);
    write_dr3(v->arch->dr[3]);
    s->dr_loaded = true;
    s->vmcb->intercept_dr_read = 0;
    s->vmcb->intercept_dr_write = 0;
}

void svm_switch_from(struct vcpu *v)
{
    struct cpu *cpu = this_cpu();

    save(v->arch->svm->fpu);
    cpu->loaded = v;
    if (v->arch->svm->dr_loaded) {
        save_debug(v);
    }
}

void svm_switch_to(struct vcpu *v)
{
    struct cpu *cpu = this_cpu();
    struct svm_vcpu *s = v->arch->svm;

    svm_predictor_switch(cpu, v->domain);
    if (cpu->loaded != v || s->asid_cpu != cpu) {
        restore(s->fpu);
        cpu->loaded = v;
    }
    if (svm_features.has_xsave) {
        xsetbv(0, v->arch->xcr0 | 1);
    }
    if (svm_features.has_rdtscp) {
        wrmsr(MSR_TSC_AUX, v->arch->tsc_aux);
    }
    /* Its breakpoints are armed: they must be there before it runs. */
    if (s->vmcb->dr7 & 0xff) {
        svm_load_debug(v);
    }
}

void svm_get_fpu(struct vcpu *v, void *image)
{
    memcpy(image, v->arch->svm->fpu, FXSAVE_SIZE);
}

static uint64_t in_use_of(const void *image)
{
    uint64_t in_use;

    memcpy(&in_use, (const char *)image + XSAVE_HEADER, sizeof(in_use));
    return in_use;
}

/* An image in the hypervisor has the header of the standard format. */
static void set_header(char *image, uint64_t in_use)
{
    struct xstate_header h = { .in_use = in_use };

    memcpy(image + XSAVE_HEADER, &h, sizeof(h));
}

/*
 * Reserved bits of MXCSR would make the restore fault, in the hypervisor:
 * they never get into the image.
 */
static void set_legacy(struct vcpu *v, const void *image, uint64_t in_use)
{
    struct svm_vcpu *s = v->arch->svm;
    char copy[FXSAVE_SIZE];
    uint32_t mxcsr;

    memcpy(copy, image, sizeof(copy));
    memcpy(&mxcsr, copy + MXCSR_OFFSET, sizeof(mxcsr));
    mxcsr &= 0xffff;
    memcpy(copy + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
    memcpy(s->fpu, copy, sizeof(copy));
    if (svm_features.has_xsave) {
        set_header(s->fpu, in_use);
    }
    s->asid_cpu = NULL;
}

/* Who resumes a guest sets the context that it read: the vectors stay. */
void svm_set_fpu(struct vcpu *v, const void *image)
{
    uint64_t in_use = 0;

    if (svm_features.has_xsave) {
        in_use = in_use_of(v->arch->svm->fpu);
    }
    set_legacy(v, image, in_use | XSTATE_X87 | XSTATE_SSE);
}

/* Those of 'components' beyond the legacy part, from one image to another. */
static void copy_components(char *to, const char *from, uint64_t components)
{
    for (unsigned int i = 2; components >> i != 0; i++) {
        if (components >> i & 1) {
            uint32_t size, offset = xstate_offset(i, &size);

            memcpy(to + offset, from + offset, size);
        }
    }
}

void svm_get_xstate(struct vcpu *v, uint64_t components, void *image)
{
    const char *from = v->arch->svm->fpu;
    uint64_t in_use = in_use_of(from) & components;

    memcpy(image, from, FXSAVE_SIZE);
    set_header(image, in_use);
    copy_components(image, from, in_use);
}

void svm_set_xstate(struct vcpu *v, uint64_t components, const void *image)
{
    uint64_t in_use = in_use_of(image) & components & svm_features.xcr0;

    set_legacy(v, image, in_use);
    copy_components(v->arch->svm->fpu, image, in_use);
}
