// The tour: asks for the whole picture every second and draws again only what has changed, so that nothing flickers.
// All words arrive as text and are put in as text.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const drawn = {}; // what each part was last drawn from
  const failures = { count: 0 };
  let open = null; // the mail that is being read
  let example = null; // the branch that the form is filled in for
  const problems = new Map(); // why a button did nothing, by pull request
  const known = new Set(); // commits and mails that were shown

  // --- Drawing ---------------------------------------------------------------------------------------------

  function make(tag, about = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(about)) {
      if (name === "class") made.className = value;
      else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  function hasChanged(part, facts) {
    const now = JSON.stringify(facts);
    if (drawn[part] === now) return false;
    drawn[part] = now;
    return true;
  }

  function draw(picture) {
    drawGuide(picture.guide);
    drawForm(picture.next);
    drawPulls(picture.pulls);
    drawMails(picture.mails);
    drawLog("log", picture.log);
    drawLog("released", picture.released);
    drawCalls(picture.calls);
  }

  function drawGuide(guide) {
    if (!hasChanged("guide", guide)) return;
    const spoken = { done: ", done", now: ", now", later: "" };
    $("steps").replaceChildren(...guide.steps.map((step, index) =>
      make("li", { class: step.state, "aria-current": step.state === "now" && "step" },
        make("span", { class: "mark", "aria-hidden": "true" }, step.state === "done" ? "✓" : String(index + 1)),
        make("span", {}, step.words, make("span", { class: "aside" }, spoken[step.state])))));
    $("hint").textContent = guide.hint;
  }

  // --- The desk --------------------------------------------------------------------------------------------

  function drawForm(next) {
    if (example === next.branch) return;
    const isFirst = example === null && $("branch").textContent === next.branch;
    example = next.branch;
    if (isFirst) return; // the page came with it; somebody may be typing already
    $("title").value = next.title;
    $("body").value = next.body;
    $("author").textContent = next.author;
    $("branch").textContent = next.branch;
    $("paths").textContent = next.paths.join(" and ");
  }

  function drawPulls(pulls) {
    const box = $("pulls");
    for (const pull of [...pulls].reverse()) {
      const facts = { ...pull, problem: (pull.state === "open" && problems.get(pull.number)) || "" };
      if (!hasChanged(`pull ${pull.number}`, facts)) continue;
      const card = drawPull(facts);
      const old = $(card.id);
      const focused = old?.contains(document.activeElement) ? document.activeElement.dataset.do : null;
      old ? old.replaceWith(card) : box.prepend(card);
      if (focused) (card.querySelector(`[data-do="${focused}"]`) ?? card.querySelector("button"))?.focus();
    }
  }

  function drawPull(pull) {
    const words = { open: "Open", merged: "✓ Merged", closed: "Closed" };
    const chip = pull.clashes
      ? make("span", { class: "chip clashes" }, "✕ Conflict")
      : make("span", { class: `chip ${pull.state}` }, words[pull.state]);
    return make("article", { class: "card pull", id: `pull-${pull.number}` },
      make("div", { class: "head" },
        make("h3", { dir: "auto" }, pull.title, " ", make("span", { class: "quiet" }, `#${pull.number}`)), chip),
      make("p", { class: "quiet small" }, `${pull.author}, `, make("code", {}, pull.head), " at ",
        make("code", {}, pull.sha.slice(0, 7))),
      drawStatus(pull.status),
      pull.tests ? drawStatus({ context: "tests", state: pull.tests, words: "The developers’ automatic tests" }) : null,
      ...pull.said.map(drawSaid),
      pull.merged_by ? make("p", { class: "says success" }, make("span", { "aria-hidden": "true" }, "✓"),
        make("span", {}, make("b", {}, pull.merged_by), ` merged it into ${pull.base}`)) : null,
      drawButtons(pull),
      pull.problem ? make("p", { class: "problem", role: "alert" }, pull.problem) : null);
  }

  const shapes = { pending: "●", success: "✓", failure: "✕", error: "✕" };

  function drawStatus(status) {
    if (!status) return make("p", { class: "says quiet" }, make("span", { "aria-hidden": "true" }, "○"), "No status yet");
    const kind = status.state === "error" ? "failure" : status.state;
    return make("p", { class: `says ${kind}` },
      make("span", { "aria-hidden": "true" }, shapes[status.state]),
      make("span", {}, make("code", {}, status.context), ` ${status.state}`, make("br"), status.words,
        ...(status.url ? [" ", make("a", { href: status.url, target: "_blank", rel: "noreferrer" }, "Details")] : [])));
  }

  function drawSaid(said) {
    const kinds = {
      APPROVED: ["success", "✓", " approved"],
      CHANGES_REQUESTED: ["failure", "✕", " requested changes"],
    };
    const [kind, shape, deed] = kinds[said.kind] ?? ["", "“", " commented"];
    return make("div", { class: `says ${kind}` },
      make("span", { "aria-hidden": "true" }, shape),
      make("div", {}, make("b", {}, said.by), deed, ...said.words.split(/\n+/).filter(Boolean).map(drawWords)));
  }

  // Just enough Markdown for the gate's own reviews: bold, quotes, small print, escapes.
  function drawWords(line) {
    const isQuote = /^>/.test(line);
    const parts = line.replace(/^>\s?/, "").replace(/<\/?sub>/g, "").split(/\*\*(.+?)\*\*/);
    const text = (words) => words.replace(/\\([!-/:-@[-`{-~])/g, "$1").replace(/&#8203;/g, "").replace(/&lt;/g, "<").replace(/&amp;/g, "&");
    return make(isQuote ? "q" : "div", { dir: "auto" },
      ...parts.map((part, index) => (index % 2 ? make("b", {}, text(part)) : text(part))));
  }

  function drawButtons(pull) {
    const act = (action, words, why) => make("button", {
      type: "button", title: why, "data-do": action, onclick: (event) => press(event.target, pull.number, action),
    }, words);
    const away = { target: "_blank", rel: "noreferrer", class: "link" };
    const links = make("span", { class: "links" },
      make("a", { ...away, href: `/preview/${pull.number}/` }, "Try it"),
      make("a", { ...away, href: `/acme/shop/pull/${pull.number}` }, "Code"));
    if (pull.state !== "open" || pull.is_release) return make("div", { class: "row" }, links);
    return make("div", { class: "row" },
      act("push", "Push a commit", "One more commit on this branch"),
      pull.clashes ? act("resolve", "Resolve the conflict", "Merge development into this branch") : null,
      pull.can_clash ? act("clash", "Cause a conflict", "Change the same lines on development") : null,
      pull.tests === "failure"
        ? act("fix", "Fix its tests", "Run the automatic tests again: they pass")
        : act("fail", "Fail its tests", "Let the automatic tests fail"),
      pull.can_answer ? act("answer", "Answer Lily", "Comment on this pull request") : null,
      act("merge", "Try to merge without Lily", "Press GitHub’s own merge button"),
      links);
  }

  async function press(button, number, action) {
    button.disabled = true;
    problems.set(number, await send(`/pulls/${number}/${action}`, {}));
    button.disabled = false;
    look();
  }

  $("open").addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const button = form.querySelector("button"), problem = form.querySelector(".problem");
    button.disabled = true;
    const why = await send("/pulls", { title: $("title").value, body: $("body").value });
    button.disabled = false;
    problem.textContent = why;
    problem.hidden = !why;
    if (!why) $("opening").open = false;
    look();
  });

  $("push").addEventListener("click", async (event) => {
    event.target.disabled = true;
    const why = await send("/push", {});
    event.target.disabled = false;
    $("push-problem").textContent = why;
    $("push-problem").hidden = !why;
    look();
  });

  async function send(path, words) {
    try {
      const answer = await fetch(path, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(words),
      });
      return answer.ok ? "" : (await answer.json()).problem ?? "That didn’t work.";
    } catch {
      return "That didn’t work.";
    }
  }

  // --- The phone -------------------------------------------------------------------------------------------

  const time = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

  function drawMails(mails) {
    if (!hasChanged("mails", mails)) return;
    const unread = mails.filter((mail) => !mail.is_read).length;
    document.title = `${unread ? `(${unread}) ` : ""}QA gate, a tour`;
    for (const badge of [$("unread"), $("unread-too")]) {
      badge.hidden = unread === 0;
      badge.textContent = `${unread} new`;
    }
    $("no-mail").hidden = mails.length > 0;
    const focused = document.activeElement?.dataset?.mail;
    const isFirst = known.size === 0;
    $("mails").replaceChildren(...mails.map((mail) => drawMail(mail, isFirst)));
    if (focused) document.querySelector(`[data-mail="${focused}"]`)?.focus();
  }

  function drawMail(mail, isFirst) {
    const isNew = !known.has(`mail ${mail.id}`) && !isFirst;
    known.add(`mail ${mail.id}`);
    return make("li", { class: mail.is_read ? "" : "unread" },
      make("button", { type: "button", class: isNew ? "fresh" : "", "data-mail": mail.id, onclick: () => read(mail) },
        make("span", { class: "dot" }, mail.is_read ? "" : "●",
          mail.is_read ? null : make("span", { class: "aside" }, "Unread: ")),
        make("span", { class: "from" }, mail.sender), make("time", {}, time(mail.at)),
        make("span", { class: "about", dir: "auto" }, mail.subject),
        make("span", { class: "first", dir: "auto" }, mail.preview)));
  }

  function read(mail) {
    open = mail.id;
    $("subject").textContent = mail.subject;
    $("sender").textContent = `${mail.sender} to ${mail.to}`;
    $("at").textContent = time(mail.at);
    $("letter").src = `/mails/${mail.id}`;
    $("list").hidden = true;
    $("reading").hidden = false;
    $("back").focus();
    setTimeout(look, 150); // the guide goes on
  }

  $("back").addEventListener("click", () => {
    $("reading").hidden = true;
    $("list").hidden = false;
    $("letter").removeAttribute("src");
    document.querySelector(`[data-mail="${open}"]`)?.focus();
    open = null;
  });

  // --- The terminal ----------------------------------------------------------------------------------------

  function drawLog(part, log) {
    if (!hasChanged(part, log)) return;
    const isFirst = $(part).childElementCount === 0;
    $(part).replaceChildren(...log.map((line) => {
      const isNew = line.sha && !known.has(`${part} ${line.sha}`) && !isFirst;
      known.add(`${part} ${line.sha}`);
      return make("div", { class: isNew ? "line fresh" : "line" },
        make("span", { class: "graph", "aria-hidden": "true" }, line.graph || " "),
        make("span", { class: "sha" }, line.sha),
        make("span", {}, line.subject, line.sha ? make("span", { class: "by" }, `, ${line.author}`) : "",
          line.more ? make("span", { class: "more" }, line.more) : ""));
    }));
  }

  function drawCalls(calls) {
    if (!hasChanged("calls", calls)) return;
    $("count").textContent = calls.length;
    $("calls").replaceChildren(...calls.map((call) =>
      make("li", {}, call.replace(/[0-9a-f]{40}/g, (sha) => sha.slice(0, 7)))));
  }

  // --- Looking ---------------------------------------------------------------------------------------------

  async function look() {
    try {
      const answer = await fetch("/state.json", { cache: "no-cache" });
      draw(await answer.json());
      failures.count = 0;
    } catch (problem) {
      if (!(problem instanceof TypeError)) throw problem;
      failures.count += 1;
    }
    $("gone").hidden = failures.count < 3;
  }

  async function goOn() {
    try { await look(); } finally { setTimeout(goOn, 1000); }
  }

  goOn();
})();
