// A series of numbers by day, as bars.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 8;
const HEIGHT = 48;

/** Return bars for values `[{label, value}]`, each with its label and number as a tooltip. */
export function bars(values, title) {
  const highest = Math.max(1, ...values.map(({ value }) => value));
  const viewBox = `0 0 ${values.length * WIDTH} ${HEIGHT}`;
  const chart = svg("svg", { viewBox, preserveAspectRatio: "none", class: "bars", role: "img", "aria-label": title });
  values.forEach(({ label, value }, index) => {
    const height = Math.max(value > 0 ? 2 : 0.5, (value / highest) * HEIGHT);
    const bar = svg("rect", { x: index * WIDTH, y: HEIGHT - height, width: WIDTH - 2, height });
    const tooltip = svg("title", {});
    tooltip.textContent = `${label}: ${value.toLocaleString()}`;
    bar.append(tooltip);
    chart.append(bar);
  });
  return chart;
}

function svg(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
