/** Of the report: one column of text and drawings, light and dark, and plain on paper. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --ink: #1f2328; --muted: #656b73; --grid: #e4e4de; --band: #f4f4ef;
  --qat: #c2500a; --a2q: #0068a8; --a2q-plus: #00805c; --bad: #b02a1c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --ink: #e6e4df; --muted: #9aa0a6; --grid: #2c3136; --band: #1c2024;
    --qat: #f08a4b; --a2q: #56b4e9; --a2q-plus: #2fc795; --bad: #ff8a7a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums lining-nums;
}
main { max-width: 50rem; margin: 0 auto; padding: 3rem 1.5rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 0.75rem; text-wrap: balance; }
h2 { font-size: 1.2rem; margin: 3rem 0 0.25rem; letter-spacing: -0.005em; }
p { margin: 0 0 1rem; max-width: 44rem; text-wrap: pretty; }
.lead { font-size: 1.08rem; }
.muted, figcaption, footer { color: var(--muted); }
figure { margin: 1rem 0 0; }
figure svg { display: block; width: 100%; height: auto; overflow: visible; }
figure svg text { font-family: inherit; }
.narrow { display: none; }
figcaption, footer { font-size: 0.875rem; line-height: 1.5; }
figcaption { margin-top: 0.5rem; max-width: 44rem; }
.qat { color: var(--qat); } .a2q { color: var(--a2q); } .a2q-plus { color: var(--a2q-plus); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { padding: 0.32rem 0.7rem; text-align: right; white-space: nowrap; }
thead th { font-weight: 600; white-space: normal; vertical-align: bottom; line-height: 1.25;
  border-bottom: 1.5px solid var(--ink); }
th:first-child { text-align: left; font-weight: 600; }
tbody tr:first-child > * { border-top: 1px solid var(--grid); }
tbody:first-of-type tr:first-child > * { border-top: 0; }
tbody:last-child { border-bottom: 1.5px solid var(--ink); }
.bad { color: var(--bad); font-weight: 600; }
.meter { --bar: color-mix(in srgb, var(--muted) 45%, transparent);
  min-width: 5.5rem; padding-bottom: 0.5rem; background-origin: content-box; background-repeat: no-repeat;
  background-image: linear-gradient(var(--bar), var(--bar)), linear-gradient(var(--grid), var(--grid));
  background-position: 0 calc(100% + 0.3rem); background-size: calc(var(--share) * 100%) 4px, 100% 4px; }
.confusion td { background: color-mix(in srgb, var(--hue) calc(var(--share) * 55%), transparent); min-width: 2.2rem;
  text-align: center; padding: 0.3rem 0.2rem; }
.confusion tbody tr > * { border-top: 0; }
.confusion thead th { text-align: center; font-weight: 400; padding: 0.3rem 0.2rem; }
.confusion th span { display: inline-block; max-width: 11rem; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; vertical-align: bottom; }
.confusion thead th span { writing-mode: vertical-rl; transform: rotate(180deg); max-width: none; max-height: 9rem; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 0.75rem; margin-top: 1rem; }
.tiles.small { grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)); }
.tiles figure { margin: 0; }
.tiles img { display: block; width: 100%; height: auto; }
.tiles.small img, .tiles figure:first-child img { image-rendering: pixelated; }
.tiles figcaption { margin-top: 0.25rem; line-height: 1.3; overflow-wrap: anywhere; }
footer { margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--grid); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1.25rem; margin: 0 0 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
code { font-size: 0.92em; }
@media screen and (max-width: 40rem) {
  main { padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.55rem; }
  .lead { font-size: 1rem; }
  .wide { display: none; } .narrow { display: block; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 0.6rem; }
  th, td { padding: 0.32rem 0.5rem; }
  .confusion th span { max-width: 5.5rem; }
  .confusion td { min-width: 1.5rem; padding: 0.3rem 0.1rem; }
}
@media print {
  :root {
    color-scheme: light;
    --paper: #fff; --ink: #000; --muted: #444; --grid: #ddd; --band: #f4f4f4;
    --qat: #c2500a; --a2q: #0068a8; --a2q-plus: #00805c; --bad: #b02a1c;
  }
  @page { margin: 16mm; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  figure, table, tbody { break-inside: avoid; }
  h2 { break-after: avoid; margin-top: 1.5rem; }
}
`;
