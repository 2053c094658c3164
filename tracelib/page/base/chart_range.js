// Chooses a time in a chart over time: by a drag or a click of a mouse, by taps, by keys.
// Trusted: its input becomes text and attributes, never markup. A mark on a chart is a time, not a
// position, so that a refresh in between does not move it.

const DRAGGED = 5; // px from which a pressed mouse is a drag
const STILL = 10; // px within which a finger is a tap
const BRIEF = 700; // ms within which a finger is a tap
const PATIENCE = 5000; // ms after which a choice is shown no longer that changed nothing
const PLOT = ".nsewdrag"; // Plotly's area of a panel, within the axes
const OTHERS = "a, button, input, .modebar, .legend";

let charts = []; // each with its class, its title, and which axis it has
let axes = []; // the buckets of each: edges, names, middles
let send = null;
let layer = null;
let status = null;
let press = null; // what is pressed: where, since when, and whether it has become a drag
let mark = null; // what is marked: on which chart, between which times, and how
let giveUp = null;
const changes = new MutationObserver(soon);
let preparing = null;

export default function ({ data, parentElement, setTriggerValue }) {
  ({ charts, axes } = data);
  send = (since, until) => setTriggerValue("chosen", [since, until]);
  layer = parentElement.querySelector(".chart-range");
  status = parentElement.querySelector(".chart-range-status");
  layer.querySelector(".chart-range-show").onclick = choose;
  layer.querySelector(".chart-range-cancel").onclick = cancel;
  // Adding the same listener again has no effect.
  for (const [name, heard] of HEARD) document.addEventListener(name, heard, { capture: true });
  window.addEventListener("resize", draw);
  changes.observe(document.body, { childList: true, subtree: true });
  if (mark?.isSent) cancel();
  prepare();
  draw();
  const own = layer;
  // On another page the next one may be there before this one goes.
  return () => { if (layer === own) remove(); };
}

const HEARD = [
  ["pointerdown", onDown],
  ["pointermove", onMove],
  ["pointerup", onUp],
  ["pointercancel", onCancel],
  ["keydown", onKey],
  ["focusin", onFocus],
  ["focusout", onBlur],
  ["scroll", draw],
];

function remove() {
  for (const [name, heard] of HEARD) document.removeEventListener(name, heard, { capture: true });
  window.removeEventListener("resize", draw);
  changes.disconnect();
  clearTimeout(preparing);
  clearTimeout(giveUp);
  press = mark = null;
}

function soon() {
  clearTimeout(preparing);
  preparing = setTimeout(() => { prepare(); draw(); }, 150);
}

// Lets each chart have the focus, and say what can be done in it.
function prepare() {
  for (const chart of charts) {
    const element = elementOf(chart);
    if (!element || element.dataset.overTime === chart.title) continue;
    element.dataset.overTime = chart.title;
    element.tabIndex = 0;
    element.setAttribute("role", "group");
    element.setAttribute(
      "aria-label",
      `${chart.title}, chart over time. Arrow keys choose a time, Enter shows only this time.`,
    );
  }
}

function elementOf(chart) {
  return document.getElementsByClassName(chart.class)[0];
}

// The area within the axes; a chart with two panels has one for both.
function areaOf(chart) {
  const panels = [...(elementOf(chart)?.querySelectorAll(PLOT) ?? [])];
  if (!panels.length) return null;
  const rects = panels.map((panel) => panel.getBoundingClientRect());
  const top = Math.min(...rects.map((rect) => rect.top));
  const bottom = Math.max(...rects.map((rect) => rect.bottom));
  return { left: rects[0].left, width: rects[0].width, top, height: bottom - top };
}

function chartAt(event) {
  if (event.target.closest?.(OTHERS)) return null;
  const chart = charts.find((one) => elementOf(one)?.contains(event.target));
  const area = chart && areaOf(chart);
  const isInside = area
    && event.clientX >= area.left && event.clientX <= area.left + area.width
    && event.clientY >= area.top && event.clientY <= area.top + area.height;
  return isInside ? chart : null;
}

// The bucket whose bar is nearest to this place on the screen.
function bucketAt(chart, x) {
  const area = areaOf(chart);
  const share = area ? (x - area.left) / area.width : 0;
  const { middles } = axes[chart.axis];
  let nearest = 0;
  middles.forEach((middle, number) => {
    if (Math.abs(middle - share) < Math.abs(middles[nearest] - share)) nearest = number;
  });
  return nearest;
}

// A bucket as the time it begins, which stays the same when the axis moves on.
function timeOf(chart, bucket) {
  return Date.parse(axes[chart.axis].edges[bucket]);
}

function bucketOf(chart, time) {
  const { edges, middles } = axes[chart.axis];
  const after = edges.findIndex((edge) => Date.parse(edge) > time);
  return Math.min(Math.max((after < 0 ? middles.length : after) - 1, 0), middles.length - 1);
}

function onDown(event) {
  press = null;
  if (event.target.closest?.(".chart-range")) return;
  const chart = event.isPrimary && chartAt(event);
  if (!chart) return cancel();
  if (event.button || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const time = timeOf(chart, bucketAt(chart, event.clientX));
  const isTouch = event.pointerType === "touch";
  press = { name: chart.class, time, x: event.clientX, y: event.clientY, at: event.timeStamp, isTouch };
}

function onMove(event) {
  const chart = press && charts.find((one) => one.class === press.name);
  if (!chart || press.isTouch || !event.isPrimary) return;
  if (!press.isDrag && Math.abs(event.clientX - press.x) < DRAGGED) return;
  press.isDrag = true;
  set(chart, press.time, timeOf(chart, bucketAt(chart, event.clientX)), "drag");
}

function onUp(event) {
  const chart = press && charts.find((one) => one.class === press.name);
  const { isTouch, isDrag, time, x, y, at } = press ?? {};
  press = null;
  if (!chart || !event.isPrimary) return;
  const moved = Math.hypot(event.clientX - x, event.clientY - y);
  if (isTouch) {
    if (moved < STILL && event.timeStamp - at < BRIEF) tap(chart, time);
    return;
  }
  if (!isDrag && moved < DRAGGED) set(chart, time, time, "drag");
  if (mark) choose();
}

// The first tap marks a time, the next one all up to it: a tap shows the values, too.
function tap(chart, time) {
  const isSecond = mark?.name === chart.class && mark.how === "tap";
  set(chart, isSecond ? mark.anchor : time, time, "tap");
}

function onCancel() {
  if (press?.isDrag) cancel();
  press = null;
}

function onKey(event) {
  if (event.key === "Escape" && mark) {
    press = null;
    cancel();
    return;
  }
  const chart = charts.find((one) => elementOf(one) === event.target);
  if (!chart || event.ctrlKey || event.metaKey || event.altKey) return;
  const isHere = mark?.name === chart.class && mark.anchor !== null;
  if (event.key === "Enter" && isHere) choose();
  else if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) step(chart, event, isHere);
  else return;
  event.preventDefault();
}

function step(chart, event, isHere) {
  const last = axes[chart.axis].middles.length - 1;
  const at = isHere ? bucketOf(chart, mark.head) : last + (event.key === "ArrowLeft");
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
  const head = timeOf(chart, Math.min(Math.max(to, 0), last));
  set(chart, event.shiftKey && isHere ? mark.anchor : head, head, "keys");
  status.textContent = `${wordsOf(chart)}. Enter shows only this time.`;
}

function onFocus(event) {
  const chart = charts.find((one) => elementOf(one) === event.target);
  if (chart && event.target.matches(":focus-visible") && mark?.name !== chart.class) {
    set(chart, null, null, "keys");
  }
}

function onBlur(event) {
  if (mark?.how === "keys" && !mark.isSent && !event.relatedTarget?.closest?.(".chart-range")) cancel();
}

function set(chart, anchor, head, how) {
  mark = { name: chart.class, anchor, head, how };
  draw();
}

function cancel() {
  clearTimeout(giveUp);
  mark = null;
  if (status) status.textContent = "";
  draw();
}

// The first and the last bucket that are marked.
function marked(chart) {
  const ends = [mark.anchor, mark.head].map((time) => bucketOf(chart, time));
  return [Math.min(...ends), Math.max(...ends)];
}

function choose() {
  const chart = charts.find((one) => one.class === mark?.name);
  if (!chart || mark.anchor === null || mark.isSent) return;
  const { edges, middles } = axes[chart.axis];
  const [first, last] = marked(chart);
  if (first === 0 && last === middles.length - 1) return cancel(); // it is shown already
  mark.isSent = true;
  giveUp = setTimeout(cancel, PATIENCE);
  send(edges[first], edges[last + 1]);
}

function wordsOf(chart) {
  const { names, areDays } = axes[chart.axis];
  const [first, last] = marked(chart);
  const [from, to] = [names[first], names[areDays ? last : last + 1]];
  if (from === to) return from;
  const day = from.slice(0, from.lastIndexOf(" ") + 1);
  const isOneDay = !areDays && !from.includes(",") && to.startsWith(day);
  return `${from} to ${isOneDay ? to.slice(day.length) : to}`;
}

function draw() {
  const chart = charts.find((one) => one.class === mark?.name);
  const area = chart && areaOf(chart);
  if (!layer?.isConnected) return;
  if (!area) {
    if (layer.matches(":popover-open")) layer.hidePopover();
    return;
  }
  if (!layer.matches(":popover-open")) layer.showPopover();
  for (const side of ["left", "top", "width", "height"]) layer.style[side] = `${area[side]}px`;
  const isMarked = mark.anchor !== null;
  const band = layer.querySelector(".chart-range-mark");
  band.hidden = !isMarked;
  if (isMarked) place(band, axes[chart.axis].middles, ...marked(chart));
  layer.querySelector(".chart-range-time").textContent = isMarked ? wordsOf(chart) : "";
  layer.querySelector(".chart-range-show").hidden = mark.how !== "tap";
  layer.querySelector(".chart-range-cancel").hidden = mark.how !== "tap";
  layer.querySelector(".chart-range-keys").hidden = mark.how !== "keys";
}

// From halfway to the bar before to halfway to the bar after.
function place(band, middles, first, last) {
  const left = first ? (middles[first - 1] + middles[first]) / 2 : 0;
  const right = last < middles.length - 1 ? (middles[last] + middles[last + 1]) / 2 : 1;
  band.style.left = `${left * 100}%`;
  band.style.width = `${(right - left) * 100}%`;
}
