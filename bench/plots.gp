# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# plots.gp: gnuplot -c plots.gp TABLE FOLDER SUBTITLE: draws costs and rules, each as SVG and PNG, from
# the output of plots.jq.

table = ARG1
folder = ARG2
subtitle = ARG3

systems = "bare tapwall tapwall-vswitch nft nft-fwbr ovs vm-bridge-netns vm-bridge"
n = words(systems)
colours = "#8a8a8a #0b5fa5 #7db8e8 #e08a00 #8f5300 #2e9e5b #b48fd9 #6a3d9a"
shapes = "7 7 6 5 4 9 11 10"
colour(i) = word(colours, i)

set datafile separator "\t"
set border 3 lc rgb "#444444"
set tics nomirror
set grid ytics lc rgb "#dddddd" lt 1
set style fill solid 1 noborder

png = 'pngcairo noenhanced size 1500,780 font "DejaVu Sans,13" background "white"'
svg = 'svg noenhanced size 1500,780 dynamic font "DejaVu Sans,Arial,sans-serif,15" background "white"'

picked(kind, i) = sprintf("< awk -F'\\t' '$1 == \"%s\" && $2 == \"%s\"' '%s'", kind, word(systems, i), table)
any(kind, i) = int(system(sprintf("awk -F'\\t' '$1 == \"%s\" && $2 == \"%s\" { n++ } END { print n + 0 }' '%s'", kind, word(systems, i), table)))

text(place, column) = system(sprintf("awk -F'\\t' '$1 == \"name\" && $2 == %d { print $%d }' '%s'", place, column, table))

# Bars start at the line of the bare bridge: up is more expensive, down is cheaper.
do for [form in "png svg"] {
	set terminal @png
	if (form eq "svg") { set terminal @svg }
	set output folder . "/costs." . form
	set title "Cost of a frame or connection, as a multiple of its cost on a bare bridge\n" . subtitle
	set key top center horizontal maxrows 1 samplen 0.8 width -2 Left reverse font ",12"
	set bmargin 4
	set logscale y
	set ylabel "× bare (log scale)"
	set yrange [0.5:*]
	unset logscale x
	set xrange [-0.5:6.5]
	set xtics scale 0 ()
	places = int(system(sprintf("grep -c '^name' '%s'", table)))
	do for [k = 1:places] {
		set xtics add (text(k - 1, 3) . "\n" . text(k - 1, 4) k - 1)
	}
	w = 0.11
	at(i, place) = place + (i - (n + 2) / 2.0) * w
	set arrow 1 from graph 0, first 1 to graph 1, first 1 nohead lc rgb "#444444" lw 1.5 front
	plot for [i = 2:n] picked("cost", i) using (at(i, $3)):4:(at(i, $3) - w * 0.45):(at(i, $3) + w * 0.45):(1):4 \
			with boxxyerror lc rgb colour(i) title (any("cost", i) ? word(systems, i) : ""), \
		for [i = 2:n] picked("cost", i) using (at(i, $3)):($4 < 1 ? 1 : $4):(sprintf($4 < 9.95 ? "%.2f" : "%.0f", $4)) \
			with labels rotate by 90 left offset 0, 0.3 font ",10" tc rgb "#333333" notitle
	unset arrow 1

	set output folder . "/rules." . form
	set title "Cost of opening a connection, by the length of the rule list\n" . subtitle
	set key top left vertical maxrows 20 samplen 2 Left reverse
	set logscale x
	set xrange [80:130000]
	set xtics scale 0.5 ("100" 100, "1,000" 1000, "10,000" 10000, "100,000" 100000)
	set xlabel "rules"
	set ylabel "CPU time, µs (log scale)"
	set yrange [1:*]
	plot for [i = 1:n] picked("rules", i) using 3:4 with linespoints lw 2.5 ps 1.3 pt int(word(shapes, i)) \
		lc rgb colour(i) title (any("rules", i) ? word(systems, i) : "")
	unset xlabel
	set output
}
