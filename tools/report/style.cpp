// The style sheet of a report. Series differ by colour, dash and marker, so that a print in grey is read as well.
#include "tools/report/html.h"

namespace bkd {

const std::string_view page_style = R"css(
:root{--paper:#fdfdfb;--ink:#1d2126;--soft:#5c646d;--rule:#dcdfe2;--panel:#f3f4f2;--bar:#d9dcdf;--warn:#8a4b00;
--s0:#1b5fa7;--s1:#c8500f;--s2:#0c7568;--s3:#7446c2;--s4:#8d6a00;--s5:#b42566}
@media (prefers-color-scheme:dark){:root{--paper:#14171a;--ink:#e6e8ea;--soft:#9aa3ac;--rule:#31373d;--panel:#1d2125;
--bar:#3a4148;--warn:#f0b35c;--s0:#7fb6f2;--s1:#f39a63;--s2:#5fcbbb;--s3:#b99df6;--s4:#dcb84e;--s5:#f08cb6}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif}
main{max-width:72rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem;font-weight:650;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:3rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--rule);font-weight:650}
h3{font-size:.95rem;margin:0 0 .4rem;font-weight:600}
p{margin:.4rem 0;max-width:46rem}
.soft,figcaption,caption{color:var(--soft);font-size:.85rem}
figcaption{margin-top:.3rem;max-width:46rem}
.warning{color:var(--warn);font-size:.9rem;border-left:3px solid var(--warn);padding-left:.6rem;margin:.6rem 0}
code{font:.85em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,28rem),1fr));gap:2rem 2.5rem;
align-items:start}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,16rem),1fr));gap:1rem;margin:1.25rem 0}
.card{background:var(--panel);border-top:4px solid var(--c);border-radius:4px;padding:.8rem 1rem}
.card .name{font-weight:600;overflow-wrap:anywhere}
.card .number{font-size:2rem;line-height:1.2;font-weight:650;font-variant-numeric:tabular-nums}
.card .number small{font-size:.9rem;font-weight:400;color:var(--soft)}
figure{margin:0;min-width:0}
svg{display:block;width:100%;height:auto;max-width:46rem;overflow:visible}
svg text{fill:var(--ink);font-size:13px;font-variant-numeric:tabular-nums}
svg .tick{fill:var(--soft)}
svg .small{font-size:12px}
svg .tiny{font-size:10.5px}
svg .end{paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
svg .s{fill:var(--c)}
.e{text-anchor:end}.m{text-anchor:middle}
.grid-line{stroke:var(--rule);stroke-width:1}
.mark{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 3}
.line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}
.dot{fill:var(--c);stroke:var(--paper);stroke-width:1}
.whisker{stroke:var(--c);stroke-width:1.25;opacity:.65;fill:none}
.box{fill:var(--c)}
.under{fill:var(--bar)}
.ink{stroke:var(--ink);stroke-width:1.25;fill:none}
.heat{fill:var(--c)}
.on{fill:var(--paper)}
.s0{--c:var(--s0)}.s1{--c:var(--s1)}.s2{--c:var(--s2)}.s3{--c:var(--s3)}.s4{--c:var(--s4)}.s5{--c:var(--s5)}
.grey{--c:var(--soft)}
.d1{stroke-dasharray:7 3}.d2{stroke-dasharray:2 3}.d3{stroke-dasharray:9 3 2 3}.d4{stroke-dasharray:4 2}
.d5{stroke-dasharray:1 2}
.scroll{overflow-x:auto;margin:.75rem 0}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums;min-width:min(100%,24rem)}
caption{text-align:left;padding-bottom:.3rem}
th,td{padding:.25rem .5rem;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th:first-child{text-align:left;font-weight:500;padding-left:0}
thead th{font-weight:600;border-bottom:1px solid var(--soft)}
.words td,.words th{vertical-align:top}
.words td,.words thead th{text-align:left;white-space:normal;overflow-wrap:anywhere}
.words td{min-width:12rem}
.words td:nth-child(n+2){font-size:.85rem}
td .soft{font-size:.8rem}
.swatch{display:inline-block;width:.7rem;height:.7rem;border-radius:2px;background:var(--c);margin-right:.4rem}
tr.group th{color:var(--soft);font-weight:600;padding-top:.9rem}
details{margin:.75rem 0}
summary{cursor:pointer;font-weight:600;font-size:.95rem}
nav{font-size:.9rem;margin:1rem 0}nav a{margin-right:1rem;white-space:nowrap}
a{color:inherit}
@media (max-width:36rem){svg text{font-size:15.5px}svg .small{font-size:14.5px}svg .tiny{font-size:12.5px}}
@media print{details{display:block}h2{break-after:avoid}figure{break-inside:avoid}}
)css";

}
