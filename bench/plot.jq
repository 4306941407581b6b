# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# plot.jq: results.json as an SVG: one bar for each system and scenario, its part over `bare` apart,
# with a whisker from the fastest to the slowest run.

def left: 120;     # of the bars
def width: 560;    # of the longest bar
def step: 22;      # from bar to bar
def gap: 34;       # between scenarios, with the title
def colour: {bare: "#9aa5b1", tapwall: "#1f77b4", "tapwall-vswitch": "#6baed6", nft: "#d97706", "nft-fwbr": "#b45309"}[.] // "#666666";
def text($x; $y; $anchor; $what):
	"<text x=\"\($x)\" y=\"\($y)\" text-anchor=\"\($anchor)\">\($what)</text>";
def box($x; $y; $w; $fill; $opacity):
	"<rect x=\"\($x)\" y=\"\($y)\" width=\"\($w)\" height=\"16\" fill=\"\($fill)\" fill-opacity=\"\($opacity)\"/>";

[.rows[] | select(.metric == "cpu_ns_per_frame")] as $rows
| ($rows | map(.max) | max) as $longest
| (width / $longest) as $scale
| ([$rows[].scenario] | reduce .[] as $s ([]; if index($s) then . else . + [$s] end)) as $scenarios
| ([$rows[].system] | unique | length) as $n
| ($scenarios | length * ($n * step + gap) + 40) as $height
| "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(left + width + 90) \($height)\" font-family=\"sans-serif\" font-size=\"12\">",
  "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>",
  text(left; 18; "start"; "CPU time of a frame from tap to tap, ns (pale: what a bare bridge takes too)"),
  ($scenarios | to_entries[] | .key as $i | .value as $scenario
	| (54 + $i * ($n * step + gap)) as $top
	| ([$rows[] | select(.scenario == $scenario)]) as $group
	| ($group | map(select(.system == "bare"))[0].value) as $bare
	| text(left; $top - 5; "start"; $scenario),
	  ($group | to_entries[] | .value as $row | ($top + .key * step) as $y
		| ([$row.value, $bare] | min) as $base
		| text(left - 6; $y + 12; "end"; $row.system),
		  box(left; $y; $base * $scale; $row.system | colour; 0.45),
		  box(left + $base * $scale; $y; ($row.value - $base) * $scale; $row.system | colour; 1),
		  "<path d=\"M\(left + $row.min * $scale) \($y + 8)H\(left + $row.max * $scale)\" stroke=\"#000000\"/>",
		  text(left + $row.max * $scale + 6; $y + 12; "start"; $row.value | round))),
  "</svg>"
