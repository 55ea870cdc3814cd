"use strict";
const root = document.documentElement;
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// Charts are drawn when they are first seen: a long page opens at once.
const colours = () => {
  const style = getComputedStyle(root);
  const of = (name) => style.getPropertyValue(name);
  return { ink: of("--ink"), line: of("--line"), paper: of("--paper") };
};
const themed = (layout) => {
  const { ink, line, paper } = colours();
  const changed = { "font.color": ink, "hoverlabel.bgcolor": paper, "hoverlabel.font.color": ink, "hoverlabel.bordercolor": line };
  for (const axis of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
    changed[`${axis}.gridcolor`] = line;
    changed[`${axis}.linecolor`] = line;
  }
  return changed;
};
const drawn = new Map();
const draw = async (figure) => {
  if (drawn.has(figure)) return;
  const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
  const plot = figure.querySelector(".plot");
  drawn.set(figure, layout);
  await Plotly.newPlot(plot, data, layout, { responsive: true, displaylogo: false, displayModeBar: false });
  await Plotly.relayout(plot, themed(layout));
  const map = figure.closest(".map");
  if (map) showImages(map, plot);
};
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
}, { rootMargin: "400px" });
all(".chart").forEach((figure) => watcher.observe(figure));

// Light and dark: as the system says, until the button is pressed.
const setTheme = (dark) => {
  root.dataset.theme = dark ? "dark" : "light";
  for (const [figure, layout] of drawn) Plotly.relayout(figure.querySelector(".plot"), themed(layout));
};
const system = matchMedia("(prefers-color-scheme: dark)");
setTheme(system.matches);
system.addEventListener("change", (event) => setTheme(event.matches));
document.getElementById("theme").addEventListener("click", () => setTheme(root.dataset.theme !== "dark"));

// One of a row of buttons is on.
const choose = (button) => {
  for (const other of all("button", button.parentElement)) other.classList.toggle("on", other === button);
};

// Explorer: sort, and click for more.
for (const explorer of all(".explorer")) {
  const list = explorer.querySelector(".clusters");
  for (const button of all("[data-sort]", explorer)) {
    button.addEventListener("click", () => {
      // Pressed again, it turns round.
      const again = button.classList.contains("on") ? -Number(button.dataset.sign) : 0;
      choose(button);
      const key = button.dataset.sort;
      const sign = again || (key === "number" ? 1 : -1);
      button.dataset.sign = sign;
      const rows = all(".cluster", list);
      rows.sort((a, b) => sign * (a.dataset[key] - b.dataset[key]));
      list.append(...rows);
    });
  }
  const toggle = (row) => row.setAttribute("aria-expanded", row.getAttribute("aria-expanded") !== "true");
  for (const row of all(".cluster", list)) {
    row.addEventListener("click", () => toggle(row));
    row.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      toggle(row);
    });
  }
}

// Map: colours, and the image under the cursor.
const hover = document.getElementById("hover");
const showImages = (map, plot) => {
  const places = JSON.parse(map.dataset.places);
  plot.on("plotly_hover", ({ points, event }) => {
    const thumb = document.createElement("i");
    thumb.className = "thumb";
    const own = getComputedStyle(map.closest(".run").querySelector(".explorer .thumb"));
    thumb.style.backgroundImage = own.backgroundImage;
    thumb.style.backgroundSize = own.backgroundSize;
    thumb.style.backgroundPosition = places[points[0].pointIndex];
    hover.replaceChildren(thumb);
    hover.style.display = "block";
    hover.style.left = `${Math.min(event.clientX + 16, innerWidth - 100)}px`;
    hover.style.top = `${Math.max(event.clientY - 100, 4)}px`;
  });
  plot.on("plotly_unhover", () => { hover.style.display = "none"; });
};
for (const button of all("[data-colour]")) {
  button.addEventListener("click", () => {
    choose(button);
    const plot = button.closest(".map").querySelector(".plot");
    Plotly.restyle(plot, { "marker.color": [plot.data[0].meta[button.dataset.colour]] });
  });
}

// Spiking layer: one of the images.
for (const button of all("[data-shown]")) {
  button.addEventListener("click", () => {
    choose(button);
    all(".presented", button.closest(".spikes")).forEach((part, i) => { part.hidden = i !== +button.dataset.shown; });
  });
}

// Several runs: one of them at a time.
const select = document.getElementById("run");
if (select) {
  const runs = all(".run");
  [...select.options].forEach((option, i) => { option.textContent = runs[i].dataset.name; });
  const show = () => runs.forEach((run, i) => { run.hidden = i !== +select.value; });
  select.addEventListener("change", show);
  show();
}
