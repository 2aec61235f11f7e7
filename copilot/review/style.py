"""The look of a report page. One constant, so that its hash can stand in the page's content security policy."""

CSS = """
:root{color-scheme:light dark;--bg:#f5f6f8;--card:#fff;--ink:#1b2430;--soft:#5b6675;--line:#e2e6ec;--tint:#f0f3f7;
--rep:#2563eb;--cus:#b45309;--ok:#157347;--okbg:#e3f4ea;--warn:#8f5b00;--warnbg:#fdf1d8;--bad:#b3261e;--badbg:#fbe6e4;
--mute:#5b6675;--mutebg:#eaedf1;--accent:#3347b5}
@media (prefers-color-scheme:dark){:root{--bg:#10141a;--card:#181e27;--ink:#e6eaf0;--soft:#9aa6b5;--line:#2a3340;
--tint:#1f2732;--rep:#7aa5ff;--cus:#f0a75a;--ok:#6fd39b;--okbg:#15352a;--warn:#f2c063;--warnbg:#3a2d12;--bad:#ff9a92;
--badbg:#43201f;--mute:#a7b2c0;--mutebg:#262f3b;--accent:#9aabff}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;overflow-wrap:anywhere}
main{max-width:1120px;margin:0 auto;padding:24px 20px 56px}
a{color:inherit;text-decoration-color:var(--soft);text-underline-offset:3px}
a:hover{text-decoration-color:currentColor}
a:focus-visible,summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
h1{font-size:15px;font-weight:600;color:var(--soft);margin:0 0 2px}
h2{font-size:18px;margin:0 0 14px;line-height:1.3}
h3{font-size:15px;margin:0 0 10px}
section,header{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:20px;margin:0 0 16px}
.who{font-size:24px;font-weight:650;line-height:1.25;margin:0 0 12px}
.top{display:grid;grid-template-columns:1fr auto;gap:20px;align-items:start}
.level{text-align:right}
.level b{display:block;font-size:44px;line-height:1;font-weight:700;color:var(--accent)}
.level .none{font-size:20px;line-height:1.4;color:var(--soft)}
.steps5{display:block;width:120px;height:8px;margin:8px 0 4px auto}
.steps5 .on{fill:var(--accent)}.steps5 .off{fill:var(--line)}
.soft,.facts{color:var(--soft);font-size:13px}
.facts{display:flex;flex-wrap:wrap;gap:2px 18px;margin:0;padding:0;list-style:none}
.facts b{font-weight:500;color:var(--ink)}
.tiles{display:grid;grid-template-columns:repeat(6,1fr);gap:1px;background:var(--line);border:1px solid var(--line);
border-radius:10px;overflow:hidden;margin:18px 0 0}
.tile{background:var(--card);padding:12px 14px}
.tile span{display:block;font-size:12.5px;color:var(--soft);line-height:1.35}
.tile b{display:block;font-size:22px;line-height:1.3;font-weight:650}
.tile small{display:block;color:var(--soft);font-size:12px}
.amber{color:var(--warn)}.red{color:var(--bad)}
.notice{background:var(--warnbg);color:var(--warn);border-radius:8px;padding:9px 13px;margin:14px 0 0;font-size:14px}
audio{width:100%;margin:16px 0 0;display:block}
.two{display:grid;align-items:start;grid-template-columns:1fr 1fr;gap:16px}
.groups{display:grid;grid-template-columns:1fr 1fr;gap:24px 40px}
.chip{display:inline-block;font-size:12px;line-height:1.5;font-weight:600;border-radius:99px;padding:1px 9px;
background:var(--mutebg);color:var(--mute);white-space:nowrap}
.chip.ok{background:var(--okbg);color:var(--ok)}.chip.warn{background:var(--warnbg);color:var(--warn)}
.chip.bad{background:var(--badbg);color:var(--bad)}
.finding{border-left:4px solid var(--line);padding:2px 0 2px 14px;margin:0 0 20px}
.finding:last-child{margin-bottom:0}
.finding.high{border-color:var(--bad)}.finding.medium{border-color:#d99a1f}.finding.low{border-color:var(--soft)}
.finding h4{margin:3px 0 4px;font-size:15px;line-height:1.4}
.finding .do{margin:8px 0 0;font-size:14px}
.finding .do b{font-weight:600}
blockquote{margin:6px 0 0;padding:0;font-size:14px;display:grid;grid-template-columns:46px 1fr;gap:0 8px}
blockquote p{margin:0}
a.t:hover{text-decoration:underline}
a.t,blockquote a{text-decoration:none}
blockquote p a:hover{text-decoration:underline}
.rep{color:var(--rep)}.cus{color:var(--cus)}
.sp{font-weight:600;font-size:13px}
.t{font-variant-numeric:tabular-nums;font-size:13px;color:var(--soft);white-space:nowrap}
.small{font-size:13px}
.finding p.soft,.rows p.soft{margin:4px 0 0}
details{margin:8px 0 0}
summary{cursor:pointer;color:var(--soft);font-size:13px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th{font-size:12.5px;font-weight:500;color:var(--soft);text-align:left;padding:6px 10px 6px 0;
border-bottom:1px solid var(--line);vertical-align:bottom}
td{padding:9px 10px 9px 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}
td:last-child,th:last-child{padding-right:0}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.stagerow th{color:var(--ink);font-weight:650;font-size:13.5px;padding-top:16px}
.plan td:nth-child(1){width:118px}.plan td:nth-child(3){width:150px}
.title{font-weight:550}
.rows{margin:0;padding:0;list-style:none}
.rows>li{border-bottom:1px solid var(--line);padding:12px 0;display:grid;
grid-template-columns:56px 1fr auto;gap:4px 12px}
.rows>li:first-child{padding-top:0}.rows>li:last-child{border-bottom:0;padding-bottom:0}
.rows .right{text-align:right}
.talkrow{display:flex;justify-content:space-between;gap:12px;padding:6px 0;border-bottom:1px solid var(--line);
font-size:14px}
.talkrow:last-child{border-bottom:0}
.talkrow b{font-weight:600;font-variant-numeric:tabular-nums;text-align:right;white-space:nowrap}
.line{display:grid;grid-template-columns:52px 74px 1fr;gap:0 10px;padding:5px 8px;border-radius:6px;
scroll-margin-top:20px}
.line:target{background:var(--warnbg)}
.line p{margin:0}
.line.back p{color:var(--soft)}
.line ul{margin:4px 0 0;padding:0;list-style:none;display:flex;flex-wrap:wrap;gap:4px}
.chart{display:grid;grid-template-columns:74px 1fr;gap:0 10px;font-size:13px;color:var(--soft)}
.chart svg{width:100%;height:150px;display:block;overflow:visible}
.chart ul{margin:0;padding:0;list-style:none}
.chart li{height:28px;line-height:20px;white-space:nowrap}
.chart text{font-size:12px;fill:var(--soft)}
.chart .stage{fill:var(--tint);stroke:var(--line)}
.chart .stagename{fill:var(--ink)}
.chart .lane{fill:var(--tint)}
.chart .r{fill:var(--rep)}.chart .c{fill:var(--cus)}
.chart .hole{fill:var(--bad);opacity:.16}
.chart .tick{stroke:var(--line)}
.chart .m-ok{fill:var(--ok)}.chart .m-warn{fill:#d99a1f}.chart .m-bad{fill:var(--bad)}.chart .m-mute{fill:var(--soft)}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;margin:6px 0 0;padding:0;list-style:none;font-size:12.5px;
color:var(--soft)}
.dot{display:inline-block;width:9px;height:9px;border-radius:99px;margin-right:6px;background:var(--soft)}
.dot.r{background:var(--rep);border-radius:2px}.dot.c{background:var(--cus);border-radius:2px}
.dot.ok{background:var(--ok)}.dot.warn{background:#d99a1f}.dot.bad{background:var(--bad)}
.dot.hole{background:var(--bad);opacity:.3;border-radius:2px}
footer{color:var(--soft);font-size:12.5px;text-align:center}
@media (max-width:760px){main{padding:12px 10px 40px}section,header{padding:15px 14px;border-radius:10px}
.two,.groups{grid-template-columns:1fr}.tiles{grid-template-columns:1fr 1fr}.who{font-size:20px}.level b{font-size:34px}
.steps5{width:84px}.line{grid-template-columns:44px 1fr;padding:6px 4px}
.line .sp{grid-column:2}.line .body{grid-column:2}
.plan td:nth-child(1){width:88px}.plan td:nth-child(3){width:76px}.rows>li{grid-template-columns:46px 1fr}
.rows .right{grid-column:2;text-align:left}.chart{grid-template-columns:1fr}.chart ul.lanes{display:none}
.chart .stagename{font-size:11px}.plan .chip{white-space:normal}}
@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;
--tint:#f2f2f2;
--rep:#1d4fc4;--cus:#8a4208;--ok:#115c39;--okbg:#fff;--warn:#6e4600;--warnbg:#fff;--bad:#8f1d17;--badbg:#fff;
--mute:#444;--mutebg:#fff;--accent:#26368f}body{font-size:11pt}main{max-width:none;padding:0}
section,header{border:0;border-top:1px solid #ccc;border-radius:0;padding:14px 0;margin:0}audio{display:none}
details::details-content{content-visibility:visible;display:block}
.finding,.rows>li,tr,.line{break-inside:avoid}h2{break-after:avoid}.chip{border:1px solid currentColor}}
"""
