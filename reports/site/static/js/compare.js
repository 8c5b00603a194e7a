// Two runs held against each other: settings, scores, sequences, masks and gates.
"use strict";
(() => {
  const { el, link, format } = VOS;
  const SETTINGS = ["model", "policy", "tau", "tau2", "weights", "weights_sha256", "trained", "margins", "dataset", "protocol",
    "manifest_sha256", "max_frames", "sequences", "kind", "precision", "input_size", "seed", "repeat", "switches", "runner_version",
    "version", "device", "threads", "environment_key", "busy", "study"];
  const UNSURE = "These differ in what was measured, so their scores don't compare: ";

  const both = (rows, name) => rows.map((row) => VOS.site.runs.columns[name]?.[row] ?? null);

  const settings = (rows) => {
    const pairs = SETTINGS.map((name) => [name.replaceAll("_", " "), ...both(rows, name)]);
    const line = ([name, ...values]) => el("tr", {}, el("th", { scope: "row" }, name),
      values.map((value) => el("td", { class: "wrap" }, value === null ? "–" : String(value))));
    const differ = pairs.filter(([, a, b]) => a !== b);
    const same = pairs.filter(([, a, b]) => a === b && a !== null);
    const table = (lines) => el("div", { class: "headline", tabindex: "0", role: "region", "aria-label": "settings" }, el("table", {},
      el("thead", {}, el("tr", {}, ["setting", "A", "B"].map((word) => el("th", { scope: "col" }, word)))), el("tbody", {}, lines)));
    return [el("h2", {}, "Settings that differ"), differ.length ? table(differ.map(line)) : el("p", {}, "None: two repetitions of one setting."),
      el("details", {}, el("summary", {}, `${same.length} are the same`), VOS.facts(same.map(([name, value]) => [name, String(value)])))];
  };

  const signed = (value, kind) => {
    if (value === null) return "";
    return `${value < 0 ? "−" : "+"}${format(Math.abs(value), kind)}`;
  };

  const totals = (rows) => {
    const metrics = [...VOS.COLUMNS.SCORES, ...VOS.COLUMNS.SPEED].filter(({ name }) => both(rows, name).some((value) => value !== null));
    const line = ({ name, label, kind }) => {
      const [a, b] = both(rows, name);
      return el("tr", {}, el("th", { scope: "row" }, label), [a, b].map((value) => el("td", { class: "number" }, format(value, kind))),
        el("td", { class: "number" }, a === null || b === null ? "" : signed(b - a, kind)));
    };
    return el("div", { class: "headline", tabindex: "0", role: "region", "aria-label": "scores" }, el("table", {}, el("thead", {}, el("tr", {},
      ["", "A", "B", "B − A"].map((word) => el("th", { scope: "col" }, word)))), el("tbody", {}, metrics.map(line))));
  };

  /** Sequences of a run by name: {sequence: {metric: value}}. */
  const sequencesOf = async (row) => {
    const { chunk } = VOS.site;
    const { clips } = await VOS.load(`data/runs/${Math.floor(row / chunk)}`);
    if (!clips) return new Map();
    const frame = VOS.unpack(clips);
    const own = VOS.where(frame, (at) => frame.columns.run[at] === row);
    return new Map(own.map((at) => [frame.columns.sequence[at],
      Object.fromEntries(Object.entries(frame.columns).map(([name, values]) => [name, values[at]]))]));
  };

  /** A frame of the sequences that both have, the one where B lost most first. */
  const changes = (a, b, name) => {
    const known = [...a.keys()].filter((one) => b.has(one) && a.get(one)[name] !== null && b.get(one)[name] !== null
      && a.get(one)[name] !== undefined && b.get(one)[name] !== undefined);
    const change = (one) => b.get(one)[name] - a.get(one)[name];
    known.sort((one, two) => change(one) - change(two));
    return {
      rows: known.length,
      columns: {
        sequence: known, a: known.map((one) => a.get(one)[name]), b: known.map((one) => b.get(one)[name]),
        change: known.map(change), masks: known.map((one) => (a.get(one).mask_sha256 === b.get(one).mask_sha256 ? "the same" : "differ")),
        frames: known.map((one) => a.get(one).frames),
      },
    };
  };

  const table = (frame, metric, chosen, params, changed, here) => {
    const { label, kind } = metric;
    const column = (name, title, how = kind) => ({ name, label: title, kind: how });
    const cells = { sequence: (at, text) => link(text, here, { ...Object.fromEntries(params), seq: text }),
      change: (at) => signed(frame.columns.change[at], kind) };
    const shown = new VOS.Table({
      frame, rows: VOS.every(frame), params, changed, caption: `${label} by sequence`, current: (at) => frame.columns.sequence[at] === chosen,
      columns: VOS.withCells([column("sequence", "sequence", "text"), column("change", `B − A, ${label}`), column("a", "A"), column("b", "B"),
        column("masks", "masks", "text"), column("frames", "frames", "number")], cells),
    });
    shown.element.classList.add("short");
    return shown.element;
  };

  const pictures = async (rows, sequence, params, changed) => {
    const { columns } = VOS.site.runs;
    const number = VOS.findSequence(columns.dataset[rows[0]], sequence);
    const data = await VOS.load(`data/clips/${number}`);
    const set = data.sets.find((one) => rows.every((row) => one.runs.includes(row)));
    const gates = await Promise.all(rows.map((row) => VOS.timelines(number, data.series, row)));
    return [
      el("h2", {}, "Masks on ", link(sequence, VOS.sequencePath(columns.dataset[rows[0]], sequence))),
      set ? await VOS.slider(number, set, rows, params, changed)
        : el("p", { class: "remark" }, "No masks of both here: measure both with --save-masks, on the same frames, and make the site with more --strips."),
      el("h2", {}, "Gates"), ...gates.flatMap((gate, at) => [el("h3", {}, `${"AB"[at]}: ${VOS.runName(rows[at])}`), ...gate]),
    ];
  };

  const pick = (params, changed) => {
    const { runs } = VOS.site;
    return [VOS.heading("Compare two runs"), el("p", {}, "Choose the first run."),
      VOS.runsTable(VOS.every(runs), params, changed, "runs", (row) => VOS.href(["runs"], { pick: runs.columns.key[row].slice(0, 16) })).element];
  };

  VOS.pages.compare = async ({ path, params, changed }) => {
    await VOS.need("runs");
    if (!path[0]) return pick(params, changed);
    const rows = path.slice(0, 2).map(VOS.findRun);
    const lost = rows.length < 2 ? 1 : rows.indexOf(-1);
    if (rows.length < 2 || lost >= 0) return VOS.missing("run", path[lost] ?? "");
    const { columns } = VOS.site.runs;
    const [a, b] = await Promise.all(rows.map(sequencesOf));
    const metrics = [...VOS.COLUMNS.SCORES, ...VOS.COLUMNS.SPEED].filter(({ name }) => changes(a, b, name).rows);
    const metric = metrics.find(({ name }) => name === params.get("metric")) ?? metrics[0];
    const frame = metric ? changes(a, b, metric.name) : null;
    const sequence = frame?.columns.sequence.includes(params.get("seq")) ? params.get("seq") : frame?.columns.sequence[0];
    const here = ["compare", ...rows.map((row) => columns.key[row].slice(0, 16))];
    const unlike = ["dataset", "protocol", "manifest_sha256", "max_frames", "kind"].filter((name) => { const [one, two] = both(rows, name); return one !== two; });
    const heads = rows.map((row, at) => el("p", {}, el("strong", {}, `${"AB"[at]}: `), link(VOS.runName(row), VOS.runPath(columns.key[row])),
      ` on ${columns.dataset[row]}, ${columns.state[row]}`, columns.busy[row] ? [" ", VOS.busyCell(row, "busy")] : ""));
    const choose = metrics.length > 1 && VOS.select("by", metrics.map(({ name, label }) => [name, label]), metric.name,
      (value) => { location.hash = VOS.href(here, { ...Object.fromEntries(params), metric: value }).slice(1); });
    return [
      VOS.heading("Compare two runs"), heads,
      el("p", {}, link("the other way round", ["compare", ...here.slice(1).reverse()], Object.fromEntries(params)), " · ", link("another run", ["runs"], { pick: here[1] })),
      unlike.length > 0 && el("p", { class: "mark" }, UNSURE, unlike.map((name) => name.replaceAll("_", " ")).join(", ")),
      totals(rows), settings(rows),
      el("h2", {}, "Sequences, worst first"),
      frame ? [el("div", { class: "controls" }, choose), table(frame, metric, sequence, params, changed, here)]
        : el("p", { class: "remark" }, "They have no sequence with a score in common."),
      ...(sequence ? await pictures(rows, sequence, params, changed) : []),
    ];
  };
})();
