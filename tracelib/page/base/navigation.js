// Scrolls to an element once, moves from message to message by key, and marks the search terms.
// Trusted, and without data of others: its input is the classes of elements and a token, all our
// own, and the viewer's search terms.

const MESSAGES = "[class*=st-key-role-]";
const FAILURES = "[class*=st-key-failed-]";
const TURNS = "[class*=st-key-turn-]";
const BAR = ".st-key-conversation-bar"; // stays at the top of the screen, below the header
const TRANSCRIPT = ".st-key-transcript";
const INPUTS = "input, textarea, select, canvas, [contenteditable], [role=combobox], [role=listbox], [role=dialog]";
const TOP = 72; // px below Streamlit's header, where the content begins
const PATIENCE = 4000; // ms to wait for an element that is not drawn yet
const STATUS_SHOWN = 2000; // ms for which a status is shown
const MARK_AFTER = 150; // ms in which changes of the page are gathered
const MOST_MARKED = 2000;

const STEPS = {
  j: () => move(MESSAGES, 1, "No more messages"),
  k: () => move(MESSAGES, -1, "No earlier messages"),
  n: () => move(FAILURES, 1, "No more failures"),
  p: () => move(FAILURES, -1, "No earlier failures"),
  g: () => goTo(document.querySelector(MESSAGES)),
  G: () => goTo([...document.querySelectorAll(MESSAGES)].pop()),
};

let scrolledFor = null; // the token whose element was scrolled to
let waiting = null; // the timer that waits for an element, or holds it while charts above are drawn
let status = null; // the element that shows a status
let clearing = null; // the timer that clears it
let marking = null; // the timer that marks the search terms
const changes = new MutationObserver(markSoon);
let words = "";

export default function ({ data, parentElement }) {
  status = parentElement.querySelector("[role=status]");
  const back = parentElement.querySelector("button");
  back.hidden = !data.back;
  back.onclick = () => goTo(document.getElementsByClassName(data.back)[0]);
  // Adding the same listener again has no effect.
  document.addEventListener("keydown", onKey);
  for (const moved of ["wheel", "touchmove", "pointerdown"]) {
    document.addEventListener(moved, stopWaiting, { passive: true });
  }
  if (data.token !== scrolledFor) {
    scrolledFor = data.token;
    stopWaiting();
    if (data.target) hold(data.target);
  }
  words = data.words;
  changes.disconnect();
  if (words) changes.observe(document.body, { childList: true, characterData: true, subtree: true });
  markSoon();
  return remove;
}

function remove() {
  document.removeEventListener("keydown", onKey);
  for (const moved of ["wheel", "touchmove", "pointerdown"]) {
    document.removeEventListener(moved, stopWaiting);
  }
  stopWaiting();
  scrolledFor = null;
  changes.disconnect();
  clearTimeout(marking);
  CSS.highlights?.delete("match");
}

function onKey(event) {
  stopWaiting();
  const step = STEPS[event.key];
  const [at] = event.composedPath();
  if (!step || event.ctrlKey || event.metaKey || event.altKey || at.closest?.(INPUTS)) return;
  event.preventDefault();
  step();
}

function move(selector, direction, atEnd) {
  const element = neighbour(selector, direction);
  if (element) goTo(element);
  else showStatus(`${atEnd} on this page`);
}

function showStatus(sentence) {
  status.textContent = sentence;
  clearTimeout(clearing);
  clearing = setTimeout(() => (status.textContent = ""), STATUS_SHOWN);
}

// The top of the content: below all that stays at the top of the screen.
function contentTop() {
  return TOP + (document.querySelector(BAR)?.offsetHeight ?? 0);
}

function goTo(element) {
  if (!element) return;
  element.style.scrollMarginTop = `${contentTop()}px`;
  element.tabIndex = -1;
  element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "start" });
  // The error of a request is below all of its messages.
  if (element.matches(TURNS)) element.querySelector(FAILURES)?.scrollIntoView({ block: "nearest" });
}

// Which is the next one (or with -1 the one before), from the viewer's position?
function neighbour(selector, direction) {
  const elements = [...document.querySelectorAll(selector)];
  const here = elements.indexOf(document.activeElement);
  if (here >= 0 && isVisible(elements[here])) return elements[here + direction];
  const below = (element) => element.getBoundingClientRect().top - contentTop();
  return direction > 0
    ? elements.find((element) => below(element) > 1)
    : elements.findLast((element) => below(element) < -1);
}

function isVisible(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < window.innerHeight;
}

function hold(target) {
  const until = performance.now() + PATIENCE;
  let top = null;
  waiting = setInterval(() => {
    const element = document.getElementsByClassName(target)[0];
    if (performance.now() > until) stopWaiting();
    if (!element || Math.round(element.getBoundingClientRect().top) === top) return;
    goTo(element);
    top = Math.round(element.getBoundingClientRect().top);
  }, 100);
}

function stopWaiting() {
  clearInterval(waiting);
}

function markSoon() {
  clearTimeout(marking);
  marking = setTimeout(mark, MARK_AFTER);
}

// Marks the search terms without changing the page: the browser paints them.
function mark() {
  if (!CSS.highlights) return;
  CSS.highlights.delete("match");
  const ranges = words ? matches(words) : [];
  if (ranges.length) CSS.highlights.set("match", new Highlight(...ranges));
}

function matches(words) {
  const pattern = new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
  const ranges = [];
  for (const transcript of document.querySelectorAll(TRANSCRIPT)) {
    const texts = document.createTreeWalker(transcript, NodeFilter.SHOW_TEXT);
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
