/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/clickhouse/curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

static struct tw_curl functions;
static bool is_loaded;

static bool find_functions(void *library)
{
	const struct {
		const char *name;
		void *to;
	} wanted[] = {
		{"curl_easy_init", &functions.easy_init},
		{"curl_easy_setopt", &functions.easy_setopt},
		{"curl_easy_perform", &functions.easy_perform},
		{"curl_easy_getinfo", &functions.easy_getinfo},
		{"curl_easy_cleanup", &functions.easy_cleanup},
		{"curl_easy_strerror", &functions.easy_strerror},
		{"curl_slist_append", &functions.slist_append},
		{"curl_slist_free_all", &functions.slist_free_all},
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void *symbol = dlsym(library, wanted[i].name);

		if (!symbol)
			return false;
		memcpy(wanted[i].to, &symbol, sizeof(symbol));
	}
	return true;
}

static void load(void)
{
	/* Debian's name, and that of other distributions. */
	static const char *const names[] = {"libcurl-gnutls.so.4", "libcurl.so.4"};
	CURLcode (*global_init)(long flags);
	void *library = NULL, *symbol;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !library; i++)
		library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!library || !find_functions(library))
		return;
	symbol = dlsym(library, "curl_global_init");
	if (!symbol)
		return;
	memcpy(&global_init, &symbol, sizeof(symbol));
	is_loaded = global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

const struct tw_curl *tw_curl_load(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return is_loaded ? &functions : NULL;
}
