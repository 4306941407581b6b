/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/exit.h"

#include <errno.h>

enum tw_exit tw_exit_code(int err)
{
	switch (-err) {
	case EINVAL:
	case E2BIG:
	case EMSGSIZE:
	case ECANCELED:
	case EBUSY:
	case EEXIST:
	case ENOSPC:
		return TW_EXIT_NO;
	case ENOENT:
	case EISDIR:
	case ENOTDIR:
	case ENAMETOOLONG:
	case EFBIG:
		return TW_EXIT_USAGE;
	case EPERM:
	case EACCES:
	case EOPNOTSUPP:
	case ENOSYS:
		return TW_EXIT_PERMISSION;
	case ECONNREFUSED:
	case EPIPE:
	case ETIMEDOUT:
		return TW_EXIT_NO_AGENT;
	default:
		return TW_EXIT_INTERNAL;
	}
}
