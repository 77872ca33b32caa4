# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of hv/.
HV_UNIT_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/hv \
	-I$(top_srcdir)/hv/arch/x86 -DHV_DEBUG

unit_tests += tests/unit/check_printf tests/unit/check_bitmap \
	tests/unit/check_options

tests_unit_check_printf_SOURCES = tests/unit/check_printf.c \
	tests/unit/unit.h hv/lib/printf.c hv/lib/printf.h
tests_unit_check_printf_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_printf_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_printf_LDADD = $(UNIT_LDADD)

tests_unit_check_bitmap_SOURCES = tests/unit/check_bitmap.c \
	tests/unit/unit.h hv/lib/bitmap.c hv/lib/bitmap.h hv/lib/nospec.h
tests_unit_check_bitmap_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_bitmap_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_bitmap_LDADD = $(UNIT_LDADD)

tests_unit_check_options_SOURCES = tests/unit/check_options.c \
	tests/unit/unit.h hv/arch/x86/boot/options.c hv/arch/x86/boot/boot.h
tests_unit_check_options_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_options_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_options_LDADD = $(UNIT_LDADD)
