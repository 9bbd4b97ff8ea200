// Keeps a page of progress up to date: reads the page's own address again and puts in what has changed.
// It never sends anything. Without JavaScript there is a link to look again.
"use strict";
(() => {
  const FIRST_WAIT = 2000, LONGEST_WAIT = 15000, GIVE_UP_AFTER = 10 * 60 * 1000;
  const started = Date.now();
  // What the server last said of each part; what a person opened or closed in it since does not count as a change.
  const known = new Map();
  let wait = FIRST_WAIT;

  const isLive = () => document.querySelector("main[data-live]") !== null;

  // Parts are replaced one by one, so that a screen reader hears only the part that changed and no focus is lost.
  function take(fresh) {
    if (fresh.querySelector("[data-part]") === null) return location.reload(); // another kind of page by now
    document.title = fresh.title;
    for (const part of document.querySelectorAll("[data-part]")) {
      const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      const words = other === null ? "" : other.innerHTML;
      if (known.get(part) === words) continue;
      part.innerHTML = words;
      known.set(part, words);
      wait = FIRST_WAIT;
    }
    if (fresh.querySelector("main[data-live]") === null) delete document.querySelector("main").dataset.live;
  }

  async function look() {
    try {
      const answer = await fetch(location.href, { cache: "no-store", credentials: "same-origin" });
      if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch { /* The network is away for a moment; the next look may work. */ }
    wait = Math.min(wait * 1.2, LONGEST_WAIT);
    plan();
  }

  function plan() {
    document.querySelector("[data-updating]")?.toggleAttribute("hidden", !isLive());
    if (!isLive()) return;
    if (Date.now() - started > GIVE_UP_AFTER) {
      document.querySelector("[data-updating]")?.remove();
      document.querySelector("[data-stopped]")?.removeAttribute("hidden");
    } else {
      setTimeout(look, wait);
    }
  }

  for (const part of document.querySelectorAll("[data-part]")) known.set(part, part.innerHTML);
  plan();
})();
