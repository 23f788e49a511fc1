// The colours that the reader chose for this tab: light, dark, or those of the system.

const THEME = "rustbox.theme";
export const THEMES = ["system", "light", "dark"];

export const theme = () => sessionStorage.getItem(THEME) ?? "system";

/** Show the page in these colours, and keep the choice in the tab. */
export function setTheme(name) {
  if (name === "system") sessionStorage.removeItem(THEME);
  else sessionStorage.setItem(THEME, name);
  document.documentElement.dataset.theme = name;
}

setTheme(THEMES.includes(theme()) ? theme() : "system");
