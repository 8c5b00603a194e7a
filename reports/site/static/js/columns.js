// Which columns a table shows, in which words and units. Percentages are stored as shares.
"use strict";
(() => {
  const column = (name, label, kind = "text", extra = {}) => ({ name, label, kind, ...extra });
  const TRAINED = column("trained", "weights are", "text", { title: "trained or untrained (random) weights" });

  const DESCRIBE = [
    column("model", "model"), column("policy", "policy"), column("tau", "τ", "number", { also: ["tau"] }),
    column("tau2", "τ₂", "number", { also: ["tau2"] }), TRAINED,
  ];
  const SCORES = [
    column("jf_mean", "J&F %", "percent", { also: ["jf", "j&f"] }), column("j_mean", "J %", "percent", { also: ["j"] }),
    column("f_mean", "F %", "percent", { also: ["f"] }),
    column("reuse_rate", "reuse %", "percent", { also: ["reuse"] }),
  ];
  const SPEED = [column("fps", "FPS", "number"), column("ms_per_frame", "ms/frame", "number")];

  const RUNS = [
    ...DESCRIBE, column("kind", "kind"), column("state", "state"), ...SCORES, ...SPEED,
    column("device", "device"), column("dataset", "dataset"), column("clips", "clips", "number"),
    column("max_frames", "cut at", "number"), column("weights", "weights"), column("margins", "margins"),
    column("study", "sweep"), column("protocol", "protocol"), column("precision", "precision"),
    column("seed", "seed", "number"), column("repeat", "repeat", "number"), column("version", "version"),
    column("manifest_sha256", "manifest", "short"), column("weights_sha256", "weights sha256", "short"),
    column("environment_key", "machine key", "short"), column("key", "key", "short"), column("trial_id", "id", "number"), column("error", "error"),
  ];
  const CLIP_RUNS = [
    ...DESCRIBE, column("kind", "kind"), ...SCORES, ...SPEED, column("frames", "frames", "number"),
    column("device", "device"), column("weights", "weights"), column("study", "sweep"),
    column("manifest_sha256", "manifest", "short"), column("mask_sha256", "masks", "short"),
    column("key", "key", "short"),
  ];
  const RUN_CLIPS = [
    column("sequence", "clip"), column("frames", "frames", "number"),
    column("objects", "objects", "number"), ...SCORES, ...SPEED,
  ];
  const MODELS = [
    column("curve", "model", "text", { widest: 52 }), TRAINED, column("settings", "settings", "number"),
    column("jf_best", "best J&F %", "percent"), column("tau_best", "at τ", "number"),
    column("jf_low", "lowest J&F %", "percent"), column("reuse_low", "reuse from %", "percent"),
    column("reuse_high", "to %", "percent"), column("fps_best", "best FPS", "number"),
    column("device", "timed on"), column("evaluation", "measured on"), column("weights", "weights"),
  ];
  const CLIPS = [
    column("sequence", "clip"), column("dataset", "dataset"), column("frames", "frames", "number"),
    column("objects", "objects", "number"), column("runs", "runs", "number"),
    column("jf_low", "J&F from %", "percent"), column("jf_high", "to %", "percent"),
    column("reuse_low", "reuse from %", "percent"), column("reuse_high", "reuse to %", "percent"),
  ];
  const SWEEPS = [
    column("name", "sweep"), column("trials", "runs", "number"), column("complete", "complete", "number"),
    column("failed", "failed", "number"), column("open", "open", "number"),
    column("created_at", "asked for", "time"), column("commands", "commands", "number"),
  ];
  const TRAININGS = [
    column("model", "model"), column("gate", "gate learns"), column("seed", "seed", "number"),
    column("state", "state"), column("steps", "steps", "number"), column("minutes", "minutes", "number"),
    column("data", "data"), column("start", "started from"), column("device", "device"),
    column("started_at", "began", "time"), column("checkpoint_sha256", "checkpoint", "short"),
    column("key", "key", "short"),
  ];
  const RUN_OBJECTS = [
    column("sequence", "clip"), column("object_id", "object", "number"), ...SCORES,
  ];
  VOS.COLUMNS = { RUNS, CLIP_RUNS, RUN_CLIPS, RUN_OBJECTS, MODELS, CLIPS, SWEEPS, TRAININGS };

  /** Metrics of some protocols or of other packages, which the data says how to show. */
  const others = () => (VOS.arrived("data/site")?.metrics ?? [])
    .map(({ name, label, kind }) => column(name, label, kind));

  /** The columns with those behind the scores. */
  VOS.withMetrics = (columns) => columns.flatMap(
    (one) => (one.name === "reuse_rate" ? [one, ...others()] : [one]));

  /** Aggregates that have no column of their own, in words. */
  const PERCENT = /^(?:jf|j|f)_|rate|share/u;
  VOS.metric = (name) => {
    const known = [...SCORES, ...SPEED, ...others()].find((one) => one.name === name);
    if (known) return known;
    const words = name.replaceAll("_", " ").replace(/^[jf] /u, (letter) => letter.toUpperCase());
    return PERCENT.test(name) ? column(name, `${words} %`, "percent") : column(name, words, "number");
  };

  /** Columns with links and marks: cell(row) by a column's name. */
  VOS.withCells = (columns, cells) => columns.map((one) => ({
    ...one, cell: cells[one.name] ?? one.cell,
  }));

  VOS.trainedCell = (frame) => (row, text) => VOS.trained(text);
})();
