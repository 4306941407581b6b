# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# structure.awk: what C files include, define and declare, one fact per line; read by `structure`. Functions are
# known by the layout that clang-format enforces.
#	include FILE LINE HEADER
#	tag FILE LINE KIND NAME		a struct, union or enum with its body, or a typedef
#	defines FILE LINE NAME		a function with external linkage
#	static FILE LINE NAME		a function without it
#	declares FILE LINE NAME		a prototype in a header
function name_of(text) {
	sub(/\(.*/, "", text)
	sub(/.*[ *]/, "", text)
	return text
}
FNR == 1 { comment = 0; head = ""; macro = 0 }
{ line = $0 }
macro { macro = line ~ /\\$/; next }
/^[ \t]*#/ {
	if (match(line, /^[ \t]*#[ \t]*include[ \t]+"[^"]+"/)) {
		split(line, part, "\"")
		print "include", FILENAME, FNR, part[2]
	}
	macro = line ~ /\\$/
	next
}
comment { if (!sub(/^.*\*\//, "", line)) next; comment = 0 }
{
	gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "", line)
	if (sub(/\/\*.*/, "", line))
		comment = 1
}
match(line, /^[ \t]*(typedef[ \t]+)?(static[ \t]+)?(const[ \t]+)?(struct|union|enum)[ \t]+[a-z_0-9]+[ \t]+\{/) {
	text = substr(line, RSTART, RLENGTH)
	sub(/^.*(struct|union|enum)[ \t]+/, "", text)
	sub(/[ \t]*\{$/, "", text)
	print "tag", FILENAME, FNR, text
}
# A function's head may span several lines; it ends at its `{` or `;`.
/^[A-Za-z_]/ && line !~ /=/ && line ~ /\(/ { head = line; at = FNR }
/^[A-Za-z_]/ && line !~ /\(/ && line !~ /[;{}]/ { before = line }
head != "" && FNR > at && /^[ \t]/ { head = head " " line }
/^\{/ && head != "" {
	kind = head ~ /^static / || head ~ /^tw_inline / || head ~ /^tw_sub/ || head ~ /^tw_call/ ? "static" : "defines"
	print kind, FILENAME, at, name_of(head)
	head = ""
}
line ~ /;[ \t]*$/ && head != "" {
	text = head
	sub(/\).*$/, "", text)
	if (FILENAME ~ /\.h$/ && head !~ /^(typedef|extern|static|_Static_assert|TW_DEFINE)/)
		print "declares", FILENAME, at, name_of(text)
	head = ""
}
