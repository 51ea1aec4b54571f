// Brings the parts of a page up to date that change by themselves. Every page works without it.
"use strict";

const PAUSE = 4000;

const parts = (root) => [...root.querySelectorAll("[data-live]")];

function isInUse(part) {
  const selection = document.getSelection();
  return part.contains(document.activeElement) || (selection && !selection.isCollapsed && part.contains(selection.anchorNode));
}

async function refresh() {
  if (document.hidden || parts(document).length === 0) return;
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (answer.redirected) return location.reload(); // the session is over
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = parts(page);
  parts(document).forEach((part, number) => {
    const next = fresh[number];
    if (next && next.innerHTML !== part.innerHTML && !isInUse(part)) part.replaceChildren(...next.childNodes);
  });
}

setInterval(() => refresh().catch(() => {}), PAUSE);
