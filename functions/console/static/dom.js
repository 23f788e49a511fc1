// Elements from templates: Preact with HTM. A text stays a text; nothing here makes HTML from a string.
import htm from "./htm-3.1.1.js";
import { Component, Fragment, h, render } from "./preact-11.2.0.js";

export const html = htm.bind(h);
export { Component, Fragment, render };
