/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ports of a PV guest, by IN and OUT (APM vol. 3) and by INS and OUTS.  None
 * is the guest's to have: reads find nothing, but in the two which have state
 * that Xen keeps for every guest.
 *
 *  1. A port is there for who has the IOPL, or is let by the bitmap that the
 *     guest's kernel named; no permission is asked for zero repetitions.
 *  2. A REP of any count does UNITS at most: the guest executes the rest as
 *     the same instruction again, and events come in between.
 *  3. As many units as were done are in rcx, rsi and rdi when the next one
 *     traps.
 *  4. The CPU sees no port access, so its breakpoints are looked for here; a
 *     REP stops behind the first unit that meets one.
 */
#include "pvkern/guest.h"
#include "pvkern/privileged.h"

#define UNITS 512u

#define PORT_CMOS 0x70u         /* an index into the CMOS */
#define PORT_PCI 0xcf8u         /* a configuration address */

#define PF_WRITE 2u

/* ---- permission ---- */

bool port_has_iopl(const struct pvk_vcpu *v)
{
    if (!v->in_kernel) {
        return v->iopl == 3;
    }
    return v->iopl >= 1 || pvk_domain()->shows_iopl;
}

/* Does the bitmap that the guest's kernel named let its user mode do that? */
static bool is_in_bitmap(const struct pvk_vcpu *v, unsigned int port,
                         unsigned int size)
{
    uint8_t byte[2] = { 0xff, 0xff };
    uint64_t at = v->io_bitmap + port / 8;

    if (port + size > v->io_ports) {
        return false;
    }
    if (!v->in_kernel) {
        write_cr3(v->kernel_cr3);
    }
    if (!guest_get(byte, at, 2) && !guest_get(byte, at, 1)) {
        byte[0] = 0xff;
    }
    if (!v->in_kernel) {
        write_cr3(v->user_cr3);
    }
    return ((unsigned int)(byte[1] << 8 | byte[0])
            & ((1u << size) - 1) << port % 8) == 0;
}

/* True: 'op' may, and says which breakpoints it met. */
static bool may_access(struct privileged_op *op, unsigned int port)
{
    const struct pvk_vcpu *v = op->v;
    unsigned int size = op->insn.size;

    if (!port_has_iopl(v) && !is_in_bitmap(v, port, size)) {
        return false;
    }
    op->breakpoints = hypercall_port_breakpoints(v, port, size);
    return true;
}

/* ---- what is there ---- */

static uint64_t ones(unsigned int size)
{
    return size == 8 ? ~0ul : (1ul << (size * 8)) - 1;
}

static bool has_cmos_index(unsigned int port, unsigned int size)
{
    return port <= PORT_CMOS && PORT_CMOS - port < size;
}

static uint32_t read_port(unsigned int port, unsigned int size)
{
    unsigned int shift = (PORT_CMOS - port) * 8;
    uint32_t value = (uint32_t)ones(size);

    if (port == PORT_PCI && size == 4) {
        return pvk_domain()->pci_address;
    }
    if (has_cmos_index(port, size)) {
        value &= ~(0xffu << shift);
        value |= (pvk_domain()->cmos_index & 0xff) << shift;
    }
    return value;
}

static void write_port(unsigned int port, unsigned int size, uint32_t value)
{
    if (port == PORT_PCI && size == 4) {
        pvk_domain()->pci_address = value;
    }
    if (has_cmos_index(port, size)) {
        pvk_domain()->cmos_index = value >> (PORT_CMOS - port) * 8 & 0xff;
    }
}

enum privileged_end port_move(struct privileged_op *op)
{
    const struct decode_insn *i = &op->insn;
    struct pvk_regs *r = op->r;
    unsigned int port = i->has_port ? i->port : (uint16_t)r->rdx;

    if (!may_access(op, port)) {
        return PRIVILEGED_REFUSED;
    }
    if (i->kind == DECODE_OUT) {
        write_port(port, i->size, (uint32_t)r->rax);
    } else if (i->size == 4) {
        r->rax = read_port(port, 4);
    } else {
        r->rax = (r->rax & ~ones(i->size)) | read_port(port, i->size);
    }
    return PRIVILEGED_DONE;
}

/* ---- the memory operand ---- */

struct operand {
    uint64_t base, limit;
    unsigned int vector;        /* for what is beyond */
};

/* 64-bit code has no limits, and two bases (APM vol. 2, 4.5.3). */
static void find_in_64(unsigned int segment, struct operand *o)
{
    o->limit = ~0ul;
    o->base = segment == DECODE_FS ? segment_base(PVK_FS)
              : segment == DECODE_GS ? segment_base(PVK_GS) : 0;
}

#define SELECTOR(segment)                                       \
    ({ uint64_t selector_;                                      \
       __asm__ volatile("mov %%" #segment ", %0" : "=r" (selector_)); \
       selector_ & 0xffff; })

static uint64_t selector_of(const struct privileged_op *op,
                            unsigned int segment)
{
    switch (segment) {
    case DECODE_ES:
        return SELECTOR(es);
    case DECODE_CS:
        return op->r->cs;
    case DECODE_SS:
        return op->r->ss;
    case DECODE_DS:
        return SELECTOR(ds);
    case DECODE_FS:
        return SELECTOR(fs);
    default:
        return SELECTOR(gs);
    }
}

/*
 * The segment of the operand.  Of data that grows down the limit is taken as
 * that of other data, as Xen does.
 */
static enum privileged_end find(struct privileged_op *op, struct operand *o)
{
    bool is_in = op->insn.kind == DECODE_INS;
    unsigned int segment = is_in ? DECODE_ES : op->insn.segment;
    struct descriptor_view view;

    o->vector = segment == DECODE_SS ? VECTOR_SS : VECTOR_GP;
    if (op->mode == DECODE_64) {
        find_in_64(segment, o);
        return PRIVILEGED_DONE;
    }
    if (!segment_read(op->v, selector_of(op, segment), &view)
        || !view.is_present) {
        return PRIVILEGED_REFUSED;
    }
    if (view.is_system || (is_in ? view.is_code || !view.is_open
                                 : view.is_code && !view.is_open)) {
        return privileged_trap(op, o->vector, 0);
    }
    o->base = view.base;
    o->limit = view.limit;
    return PRIVILEGED_DONE;
}

/*
 * False: the operand is not where the guest may have one.  Of 64-bit code only
 * the first byte is looked at: what follows the guest's part of the address
 * space is not canonical.
 */
static bool linear(const struct privileged_op *op, const struct operand *o,
                   uint64_t offset, uint64_t *va)
{
    unsigned int last = op->insn.size - 1u;

    *va = o->base + offset;
    if (op->mode == DECODE_64) {
        return pvk_is_canonical(*va) && pvk_is_guest_range(*va, 1);
    }
    *va = (uint32_t)*va;
    return last <= o->limit && offset <= o->limit - last;
}

/* One unit, at 'offset' of the operand. */
static enum privileged_end one(struct privileged_op *op,
                               const struct operand *o, uint64_t offset)
{
    bool is_in = op->insn.kind == DECODE_INS;
    unsigned int port = (uint16_t)op->r->rdx, size = op->insn.size;
    uint32_t data = is_in ? read_port(port, size) : 0;
    uint64_t va;
    size_t left;

    if (!linear(op, o, offset, &va)) {
        return privileged_trap(op, o->vector, 0);
    }
    left = is_in ? copy_bytes((void *)va, &data, size)
                 : copy_bytes(&data, (const void *)va, size);
    if (left != 0) {
        op->cr2 = va + size - left;
        return privileged_trap(op, VECTOR_PF, is_in ? PF_WRITE : 0);
    }
    if (!is_in) {
        write_port(port, size, data);
    }
    return PRIVILEGED_DONE;
}

/* ---- INS and OUTS ---- */

/* Up to where the index wraps, but one at least. */
static uint64_t units(const struct privileged_op *op, uint64_t index,
                      uint64_t count)
{
    unsigned int size = op->insn.size;
    uint64_t mask = ones(op->insn.address_size);
    uint64_t most = op->r->rflags & FLAG_DF ? index / size
                                            : (-index & mask) / size;

    if ((op->r->rflags & FLAG_TF) || op->breakpoints) {
        count = 1;
    }
    if (count > UNITS) {
        count = UNITS;
    }
    if (count > most) {
        count = most;
    }
    return count == 0 ? 1 : count;
}

/* By address size; in 64-bit code those of 4 bytes clear what is above. */
static void set_index(const struct privileged_op *op, uint64_t *reg,
                      uint64_t value)
{
    uint64_t mask = ones(op->insn.address_size);
    uint64_t kept = op->mode == DECODE_64 ? 0 : *reg & ~mask;

    *reg = kept | (value & mask);
}

static void set_count(const struct privileged_op *op, uint64_t count)
{
    uint64_t *rcx = &op->r->rcx;

    *rcx = op->insn.address_size == 2 ? (*rcx & ~0xfffful) | count : count;
}

/* What 'count' times do at once; '*done' of them, from 'index' on. */
static enum privileged_end transfer(struct privileged_op *op, uint64_t index,
                                    uint64_t count, uint64_t *done)
{
    uint64_t step = op->r->rflags & FLAG_DF ? -(uint64_t)op->insn.size
                                            : op->insn.size;
    struct operand o = { 0 };
    enum privileged_end end = find(op, &o);

    for (*done = 0; end == PRIVILEGED_DONE && *done < count; index += step) {
        end = one(op, &o, index);
        if (end == PRIVILEGED_DONE) {
            ++*done;
        }
    }
    return end;
}

static void advance(const struct privileged_op *op, uint64_t *reg,
                    uint64_t done)
{
    uint64_t bytes = done * op->insn.size;

    set_index(op, reg, op->r->rflags & FLAG_DF ? *reg - bytes : *reg + bytes);
}

enum privileged_end port_string(struct privileged_op *op)
{
    const struct decode_insn *i = &op->insn;
    uint64_t *reg = i->kind == DECODE_INS ? &op->r->rdi : &op->r->rsi;
    uint64_t mask = ones(i->address_size);
    uint64_t count = i->is_repeated ? op->r->rcx & mask : 1, done;
    enum privileged_end end;

    if (count == 0) {
        if (op->mode == DECODE_64) {
            advance(op, reg, 0);
            set_count(op, 0);
        }
        return PRIVILEGED_DONE;
    }
    if (!may_access(op, (uint16_t)op->r->rdx)) {
        return PRIVILEGED_REFUSED;
    }
    end = transfer(op, *reg & mask, units(op, *reg & mask, count), &done);
    if (end == PRIVILEGED_REFUSED) {
        return end;
    }
    if (i->is_repeated) {
        advance(op, reg, done);
        set_count(op, count - done);
        return end == PRIVILEGED_DONE && done < count ? PRIVILEGED_AGAIN
                                                      : end;
    }
    if (end == PRIVILEGED_DONE) {
        advance(op, reg, 1);
    }
    return end;
}
