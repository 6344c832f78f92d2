"use strict";
// Sorting, filtering, and the switch between best and last epoch; without it every table is there as it was written.

const say = (text) => { document.getElementById("said").textContent = text; };

function sorted(table, column, ascending) {
  const value = (row) => {
    const cell = row.cells[column];
    if (column === 0) return cell.textContent;
    return cell.dataset.value === undefined ? NaN : Number(cell.dataset.value);
  };
  const order = (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (column === 0) return ascending ? a.localeCompare(b) : b.localeCompare(a);
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b); // what has no number comes last
    return ascending ? a - b : b - a;
  };
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.matches(".group, .fixed"));
    const last = body.querySelector(".fixed");
    for (const row of rows.sort(order)) body.insertBefore(row, last);
  }
}

function sortable(table) {
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const numbers = head.cellIndex > 0;
      const ascending = head.ariaSort ? head.ariaSort === "descending" : !numbers;
      for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
      head.ariaSort = ascending ? "ascending" : "descending";
      sorted(table, head.cellIndex, ascending);
      say(`sorted by ${button.textContent}, ${head.ariaSort}`);
    });
  }
}

function wanted(text, label) {
  const words = text.toLowerCase().split(",").map((word) => word.trim()).filter(Boolean);
  return words.length === 0 || words.some((word) => label.toLowerCase().includes(word));
}

function filter() {
  const asked = Object.fromEntries([...document.querySelectorAll("[data-filter]")].map((each) => [each.dataset.filter, each.value]));
  let shown = 0;
  for (const table of document.querySelectorAll("table[data-rows]")) {
    const heads = [...table.tHead.rows[0].cells];
    const across = asked[table.dataset.columns] ?? "";
    const keeps = heads.map((head, i) => i === 0 || head.matches(".kept") || wanted(across, head.textContent));
    for (const body of table.tBodies) {
      for (const row of body.rows) {
        if (!row.matches(".group, .fixed")) {
          row.hidden = !wanted(asked[table.dataset.rows] ?? "", row.cells[0].textContent);
          shown += !row.hidden;
        }
        if (!row.matches(".group")) [...row.cells].forEach((cell, i) => { cell.hidden = !keeps[i]; });
      }
      body.hidden = [...body.rows].every((row) => row.hidden || row.matches(".group, .fixed"));
    }
    heads.forEach((head, i) => { head.hidden = !keeps[i]; });
  }
  say(`${shown} rows shown`);
  hint();
}

function select(selection) {
  for (const each of document.querySelectorAll("[data-selection]")) each.hidden = each.dataset.selection !== selection;
  for (const each of document.querySelectorAll("[data-select]")) each.ariaPressed = String(each.dataset.select === selection);
  say(`${selection} epoch shown`);
  hint();
}

function hint() { // wide tables say that they scroll
  for (const box of document.querySelectorAll(".scroll")) {
    box.previousElementSibling?.classList.contains("wider") || box.insertAdjacentHTML("beforebegin", '<p class="wider" hidden>Scroll sideways for more columns →</p>');
    box.previousElementSibling.hidden = box.scrollWidth <= box.clientWidth;
  }
}

for (const table of document.querySelectorAll("table[data-rows]")) sortable(table);
for (const field of document.querySelectorAll("[data-filter]")) field.addEventListener("input", filter);
for (const each of document.querySelectorAll("[data-select]")) each.addEventListener("click", () => select(each.dataset.select));
for (const tools of document.querySelectorAll(".tools")) tools.hidden = false;
for (const each of document.querySelectorAll("details")) each.addEventListener("toggle", hint);
addEventListener("resize", hint);
hint();
