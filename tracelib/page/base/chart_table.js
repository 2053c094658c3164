// Draws the values of a chart as a table. Its input becomes text, never markup.

const LONG = 40; // characters from which a cell is a sentence

export default function ({ data, parentElement }) {
  const table = parentElement.querySelector("table");
  const drawn = JSON.stringify(data);
  if (table.drawn === drawn) return;
  table.drawn = drawn;
  parentElement.querySelector(".chart-table").setAttribute("aria-label", `${data.title}, as a table`);
  parentElement.querySelector(".chart-table-note").textContent = data.note;
  const head = made("thead");
  head.append(row(data.headings.map((heading) => cell("th", heading, "col"))));
  const body = made("tbody");
  body.append(...data.rows.map(([name, ...others]) =>
    row([cell("th", name, "row"), ...others.map((text) => cell("td", text))])));
  table.replaceChildren(made("caption", data.title), head, body);
}

function row(cells) {
  const line = made("tr");
  line.append(...cells);
  return line;
}

function cell(tag, text, scope) {
  const one = made(tag, text);
  if (scope) one.scope = scope;
  else one.classList.toggle("words", text.length > LONG);
  return one;
}

function made(tag, text = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
