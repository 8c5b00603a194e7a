// From commit to commit, and against baselines: what a team's pipeline is watched by.
"use strict";
(() => {
  const { el, link, format } = VOS;
  const GOOD = new Set(["pass", "improved"]);

  const kindOf = (one) => (VOS.metric(one.metric).kind);

  /** A change in the metric's own way: per cent of a ratio, points of a share. */
  const change = (value, ratio, kind) => {
    if (value === null) return "";
    const sign = value < 0 ? "−" : "+";
    const size = Math.abs(value);
    return ratio ? `${sign}${(100 * size).toFixed(1)} %` : kind === "percent" ? `${sign}${(100 * size).toFixed(2)} points` : `${sign}${format(size, "number")}`;
  };

  const frameOf = (series) => {
    const column = (work) => series.map(work);
    const last = (one) => one.steps.at(-1);
    return { rows: series.length, columns: {
      point: column((one) => one.point), metric: column((one) => one.label), versions: column((one) => one.values.length),
      last: column((one) => (kindOf(one) === "percent" ? 100 : 1) * one.values.at(-1).value), steps: column((one) => one.steps.length),
      change: column((one) => (last(one) ? change(last(one).change, one.ratio, kindOf(one)) : null)), at: column((one) => last(one)?.version ?? null),
      protocol: column((one) => one.protocol), machine: column((one) => one.machine),
    } };
  };

  const plot = (one) => {
    const places = one.values.map((_, at) => at);
    const values = one.values.map(({ value }) => value);
    const levels = one.values.map(({ level }) => level);
    const [low, high] = [Math.min(...values, ...levels), Math.max(...values, ...levels)];
    const pad = 0.1 * (high - low || Math.abs(high) || 1);
    const kind = kindOf(one);
    const steps = new Set(one.steps.map(({ version }) => version));
    const lines = (u) => {
      u.ctx.save();
      u.ctx.strokeStyle = VOS.ink("mark");
      u.ctx.setLineDash([4, 4]);
      one.values.forEach(({ version }, at) => {
        if (!steps.has(version)) return;
        const x = u.valToPos(at - 0.5, "x", true);
        u.ctx.beginPath();
        u.ctx.moveTo(x, u.bbox.top);
        u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
        u.ctx.stroke();
      });
      u.ctx.restore();
    };
    return VOS.chart({
      data: [places, values, levels], full: { x: [-0.6, values.length - 0.4], y: [low - pad, high + pad] }, height: 320,
      label: `${one.label} of ${one.point} by version; the table below holds the numbers`, name: `history-${one.point}`,
      png: () => [{ text: `${one.label}: ${one.point}` }],
      beside: el("p", { class: "remark" }, "Points: a version's mean; line: levels that were found; dashed: a step between versions."),
      options: {
        series: [{}, { stroke: VOS.colour("#0173b2"), width: 0, paths: () => null, points: { show: true, size: 8, fill: VOS.colour("#0173b2") } },
          { stroke: VOS.colour("#029e73"), width: 2, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }],
        axes: [VOS.axis("version", (u, ticks) => ticks.map((t) => (Number.isInteger(t) ? (one.values[t]?.version ?? "").slice(-10) : ""))),
          VOS.axis(one.label, (u, ticks) => ticks.map((t) => format(t, kind)), { size: 64 })],
        cursor: { drag: { x: true, y: false } }, hooks: { draw: [lines] },
      },
    });
  };

  const versions = (one) => {
    const kind = kindOf(one);
    const steps = new Map(one.steps.map((step) => [step.version, step]));
    const line = ({ version, at, value, level, repeats }) => el("tr", {}, el("th", { scope: "row" }, version), el("td", {}, format(at, "time")),
      el("td", { class: "number" }, format(value, kind)), el("td", { class: "number" }, format(level, kind)), el("td", { class: "number" }, String(repeats)),
      el("td", {}, steps.has(version) ? el("span", { class: "mark" }, change(steps.get(version).change, one.ratio, kind)) : ""));
    return el("div", { class: "headline", tabindex: "0", role: "region", "aria-label": "versions" }, el("table", {}, el("thead", {}, el("tr", {},
      ["version", "measured", one.label, "level", "repeats", "step"].map((word) => el("th", { scope: "col" }, word)))), el("tbody", {}, one.values.map(line))));
  };

  VOS.pages.history = async ({ path: [number], params, changed }) => {
    const series = await VOS.load("data/history");
    const one = series[Number(number)];
    if (number && one) {
      return [VOS.heading(one.point, el("small", {}, one.label)), VOS.facts([["measured on", one.protocol], ["timed on", one.machine], ["steps", String(one.steps.length)]]),
        plot(one), versions(one), el("p", {}, link("all settings", ["history"]))];
    }
    if (!series.length) return [VOS.heading("History"), el("p", {}, "No setting was measured by more than one version of the program: measure the next commit into the same database, and it will show here what moved.")];
    const frame = frameOf(series);
    const cells = { point: (row, text) => link(text, ["history", String(row)]), change: (row, text) => el("span", { class: "mark" }, text) };
    return [VOS.heading("History"), new VOS.Table({
      frame, columns: VOS.withCells(VOS.COLUMNS.HISTORY, cells), rows: VOS.every(frame), params, changed, caption: "history", facets: ["metric", "protocol", "machine"],
    }).element, el("p", { class: "remark" }, "What several versions measured, in the order in which they first ran. A step is a level that changed beyond the noise. Values are never joined over protocols, frames or machines.")];
  };

  const verdictCell = (row, text) => el("span", { class: GOOD.has(text) ? "good" : "mark" }, text);

  const verdictFrame = (packed) => {
    const own = VOS.unpack(packed);
    const { runs } = VOS.site;
    const { columns } = own;
    for (const name of ["model", "dataset", "tau", "version", "kind", "key"]) columns[name] = (columns.run ?? []).map((row) => runs.columns[name][row]);
    const shown = (values, at) => change(values[at], columns.kind[at] === "timing", VOS.metric(columns.metric[at]).kind);
    columns.range = (columns.change ?? []).map((_, at) => (columns.change_low[at] === null ? null
      : `${shown(columns.change_low, at)} to ${shown(columns.change_high, at) || "…"}`));
    columns.change = (columns.change ?? []).map((value, at) => (value === null ? null : shown(columns.change, at)));
    return own;
  };

  VOS.pages.verdicts = async ({ params, changed }) => {
    const { runs } = await VOS.need("runs");
    const data = await VOS.load("data/verdicts");
    const frame = verdictFrame(data.rows);
    const all = VOS.every(frame);
    const counts = VOS.distinct(frame.columns.verdict, all).map((word) => `${all.filter((row) => frame.columns.verdict[row] === word).length} ${word}`);
    const filters = (one) => Object.entries(one.filters).map(([name, value]) => `${name}: ${value}`).join("; ") || "everything";
    const named = { rows: data.baselines.length, columns: Object.fromEntries(["name", "trials", "version", "created_at"]
      .map((name) => [name, data.baselines.map((one) => one[name])]).concat([["filters", data.baselines.map(filters)]])) };
    const cells = {
      verdict: verdictCell,
      model: (row, text) => {
        const [head, base] = [frame.columns.run[row], frame.columns.base[row]];
        const key = (at) => runs.columns.key[at].slice(0, 16);
        return base === null || base === head ? link(text, VOS.runPath(key(head))) : link(text, ["compare", key(base), key(head)]);
      },
    };
    return [VOS.heading("Verdicts"), el("p", {}, counts.join(", ") || "No comparison was kept: `vosbench baseline set NAME`, then `vosbench compare --baseline NAME`."),
      frame.rows > 0 && new VOS.Table({
        frame, columns: VOS.withCells(VOS.COLUMNS.VERDICTS, cells), rows: all, params, changed, caption: "verdicts",
        facets: ["baseline", "verdict", "metric", "dataset", "model"], groups: ["baseline", "verdict", "model"],
      }).element,
      el("p", { class: "remark" }, "The last comparison of each run with each baseline; a model's name opens both runs side by side."),
      named.rows > 0 && [el("h2", {}, "Baselines"), new VOS.Table({ frame: named, columns: VOS.COLUMNS.BASELINES, rows: VOS.every(named), caption: "baselines" }).element],
    ];
  };
})();
