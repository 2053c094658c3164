// Fetches a file from the app on a click, and passes it to the browser once it is complete.
// Trusted: its input becomes text and headers, never markup.

const SOON = 500; // ms after which it is shown that a file is being made
const LATER = 60_000; // ms after which the browser has certainly stored the file
const BROKEN = "The download was interrupted, and no file was saved. Click again.";
const UNREACHABLE = "The app could not be reached. Check the connection, and click again.";

export default function ({ data, parentElement }) {
  const button = parentElement.querySelector(".file-button");
  const status = parentElement.querySelector(".file-status");
  button.querySelector(".words").textContent = data.label;
  button.classList.toggle("quiet", data.isQuiet);
  button.onclick = () => download(data, button, status);
}

async function download(data, button, status) {
  if (button.ariaBusy === "true") return;
  const show = (text, isError = false) => {
    status.textContent = text;
    status.classList.toggle("failed", isError);
  };
  button.ariaBusy = "true";
  show("");
  const waiting = setTimeout(() => show("Making the file…"), SOON);
  try {
    const response = await fetchFile(data);
    clearTimeout(waiting);
    save(await wholeBody(response, show), data.name);
    show("");
  } catch (error) {
    show(error.forPage ?? UNREACHABLE, true);
  } finally {
    clearTimeout(waiting);
    button.ariaBusy = "false";
  }
}

// A sign-in page of a proxy is not a file: only the app's own response has its disposition.
async function fetchFile(data) {
  const response = await fetch(rootOf(data.pages) + data.path, {
    method: "POST",
    headers: { [data.header]: data.id },
    redirect: "error",
    cache: "no-store",
  });
  if (response.ok && response.headers.get("content-disposition")) return response;
  const refused = await response.json().catch(() => null);
  const sentence = refused?.sentence && `${refused.sentence} ${refused.remedy}`;
  throw Object.assign(new Error(), { forPage: sentence || UNREACHABLE });
}

async function wholeBody(response, show) {
  const pieces = [];
  let size = 0;
  const started = performance.now();
  try {
    const reader = response.body.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      pieces.push(read.value);
      size += read.value.length;
      if (performance.now() - started > SOON) show(`${(size / 1e6).toFixed(1)} MB received…`);
    }
  } catch (error) {
    throw Object.assign(error, { forPage: BROKEN });
  }
  return new Blob(pieces, { type: response.headers.get("content-type") });
}

// The link is not part of the page: a click in it would close the popover with the button.
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), LATER);
}

// The path that the app is mounted at: that of the page without the page's name.
function rootOf(pages) {
  const path = location.pathname.replace(/\/+$/, "");
  const last = path.slice(path.lastIndexOf("/") + 1);
  return pages.includes(last) ? path.slice(0, -last.length - 1) : path;
}
