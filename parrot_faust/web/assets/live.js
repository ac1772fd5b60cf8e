// Takes over only the parts that have changed, so that a table keeps its place; one with selected text stays as it is,
// as one in which something is being typed or a lid is open, and the keyboard's focus stays on the same link or button.
const title = document.title;
function parts(main) {
  return [...main.querySelectorAll('main > header, main > section')];
}
function busy(part) {
  const chosen = getSelection(), active = document.activeElement;
  return part.querySelector('details[open]') !== null || (!chosen.isCollapsed && part.contains(chosen.anchorNode)) || (part.contains(active) && active.matches('input'));
}
// What tells one link, button or table of a part from the others, whatever is written on it.
function purpose(element) {
  const fields = element.form ? [element.form.action, ...new FormData(element.form)] : [];
  return [element.tagName, element.getAttribute('href'), ...fields].join(' ');
}
function swap(part, fresh) {
  const left = [...part.querySelectorAll('.wide')].map(table => table.scrollLeft), active = document.activeElement;
  const sought = part.contains(active) ? purpose(active) : null;
  part.replaceWith(fresh);
  fresh.querySelectorAll('.wide').forEach((table, index) => table.scrollTo(left[index] ?? 0, 0));
  if (sought === null) return;
  const found = [...fresh.querySelectorAll('a, button, summary, .wide')];
  (found.find(each => purpose(each) === sought) ?? found[0])?.focus({preventScroll: true});
}
function take(fresh) {
  const old = parts(document), now = parts(fresh);
  if (old.length !== now.length) {
    document.querySelector('main').replaceWith(fresh.querySelector('main'));
    return;
  }
  old.forEach((part, index) => {
    if (part.innerHTML !== now[index].innerHTML && !busy(part)) swap(part, now[index]);
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
  setTimeout(renew, document.hidden ? 15000 : 1500);
}
setTimeout(renew, 1500);
