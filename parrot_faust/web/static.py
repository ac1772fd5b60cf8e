"""The page's style, its icon and its one script."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #5b6675; --page: #f4f6f8; --card: #fff; --line: #dfe3e8;
  --good: #17703a; --bad: #b3261e; --warn: #8a5a00; --tint: 10%; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --dim: #9aa6b5; --page: #12161c; --card: #1a2029;
  --line: #2c3542; --good: #63d18c; --bad: #ff8a80; --warn: #f2c066; --tint: 16%; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1.25rem; background: var(--page); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
main { max-width: 92rem; margin: auto; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem .8rem; margin: 0 0 1rem; }
h1 { font-size: 1.35rem; margin: 0; letter-spacing: -.01em; } h1 small { color: var(--dim); font-weight: 400; }
h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
.about { color: var(--dim); margin: 0; } header .about { margin-left: auto; }
.pill { margin: 0; padding: .1rem .7rem; border-radius: 1rem; font-weight: 600;
  background: color-mix(in srgb, currentColor var(--tint), transparent); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .6rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .6rem .9rem; }
.card b { display: block; font-size: 1.6rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.card span { color: var(--dim); } .card.trouble b { color: var(--bad); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(34rem, 100%), 1fr)); gap: 0 1.5rem; }
.pair section { min-width: 0; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .65rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--dim); font-weight: 500; } .text { text-align: left; } tr:last-child td { border-bottom: 0; }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--card); }
.detail { display: inline-block; max-width: 30rem; overflow: hidden; text-overflow: ellipsis; vertical-align: bottom; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; } .warn { color: var(--warn); }
.none { color: var(--dim); }
.banner { border: 1px solid; border-radius: .6rem; padding: .6rem .9rem; margin: 0 0 1rem; font-weight: 400;
  overflow-wrap: anywhere; background: color-mix(in srgb, currentColor var(--tint), transparent); }
body.silent main { opacity: .45; }
body.silent::before { content: "The worker does not answer. What you see is the last it said."; display: block;
  position: sticky; top: 0; z-index: 1; margin: 0 auto 1rem; max-width: 92rem; padding: .6rem .9rem;
  border-radius: .6rem; background: var(--bad); color: var(--page); font-weight: 600; }
@media (max-width: 34rem) { body { padding: .75rem; } header .about { margin-left: 0; }
  .cards { grid-template-columns: repeat(3, 1fr); } .card { padding: .45rem .6rem; } .card b { font-size: 1.15rem; }
  .card span { font-size: .85rem; } th, td { padding: .4rem .55rem; }
  th:first-child, td:first-child { min-width: 8.5rem; white-space: normal; overflow-wrap: anywhere; } }
"""

ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="15" fill="#1f9d57"/>
<path d="M9 24V13a7 7 0 0 1 14 0c0 4-3 5-6 5v6z" fill="#fff"/><path d="M22 11l6 4-6 3z" fill="#f2c066"/>
<circle cx="18" cy="12" r="1.8" fill="#12161c"/></svg>
"""

#: Takes over only the parts that have changed, so that a table keeps its place; one with selected text stays as it is.
LIVE = """
const title = document.title;
function parts(main) {
  return [...main.querySelectorAll('header, section')];
}
function take(fresh) {
  const old = parts(document), now = parts(fresh), chosen = getSelection();
  if (old.length !== now.length) {
    document.querySelector('main').replaceWith(fresh.querySelector('main'));
    return;
  }
  old.forEach((part, index) => {
    if (part.innerHTML === now[index].innerHTML || (!chosen.isCollapsed && part.contains(chosen.anchorNode))) return;
    const left = part.querySelector('.wide')?.scrollLeft ?? 0;
    part.replaceWith(now[index]);
    if (left) now[index].querySelector('.wide')?.scrollTo(left, 0);
  });
}
async function renew() {
  try {
    const answer = await fetch(location.href, {headers: {Accept: 'text/html'}, signal: AbortSignal.timeout(5000)});
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
    take(fresh);
    document.title = title;
    document.body.classList.remove('silent');
  } catch (error) {
    document.title = 'no answer - ' + title;
    document.body.classList.add('silent');
  }
  setTimeout(renew, 1500);
}
setTimeout(renew, 1500);
"""
