// Draws a card for each session. Its input becomes text, never markup.
export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector("ul");
  const cards = data?.cards ?? [];
  const drawn = JSON.stringify(cards);
  if (list.drawn !== drawn) {
    list.drawn = drawn;
    list.replaceChildren(...cards.map(card));
  }
  list.querySelectorAll("button").forEach((button, position) => {
    button.onclick = () => setTriggerValue("opened", position);
  });
}

function card(session) {
  const button = element("button", "card");
  button.type = "button";
  button.append(
    row(element("span", "who", session.who), titled("when", session.when, session.at)),
    row(element("span", "models", session.models)),
    ...(session.words ? [row(element("span", "words", session.words))] : []),
    row(
      status(session),
      element("span", "requests", session.requests),
      titled("cost", session.cost, session.exactly),
    ),
    bar(session.share),
  );
  const item = document.createElement("li");
  item.append(button);
  return item;
}

function titled(kind, text, title) {
  const short = element("span", kind, text);
  short.title = title;
  return short;
}

function status(session) {
  const word = element("span", "status", session.status);
  word.style.background = session.tone;
  return word;
}

function bar(share) {
  const whole = element("div", "bar");
  const part = document.createElement("i");
  part.style.width = `${share * 100}%`;
  whole.append(part);
  return whole;
}

function row(...parts) {
  const line = document.createElement("span");
  line.append(...parts);
  return line;
}

function element(tag, kind, text = "") {
  const made = document.createElement(tag);
  made.className = kind;
  made.textContent = text;
  return made;
}
