// Which columns a table shows, in which words and units. Percentages are stored as shares.
"use strict";
(() => {
  const column = (name, label, kind = "text", extra = {}) => ({ name, label, kind, ...extra });
  const TRAINED = column("trained", "weights are", "text", { title: "trained or untrained (random) weights" });

  const MODEL = column("model", "model", "text", { widest: 26 });
  const TAU = column("tau", "τ", "number", { also: ["tau"] });
  const DESCRIBE = [column("policy", "policy"), column("tau2", "τ₂", "number", { also: ["tau2"] }), TRAINED];
  const JF = column("jf_mean", "J&F %", "percent", { also: ["jf", "j&f"] });
  const DATASET = column("dataset", "dataset");
  const SCORES = [
    column("j_mean", "J %", "percent", { also: ["j"] }),
    column("f_mean", "F %", "percent", { also: ["f"] }),
    column("reuse_rate", "reuse %", "percent", { also: ["reuse"] }),
  ];
  const SPEED = [column("fps", "FPS", "number"), column("ms_per_frame", "ms/frame", "number")];
  const TIMED = [column("busy", "busy", "text", { title: "others used the device while this was timed" }),
    column("device", "device"), column("threads", "threads", "number")];
  const CUT = column("max_frames", "cut at", "number", { title: "sequences were cut after so many frames" });

  const RUNS = [
    MODEL, JF, DATASET, TAU, column("reuse_rate", "reuse %", "percent", { also: ["reuse"] }),
    column("kind", "kind"), column("state", "state"), ...DESCRIBE, ...SCORES.slice(0, -1), ...SPEED, ...TIMED,
    column("clips", "sequences", "number"), CUT, column("weights", "weights"), column("margins", "margins"),
    column("study", "sweep"), column("owner", "from", "text", { title: "whose results these are, where they were imported; empty for own ones" }), column("protocol", "protocol"), column("precision", "precision"),
    column("seed", "seed", "number"), column("repeat", "repeat", "number"), column("version", "version"),
    column("manifest_sha256", "manifest", "short"), column("weights_sha256", "weights sha256", "short"),
    column("environment_key", "machine key", "short"), column("key", "key", "short"), column("trial_id", "id", "number"), column("error", "error"),
  ];
  const CLIP_RUNS = [
    MODEL, JF, TAU, ...SCORES.slice(-1), column("kind", "kind"), column("state", "state"), CUT, ...DESCRIBE,
    ...SCORES.slice(0, -1), ...SPEED, ...TIMED, column("frames", "frames", "number"), column("weights", "weights"), column("study", "sweep"),
    column("manifest_sha256", "manifest", "short"), column("mask_sha256", "masks", "short"),
    column("key", "key", "short"),
  ];
  const RUN_CLIPS = [
    column("sequence", "sequence"), JF, column("frames", "frames", "number"),
    column("objects", "objects", "number"), ...SCORES, ...SPEED,
  ];
  const MODELS = [
    column("curve", "model", "text", { widest: 36 }), column("jf_best", "best J&F %", "percent"), DATASET,
    column("tau_best", "at τ", "number"), TRAINED, column("settings", "settings", "number"),
    column("jf_low", "lowest J&F %", "percent"), column("reuse_low", "reuse from %", "percent"),
    column("reuse_high", "to %", "percent"), column("fps_best", "best FPS", "number"), TIMED[0],
    column("device", "timed on"), TIMED[2], column("precision", "precision"), column("repeats", "repeats", "number"), column("evaluation", "measured on"), column("weights", "weights"),
  ];
  const CLIPS = [
    column("sequence", "sequence"), column("jf_low", "J&F from %", "percent"), column("jf_high", "to %", "percent"),
    DATASET, column("frames", "frames", "number"), column("objects", "objects", "number"), column("runs", "runs", "number"),
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
    column("sequence", "sequence"), column("object_id", "object", "number"), JF, ...SCORES,
  ];
  const HISTORY = [
    column("point", "setting", "text", { widest: 44 }), column("metric", "metric"), column("last", "last", "number"),
    column("steps", "steps", "number"), column("change", "last step", "text"), column("at", "at version", "text"),
    column("versions", "versions", "number"), column("protocol", "measured on"), column("machine", "timed on"),
  ];
  const VERDICTS = [
    column("model", "model", "text", { widest: 26 }), column("verdict", "verdict"), DATASET, TAU, column("metric", "metric"), column("change", "change", "text"),
    column("range", "95 % interval", "text"), column("baseline", "baseline"), column("reason", "reason", "text", { widest: 60 }),
    column("created_at", "when", "time"), column("version", "version"),
  ];
  const BASELINES = [
    column("name", "baseline"), column("trials", "runs", "number"), column("version", "version"),
    column("created_at", "set", "time"), column("filters", "of", "text"),
  ];
  const FAILED = [
    MODEL, column("state", "state"), DATASET, TAU, column("kind", "kind"), CUT, column("error", "error", "text", { widest: 80 }),
  ];
  VOS.COLUMNS = {
    HISTORY, VERDICTS, BASELINES, FAILED, SCORES: [JF, ...SCORES], SPEED, RUNS, CLIP_RUNS, RUN_CLIPS, RUN_OBJECTS, MODELS, CLIPS, SWEEPS, TRAININGS };

  /** Metrics of some protocols or of other packages, which the data says how to show. */
  const others = () => (VOS.site?.metrics ?? [])
    .map(({ name, label, kind }) => column(name, label, kind));

  /** The columns with those behind the scores. */
  VOS.withMetrics = (columns) => columns.flatMap(
    (one) => (one.name === "reuse_rate" ? [one, ...others()] : [one]));

  /** Aggregates that have no column of their own, in words. */
  const PERCENT = /^(?:jf|j|f)_|rate|share/u;
  VOS.metric = (name) => {
    const known = [JF, ...SCORES, ...SPEED, ...others()].find((one) => one.name === name);
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
