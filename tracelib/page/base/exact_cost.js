// Shows the exact cost of the row of a table that the pointer is on.
// Trusted: its input becomes the text of an attribute, never markup.

const FRAME = "[data-testid=stDataFrame]";
const LATER = 400; // ms after which the grid has updated its rows
const costs = new Map(); // the exact costs of a table's rows, by the class of its container
let again = null; // the timer that checks the resting pointer again

export default function ({ data }) {
  costs.set(data.table, data.costs);
  document.addEventListener("pointermove", follow);
  return () => {
    costs.delete(data.table);
    if (!costs.size) document.removeEventListener("pointermove", follow);
    clearTimeout(again);
  };
}

function follow(event) {
  show(event);
  clearTimeout(again);
  again = setTimeout(() => show(event), LATER);
}

function show(event) {
  const frame = event.target.closest?.(FRAME);
  const table = frame && [...costs.keys()].find((name) => frame.closest(`.${name}`));
  if (!table) return;
  const cost = costs.get(table)[number(frame, event.clientY) - 1];
  const title = cost ? `Exact cost: ${cost}` : "";
  if (frame.title !== title) frame.title = title;
}

// Which number has the row at this height? The grid is a canvas whose rows are as high as its
// heading, which is another canvas with a line below. For screen readers it contains a table, whose
// first cells are the numbers.
function number(frame, y) {
  const [grid, heading] = frame.querySelectorAll("canvas");
  if (!heading) return 0;
  const high = heading.clientHeight - 1;
  const below = y - grid.getBoundingClientRect().top - high;
  if (below < 0) return 0;
  const row = Math.floor((below + frame.querySelector(".dvn-scroller").scrollTop) / high);
  return Number(grid.querySelector(`tr[aria-rowindex="${row + 2}"] td`)?.textContent ?? 0);
}
