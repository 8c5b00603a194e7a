// The address behind # says which page is shown and how: #/runs?q=lite&sort=-jf_mean
"use strict";
(() => {
  const PAGES = [["", "Overview"], ["runs", "Runs"], ["compare", "Compare"], ["models", "Models"], ["sequences", "Sequences"],
    ["sweeps", "Sweeps"], ["history", "History"], ["verdicts", "Verdicts"], ["trainings", "Trainings"], ["machines", "Machines"]];
  const PARENTS = { run: "runs", model: "models", sweep: "sweeps", sequence: "sequences", training: "trainings" };
  const LOOK_S = 5;

  const main = document.getElementById("main");
  const nav = document.getElementById("nav");
  let turn = 0;
  let shownPath = null;

  const address = () => {
    const [path, query] = location.hash.replace(/^#\/?/u, "").split(/\?(.*)/su);
    const decoded = path.split("/").map((part) => {
      try { return decodeURIComponent(part); } catch { return part; }
    });
    return { path: decoded, params: new URLSearchParams(query ?? "") };
  };

  const remember = (path) => (params) => {
    const hash = VOS.href(path.filter(Boolean), Object.fromEntries(params));
    history.replaceState(null, "", hash);
  };

  const menu = (page) => nav.replaceChildren(...PAGES.map(([name, title]) => VOS.el("a", {
    href: `#/${name}`, "aria-current": (PARENTS[page] ?? page) === name ? "page" : null,
  }, title)));

  const show = async () => {
    const mine = (turn += 1);
    const { path, params } = address();
    const [page, ...rest] = path;
    const make = VOS.pages[page || "overview"] ?? (() => VOS.missing("page", page));
    menu(page);
    let parts;
    try {
      parts = await make({ path: rest, params, changed: remember(path) });
    } catch (error) {
      if (!/is missing/u.test(error.message)) console.error(error);
      parts = [VOS.heading("Not shown"), VOS.el("p", { class: "mark" }, error.message)];
    }
    if (mine !== turn) return;
    main.replaceChildren(...parts.flat(Infinity).filter(Boolean));
    main.dataset.page = path.join("/");
    for (const table of main.querySelectorAll(".scroll")) table.dispatchEvent(new Event("scroll"));
    if (shownPath !== null && shownPath !== path.join("/")) {
      scrollTo(0, 0);
      main.focus({ preventScroll: true });
    }
    shownPath = path.join("/");
  };

  /** A site that is remade while it is read: load it anew, but not under somebody's typing. */
  const watch = () => setInterval(async () => {
    const now = await VOS.reload("data/live").catch(() => null);
    if (now === null || now === VOS.site.live) return;
    if (/^(?:INPUT|SELECT|TEXTAREA)$/u.test(document.activeElement.tagName) || main.querySelector("video, .player")) {
      document.getElementById("news").hidden = false;
    } else location.reload();
  }, 1000 * LOOK_S);

  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(?:INPUT|SELECT|TEXTAREA)$/u.test(event.target.tagName);
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const box = main.querySelector(".filter");
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
  document.getElementById("again").addEventListener("click", () => location.reload());
  VOS.load("data/site").then((data) => {
    VOS.site = { ...data, clips: VOS.unpack(data.clips) };
    addEventListener("hashchange", show);
    VOS.onScheme(show);
    show();
    if (data.live) watch();
  }, (error) => main.replaceChildren(VOS.el("p", { class: "mark" }, error.message)));
})();
