# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of what core does with memory, time and CPUs; the library and
# HV_CORE_* are in hv.mk.

unit_tests += tests/unit/check_sched
tests_unit_check_sched_SOURCES = tests/unit/check_sched.c \
	tests/unit/step.h \
	tests/unit/unit.h
tests_unit_check_sched_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_sched_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_sched_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_page_alloc
tests_unit_check_page_alloc_SOURCES = tests/unit/check_page_alloc.c \
	$(HV_CORE_ENV)
tests_unit_check_page_alloc_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_page_alloc_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_page_alloc_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_timer
tests_unit_check_timer_SOURCES = tests/unit/check_timer.c \
	$(HV_CORE_ENV)
tests_unit_check_timer_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_timer_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_timer_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_p2m
tests_unit_check_p2m_SOURCES = tests/unit/check_p2m.c \
	$(HV_CORE_ENV)
tests_unit_check_p2m_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_p2m_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_p2m_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_domain
tests_unit_check_domain_SOURCES = tests/unit/check_domain.c \
	$(HV_CORE_ENV)
tests_unit_check_domain_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_domain_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_domain_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_shutdown
tests_unit_check_shutdown_SOURCES = tests/unit/check_shutdown.c \
	$(HV_CORE_ENV)
tests_unit_check_shutdown_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_shutdown_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_shutdown_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_physmap
tests_unit_check_physmap_SOURCES = tests/unit/check_physmap.c \
	$(HV_CORE_ENV)
tests_unit_check_physmap_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_physmap_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_physmap_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_window
tests_unit_check_window_SOURCES = tests/unit/check_window.c \
	tests/unit/window_env.c tests/unit/window_env.h $(HV_CORE_ENV)
tests_unit_check_window_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_window_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_window_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_window_events
tests_unit_check_window_events_SOURCES = tests/unit/check_window_events.c \
	tests/unit/window_env.c tests/unit/window_env.h $(HV_CORE_ENV)
tests_unit_check_window_events_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_window_events_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_window_events_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD) \
	-lpthread

unit_tests += tests/unit/check_sched_smp
tests_unit_check_sched_smp_SOURCES = tests/unit/check_sched_smp.c \
	tests/unit/unit.h
tests_unit_check_sched_smp_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_sched_smp_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_sched_smp_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_console
tests_unit_check_console_SOURCES = tests/unit/check_console.c \
	tests/unit/step.h hv/arch/x86/nmi.c $(HV_CORE_ENV)
tests_unit_check_console_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_console_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_console_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)
