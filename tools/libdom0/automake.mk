# SPDX-License-Identifier: GPL-2.0-only
# What every program of ours in dom0 shares; also linked into shared objects.
noinst_LIBRARIES += tools/libdom0/libdom0.a
tools_libdom0_libdom0_a_SOURCES = \
	tools/libdom0/dom0.c tools/libdom0/dom0.h \
	tools/libdom0/pagemap.c tools/libdom0/pagemap.h \
	tools/libdom0/xenbus.c tools/libdom0/xenbus.h
tools_libdom0_libdom0_a_CPPFLAGS = -I$(top_srcdir)
tools_libdom0_libdom0_a_CFLAGS = $(WARN_CFLAGS) -fPIC $(SAN_CFLAGS)
