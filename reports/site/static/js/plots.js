// The plots of settings: which number against which, of which sequences, timed on which machine.
"use strict";
(() => {
  const AXES = ["jf_mean", "j_mean", "f_mean", "reuse_rate", "tau", "fps", "ms_per_frame"];
  const TAU = { name: "tau", label: "τ", kind: "number" };

  const MOST_CURVES = 40;
  const INTERVALS = "Bars: 95 % over sequences drawn again, of FPS the slowest to the fastest repeat; none where there are fewer than three sequences, or one repeat.";

  const about = (name) => (name === "tau" ? TAU : VOS.metric(name));

  const known = (frame, rows, name) => frame.columns[name]
    && rows.some((row) => frame.columns[name][row] !== null);

  const machineName = (frame, key) => {
    const { environments } = VOS.site;
    const { device } = environments[key] ?? { device: "unknown machine" };
    const twins = Object.values(environments).filter((one) => one.device === device).length;
    return twins > 1 ? `${device} [${key.slice(0, 6)}]` : device;
  };

  const SPANS = { jf_mean: ["jf_low", "jf_high"], reuse_rate: ["reuse_low", "reuse_high"], fps: ["fps_low", "fps_high"] };

  /** The interval of a setting's number: over sequences, or over repeats. */
  const ends = (columns, name, row) =>
    (SPANS[name] && columns[SPANS[name][0]] ? SPANS[name].map((end) => columns[end][row]) : null);

  /** Settings as curves of points; a setting that several machines timed comes once a machine. */
  const curves = (frame, rows, x, y, once) => {
    const { columns } = frame;
    const found = new Map();
    const seen = new Set();
    for (const row of rows) {
      const [a, b] = [columns[x][row], columns[y][row]];
      if (a === null || b === null || (once && seen.has(columns.key[row]))) continue;
      seen.add(columns.key[row]);
      const name = columns.curve[row];
      if (!found.has(name)) {
        const untrained = columns.trained[row] === "untrained";
        found.set(name, { name, look: VOS.site.looks[name], untrained, points: [] });
      }
      const tau = columns.tau[row];
      const words = [columns.model[row], tau === null ? "" : `τ = ${tau}`, columns.trained[row],
        `${about(x).label} ${VOS.format(a, about(x).kind)}`, `${about(y).label} ${VOS.format(b, about(y).kind)}`,
        [x, y].some((one) => VOS.site.timing.includes(one)) && columns.busy[row] ? "busy: others used the device" : ""];
      found.get(name).points.push({
        x: a, y: b, tau, spans: { x: ends(columns, x, row), y: ends(columns, y, row) }, text: words.filter(Boolean).join(" · "),
        path: ["run", columns.key[row]],
      });
    }
    for (const curve of found.values()) curve.points.sort((p, q) => (p.tau ?? 9) - (q.tau ?? 9));
    return [...found.values()];
  };

  /** What speeds belong to. */
  const conditions = (frame, rows) => {
    const { columns } = frame;
    const timed = rows.filter((row) => columns.repeats[row] > 0);
    if (!timed.length) return [];
    const said = (name) => VOS.distinct(columns[name], timed).join("/");
    const busy = VOS.distinct(columns.curve, timed.filter((row) => columns.busy[row]));
    return [`timed on ${said("device")}; threads: ${said("threads") || "unknown"}; precision: ${said("precision")}; repeats: ${said("repeats")}`,
      busy.length ? `busy: others used the device while these were timed: ${busy.join(", ")}` : ""];
  };

  const remark = (frame, rows, drawn) => {
    const notes = VOS.distinct(frame.columns.weights_note, rows).filter(Boolean);
    const untrained = drawn.filter((curve) => curve.untrained).map((curve) => curve.name);
    const named = untrained.length === drawn.length ? "all curves" : untrained.join(", ");
    return [untrained.length ? `untrained (random weights, hollow markers): ${named}` : "",
      ...notes.filter((note) => note !== "untrained")];
  };

  class Plots {
    /** frame: settings; rows: those that may be drawn; params: of the address. */
    constructor({ rows, params, changed }) {
      Object.assign(this, { frame: VOS.site.settings, rows, params, changed });
      this.element = VOS.el("section", { class: "plots" });
      this.draw();
    }

    set(name, value) {
      if (value) this.params.set(name, value);
      else this.params.delete(name);
      this.changed(this.params);
      this.draw();
    }

    /** A parameter's value, or the first choice. */
    choice(name, choices, first) {
      const value = this.params.get(name);
      return choices.includes(value) ? value : choices.includes(first) ? first : choices[0];
    }

    draw() {
      const { frame } = this;
      const axes = AXES.concat(Object.keys(frame.columns).filter((name) =>
        VOS.site.timing.includes(name) && !AXES.includes(name)))
        .filter((name) => known(frame, this.rows, name));
      if (axes.length < 2) {
        this.element.replaceChildren(VOS.el("p", { class: "remark" }, "Nothing complete to plot here."));
        return;
      }
      const across = axes.includes("reuse_rate") ? "reuse_rate" : axes.includes("tau") ? "tau" : axes[1];
      const x = this.choice("x", axes, across);
      const y = this.choice("y", axes, axes.find((name) => name !== x));
      const evaluations = VOS.distinct(frame.columns.evaluation, this.rows);
      const at = this.choice("at", evaluations);
      const timed = [x, y].some((name) => VOS.site.timing.includes(name));
      let rows = this.rows.filter((row) => frame.columns.evaluation[row] === at);
      const machines = VOS.distinct(frame.columns.environment_key, rows);
      const on = this.choice("on", machines);
      if (timed) rows = rows.filter((row) => frame.columns.environment_key[row] === on);
      const options = (names) => names.map((name) => [name, about(name).label]);
      const controls = [
        VOS.select("y axis", options(axes), y, (value) => this.set("y", value)),
        VOS.select("x axis", options(axes), x, (value) => this.set("x", value)),
        VOS.select("τ at the points", [["", "hidden"], ["1", "shown"]], this.params.get("taus") ?? "", (value) => this.set("taus", value)),
        VOS.select("measured on", evaluations.map((name) => [name, name]), at, (value) => this.set("at", value)),
        timed && machines.length > 0 && VOS.select("timed on",
          machines.map((key) => [key, machineName(frame, key)]), on, (value) => this.set("on", value)),
      ];
      const all = curves(frame, rows, x, y, !timed);
      const drawn = all.slice(0, MOST_CURVES);
      const rest = all.length > drawn.length
        ? `the first ${drawn.length} of ${all.length} curves; a model's or a sweep's page has fewer` : "";
      const side = (name) => ({
        label: about(name).label, format: (value) => VOS.format(value, about(name).kind),
      });
      this.element.replaceChildren(VOS.el("div", { class: "controls" }, controls),
        drawn.length ? VOS.scatter(drawn, side(x), side(y), Boolean(this.params.get("taus")))
          : VOS.el("p", { class: "remark" }, "No setting has both numbers here."),
        ...[rest, INTERVALS, ...(timed ? conditions(frame, rows) : []), ...remark(frame, rows, drawn)].filter(Boolean).map((text) => VOS.el("p", { class: "remark" }, text)));
    }
  }

  VOS.Plots = Plots;
})();
