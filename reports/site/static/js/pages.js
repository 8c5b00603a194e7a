// Runs, models, sweeps, machines: a function a page, which returns its elements.
"use strict";
(() => {
  const { el, link, every } = VOS;
  const RUN_FACETS = ["model", "dataset", "kind", "state", "trained", "device", "study"];

  VOS.heading = (text, ...beside) => {
    document.title = `${text} · VOSBench`;
    return el("h1", {}, text, beside);
  };

  VOS.runPath = (key) => ["run", key.slice(0, 16)];

  VOS.busyCell = (row, text) => el("span", { class: "mark", title: "others used the device while this was timed" }, text);

  VOS.stateCell = (row, text) => el("span", { class: text === "complete" ? "" : "mark" }, text);

  /** The table of runs; rows: which; to(row): where a run's name leads, its page by default. */
  VOS.runsTable = (rows, params, changed, caption = "runs", to = null) => {
    const { runs } = VOS.site;
    const cells = {
      model: (row, text) => el("a", { href: to ? to(row) : VOS.href(VOS.runPath(runs.columns.key[row])) }, text),
      trained: (row, text) => VOS.trained(text), state: VOS.stateCell, busy: VOS.busyCell,
    };
    return new VOS.Table({
      frame: runs, columns: VOS.withCells(VOS.withMetrics(VOS.COLUMNS.RUNS), cells), rows, params, changed, caption,
      facets: RUN_FACETS, groups: ["model", "base", "dataset", "study", "device"].filter((name) => runs.columns[name]),
    });
  };

  VOS.pages.runs = async ({ params, changed }) => {
    const { runs } = await VOS.need("runs");
    const first = params.get("pick") ? VOS.findRun(params.get("pick")) : -1;
    const { columns } = runs;
    const to = first < 0 ? null : (row) => VOS.href(["compare", columns.key[first].slice(0, 16), columns.key[row].slice(0, 16)]);
    const note = first >= 0 && el("p", {}, "Choose what to compare with ", link(VOS.runName(first), VOS.runPath(columns.key[first])), "; ", link("leave it", ["runs"]), ".");
    const rows = first < 0 ? every(runs) : VOS.where(runs, (row) => row !== first && columns.dataset[row] === columns.dataset[first]
      && columns.kind[row] === columns.kind[first]);
    return [VOS.heading("Runs"), note, VOS.runsTable(rows, params, changed, "runs", to).element];
  };

  VOS.pages.models = async ({ params, changed }) => {
    const { models } = await VOS.need("models");
    const cells = {
      curve: (row, text) => link(text, ["model", models.columns.base[row]]),
      trained: (row, text) => VOS.trained(text), busy: VOS.busyCell,
    };
    return [VOS.heading("Models"), new VOS.Table({
      frame: models, columns: VOS.withCells(VOS.COLUMNS.MODELS, cells), rows: every(models),
      params, changed, caption: "models", facets: ["evaluation", "trained", "device"], groups: ["base", "dataset", "device"],
    }).element, el("p", { class: "remark" }, "A row per model, weights, sequences and machine that timed it; nothing in it is averaged over settings or machines.")];
  };

  VOS.pages.model = async ({ path: [base], params, changed }) => {
    const { runs, settings } = await VOS.need("runs", "settings");
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

  VOS.pages.sweep = async ({ path: [name], params, changed }) => {
    const { runs, settings, studies } = await VOS.need("runs", "settings");
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

  VOS.pages.machines = async () => {
    const { environments, runs } = await VOS.need("runs");
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
