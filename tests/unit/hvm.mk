# SPDX-License-Identifier: GPL-2.0-only
# Unit tests and fuzzers of hv/arch/x86/hvm and the ELF reader.
unit_tests += tests/unit/check_mmio_decode tests/unit/check_vlapic \
	tests/unit/check_vpci_caps tests/unit/check_e820 tests/unit/check_elf
fuzz_tests += tests/fuzz/fuzz_mmio_decode tests/fuzz/fuzz_elf

tests_unit_check_mmio_decode_SOURCES = tests/unit/check_mmio_decode.c \
	tests/unit/unit.h hv/arch/x86/hvm/mmio_decode.c \
	hv/arch/x86/hvm/mmio_decode.h
tests_unit_check_mmio_decode_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_mmio_decode_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_mmio_decode_LDADD = $(UNIT_LDADD)

tests_unit_check_vlapic_SOURCES = tests/unit/check_vlapic.c \
	tests/unit/unit.h hv/arch/x86/hvm/vlapic.c hv/arch/x86/hvm/vlapic.h
tests_unit_check_vlapic_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_vlapic_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_vlapic_LDADD = $(UNIT_LDADD)

tests_unit_check_vpci_caps_SOURCES = tests/unit/check_vpci_caps.c \
	tests/unit/unit.h hv/arch/x86/hvm/vpci_caps.c \
	hv/arch/x86/hvm/vpci_caps.h
tests_unit_check_vpci_caps_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_vpci_caps_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_vpci_caps_LDADD = $(UNIT_LDADD)

tests_unit_check_e820_SOURCES = tests/unit/check_e820.c \
	tests/unit/unit.h hv/arch/x86/e820.c hv/arch/x86/e820.h
tests_unit_check_e820_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_e820_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_e820_LDADD = $(UNIT_LDADD)

tests_unit_check_elf_SOURCES = tests/unit/check_elf.c \
	tests/unit/unit.h hv/lib/elf.c hv/lib/elf.h
tests_unit_check_elf_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_elf_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_elf_LDADD = $(UNIT_LDADD)

tests_fuzz_fuzz_mmio_decode_SOURCES = tests/fuzz/fuzz_mmio_decode.c \
	$(FUZZ_RUNNER) hv/arch/x86/hvm/mmio_decode.c \
	hv/arch/x86/hvm/mmio_decode.h
tests_fuzz_fuzz_mmio_decode_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_fuzz_fuzz_mmio_decode_CFLAGS = $(UNIT_CFLAGS)

tests_fuzz_fuzz_elf_SOURCES = tests/fuzz/fuzz_elf.c \
	$(FUZZ_RUNNER) hv/lib/elf.c hv/lib/elf.h
tests_fuzz_fuzz_elf_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_fuzz_fuzz_elf_CFLAGS = $(UNIT_CFLAGS)

unit_tests += tests/unit/check_pvkern
tests_unit_check_pvkern_SOURCES = tests/unit/check_pvkern.c \
	tests/unit/unit.h hv/arch/x86/pvkern/decode.c \
	hv/arch/x86/pvkern/descriptor.c
tests_unit_check_pvkern_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_pvkern_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_pvkern_LDADD = $(UNIT_LDADD)

fuzz_tests += tests/fuzz/fuzz_pv_decode
tests_fuzz_fuzz_pv_decode_SOURCES = tests/fuzz/fuzz_pv_decode.c \
	tests/fuzz/runner.c tests/fuzz/fuzz.h hv/arch/x86/pvkern/decode.c \
	hv/arch/x86/pvkern/descriptor.c
tests_fuzz_fuzz_pv_decode_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_fuzz_fuzz_pv_decode_CFLAGS = $(UNIT_CFLAGS)

unit_tests += tests/unit/check_pv_table
tests_unit_check_pv_table_SOURCES = tests/unit/check_pv_table.c \
	tests/unit/unit.h hv/arch/x86/pvkern/table.c
tests_unit_check_pv_table_CPPFLAGS = $(HV_UNIT_CPPFLAGS) \
	-DPVK_DOMAIN=0x220000000000 -DPVK_RECORDS=0x200000000000 \
	-DPVK_DIRECT=0x210000000000
tests_unit_check_pv_table_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_pv_table_LDADD = $(UNIT_LDADD)

# It includes the source, for the fake machine.
unit_tests += tests/unit/check_pv_memory
tests_unit_check_pv_memory_SOURCES = tests/unit/check_pv_memory.c \
	$(HV_CORE_ENV)
tests_unit_check_pv_memory_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_pv_memory_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_pv_memory_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_guest_copy
tests_unit_check_guest_copy_SOURCES = tests/unit/check_guest_copy.c \
	tests/unit/unit.h hv/arch/x86/guest_copy.c hv/arch/x86/guest_copy.h
tests_unit_check_guest_copy_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_guest_copy_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_guest_copy_LDADD = $(UNIT_LDADD)

# It includes the source, to leave out the machine's instructions.
unit_tests += tests/unit/check_svm_inject
tests_unit_check_svm_inject_SOURCES = tests/unit/check_svm_inject.c \
	tests/unit/unit.h
tests_unit_check_svm_inject_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_svm_inject_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_svm_inject_LDADD = $(UNIT_LDADD)

# What save.c and its parts work on, for a unit test and a fuzzer.
SAVE_ENV = tests/unit/save_env.c tests/unit/save_env.h \
	hv/arch/x86/hvm/cpu_record.c hv/arch/x86/hvm/msr.c \
	hv/arch/x86/hvm/save.c hv/arch/x86/hvm/vcpu_context.c \
	hv/arch/x86/hvm/vlapic.c

unit_tests += tests/unit/check_save
tests_unit_check_save_SOURCES = tests/unit/check_save.c \
	tests/unit/unit.h $(SAVE_ENV)
tests_unit_check_save_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_save_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_save_LDADD = $(UNIT_LDADD)

fuzz_tests += tests/fuzz/fuzz_hvm_context
tests_fuzz_fuzz_hvm_context_SOURCES = tests/fuzz/fuzz_hvm_context.c \
	$(FUZZ_RUNNER) $(SAVE_ENV)
tests_fuzz_fuzz_hvm_context_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_fuzz_fuzz_hvm_context_CFLAGS = $(UNIT_CFLAGS)

unit_tests += tests/unit/check_vectors
tests_unit_check_vectors_SOURCES = tests/unit/check_vectors.c \
	tests/unit/unit.h hv/arch/x86/irq.c hv/arch/x86/hvm/vioapic.c \
	hv/arch/x86/hvm/vpci.c hv/arch/x86/hvm/vpci_caps.c hv/lib/spinlock.c
tests_unit_check_vectors_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_vectors_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_vectors_LDADD = $(UNIT_LDADD)

# It includes the source, to leave out the machine's instructions.
unit_tests += tests/unit/check_svm_predictor
tests_unit_check_svm_predictor_SOURCES = tests/unit/check_svm_predictor.c \
	tests/unit/unit.h
tests_unit_check_svm_predictor_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_svm_predictor_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_svm_predictor_LDADD = $(UNIT_LDADD)
