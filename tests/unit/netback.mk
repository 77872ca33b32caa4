# SPDX-License-Identifier: GPL-2.0-only
# Unit tests and fuzzers of netback/'s pure code.
unit_tests += tests/unit/check_from_guest
tests_unit_check_from_guest_SOURCES = tests/unit/check_from_guest.c \
	tests/unit/unit.h tests/fake/guest.c tests/fake/guest.h \
	netback/from_guest.c netback/from_guest.h netback/ring.h netback/access.h
tests_unit_check_from_guest_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_from_guest_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_from_guest_LDADD = $(UNIT_LDADD)
