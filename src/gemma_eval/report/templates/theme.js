// Runs before the page is drawn: says that scripts run, and brings back the theme that was chosen.
"use strict";
document.documentElement.classList.add("js");
try {
  const theme = localStorage.getItem("gemma_eval.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // a browser that keeps nothing follows the system's theme
}
