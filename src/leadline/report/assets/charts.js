/* Draws the curves of the report with uPlot in the page's own colours; drag to zoom, double-click for the whole. */
(() => {
  "use strict";
  const source = document.getElementById("curve-data");
  if (!source || typeof uPlot === "undefined") return;
  const { charts, best } = JSON.parse(source.textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = (v) => {
    if (v == null) return "";
    const size = Math.abs(v);
    if (size >= 1e6) return (v / 1e6).toPrecision(3) + "M";
    if (size >= 1e4) return (v / 1e3).toPrecision(3) + "k";
    if (size !== 0 && size < 1e-3) return v.toExponential(1);
    return String(+v.toPrecision(3));
  };
  /* Where higher is better the curve runs along the top, so the mark's word goes to the bottom. */
  const raised = new Set(charts.filter((chart) => chart.higher).map((chart) => "chart-" + chart.id));
  const drawn = [];
  const sync = uPlot.sync("step");

  function bestMark(u) {
    const x = u.valToPos(best, "x", true);
    const { ctx, bbox } = u;
    if (x < bbox.left || x > bbox.left + bbox.width) return;
    const scale = devicePixelRatio || 1;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("--three");
    ctx.lineWidth = 1.5 * scale;
    ctx.setLineDash([5 * scale, 4 * scale]);
    ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
    ctx.font = `600 ${11 * scale}px system-ui, sans-serif`;
    const low = raised.has(u.root.parentElement.id);
    ctx.textBaseline = low ? "bottom" : "top";
    const late = x > bbox.left + bbox.width * 0.7;
    ctx.textAlign = late ? "right" : "left";
    ctx.fillText("best", x + (late ? -5 : 5) * scale, low ? bbox.top + bbox.height - 3 * scale : bbox.top + 2 * scale);
    ctx.restore();
  }

  function options(chart, holder) {
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1, size: 4 }, font: "12px system-ui, sans-serif" };
    const values = holder.parentElement.querySelectorAll("[data-value]");
    const strong = chart.series.flatMap((line, i) => (line.faint ? [] : [i + 1]));
    const marked = best != null && (chart.id === "loss" || chart.id === "metric");
    return {
      width: Math.max(240, holder.clientWidth), height: holder.clientHeight, legend: { show: false },
      cursor: { sync: { key: sync.key }, drag: { x: true, y: false }, points: { size: 7 } },
      scales: { x: { time: false }, y: chart.log ? { distr: 3 } : { range: (u, low, high) => { const room = (high - low || Math.abs(high) || 1) * 0.06; return [low >= 0 && low - room < 0 ? 0 : low - room, high + room]; } } },
      axes: [{ ...axis, size: 30, values: (u, ticks) => ticks.map((v) => (v === Math.round(v) ? short(v) : "")) }, { ...axis, size: 54, values: (u, ticks) => ticks.map(short), ...(chart.log ? tens(axis) : {}) }],
      series: [{}, ...chart.series.map((line, i) => ({
        label: line.label, stroke: colour("--" + line.colour), alpha: line.faint ? 0.28 : 1, width: line.faint ? 1 : chart.log ? 1.5 : 2, spanGaps: true,
        dash: chart.id === "rate" && line.label === "used" ? [2, 5] : undefined,
        points: { show: line.x.length < 40 && !line.faint, size: 5, fill: colour("--" + line.colour) },
      }))],
      hooks: {
        draw: marked ? [bestMark] : [],
        setCursor: [(u) => values.forEach((cell, k) => { cell.textContent = u.cursor.idx == null ? "" : short(near(u, strong[k])); })],
      },
    };
  }

  /* On a logarithmic axis only the powers of ten get a line. */
  function tens(axis) {
    const filter = (u, ticks) => ticks.map((v) => (Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9 ? v : null));
    return { filter, grid: { ...axis.grid, filter }, ticks: { ...axis.ticks, filter } };
  }

  /* The series have steps of their own; under the cursor each shows its last known value. */
  function near(u, series) {
    for (let i = u.cursor.idx; i >= 0; i--) if (u.data[series][i] != null) return u.data[series][i];
    return null;
  }

  function draw() {
    while (drawn.length) drawn.pop().destroy();
    for (const chart of charts) {
      const holder = document.getElementById("chart-" + chart.id);
      const joined = uPlot.join(chart.series.map((line) => [line.x, line.y]));
      drawn.push(new uPlot(options(chart, holder), joined, holder));
    }
  }

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let waiting = 0;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(draw, 120); });
})();
