// Live parts of a page: they ask for nothing while nobody looks or somebody stands in them, and say when nothing answers.
"use strict";

const isLive = (event) => event.target.classList.contains("live");

document.addEventListener("htmx:beforeRequest", (event) => {
  if (isLive(event) && (document.hidden || event.target.contains(document.activeElement))) event.preventDefault();
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (isLive(event)) event.target.previousElementSibling.firstElementChild.hidden = event.detail.successful === true;
});

for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(failure, (event) => {
    event.target.querySelectorAll(":scope > .unheard").forEach((words) => (words.hidden = false));
  });
}

document.addEventListener("visibilitychange", () => {
  document.querySelectorAll(".live").forEach((part) => htmx.trigger(part, "look"));
});
