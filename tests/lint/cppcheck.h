/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* cppcheck.h: definitions of library macros for cppcheck, which does not read system headers. */
#pragma once

#define LIBBPF_OPTS(type, name, ...)	     struct type name = {0}
#define DECLARE_LIBBPF_OPTS(type, name, ...) struct type name = {0}
#define mnl_attr_for_each(attr, nlh, offset) for ((attr) = 0; (attr) != (void *)(nlh);)
#define mnl_attr_for_each_nested(attr, nest) for ((attr) = 0; (attr) != (nest);)

/* bpf/libbpf.h */
#define bpf_object__for_each_program(program, object) \
	while (((program) = bpf_object__next_program((object), (program))))
#define bpf_object__for_each_map(map, object) \
	while (((map) = bpf_object__next_map((object), (map))))
