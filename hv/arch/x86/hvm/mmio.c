/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Emulated device memory: fetches the instruction that faulted, has it
 * decoded (mmio_decode.c) and executes it on the device.  Talks to vlapic.c,
 * vioapic.c, vpci.c through their struct mmio_device.
 *
 *  1. One instruction, or one round of a REP, per exit.
 *  2. The instruction bytes are copied once and not looked at again.
 */
#include "core/console.h"
#include "guest_copy.h"
#include "hvm/mmio.h"
#include "hvm/mmio_decode.h"
#include "hvm/vlapic.h"
#include "lib/minmax.h"

#define FLAG_DF (1ull << 10)

/* ---- the local APIC's page ---- */

static bool lapic_covers(struct vcpu *v, uint64_t gpa)
{
    return (gpa & PAGE_MASK) == VLAPIC_BASE
           && !vlapic_is_x2apic(v->arch->vlapic);
}

/* Registers are 32 bits, 16 bytes apart; parts of one may be read. */
static uint64_t lapic_read(struct vcpu *v, uint64_t gpa, unsigned int size)
{
    uint32_t offset = (uint32_t)(gpa & ~PAGE_MASK);
    uint32_t value = vlapic_mmio_read(v->arch->vlapic, offset);

    (void)size;
    return (offset & 12) == 0 ? (uint64_t)value >> ((offset & 3) * 8) : 0;
}

static void lapic_write(struct vcpu *v, uint64_t gpa, unsigned int size,
                        uint64_t value)
{
    if (size >= 4 && (gpa & 15) == 0) {
        vlapic_mmio_write(v->arch->vlapic, (uint32_t)(gpa & ~PAGE_MASK),
                          (uint32_t)value);
    }
}

static const struct mmio_device lapic_device = {
    .covers = lapic_covers, .read = lapic_read, .write = lapic_write,
};

static const struct mmio_device *const devices[] = {
    &lapic_device, &vioapic_device, &vpci_table_device, &vpci_ecam_device,
};

const struct mmio_device *mmio_find(struct vcpu *v, uint64_t gpa)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++) {
        if (devices[i]->covers(v, gpa)) {
            return devices[i];
        }
    }
    return NULL;
}

/* ---- executing ---- */

struct access {
    struct vcpu *v;
    const struct mmio_device *device;   /* NULL: nothing there */
    uint64_t gpa;
    bool is_write;
    const struct mmio_insn *insn;
};

static uint64_t mask_of(unsigned int size)
{
    return size >= 8 ? ~0ull : (1ull << (size * 8)) - 1;
}

static uint64_t device_read(const struct access *a)
{
    uint64_t mask = mask_of(a->insn->size);

    return a->device == NULL ? mask
           : a->device->read(a->v, a->gpa, a->insn->size) & mask;
}

static void device_write(const struct access *a, uint64_t value)
{
    if (a->device != NULL) {
        a->device->write(a->v, a->gpa, a->insn->size,
                         value & mask_of(a->insn->size));
    }
}

static uint64_t get_register(const struct access *a)
{
    uint64_t value = a->v->arch->regs.gpr[a->insn->reg & 15];

    return a->insn->is_high_byte ? value >> 8 : value;
}

static void set_register(const struct access *a, unsigned int size,
                         uint64_t value)
{
    uint64_t *reg = &a->v->arch->regs.gpr[a->insn->reg & 15];

    if (size >= 4) {
        *reg = value & mask_of(size);   /* 32 bits clear the upper half */
    } else if (a->insn->is_high_byte) {
        *reg = (*reg & ~0xff00ull) | (value & 0xff) << 8;
    } else {
        *reg = (*reg & ~mask_of(size)) | (value & mask_of(size));
    }
}

static uint64_t source(const struct access *a)
{
    return a->insn->is_immediate ? a->insn->immediate : get_register(a);
}

static void do_read(const struct access *a)
{
    const struct mmio_insn *insn = a->insn;
    uint64_t value = device_read(a);

    if (insn->extend == MMIO_SIGN_EXTEND
        && (value >> (insn->size * 8 - 1)) & 1) {
        value |= ~mask_of(insn->size);
    }
    set_register(a, insn->reg_size, value);
}

/* Flags from memory and the source; some forms write the register. */
static void do_compare(const struct access *a)
{
    const struct mmio_insn *insn = a->insn;
    uint64_t *rflags = &a->v->arch->regs.rflags;
    uint64_t memory = device_read(a), result;

    if (!insn->to_register) {
        (void)mmio_compute(insn->op, insn->size, memory, source(a), rflags);
        return;
    }
    result = mmio_compute(insn->op, insn->size, get_register(a), memory,
                          rflags);
    if (insn->op != MMIO_CMP) {
        set_register(a, insn->size, result);
    }
}

/* Moves rdi or rsi past one element. */
static void step(const struct access *a, enum hvm_gpr gpr)
{
    struct hvm_regs *regs = &a->v->arch->regs;
    uint64_t by = regs->rflags & FLAG_DF ? -(uint64_t)a->insn->size
                                         : a->insn->size;

    regs->gpr[gpr] += by;
    if (a->insn->is_address32) {
        regs->gpr[gpr] &= 0xffffffff;
    }
}

/* One round of a REP; true when it was the last. */
static bool end_round(const struct access *a)
{
    struct hvm_regs *regs = &a->v->arch->regs;

    if (!a->insn->has_rep) {
        return true;
    }
    regs->gpr[HVM_RCX]--;
    if (a->insn->is_address32) {
        regs->gpr[HVM_RCX] &= 0xffffffff;
    }
    return regs->gpr[HVM_RCX] == 0;
}

static bool do_move_string(const struct access *a)
{
    struct hvm_regs *regs = &a->v->arch->regs;
    uint64_t value = 0;

    if (a->is_write) {
        struct guest_ptr from = { regs->gpr[HVM_RSI] };

        if (guest_copy_load(&value, from, a->insn->size) != 0) {
            hvm_ops->inject_exception(a->v, HVM_VECTOR_PF, 0, from.va);
            return false;
        }
        device_write(a, value);
    } else {
        struct guest_ptr to = { regs->gpr[HVM_RDI] };

        value = device_read(a);
        if (guest_copy_store(to, &value, a->insn->size) != 0) {
            hvm_ops->inject_exception(a->v, HVM_VECTOR_PF, 2, to.va);
            return false;
        }
    }
    step(a, HVM_RSI);
    step(a, HVM_RDI);
    return end_round(a);
}

/* True when the instruction is done. */
static bool execute(const struct access *a)
{
    const struct mmio_insn *insn = a->insn;
    uint64_t value;

    switch (insn->kind) {
    case MMIO_READ:
        do_read(a);
        return true;
    case MMIO_WRITE:
        device_write(a, source(a));
        return true;
    case MMIO_MODIFY:
        value = device_read(a);
        device_write(a, mmio_compute(insn->op, insn->size, value, source(a),
                                     &a->v->arch->regs.rflags));
        return true;
    case MMIO_COMPARE:
        do_compare(a);
        return true;
    case MMIO_EXCHANGE:
        value = device_read(a);
        device_write(a, get_register(a));
        set_register(a, insn->size, value);
        return true;
    case MMIO_STORE_STRING:
        device_write(a, a->v->arch->regs.gpr[HVM_RAX]);
        step(a, HVM_RDI);
        return end_round(a);
    default:
        return do_move_string(a);
    }
}

/* Copies the bytes at rip; how many there are. */
static size_t fetch(struct vcpu *v, uint8_t bytes[MMIO_INSN_MAX])
{
    uint64_t rip = v->arch->regs.rip;
    size_t first = min((size_t)(PAGE_SIZE - (rip & ~PAGE_MASK)),
                       (size_t)MMIO_INSN_MAX);

    if (guest_copy_load(bytes, (struct guest_ptr){ rip }, first) != 0) {
        return 0;
    }
    if (first < MMIO_INSN_MAX
        && guest_copy_load(bytes + first, (struct guest_ptr){ rip + first },
                      MMIO_INSN_MAX - first) != 0) {
        return first;
    }
    return MMIO_INSN_MAX;
}

static enum mmio_mode mode_of(struct vcpu *v)
{
    struct hvm_state s;

    hvm_ops->get_state(v, &s);
    if ((s.efer & (1u << 10)) && (s.segment[HVM_CS].attr & (1u << 9))) {
        return MMIO_MODE64;
    }
    return s.segment[HVM_CS].attr & (1u << 10) ? MMIO_MODE32 : MMIO_MODE16;
}

void mmio_emulate(struct vcpu *v, const struct mmio_device *device,
                  uint64_t gpa, bool is_write)
{
    uint8_t bytes[MMIO_INSN_MAX] = { 0 };
    struct mmio_insn insn;
    struct access a = {
        .v = v, .device = device, .gpa = gpa, .is_write = is_write,
        .insn = &insn,
    };
    size_t count = fetch(v, bytes);

    if (count == 0 || mmio_decode(bytes, count, mode_of(v), &insn) != 0) {
        console_guest_log(LOG_ERROR, v->domain, "v%u: instruction %02x %02x "
                          "%02x %02x at %lx on device memory %lx is not "
                          "emulated", v->id, bytes[0], bytes[1], bytes[2],
                          bytes[3], v->arch->regs.rip, gpa);
        /* As from the reference: the kernel may survive what it ran. */
        (void)hvm_inject_gp(v);
        return;
    }
    /* An access over the page's end could reach another device. */
    if ((gpa & ~PAGE_MASK) + insn.size > PAGE_SIZE) {
        a.device = NULL;
    }
    if (execute(&a)) {
        v->arch->regs.rip += insn.length;
    }
}
