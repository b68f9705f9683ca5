// The table of cases: sorted, filtered, paged and opened; and the choice of theme. Text is only ever text.
"use strict";
(() => {
  const PAGE = 50;
  const byId = (id) => document.getElementById(id);
  const table = byId("trials");
  const index = JSON.parse(byId("index").textContent);
  const large = byId("details") && readDetails(JSON.parse(byId("details").textContent));
  const bodies = large ? [] : [...table.tBodies];
  const column = Object.fromEntries(index.columns.map((name, at) => [name, at]));
  const form = document.querySelector(".filters");
  const searched = [];
  const state = { q: "", model: "", profile: "", template: "", retrieval: "", result: "", sort: "", dir: "asc", page: 1 };

  // --- elements -------------------------------------------------------------------------------------

  function element(name, attributes, ...children) {
    const made = name.startsWith("svg:")
      ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4))
      : document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) made.setAttribute(key, value);
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  // --- the rows of a large run ------------------------------------------------------------------------

  function readDetails({ rows, texts }) {
    const whole = (value) => {
      if (Array.isArray(value)) return value.map(whole);
      return value !== null && typeof value === "object" ? texts[value.t] : value;
    };
    return { row: (at) => whole(rows[at]), text: (at) => whole(rows[at]).flat(Infinity).join(" ") };
  }

  // The rows and the details come as lists, fields in the order of the records in trials.py.
  function trialBody(listed, [query, excerpt, result, values, detail]) {
    const [name, model, profile, template, , status] = listed;
    const retrieval = "retrieval" in column ? listed[column.retrieval] || "–" : null;
    const text = (value) => element("td", {}, value);
    return element("tbody", { class: `trial ${status}` },
      element("tr", { class: "row" },
        element("th", { scope: "row" },
          element("span", { class: "case" }, name), element("span", { class: "said" }, query)),
        index.models > 1 ? text(model) : null, text(profile), text(template),
        retrieval === null ? null : text(retrieval),
        element("td", { class: "result" }, result),
        ...values.map((value) => element("td", { class: "num" }, value)),
        element("td", { class: "said" }, excerpt)),
      element("tr", { class: "more" }, element("td", { colspan: table.rows[0].cells.length },
        element("details", {}, element("summary", {}, "more"), detailOf(...detail)))));
  }

  function detailOf(error, prompt, note, passages, texts, scores, facts, timeline) {
    return element("div", { class: "detail" },
      error ? element("p", { class: "error" }, error) : null,
      element("div", { class: "read" }, ...promptOf(prompt, note), ...contextOf(passages)),
      element("div", { class: "wrote" }, ...writtenOf(texts), ...timelineOf(timeline), ...scoresOf(scores),
        element("dl", { class: "facts" },
          ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]))));
  }

  function promptOf(prompt, note) {
    if (!prompt) return [];
    return [element("h3", {}, "Prompt"), element("p", { class: "note" }, note),
      element("pre", { dir: "auto", tabindex: 0 }, prompt)];
  }

  function contextOf(passages) {
    if (!passages.length) return [];
    const items = passages.map(([rank, document, score, text, used, fate]) => {
      const note = `${rank} · ${document} · ${score}${fate ? ` · ${fate}` : ""}`;
      return element("li", used ? {} : { class: "dropped" },
        element("span", { class: "note" }, note), element("span", { dir: "auto" }, text));
    });
    return [element("h3", {}, "Context"), element("ol", { class: "passages" }, ...items)];
  }

  function writtenOf(texts) {
    return texts.flatMap(([heading, text, kind]) =>
      [element("h3", {}, heading), element("pre", { class: kind, dir: "auto", tabindex: 0 }, text)]);
  }

  function timelineOf(timeline) {
    if (!timeline) return [];
    const [ticks, first, end, width] = timeline;
    return [
      element("svg:svg", { class: "timeline", viewBox: `0 0 ${width} 14`, preserveAspectRatio: "none", height: 14,
        role: "img", "aria-label": "arrivals" },
        element("svg:path", { class: "wait", d: `M0 7H${first}` }),
        element("svg:path", { class: "rug", transform: "translate(0 2)", d: ticks })),
      element("p", { class: "note" }, `request to end, ${end}; a stroke for each arrival`)];
  }

  function scoresOf(scores) {
    if (!scores.length) return [];
    const heads = ["scorer", "value", "result", "judged", "why"].map((name) => element("th", {}, name));
    const rows = scores.map(([scorer, value, result, judged, why]) => element("tr", {},
      element("th", {}, scorer), element("td", {}, value),
      element("td", {}, result), element("td", { dir: "auto" }, judged), element("td", { dir: "auto" }, why)));
    return [element("h3", {}, "Scores"), element("table", { class: "scores" },
      element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows))];
  }

  // --- what is shown ----------------------------------------------------------------------------------

  function bodyOf(at) {
    const body = (bodies[at] ??= trialBody(index.rows[at], large.row(at)));
    const name = body.querySelector("span.case");
    if (name) {
      const button = element("button", { type: "button", class: "case", "aria-expanded": "false" }, name.textContent);
      name.replaceWith(button);
      body.rows[0].addEventListener("click", () => {
        if (!getSelection().toString()) open(body, button, !body.classList.contains("opened"));
      });
    }
    return body;
  }

  function open(body, button, opened) {
    body.classList.toggle("opened", opened);
    body.querySelector("details").open = opened;
    button.setAttribute("aria-expanded", String(opened));
  }

  function textOf(at) {
    return (searched[at] ??= (large ? `${index.rows[at][0]} ${large.text(at)}` : bodies[at].textContent).toLowerCase());
  }

  function hasResult(row) {
    const score = row[column.score];
    if (state.result === "below") return score !== null && score < 1;
    return !state.result || row[column.status] === state.result;
  }

  function chosen() {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    index.rows.forEach((row, at) => {
      const same = (name) => !state[name] || !(name in column) || row[column[name]] === state[name];
      const fits = same("model") && same("profile") && same("template") && same("retrieval") && hasResult(row);
      if (fits && words.every((word) => textOf(at).includes(word))) found.push(at);
    });
    return found;
  }

  function sorted(found) {
    if (!(state.sort in column)) return found;
    const key = column[state.sort];
    const sign = state.dir === "desc" ? -1 : 1;
    const value = (at) => index.rows[at][key];
    return found.sort((a, b) => {
      const [one, other] = [value(a), value(b)];
      if (one === null || other === null) return (one === null) - (other === null) || a - b; // not measured: last
      const order = typeof one === "number" ? one - other : one < other ? -1 : one > other ? 1 : 0;
      return sign * order || a - b;
    });
  }

  function show() {
    const found = sorted(chosen());
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    state.page = Math.min(Math.max(1, state.page), pages);
    const start = (state.page - 1) * PAGE;
    for (const body of [...table.tBodies]) body.remove();
    table.append(...found.slice(start, start + PAGE).map(bodyOf));
    const total = index.rows.length;
    byId("count").textContent = found.length === total ? `${total} trials` : `${found.length} of ${total} trials`;
    document.querySelector(".pages").hidden = pages === 1;
    byId("place").textContent = `page ${state.page} of ${pages}`;
    byId("previous").disabled = state.page === 1;
    byId("next").disabled = state.page === pages;
    for (const head of table.tHead.querySelectorAll("[data-key]")) {
      if (head.dataset.key !== state.sort) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", state.dir === "desc" ? "descending" : "ascending");
    }
  }

  // --- the state and the address ----------------------------------------------------------------------

  function change(changes) {
    Object.assign(state, { page: 1 }, changes);
    show();
    const kept = Object.entries(state).filter(([key, value]) =>
      value !== "" && !(key === "page" && value === 1) && !(key === "dir" && (value === "asc" || !state.sort)));
    try {
      history.replaceState(null, "", `#${kept.length ? new URLSearchParams(kept) : "cases"}`);
    } catch {
      // a page that may not change its address works all the same
    }
  }

  function readAddress() {
    if (!location.hash.includes("=")) return false;
    const given = new URLSearchParams(location.hash.slice(1));
    for (const key of Object.keys(state)) state[key] = given.get(key) ?? "";
    state.dir = state.dir === "desc" ? "desc" : "asc";
    state.page = Math.trunc(Number(state.page)) || 1;
    for (const field of form.elements) if (field.name) field.value = state[field.name];
    for (const field of form.elements) if (field.name) state[field.name] = field.value;
    return true;
  }

  // --- wiring -----------------------------------------------------------------------------------------

  for (const head of table.tHead.querySelectorAll("[data-key]")) {
    const button = element("button", { type: "button" }, head.textContent);
    button.addEventListener("click", () => {
      const again = state.sort === head.dataset.key;
      if (again && state.dir === "desc") change({ sort: "", dir: "asc" });
      else change({ sort: head.dataset.key, dir: again ? "desc" : "asc" });
    });
    head.replaceChildren(button);
  }
  form.addEventListener("input", () => change(Object.fromEntries(new FormData(form))));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => change({ q: "", model: "", profile: "", template: "", retrieval: "", result: "" })));
  byId("previous").addEventListener("click", () => change({ page: state.page - 1 }));
  byId("next").addEventListener("click", () => change({ page: state.page + 1 }));
  addEventListener("hashchange", () => {
    if (!readAddress()) return;
    show();
    byId("cases").scrollIntoView();
  });
  form.hidden = false;
  const linked = readAddress();
  show();
  if (linked) byId("cases").scrollIntoView();

  const theme = byId("theme");
  const themes = ["auto", "light", "dark"];
  const root = document.documentElement;
  const tell = () => { theme.textContent = `Theme: ${root.dataset.theme ?? "auto"}`; };
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme ?? "auto") + 1) % themes.length];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      localStorage.setItem("gemma_eval.theme", next);
    } catch {
      // the choice lasts as long as the page
    }
    tell();
  });
  theme.hidden = false;
  tell();
})();
