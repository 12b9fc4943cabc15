"use strict";

// A click on a header sorts by its column: by the numbers that its cells begin with where all do, else by the texts.
for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sortTable(table, headers, column));
  });
}

function sortTable(table, headers, column) {
  const rising = headers[column].getAttribute("aria-sort") !== "ascending";
  headers.forEach((header) => header.removeAttribute("aria-sort"));
  headers[column].setAttribute("aria-sort", rising ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows].map((row) => ({ row, text: row.cells[column].textContent.trim() }));
  const filled = rows.filter(({ text }) => text);
  const numeric = filled.every(({ text }) => Number.isFinite(parseFloat(text)));
  const compare = numeric
    ? (one, other) => parseFloat(one.text) - parseFloat(other.text)
    : (one, other) => one.text.localeCompare(other.text, "en", { numeric: true });
  filled.sort((one, other) => (rising ? compare(one, other) : compare(other, one)));
  const empty = rows.filter(({ text }) => !text);
  table.tBodies[0].append(...[...filled, ...empty].map(({ row }) => row));
}
