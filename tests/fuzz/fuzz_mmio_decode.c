/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as an instruction: the decoder reads no byte too many, and what
 * it accepts has sane sizes and the same meaning with more bytes behind.
 */
#include "fuzz.h"
#include "hvm/mmio_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    enum mmio_mode mode = fuzz_byte(&in) % 3;
    size_t count = in.size < MMIO_INSN_MAX ? in.size : MMIO_INSN_MAX;
    uint8_t *bytes = malloc(count + 1);
    struct mmio_insn insn, again;
    uint64_t flags = 0;

    fuzz_require(bytes != NULL, "memory");
    fuzz_bytes(&in, bytes, count);
    bytes = realloc(bytes, count == 0 ? 1 : count);
    if (mmio_decode(bytes, count, mode, &insn) == 0) {
        fuzz_require(insn.length > 0 && insn.length <= count, "length");
        fuzz_require(insn.size == 1 || insn.size == 2 || insn.size == 4
                     || insn.size == 8, "size");
        fuzz_require(insn.reg < 16, "register");
        fuzz_require(mmio_decode(bytes, insn.length, mode, &again) == 0
                     && again.length == insn.length
                     && again.kind == insn.kind, "same when cut");
        (void)mmio_compute(insn.op, insn.size, insn.immediate, 1, &flags);
        fuzz_require((flags & ~0x8d5ull) == 0, "flags");
    }
    free(bytes);
    return 0;
}
