// The gate along a sequence: probability, IoU of neighbours, J, and below them what was done.
"use strict";
(() => {
  const LINES = [
    { name: "p_gate", label: "P_gate", colour: "#0173b2", width: 2.2, points: true },
    { name: "adjacent_iou", label: "IoU, previous frame to this one", colour: "#cc78bc", width: 1.6, dash: [3, 4] },
    { name: "full_iou", label: "IoU, last full frame to this one", colour: "#029e73", width: 1.5 },
    { name: "j", label: "J", colour: "#949494", width: 1.5, dash: [8, 4] },
  ];
  const STRIP = [-0.16, -0.06];
  const FULL_Y = [-0.2, 1.04];

  const swatch = (colour, dash) => VOS.svg("svg", { width: 30, height: 12, "aria-hidden": "true" },
    dash ? VOS.svg("line", { x1: 0, y1: 6, x2: 30, y2: 6, stroke: VOS.colour(colour), "stroke-width": 2.5, "stroke-dasharray": dash.join(" ") })
      : VOS.svg("rect", { x: 4, y: 1, width: 22, height: 10, fill: VOS.colour(colour) }));

  /** A run's series of one object: frames, lines that are known, and paths in words. */
  const timelineData = (file, run, at) => {
    const get = (name) => (run[name] ? file.arrays[run[name][at]] : null);
    const parts = (values) => values && values.map((value) => (value === null ? null : value / VOS.site.steps));
    const path = get("path").map((code) => VOS.site.paths[code]);
    const found = { frames: path.map((_, t) => t), path };
    for (const { name } of LINES) if (name !== "j") found[name] = parts(get(name));
    const j = parts(get("j"));
    if (j) {
      const scored = file.arrays[run.scored];
      found.j = path.map(() => null);
      scored.forEach((t, place) => { found.j[t] = j[place]; });
    }
    return found;
  };

  const decisions = (u, path) => {
    const site = VOS.site;
    const width = Math.abs(u.valToPos(1, "x", true) - u.valToPos(0, "x", true));
    const top = u.valToPos(STRIP[1], "y", true);
    const height = u.valToPos(STRIP[0], "y", true) - top;
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    u.ctx.clip();
    path.forEach((word, t) => {
      if (word === "absent") return;
      u.ctx.fillStyle = VOS.colour(site.path_colours[word]);
      u.ctx.fillRect(u.valToPos(t, "x", true) - width / 2 + 0.5, top, width - 1, height);
    });
    u.ctx.restore();
  };

  const threshold = (u, tau) => {
    const y = u.valToPos(tau, "y", true);
    u.ctx.save();
    u.ctx.strokeStyle = VOS.ink("text");
    u.ctx.setLineDash([6, 4]);
    u.ctx.beginPath();
    u.ctx.moveTo(u.bbox.left, y);
    u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
    u.ctx.stroke();
    u.ctx.restore();
  };

  const said = (data, t) => [`frame ${t}: ${data.path[t]}`,
    ...LINES.filter(({ name }) => data[name] && data[name][t] !== null)
      .map(({ name, label }) => `${label.split(",")[0]} ${data[name][t].toFixed(3)}${name === "full_iou" ? " to last full" : ""}`),
  ].join(" · ");

  /** One object's timeline with its legend; tau may be null. */
  const timeline = (data, tau, name) => {
    const lines = LINES.filter((line) => data[line.name]);
    const words = VOS.distinct(data.path, data.path.keys()).filter((word) => word !== "absent");
    const read = VOS.el("p", { class: "reading", "aria-live": "off" }, said(data, 0));
    const legend = VOS.el("ul", { class: "legend" },
      lines.map((line) => VOS.el("li", {}, swatch(line.colour, line.dash ?? []), line.label)),
      words.map((word) => VOS.el("li", {}, swatch(VOS.site.path_colours[word]), word)),
      tau !== null && VOS.el("li", {}, swatch(VOS.ink("text"), [6, 4]), `τ = ${tau}`));
    const last = data.frames.length - 1;
    return VOS.chart({
      data: [data.frames, ...lines.map((line) => data[line.name])],
      full: { x: [-0.5, last + 0.5], y: FULL_Y }, fixed: true, label: name, height: 300,
      png: () => [...lines.map((line) => [line.label, line.colour]), ...words.map((word) => [word, VOS.site.path_colours[word]])]
        .map(([text, colour]) => ({ text, draw: (context) => {
          context.fillStyle = VOS.colour(colour);
          context.fillRect(0, 2, 30, 10);
        } })),
      beside: [read, legend],
      options: {
        series: [{}, ...lines.map((line) => ({
          stroke: VOS.colour(line.colour), width: line.width, dash: line.dash,
          points: { show: Boolean(line.points), size: 5, fill: VOS.colour(line.colour) },
        }))],
        axes: [
          VOS.axis("frame", (u, ticks) => ticks.map((t) => (Number.isInteger(t) ? String(t) : ""))),
          VOS.axis("probability, IoU, J", (u, ticks) => ticks.map((t) => (t < -0.001 ? "" : t.toFixed(1))), { size: 56 }),
        ],
        cursor: { drag: { x: true, y: false } },
        hooks: {
          draw: [(u) => { decisions(u, data.path); if (tau !== null) threshold(u, tau); }],
          setCursor: [(u) => { if (u.cursor.idx !== null && u.cursor.idx !== undefined) read.textContent = said(data, u.cursor.idx); }],
        },
      },
    });
  };

  /** The same as a table, for those who read rather than look. */
  const timelineTable = (data) => {
    const lines = LINES.filter((line) => data[line.name]);
    const head = VOS.el("tr", {}, ["frame", "decision", ...lines.map((line) => line.label)]
      .map((text) => VOS.el("th", { scope: "col" }, text)));
    const rows = data.frames.map((t) => VOS.el("tr", {}, [String(t), data.path[t],
      ...lines.map((line) => VOS.format(data[line.name][t], "number"))]
      .map((text) => VOS.el("td", {}, text))));
    return VOS.el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "frames" },
      VOS.el("table", { class: "plain" }, VOS.el("thead", {}, head), VOS.el("tbody", {}, rows)));
  };

  /** All timelines of a run on a sequence, or why there are none; number and chunks: the sequence's. */
  VOS.timelines = async (number, chunks, row) => {
    const { runs, chunk } = VOS.site;
    const none = (text) => [VOS.el("p", { class: "remark" }, text)];
    const file = Math.floor(row / chunk);
    const data = chunks.includes(file) ? await VOS.load(`data/series/${number}-${file}`) : null;
    const run = data?.runs[row];
    if (!run) return none("No gate timeline: this run stored no series of the sequence (timing runs store none), or it is left out to keep the site small.");
    const tau = runs.columns.tau[row];
    const parts = run.objects.map((object, at) => {
      const line = timelineData(data, run, at);
      return [run.objects.length > 1 && VOS.el("h3", {}, `object ${object}`),
        timeline(line, run.p_gate ? tau : null, `Gate timeline of ${VOS.runName(row)}, object ${object}; as a table below`),
        VOS.el("details", {}, VOS.el("summary", {}, "as a table"), timelineTable(line))];
    });
    return [...(run.p_gate ? [] : none("No gate was evaluated in this run: there is no P_gate.")), ...parts.flat()];
  };
})();
