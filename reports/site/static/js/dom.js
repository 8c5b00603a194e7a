// Elements whose text is only ever text, and numbers as people read them.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";

  const fill = (node, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) {
      if (child !== null && child !== undefined && child !== false) node.append(child);
    }
    return node;
  };

  /** An element; strings become text nodes, never markup. */
  VOS.el = (tag, attributes = {}, ...children) =>
    fill(document.createElement(tag), attributes, children);

  VOS.svg = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  /** An address in this page: segments of a path, and parameters. */
  VOS.href = (path, params = {}) => {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(params)) if (value) query.set(name, value);
    const text = query.toString();
    return `#/${path.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
  };

  VOS.link = (text, path, params) => VOS.el("a", { href: VOS.href(path, params) }, String(text));

  const trimmed = (value, digits) => String(Number(value.toFixed(digits)));
  const FORMATS = {
    text: (value) => String(value),
    short: (value) => String(value).slice(0, 10),
    percent: (value) => (100 * value).toFixed(1),
    number: (value) => (Number.isInteger(value) ? String(value)
      : Math.abs(value) >= 100 ? value.toFixed(0) : trimmed(value, Math.abs(value) < 1 ? 4 : 2)),
    time: (value) => `${new Date(1000 * value).toISOString().slice(0, 16).replace("T", " ")} UTC`,
  };

  /** A value in words; an empty text where it is unknown. */
  VOS.format = (value, kind = "text") => {
    if (value === null || value === undefined || value === "") return "";
    if (typeof value !== "number" && kind !== "short") return String(value);
    return FORMATS[kind](value);
  };

  /** Pairs of a name and a value, as a list; empty values are left out. */
  VOS.facts = (pairs) => VOS.el("dl", { class: "facts" }, pairs
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => VOS.el("div", {}, VOS.el("dt", {}, name), VOS.el("dd", {}, value))));

  /** Nested records as nested lists. */
  VOS.tree = (value) => {
    if (value === null || value === undefined) return "unknown";
    if (Array.isArray(value)) {
      return value.some((item) => item !== null && typeof item === "object")
        ? VOS.el("ul", { class: "tree" }, value.map((item) => VOS.el("li", {}, VOS.tree(item))))
        : value.map(String).join(", ") || "none";
    }
    if (typeof value === "object") return VOS.facts(Object.entries(value).map(
      ([name, item]) => [name.replaceAll("_", " "), VOS.tree(item)]));
    return String(value);
  };

  /** "untrained", marked so that it is seen; other words as they are. */
  VOS.trained = (word) => VOS.el("span", { class: word === "untrained" ? "mark" : "" }, word);

  VOS.select = (label, options, value, change) => {
    const choice = VOS.el("select", { onchange: (event) => change(event.target.value) },
      options.map(([key, text]) => VOS.el("option", { value: key }, text)));
    choice.value = value;
    return VOS.el("label", { class: "field" }, VOS.el("span", {}, label), choice);
  };
})();
