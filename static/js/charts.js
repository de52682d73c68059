// Draws the figures that the server made, and extends them by the points that come. Knows Plotly; decides nothing.

export const MOST_POINTS = 900;
const WINDOW_MS = MOST_POINTS * 1000;
const LINE = 1.5;
const IDLE_MS = 5000;
const MOST_MARKERS = 40;

// Put in what a token is in the present theme, wherever a figure names one as `var(--name)`.
export function resolve(value, colourOf) {
  if (typeof value === "string") return value.startsWith("var(") ? colourOf(value) : value;
  if (Array.isArray(value)) return value.some((item) => typeof item === "object" && item) ? value.map((item) => resolve(item, colourOf)) : value;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolve(inner, colourOf)]));
}

// Leave out what a trace has already: an answer may begin before the place where the page stands.
export function newer(line, lastX) {
  const from = lastX === undefined ? 0 : line.x.findIndex((x) => x > lastX);
  if (from < 0) return null;
  return Object.fromEntries(Object.entries(line).map(([key, values]) => [key, values.slice(from)]));
}

export function shapesOf(markers, thresholds) {
  const lines = new Map(markers.map((marker) => [Math.round(marker.x / 1000), marker])); // one a second is enough
  const vertical = [...lines.values()].map(({ x, tone }) => ({
    type: "line", xref: "x", yref: "paper", x0: x, x1: x, y0: 0, y1: 1,
    line: { color: `var(--${tone === "run" ? "act" : tone})`, width: 1, dash: "dot" },
  }));
  const level = thresholds.map(({ y, tone }) => ({
    type: "line", xref: "paper", yref: "y", x0: 0, x1: 1, y0: y, y1: y,
    line: { color: `var(--${tone})`, width: LINE, dash: tone === "bad" ? "solid" : "dash" },
  }));
  return [...vertical, ...level];
}

// A label that would lie on its neighbour is left out; its line stays, and the log has the words.
const LABEL_ROOM = 0.09; // of the chart's width
export function labelsOf(markers, thresholds, range) {
  const room = range ? (range[1] - range[0]) * LABEL_ROOM : Infinity;
  const named = range ? markers.filter(({ x }, index) => x >= range[0] && (markers[index + 1]?.x ?? Infinity) - x > room) : [];
  const vertical = named.map(({ x, label, tone }) => ({
    x, y: 1, xref: "x", yref: "paper", text: label, showarrow: false, xanchor: "center", yanchor: "bottom",
    font: { size: 11, color: `var(--${tone === "run" ? "act" : tone})` },
  }));
  const level = thresholds.map(({ y, label, tone }) => ({
    x: 0, y, xref: "paper", yref: "y", text: label, showarrow: false, xanchor: "left", yanchor: "bottom", xshift: 4,
    font: { size: 11, color: `var(--${tone})` },
  }));
  return [...vertical, ...level];
}

// Puts what came behind what waits already, and lets go of what no chart shows any more.
export function append(waiting, line) {
  const joined = {};
  for (const [key, values] of Object.entries(line)) joined[key] = [...(waiting?.[key] ?? []), ...values].slice(-MOST_POINTS);
  return joined;
}

export class Charts {
  constructor(root, Plotly) {
    this.root = root;
    this.Plotly = Plotly;
    this.charts = new Map();
    this.isZoomed = false;
    this.isLive = true;
    this.scheduled = false;
    this.newestMs = 0;
    // A chart that nobody sees waits with its points until it is scrolled to.
    this.sight = new IntersectionObserver((entries) => this.look(entries), { rootMargin: "100px" });
  }

  draw(figures, isLive) {
    this.isLive = isLive;
    this.isZoomed = false;
    for (const [name, figure] of Object.entries(figures)) {
      const node = this.root.querySelector(`[data-chart="${name}"] [data-canvas]`);
      if (!node) continue;
      const isSeen = this.charts.get(name)?.isSeen ?? true;
      this.charts.set(name, { node, figure, markers: figure.layout.markers, waiting: {}, isSeen, isMarked: false });
      this.paint(name, figure.data);
      if (!node.dataset.wired) this.wire(node);
    }
    this.newestMs = Math.max(0, ...[...this.charts.values()].flatMap(({ figure }) => figure.data.map(({ x }) => x[x.length - 1] ?? 0)));
  }

  // The theme changed, or the figure is new: everything anew.
  paint(name, data) {
    const { node, figure, markers } = this.charts.get(name);
    const range = node.layout?.xaxis?.range;
    const layout = this.layout(name, figure, markers);
    if (this.isZoomed && range) layout.xaxis.range = [...range];
    const lines = figure.data.map((trace, index) => ({ ...trace, ...arraysOf(data[index] ?? trace) }));
    const colourOf = this.colours();
    this.Plotly.react(node, resolve(lines, colourOf), resolve(layout, colourOf), {
      displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: "reset", showTips: false,
    });
  }

  repaint() {
    for (const [name, { node }] of this.charts) this.paint(name, node.data);
  }

  layout(name, figure, markers) {
    const { thresholds, xaxis, yaxis, yaxis2 } = figure.layout;
    const axis = { gridcolor: "var(--chart-grid)", zeroline: false, tickfont: { size: 11 }, fixedrange: true, nticks: 5 };
    return {
      margin: { l: 56, r: yaxis2 ? 52 : 14, t: 18, b: 44 }, autosize: true,
      paper_bgcolor: "transparent", plot_bgcolor: "transparent",
      font: { family: "Inter, system-ui, sans-serif", size: 12, color: "var(--muted)" },
      hovermode: "x unified", hoverlabel: { bgcolor: "var(--raised)", bordercolor: "var(--line-strong)", font: { color: "var(--ink)", size: 12 } },
      showlegend: figure.data.length > 0, legend: { orientation: "h", x: 0, y: -0.14, yanchor: "top", font: { size: 11 } },
      dragmode: "zoom", uirevision: "run",
      xaxis: { ...axis, ...xaxis, fixedrange: false, showgrid: false, hoverformat: "%H:%M:%S", tickformatstops: TICKS },
      yaxis: { ...axis, ...yaxis, tickformat: ",~r" },
      ...(yaxis2 ? { yaxis2: { ...axis, ...yaxis2, tickmode: "auto", tickformat: ",~r" } } : {}),
      shapes: shapesOf(markers, thresholds),
      annotations: labelsOf(markers, thresholds, name === "progress" ? xaxis.range : null),
    };
  }

  // Keep what came, and draw it with the next frame; not at all while nobody looks.
  extend(points, markers) {
    if (!this.isLive) return;
    for (const chart of this.charts.values()) {
      for (const { uid } of chart.figure.data) {
        if (points[uid]) chart.waiting[uid] = append(chart.waiting[uid], points[uid]);
      }
      chart.markers = [...chart.markers, ...markers].slice(-MOST_MARKERS);
      chart.isMarked = chart.isMarked || markers.length > 0;
    }
    this.newestMs = Math.max(this.newestMs, ...Object.values(points).map(({ x }) => x[x.length - 1] ?? 0));
    this.schedule();
  }

  // An open question has the machine to itself: who presses Abort must not wait for a chart.
  schedule() {
    if (this.scheduled || document.hidden || document.querySelector("dialog[open]")) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  look(entries) {
    for (const { target, isIntersecting } of entries) {
      for (const chart of this.charts.values()) if (chart.node === target) chart.isSeen = isIntersecting;
    }
    this.schedule();
  }

  flush() {
    const range = this.range();
    for (const [name, chart] of this.charts) {
      if (!chart.isSeen) continue;
      if (!this.isZoomed && range) chart.node.layout.xaxis.range = [...range];
      if (chart.isMarked) this.mark(name, chart);
      this.lengthen(chart);
    }
  }

  mark(name, { node, figure, markers }) {
    const colourOf = this.colours();
    const { thresholds } = figure.layout;
    node.layout.shapes = resolve(shapesOf(markers, thresholds), colourOf);
    node.layout.annotations = resolve(labelsOf(markers, thresholds, name === "progress" ? node.layout.xaxis.range : null), colourOf);
  }

  // A chart without news is drawn anew only now and then: it moves on by a few pixels.
  lengthen(chart) {
    const { node, figure, waiting, isMarked } = chart;
    const update = { x: [], y: [] };
    const places = [];
    if (figure.data.some((trace) => "customdata" in trace)) update.customdata = [];
    figure.data.forEach((trace, index) => {
      const known = node.data[index].x;
      const line = waiting[trace.uid] && newer(waiting[trace.uid], known[known.length - 1]);
      if (!line) return;
      places.push(index);
      for (const key of Object.keys(update)) update[key].push(line[key] ?? line.x.map(() => null));
    });
    const now = performance.now();
    if (!places.length && !isMarked && now - (chart.drawnAt ?? 0) < IDLE_MS) return;
    Object.assign(chart, { waiting: {}, isMarked: false, drawnAt: now });
    if (places.length) this.Plotly.extendTraces(node, update, places, MOST_POINTS);
    else this.Plotly.redraw(node);
  }

  range() {
    const [chart] = this.charts.values();
    if (!chart || !this.newestMs) return null;
    const first = Number(new Date(chart.figure.layout.xaxis.range[0]));
    return [Math.max(first, this.newestMs - WINDOW_MS), Math.max(this.newestMs, first + 30000)];
  }

  wire(node) {
    node.dataset.wired = "1";
    this.sight.observe(node);
    node.on("plotly_relayout", (change) => {
      if (this.isFollowing) return;
      const range = change["xaxis.range[0]"] ? [change["xaxis.range[0]"], change["xaxis.range[1]"]] : change["xaxis.range"];
      if (range) this.zoom(node, range);
      else if (change["xaxis.autorange"]) this.unzoom();
    });
    node.on("plotly_doubleclick", () => this.unzoom());
  }

  // All charts show the same stretch of time.
  async zoom(source, range) {
    this.isZoomed = true;
    await this.follow(range, source);
  }

  async unzoom() {
    this.isZoomed = false;
    const [chart] = this.charts.values();
    await this.follow(this.range() ?? chart.figure.layout.xaxis.range, null);
  }

  async follow(range, source) {
    this.isFollowing = true;
    for (const { node } of this.charts.values()) if (node !== source) await this.Plotly.relayout(node, { "xaxis.range": [...range] });
    this.isFollowing = false;
  }

  knows(key) {
    return [...this.charts.values()].some(({ figure }) => figure.data.some((trace) => trace.uid === key));
  }

  // A trace as it will be drawn next: what is on the chart and what waits.
  line({ node, figure, waiting }, index) {
    const drawn = node.data[index];
    const more = waiting[figure.data[index].uid];
    return more ? append({ x: drawn.x, y: drawn.y }, { x: more.x, y: more.y }) : drawn;
  }

  lines(prefix) {
    return [...this.charts.values()].flatMap((chart) =>
      chart.figure.data.flatMap(({ uid }, index) => (uid.startsWith(prefix) ? [this.line(chart, index)] : [])),
    );
  }

  // The newest value of each trace whose key begins so.
  last(prefix) {
    return this.lines(prefix).map(({ y }) => y.findLast((value) => value !== null)).filter((value) => value !== undefined);
  }

  values(key) {
    return this.lines(key)[0]?.y ?? [];
  }

  rows(name, most) {
    const chart = this.charts.get(name);
    const shown = chart.figure.data.map((trace, index) => [trace.uid, index]).filter(([uid]) => uid !== "progress:expected");
    const byMoment = new Map();
    shown.forEach(([, index], place) => {
      const { x, y } = this.line(chart, index);
      for (let point = Math.max(0, x.length - most); point < x.length; point += 1) {
        if (y[point] === null) continue;
        if (!byMoment.has(x[point])) byMoment.set(x[point], Array(shown.length).fill(null));
        byMoment.get(x[point])[place] = y[point];
      }
    });
    return [...byMoment].sort(([a], [b]) => b - a).slice(0, most);
  }

  colours() {
    const probe = document.createElement("span");
    probe.className = "unseen";
    this.root.append(probe);
    const known = new Map();
    const colourOf = (name) => {
      if (!known.has(name)) {
        probe.style.color = name;
        known.set(name, getComputedStyle(probe).color);
      }
      return known.get(name);
    };
    queueMicrotask(() => probe.remove());
    return colourOf;
  }
}

const TICKS = [
  { dtickrange: [null, 60000], value: "%H:%M:%S" },
  { dtickrange: [60000, null], value: "%H:%M" },
];

function arraysOf(trace) {
  return Object.fromEntries(["x", "y", "customdata"].filter((key) => key in trace).map((key) => [key, trace[key]]));
}
