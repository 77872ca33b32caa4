/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as a privileged instruction of a PV kernel, and as a descriptor:
 * the decoder reads no byte too many and says the same with more behind;
 * no descriptor that passes lets CPL 3 through a gate.
 */
#include "fuzz.h"
#include "pvkern/decode.h"
#include "pvkern/descriptor.h"

static void check_descriptor(uint64_t d)
{
    const uint64_t dpl = 3ull << 45, rpl = 3ull << 16;
    uint64_t fixed = d, again;
    unsigned int type;

    if (!descriptor_fix(&fixed)) {
        fuzz_require(fixed == d, "left as it is");
        return;
    }
    again = fixed;
    fuzz_require(descriptor_fix(&again) && again == fixed, "done once");
    type = fixed >> 40 & 31;
    if (!(fixed >> 47 & 1) || type == 0) {      /* it cannot be used */
        fuzz_require(fixed == d, "left as it is");
    } else if (type & 16) {
        fuzz_require(fixed == (d | dpl), "code and data");
    } else {
        fuzz_require(type == 12 && fixed == ((d & ~dpl) | rpl), "call gate");
    }
}

/* What the fields may be that say how an instruction is executed. */
static void check_fields(const struct decode_insn *i, enum decode_mode mode)
{
    bool has_port = i->kind == DECODE_IN || i->kind == DECODE_OUT
                    || i->kind == DECODE_INS || i->kind == DECODE_OUTS;

    fuzz_require(i->reg < 16 && i->number < 16, "register");
    fuzz_require(mode == DECODE_64 || (i->reg < 8 && i->number < 8), "no rex");
    fuzz_require(i->segment <= DECODE_GS, "segment");
    fuzz_require(mode != DECODE_64 || i->segment >= DECODE_DS,
                 "segments of 64-bit code");
    fuzz_require(i->address_size == (unsigned int)mode
                 || i->address_size == (mode == DECODE_32 ? 2 : 4),
                 "address size");
    fuzz_require(has_port ? i->size == 1 || i->size == 2 || i->size == 4
                          : i->size == 0, "size");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum decode_mode modes[] = { DECODE_16, DECODE_32, DECODE_64,
                                              DECODE_64 };
    struct fuzz_input in = { data, size };
    struct decode_insn insn, again;
    enum decode_mode mode;
    uint8_t choice = 0;
    uint64_t descriptor = 0;
    size_t count;
    uint8_t *bytes;

    fuzz_bytes(&in, &descriptor, sizeof(descriptor));
    check_descriptor(descriptor);
    fuzz_bytes(&in, &choice, sizeof(choice));
    mode = modes[choice & 3];
    count = in.size < DECODE_BYTES ? in.size : DECODE_BYTES;
    bytes = malloc(count + 1);
    fuzz_require(bytes != NULL, "memory");
    fuzz_bytes(&in, bytes, count);
    bytes = realloc(bytes, count == 0 ? 1 : count);
    if (decode(bytes, count, mode, &insn)) {
        fuzz_require(insn.length > 0 && insn.length <= count, "length");
        check_fields(&insn, mode);
        fuzz_require(decode(bytes, insn.length, mode, &again)
                     && again.length == insn.length
                     && again.kind == insn.kind, "same when cut");
    }
    free(bytes);
    return 0;
}
