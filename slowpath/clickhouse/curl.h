/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* curl.h: libcurl, loaded at run time. Caller: server.c. */
#pragma once

#include <curl/curl.h>

/* Functions of libcurl, under their names without the prefix. */
struct tw_curl {
	CURL *(*easy_init)(void);
	CURLcode (*easy_setopt)(CURL *handle, CURLoption option, ...);
	CURLcode (*easy_perform)(CURL *handle);
	CURLcode (*easy_getinfo)(CURL *handle, CURLINFO info, ...);
	void (*easy_cleanup)(CURL *handle);
	const char *(*easy_strerror)(CURLcode code);
	struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
	void (*slist_free_all)(struct curl_slist *list);
};

/* Loads the library once for the process. Returns NULL if it is missing. Any thread may call it. */
const struct tw_curl *tw_curl_load(void);
