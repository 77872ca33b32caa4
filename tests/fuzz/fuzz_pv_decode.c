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
    uint64_t fixed = d;

    if (!descriptor_fix(&fixed) || !(fixed >> 47 & 1)) {
        return;
    }
    if ((fixed >> 40 & 31) == 0) {      /* of no kind: it cannot be used */
        fuzz_require(fixed == d, "left as it is");
        return;
    }
    fuzz_require((fixed >> 45 & 3) == 3, "dpl");
    fuzz_require(fixed >> 44 & 1, "no system descriptor");
    fuzz_require((fixed | 3ull << 45) == (d | 3ull << 45), "only the dpl");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct decode_insn insn, again;
    uint64_t descriptor = 0;
    size_t count;
    uint8_t *bytes;

    fuzz_bytes(&in, &descriptor, sizeof(descriptor));
    check_descriptor(descriptor);
    count = in.size < DECODE_BYTES ? in.size : DECODE_BYTES;
    bytes = malloc(count + 1);
    fuzz_require(bytes != NULL, "memory");
    fuzz_bytes(&in, bytes, count);
    bytes = realloc(bytes, count == 0 ? 1 : count);
    if (decode(bytes, count, &insn)) {
        fuzz_require(insn.length > 0 && insn.length <= count, "length");
        fuzz_require(insn.reg < 16 && insn.number < 16, "register");
        fuzz_require(decode(bytes, insn.length, &again)
                     && again.length == insn.length
                     && again.kind == insn.kind, "same when cut");
    }
    free(bytes);
    return 0;
}
