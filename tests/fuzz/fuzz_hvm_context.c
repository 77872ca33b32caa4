/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as HVM save records, and any as a vcpu's context: what is taken is
 * a state that a CPU can be in, and records made of it are taken again.  The
 * input is a list of changes to records that are right, or the records.
 */
#include "core/arch.h"
#include "fuzz.h"
#include "save_env.h"

#define CONTEXT_MAX 16384u
#define CHANGES_MAX 64u

/* In memory of its size, so that a read beyond it is found. */
static int load(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    int rc;

    fuzz_require(copy != NULL, "memory");
    memcpy(copy, bytes, size);
    rc = arch_hvm_context_load(&save_domain, copy, size);
    free(copy);
    return rc;
}

static size_t save(uint8_t *buf)
{
    size_t used = 0;

    fuzz_require(arch_hvm_context_save(&save_domain, buf, CONTEXT_MAX, &used)
                 == 0, "save");
    fuzz_require(used <= arch_hvm_context_size(&save_domain), "size");
    return used;
}

static bool can_restore(unsigned int vcpu)
{
    const struct save_vcpu *m = &save_machine[vcpu];
    uint64_t header[8], all = m->xstate_components;

    memcpy(header, m->xstate + 512, sizeof(header));
    return (all & ~7ull) == 0 && (header[0] & ~all) == 0
           && (header[1] | header[2] | header[3] | header[4] | header[5]
               | header[6] | header[7]) == 0;
}

static void check_vcpus(void)
{
    for (unsigned int i = 0; i < SAVE_VCPUS; i++) {
        const struct vlapic *apic = vlapic_of(save_domain.vcpu[i]);

        fuzz_require(save_can_run(i), "a state that VMRUN refuses");
        fuzz_require(can_restore(i), "an image that XRSTOR refuses");
        fuzz_require(((apic->irr[0] | apic->isr[0] | apic->tmr[0]) & 0xffff)
                     == 0, "a vector below 16");
        fuzz_require(save_domain.vcpu[i]->is_down
                     || save_domain.vcpu[i]->is_initialised, "up and empty");
    }
}

static void set_context(struct fuzz_input *in)
{
    struct vcpu_guest_context *c = malloc(sizeof(*c));
    struct vcpu *v = save_domain.vcpu[fuzz_byte(in) % SAVE_VCPUS];

    fuzz_require(c != NULL, "memory");
    fuzz_bytes(in, c, sizeof(*c));
    if (arch_vcpu_set_context(v, c) == 0) {
        fuzz_require((v->arch->regs.rflags & ~0x3f7fd7ull) == 0, "flags");
    }
    free(c);
}

static size_t change(struct fuzz_input *in, uint8_t *buf, size_t size)
{
    for (unsigned int i = 0; in->size > 0 && i < CHANGES_MAX; i++) {
        uint16_t at = fuzz_word(in);
        uint8_t value = fuzz_byte(in);

        if (at < size) {
            buf[at] = value;
        } else if (at % 8 == 0) {
            size -= size > value ? value : size;
        }
    }
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t buf[CONTEXT_MAX];
    struct fuzz_input in = { data, size };
    uint8_t how = fuzz_byte(&in);

    save_env_start();
    save_has_avx = how & 8;
    save_domain.vcpu[0]->arch->xcr0_seen = how & 16 ? 7 : 3;
    save_domain.vcpu[1]->is_initialised = how & 4;
    save_domain.vcpu[1]->is_down = !(how & 4);
    if ((how & 3) == 0) {
        (void)load(in.data, in.size);
    } else if ((how & 3) == 1) {
        set_context(&in);
    } else {
        size = save(buf);
        size = change(&in, buf, size);
        (void)load(buf, size);
    }
    check_vcpus();
    size = save(buf);
    fuzz_require(load(buf, size) == 0, "what was saved is taken");
    check_vcpus();
    save_env_end();
    return 0;
}
