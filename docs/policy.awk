# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# policy.awk: makes the source of tapwall-policy(5), for scdoc(1), from policy.md: paragraphs, lists, tables, headings
# of two levels, code. It knows what policy.md uses; tests/cli/golden/manual.t shows that no markup is left.

# Returns text without links, with scdoc's markup: code and **strong** in bold. *Emphasis* is left out, because it may
# continue in the next line, and contain code.
function words(text,    out, parts, n, i, link) {
	while (match(text, /\[[^][]*\]\([^)]*\)/)) {
		link = substr(text, RSTART, RLENGTH)
		sub(/\]\([^)]*\)$/, "", link)
		text = substr(text, 1, RSTART - 1) substr(link, 2) substr(text, RSTART + RLENGTH)
	}
	n = split(text, parts, "`")
	out = ""
	for (i = 1; i <= n; i++)
		out = out (i % 2 ? plain(parts[i]) : "*" literal(parts[i]) "*")
	return out
}

function literal(text) {
	gsub(/\\\|/, "|", text)
	gsub(/\\/, "\\\\", text)
	gsub(/[*_#`\[\]]/, "\\\\&", text)
	return text
}

function plain(text,    strong) {
	gsub(/\\\|/, "|", text)
	gsub(/_/, "\\_", text)
	while (match(text, /\*\*[^*]+\*\*/)) {
		strong = substr(text, RSTART + 2, RLENGTH - 4)
		text = substr(text, 1, RSTART - 1) "\001" strong "\001" substr(text, RSTART + RLENGTH)
	}
	gsub(/\*/, "", text)
	gsub(/\001/, "*", text)
	return text
}

# Prints a row of a table, with each cell on a line of its own.
function row(line,    cells, n, i) {
	sub(/^\| */, "", line)
	sub(/ *\|[ \t]*$/, "", line)
	gsub(/\\\|/, "\002", line)
	n = split(line, cells, / *\| */)
	for (i = 1; i <= n; i++) {
		gsub(/\002/, "|", cells[i])
		print (i > 1 ? ":" : "|") "[ " words(cells[i])
	}
}

BEGIN {
	print "tapwall-policy(5)\n\n# NAME\n\ntapwall-policy - the policy of the firewall tapwall\n\n# DESCRIPTION\n"
}
# Prints a paragraph or an entry of a list. It is converted as a whole, because code may continue in the next line.
function flush() {
	if (held != "")
		print mark (mark == "" && held ~ /^[-.]/ ? "\\" : "") words(held)
	held = mark = ""
}

/^```/ {
	flush()
	code = !code
	print "```"
	next
}
code {
	print
	next
}
/^# / { next }
/^#/ {
	flush()
	print /^## / ? toupper("# " substr($0, 4)) : "## " substr($0, 5)
	next
}
/^\|[ :|-]+\|$/ { next }
/^\|/ {
	flush()
	row($0)
	next
}
# scdoc numbers its lists itself.
/^[0-9]+\. / {
	flush()
	mark = ". "
	sub(/^[0-9]+\. /, "")
}
/^- / {
	flush()
	mark = "- "
	sub(/^- /, "")
}
/^$/ {
	flush()
	print
	next
}
{
	sub(/^ +/, "")
	held = held (held == "" ? "" : " ") $0
}
END {
	flush()
	print "\n# SEE ALSO\n\n*tapwall*(1), *tapwall-check*(1), *tapwall-apply*(1), *tapwalld*(8)"
}
