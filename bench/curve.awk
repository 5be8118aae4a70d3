# Draws the cost of a check over the number of permissions, both on logarithmic axes. A line of input: rows, and four times in
# microseconds.
function x(rows) { return 70 + (log(rows) / log(10) - 3) * 130 }
function y(us) { us = us < 0.03 ? 0.03 : us; return 310 - (log(us) / log(10) + 1.6) * 85 }
{ for (i = 2; i <= 5; i++) path[i] = path[i] (NR == 1 ? "M" : " L") sprintf("%.0f %.0f", x($1), y($i)); for (i = 2; i <= 5; i++) last[i] = $i; end = x($1) }
END {
    split("|type-level, remembered|type-level, without the cache|on one resource, not asked before|PL/pgSQL, indexed EXISTS", name, "|")
    split("|#0a7f3f|#7fbf3f|#1f5fbf|#b03030", colour, "|")
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 380\" font-family=\"sans-serif\" font-size=\"13\">"
    print "<rect width=\"860\" height=\"380\" fill=\"white\"/>"
    for (p = 3; p <= 7; p++) printf "<text x=\"%.0f\" y=\"345\" text-anchor=\"middle\">10<tspan dy=\"-5\" font-size=\"9\">%d</tspan></text>\n", x(10 ^ p), p
    for (p = -1; p <= 1; p++) printf "<path d=\"M70 %.0f H590\" stroke=\"#ddd\"/><text x=\"60\" y=\"%.0f\" text-anchor=\"end\">%s µs</text>\n", y(10 ^ p), y(10 ^ p) + 4, 10 ^ p
    print "<text x=\"330\" y=\"370\" text-anchor=\"middle\">permissions on single resources</text><text x=\"70\" y=\"20\">time of one check_permission()</text>"
    for (i = 2; i <= 5; i++) label[i] = y(last[i]) + 4
    # The last two may end close together.
    if (label[5] - label[4] < 15 && label[4] - label[5] < 15) label[5] = label[4] + 15
    for (i = 2; i <= 5; i++) printf "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/><text x=\"%.0f\" y=\"%.0f\" fill=\"%s\">%s</text>\n", path[i], colour[i], end + 8, label[i], colour[i], name[i]
    print "</svg>"
}
