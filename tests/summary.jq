# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# summary.jq: prints the final summary from meson's testlog.json files (slurped).
#
# A test with TAP output counts as its subtests, any other as one. If a test should print TAP but
# does not, meson reports it as skipped; here it counts as a failure.

def lines: (. // "") | split("\n") | map(select(. != ""));
def title: .name | sub("^tapwall:"; "");

# → {passed, failed, skipped: [reason]} of one meson test.
def tally:
	((.stdout // "") | lines | map(select(test("^(not )?ok\\b")))) as $tap
	| (((.stdout // "") | lines) + ((.stderr // "") | lines)) as $said
	| if .result == "SKIP" and .returncode != 77 and ($said | any(test("# SKIP"; "i")) | not) then
		{passed: 0, failed: 1, skipped: []}
	elif .result == "SKIP" then
		{passed: 0, failed: 0, skipped: [
			($said | map(select(test("# SKIP"; "i")))[0]) // $said[-1] // "no reason given"
			| sub("^.*# SKIP *"; ""; "i")]}
	elif ($tap | length) > 0 then
		($tap | map(select(test("# SKIP"; "i")))) as $skips
		| ($tap - $skips) as $rest
		| ($rest | map(select(startswith("not "))) | length) as $bad
		| {
			passed: (($rest | length) - $bad),
			failed: (if $bad == 0 and .result != "OK" then 1 else $bad end),
			skipped: ($skips | map(sub("^(not )?ok +[0-9]* *(- *)?"; "") | sub(" *# SKIP *"; ": "; "i")))
		}
	else
		{passed: (if .result == "OK" then 1 else 0 end),
		failed: (if .result == "OK" then 0 else 1 end), skipped: []}
	end;

map({t: ., n: tally})
| (.[] | select(.n.failed > 0) | "",
	"FAILED  \(.t | title): \(.n.failed) of \(.n.passed + .n.failed), \(.t.result | ascii_downcase)",
	(((.t.stdout | lines) + (.t.stderr | lines))[-40:][] | "    " + .)),
  "",
  (.[] | .t as $t | .n.skipped[] | "skipped  \($t | title): \(.)"),
  "\(map(.n.passed) | add // 0) passed, \(map(.n.failed) | add // 0) failed, \(map(.n.skipped | length) | add // 0) skipped"
