"use strict";
const $ = (id) => document.getElementById(id);
const colors = new Map(JSON.parse($("types").textContent).map((t) => [t.name, t.color]));
const thresholds = ["fine", "coarse"].map($).filter(Boolean);  // of flat labels only one
let answer = null;
let asked = 0;

// As labels.confidence.label_at
function labelAt(entity, fine, coarse) {
  if (entity.confidence === null || entity.confidence >= fine) return entity.label;
  return entity.coarse_confidence >= coarse ? entity.coarse_label : null;
}

// All text goes in as text nodes
function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function mark(entity, text, shown, ...more) {
  const fine = shown === entity.label;
  const sure = fine ? entity.confidence : entity.coarse_confidence;
  const made = element("mark", { className: fine ? "" : "coarse" }, text, ...more);
  made.style.setProperty("--hue", colors.get(entity.coarse_label ?? entity.label));
  made.style.setProperty("--sure", sure ?? 1);
  return made;
}

function number(p) {
  return p.toFixed(2);
}

function item(entity, shown) {
  const flat = entity.coarse_label === null || entity.label === entity.coarse_label;
  const found = shown === null
    ? element("span", { className: "hidden" }, entity.text)
    : mark(entity, entity.text, shown);
  found.lang = $("text").lang;
  const says = [shown === null ? "not shown" : shown];
  if (shown !== null && shown === entity.label && !flat) says.push(entity.coarse_label);
  const made = element("li", {}, element("p", {}, found, " ", element("b", {}, says[0]),
    ...says.slice(1).map((more) => ` (${more})`)));
  if (entity.confidence !== null) {
    const known = [[entity.label, entity.confidence]];
    if (!flat) known.push([`any ${entity.coarse_label}`, entity.coarse_confidence]);
    known.push(["an entity", entity.span_confidence]);
    made.append(element("p", { className: "soft" },
      known.map(([what, p]) => `${what} ${number(p)}`).join(" \u00b7 ")));
  }
  const others = entity.alternatives.filter(([label]) => label !== entity.label);
  if (others.length) {
    made.append(element("p", { className: "soft" },
      `or ${others.map(([label, p]) => `${label} ${number(p)}`).join(", ")}`));
  }
  return made;
}

function draw() {
  for (const input of thresholds) {
    const at = Number(input.value);
    const says = at > 1 ? "never" : number(at);
    document.querySelector(`output[for="${input.id}"]`).value = says;
    input.setAttribute("aria-valuetext", says);
  }
  if (answer === null) return;
  const fine = Number(thresholds[0].value);
  const coarse = Number(thresholds.at(-1).value);
  const characters = Array.from(answer.text);  // offsets are of code points
  const drawn = [];
  const items = [];
  const counts = { fine: 0, coarse: 0, hidden: 0 };
  let at = 0;
  for (const entity of answer.entities) {
    const shown = labelAt(entity, fine, coarse);
    items.push(item(entity, shown));
    counts[shown === null ? "hidden" : shown === entity.label ? "fine" : "coarse"] += 1;
    if (shown === null || entity.start < at) continue;
    const text = characters.slice(entity.start, entity.end).join("");
    drawn.push(characters.slice(at, entity.start).join(""),
      mark(entity, text, shown, element("b", {}, shown)));
    at = entity.end;
  }
  drawn.push(characters.slice(at).join(""));
  $("drawn").replaceChildren(...drawn);
  $("list").replaceChildren(...items);
  const total = answer.entities.length;
  $("count").textContent = `${total} ${total === 1 ? "entity" : "entities"}`
    + (counts.coarse ? `, ${counts.coarse} by coarse type` : "")
    + (counts.hidden ? `, ${counts.hidden} not shown` : "");
}

async function ask() {
  const turn = ++asked;
  $("ask").setAttribute("aria-busy", "true");
  let wrong = "";
  let got = null;
  try {
    const response = await fetch("entities", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ text: $("text").value }),
    });
    got = await response.json();
    if (!response.ok) wrong = got.error;
  } catch (error) {
    wrong = `No answer from the server: ${error.message}. Is it still running?`;
  }
  if (turn !== asked) return;  // a later question is on its way
  $("ask").removeAttribute("aria-busy");
  $("error").textContent = wrong;
  $("error").hidden = !wrong;
  answer = wrong ? null : got;
  $("result").hidden = answer === null;
  $("back-off").hidden = !answer?.entities.some((entity) => entity.confidence !== null);
  draw();
}

$("ask").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); ask(); }
});
for (const input of thresholds) {
  // The next whole step, so that nothing is shown that is not sure enough
  const step = Math.ceil(Number(input.getAttribute("value")) * 100 - 1e-9) / 100;
  input.value = Math.min(step, 1.01);
  input.addEventListener("input", draw);
}
draw();
