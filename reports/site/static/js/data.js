// Data files call vosbenchData(name, text); a page waits for those it needs.
"use strict";
const VOS = { pages: {} };

(() => {
  const arrived = new Map();
  const waiting = new Map();

  /** Bytes of base64 of zlib's format. */
  VOS.inflate = async (text) => {
    const packed = atob(text);
    const bytes = new Uint8Array(packed.length);
    for (let at = 0; at < packed.length; at += 1) bytes[at] = packed.charCodeAt(at);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  globalThis.vosbenchData = (name, text) => {
    const data = VOS.inflate(text).then((bytes) => JSON.parse(new TextDecoder().decode(bytes)));
    arrived.set(name, data);
    const wait = waiting.get(name);
    if (wait) wait.resolve(data);
  };

  /** The data of a file, loaded once; rejects where the file is missing. */
  VOS.load = (name) => {
    if (arrived.has(name)) return arrived.get(name);
    if (!waiting.has(name)) {
      const wait = {};
      wait.promise = new Promise((resolve, reject) => Object.assign(wait, { resolve, reject }));
      waiting.set(name, wait);
      const script = document.createElement("script");
      script.src = `${name}.js`;
      script.onerror = () => {
        waiting.delete(name);
        wait.reject(new Error(`${name}.js is missing: copy the whole folder`));
      };
      document.head.append(script);
    }
    return waiting.get(name).promise;
  };

  /** A data file anew, though it was loaded before. */
  VOS.reload = (name) => {
    arrived.delete(name);
    waiting.delete(name);
    document.head.querySelector(`script[src="${name}.js"]`)?.remove();
    return VOS.load(name);
  };

  /** A packed frame as {rows, columns: {name: array}}; null where a value is unknown. */
  VOS.unpack = (packed) => {
    const columns = Object.create(null);
    for (const [name, column] of Object.entries(packed.columns)) {
      columns[name] = column.values
        ?? column.codes.map((code) => (code === null ? null : column.words[code]));
    }
    return { rows: packed.rows, columns };
  };

  /** Frames that a page needs beside the front page's, into VOS.site, each loaded once. */
  VOS.need = async (...names) => {
    for (const name of names) {
      VOS.site[name] ??= VOS.unpack(await VOS.load(`data/${name}`));
    }
    return VOS.site;
  };

  /** Rows of a frame that pass, as indices. */
  VOS.where = (frame, test) => {
    const found = [];
    for (let row = 0; row < frame.rows; row += 1) if (test(row)) found.push(row);
    return found;
  };

  VOS.every = (frame) => Array.from({ length: frame.rows }, (_, row) => row);

  /** Distinct known values of a column over rows, in order of appearance. */
  VOS.distinct = (values, rows) => {
    const seen = new Set();
    for (const row of rows) if (values && values[row] !== null) seen.add(values[row]);
    return [...seen];
  };
})();
