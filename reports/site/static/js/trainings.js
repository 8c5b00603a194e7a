// Trainings: a table of them, and a page each with its curves and its recipe.
"use strict";
(() => {
  const { el, link, format } = VOS;
  const COLOURS = ["#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#949494", "#56b4e9", "#ca9161"];
  const DASHES = [[], [6, 4], [2, 3], [8, 3, 2, 3]];

  const trainingFrame = (trainings) => {
    const columns = Object.create(null);
    for (const { name } of VOS.COLUMNS.TRAININGS) columns[name] = trainings.map((one) => one[name] ?? null);
    return { rows: trainings.length, columns };
  };

  VOS.pages.trainings = async ({ params, changed }) => {
    const frame = trainingFrame(await VOS.load("data/trainings"));
    if (!frame.rows) return [VOS.heading("Trainings"), el("p", {}, "This database holds no training.")];
    const cells = {
      model: (row, text) => link(text, ["training", frame.columns.key[row].slice(0, 16)]),
      state: (row, text) => el("span", { class: text === "complete" ? "" : "mark" }, text),
    };
    return [VOS.heading("Trainings"), new VOS.Table({
      frame, columns: VOS.withCells(VOS.COLUMNS.TRAININGS, cells),
      rows: Array.from({ length: frame.rows }, (_, row) => row), params, changed,
      caption: "trainings", facets: ["model", "gate", "state"],
    }).element];
  };

  const look = (at) => ({ colour: COLOURS[at % COLOURS.length], dash: DASHES[Math.floor(at / COLOURS.length) % DASHES.length] });

  const span = (values) => {
    const known = values.filter((value) => value !== null);
    const [low, high] = [Math.min(0, ...known), Math.max(...known)];
    const margin = 0.05 * (high - low || 1);
    return [low - margin, high + margin];
  };

  const curves = ({ steps, series }, label) => {
    const names = Object.keys(series);
    if (!names.length) return null;
    const read = el("p", { class: "reading", "aria-live": "off" });
    const say = (at) => { read.textContent = [`step ${steps[at]}`, ...names
      .filter((name) => series[name][at] !== null)
      .map((name) => `${name} ${format(series[name][at], "number")}`)].join(" · "); };
    say(steps.length - 1);
    const swatch = ({ colour, dash }) => VOS.svg("svg", { width: 30, height: 12, "aria-hidden": "true" },
      VOS.svg("line", { x1: 0, y1: 6, x2: 30, y2: 6, stroke: VOS.colour(colour), "stroke-width": 2.5, "stroke-dasharray": dash.join(" ") }));
    const [first, last] = [steps[0], steps[steps.length - 1]];
    const room = 0.02 * (last - first || 1);
    return VOS.chart({
      data: [steps, ...names.map((name) => series[name])],
      full: { x: [first - room, last + room], y: span(names.flatMap((name) => series[name])) },
      label, height: 300,
      beside: [read, el("ul", { class: "legend" }, names.map((name, at) => el("li", {}, swatch(look(at)), name)))],
      options: {
        series: [{}, ...names.map((name, at) => ({
          stroke: VOS.colour(look(at).colour), dash: look(at).dash, width: 1.8, spanGaps: true,
          points: { show: steps.length < 30, size: 5 },
        }))],
        axes: [VOS.axis("step", (u, ticks) => ticks.map(String)), VOS.axis(label, (u, ticks) => ticks.map((t) => format(t, "number")), { size: 60 })],
        cursor: { drag: { x: true, y: true } },
        hooks: { setCursor: [(u) => { if (u.cursor.idx !== null && u.cursor.idx !== undefined) say(u.cursor.idx); }] },
      },
    });
  };

  VOS.pages.training = async ({ path: [start] }) => {
    const { runs } = await VOS.need("runs");
    const trainings = await VOS.load("data/trainings");
    const number = start ? trainings.findIndex((one) => one.key.startsWith(start)) : -1;
    if (number < 0) return VOS.missing("training", start);
    const one = trainings[number];
    const { losses, validation } = await VOS.load(`data/trainings/${number}`);
    const used = VOS.where(runs, (row) => runs.columns.weights_sha256[row] === one.checkpoint_sha256);
    const code = (text) => (text ? el("code", {}, text) : null);
    return [
      VOS.heading(`${one.model}, gate ${one.gate}, seed ${one.seed}`),
      VOS.facts([
        ["state", el("span", { class: one.state === "complete" ? "" : "mark" }, `${one.state}, ${one.steps_done} of ${one.steps} steps`)],
        ["took", `${format(one.minutes, "number")} minutes, ${one.threads} threads of ${one.device}`],
        ["data", one.data], ["data sha256", code(one.data_sha256)],
        ["started from", one.start], ["its sha256", code(one.start_sha256)],
        ["checkpoint sha256", code(one.checkpoint_sha256)],
        ["runs with it", used.length ? link(used.length, ["runs"], { q: `weights_sha256=${one.checkpoint_sha256}` }) : "none here"],
        ["began", format(one.started_at, "time")], ["ended", format(one.ended_at, "time")],
        ["version", one.version], ["key", code(one.key)], ["error", one.error],
      ]),
      one.traceback && el("pre", { tabindex: "0" }, one.traceback),
      Object.keys(validation.series).length > 0 && el("h2", {}, "On held-out clips"), curves(validation, "IoU, correlation"),
      Object.keys(losses.series).length > 0 && el("h2", {}, "Losses"), curves(losses, "loss"),
      el("details", {}, el("summary", {}, "recipe"), VOS.tree(one.recipe)),
    ];
  };
})();
