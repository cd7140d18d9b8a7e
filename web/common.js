// What both pages use.

const page = document.getElementById("page");
page.textContent = "";

// Everything is put into the page as text or attribute, never as markup: names come from a registry.
function make(tag, attributes, ...children) {
  const svg = ["svg", "g", "path", "line", "rect", "circle", "text", "title"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== "") node.append(child);
  return node;
}

const read_data = (id) => JSON.parse(document.getElementById(id).textContent);
const moment = (seconds) => new Date(seconds * 1000).toISOString().replace("T", " ").slice(0, 16) + " UTC";

function tile(name, value, unit, below) {
  return make("div", { class: "card tile" }, make("span", { class: "quiet" }, name),
    make("b", {}, value, make("small", {}, " " + unit)), below || make("span", { class: "quiet" }, "\u00a0"));
}
