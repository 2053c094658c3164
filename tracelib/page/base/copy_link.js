// Copies a link to this page; shows it as text where the browser does not let a page copy, as without https.
// Trusted: its input becomes text and the address of a link, never markup.

export default function ({ data, parentElement }) {
  const list = parentElement.querySelector("ul");
  parentElement.querySelector(".copy-link-note").textContent = data.note;
  const status = parentElement.querySelector(".copy-link-status");
  const drawn = JSON.stringify(data.links);
  if (list.drawn === drawn) return;
  list.drawn = drawn;
  status.textContent = "";
  list.replaceChildren(...data.links.map((link) => item(link, data.replaced, status)));
}

function item(link, replaced, status) {
  const element = document.createElement("li");
  const button = made("button", "Copy");
  button.type = "button";
  button.setAttribute("aria-label", `Copy the ${link.name.toLowerCase()}`);
  const text = document.createElement("input");
  text.readOnly = true;
  text.hidden = true;
  text.setAttribute("aria-label", link.name);
  button.onclick = () => copy(link, addressOf(link, replaced), text, status);
  element.append(made("strong", link.name), button, made("p", link.words), text);
  return element;
}

// The address of the page with the choice of this link, and all else that is in it.
function addressOf(link, replaced) {
  const query = new URLSearchParams(location.search);
  for (const name of replaced) query.delete(name);
  new URLSearchParams(link.query).forEach((value, name) => query.append(name, value));
  const others = query.toString();
  return `${location.origin}${location.pathname}${others && `?${others}`}`;
}

async function copy(link, address, text, status) {
  try {
    await navigator.clipboard.writeText(address);
    status.textContent = `${link.name} copied.`;
  } catch {
    text.hidden = false;
    text.value = address;
    text.select();
    status.textContent = "The browser does not let this page copy. The link is selected: press Ctrl or ⌘ and C.";
  }
}

function made(tag, words) {
  const element = document.createElement(tag);
  element.textContent = words;
  return element;
}
