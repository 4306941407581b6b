/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* expedite.c: the setting is restored in every case. A file stands for the kernel's setting. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fastpath/kernel/expedite.h"

static char dir[] = "/tmp/tw-expedite.XXXXXX";
static char setting[64], note[64], other_note[64];

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static char value(void)
{
	FILE *file = fopen(setting, "re");
	int c;

	assert_non_null(file);
	c = fgetc(file);
	fclose(file);
	return (char)c;
}

static struct tw_expedite make(const char *path)
{
	return (struct tw_expedite){.setting = setting, .note = path};
}

static int each_begin(void **state)
{
	write_file(setting, "0\n");
	unlink(note);
	unlink(other_note);
	return 0;
}

/* Begins in a process that ends at once. */
static void die_inside(void)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		struct tw_expedite mine = make(note);

		tw_expedite_begin(&mine);
		_exit(mine.on ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void it_is_set_and_restored(void **state)
{
	struct tw_expedite mine = make(note);

	tw_expedite_begin(&mine);
	tw_expedite_begin(&mine);
	assert_int_equal(value(), '1');
	assert_int_equal(access(note, F_OK), 0);
	tw_expedite_end(&mine);
	assert_int_equal(value(), '0');
	assert_int_not_equal(access(note, F_OK), 0);
	tw_expedite_end(&mine);
	tw_expedite_begin(&mine);
	assert_int_equal(value(), '1');
	tw_expedite_end(&mine);
	assert_int_equal(value(), '0');
}

static void a_setting_of_the_host_stays(void **state)
{
	struct tw_expedite mine = make(note);

	write_file(setting, "1\n");
	tw_expedite_begin(&mine);
	assert_false(mine.on);
	tw_expedite_end(&mine);
	tw_expedite_recover(&mine);
	assert_int_equal(value(), '1');
}

static void another_process_does_not_keep_it_set(void **state)
{
	struct tw_expedite mine = make(note), other = make(other_note);

	tw_expedite_begin(&mine);
	tw_expedite_begin(&other);
	assert_false(other.on);
	tw_expedite_end(&mine);
	tw_expedite_end(&other);
	assert_int_equal(value(), '0');
	tw_expedite_begin(&other);
	assert_true(other.on);
	/* `mine` does not take the other's value for one that it has left behind. */
	tw_expedite_recover(&mine);
	assert_int_equal(value(), '1');
	tw_expedite_end(&other);
	assert_int_equal(value(), '0');
}

static void a_death_is_repaired_by_the_next_process(void **state)
{
	struct tw_expedite mine = make(note);

	die_inside();
	assert_int_equal(value(), '1');
	tw_expedite_recover(&mine);
	assert_int_equal(value(), '0');
	assert_int_not_equal(access(note, F_OK), 0);
	tw_expedite_begin(&mine);
	assert_true(mine.on);
	tw_expedite_end(&mine);
	assert_int_equal(value(), '0');
}

static void a_note_of_another_boot_restores_nothing(void **state)
{
	struct tw_expedite mine = make(note);

	write_file(note, "00000000-0000-0000-0000-0000000000000");
	write_file(setting, "1\n");
	tw_expedite_recover(&mine);
	assert_int_equal(value(), '1');
	assert_int_not_equal(access(note, F_OK), 0);
	write_file(note, "short");
	tw_expedite_recover(&mine);
	assert_int_equal(value(), '1');
	assert_int_not_equal(access(note, F_OK), 0);
}

static void without_a_note_nothing_is_set(void **state)
{
	struct tw_expedite none = make(NULL), failing = make("/nonexistent/note");

	tw_expedite_begin(&none);
	tw_expedite_begin(&failing);
	assert_false(none.on || failing.on);
	assert_int_equal(value(), '0');
	tw_expedite_recover(&none);
}

static int make_folder(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(setting, sizeof(setting), "%s/setting", dir);
	snprintf(note, sizeof(note), "%s/note", dir);
	snprintf(other_note, sizeof(other_note), "%s/other", dir);
	return 0;
}

static int remove_folder(void **state)
{
	unlink(setting);
	unlink(note);
	unlink(other_note);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_is_set_and_restored, each_begin),
		cmocka_unit_test_setup(a_setting_of_the_host_stays, each_begin),
		cmocka_unit_test_setup(another_process_does_not_keep_it_set, each_begin),
		cmocka_unit_test_setup(a_death_is_repaired_by_the_next_process, each_begin),
		cmocka_unit_test_setup(a_note_of_another_boot_restores_nothing, each_begin),
		cmocka_unit_test_setup(without_a_note_nothing_is_set, each_begin),
	};

	return cmocka_run_group_tests_name("expedite", tests, make_folder, remove_folder);
}
