"""How the page looks: by day, by night, on a telephone, on paper."""

from __future__ import annotations

# Text has a contrast of at least 4.5 to its ground in both themes, marks of at least 3.
_DAY = """
--paper: #ffffff; --raised: #f4f6f8; --ink: #1b2430; --muted: #5a6573; --grid: #dce1e7; --edge: #cdd4dc;
--series: #2f6db3; --second: #b4520e; --good: #23774a; --bad: #c0282d; --alert: #fff3d6; --alert-edge: #b97a00;
--window-0: #eef2f6; --window-1: #dfe7ef;
--phase-0: #1c7f86; --phase-1: #3f8f3c; --phase-2: #7b8591; --phase-3: #7d5bbe; --phase-4: #2f6db3;
--phase-5: #b0518f; --phase-6: #c8641b; --phase-7: #8a6a14; --phase-8: #b7343a;
"""
_NIGHT = """
--paper: #12171d; --raised: #1b222b; --ink: #e6eaef; --muted: #a3aebb; --grid: #303a46; --edge: #3b4653;
--series: #6aa9ee; --second: #f0a060; --good: #6fcf97; --bad: #ff8a85; --alert: #3a2f12; --alert-edge: #d9a437;
--window-0: #1b222b; --window-1: #27313d;
--phase-0: #4fbfc6; --phase-1: #7cc778; --phase-2: #98a3b0; --phase-3: #b39ae8; --phase-4: #6aa9ee;
--phase-5: #e08cc0; --phase-6: #f0a060; --phase-7: #d0ae52; --phase-8: #f0787c;
"""

STYLE = f"""
:root {{ color-scheme: light; {_DAY} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ color-scheme: dark; {_NIGHT} }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 76rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; }}
h2 {{ font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--edge); padding-bottom: .2rem; }}
h3 {{ font-size: 1rem; margin: 1rem 0 .4rem; }}
p, ul, ol {{ margin: .4rem 0; }}
ul, ol {{ padding-left: 1.4rem; }}
.note, .lead, figcaption {{ color: var(--muted); font-size: .875rem; }}
.banner {{ border: 2px solid var(--bad); border-radius: .4rem; padding: .6rem .8rem; margin: .8rem 0;
  font-weight: 600; }}
.alert {{ background: var(--alert); border-left: 4px solid var(--alert-edge); padding: .5rem .8rem; margin: .8rem 0; }}
.alert h2 {{ border: 0; margin: 0; font-size: 1rem; }}
.notice {{ color: var(--muted); border-left: 4px solid var(--edge); padding-left: .8rem; }}
.charts {{ display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr));
  align-items: start; }}
.stack {{ display: grid; gap: 1rem; }}
.card {{ margin: 0; background: var(--raised); border: 1px solid var(--edge); border-radius: .5rem;
  padding: .7rem; min-width: 0; }}
.card h3 {{ margin: 0 0 .4rem; }}
.card > svg {{ display: block; width: 100%; height: auto; max-width: 34rem; }}
svg text {{ font: 12px system-ui, sans-serif; fill: var(--ink); }}
svg text.small {{ font-size: 10.5px; fill: var(--muted); }}
svg text.value {{ font-weight: 600; fill: var(--ink); font-variant-numeric: tabular-nums; }}
svg text.second {{ font-weight: 600; fill: var(--second); }}
svg text.on-mark {{ font-size: 10px; font-weight: 700; fill: var(--paper); pointer-events: none; }}
.wide {{ overflow-x: auto; margin: .5rem 0; border: 1px solid var(--edge); border-radius: .4rem; }}
.wide:focus-visible, summary:focus-visible {{ outline: 2px solid var(--series); outline-offset: 2px; }}
table {{ border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; }}
caption {{ text-align: left; font-weight: 600; padding: .4rem .6rem; }}
th, td {{ padding: .3rem .6rem; text-align: right; border-top: 1px solid var(--grid); white-space: nowrap; }}
thead th {{ color: var(--muted); font-weight: 600; vertical-align: bottom; white-space: normal; min-width: 4.5rem; }}
th:first-child {{ text-align: left; position: sticky; left: 0; background: var(--paper); font-weight: 600;
  white-space: normal; min-width: 8.5rem; max-width: 15rem; overflow-wrap: break-word; }}
details {{ margin: .6rem 0; }}
summary {{ cursor: pointer; color: var(--series); padding: .3rem 0; }}
.pictures {{ display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(min(46%, 16rem), 1fr)); }}
.three {{ grid-template-columns: repeat(3, 1fr); gap: .3rem; }}
.pictures figure {{ margin: 0; min-width: 0; }}
.pictures svg {{ display: block; width: 100%; height: auto; background: #000; }}
.pixels {{ image-rendering: pixelated; }}
.defs {{ position: absolute; width: 0; height: 0; overflow: hidden; }}
dl {{ display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .15rem 1rem; margin: .4rem 0;
  font-size: .875rem; }}
dt {{ color: var(--muted); }}
dd {{ margin: 0; }}
footer {{ margin-top: 2.5rem; border-top: 1px solid var(--edge); padding-top: .6rem; color: var(--muted);
  font-size: .875rem; }}
@media (max-width: 30rem) {{
  body {{ padding: .7rem; }} dl {{ grid-template-columns: minmax(6rem, 38%) 1fr; gap: .15rem .6rem; }}
  th:first-child {{ min-width: 8rem; max-width: 9rem; font-size: .8125rem; }}
}}
@media print {{
  body {{ max-width: none; font-size: 10pt; -webkit-print-color-adjust: exact; print-color-adjust: exact; }}
  .card, figure, tr {{ break-inside: avoid; }}
  h2, h3 {{ break-after: avoid; }}
  details::details-content {{ content-visibility: visible; block-size: auto; }}
  summary {{ display: none; }}
  .wide {{ overflow: visible; border: 0; }}
  th, td, thead th, th:first-child {{ position: static; white-space: normal; overflow-wrap: anywhere; min-width: 0;
    padding: .1rem .2rem; font-size: 7pt; }}
  .charts {{ grid-template-columns: 1fr 1fr; }}
  .pictures {{ grid-template-columns: repeat(4, 1fr); }}
  .three {{ grid-template-columns: repeat(3, 1fr); }}
}}
"""
