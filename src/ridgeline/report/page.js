// A click on a column's name sorts by it; another turns the order around. Empty cells stay at the end.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("th[aria-sort]")];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const other of heads) other.setAttribute("aria-sort", other === head ? order : "none");
      const sign = order === "ascending" ? 1 : -1;
      const keyed = [...table.tBodies[0].rows].map((row) => [row.cells[column].dataset.value, row]);
      const numeric = keyed.every(([key]) => key === "" || !Number.isNaN(Number(key)));
      keyed.sort(([a], [b]) => {
        if (a === "" || b === "") return (a === "") - (b === "");
        return sign * (numeric ? Number(a) - Number(b) : a.localeCompare(b));
      });
      table.tBodies[0].append(...keyed.map(([, row]) => row));
    });
  });
}

// The trial nearest to the mouse or the finger is named, and marked in every picture that shows it.
const NEAR = 14; // pixels
const SVG = "http://www.w3.org/2000/svg";
const told = new Map();
const pictures = new Map(); // svg: its trials, each a list of places; those of one trial are joined by a line
const tip = document.getElementById("tip");
let named = null;

function readAll() {
  if (pictures.size) return;
  for (const line of document.getElementById("told").textContent.split("\n")) {
    const [number, ...lines] = line.split("\t");
    told.set(number, lines);
  }
  for (const svg of document.querySelectorAll("svg[data-spots]")) {
    const trials = new Map();
    const values = svg.dataset.spots.split(" ");
    for (let i = 0; i < values.length; i += 3) {
      if (!trials.has(values[i])) trials.set(values[i], []);
      trials.get(values[i]).push([Number(values[i + 1]), Number(values[i + 2])]);
    }
    pictures.set(svg, trials);
  }
}

function distance(places, x, y) {
  let least = Infinity;
  places.forEach(([bx, by], i) => {
    const [ax, ay] = places[Math.max(i - 1, 0)];
    const [dx, dy] = [bx - ax, by - ay];
    const along = dx || dy ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy))) : 0;
    least = Math.min(least, Math.hypot(ax + along * dx - x, ay + along * dy - y));
  });
  return least;
}

function mark(number) {
  if (number === named) return;
  named = number;
  for (const old of document.querySelectorAll(".mark")) old.remove();
  tip.hidden = number === null;
  if (number === null) return;
  for (const [svg, trials] of pictures) {
    const places = trials.get(number);
    if (!places) continue;
    const group = svg.appendChild(document.createElementNS(SVG, "g"));
    group.setAttribute("class", "mark");
    if (places.length > 1) {
      group.appendChild(document.createElementNS(SVG, "polyline")).setAttribute("points", places.join(" "));
    } else {
      const ring = group.appendChild(document.createElementNS(SVG, "circle"));
      for (const [name, value] of [["cx", places[0][0]], ["cy", places[0][1]], ["r", 6]]) ring.setAttribute(name, value);
    }
  }
  tip.replaceChildren(...told.get(number).map((line) => Object.assign(document.createElement("div"), { textContent: line })));
}

function point(event) {
  const svg = event.target.closest?.("svg[data-spots]");
  if (!svg) return mark(null);
  readAll();
  const box = svg.getBoundingClientRect();
  const scale = svg.viewBox.baseVal.width / box.width;
  const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  let [nearest, least] = [null, NEAR * scale];
  for (const [number, places] of pictures.get(svg)) {
    const found = distance(places, x, y);
    if (found < least) [nearest, least] = [number, found];
  }
  mark(nearest);
  if (nearest === null) return;
  const [width, height] = [tip.offsetWidth, tip.offsetHeight];
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - width - 6);
  const above = event.clientY + 14 + height > window.innerHeight;
  tip.style.left = `${Math.max(6, left)}px`;
  tip.style.top = `${above ? event.clientY - 14 - height : event.clientY + 14}px`;
}

document.addEventListener("pointermove", point);
document.addEventListener("pointerdown", point);
document.addEventListener("scroll", () => mark(null), { passive: true });
