# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# references.awk: splits each line into code and comment, notes the names in both, and prints the names that occur
# in comments but not in code; read by `references`.
BEGIN {
	while ((getline path < paths) > 0) {
		rest = path
		do
			exists[rest] = 1
		while (sub(/^[^\/]*\//, "", rest))
		top = path
		if (sub(/\/.*/, "", top))
			tops[top] = 1
		sub(/\.[a-z.]*$/, "", path)
		do
			exists[path] = 1
		while (sub(/\/[^\/]*$/, "", path))
	}
}

# Notes the names in code, and the parts of names that macros complete.
function note_code(text, name) {
	while (match(text, /(tw|TW)_[A-Za-z0-9_]*/)) {
		name = substr(text, RSTART, RLENGTH)
		text = substr(text, RSTART + RLENGTH)
		if (name in code)
			continue
		code[name] = 1
		while (sub(/[^_]+_?$/, "", name) && !(name in begins))
			begins[name] = 1
	}
}

function note_symbols(text, name, rest) {
	while (match(text, /(^|[^A-Za-z0-9_])(tw|TW)_[A-Za-z0-9_]+/)) {
		name = substr(text, RSTART, RLENGTH)
		rest = text = substr(text, RSTART + RLENGTH)
		sub(/^[^tT]/, "", name)
		if (!((FILENAME, FNR, name) in symbols))
			symbols[FILENAME, FNR, name] = name ~ /_$/ || rest ~ /^(\*|…|<|\{)/ ? "begins" : "is"
	}
}

function note_files(text, name, before) {
	gsub(/[a-z]+:\/\/[^ )]*/, "", text)
	while (match(text, /[A-Za-z0-9_.\/-]*[A-Za-z0-9_]\.(bpf\.c|[ch]|def|proto|case|sh|md|jq|awk)($|[^A-Za-z0-9_.(*-]|\.($|[^a-z]))/)) {
		name = substr(text, RSTART, RLENGTH)
		before = RSTART > 1 ? substr(text, RSTART - 1, 1) : ""
		text = substr(text, RSTART + RLENGTH)
		sub(/\.?[^A-Za-z0-9_]?$/, "", name)
		sub(/\.$/, "", name)
		while (sub(/^\.\.?\//, "", name))
			;
		if (before !~ /[<$*>}…:]/ && !is_elsewhere(name) && !(name in exists))
			print FILENAME ":" FNR ": there is no file " name
	}
}

# Paths of this tree that are written without an ending, such as those of tests.
function note_paths(text, name, top) {
	while (match(text, /(^|[^A-Za-z0-9_.\/<$*>}-])[a-z]+(\/[A-Za-z0-9_-]+)+($|[^A-Za-z0-9_\/*<${…-])/)) {
		name = substr(text, RSTART, RLENGTH)
		text = substr(text, RSTART + RLENGTH - 1)
		gsub(/^[^a-z]|[^A-Za-z0-9_]*$/, "", name)
		top = name
		sub(/\/.*/, "", top)
		if (top in tops && !is_elsewhere(name) && !(name in exists) && text !~ /^\.[a-z]/)
			print FILENAME ":" FNR ": there is no file " name
	}
}

# Files of the kernel, of the build, and names with a placeholder.
function is_elsewhere(name) {
	return name ~ /^\/|^(include\/)?(uapi\/)?linux\/|^net\/|^kernel\/bpf\/|^build\/|[A-Z][A-Z]+(\.|$)/
}

function note_comment(text) {
	note_symbols(text)
	note_files(text)
	note_paths(text)
}

FNR == 1 { comment = 0 }
FILENAME ~ /\.md$/ { note_comment($0); next }
FILENAME !~ /\.([ch]|def|proto)$/ {
	if (/^[ \t]*#/ && !/^#!/)
		note_comment($0)
	else
		note_code($0)
	next
}
{
	line = $0
	if (comment) {
		if ((end = index(line, "*/")) == 0) {
			note_comment(line)
			next
		}
		note_comment(substr(line, 1, end - 1))
		line = substr(line, end + 2)
		comment = 0
	}
	while ((start = index(line, "/*")) > 0) {
		note_code(substr(line, 1, start - 1))
		line = substr(line, start + 2)
		if ((end = index(line, "*/")) == 0) {
			note_comment(line)
			comment = 1
			next
		}
		note_comment(substr(line, 1, end - 1))
		line = substr(line, end + 2)
	}
	if (FILENAME ~ /\.proto$/ && (start = index(line, "//")) > 0) {
		note_comment(substr(line, start + 2))
		line = substr(line, 1, start - 1)
	}
	note_code(line)
}

END {
	for (key in symbols) {
		split(key, part, SUBSEP)
		name = part[3]
		if (symbols[key] == "is" ? !(name in code) : !(name in begins) && !(name in code))
			print part[1] ":" part[2] ": there is no " name
	}
}
