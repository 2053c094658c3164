// Brings a passage into view once, moves from message to message by key, and marks sought words.
// Trusted, and without data of others: it is given elements' classes and a token, all our own, and
// the words that the reader seeks.

const MESSAGES = "[class*=st-key-role-]";
const FAILURES = "[class*=st-key-failed-]";
const TURNS = "[class*=st-key-turn-]";
const BAR = ".st-key-way"; // stays at the top of the screen, below the header
const SAID = ".st-key-transcript";
const TYPED_IN = "input, textarea, select, canvas, [contenteditable], [role=combobox], [role=listbox], [role=dialog]";
const TOP = 72; // px below Streamlit's header, where reading begins
const PATIENCE = 4000; // ms until a passage that is not drawn yet is given up
const TOLD = 2000; // ms for which a sentence stands
const MARKED_AFTER = 150; // ms in which changes of the page are gathered
const MOST_MARKED = 2000;

const STEPS = {
  j: () => move(MESSAGES, 1, "No more messages"),
  k: () => move(MESSAGES, -1, "No earlier messages"),
  n: () => move(FAILURES, 1, "No more failures"),
  p: () => move(FAILURES, -1, "No earlier failures"),
  g: () => goTo(document.querySelector(MESSAGES)),
  G: () => goTo([...document.querySelectorAll(MESSAGES)].pop()),
};

let followed = null; // the token whose passage was brought into view
let patience = null; // the timer that waits for a passage, or holds it while charts above are drawn
let status = null; // where a sentence is said
let silence = null; // the timer that takes it back
let marking = null; // the timer that marks the sought words
const drawn = new MutationObserver(markSoon);
let words = "";

export default function ({ data, parentElement }) {
  status = parentElement.querySelector("[role=status]");
  const back = parentElement.querySelector("button");
  back.hidden = !data.back;
  back.onclick = () => goTo(document.getElementsByClassName(data.back)[0]);
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
  words = data.words;
  drawn.disconnect();
  if (words) drawn.observe(document.body, { childList: true, characterData: true, subtree: true });
  markSoon();
  return leave;
}

function leave() {
  document.removeEventListener("keydown", onKey);
  for (const moved of ["wheel", "touchmove", "pointerdown"]) {
    document.removeEventListener(moved, stopWaiting);
  }
  stopWaiting();
  followed = null;
  drawn.disconnect();
  clearTimeout(marking);
  CSS.highlights?.delete("sought");
}

function onKey(event) {
  stopWaiting();
  const step = STEPS[event.key];
  const [at] = event.composedPath();
  if (!step || event.ctrlKey || event.metaKey || event.altKey || at.closest?.(TYPED_IN)) return;
  event.preventDefault();
  step();
}

function move(selector, direction, otherwise) {
  const place = neighbour(selector, direction);
  if (place) goTo(place);
  else tell(`${otherwise} on this page`);
}

function tell(sentence) {
  status.textContent = sentence;
  clearTimeout(silence);
  silence = setTimeout(() => (status.textContent = ""), TOLD);
}

// Where does reading begin? Below all that stays at the top of the screen.
function readingTop() {
  return TOP + (document.querySelector(BAR)?.offsetHeight ?? 0);
}

function goTo(place) {
  if (!place) return;
  place.style.scrollMarginTop = `${readingTop()}px`;
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
  place.scrollIntoView({ block: "start" });
  // What a request failed with stands below all that it was sent with.
  if (place.matches(TURNS)) place.querySelector(FAILURES)?.scrollIntoView({ block: "nearest" });
}

// Which is the next one (or with -1 the one before), from where the reader is?
function neighbour(selector, direction) {
  const places = [...document.querySelectorAll(selector)];
  const here = places.indexOf(document.activeElement);
  if (here >= 0 && isSeen(places[here])) return places[here + direction];
  const below = (place) => place.getBoundingClientRect().top - readingTop();
  return direction > 0
    ? places.find((place) => below(place) > 1)
    : places.findLast((place) => below(place) < -1);
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

function markSoon() {
  clearTimeout(marking);
  marking = setTimeout(mark, MARKED_AFTER);
}

// Marks the sought words without touching the page: the browser paints them.
function mark() {
  if (!CSS.highlights) return;
  CSS.highlights.delete("sought");
  const ranges = words ? places(words) : [];
  if (ranges.length) CSS.highlights.set("sought", new Highlight(...ranges));
}

function places(sought) {
  const pattern = new RegExp(sought.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
  const ranges = [];
  for (const said of document.querySelectorAll(SAID)) {
    const texts = document.createTreeWalker(said, NodeFilter.SHOW_TEXT);
    while (texts.nextNode() && ranges.length < MOST_MARKED) {
      for (const found of texts.currentNode.data.matchAll(pattern)) {
        ranges.push(rangeOf(texts.currentNode, found));
      }
    }
  }
  return ranges.slice(0, MOST_MARKED);
}

function rangeOf(text, found) {
  const range = document.createRange();
  range.setStart(text, found.index);
  range.setEnd(text, found.index + found[0].length);
  return range;
}
