// Shows what was just opened from its top, and what the viewer returns to at its last position.
// Trusted, and without data of others: its input is a name for what the page shows.

const SCROLLED = ["[data-testid=stMain]", ".st-key-results .dvn-scroller"]; // the page, its table
const PATIENCE = 60000; // ms to wait for a position that is not drawn yet
const STEADY = 1000; // ms for which a position is held while things above it are drawn

let shown = null; // the name of what the page shows
let clicked = null; // how far it was scrolled at the last click or key, before the next page replaces it
let holding = null; // the timer that scrolls the page to its position
const positions = new Map(); // how far each was scrolled when the viewer left it

export default function ({ data }) {
  for (const action of ["pointerdown", "keydown"]) document.addEventListener(action, rememberPosition, true);
  for (const move of ["wheel", "touchmove"]) document.addEventListener(move, release, true);
  if (data.shown !== shown) {
    if (shown !== null) positions.set(shown, clicked ?? currentTops());
    shown = data.shown;
    clicked = null;
    hold(positions.get(shown) ?? SCROLLED.map(() => 0));
  }
  return remove;
}

function remove() {
  for (const action of ["pointerdown", "keydown"]) document.removeEventListener(action, rememberPosition, true);
  for (const move of ["wheel", "touchmove"]) document.removeEventListener(move, release, true);
  release();
  shown = clicked = null;
  positions.clear();
}

function rememberPosition() {
  release();
  clicked = currentTops();
}

function release() {
  clearInterval(holding);
}

function hold(tops) {
  release();
  const until = performance.now() + PATIENCE;
  let since = null; // when it was first there
  const scrollAll = () => {
    const isInPlace = SCROLLED.map((one, index) => scroll(one, tops[index])).every(Boolean);
    const now = performance.now();
    since = isInPlace ? (since ?? now) : null;
    if (now > until || (isInPlace && now - since > STEADY)) release();
  };
  scrollAll();
  if (tops.some((top) => top > 0)) holding = setInterval(scrollAll, 50);
}

// Scrolls the element to this position if it can; returns whether it is there.
function scroll(selector, top) {
  const element = document.querySelector(selector);
  if (element) element.scrollTop = top;
  return Math.abs((element?.scrollTop ?? 0) - top) < 2;
}

function currentTops() {
  return SCROLLED.map((one) => document.querySelector(one)?.scrollTop ?? 0);
}
