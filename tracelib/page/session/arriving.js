// Shows what has just been opened from its top, and what is returned to as it was left.
// Trusted, and without data of others: it is given a name for what the page shows.

const SCROLLED = ["[data-testid=stMain]", ".st-key-results .dvn-scroller"]; // the page, its table
const PATIENCE = 60000; // ms until a place that is not drawn by then is given up
const STEADY = 1000; // ms for which a place is held while things above it are drawn

let shown = null; // the name of what the page shows
let clicked = null; // how far it was scrolled at the last click or key: what is opened takes its place
let holding = null; // the timer that brings the page to its place
const left = new Map(); // how far each was scrolled when it was left

export default function ({ data }) {
  for (const acts of ["pointerdown", "keydown"]) document.addEventListener(acts, note, true);
  for (const moves of ["wheel", "touchmove"]) document.addEventListener(moves, letGo, true);
  if (data.shown !== shown) {
    if (shown !== null) left.set(shown, clicked ?? tops());
    shown = data.shown;
    clicked = null;
    hold(left.get(shown) ?? SCROLLED.map(() => 0));
  }
  return leave;
}

function leave() {
  for (const acts of ["pointerdown", "keydown"]) document.removeEventListener(acts, note, true);
  for (const moves of ["wheel", "touchmove"]) document.removeEventListener(moves, letGo, true);
  letGo();
  shown = clicked = null;
  left.clear();
}

function note() {
  letGo();
  clicked = tops();
}

function letGo() {
  clearInterval(holding);
}

function hold(wanted) {
  letGo();
  const until = performance.now() + PATIENCE;
  let since = null; // when it was first there
  const bring = () => {
    const isThere = SCROLLED.map((one, index) => scroll(one, wanted[index])).every(Boolean);
    const now = performance.now();
    since = isThere ? (since ?? now) : null;
    if (now > until || (isThere && now - since > STEADY)) letGo();
  };
  bring();
  if (wanted.some((top) => top > 0)) holding = setInterval(bring, 50);
}

// Scrolls it so far, if it can be by now; whether it is there.
function scroll(selector, top) {
  const place = document.querySelector(selector);
  if (place) place.scrollTop = top;
  return Math.abs((place?.scrollTop ?? 0) - top) < 2;
}

function tops() {
  return SCROLLED.map((one) => document.querySelector(one)?.scrollTop ?? 0);
}
