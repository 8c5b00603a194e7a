// A table of any length: only the rows in sight are elements.
"use strict";
(() => {
  const ROW_PX = 31;
  const BEYOND = 8;
  const SAMPLE = 300;
  const WIDEST_CH = 30;
  const NARROWEST_CH = 7;
  const NARROW_CH = 16;

  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  /** Unknown values come last, whatever the order. */
  const sorted = (rows, values, descending) => {
    const sign = descending ? -1 : 1;
    return rows.slice().sort((a, b) => {
      const [one, two] = [values[a], values[b]];
      const [lacks, lacksToo] = [one === null || one === "", two === null || two === ""];
      if (lacks || lacksToo) return lacks - lacksToo;
      return sign * (typeof one === "number" && typeof two === "number"
        ? one - two : collator.compare(one, two));
    });
  };

  const widthOf = (column, values, rows) => {
    let widest = column.label.length + 3;
    for (const row of rows.slice(0, SAMPLE)) {
      widest = Math.max(widest, VOS.format(values[row], column.kind).length + 1);
    }
    return Math.max(NARROWEST_CH, Math.min(widest, column.widest ?? WIDEST_CH));
  };

  class Table {
    /**
     * options: frame, columns [{name, label, kind, cell(row)}], rows (indices), params
     * (URLSearchParams), changed(params), caption, facets and groups (names of columns),
     * current(row).
     */
    constructor(options) {
      Object.assign(this, { facets: [], groups: [] }, options);
      this.params ??= new URLSearchParams();
      this.values = this.frame.columns;
      this.known = this.columns.filter((column) => this.values[column.name]
        && this.rows.some((row) => this.values[column.name][row] !== null));
      this.columns = this.known;
      this.texts = [];
      this.active = 0;
      this.shown = this.rows;
      this.items = this.rows;
      this.closed = new Set();
      this.element = VOS.el("section", { class: "table" });
      this.build();
    }

    /** Everything anew: after other columns were chosen. */
    build() {
      const wanted = (this.params.get("cols") ?? "").split(",").filter(Boolean);
      const chosen = this.known.filter((column) => wanted.includes(column.name));
      this.columns = chosen.length ? chosen : this.known;
      this.texts = [];
      this.element.replaceChildren(this.controls(), this.grid());
      this.apply();
    }

    controls() {
      this.box = VOS.el("input", {
        type: "search", class: "filter", placeholder: this.example(),
        "aria-label": `Filter ${this.caption}`, value: this.params.get("q") ?? "",
        oninput: () => { this.set("q", this.box.value); },
      });
      this.status = VOS.el("p", { class: "status", role: "status" });
      const facets = this.facets.map((name) => this.facet(name)).filter(Boolean);
      return VOS.el("div", { class: "controls" }, this.box, facets, this.grouping(), this.chooser(),
        VOS.el("button", {
          type: "button", title: "the rows and columns that are shown, in the units of the database",
          onclick: () => VOS.saveCsv(VOS.csv(this.frame, this.columns, this.shown), this.caption),
        }, "CSV"), this.status);
    }

    grouping() {
      const names = this.groups.filter((name) => this.known.some((one) => one.name === name));
      if (!names.length || this.rows.length < 3) return null;
      const label = (name) => this.known.find((one) => one.name === name).label;
      return VOS.select("grouped by", [["", "nothing"], ...names.map((name) => [name, label(name)])],
        this.params.get("group") ?? "", (value) => this.set("group", value));
    }

    /** Which columns are shown; all, if none is chosen. */
    chooser() {
      if (this.known.length < 6) return null;
      const box = (column) => VOS.el("label", {}, VOS.el("input", {
        type: "checkbox", checked: this.columns.includes(column), onchange: (event) => {
          const left = this.known.filter((one) => (one === column
            ? event.target.checked : this.columns.includes(one)));
          const all = left.length === this.known.length || !left.length;
          this.set("cols", all ? "" : left.map((one) => one.name).join(","), true);
        },
      }), " ", column.label);
      const open = this.element.querySelector("details.chooser")?.open;
      return VOS.el("details", { class: "chooser", open }, VOS.el("summary", {}, "columns"),
        VOS.el("div", { class: "choices" }, this.known.map(box)));
    }

    /** What may be typed, in this table's own columns. */
    example() {
      const has = (name) => this.columns.some((column) => column.name === name);
      if (has("tau")) return "Filter: words, model:lite, tau>=0.6, -timing";
      const number = this.columns.find((column) => column.kind === "number");
      return number ? `Filter: words, ${number.label.replaceAll(" ", "_")}>1` : "Filter";
    }

    facet(name) {
      const column = this.columns.find((one) => one.name === name);
      if (!column) return null;
      const words = VOS.distinct(this.values[name], this.rows).map(String).sort(collator.compare);
      if (words.length < 2 || words.length > 200) return null;
      const options = [["", "all"], ...words.map((word) => [word, word])];
      return VOS.select(column.label, options, this.params.get(name) ?? "",
        (value) => this.set(name, value));
    }

    grid() {
      const narrow = matchMedia("(max-width: 40rem)").matches;
      const widths = this.columns.map((column, at) => {
        const ch = widthOf(column, this.values[column.name], this.rows);
        return narrow && at === 0 ? Math.min(ch, NARROW_CH) : ch;
      });
      const groups = widths.map((ch) => {
        const col = VOS.el("col");
        col.style.width = `${ch + 1}ch`;
        return col;
      });
      this.heads = this.columns.map((column) => VOS.el("th", { scope: "col" },
        VOS.el("button", {
          type: "button", title: column.title ?? column.name, onclick: () => this.order(column),
        }, column.label)));
      this.body = VOS.el("tbody");
      this.table = VOS.el("table", {},
        VOS.el("caption", { class: "unseen" }, this.caption), VOS.el("colgroup", {}, groups),
        VOS.el("thead", {}, VOS.el("tr", {}, this.heads)), this.body);
      this.table.style.width = `${widths.reduce((sum, ch) => sum + ch + 1, 0)}ch`;
      this.scroller = VOS.el("div", {
        class: "scroll", tabindex: "0", role: "region", "aria-label": this.caption,
        onscroll: () => this.draw(), onkeydown: (event) => this.key(event),
      }, this.table);
      return this.scroller;
    }

    set(name, value, anew = false) {
      if (value) this.params.set(name, value);
      else this.params.delete(name);
      this.scroller.scrollTop = 0;
      if (anew) this.build();
      else this.apply();
      this.changed?.(this.params);
    }

    order(column) {
      const now = this.params.get("sort");
      const first = column.kind && column.kind !== "text" ? `-${column.name}` : column.name;
      const second = first.startsWith("-") ? column.name : `-${column.name}`;
      this.set("sort", now === first ? second : now === second ? "" : first);
    }

    /** All text of a row that plain words are looked for in. */
    text(row) {
      this.texts[row] ??= this.columns.map((column) =>
        VOS.format(this.values[column.name][row], column.kind)).join("\n").toLowerCase();
      return this.texts[row];
    }

    apply() {
      const typed = this.params.get("q") ?? "";
      const query = VOS.query(typed, this.columns, this.values, (row) => this.text(row));
      const facets = this.facets.filter((name) => this.params.get(name) && this.values[name]);
      const chosen = this.rows.filter((row) => facets.every((name) =>
        String(this.values[name][row]) === this.params.get(name)) && query.test(row));
      const sort = this.params.get("sort") ?? "";
      const name = sort.replace(/^-/u, "");
      const known = this.columns.some((column) => column.name === name);
      this.shown = known ? sorted(chosen, this.values[name], sort.startsWith("-")) : chosen;
      this.columns.forEach((column, at) => this.heads[at].setAttribute("aria-sort",
        column.name !== name ? "none" : sort.startsWith("-") ? "descending" : "ascending"));
      const count = this.shown.length === this.rows.length ? `${this.rows.length}`
        : `${this.shown.length} of ${this.rows.length}`;
      const rows = this.rows.length === 1 ? "row" : "rows";
      this.status.textContent = [`${count} ${rows}`, query.problem].filter(Boolean).join("; ");
      this.arrange();
    }

    /** Rows, and heads of groups between them: what has a line in the table. */
    arrange() {
      const by = this.values[this.params.get("group") ?? ""];
      this.items = this.shown;
      if (by && this.groups.includes(this.params.get("group"))) {
        const groups = new Map();
        for (const row of this.shown) {
          if (!groups.has(by[row])) groups.set(by[row], []);
          groups.get(by[row]).push(row);
        }
        this.items = [...groups].flatMap(([word, rows]) =>
          [{ word, rows }, ...(this.closed.has(word) ? [] : rows)]);
      }
      this.table.setAttribute("aria-rowcount", this.items.length + 1);
      this.active = Math.min(this.active, Math.max(0, this.items.length - 1));
      this.drawn = "";
      this.draw();
    }

    /** The head of a group: how many rows, and the span of their scores. */
    head({ word, rows }, at) {
      const spans = this.columns.filter(({ name }) => ["jf_mean", "fps"].includes(name)).map(({ name, label, kind }) => {
        const known = rows.map((row) => this.values[name][row]).filter((value) => value !== null);
        if (!known.length) return "";
        const ends = [Math.min, Math.max].map((end) => known.reduce((a, b) => end(a, b)));
        return `${label} ${[...new Set(ends.map((end) => VOS.format(end, kind)))].join(" to ")}`;
      });
      const closed = this.closed.has(word);
      return VOS.el("tr", { class: "group", "aria-rowindex": at + 2, "data-at": at }, VOS.el("td", { colspan: this.columns.length },
        VOS.el("button", {
          type: "button", "aria-expanded": String(!closed), onclick: () => {
            if (!this.closed.delete(word)) this.closed.add(word);
            this.arrange();
          },
        }, `${closed ? "▸" : "▾"} ${word ?? "none"}`),
        ` ${[`${rows.length} row${rows.length === 1 ? "" : "s"}`, ...spans].filter(Boolean).join(" · ")}`));
    }

    draw() {
      const height = this.scroller.clientHeight || 640;
      const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW_PX) - BEYOND);
      const last = Math.min(this.items.length, first + Math.ceil(height / ROW_PX) + 2 * BEYOND);
      if (this.drawn === `${first}-${last}`) return;
      this.drawn = `${first}-${last}`;
      const inside = this.body.contains(document.activeElement);
      const rows = [this.space(first)];
      for (let at = first; at < last; at += 1) rows.push(this.row(at));
      rows.push(this.space(this.items.length - last));
      this.body.replaceChildren(...rows);
      if (inside) (this.linkAt(this.active) ?? this.scroller).focus({ preventScroll: true });
    }

    space(count) {
      const space = VOS.el("tr", { class: "space", "aria-hidden": "true" });
      space.style.height = `${count * ROW_PX}px`;
      return space;
    }

    row(at) {
      const row = this.items[at];
      if (typeof row === "object") return this.head(row, at);
      const cells = this.columns.map((column) => {
        const value = this.values[column.name][row];
        const text = VOS.format(value, column.kind);
        const content = column.cell && text !== "" ? column.cell(row, text) : text;
        const number = column.kind && column.kind !== "text" && column.kind !== "short";
        return VOS.el("td", { class: number ? "number" : null, title: text.length > 12 ? String(value) : null }, content);
      });
      const current = this.current?.(row);
      return VOS.el("tr", {
        "aria-rowindex": at + 2, "data-at": at, "aria-current": current ? "true" : null,
      }, cells);
    }

    linkAt(at) { return this.body.querySelector(`tr[data-at="${at}"] :is(a, button)`); }

    key(event) {
      const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW_PX) - 2);
      const steps = {
        ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity,
      };
      if (!(event.key in steps) || !this.items.length || event.target.closest("thead")) return;
      event.preventDefault();
      const at = event.target.closest("tr")?.dataset.at;
      const next = at === undefined ? (event.key === "End" ? Infinity : 0) : Number(at) + steps[event.key];
      this.active = Math.max(0, Math.min(this.items.length - 1, next));
      const top = this.active * ROW_PX;
      const seen = this.scroller.clientHeight - 2 * ROW_PX;
      if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
      if (top > this.scroller.scrollTop + seen) this.scroller.scrollTop = top - seen;
      this.draw();
      this.linkAt(this.active)?.focus({ preventScroll: true });
    }
  }

  VOS.Table = Table;
})();
