// A sequence's page: every run on it, one run's frames and gate, and strips of all that kept masks.
"use strict";
(() => {
  const { el, link } = VOS;
  const OF_RUNS = ["model", "policy", "tau", "tau2", "trained", "kind", "state", "max_frames", "device",
    "threads", "busy", "weights", "study", "manifest_sha256", "key"];

  /** The sequence's rows beside what the runs say of themselves. */
  const joined = (packed) => {
    const own = VOS.unpack(packed);
    const { runs } = VOS.site;
    for (const name of OF_RUNS) {
      own.columns[name] = own.columns.run.map((row) => runs.columns[name][row]);
    }
    return own;
  };

  VOS.runName = (row) => {
    const { columns } = VOS.site.runs;
    const tau = columns.tau[row] === null ? "" : `, τ = ${columns.tau[row]}`;
    return `${columns.model[row]}${tau}${columns.trained[row] === "untrained" ? " (untrained)" : ""}`;
  };

  VOS.sequencePath = (dataset, sequence) => ["sequence", dataset, sequence];

  /** The number of a sequence among those of the site; -1 where there is none. */
  VOS.findSequence = (dataset, sequence) => {
    const { columns } = VOS.site.clips;
    return columns.sequence.findIndex((one, at) => one === sequence && columns.dataset[at] === dataset);
  };

  /** The run that was asked for, else the first with masks, else the first with a gate. */
  const chosen = (data, frame, asked) => {
    const { run, key, policy } = frame.columns;
    const masked = data.sets.flatMap((set) => set.runs);
    const found = run.find((_, at) => asked && key[at].startsWith(asked)) ?? run.find((row) => masked.includes(row))
      ?? run.find((row, at) => policy[at] && data.series.includes(Math.floor(row / VOS.site.chunk)));
    return found ?? run[0];
  };

  /** Runs that don't count: not complete, whether they got as far as this sequence or not. */
  const failed = (dataset, sequence) => {
    const { runs } = VOS.site;
    const { columns } = runs;
    const rows = VOS.where(runs, (row) => columns.dataset[row] === dataset && columns.state[row] !== "complete"
      && (columns.sequences[row] ?? "").split(", ").includes(sequence));
    if (!rows.length) return null;
    const cells = { model: (row, text) => link(text, VOS.runPath(columns.key[row])), state: VOS.stateCell };
    return el("details", { open: rows.length < 10 }, el("summary", {}, `${rows.length} run${rows.length === 1 ? "" : "s"} of it not complete`),
      new VOS.Table({ frame: runs, columns: VOS.withCells(VOS.COLUMNS.FAILED, cells), rows, caption: `runs of ${sequence} that are not complete` }).element);
  };

  const legend = () => el("p", { class: "remark" }, "Objects in their DAVIS colours; the border says what was done:",
    Object.entries(VOS.site.path_colours).map(([word, colour]) => {
      const box = el("span", { class: "swatch" });
      box.style.borderColor = VOS.colour(colour);
      return [" ", box, ` ${word}`];
    }));

  const videos = (data, row) => data.videos.filter((one) => one.run === row).map(({ file }) => (file.endsWith(".gif")
    ? el("img", { src: file, alt: `video of ${VOS.runName(row)}`, class: "video" })
    : el("video", { src: file, controls: true, class: "video", "aria-label": `video of ${VOS.runName(row)}` })));

  const strips = async (number, data, row) => {
    const parts = [];
    for (const set of data.sets) {
      parts.push(el("h3", {}, VOS.setName(set)));
      if (set.annotation) parts.push(await VOS.strip(number, set, null, "annotation"));
      for (const one of set.runs) parts.push(await VOS.strip(number, set, one, VOS.runName(one), one === row));
    }
    return parts.length ? parts : [el("p", { class: "remark" }, "No masks: no run here kept them; measure with --save-masks.")];
  };

  VOS.pages.sequence = async ({ path: [dataset, sequence], params, changed }) => {
    const { clips } = VOS.site;
    const number = VOS.findSequence(dataset, sequence);
    if (number < 0) return VOS.missing("sequence", `${dataset}/${sequence}`);
    await VOS.need("runs");
    const data = await VOS.load(`data/clips/${number}`);
    const frame = joined(data.rows);
    const row = chosen(data, frame, params.get("run"));
    const set = data.sets.find((one) => one.runs.includes(row));
    const complete = VOS.where(frame, (at) => frame.columns.state[at] === "complete");
    const keep = (key) => ({ ...Object.fromEntries(params), run: key.slice(0, 16) });
    const cells = {
      model: (at, text) => link(text, VOS.sequencePath(dataset, sequence), keep(frame.columns.key[at])),
      trained: (at, text) => VOS.trained(text), busy: VOS.busyCell, state: VOS.stateCell,
      key: (at, text) => link(text, VOS.runPath(frame.columns.key[at])),
    };
    const table = new VOS.Table({
      frame, columns: VOS.withCells(VOS.withMetrics(VOS.COLUMNS.CLIP_RUNS), cells), params, changed,
      rows: complete, caption: `runs on ${sequence}`, facets: ["kind", "trained", "max_frames", "device"],
      groups: ["model", "max_frames"], current: (at) => frame.columns.run[at] === row,
    });
    table.element.classList.add("short");
    return [
      VOS.heading(sequence, el("small", {}, `${dataset}, ${clips.columns.frames[number]} frames`)),
      table.element, failed(dataset, sequence),
      el("h2", {}, "Frames of ", link(VOS.runName(row), VOS.runPath(VOS.site.runs.columns.key[row]))),
      legend(),
      set ? await VOS.player(number, set, row, params, changed)
        : el("p", { class: "remark" }, "This run kept no masks of the sequence, or they are not shown: see below which are."),
      videos(data, row),
      el("h2", { id: "gate" }, "Gate"),
      ...await VOS.timelines(number, data.series, row),
      el("h2", {}, "Masks"),
      ...data.remarks.map((text) => el("p", { class: "remark" }, text)),
      ...await strips(number, data, row),
    ];
  };

  VOS.pages.sequences = ({ params, changed }) => {
    const { clips } = VOS.site;
    const cells = { sequence: (row, text) => link(text, VOS.sequencePath(clips.columns.dataset[row], text)) };
    return [VOS.heading("Sequences"), new VOS.Table({
      frame: clips, columns: VOS.withCells(VOS.COLUMNS.CLIPS, cells), rows: VOS.every(clips), params,
      changed, caption: "sequences", facets: ["dataset"], groups: ["dataset"],
    }).element, el("p", { class: "remark" }, "From the lowest to the highest of all runs on the sequence, trained and untrained, whole and cut.")];
  };
})();
