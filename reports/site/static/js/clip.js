// A clip's page: every run on it, one run's gate along it, and pictures of its masks.
"use strict";
(() => {
  const { el, link } = VOS;

  /** The clip's rows beside what the runs say of themselves. */
  const joined = (packed) => {
    const own = VOS.unpack(packed);
    const { runs } = VOS.site;
    const place = new Map(runs.columns.key.map((key, row) => [key, row]));
    const rows = own.columns.key.map((key) => place.get(key));
    for (const [name, values] of Object.entries(runs.columns)) {
      own.columns[name] ??= DESCRIBES.has(name) ? rows.map((row) => values[row]) : undefined;
    }
    return own;
  };
  const DESCRIBES = new Set(["model", "policy", "tau", "tau2", "trained", "kind", "device", "weights",
    "study", "manifest_sha256", "weights_note"]);

  const name = (row) => {
    const { columns } = VOS.site.runs;
    const tau = columns.tau[row] === null ? "" : `, τ = ${columns.tau[row]}`;
    return `${columns.model[row]}${tau}${columns.trained[row] === "untrained" ? " (untrained)" : ""}`;
  };

  const timeline = async (key, row, file) => {
    if (!file) return [el("p", { class: "remark" }, "This run stored no series of the clip, so there is no gate timeline (timing runs store none).")];
    const data = await VOS.load(file);
    const run = data.runs[key];
    const tau = VOS.site.runs.columns.tau[row];
    const parts = run.objects.map((object, at) => {
      const line = VOS.timelineData(data, key, at, VOS.site.paths);
      const title = run.objects.length > 1 ? el("h3", {}, `object ${object}`) : null;
      return [title, VOS.timeline(line, run.p_gate ? tau : null, `Gate timeline of ${name(row)}, object ${object}; as a table below`),
        el("details", {}, el("summary", {}, "as a table"), VOS.timelineTable(line))];
    });
    const without = run.p_gate ? [] : [el("p", { class: "remark" }, "No gate was evaluated in this run: there is no P_gate.")];
    return [...without, ...parts.flat()];
  };

  const caption = (tile) => {
    const words = [...new Set(tile.path)].join("/");
    const said = tile.p_gate.filter((p) => p !== null).map((p) => p.toFixed(2)).join(", ");
    return [`frame ${tile.frame}`, words, said && `P ${said}`].filter(Boolean).join(" · ");
  };

  const strip = (one, chosen) => {
    const row = one.key === null ? -1 : VOS.findRun(one.key);
    const title = one.key === null ? "annotation" : name(row);
    const tiles = one.tiles.map((tile) => el("figure", {},
      el("img", { src: tile.file, alt: `${title}, ${caption(tile)}`, loading: "lazy" }),
      el("figcaption", {}, caption(tile))));
    return el("section", { class: "strip", "aria-current": one.key !== null && one.key === chosen ? "true" : null },
      el("h3", {}, one.key === null ? title : link(title, VOS.runPath(one.key))), el("div", { class: "tiles", tabindex: "0", role: "region", "aria-label": `frames of ${title}` }, tiles));
  };

  /** The run that was asked for, else the first with a gate timeline, else the first. */
  const chosen = (frame, series, asked) => {
    const { key, policy } = frame.columns;
    const found = key.find((one) => asked && one.startsWith(asked));
    return found ?? key.find((one, row) => one in series && policy[row]) ?? key.find((one) => one in series) ?? key[0];
  };

  VOS.pages.clip = async ({ path: [dataset, sequence], params, changed }) => {
    const { clips } = VOS.site;
    const number = VOS.where(clips, (row) => clips.columns.sequence[row] === sequence
      && clips.columns.dataset[row] === dataset)[0];
    if (number === undefined) return VOS.missing("clip", `${dataset}/${sequence}`);
    const data = await VOS.load(`data/clips/${number}`);
    const frame = joined(data.rows);
    const key = chosen(frame, data.series, params.get("run"));
    const row = VOS.findRun(key);
    const keep = (one) => ({ ...Object.fromEntries(params), run: one.slice(0, 16) });
    const cells = {
      model: (at, text) => link(text, ["clip", dataset, sequence], keep(frame.columns.key[at])),
      trained: (at, text) => VOS.trained(text),
      key: (at, text) => link(text, VOS.runPath(frame.columns.key[at])),
    };
    const table = new VOS.Table({
      frame, columns: VOS.withCells(VOS.COLUMNS.CLIP_RUNS, cells), params, changed,
      rows: Array.from({ length: frame.rows }, (_, at) => at), caption: `runs on ${sequence}`,
      facets: ["kind", "trained", "device"], current: (at) => frame.columns.key[at] === key,
    });
    table.element.classList.add("short");
    const strips = data.strips.length
      ? data.strips.map((one) => strip(one, key))
      : [el("p", { class: "remark" }, "No overlay strips: no run here saved its masks; measure with --save-masks.")];
    return [
      VOS.heading(sequence, el("small", {}, dataset)),
      table.element,
      el("h2", { id: "gate" }, "Gate of ", link(name(row), VOS.runPath(key))),
      ...await timeline(key, row, data.series[key]),
      el("h2", {}, "Masks"),
      ...data.remarks.map((text) => el("p", { class: "remark" }, text)),
      data.strips.length > 0 && el("p", { class: "remark" }, "Objects in their DAVIS colours; the border says what was done:",
        Object.entries(VOS.site.path_colours).map(([word, colour]) => {
          const box = el("span", { class: "swatch" });
          box.style.borderColor = VOS.colour(colour);
          return [" ", box, ` ${word}`];
        })),
      ...strips,
    ];
  };
})();
