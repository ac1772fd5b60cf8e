// Takes over only the parts that have changed, so that a table keeps its place; one with selected text stays as it is,
// as one in which something is being typed, and the keyboard's focus goes to what was focused.
const title = document.title;
function parts(main) {
  return [...main.querySelectorAll('header, section')];
}
function busy(part) {
  const chosen = getSelection(), active = document.activeElement;
  return (!chosen.isCollapsed && part.contains(chosen.anchorNode)) || (part.contains(active) && active.matches('input'));
}
function swap(part, fresh) {
  const left = part.querySelector('.wide')?.scrollLeft ?? 0, active = document.activeElement;
  const target = part.contains(active) ? active.getAttribute('href') : null;
  const inside = target === null && part.contains(active);
  part.replaceWith(fresh);
  if (left) fresh.querySelector('.wide')?.scrollTo(left, 0);
  if (target !== null) fresh.querySelector(`a[href="${CSS.escape(target)}"]`)?.focus({preventScroll: true});
  else if (inside) fresh.querySelector('.wide, button')?.focus({preventScroll: true});
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
