// Brings a passage into view once, and moves from message to message by key.
// Trusted, and without data of others: it is given an element's class and a token, both our own.

const MESSAGES = "[class*=st-key-role-]";
const FAILURES = "[class*=st-key-failed-]";
const TYPED_IN = "input, textarea, select, canvas, [contenteditable], [role=combobox], [role=listbox], [role=dialog]";
const TOP = 72; // px below Streamlit's header, where reading begins
const PATIENCE = 4000; // ms until a passage that is not drawn yet is given up

const STEPS = {
  j: () => goTo(neighbour(MESSAGES, 1)),
  k: () => goTo(neighbour(MESSAGES, -1)),
  n: () => goTo(neighbour(FAILURES, 1)),
  p: () => goTo(neighbour(FAILURES, -1)),
  g: () => goTo(document.querySelector(MESSAGES)),
  G: () => goTo([...document.querySelectorAll(MESSAGES)].pop()),
};

let followed = null; // the token whose passage was brought into view
let patience = null; // the timer that waits for a passage, or holds it while charts above are drawn

export default function ({ data }) {
  // The same listener again is no second one.
  document.addEventListener("keydown", onKey);
  for (const moved of ["wheel", "touchmove", "pointerdown"]) {
    document.addEventListener(moved, stopWaiting, { passive: true });
  }
  if (data.token !== followed) {
    followed = data.token;
    stopWaiting();
    if (data.target) hold(data.target);
  }
  return leave;
}

function leave() {
  document.removeEventListener("keydown", onKey);
  for (const moved of ["wheel", "touchmove", "pointerdown"]) {
    document.removeEventListener(moved, stopWaiting);
  }
  stopWaiting();
  followed = null;
}

function onKey(event) {
  stopWaiting();
  const step = STEPS[event.key];
  const [at] = event.composedPath();
  if (!step || event.ctrlKey || event.metaKey || event.altKey || at.closest?.(TYPED_IN)) return;
  event.preventDefault();
  step();
}

function goTo(place) {
  if (!place) return;
  place.style.scrollMarginTop = `${TOP}px`;
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
  place.scrollIntoView({ block: "start" });
}

// Which is the next one (or with -1 the one before), from where the reader is?
function neighbour(selector, direction) {
  const places = [...document.querySelectorAll(selector)];
  const here = places.indexOf(document.activeElement);
  if (here >= 0 && isSeen(places[here])) return places[here + direction];
  const top = (place) => place.getBoundingClientRect().top;
  return direction > 0
    ? places.find((place) => top(place) > TOP + 1)
    : places.findLast((place) => top(place) < TOP - 1);
}

function isSeen(place) {
  const { top, bottom } = place.getBoundingClientRect();
  return bottom > 0 && top < window.innerHeight;
}

function hold(target) {
  const until = performance.now() + PATIENCE;
  let top = null;
  patience = setInterval(() => {
    const place = document.getElementsByClassName(target)[0];
    if (performance.now() > until) stopWaiting();
    if (!place || Math.round(place.getBoundingClientRect().top) === top) return;
    goTo(place);
    top = Math.round(place.getBoundingClientRect().top);
  }, 100);
}

function stopWaiting() {
  clearInterval(patience);
}
