// How a report's page looks: light and dark, on a screen and on paper. It stands in the page as it
// stands here; the page's content policy names its hash and allows nothing else.
#ifndef REEVE_PROXY_REPORT_STYLE_H_
#define REEVE_PROXY_REPORT_STYLE_H_

#include <string_view>

namespace reeve::report {

inline constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--paper:#fff;--ink:#1b2330;--soft:#4f5b6b;--line:#d5dbe3;--panel:#f4f6f9;
--one:#1f5fa8;--two:#8a4fb0;--three:#00727a;--good:#2b7a4b;--warn:#a85a00;--bad:#b3261e;--link:#1a4f8b}
@media(prefers-color-scheme:dark){:root{--paper:#12161c;--ink:#e6eaf0;--soft:#a9b4c2;--line:#333c48;
--panel:#1b212a;--one:#6aa9f0;--two:#c495e8;--three:#4fc3c9;--good:#63c58b;--warn:#f0a545;--bad:#ff8a80;
--link:#8fc0ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:1.5rem 1.25rem 4rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:1.9rem;line-height:1.2;margin:.2rem 0 .4rem}
h2{font-size:1.3rem;margin:2.6rem 0 .6rem;padding-top:.4rem;border-top:2px solid var(--line)}
h3{font-size:1.05rem;margin:1.6rem 0 .4rem}
p{max-width:75ch;margin:.4rem 0}
a{color:var(--link)}
.soft,caption small{color:var(--soft)}
nav ul,.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;padding:0;margin:.6rem 0}
.legend svg{width:.8em;height:.8em;margin-right:.4em}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(165px,1fr));gap:.8rem;margin:1rem 0}
.tiles div{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem}
.tiles dt{color:var(--soft);font-size:.85rem}
.tiles dd{margin:0;font-size:1.4rem;font-weight:650;line-height:1.25;white-space:nowrap}
.tiles dd small{display:block;font-size:.82rem;font-weight:400;color:var(--soft);white-space:normal}
.attention{list-style:none;padding:0;margin:.6rem 0}
.attention li{border:1px solid var(--line);border-left:5px solid var(--warn);border-radius:6px;
padding:.55rem .9rem;margin:.5rem 0;background:var(--panel);overflow-wrap:anywhere}
.attention li.urgent{border-left-color:var(--bad)}
.tag{display:inline-block;font-size:.75rem;font-weight:650;letter-spacing:.03em;color:var(--warn)}
.urgent .tag{color:var(--bad)}
.attention code{display:block;margin-top:.25rem}
code{font:.82rem/1.4 ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
figure{margin:1rem 0 1.6rem}
figcaption{font-weight:650;margin-bottom:.3rem}
figure>svg{width:100%;height:auto;display:block}
.axis path{stroke:var(--line);stroke-width:1;fill:none}
.axis text{fill:var(--soft);font-size:12px}
.line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
.hover{fill:transparent}
rect.one{fill:var(--one)}rect.two{fill:var(--two)}rect.three{fill:var(--three)}rect.good{fill:var(--good)}
rect.warn{fill:var(--warn)}rect.bad{fill:var(--bad)}rect.rest{fill:var(--line)}
.line.one{stroke:var(--one)}.line.two{stroke:var(--two);stroke-dasharray:6 4}.line.bad{stroke:var(--bad)}
.meter{width:90px;height:.6em;margin-right:.5em;vertical-align:middle}
.spark{width:60px;height:18px;display:block}.spark path{fill:none;stroke:var(--one);stroke-width:1.5}
.scroll{overflow-x:auto;margin:.6rem 0}
table{border-collapse:collapse;width:100%;font-size:.88rem}
caption{text-align:left;font-weight:650;padding:.3rem 0}
caption small{display:block;font-weight:400}
th,td{padding:.32rem .6rem;text-align:right;border-bottom:1px solid var(--line);vertical-align:top;
font-variant-numeric:tabular-nums;white-space:nowrap}
th{color:var(--soft);font-weight:650}
thead th{white-space:normal;border-bottom:2px solid var(--line);vertical-align:bottom}
tbody th{color:var(--ink);text-align:left;overflow-wrap:anywhere;min-width:9rem;white-space:normal}
tbody th small{display:block;font-weight:400;color:var(--soft)}
.text{text-align:left;overflow-wrap:anywhere;white-space:normal}
.high{color:var(--bad);font-weight:650}
details{margin:.6rem 0}summary{cursor:pointer;color:var(--link)}
dl.terms dt{font-weight:650;margin-top:.6rem}dl.terms dd{margin:0;max-width:75ch}
.skip{position:absolute;left:-100vw}.skip:focus{position:static}
@media print{:root{--paper:#fff;--ink:#000;--soft:#333;--line:#bbb;--panel:#fff;--one:#1f5fa8;--two:#8a4fb0;
--three:#00727a;--good:#2b7a4b;--warn:#a85a00;--bad:#b3261e;color-scheme:light}
body{max-width:none;padding:0;font-size:10.5pt}nav,.skip{display:none}.scroll{overflow:visible}
table{font-size:8pt}th,td{padding:.15rem .3rem}thead{display:table-header-group}
tr,figure,.attention li,.tiles div{break-inside:avoid}h2,h3,caption{break-after:avoid}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
details::details-content{content-visibility:visible;block-size:auto}}
)css";

}  // namespace reeve::report

#endif  // REEVE_PROXY_REPORT_STYLE_H_
