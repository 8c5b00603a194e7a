// Overview, runs, models, sweeps, clips, machines: a function a page, which returns its elements.
"use strict";
(() => {
  const { el, link } = VOS;
  const every = (frame) => Array.from({ length: frame.rows }, (_, row) => row);
  const RUN_FACETS = ["model", "dataset", "kind", "state", "trained", "device", "study"];

  VOS.heading = (text, ...beside) => {
    document.title = `${text} · VOSBench`;
    return el("h1", {}, text, beside);
  };

  VOS.runPath = (key) => ["run", key.slice(0, 16)];

  /** The table of runs; rows: which. */
  VOS.runsTable = (rows, params, changed, caption = "runs") => {
    const { runs } = VOS.site;
    const cells = {
      model: (row, text) => link(text, VOS.runPath(runs.columns.key[row])),
      trained: (row, text) => VOS.trained(text),
      state: (row, text) => el("span", { class: text === "failed" ? "mark" : "" }, text),
    };
    return new VOS.Table({
      frame: runs, columns: VOS.withCells(VOS.withMetrics(VOS.COLUMNS.RUNS), cells), rows, params, changed, caption,
      facets: RUN_FACETS,
    });
  };

  const count = (values, rows) => {
    const counts = new Map();
    for (const row of rows) counts.set(values[row], (counts.get(values[row]) ?? 0) + 1);
    return [...counts].map(([word, number]) => `${number} ${word}`).join(", ");
  };

  const BEST = 5;

  /** The best models of each set of sequences: what most people come for, before all else. */
  const headline = () => {
    const { models } = VOS.site;
    const { columns } = models;
    const known = VOS.where(models, (row) => columns.jf_best[row] !== null);
    return VOS.distinct(columns.evaluation, known).map((evaluation) => {
      const seen = new Set();
      const best = known.filter((row) => columns.evaluation[row] === evaluation)
        .sort((a, b) => columns.jf_best[b] - columns.jf_best[a])
        .filter((row) => !seen.has(columns.curve[row]) && seen.add(columns.curve[row]));
      const line = (row, place) => el("tr", {},
        el("td", { class: "number" }, place ? VOS.format(columns.jf_best[row], "percent")
          : el("strong", {}, VOS.format(columns.jf_best[row], "percent"))),
        el("td", {}, link(columns.curve[row], ["model", columns.base[row]])),
        el("td", { class: "number" }, VOS.format(columns.tau_best[row], "number")),
        el("td", { class: "number" }, VOS.format(columns.fps_best[row], "number")),
        el("td", {}, VOS.trained(columns.trained[row])));
      return [el("h2", {}, evaluation), el("div", { class: "headline", tabindex: "0", role: "region", "aria-label": `best models on ${evaluation}` },
        el("table", {}, el("thead", {}, el("tr", {}, ["J&F %", "model", "at τ", "best FPS", "weights"]
          .map((word) => el("th", { scope: "col" }, word)))),
        el("tbody", {}, best.slice(0, BEST).map(line)))),
      best.length > BEST && el("p", { class: "remark" }, `the best ${BEST} of ${best.length}: `, link("all models", ["models"]))];
    });
  };

  /** Runs that failed, so that nobody takes what is left for everything. */
  const failures = (columns, rows) => {
    const failed = rows.filter((row) => columns.state[row] === "failed").length;
    return failed && el("p", { class: "mark" }, link(`${failed} run${failed === 1 ? "" : "s"} failed`, ["runs"], { q: "state:failed" }), ": their tracebacks are on their pages");
  };

  VOS.pages.overview = ({ params, changed }) => {
    const { site } = VOS;
    const { columns } = site.runs;
    const rows = every(site.runs);
    const untrained = rows.filter((row) => columns.trained[row] === "untrained").length;
    const filters = Object.entries(site.filters).map(([name, values]) => `${name}: ${values.join(", ")}`);
    return [
      VOS.heading(site.title || "Results"),
      failures(columns, rows),
      headline(),
      el("h2", {}, "What was measured"),
      VOS.facts([
        ["runs", el("span", {}, link(`${rows.length}`, ["runs"]), ` (${count(columns.state, rows)})`)],
        ["weights", untrained ? el("span", { class: "mark" }, `${untrained} runs are untrained: random weights`) : "all trained"],
        ["models", VOS.distinct(columns.model, rows).join(", ")],
        ["datasets", VOS.distinct(columns.dataset, rows).join(", ")],
        ["devices", VOS.distinct(columns.device, rows).join(", ")],
        ["versions", VOS.distinct(columns.version, rows).join(", ")],
        ["last asked for", site.studies.length && VOS.format(Math.max(...site.studies.map((one) => one.created_at)), "time")],
        ["only", filters.join("; ")],
      ]),
      new VOS.Plots({ rows: every(site.settings), params, changed }).element,
      el("p", { class: "remark" }, "Speeds of different machines are never averaged or drawn together. A point is a setting; its speed is the median over repeats on one machine."),
    ];
  };

  VOS.pages.runs = ({ params, changed }) => [
    VOS.heading("Runs"), VOS.runsTable(every(VOS.site.runs), params, changed).element];

  VOS.pages.models = ({ params, changed }) => {
    const { models } = VOS.site;
    const cells = {
      curve: (row, text) => link(text, ["model", models.columns.base[row]]),
      trained: (row, text) => VOS.trained(text),
    };
    return [VOS.heading("Models"), new VOS.Table({
      frame: models, columns: VOS.withCells(VOS.COLUMNS.MODELS, cells), rows: every(models),
      params, changed, caption: "models", facets: ["evaluation", "trained", "device"],
    }).element, el("p", { class: "remark" }, "A row per model, weights, clips and machine that timed it; nothing in it is averaged over settings or machines.")];
  };

  VOS.pages.model = ({ path: [base], params, changed }) => {
    const { runs, settings } = VOS.site;
    const rows = VOS.where(runs, (row) => runs.columns.base[row] === base);
    if (!rows.length) return VOS.missing("model", base);
    const drawn = VOS.where(settings, (row) => settings.columns.base[row] === base);
    return [VOS.heading(base), new VOS.Plots({ rows: drawn, params, changed }).element,
      VOS.runsTable(rows, params, changed, `runs of ${base}`).element];
  };

  VOS.sweepFrame = () => {
    const { studies } = VOS.site;
    const sum = (trials, states) => states.reduce((all, state) => all + (trials[state] ?? 0), 0);
    const states = (trials) => Object.keys(trials);
    const column = (work) => studies.map(work);
    return {
      rows: studies.length,
      columns: {
        id: column((one) => one.id), name: column((one) => one.name),
        commands: column((one) => one.commands.length), created_at: column((one) => one.created_at),
        trials: column((one) => sum(one.trials, states(one.trials))),
        complete: column((one) => sum(one.trials, ["complete"])),
        failed: column((one) => sum(one.trials, ["failed"])),
        open: column((one) => sum(one.trials, ["waiting", "running", "stale"])),
      },
    };
  };

  VOS.pages.sweeps = ({ params, changed }) => {
    const frame = VOS.sweepFrame();
    const cells = { name: (row, text) => link(text, ["sweep", text]) };
    return [VOS.heading("Sweeps"), new VOS.Table({
      frame, columns: VOS.withCells(VOS.COLUMNS.SWEEPS, cells), rows: every(frame), params,
      changed, caption: "sweeps",
    }).element];
  };

  VOS.pages.sweep = ({ path: [name], params, changed }) => {
    const { runs, settings, studies } = VOS.site;
    const study = studies.find((one) => one.name === name);
    if (!study) return VOS.missing("sweep", name);
    const inside = (text) => (text ?? "").split(", ").includes(name);
    const rows = VOS.where(runs, (row) => inside(runs.columns.study[row]));
    const drawn = VOS.where(settings, (row) => inside(settings.columns.study[row]));
    return [
      VOS.heading(name),
      VOS.facts([
        ...study.commands.map(({ command, folder }) =>
          ["command", el("code", { title: folder ? `in ${folder}` : "" }, command)]),
        ["asked for", VOS.format(study.created_at, "time")],
        ["runs", Object.entries(study.trials).map(([state, number]) => `${number} ${state}`).join(", ")],
      ]),
      new VOS.Plots({ rows: drawn, params, changed }).element,
      VOS.runsTable(rows, params, changed, `runs of ${name}`).element,
    ];
  };

  VOS.pages.clips = ({ params, changed }) => {
    const { clips } = VOS.site;
    const cells = { sequence: (row, text) => link(text, ["clip", clips.columns.dataset[row], text]) };
    return [VOS.heading("Clips"), new VOS.Table({
      frame: clips, columns: VOS.withCells(VOS.COLUMNS.CLIPS, cells), rows: every(clips), params,
      changed, caption: "clips", facets: ["dataset"],
    }).element, el("p", { class: "remark" }, "From the lowest to the highest of all runs on the clip, trained and untrained.")];
  };

  VOS.pages.machines = () => {
    const { environments, runs } = VOS.site;
    const blocks = Object.entries(environments).map(([key, { device, stable }]) => {
      const rows = VOS.where(runs, (row) => runs.columns.environment_key[row] === key);
      return el("section", { class: "block" }, el("h2", {}, device), VOS.facts([
        ["runs", link(rows.length, ["runs"], { q: `environment_key=${key}` })], ["key", el("code", {}, key)],
      ]), VOS.tree(stable));
    });
    return [VOS.heading("Machines"), el("p", { class: "remark" }, "Timings compare only where all of this agrees: where the key is the same."), ...blocks];
  };

  VOS.missing = (kind, name) => [VOS.heading("Not here"), el("p", {}, `This site has no ${kind} “${name}”.`),
    el("p", {}, link("All results", []))];
})();
