// The front page: what was best, what failed, where it is worst, when and with what.
"use strict";
(() => {
  const { el, link, format } = VOS;

  const spread = (low, high, kind) => (low === null || high === null || low === high ? ""
    : el("small", {}, ` ${format(low, kind)}–${format(high, kind)}`));

  const speed = (row) => (row.fps === null ? "" : [format(row.fps, "number"), row.busy ? el("span", { class: "mark", title: "busy: others used the device" }, "busy") : "",
    row.repeats > 1 ? spread(row.fps_low, row.fps_high, "number") : ""]);

  const measured = (row, place) => el("tr", {},
    el("td", {}, link(row.curve, VOS.runPath(row.key))),
    el("td", { class: "number" }, place ? format(row.jf_mean, "percent") : el("strong", {}, format(row.jf_mean, "percent")), spread(row.jf_low, row.jf_high, "percent"),
      row.owner ? el("span", { class: "mark", title: "imported: measured elsewhere" }, ` from ${row.owner}`) : ""),
    el("td", { class: "number" }, format(row.tau, "number")), el("td", { class: "number" }, format(row.reuse_rate, "percent")),
    el("td", { class: "number" }, speed(row)), el("td", {}, VOS.trained(row.trained)));

  const printed = (row) => el("tr", { class: "published" }, el("td", {}, `${row.method} (paper)`),
    el("td", { class: "number" }, row.score.toFixed(1)), el("td", { class: "number" }, format(row.tau, "number")), el("td"),
    el("td", { class: "number" }, format(row.fps, "number")), el("td", {}, "published"));

  const timing = (rows) => {
    const timed = rows.filter((row) => row.fps !== null);
    const words = [...new Set(timed.map((row) => `${row.device}, ${row.threads === null ? "unknown" : format(row.threads, "number")} threads, ${row.precision}, ${row.repeats} repeat${row.repeats === 1 ? "" : "s"}`))];
    return words.length ? `FPS on ${words.join("; ")}. ` : "";
  };

  const headline = (one) => [
    el("h2", {}, one.evaluation),
    el("div", { class: "headline", tabindex: "0", role: "region", "aria-label": `best models on ${one.evaluation}` }, el("table", {},
      el("thead", {}, el("tr", {}, ["model", "J&F %", "τ", "reuse %", "FPS", "weights"].map((word) => el("th", { scope: "col" }, word)))),
      el("tbody", {}, one.best.map(measured), (one.published?.rows ?? []).map(printed)))),
    el("p", { class: "remark" }, timing(one.best), "Beside J&F: 95 % over sequences. ",
      one.curves > one.best.length && [`The best ${one.best.length} of ${one.curves} models: `, link("all", ["models"]), ". "],
      one.published && `Paper: ${one.published.table}, ${one.published.score}${one.published.whole ? "" : "; of the whole set, so it doesn't compare with these sequences"}.`),
    one.worst.length > 0 && el("p", {}, "Worst sequences of the best model: ", one.worst.map(({ sequence, jf }, at) => [at ? ", " : "",
      link(sequence, VOS.sequencePath(one.dataset, sequence), { run: one.best[0].key.slice(0, 16) }), ` ${format(jf, "percent")}`])),
  ];

  /** Runs that failed, so that nobody takes what is left for everything. */
  const failures = ({ count, first }) => count > 0 && el("section", { class: "failures" },
    el("p", {}, link(`${count} run${count === 1 ? "" : "s"} failed`, ["runs"], { q: "state:failed" }), count > first.length ? `, the first ${first.length}:` : ":"),
    el("ul", {}, first.map((one) => el("li", {}, link(`${one.model}${one.tau === null ? "" : `, τ = ${one.tau}`}`, VOS.runPath(one.key)), ` on ${one.dataset}: `, el("span", { class: "cut" }, one.error ?? "no reason kept")))));

  const states = (counts) => Object.entries(counts).map(([state, number]) => `${number} ${state}`).join(", ");

  VOS.pages.overview = async ({ params, changed }) => {
    const { site } = VOS;
    const { summary } = site;
    const filters = Object.entries(site.filters).map(([name, values]) => `${name}: ${values.join(", ")}`);
    const day = format(summary.last, "time");
    await VOS.need("settings");
    return [
      VOS.heading(site.title || "Results"),
      el("p", { class: "when" }, [day && `last measured ${day}`, summary.versions.length && `version ${summary.versions.at(-1)}`,
        summary.devices.join(", "), states(summary.states)].filter(Boolean).join(" · ")),
      failures(site.failures),
      ...site.headline.flatMap(headline),
      new VOS.Plots({ rows: VOS.every(site.settings), params, changed }).element,
      el("h2", {}, "What was measured"),
      VOS.facts([
        ["runs", el("span", {}, link(summary.runs, ["runs"]), ` (${states(summary.states)})`)],
        ["weights", summary.untrained ? el("span", { class: "mark" }, `${summary.untrained} runs are untrained: random weights`) : "all trained"],
        ["busy", summary.busy ? el("span", { class: "mark" }, `${summary.busy} timing runs on a device that others used`) : ""],
        ["imported", Object.entries(summary.owners).map(([owner, runs]) => `${runs} from ${owner}`).join(", ")],
        ["models", summary.models.join(", ")], ["datasets", summary.datasets.join(", ")],
        ["devices", summary.devices.join(", ")], ["threads", summary.threads.join(", ")], ["precision", summary.precisions.join(", ")],
        ["versions", summary.versions.join(", ")], ["first measured", format(summary.first, "time")], ["only", filters.join("; ")],
      ]),
      ...site.remarks.map((text) => el("p", { class: "remark" }, text)),
      el("p", { class: "remark" }, "Speeds of different machines are never averaged or drawn together. A point is a setting; its speed is the median over repeats on one machine."),
    ];
  };
})();
