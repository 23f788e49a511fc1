// Ask for the view of the address beside the shell, not behind it: from far away each wait costs half a second.
const EARLY = ["home", "run", "runs", "webhooks", "checks"];
const named = location.hash.split(/[/?]/)[1] || "run";
const own = sessionStorage.getItem("rustbox.key") && EARLY.find((name) => name === named);
const view = sessionStorage.getItem("rustbox.admin_key") ? "admin" : own;
if (view) {
  const link = document.createElement("link");
  Object.assign(link, { rel: "modulepreload", href: new URL(`${view}.js`, import.meta.url).href });
  document.head.append(link);
}
