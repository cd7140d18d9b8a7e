// What both pages use.

const page = document.getElementById("page");
page.textContent = "";

// Characters that cannot be seen, or that change the order of those around them, are told by their numbers.
const unseen = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const visible = (text) => text.replace(unseen, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));

// Everything is put into the page as text or attribute, never as markup: names come from a registry.
function make(tag, attributes, ...children) {
  const svg = ["svg", "g", "path", "line", "rect", "circle", "text", "title"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  for (const child of children.flat())
    if (child !== null && child !== undefined && child !== "") node.append(typeof child === "string" ? visible(child) : child);
  return node;
}

// On paper, dark is never right.
addEventListener("beforeprint", () => document.documentElement.classList.add("paper"));
addEventListener("afterprint", () => document.documentElement.classList.remove("paper"));

const read_data = (id) => JSON.parse(document.getElementById(id).textContent);
const moment = (seconds) => new Date(seconds * 1000).toISOString().replace("T", " ").slice(0, 16) + " UTC";

function tile(name, value, unit, below) {
  return make("div", { class: "card tile" }, make("span", { class: "quiet" }, name),
    make("b", {}, value, make("small", {}, " " + unit)), below || make("span", { class: "quiet" }, "\u00a0"));
}
