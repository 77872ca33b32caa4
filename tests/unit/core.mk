# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of what core does with memory, time and CPUs; the library and
# HV_CORE_* are in hv.mk.

unit_tests += tests/unit/check_sched
tests_unit_check_sched_SOURCES = tests/unit/check_sched.c \
	tests/unit/unit.h
tests_unit_check_sched_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_sched_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_sched_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)
