// A run's own page: its numbers, and where each came from.
"use strict";
(() => {
  const { el, link, facts, format } = VOS;
  const DESCRIBED = new Set(VOS.COLUMNS.RUNS.map((column) => column.name)
    .concat(["weights_sha256", "weights_note", "mask_sha256", "switches", "sequences", "base",
      "runner_version", "attempt", "input_size", "unscored", "remarks", "busy", "threads"]));

  const code = (text) => (text ? el("code", {}, text) : null);

  const numbers = (get) => {
    const { columns } = VOS.site.runs;
    const scores = ["jf_mean", "j_mean", "f_mean", "reuse_rate", "fps", "ms_per_frame"];
    const others = Object.keys(columns).filter((name) => !DESCRIBED.has(name)).sort();
    return facts([...scores, ...others].map((name) => {
      const { label, kind } = VOS.metric(name);
      return [label, format(get(name), kind)];
    }));
  };

  const commit = (attempt) => {
    const notes = attempt.annotations ?? {};
    if (!notes.git_commit) return null;
    return el("span", {}, code(notes.git_commit), notes.git_dirty ? " with uncommitted changes" : "");
  };

  const weights = (get, checkpoints) => {
    const checkpoint = checkpoints[get("weights_sha256")];
    const said = facts([
      ["weights are", VOS.trained(get("trained") === "untrained" ? "untrained: random weights" : "trained")],
      ["named", get("weights")], ["note", get("weights_note")], ["trained with margins", get("margins")],
      ["sha256 of the tensors", code(get("weights_sha256"))],
    ]);
    const provenance = checkpoint && Object.keys(checkpoint.provenance).length
      ? el("details", {}, el("summary", {}, "how they were made"), VOS.tree(checkpoint.provenance)) : null;
    return el("section", { class: "block" }, el("h2", {}, "Weights"), said, provenance);
  };

  const measured = (get) => el("section", { class: "block" }, el("h2", {}, "Measured on"), facts([
    ["dataset", get("dataset")], ["protocol", get("protocol")], ["no J&F", get("unscored")], ["remarks", get("remarks")], ["manifest sha256", code(get("manifest_sha256"))],
    ["sequences", get("sequences")], ["cut after", get("max_frames") === null ? "" : `${get("max_frames")} frames`],
    ["precision", get("precision")], ["input size", get("input_size")], ["seed", get("seed")],
    ["repeat", get("kind") === "timing" ? String(get("repeat")) : ""],
    ["paper or code", get("switches")], ["masks sha256", code(get("mask_sha256"))],
  ]));

  const ran = (get, attempt) => {
    const { environments } = VOS.site;
    const environment = environments[get("environment_key")];
    const names = (get("study") ?? "").split(", ").filter(Boolean);
    const annotations = { ...attempt.annotations };
    delete annotations.git_commit;
    delete annotations.git_dirty;
    delete annotations.unscored;
    delete annotations.remarks;
    return el("section", { class: "block" }, el("h2", {}, "Ran on"), facts([
      ["imported from", get("owner") && el("span", { class: "mark" }, `${get("owner")}: measured elsewhere, not run here`)],
      ["device", get("device")], ["threads", format(get("threads"), "number")],
      ["busy", get("busy") && el("span", { class: "mark" }, "others used the device meanwhile")], ["machine key", code(get("environment_key"))],
      ["version", attempt.version ?? get("version")], ["commit", commit(attempt)],
      ["model's version", get("runner_version")], ["host", attempt.host],
      ["began", format(attempt.started_at, "time")], ["ended", format(attempt.ended_at, "time")],
      ["sweep", el("span", {}, names.map((name, at) => [at ? ", " : "", link(name, ["sweep", name])]))],
      ["command", code(attempt.command)], ["in folder", code(attempt.folder || null)],
      ["run key", code(get("key"))],
    ]),
    environment && el("details", {}, el("summary", {}, "the machine"), VOS.tree(environment.stable)),
    Object.keys(annotations).length > 0
      && el("details", {}, el("summary", {}, "notes of the run"), VOS.tree(annotations)));
  };

  const failure = (get, attempt) => (get("error") || attempt.traceback) && el("section", { class: "block" },
    el("h2", {}, "Error"), el("p", { class: "mark" }, get("error")),
    attempt.traceback && el("pre", { tabindex: "0" }, attempt.traceback));

  const sequence = (get) => (row, text) => link(text, VOS.sequencePath(get("dataset"), text), { run: get("key").slice(0, 16) });

  /** A table of the run's own rows in a frame that many runs share. */
  const own = (title, packed, columns, row, get, params, changed) => {
    const frame = packed && VOS.unpack(packed);
    const rows = frame ? VOS.where(frame, (at) => frame.columns.run[at] === row) : [];
    if (!rows.length) return [];
    const known = new Set([...columns.map((column) => column.name), "mask_sha256", "run"]);
    const others = Object.keys(frame.columns).filter((name) => !known.has(name)).map(VOS.metric);
    return [el("h2", {}, title), new VOS.Table({
      frame, columns: VOS.withCells([...columns, ...others], { sequence: sequence(get) }), rows, params, changed,
      caption: `${title.toLowerCase()} of this run`,
    }).element];
  };

  VOS.findRun = (start) => {
    const { key } = VOS.site.runs.columns;
    return start ? key.findIndex((one) => one.startsWith(start)) : -1;
  };

  VOS.pages.run = async ({ path: [start], params, changed }) => {
    await VOS.need("runs");
    const row = VOS.findRun(start);
    if (row < 0) return VOS.missing("run", start);
    const { columns } = VOS.site.runs;
    const get = (name) => columns[name]?.[row] ?? null;
    const { chunk } = VOS.site;
    const [details, checkpoints] = await Promise.all([VOS.load(`data/runs/${Math.floor(row / chunk)}`), VOS.load("data/checkpoints")]);
    const attempt = details.attempts[row % chunk];
    const tau = get("tau") === null ? "" : `, τ = ${get("tau")}`;
    return [
      VOS.heading(`${get("model")}${tau}`, get("trained") === "untrained" ? el("small", { class: "mark" }, "untrained") : null),
      el("p", {}, `${get("kind")} run of ${get("dataset")}, ${get("state")}; see `, link("all of this model", ["model", get("base")]), " or ",
        link("compare it with another run", ["runs"], { pick: get("key").slice(0, 16) }), "."),
      numbers(get), failure(get, attempt),
      el("div", { class: "blocks" }, weights(get, checkpoints), measured(get), ran(get, attempt)),
      ...own("Sequences", details.clips, VOS.COLUMNS.RUN_CLIPS, row, get, params, changed),
      ...own("Objects", details.objects, VOS.COLUMNS.RUN_OBJECTS, row, get),
    ];
  };
})();
