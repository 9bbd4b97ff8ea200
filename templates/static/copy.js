// A button that copies a list with one tap. Without JavaScript a tap selects it.
"use strict";
(() => {
  const show = () => document.querySelectorAll("[data-copy][hidden]").forEach((button) => { button.hidden = false; });

  function byHand(list) {
    getSelection().selectAllChildren(list);
    return document.execCommand("copy"); // where the page is not on https there is no other way
  }

  async function copy(list) {
    try {
      await navigator.clipboard.writeText(list.textContent);
      return true;
    } catch {
      return byHand(list);
    }
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (button === null) return;
    const words = (await copy(document.getElementById(button.dataset.copy))) ? "Copied" : "Select it and copy";
    button.querySelector("span").textContent = words;
    document.getElementById("copied").textContent = words; // for who hears the page
  });
  // The list comes in when the release has gone live while the page is open.
  new MutationObserver(show).observe(document.querySelector("main"), { childList: true, subtree: true });
  show();
})();
