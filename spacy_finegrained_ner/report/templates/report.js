"use strict";

function sortable(table) {
  const [body] = table.tBodies;
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rows = [...body.rows];
      const text = typeof value(rows[0], column) === "string";
      const before = head.getAttribute("aria-sort");
      const up = before ? before === "descending" : text;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      rows.sort((a, b) => {
        const [x, y] = [value(a, column), value(b, column)];
        return (up ? 1 : -1) * (text ? x.localeCompare(y) : x - y);
      });
      body.append(...rows);
    });
  });
}

function filtered(form, items) {
  const { kind, type, text } = form.elements;
  const plain = items.map((item) => {
    const line = item.querySelector("p").cloneNode(true);
    line.querySelectorAll("b, small").forEach((label) => label.remove());
    return line.textContent.replace(/\s+/g, " ").toLowerCase();
  });
  const show = () => {
    const of = type.value && `[data-type="${type.value}"]`;
    const wrong = { "": "", any: "[data-kind]", none: "" }[kind.value] ?? `[data-kind="${kind.value}"]`;
    const words = text.value.trim().toLowerCase();
    let shown = 0;
    items.forEach((item, at) => {
      const fits =
        plain[at].includes(words) &&
        (!(of || wrong) || item.querySelector(`mark${of}${wrong}`)) &&
        !(kind.value === "none" && item.querySelector("mark[data-kind]"));
      item.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    form.querySelector("output").textContent = `${shown} of ${items.length} texts`;
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  show();
}

document.querySelectorAll("table.sortable").forEach(sortable);
filtered(document.querySelector("form"), [...document.querySelectorAll(".texts > li")]);
